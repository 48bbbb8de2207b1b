//! PURE. What a client was started for, and how far it is: its deeds, one after the other, and what
//! it brings.
//!
//! Knows what happened only as it is told. The rules it keeps: nothing is to be done before we are
//! in the room that was named; what the server keeps for a person who is not looking is left there,
//! neither shown nor confirmed.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::deed::Deed;
use crate::client::errand::{Errand, ListForm, Place, Whom, file_ref};
use crate::client::transfers::Keeping;
use crate::client::view::{Note, Product, Show};
use crate::id::TransferId;
use crate::message::{CloseReason, Command, Event, FileLine, FileName, Reply};

/// An errand, or what leads to a place where others decide.
#[derive(Debug)]
pub(in crate::client) struct Work {
    errand: Errand,
    /// To be entered first.
    room: Option<String>,
    /// Under which name the file is saved that it is to bring, if not under its own.
    local: Option<FileName>,
    step: Step,
    /// What is still to be done.
    deeds: VecDeque<Deed>,
    /// More lines to be said will come from standard input.
    open: bool,
    /// The file that it was to bring is here.
    brought: bool,
    products: VecDeque<Product>,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Not in yet, or not in the room.
    Entering,
    /// In, and at work.
    Working,
    /// Nothing is left to do but to wait for what is under way.
    Done,
}

impl Work {
    /// Nothing done yet.
    pub(in crate::client) fn new(
        errand: Errand,
        room: Option<String>,
        local: Option<FileName>,
    ) -> Self {
        Self {
            room,
            local,
            step: Step::Entering,
            deeds: VecDeque::new(),
            open: matches!(errand, Errand::Say { text: None, .. }),
            brought: false,
            products: VecDeque::new(),
            errand,
        }
    }

    /// The next thing to do; what is to be said goes only as fast as the server `hears`.
    pub(in crate::client) fn poll_deed(&mut self, hears: bool) -> Option<Deed> {
        let waits = matches!(self.deeds.front(), Some(Deed::Ask { .. })) && !hears;
        if waits { None } else { self.deeds.pop_front() }
    }

    /// The next thing for standard output.
    pub(in crate::client) fn poll_product(&mut self) -> Option<Product> {
        self.products.pop_front()
    }

    /// Whether it does one thing and leaves: then it says only what that thing needs.
    pub(in crate::client) fn is_terse(&self) -> bool {
        self.errand.ends_by_itself()
    }

    /// Whether it ends where nobody is let in.
    pub(in crate::client) fn leads(&self) -> bool {
        self.is_terse() || self.errand == Errand::Menu
    }

    /// Whether a line is to be said, and not obeyed.
    pub(in crate::client) fn says_lines(&self) -> bool {
        matches!(self.errand, Errand::Say { .. })
    }

    /// Whether we are where the work is to be done.
    pub(in crate::client) fn is_working(&self) -> bool {
        self.step == Step::Working
    }

    /// Whether we have come so far once, on this connection or on one before.
    pub(in crate::client) fn has_begun(&self) -> bool {
        matches!(self.step, Step::Working | Step::Done)
    }

    /// Whether all deeds are known and taken.
    pub(in crate::client) fn is_spent(&self) -> bool {
        !self.open && self.deeds.is_empty()
    }

    /// The room that is to be entered first, if there is one.
    pub(in crate::client) fn room(&self) -> Option<&str> {
        self.room.as_deref()
    }

    /// We are where it is to be done.
    pub(in crate::client) fn begin(&mut self) {
        self.step = Step::Working;
        match &self.errand {
            Errand::Send { files, to } => {
                let room = self.room.as_ref().filter(|_| !matches!(to, Whom::User(_)));
                let send = |path: &PathBuf| Deed::Send {
                    path: path.clone(),
                    to: to.clone(),
                    room: room.cloned(),
                };
                self.deeds.extend(files.iter().map(send));
            }
            Errand::Get { .. } => self.bring(),
            Errand::List { pattern, .. } => self.deeds.push_back(Deed::List(pattern.clone())),
            Errand::Say { text: Some(text), .. } => {
                text.clone().lines().for_each(|line| self.say(line));
            }
            // Its lines are said as they come.
            Errand::Talk | Errand::Menu | Errand::Say { text: None, .. } => {}
        }
    }

