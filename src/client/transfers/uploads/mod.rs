//! The files that this client sends: which one is hashed, announced, in line or on its way, and
//! the next part that may go.
//!
//! Knows local files, but no frames and no screen: what is to be asked and said comes out of a
//! queue, [`Uploads::steps`]. The rules it keeps: no more bytes go out than were granted, and
//! never another number of bytes than was announced, whatever happens to the file meanwhile; and a
//! lost connection costs no upload, because each is announced again under its hash.

mod upload;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::source::{Announcement, FileSource, Goal, lost};
use super::step::{Step, Steps};
use crate::client::hashing::Hashing;
use crate::client::progress::{Progress, percent};
use crate::client::retry::Here;
use crate::client::view::Note;
use crate::front::native::Problem;
use crate::id::TransferId;
use crate::limits::UPLOADS_A_USER;
use crate::message::{Ending, Refusal, visible};
use upload::{OwnUpload, UploadStage};

/// How long a file may be hashed before that is said.
const HASHING_UNTOLD: Duration = Duration::from_secs(1);
/// Files that are hashed, announced or on their way at once; the rest waits here.
const AT_ONCE_MAX: usize = UPLOADS_A_USER;
/// What a server refuses that may be granted in a moment.
const PASSING: [&str; 2] = ["busy", "slow_down"];
/// The same for a file that was announced before: then the other side may be on its way back too,
/// and our lost connection may not be known to be lost.
const PASSING_AGAIN: [&str; 5] =
    ["queue_full", "too_many_uploads", "store_failed", "no_such_user", "login_under_way"];

/// What became of a wish to withdraw an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Withdrawal {
    /// It is none of ours.
    Unknown,
    /// It was only here, or will be withdrawn when its number is known.
    Done,
    /// The server is to be asked.
    Ask,
}

/// All uploads that are not over, in the order in which they were wanted.
#[derive(Debug, Default)]
pub(in crate::client) struct Uploads {
    entries: BTreeMap<u64, OwnUpload>,
    last_key: u64,
    seed: u64,
    /// What is to be asked and said.
    pub(super) steps: Steps,
}

impl Uploads {
    /// None yet; the seed makes the waits of this client others than those of the next.
    pub(in crate::client) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Whether none is under way.
    pub(in crate::client) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How far each is.
    pub(in crate::client) fn progress(&self, now: Duration) -> impl Iterator<Item = Progress> {
        self.entries.values().map(move |upload| upload.progress(now))
    }

    /// When one of them is to be announced again at the earliest.
    pub(in crate::client) fn wake_at(&self, now: Duration) -> Option<Duration> {
        let ready =
            self.entries.values().filter(|upload| matches!(upload.stage, UploadStage::Ready));
        ready.filter_map(|upload| upload.retry.at(now)).min()
    }

    /// Sends a file.
    pub(in crate::client) fn add(&mut self, source: FileSource, goal: Goal) {
        self.last_key += 1;
        let seed = self.seed.wrapping_add(self.last_key);
        self.entries.insert(self.last_key, OwnUpload::new(source, goal, seed));
    }

    /// Does one thing that takes little time: announces a file or hashes a part of one. Answers
    /// whether there was something to do.
    pub(in crate::client) fn work(&mut self, here: &Here) -> bool {
        here.can_ask && self.announce_one(here) || self.hash_some(here.now)
    }

    /// The next part that may go, and how far its upload is if that is worth a line.
    pub(in crate::client) fn poll_part(
        &mut self,
        now: Duration,
    ) -> Option<(TransferId, Vec<u8>, Option<Progress>)> {
        let keys: Vec<u64> = self.moving().collect();
        for key in keys {
            let upload = self.entries.get_mut(&key)?;
            let Some(transfer) = upload.transfer else { continue };
            match upload.next_part() {
                Ok(None) => {}
                Ok(Some(bytes)) => {
                    let Progress { done, total, .. } = upload.progress(now);
                    let due = upload.meter.moved(now, done, total);
                    return Some((transfer, bytes, due.then(|| upload.progress(now))));
                }
                Err(error) => self.on_unreadable(key, transfer, &error),
            }
        }
        None
    }

