//! How a conversation of the plain client ends, for people and for scripts.
//!
//! Knows nothing else. The rule it keeps: each meaning has one exit code, and it never changes.

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
    /// The connection cannot be used any further; why.
    Broken(String),
    /// The server said goodbye: on the screen, or in these words instead of a greeting.
    Goodbye(Option<String>),
}
