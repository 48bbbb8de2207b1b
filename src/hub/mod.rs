//! PURE. Who may do what, and who hears what.
//!
//! Knows no bytes, no protocol and no clock: a [`Command`] comes in with the time, [`Effect`]s come
//! out of a queue. The rules it keeps: the state decides before anything else is looked at; a
//! request that is refused changes nothing; each request has exactly one answer, and it comes
//! before whatever the request causes.

mod effect;
mod files;
mod session;
mod talk;
pub mod upload;

mod room;

use std::collections::{BTreeMap, VecDeque};

pub use effect::Effect;
use room::Rooms;
use session::{Session, State};
use upload::{Bounds, UploadQueue};

use crate::id::{ConnId, Now, RoomId};
use crate::limits::{Limits, USER_NAME_MAX};
use crate::message::{
    Category, CloseReason, Command, Event, Key, Op, PROTOCOL_VERSION, Record, Refusal, Reply,
    UserName,
};

/// Everybody who is connected, their rooms and their uploads.
#[derive(Debug)]
pub struct Hub {
    limits: Limits,
    log_bodies: bool,
    stopping: bool,
    help: String,
    /// By slot; a slot without a connection is empty.
    sessions: Vec<Option<Session>>,
    users: BTreeMap<Key<USER_NAME_MAX>, ConnId>,
    rooms: Rooms,
    uploads: UploadQueue,
    effects: VecDeque<Effect>,
}

impl Hub {
    /// An empty hub. `help` is the answer to [`Command::Help`]; `log_bodies` asks for records at
    /// debug level that hold what was said.
    #[must_use]
    pub fn new(limits: Limits, help: String, log_bodies: bool) -> Self {
        let count = |bound: u64| usize::try_from(bound).unwrap_or(usize::MAX);
        let uploads = UploadQueue::new(Bounds {
            slots: count(limits.upload_slots),
            waiting: count(limits.upload_waiting),
            stall: limits.upload_stall,
            offer_wait: limits.offer_wait,
        });
        Self {
            limits,
            log_bodies,
            stopping: false,
            help,
            sessions: Vec::new(),
            users: BTreeMap::new(),
            rooms: Rooms::default(),
            uploads,
            effects: VecDeque::new(),
        }
    }

    /// The next thing to do. To be called until there is none, after each `handle_*`.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// The members of a room that exists.
    #[must_use]
    pub fn members(&self, room: RoomId) -> &[ConnId] {
        self.rooms.get(room).map_or(&[], |room| &room.members)
    }

    /// Whether a connection has a name.
    #[must_use]
    pub fn is_logged_in(&self, conn: ConnId) -> bool {
        self.session(conn).is_some_and(|session| session.state.name().is_some())
    }

    /// Users online.
    #[must_use]
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// Rooms that exist.
    #[must_use]
    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// The upload queue.
    #[must_use]
    pub fn uploads(&self) -> &UploadQueue {
        &self.uploads
    }

