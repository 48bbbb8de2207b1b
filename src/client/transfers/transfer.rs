//! One file on its way, in either direction: how far it is, and what is here of it.
//!
//! Knows nothing of the others. The rule it keeps: an upload has the number that the server gave it
//! last, a download the only one that it has.

use std::time::Duration;

use super::source::SentFile;
use super::stage::{FileKey, FileStage};
use super::taken::TakenFile;
use crate::client::progress::{FileState, Meter, Progress};
use crate::client::retry::Retry;
use crate::client::view::Label;
use crate::id::TransferId;
use crate::message::FileName;

/// A file on its way.
#[derive(Debug)]
pub(super) struct OwnFile {
    pub(super) key: FileKey,
    /// The number that the server gave it last.
    pub(super) number: Option<TransferId>,
    pub(super) end: FileEnd,
    pub(super) stage: FileStage,
    /// Which was wanted first comes first.
    pub(super) turn: u64,
    /// The server was asked before, so it may have one of ours or half of it.
    pub(super) again: bool,
    /// It was not what was announced once, and was begun anew.
    pub(super) anew: bool,
    pub(super) retry: Retry,
    pub(super) meter: Meter,
}

/// The end of it that is here.
#[derive(Debug)]
pub(super) enum FileEnd {
    Sent(SentFile),
    Taken(TakenFile),
}

impl OwnFile {
    /// One of ours is wanted, one of the server's is known; the seed is that of the client.
    pub(super) fn new(key: FileKey, seed: u64, end: FileEnd) -> Self {
        let (number, stage, turn) = match key {
            FileKey::Up(count) => (None, FileStage::Waiting, count),
            FileKey::Down(transfer) => (Some(transfer), FileStage::Offered, transfer.0.into()),
        };
        let (again, anew, retry) = (false, false, Retry::new(seed.wrapping_add(turn)));
        Self { key, number, end, stage, turn, again, anew, retry, meter: Meter::default() }
    }

    pub(super) fn label(&self) -> Label {
        Label { transfer: self.number, name: self.name().as_str().to_owned() }
    }

    /// Whether it is accepted, if it is not ours.
    pub(super) fn is_wanted(&self) -> bool {
        self.stage > FileStage::Offered
    }

    /// Whether the server has heard of it on this connection.
    pub(super) fn is_asked(&self) -> bool {
        self.stage >= FileStage::Asked
    }

    pub(super) fn is_cancelled(&self) -> bool {
        matches!(self.end, FileEnd::Sent(SentFile { cancelled: true, .. }))
    }

    /// The server knows of it no more: it is to be asked again.
    pub(super) fn break_off(&mut self) {
        (self.stage, self.again) = (FileStage::Ready, true);
        if let FileEnd::Sent(sent) = &mut self.end {
            sent.close();
        }
    }

    /// Its bytes begin to go or to come, behind so many.
    pub(super) fn move_from(&mut self, offset: u64, now: Duration) {
        self.retry.reset();
        self.stage = FileStage::Moving;
        self.meter.start(now, offset, self.size());
    }

    /// They got on. Answers with how far they are, if that is worth a line.
    pub(super) fn moved(&mut self, now: Duration) -> Option<Progress> {
        let (done, size) = (self.done(), self.size());
        if done == size {
            self.stage = FileStage::Finishing;
        }
        self.meter.moved(now, done, size).then(|| self.progress(now))
    }

    pub(super) fn progress(&self, now: Duration) -> Progress {
        let state = match self.stage {
            FileStage::Offered | FileStage::Waiting | FileStage::Ready => FileState::Waiting,
            FileStage::Reading(_) if self.compares() => FileState::Verifying,
            FileStage::Reading(_) => FileState::Hashing,
            FileStage::Asked => FileState::Queued { place: 0, of: 0, since: Duration::ZERO },
            FileStage::Queued { place, of, since } => {
                FileState::Queued { place, of, since: now.saturating_sub(since) }
            }
            FileStage::Moving => FileState::Moving,
            FileStage::Finishing => FileState::Finishing,
        };
        let (direction, at) = (self.key.direction(), (state, self.done()));
        self.meter.progress(self.number, self.name(), direction, at, self.size())
    }

    fn compares(&self) -> bool {
        matches!(&self.end, FileEnd::Taken(taken) if taken.is_comparing())
    }

    /// Bytes that are done, or that are hashed while that continues.
    pub(super) fn done(&self) -> u64 {
        match &self.end {
            FileEnd::Sent(sent) => sent.done(),
            FileEnd::Taken(taken) => taken.done(),
        }
    }

    pub(super) const fn size(&self) -> u64 {
        match &self.end {
            FileEnd::Sent(sent) => sent.source.size,
            FileEnd::Taken(taken) => taken.file.size,
        }
    }

    const fn name(&self) -> &FileName {
        match &self.end {
            FileEnd::Sent(sent) => &sent.source.name,
            FileEnd::Taken(taken) => &taken.file.name,
        }
    }
}

impl FileEnd {
    pub(super) fn sent(&mut self) -> Option<&mut SentFile> {
        match self {
            Self::Sent(sent) => Some(sent),
            Self::Taken(_) => None,
        }
    }

    pub(super) fn taken(&mut self) -> Option<&mut TakenFile> {
        match self {
            Self::Taken(taken) => Some(taken),
            Self::Sent(_) => None,
        }
    }
}
