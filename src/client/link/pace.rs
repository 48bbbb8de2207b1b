//! PURE. No more messages per second than the server takes, so that none is refused for coming
//! early.
//!
//! Knows no messages; the time comes in as a value. It keeps half a second of messages behind what
//! the server's own bucket holds, for the network may hand over at once what was sent one by one.

use std::time::Duration;

/// How far ahead of its rate a client may be.
const AHEAD: Duration = Duration::from_millis(500);

/// The messages of one client.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// Between two messages; zero is no limit.
    every: Duration,
    /// The moment from which the next message is in time.
    next: Duration,
}

impl Pace {
    /// The server takes so many messages per second; 0 is no limit.
    pub(super) fn set_rate(&mut self, rate: u64) {
        let every_ns = 1_000_000_000_u64.checked_div(rate).unwrap_or(0);
        self.every = Duration::from_nanos(every_ns);
    }

    /// A message is sent.
    pub(super) fn send(&mut self, now: Duration) {
        self.next = self.next.max(now) + self.every;
    }

    /// Until when the next one has to wait, if it has to.
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        let until = self.next.checked_sub(AHEAD.max(self.every))?;
        (until > now).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count_at(pace: &mut Pace, ms: u64) -> usize {
        let now = Duration::from_millis(ms);
        let mut sent = 0;
        while sent < 1000 && pace.wait(now).is_none() {
            pace.send(now);
            sent += 1;
        }
        sent
    }

    #[test]
    fn half_a_second_comes_at_once_and_then_one_by_one() {
        let mut pace = Pace::default();
        pace.set_rate(10);
        let at_once = count_at(&mut pace, 1000);
        assert!((5..=6).contains(&at_once), "{at_once}");
        assert_eq!(pace.wait(Duration::from_millis(1000)), Some(Duration::from_millis(1100)));
        assert_eq!(count_at(&mut pace, 1100), 1);
        let total: usize = (12..=100).map(|step| count_at(&mut pace, step * 100)).sum();
        assert_eq!(total, 89);
    }

    #[test]
    fn one_a_second_is_one_and_without_a_rate_nothing_waits() {
        let mut pace = Pace::default();
        assert_eq!(count_at(&mut pace, 5), 1000);
        pace.set_rate(1);
        assert!((1..=2).contains(&count_at(&mut pace, 10_000)));
        assert_eq!(count_at(&mut pace, 10_500), 0);
    }
}
