//! Who may hear what, worked out from the facts of the audit log alone.
//!
//! They tell in one order who came, moved, spoke and went. From that follows for each
//! connection, line by line, what its client must read; whatever else it reads is a fault.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor::facts::{ConnFact, Fact, FileFact, LoginFact, Parcel, RoomFact, TalkFact, Who};
use parlor::id::{AccountId, ConnId, TransferId};
use parlor::job::{Directory, StoredFile};
use parlor::limits::Limits;
use parlor::message::{CloseReason, Refusal, RoomName, Target, Text, UserName, visible};

use super::line::{Announced, Line};
use super::post::Post;
use super::shelf::Shelf;
use super::vault::Vault;

/// What a client must read next, in text notation, and whether it counts as a message of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) line: String,
    pub(crate) said: bool,
    /// It may stay away: it happened in the moment in which its reader came.
    perhaps: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The connection: `c0.1`.
    pub(super) conn: String,
    /// The name as it is shown.
    pub(super) name: String,
    pub(super) room: Option<String>,
    /// `None` for a guest.
    pub(super) account: Option<AccountId>,
    /// Which login this is.
    pub(super) session: u64,
    /// It is logged out as soon as it has left its room.
    leaves: bool,
}

/// A connection that has not been said goodbye to.
#[derive(Debug)]
pub(crate) struct Open {
    /// Since when it has had no name.
    pub(crate) nameless_ms: Option<u64>,
    /// When it got its name.
    pub(crate) named_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(super) users: BTreeMap<String, Member>,
    pub(crate) due: BTreeMap<String, VecDeque<Due>>,
    pub(crate) line: Line,
    pub(crate) shelf: Shelf,
    sessions: u64,
    /// The last login on each connection.
    last_sessions: BTreeMap<String, u64>,
    pub(crate) stopping: bool,
    /// When connections ended because their clients had said all.
    pub(crate) ended_ms: BTreeMap<String, u64>,
    /// Messages that members were to hear.
    pub(crate) said: u64,
    /// Users above which nobody is told who comes and goes.
    presence_users: u64,
    pub(crate) open: BTreeMap<String, Open>,
    /// The last name of each connection, and all that it had.
    last_names: BTreeMap<String, String>,
    all_names: BTreeSet<(String, String)>,
    /// Who was told to be gone in the last moment in which anybody was.
    lately: (u64, Vec<String>),
    now_ms: u64,
    /// Who wants to hear nothing of whom.
    blocks: BTreeSet<(String, String)>,
    /// Takeovers that were not looked at: newcomer and owner.
    pub(crate) takeovers: Vec<(String, String)>,
    pub(crate) taken_over: u64,
    pub(crate) post: Post,
    pub(crate) vault: Vault,
}

impl Oracle {
    pub(crate) fn new(limits: &Limits) -> Self {
        let line = Line::new(limits.upload_slots);
        let shelf = Shelf::new(limits);
        Self { presence_users: limits.presence_users, line, shelf, ..Self::default() }
    }

    pub(crate) fn note(&mut self, now_ms: u64, fact: &Fact) {
        if self.now_ms != now_ms {
            (self.now_ms, self.lately) = (now_ms, (now_ms, Vec::new()));
        }
        match fact {
            Fact::Conn(fact) => self.note_conn(now_ms, fact),
            Fact::Login(fact) => self.note_login(now_ms, fact),
            Fact::Room(RoomFact::Joined { user, room, members, most: _ }) => {
                self.note_join(*user, *room, *members);
            }
            Fact::Room(RoomFact::Left { user, room, members }) => {
                self.note_leave(*user, *room, *members);
            }
            Fact::Talk(fact) => self.note_talk(fact),
            Fact::File(fact) => self.note_file(now_ms, fact),
            Fact::Room(RoomFact::RoomMade { .. } | RoomFact::RoomGone { .. })
            | Fact::Trouble(_)
            | Fact::Server(_) => {}
        }
    }

