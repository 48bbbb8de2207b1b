//! The plain client without its socket, terminal and clock: bytes and typed lines in, bytes and
//! lines to show out.
//!
//! Knows the session, the files and the screen, and joins them. The contract is the session's:
//! tell the time with [`Chat::handle_time`], now and when [`Chat::wake_at`] says; after each
//! `handle_*`, take [`Chat::poll_line`] until there is none, say so with [`Chat::handle_shown`],
//! and write [`Chat::outgoing`]. While [`Chat::away`] there is no connection; [`Chat::poll_call`]
//! asks for one. The rule it keeps: nothing typed is lost in silence; it is asked, done or
//! refused, and whether all of it went well is known at the end.

mod about;
mod again;
mod deeds;
mod login;
mod start;
mod taking;
mod transfers;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::commands::{self, Wish, shortly};
use super::drivers::work::Work;
use super::errand::{Errand, Whom};
use super::face::Face;
use super::letters::Letters;
use super::outcome::{ClientOutcome, Over};
use super::pace::Pace;
use super::progress::Progress;
use super::question::Question;
use super::screen::Screen;
use super::session::{ClientEvent, ClientSession};
use super::transfers::Transfers;
use super::transfers::downloads::Keeping;
use super::view::{Note, Show};
use crate::front::hint::sentence;
use crate::front::native::Problem;
use crate::id::TransferId;
use crate::limits::KIB;
use crate::message::{
    CloseReason, Command, Event, Greeting, Op, PROTOCOL_VERSION, Refusal, Reply, RoomName, Secret,
    TextError,
};
use about::About;
use again::{Link, Return};
use deeds::Listing;
use login::{Attempt, Given, Identity};
pub(super) use start::Start;
use transfers::Delayed;

/// Bytes not yet written above which no line is taken.
const UNSENT_MAX: usize = 256 * KIB as usize;
/// Requests without an answer above which no line is taken.
const PENDING_MAX: usize = 256;
/// Longest line in bytes that is sent before the login: what fits a frame then, see
/// [`crate::limits::FRAME_BEFORE_LOGIN_MAX`].
const LINE_BEFORE_LOGIN_MAX: usize = 400;
/// How long a server may be silent that does not tell: what is usual, see
/// [`crate::limits::Limits::dead_after`].
const SILENCE_MAX_UNTOLD: Duration = Duration::from_secs(90);
/// How long a server may take to greet.
const GREETING_BEFORE: Duration = Duration::from_secs(10);
/// How long a server may take to answer a goodbye.
const GOODBYE_BEFORE: Duration = Duration::from_secs(5);
/// Requests whose success says nothing that other lines do not say.
const UNSHOWN: [Op; 2] = [Op::Hello, Op::Exit];

/// How far the login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    /// The next line will be the name.
    Unnamed,
    /// Under way: lines wait for its outcome, because what they mean depends on it.
    Asked,
    /// The same, and it will be asked again when it is time.
    Resting,
    /// Refused or logged out: `/login` is what helps.
    Out,
    Done,
}

/// One conversation.
#[derive(Debug)]
pub(super) struct Chat {
    session: ClientSession,
    work: Work,
    listing: Option<Listing>,
    link: Link,
    back: Return,
    transfers: Transfers,
    /// Take every file that is offered.
    accepts_all: bool,
    /// Files for a room that is known when an answer has come.
    delayed: VecDeque<Delayed>,
    /// What is saved and not known to be confirmed.
    unconfirmed: BTreeSet<TransferId>,
    /// No lines about how far files are.
    bars: bool,
    /// Files have got on, so there may be more to do about them.
    filled: bool,
    screen: Screen,
    letters: Letters,
    /// What a request is about, where its answer does not say so.
    about: BTreeMap<u64, About>,
    /// The lines whose requests have no answer yet, short and without secrets.
    asked: BTreeMap<u64, String>,
    login: Login,
    /// What is under way, or waits to be asked again.
    attempt: Option<Attempt>,
    who: Option<Identity>,
    given: Option<Given>,
    room: Option<RoomName>,
    /// The next line answers it.
    question: Option<Question>,
    /// The next line may have been meant for the answer to a question that is not asked any more.
    spoilt: bool,
    /// The change of the password that is under way.
    new_password: Option<Secret<'static>>,
    at_terminal: bool,
    stays: bool,
    /// Nobody gave a name at the start: it is asked for until there is one.
    asks_name: bool,
    /// From the greeting: longer than this the server is never silent.
    silence_max: Duration,
    /// From the greeting: how fast we may talk.
    pace: Pace,
    /// Since the start of the client, as it was told last.
    now: Duration,
    /// When to be told the time at the latest.
    alarm: Option<Duration>,
    /// Nothing more will be typed.
    no_lines: bool,
    /// The same, and that is reason enough to leave.
    lines_ended: bool,
    leaving: bool,
    refused: bool,
    over: Option<Over>,
}

