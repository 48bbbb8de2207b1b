//! One file on its way here: its half, which knows BLAKE3, and the SHA-256 that people compare.
//!
//! Refuses to know where it goes. The rule it keeps: both hashes are those of the same bytes.

use std::io;
use std::path::{Path, PathBuf};

use sha2::Digest as _;

use crate::half::HalfFile;
use crate::job::PartialId;
use crate::message::Digest;
use crate::os;

/// A file that is open, and its hashes so far.
#[derive(Debug)]
pub(super) struct OpenFile {
    half: HalfFile,
    partial: Option<PartialId>,
    sha256: sha2::Sha256,
}

impl OpenFile {
    /// Makes an empty file.
    pub(super) fn create(path: PathBuf, partial: Option<PartialId>) -> io::Result<Self> {
        let half = HalfFile::new(os::create_private_file(&path)?, path)?;
        Ok(Self { half, partial, sha256: sha2::Sha256::new() })
    }

    /// Opens a half, or makes an empty file where there is none. One that has more than `size`
    /// bytes begins anew.
    pub(super) fn resume(path: PathBuf, partial: PartialId, size: u64) -> io::Result<Self> {
        let file = match os::open_regular(&path, true) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Self::create(path, Some(partial));
            }
            file => file?,
        };
        let mut half = HalfFile::new(file, path)?;
        if half.bytes() > size {
            half.restart()?;
        }
        Ok(Self { half, partial: Some(partial), sha256: sha2::Sha256::new() })
    }

    pub(super) fn path(&self) -> &Path {
        self.half.path()
    }

    pub(super) const fn partial(&self) -> Option<PartialId> {
        self.partial
    }

    /// Bytes in the file.
    pub(super) const fn bytes(&self) -> u64 {
        self.half.bytes()
    }

    /// Bytes that are hashed.
    pub(super) const fn hashed(&self) -> u64 {
        self.half.hashed()
    }

    /// Hashes what was there before, `bytes_max` of it. What cannot be read is of no use any more.
    pub(super) fn rehash(&mut self, bytes_max: u64) -> io::Result<()> {
        let sha256 = &mut self.sha256;
        self.half.rehash(bytes_max, |bytes| sha256.update(bytes)).map(drop)
    }

    /// Adds to its end. If it cannot, the file is as it was, or of no use any more.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.half.append(bytes)?;
        self.sha256.update(bytes);
        Ok(())
    }

    /// The hashes of all of it: BLAKE3 and SHA-256.
    pub(super) fn hashes(&self) -> io::Result<(Digest, Digest)> {
        let hash = self.half.hash()?;
        Ok((hash, Digest(self.sha256.clone().finalize().into())))
    }

    /// Brings all of it to the disk, for good.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.half.finish()
    }

    /// Brings to the disk what is there, so that it can be resumed later.
    pub(super) fn pause(&mut self) -> io::Result<()> {
        self.half.pause()
    }

    /// Removes it.
    pub(super) fn discard(self) -> io::Result<()> {
        self.half.discard()
    }

    /// As if a sync had failed.
    #[cfg(test)]
    pub(super) fn break_for_test(&mut self) {
        self.half.break_for_test();
    }
}
