//! What else the server acknowledges: accounts, passwords and blocks. What was acknowledged must
//! hold after a crash; what was never answered may hold or not, but must be one of the two.

use std::collections::BTreeMap;

use parlor::client::session::ClientEvent;
use parlor::front::native::Problem;
use parlor::message::{Command, Event, Proof, Reply, Secret};

use crate::mail::PASSWORD;
use crate::rng::Rng;
use crate::swarm::{Happened, Line, Swarm};

/// Whose password changes.
const OWNER: &str = "olga";
/// Who blocks people.
const KEEPER: &str = "kurt";
/// How many guests there are whom the keeper may have blocked: only who is online can be.
const STRANGERS: u64 = 12;
/// Blocks under way at once.
const WINDOW: usize = 4;

/// Something that was asked for and is not answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    Register { name: String },
    Password { new: String },
}

#[derive(Default)]
pub(crate) struct Promises {
    /// Accounts that were acknowledged, with the tokens that were given for them.
    accounts: Vec<(String, String)>,
    password: String,
    /// Passwords that no longer are; the last one.
    old_password: Option<String>,
    old_token: Option<String>,
    token: String,
    keeper_token: String,
    /// Whom the keeper has blocked (true) or not; who is missing may be either.
    blocks: BTreeMap<String, bool>,
    asked: Option<Asked>,
    /// What the life before has left to look at.
    due: Option<Asked>,
    ask_line: Option<Line>,
    keeper_line: Option<Line>,
    strangers: Vec<Line>,
    /// Answers that must come before the keeper can begin.
    entering: usize,
    blocking: BTreeMap<u64, (String, bool)>,
    serial: usize,
    /// How many of them were acknowledged: accounts, passwords, blocks.
    pub(crate) held: [usize; 3],
    /// How many were under way at a crash and turned out to hold, or not to.
    pub(crate) undecided: [usize; 2],
}

fn login(user: &str, proof: Proof<'static>) -> Command<'static> {
    Command::Login { user: user.to_owned().into(), proof }
}

fn by_token(token: &str) -> Proof<'static> {
    Proof::Token(Secret(token.to_owned().into()))
}

fn by_password(password: &str) -> Proof<'static> {
    Proof::Password(Secret(password.to_owned().into()))
}

/// Tries to log in on a connection of its own; the new token, if it is the right proof.
fn try_in(swarm: &mut Swarm, user: &str, proof: Proof<'static>) -> Option<String> {
    let line = swarm.open();
    let answer = swarm.ask(line, login(user, proof));
    swarm.close(line);
    match answer {
        Ok(Reply::Welcome { token, guest: false, .. }) => Some(token),
        Err(Problem { code, .. }) if code == "wrong_password" => None,
        other => panic!("{user}: {other:?}"),
    }
}

#[track_caller]
fn must_be_in(swarm: &mut Swarm, user: &str, proof: Proof<'static>) -> String {
    let kind = if matches!(proof, Proof::Token(_)) { "token" } else { "password" };
    try_in(swarm, user, proof).unwrap_or_else(|| panic!("acknowledged, but no good: {kind}"))
}

#[track_caller]
fn must_be_out(swarm: &mut Swarm, user: &str, proof: Proof<'static>) {
    assert_eq!(try_in(swarm, user, proof), None, "{user}: this was replaced");
}

impl Promises {
    /// Makes the accounts of those who act here.
    pub(crate) fn register(&mut self, swarm: &mut Swarm) {
        for name in [OWNER, KEEPER] {
            let line = swarm.open();
            let password = Secret(PASSWORD.into());
            match swarm.ask(line, Command::Register { user: name.into(), password }) {
                Ok(Reply::Welcome { token, .. }) if name == OWNER => self.token = token,
                Ok(Reply::Welcome { token, .. }) => self.keeper_token = token,
                other => panic!("{name}: {other:?}"),
            }
            swarm.close(line);
        }
        self.password = PASSWORD.to_owned();
    }

