//! Bytes become requests: which protocol it is, what is whole, what has to wait.
//!
//! Knows no meaning: the front reads and the hub decides. The rules it keeps: what was asked first
//! is handled first; only what could not be handled is kept with the connection; the user who has
//! used up a budget waits for the next turn.

use super::states::Messages;
use super::{Engine, tenant};
use crate::facts::ConnFact;
use crate::front::{self, Detected, Front, Incoming, Reading};
use crate::hub::Request;
use crate::id::{ConnId, Now};
use crate::limits::{COMMANDS_TURN, EMPTY_FRAMES_MAX, WORK_PER_COMMAND, WORK_SHARE};
use crate::message::{CloseReason, Command, Event, Greeting, PROTOCOL_VERSION, Refusal};

impl Engine {
    pub(super) fn on_bytes(&mut self, now: Now, id: ConnId, bytes: &[u8]) {
        let Some(conn) = self.conn_mut(id).filter(|conn| conn.is_open()) else { return };
        if bytes.is_empty() {
            return;
        }
        conn.heard_ms = now.mono_ms;
        if std::mem::take(&mut conn.pinged) {
            // The next ping is due before the end that the silence would have had.
            self.arm(id);
        }
        if self.conn_mut(id).is_some_and(|conn| std::mem::take(&mut conn.probed)) {
            self.hub.handle_heard(id);
        }
        let Some(conn) = self.conn(id) else { return };
        if conn.front.is_none() && !self.on_first_bytes(now, id, bytes) {
            return;
        }
        let may_ask = self.conn(id).is_some_and(|conn| conn.may_ask(&self.limits));
        let Some(conn) = self.conn_mut(id) else { return };
        if conn.is_stalled() || !may_ask {
            conn.tail.extend_from_slice(bytes);
            self.stall(id);
        } else if conn.tail.is_empty() {
            self.process(now, id, bytes);
        } else {
            conn.tail.extend_from_slice(bytes);
            self.process_tail(now, id);
        }
    }

    /// Learns the protocol and greets; says whether what has come can be read.
    fn on_first_bytes(&mut self, now: Now, id: ConnId, bytes: &[u8]) -> bool {
        let Some(conn) = self.conn_mut(id) else { return false };
        let prefix = front::Prefix::of(&conn.tail, bytes);
        match front::detect(&prefix) {
            Detected::Front(front) => {
                let is_too_late = conn.late && !front.traits().answers_latecomers;
                self.greet(id, front);
                if is_too_late {
                    self.begin_close(now, id, CloseReason::Shutdown);
                    return false;
                }
            }
            Detected::More => {
                conn.tail.extend_from_slice(bytes);
                return false;
            }
            Detected::Unknown => {
                let first = prefix.bytes().first().copied().unwrap_or_default();
                self.note(ConnFact::UnknownProtocol { conn: id, first });
                self.begin_close(now, id, CloseReason::UnknownProtocol);
                return false;
            }
        }
        true
    }

    fn greet(&mut self, id: ConnId, mut front: Front) {
        let limits = Greeting::new(&self.limits);
        let server = self.server.clone();
        let hello = Event::Hello { protocol: PROTOCOL_VERSION, server, limits };
        let (traits, bytes) = (front.traits(), front.emit_event(&hello));
        if let Some(conn) = self.conn_mut(id) {
            conn.front = Some(front);
        }
        self.hub.handle_greeted(id, traits.answers_pings);
        self.push_talk(id, bytes, false);
        self.arm(id);
    }

    /// Handles what waits in the tail.
    pub(super) fn process_tail(&mut self, now: Now, conn_id: ConnId) {
        let Some(conn) = self.conn_mut(conn_id) else { return };
        let tail = std::mem::take(&mut conn.tail);
        let scanned = std::mem::take(&mut conn.scanned);
        conn.messages = Messages::Handled;
        let taken = self.process_messages(now, conn_id, &tail, scanned);
        let Some(conn) = self.conn_mut(conn_id) else { return };
        if !conn.is_open() || taken == tail.len() {
            return;
        }
        // Nothing was taken: the same buffer goes back, and grows in place.
        conn.tail = if taken == 0 { tail } else { tail[taken..].to_vec() };
        conn.scanned = if conn.is_stalled() { 0 } else { conn.tail.len() };
    }

