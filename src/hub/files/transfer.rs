//! One upload: what was announced, where it stands, and how far its bytes are. The only place that
//! has these numbers.
//!
//! Knows no bytes, no queue and nobody who hears of it. Each upload is in exactly one stage:
//!
//! ```text
//!   announce ──> Waiting ──admit──> Receiving ──complete──> Finishing ─────────> end (stored)
//!      │            │                   │                       │
//!      │            ├── cancelled ──────┼── cancelled           ├── mismatch
//!      │            ├── sender gone ────┼── sender gone         └── store failed
//!      │            └── receiver gone ──┼── receiver gone
//!      v                                ├── stalled
//!   queue full                          ├── overrun
//!                                       └── store failed
//! ```
//!
//! What is finishing is whole, and ends well or badly whatever becomes of the sender.
//!
//! The rule it keeps (invariant 8): a sender sends only what it was granted, and is granted only
//! what the disk has taken; stored <= written <= received <= granted <= size.

use crate::id::{AccountId, ConnId, TransferId};
use crate::job::PartialId;
use crate::limits::STALL_BYTES;
use crate::message::{Digest, FileName, Target, UserName};

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// The connection.
    pub conn: ConnId,
    /// The user on it.
    pub name: UserName,
}

/// What is announced, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Who sends.
    pub from: Party,
    /// The account of the sender.
    pub owner: Option<AccountId>,
    /// Whom it is for.
    pub to: Target,
    /// The account of the receiver, where it is one user's.
    pub receiver: Option<AccountId>,
    /// The connection of the receiver, where that is a guest: without them there is no receiver.
    pub guest: Option<ConnId>,
    /// The file's name.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// The BLAKE3 hash that the sender told.
    pub hash: Option<Digest>,
    /// By which it is found again if it breaks.
    pub partial: Option<PartialId>,
}

/// One upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its number.
    pub id: TransferId,
    /// What and for whom.
    pub draft: Draft,
    /// When it was announced, on the monotonic clock.
    pub announced_ms: u64,
    /// Where it stands.
    pub stage: Stage,
    /// How far its bytes are.
    pub(super) flow: Flow,
    /// Bytes moved since its deadline was last put off.
    moved_bytes: u64,
}

/// Where an upload stands. All but `Waiting` hold a slot; deadlines are on the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In line for a slot.
    Waiting,
    /// Its bytes come in.
    Receiving {
        /// How long it waited.
        waited_ms: u64,
        /// When it has stalled.
        deadline_ms: u64,
    },
    /// All of it has arrived, and is put where it lasts.
    Finishing {
        /// How long it waited.
        waited_ms: u64,
    },
}

impl Upload {
    /// One in line, of which `stored` bytes are there since an earlier try.
    pub(super) fn new(id: TransferId, draft: Draft, announced_ms: u64, stored: u64) -> Self {
        let flow = Flow::new(draft.size, stored);
        Self { id, draft, announced_ms, stage: Stage::Waiting, flow, moved_bytes: 0 }
    }

    /// Whether it counts against what a user may send at once. What is finishing counts for the
    /// connection that sent it alone: the user who comes back may begin the next.
    pub(super) fn burdens(&self, of: Party) -> bool {
        let from = self.draft.from;
        from.name.key() == of.name.key() && (from.conn == of.conn || !self.is_finishing())
    }

    /// All of it has arrived.
    pub(super) const fn is_finishing(&self) -> bool {
        matches!(self.stage, Stage::Finishing { .. })
    }

    /// `bytes` moved: once enough have, it has stalled only at `deadline_ms`.
    pub(super) fn put_off(&mut self, bytes: u64, deadline_ms: u64) {
        self.moved_bytes = self.moved_bytes.saturating_add(bytes);
        if self.moved_bytes < STALL_BYTES {
            return;
        }
        if let Stage::Receiving { deadline_ms: at, .. } = &mut self.stage {
            (*at, self.moved_bytes) = (deadline_ms, 0);
        }
    }
}

impl Stage {
    pub(super) const fn deadline_ms(self) -> Option<u64> {
        match self {
            Self::Receiving { deadline_ms, .. } => Some(deadline_ms),
            Self::Waiting | Self::Finishing { .. } => None,
        }
    }

    /// How long the upload waited for its slot; `None` while it waits.
    #[must_use]
    pub const fn waited_ms(self) -> Option<u64> {
        match self {
            Self::Waiting => None,
            Self::Receiving { waited_ms, .. } | Self::Finishing { waited_ms } => Some(waited_ms),
        }
    }
}
/// How far an upload is, in bytes from the beginning of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    size: u64,
    /// Up to here the sender may send.
    granted: u64,
    received: u64,
    /// Up to here the worker was given it: it is in its file, or on its way there.
    written: u64,
    /// Up to here it is in its file.
    stored: u64,
}

impl Flow {
    /// Of a file of `size` bytes of which so many are there since an earlier try.
    pub(super) fn new(size: u64, stored: u64) -> Self {
        let stored = stored.min(size);
        Self { size, granted: stored, received: stored, written: stored, stored }
    }

    /// Bytes that are in its file, or on their way into it: if it breaks now, the half has them.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    /// The worker has opened its file. Answers with where to continue, and with the first credit.
    pub(super) fn open(&mut self, offset: u64, credit: u64) -> (u64, u64) {
        *self = Self::new(self.size, offset);
        (self.stored, self.grant(credit))
    }

    /// Takes note of a part; not if it is more than was granted.
    pub(super) fn receive(&mut self, bytes: u64) -> bool {
        let received = self.received.saturating_add(bytes);
        let is_granted = received <= self.granted;
        if is_granted {
            self.received = received;
        }
        is_granted
    }

    /// The worker is given so many bytes more.
    pub(super) fn write(&mut self, bytes: u64) {
        self.written += bytes;
    }

    /// What the worker was given is in the file. Answers with the bytes of new credit.
    pub(super) fn store(&mut self, credit: u64) -> u64 {
        self.stored = self.written;
        self.grant(credit)
    }

    fn grant(&mut self, credit: u64) -> u64 {
        let granted = self.size.min(self.stored.saturating_add(credit));
        granted - std::mem::replace(&mut self.granted, granted)
    }

    pub(super) const fn is_whole(&self) -> bool {
        self.stored == self.size
    }

    pub(super) fn check_invariants(&self, id: TransferId) {
        let ascending = [self.stored, self.written, self.received, self.granted, self.size];
        assert!(ascending.is_sorted(), "transfer {id} is further than it may be: {self:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_follows_what_is_stored_and_ends_with_the_file() {
        let mut flow = Flow::new(100, 0);
        assert!(!flow.receive(1), "nothing is granted before the file is open");
        assert_eq!(flow.open(10, 40), (10, 40));
        assert!(flow.receive(40));
        assert!(!flow.receive(1), "more than was granted");
        flow.write(40);
        assert_eq!(flow.written(), 50);
        assert_eq!(flow.store(40), 40);
        assert!(flow.receive(40));
        flow.write(40);
        assert_eq!(flow.store(40), 10, "no more than the file");
        assert!(!flow.is_whole() && flow.receive(10));
        flow.write(10);
        assert_eq!(flow.store(40), 0);
        assert!(flow.is_whole());
        flow.check_invariants(TransferId(1));
    }

    #[test]
    fn a_half_that_is_longer_than_its_file_is_all_of_it() {
        let mut flow = Flow::new(10, 20);
        assert_eq!(flow.written(), 10);
        assert_eq!(flow.open(20, 40), (10, 0));
        assert!(flow.is_whole());
    }
}
