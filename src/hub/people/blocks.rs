//! Who wants to hear nothing of whom.
//!
//! The rule it keeps: the block of an account is told from the store's completion and from nothing
//! else; that of a guest ends with the session.

use super::People;
use crate::facts::{ConnFact, Who};
use crate::hub::{Answer, Out, Request, UserKey, Waiting, count};
use crate::id::ConnId;
use crate::job::{StoreJob, StoreOutcome};
use crate::limits::{BLOCKS_MAX, LIST_MAX};
use crate::message::{Names, Refusal, Reply, UserName};

impl People {
    pub(in crate::hub) fn ask_to_block(
        &mut self,
        out: &mut Out,
        request: Request,
        user: &str,
    ) -> Result<Answer, Refusal> {
        let own = self.user_of(request.conn)?;
        let wanted = UserName::parse(user).map_err(Refusal::BadUserName)?;
        let (owner, key) = (own.name.key(), wanted.key());
        if owner == key {
            return Err(Refusal::ToYourself);
        }
        let known = self.directory.find(key).map(|account| account.name);
        let online = self.session_of(key).and_then(|conn| self.name_of(conn).ok());
        let name = known.or(online).ok_or(Refusal::NoSuchUser(wanted))?;
        if self.directory.has_blocked(owner, key) {
            return Err(Refusal::AlreadyBlocked(name));
        }
        if self.directory.blocked(owner).count() >= BLOCKS_MAX {
            return Err(Refusal::TooManyBlocks { limit: BLOCKS_MAX as u64 });
        }
        let Some(account) = own.account else {
            self.set_block(out, Who::User(own.name), (owner, name), true);
            return Ok(Answer::Now(Reply::Done));
        };
        let waiting = Waiting::Block { request, owner, user: name, blocks: true };
        out.ask_store(waiting, StoreJob::Block { account, user: name })
    }

    pub(in crate::hub) fn ask_to_unblock(
        &mut self,
        out: &mut Out,
        request: Request,
        user: &str,
    ) -> Result<Answer, Refusal> {
        let own = self.user_of(request.conn)?;
        let name = UserName::parse(user).map_err(Refusal::BadUserName)?;
        let owner = own.name.key();
        if !self.directory.has_blocked(owner, name.key()) {
            return Err(Refusal::NotBlocked(name));
        }
        let Some(account) = own.account else {
            self.set_block(out, Who::User(own.name), (owner, name), false);
            return Ok(Answer::Now(Reply::Done));
        };
        let waiting = Waiting::Block { request, owner, user: name, blocks: false };
        out.ask_store(waiting, StoreJob::Unblock { account, user: name })
    }

    /// The store has recorded who is blocked, or not.
    pub(in crate::hub) fn on_block_set(
        &mut self,
        out: &mut Out,
        (request, owner, user): (Request, UserKey, UserName),
        blocks: bool,
        outcome: &StoreOutcome,
    ) {
        if *outcome != StoreOutcome::Done {
            let refusal = out.store_refusal(outcome);
            return out.answer_late(request, Err(refusal));
        }
        let who = Who::new(request.conn, self.name_of(request.conn).ok());
        self.set_block(out, who, (owner, user), blocks);
        out.answer_late(request, Ok(Reply::Done));
    }

    fn set_block(
        &mut self,
        out: &mut Out,
        who: Who,
        (owner, user): (UserKey, UserName),
        blocks: bool,
    ) {
        if blocks {
            self.directory.block(owner, user);
        } else {
            self.directory.unblock(owner, user.key());
        }
        out.note(ConnFact::BlockSet { who, user, blocks });
    }

    pub(in crate::hub) fn list_blocked(&self, conn: ConnId) -> Result<Answer, Refusal> {
        let owner = self.name_of(conn)?.key();
        let users: Vec<UserName> = self.directory.blocked(owner).copied().take(LIST_MAX).collect();
        let total = count(self.directory.blocked(owner).count());
        Ok(Answer::Now(Reply::Blocked { members: Names { users, total } }))
    }
}
