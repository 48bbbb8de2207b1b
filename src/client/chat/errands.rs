//! The part of the conversation that does one thing and leaves, or is told what to do by a menu.
//!
//! Joins an [`Errand`] to the files and requests that it takes. The rules it keeps: nothing is
//! handed over in another room than the one that was named; what the server keeps for a person who
//! is not looking is left there, neither shown nor confirmed.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::saying::Saying;
use super::transfers::Aim;
use super::{Chat, Login};
use crate::client::errand::{Errand, Place, Whom, file_ref};
use crate::client::listing;
use crate::client::transfers::downloads::Keeping;
use crate::client::view::Note;
use crate::front::native::Problem;
use crate::id::TransferId;
use crate::limits::FILES_MAX;
use crate::message::{CloseReason, Command, Event, FileLine, FileName, Reply, visible};

/// The number that no request has.
const NO_REQUEST: u64 = 0;

/// What this client was started for, and how far it is.
#[derive(Debug)]
pub(super) struct Work {
    errand: Errand,
    /// To be entered first.
    room: Option<String>,
    /// Under which name the file is saved that it is to bring, if not under its own.
    local: Option<FileName>,
    step: Step,
    listing: Option<Listing>,
    /// The file that it was to bring is here.
    brought: bool,
    pub(super) saying: Saying,
    products: VecDeque<Product>,
}

/// What goes to standard output.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::client) enum Product {
    /// A line or several, without the last end; visible, or JSON.
    Lines(String),
    /// The content of this file.
    Content(PathBuf),
}

impl Product {
    /// Writes all of it, and through.
    ///
    /// # Errors
    /// Those of the reader and of the file.
    pub(in crate::client) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Lines(text) => writeln!(to, "{text}")?,
            Self::Content(path) => {
                io::copy(&mut File::open(path)?, to)?;
            }
        }
        to.flush()
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Not in yet, or not in the room.
    Entering,
    /// The request to be let into the room.
    Joining(u64),
    /// In, and at work.
    Working,
    /// Nothing is left to do but to wait for what is under way.
    Done,
}

/// A list that comes in several replies.
#[derive(Debug)]
struct Listing {
    request: u64,
    pattern: Option<String>,
    files: Vec<FileLine>,
}

impl Work {
    pub(super) fn new(errand: Errand, room: Option<String>, local: Option<FileName>) -> Self {
        let saying = Saying::of(&errand);
        Self {
            errand,
            room,
            local,
            step: Step::Entering,
            listing: None,
            brought: false,
            saying,
            products: VecDeque::new(),
        }
    }

    /// Numbers of requests mean others on the next connection.
    pub(super) fn handle_lost(&mut self) {
        if let Step::Joining(_) = self.step {
            self.step = Step::Entering;
        }
        if let Some(listing) = &mut self.listing {
            listing.request = NO_REQUEST;
        }
    }

    pub(super) fn errand(&self) -> &Errand {
        &self.errand
    }

    /// Whether we are where the work is to be done.
    pub(super) fn is_working(&self) -> bool {
        self.step == Step::Working
    }

    /// Whether it does one thing and leaves: then it says only what that thing needs.
    pub(super) fn is_terse(&self) -> bool {
        self.errand.ends_by_itself()
    }
}

impl Chat {
    /// The next thing for standard output.
    pub(in crate::client) fn poll_product(&mut self) -> Option<Product> {
        self.work.products.pop_front()
    }

    /// Whether everything that was asked is over and it can be asked more.
    pub(in crate::client) fn at_rest(&self) -> bool {
        let entered = matches!(self.work.step, Step::Working | Step::Done);
        entered && self.login == Login::Done && self.nothing_under_way()
    }

    fn nothing_under_way(&self) -> bool {
        !self.leaving
            && !self.returning()
            && self.session.pending() == 0
            && !self.has_files()
            && self.question.is_none()
            && self.work.listing.is_none()
            && self.work.saying.is_over()
            && self.over.is_none()
    }

    /// Whether the next line is an answer to a question of the conversation itself.
    pub(in crate::client) fn asks(&self) -> bool {
        self.question.is_some() || self.login == Login::Unnamed
    }

    /// Refuses what was typed somewhere else.
    pub(in crate::client) fn handle_refused(&mut self, code: &str, text: &str) {
        self.refuse(code, text);
    }

