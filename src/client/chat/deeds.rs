//! The part of the conversation that does deeds, whoever wants them done.
//!
//! Joins a driver to the files and requests that its deeds take. The rules it keeps: nothing is
//! handed over in another room than the one that was named, and what was asked and not answered
//! when the connection broke is asked again.

use std::path::Path;

use super::{Chat, Login};
use crate::client::drivers::deed::Deed;
use crate::client::errand::Whom;
use crate::client::product::Product;
use crate::client::transfers::downloads::Keeping;
use crate::client::view::Note;
use crate::front::native::Problem;
use crate::id::TransferId;
use crate::limits::FILES_MAX;
use crate::message::{Command, FileLine, Reply};

/// The number that no request has.
const NO_REQUEST: u64 = 0;

/// A list that comes in several replies.
#[derive(Debug)]
pub(super) struct Listing {
    request: u64,
    pattern: Option<String>,
    files: Vec<FileLine>,
}

impl Listing {
    /// Numbers of requests mean others on the next connection.
    pub(super) fn handle_lost(&mut self) {
        self.request = NO_REQUEST;
    }
}

impl Chat {
    /// The next thing for standard output.
    pub(in crate::client) fn poll_product(&mut self) -> Option<Product> {
        self.work.poll_product()
    }

    /// Whether everything that was asked is over and it can be asked more.
    pub(in crate::client) fn at_rest(&self) -> bool {
        self.work.has_begun() && self.login == Login::Done && self.nothing_under_way()
    }

    fn nothing_under_way(&self) -> bool {
        !self.leaving
            && !self.returning()
            && self.session.pending() == 0
            && !self.has_files()
            && self.question.is_none()
            && self.listing.is_none()
            && self.work.is_spent()
            && self.over.is_none()
    }

    /// Whether the next line is an answer to a question of the conversation itself.
    pub(in crate::client) fn asks(&self) -> bool {
        self.question.is_some() || self.login == Login::Unnamed
    }

    /// Nobody takes what it brings: it counts as not done.
    pub(in crate::client) fn handle_undelivered(&mut self) {
        self.refused = true;
    }

    /// Does what a driver wants done.
    pub(in crate::client) fn handle_deed(&mut self, deed: Deed) {
        match deed {
            Deed::Ask { command, written } => {
                let length = written.len();
                self.take_written(&written, |chat| chat.ask(command, length));
                self.take_steps();
            }
            Deed::Send { path, to, room } => self.hand_over(&path, to, room.as_deref()),
            Deed::Get { file, local } => self.get_exactly(file, local),
            Deed::List(pattern) => self.list(pattern),
            Deed::Refuse(code, text) => self.refuse(code, &text),
            Deed::Quit => self.handle_no_more_lines(),
        }
    }

    /// Hands a file over; in `room` alone, if one is named.
    fn hand_over(&mut self, path: &Path, to: Whom, room: Option<&str>) {
        let here = self.room.map(|room| room.to_string());
        let there = room
            .is_none_or(|room| here.as_deref().is_some_and(|here| here.eq_ignore_ascii_case(room)));
        if there {
            self.send_file(path, to);
        } else {
            let text = format!("{}: you are not in that room", path.display());
            self.refuse("not_sent", &text);
        }
    }

    /// Lists all files that may be taken.
    fn list(&mut self, pattern: Option<String>) {
        let request = self.ask_for_files(pattern.as_deref(), None);
        self.listing = Some(Listing { request, pattern, files: Vec::new() });
    }

    fn ask_for_files(&mut self, pattern: Option<&str>, after: Option<TransferId>) -> u64 {
        let pattern = pattern.map(Into::into);
        self.session.request(Command::Files { pattern, after })
    }

    /// We are in, for the first time or again: what was asked and not answered is asked again.
    pub(super) fn enter(&mut self) {
        if self.work.has_begun() {
            if let Some(listing) = self.listing.take() {
                self.list(listing.pattern);
            }
            if !self.has_files() {
                self.work.handle_back();
            }
        } else if let (Some(room), None) = (self.work.room(), self.room) {
            let room = room.to_owned().into();
            let id = self.session.request(Command::Join { room });
            self.work.handle_asked(id);
        } else {
            self.work.begin();
        }
        self.work_on();
    }

    /// Does what an errand wants done, as far as that can be now. Answers whether it was something.
    pub(super) fn work_on(&mut self) -> bool {
        let mut done = false;
        while let Some(deed) = self.work.poll_deed(self.can_say()) {
            self.handle_deed(deed);
            done = true;
        }
        done
    }

    /// Whether a line may be said now.
    pub(super) fn can_say(&self) -> bool {
        self.work.is_working()
            && self.login == Login::Done
            && !self.returning()
            && self.takes_lines()
    }

    /// Leaves when the errand is over, or cannot be. Answers whether it was.
    pub(super) fn go_on(&mut self) -> bool {
        if !self.work.leads() || self.leaving || self.over.is_some() {
            return false;
        }
        let terse = self.work.is_terse();
        let out = match self.login {
            Login::Out => true,
            Login::Unnamed => terse,
            Login::Asked | Login::Resting | Login::Done => false,
        };
        let lost = out && self.attempt.is_none() && self.question.is_none();
        let over = terse
            && self.work.is_working()
            && self.login == Login::Done
            && self.nothing_under_way();
        self.refused |= lost;
        if lost || over {
            self.work.handle_over();
            self.leave();
        }
        lost || over
    }

    /// What an answer means for a deed. Answers whether all is said about it with that.
    pub(super) fn on_deed_answer(&mut self, id: u64, answer: &Result<Reply, Problem>) -> bool {
        if self.work.awaits(id) {
            self.on_entered(answer);
            return true;
        }
        let Some(listing) = self.listing.take_if(|listing| listing.request == id) else {
            return false;
        };
        match answer {
            Ok(Reply::Files { files, more }) => self.on_files(listing, files, *more),
            Ok(_) => {}
            Err(problem) => self.refuse(&problem.code, &problem.text),
        }
        true
    }

    fn on_entered(&mut self, answer: &Result<Reply, Problem>) {
        match answer {
            Ok(Reply::Joined { room, .. }) => self.room = Some(*room),
            Ok(_) => {}
            Err(problem) => {
                self.refuse(&problem.code, &problem.text);
                self.work.handle_over();
                return self.leave();
            }
        }
        self.work.begin();
        self.work_on();
    }

    /// A server whose numbers do not ascend, or that never comes to an end, is not followed.
    fn on_files(&mut self, mut listing: Listing, files: &[FileLine], more: bool) {
        let last = |files: &[FileLine]| files.last().map(|file| file.transfer);
        let ascends = last(files) > last(&listing.files);
        listing.files.extend_from_slice(files);
        if more && ascends && listing.files.len() < FILES_MAX {
            let after = last(files);
            listing.request = self.ask_for_files(listing.pattern.as_deref(), after);
            self.listing = Some(listing);
        } else if let Some(note) = self.work.handle_files(listing.files) {
            self.note(note);
        }
    }

    /// Somebody ends an errand: it counts as not done; nothing is lost of files that have a place.
    pub(super) fn on_stopped(&mut self) {
        self.refused |= self.work.handle_stop();
        if self.work.is_terse() && self.has_files() {
            let kept = self.work.keeping() != Keeping::Nothing;
            self.note(Note::ErrandStopped { kept });
        }
    }
}
