//! PURE. The part of the link that is about logging in and out.
//!
//! Refuses to know where passwords come from: it asks and is answered. The rule it keeps: at most
//! [`TRIES_MAX`] passwords are asked for in a row, and only where somebody can type them unseen.

use std::time::Duration;

use super::proofs::owned;
use super::question::{Answered, Purpose, Question};
use super::rooms::Whereabouts;
use super::{Link, LinkEvent};
use crate::client::outcome::{Fault, Over};
use crate::client::view::{Gone, Note, Refused, Show, Unasked};
use crate::front::native::Problem;
use crate::message::{Command, Op, Proof, Refusal, Reply, RoomName, Secret, UserName};

/// Passwords that are asked for before a login is given up.
const TRIES_MAX: u8 = 3;
/// Longest line in bytes that is sent before the login: what fits a frame then, see
/// [`crate::limits::FRAME_BEFORE_LOGIN_MAX`].
const LINE_BEFORE_LOGIN_MAX: usize = 400;
/// How long our name may be in use by our own connection that is lost and not known to be.
const NAME_BACK_BEFORE: Duration = Duration::from_secs(120);
/// How long a script tries to have a name that its last run may still hold.
pub(super) const SCRIPT_NAME_BEFORE: Duration = Duration::from_secs(5);
/// How long the server may ask to be left alone.
const TOLD_MAX_MS: u64 = 120_000;
/// What a login is refused with for want of a proof.
const PASSWORD_NEEDED: &str = "password_needed";
/// And because somebody has the name.
const NAME_IN_USE: &str = "name_in_use";

/// How far the login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// The next line will be the name.
    Unnamed,
    /// Under way: lines wait for its outcome, because what they mean depends on it.
    Asked,
    /// The same, and it will be asked again at this time.
    Resting(Duration),
    /// Refused or logged out: `/login` is what helps.
    Out,
    Done,
}

/// A login or a registration that is not decided.
#[derive(Debug)]
pub(super) struct Attempt {
    user: String,
    proof: Proof<'static>,
    /// Make the account with this password first.
    registers: bool,
    /// Passwords that were asked for.
    tries: u8,
}

impl Attempt {
    fn new(user: &str, proof: Proof<'static>) -> Self {
        Self { user: user.to_owned(), proof, registers: false, tries: 0 }
    }

    /// Whether it may be that of a guest.
    fn is_guests(&self) -> bool {
        !matches!(self.proof, Proof::Password(_))
    }

    pub(super) fn registers(&self) -> bool {
        self.registers
    }

    fn command(&self) -> Command<'static> {
        let user = self.user.clone().into();
        match &self.proof {
            Proof::Password(password) if self.registers => {
                Command::Register { user, password: password.clone() }
            }
            proof @ (Proof::None | Proof::Password(_) | Proof::Token(_)) => {
                Command::Login { user, proof: proof.clone() }
            }
        }
    }
}

impl Link {
    /// Whether we are logged in.
    pub(in crate::client) fn is_in(&self) -> bool {
        self.login == Login::Done
    }

    /// Whether we are, and where we were before the connection was lost.
    pub(in crate::client) fn is_ready(&self) -> bool {
        self.is_in() && !self.away() && !self.returning()
    }

    /// Whether nobody is logged in and nothing will change that by itself.
    pub(in crate::client) fn is_out(&self) -> bool {
        self.login == Login::Out
    }

    /// Whether the next line is to be a name.
    pub(in crate::client) fn asks_for_name(&self) -> bool {
        self.login == Login::Unnamed
    }

    /// Whether the next line is to be a password.
    pub(in crate::client) fn asks_for_password(&self) -> bool {
        self.questions.open.is_some()
    }

    /// Whether the next line is for us, to be taken for a password or thrown away as one.
    pub(in crate::client) fn takes_next_line(&self) -> bool {
        self.asks_for_password() || self.questions.spoilt
    }

    /// Whether somebody can be asked for a password.
    pub(in crate::client) fn can_ask(&self) -> bool {
        self.questions.can_ask
    }

