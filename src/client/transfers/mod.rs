//! The files on their way, in both directions, as one machine: each is begun here, asked for, moved
//! and over, and what that takes comes out of one queue, [`Transfers::poll_step`].
//!
//! Refuses to know frames and screens, and how a file is read (`sending.rs`) or saved
//! (`taking.rs`). The rules it keeps: a lost connection costs no file, because each is asked for
//! again where it stands; and each direction is given its turn even while the other has work.

mod sending;
mod source;
mod stage;
mod step;
mod taken;
mod taking;
mod transfer;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::face::misunderstood;
use super::progress::{Direction, Progress};
use super::retry::Here;
use super::view::{Change, Gone, Note, Refused, Undone};
use crate::front::native::Problem;
use crate::id::TransferId;
use crate::limits::{DOWNLOADS_A_USER, UPLOADS_A_USER};
use crate::message::{Command, Digest, Ending, Refusal, Reply, visible};
pub(super) use source::{FileSource, Goal};
use stage::{Failure, FileKey, FileStage};
use step::Steps;
pub(super) use step::{FileAsk, Step};
pub(super) use taken::{Keeping, is_for_one, is_near};
use transfer::{FileEnd, OwnFile};

/// What a server refuses that may be granted in a moment.
const PASSING: [&str; 2] = ["busy", "slow_down"];
/// The same for a file that was announced before: then the other side may be on its way back too,
/// and our lost connection may not be known to be lost.
const ODD_AGAIN: [&str; 4] = ["queue_full", "store_failed", "no_such_user", "login_under_way"];
/// How long a file of ours may be hashed before that is said.
const HASHING_UNTOLD: Duration = Duration::from_secs(1);
/// All files that are not over.
#[derive(Debug)]
pub(super) struct Transfers {
    entries: BTreeMap<FileKey, OwnFile>,
    /// What is to be asked and said.
    steps: Steps,
    /// Files that were to be sent.
    sent: u64,
    /// Files that were accepted.
    accepted: u64,
    seed: u64,
    dir: PathBuf,
    keeping: Keeping,
    /// How many may come at once.
    places: usize,
    /// What was saved in this run, by its hash, because a number may come from another server.
    taken: BTreeMap<TransferId, Digest>,
    /// What is saved and not known to be confirmed.
    unconfirmed: BTreeSet<TransferId>,
}

/// What is done about a file before it moves.
#[derive(Clone, Copy)]
enum Task {
    Begin,
    Read,
    Ask,
}

impl Transfers {
    /// None yet; files are saved into `dir`, which should exist, and the seed makes the waits of
    /// this client others than those of the next.
    pub(super) fn new(dir: PathBuf, keeping: Keeping, seed: u64) -> Self {
        Self {
            entries: BTreeMap::new(),
            steps: Steps::default(),
            sent: 0,
            accepted: 0,
            seed,
            dir,
            keeping,
            places: DOWNLOADS_A_USER,
            taken: BTreeMap::new(),
            unconfirmed: BTreeSet::new(),
        }
    }

    /// The server lets so many come at once; 0 is what is usual.
    pub(super) fn set_places(&mut self, places: u64) {
        let told = usize::try_from(places).unwrap_or(usize::MAX);
        self.places = if told == 0 { DOWNLOADS_A_USER } else { told };
    }

    /// Whether a file is still to be sent or to be saved.
    pub(super) fn under_way(&self) -> bool {
        self.wanted().next().is_some()
    }

    /// How far each is.
    pub(super) fn progress(&self, now: Duration) -> impl Iterator<Item = Progress> {
        self.wanted().map(move |entry| entry.progress(now))
    }

    /// When something is to be asked again at the earliest.
    pub(super) fn wake_at(&self, now: Duration) -> Option<Duration> {
        let ready = self.entries.values().filter(|entry| entry.stage == FileStage::Ready);
        ready.filter_map(|entry| entry.retry.at(now)).min()
    }

    /// The next thing to be asked or said.
    pub(super) fn poll_step(&mut self) -> Option<Step> {
        self.steps.poll()
    }

