//! A local file that is sent, whom it is for, and how it is read.
//!
//! Knows the file by its path and holds it open only while it is read, so that any number can wait.
//! The rules it keeps: only a file that has a size and a name that can be sent is announced, and no
//! more of it is read than was granted.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::stage::{Failure, FileStage};
use crate::client::partial::hash_step;
use crate::client::view::Undone;
use crate::half::HalfFile;
use crate::id::TransferId;
use crate::limits::CHUNK_MAX;
use crate::message::{Announced, Command, Digest, FileName, NameError, RoomName};

/// Whom a file is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client) enum Goal {
    /// A user.
    User(String),
    /// The members of a room.
    Room(RoomName),
    /// The shelf of a room, or the public one.
    Shelf(Option<RoomName>),
}

impl Goal {
    /// Whether it is reached by whoever is in these rooms, or in none.
    pub(super) fn is_near(&self, rooms: &[RoomName]) -> bool {
        match self {
            Self::User(_) => true,
            Self::Room(wanted) | Self::Shelf(Some(wanted)) => rooms.contains(wanted),
            Self::Shelf(None) => rooms.is_empty(),
        }
    }
}

/// A local file that can be announced.
#[derive(Clone, Debug)]
pub(in crate::client) struct FileSource {
    path: PathBuf,
    pub(super) name: FileName,
    pub(super) size: u64,
    modified: Option<SystemTime>,
}

/// Why a local file cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(in crate::client) enum SourceError {
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
    pub(in crate::client) const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) | Self::NotAFile => "cannot_read",
            Self::BadName(_) => "bad_file_name",
        }
    }
}

impl FileSource {
    /// Looks at a file. Its name is the last part of the path, its size what it has now.
    ///
    /// # Errors
    /// [`SourceError`] says why it cannot be sent.
    pub(in crate::client) fn open(path: &Path) -> Result<Self, SourceError> {
        // Asked before it is opened: opening a pipe would wait for somebody to write into it.
        if !fs::metadata(path)?.is_file() {
            return Err(SourceError::NotAFile);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = FileName::parse(&name)?;
        let metadata = File::open(path)?.metadata()?;
        let modified = metadata.modified().ok();
        Ok(Self { path: path.to_owned(), name, size: metadata.len(), modified })
    }

    /// The same file as it is now.
    pub(super) fn look_again(&self) -> Result<Self, SourceError> {
        Self::open(&self.path)
    }

    /// Opens it to be read from this byte on.
    fn read_from(&self, offset: u64) -> io::Result<File> {
        if !fs::metadata(&self.path)?.is_file() {
            return Err(io::Error::other(SourceError::NotAFile));
        }
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(file)
    }

    /// Opens it to be hashed.
    fn open_to_hash(&self) -> io::Result<HalfFile> {
        let file = HalfFile::new(self.read_from(0)?, self.path.clone())?;
        if file.bytes() < self.size { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(file) }
    }

    /// Whether it is as it was, as far as can be seen without reading it.
    ///
    /// # Errors
    /// Those of the system, so that it is gone.
    pub(super) fn is_unchanged(&self) -> io::Result<bool> {
        let same = |now: &Metadata| {
            now.is_file() && now.len() == self.size && now.modified().ok() == self.modified
        };
        fs::metadata(&self.path).map(|now| same(&now))
    }
}

/// A file of ours that is on its way.
#[derive(Debug)]
pub(super) struct SentFile {
    pub(super) source: FileSource,
    pub(super) goal: Goal,
    pub(super) hash: Option<Digest>,
    pub(super) open: OpenSource,
    /// The number before, until it is told that it has another one.
    pub(super) was: Option<TransferId>,
    /// It is withdrawn, and the server has still to say so.
    pub(super) cancelled: bool,
    /// The server ended it once and it was announced anew.
    pub(super) ended: bool,
}

/// For what it is read, if it is.
#[derive(Debug)]
pub(super) enum OpenSource {
    Closed,
    Hashing(HalfFile),
    Sending { file: File, sent: u64, credit: u64 },
    AllSent,
}

impl SentFile {
    pub(super) fn new(source: FileSource, goal: Goal) -> Self {
        let (cancelled, ended) = (false, false);
        Self { source, goal, hash: None, open: OpenSource::Closed, was: None, cancelled, ended }
    }

