//! Names: taken with a proof, registered, taken over from the dead, given back.
//!
//! Knows that hashing and storing take their time: a request that waits for a worker is in
//! `Hub::waiting` under its ticket, and its connection is `Entering`. The rules it keeps (invariant
//! 11): a name has one owner; it changes hands only when the owner is gone, was asked and gave no
//! sign of life in [`TAKEOVER_WAIT`], or when the newcomer holds the owner's token; whoever is
//! refused is where he was before.

use super::session::{Letters, User};
use super::{Answer, Effect, Hub, Request, State, UserKey, Waiting};
use crate::id::{AccountId, ConnId, Now, Source};
use crate::job::{Account, PasswordJob, PasswordOutcome, StoreJob, StoreOutcome};
use crate::limits::{PASSWORD_MAX, PASSWORD_MIN, TAKEOVER_WAIT};
use crate::message::{
    Category, CloseReason, Event, LogoutReason, Proof, Refusal, Reply, Secret, UserName,
};

/// Somebody who is to get a name, with all that had to be shown for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer {
    pub(super) request: Request,
    pub(super) name: UserName,
    pub(super) account: Option<AccountId>,
}

/// A name that has an owner and somebody else who may have it if the owner is dead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contest {
    pub(super) owner: ConnId,
    pub(super) newcomer: Newcomer,
    pub(super) until_ms: u64,
}

impl Hub {
    pub(super) fn login(
        &mut self,
        now: Now,
        request: Request,
        user: &str,
        proof: Proof<'_>,
    ) -> Answer {
        let name = UserName::parse(user).map_err(Refusal::BadUserName)?;
        if self.stopping {
            return Err(Refusal::ShuttingDown);
        }
        let account = self.directory.find(name.key()).cloned();
        match proof {
            Proof::None if account.is_some() || !self.policy.guests => {
                Err(Refusal::PasswordNeeded(name))
            }
            Proof::None => self.enter(now, Newcomer { request, name, account: None }, false),
            Proof::Token(Secret(token)) => self.resume(now, request, name, account, &token),
            Proof::Password(Secret(password)) => {
                if password.len() > PASSWORD_MAX {
                    return Err(bad_password());
                }
                let from = self.source_of(request.conn);
                if let Err(refusal) = self.guard.begin(now, name.key(), from) {
                    self.audit(Category::Login, || {
                        format!("{:?} refused: {name}: {refusal}", request.conn)
                    });
                    return Err(refusal);
                }
                let hash = account.map(|account| account.hash);
                let job = PasswordJob::Verify { password: password.into_owned(), hash };
                self.set_state(request.conn, State::Entering { name });
                self.ask_password(Waiting::Login { request, name, from }, job)
            }
        }
    }

    /// A token stands for the password that it was once given for; a guest's for the session.
    fn resume(
        &mut self,
        now: Now,
        request: Request,
        name: UserName,
        account: Option<Account>,
        token: &str,
    ) -> Answer {
        let claim = self.tokens.check(now, name, token).ok_or(Refusal::WrongPassword)?;
        let known = account.as_ref().map(|account| (account.id, account.epoch));
        if known != claim.account.map(|account| (account, claim.epoch)) {
            return Err(Refusal::WrongPassword);
        }
        if let Some((id, _)) = known {
            return self.enter(now, Newcomer { request, name, account: Some(id) }, true);
        }
        let owner = self.users.get(&name.key()).and_then(|&conn| self.user_of(conn).ok());
        let own = owner.is_some_and(|user| user.serial == claim.serial);
        if !self.policy.guests {
            return Err(Refusal::PasswordNeeded(name));
        }
        self.enter(now, Newcomer { request, name, account: None }, own)
    }

    /// Gives a name to whom it belongs; if it has an owner, only after he was asked, or `at_once`.
    fn enter(&mut self, now: Now, newcomer: Newcomer, at_once: bool) -> Answer {
        let Newcomer { request, name, account } = newcomer;
        let in_use = Err(Refusal::NameInUse(name));
        if self.registering.contains(&name.key()) {
            return in_use;
        }
        let Some(&owner) = self.users.get(&name.key()) else {
            return Ok(Some(self.begin_session(now, newcomer, None)));
        };
        if at_once {
            return Ok(Some(self.take_over(now, newcomer, owner)));
        }
        // Somebody with netcat cannot answer in time, so only a password is stronger than he is.
        let askable = account.is_some() || self.answers_pings(owner);
        if !askable || self.contests.contains_key(&name.key()) {
            self.audit(Category::Login, || format!("{:?} refused: {name} is in use", request.conn));
            return in_use;
        }
        self.set_state(request.conn, State::Entering { name });
        let until_ms = now.after(TAKEOVER_WAIT);
        self.contests.insert(name.key(), Contest { owner, newcomer, until_ms });
        self.effects.push_back(Effect::Probe { conn: owner });
        self.wait(request)
    }

