//! PURE. Who may do what, and who hears what.
//!
//! Knows no bytes, no protocol and no clock: a [`Command`] comes in with the time, [`Effect`]s come
//! out of a queue. The rules it keeps: the state decides before anything else is looked at; a
//! request that is refused changes nothing; each request has exactly one answer, and it comes
//! before whatever the request causes.

mod accounts;
mod directory;
mod effect;
pub mod files;
mod guard;
mod letters;
mod login;
mod pace;
mod presence;
mod room;
mod session;
mod talk;
mod token;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use directory::Directory;
pub use effect::{Effect, Request};
use files::{Bounds, StoredFiles, UploadQueue};
use guard::Guard;
use login::Contest;
use room::Rooms;
pub use session::table;
use session::{Session, State, User};
use token::Tokens;
use waiting::{Answer, Waiting};

use crate::facts::{ConnFact, Fact, TalkFact, Who};
use crate::id::{ConnId, Now, RoomId, Source, Ticket, TransferId};
use crate::job;
use crate::limits::{Limits, USER_NAME_MAX};
use crate::message::{
    CloseReason, Command, Digest, Ending, Event, Key, Op, PROTOCOL_VERSION, Refusal, Reply,
    UserName,
};

/// What a user is found by.
type UserKey = Key<USER_NAME_MAX>;

/// Everything that a server is told at its start.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its name and version, for the greeting.
    pub server: String,
    /// The bounds in force.
    pub limits: Limits,
    /// Who may do what before he has shown anything.
    pub policy: Policy,
    /// Note what was said, which is for the log at debug level.
    pub log_bodies: bool,
    /// What the store knows.
    pub directory: job::Directory,
    /// The secret under which resume tokens are made.
    pub token_key: [u8; 32],
    /// The files that the store knows.
    pub catalogue: job::Catalogue,
    /// What uploads that broke have left.
    pub halves: Vec<job::Half>,
}

/// Who may do what before he has shown anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A name that is nobody's may be used without a password.
    pub guests: bool,
    /// Whoever comes may make an account.
    pub registration: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { guests: true, registration: true }
    }
}

impl Default for Setup {
    /// The defaults, without a single account; the secret is for tests.
    fn default() -> Self {
        Self {
            server: "parlor".to_owned(),
            limits: Limits::default(),
            policy: Policy::default(),
            log_bodies: false,
            directory: job::Directory::default(),
            token_key: [0; 32],
            catalogue: job::Catalogue { next: 1, ..job::Catalogue::default() },
            halves: Vec::new(),
        }
    }
}

/// Everybody who is connected, their rooms and their uploads.
#[derive(Debug)]
pub struct Hub {
    limits: Limits,
    policy: Policy,
    log_bodies: bool,
    stopping: bool,
    help: String,
    /// By slot; a slot without a connection is empty.
    sessions: Vec<Option<Session>>,
    users: BTreeMap<UserKey, ConnId>,
    rooms: Rooms,
    uploads: UploadQueue,
    files: StoredFiles,
    /// Who takes which file.
    downloads: BTreeSet<(ConnId, TransferId)>,
    /// Files that were taken or refused a while ago, the oldest first.
    taken: VecDeque<job::StoredFile>,
    /// Contents that no file has, as far as is known.
    doomed: BTreeSet<Digest>,
    /// Bytes that the disk has room for.
    free_bytes: u64,
    /// When to look whose time is over, on the monotonic clock; `None` while there is nothing.
    sweep_ms: Option<u64>,
    directory: Directory,
    guard: Guard,
    tokens: Tokens,
    next_serial: u64,
    /// Names that are being registered.
    registering: BTreeSet<UserKey>,
    /// Names whose owner is asked whether he lives.
    contests: BTreeMap<UserKey, Contest>,
    /// Names with the time when they were here last, on the monotonic clock.
    seen: BTreeMap<UserKey, (UserName, u64)>,
    /// Connections whose letters could not be read, and when to try again.
    retries: VecDeque<(u64, ConnId)>,
    /// What waits for a worker.
    waiting: BTreeMap<Ticket, Waiting>,
    /// The last ticket that was given, by whomever it is waited for.
    last_ticket: u64,
    store_trouble: bool,
    effects: VecDeque<Effect>,
}

