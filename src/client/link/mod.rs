//! PURE. The way of one user to a server: connected, logged in, and back after the connection
//! broke.
//!
//! Refuses to know files, screens and words for people, and makes no connection itself. The
//! contract: after each call that changes something, take [`Link::poll_event`] until there is none,
//! and then [`Link::go_on`] until that has nothing more; tell the time with [`Link::handle_time`],
//! now and when [`Link::wake_at`] says; make a connection when [`Link::poll_call`] asks for one.
//! The rule it keeps: what was asked is answered, or told as not answered when the connection
//! broke; it is never asked again, except a message under its key to a server that knows the key.

mod again;
mod login;
mod once;
mod pace;
mod proofs;
mod question;
mod rooms;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::letters::Letters;
use super::outcome::{Fault, Over};
use super::session::{ClientEvent, ClientSession};
use super::start::Start;
use super::view::{Gone, Note, Refused, Show};
use crate::front::native::Problem;
use crate::id::TransferId;
use crate::limits::KIB;
use crate::message::{
    ClientTraits, CloseReason, Command, Event, Greeting, Op, PROTOCOL_VERSION, Proof, Reply,
    RoomName, UserName,
};
use again::{Line, Return};
use login::{Attempt, Login};
use once::{Asked, Sender, Unanswered};
use pace::Pace;
use proofs::Proofs;
use question::Questions;
use rooms::Whereabouts;

/// Bytes not yet written above which nothing more should be asked.
const UNSENT_MAX: usize = 256 * KIB as usize;
/// The same of requests without an answer.
const PENDING_MAX: usize = 256;
/// What decides in which room we are.
pub(super) const MOVES: [Op; 5] = [Op::Join, Op::Room, Op::Leave, Op::Login, Op::Logout];
/// How long a server may be silent that does not tell: what is usual, see
/// [`crate::limits::Limits::dead_after`].
const SILENCE_MAX_UNTOLD: Duration = Duration::from_secs(90);
/// How long a server may take to greet.
const GREETING_BEFORE: Duration = Duration::from_secs(10);
/// How long a server may take to answer a goodbye.
const GOODBYE_BEFORE: Duration = Duration::from_secs(5);

/// What happened on the way, for its owner.
#[derive(Debug)]
pub(super) enum LinkEvent {
    /// The server has greeted; so many files it sends at once.
    Greeted {
        downloads: u64,
    },
    /// We are in: for the first time, or `again` after the connection was lost.
    In {
        again: bool,
    },
    /// We are not in any more, and nothing that needs a name will be done.
    Out(Gone),
    /// We do not come back: what waited for that has nobody to say it.
    StaysOut,
    /// The connection is of no use any more. Answered with [`Link::come_back`] or
    /// [`Link::give_up`].
    Failed(Fault),
    /// Another connection will be made; not told again until we are back.
    Away,
    /// A request has its answer, and the link itself has no use for it.
    Answered {
        id: u64,
        op: Op,
        answer: Result<Reply, Problem>,
    },
    Event(Event),
    Chunk {
        transfer: TransferId,
        bytes: Vec<u8>,
    },
    Show(Show),
    /// Show it, and it counts.
    Refused(Refused),
    /// It is over: see [`Link::over`].
    Over,
}

/// The way to one server.
#[derive(Debug)]
pub(super) struct Link {
    /// What every `hello` tells of this client.
    traits: ClientTraits<'static>,
    /// How many keys of messages the server remembers for us: none, if it does not say.
    keys: u32,
    /// Which run of the server it is; empty, if it does not say.
    run: String,
    session: ClientSession,
    line: Line,
    back: Return,
    login: Login,
    /// The login that is under way, or waits to be asked again.
    attempt: Option<Attempt>,
    proofs: Proofs,
    questions: Questions,
    /// Nobody gave a name at the start: it is asked for until there is one.
    asks_name: bool,
    /// A name that is in use may be that of our own last run.
    insists: bool,
    rooms: Whereabouts,
    letters: Letters,
    /// Messages that are said once, however often they are sent.
    unanswered: Unanswered,
    /// What has no answer yet, short and without secrets.
    asked: BTreeMap<u64, String>,
    /// From the greeting: how fast we may talk.
    pace: Pace,
    /// From the greeting: longer than this the server is never silent.
    silence_max: Duration,
    /// Since the start of the client, as it was told last.
    now: Duration,
    events: VecDeque<LinkEvent>,
    /// Found behind the last event of the session.
    fault: Option<Fault>,
    leaving: bool,
    over: Option<Over>,
}

