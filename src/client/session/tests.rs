//! The session against crafted bytes: what it answers, and that no split of them matters.

use super::*;
use crate::front::{Front, Incoming, TRUSTED};
use crate::limits::Limits;
use crate::message::{CloseReason, Refusal, RoomName, Text, UserName};
use proptest::prelude::*;

/// What the session has to send, as the server reads it; it counts as sent.
fn requests(session: &mut ClientSession) -> Vec<(u64, Op)> {
    let mut ops = Vec::new();
    while let Some((message, taken)) = Front::Native.read(session.outgoing(), TRUSTED).unwrap() {
        let Incoming::Request { id: Some(id), command: Ok(command) } = message else {
            panic!("not a request: {message:?}");
        };
        ops.push((id, command.op()));
        session.sent(taken);
    }
    assert!(session.outgoing().is_empty());
    ops
}

fn events(session: &mut ClientSession) -> Vec<ClientEvent> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

fn greeting() -> Event {
    let limits = Greeting::new(&Limits::default());
    Event::Hello { protocol: 1, server: "parlor".to_owned(), limits }
}

fn said(text: &str) -> Event {
    Event::Said {
        room: RoomName::parse("lobby").unwrap(),
        from: UserName::parse("alice").unwrap(),
        text: Text::parse(text.into(), 64).unwrap(),
        me: false,
        at: 5,
        own: false,
    }
}

#[test]
fn the_first_request_is_hello_and_ids_ascend() {
    let mut session = ClientSession::new();
    assert_eq!(session.request(Command::guest("alice")), 2);
    assert_eq!(requests(&mut session), [(1, Op::Hello), (2, Op::Login)]);
    assert_eq!(session.pending(), 2);
}

#[test]
fn an_answer_names_what_was_asked_and_comes_once() {
    let mut session = ClientSession::new();
    session.request(Command::Leave { room: None });
    let no = native::emit_answer(Some(2), &Err(Refusal::NotInRoom));
    session.handle_bytes(&no).unwrap();
    session.handle_bytes(&no).unwrap();
    session.handle_bytes(&native::emit_answer(Some(99), &Ok(Reply::Done))).unwrap();
    session.handle_bytes(&native::emit_answer(None, &Ok(Reply::Done))).unwrap();
    let events = events(&mut session);
    assert!(
        matches!(&events[..], [ClientEvent::Answered { id: 2, op: Op::Leave, answer: Err(problem) }]
            if problem.code == "not_in_room"),
        "{events:?}"
    );
    assert_eq!(session.pending(), 1);
}

#[test]
fn a_ping_is_answered_once_and_the_answer_to_that_is_swallowed() {
    let mut session = ClientSession::new();
    let ping = native::emit_event(&Event::Ping);
    for _ in 0..3 {
        session.handle_bytes(&ping).unwrap();
    }
    assert_eq!(requests(&mut session), [(1, Op::Hello), (2, Op::Ping)]);
    session.handle_bytes(&native::emit_answer(Some(2), &Ok(Reply::Pong))).unwrap();
    assert_eq!(events(&mut session), []);
    session.handle_bytes(&ping).unwrap();
    assert_eq!(requests(&mut session), [(3, Op::Ping)]);
    assert_eq!(session.pending(), 1, "hello alone");
}

#[test]
fn a_ping_that_was_asked_for_is_answered_to_who_asked() {
    let mut session = ClientSession::new();
    let id = session.request(Command::Ping);
    session.handle_bytes(&native::emit_answer(Some(id), &Ok(Reply::Pong))).unwrap();
    let pong = ClientEvent::Answered { id, op: Op::Ping, answer: Ok(Reply::Pong) };
    assert_eq!(events(&mut session), [pong]);
}

