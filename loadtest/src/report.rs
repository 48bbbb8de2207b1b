//! What a run found: a list of named figures, printed as a table or as one JSON object, and the
//! verdict. Knows no scenario. The rule it keeps: units come last in the names, and what is not
//! known is left out.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::figure::{
    ACCEPTED, CLIENTS, DELIVERED, DELIVERIES_PER_S, DOUBLED, EXPECTED, FOREIGN, Figure, GROUPS,
    LOST, OUT_OF_ORDER, OWN_BOTTLENECK, OWN_CORE_SHARE, OWN_CPU_S, RATE_PER_S, REFUSED, SCENARIO,
    SENT, SENT_PER_S, SERVER, SERVER_CORE_SHARE, SERVER_CPU_S, SERVER_CPU_S_PER_MILLION,
    SERVER_PEAK_BYTES, SERVER_RSS_BYTES, SIZE_BYTES, TOOK_S, WINDOW,
};
use crate::ledger::Totals;
use crate::options::{Pace, Plan, Target};
use crate::process::{Process, Usage};
use crate::server::Server;
use crate::timeline::{Slice, Timeline};

/// Above this share of a core the load generator is taken for the bottleneck.
const OWN_CORE_SHARE_MAX: f64 = 0.9;

/// The figures of a run.
pub(crate) struct Report {
    figures: Vec<(Figure, Value)>,
    notes: Vec<String>,
    timeline: Vec<Slice>,
    sound: bool,
}

impl Report {
    /// Begins with what was asked for.
    pub(crate) fn new(plan: &Plan, address: SocketAddr) -> Self {
        let mut report =
            Self { figures: Vec::new(), notes: Vec::new(), timeline: Vec::new(), sound: true };
        report.add(SCENARIO, plan.scenario.name());
        report.add(
            SERVER,
            match &plan.target {
                Target::Bare => "bare".to_owned(),
                Target::Binary(path) => path.display().to_string(),
                Target::Address { dialect, .. } => format!("{}://{address}", dialect.name()),
            },
        );
        report.add(CLIENTS, (plan.clients + plan.dead) as u64);
        report.add(SIZE_BYTES, plan.size as u64);
        report
    }

    /// Adds how the speakers were asked to speak.
    pub(crate) fn pace(&mut self, plan: &Plan) {
        self.add(GROUPS, (plan.clients / plan.layout().group) as u64);
        match plan.pace {
            Pace::Rate(rate) => self.add(RATE_PER_S, rate),
            Pace::Window(window) => self.add(WINDOW, window),
        }
    }

    /// Adds a figure.
    pub(crate) fn add(&mut self, figure: Figure, value: impl Into<Value>) {
        let value = value.into();
        // Three decimals are more than any figure here is true to.
        let value = match value.as_f64().filter(|_| value.is_f64()) {
            Some(float) => json!((float * 1000.0).round() / 1000.0),
            None => value,
        };
        self.figures.push((figure, value));
    }

