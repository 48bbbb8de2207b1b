//! Scenario 7: SIGINT with clients connected; and the exit codes of the client.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use rustix::process::Signal;

use crate::support::{Chat, Lines, Server, Text, Way, frame, read_until};

#[test]
fn at_sigint_every_client_is_told_and_everybody_ends() {
    sigint(Way::Client);
}

#[test]
fn at_sigint_everybody_with_text_lines_is_told_and_the_server_ends() {
    sigint(Way::Lines);
}

fn sigint(way: Way) {
    let server = Server::start(&[]);
    let mut people: Vec<_> = (0..10).map(|n| server.person(way, &format!("user{n}"))).collect();
    for person in &mut people[..5] {
        person.join("lobby");
    }
    let mut nameless = Text::connect(server.addr(), "nameless");
    nameless.type_line("/ping");
    nameless.lines.expect("* pong");
    people[0].sync();

    server.signal(Signal::INT);

    for person in &mut people {
        person.expect("* bye: the server shuts down; you may come back");
        person.expect_end(4);
    }
    nameless.lines.expect("* bye: the server shuts down");
    nameless.lines.expect_end();
    drop((people, nameless));
    let log = server.stopped();
    assert!(log.iter().any(|line| line.contains("] [SHUTDOWN] saying goodbye to 11 connections")));
    let gone = log.iter().filter(|line| line.contains("[DISCONNECT]"));
    assert_eq!(gone.filter(|line| line.ends_with(": the server shuts down")).count(), 11);
}

/// What of a talk waits for somebody who did not read is his before the server ends.
#[test]
fn at_sigint_what_waits_is_delivered_before_the_end() {
    let server = Server::start(&PATIENT);
    let deaf = talk_to_the_deaf(&server);
    let mut hears = Lines::read("deaf", vec![Box::new(deaf)]);
    hears.expect("* bye: the server shuts down");
    hears.expect_end();
    assert_eq!(hears.all("[lobby] talker: xxx").len(), TALK);
    server.stopped();
}

/// Somebody who reads nothing keeps the server from ending for as long as it may drain, which is
/// an hour here.
#[test]
fn a_second_sigint_ends_the_server_at_once() {
    let server = Server::start(&PATIENT);
    let deaf = talk_to_the_deaf(&server);
    server.signal(Signal::INT);
    server.stopped();
    drop(deaf);
}

/// Who comes while it drains is told why nobody is let in, and keeps nobody from ending.
#[test]
fn whoever_comes_after_sigint_is_told_so_and_not_waited_for() {
    let mut options = PATIENT.to_vec();
    options.extend(["--first-byte-before", "1h"]);
    let server = Server::start(&options);
    let deaf = talk_to_the_deaf(&server);
    let mut late = Text::connect(server.addr(), "late");
    late.type_line("/login late");
    late.lines.expect("* bye: the server shuts down; you may come back");
    late.lines.expect_end();
    for (path, status) in [("healthz", "200 OK"), ("readyz", "503 Service Unavailable")] {
        let mut probe = TcpStream::connect(server.addr()).unwrap();
        write!(probe, "GET /{path} HTTP/1.1\r\n\r\n").unwrap();
        let mut answer = String::new();
        probe.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
    }
    let silent = TcpStream::connect(server.addr()).unwrap();
    let mut hears = Lines::read("deaf", vec![Box::new(deaf)]);
    hears.expect("* bye: the server shuts down");
    hears.expect_end();
    drop(hears);
    server.stopped();
    drop(silent);
}

/// Limits of a server that waits for who does not read.
const PATIENT: [&str; 8] =
    ["--drain", "1h", "--output-soft", "64MiB", "--output-hard", "128MiB", "--message-rate", "0"];
/// Messages of 4,000 bytes: far more than the system keeps for a socket that is not read.
const TALK: usize = 4000;

/// Somebody who has not read a word of what was said, on a server that was just asked to stop and
/// has told everybody else.
fn talk_to_the_deaf(server: &Server) -> TcpStream {
    let mut talker = server.person(Way::Client, "talker");
    talker.join("lobby");
    let deaf = deaf(&server.addr().parse().unwrap());
    talker.expect("[lobby] deaf joined");
    let text = "x".repeat(4000);
    for _ in 0..TALK {
        talker.type_line(&text);
    }
    talker.sync();
    server.signal(Signal::INT);
    talker.expect("* bye: the server shuts down");
    talker.expect_end(4);
    deaf
}

fn deaf(addr: &SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&(*addr).into()).unwrap();
    let mut socket = TcpStream::from(socket);
    socket.write_all(b"/login deaf\n/join lobby\n").unwrap();
    socket
}

#[test]
fn who_did_all_that_was_asked_exits_with_0() {
    let server = Server::start(&[]);
    let mut bob = server.person(Way::Lines, "bob");
    let mut alice = Chat::start(server.addr(), &["--user", "alice"]);
    alice.type_line("/whisper bob hello");
    alice.type_line("/exit");
    assert_eq!(alice.expect_exit(), Some(0));
    bob.expect("alice whispers: hello");
    // The end of its input is a goodbye as well, once all is done that was asked before.
    let mut alice = Chat::start(server.addr(), &["--user", "alice"]);
    std::fs::write(alice.dir().join("minutes.pdf"), "minutes").unwrap();
    alice.type_line("/whisper bob hello again");
    alice.type_line("/sendfile minutes.pdf bob");
    alice.end_input();
    bob.expect("alice whispers: hello again");
    let offer = bob.offer();
    assert_eq!(bob.take(&offer).0, b"minutes");
    assert_eq!(alice.expect_exit(), Some(0));
    server.stop();
}

