//! A run in slices of a tenth of a second: how much was delivered in each, and how late.
//!
//! Knows no clock. The rule it keeps: a slice in which nothing came is a slice too, because a
//! server that stopped is what one looks for.

use hdrhistogram::Histogram;

/// How long a slice is, in nanoseconds.
pub(crate) const SLICE_NS: u64 = 100_000_000;

/// The longest run that is followed, in slices: an hour.
const SLICES_MAX: usize = 36_000;
/// A latency above this, ten minutes, is counted as this.
const LATENCY_MAX_NS: u64 = 600_000_000_000;

/// A slice of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slice {
    /// Deliveries in it.
    pub(crate) deliveries: u64,
    /// Half of them came within so many nanoseconds.
    pub(crate) p50_ns: u64,
    /// All but one in a hundred came within so many nanoseconds.
    pub(crate) p99_ns: u64,
    /// The latest came after so many nanoseconds.
    pub(crate) max_ns: u64,
}

/// The slices of a run.
#[derive(Debug)]
pub(crate) struct Timeline {
    slices: Vec<Slice>,
    latency: Histogram<u64>,
}

impl Timeline {
    /// Nothing has come yet.
    pub(crate) fn new() -> Self {
        let latency = Histogram::new_with_bounds(1000, LATENCY_MAX_NS, 2);
        Self { slices: Vec::new(), latency: latency.expect("the bounds are in order") }
    }

    /// Notes a delivery `at_ns` after the run began; time never goes back.
    pub(crate) fn note(&mut self, at_ns: u64, latency_ns: u64) {
        let slice = usize::try_from(at_ns / SLICE_NS).map_or(SLICES_MAX, |at| at.min(SLICES_MAX));
        if slice > self.slices.len() {
            self.end_slice();
            self.slices.resize(slice, Slice::default());
        }
        self.latency.saturating_record(latency_ns.clamp(1000, LATENCY_MAX_NS));
    }

    /// All slices. The last one is left out when it is not the only one: it is not a whole one.
    pub(crate) fn finish(mut self) -> Vec<Slice> {
        if self.slices.is_empty() {
            self.end_slice();
        }
        self.slices
    }

    fn end_slice(&mut self) {
        let latency = &self.latency;
        self.slices.push(match latency.len() {
            0 => Slice::default(),
            deliveries => Slice {
                deliveries,
                p50_ns: latency.value_at_quantile(0.5),
                p99_ns: latency.value_at_quantile(0.99),
                max_ns: latency.max(),
            },
        });
        self.latency.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slice_has_its_own_count_and_its_own_latencies() {
        let mut timeline = Timeline::new();
        for latency_us in 1..=100 {
            timeline.note(5, latency_us * 1000);
        }
        timeline.note(SLICE_NS, 7_000_000);
        timeline.note(SLICE_NS * 2, 0);
        let slices = timeline.finish();
        assert_eq!(slices.iter().map(|slice| slice.deliveries).collect::<Vec<_>>(), [100, 1]);
        assert!(slices[0].p50_ns.abs_diff(50_000) < 1000, "{slices:?}");
        assert!(slices[0].p99_ns.abs_diff(99_000) < 1500, "{slices:?}");
        assert!(slices[1].max_ns.abs_diff(7_000_000) < 100_000, "{slices:?}");
    }

    #[test]
    fn silence_is_shown_as_silence() {
        let mut timeline = Timeline::new();
        timeline.note(0, 1000);
        timeline.note(SLICE_NS * 4 + 1, 1000);
        let counts: Vec<_> = timeline.finish().iter().map(|slice| slice.deliveries).collect();
        assert_eq!(counts, [1, 0, 0, 0]);
    }

    #[test]
    fn a_run_shorter_than_a_slice_is_one_slice() {
        let mut timeline = Timeline::new();
        timeline.note(3, 1000);
        assert_eq!(timeline.finish().len(), 1);
        assert_eq!(Timeline::new().finish(), [Slice::default()]);
    }
}
