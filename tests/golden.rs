//! The bytes of every message, as they were the day they were written down.
//!
//! `golden/*.txt` holds one message a line: a name, its bytes in hex, and the same as text to read.
//! Each must be emitted byte for byte, be read back as what it was, and every prefix of it must
//! mean "more bytes". `GOLDEN_WRITE=1` writes the files anew, to be looked at before a commit.

use std::fmt::Write as _;
use std::path::Path;

use golden::messages;
use golden::splits;
use parlor::front::native;
use parlor::front::{Incoming, Voice, text};
use parlor::id::TransferId;
use parlor::limits::FRAME_MAX;
use parlor::wire::frame::{self, FrameError};
use parlor::wire::line;

mod golden {
    pub(crate) mod messages;
    pub(crate) mod splits;
}

/// Compares messages with a file of them, in their order.
fn compare(file: &str, messages: &[(String, Vec<u8>)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let mut written = String::new();
    for (name, bytes) in messages {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(written, "{name}\n  hex  {hex}\n  text {}", bytes.escape_ascii()).unwrap();
    }
    if std::env::var_os("GOLDEN_WRITE").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    for (ours, theirs) in written.lines().zip(golden.lines()) {
        assert_eq!(ours, theirs, "{file} has another message");
    }
    assert_eq!(written.lines().count(), golden.lines().count(), "{file} has more or fewer");
}

#[test]
fn what_clients_send_is_written_as_it_always_was() {
    let commands = messages::commands();
    let bytes = commands
        .iter()
        .map(|(name, command)| ((*name).to_owned(), native::emit_request(7, command).to_vec()));
    let mut all: Vec<_> = bytes.collect();
    all.push(("chunk".to_owned(), frame::emit_chunk(TransferId(7), b"abc").to_vec()));
    compare("native_client.txt", &all);
    for ((_, bytes), (name, command)) in all.iter().zip(&commands) {
        let read = native::parse(bytes, FRAME_MAX).unwrap().unwrap();
        let request = Incoming::Request { id: Some(7), command: Ok(command.clone()) };
        assert_eq!(read, (request, bytes.len()), "{name}");
    }
    for (name, bytes) in &all {
        for end in 0..bytes.len() {
            assert_eq!(native::parse(&bytes[..end], FRAME_MAX), Ok(None), "{name}, {end} bytes");
        }
    }
}

#[test]
fn what_the_server_sends_is_written_as_it_always_was() {
    let mut all = Vec::new();
    for (name, answer) in messages::answers() {
        let bytes = native::emit_answer(Some(7), &answer).to_vec();
        let answer = answer.map_err(|refusal| native::Problem::from(&refusal));
        all.push((name, bytes, native::FromServer::Answer { id: Some(7), answer }));
    }
    for (name, event) in messages::events() {
        let bytes = native::emit_event(&event).to_vec();
        all.push((name, bytes, native::FromServer::Event(event)));
    }
    let bytes: Vec<_> = all.iter().map(|(name, bytes, _)| (name.clone(), bytes.clone())).collect();
    compare("native_server.txt", &bytes);
    for (name, bytes, message) in all {
        let read = native::parse_server(&bytes, FRAME_MAX);
        assert_eq!(read, Ok(Some((message, bytes.len()))), "{name}");
        for end in 0..bytes.len() {
            let part = native::parse_server(&bytes[..end], FRAME_MAX);
            assert_eq!(part, Ok(None), "{name}, {end} bytes");
        }
    }
}

#[test]
fn what_people_with_netcat_read_is_written_as_it_always_was() {
    let answers = messages::answers().into_iter();
    let answers = answers.map(|(name, answer)| (name, text::emit_answer(&answer).to_vec()));
    let events = messages::events().into_iter();
    let events = events.map(|(name, event)| (name, text::emit_event(&event).to_vec()));
    let chunk = ("chunk".to_owned(), text::emit_chunk(TransferId(7), b"abc").to_vec());
    let all: Vec<_> = answers.chain(events).chain([chunk]).collect();
    compare("text_server.txt", &all);
    for (name, bytes) in all {
        assert!(bytes.ends_with(b"\r\n"), "{name}");
        let (_, taken) = line::parse(&bytes, 0, FRAME_MAX).unwrap().unwrap();
        for end in 0..taken {
            assert_eq!(line::parse(&bytes[..end], 0, FRAME_MAX), Ok(None), "{name}, {end} bytes");
        }
    }
}

#[test]
fn what_is_malformed_is_refused_as_it_always_was() {
    let golden = include_str!("golden/malformed.txt");
    let lines = golden.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for (count, line) in lines.enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[hex, ref error @ ..] = words.as_slice() else { panic!("{line}") };
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        let expected = match *error {
            ["too_long", announced] => {
                FrameError::TooLong { announced: announced.parse().unwrap(), max: 1024 }
            }
            ["unknown_kind", kind] => FrameError::UnknownKind(kind.parse().unwrap()),
            ["short_chunk", len] => FrameError::ShortChunk(len.parse().unwrap()),
            _ => panic!("{line}"),
        };
        assert_eq!(frame::parse(&bytes, 1024), Err(expected), "line {count}: {line}");
        let before = &bytes[..bytes.len() - 1];
        assert_eq!(frame::parse(before, 1024), Ok(None), "line {count} is judged too early");
    }
}

#[test]
fn row_5_every_split_of_a_stream_of_frames_is_the_same_as_the_whole() {
    splits::check(&splits::native_stream());
}

#[test]
fn row_5_every_split_of_a_stream_of_lines_is_the_same_as_the_whole() {
    splits::check(&splits::text_stream());
}

#[test]
fn row_5_streams_that_break_off_are_cut_at_the_same_place_however_they_are_split() {
    for ending in [&b"\0\0\0\x05\x07haha"[..], b"\0\xff\xff\xff", b"\0\0\0\0\0\0\0\0\0\0\0\0"] {
        splits::check(&[&splits::native_stream()[..], ending].concat());
    }
    splits::check(&[&b"/login bob\r\n/join x\r\n"[..], &[b'x'; 2_000]].concat());
    splits::check(&[b'/'; 1_100]);
}

#[test]
fn both_protocols_are_in_the_files() {
    assert_eq!(Voice::COUNT, 2);
}
