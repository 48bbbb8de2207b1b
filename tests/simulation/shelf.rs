//! The files that the server has: who sent each, who may see it, who must be told, and why it goes.
//!
//! It follows the log, the jobs of the store and their outcomes, and knows nothing of how the
//! server keeps them. A file is here from the moment in which the engine is told that its record is
//! durable, and goes for a reason or not at all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor::id::{Now, millis};
use parlor::job::{FileJob, StoreJob, StoreOutcome, StoredFile};
use parlor::limits::{GUEST_RETURN, Limits, OFFERS_AT_ONCE};
use parlor::message::{Digest, FileLine, Target};

use super::oracle::{Member, Oracle};
use super::store::sha256;

/// Why a file goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Parted { by: String, took: bool },
    Removed { by: String },
    TimeOver,
    ReceiverGone,
}

#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) file: StoredFile,
    /// Which login of a guest sent it, or is to have it.
    from_session: Option<u64>,
    to_session: Option<u64>,
    /// Which guest has sent it is not known.
    unsure: bool,
    /// It is being removed.
    goes: bool,
    cause: Option<Cause>,
}

/// A request whose answer depends on which files somebody sees.
#[derive(Debug)]
pub(crate) struct Watch {
    id: u64,
    conn: String,
    /// What was to be seen all the time since it was asked, and what at any moment.
    pub(crate) must: BTreeSet<u32>,
    pub(crate) may: BTreeSet<u32>,
}

#[derive(Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) limits: Limits,
    pub(crate) records: BTreeMap<u32, Record>,
    /// What the store holds.
    durable: BTreeMap<u32, StoredFile>,
    /// All that were ever here; whose number is never given to another one.
    pub(crate) history: BTreeMap<u32, StoredFile>,
    pub(crate) contents: BTreeMap<Digest, Vec<u8>>,
    /// Whole, and their records under way.
    adding: BTreeMap<u32, Digest>,
    /// What the log has just said of why one goes.
    cause: Option<Cause>,
    /// Removals to be looked at when it is known who has gone.
    orphaned: Vec<u32>,
    /// Files that must be offered to a connection, in their order.
    pub(crate) offers: BTreeMap<String, VecDeque<u32>>,
    pub(crate) receipts: BTreeMap<String, VecDeque<(u32, String, bool)>>,
    /// Files of a connection that are for nobody any more.
    pub(crate) lost: BTreeMap<String, VecDeque<u32>>,
    watches: Vec<Watch>,
    next_watch: u64,
    /// Guests that are gone: when, and whether for good.
    gone: BTreeMap<u64, (u64, bool)>,
    /// Tokens of guests, each with the login that it was given for.
    tokens: BTreeMap<String, u64>,
    /// Tokens that connections have shown last.
    pub(crate) shown: BTreeMap<String, String>,
    /// What was asked to be parted with: on which connection, what, how.
    pub(crate) asked: BTreeSet<(String, u32, &'static str)>,
    /// Files that were to go at any time.
    leaving: BTreeSet<u32>,
    /// Contents that a connection takes.
    taking: BTreeSet<(String, Digest)>,
    /// Connections that take nothing any more.
    left: Vec<String>,
    pub(crate) free_bytes: Option<u64>,
    pub(crate) stored: u64,
    pub(crate) offered: u64,
    pub(crate) parted: u64,
}

