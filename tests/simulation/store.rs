//! A disk that is late, fails, and checks the discipline of those who use it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor::id::{Now, Ticket, TransferId};
use parlor::job::{FileJob, FileOutcome, Half, PartialId};
use parlor::message::Digest;

use crate::support::rng::Rng;

/// What byte `offset` of a content is, for every sender and every check.
pub(crate) fn byte(seed: u32, offset: u64) -> u8 {
    let mixed = (u64::from(seed) << 32 ^ offset).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as u8
}

/// The first `size` bytes of a content.
pub(crate) fn content(seed: u32, size: u64) -> Vec<u8> {
    (0..size).map(|offset| byte(seed, offset)).collect()
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

/// A job that is done, and the upload that it was for.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) ticket: Ticket,
    pub(crate) upload: Option<u32>,
    pub(crate) outcome: FileOutcome,
}

#[derive(Debug)]
struct Open {
    partial: Option<PartialId>,
    bytes: Vec<u8>,
    hashed: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    open: BTreeMap<TransferId, Open>,
    /// With the time at which each was left, in milliseconds since 1970.
    halves: BTreeMap<PartialId, (Vec<u8>, u64)>,
    pub(crate) whole: BTreeMap<Digest, Vec<u8>>,
    queue: VecDeque<(u64, Ticket, FileJob)>,
    busy: BTreeSet<TransferId>,
    /// Transfers of which nothing is open any more, and nothing will be.
    closed: BTreeSet<TransferId>,
    /// Transfers of which a job has failed.
    pub(crate) troubled: BTreeSet<u32>,
    /// Contents that could not be read once.
    pub(crate) unread: BTreeSet<Digest>,
    /// Transfers whose content was not what was announced.
    pub(crate) mismatched: BTreeSet<u32>,
    /// How much of a transfer was there when it was opened.
    pub(crate) opened: BTreeMap<u32, u64>,
    /// What came of a transfer that became whole.
    pub(crate) finished: BTreeMap<u32, Digest>,
    pub(crate) told: Vec<Ticket>,
    /// Nothing fails any more.
    pub(crate) healed: bool,
}

impl Store {
    /// Takes a job, or answers at once that it cannot be taken.
    pub(crate) fn submit(
        &mut self,
        now: Now,
        rng: &mut Rng,
        ticket: Ticket,
        job: FileJob,
    ) -> Option<Told> {
        if let Some(transfer) = upload_of(&job) {
            assert!(
                !self.closed.contains(&transfer),
                "a job for {transfer} after its end: {job:?}"
            );
            if matches!(job, FileJob::Close { .. }) {
                self.closed.insert(transfer);
            } else {
                assert!(self.busy.insert(transfer), "two jobs for {transfer} at once");
            }
        }
        if may_fail(&job) && !self.healed && rng.chance(5) {
            return Some(self.fail(ticket, &job, "no room in line"));
        }
        let late_ms = match rng.below(100) {
            0..=89 => 0,
            90..=98 => rng.below(60),
            _ => rng.below(3_000),
        };
        self.queue.push_back((now.mono_ms + late_ms, ticket, job));
        None
    }

