//! Sessions begin and end: what a name brings with it, and what goes with it.
//!
//! The one file that speaks to all parts, because all have something of a session: it calls them
//! and touches nothing that is theirs. The rules it keeps: whatever a session had is given back
//! with its name; a name that was given back goes to whoever waits for it.

use super::entrance::{Contest, Decision, Newcomer};
use super::people::{Mailbox, State, User};
use super::{Answer, Effect, Hub, Request, UserKey, Waiting};
use crate::facts::{ConnFact, LoginFact, TroubleFact};
use crate::id::{AccountId, ConnId, Now, RoomId, Source};
use crate::job::{StoreJob, StoreOutcome};
use crate::message::{CloseReason, Event, LogoutReason, Proof, Refusal, Reply, UserName};

impl Hub {
    /// A connection was made.
    pub(crate) fn handle_opened(&mut self, conn: ConnId, source: Source) {
        self.people.open(conn, source);
        self.pace.open(conn);
    }

    /// It is known what a connection speaks: whether its client answers a ping by itself.
    pub(crate) fn handle_greeted(&mut self, conn: ConnId, answers_pings: bool) {
        if let Some(session) = self.people.session_mut(conn) {
            session.answers_pings = answers_pings;
        }
    }

    /// A connection is over, for whatever reason: its name, its seat and its uploads are free.
    /// `missed` is how many messages of others it was not told.
    pub(crate) fn handle_gone(&mut self, now: Now, conn: ConnId, reason: CloseReason, missed: u64) {
        let Some(session) = self.people.session(conn) else { return };
        let state = session.state;
        if let State::Entering { name } = state {
            self.entrance().end_entering(conn, name);
        }
        // Whoever waited to see whether this one lives has seen it, and takes its place.
        if let Some(name) = state.name().filter(|_| reason != CloseReason::Exit) {
            self.pass_on(now, Some(name.key()));
        }
        let name = self.people.name_of(conn).ok();
        let given_back = self.end_session(now, conn, reason == CloseReason::Exit);
        self.out.note(ConnFact::Disconnected { conn, user: name, reason, missed });
        self.people.close(conn);
        self.pass_on(now, given_back);
    }

    /// Something was heard of a connection that had been asked whether it lives.
    pub(crate) fn handle_heard(&mut self, conn: ConnId) {
        if let Ok(user) = self.people.user_of(conn) {
            self.entrance().refuse_contest(user.name.key());
        }
    }

    pub(super) fn login(
        &mut self,
        now: Now,
        request: Request,
        user: &str,
        proof: Proof<'_>,
    ) -> Result<Answer, Refusal> {
        let decision = self.entrance().login(now, request, user, proof)?;
        Ok(self.let_in(now, decision))
    }

    /// A password was right, or not; nothing if whoever gave it is gone.
    pub(super) fn let_in_late(
        &mut self,
        now: Now,
        request: Request,
        shown: Option<Result<Newcomer, Refusal>>,
    ) {
        let Some(shown) = shown else { return };
        self.answer_first(request, |hub| {
            let decision = hub.entrance().enter(now, shown?, false)?;
            Ok(hub.let_in(now, decision))
        });
    }

    /// An account was made, or not; nothing if whoever wanted it is gone.
    pub(super) fn let_in_registered(
        &mut self,
        now: Now,
        request: Request,
        made: Option<Result<Newcomer, Refusal>>,
    ) {
        let Some(made) = made else { return };
        self.answer_first(request, |hub| Ok(hub.let_in(now, Decision::Begin(made?))));
    }

    fn let_in(&mut self, now: Now, decision: Decision) -> Answer {
        match decision {
            Decision::Begin(newcomer) => Answer::Now(self.begin_session(now, newcomer, None)),
            Decision::TakeOver { newcomer, owner } => {
                Answer::Now(self.take_over(now, newcomer, owner))
            }
            Decision::Later => Answer::Later,
        }
    }

    /// Does what a request that had to wait asks for, and answers it before whatever that causes;
    /// not yet, if it has to wait once more.
    fn answer_first(
        &mut self,
        request: Request,
        act: impl FnOnce(&mut Self) -> Result<Answer, Refusal>,
    ) {
        let place = self.out.place();
        let answer = act(self);
        self.out.answer_at(place, request, answer);
    }

    /// The owner of a name gives way: the newcomer has its name and its room. Whoever waits for
    /// the owner's death waits for that of somebody who is gone, and the next one lives.
    fn take_over(&mut self, now: Now, newcomer: Newcomer, owner: ConnId) -> Reply {
        // A guest is called as the room knows the name; an account as it was registered.
        let name = self.people.name_of(owner).unwrap_or(newcomer.name);
        let newcomer = Newcomer { name, ..newcomer };
        self.entrance().refuse_contest(name.key());
        self.files().end_session(now, owner, false);
        let seat = match self.people.session(owner).map(|session| session.state) {
            Some(State::InRoom { room, seat, .. }) => Some((room, seat)),
            _ => None,
        };
        if let Some((room, seat)) = seat {
            self.rooms.reseat(room, seat, newcomer.request.conn);
        }
        self.people.set_state(owner, State::Nameless);
        self.out.push(Effect::Close { conn: owner, reason: CloseReason::TakenOver });
        self.out.note(LoginFact::TakenOver { user: name, conn: newcomer.request.conn, owner });
        self.begin_session(now, newcomer, seat)
    }

