//! The files that this client takes: offered, accepted, coming, saved.
//!
//! Knows one local folder, but no frames and no screen: what is to be asked and said comes out of
//! a queue, [`Downloads::steps`]. The rules it keeps: a file has its name only when all of it
//! is on the disk and its hash is right; half a file is gone on with, on this connection, on the
//! next one or by another client; and of what is for many, nothing is saved twice by itself.

mod download;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::step::{Step, Steps};
use crate::client::hashing::Hashing;
use crate::client::partial::{Partial, namesake, taken};
use crate::client::progress::{Progress, percent};
use crate::client::retry::Here;
use crate::client::view::Note;
use crate::front::native::Problem;
use crate::id::TransferId;
use crate::limits::DOWNLOADS_A_USER;
use crate::message::{
    Digest, Ending, FileLine, FileName, Refusal, RoomName, Target, UserName, visible,
};
use download::{Download, DownloadStage};

/// Offers that are kept in mind; what is forgotten can still be taken by its number.
const OFFERS_MAX: usize = 256;
/// Files that are accepted at once.
const WANTED_MAX: usize = 4096;
/// Numbers that are remembered as saved.
const TAKEN_MAX: usize = 65_536;
/// What a server refuses that may be granted in a moment.
const PASSING: [&str; 4] = ["busy", "slow_down", "store_failed", "too_many_downloads"];

/// What becomes of a file that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Keeping {
    /// It has the first name that is free.
    AnyName,
    /// It has its own name, and is refused where something else has that.
    ItsName,
    /// It is passed on by whoever asked for it, and not kept here.
    Nothing,
}

/// Why a file cannot be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum AcceptError {
    /// It is not known here; perhaps the server knows it.
    Unknown,
    /// It is accepted already.
    Accepted,
    /// Too many are.
    TooMany,
}

/// All files that are known and not saved.
#[derive(Debug)]
pub(in crate::client) struct Downloads {
    dir: PathBuf,
    keeping: Keeping,
    /// How many may come at once.
    places: usize,
    entries: BTreeMap<TransferId, Download>,
    turns: u64,
    seed: u64,
    /// What was saved in this run, by its hash, because a number may come from another server.
    taken: BTreeMap<TransferId, Digest>,
    /// What is to be asked and said.
    pub(super) steps: Steps,
}

impl Downloads {
    /// Saves into `dir`, which should exist; the seed makes the waits of this client others than
    /// those of the next.
    pub(in crate::client) fn new(dir: PathBuf, seed: u64) -> Self {
        Self {
            dir,
            keeping: Keeping::AnyName,
            places: DOWNLOADS_A_USER,
            entries: BTreeMap::new(),
            turns: 0,
            seed,
            taken: BTreeMap::new(),
            steps: Steps::default(),
        }
    }

    /// The server lets so many come at once; 0 is what is usual.
    pub(in crate::client) fn set_places(&mut self, places: u64) {
        let told = usize::try_from(places).unwrap_or(usize::MAX);
        self.places = if told == 0 { DOWNLOADS_A_USER } else { told };
    }

    /// What becomes of the files that are accepted from now on.
    pub(in crate::client) fn set_keeping(&mut self, keeping: Keeping) {
        self.keeping = keeping;
    }

    /// Whether a file is accepted and not saved.
    pub(in crate::client) fn under_way(&self) -> bool {
        self.entries.values().any(Download::is_wanted)
    }

    /// How far each is that is accepted.
    pub(in crate::client) fn progress(&self) -> impl Iterator<Item = Progress> {
        self.entries.values().filter_map(Download::progress)
    }

    /// When one of them is to be asked for again at the earliest.
    pub(in crate::client) fn wake_at(&self, now: Duration) -> Option<Duration> {
        let ready =
            self.entries.values().filter(|entry| matches!(entry.stage, DownloadStage::Ready(_)));
        ready.filter_map(|entry| entry.retry.at(now)).min()
    }

    /// Whether a file of this number and content was saved in this run.
    pub(in crate::client) fn has_taken(&self, file: &FileLine) -> bool {
        self.taken.get(&file.transfer) == Some(&file.hash)
    }

    /// A file can be taken. Answers whether that is news; what is under way goes on by itself.
    pub(in crate::client) fn handle_offered(&mut self, file: FileLine) -> bool {
        let transfer = file.transfer;
        if let Some(known) = self.entries.get(&transfer)
            && (known.is_wanted() || known.file == file)
        {
            return false;
        }
        let offered = |(_, entry): &(&TransferId, &Download)| !entry.is_wanted();
        if self.entries.len() >= OFFERS_MAX
            && let Some((&oldest, _)) = self.entries.iter().find(offered)
        {
            self.entries.remove(&oldest);
        }
        if self.entries.len() < WANTED_MAX {
            let seed = self.seed.wrapping_add(transfer.0.into());
            self.entries.insert(transfer, Download::new(file, seed));
        }
        true
    }

