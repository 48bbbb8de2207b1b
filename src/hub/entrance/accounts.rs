//! Accounts: made, and given another password.
//!
//! Knows that hashing and storing take their time. The rules it keeps: what is answered with yes is
//! in the store; whatever a password ended is void before the answer says so.

use super::{Entrance, Newcomer};
use crate::facts::{LoginFact, TroubleFact};
use crate::hub::people::State;
use crate::hub::{Answer, Request, Waiting};
use crate::id::{AccountId, Now, Source};
use crate::job::{PasswordJob, PasswordOutcome, StoreJob, StoreOutcome};
use crate::limits::PENALTY_ACCOUNT;
use crate::message::{Refusal, Reply, Secret, UserName, check_password, may_be_password};

impl Entrance<'_> {
    pub(in crate::hub) fn register(
        &mut self,
        now: Now,
        request: Request,
        user: &str,
        password: Secret<'_>,
    ) -> Result<Answer, Refusal> {
        let name = UserName::parse(user).map_err(Refusal::BadUserName)?;
        if self.rules.stopping {
            return Err(Refusal::ShuttingDown);
        }
        if !self.rules.policy.registration {
            return Err(Refusal::RegistrationClosed);
        }
        check_password(&password.0)?;
        if self.people.directory.find(name.key()).is_some() {
            return Err(Refusal::NameTaken(name));
        }
        if self.people.is_named(name.key()) || self.own.registering.contains(&name.key()) {
            return Err(Refusal::NameInUse(name));
        }
        let from = self.people.source_of(request.conn);
        self.own.guard.begin_hash(now, from)?;
        // Accounts are not made by the thousand.
        self.own.guard.penalize(now, from, PENALTY_ACCOUNT);
        self.own.registering.insert(name.key());
        self.people.set_state(request.conn, State::Entering { name });
        let job = PasswordJob::Hash { password: password.0.into_owned() };
        Ok(self.out.ask_password(Waiting::Register { request, name, from }, job))
    }

    pub(in crate::hub) fn passwd(
        &mut self,
        now: Now,
        request: Request,
        old: Secret<'_>,
        new: Secret<'_>,
    ) -> Result<Answer, Refusal> {
        let user = self.people.user_of(request.conn)?;
        let account = user.account.ok_or(Refusal::NoAccount)?;
        check_password(&new.0)?;
        if !may_be_password(&old.0) {
            return Err(Refusal::WrongPassword);
        }
        let hash = self.people.directory.get(account).ok_or(Refusal::NoAccount)?.hash.clone();
        let from = self.people.source_of(request.conn);
        self.own.guard.begin(now, user.name.key(), from)?;
        let password = old.0.into_owned();
        let job = PasswordJob::Verify { password, hash: Some(hash.clone()) };
        let (name, new) = (user.name, new.0.into_owned());
        Ok(self
            .out
            .ask_password(Waiting::OldPassword { request, account, name, from, new, hash }, job))
    }

    pub(in crate::hub) fn on_register_hashed(
        &mut self,
        (request, name, from): (Request, UserName, Source),
        outcome: PasswordOutcome,
    ) {
        self.own.guard.end_hash(from);
        let hash = match outcome {
            PasswordOutcome::Hash(hash) if self.people.is_entering(request.conn) => hash,
            outcome @ (PasswordOutcome::Hash(_)
            | PasswordOutcome::Right
            | PasswordOutcome::Wrong
            | PasswordOutcome::Failed(_)) => {
                self.own.registering.remove(&name.key());
                if let PasswordOutcome::Failed(why) = outcome {
                    self.out.note(TroubleFact::HashFailed { why });
                }
                if self.people.is_entering(request.conn) {
                    self.people.set_state(request.conn, State::Nameless);
                    self.out.answer_late(request, Err(Refusal::Busy { wait_ms: 1000 }));
                }
                return;
            }
        };
        let job = StoreJob::Create { name, hash };
        self.out.submit_store(Waiting::Create { request, name }, job);
    }

    /// The store has made an account, or not. Answers with whom it is, unless they are gone.
    pub(in crate::hub) fn on_created(
        &mut self,
        request: Request,
        name: UserName,
        outcome: StoreOutcome,
    ) -> Option<Result<Newcomer, Refusal>> {
        self.own.registering.remove(&name.key());
        let answer = match outcome {
            StoreOutcome::Created(account) => {
                self.out.note(LoginFact::Registered { user: name, conn: request.conn });
                let account_id = account.id;
                self.people.directory.add(account);
                if self.rules.stopping {
                    Err(Refusal::ShuttingDown)
                } else {
                    let errand = self.is_for_errands(request);
                    Ok(Newcomer { request, name, account: Some(account_id), was: None, errand })
                }
            }
            StoreOutcome::Exists => Err(Refusal::NameTaken(name)),
            outcome @ (StoreOutcome::Done
            | StoreOutcome::NoAccount
            | StoreOutcome::Kept(_)
            | StoreOutcome::KeptBefore
            | StoreOutcome::Full
            | StoreOutcome::Letters { .. }
            | StoreOutcome::Failed(_)) => Err(self.out.store_refusal(&outcome)),
        };
        if !self.people.is_entering(request.conn) {
            return None;
        }
        self.people.set_state(request.conn, State::Nameless);
        Some(answer)
    }

    pub(in crate::hub) fn on_old_password_decided(
        &mut self,
        now: Now,
        (request, account, name, from): (Request, AccountId, UserName, Source),
        (new, hash): (String, String),
        outcome: PasswordOutcome,
    ) {
        if let Err(refusal) = self.end_try(now, name, from, outcome) {
            return self.out.answer_late(request, Err(refusal));
        }
        if self.people.directory.get(account).is_none_or(|account| account.hash != hash) {
            // The owner of the server has given it another one meanwhile.
            return self.out.answer_late(request, Err(Refusal::WrongPassword));
        }
        if let Err(refusal) = self.own.guard.begin_hash(now, from) {
            return self.out.answer_late(request, Err(refusal));
        }
        let waiting = Waiting::NewPassword { request, account, from };
        self.out.submit_password(waiting, PasswordJob::Hash { password: new });
    }

    pub(in crate::hub) fn on_new_password_hashed(
        &mut self,
        (request, account, from): (Request, AccountId, Source),
        outcome: PasswordOutcome,
    ) {
        self.own.guard.end_hash(from);
        let PasswordOutcome::Hash(hash) = outcome else {
            return self.out.answer_late(request, Err(Refusal::Busy { wait_ms: 1000 }));
        };
        let job = StoreJob::SetHash { account, hash: hash.clone() };
        self.out.submit_store(Waiting::SetHash { request, account, hash }, job);
    }

    pub(in crate::hub) fn on_hash_set(
        &mut self,
        now: Now,
        (request, account, hash): (Request, AccountId, String),
        outcome: &StoreOutcome,
    ) {
        if *outcome != StoreOutcome::Done {
            let refusal = self.out.store_refusal(outcome);
            return self.out.answer_late(request, Err(refusal));
        }
        self.people.directory.begin_epoch(account, Some(hash));
        let epoch = self.people.directory.get(account).map_or(0, |account| account.epoch);
        let Ok(user) = self.people.user_of(request.conn) else {
            // Logged out meanwhile; the password is changed all the same.
            return self
                .out
                .answer_late(request, Ok(Reply::PasswordChanged { token: String::new() }));
        };
        self.out.note(LoginFact::PasswordChanged { user: user.name });
        let token = self.own.tokens.issue(now, &user, epoch);
        self.out.answer_late(request, Ok(Reply::PasswordChanged { token }));
    }
}
