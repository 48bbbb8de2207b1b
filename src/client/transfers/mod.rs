//! The files on their way, in both directions, as one machine: what they want asked and said comes
//! out of one queue, [`Transfers::poll_step`], and what concerns all of them goes in once.
//!
//! Refuses to know how a file is sent or saved: that is for its direction. The rule it keeps: what
//! is sent comes first, and each direction is given its turn even while the other has work.

pub(super) mod downloads;
mod source;
mod step;
pub(super) mod uploads;

use std::path::PathBuf;
use std::time::Duration;

use super::progress::Progress;
use super::retry::Here;
use crate::id::TransferId;
use crate::message::Ending;
use downloads::Downloads;
pub(super) use source::{FileSource, Goal};
pub(super) use step::Step;
use uploads::Uploads;

/// All files that are not over.
#[derive(Debug)]
pub(super) struct Transfers {
    /// Those that are sent.
    pub(super) uploads: Uploads,
    /// Those that are taken, or may be.
    pub(super) downloads: Downloads,
}

/// What is to be done about a wish to stop a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopping {
    /// An upload is withdrawn.
    Withdrawn,
    /// A download is stopped.
    Stopped,
    /// Ask the server to withdraw it.
    AskToWithdraw,
    /// Ask the server to send no more of it.
    AskToStop,
}

impl Transfers {
    /// None yet; files are saved into `dir`, and the seed makes the waits of this client others
    /// than those of the next.
    pub(super) fn new(dir: PathBuf, seed: u64) -> Self {
        Self { uploads: Uploads::new(seed), downloads: Downloads::new(dir, seed) }
    }

    /// Whether a file is still to be sent or to be saved.
    pub(super) fn under_way(&self) -> bool {
        !self.uploads.is_empty() || self.downloads.under_way()
    }

    /// How far each is.
    pub(super) fn progress(&self, now: Duration) -> impl Iterator<Item = Progress> {
        self.uploads.progress(now).chain(self.downloads.progress())
    }

    /// When something is to be asked again at the earliest.
    pub(super) fn wake_at(&self, now: Duration) -> Option<Duration> {
        [self.uploads.wake_at(now), self.downloads.wake_at(now)].into_iter().flatten().min()
    }

    /// The next thing to be asked or said.
    pub(super) fn poll_step(&mut self) -> Option<Step> {
        self.uploads.steps.poll().or_else(|| self.downloads.steps.poll())
    }

    /// Does one thing for each direction that takes little time. Answers whether there was one.
    pub(super) fn work(&mut self, here: &Here) -> bool {
        self.uploads.work(here) | self.downloads.work(here)
    }

    /// The server says that a file is over. One that is not here was withdrawn before.
    pub(super) fn handle_ended(&mut self, transfer: TransferId, how: Ending) {
        let _ =
            self.uploads.handle_ended(transfer, how) || self.downloads.handle_ended(transfer, how);
    }

    /// Somebody here wants it no more, whichever way it goes.
    pub(super) fn cancel(&mut self, transfer: TransferId) -> Stopping {
        use uploads::Withdrawal;
        match self.uploads.cancel(transfer) {
            Withdrawal::Done => Stopping::Withdrawn,
            Withdrawal::Ask => Stopping::AskToWithdraw,
            Withdrawal::Unknown => match self.downloads.cancel(transfer) {
                Some(false) => Stopping::Stopped,
                Some(true) => Stopping::AskToStop,
                None => Stopping::AskToWithdraw,
            },
        }
    }

    /// The connection is lost: on the next one they go on.
    pub(super) fn handle_lost(&mut self) {
        self.uploads.handle_lost();
        self.downloads.handle_lost();
    }

    /// There is nobody any more who could send or take them.
    pub(super) fn give_up_all(&mut self, why: &str) {
        self.uploads.give_up_all(why);
        self.downloads.give_up_all(why);
    }
}