    /// Whether a login is under way or a password is asked for.
    pub(in crate::client) fn is_busy(&self) -> bool {
        self.attempt.is_some() || self.asks_for_password()
    }

    /// Asks for what a line of so many bytes says.
    pub(in crate::client) fn ask(&mut self, command: Command<'_>, length: usize) {
        if let Command::Login { user, proof } = command {
            self.log_in(&user, proof);
        } else if let Command::Register { user, password } = command {
            self.register(&user, password);
        } else if let (Command::Passwd { old, new }, true) = (&command, self.is_in()) {
            self.change_password(old.clone(), new.clone());
        } else if !self.is_in() && length > LINE_BEFORE_LOGIN_MAX {
            self.refuse(Refused::Here(Refusal::LoginFirst));
        } else {
            if matches!(command, Command::Logout { .. }) && self.is_in() {
                self.login = Login::Asked;
            }
            self.request(command);
        }
    }

    /// Logs in; without a proof, with the password that there may be for this name.
    pub(in crate::client) fn log_in(&mut self, user: &str, proof: Proof<'_>) {
        let proof = match proof {
            Proof::Password(password) => Proof::Password(owned(password)),
            Proof::Token(token) => Proof::Token(owned(token)),
            Proof::None => self.proofs.given_for(user, false).map_or(Proof::None, Proof::Password),
        };
        self.attempt(Attempt::new(user, proof));
    }

    fn register(&mut self, user: &str, password: Secret<'_>) {
        let attempt = Attempt::new(user, Proof::Password(owned(password)));
        self.attempt(Attempt { registers: true, ..attempt });
    }

    fn change_password(&mut self, old: Secret<'_>, new: Secret<'_>) {
        let command = self.proofs.change(old, new);
        self.session.request(command);
    }

    /// Asked for here, what would be refused anyway is refused before anybody types a password.
    pub(in crate::client) fn ask_to_register(&mut self, user: &str) {
        if let Some(user) = self.me() {
            return self.refuse(Refused::Here(Refusal::LoggedIn(user)));
        }
        match self.proofs.given_for(user, true) {
            Some(password) => self.register(user, password),
            None => self.put_question(Purpose::Register { user: user.to_owned() }),
        }
    }

    /// Also where it is known: whoever sits at the terminal now shall show that they know it.
    pub(in crate::client) fn ask_for_passwords(&mut self) {
        match self.proofs.who.as_ref().filter(|_| self.is_in()) {
            None => self.refuse(Refused::Here(Refusal::LoginFirst)),
            Some(who) if who.guest => self.refuse(Refused::Here(Refusal::NoAccount)),
            Some(_) => self.put_question(Purpose::Passwd),
        }
    }

    /// Asks where somebody can answer unseen. A line of a script is never taken for a password: it
    /// would be one or a command by what the server says, which no script can know.
    fn put_question(&mut self, purpose: Purpose) {
        if self.can_ask() {
            self.ask_on(Question::new(purpose));
        } else {
            let why = if purpose == Purpose::Passwd { Unasked::Typed } else { Unasked::Given };
            self.refuse(Refused::NotAsked(why));
        }
    }

    fn ask_on(&mut self, question: Question) {
        self.note(Note::Asked(question.prompt()));
        self.questions.open = Some(question);
    }

    /// Takes a line that may be a password. Answers whether it was taken.
    pub(in crate::client) fn handle_line(&mut self, line: &str) -> bool {
        if std::mem::take(&mut self.questions.spoilt) {
            self.refuse(Refused::NotUsed);
        } else if let Some(question) = self.questions.open.take() {
            self.on_answered(question.answer(line));
        } else {
            return false;
        }
        true
    }

    fn on_answered(&mut self, answered: Answered) {
        match answered {
            Answered::More(question) => self.ask_on(question),
            Answered::Complete(purpose, passwords) => self.on_passwords(purpose, passwords),
            Answered::Different => {
                self.refuse(Refused::Different);
                self.stay_nameless();
            }
            Answered::Unwanted => {
                self.note(Note::NotAnswered);
                self.stay_nameless();
            }
        }
    }

