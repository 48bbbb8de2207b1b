//! `chat`, `fanout` and `direct`: speakers speak at their pace, everybody else keeps count.
//!
//! With a window, each speaker has so many messages unanswered, and latency counts from the
//! sending. At a rate, messages are due at fixed moments whatever the server does, and latency
//! counts from the moment they were due: a server that stops for a second is charged for all that
//! should have been said in it.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::{Run, entrance, place};
use crate::dialect::{Heard, PLACING_ID_MAX, Template};
use crate::failure::Failure;
use crate::figure::ENTERED_PER_S;
use crate::ledger::{Layout, Ledger, Totals, Verdict};
use crate::options::{Pace, Plan};
use crate::progress::Progress;
use crate::report::{Meter, micros};
use crate::stamp::{self, Stamp};
use crate::swarm::{PATIENCE, Script, Swarm};
use crate::timeline::Timeline;

/// How long the end of a run waits for what has not come.
const LATE_WAIT: Duration = Duration::from_secs(3);
/// A latency above this is counted as this.
const LATENCY_MAX_NS: u64 = 600_000_000_000;

/// Runs it.
pub(super) fn run(run: Run<'_>) -> Result<(), Failure> {
    let Run { plan, server, swarm, report } = run;
    let entering = entrance::enter(plan, swarm, plan.clients)?;
    let meter = Meter::start(server);
    let mut talk = Talk::new(plan, swarm);
    talk.begin(swarm);
    swarm.run_until(&mut talk, "clients talk", Talk::is_over, |_| String::new())?;
    let used = meter.stop(server);
    let totals = talk.ledger.totals();
    report.pace(plan);
    report.talk(&totals, talk.took());
    report.latency(&talk.latency);
    report.used(&used, totals.delivered);
    if let Some(timeline) = talk.timeline.take() {
        report.over_time(timeline);
    }
    report.add(ENTERED_PER_S, plan.clients as f64 / entering.as_secs_f64());
    if let Some(trouble) = talk.trouble() {
        report.fault(trouble);
    }
    Ok(())
}

/// Speakers who speak, and the account of it.
pub(super) struct Talk {
    layout: Layout,
    /// Nothing where somebody else lets them speak.
    pace: Option<Pace>,
    size: usize,
    messages_max: u64,
    seconds: Duration,
    speakers: Vec<usize>,
    templates: Vec<Template>,
    ledger: Ledger,
    latency: Histogram<u64>,
    timeline: Option<Timeline>,
    progress: Progress,
    speaking: bool,
    begun_ns: u64,
    last_ns: u64,
    due: u64,
    cut: usize,
    byes: BTreeMap<String, usize>,
    gave_up: Option<String>,
}

impl Talk {
    pub(super) fn new(plan: &Plan, swarm: &Swarm) -> Self {
        let layout = plan.layout();
        let text = stamp::text(plan.size);
        let speakers: Vec<_> = layout.all_speakers().collect();
        let template = |&who: &usize| swarm.dialect.message(place(plan, who), &text);
        Self {
            layout,
            pace: Some(plan.pace),
            size: plan.size,
            messages_max: plan.messages.unwrap_or(u64::MAX),
            seconds: plan.seconds,
            templates: speakers.iter().map(template).collect(),
            speakers,
            ledger: Ledger::new(layout),
            latency: latency_histogram(),
            timeline: plan.plot.is_some().then(Timeline::new),
            progress: Progress::new(plan.scenario.name()),
            speaking: true,
            begun_ns: 0,
            last_ns: 0,
            due: 0,
            cut: 0,
            byes: BTreeMap::new(),
            gave_up: None,
        }
    }

    pub(super) fn begin(&mut self, swarm: &mut Swarm) {
        self.begun_ns = swarm.refresh_now();
        self.last_ns = self.begun_ns;
        match self.pace {
            None => {}
            Some(Pace::Rate(_)) => swarm.wake_at_ns(self.begun_ns),
            Some(Pace::Window(window)) => {
                for at in 0..self.speakers.len() {
                    (0..window).for_each(|_| self.say(swarm, at, swarm.now_ns()));
                }
                // What was said goes out at the end of a turn: make one.
                swarm.wake_at_ns(self.begun_ns);
            }
        }
    }

    /// One that begins now, and whose speakers somebody else lets speak.
    pub(super) fn begun(plan: &Plan, swarm: &Swarm) -> Self {
        let (begun_ns, last_ns) = (swarm.now_ns(), swarm.now_ns());
        Self { pace: None, begun_ns, last_ns, ..Self::new(plan, swarm) }
    }

    /// The time from the first message to the last delivery.
    pub(super) fn took(&self) -> Duration {
        Duration::from_nanos(self.last_ns - self.begun_ns)
    }

    /// Nobody says anything more, whether the time is over or not.
    pub(super) fn end(&mut self) {
        self.speaking = false;
    }

    /// Whether anybody may still speak.
    pub(super) fn is_speaking(&self) -> bool {
        self.speaking
    }

    /// What was said and heard.
    pub(super) fn totals(&self) -> Totals {
        self.ledger.totals()
    }

    /// The sums of it so far.
    pub(super) fn so_far(&self) -> &Totals {
        self.ledger.so_far()
    }

    /// Whether everything that was said is answered and was heard.
    pub(super) fn is_settled(&self) -> bool {
        self.ledger.is_settled()
    }

    /// How many have lost their connection.
    pub(super) fn cut(&self) -> usize {
        self.cut
    }

