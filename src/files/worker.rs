//! The thread that touches the disk so that the reactor never does.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Disk;
use crate::id::Ticket;
use crate::job::{FileJob, FileOutcome};
use crate::limits::FILE_JOBS_MAX;

/// The near end of the worker: jobs go in, outcomes come out.
#[derive(Debug)]
pub struct Worker {
    jobs: Option<SyncSender<(Ticket, FileJob)>>,
    outcomes: Receiver<(Ticket, FileOutcome)>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread; it wakes the poller of `waker` after each outcome.
    ///
    /// # Errors
    /// Those of the system: no thread to be had.
    pub fn start(mut disk: Disk, waker: Arc<mio::Waker>) -> io::Result<Self> {
        let (jobs, incoming) = sync_channel::<(Ticket, FileJob)>(FILE_JOBS_MAX);
        let (done, outcomes) = sync_channel(FILE_JOBS_MAX);
        let thread = std::thread::Builder::new().name("files".to_owned()).spawn(move || {
            for (ticket, job) in incoming {
                if done.send((ticket, disk.run(job))).is_err() {
                    return;
                }
                // A poller that cannot be woken is gone, and with it whoever would want to know.
                let _ = waker.wake();
            }
        })?;
        Ok(Self { jobs: Some(jobs), outcomes, thread: Some(thread) })
    }

    /// Hands over a job without waiting. Answers with its outcome when it cannot be done.
    pub fn submit(&self, ticket: Ticket, job: FileJob) -> Option<(Ticket, FileOutcome)> {
        let sent = self.jobs.as_ref().map(|jobs| jobs.try_send((ticket, job)));
        match sent {
            Some(Ok(())) => None,
            Some(Err(_)) | None => {
                Some((ticket, FileOutcome::Failed("the file worker cannot take more".to_owned())))
            }
        }
    }

    /// The outcome of a job, if one is there.
    pub fn poll(&self) -> Option<(Ticket, FileOutcome)> {
        self.outcomes.try_recv().ok()
    }

    /// Lets the worker finish what it was given, for `wait` at most: a disk that hangs does not
    /// keep the process. What it leaves behind is swept at the next start.
    pub fn stop(mut self, wait: Duration) {
        self.jobs = None;
        let until = Instant::now() + wait;
        loop {
            match self.outcomes.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return,
            }
        }
        if let Some(thread) = self.thread.take() {
            // A worker that panicked has said so itself; nothing of it is needed any more.
            let _ = thread.join();
        }
    }
}
