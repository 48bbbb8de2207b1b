//! What kinds of facts there are, and how much each matters.
//!
//! Refuses to know what happened. The rule it keeps: the words are stable, for people search for
//! them.

use serde::Serialize;
use std::fmt;

/// What kind of activity a line of the log tells of; the word in its second pair of brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// A connection came, spoke or was refused.
    Client,
    /// A user gave a name.
    Login,
    /// A user entered a room.
    Join,
    /// A user left a room.
    Leave,
    /// A room was made or removed.
    Room,
    /// Something was said to a room.
    Broadcast,
    /// Something was said to one user.
    Whisper,
    /// A file was offered, sent, received or refused.
    SendFile,
    /// The line of uploads moved.
    FileQueue,
    /// A connection ended.
    Disconnect,
    /// The server ends.
    Shutdown,
    /// Something failed that the server's owner should know of.
    Error,
    /// The server itself: its start, its counts, its log.
    Server,
}

impl Category {
    /// Every category, in the order of the documentation.
    pub const ALL: [Self; 13] = [
        Self::Client,
        Self::Login,
        Self::Join,
        Self::Leave,
        Self::Room,
        Self::Broadcast,
        Self::Whisper,
        Self::SendFile,
        Self::FileQueue,
        Self::Disconnect,
        Self::Shutdown,
        Self::Error,
        Self::Server,
    ];

    /// The word as the log shows it. Stable: people search for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
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
            Self::Server => "SERVER",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Category {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

/// How much a fact matters; the owner chooses down to which level the log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Something failed.
    Error,
    /// An activity: who came, what was done.
    Info,
    /// Details, among them what was said.
    Debug,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_has_a_word_of_its_own_in_capitals() {
        let mut words: Vec<_> = Category::ALL.iter().map(ToString::to_string).collect();
        for word in &words {
            assert!(word.bytes().all(|b| b.is_ascii_uppercase() || b == b'-'), "{word}");
        }
        words.sort();
        words.dedup();
        assert_eq!(words.len(), Category::ALL.len());
    }
}