impl Chat {
    /// A conversation on a new connection.
    pub(super) fn new(start: Start) -> Self {
        let leads = start.errand == Errand::Menu;
        let mut chat = Self {
            session: ClientSession::new(),
            work: Work::new(start.errand, start.room, start.local),
            listing: None,
            link: Link::Up,
            back: Return::new(start.returns_for, start.seed),
            transfers: Transfers::new(start.dir, start.seed),
            accepts_all: start.accepts_all,
            delayed: VecDeque::new(),
            unconfirmed: BTreeSet::new(),
            bars: start.bars,
            filled: false,
            screen: Screen::new(if start.json { Face::Json } else { Face::Plain(start.offset) }),
            letters: Letters::default(),
            about: BTreeMap::new(),
            asked: BTreeMap::new(),
            login: Login::Unnamed,
            attempt: None,
            who: None,
            given: start.password.map(Given::new),
            room: None,
            question: None,
            spoilt: false,
            new_password: None,
            at_terminal: start.at_terminal,
            stays: start.stays,
            asks_name: start.user.is_none() || start.at_terminal && leads,
            silence_max: GREETING_BEFORE,
            pace: Pace::default(),
            now: Duration::ZERO,
            alarm: None,
            no_lines: false,
            lines_ended: false,
            leaving: false,
            refused: false,
            over: None,
        };
        if let Some(user) = &start.user {
            chat.log_in(user, None);
        }
        chat
    }

    /// Whether it is over, and why.
    pub(super) fn over(&self) -> Option<&Over> {
        self.over.as_ref()
    }

    /// How it went so far; what is under way counts as not done.
    pub(super) fn outcome(&self) -> ClientOutcome {
        let lost = self.refused || self.has_files();
        match &self.over {
            Some(Over::Broken(_)) => ClientOutcome::Broken,
            Some(Over::Goodbye(_)) => ClientOutcome::Goodbye,
            Some(Over::Left) | None if lost => ClientOutcome::Refused,
            Some(Over::Left) | None => ClientOutcome::Fine,
        }
    }

    /// How far each file is that is sent or taken.
    pub(super) fn progress(&self) -> impl Iterator<Item = Progress> {
        self.transfers.progress(self.now)
    }

    /// How long the server may be silent before [`Chat::handle_silence`].
    pub(super) fn silence_max(&self) -> Duration {
        if self.leaving { GOODBYE_BEFORE } else { self.silence_max }
    }

    /// Whether we have said goodbye.
    pub(super) fn leaving(&self) -> bool {
        self.leaving
    }

    /// Whether a line may be handed over now.
    pub(super) fn wants_lines(&self) -> bool {
        if self.leaving || self.over.is_some() {
            return false;
        }
        if self.question.is_some() {
            return true;
        }
        if self.work.says_lines() {
            return self.can_say();
        }
        self.back.has_room() && (self.returning() || self.takes_lines() && self.back.is_empty())
    }

    fn takes_lines(&self) -> bool {
        !matches!(self.login, Login::Asked | Login::Resting)
            && self.session.outgoing().len() < UNSENT_MAX
            && self.session.pending() < PENDING_MAX
            && self.pace.wait(self.now).is_none()
    }

    /// Whether the next line must not be seen while it is typed.
    pub(super) fn hides_line(&self) -> bool {
        self.question.is_some() && self.over.is_none()
    }

    /// Bytes that wait to be written.
    pub(super) fn outgoing(&self) -> &[u8] {
        if self.link == Link::Up { self.session.outgoing() } else { &[] }
    }

    /// The socket has taken the first `count` bytes of [`Chat::outgoing`].
    pub(super) fn sent(&mut self, count: usize) {
        self.session.sent(count);
    }

    /// The next line to show, without its end.
    pub(super) fn poll_line(&mut self) -> Option<String> {
        self.screen.poll_line()
    }

