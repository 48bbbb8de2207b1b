//! The bounded line between those who log and the thread that writes.
//!
//! Refuses to know files and formats. The rule it keeps: the lock is held for operations on memory
//! only, so to log is never to wait for a disk. Whole lines are dropped and counted when there is
//! no room; once one was dropped, all are until the thread takes the rest, so that each gap is in
//! one place and its count stands where it belongs.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the thread, once woken, lets lines gather: a busy server wakes it some dozens of times
/// a second and not once a line.
const GATHER: Duration = Duration::from_millis(20);
/// Most that a line's buffer keeps between lines.
const LINE_KEPT: usize = 64 * 1024;

/// What waits for the thread.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something for the thread to do.
    work: Condvar,
    /// The thread has ended.
    ended: Condvar,
    /// Half of the bound, for the other half may be on its way to the disk.
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<u8>,
    /// Lines dropped after those in `lines`.
    gap: u64,
    /// Lines dropped or lost since the start.
    dropped: u64,
    reopen: bool,
    closing: bool,
    ended: bool,
    /// The thread has nothing to do and must be woken.
    asleep: bool,
}

/// What the thread takes at a time.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Whole lines.
    pub(super) lines: Vec<u8>,
    /// How many more came after them and were dropped.
    pub(super) gap: u64,
    /// Whether the file is to be opened anew first.
    pub(super) reopen: bool,
}

impl Queue {
    /// A queue that holds at most `bytes_max` bytes, those under way included.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            state: Mutex::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
            bytes_max: bytes_max / 2,
        }
    }

    /// Adds a whole line, given in parts, or drops and counts it.
    pub(super) fn push(&self, line: &[&[u8]]) {
        let len: usize = line.iter().map(|part| part.len()).sum();
        let mut state = self.lock();
        if state.closing {
            return;
        }
        if state.gap > 0 || state.lines.len() + len > self.bytes_max {
            state.gap += 1;
            state.dropped += 1;
        } else {
            line.iter().for_each(|part| state.lines.extend_from_slice(part));
        }
        let wake = std::mem::take(&mut state.asleep);
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    /// Waits until there is something to do, and takes it; the buffer given is used again.
    /// `None` after the last batch of a queue that closes.
    pub(super) fn take(&self, used: Vec<u8>) -> Option<Batch> {
        let idle = |s: &mut State| s.lines.is_empty() && s.gap == 0 && !s.reopen && !s.closing;
        let mut state = self.lock();
        state.asleep = true;
        state = self.work.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        state.asleep = false;
        let urgent = |state: &State| state.closing || state.reopen;
        (state, _) = self
            .work
            .wait_timeout_while(state, GATHER, |state| !urgent(state))
            .unwrap_or_else(PoisonError::into_inner);
        let reopen = std::mem::take(&mut state.reopen);
        let gap = std::mem::take(&mut state.gap);
        let lines = std::mem::replace(&mut state.lines, used);
        let last = lines.is_empty() && gap == 0 && !reopen;
        (!last).then_some(Batch { lines, gap, reopen })
    }

    /// Counts lines that were taken and could not be written.
    pub(super) fn lost(&self, lines: u64) {
        self.lock().dropped += lines;
    }

    /// Asks the thread to open the file anew.
    pub(super) fn reopen(&self) {
        self.lock().reopen = true;
        self.work.notify_one();
    }

    /// Lines dropped or lost since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Takes no more lines, and waits for the thread to write the rest; whether it did.
    pub(super) fn close(&self, wait: Duration) -> bool {
        let mut state = self.lock();
        state.closing = true;
        self.work.notify_one();
        let (state, _) = self
            .ended
            .wait_timeout_while(state, wait, |state| !state.ended)
            .unwrap_or_else(PoisonError::into_inner);
        state.ended
    }

    /// The thread says that it has written all and ends.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.ended.notify_all();
    }

    /// What waits now, for tests.
    #[cfg(test)]
    pub(super) fn take_now(&self) -> Vec<u8> {
        std::mem::take(&mut self.lock().lines)
    }

    /// A panic elsewhere cannot leave the state half changed, so a poisoned lock is a lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Collects the pieces that simplelog writes; its line feed, the only one, ends the line.
#[derive(Debug)]
pub(super) struct Intake {
    queue: Arc<Queue>,
    line: Vec<u8>,
}

impl Intake {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self { queue, line: Vec::new() }
    }
}

impl io::Write for Intake {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(piece);
        if piece.ends_with(b"\n") {
            self.queue.push(&[&self.line]);
            self.line.clear();
            self.line.shrink_to(LINE_KEPT);
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn lines_beyond_the_bound_are_dropped_whole_counted_and_the_gap_is_in_one_place() {
        let queue = Arc::new(Queue::new(20));
        let mut intake = Intake::new(Arc::clone(&queue));
        writeln!(intake, "ab{}", "cd".len()).unwrap();
        intake.write_all(b"12345678\n").unwrap();
        // It would fit, but it came after the gap began.
        intake.write_all(b"x\n").unwrap();
        let batch = queue.take(Vec::new()).unwrap();
        assert_eq!((batch.lines.as_slice(), batch.gap), (b"ab2\n".as_slice(), 2));
        intake.write_all(b"x\n").unwrap();
        let batch = queue.take(batch.lines).unwrap();
        assert!(batch.lines.ends_with(b"x\n") && batch.gap == 0);
        assert_eq!(queue.dropped(), 2);
    }

    #[test]
    fn a_closed_queue_gives_its_rest_and_takes_no_more() {
        let queue = Queue::new(100);
        queue.push(&[b"last\n"]);
        assert!(!queue.close(Duration::ZERO));
        queue.push(&[b"late\n"]);
        assert_eq!(queue.take(Vec::new()).unwrap().lines, b"last\n");
        assert!(queue.take(Vec::new()).is_none());
        queue.end();
        assert!(queue.close(Duration::ZERO));
        assert_eq!(queue.dropped(), 0);
    }
}