    /// The owner of a name gives way: the newcomer has its name and its room. Whoever waits for
    /// the owner's death waits for that of somebody who is gone, and the next one lives.
    fn take_over(&mut self, now: Now, newcomer: Newcomer, owner: ConnId) -> Reply {
        let stored = newcomer.account.and_then(|account| self.directory.get(account));
        let name = stored.map_or(newcomer.name, |account| account.name);
        self.refuse_contest(name.key());
        self.end_uploads_of(now, owner);
        let seat = match self.session(owner).map(|session| session.state) {
            Some(State::InRoom { room, seat, .. }) => Some((room, seat)),
            _ => None,
        };
        if let Some((room, seat)) = seat {
            self.rooms.reseat(room, seat, newcomer.request.conn);
        }
        self.set_state(owner, State::Nameless);
        self.effects.push_back(Effect::Close { conn: owner, reason: CloseReason::TakenOver });
        self.audit(Category::Login, || {
            format!("{name} ({:?}) takes over from {owner:?}", newcomer.request.conn)
        });
        self.begin_session(now, newcomer, seat)
    }

    /// The connection has the name from now on.
    fn begin_session(
        &mut self,
        now: Now,
        newcomer: Newcomer,
        seat: Option<(crate::id::RoomId, usize)>,
    ) -> Reply {
        let Newcomer { request: Request { conn, .. }, name, account } = newcomer;
        let stored = account.and_then(|account| self.directory.get(account));
        let (name, epoch) = stored.map_or((name, 0), |account| (account.name, account.epoch));
        if self.next_serial == 0 {
            // Logins of an earlier run of the server had smaller numbers.
            self.next_serial = now.wall_ms << 20;
        }
        self.next_serial += 1;
        let letters = Letters::default();
        let user = User { name, account, serial: self.next_serial, letters };
        let token = self.tokens.issue(now, &user, epoch);
        let known = self.users.insert(name.key(), conn).is_some();
        self.set_state(conn, State::Named { user });
        self.effects.push_back(Effect::Named { conn, named: true });
        let room = seat.and_then(|(room, seat)| {
            self.set_state(conn, State::InRoom { user, room, seat });
            self.rooms.get(room).map(|room| room.name)
        });
        if !known {
            self.audit(Category::Login, || format!("{name} ({conn:?})"));
            self.tell_presence(conn, name, Event::Online { user: name, at: now.wall_ms });
        }
        self.seen(now, name);
        self.ask_letters(conn);
        Reply::Welcome { user: name, guest: account.is_none(), token, room }
    }

    /// Something was heard of a connection that had been asked whether it lives.
    pub fn handle_heard(&mut self, conn: ConnId) {
        if let Ok(user) = self.user_of(conn) {
            self.refuse_contest(user.name.key());
        }
    }

    /// The owner of a name lives: whoever waits for it does not get it.
    fn refuse_contest(&mut self, key: UserKey) {
        let Some(contest) = self.contests.remove(&key) else { return };
        let Newcomer { request, name, .. } = contest.newcomer;
        self.set_state(request.conn, State::Nameless);
        self.audit(Category::Login, || format!("{:?} refused: {name} is in use", request.conn));
        self.answer_late(request, Err(Refusal::NameInUse(name)));
    }

    /// Ends contests whose owner gave no sign of life.
    pub(super) fn end_contests(&mut self, now: Now) {
        let over = |contest: &&Contest| contest.until_ms <= now.mono_ms;
        while let Some(contest) = self.contests.values().find(over).copied() {
            self.contests.remove(&contest.newcomer.name.key());
            self.win(now, contest);
        }
    }

    /// The newcomer of a contest gets the name, from a dead owner or from one who is gone.
    pub(super) fn win(&mut self, now: Now, contest: Contest) {
        let Contest { owner, newcomer, .. } = contest;
        let at = self.effects.len();
        let owned = self.users.get(&newcomer.name.key()) == Some(&owner);
        let reply = if owned {
            self.take_over(now, newcomer, owner)
        } else {
            self.begin_session(now, newcomer, None)
        };
        let answer = Effect::Answer { request: newcomer.request, answer: Ok(reply), late: true };
        self.effects.insert(at, answer);
    }