    /// Takes a file, under another name if one is given. If it `compares`, a file of that name that
    /// is here already and the same is enough.
    ///
    /// # Errors
    /// [`AcceptError`]; nothing has changed then.
    pub(in crate::client) fn accept(
        &mut self,
        transfer: TransferId,
        local: Option<FileName>,
        compares: bool,
    ) -> Result<(), AcceptError> {
        let wanted = self.entries.values().filter(|entry| entry.is_wanted()).count();
        let entry = self.entries.get_mut(&transfer).ok_or(AcceptError::Unknown)?;
        if entry.is_wanted() {
            return Err(AcceptError::Accepted);
        }
        if wanted >= WANTED_MAX {
            return Err(AcceptError::TooMany);
        }
        entry.local = local.unwrap_or_else(|| entry.file.name.clone());
        entry.stage = DownloadStage::Waiting { compares };
        entry.wrong = false;
        entry.retry.reset();
        self.turns += 1;
        entry.turn = self.turns;
        Ok(())
    }

    /// Does one thing that takes little time: gives the next one its place, asks for one, or hashes
    /// a part of one. Answers whether there was something to do.
    pub(in crate::client) fn work(&mut self, here: &Here) -> bool {
        self.begin_one() || here.can_ask && self.ask_for_one(here.now) || self.hash_some()
    }

    /// The server sends it from this byte on.
    pub(in crate::client) fn handle_getting(
        &mut self,
        file: &FileLine,
        offset: u64,
        now: Duration,
    ) {
        let transfer = file.transfer;
        let Some(entry) = self.entries.get_mut(&transfer) else { return };
        let DownloadStage::Asked(partial) = &mut entry.stage else { return };
        if (file.size, file.hash) != (entry.file.size, entry.file.hash) || offset != partial.len() {
            self.steps.ask(Step::Cancel(transfer));
            return self.fail(transfer, "no_such_file", "the server has another file there now");
        }
        let total = entry.file.size;
        entry.retry.reset();
        entry.meter.start(now, offset, total);
        self.steps.note(match offset {
            0 => Note::Comes(entry.label(), total),
            _ => Note::GoesOn(entry.label(), percent(offset, total)),
        });
        if let Some(partial) = entry.take_partial() {
            entry.stage = DownloadStage::Coming(partial);
        }
        if offset == total {
            self.finish(transfer);
        }
    }

    /// It was refused. Where it is `near`, the server knows it no more if it says so; otherwise it
    /// is for a room that we are not in.
    pub(in crate::client) fn handle_refused(
        &mut self,
        transfer: TransferId,
        problem: &Problem,
        near: bool,
        now: Duration,
    ) {
        let full = Refusal::TooManyDownloads { limit: 0 }.code() == problem.code;
        let coming = |entry: &Download| matches!(entry.stage, DownloadStage::Coming(_));
        let others = self.entries.values().any(coming);
        let Some(entry) = self.entries.get_mut(&transfer) else { return };
        let code = problem.code.as_str();
        let text = visible(&problem.text).to_string();
        if entry.retry.goes_on(now, full && others, PASSING.contains(&code)) {
            if let Some(partial) = entry.take_partial() {
                entry.stage = DownloadStage::Ready(partial);
            }
        } else if code == Refusal::NoSuchFile.code() && near {
            self.lose(transfer, code, &text);
        } else {
            self.fail(transfer, code, &text);
        }
    }

    /// Whom it is for.
    pub(in crate::client) fn target(&self, transfer: TransferId) -> Option<Target> {
        self.entries.get(&transfer).map(|entry| entry.file.to)
    }

    /// A part of a file has come; parts that nobody asked for are dropped. Answers with how far it
    /// is, if that is worth a line.
    pub(in crate::client) fn handle_chunk(
        &mut self,
        transfer: TransferId,
        bytes: &[u8],
        now: Duration,
    ) -> Option<Progress> {
        let entry = self.entries.get_mut(&transfer)?;
        let total = entry.file.size;
        let DownloadStage::Coming(partial) = &mut entry.stage else { return None };
        if bytes.len() as u64 > total - partial.len() {
            self.steps.ask(Step::Cancel(transfer));
            self.discard(transfer);
            self.fail(transfer, "wrong_content", "more bytes came than were announced");
            return None;
        }
        if let Err(error) = partial.write(bytes) {
            self.steps.ask(Step::Cancel(transfer));
            self.fail_to_write(transfer, &error);
            return None;
        }
        let done = partial.len();
        let due = entry.meter.moved(now, done, total);
        if done == total {
            self.finish(transfer);
            return None;
        }
        due.then(|| self.entries.get(&transfer)?.progress()).flatten()
    }

