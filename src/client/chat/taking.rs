//! The part of the conversation that is about files which are taken.
//!
//! Knows what was typed and what the server lists; how a file is saved is for the downloads to
//! know. The rule it keeps: nothing is asked for before it is known what it is, because only then
//! can half of it be found here.

use super::Chat;
use super::about::{About, Look, Sought};
use crate::client::commands::Wanted;
use crate::client::face::misunderstood;
use crate::client::transfers::downloads::{AcceptError, Keeping, is_near};
use crate::client::view::{Note, Refused, Show};
use crate::front::native::Problem;
use crate::front::slash;
use crate::id::TransferId;
use crate::message::{Command, Event, FileLine, FileName, FileRef, Refusal, Reply, Target};

impl Chat {
    /// Takes a file.
    pub(in crate::client) fn get(&mut self, wanted: Wanted<'_>) {
        match wanted {
            Wanted::Number { transfer, local } => {
                let local = match local.map(FileName::parse).transpose() {
                    Ok(local) => local,
                    Err(error) => return self.refuse_with(&Refusal::BadFileName(error)),
                };
                match self.transfers.downloads.accept(transfer, local.clone(), false) {
                    Err(AcceptError::Unknown) => self.look(Sought::Number(transfer), local, None),
                    accepted => self.on_accepted(transfer, accepted),
                }
            }
            Wanted::Name(name) => {
                let name = name.to_owned();
                self.look(Sought::Name { name, splits: true }, None, None);
            }
        }
    }

    /// Takes a file that is called so, and no other.
    pub(super) fn get_exactly(&mut self, file: FileRef<'_>, local: Option<FileName>) {
        let sought = match file {
            FileRef::Number(transfer) => Sought::Number(transfer),
            FileRef::Name(name) => Sought::Name { name: name.into_owned(), splits: false },
        };
        self.look(sought, local, None);
    }

    /// Whether all that is offered from now on is taken.
    pub(super) fn accept_all(&mut self, all: bool) {
        self.accepts_all = all;
        self.note(Note::AcceptsAll(all));
    }

    /// Also while its bytes come: what has come of it is removed at once.
    pub(super) fn reject(&mut self, transfer: TransferId) {
        self.transfers.downloads.forget(transfer);
        self.ask_about(About::Reject(transfer), Command::Reject { transfer });
    }

    pub(super) fn on_offered(&mut self, file: FileLine) {
        let transfer = file.transfer;
        let alone = matches!(file.to, Target::User(_));
        if self.transfers.downloads.has_taken(&file) {
            if alone {
                self.confirm(transfer);
            }
            return;
        }
        if !self.transfers.downloads.handle_offered(file.clone()) {
            return;
        }
        let mine = self.link.me() == Some(file.from);
        self.show(&Show::Event(Event::Offered { file }));
        if self.accepts_all && !mine && self.link.is_open() {
            let accepted = self.transfers.downloads.accept(transfer, None, !alone);
            self.on_accepted(transfer, accepted);
        }
    }

    pub(super) fn on_chunk(&mut self, transfer: TransferId, bytes: &[u8]) {
        let progress = self.transfers.downloads.handle_chunk(transfer, bytes, self.link.now());
        self.say_progress(progress);
    }

    pub(super) fn ask_for(&mut self, transfer: TransferId, offset: u64) {
        let file = FileRef::Number(transfer);
        self.ask_about(About::Get(transfer), Command::Get { file, offset });
    }

    pub(super) fn on_get_answer(&mut self, transfer: TransferId, answer: Result<Reply, Problem>) {
        match answer {
            Ok(Reply::Getting { file, offset }) => {
                self.transfers.downloads.handle_getting(&file, offset, self.link.now());
            }
            answer => {
                let problem = answer.err().unwrap_or_else(misunderstood);
                let near = self
                    .transfers
                    .downloads
                    .target(transfer)
                    .is_none_or(|to| is_near(to, self.link.me(), self.link.room()));
                self.transfers.downloads.handle_refused(transfer, &problem, near, self.link.now());
            }
        }
    }