    /// What is said of it to the server, perhaps with its room; `again` if that was said before.
    pub(super) fn announcement(&self, again: bool, names_room: bool) -> Command<'static> {
        let FileSource { name, size, .. } = &self.source;
        let name = name.as_str().to_owned().into();
        let file = Announced { name, size: *size, hash: self.hash, again };
        let name = |room: &RoomName| names_room.then(|| room.as_str().to_owned().into());
        match &self.goal {
            Goal::User(user) => {
                Command::SendFile { user: Some(user.clone().into()), room: None, file }
            }
            Goal::Room(room) => Command::SendFile { user: None, room: name(room), file },
            Goal::Shelf(room) => Command::Upload { room: room.as_ref().and_then(name), file },
        }
    }

    /// Opens it to be read for its hash.
    pub(super) fn begin(&mut self, now: Duration) -> Result<FileStage, Failure> {
        let file = self.source.open_to_hash().map_err(|error| unreadable(&error))?;
        self.open = OpenSource::Hashing(file);
        Ok(FileStage::Reading(Some(now)))
    }

    /// Hashes some more. Answers with what follows when that is all.
    pub(super) fn read(&mut self) -> Result<Option<FileStage>, Failure> {
        let OpenSource::Hashing(file) = &mut self.open else { return Ok(None) };
        self.hash = hash_step(file).map_err(|error| unreadable(&error))?;
        if self.hash.is_some() {
            self.close();
        }
        Ok(self.hash.map(|_| FileStage::Ready))
    }

    /// It is read no further.
    pub(super) fn close(&mut self) {
        self.open = OpenSource::Closed;
    }

    /// Sends it from this byte on.
    pub(super) fn open_at(&mut self, offset: u64, credit: u64) -> io::Result<()> {
        if offset > self.source.size {
            return Err(io::Error::other("the server has more of it than there is"));
        }
        let file = self.source.read_from(offset)?;
        self.open = OpenSource::Sending { file, sent: offset, credit };
        Ok(())
    }

    /// The next part that may go; an empty one when all has gone.
    ///
    /// # Errors
    /// Those of the system, and `UnexpectedEof` when it has become shorter.
    pub(super) fn next_part(&mut self) -> io::Result<Option<Vec<u8>>> {
        let size = self.source.size;
        let OpenSource::Sending { file, sent, credit } = &mut self.open else { return Ok(None) };
        if self.cancelled || *sent < size && *credit == 0 {
            return Ok(None);
        }
        let most = (size - *sent).min(*credit).min(CHUNK_MAX as u64);
        let bytes = read_some(file, most)?;
        *sent += bytes.len() as u64;
        *credit -= bytes.len() as u64;
        if *sent == size {
            self.open = OpenSource::AllSent;
        }
        Ok(Some(bytes))
    }

    /// Bytes that are sent, or hashed while that continues.
    pub(super) fn done(&self) -> u64 {
        match &self.open {
            OpenSource::Closed => 0,
            OpenSource::Hashing(file) => file.hashed(),
            OpenSource::Sending { sent, .. } => *sent,
            OpenSource::AllSent => self.source.size,
        }
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

/// It cannot be read any more.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds are not ours")]
pub(super) fn unreadable(error: &io::Error) -> Failure {
    let why = match error.kind() {
        ErrorKind::NotFound => "the file is gone".to_owned(),
        ErrorKind::UnexpectedEof => "the file changed while it was read".to_owned(),
        _ => error.to_string(),
    };
    ("cannot_read", Undone::Told(why))
}
