//! PURE. Which file, and how far it is.
//!
//! Knows neither how it got there nor what is next. The rule it keeps: stages stand in the order of
//! time.

use std::time::Duration;

use crate::client::progress::Direction;
use crate::client::view::Undone;
use crate::id::TransferId;

/// Which file: an upload has no number at first, so it goes by how many were wanted before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::client) enum FileKey {
    Up(u64),
    Down(TransferId),
}

impl FileKey {
    pub(super) const fn direction(self) -> Direction {
        match self {
            Self::Up(_) => Direction::Up,
            Self::Down(_) => Direction::Down,
        }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FileStage {
    /// The server has it, and nobody here has accepted it.
    Offered,
    /// It waits for its turn.
    Waiting,
    /// What is here is read for its hash; since then, unless that was told or need not be.
    Reading(Option<Duration>),
    /// It can be announced, or asked for.
    Ready,
    /// That was done, and is not answered.
    Asked,
    /// It has a number and no slot.
    Queued { place: u32, of: u32, since: Duration },
    /// Its bytes go or come.
    Moving,
    /// All of it is sent, or was here before.
    Finishing,
}

/// Why it cannot be resumed, with a stable code.
pub(super) type Failure = (&'static str, Undone);