    /// Handles what has just been read, straight from where it was read to.
    fn process(&mut self, now: Now, conn_id: ConnId, bytes: &[u8]) {
        let taken = self.process_messages(now, conn_id, bytes, 0);
        let Some(conn) = self.conn_mut(conn_id) else { return };
        if conn.is_open() && taken < bytes.len() {
            conn.tail = bytes[taken..].to_vec();
            conn.scanned = if conn.is_stalled() { 0 } else { conn.tail.len() };
        }
    }

    /// Handles whole messages until there is none, or no budget, or a reason to stop. Answers with
    /// the bytes taken; marks the connection as stalled when messages may be left.
    fn process_messages(
        &mut self,
        now: Now,
        conn_id: ConnId,
        bytes: &[u8],
        mut scanned: usize,
    ) -> usize {
        let mut taken = 0;
        let mut commands_left = COMMANDS_TURN;
        let share_end = self.work_left.saturating_sub(WORK_SHARE);
        loop {
            // What was noted while others were served comes first, and then what each message
            // has caused, before the next is looked at.
            self.pump(now);
            if taken == bytes.len() {
                break;
            }
            let Some(conn) = tenant(&mut self.conns, conn_id).filter(|conn| conn.is_open()) else {
                break;
            };
            if commands_left == 0 || self.work_left <= share_end || !conn.may_ask(&self.limits) {
                self.stall(conn_id);
                break;
            }
            let (trusted, draining) = (conn.is_trusted(), self.stopping.is_some());
            let reading = Reading { scanned, trusted, draining };
            let Some(front) = &mut conn.front else { break };
            match front.read(&bytes[taken..], reading) {
                Ok(Some((Incoming::Request { command: Ok(Command::Exit), .. }, _)))
                    if conn.owed.count() > 0 =>
                {
                    // What was asked before the goodbye is answered before it.
                    if let Some(conn) = self.conn_mut(conn_id) {
                        conn.owed.close();
                    }
                    self.stall(conn_id);
                    break;
                }
                Ok(Some((incoming, length))) => {
                    taken += length;
                    scanned = 0;
                    commands_left -= 1;
                    self.spend(WORK_PER_COMMAND);
                    self.on_incoming(now, conn_id, incoming);
                }
                Ok(None) => break,
                Err(reason) => self.begin_close(now, conn_id, reason),
            }
        }
        taken
    }

    /// Notes that messages wait, and puts the connection in line unless something else must happen
    /// before it may ask.
    pub(super) fn stall(&mut self, conn_id: ConnId) {
        let limits = &self.limits;
        let Some(conn) = tenant(&mut self.conns, conn_id) else { return };
        if !conn.is_stalled() {
            conn.messages = Messages::Stalled;
        }
        if conn.messages == Messages::Stalled && conn.may_ask(limits) {
            conn.messages = Messages::InLine;
            self.backlog.push_back(conn_id);
        }
        self.update_reading(conn_id);
    }

    fn on_incoming(&mut self, now: Now, conn: ConnId, incoming: Incoming<'_>) {
        self.stats.requests += 1;
        // What a client does by itself does not show that a user is there.
        let by_itself = matches!(
            incoming,
            Incoming::Request { command: Ok(Command::Ping | Command::Got { .. }), .. }
        );
        if !by_itself && let Some(conn) = self.conn_mut(conn) {
            conn.asked_ms = now.mono_ms;
        }
        match incoming {
            Incoming::Request { id, command: Ok(command) } => {
                self.hub.handle_command(now, Request { conn, id }, command);
            }
            Incoming::Request { id, command: Err(refusal) } => {
                self.answer(now, Request { conn, id }, &Err(refusal));
            }
            Incoming::Chunk { transfer, bytes } => self.on_chunk(now, conn, transfer, &bytes),
            Incoming::Empty => self.on_empty_frame(now, conn),
            Incoming::Nothing => {}
            Incoming::Own(bytes) => self.write_answer(now, conn, bytes),
        }
    }

    fn on_empty_frame(&mut self, now: Now, conn_id: ConnId) {
        let Some(conn) = self.conn_mut(conn_id) else { return };
        conn.empty_frames = conn.empty_frames.saturating_add(1);
        let too_many = conn.empty_frames >= EMPTY_FRAMES_MAX;
        let refusal = Refusal::BadRequest("a frame without content".to_owned());
        self.answer(now, Request { conn: conn_id, id: None }, &Err(refusal));
        if too_many {
            self.begin_close(now, conn_id, CloseReason::EmptyFrames);
        }
    }
}
