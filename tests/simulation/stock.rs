//! How files come and go: each comes as it was announced, there is room for it, and it goes for a
//! reason or not at all.
//!
//! It follows the log's facts, the jobs of the disk and the store, and their outcomes.

use parlor::facts::{FileFact, Parcel};
use parlor::id::{Now, TransferId, millis};
use parlor::job::{FileJob, StoreJob, StoreOutcome, StoredFile};
use parlor::limits::GUEST_RETURN;
use parlor::message::{Target, UserName};

use super::oracle::{Member, Oracle, lower};
use super::shelf::{Cause, Record};
use super::store::sha256;

impl Oracle {
    /// A guest has left, for good or perhaps not.
    pub(crate) fn note_guest_gone(&mut self, member: &Member, now_ms: u64, for_good: bool) {
        if member.account.is_none() {
            self.shelf.gone.insert(member.session, (now_ms, for_good));
        }
        // The last of several downloads may be read on while the first ones are stopped.
        self.shelf.left.push(member.conn.clone());
    }

    /// The log says something of a file that is no upload any more.
    pub(crate) fn note_shelved(&mut self, fact: &FileFact) {
        let (transfer, cause) = match fact {
            FileFact::Sent { transfer, file, user } => {
                return self.note_taking(*transfer, file, *user);
            }
            FileFact::Delivered { transfer, user, .. } => {
                (transfer, Cause::Parted { by: lower(*user), took: true })
            }
            FileFact::Rejected { transfer, user, .. } => {
                (transfer, Cause::Parted { by: lower(*user), took: false })
            }
            FileFact::Withdrawn { transfer, user } => {
                (transfer, Cause::Removed { by: lower(*user) })
            }
            FileFact::Orphaned { transfer, .. } => (transfer, Cause::ReceiverGone),
            FileFact::Expired { transfer, .. } => (transfer, Cause::TimeOver),
            FileFact::Announced { .. }
            | FileFact::UploadRefused { .. }
            | FileFact::Waiting { .. }
            | FileFact::Admitted { .. }
            | FileFact::Received { .. }
            | FileFact::UploadEnded { .. } => return,
        };
        self.shelf.cause = Some((transfer.0, cause));
    }

    fn note_taking(&mut self, transfer: TransferId, file: &Parcel, user: UserName) {
        let conn = self.users[&lower(user)].conn.clone();
        let record = self.shelf.records.get(&transfer.0);
        let line = &record.expect("what is taken is here").file.line;
        assert_eq!(*file, *Parcel::of(line), "{user} takes another file");
        self.shelf.taking.insert((conn, line.hash));
    }

    /// The disk is asked for something.
    pub(crate) fn note_file_job(&mut self, job: &FileJob) {
        match job {
            FileJob::Open { transfer, size, .. } => {
                self.line.opened(transfer.0);
                assert_eq!(*size, self.line.all[&transfer.0].file.size);
            }
            FileJob::Finish { transfer, .. } => self.line.finishes(transfer.0),
            FileJob::Close { transfer, keep } => self.line.closed.push((transfer.0, *keep)),
            FileJob::Read { blob, .. } => {
                let is_taken = self.shelf.taking.iter().any(|(_, taken)| taken == blob);
                assert!(is_taken, "{blob} is read for nobody");
            }
            FileJob::Delete { blob } => {
                let needed = self.shelf.needed();
                assert!(!needed.contains(blob), "{blob} is deleted and needed");
            }
            _ => {}
        }
    }

    /// The store is asked to take down a file, or to forget one.
    pub(crate) fn note_store_job(&mut self, now: Now, job: &StoreJob) {
        match job {
            StoreJob::AddFile(file) => self.check_new(now, file),
            StoreJob::RemoveFile { transfer } => self.check_removal(now, transfer.0),
            _ => {}
        }
    }

