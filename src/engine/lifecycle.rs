//! Connections come, are given deadlines, and go.
//!
//! ```text
//!                 begin_close                 all written              peer closed, or LINGER
//!   Open ───────────────────────> Flushing ───────────────> Lingering ───────────────> closed
//!    │  (bye is the last word)       │ drain time over, or reset                          ^
//!    └── connection reset ───────────┴────────────────────────────────────────────────────┘
//! ```

use std::time::Duration;

use super::conn::{Conn, Phase};
use super::states::Messages;
use super::strangers::{Strangers, spread};
use super::{Engine, Output, tenant};
use crate::facts::{ConnFact, ServerFact};
use crate::front;
use crate::id::{ConnId, Now, Source};
use crate::limits::{WORK_SHARE, WORK_TURN};
use crate::message::{CloseReason, Event};

/// How long a peer may take to close its end once ours is closed.
const LINGER: Duration = Duration::from_secs(2);
/// Connections told in one turn that the server stops.
const GOODBYES_TURN: usize = 256;

impl Engine {
    pub(super) fn on_opened(&mut self, now: Now, id: ConnId, source: Source, peer: &str) {
        let slot = id.slot as usize;
        if self.conns.len() <= slot {
            self.conns.resize_with(slot + 1, || None);
        }
        debug_assert!(self.conns[slot].is_none(), "the slot has a tenant");
        let late = self.stopping.is_some();
        self.conns[slot] = Some(Conn { late, ..Conn::new(id, source, now.mono_ms) });
        self.stats.connections += 1;
        self.latecomers += usize::from(late);
        self.hub.handle_opened(id, source);
        let admitted = self.strangers.admits(&self.limits, source, spread(id.generation));
        self.strangers.add(source);
        self.note(ConnFact::Connected { conn: id, peer: peer.into() });
        self.arm(id);
        if !admitted {
            self.begin_close(now, id, CloseReason::TooManyWaiting);
        }
    }

    /// A connection has a name from now on, or has none any more.
    pub(super) fn note_named(&mut self, now: Now, id: ConnId, named: bool) {
        let Some(conn) = tenant(&mut self.conns, id) else { return };
        if !conn.is_open() || conn.is_named() == named {
            return;
        }
        // A client that has had a name is no stranger any more, or names given back would
        // shut the door.
        forget_stranger(&mut self.strangers, conn);
        conn.standing = conn.standing.after(named);
        (conn.nameless_ms, conn.asked_ms) = (now.mono_ms, now.mono_ms);
        self.arm(id);
        // Its marks have moved, and with them perhaps the reason why it was not asked.
        self.resume(id);
    }

    /// The answer to a request comes later.
    pub(super) fn begin_wait(&mut self, id: ConnId, alone: bool) {
        let Some(conn) = self.conn_mut(id) else { return };
        conn.owed.begin(alone);
        self.update_reading(id);
    }

    /// An answer that was waited for has come.
    pub(super) fn end_wait(&mut self, now: Now, id: ConnId) {
        let Some(conn) = self.conn_mut(id) else { return };
        conn.owed.end();
        if conn.has_said_all() {
            self.begin_close(now, id, CloseReason::PeerClosed);
        } else {
            self.resume(id);
        }
    }

    /// Asks for a sign of life, in earnest.
    pub(super) fn probe(&mut self, now: Now, id: ConnId) {
        let Some(conn) = self.conn_mut(id).filter(|conn| conn.is_open()) else { return };
        if conn.paused {
            return self.hub.handle_heard(id);
        }
        conn.probed = true;
        self.tell(now, id, None, &Event::Ping);
    }

    /// The end of a peer's stream stands in line behind the bytes before it, and behind the answers
    /// that they are still owed.
    pub(super) fn on_ended(&mut self, now: Now, id: ConnId, reset: bool) {
        let Some(conn) = self.conn_mut(id) else { return };
        if reset {
            self.begin_close(now, id, CloseReason::PeerReset);
            return;
        }
        conn.ended = true;
        match conn.phase {
            Phase::Open if !conn.has_said_all() => self.update_reading(id),
            Phase::Open => self.begin_close(now, id, CloseReason::PeerClosed),
            Phase::Flushing { .. } => self.update_reading(id),
            Phase::Lingering { .. } => self.close(id),
        }
    }

    pub(super) fn on_turn(&mut self, now: Now) {
        self.work_left = WORK_TURN;
        self.release_paced(now);
        self.say_goodbyes(now);
        self.run_backlog(now);
    }

    pub(super) fn on_shutdown(&mut self) {
        if self.stopping.is_none() {
            self.stopping = Some(0);
            self.hub.handle_stop();
            self.note(ServerFact::Stopping { connections: self.stats.connections });
        }
    }

