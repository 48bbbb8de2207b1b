//! The log of a whole process: of this one, of which there is one, and of a real server that writes
//! it for programs.
#![cfg_attr(not(unix), allow(dead_code, unused_imports))] // a server is stopped by a signal

use parlor::facts::{ConnFact, RoomFact, TalkFact, TroubleFact};
use parlor::id::ConnId;
use parlor::logging::{self, Log, LogFormat};
use parlor::message::{RoomName, Text, UserName};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

#[path = "support/server.rs"]
mod server;

use server::{ANYWHERE, Running, parlor};

/// The lines of a file without their times, each of which must be one.
fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    text.lines()
        .map(|line| {
            let (time, rest) = line.split_at("[2025-05-31 14:02:42] ".len());
            let shape: String =
                time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            assert_eq!(shape, "[0000-00-00 00:00:00] ");
            rest.to_owned()
        })
        .collect()
}

#[test]
fn records_become_lines_survive_a_rotation_and_are_all_there_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (path, rotated) = (dir.path().join("parlor.log"), dir.path().join("parlor.log.1"));
    let log = Log::open(&path, log::LevelFilter::Info, LogFormat::Line).unwrap();
    assert!(Log::open(&path, log::LevelFilter::Info, LogFormat::Line).is_err());

    std::fs::rename(&path, &rotated).unwrap();
    logging::reopen();
    let alice = UserName::parse("alice").unwrap();
    let room = RoomName::parse("lobby").unwrap();
    let text = Text::parse("a secret".into(), 100).unwrap();
    logging::note(RoomFact::Left { user: alice, room, members: 0 }.into());
    logging::note(TalkFact::BroadcastText { from: alice, text }.into());
    logging::note(TroubleFact::WorkerTrouble { why: "two\nlines".to_owned() }.into());
    log::error!(target: "mio", "not ours");
    for number in 0..1000 {
        let conn = ConnId { slot: number, generation: 0 };
        logging::note(ConnFact::Connected { conn, peer: "here".into() }.into());
    }
    drop(log);
    logging::note(RoomFact::RoomGone { room }.into());

    let left = "[LEAVE] User 'alice' left room 'lobby' (0 clients remaining)";
    let mut expected = vec![left.to_owned(), "[ERROR] two\\nlines".to_owned()];
    expected.extend((0..1000).map(|number| format!("[CLIENT] c{number}.0 connected from here")));
    // What was logged about the time of the rotation may be on either side of it, but only once.
    let mut all = if rotated.metadata().unwrap().len() > 0 { lines(&rotated) } else { Vec::new() };
    all.extend(lines(&path));
    assert_eq!(all, expected);
    assert_eq!(logging::dropped(), 0);
}

/// Somebody with a socket.
struct Netcat(BufReader<TcpStream>);

impl Netcat {
    fn login(server: &Running, name: &str) -> Self {
        let socket = TcpStream::connect(server.addr).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut netcat = Self(BufReader::new(socket));
        netcat.ask(&format!("/login {name}"), "* welcome, ");
        netcat
    }

    /// Types a line and reads until a line has the words.
    fn ask(&mut self, line: &str, words: &str) {
        writeln!(self.0.get_mut(), "{line}").unwrap();
        self.read_until(words);
    }

    fn read_until(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "the server closed");
        }
    }
}

/// Whether an object has at least these fields with these values.
fn has(object: &Value, fields: &Value) -> bool {
    fields.as_object().unwrap().iter().all(|(key, value)| object.get(key) == Some(value))
}

