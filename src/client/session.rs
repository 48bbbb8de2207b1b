//! PURE. One connection as its client sees it: requests in, frames out; bytes in, events out.
//!
//! Knows neither socket nor clock nor who looks at it: the terminal and a test in memory drive the
//! same type. The contract: after each `handle_*`, take [`ClientSession::poll_event`] until there
//! is none, and write [`ClientSession::outgoing`] when the socket takes it. The rule it keeps:
//! however the server's bytes are split, the same events come out, and what is kept of them between
//! two calls is less than one frame.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bytes::{Buf as _, BytesMut};

use crate::front::native::{self, FromServer, Problem};
use crate::id::TransferId;
use crate::limits::{CHUNK_MAX, FRAME_MAX};
use crate::message::PROTOCOL_VERSION;
use crate::message::{ClientTraits, Command, Event, Greeting, Op, Reply};
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
        /// What [`ClientSession::request`] returned.
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
pub struct ClientSession {
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

impl Default for ClientSession {
    fn default() -> Self {
        Self::new()
    }
}

impl ClientSession {
    /// A session that has just been connected, of a client that tells nothing of itself. Its first
    /// request, `hello`, is under way already; its answer comes as any other.
    #[must_use]
    pub fn new() -> Self {
        Self::of(&ClientTraits::default())
    }

    /// The same, of a client that tells this of itself. A server that does not know such fields
    /// ignores them.
    pub(super) fn of(about: &ClientTraits<'_>) -> Self {
        let mut session = Self {
            stream: Stream::Unopened,
            tail: Vec::new(),
            events: VecDeque::new(),
            outgoing: BytesMut::new(),
            pending: VecDeque::new(),
            heartbeat: None,
            last_id: 0,
        };
        session.request(Command::Hello { version: PROTOCOL_VERSION, about: about.clone() });
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

    /// Whether one of these up to the request `last` waits for its answer.
    #[must_use]
    pub fn awaits(&self, ops: &[Op], last: u64) -> bool {
        self.pending.iter().any(|(id, op)| *id <= last && ops.contains(op))
    }

    /// The id of the last request, heartbeats counted.
    #[must_use]
    pub fn last_id(&self) -> u64 {
        self.last_id
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

    /// The socket has taken the first `count` bytes of [`ClientSession::outgoing`].
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