    /// Takes from the lines due to a connection the one that has come.
    pub(crate) fn heard(&mut self, conn: &str, line: &str) {
        let lines = self.due.entry(conn.to_owned()).or_default();
        let sure = lines.iter().find(|due| !due.perhaps).is_some_and(|due| due.line == line);
        while lines.front().is_some_and(|due| due.perhaps && (sure || due.line != line)) {
            lines.pop_front();
        }
        let due = lines.pop_front();
        assert_eq!(due.map(|due| due.line).as_deref(), Some(line), "{conn} hears what it must not");
    }

    /// How many lines, and how many messages among them, a connection has not read.
    pub(crate) fn unheard(&self, conn: &str) -> (usize, u64) {
        let due = self.due.get(conn).into_iter().flatten();
        let due: Vec<&Due> = due.filter(|due| !due.perhaps).collect();
        (due.len(), due.iter().filter(|due| due.said).count() as u64)
    }

    /// The server is another one: nobody is here, and of the rest it knows what was durable.
    pub(crate) fn restart(&mut self, directory: &Directory, stored: &[StoredFile]) {
        self.vault.restart(directory);
        self.users.clear();
        self.line.restart();
        self.shelf.restart(stored);
        self.open.clear();
        self.due.clear();
        self.blocks.clear();
        self.stopping = false;
        for (owner, user) in &directory.blocks {
            if let Some(owner) = self.vault.name_of(*owner) {
                let pair = (owner.clone(), user.as_str().to_ascii_lowercase());
                // It may have become durable without being told.
                self.post.blocked(&pair.0, &pair.1);
                self.blocks.insert(pair);
            }
        }
    }

    fn note_conn(&mut self, now_ms: u64, fact: &ConnFact) {
        match fact {
            ConnFact::Connected { conn, .. } => {
                let open = Open { nameless_ms: Some(now_ms), named_ms: 0 };
                self.open.insert(label(*conn), open);
            }
            ConnFact::BlockSet { who, user, blocks } => {
                let owner = match who {
                    Who::Conn(conn) => self.last_names[&label(*conn)].clone(),
                    Who::User(user) => user.to_string(),
                };
                let pair = (owner.to_ascii_lowercase(), lower(*user));
                if *blocks {
                    self.post.blocked(&pair.0, &pair.1);
                    self.blocks.insert(pair);
                } else {
                    self.blocks.remove(&pair);
                }
            }
            ConnFact::Disconnected { conn, user, reason, .. } => {
                self.note_gone(now_ms, &label(*conn), *user, *reason);
            }
            ConnFact::UnknownProtocol { .. } | ConnFact::Refused { .. } => {}
        }
    }

    /// How many letters a connection may have been told.
    pub(crate) fn letters_for(&self, conn: &str) -> u64 {
        let names = self.all_names.iter().filter(|(whose, _)| whose == conn);
        names.map(|(_, name)| self.post.count(name)).sum()
    }

    fn note_login(&mut self, now_ms: u64, fact: &LoginFact) {
        match fact {
            LoginFact::LoggedIn { user, conn } => self.note_logged_in(now_ms, *user, *conn),
            LoginFact::TakenOver { user, conn, owner } => {
                self.note_takeover(now_ms, *user, *conn, *owner);
            }
            LoginFact::LoggedOut { user, .. } | LoginFact::NameGivenBack { user, .. } => {
                self.note_logout(now_ms, *user);
            }
            LoginFact::NameInUse { .. }
            | LoginFact::WrongPassword { .. }
            | LoginFact::Registered { .. }
            | LoginFact::PasswordChanged { .. } => {}
        }
    }

    fn note_logged_in(&mut self, now_ms: u64, user: UserName, conn: ConnId) {
        let (name, conn) = (user.as_str(), label(conn));
        self.note_named(now_ms, name, &conn);
        let (account, session) = (self.vault.account_of(name), self.begin_session(&conn));
        let (whose, room, leaves) = (conn.clone(), None, false);
        let member = Member { conn: whose, name: name.to_owned(), room, account, session, leaves };
        let before = self.users.insert(name.to_ascii_lowercase(), member);
        assert!(before.is_none(), "{name} has two owners");
        self.tell_presence(name, "online");
        self.note_session(&conn);
        let (_, lately) = self.lately.clone();
        for line in lately.into_iter().filter(|_| self.lately.0 == now_ms) {
            let due = Due { line, said: false, perhaps: true };
            self.due.entry(conn.clone()).or_default().push_back(due);
        }
    }

