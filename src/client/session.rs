//! PURE. One connection as its client sees it: requests in, frames out; bytes in, events out.
//!
//! Knows neither socket nor clock nor who looks at it: the terminal, a load test and a test in
//! memory drive the same type. The contract: after each `handle_*`, take [`Session::poll_event`]
//! until there is none, and write [`Session::outgoing`] when the socket takes it. The rule it
//! keeps: however the server's bytes are split, the same events come out, and what is kept of them
//! between two calls is less than one frame.

use std::collections::VecDeque;

use bytes::{Buf as _, BytesMut};

use crate::front::PROTOCOL_VERSION;
use crate::front::native::{self, FromServer, Problem};
use crate::id::TransferId;
use crate::limits::{CHUNK_MAX, FRAME_MAX};
use crate::message::{Command, Event, Greeting, Op, Reply};
use crate::wire::frame::{self, FrameError};

/// Longest line in bytes that is kept of a server that does not answer in frames.
const REFUSAL_LINE_MAX: usize = 512;

/// What happened on the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The server's greeting.
    Greeted {
        /// Version of the protocol that the server speaks.
        protocol: u32,
        /// The server's name and version; untrusted.
        server: String,
        /// Every limit that this client will meet.
        limits: Greeting,
    },
    /// The outcome of a request; each gets exactly one.
    Answered {
        /// What [`Session::request`] returned.
        id: u64,
        /// What was asked.
        op: Op,
        /// The reply, or why there is none.
        answer: Result<Reply, Problem>,
    },
    /// Anything that was not asked for, except the greeting and the heartbeat.
    Event(Event),
    /// A part of a file.
    Chunk {
        /// Of which transfer.
        transfer: TransferId,
        /// The part.
        bytes: Vec<u8>,
    },
    /// The server turned this connection away in words, before any frame; nothing follows. The
    /// line is untrusted and without its end.
    Refused(String),
}

/// The client's side of one connection.
#[derive(Debug)]
pub struct Session {
    stream: Stream,
    tail: Vec<u8>,
    events: VecDeque<ClientEvent>,
    outgoing: BytesMut,
    /// Requests without an answer; ids ascend.
    pending: VecDeque<(u64, Op)>,
    /// The sign of life that was sent on the server's demand and has no answer yet. There is at
    /// most one, so that a server that only asks cannot fill our memory.
    heartbeat: Option<u64>,
    last_id: u64,
}

