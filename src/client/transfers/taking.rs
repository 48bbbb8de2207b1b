//! Files that are taken: offered, accepted, coming, saved.
//!
//! Knows one local folder. The rules it keeps: a file has its name only when all of it is on the
//! disk and its hash is right; half a file is gone on with, on this connection, on the next one or
//! by another client; and of what is for many, nothing is saved twice by itself.

use std::path::PathBuf;
use std::time::Duration;

use super::Transfers;
use super::stage::{FileKey, FileStage};
use super::step::{FileAsk, Step};
use super::taken::{Keeping, LocalFile, TakenFile, is_for_one, unwritable};
use super::transfer::{FileEnd, OwnFile};
use crate::client::progress::{Direction, percent};
use crate::client::view::{Note, Refused, Undone};
use crate::id::TransferId;
use crate::message::{Command, FileLine, FileName, FileRef, Refusal};

/// Offers that are kept in mind; what is forgotten can still be taken by its number.
pub(super) const OFFERS_MAX: usize = 256;
/// Files that are accepted at once.
const WANTED_MAX: usize = 4096;
/// Numbers that are remembered as saved.
const TAKEN_MAX: usize = 65_536;

impl Transfers {
    /// A file can be taken. Answers whether that is news: what is under way continues by itself,
    /// and what was saved in this run is not taken twice.
    pub(in crate::client) fn handle_offered(&mut self, file: &FileLine) -> bool {
        let is_taken = self.taken.get(&file.transfer) == Some(&file.hash);
        if is_taken && is_for_one(file) {
            self.confirm(file.transfer);
        }
        !is_taken && self.know(file.clone())
    }

    fn know(&mut self, file: FileLine) -> bool {
        let key = FileKey::Down(file.transfer);
        if let Some(known) = self.entries.get_mut(&key)
            && (known.is_wanted() || known.end.taken().is_some_and(|taken| taken.file == file))
        {
            return false;
        }
        let oldest = self.of(Direction::Down).find(|entry| !entry.is_wanted());
        if let Some(oldest) = oldest.map(|entry| entry.key)
            && self.of(Direction::Down).count() >= OFFERS_MAX
        {
            self.entries.remove(&oldest);
        }
        if self.of(Direction::Down).count() < WANTED_MAX {
            let file = OwnFile::new(key, self.seed, FileEnd::Taken(TakenFile::new(file)));
            self.entries.insert(key, file);
        }
        true
    }

    /// Whether it is known what this number means.
    pub(in crate::client) fn knows(&self, transfer: TransferId) -> bool {
        self.entries.contains_key(&FileKey::Down(transfer))
    }

    /// Takes a file that the server has.
    ///
    /// # Errors
    /// Those of [`Transfers::accept`].
    pub(in crate::client) fn take(
        &mut self,
        file: FileLine,
        local: Option<FileName>,
    ) -> Result<(), Refused> {
        let transfer = file.transfer;
        self.know(file);
        self.accept(transfer, local, self.keeping == Keeping::ItsName)
    }

    /// Takes a file, under another name if one is given. If it `compares`, a file of that name that
    /// is here already and the same is enough.
    ///
    /// # Errors
    /// Why it cannot be taken now; nothing has changed then.
    pub(in crate::client) fn accept(
        &mut self,
        transfer: TransferId,
        local: Option<FileName>,
        compares: bool,
    ) -> Result<(), Refused> {
        let wanted = self.of(Direction::Down).filter(|entry| entry.is_wanted()).count();
        let entry = self.entries.get_mut(&FileKey::Down(transfer));
        let Some(entry) = entry else { return Err(Refused::Here(Refusal::NoSuchFile)) };
        if entry.is_wanted() {
            return Err(Refused::Taken(transfer));
        }
        if wanted >= WANTED_MAX {
            return Err(Refused::TooManyCome(transfer));
        }
        if let Some(taken) = entry.end.taken() {
            taken.local = local.unwrap_or_else(|| taken.file.name.clone());
            taken.compares = compares;
        }
        self.accepted += 1;
        (entry.stage, entry.turn, entry.anew) = (FileStage::Waiting, self.accepted, false);
        entry.retry.reset();
        Ok(())
    }

