//! Files and halves that have expired, or are for nobody any more, are looked for now and then.
//!
//! The rule it keeps: one look removes a bounded number, and the rest soon after.

use super::Files;
use super::stored::Entry;
use crate::facts::{FileFact, Parcel, TroubleFact};
use crate::id::{Now, after, millis};
use crate::limits::{FILES_SWEEP, GUEST_RETURN, SWEEP_AT_ONCE, SWEEP_MORE};
use crate::message::Target;

impl Files<'_> {
    /// The disk has room for so many bytes.
    pub(crate) fn handle_space(&mut self, free_bytes: u64) {
        self.own.free_bytes = free_bytes;
    }

    /// There is something whose time will be over.
    pub(in crate::hub) fn wake_sweep(&mut self, now: Now) {
        self.own.calendar.begin(now);
        self.own.sweep_ms.get_or_insert(now.after(FILES_SWEEP));
    }

    /// Removes what has expired, and what is for nobody any more.
    pub(in crate::hub) fn sweep(&mut self, now: Now) {
        if self.own.sweep_ms.is_none_or(|at| now.mono_ms < at) {
            return;
        }
        self.own.sweep_ms = None;
        let (time_ms, ahead_ms) = self.own.calendar.look(now);
        self.tell_of_clock(now, ahead_ms);
        let (mut over, mut orphans) = (Vec::new(), Vec::new());
        for entry in self.own.stored.all().filter(|entry| !entry.asked) {
            let line = &entry.file.line;
            if over.len() + orphans.len() >= SWEEP_AT_ONCE {
                break;
            }
            if entry.goes || line.until <= time_ms {
                over.push((line.transfer, Parcel::of(line)));
            } else if self.is_orphan(now, entry) {
                orphans.push(line.transfer);
            }
        }
        let is_more = over.len() + orphans.len() >= SWEEP_AT_ONCE && !self.out.has_trouble();
        for (transfer, file) in over {
            self.out.note(FileFact::Expired { transfer, file });
            self.remove_file(transfer);
        }
        for transfer in orphans {
            self.lose_receiver(transfer);
        }
        let keep_ms = millis(self.rules.limits.partial_keep);
        let is_old = |since_ms: u64| since_ms.saturating_add(keep_ms) <= time_ms;
        let old = self.own.stored.halves().filter(|half| is_old(half.since_ms)).take(SWEEP_AT_ONCE);
        for id in old.map(|half| half.id).collect::<Vec<_>>() {
            self.own.stored.take_half(id);
            self.discard(id);
        }
        if is_more {
            self.own.sweep_ms = Some(now.after(SWEEP_MORE));
        } else if !self.own.stored.is_empty() {
            self.wake_sweep(now);
        }
    }

    /// Says once that the clock is too far ahead, if files would expire by it.
    fn tell_of_clock(&mut self, now: Now, ahead_ms: Option<u64>) {
        let Some(ahead_ms) = ahead_ms else {
            self.own.clock_told = false;
            return;
        };
        if self.own.clock_told {
            return;
        }
        let waits = |entry: &&Entry| entry.file.line.until <= now.wall_ms;
        let files = self.own.stored.all().filter(waits).count();
        if files > 0 {
            self.own.clock_told = true;
            self.out.note(TroubleFact::ClockAhead { ahead_s: ahead_ms / 1000, files });
        }
    }

    /// Whether the only one who could take a file will not come any more.
    fn is_orphan(&self, now: Now, entry: &Entry) -> bool {
        match (entry.file.line.to, entry.file.receiver) {
            (Target::User(_), Some(account)) => self.people.directory.get(account).is_none(),
            // Guests of an earlier run of the server are not known any more.
            (Target::User(_), None) if entry.to_guest.is_none() => true,
            (Target::User(_), None) => entry
                .guest_gone_ms
                .is_some_and(|gone_ms| after(gone_ms, GUEST_RETURN) <= now.mono_ms),
            (Target::Room(_) | Target::Shelf(_) | Target::Public, _) => false,
        }
    }
}
