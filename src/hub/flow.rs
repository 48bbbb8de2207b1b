//! How far the bytes of an upload are, and what is said of that to its sender: the only place that
//! has these numbers.
//!
//! Knows no bytes: the engine has them, and is told here what to do with a part that came in. The
//! rule it keeps (invariant 8): a sender sends only what it was granted, and is granted only what
//! the disk has taken; stored <= written <= received <= granted <= size.

use super::upload::Stage;
use super::{Effect, Hub};
use crate::id::{ConnId, Now, TransferId};
use crate::limits::{CHUNK_MAX, STALL_BYTES};
use crate::message::{Digest, Ending, Event, Refusal};

/// How far an upload is, in bytes from the beginning of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    size: u64,
    /// Up to here its sender may send.
    granted: u64,
    received: u64,
    /// Up to here the worker was given it: it is in its file, or on its way there.
    written: u64,
    /// Up to here it is in its file.
    stored: u64,
}

impl Flow {
    /// Of a file of `size` bytes of which so many are there since an earlier try.
    pub(super) fn new(size: u64, stored: u64) -> Self {
        let stored = stored.min(size);
        Self { size, granted: stored, received: stored, written: stored, stored }
    }

    /// Bytes that are in its file, or on their way into it: if it breaks now, the half has them.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    /// The worker has opened its file. Answers with where to go on, and with the first credit.
    fn open(&mut self, offset: u64, credit: u64) -> (u64, u64) {
        *self = Self::new(self.size, offset);
        (self.stored, self.grant(credit))
    }

    /// Takes note of a part; not if it is more than was granted.
    fn receive(&mut self, bytes: u64) -> bool {
        let received = self.received.saturating_add(bytes);
        let is_granted = received <= self.granted;
        if is_granted {
            self.received = received;
        }
        is_granted
    }

    /// What the worker was given is in the file. Answers with the bytes of new credit.
    fn store(&mut self, credit: u64) -> u64 {
        self.stored = self.written;
        self.grant(credit)
    }

    fn grant(&mut self, credit: u64) -> u64 {
        let granted = self.size.min(self.stored.saturating_add(credit));
        granted - std::mem::replace(&mut self.granted, granted)
    }

    const fn is_whole(&self) -> bool {
        self.stored == self.size
    }

    pub(super) fn check_invariants(&self, id: TransferId) {
        let ascending = [self.stored, self.written, self.received, self.granted, self.size];
        assert!(ascending.is_sorted(), "transfer {id} is further than it may be: {self:?}");
    }
}

impl Hub {
    /// A part of a file came in: whether the engine is to hand it on to the worker. What was under
    /// way when its transfer ended is nobody's fault and gets no answer; nor does more than all of
    /// a file that is whole.
    ///
    /// # Errors
    /// The refusal that the table of states holds, and [`Refusal::NoSuchTransfer`].
    pub(crate) fn handle_chunk(
        &mut self,
        now: Now,
        conn: ConnId,
        transfer: TransferId,
        len: usize,
    ) -> Result<bool, Refusal> {
        self.may_send_chunks(conn)?;
        let was_issued = self.uploads.was_issued(transfer);
        let upload = match self.uploads.get_mut(transfer) {
            Some(upload) if upload.draft.from.conn == conn => upload,
            None if was_issued => return Ok(false),
            Some(_) | None => return Err(Refusal::NoSuchTransfer),
        };
        if matches!(upload.stage, Stage::Finishing { .. }) {
            return Ok(false);
        }
        if len > CHUNK_MAX || !upload.flow.receive(len as u64) {
            self.end_upload(now, transfer, Ending::Overrun);
            return Ok(false);
        }
        self.uploads.progress(now, transfer, len as u64);
        Ok(true)
    }

    /// The worker is given so many bytes of an upload.
    pub(crate) fn handle_writing(&mut self, transfer: TransferId, len: usize) {
        if let Some(upload) = self.uploads.get_mut(transfer) {
            upload.flow.written += len as u64;
        }
    }

    /// The file of an upload is open, with `offset` bytes of an earlier try in it: its sender may
    /// go on.
    pub(crate) fn handle_file_open(&mut self, transfer: TransferId, offset: u64) {
        let credit = self.limits.upload_credit_bytes;
        let Some(upload) = self.uploads.get_mut(transfer) else { return };
        let (offset, credit) = upload.flow.open(offset, credit);
        let waited_ms = upload.stage.waited_ms().unwrap_or_default();
        let (conn, is_whole) = (upload.draft.from.conn, upload.flow.is_whole());
        self.tell(conn, Event::Admitted { transfer, waited_ms, credit, offset });
        if is_whole {
            self.effects.push_back(Effect::Finish { transfer });
        }
    }

    /// What an earlier try has left is being hashed. That this takes time is no fault of its sender.
    pub(crate) fn handle_hashing(&mut self, now: Now, transfer: TransferId) {
        self.uploads.progress(now, transfer, STALL_BYTES);
    }

    /// What the worker was given of an upload is in its file.
    pub(crate) fn handle_written(&mut self, now: Now, transfer: TransferId) {
        let credit = self.limits.upload_credit_bytes;
        let Some(upload) = self.uploads.get_mut(transfer) else { return };
        let bytes = upload.flow.store(credit);
        let (conn, is_whole) = (upload.draft.from.conn, upload.flow.is_whole());
        if bytes > 0 {
            self.tell(conn, Event::Credit { transfer, bytes });
            // A slow disk is no fault of the sender.
            self.uploads.progress(now, transfer, bytes);
        }
        if is_whole {
            self.effects.push_back(Effect::Finish { transfer });
        }
    }

    /// All of an upload is in its file, and its sender was told what there was to tell. Answers
    /// with the hash that it must have, if one was announced; with nothing when it has ended: what
    /// its sender was just told may have been one word too many, and cut them.
    pub(crate) fn finish_upload(&mut self, transfer: TransferId) -> Option<Option<Digest>> {
        self.uploads.complete(transfer).ok().map(|upload| upload.draft.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_follows_what_is_stored_and_ends_with_the_file() {
        let mut flow = Flow::new(100, 0);
        assert!(!flow.receive(1), "nothing is granted before the file is open");
        assert_eq!(flow.open(10, 40), (10, 40));
        assert!(flow.receive(40));
        assert!(!flow.receive(1), "more than was granted");
        flow.written += 40;
        assert_eq!(flow.written(), 50);
        assert_eq!(flow.store(40), 40);
        assert!(flow.receive(40));
        flow.written += 40;
        assert_eq!(flow.store(40), 10, "no more than the file");
        assert!(!flow.is_whole() && flow.receive(10));
        flow.written += 10;
        assert_eq!(flow.store(40), 0);
        assert!(flow.is_whole());
        flow.check_invariants(TransferId(1));
    }

    #[test]
    fn a_half_that_is_longer_than_its_file_is_all_of_it() {
        let mut flow = Flow::new(10, 20);
        assert_eq!(flow.written(), 10);
        assert_eq!(flow.open(20, 40), (10, 0));
        assert!(flow.is_whole());
    }
}
