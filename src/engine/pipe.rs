//! Bytes of files on their way: from a sender through credit to the worker, and from the worker to
//! a receiver whose outbox runs low.
//!
//! Decides nothing about an upload: what may come, how far it is and when it is whole, the hub
//! knows. The rules it keeps: of each transfer at most one job is under way, and in memory at most
//! the credit, or what two reads bring.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::{Engine, Output};
use crate::facts::TroubleFact;
use crate::hub::Request;
use crate::id::{ConnId, Now, Ticket, TransferId};
use crate::job::{FileJob, FileOutcome, Job, Outcome, PartialId};
use crate::limits::{CHUNK_MAX, FILE_JOBS_MAX};
use crate::message::{Digest, Ending};

/// Bytes read from a file at once.
const READ_BYTES: u32 = 2 * CHUNK_MAX as u32;
/// Jobs under way from which on downloads wait for their turn, so that those of uploads find room.
const READS_MAX: usize = FILE_JOBS_MAX / 8;
/// What a byte of a file may become in an outbox: in base64 4/3 of one, and the frame around it.
const WRITTEN_PER_READ: usize = 2;

/// All transfers under way, and the jobs for them.
#[derive(Debug, Default)]
pub(super) struct Pipes {
    inbound: BTreeMap<TransferId, Inbound>,
    /// By receiver first: one may take several files, and many may take one.
    outbound: BTreeMap<(ConnId, TransferId), Outbound>,
    /// Jobs given to the worker that it has not answered.
    under_way: BTreeMap<Ticket, Aim>,
    /// There were so many that nobody is given a slot until there are fewer.
    resting: bool,
    /// Downloads that wait until there are fewer, the first to come first.
    starved: VecDeque<(ConnId, TransferId)>,
}

/// For what a job is done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Aim {
    /// For an upload.
    In(TransferId),
    /// For a download.
    Out(ConnId, TransferId),
    /// For nobody: there was none from the start, or it is over.
    Nobody,
}

/// An upload that has a slot; how far it is, the hub knows.
#[derive(Debug)]
struct Inbound {
    /// Received and not yet given to the worker.
    pending: Vec<u8>,
    /// A job is under way.
    busy: bool,
    /// The worker has nothing open for it any more.
    closed: bool,
}

#[derive(Debug)]
struct Outbound {
    blob: Digest,
    size: u64,
    /// Up to here it was handed to the receiver's outbox.
    sent: u64,
    reading: Reading,
}

/// How far the next part of a download is.
#[derive(Clone, Copy, Debug)]
enum Reading {
    /// Nothing is read: all is, or the outbox is full.
    No,
    /// It waits until fewer jobs are under way.
    Starved,
    /// The worker was asked for so many bytes and has not answered.
    Asked { ticket: Ticket, len: u32 },
}

impl Reading {
    /// Bytes that will come.
    const fn len(self) -> u32 {
        match self {
            Self::No | Self::Starved => 0,
            Self::Asked { len, .. } => len,
        }
    }
}

impl Pipes {
    /// How many uploads move: as many as there are slots in use.
    pub(super) fn inbound_len(&self) -> usize {
        self.inbound.len()
    }
}

impl Engine {
    /// An upload has a slot: its file is opened, and then it may come.
    pub(super) fn begin_receiving(
        &mut self,
        transfer: TransferId,
        size: u64,
        partial: Option<PartialId>,
    ) {
        let flow = Inbound { pending: Vec::new(), busy: true, closed: false };
        self.pipes.inbound.insert(transfer, flow);
        self.submit(FileJob::Open { transfer, partial, size }, Aim::In(transfer));
    }

    /// A file goes to a user.
    pub(super) fn begin_delivery(
        &mut self,
        transfer: TransferId,
        to: ConnId,
        blob: Digest,
        bytes: Range<u64>,
    ) {
        let (sent, size) = (bytes.start, bytes.end);
        let flow = Outbound { blob, size, sent, reading: Reading::No };
        self.pipes.outbound.insert((to, transfer), flow);
        if let Some(conn) = self.conn_mut(to) {
            conn.pulls = conn.pulls.saturating_add(1);
        }
        self.pull(to, transfer);
    }

    /// An upload is over.
    pub(super) fn forget(&mut self, transfer: TransferId, keep: bool) {
        let Some(flow) = self.pipes.inbound.remove(&transfer) else { return };
        if !flow.closed {
            self.submit(FileJob::Close { transfer, keep }, Aim::Nobody);
        }
    }

