//! Names that have as many sessions as they may have, and are wanted once more.
//!
//! The rule it keeps (invariant 11): a session is replaced only when it is gone, was asked and gave
//! no sign of life in [`TAKEOVER_WAIT`], or when the newcomer holds its token.

use super::{Decision, Entrance, Newcomer};
use crate::facts::LoginFact;
use crate::hub::people::{State, User};
use crate::hub::{Effect, UserKey};
use crate::id::{AccountId, ConnId, Now};
use crate::limits::{ERRANDS_A_USER, TAKEOVER_WAIT};
use crate::message::{Refusal, UserName};

/// A name all of whose sessions are taken, and a user who may have the place of a dead one.
#[derive(Clone, Debug)]
pub(in crate::hub) struct Contest {
    /// Those who have not shown that they live, in the order of their logins.
    pub(in crate::hub) owners: Vec<ConnId>,
    pub(in crate::hub) newcomer: Newcomer,
    pub(in crate::hub) until_ms: u64,
}

impl Entrance<'_> {
    /// Gives a session to whom the name belongs. If there are as many as there may be, one of them
    /// gives way: `own` at once, which the newcomer has shown to be theirs, or one that was asked
    /// and is dead.
    pub(in crate::hub) fn enter(
        &mut self,
        now: Now,
        newcomer: Newcomer,
        own: Option<ConnId>,
    ) -> Result<Decision, Refusal> {
        let Newcomer { request, name, account, errand, .. } = newcomer;
        if self.own.registering.contains(&name.key()) {
            return Err(Refusal::NameInUse(name));
        }
        if errand {
            return self.enter_errand(newcomer, own);
        }
        if let Some(owner) = own {
            return Ok(Decision::TakeOver { newcomer, owner });
        }
        if self.is_held(&newcomer) && !self.people.is_online(name.key()) {
            self.out.note(LoginFact::NameInUse { conn: request.conn, user: name });
            return Err(Refusal::NameInUse(name));
        }
        let owners: Vec<_> = self.people.sessions_of(name.key()).collect();
        let Some(&first) = owners.first().filter(|_| owners.len() as u64 >= self.most(account))
        else {
            return Ok(Decision::Begin(newcomer));
        };
        // A user with netcat cannot answer in time, so only a password is stronger than they are.
        let askable = account.is_some() || self.people.answers_pings(first);
        if !askable || self.own.contests.contains_key(&name.key()) {
            self.out.note(LoginFact::NameInUse { conn: request.conn, user: name });
            return Err(self.no_place(&newcomer));
        }
        self.people.set_state(request.conn, State::Entering { name });
        for &conn in &owners {
            self.out.push(Effect::Probe { conn });
        }
        let until_ms = now.after(TAKEOVER_WAIT);
        self.own.contests.insert(name.key(), Contest { owners, newcomer, until_ms });
        Ok(Decision::Later)
    }

    /// An errand needs no free place. Where a guest has the name, it must show the guest's token.
    fn enter_errand(&self, newcomer: Newcomer, own: Option<ConnId>) -> Result<Decision, Refusal> {
        let name = newcomer.name;
        let is_theirs = newcomer.account.is_some() || own.is_some();
        if !is_theirs && self.people.is_named(name.key()) {
            return Err(Refusal::NameInUse(name));
        }
        if self.people.errands_of(name.key()).count() >= ERRANDS_A_USER {
            return Err(Refusal::TooManyErrands { limit: ERRANDS_A_USER as u64 });
        }
        Ok(Decision::Begin(newcomer))
    }

    /// Whether a guest's name is held by errands of another user.
    fn is_held(&self, newcomer: &Newcomer) -> bool {
        let is_own = |user: User| newcomer.was == Some(user.serial);
        let mut errands = self.people.errands_of(newcomer.name.key());
        newcomer.account.is_none()
            && errands.any(|conn| !self.people.user_of(conn).is_ok_and(is_own))
    }

    /// How many sessions there may be.
    fn most(&self, account: Option<AccountId>) -> u64 {
        account.map_or(1, |_| self.rules.limits.accounts_sessions)
    }

    fn no_place(&self, newcomer: &Newcomer) -> Refusal {
        match self.most(newcomer.account) {
            1 => Refusal::NameInUse(newcomer.name),
            limit => Refusal::TooManySessions { limit },
        }
    }

    /// A session lives, or is another one now: if all of its user do, the user who waits gets no
    /// place.
    pub(in crate::hub) fn note_alive(&mut self, key: UserKey, conn: ConnId) {
        let Some(contest) = self.own.contests.get_mut(&key) else { return };
        contest.owners.retain(|&owner| owner != conn);
        if !contest.owners.is_empty() {
            return;
        }
        let Some(Contest { newcomer, .. }) = self.own.contests.remove(&key) else { return };
        let Newcomer { request, name, .. } = newcomer;
        self.people.set_state(request.conn, State::Nameless);
        self.out.note(LoginFact::NameInUse { conn: request.conn, user: name });
        let refusal = self.no_place(&newcomer);
        self.out.answer_late(request, Err(refusal));
    }

    /// The newcomer of a contest gets a place: that of `owner`, who is dead, or the one of a user
    /// who is gone; unless the name has become an account, or that account is gone, since they
    /// asked.
    pub(in crate::hub) fn decide(
        &mut self,
        newcomer: Newcomer,
        owner: Option<ConnId>,
    ) -> Option<Decision> {
        let Newcomer { request, name, account, .. } = newcomer;
        let refusal = match self.people.directory.find(name.key()).map(|account| account.id) {
            _ if self.rules.stopping => Some(Refusal::ShuttingDown),
            known if known == account => None,
            Some(_) => Some(Refusal::PasswordNeeded(name)),
            None => Some(Refusal::WrongPassword),
        };
        if let Some(refusal) = refusal {
            self.people.set_state(request.conn, State::Nameless);
            self.out.answer_late(request, Err(refusal));
            return None;
        }
        let owner =
            owner.filter(|&owner| self.people.sessions_of(name.key()).any(|conn| conn == owner));
        Some(match owner {
            Some(owner) => Decision::TakeOver { newcomer, owner },
            None => Decision::Begin(newcomer),
        })
    }

    /// A connection that wanted a name is gone.
    pub(in crate::hub) fn end_entering(&mut self, conn: ConnId, name: UserName) {
        let key = name.key();
        if self.own.contender(key) == Some(conn) {
            self.own.contests.remove(&key);
        }
    }
}
