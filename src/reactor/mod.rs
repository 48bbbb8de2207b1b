//! I/O. The one thread that talks: poll, accept, read, write, and nothing that waits.
//!
//! Knows sockets and the engine, and nothing of rooms or users. One turn, always in this order:
//!
//! ```text
//! wait · turn (what was left over) · accept · read and handle · completions · one read of each
//!      that is late · deadlines · flush · submit jobs · close
//! ```
//!
//! The rules it keeps: a readiness flag falls on `WouldBlock`, or on a read that brought less than
//! was asked for where that means the same (docs/decisions/0012); an event for an older tenant of
//! a slot reaches nobody; slots are freed when the turn is over; work that is left over makes the
//! next wait a glance.

mod connection;
mod door;
mod listener;
mod ready;
mod transport;
mod turns;
mod workers;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::event::Event;
use mio::{Events, Poll, Token, Waker};
use slab::Slab;

use connection::Connection;
use door::{Came, Door};
use listener::Listeners;
use ready::Ready;
use transport::{Peer, Transport};
use turns::Turns;
use workers::{News, Workers};

use crate::address::Address;
use crate::engine::{Engine, Input, Output, Setup};
use crate::facts::{Counts, MemoryCounts, ServerFact, TroubleFact};
use crate::files::Disk;
use crate::id::{ConnId, Now, Ticket, millis};
use crate::job::Job;
use crate::limits::{
    ACCEPT_RETRY, ACCEPTS_TURN, CLOSES_TURN, READ_TURN_BYTES, TURN_FLUSH, TURN_READ, WRITE_BATCH,
    WRITE_JOIN_BYTES,
};
use crate::logging;
use crate::message::visible;
use crate::os::{self, Signal, Signals, Trouble};
use crate::store::Store;

/// No connection ever has this slot: what else the poller watches is told apart by generation.
const SPECIAL_SLOT: u32 = u32::MAX;
const WAKER: u32 = 0;
const SIGNALS: u32 = 1;
const FIRST_LISTENER: u32 = 2;

/// How long the workers may take for their last jobs.
const WORKERS_STOP: Duration = Duration::from_secs(2);

/// Why the server cannot start or keep running.
#[derive(Debug, thiserror::Error)]
pub enum ReactorError {
    /// An address cannot be listened on.
    #[error("cannot listen on {}: {}", visible(&address.to_string()), explain(address, error))]
    Listen {
        /// Which address.
        address: Address,
        /// Why.
        error: io::Error,
    },
    /// The system refuses something that every server needs.
    #[error("the system refuses: {0}")]
    System(#[from] io::Error),
}

fn explain(address: &Address, error: &io::Error) -> String {
    let port = match address {
        Address::Net(address) => Some(address.port().to_string()),
        Address::Host(name) => name.rsplit_once(':').map(|(_, port)| port.to_owned()),
        Address::Unix(_) => None,
    };
    match (error.kind(), port) {
        (io::ErrorKind::AddrInUse, port) => {
            let what = port.map_or("it".to_owned(), |port| format!("port {port}"));
            format!("{what} is in use; stop the other program, or take another --listen")
        }
        (io::ErrorKind::PermissionDenied, Some(port)) => {
            format!("no permission for port {port}; ports below 1024 are the administrator's")
        }
        (io::ErrorKind::AddrNotAvailable, _) => {
            "this machine does not have that address".to_owned()
        }
        _ => error.to_string(),
    }
}

/// A server that listens.
pub(crate) struct Reactor {
    poll: Poll,
    door: Door,
    signals: Signals,
    connections: Slab<Connection>,
    next_generation: u32,
    connections_max: usize,
    engine: Engine,
    workers: Workers,
    /// Connections to be read, in their order.
    ready: Ready,
    jobs: Vec<(Ticket, Job)>,
    to_close: VecDeque<ConnId>,
    /// Connections that the kernel had no memory to write to, and when they are tried again.
    starved: Vec<ConnId>,
    starved_until: Option<Instant>,
    scratch: Box<[u8]>,
    started: Instant,
    drain: Duration,
    /// When a stopping server stops waiting for its clients.
    stop_at: Option<Instant>,
    stop_now: bool,
    turns: Turns,
}

impl Reactor {
    /// Listens on all addresses and starts the workers.
    ///
    /// # Errors
    /// [`ReactorError`] says what is missing; nothing is left behind.
    pub(crate) fn bind(
        listen: &[Address],
        setup: Setup,
        disk: Disk,
        store: Box<dyn Store>,
    ) -> Result<Self, ReactorError> {
        let poll = Poll::new()?;
        let mut listeners = Listeners::bind(listen, setup.limits.dead_after)
            .map_err(|(address, error)| ReactorError::Listen { address, error })?;
        listeners.register(poll.registry(), |index| {
            special(FIRST_LISTENER + u32::try_from(index).unwrap_or(u32::MAX - FIRST_LISTENER))
        })?;
        let waker = Arc::new(Waker::new(poll.registry(), special(WAKER))?);
        let signals = Signals::new(poll.registry(), special(SIGNALS), &waker)?;
        let workers = Workers::start(disk, store, &waker)?;
        let limits = setup.limits.clone();
        Ok(Self {
            poll,
            door: Door::new(listeners),
            signals,
            connections: Slab::new(),
            next_generation: 0,
            connections_max: usize::try_from(limits.connections).unwrap_or(usize::MAX),
            drain: limits.drain,
            engine: Engine::new(setup),
            workers,
            ready: Ready::default(),
            jobs: Vec::new(),
            to_close: VecDeque::new(),
            starved: Vec::new(),
            starved_until: None,
            scratch: vec![0; READ_TURN_BYTES].into_boxed_slice(),
            started: Instant::now(),
            stop_at: None,
            stop_now: false,
            turns: Turns::default(),
        })
    }

