//! The thread that touches the disk so that the reactor never does, and looks now and then how much
//! room there is.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Disk;
use crate::id::Ticket;
use crate::job::{FileJob, FileOutcome};
use crate::limits::{FILE_JOBS_MAX, KIB, SPACE_LOOK};
use crate::os;
use crate::worker::{self, Desk, Next};

/// Bytes by which the room must differ from what was told last: logs and journals take a few all
/// the time, and no decision hangs on less than that.
const SPACE_STEP: u64 = 64 * KIB;

/// What the worker tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileReport {
    /// How a job went.
    Done(Ticket, FileOutcome),
    /// How many bytes may still be written where the data is; never told where the system does not
    /// know.
    Space(u64),
}

/// The near end of the worker: jobs go in, reports come out.
#[derive(Debug)]
pub(crate) struct FilesWorker(worker::Worker<FileJob, FileReport>);

impl FilesWorker {
    /// Starts the thread; it wakes the poller of `waker` after each report.
    ///
    /// # Errors
    /// Those of the system: no thread to be had.
    pub(crate) fn start(disk: Disk, waker: Arc<mio::Waker>) -> io::Result<Self> {
        Self::start_looking(disk, waker, SPACE_LOOK, Box::new(Disk::free_bytes))
    }

    fn start_looking(
        disk: Disk,
        waker: Arc<mio::Waker>,
        look_every: Duration,
        free: Free,
    ) -> io::Result<Self> {
        let clerk = Clerk { disk, look_every, free, told: None };
        worker::Worker::start("files", [clerk], FILE_JOBS_MAX, waker, Clerk::work).map(Self)
    }

    /// Hands over a job without waiting. Answers with its outcome when it cannot be done.
    pub(crate) fn submit(&self, ticket: Ticket, job: FileJob) -> Option<(Ticket, FileOutcome)> {
        let failed = || FileOutcome::Failed("the file worker cannot take more".to_owned());
        (!self.0.submit(ticket, job)).then(|| (ticket, failed()))
    }

    /// The next report, if one is there.
    pub(crate) fn poll(&self) -> Option<FileReport> {
        self.0.poll()
    }

    /// Lets the worker finish what it was given, for `wait` at most. What it leaves behind is swept
    /// at the next start, or continues then.
    pub(crate) fn stop(self, wait: Duration) {
        self.0.stop(wait);
    }
}

/// How the room on a disk is found out.
type Free = Box<dyn FnMut(&Disk) -> Option<u64> + Send>;

/// Who sits at the desk.
struct Clerk {
    disk: Disk,
    look_every: Duration,
    free: Free,
    /// The room that was told last.
    told: Option<u64>,
}

/// Nobody is left to hear a report.
struct Gone;

impl Clerk {
    fn work(mut self, desk: Desk<FileJob, FileReport>) {
        // Hashing takes a core for as long as files come; who talks goes first.
        os::lower_thread_priority();
        let mut look = Instant::now();
        loop {
            // Also while there is no end of jobs.
            if Instant::now() >= look {
                look = Instant::now() + self.look_every;
                if self.look(&desk).is_err() {
                    return;
                }
            }
            let told = match desk.next_before(look) {
                Next::Job(ticket, job) => tell(&desk, FileReport::Done(ticket, self.disk.run(job))),
                Next::Late => Ok(()),
                Next::End => return,
            };
            if told.is_err() {
                return;
            }
        }
    }

    fn look(&mut self, desk: &Desk<FileJob, FileReport>) -> Result<(), Gone> {
        self.disk.tidy_aside();
        let Some(free) = (self.free)(&self.disk) else { return Ok(()) };
        if self.told.is_some_and(|told| told.abs_diff(free) < SPACE_STEP) {
            return Ok(());
        }
        self.told = Some(free);
        tell(desk, FileReport::Space(free))
    }
}