    /// Nobody takes what it brings: it counts as not done.
    pub(in crate::client) fn handle_undelivered(&mut self) {
        self.refused = true;
    }

    /// Hands a file over; in `room` alone, if one is named.
    pub(in crate::client) fn handle_send(&mut self, path: &Path, to: &Whom, room: Option<&str>) {
        let here = self.room.map(|room| room.to_string());
        let there = room
            .is_none_or(|room| here.as_deref().is_some_and(|here| here.eq_ignore_ascii_case(room)));
        let aim = match to {
            Whom::User(user) => Aim::User(user.clone()),
            Whom::Room => Aim::Room,
            Whom::Shelf => Aim::Shelf,
        };
        if there {
            self.send_file(path, aim);
        } else {
            let text = format!("{}: you are not in that room", path.display());
            self.refuse("not_sent", &text);
        }
    }

    /// Takes a file by its number or its name.
    pub(in crate::client) fn handle_get(&mut self, file: &str) {
        self.get_exactly(file_ref(file), None);
    }

    /// Lists all files that may be taken, on the screen or as what the errand brings.
    pub(in crate::client) fn handle_list(&mut self, pattern: Option<String>) {
        let request = self.ask_for_files(pattern.as_deref(), None);
        self.work.listing = Some(Listing { request, pattern, files: Vec::new() });
    }

    fn ask_for_files(&mut self, pattern: Option<&str>, after: Option<TransferId>) -> u64 {
        let pattern = pattern.map(Into::into);
        self.session.request(Command::Files { pattern, after })
    }

    /// We are in, for the first time or again: what was asked and not answered is asked again.
    pub(super) fn enter(&mut self) {
        if let Step::Working | Step::Done = self.work.step {
            if let Some(listing) = self.work.listing.take() {
                self.handle_list(listing.pattern);
            }
            if !self.work.brought && !self.has_files() {
                self.bring();
            }
            return;
        }
        let room = self.work.room.clone();
        match room {
            Some(room) if self.room.is_none() => {
                let id = self.session.request(Command::Join { room: room.into() });
                self.work.step = Step::Joining(id);
            }
            Some(_) | None => self.begin(),
        }
    }

    fn begin(&mut self) {
        self.work.step = Step::Working;
        match self.work.errand.clone() {
            Errand::Send { files, to } => {
                let room = self.work.room.clone().filter(|_| !matches!(to, Whom::User(_)));
                for path in files {
                    self.handle_send(&path, &to, room.as_deref());
                }
            }
            Errand::Get { .. } => self.bring(),
            Errand::List { pattern, .. } => self.handle_list(pattern),
            // Its lines go out as the server takes them.
            Errand::Talk | Errand::Menu | Errand::Say { .. } => {}
        }
    }

    /// Asks for the file that it is to bring.
    fn bring(&mut self) {
        if let Errand::Get { file, .. } = &self.work.errand {
            let (file, local) = (file.clone(), self.work.local.clone());
            self.get_exactly(file_ref(&file), local);
        }
    }

    /// Leaves when the errand is over, or cannot be. Answers whether it was.
    pub(super) fn go_on(&mut self) -> bool {
        let leads = self.work.is_terse() || self.work.errand == Errand::Menu;
        if !leads || self.leaving || self.over.is_some() {
            return false;
        }
        let out = match self.login {
            Login::Out => true,
            Login::Unnamed => self.work.is_terse(),
            Login::Asked | Login::Resting | Login::Done => false,
        };
        let lost = out && self.attempt.is_none() && self.question.is_none();
        let over = self.work.is_terse()
            && self.work.step == Step::Working
            && self.login == Login::Done
            && self.nothing_under_way();
        self.refused |= lost;
        if lost || over {
            self.work.step = Step::Done;
            self.leave();
        }
        lost || over
    }

    /// What an answer means for the errand. Answers whether all is said about it with that.
    pub(super) fn on_work_answer(&mut self, id: u64, answer: &Result<Reply, Problem>) -> bool {
        if self.work.step == Step::Joining(id) {
            self.on_entered(answer);
            return true;
        }
        let Some(listing) = self.work.listing.take_if(|listing| listing.request == id) else {
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
            Ok(Reply::Joined { room, .. }) => {
                self.room = Some(*room);
                self.begin();
            }
            Ok(_) => self.begin(),
            Err(problem) => {
                self.refuse(&problem.code, &problem.text);
                self.work.step = Step::Done;
                self.leave();
            }
        }
    }

