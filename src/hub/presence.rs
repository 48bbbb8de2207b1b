//! Who is here, who was, and who wants to hear nothing of whom (system D's rules).
//!
//! The rules it keeps: of two users of whom one has blocked the other, no event and no list of
//! people tells one that the other comes, goes or is here (the upload queue is everybody's); what
//! the blocked one says does not reach the one who blocks, in a room neither; and this is looked at
//! when something is told, not before.

use std::borrow::Cow;

use super::{Answer, Effect, Hub, Request, UserKey, Waiting, count};
use crate::facts::{ConnFact, TalkFact, Who};
use crate::id::{ConnId, Now};
use crate::job::{StoreJob, StoreOutcome};
use crate::limits::{BLOCKS_MAX, LIST_MAX, SEEN_MAX};
use crate::message::{Event, Names, Refusal, Reply, Text, UserName};

impl Hub {
    /// To the room, as in system A; outside of one to everybody online, as in system D.
    pub(super) fn broadcast(&mut self, now: Now, conn: ConnId, text: Cow<'_, str>) -> Answer {
        if self.room_of(conn).is_some() {
            return self.say(now, conn, text, false);
        }
        let from = self.name_of(conn)?;
        let text = Text::parse(text, self.limits.message_bytes).map_err(Refusal::BadText)?;
        self.take_message(now, conn)?;
        let deaf = self.deaf_to(from);
        let others = self.users.len() - 1 - deaf.len();
        let bytes = text.as_str().len();
        self.note(TalkFact::Broadcast { from, bytes, heard: others });
        self.note_body(|| TalkFact::BroadcastText { from, text: text.clone() });
        let blocked = !deaf.is_empty();
        let event = Event::Broadcast { from, text, at: now.wall_ms };
        self.effects.push_back(Effect::TellAll { by: conn, except: deaf, event });
        Ok(Some(Reply::Heard { count: count(others), blocked }))
    }

    /// Tells everybody that somebody came or went, unless so many are here that it would be noise.
    pub(super) fn tell_presence(&mut self, conn: ConnId, name: UserName, event: Event) {
        if self.users.len() as u64 <= self.limits.presence_users {
            let except = self.apart_from(name);
            self.effects.push_back(Effect::TellAll { by: conn, except, event });
        }
    }

    pub(super) fn who_else(&self, now: Now, conn: ConnId, within_s: Option<u64>) -> Answer {
        let own = self.name_of(conn)?.key();
        let shown = |key: &UserKey| *key != own && !self.directory.is_apart(own, *key);
        let mut users: Vec<UserName> = match within_s {
            None => {
                let keys = self.users.iter().filter(|(key, _)| shown(key));
                keys.filter_map(|(_, &conn)| self.name_of(conn).ok()).collect()
            }
            Some(seconds) => {
                let since_ms = now.mono_ms.saturating_sub(seconds.saturating_mul(1000));
                let recent =
                    |key: &UserKey, at_ms: u64| self.users.contains_key(key) || at_ms >= since_ms;
                let seen = self.seen.iter().filter(|(key, _)| shown(key));
                seen.filter(|(key, (_, at_ms))| recent(key, *at_ms))
                    .map(|(_, &(name, _))| name)
                    .collect()
            }
        };
        let total = count(users.len());
        users.truncate(LIST_MAX);
        Ok(Some(Reply::WhoElse { within_s, members: Names { users, total } }))
    }

    /// Notes that somebody is or was here now. Of too many the one seen first is forgotten.
    pub(super) fn seen(&mut self, now: Now, name: UserName) {
        self.seen.insert(name.key(), (name, now.mono_ms));
        if self.seen.len() > SEEN_MAX.max(2 * self.users.len()) {
            // Half of them go at once, so that this is rare.
            let mut times: Vec<u64> = self.seen.values().map(|(_, at_ms)| *at_ms).collect();
            let middle = times.len() / 2;
            let (_, &mut since_ms, _) = times.select_nth_unstable(middle);
            let users = &self.users;
            self.seen.retain(|key, (_, at_ms)| *at_ms > since_ms || users.contains_key(key));
        }
    }

