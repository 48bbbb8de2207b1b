//! How long the turns of the loop last.

use std::time::{Duration, Instant};

use crate::facts::TurnCounts;
use crate::os;

/// What a turn may last (invariant 10).
const TURN_MAX: Duration = Duration::from_millis(10);

/// Counts of turns. A turn lasts from the end of one wait to the beginning of the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turns {
    count: u64,
    longest: Duration,
    /// Processor time of the longest, which is what the machine's other work cannot lengthen.
    longest_cpu: Duration,
    over: u64,
    over_cpu: u64,
    cpu_before: Option<Duration>,
}

impl Turns {
    /// A turn that began at `began` is over.
    pub(super) fn count(&mut self, began: Instant) {
        let cpu = os::thread_cpu();
        let spent = cpu.zip(self.cpu_before).map_or(Duration::ZERO, |(now, before)| now - before);
        self.cpu_before = cpu;
        let lasted = began.elapsed();
        self.count += 1;
        self.longest = self.longest.max(lasted);
        self.longest_cpu = self.longest_cpu.max(spent);
        self.over += u64::from(lasted > TURN_MAX);
        self.over_cpu += u64::from(spent > TURN_MAX);
    }

    /// What a report tells of them.
    pub(super) fn counts(&self) -> TurnCounts {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        TurnCounts {
            turns: self.count,
            longest_turn_ns: ns(self.longest),
            longest_turn_cpu_ns: ns(self.longest_cpu),
            turns_over_10ms: self.over,
            turns_over_10ms_cpu: self.over_cpu,
        }
    }
}
