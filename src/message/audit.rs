//! What is written into the audit log: one record an activity, one line a record.
//!
//! User text in a record has been made visible by whoever made the record; bodies of messages
//! appear at [`Level::Debug`] only.

use std::fmt;

/// The kind of activity, in the words of system A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Category {
    Server,
    Client,
    Login,
    Join,
    Leave,
    Room,
    Broadcast,
    Whisper,
    SendFile,
    FileQueue,
    Disconnect,
    Shutdown,
    Error,
}

/// How much a record matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something happened.
    Info,
    /// What was said.
    Debug,
}

/// One activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its kind.
    pub category: Category,
    /// How much it matters.
    pub level: Level,
    /// Its text, one line.
    pub text: String,
}

impl Record {
    /// Something that happened.
    #[must_use]
    pub fn info(category: Category, text: String) -> Self {
        Self { category, level: Level::Info, text }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "SERVER",
            Self::Client => "CLIENT",
            Self::Login => "LOGIN",
            Self::Join => "JOIN",
            Self::Leave => "LEAVE",
            Self::Room => "ROOM",
            Self::Broadcast => "BROADCAST",
            Self::Whisper => "WHISPER",
            Self::SendFile => "SENDFILE",
            Self::FileQueue => "FILE-QUEUE",
            Self::Disconnect => "DISCONNECT",
            Self::Shutdown => "SHUTDOWN",
            Self::Error => "ERROR",
        })
    }
}
