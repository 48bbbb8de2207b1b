//! The part of the conversation that is about files, and about those that are sent.
//!
//! Joins requests, uploads and downloads; what each of them may do is theirs to know. The rule it
//! keeps: bulk goes out behind talk, because no part of a file is made ready before it can go soon,
//! and nothing here takes longer than a turn may.

use std::path::{Path, PathBuf};

use super::Chat;
use super::about::About;
use crate::client::errand::Whom;
use crate::client::link::{Link, MOVES};
use crate::client::progress::Direction;
use crate::client::retry::Here;
use crate::client::transfers::{FileSource, Goal, Step};
use crate::client::view::{Gone, Note, Refused};
use crate::front::native::Problem;
use crate::id::TransferId;
use crate::limits::CHUNK_MAX;
use crate::message::{Command, Refusal, Reply};

/// Bytes not yet written above which no part of a file is added.
const AHEAD_MAX: usize = 2 * CHUNK_MAX;

/// A file for a room that is known when all requests up to `last` are answered.
#[derive(Debug)]
pub(super) struct Delayed {
    last: u64,
    path: PathBuf,
    to: Whom,
}

impl Chat {
    /// Gets files on a little: hashes a part of one, asks for the next ones, and makes parts ready
    /// as far as they were granted. Answers whether something was done.
    pub(in crate::client) fn fill(&mut self) -> bool {
        self.filled = self.link.is_open() && self.fill_some();
        self.settle();
        if self.filled {
            self.leave_if_done();
        }
        self.filled
    }

    fn fill_some(&mut self) -> bool {
        let mut done = self.transfers.work(&here(&self.link));
        self.take_steps();
        done |= self.work_on();
        if self.go_on() {
            return true;
        }
        while !self.link.away() && self.link.outgoing().len() < AHEAD_MAX {
            let part = self.transfers.poll_part(self.link.now());
            self.take_steps();
            let Some((transfer, bytes)) = part else { break };
            self.link.send_chunk(transfer, &bytes);
            done = true;
        }
        done
    }

    /// Whether a file is still to be sent or to be saved.
    pub(super) fn has_files(&self) -> bool {
        self.transfers.under_way() || !self.delayed.is_empty()
    }

    /// Sends a file of which only the line is known: all of it is the path if there is such a file,
    /// and else the last word is the user.
    pub(super) fn send_typed_file(&mut self, whole: &str, parts: Option<(&str, &str)>) {
        match parts {
            Some((path, user)) if !Path::new(whole).is_file() => {
                self.send_file(path.as_ref(), Whom::User(user.to_owned()));
            }
            Some(_) | None => self.send_file(whole.as_ref(), Whom::Room),
        }
    }

    /// Sends a file. What cannot be sent is refused here.
    pub(in crate::client) fn send_file(&mut self, path: &Path, to: Whom) {
        if !self.link.is_in() {
            return self.refuse_with(&Refusal::LoginFirst);
        }
        let last = self.link.last_id();
        let moving = self.link.awaits(&MOVES, last) || !self.delayed.is_empty();
        if moving && !matches!(to, Whom::User(_)) {
            return self.delayed.push_back(Delayed { last, path: path.to_owned(), to });
        }
        let goal = match (to, self.link.room()) {
            (Whom::User(user), _) => Goal::User(user),
            (Whom::Room, Some(room)) => Goal::Room(room),
            (Whom::Room, None) => return self.refuse_with(&Refusal::NotInRoom),
            (Whom::Shelf, room) => Goal::Shelf(room),
        };
        match FileSource::open(path) {
            Ok(source) => self.transfers.add(source, goal),
            Err(error) => {
                let (code, why) = (error.code(), error.to_string());
                self.refuse(Refused::Unsendable(path.to_owned(), code, why));
            }
        }
    }

    /// Sends the files whose room is known now.
    pub(super) fn take_delayed(&mut self) {
        while let Some(delayed) = self.delayed.front() {
            if self.link.awaits(&MOVES, delayed.last) {
                return;
            }
            let Some(Delayed { path, to, .. }) = self.delayed.pop_front() else { return };
            let later = std::mem::take(&mut self.delayed);
            self.send_file(&path, to);
            self.delayed.extend(later);
        }
    }

    /// Withdraws a file of your own, or takes no more of somebody else's.
    pub(super) fn cancel(&mut self, transfer: TransferId) {
        self.transfers.cancel(transfer);
        // Before the line is noted that asks for it.
        self.take_steps();
    }

    /// Sends a file not at all that has no number yet.
    pub(super) fn cancel_named(&mut self, name: &str) {
        if !self.transfers.cancel_named(name) {
            self.refuse(Refused::NoUpload);
        }
    }

    /// Removes a file of your own from the server.
    pub(super) fn remove(&mut self, transfer: TransferId) {
        self.ask_about(About::Wish(Note::Removed(transfer)), Command::Remove { transfer });
    }

    pub(super) fn on_file_answer(&mut self, about: About, answer: Result<Reply, Problem>) {
        match (about, answer) {
            (About::File(ask), answer) => {
                self.transfers.handle_answer(ask, answer, &here(&self.link));
            }
            (About::Look(look), answer) => self.on_found(*look, answer),
            (About::Wish(note), Ok(_)) => self.note(note),
            (About::Wish(_), Err(problem)) => self.refuse(Refused::Answer(problem)),
            (About::Enter | About::List(_), _) => {}
        }
    }

    /// Asks and says what the files want asked and said.
    pub(super) fn take_steps(&mut self) {
        while let Some(step) = self.transfers.poll_step() {
            self.on_step(step);
        }
    }

    fn on_step(&mut self, step: Step) {
        match step {
            Step::Ask(ask, command) => self.ask_about(About::File(ask), command),
            Step::Saved(path) => self.work.handle_saved(path),
            Step::Stored(transfer, name) => self.work.handle_stored(transfer, &name),
            Step::Note(note) => self.note(note),
            Step::Moved(note) if self.bars => drop(note),
            Step::Moved(note) => self.note(note),
            Step::Withdrawn(note) => {
                self.refused = true;
                self.note(note);
            }
            Step::Refuse(refused) => self.refuse(refused),
        }
    }

    /// The connection is lost; on the next one the files continue.
    pub(super) fn break_off_files(&mut self) {
        self.forget_asked();
        self.transfers.handle_lost();
        self.refuse_delayed();
    }

    fn refuse_delayed(&mut self) {
        for Delayed { path, .. } in std::mem::take(&mut self.delayed) {
            self.refuse(Refused::UnsentFile(path));
        }
    }

    /// Says how many files wait for the connection.
    pub(super) fn say_broken_off(&mut self) {
        let count = self.progress().count();
        if count > 0 {
            self.note(Note::FilesWait(count));
        }
    }

    /// There is nobody any more who could send or take them.
    pub(super) fn give_up_files(&mut self, why: Gone) {
        self.transfers.give_up_all(Direction::Up, why);
        self.transfers.give_up_all(Direction::Down, why);
        self.refuse_delayed();
        self.take_steps();
    }

    pub(super) fn ask_about(&mut self, about: About, command: Command<'_>) {
        let id = self.link.request(command);
        self.about.insert(id, about);
    }
}

/// Where the files find us.
fn here(link: &Link) -> Here<'_> {
    let (now, can_ask, names_room) = (link.now(), link.is_ready(), !link.is_old());
    Here { now, can_ask, user: link.me(), rooms: link.rooms(), names_room }
}