    /// The next outcome that has come by now.
    pub(crate) fn poll(&mut self, now: Now, rng: &mut Rng) -> Option<Told> {
        if self.queue.front()?.0 > now.mono_ms {
            return None;
        }
        let (_, ticket, job) = self.queue.pop_front()?;
        if may_fail(&job) && !self.healed && rng.chance(8) {
            return Some(self.fail(ticket, &job, "the disk is full"));
        }
        let upload = upload_of(&job);
        if !matches!(job, FileJob::Close { .. })
            && let Some(transfer) = upload
        {
            self.busy.remove(&transfer);
        }
        let outcome = self.run(now, rng, job);
        self.told.push(ticket);
        Some(Told { ticket, upload: upload.map(|transfer| transfer.0), outcome })
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// The power goes: of what was open some is left, and of what was asked nothing is done. What
    /// nobody needs goes at the next start.
    pub(crate) fn cut(&mut self, now: Now, rng: &mut Rng, needed: &BTreeSet<Digest>) {
        for open in std::mem::take(&mut self.open).into_values() {
            let mut bytes = open.bytes;
            bytes.truncate(rng.index(bytes.len() + 1));
            if let Some(id) = open.partial.filter(|_| !bytes.is_empty()) {
                self.halves.insert(id, (bytes, now.wall_ms));
            }
        }
        self.whole.retain(|blob, _| needed.contains(blob));
        let (halves, whole) = (std::mem::take(&mut self.halves), std::mem::take(&mut self.whole));
        *self = Self { halves, whole, healed: self.healed, ..Self::default() };
    }

    /// What the server finds of uploads that broke.
    pub(crate) fn halves(&self) -> Vec<Half> {
        let halves = self.halves.iter();
        let half = |(&id, (bytes, since_ms)): (&PartialId, &(Vec<u8>, u64))| Half {
            id,
            bytes: bytes.len() as u64,
            since_ms: *since_ms,
        };
        halves.map(half).collect()
    }

    /// Transfers whose file is open.
    pub(crate) fn left_open(&self) -> Vec<TransferId> {
        self.open.keys().copied().collect()
    }

    fn fail(&mut self, ticket: Ticket, job: &FileJob, why: &str) -> Told {
        let upload = upload_of(job);
        if let Some(transfer) = upload {
            self.busy.remove(&transfer);
            self.troubled.insert(transfer.0);
        }
        if let FileJob::Read { blob, .. } = job {
            self.unread.insert(*blob);
        }
        self.told.push(ticket);
        let outcome = FileOutcome::Failed(why.to_owned());
        Told { ticket, upload: upload.map(|transfer| transfer.0), outcome }
    }

    fn run(&mut self, now: Now, rng: &mut Rng, job: FileJob) -> FileOutcome {
        match job {
            FileJob::Open { transfer, partial, size } => self.open(rng, transfer, partial, size),
            FileJob::Rehash { transfer } => {
                let open = self.open.get_mut(&transfer).expect("no file to hash");
                open.hashed += rng.below(open.bytes.len() as u64 + 1 - open.hashed);
                let bytes = open.bytes.len() as u64;
                FileOutcome::Opened { bytes, hashed: open.hashed }
            }
            FileJob::Append { transfer, bytes } => {
                let open = self.open.get_mut(&transfer).expect("no file to append to");
                assert_eq!(open.hashed, open.bytes.len() as u64, "{transfer} is not hashed yet");
                open.bytes.extend(bytes);
                open.hashed = open.bytes.len() as u64;
                FileOutcome::Done
            }
            FileJob::Finish { transfer, hash } => self.finish(transfer, hash),
            FileJob::Close { transfer, keep } => {
                let open = self.open.remove(&transfer);
                if let Some(Open { partial: Some(id), bytes, .. }) = open
                    && keep
                    && !bytes.is_empty()
                {
                    self.halves.insert(id, (bytes, now.wall_ms));
                }
                FileOutcome::Done
            }
            FileJob::Read { blob, offset, len } => {
                let whole = self.whole.get(&blob).expect("what is read is here");
                let from = usize::try_from(offset).unwrap();
                assert!(from < whole.len() && len > 0, "{blob} is read behind its end");
                let end = whole.len().min(from + len as usize);
                FileOutcome::Bytes(whole[from..end].to_vec())
            }
            FileJob::Delete { blob } => {
                assert!(self.whole.remove(&blob).is_some(), "{blob} is deleted and was not here");
                FileOutcome::Done
            }
            FileJob::Discard { partial } => {
                let is_open = self.open.values().any(|open| open.partial == Some(partial));
                assert!(!is_open, "half a file is discarded that is open");
                self.halves.remove(&partial);
                FileOutcome::Done
            }
        }
    }

    fn open(
        &mut self,
        rng: &mut Rng,
        transfer: TransferId,
        partial: Option<PartialId>,
        size: u64,
    ) -> FileOutcome {
        let twice = partial.is_some() && self.open.values().any(|open| open.partial == partial);
        assert!(!twice, "{transfer} opens half a file that is open");
        let mut bytes = partial.and_then(|id| self.halves.remove(&id)).unwrap_or_default().0;
        if bytes.len() as u64 > size {
            bytes.clear();
        }
        let there = bytes.len() as u64;
        let hashed = if rng.chance(500) { there } else { rng.below(there + 1) };
        self.opened.insert(transfer.0, there);
        let before = self.open.insert(transfer, Open { partial, bytes, hashed });
        assert!(before.is_none(), "{transfer} is opened twice");
        FileOutcome::Opened { bytes: there, hashed }
    }

    fn finish(&mut self, transfer: TransferId, hash: Option<Digest>) -> FileOutcome {
        let open = self.open.remove(&transfer).expect("no file to finish");
        assert_eq!(open.hashed, open.bytes.len() as u64, "{transfer} is not hashed yet");
        self.closed.insert(transfer);
        let found = digest(&open.bytes);
        if hash.is_some_and(|hash| hash != found) {
            self.mismatched.insert(transfer.0);
            return FileOutcome::Mismatch;
        }
        self.whole.insert(found, open.bytes);
        self.finished.insert(transfer.0, found);
        // Any other function of the content would do.
        FileOutcome::Finished { hash: found, sha256: sha256(found) }
    }
}

/// What this disk says SHA-256 is of a content: something else than its BLAKE3.
pub(crate) fn sha256(hash: Digest) -> Digest {
    Digest(hash.0.map(|byte| !byte))
}

/// Nobody looks at the outcome of the others.
const fn may_fail(job: &FileJob) -> bool {
    match job {
        FileJob::Open { .. }
        | FileJob::Rehash { .. }
        | FileJob::Append { .. }
        | FileJob::Finish { .. }
        | FileJob::Read { .. } => true,
        FileJob::Close { .. } | FileJob::Delete { .. } | FileJob::Discard { .. } => false,
    }
}

/// The upload that a job is for.
pub(crate) const fn upload_of(job: &FileJob) -> Option<TransferId> {
    match job {
        FileJob::Open { transfer, .. }
        | FileJob::Rehash { transfer }
        | FileJob::Append { transfer, .. }
        | FileJob::Finish { transfer, .. }
        | FileJob::Close { transfer, .. } => Some(*transfer),
        FileJob::Read { .. } | FileJob::Delete { .. } | FileJob::Discard { .. } => None,
    }
}
