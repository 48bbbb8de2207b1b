//! The files that others send to this user: offered, being received, saved.
//!
//! Knows one local folder, but no frames and no screen. The rule it keeps: a file is confirmed
//! only when all of it is on the disk under a name of its own, and one that does not become whole
//! leaves no trace.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::partial::Partial;
use crate::id::TransferId;
use crate::message::FileName;

/// Offers that are kept at once; a server that makes more of them is answered with "no".
const OFFERS_MAX: usize = 256;

/// What has become of a download.
#[derive(Debug, PartialEq, Eq)]
pub enum DownloadStep {
    /// It is saved there: confirm it.
    Saved(PathBuf),
    /// It cannot be saved: refuse the rest of it.
    Failed(String),
}

/// Why a file cannot be accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// It was never offered, or is over.
    #[error("no file with that number is offered to you")]
    NotOffered,
    /// It was accepted before.
    #[error("you have accepted that file already")]
    Accepted,
    /// The folder does not take it.
    #[error("cannot write into {dir}: {error}")]
    Disk {
        /// Which folder; not made visible yet.
        dir: String,
        /// What the system says.
        error: io::Error,
    },
}

impl AcceptError {
    /// A stable code, as refusals of the server have.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotOffered => "no_such_transfer",
            Self::Accepted => "transfer_not_ready",
            Self::Disk { .. } => "cannot_write",
        }
    }
}

/// All files that were offered and are not over.
#[derive(Debug)]
pub struct Downloads {
    dir: PathBuf,
    entries: BTreeMap<TransferId, Download>,
}

#[derive(Debug)]
struct Download {
    name: FileName,
    size: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Offered,
    Receiving {
        partial: Partial,
        received: u64,
    },
    /// Saved, and its end is still to come.
    Saved,
    /// Given up, and its end may come or not.
    Failed,
}

impl Downloads {
    /// Saves into `dir`, which should exist.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, entries: BTreeMap::new() }
    }

    /// Whether a file was accepted and its end is still to come.
    #[must_use]
    pub fn under_way(&self) -> bool {
        let accepted = |state: &State| matches!(state, State::Receiving { .. } | State::Saved);
        self.entries.values().any(|entry| accepted(&entry.state))
    }

    /// Whether a file was accepted and is not whole.
    #[must_use]
    pub fn receiving(&self) -> bool {
        self.entries.values().any(|entry| matches!(entry.state, State::Receiving { .. }))
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn has(&self, transfer: TransferId) -> bool {
        self.entries.contains_key(&transfer)
    }

    /// Receives no more of a file: what has come of it is removed.
    pub fn give_up(&mut self, transfer: TransferId) {
        if let Some(entry) = self.entries.get_mut(&transfer)
            && matches!(entry.state, State::Receiving { .. })
        {
            entry.state = State::Failed;
        }
    }

    /// Receives no more of any file. Answers whether an accepted one was lost with that.
    pub fn give_up_all(&mut self) -> bool {
        let lost = self.receiving();
        self.entries.clear();
        lost
    }

    /// The connection is gone and every transfer with it. Answers which there were, and of each
    /// whether an accepted file was lost with that.
    pub fn handle_all_ended(&mut self) -> Vec<(TransferId, bool)> {
        let all: Vec<_> = self.entries.keys().copied().collect();
        all.into_iter().map(|transfer| (transfer, self.handle_ended(transfer))).collect()
    }

    /// Somebody offers a file. Answers whether it can be kept in mind; if not, refuse it.
    pub fn handle_offered(&mut self, transfer: TransferId, name: FileName, size: u64) -> bool {
        if self.entries.len() >= OFFERS_MAX {
            return false;
        }
        // A number that is in use keeps its meaning, whatever a server says of it later.
        self.entries.entry(transfer).or_insert(Download { name, size, state: State::Offered });
        true
    }

    /// Makes ready for a file that was offered; then tell the server.
    ///
    /// # Errors
    /// [`AcceptError`] when there is no such offer or no place for it.
    pub fn accept(&mut self, transfer: TransferId) -> Result<(), AcceptError> {
        let entry = self.entries.get_mut(&transfer).ok_or(AcceptError::NotOffered)?;
        match entry.state {
            State::Offered => {}
            State::Receiving { .. } | State::Saved | State::Failed => {
                return Err(AcceptError::Accepted);
            }
        }
        let partial = Partial::create(&self.dir, transfer.0)
            .map_err(|error| AcceptError::Disk { dir: shown(&self.dir), error })?;
        entry.state = State::Receiving { partial, received: 0 };
        Ok(())
    }

    /// The server knows that the file is accepted: one without content is complete with that.
    pub fn handle_accepted(&mut self, transfer: TransferId) -> Option<DownloadStep> {
        let entry = self.entries.get_mut(&transfer)?;
        (entry.size == 0).then(|| entry.receive(&[])).flatten()
    }

    /// A part of a file has come; parts that nobody accepted are dropped.
    pub fn handle_chunk(&mut self, transfer: TransferId, bytes: &[u8]) -> Option<DownloadStep> {
        self.entries.get_mut(&transfer)?.receive(bytes)
    }

    /// A transfer is over, or was refused by either side: what is not whole is removed. Answers
    /// whether an accepted file was lost with that.
    pub fn handle_ended(&mut self, transfer: TransferId) -> bool {
        let lost = self.entries.remove(&transfer);
        lost.is_some_and(|entry| matches!(entry.state, State::Receiving { .. }))
    }
}

