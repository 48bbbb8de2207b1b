//! The files that this client sends: which one waits for its number, for a slot or for credit, and
//! the next part that may go.
//!
//! Knows local files, but no frames and no screen. The rule it keeps: no more bytes go out than
//! were granted, and never another number of bytes than was announced, whatever happens to the
//! file meanwhile.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use crate::id::TransferId;
use crate::limits::CHUNK_MAX;
use crate::message::{FileName, NameError};

/// A local file that can be announced.
#[derive(Debug)]
pub struct Source {
    file: File,
    name: FileName,
    size: u64,
}

/// Why a local file cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot be opened.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// Only what has a size can be announced.
    #[error("it is a folder or a device; only files can be sent")]
    NotAFile,
    /// The server would refuse its name.
    #[error("its name cannot be sent: {0}")]
    BadName(#[from] NameError),
}

impl SourceError {
    /// A stable code, as refusals of the server have.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) | Self::NotAFile => "cannot_read",
            Self::BadName(_) => "bad_file_name",
        }
    }
}

impl Source {
    /// Opens a file. Its name is the last part of the path, its size what it has now.
    ///
    /// # Errors
    /// [`SourceError`] says why it cannot be sent.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        // Asked before it is opened: opening a pipe would wait for somebody to write into it.
        if !fs::metadata(path)?.is_file() {
            return Err(SourceError::NotAFile);
        }
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self { file, name: FileName::parse(&name)?, size })
    }

    /// By which name it is announced.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// What is to be done next for some upload.
#[derive(Debug, PartialEq, Eq)]
pub enum UploadStep {
    /// Send this part.
    Send(TransferId, Vec<u8>),
    /// All of it was handed over, so many bytes; the server says when it is delivered.
    AllSent(TransferId, u64),
    /// The file could not be read to its end: withdraw it.
    Withdraw(TransferId, String),
}

/// All uploads that are not over.
#[derive(Debug, Default)]
pub struct Uploads {
    /// By the request that announced them.
    announced: BTreeMap<u64, Source>,
    numbered: BTreeMap<TransferId, Upload>,
}

#[derive(Debug)]
struct Upload {
    source: Source,
    sent: u64,
    /// Bytes granted and not yet sent; `None` until it has a slot.
    credit: Option<u64>,
    /// Nothing more will be sent.
    finished: bool,
}

impl Uploads {
    /// Whether none is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.announced.is_empty() && self.numbered.is_empty()
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn has(&self, transfer: TransferId) -> bool {
        self.numbered.contains_key(&transfer)
    }

    /// The request `id` announces a file.
    pub fn announce(&mut self, id: u64, source: Source) {
        self.announced.insert(id, source);
    }

    /// The announcement `id` was answered with a number, or with none.
    pub fn handle_announced(&mut self, id: u64, transfer: Option<TransferId>) {
        if let (Some(source), Some(transfer)) = (self.announced.remove(&id), transfer) {
            let upload = Upload { source, sent: 0, credit: None, finished: false };
            self.numbered.insert(transfer, upload);
        }
    }

    /// So many bytes more may be sent; the first grant comes with the slot, and may be of none.
    pub fn handle_grant(&mut self, transfer: TransferId, bytes: u64) {
        if let Some(upload) = self.numbered.get_mut(&transfer) {
            upload.credit = Some(upload.credit.unwrap_or(0).saturating_add(bytes));
        }
    }

    /// A transfer is over. Answers whether it was one of these.
    pub fn handle_ended(&mut self, transfer: TransferId) -> bool {
        self.numbered.remove(&transfer).is_some()
    }

    /// The connection is gone and every transfer with it. Answers which there were; those that had
    /// no number yet are forgotten with the requests that announced them.
    pub fn handle_all_ended(&mut self) -> Vec<TransferId> {
        self.announced.clear();
        std::mem::take(&mut self.numbered).into_keys().collect()
    }

    /// The next thing to do; `None` when all wait for something.
    pub fn poll_step(&mut self) -> Option<UploadStep> {
        self.numbered.iter_mut().find_map(|(&transfer, upload)| upload.step(transfer))
    }
}

impl Upload {
    fn step(&mut self, transfer: TransferId) -> Option<UploadStep> {
        let credit = self.credit.filter(|_| !self.finished)?;
        let left = self.source.size - self.sent;
        if left == 0 {
            self.finished = true;
            return Some(UploadStep::AllSent(transfer, self.sent));
        }
        if credit == 0 {
            return None;
        }
        let most = left.min(credit).min(CHUNK_MAX as u64);
        match self.read(most) {
            Ok(bytes) => {
                self.sent += bytes.len() as u64;
                self.credit = Some(credit - bytes.len() as u64);
                Some(UploadStep::Send(transfer, bytes))
            }
            Err(error) => {
                self.finished = true;
                Some(UploadStep::Withdraw(transfer, error.to_string()))
            }
        }
    }