    pub(super) fn register(
        &mut self,
        now: Now,
        request: Request,
        user: &str,
        password: Secret<'_>,
    ) -> Answer {
        let name = UserName::parse(user).map_err(Refusal::BadUserName)?;
        if self.stopping {
            return Err(Refusal::ShuttingDown);
        }
        if !self.policy.registration {
            return Err(Refusal::RegistrationClosed);
        }
        check_password(&password.0)?;
        if self.directory.find(name.key()).is_some() {
            return Err(Refusal::NameTaken(name));
        }
        if self.users.contains_key(&name.key()) || self.registering.contains(&name.key()) {
            return Err(Refusal::NameInUse(name));
        }
        let from = self.source_of(request.conn);
        self.guard.begin_hash(now, from)?;
        // Accounts are not made by the thousand: each costs its source as much as a wrong password.
        self.guard.penalize(now, from);
        self.registering.insert(name.key());
        self.set_state(request.conn, State::Entering { name });
        let job = PasswordJob::Hash { password: password.0.into_owned() };
        self.ask_password(Waiting::Register { request, name, from }, job)
    }

    pub(super) fn passwd(
        &mut self,
        now: Now,
        request: Request,
        old: Secret<'_>,
        new: Secret<'_>,
    ) -> Answer {
        let user = self.user_of(request.conn)?;
        let account = user.account.ok_or(Refusal::NoAccount)?;
        check_password(&new.0)?;
        if old.0.len() > PASSWORD_MAX {
            return Err(bad_password());
        }
        let hash = self.directory.get(account).ok_or(Refusal::NoAccount)?.hash.clone();
        let from = self.source_of(request.conn);
        self.guard.begin(now, user.name.key(), from)?;
        let job = PasswordJob::Verify { password: old.0.into_owned(), hash: Some(hash) };
        let (name, new) = (user.name, new.0.into_owned());
        self.ask_password(Waiting::OldPassword { request, account, name, from, new }, job)
    }

    /// Gives the name back. Tokens of an account are void before the answer says so.
    pub(super) fn logout(&mut self, now: Now, request: Request) -> Answer {
        let user = self.user_of(request.conn)?;
        match user.account {
            Some(account) => {
                let job = StoreJob::Revoke { account };
                self.ask_store(Waiting::Logout { request, account }, job)
            }
            None => {
                self.leave_name(now, request.conn);
                Ok(Some(Reply::LoggedOut))
            }
        }
    }

    /// The store has voided the tokens, or could not.
    pub(super) fn on_revoked(
        &mut self,
        now: Now,
        request: Request,
        account: AccountId,
        outcome: &StoreOutcome,
    ) {
        if let StoreOutcome::Failed(why) = outcome {
            self.complain(format!("the tokens of an account are void until a restart only: {why}"));
            self.directory.begin_passing_epoch(account);
        } else {
            self.directory.begin_epoch(account, None);
        }
        let at = self.effects.len();
        self.leave_name(now, request.conn);
        let answer = Ok(Reply::LoggedOut);
        self.effects.insert(at, Effect::Answer { request, answer, late: true });
    }

    /// Logs somebody out who has not asked for it; the connection stays.
    pub fn log_out(&mut self, now: Now, conn: ConnId, reason: LogoutReason) {
        let Ok(user) = self.user_of(conn) else { return };
        self.audit(Category::Login, || format!("{} logged out: {reason}", user.name));
        let given_back = self.end_session(now, conn);
        self.tell(conn, Event::LoggedOut { reason });
        self.pass_on(now, given_back);
    }

    /// Somebody gives his name back because he wants to.
    fn leave_name(&mut self, now: Now, conn: ConnId) {
        let Ok(user) = self.user_of(conn) else { return };
        self.audit(Category::Login, || format!("{} logged out ({conn:?})", user.name));
        let given_back = self.end_session(now, conn);
        self.pass_on(now, given_back);
    }

