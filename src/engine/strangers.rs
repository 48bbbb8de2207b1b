//! Connections that have not logged in: how many there may be, in all and from one source.
//!
//! Knows no connections. The rule it keeps: a client that is turned away is told so in words; from
//! a tenth of the bound on some are turned away, ever more of them, so that a flood of strangers
//! leaves room for a friend (as sshd's `MaxStartups`).

use std::collections::BTreeMap;

use crate::id::Source;
use crate::limits::Limits;

/// The strangers that are here.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    total: u64,
    by_source: BTreeMap<Source, u64>,
}

impl Strangers {
    pub(super) fn add(&mut self, source: Source) {
        self.total += 1;
        *self.by_source.entry(source).or_default() += 1;
    }

    pub(super) fn remove(&mut self, source: Source) {
        self.total -= 1;
        if let Some(count) = self.by_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
    }

    /// How many there are, for the invariants.
    pub(super) fn total(&self) -> u64 {
        debug_assert_eq!(self.total, self.by_source.values().sum::<u64>());
        self.total
    }

    /// Whether there is room for another one. `lot` is any number that is spread evenly.
    pub(super) fn admits(&self, limits: &Limits, source: Source, lot: u32) -> bool {
        let own = self.by_source.get(&source).copied().unwrap_or_default();
        let bound = limits.before_login_source;
        if bound > 0 && source != Source::THIS_MACHINE && own >= bound {
            return false;
        }
        let most = limits.before_login;
        let from = most / 10;
        if most == 0 || self.total < from {
            return true;
        }
        let refused = (self.total - from) as f64 / (most - from).max(1) as f64;
        f64::from(lot) / f64::from(u32::MAX) >= refused
    }
}

/// Numbers in a row to numbers that are spread evenly over all there are: multiples of the golden
/// ratio (Knuth 6.4, theorem S).
pub(super) const fn spread(number: u32) -> u32 {
    number.wrapping_mul(0x9e37_79b9)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ELSEWHERE: Source = Source(7);

    #[test]
    fn one_source_has_its_bound_and_this_machine_has_none() {
        let limits = Limits { before_login: 0, before_login_source: 2, ..Limits::default() };
        let mut strangers = Strangers::default();
        for _ in 0..2 {
            assert!(strangers.admits(&limits, ELSEWHERE, 0));
            strangers.add(ELSEWHERE);
            strangers.add(Source::THIS_MACHINE);
        }
        assert!(!strangers.admits(&limits, ELSEWHERE, u32::MAX));
        assert!(strangers.admits(&limits, Source(8), 0));
        assert!(strangers.admits(&limits, Source::THIS_MACHINE, 0));
        strangers.remove(ELSEWHERE);
        assert!(strangers.admits(&limits, ELSEWHERE, 0));
    }

    #[test]
    fn the_more_there_are_the_more_are_turned_away() {
        let limits = Limits { before_login: 1000, ..Limits::default() };
        let mut strangers = Strangers::default();
        let mut admitted = Vec::new();
        for total in 0..=1000 {
            let lots = (0..100).map(|lot| lot * (u32::MAX / 100));
            let count = lots.filter(|&lot| strangers.admits(&limits, Source::THIS_MACHINE, lot));
            admitted.push(count.count());
            assert_eq!(strangers.total, total);
            strangers.add(Source::THIS_MACHINE);
        }
        assert!(admitted[..100].iter().all(|&count| count == 100));
        assert!(admitted.is_sorted_by(|a, b| a >= b));
        assert!((45..=55).contains(&admitted[550]), "{}", admitted[550]);
        assert_eq!(admitted[1000], 0);
    }
}