    /// The connection has the name from now on.
    fn begin_session(
        &mut self,
        now: Now,
        newcomer: Newcomer,
        seat: Option<(RoomId, usize)>,
    ) -> Reply {
        let Newcomer { request: Request { conn, .. }, name, account, was } = newcomer;
        let stored = account.and_then(|account| self.people.directory.get(account));
        let (name, epoch) = stored.map_or((name, 0), |account| (account.name, account.epoch));
        let (serial, letters) = (self.people.next_serial(now), Mailbox::default());
        let user = User { name, account, serial, letters };
        let token = self.entrance.issue(now, &user, epoch);
        let known = self.people.name(conn, user);
        self.out.push(Effect::Named { conn, named: true });
        let room = seat.and_then(|(room, seat)| {
            self.people.set_state(conn, State::InRoom { user, room, seat });
            self.rooms.get(room).map(|room| room.name)
        });
        if !known {
            self.out.note(LoginFact::LoggedIn { user: name, conn });
            self.tell_presence(conn, name, Event::Online { user: name, at: now.wall_ms });
        }
        self.people.note_seen(now, name);
        if let Some(was) = was.filter(|_| account.is_none()) {
            self.files.rebind(was, user.serial);
        }
        self.post().ask_letters(conn);
        self.files().offer_kept(conn);
        Reply::Welcome { user: name, guest: account.is_none(), token, room }
    }

    /// Ends contests whose owner gave no sign of life.
    pub(super) fn end_contests(&mut self, now: Now) {
        while let Some(contest) = self.entrance.take_overdue(now) {
            self.win(now, contest);
        }
    }

    fn win(&mut self, now: Now, contest: Contest) {
        let request = contest.newcomer.request;
        if let Some(decision) = self.entrance().decide(contest) {
            self.answer_first(request, |hub| Ok(hub.let_in(now, decision)));
        }
    }

    /// A name that was given back goes to the one who has been waiting for it.
    fn pass_on(&mut self, now: Now, given_back: Option<UserKey>) {
        if let Some(contest) = given_back.and_then(|key| self.entrance.take_contest(key)) {
            self.win(now, contest);
        }
    }

    /// Gives the name back. Tokens of an account are void before the answer says so.
    pub(super) fn logout(&mut self, now: Now, request: Request) -> Result<Answer, Refusal> {
        let user = self.people.user_of(request.conn)?;
        if let Some(account) = user.account {
            let job = StoreJob::Revoke { account };
            return self.out.ask_store(Waiting::Logout { request, account }, job);
        }
        self.leave_name(now, request.conn);
        Ok(Answer::Now(Reply::LoggedOut))
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
            self.out.note(TroubleFact::TokensVoid { why: why.clone() });
        } else {
            self.people.directory.begin_epoch(account, None);
        }
        self.people.directory.void_tokens(account, self.people.last_serial());
        self.answer_first(request, |hub| {
            hub.leave_name(now, request.conn);
            Ok(Answer::Now(Reply::LoggedOut))
        });
    }

    /// Logs somebody out who has not asked for it; the connection stays.
    pub(crate) fn log_out(&mut self, now: Now, conn: ConnId, reason: LogoutReason) {
        let Ok(user) = self.people.user_of(conn) else { return };
        self.out.note(LoginFact::LoggedOut { user: user.name, conn, reason });
        let given_back = self.end_session(now, conn, true);
        self.out.tell(conn, Event::LoggedOut { reason });
        self.pass_on(now, given_back);
    }

    /// Somebody gives their name back because they want to.
    fn leave_name(&mut self, now: Now, conn: ConnId) {
        let Ok(user) = self.people.user_of(conn) else { return };
        self.out.note(LoginFact::NameGivenBack { user: user.name, conn });
        let given_back = self.end_session(now, conn, true);
        self.pass_on(now, given_back);
    }

    /// Takes name, room and uploads from a connection, and tells the others. `for_good`: because
    /// that was wanted, not because the connection was lost. The name is to be
    /// passed on ([`Self::pass_on`]) when the log has been told all about its owner.
    fn end_session(&mut self, now: Now, conn: ConnId, for_good: bool) -> Option<UserKey> {
        let user = self.people.user_of(conn).ok()?;
        let key = user.name.key();
        self.files().end_session(now, conn, for_good);
        self.talk().leave_room(now, conn);
        self.people.unname(conn, key);
        self.out.push(Effect::Named { conn, named: false });
        self.people.note_seen(now, user.name);
        if !self.rules.stopping {
            let event = Event::Offline { user: user.name, at: now.wall_ms };
            // Who is next is here before the others are told, and need not hear it.
            let next = self.entrance.contender(key);
            self.tell_presence(next.unwrap_or(conn), user.name, event);
        }
        if user.account.is_none() && self.people.directory.find(key).is_none() {
            self.people.directory.forget_blocks(key);
        }
        Some(key)
    }

    /// Tells everybody that somebody came or went, unless so many are here that it would be noise.
    fn tell_presence(&mut self, conn: ConnId, user: UserName, event: Event) {
        if self.people.count() as u64 <= self.rules.limits.presence_users {
            let except = self.people.apart_from(user);
            self.out.push(Effect::TellAll { by: conn, except, event });
        }
    }

    /// Another process has changed the accounts: those who lost theirs, and guests whose name is
    /// now somebody's, are logged out.
    pub(crate) fn handle_directory(&mut self, now: Now, stored: crate::job::Directory) {
        self.people.directory.follow(stored);
        let online: Vec<ConnId> = self.people.online().collect();
        for conn in online {
            let Ok(user) = self.people.user_of(conn) else { continue };
            let account = self.people.directory.find(user.name.key()).map(|account| account.id);
            match (user.account, account) {
                (None, Some(_)) => self.log_out(now, conn, LogoutReason::Registered),
                (Some(own), account) if account != Some(own) => {
                    self.log_out(now, conn, LogoutReason::Removed);
                }
                _ => {}
            }
        }
    }
}
