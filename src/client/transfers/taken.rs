//! A file of the server's that is taken, and what is here of it.
//!
//! Knows one local folder and no requests. The rules it keeps: nothing that lies there is written
//! over, and half a file stays until somebody wants it no more.

use std::io;
use std::path::Path;

use super::stage::{Failure, FileStage};
use crate::client::partial::{Partial, hash_step, namesake, taken};
use crate::client::view::Undone;
use crate::half::HalfFile;
use crate::message::{FileLine, FileName, RoomName, Target, UserName};

/// What becomes of a file that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Keeping {
    /// It has the first name that is free.
    AnyName,
    /// It has its own name, and is refused where something else has that.
    ItsName,
    /// It is passed on by whoever asked for it, and not kept here.
    Nothing,
}

/// A file that may come or comes.
#[derive(Debug)]
pub(super) struct TakenFile {
    pub(super) file: FileLine,
    /// Under which name it is saved, if that is free.
    pub(super) local: FileName,
    /// A file that is here already may be the same: look first.
    pub(super) compares: bool,
    pub(super) here: LocalFile,
}

/// What is here of it.
#[derive(Debug)]
pub(super) enum LocalFile {
    Nothing,
    /// A whole file of its name, which is read to be compared.
    Alike(HalfFile),
    Half(Partial),
}

impl TakenFile {
    pub(super) fn new(file: FileLine) -> Self {
        Self { local: file.name.clone(), file, compares: false, here: LocalFile::Nothing }
    }

    /// Looks for what is here of it, and makes a place for it.
    pub(super) fn begin(&mut self, dir: &Path, keeping: Keeping) -> Result<FileStage, Failure> {
        let size = self.file.size;
        if self.compares
            && let Some(alike) = namesake(dir, &self.local, size)
        {
            self.here = LocalFile::Alike(alike);
            return Ok(FileStage::Reading(None));
        }
        if keeping == Keeping::ItsName
            && let Some(path) = taken(dir, &self.local)
        {
            return Err(("file_exists", Undone::Exists(path)));
        }
        let half = Partial::open(dir, &self.local, self.file.hash, size)
            .map_err(|error| unwritable(dir, &error))?;
        let is_new = half.len() == 0;
        self.here = LocalFile::Half(half);
        Ok(if is_new { FileStage::Ready } else { FileStage::Reading(None) })
    }

    /// Reads some more of what is here. Answers with what follows when that is all.
    pub(super) fn read(&mut self, dir: &Path) -> Result<Option<FileStage>, Failure> {
        match &mut self.here {
            LocalFile::Nothing => Ok(None),
            LocalFile::Alike(file) => match hash_step(file) {
                Ok(None) => Ok(None),
                Ok(Some(hash)) if hash == self.file.hash => Ok(Some(FileStage::Finishing)),
                // It is another file, or cannot be known to be this one.
                Ok(Some(_)) | Err(_) => {
                    (self.compares, self.here) = (false, LocalFile::Nothing);
                    Ok(Some(FileStage::Waiting))
                }
            },
            LocalFile::Half(half) => {
                let hash = half.hash_step().map_err(|error| unwritable(dir, &error))?;
                Ok(hash.map(|_| FileStage::Ready))
            }
        }
    }

    pub(super) fn is_comparing(&self) -> bool {
        matches!(self.here, LocalFile::Alike(_))
    }

    /// Bytes that are here, or read while that continues.
    pub(super) fn done(&self) -> u64 {
        match &self.here {
            LocalFile::Nothing => 0,
            LocalFile::Alike(file) => file.hashed(),
            LocalFile::Half(half) => half.hashed(),
        }
    }

    pub(super) fn half(&mut self) -> Option<&mut Partial> {
        match &mut self.here {
            LocalFile::Half(half) => Some(half),
            LocalFile::Nothing | LocalFile::Alike(_) => None,
        }
    }

    /// What has come of it, if anything has; here is nothing then.
    pub(super) fn take_half(&mut self) -> Option<Partial> {
        match std::mem::replace(&mut self.here, LocalFile::Nothing) {
            LocalFile::Half(half) => Some(half),
            LocalFile::Nothing | LocalFile::Alike(_) => None,
        }
    }
}

/// Whether it was handed to one user alone.
pub(in crate::client) fn is_for_one(file: &FileLine) -> bool {
    matches!(file.to, Target::User(_))
}

/// Whether a file can be reached by this user from these rooms.
pub(in crate::client) fn is_near(to: Target, user: Option<UserName>, rooms: &[RoomName]) -> bool {
    match to {
        Target::User(wanted) => user == Some(wanted),
        Target::Room(wanted) | Target::Shelf(wanted) => rooms.contains(&wanted),
        Target::Public => true,
    }
}

pub(super) fn unwritable(dir: &Path, error: &io::Error) -> Failure {
    ("cannot_write", Undone::Unwritable(dir.to_owned(), error.to_string()))
}
