//! PURE. How long to wait before the next try: twice as long each time, up to a bound, and never
//! the same for two clients.
//!
//! Knows neither clock nor what is tried. The rule it keeps: a wait lies between half and the
//! whole of its step, so that clients that were cut off in one moment do not come back in one
//! moment.

use std::time::Duration;

/// The first step.
const STEP_FIRST: Duration = Duration::from_millis(500);
/// The longest step.
const STEP_MAX: Duration = Duration::from_secs(30);

/// The waits between the tries of one client.
#[derive(Clone, Debug)]
pub struct Backoff {
    random: u64,
    step: Duration,
}

impl Backoff {
    /// The same seed gives the same waits; two clients should have two seeds.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { random: seed, step: STEP_FIRST }
    }

    /// How long to wait now: between half and the whole of a step that doubles from 0.5 s to 30 s.
    pub fn next_wait(&mut self) -> Duration {
        let half = self.step / 2;
        self.step = (self.step * 2).min(STEP_MAX);
        half + self.part_of(half)
    }

    /// A wait that somebody else asks for, made up to half as long again.
    pub fn spread(&mut self, wait: Duration) -> Duration {
        wait + self.part_of(wait / 2)
    }

    /// It worked: the next wait is of the first step again.
    pub fn reset(&mut self) {
        self.step = STEP_FIRST;
    }

    /// Evenly from nothing to all of it, in milliseconds.
    fn part_of(&mut self, whole: Duration) -> Duration {
        let ms = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX - 1);
        Duration::from_millis(self.next_random() % (ms + 1))
    }

    /// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_lie_between_half_and_the_whole_of_a_step_that_doubles_up_to_30_s() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(seed);
            for step_ms in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
                let wait = backoff.next_wait();
                let step = Duration::from_millis(step_ms);
                assert!(step / 2 <= wait && wait <= step, "seed {seed}: {wait:?} of {step:?}");
            }
            backoff.reset();
            assert!(backoff.next_wait() <= Duration::from_millis(500), "seed {seed}");
        }
    }

    #[test]
    fn clients_that_were_cut_off_together_come_back_apart() {
        let mut tenths = [0; 10];
        for seed in 0..1000 {
            let mut backoff = Backoff::new(seed);
            for _ in 0..6 {
                backoff.next_wait();
            }
            let wait_ms = backoff.next_wait().as_millis() as usize;
            tenths[((wait_ms - 15_000) / 1500).min(9)] += 1;
        }
        assert!(tenths.iter().all(|&count| count > 50), "{tenths:?}");
    }

    #[test]
    fn a_wait_that_was_asked_for_is_never_cut_short() {
        let mut backoff = Backoff::new(7);
        let asked = Duration::from_secs(4);
        let waits: Vec<_> = (0..100).map(|_| backoff.spread(asked)).collect();
        assert!(waits.iter().all(|&wait| asked <= wait && wait <= asked * 3 / 2), "{waits:?}");
        assert!(waits.iter().any(|&wait| wait != waits[0]));
    }
}
