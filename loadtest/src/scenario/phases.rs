//! Healthy clients who talk in a quiet phase and in a loud one, and what the two differ by. What
//! makes the second one loud is the scenario's business.

use super::talk::Talk;
use crate::figure::Figure;
use crate::report::Report;

/// Writes down both phases; a message that did not come once and in order is a fault.
pub(super) fn compare(report: &mut Report, quiet: &Talk, loud: &Talk) {
    report.talk(&quiet.totals().and(loud.totals()), quiet.took() + loud.took());
    report.latency_of("quiet_", quiet.latency());
    report.latency_of("loud_", loud.latency());
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
        let of = |talk: &Talk| talk.latency().value_at_quantile(quantile) as f64;
        report.add(Figure::named(format!("loud_to_quiet_{name}")), of(loud) / of(quiet).max(1.0));
    }
    for (phase, talk) in [("quiet", quiet), ("loud", loud)] {
        if let Some(trouble) = talk.trouble() {
            report.fault(format!("{phase}: {trouble}"));
        }
    }
}
