//! What stands in for the reactor: sockets with small buffers, edges, turns, slots used again.
//!
//! It keeps the reactor's contract and its order of a turn; wherever the kernel may choose (how
//! much is read or taken, which event comes first, what comes late or twice), the seed chooses.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::IoSlice;

use parlor::engine::outbox::Outbox;
use parlor::engine::{Engine, Input, Output, Setup};
use parlor::id::{ConnId, Now, Ticket};
use parlor::job::{Catalogue, Directory, FileOutcome, Half, Job, Outcome};
use parlor::limits::{Limits, WRITE_BATCH};
use parlor::message::Digest;

use super::client::{Bounds, Client, Habit};
use super::ledger::Ledger;
use super::oracle::Oracle;
use super::store::Store;
use super::trace::Trace;
use crate::support::rng::Rng;

/// Both directions of one TCP connection, as the kernels at its ends hold them.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) up: VecDeque<u8>,
    /// Bytes that the server has read.
    pub(super) taken: u64,
    pub(super) heard_ms: u64,
    up_max: usize,
    /// The client has closed its end.
    pub(crate) up_ended: bool,
    pub(crate) down: VecDeque<u8>,
    down_max: usize,
    /// The server has closed its end.
    down_ended: bool,
    pub(crate) reset: bool,
    pub(crate) closed: bool,
    pub(crate) closed_ms: u64,
}

/// A socket of the server, and what the poller has said of it.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) generation: u32,
    pub(super) client: usize,
    readable: bool,
    writable: bool,
    pub(super) paused: bool,
    queued: bool,
    /// When it was read last, and when something other than pings was.
    pub(super) heard_ms: u64,
    pub(super) real_ms: u64,
    /// Long times without a turn since it was heard, in all.
    pub(super) gap_ms: u64,
    /// When it last waited for the answer to a login.
    pub(super) entering_ms: u64,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    pub(crate) now: Now,
    pub(crate) rng: Rng,
    pub(crate) clients: Vec<Client>,
    pub(crate) links: Vec<Link>,
    pub(crate) oracle: Oracle,
    pub(crate) store: Store,
    pub(crate) ledger: Ledger,
    /// The sizes of the contents that people have, and hashes of them.
    pub(crate) sizes: Vec<u64>,
    pub(crate) digests: BTreeMap<(u32, u64), Digest>,
    /// Power cuts so far, and how many of a thousand steps are one.
    pub(crate) cuts: u64,
    pub(crate) cut_chance: u64,
    pub(super) turned_ms: u64,
    busy_until_ms: u64,
    pub(crate) trace: Trace,
    pub(crate) tracing: bool,
    pub(crate) closed_ids: Vec<ConnId>,
    pub(crate) knocking: VecDeque<usize>,
    pub(super) sockets: Vec<Option<Socket>>,
    pub(super) free: Vec<u32>,
    next_generation: u32,
    pub(super) events: Vec<(ConnId, bool, bool)>,
    pub(super) ready: VecDeque<ConnId>,
    pub(super) jobs: Vec<(Ticket, Job)>,
    pub(super) to_close: Vec<ConnId>,
    closing: BTreeSet<ConnId>,
    /// Connections that were not read when the deadlines of this turn passed.
    pub(super) unread: BTreeSet<ConnId>,
}

pub(super) fn start(
    limits: &Limits,
    directory: Directory,
    catalogue: Catalogue,
    halves: Vec<Half>,
) -> Engine {
    Engine::new(Setup {
        catalogue,
        halves,
        server: "sim".to_owned(),
        limits: limits.clone(),
        log_bodies: true,
        directory,
        token_key: [7; 32],
        ..Setup::default()
    })
}

