//! Conversations as text files, held with the engine in virtual time and without sockets.
//!
//! | line | meaning |
//! | --- | --- |
//! | `limits room_members=2` | bounds for this file, before anything else |
//! | `a open` | connection `a` is made (`a>` makes it too, and skips the greeting) |
//! | `a> /login alice` | it sends a line |
//! | `b< [lobby] alice: hi` | it hears a line; `…` stands for any text |
//! | `a\| closed` | the server closes it |
//! | `a end`, `a reset` | it closes its end; its connection breaks |
//! | `+10s`, `+250ms`, `+3min`, `+7d` | time passes |
//! | `shutdown` | the server stops |
//! | `restart` | it is killed, and another one begins on the same folder |
//!
//! `b3:abc` in any line is the BLAKE3 hash of `abc`, in hexadecimal digits.
//!
//! After each step everything that was heard must have been written down, or the file fails.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::Duration;

use parlor::engine::{Engine, Input, Output, Setup};
use parlor::id::{ConnId, Now, Source};
use parlor::job::{Job, Outcome};
use parlor::limits::{Limits, WRITE_BATCH};
use parlor::store::{Memory, Store as _};

use workers::{Blobs, commit_one, hash};

#[allow(dead_code)] // each test looks at other parts of the workers
#[path = "support/workers.rs"]
mod workers;

/// A server, the connections to it by their letters, and what each has yet to hear.
struct Stage {
    limits: Limits,
    engine: Engine,
    disk: Blobs,
    store: Memory,
    now: Now,
    conns: BTreeMap<String, ConnId>,
    heard: BTreeMap<String, VecDeque<String>>,
}

#[test]
fn every_conversation_goes_as_it_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 26, "only {} conversations", paths.len());
    let faults: Vec<String> = paths.iter().filter_map(|path| play_file(path).err()).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_conversation_that_goes_otherwise_fails() {
    let begin = "a> /login alice\na< * welcome, alice\n";
    assert_eq!(play(begin), Ok(()));
    assert!(play(&begin.replace("welcome", "goodbye")).unwrap_err().contains("hears"));
    assert!(play("a> /login alice\n").unwrap_err().contains("not written down"));
    assert!(play(&format!("{begin}a< * more\n")).unwrap_err().contains("hears nothing"));
    assert!(play(&format!("{begin}a| closed\n")).unwrap_err().contains("hears nothing"));
    assert!(play(&format!("{begin}whatever\n")).unwrap_err().contains("no step"));
}

fn play_file(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).unwrap();
    play(&text).map_err(|fault| format!("{}: {fault}", path.display()))
}

fn play(text: &str) -> Result<(), String> {
    let mut stage = Stage::new(limits_of(text));
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') || line.starts_with("limits ") {
            continue;
        }
        stage.step(line).map_err(|fault| format!("line {}: `{line}`: {fault}", index + 1))?;
    }
    stage.nothing_left()
}

fn limits_of(text: &str) -> Limits {
    // Who comes and goes is told where a transcript asks for it.
    let mut limits = Limits { presence_users: 0, ..Limits::default() };
    let settings = text.lines().filter_map(|line| line.strip_prefix("limits "));
    for (key, value) in settings.flat_map(str::split_whitespace).filter_map(|s| s.split_once('=')) {
        let value: u64 = value.parse().unwrap();
        match key {
            "presence_users" => limits.presence_users = value,
            "message_rate" => limits.message_rate = value,
            "letters" => limits.letters = value,
            "timeout_s" => limits.timeout = Duration::from_secs(value),
            "room_members" => limits.room_members = value,
            "rooms" => limits.rooms = value,
            "upload_slots" => limits.upload_slots = value,
            "upload_waiting" => limits.upload_waiting = value,
            "file_bytes" => limits.file_bytes = value,
            "files_user_bytes" => limits.files_user_bytes = value,
            "files_total_bytes" => limits.files_total_bytes = value,
            "upload_credit_bytes" => limits.upload_credit_bytes = value,
            _ => panic!("no limit is called {key} here"),
        }
    }
    limits
}

impl Stage {
    fn new(limits: Limits) -> Self {
        Self {
            engine: Engine::new(Setup { limits: limits.clone(), ..Setup::default() }),
            limits,
            disk: Blobs::default(),
            store: Memory::default(),
            now: Now { mono_ms: 0, wall_ms: 0 },
            conns: BTreeMap::new(),
            heard: BTreeMap::new(),
        }
    }

    fn step(&mut self, line: &str) -> Result<(), String> {
        let line = &with_hashes(line);
        if let Some((who, expected)) = line.split_once("< ") {
            return self.expect(who, expected);
        }
        if let Some((who, expected)) = line.split_once("| ") {
            return self.expect(who, &format!("| {expected}"));
        }
        self.nothing_left()?;
        if let Some((who, words)) = line.split_once("> ") {
            self.say(who, words);
        } else if let Some(time) = line.strip_prefix('+') {
            self.pass(time);
        } else if line == "shutdown" {
            self.feed(Input::Shutdown);
        } else if line == "restart" {
            self.restart();
        } else {
            self.act(line)?;
        }
        self.turn();
        Ok(())
    }

    fn restart(&mut self) {
        self.disk.crash();
        let directory = self.store.directory().unwrap();
        let (catalogue, halves) = (self.store.files().unwrap(), self.disk.halves());
        let limits = self.limits.clone();
        self.engine =
            Engine::new(Setup { limits, directory, catalogue, halves, ..Setup::default() });
        (self.conns, self.heard) = (BTreeMap::new(), BTreeMap::new());
    }

