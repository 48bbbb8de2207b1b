//! What a client may ask for.
//!
//! Refuses to know how it was written down or whether it is allowed. Text in a command is still
//! raw: the hub checks it after it has checked that the session may ask at all.

use std::borrow::Cow;

use crate::id::TransferId;

/// One request of a client. It borrows from the bytes that it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Who calls, and in which version of the protocol.
    Hello {
        /// Version of the protocol that the client speaks.
        version: u32,
    },
    /// Take a name.
    Login {
        /// The name wanted.
        user: Cow<'a, str>,
    },
    /// Go to a room, leaving the one before.
    Join {
        /// The room wanted.
        room: Cow<'a, str>,
    },
    /// Leave the room.
    Leave,
    /// Say something to the room.
    Say {
        /// What is said.
        text: Cow<'a, str>,
        /// Whether it is told as an action (`/me waves`).
        me: bool,
    },
    /// Say something to one user.
    Whisper {
        /// To whom.
        user: Cow<'a, str>,
        /// What is said.
        text: Cow<'a, str>,
    },
    /// List the rooms.
    Rooms,
    /// List the users of a room, of one's own room, or of the server.
    Who {
        /// The room asked about.
        room: Option<Cow<'a, str>>,
    },
    /// Show the upload queue.
    Queue,
    /// List the commands.
    Help,
    /// A sign of life, answered with one.
    Ping,
    /// Say goodbye.
    Exit,
    /// Announce a file for a user.
    SendFile {
        /// The receiver.
        user: Cow<'a, str>,
        /// The file's name, without a path.
        name: Cow<'a, str>,
        /// Its size in bytes.
        size: u64,
    },
    /// Take a file that was offered.
    Accept {
        /// Which transfer.
        transfer: TransferId,
    },
    /// Refuse a file that was offered.
    Reject {
        /// Which transfer.
        transfer: TransferId,
    },
    /// Confirm that a file has arrived whole.
    Received {
        /// Which transfer.
        transfer: TransferId,
    },
    /// Withdraw a file of one's own.
    Cancel {
        /// Which transfer.
        transfer: TransferId,
    },
}

/// A command without its content: a row of the table of what may be done in which state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Op {
    Hello,
    Login,
    Join,
    Leave,
    Say,
    Whisper,
    Rooms,
    Who,
    Queue,
    Help,
    Ping,
    Exit,
    SendFile,
    Accept,
    Reject,
    Received,
    Cancel,
    Chunk,
}

impl Op {
    /// Every op, in the order of the documents.
    pub const ALL: [Self; 18] = [
        Self::Hello,
        Self::Login,
        Self::Join,
        Self::Leave,
        Self::Say,
        Self::Whisper,
        Self::Rooms,
        Self::Who,
        Self::Queue,
        Self::Help,
        Self::Ping,
        Self::Exit,
        Self::SendFile,
        Self::Accept,
        Self::Reject,
        Self::Received,
        Self::Cancel,
        Self::Chunk,
    ];

    /// Its name in the native protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Login => "login",
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Say => "say",
            Self::Whisper => "whisper",
            Self::Rooms => "rooms",
            Self::Who => "who",
            Self::Queue => "queue",
            Self::Help => "help",
            Self::Ping => "ping",
            Self::Exit => "exit",
            Self::SendFile => "send_file",
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Received => "received",
            Self::Cancel => "cancel",
            Self::Chunk => "chunk",
        }
    }

    /// The op of a name in the native protocol.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.name() == name)
    }
}

impl Command<'_> {
    /// Which op this is.
    #[must_use]
    pub const fn op(&self) -> Op {
        match self {
            Self::Hello { .. } => Op::Hello,
            Self::Login { .. } => Op::Login,
            Self::Join { .. } => Op::Join,
            Self::Leave => Op::Leave,
            Self::Say { .. } => Op::Say,
            Self::Whisper { .. } => Op::Whisper,
            Self::Rooms => Op::Rooms,
            Self::Who { .. } => Op::Who,
            Self::Queue => Op::Queue,
            Self::Help => Op::Help,
            Self::Ping => Op::Ping,
            Self::Exit => Op::Exit,
            Self::SendFile { .. } => Op::SendFile,
            Self::Accept { .. } => Op::Accept,
            Self::Reject { .. } => Op::Reject,
            Self::Received { .. } => Op::Received,
            Self::Cancel { .. } => Op::Cancel,
        }
    }
}
