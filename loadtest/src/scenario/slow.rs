//! `slow`: one room in which one member speaks as fast as the server takes it, some read, and some
//! never read. The readers must hear everything without a pause; those who never read must be cut,
//! told why and how much they missed; and the server must not hoard what nobody takes.
//!
//! Client 0 speaks, the healthy ones follow, the dead ones come last.

use std::time::Duration;

use super::{entrance, place};
use crate::dialect::{Heard, PLACING_ID_MAX, Template};
use crate::failure::Failure;
use crate::ledger::{Ledger, Verdict};
use crate::options::Plan;
use crate::progress::Progress;
use crate::report::{Meter, Report};
use crate::server::Server;
use crate::stamp::{self, Stamp};
use crate::swarm::{PATIENCE, Script, Swarm};

const SPEAKER: usize = 0;
/// What the speaker has ready beside what the kernel has taken.
const READY_BYTES: usize = 128 * 1024;
/// How soon the speaker looks whether the kernel takes more.
const AGAIN_NS: u64 = 20_000;
/// How long the dead are given to read what there is, once they read nothing new.
const WAKE_WAIT: Duration = Duration::from_secs(3);

/// What became of one that never read.
#[derive(Clone, Debug, Default)]
struct Fate {
    read: u64,
    bye: Option<(String, u64)>,
    closed: bool,
}

struct Slow {
    messages: u64,
    size: usize,
    template: Template,
    ledger: Ledger,
    first_dead: usize,
    fates: Vec<Fate>,
    last_at_ns: Vec<u64>,
    largest_gap_ns: Vec<u64>,
    begun_ns: u64,
    last_ns: u64,
    cut: usize,
    gave_up: Option<String>,
    waking: bool,
    progress: Progress,
}

/// Runs it.
pub(super) fn run(
    plan: &Plan,
    server: &Server,
    swarm: &mut Swarm,
    report: &mut Report,
) -> Result<(), Failure> {
    let from_start = Meter::start(server);
    entrance::enter(plan, swarm, plan.clients + plan.dead)?;
    for who in plan.clients..plan.clients + plan.dead {
        swarm.set_deaf(who, true);
    }
    let meter = Meter::start(server);
    let mut slow = Slow::new(plan, swarm);
    swarm.run_until(&mut slow, "one speaks", Slow::is_over, |_| String::new())?;
    let used = meter.stop(server);
    slow.wake_the_dead(swarm)?;

    let totals = slow.ledger.totals();
    report.talk(&totals, Duration::from_nanos(slow.last_ns - slow.begun_ns));
    report.used(&used, totals.delivered);
    report
        .add_some("server_peak_over_start_bytes", from_start.stop(server).peak_over_start_bytes());
    slow.tell(report);
    Ok(())
}

impl Slow {
    fn new(plan: &Plan, swarm: &mut Swarm) -> Self {
        let now_ns = swarm.refresh_now();
        swarm.wake_at_ns(now_ns);
        Self {
            messages: plan.messages.unwrap_or(u64::MAX),
            size: plan.size,
            template: swarm.dialect.message(place(plan, SPEAKER), &stamp::text(plan.size)),
            ledger: Ledger::new(plan.layout()),
            first_dead: plan.clients,
            fates: vec![Fate::default(); plan.dead],
            last_at_ns: vec![now_ns; plan.clients],
            largest_gap_ns: vec![0; plan.clients],
            begun_ns: now_ns,
            last_ns: now_ns,
            cut: 0,
            gave_up: None,
            waking: false,
            progress: Progress::new("slow"),
        }
    }

    fn is_over(&mut self, swarm: &mut Swarm) -> bool {
        if swarm.quiet_for() >= PATIENCE {
            let seconds = PATIENCE.as_secs();
            self.gave_up = Some(format!("no progress for {seconds} s; the run was ended"));
            return true;
        }
        self.ledger.so_far().sent == self.messages && self.ledger.is_settled()
    }

    fn speak(&mut self, swarm: &mut Swarm) {
        if self.ledger.so_far().sent == self.messages || !swarm.is_open(SPEAKER) {
            return;
        }
        if swarm.pending(SPEAKER) >= READY_BYTES {
            // The kernel is full; the writable edge makes the next turn.
            return;
        }
        let due_ns = swarm.now_ns();
        while swarm.pending(SPEAKER) < READY_BYTES && self.ledger.so_far().sent < self.messages {
            let number = self.ledger.on_sent(SPEAKER);
            self.template.number(number);
            let text = &mut self.template.frame[self.template.text_at..];
            Stamp { sender: SPEAKER, number, due_ns }.emit(text);
            swarm.say(SPEAKER).extend_from_slice(&self.template.frame);
        }
        swarm.wake_at_ns(due_ns + AGAIN_NS);
    }