impl Link {
    /// On a new connection, with a login under way if there is a name.
    pub(super) fn new(start: &Start) -> Self {
        let traits = start.traits();
        let mut link = Self {
            session: ClientSession::of(&traits),
            traits,
            keys: 0,
            run: String::new(),
            line: Line::Up,
            back: Return::new(start.returns_for, start.seed),
            login: Login::Unnamed,
            attempt: None,
            proofs: Proofs::new(start.password.clone()),
            questions: Questions::new(start.at_terminal),
            asks_name: start.asks_name(),
            insists: start.errand.ends_by_itself(),
            rooms: Whereabouts::default(),
            letters: Letters::default(),
            unanswered: Unanswered::new(start.seed),
            asked: BTreeMap::new(),
            pace: Pace::default(),
            silence_max: GREETING_BEFORE,
            now: Duration::ZERO,
            events: VecDeque::new(),
            fault: None,
            leaving: false,
            over: None,
        };
        if let Some(user) = &start.user {
            link.log_in(user, start.token.clone().map_or(Proof::None, Proof::Token));
        }
        link
    }

    /// Whether it is over, and why.
    pub(super) fn over(&self) -> Option<&Over> {
        self.over.as_ref()
    }

    /// Whether we have said goodbye.
    pub(super) fn leaving(&self) -> bool {
        self.leaving
    }

    /// Whether it is neither over nor about to be.
    pub(super) fn is_open(&self) -> bool {
        !self.leaving && self.over.is_none()
    }

    /// Whether the server knows neither sessions nor several rooms. Of what it does not know in a
    /// request it would do the rest, which is something else.
    pub(super) fn is_old(&self) -> bool {
        self.is_in() && self.keys == 0
    }

    /// How long the server may be silent before that is a fault.
    pub(super) fn silence_max(&self) -> Duration {
        if self.leaving { GOODBYE_BEFORE } else { self.silence_max }
    }

    /// The time, as it was told last.
    pub(super) fn now(&self) -> Duration {
        self.now
    }

    /// The room that is current, of those that we are in or come back to.
    pub(super) fn room(&self) -> Option<RoomName> {
        self.rooms.current()
    }

    /// All that we are in or come back to, the current one first.
    pub(super) fn rooms(&self) -> &[RoomName] {
        self.rooms.all()
    }

    /// Whether something more should be asked now.
    pub(super) fn is_free(&self) -> bool {
        !matches!(self.login, Login::Asked | Login::Resting(_))
            && self.session.outgoing().len() < UNSENT_MAX
            && self.session.pending() < PENDING_MAX
            && self.pace.wait(self.now).is_none()
            && !self.owes()
    }

    /// Whether messages wait to be sent again.
    pub(super) fn owes(&self) -> bool {
        self.unanswered.waiting() > 0
    }

    /// Requests without an answer, those counted that wait to be sent again.
    pub(super) fn pending(&self) -> usize {
        let asked = if self.away() { 0 } else { self.session.pending() };
        asked + self.unanswered.waiting()
    }

    /// Whether one of these up to the request `last` waits for its answer.
    pub(super) fn awaits(&self, ops: &[Op], last: u64) -> bool {
        self.session.awaits(ops, last)
    }

    /// The number of the last request.
    pub(super) fn last_id(&self) -> u64 {
        self.session.last_id()
    }

    /// Bytes that wait to be written.
    pub(super) fn outgoing(&self) -> &[u8] {
        if self.away() { &[] } else { self.session.outgoing() }
    }

    /// The socket has taken the first `count` bytes of [`Link::outgoing`].
    pub(super) fn sent(&mut self, count: usize) {
        self.session.sent(count);
    }

