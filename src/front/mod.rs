//! PURE. Frames and lines to meaning and back: one file a protocol.
//!
//! Knows the words (`message`) and how each protocol writes them (`wire`), but neither who may say
//! them nor where they go. The rule it keeps: the same command in any protocol is the same value,
//! and an event is written once for each protocol, however many hear it.

pub mod detect;
mod json;
pub mod native;
mod plain;
pub mod slash;
pub mod text;

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
    /// A line with nothing in it: somebody pressed return.
    Nothing,
}

/// A protocol that a connection speaks once its first bytes have told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Native frames.
    Native,
    /// Text lines, as typed into netcat.
    Text,
}

impl Protocol {
    /// How many there are: the size of a table with one entry for each.
    pub const COUNT: usize = 2;

    /// Reads the first message of `bytes`, of which the first `scanned` were looked at before and
    /// held no end of a message. Answers with the message and the bytes it took; `Ok(None)` means
    /// that there is no whole message yet.
    ///
    /// # Errors
    /// The reason to close when the stream cannot be followed any further.
    pub fn parse(
        self,
        bytes: &[u8],
        scanned: usize,
        logged_in: bool,
    ) -> Result<Option<(Incoming<'_>, usize)>, CloseReason> {
        let max = if logged_in { FRAME_MAX } else { FRAME_BEFORE_LOGIN_MAX };
        match self {
            Self::Native => native::parse(bytes, max),
            Self::Text => text::parse(bytes, scanned, max),
        }
    }

    /// Writes the answer to a request.
    #[must_use]
    pub fn emit_answer(self, id: Option<u64>, answer: &Result<Reply, Refusal>) -> Bytes {
        match self {
            Self::Native => native::emit_answer(id, answer),
            Self::Text => text::emit_answer(answer),
        }
    }

    /// Writes an event.
    #[must_use]
    pub fn emit_event(self, event: &Event) -> Bytes {
        match self {
            Self::Native => native::emit_event(event),
            Self::Text => text::emit_event(event),
        }
    }

    /// Writes a part of a file.
    #[must_use]
    pub fn emit_chunk(self, transfer: TransferId, bytes: &[u8]) -> Bytes {
        match self {
            Self::Native => crate::wire::frame::emit_chunk(transfer, bytes),
            Self::Text => text::emit_chunk(transfer, bytes),
        }
    }
}