    fn note_named(&mut self, now_ms: u64, name: &str, conn: &str) {
        let open = self.open.get_mut(conn).expect("it is connected");
        assert!(open.nameless_ms.is_some(), "{conn} has two names");
        (open.nameless_ms, open.named_ms) = (None, now_ms);
        self.last_names.insert(conn.to_owned(), name.to_owned());
        self.all_names.insert((conn.to_owned(), name.to_ascii_lowercase()));
    }

    /// The newcomer stands where the owner stood, and nobody is told.
    fn note_takeover(&mut self, now_ms: u64, user: UserName, conn: ConnId, owner: ConnId) {
        let (name, conn, owner) = (user.as_str(), label(conn), label(owner));
        self.note_named(now_ms, name, &conn);
        let session = self.begin_session(&conn);
        let member = self.users.get_mut(&name.to_ascii_lowercase()).expect("the name has an owner");
        assert_eq!(member.conn, owner, "{name} is taken from somebody else");
        let before = member.clone();
        member.conn.clone_from(&conn);
        name.clone_into(&mut member.name);
        member.session = session;
        self.note_guest_gone(&before, now_ms, false);
        self.note_session(&conn);
        self.takeovers.push((conn, owner));
        self.taken_over += 1;
    }

    fn note_logout(&mut self, now_ms: u64, user: UserName) {
        let key = lower(user);
        let member = self.users.get_mut(&key).expect("a user logs out");
        member.leaves = true;
        let before = member.clone();
        self.note_guest_gone(&before, now_ms, true);
        let member = &self.users[&key];
        let open = self.open.get_mut(&member.conn).expect("it is connected");
        open.nameless_ms = Some(now_ms);
        if member.room.is_none() {
            self.give_back(&key);
        }
    }

    fn begin_session(&mut self, conn: &str) -> u64 {
        self.sessions += 1;
        self.last_sessions.insert(conn.to_owned(), self.sessions);
        self.sessions
    }

    /// A client reads the token of its last login.
    pub(crate) fn note_token(&mut self, conn: &str, token: &str) {
        if token.starts_with("0.")
            && let Some(&session) = self.last_sessions.get(conn)
        {
            self.shelf.note_token(token, session);
        }
    }

    /// Who is logged in on a connection.
    pub(super) fn member_on(&self, conn: &str) -> Option<&Member> {
        self.users.values().find(|member| member.conn == conn && !member.leaves)
    }

    /// Whether a user wants to hear nothing of another one.
    pub(super) fn has_blocked(&self, owner: &str, user: &str) -> bool {
        let pair = (owner.to_ascii_lowercase(), user.to_ascii_lowercase());
        self.blocks.contains(&pair)
    }

    /// A name has no owner any more.
    fn give_back(&mut self, key: &str) {
        let gone = self.users.remove(key).expect("a user goes");
        assert_eq!(gone.room, None, "{key} is gone and still in a room");
        if !self.stopping {
            self.tell_presence(&gone.name, "offline");
            self.lately.1.push(format!("* {} is offline", gone.name));
        }
        if !self.vault.is_registered(key) {
            self.blocks.retain(|(owner, _)| owner != key);
        }
    }

    fn is_apart(&self, one: &str, other: &str) -> bool {
        let blocks =
            |owner: &str, user: &str| self.blocks.contains(&(owner.to_owned(), user.to_owned()));
        blocks(one, other) || blocks(other, one)
    }

