//! PURE. What the pure half asks of the file worker, and what it is told when that is done.
//!
//! A job is a value with a [`crate::id::Ticket`]; its outcome comes back under the same ticket,
//! late, failed, or after everybody has lost interest. A file is known here by its transfer alone.

use crate::id::TransferId;

/// Work on the content of one transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Make an empty file.
    Create {
        /// Which transfer.
        transfer: TransferId,
    },
    /// Add to its end.
    Append {
        /// Which transfer.
        transfer: TransferId,
        /// What to add.
        bytes: Vec<u8>,
    },
    /// Read a part.
    Read {
        /// Which transfer.
        transfer: TransferId,
        /// From which byte.
        offset: u64,
        /// How many bytes at most.
        len: u32,
    },
    /// Forget the file; its outcome is never looked at.
    Remove {
        /// Which transfer.
        transfer: TransferId,
    },
}

impl Job {
    /// Which transfer the job works on.
    #[must_use]
    pub const fn transfer(&self) -> TransferId {
        match self {
            Self::Create { transfer }
            | Self::Append { transfer, .. }
            | Self::Read { transfer, .. }
            | Self::Remove { transfer } => *transfer,
        }
    }
}

/// How a job went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The file is there, the bytes are in it, or it is gone.
    Done,
    /// The part asked for.
    Bytes(Vec<u8>),
    /// The disk refused; the text says why, for the log.
    Failed(String),
}
