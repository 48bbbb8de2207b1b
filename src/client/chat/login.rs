//! The part of the conversation that is about who we are and how we show it.
//!
//! Knows passwords and tokens, and shows none of them. The rule it keeps: a password is sent only
//! for the name that it was given for, and at most [`TRIES_MAX`] are asked for in a row.

use std::time::Duration;

use super::{Chat, LINE_BEFORE_LOGIN_MAX, Login};
use crate::client::commands::shortly;
use crate::client::outcome::Over;
use crate::client::question::{Answered, Purpose, Question};
use crate::client::view::Note;
use crate::front::native::Problem;
use crate::message::{Command, Op, Proof, Refusal, Reply, RoomName, Secret, UserName, visible};

/// Passwords that are asked for before a login is given up.
const TRIES_MAX: u8 = 3;
/// What is said where nobody can be asked.
const NO_PASSWORD: &str = "no password was given; use PARLOR_PASSWORD or --password-file";
/// The same of the two that a change of it takes.
const NOT_ASKED: &str = "there is no terminal to ask at; write it as /passwd OLD NEW";
/// Longest token in bytes that is kept: a login with it has to fit the first frames.
const TOKEN_MAX: usize = 512;
/// How long our name may be in use by our own connection that is lost and not known to be.
const NAME_BACK_BEFORE: Duration = Duration::from_secs(120);
/// How long a script tries to have a name that its last run may still hold.
const SCRIPT_NAME_BEFORE: Duration = Duration::from_secs(5);
/// How long the server may ask to be left alone.
const TOLD_MAX_MS: u64 = 120_000;

/// Who we are, since the welcome.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) user: UserName,
    guest: bool,
    /// Each gets us in again; they are kept no longer than the login.
    token: Option<Secret<'static>>,
    password: Option<Secret<'static>>,
}

/// The password that the client was started with.
#[derive(Debug)]
pub(super) struct Given {
    password: Secret<'static>,
    /// Whose it is: the first who needs one.
    user: Option<String>,
    /// It is not the one of this user's account.
    wrong: bool,
}

impl Given {
    pub(super) fn new(password: Secret<'static>) -> Self {
        Self { password, user: None, wrong: false }
    }
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

impl Chat {
    pub(super) fn log_in(&mut self, user: &str, proof: Option<Proof<'_>>) {
        let proof = match proof {
            Some(Proof::Password(password)) => Proof::Password(owned(password)),
            Some(Proof::Token(token)) => Proof::Token(owned(token)),
            Some(Proof::None) | None => match self.given_for(user, false) {
                Some(password) => Proof::Password(password),
                None => Proof::None,
            },
        };
        self.attempt(Attempt { user: user.to_owned(), proof, registers: false, tries: 0 });
    }

    pub(super) fn register(&mut self, user: &str, password: Secret<'_>) {
        let proof = Proof::Password(owned(password));
        self.attempt(Attempt { user: user.to_owned(), proof, registers: true, tries: 0 });
    }

    /// Asked for here, what would be refused anyway is refused before anybody types a password.
    pub(super) fn ask_to_register(&mut self, user: &str) {
        if let (Login::Done, Some(who)) = (self.login, &self.who) {
            let user = who.user;
            return self.refuse_with(&Refusal::LoggedIn(user));
        }
        match self.given_for(user, true) {
            Some(password) => self.register(user, password),
            None => self.put_question(Purpose::Register { user: user.to_owned() }),
        }
    }

    pub(super) fn ask_for_passwords(&mut self) {
        let Some(who) = self.who.as_ref().filter(|_| self.login == Login::Done) else {
            return self.refuse_with(&Refusal::LoginFirst);
        };
        if who.guest {
            return self.refuse_with(&Refusal::NoAccount);
        }
        // Also where it is known: whoever sits at the terminal now shall show that he knows it.
        self.put_question(Purpose::Passwd);
    }

    /// Forgets a question that can have no answer any more. Somebody may be typing one: the next
    /// line is not used.
    pub(super) fn drop_question(&mut self, why: &str) {
        if self.question.take().is_some() {
            self.spoilt = true;
            self.refuse("not_asked", &format!("{why} before the password was known"));
        }
    }

    pub(super) fn change_password(&mut self, old: Secret<'_>, new: Secret<'_>) {
        self.new_password = Some(owned(new.clone()));
        self.session.request(Command::Passwd { old, new });
    }

    pub(super) fn on_passwd_answer(&mut self, answer: Result<Reply, Problem>) {
        let new = self.new_password.take();
        match answer {
            Ok(reply) => {
                if let (Some(who), Some(new)) = (&mut self.who, new) {
                    who.password = Some(new);
                    // The one before is void.
                    who.token = None;
                    if let Reply::PasswordChanged { token } = reply {
                        who.token = usable_token(token);
                    }
                }
                self.given = None;
                self.note(Note::PasswordChanged);
            }
            Err(problem) => {
                if problem.code == Refusal::WrongPassword.code() {
                    self.given = None;
                }
                self.refuse(&problem.code, &problem.text);
            }
        }
    }

