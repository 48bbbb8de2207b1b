//! The two folders, `temp` and `files`, and the files that are on their way.
//!
//! Refuses to know whether anybody wants a file. The rule it keeps: a file that is whole comes
//! from `temp` to `files` in one step, after all of it is on the disk, and nothing that failed
//! stays behind. A content that no record names is not removed at once: it is set aside.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::aside::Aside;
use super::blobs::Blobs;
use super::names::{FILES, Part, TEMP};
use super::sweep::{self, Fate, Leftover, Why};
use super::upload::OpenFile;
use crate::id::TransferId;
use crate::job::{FileJob, FileOutcome, Half, PartialId};
use crate::limits::REHASH_BYTES;
use crate::message::Digest;
use crate::os;

/// The folders and the files that are open in them.
#[derive(Debug)]
pub(crate) struct Disk {
    data: PathBuf,
    temp: PathBuf,
    blobs: Blobs,
    aside: Aside,
    /// Bytes that stay free for others as long as something is aside.
    free_kept: u64,
    open: BTreeMap<TransferId, OpenFile>,
    /// How much of a half one job hashes.
    rehash_bytes: u64,
}

impl Disk {
    /// Takes the folders `temp` and `files` in `data`, made if need be, and removes or sets aside
    /// what an earlier server left and nobody needs. Tells which halves are there; `now_ms` is the
    /// wall clock.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn open(
        data: &Path,
        now_ms: u64,
        fate: impl Fn(&Digest) -> Fate,
    ) -> io::Result<(Self, Vec<Half>)> {
        let (temp, files) = (data.join(TEMP), data.join(FILES));
        os::create_private_dir(&temp)?;
        os::create_private_dir(&files)?;
        // What is in the folders lasts only if the folders do.
        os::sync_dir(data)?;
        let mut aside = Aside::open(data, now_ms)?;
        aside.take_back(&files, |content| fate(content) == Fate::Stays)?;
        aside.expire(Instant::now())?;
        let (leftovers, halves) = sweep::scan(data, fate)?;
        for Leftover { path, why, .. } in leftovers {
            match (why, sweep::content(&path)) {
                (Why::Unneeded, Some(content)) => aside.put(&path, content)?,
                (Why::Broken | Why::Empty | Why::NoFile | Why::Unneeded | Why::Removed, _) => {
                    std::fs::remove_file(path)?;
                }
            }
        }
        // What was removed stays so: the store forgets that it was.
        os::sync_dir(&files)?;
        let (blobs, rehash_bytes) = (Blobs::new(files), REHASH_BYTES);
        let (data, open) = (data.to_owned(), BTreeMap::new());
        Ok((Self { data, temp, blobs, aside, free_kept: 0, open, rehash_bytes }, halves))
    }

    /// Gives up what is aside before fewer bytes than this are free.
    pub(crate) fn keep_free(&mut self, bytes: u64) {
        self.free_kept = bytes;
    }

    /// How many bytes are aside.
    pub(crate) fn aside_bytes(&self) -> u64 {
        self.aside.bytes()
    }

    /// Removes all that is aside.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn clear_aside(&mut self) -> io::Result<()> {
        while self.aside.give_up()? {}
        Ok(())
    }

    /// Does one job.
    pub(crate) fn run(&mut self, job: FileJob) -> FileOutcome {
        let result = match job {
            FileJob::Open { transfer, partial, size } => self.begin(transfer, partial, size),
            FileJob::Rehash { transfer } => self.rehash(transfer),
            FileJob::Append { transfer, bytes } => {
                self.make_room(bytes.len() as u64);
                self.upload(transfer).and_then(|upload| upload.append(&bytes)).map(done)
            }
            FileJob::Finish { transfer, hash } => self.finish(transfer, hash),
            FileJob::Close { transfer, keep } => self.close(transfer, keep).map(done),
            FileJob::Read { blob, offset, len } => {
                self.blobs.read(blob, offset, len).map(FileOutcome::Bytes)
            }
            FileJob::Delete { blob } => self.blobs.delete(blob).map(done),
            FileJob::Discard { partial } => self.discard(partial).map(done),
        };
        result.unwrap_or_else(|error| FileOutcome::Failed(error.to_string()))
    }

    /// Bytes that may still be written, where the system tells it: what is aside makes way.
    pub(super) fn free_bytes(&self) -> Option<u64> {
        let free = os::free_bytes(&self.data).ok().flatten()?;
        Some(free.saturating_add(self.aside.bytes()))
    }

    /// Lets go of what was aside for a day, or is in the way.
    pub(super) fn tidy_aside(&mut self) {
        // What cannot be removed is tried again.
        let _ = self.aside.expire(Instant::now());
        self.make_room(0);
    }

    /// Gives up what is aside until there is room for so many bytes more.
    fn make_room(&mut self, bytes: u64) {
        let needed = self.free_kept.saturating_add(bytes);
        while !self.aside.is_empty() {
            match os::free_bytes(&self.data) {
                Ok(Some(free)) if free < needed => {}
                Ok(_) | Err(_) => return,
            }
            if !self.aside.give_up().unwrap_or(false) {
                return;
            }
        }
    }

    fn begin(
        &mut self,
        transfer: TransferId,
        partial: Option<PartialId>,
        size: u64,
    ) -> io::Result<FileOutcome> {
        if self.open.contains_key(&transfer) || partial.is_some_and(|id| self.is_open(id)) {
            return Err(in_use());
        }
        let mut upload = match partial {
            None => OpenFile::create(self.path(Part::Transfer(transfer)), None)?,
            Some(id) => OpenFile::resume(self.path(Part::Partial(id)), id, size)?,
        };
        if let Err(error) = upload.rehash(self.rehash_bytes) {
            // What cannot be read would stand in the way of every later try.
            upload.discard()?;
            return Err(error);
        }
        let (bytes, hashed) = (upload.bytes(), upload.hashed());
        self.open.insert(transfer, upload);
        Ok(FileOutcome::Opened { bytes, hashed })
    }

    fn rehash(&mut self, transfer: TransferId) -> io::Result<FileOutcome> {
        let bytes_max = self.rehash_bytes;
        let upload = self.upload(transfer)?;
        upload.rehash(bytes_max)?;
        Ok(FileOutcome::Opened { bytes: upload.bytes(), hashed: upload.hashed() })
    }

    /// Whatever comes of it, the file on its way is gone then.
    fn finish(&mut self, transfer: TransferId, hash: Option<Digest>) -> io::Result<FileOutcome> {
        let upload = self.open.remove(&transfer).ok_or_else(|| missing(transfer))?;
        let path = upload.path().to_owned();
        let outcome = self.put(upload, hash);
        if !matches!(outcome, Ok(FileOutcome::Finished { .. })) {
            // It may be gone already, and what cannot be removed is swept at the next start.
            let _ = std::fs::remove_file(path);
        }
        outcome
    }

    fn put(&mut self, mut upload: OpenFile, announced: Option<Digest>) -> io::Result<FileOutcome> {
        let (hash, sha256) = upload.hashes()?;
        // Before the sync: what is removed at once need not be on the disk.
        if announced.is_some_and(|announced| announced != hash) {
            return Ok(FileOutcome::Mismatch);
        }
        upload.finish()?;
        let (path, bytes) = (upload.path().to_owned(), upload.bytes());
        // Some systems do not rename or remove what is open.
        drop(upload);
        self.blobs.take(&path, hash, bytes)?;
        Ok(FileOutcome::Finished { hash, sha256 })
    }

    fn close(&mut self, transfer: TransferId, keep: bool) -> io::Result<()> {
        let Some(mut upload) = self.open.remove(&transfer) else { return Ok(()) };
        let can_go_on = keep && upload.partial().is_some() && upload.bytes() > 0;
        // Its name is not waited for: a half that a loss of power takes was not promised to anyone.
        if can_go_on && upload.pause().is_ok() {
            return Ok(());
        }
        upload.discard()
    }

    fn discard(&mut self, partial: PartialId) -> io::Result<()> {
        if self.is_open(partial) {
            return Err(in_use());
        }
        std::fs::remove_file(self.path(Part::Partial(partial)))
    }

    fn is_open(&self, partial: PartialId) -> bool {
        self.open.values().any(|upload| upload.partial() == Some(partial))
    }

    fn path(&self, part: Part) -> PathBuf {
        self.temp.join(part.name())
    }

    fn upload(&mut self, transfer: TransferId) -> io::Result<&mut OpenFile> {
        self.open.get_mut(&transfer).ok_or_else(|| missing(transfer))
    }
}

const fn done((): ()) -> FileOutcome {
    FileOutcome::Done
}

fn missing(transfer: TransferId) -> io::Error {
    io::Error::other(format!("no file of transfer {transfer} is open"))
}

fn in_use() -> io::Error {
    io::Error::other("another transfer has this file open")
}

#[cfg(test)]
mod tests;
