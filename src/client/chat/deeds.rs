//! The part of the conversation that does deeds, whoever wants them done.
//!
//! Joins a driver to the files and requests that its deeds take. The rules it keeps: nothing is
//! handed over in another room than the one that was named, and what was asked and not answered
//! when the connection broke is asked again.

use std::path::Path;

use super::Chat;
use super::about::{About, Listing};
use crate::client::drivers::deed::Deed;
use crate::client::errand::Whom;
use crate::client::transfers::Keeping;
use crate::client::view::{Note, Product, Refused};
use crate::front::native::Problem;
use crate::limits::FILES_MAX;
use crate::message::{Command, FileLine, Reply};

impl Chat {
    /// The next thing for standard output.
    pub(in crate::client) fn poll_product(&mut self) -> Option<Product> {
        self.work.poll_product()
    }

    /// Whether everything that was asked is over and it can be asked more.
    pub(in crate::client) fn at_rest(&self) -> bool {
        self.work.has_begun() && self.link.is_in() && self.nothing_under_way()
    }

    fn nothing_under_way(&self) -> bool {
        self.link.is_open()
            && !self.link.returning()
            && self.link.pending() == 0
            && !self.has_files()
            && !self.link.asks_for_password()
            && self.work.is_spent()
    }

    /// Whether the next line is an answer to a question of the conversation itself.
    pub(in crate::client) fn asks(&self) -> bool {
        self.link.takes_next_line() || self.link.asks_for_name()
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
                self.take_written(&written, |chat| chat.link.ask(command, length));
                self.settle();
            }
            Deed::Send { path, to, room } => self.hand_over(&path, to, room.as_deref()),
            Deed::Get { file, local } => self.get_exactly(file, local),
            Deed::List(pattern) => self.list(Listing { pattern, files: Vec::new() }),
            Deed::Refuse(bad) => self.refuse(Refused::Choice(bad)),
            Deed::Quit => self.handle_no_more_lines(),
        }
    }

    /// Hands a file over; in `room` alone, if one is named.
    fn hand_over(&mut self, path: &Path, to: Whom, room: Option<&str>) {
        let here = self.link.room();
        let is_here =
            |room: &str| here.is_some_and(|here| here.as_str().eq_ignore_ascii_case(room));
        if room.is_none_or(is_here) {
            self.send_file(path, to);
        } else {
            self.refuse(Refused::OtherRoom(path.to_owned()));
        }
    }

    /// Asks for all files that may be taken, or for the next of them.
    fn list(&mut self, listing: Listing) {
        let pattern = listing.pattern.clone().map(Into::into);
        let after = listing.files.last().map(|file| file.transfer);
        self.ask_about(About::List(Box::new(listing)), Command::Files { pattern, after });
    }

    /// The connection is lost: what was asked there has no answer any more.
    pub(super) fn forget_asked(&mut self) {
        for about in std::mem::take(&mut self.about).into_values() {
            if let About::List(listing) = about {
                self.work.ask_again(Deed::List(listing.pattern));
            }
        }
    }

    /// We are in, for the first time or again: what was asked and not answered is asked again.
    pub(super) fn enter(&mut self) {
        if !self.work.has_begun() {
            if let (Some(room), None) = (self.work.room(), self.link.room()) {
                let room = room.to_owned().into();
                self.ask_about(About::Enter, Command::Join { room, open: false });
            } else {
                self.work.begin();
            }
        } else if !self.has_files() {
            self.work.handle_back();
        }
        self.work_on();
    }

    /// Does what an errand wants done, as far as that can be now. Answers whether it was something.
    pub(super) fn work_on(&mut self) -> bool {
        let mut done = false;
        while self.link.is_ready()
            && let Some(deed) = self.work.poll_deed(self.can_say())
        {
            self.handle_deed(deed);
            done = true;
        }
        done
    }

    /// Whether a line may be said now.
    pub(super) fn can_say(&self) -> bool {
        let link = &self.link;
        self.work.is_working() && link.is_in() && !link.returning() && link.is_free()
    }

    /// Leaves when the errand is over, or cannot be. Answers whether it was.
    pub(super) fn go_on(&mut self) -> bool {
        if !self.work.leads() || !self.link.is_open() {
            return false;
        }
        let terse = self.work.is_terse();
        let out = self.link.is_out() || terse && self.link.asks_for_name();
        let lost = out && !self.link.is_busy();
        let done = terse && self.work.is_working() && self.link.is_in();
        let over = done && self.nothing_under_way();
        self.refused |= lost;
        if lost || over {
            self.work.handle_over();
            self.link.leave();
        }
        lost || over
    }

    pub(super) fn on_entered(&mut self, answer: Result<Reply, Problem>) {
        match answer {
            Ok(_) => {}
            Err(problem) => {
                self.refuse(Refused::Answer(problem));
                self.work.handle_over();
                return self.link.leave();
            }
        }
        self.work.begin();
        self.work_on();
    }

    /// A server whose numbers do not ascend, or that never comes to an end, is not followed.
    pub(super) fn on_listed(&mut self, mut listing: Listing, answer: Result<Reply, Problem>) {
        let (files, more) = match answer {
            Ok(Reply::Files { files, more }) => (files, more),
            Ok(_) => return,
            Err(problem) => return self.refuse(Refused::Answer(problem)),
        };
        let last = |files: &[FileLine]| files.last().map(|file| file.transfer);
        let ascends = last(&files) > last(&listing.files);
        listing.files.extend(files);
        if more && ascends && listing.files.len() < FILES_MAX {
            self.list(listing);
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