    /// Asks for something that does not change who we are; the number comes back with its answer.
    pub(super) fn request(&mut self, command: Command<'_>) -> u64 {
        if matches!(command.op(), Op::Say | Op::Broadcast | Op::Whisper | Op::Files) {
            self.pace.send(self.now);
        }
        if self.keys > 0
            && let Some(once) = self.unanswered.wrap(&command)
        {
            return self.request_once(once);
        }
        let opens = matches!(command, Command::Join { open: true, .. });
        let id = self.session.request(command);
        if opens {
            self.rooms.begin_to_open(id);
        }
        id
    }

    fn request_once(&mut self, once: Command<'static>) -> u64 {
        let moving = self.session.awaits(&MOVES, self.last_id());
        let (by, run) = (self.sender(), self.run.clone());
        let asked = Asked { at: self.now, by, run, room: self.room(), moving };
        let id = self.session.request(once.clone());
        self.unanswered.begin(id, once, asked);
        id
    }

    /// Who is remembered with a key that we send.
    fn sender(&self) -> Option<Sender> {
        self.proofs.who.as_ref().map(|who| Sender { user: who.user, guest: who.guest })
    }

    /// Sends a part of an upload.
    pub(super) fn send_chunk(&mut self, transfer: TransferId, bytes: &[u8]) {
        self.session.send_chunk(transfer, bytes);
    }

    /// What was asked since the request `before`, in words, for the case that it is not answered.
    pub(super) fn name_last(&mut self, before: u64, words: String) {
        let id = self.session.last_id();
        if id > before && self.attempt.is_none() && !self.leaving {
            self.asked.insert(id, words);
        }
    }

    /// An answer is what it seems to be, and may change who we are.
    pub(super) fn handle_answer(&mut self, op: Op, answer: &Result<Reply, Problem>) {
        match answer {
            Ok(Reply::LoggedOut) => self.on_logged_out(),
            Err(_) if op == Op::Logout => self.on_logout_refused(),
            Ok(_) | Err(_) => {}
        }
    }

    /// Whether this is not a letter that has come before. What comes behind our goodbye cannot be
    /// confirmed, so it is for the next time. What we said ourselves is no letter to us.
    pub(super) fn is_news(&mut self, event: &Event) -> bool {
        let Event::Whispered { letter: Some(letter), own: false, .. } = event else { return true };
        !self.leaving && self.letters.handle_letter(*letter)
    }

    /// All that came was shown.
    pub(super) fn handle_shown(&mut self) {
        let can_tell = !self.away() && self.is_in() && !self.leaving;
        if can_tell && let Some(letter) = self.letters.poll_confirmation() {
            self.session.request(Command::Got { letter });
        }
    }

    /// The server sent this.
    pub(super) fn handle_bytes(&mut self, bytes: &[u8]) {
        if let Err(error) = self.session.handle_bytes(bytes) {
            self.fault = Some(Fault::Garbled(error));
        }
    }

    /// The connection cannot be used any further.
    pub(super) fn handle_fault(&mut self, fault: Fault) {
        if fault == Fault::Closed {
            self.session.handle_end();
        }
        self.fault = Some(fault);
    }

    /// Says goodbye.
    pub(super) fn leave(&mut self) {
        if self.leaving {
            return;
        }
        self.leaving = true;
        self.questions.open = None;
        if self.away() {
            self.finish(Over::Broken(Fault::LeftAway));
        } else {
            self.session.request(Command::Exit);
        }
    }

    /// The next thing that happened.
    pub(super) fn poll_event(&mut self) -> Option<LinkEvent> {
        self.events.pop_front()
    }

    /// Continues with what came, which waits until all is done about what came before. Answers
    /// whether there was something.
    pub(super) fn go_on(&mut self) -> bool {
        match (self.session.poll_event(), &self.over) {
            (Some(event), None) => self.on_event(event),
            (Some(_), Some(_)) => {}
            (None, _) => {
                let fault = self.fault.take();
                let found = fault.is_some();
                fault.into_iter().for_each(|fault| self.on_fault(fault));
                return found;
            }
        }
        true
    }

