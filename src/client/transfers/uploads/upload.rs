//! One upload: how far it is, and what a line says of it.
//!
//! Knows its file and its number, and nothing of the others. The rule it keeps: it has the number
//! that the server gave it last, and no bytes are read before there is a slot for them.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::time::Duration;

use crate::client::hashing::Hashing;
use crate::client::progress::{Direction, FileState, Meter, Progress};
use crate::client::retry::Retry;
use crate::client::transfers::{FileSource, Goal};
use crate::client::view::Label;
use crate::id::TransferId;
use crate::limits::CHUNK_MAX;
use crate::message::Digest;

/// A file on its way to the server.
#[derive(Debug)]
pub(super) struct OwnUpload {
    pub(super) source: FileSource,
    pub(super) goal: Goal,
    pub(super) stage: UploadStage,
    pub(super) hash: Option<Digest>,
    /// The number that the server gave it last.
    pub(super) transfer: Option<TransferId>,
    /// The number before, until it is told that it has another one.
    pub(super) was: Option<TransferId>,
    /// It was announced before, so the server may have it or half of it.
    pub(super) again: bool,
    /// It is withdrawn, and the server has still to say so.
    pub(super) cancelled: bool,
    /// It changed once and was begun anew.
    pub(super) changed: bool,
    /// The server ended it once and it was announced anew.
    pub(super) ended: bool,
    pub(super) retry: Retry,
    pub(super) meter: Meter,
}

/// How far an upload is.
#[derive(Debug)]
pub(super) enum UploadStage {
    /// Nothing is known of it but its size.
    New,
    /// It is read for its hash.
    Hashing { hashing: Hashing, since: Duration, told: bool },
    /// Its hash is known: announce it.
    Ready,
    /// It is announced, by this request once that is known.
    Asked(Option<u64>),
    /// It has a number and no slot.
    Queued { place: u32, of: u32, since: Duration },
    /// It has a slot.
    Moving { file: File, sent: u64, credit: u64 },
    /// All of it is sent.
    Finishing,
}

impl OwnUpload {
    /// A file that is to be sent; the seed keeps its waits apart from those of others.
    pub(super) fn new(source: FileSource, goal: Goal, seed: u64) -> Self {
        Self {
            source,
            goal,
            stage: UploadStage::New,
            hash: None,
            transfer: None,
            was: None,
            again: false,
            cancelled: false,
            changed: false,
            ended: false,
            retry: Retry::new(seed),
            meter: Meter::default(),
        }
    }

    pub(super) fn label(&self) -> Label {
        Label { transfer: self.transfer, name: self.source.name.as_str().to_owned() }
    }

    /// Whether the server has heard of it on this connection.
    pub(super) fn is_announced(&self) -> bool {
        match self.stage {
            UploadStage::Asked(_)
            | UploadStage::Queued { .. }
            | UploadStage::Moving { .. }
            | UploadStage::Finishing => true,
            UploadStage::New | UploadStage::Hashing { .. } | UploadStage::Ready => false,
        }
    }

    /// The next part that may go; an empty one when all has gone.
    ///
    /// # Errors
    /// Those of the system, and `UnexpectedEof` when the file has become shorter.
    pub(super) fn next_part(&mut self) -> io::Result<Option<Vec<u8>>> {
        let size = self.source.size;
        let UploadStage::Moving { file, sent, credit } = &mut self.stage else { return Ok(None) };
        if self.cancelled || *sent < size && *credit == 0 {
            return Ok(None);
        }
        let most = (size - *sent).min(*credit).min(CHUNK_MAX as u64);
        let bytes = read_some(file, most)?;
        *sent += bytes.len() as u64;
        *credit -= bytes.len() as u64;
        if *sent == size {
            self.stage = UploadStage::Finishing;
        }
        Ok(Some(bytes))
    }

    /// How far it is.
    pub(super) fn progress(&self, now: Duration) -> Progress {
        let total = self.source.size;
        let at = match &self.stage {
            UploadStage::New | UploadStage::Ready => (FileState::Waiting, 0),
            UploadStage::Hashing { hashing, .. } => (FileState::Hashing, hashing.done()),
            UploadStage::Asked(_) => {
                (FileState::Queued { place: 0, of: 0, since: Duration::ZERO }, 0)
            }
            UploadStage::Queued { place, of, since } => {
                let since = now.saturating_sub(*since);
                (FileState::Queued { place: *place, of: *of, since }, 0)
            }
            UploadStage::Moving { sent, .. } => (FileState::Moving, *sent),
            UploadStage::Finishing => (FileState::Finishing, total),
        };
        let name = &self.source.name;
        self.meter.progress(self.transfer, name, Direction::Up, at, total)
    }
}

/// Between 1 and `most` bytes, unless `most` is 0.
fn read_some(file: &mut File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = file.take(most).read_to_end(&mut bytes)?;
    if count == 0 && most > 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}
