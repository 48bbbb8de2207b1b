//! PURE. All that a conversation can show, as values.
//!
//! Knows no words for any of it, but for what is said to people alone. The rule it keeps: what a
//! program may want to know is a value with a name, and a face words it.

use crate::message::{Event, Reply};

/// Something to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// Something happened.
    Event(Event),
    /// What was asked for.
    Reply(Reply),
    /// No, from the server or from this client.
    Refused {
        /// For programs.
        code: String,
        /// For people; untrusted.
        text: String,
    },
    /// Words for people, in one line or several, as the plain face shows them. What of them is not
    /// ours is visible.
    Words(String),
}
