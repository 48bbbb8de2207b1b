//! Names: shown to be a user's, registered, contested.
//!
//! Decides who may have a name and knows nothing of what that brings: `arrivals.rs` does that.
//! Knows no rooms, no letters and no files.

mod accounts;
mod contests;
mod guard;
mod login;
mod token;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) use contests::Contest;
use guard::Guard;
use token::Tokens;

use super::people::User;
use super::{Out, People, Request, Rules, UserKey, Waiting};
use crate::id::{AccountId, ConnId, Now};
use crate::message::UserName;

/// A user who is to get a name, with all that had to be shown for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer {
    pub(super) request: Request,
    pub(super) name: UserName,
    pub(super) account: Option<AccountId>,
    /// The login that is shown to be theirs by a token: of a guest its number, of an account the
    /// one with which the session began.
    pub(super) was: Option<u64>,
    /// It is an errand.
    pub(super) errand: bool,
}

/// What becomes of a user who wants a name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decision {
    /// The name is free: it is theirs.
    Begin(Newcomer),
    /// One session of the name's owner gives way.
    TakeOver {
        /// Who gets it.
        newcomer: Newcomer,
        /// Which.
        owner: ConnId,
    },
    /// A worker, or the owner of the name, was asked.
    Later,
}

/// What the entrance remembers.
#[derive(Debug)]
pub(super) struct EntranceState {
    guard: Guard,
    tokens: Tokens,
    /// Names that are being registered.
    registering: BTreeSet<UserKey>,
    /// Names whose owner is asked for a sign of life.
    contests: BTreeMap<UserKey, Contest>,
}

/// The entrance, with what it borrows of the others.
pub(super) struct Entrance<'a> {
    pub(super) own: &'a mut EntranceState,
    pub(super) people: &'a mut People,
    pub(super) rules: &'a Rules,
    pub(super) out: &'a mut Out,
}

impl EntranceState {
    pub(super) fn new(block: Duration, token_key: [u8; 32]) -> Self {
        Self {
            guard: Guard::new(block),
            tokens: Tokens::new(token_key),
            registering: BTreeSet::new(),
            contests: BTreeMap::new(),
        }
    }

    /// A token for a user who has just logged in.
    pub(super) fn issue(&self, now: Now, user: &User, epoch: u64) -> String {
        self.tokens.issue(now, user, epoch)
    }

    /// When the next contest is over, on the monotonic clock.
    pub(super) fn next_deadline_ms(&self) -> Option<u64> {
        self.contests.values().map(|contest| contest.until_ms).min()
    }

    /// Who has waited for a place that is free now.
    pub(super) fn take_contest(&mut self, key: UserKey) -> Option<Contest> {
        self.contests.remove(&key)
    }

    /// The owners of names who have shown no sign of life in the time that they have for it.
    pub(super) fn unheard(&self, now: Now) -> impl Iterator<Item = ConnId> {
        let over = self.contests.values().filter(move |contest| contest.until_ms <= now.mono_ms);
        over.flat_map(|contest| contest.owners.iter().copied())
    }

    /// A contest in which some owner gave no sign of life.
    pub(super) fn take_overdue(&mut self, now: Now) -> Option<Contest> {
        let over = |contest: &&Contest| contest.until_ms <= now.mono_ms;
        let key = self.contests.values().find(over)?.newcomer.name.key();
        self.contests.remove(&key)
    }

    /// Who waits for a name.
    pub(super) fn contender(&self, key: UserKey) -> Option<ConnId> {
        self.contests.get(&key).map(|contest| contest.newcomer.request.conn)
    }

    /// Checks that what waits for a password and what is counted agree, for tests and the
    /// simulation.
    pub(super) fn check_invariants(&self, people: &People, out: &Out) {
        let mut passwords = 0;
        for waiting in out.waiting() {
            passwords += usize::from(waiting.is_for_password());
            if let Waiting::Register { name, .. } | Waiting::Create { name, .. } = waiting {
                let is_registering = self.registering.contains(&name.key());
                assert!(is_registering, "{name} is registered by nobody");
            }
        }
        assert_eq!(passwords, self.guard.open(), "passwords under way are miscounted");
        for (key, contest) in &self.contests {
            assert!(!contest.owners.is_empty(), "a contest without an owner");
            let is_theirs = |&owner: &ConnId| people.sessions_of(*key).any(|conn| conn == owner);
            assert!(contest.owners.iter().all(is_theirs), "a contest with somebody else");
        }
    }
}
