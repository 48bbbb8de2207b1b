//! Names that have an owner and are wanted by somebody else.
//!
//! The rule it keeps (invariant 11): a name changes hands only when the owner is gone, was asked
//! and gave no sign of life in [`TAKEOVER_WAIT`], or when the newcomer holds the owner's token.

use super::{Decision, Entrance, Newcomer};
use crate::facts::LoginFact;
use crate::hub::people::State;
use crate::hub::{Effect, UserKey};
use crate::id::{ConnId, Now};
use crate::limits::TAKEOVER_WAIT;
use crate::message::{Refusal, UserName};

/// A name that has an owner and somebody else who may have it if the owner is dead.
#[derive(Clone, Copy, Debug)]
pub(in crate::hub) struct Contest {
    pub(in crate::hub) owner: ConnId,
    pub(in crate::hub) newcomer: Newcomer,
    pub(in crate::hub) until_ms: u64,
}

impl Entrance<'_> {
    /// Gives a name to whom it belongs; if it has an owner, only after they were asked, or
    /// `at_once`.
    pub(in crate::hub) fn enter(
        &mut self,
        now: Now,
        newcomer: Newcomer,
        at_once: bool,
    ) -> Result<Decision, Refusal> {
        let Newcomer { request, name, account, .. } = newcomer;
        let in_use = Err(Refusal::NameInUse(name));
        if self.own.registering.contains(&name.key()) {
            return in_use;
        }
        let Some(owner) = self.people.session_of(name.key()) else {
            return Ok(Decision::Begin(newcomer));
        };
        if at_once {
            return Ok(Decision::TakeOver { newcomer, owner });
        }
        // Somebody with netcat cannot answer in time, so only a password is stronger than they are.
        let askable = account.is_some() || self.people.answers_pings(owner);
        if !askable || self.own.contests.contains_key(&name.key()) {
            self.out.note(LoginFact::NameInUse { conn: request.conn, user: name });
            return in_use;
        }
        self.people.set_state(request.conn, State::Entering { name });
        let until_ms = now.after(TAKEOVER_WAIT);
        self.own.contests.insert(name.key(), Contest { owner, newcomer, until_ms });
        self.out.push(Effect::Probe { conn: owner });
        Ok(Decision::Later)
    }

    /// The owner of a name lives: whoever waits for it does not get it.
    pub(in crate::hub) fn refuse_contest(&mut self, key: UserKey) {
        let Some(contest) = self.own.contests.remove(&key) else { return };
        let Newcomer { request, name, .. } = contest.newcomer;
        self.people.set_state(request.conn, State::Nameless);
        self.out.note(LoginFact::NameInUse { conn: request.conn, user: name });
        self.out.answer_late(request, Err(Refusal::NameInUse(name)));
    }

    /// The newcomer of a contest gets the name, from a dead owner or from one who is gone; unless
    /// the name has become an account, or that account is gone, since they asked.
    pub(in crate::hub) fn decide(&mut self, contest: Contest) -> Option<Decision> {
        let Contest { owner, newcomer, .. } = contest;
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
        let owned = self.people.session_of(name.key()) == Some(owner);
        Some(if owned { Decision::TakeOver { newcomer, owner } } else { Decision::Begin(newcomer) })
    }

    /// A connection that wanted a name is gone.
    pub(in crate::hub) fn end_entering(&mut self, conn: ConnId, name: UserName) {
        let key = name.key();
        if self.own.contender(key) == Some(conn) {
            self.own.contests.remove(&key);
        }
    }
}