    /// Says the last words to an open connection: from here on it has no session, its input is
    /// thrown away, and it is closed when its output is written or the drain time is over.
    pub(super) fn begin_close(&mut self, now: Now, id: ConnId, reason: CloseReason) {
        self.begin_close_missed(now, id, reason, 0);
    }

    pub(super) fn begin_close_missed(
        &mut self,
        now: Now,
        id: ConnId,
        reason: CloseReason,
        missed: u64,
    ) {
        let drain = self.limits.drain;
        let Some(conn) = tenant(&mut self.conns, id) else { return };
        if !conn.is_open() {
            if reason == CloseReason::PeerReset {
                self.close(id);
            }
            return;
        }
        forget_stranger(&mut self.strangers, conn);
        conn.phase = Phase::Flushing { deadline_ms: now.after(drain) };
        conn.tail = Vec::new();
        conn.messages = Messages::Handled;
        (conn.paced, conn.over_since_ms) = (false, None);
        conn.ended |= matches!(reason, CloseReason::PeerClosed | CloseReason::PeerReset);
        self.say_last_words(id, reason, missed);
        self.hub.handle_gone(now, id, reason, missed);
        if reason == CloseReason::PeerReset {
            self.close(id);
            return;
        }
        self.arm(id);
        self.update_reading(id);
        self.advance_close(now, id);
    }

    fn say_last_words(&mut self, id: ConnId, reason: CloseReason, missed: u64) {
        if matches!(reason, CloseReason::PeerClosed | CloseReason::PeerReset) {
            return;
        }
        let bytes = match self.front_mut(id) {
            Some(front) => {
                let back = reason.worth_coming_back();
                front.emit_event(&Event::Bye { reason, back, missed })
            }
            None => front::farewell(reason),
        };
        self.push_last(id, bytes);
    }

    /// A connection that is said goodbye to continues to its next phase when all is written.
    pub(super) fn advance_close(&mut self, now: Now, id: ConnId) {
        let Some(conn) = self.conn_mut(id) else { return };
        if !matches!(conn.phase, Phase::Flushing { .. }) || !conn.outbox.is_empty() {
            return;
        }
        if conn.ended {
            self.close(id);
            return;
        }
        conn.phase = Phase::Lingering { deadline_ms: now.after(LINGER) };
        self.outputs.push_back(Output::HalfClose(id));
        self.arm(id);
    }

    /// Gives a connection back to its owner, once.
    pub(super) fn close(&mut self, id: ConnId) {
        self.drop_output(id);
        if let Some(late) = self.conn(id).map(|conn| conn.late) {
            self.conns[id.slot as usize] = None;
            self.stats.connections -= 1;
            self.latecomers -= usize::from(late);
            self.outputs.push_back(Output::Close(id));
        }
    }

    /// Tells some more connections that the server stops; latecomers hear it when it is known what
    /// they speak.
    fn say_goodbyes(&mut self, now: Now) {
        let Some(first) = self.stopping else { return };
        let end = self.conns.len().min(first + GOODBYES_TURN);
        for slot in first..end {
            if let Some(conn) = self.conns[slot].as_ref().filter(|conn| !conn.late) {
                self.begin_close(now, conn.id, CloseReason::Shutdown);
                self.pump(now);
            }
        }
        self.stopping = Some(end);
    }

    /// Handles messages that waited, for at most half of the turn's work, so that those who are
    /// read for the first time have their share.
    fn run_backlog(&mut self, now: Now) {
        for _ in 0..self.backlog.len() {
            if self.work_left < WORK_TURN / 2 {
                break;
            }
            let Some(id) = self.backlog.pop_front() else { break };
            self.handle_waiting(now, id);
        }
        self.work_left = self.work_left.max(WORK_SHARE);
    }

    /// Handles messages of a connection that waited for this.
    pub(super) fn handle_waiting(&mut self, now: Now, id: ConnId) {
        let Some(conn) = self.conn_mut(id) else { return };
        if conn.is_stalled() {
            conn.messages = Messages::Stalled;
        }
        self.process_tail(now, id);
        let Some(conn) = self.conn(id) else { return };
        if conn.has_said_all() {
            self.begin_close(now, id, CloseReason::PeerClosed);
        }
        self.update_reading(id);
        self.pump(now);
    }
}

/// A connection is about to be no stranger any more, or to be closed: it is counted no more, if it
/// was.
fn forget_stranger(strangers: &mut Strangers, conn: &Conn) {
    if conn.is_stranger() {
        strangers.remove(conn.source);
    }
}