    /// The announcement of an upload went out as this request.
    pub(in crate::client) fn handle_asked(&mut self, key: u64, id: u64) {
        if let Some(upload) = self.entries.get_mut(&key) {
            upload.stage = UploadStage::Asked(Some(id));
        }
    }

    /// The announcement `id` was answered with a number and a place, or with a refusal.
    pub(in crate::client) fn handle_answered(
        &mut self,
        id: u64,
        answer: Result<(TransferId, u32), &Problem>,
        now: Duration,
    ) {
        let asked = |upload: &OwnUpload| matches!(upload.stage, UploadStage::Asked(asked) if asked == Some(id));
        let Some(key) = self.find(asked) else { return };
        match answer {
            Ok((transfer, place)) => self.on_announced(key, transfer, place, now),
            Err(problem) => self.on_refused(key, problem, now),
        }
    }

    /// The line moved.
    pub(in crate::client) fn handle_queued(
        &mut self,
        transfer: TransferId,
        at: (u32, u32),
        now: Duration,
    ) {
        let Some(upload) = self.numbered(transfer) else { return };
        if let UploadStage::Queued { place, of, .. } = &mut upload.stage {
            (*place, *of) = at;
            let moved = Note::Moves(transfer, upload.progress(now));
            self.steps.note(moved);
        }
    }

    /// It has a slot: it goes on behind `offset`, and at first so many bytes of it.
    pub(in crate::client) fn handle_admitted(
        &mut self,
        transfer: TransferId,
        waited_ms: u64,
        credit: u64,
        offset: u64,
        now: Duration,
    ) {
        let Some(upload) = self.numbered(transfer) else { return };
        let size = upload.source.size;
        if upload.cancelled || !matches!(upload.stage, UploadStage::Queued { .. }) {
            return;
        }
        let opened = match offset > size {
            true => Err(io::Error::other("the server has more of it than there is")),
            false => upload.source.read_from(offset),
        };
        let file = match opened {
            Ok(file) => file,
            Err(error) => return self.withdraw(transfer, &lost(&error)),
        };
        upload.stage = UploadStage::Moving { file, sent: offset, credit };
        upload.meter.start(now, offset, size);
        let percent = percent(offset, size);
        let note = match upload.was.take() {
            Some(was) if was != transfer => Note::GoesOnAs { was, now: transfer, percent },
            Some(_) | None if offset > 0 => Note::GoesOn(upload.label(), percent),
            Some(_) | None => Note::Begins(upload.label(), waited_ms),
        };
        self.steps.note(note);
    }

    /// So many bytes more may be sent.
    pub(in crate::client) fn handle_credit(&mut self, transfer: TransferId, bytes: u64) {
        if let Some(OwnUpload { stage: UploadStage::Moving { credit, .. }, .. }) =
            self.numbered(transfer)
        {
            *credit = credit.saturating_add(bytes);
        }
    }

    /// The server says that it is over. Answers whether it was one of these.
    pub(in crate::client) fn handle_ended(&mut self, transfer: TransferId, how: Ending) -> bool {
        let Some(key) = self.key(transfer) else { return false };
        let Some(upload) = self.entries.get_mut(&key) else { return false };
        match how {
            Ending::Stored => {
                self.steps.note(Note::Sent(upload.label(), upload.hash));
                self.entries.remove(&key);
            }
            _ if upload.cancelled => {
                self.entries.remove(&key);
            }
            Ending::SenderGone | Ending::Stalled if !upload.ended => {
                upload.ended = true;
                break_off(upload);
                self.steps.note(Note::AnnouncedAgain(upload.label(), how));
            }
            Ending::Mismatch => self.on_changed(key, "the file changed while it was sent"),
            Ending::SenderGone
            | Ending::Stalled
            | Ending::Cancelled
            | Ending::ReceiverGone
            | Ending::Removed
            | Ending::Overrun
            | Ending::StoreFailed => self.give_up(key, "not_delivered", &how.to_string()),
        }
        true
    }

    /// Somebody here wants it no more.
    pub(in crate::client) fn cancel(&mut self, transfer: TransferId) -> Withdrawal {
        let Some(key) = self.key(transfer) else { return Withdrawal::Unknown };
        self.cancel_key(key)
    }

