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

use parlor::engine::{Input, Setup};
use parlor::id::ConnId;
use parlor::limits::Limits;
use stage::Stage;

#[allow(dead_code)] // each test needs other parts of the stage
#[path = "support/stage.rs"]
mod stage;
#[allow(dead_code)] // and looks at other parts of the workers
#[path = "support/workers.rs"]
mod workers;

/// A stage, the connections to it by their letters, and what each has yet to hear.
struct Play {
    stage: Stage,
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
    let mut play = Play::new(limits_of(text));
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') || line.starts_with("limits ") {
            continue;
        }
        play.step(line).map_err(|fault| format!("line {}: `{line}`: {fault}", index + 1))?;
    }
    play.nothing_left()
}

fn limits_of(text: &str) -> Limits {
    // Who comes and goes is told where a transcript asks for it.
    let mut limits = Limits { presence_users: 0, ..Limits::default() };
    let settings = text.lines().filter_map(|line| line.strip_prefix("limits "));
    for (key, value) in settings.flat_map(str::split_whitespace).filter_map(|s| s.split_once('=')) {
        let value: u64 = value.parse().unwrap();
        match key {
            "accounts_sessions" => limits.accounts_sessions = value,
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

impl Play {
    fn new(limits: Limits) -> Self {
        let stage = Stage::with(Setup { limits, ..Setup::default() });
        Self { stage, conns: BTreeMap::new(), heard: BTreeMap::new() }
    }

    fn step(&mut self, line: &str) -> Result<(), String> {
        let line = &with_hashes(line);
        // A line with nothing in it: its space was trimmed.
        let is_bare = !line.contains(' ') && line.ends_with(['<', '>']);
        let line = &if is_bare { format!("{line} ") } else { line.clone() };
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
            self.stage.feed(Input::Shutdown);
        } else if line == "restart" {
            self.restart();
        } else {
            self.act(line)?;
        }
        self.turn();
        Ok(())
    }

    fn restart(&mut self) {
        self.stage.restart();
        (self.conns, self.heard) = (BTreeMap::new(), BTreeMap::new());
    }

    fn act(&mut self, line: &str) -> Result<(), String> {
        let (who, what) = line.split_once(' ').ok_or("this is no step")?;
        match what {
            "open" => {
                self.open(who);
            }
            "end" => self.stage.feed(Input::Ended { conn: self.conns[who], reset: false }),
            "reset" => self.stage.feed(Input::Ended { conn: self.conns[who], reset: true }),
            _ => return Err("this is no step".to_owned()),
        }
        Ok(())
    }

    fn open(&mut self, who: &str) -> ConnId {
        let conn = self.stage.open();
        self.conns.insert(who.to_owned(), conn);
        self.heard.insert(who.to_owned(), VecDeque::new());
        conn
    }

    fn say(&mut self, who: &str, words: &str) {
        let known = self.conns.get(who).copied();
        let conn = known.unwrap_or_else(|| self.open(who));
        self.stage.put(conn, format!("{words}\r\n").as_bytes());
        if known.is_none() {
            self.turn();
            let greeting = self.heard.get_mut(who).and_then(VecDeque::pop_front);
            assert_eq!(greeting.as_deref(), Some("* parlor: /login NAME to begin, /help for help"));
        }
    }

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
        self.stage.pass(u64::try_from(time.as_millis()).unwrap());
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

    /// The server does all that is to be done, and everybody reads what came to them.
    fn turn(&mut self) {
        self.stage.settle();
        self.stage.engine.check_invariants();
        for (who, conn) in &self.conns {
            let heard = self.heard.get_mut(who).unwrap();
            let text = String::from_utf8(self.stage.came(*conn)).unwrap();
            heard.extend(text.split_terminator("\r\n").map(str::to_owned));
            if self.stage.closed.contains(conn) {
                heard.push_back("| closed".to_owned());
            }
        }
        self.stage.closed.clear();
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
