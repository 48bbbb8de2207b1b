//! The plain client without its socket, terminal and clock: bytes and typed lines in, bytes and
//! lines to show out.
//!
//! Knows the session, the files and the screen, and joins them. The contract is the session's:
//! after each `handle_*`, take [`Chat::poll_line`] until there is none, and write
//! [`Chat::outgoing`]. The rule it keeps: nothing typed is lost in silence; it is asked, done or
//! refused, and whether all of it went well is known at the end.

mod transfers;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use time::UtcOffset;

use super::commands::{self, Wish};
use super::downloads::Downloads;
use super::outcome::{Outcome, Over};
use super::screen::Screen;
use super::session::{ClientEvent, Session};
use super::uploads::Uploads;
use crate::front::native::Problem;
use crate::front::text::{describe_refusal, describe_reply};
use crate::limits::KIB;
use crate::message::{
    CloseReason, Command, Event, Greeting, Op, PROTOCOL_VERSION, Refusal, Reply, TextError, visible,
};
use transfers::About;

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
const UNSHOWN: [Op; 6] = [Op::Hello, Op::Exit, Op::Accept, Op::Received, Op::Reject, Op::Cancel];
/// The question to whoever gave no name.
const WHO: &str = "* who are you? a name of 1 to 16 letters and digits:";

/// How far the login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    /// The next line will be the name.
    Unnamed,
    /// Under way: lines wait for its outcome, because what they mean depends on it.
    Asked,
    Refused,
    Done,
}

/// One conversation.
#[derive(Debug)]
pub(super) struct Chat {
    session: Session,
    uploads: Uploads,
    downloads: Downloads,
    /// Take every file that is offered.
    accepts_all: bool,
    screen: Screen,
    /// What a request is about, where its answer does not say so.
    about: BTreeMap<u64, About>,
    login: Login,
    /// Nobody gave a name at the start: it is asked for until there is one.
    asks_name: bool,
    /// From the greeting: longer than this the server is never silent.
    silence_max: Duration,
    lines_ended: bool,
    leaving: bool,
    refused: bool,
    over: Option<Over>,
}

impl Chat {
    /// A conversation on a new connection. Without a user, the first line names him. Files are
    /// saved in `dir`, those that are accepted one by one if not all are.
    pub(super) fn new(
        user: Option<&str>,
        dir: PathBuf,
        accepts_all: bool,
        offset: UtcOffset,
    ) -> Self {
        let mut chat = Self {
            session: Session::new(),
            uploads: Uploads::default(),
            downloads: Downloads::new(dir),
            accepts_all,
            screen: Screen::new(offset),
            about: BTreeMap::new(),
            login: Login::Unnamed,
            asks_name: user.is_none(),
            silence_max: GREETING_BEFORE,
            lines_ended: false,
            leaving: false,
            refused: false,
            over: None,
        };
        if let Some(user) = user {
            chat.log_in(user);
        }
        chat
    }

    /// Whether it is over, and why.
    pub(super) fn over(&self) -> Option<&Over> {
        self.over.as_ref()
    }

    /// How it went so far; what is under way counts as not done.
    pub(super) fn outcome(&self) -> Outcome {
        let lost = self.refused || !self.uploads.is_empty() || self.downloads.receiving();
        match &self.over {
            Some(Over::Broken(_)) => Outcome::Broken,
            Some(Over::Goodbye(_)) => Outcome::Goodbye,
            Some(Over::Left) | None if lost => Outcome::Refused,
            Some(Over::Left) | None => Outcome::Fine,
        }
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
        self.login != Login::Asked
            && !self.leaving
            && self.session.outgoing().len() < UNSENT_MAX
            && self.session.pending() < PENDING_MAX
    }

    /// Bytes that wait to be written.
    pub(super) fn outgoing(&self) -> &[u8] {
        self.session.outgoing()
    }

    /// The socket has taken the first `count` bytes of [`Chat::outgoing`].
    pub(super) fn sent(&mut self, count: usize) {
        self.session.sent(count);
    }

    /// The next line to show, without its end.
    pub(super) fn poll_line(&mut self) -> Option<String> {
        self.screen.poll_line()
    }