impl World {
    pub(crate) fn new(limits: Limits, rng: Rng, tracing: bool) -> Self {
        let first = Catalogue { next: 1, ..Catalogue::default() };
        Self {
            engine: start(&limits, Directory::default(), first, Vec::new()),
            oracle: Oracle::new(&limits),
            limits,
            now: Now { mono_ms: 0, wall_ms: 1_700_000_000_000 },
            rng,
            clients: Vec::new(),
            links: Vec::new(),
            store: Store::default(),
            ledger: Ledger::default(),
            sizes: Vec::new(),
            digests: BTreeMap::new(),
            cuts: 0,
            cut_chance: 0,
            turned_ms: 0,
            busy_until_ms: 0,
            trace: Trace::default(),
            tracing,
            closed_ids: Vec::new(),
            knocking: VecDeque::new(),
            sockets: Vec::new(),
            free: Vec::new(),
            // The number wraps in the middle of a run (row 13).
            next_generation: u32::MAX - 10,
            events: Vec::new(),
            ready: VecDeque::new(),
            jobs: Vec::new(),
            to_close: Vec::new(),
            closing: BTreeSet::new(),
            unread: BTreeSet::new(),
        }
    }

    /// A client begins to connect.
    pub(crate) fn connect(&mut self, client: Client) {
        let up_max = *self.rng.pick(&[100, 1_000, 30_000]);
        let down_max = *self.rng.pick(&[16, 300, 3_000, 60_000]);
        self.knocking.push_back(self.clients.len());
        self.clients.push(client);
        self.links.push(Link {
            up: VecDeque::new(),
            taken: 0,
            heard_ms: 0,
            up_max,
            up_ended: false,
            down: VecDeque::new(),
            down_max,
            down_ended: false,
            reset: false,
            closed: false,
            closed_ms: 0,
        });
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.wall_ms += ms;
    }

    /// Some of what a client has written reaches the server's kernel.
    pub(crate) fn send(&mut self, index: usize, all: bool) {
        let (client, link) = (&mut self.clients[index], &mut self.links[index]);
        let Some(conn) = client.conn else { return };
        let room = (link.up_max - link.up.len()).min(client.unsent.len());
        if room == 0 || link.reset || link.up_ended || client.habit == Habit::HalfOpen {
            return;
        }
        let n = if all { room } else { 1 + self.rng.index(room) };
        link.up.extend(client.unsent.drain(..n));
        self.events.push((conn, true, false));
    }

    /// A client reads some of what its kernel holds.
    pub(crate) fn receive(&mut self, index: usize, most: usize) {
        let (client, link) = (&mut self.clients[index], &mut self.links[index]);
        let n = link.down.len().min(most);
        if n == 0 || link.reset || client.habit == Habit::HalfOpen {
            return;
        }
        let bytes: Vec<u8> = link.down.drain(..n).collect();
        if self.tracing {
            eprintln!("  {} reads {:?}", client.label(), String::from_utf8_lossy(&bytes));
        }
        let bounds = Bounds {
            slots: self.limits.upload_slots,
            waiting: self.limits.upload_waiting,
            credit: self.limits.upload_credit_bytes,
            disk: &self.store,
        };
        client.read(&bytes, &mut self.oracle, &bounds);
        let client = &self.clients[index];
        if let Some(conn) = client.conn
            && self.socket(conn).is_some_and(|socket| !socket.writable)
        {
            self.events.push((conn, false, true));
        }
    }

    /// A client closes its end.
    pub(crate) fn finish(&mut self, index: usize) {
        let Some(conn) = self.clients[index].conn else { return };
        self.clients[index].finished = true;
        self.links[index].up_ended = true;
        self.events.push((conn, true, false));
    }

    /// A client's connection breaks.
    pub(crate) fn reset(&mut self, index: usize) {
        let Some(conn) = self.clients[index].conn else { return };
        self.break_link(index);
        self.events.push((conn, true, true));
    }

    /// Whether the client can neither be told nor tell anything any more.
    pub(crate) fn is_over(&self, index: usize) -> bool {
        let (client, link) = (&self.clients[index], &self.links[index]);
        let is_deaf = client.habit == Habit::HalfOpen;
        link.reset || (link.closed && (is_deaf || link.down.is_empty()))
    }

    /// An event that the poller has no reason for.
    pub(crate) fn spurious(&mut self, conn: ConnId) {
        let (readable, writable) = (self.rng.chance(500), self.rng.chance(500));
        self.events.push((conn, readable, writable));
    }

