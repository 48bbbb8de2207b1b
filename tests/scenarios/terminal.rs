//! The client at a terminal of its own.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Child, Command, Stdio};

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::support::{Lines, PARLOR, Server, Way, frame, read_until};

/// A client at a pseudo-terminal; ended when it is dropped.
struct Terminal {
    child: Child,
    keyboard: File,
    /// All that the terminal shows, the echo of what is typed included.
    screen: Lines,
}

impl Terminal {
    fn start(addr: &str) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let path = ptsname(&controller, Vec::new()).unwrap();
        let open = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).custom_flags(OFlags::NOCTTY.bits().cast_signed());
            options.open(OsStr::from_bytes(path.to_bytes())).unwrap()
        };
        let child = Command::new(PARLOR)
            .args(["chat", addr])
            .env_clear()
            .env("TERM", "xterm")
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap();
        let keyboard = File::from(controller);
        let screen = Lines::read("the terminal", vec![Box::new(keyboard.try_clone().unwrap())]);
        Self { child, keyboard, screen }
    }

    /// Whether it shows what is typed.
    fn echoes(&self) -> bool {
        tcgetattr(&self.keyboard).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    fn type_line(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_person_at_a_terminal_logs_in_hears_others_and_leaves() {
    let server = Server::start(&[]);
    let mut bob = server.person(Way::Lines, "bob");
    bob.join("lobby");
    let mut alice = Terminal::start(server.addr());
    alice.screen.expect("* who are you? ");
    alice.type_line("alice");
    alice.screen.expect("* welcome, alice");
    alice.type_line("/join lobby");
    alice.screen.expect("* you are in lobby: alice, bob");
    alice.type_line("hello from a terminal");
    bob.expect("[lobby] alice: hello from a terminal");
    // `Lines` looks at each character that is shown.
    bob.say("un\u{202e}der\tneath", 1);
    alice.screen.expect("[lobby] bob: un\\u{202e}der    neath");
    alice.type_line("/exit");
    alice.screen.expect("* bye: goodbye");
    alice.screen.expect_end();
    assert_eq!(alice.child.wait().unwrap().code(), Some(0));
    bob.expect("[lobby] alice left");
    server.stop();
}

/// What a server needs to say until it asks `alice` for a password.
fn ask_for_a_password(terminal: &mut Terminal, server: &TcpListener) -> TcpStream {
    let mut socket = server.accept().unwrap().0;
    let hello = r#"{"ev":"hello","protocol":1,"server":"parlor","limits":{}}"#;
    socket.write_all(&frame(hello)).unwrap();
    terminal.screen.expect("* who are you? ");
    terminal.type_line("alice");
    read_until(&mut socket, r#""op":"login""#);
    let done = frame(r#"{"re":1,"ok":"done"}"#);
    let needed = frame(r#"{"re":2,"error":{"code":"password_needed","text":"a password"}}"#);
    assert!(terminal.echoes());
    socket.write_all(&[done, needed].concat()).unwrap();
    terminal.screen.expect("* Password for alice:");
    assert!(!terminal.echoes());
    socket
}

#[test]
fn a_password_is_typed_unseen() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut alice = Terminal::start(&server.local_addr().unwrap().to_string());
    let mut socket = ask_for_a_password(&mut alice, &server);
    alice.type_line("open sesame");
    read_until(&mut socket, r#""password":"open sesame""#);
    socket.write_all(&frame(r#"{"re":3,"ok":"welcome","user":"alice"}"#)).unwrap();
    alice.screen.expect("* welcome, alice");
    alice.type_line("this can be seen");
    alice.screen.expect("this can be seen");
    assert!(alice.echoes() && alice.screen.all("sesame").is_empty());
}

/// No terminal is needed for it, and nothing of it is shown.
#[test]
fn a_password_in_a_variable_goes_with_the_first_login() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut child = Command::new(PARLOR)
        .args(["chat", &server.local_addr().unwrap().to_string(), "--user", "alice"])
        .env_clear()
        .env("PARLOR_PASSWORD", "open sesame")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut socket = server.accept().unwrap().0;
    read_until(&mut socket, r#""user":"alice","password":"open sesame""#);
    drop(socket);
    let (out, error) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let mut lines = Lines::read("alice", vec![Box::new(out), Box::new(error)]);
    lines.expect_end();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(lines.all("sesame").is_empty());
}

#[test]
fn who_interrupts_a_question_for_a_password_sees_again_what_he_types() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut alice = Terminal::start(&server.local_addr().unwrap().to_string());
    let mut socket = ask_for_a_password(&mut alice, &server);
    kill_process(Pid::from_child(&alice.child), Signal::INT).unwrap();
    read_until(&mut socket, r#""op":"exit""#);
    drop(socket);
    assert_eq!(alice.child.wait().unwrap().code(), Some(0));
    assert!(alice.echoes());
}