    /// A server whose numbers do not ascend, or that never comes to an end, is not followed.
    fn on_files(&mut self, mut listing: Listing, files: &[FileLine], more: bool) {
        let last = |files: &[FileLine]| files.last().map(|file| file.transfer);
        let ascends = last(files) > last(&listing.files);
        listing.files.extend_from_slice(files);
        if more && ascends && listing.files.len() < FILES_MAX {
            let after = last(files);
            listing.request = self.ask_for_files(listing.pattern.as_deref(), after);
            self.work.listing = Some(listing);
            return;
        }
        match &self.work.errand {
            Errand::List { json: true, .. } => {
                let text = listing::json(&listing.files);
                self.work.products.push_back(Product::Lines(text));
            }
            _ if listing.files.is_empty() => self.screen.note(Note::Files(Vec::new())),
            Errand::List { json: false, .. } => {
                let text = listing::table(&listing.files);
                self.work.products.push_back(Product::Lines(text));
            }
            Errand::Talk
            | Errand::Menu
            | Errand::Send { .. }
            | Errand::Get { .. }
            | Errand::Say { .. } => self.screen.note(Note::Files(listing.files)),
        }
    }

    /// Whether an event is nothing to an errand, which has no eyes for people.
    pub(super) fn is_unseen(&self, event: &Event) -> bool {
        let social = match event {
            Event::Said { .. }
            | Event::Whispered { .. }
            | Event::Broadcast { .. }
            | Event::Online { .. }
            | Event::Offline { .. }
            | Event::Joined { .. }
            | Event::Left { .. }
            | Event::Offered { .. }
            | Event::Receipt { .. } => true,
            Event::Bye { reason, .. } => *reason == CloseReason::Exit,
            Event::Hello { .. }
            | Event::LoggedOut { .. }
            | Event::Queued { .. }
            | Event::Admitted { .. }
            | Event::Credit { .. }
            | Event::Ended { .. }
            | Event::Ping => false,
        };
        social && self.work.is_terse()
    }

    /// An upload is on the server's disk: the errand has something to show for it.
    pub(super) fn on_stored(&mut self, transfer: TransferId) {
        let Errand::Send { .. } = self.work.errand else { return };
        let sent = self.progress().find(|file| file.transfer == Some(transfer));
        if let Some(file) = sent {
            let line = format!("{transfer} {}", visible(&file.name));
            self.work.products.push_back(Product::Lines(line));
        }
    }

    /// A file that was taken is on our disk, its hash verified.
    pub(super) fn on_saved(&mut self, path: PathBuf) {
        self.work.brought = true;
        let product = match &self.work.errand {
            Errand::Get { place: Place::Output, .. } => Product::Content(path),
            Errand::Get { place: Place::Folder(_) | Place::File(_), .. } => {
                Product::Lines(visible(&path.display().to_string()).to_string())
            }
            Errand::Talk
            | Errand::Menu
            | Errand::Send { .. }
            | Errand::Say { .. }
            | Errand::List { .. } => return,
        };
        self.work.products.push_back(product);
    }

    /// What becomes of a file that is asked for.
    pub(super) fn keeping(&self) -> Keeping {
        match &self.work.errand {
            Errand::Get { place: Place::Output, .. } => Keeping::Nothing,
            Errand::Get { place: Place::Folder(_) | Place::File(_), .. } => Keeping::ItsName,
            Errand::Talk
            | Errand::Menu
            | Errand::Send { .. }
            | Errand::Say { .. }
            | Errand::List { .. } => Keeping::AnyName,
        }
    }

    /// Somebody ends an errand: it counts as not done; nothing is lost of files that have a place.
    pub(super) fn on_stopped(&mut self) {
        self.refused |= self.work.is_terse() && self.work.step != Step::Done;
        if self.work.is_terse() && self.has_files() {
            let kept = self.keeping() != Keeping::Nothing;
            self.screen.note(Note::ErrandStopped { kept });
        }
    }
}