    /// It is on the disk.
    pub(super) fn confirm(&mut self, transfer: TransferId) {
        self.unconfirmed.insert(transfer);
        self.ask_about(About::Confirm(transfer), Command::Received { transfer });
    }

    /// On a new connection: what was not known to be confirmed.
    pub(super) fn confirm_again(&mut self) {
        for transfer in std::mem::take(&mut self.unconfirmed) {
            self.confirm(transfer);
        }
    }

    pub(super) fn on_found(&mut self, mut look: Look, answer: Result<Reply, Problem>) {
        let (files, more) = match answer {
            Ok(Reply::Files { files, more }) => (files, more),
            answer => {
                let problem: Problem = answer.err().unwrap_or_else(misunderstood);
                return self.refuse(Refused::Answer(problem));
            }
        };
        let after = files.last().map(|file| file.transfer);
        let (me, room) = (self.link.me(), self.link.room());
        let fits = |file: &FileLine| match &look.sought {
            Sought::Number(transfer) => file.transfer == *transfer,
            Sought::Name { name, .. } => file.name.as_str() == name && is_near(file.to, me, room),
        };
        // The numbers ascend, so the last one is the newest.
        let newest = files.into_iter().rfind(fits);
        look.found = newest.or(look.found);
        match (look, after) {
            (Look { sought: sought @ Sought::Name { .. }, local, found }, Some(after)) if more => {
                self.look_on(Look { sought, local, found }, Some(after));
            }
            (Look { found: Some(file), local, .. }, _) => self.take(file, local),
            (Look { sought: Sought::Name { name, splits: true }, .. }, _) => {
                self.look_for_split(&name);
            }
            (Look { found: None, .. }, _) => self.refuse_with(&Refusal::NoSuchFile),
        }
    }

    /// Nothing is called so: perhaps the last word is the local name.
    fn look_for_split(&mut self, whole: &str) {
        match slash::split_last_word(whole).map(|(name, local)| (name, FileName::parse(local))) {
            Some((name, Ok(local))) => {
                let sought = Sought::Name { name: name.to_owned(), splits: false };
                self.look(sought, Some(local), None);
            }
            Some((_, Err(error))) => self.refuse_with(&Refusal::BadFileName(error)),
            None => self.refuse_with(&Refusal::NoSuchFile),
        }
    }

    fn look(&mut self, sought: Sought, local: Option<FileName>, after: Option<TransferId>) {
        self.look_on(Look { sought, local, found: None }, after);
    }

    fn look_on(&mut self, look: Look, after: Option<TransferId>) {
        let command = match &look.sought {
            Sought::Number(TransferId(number)) => {
                let before = number.checked_sub(1).map(TransferId);
                Command::Files { pattern: None, after: before }
            }
            Sought::Name { name, .. } => {
                Command::Files { pattern: Some(name.clone().into()), after }
            }
        };
        self.ask_about(About::Look(Box::new(look)), command);
    }

    fn take(&mut self, file: FileLine, local: Option<FileName>) {
        let transfer = file.transfer;
        self.transfers.downloads.handle_offered(file);
        let keeping = self.work.keeping();
        self.transfers.downloads.set_keeping(keeping);
        let accepted =
            self.transfers.downloads.accept(transfer, local, keeping == Keeping::ItsName);
        self.on_accepted(transfer, accepted);
    }

    fn on_accepted(&mut self, transfer: TransferId, accepted: Result<(), AcceptError>) {
        match accepted {
            Ok(()) => {}
            Err(AcceptError::Accepted) => self.refuse(Refused::Taken(transfer)),
            Err(AcceptError::Unknown) => self.refuse_with(&Refusal::NoSuchFile),
            Err(AcceptError::TooMany) => self.refuse(Refused::TooManyCome(transfer)),
        }
    }
}
