//! Bytes of uploads come in: what the engine is to do with them, and what is said of that to their
//! senders.
//!
//! Knows no bytes: the engine has them. The rule it keeps: what was under way when its transfer
//! ended is no fault of anybody.

use super::Files;
use super::transfer::Stage;
use crate::hub::Effect;
use crate::id::{ConnId, Now, TransferId};
use crate::limits::{CHUNK_MAX, STALL_BYTES};
use crate::message::{Digest, Ending, Event, Op, Refusal};

impl Files<'_> {
    /// A part of a file came in: whether the engine is to hand it on to the worker. What was under
    /// way when its transfer ended is no fault of anybody and gets no answer; nor does more than
    /// all of a file that is whole.
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
        let session = self.people.session(conn).ok_or(Refusal::LoginFirst)?;
        session.state.may(Op::Chunk)?;
        let was_issued = self.own.queue.was_issued(transfer);
        let upload = match self.own.queue.get_mut(transfer) {
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
        self.own.queue.progress(now, transfer, len as u64);
        Ok(true)
    }

    /// The worker is given so many bytes of an upload.
    pub(crate) fn handle_writing(&mut self, transfer: TransferId, len: usize) {
        if let Some(upload) = self.own.queue.get_mut(transfer) {
            upload.flow.write(len as u64);
        }
    }

    /// The file of an upload is open, with `offset` bytes of an earlier try in it: the sender may
    /// continue.
    pub(crate) fn handle_file_open(&mut self, transfer: TransferId, offset: u64) {
        let credit = self.rules.limits.upload_credit_bytes;
        let Some(upload) = self.own.queue.get_mut(transfer) else { return };
        let (offset, credit) = upload.flow.open(offset, credit);
        let waited_ms = upload.stage.waited_ms().unwrap_or_default();
        let (conn, is_whole) = (upload.draft.from.conn, upload.flow.is_whole());
        self.out.tell(conn, Event::Admitted { transfer, waited_ms, credit, offset });
        if is_whole {
            self.out.push(Effect::Finish { transfer });
        }
    }

    /// What an earlier try has left is being hashed: it is no fault of the sender that this takes
    /// time.
    pub(crate) fn handle_hashing(&mut self, now: Now, transfer: TransferId) {
        self.own.queue.progress(now, transfer, STALL_BYTES);
    }

    /// What the worker was given of an upload is in its file.
    pub(crate) fn handle_written(&mut self, now: Now, transfer: TransferId) {
        let credit = self.rules.limits.upload_credit_bytes;
        let Some(upload) = self.own.queue.get_mut(transfer) else { return };
        let bytes = upload.flow.store(credit);
        let (conn, is_whole) = (upload.draft.from.conn, upload.flow.is_whole());
        if bytes > 0 {
            self.out.tell(conn, Event::Credit { transfer, bytes });
            // A slow disk is no fault of the sender.
            self.own.queue.progress(now, transfer, bytes);
        }
        if is_whole {
            self.out.push(Effect::Finish { transfer });
        }
    }

    /// All of an upload is in its file, and the sender was told what there was to tell. Answers
    /// with the hash that it must have, if one was announced; with nothing when it has ended: what
    /// the sender was just told may have been one word too many, and cut them.
    pub(crate) fn finish_upload(&mut self, transfer: TransferId) -> Option<Option<Digest>> {
        self.own.queue.complete(transfer).ok().map(|upload| upload.draft.hash)
    }
}
