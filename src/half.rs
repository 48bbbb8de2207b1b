//! I/O. Half a file, as both sides have it: what was written of it, and the hash of just that.
//!
//! Refuses to know names, folders and who writes; the server and the client each find a place for
//! it. The rules it keeps: what lies in the file is what was hashed, or will be before anything is
//! added; a part is added whole or not at all; and a file that could not be brought to the disk
//! once is never asked again.
//!
//! The last rule: on Linux one sync tells that pages were lost, the next one tells nothing, and
//! the pages count as clean. Who asks twice is lied to; docs/decisions/0018 has more of it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

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

/// A file that is open, and its hash so far. It is read and written at `hashed`.
#[derive(Debug)]
pub(crate) struct HalfFile {
    file: File,
    path: PathBuf,
    bytes: u64,
    hashed: u64,
    /// Up to here the system was told to begin with it.
    begun: u64,
    is_broken: bool,
    blake3: Box<blake3::Hasher>,
}

impl HalfFile {
    /// What is in an open file, which stands at its beginning.
    ///
    /// Its length is believed, though after a loss of power it may count bytes that never reached
    /// the disk. The hash at the end finds that, and all of it is sent anew.
    pub(crate) fn new(file: File, path: PathBuf) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        let (hashed, begun, is_broken, blake3) = (0, bytes, false, Box::default());
        Ok(Self { file, path, bytes, hashed, begun, is_broken, blake3 })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes in the file.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that are hashed.
    pub(crate) const fn hashed(&self) -> u64 {
        self.hashed
    }

    /// Forgets all bytes.
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.blake3.reset();
        (self.bytes, self.hashed, self.begun) = (0, 0, 0);
        Ok(())
    }

    /// Hashes what was there before, `bytes_max` of it, and shows it to `also`. Answers whether
    /// that is all. What cannot be read is of no use any more.
    pub(crate) fn rehash(
        &mut self,
        bytes_max: u64,
        mut also: impl FnMut(&[u8]),
    ) -> io::Result<bool> {
        let (wanted, blake3) = (bytes_max.min(self.bytes - self.hashed), &mut self.blake3);
        let see = |bytes: &[u8]| {
            blake3.update(bytes);
            also(bytes);
        };
        read_parts(&mut self.file, wanted, see).inspect_err(|_| self.is_broken = true)?;
        self.hashed += wanted;
        Ok(self.hashed == self.bytes)
    }

    /// Adds to its end; all that is there must have been hashed.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
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
        self.blake3.update(bytes);
        self.bytes += bytes.len() as u64;
        self.hashed = self.bytes;
        let begun = self.begun;
        if self.bytes - begun < WRITE_BACK_BYTES {
            return Ok(());
        }
        self.begun = self.bytes;
        let len = self.bytes - begun;
        self.sync(|file| os::begin_write_back(file, begun, len))
    }

    /// The hash of all of it.
    pub(crate) fn hash(&self) -> io::Result<Digest> {
        self.check()?;
        Ok(Digest(self.blake3.finalize().into()))
    }

    /// Brings all of it to the disk, for good.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.sync(File::sync_all)
    }

    /// Brings to the disk what is there, so that it can be resumed later.
    pub(crate) fn pause(&mut self) -> io::Result<()> {
        self.sync(File::sync_data)
    }

    /// Removes it.
    pub(crate) fn discard(self) -> io::Result<()> {
        let Self { file, path, .. } = self;
        // Some systems remove no file that is open.
        drop(file);
        std::fs::remove_file(path)
    }

    fn sync(&mut self, sync: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        if self.is_broken {
            return Err(lost());
        }
        sync(&self.file).inspect_err(|_| self.is_broken = true)
    }

    /// Whether it can be added to: only behind what is hashed.
    fn check(&self) -> io::Result<()> {
        if self.is_broken {
            Err(lost())
        } else if self.hashed < self.bytes {
            Err(io::Error::other("not all of what is there is hashed yet"))
        } else {
            Ok(())
        }
    }

    /// As if a sync had failed.
    #[cfg(test)]
    pub(crate) fn break_for_test(&mut self) {
        let _ = self.sync(|_| Err(io::Error::other("pages were lost")));
    }
}