    /// Does one thing for each direction that takes little time: begins with a file, reads a part
    /// of one for its hash, or asks. Answers whether there was one.
    pub(super) fn work(&mut self, here: &Here) -> bool {
        use Task::{Ask, Begin, Read};
        let mut one = |direction, tasks: [Task; 3]| {
            tasks.into_iter().any(|task| self.do_first(direction, task, here))
        };
        // One of ours is read after the other; a place for a download is not left empty.
        one(Direction::Up, [Ask, Read, Begin]) | one(Direction::Down, [Begin, Ask, Read])
    }

    fn do_first(&mut self, direction: Direction, task: Task, here: &Here) -> bool {
        let places = match direction {
            Direction::Up => UPLOADS_A_USER,
            Direction::Down => self.places,
        };
        let begun = self.of(direction).filter(|entry| entry.stage > FileStage::Waiting).count();
        let first = self.first(direction, |entry| match task {
            Task::Begin => entry.stage == FileStage::Waiting && begun < places,
            Task::Read => matches!(entry.stage, FileStage::Reading(_)),
            Task::Ask => {
                here.can_ask && entry.stage == FileStage::Ready && entry.retry.is_due(here.now)
            }
        });
        let Some(key) = first else { return false };
        match task {
            Task::Begin => self.begin(key, here.now),
            Task::Read => self.read(key, here.now),
            Task::Ask => self.ask(key, here),
        }
        true
    }

