//! The names of the figures of a report, each written once: who adds one and who reads it back,
//! from a report or from its JSON, say the same word.
//!
//! Refuses to know what a figure means. The rule it keeps: units come last in the names, and those
//! of one kind stand together.

use std::borrow::Cow;

/// The name of a figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Figure(Cow<'static, str>);

impl Figure {
    const fn known(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// One of as many as the run has kinds of them: answers, refusals, parts of the run.
    pub(crate) fn named(name: String) -> Self {
        Self(Cow::Owned(name))
    }

    /// As it stands in JSON.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// As people read it.
    pub(crate) fn words(&self) -> String {
        self.0.replace('_', " ")
    }
}

pub(crate) const SCENARIO: Figure = Figure::known("scenario");
pub(crate) const SERVER: Figure = Figure::known("server");
pub(crate) const CLIENTS: Figure = Figure::known("clients");
pub(crate) const SIZE_BYTES: Figure = Figure::known("size_bytes");
pub(crate) const GROUPS: Figure = Figure::known("groups");
pub(crate) const RATE_PER_S: Figure = Figure::known("rate_per_s");
pub(crate) const WINDOW: Figure = Figure::known("window");
pub(crate) const SENT: Figure = Figure::known("sent");
pub(crate) const ACCEPTED: Figure = Figure::known("accepted");
pub(crate) const REFUSED: Figure = Figure::known("refused");
pub(crate) const EXPECTED: Figure = Figure::known("expected");
pub(crate) const DELIVERED: Figure = Figure::known("delivered");
pub(crate) const LOST: Figure = Figure::known("lost");
pub(crate) const DOUBLED: Figure = Figure::known("doubled");
pub(crate) const OUT_OF_ORDER: Figure = Figure::known("out_of_order");
pub(crate) const FOREIGN: Figure = Figure::known("foreign");
pub(crate) const TOOK_S: Figure = Figure::known("took_s");
pub(crate) const SENT_PER_S: Figure = Figure::known("sent_per_s");
pub(crate) const DELIVERIES_PER_S: Figure = Figure::known("deliveries_per_s");
pub(crate) const LATENCY_P50_US: Figure = Figure::known("latency_p50_us");
pub(crate) const LATENCY_P99_US: Figure = Figure::known("latency_p99_us");
pub(crate) const SERVER_CPU_S_PER_MILLION: Figure = Figure::known("server_cpu_s_per_million");
pub(crate) const SERVER_CPU_S: Figure = Figure::known("server_cpu_s");
pub(crate) const SERVER_BYTES_PER_CLIENT: Figure = Figure::known("server_bytes_per_client");
pub(crate) const SERVER_CORE_SHARE: Figure = Figure::known("server_core_share");
pub(crate) const SERVER_RSS_BYTES: Figure = Figure::known("server_rss_bytes");
pub(crate) const SERVER_PEAK_BYTES: Figure = Figure::known("server_peak_bytes");
pub(crate) const OWN_CPU_S: Figure = Figure::known("own_cpu_s");
pub(crate) const OWN_CORE_SHARE: Figure = Figure::known("own_core_share");
pub(crate) const OWN_BOTTLENECK: Figure = Figure::known("own_bottleneck");
pub(crate) const ENTERED_PER_S: Figure = Figure::known("entered_per_s");
pub(crate) const SERVER_CPU_WHILE_SILENT_S: Figure = Figure::known("server_cpu_while_silent_s");
pub(crate) const FILES_DELIVERED: Figure = Figure::known("files_delivered");
pub(crate) const BYTES_PER_S: Figure = Figure::known("bytes_per_s");
pub(crate) const WRONG_CHUNKS: Figure = Figure::known("wrong_chunks");
pub(crate) const LONGEST_WAIT_MS: Figure = Figure::known("longest_wait_ms");
pub(crate) const SERVER_PEAK_OVER_START_BYTES: Figure =
    Figure::known("server_peak_over_start_bytes");
pub(crate) const GUESSES_ASKED_PER_S: Figure = Figure::known("guesses_asked_per_s");
pub(crate) const GUESSES: Figure = Figure::known("guesses");
pub(crate) const GUESSES_PER_S: Figure = Figure::known("guesses_per_s");
pub(crate) const GUESS_CONNECTIONS: Figure = Figure::known("guess_connections");
pub(crate) const GUESSES_HELD_TURNS: Figure = Figure::known("guesses_held_turns");
pub(crate) const SERVER_HASHING_CPU_S: Figure = Figure::known("server_hashing_cpu_s");
pub(crate) const SERVER_PEAK_OVER_QUIET_BYTES: Figure =
    Figure::known("server_peak_over_quiet_bytes");
pub(crate) const LARGEST_GAP_MS: Figure = Figure::known("largest_gap_ms");
pub(crate) const LARGEST_GAP_EACH_MS: Figure = Figure::known("largest_gap_each_ms");
pub(crate) const DEAD: Figure = Figure::known("dead");
pub(crate) const DEAD_TOLD_TOO_SLOW: Figure = Figure::known("dead_told_too_slow");
pub(crate) const DEAD_MISSED_LEAST: Figure = Figure::known("dead_missed_least");
pub(crate) const DEAD_MISSED_MOST: Figure = Figure::known("dead_missed_most");
pub(crate) const DEAD_READ: Figure = Figure::known("dead_read");
pub(crate) const FIRST_ENTERED_S: Figure = Figure::known("first_entered_s");
pub(crate) const DOWN_S: Figure = Figure::known("down_s");
pub(crate) const RETURNED: Figure = Figure::known("returned");
pub(crate) const WITH_ACCOUNTS: Figure = Figure::known("with_accounts");
pub(crate) const LAST_IN_AFTER_S: Figure = Figure::known("last_in_after_s");
pub(crate) const IN_AFTER_P50_S: Figure = Figure::known("in_after_p50_s");
pub(crate) const IN_AFTER_P99_S: Figure = Figure::known("in_after_p99_s");
pub(crate) const TRIES: Figure = Figure::known("tries");
pub(crate) const CYCLES: Figure = Figure::known("cycles");
pub(crate) const CYCLES_PER_S: Figure = Figure::known("cycles_per_s");
pub(crate) const BROKEN: Figure = Figure::known("broken");
pub(crate) const DESCRIPTORS_BEFORE: Figure = Figure::known("descriptors_before");
pub(crate) const DESCRIPTORS_AFTER: Figure = Figure::known("descriptors_after");
pub(crate) const RSS_BEFORE_BYTES: Figure = Figure::known("rss_before_bytes");
pub(crate) const RSS_AFTER_TENTH_BYTES: Figure = Figure::known("rss_after_tenth_bytes");
pub(crate) const RSS_AFTER_BYTES: Figure = Figure::known("rss_after_bytes");
pub(crate) const RSS_GROWN_SINCE_TENTH_BYTES: Figure = Figure::known("rss_grown_since_tenth_bytes");
