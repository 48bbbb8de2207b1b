//! PURE. What the files on their way want asked of the server and said here, one after the other.
//!
//! Knows neither requests nor a screen. The rule it keeps: what is said is visible.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::source::Announcement;
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
    /// Say this; it is visible.
    Say(String),
    /// It is over, and not as it should be.
    Refuse {
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

    /// `line` is visible.
    pub(super) fn say(&mut self, line: String) {
        self.ask(Step::Say(line));
    }

    /// What is called `label` is over; both it and `why` are visible.
    pub(super) fn refuse(&mut self, label: &str, code: &str, why: &str) {
        self.ask(Step::Refuse { code: code.to_owned(), text: format!("{label}: {why}") });
    }
}