    /// Asks where somebody can answer unseen. A line of a script is never taken for a password: it
    /// would be one or a command by what the server says, which no script can know.
    fn put_question(&mut self, purpose: Purpose) {
        if !self.can_be_asked() {
            let typed = if purpose == Purpose::Passwd { NOT_ASKED } else { NO_PASSWORD };
            return self.refuse("not_asked", typed);
        }
        let question = Question::new(purpose);
        self.note(Note::Asked(question.prompt()));
        self.question = Some(question);
    }

    fn can_be_asked(&self) -> bool {
        self.at_terminal && !self.no_lines
    }

    /// Nobody types any more: a password that is asked for will not come.
    pub(super) fn close_question(&mut self) {
        if self.question.take().is_some() {
            self.refuse(Refusal::WrongPassword.code(), NO_PASSWORD);
            self.stay_nameless();
        }
    }

    pub(super) fn on_answered(&mut self, (question, answered): (Option<Question>, Answered)) {
        self.question = question;
        match answered {
            Answered::More => {
                if let Some(question) = &self.question {
                    self.note(Note::Asked(question.prompt()));
                }
            }
            Answered::Complete(purpose, passwords) => self.on_passwords(purpose, passwords),
            Answered::Different => {
                self.refuse("not_the_same", "the two are different; nothing was changed");
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
                let proof = Proof::Password(first);
                self.attempt(Attempt { user, proof, registers: false, tries });
            }
            Purpose::Register { user } => self.register(&user, first),
            Purpose::Passwd => {
                self.change_password(first, second.unwrap_or_else(|| Secret("".into())));
                self.asked.insert(self.session.last_id(), shortly("/passwd"));
            }
        }
    }

    /// The password is for the first name that needs one, and for no other.
    fn given_for(&mut self, user: &str, to_register: bool) -> Option<Secret<'static>> {
        let given = self.given.as_mut()?;
        let owner = given.user.get_or_insert_with(|| user.to_owned());
        let fits = owner.eq_ignore_ascii_case(user) && (to_register || !given.wrong);
        fits.then(|| given.password.clone())
    }

    fn attempt(&mut self, attempt: Attempt) {
        let password = match &attempt.proof {
            Proof::Password(Secret(password)) => password.len(),
            Proof::None | Proof::Token(_) => 0,
        };
        if attempt.user.len() + password > LINE_BEFORE_LOGIN_MAX {
            self.refuse("bad_password", "such a long name or password cannot be");
            return self.stay_nameless();
        }
        if self.login != Login::Done {
            self.login = Login::Asked;
        }
        self.session.request(attempt.command());
        self.attempt = Some(attempt);
    }

    /// With what gets us in on a new connection.
    pub(super) fn log_in_again(&mut self) {
        let Some(who) = &self.who else { return };
        let known = || who.password.clone().map(Proof::Password);
        let proof = who.token.clone().map(Proof::Token).or_else(known).unwrap_or(Proof::None);
        let user = who.user.to_string();
        self.attempt(Attempt { user, proof, registers: false, tries: 0 });
    }

