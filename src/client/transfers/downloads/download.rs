//! One file that is on the server: offered, waited for, coming.
//!
//! Knows its half on the disk and nothing of the other files. The rule it keeps: no byte is
//! written that was not asked for.

use std::path::PathBuf;
use std::time::Duration;

use crate::client::hashing::Hashing;
use crate::client::partial::Partial;
use crate::client::progress::{Direction, FileState, Meter, Progress};
use crate::client::retry::Retry;
use crate::client::view::Label;
use crate::message::{FileLine, FileName, Target};

/// A file that may come or comes.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) file: FileLine,
    /// Under which name it is saved, if that is free.
    pub(super) local: FileName,
    pub(super) stage: DownloadStage,
    /// Which was accepted first comes first.
    pub(super) turn: u64,
    /// Its content was wrong once and was asked for anew.
    pub(super) wrong: bool,
    pub(super) retry: Retry,
    pub(super) meter: Meter,
}

/// How far a download is.
#[derive(Debug)]
pub(super) enum DownloadStage {
    /// Nobody has accepted it.
    Offered,
    /// It is accepted and waits for its turn. If `compares`, a file that is here already is
    /// looked for first.
    Waiting { compares: bool },
    /// It is compared with a file that is here.
    Comparing { path: PathBuf, hashing: Hashing },
    /// The half that is here is read for its hash.
    Hashing(Partial),
    /// It can be asked for.
    Ready(Partial),
    /// It is asked for.
    Asked(Partial),
    /// Its bytes come.
    Coming(Partial),
}

impl Download {
    /// A file that nobody has accepted yet.
    pub(super) fn new(file: FileLine, seed: u64) -> Self {
        Self {
            local: file.name.clone(),
            file,
            stage: DownloadStage::Offered,
            turn: 0,
            wrong: false,
            retry: Retry::new(seed),
            meter: Meter::default(),
        }
    }

    pub(super) fn label(&self) -> Label {
        let name = self.file.name.as_str().to_owned();
        Label { transfer: Some(self.file.transfer), name }
    }

    /// Whether it was handed to one user alone.
    pub(super) fn is_for_one(&self) -> bool {
        matches!(self.file.to, Target::User(_))
    }

    /// Whether it is accepted.
    pub(super) fn is_wanted(&self) -> bool {
        !matches!(self.stage, DownloadStage::Offered)
    }

    /// Whether it has one of the places of those that come.
    pub(super) fn has_place(&self) -> bool {
        !matches!(self.stage, DownloadStage::Offered | DownloadStage::Waiting { .. })
    }

    /// Takes its half out of it; it is as it was offered then.
    pub(super) fn take_partial(&mut self) -> Option<Partial> {
        match std::mem::replace(&mut self.stage, DownloadStage::Offered) {
            DownloadStage::Hashing(partial)
            | DownloadStage::Ready(partial)
            | DownloadStage::Asked(partial)
            | DownloadStage::Coming(partial) => Some(partial),
            DownloadStage::Offered
            | DownloadStage::Waiting { .. }
            | DownloadStage::Comparing { .. } => None,
        }
    }

    /// How far it is, if it is accepted.
    pub(super) fn progress(&self) -> Option<Progress> {
        let at = match &self.stage {
            DownloadStage::Offered => return None,
            DownloadStage::Waiting { .. } => (FileState::Waiting, 0),
            DownloadStage::Comparing { hashing, .. } => (FileState::Verifying, hashing.done()),
            DownloadStage::Hashing(partial) => (FileState::Hashing, partial.hashed()),
            DownloadStage::Ready(partial) => (FileState::Waiting, partial.len()),
            DownloadStage::Asked(partial) => {
                (FileState::Queued { place: 0, of: 0, since: Duration::ZERO }, partial.len())
            }
            DownloadStage::Coming(partial) => (FileState::Moving, partial.len()),
        };
        let (transfer, name) = (Some(self.file.transfer), &self.file.name);
        Some(self.meter.progress(transfer, name, Direction::Down, at, self.file.size))
    }
}
