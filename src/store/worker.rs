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
pub enum StoreReport {
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
pub struct StoreWorker(worker::Worker<StoreJob, StoreReport>);

impl StoreWorker {
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
    pub fn poll(&self) -> Option<StoreReport> {
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
    fn work(mut self, desk: Desk<StoreJob, StoreReport>) {
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
        desk: &Desk<StoreJob, StoreReport>,
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
            tell(desk, StoreReport::Done(ticket, outcome))?;
        }
        self.tell_troubles(desk)?;
        desk.wake();
        Ok(())
    }

    /// Looks whether somebody else has changed the accounts.
    fn look(&mut self, desk: &Desk<StoreJob, StoreReport>) -> Result<(), Gone> {
        let changed = match self.store.is_changed() {
            Ok(false) => Ok(None),
            Ok(true) => self.store.directory().map(Some),
            Err(error) => Err(error),
        };
        let was_troubled = std::mem::replace(&mut self.troubled, changed.is_err());
        let told = match changed {
            Ok(None) => false,
            Ok(Some(directory)) => tell(desk, StoreReport::Changed(directory)).map(|()| true)?,
            Err(_) if was_troubled => false,
            Err(error) => {
                let text = format!("cannot look whether accounts were changed: {error}");
                tell(desk, StoreReport::Trouble(text)).map(|()| true)?
            }
        };
        if self.tell_troubles(desk)? || told {
            desk.wake();
        }
        Ok(())
    }

    fn tell_troubles(&mut self, desk: &Desk<StoreJob, StoreReport>) -> Result<bool, Gone> {
        let troubles = self.store.troubles();
        let any = !troubles.is_empty();
        for text in troubles {
            tell(desk, StoreReport::Trouble(text))?;
        }
        Ok(any)
    }
}

fn tell(desk: &Desk<StoreJob, StoreReport>, report: StoreReport) -> Result<(), Gone> {
    if desk.report(report) { Ok(()) } else { Err(Gone) }
}

#[cfg(test)]
mod tests {
    use super::super::Memory;
    use super::super::tests::{create, keep, user};
    use super::*;
    use crate::job::Catalogue;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Mutex, PoisonError};

    /// More than any step takes; a test that waits so long has failed.
    const DEADLINE: Duration = Duration::from_secs(30);
    const NEVER: Duration = Duration::from_secs(3600);

    /// A store that tells how many jobs each commit has, and does it when it is let.
    struct Gated {
        memory: Arc<Mutex<Memory>>,
        begun: Sender<usize>,
        gate: Receiver<()>,
    }

    impl Gated {
        fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
            self.memory.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl Store for Gated {
        fn directory(&mut self) -> Result<Directory, String> {
            self.memory().directory()
        }
        fn files(&mut self) -> Result<Catalogue, String> {
            self.memory().files()
        }
        fn token_key(&mut self) -> Result<[u8; 32], String> {
            self.memory().token_key()
        }
        fn commit(&mut self, jobs: &[StoreJob]) -> Vec<StoreOutcome> {
            self.begun.send(jobs.len()).unwrap();
            self.gate.recv_timeout(DEADLINE).unwrap();
            self.memory().commit(jobs)
        }
        fn is_changed(&mut self) -> Result<bool, String> {
            self.memory().is_changed()
        }
        fn troubles(&mut self) -> Vec<String> {
            Vec::new()
        }
    }

    struct Rig {
        worker: StoreWorker,
        poll: mio::Poll,
        memory: Arc<Mutex<Memory>>,
        begun: Receiver<usize>,
        gate: Sender<()>,
    }

    impl Rig {
        fn start(look_every: Duration) -> Self {
            let poll = mio::Poll::new().unwrap();
            let waker = Arc::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap());
            let memory = Arc::new(Mutex::new(Memory::new()));
            let ((begin, begun), (gate, gated)) = (channel(), channel());
            let store = Gated { memory: Arc::clone(&memory), begun: begin, gate: gated };
            let worker = StoreWorker::start_looking(Box::new(store), waker, look_every).unwrap();
            Self { worker, poll, memory, begun, gate }
        }