    fn on_passwords(&mut self, purpose: Purpose, passwords: Vec<Secret<'static>>) {
        let mut passwords = passwords.into_iter();
        let (Some(first), second) = (passwords.next(), passwords.next()) else { return };
        match purpose {
            Purpose::Login { user, tries } => {
                let attempt = Attempt::new(&user, Proof::Password(first));
                self.attempt(Attempt { tries, ..attempt });
            }
            Purpose::Register { user } => self.register(&user, first),
            Purpose::Passwd => {
                self.change_password(first, second.unwrap_or_else(|| Secret("".into())));
                self.asked.insert(self.session.last_id(), "/passwd".to_owned());
            }
        }
    }

    /// Forgets a question that can have no answer any more. Somebody may be typing one: the next
    /// line is not used.
    pub(super) fn drop_question(&mut self, why: Unasked) {
        if self.questions.open.take().is_some() {
            self.questions.spoilt = true;
            self.refuse(Refused::NotAsked(why));
        }
    }

    /// Nobody types any more: a password that is asked for will not come.
    pub(in crate::client) fn handle_no_more_lines(&mut self) {
        self.questions.can_ask = false;
        if self.questions.open.take().is_some() {
            self.refuse(Refused::NoPassword(Refusal::WrongPassword.code()));
            self.stay_nameless();
        }
    }

    pub(super) fn attempt(&mut self, attempt: Attempt) {
        let password = match &attempt.proof {
            Proof::Password(Secret(password)) => password.len(),
            Proof::None | Proof::Token(_) => 0,
        };
        if attempt.user.len() + password > LINE_BEFORE_LOGIN_MAX {
            self.refuse(Refused::TooLong);
            return self.stay_nameless();
        }
        if !self.is_in() {
            self.login = Login::Asked;
        }
        self.session.request(attempt.command());
        self.attempt = Some(attempt);
    }

    /// With what gets us in on a new connection.
    pub(super) fn log_in_again(&mut self) {
        if let Some((user, proof)) = self.proofs.to_return() {
            self.attempt(Attempt::new(&user, proof));
        }
    }

    pub(super) fn on_login_answer(&mut self, op: Op, answer: Result<Reply, Problem>) {
        match answer {
            Ok(Reply::Welcome { user, guest, token, room, mut rooms }) => {
                // One alone is in the other field.
                rooms.extend(room.filter(|_| rooms.is_empty()));
                self.on_welcome(user, guest, token, rooms);
            }
            // Of a server that has another word for it.
            Ok(reply) => {
                self.login = Login::Done;
                self.tell(LinkEvent::Show(Show::Reply(reply)));
            }
            Err(problem) => self.on_login_refused(op, problem),
        }
    }

    fn on_welcome(&mut self, user: UserName, guest: bool, token: String, rooms: Vec<RoomName>) {
        let by = self.attempt.take().map(|attempt| attempt.proof);
        self.proofs.handle_welcome(user, guest, token, by);
        self.login = Login::Done;
        self.letters.handle_login(user);
        if self.returning() {
            self.on_returned(rooms);
        } else {
            self.rooms.handle_login(rooms.clone());
            let (room, token) = (self.room(), String::new());
            let rooms = if rooms.len() > 1 { rooms } else { Vec::new() };
            let welcome = Reply::Welcome { user, guest, token, room, rooms };
            self.tell(LinkEvent::Show(Show::Reply(welcome)));
            self.tell(LinkEvent::In { again: false });
        }
    }

    fn on_login_refused(&mut self, op: Op, problem: Problem) {
        let Some(attempt) = self.attempt.take().filter(|_| !self.is_in()) else {
            return self.refuse(Refused::Answer(problem));
        };
        let code = problem.code.as_str();
        if self.passes(code) {
            self.rest(attempt, &problem);
        } else if op == Op::Login && matches!(code, "wrong_password" | PASSWORD_NEEDED) {
            self.try_otherwise(attempt, problem);
        } else if self.insists && attempt.is_guests() && code == NAME_IN_USE && !self.returning() {
            self.refuse(Refused::InUse(attempt.user));
            self.stay_nameless();
        } else {
            self.on_login_failed(attempt.user, problem);
        }
    }