    /// A download is over.
    pub(super) fn stop_delivery(&mut self, now: Now, transfer: TransferId, to: ConnId) {
        let Some(flow) = self.pipes.outbound.remove(&(to, transfer)) else { return };
        // What was asked for it is not for the next one of this number.
        match flow.reading {
            Reading::No => {}
            Reading::Starved => {
                self.pipes.starved.retain(|starved| *starved != (to, transfer));
            }
            Reading::Asked { ticket, .. } => {
                self.pipes.under_way.insert(ticket, Aim::Nobody);
            }
        }
        self.drop_bulk_of(now, to, transfer);
        if let Some(conn) = self.conn_mut(to) {
            conn.pulls = conn.pulls.saturating_sub(1);
        }
        // What was being read for it has kept others from being read.
        for other in self.deliveries_to(to) {
            self.pull(to, other);
        }
    }

    /// A part of a file came in.
    pub(super) fn on_chunk(&mut self, now: Now, conn: ConnId, transfer: TransferId, bytes: &[u8]) {
        match self.hub.files().handle_chunk(now, conn, transfer, bytes.len()) {
            Ok(true) => {
                if let Some(flow) = self.pipes.inbound.get_mut(&transfer) {
                    flow.pending.extend_from_slice(bytes);
                    self.append(transfer);
                }
            }
            Ok(false) => {}
            Err(refusal) => self.answer(now, Request { conn, id: None }, &Err(refusal)),
        }
    }

    /// A job is done, of whomever: who waits for it is known by its ticket alone.
    pub(super) fn on_done(&mut self, now: Now, ticket: Ticket, outcome: Outcome) {
        match (self.pipes.under_way.remove(&ticket), outcome) {
            (Some(aim), Outcome::File(outcome)) => self.on_file_done(now, aim, outcome),
            (None, outcome) => self.hub.handle_done(now, ticket, outcome),
            (Some(aim), outcome) => debug_assert!(false, "{outcome:?} is nothing for {aim:?}"),
        }
    }

    fn on_file_done(&mut self, now: Now, aim: Aim, outcome: FileOutcome) {
        if self.pipes.resting && self.pipes.under_way.len() <= FILE_JOBS_MAX / 4 {
            self.pipes.resting = false;
            self.hub.files().resume_admission(now);
        }
        // If one cannot be served now, the next takes its place.
        while self.pipes.under_way.len() < READS_MAX
            && let Some((to, transfer)) = self.pipes.starved.pop_front()
        {
            if let Some(flow) = self.pipes.outbound.get_mut(&(to, transfer)) {
                flow.reading = Reading::No;
            }
            self.pull(to, transfer);
        }
        match aim {
            Aim::Nobody => {}
            Aim::In(transfer) => self.on_upload_done(now, transfer, outcome),
            Aim::Out(to, transfer) => self.on_download_done(now, to, transfer, outcome),
        }
    }

    fn on_upload_done(&mut self, now: Now, transfer: TransferId, outcome: FileOutcome) {
        let Some(flow) = self.pipes.inbound.get_mut(&transfer) else { return };
        flow.busy = false;
        match outcome {
            FileOutcome::Opened { bytes, hashed } if hashed < bytes => {
                flow.busy = true;
                self.submit(FileJob::Rehash { transfer }, Aim::In(transfer));
                self.hub.files().handle_hashing(now, transfer);
            }
            FileOutcome::Opened { bytes, .. } => self.hub.files().handle_file_open(transfer, bytes),
            FileOutcome::Done => {
                self.hub.files().handle_written(now, transfer);
                self.append(transfer);
            }
            FileOutcome::Finished { hash, sha256 } => {
                flow.closed = true;
                self.hub.files().handle_finished(now, transfer, hash, sha256);
            }
            FileOutcome::Mismatch => {
                flow.closed = true;
                self.hub.files().end_upload(now, transfer, Ending::Mismatch);
            }
            FileOutcome::Bytes(_) => {}
            FileOutcome::Failed(why) => {
                self.note(TroubleFact::TransferFailed { transfer, to: None, why });
                self.hub.files().end_upload(now, transfer, Ending::StoreFailed);
            }
        }
    }

    /// All of an upload is in its file, unless it has ended meanwhile.
    pub(super) fn finish(&mut self, transfer: TransferId) {
        let Some(hash) = self.hub.files().finish_upload(transfer) else { return };
        if let Some(flow) = self.pipes.inbound.get_mut(&transfer) {
            flow.busy = true;
        }
        self.submit(FileJob::Finish { transfer, hash }, Aim::In(transfer));
    }

