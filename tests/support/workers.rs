//! Workers of the simplest kind: a store and files in memory that do their jobs at once, and hashes
//! that cost nothing.

use std::collections::BTreeMap;

use parlor::id::TransferId;
use parlor::job::{
    FileJob, FileOutcome, Half, PartialId, PasswordJob, PasswordOutcome, StoreJob, StoreOutcome,
};
use parlor::message::Digest;
use parlor::store::Store;

/// Does one job of the store.
pub(crate) fn commit_one(store: &mut impl Store, job: StoreJob) -> StoreOutcome {
    store.commit(&[job]).pop().expect("one job has one outcome")
}

/// Hashes a password, or compares it with what this function made of one.
pub(crate) fn hash(job: &PasswordJob) -> PasswordOutcome {
    match job {
        PasswordJob::Hash { password } => PasswordOutcome::Hash(format!("hash of {password}")),
        PasswordJob::Verify { password, hash }
            if hash.as_deref() == Some(&format!("hash of {password}")) =>
        {
            PasswordOutcome::Right
        }
        PasswordJob::Verify { .. } => PasswordOutcome::Wrong,
    }
}

/// Files in memory. Who uses them otherwise than the worker may be used is stopped at once.
#[allow(dead_code)] // the simulation has a disk of its own
#[derive(Clone, Debug, Default)]
pub(crate) struct Blobs {
    open: BTreeMap<TransferId, (Option<PartialId>, Vec<u8>)>,
    halves: BTreeMap<PartialId, Vec<u8>>,
    whole: BTreeMap<Digest, Vec<u8>>,
}

#[allow(dead_code)]
impl Blobs {
    /// Does one job.
    pub(crate) fn run(&mut self, job: FileJob) -> FileOutcome {
        match job {
            FileJob::Open { transfer, partial, size } => {
                let twice =
                    partial.is_some() && self.open.values().any(|(other, _)| *other == partial);
                assert!(!twice, "{transfer} opens half a file that is open");
                let mut left = partial.and_then(|id| self.halves.remove(&id)).unwrap_or_default();
                if left.len() as u64 > size {
                    left.clear();
                }
                let bytes = left.len() as u64;
                let before = self.open.insert(transfer, (partial, left));
                assert!(before.is_none(), "{transfer} is opened twice");
                FileOutcome::Opened { bytes, hashed: bytes }
            }
            FileJob::Rehash { transfer } => {
                let bytes = self.open[&transfer].1.len() as u64;
                FileOutcome::Opened { bytes, hashed: bytes }
            }
            FileJob::Append { transfer, bytes } => {
                let (_, content) = self.open.get_mut(&transfer).expect("no file to append to");
                content.extend(bytes);
                FileOutcome::Done
            }
            FileJob::Finish { transfer, hash } => {
                let (_, content) = self.open.remove(&transfer).expect("no file to finish");
                let found = Digest(*blake3::hash(&content).as_bytes());
                if hash.is_some_and(|hash| hash != found) {
                    return FileOutcome::Mismatch;
                }
                self.whole.insert(found, content);
                // No test of the pure half compares this one with a real SHA-256.
                FileOutcome::Finished { hash: found, sha256: found }
            }
            FileJob::Close { transfer, keep } => {
                let closed = self.open.remove(&transfer);
                if let Some((Some(id), content)) =
                    closed.filter(|(_, content)| keep && !content.is_empty())
                {
                    self.halves.insert(id, content);
                }
                FileOutcome::Done
            }
            FileJob::Read { blob, offset, len } => match self.whole.get(&blob) {
                Some(content) => {
                    let from = usize::try_from(offset).expect("a small file").min(content.len());
                    let end = content.len().min(from + len as usize);
                    FileOutcome::Bytes(content[from..end].to_vec())
                }
                None => FileOutcome::Failed("there is no such content".to_owned()),
            },
            FileJob::Delete { blob } => {
                assert!(self.whole.remove(&blob).is_some(), "{blob} is deleted and was not there");
                FileOutcome::Done
            }
            FileJob::Discard { partial } => {
                self.halves.remove(&partial);
                FileOutcome::Done
            }
        }
    }

    /// The process ends: what is open is left as halves, as far as it can be found again.
    pub(crate) fn crash(&mut self) {
        for (partial, content) in std::mem::take(&mut self.open).into_values() {
            if let Some(id) = partial.filter(|_| !content.is_empty()) {
                self.halves.insert(id, content);
            }
        }
    }

    /// The halves that are there, as the worker finds them at its start.
    pub(crate) fn halves(&self) -> Vec<Half> {
        let half = |(id, content): (&PartialId, &Vec<u8>)| Half {
            id: *id,
            bytes: content.len() as u64,
            since_ms: 0,
        };
        self.halves.iter().map(half).collect()
    }

    /// The contents that are there whole.
    pub(crate) fn whole(&self) -> &BTreeMap<Digest, Vec<u8>> {
        &self.whole
    }

    /// Transfers whose file is open.
    pub(crate) fn open(&self) -> impl Iterator<Item = TransferId> {
        self.open.keys().copied()
    }
}
