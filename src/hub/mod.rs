//! PURE. Who may do what, and who hears what.
//!
//! Knows no bytes, no protocol and no clock: a [`Command`] comes in with the time, [`Effect`]s come
//! out of a queue. It is made of parts that own what is theirs and borrow what they need of the
//! others: people, the entrance, rooms, the post, files. The rules it keeps: the state decides
//! before anything else is looked at; a request that is refused changes nothing; each request has
//! exactly one answer, and it comes before whatever the request causes.

mod arrivals;
mod completions;
mod departures;
mod effect;
mod entrance;
pub mod files;
mod once;
mod out;
mod pace;
mod people;
mod post;
mod rooms;
mod waiting;

pub use effect::{Effect, Request};
use entrance::{Entrance, EntranceState};
pub(crate) use files::Files;
use files::{FilesState, UploadQueue};
use once::{Once, SentKeys};
use out::Out;
use pace::Buckets;
pub use people::table;
use people::{People, State};
use post::{Post, PostState};
use rooms::{Rooms, Talk};
use waiting::Waiting;

use crate::facts::{ConnFact, Who};
use crate::id::{AccountId, ConnId, LetterId, Now, RoomId, Ticket};
use crate::job;
use crate::limits::{Limits, MESSAGE_KEY_MAX, USER_NAME_MAX};
use crate::message::{CloseReason, Command, Key, MessageKey, Refusal, Reply};

/// What a user is found by.
type UserKey = Key<USER_NAME_MAX>;

/// Everything that a server is told at its start.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its name and version, for the greeting.
    pub server: String,
    /// The bounds in force.
    pub limits: Limits,
    /// Who may do what before they have shown anything.
    pub policy: Policy,
    /// Note what was said, which is for the log at debug level.
    pub log_bodies: bool,
    /// What the store knows.
    pub directory: job::Directory,
    /// The secret under which resume tokens are made.
    pub token_key: [u8; 32],
    /// A random number that tells this run of the server from others.
    pub run: u64,
    /// The files that the store knows.
    pub catalogue: job::Catalogue,
    /// What uploads that broke have left.
    pub halves: Vec<job::Half>,
}

/// Who may do what before they have shown anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A name that is nobody's may be used without a password.
    pub guests: bool,
    /// Anybody may make an account.
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
            run: 0,
            catalogue: job::Catalogue { next: 1, ..job::Catalogue::default() },
            halves: Vec::new(),
        }
    }
}

/// What a request comes to, if it is not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// This is the reply.
    Now(Reply),
    /// The answer comes when a worker, or another user, has said something.
    Later,
}

/// What is in force for all.
#[derive(Debug)]
struct Rules {
    limits: Limits,
    policy: Policy,
    /// Nobody is told any more that others leave, and nobody can log in.
    stopping: bool,
}

/// Everybody who is connected, their rooms and their files.
#[derive(Debug)]
pub struct Hub {
    rules: Rules,
    help: String,
    people: People,
    pace: Buckets,
    entrance: EntranceState,
    rooms: Rooms,
    post: PostState,
    sent: SentKeys,
    files: FilesState,
    out: Out,
}

impl Hub {
    /// A hub without connections. `help` is the answer to [`Command::Help`].
    #[must_use]
    pub fn new(setup: Setup, help: String) -> Self {
        let Setup { limits, policy, log_bodies, directory, token_key, .. } = setup;
        Self {
            people: People::new(directory, setup.run),
            pace: Buckets::new(limits.message_rate),
            entrance: EntranceState::new(limits.block_duration, token_key),
            rooms: Rooms::default(),
            post: PostState::default(),
            sent: SentKeys::default(),
            files: FilesState::new(&limits, setup.catalogue, setup.halves),
            out: Out::new(log_bodies),
            rules: Rules { limits, policy, stopping: false },
            help,
        }
    }