    fn on_said(&mut self, swarm: &mut Swarm, who: usize, text: &[u8]) {
        let now_ns = swarm.now_ns();
        swarm.progress();
        if let Some(fate) = self.fate(who) {
            fate.read += 1;
            return;
        }
        let Some(stamp) = Stamp::parse(text).filter(|_| text.len() == self.size) else {
            return self.ledger.on_garbage();
        };
        if self.ledger.on_delivery(who, stamp.sender, stamp.number) == Verdict::New {
            let gap_ns = now_ns - self.last_at_ns[who];
            self.largest_gap_ns[who] = self.largest_gap_ns[who].max(gap_ns);
            self.last_at_ns[who] = now_ns;
            self.last_ns = now_ns;
        }
    }

    fn fate(&mut self, who: usize) -> Option<&mut Fate> {
        self.fates.get_mut(who.checked_sub(self.first_dead)?)
    }

    /// Those who never read now read all there is, up to the last words.
    fn wake_the_dead(&mut self, swarm: &mut Swarm) -> Result<(), Failure> {
        self.waking = true;
        for who in self.first_dead..self.first_dead + self.fates.len() {
            swarm.set_deaf(who, false);
            swarm.read(self, who, true);
        }
        let done = |slow: &mut Self, swarm: &mut Swarm| {
            let over = |fate: &Fate| fate.closed;
            slow.fates.iter().all(over) || swarm.quiet_for() >= WAKE_WAIT
        };
        swarm.run_until(self, "the dead read", done, |_| String::new())
    }

    fn tell(self, report: &mut Report) {
        let gaps_ms: Vec<f64> =
            self.largest_gap_ns[1..].iter().map(|ns| (ns / 1000) as f64 / 1000.0).collect();
        report.add("largest_gap_ms", gaps_ms.iter().copied().fold(0.0, f64::max));
        report.add("largest_gap_each_ms", gaps_ms);
        let is_told = |fate: &&Fate| {
            fate.bye.as_ref().is_some_and(|(reason, missed)| reason == "too_slow" && *missed > 0)
        };
        let told: Vec<_> = self.fates.iter().filter(is_told).collect();
        let missed = || told.iter().filter_map(|fate| fate.bye.as_ref()).map(|bye| bye.1);
        report.add("dead", self.fates.len() as u64);
        report.add("dead_told_too_slow", told.len() as u64);
        report.add("dead_missed_least", missed().min().unwrap_or(0));
        report.add("dead_missed_most", missed().max().unwrap_or(0));
        report.add("dead_read", self.fates.iter().map(|fate| fate.read).sum::<u64>());
        if told.len() < self.fates.len() {
            let other = self.fates.iter().find(|fate| !is_told(fate));
            report.fault(format!("not every dead reader was told what it missed: {other:?}"));
        }
        if self.cut > 0 {
            report.fault(format!("{} who were not dead lost their connection", self.cut));
        }
        if let Some(why) = self.gave_up {
            report.fault(why);
        }
    }
}

impl Script for Slow {
    fn on_heard(&mut self, swarm: &mut Swarm, who: usize, heard: Heard<'_>) {
        match heard {
            Heard::Said(text) => self.on_said(swarm, who, text),
            Heard::Answer { id, ok, .. } if id > PLACING_ID_MAX => {
                self.ledger.on_answer(who, ok);
                swarm.progress();
            }
            Heard::Bye { reason, missed } => {
                if let Some(fate) = self.fate(who) {
                    fate.bye = Some((reason, missed));
                    swarm.progress();
                }
            }
            Heard::Ping(token) => swarm.dialect.sign_of_life(swarm.say(who), token),
            _ => {}
        }
    }

    fn on_closed(&mut self, _: &mut Swarm, who: usize) {
        match self.fate(who) {
            Some(fate) => fate.closed = true,
            None => self.cut += 1,
        }
    }

    fn on_turn(&mut self, swarm: &mut Swarm) {
        if !self.waking {
            self.speak(swarm);
        }
        let sums = self.ledger.so_far();
        self.progress.show(|| format!("sent {}  delivered {}", sums.sent, sums.delivered));
    }
}
