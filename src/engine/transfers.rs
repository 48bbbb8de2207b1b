//! Bytes of files on their way: from a sender through credit to the worker, and from the worker to
//! a receiver whose outbox runs low.
//!
//! Knows nothing of who may send what: that is the upload queue's. The rules it keeps (invariant
//! 8): a sender sends only what it was granted, and is granted only what the worker has stored; of
//! each transfer at most one job is under way, and in memory at most the credit, or what two reads
//! bring.

use std::collections::BTreeMap;

use super::{Engine, Output};
use crate::hub::upload::{Stage, UploadQueue};
use crate::id::{ConnId, Now, Ticket, TransferId};
use crate::job::{FileJob, FileOutcome, Job};
use crate::limits::{CHUNK_MAX, FILE_JOBS_MAX};
use crate::message::{Ending, Event, Refusal};

/// Bytes read from a file at once.
const READ_BYTES: u32 = 2 * CHUNK_MAX as u32;
/// What a byte of a file may become in an outbox: in base64 4/3 of one, and the frame around it.
const WRITTEN_PER_READ: usize = 2;

/// All transfers that hold a slot, and the jobs under way.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    flows: BTreeMap<TransferId, Flow>,
    tickets: BTreeMap<Ticket, TransferId>,
    next_ticket: u64,
    /// Jobs given to the worker that it has not answered, removals included.
    under_way: usize,
    /// There were so many that nobody is given a slot until there are fewer.
    resting: bool,
}

#[derive(Debug)]
enum Flow {
    In(Inbound),
    /// All of it is here and nobody has asked for it yet.
    Held {
        size: u64,
    },
    Out(Outbound),
}

#[derive(Debug)]
struct Inbound {
    from: ConnId,
    size: u64,
    granted: u64,
    received: u64,
    stored: u64,
    /// Received and not yet given to the worker.
    pending: Vec<u8>,
    /// Given to the worker, which has not answered.
    writing: u64,
    /// A job is under way.
    busy: bool,
}

#[derive(Debug)]
struct Outbound {
    to: ConnId,
    size: u64,
    /// Handed to the receiver's outbox.
    sent: u64,
    busy: bool,
    /// Asked of the worker, which has not answered.
    reading: u32,
}

impl Flow {
    /// Bytes that are being read for a receiver.
    fn reading_for(&self, to: ConnId) -> usize {
        match self {
            Self::Out(flow) if flow.to == to => flow.reading as usize,
            Self::Out(_) | Self::In(_) | Self::Held { .. } => 0,
        }
    }
}

impl Transfers {
    pub(super) fn check_invariants(&self, uploads: &UploadQueue) {
        assert_eq!(self.flows.len(), uploads.used(), "flows and slots differ");
        for upload in uploads.in_slots() {
            let fits = match (self.flows.get(&upload.id), upload.stage) {
                (Some(Flow::In(flow)), Stage::Receiving { .. }) => {
                    assert!(flow.stored <= flow.received && flow.received <= flow.granted);
                    assert!(flow.granted <= flow.size);
                    flow.from == upload.from.conn
                }
                (Some(Flow::Held { size }), Stage::Offered { .. }) => *size == upload.size,
                (Some(Flow::Out(flow)), Stage::Delivering { .. }) => flow.to == upload.to.conn,
                _ => false,
            };
            assert!(fits, "transfer {} is in {:?} and its bytes are not", upload.id, upload.stage);
        }
    }
}

impl Engine {
    /// An upload has a slot.
    pub(super) fn begin_receiving(
        &mut self,
        now: Now,
        transfer: TransferId,
        from: ConnId,
        size: u64,
        waited_ms: u64,
    ) {
        let granted = size.min(self.limits.upload_credit_bytes);
        let flow = Inbound {
            from,
            size,
            granted,
            received: 0,
            stored: 0,
            pending: Vec::new(),
            writing: 0,
            busy: true,
        };
        self.transfers.flows.insert(transfer, Flow::In(flow));
        self.submit(FileJob::Create { transfer });
        self.tell(now, from, None, &Event::Admitted { transfer, waited_ms, credit: granted });
    }