    /// The next thing to do. To be called until there is none, after each `handle_*`.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.out.poll()
    }

    /// The members of a room that exists.
    #[must_use]
    pub fn members(&self, room: RoomId) -> &[ConnId] {
        self.rooms.members(room)
    }

    /// Everybody who is logged in.
    pub fn online(&self) -> impl Iterator<Item = ConnId> {
        self.people.online()
    }

    /// Whether a connection has a name.
    #[must_use]
    pub(crate) fn is_logged_in(&self, conn: ConnId) -> bool {
        self.people.user_of(conn).is_ok()
    }

    /// Whether a login or a registration on a connection waits for its answer.
    #[must_use]
    pub(crate) fn is_entering(&self, conn: ConnId) -> bool {
        let session = self.people.session(conn);
        session.is_some_and(|session| matches!(session.state, State::Entering { .. }))
    }

    /// Whose letters a connection is told.
    #[must_use]
    pub fn account_of(&self, conn: ConnId) -> Option<AccountId> {
        self.people.user_of(conn).ok()?.account
    }

    /// Users online.
    #[must_use]
    pub(crate) fn user_count(&self) -> usize {
        self.people.count()
    }

    /// Rooms that exist.
    #[must_use]
    pub(crate) fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// The upload queue.
    #[must_use]
    pub fn uploads(&self) -> &UploadQueue {
        self.files.queue()
    }

    /// When `handle_time` has something to do, on the monotonic clock.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        let (entrance, post) = (self.entrance.next_deadline_ms(), self.post.next_deadline_ms());
        [self.files.next_deadline_ms(), entrance, post].into_iter().flatten().min()
    }

    /// From here on nobody is told that others leave, and nobody can log in.
    pub(crate) fn handle_stop(&mut self) {
        self.rules.stopping = true;
    }

    /// A request of a connection.
    pub(crate) fn handle_command(&mut self, now: Now, request: Request, command: Command<'_>) {
        debug_assert!(self.out.is_drained(), "effects were not drained");
        let conn = request.conn;
        let Some(state) = self.people.session(conn).map(|session| session.state) else { return };
        let op = command.op();
        let answer = if let Command::Once { key, message } = command {
            self.say_once(now, request, state, &key, *message)
        } else {
            state.may(op).and_then(|()| self.dispatch(now, request, command, None))
        };
        if let Err(refusal) = &answer {
            let who = Who::new(conn, state.name());
            self.out.note(ConnFact::Refused { who, op, code: refusal.code() });
        }
        self.out.answer(request, answer);
    }

    /// A message under a key: what was said before gets the answer that it got then, whatever may
    /// be said now.
    fn say_once(
        &mut self,
        now: Now,
        request: Request,
        state: State,
        key: &str,
        message: Command<'_>,
    ) -> Result<Answer, Refusal> {
        let key = MessageKey::parse(key);
        let key = key.ok_or(Refusal::BadMessageKey { max: MESSAGE_KEY_MAX })?;
        let Some(user) = state.user() else {
            return Err(state.may(message.op()).err().unwrap_or(Refusal::LoginFirst));
        };
        let once = (user.name.key(), key);
        if let Some(answer) = self.sent.known(now, once) {
            return answer.map(Answer::Now);
        }
        state.may(message.op())?;
        self.sent.begin(now, once);
        let answer = self.dispatch(now, request, message, Some(once));
        match &answer {
            Ok(Answer::Now(reply)) => self.sent.end(once, Some(reply)),
            Ok(Answer::Later) => {}
            Err(_) => self.sent.end(once, None),
        }
        answer
    }

    /// A connection that cannot confirm letters has been sent all up to this one; its session may
    /// be over by then.
    pub(crate) fn letters_arrived(&mut self, conn: ConnId, account: AccountId, letter: LetterId) {
        self.post().letters_arrived(conn, account, letter);
    }

    /// The connections that [`Self::handle_time`] is about to judge by what they have not sent.
    pub(crate) fn late_senders(&self, now: Now) -> Vec<ConnId> {
        let owners = self.entrance.unheard(now);
        owners.chain(self.files.stalled(now)).collect()
    }

    /// Time has passed.
    pub(crate) fn handle_time(&mut self, now: Now) {
        self.files().handle_time(now);
        self.end_contests(now);
        self.post().retry_letters(now);
    }

    /// A ticket for a job of whomever: two jobs never have the same one.
    pub(crate) fn next_ticket(&mut self) -> Ticket {
        self.out.next_ticket()
    }

    /// Files, and what the engine has to say of them.
    pub(crate) fn files(&mut self) -> Files<'_> {
        let Self { files: own, people, rooms, pace, rules, out, .. } = self;
        Files { own, people, rooms, pace, rules, out }
    }

    fn entrance(&mut self) -> Entrance<'_> {
        let Self { entrance: own, people, rules, out, .. } = self;
        Entrance { own, people, rules, out }
    }

    fn talk(&mut self) -> Talk<'_> {
        let Self { rooms, people, pace, rules, out, .. } = self;
        Talk { rooms, people, pace, rules, out }
    }

    fn post(&mut self) -> Post<'_> {
        let Self { post: own, people, pace, rules, sent, out, .. } = self;
        Post { own, people, pace, rules, sent, out }
    }

    fn dispatch(
        &mut self,
        now: Now,
        request: Request,
        command: Command<'_>,
        once: Option<Once>,
    ) -> Result<Answer, Refusal> {
        let (conn, Self { people, out, .. }) = (request.conn, &mut *self);
        match command {
            Command::Hello { version, about } => people.hello(conn, version, about),
            Command::Once { .. } => Err(Refusal::BadRequest("a key within a key".to_owned())),
            Command::Help => Ok(Answer::Now(Reply::Help { text: self.help.clone() })),
            Command::Ping => Ok(Answer::Now(Reply::Pong)),
            Command::Exit => Ok(self.exit(conn)),
            Command::Login { user, proof } => self.login(now, request, &user, proof),
            Command::Logout { all } => self.logout(now, request, all),
            Command::Sessions => people.list_sessions(conn),
            Command::EndSession { session } => self.end_other(now, request, session),
            Command::Register { user, password } => {
                self.entrance().register(now, request, &user, password)
            }
            Command::Passwd { old, new } => self.entrance().passwd(now, request, old, new),
            Command::WhoElse { within_s } => people.who_else(now, conn, within_s),
            Command::Block { user } => people.ask_to_block(out, request, &user),
            Command::Unblock { user } => people.ask_to_unblock(out, request, &user),
            Command::Blocked => people.list_blocked(conn),
            Command::Join { room, open } => self.join(now, conn, &room, open),
            Command::Room { room } => self.talk().turn(conn, &room),
            Command::Leave { room } => self.talk().leave(now, conn, room.as_deref()),
            Command::Say { text, me, room } => {
                self.talk().say(now, conn, (text, me), room.as_deref())
            }
            Command::Broadcast { text } => self.talk().broadcast(now, conn, text),
            Command::Rooms => self.talk().list_rooms(),
            Command::Who { room } => self.talk().who(conn, room.as_deref()),
            Command::Whisper { user, text } => {
                self.post().whisper(now, request, (&user, text), once)
            }
            Command::Got { letter } => self.post().got(conn, letter),
            Command::Queue => self.files().show_queue(now),
            Command::SendFile { user: Some(user), file, .. } => {
                self.files().send_file(now, conn, &user, file)
            }
            Command::SendFile { user: None, room, file } => {
                self.files().send_to_room(now, conn, room.as_deref(), file)
            }
            Command::Upload { room, file } => self.files().upload(now, conn, room.as_deref(), file),
            Command::Files { pattern, after } => {
                self.files().list_files(now, conn, pattern.as_deref(), after)
            }
            Command::Get { file, offset } => self.files().get_file(conn, &file, offset),
            Command::Received { transfer } => self.files().received(request, transfer),
            Command::Reject { transfer } => self.files().reject(request, transfer),
            Command::Remove { transfer } => self.files().remove(request, transfer),
            Command::Cancel { transfer } => self.files().cancel(now, conn, transfer),
        }
    }

    fn exit(&mut self, conn: ConnId) -> Answer {
        self.out.push(Effect::Close { conn, reason: CloseReason::Exit });
        Answer::Now(Reply::Done)
    }

    fn join(&mut self, now: Now, conn: ConnId, room: &str, open: bool) -> Result<Answer, Refusal> {
        let (answer, is_new) = self.talk().join(now, conn, room, open)?;
        if is_new {
            self.files().offer_of_room(conn);
        }
        Ok(answer)
    }

    /// Checks that the parts agree, for tests and the simulation.
    ///
    /// # Panics
    /// When they do not.
    pub fn check_invariants(&self) {
        self.people.check_invariants();
        self.rooms.check_invariants(&self.people, self.rules.limits.room_members);
        self.files.check_invariants(&self.people);
        self.check_waiting();
    }
}

/// A number as the protocol tells it.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