    fn tell_presence(&mut self, name: &str, what: &str) {
        if self.users.len() as u64 > self.presence_users {
            return;
        }
        let key = name.to_ascii_lowercase();
        let others: Vec<String> = self
            .users
            .iter()
            .filter(|(other, _)| **other != key && !self.is_apart(other, &key))
            .map(|(_, member)| member.conn.clone())
            .collect();
        for conn in others {
            let line = format!("* {name} is {what}");
            self.due.entry(conn).or_default().push_back(Due { line, said: false, perhaps: false });
        }
    }

    fn note_join(&mut self, user: UserName, room: RoomName, members: usize) {
        let (key, room) = (lower(user), room.as_str());
        let member = self.users.get_mut(&key).expect("a user joins");
        assert_eq!(member.room, None, "{user} is in two rooms");
        member.room = Some(room.to_owned());
        assert_eq!(members, self.count_in(room), "the members of {room} are miscounted");
        self.tell_room(user.as_str(), room, &format!("[{room}] {user} joined"), false);
        let conn = self.users[&key].conn.clone();
        self.note_entered(&conn);
    }

    fn note_leave(&mut self, user: UserName, room: RoomName, members: usize) {
        let (key, room) = (lower(user), room.as_str());
        let member = self.users.get_mut(&key).expect("a user leaves");
        assert_eq!(member.room.take().as_deref(), Some(room), "{user} leaves another room");
        assert_eq!(members, self.count_in(room), "who stays in {room} is miscounted");
        if !self.stopping {
            self.tell_room(user.as_str(), room, &format!("[{room}] {user} left"), false);
        }
        if self.users[&key].leaves {
            self.give_back(&key);
        }
    }

    fn count_in(&self, room: &str) -> usize {
        self.users.values().filter(|member| member.room.as_deref() == Some(room)).count()
    }

    /// How many others are in a room, or online, and how many of them have not blocked a speaker.
    fn check_told(&self, from: UserName, room: Option<&str>, heard: usize, others: usize) {
        let by = lower(from);
        let is_there = |(key, member): &(&String, &Member)| {
            **key != by && room.is_none_or(|room| member.room.as_deref() == Some(room))
        };
        let there: Vec<&String> = self.users.iter().filter(is_there).map(|(key, _)| key).collect();
        let is_deaf = |key: &String| self.blocks.contains(&(key.clone(), by.clone()));
        let deaf = there.iter().filter(|key| is_deaf(key)).count();
        assert_eq!((heard, others), (there.len() - deaf, there.len()), "{from} in {room:?}");
    }

    /// Of what is said the text tells all but the counts.
    fn note_talk(&mut self, fact: &TalkFact) {
        match fact {
            TalkFact::SaidText { from, room, text } => {
                let what = said(text);
                let line = if what.starts_with('m') {
                    format!("[{room}] * {from} {what}")
                } else {
                    format!("[{room}] {from}: {what}")
                };
                self.tell_room(from.as_str(), room.as_str(), &line, true);
            }
            TalkFact::BroadcastText { from, text } => {
                let line = format!("{from} to everybody: {}", said(text));
                self.tell(from.as_str(), None, &line, true);
            }
            TalkFact::WhisperedText { from, to, text } => {
                self.note_whisper(*from, *to, &visible(text.as_str()));
            }
            TalkFact::Said { from, room, heard, others, .. } => {
                self.check_told(*from, Some(room.as_str()), *heard, *others);
            }
            TalkFact::Broadcast { from, heard, others, .. } => {
                self.check_told(*from, None, *heard, *others);
            }
            TalkFact::Whispered { .. } => {}
        }
    }

    fn note_whisper(&mut self, from: UserName, to: UserName, what: &str) {
        let (by, key) = (lower(from), lower(to));
        assert!(!self.blocks.contains(&(key.clone(), by)), "{to} has blocked {from}");
        if self.vault.is_registered(to.as_str()) {
            return self.post.sent(from.as_str(), to.as_str(), what);
        }
        let member = &self.users[&key];
        let due = self.due.entry(member.conn.clone()).or_default();
        due.push_back(Due { line: format!("{from} whispers: {what}"), said: true, perhaps: false });
        self.said += 1;
    }