    /// When [`Self::handle_time`] has something to do, on the monotonic clock.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.uploads.next_deadline_ms()
    }

    /// A connection was made.
    pub fn handle_opened(&mut self, conn: ConnId) {
        let slot = conn.slot as usize;
        if self.sessions.len() <= slot {
            self.sessions.resize_with(slot + 1, || None);
        }
        debug_assert!(self.sessions[slot].is_none(), "the slot has a tenant");
        self.sessions[slot] = Some(Session { conn, state: State::Nameless });
    }

    /// A connection is over, for whatever reason: its name, its seat and its uploads are free.
    /// `missed` is how many messages of others it was not told.
    pub fn handle_gone(&mut self, now: Now, conn: ConnId, reason: CloseReason, missed: u64) {
        let Some(session) = self.session(conn) else { return };
        let name = session.state.name();
        self.end_uploads_of(now, conn);
        self.leave_room(now, conn);
        if let Some(name) = name {
            self.users.remove(&name.key());
        }
        self.audit(Category::Disconnect, || {
            let who = name.map_or_else(|| format!("{conn:?}"), |name| format!("{name} ({conn:?})"));
            let missed =
                if missed > 0 { format!(", missed {missed} messages") } else { String::new() };
            format!("{who}: {reason}{missed}")
        });
        self.sessions[conn.slot as usize] = None;
    }

    /// From here on nobody is told that others leave, and nobody can log in.
    pub fn handle_stop(&mut self) {
        self.stopping = true;
    }

    /// A request of a connection.
    pub fn handle_command(&mut self, now: Now, conn: ConnId, command: Command<'_>) {
        debug_assert!(self.effects.is_empty(), "effects were not drained");
        let Some(session) = self.session(conn).copied() else { return };
        let op = command.op();
        let answer = match session.state.may(op) {
            Ok(()) => self.dispatch(now, conn, command),
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = &answer {
            let who = session.state.name();
            self.audit(Category::Client, || {
                let who = who.map_or_else(|| format!("{conn:?}"), |name| name.to_string());
                format!("{who}: {} refused: {}", op.name(), refusal.code())
            });
        }
        self.effects.push_front(Effect::Answer { conn, answer });
    }

    /// Whether a part of a file may come from this connection at all.
    ///
    /// # Errors
    /// The refusal that the table of states holds.
    pub fn may_send_chunks(&self, conn: ConnId) -> Result<(), Refusal> {
        self.session(conn).map_or(Err(Refusal::LoginFirst), |session| session.state.may(Op::Chunk))
    }

    /// Time has passed.
    pub fn handle_time(&mut self, now: Now) {
        while let Some((id, ending)) = self.uploads.overdue(now) {
            self.end_upload(now, id, ending);
        }
    }

    fn dispatch(&mut self, now: Now, conn: ConnId, command: Command<'_>) -> Result<Reply, Refusal> {
        match command {
            Command::Hello { version } => hello(version),
            Command::Login { user, .. } => self.login(conn, &user),
            Command::Register { .. }
            | Command::Passwd { .. }
            | Command::Logout
            | Command::Broadcast { .. }
            | Command::Got { .. }
            | Command::WhoElse { .. }
            | Command::Block { .. }
            | Command::Unblock { .. }
            | Command::Blocked => Err(Refusal::StoreFailed),
            Command::Join { room } => self.join(now, conn, &room),
            Command::Leave => self.leave(now, conn),
            Command::Say { text, me } => self.say(now, conn, text, me),
            Command::Whisper { user, text } => self.whisper(now, conn, &user, text),
            Command::Rooms => Ok(self.list_rooms()),
            Command::Who { room } => self.who(conn, room.as_deref()),
            Command::Queue => Ok(self.show_queue(now)),
            Command::Help => Ok(Reply::Help { text: self.help.clone() }),
            Command::Ping => Ok(Reply::Pong),
            Command::Exit => {
                self.effects.push_back(Effect::Close { conn, reason: CloseReason::Exit });
                Ok(Reply::Done)
            }
            Command::SendFile { user, name, size } => self.send_file(now, conn, &user, &name, size),
            Command::Accept { transfer } => self.accept(now, conn, transfer),
            Command::Reject { transfer } => self.reject(now, conn, transfer),
            Command::Received { transfer } => self.received(now, conn, transfer),
            Command::Cancel { transfer } => self.cancel(now, conn, transfer),
        }
    }

    fn login(&mut self, conn: ConnId, user: &str) -> Result<Reply, Refusal> {
        let name = UserName::parse(user).map_err(Refusal::BadUserName)?;
        if self.stopping {
            return Err(Refusal::ShuttingDown);
        }
        if self.users.contains_key(&name.key()) {
            self.audit(Category::Login, || format!("{conn:?} refused: {name} is in use"));
            return Err(Refusal::NameInUse(name));
        }
        self.users.insert(name.key(), conn);
        self.set_state(conn, State::Named { name });
        self.audit(Category::Login, || format!("{name} ({conn:?})"));
        Ok(Reply::welcome(name))
    }

    fn session(&self, conn: ConnId) -> Option<&Session> {
        let session = self.sessions.get(conn.slot as usize)?.as_ref()?;
        (session.conn == conn).then_some(session)
    }

    fn set_state(&mut self, conn: ConnId, state: State) {
        if let Some(Some(session)) = self.sessions.get_mut(conn.slot as usize)
            && session.conn == conn
        {
            session.state = state;
        }
    }

    /// The name of a connection that has one: the table lets no other come here.
    fn name_of(&self, conn: ConnId) -> Result<UserName, Refusal> {
        self.session(conn).and_then(|session| session.state.name()).ok_or(Refusal::LoginFirst)
    }

    /// The online user whom a raw name means.
    fn find_user(&self, user: &str) -> Result<(ConnId, UserName), Refusal> {
        let name = UserName::parse(user).map_err(Refusal::BadUserName)?;
        let conn = *self.users.get(&name.key()).ok_or(Refusal::NoSuchUser(name))?;
        Ok((conn, self.name_of(conn)?))
    }

    fn tell(&mut self, conn: ConnId, event: Event) {
        self.effects.push_back(Effect::Tell { conn, by: None, event });
    }

    fn audit(&mut self, category: Category, text: impl FnOnce() -> String) {
        self.effects.push_back(Effect::Audit(Record::info(category, text())));
    }

    fn audit_body(&mut self, category: Category, text: impl FnOnce() -> String) {
        if self.log_bodies {
            self.effects.push_back(Effect::Audit(Record::debug(category, text())));
        }
    }

    /// Checks that users, sessions, rooms and uploads agree, for tests and the simulation.
    ///
    /// # Panics
    /// When they do not.
    pub fn check_invariants(&self) {
        self.uploads.check_invariants();
        let mut named = 0;
        let mut seated = 0;
        for session in self.sessions.iter().flatten() {
            let Some(name) = session.state.name() else { continue };
            named += 1;
            assert_eq!(self.users.get(&name.key()), Some(&session.conn), "two owners of {name}");
            if let State::InRoom { room, seat, .. } = session.state {
                seated += 1;
                assert_eq!(self.members(room).get(seat), Some(&session.conn), "a wrong seat");
            }
        }
        assert_eq!(named, self.users.len(), "a name without a session");
        let members: usize = self.rooms.iter().map(|room| room.members.len()).sum();
        assert_eq!(seated, members, "a member without a session");
        for room in self.rooms.iter() {
            assert!(!room.members.is_empty(), "an empty room");
            assert!(room.members.len() as u64 <= self.limits.room_members, "a room over its limit");
        }
        for upload in self.uploads.line().chain(self.uploads.in_slots()) {
            for party in [upload.from, upload.to] {
                assert_eq!(self.name_of(party.conn), Ok(party.name), "an upload of somebody gone");
            }
        }
    }
}

fn hello(version: u32) -> Result<Reply, Refusal> {
    if version == PROTOCOL_VERSION {
        return Ok(Reply::Done);
    }
    Err(Refusal::WrongVersion { theirs: version, ours: PROTOCOL_VERSION })
}