    /// The server sent this.
    pub(super) fn handle_bytes(&mut self, bytes: &[u8]) {
        let result = self.session.handle_bytes(bytes);
        self.take_events();
        if let Err(error) = result {
            self.handle_broken(&format!("the server does not speak Parlor: {error}"));
        }
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
        let over = if left { Over::Left } else { Over::Broken(why.to_owned()) };
        self.over.get_or_insert(over);
    }

    /// The server was silent for [`Chat::silence_max`].
    pub(super) fn handle_silence(&mut self) {
        let seconds = self.silence_max().as_secs();
        self.handle_broken(&format!("the server has not been heard of for {seconds} s"));
    }

    /// A line was typed.
    pub(super) fn handle_line(&mut self, line: &str) {
        if let Some(control) = line.chars().find(|&c| c.is_control() && c != '\t') {
            return self.refuse_with(&Refusal::BadText(TextError::Control(control.into())));
        }
        if self.login == Login::Unnamed && !line.starts_with('/') && !line.trim().is_empty() {
            return self.ask(Command::guest(line.trim()));
        }
        match commands::parse(line) {
            Wish::Nothing => {}
            Wish::Help => self.screen.say(&describe_reply(&Reply::Help { text: commands::help() })),
            Wish::Refuse(refusal) => self.refuse_with(&refusal),
            Wish::SendFile { path, user } => self.send_file(&path, user),
            Wish::Ask(Command::Accept { transfer }) => self.accept(transfer),
            Wish::Ask(Command::Reject { transfer }) => self.reject(transfer),
            Wish::Ask(Command::Cancel { transfer }) => self.cancel(transfer),
            Wish::Ask(Command::Exit) => self.leave(),
            Wish::Ask(command) => self.ask(command),
        }
    }

    /// A line was typed that cannot be read.
    pub(super) fn handle_unusable_line(&mut self, why: &str) {
        self.refuse_with(&Refusal::BadRequest(why.to_owned()));
    }

    /// Somebody outside asks for the end: no file is received any further, and goodbye.
    pub(super) fn handle_stop(&mut self) {
        self.refused |= self.downloads.give_up_all();
        self.leave();
    }

    /// No more lines will come: finish what is under way, then leave.
    pub(super) fn handle_no_more_lines(&mut self) {
        self.lines_ended = true;
        self.leave_if_done();
    }

    fn leave_if_done(&mut self) {
        let waiting = self.session.pending() > 0
            || !self.uploads.is_empty()
            || self.downloads.under_way()
            || self.over.is_some();
        if self.lines_ended && !waiting {
            self.leave();
        }
    }

    fn leave(&mut self) {
        if !self.leaving {
            self.leaving = true;
            self.session.request(Command::Exit);
        }
    }

    fn ask(&mut self, command: Command<'_>) {
        match command {
            Command::Login { user, .. } => self.log_in(&user),
            command if self.login != Login::Done && length(&command) > LINE_BEFORE_LOGIN_MAX => {
                self.refuse_with(&Refusal::LoginFirst);
            }
            command => {
                self.session.request(command);
            }
        }
    }

    fn log_in(&mut self, user: &str) {
        if user.len() > LINE_BEFORE_LOGIN_MAX {
            return self.refuse_with(&Refusal::LoginFirst);
        }
        if self.login != Login::Done {
            self.login = Login::Asked;
        }
        self.session.request(Command::guest(user));
    }

    fn refuse_with(&mut self, refusal: &Refusal) {
        self.refuse(refusal.code(), &refusal.to_string());
    }

    fn refuse(&mut self, code: &str, text: &str) {
        self.refused = true;
        self.screen.say(&describe_refusal(code, text));
    }

