//! The files that the server has: whole ones, halves whose upload broke, and what they take.
//!
//! Knows neither who is online nor what is on its way. The rules it keeps: a number means one file;
//! a content is needed as long as a file has it; bytes and files of each user and of all are
//! counted as they come and go, so that nothing is announced for which there is no room.

use std::collections::{BTreeMap, BTreeSet};

use crate::hub::UserKey;
use crate::id::TransferId;
use crate::job::{self, Half, PartialId, StoredFile};
use crate::message::{Digest, UserName};

/// One whole file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) file: StoredFile,
    /// Which login of a guest sent it, or is to have it: another guest of the name is another one.
    pub(super) from_guest: Option<u64>,
    pub(super) to_guest: Option<u64>,
    /// Since when the guest who is to have it is not here, on the monotonic clock.
    pub(super) guest_gone_ms: Option<u64>,
    /// It is being removed.
    pub(super) goes: bool,
    /// The store was asked to forget it.
    pub(super) asked: bool,
}

/// What one user has here, halves included: of one byte each they would be without end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) bytes: u64,
    pub(super) files: usize,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct StoredFiles {
    files: BTreeMap<TransferId, Entry>,
    halves: BTreeMap<PartialId, Half>,
    usage: BTreeMap<UserKey, Usage>,
    total: Usage,
    /// How many files have a content.
    contents: BTreeMap<Digest, usize>,
    /// By sender and content.
    sent: BTreeSet<(UserKey, Digest, TransferId)>,
    /// By the login of a guest that has sent it or is to have it.
    of_guests: BTreeSet<(u64, TransferId)>,
}

impl StoredFiles {
    pub(super) fn new(stored: job::Catalogue, halves: Vec<Half>) -> Self {
        let mut catalogue = Self::default();
        for file in stored.files {
            catalogue.add(file, None, None);
        }
        for half in halves {
            catalogue.add_half(half);
        }
        catalogue
    }

    pub(super) fn get(&self, id: TransferId) -> Option<&Entry> {
        self.files.get(&id).filter(|entry| !entry.goes)
    }

    /// Also one that is being removed.
    pub(super) fn get_entry(&self, id: TransferId) -> Option<&Entry> {
        self.files.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: TransferId) -> Option<&mut Entry> {
        self.files.get_mut(&id)
    }

    /// A guest has come back: what was the earlier login's is the later one's.
    pub(super) fn rebind(&mut self, was: u64, is: u64) {
        for id in self.of_guest(was).collect::<Vec<_>>() {
            self.of_guests.remove(&(was, id));
            self.of_guests.insert((is, id));
            let Some(entry) = self.files.get_mut(&id) else { continue };
            if entry.from_guest == Some(was) {
                entry.from_guest = Some(is);
            }
            if entry.to_guest == Some(was) {
                (entry.to_guest, entry.guest_gone_ms) = (Some(is), None);
            }
        }
    }

    /// A guest has left and may come back.
    pub(super) fn note_gone(&mut self, serial: u64, now_ms: u64) {
        for id in self.of_guest(serial).collect::<Vec<_>>() {
            let entry = self.files.get_mut(&id).filter(|entry| entry.to_guest == Some(serial));
            if let Some(entry) = entry {
                entry.guest_gone_ms = Some(now_ms);
            }
        }
    }

    /// What a login of a guest has sent or is to have.
    pub(super) fn of_guest(&self, serial: u64) -> impl Iterator<Item = TransferId> {
        let all = (serial, TransferId(0))..=(serial, TransferId(u32::MAX));
        self.of_guests.range(all).map(|&(_, id)| id)
    }

    /// Those that are not being removed, in the order of their numbers, after one of them.
    pub(super) fn after(&self, id: TransferId) -> impl DoubleEndedIterator<Item = &Entry> {
        let after = (std::ops::Bound::Excluded(id), std::ops::Bound::Unbounded);
        self.files.range(after).map(|(_, entry)| entry).filter(|entry| !entry.goes)
    }

    /// What a user has sent of a content, those that are being removed included.
    pub(super) fn sent(&self, from: UserName, hash: Digest) -> impl Iterator<Item = &Entry> {
        let at = |number| (from.key(), hash, TransferId(number));
        let found = self.sent.range(at(0)..=at(u32::MAX));
        found.filter_map(|(_, _, id)| self.files.get(id))
    }

    /// All, those that are being removed included.
    pub(super) fn all(&self) -> impl Iterator<Item = &Entry> {
        self.files.values()
    }