    fn tell(&mut self, event: LinkEvent) {
        self.events.push_back(event);
    }

    fn note(&mut self, note: Note) {
        self.tell(LinkEvent::Show(Show::Note(note)));
    }

    fn refuse(&mut self, refused: Refused) {
        self.tell(LinkEvent::Refused(refused));
    }

    /// It is over, with this unless it was before.
    fn finish(&mut self, over: Over) {
        if self.over.is_none() {
            self.give_up_messages();
            self.questions.open = None;
            self.over = Some(over);
            self.tell(LinkEvent::Over);
        }
    }

    fn on_event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Greeted { protocol, .. } if protocol != PROTOCOL_VERSION => {
                self.finish(Over::Broken(Fault::Version(protocol)));
            }
            ClientEvent::Greeted { server, limits, .. } => self.on_greeted(server, &limits),
            ClientEvent::Answered { id, op, answer } => self.on_answer(id, op, answer),
            ClientEvent::Event(event) => self.on_news(event),
            ClientEvent::Chunk { transfer, bytes } => {
                self.tell(LinkEvent::Chunk { transfer, bytes });
            }
            ClientEvent::Refused(line) => self.on_fault(Fault::TurnedAway(line)),
        }
    }

    fn on_greeted(&mut self, server: String, limits: &Greeting) {
        let day_ms = 24 * 60 * 60 * 1000;
        self.silence_max = match limits.dead_after_ms {
            0 => SILENCE_MAX_UNTOLD,
            ms => Duration::from_millis(ms.clamp(1000, day_ms)),
        };
        self.pace.set_rate(limits.message_rate);
        self.tell(LinkEvent::Greeted { downloads: limits.downloads });
        if self.returning() {
            return;
        }
        self.note(Note::Connected(server));
        if self.asks_for_name() {
            self.note(Note::WhoAreYou);
        }
    }

    fn on_answer(&mut self, id: u64, op: Op, answer: Result<Reply, Problem>) {
        let words = self.asked.remove(&id);
        if !self.unanswered.handle_answer(id, &answer, words, self.now) {
            return;
        }
        self.rooms.handle_answer(id, op, &answer);
        if self.rooms.handle_entered(id) {
            return self.on_reentered(answer);
        }
        match (op, answer) {
            (Op::Login | Op::Register, answer) => self.on_login_answer(op, answer),
            // Nobody asked for it; what is not confirmed comes again and is known then.
            (Op::Got, _) => {}
            (Op::Passwd, answer) => self.on_passwd_answer(answer),
            (Op::Hello, Ok(reply)) => {
                if let Reply::Able { keys, run } = &reply {
                    (self.keys, self.run) = (*keys, run.clone());
                }
                self.tell(LinkEvent::Answered { id, op, answer: Ok(reply) });
            }
            (op, answer) => self.tell(LinkEvent::Answered { id, op, answer }),
        }
    }

    fn on_news(&mut self, event: Event) {
        let bye =
            if let Event::Bye { reason, back, .. } = event { Some((reason, back)) } else { None };
        let logged_out = matches!(event, Event::LoggedOut { .. });
        self.tell(LinkEvent::Event(event));
        if let Some((reason, back)) = bye {
            self.on_bye(reason, back);
        } else if logged_out {
            self.on_logged_out();
        }
    }

    fn on_bye(&mut self, reason: CloseReason, back: bool) {
        if self.leaving || reason == CloseReason::Exit {
            self.finish(Over::Left);
        } else if back {
            self.on_fault(Fault::Bye(reason));
        } else {
            self.finish(Over::Goodbye(None));
        }
    }

    /// As which guest we are in or come back, and what gets that guest in.
    pub(super) fn guest(&self) -> Option<(UserName, &str)> {
        self.proofs.guest()
    }

    /// Who we are, while we are in.
    pub(super) fn me(&self) -> Option<UserName> {
        self.proofs.who.as_ref().filter(|_| self.is_in()).map(|who| who.user)
    }
}