    /// All lines that were taken have reached whoever reads them.
    pub(super) fn handle_shown(&mut self) {
        let can_tell = self.link == Link::Up && self.login == Login::Done && !self.leaving;
        if can_tell && let Some(letter) = self.letters.poll_confirmation() {
            self.session.request(Command::Got { letter });
        }
    }

    /// The server sent this.
    pub(super) fn handle_bytes(&mut self, bytes: &[u8]) {
        let result = self.session.handle_bytes(bytes);
        self.take_events();
        if let (Err(error), Link::Up) = (result, self.link) {
            self.finish(Over::Broken(format!("the server does not speak Parlor: {error}")));
        }
        self.take_kept_lines();
        self.leave_if_done();
    }

    /// The server closed the connection.
    pub(super) fn handle_end(&mut self) {
        self.session.handle_end();
        self.take_events();
        self.handle_broken("the server closed the connection");
    }

    /// The connection cannot be used any further.
    pub(super) fn handle_broken(&mut self, why: &str) {
        // Only the goodbye itself may stay without an answer.
        let left = self.leaving && self.session.pending() <= 1;
        let otherwise = if left { Over::Left } else { Over::Broken(why.to_owned()) };
        self.lose(why, otherwise);
    }

    /// The server was silent for [`Chat::silence_max`].
    pub(super) fn handle_silence(&mut self) {
        let seconds = self.silence_max().as_secs();
        self.handle_broken(&format!("the server has not been heard of for {seconds} s"));
    }

    /// A line was typed.
    pub(super) fn handle_line(&mut self, line: &str) {
        if std::mem::take(&mut self.spoilt) {
            self.refuse("not_used", "a line that was meant for a password is thrown away");
        } else if let Some(question) = self.question.take() {
            self.on_answered(question.answer(line));
            self.take_kept_lines();
        } else if self.work.says_lines() {
            self.work.say(line);
            self.work_on();
        } else if self.returning() {
            self.keep_line(line);
        } else {
            self.take_line(line);
        }
        self.take_steps();
    }

    /// Does what a line asks for, and notes it until that is answered.
    fn take_line(&mut self, line: &str) {
        self.take_written(line, |chat| chat.obey(line));
    }

    /// Does what is written so, unless nobody could have written it.
    fn take_written(&mut self, line: &str, act: impl FnOnce(&mut Self)) {
        if let Some(control) = line.chars().find(|&c| c.is_control() && c != '\t') {
            return self.refuse_with(&Refusal::BadText(TextError::Control(control.into())));
        }
        let before = self.session.last_id();
        act(self);
        let id = self.session.last_id();
        if id > before && self.attempt.is_none() && !self.leaving {
            self.asked.insert(id, shortly(line));
        }
    }

    fn obey(&mut self, line: &str) {
        if self.login == Login::Unnamed && !line.starts_with('/') && !line.trim().is_empty() {
            return self.log_in(line.trim(), None);
        }
        match commands::parse(line) {
            Wish::Nothing => {}
            Wish::Help => self.show_reply(Reply::Help { text: commands::help() }),
            Wish::Refuse(refusal) => self.refuse_with(&refusal),
            Wish::Register { user } => self.ask_to_register(user),
            Wish::Passwd => self.ask_for_passwords(),
            Wish::SendFile { whole, parts } => self.send_typed_file(whole, parts),
            Wish::Upload { path } => self.send_file(path.as_ref(), Whom::Shelf),
            Wish::Get { wanted } => self.get(wanted),
            Wish::AcceptAll(all) => self.accept_all(all),
            Wish::CancelNamed(name) => self.cancel_named(name),
            Wish::Ask(Command::Reject { transfer }) => self.reject(transfer),
            Wish::Ask(Command::Cancel { transfer }) => self.cancel(transfer),
            Wish::Ask(Command::Remove { transfer }) => self.remove(transfer),
            Wish::Ask(Command::Exit) => self.leave(),
            Wish::Ask(command) => self.ask(command, line.len()),
        }
    }

    /// A line was typed that cannot be read.
    pub(super) fn handle_unusable_line(&mut self, why: &str) {
        self.refuse_with(&Refusal::BadRequest(why.to_owned()));
    }