    /// A receiver wants its file.
    pub(super) fn begin_delivery(&mut self, transfer: TransferId, to: ConnId) {
        let Some(flow) = self.transfers.flows.get_mut(&transfer) else { return };
        let Flow::Held { size } = *flow else { return };
        *flow = Flow::Out(Outbound { to, size, sent: 0, busy: false, reading: 0 });
        if let Some(conn) = self.conn_mut(to) {
            conn.pulls = conn.pulls.saturating_add(1);
        }
        if size == 0 {
            self.hub.handle_delivery_sent(transfer);
        }
        self.pull(transfer);
    }

    /// A transfer is over.
    pub(super) fn forget(&mut self, transfer: TransferId) {
        let Some(flow) = self.transfers.flows.remove(&transfer) else { return };
        self.submit(FileJob::Remove { transfer });
        let Flow::Out(Outbound { to, .. }) = flow else { return };
        if let Some(conn) = self.conn_mut(to) {
            conn.pulls = conn.pulls.saturating_sub(1);
        }
        // What was being read for it has kept others from being read.
        for other in self.deliveries_to(to) {
            self.pull(other);
        }
    }

    /// A part of a file came in.
    pub(super) fn on_chunk(&mut self, now: Now, conn: ConnId, transfer: TransferId, bytes: &[u8]) {
        if let Err(refusal) = self.hub.may_send_chunks(conn) {
            return self.answer(now, conn, &Err(refusal));
        }
        let flow = match self.transfers.flows.get_mut(&transfer) {
            Some(Flow::In(flow)) if flow.from == conn => flow,
            _ => return self.on_stray_chunk(now, conn, transfer, bytes),
        };
        let received = flow.received + bytes.len() as u64;
        if received > flow.granted || bytes.len() > CHUNK_MAX {
            return self.hub.end_upload(now, transfer, Ending::Overrun);
        }
        flow.received = received;
        flow.pending.extend_from_slice(bytes);
        self.hub.handle_upload_progress(now, transfer, bytes.len() as u64);
        self.append(transfer);
    }

    /// A part that nobody waits for. What was under way when its transfer ended is nobody's fault
    /// and gets no answer.
    fn on_stray_chunk(&mut self, now: Now, conn: ConnId, transfer: TransferId, bytes: &[u8]) {
        match self.hub.uploads().get(transfer) {
            Some(upload) if upload.from.conn == conn && bytes.is_empty() => {}
            Some(upload) if upload.from.conn == conn => {
                self.hub.end_upload(now, transfer, Ending::Overrun);
            }
            None if self.hub.uploads().was_issued(transfer) => {}
            Some(_) | None => self.answer(now, conn, &Err(Refusal::NoSuchTransfer)),
        }
    }

    /// A job is done. One whose transfer is over interests nobody.
    pub(super) fn on_file_done(&mut self, now: Now, ticket: Ticket, outcome: FileOutcome) {
        self.transfers.under_way = self.transfers.under_way.saturating_sub(1);
        if self.transfers.resting && self.transfers.under_way <= FILE_JOBS_MAX / 4 {
            self.transfers.resting = false;
            self.hub.resume_admission(now);
        }
        let Some(transfer) = self.transfers.tickets.remove(&ticket) else { return };
        let result = match (self.transfers.flows.get_mut(&transfer), outcome) {
            (None, _) => return,
            (Some(_), FileOutcome::Failed(text)) => Err(text),
            (Some(Flow::In(_)), FileOutcome::Done) => {
                self.on_stored(now, transfer);
                Ok(())
            }
            (Some(Flow::Out(_)), FileOutcome::Bytes(bytes)) if !bytes.is_empty() => {
                self.on_read(now, transfer, &bytes);
                Ok(())
            }
            (Some(_), FileOutcome::Done | FileOutcome::Bytes(_)) => {
                Err("the file is too short".to_owned())
            }
        };
        if let Err(text) = result {
            self.note_error(format!("transfer {transfer}: {text}"));
            self.hub.end_upload(now, transfer, Ending::StoreFailed);
        }
    }

    /// The file was made, or what was given to the worker is in it.
    fn on_stored(&mut self, now: Now, transfer: TransferId) {
        let credit_bytes = self.limits.upload_credit_bytes;
        let Some(Flow::In(flow)) = self.transfers.flows.get_mut(&transfer) else { return };
        flow.busy = false;
        flow.stored += std::mem::take(&mut flow.writing);
        let granted = flow.size.min(flow.stored.saturating_add(credit_bytes));
        let (from, bytes) = (flow.from, granted - flow.granted);
        flow.granted = granted;
        if flow.stored == flow.size {
            let size = flow.size;
            self.transfers.flows.insert(transfer, Flow::Held { size });
            self.hub.handle_upload_complete(now, transfer);
            return;
        }
        if bytes > 0 {
            self.tell(now, from, None, &Event::Credit { transfer, bytes });
            // A slow disk is no fault of the sender.
            self.hub.handle_upload_progress(now, transfer, bytes);
        }
        self.append(transfer);
    }

