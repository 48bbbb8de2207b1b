//! Frames, lines and their content.

use crate::support::*;
use serde_json::{Value, json};
use std::io::Write;
use std::net::Shutdown;

#[test]
fn row_01_zero_length_frames_end_in_a_goodbye_after_three() {
    let server = Server::start(&[]);
    let mut client = Native::over(connect(server.addr));
    // A million of them in one write; the server may be gone before the last is out.
    let _ = client.stream.write_all(&vec![0; 4_000_000]);
    assert_eq!(client.event("hello")["limits"]["frame_before_login"], 1024);
    for _ in 0..3 {
        let answer = client.next().unwrap();
        assert_eq!(answer["re"], Value::Null);
        assert_eq!(answer["error"]["code"], "bad_request");
    }
    let bye = client.next().unwrap();
    assert_eq!((&bye["ev"], &bye["reason"]), (&json!("bye"), &json!("empty_frames")));
    assert_eq!(client.next(), None);
    assert_eq!(server.report().number("requests "), 3 + 1);
    assert!(server.peak_grown() < 2 * MIB, "{} bytes", server.peak_grown());
    server.assert_idle();
    drop(client);
    server.assert_empty();
    server.stop();
}

#[test]
fn row_02_huge_lengths_are_refused_at_the_header_and_nothing_is_allocated() {
    let server = Server::start(&[]);
    let hello = frame(&json!({"id": 1, "op": "hello", "version": 1}));
    let lengths = [u32::MAX, 1 << 31, (1 << 24) - 1, (1 << 31) - 1];
    let clients: Vec<Native> = (0..1000)
        .map(|n| {
            let mut client = Native::over(connect(server.addr));
            let bytes = [&hello[..], &lengths[n % lengths.len()].to_be_bytes()].concat();
            client.stream.write_all(&bytes).unwrap();
            client
        })
        .collect();
    for mut client in clients {
        let bye = client.event("bye");
        assert_eq!(bye["reason"], "frame_too_long");
        assert!(bye["text"].as_str().unwrap().contains("1024 before login"), "{bye}");
        assert_eq!(client.next(), None);
    }
    assert!(server.peak_grown() < 16 * MIB, "{} bytes", server.peak_grown());
    server.assert_empty();
    server.stop();
}

#[test]
fn row_03_a_frame_too_long_for_strangers_is_refused_before_its_body() {
    let server = Server::start(&[]);
    let clients: Vec<_> = (0..held(10_000))
        .map(|_| {
            let mut stream = connect(server.addr);
            // Allowed after login, not before.
            stream.write_all(&60_000_u32.to_be_bytes()).unwrap();
            Native::over(stream)
        })
        .collect();
    for mut client in clients {
        assert_eq!(client.event("bye")["reason"], "frame_too_long");
        assert_eq!(client.next(), None);
    }
    assert!(server.peak_grown() < 20 * MIB, "{} bytes", server.peak_grown());

    // The same frame is welcome from somebody with a name, and 64 KiB and one byte are not.
    let mut known = Native::login(server.addr, "known");
    let long = "x".repeat(60_000);
    let answer = known.ask(json!({"op": "say", "text": long}));
    assert_eq!(answer["error"]["code"], "not_in_room");
    known.stream.write_all(&65_537_u32.to_be_bytes()).unwrap();
    assert_eq!(known.event("bye")["reason"], "frame_too_long");
    server.assert_empty();
    server.stop();
}

/// Messages that would all be noticed, by whoever is in the room, if they were carried out.
fn noticeable(count: usize) -> Vec<Vec<u8>> {
    let bases = [
        json!({"op": "say", "text": "cut off"}),
        json!({"op": "say", "text": "cut off", "me": true}),
        json!({"op": "whisper", "user": "observer", "text": "cut off"}),
        json!({"op": "send_file", "user": "observer", "name": "f", "size": 0}),
        json!({"id": 7, "op": "join", "room": "elsewhere"}),
        json!({"id": 7, "op": "leave"}),
        json!({"op": "exit"}),
    ];
    (0..count)
        .map(|n| {
            let mut message = bases[n % bases.len()].clone();
            if n >= bases.len() {
                message["padding"] = "x".repeat(n).into();
            }
            frame(&message)
        })
        .collect()
}

