//! Deadlines: who is late, and with what.
//!
//! Knows no sockets. The rules it keeps: a deadline about what a peer sends passes only when what
//! it had sent was read and handled, for that the server was busy is no fault of a peer; one about
//! what a peer takes looks at its output alone. A peer that is not read, because it does not take
//! what it is sent, is given no time for what it may have written.

use std::time::Duration;

use super::conn::{Conn, Phase};
use super::states::Messages;
use super::{Engine, tenant};
use crate::id::{ConnId, Now, after, millis};
use crate::limits::{Limits, WORK_SHARE};
use crate::message::{CloseReason, Event, LogoutReason};

/// Silence that is noticed this late was not a peer's alone: this process or its machine stood
/// still, and the peer is asked once more.
const GAP: Duration = Duration::from_secs(5);
/// Connections whose deadlines are looked at in one turn.
const DEADLINES_TURN: usize = 512;
/// Late connections in one turn of which messages are handled that nobody had time for.
const HEARD_OUT_TURN: usize = 16;
/// What one of them may use of a turn's work.
const HEARD_OUT_WORK: u32 = WORK_SHARE / 16;

/// What an open connection has not sent in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Late {
    FirstByte,
    Login,
    /// Anything that shows that somebody is there.
    Request,
    SignOfLife,
}

impl Conn {
    fn late(&self, now: Now, limits: &Limits) -> Option<Late> {
        let passed = |from_ms: u64, wait: Duration| now.mono_ms >= after(from_ms, wait);
        if self.front.is_none() && passed(self.opened_ms, limits.first_byte_before) {
            Some(Late::FirstByte)
        } else if !self.is_named() && passed(self.nameless_ms, limits.login_before) {
            Some(Late::Login)
        } else if self.has_timeout(limits) && passed(self.asked_ms, limits.timeout) {
            Some(Late::Request)
        } else if self.has_heartbeat() && self.pinged && passed(self.heard_ms, limits.dead_after) {
            Some(Late::SignOfLife)
        } else {
            None
        }
    }

    /// It is late with a message, and messages of it wait for nothing but the server.
    fn is_unheard(&self, now: Now, limits: &Limits) -> bool {
        let late = self.late(now, limits);
        self.messages == Messages::InLine && matches!(late, Some(Late::Login | Late::Request))
    }
}

impl Engine {
    /// The connections that [`Input::Deadlines`](super::Input::Deadlines) is about to judge by what
    /// they have not sent: each is to be read once before, whatever else there is to do.
    pub fn late_senders(&mut self, now: Now) -> Vec<ConnId> {
        self.due.extend(self.timers.turn(now.mono_ms));
        let due = self.due.iter().take(DEADLINES_TURN);
        let tenants = due.filter_map(|&slot| self.conns.get(slot as usize)?.as_ref());
        let late = tenants
            .filter(|conn| conn.is_open() && conn.late(now, &self.limits).is_some())
            .map(|conn| conn.id);
        let late = late.chain(self.hub.late_senders(now));
        late.filter(|&id| self.conn(id).is_some_and(|conn| !conn.paused)).collect()
    }

    pub(super) fn on_deadlines(&mut self, now: Now) {
        for id in self.hub.late_senders(now) {
            self.hear_out(now, id);
        }
        self.hub.handle_time(now);
        self.pump(now);
        self.due.extend(self.timers.turn(now.mono_ms));
        self.look_at_due(now);
    }

    /// Looks at some of those that the wheel has woken; the others come in the next turn.
    fn look_at_due(&mut self, now: Now) {
        let mut heard_out = 0;
        for _ in 0..DEADLINES_TURN {
            let Some(&slot) = self.due.front() else { break };
            let conn = self.conns.get(slot as usize).and_then(Option::as_ref);
            if let Some(conn) = conn.filter(|conn| conn.is_unheard(now, &self.limits)) {
                if heard_out == HEARD_OUT_TURN {
                    break;
                }
                heard_out += 1;
                self.hear_out(now, conn.id);
            }
            self.due.pop_front();
            self.on_deadline(now, slot);
        }
    }

    /// Handles some of the messages that a late connection has sent and nobody had time for.
    fn hear_out(&mut self, now: Now, id: ConnId) {
        if self.conn(id).is_some_and(|conn| conn.messages == Messages::InLine) {
            self.work_left = self.work_left.max(HEARD_OUT_WORK);
            self.handle_waiting(now, id);
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
        let late = conn.late(now, limits);
        match late {
            Some(Late::FirstByte) => return self.begin_close(now, id, CloseReason::FirstByteLate),
            // Its password is being looked at: that takes as long as the server needs.
            Some(Late::Login) if self.hub.is_entering(id) => return,
            Some(Late::Login) => return self.begin_close(now, id, CloseReason::LoginLate),
            Some(Late::Request | Late::SignOfLife) | None => {}
        }
        if conn.over_since_ms.is_some_and(|since_ms| passed(since_ms, limits.output_soft_wait)) {
            return self.cut(now, id, CloseReason::TooSlow);
        }
        if late == Some(Late::Request) {
            return self.hub.log_out(now, id, LogoutReason::Idle);
        }
        if !conn.has_heartbeat() {
            return;
        }
        let is_over = late == Some(Late::SignOfLife);
        let silent_ms = after(conn.heard_ms, limits.dead_after);
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
}
