//! Starting, starting again, and running out of descriptors.

use crate::support::*;
use serde_json::json;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

#[test]
fn row_23_without_descriptors_newcomers_are_told_and_nobody_hangs() {
    let server = Server::start_with_descriptors(64, &["--connections", "1000"]);
    let mut healthy = Native::login(server.addr, "healthy");
    healthy.join("lobby");
    let clients: Vec<Text> = (0..200)
        .map(|_| {
            let mut stream = connect(server.addr);
            let _ = stream.write_all(b"/ping\n");
            Text::over(stream)
        })
        .collect();
    let (mut served, mut told) = (Vec::new(), 0);
    for mut client in clients {
        match client.line().as_deref() {
            Some(FULL) => {
                told += 1;
                assert_eq!(client.line(), None);
            }
            Some(_) => {
                assert_eq!(client.line().unwrap(), "* pong");
                served.push(client);
            }
            None => panic!("one was closed without a word"),
        }
    }
    assert!(served.len() > 20 && told > 100, "{} served, {told} told", served.len());
    assert_eq!(healthy.ask(json!({"op": "ping"}))["ok"], "pong");
    for client in &mut served {
        assert_eq!(client.ask("/ping"), "* pong");
    }
    // With all descriptors in use and nobody at the door, the server only looks now and then.
    let before = server.cpu_ms();
    served[0].assert_silent(Duration::from_secs(1));
    assert!(server.cpu_ms() - before <= 100, "{} ms", server.cpu_ms() - before);
    let troubles = server.log_from(0).matches("such troubles so far").count();
    assert!((1..=20).contains(&troubles), "{troubles} lines for {told} troubles");

    drop(served);
    server.wait_for_connections(1);
    let mut again: Vec<Text> =
        (0..20).map(|n| Text::login(server.addr, &format!("again{n}"))).collect();
    assert!(again.iter_mut().all(|client| client.ask("/ping") == "* pong"));
    drop((again, healthy));
    server.assert_empty();
    server.assert_idle();
    server.stop();
}

#[test]
fn row_23_the_listener_survives_running_out_again_and_again() {
    let server = Server::start_with_descriptors(40, &["--connections", "1000"]);
    for _ in 0..size(5, 100) {
        let mut clients: Vec<_> = (0..60).map(|_| Text::connect(server.addr)).collect();
        let told = clients
            .iter_mut()
            .map(|client| {
                let _ = client.stream().write_all(b"/ping\n");
                client.line().expect("a word to everybody")
            })
            .filter(|line| line == FULL)
            .count();
        assert!(told > 20, "{told} told");
        drop(clients);
        server.assert_empty();
    }
    assert_eq!(Text::connect(server.addr).ask("/ping"), "* pong");
    server.stop();
}

#[test]
fn row_24_connections_that_break_while_they_wait_at_the_door_harm_nobody() {
    let server = Server::start(&[]);
    let mut healthy = Native::login(server.addr, "healthy");
    for n in 0..size(2_000, 50_000) {
        // Aborted before, while or after it is accepted, as the scheduler likes.
        let mut stream = connect_from_many(server.addr);
        if n % 3 == 0 {
            stream.write_all(b"/ping\n").unwrap();
        }
        reset(stream);
        if n % 100 == 0 {
            assert_eq!(healthy.ask(json!({"op": "ping"}))["ok"], "pong");
        }
    }
    drop(healthy);
    server.assert_empty();
    server.assert_idle();
    server.stop();
}

/// Runs a server that cannot start; its complaint must be one line that says what to do.
pub(crate) fn complaint(args: &[&str], code: i32) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut command = parlor();
    command.arg("serve").args(args);
    if !args.contains(&"--data") {
        command.arg("--data").arg(dir.path());
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(output.stdout.is_empty());
    assert!(text.starts_with("parlor: ") && text.ends_with('\n'), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.contains("panicked") && !text.contains("Os {"), "{text}");
    text
}

#[test]
fn row_31_what_keeps_a_server_from_starting_is_said_in_one_line() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    let said = complaint(&["--listen", &taken.to_string()], 1);
    assert!(said.contains(&format!("port {} is in use; stop", taken.port())), "{said}");
    // One of several addresses is enough.
    let said = complaint(&["--listen", "127.0.0.1:0", "--listen", &taken.to_string()], 1);
    assert!(said.contains("is in use"), "{said}");
    // An address of documentation (RFC 5737), which no machine has.
    let said = complaint(&["--listen", "192.0.2.1:7575"], 1);
    assert!(said.contains("this machine does not have that address"), "{said}");
    let said = complaint(&["--listen", "lobby:door"], 78);
    assert!(said.contains("--listen"), "{said}");

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("data");
    let said = complaint(&["--listen", "127.0.0.1:0", "--data", below.to_str().unwrap()], 1);
    assert!(said.contains("cannot make the data folder"), "{said}");
    let data = dir.path().join("data");
    let (data, log) = (data.to_str().unwrap(), dir.path().to_str().unwrap());
    let said = complaint(&["--listen", "127.0.0.1:0", "--data", data, "--log", log], 1);
    assert!(said.contains("cannot open the log"), "{said}");
}

#[test]
fn row_32_a_restart_takes_its_port_back_at_once_and_shares_it_with_nobody() {
    let mut server = Server::start(&["--drain", "1s"]);
    let listen = server.addr.to_string();
    for n in 0..size(10, 100) {
        let mut clients: Vec<_> =
            (0..20).map(|i| Text::login(server.addr, &format!("u{i}"))).collect();
        let said = complaint(&["--listen", &listen], 1);
        assert!(said.contains(&format!("port {} is in use", server.port())), "{said}");
        // The server closes first, so that the ends on its side are what lingers in the system.
        let stopper = std::thread::spawn(move || server.stop());
        for client in &mut clients {
            client.wait("* bye: the server shuts down");
            assert_eq!(client.line(), None, "restart {n}");
        }
        drop(clients);
        stopper.join().unwrap();
        assert!(TcpStream::connect(&listen).is_err());
        server = Server::start_at(&listen, None, &["--drain", "1s"]);
    }
    server.stop();
}
