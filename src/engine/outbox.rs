//! What waits to be written to one connection.
//!
//! Knows neither sockets nor who wrote what. Two lanes: talk goes before bulk, except that a frame
//! once begun is finished first. Frames are shared with the outboxes of all who hear the same.
//! The rule it keeps: bytes leave in whole frames and in order, whatever the socket takes.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

use crate::id::TransferId;
use crate::limits::{WRITE_BATCH, WRITE_TURN_BYTES};

/// Most frames for which room is made before they come.
const USUAL_MAX: usize = 64;

/// Which lane a frame waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Words, answers, events.
    Talk,
    /// Parts of files.
    Bulk,
}

/// The waiting output of one connection. Empty, it owns no memory.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The frame that the socket has begun to take, if it did not take all of it.
    begun: Option<Bytes>,
    talk: VecDeque<Entry>,
    /// With the file that each is a part of.
    bulk: VecDeque<(TransferId, Bytes)>,
    bytes: usize,
    bulk_bytes: usize,
    /// How many frames waited when writing last began: room for as many is made at once.
    usual: u8,
}

#[derive(Debug)]
struct Entry {
    bytes: Bytes,
    /// Whether it is something that others said, to be counted when it is missed.
    said: bool,
}

impl Outbox {
    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Bytes that wait in the bulk lane and have not been begun.
    #[must_use]
    pub fn bulk_len(&self) -> usize {
        self.bulk_bytes
    }

    /// Bytes that [`Self::cut`] would drop.
    #[must_use]
    pub(crate) fn droppable_len(&self) -> usize {
        self.bytes - self.begun.as_ref().map_or(0, Bytes::len)
    }

    /// Adds a frame to the talk lane. `said` marks what others said.
    pub fn push_talk(&mut self, bytes: Bytes, said: bool) {
        self.bytes += bytes.len();
        if self.talk.capacity() == 0 {
            self.talk.reserve_exact(self.usual.max(1).into());
        }
        self.talk.push_back(Entry { bytes, said });
    }

    /// Adds a frame to the bulk lane: a part of a file.
    pub(crate) fn push_bulk(&mut self, transfer: TransferId, bytes: Bytes) {
        self.bytes += bytes.len();
        self.bulk_bytes += bytes.len();
        self.bulk.push_back((transfer, bytes));
    }

    /// Whether a part of a file waits that has not been begun: what is said now would overtake it.
    #[must_use]
    pub(crate) fn has_bulk_of(&self, transfer: TransferId) -> bool {
        self.bulk.iter().any(|(of, _)| *of == transfer)
    }

    /// Drops the parts of a file that have not been begun. Answers with how many bytes they were.
    pub(crate) fn drop_bulk_of(&mut self, transfer: TransferId) -> usize {
        let before = self.bulk_bytes;
        self.bulk.retain(|(of, _)| *of != transfer);
        self.bulk_bytes = self.bulk.iter().map(|(_, bytes)| bytes.len()).sum();
        let dropped = before - self.bulk_bytes;
        self.bytes -= dropped;
        dropped
    }

    /// The next bytes to write, as slices for one vectored write: at most [`WRITE_BATCH`] of them
    /// and not much over `WRITE_TURN_BYTES` in all. Answers with how many slices were filled.
    pub fn gather<'a>(&'a self, slices: &mut [IoSlice<'a>; WRITE_BATCH]) -> usize {
        let (mut count, mut total) = (0, 0);
        for (slice, frame) in slices.iter_mut().zip(self.frames()) {
            if total >= WRITE_TURN_BYTES {
                break;
            }
            *slice = IoSlice::new(frame);
            total += frame.len();
            count += 1;
        }
        count
    }

    /// Copies all that waits to the beginning of `buffer`, if it fits there: the same bytes as
    /// those of [`Self::gather`], for a plain write. Answers with how many they are.
    pub fn join(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut rest = buffer.get_mut(..self.bytes)?;
        for frame in self.frames() {
            let (place, after) = rest.split_at_mut(frame.len());
            place.copy_from_slice(frame);
            rest = after;
        }
        Some(self.bytes)
    }

    /// The socket took the first `n` bytes of what [`Self::gather`] showed.
    ///
    /// # Panics
    /// When that is more than waits.
    pub fn consume(&mut self, mut n: usize) {
        self.bytes = self.bytes.checked_sub(n).expect("a socket takes no more than it is given");
        self.usual = u8::try_from(self.talk.len().min(USUAL_MAX)).unwrap_or(u8::MAX);
        if self.bytes == 0 {
            // An idle connection owns no buffer.
            *self = Self { usual: self.usual, ..Self::default() };
            return;
        }
        while n > 0 {
            let mut frame = self.pop().expect("the bytes that wait are those of the frames");
            if frame.len() > n {
                frame.advance(n);
                self.begun = Some(frame);
                break;
            }
            n -= frame.len();
        }
    }

    /// Drops everything but a frame that was begun. Answers with how many messages of others were
    /// among it.
    pub fn cut(&mut self) -> u64 {
        let missed = self.talk.iter().filter(|entry| entry.said).count() as u64;
        let begun = self.begun.take();
        *self = Self { bytes: begun.as_ref().map_or(0, Bytes::len), begun, ..Self::default() };
        missed
    }

    /// Drops the parts of files that have not been begun.
    pub(crate) fn drop_bulk(&mut self) {
        self.bytes -= std::mem::take(&mut self.bulk_bytes);
        self.bulk = VecDeque::new();
    }

