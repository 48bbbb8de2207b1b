//! How long the turns of the loop last.

use std::fmt;
use std::time::{Duration, Instant};

use crate::os;

/// What a turn may last (invariant 10).
const TURN_MAX: Duration = Duration::from_millis(10);

/// Counts of turns. A turn lasts from the end of one wait to the beginning of the next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turns {
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
}

impl fmt::Display for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        write!(
            f,
            "turns {}, longest {:.2} ms (processor {:.2} ms), over 10 ms: {} (processor {})",
            self.count,
            ms(self.longest),
            ms(self.longest_cpu),
            self.over,
            self.over_cpu
        )
    }
}