    /// The same for the first of this name that has no number yet.
    pub(in crate::client) fn cancel_named(&mut self, name: &str) -> Withdrawal {
        let named = |upload: &OwnUpload| {
            upload.transfer.is_none() && !upload.cancelled && upload.source.name.as_str() == name
        };
        let Some(key) = self.find(named) else { return Withdrawal::Unknown };
        self.cancel_key(key)
    }

    /// The server was asked to withdraw it, and has or has not.
    pub(in crate::client) fn handle_withdrawn(&mut self, transfer: TransferId, is_done: bool) {
        let Some(key) = self.key(transfer) else { return };
        if is_done {
            self.entries.remove(&key);
        } else if let Some(upload) = self.entries.get_mut(&key) {
            upload.cancelled = false;
        }
    }

    /// The connection is lost: all that was announced is announced again on the next one.
    pub(in crate::client) fn handle_lost(&mut self) {
        self.entries.retain(|_, upload| !upload.cancelled);
        for upload in self.entries.values_mut().filter(|upload| upload.is_announced()) {
            break_off(upload);
        }
    }

    /// They are not sent any more.
    pub(in crate::client) fn give_up_all(&mut self, why: &str) {
        let keys: Vec<u64> = self.entries.keys().copied().collect();
        for key in keys {
            self.give_up(key, "not_delivered", why);
        }
    }

    fn find(&self, wanted: impl Fn(&OwnUpload) -> bool) -> Option<u64> {
        self.entries.iter().find(|(_, upload)| wanted(upload)).map(|(&key, _)| key)
    }

    fn key(&self, transfer: TransferId) -> Option<u64> {
        self.find(|upload| upload.transfer == Some(transfer))
    }

    /// The one of this number that the server knows.
    fn numbered(&mut self, transfer: TransferId) -> Option<&mut OwnUpload> {
        let key = self.key(transfer)?;
        self.entries.get_mut(&key).filter(|upload| upload.is_announced())
    }

    fn moving(&self) -> impl Iterator<Item = u64> {
        let moving = |upload: &&OwnUpload| matches!(upload.stage, UploadStage::Moving { .. });
        self.entries.iter().filter(move |(_, upload)| moving(upload)).map(|(&key, _)| key)
    }

    fn announce_one(&mut self, here: &Here) -> bool {
        let ready = |upload: &OwnUpload| {
            matches!(upload.stage, UploadStage::Ready) && upload.retry.is_due(here.now)
        };
        let Some(key) = self.find(ready) else { return false };
        let Some(upload) = self.entries.get_mut(&key) else { return false };
        if !upload.goal.is_near(here.room) {
            let why = "you are not any more where it was to go";
            self.give_up(key, Refusal::NotInRoom.code(), why);
            return true;
        }
        match upload.source.is_unchanged() {
            Ok(true) => {}
            Ok(false) => {
                self.on_changed(key, "the file changed meanwhile");
                return true;
            }
            Err(error) => {
                self.give_up(key, "cannot_read", &lost(&error));
                return true;
            }
        }
        let announcement =
            Announcement::new(&upload.source, &upload.goal, upload.hash, upload.again);
        upload.stage = UploadStage::Asked(None);
        self.steps.ask(Step::Announce { key, announcement });
        true
    }

    fn hash_some(&mut self, now: Duration) -> bool {
        if let Some(key) = self.find(|upload| matches!(upload.stage, UploadStage::Hashing { .. })) {
            self.hash_step(key, now);
            return true;
        }
        let new = |upload: &&OwnUpload| matches!(upload.stage, UploadStage::New);
        let under_way = self.entries.values().filter(|upload| !new(upload)).count();
        let Some(key) = self.find(|upload| new(&upload)) else { return false };
        let Some(upload) = self.entries.get_mut(&key).filter(|_| under_way < AT_ONCE_MAX) else {
            return false;
        };
        match upload.source.read_from(0) {
            Ok(file) => {
                let hashing = Hashing::new(file, upload.source.size);
                upload.stage = UploadStage::Hashing { hashing, since: now, told: false };
            }
            Err(error) => self.give_up(key, "cannot_read", &lost(&error)),
        }
        true
    }

