//! Events into outboxes, outboxes to sockets; who is held up, who is cut.
//!
//! The rules it keeps (invariants 7 and 13): an event is written once a voice and then shared;
//! no outbox passes its hard mark and all together not their cap; a peer whose own output is over
//! the soft mark is not read; a member that is too slow is cut, told why and how much it missed,
//! and until then holds up those who speak to it for [`PACE`](crate::limits::PACE) at a time.

use std::collections::BinaryHeap;

use bytes::Bytes;

use super::{Engine, Output, tenant};
use crate::front::{Front, Voice};
use crate::id::{ConnId, Now, RoomId, TransferId};
use crate::message::{CloseReason, Event};

/// A speaker that is not read until a listener has caught up or its grace is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paced {
    pub(super) speaker: ConnId,
    pub(super) listener: ConnId,
}

/// Who is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Audience {
    /// The members of a room.
    Room(RoomId),
    /// Everybody who is logged in.
    All,
}

/// An event, written at most once for each voice.
struct Encoded<'a> {
    event: &'a Event,
    written: [Option<Bytes>; Voice::COUNT],
}

impl Encoded<'_> {
    fn get(&mut self, voice: Voice) -> Bytes {
        let event = self.event;
        let slot = &mut self.written[voice as usize];
        slot.get_or_insert_with(|| voice.emit_event(event)).clone()
    }
}

impl Engine {
    /// Tells one connection.
    pub(super) fn tell(&mut self, now: Now, id: ConnId, by: Option<ConnId>, event: &Event) {
        let Some(conn) = tenant(&mut self.conns, id).filter(|conn| conn.is_open()) else { return };
        let Some(front) = &mut conn.front else { return };
        self.stats.deliveries += 1;
        if let Event::Whispered { letter: Some(letter), .. } = event
            && !front.traits().confirms_letters
            && let Some(account) = self.hub.account_of(id)
        {
            // Nobody confirms it: that the kernel has it is all there is.
            conn.unconfirmed = Some(Box::new((account, *letter)));
        }
        let bytes = front.emit_event(event);
        self.push_talk(id, bytes, is_said(event));
        self.after_push(now, id, by);
        self.keep_total(now);
    }

    /// Tells many connections but the one that caused it and those in the sorted list `except`.
    pub(super) fn tell_many(
        &mut self,
        now: Now,
        to: Audience,
        by: ConnId,
        except: &[ConnId],
        event: &Event,
    ) {
        let said = is_said(event);
        let mut encoded = Encoded { event, written: [const { None }; Voice::COUNT] };
        let mut too_slow = Vec::new();
        let mut tell = |id: ConnId| {
            if id == by || (!except.is_empty() && except.binary_search(&id).is_ok()) {
                return;
            }
            let Some(conn) = tenant(&mut self.conns, id) else { return };
            let front = conn.front.as_ref().filter(|_| conn.is_open());
            let Some(voice) = front.map(Front::voice) else { return };
            let bytes = encoded.get(voice);
            self.output_bytes += bytes.len() as u64;
            self.stats.deliveries += 1;
            conn.outbox.push_talk(bytes, said);
            if !conn.dirty {
                conn.dirty = true;
                self.dirty.push_back(id);
            }
            if conn.outbox.len() > conn.soft_mark(&self.limits) {
                too_slow.push(id);
            }
        };
        let count = match to {
            Audience::Room(room) => {
                let members = self.hub.members(room);
                members.iter().copied().for_each(&mut tell);
                members.len()
            }
            Audience::All => {
                self.hub.online().for_each(&mut tell);
                self.hub.user_count()
            }
        };
        self.spend(u32::try_from(count).unwrap_or(u32::MAX));
        for id in too_slow {
            self.after_push(now, id, Some(by));
        }
        self.keep_total(now);
    }

    /// Adds a frame to the talk lane of a connection that is open.
    pub(super) fn push_talk(&mut self, id: ConnId, bytes: Bytes, said: bool) {
        if bytes.is_empty() {
            // The front makes nothing of it.
            return;
        }
        let Some(conn) = self.conn_mut(id).filter(|conn| conn.is_open()) else { return };
        let len = bytes.len() as u64;
        conn.outbox.push_talk(bytes, said);
        self.output_bytes += len;
        self.mark_dirty(id);
        self.update_reading(id);
    }