/// What the server's bytes are.
#[derive(Clone, Copy, Debug)]
enum Stream {
    Unopened,
    Frames,
    Line,
    Refused,
    Broken(FrameError),
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// A session that has just been connected. Its first request, `hello`, is under way already;
    /// its answer comes as any other.
    #[must_use]
    pub fn new() -> Self {
        let mut session = Self {
            stream: Stream::Unopened,
            tail: Vec::new(),
            events: VecDeque::new(),
            outgoing: BytesMut::new(),
            pending: VecDeque::new(),
            heartbeat: None,
            last_id: 0,
        };
        session.request(Command::Hello { version: PROTOCOL_VERSION });
        session
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn outgoing(&self) -> &[u8] {
        &self.outgoing
    }

    /// Requests that wait for their answer, heartbeats not counted.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Asks for something; the id comes back with its answer.
    #[allow(clippy::needless_pass_by_value)] // a request is spent when it is asked
    pub fn request(&mut self, command: Command<'_>) -> u64 {
        let id = self.emit(&command);
        self.pending.push_back((id, command.op()));
        id
    }

    /// Sends a part of an upload; a part of more than [`CHUNK_MAX`] bytes goes in several frames.
    pub fn send_chunk(&mut self, transfer: TransferId, bytes: &[u8]) {
        for part in bytes.chunks(CHUNK_MAX) {
            self.outgoing.extend_from_slice(&frame::emit_chunk(transfer, part));
        }
    }

    /// The socket has taken the first `count` bytes of [`Session::outgoing`].
    pub fn sent(&mut self, count: usize) {
        self.outgoing.advance(count.min(self.outgoing.len()));
    }

    /// Takes in what the server sent.
    ///
    /// # Errors
    /// [`FrameError`] when the stream cannot be followed any further. Events from before the fault
    /// can still be taken; every later call fails in the same way.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        if let (Stream::Unopened, Some(first)) = (self.stream, bytes.first()) {
            self.stream = if *first == 0 { Stream::Frames } else { Stream::Line };
        }
        match self.stream {
            Stream::Unopened | Stream::Refused => Ok(()),
            Stream::Frames => self.on_frames(bytes),
            Stream::Line => {
                self.on_line(bytes);
                Ok(())
            }
            Stream::Broken(error) => Err(error),
        }
    }

    /// The server has closed its side: a refusal without a line's end is still one.
    pub fn handle_end(&mut self) {
        if let Stream::Line = self.stream {
            self.refuse();
        }
    }

    /// The next thing that happened, in the order of the server's bytes.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    fn emit(&mut self, command: &Command<'_>) -> u64 {
        self.last_id += 1;
        self.outgoing.extend_from_slice(&native::emit_request(self.last_id, command));
        self.last_id
    }

    fn on_frames(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        if self.tail.is_empty() {
            let taken = self.parse_frames(bytes)?;
            self.tail.extend_from_slice(&bytes[taken..]);
            return Ok(());
        }
        let mut tail = std::mem::take(&mut self.tail);
        tail.extend_from_slice(bytes);
        let taken = self.parse_frames(&tail)?;
        if taken < tail.len() {
            tail.drain(..taken);
            self.tail = tail;
        }
        Ok(())
    }

    fn parse_frames(&mut self, bytes: &[u8]) -> Result<usize, FrameError> {
        let mut taken = 0;
        loop {
            match native::parse_server(&bytes[taken..], FRAME_MAX) {
                Ok(Some((message, length))) => {
                    self.on_message(message);
                    taken += length;
                }
                Ok(None) => return Ok(taken),
                Err(error) => {
                    self.stream = Stream::Broken(error);
                    return Err(error);
                }
            }
        }
    }

    fn on_message(&mut self, message: FromServer<'_>) {
        let event = match message {
            FromServer::Answer { id, answer } => return self.on_answer(id, answer),
            FromServer::Event(Event::Ping) => return self.on_ping(),
            FromServer::Event(Event::Hello { protocol, server, limits }) => {
                ClientEvent::Greeted { protocol, server, limits }
            }
            FromServer::Event(event) => ClientEvent::Event(event),
            FromServer::Chunk { transfer, bytes } => {
                ClientEvent::Chunk { transfer, bytes: bytes.to_vec() }
            }
            FromServer::Unknown => return,
        };
        self.events.push_back(event);
    }

    /// An answer to what was never asked is nobody's.
    fn on_answer(&mut self, id: Option<u64>, answer: Result<Reply, Problem>) {
        let Some(id) = id else { return };
        if self.heartbeat == Some(id) {
            self.heartbeat = None;
        } else if let Ok(index) = self.pending.binary_search_by_key(&id, |&(id, _)| id)
            && let Some((_, op)) = self.pending.remove(index)
        {
            self.events.push_back(ClientEvent::Answered { id, op, answer });
        }
    }

    fn on_ping(&mut self) {
        if self.heartbeat.is_none() {
            self.heartbeat = Some(self.emit(&Command::Ping));
        }
    }

    fn on_line(&mut self, bytes: &[u8]) {
        let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let room = REFUSAL_LINE_MAX - self.tail.len();
        self.tail.extend_from_slice(&line[..line.len().min(room)]);
        if line.len() < bytes.len() || self.tail.len() == REFUSAL_LINE_MAX {
            self.refuse();
        }
    }

    fn refuse(&mut self) {
        let line = std::mem::take(&mut self.tail);
        let line = String::from_utf8_lossy(line.trim_ascii()).into_owned();
        self.events.push_back(ClientEvent::Refused(line));
        self.stream = Stream::Refused;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::{Incoming, Protocol};
    use crate::limits::Limits;
    use crate::message::{CloseReason, Refusal, RoomName, Text, UserName};
    use proptest::prelude::*;

    /// What the session has to send, as the server reads it; it counts as sent.
    fn requests(session: &mut Session) -> Vec<(u64, Op)> {
        let mut ops = Vec::new();
        while let Some((message, taken)) =
            Protocol::Native.parse(session.outgoing(), 0, true).unwrap()
        {
            let Incoming::Request { id: Some(id), command: Ok(command) } = message else {
                panic!("not a request: {message:?}");
            };
            ops.push((id, command.op()));
            session.sent(taken);
        }
        assert!(session.outgoing().is_empty());
        ops
    }

    fn events(session: &mut Session) -> Vec<ClientEvent> {
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
        }
    }

    #[test]
    fn the_first_request_is_hello_and_ids_ascend() {
        let mut session = Session::new();
        assert_eq!(session.request(Command::Login { user: "alice".into() }), 2);
        assert_eq!(requests(&mut session), [(1, Op::Hello), (2, Op::Login)]);
        assert_eq!(session.pending(), 2);
    }

    #[test]
    fn an_answer_names_what_was_asked_and_comes_once() {
        let mut session = Session::new();
        session.request(Command::Leave);
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
        let mut session = Session::new();
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
        let mut session = Session::new();
        let id = session.request(Command::Ping);
        session.handle_bytes(&native::emit_answer(Some(id), &Ok(Reply::Pong))).unwrap();
        let pong = ClientEvent::Answered { id, op: Op::Ping, answer: Ok(Reply::Pong) };
        assert_eq!(events(&mut session), [pong]);
    }

    #[test]
    fn a_line_instead_of_frames_is_a_refusal_in_words() {
        for line in [&b"parlor: the server is full\r\nmore"[..], b"parlor: the server is full"] {
            let mut session = Session::new();
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
        let mut session = Session::new();
        for _ in 0..100 {
            session.handle_bytes(&[b'x'; 100]).unwrap();
        }
        let refused = ClientEvent::Refused("x".repeat(REFUSAL_LINE_MAX));
        assert_eq!(events(&mut session), [refused]);
    }

    #[test]
    fn a_stream_that_cannot_be_followed_stays_broken() {
        let mut session = Session::new();
        session.handle_bytes(&native::emit_event(&greeting())).unwrap();
        assert!(session.handle_bytes(&[0, 0xff, 0, 0]).is_err());
        assert!(session.handle_bytes(&native::emit_event(&said("hi"))).is_err());
        assert!(matches!(events(&mut session)[..], [ClientEvent::Greeted { .. }]));
    }

    #[test]
    fn a_long_part_goes_in_frames_of_the_longest_chunk() {
        let mut session = Session::new();
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
        let mut session = Session::new();
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
}