/// Asks a server to stop, and reads its last words and its log.
#[cfg(unix)]
fn stop(mut server: Running, log: &Path) -> (String, Vec<Value>) {
    let pid = rustix::process::Pid::from_child(&server.child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let mut words = String::new();
    server.out.take().unwrap().read_to_string(&mut words).unwrap();
    assert!(server.child.wait().unwrap().success());
    let log = std::fs::read_to_string(log).unwrap();
    let object = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    (words, log.lines().map(object).collect())
}

/// Two talk in a room, a third hands one of them a file, who leaves then.
fn talk_and_hand_over(server: &Running, file: &Path) {
    let mut alice = Netcat::login(server, "alice");
    let mut bob = Netcat::login(server, "bob");
    bob.ask("/join testroom", "* you are in testroom: ");
    alice.ask("/join testroom", "* you are in testroom: ");
    alice.ask("/nonsense", "! unknown_op: unknown command");
    writeln!(alice.0.get_mut(), "a \"quoted\" \u{202e}text").unwrap();
    bob.read_until("[testroom] alice: ");
    writeln!(alice.0.get_mut(), "/whisper bob psst").unwrap();
    bob.read_until("alice whispers: psst");
    alice.ask("/whisper nobody psst", "! no_such_user: there is no user");
    std::fs::write(file, "12345").unwrap();
    let addr = server.addr.to_string();
    let sent = parlor().args(["send", &addr, "--user=carol", "--to=bob"]).arg(file).output();
    assert!(sent.unwrap().status.success());
    bob.ask("/exit", "* done");
}

#[cfg(unix)]
#[test]
fn a_program_can_read_in_the_log_what_happened() {
    let dir = tempfile::tempdir().unwrap();
    let (data, log) = (dir.path().join("data"), dir.path().join("data/parlor.log"));
    let options = ["--log-format=json", "--log-level=debug"];
    let server = Running::start(parlor(), ANYWHERE, &data, &options, None);
    talk_and_hand_over(&server, &dir.path().join("report.txt"));
    let addr = server.addr.to_string();

    let (words, objects) = stop(server, &log);
    let file = json!({"from": "carol", "to": {"user": "bob"}, "name": "report.txt", "size": 5});
    let mut rest = objects.iter();
    for (fields, about_file) in [
        (json!({"category": "SERVER", "event": "listening", "addresses": addr}), false),
        (json!({"category": "CLIENT", "event": "connected"}), false),
        (json!({"category": "LOGIN", "event": "logged_in", "user": "alice"}), false),
        (json!({"category": "LOGIN", "event": "logged_in", "user": "bob"}), false),
        (json!({"event": "room_made", "user": "bob", "room": "testroom"}), false),
        (json!({"event": "joined", "user": "bob", "room": "testroom", "members": 1}), false),
        (json!({"event": "joined", "user": "alice", "room": "testroom", "members": 2}), false),
        (json!({"event": "said", "level": "info", "from": "alice", "heard": 1}), false),
        (
            json!({"event": "said_text", "level": "debug", "text": "a \"quoted\" \u{202e}text"}),
            false,
        ),
        (json!({"event": "whispered", "from": "alice", "to": "bob", "bytes": 4}), false),
        (json!({"event": "whispered_text", "text": "psst"}), false),
        (
            json!({"event": "refused", "user": "alice", "op": "whisper", "code": "no_such_user"}),
            false,
        ),
        (json!({"event": "announced"}), true),
        (json!({"event": "admitted", "used": 1, "slots": 5}), true),
        (json!({"event": "received"}), true),
        (json!({"event": "upload_ended", "how": "stored", "used": 0}), true),
        (json!({"event": "left", "user": "bob", "room": "testroom"}), false),
        (json!({"event": "disconnected", "user": "bob", "reason": "exit"}), false),
        (json!({"category": "SHUTDOWN", "event": "stop_asked"}), false),
        (json!({"event": "stopping", "level": "info"}), false),
        (json!({"event": "stopped", "log_lines_dropped": 0, "rooms": 0}), false),
    ] {
        let is_it = |object: &&Value| has(object, &fields) && (!about_file || has(object, &file));
        assert!(rest.any(|object| is_it(&object)), "no {fields} in its place in {objects:#?}");
    }
    let conn = |event: &str| {
        let of = |object: &&Value| object["event"] == event;
        objects.iter().find(of).map(|object| object["conn"].as_str().unwrap())
    };
    assert!(conn("connected").is_some_and(|conn| conn.starts_with("c0.")));
    assert_eq!(conn("connected"), conn("logged_in"));
    let last = objects.last().unwrap();
    for key in ["requests", "deliveries"] {
        assert!(words.contains(&format!(" {key} {},", last[key])), "{words} but {last}");
    }
    let time = objects[0]["time"].as_str().unwrap();
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert!(shape.starts_with("0000-00-00T00:00:00.000") && shape.len() == 29, "{time}");
    assert!(shape.ends_with("+00:00") || shape.ends_with("-00:00"), "{time}");
}