    /// Somebody outside asks for the end: no file is received any further, and goodbye.
    pub(super) fn handle_stop(&mut self) {
        self.on_stopped();
        self.transfers.downloads.give_up_all(match self.work.keeping() {
            Keeping::Nothing => "stopped here",
            Keeping::AnyName | Keeping::ItsName => "stopped here; what has come of it is kept",
        });
        self.take_steps();
        self.leave();
    }

    /// No more lines will come: finish what is under way, then leave.
    pub(super) fn handle_no_more_lines(&mut self) {
        self.no_lines = true;
        self.lines_ended = !self.stays;
        self.close_question();
        self.leave_if_done();
    }

    /// The end of standard input: all that is to be said is known.
    pub(super) fn handle_last_line(&mut self) {
        self.work.handle_last_line();
        self.handle_no_more_lines();
    }

    /// Nobody who is out comes in again without a line.
    fn leave_if_done(&mut self) {
        let helpless = self.no_lines && self.login == Login::Out;
        let waiting = self.link == Link::Up && self.session.pending() > 0
            || self.has_files()
            || !self.back.is_empty()
            || self.over.is_some();
        if (self.lines_ended || helpless) && !waiting {
            self.leave();
        }
    }

    fn leave(&mut self) {
        if self.leaving {
            return;
        }
        self.leaving = true;
        self.question = None;
        if self.link == Link::Up {
            self.session.request(Command::Exit);
        } else {
            self.finish(Over::Broken("left before the connection was back".to_owned()));
        }
    }

    /// It is over, with this unless it was before.
    fn finish(&mut self, over: Over) {
        if self.over.is_none() {
            self.refuse_kept_lines();
            if over != Over::Left {
                self.give_up_files("the connection was lost");
            }
            self.question = None;
            self.over = Some(over);
        }
    }

    /// Asks for what a line of so many bytes says.
    fn ask(&mut self, command: Command<'_>, length: usize) {
        let early = self.login != Login::Done;
        if let Command::Login { user, proof } = command {
            self.log_in(&user, Some(proof));
        } else if let Command::Register { user, password } = command {
            self.register(&user, password);
        } else if let (Command::Passwd { old, new }, false) = (&command, early) {
            self.change_password(old.clone(), new.clone());
        } else if early && length > LINE_BEFORE_LOGIN_MAX {
            self.refuse_with(&Refusal::LoginFirst);
        } else {
            if command == Command::Logout && !early {
                self.login = Login::Asked;
            }
            if matches!(command.op(), Op::Say | Op::Broadcast | Op::Whisper | Op::Files) {
                self.pace.send(self.now);
            }
            self.session.request(command);
        }
    }

    fn refuse_with(&mut self, refusal: &Refusal) {
        self.refuse(refusal.code(), &sentence(refusal));
    }

    fn refuse(&mut self, code: &str, text: &str) {
        self.refused = true;
        self.show_refusal(code, text);
    }

    fn show_refusal(&mut self, code: &str, text: &str) {
        let (code, text) = (code.to_owned(), text.to_owned());
        self.show(&Show::Refused { about: None, code, text });
    }

    fn show_reply(&mut self, reply: Reply) {
        self.show(&Show::Reply(reply));
    }

    fn show_event(&mut self, event: Event) {
        self.show(&Show::Event(event));
    }

    /// Shows something about this client itself.
    pub(super) fn note(&mut self, note: Note) {
        self.show(&Show::Note(note));
    }

    fn show(&mut self, show: &Show) {
        if !self.work.hides(show) {
            self.screen.show(show);
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            if self.over.is_none() {
                self.on_event(event);
                self.take_steps();
            }
        }
    }

