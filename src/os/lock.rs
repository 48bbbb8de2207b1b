//! The lock of a data folder.
//!
//! Refuses to know who wants it. The rule it keeps: the folder itself is locked where the system
//! can do so, for a file in it can be removed, replaced or linked; the file beside it tells people
//! which process has it, and holds where the folder cannot be locked.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;

use super::platform;

/// The name of the file in the folder.
const FILE: &str = "lock";

/// A folder that is ours until this is dropped or the process ends, however that happens.
#[derive(Debug)]
pub(crate) struct FolderLock {
    file: File,
    _folder: Option<File>,
}

impl FolderLock {
    /// Takes the lock of a folder that is there; `None` while somebody else has it.
    ///
    /// # Errors
    /// Those of the system; what has the name of the file in the folder and is none is one.
    pub(crate) fn take(folder: &Path) -> io::Result<Option<Self>> {
        let folder_file = match platform::open_folder(folder)?.map(try_lock) {
            Some(Ok(held)) => Some(held),
            Some(Err(TryLockError::WouldBlock)) => return Ok(None),
            // Some file systems of a network lock files and no folders.
            Some(Err(TryLockError::Error(_))) | None => None,
        };
        match try_lock(platform::open_lock(&folder.join(FILE))?) {
            Ok(file) => Ok(Some(Self { file, _folder: folder_file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Writes the number of this process into the file, for those who want to send a signal; a lock
    /// that says nothing is a lock all the same.
    pub(crate) fn note_process(&self) {
        let _ = self.file.set_len(0);
        let _ = writeln!(&self.file, "{}", std::process::id());
    }
}

fn try_lock(file: File) -> Result<File, TryLockError> {
    file.try_lock().map(|()| file)
}
