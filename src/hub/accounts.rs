//! Accounts: made, given another password, logged out of, changed from outside.
//!
//! Knows that hashing and storing take their time: what goes on afterwards is in `Hub::waiting`.
//! The rules it keeps: what is answered with yes is in the store; whatever a password or a logout
//! ended is void before the answer says so; and what the store says of accounts is true here at
//! once, whoever is logged in.

use super::login::Newcomer;
use super::{Answer, Hub, Request, State, UserKey, Waiting};
use crate::facts::{LoginFact, TroubleFact};
use crate::id::{AccountId, ConnId, Now, Source};
use crate::job::{PasswordJob, PasswordOutcome, StoreJob, StoreOutcome};
use crate::limits::PENALTY_ACCOUNT;
use crate::message::{
    LogoutReason, Refusal, Reply, Secret, UserName, check_password, may_be_password,
};

impl Hub {
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
        // Accounts are not made by the thousand.
        self.guard.penalize(now, from, PENALTY_ACCOUNT);
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
        if !may_be_password(&old.0) {
            return Err(Refusal::WrongPassword);
        }
        let hash = self.directory.get(account).ok_or(Refusal::NoAccount)?.hash.clone();
        let from = self.source_of(request.conn);
        self.guard.begin(now, user.name.key(), from)?;
        let password = old.0.into_owned();
        let job = PasswordJob::Verify { password, hash: Some(hash.clone()) };
        let (name, new) = (user.name, new.0.into_owned());
        self.ask_password(Waiting::OldPassword { request, account, name, from, new, hash }, job)
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
            self.note(TroubleFact::TokensVoid { why: why.clone() });
        } else {
            self.directory.begin_epoch(account, None);
        }
        self.directory.void_tokens(account, self.next_serial);
        self.answer_first(request, |hub| {
            hub.leave_name(now, request.conn);
            Ok(Some(Reply::LoggedOut))
        });
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
                    self.note(TroubleFact::HashFailed { why });
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
                self.note(LoginFact::Registered { user: name, conn: request.conn });
                let account_id = account.id;
                self.directory.add(account);
                if self.stopping {
                    Err(Refusal::ShuttingDown)
                } else {
                    Ok(Newcomer { request, name, account: Some(account_id), was: None })
                }
            }
            StoreOutcome::Exists => Err(Refusal::NameTaken(name)),
            outcome => Err(self.store_refusal(&outcome)),
        };
        if !self.is_entering(request.conn) {
            return;
        }
        self.set_state(request.conn, State::Nameless);
        self.answer_first(request, |hub| Ok(Some(hub.begin_session(now, answer?, None))));
    }

    pub(super) fn on_old_password_decided(
        &mut self,
        now: Now,
        (request, account, name, from): (Request, AccountId, UserName, Source),
        (new, hash): (String, String),
        outcome: PasswordOutcome,
    ) {
        if let Err(refusal) = self.end_try(now, name, from, outcome) {
            return self.answer_late(request, Err(refusal));
        }
        if self.directory.get(account).is_none_or(|account| account.hash != hash) {
            // The owner of the server has given it another one meanwhile.
            return self.answer_late(request, Err(Refusal::WrongPassword));
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
        let Ok(user) = self.user_of(request.conn) else {
            // Logged out meanwhile; the password is changed all the same.
            return self.answer_late(request, Ok(Reply::PasswordChanged { token: String::new() }));
        };
        self.note(LoginFact::PasswordChanged { user: user.name });
        let token = self.tokens.issue(now, &user, epoch);
        self.answer_late(request, Ok(Reply::PasswordChanged { token }));
    }

    /// Another process has changed the accounts: those who lost theirs, and guests whose name is
    /// now somebody's, are logged out.
    pub fn handle_directory(&mut self, now: Now, stored: crate::job::Directory) {
        for account in &stored.accounts {
            if self.directory.find(account.name.key()).is_none() {
                // Those of a guest of that name end here, before they are taken for the account's.
                self.directory.forget_blocks(account.name.key());
            }
        }
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

    /// Whether a name is wanted or held by nobody but the one given, for the invariants.
    pub(super) fn is_registering(&self, key: UserKey) -> bool {
        self.registering.contains(&key)
    }
}