    fn note_gone(&mut self, now_ms: u64, conn: &str, user: Option<UserName>, reason: CloseReason) {
        if reason != CloseReason::TakenOver {
            // Whoever has ended by itself was not robbed: who waited for its name has its place.
            self.takeovers.retain(|(_, owner)| owner != conn);
        }
        if reason == CloseReason::PeerClosed {
            self.ended_ms.insert(conn.to_owned(), now_ms);
        }
        self.open.remove(conn);
        if let Some(key) = user.map(lower) {
            let member = self.users[&key].clone();
            assert_eq!(member.conn, conn, "{key} leaves on another connection");
            self.note_guest_gone(&member, now_ms, reason == CloseReason::Exit);
            self.give_back(&key);
        }
    }

    fn note_file(&mut self, now_ms: u64, fact: &FileFact) {
        match fact {
            FileFact::Announced { transfer, file } => self.note_announced(now_ms, *transfer, file),
            FileFact::UploadRefused { file, refusal } => {
                if let Refusal::QuotaFull { size, used, limit } = **refusal {
                    assert_eq!(size, file.size);
                    self.check_quota(&lower(file.from), size, used, limit);
                }
            }
            FileFact::Admitted { transfer, file, waited_ms, slots } => {
                self.line.note_added(now_ms, *transfer, file, *waited_ms, *slots);
            }
            FileFact::UploadEnded { transfer, file, how, slots } => {
                self.line.note_removed(*transfer, file, *how, *slots);
            }
            FileFact::Waiting { .. } | FileFact::Received { .. } => {}
            FileFact::Sent { .. }
            | FileFact::Delivered { .. }
            | FileFact::Rejected { .. }
            | FileFact::Withdrawn { .. }
            | FileFact::Orphaned { .. }
            | FileFact::Expired { .. } => self.note_shelved(fact),
        }
    }

    fn note_announced(&mut self, now_ms: u64, transfer: TransferId, file: &Parcel) {
        let from = lower(file.from);
        let sender = self.users[&from].clone();
        let mut announced = Announced::new(file, &sender.conn, now_ms);
        announced.owner = sender.account;
        if let Target::User(to) = file.to {
            announced.receiver = self.vault.account_of(to.as_str());
            let guest = self.users.get(&lower(to));
            let is_guest = announced.receiver.is_none();
            announced.guest = guest.filter(|_| is_guest).map(|member| member.conn.clone());
            let is_blocked = self.has_blocked(to.as_str(), &from);
            assert!(!is_blocked, "{from} is blocked and hands over {file:?}");
        }
        self.check_room(&from, file.size);
        assert!(!self.shelf.was_durable(transfer.0), "{transfer} was the number of a file");
        self.line.announced(transfer.0, announced);
    }

    fn tell_room(&mut self, by: &str, room: &str, line: &str, said: bool) {
        self.tell(by, Some(room), line, said);
    }

    /// Everybody in a room, or everybody, is to hear a line; but for what is said, not those who
    /// have blocked its speaker, and for what happens, neither those whom he has blocked.
    fn tell(&mut self, by: &str, room: Option<&str>, line: &str, said: bool) {
        let by = by.to_ascii_lowercase();
        for (name, member) in &self.users {
            let is_there = room.is_none() || member.room.as_deref() == room;
            let deaf = self.blocks.contains(&(name.clone(), by.clone()))
                || (!said && self.is_apart(name, &by));
            if is_there && *name != by && !deaf {
                let due = self.due.entry(member.conn.clone()).or_default();
                due.push_back(Due { line: line.to_owned(), said, perhaps: false });
                self.said += u64::from(said);
            }
        }
    }
}

/// A connection as the oracles name it: `c0.1`.
fn label(conn: ConnId) -> String {
    format!("{conn:?}")
}

pub(super) fn lower(name: UserName) -> String {
    name.as_str().to_ascii_lowercase()
}

/// A text as people read it.
fn said(text: &Text) -> String {
    assert!(!text.as_str().contains("STALE"), "a stale message was said");
    visible(text.as_str()).into_owned()
}
