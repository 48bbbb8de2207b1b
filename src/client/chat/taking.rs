//! The part of the conversation that is about files which are taken.
//!
//! Knows what was typed and what the server lists; how a file is saved is for the downloads to
//! know. The rule it keeps: nothing is asked for before it is known what it is, because only then
//! can half of it be found here.

use super::Chat;
use super::about::{About, Look};
use crate::client::commands::Wanted;
use crate::client::face::misunderstood;
use crate::client::transfers::{is_for_one, is_near};
use crate::client::view::{Note, Refused, Show};
use crate::front::native::Problem;
use crate::front::slash;
use crate::id::TransferId;
use crate::message::{Command, Event, FileLine, FileName, FileRef, Refusal, Reply};

impl Chat {
    /// Takes a file.
    pub(in crate::client) fn get(&mut self, wanted: Wanted<'_>) {
        match wanted {
            Wanted::Number { transfer, local } => {
                let local = match local.map(FileName::parse).transpose() {
                    Ok(local) => local,
                    Err(error) => return self.refuse_with(&Refusal::BadFileName(error)),
                };
                if self.transfers.knows(transfer) {
                    let accepted = self.transfers.accept(transfer, local, false);
                    self.on_accepted(accepted);
                } else {
                    self.get_exactly(FileRef::Number(transfer), local);
                }
            }
            Wanted::Name(name) => {
                let file = FileRef::Name(name.to_owned().into());
                self.look(Look { file, splits: true, local: None, found: None }, None);
            }
        }
    }

    /// Takes a file that is called so, and no other.
    pub(super) fn get_exactly(&mut self, file: FileRef<'static>, local: Option<FileName>) {
        self.look(Look { file, splits: false, local, found: None }, None);
    }

    /// Whether all that is offered from now on is taken.
    pub(super) fn accept_all(&mut self, all: bool) {
        self.accepts_all = all;
        self.note(Note::AcceptsAll(all));
    }

    /// Also while its bytes come: what has come of it is removed at once.
    pub(super) fn reject(&mut self, transfer: TransferId) {
        self.transfers.forget(transfer);
        self.ask_about(About::Wish(Note::Rejected(transfer)), Command::Reject { transfer });
    }

    pub(super) fn on_offered(&mut self, file: FileLine) {
        if !self.transfers.handle_offered(&file) {
            return;
        }
        let (transfer, alone) = (file.transfer, is_for_one(&file));
        let mine = self.link.me() == Some(file.from);
        self.show(&Show::Event(Event::Offered { file }));
        if self.accepts_all && !mine && self.link.is_open() {
            let accepted = self.transfers.accept(transfer, None, !alone);
            self.on_accepted(accepted);
        }
    }

    pub(super) fn on_found(&mut self, mut look: Look, answer: Result<Reply, Problem>) {
        let (files, more) = match answer {
            Ok(Reply::Files { files, more }) => (files, more),
            answer => {
                return self.refuse(Refused::Answer(answer.err().unwrap_or_else(misunderstood)));
            }
        };
        let last = files.last().map(|file| file.transfer).filter(|_| more);
        let (me, rooms) = (self.link.me(), self.link.rooms());
        // The numbers ascend, so the last one is the newest.
        let newest = files.into_iter().rfind(|file| match &look.file {
            FileRef::Number(transfer) => file.transfer == *transfer,
            FileRef::Name(name) => file.name.as_str() == name && is_near(file.to, me, rooms),
        });
        look.found = newest.or(look.found);
        match (look, last) {
            (look @ Look { file: FileRef::Name(_), .. }, Some(last)) => self.look(look, Some(last)),
            (Look { found: Some(file), local, .. }, _) => {
                let accepted = self.transfers.take(file, local);
                self.on_accepted(accepted);
            }
            (Look { file: FileRef::Name(name), splits: true, .. }, _) => self.look_for_split(&name),
            (Look { found: None, .. }, _) => self.refuse_with(&Refusal::NoSuchFile),
        }
    }

    /// Nothing is called so: perhaps the last word is the local name.
    fn look_for_split(&mut self, whole: &str) {
        match slash::split_last_word(whole).map(|(name, local)| (name, FileName::parse(local))) {
            Some((name, Ok(local))) => {
                self.get_exactly(FileRef::Name(name.to_owned().into()), Some(local));
            }
            Some((_, Err(error))) => self.refuse_with(&Refusal::BadFileName(error)),
            None => self.refuse_with(&Refusal::NoSuchFile),
        }
    }

    fn look(&mut self, look: Look, after: Option<TransferId>) {
        let (pattern, after) = match &look.file {
            // The list from it on.
            FileRef::Number(number) => (None, number.0.checked_sub(1).map(TransferId)),
            FileRef::Name(name) => (Some(name.clone()), after),
        };
        self.ask_about(About::Look(Box::new(look)), Command::Files { pattern, after });
    }

    fn on_accepted(&mut self, accepted: Result<(), Refused>) {
        accepted.unwrap_or_else(|refused| self.refuse(refused));
    }
}