    /// Whether a login that is refused with this may be granted in a while.
    fn passes(&self, code: &str) -> bool {
        match code {
            "busy" => true,
            // Perhaps it is our own connection that has it, and nobody knows yet that it is lost;
            // or a script was killed a moment ago, and this is its next run.
            NAME_IN_USE => {
                self.returning() && self.lost_for() < NAME_BACK_BEFORE
                    || self.insists && self.now < SCRIPT_NAME_BEFORE
            }
            "locked_out" | "login_under_way" | "store_failed" | "slow_down" | "shutting_down" => {
                self.returning()
            }
            _ => false,
        }
    }

    /// Asks the same again in a while.
    fn rest(&mut self, attempt: Attempt, problem: &Problem) {
        let wait = match problem.wait_ms {
            Some(ms) => self.back.backoff.spread(Duration::from_millis(ms.clamp(1, TOLD_MAX_MS))),
            None => self.back.backoff.next_wait(),
        };
        let why = Fault::NotYet { user: attempt.user.clone(), code: problem.code.clone() };
        self.attempt = Some(attempt);
        self.login = Login::Resting(self.now + wait);
        self.wait_to_return(wait, why);
    }

    /// The proof was not good enough: use another, ask for one, or give up.
    fn try_otherwise(&mut self, attempt: Attempt, problem: Problem) {
        let Attempt { user, proof, tries, .. } = attempt;
        if let Some(proof) = self.proofs.after(&proof, &user) {
            return self.attempt(Attempt { tries, ..Attempt::new(&user, proof) });
        }
        if !self.can_ask() || tries == TRIES_MAX {
            return self.on_login_failed(user, problem);
        }
        if problem.code == Refusal::WrongPassword.code() {
            self.tell(LinkEvent::Show(Show::Refused(Refused::Answer(problem))));
        }
        self.put_question(Purpose::Login { user, tries: tries + 1 });
    }

    /// It will not get better by itself.
    fn on_login_failed(&mut self, user: String, problem: Problem) {
        if self.returning() && !self.can_ask() {
            return self.finish(Over::Broken(Fault::NotLetIn { user, why: problem.text }));
        }
        let unasked = problem.code == PASSWORD_NEEDED && !self.can_ask();
        self.refuse(if unasked {
            Refused::NoPassword(PASSWORD_NEEDED)
        } else {
            Refused::Answer(problem)
        });
        self.stay_nameless();
    }

    /// Says what to do without a name, if there is none.
    fn stay_nameless(&mut self) {
        if self.is_in() {
            return;
        }
        self.stay_out();
        self.tell(LinkEvent::Out(Gone::NotLoggedIn));
        (self.proofs.who, self.rooms) = (None, Whereabouts::default());
        let (login, next) = match self.asks_name {
            true => (Login::Unnamed, Note::WhoAreYou),
            false => (Login::Out, Note::Nameless),
        };
        self.login = login;
        self.note(next);
    }

    pub(super) fn on_logged_out(&mut self) {
        self.tell(LinkEvent::Out(Gone::LoggedOut));
        (self.proofs.who, self.rooms) = (None, Whereabouts::default());
        self.drop_question(Unasked::LoggedOut);
        // A login that is under way decides for itself.
        self.login = if self.attempt.is_some() { Login::Asked } else { Login::Out };
        self.stay_out();
    }

    pub(super) fn on_logout_refused(&mut self) {
        if self.login == Login::Asked {
            self.login = if self.proofs.who.is_some() { Login::Done } else { Login::Out };
        }
    }

    pub(super) fn on_passwd_answer(&mut self, answer: Result<Reply, Problem>) {
        match answer {
            Ok(reply) => {
                let changed =
                    if let Reply::PasswordChanged { token } = reply { Some(token) } else { None };
                self.proofs.handle_changed(changed);
                self.note(Note::PasswordChanged);
            }
            Err(problem) => {
                self.proofs.handle_unchanged(problem.code == Refusal::WrongPassword.code());
                self.refuse(Refused::Answer(problem));
            }
        }
    }
}
