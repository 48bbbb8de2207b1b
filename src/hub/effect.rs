//! What the hub wants done: effects go into a queue and are taken out one by one.

use crate::facts::Fact;
use crate::id::{ConnId, RoomId, Ticket, TransferId};
use crate::job::{FileJob, Job, PartialId};
use crate::message::{CloseReason, Digest, Event, Refusal, Reply};

/// Which request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whose.
    pub conn: ConnId,
    /// What the answer refers to, where the protocol has that and the peer gave it.
    pub id: Option<u64>,
}

/// One thing to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answer a request.
    Answer {
        /// Which.
        request: Request,
        /// The answer.
        answer: Result<Reply, Refusal>,
        /// Whether the request had to wait: [`Effect::Wait`] was asked for before.
        late: bool,
    },
    /// The answer to the request at hand will come later.
    Wait {
        /// Whose request.
        conn: ConnId,
        /// Whether nothing else of the connection may be handled before it.
        alone: bool,
    },
    /// A connection has a name from now on, or has none any more.
    Named {
        /// Which.
        conn: ConnId,
        /// Whether it has one.
        named: bool,
    },
    /// Ask a connection for a sign of life; tell the hub when there is one.
    Probe {
        /// Which.
        conn: ConnId,
    },
    /// Tell one connection.
    Tell {
        /// Whom.
        conn: ConnId,
        /// Who caused it and may be held up when the receiver is slow.
        by: Option<ConnId>,
        /// What.
        event: Event,
    },
    /// Tell the members of a room.
    TellRoom {
        /// Which room.
        room: RoomId,
        /// Who caused it: is not told, and may be held up when a member is slow.
        by: ConnId,
        /// Who is not told either; sorted.
        except: Vec<ConnId>,
        /// What.
        event: Event,
    },
    /// Tell everybody who is logged in.
    TellAll {
        /// Who caused it: is not told, and may be held up when a user is slow.
        by: ConnId,
        /// Who is not told either; sorted.
        except: Vec<ConnId>,
        /// What.
        event: Event,
    },
    /// Have a worker do this, and tell the hub how it went.
    Job {
        /// By which it will be known again.
        ticket: Ticket,
        /// What.
        job: Job,
    },
    /// An upload has a slot: open its file and let its bytes come.
    Receive {
        /// Which upload.
        transfer: TransferId,
        /// How many bytes.
        size: u64,
        /// What an earlier try may have left.
        partial: Option<PartialId>,
    },
    /// All of an upload is in its file: once what comes before this was told, it may be finished.
    Finish {
        /// Which.
        transfer: TransferId,
    },
    /// An upload that had a slot is over.
    Forget {
        /// Which.
        transfer: TransferId,
        /// Whether what is there of it is kept.
        keep: bool,
    },
    /// Send a file.
    Deliver {
        /// Which.
        transfer: TransferId,
        /// To whom.
        to: ConnId,
        /// Its content.
        blob: Digest,
        /// From which byte on.
        offset: u64,
        /// Its size in bytes.
        size: u64,
    },
    /// Send no more of a file.
    StopDelivery {
        /// Which.
        transfer: TransferId,
        /// To whom.
        to: ConnId,
    },
    /// Have the worker of files do this; nobody waits for it.
    Files(FileJob),
    /// Something took long enough to count against what is done in a turn.
    Work {
        /// How much: what a message in an outbox counts as one of.
        units: u32,
    },
    /// End a connection.
    Close {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// Something happened.
    Note(Fact),
}
