//! The thread that touches the disk so that the reactor never does.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Disk;
use crate::id::Ticket;
use crate::job::{FileJob, FileOutcome};
use crate::limits::FILE_JOBS_MAX;
use crate::worker;

/// The near end of the worker: jobs go in, outcomes come out.
#[derive(Debug)]
pub struct Worker(worker::Worker<FileJob, (Ticket, FileOutcome)>);

impl Worker {
    /// Starts the thread; it wakes the poller of `waker` after each outcome.
    ///
    /// # Errors
    /// Those of the system: no thread to be had.
    pub fn start(disk: Disk, waker: Arc<mio::Waker>) -> io::Result<Self> {
        worker::Worker::start("files", [disk], FILE_JOBS_MAX, waker, |mut disk, desk| {
            while let Some((ticket, job)) = desk.next() {
                if !desk.report((ticket, disk.run(job))) {
                    return;
                }
                desk.wake();
            }
        })
        .map(Self)
    }

    /// Hands over a job without waiting. Answers with its outcome when it cannot be done.
    pub fn submit(&self, ticket: Ticket, job: FileJob) -> Option<(Ticket, FileOutcome)> {
        let failed = || FileOutcome::Failed("the file worker cannot take more".to_owned());
        (!self.0.submit(ticket, job)).then(|| (ticket, failed()))
    }

    /// The outcome of a job, if one is there.
    pub fn poll(&self) -> Option<(Ticket, FileOutcome)> {
        self.0.poll()
    }

    /// Lets the worker finish what it was given, for `wait` at most. What it leaves behind is swept
    /// at the next start.
    pub fn stop(self, wait: Duration) {
        self.0.stop(wait);
    }
}
