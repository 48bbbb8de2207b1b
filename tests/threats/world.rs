//! An engine and what stands around it, in virtual time, for the rows that need no sockets.

use crate::support::{Frames, frame};
use crate::workers::{commit_one, hash};
use parlor::engine::{Engine, Input, Output, Setup};
use parlor::id::{ConnId, Now, Source, Ticket};
use parlor::job::{FileJob, FileOutcome, Job, Outcome};
use parlor::limits::{Limits, WRITE_BATCH};
use parlor::store::Memory;
use serde_json::{Value, json};
use std::io::IoSlice;

/// An engine with a world of the simplest kind: sockets take all, disks never fail.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) now: Now,
    pub(crate) store: Memory,
    /// What each slot was sent and its test has not looked at.
    pub(crate) came: Vec<Vec<u8>>,
    pub(crate) closed: usize,
    /// The disk does nothing for now, and this waits for it.
    pub(crate) late: Option<Vec<(Ticket, Outcome)>>,
}

impl World {
    /// Without bounds on strangers and messages, and without presence: most rows ask for others.
    pub(crate) fn new(limits: Limits) -> Self {
        Self::bounded(Limits { before_login: 0, message_rate: 0, presence_users: 0, ..limits })
    }

    pub(crate) fn bounded(limits: Limits) -> Self {
        let engine = Engine::new(Setup { limits, ..Setup::default() });
        Self {
            engine,
            store: Memory::default(),
            now: Now { mono_ms: 0, wall_ms: 0 },
            came: Vec::new(),
            closed: 0,
            late: None,
        }
    }

    /// A connection in a new slot; its generation is the last there is, so that the next wraps.
    pub(crate) fn open(&mut self) -> ConnId {
        let slot = u32::try_from(self.came.len()).unwrap();
        self.came.push(Vec::new());
        let conn = ConnId { slot, generation: u32::MAX.wrapping_add(slot) };
        self.feed(Input::Opened { conn, source: Source::THIS_MACHINE, peer: "test" });
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
                Output::Close(_) => self.closed += 1,
                Output::HalfClose(conn) => {
                    self.engine.handle(self.now, Input::Ended { conn, reset: false });
                }
                Output::Pause(_) | Output::Resume(_) | Output::Audit(_) => {}
            }
        }
    }

    /// What the workers say to a job.
    fn run(&mut self, job: Job) -> Outcome {
        match job {
            Job::File(FileJob::Read { len, .. }) => {
                Outcome::File(FileOutcome::Bytes(vec![0; len as usize]))
            }
            Job::File(FileJob::Create { .. } | FileJob::Append { .. } | FileJob::Remove { .. }) => {
                Outcome::File(FileOutcome::Done)
            }
            Job::Store(job) => Outcome::Store(commit_one(&mut self.store, job)),
            Job::Password(job) => Outcome::Password(hash(&job)),
        }
    }

    /// Sends without reading what it causes.
    pub(crate) fn put(&mut self, conn: ConnId, bytes: &[u8]) {
        self.feed(Input::Bytes { conn, bytes });
    }

    /// The workers do what they have put off, and are quick again.
    pub(crate) fn catch_up(&mut self) {
        for (ticket, outcome) in self.late.take().unwrap_or_default() {
            self.feed(Input::Done { ticket, outcome });
        }
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

    pub(crate) fn ask_json(&mut self, conn: ConnId, message: &Value) -> Vec<Value> {
        Frames::all(&self.ask(conn, &frame(message)))
    }

    pub(crate) fn login(&mut self, name: &str) -> ConnId {
        let conn = self.open();
        let came = self.ask_json(conn, &json!({"op": "login", "user": name}));
        assert_eq!(came[1]["ok"], "welcome");
        conn
    }

    pub(crate) fn join(&mut self, conn: ConnId, room: &str) {
        let came = self.ask_json(conn, &json!({"op": "join", "room": room}));
        assert_eq!(came[0]["ok"], "joined", "{came:?}");
    }

    /// All that the server knows, in words.
    pub(crate) fn state(&self) -> String {
        format!("{:?}", self.engine.hub())
    }
}
