//! The bounded line between those who log and the thread that writes.
//!
//! Refuses to know files and formats. The rule it keeps: the lock is held for operations on memory
//! only, so to log is never to wait for a disk. Entries, each of which will be a line, are dropped
//! and counted when there is no room; once one was dropped, all are until the thread takes the
//! rest, so that each gap is in one place and its count stands where it belongs.

use crate::facts::Fact;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the thread, once woken, lets lines gather: a busy server wakes it some dozens of times
/// a second and not once a line.
const GATHER: Duration = Duration::from_millis(20);

/// What will be one line.
#[derive(Debug)]
pub(super) struct Noted {
    /// When it happened, in milliseconds since 1970.
    pub(super) at_ms: u64,
    pub(super) what: What,
}

/// What a line tells.
#[derive(Debug)]
pub(super) enum What {
    Fact(Fact),
    /// A line of the `log` macros, without the line feed.
    Text(Box<str>),
}
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
    entries: Vec<Noted>,
    /// What they weigh.
    bytes: usize,
    /// Lines dropped after those in `entries`.
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
    pub(super) entries: Vec<Noted>,
    /// How many more came after them and were dropped.
    pub(super) gap: u64,
    /// Whether the file is to be opened anew first.
    pub(super) reopen: bool,
}

impl Noted {
    /// What happens at this moment.
    pub(super) fn now(what: What) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { at_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX), what }
    }

    /// The memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        let heap = match &self.what {
            What::Fact(fact) => fact.heap_bytes(),
            What::Text(text) => text.len(),
        };
        size_of::<Self>() + heap
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        match &self.what {
            What::Fact(fact) => super::line::Words(fact).to_string(),
            What::Text(text) => text.to_string(),
        }
    }
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

    /// Adds what happens now, or drops and counts it.
    pub(super) fn push(&self, what: What) {
        let entry = Noted::now(what);
        let bytes = entry.bytes();
        let mut state = self.lock();
        if state.closing {
            return;
        }
        if state.gap > 0 || state.bytes + bytes > self.bytes_max {
            state.gap += 1;
            state.dropped += 1;
        } else {
            state.bytes += bytes;
            state.entries.push(entry);
        }
        let wake = std::mem::take(&mut state.asleep);
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    /// Waits until there is something to do, and takes it; the buffer given is used again.
    /// `None` after the last batch of a queue that closes.
    pub(super) fn take(&self, used: Vec<Noted>) -> Option<Batch> {
        let idle = |s: &mut State| s.entries.is_empty() && s.gap == 0 && !s.reopen && !s.closing;
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
        let entries = std::mem::replace(&mut state.entries, used);
        state.bytes = 0;
        let last = entries.is_empty() && gap == 0 && !reopen;
        (!last).then_some(Batch { entries, gap, reopen })
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

    /// The texts of what waits now, for tests.
    #[cfg(test)]
    pub(super) fn texts_now(&self) -> Vec<String> {
        let entries = std::mem::take(&mut self.lock().entries);
        entries.iter().map(Noted::text).collect()
    }

    /// A panic elsewhere cannot leave the state half changed, so a poisoned lock is a lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: usize = size_of::<Noted>();

    fn push(queue: &Queue, text: &str) {
        queue.push(What::Text(text.into()));
    }

    fn texts(batch: &Batch) -> Vec<String> {
        batch.entries.iter().map(Noted::text).collect()
    }

    #[test]
    fn lines_beyond_the_bound_are_dropped_counted_and_the_gap_is_in_one_place() {
        let queue = Queue::new(2 * (2 * ENTRY + 10));
        push(&queue, "abc");
        push(&queue, "12345678");
        // It would fit, but it came after the gap began.
        push(&queue, "x");
        let mut batch = queue.take(Vec::new()).unwrap();
        assert_eq!((texts(&batch), batch.gap), (vec!["abc".to_owned()], 2));
        batch.entries.clear();
        push(&queue, "12345678");
        push(&queue, "xy");
        let batch = queue.take(batch.entries).unwrap();
        assert_eq!((texts(&batch).join(" "), batch.gap), ("12345678 xy".to_owned(), 0));
        assert_eq!(queue.dropped(), 2);
    }

    #[test]
    fn a_closed_queue_gives_its_rest_and_takes_no_more() {
        let queue = Queue::new(1000);
        push(&queue, "last");
        assert!(!queue.close(Duration::ZERO));
        push(&queue, "late");
        assert_eq!(texts(&queue.take(Vec::new()).unwrap()), ["last"]);
        assert!(queue.take(Vec::new()).is_none());
        queue.end();
        assert!(queue.close(Duration::ZERO));
        assert_eq!(queue.dropped(), 0);
    }
}
