//! The files that the server has: who sent each, who may see it, and who must be told.
//!
//! It knows nothing of how the server keeps them. A file is stored from the moment in which the
//! engine is told that its record is durable (`stock.rs`), until it is told that it is gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor::job::{StoreJob, StoreOutcome, StoredFile};
use parlor::limits::{Limits, OFFERS_AT_ONCE};
use parlor::message::{Digest, FileLine, Target};

use super::oracle::{Member, Oracle};

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
    pub(super) from_session: Option<u64>,
    pub(super) to_session: Option<u64>,
    /// Which guest has sent it is not known.
    pub(super) unsure: bool,
    /// It is being removed.
    pub(super) goes: bool,
    pub(super) cause: Option<Cause>,
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
    pub(super) adding: BTreeMap<u32, Digest>,
    /// What the log has just said of why one goes, and which.
    pub(super) cause: Option<(u32, Cause)>,
    /// Removals to be looked at when it is known who has gone.
    pub(super) orphaned: Vec<u32>,
    /// Files that must be offered to a connection, in their order.
    pub(crate) offers: BTreeMap<String, VecDeque<u32>>,
    pub(crate) receipts: BTreeMap<String, VecDeque<(u32, String, bool)>>,
    /// Files of a connection that are for nobody any more.
    pub(crate) lost: BTreeMap<String, VecDeque<u32>>,
    watches: Vec<Watch>,
    next_watch: u64,
    /// Guests that are gone: when, and whether for good.
    pub(super) gone: BTreeMap<u64, (u64, bool)>,
    /// Tokens of guests, each with the login that it was given for.
    tokens: BTreeMap<String, u64>,
    /// Tokens that connections have shown last.
    pub(crate) shown: BTreeMap<String, String>,
    /// What was asked to be parted with: on which connection, what, how.
    pub(crate) asked: BTreeSet<(String, u32, &'static str)>,
    /// Files that were to go at any time.
    pub(super) leaving: BTreeSet<u32>,
    /// Contents that a connection takes.
    pub(super) taking: BTreeSet<(String, Digest)>,
    /// Connections that take nothing any more.
    pub(super) left: Vec<String>,
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
    pub(super) fn new(file: StoredFile) -> Self {
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

    pub(super) fn is_from(&self, member: &Member) -> bool {
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
        let must = self.seen_by(conn);
        let may = must.union(&self.perhaps_of(conn)).copied().collect();
        let watch = Watch { id, conn: conn.to_owned(), must, may };
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
            watch.may.extend(self.perhaps_of(&watch.conn));
        }
        self.shelf.watches = watches;
    }

    fn seen_by(&self, conn: &str) -> BTreeSet<u32> {
        let Some(member) = self.member_on(conn) else { return BTreeSet::new() };
        let seen = self.shelf.records.iter().filter(|(_, record)| self.sees(member, record));
        seen.map(|(number, _)| *number).collect()
    }

    /// Files of a guest's name whose upload may have been adopted by this session while it ended.
    fn perhaps_of(&self, conn: &str) -> BTreeSet<u32> {
        let Some(member) = self.member_on(conn) else { return BTreeSet::new() };
        let is_theirs = |record: &Record| {
            record.unsure && record.file.line.from.as_str().eq_ignore_ascii_case(&member.name)
        };
        let records = self.shelf.records.iter().filter(|(_, record)| is_theirs(record));
        records.map(|(number, _)| *number).collect()
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

    /// What a connection must still be told about files, if there is something.
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
}