    pub(super) fn ask_for(&mut self, key: FileKey, transfer: TransferId) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let offset = entry.done();
        if offset > 0 && offset == entry.size() {
            // Nothing is missing but its name.
            return self.finish(key);
        }
        entry.stage = FileStage::Asked;
        let file = FileRef::Number(transfer);
        self.steps.ask(FileAsk::Begin(key), Command::Get { file, offset });
    }

    /// The server sends it from this byte on.
    pub(super) fn on_getting(&mut self, key: FileKey, file: &FileLine, offset: u64, now: Duration) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let Some(taken) = entry.end.taken().filter(|_| entry.stage == FileStage::Asked) else {
            return;
        };
        let total = taken.file.size;
        if (file.size, file.hash, offset) != (total, taken.file.hash, taken.done()) {
            self.steps.cancel(taken.file.transfer);
            return self.give_up(key, "no_such_file", Undone::OtherFile);
        }
        entry.move_from(offset, now);
        self.steps.note(match offset {
            0 => Note::Comes(entry.label(), total),
            _ => Note::GoesOn(entry.label(), percent(offset, total)),
        });
        if offset == total {
            self.finish(key);
        }
    }

    /// A part of a file has come; parts that nobody asked for are dropped.
    pub(in crate::client) fn handle_chunk(
        &mut self,
        transfer: TransferId,
        bytes: &[u8],
        now: Duration,
    ) {
        let key = FileKey::Down(transfer);
        let moving = |entry: &&mut OwnFile| entry.stage == FileStage::Moving;
        let Some(entry) = self.entries.get_mut(&key).filter(moving) else { return };
        let total = entry.size();
        let Some(half) = entry.end.taken().and_then(TakenFile::half) else { return };
        if bytes.len() as u64 > total - half.len() {
            self.steps.cancel(transfer);
            self.discard(key);
            self.give_up(key, "wrong_content", Undone::TooLong);
        } else if let Err(error) = half.write(bytes) {
            self.steps.cancel(transfer);
            self.fail(key, unwritable(&self.dir, &error));
        } else if half.len() == total {
            self.finish(key);
        } else {
            self.steps.moved(transfer, entry.moved(now));
        }
    }

    /// All bytes have arrived: only what has the right hash gets its name.
    fn finish(&mut self, key: FileKey) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let label = entry.label();
        let Some(taken) = entry.end.taken() else { return };
        let Some(mut half) = taken.take_half() else { return };
        let hash = taken.file.hash;
        if half.digest().ok() != Some(hash) {
            if entry.anew || half.restart().is_err() {
                half.discard();
                return self.give_up(key, "wrong_content", Undone::OtherContent);
            }
            taken.here = LocalFile::Half(half);
            (entry.stage, entry.anew) = (FileStage::Ready, true);
            return self.steps.note(Note::TakenAnew(label));
        }
        match half.keep(&taken.local) {
            Ok(path) => {
                let (kept, transfer) = (self.keeping != Keeping::Nothing, taken.file.transfer);
                let kept = kept.then(|| path.clone());
                self.arrive(key, path, Note::Saved { transfer, path: kept, hash }, true);
            }
            Err(error) => self.fail(key, unwritable(&self.dir, &error)),
        }
    }

    /// What is here is the same.
    pub(super) fn on_had(&mut self, key: FileKey) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let Some(TakenFile { here: LocalFile::Alike(alike), file, .. }) = entry.end.taken() else {
            return;
        };
        let path = alike.path().to_owned();
        let note = Note::Had(file.transfer, path.clone());
        self.arrive(key, path, note, self.keeping == Keeping::ItsName);
    }

    /// It is here, so not again. If that `is_told`, whoever handed it over hears so.
    fn arrive(&mut self, key: FileKey, path: PathBuf, note: Note, is_told: bool) {
        self.steps.note(note);
        self.steps.take(Step::Saved(path));
        let entry = self.entries.remove(&key);
        let Some(OwnFile { end: FileEnd::Taken(taken), .. }) = entry else { return };
        if is_told && is_for_one(&taken.file) {
            self.confirm(taken.file.transfer);
        }
        self.taken.insert(taken.file.transfer, taken.file.hash);
        if self.taken.len() > TAKEN_MAX {
            self.taken.pop_first();
        }
    }

    /// It is on the disk.
    fn confirm(&mut self, transfer: TransferId) {
        self.unconfirmed.insert(transfer);
        self.steps.ask(FileAsk::Confirm(transfer), Command::Received { transfer });
    }

    /// On a new connection: what was not known to be confirmed.
    pub(in crate::client) fn confirm_again(&mut self) {
        for transfer in std::mem::take(&mut self.unconfirmed) {
            self.confirm(transfer);
        }
    }

    /// Nobody here wants it, and it is not offered any more.
    pub(in crate::client) fn forget(&mut self, transfer: TransferId) {
        let key = FileKey::Down(transfer);
        self.discard(key);
        self.entries.remove(&key);
    }

    /// Removes what has come of it.
    pub(super) fn discard(&mut self, key: FileKey) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if let Some(half) = entry.end.taken().and_then(TakenFile::take_half) {
            half.discard();
        }
        entry.stage = FileStage::Offered;
    }
}
