//! PURE. All that a conversation can show, as values.
//!
//! Knows no words for any of it, but for those of the files on their way. The rule it keeps: what a
//! program may want to know is a value with a name, and a face words it.

use std::time::Duration;

use super::progress::Progress;
use super::question::Prompt;
use crate::id::TransferId;
use crate::message::{Event, FileLine, Reply, RoomName, UserName};

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
    /// Something about this client itself.
    Note(Note),
    /// Words of the files on their way, which a face shows as they are; visible.
    Words(String),
}

/// What this client has done, waits for, or wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// The server has greeted, under this name; untrusted.
    Connected(String),
    /// The next line is to be a name.
    WhoAreYou,
    /// There is no name, and `/login` is what helps.
    Nameless,
    /// The next line is to be a password.
    Asked(Prompt),
    /// Nobody wanted to answer.
    NotAnswered,
    PasswordChanged,
    /// Not connected or not logged in, for a reason that is visible; tried again in a while.
    Again {
        why: String,
        wait: Duration,
    },
    /// So many files go on when the connection is back.
    FilesWait(usize),
    /// Lines that are typed are kept until the connection is back.
    LinesWait,
    /// So is the wish to leave, behind them.
    LeavingWaits,
    /// In again.
    Back {
        user: Option<UserName>,
        room: Option<RoomName>,
    },
    /// Whether files that arrive are taken.
    AcceptsAll(bool),
    /// How far a file is that has a number.
    Moves(TransferId, Progress),
    /// No more of a download is wanted.
    Stopped(TransferId),
    Withdrawn(TransferId),
    /// An upload that had no number yet; untrusted.
    WithdrawnNamed(String),
    Rejected(TransferId),
    Removed(TransferId),
    /// The files that there are.
    Files(Vec<FileLine>),
    /// An errand was stopped, and goes on where it was if what has come is `kept`.
    ErrandStopped {
        kept: bool,
    },
}
