//! I/O. Threads that do jobs so that the reactor never waits: what the workers have in common.
//!
//! Refuses to know what a job is. The rules it keeps: whoever submits a job never waits; with one
//! thread, jobs are done and reported in the order in which they were submitted; and whoever is to
//! hear of a report is woken after it is there.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::id::Ticket;

/// The near end of some threads: jobs go in, reports come out.
#[derive(Debug)]
pub(crate) struct Worker<J, R> {
    jobs: Option<SyncSender<(Ticket, J)>>,
    reports: Receiver<R>,
    threads: Vec<JoinHandle<()>>,
}

/// The far end, which a thread works at; the clones of one share its jobs.
pub(crate) struct Desk<J, R> {
    jobs: Arc<Mutex<Receiver<(Ticket, J)>>>,
    reports: SyncSender<R>,
    waker: Arc<mio::Waker>,
}

/// What a thread meets that waits for a job until some moment.
pub(crate) enum Next<J> {
    /// A job.
    Job(Ticket, J),
    /// The moment, and no job before it.
    Late,
    /// Nobody will ever submit another.
    End,
}

impl<J: Send + 'static, R: Send + 'static> Worker<J, R> {
    /// Starts a thread called `name` for each of `tools`; it runs `work` with its tool at its desk
    /// until the jobs end. Of jobs and of reports at most `waiting_max` wait.
    ///
    /// # Errors
    /// Those of the system: no thread to be had.
    pub(crate) fn start<T: Send + 'static>(
        name: &str,
        tools: impl IntoIterator<Item = T>,
        waiting_max: usize,
        waker: Arc<mio::Waker>,
        work: fn(T, Desk<J, R>),
    ) -> io::Result<Self> {
        let (jobs, incoming) = sync_channel(waiting_max);
        let (done, reports) = sync_channel(waiting_max);
        let desk = Desk { jobs: Arc::new(Mutex::new(incoming)), reports: done, waker };
        let thread = |tool| {
            let desk = desk.clone();
            std::thread::Builder::new().name(name.to_owned()).spawn(move || work(tool, desk))
        };
        let threads = tools.into_iter().map(thread).collect::<io::Result<_>>()?;
        Ok(Self { jobs: Some(jobs), reports, threads })
    }

    /// Hands over a job without waiting. Tells whether it was taken; if not, as many wait as may,
    /// or the threads are gone.
    #[must_use]
    pub(crate) fn submit(&self, ticket: Ticket, job: J) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.try_send((ticket, job)).is_ok())
    }

    /// The next report, if one is there.
    pub(crate) fn poll(&self) -> Option<R> {
        self.reports.try_recv().ok()
    }

    /// Lets the threads finish what they were given, for `wait` at most: a disk that hangs does not
    /// keep the process.
    pub(crate) fn stop(mut self, wait: Duration) {
        self.jobs = None;
        let until = Instant::now() + wait;
        loop {
            match self.reports.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return,
            }
        }
        for thread in self.threads {
            // A thread that panicked has said so itself; nothing of it is needed any more.
            let _ = thread.join();
        }
    }
}

impl<J, R> Desk<J, R> {
    /// Waits for a job; `None` when there will never be another.
    pub(crate) fn next(&self) -> Option<(Ticket, J)> {
        self.jobs().recv().ok()
    }

    /// Waits for a job until `until`; one that is there is taken however late it is.
    pub(crate) fn next_before(&self, until: Instant) -> Next<J> {
        let wait = until.saturating_duration_since(Instant::now());
        match self.jobs().recv_timeout(wait) {
            Ok((ticket, job)) => Next::Job(ticket, job),
            Err(RecvTimeoutError::Timeout) => Next::Late,
            Err(RecvTimeoutError::Disconnected) => Next::End,
        }
    }

    /// A job that waits already.
    pub(crate) fn waiting(&self) -> Option<(Ticket, J)> {
        self.jobs().try_recv().ok()
    }

    /// Leaves a report, which nobody hears of before the next [`Desk::wake`]. Tells whether anybody
    /// is left to hear it.
    #[must_use]
    pub(crate) fn report(&self, report: R) -> bool {
        self.reports.send(report).is_ok()
    }

    /// Wakes whoever polls.
    pub(crate) fn wake(&self) {
        // A poller that cannot be woken is gone, and with it whoever would want to know.
        let _ = self.waker.wake();
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, Receiver<(Ticket, J)>> {
        // Who panicked while it waited for a job has left the line as it was.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J, R> Clone for Desk<J, R> {
    fn clone(&self) -> Self {
        Self {
            jobs: Arc::clone(&self.jobs),
            reports: self.reports.clone(),
            waker: Arc::clone(&self.waker),
        }
    }
}

/// What `next` gives, for tests of workers; only a wake makes it look again.
#[cfg(test)]
pub(crate) fn wait_for<R>(poll: &mut mio::Poll, mut next: impl FnMut() -> Option<R>) -> R {
    loop {
        if let Some(report) = next() {
            return report;
        }
        let mut events = mio::Events::with_capacity(1);
        // More than any step takes; a test that waits so long has failed.
        match poll.poll(&mut events, Some(Duration::from_secs(30))) {
            Ok(()) => assert!(!events.is_empty(), "nobody was woken"),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::Interrupted),
        }
    }
}