    /// Adds the last frame to a connection that is being closed. Parts of files would come after
    /// it, so those are dropped.
    pub(super) fn push_last(&mut self, id: ConnId, bytes: Bytes) {
        let Some(conn) = self.conn_mut(id) else { return };
        let before = conn.outbox.len() as u64;
        conn.outbox.drop_bulk();
        if !bytes.is_empty() {
            conn.outbox.push_talk(bytes, false);
        }
        let after = conn.outbox.len() as u64;
        self.output_bytes = self.output_bytes - before + after;
        self.mark_dirty(id);
    }

    /// Adds a frame to the bulk lane of a connection that is open.
    pub(super) fn push_bulk(&mut self, now: Now, id: ConnId, transfer: TransferId, bytes: Bytes) {
        let Some(conn) = self.conn_mut(id).filter(|conn| conn.is_open()) else { return };
        let len = bytes.len() as u64;
        conn.outbox.push_bulk(transfer, bytes);
        self.output_bytes += len;
        self.mark_dirty(id);
        self.after_push(now, id, None);
    }

    /// Drops the parts of a file that have not been begun: nothing of it comes after its end.
    pub(super) fn drop_bulk_of(&mut self, now: Now, id: ConnId, transfer: TransferId) {
        let Some(conn) = tenant(&mut self.conns, id) else { return };
        let dropped = conn.outbox.drop_bulk_of(transfer);
        self.output_bytes -= dropped as u64;
        if dropped > 0 && conn.is_open() {
            conn.note_taken(now, 0, &self.limits);
            self.resume(id);
        }
    }

    pub(super) fn mark_dirty(&mut self, id: ConnId) {
        let Some(conn) = self.conn_mut(id) else { return };
        if !conn.dirty && !conn.outbox.is_empty() {
            conn.dirty = true;
            self.dirty.push_back(id);
        }
    }

    /// Looks at the marks of a connection that has just been given output.
    pub(super) fn after_push(&mut self, now: Now, id: ConnId, by: Option<ConnId>) {
        let limits = &self.limits;
        let Some(conn) = tenant(&mut self.conns, id) else { return };
        if !conn.is_open() || conn.outbox.len() <= conn.soft_mark(limits) {
            return;
        }
        if conn.outbox.len() > conn.hard_mark(limits) {
            return self.cut(now, id, CloseReason::TooSlow);
        }
        if conn.pace.as_ref().is_none_or(|pace| conn.outbox.len() > pace.mark) {
            conn.begin_step(now, limits);
        }
        let holds_up = conn.pace.as_ref().is_some_and(|pace| now.mono_ms < pace.until_ms);
        if conn.over_since_ms.is_none() {
            conn.over_since_ms = Some(now.mono_ms);
            self.arm(id);
        }
        if let Some(by) = by.filter(|_| holds_up) {
            self.pace(by, id);
        }
        self.update_reading(id);
    }

    /// Does not read a speaker for as long as its listener may still catch up.
    fn pace(&mut self, speaker: ConnId, listener: ConnId) {
        let Some(conn) = self.conn_mut(speaker).filter(|conn| conn.is_open()) else { return };
        if !conn.paced {
            conn.paced = true;
            self.paced.push(Paced { speaker, listener });
            self.update_reading(speaker);
        }
    }

    /// Until when a speaker waits for its listener; `None` when it need not any more.
    pub(super) fn paced_until_ms(&self, paced: &Paced) -> Option<u64> {
        Some(self.conn(paced.listener)?.pace.as_ref()?.until_ms)
    }

    /// Whether a speaker need not wait for its listener any longer.
    pub(super) fn is_released(&self, now: Now, paced: &Paced) -> bool {
        self.paced_until_ms(paced).is_none_or(|until_ms| now.mono_ms >= until_ms)
    }

    pub(super) fn release_paced(&mut self, now: Now) {
        let mut index = 0;
        while let Some(paced) = self.paced.get(index).copied() {
            if !self.is_released(now, &paced) {
                index += 1;
                continue;
            }
            self.paced.swap_remove(index);
            if let Some(conn) = self.conn_mut(paced.speaker) {
                conn.paced = false;
                self.resume(paced.speaker);
            }
        }
    }

