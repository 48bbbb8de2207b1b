//! An engine and what stands around it, in virtual time, for the rows that need no sockets.

use crate::support::{Frames, frame};
use crate::workers::{Blobs, commit_one, hash};
use parlor::engine::{Engine, Input, Output, Setup};
use parlor::id::{ConnId, Now, Source, Ticket};
use parlor::job::{Job, Outcome, PasswordJob, StoreJob};
use parlor::limits::{Limits, WRITE_BATCH};
use parlor::message::UserName;
use parlor::store::{Memory, Store as _};
use serde_json::{Value, json};
use std::io::IoSlice;

/// An engine with a world of the simplest kind: sockets take all, disks never fail.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) now: Now,
    pub(crate) store: Memory,
    pub(crate) disk: Blobs,
    /// What each slot was sent and its test has not looked at.
    pub(crate) came: Vec<Vec<u8>>,
    pub(crate) closed: usize,
    /// The disk does nothing for now, and this waits for it.
    pub(crate) late: Option<Vec<(Ticket, Outcome)>>,
    /// Every job that those who hash were ever given.
    pub(crate) passwords: Vec<PasswordJob>,
    setup: Setup,
}

impl World {
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
            closed: 0,
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
        (self.came, self.closed, self.late) = (Vec::new(), 0, None);
    }

    /// A connection in a new slot; its generation is the last there is, so that the next wraps.
    pub(crate) fn open(&mut self) -> ConnId {
        self.open_from(Source::THIS_MACHINE)
    }

    pub(crate) fn open_from(&mut self, source: Source) -> ConnId {
        let slot = u32::try_from(self.came.len()).unwrap();
        self.came.push(Vec::new());
        let conn = ConnId { slot, generation: u32::MAX.wrapping_add(slot) };
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
                Output::Close(_) => self.closed += 1,
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

    /// The workers tell of the first of what they have put off, and go on putting off.
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

    /// Time passes, a tick of the wheel at a time.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        while self.now.mono_ms < end {
            let step = 100.min(end - self.now.mono_ms);
            self.now.mono_ms += step;
            self.now.wall_ms += step;
            self.settle();
        }
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
        let answer = self.answer(conn, json!({"op": "join", "room": room}));
        assert_eq!(answer["ok"], "joined", "{answer}");
    }

    /// Registers and is logged in.
    pub(crate) fn register(&mut self, name: &str) -> ConnId {
        let conn = self.open();
        self.register_on(conn, name);
        conn
    }

    pub(crate) fn register_on(&mut self, conn: ConnId, name: &str) {
        let register = json!({"id": 1, "op": "register", "user": name, "password": PASSWORD});
        let came = self.ask_json(conn, &register);
        assert!(came.iter().any(|came| came["ok"] == "welcome"), "{came:?}");
    }

    /// Asks something; what was answered, without what was heard beside it.
    pub(crate) fn answer(&mut self, conn: ConnId, mut message: Value) -> Value {
        message["id"] = json!(77);
        let came = self.ask_json(conn, &message);
        let answers: Vec<_> = came.iter().filter(|came| came["re"] == 77).collect();
        assert_eq!(answers.len(), 1, "{message}: {came:?}");
        answers[0].clone()
    }

    /// The code of the refusal that something is answered with, or the kind of the reply.
    pub(crate) fn code(&mut self, conn: ConnId, message: Value) -> String {
        code_of(&self.answer(conn, message))
    }

    /// All that somebody has heard and was not looked at.
    pub(crate) fn heard(&mut self, conn: ConnId) -> Vec<Value> {
        Frames::all(&self.came(conn))
    }

    /// Nobody has heard anything yet.
    pub(crate) fn forget_heard(&mut self) {
        self.came.iter_mut().for_each(Vec::clear);
    }

    /// An account is made as `parlor user add` does.
    pub(crate) fn add_account(&mut self, name: &str) {
        let hash = format!("hash of {PASSWORD}");
        let name = UserName::parse(name).unwrap();
        self.store.commit_elsewhere(&[StoreJob::Create { name, hash }]);
        self.read_directory();
    }

    /// An account is removed as `parlor user remove` does.
    pub(crate) fn remove_account(&mut self, name: &str) {
        assert!(self.store.remove_elsewhere(UserName::parse(name).unwrap()));
        self.read_directory();
    }

    /// All that the server knows, in words.
    pub(crate) fn state(&self) -> String {
        format!("{:?}", self.engine.hub())
    }
}

/// The password of everybody who registers here.
pub(crate) const PASSWORD: &str = "opensesame";

/// The code of a refusal, or the kind of a reply.
pub(crate) fn code_of(answer: &Value) -> String {
    let code = answer["error"]["code"].as_str().or(answer["ok"].as_str());
    code.unwrap_or_else(|| panic!("no answer: {answer}")).to_owned()
}

/// The milliseconds that a refusal tells to wait; its text tells the same in seconds.
pub(crate) fn wait_ms(answer: &Value) -> u64 {
    let wait_ms = answer["error"]["wait_ms"].as_u64().unwrap();
    let text = format!("try again in {} s", wait_ms.div_ceil(1_000));
    assert!(answer["error"]["text"].as_str().unwrap().ends_with(&text), "{answer}");
    wait_ms
}

/// A login with the password that everybody has.
pub(crate) fn login(name: &str) -> Value {
    json!({"op": "login", "user": name, "password": PASSWORD})
}

pub(crate) fn guest(name: &str) -> Value {
    json!({"op": "login", "user": name})
}

pub(crate) fn whisper(to: &str, text: &str) -> Value {
    json!({"op": "whisper", "user": to, "text": text})
}

pub(crate) fn resume(name: &str, token: &Value) -> Value {
    json!({"op": "login", "user": name, "token": token})
}

/// How many messages are of a kind.
pub(crate) fn count(heard: &[Value], kind: &str) -> usize {
    heard.iter().filter(|event| event["ev"] == kind).count()
}