    /// How late it was heard.
    pub(super) fn latency(&self) -> &Histogram<u64> {
        &self.latency
    }

    /// What has gone wrong besides what the ledger tells.
    pub(super) fn trouble(&self) -> Option<String> {
        let told = &self.byes;
        let cut = format!("{} clients lost their connection; told why: {told:?}", self.cut);
        (self.cut > 0).then_some(cut).or(self.gave_up.clone())
    }

    pub(super) fn is_over(&mut self, swarm: &mut Swarm) -> bool {
        let quiet = swarm.quiet_for();
        if self.cut == self.layout.clients {
            self.gave_up = Some("nobody has a connection any more".to_owned());
            return true;
        }
        if self.speaking && quiet >= PATIENCE {
            self.gave_up =
                Some(format!("no progress for {} s; the run was ended", quiet.as_secs()));
            return true;
        }
        if !self.speaking && quiet >= LATE_WAIT {
            self.gave_up = Some(format!("waited {} s for what never came", quiet.as_secs()));
            return true;
        }
        !self.speaking && self.ledger.is_settled()
    }

    /// Speaker number `at` says something that is due at `due_ns`.
    pub(super) fn say(&mut self, swarm: &mut Swarm, at: usize, due_ns: u64) {
        let who = self.speakers[at];
        if self.ledger.so_far().sent >= self.messages_max {
            self.speaking = false;
        }
        if !self.speaking || !swarm.is_open(who) {
            return;
        }
        let number = self.ledger.on_sent(who);
        let template = &mut self.templates[at];
        template.number(number);
        Stamp { sender: who, number, due_ns }.emit(&mut template.frame[template.text_at..]);
        swarm.say(who).extend_from_slice(&template.frame);
    }

    fn say_what_is_due(&mut self, swarm: &mut Swarm, rate: f64) {
        while self.speaking {
            let due_ns = self.begun_ns + (self.due as f64 * 1e9 / rate) as u64;
            if due_ns > swarm.now_ns() {
                return swarm.wake_at_ns(due_ns);
            }
            self.say(swarm, self.due as usize % self.speakers.len(), due_ns);
            self.due += 1;
        }
    }

    /// What the account says to a text; nothing, if it is the echo of your own or no text of ours.
    pub(super) fn on_said(
        &mut self,
        swarm: &mut Swarm,
        who: usize,
        text: &[u8],
    ) -> Option<Verdict> {
        let Some(stamp) = Stamp::parse(text).filter(|_| text.len() == self.size) else {
            self.ledger.on_garbage();
            return None;
        };
        if stamp.sender == who && swarm.dialect.echoes() {
            return None;
        }
        let verdict = self.ledger.on_delivery(who, stamp.sender, stamp.number);
        if matches!(verdict, Verdict::New | Verdict::OutOfOrder) {
            self.last_ns = swarm.now_ns();
            let latency_ns = self.last_ns.saturating_sub(stamp.due_ns);
            record(&mut self.latency, latency_ns);
            if let Some(timeline) = &mut self.timeline {
                timeline.note(self.last_ns - self.begun_ns, latency_ns);
            }
            swarm.progress();
        }
        Some(verdict)
    }

    fn on_answer(&mut self, swarm: &mut Swarm, who: usize, ok: bool) {
        self.ledger.on_answer(who, ok);
        swarm.progress();
        if matches!(self.pace, Some(Pace::Window(_))) && self.layout.speaks(who) {
            let at = who / self.layout.group * self.layout.speakers + who % self.layout.group;
            self.say(swarm, at, swarm.now_ns());
        }
    }
}

impl Script for Talk {
    fn on_heard(&mut self, swarm: &mut Swarm, who: usize, heard: Heard<'_>) {
        match heard {
            Heard::Said(text) => {
                self.on_said(swarm, who, text);
            }
            Heard::Answer { id, ok, .. } if id > PLACING_ID_MAX => self.on_answer(swarm, who, ok),
            Heard::Bye { reason, .. } => *self.byes.entry(reason).or_default() += 1,
            Heard::Ping(token) => swarm.dialect.sign_of_life(swarm.say(who), token),
            _ => {}
        }
    }

    fn on_closed(&mut self, _: &mut Swarm, _: usize) {
        self.cut += 1;
    }

    fn on_turn(&mut self, swarm: &mut Swarm) {
        let spoken = Duration::from_nanos(swarm.now_ns() - self.begun_ns);
        self.speaking &= spoken < self.seconds;
        if let Some(Pace::Rate(rate)) = self.pace {
            self.say_what_is_due(swarm, rate);
        }
        let (sums, latency) = (self.ledger.so_far(), &self.latency);
        self.progress.show(|| {
            let p99 = micros(latency.value_at_quantile(0.99));
            let seconds = spoken.as_secs_f64();
            let per_s = sums.delivered as f64 / seconds;
            let (sent, delivered) = (sums.sent, sums.delivered);
            format!(
                "{seconds:.1} s  sent {sent}  delivered {delivered}  {per_s:.0}/s  p99 {p99} us"
            )
        });
    }
}

/// An empty histogram of nanoseconds, true to three digits.
pub(super) fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1000, LATENCY_MAX_NS, 3).expect("the bounds are in order")
}

/// Notes a time in it.
pub(super) fn record(latency: &mut Histogram<u64>, ns: u64) {
    latency.saturating_record(ns.clamp(1000, LATENCY_MAX_NS));
}
