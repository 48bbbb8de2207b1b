//! PURE. Joins hub, fronts and wire: bytes in, bytes out, with budgets, marks and deadlines.
//!
//! Knows no sockets, files, threads or clocks: they are values that come in ([`Input`], [`Now`])
//! and go out ([`Output`], outboxes). The rules it keeps: after each [`Engine::handle`] the caller
//! takes outputs until there are none; an input for an older generation of a slot reaches nobody;
//! a connection is closed once, when its last words are written or their time is over.
//!
//! One turn of the caller's loop: `handle(Turn)`, then what was read and done, then one read of
//! each of [`Engine::late_senders`], then `handle(Deadlines)`, then for each connection of
//! [`Engine::poll_dirty`] one write of [`Engine::outbox`], told by [`Engine::handle_written`].

mod conn;
mod delivery;
mod lateness;
mod lifecycle;
pub mod outbox;
mod pipe;
mod reading;
mod states;
mod strangers;
pub mod timers;

use std::collections::VecDeque;

use bytes::Bytes;

use conn::Conn;
use delivery::Audience;
use outbox::Outbox;
use pipe::Pipes;
use states::Messages;
use strangers::Strangers;
use timers::Timers;

pub use crate::hub::{Policy, Setup};

use crate::facts::{Fact, Stats};
use crate::front::{self, Front};
use crate::hub::{Effect, Hub, Request};
use crate::id::{ConnId, Now, Source, Ticket};
use crate::job::{Directory, Job, Outcome};
use crate::limits::{ANSWER_BYTES_PER_WORK, Limits, WORK_TURN};
use crate::message::{CloseReason, Refusal, Reply};

/// No last words are longer than this, in bytes.
const LAST_WORDS_MAX: usize = 256;

/// What the world tells the engine.
#[derive(Debug)]
pub enum Input<'a> {
    /// A connection was accepted; `peer` is its address, for the log.
    Opened {
        /// The connection.
        conn: ConnId,
        /// Whose limits it counts against.
        source: Source,
        /// Where it comes from.
        peer: &'a str,
    },
    /// It sent something.
    Bytes {
        /// The connection.
        conn: ConnId,
        /// What.
        bytes: &'a [u8],
    },
    /// It closed its side, or the connection broke (`reset`).
    Ended {
        /// The connection.
        conn: ConnId,
        /// Whether nothing can be written to it any more either.
        reset: bool,
    },
    /// A job is done.
    Done {
        /// Which.
        ticket: Ticket,
        /// How it went.
        outcome: Outcome,
    },
    /// Another process has changed the accounts in the store.
    Directory(Directory),
    /// The disk has room for so many bytes more.
    Space(u64),
    /// A turn of the loop begins: budgets are fresh, and what waited for one continues.
    Turn,
    /// All that had come was read: only now is it told who is late.
    Deadlines,
    /// The server stops: everybody is told, outputs are flushed for a bounded time.
    Shutdown,
}

/// What the engine wants from the world.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Close it; nothing more will be said of it.
    Close(ConnId),
    /// All is written: close our end of the stream and keep reading.
    HalfClose(ConnId),
    /// Do not read it until [`Output::Resume`].
    Pause(ConnId),
    /// Read it again.
    Resume(ConnId),
    /// Have a worker do this.
    Job(Ticket, Job),
    /// Something happened; for the audit log and whoever counts.
    Note(Fact),
}

/// The whole server, without a world.
#[derive(Debug)]
pub struct Engine {
    limits: Limits,
    server: String,
    hub: Hub,
    /// By slot.
    conns: Vec<Option<Conn>>,
    timers: Timers,
    /// Slots that the wheel has woken and nobody has looked at yet.
    due: VecDeque<u32>,
    /// Connections with messages that wait for a turn.
    backlog: VecDeque<ConnId>,
    /// Connections with output to write.
    dirty: VecDeque<ConnId>,
    /// Speakers that are not read because one whom they speak to is slow.
    paced: Vec<delivery::Paced>,
    outputs: VecDeque<Output>,
    pipes: Pipes,
    /// Connections that have not logged in.
    strangers: Strangers,
    work_left: u32,
    output_bytes: u64,
    /// While stopping: the next slot to say goodbye to.
    stopping: Option<usize>,
    /// Connections that came since then.
    latecomers: usize,
    stats: Stats,
}