        /// The next report; only a wake makes it look.
        fn report(&mut self) -> StoreReport {
            worker::wait_for(&mut self.poll, || self.worker.poll())
        }

        fn begun(&self) -> usize {
            self.begun.recv_timeout(DEADLINE).unwrap()
        }
    }

    #[test]
    fn all_that_waits_is_one_commit_and_answered_in_order() {
        let mut rig = Rig::start(NEVER);
        assert_eq!(rig.worker.submit(Ticket(0), create("alice")), None);
        assert_eq!(rig.begun(), 1);
        for ticket in 1..=5 {
            assert_eq!(rig.worker.submit(Ticket(ticket), keep(1, "hello")), None);
        }
        rig.gate.send(()).unwrap();
        assert_eq!(rig.begun(), 5);
        rig.gate.send(()).unwrap();
        let tickets: Vec<u64> = (0..6)
            .map(|_| match rig.report() {
                StoreReport::Done(ticket, _) => ticket.0,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(tickets, [0, 1, 2, 3, 4, 5]);
        assert_eq!(rig.worker.poll(), None);
    }

    #[test]
    fn nothing_is_answered_before_it_is_committed() {
        let mut rig = Rig::start(NEVER);
        assert_eq!(rig.worker.submit(Ticket(7), create("alice")), None);
        assert_eq!(rig.begun(), 1);
        assert_eq!(rig.worker.poll(), None);
        rig.gate.send(()).unwrap();
        assert!(matches!(rig.report(), StoreReport::Done(Ticket(7), StoreOutcome::Created(_))));
    }

    #[test]
    fn a_line_that_is_full_answers_at_once() {
        let rig = Rig::start(NEVER);
        assert_eq!(rig.worker.submit(Ticket(0), create("alice")), None);
        assert_eq!(rig.begun(), 1);
        for ticket in 0..STORE_JOBS_MAX as u64 {
            assert_eq!(rig.worker.submit(Ticket(ticket), keep(1, "hello")), None);
        }
        let refused = rig.worker.submit(Ticket(9999), keep(1, "hello"));
        assert!(matches!(refused, Some((Ticket(9999), StoreOutcome::Failed(_)))));
        // One commit is bounded, too.
        rig.gate.send(()).unwrap();
        assert_eq!(rig.begun(), STORE_BATCH_MAX);
        rig.worker.stop(Duration::ZERO);
    }

    #[test]
    fn a_change_from_elsewhere_is_told_and_one_from_here_is_not() {
        let mut rig = Rig::start(Duration::from_millis(1));
        assert_eq!(rig.worker.submit(Ticket(0), create("alice")), None);
        assert_eq!(rig.begun(), 1);
        rig.gate.send(()).unwrap();
        assert!(matches!(rig.report(), StoreReport::Done(..)));
        rig.memory.lock().unwrap().commit_elsewhere(&[create("bob")]);
        let StoreReport::Changed(directory) = rig.report() else { panic!("no change") };
        let names: Vec<_> = directory.accounts.iter().map(|account| account.name).collect();
        assert_eq!(names, [user("alice"), user("bob")]);
    }

    #[test]
    fn at_the_end_what_was_submitted_is_still_committed() {
        let rig = Rig::start(NEVER);
        assert_eq!(rig.worker.submit(Ticket(0), create("alice")), None);
        assert_eq!(rig.begun(), 1);
        assert_eq!(rig.worker.submit(Ticket(1), keep(1, "hello")), None);
        rig.gate.send(()).unwrap();
        rig.gate.send(()).unwrap();
        rig.worker.stop(DEADLINE);
        let letters = super::super::tests::texts(&mut *rig.memory.lock().unwrap(), 1);
        assert_eq!(letters, ["hello"]);
    }
}
