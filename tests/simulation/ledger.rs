//! The store's worker and those of passwords: late, in batches, failing, and cut off in between.
//!
//! What is durable and what is not are two values. A batch is written, then synced; its outcomes
//! are told only after that. A power cut keeps what was synced; of the batch whose sync was under
//! way it keeps all or nothing.

use std::collections::VecDeque;

use parlor::id::Ticket;
use parlor::job::{Catalogue, Directory, PasswordJob, PasswordOutcome, StoreJob, StoreOutcome};
use parlor::store::{Memory, Store as _};

use crate::support::rng::Rng;
use crate::support::workers::{commit_one, hash};

/// Jobs that share one sync.
#[derive(Debug)]
struct Batch {
    synced_ms: u64,
    jobs: Vec<(Ticket, StoreJob)>,
    outcomes: Vec<StoreOutcome>,
    /// What will be durable then.
    written: Memory,
}

/// An outcome that the engine has not been told.
#[derive(Debug)]
pub(crate) struct Told {
    due_ms: u64,
    pub(crate) ticket: Ticket,
    pub(crate) job: StoreJob,
    pub(crate) outcome: StoreOutcome,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    durable: Memory,
    queue: VecDeque<(Ticket, StoreJob)>,
    batch: Option<Batch>,
    told: VecDeque<Told>,
    passwords: Vec<(u64, Ticket, PasswordJob)>,
    /// The disk is full until then.
    full_until_ms: u64,
    /// Nothing fails any more.
    pub(crate) healed: bool,
}

impl Ledger {
    pub(crate) fn submit(&mut self, ticket: Ticket, job: StoreJob) {
        self.queue.push_back((ticket, job));
    }

    pub(crate) fn submit_password(
        &mut self,
        now_ms: u64,
        rng: &mut Rng,
        ticket: Ticket,
        job: PasswordJob,
    ) {
        let late_ms =
            if !self.healed && rng.chance(30) { 3_000 } else { *rng.pick(&[0, 0, 5, 30, 60, 400]) };
        self.passwords.push((now_ms + late_ms, ticket, job));
    }

    /// Continues with the batch at hand or begins one. What has just become durable, or has failed
    /// to, is given to `synced`.
    pub(crate) fn work(
        &mut self,
        now_ms: u64,
        rng: &mut Rng,
        mut synced: impl FnMut(&StoreJob, &StoreOutcome),
    ) {
        if self.batch.as_ref().is_some_and(|batch| batch.synced_ms <= now_ms) {
            let batch = self.batch.take().expect("it was there");
            self.durable = batch.written;
            let late_ms = if rng.chance(800) { 0 } else { rng.below(60) };
            let due_ms = self.told.back().map_or(0, |told| told.due_ms).max(now_ms + late_ms);
            for ((ticket, job), outcome) in batch.jobs.into_iter().zip(batch.outcomes) {
                synced(&job, &outcome);
                self.told.push_back(Told { due_ms, ticket, job, outcome });
            }
        }
        if self.batch.is_some() || self.queue.is_empty() {
            return;
        }
        let count = 1 + rng.index(self.queue.len());
        let jobs: Vec<(Ticket, StoreJob)> = self.queue.drain(..count).collect();
        if !self.healed && rng.chance(15) {
            self.full_until_ms = now_ms + rng.below(1_500);
        }
        let mut written = self.durable.clone();
        if !self.healed && (now_ms < self.full_until_ms || rng.chance(15)) {
            written.fail_next(1);
        }
        let plain: Vec<StoreJob> = jobs.iter().map(|(_, job)| job.clone()).collect();
        let outcomes = written.commit(&plain);
        let late_ms = if !self.healed && rng.chance(10) {
            2_500
        } else {
            *rng.pick(&[0, 0, 1, 5, 10, 40, 200])
        };
        let synced_ms = now_ms + late_ms;
        self.batch = Some(Batch { synced_ms, jobs, outcomes, written });
    }

    /// The next outcome that is told by now.
    pub(crate) fn poll(&mut self, now_ms: u64) -> Option<Told> {
        if self.told.front()?.due_ms > now_ms {
            return None;
        }
        self.told.pop_front()
    }

    /// A password that is hashed by now: of several any one, for there are two workers.
    pub(crate) fn poll_password(
        &mut self,
        now_ms: u64,
        rng: &mut Rng,
    ) -> Option<(Ticket, PasswordOutcome)> {
        let due: Vec<usize> =
            (0..self.passwords.len()).filter(|&index| self.passwords[index].0 <= now_ms).collect();
        if due.is_empty() {
            return None;
        }
        let (_, ticket, job) = self.passwords.remove(*rng.pick(&due));
        if !self.healed && rng.chance(15) {
            return Some((ticket, PasswordOutcome::Failed("no memory".to_owned())));
        }
        Some((ticket, hash(&job)))
    }

    /// The power goes, or the process.
    pub(crate) fn cut(&mut self, rng: &mut Rng, synced: impl FnMut(&StoreJob, &StoreOutcome)) {
        let mut synced = synced;
        if let Some(batch) = self.batch.take()
            && rng.chance(500)
        {
            self.durable = batch.written;
            for ((_, job), outcome) in batch.jobs.iter().zip(&batch.outcomes) {
                synced(job, outcome);
            }
        }
        self.queue.clear();
        self.told.clear();
        self.passwords.clear();
        self.full_until_ms = 0;
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty()
            && self.batch.is_none()
            && self.told.is_empty()
            && self.passwords.is_empty()
    }

    /// What a server that starts now finds.
    pub(crate) fn directory(&mut self) -> Directory {
        self.durable.directory().expect("memory can be read")
    }

    /// The files that it finds.
    pub(crate) fn files(&mut self) -> Catalogue {
        self.durable.files().expect("memory can be read")
    }

    /// Does a job at once, to look at what is durable.
    pub(crate) fn look(&mut self, job: StoreJob) -> StoreOutcome {
        commit_one(&mut self.durable.clone(), job)
    }
}