    /// Takes name, room and uploads from a connection, and tells the others. The name is to be
    /// passed on ([`Self::pass_on`]) when the log has been told all about its owner.
    pub(super) fn end_session(&mut self, now: Now, conn: ConnId) -> Option<UserKey> {
        let user = self.user_of(conn).ok()?;
        let key = user.name.key();
        self.end_uploads_of(now, conn);
        self.leave_room(now, conn);
        self.users.remove(&key);
        self.set_state(conn, State::Nameless);
        self.effects.push_back(Effect::Named { conn, named: false });
        self.seen(now, user.name);
        if !self.stopping {
            let event = Event::Offline { user: user.name, at: now.wall_ms };
            // Who is next is here before the others are told, and need not hear it.
            let next = self.contests.get(&key).map(|contest| contest.newcomer.request.conn);
            self.tell_presence(next.unwrap_or(conn), user.name, event);
        }
        if user.account.is_none() {
            self.directory.forget_blocks(key);
        }
        Some(key)
    }

    /// A name that was given back goes to the one who has been waiting for it.
    pub(super) fn pass_on(&mut self, now: Now, given_back: Option<UserKey>) {
        if let Some(contest) = given_back.and_then(|key| self.contests.remove(&key)) {
            self.win(now, contest);
        }
    }

    /// A connection that wanted a name is gone.
    pub(super) fn end_entering(&mut self, conn: ConnId, name: UserName) {
        let key = name.key();
        if self.contests.get(&key).is_some_and(|contest| contest.newcomer.request.conn == conn) {
            self.contests.remove(&key);
        }
    }

    pub(super) fn on_login_decided(
        &mut self,
        now: Now,
        (request, name, from): (Request, UserName, Source),
        outcome: PasswordOutcome,
    ) {
        let key = name.key();
        let answer = match outcome {
            PasswordOutcome::Right => {
                self.guard.right(key, from);
                Ok(())
            }
            PasswordOutcome::Wrong | PasswordOutcome::Hash(_) => {
                self.audit(Category::Login, || {
                    format!("{:?} refused: wrong password for {name}", request.conn)
                });
                Err(match self.guard.wrong(now, key, from) {
                    Some(wait_ms) => Refusal::LockedOut { wait_ms },
                    None => Refusal::WrongPassword,
                })
            }
            PasswordOutcome::Failed(why) => {
                self.guard.undecided(key, from);
                self.complain(format!("a password could not be checked: {why}"));
                Err(Refusal::Busy { wait_ms: 1000 })
            }
        };
        if !self.is_entering(request.conn) {
            return;
        }
        self.set_state(request.conn, State::Nameless);
        // The account may have been removed while its password was looked at.
        let account = self.directory.find(key).map(|account| account.id);
        let answer = answer.and_then(|()| match account {
            _ if self.stopping => Err(Refusal::ShuttingDown),
            Some(_) => Ok(Newcomer { request, name, account }),
            None => Err(Refusal::WrongPassword),
        });
        let at = self.effects.len();
        match answer.and_then(|newcomer| self.enter(now, newcomer, false)) {
            Ok(None) => {}
            Ok(Some(reply)) => {
                let answer = Effect::Answer { request, answer: Ok(reply), late: true };
                self.effects.insert(at, answer);
            }
            Err(refusal) => self.answer_late(request, Err(refusal)),
        }
    }

    pub(super) fn on_register_hashed(
        &mut self,
        (request, name, from): (Request, UserName, Source),
        outcome: PasswordOutcome,
    ) {
        self.guard.end_hash(from);
        let hash = match outcome {
            PasswordOutcome::Hash(hash) if self.is_entering(request.conn) => hash,
            outcome => {
                self.registering.remove(&name.key());
                if let PasswordOutcome::Failed(why) = outcome {
                    self.complain(format!("a password could not be hashed: {why}"));
                }
                if self.is_entering(request.conn) {
                    self.set_state(request.conn, State::Nameless);
                    self.answer_late(request, Err(Refusal::Busy { wait_ms: 1000 }));
                }
                return;
            }
        };
        let job = StoreJob::Create { name, hash };
        self.submit_store(Waiting::Create { request, name }, job);
    }

    pub(super) fn on_created(
        &mut self,
        now: Now,
        request: Request,
        name: UserName,
        outcome: StoreOutcome,
    ) {
        self.registering.remove(&name.key());
        let answer = match outcome {
            StoreOutcome::Created(account) => {
                self.audit(Category::Login, || format!("{name} registered ({:?})", request.conn));
                let account_id = account.id;
                self.directory.add(account);
                Ok(Newcomer { request, name, account: Some(account_id) })
            }
            StoreOutcome::Exists => Err(Refusal::NameTaken(name)),
            outcome => Err(self.store_refusal(&outcome)),
        };
        if !self.is_entering(request.conn) {
            return;
        }
        self.set_state(request.conn, State::Nameless);
        let at = self.effects.len();
        let answer = answer.map(|newcomer| self.begin_session(now, newcomer, None));
        self.effects.insert(at, Effect::Answer { request, answer, late: true });
    }