    pub(crate) fn turn(&mut self) {
        let budget = 1 + self.rng.index(12);
        if self.rng.chance(2) {
            self.busy_until_ms = self.now.mono_ms + self.rng.below(8_000);
        }
        // While the server is busy its turns end before anybody is read.
        let readers = if self.now.mono_ms < self.busy_until_ms { 0 } else { budget };
        self.take_events();
        self.feed(Input::Turn);
        self.accept();
        self.read(readers);
        self.tell_files_done();
        self.tell_done();
        self.read_late();
        self.feed(Input::Deadlines);
        self.check_deadlines();
        self.flush(budget);
        for (ticket, job) in std::mem::take(&mut self.jobs) {
            self.submit(ticket, job);
        }
        self.close();
    }

    /// Whether nothing would happen if no client did anything and no time passed.
    pub(crate) fn is_quiet(&self) -> bool {
        self.events.is_empty()
            && self.ready.is_empty()
            && self.jobs.is_empty()
            && self.knocking.is_empty()
            && self.store.is_idle()
            && self.ledger.is_idle()
            && self.engine.dirty_len() == 0
            && !self.engine.has_work(self.now)
    }

    pub(crate) fn sockets_left(&self) -> usize {
        self.sockets.iter().flatten().count()
    }

    /// Tells the engine something, does what it wants, and checks what must always hold.
    pub(crate) fn feed(&mut self, input: Input<'_>) {
        if self.tracing && !matches!(input, Input::Turn | Input::Deadlines) {
            eprintln!("{:>7} {input:?}", self.now.mono_ms);
        }
        self.oracle.vault.tick();
        self.engine.handle(self.now, input);
        self.take_outputs();
        self.oracle.settle_files(self.now);
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            if self.tracing {
                eprintln!("{:>7} -> {output:?}", self.now.mono_ms);
            }
            self.on_output(output);
            self.oracle.look();
        }
        self.engine.check_invariants();
        let waiting = self.engine.stats().output_bytes;
        assert!(waiting <= self.limits.output_total_bytes, "{waiting} bytes wait in all");
    }

    fn on_output(&mut self, output: Output) {
        match output {
            Output::Note(fact) => {
                self.check_unread(&fact);
                self.trace.logged(self.now.mono_ms, &fact);
                self.oracle.note(self.now.mono_ms, &fact);
            }
            Output::Job(ticket, job) => {
                self.trace.submitted(self.now.mono_ms, &job);
                match &job {
                    Job::File(job) => self.oracle.note_file_job(job),
                    Job::Store(job) => self.oracle.note_store_job(self.now, job),
                    Job::Password(_) => {}
                }
                self.jobs.push((ticket, job));
            }
            Output::Close(id) => {
                self.trace.closed(self.now.mono_ms, id);
                assert!(self.socket(id).is_some(), "{id:?} is closed and not open");
                assert!(self.closing.insert(id), "{id:?} is closed twice");
                self.to_close.push(id);
            }
            Output::HalfClose(id) => {
                let client = self.socket(id).expect("a live connection is half closed").client;
                self.links[client].down_ended = true;
            }
            Output::Pause(id) => {
                let socket = self.socket(id).expect("a live connection is paused");
                assert!(!std::mem::replace(&mut socket.paused, true), "{id:?} paused twice");
            }
            Output::Resume(id) => {
                let now_ms = self.now.mono_ms;
                let socket = self.socket(id).expect("a live connection is resumed");
                // What waited is asked only now.
                socket.real_ms = now_ms;
                assert!(std::mem::replace(&mut socket.paused, false), "{id:?} resumed twice");
                self.on_edge(id, false, false);
            }
        }
    }

    fn take_events(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        while !events.is_empty() {
            let at = self.rng.index(events.len());
            let (id, readable, writable) = events.swap_remove(at);
            self.on_edge(id, readable, writable);
        }
    }

    fn on_edge(&mut self, id: ConnId, readable: bool, writable: bool) {
        let Some(socket) = self.socket(id) else { return };
        socket.readable |= readable;
        let wants_turn = socket.readable && !socket.paused && !socket.queued;
        socket.queued |= wants_turn;
        let woken = writable && !std::mem::replace(&mut socket.writable, true);
        if wants_turn {
            self.ready.push_back(id);
        }
        if woken {
            self.engine.handle_writable(id);
        }
    }

    fn accept(&mut self) {
        if self.oracle.stopping {
            for index in std::mem::take(&mut self.knocking) {
                self.links[index].closed = true;
            }
        }
        while let Some(index) = self.knocking.pop_front() {
            let slot = self.free.pop().unwrap_or_else(|| {
                self.sockets.push(None);
                u32::try_from(self.sockets.len() - 1).unwrap()
            });
            let generation = self.next_generation;
            self.next_generation = generation.wrapping_add(1);
            let id = ConnId { slot, generation };
            self.clients[index].conn = Some(id);
            self.sockets[slot as usize] = Some(Socket {
                generation,
                client: index,
                readable: false,
                writable: true,
                paused: false,
                queued: false,
                heard_ms: self.now.mono_ms,
                real_ms: self.now.mono_ms,
                gap_ms: 0,
                entering_ms: 0,
            });
            let source = self.clients[index].source;
            self.feed(Input::Opened { conn: id, source, peer: "virtual" });
        }
    }

    fn read(&mut self, budget: usize) {
        for _ in 0..self.ready.len().min(budget) {
            if self.engine.is_spent() {
                return;
            }
            let Some(id) = self.ready.pop_front() else { return };
            self.read_one(id);
            let Some(socket) = self.socket(id) else { continue };
            socket.queued = socket.readable && !socket.paused;
            if socket.queued {
                self.ready.push_back(id);
            }
        }
    }

    fn read_one(&mut self, id: ConnId) {
        for _ in 0..1 + self.rng.below(4) {
            let most = *self.rng.pick(&[1, 7, 64, 1_000, 65_536]);
            let Some(socket) = self.socket(id) else { return };
            if !socket.readable || socket.paused {
                return;
            }
            self.read_once(id, most);
        }
    }

    pub(super) fn read_once(&mut self, id: ConnId, most: usize) {
        let Some(socket) = self.socket(id) else { return };
        let client = socket.client;
        let link = &mut self.links[client];
        let n = link.up.len().min(most);
        if n == 0 || link.reset {
            let (ended, reset) = (link.up_ended || link.reset, link.reset);
            if let Some(socket) = self.socket(id) {
                socket.readable = false;
            }
            if ended {
                self.feed(Input::Ended { conn: id, reset });
            }
            return;
        }
        let bytes: Vec<u8> = link.up.drain(..n).collect();
        self.note_heard(id, client, n);
        self.feed(Input::Bytes { conn: id, bytes: &bytes });
    }

    fn flush(&mut self, budget: usize) {
        for _ in 0..self.engine.dirty_len().min(budget) {
            let Some(id) = self.engine.poll_dirty() else { return };
            self.write_one(id);
        }
    }

    fn write_one(&mut self, id: ConnId) {
        let Some(socket) = self.socket(id) else { return };
        let (client, writable) = (socket.client, socket.writable);
        let Some(outbox) = self.engine.outbox(id).filter(|_| writable) else { return };
        let mut slices = [IoSlice::new(&[]); WRITE_BATCH];
        let count = outbox.gather(&mut slices);
        let link = &mut self.links[client];
        let offered: usize = slices[..count].iter().map(|slice| slice.len()).sum();
        let room = link.down_max - link.down.len().min(link.down_max);
        if link.reset {
            return self.feed(Input::Ended { conn: id, reset: true });
        }
        assert!(!link.down_ended || offered == 0, "{id:?} is written to after its end");
        if offered > 0 && room == 0 {
            if let Some(socket) = self.socket(id) {
                socket.writable = false;
            }
            return;
        }
        if self.rng.chance(20) {
            return self.engine.handle_writable(id);
        }
        let mut n = offered.min(room);
        if n > 0 && self.rng.chance(300) {
            n = 1 + self.rng.index(n);
        }
        let before = link.down.len();
        link.down.extend(slices[..count].iter().flat_map(|slice| slice.iter()).take(n));
        let (first, second) = link.down.as_slices();
        let new =
            [&first[before.min(first.len())..], &second[before.saturating_sub(first.len())..]];
        self.trace.written(id, new.into_iter());
        let bulk = |engine: &Engine| engine.outbox(id).map_or(0, Outbox::bulk_len);
        let before = bulk(&self.engine);
        self.engine.handle_written(self.now, id, n, true);
        self.take_outputs();
        let (after, now_ms) = (bulk(&self.engine), self.now.mono_ms);
        if after < before
            && let Some(socket) = self.socket(id)
        {
            // Whoever is sent a file is at it.
            socket.real_ms = now_ms;
        }
    }

    fn close(&mut self) {
        for id in std::mem::take(&mut self.to_close) {
            let socket = self.sockets[id.slot as usize].take().expect("it was open");
            assert_eq!(socket.generation, id.generation);
            let link = &mut self.links[socket.client];
            (link.closed, link.closed_ms) = (true, self.now.mono_ms);
            self.free.push(id.slot);
            self.closed_ids.push(id);
        }
    }

    fn note_heard(&mut self, id: ConnId, client: usize, n: usize) {
        let now_ms = self.now.mono_ms;
        let link = &mut self.links[client];
        let is_real = link.taken < self.clients[client].real_end;
        link.taken += n as u64;
        link.heard_ms = now_ms;
        let Some(socket) = self.socket(id) else { return };
        (socket.heard_ms, socket.gap_ms) = (now_ms, 0);
        if is_real {
            socket.real_ms = now_ms;
        }
    }

    pub(super) fn socket(&mut self, id: ConnId) -> Option<&mut Socket> {
        let socket = self.sockets.get_mut(id.slot as usize)?.as_mut();
        socket.filter(|socket| socket.generation == id.generation)
    }

    /// Something for an older tenant of a slot, or for a job that is over.
    pub(crate) fn stale(&mut self) {
        if let Some(&ticket) = self.store.told.last()
            && self.rng.chance(300)
        {
            let outcome = match self.rng.below(3) {
                0 => FileOutcome::Done,
                1 => FileOutcome::Bytes(b"STALE".to_vec()),
                _ => FileOutcome::Failed("stale".to_owned()),
            };
            return self.feed(Input::Done { ticket, outcome: Outcome::File(outcome) });
        }
        if self.closed_ids.is_empty() {
            return;
        }
        let conn = *self.rng.pick(&self.closed_ids);
        assert!(self.engine.outbox(conn).is_none(), "{conn:?} is over and has an outbox");
        let bytes: &[u8] = match self.rng.below(3) {
            0 => b"/broadcast STALE\r\n",
            1 => b"\0\0\0\x22\x01{\"id\":1,\"op\":\"say\",\"text\":\"STALE\"}",
            _ => b"\xffSTALE",
        };
        match self.rng.below(6) {
            0 | 1 => self.feed(Input::Bytes { conn, bytes }),
            2 => self.feed(Input::Ended { conn, reset: self.now.mono_ms.is_multiple_of(2) }),
            3 => self.engine.handle_writable(conn),
            4 => {
                self.engine.handle_written(self.now, conn, 0, true);
                self.take_outputs();
            }
            _ => self.spurious(conn),
        }
    }

    /// Everybody reads and sends from now on.
    pub(crate) fn heal(&mut self) {
        (self.ledger.healed, self.store.healed) = (true, true);
        for index in 0..self.clients.len() {
            if self.clients[index].habit == Habit::HalfOpen && !self.is_over(index) {
                self.reset(index);
            } else if self.clients[index].habit == Habit::HalfOpen {
                self.break_link(index);
            }
        }
        for client in &mut self.clients {
            if client.habit != Habit::HalfOpen {
                client.habit = Habit::Healthy;
            }
        }
    }
}
