//! Where a server may listen besides an address of the network: a socket in the file system, and
//! the addresses of a name.

#![cfg(unix)]

use super::startup::complaint;
use super::support::{Server, Text, wait_for};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Logs in over a socket in the file system, as `nc -U` would.
fn greeted(path: &Path, name: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    write!(stream, "/login {name}\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines();
    lines.nth(1).unwrap().unwrap()
}

fn unix(path: &Path) -> String {
    format!("unix:{}", path.display())
}

#[test]
fn people_meet_over_a_socket_in_the_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("parlor.sock");
    let server = Server::start(&["--listen", &unix(&path)]);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660, "owner and group");
    let mut eve = Text::login(server.addr, "eve");
    eve.send("/join lobby");
    eve.wait("* you are in lobby");
    // The real client, and netcat.
    let mut say = super::running::parlor();
    say.args(["say", &unix(&path), "--user", "bob", "--room", "lobby", "hello"]);
    assert!(say.status().unwrap().success());
    eve.wait("[lobby] bob: hello");
    assert!(greeted(&path, "dora").starts_with("* welcome, dora"));
    let caller =
        format!("connected from this machine (user {})", rustix::process::getuid().as_raw());
    wait_for("the caller in the log", || server.log_from(0).contains(&caller).then_some(()));
    drop(eve);
    server.stop();
    assert!(!path.exists(), "it is removed at the end");
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_a_living_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("parlor.sock");
    drop(UnixListener::bind(&path).unwrap());
    let server = Server::start(&["--listen", &unix(&path)]);
    assert!(greeted(&path, "dora").starts_with("* welcome, dora"));
    let said = complaint(&["--listen", &unix(&path)], 1);
    assert!(said.contains("it is in use; stop the other program"), "{said}");
    assert!(greeted(&path, "eve").starts_with("* welcome, eve"), "the living one goes on");
    server.stop();
    std::fs::write(&path, "precious").unwrap();
    let said = complaint(&["--listen", &unix(&path)], 1);
    assert!(said.contains("something else has that name"), "{said}");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    let long = dir.path().join("x".repeat(200));
    let said = complaint(&["--listen", &unix(&long)], 1);
    assert!(said.contains("longer than 107 bytes"), "{said}");
    let below = dir.path().join("nowhere/parlor.sock");
    let said = complaint(&["--listen", &unix(&below)], 1);
    assert!(said.contains("the folder does not exist"), "{said}");
}

#[test]
fn a_name_stands_for_its_addresses() {
    let server = Server::start(&["--listen", "localhost:0"]);
    Text::login(server.addr, "eve");
    server.stop();
    // A name that there never is (RFC 6761).
    let said = complaint(&["--listen", "parlor.invalid:7575"], 1);
    assert!(said.starts_with("parlor: cannot listen on parlor.invalid:7575: "), "{said}");
}
