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
use crate::id::{ConnId, Now, Source, after, millis};
use crate::limits::{WORK_SHARE, WORK_TURN};
use crate::message::{CloseReason, Event, LogoutReason};

/// How long a peer may take to close its end once ours is closed.
const LINGER: Duration = Duration::from_secs(2);
/// Silence that is noticed this late was not a peer's alone: this process or its machine stood
/// still, and the peer is asked once more.
const GAP: Duration = Duration::from_secs(5);
/// Connections whose deadlines are looked at in one turn.
const DEADLINES_TURN: usize = 512;
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
        // Whoever has had a name is a stranger no more, or names given back would shut the door.
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
        self.look_at_due(now);
        self.say_goodbyes(now);
        self.run_backlog(now);
    }

    pub(super) fn on_deadlines(&mut self, now: Now) {
        self.hub.handle_time(now);
        self.pump(now);
        self.due.extend(self.timers.turn(now.mono_ms));
        self.look_at_due(now);
    }

    /// Looks at some of those that the wheel has woken; the others come in the next turn.
    fn look_at_due(&mut self, now: Now) {
        for _ in 0..DEADLINES_TURN {
            let Some(slot) = self.due.pop_front() else { break };
            self.on_deadline(now, slot);
        }
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

    /// A connection that is said goodbye to goes on to its next phase when all is written.
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

    /// Looks at everything that may be due on the tenant of a slot.
    fn on_deadline(&mut self, now: Now, slot: u32) {
        let Some(conn) = self.conns.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        let id = conn.id;
        let Some(due_ms) = conn.next_deadline_ms(&self.limits) else { return };
        if due_ms > now.mono_ms {
            self.arm(id);
            return;
        }
        match conn.phase {
            Phase::Flushing { .. } | Phase::Lingering { .. } => self.close(id),
            Phase::Open => self.on_open_deadline(now, id),
        }
        self.pump(now);
        self.arm(id);
    }

    fn on_open_deadline(&mut self, now: Now, id: ConnId) {
        let limits = &self.limits;
        let passed = |from_ms: u64, wait: Duration| now.mono_ms >= after(from_ms, wait);
        let Some(conn) = tenant(&mut self.conns, id) else { return };
        if conn.front.is_none() && passed(conn.opened_ms, limits.first_byte_before) {
            return self.begin_close(now, id, CloseReason::FirstByteLate);
        }
        if !conn.is_named() && passed(conn.nameless_ms, limits.login_before) {
            return self.begin_close(now, id, CloseReason::LoginLate);
        }
        if conn.over_since_ms.is_some_and(|since_ms| passed(since_ms, limits.output_soft_wait)) {
            return self.cut(now, id, CloseReason::TooSlow);
        }
        if conn.has_timeout(limits) && passed(conn.asked_ms, limits.timeout) {
            return self.hub.log_out(now, id, LogoutReason::Idle);
        }
        if !conn.has_heartbeat() {
            return;
        }
        let silent_ms = after(conn.heard_ms, limits.dead_after);
        let is_over = conn.pinged && now.mono_ms >= silent_ms;
        if is_over && now.mono_ms < silent_ms.saturating_add(millis(GAP)) {
            return self.begin_close(now, id, CloseReason::Silent);
        }
        if is_over || (!conn.pinged && passed(conn.heard_ms, conn.ping_after(limits))) {
            conn.pinged = true;
            // Asked late, or found silent late, because this process itself was stopped: the time
            // to answer is the same.
            let asked_in_time_ms = now.mono_ms.saturating_sub(millis(limits.heartbeat));
            conn.heard_ms = conn.heard_ms.max(asked_in_time_ms);
            self.tell(now, id, None, &Event::Ping);
        }
    }

    /// Asks to be woken for the next thing that may be due.
    pub(super) fn arm(&mut self, id: ConnId) {
        let due = self.conn(id).and_then(|conn| conn.next_deadline_ms(&self.limits));
        if let Some(due_ms) = due {
            self.timers.arm(id.slot, due_ms);
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
            let Some(conn) = self.conn_mut(id) else { continue };
            if conn.is_stalled() {
                conn.messages = Messages::Stalled;
            }
            self.process_tail(now, id);
            self.after_backlog(now, id);
            self.pump(now);
        }
        self.work_left = self.work_left.max(WORK_SHARE);
    }

    fn after_backlog(&mut self, now: Now, id: ConnId) {
        let Some(conn) = self.conn(id) else { return };
        if conn.has_said_all() {
            self.begin_close(now, id, CloseReason::PeerClosed);
        }
        self.update_reading(id);
    }
}

/// A connection is about to be no stranger any more, or to be closed: it is counted no more, if it
/// was.
fn forget_stranger(strangers: &mut Strangers, conn: &Conn) {
    if conn.is_stranger() {
        strangers.remove(conn.source);
    }
}
