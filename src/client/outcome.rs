//! How a conversation of the plain client ends, for people and for scripts.
//!
//! Knows nothing else. The rule it keeps: each meaning has one exit code, and it never changes.

use std::time::Duration;

use crate::message::CloseReason;
use crate::wire::frame::FrameError;

/// How it all went, for whoever started the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientOutcome {
    /// Everything that was asked was done.
    Fine,
    /// The connection could not be made or broke.
    Broken,
    /// The client was started with options that make no sense.
    Usage,
    /// Something was refused, or a file was not handed over whole.
    Refused,
    /// The server ended the conversation.
    Goodbye,
}

impl ClientOutcome {
    /// The exit code of the process.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Broken => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Goodbye => 4,
        }
    }
}

/// Why it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// We left.
    Left,
    /// There is no connection that can be used.
    Broken(Fault),
    /// The server said goodbye: on the screen, or in these words instead of a greeting.
    Goodbye(Option<String>),
}

/// What is wrong with a connection. What others wrote in it is untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The server closed it.
    Closed,
    /// It broke, in the system's words.
    Broke(String),
    /// The server was silent for so long.
    Silent(Duration),
    /// What came is not the protocol.
    Garbled(FrameError),
    /// The server speaks another version of it.
    Version(u32),
    /// The server turned us away with this line.
    TurnedAway(String),
    /// The server said goodbye, and that we may come back.
    Bye(CloseReason),
    /// None could be made, in the system's words.
    Unreachable(String),
    /// The server does not let this user in yet, says its code.
    NotYet { user: String, code: String },
    /// The server does not let this user in again.
    NotLetIn { user: String, why: String },
    /// We could not come back for this reason, and tried for so long.
    GivenUp(Box<Self>, Duration),
    /// We left before it was back.
    LeftAway,
}
