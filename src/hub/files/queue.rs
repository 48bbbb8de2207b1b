//! The upload queue: who may send a file now, who waits, and for how long.
//!
//! Knows neither how far bytes are (`transfer.rs`) nor disks nor who hears of it (`slots.rs`).
//!
//! The rules it keeps (invariant 9): slots in use are exactly the uploads past `Waiting`, never
//! more than the limit; of one sender at most one is past `Waiting`; the line is first come, first
//! served among those whose sender has no slot; nothing waits that could be admitted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::transfer::{Draft, Party, Stage, Upload};
use crate::id::{ConnId, Now, TransferId};
use crate::limits::UPLOADS_A_USER;
use crate::message::Refusal;

/// The bounds of the queue.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Uploads past `Waiting` at once.
    pub slots: usize,
    /// Uploads in `Waiting` at once.
    pub waiting: usize,
    /// Time without progress after which bytes have stalled.
    pub stall: Duration,
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
    /// The uploads that hold a slot: no user holds two. So what looks at slots does not grow with
    /// the line.
    holders: BTreeSet<TransferId>,
}

impl UploadQueue {
    /// An empty queue that gives out numbers from `next_id` on.
    #[must_use]
    pub fn new(bounds: Bounds, next_id: u32) -> Self {
        Self {
            bounds,
            next_id: next_id.max(1),
            resting: false,
            uploads: BTreeMap::new(),
            line: VecDeque::new(),
            holders: BTreeSet::new(),
        }
    }

    /// The upload of a number.
    #[must_use]
    pub fn get(&self, id: TransferId) -> Option<&Upload> {
        self.uploads.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: TransferId) -> Option<&mut Upload> {
        self.uploads.get_mut(&id)
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
        self.holders.iter().filter_map(|id| self.uploads.get(id))
    }

    /// All of them, oldest number first.
    pub fn iter(&self) -> impl Iterator<Item = &Upload> {
        self.uploads.values()
    }

    /// Place in the line from 1; 0 for an upload that does not wait.
    #[must_use]
    pub fn place(&self, id: TransferId) -> usize {
        self.line.iter().position(|&waiting| waiting == id).map_or(0, |index| index + 1)
    }

    /// Whether a number has been given out, be its transfer over or not.
    #[must_use]
    pub(crate) fn was_issued(&self, id: TransferId) -> bool {
        id.0 != 0 && id.0 < self.next_id
    }

