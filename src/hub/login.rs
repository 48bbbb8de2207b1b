//! Names: taken with a proof, taken over from the dead, given back.
//!
//! Knows that hashing and storing take their time: a request that waits for a worker is in
//! `Hub::waiting` under its ticket, and its connection is `Entering`. The rules it keeps (invariant
//! 11): a name has one owner; it changes hands only when the owner is gone, was asked and gave no
//! sign of life in [`TAKEOVER_WAIT`], or when the newcomer holds the owner's token; whoever is
//! refused is where he was before.

use super::session::{Letters, User};
use super::{Answer, Effect, Hub, Request, State, UserKey, Waiting};
use crate::facts::{LoginFact, TroubleFact};
use crate::id::{AccountId, ConnId, Now, Source};
use crate::job::{Account, PasswordJob, PasswordOutcome};
use crate::limits::TAKEOVER_WAIT;
use crate::message::{
    CloseReason, Event, LogoutReason, Proof, Refusal, Reply, Secret, UserName, may_be_password,
};

/// Somebody who is to get a name, with all that had to be shown for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer {
    pub(super) request: Request,
    pub(super) name: UserName,
    pub(super) account: Option<AccountId>,
    /// The login that a guest has shown to be his own.
    pub(super) was: Option<u64>,
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
            Proof::None => {
                self.enter_or_wait(now, Newcomer { request, name, account: None, was: None }, false)
            }
            Proof::Token(Secret(token)) => self.resume(now, request, name, account, &token),
            Proof::Password(Secret(password)) => {
                if !may_be_password(&password) {
                    return Err(Refusal::WrongPassword);
                }
                let from = self.source_of(request.conn);
                self.guard.begin(now, name.key(), from)?;
                let hash = account.as_ref().map(|account| account.hash.clone());
                let job = PasswordJob::Verify { password: password.into_owned(), hash };
                self.set_state(request.conn, State::Entering { name });
                self.ask_password(Waiting::Login { request, account, name, from }, job)
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
            if self.directory.is_void(id, claim.serial) {
                return Err(Refusal::WrongPassword);
            }
            let newcomer = Newcomer { request, name, account: Some(id), was: None };
            return self.enter_or_wait(now, newcomer, true);
        }
        let owner = self.users.get(&name.key()).and_then(|&conn| self.user_of(conn).ok());
        let own = owner.is_some_and(|user| user.serial == claim.serial);
        if !self.policy.guests {
            return Err(Refusal::PasswordNeeded(name));
        }
        let was = Some(claim.serial);
        self.enter_or_wait(now, Newcomer { request, name, account: None, was }, own)
    }

    /// Enters, for a request that has not had to wait before.
    fn enter_or_wait(&mut self, now: Now, newcomer: Newcomer, at_once: bool) -> Answer {
        match self.enter(now, newcomer, at_once)? {
            Some(reply) => Ok(Some(reply)),
            None => self.wait(newcomer.request),
        }
    }

    /// Gives a name to whom it belongs; if it has an owner, only after he was asked, or `at_once`.
    fn enter(&mut self, now: Now, newcomer: Newcomer, at_once: bool) -> Answer {
        let Newcomer { request, name, account, .. } = newcomer;
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
            self.note(LoginFact::NameInUse { conn: request.conn, user: name });
            return in_use;
        }
        self.set_state(request.conn, State::Entering { name });
        let until_ms = now.after(TAKEOVER_WAIT);
        self.contests.insert(name.key(), Contest { owner, newcomer, until_ms });
        self.effects.push_back(Effect::Probe { conn: owner });
        Ok(None)
    }

    /// The owner of a name gives way: the newcomer has its name and its room. Whoever waits for
    /// the owner's death waits for that of somebody who is gone, and the next one lives.
    fn take_over(&mut self, now: Now, newcomer: Newcomer, owner: ConnId) -> Reply {
        // A guest is called as the room knows the name; an account as it was registered.
        let name = self.name_of(owner).unwrap_or(newcomer.name);
        let newcomer = Newcomer { name, ..newcomer };
        self.refuse_contest(name.key());
        self.end_uploads_of(now, owner);
        self.end_downloads_of(owner);
        if let Ok(user) = self.user_of(owner) {
            self.end_guest(now, user, false);
        }
        let seat = match self.session(owner).map(|session| session.state) {
            Some(State::InRoom { room, seat, .. }) => Some((room, seat)),
            _ => None,
        };
        if let Some((room, seat)) = seat {
            self.rooms.reseat(room, seat, newcomer.request.conn);
        }
        self.set_state(owner, State::Nameless);
        self.effects.push_back(Effect::Close { conn: owner, reason: CloseReason::TakenOver });
        self.note(LoginFact::TakenOver { user: name, conn: newcomer.request.conn, owner });
        self.begin_session(now, newcomer, seat)
    }

    /// The connection has the name from now on.
    pub(super) fn begin_session(
        &mut self,
        now: Now,
        newcomer: Newcomer,
        seat: Option<(crate::id::RoomId, usize)>,
    ) -> Reply {
        let Newcomer { request: Request { conn, .. }, name, account, was } = newcomer;
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
            self.note(LoginFact::LoggedIn { user: name, conn });
            self.tell_presence(conn, name, Event::Online { user: name, at: now.wall_ms });
        }
        self.seen(now, name);
        if let Some(was) = was.filter(|_| account.is_none()) {
            self.files.rebind(was, user.serial);
        }
        self.ask_letters(conn);
        self.offer_kept(conn);
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
        self.note(LoginFact::NameInUse { conn: request.conn, user: name });
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

    /// The newcomer of a contest gets the name, from a dead owner or from one who is gone; unless
    /// the name has become an account, or that account is gone, since he asked.
    pub(super) fn win(&mut self, now: Now, contest: Contest) {
        let Contest { owner, newcomer, .. } = contest;
        let Newcomer { request, name, account, .. } = newcomer;
        let refusal = match self.directory.find(name.key()).map(|account| account.id) {
            _ if self.stopping => Some(Refusal::ShuttingDown),
            known if known == account => None,
            Some(_) => Some(Refusal::PasswordNeeded(name)),
            None => Some(Refusal::WrongPassword),
        };
        if let Some(refusal) = refusal {
            self.set_state(request.conn, State::Nameless);
            return self.answer_late(request, Err(refusal));
        }
        let owned = self.users.get(&name.key()) == Some(&owner);
        self.answer_first(request, |hub| {
            Ok(Some(if owned {
                hub.take_over(now, newcomer, owner)
            } else {
                hub.begin_session(now, newcomer, None)
            }))
        });
    }

    /// Logs somebody out who has not asked for it; the connection stays.
    pub fn log_out(&mut self, now: Now, conn: ConnId, reason: LogoutReason) {
        let Ok(user) = self.user_of(conn) else { return };
        self.note(LoginFact::LoggedOut { user: user.name, conn, reason });
        let given_back = self.end_session(now, conn, true);
        self.tell(conn, Event::LoggedOut { reason });
        self.pass_on(now, given_back);
    }

    /// Somebody gives his name back because he wants to.
    pub(super) fn leave_name(&mut self, now: Now, conn: ConnId) {
        let Ok(user) = self.user_of(conn) else { return };
        self.note(LoginFact::NameGivenBack { user: user.name, conn });
        let given_back = self.end_session(now, conn, true);
        self.pass_on(now, given_back);
    }

    /// Takes name, room and uploads from a connection, and tells the others. `for_good`: because
    /// that was wanted, not because the connection was lost. The name is to be
    /// passed on ([`Self::pass_on`]) when the log has been told all about its owner.
    pub(super) fn end_session(
        &mut self,
        now: Now,
        conn: ConnId,
        for_good: bool,
    ) -> Option<UserKey> {
        let user = self.user_of(conn).ok()?;
        let key = user.name.key();
        self.end_uploads_of(now, conn);
        self.end_downloads_of(conn);
        self.end_guest(now, user, for_good);
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
        if user.account.is_none() && self.directory.find(key).is_none() {
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
        (request, account, name, from): (Request, Option<Account>, UserName, Source),
        outcome: PasswordOutcome,
    ) {
        let key = name.key();
        let answer = self.end_try(now, name, from, outcome);
        if let Err(Refusal::WrongPassword | Refusal::LockedOut { .. }) = answer {
            self.note(LoginFact::WrongPassword { conn: request.conn, user: name });
        }
        if !self.is_entering(request.conn) {
            return;
        }
        self.set_state(request.conn, State::Nameless);
        // Meanwhile the account may have been removed, or given another password.
        let proven = account.map(|account| (account.id, account.hash));
        let known = self.directory.find(key).map(|account| (account.id, account.hash.clone()));
        let answer = answer.and_then(|()| match known {
            _ if self.stopping => Err(Refusal::ShuttingDown),
            Some((id, _)) if known == proven => {
                Ok(Newcomer { request, name, account: Some(id), was: None })
            }
            _ => Err(Refusal::WrongPassword),
        });
        self.answer_first(request, |hub| hub.enter(now, answer?, false));
    }

    /// A password was compared: tells the guard, and what it means for the one who gave it.
    pub(super) fn end_try(
        &mut self,
        now: Now,
        name: UserName,
        from: Source,
        outcome: PasswordOutcome,
    ) -> Result<(), Refusal> {
        let key = name.key();
        match outcome {
            PasswordOutcome::Right => {
                self.guard.right(key, from);
                Ok(())
            }
            PasswordOutcome::Wrong | PasswordOutcome::Hash(_) => {
                Err(match self.guard.wrong(now, key, from) {
                    Some(wait_ms) => Refusal::LockedOut { wait_ms },
                    None => Refusal::WrongPassword,
                })
            }
            PasswordOutcome::Failed(why) => {
                self.guard.undecided(key, from);
                self.note(TroubleFact::CheckFailed { why });
                Err(Refusal::Busy { wait_ms: 1000 })
            }
        }
    }

    pub(super) fn is_entering(&self, conn: ConnId) -> bool {
        matches!(self.session(conn).map(|s| s.state), Some(State::Entering { .. }))
    }

    /// Whether a connection belongs to a program that answers a ping by itself.
    fn answers_pings(&self, conn: ConnId) -> bool {
        self.session(conn).is_some_and(|session| session.answers_pings)
    }

    pub(super) fn source_of(&self, conn: ConnId) -> Source {
        self.session(conn).map_or(Source(0), |session| session.source)
    }
}
