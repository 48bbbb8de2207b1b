//! The upload queue: who may send a file now, who waits, and for how long.
//!
//! Knows neither bytes nor disks nor who hears of it: the hub tells people, the engine moves
//! bytes. Each upload is in exactly one stage:
//!
//! ```text
//!   announce ──> Waiting ──admit──> Receiving ──complete──> Offered ──accept──> Delivering ─> end
//!      │            │                   │                      │                    │  (delivered)
//!      │            ├── cancelled ──────┼── cancelled ─────────┼── cancelled ───────┤
//!      │            ├── sender gone ────┼── sender gone ───────┼── sender gone ─────┤
//!      │            ├── receiver gone ──┼── receiver gone ─────┼── receiver gone ───┤
//!      │            └── rejected ───────┼── rejected ──────────┼── rejected ────────┤
//!      │                                ├── stalled            ├── unanswered       ├── stalled
//!      v                                ├── overrun            │                    │
//!   queue full                          └── store failed ──────┴── store failed ────┘
//! ```
//!
//! The rules it keeps (invariant 9): slots in use are exactly the uploads past `Waiting`, never
//! more than the limit; of one sender at most one is past `Waiting`; the line is first come, first
//! served among those whose sender has no slot; nothing waits that could be admitted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::id::{ConnId, Now, TransferId};
use crate::limits::{STALL_BYTES, UPLOADS_A_USER};
use crate::message::{Ending, FileName, Refusal, UserName};

/// One end of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// The connection.
    pub conn: ConnId,
    /// The user on it.
    pub name: UserName,
}

/// One upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its number.
    pub id: TransferId,
    /// Who sends.
    pub from: Party,
    /// Who is to receive.
    pub to: Party,
    /// The file's name.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// When it was announced, on the monotonic clock.
    pub announced_ms: u64,
    /// Where it stands.
    pub stage: Stage,
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
    /// It is here; the receiver has been asked.
    Offered {
        /// How long it waited.
        waited_ms: u64,
        /// When the receiver's time to answer is over.
        deadline_ms: u64,
    },
    /// Its bytes go out.
    Delivering {
        /// How long it waited.
        waited_ms: u64,
        /// When it has stalled.
        deadline_ms: u64,
        /// Whether all of it is on its way, so that the receiver may have all of it.
        all_sent: bool,
    },
}

impl Stage {
    const fn deadline(self) -> Option<(u64, Ending)> {
        match self {
            Self::Waiting => None,
            Self::Receiving { deadline_ms, .. } | Self::Delivering { deadline_ms, .. } => {
                Some((deadline_ms, Ending::Stalled))
            }
            Self::Offered { deadline_ms, .. } => Some((deadline_ms, Ending::Unanswered)),
        }
    }

    /// How long the upload waited for its slot; `None` while it waits.
    #[must_use]
    pub const fn waited_ms(self) -> Option<u64> {
        match self {
            Self::Waiting => None,
            Self::Receiving { waited_ms, .. }
            | Self::Offered { waited_ms, .. }
            | Self::Delivering { waited_ms, .. } => Some(waited_ms),
        }
    }
}

/// The bounds of the queue.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Uploads past `Waiting` at once.
    pub slots: usize,
    /// Uploads in `Waiting` at once.
    pub waiting: usize,
    /// Time without progress after which bytes have stalled.
    pub stall: Duration,
    /// Time that a receiver has to answer.
    pub offer_wait: Duration,
}

/// All uploads.
#[derive(Debug)]
pub struct UploadQueue {
    bounds: Bounds,
    next_id: u32,
    /// Nobody is admitted for now, whatever slots are free.
    resting: bool,
    uploads: BTreeMap<TransferId, Upload>,
    line: VecDeque<TransferId>,
    /// The uploads that hold a slot, and who sends them: nobody holds two. So what looks at slots
    /// does not grow with the line.
    holders: BTreeMap<TransferId, ConnId>,
}