impl Shelf {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), ..Self::default() }
    }

    pub(crate) fn note_token(&mut self, token: &str, session: u64) {
        self.tokens.entry(token.to_owned()).or_insert(session);
    }

    /// Forgets what was to be told to a connection that has ended.
    pub(crate) fn restart(&mut self, stored: &[StoredFile]) {
        let known: Vec<&StoredFile> = self.durable.values().collect();
        assert_eq!(known, stored.iter().collect::<Vec<_>>(), "the store has other files");
        self.records.clear();
        for file in stored {
            self.records.insert(file.line.transfer.0, Record::new(file.clone()));
        }
        self.adding.clear();
        self.offers.clear();
        self.receipts.clear();
        self.lost.clear();
        self.watches.clear();
        self.gone.clear();
        self.tokens.clear();
        self.shown.clear();
        self.taking.clear();
        self.orphaned.clear();
        (self.cause, self.free_bytes) = (None, None);
    }

    /// A job of the store has become durable.
    pub(crate) fn synced(&mut self, job: &StoreJob, outcome: &StoreOutcome) {
        if *outcome != StoreOutcome::Done {
            return;
        }
        match job {
            StoreJob::AddFile(file) => {
                let number = file.line.transfer.0;
                self.durable.insert(number, StoredFile::clone(file));
                let before = self.history.insert(number, StoredFile::clone(file));
                assert!(before.is_none(), "{number} is the number of two files");
            }
            StoreJob::RemoveFile { transfer } => {
                self.durable.remove(&transfer.0);
            }
            _ => {}
        }
    }

    pub(crate) fn was_durable(&self, transfer: u32) -> bool {
        self.history.contains_key(&transfer)
    }

    /// Contents that must be on the disk.
    pub(crate) fn needed(&self) -> BTreeSet<Digest> {
        let records = self.records.values().map(|record| record.file.line.hash);
        records.chain(self.adding.values().copied()).collect()
    }

    pub(crate) fn whole(&mut self, transfer: u32, hash: Digest, content: &[u8]) {
        self.adding.insert(transfer, hash);
        self.contents.entry(hash).or_insert_with(|| content.to_vec());
    }

    pub(crate) fn unwatch(&mut self, id: u64) -> Option<Watch> {
        let at = self.watches.iter().position(|watch| watch.id == id)?;
        Some(self.watches.remove(at))
    }

    /// Whether its removal has been asked for at any time.
    pub(crate) fn was_asked_to_go(&self, transfer: u32) -> bool {
        self.leaving.contains(&transfer)
    }
}

impl Record {
    fn new(file: StoredFile) -> Self {
        let (from_session, to_session) = (None, None);
        Self { file, from_session, to_session, unsure: false, goes: false, cause: None }
    }

    pub(crate) fn is_for(&self, member: &Member) -> bool {
        let Target::User(user) = self.file.line.to else { return false };
        user.as_str().eq_ignore_ascii_case(&member.name)
            && match member.account {
                Some(account) => self.file.receiver == Some(account),
                None => self.file.receiver.is_none() && self.to_session == Some(member.session),
            }
    }

    fn is_from(&self, member: &Member) -> bool {
        let line = &self.file.line;
        let shelved = matches!(line.to, Target::Shelf(_) | Target::Public);
        line.from.as_str().eq_ignore_ascii_case(&member.name)
            && match member.account {
                Some(account) => self.file.owner == Some(account),
                None => {
                    self.file.owner.is_none()
                        && (shelved || self.from_session == Some(member.session))
                }
            }
    }
}

impl Oracle {
    /// A request that depends on which files are seen is asked from now on.
    pub(crate) fn watch(&mut self, conn: &str) -> u64 {
        self.shelf.next_watch += 1;
        let id = self.shelf.next_watch;
        let may = self.seen_by(conn);
        let watch = Watch { id, conn: conn.to_owned(), must: may.clone(), may };
        self.shelf.watches.push(watch);
        id
    }

    /// Something may have changed who sees what.
    pub(crate) fn look(&mut self) {
        let mut watches = std::mem::take(&mut self.shelf.watches);
        for watch in &mut watches {
            let seen = self.seen_by(&watch.conn);
            watch.must.retain(|number| seen.contains(number));
            watch.may.extend(seen);
        }
        self.shelf.watches = watches;
    }

    fn seen_by(&self, conn: &str) -> BTreeSet<u32> {
        let Some(member) = self.member_on(conn) else { return BTreeSet::new() };
        let seen = self.shelf.records.iter().filter(|(_, record)| self.sees(member, record));
        seen.map(|(number, _)| *number).collect()
    }

