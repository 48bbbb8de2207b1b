//! Logins: with a password, with a token, with nothing.
//!
//! Knows that hashing takes its time: a login that waits for it is kept under its ticket, and its
//! connection is `Entering`. The rule it keeps: a user who is refused stays where they were.

use super::{Decision, Entrance, Newcomer};
use crate::facts::{LoginFact, TroubleFact};
use crate::hub::people::{Claim, Session, State, User};
use crate::hub::{Request, UserKey, Waiting};
use crate::id::{ConnId, Now, Source};
use crate::job::{Account, PasswordJob, PasswordOutcome};
use crate::message::{Proof, Refusal, Secret, UserName, may_be_password};

impl Entrance<'_> {
    pub(in crate::hub) fn login(
        &mut self,
        now: Now,
        request: Request,
        user: &str,
        proof: Proof<'_>,
    ) -> Result<Decision, Refusal> {
        let name = UserName::parse(user).map_err(Refusal::BadUserName)?;
        if self.rules.stopping {
            return Err(Refusal::ShuttingDown);
        }
        let account = self.people.directory.find(name.key()).cloned();
        match proof {
            Proof::None if account.is_some() || !self.rules.policy.guests => {
                Err(Refusal::PasswordNeeded(name))
            }
            Proof::None => {
                let errand = self.is_for_errands(request);
                let newcomer = Newcomer { request, name, account: None, was: None, errand };
                self.enter_or_wait(now, newcomer, None)
            }
            Proof::Token(Secret(token)) => self.resume(now, request, name, account, &token),
            Proof::Password(Secret(password)) => {
                if !may_be_password(&password) {
                    return Err(Refusal::WrongPassword);
                }
                let from = self.people.source_of(request.conn);
                self.own.guard.begin(now, name.key(), from)?;
                let hash = account.as_ref().map(|account| account.hash.clone());
                let job = PasswordJob::Verify { password: password.into_owned(), hash };
                self.people.set_state(request.conn, State::Entering { name });
                self.out.ask_password(Waiting::Login { request, account, name, from }, job);
                Ok(Decision::Later)
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
    ) -> Result<Decision, Refusal> {
        let claim = self.own.tokens.check(now, name, token).ok_or(Refusal::WrongPassword)?;
        let known = account.as_ref().map(|account| (account.id, account.epoch));
        if known != claim.account.map(|account| (account, claim.epoch)) {
            return Err(Refusal::WrongPassword);
        }
        if let Some((id, _)) = known {
            if self.people.directory.is_void(id, &claim) {
                return Err(Refusal::WrongPassword);
            }
        } else if !self.rules.policy.guests {
            return Err(Refusal::PasswordNeeded(name));
        }
        let account = known.map(|(id, _)| id);
        let was = Some(if account.is_some() { claim.origin } else { claim.serial });
        let errand = self.is_for_errands(request);
        let own = self.find_own(name.key(), &claim, errand);
        self.enter_or_wait(now, Newcomer { request, name, account, was, errand }, own)
    }

    /// The session that a token is of. Where an account has one session, it stands for any of its
    /// tokens.
    fn find_own(&self, key: UserKey, claim: &Claim, errand: bool) -> Option<ConnId> {
        if claim.account.is_some() && self.rules.limits.accounts_sessions == 1 {
            return self.people.session_of(key);
        }
        let is_own = |user: User| match claim.account {
            Some(_) => user.origin == claim.origin,
            None => user.serial == claim.serial,
        };
        let is_own = |&conn: &ConnId| self.people.user_of(conn).is_ok_and(is_own);
        let own = self.people.sessions_of(key).find(is_own);
        own.or_else(|| self.people.errands_of(key).filter(|_| errand).find(is_own))
    }

    pub(super) fn is_for_errands(&self, request: Request) -> bool {
        self.people.session(request.conn).is_some_and(Session::is_for_errands)
    }

    /// Enters, for a request that has not had to wait before.
    fn enter_or_wait(
        &mut self,
        now: Now,
        newcomer: Newcomer,
        own: Option<ConnId>,
    ) -> Result<Decision, Refusal> {
        let decision = self.enter(now, newcomer, own)?;
        if let Decision::Later = decision {
            self.out.wait(newcomer.request);
        }
        Ok(decision)
    }

    /// The password of a login was compared. Answers with who has shown to be whom, unless they
    /// are gone.
    pub(in crate::hub) fn on_login_decided(
        &mut self,
        now: Now,
        (request, account, name, from): (Request, Option<Account>, UserName, Source),
        outcome: PasswordOutcome,
    ) -> Option<Result<Newcomer, Refusal>> {
        let key = name.key();
        let answer = self.end_try(now, name, from, outcome);
        if let Err(Refusal::WrongPassword | Refusal::LockedOut { .. }) = answer {
            self.out.note(LoginFact::WrongPassword { conn: request.conn, user: name });
        }
        if !self.people.is_entering(request.conn) {
            return None;
        }
        self.people.set_state(request.conn, State::Nameless);
        // Meanwhile the account may have been removed, or given another password.
        let proven = account.map(|account| (account.id, account.hash));
        let known = self.people.directory.find(key);
        let known = known.map(|account| (account.id, account.hash.clone()));
        Some(answer.and_then(|()| match known {
            _ if self.rules.stopping => Err(Refusal::ShuttingDown),
            Some((id, _)) if known == proven => {
                let errand = self.is_for_errands(request);
                Ok(Newcomer { request, name, account: Some(id), was: None, errand })
            }
            _ => Err(Refusal::WrongPassword),
        }))
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
                self.own.guard.right(key, from);
                Ok(())
            }
            PasswordOutcome::Wrong | PasswordOutcome::Hash(_) => {
                Err(match self.own.guard.wrong(now, key, from) {
                    Some(wait_ms) => Refusal::LockedOut { wait_ms },
                    None => Refusal::WrongPassword,
                })
            }
            PasswordOutcome::Failed(why) => {
                self.own.guard.undecided(key, from);
                self.out.note(TroubleFact::CheckFailed { why });
                Err(Refusal::Busy { wait_ms: 1000 })
            }
        }
    }
}