impl UploadQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            next_id: 1,
            resting: false,
            uploads: BTreeMap::new(),
            line: VecDeque::new(),
            holders: BTreeMap::new(),
        }
    }

    /// The upload of a number.
    #[must_use]
    pub fn get(&self, id: TransferId) -> Option<&Upload> {
        self.uploads.get(&id)
    }

    /// Slots in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.holders.len()
    }

    /// Slots in all.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.bounds.slots
    }

    /// Length of the line.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.line.len()
    }

    /// The line in its order; the first has place 1.
    pub fn line(&self) -> impl Iterator<Item = &Upload> {
        self.line.iter().filter_map(|id| self.uploads.get(id))
    }

    /// The uploads that hold a slot, oldest number first.
    pub fn in_slots(&self) -> impl Iterator<Item = &Upload> {
        self.holders.keys().filter_map(|id| self.uploads.get(id))
    }

    /// Place in the line from 1; 0 for an upload that does not wait.
    #[must_use]
    pub fn place(&self, id: TransferId) -> usize {
        self.line.iter().position(|&waiting| waiting == id).map_or(0, |index| index + 1)
    }

    /// Whether a number has been given out, be its transfer over or not.
    #[must_use]
    pub fn was_issued(&self, id: TransferId) -> bool {
        id.0 != 0 && id.0 < self.next_id
    }

    /// Puts an upload in line. It has its slot when [`Self::admit`] says so.
    ///
    /// # Errors
    /// [`Refusal::QueueFull`] when it can neither be admitted nor wait, and
    /// [`Refusal::TooManyUploads`] when its sender has as many as one user may have.
    pub fn announce(
        &mut self,
        now: Now,
        from: Party,
        to: Party,
        name: FileName,
        size: u64,
    ) -> Result<TransferId, Refusal> {
        let own = self.uploads.values().filter(|upload| upload.from.conn == from.conn);
        if own.count() >= UPLOADS_A_USER {
            return Err(Refusal::TooManyUploads { limit: UPLOADS_A_USER as u64 });
        }
        let at_once = self.has_free_slot() && !self.holds_slot(from.conn);
        if !at_once && self.line.len() >= self.bounds.waiting {
            return Err(Refusal::QueueFull { waiting: self.line.len() as u64 });
        }
        let id = TransferId(self.next_id);
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        let (announced_ms, stage) = (now.mono_ms, Stage::Waiting);
        let upload = Upload { id, from, to, name, size, announced_ms, stage, moved_bytes: 0 };
        self.uploads.insert(id, upload);
        self.line.push_back(id);
        Ok(id)
    }

    /// Admits nobody until told otherwise: the disk has enough to do.
    pub fn rest(&mut self, resting: bool) {
        self.resting = resting;
    }

    /// Gives a free slot to the first in line whose sender has none. To be called until there is
    /// none, after everything that could have freed a slot.
    pub fn admit(&mut self, now: Now) -> Option<TransferId> {
        if !self.has_free_slot() {
            return None;
        }
        let index = self.line.iter().position(|id| {
            self.uploads.get(id).is_some_and(|upload| !self.holds_slot(upload.from.conn))
        })?;
        let id = self.line.remove(index)?;
        let deadline_ms = now.after(self.bounds.stall);
        let upload = self.uploads.get_mut(&id)?;
        let waited_ms = now.mono_ms.saturating_sub(upload.announced_ms);
        upload.stage = Stage::Receiving { waited_ms, deadline_ms };
        self.holders.insert(id, upload.from.conn);
        Some(id)
    }

    /// `bytes` moved: once enough have, the upload has not stalled.
    pub fn progress(&mut self, now: Now, id: TransferId, bytes: u64) {
        let later = now.after(self.bounds.stall);
        let Some(upload) = self.uploads.get_mut(&id) else { return };
        upload.moved_bytes = upload.moved_bytes.saturating_add(bytes);
        if upload.moved_bytes < STALL_BYTES {
            return;
        }
        if let Stage::Receiving { deadline_ms, .. } | Stage::Delivering { deadline_ms, .. } =
            &mut upload.stage
        {
            (*deadline_ms, upload.moved_bytes) = (later, 0);
        }
    }

    /// All bytes are on their way to the receiver.
    pub fn all_sent(&mut self, id: TransferId) {
        if let Some(Stage::Delivering { all_sent, .. }) =
            self.uploads.get_mut(&id).map(|upload| &mut upload.stage)
        {
            *all_sent = true;
        }
    }

    /// All bytes are here: from `Receiving` to `Offered`.
    ///
    /// # Errors
    /// [`Refusal::TransferNotReady`] in any other stage.
    pub fn complete(&mut self, now: Now, id: TransferId) -> Result<&Upload, Refusal> {
        let deadline_ms = now.after(self.bounds.offer_wait);
        self.advance(id, |stage| match stage {
            Stage::Receiving { waited_ms, .. } => Some(Stage::Offered { waited_ms, deadline_ms }),
            Stage::Waiting | Stage::Offered { .. } | Stage::Delivering { .. } => None,
        })
    }

    /// The receiver wants it: from `Offered` to `Delivering`.
    ///
    /// # Errors
    /// [`Refusal::TransferNotReady`] in any other stage.
    pub fn accept(&mut self, now: Now, id: TransferId) -> Result<&Upload, Refusal> {
        let deadline_ms = now.after(self.bounds.stall);
        self.advance(id, |stage| match stage {
            Stage::Offered { waited_ms, .. } => {
                Some(Stage::Delivering { waited_ms, deadline_ms, all_sent: false })
            }
            Stage::Waiting | Stage::Receiving { .. } | Stage::Delivering { .. } => None,
        })
    }

    /// Ends an upload in whatever stage; its slot or its place is free.
    pub fn end(&mut self, id: TransferId) -> Option<Upload> {
        let upload = self.uploads.remove(&id)?;
        if upload.stage == Stage::Waiting {
            self.line.retain(|&waiting| waiting != id);
        } else {
            self.holders.remove(&id);
        }
        Some(upload)
    }

    /// The uploads that a connection sends or is to receive.
    #[must_use]
    pub fn of(&self, conn: ConnId) -> Vec<TransferId> {
        let concerns = |upload: &&Upload| upload.from.conn == conn || upload.to.conn == conn;
        self.uploads.values().filter(concerns).map(|upload| upload.id).collect()
    }

    /// The earliest deadline of any upload.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.in_slots().filter_map(|upload| upload.stage.deadline()).map(|(at, _)| at).min()
    }

    /// An upload whose deadline is over, and how it is to end.
    #[must_use]
    pub fn overdue(&self, now: Now) -> Option<(TransferId, Ending)> {
        self.in_slots().find_map(|upload| {
            let (deadline_ms, ending) = upload.stage.deadline()?;
            (deadline_ms <= now.mono_ms).then_some((upload.id, ending))
        })
    }

    /// Checks the rules of this file, for tests and the simulation.
    ///
    /// # Panics
    /// When one is broken.
    pub fn check_invariants(&self) {
        assert!(self.used() <= self.bounds.slots, "more uploads than slots");
        assert!(self.line.len() <= self.bounds.waiting, "the line is too long");
        for id in &self.line {
            let upload = self.uploads.get(id).expect("the line names only uploads that exist");
            assert_eq!(upload.stage, Stage::Waiting, "{id} is in line and past it");
            let admissible = self.has_free_slot() && !self.holds_slot(upload.from.conn);
            assert!(!admissible, "{id} waits and could be admitted");
        }
        let past = self.uploads.values().filter(|upload| upload.stage != Stage::Waiting);
        let past: BTreeMap<_, _> = past.map(|upload| (upload.id, upload.from.conn)).collect();
        assert_eq!(past, self.holders, "slots and those who hold them differ");
        let senders: BTreeSet<_> = past.values().collect();
        assert_eq!(senders.len(), past.len(), "somebody holds several slots");
    }

    fn has_free_slot(&self) -> bool {
        !self.resting && self.used() < self.bounds.slots
    }

    fn holds_slot(&self, conn: ConnId) -> bool {
        self.holders.values().any(|&holder| holder == conn)
    }

    fn advance(
        &mut self,
        id: TransferId,
        step: impl FnOnce(Stage) -> Option<Stage>,
    ) -> Result<&Upload, Refusal> {
        let upload = self.uploads.get_mut(&id).ok_or(Refusal::NoSuchTransfer)?;
        upload.stage = step(upload.stage).ok_or(Refusal::TransferNotReady)?;
        upload.moved_bytes = 0;
        Ok(upload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        slots: 2,
        waiting: 3,
        stall: Duration::from_secs(30),
        offer_wait: Duration::from_secs(60),
    };

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, wall_ms: 0 }
    }

    fn party(slot: u32) -> Party {
        let name = UserName::parse(&format!("u{slot}")).unwrap();
        Party { conn: ConnId { slot, generation: 0 }, name }
    }

    fn announce(queue: &mut UploadQueue, now: Now, from: u32) -> Result<TransferId, Refusal> {
        let name = FileName::parse("f").unwrap();
        let result = queue.announce(now, party(from), party(99), name, 1);
        while queue.admit(now).is_some() {}
        queue.check_invariants();
        result
    }

    fn end(queue: &mut UploadQueue, now: Now, id: TransferId) -> Vec<TransferId> {
        queue.end(id);
        let admitted = std::iter::from_fn(|| queue.admit(now)).collect();
        queue.check_invariants();
        admitted
    }

    #[test]
    fn uploads_beyond_the_slots_wait_first_come_first_served() {
        let mut queue = UploadQueue::new(BOUNDS);
        let ids: Vec<_> =
            (0..5).map(|from| announce(&mut queue, at(from.into()), from).unwrap()).collect();
        assert_eq!((queue.used(), queue.waiting()), (2, 3));
        assert_eq!(ids.iter().map(|&id| queue.place(id)).collect::<Vec<_>>(), [0, 0, 1, 2, 3]);
        assert_eq!(end(&mut queue, at(1000), ids[1]), [ids[2]]);
        assert_eq!(queue.get(ids[2]).unwrap().stage.waited_ms(), Some(998));
        assert_eq!(queue.place(ids[3]), 1);
    }

    #[test]
    fn a_full_line_refuses_and_takes_again_when_it_moves() {
        let mut queue = UploadQueue::new(BOUNDS);
        let ids: Vec<_> = (0..5).map(|from| announce(&mut queue, at(0), from).unwrap()).collect();
        assert_eq!(announce(&mut queue, at(0), 9), Err(Refusal::QueueFull { waiting: 3 }));
        end(&mut queue, at(1), ids[4]);
        assert!(announce(&mut queue, at(2), 9).is_ok());
    }

    #[test]
    fn one_sender_does_not_fill_the_line() {
        let mut queue = UploadQueue::new(Bounds { waiting: 64, ..BOUNDS });
        for _ in 0..UPLOADS_A_USER {
            announce(&mut queue, at(0), 1).unwrap();
        }
        let limit = UPLOADS_A_USER as u64;
        assert_eq!(announce(&mut queue, at(0), 1), Err(Refusal::TooManyUploads { limit }));
        assert!(announce(&mut queue, at(0), 2).is_ok());
    }

    #[test]
    fn one_sender_has_one_slot_and_does_not_hold_up_others() {
        let mut queue = UploadQueue::new(BOUNDS);
        let first = announce(&mut queue, at(0), 1).unwrap();
        let second = announce(&mut queue, at(0), 1).unwrap();
        assert_eq!((queue.used(), queue.place(second)), (1, 1));
        let other = announce(&mut queue, at(0), 2).unwrap();
        assert_eq!((queue.used(), queue.place(other)), (2, 0));
        assert_eq!(end(&mut queue, at(5), first), [second]);
    }

    #[test]
    fn each_stage_leads_to_the_next_and_to_no_other() {
        let mut queue = UploadQueue::new(BOUNDS);
        let id = announce(&mut queue, at(0), 1).unwrap();
        assert_eq!(queue.accept(at(0), id), Err(Refusal::TransferNotReady));
        assert!(queue.complete(at(0), id).is_ok());
        assert_eq!(queue.complete(at(0), id), Err(Refusal::TransferNotReady));
        assert!(queue.accept(at(0), id).is_ok());
        assert_eq!(queue.accept(at(0), id), Err(Refusal::TransferNotReady));
        assert_eq!(queue.used(), 1);
        assert!(queue.end(id).is_some());
        assert_eq!(queue.used(), 0);
        assert_eq!(queue.accept(at(0), id), Err(Refusal::NoSuchTransfer));
        assert!(queue.end(id).is_none());
    }

    #[test]
    fn a_stalled_sender_and_a_silent_receiver_are_overdue() {
        let mut queue = UploadQueue::new(BOUNDS);
        let id = announce(&mut queue, at(0), 1).unwrap();
        assert_eq!(queue.next_deadline_ms(), Some(30_000));
        queue.progress(at(10_000), id, STALL_BYTES - 1);
        assert_eq!(queue.overdue(at(30_000)), Some((id, Ending::Stalled)));
        queue.progress(at(20_000), id, 1);
        assert_eq!(queue.overdue(at(49_999)), None);
        assert_eq!(queue.overdue(at(50_000)), Some((id, Ending::Stalled)));
        queue.complete(at(50_000), id).unwrap();
        queue.progress(at(60_000), id, STALL_BYTES);
        assert_eq!(queue.overdue(at(110_000)), Some((id, Ending::Unanswered)));
    }
}