#[test]
fn a_line_instead_of_frames_is_a_refusal_in_words() {
    for line in [&b"parlor: the server is full\r\nmore"[..], b"parlor: the server is full"] {
        let mut session = ClientSession::new();
        for byte in line.chunks(1) {
            session.handle_bytes(byte).unwrap();
        }
        session.handle_end();
        let refused = ClientEvent::Refused("parlor: the server is full".to_owned());
        assert_eq!(events(&mut session), [refused]);
    }
}

#[test]
fn a_line_without_an_end_is_kept_up_to_its_bound() {
    let mut session = ClientSession::new();
    for _ in 0..100 {
        session.handle_bytes(&[b'x'; 100]).unwrap();
    }
    let refused = ClientEvent::Refused("x".repeat(REFUSAL_LINE_MAX));
    assert_eq!(events(&mut session), [refused]);
}

#[test]
fn a_stream_that_cannot_be_followed_stays_broken() {
    let mut session = ClientSession::new();
    session.handle_bytes(&native::emit_event(&greeting())).unwrap();
    assert!(session.handle_bytes(&[0, 0xff, 0, 0]).is_err());
    assert!(session.handle_bytes(&native::emit_event(&said("hi"))).is_err());
    assert!(matches!(events(&mut session)[..], [ClientEvent::Greeted { .. }]));
}

#[test]
fn a_long_part_goes_in_frames_of_the_longest_chunk() {
    let mut session = ClientSession::new();
    requests(&mut session);
    session.send_chunk(TransferId(7), &vec![9; CHUNK_MAX + 1]);
    assert_eq!(session.outgoing().len(), CHUNK_MAX + 1 + 2 * 9);
}

fn server_bytes(broken: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&native::emit_event(&greeting()));
    bytes.extend_from_slice(&native::emit_answer(Some(1), &Ok(Reply::Done)));
    bytes.extend_from_slice(&native::emit_event(&said("one")));
    bytes.extend_from_slice(&native::emit_event(&Event::Ping));
    bytes.extend_from_slice(&frame::emit_chunk(TransferId(7), &[1; 300]));
    bytes.extend_from_slice(&[0, 0, 0, 0]);
    let bye = Event::Bye { reason: CloseReason::Shutdown, back: true, missed: 0 };
    bytes.extend_from_slice(&native::emit_event(&bye));
    if broken {
        bytes.extend_from_slice(&[0, 0, 0, 5, 9, 0, 0, 0, 0]);
        bytes.extend_from_slice(&native::emit_event(&said("never")));
    }
    bytes
}

/// Events, what is to be sent, and how it ended.
fn outcome(bytes: &[u8], cuts: &[usize]) -> (Vec<ClientEvent>, Vec<u8>, bool) {
    let mut session = ClientSession::new();
    let (mut seen, mut start, mut broken) = (Vec::new(), 0, false);
    for &end in cuts.iter().chain([&bytes.len()]) {
        broken |= session.handle_bytes(&bytes[start..end]).is_err();
        seen.extend(events(&mut session));
        start = end;
    }
    session.handle_end();
    seen.extend(events(&mut session));
    (seen, session.outgoing().to_vec(), broken)
}

#[test]
fn every_cut_in_two_and_byte_by_byte_give_the_same_result() {
    for bytes in [server_bytes(false), server_bytes(true), b"parlor: full\nrest".to_vec()] {
        let whole = outcome(&bytes, &[]);
        for cut in 0..=bytes.len() {
            assert_eq!(outcome(&bytes, &[cut]), whole, "cut at {cut}");
        }
        let all: Vec<usize> = (0..bytes.len()).collect();
        assert_eq!(outcome(&bytes, &all), whole);
    }
}

proptest! {
    #[test]
    fn every_split_gives_the_same_result(
        broken: bool,
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let bytes = server_bytes(broken);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.sort_unstable();
        prop_assert_eq!(outcome(&bytes, &cuts), outcome(&bytes, &[]));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        outcome(&bytes, &[]);
        let framed = frame::emit_json(0, |out| out.extend_from_slice(&bytes));
        outcome(&framed, &[]);
    }
}