fn tell(desk: &Desk<FileJob, FileReport>, report: FileReport) -> Result<(), Gone> {
    if !desk.report(report) {
        return Err(Gone);
    }
    desk.wake();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Fate;
    use crate::id::TransferId;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// More than any step takes; a test that waits so long has failed.
    const DEADLINE: Duration = Duration::from_secs(30);
    const NEVER: Duration = Duration::from_secs(3600);

    struct Rig {
        _data: tempfile::TempDir,
        worker: FilesWorker,
        poll: mio::Poll,
        /// Each look of the worker takes one; without one it finds that nothing is known.
        free: Sender<u64>,
        looked: Receiver<Option<u64>>,
    }

    impl Rig {
        fn start(look_every: Duration, first: Option<u64>) -> Self {
            let poll = mio::Poll::new().unwrap();
            let waker = Arc::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap());
            let data = tempfile::tempdir().unwrap();
            let (disk, _) = Disk::open(data.path(), 0, |_| Fate::Goes).unwrap();
            let ((free, given), (look, looked)) = (channel(), channel());
            first.iter().for_each(|&first| free.send(first).unwrap());
            let free_now = move |_: &Disk| {
                let found = given.try_recv().ok();
                // The test may be over.
                let _ = look.send(found);
                found
            };
            let worker = FilesWorker::start_looking(disk, waker, look_every, Box::new(free_now));
            Self { _data: data, worker: worker.unwrap(), poll, free, looked }
        }

        /// The next report; only a wake makes it look.
        fn report(&mut self) -> FileReport {
            worker::wait_for(&mut self.poll, || self.worker.poll())
        }

        /// Waits until the worker has found so much.
        fn found(&self, free: u64) {
            while self.looked.recv_timeout(DEADLINE).unwrap() != Some(free) {}
        }
    }

    fn open(transfer: u32) -> FileJob {
        FileJob::Open { transfer: TransferId(transfer), partial: None, size: 0 }
    }

    #[test]
    fn jobs_are_done_in_their_order_and_told_one_by_one() {
        let mut rig = Rig::start(NEVER, None);
        for ticket in 0..5 {
            assert_eq!(rig.worker.submit(Ticket(ticket), open(7)), None);
        }
        let first = FileOutcome::Opened { bytes: 0, hashed: 0 };
        assert_eq!(rig.report(), FileReport::Done(Ticket(0), first));
        for ticket in 1..5 {
            let report = rig.report();
            let FileReport::Done(told, FileOutcome::Failed(_)) = report else {
                panic!("{report:?}")
            };
            assert_eq!(told, Ticket(ticket));
        }
    }

    #[test]
    fn room_is_told_at_the_start_and_when_it_has_changed() {
        let step = 64 * KIB;
        let mut rig = Rig::start(Duration::from_millis(1), Some(10 * step));
        assert_eq!(rig.report(), FileReport::Space(10 * step));
        // Less than a step from what was told, and again less: it adds up against what was told.
        for (free, told) in [
            (10 * step - 1, None),
            (11 * step - 1, None),
            (11 * step, Some(11 * step)),
            (10 * step + 1, None),
            (10 * step, Some(10 * step)),
        ] {
            rig.free.send(free).unwrap();
            if let Some(told) = told {
                assert_eq!(rig.report(), FileReport::Space(told));
            }
            rig.found(free);
            // Whatever a look tells comes before what is done after it.
            rig.worker.submit(Ticket(0), open(1));
            assert!(matches!(rig.report(), FileReport::Done(..)), "{free}");
        }
    }

    #[test]
    fn room_is_told_before_the_first_job_is_done() {
        let mut rig = Rig::start(NEVER, Some(5));
        rig.worker.submit(Ticket(1), open(1));
        assert_eq!(rig.report(), FileReport::Space(5));
        assert!(matches!(rig.report(), FileReport::Done(..)));
    }

    #[test]
    fn the_room_of_a_real_disk_is_told() {
        let data = tempfile::tempdir().unwrap();
        let (disk, _) = Disk::open(data.path(), 0, |_| Fate::Goes).unwrap();
        assert_eq!(
            disk.free_bytes().is_some(),
            crate::os::free_bytes(data.path()).unwrap().is_some()
        );
    }

    #[test]
    fn at_the_end_what_was_submitted_is_still_done() {
        let rig = Rig::start(NEVER, None);
        rig.worker.submit(Ticket(0), open(1));
        rig.worker.stop(DEADLINE);
        assert!(rig._data.path().join("temp/1.part").exists());
    }
}
