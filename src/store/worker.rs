//! The thread that commits, and looks now and then whether somebody else has.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Store;
use crate::id::Ticket;
use crate::job::{Directory, StoreJob, StoreOutcome};
use crate::limits::{STORE_BATCH_MAX, STORE_JOBS_MAX, STORE_LOOK};
use crate::worker::{self, Desk, Next};

/// What the worker tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// How a job went.
    Done(Ticket, StoreOutcome),
    /// Another process has changed the accounts: all of them, as they stand after every job whose
    /// outcome was told before.
    Changed(Directory),
    /// What the owner should know of, for the log.
    Trouble(String),
}

/// The near end of the worker: jobs go in, reports come out.
#[derive(Debug)]
pub struct Worker(worker::Worker<StoreJob, Report>);

impl Worker {
    /// Starts the thread; it wakes the poller of `waker` after each commit. The directory must have
    /// been read from `store` before, or it is reported at once.
    ///
    /// # Errors
    /// Those of the system: no thread to be had.
    pub fn start(store: Box<dyn Store>, waker: Arc<mio::Waker>) -> io::Result<Self> {
        Self::start_looking(store, waker, STORE_LOOK)
    }

    fn start_looking(
        store: Box<dyn Store>,
        waker: Arc<mio::Waker>,
        look_every: Duration,
    ) -> io::Result<Self> {
        let clerk = Clerk { store, look_every, troubled: false };
        worker::Worker::start("store", [clerk], STORE_JOBS_MAX, waker, Clerk::work).map(Self)
    }

    /// Hands over a job without waiting. Answers with its outcome when it cannot be done.
    pub fn submit(&self, ticket: Ticket, job: StoreJob) -> Option<(Ticket, StoreOutcome)> {
        let failed = || StoreOutcome::Failed("the store cannot take more now".to_owned());
        (!self.0.submit(ticket, job)).then(|| (ticket, failed()))
    }

    /// The next report, if one is there.
    pub fn poll(&self) -> Option<Report> {
        self.0.poll()
    }

    /// Lets the worker commit what it was given, for `wait` at most.
    pub fn stop(self, wait: Duration) {
        self.0.stop(wait);
    }
}

/// Who sits at the desk.
struct Clerk {
    store: Box<dyn Store>,
    look_every: Duration,
    /// Whether the last look failed, so that one failure that lasts is told once.
    troubled: bool,
}

/// Nobody is left to hear a report.
struct Gone;

impl Clerk {
    fn work(mut self, desk: Desk<StoreJob, Report>) {
        let mut look = Instant::now() + self.look_every;
        loop {
            let done = match desk.next_before(look) {
                Next::Job(ticket, job) => self.commit(&desk, ticket, job),
                Next::Late => Ok(()),
                Next::End => return,
            };
            // Also while there is no end of jobs.
            let looked = if Instant::now() >= look {
                look = Instant::now() + self.look_every;
                self.look(&desk)
            } else {
                Ok(())
            };
            if done.and(looked).is_err() {
                return;
            }
        }
    }

    /// Commits the first job and all that wait behind it, up to a bound.
    fn commit(
        &mut self,
        desk: &Desk<StoreJob, Report>,
        ticket: Ticket,
        job: StoreJob,
    ) -> Result<(), Gone> {
        let (mut tickets, mut jobs) = (vec![ticket], vec![job]);
        while jobs.len() < STORE_BATCH_MAX {
            let Some((ticket, job)) = desk.waiting() else { break };
            tickets.push(ticket);
            jobs.push(job);
        }
        let outcomes = self.store.commit(&jobs);
        debug_assert_eq!(outcomes.len(), jobs.len());
        for (ticket, outcome) in tickets.into_iter().zip(outcomes) {
            tell(desk, Report::Done(ticket, outcome))?;
        }
        self.tell_troubles(desk)?;
        desk.wake();
        Ok(())
    }

    /// Looks whether somebody else has changed the accounts.
    fn look(&mut self, desk: &Desk<StoreJob, Report>) -> Result<(), Gone> {
        let changed = match self.store.is_changed() {
            Ok(false) => Ok(None),
            Ok(true) => self.store.directory().map(Some),
            Err(error) => Err(error),
        };
        let was_troubled = std::mem::replace(&mut self.troubled, changed.is_err());
        let told = match changed {
            Ok(None) => false,
            Ok(Some(directory)) => tell(desk, Report::Changed(directory)).map(|()| true)?,
            Err(_) if was_troubled => false,
            Err(error) => {
                let text = format!("cannot look whether accounts were changed: {error}");
                tell(desk, Report::Trouble(text)).map(|()| true)?
            }
        };
        if self.tell_troubles(desk)? || told {
            desk.wake();
        }
        Ok(())
    }

    fn tell_troubles(&mut self, desk: &Desk<StoreJob, Report>) -> Result<bool, Gone> {
        let troubles = self.store.troubles();
        let any = !troubles.is_empty();
        for text in troubles {
            tell(desk, Report::Trouble(text))?;
        }
        Ok(any)
    }
}

fn tell(desk: &Desk<StoreJob, Report>, report: Report) -> Result<(), Gone> {
    if desk.report(report) { Ok(()) } else { Err(Gone) }
}