/// Somebody who has told a client to leave, in one way or another, has not been refused anything.
#[test]
fn a_client_that_is_told_to_end_says_goodbye_and_exits_with_0() {
    let server = Server::start(&[]);
    let mut bob = server.person(Way::Lines, "bob");
    bob.join("lobby");
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut alice = Chat::start(server.addr(), &["--user", "alice"]);
        alice.type_line("/join lobby");
        alice.lines.expect("* you are in lobby: ");
        alice.signal(signal);
        alice.lines.expect("* bye: goodbye");
        assert_eq!(alice.expect_exit(), Some(0), "{signal:?}");
        bob.expect("[lobby] alice left");
    }
    let log = server.stop();
    let left = log.iter().filter(|line| line.contains("[DISCONNECT] alice"));
    assert_eq!(left.filter(|line| line.contains("goodbye")).count(), 3, "{log:#?}");
}

/// A server that never answers does not keep it.
#[test]
fn a_second_signal_ends_a_client_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut chat = Chat::start(&listener.local_addr().unwrap().to_string(), &["--user", "alice"]);
    let (mut socket, _) = listener.accept().unwrap();
    read_until(&mut socket, "login");
    chat.signal(Signal::INT);
    read_until(&mut socket, "exit");
    chat.signal(Signal::TERM);
    assert_eq!(chat.expect_exit(), Some(128 + 15));
}

/// However a client ends, what it has of a file stays under a name that says so, and the next one
/// continues from there. The server here answers nothing else.
#[test]
fn half_a_file_outlives_its_client_and_the_next_one_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = ["--user", "bob", "--accept-files", folder.path().to_str().unwrap()];
    let content = b"abcdefghij";
    let hash = blake3::hash(content).to_string();
    let line = format!(
        r#""transfer":7,"from":"alice","to":{{"user":"bob"}},"name":"f.bin","size":10,"hash":"{hash}","sha256":"{hash}","at":0,"until":1"#
    );
    let part = folder.path().join(format!("f.bin.{}.part", &hash[..16]));
    let ends = [Some((Signal::KILL, None)), Some((Signal::TERM, 1.into())), None];
    for (had, end) in [0, 3, 6].into_iter().zip(ends) {
        let mut chat = Chat::start(&listener.local_addr().unwrap().to_string(), &options);
        let (mut socket, _) = listener.accept().unwrap();
        let hello = r#"{"ev":"hello","protocol":1,"server":"parlor","limits":{}}"#;
        socket.write_all(&frame(hello)).unwrap();
        read_until(&mut socket, "login");
        socket.write_all(&frame(r#"{"re":2,"ok":"welcome","user":"bob"}"#)).unwrap();
        socket.write_all(&frame(&format!(r#"{{"ev":"offered",{line}}}"#))).unwrap();
        let offset = if had > 0 { format!(r#""offset":{had}"#) } else { "get".to_owned() };
        read_until(&mut socket, &offset);
        let getting = format!(r#"{{"re":3,"ok":"getting",{line},"offset":{had}}}"#);
        socket.write_all(&frame(&getting)).unwrap();
        let until = if end.is_some() { had + 3 } else { content.len() };
        let mut chunk = vec![0, 0, 0, u8::try_from(until - had).unwrap() + 5, 2, 0, 0, 0, 7];
        chunk.extend_from_slice(&content[had..until]);
        socket.write_all(&chunk).unwrap();
        match end {
            Some((signal, code)) => {
                wait_until(|| std::fs::read(&part).is_ok_and(|half| half == content[..until]));
                chat.signal(signal);
                if code.is_some() {
                    read_until(&mut socket, "exit");
                }
                drop(socket);
                assert_eq!(chat.expect_exit(), code);
                assert_eq!(std::fs::read(&part).unwrap(), content[..until], "{signal:?}");
            }
            None => {
                read_until(&mut socket, "received");
                assert_eq!(std::fs::read(folder.path().join("f.bin")).unwrap(), content);
                assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
                chat.kill();
            }
        }
    }
}

/// Looks again and again, within bounds, until it is so.
fn wait_until(is_so: impl Fn() -> bool) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !is_so() {
        assert!(std::time::Instant::now() < until, "it is not so within 20 s");
        std::thread::yield_now();
    }
}

#[test]
fn who_finds_no_server_or_loses_it_exits_with_1() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let mut chat = Chat::start(&addr, &["--user", "alice"]);
    chat.lines.expect(&format!("parlor: cannot connect to {addr}: connection refused"));
    assert_eq!(chat.expect_exit(), Some(1));

    let server = Server::start(&[]);
    let mut chat = Chat::start(server.addr(), &["--user", "alice"]);
    chat.lines.expect("* welcome, alice");
    server.signal(Signal::KILL);
    chat.lines.expect("parlor: the ");
    assert_eq!(chat.expect_exit(), Some(1));
}

#[test]
fn who_was_refused_something_exits_with_3() {
    let server = Server::start(&[]);
    let mut chat = Chat::start(server.addr(), &["--user", "alice"]);
    chat.type_line("hello?");
    chat.type_line("/exit");
    chat.lines.expect("! you are in no room");
    assert_eq!(chat.expect_exit(), Some(3));
    server.stop();
}

#[test]
fn who_is_sent_away_exits_with_4() {
    let server = Server::start(&["--login-before", "100ms"]);
    let mut chat = Chat::start(server.addr(), &[]);
    chat.lines.expect("* who are you?");
    chat.lines.expect("* bye: no login in time");
    assert_eq!(chat.expect_exit(), Some(4));
    server.stop();
}