    /// Where it listens, with the ports that were taken.
    #[must_use]
    pub(crate) fn addresses(&self) -> Vec<Address> {
        self.door.addresses()
    }

    /// Serves until it is told to stop; answers with its last report.
    ///
    /// # Errors
    /// [`ReactorError::System`] when the poller fails.
    pub(crate) fn run(mut self) -> Result<Box<Counts>, ReactorError> {
        let mut events = Events::with_capacity(1024);
        while !self.is_over() {
            self.wait(&mut events)?;
            let began = Instant::now();
            let now = self.now(began);
            self.take_events(now, &events);
            self.feed(now, Input::Turn);
            self.accept(now, began);
            self.read(now, began);
            self.complete(now);
            self.read_late(now);
            self.feed(now, Input::Deadlines);
            self.flush(now, began);
            self.submit(now);
            self.close();
            self.turns.count(began);
        }
        // Until here each client that came was told why nobody is let in.
        self.door.shut();
        let report = self.report();
        self.workers.stop(if self.stop_now { Duration::ZERO } else { WORKERS_STOP });
        Ok(report)
    }

    fn is_over(&self) -> bool {
        self.stop_now
            || self.engine.is_drained()
            || self.stop_at.is_some_and(|at| Instant::now() >= at)
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let timeout = self.timeout();
        match self.poll.poll(events, timeout) {
            Err(error) if Trouble::of(&error) != Trouble::Retry => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// How long to wait when nothing happens; not at all while work is left over.
    fn timeout(&self) -> Option<Duration> {
        let at = Instant::now();
        let busy = self.ready.len() > 0
            || !self.to_close.is_empty()
            || !self.jobs.is_empty()
            || self.engine.dirty_len() > 0
            || self.engine.has_work(self.now(at));
        if busy {
            return Some(Duration::ZERO);
        }
        let deadline =
            self.engine.next_deadline_ms().map(|ms| self.started + Duration::from_millis(ms));
        let accept = self.door.next_at(at);
        let starved = (!self.starved.is_empty()).then(|| self.starved_until.unwrap_or(at));
        let next = [deadline, accept, starved, self.stop_at].into_iter().flatten().min()?;
        // Deadlines are whole milliseconds: a wait rounded down would come back just before one.
        let wait = next.saturating_duration_since(at);
        Some(if wait.is_zero() { wait } else { wait + Duration::from_millis(1) })
    }

    fn now(&self, at: Instant) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono_ms: millis(at.duration_since(self.started)), wall_ms: millis(wall) }
    }

    fn take_events(&mut self, now: Now, events: &Events) {
        for event in events {
            let id = ConnId::from_token(event.token().0 as u64);
            match id {
                ConnId { slot: SPECIAL_SLOT, generation: WAKER } => {
                    if os::SIGNALS_BY_WAKER {
                        self.take_signals(now);
                    }
                }
                ConnId { slot: SPECIAL_SLOT, generation: SIGNALS } => self.take_signals(now),
                ConnId { slot: SPECIAL_SLOT, generation } => {
                    self.door.on_edge((generation - FIRST_LISTENER) as usize);
                }
                id => self.on_event(id, event),
            }
        }
    }

    fn on_event(&mut self, id: ConnId, event: &Event) {
        let Some(connection) = connection_mut(&mut self.connections, id) else { return };
        connection.on_event(event);
        let writable = event.is_writable() || event.is_write_closed();
        if writable && !std::mem::replace(&mut connection.writable, true) {
            self.engine.handle_writable(id);
        }
        self.line_up(id);
    }

