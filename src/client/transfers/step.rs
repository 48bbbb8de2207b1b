//! PURE. What the files on their way want asked of the server and shown here, one after the other.
//!
//! Knows neither a connection nor a screen. The rule it keeps: steps are taken in the order in
//! which they were found.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::stage::FileKey;
use crate::client::progress::{Direction, Progress};
use crate::client::view::{Label, Note, Refused, Undone};
use crate::id::TransferId;
use crate::message::Command;

/// What is to be done next for some file.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::client) enum Step {
    /// Ask this, and tell [`super::Transfers::handle_answer`] what the answer is.
    Ask(FileAsk, Command<'static>),
    /// It is here, its hash verified.
    Saved(PathBuf),
    /// The server has all of it, under this name.
    Stored(TransferId, String),
    /// Show this.
    Note(Note),
    /// The same, unless there are bars that show it.
    Moved(Note),
    /// Show this; what was to be done is not.
    Withdrawn(Note),
    /// It is over, and not as it should be.
    Refuse(Refused),
}

/// What a request of the files is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum FileAsk {
    /// This one is announced, or asked for.
    Begin(FileKey),
    /// That it is saved.
    Confirm(TransferId),
    /// It is withdrawn, or no more of it is wanted, because somebody here said so.
    Stop(Direction, TransferId),
    /// What is done without anybody here: how it is answered is no news.
    Quiet,
}

/// The steps that nobody has taken yet.
#[derive(Debug, Default)]
pub(super) struct Steps(VecDeque<Step>);

impl Steps {
    pub(super) fn poll(&mut self) -> Option<Step> {
        self.0.pop_front()
    }

    pub(super) fn take(&mut self, step: Step) {
        self.0.push_back(step);
    }

    pub(super) fn ask(&mut self, ask: FileAsk, command: Command<'static>) {
        self.take(Step::Ask(ask, command));
    }

    /// Nobody here wants it any more, or it cannot be resumed.
    pub(super) fn cancel(&mut self, transfer: TransferId) {
        self.ask(FileAsk::Quiet, Command::Cancel { transfer });
    }

    pub(super) fn note(&mut self, note: Note) {
        self.take(Step::Note(note));
    }

    /// It got on, so far if that is worth a line.
    pub(super) fn moved(&mut self, transfer: TransferId, far: Option<Progress>) {
        self.0.extend(far.map(|progress| Step::Moved(Note::Moves(transfer, progress))));
    }

    /// It is over.
    pub(super) fn refuse(&mut self, about: Label, code: &str, why: Undone) {
        let code = code.to_owned();
        self.take(Step::Refuse(Refused::File { about, code, why }));
    }
}
