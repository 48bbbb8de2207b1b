//! The load test: thousands of clients from one process against one server, and an account of
//! every single message.
//!
//! ```text
//!  options -> Plan -> Server (started, or the built-in one) + Swarm (clients) + Script (scenario)
//!                                                                   |
//!                                     Ledger, Histogram, Meter -> Report -> table | JSON | SVG
//! ```
//!
//! It refuses to believe a server: what was sent and what came is counted here, for each pair of a
//! speaker and a receiver. The rule it keeps: a run always ends, nothing that it started outlives
//! it, and its exit code is 0 only when every message came once and in order.

#[cfg(not(target_os = "linux"))]
compile_error!("the load test reads /proc and keeps time with timerfd: it needs Linux");

mod bare;
mod compare;
mod dialect;
mod failure;
mod figure;
mod grow;
mod ledger;
mod options;
mod picture;
mod process;
mod processor;
mod progress;
mod report;
#[path = "../../tests/support/rng.rs"]
mod rng;
mod scenario;
mod server;
mod stamp;
mod swarm;
mod timeline;

use std::fs;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use failure::Failure;
use options::Plan;
use report::Report;

/// Wrong usage, as clap has it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(options::BARE_SERVER) {
        return or_complain(bare::run().map_err(Failure::io("built-in server")).map(|()| true));
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some(compare::COMPARE) {
        return or_complain(compare::run(&arguments[1..]).map(|()| true));
    }
    if arguments.first().map(String::as_str) == Some(grow::GROW) {
        let stop = stop_flag().map_err(Failure::io("watch for signals"));
        return or_complain(stop.and_then(|stop| grow::run(&arguments[1..], &stop)));
    }
    let typed = options::command().get_matches();
    let plan = match options::plan(&typed) {
        Ok(plan) => plan,
        Err(problem) => {
            eprintln!("loadtest: {problem}");
            return ExitCode::from(USAGE);
        }
    };
    let report = stop_flag().map_err(Failure::io("watch for signals")).and_then(|stop| {
        plan.own_cpu.map_or(Ok(()), processor::stay_on)?;
        scenario::run(&plan, stop)
    });
    if let (Err(failure), true) = (&report, plan.json) {
        println!("{}", Report::failure_to_json(failure));
    }
    or_complain(report.and_then(|report| {
        draw(&plan, &report)?;
        let text = if plan.json { report.to_json() + "\n" } else { report.to_table() };
        print!("{text}");
        Ok(report.is_sound())
    }))
}

fn draw(plan: &Plan, report: &Report) -> Result<(), Failure> {
    let Some(path) = &plan.plot else { return Ok(()) };
    let file = path.display();
    let svg = picture::run(&report.title(), report.timeline());
    let svg = svg.map_err(|undrawn| Failure::Server(format!("draw {file}: {undrawn}")))?;
    fs::write(path, svg).map_err(Failure::io(format!("write {file}")))
}

/// A flag that SIGINT and SIGTERM raise, so that the server is ended before we are.
fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn or_complain(outcome: Result<bool, Failure>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("loadtest: {failure}");
            ExitCode::FAILURE
        }
    }
}
