//! What the hub wants done, in its order, and the jobs that it waits for.
//!
//! Knows nobody and no rule of who may do what. The rules it keeps: two jobs never have the same
//! ticket; each job has one entry under its ticket, which ends with it; what waits is bounded, so
//! that what the workers are given always finds room.

use std::collections::{BTreeMap, VecDeque};

use super::{Answer, Effect, Request, Waiting};
use crate::facts::{Fact, ServerFact, TalkFact, TroubleFact};
use crate::id::{ConnId, Ticket};
use crate::job::{Job, PasswordJob, StoreJob, StoreOutcome};
use crate::limits::STORE_JOBS_MAX;
use crate::message::{Event, Refusal, Reply};

/// The queue of effects, and what continues when a worker has finished.
#[derive(Debug, Default)]
pub(super) struct Out {
    effects: VecDeque<Effect>,
    waiting: BTreeMap<Ticket, Waiting>,
    /// The last ticket that was given, by whomever it is waited for.
    last_ticket: u64,
    /// The store has failed, and the log was told.
    store_trouble: bool,
    /// What was said is for the log too.
    log_bodies: bool,
}

impl Out {
    pub(super) fn new(log_bodies: bool) -> Self {
        Self { log_bodies, ..Self::default() }
    }

    pub(super) fn push(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(super) fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub(super) fn is_drained(&self) -> bool {
        self.effects.is_empty()
    }

    pub(super) fn tell(&mut self, conn: ConnId, event: Event) {
        self.push(Effect::Tell { conn, by: None, event });
    }

    pub(super) fn note(&mut self, fact: impl Into<Fact>) {
        self.push(Effect::Note(fact.into()));
    }

    /// Notes what was said, if that is to be read by anybody.
    pub(super) fn note_body(&mut self, fact: impl FnOnce() -> TalkFact) {
        if self.log_bodies {
            self.note(fact());
        }
    }

    /// Answers the request at hand, before whatever it has caused.
    pub(super) fn answer(&mut self, request: Request, answer: Result<Answer, Refusal>) {
        if let Some(answer) = told(answer) {
            self.effects.push_front(Effect::Answer { request, answer, late: false });
        }
    }

    /// Answers a request that had to wait.
    pub(super) fn answer_late(&mut self, request: Request, answer: Result<Reply, Refusal>) {
        self.push(Effect::Answer { request, answer, late: true });
    }

    /// The place in the queue to which [`Self::answer_at`] comes back.
    pub(super) fn place(&self) -> usize {
        self.effects.len()
    }

    /// Answers a request that had to wait, before whatever was caused since `place`; not yet, if it
    /// has to wait once more.
    pub(super) fn answer_at(
        &mut self,
        place: usize,
        request: Request,
        answer: Result<Answer, Refusal>,
    ) {
        if let Some(answer) = told(answer) {
            self.effects.insert(place, Effect::Answer { request, answer, late: true });
        }
    }

    /// The answer to the request at hand comes later; nothing else of its connection before it.
    pub(super) fn wait(&mut self, request: Request) {
        self.push(Effect::Wait { conn: request.conn, alone: true });
    }

    pub(super) fn ask_password(&mut self, waiting: Waiting, job: PasswordJob) -> Answer {
        if let Some(request) = waiting.request() {
            self.wait(request);
        }
        self.submit_password(waiting, job);
        Answer::Later
    }

    /// Letters may follow one another; whatever else waits for the store waits alone.
    pub(super) fn ask_store(&mut self, waiting: Waiting, job: StoreJob) -> Result<Answer, Refusal> {
        if self.waiting.len() >= STORE_JOBS_MAX / 2 {
            return Err(Refusal::Busy { wait_ms: 1000 });
        }
        if let Some(request) = waiting.request() {
            let alone = !matches!(waiting, Waiting::Keep { .. });
            self.push(Effect::Wait { conn: request.conn, alone });
        }
        self.submit_store(waiting, job);
        Ok(Answer::Later)
    }

    pub(super) fn submit_password(&mut self, waiting: Waiting, job: PasswordJob) {
        self.submit(waiting, Job::Password(job));
    }

    pub(super) fn submit_store(&mut self, waiting: Waiting, job: StoreJob) {
        self.submit(waiting, Job::Store(job));
    }

    /// A ticket for a job of whomever.
    pub(super) fn next_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    fn submit(&mut self, waiting: Waiting, job: Job) {
        let ticket = self.next_ticket();
        self.waiting.insert(ticket, waiting);
        self.push(Effect::Job { ticket, job });
    }

    /// What waited for a job that is done.
    pub(super) fn take_waiting(&mut self, ticket: Ticket) -> Option<Waiting> {
        let waiting = self.waiting.remove(&ticket);
        // It was told once before, or it belongs to nobody.
        debug_assert!(ticket.0 <= self.last_ticket, "{ticket:?} was never given");
        waiting
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.values()
    }

    /// The store has done something: it works, again.
    pub(super) fn note_store(&mut self, outcome: &StoreOutcome) {
        if !matches!(outcome, StoreOutcome::Failed(_)) && std::mem::take(&mut self.store_trouble) {
            self.note(ServerFact::StoreWorks);
        }
    }

    pub(super) fn has_trouble(&self) -> bool {
        self.store_trouble
    }

    /// What a client is told when the store would not; the log is told why, once for each trouble.
    pub(super) fn store_refusal(&mut self, outcome: &StoreOutcome) -> Refusal {
        if let StoreOutcome::Failed(why) = outcome
            && !std::mem::replace(&mut self.store_trouble, true)
        {
            self.note(TroubleFact::StoreFails { why: why.clone() });
        }
        match outcome {
            StoreOutcome::NoAccount => Refusal::NoAccount,
            StoreOutcome::Done
            | StoreOutcome::Created(_)
            | StoreOutcome::Exists
            | StoreOutcome::Kept(_)
            | StoreOutcome::KeptBefore
            | StoreOutcome::Full
            | StoreOutcome::Letters { .. }
            | StoreOutcome::Failed(_) => Refusal::StoreFailed,
        }
    }
}

/// What is to be said now, if anything is.
fn told(answer: Result<Answer, Refusal>) -> Option<Result<Reply, Refusal>> {
    match answer {
        Ok(Answer::Now(reply)) => Some(Ok(reply)),
        Ok(Answer::Later) => None,
        Err(refusal) => Some(Err(refusal)),
    }
}