    fn act(&mut self, line: &str) -> Result<(), String> {
        let (who, what) = line.split_once(' ').ok_or("this is no step")?;
        match what {
            "open" => {
                self.open(who);
            }
            "end" => self.feed(Input::Ended { conn: self.conns[who], reset: false }),
            "reset" => self.feed(Input::Ended { conn: self.conns[who], reset: true }),
            _ => return Err("this is no step".to_owned()),
        }
        Ok(())
    }

    fn open(&mut self, who: &str) -> ConnId {
        let slot = u32::try_from(self.conns.len()).unwrap();
        let conn = ConnId { slot, generation: 0 };
        self.conns.insert(who.to_owned(), conn);
        self.heard.insert(who.to_owned(), VecDeque::new());
        self.feed(Input::Opened { conn, source: Source::THIS_MACHINE, peer: "a test" });
        conn
    }

    fn say(&mut self, who: &str, words: &str) {
        let known = self.conns.get(who).copied();
        let conn = known.unwrap_or_else(|| self.open(who));
        self.feed(Input::Bytes { conn, bytes: format!("{words}\r\n").as_bytes() });
        if known.is_none() {
            self.turn();
            let greeting = self.heard.get_mut(who).and_then(VecDeque::pop_front);
            assert_eq!(greeting.as_deref(), Some("* parlor: /login NAME to begin, /help for help"));
        }
    }

    /// Time passes as it does for a reactor: from one deadline to the next.
    fn pass(&mut self, time: &str) {
        let unit = time.trim_start_matches(|c: char| c.is_ascii_digit());
        let number: u64 = time[..time.len() - unit.len()].parse().unwrap();
        let time = match unit {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "min" => Duration::from_secs(60 * number),
            "d" => Duration::from_secs(24 * 60 * 60 * number),
            _ => panic!("a time is like 10s, 250ms, 3min or 7d"),
        };
        let until = self.now.after(time);
        while let Some(next) = self.engine.next_deadline_ms().filter(|&next| next <= until) {
            self.set_time(self.now.mono_ms.max(next) + 1);
            self.turn();
        }
        self.set_time(self.now.mono_ms.max(until));
    }

    fn set_time(&mut self, mono_ms: u64) {
        self.now.wall_ms += mono_ms - self.now.mono_ms;
        self.now.mono_ms = mono_ms;
    }

    fn expect(&mut self, who: &str, expected: &str) -> Result<(), String> {
        let heard = self.heard.get_mut(who).and_then(VecDeque::pop_front);
        match heard {
            None => Err(format!("{who} hears nothing")),
            Some(heard) if fits(&heard, expected) => Ok(()),
            Some(heard) => Err(format!("{who} hears `{heard}`")),
        }
    }

    fn nothing_left(&self) -> Result<(), String> {
        match self.heard.iter().find_map(|(who, lines)| Some((who, lines.front()?))) {
            Some((who, line)) => Err(format!("{who} hears `{line}`, which is not written down")),
            None => Ok(()),
        }
    }

    fn turn(&mut self) {
        // A turn, and a second one for what the first has left.
        for _ in 0..2 {
            self.feed(Input::Turn);
            self.feed(Input::Deadlines);
            while let Some(conn) = self.engine.poll_dirty() {
                self.write(conn);
            }
        }
    }

    fn feed(&mut self, input: Input<'_>) {
        self.engine.handle(self.now, input);
        self.outputs();
    }

    fn outputs(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Job(ticket, job) => {
                    let outcome = match job {
                        Job::File(job) => Outcome::File(self.disk.run(job)),
                        Job::Store(job) => Outcome::Store(commit_one(&mut self.store, job)),
                        Job::Password(job) => Outcome::Password(hash(&job)),
                    };
                    self.engine.handle(self.now, Input::Done { ticket, outcome });
                }
                Output::HalfClose(conn) => {
                    // A peer that has read all closes its end.
                    self.engine.handle(self.now, Input::Ended { conn, reset: false });
                }
                Output::Close(conn) => self.hear(conn, "| closed".to_owned()),
                Output::Note(_) | Output::Pause(_) | Output::Resume(_) => {}
            }
        }
        self.engine.check_invariants();
    }

    fn write(&mut self, conn: ConnId) {
        let mut bytes = Vec::new();
        while let Some(outbox) = self.engine.outbox(conn).filter(|outbox| !outbox.is_empty()) {
            let mut slices = [std::io::IoSlice::new(&[]); WRITE_BATCH];
            let count = outbox.gather(&mut slices);
            let before = bytes.len();
            slices[..count].iter().for_each(|slice| bytes.extend_from_slice(slice));
            let written = bytes.len() - before;
            // What it hears comes before what its reading leads to.
            self.hear_all(conn, &std::mem::take(&mut bytes));
            self.engine.handle_written(self.now, conn, written, true);
            self.outputs();
        }
    }

    fn hear_all(&mut self, conn: ConnId, bytes: &[u8]) {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        for line in text.split_terminator("\r\n") {
            self.hear(conn, line.to_owned());
        }
    }

    fn hear(&mut self, conn: ConnId, line: String) {
        let (who, _) = self.conns.iter().find(|(_, known)| **known == conn).unwrap();
        self.heard.get_mut(who).unwrap().push_back(line);
    }
}

/// A line in which each `b3:abc` has become the hash that it stands for.
fn with_hashes(line: &str) -> String {
    let word = |word: &str| match word.strip_prefix("b3:") {
        Some(content) => blake3::hash(content.as_bytes()).to_hex().to_string(),
        None => word.to_owned(),
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Whether a line is the one expected, in which `…` stands for any text.
fn fits(heard: &str, expected: &str) -> bool {
    match expected.split_once('…') {
        None => heard == expected,
        Some((start, end)) => {
            heard.len() >= start.len() + end.len()
                && heard.starts_with(start)
                && heard.ends_with(end)
        }
    }
}