    /// Adds a figure if it is known.
    pub(crate) fn add_some(&mut self, figure: Figure, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.add(figure, value);
        }
    }

    /// Adds a remark.
    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Adds a remark that makes the run a failed one.
    pub(crate) fn fault(&mut self, text: String) {
        self.sound = false;
        self.notes.push(text);
    }

    /// Adds the accounting; anything but every message once and in order is a fault.
    pub(crate) fn talk(&mut self, totals: &Totals, took: Duration) {
        self.add(SENT, totals.sent);
        self.add(ACCEPTED, totals.accepted);
        self.add(REFUSED, totals.refused);
        self.add(EXPECTED, totals.expected);
        self.add(DELIVERED, totals.delivered);
        self.add(LOST, totals.lost);
        self.add(DOUBLED, totals.doubled);
        self.add(OUT_OF_ORDER, totals.out_of_order);
        self.add(FOREIGN, totals.foreign);
        let seconds = took.as_secs_f64().max(1e-9);
        self.add(TOOK_S, seconds);
        self.add(SENT_PER_S, (totals.sent as f64 / seconds).round());
        self.add(DELIVERIES_PER_S, (totals.delivered as f64 / seconds).round());
        if !totals.is_sound() {
            self.fault("not every message came once and in order".to_owned());
        }
    }

    /// Adds the percentiles of a histogram of nanoseconds.
    pub(crate) fn latency(&mut self, latency: &Histogram<u64>) {
        self.latency_of("", latency);
    }

    /// The same for a part of the run.
    pub(crate) fn latency_of(&mut self, part: &str, latency: &Histogram<u64>) {
        if latency.is_empty() {
            return;
        }
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
            let value = latency.value_at_quantile(quantile);
            self.add(Figure::named(format!("{part}latency_{name}_us")), micros(value));
        }
        self.add(Figure::named(format!("{part}latency_max_us")), micros(latency.max()));
    }

    /// Adds what the run cost the server and us; `delivered` of 0 has no price.
    pub(crate) fn used(&mut self, used: &Used, delivered: u64) {
        if let Some((before, after)) = used.server {
            let cpu_s = after.cpu_s - before.cpu_s;
            self.add(SERVER_CPU_S, cpu_s);
            self.add(SERVER_CORE_SHARE, cpu_s / used.took_s);
            if delivered > 0 {
                self.add(SERVER_CPU_S_PER_MILLION, cpu_s * 1e6 / delivered as f64);
            }
            self.add(SERVER_RSS_BYTES, after.rss_bytes);
            self.add(SERVER_PEAK_BYTES, after.peak_bytes);
        }
        self.add(OWN_CPU_S, used.own_cpu_s);
        let share = used.own_cpu_s / used.took_s;
        self.add(OWN_CORE_SHARE, share);
        let bottleneck = share > OWN_CORE_SHARE_MAX;
        self.add(OWN_BOTTLENECK, bottleneck);
        if bottleneck {
            let percent = (share * 100.0).round();
            self.note(format!(
                "the load test itself was the bottleneck: it used {percent} % of a core, so the \
                 server may be faster than this"
            ));
        }
    }

    /// Keeps the run over time, for a picture.
    pub(crate) fn over_time(&mut self, timeline: Timeline) {
        self.timeline = timeline.finish();
    }

    /// The run over time, if it was kept.
    pub(crate) fn timeline(&self) -> &[Slice] {
        &self.timeline
    }

    /// What was asked for, in a line.
    pub(crate) fn title(&self) -> String {
        let asked = [SCENARIO, SERVER, CLIENTS, SIZE_BYTES, GROUPS, WINDOW, RATE_PER_S];
        let known = self.figures.iter().filter(|(figure, _)| asked.contains(figure));
        let word = |(figure, value): &(Figure, Value)| match value {
            Value::String(text) => text.rsplit('/').next().unwrap_or(text).to_owned(),
            number => format!("{} {number}", figure.words()),
        };
        known.map(word).collect::<Vec<_>>().join(", ")
    }

    /// Whether all is as it should be.
    pub(crate) fn is_sound(&self) -> bool {
        self.sound
    }

    /// A figure, for those who look at a report.
    pub(crate) fn figure(&self, figure: &Figure) -> &Value {
        self.figures
            .iter()
            .find(|(known, _)| known == figure)
            .map_or(&Value::Null, |(_, value)| value)
    }

    /// A run that could not be finished, as one JSON object.
    pub(crate) fn failure_to_json(failure: &Failure) -> String {
        json!({ "failure": failure.to_string(), "sound": false }).to_string()
    }

    /// As one JSON object, in the order of the run.
    pub(crate) fn to_json(&self) -> String {
        let ends = [("notes", json!(self.notes)), ("sound", json!(self.sound))];
        let figures = self.figures.iter().map(|(figure, value)| (figure.name(), value));
        let all = figures.chain(ends.iter().map(|(name, value)| (*name, value)));
        let members: Vec<_> = all.map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        format!("{{{}}}", members.join(","))
    }

    /// As a table for people.
    pub(crate) fn to_table(&self) -> String {
        let mut table = String::new();
        for (figure, value) in &self.figures {
            table.push_str(&format!("{:<32}{:>20}\n", figure.words(), shown(value)));
        }
        for note in &self.notes {
            table.push_str(&format!("note: {note}\n"));
        }
        table.push_str(if self.sound { "sound\n" } else { "NOT SOUND\n" });
        table
    }
}

/// Nanoseconds as microseconds.
pub(crate) fn micros(ns: u64) -> u64 {
    ns / 1000
}

/// Looks at the clock and at who used what.
pub(crate) struct Meter {
    begun: Instant,
    server: Option<Usage>,
    own: Usage,
}

/// What was used between two looks.
pub(crate) struct Used {
    took_s: f64,
    server: Option<(Usage, Usage)>,
    own_cpu_s: f64,
}

impl Meter {
    /// The first look.
    pub(crate) fn start(server: &Server) -> Self {
        Self { server: server.usage(), own: Process::own().usage(), begun: Instant::now() }
    }

    /// The second look.
    pub(crate) fn stop(&self, server: &Server) -> Used {
        Used {
            took_s: self.begun.elapsed().as_secs_f64(),
            own_cpu_s: Process::own().usage().cpu_s - self.own.cpu_s,
            server: self.server.zip(server.usage()),
        }
    }
}

impl Used {
    /// Processor time of the server in seconds.
    pub(crate) fn server_cpu_s(&self) -> Option<f64> {
        self.server.map(|(before, after)| after.cpu_s - before.cpu_s)
    }

    /// By how much the resident memory of the server grew, in bytes.
    pub(crate) fn rss_grown_bytes(&self) -> Option<u64> {
        self.server.map(|(before, after)| after.rss_bytes.saturating_sub(before.rss_bytes))
    }

    /// By how much the server's memory at its peak was over that of the first look, in bytes.
    pub(crate) fn peak_over_start_bytes(&self) -> Option<u64> {
        self.server.map(|(before, after)| after.peak_bytes.saturating_sub(before.rss_bytes))
    }
}

/// With the thousands apart.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => return text.clone(),
        other => other.to_string(),
    };
    if !value.is_number() {
        return text;
    }
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (value, text) in [
            (json!(0), "0"),
            (json!(999), "999"),
            (json!(1000), "1,000"),
            (json!(-1234567), "-1,234,567"),
            (json!(-123), "-123"),
            (json!(12345.678), "12,345.678"),
            (json!("12345"), "12345"),
        ] {
            assert_eq!(shown(&value), text);
        }
    }
}