    /// The server says that it does not come any more. Answers whether it is one of these.
    pub(in crate::client) fn handle_ended(&mut self, transfer: TransferId, how: Ending) -> bool {
        let Some(entry) = self.entries.get(&transfer) else { return false };
        if !entry.is_wanted() {
            self.steps.note(Note::Gone(entry.label(), how));
            self.entries.remove(&transfer);
            return true;
        }
        match how {
            Ending::Cancelled | Ending::Removed => {
                self.lose(transfer, "not_saved", &how.to_string());
            }
            Ending::Stored
            | Ending::SenderGone
            | Ending::ReceiverGone
            | Ending::Stalled
            | Ending::Mismatch
            | Ending::Overrun
            | Ending::StoreFailed => self.fail(transfer, "not_saved", &how.to_string()),
        }
        true
    }

    /// Somebody here wants it no more: what has come of it is removed. Answers whether the server
    /// is to be told, or `None` where it was not wanted.
    pub(in crate::client) fn cancel(&mut self, transfer: TransferId) -> Option<bool> {
        let entry = self.entries.get(&transfer).filter(|entry| entry.is_wanted())?;
        let told = matches!(entry.stage, DownloadStage::Asked(_) | DownloadStage::Coming(_));
        self.discard(transfer);
        Some(told)
    }

    /// The same, and it is not offered any more.
    pub(in crate::client) fn forget(&mut self, transfer: TransferId) {
        self.discard(transfer);
        self.entries.remove(&transfer);
    }

    /// The connection is lost: what was under way is asked for again on the next one.
    pub(in crate::client) fn handle_lost(&mut self) {
        for entry in self.entries.values_mut() {
            if matches!(entry.stage, DownloadStage::Asked(_) | DownloadStage::Coming(_))
                && let Some(partial) = entry.take_partial()
            {
                entry.stage = DownloadStage::Ready(partial);
            }
        }
    }

    /// They are not taken any more; what has come of them stays for another time.
    pub(in crate::client) fn give_up_all(&mut self, why: &str) {
        let wanted: Vec<_> = self.entries.values().filter(|entry| entry.is_wanted()).collect();
        for entry in wanted {
            self.steps.refuse(entry.label(), "not_saved", why);
        }
        self.entries.clear();
    }

    fn first(&self, stage: impl Fn(&Download) -> bool) -> Option<TransferId> {
        let found = self.entries.iter().filter(|(_, entry)| stage(entry));
        found.min_by_key(|(_, entry)| entry.turn).map(|(&transfer, _)| transfer)
    }

    /// Gives the first one in line a place, if there is one.
    fn begin_one(&mut self) -> bool {
        if self.entries.values().filter(|entry| entry.has_place()).count() >= self.places {
            return false;
        }
        let waiting = |entry: &Download| matches!(entry.stage, DownloadStage::Waiting { .. });
        let Some(transfer) = self.first(waiting) else { return false };
        self.begin(transfer);
        true
    }

    fn begin(&mut self, transfer: TransferId) {
        let Some(entry) = self.entries.get_mut(&transfer) else { return };
        let (size, hash) = (entry.file.size, entry.file.hash);
        if let DownloadStage::Waiting { compares: true } = entry.stage
            && let Some((path, file)) = namesake(&self.dir, &entry.local, size)
        {
            entry.stage = DownloadStage::Comparing { path, hashing: Hashing::new(file, size) };
            return;
        }
        if let Some(path) =
            taken(&self.dir, &entry.local).filter(|_| self.keeping == Keeping::ItsName)
        {
            let path = visible(&path.display().to_string()).to_string();
            let why = format!("{path} exists and is another file; nothing is written over it");
            return self.fail(transfer, "file_exists", &why);
        }
        match Partial::open(&self.dir, &entry.local, hash, size) {
            Ok(partial) if partial.len() == 0 => entry.stage = DownloadStage::Ready(partial),
            Ok(partial) => entry.stage = DownloadStage::Hashing(partial),
            Err(error) => self.fail_to_write(transfer, &error),
        }
    }

    fn ask_for_one(&mut self, now: Duration) -> bool {
        let ready = |entry: &Download| {
            matches!(entry.stage, DownloadStage::Ready(_)) && entry.retry.is_due(now)
        };
        let Some(transfer) = self.first(ready) else { return false };
        let Some(entry) = self.entries.get_mut(&transfer) else { return false };
        let Some(partial) = entry.take_partial() else { return false };
        let whole = partial.len() > 0 && partial.len() == entry.file.size;
        let offset = partial.len();
        if whole {
            // Nothing is missing but its name.
            entry.stage = DownloadStage::Coming(partial);
            self.finish(transfer);
        } else {
            entry.stage = DownloadStage::Asked(partial);
            self.steps.ask(Step::Get(transfer, offset));
        }
        true
    }