/// Reads the next `wanted` bytes of a file, which must have them, and shows them part by part.
///
/// # Errors
/// Those of the system, and `UnexpectedEof` when the file has become shorter.
pub(crate) fn read_parts(
    file: &mut File,
    wanted: u64,
    mut see: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; READ_BYTES.min(usize::try_from(wanted).unwrap_or(READ_BYTES))];
    let mut left = wanted;
    while left > 0 {
        let room = usize::try_from(left).unwrap_or(READ_BYTES).min(READ_BYTES);
        file.read_exact(&mut buffer[..room])?;
        see(&buffer[..room]);
        left -= room as u64;
    }
    Ok(())
}

fn lost() -> io::Error {
    io::Error::other("what was written before is lost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::ErrorKind;

    fn at(folder: &tempfile::TempDir) -> HalfFile {
        let path = folder.path().join("file");
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        HalfFile::new(file, path).unwrap()
    }

    fn half(folder: &tempfile::TempDir) -> HalfFile {
        let mut half = at(folder);
        half.append(b"hello ").unwrap();
        half
    }

    fn content(half: &HalfFile) -> Vec<u8> {
        fs::read(half.path()).unwrap()
    }

    fn hash(content: &[u8]) -> Digest {
        Digest(blake3::hash(content).into())
    }

    #[test]
    fn nothing_is_added_before_all_that_is_there_is_hashed() {
        let folder = tempfile::tempdir().unwrap();
        drop(half(&folder));
        let mut half = at(&folder);
        assert_eq!((half.bytes(), half.hashed()), (6, 0));
        half.append(b"world").unwrap_err();
        half.hash().unwrap_err();
        let mut seen = Vec::new();
        while !half.rehash(4, |bytes| seen.extend_from_slice(bytes)).unwrap() {}
        assert_eq!(seen, b"hello ");
        half.append(b"world").unwrap();
        assert_eq!(half.hash().unwrap(), hash(b"hello world"));
        half.restart().unwrap();
        half.append(b"anew").unwrap();
        assert_eq!((content(&half), half.hash().unwrap()), (b"anew".to_vec(), hash(b"anew")));
        half.discard().unwrap();
        assert!(!folder.path().join("file").exists());
    }

    #[test]
    fn what_has_become_shorter_is_of_no_use() {
        let folder = tempfile::tempdir().unwrap();
        drop(half(&folder));
        let mut half = at(&folder);
        File::create(half.path()).unwrap();
        let error = half.rehash(MIB, |_| {}).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        half.pause().unwrap_err();
    }

    #[test]
    fn a_full_disk_takes_all_of_a_part_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut half = half(&folder);
        let full = half.append_by(b"brave new ", |file| {
            file.write_all(b"bra")?;
            Err(ErrorKind::StorageFull.into())
        });
        assert_eq!(full.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!((content(&half), half.bytes()), (b"hello ".to_vec(), 6));
        // There is room again.
        half.append(b"world").unwrap();
        half.finish().unwrap();
        assert_eq!(content(&half), b"hello world");
        assert_eq!(half.hash().unwrap(), hash(b"hello world"));
    }

    #[test]
    fn a_sync_that_failed_is_not_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut half = half(&folder);
        let lost = half.sync(|_| Err(io::Error::other("pages were lost")));
        assert_eq!(lost.unwrap_err().to_string(), "pages were lost");
        half.finish().unwrap_err();
        half.pause().unwrap_err();
        half.hash().unwrap_err();
        half.append(b"world").unwrap_err();
    }

    #[test]
    fn what_could_not_be_taken_back_is_of_no_use() {
        let folder = tempfile::tempdir().unwrap();
        let mut half = half(&folder);
        // A file that cannot be cut, in place of one that a broken disk does not cut.
        half.file = File::open(half.path()).unwrap();
        half.append(b"world").unwrap_err();
        half.finish().unwrap_err();
    }
}