    /// Puts an upload in line, of which `stored` bytes are there since an earlier try. It has its
    /// slot when [`Self::admit`] says so.
    ///
    /// # Errors
    /// [`Refusal::QueueFull`] when it can neither be admitted nor wait, and
    /// [`Refusal::TooManyUploads`] when the sender has as many as one user may have.
    pub fn announce(&mut self, now: Now, draft: Draft, stored: u64) -> Result<TransferId, Refusal> {
        let from = draft.from;
        let own = self.uploads.values().filter(|upload| upload.burdens(from));
        if own.count() >= UPLOADS_A_USER {
            return Err(Refusal::TooManyUploads { limit: UPLOADS_A_USER as u64 });
        }
        let at_once = self.has_free_slot() && !self.holds_slot(from);
        if !at_once && self.line.len() >= self.bounds.waiting {
            return Err(Refusal::QueueFull { waiting: self.line.len() as u64 });
        }
        if self.next_id == u32::MAX {
            // A number is never another file's: after four thousand million files there is none.
            return Err(Refusal::ServerFull { size: draft.size });
        }
        let id = TransferId(self.next_id);
        self.next_id += 1;
        self.uploads.insert(id, Upload::new(id, draft, now.mono_ms, stored));
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
            self.uploads.get(id).is_some_and(|upload| !self.holds_slot(upload.draft.from))
        })?;
        let id = self.line.remove(index)?;
        let deadline_ms = now.after(self.bounds.stall);
        let upload = self.uploads.get_mut(&id)?;
        let waited_ms = now.mono_ms.saturating_sub(upload.announced_ms);
        upload.stage = Stage::Receiving { waited_ms, deadline_ms };
        self.holders.insert(id);
        Some(id)
    }

    /// `bytes` moved: once enough have, the upload has not stalled.
    pub fn progress(&mut self, now: Now, id: TransferId, bytes: u64) {
        if let Some(upload) = self.uploads.get_mut(&id) {
            upload.put_off(bytes, now.after(self.bounds.stall));
        }
    }

    /// All bytes have arrived: from `Receiving` to `Finishing`.
    ///
    /// # Errors
    /// [`Refusal::TransferNotReady`] in any other stage, and [`Refusal::NoSuchTransfer`].
    pub(crate) fn complete(&mut self, id: TransferId) -> Result<&Upload, Refusal> {
        let upload = self.uploads.get_mut(&id).ok_or(Refusal::NoSuchTransfer)?;
        let Stage::Receiving { waited_ms, .. } = upload.stage else {
            return Err(Refusal::TransferNotReady);
        };
        upload.stage = Stage::Finishing { waited_ms };
        Ok(upload)
    }

    /// A user comes back for an upload that is finishing: its end is told on this connection.
    pub(crate) fn adopt(&mut self, id: TransferId, conn: ConnId) {
        if let Some(upload) = self.uploads.get_mut(&id)
            && matches!(upload.stage, Stage::Finishing { .. })
        {
            upload.draft.from.conn = conn;
        }
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

    /// The uploads that a connection sends, or that are for the guest on it, and can be ended.
    #[must_use]
    pub fn of(&self, conn: ConnId) -> Vec<TransferId> {
        let concerns = |upload: &&Upload| {
            let ends = [Some(upload.draft.from.conn), upload.draft.guest].contains(&Some(conn));
            ends && !matches!(upload.stage, Stage::Finishing { .. })
        };
        self.uploads.values().filter(concerns).map(|upload| upload.id).collect()
    }

    /// The earliest deadline of any upload.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.in_slots().filter_map(|upload| upload.stage.deadline_ms()).min()
    }

    /// The uploads that have stalled.
    pub(crate) fn overdue(&self, now: Now) -> impl Iterator<Item = &Upload> {
        let is_over = move |upload: &&Upload| {
            upload.stage.deadline_ms().is_some_and(|deadline_ms| deadline_ms <= now.mono_ms)
        };
        self.in_slots().filter(is_over)
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
            let admissible = self.has_free_slot() && !self.holds_slot(upload.draft.from);
            assert!(!admissible, "{id} waits and could be admitted");
        }
        let past = self.uploads.values().filter(|upload| upload.stage != Stage::Waiting);
        let past: BTreeSet<_> = past.map(|upload| upload.id).collect();
        assert_eq!(past, self.holders, "slots and those who hold them differ");
        let receiving = self.in_slots().filter(|u| matches!(u.stage, Stage::Receiving { .. }));
        let senders: Vec<_> = receiving.map(|upload| upload.draft.from.name.key()).collect();
        let several: BTreeSet<_> = senders.iter().collect();
        assert_eq!(several.len(), senders.len(), "somebody holds several slots");
        for upload in self.uploads.values() {
            upload.flow.check_invariants(upload.id);
        }
    }

    fn has_free_slot(&self) -> bool {
        !self.resting && self.used() < self.bounds.slots
    }

    /// Whether a user has a slot. One that is finishing, for another session, does not count.
    fn holds_slot(&self, of: Party) -> bool {
        self.in_slots().any(|upload| upload.burdens(of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::STALL_BYTES;
    use crate::message::{FileName, Target, UserName};

    const BOUNDS: Bounds = Bounds { slots: 2, waiting: 3, stall: Duration::from_secs(30) };

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, wall_ms: 0 }
    }

    fn party(slot: u32) -> Party {
        let name = UserName::parse(&format!("u{slot}")).unwrap();
        Party { conn: ConnId { slot, generation: 0 }, name }
    }

    fn announce(queue: &mut UploadQueue, now: Now, from: u32) -> Result<TransferId, Refusal> {
        let draft = Draft {
            from: party(from),
            owner: None,
            to: Target::User(UserName::parse("u99").unwrap()),
            receiver: None,
            guest: Some(ConnId { slot: 99, generation: 0 }),
            name: FileName::parse("f").unwrap(),
            size: 1,
            hash: None,
            partial: None,
        };
        let result = queue.announce(now, draft, 0);
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
        let mut queue = UploadQueue::new(BOUNDS, 1);
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
        let mut queue = UploadQueue::new(BOUNDS, 1);
        let ids: Vec<_> = (0..5).map(|from| announce(&mut queue, at(0), from).unwrap()).collect();
        assert_eq!(announce(&mut queue, at(0), 9), Err(Refusal::QueueFull { waiting: 3 }));
        end(&mut queue, at(1), ids[4]);
        assert!(announce(&mut queue, at(2), 9).is_ok());
    }

    #[test]
    fn one_sender_does_not_fill_the_line() {
        let mut queue = UploadQueue::new(Bounds { waiting: 64, ..BOUNDS }, 1);
        for _ in 0..UPLOADS_A_USER {
            announce(&mut queue, at(0), 1).unwrap();
        }
        let limit = UPLOADS_A_USER as u64;
        assert_eq!(announce(&mut queue, at(0), 1), Err(Refusal::TooManyUploads { limit }));
        assert!(announce(&mut queue, at(0), 2).is_ok());
    }

    #[test]
    fn one_sender_has_one_slot_and_does_not_hold_up_others() {
        let mut queue = UploadQueue::new(BOUNDS, 1);
        let first = announce(&mut queue, at(0), 1).unwrap();
        let second = announce(&mut queue, at(0), 1).unwrap();
        assert_eq!((queue.used(), queue.place(second)), (1, 1));
        let other = announce(&mut queue, at(0), 2).unwrap();
        assert_eq!((queue.used(), queue.place(other)), (2, 0));
        assert_eq!(end(&mut queue, at(5), first), [second]);
    }

    #[test]
    fn each_stage_leads_to_the_next_and_to_no_other() {
        let mut queue = UploadQueue::new(BOUNDS, 1);
        let id = announce(&mut queue, at(0), 1).unwrap();
        let waiting = announce(&mut queue, at(0), 1).unwrap();
        assert_eq!(queue.complete(waiting), Err(Refusal::TransferNotReady));
        assert!(queue.complete(id).is_ok());
        assert_eq!(queue.complete(id), Err(Refusal::TransferNotReady));
        assert_eq!((queue.used(), queue.place(waiting)), (1, 1));
        assert!(queue.end(id).is_some());
        assert_eq!(queue.complete(id), Err(Refusal::NoSuchTransfer));
        assert!(queue.end(id).is_none());
    }

    #[test]
    fn what_is_finishing_ends_without_its_sender_and_can_be_asked_for_again() {
        let mut queue = UploadQueue::new(BOUNDS, 1);
        let id = announce(&mut queue, at(0), 1).unwrap();
        let guest = ConnId { slot: 99, generation: 0 };
        assert_eq!((queue.of(party(1).conn), queue.of(guest)), (vec![id], vec![id]));
        queue.complete(id).unwrap();
        assert_eq!((queue.of(party(1).conn), queue.of(guest)), (vec![], vec![]));
        let again = ConnId { slot: 2, generation: 0 };
        queue.adopt(id, again);
        queue.check_invariants();
        let draft = queue.get(id).unwrap().draft.clone();
        let second = queue.announce(at(0), draft, 0).unwrap();
        assert_eq!(queue.admit(at(0)), None, "the slot is that of the new connection");
        assert_eq!(queue.place(second), 1);
    }

    #[test]
    fn a_stalled_sender_is_overdue_and_what_is_finishing_never() {
        let mut queue = UploadQueue::new(BOUNDS, 1);
        let id = announce(&mut queue, at(0), 1).unwrap();
        assert_eq!(queue.next_deadline_ms(), Some(30_000));
        queue.progress(at(10_000), id, STALL_BYTES - 1);
        let overdue =
            |queue: &UploadQueue, ms| queue.overdue(at(ms)).next().map(|upload| upload.id);
        assert_eq!(overdue(&queue, 30_000), Some(id));
        queue.progress(at(20_000), id, 1);
        assert_eq!(overdue(&queue, 49_999), None);
        assert_eq!(overdue(&queue, 50_000), Some(id));
        queue.complete(id).unwrap();
        assert_eq!((overdue(&queue, 1_000_000), queue.next_deadline_ms()), (None, None));
    }
}
