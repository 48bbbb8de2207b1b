//! Who is connected, who is logged in, and who is known.
//!
//! A session is one connection and is found by its number; a user is a name and is found by the
//! name without regard to case. Which session a user has is said in one place,
//! [`People::session_of`]. Knows no rooms but by their numbers, no files and no letters.
//!
//! The rule it keeps: a name has one owner.

mod blocks;
mod directory;
mod presence;
mod session;

use std::collections::BTreeMap;

use directory::KnownAccounts;
pub use session::table;
pub(super) use session::{Mailbox, Session, State, User};

use super::UserKey;
use crate::id::{ConnId, Now, RoomId, Source};
use crate::job;
use crate::message::{Refusal, UserName};

/// All sessions and users.
#[derive(Debug)]
pub(super) struct People {
    /// Accounts and blocks, known by heart.
    pub(super) directory: KnownAccounts,
    /// By slot; a slot without a connection is empty.
    sessions: Vec<Option<Session>>,
    users: BTreeMap<UserKey, ConnId>,
    /// Names with the time when they were here last, on the monotonic clock.
    seen: BTreeMap<UserKey, (UserName, u64)>,
    last_serial: u64,
}

impl People {
    pub(super) fn new(stored: job::Directory) -> Self {
        Self {
            directory: KnownAccounts::new(stored),
            sessions: Vec::new(),
            users: BTreeMap::new(),
            seen: BTreeMap::new(),
            last_serial: 0,
        }
    }

    /// A connection begins its session.
    pub(super) fn open(&mut self, conn: ConnId, source: Source) {
        let slot = conn.slot as usize;
        if self.sessions.len() <= slot {
            self.sessions.resize_with(slot + 1, || None);
        }
        debug_assert!(self.sessions[slot].is_none(), "the slot has a tenant");
        self.sessions[slot] = Some(Session::new(conn, source));
    }

    /// Its session is over.
    pub(super) fn close(&mut self, conn: ConnId) {
        if self.session(conn).is_some() {
            self.sessions[conn.slot as usize] = None;
        }
    }

    /// A name has an owner from now on. Says whether it had one before, which gave way.
    pub(super) fn name(&mut self, conn: ConnId, user: User) -> bool {
        let known = self.users.insert(user.name.key(), conn).is_some();
        self.set_state(conn, State::Named { user });
        known
    }

    /// A name is nobody's any more.
    pub(super) fn unname(&mut self, conn: ConnId, key: UserKey) {
        self.users.remove(&key);
        self.set_state(conn, State::Nameless);
    }

    /// The number of the next login, unique among all of this server.
    pub(super) fn next_serial(&mut self, now: Now) -> u64 {
        if self.last_serial == 0 {
            // Logins of an earlier run of the server had smaller numbers.
            self.last_serial = now.wall_ms << 20;
        }
        self.last_serial += 1;
        self.last_serial
    }

    /// The number of the last login.
    pub(super) fn last_serial(&self) -> u64 {
        self.last_serial
    }

    /// Where a user is logged in.
    pub(super) fn session_of(&self, user: UserKey) -> Option<ConnId> {
        self.users.get(&user).copied()
    }

    pub(super) fn is_online(&self, user: UserKey) -> bool {
        self.users.contains_key(&user)
    }

    /// Everybody who is logged in, in the order of their names.
    pub(super) fn online(&self) -> impl Iterator<Item = ConnId> {
        self.users.values().copied()
    }

    /// How many users are logged in.
    pub(super) fn count(&self) -> usize {
        self.users.len()
    }

    pub(super) fn session(&self, conn: ConnId) -> Option<&Session> {
        let session = self.sessions.get(conn.slot as usize)?.as_ref()?;
        (session.conn == conn).then_some(session)
    }

    pub(super) fn session_mut(&mut self, conn: ConnId) -> Option<&mut Session> {
        let session = self.sessions.get_mut(conn.slot as usize)?.as_mut()?;
        (session.conn == conn).then_some(session)
    }

    /// All sessions, for the invariants.
    pub(super) fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().flatten()
    }

    pub(super) fn set_state(&mut self, conn: ConnId, state: State) {
        if let Some(session) = self.session_mut(conn) {
            session.state = state;
        }
    }

    /// Who is logged in on a connection: the table lets no other come here.
    pub(super) fn user_of(&self, conn: ConnId) -> Result<User, Refusal> {
        self.session(conn).and_then(|session| session.state.user()).ok_or(Refusal::LoginFirst)
    }

    pub(super) fn name_of(&self, conn: ConnId) -> Result<UserName, Refusal> {
        self.user_of(conn).map(|user| user.name)
    }

    pub(super) fn room_of(&self, conn: ConnId) -> Option<RoomId> {
        match self.session(conn)?.state {
            State::InRoom { room, .. } => Some(room),
            State::Nameless | State::Entering { .. } | State::Named { .. } => None,
        }
    }

    pub(super) fn is_entering(&self, conn: ConnId) -> bool {
        matches!(self.session(conn).map(|s| s.state), Some(State::Entering { .. }))
    }

    /// Whether a connection belongs to a program that answers a ping by itself.
    pub(super) fn answers_pings(&self, conn: ConnId) -> bool {
        self.session(conn).is_some_and(|session| session.answers_pings)
    }

    pub(super) fn source_of(&self, conn: ConnId) -> Source {
        self.session(conn).map_or(Source(0), |session| session.source)
    }

    /// The connections of those who have blocked a user, in their order.
    pub(super) fn deaf_to(&self, name: UserName) -> Vec<ConnId> {
        self.in_order(self.directory.blockers(name.key()))
    }

    /// The connections of those whom a user has blocked or who have blocked them, in their order.
    pub(super) fn apart_from(&self, name: UserName) -> Vec<ConnId> {
        let blocked = self.directory.blocked(name.key()).map(UserName::key);
        self.in_order(blocked.chain(self.directory.blockers(name.key())))
    }

    fn in_order(&self, keys: impl Iterator<Item = UserKey>) -> Vec<ConnId> {
        let mut conns: Vec<ConnId> = keys.filter_map(|key| self.session_of(key)).collect();
        conns.sort_unstable();
        conns.dedup();
        conns
    }

    /// Checks that users and sessions agree, for tests and the simulation.
    pub(super) fn check_invariants(&self) {
        let mut named = 0;
        for session in self.sessions() {
            let Some(name) = session.state.name() else { continue };
            named += 1;
            assert_eq!(self.session_of(name.key()), Some(session.conn), "two owners of {name}");
        }
        assert_eq!(named, self.count(), "a name without a session");
    }
}
