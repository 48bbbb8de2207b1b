//! How many messages one user may send: a bucket that fills with time.
//!
//! Knows no users but their connections. It is the generic cell rate algorithm (ITU-T I.371) with
//! the time of the next message as its only state, so an idle user costs nothing.

use crate::id::{ConnId, Now};
use crate::message::Refusal;

/// The moment from which the next message is in time, in microseconds of the monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    next_us: u64,
}

impl Bucket {
    /// Takes one message of `rate` a second out of the bucket, which holds as many as a second
    /// brings; 0 is no limit. When it is empty, answers with the milliseconds to wait.
    fn take(&mut self, now: Now, rate: u64) -> Result<(), u64> {
        const SECOND_US: u64 = 1_000_000;
        let Some(every_us) = SECOND_US.checked_div(rate) else { return Ok(()) };
        let now_us = now.mono_ms.saturating_mul(1000);
        let next_us = self.next_us.max(now_us);
        let early_us = (next_us + every_us).saturating_sub(now_us + SECOND_US.max(every_us));
        if early_us > 0 {
            return Err(early_us.div_ceil(1000));
        }
        self.next_us = next_us + every_us;
        Ok(())
    }
}

/// The buckets of all connections.
#[derive(Debug)]
pub(super) struct Buckets {
    /// Messages per second.
    rate: u64,
    /// By slot.
    buckets: Vec<Bucket>,
}

impl Buckets {
    pub(super) const fn new(rate: u64) -> Self {
        Self { rate, buckets: Vec::new() }
    }

    /// A connection begins with a full bucket.
    pub(super) fn open(&mut self, conn: ConnId) {
        let slot = conn.slot as usize;
        if self.buckets.len() <= slot {
            self.buckets.resize_with(slot + 1, Bucket::default);
        }
        self.buckets[slot] = Bucket::default();
    }

    /// One message out of the bucket of a connection.
    pub(super) fn take(&mut self, now: Now, conn: ConnId) -> Result<(), Refusal> {
        let Some(bucket) = self.buckets.get_mut(conn.slot as usize) else {
            return Err(Refusal::LoginFirst);
        };
        bucket.take(now, self.rate).map_err(|wait_ms| Refusal::SlowDown { wait_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, wall_ms: 0 }
    }

    #[test]
    fn a_second_may_come_at_once_and_then_one_by_one() {
        let mut bucket = Bucket::default();
        assert_eq!((0..).take_while(|_| bucket.take(at(5), 10).is_ok()).count(), 10);
        assert_eq!(bucket.take(at(5), 10), Err(100));
        assert_eq!(bucket.take(at(104), 10), Err(1));
        assert_eq!(bucket.take(at(105), 10), Ok(()));
        assert_eq!(bucket.take(at(105), 10), Err(100));
        assert_eq!((0..).take_while(|_| bucket.take(at(60_000), 10).is_ok()).count(), 10);
    }

    #[test]
    fn one_a_second_is_one_and_none_is_no_limit() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(at(0), 1), Ok(()));
        assert_eq!(bucket.take(at(0), 1), Err(1000));
        assert!((0..10_000).all(|_| Bucket::default().take(at(0), 0).is_ok()));
    }
}