    fn hash_some(&mut self) -> bool {
        let reads = |entry: &Download| {
            matches!(entry.stage, DownloadStage::Comparing { .. } | DownloadStage::Hashing(_))
        };
        let Some(transfer) = self.first(reads) else { return false };
        let Some(entry) = self.entries.get_mut(&transfer) else { return false };
        match &mut entry.stage {
            DownloadStage::Comparing { path, hashing } => match hashing.step() {
                Ok(None) => {}
                Ok(Some(hash)) if hash == entry.file.hash => {
                    self.steps.note(Note::Had(transfer, path.clone()));
                    self.steps.ask(Step::Saved(path.clone()));
                    if self.keeping == Keeping::ItsName && entry.is_for_one() {
                        self.steps.ask(Step::Confirm(transfer));
                    }
                    self.take_down(transfer);
                }
                // It is another file, or cannot be known to be this one.
                Ok(Some(_)) | Err(_) => entry.stage = DownloadStage::Waiting { compares: false },
            },
            DownloadStage::Hashing(partial) => match partial.hash_step() {
                Ok(false) => {}
                Ok(true) => {
                    if let Some(partial) = entry.take_partial() {
                        entry.stage = DownloadStage::Ready(partial);
                    }
                }
                Err(error) => self.fail_to_write(transfer, &error),
            },
            DownloadStage::Offered
            | DownloadStage::Waiting { .. }
            | DownloadStage::Ready(_)
            | DownloadStage::Asked(_)
            | DownloadStage::Coming(_) => return false,
        }
        true
    }

    /// All bytes are here: only what has the right hash gets its name.
    fn finish(&mut self, transfer: TransferId) {
        let Some(entry) = self.entries.get_mut(&transfer) else { return };
        let Some(mut partial) = entry.take_partial() else { return };
        let hash = entry.file.hash;
        if partial.digest().ok() != Some(hash) {
            if entry.wrong || partial.restart().is_err() {
                partial.discard();
                let why = "what came is not what was announced: its hash differs, again";
                return self.fail(transfer, "wrong_content", why);
            }
            entry.wrong = true;
            entry.stage = DownloadStage::Ready(partial);
            return self.steps.note(Note::TakenAnew(entry.label()));
        }
        match partial.keep(&entry.local) {
            Ok(path) => {
                let kept = (self.keeping != Keeping::Nothing).then(|| path.clone());
                self.steps.note(Note::Saved { transfer, path: kept, hash });
                self.steps.ask(Step::Saved(path));
                if entry.is_for_one() {
                    self.steps.ask(Step::Confirm(transfer));
                }
                self.take_down(transfer);
            }
            Err(error) => self.fail_to_write(transfer, &error),
        }
    }

    /// It is here: not again.
    fn take_down(&mut self, transfer: TransferId) {
        if let Some(entry) = self.entries.remove(&transfer) {
            self.taken.insert(transfer, entry.file.hash);
            if self.taken.len() > TAKEN_MAX {
                self.taken.pop_first();
            }
        }
    }

    /// Removes what has come of it.
    fn discard(&mut self, transfer: TransferId) {
        let partial = self.entries.get_mut(&transfer).and_then(Download::take_partial);
        if let Some(partial) = partial {
            partial.discard();
        }
    }

    /// The server has it no more.
    fn lose(&mut self, transfer: TransferId, code: &str, why: &str) {
        self.discard(transfer);
        if let Some(entry) = self.entries.remove(&transfer) {
            self.steps.refuse(entry.label(), code, why);
        }
    }

    /// It cannot be saved now; what has come of it stays, and it can be asked for again.
    fn fail(&mut self, transfer: TransferId, code: &str, why: &str) {
        if let Some(entry) = self.entries.get_mut(&transfer) {
            drop(entry.take_partial());
            self.steps.refuse(entry.label(), code, why);
        }
    }

    fn fail_to_write(&mut self, transfer: TransferId, error: &std::io::Error) {
        let why = format!("cannot write into {}: {error}", shown(&self.dir));
        self.fail(transfer, "cannot_write", visible(&why).as_ref());
    }
}

/// Whether a file can be reached by this user from this room.
pub(in crate::client) fn is_near(
    to: Target,
    user: Option<UserName>,
    room: Option<RoomName>,
) -> bool {
    match to {
        Target::User(wanted) => user == Some(wanted),
        Target::Room(wanted) | Target::Shelf(wanted) => room == Some(wanted),
        Target::Public => true,
    }
}

fn shown(dir: &Path) -> String {
    let here = dir.as_os_str().is_empty();
    if here { "the current folder".to_owned() } else { dir.display().to_string() }
}
