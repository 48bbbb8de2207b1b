//! By which time files expire: the wall clock, as long as it can be believed.
//!
//! The rule it keeps: a wall clock that is suddenly far ahead makes nothing expire before it has
//! stayed so for [`CLOCK_TRIED`]. One that goes back makes things live longer, and needs no care.

use crate::id::{Now, millis};
use crate::limits::{CLOCK_STEP, CLOCK_TRIED};

/// What is known of the wall clock.
#[derive(Debug)]
pub(super) struct Calendar {
    /// A time on the monotonic clock, and what the wall clock said then, or what it had reached.
    known: Option<(u64, u64)>,
    /// Since when, on the monotonic clock, the wall clock is too far ahead.
    ahead_since_ms: Option<u64>,
}

impl Calendar {
    /// `newest_ms` is the last time that anything was recorded, on the wall clock, if anything was.
    pub(super) fn new(newest_ms: Option<u64>) -> Self {
        Self { known: newest_ms.map(|newest_ms| (0, newest_ms)), ahead_since_ms: None }
    }

    /// Something will expire: from here on the clock is watched.
    pub(super) fn begin(&mut self, now: Now) {
        self.known.get_or_insert((now.mono_ms, now.wall_ms));
    }

    /// The time by which things expire now; and by how many milliseconds the wall clock is ahead of
    /// it, if it is too far to be believed.
    pub(super) fn look(&mut self, now: Now) -> (u64, Option<u64>) {
        let expected_ms = match self.known {
            Some((mono_ms, wall_ms)) => wall_ms + now.mono_ms.saturating_sub(mono_ms),
            None => now.wall_ms,
        };
        let ahead_ms = now.wall_ms.saturating_sub(expected_ms);
        if ahead_ms > millis(CLOCK_STEP) {
            let since_ms = *self.ahead_since_ms.get_or_insert(now.mono_ms);
            if now.mono_ms.saturating_sub(since_ms) < millis(CLOCK_TRIED) {
                return (expected_ms, Some(ahead_ms));
            }
        }
        self.ahead_since_ms = None;
        self.known = Some((now.mono_ms, now.wall_ms));
        (now.wall_ms, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;
    const DAY: u64 = 24 * 60 * MINUTE;
    const START: u64 = 1_700_000_000_000;

    fn look(calendar: &mut Calendar, mono_ms: u64, wall_ms: u64) -> (u64, Option<u64>) {
        calendar.look(Now { mono_ms, wall_ms: START + wall_ms })
    }

    #[test]
    fn a_clock_that_jumps_ahead_is_believed_when_it_has_stayed_there() {
        let mut calendar = Calendar::new(None);
        assert_eq!(look(&mut calendar, 0, 0), (START, None));
        for minute in 1..60 {
            let at = minute * MINUTE;
            let expected = (START + at, Some(31 * DAY));
            assert_eq!(look(&mut calendar, at, at + 31 * DAY), expected);
        }
        let back = 60 * MINUTE;
        assert_eq!(look(&mut calendar, back, back), (START + back, None));
        for minute in 61..121 {
            let at = minute * MINUTE;
            assert_eq!(look(&mut calendar, at, at + 31 * DAY).1, Some(31 * DAY));
        }
        let at = 121 * MINUTE;
        assert_eq!(look(&mut calendar, at, at + 31 * DAY), (START + at + 31 * DAY, None));
    }

    #[test]
    fn small_steps_and_steps_back_are_taken_as_they_are() {
        let mut calendar = Calendar::new(None);
        look(&mut calendar, 0, 31 * DAY);
        assert_eq!(look(&mut calendar, MINUTE, 0), (START, None));
        assert_eq!(look(&mut calendar, 2 * MINUTE, 50 * MINUTE), (START + 50 * MINUTE, None));
    }

    #[test]
    fn after_a_start_the_clock_is_compared_with_what_was_recorded_last() {
        let mut calendar = Calendar::new(Some(START));
        assert_eq!(look(&mut calendar, 0, 31 * DAY), (START, Some(31 * DAY)));
        let mut calendar = Calendar::new(Some(START + 31 * DAY));
        assert_eq!(look(&mut calendar, 0, 0), (START, None), "that was recorded by a wrong clock");
    }
}
