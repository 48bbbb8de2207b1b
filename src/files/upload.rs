//! One file on its way: what was written of it, and the hashes of just that.
//!
//! Refuses to know where it goes. The rules it keeps: what lies in the file is what was hashed, or
//! will be before anything is added; and a file that could not be brought to the disk once is
//! never asked again.
//!
//! The second rule: on Linux one sync tells that pages were lost, the next one tells nothing, and
//! the pages count as clean. Who asks twice is lied to; docs/decisions/0018 has more of it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::Digest as _;

use crate::job::PartialId;
use crate::limits::MIB;
use crate::message::Digest;
use crate::os;

/// After so many bytes the system is to begin to bring them to the disk.
///
/// Without that one sync at the end waits for the whole file, and every other transfer with it. A
/// gibibyte in parts of 64 KiB took 1.6 s, of which the sync was 330 ms; with this 1.4 s and 6 ms,
/// because the disk works while we hash. A sync every 16 MiB took 1.75 s, and held the thread up to
/// 27 ms each. To write the same gibibyte plainly and sync it takes 0.62 s; the rest is hashing:
/// BLAKE3 0.26 s, SHA-256 0.68 s.
const WRITE_BACK_BYTES: u64 = 16 * MIB;
/// Bytes that are read at once to be hashed.
const READ_BYTES: usize = 128 * 1024;

/// A file that is open, and its hashes so far. It is read and written at `hashed`.
#[derive(Debug)]
pub(super) struct Upload {
    file: File,
    path: PathBuf,
    partial: Option<PartialId>,
    bytes: u64,
    hashed: u64,
    /// Up to here the system was told to begin with it.
    begun: u64,
    is_broken: bool,
    blake3: Box<blake3::Hasher>,
    sha256: sha2::Sha256,
}

impl Upload {
    /// Makes an empty file.
    pub(super) fn create(path: PathBuf, partial: Option<PartialId>) -> io::Result<Self> {
        let file = os::create_private_file(&path)?;
        Ok(Self::new(file, path, partial, 0))
    }