impl Hub {
    /// A hub without connections. `help` is the answer to [`Command::Help`].
    #[must_use]
    pub fn new(setup: Setup, help: String) -> Self {
        let Setup { limits, policy, log_bodies, directory, token_key, .. } = setup;
        let Setup { catalogue, halves, .. } = setup;
        let count = |bound: u64| usize::try_from(bound).unwrap_or(usize::MAX);
        let bounds = Bounds {
            slots: count(limits.upload_slots),
            waiting: count(limits.upload_waiting),
            stall: limits.upload_stall,
        };
        let uploads = UploadQueue::new(bounds, catalogue.next);
        let files = StoredFiles::new(catalogue, halves);
        Self {
            guard: Guard::new(limits.block_duration),
            limits,
            policy,
            log_bodies,
            stopping: false,
            help,
            sessions: Vec::new(),
            users: BTreeMap::new(),
            rooms: Rooms::default(),
            uploads,
            // What has had its time while there was no server goes at the first look.
            sweep_ms: (!files.is_empty()).then_some(0),
            files,
            downloads: BTreeSet::new(),
            taken: VecDeque::new(),
            doomed: BTreeSet::new(),
            free_bytes: u64::MAX,
            directory: Directory::new(directory),
            tokens: Tokens::new(token_key),
            next_serial: 0,
            registering: BTreeSet::new(),
            contests: BTreeMap::new(),
            seen: BTreeMap::new(),
            retries: VecDeque::new(),
            waiting: BTreeMap::new(),
            last_ticket: 0,
            store_trouble: false,
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

    /// Everybody who is logged in.
    pub fn online(&self) -> impl Iterator<Item = ConnId> {
        self.users.values().copied()
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
        let contest = self.contests.values().map(|contest| contest.until_ms).min();
        let retry = self.retries.front().map(|(due_ms, _)| *due_ms);
        let all = [self.uploads.next_deadline_ms(), contest, retry, self.sweep_ms];
        all.into_iter().flatten().min()
    }

    /// A connection was made.
    pub fn handle_opened(&mut self, conn: ConnId, source: Source) {
        let slot = conn.slot as usize;
        if self.sessions.len() <= slot {
            self.sessions.resize_with(slot + 1, || None);
        }
        debug_assert!(self.sessions[slot].is_none(), "the slot has a tenant");
        let bucket = pace::Bucket::default();
        let state = State::Nameless;
        self.sessions[slot] = Some(Session { conn, source, state, bucket, answers_pings: false });
    }

    /// It is known what a connection speaks: whether its client answers a ping by itself.
    pub fn handle_greeted(&mut self, conn: ConnId, answers_pings: bool) {
        if let Some(session) = self.session_mut(conn) {
            session.answers_pings = answers_pings;
        }
    }

    /// A connection is over, for whatever reason: its name, its seat and its uploads are free.
    /// `missed` is how many messages of others it was not told.
    pub fn handle_gone(&mut self, now: Now, conn: ConnId, reason: CloseReason, missed: u64) {
        let Some(session) = self.session(conn) else { return };
        let state = session.state;
        if let State::Entering { name } = state {
            self.end_entering(conn, name);
        }
        // Whoever waited to see whether this one lives has seen it, and takes its place.
        if let Some(name) = state.name().filter(|_| reason != CloseReason::Exit) {
            self.pass_on(now, Some(name.key()));
        }
        let name = self.name_of(conn).ok();
        let given_back = self.end_session(now, conn, reason == CloseReason::Exit);
        self.note(ConnFact::Disconnected { conn, user: name, reason, missed });
        self.sessions[conn.slot as usize] = None;
        self.pass_on(now, given_back);
    }

    /// From here on nobody is told that others leave, and nobody can log in.
    pub fn handle_stop(&mut self) {
        self.stopping = true;
    }

    /// A request of a connection.
    pub fn handle_command(&mut self, now: Now, request: Request, command: Command<'_>) {
        debug_assert!(self.effects.is_empty(), "effects were not drained");
        let conn = request.conn;
        let Some(session) = self.session(conn).copied() else { return };
        let op = command.op();
        let answer = match session.state.may(op) {
            Ok(()) => self.dispatch(now, request, command),
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = &answer {
            let who = Who::new(conn, session.state.name());
            self.note(ConnFact::Refused { who, op, code: refusal.code() });
        }
        if let Some(answer) = answer.transpose() {
            self.effects.push_front(Effect::Answer { request, answer, late: false });
        }
    }

    /// Whether a part of a file may come from this connection at all.
    ///
    /// # Errors
    /// The refusal that the table of states holds.
    fn may_send_chunks(&self, conn: ConnId) -> Result<(), Refusal> {
        self.session(conn).map_or(Err(Refusal::LoginFirst), |session| session.state.may(Op::Chunk))
    }

    /// Time has passed.
    pub fn handle_time(&mut self, now: Now) {
        while let Some(id) = self.uploads.overdue(now) {
            self.end_upload(now, id, Ending::Stalled);
        }
        self.sweep_files(now);
        self.end_contests(now);
        self.retry_letters(now);
    }

    fn dispatch(&mut self, now: Now, request: Request, command: Command<'_>) -> Answer {
        let conn = request.conn;
        match command {
            Command::Login { user, proof } => return self.login(now, request, &user, proof),
            Command::Register { user, password } => {
                return self.register(now, request, &user, password);
            }
            Command::Passwd { old, new } => return self.passwd(now, request, old, new),
            Command::Logout => return self.logout(now, request),
            Command::Say { text, me } => return self.say(now, conn, text, me),
            Command::Broadcast { text } => return self.broadcast(now, conn, text),
            Command::Whisper { user, text } => return self.whisper(now, request, &user, text),
            Command::Got { letter } => return self.got(conn, letter),
            Command::WhoElse { within_s } => return self.who_else(now, conn, within_s),
            Command::Block { user } => return self.block(request, &user),
            Command::Unblock { user } => return self.unblock(request, &user),
            Command::Blocked => return self.list_blocked(conn),
            Command::Received { transfer } => return self.received(request, transfer),
            Command::Reject { transfer } => return self.reject(request, transfer),
            Command::Remove { transfer } => return self.remove(request, transfer),
            Command::Hello { version } => hello(version),
            Command::Join { room } => self.join(now, conn, &room),
            Command::Leave => self.leave(now, conn),
            Command::Rooms => Ok(self.list_rooms()),
            Command::Who { room } => self.who(conn, room.as_deref()),
            Command::Queue => Ok(self.show_queue(now)),
            Command::Help => Ok(Reply::Help { text: self.help.clone() }),
            Command::Ping => Ok(Reply::Pong),
            Command::Exit => {
                self.effects.push_back(Effect::Close { conn, reason: CloseReason::Exit });
                Ok(Reply::Done)
            }
            Command::SendFile { user, file } => self.send_file(now, conn, user.as_deref(), file),
            Command::Upload { file } => self.upload(now, conn, file),
            Command::Files { pattern, after } => {
                self.list_files(now, conn, pattern.as_deref(), after)
            }
            Command::Get { file, offset } => self.get_file(conn, &file, offset),
            Command::Cancel { transfer } => self.cancel(now, conn, transfer),
        }
        .map(Some)
    }

    fn session(&self, conn: ConnId) -> Option<&Session> {
        let session = self.sessions.get(conn.slot as usize)?.as_ref()?;
        (session.conn == conn).then_some(session)
    }

    fn session_mut(&mut self, conn: ConnId) -> Option<&mut Session> {
        let session = self.sessions.get_mut(conn.slot as usize)?.as_mut()?;
        (session.conn == conn).then_some(session)
    }

    fn set_state(&mut self, conn: ConnId, state: State) {
        if let Some(session) = self.session_mut(conn) {
            session.state = state;
        }
    }

    /// Who is logged in on a connection: the table lets no other come here.
    fn user_of(&self, conn: ConnId) -> Result<User, Refusal> {
        self.session(conn).and_then(|session| session.state.user()).ok_or(Refusal::LoginFirst)
    }

    fn name_of(&self, conn: ConnId) -> Result<UserName, Refusal> {
        self.user_of(conn).map(|user| user.name)
    }

    fn tell(&mut self, conn: ConnId, event: Event) {
        self.effects.push_back(Effect::Tell { conn, by: None, event });
    }

    fn note(&mut self, fact: impl Into<Fact>) {
        self.effects.push_back(Effect::Note(fact.into()));
    }

    /// Notes what was said, if that is to be read by anybody.
    fn note_body(&mut self, fact: impl FnOnce() -> TalkFact) {
        if self.log_bodies {
            self.note(fact());
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
        for upload in self.uploads.iter() {
            if matches!(upload.stage, files::Stage::Finishing { .. }) {
                continue;
            }
            let from = upload.draft.from;
            assert_eq!(self.name_of(from.conn), Ok(from.name), "an upload of somebody gone");
            let guest = upload.draft.guest;
            assert!(guest.is_none_or(|conn| self.user_of(conn).is_ok()), "an upload for nobody");
        }
        self.check_files();
        self.check_waiting();
    }
}

/// A number as the protocol tells it.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn hello(version: u32) -> Result<Reply, Refusal> {
    if version == PROTOCOL_VERSION {
        return Ok(Reply::Done);
    }
    Err(Refusal::WrongVersion { theirs: version, ours: PROTOCOL_VERSION })
}
