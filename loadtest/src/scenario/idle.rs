//! `idle`: everybody joins and is silent; what does a silent client cost?

use super::{Run, entrance};
use crate::dialect::Heard;
use crate::failure::Failure;
use crate::figure::{ENTERED_PER_S, SERVER_BYTES_PER_CLIENT, SERVER_CPU_WHILE_SILENT_S};
use crate::progress::Progress;
use crate::report::Meter;
use crate::swarm::{Script, Swarm};

struct Idle {
    progress: Progress,
    cut: usize,
}

/// Runs it.
pub(super) fn run(run: Run<'_>) -> Result<(), Failure> {
    let Run { plan, server, swarm, report } = run;
    let meter = Meter::start(server);
    let entering = entrance::enter(plan, swarm, plan.clients)?;
    let entered = meter.stop(server);
    let mut idle = Idle { progress: Progress::new("idle"), cut: 0 };
    let resting = Meter::start(server);
    let until_ns = swarm.refresh_now() + plan.seconds.as_nanos() as u64;
    while swarm.now_ns() < until_ns {
        swarm.turn(&mut idle)?;
    }
    let rested = resting.stop(server);

    report.add(ENTERED_PER_S, plan.clients as f64 / entering.as_secs_f64());
    report.used(&entered, 0);
    if let Some(grown) = entered.rss_grown_bytes() {
        report.add(SERVER_BYTES_PER_CLIENT, grown as f64 / plan.clients as f64);
    }
    report.add_some(SERVER_CPU_WHILE_SILENT_S, rested.server_cpu_s());
    if idle.cut > 0 {
        report.fault(format!("{} clients lost their connection", idle.cut));
    }
    Ok(())
}

impl Script for Idle {
    fn on_heard(&mut self, swarm: &mut Swarm, who: usize, heard: Heard<'_>) {
        if let Heard::Ping(token) = heard {
            swarm.dialect.sign_of_life(swarm.say(who), token);
        }
    }

    fn on_closed(&mut self, _: &mut Swarm, _: usize) {
        self.cut += 1;
    }

    fn on_turn(&mut self, _: &mut Swarm) {
        self.progress.show(String::new);
    }
}
