//! Sessions end: what goes with a name, and what a user ends of their own.
//!
//! With `arrivals.rs` the one file that speaks to all parts. The rules it keeps: whatever a session
//! had is given back with it; what a logout voids is void before its answer says so.

use super::{Answer, Effect, Hub, Request, UserKey, Waiting};
use crate::facts::{LoginFact, TroubleFact};
use crate::id::{AccountId, ConnId, Now};
use crate::job::{StoreJob, StoreOutcome, Voided};
use crate::limits::VOIDED_A_USER;
use crate::message::{CloseReason, Event, LogoutReason, Refusal, Reply};

impl Hub {
    /// Gives the name back, in one session or in `all`. Tokens of an account are void before the
    /// answer says so.
    pub(super) fn logout(
        &mut self,
        now: Now,
        request: Request,
        all: bool,
    ) -> Result<Answer, Refusal> {
        let user = self.people.user_of(request.conn)?;
        let Some(account) = user.account else {
            if all {
                self.log_out_others(now, user.name.key(), request.conn, LogoutReason::Everywhere);
            }
            self.leave_name(now, request.conn);
            return Ok(Answer::Now(Reply::LoggedOut));
        };
        let one = self.rules.limits.accounts_sessions == 1 && !self.people.is_errand(request.conn);
        if all || one {
            let waiting = Waiting::Logout { request, account, all };
            return self.out.ask_store(waiting, StoreJob::Revoke { account });
        }
        let of = Voided { account, origin: user.origin, at_ms: now.wall_ms };
        self.void_session(request, request.conn, of)
    }

    /// Ends another session of the same user, and voids its tokens.
    pub(super) fn end_other(
        &mut self,
        now: Now,
        request: Request,
        session: u32,
    ) -> Result<Answer, Refusal> {
        let conn = self.people.find_other(request.conn, session)?;
        let user = self.people.user_of(conn)?;
        let Some(account) = user.account else {
            // What ends a guest's own session is a logout, so this is an errand or asks as one.
            self.out.push(Effect::Close { conn, reason: CloseReason::EndedElsewhere });
            return Ok(Answer::Now(Reply::Done));
        };
        let of = Voided { account, origin: user.origin, at_ms: now.wall_ms };
        self.void_session(request, conn, of)
    }

    /// Has the store void the tokens of a session; of more than it remembers, all of the account's.
    fn void_session(
        &mut self,
        request: Request,
        conn: ConnId,
        of: Voided,
    ) -> Result<Answer, Refusal> {
        let all = self.people.directory.voided_of(of.account) >= VOIDED_A_USER;
        let job = match all {
            true => StoreJob::Revoke { account: of.account },
            false => StoreJob::Void(of),
        };
        self.out.ask_store(Waiting::Void { request, conn, of, all }, job)
    }

    /// The store has voided the tokens of an account, or could not.
    fn void_all(&mut self, account: AccountId, outcome: &StoreOutcome) {
        if let StoreOutcome::Failed(why) = outcome {
            self.out.note(TroubleFact::TokensVoid { why: why.clone() });
        } else {
            self.people.directory.begin_epoch(account, None);
        }
        self.people.directory.void_tokens(account, self.people.last_serial());
    }

    /// The store has voided all tokens for a logout, or could not.
    pub(super) fn on_revoked(
        &mut self,
        now: Now,
        (request, account): (Request, AccountId),
        all: bool,
        outcome: &StoreOutcome,
    ) {
        self.void_all(account, outcome);
        self.answer_first(request, |hub| {
            let name = hub.people.directory.get(account).map(|account| account.name);
            if let Some(name) = name.filter(|_| all) {
                hub.log_out_others(now, name.key(), request.conn, LogoutReason::Everywhere);
            }
            hub.leave_name(now, request.conn);
            Ok(Answer::Now(Reply::LoggedOut))
        });
    }

    /// The store has voided the tokens of one session, or could not: it ends.
    pub(super) fn on_voided(
        &mut self,
        now: Now,
        (request, conn): (Request, ConnId),
        (of, all): (Voided, bool),
        outcome: &StoreOutcome,
    ) {
        if all {
            self.void_all(of.account, outcome);
        } else {
            if let StoreOutcome::Failed(why) = outcome {
                self.out.note(TroubleFact::TokensVoid { why: why.clone() });
            }
            self.people.directory.void_session(of.account, of.origin, of.at_ms);
        }
        self.answer_first(request, |hub| {
            if conn == request.conn {
                hub.leave_name(now, conn);
                return Ok(Answer::Now(Reply::LoggedOut));
            }
            let user = hub.people.user_of(conn).ok();
            // Its connection may have logged in anew since.
            if user.is_some_and(|u| u.account == Some(of.account) && u.origin == of.origin) {
                hub.out.push(Effect::Close { conn, reason: CloseReason::EndedElsewhere });
            }
            Ok(Answer::Now(Reply::Done))
        });
    }

