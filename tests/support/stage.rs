//! An engine and what stands around it, in virtual time and without sockets.
//!
//! The world of the simplest kind: sockets take all, disks never fail, and who has read all closes
//! their end. The transcripts and the threat rows stand on it. The simulation has a hostile world
//! of its own; the benches turn an engine by themselves, because more callers of it in one program
//! change how it is compiled, and with it the instructions that they count (4 % a delivery).

use super::workers::{Blobs, commit_one, hash};
use parlor::engine::{Engine, Input, Output, Setup};
use parlor::id::{ConnId, Now, Source, Ticket};
use parlor::job::{Job, Outcome, PasswordJob};
use parlor::limits::{Limits, WRITE_BATCH};
use parlor::store::{Memory, Store as _};
use std::io::IoSlice;

/// An engine with its store, its disk and its clock.
pub(crate) struct Stage {
    pub(crate) engine: Engine,
    pub(crate) now: Now,
    pub(crate) store: Memory,
    pub(crate) disk: Blobs,
    /// What each slot was sent and nobody has looked at.
    pub(crate) came: Vec<Vec<u8>>,
    /// The connections that the server has closed, in this order.
    pub(crate) closed: Vec<ConnId>,
    /// The disk does nothing for now, and this waits for it.
    pub(crate) late: Option<Vec<(Ticket, Outcome)>>,
    /// Every job that those who hash were ever given.
    pub(crate) passwords: Vec<PasswordJob>,
    setup: Setup,
}

impl Stage {
    /// Without bounds on strangers and messages, and without presence: most rows ask for others.
    pub(crate) fn new(limits: Limits) -> Self {
        Self::bounded(Limits { before_login: 0, message_rate: 0, presence_users: 0, ..limits })
    }

    pub(crate) fn bounded(limits: Limits) -> Self {
        Self::with(Setup { limits, ..Setup::default() })
    }

    /// Its accounts are those that the setup says, and those that register.
    pub(crate) fn with(setup: Setup) -> Self {
        Self {
            engine: Engine::new(setup.clone()),
            store: Memory::default(),
            disk: Blobs::default(),
            now: Now { mono_ms: 0, wall_ms: 0 },
            came: Vec::new(),
            closed: Vec::new(),
            late: None,
            passwords: Vec::new(),
            setup,
        }
    }

    /// The server goes, and another one opens the same store and the same folders.
    pub(crate) fn restart(&mut self) {
        self.disk.crash();
        let directory = self.store.directory().unwrap();
        let (catalogue, halves) = (self.store.files().unwrap(), self.disk.halves());
        let setup = Setup { directory, catalogue, halves, ..self.setup.clone() };
        self.engine = Engine::new(setup);
        (self.came, self.closed, self.late) = (Vec::new(), Vec::new(), None);
    }

    /// A connection in a new slot.
    pub(crate) fn open(&mut self) -> ConnId {
        self.open_from(Source::THIS_MACHINE)
    }

    pub(crate) fn open_from(&mut self, source: Source) -> ConnId {
        let slot = u32::try_from(self.came.len()).unwrap();
        self.came.push(Vec::new());
        let conn = conn(slot);
        self.feed(Input::Opened { conn, source, peer: "test" });
        conn
    }

    pub(crate) fn feed(&mut self, input: Input<'_>) {
        self.engine.handle(self.now, input);
        self.take_outputs();
    }

    pub(crate) fn take_outputs(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Job(ticket, job) => {
                    let outcome = self.run(job);
                    match &mut self.late {
                        Some(late) => late.push((ticket, outcome)),
                        None => self.engine.handle(self.now, Input::Done { ticket, outcome }),
                    }
                }
                Output::Close(conn) => self.closed.push(conn),
                Output::HalfClose(conn) => {
                    self.engine.handle(self.now, Input::Ended { conn, reset: false });
                }
                Output::Pause(_) | Output::Resume(_) | Output::Note(_) => {}
            }
        }
    }

    /// What the workers say to a job.
    fn run(&mut self, job: Job) -> Outcome {
        match job {
            Job::File(job) => Outcome::File(self.disk.run(job)),
            Job::Store(job) => Outcome::Store(commit_one(&mut self.store, job)),
            Job::Password(job) => {
                let outcome = hash(&job);
                self.passwords.push(job);
                Outcome::Password(outcome)
            }
        }
    }

    /// Sends without reading what it causes.
    pub(crate) fn put(&mut self, conn: ConnId, bytes: &[u8]) {
        self.feed(Input::Bytes { conn, bytes });
    }

    /// What the workers have put off.
    pub(crate) fn late(&self) -> usize {
        self.late.as_ref().map_or(0, Vec::len)
    }

    /// The workers tell of the first of what they have put off, and keep putting off.
    pub(crate) fn finish_one(&mut self) {
        let (ticket, outcome) = self.late.as_mut().expect("they put off").remove(0);
        self.feed(Input::Done { ticket, outcome });
        self.settle();
    }

    /// The workers do what they have put off, and are quick again.
    pub(crate) fn catch_up(&mut self) {
        for (ticket, outcome) in self.late.take().unwrap_or_default() {
            self.feed(Input::Done { ticket, outcome });
        }
        self.settle();
    }

    /// Time passes as it does for a reactor: from one deadline to the next.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        while let Some(next) = self.engine.next_deadline_ms().filter(|&next| next < end) {
            self.set_time(next.max(self.now.mono_ms) + 1);
            self.settle();
        }
        self.set_time(end);
        self.settle();
    }

    fn set_time(&mut self, mono_ms: u64) {
        self.now.wall_ms += mono_ms - self.now.mono_ms;
        self.now.mono_ms = mono_ms;
    }

    /// Another process has changed the store.
    pub(crate) fn read_directory(&mut self) {
        let directory = self.store.directory().unwrap();
        self.feed(Input::Directory(directory));
        self.settle();
    }

    /// Turns until nothing is left to do; all output is taken.
    pub(crate) fn settle(&mut self) {
        while {
            self.turn();
            self.engine.dirty_len() > 0 || self.engine.has_work(self.now)
        } {}
    }

    pub(crate) fn turn(&mut self) {
        self.feed(Input::Turn);
        self.feed(Input::Deadlines);
        self.flush();
    }

    pub(crate) fn flush(&mut self) {
        for _ in 0..self.engine.dirty_len() {
            let Some(conn) = self.engine.poll_dirty() else { break };
            let Some(outbox) = self.engine.outbox(conn) else { continue };
            let mut slices = [IoSlice::new(&[]); WRITE_BATCH];
            let count = outbox.gather(&mut slices);
            let before = self.came[conn.slot as usize].len();
            for slice in &slices[..count] {
                self.came[conn.slot as usize].extend_from_slice(slice);
            }
            let taken = self.came[conn.slot as usize].len() - before;
            self.engine.handle_written(self.now, conn, taken, true);
            self.take_outputs();
        }
    }

    /// What came to a connection since this was asked last.
    pub(crate) fn came(&mut self, conn: ConnId) -> Vec<u8> {
        std::mem::take(&mut self.came[conn.slot as usize])
    }

    /// Sends, settles, and gives what came back.
    pub(crate) fn ask(&mut self, conn: ConnId, bytes: &[u8]) -> Vec<u8> {
        self.put(conn, bytes);
        self.settle();
        self.came(conn)
    }
}

/// The connection in a slot; the first has the last generation there is, so that the next wraps.
pub(crate) fn conn(slot: u32) -> ConnId {
    ConnId { slot, generation: u32::MAX.wrapping_add(slot) }
}
