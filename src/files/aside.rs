//! Contents that were set aside: no record names them, and perhaps one will when the right store is
//! back.
//!
//! Refuses to know why. The rules it keeps: nothing stays aside for longer than a day; what is
//! aside is the first to go when the disk runs out of space, the oldest first.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::names::{self, ASIDE, FILES};
use super::sweep::since_ms;
use crate::limits::ASIDE_KEEP;
use crate::message::Digest;
use crate::os;

/// The folder, and what is in it, the oldest first.
#[derive(Debug)]
pub(super) struct Aside {
    folder: PathBuf,
    held: VecDeque<Held>,
}

/// One content.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    blob: Digest,
    bytes: u64,
    /// On the clock that never jumps.
    until: Instant,
}

/// Lists what is aside, the oldest first: since when, which, and how long it is.
///
/// # Errors
/// Those of the system; a folder that is not there is no error.
pub(super) fn list(data: &Path) -> io::Result<Vec<(u64, Digest, u64)>> {
    let entries = match std::fs::read_dir(folder(data)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let metadata = entry.path().symlink_metadata()?;
        let blob = entry.file_name().to_str().and_then(names::blob);
        if let Some(blob) = blob.filter(|_| metadata.is_file()) {
            found.push((since_ms(&metadata), blob, metadata.len()));
        }
    }
    found.sort_unstable_by_key(|&(since_ms, blob, _)| (since_ms, blob));
    Ok(found)
}

/// Which contents are aside.
///
/// # Errors
/// Those of the system.
pub(crate) fn aside(data: &Path) -> io::Result<BTreeSet<Digest>> {
    Ok(list(data)?.into_iter().map(|(_, blob, _)| blob).collect())
}

fn folder(data: &Path) -> PathBuf {
    data.join(FILES).join(ASIDE)
}

impl Aside {
    /// What is there at the wall clock `now_ms`.
    pub(super) fn open(data: &Path, now_ms: u64) -> io::Result<Self> {
        let now = Instant::now();
        let held = list(data)?.into_iter().map(|(since_ms, blob, bytes)| {
            // One from the future begins its day now.
            let age_ms = now_ms.saturating_sub(since_ms);
            let left = ASIDE_KEEP.saturating_sub(Duration::from_millis(age_ms));
            Held { blob, bytes, until: now + left }
        });
        Ok(Self { folder: folder(data), held: held.collect() })
    }

    /// Moves a content here.
    pub(super) fn put(&mut self, path: &Path, blob: Digest) -> io::Result<()> {
        if self.held.is_empty() {
            os::create_private_dir(&self.folder)?;
        }
        let file = File::options().write(true).open(path)?;
        file.set_modified(SystemTime::now())?;
        let bytes = file.metadata()?.len();
        drop(file);
        std::fs::rename(path, self.path(blob))?;
        self.held.retain(|held| held.blob != blob);
        let until = Instant::now() + ASIDE_KEEP;
        self.held.push_back(Held { blob, bytes, until });
        Ok(())
    }

    /// Moves those back that are needed and not there.
    pub(super) fn take_back(
        &mut self,
        to: &Path,
        is_needed: impl Fn(&Digest) -> bool,
    ) -> io::Result<()> {
        let (needed, rest) = self.held.drain(..).partition(|held| is_needed(&held.blob));
        self.held = rest;
        let needed: VecDeque<Held> = needed;
        for Held { blob, .. } in needed {
            let (from, to) = (self.path(blob), to.join(blob.to_string()));
            if to.symlink_metadata().is_ok_and(|there| there.is_file()) {
                std::fs::remove_file(from)?;
            } else {
                std::fs::rename(from, to)?;
            }
        }
        Ok(())
    }

    /// Removes those whose day is over.
    pub(super) fn expire(&mut self, now: Instant) -> io::Result<()> {
        while self.held.front().is_some_and(|held| held.until <= now) {
            self.give_up()?;
        }
        Ok(())
    }

    /// Removes the oldest. Tells whether there was one.
    pub(super) fn give_up(&mut self) -> io::Result<bool> {
        let Some(held) = self.held.pop_front() else { return Ok(false) };
        match std::fs::remove_file(self.path(held.blob)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(true),
        }
    }

    /// Bytes that are aside.
    pub(super) fn bytes(&self) -> u64 {
        self.held.iter().map(|held| held.bytes).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    fn path(&self, blob: Digest) -> PathBuf {
        self.folder.join(blob.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 24 * 3600 * 1000;

    fn data() -> (tempfile::TempDir, PathBuf) {
        let data = tempfile::tempdir().unwrap();
        let files = data.path().join(FILES);
        std::fs::create_dir(&files).unwrap();
        (data, files)
    }

    fn put(aside: &mut Aside, files: &Path, n: u8, bytes: usize) -> Digest {
        let blob = Digest([n; 32]);
        let path = files.join(blob.to_string());
        std::fs::write(&path, vec![n; bytes]).unwrap();
        aside.put(&path, blob).unwrap();
        blob
    }

    fn now_ms() -> u64 {
        crate::id::millis(SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap())
    }

    #[test]
    fn what_is_aside_stays_for_a_day_whatever_the_wall_clock_does_meanwhile() {
        let (data, files) = data();
        let mut aside = Aside::open(data.path(), now_ms()).unwrap();
        let blob = put(&mut aside, &files, 1, 10);
        assert_eq!((aside.bytes(), list(data.path()).unwrap().len()), (10, 1));
        let now = Instant::now();
        aside.expire(now).unwrap();
        assert!(aside.path(blob).exists());
        // The next server counts from when it was set aside, be that in its future or not.
        for (wall_ms, left) in
            [(0, true), (now_ms() + DAY_MS / 2, true), (now_ms() + DAY_MS, false)]
        {
            let mut next = Aside::open(data.path(), wall_ms).unwrap();
            next.expire(Instant::now()).unwrap();
            assert_eq!(next.path(blob).exists(), left, "{wall_ms}");
        }
        let mut aside = Aside::open(data.path(), now_ms()).unwrap();
        put(&mut aside, &files, 2, 10);
        aside.expire(now + ASIDE_KEEP + Duration::from_secs(60)).unwrap();
        assert!(aside.is_empty() && list(data.path()).unwrap().is_empty());
    }

    #[test]
    fn what_is_needed_comes_back_and_the_oldest_is_given_up_first() {
        let (data, files) = data();
        let mut aside = Aside::open(data.path(), 0).unwrap();
        let blobs: Vec<_> = (1..=3).map(|n| put(&mut aside, &files, n, 5)).collect();
        aside.take_back(&files, |blob| *blob == blobs[1]).unwrap();
        assert!(files.join(blobs[1].to_string()).exists());
        assert_eq!(aside.bytes(), 10);
        assert!(aside.give_up().unwrap());
        assert_eq!(list(data.path()).unwrap().iter().map(|f| f.1).collect::<Vec<_>>(), [blobs[2]]);
        assert!(aside.give_up().unwrap() && !aside.give_up().unwrap());
        assert_eq!(super::aside(data.path()).unwrap(), [].into());
    }
}