    /// After a crash: what was acknowledged holds.
    pub(crate) fn check(&mut self, swarm: &mut Swarm, rng: &mut Rng) {
        if !self.accounts.is_empty() {
            let (name, token) = rng.pick(&self.accounts);
            must_be_in(swarm, name, by_token(token));
        }
        match self.due.take() {
            Some(Asked::Register { name }) => self.check_account(swarm, name),
            Some(Asked::Password { new }) => self.check_password(swarm, new),
            Some(Asked::Nothing) => self.check_acknowledged(swarm),
            None => {}
        }
        self.token = must_be_in(swarm, OWNER, by_token(&self.token));
        self.check_blocks(swarm, rng);
    }

    /// The life before acknowledged a password or an account.
    fn check_acknowledged(&mut self, swarm: &mut Swarm) {
        if let Some(old) = self.old_password.take() {
            must_be_in(swarm, OWNER, by_password(&self.password));
            must_be_out(swarm, OWNER, by_password(&old));
        }
        if let Some(old) = self.old_token.take() {
            must_be_out(swarm, OWNER, by_token(&old));
        }
        if let Some((name, token)) = self.accounts.last() {
            must_be_in(swarm, name, by_token(token));
            must_be_in(swarm, name, by_password(PASSWORD));
        }
    }

    /// The life before was asked for an account and did not answer.
    fn check_account(&mut self, swarm: &mut Swarm, name: String) {
        match try_in(swarm, &name, by_password(PASSWORD)) {
            Some(token) => {
                self.undecided[0] += 1;
                self.accounts.push((name, token));
            }
            None => self.undecided[1] += 1,
        }
    }

    /// The life before was asked for another password and did not answer.
    fn check_password(&mut self, swarm: &mut Swarm, new: String) {
        match try_in(swarm, OWNER, by_password(&new)) {
            Some(token) => {
                self.undecided[0] += 1;
                must_be_out(swarm, OWNER, by_password(&self.password));
                self.password = new;
                self.token = token;
            }
            None => {
                self.undecided[1] += 1;
                must_be_in(swarm, OWNER, by_password(&self.password));
            }
        }
    }

    fn check_blocks(&mut self, swarm: &mut Swarm, rng: &mut Rng) {
        let line = swarm.open();
        match swarm.ask(line, login(KEEPER, by_token(&self.keeper_token))) {
            Ok(Reply::Welcome { token, .. }) => self.keeper_token = token,
            other => panic!("{other:?}"),
        }
        let members = match swarm.ask(line, Command::Blocked) {
            Ok(Reply::Blocked { members }) => members.users,
            other => panic!("{other:?}"),
        };
        let is_listed = |name: &str| members.iter().any(|user| user.as_str() == name);
        for (name, &blocked) in &self.blocks {
            assert_eq!(is_listed(name), blocked, "the block of {name} is not as acknowledged");
        }
        for name in (0..STRANGERS).map(stranger) {
            let blocked = is_listed(&name);
            if self.blocks.insert(name, blocked).is_none() && self.serial > 0 {
                self.undecided[usize::from(!blocked)] += 1;
            }
        }
        swarm.close(line);
        let name = stranger(rng.below(STRANGERS));
        let line = swarm.open();
        swarm.ask(line, login(&name, Proof::None)).unwrap();
        let said = swarm.ask(line, Command::Whisper { user: KEEPER.into(), text: "hi".into() });
        let is_refused = said.is_err_and(|problem| problem.code == "blocked");
        assert_eq!(is_refused, self.blocks[&name], "{name} is heard although blocked, or not");
        swarm.close(line);
    }