#[test]
fn row_04_a_message_cut_off_at_any_byte_is_never_carried_out() {
    let server = Server::start(&[]);
    let mut observer = Native::login(server.addr, "observer");
    observer.join("lobby");
    let enter: Vec<u8> = [
        frame(&json!({"op": "login", "user": "mallory"})),
        frame(&json!({"op": "join", "room": "lobby"})),
    ]
    .concat();
    let mut cuts = 0;
    for sample in noticeable(size(8, 50)) {
        for end in 0..sample.len() {
            let mut stream = connect(server.addr);
            stream.write_all(&[&enter[..], &sample[..end]].concat()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let came = Frames::all(&read_rest(&mut stream));
            // Greeting, welcome, joined; no answer to the rest, and no last words to one who left.
            assert_eq!(came.len(), 3, "{end} of {}: {came:?}", sample.len());
            assert_eq!(observer.next().unwrap()["ev"], "joined");
            assert_eq!(observer.next().unwrap()["ev"], "left");
            cuts += 1;
        }
    }
    for line in ["/say cut off", "/whisper observer cut off", "/leave"] {
        for end in 0..=line.len() {
            let mut stream = connect(server.addr);
            let bytes = format!("/login mallory\n/join lobby\n{}", &line[..end]);
            stream.write_all(bytes.as_bytes()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let came = String::from_utf8(read_rest(&mut stream)).unwrap();
            assert!(came.ends_with("* you are in lobby: mallory, observer\r\n"), "{came}");
            assert_eq!(observer.next().unwrap()["ev"], "joined");
            assert_eq!(observer.next().unwrap()["ev"], "left");
            cuts += 1;
        }
    }
    assert!(cuts > 300, "{cuts}");
    assert_eq!(observer.ask(json!({"op": "who"}))["total"], 1);
    drop(observer);
    server.assert_empty();
    server.stop();
}

#[test]
fn row_05_any_split_of_the_bytes_gives_the_same_answers() {
    let server = Server::start(&[]);
    let native: Vec<u8> = [
        json!({"id": 1, "op": "hello", "version": 1}),
        json!({"id": 2, "op": "say", "text": "too early"}),
        json!({"id": 3, "op": "login", "user": "alice"}),
        json!({"id": 4, "op": "join", "room": "lobby"}),
        json!({"id": 5, "op": "say", "text": "hé\u{2028}llo \u{1f600}"}),
        json!({"id": 6, "op": "who"}),
        json!({"id": 7, "op": "nonsense"}),
        json!({"id": 8, "op": "exit"}),
    ]
    .iter()
    .flat_map(frame)
    .collect();
    let text = "/help\r\n/say x\n/login alice\n\n/join lobby\r\nhé \u{1f600}\n/who\n/exit\n";
    for stream in [&native[..], text.as_bytes()] {
        let whole = converse(&server, stream, stream.len());
        assert!(whole.len() > 400, "{}", String::from_utf8_lossy(&whole));
        for step in [1, 2, 3, 7, 64] {
            let came = converse(&server, stream, step);
            assert_eq!(without_token(&came), without_token(&whole), "steps of {step}");
        }
    }
    server.assert_empty();
    server.stop();
}

/// The same, but for the token of a login, which is never the same.
fn without_token(came: &[u8]) -> String {
    let came = String::from_utf8_lossy(came);
    match came.split_once("\"token\":\"") {
        None => came.into_owned(),
        Some((before, rest)) => {
            let (token, after) = rest.split_once('"').unwrap();
            assert_eq!(token.matches('.').count(), 4, "{token}");
            format!("{before}{after}")
        }
    }
}

/// Sends bytes in steps, each in a segment of its own, and reads to the end.
fn converse(server: &Server, bytes: &[u8], step: usize) -> Vec<u8> {
    let mut stream = connect(server.addr);
    for part in bytes.chunks(step) {
        stream.write_all(part).unwrap();
    }
    let came = read_rest(&mut stream);
    drop(stream);
    server.wait_for_connections(0);
    came
}

#[test]
fn row_06_ten_thousand_frames_in_one_write_are_all_answered_in_order() {
    let server = Server::start(&[]);
    let bytes: Vec<u8> = (1..=10_000_u64)
        .flat_map(|id| frame(&json!({"id": id, "op": if id % 2 == 0 { "ping" } else { "help" }})))
        .collect();
    let mut client = Native::over(connect(server.addr));
    let writer = write_beside(&client.stream, bytes, false);
    client.event("hello");
    for id in 1..=10_000_u64 {
        let answer = client.next().unwrap();
        assert_eq!(answer["re"], id, "{answer}");
        assert_eq!(answer["ok"], if id % 2 == 0 { "pong" } else { "help" });
    }
    writer.done();

    let lines = "/ping\n".repeat(10_000);
    let mut client = Text::connect(server.addr);
    let writer = write_beside(client.stream(), lines.into_bytes(), false);
    client.line().unwrap();
    for _ in 0..10_000 {
        assert_eq!(client.line().unwrap(), "* pong");
    }
    writer.done();
    server.assert_idle();
    server.stop();
}

#[test]
fn row_07_no_invalid_utf_8_is_ever_delivered() {
    let server = Server::start(&[]);
    let mut observer = Native::login(server.addr, "observer");
    observer.join("lobby");
    let pairs = || (0..=u16::MAX).map(u16::to_be_bytes);

    let mut lines = b"/login eve\n/join lobby\n".to_vec();
    let mut expected = Vec::new();
    for [a, b] in pairs().filter(|pair| !pair.contains(&b'\n')) {
        lines.extend_from_slice(&[&b"/say <"[..], &[a, b], b">\n"].concat());
        expected.extend(String::from_utf8(vec![b'<', a, b, b'>']).ok().filter(|text| is_fit(text)));
    }
    lines.extend_from_slice(b"/exit\n");
    let mut eve = Text::connect(server.addr);
    let writer = write_beside(eve.stream(), lines, false);
    let reader = std::thread::spawn(move || {
        let refused = std::iter::from_fn(|| eve.line()).filter(|line| line.starts_with("! "));
        refused.count()
    });
    for text in &expected {
        assert_eq!(observer.event("said")["text"], **text);
    }
    assert_eq!(observer.event("left")["user"], "eve");
    writer.done();
    let lines = 65_536 - 511;
    assert_eq!(reader.join().unwrap(), lines - expected.len());

    let mut frames = frame(&json!({"op": "login", "user": "eve"}));
    frames.extend(frame(&json!({"op": "join", "room": "lobby"})));
    let mut expected = Vec::new();
    for [a, b] in pairs() {
        let quoted = [b'"', b'<', a, b, b'>', b'"'];
        frames.extend(frame_raw(&[&br#"{"op":"say","text":"#[..], &quoted, b"}"].concat()));
        let text = serde_json::from_slice::<String>(&quoted).ok();
        expected.extend(text.filter(|text| is_fit(text)));
    }
    frames.extend(frame(&json!({"op": "exit"})));
    let mut eve = Native::over(connect(server.addr));
    let writer = write_beside(&eve.stream, frames, false);
    let reader = std::thread::spawn(move || {
        std::iter::from_fn(|| eve.next()).filter(|answer| answer["error"].is_object()).count()
    });
    for text in &expected {
        assert_eq!(observer.event("said")["text"], **text);
    }
    assert_eq!(observer.event("left")["user"], "eve");
    writer.done();
    assert_eq!(reader.join().unwrap(), 65_536 - expected.len());
    server.stop();
}

/// Line feed and tab are all that is allowed of controls.
fn is_fit(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t')
}

#[test]
fn row_08_a_line_end_in_a_field_starts_no_second_command() {
    let server = Server::start(&[]);
    let mut bob = Text::login(server.addr, "bob");
    bob.ask("/join lobby");
    let mut eve = Native::login(server.addr, "eve");
    for end in ["\r\n", "\n", "\r", "\0"] {
        let evil = format!("x{end}/exit{end}[lobby] bob: forged");
        for (field, code) in [
            (json!({"op": "join", "room": evil}), "bad_room_name"),
            (json!({"op": "whisper", "user": evil, "text": "x"}), "bad_user_name"),
            (json!({"op": "send_file", "user": "bob", "name": evil, "size": 1}), "bad_file_name"),
        ] {
            assert_eq!(eve.ask(field)["error"]["code"], code);
        }
    }
    eve.join("lobby");
    assert_eq!(eve.ask(json!({"op": "say", "text": "a\r\nb"}))["error"]["code"], "bad_text");
    assert_eq!(eve.ask(json!({"op": "say", "text": "a\n/exit\n[lobby] bob: b"}))["ok"], "heard");
    assert_eq!(bob.line().unwrap(), "[lobby] eve joined");
    assert_eq!(bob.line().unwrap(), "[lobby] eve: a\\n/exit\\n[lobby] bob: b");
    // Text lines end with a line feed; nothing else in them ends one.
    let mut mallory = Text::connect(server.addr);
    let refused = mallory.ask("/login mallory\r/join lobby\0/say x");
    assert!(refused.starts_with("! bad_"), "{refused}");
    assert_eq!(bob.ask("/who"), "* 2 in lobby: bob, eve");
    server.stop();
}

#[test]
fn row_15_other_protocols_get_one_clear_answer_and_run_no_command() {
    let server = Server::start(&[]);
    let before = server.report().number("requests ");
    let verbs = ["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"];
    let commands = "/login evil\r\n/join lobby\r\n/say pwned\r\n";
    for verb in verbs {
        let mut stream = connect(server.addr);
        let head = format!("{verb} /join HTTP/1.1\r\nHost: x\r\n\r\n{commands}");
        stream.write_all(head.as_bytes()).unwrap();
        let came = String::from_utf8(read_rest(&mut stream)).unwrap();
        assert!(came.starts_with("HTTP/1.1 40"), "{came}");
        assert_eq!(came.matches("HTTP/1.1 ").count(), 1, "{came}");
    }
    let served = before + verbs.len() as u64;
    let banners: [&[u8]; 19] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x80\x2e\x01\x03\x01\x00\x15",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"EHLO mail\r\n",
        b"HELO mail\r\n",
        b"USER anonymous\r\n",
        b"a1 LOGIN x y\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",
        b"AMQP\x00\x00\x09\x01",
        b"\x05\x01\x00",
        b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00",
        b"<?xml version='1.0'?><stream:stream>",
        b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",
        b"RFB 003.008\n",
        b"\xff\xfd\x01\xff\xfd\x1f",
        b"stats\r\n",
        b"\x13BitTorrent protocol",
    ];
    for opening in banners {
        let mut stream = connect(server.addr);
        stream.write_all(&[opening, commands.as_bytes()].concat()).unwrap();
        let came = String::from_utf8(read_rest(&mut stream)).unwrap();
        assert!(came.starts_with("parlor: unknown protocol; "), "{came}");
        assert_eq!(came.matches("\r\n").count(), 1, "{came}");
    }
    // Some protocols begin with a zero as our frames do; they come no further than the header.
    let nulls: [&[u8]; 3] = [
        b"\x00\x00\x00\x08\x04\xd2\x16\x2f", // PostgreSQL asks for TLS
        b"\x00\x00\x00\x54\xffSMBr\x00",     // SMB over NetBIOS
        b"\x00\x1d\xaa\xbb\x01\x00\x00\x01", // DNS over TCP
    ];
    for opening in nulls {
        let mut client = Native::over(connect(server.addr));
        client.stream.write_all(&[opening, commands.as_bytes()].concat()).unwrap();
        client.event("hello");
        assert_eq!(client.next().unwrap()["ev"], "bye");
        assert_eq!(client.next(), None);
    }
    let report = server.report();
    assert_eq!(report.number("requests "), served, "{}", report.0);
    assert!(!server.log_from(0).contains("evil"), "a command came through");
    server.assert_empty();
    server.stop();
}
