//! Deadlines of connections: a hashed timer wheel, one entry a slot.
//!
//! Knows neither clocks nor what a deadline is for. What is woken looks at what is really
//! due and asks for the next moment. So activity moves no timer: a deadline that bytes have pushed
//! back is found out when its old moment comes. Entries belong to slots, not to connections; a new
//! tenant of a slot inherits the entry of the last, and millions of short connections leave
//! nothing behind. (Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987.)

/// Milliseconds of one tick: deadlines are kept to this precision, never early.
pub const TICK_MS: u64 = 64;
const BUCKETS: usize = 1024;
const WORDS: usize = BUCKETS / 64;

/// The wheel. A moment further away than it reaches is looked at when the wheel has come round.
#[derive(Debug)]
pub struct Timers {
    buckets: Vec<Vec<u32>>,
    /// Which buckets hold anything.
    occupied: [u64; WORDS],
    /// By slot: the tick of its one live entry, or `NEVER`. An entry in any other bucket is dead.
    armed: Vec<u64>,
    /// The tick that was turned last.
    tick: u64,
}

const NEVER: u64 = u64::MAX;

impl Default for Timers {
    /// A wheel without entries that stands at the moment 0.
    fn default() -> Self {
        Self {
            buckets: vec![Vec::new(); BUCKETS],
            occupied: [0; WORDS],
            armed: Vec::new(),
            tick: 0,
        }
    }
}

impl Timers {
    /// Wakes the slot at `at_ms` or at most a tick later; earlier, if it has an earlier entry.
    pub fn arm(&mut self, slot: u32, at_ms: u64) {
        let index = slot as usize;
        if self.armed.len() <= index {
            self.armed.resize(index + 1, NEVER);
        }
        let reach = self.tick + BUCKETS as u64 - 1;
        let tick = at_ms.div_ceil(TICK_MS).clamp(self.tick + 1, reach);
        if self.armed[index] <= tick {
            return;
        }
        self.armed[index] = tick;
        let bucket = bucket_of(tick);
        self.buckets[bucket].push(slot);
        self.occupied[bucket / 64] |= 1 << (bucket % 64);
    }

    /// The slots whose moment has come, each once. They have no entry from then on.
    pub fn turn(&mut self, now_ms: u64) -> Vec<u32> {
        let until = now_ms / TICK_MS;
        let mut due = Vec::new();
        // After a long sleep one round of the wheel meets every entry.
        let first = (self.tick + 1).max(until.saturating_sub(BUCKETS as u64 - 1));
        for tick in first..=until {
            self.turn_bucket(bucket_of(tick), until, &mut due);
        }
        self.tick = self.tick.max(until);
        due
    }

    /// When [`Self::turn`] has something to do, in milliseconds.
    #[must_use]
    pub(crate) fn next_ms(&self) -> Option<u64> {
        let start = self.tick + 1;
        let (first_word, first_bit) = (bucket_of(start) / 64, bucket_of(start) % 64);
        // One word more than there are: the first one's lower bits come last.
        (0..=WORDS).find_map(|step| {
            let word = (first_word + step) % WORDS;
            let mask = if step == 0 { u64::MAX << first_bit } else { u64::MAX };
            let bits = self.occupied[word] & mask;
            let bucket = (word * 64) as u64 + u64::from(bits.trailing_zeros());
            let ahead = (bucket + BUCKETS as u64 - start % BUCKETS as u64) % BUCKETS as u64;
            (bits != 0).then(|| (start + ahead) * TICK_MS)
        })
    }

    fn turn_bucket(&mut self, bucket: usize, until: u64, due: &mut Vec<u32>) {
        if self.occupied[bucket / 64] & (1 << (bucket % 64)) == 0 {
            return;
        }
        for slot in std::mem::take(&mut self.buckets[bucket]) {
            let armed = &mut self.armed[slot as usize];
            if *armed <= until {
                *armed = NEVER;
                due.push(slot);
            }
        }
        self.occupied[bucket / 64] &= !(1 << (bucket % 64));
    }
}

fn bucket_of(tick: u64) -> usize {
    usize::try_from(tick % BUCKETS as u64).expect("less than the number of buckets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_woken_once_and_never_early() {
        let mut timers = Timers::default();
        timers.arm(3, 1000);
        assert!(timers.turn(999).is_empty());
        assert_eq!(timers.turn(1000 + TICK_MS), [3]);
        assert!(timers.turn(100_000).is_empty());
        assert_eq!(timers.next_ms(), None);
    }

    #[test]
    fn the_earlier_of_two_moments_counts() {
        let mut timers = Timers::default();
        timers.arm(1, 30_000);
        timers.arm(1, 5_000);
        timers.arm(1, 20_000);
        assert_eq!(timers.turn(6_000), [1]);
        assert!(timers.turn(60_000).is_empty());
    }

    #[test]
    fn a_moment_beyond_the_wheel_is_looked_at_when_it_has_come_round() {
        let mut timers = Timers::default();
        timers.arm(1, 10_000_000);
        let first = timers.next_ms().unwrap();
        assert!(first < 10_000_000);
        assert_eq!(timers.turn(first), [1]);
    }

    #[test]
    fn after_a_long_sleep_everybody_is_woken_once() {
        let mut timers = Timers::default();
        for slot in 0..100 {
            timers.arm(slot, u64::from(slot) * 500);
        }
        let mut due = timers.turn(3_600_000);
        due.sort_unstable();
        assert_eq!(due, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_slot_that_is_used_again_and_again_has_one_entry() {
        let mut timers = Timers::default();
        for now in 0..10_000_u64 {
            timers.turn(now);
            timers.arm(0, now + 5_000);
        }
        let entries: usize = timers.buckets.iter().map(Vec::len).sum();
        assert!(entries <= 1, "{entries} entries");
    }

    #[test]
    fn the_next_moment_is_the_first_that_anybody_waits_for() {
        let mut timers = Timers::default();
        timers.arm(1, 30_000);
        timers.arm(2, 700);
        assert_eq!(timers.next_ms(), Some(704));
    }
}