    fn append(&mut self, transfer: TransferId) {
        let Some(Flow::In(flow)) = self.transfers.flows.get_mut(&transfer) else { return };
        if flow.busy || flow.pending.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut flow.pending);
        (flow.busy, flow.writing) = (true, bytes.len() as u64);
        self.submit(FileJob::Append { transfer, bytes });
    }

    fn on_read(&mut self, now: Now, transfer: TransferId, bytes: &[u8]) {
        let Some(Flow::Out(flow)) = self.transfers.flows.get_mut(&transfer) else { return };
        (flow.busy, flow.reading) = (false, 0);
        flow.sent += bytes.len() as u64;
        let (to, all_sent) = (flow.to, flow.sent == flow.size);
        let Some(protocol) = self.protocol_of(to) else { return };
        for chunk in bytes.chunks(CHUNK_MAX) {
            self.push_bulk(now, to, protocol.emit_chunk(transfer, chunk));
        }
        if all_sent {
            self.hub.handle_delivery_sent(transfer);
        }
        self.pull(transfer);
    }

    /// Reads on when the receiver's outbox runs low.
    fn pull(&mut self, transfer: TransferId) {
        let Some(Flow::Out(flow)) = self.transfers.flows.get(&transfer) else { return };
        let (to, offset, left) = (flow.to, flow.sent, flow.size - flow.sent);
        let window = self.window(to).unwrap_or_default();
        if flow.busy || left == 0 || window == 0 {
            return;
        }
        let len = u32::try_from(left).unwrap_or(u32::MAX).min(window);
        if let Some(Flow::Out(flow)) = self.transfers.flows.get_mut(&transfer) {
            (flow.busy, flow.reading) = (true, len);
        }
        self.submit(FileJob::Read { transfer, offset, len });
    }

    /// How many bytes may be read for a receiver now. However many files come to it at once, what
    /// waits for it and what is being read stay below its hard mark.
    fn window(&self, to: ConnId) -> Option<u32> {
        let conn = self.conn(to).filter(|conn| conn.is_open())?;
        let hard_mark = conn.hard_mark(&self.limits);
        let window = READ_BYTES.min(u32::try_from(hard_mark / 4).unwrap_or(u32::MAX));
        let reading: usize = self.transfers.flows.values().map(|flow| flow.reading_for(to)).sum();
        let low = conn.outbox.bulk_len() + reading < window as usize;
        let written = conn.outbox.len() + WRITTEN_PER_READ * (reading + window as usize);
        (low && written <= hard_mark).then_some(window)
    }

    /// A receiver's socket took `bytes` of files: its transfers move.
    pub(super) fn pull_for(&mut self, now: Now, conn: ConnId, bytes: u64) {
        for transfer in self.deliveries_to(conn) {
            self.hub.handle_upload_progress(now, transfer, bytes);
            self.pull(transfer);
        }
    }

    fn deliveries_to(&self, conn: ConnId) -> Vec<TransferId> {
        let to_it = |flow: &Flow| matches!(flow, Flow::Out(out) if out.to == conn);
        let flows = self.transfers.flows.iter();
        flows.filter(|(_, flow)| to_it(flow)).map(|(&id, _)| id).collect()
    }

    fn submit(&mut self, job: FileJob) {
        self.transfers.next_ticket += 1;
        self.transfers.under_way += 1;
        if !self.transfers.resting && self.transfers.under_way >= FILE_JOBS_MAX / 2 {
            // Announced and withdrawn again faster than the disk can follow.
            self.transfers.resting = true;
            self.hub.rest_admission();
        }
        let ticket = Ticket(self.transfers.next_ticket);
        if !matches!(job, FileJob::Remove { .. }) {
            self.transfers.tickets.insert(ticket, job.transfer());
        }
        self.outputs.push_back(Output::Job(ticket, Job::File(job)));
    }
}