    fn take_events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            if self.over.is_none() {
                self.on_event(event);
            }
        }
    }

    fn on_event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Greeted { protocol, .. } if protocol != PROTOCOL_VERSION => {
                self.handle_broken(&format!(
                    "the server speaks version {protocol} of the protocol and this client speaks \
                     {PROTOCOL_VERSION}"
                ));
            }
            ClientEvent::Greeted { server, limits, .. } => self.on_greeted(&server, &limits),
            ClientEvent::Answered { id, op, answer } => self.on_answer(id, op, answer),
            ClientEvent::Event(event) => self.on_news(event),
            ClientEvent::Chunk { transfer, bytes } => {
                let step = self.downloads.handle_chunk(transfer, &bytes);
                self.on_download(transfer, step);
            }
            ClientEvent::Refused(line) => self.over = Some(Over::Goodbye(Some(line))),
        }
    }

    fn on_greeted(&mut self, server: &str, limits: &Greeting) {
        let day_ms = 24 * 60 * 60 * 1000;
        self.silence_max = match limits.dead_after_ms {
            0 => SILENCE_MAX_UNTOLD,
            ms => Duration::from_millis(ms.clamp(1000, day_ms)),
        };
        self.screen.say(&format!("* connected to {}; /help for help", visible(server)));
        if self.login == Login::Unnamed {
            self.screen.say(WHO);
        }
    }

    fn on_answer(&mut self, id: u64, op: Op, answer: Result<Reply, Problem>) {
        if self.on_transfer_answer(id, op, &answer) {
            return;
        }
        match answer {
            Err(problem) => self.on_refused(op, &problem),
            Ok(_) if UNSHOWN.contains(&op) => {}
            // That it went well is no news; that nobody was there to hear it is.
            Ok(Reply::Heard { count, .. }) if count > 0 || op == Op::Whisper => {}
            Ok(reply) => {
                if op == Op::Login {
                    self.login = Login::Done;
                }
                self.screen.say(&describe_reply(&reply));
            }
        }
    }

    fn on_refused(&mut self, op: Op, problem: &Problem) {
        self.refuse(&problem.code, &problem.text);
        if op == Op::Login && self.login == Login::Asked {
            self.login = if self.asks_name { Login::Unnamed } else { Login::Refused };
            let next = if self.asks_name { WHO } else { "* you have no name yet: /login NAME" };
            self.screen.say(next);
        }
        if op == Op::Hello {
            self.leave();
        }
    }

    fn on_news(&mut self, event: Event) {
        match event {
            Event::Admitted { transfer, credit, .. } => {
                self.uploads.handle_grant(transfer, credit);
                self.screen.show(&event);
            }
            Event::Credit { transfer, bytes } => self.uploads.handle_grant(transfer, bytes),
            Event::Offered { .. } => self.on_offered(event),
            Event::Ended { transfer, how } => {
                self.on_ended(transfer, how);
                self.screen.show(&event);
            }
            Event::Bye { reason, .. } => {
                self.screen.show(&event);
                let ours = self.leaving || reason == CloseReason::Exit;
                self.over = Some(if ours { Over::Left } else { Over::Goodbye(None) });
            }
            Event::Said { .. }
            | Event::Whispered { .. }
            | Event::Broadcast { .. }
            | Event::Online { .. }
            | Event::Offline { .. }
            | Event::LoggedOut { .. }
            | Event::Joined { .. }
            | Event::Left { .. }
            | Event::Queued { .. } => self.screen.show(&event),
            Event::Hello { .. } | Event::Ping => {}
        }
    }
}

/// Bytes of what people wrote in it.
fn length(command: &Command<'_>) -> usize {
    match command {
        Command::Login { user, .. }
        | Command::Register { user, .. }
        | Command::Block { user }
        | Command::Unblock { user } => user.len(),
        Command::Join { room } => room.len(),
        Command::Say { text, .. } | Command::Broadcast { text } => text.len(),
        Command::Whisper { user, text } => user.len() + text.len(),
        Command::Who { room } => room.as_ref().map_or(0, |room| room.len()),
        Command::SendFile { user, name, .. } => user.len() + name.len(),
        Command::Hello { .. }
        | Command::Passwd { .. }
        | Command::Logout
        | Command::Got { .. }
        | Command::WhoElse { .. }
        | Command::Blocked
        | Command::Leave
        | Command::Rooms
        | Command::Queue
        | Command::Help
        | Command::Ping
        | Command::Exit
        | Command::Accept { .. }
        | Command::Reject { .. }
        | Command::Received { .. }
        | Command::Cancel { .. } => 0,
    }
}