    /// A new life: the keeper blocks people, and in some lives somebody registers or changes the
    /// password. Says whether there is something to wait for.
    pub(crate) fn begin(&mut self, swarm: &mut Swarm, cycle: usize) -> bool {
        self.serial = cycle;
        self.strangers = (0..STRANGERS).map(|_| swarm.open()).collect();
        for (&line, number) in self.strangers.iter().zip(0..) {
            swarm.say(line, login(&stranger(number), Proof::None));
        }
        let line = swarm.open();
        swarm.say(line, login(KEEPER, by_token(&self.keeper_token)));
        self.keeper_line = Some(line);
        // Each is greeted and welcomed.
        self.entering = 2 * (self.strangers.len() + 1);
        let asked = match cycle % 5 {
            0 => Asked::Password { new: format!("password {cycle}") },
            2 => Asked::Register { name: format!("new{cycle}") },
            _ => return false,
        };
        let line = swarm.open();
        match &asked {
            Asked::Password { new } => {
                swarm.say(line, login(OWNER, by_token(&self.token)));
                let secret = |text: &String| Secret(text.clone().into());
                let (old, new) = (secret(&self.password), secret(new));
                swarm.say(line, Command::Passwd { old, new });
            }
            Asked::Register { name } => {
                let password = Secret(PASSWORD.into());
                swarm.say(line, Command::Register { user: name.clone().into(), password });
            }
            Asked::Nothing => {}
        }
        self.ask_line = Some(line);
        self.asked = Some(asked);
        true
    }

    /// Whether what [`Promises::begin`] asked for is not answered yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| *asked != Asked::Nothing)
    }

    /// The server is gone.
    pub(crate) fn cut(&mut self) {
        self.due = self.asked.take();
        self.ask_line = None;
        self.keeper_line = None;
        self.strangers.clear();
        self.blocking.clear();
    }

    /// Takes what happened on a line if it is one of these; says whether it was an answer.
    pub(crate) fn handle(
        &mut self,
        (swarm, rng): (&mut Swarm, &mut Rng),
        line: Line,
        happened: &Happened,
    ) -> bool {
        let Happened::Heard(ClientEvent::Answered { id, answer, .. }) = happened else {
            if let Happened::Heard(ClientEvent::Event(Event::LoggedOut { reason })) = happened {
                panic!("somebody was logged out: {reason}");
            }
            return false;
        };
        if Some(line) == self.keeper_line || self.strangers.contains(&line) {
            self.on_keeper(swarm, rng, *id, answer);
        } else if Some(line) == self.ask_line {
            self.on_asked(answer);
        } else {
            return false;
        }
        true
    }

    fn on_asked(&mut self, answer: &Result<Reply, Problem>) {
        match (answer, self.asked.clone()) {
            (Ok(Reply::Done), _) => {}
            (Ok(Reply::Welcome { token, .. }), Some(Asked::Register { name })) => {
                self.held[0] += 1;
                self.accounts.push((name, token.clone()));
                self.asked = Some(Asked::Nothing);
            }
            (Ok(Reply::Welcome { token, .. }), _) => self.token.clone_from(token),
            (Ok(Reply::PasswordChanged { token }), Some(Asked::Password { new })) => {
                self.held[1] += 1;
                self.old_password = Some(std::mem::replace(&mut self.password, new));
                self.old_token = Some(std::mem::replace(&mut self.token, token.clone()));
                self.asked = Some(Asked::Nothing);
            }
            other => panic!("{other:?}"),
        }
    }

    fn on_keeper(
        &mut self,
        swarm: &mut Swarm,
        rng: &mut Rng,
        id: u64,
        answer: &Result<Reply, Problem>,
    ) {
        match (answer, self.blocking.remove(&id)) {
            (Ok(Reply::Done), Some((name, blocked))) => {
                self.held[2] += 1;
                self.blocks.insert(name, blocked);
            }
            (Ok(Reply::Done | Reply::Welcome { .. }), None) => self.entering -= 1,
            other => panic!("{other:?}"),
        }
        if self.entering > 0 {
            return;
        }
        let line = self.keeper_line.expect("it has just answered");
        while self.blocking.len() < WINDOW {
            let name = stranger(rng.below(STRANGERS));
            // Who is missing is being blocked or unblocked at this moment.
            let Some(blocked) = self.blocks.remove(&name) else { continue };
            let user = name.clone().into();
            let command = if blocked { Command::Unblock { user } } else { Command::Block { user } };
            let id = swarm.say(line, command);
            self.blocking.insert(id, (name, !blocked));
        }
    }
}

fn stranger(number: u64) -> String {
    format!("stranger{number}")
}
