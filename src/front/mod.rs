//! PURE. Frames and lines to meaning and back: one file a protocol.
//!
//! Knows the words (`message`) and how each protocol writes them (`wire`), but neither who may say
//! them nor where they go. The rules it keeps: the same command in any protocol is the same value;
//! an event is written once for each [`Voice`], however many hear it; what differs between
//! protocols and matters outside is in [`Traits`], and nothing outside compares protocols.

mod detect;
pub mod hint;
mod http;
mod json;
pub mod native;
mod plain;
pub mod slash;
pub mod text;

pub(crate) use detect::farewell;
pub use detect::{Detected, Prefix, detect};
pub use slash::help;

use std::borrow::Cow;

use bytes::Bytes;

use crate::id::TransferId;
use crate::limits::{FRAME_BEFORE_LOGIN_MAX, FRAME_MAX};
use crate::message::{CloseReason, Command, Event, Refusal, Reply};

/// What a peer sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A request, or something in its place that is none; either gets exactly one answer.
    Request {
        /// What the answer refers to, where the protocol has that and the peer gave it.
        id: Option<u64>,
        /// The command, or why there is none.
        command: Result<Command<'a>, Refusal>,
    },
    /// A part of a file. It gets no answer of its own.
    Chunk {
        /// Of which transfer.
        transfer: TransferId,
        /// The part.
        bytes: Cow<'a, [u8]>,
    },
    /// A frame with nothing in it: a fault, but one that leaves the stream in step.
    Empty,
    /// Nothing that asks for anything: a user pressed return.
    Nothing,
    /// Something between the peer and its front alone, such as a handshake: this is the answer.
    Own(Bytes),
}

/// One connection's side of a protocol: how it is read and written, with whatever the protocol
/// must remember from one message to the next.
#[derive(Debug, PartialEq, Eq)]
pub enum Front {
    /// Native frames.
    Native,
    /// Text lines, as typed into netcat.
    Text,
    /// Requests of those who watch a server.
    Http(http::Http),
}

/// What the rest of the server must know of a protocol. Nothing else may ask which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// Answers name their request, so that several may be under way at once.
    pub numbers_answers: bool,
    /// Peers answer a ping by themselves, so that silence means something.
    pub answers_pings: bool,
    /// Receivers confirm their letters. Where they cannot, that the kernel has one must do.
    pub confirms_letters: bool,
    /// A client that comes while the server stops is read all the same, and is not said goodbye to
    /// at once: the front has its own answer for it ([`Reading::draining`]).
    pub answers_latecomers: bool,
}

/// What a front is told about its connection when it reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// So many of the first bytes were looked at before and held no end of a message.
    pub scanned: usize,
    /// The connection has had a name, and may send longer messages.
    pub trusted: bool,
    /// The server stops, and says goodbye to one connection after the other.
    pub draining: bool,
}

/// A connection that has had a name, at the first look at its bytes.
pub const TRUSTED: Reading = Reading { scanned: 0, trusted: true, draining: false };

/// A way to write what many hear: the index of one encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Native frames.
    Native,
    /// Text lines.
    Text,
}

impl Voice {
    /// How many there are: the size of a table with one entry for each.
    pub const COUNT: usize = 2;

    /// Writes an event for all who share this voice.
    #[must_use]
    pub fn emit_event(self, event: &Event) -> Bytes {
        match self {
            Self::Native => native::emit_event(event),
            Self::Text => text::emit_event(event),
        }
    }
}

impl Front {
    /// What the server must know of it.
    #[must_use]
    pub(crate) const fn traits(&self) -> Traits {
        match self {
            Self::Native => Traits {
                numbers_answers: true,
                answers_pings: true,
                confirms_letters: true,
                answers_latecomers: false,
            },
            Self::Text => Traits {
                numbers_answers: false,
                answers_pings: false,
                confirms_letters: false,
                answers_latecomers: false,
            },
            Self::Http(_) => Traits {
                numbers_answers: false,
                answers_pings: false,
                confirms_letters: false,
                answers_latecomers: true,
            },
        }
    }

    /// How it writes what many hear.
    #[must_use]
    pub const fn voice(&self) -> Voice {
        match self {
            Self::Native => Voice::Native,
            // HTTP has no members of rooms, so this voice is never used for it.
            Self::Text | Self::Http(_) => Voice::Text,
        }
    }

    /// Reads the first message of `bytes`. Answers with the message and the bytes it took;
    /// `Ok(None)` means that there is no whole message yet. A message that asks for several things
    /// is read several times: only the last reading takes its bytes. One that has to wait for the
    /// answers before it (a goodbye) is read again.
    ///
    /// # Errors
    /// The reason to close when the stream cannot be followed any further.
    pub fn read<'a>(
        &mut self,
        bytes: &'a [u8],
        reading: Reading,
    ) -> Result<Option<(Incoming<'a>, usize)>, CloseReason> {
        let max = if reading.trusted { FRAME_MAX } else { FRAME_BEFORE_LOGIN_MAX };
        match self {
            Self::Native => native::parse(bytes, max),
            Self::Text => text::parse(bytes, reading.scanned, max),
            Self::Http(http) => Ok(http.read(bytes, reading.scanned, reading.draining)),
        }
    }

    /// Writes the answer to a request.
    #[must_use]
    pub fn emit_answer(&mut self, id: Option<u64>, answer: &Result<Reply, Refusal>) -> Bytes {
        match self {
            Self::Native => native::emit_answer(id, answer),
            Self::Text => text::emit_answer(answer),
            // It asks the chat for nothing.
            Self::Http(_) => Bytes::new(),
        }
    }

    /// Writes an event for this connection alone: as one message, as several, or as none.
    #[must_use]
    pub fn emit_event(&mut self, event: &Event) -> Bytes {
        match self {
            Self::Native | Self::Text => self.voice().emit_event(event),
            Self::Http(http) => http.emit_event(event),
        }
    }

    /// Writes a part of a file.
    #[must_use]
    pub fn emit_chunk(&mut self, transfer: TransferId, bytes: &[u8]) -> Bytes {
        match self {
            Self::Native => crate::wire::frame::emit_chunk(transfer, bytes),
            Self::Text => text::emit_chunk(transfer, bytes),
            Self::Http(_) => Bytes::new(),
        }
    }

    /// Whether all is said that this protocol ever says: the connection ends when it is written.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        match self {
            Self::Native | Self::Text => false,
            Self::Http(http) => http.is_over(),
        }
    }
}
