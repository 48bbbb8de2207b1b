//! What a server says when it starts, to a pipe and to a terminal, and with its log on standard
//! error.
#![cfg(unix)]

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

#[path = "support/server.rs"]
mod server;

use server::{ANYWHERE, parlor};

/// A server, killed when it is dropped, and what it says.
struct Said<T> {
    child: Child,
    lines: BufReader<T>,
    /// Dropped, it calls the watch off.
    _watch: Sender<()>,
}

/// A server that says nothing more is ended, so that whoever reads it reads the end.
const PATIENCE: Duration = Duration::from_secs(60);

impl<T: Read> Said<T> {
    fn new(child: Child, out: T) -> Self {
        let (watch, over) = channel();
        let pid = Pid::from_child(&child);
        std::thread::spawn(move || {
            if over.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        Self { child, lines: BufReader::new(out), _watch: watch }
    }

    /// The next line, without what a terminal adds; empty at the end.
    fn line(&mut self) -> String {
        let mut line = String::new();
        // A terminal whose other side is closed is an error on Linux, and the end for us.
        let _ = self.lines.read_line(&mut line);
        line.trim_end().to_owned()
    }

    /// Reads on to a line with this text.
    #[track_caller]
    fn expect(&mut self, text: &str) -> String {
        let mut passed = Vec::new();
        loop {
            let line = self.line();
            if line.contains(text) {
                return line;
            }
            assert!(!line.is_empty(), "no {text} in {passed:#?}");
            passed.push(line);
        }
    }

    fn stop(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }
}

impl<T> Drop for Said<T> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(data: &std::path::Path, options: &[&str]) -> std::process::Command {
    let mut command = parlor();
    command.args(["serve", "--listen", ANYWHERE, "--data"]).arg(data).args(options);
    command
}

fn at_a_pipe(data: &std::path::Path, options: &[&str]) -> Said<ChildStdout> {
    let mut command = serve(data, options);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    Said::new(child, out)
}

/// A server whose standard output and error are a terminal.
fn at_a_terminal(data: &std::path::Path, options: &[&str]) -> Said<File> {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let path = ptsname(&controller, Vec::new()).unwrap();
    let open = || {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(OFlags::NOCTTY.bits().cast_signed());
        options.open(OsStr::from_bytes(path.to_bytes())).unwrap()
    };
    let child = serve(data, options).stdout(open()).stderr(open()).spawn().unwrap();
    Said::new(child, File::from(controller))
}

/// Somebody comes, logs in and leaves.
fn visit(address: &str, name: &str) {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "/login {name}\n/exit\n").unwrap();
    let _ = socket.read_to_end(&mut Vec::new());
}

fn address(first: &str) -> String {
    first.rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn the_start_is_five_lines() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut server = at_a_pipe(&data, &["--room-members", "40"]);
    let first = server.line();
    assert!(first.starts_with(concat!("parlor ", env!("CARGO_PKG_VERSION"), " listens on ")));
    let address = address(&first);
    assert_eq!(server.line(), format!("data:     {}", data.display()));
    assert_eq!(server.line(), format!("log:      {}", data.join("parlor.log").display()));
    let settings = "settings: room-members 40, the rest by default (parlor config show)";
    assert_eq!(server.line(), settings);
    let connect = format!("connect:  parlor chat {address} --user NAME   or: nc 127.0.0.1 ");
    assert!(server.line().starts_with(&connect));
    // What happens is in the log and not here.
    visit(&address, "alice");
    server.stop();
    assert!(server.line().starts_with("parlor stopped: "));
    assert_eq!(server.line(), "");
}

#[test]
fn at_a_terminal_it_shows_what_happens() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut server = at_a_terminal(&data, &["--log-format", "json"]);
    let address = address(&server.line());
    server.expect("connect:  ");
    visit(&address, "alice");
    let line = server.expect("[LOGIN] alice (");
    assert!(line.starts_with("[20"), "{line}");
    server.expect("[DISCONNECT] alice (");
    server.stop();
    server.expect("parlor stopped: ");
    drop(server);
    // The log itself is as it was asked for.
    let log = std::fs::read_to_string(data.join("parlor.log")).unwrap();
    assert!(log.lines().all(|line| line.starts_with("{\"time\":")), "{log}");
    assert!(log.contains("\"event\":\"logged_in\""), "{log}");
}

#[test]
fn a_log_called_dash_is_standard_error() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut server = at_a_pipe(&data, &["--log", "-"]);
    let mut log = String::new();
    let address = address(&server.line());
    server.line();
    assert_eq!(server.line(), "log:      standard error");
    visit(&address, "alice");
    kill_process(Pid::from_child(&server.child), Signal::HUP).unwrap();
    visit(&address, "bob");
    server.stop();
    server.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    for text in ["Listening on", "[LOGIN] alice (", "[LOGIN] bob (", "Stopped: "] {
        assert_eq!(log.lines().filter(|line| line.contains(text)).count(), 1, "{text}: {log}");
    }
    assert!(log.lines().all(|line| line.starts_with("[20")), "{log}");
    let left: Vec<_> = std::fs::read_dir(&data).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name == "-" || name == "parlor.log"), "{left:?}");

    // At a terminal each line is there once.
    let mut server = at_a_terminal(&data, &["--log", "-"]);
    let address = self::address(&server.expect(" listens on "));
    visit(&address, "carol");
    server.stop();
    let lines = std::iter::from_fn(|| Some(server.line()).filter(|line| !line.is_empty()));
    let seen = lines.filter(|line| line.contains("[LOGIN] carol (")).count();
    assert_eq!(seen, 1);
}