    fn read(&mut self, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(usize::try_from(most).unwrap_or(CHUNK_MAX));
        (&mut self.source.file).take(most).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            return Err(io::Error::other("the file became shorter"));
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVEN: TransferId = TransferId(7);

    /// An upload of so many bytes, with its number, and the file it comes from.
    fn upload(size: usize) -> (Uploads, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a b.bin");
        let content: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        fs::write(&path, content).unwrap();
        let source = Source::open(&path).unwrap();
        assert_eq!((source.name(), source.size()), ("a b.bin", size as u64));
        let mut uploads = Uploads::default();
        uploads.announce(3, source);
        uploads.handle_announced(3, Some(SEVEN));
        (uploads, dir)
    }

    fn sent(uploads: &mut Uploads) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(step) = uploads.poll_step() {
            match step {
                UploadStep::Send(SEVEN, bytes) => {
                    assert!(bytes.len() <= CHUNK_MAX);
                    all.extend(bytes);
                }
                UploadStep::AllSent(SEVEN, _) => break,
                other => panic!("{other:?}"),
            }
        }
        all
    }

    #[test]
    fn nothing_is_sent_before_there_is_a_slot_and_no_more_than_was_granted() {
        let size = 3 * CHUNK_MAX;
        let (mut uploads, _dir) = upload(size);
        assert_eq!(uploads.poll_step(), None);
        uploads.handle_grant(SEVEN, CHUNK_MAX as u64 + 10);
        let mut all = sent(&mut uploads);
        assert_eq!(all.len(), CHUNK_MAX + 10);
        uploads.handle_grant(SEVEN, 5);
        all.extend(sent(&mut uploads));
        assert_eq!(all.len(), CHUNK_MAX + 15);
        uploads.handle_grant(SEVEN, u64::MAX);
        uploads.handle_grant(SEVEN, u64::MAX);
        all.extend(sent(&mut uploads));
        assert_eq!(all.len(), size);
        assert!(all.iter().enumerate().all(|(at, &byte)| usize::from(byte) == at % 251));
        assert!(!uploads.is_empty(), "it is over when the server says so");
        assert!(uploads.handle_ended(SEVEN) && uploads.is_empty());
    }

    #[test]
    fn an_empty_file_is_all_sent_as_soon_as_it_has_a_slot() {
        let (mut uploads, _dir) = upload(0);
        assert_eq!(uploads.poll_step(), None);
        uploads.handle_grant(SEVEN, 0);
        assert_eq!(uploads.poll_step(), Some(UploadStep::AllSent(SEVEN, 0)));
        assert_eq!(uploads.poll_step(), None);
    }

    #[test]
    fn a_file_that_grows_is_sent_as_announced_and_one_that_shrinks_is_withdrawn() {
        let (mut uploads, dir) = upload(10);
        fs::write(dir.path().join("a b.bin"), [1; 500]).unwrap();
        uploads.handle_grant(SEVEN, 1000);
        assert_eq!(sent(&mut uploads).len(), 10);

        let (mut uploads, dir) = upload(10);
        fs::write(dir.path().join("a b.bin"), [1; 4]).unwrap();
        uploads.handle_grant(SEVEN, 1000);
        assert_eq!(uploads.poll_step(), Some(UploadStep::Send(SEVEN, vec![1; 4])));
        assert!(matches!(uploads.poll_step(), Some(UploadStep::Withdraw(SEVEN, _))));
        assert_eq!(uploads.poll_step(), None);
    }

    #[test]
    fn a_refused_announcement_leaves_nothing_behind() {
        let (mut uploads, dir) = upload(1);
        uploads.announce(4, Source::open(&dir.path().join("a b.bin")).unwrap());
        uploads.handle_announced(4, None);
        uploads.handle_grant(TransferId(8), 100);
        assert!(!uploads.handle_ended(TransferId(8)));
        uploads.handle_ended(SEVEN);
        assert!(uploads.is_empty());
    }

    #[test]
    fn only_a_file_that_can_be_read_can_be_sent() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Source::open(dir.path()), Err(SourceError::NotAFile)));
        let nowhere = Source::open(&dir.path().join("nowhere"));
        assert!(matches!(nowhere, Err(SourceError::Unreadable(_))));
    }
}