    /// We are in again, and no file is on its way.
    pub(in crate::client) fn handle_back(&mut self) {
        if !self.brought {
            self.bring();
        }
    }

    /// Asks for the file that it is to bring.
    fn bring(&mut self) {
        if let Errand::Get { file, .. } = &self.errand {
            self.deeds.push_back(Deed::Get { file: file_ref(file), local: self.local.clone() });
        }
    }

    /// A line of standard input that is to be said, and nothing else.
    pub(in crate::client) fn say(&mut self, line: &str) {
        let Errand::Say { to, .. } = &self.errand else { return };
        if line.trim().is_empty() {
            return;
        }
        let text = line.to_owned().into();
        let command = match to.clone() {
            Some(user) => Command::Whisper { user: user.into(), text },
            None => Command::Say { text, me: false, room: None },
        };
        self.deeds.push_back(Deed::Ask { command, written: line.to_owned() });
    }

    /// The end of standard input: all that is to be said is known.
    pub(in crate::client) fn handle_last_line(&mut self) {
        self.open = false;
    }

    /// The connection broke before this was answered.
    pub(in crate::client) fn ask_again(&mut self, deed: Deed) {
        self.deeds.push_front(deed);
    }

    /// It is over, or cannot be done.
    pub(in crate::client) fn handle_over(&mut self) {
        self.step = Step::Done;
    }

    /// Somebody ends it. Answers whether that is too early.
    pub(in crate::client) fn handle_stop(&self) -> bool {
        self.is_terse() && self.step != Step::Done
    }

    /// These files there are. Answers with what is to be shown of that.
    pub(in crate::client) fn handle_files(&mut self, files: Vec<FileLine>) -> Option<Note> {
        if let Errand::List { form, .. } = self.errand
            && (form == ListForm::Json || !files.is_empty())
        {
            self.products.push_back(Product::Files { files, form });
            return None;
        }
        Some(Note::Files(files))
    }

    /// An upload of this name is on the server's disk.
    pub(in crate::client) fn handle_stored(&mut self, transfer: TransferId, name: &str) {
        if let Errand::Send { .. } = self.errand {
            self.products.push_back(Product::Stored(transfer, name.to_owned()));
        }
    }

    /// A file that was taken is on our disk, its hash verified.
    pub(in crate::client) fn handle_saved(&mut self, path: PathBuf) {
        self.brought = true;
        if let Errand::Get { place, .. } = &self.errand {
            self.products.push_back(match place {
                Place::Output => Product::Content(path),
                Place::Folder(_) | Place::File(_) => Product::Saved(path),
            });
        }
    }

    /// What becomes of a file that is asked for.
    pub(in crate::client) fn keeping(&self) -> Keeping {
        let Errand::Get { place, .. } = &self.errand else { return Keeping::AnyName };
        match place {
            Place::Output => Keeping::Nothing,
            Place::Folder(_) | Place::File(_) => Keeping::ItsName,
        }
    }

    /// Whether this is not for whoever waits for an errand: who we are is known to them.
    pub(in crate::client) fn hides(&self, show: &Show) -> bool {
        self.is_terse()
            && match show {
                Show::Note(note) => {
                    matches!(note, Note::Connected(_) | Note::WhoAreYou | Note::Nameless)
                }
                Show::Reply(reply) => matches!(reply, Reply::Welcome { .. }),
                Show::Event(Event::Bye { reason, .. }) => *reason == CloseReason::Exit,
                Show::Event(_) | Show::Refused(_) => false,
            }
    }
}