    pub(super) fn on_old_password_decided(
        &mut self,
        now: Now,
        (request, account, name, from): (Request, AccountId, UserName, Source),
        new: String,
        outcome: PasswordOutcome,
    ) {
        match outcome {
            PasswordOutcome::Right => self.guard.right(name.key(), from),
            PasswordOutcome::Wrong | PasswordOutcome::Hash(_) => {
                let locked = self.guard.wrong(now, name.key(), from);
                let refusal =
                    locked.map_or(Refusal::WrongPassword, |wait_ms| Refusal::LockedOut { wait_ms });
                return self.answer_late(request, Err(refusal));
            }
            PasswordOutcome::Failed(why) => {
                self.guard.undecided(name.key(), from);
                self.complain(format!("a password could not be checked: {why}"));
                return self.answer_late(request, Err(Refusal::Busy { wait_ms: 1000 }));
            }
        }
        if let Err(refusal) = self.guard.begin_hash(now, from) {
            return self.answer_late(request, Err(refusal));
        }
        let waiting = Waiting::NewPassword { request, account, from };
        self.submit_password(waiting, PasswordJob::Hash { password: new });
    }

    pub(super) fn on_new_password_hashed(
        &mut self,
        (request, account, from): (Request, AccountId, Source),
        outcome: PasswordOutcome,
    ) {
        self.guard.end_hash(from);
        let PasswordOutcome::Hash(hash) = outcome else {
            return self.answer_late(request, Err(Refusal::Busy { wait_ms: 1000 }));
        };
        let job = StoreJob::SetHash { account, hash: hash.clone() };
        self.submit_store(Waiting::SetHash { request, account, hash }, job);
    }

    pub(super) fn on_hash_set(
        &mut self,
        now: Now,
        (request, account, hash): (Request, AccountId, String),
        outcome: &StoreOutcome,
    ) {
        if *outcome != StoreOutcome::Done {
            let refusal = self.store_refusal(outcome);
            return self.answer_late(request, Err(refusal));
        }
        self.directory.begin_epoch(account, Some(hash));
        let epoch = self.directory.get(account).map_or(0, |account| account.epoch);
        // Somebody who was logged out in the meantime has no use for a token, but is answered.
        let token = self.user_of(request.conn).map_or_else(
            |_| String::new(),
            |user| {
                self.audit(Category::Login, || format!("{} has another password", user.name));
                self.tokens.issue(now, &user, epoch)
            },
        );
        self.answer_late(request, Ok(Reply::PasswordChanged { token }));
    }

    /// Another process has changed the accounts: those who lost theirs, and guests whose name is
    /// now somebody's, are logged out.
    pub fn handle_directory(&mut self, now: Now, stored: crate::job::Directory) {
        self.directory.replace(stored);
        let online: Vec<ConnId> = self.users.values().copied().collect();
        for conn in online {
            let Ok(user) = self.user_of(conn) else { continue };
            let account = self.directory.find(user.name.key()).map(|account| account.id);
            match (user.account, account) {
                (None, Some(_)) => self.log_out(now, conn, LogoutReason::Registered),
                (Some(own), account) if account != Some(own) => {
                    self.log_out(now, conn, LogoutReason::Removed);
                }
                _ => {}
            }
        }
    }

    fn is_entering(&self, conn: ConnId) -> bool {
        matches!(self.session(conn).map(|s| s.state), Some(State::Entering { .. }))
    }

    /// Whether a connection belongs to a program that answers a ping by itself.
    fn answers_pings(&self, conn: ConnId) -> bool {
        self.session(conn).is_some_and(|session| session.answers_pings)
    }

    pub(super) fn source_of(&self, conn: ConnId) -> Source {
        self.session(conn).map_or(Source(0), |session| session.source)
    }

    /// Whether a name is wanted or held by nobody but the one given, for the invariants.
    pub(super) fn is_registering(&self, key: UserKey) -> bool {
        self.registering.contains(&key)
    }
}

/// Whether a password may be chosen.
fn check_password(password: &str) -> Result<(), Refusal> {
    let fits = (PASSWORD_MIN..=PASSWORD_MAX).contains(&password.len());
    if fits && !password.chars().any(char::is_control) { Ok(()) } else { Err(bad_password()) }
}

const fn bad_password() -> Refusal {
    Refusal::BadPassword { min: PASSWORD_MIN, max: PASSWORD_MAX }
}