    fn append(&mut self, transfer: TransferId) {
        let Some(flow) = self.pipes.inbound.get_mut(&transfer) else { return };
        if flow.busy || flow.pending.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut flow.pending);
        flow.busy = true;
        // From here on they may be on the disk: if it breaks now, the half has them.
        self.hub.files().handle_writing(transfer, bytes.len());
        self.submit(FileJob::Append { transfer, bytes }, Aim::In(transfer));
    }

    fn on_download_done(
        &mut self,
        now: Now,
        to: ConnId,
        transfer: TransferId,
        outcome: FileOutcome,
    ) {
        let Some(flow) = self.pipes.outbound.get_mut(&(to, transfer)) else { return };
        let asked = std::mem::replace(&mut flow.reading, Reading::No).len();
        let why = match outcome {
            FileOutcome::Bytes(bytes) if bytes.len() == asked as usize => {
                return self.on_read(now, to, transfer, &bytes);
            }
            FileOutcome::Failed(why) => why,
            FileOutcome::Done
            | FileOutcome::Opened { .. }
            | FileOutcome::Finished { .. }
            | FileOutcome::Mismatch
            | FileOutcome::Bytes(_) => "the file is too short".to_owned(),
        };
        self.note(TroubleFact::TransferFailed { transfer, to: Some(to), why });
        self.hub.files().end_download(to, transfer, Ending::StoreFailed);
    }

    fn on_read(&mut self, now: Now, to: ConnId, transfer: TransferId, bytes: &[u8]) {
        let Some(flow) = self.pipes.outbound.get_mut(&(to, transfer)) else { return };
        flow.sent += bytes.len() as u64;
        for chunk in bytes.chunks(CHUNK_MAX) {
            let Some(front) = self.front_mut(to) else { return };
            let written = front.emit_chunk(transfer, chunk);
            self.push_bulk(now, to, transfer, written);
        }
        self.pull(to, transfer);
    }

    /// Reads on when the receiver's outbox runs low.
    fn pull(&mut self, to: ConnId, transfer: TransferId) {
        let window = self.window(to).unwrap_or_default();
        let Some(flow) = self.pipes.outbound.get_mut(&(to, transfer)) else { return };
        let (offset, left) = (flow.sent, flow.size - flow.sent);
        if !matches!(flow.reading, Reading::No) || left == 0 || window == 0 {
            return;
        }
        if self.pipes.under_way.len() >= READS_MAX {
            flow.reading = Reading::Starved;
            return self.pipes.starved.push_back((to, transfer));
        }
        let len = u32::try_from(left).unwrap_or(u32::MAX).min(window);
        let blob = flow.blob;
        let ticket = self.submit(FileJob::Read { blob, offset, len }, Aim::Out(to, transfer));
        if let Some(flow) = self.pipes.outbound.get_mut(&(to, transfer)) {
            flow.reading = Reading::Asked { ticket, len };
        }
    }

    /// How many bytes may be read for a receiver now. However many files come to it at once, what
    /// waits for it and what is being read stay below its hard mark.
    fn window(&self, to: ConnId) -> Option<u32> {
        let conn = self.conn(to).filter(|conn| conn.is_open())?;
        let hard_mark = conn.hard_mark(&self.limits);
        let window = READ_BYTES.min(u32::try_from(hard_mark / 4).unwrap_or(u32::MAX));
        let flows = self.pipes.outbound.range(all_to(to));
        let reading: usize = flows.map(|(_, flow)| flow.reading.len() as usize).sum();
        let low = conn.outbox.bulk_len() + reading < window as usize;
        let written = conn.outbox.len() + WRITTEN_PER_READ * (reading + window as usize);
        (low && written <= hard_mark).then_some(window)
    }

    /// A receiver's socket took bytes: its transfers move. One is over when its last part has been
    /// begun: until then the answer to the next request for it would overtake the rest.
    pub(super) fn pull_for(&mut self, now: Now, to: ConnId) {
        for transfer in self.deliveries_to(to) {
            let flow = self.pipes.outbound.get(&(to, transfer));
            let is_sent = flow.is_some_and(|flow| flow.sent == flow.size);
            let waits = || self.conn(to).is_some_and(|conn| conn.outbox.has_bulk_of(transfer));
            if is_sent && !waits() {
                self.hub.files().handle_delivered(to, transfer);
                self.stop_delivery(now, transfer, to);
            } else {
                self.pull(to, transfer);
            }
        }
    }

    fn deliveries_to(&self, conn: ConnId) -> Vec<TransferId> {
        self.pipes.outbound.range(all_to(conn)).map(|(&(_, id), _)| id).collect()
    }

    /// Gives the worker a job, for a user or for nobody.
    pub(super) fn submit(&mut self, job: FileJob, aim: Aim) -> Ticket {
        let ticket = self.hub.next_ticket();
        self.pipes.under_way.insert(ticket, aim);
        if !self.pipes.resting && self.pipes.under_way.len() >= FILE_JOBS_MAX / 2 {
            // Announced and withdrawn again faster than the disk can follow.
            self.pipes.resting = true;
            self.hub.files().rest_admission();
        }
        self.outputs.push_back(Output::Job(ticket, Job::File(job)));
        ticket
    }
}

/// The keys of all that goes to one receiver.
fn all_to(to: ConnId) -> std::ops::RangeInclusive<(ConnId, TransferId)> {
    (to, TransferId(0))..=(to, TransferId(u32::MAX))
}