    fn check_new(&self, now: Now, file: &StoredFile) {
        let line = &file.line;
        let announced = &self.line.all[&line.transfer.0];
        let keep = match line.to {
            Target::User(_) | Target::Room(_) => self.shelf.limits.files_keep,
            Target::Shelf(_) | Target::Public => self.shelf.limits.shelf_keep,
        };
        assert!(line.from.as_str().eq_ignore_ascii_case(&announced.from));
        assert_eq!((file.owner, file.receiver), (announced.owner, announced.receiver));
        let what = (&line.to, &line.name, line.size);
        let file = &announced.file;
        assert_eq!(what, (&file.to, &file.name, file.size));
        assert_eq!(Some(&line.hash), self.shelf.adding.get(&line.transfer.0));
        assert_eq!(line.sha256, sha256(line.hash));
        assert_eq!((line.at, line.until), (now.wall_ms, now.wall_ms + millis(keep)));
    }

    fn check_removal(&mut self, now: Now, number: u32) {
        let (which, cause) = self.shelf.cause.clone().expect("the log says why a file goes");
        assert_eq!(which, number, "the log says why another file goes");
        let record = self.shelf.records.get_mut(&number).expect("what goes is here");
        let again = record.goes && record.cause == Some(cause.clone());
        assert!(!record.goes || again || cause == Cause::TimeOver, "{number} goes twice");
        record.goes = true;
        self.shelf.leaving.insert(number);
        if record.cause.is_none() {
            record.cause = Some(cause.clone());
        }
        let record = record.clone();
        match cause {
            Cause::Parted { by, took } => {
                let how = if took { "received" } else { "reject" };
                let conn = self.users[&by].conn.clone();
                assert!(self.shelf.asked.contains(&(conn, number, how)), "nobody {how} {number}");
                assert!(record.is_for(&self.users[&by]), "{by} parts with {number}, another's");
            }
            Cause::Removed { by } => {
                let conn = self.users[&by].conn.clone();
                assert!(self.shelf.asked.contains(&(conn, number, "remove")));
                assert!(record.is_from(&self.users[&by]) || record.unsure, "{by} removes {number}");
            }
            // One that nobody wants any more is asked for again with these words.
            Cause::TimeOver if again || record.cause != Some(Cause::TimeOver) => {}
            Cause::TimeOver => {
                assert!(record.file.line.until <= now.wall_ms, "{number} goes before its time");
            }
            Cause::ReceiverGone => {
                self.shelf.orphaned.push(number);
                if let Some(conn) = self.sender_of(&record) {
                    self.shelf.lost.entry(conn).or_default().push_back(number);
                }
            }
        }
    }

    fn sender_of(&self, record: &Record) -> Option<String> {
        let from = record.file.line.from.as_str().to_ascii_lowercase();
        let member = self.users.get(&from)?;
        record.is_from(member).then(|| member.conn.clone())
    }

    /// All that comes with an input has been seen.
    pub(crate) fn settle_files(&mut self, now: Now) {
        self.line.settle();
        self.line.check_closed();
        for left in std::mem::take(&mut self.shelf.left) {
            self.shelf.taking.retain(|(conn, _)| *conn != left);
        }
        for number in std::mem::take(&mut self.shelf.orphaned) {
            let record = &self.shelf.records[&number];
            let (to, receiver) = (record.file.line.to, record.file.receiver);
            assert!(matches!(to, Target::User(_)) && receiver.is_none(), "{number} has a receiver");
            let gone = record.to_session.and_then(|session| self.shelf.gone.get(&session));
            let is_lost = record.to_session.is_none()
                || gone.is_some_and(|(at_ms, for_good)| {
                    *for_good || at_ms + millis(GUEST_RETURN) <= now.mono_ms
                });
            assert!(is_lost, "{number} goes, and its receiver may come back");
        }
    }

