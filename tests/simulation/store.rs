//! A disk that is late, fails, and checks the discipline of those who use it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor::id::{Ticket, TransferId};
use parlor::job::{FileJob, FileOutcome};

use crate::support::rng::Rng;

/// What byte `offset` of a transfer is, for every sender and every check.
pub(crate) fn content(transfer: u32, offset: u64) -> u8 {
    let mixed = (u64::from(transfer) << 32 ^ offset).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as u8
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    files: BTreeMap<TransferId, Vec<u8>>,
    queue: VecDeque<(u64, Ticket, FileJob)>,
    busy: BTreeSet<TransferId>,
    removed: BTreeSet<TransferId>,
    /// Transfers of which a job has failed.
    pub(crate) troubled: BTreeSet<u32>,
    pub(crate) finished: Vec<Ticket>,
}

impl Store {
    /// Takes a job, or answers at once that it cannot be taken.
    pub(crate) fn submit(
        &mut self,
        now_ms: u64,
        rng: &mut Rng,
        ticket: Ticket,
        job: FileJob,
    ) -> Option<(Ticket, FileOutcome)> {
        let transfer = job.transfer();
        assert!(!self.removed.contains(&transfer), "a job for {transfer} after its removal");
        if matches!(job, FileJob::Remove { .. }) {
            self.removed.insert(transfer);
        } else {
            assert!(self.busy.insert(transfer), "two jobs for {transfer} at once");
            if rng.chance(5) {
                return Some(self.fail(ticket, transfer, "no room in line"));
            }
        }
        let late_ms = match rng.below(100) {
            0..=59 => 0,
            60..=97 => rng.below(200),
            _ => rng.below(5_000),
        };
        self.queue.push_back((now_ms + late_ms, ticket, job));
        None
    }

    /// The next outcome that has come by now.
    pub(crate) fn poll(&mut self, now_ms: u64, rng: &mut Rng) -> Option<(Ticket, FileOutcome)> {
        if self.queue.front()?.0 > now_ms {
            return None;
        }
        let (_, ticket, job) = self.queue.pop_front()?;
        let transfer = job.transfer();
        if !matches!(job, FileJob::Remove { .. }) && rng.chance(10) {
            return Some(self.fail(ticket, transfer, "the disk is full"));
        }
        let outcome = self.run(job);
        self.finished.push(ticket);
        Some((ticket, outcome))
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Transfers whose file is there.
    pub(crate) fn left(&self) -> Vec<TransferId> {
        self.files.keys().copied().collect()
    }

    fn fail(&mut self, ticket: Ticket, transfer: TransferId, why: &str) -> (Ticket, FileOutcome) {
        self.busy.remove(&transfer);
        self.troubled.insert(transfer.0);
        self.finished.push(ticket);
        (ticket, FileOutcome::Failed(why.to_owned()))
    }

    fn run(&mut self, job: FileJob) -> FileOutcome {
        match job {
            FileJob::Create { transfer } => {
                self.busy.remove(&transfer);
                assert!(self.files.insert(transfer, Vec::new()).is_none(), "{transfer} made twice");
                FileOutcome::Done
            }
            FileJob::Append { transfer, bytes } => {
                self.busy.remove(&transfer);
                let file = self.files.get_mut(&transfer).expect("no file to append to");
                for byte in bytes {
                    let right = content(transfer.0, file.len() as u64);
                    assert_eq!(byte, right, "{transfer} has a wrong byte at {}", file.len());
                    file.push(byte);
                }
                FileOutcome::Done
            }
            FileJob::Read { transfer, offset, len } => {
                self.busy.remove(&transfer);
                let file = self.files.get(&transfer).expect("no file to read from");
                let from = usize::try_from(offset).unwrap();
                let end = file.len().min(from + len as usize);
                FileOutcome::Bytes(file[from..end].to_vec())
            }
            FileJob::Remove { transfer } => {
                self.files.remove(&transfer);
                FileOutcome::Done
            }
        }
    }
}