    fn begin(&mut self, key: FileKey, now: Duration) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let begun = match &mut entry.end {
            FileEnd::Sent(sent) => sent.begin(now),
            FileEnd::Taken(taken) => taken.begin(&self.dir, self.keeping),
        };
        match begun {
            Ok(stage) => entry.stage = stage,
            Err(failure) => self.fail(key, failure),
        }
    }

    fn read(&mut self, key: FileKey, now: Duration) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if let FileStage::Reading(Some(since)) = entry.stage
            && now.saturating_sub(since) >= HASHING_UNTOLD
        {
            entry.stage = FileStage::Reading(None);
            self.steps.note(Note::Hashing(entry.label()));
        }
        let read = match &mut entry.end {
            FileEnd::Sent(sent) => sent.read(),
            FileEnd::Taken(taken) => taken.read(&self.dir),
        };
        match read {
            Ok(None) => {}
            Ok(Some(FileStage::Finishing)) => self.on_had(key),
            Ok(Some(stage)) => entry.stage = stage,
            Err(failure) => self.fail(key, failure),
        }
    }

    fn ask(&mut self, key: FileKey, here: &Here) {
        match key {
            FileKey::Up(_) => self.announce(key, here),
            FileKey::Down(transfer) => self.ask_for(key, transfer),
        }
    }

    /// What was asked is answered.
    pub(super) fn handle_answer(
        &mut self,
        ask: FileAsk,
        answer: Result<Reply, Problem>,
        here: &Here,
    ) {
        match ask {
            FileAsk::Begin(key) => self.on_answer(key, answer, here),
            // Whoever does not know it any more has no need of it either.
            FileAsk::Confirm(transfer) => _ = self.unconfirmed.remove(&transfer),
            FileAsk::Stop(Direction::Up, transfer) => self.on_withdrawn(transfer, answer.err()),
            // It may have come to its end before, which is as good.
            FileAsk::Stop(Direction::Down, transfer) => self.steps.note(Note::Stopped(transfer)),
            FileAsk::Quiet => {}
        }
    }

    fn on_answer(&mut self, key: FileKey, answer: Result<Reply, Problem>, here: &Here) {
        match (key, answer) {
            (FileKey::Up(_), Ok(Reply::Announced { transfer, place })) => {
                self.on_announced(key, transfer, place, here.now);
            }
            (FileKey::Down(_), Ok(Reply::Getting { file, offset })) => {
                self.on_getting(key, &file, offset, here.now);
            }
            (FileKey::Up(_) | FileKey::Down(_), answer) => {
                self.on_refused(key, &answer.err().unwrap_or_else(misunderstood), here);
            }
        }
    }

    fn on_refused(&mut self, key: FileKey, problem: &Problem, here: &Here) {
        let code = problem.code.as_str();
        let others = self.of(key.direction()).any(|entry| match key {
            FileKey::Up(_) => entry.key != key && entry.is_asked(),
            FileKey::Down(_) => entry.stage == FileStage::Moving,
        });
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let (full, is_odd) = match key {
            FileKey::Up(_) => ("too_many_uploads", entry.again && ODD_AGAIN.contains(&code)),
            FileKey::Down(_) => ("too_many_downloads", code == "store_failed"),
        };
        let is_full = code == full;
        let passes = is_full || is_odd || PASSING.contains(&code);
        if entry.is_cancelled() {
            self.entries.remove(&key);
        } else if entry.retry.goes_on(here.now, is_full && others, passes) {
            if entry.stage == FileStage::Asked {
                entry.stage = FileStage::Ready;
            }
        } else {
            // It may be for a room that we are not in; otherwise the server has it no more.
            let is_gone = code == Refusal::NoSuchFile.code()
                && entry
                    .end
                    .taken()
                    .is_some_and(|taken| is_near(taken.file.to, here.user, here.rooms));
            let why = Undone::Told(visible(&problem.text).to_string());
            if is_gone { self.lose(key, code, why) } else { self.give_up(key, code, why) }
        }
    }

    /// The server says that it is over. One that is not here was withdrawn before.
    pub(super) fn handle_ended(&mut self, transfer: TransferId, how: Ending) {
        let Some(key) = self.key(transfer) else { return };
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let (label, why, is_wanted) = (entry.label(), Undone::Ended(how), entry.is_wanted());
        match &mut entry.end {
            FileEnd::Sent(sent) if how == Ending::Stored => {
                self.steps.take(Step::Stored(transfer, label.name.clone()));
                self.steps.note(Note::Sent(label, sent.hash));
                self.entries.remove(&key);
            }
            FileEnd::Sent(sent) if sent.cancelled => _ = self.entries.remove(&key),
            FileEnd::Sent(sent)
                if !sent.ended && matches!(how, Ending::SenderGone | Ending::Stalled) =>
            {
                sent.ended = true;
                entry.break_off();
                self.steps.note(Note::AnnouncedAgain(label, how));
            }
            FileEnd::Sent(_) if how == Ending::Mismatch => self.on_changed(key, Change::Moving),
            FileEnd::Taken(_) if !is_wanted => {
                self.steps.note(Note::Gone(label, how));
                self.entries.remove(&key);
            }
            FileEnd::Taken(_) if matches!(how, Ending::Cancelled | Ending::Removed) => {
                self.lose(key, undone(key), why);
            }
            FileEnd::Sent(_) | FileEnd::Taken(_) => self.give_up(key, undone(key), why),
        }
    }

    /// Somebody here wants it no more. What the server alone knows is for it to withdraw.
    pub(super) fn cancel(&mut self, transfer: TransferId) {
        let key = self.key(transfer).filter(|key| self.entries[key].is_wanted());
        let direction = key.map_or(Direction::Up, FileKey::direction);
        if key.is_none_or(|key| self.stop(key)) {
            let ask = FileAsk::Stop(direction, transfer);
            return self.steps.ask(ask, Command::Cancel { transfer });
        }
        match direction {
            Direction::Up => self.steps.take(Step::Withdrawn(Note::Withdrawn(transfer))),
            Direction::Down => self.steps.note(Note::Stopped(transfer)),
        }
    }

    /// The same for the first of ours that is called so and has no number yet. Answers whether
    /// there was one.
    pub(super) fn cancel_named(&mut self, name: &str) -> bool {
        let unnumbered = self.first(Direction::Up, |entry| {
            entry.number.is_none() && !entry.is_cancelled() && entry.label().name == name
        });
        let Some(key) = unnumbered else { return false };
        self.stop(key);
        self.steps.take(Step::Withdrawn(Note::WithdrawnNamed(name.to_owned())));
        true
    }

    /// Answers whether the server is to be asked: one without a number is withdrawn when it has
    /// one.
    fn stop(&mut self, key: FileKey) -> bool {
        let Some(entry) = self.entries.get_mut(&key) else { return false };
        let (is_asked, is_answered) = (entry.is_asked(), entry.stage != FileStage::Asked);
        match &mut entry.end {
            FileEnd::Taken(_) => {
                self.discard(key);
                is_asked
            }
            FileEnd::Sent(sent) if is_asked => {
                sent.cancelled = true;
                is_answered
            }
            FileEnd::Sent(_) => {
                self.entries.remove(&key);
                false
            }
        }
    }

    /// The server was asked to withdraw an upload, and has or has not.
    fn on_withdrawn(&mut self, transfer: TransferId, problem: Option<Problem>) {
        let key = self.key(transfer).filter(|key| key.direction() == Direction::Up);
        if let Some(problem) = problem {
            let entry = key.and_then(|key| self.entries.get_mut(&key));
            entry.and_then(|it| it.end.sent()).into_iter().for_each(|sent| sent.cancelled = false);
            self.steps.take(Step::Refuse(Refused::Answer(problem)));
        } else {
            key.and_then(|key| self.entries.remove(&key));
            self.steps.take(Step::Withdrawn(Note::Withdrawn(transfer)));
        }
    }

    /// The connection is lost: what the server knows of is asked for again on the next one.
    pub(super) fn handle_lost(&mut self) {
        self.entries.retain(|_, entry| !entry.is_cancelled());
        self.entries.values_mut().filter(|entry| entry.is_asked()).for_each(OwnFile::break_off);
    }

    /// They are not sent any more, or not taken: what has come of them stays for another time.
    pub(super) fn give_up_all(&mut self, direction: Direction, why: Gone) {
        let is_over = |entry: &OwnFile| entry.key.direction() == direction;
        for entry in self.entries.values().filter(|entry| is_over(entry) && entry.is_wanted()) {
            self.steps.refuse(entry.label(), undone(entry.key), Undone::Gone(why));
        }
        self.entries.retain(|_, entry| !is_over(entry));
    }

    fn wanted(&self) -> impl Iterator<Item = &OwnFile> {
        self.entries.values().filter(|entry| entry.is_wanted())
    }

    fn of(&self, direction: Direction) -> impl Iterator<Item = &OwnFile> {
        self.entries.values().filter(move |entry| entry.key.direction() == direction)
    }

    /// Which of these was wanted first.
    fn first(&self, direction: Direction, is_it: impl Fn(&OwnFile) -> bool) -> Option<FileKey> {
        let found = self.of(direction).filter(|entry| is_it(entry));
        found.min_by_key(|entry| entry.turn).map(|entry| entry.key)
    }

    /// One that is sent comes before one that is taken.
    fn key(&self, transfer: TransferId) -> Option<FileKey> {
        let known = self.entries.get(&FileKey::Down(transfer));
        let mut sent = self.of(Direction::Up).filter(|entry| entry.number == Some(transfer));
        sent.next().or(known).map(|entry| entry.key)
    }

    fn fail(&mut self, key: FileKey, (code, why): Failure) {
        self.give_up(key, code, why);
    }

    /// It does not continue; one of the server's can be asked for again, with what has come of it.
    fn give_up(&mut self, key: FileKey, code: &str, why: Undone) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        self.steps.refuse(entry.label(), code, why);
        if let FileEnd::Taken(taken) = &mut entry.end {
            drop(taken.take_half());
            entry.stage = FileStage::Offered;
        } else {
            self.entries.remove(&key);
        }
    }

    /// The same, and the server has it no more.
    fn lose(&mut self, key: FileKey, code: &str, why: Undone) {
        self.discard(key);
        self.give_up(key, code, why);
        self.entries.remove(&key);
    }
}

/// The code of a file that nothing came of.
const fn undone(key: FileKey) -> &'static str {
    match key {
        FileKey::Up(_) => "not_delivered",
        FileKey::Down(_) => "not_saved",
    }
}
