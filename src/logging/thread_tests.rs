//! The log's thread against sinks that block, fail, tear lines and are renamed away.

use super::super::macros::Intake;
use super::super::render::LogFormat;
use super::super::sink::LogFile;
use super::*;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use time::UtcOffset;

const SOON: Duration = Duration::from_secs(20);
const NOTICE: &str = "log lines were dropped: the disk could not follow";

/// What a line of ten bytes weighs while it waits.
const WAITING: usize = size_of::<Noted>() + 9;

fn utc() -> Renderer {
    Renderer::new(LogFormat::Line, UtcOffset::UTC)
}

/// What each line begins with.
const TIME: usize = "[2025-05-31 14:02:42] ".len();

fn without_time(line: &str) -> &str {
    &line[TIME..]
}

/// What the next write may do: take so many bytes, or fail.
type Permit = io::Result<usize>;

/// Says that it is at a write, then waits for leave; without a sender it has leave for all.
struct Gate {
    arrived: Sender<()>,
    leave: Receiver<Permit>,
    content: Arc<Mutex<Vec<u8>>>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.arrived.send(());
        let count = self.leave.recv().unwrap_or(Ok(usize::MAX))?.min(bytes.len());
        self.content.lock().unwrap().extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Gate {
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Scene {
    queue: Arc<Queue>,
    intake: Intake,
    arrived: Receiver<()>,
    leave: Sender<Permit>,
    content: Arc<Mutex<Vec<u8>>>,
}

impl Scene {
    fn new(bytes_max: usize) -> Self {
        let queue = Arc::new(Queue::new(bytes_max));
        let (arrived_tx, arrived) = channel();
        let (leave, leave_rx) = channel();
        let content = Arc::default();
        let gate = Gate { arrived: arrived_tx, leave: leave_rx, content: Arc::clone(&content) };
        start(Arc::clone(&queue), gate, utc(), None).unwrap();
        Self { intake: Intake::new(Arc::clone(&queue)), queue, arrived, leave, content }
    }

    fn log(&mut self, line: &str) {
        self.intake.write_all(line.as_bytes()).unwrap();
    }

    fn wait_for_a_write(&self) {
        self.arrived.recv_timeout(SOON).unwrap();
    }

    /// The whole file, without times, and for notices without the category.
    fn finish(self) -> Vec<String> {
        drop(self.leave);
        assert!(self.queue.close(SOON));
        let content = self.content.lock().unwrap();
        let lines = std::str::from_utf8(&content).unwrap().lines();
        lines.map(without_time).map(|line| line.trim_start_matches("[ERROR] ").into()).collect()
    }
}

#[test]
fn a_blocked_disk_blocks_nobody_and_the_count_of_dropped_lines_is_exact() {
    let mut scene = Scene::new(2 * 10 * WAITING);
    scene.log("first\n");
    scene.wait_for_a_write();
    // The thread now hangs in its write. Ten lines may wait; 90 may not.
    for number in 0..100 {
        scene.log(&format!("line {number:04}\n"));
    }
    assert_eq!(scene.queue.dropped(), 90);
    let queue = Arc::clone(&scene.queue);
    let lines = scene.finish();
    assert_eq!(lines[0], "first");
    assert_eq!(lines[1..11], (0..10).map(|n| format!("line {n:04}")).collect::<Vec<_>>());
    assert_eq!(lines[11..], [format!("90 {NOTICE}")]);
    assert_eq!(queue.dropped(), 90);
}

#[test]
fn a_full_disk_loses_whole_lines_counts_them_and_the_log_goes_on() {
    let mut scene = Scene::new(10_000);
    let full = || Err(io::ErrorKind::StorageFull.into());
    // One line gets in, the second is torn, the third does not begin.
    scene.log("kept\n");
    scene.wait_for_a_write();
    scene.log("second\n");
    scene.log("third\n");
    scene.leave.send(Ok(TIME + 5)).unwrap();
    scene.wait_for_a_write();
    scene.leave.send(Ok(TIME + 3)).unwrap();
    scene.wait_for_a_write();
    scene.leave.send(full()).unwrap();
    // The next batch tries again, and fails at ending the torn line, for the notice and itself.
    scene.log("fourth\n");
    scene.wait_for_a_write();
    scene.leave.send(full()).unwrap();
    scene.wait_for_a_write();
    scene.log("fifth\n");
    scene.leave.send(full()).unwrap();
    scene.wait_for_a_write();
    let queue = Arc::clone(&scene.queue);
    assert_eq!(scene.finish(), ["kept", "sec", &format!("3 {NOTICE}"), "fifth"]);
    assert_eq!(queue.dropped(), 3);
}

#[test]
fn what_no_write_takes_of_many_is_counted_one_by_one() {
    let mut scene = Scene::new(1024 * 1024);
    scene.log("first\n");
    scene.wait_for_a_write();
    for number in 0..3000 {
        scene.log(&format!("{number:040}\n"));
    }
    // Of three writes the second takes a line and a half, and what comes then fails.
    let whole = || Ok(usize::MAX);
    let full = || Err(io::ErrorKind::StorageFull.into());
    for permit in [whole(), whole(), Ok((TIME + 41) * 3 / 2), full()] {
        scene.leave.send(permit).unwrap();
    }
    let queue = Arc::clone(&scene.queue);
    let lines = scene.finish();
    let kept = lines.iter().filter(|line| line.len() == 40).count();
    assert!((1041..1050).contains(&kept), "{kept}");
    assert_eq!(queue.dropped(), 3000 - kept as u64);
}

#[test]
fn a_disk_that_stays_blocked_holds_up_the_end_for_a_bounded_time_only() {
    let mut scene = Scene::new(10_000);
    scene.log("first\n");
    scene.wait_for_a_write();
    assert!(!scene.queue.close(Duration::from_millis(20)));
}

#[cfg(target_os = "linux")]
#[test]
fn dev_full_loses_every_line_and_says_so() {
    let queue = Arc::new(Queue::new(10_000));
    let file = LogFile::open(Path::new("/dev/full")).unwrap();
    let mut intake = Intake::new(Arc::clone(&queue));
    start(Arc::clone(&queue), file, utc(), None).unwrap();
    for _ in 0..7 {
        intake.write_all(b"lost\n").unwrap();
    }
    assert!(queue.close(SOON));
    assert_eq!(queue.dropped(), 7);
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_that_nobody_reads_neither_holds_up_the_start_nor_those_who_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let queue = Arc::new(Queue::new(1024 * 1024));
    start(Arc::clone(&queue), LogFile::open(&path).unwrap(), utc(), None).unwrap();
    let mut intake = Intake::new(Arc::clone(&queue));
    let line = [[b'x'; 1023].as_slice(), b"\n"].concat();
    // A pipe holds 64 KiB and the queue one mebibyte, so two of three have no place.
    for _ in 0..3 * 1024 {
        intake.write_all(&line).unwrap();
    }
    assert!((1900..3000).contains(&queue.dropped()), "{}", queue.dropped());
    assert!(!queue.close(Duration::from_millis(20)));
}

#[test]
fn after_a_rename_a_reopened_log_continues_under_the_old_name() {
    let dir = tempfile::tempdir().unwrap();
    let (path, rotated) = (dir.path().join("log"), dir.path().join("log.1"));
    let queue = Arc::new(Queue::new(10_000));
    start(Arc::clone(&queue), LogFile::open(&path).unwrap(), utc(), None).unwrap();
    let mut intake = Intake::new(Arc::clone(&queue));
    intake.write_all(b"before\n").unwrap();
    let deadline = std::time::Instant::now() + SOON;
    while !std::fs::read(&path).unwrap().ends_with(b" before\n") {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
    std::fs::rename(&path, &rotated).unwrap();
    queue.reopen();
    intake.write_all(b"after\n").unwrap();
    assert!(queue.close(SOON));
    assert_eq!(without_time(&std::fs::read_to_string(&rotated).unwrap()), "before\n");
    assert_eq!(without_time(&std::fs::read_to_string(&path).unwrap()), "after\n");
}