    /// The same once more, because its time has come.
    pub(super) fn ask_to_log_in_again(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            self.attempt(attempt);
        }
    }

    pub(super) fn on_login_answer(&mut self, op: Op, answer: Result<Reply, Problem>) {
        match answer {
            Ok(Reply::Welcome { user, guest, token, room }) => {
                self.on_welcome(user, guest, token, room);
            }
            // Of a server that has another word for it.
            Ok(reply) => {
                self.login = Login::Done;
                self.show_reply(reply);
            }
            Err(problem) => self.on_login_refused(op, &problem),
        }
    }

    fn on_welcome(&mut self, user: UserName, guest: bool, token: String, room: Option<RoomName>) {
        let password = match self.attempt.take().map(|attempt| attempt.proof) {
            Some(Proof::Password(password)) => Some(password),
            Some(Proof::Token(_)) => self.who.take().and_then(|who| who.password),
            Some(Proof::None) | None => None,
        };
        self.who = Some(Identity { user, guest, token: usable_token(token), password });
        self.login = Login::Done;
        self.letters.handle_login(user);
        let kept = room.is_some();
        if self.returning() {
            self.room = room.or(self.room);
            self.on_returned(kept);
        } else {
            self.room = room;
            let welcome = Reply::Welcome { user, guest, token: String::new(), room };
            self.show_reply(welcome);
            self.enter();
        }
    }

    fn on_login_refused(&mut self, op: Op, problem: &Problem) {
        let Some(attempt) = self.attempt.take().filter(|_| self.login != Login::Done) else {
            return self.refuse(&problem.code, &problem.text);
        };
        let returning = self.returning();
        match problem.code.as_str() {
            "busy" => self.rest(attempt, problem),
            "wrong_password" | "password_needed" if op == Op::Login => {
                self.try_otherwise(attempt, problem);
            }
            // Perhaps it is our own connection that has it, and nobody knows yet that it is lost.
            "name_in_use" if returning && self.lost_for() < NAME_BACK_BEFORE => {
                self.rest(attempt, problem);
            }
            // The same of a script whose last run was killed a moment ago.
            "name_in_use" if self.work.is_terse() && self.now < SCRIPT_NAME_BEFORE => {
                self.rest(attempt, problem);
            }
            "locked_out" | "login_under_way" | "store_failed" | "slow_down" | "shutting_down"
                if returning =>
            {
                self.rest(attempt, problem);
            }
            _ => self.on_login_failed(&attempt.user, problem),
        }
    }

    /// Asks the same again in a while.
    fn rest(&mut self, attempt: Attempt, problem: &Problem) {
        let wait = match problem.wait_ms {
            Some(ms) => self.back.backoff.spread(Duration::from_millis(ms.clamp(1, TOLD_MAX_MS))),
            None => self.back.backoff.next_wait(),
        };
        let (user, code) = (visible(&attempt.user).to_string(), visible(&problem.code).to_string());
        self.attempt = Some(attempt);
        self.login = Login::Resting;
        self.wait_to_return(wait, &format!("{user} cannot log in yet ({code})"));
    }

    /// The proof was not good enough: use another, ask for one, or give up.
    fn try_otherwise(&mut self, attempt: Attempt, problem: &Problem) {
        let Attempt { user, proof, tries, .. } = attempt;
        let next = match &proof {
            Proof::Token(_) => self.who.as_mut().and_then(|who| {
                who.token = None;
                let guest = who.guest.then_some(Proof::None);
                who.password.clone().map(Proof::Password).or(guest)
            }),
            Proof::Password(_) => {
                self.forget_password(&user);
                None
            }
            Proof::None => self.given_for(&user, false).map(Proof::Password),
        };
        if let Some(proof) = next {
            return self.attempt(Attempt { user, proof, registers: false, tries });
        }
        if !self.can_be_asked() || tries == TRIES_MAX {
            return self.on_login_failed(&user, problem);
        }
        if problem.code == Refusal::WrongPassword.code() {
            self.show_refusal(&problem.code, &problem.text);
        }
        self.put_question(Purpose::Login { user, tries: tries + 1 });
    }

    fn forget_password(&mut self, user: &str) {
        if let Some(who) = &mut self.who {
            who.password = None;
        }
        if let Some(given) = &mut self.given {
            given.wrong |= given.user.as_deref().is_some_and(|of| of.eq_ignore_ascii_case(user));
        }
    }

    /// It will not get better by itself.
    fn on_login_failed(&mut self, user: &str, problem: &Problem) {
        if self.returning() && !self.can_be_asked() {
            let (user, text) = (visible(user), visible(&problem.text));
            return self.finish(Over::Broken(format!("cannot come back as {user}: {text}")));
        }
        let unasked = problem.code == "password_needed" && !self.can_be_asked();
        let text = if unasked { NO_PASSWORD } else { problem.text.as_str() };
        self.refuse(&problem.code, text);
        self.stay_nameless();
    }

    /// Says what to do without a name, if there is none.
    fn stay_nameless(&mut self) {
        if self.login == Login::Done {
            return;
        }
        if self.returning() {
            self.stay_out();
        }
        self.give_up_files("you are not logged in");
        self.who = None;
        self.room = None;
        self.login = if self.asks_name { Login::Unnamed } else { Login::Out };
        let next = if self.asks_name { Note::WhoAreYou } else { Note::Nameless };
        self.note(next);
    }

    pub(super) fn on_logged_out(&mut self) {
        self.give_up_files("you are logged out");
        self.who = None;
        self.room = None;
        self.drop_question("you were logged out");
        // A login that is under way decides for itself.
        self.login = if self.attempt.is_some() { Login::Asked } else { Login::Out };
        if self.returning() {
            self.stay_out();
        }
    }
}

fn owned(secret: Secret<'_>) -> Secret<'static> {
    Secret(secret.0.into_owned().into())
}

fn usable_token(token: String) -> Option<Secret<'static>> {
    let usable = !token.is_empty() && token.len() <= TOKEN_MAX;
    usable.then(|| Secret(token.into()))
}