    fn sees(&self, member: &Member, record: &Record) -> bool {
        if record.goes {
            return false;
        }
        let line = &record.file.line;
        let is_there =
            |room: &str| member.room.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(room));
        let hears = !self.has_blocked(&member.name, line.from.as_str());
        record.is_from(member)
            || match line.to {
                Target::User(_) => record.is_for(member) && hears,
                Target::Room(room) => is_there(room.as_str()) && hears,
                Target::Shelf(room) => is_there(room.as_str()),
                Target::Public => true,
            }
    }

    /// Files that are here of an account that has sent them to users.
    pub(crate) fn sent_by(&self, from: &str) -> Vec<FileLine> {
        let files = self.shelf.records.values().map(|record| &record.file);
        let own = files.filter(|file| {
            file.owner.is_some()
                && matches!(file.line.to, Target::User(_))
                && file.line.from.as_str().eq_ignore_ascii_case(from)
        });
        own.map(|file| file.line.clone()).collect()
    }

    /// Files that somebody has sent already.
    pub(crate) fn same_as(
        &self,
        from: &str,
        name: &str,
        size: u64,
        hash: Digest,
        to: Option<&str>,
    ) -> Vec<u32> {
        let is_same = |file: &&StoredFile| {
            let line = &file.line;
            let for_same = match (line.to, to) {
                (Target::User(user), Some(to)) => user.as_str().eq_ignore_ascii_case(to),
                (Target::User(_), None) => false,
                (_, to) => to.is_none(),
            };
            line.from.as_str().eq_ignore_ascii_case(from)
                && file.owner.is_some()
                && (line.name.as_str(), line.size, line.hash) == (name, size, hash)
                && for_same
        };
        let same = self.shelf.history.values().filter(is_same);
        same.map(|file| file.line.transfer.0).collect()
    }

    /// Whether the login that has just begun on a connection is a guest's who was here before.
    pub(crate) fn note_session(&mut self, conn: &str) {
        let Some(member) = self.member_on(conn).cloned() else { return };
        if member.account.is_none()
            && let Some(was) = self.shelf.shown.get(conn).and_then(|t| self.shelf.tokens.get(t))
        {
            let was = Some(*was);
            for record in self.shelf.records.values_mut() {
                if record.from_session == was {
                    record.from_session = Some(member.session);
                }
                if record.to_session == was {
                    record.to_session = Some(member.session);
                }
            }
        }
        self.owe_offers(conn, |_, record| record.is_for(&member));
    }

    /// Whether a file or an upload is of a user.
    pub(crate) fn is_from_user(&self, transfer: u32, user: &str) -> bool {
        let file = self.shelf.history.get(&transfer).map(|file| file.line.from.to_string());
        let upload = self.line.all.get(&transfer).map(|upload| upload.from.clone());
        file.or(upload).is_some_and(|from| from.eq_ignore_ascii_case(user))
    }

    /// What a connection must still be told of files, if there is something.
    pub(crate) fn owed_files(&self, conn: &str) -> String {
        let Shelf { offers, receipts, lost, .. } = &self.shelf;
        let mut owed = String::new();
        for (what, count) in [
            ("offers", offers.get(conn).map_or(0, VecDeque::len)),
            ("receipts", receipts.get(conn).map_or(0, VecDeque::len)),
            ("losses", lost.get(conn).map_or(0, VecDeque::len)),
            ("places", self.line.due.get(conn).map_or(0, VecDeque::len)),
        ] {
            if count > 0 {
                owed += &format!("{count} {what} ");
            }
        }
        owed
    }

    /// Somebody has come into a room.
    pub(crate) fn note_entered(&mut self, conn: &str) {
        let Some(member) = self.member_on(conn).cloned() else { return };
        let room = member.room.clone().expect("it is in a room");
        self.owe_offers(conn, |_, record| {
            let Target::Room(of) = record.file.line.to else { return false };
            of.as_str().eq_ignore_ascii_case(&room) && !record.is_from(&member)
        });
    }

    fn owe_offers(&mut self, conn: &str, is_meant: impl Fn(u32, &Record) -> bool) {
        let Some(member) = self.member_on(conn) else { return };
        let meant = self.shelf.records.iter().rev().filter(|(number, record)| {
            let hears = !self.has_blocked(&member.name, record.file.line.from.as_str());
            !record.goes && hears && is_meant(**number, record)
        });
        let mut newest: Vec<u32> = meant.map(|(number, _)| *number).take(OFFERS_AT_ONCE).collect();
        newest.reverse();
        self.shelf.offers.entry(conn.to_owned()).or_default().extend(newest);
    }

    /// A guest is gone, for good or perhaps not.
    pub(crate) fn note_guest_gone(&mut self, member: &Member, now_ms: u64, for_good: bool) {
        if member.account.is_none() {
            self.shelf.gone.insert(member.session, (now_ms, for_good));
        }
        // The last of several downloads may be read on while the first ones are stopped.
        self.shelf.left.push(member.conn.clone());
    }

    /// The log says something of a file that is no upload any more.
    pub(crate) fn note_shelved(&mut self, text: &str) {
        if let Some(rest) = text.strip_prefix("Removed: ") {
            let cause = if rest.ends_with("its time is over") {
                Cause::TimeOver
            } else {
                Cause::ReceiverGone
            };
            self.shelf.cause = Some(cause);
        } else if let Some((by, _)) = text.split_once(" removes transfer ") {
            self.shelf.cause = Some(Cause::Removed { by: by.to_ascii_lowercase() });
        } else if let Some((what, by)) = text.rsplit_once(" by ")
            && (what.starts_with("Delivered: ") || what.starts_with("Rejected: "))
        {
            let took = what.starts_with("Delivered");
            self.shelf.cause = Some(Cause::Parted { by: by.to_ascii_lowercase(), took });
        } else if let Some((what, to)) = text.rsplit_once(" to ")
            && let Some(what) = what.strip_prefix("Sent: ")
        {
            self.note_taking(what, &to.to_ascii_lowercase());
        }
    }

    fn note_taking(&mut self, what: &str, to: &str) {
        let conn = self.users[to].conn.clone();
        let of = |record: &&Record| {
            let line = &record.file.line;
            let (from, to, name, size) = (line.from, line.to, line.name.as_str(), line.size);
            format!("{from} -> {to} ({}, {size} bytes)", parlor::message::visible(name)) == what
        };
        let hashes: Vec<Digest> =
            self.shelf.records.values().filter(of).map(|record| record.file.line.hash).collect();
        assert!(!hashes.is_empty(), "{to} takes {what}, which is not here");
        self.shelf.taking.extend(hashes.into_iter().map(|hash| (conn.clone(), hash)));
    }

    /// The disk is asked for something.
    pub(crate) fn note_file_job(&mut self, job: &FileJob) {
        match job {
            FileJob::Open { transfer, size, .. } => {
                self.line.opened(transfer.0);
                assert_eq!(*size, self.line.all[&transfer.0].size);
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
        assert_eq!(line.to.to_string(), announced.to());
        assert_eq!((file.owner, file.receiver), (announced.owner, announced.receiver));
        assert_eq!(line.size, announced.size);
        assert_eq!(Some(&line.hash), self.shelf.adding.get(&line.transfer.0));
        assert_eq!(line.sha256, sha256(line.hash));
        assert_eq!((line.at, line.until), (now.wall_ms, now.wall_ms + millis(keep)));
    }

    fn check_removal(&mut self, now: Now, number: u32) {
        let cause = self.shelf.cause.clone().expect("the log says why a file goes");
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

    /// The log says that an upload was refused because its sender has too much here.
    pub(crate) fn check_quota(&self, text: &str) {
        let Some((what, why)) = text.split_once(" bytes): your files on the server may be ") else {
            return;
        };
        let numbers: Vec<u64> =
            why.split(' ').filter_map(|word| word.trim_matches(',').parse().ok()).collect();
        let [limit, used, size] = numbers[..] else { panic!("it says how much: {text}") };
        let from = what.split_once(" -> ").expect("it has a sender").0.to_ascii_lowercase();
        let halves = self.line.halves.iter().filter(|((whose, _), _)| *whose == from);
        let (least, halves) = (self.taken_by(&from).0, halves.map(|(_, size)| size).sum::<u64>());
        assert!(used <= least + halves, "{from} has {least} bytes here, not {used}");
        assert!(used >= least && used + size > limit, "{from} has room for {size} bytes");
    }

    /// What the files of somebody, and those of all, take at least: half files come on top.
    pub(crate) fn taken_by(&self, from: &str) -> (u64, u64) {
        let stored = self.shelf.records.values().map(|record| {
            (record.file.line.from.as_str().to_ascii_lowercase(), record.file.line.size)
        });
        let coming = self.line.open().map(|(_, upload)| (upload.from.clone(), upload.size));
        let (mut own, mut all) = (0, 0);
        for (whose, bytes) in stored.chain(coming) {
            own += if whose == from.to_ascii_lowercase() { bytes } else { 0 };
            all += bytes;
        }
        (own, all)
    }
}