    pub(super) fn block(&mut self, request: Request, user: &str) -> Answer {
        let own = self.user_of(request.conn)?;
        let wanted = UserName::parse(user).map_err(Refusal::BadUserName)?;
        let (owner, key) = (own.name.key(), wanted.key());
        if owner == key {
            return Err(Refusal::ToYourself);
        }
        let known = self.directory.find(key).map(|account| account.name);
        let online = self.users.get(&key).and_then(|&conn| self.name_of(conn).ok());
        let name = known.or(online).ok_or(Refusal::NoSuchUser(wanted))?;
        if self.directory.has_blocked(owner, key) {
            return Err(Refusal::AlreadyBlocked(name));
        }
        if self.directory.blocked(owner).count() >= BLOCKS_MAX {
            return Err(Refusal::TooManyBlocks { limit: BLOCKS_MAX as u64 });
        }
        let Some(account) = own.account else {
            self.directory.block(owner, name);
            self.note(ConnFact::BlockSet { who: Who::User(own.name), user: name, blocks: true });
            return Ok(Some(Reply::Done));
        };
        let waiting = Waiting::Block { request, owner, user: name, blocks: true };
        self.ask_store(waiting, StoreJob::Block { account, user: name })
    }

    pub(super) fn unblock(&mut self, request: Request, user: &str) -> Answer {
        let own = self.user_of(request.conn)?;
        let name = UserName::parse(user).map_err(Refusal::BadUserName)?;
        let owner = own.name.key();
        if !self.directory.has_blocked(owner, name.key()) {
            return Err(Refusal::NotBlocked(name));
        }
        let Some(account) = own.account else {
            self.directory.unblock(owner, name.key());
            self.note(ConnFact::BlockSet { who: Who::User(own.name), user: name, blocks: false });
            return Ok(Some(Reply::Done));
        };
        let waiting = Waiting::Block { request, owner, user: name, blocks: false };
        self.ask_store(waiting, StoreJob::Unblock { account, user: name })
    }

    /// The store has taken down who is blocked, or not.
    pub(super) fn on_block_set(
        &mut self,
        (request, owner, user): (Request, UserKey, UserName),
        blocks: bool,
        outcome: &StoreOutcome,
    ) {
        if *outcome != StoreOutcome::Done {
            let refusal = self.store_refusal(outcome);
            return self.answer_late(request, Err(refusal));
        }
        if blocks {
            self.directory.block(owner, user);
        } else {
            self.directory.unblock(owner, user.key());
        }
        let who = Who::new(request.conn, self.name_of(request.conn).ok());
        self.note(ConnFact::BlockSet { who, user, blocks });
        self.answer_late(request, Ok(Reply::Done));
    }

    pub(super) fn list_blocked(&self, conn: ConnId) -> Answer {
        let owner = self.name_of(conn)?.key();
        let users: Vec<UserName> = self.directory.blocked(owner).copied().take(LIST_MAX).collect();
        let total = count(self.directory.blocked(owner).count());
        Ok(Some(Reply::Blocked { members: Names { users, total } }))
    }

    /// The connections of those who have blocked a user, in their order.
    pub(super) fn deaf_to(&self, name: UserName) -> Vec<ConnId> {
        let conns = self.directory.blockers(name.key());
        self.in_order(conns)
    }

    /// The connections of those whom a user has blocked or who have blocked him, in their order.
    pub(super) fn apart_from(&self, name: UserName) -> Vec<ConnId> {
        let blocked = self.directory.blocked(name.key()).map(UserName::key);
        self.in_order(blocked.chain(self.directory.blockers(name.key())))
    }

    fn in_order(&self, keys: impl Iterator<Item = UserKey>) -> Vec<ConnId> {
        let mut conns: Vec<ConnId> = keys.filter_map(|key| self.users.get(&key).copied()).collect();
        conns.sort_unstable();
        conns.dedup();
        conns
    }

    /// One message out of a user's bucket.
    pub(super) fn take_message(&mut self, now: Now, conn: ConnId) -> Result<(), Refusal> {
        let rate = self.limits.message_rate;
        let Some(session) = self.session_mut(conn) else { return Err(Refusal::LoginFirst) };
        session.bucket.take(now, rate).map_err(|wait_ms| Refusal::SlowDown { wait_ms })
    }
}
