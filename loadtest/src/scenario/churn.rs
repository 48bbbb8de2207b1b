//! `churn`: clients come, join, leave and go, so many at once, until so many have been; or they
//! only connect and close. What is left behind in the server?

use std::thread;
use std::time::{Duration, Instant};

use super::{Run, place};
use crate::dialect::Heard;
use crate::failure::Failure;
use crate::figure::{
    BROKEN, CYCLES, CYCLES_PER_S, DESCRIPTORS_AFTER, DESCRIPTORS_BEFORE, REFUSED, RSS_AFTER_BYTES,
    RSS_AFTER_TENTH_BYTES, RSS_BEFORE_BYTES, RSS_GROWN_SINCE_TENTH_BYTES,
};
use crate::options::Plan;
use crate::process::Usage;
use crate::progress::Progress;
use crate::report::{Meter, Report};
use crate::server::Server;
use crate::swarm::{Script, Swarm};

/// How long the server may take to see the last connections end.
const SETTLE: Duration = Duration::from_secs(3);
const SETTLE_LOOK: Duration = Duration::from_millis(10);

struct Churn<'a> {
    plan: &'a Plan,
    server: &'a Server,
    progress: Progress,
    begun: usize,
    done: usize,
    broken: usize,
    refused: usize,
    last_ids: Vec<u64>,
    entered: Vec<bool>,
    after_tenth: Option<Usage>,
    problem: Option<Failure>,
}

/// Runs it.
pub(super) fn run(run: Run<'_>) -> Result<(), Failure> {
    let Run { plan, server, swarm, report } = run;
    let mut churn = Churn::new(plan, server);
    let before = server.usage();
    let meter = Meter::start(server);
    let begun = Instant::now();
    for slot in 0..plan.concurrent {
        churn.begin(swarm, slot);
    }
    swarm.run_until(
        &mut churn,
        "clients come and go",
        |churn, _| churn.done == plan.clients || churn.problem.is_some(),
        |churn| format!("{} of {} are done", churn.done, plan.clients),
    )?;
    if let Some(problem) = churn.problem.take() {
        return Err(problem);
    }
    let took = begun.elapsed();
    let used = meter.stop(server);
    report.add(CYCLES, plan.clients as u64);
    report.add(CYCLES_PER_S, plan.clients as f64 / took.as_secs_f64());
    report.add(BROKEN, churn.broken as u64);
    report.add(REFUSED, churn.refused as u64);
    report.used(&used, 0);
    if churn.broken + churn.refused > 0 {
        report.fault(format!("{} cycles did not end well", churn.broken + churn.refused));
    }
    if let (Some(before), Some(tenth)) = (before, churn.after_tenth) {
        left_behind(server, before, tenth, report);
    }
    Ok(())
}

fn left_behind(server: &Server, before: Usage, tenth: Usage, report: &mut Report) {
    let asked = Instant::now();
    let mut after = server.usage().unwrap_or_default();
    while after.descriptors != before.descriptors && asked.elapsed() < SETTLE {
        thread::sleep(SETTLE_LOOK);
        after = server.usage().unwrap_or_default();
    }
    report.add(DESCRIPTORS_BEFORE, before.descriptors);
    report.add(DESCRIPTORS_AFTER, after.descriptors);
    report.add(RSS_BEFORE_BYTES, before.rss_bytes);
    report.add(RSS_AFTER_TENTH_BYTES, tenth.rss_bytes);
    report.add(RSS_AFTER_BYTES, after.rss_bytes);
    let grown = after.rss_bytes as i64 - tenth.rss_bytes as i64;
    report.add(RSS_GROWN_SINCE_TENTH_BYTES, grown);
    if after.descriptors != before.descriptors {
        report.fault("the server holds another number of descriptors than before".to_owned());
    }
}

impl<'a> Churn<'a> {
    fn new(plan: &'a Plan, server: &'a Server) -> Self {
        Self {
            plan,
            server,
            progress: Progress::new("churn"),
            begun: 0,
            done: 0,
            broken: 0,
            refused: 0,
            last_ids: vec![0; plan.concurrent],
            entered: vec![false; plan.concurrent],
            after_tenth: None,
            problem: None,
        }
    }

    fn begin(&mut self, swarm: &mut Swarm, slot: usize) {
        if self.begun < self.plan.clients && self.problem.is_none() {
            self.begun += 1;
            self.entered[slot] = false;
            self.problem = swarm.open(slot).err();
        }
    }

    fn end(&mut self, swarm: &mut Swarm, slot: usize) {
        self.done += 1;
        swarm.progress();
        if self.done == self.plan.clients.div_ceil(10) {
            self.after_tenth = self.server.usage();
        }
        self.begin(swarm, slot);
    }
}

impl Script for Churn<'_> {
    fn on_connected(&mut self, swarm: &mut Swarm, slot: usize) {
        let dialect = swarm.dialect;
        if self.plan.connect_only {
            // The server's end of the connection says that it has seen ours.
            self.entered[slot] = true;
            return swarm.shut(slot);
        }
        self.last_ids[slot] = dialect.enter(swarm.say(slot), slot, place(self.plan, slot));
    }

    fn on_heard(&mut self, swarm: &mut Swarm, slot: usize, heard: Heard<'_>) {
        let dialect = swarm.dialect;
        match heard {
            Heard::Answer { id, ok: true, .. } if id == self.last_ids[slot] => {
                self.entered[slot] = true;
                dialect.leave(swarm.say(slot));
                dialect.exit(swarm.say(slot));
            }
            Heard::Answer { ok: false, .. } => {
                self.refused += 1;
                swarm.close(slot);
                self.end(swarm, slot);
            }
            _ => {}
        }
    }

    fn on_closed(&mut self, swarm: &mut Swarm, slot: usize) {
        self.broken += usize::from(!self.entered[slot]);
        self.end(swarm, slot);
    }

    fn on_turn(&mut self, _: &mut Swarm) {
        let (done, clients) = (self.done, self.plan.clients);
        self.progress.show(|| format!("{done} of {clients}"));
    }
}