    /// All that waits, in the order in which it leaves.
    fn frames(&self) -> impl Iterator<Item = &Bytes> {
        let talk = self.talk.iter().map(|entry| &entry.bytes);
        let bulk = self.bulk.iter().map(|(_, bytes)| bytes);
        self.begun.iter().chain(talk).chain(bulk)
    }

    fn pop(&mut self) -> Option<Bytes> {
        if let Some(frame) = self.begun.take() {
            return Some(frame);
        }
        if let Some(entry) = self.talk.pop_front() {
            return Some(entry.bytes);
        }
        let (_, frame) = self.bulk.pop_front()?;
        self.bulk_bytes -= frame.len();
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: TransferId = TransferId(7);

    /// Takes what waits as a socket would, `step` bytes at a time.
    fn drain(outbox: &mut Outbox, step: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        while !outbox.is_empty() {
            taken.extend(take(outbox, step));
        }
        taken
    }

    fn take(outbox: &mut Outbox, step: usize) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); WRITE_BATCH];
        let count = outbox.gather(&mut slices);
        let mut seen: Vec<u8> = slices[..count].iter().flat_map(|s| s.iter().copied()).collect();
        let mut joined = vec![0; outbox.len()];
        assert_eq!(outbox.join(&mut joined), Some(outbox.len()));
        assert!(joined.starts_with(&seen), "the two ways to write differ");
        assert_eq!(outbox.join(&mut joined[1..]), None);
        seen.truncate(step);
        outbox.consume(seen.len());
        seen
    }

    #[test]
    fn talk_goes_before_bulk_but_a_frame_once_begun_is_finished() {
        let mut outbox = Outbox::default();
        outbox.push_bulk(FILE, Bytes::from_static(b"BULK"));
        outbox.push_talk(Bytes::from_static(b"one"), false);
        assert_eq!(drain(&mut outbox, 100), b"oneBULK");

        outbox.push_bulk(FILE, Bytes::from_static(b"BULK"));
        assert_eq!(take(&mut outbox, 2), b"BU");
        outbox.push_talk(Bytes::from_static(b"two"), false);
        assert_eq!(drain(&mut outbox, 100), b"LKtwo");
    }

    #[test]
    fn every_step_of_writing_gives_the_same_bytes() {
        for step in 1..12 {
            let mut outbox = Outbox::default();
            for word in ["alpha", "b", "", "gamma"] {
                outbox.push_talk(Bytes::from(word), true);
            }
            outbox.push_bulk(FILE, Bytes::from_static(b"file"));
            assert_eq!(drain(&mut outbox, step), b"alphabgammafile", "steps of {step}");
        }
    }

    #[test]
    fn row_26_five_thousand_small_frames_leave_in_batches() {
        let mut outbox = Outbox::default();
        for n in 0..5000_u32 {
            outbox.push_talk(Bytes::copy_from_slice(&n.to_be_bytes()), true);
        }
        let mut slices = [IoSlice::new(&[]); WRITE_BATCH];
        assert_eq!(outbox.gather(&mut slices), WRITE_BATCH);
        let expected: Vec<u8> = (0..5000_u32).flat_map(u32::to_be_bytes).collect();
        assert_eq!(drain(&mut outbox, usize::MAX), expected);
    }

    #[test]
    fn a_cut_counts_what_was_said_and_keeps_the_frame_that_was_begun() {
        let mut outbox = Outbox::default();
        for _ in 0..3 {
            outbox.push_talk(Bytes::from_static(b"said"), true);
        }
        outbox.push_talk(Bytes::from_static(b"answer"), false);
        assert_eq!(take(&mut outbox, 2), b"sa");
        assert_eq!(outbox.cut(), 2);
        assert_eq!(drain(&mut outbox, 100), b"id");
    }

    #[test]
    fn what_is_left_of_a_file_is_dropped_and_words_are_not() {
        let mut outbox = Outbox::default();
        outbox.push_bulk(FILE, Bytes::from_static(b"BULK"));
        outbox.push_bulk(FILE, Bytes::from_static(b"MORE"));
        assert_eq!(take(&mut outbox, 2), b"BU");
        outbox.push_talk(Bytes::from_static(b"bye"), false);
        outbox.drop_bulk();
        assert_eq!((outbox.len(), outbox.bulk_len()), (5, 0));
        assert_eq!(drain(&mut outbox, 100), b"LKbye");
    }

    #[test]
    fn of_several_files_one_is_dropped() {
        let mut outbox = Outbox::default();
        let other = TransferId(8);
        for (file, part) in [(FILE, "one"), (other, "OTHER"), (FILE, "two")] {
            outbox.push_bulk(file, Bytes::from(part));
        }
        assert_eq!(take(&mut outbox, 1), b"o");
        assert!(outbox.has_bulk_of(FILE));
        assert_eq!(outbox.drop_bulk_of(FILE), 3);
        assert!(!outbox.has_bulk_of(FILE) && outbox.has_bulk_of(other));
        assert_eq!((outbox.len(), outbox.bulk_len()), (7, 5));
        assert_eq!(drain(&mut outbox, 100), b"neOTHER");
    }

    #[test]
    fn empty_it_owns_no_memory() {
        let mut outbox = Outbox::default();
        outbox.push_talk(Bytes::from_static(b"x"), true);
        outbox.push_bulk(FILE, Bytes::from_static(b"y"));
        drain(&mut outbox, 100);
        assert_eq!((outbox.talk.capacity(), outbox.bulk.capacity()), (0, 0));
    }
}
