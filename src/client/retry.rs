//! PURE. Whether something may be asked now, and when to ask once more for what was refused.
//!
//! Knows neither what is asked nor why it was refused. The rule it keeps: a few tries, each later
//! than the last, and then no more.

use std::time::Duration;

use super::backoff::Backoff;
use crate::message::{RoomName, UserName};

/// Tries before it is given up; with the waits of [`Backoff`] about a minute.
const TRIES_MAX: u8 = 7;

/// What decides whether something may be asked now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here<'a> {
    /// The time since the start of the client.
    pub(super) now: Duration,
    /// We are logged in, and back in our rooms if the connection was lost.
    pub(super) can_ask: bool,
    /// Who we are, while we are logged in.
    pub(super) user: Option<UserName>,
    /// The rooms that we are in, the current one first.
    pub(super) rooms: &'a [RoomName],
    /// Whether the server does what is asked in the room that is named. An older one takes the only
    /// one that we are in.
    pub(super) names_room: bool,
}

/// The tries for one thing.
#[derive(Clone, Debug)]
pub(super) struct Retry {
    backoff: Backoff,
    tries: u8,
    /// Not before this.
    at: Duration,
}

impl Retry {
    /// Nothing tried yet; two things should have two seeds.
    pub(super) fn new(seed: u64) -> Self {
        Self { backoff: Backoff::new(seed), tries: 0, at: Duration::ZERO }
    }

    /// It was refused. Answers whether it is to be tried again, at [`Retry::at`].
    fn again(&mut self, now: Duration) -> bool {
        self.tries += 1;
        self.wait(now);
        self.tries <= TRIES_MAX
    }

    /// It was refused for a reason that passes by itself: that counts for nothing.
    fn wait(&mut self, now: Duration) {
        self.at = now + self.backoff.next_wait();
    }

    /// It was refused. Answers whether it is to be tried again: if it stands behind others of ours
    /// for as long as it takes, if the reason `passes` a few times.
    pub(super) fn goes_on(&mut self, now: Duration, behind: bool, passes: bool) -> bool {
        if behind {
            self.wait(now);
        }
        behind || passes && self.again(now)
    }

    /// It was granted.
    pub(super) fn reset(&mut self) {
        self.backoff.reset();
        (self.tries, self.at) = (0, Duration::ZERO);
    }

    /// Whether it may be asked now.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.at <= now
    }

    /// When it is to be asked, if that is still to come.
    pub(super) fn at(&self, now: Duration) -> Option<Duration> {
        (self.at > now).then_some(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_a_few_times_always_later_and_then_no_more() {
        let mut retry = Retry::new(1);
        let mut now = Duration::from_secs(5);
        assert!(retry.is_due(now));
        for _ in 0..TRIES_MAX {
            assert!(retry.again(now) && !retry.is_due(now));
            now = retry.at(now).unwrap();
            assert!(retry.is_due(now));
        }
        assert!(!retry.again(now));
        assert!((20..120).contains(&now.as_secs()), "{now:?}");
        retry.reset();
        assert!(retry.is_due(Duration::ZERO) && retry.again(now));
    }
}
