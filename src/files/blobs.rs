//! What is whole: files under the hash of their content, of which the last few that were read stay
//! open.
//!
//! Refuses to know who has them. The rule it keeps: a blob appears under its name at once and
//! whole, and is on the disk when [`Blobs::take`] has said so.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::message::Digest;
use crate::os;

/// Blobs that stay open after a read: a gibibyte is read in thousands of parts, and some ten
/// people may do so at once. Of more than these each read opens its file, which costs some
/// microseconds.
const OPEN_MAX: usize = 16;

/// The folder, and the files that are open in it.
#[derive(Debug)]
pub(super) struct Blobs {
    folder: PathBuf,
    /// The one that was read last is the last.
    open: Vec<(Digest, File)>,
}

impl Blobs {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, open: Vec::new() }
    }

    /// Takes over the file `temp` of so many bytes, whose content is on the disk already. A blob
    /// that is there is as good: then `temp` is removed.
    pub(super) fn take(&mut self, temp: &Path, blob: Digest, bytes: u64) -> io::Result<()> {
        let path = self.path(blob);
        let there = path.symlink_metadata();
        if there.is_ok_and(|there| there.is_file() && there.len() == bytes) {
            std::fs::remove_file(temp)?;
            // The name, too, must last: an earlier try may have ended just before that.
            return os::sync_dir(&self.folder);
        }
        // Damaged, or none. Some systems do not rename over a file that is open.
        self.close(blob);
        std::fs::rename(temp, &path)?;
        // First where it is, then where it is not any more.
        let folders = [Some(&*self.folder), temp.parent()];
        folders.into_iter().flatten().try_for_each(os::sync_dir).inspect_err(|_| {
            // Nobody is told that it is there, so nobody would ever remove it.
            let _ = std::fs::remove_file(&path);
        })
    }

    /// Reads `len` bytes, or fewer at the end.
    pub(super) fn read(&mut self, blob: Digest, offset: u64, len: u32) -> io::Result<Vec<u8>> {
        let mut file = self.file(blob)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(len as usize);
        file.take(u64::from(len)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Removes a blob; after a loss of power it may be there again, for the sweep.
    pub(super) fn delete(&mut self, blob: Digest) -> io::Result<()> {
        self.close(blob);
        std::fs::remove_file(self.path(blob))
    }

    fn file(&mut self, blob: Digest) -> io::Result<&File> {
        let found = self.open.iter().position(|(open, _)| *open == blob);
        let file = match found {
            Some(index) => self.open.remove(index).1,
            None => os::open_regular(&self.path(blob), false)?,
        };
        if self.open.len() >= OPEN_MAX {
            self.open.remove(0);
        }
        self.open.push((blob, file));
        let last = self.open.last().map(|(_, file)| file);
        last.ok_or_else(|| io::Error::other("no file is open"))
    }

    fn close(&mut self, blob: Digest) {
        self.open.retain(|(open, _)| *open != blob);
    }

    fn path(&self, blob: Digest) -> PathBuf {
        self.folder.join(blob.to_string())
    }

    /// Which are open.
    #[cfg(test)]
    pub(super) fn open_now(&self) -> Vec<Digest> {
        self.open.iter().map(|(blob, _)| *blob).collect()
    }
}
