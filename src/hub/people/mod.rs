//! Who is connected, who is logged in, and who is known.
//!
//! A session is one login on one connection and is found by its number; a user is a name and is
//! found by the name without regard to case. Which sessions a user has is said in one place, the
//! [`Person`] of the name: visible ones, and errands, which others are not told about. Knows no
//! rooms but by their numbers, no files and no letters.
//!
//! The rules it keeps: a name has one owner, who may have several sessions; whatever is counted or
//! listed is people, the users with a visible session.

mod blocks;
mod directory;
mod person;
mod presence;
mod session;
mod sessions;

use std::collections::{BTreeMap, BTreeSet};

use directory::KnownAccounts;
use person::Person;
pub use session::table;
pub(super) use session::{Claim, Mailbox, Seat, Session, State, User};

use super::UserKey;
use crate::id::{ConnId, Now, RoomId, Source};
use crate::job;
use crate::message::{Refusal, RoomName, UserName};

/// All sessions and users.
#[derive(Debug)]
pub(super) struct People {
    /// Accounts and blocks, known by heart.
    pub(super) directory: KnownAccounts,
    /// Which run of the server this is.
    run: u64,
    /// By slot; a slot without a connection is empty.
    sessions: Vec<Option<Session>>,
    users: BTreeMap<UserKey, Person>,
    /// Users with a visible session.
    people: usize,
    /// Visible sessions of all users.
    visible: usize,
    /// Names with the time when they were here last, on the monotonic clock.
    seen: BTreeMap<UserKey, (UserName, u64)>,
    last_serial: u64,
}

