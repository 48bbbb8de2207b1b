//! `slow`: one room in which one member speaks as fast as the server takes it, some read, and some
//! never read. The readers must hear everything without a pause; those who never read must be cut,
//! told why and how much they missed; and the server must not hoard what nobody takes.
//!
//! Client 0 speaks, the healthy ones follow, the dead ones come last.

use std::time::Duration;

use super::talk::Talk;
use super::{Run, entrance};
use crate::dialect::Heard;
use crate::failure::Failure;
use crate::figure::{
    DEAD, DEAD_MISSED_LEAST, DEAD_MISSED_MOST, DEAD_READ, DEAD_TOLD_TOO_SLOW, LARGEST_GAP_EACH_MS,
    LARGEST_GAP_MS, SERVER_PEAK_OVER_START_BYTES,
};
use crate::ledger::Verdict;
use crate::options::Plan;
use crate::progress::Progress;
use crate::report::{Meter, Report};
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

/// A talk whose only speaker speaks as fast as it is taken, and those who never read beside it.
struct Slow {
    talk: Talk,
    messages: u64,
    first_dead: usize,
    fates: Vec<Fate>,
    last_at_ns: Vec<u64>,
    largest_gap_ns: Vec<u64>,
    gave_up: Option<String>,
    waking: bool,
    progress: Progress,
}

/// Runs it.
pub(super) fn run(run: Run<'_>) -> Result<(), Failure> {
    let Run { plan, server, swarm, report } = run;
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

    let totals = slow.talk.totals();
    report.talk(&totals, slow.talk.took());
    report.used(&used, totals.delivered);
    report.add_some(SERVER_PEAK_OVER_START_BYTES, from_start.stop(server).peak_over_start_bytes());
    slow.tell(report);
    Ok(())
}

impl Slow {
    fn new(plan: &Plan, swarm: &mut Swarm) -> Self {
        let now_ns = swarm.refresh_now();
        swarm.wake_at_ns(now_ns);
        Self {
            talk: Talk::begun(plan, swarm),
            messages: plan.messages.unwrap_or(u64::MAX),
            first_dead: plan.clients,
            fates: vec![Fate::default(); plan.dead],
            last_at_ns: vec![now_ns; plan.clients],
            largest_gap_ns: vec![0; plan.clients],
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
        self.talk.so_far().sent == self.messages && self.talk.is_settled()
    }

    fn speak(&mut self, swarm: &mut Swarm) {
        if self.talk.so_far().sent == self.messages || !swarm.is_open(SPEAKER) {
            return;
        }
        if swarm.pending(SPEAKER) >= READY_BYTES {
            // The kernel is full; the writable edge makes the next turn.
            return;
        }
        let due_ns = swarm.now_ns();
        while swarm.pending(SPEAKER) < READY_BYTES && self.talk.so_far().sent < self.messages {
            self.talk.say(swarm, SPEAKER, due_ns);
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
        if self.talk.on_said(swarm, who, text) == Some(Verdict::New) {
            let gap_ns = now_ns - self.last_at_ns[who];
            self.largest_gap_ns[who] = self.largest_gap_ns[who].max(gap_ns);
            self.last_at_ns[who] = now_ns;
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
        report.add(LARGEST_GAP_MS, gaps_ms.iter().copied().fold(0.0, f64::max));
        report.add(LARGEST_GAP_EACH_MS, gaps_ms);
        let is_told = |fate: &&Fate| {
            fate.bye.as_ref().is_some_and(|(reason, missed)| reason == "too_slow" && *missed > 0)
        };
        let told: Vec<_> = self.fates.iter().filter(is_told).collect();
        let missed = || told.iter().filter_map(|fate| fate.bye.as_ref()).map(|bye| bye.1);
        report.add(DEAD, self.fates.len() as u64);
        report.add(DEAD_TOLD_TOO_SLOW, told.len() as u64);
        report.add(DEAD_MISSED_LEAST, missed().min().unwrap_or(0));
        report.add(DEAD_MISSED_MOST, missed().max().unwrap_or(0));
        report.add(DEAD_READ, self.fates.iter().map(|fate| fate.read).sum::<u64>());
        if told.len() < self.fates.len() {
            let other = self.fates.iter().find(|fate| !is_told(fate));
            report.fault(format!("not every dead reader was told what it missed: {other:?}"));
        }
        let cut = self.talk.cut();
        if cut > 0 {
            report.fault(format!("{cut} who were not dead lost their connection"));
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
            Heard::Bye { reason, missed } => {
                if let Some(fate) = self.fate(who) {
                    fate.bye = Some((reason, missed));
                    swarm.progress();
                }
            }
            other => self.talk.on_heard(swarm, who, other),
        }
    }

    fn on_closed(&mut self, swarm: &mut Swarm, who: usize) {
        match self.fate(who) {
            Some(fate) => fate.closed = true,
            None => self.talk.on_closed(swarm, who),
        }
    }

    fn on_turn(&mut self, swarm: &mut Swarm) {
        if !self.waking {
            self.speak(swarm);
        }
        let sums = self.talk.so_far();
        self.progress.show(|| format!("sent {}  delivered {}", sums.sent, sums.delivered));
    }
}