impl Engine {
    /// An engine without connections.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Self {
            limits: setup.limits.clone(),
            server: setup.server.clone(),
            hub: Hub::new(setup, front::help()),
            strangers: Strangers::default(),
            conns: Vec::new(),
            timers: Timers::default(),
            due: VecDeque::new(),
            backlog: VecDeque::new(),
            dirty: VecDeque::new(),
            paced: Vec::new(),
            outputs: VecDeque::new(),
            pipes: Pipes::default(),
            work_left: WORK_TURN,
            output_bytes: 0,
            stopping: None,
            latecomers: 0,
            stats: Stats::default(),
        }
    }

    /// Takes one input. Afterwards outputs are to be taken until there are none.
    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        match input {
            Input::Opened { conn, source, peer } => self.on_opened(now, conn, source, peer),
            Input::Bytes { conn, bytes } => self.on_bytes(now, conn, bytes),
            Input::Ended { conn, reset } => self.on_ended(now, conn, reset),
            Input::Done { ticket, outcome } => self.on_done(now, ticket, outcome),
            Input::Directory(directory) => self.hub.handle_directory(now, directory),
            Input::Space(bytes) => self.hub.files().handle_space(bytes),
            Input::Turn => self.on_turn(now),
            Input::Deadlines => self.on_deadlines(now),
            Input::Shutdown => self.on_shutdown(),
        }
        self.pump(now);
        self.keep_total(now);
        self.pump(now);
    }

    /// The next thing for the world to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next connection that has output to be tried. It is out of the list until there is more
    /// to write or [`Self::handle_writable`] puts it there.
    pub fn poll_dirty(&mut self) -> Option<ConnId> {
        let conn = self.dirty.pop_front()?;
        if let Some(conn) = self.conn_mut(conn) {
            conn.dirty = false;
        }
        Some(conn)
    }

    /// How many connections [`Self::poll_dirty`] would give now.
    #[must_use]
    pub fn dirty_len(&self) -> usize {
        self.dirty.len()
    }

    /// What waits to be written to a connection.
    #[must_use]
    pub fn outbox(&self, conn: ConnId) -> Option<&Outbox> {
        self.conn(conn).map(|conn| &conn.outbox)
    }

    /// The socket took `n` bytes of the outbox; it will not take more now unless `more`.
    pub fn handle_written(&mut self, now: Now, conn: ConnId, n: usize, more: bool) {
        self.on_written(now, conn, n);
        if more {
            self.mark_dirty(conn);
        }
        self.pump(now);
    }

    /// The socket takes output again.
    pub fn handle_writable(&mut self, conn: ConnId) {
        self.mark_dirty(conn);
    }

    /// Whether this turn's budget for requests is spent, so that reading more is of no use.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.work_left == 0
    }

    /// Whether there is work that waits for nothing but the next turn.
    #[must_use]
    pub fn has_work(&self, now: Now) -> bool {
        !self.backlog.is_empty()
            || !self.due.is_empty()
            || self.stopping.is_some_and(|slot| slot < self.conns.len())
            || self.paced.iter().any(|paced| self.is_released(now, paced))
    }

    /// When the next turn is due if nothing happens before, on the monotonic clock.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        let paced = self.paced.iter().filter_map(|paced| self.paced_until_ms(paced)).min();
        [self.timers.next_ms(), self.hub.next_deadline_ms(), paced].into_iter().flatten().min()
    }

    /// Whether all connections of a stopped server are closed. Nobody waits for those that came
    /// after it was told to stop.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.stopping.is_some() && self.stats.connections == self.latecomers
    }

    /// Whether a user is logged in on a connection.
    #[must_use]
    pub(crate) fn is_user(&self, conn: ConnId) -> bool {
        self.conn(conn).is_some_and(|conn| conn.is_named())
    }

    /// Numbers about now and since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            users: self.hub.user_count(),
            rooms: self.hub.room_count(),
            uploads: self.hub.uploads().used(),
            output_bytes: self.output_bytes,
            ..self.stats
        }
    }

    /// The hub, to look at.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Carries out what the hub wants until it wants nothing more.
    fn pump(&mut self, now: Now) {
        while let Some(effect) = self.hub.poll_effect() {
            match effect {
                Effect::Answer { request, answer, late } => {
                    self.answer(now, request, &answer);
                    if late {
                        self.end_wait(now, request.conn);
                    }
                }
                Effect::Wait { conn, alone } => self.begin_wait(conn, alone),
                Effect::Named { conn, named } => self.note_named(now, conn, named),
                Effect::Probe { conn } => self.probe(now, conn),
                Effect::Tell { conn, by, event } => self.tell(now, conn, by, &event),
                Effect::TellRoom { room, by, except, event } => {
                    self.tell_many(now, Audience::Room(room), by, &except, &event);
                }
                Effect::TellAll { by, except, event } => {
                    self.tell_many(now, Audience::All, by, &except, &event);
                }
                Effect::Job { ticket, job } => self.outputs.push_back(Output::Job(ticket, job)),
                Effect::Receive { transfer, size, partial } => {
                    self.begin_receiving(transfer, size, partial);
                }
                Effect::Finish { transfer } => self.finish(transfer),
                Effect::Deliver { transfer, to, blob, offset, size } => {
                    self.begin_delivery(transfer, to, blob, offset..size);
                }
                Effect::StopDelivery { transfer, to } => self.stop_delivery(now, transfer, to),
                Effect::Forget { transfer, keep } => self.forget(transfer, keep),
                Effect::Files(job) => {
                    self.submit(job, pipe::Aim::Nobody);
                }
                Effect::Work { units } => self.spend(units),
                Effect::Close { conn, reason } => self.begin_close(now, conn, reason),
                Effect::Note(fact) => self.note(fact),
            }
        }
    }

    fn answer(&mut self, now: Now, request: Request, answer: &Result<Reply, Refusal>) {
        let Request { conn, id } = request;
        if let Some(front) = self.front_mut(conn) {
            let bytes = front.emit_answer(id, answer);
            self.write_answer(now, conn, bytes);
        }
    }

    /// Writes what a front has made of an answer, and ends the connection if that was all.
    fn write_answer(&mut self, now: Now, conn: ConnId, bytes: Bytes) {
        self.spend(u32::try_from(bytes.len() / ANSWER_BYTES_PER_WORK).unwrap_or(u32::MAX));
        self.push_talk(conn, bytes, false);
        self.after_push(now, conn, None);
        if self.front_mut(conn).is_some_and(|front| front.is_over()) {
            self.begin_close(now, conn, CloseReason::Exit);
        }
    }

    fn spend(&mut self, work: u32) {
        self.work_left = self.work_left.saturating_sub(work);
    }

    fn front_mut(&mut self, conn: ConnId) -> Option<&mut Front> {
        self.conn_mut(conn)?.front.as_mut()
    }

    fn conn(&self, id: ConnId) -> Option<&Conn> {
        self.conns.get(id.slot as usize)?.as_ref().filter(|conn| conn.id == id)
    }

    fn conn_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        tenant(&mut self.conns, id)
    }

    fn note(&mut self, fact: impl Into<Fact>) {
        self.outputs.push_back(Output::Note(fact.into()));
    }

    /// Checks what must always hold, for tests and the simulation.
    ///
    /// # Panics
    /// When it does not.
    pub fn check_invariants(&self) {
        self.hub.check_invariants();
        let live = self.conns.iter().flatten();
        assert_eq!(live.clone().count(), self.stats.connections, "connections are miscounted");
        let bytes: usize = live.clone().map(|conn| conn.outbox.len()).sum();
        assert_eq!(bytes as u64, self.output_bytes, "output is miscounted");
        let late = live.clone().filter(|conn| conn.late).count();
        assert_eq!(late, self.latecomers, "latecomers are miscounted");
        let strangers = live.clone().filter(|conn| conn.is_stranger()).count();
        assert_eq!(strangers as u64, self.strangers.total(), "strangers are miscounted");
        for conn in live {
            // The last words of one that was near its mark come on top of it.
            let last_words = if conn.is_open() { 0 } else { LAST_WORDS_MAX };
            let mark = conn.hard_mark(&self.limits) + last_words;
            assert!(conn.outbox.len() <= mark, "{:?} has output over its mark of {mark}", conn.id);
            assert_eq!(conn.paused, !conn.wants_reading(&self.limits), "{:?} paused", conn.id);
            let open_and_named = conn.is_open() && conn.is_named();
            assert_eq!(open_and_named, self.hub.is_logged_in(conn.id), "{:?} logged in", conn.id);
            let waits = conn.messages == Messages::Stalled && conn.may_ask(&self.limits);
            assert!(!waits, "{:?} has messages and nobody comes", conn.id);
        }
        let slots = self.hub.uploads().used();
        assert_eq!(self.pipes.inbound_len(), slots, "pipes and slots differ");
    }
}

/// The connection itself, if it is still the tenant of its slot: for those who look at other parts
/// of the engine meanwhile.
fn tenant(conns: &mut [Option<Conn>], id: ConnId) -> Option<&mut Conn> {
    conns.get_mut(id.slot as usize)?.as_mut().filter(|conn| conn.id == id)
}