    /// The engine is about to be told how a job went.
    pub(crate) fn note_file_told(&mut self, job: &StoreJob, outcome: &StoreOutcome) {
        let is_done = *outcome == StoreOutcome::Done;
        match job {
            StoreJob::AddFile(file) => {
                let number = file.line.transfer.0;
                self.line.current = Some(number);
                self.shelf.adding.remove(&number);
                if is_done {
                    self.note_added(number, file);
                }
            }
            StoreJob::RemoveFile { transfer } if is_done => self.note_forgotten(transfer.0),
            StoreJob::RemoveFile { transfer } => {
                let record = self.shelf.records.get_mut(&transfer.0).expect("it is here");
                if matches!(record.cause, Some(Cause::Parted { .. } | Cause::Removed { .. })) {
                    (record.goes, record.cause) = (false, None);
                }
            }
            _ => {}
        }
    }

    fn note_added(&mut self, number: u32, file: &StoredFile) {
        let announced = &self.line.all[&number];
        let guest_on =
            |conn: &str| self.member_on(conn).filter(|m| m.account.is_none()).map(|m| m.session);
        let mut record = Record::new(file.clone());
        record.from_session = guest_on(&announced.conn);
        record.to_session = announced.guest.as_deref().and_then(guest_on);
        record.unsure = file.owner.is_none() && !self.line.adopters.is_empty();
        let from = file.line.from.as_str();
        let told: Vec<String> = match file.line.to {
            Target::User(user) => {
                let member = self.users.get(&user.as_str().to_ascii_lowercase());
                let told = member.filter(|member| {
                    record.is_for(member) && !self.has_blocked(&member.name, from)
                });
                told.map(|member| member.conn.clone()).into_iter().collect()
            }
            Target::Room(room) => {
                let is_told = |member: &&Member| {
                    let own = member.room.as_deref().unwrap_or_default();
                    own.eq_ignore_ascii_case(room.as_str())
                        && !member.name.eq_ignore_ascii_case(from)
                        && !self.has_blocked(&member.name, from)
                };
                self.users.values().filter(is_told).map(|member| member.conn.clone()).collect()
            }
            Target::Shelf(_) | Target::Public => Vec::new(),
        };
        for conn in told {
            self.shelf.offers.entry(conn).or_default().push_back(number);
        }
        self.shelf.stored += 1;
        self.shelf.records.insert(number, record);
    }

    fn note_forgotten(&mut self, number: u32) {
        let record = self.shelf.records.remove(&number).expect("what is forgotten was here");
        if let Some(Cause::Parted { by, took }) = &record.cause {
            self.shelf.parted += 1;
            if let Some(conn) = self.sender_of(&record) {
                let receipt = (number, by.clone(), *took);
                self.shelf.receipts.entry(conn).or_default().push_back(receipt);
            }
        }
    }

    /// The log says that an upload was announced: there is room for it.
    pub(crate) fn check_room(&self, from: &str, size: u64) {
        let limits = &self.shelf.limits;
        let (own, all) = self.taken_by(from);
        assert!(own.saturating_add(size) <= limits.files_user_bytes, "{from} has {own} bytes");
        assert!(all.saturating_add(size) <= limits.files_total_bytes, "all have {all} bytes");
    }

    /// The log says that an upload was refused because the sender has too much here.
    pub(crate) fn check_quota(&self, from: &str, size: u64, used: u64, limit: u64) {
        let halves = self.line.halves.iter().filter(|(whose, ..)| *whose == from);
        let (least, halves) = (self.taken_by(from).0, halves.map(|half| half.3).sum::<u64>());
        assert!(used <= least + halves, "{from} has {least} bytes here, not {used}");
        assert!(used >= least && used + size > limit, "{from} has room for {size} bytes");
    }

    /// What the files of somebody, and those of all, take at least: half files come on top.
    pub(crate) fn taken_by(&self, from: &str) -> (u64, u64) {
        let stored = self.shelf.records.values().map(|record| {
            (record.file.line.from.as_str().to_ascii_lowercase(), record.file.line.size)
        });
        let coming = self.line.open().map(|(_, upload)| (upload.from.clone(), upload.file.size));
        let (mut own, mut all) = (0, 0);
        for (whose, bytes) in stored.chain(coming) {
            own += if whose == from.to_ascii_lowercase() { bytes } else { 0 };
            all += bytes;
        }
        (own, all)
    }
}
