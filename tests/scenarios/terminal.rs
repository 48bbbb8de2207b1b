//! The client at a terminal of its own.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Child, Command};

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::{Lines, PARLOR, Server, Way};

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
