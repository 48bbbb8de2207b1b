//! What the hub wants done: effects go into a queue and are taken out one by one.

use crate::id::{ConnId, RoomId, TransferId};
use crate::message::{CloseReason, Event, Record, Refusal, Reply};

/// One thing to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answer the request at hand.
    Answer {
        /// Whose request.
        conn: ConnId,
        /// The answer.
        answer: Result<Reply, Refusal>,
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
        /// What.
        event: Event,
    },
    /// An upload has a slot: make its file and let its bytes come.
    Receive {
        /// Which upload.
        transfer: TransferId,
        /// From whom.
        from: ConnId,
        /// How many bytes.
        size: u64,
        /// How long it waited, in milliseconds.
        waited_ms: u64,
    },
    /// A file was accepted: send it.
    Deliver {
        /// Which transfer.
        transfer: TransferId,
        /// To whom.
        to: ConnId,
    },
    /// A transfer is over: forget its bytes.
    Forget {
        /// Which transfer.
        transfer: TransferId,
    },
    /// End a connection.
    Close {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// Write a line into the audit log.
    Audit(Record),
}