    fn on_event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Greeted { protocol, .. } if protocol != PROTOCOL_VERSION => {
                self.finish(Over::Broken(format!(
                    "the server speaks version {protocol} of the protocol and this client speaks \
                     {PROTOCOL_VERSION}"
                )));
            }
            ClientEvent::Greeted { server, limits, .. } => self.on_greeted(&server, &limits),
            ClientEvent::Answered { id, op, answer } => self.on_answer(id, op, answer),
            ClientEvent::Event(event) => self.on_news(event),
            ClientEvent::Chunk { transfer, bytes } => self.on_chunk(transfer, &bytes),
            ClientEvent::Refused(line) => {
                let why = line.strip_prefix("parlor: ").unwrap_or(&line).to_owned();
                self.lose(&why, Over::Goodbye(Some(line)));
            }
        }
    }

    fn on_greeted(&mut self, server: &str, limits: &Greeting) {
        let day_ms = 24 * 60 * 60 * 1000;
        self.silence_max = match limits.dead_after_ms {
            0 => SILENCE_MAX_UNTOLD,
            ms => Duration::from_millis(ms.clamp(1000, day_ms)),
        };
        self.pace.set_rate(limits.message_rate);
        self.transfers.downloads.set_places(limits.downloads);
        if self.returning() {
            return;
        }
        self.note(Note::Connected(server.to_owned()));
        if self.login == Login::Unnamed {
            self.note(Note::WhoAreYou);
        }
    }

    fn on_answer(&mut self, id: u64, op: Op, answer: Result<Reply, Problem>) {
        self.asked.remove(&id);
        if self.on_deed_answer(id, &answer) {
            return;
        }
        if let Some(about) = self.about.remove(&id) {
            return self.on_file_answer(id, about, answer);
        }
        match (op, answer) {
            (Op::Login | Op::Register, answer) => self.on_login_answer(op, answer),
            // Nobody asked for it; what is not confirmed comes again and is known then.
            (Op::Got, _) => {}
            (Op::Passwd, answer) => self.on_passwd_answer(answer),
            (Op::Join, answer) if self.returning() => self.on_rejoined(answer),
            (op, Err(problem)) => self.on_refused(op, &problem),
            (op, Ok(reply)) => self.on_reply(op, reply),
        }
        self.take_delayed();
    }

    fn on_reply(&mut self, op: Op, reply: Reply) {
        if UNSHOWN.contains(&op) {
            return;
        }
        if let Reply::Joined { room, .. } = &reply {
            self.room = Some(*room);
        } else if let Reply::Left { .. } = reply {
            self.room = None;
        } else if reply == Reply::LoggedOut {
            self.on_logged_out();
        }
        // That it went well is no news; that nobody was there to hear it is.
        let heard = matches!(reply, Reply::Heard { count, blocked: false }
            if count > 0 || op == Op::Whisper);
        if !heard && !matches!(reply, Reply::Kept { online: true, .. }) {
            self.show_reply(reply);
        }
    }

    fn on_refused(&mut self, op: Op, problem: &Problem) {
        self.refuse(&problem.code, &problem.text);
        if op == Op::Logout && self.login == Login::Asked {
            self.login = if self.who.is_some() { Login::Done } else { Login::Out };
        }
        if op == Op::Hello {
            self.leave();
        }
    }

    fn on_news(&mut self, event: Event) {
        match event {
            event if self.work.ignores(&event) => {}
            Event::Queued { transfer, place, of } => {
                self.transfers.uploads.handle_queued(transfer, (place, of), self.now);
            }
            Event::Admitted { transfer, waited_ms, credit, offset } => {
                let uploads = &mut self.transfers.uploads;
                uploads.handle_admitted(transfer, waited_ms, credit, offset, self.now);
            }
            Event::Credit { transfer, bytes } => {
                self.transfers.uploads.handle_credit(transfer, bytes);
            }
            Event::Offered { file } => self.on_offered(file),
            Event::Ended { transfer, how } => self.on_file_ended(transfer, how),
            Event::Bye { reason, back, .. } => {
                self.show_event(event);
                self.on_bye(reason, back);
            }
            Event::Whispered { letter: Some(letter), .. } => {
                // What comes behind our goodbye cannot be confirmed: it is for the next time.
                if !self.leaving && self.letters.handle_letter(letter) {
                    self.show_event(event);
                }
            }
            Event::LoggedOut { .. } => {
                self.show_event(event);
                self.refused |= self.no_lines;
                self.on_logged_out();
            }
            Event::Said { .. }
            | Event::Whispered { .. }
            | Event::Broadcast { .. }
            | Event::Online { .. }
            | Event::Offline { .. }
            | Event::Joined { .. }
            | Event::Left { .. }
            | Event::Receipt { .. } => self.show_event(event),
            Event::Hello { .. } | Event::Ping => {}
        }
    }

    fn on_bye(&mut self, reason: CloseReason, back: bool) {
        if self.leaving || reason == CloseReason::Exit {
            self.finish(Over::Left);
        } else if back {
            self.lose(&reason.to_string(), Over::Goodbye(None));
        } else {
            self.finish(Over::Goodbye(None));
        }
    }
}
