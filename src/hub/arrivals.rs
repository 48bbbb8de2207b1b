//! Sessions begin: what a name brings with it.
//!
//! With `departures.rs` the one file that speaks to all parts, because all have something of a
//! session: it calls them and touches nothing that is theirs. The rule it keeps: a place among the
//! sessions of a user that is free goes to the user who waits for it.

use super::entrance::{Decision, Newcomer};
use super::people::{Mailbox, Session, State, User};
use super::{Answer, Effect, Hub, Request, UserKey};
use crate::facts::{ConnFact, LoginFact};
use crate::id::{ConnId, Now, Source};
use crate::message::{CloseReason, Event, Proof, Refusal, Reply, UserName};

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
        let for_good = matches!(reason, CloseReason::Exit | CloseReason::EndedElsewhere);
        // The user who waited to see whether this one lives has seen it, and takes its place.
        let place = state.name().filter(|_| !for_good && !state.is_errand());
        self.pass_on(now, place.map(|name| name.key()), Some(conn));
        let name = self.people.name_of(conn).ok();
        let given_back = self.end_session(now, conn, for_good);
        self.out.note(ConnFact::Disconnected { conn, user: name, reason, missed });
        self.people.close(conn);
        self.pass_on(now, given_back, None);
    }

    /// Something was heard of a connection that had been asked whether it lives.
    pub(crate) fn handle_heard(&mut self, conn: ConnId) {
        if let Ok(user) = self.people.user_of(conn) {
            self.entrance().note_alive(user.name.key(), conn);
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

    /// A password was right, or not; nothing if the user who gave it is gone.
    pub(super) fn let_in_late(
        &mut self,
        now: Now,
        request: Request,
        shown: Option<Result<Newcomer, Refusal>>,
    ) {
        let Some(shown) = shown else { return };
        self.answer_first(request, |hub| {
            let decision = hub.entrance().enter(now, shown?, None)?;
            Ok(hub.let_in(now, decision))
        });
    }

    /// An account was made, or not; nothing if the user who wanted it is gone.
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
            Decision::Begin(newcomer) => Answer::Now(self.begin_session(now, newcomer)),
            Decision::TakeOver { newcomer, owner } => {
                Answer::Now(self.take_over(now, newcomer, owner))
            }
            Decision::Later => Answer::Later,
        }
    }

    /// Does what a request that had to wait asks for, and answers it before whatever that causes;
    /// not yet, if it has to wait once more.
    pub(super) fn answer_first(
        &mut self,
        request: Request,
        act: impl FnOnce(&mut Self) -> Result<Answer, Refusal>,
    ) {
        let place = self.out.place();
        let answer = act(self);
        self.out.answer_at(place, request, answer);
    }

    /// A session gives way: the newcomer has its name, its rooms and its place among the sessions
    /// of its user. The user who waits for the death of that one waits for a user who has left, and
    /// the next one lives.
    fn take_over(&mut self, now: Now, newcomer: Newcomer, owner: ConnId) -> Reply {
        let Ok(before) = self.people.user_of(owner) else {
            return self.begin_session(now, newcomer);
        };
        // A guest is called as the room knows the name; an account as it was registered.
        let newcomer = Newcomer { name: before.name, ..newcomer };
        let conn = newcomer.request.conn;
        self.entrance().note_alive(before.name.key(), owner);
        self.files().end_session(now, owner, false);
        let seats = self.people.seats(owner);
        let mut user = self.new_user(now, &newcomer);
        if user.origin == before.origin {
            user.since_ms = before.since_ms;
        }
        self.people.rename(owner, conn, user);
        for seat in seats {
            self.rooms.reseat(seat, conn);
            self.people.add_seat(conn, seat);
        }
        if before.account.is_none() && newcomer.was != Some(before.serial) {
            self.end_guest(before.name.key());
        }
        self.out.push(Effect::Close { conn: owner, reason: CloseReason::TakenOver });
        self.out.note(LoginFact::TakenOver { user: before.name, conn, owner });
        self.out.push(Effect::Named { conn, named: true });
        self.settle(now, &newcomer, user)
    }

    /// A session more.
    fn begin_session(&mut self, now: Now, newcomer: Newcomer) -> Reply {
        let conn = newcomer.request.conn;
        let user = self.new_user(now, &newcomer);
        let name = user.name;
        if newcomer.errand {
            self.people.name_errand(conn, user);
            self.out.push(Effect::Named { conn, named: true });
            self.out.note(LoginFact::LoggedIn { user: name, conn });
            return self.welcome(now, conn, &user);
        }
        let is_first = !self.people.is_online(name.key());
        self.people.name(conn, user);
        self.out.push(Effect::Named { conn, named: true });
        self.out.note(LoginFact::LoggedIn { user: name, conn });
        if is_first {
            self.tell_presence(conn, name, Event::Online { user: name, at: now.wall_ms });
        }
        self.settle(now, &newcomer, user)
    }

    /// A user as they are from now on.
    fn new_user(&mut self, now: Now, newcomer: &Newcomer) -> User {
        let Newcomer { name, account, was, errand, .. } = *newcomer;
        let stored = account.and_then(|account| self.people.directory.get(account));
        let name = stored.map_or(name, |account| account.name);
        let next = self.people.next_serial(now);
        // Errands of a guest are known as that guest; others are known by themselves.
        let serial = if errand && account.is_none() { was.unwrap_or(next) } else { next };
        let several = account.is_some() && self.rules.limits.accounts_sessions > 1;
        let origin = was.filter(|_| several && !errand).unwrap_or(serial);
        let (since_ms, letters) = (now.wall_ms, Mailbox::default());
        User { name, account, serial, origin, since_ms, letters }
    }

    /// What comes with a visible session.
    fn settle(&mut self, now: Now, newcomer: &Newcomer, user: User) -> Reply {
        let conn = newcomer.request.conn;
        self.people.note_seen(now, user.name);
        if let Some(was) = newcomer.was.filter(|_| user.account.is_none()) {
            self.files.rebind(was, user.serial);
            self.people.rebind_errands(user.name.key(), was, user.serial);
        }
        self.post().ask_letters(conn);
        self.files().offer_kept(conn);
        self.welcome(now, conn, &user)
    }

    fn welcome(&self, now: Now, conn: ConnId, user: &User) -> Reply {
        let stored = user.account.and_then(|account| self.people.directory.get(account));
        let epoch = stored.map_or(0, |account| account.epoch);
        let token = self.entrance.issue(now, user, epoch);
        let mut rooms = self.rooms.names_of(&self.people, conn);
        let room = rooms.first().copied();
        let asked = self.people.session(conn).is_some_and(Session::hears_own);
        if !asked || rooms.len() < 2 {
            rooms.clear();
        }
        Reply::Welcome { user: user.name, guest: user.account.is_none(), token, room, rooms }
    }

    /// Ends contests whose owner gave no sign of life.
    pub(super) fn end_contests(&mut self, now: Now) {
        while let Some(contest) = self.entrance.take_overdue(now) {
            self.win(now, contest.newcomer, contest.owners.first().copied());
        }
    }

    fn win(&mut self, now: Now, newcomer: Newcomer, owner: Option<ConnId>) {
        if let Some(decision) = self.entrance().decide(newcomer, owner) {
            self.answer_first(newcomer.request, |hub| Ok(hub.let_in(now, decision)));
        }
    }

    /// The place of `owner`, or one that is free now, goes to the user who has been waiting for it.
    pub(super) fn pass_on(&mut self, now: Now, place: Option<UserKey>, owner: Option<ConnId>) {
        if let Some(contest) = place.and_then(|key| self.entrance.take_contest(key)) {
            self.win(now, contest.newcomer, owner);
        }
    }

    /// Tells everybody that a user came or went, unless so many are here that it would be noise.
    pub(super) fn tell_presence(&mut self, conn: ConnId, user: UserName, event: Event) {
        if self.people.count() as u64 <= self.rules.limits.presence_users {
            let except = self.people.apart_from(user);
            self.out.push(Effect::TellAll { by: conn, except, event });
        }
    }
}
