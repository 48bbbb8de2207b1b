//! Files: on their way here, here, and on their way out.
//!
//! Knows no bytes. What each file of the room holds, its name says; the rules are written there.

mod announce;
mod calendar;
mod offers;
mod pattern;
mod queue;
mod receiving;
mod removal;
mod sight;
mod slots;
mod stored;
mod sweep;
mod taking;
mod transfer;

use std::collections::{BTreeSet, VecDeque};

use calendar::Calendar;
pub use queue::{Bounds, UploadQueue};
use stored::StoredFiles;
pub use transfer::{Draft, Party, Stage, Upload};

use super::{Buckets, Out, People, Rooms, Rules};
use crate::id::{ConnId, Now, TransferId};
use crate::job;
use crate::limits::Limits;
use crate::message::{Digest, Ending};

/// What is known of files.
#[derive(Debug)]
pub(super) struct FilesState {
    queue: UploadQueue,
    stored: StoredFiles,
    /// Who takes which file.
    downloads: BTreeSet<(ConnId, TransferId)>,
    /// Files that were taken or refused a while ago, the oldest first.
    taken: VecDeque<job::StoredFile>,
    /// Contents that no file has, as far as is known.
    doomed: BTreeSet<Digest>,
    /// Bytes that the disk has room for.
    free_bytes: u64,
    /// Time of the next sweep, on the monotonic clock; `None` while there is nothing to expire.
    sweep_ms: Option<u64>,
    calendar: Calendar,
    /// It was told that files wait for the clock to be believed.
    clock_told: bool,
}

/// Files, with what they borrow of the others.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    pub(super) own: &'a mut FilesState,
    pub(super) people: &'a People,
    pub(super) rooms: &'a Rooms,
    pub(super) pace: &'a mut Buckets,
    pub(super) rules: &'a Rules,
    pub(super) out: &'a mut Out,
}

impl FilesState {
    pub(super) fn new(limits: &Limits, stored: job::Catalogue, halves: Vec<job::Half>) -> Self {
        let count = |bound: u64| usize::try_from(bound).unwrap_or(usize::MAX);
        let bounds = Bounds {
            slots: count(limits.upload_slots),
            waiting: count(limits.upload_waiting),
            stall: limits.upload_stall,
        };
        let queue = UploadQueue::new(bounds, stored.next);
        let stored = StoredFiles::new(stored, halves);
        Self {
            queue,
            // Files that expired while the server was off are removed by the first sweep.
            sweep_ms: (!stored.is_empty()).then_some(0),
            calendar: Calendar::new(stored.all().map(|entry| entry.file.line.at).max()),
            clock_told: false,
            stored,
            downloads: BTreeSet::new(),
            taken: VecDeque::new(),
            doomed: BTreeSet::new(),
            free_bytes: u64::MAX,
        }
    }

    pub(super) fn queue(&self) -> &UploadQueue {
        &self.queue
    }

    /// When there is something to do, on the monotonic clock.
    pub(super) fn next_deadline_ms(&self) -> Option<u64> {
        [self.queue.next_deadline_ms(), self.sweep_ms].into_iter().flatten().min()
    }

    /// The connections whose uploads have stalled.
    pub(super) fn stalled(&self, now: Now) -> impl Iterator<Item = ConnId> {
        self.queue.overdue(now).map(|upload| upload.draft.from.conn)
    }

    /// A guest has come back: what was the earlier login's is the later one's.
    pub(super) fn rebind(&mut self, was: u64, is: u64) {
        self.stored.rebind(was, is);
    }

    /// Checks that what is counted agrees with what is there, for tests and the simulation.
    pub(super) fn check_invariants(&self, people: &People) {
        self.queue.check_invariants();
        self.stored.check_invariants();
        for upload in self.queue.iter().filter(|upload| !upload.is_finishing()) {
            let from = upload.draft.from;
            assert_eq!(people.name_of(from.conn), Ok(from.name), "an upload of somebody gone");
            let guest = upload.draft.guest;
            assert!(guest.is_none_or(|conn| people.user_of(conn).is_ok()), "an upload for nobody");
        }
        for (conn, transfer) in &self.downloads {
            assert!(people.user_of(*conn).is_ok(), "a download of somebody gone");
            assert!(self.stored.get(*transfer).is_some(), "a download of a file that is gone");
        }
        let draft_halves = self.queue.iter().filter_map(|upload| upload.draft.partial);
        for id in draft_halves {
            assert!(self.stored.halves().all(|half| half.id != id), "half a file is used twice");
        }
    }
}

impl Files<'_> {
    /// The user who is logged in on a connection will not be any more: nothing is sent or taken
    /// there.
    pub(super) fn end_session(&mut self, now: Now, conn: ConnId, for_good: bool) {
        self.end_uploads_of(now, conn);
        self.end_downloads_of(conn);
        let Ok(user) = self.people.user_of(conn) else { return };
        // An errand beside its guest ends for itself alone.
        let is_beside = self.people.is_errand(conn) && {
            let mut all = self.people.all_of(user.name.key());
            all.any(|other| other != conn)
        };
        if user.account.is_none() && !is_beside {
            self.end_guest(now, user, for_good);
        }
    }

    /// Time has passed.
    pub(super) fn handle_time(&mut self, now: Now) {
        let stalled: Vec<_> = self.own.queue.overdue(now).map(|upload| upload.id).collect();
        for id in stalled {
            self.end_upload(now, id, Ending::Stalled);
        }
        self.sweep(now);
    }
}
