//! Wrong passwords: who may try again, and when (system D's lock-out, threats 46 and 47).
//!
//! Knows neither accounts nor passwords, so a name without an account is treated as any other. The
//! rules it keeps: a lock is on a name *and* a source, so that nobody locks others out; a try
//! counts from its beginning, so that many at once are no more than three; each wrong password
//! adds to the penalty of its source, whatever the name; what is remembered is bounded.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::hub::UserKey;
use crate::id::{Now, Source, millis};
use crate::limits::{
    PASSWORD_WAITING, PASSWORD_WAITING_SOURCE, PENALTY, PENALTY_FORGIVEN, PENALTY_MAX, SOURCES_MAX,
    WRONG_MAX,
};
use crate::message::Refusal;

/// Tries of one name from one source.
#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    /// Not decided yet.
    open: u32,
    /// Wrong, in a row.
    wrong: u32,
    /// When the last of them was.
    at_ms: u64,
}

/// What is remembered of a source.
#[derive(Clone, Copy, Debug, Default)]
struct Trace {
    /// Passwords of it that wait to be hashed.
    open: u32,
    /// Its penalty is over then.
    until_ms: u64,
}

/// Who may try a password.
#[derive(Debug)]
pub(super) struct Guard {
    block: Duration,
    tries: BTreeMap<(UserKey, Source), Tries>,
    sources: BTreeMap<Source, Trace>,
    /// Passwords that are being hashed or wait for it.
    open: usize,
}

impl Guard {
    pub(super) fn new(block: Duration) -> Self {
        Self { block, tries: BTreeMap::new(), sources: BTreeMap::new(), open: 0 }
    }

    /// Begins to try a password; to be ended by one of [`Guard::right`], [`Guard::wrong`] and
    /// [`Guard::undecided`].
    pub(super) fn begin(&mut self, now: Now, name: UserKey, from: Source) -> Result<(), Refusal> {
        let block_ms = millis(self.block);
        let tries = self.tries.get(&(name, from)).copied().unwrap_or_default();
        let locked_ms = (tries.at_ms + block_ms).saturating_sub(now.mono_ms);
        if tries.wrong >= WRONG_MAX && locked_ms > 0 {
            return Err(Refusal::LockedOut { wait_ms: locked_ms });
        }
        let tries = if tries.wrong >= WRONG_MAX { Tries { wrong: 0, ..tries } } else { tries };
        if tries.open + tries.wrong >= WRONG_MAX {
            return Err(Refusal::Busy { wait_ms: 1000 });
        }
        self.begin_hash(now, from)?;
        let tries = Tries { open: tries.open + 1, ..tries };
        self.tries.insert((name, from), tries);
        Ok(())
    }

    /// Begins to hash a password, without a name at stake; to be ended by [`Guard::end_hash`].
    pub(super) fn begin_hash(&mut self, now: Now, from: Source) -> Result<(), Refusal> {
        let trace = self.sources.get(&from).copied().unwrap_or_default();
        let forgiven_ms = now.mono_ms + millis(PENALTY_FORGIVEN);
        if trace.until_ms > forgiven_ms {
            return Err(Refusal::LockedOut { wait_ms: trace.until_ms - forgiven_ms });
        }
        let full = self.open >= PASSWORD_WAITING;
        if full || trace.open >= PASSWORD_WAITING_SOURCE {
            return Err(Refusal::Busy { wait_ms: 1000 });
        }
        self.make_room(now);
        self.sources.entry(from).or_default().open += 1;
        self.open += 1;
        Ok(())
    }

    /// The hash is done.
    pub(super) fn end_hash(&mut self, from: Source) {
        self.open = self.open.saturating_sub(1);
        if let Some(trace) = self.sources.get_mut(&from) {
            trace.open = trace.open.saturating_sub(1);
        }
    }

    /// It was the right one.
    pub(super) fn right(&mut self, name: UserKey, from: Source) {
        self.end_hash(from);
        self.tries.remove(&(name, from));
    }

    /// It was a wrong one; says for how long the source may not try that name any more.
    pub(super) fn wrong(&mut self, now: Now, name: UserKey, from: Source) -> Option<u64> {
        self.end_hash(from);
        self.penalize(now, from, PENALTY);
        let tries = self.tries.entry((name, from)).or_default();
        tries.open = tries.open.saturating_sub(1);
        tries.wrong += 1;
        tries.at_ms = now.mono_ms;
        (tries.wrong >= WRONG_MAX).then(|| millis(self.block))
    }

    /// It could not be decided.
    pub(super) fn undecided(&mut self, name: UserKey, from: Source) {
        self.end_hash(from);
        if let Some(tries) = self.tries.get_mut(&(name, from)) {
            tries.open = tries.open.saturating_sub(1);
            if tries.open + tries.wrong == 0 {
                self.tries.remove(&(name, from));
            }
        }
    }