    /// How many there are to be looked through.
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.halves.is_empty()
    }

    pub(super) fn add(&mut self, file: StoredFile, from_guest: Option<u64>, to_guest: Option<u64>) {
        let line = &file.line;
        self.count(line.from.key(), |usage| {
            usage.bytes = usage.bytes.saturating_add(line.size);
            usage.files += 1;
        });
        *self.contents.entry(line.hash).or_default() += 1;
        let id = line.transfer;
        self.sent.insert((line.from.key(), line.hash, id));
        let guests = [from_guest, to_guest].into_iter().flatten();
        self.of_guests.extend(guests.map(|serial| (serial, id)));
        let (goes, asked, guest_gone_ms) = (false, false, None);
        let entry = Entry { file, from_guest, to_guest, guest_gone_ms, goes, asked };
        self.files.insert(id, entry);
    }

    /// Forgets a file. Answers with its content if no other file has it.
    pub(super) fn remove(&mut self, id: TransferId) -> Option<Digest> {
        let Entry { file: StoredFile { line, .. }, from_guest, to_guest, .. } =
            self.files.remove(&id)?;
        for serial in [from_guest, to_guest].into_iter().flatten() {
            self.of_guests.remove(&(serial, id));
        }
        self.sent.remove(&(line.from.key(), line.hash, id));
        self.count(line.from.key(), |usage| {
            usage.bytes = usage.bytes.saturating_sub(line.size);
            usage.files = usage.files.saturating_sub(1);
        });
        let count = self.contents.get_mut(&line.hash)?;
        *count -= 1;
        if *count > 0 {
            return None;
        }
        self.contents.remove(&line.hash);
        Some(line.hash)
    }

    /// Whether some file has a content.
    pub(super) fn needs(&self, content: Digest) -> bool {
        self.contents.contains_key(&content)
    }

    pub(super) fn add_half(&mut self, half: Half) {
        self.take_half(half.id);
        self.count(half.id.owner, |usage| {
            usage.bytes = usage.bytes.saturating_add(half.bytes);
            usage.files += 1;
        });
        self.halves.insert(half.id, half);
    }

    /// Takes a half out: it is used, or forgotten.
    pub(super) fn take_half(&mut self, id: PartialId) -> Option<Half> {
        let half = self.halves.remove(&id)?;
        self.count(id.owner, |usage| {
            usage.bytes = usage.bytes.saturating_sub(half.bytes);
            usage.files = usage.files.saturating_sub(1);
        });
        Some(half)
    }

    pub(super) fn half(&self, id: PartialId) -> Option<Half> {
        self.halves.get(&id).copied()
    }

    pub(super) fn halves(&self) -> impl Iterator<Item = &Half> {
        self.halves.values()
    }

    /// What a user has here.
    pub(super) fn usage(&self, user: UserName) -> Usage {
        self.usage.get(&user.key()).copied().unwrap_or_default()
    }

    /// What all have here.
    pub(super) fn total(&self) -> Usage {
        self.total
    }

    fn count(&mut self, owner: UserKey, change: impl Fn(&mut Usage)) {
        let usage = self.usage.entry(owner).or_default();
        change(usage);
        if *usage == Usage::default() {
            self.usage.remove(&owner);
        }
        change(&mut self.total);
    }

    /// Checks that what is counted is what is there, for tests and the simulation.
    ///
    /// # Panics
    /// When it is not.
    pub(super) fn check_invariants(&self) {
        let mut total = Usage::default();
        let mut contents: BTreeMap<Digest, usize> = BTreeMap::new();
        for entry in self.files.values() {
            total.bytes += entry.file.line.size;
            total.files += 1;
            *contents.entry(entry.file.line.hash).or_default() += 1;
        }
        let files = total.files;
        total.bytes += self.halves.values().map(|half| half.bytes).sum::<u64>();
        total.files += self.halves.len();
        assert_eq!(self.total, total, "bytes or files are miscounted");
        assert_eq!(self.contents, contents, "contents are miscounted");
        assert_eq!(self.sent.len(), files, "files are found by the senders or not");
        let guests = self.files.iter().flat_map(|(&id, entry)| {
            let guests = [entry.from_guest, entry.to_guest].into_iter().flatten();
            guests.map(move |serial| (serial, id))
        });
        assert_eq!(self.of_guests, guests.collect(), "files are found by their guests or not");
        let bytes: u64 = self.usage.values().map(|usage| usage.bytes).sum();
        assert_eq!(bytes, total.bytes, "the users' bytes are miscounted");
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{FileLine, FileName, Target};

    fn stored(number: u32, from: &str, size: u64, hash: u8) -> StoredFile {
        let line = FileLine {
            transfer: TransferId(number),
            from: UserName::parse(from).unwrap(),
            to: Target::Public,
            name: FileName::parse("f").unwrap(),
            size,
            hash: Digest([hash; 32]),
            sha256: Digest([0; 32]),
            at: 0,
            until: 0,
        };
        StoredFile { line, owner: None, receiver: None }
    }

    #[test]
    fn a_content_goes_with_its_last_file_and_bytes_with_each() {
        let mut catalogue = StoredFiles::default();
        catalogue.add(stored(1, "alice", 10, 7), None, None);
        catalogue.add(stored(2, "Alice", 10, 7), None, None);
        catalogue.check_invariants();
        let alice = UserName::parse("ALICE").unwrap();
        assert_eq!(catalogue.usage(alice), Usage { bytes: 20, files: 2 });
        assert_eq!(catalogue.remove(TransferId(1)), None);
        assert!(catalogue.needs(Digest([7; 32])));
        assert_eq!(catalogue.remove(TransferId(2)), Some(Digest([7; 32])));
        assert_eq!(catalogue.remove(TransferId(2)), None);
        assert_eq!(catalogue.usage(alice), Usage::default());
        catalogue.check_invariants();
        assert!(catalogue.is_empty());
    }

    #[test]
    fn halves_count_until_they_are_taken() {
        let mut catalogue = StoredFiles::default();
        let alice = UserName::parse("alice").unwrap();
        let name = FileName::parse("f").unwrap();
        let id = PartialId::new(alice, &name, 10, Digest([1; 32]));
        catalogue.add_half(Half { id, bytes: 5, since_ms: 0 });
        catalogue.add_half(Half { id, bytes: 7, since_ms: 0 });
        assert_eq!(catalogue.usage(alice), Usage { bytes: 7, files: 1 });
        catalogue.check_invariants();
        assert_eq!(catalogue.take_half(id).map(|half| half.bytes), Some(7));
        assert_eq!(catalogue.take_half(id), None);
        catalogue.check_invariants();
        assert!(catalogue.is_empty());
    }
}
