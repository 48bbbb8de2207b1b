//! Who may hear what, worked out from the audit log alone.
//!
//! The log tells in one order who came, moved, spoke and went. From that follows for each
//! connection, line by line, what its client must read; whatever else it reads is a fault.

use std::collections::{BTreeMap, VecDeque};

use parlor::message::{Category, CloseReason, Level, Record};

/// What a client must read next, in text notation, and whether it counts as a message of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) line: String,
    pub(crate) said: bool,
}

#[derive(Debug)]
struct Member {
    /// The connection as the log writes it: `c0.1`.
    conn: String,
    room: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Announced {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) file: String,
    pub(crate) size: u64,
    at_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Oracle {
    users: BTreeMap<String, Member>,
    pub(crate) due: BTreeMap<String, VecDeque<Due>>,
    pub(crate) transfers: BTreeMap<u32, Announced>,
    pub(crate) stopping: bool,
    /// When connections ended because their clients had said all.
    pub(crate) ended_ms: BTreeMap<String, u64>,
    /// Messages that members were to hear.
    pub(crate) said: u64,
}

impl Oracle {
    pub(crate) fn note(&mut self, now_ms: u64, record: &Record) {
        let text = &record.text;
        match (record.category, record.level) {
            (Category::Login, _) => self.note_login(text),
            (Category::Join, _) => self.note_join(text),
            (Category::Leave, _) => self.note_leave(text),
            (Category::Broadcast, Level::Debug) => self.note_said(text),
            (Category::Whisper, Level::Debug) => self.note_whisper(text),
            (Category::Disconnect, _) => self.note_gone(now_ms, text),
            (Category::SendFile, _) => self.note_file(now_ms, text),
            (Category::FileQueue, _) => self.note_queue(now_ms, text),
            _ => {}
        }
    }

    /// Takes from the lines due to a connection the one that has come.
    pub(crate) fn heard(&mut self, conn: &str, line: &str) {
        let due = self.due.get_mut(conn).and_then(VecDeque::pop_front);
        assert_eq!(due.map(|due| due.line).as_deref(), Some(line), "{conn} hears what it must not");
    }

    /// How many lines, and how many messages among them, a connection has not read.
    pub(crate) fn unheard(&self, conn: &str) -> (usize, u64) {
        self.due
            .get(conn)
            .map_or((0, 0), |due| (due.len(), due.iter().filter(|due| due.said).count() as u64))
    }

    fn note_login(&mut self, text: &str) {
        if text.contains(" refused: ") {
            return;
        }
        if let Some((newcomer, owner)) = text.split_once(" takes over from ") {
            return self.note_takeover(newcomer, owner);
        }
        let (name, conn) = text.split_once(" (").expect("a login names its connection");
        let conn = conn.trim_end_matches(')').to_owned();
        let member = Member { conn, room: None };
        let before = self.users.insert(name.to_ascii_lowercase(), member);
        assert!(before.is_none(), "{name} has two owners");
    }

    /// The newcomer stands where the owner stood, and nobody is told.
    fn note_takeover(&mut self, newcomer: &str, owner: &str) {
        let (name, conn) = newcomer.split_once(" (").expect("a takeover names its connection");
        let member = self.users.get_mut(&name.to_ascii_lowercase()).expect("the name has an owner");
        assert_eq!(member.conn, owner, "{name} is taken from somebody else");
        member.conn = conn.trim_end_matches(')').to_owned();
    }

    fn note_join(&mut self, text: &str) {
        let (user, rest) = text.split_once(" -> ").expect("a join names its room");
        let (room, count) = rest.split_once(" (").expect("a join counts the members");
        let member = self.users.get_mut(&user.to_ascii_lowercase()).expect("a user joins");
        assert_eq!(member.room, None, "{user} is in two rooms");
        member.room = Some(room.to_owned());
        let there = self.users.values().filter(|m| m.room.as_deref() == Some(room)).count();
        assert_eq!(count, format!("{there} there)"), "the members of {room} are miscounted");
        self.tell_room(user, room, &format!("[{room}] {user} joined"), false);
    }

