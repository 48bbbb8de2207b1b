//! One stream, cut in two at every place and byte by byte, into an engine each time.

use parlor::engine::{Engine, Input, Output, Setup};
use parlor::front::native::emit_request;
use parlor::id::{ConnId, Now, Source, TransferId};
use parlor::limits::{Limits, WRITE_BATCH};
use parlor::message::{Announced, ClientTraits, Command};
use parlor::wire::frame;

const LISTENER: ConnId = ConnId { slot: 0, generation: 1 };
const SPEAKER: ConnId = ConnId { slot: 1, generation: 2 };
const NOW: Now = Now { mono_ms: 0, wall_ms: 1_700_000_000_000 };

pub(crate) fn native_stream() -> Vec<u8> {
    let transfer = TransferId(1);
    let file = Announced { name: "a b.txt".into(), size: 6, hash: None, again: false };
    let commands = [
        Command::Hello { version: 1, about: ClientTraits::default() },
        Command::guest("bob"),
        Command::Join { room: "lobby".into(), open: false },
        Command::Say { text: "h\u{e9} \u{1f600}\n\"there\"".into(), me: false, room: None },
        Command::SendFile { user: Some("alice".into()), room: None, file },
        Command::Whisper { user: "alice".into(), text: "psst".into() },
    ];
    let mut stream = Vec::new();
    for (id, command) in (1..).zip(&commands) {
        stream.extend_from_slice(&emit_request(id, command));
    }
    stream.extend_from_slice(&frame::emit_chunk(transfer, b"abc"));
    stream.extend_from_slice(&[0, 0, 0, 0]);
    stream.extend_from_slice(&frame::emit_chunk(transfer, b"def"));
    stream.extend_from_slice(b"\0\0\0\x07\x01{\"id\":");
    stream.extend_from_slice(&emit_request(9, &Command::Queue));
    stream
}

pub(crate) fn text_stream() -> Vec<u8> {
    let lines = "/login bob\r\n/join lobby\n\r\n/say h\u{e9} \u{1f600}\r\nplain words\n\
                 /sendfile a b.txt alice 6\r\n/chunk 1 YWJj\r\n/nonsense\r\n/chunk 1 ZGVm\n\
                 /whisper alice psst\r\n/queue\r\n/hel";
    let mut stream = lines.as_bytes().to_vec();
    stream.extend_from_slice(b"\xff\xfe\r\n/exit\r\n");
    stream
}

/// Panics when some way of cutting the stream gives other bytes than the whole.
pub(crate) fn check(stream: &[u8]) {
    let whole = outcome(&[stream]);
    assert!(whole.speaker.len() > 20, "the stream leads to nothing");
    for at in 1..stream.len() {
        let (one, other) = stream.split_at(at);
        assert_eq!(outcome(&[one, other]), whole, "cut after {at} bytes");
    }
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(outcome(&bytes), whole, "byte by byte");
}

/// All that both connections were sent, and what else the engine wanted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    speaker: String,
    listener: String,
    closed: bool,
    half_closed: bool,
}

fn outcome(parts: &[&[u8]]) -> Seen {
    let limits = Limits { presence_users: 0, ..Limits::default() };
    let mut engine = Engine::new(Setup { server: "golden".to_owned(), limits, ..Setup::default() });
    let mut seen = Seen::default();
    for conn in [LISTENER, SPEAKER] {
        engine.handle(NOW, Input::Opened { conn, source: Source::THIS_MACHINE, peer: "a test" });
    }
    feed(&mut engine, LISTENER, b"/login alice\r\n/join lobby\r\n");
    for part in parts {
        feed(&mut engine, SPEAKER, part);
    }
    engine.handle(NOW, Input::Turn);
    while let Some(output) = engine.poll_output() {
        seen.closed |= output == Output::Close(SPEAKER);
    }
    seen.listener = sent(&mut engine, LISTENER);
    seen.speaker = sent(&mut engine, SPEAKER);
    while let Some(output) = engine.poll_output() {
        seen.half_closed |= output == Output::HalfClose(SPEAKER);
    }
    engine.check_invariants();
    seen
}

/// Feeds a part. Jobs are left to a worker that never answers, so that all ways are at one moment.
fn feed(engine: &mut Engine, conn: ConnId, bytes: &[u8]) {
    engine.handle(NOW, Input::Bytes { conn, bytes });
    engine.check_invariants();
}

fn sent(engine: &mut Engine, conn: ConnId) -> String {
    let mut bytes = Vec::new();
    while let Some(outbox) = engine.outbox(conn).filter(|outbox| !outbox.is_empty()) {
        let mut slices = [std::io::IoSlice::new(&[]); WRITE_BATCH];
        let count = outbox.gather(&mut slices);
        let before = bytes.len();
        slices[..count].iter().for_each(|slice| bytes.extend_from_slice(slice));
        let written = bytes.len() - before;
        engine.handle_written(NOW, conn, written, true);
    }
    bytes.escape_ascii().to_string()
}