    /// Puts a connection that is to be read in line.
    fn line_up(&mut self, id: ConnId) {
        let Some(connection) = connection_mut(&mut self.connections, id) else { return };
        if connection.wants_turn() {
            connection.queued = true;
            self.ready.push(id, self.engine.is_user(id));
        }
    }

    fn take_signals(&mut self, now: Now) {
        for signal in self.signals.pending() {
            match signal {
                Signal::Stop if self.stop_at.is_some() => self.stop_now = true,
                Signal::Stop => self.begin_stop(now),
                Signal::Report => {
                    let report = self.report();
                    logging::note(ServerFact::Report { report }.into());
                }
                Signal::Reopen => logging::reopen(),
            }
        }
    }

    fn begin_stop(&mut self, now: Now) {
        logging::note(ServerFact::StopAsked.into());
        self.stop_at = Some(Instant::now() + self.drain);
        self.feed(now, Input::Shutdown);
    }

    fn accept(&mut self, now: Now, began: Instant) {
        for _ in 0..ACCEPTS_TURN {
            match self.door.accept(began) {
                Came::One(transport, peer) => self.admit(now, transport, peer),
                Came::Refused => {}
                Came::Nobody => return,
            }
        }
    }

    fn admit(&mut self, now: Now, transport: Transport, peer: Peer) {
        if self.connections.len() >= self.connections_max {
            return self.door.refuse(transport, peer);
        }
        let generation = self.next_generation;
        self.next_generation = self.next_generation.wrapping_add(1);
        let entry = self.connections.vacant_entry();
        let slot = u32::try_from(entry.key()).expect("descriptors are far fewer than 2^32");
        let id = ConnId { slot, generation };
        let connection = entry.insert(Connection::new(transport, generation));
        let token = Token(usize::try_from(id.to_token()).expect("tokens are 64 bits wide"));
        match connection.transport.register(self.poll.registry(), token) {
            Ok(()) => {
                let (source, peer) = (peer.source(), peer.to_string());
                self.feed(now, Input::Opened { conn: id, source, peer: &peer });
            }
            Err(error) => {
                self.connections.remove(slot as usize);
                let text = format!("{peer} cannot be watched: {error}");
                self.door.complain(Instant::now(), &text);
            }
        }
    }

    /// Reads those who are ready, in turn, for as long as the turn may.
    fn read(&mut self, now: Now, began: Instant) {
        for _ in 0..self.ready.len() {
            if self.engine.is_spent() || began.elapsed() > TURN_READ {
                return;
            }
            let Some(id) = self.ready.pop() else { return };
            self.read_one(now, id);
            let Some(connection) = connection_mut(&mut self.connections, id) else { continue };
            connection.queued = false;
            self.line_up(id);
        }
    }

    /// Reads one connection until it has no more, or its budget is spent, or it is to be left.
    fn read_one(&mut self, now: Now, id: ConnId) {
        let mut taken = 0;
        while taken < READ_TURN_BYTES && !self.engine.is_spent() {
            let Some(connection) = connection_mut(&mut self.connections, id) else { return };
            if !connection.readable || connection.paused {
                return;
            }
            taken += self.read_once(now, id, taken);
        }
    }

    /// Reads once those that are about to be judged by what they have not sent: it may lie here
    /// since before the deadline, and nobody had the time to read it.
    fn read_late(&mut self, now: Now) {
        for id in self.engine.late_senders(now) {
            self.read_once(now, id, 0);
        }
    }

    /// Reads once, into what is free of the scratch behind `taken`; answers with the bytes read.
    fn read_once(&mut self, now: Now, id: ConnId, taken: usize) -> usize {
        let Some(connection) = connection_mut(&mut self.connections, id) else { return 0 };
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut read = 0;
        match connection.transport.read(&mut scratch[taken..]) {
            Ok(0) => {
                connection.readable = false;
                self.feed(now, Input::Ended { conn: id, reset: false });
            }
            Ok(n) => {
                connection.note_read(n, scratch.len() - taken);
                self.feed(now, Input::Bytes { conn: id, bytes: &scratch[taken..taken + n] });
                read = n;
            }
            Err(error) => self.on_read_error(now, id, &error),
        }
        self.scratch = scratch;
        read
    }

    fn on_read_error(&mut self, now: Now, id: ConnId, error: &io::Error) {
        let Some(connection) = connection_mut(&mut self.connections, id) else { return };
        match Trouble::of(error) {
            Trouble::Again => connection.readable = false,
            Trouble::Retry => {}
            Trouble::Skip | Trouble::Exhausted | Trouble::Broken => {
                connection.readable = false;
                self.feed(now, Input::Ended { conn: id, reset: true });
            }
        }
    }

