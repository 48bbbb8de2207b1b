//! A local file that is sent, whom it is for, and what is said of it to the server.
//!
//! Knows the file by its path and holds it open only while it is read, so that any number can wait.
//! The rule it keeps: only a file that has a size and a name that can be sent is announced.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

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
    /// Whether it is reached by whoever is in this room, or in none.
    pub(super) fn is_near(&self, room: Option<RoomName>) -> bool {
        match self {
            Self::User(_) => true,
            Self::Room(wanted) => room == Some(*wanted),
            Self::Shelf(wanted) => room == *wanted,
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
    pub(super) fn read_from(&self, offset: u64) -> io::Result<File> {
        if !fs::metadata(&self.path)?.is_file() {
            return Err(io::Error::other(SourceError::NotAFile));
        }
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(file)
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

/// What is said of a file to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client) struct Announcement {
    goal: Goal,
    name: String,
    pub(super) size: u64,
    pub(super) hash: Option<Digest>,
    pub(super) again: bool,
}

impl Announcement {
    pub(super) fn new(source: &FileSource, goal: &Goal, hash: Option<Digest>, again: bool) -> Self {
        let (name, size) = (source.name.as_str().to_owned(), source.size);
        Self { goal: goal.clone(), name, size, hash, again }
    }

    /// As a request.
    pub(in crate::client) fn command(&self) -> Command<'_> {
        let Self { goal, name, size, hash, again } = self;
        let file =
            Announced { name: name.as_str().into(), size: *size, hash: *hash, again: *again };
        match goal {
            Goal::User(user) => Command::SendFile { user: Some(user.as_str().into()), file },
            Goal::Room(_) => Command::SendFile { user: None, file },
            Goal::Shelf(_) => Command::Upload { file },
        }
    }
}

/// Why a file cannot be read any more, for people.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds are not ours")]
pub(super) fn lost(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "the file is gone".to_owned(),
        ErrorKind::UnexpectedEof => "the file changed while it was read".to_owned(),
        _ => error.to_string(),
    }
}