    /// The socket took `n` bytes.
    pub(super) fn on_written(&mut self, now: Now, id: ConnId, n: usize) {
        let limits = &self.limits;
        let Some(conn) = tenant(&mut self.conns, id) else { return };
        let bulk_before = conn.outbox.bulk_len();
        conn.outbox.consume(n);
        self.output_bytes -= n as u64;
        conn.note_taken(now, n, limits);
        let of_files = (bulk_before - conn.outbox.bulk_len()) as u64;
        if of_files > 0 {
            conn.asked_ms = now.mono_ms;
        }
        if conn.outbox.is_empty()
            && let Some(told) = conn.unconfirmed.take()
        {
            let (account, letter) = *told;
            self.hub.letters_arrived(id, account, letter);
        }
        let Some(conn) = tenant(&mut self.conns, id) else { return };
        if !conn.is_open() {
            return self.advance_close(now, id);
        }
        self.resume(id);
        // Also when talk was written: it may have been what left no room for a file.
        if self.conn(id).is_some_and(|conn| conn.pulls > 0) {
            self.pull_for(now, id);
        }
    }

    /// Ends a connection that reads too slowly: what it has not begun to take is dropped and
    /// counted, so that the last words are the next it reads.
    pub(super) fn cut(&mut self, now: Now, id: ConnId, reason: CloseReason) {
        let Some(conn) = self.conn_mut(id).filter(|conn| conn.is_open()) else { return };
        let before = conn.outbox.len();
        let missed = conn.outbox.cut();
        // There may have been letters among what was dropped.
        conn.unconfirmed = None;
        let dropped = before - conn.outbox.len();
        self.output_bytes -= dropped as u64;
        self.stats.cut += 1;
        self.begin_close_missed(now, id, reason, missed);
    }

    /// Forgets all output of a connection.
    pub(super) fn drop_output(&mut self, id: ConnId) {
        let Some(conn) = self.conn_mut(id) else { return };
        let len = conn.outbox.len() as u64;
        conn.outbox = super::outbox::Outbox::default();
        self.output_bytes -= len;
    }

    /// While all outboxes together are over their cap, the largest goes; last words go last. All
    /// are looked at once, however many go: a broadcast of 4 KiB to 10,000 can be too much for
    /// thousands of them.
    pub(super) fn keep_total(&mut self, now: Now) {
        if self.output_bytes <= self.limits.output_total_bytes {
            return;
        }
        let weigh = |conn: &super::Conn| (conn.droppable_len(), conn.outbox.len(), conn.id);
        let mut by_weight: BinaryHeap<_> = self.conns.iter().flatten().map(weigh).collect();
        while self.output_bytes > self.limits.output_total_bytes {
            let Some((_, _, id)) = by_weight.pop() else { return };
            match self.conn(id).map(super::Conn::is_open) {
                Some(true) => self.cut(now, id, CloseReason::Overloaded),
                Some(false) => self.close(id),
                None => {}
            }
        }
    }

    /// Continues with a connection that may have become able to ask.
    pub(super) fn resume(&mut self, id: ConnId) {
        let Some(conn) = self.conn(id) else { return };
        if conn.is_stalled() {
            self.stall(id);
        } else {
            self.update_reading(id);
        }
    }

    /// Tells the reactor when a connection is to be read no more, or again.
    pub(super) fn update_reading(&mut self, id: ConnId) {
        let limits = &self.limits;
        let Some(conn) = tenant(&mut self.conns, id) else { return };
        let paused = !conn.wants_reading(limits);
        if conn.paused != paused {
            conn.paused = paused;
            if paused && std::mem::take(&mut conn.probed) {
                // A client that is not read cannot give a sign of life; it keeps its name.
                self.hub.handle_heard(id);
            }
            self.outputs.push_back(if paused { Output::Pause(id) } else { Output::Resume(id) });
        }
    }
}

fn is_said(event: &Event) -> bool {
    matches!(event, Event::Said { .. } | Event::Whispered { .. } | Event::Broadcast { .. })
}