impl People {
    pub(super) fn new(stored: job::Directory, run: u64) -> Self {
        Self {
            directory: KnownAccounts::new(stored),
            run,
            sessions: Vec::new(),
            users: BTreeMap::new(),
            people: 0,
            visible: 0,
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

    /// A user is logged in from now on, in a visible session.
    pub(super) fn name(&mut self, conn: ConnId, user: User) {
        let person = self.users.entry(user.name.key()).or_default();
        self.people += usize::from(!person.is_online());
        self.visible += 1;
        person.add(conn);
        self.set_state(conn, State::Named { user });
    }

    /// A user is logged in from now on, as an errand.
    pub(super) fn name_errand(&mut self, conn: ConnId, user: User) {
        self.users.entry(user.name.key()).or_default().add_errand(conn);
        self.set_state(conn, State::Errand { user });
    }

    /// A visible session stands where another one of its user stood, which has no name any more.
    pub(super) fn rename(&mut self, owner: ConnId, conn: ConnId, user: User) {
        if let Some(person) = self.users.get_mut(&user.name.key()) {
            person.replace(owner, conn);
        }
        if let Some(session) = self.session_mut(owner) {
            session.forget_login();
        }
        self.set_state(conn, State::Named { user });
    }

    /// A session is not a user's any more.
    pub(super) fn unname(&mut self, conn: ConnId, key: UserKey) {
        let is_errand = self.is_errand(conn);
        if let Some(session) = self.session_mut(conn) {
            session.forget_login();
        }
        let Some(person) = self.users.get_mut(&key) else { return };
        person.remove(conn);
        self.visible -= usize::from(!is_errand);
        self.people -= usize::from(!is_errand && !person.is_online());
        if person.is_empty() {
            self.users.remove(&key);
        }
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

    /// The visible session of a user that logged in first.
    pub(super) fn session_of(&self, user: UserKey) -> Option<ConnId> {
        self.users.get(&user)?.first()
    }

    /// The visible sessions of a user, in the order of their logins.
    pub(super) fn sessions_of(&self, user: UserKey) -> impl Iterator<Item = ConnId> {
        self.users.get(&user).into_iter().flat_map(Person::visible)
    }

    /// The errands of a user.
    pub(super) fn errands_of(&self, user: UserKey) -> impl Iterator<Item = ConnId> {
        self.users.get(&user).into_iter().flat_map(Person::errands)
    }

    /// All sessions of a user, the visible ones first.
    pub(super) fn all_of(&self, user: UserKey) -> impl Iterator<Item = ConnId> {
        self.sessions_of(user).chain(self.errands_of(user))
    }

    /// Whether some user has several visible sessions.
    pub(super) fn has_company(&self) -> bool {
        self.visible != self.people
    }

    /// The other visible sessions of the user who is logged in on a connection; sorted.
    pub(super) fn others_of(&self, conn: ConnId) -> Vec<ConnId> {
        if !self.has_company() && !self.is_errand(conn) {
            return Vec::new();
        }
        let Ok(user) = self.user_of(conn) else { return Vec::new() };
        let mut others: Vec<_> =
            self.sessions_of(user.name.key()).filter(|&other| other != conn).collect();
        others.sort_unstable();
        others
    }

    /// How many users connections belong to.
    pub(super) fn people_among(&self, conns: &[ConnId]) -> usize {
        if !self.has_company() {
            return conns.len();
        }
        let names = conns.iter().filter_map(|&conn| Some(self.name_of(conn).ok()?.key()));
        names.collect::<BTreeSet<_>>().len()
    }

    /// Whether a user has a visible session.
    pub(super) fn is_online(&self, user: UserKey) -> bool {
        self.users.get(&user).is_some_and(Person::is_online)
    }

    /// Whether a user has a session, visible or not.
    pub(super) fn is_named(&self, user: UserKey) -> bool {
        self.users.contains_key(&user)
    }

    /// All visible sessions, in the order of the names.
    pub(super) fn online(&self) -> impl Iterator<Item = ConnId> {
        self.users.values().flat_map(Person::visible)
    }

    /// One visible session for each user who has one, in the order of the names.
    pub(super) fn users_online(&self) -> impl Iterator<Item = ConnId> {
        self.users.values().filter_map(Person::first)
    }

    /// All sessions with a name, errands too.
    pub(super) fn named(&self) -> impl Iterator<Item = ConnId> {
        self.users.values().flat_map(|person| person.visible().chain(person.errands()))
    }

    /// How many users have a visible session.
    pub(super) fn count(&self) -> usize {
        self.people
    }

    /// How many of those are not the one on a connection.
    pub(super) fn count_others(&self, conn: ConnId) -> usize {
        let counts = !self.is_errand(conn)
            || self.name_of(conn).is_ok_and(|name| self.is_online(name.key()));
        self.people - usize::from(counts)
    }

    /// The session whose bucket all sessions of a user take from.
    pub(super) fn payer(&self, conn: ConnId) -> ConnId {
        if !self.has_company() && !self.is_errand(conn) {
            return conn;
        }
        let name = self.name_of(conn).ok();
        name.and_then(|name| self.all_of(name.key()).next()).unwrap_or(conn)
    }

    /// Errands of a guest are those of a later login of the guest.
    pub(super) fn rebind_errands(&mut self, user: UserKey, was: u64, is: u64) {
        let errands: Vec<_> = self.errands_of(user).collect();
        for conn in errands {
            let user = self.session_mut(conn).and_then(|session| session.state.user_mut());
            if let Some(user) = user.filter(|user| user.serial == was) {
                (user.serial, user.origin) = (is, is);
            }
        }
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
        Some(self.session(conn)?.state.seat()?.room)
    }

    /// Whether a session is in a room, the current one or another.
    pub(super) fn is_in(&self, conn: ConnId, room: RoomId) -> bool {
        self.session(conn).is_some_and(|session| session.seat_in(room).is_some())
    }

    pub(super) fn is_errand(&self, conn: ConnId) -> bool {
        self.session(conn).is_some_and(|session| session.state.is_errand())
    }

    /// A session comes into a room, which is its current one now.
    pub(super) fn add_seat(&mut self, conn: ConnId, seat: Seat) {
        if let Some(session) = self.session_mut(conn) {
            session.add_seat(seat);
        }
    }

    /// A session is not in a room any more.
    pub(super) fn remove_seat(&mut self, conn: ConnId, room: RoomId) {
        if let Some(session) = self.session_mut(conn) {
            session.remove_seat(room);
        }
    }

    /// Its seat in a room is another one.
    pub(super) fn move_seat(&mut self, conn: ConnId, room: RoomId, to: u32) {
        if let Some(session) = self.session_mut(conn) {
            session.move_seat(room, to);
        }
    }

    /// A room that a session is in becomes its current one.
    pub(super) fn turn_to(&mut self, conn: ConnId, seat: Seat) {
        if let Some(session) = self.session_mut(conn) {
            session.turn_to(seat);
        }
    }

    /// Which room an errand means from now on.
    pub(super) fn set_spot(&mut self, conn: ConnId, spot: Option<RoomName>) {
        if let Some(session) = self.session_mut(conn) {
            session.extra_mut().spot = spot;
        }
    }

    /// All seats of a session: that in the current room is the last.
    pub(super) fn seats(&self, conn: ConnId) -> Vec<Seat> {
        let mut seats: Vec<_> = self.session(conn).into_iter().flat_map(Session::seats).collect();
        seats.reverse();
        seats
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
        let mut conns: Vec<ConnId> = keys.flat_map(|key| self.sessions_of(key)).collect();
        conns.sort_unstable();
        conns.dedup();
        conns
    }

    /// Checks that users and sessions agree, for tests and the simulation.
    pub(super) fn check_invariants(&self) {
        for session in self.sessions() {
            let Some(name) = session.state.name() else { continue };
            let of: Vec<_> = match session.state.is_errand() {
                true => self.errands_of(name.key()).collect(),
                false => self.sessions_of(name.key()).collect(),
            };
            assert!(of.contains(&session.conn), "{:?} is no session of {name}", session.conn);
        }
        let named = self.sessions().filter(|session| session.state.name().is_some()).count();
        assert_eq!(named, self.named().count(), "a name without a session");
        assert_eq!(self.visible, self.online().count(), "visible sessions are miscounted");
        assert_eq!(self.people, self.users_online().count(), "people are miscounted");
        for person in self.users.values() {
            let of = person.visible().chain(person.errands());
            let accounts: BTreeSet<_> =
                of.filter_map(|conn| self.user_of(conn).ok()).map(|user| user.account).collect();
            assert_eq!(accounts.len(), 1, "one name of two owners");
        }
    }
}