    fn hash_step(&mut self, key: u64, now: Duration) {
        let Some(upload) = self.entries.get_mut(&key) else { return };
        let label = upload.label();
        let UploadStage::Hashing { hashing, since, told } = &mut upload.stage else { return };
        if !*told && now.saturating_sub(*since) >= HASHING_UNTOLD {
            *told = true;
            self.steps.note(Note::Hashing(label));
        }
        match hashing.step() {
            Ok(None) => {}
            Ok(Some(hash)) => {
                upload.hash = Some(hash);
                upload.stage = UploadStage::Ready;
            }
            Err(error) => self.give_up(key, "cannot_read", &lost(&error)),
        }
    }

    fn on_announced(&mut self, key: u64, transfer: TransferId, place: u32, now: Duration) {
        let Some(upload) = self.entries.get_mut(&key) else { return };
        upload.was = upload.transfer.replace(transfer);
        upload.retry.reset();
        // It stands at the end of the line.
        upload.stage = UploadStage::Queued { place, of: place, since: now };
        if upload.cancelled {
            self.steps.ask(Step::Cancel(transfer));
            self.entries.remove(&key);
        } else if place > 0 {
            self.steps.note(Note::Moves(transfer, upload.progress(now)));
        }
    }

    fn on_refused(&mut self, key: u64, problem: &Problem, now: Duration) {
        let others = self.entries.values().filter(|upload| upload.is_announced()).count() > 1;
        let Some(upload) = self.entries.get_mut(&key) else { return };
        let code = problem.code.as_str();
        let full = code == "too_many_uploads";
        let passes =
            PASSING.contains(&code) || upload.again && PASSING_AGAIN.contains(&code) || full;
        if upload.cancelled {
            self.entries.remove(&key);
        } else if upload.retry.goes_on(now, full && others, passes) {
            upload.stage = UploadStage::Ready;
        } else {
            self.give_up(key, code, visible(&problem.text).as_ref());
        }
    }

    fn on_unreadable(&mut self, key: u64, transfer: TransferId, error: &io::Error) {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            self.steps.ask(Step::Cancel(transfer));
            self.on_changed(key, "the file changed while it was sent");
        } else {
            self.withdraw(transfer, &lost(error));
        }
    }

    /// It is not what was announced: once it is begun anew, as another file.
    fn on_changed(&mut self, key: u64, what: &'static str) {
        let Some(upload) = self.entries.get_mut(&key) else { return };
        if upload.changed {
            return self.give_up(key, "file_changed", &format!("{what}, again"));
        }
        let label = upload.label();
        match upload.source.look_again() {
            Ok(source) => {
                let seed = self.seed.wrapping_add(key);
                let goal = upload.goal.clone();
                *upload = OwnUpload { changed: true, ..OwnUpload::new(source, goal, seed) };
                self.steps.note(Note::SentAnew(label, what));
            }
            Err(error) => self.give_up(key, error.code(), &format!("{what}: {error}")),
        }
    }

    fn withdraw(&mut self, transfer: TransferId, why: &str) {
        self.steps.ask(Step::Cancel(transfer));
        if let Some(key) = self.key(transfer) {
            self.give_up(key, "cannot_read", why);
        }
    }

    fn cancel_key(&mut self, key: u64) -> Withdrawal {
        let Some(upload) = self.entries.get_mut(&key) else { return Withdrawal::Unknown };
        match upload.stage {
            UploadStage::New | UploadStage::Hashing { .. } | UploadStage::Ready => {
                self.entries.remove(&key);
                Withdrawal::Done
            }
            UploadStage::Asked(_) => {
                upload.cancelled = true;
                Withdrawal::Done
            }
            UploadStage::Queued { .. } | UploadStage::Moving { .. } | UploadStage::Finishing => {
                upload.cancelled = true;
                Withdrawal::Ask
            }
        }
    }

    /// `why` is visible.
    fn give_up(&mut self, key: u64, code: &str, why: &str) {
        if let Some(upload) = self.entries.remove(&key) {
            self.steps.refuse(upload.label(), code, why);
        }
    }
}

/// It is to be announced again, under the same hash.
fn break_off(upload: &mut OwnUpload) {
    upload.stage = UploadStage::Ready;
    upload.again = true;
}
