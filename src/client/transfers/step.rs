//! PURE. What the files on their way want asked of the server and shown here, one after the other.
//!
//! Knows neither requests nor a screen. The rule it keeps: why a file is over is visible.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::source::Announcement;
use crate::client::view::{Label, Note};
use crate::id::TransferId;

/// What is to be done next for some file.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::client) enum Step {
    /// Announce an upload, and tell `Uploads::handle_asked` by which request.
    Announce {
        /// Which.
        key: u64,
        /// How.
        announcement: Announcement,
    },
    /// Ask for a file, from this byte on.
    Get(TransferId, u64),
    /// Tell the server that an upload is withdrawn, or that no more of a download is wanted.
    Cancel(TransferId),
    /// It is here, its hash verified.
    Saved(PathBuf),
    /// It is saved, on the disk; confirm it.
    Confirm(TransferId),
    /// Show this.
    Note(Note),
    /// It is over, and not as it should be.
    Refuse {
        /// Which.
        about: Label,
        /// A stable code.
        code: String,
        /// Why; visible.
        text: String,
    },
}

/// The steps that nobody has taken yet.
#[derive(Debug, Default)]
pub(super) struct Steps(VecDeque<Step>);

impl Steps {
    pub(super) fn poll(&mut self) -> Option<Step> {
        self.0.pop_front()
    }

    pub(super) fn ask(&mut self, step: Step) {
        self.0.push_back(step);
    }

    pub(super) fn note(&mut self, note: Note) {
        self.ask(Step::Note(note));
    }

    /// It is over; `why` is visible.
    pub(super) fn refuse(&mut self, about: Label, code: &str, why: &str) {
        self.ask(Step::Refuse { about, code: code.to_owned(), text: why.to_owned() });
    }
}