    /// Adds to what a source has to wait.
    pub(super) fn penalize(&mut self, now: Now, from: Source, penalty: Duration) {
        let trace = self.sources.entry(from).or_default();
        let until_ms = trace.until_ms.max(now.mono_ms) + millis(penalty);
        trace.until_ms = until_ms.min(now.mono_ms + millis(PENALTY_MAX));
    }

    /// Passwords under way, for the invariants.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Forgets what is over; when nothing is, a user's trace goes rather than our memory.
    fn make_room(&mut self, now: Now) {
        let block_ms = millis(self.block);
        if self.tries.len() >= SOURCES_MAX {
            self.tries.retain(|_, tries| tries.open > 0 || tries.at_ms + block_ms > now.mono_ms);
        }
        if self.tries.len() >= SOURCES_MAX {
            self.tries.retain(|_, tries| tries.open > 0);
        }
        if self.sources.len() >= SOURCES_MAX {
            self.sources.retain(|_, trace| trace.open > 0 || trace.until_ms > now.mono_ms);
        }
        if self.sources.len() >= SOURCES_MAX {
            self.sources.retain(|_, trace| trace.open > 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::UserName;

    const HERE: Source = Source(1);
    const THERE: Source = Source(2);

    fn at(seconds: u64) -> Now {
        Now { mono_ms: seconds * 1000, wall_ms: 0 }
    }

    fn key(name: &str) -> UserKey {
        UserName::parse(name).unwrap().key()
    }

    fn guard() -> Guard {
        Guard::new(Duration::from_secs(60))
    }

    fn wrong(
        guard: &mut Guard,
        now: Now,
        name: &str,
        from: Source,
    ) -> Result<Option<u64>, Refusal> {
        guard.begin(now, key(name), from)?;
        Ok(guard.wrong(now, key(name), from))
    }

    #[test]
    fn three_wrong_ones_in_a_row_lock_that_name_from_that_source_for_a_while() {
        let mut guard = guard();
        assert_eq!(wrong(&mut guard, at(1), "bob", HERE), Ok(None));
        assert_eq!(wrong(&mut guard, at(1), "bob", HERE), Ok(None));
        assert_eq!(wrong(&mut guard, at(2), "bob", HERE), Ok(Some(60_000)));
        let locked = Err(Refusal::LockedOut { wait_ms: 59_000 });
        assert_eq!(guard.begin(at(3), key("bob"), HERE), locked);
        assert_eq!(guard.begin(at(3), key("bob"), THERE), Ok(()));
        assert_eq!(guard.begin(at(3), key("eve"), HERE), Ok(()));
        assert_eq!(wrong(&mut guard, at(62), "bob", HERE), Ok(None));
    }

    #[test]
    fn a_right_one_ends_the_row() {
        let mut guard = guard();
        for _ in 0..5 {
            assert_eq!(wrong(&mut guard, at(1), "bob", HERE), Ok(None));
            assert_eq!(wrong(&mut guard, at(1), "bob", HERE), Ok(None));
            guard.begin(at(1), key("bob"), HERE).unwrap();
            guard.right(key("bob"), HERE);
        }
    }

    #[test]
    fn many_tries_at_once_are_three_at_most() {
        let mut guard = guard();
        let begun = (0..10).filter(|_| guard.begin(at(0), key("bob"), HERE).is_ok()).count();
        assert_eq!(begun, 3);
        guard.undecided(key("bob"), HERE);
        assert_eq!(guard.begin(at(0), key("bob"), HERE), Ok(()));
    }

    #[test]
    fn a_source_that_tries_one_name_after_the_other_has_to_wait() {
        let mut guard = guard();
        let mut hashed = 0;
        for index in 0..100_000 {
            let name = format!("n{index}");
            hashed += u32::from(wrong(&mut guard, at(index / 1000), &name, HERE).is_ok());
        }
        assert!((12..=40).contains(&hashed), "{hashed} hashes");
        assert_eq!(guard.begin(at(100), key("bob"), THERE), Ok(()));
        assert_eq!(guard.open(), 1);
    }

    #[test]
    fn one_source_does_not_fill_the_line() {
        let mut guard = guard();
        let begun = (0..200).filter(|_| guard.begin_hash(at(0), HERE).is_ok()).count();
        assert_eq!(begun, PASSWORD_WAITING_SOURCE as usize);
        assert_eq!(guard.begin_hash(at(0), THERE), Ok(()));
        guard.end_hash(HERE);
        assert_eq!(guard.begin_hash(at(0), HERE), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut guard = guard();
        for index in 0..(SOURCES_MAX as u64 + 1000) {
            let _ = wrong(&mut guard, at(0), "bob", Source(index));
        }
        assert!(guard.tries.len() <= SOURCES_MAX && guard.sources.len() <= SOURCES_MAX);
    }
}