    /// Logs out the sessions that the old password had let in, but for the one that changed it.
    pub(super) fn on_password_changed(&mut self, now: Now, asker: ConnId, account: AccountId) {
        let Some(user) = self.people.directory.get(account).map(|account| account.name) else {
            return;
        };
        // Where a user has one session, the user who is online now came in the place of the asker.
        let is_here = self.people.user_of(asker).is_ok_and(|user| user.account == Some(account));
        if is_here || self.rules.limits.accounts_sessions > 1 {
            self.log_out_others(now, user.key(), asker, LogoutReason::PasswordChanged);
        }
    }

    /// Logs out all sessions of a user but one.
    pub(super) fn log_out_others(
        &mut self,
        now: Now,
        user: UserKey,
        but: ConnId,
        reason: LogoutReason,
    ) {
        let others: Vec<_> = self.people.all_of(user).filter(|&conn| conn != but).collect();
        for conn in others {
            self.log_out(now, conn, reason);
        }
    }

    /// Logs a user out who has not asked for it; the connection stays.
    pub(crate) fn log_out(&mut self, now: Now, conn: ConnId, reason: LogoutReason) {
        let Ok(user) = self.people.user_of(conn) else { return };
        self.out.note(LoginFact::LoggedOut { user: user.name, conn, reason });
        let given_back = self.end_session(now, conn, true);
        self.out.tell(conn, Event::LoggedOut { reason });
        self.pass_on(now, given_back, None);
    }

    /// A user gives their name back because they want to.
    fn leave_name(&mut self, now: Now, conn: ConnId) {
        let Ok(user) = self.people.user_of(conn) else { return };
        self.out.note(LoginFact::NameGivenBack { user: user.name, conn });
        let given_back = self.end_session(now, conn, true);
        self.pass_on(now, given_back, None);
    }

    /// The name of a guest is perhaps another user's from now on: their errands end, and nobody
    /// gets answers that were theirs.
    pub(super) fn end_guest(&mut self, user: UserKey) {
        for conn in self.people.errands_of(user) {
            self.out.push(Effect::Close { conn, reason: CloseReason::TakenOver });
        }
        self.sent.forget(user);
    }

    /// Takes name, rooms and uploads from a connection, and tells the others if it was the last
    /// session of its user. `for_good`: because that was wanted, not because the connection was
    /// lost. The place is to be passed on ([`Self::pass_on`]) when the log has been told all about
    /// its owner.
    pub(super) fn end_session(
        &mut self,
        now: Now,
        conn: ConnId,
        for_good: bool,
    ) -> Option<UserKey> {
        let user = self.people.user_of(conn).ok()?;
        let key = user.name.key();
        let is_errand = self.people.is_errand(conn);
        self.files().end_session(now, conn, for_good);
        self.talk().leave_rooms(now, conn);
        self.people.unname(conn, key);
        self.out.push(Effect::Named { conn, named: false });
        if !is_errand {
            self.people.note_seen(now, user.name);
        }
        if !is_errand && !self.people.is_online(key) && !self.rules.stopping {
            let event = Event::Offline { user: user.name, at: now.wall_ms };
            // Who is next is here before the others are told, and need not hear it.
            let next = self.entrance.contender(key);
            self.tell_presence(next.unwrap_or(conn), user.name, event);
        }
        let is_guest = user.account.is_none() && self.people.directory.find(key).is_none();
        if is_guest && !self.people.is_named(key) {
            self.people.directory.forget_blocks(key);
            self.sent.forget(key);
        }
        (!is_errand).then_some(key)
    }

    /// Another process has changed the accounts: those who lost theirs, and guests whose name is
    /// now a user's, are logged out.
    pub(crate) fn handle_directory(&mut self, now: Now, stored: crate::job::Directory) {
        self.people.directory.follow(stored);
        let named: Vec<ConnId> = self.people.named().collect();
        for conn in named {
            let Ok(user) = self.people.user_of(conn) else { continue };
            let account = self.people.directory.find(user.name.key()).map(|account| account.id);
            match (user.account, account) {
                (None, Some(_)) => self.log_out(now, conn, LogoutReason::Registered),
                (Some(own), account) if account != Some(own) => {
                    self.sent.forget(user.name.key());
                    self.log_out(now, conn, LogoutReason::Removed);
                }
                _ => {}
            }
        }
    }
}