impl Download {
    fn receive(&mut self, bytes: &[u8]) -> Option<DownloadStep> {
        let State::Receiving { partial, received } = &mut self.state else {
            return None;
        };
        *received = received.saturating_add(bytes.len() as u64);
        if *received > self.size {
            return Some(self.fail("more bytes came than were announced"));
        }
        if let Err(error) = partial.write(bytes) {
            return Some(self.fail(&error.to_string()));
        }
        (*received == self.size).then(|| self.keep())
    }

    fn keep(&mut self) -> DownloadStep {
        let State::Receiving { partial, .. } = std::mem::replace(&mut self.state, State::Saved)
        else {
            return self.fail("it is not being received");
        };
        match partial.keep(&self.name) {
            Ok(path) => DownloadStep::Saved(path),
            Err(error) => self.fail(&error.to_string()),
        }
    }

    fn fail(&mut self, why: &str) -> DownloadStep {
        self.state = State::Failed;
        DownloadStep::Failed(why.to_owned())
    }
}

fn shown(dir: &Path) -> String {
    let here = dir.as_os_str().is_empty();
    if here { "the current folder".to_owned() } else { dir.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const SEVEN: TransferId = TransferId(7);

    fn offered(size: u64) -> (Downloads, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let mut downloads = Downloads::new(dir.path().to_owned());
        assert!(downloads.handle_offered(SEVEN, FileName::parse("f.txt").unwrap(), size));
        (downloads, dir)
    }

    fn files(dir: &tempfile::TempDir) -> usize {
        fs::read_dir(dir.path()).unwrap().count()
    }

    #[test]
    fn a_file_is_saved_when_its_last_byte_has_come() {
        let (mut downloads, dir) = offered(5);
        downloads.accept(SEVEN).unwrap();
        assert!(downloads.receiving());
        assert_eq!(downloads.handle_accepted(SEVEN), None);
        assert_eq!(downloads.handle_chunk(SEVEN, b"hel"), None);
        let path = dir.path().join("f.txt");
        assert!(!path.exists());
        assert_eq!(downloads.handle_chunk(SEVEN, b"lo"), Some(DownloadStep::Saved(path.clone())));
        assert_eq!(fs::read(path).unwrap(), b"hello");
        assert!(!downloads.receiving() && downloads.under_way());
        assert!(!downloads.handle_ended(SEVEN), "nothing is lost");
        assert!(!downloads.under_way());
        assert_eq!(files(&dir), 1);
    }

    #[test]
    fn an_empty_file_is_saved_when_it_is_accepted_and_only_then() {
        let (mut downloads, dir) = offered(0);
        assert_eq!(downloads.handle_accepted(SEVEN), None);
        downloads.accept(SEVEN).unwrap();
        let saved = Some(DownloadStep::Saved(dir.path().join("f.txt")));
        assert_eq!(downloads.handle_accepted(SEVEN), saved);
        assert_eq!(downloads.handle_chunk(SEVEN, b""), None);
    }

    #[test]
    fn bytes_that_nobody_accepted_reach_no_disk() {
        let (mut downloads, dir) = offered(5);
        assert_eq!(downloads.handle_chunk(SEVEN, b"hello"), None);
        assert_eq!(downloads.handle_chunk(TransferId(8), b"hello"), None);
        assert_eq!(files(&dir), 0);
    }

    #[test]
    fn more_bytes_than_announced_and_every_other_end_leave_no_trace() {
        let (mut downloads, dir) = offered(5);
        downloads.accept(SEVEN).unwrap();
        assert!(matches!(downloads.handle_chunk(SEVEN, b"hello!"), Some(DownloadStep::Failed(_))));
        assert_eq!(files(&dir), 0);
        assert_eq!(downloads.handle_chunk(SEVEN, b"hello"), None);

        let (mut downloads, dir) = offered(5);
        downloads.accept(SEVEN).unwrap();
        downloads.handle_chunk(SEVEN, b"hel");
        assert_eq!(files(&dir), 1);
        assert!(downloads.handle_ended(SEVEN), "an accepted file is lost");
        assert_eq!(files(&dir), 0);

        let (mut downloads, dir) = offered(5);
        downloads.accept(SEVEN).unwrap();
        drop(downloads);
        assert_eq!(files(&dir), 0);
    }

    #[test]
    fn a_file_is_accepted_once_and_only_if_it_was_offered() {
        let (mut downloads, dir) = offered(5);
        assert!(matches!(downloads.accept(TransferId(8)), Err(AcceptError::NotOffered)));
        downloads.accept(SEVEN).unwrap();
        assert!(matches!(downloads.accept(SEVEN), Err(AcceptError::Accepted)));
        assert!(downloads.handle_offered(SEVEN, FileName::parse("g").unwrap(), 1));
        assert!(downloads.receiving(), "a second offer of a number changes nothing");
        assert_eq!(files(&dir), 1);
    }

    #[test]
    fn a_folder_that_is_gone_is_said_when_a_file_is_accepted() {
        let (mut downloads, dir) = offered(5);
        drop(dir);
        assert!(matches!(downloads.accept(SEVEN), Err(AcceptError::Disk { .. })));
        assert!(!downloads.receiving());
        assert_eq!(shown(Path::new("")), "the current folder", "which has no name of its own");
    }

    #[test]
    fn offers_are_bounded() {
        let (mut downloads, _dir) = offered(5);
        let name = || FileName::parse("g").unwrap();
        for n in 1..OFFERS_MAX as u32 {
            assert!(downloads.handle_offered(TransferId(100 + n), name(), 1));
        }
        assert!(!downloads.handle_offered(TransferId(99), name(), 1));
    }
}
