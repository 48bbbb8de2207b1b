//! The bars, on standard error at a terminal and nowhere else.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Command, Stdio};

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::Person;
use crate::support::{Server, Way, content};

/// Runs a command whose standard error is a terminal; answers with its exit code, what it printed
/// on standard output, and all that the terminal was sent.
fn at_terminal(mut command: Command, before_end: impl FnOnce()) -> (i32, String, String) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&controller, size).unwrap();
    let path = ptsname(&controller, Vec::new()).unwrap();
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(OFlags::NOCTTY.bits().cast_signed());
    let terminal = options.open(OsStr::from_bytes(path.to_bytes())).unwrap();
    let mut child =
        command.env("TERM", "xterm").stderr(terminal).stdout(Stdio::piped()).spawn().unwrap();
    drop(command);
    let screen = std::thread::spawn(move || {
        let mut sent = Vec::new();
        // A terminal ends with an error when its last process does.
        let _ = File::from(controller).read_to_end(&mut sent);
        String::from_utf8_lossy(&sent).into_owned()
    });
    before_end();
    let out = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
    let code = child.wait().unwrap().code().unwrap();
    (code, out, screen.join().unwrap())
}

#[test]
fn a_file_on_its_way_has_a_bar_with_its_name_and_how_far_it_is() {
    let server = Server::start(&["--file-max", "64MiB"]);
    let alice = Person::member(&server, "alice");
    let text = content(6, 40_000_000);
    alice.write("report.bin", &text);
    let send = alice.command("send", &["--shelf", "report.bin"]);
    let (code, out, screen) = at_terminal(send, || {});
    assert_eq!(code, 0, "{screen}");
    assert!(out.ends_with(" report.bin\n"), "{out}");
    assert!(screen.contains('[') && screen.contains("report.bin "), "{screen:?}");
    assert!(screen.contains(" % of 38.1 MiB"), "{screen:?}");

    let get = Person::guest(&server, "bob");
    let (code, out, screen) = at_terminal(get.command("get", &["report.bin"]), || {});
    assert_eq!((code, &out[..]), (0, "report.bin\n"), "{screen}");
    assert!(screen.contains(" % of 38.1 MiB"), "{screen:?}");
    assert!(screen.contains("verified, saved as report.bin"), "{screen:?}");
    assert_eq!(get.read("report.bin"), text);
}

#[test]
fn a_file_that_waits_says_its_place_and_for_how_long() {
    let server = Server::start(&["--upload-slots", "1"]);
    let mut eve = server.person(Way::Lines, "eve");
    // Takes the slot and sends nothing, until she is gone.
    eve.type_line("/upload f 1000");
    eve.expect(": has a slot");
    let alice = Person::member(&server, "alice");
    alice.write("report.bin", b"x");
    let send = alice.command("send", &["--shelf", "report.bin"]);
    let mut watcher = server.person(Way::Lines, "watcher");
    let (code, _, screen) = at_terminal(send, || {
        while !watcher.ask("/queue", "slots in use").contains("1 waiting") {}
        let until = std::time::Instant::now() + std::time::Duration::from_millis(1500);
        while std::time::Instant::now() < until {
            watcher.sync();
        }
        eve.kill();
    });
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("report.bin queued 1st of 1, 0 s"), "{screen:?}");
    assert!(screen.contains("report.bin queued 1st of 1, 1 s"), "the time goes on: {screen:?}");
}

#[test]
fn nothing_is_drawn_where_there_is_no_terminal() {
    let server = Server::start(&[]);
    let alice = Person::member(&server, "alice");
    alice.write("f", &content(7, 1_000_000));
    let ran = alice.run("send", &["--shelf", "f"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.error.contains(['\x1b', '\r']) && ran.error.contains("* transfer "), "{ran:?}");
}