    fn note_leave(&mut self, text: &str) {
        let (user, room) = text.split_once(" <- ").expect("a leave names its room");
        let member = self.users.get_mut(&user.to_ascii_lowercase()).expect("a user leaves");
        assert_eq!(member.room.take().as_deref(), Some(room), "{user} leaves another room");
        if !self.stopping {
            self.tell_room(user, room, &format!("[{room}] {user} left"), false);
        }
    }

    fn note_said(&mut self, text: &str) {
        let (who, what) = text.split_once(": ").expect("a broadcast has a body");
        let (from, room) = who.split_once(" in ").expect("a broadcast names its room");
        assert!(!what.contains("STALE"), "a stale message was said");
        let line = if what.starts_with('m') {
            format!("[{room}] * {from} {what}")
        } else {
            format!("[{room}] {from}: {what}")
        };
        self.tell_room(from, room, &line, true);
    }

    fn note_whisper(&mut self, text: &str) {
        let (who, what) = text.split_once(": ").expect("a whisper has a body");
        let (from, to) = who.split_once(" -> ").expect("a whisper names its receiver");
        let member = &self.users[&to.to_ascii_lowercase()];
        let due = self.due.entry(member.conn.clone()).or_default();
        due.push_back(Due { line: format!("{from} whispers: {what}"), said: true });
        self.said += 1;
    }

    fn note_gone(&mut self, now_ms: u64, text: &str) {
        let (who, reason) = text.split_once(": ").expect("a farewell has a reason");
        if reason == CloseReason::PeerClosed.to_string() {
            let conn = who.split_once(" (").map_or(who, |(_, conn)| conn.trim_end_matches(')'));
            self.ended_ms.insert(conn.to_owned(), now_ms);
        }
        if let Some((name, _)) = who.split_once(" (") {
            let gone = self.users.remove(&name.to_ascii_lowercase()).expect("a user goes");
            assert_eq!(gone.room, None, "{name} is gone and still in a room");
        }
    }

    fn note_file(&mut self, now_ms: u64, text: &str) {
        let Some(rest) = text.strip_prefix("Announced: ") else { return };
        let (what, transfer) = rest.rsplit_once(" as transfer ").expect("it has a number");
        let (from, rest) = what.split_once(" -> ").expect("it has a sender");
        let (to, rest) = rest.split_once(" (").expect("it has a receiver");
        let (file, size) = rest.split_once(", ").expect("it has a size");
        let announced = Announced {
            from: from.to_owned(),
            to: to.to_owned(),
            file: file.to_owned(),
            size: size.trim_end_matches(" bytes)").parse().unwrap(),
            at_ms: now_ms,
        };
        let before = self.transfers.insert(transfer.parse().unwrap(), announced);
        assert!(before.is_none(), "transfer {transfer} exists twice");
    }

    fn note_queue(&mut self, now_ms: u64, text: &str) {
        let Some(rest) = text.strip_prefix("Added: ") else { return };
        let file = rest.split_once('(').and_then(|(_, rest)| rest.split_once(',')).unwrap().0;
        let known = self.transfers.values().find(|announced| announced.file == file);
        let waited_ms = now_ms - known.expect("what is added was announced").at_ms;
        let expected = format!("waited {}.{:03} s", waited_ms / 1000, waited_ms % 1000);
        assert!(text.ends_with(&expected), "{text}: it {expected}");
    }

    fn tell_room(&mut self, by: &str, room: &str, line: &str, said: bool) {
        for (name, member) in &self.users {
            if member.room.as_deref() == Some(room) && !name.eq_ignore_ascii_case(by) {
                let due = self.due.entry(member.conn.clone()).or_default();
                due.push_back(Due { line: line.to_owned(), said });
                self.said += u64::from(said);
            }
        }
    }
}