    /// Opens a half, or makes an empty file where there is none. One that has more than `size`
    /// bytes begins anew.
    ///
    /// Its length is believed, though after a loss of power it may count bytes that never reached
    /// the disk. The hash at the end finds that, the half is removed, and the sender begins anew.
    pub(super) fn resume(path: PathBuf, partial: PartialId, size: u64) -> io::Result<Self> {
        let file = match os::open_regular(&path, true) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Self::create(path, Some(partial));
            }
            file => file?,
        };
        let mut bytes = file.metadata()?.len();
        if bytes > size {
            file.set_len(0)?;
            bytes = 0;
        }
        Ok(Self::new(file, path, Some(partial), bytes))
    }

    fn new(file: File, path: PathBuf, partial: Option<PartialId>, bytes: u64) -> Self {
        let (blake3, sha256) = (Box::default(), sha2::Sha256::new());
        let (hashed, begun, is_broken) = (0, bytes, false);
        Self { file, path, partial, bytes, hashed, begun, is_broken, blake3, sha256 }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn partial(&self) -> Option<PartialId> {
        self.partial
    }

    /// Bytes in the file.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that are hashed.
    pub(super) const fn hashed(&self) -> u64 {
        self.hashed
    }

    /// Hashes what was there before, `bytes_max` of it. What cannot be read is of no use any more.
    pub(super) fn rehash(&mut self, bytes_max: u64) -> io::Result<()> {
        let until = self.bytes.min(self.hashed.saturating_add(bytes_max));
        let mut buffer = vec![0; READ_BYTES];
        while self.hashed < until {
            let rest = usize::try_from(until - self.hashed).unwrap_or(usize::MAX).min(READ_BYTES);
            self.file.read_exact(&mut buffer[..rest]).inspect_err(|_| self.is_broken = true)?;
            self.hash(&buffer[..rest]);
        }
        Ok(())
    }

    /// Adds to its end.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.append_by(bytes, |file| file.write_all(bytes))
    }

    /// Adds `bytes`, which `write` writes. If it cannot, the file is as it was.
    fn append_by(
        &mut self,
        bytes: &[u8],
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        self.check()?;
        if let Err(error) = write(&mut self.file) {
            // A full disk takes a part, which is not hashed and must not lie there.
            self.is_broken = self.file.set_len(self.bytes).is_err()
                || self.file.seek(SeekFrom::Start(self.bytes)).is_err();
            return Err(error);
        }
        self.bytes += bytes.len() as u64;
        self.hash(bytes);
        let begun = self.begun;
        if self.bytes - begun < WRITE_BACK_BYTES {
            return Ok(());
        }
        self.begun = self.bytes;
        let len = self.bytes - begun;
        self.sync(|file| os::begin_write_back(file, begun, len))
    }

    /// The hashes of all of it: BLAKE3 and SHA-256.
    pub(super) fn hashes(&self) -> io::Result<(Digest, Digest)> {
        self.check()?;
        let sha256 = self.sha256.clone().finalize();
        Ok((Digest(self.blake3.finalize().into()), Digest(sha256.into())))
    }

    /// Brings all of it to the disk, for good.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.sync(File::sync_all)
    }

    /// Brings to the disk what is there, so that it can go on later.
    pub(super) fn pause(&mut self) -> io::Result<()> {
        self.sync(File::sync_data)
    }

    fn sync(&mut self, sync: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("what was written before is lost"));
        }
        sync(&self.file).inspect_err(|_| self.is_broken = true)
    }

    /// Whether it can be added to: only behind what is hashed.
    fn check(&self) -> io::Result<()> {
        if self.is_broken {
            Err(io::Error::other("what was written before is lost"))
        } else if self.hashed < self.bytes {
            Err(io::Error::other("not all of what is there is hashed yet"))
        } else {
            Ok(())
        }
    }

    /// As if a sync had failed.
    #[cfg(test)]
    pub(super) fn break_for_test(&mut self) {
        let _ = self.sync(|_| Err(io::Error::other("pages were lost")));
    }

    fn hash(&mut self, bytes: &[u8]) {
        self.blake3.update(bytes);
        self.sha256.update(bytes);
        self.hashed += bytes.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(folder: &tempfile::TempDir) -> Upload {
        let mut upload = Upload::create(folder.path().join("file"), None).unwrap();
        upload.append(b"hello ").unwrap();
        upload
    }

    fn content(upload: &Upload) -> Vec<u8> {
        std::fs::read(upload.path()).unwrap()
    }

    #[test]
    fn a_full_disk_takes_all_of_a_part_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut upload = upload(&folder);
        let full = upload.append_by(b"brave new ", |file| {
            file.write_all(b"bra")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!((content(&upload), upload.bytes()), (b"hello ".to_vec(), 6));
        // There is room again.
        upload.append(b"world").unwrap();
        upload.finish().unwrap();
        assert_eq!(content(&upload), b"hello world");
        let hash = blake3::hash(b"hello world");
        assert_eq!(upload.hashes().unwrap().0, Digest(hash.into()));
    }

    #[test]
    fn a_sync_that_failed_is_not_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut upload = upload(&folder);
        let lost = upload.sync(|_| Err(io::Error::other("pages were lost")));
        assert_eq!(lost.unwrap_err().to_string(), "pages were lost");
        upload.finish().unwrap_err();
        upload.pause().unwrap_err();
        upload.hashes().unwrap_err();
        upload.append(b"world").unwrap_err();
    }

    #[test]
    fn what_could_not_be_taken_back_is_of_no_use() {
        let folder = tempfile::tempdir().unwrap();
        let mut upload = upload(&folder);
        // A file that cannot be cut, in place of one that a broken disk does not cut.
        upload.file = os::open_regular(upload.path(), false).unwrap();
        upload.append(b"world").unwrap_err();
        upload.finish().unwrap_err();
    }
}