    fn complete(&mut self, now: Now) {
        while let Some(news) = self.workers.poll() {
            match news {
                News::Input(input) => self.feed(now, input),
                News::Trouble(why) => {
                    logging::note(TroubleFact::WorkerTrouble { why }.into());
                }
            }
        }
    }

    /// One write for each connection that has output, for as long as the turn may last.
    fn flush(&mut self, now: Now, began: Instant) {
        self.feed_starved(began);
        for _ in 0..self.engine.dirty_len() {
            if began.elapsed() > TURN_FLUSH {
                return;
            }
            let Some(id) = self.engine.poll_dirty() else { return };
            self.write_one(now, id);
        }
    }

    /// Tries those again for whom the kernel had no memory, after a rest.
    fn feed_starved(&mut self, at: Instant) {
        if self.starved.is_empty() {
            return;
        }
        if at < *self.starved_until.get_or_insert(at + ACCEPT_RETRY) {
            return;
        }
        self.starved_until = None;
        for id in std::mem::take(&mut self.starved) {
            self.engine.handle_writable(id);
        }
    }

    fn write_one(&mut self, now: Now, id: ConnId) {
        let Some(connection) = connection_mut(&mut self.connections, id) else { return };
        let Some(outbox) = self.engine.outbox(id).filter(|_| connection.writable) else { return };
        let result = match outbox.join(&mut self.scratch[..WRITE_JOIN_BYTES]) {
            Some(0) => Ok(0),
            Some(n) => connection.transport.write(&self.scratch[..n]),
            None => {
                let mut slices = [IoSlice::new(&[]); WRITE_BATCH];
                let count = outbox.gather(&mut slices);
                connection.transport.write_vectored(&slices[..count])
            }
        };
        match result {
            Ok(n) => self.engine.handle_written(now, id, n, true),
            Err(error) => match Trouble::of(&error) {
                Trouble::Again => connection.writable = false,
                Trouble::Retry => self.engine.handle_writable(id),
                // No edge will come for memory that the kernel has again.
                Trouble::Exhausted => self.starved.push(id),
                Trouble::Skip | Trouble::Broken => {
                    return self.feed(now, Input::Ended { conn: id, reset: true });
                }
            },
        }
        self.take_outputs();
    }

    fn submit(&mut self, now: Now) {
        for (ticket, job) in std::mem::take(&mut self.jobs) {
            if let Some((ticket, outcome)) = self.workers.submit(ticket, job) {
                self.feed(now, Input::Done { ticket, outcome });
            }
        }
    }

    /// Frees the slots of those that the engine has closed, now that no event of this turn is left.
    fn close(&mut self) {
        let count = self.to_close.len().min(CLOSES_TURN);
        for id in self.to_close.drain(..count) {
            if connection_mut(&mut self.connections, id).is_some() {
                self.connections.remove(id.slot as usize);
            }
        }
    }

    /// Tells the engine something, and does what it wants.
    fn feed(&mut self, now: Now, input: Input<'_>) {
        self.engine.handle(now, input);
        self.take_outputs();
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Note(fact) => logging::note(fact),
                Output::Job(ticket, job) => self.jobs.push((ticket, job)),
                Output::Close(id) => self.to_close.push_back(id),
                Output::HalfClose(id) => {
                    if let Some(connection) = connection_mut(&mut self.connections, id) {
                        connection.transport.end();
                    }
                }
                Output::Pause(id) => {
                    if let Some(connection) = connection_mut(&mut self.connections, id) {
                        connection.paused = true;
                    }
                }
                Output::Resume(id) => {
                    if let Some(connection) = connection_mut(&mut self.connections, id) {
                        connection.paused = false;
                    }
                    self.line_up(id);
                }
            }
        }
    }

    fn report(&self) -> Box<Counts> {
        let memory = os::MemoryUse::now().map(|memory| MemoryCounts {
            memory_bytes: memory.resident_bytes,
            memory_peak_bytes: memory.peak_bytes,
        });
        Box::new(Counts {
            engine: self.engine.stats(),
            log_lines_dropped: logging::dropped(),
            turns: self.turns.counts(),
            memory,
        })
    }
}

fn special(generation: u32) -> Token {
    let id = ConnId { slot: SPECIAL_SLOT, generation };
    Token(usize::try_from(id.to_token()).expect("tokens are 64 bits wide"))
}

fn connection_mut(connections: &mut Slab<Connection>, id: ConnId) -> Option<&mut Connection> {
    connections
        .get_mut(id.slot as usize)
        .filter(|connection| connection.generation == id.generation)
}
