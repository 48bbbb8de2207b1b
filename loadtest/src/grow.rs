//! `loadtest grow`: what a delivery, a joining and a silent connection cost as a server grows.
//!
//! Runs the scenarios of the load test in growing sizes, each against a server of its own, and
//! looks at processor time and memory, not at the clock: it may share its machine. The rule it
//! keeps: a cost in all that grows faster than what there is more of is named, and makes exit
//! code 1.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::failure::Failure;
use crate::figure::{CLIENTS, SERVER_BYTES_PER_CLIENT, SERVER_CPU_S, SERVER_CPU_S_PER_MILLION};
use crate::options;
use crate::processor;
use crate::report::Report;
use crate::scenario;

/// The first argument that asks for this.
pub(crate) const GROW: &str = "grow";

/// A cost in all that grows with a power above this is worse than linear. Not quite 1: what does
/// not fit into a cache any more costs some more, once, which is no growth.
const POWER_MAX: f64 = 1.15;

/// One thing that there is more and more of.
struct Series {
    /// What there is more of.
    of: &'static str,
    /// What is done.
    what: &'static str,
    sizes: &'static [usize],
    /// The load test's own command line for so many.
    line: fn(usize) -> String,
    costs: &'static [Cost],
}

/// What one of them costs.
struct Cost {
    name: &'static str,
    /// Reads it off a report.
    each: fn(&Report) -> Option<f64>,
}

const DELIVERY: Cost = Cost {
    name: "CPU us a delivery",
    each: |report| report.figure(&SERVER_CPU_S_PER_MILLION).as_f64(),
};
const JOINING: Cost = Cost {
    name: "CPU us a joining",
    each: |report| {
        let cpu_s = report.figure(&SERVER_CPU_S).as_f64()?;
        Some(cpu_s * 1e6 / report.figure(&CLIENTS).as_f64()?)
    },
};
const MEMORY: Cost = Cost {
    name: "bytes a connection",
    each: |report| report.figure(&SERVER_BYTES_PER_CLIENT).as_f64(),
};

const SERIES: [Series; 4] = [
    Series {
        of: "members",
        what: "one room, one speaker, window 4",
        sizes: &[10, 100, 1000, 10_000],
        line: |members| format!("fanout --clients {members} --window 4"),
        costs: &[DELIVERY],
    },
    Series {
        of: "rooms",
        what: "rooms of three in which all talk, window 1",
        sizes: &[10, 100, 1000, 5000],
        line: |rooms| format!("chat --clients {} --rooms {rooms} --window 1", rooms * 3),
        costs: &[DELIVERY],
    },
    Series {
        of: "connections",
        what: "rooms of ten in which all talk, window 1",
        sizes: &[100, 1000, 5000, 15_000],
        line: |clients| format!("chat --clients {clients} --rooms {} --window 1", clients / 10),
        costs: &[DELIVERY],
    },
    Series {
        of: "connections",
        what: "joined, rooms of ten, and silent",
        sizes: &[100, 1000, 5000, 15_000],
        line: |clients| format!("idle --clients {clients} --rooms {}", clients / 10),
        costs: &[JOINING, MEMORY],
    },
];

/// `grow [OPTIONS of the load test]`: runs all series, prints a table of each; whether nothing is
/// worse than linear.
pub(crate) fn run(arguments: &[String], stop: &Arc<AtomicBool>) -> Result<bool, Failure> {
    let mut linear = true;
    for series in &SERIES {
        println!("{}: {}", series.of, series.what);
        print!("{:>12}", series.of);
        series.costs.iter().for_each(|cost| print!("{:>22}", cost.name));
        println!();
        let mut rows: Vec<(f64, Vec<f64>)> = Vec::new();
        for &size in series.sizes {
            let report = measure(&(series.line)(size), arguments, stop)?;
            let each: Option<Vec<f64>> =
                series.costs.iter().map(|cost| (cost.each)(&report)).collect();
            let each = each.ok_or(Failure::Server("the report lacks a figure".into()))?;
            print!("{size:>12}");
            each.iter().for_each(|cost| print!("{cost:>22.3}"));
            println!("{}", if report.is_sound() { "" } else { "  NOT SOUND" });
            linear &= report.is_sound();
            rows.push((size as f64, each));
        }
        for (at, cost) in series.costs.iter().enumerate() {
            let points: Vec<_> = rows.iter().map(|(size, each)| (*size, each[at])).collect();
            let power = power_in_all(&points);
            let verdict =
                if power > POWER_MAX { "WORSE THAN LINEAR" } else { "not worse than linear" };
            println!("{:>12}{}: grows with the power {power:.2}, {verdict}", "", cost.name);
            linear &= power <= POWER_MAX;
        }
        println!();
    }
    Ok(linear)
}

fn measure(line: &str, more: &[String], stop: &Arc<AtomicBool>) -> Result<Report, Failure> {
    let words = ["loadtest"].into_iter().chain(line.split_whitespace()).map(str::to_owned);
    let typed = options::command().try_get_matches_from(words.chain(more.iter().cloned()));
    let typed = typed.map_err(|error| Failure::Server(error.to_string()))?;
    let plan = options::plan(&typed).map_err(Failure::Server)?;
    plan.own_cpu.map_or(Ok(()), processor::stay_on)?;
    scenario::run(&plan, Arc::clone(stop))
}

/// The power of the size with which the cost of all of them grows, from what each costs: the slope
/// of the straight line that fits best where both are logarithms (least squares).
fn power_in_all(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points
        .iter()
        .map(|&(size, each)| (size.ln(), (size * each.max(f64::MIN_POSITIVE)).ln()))
        .collect();
    let count = logs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let along: f64 = logs.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let across: f64 = logs.iter().map(|point| (point.0 - x).powi(2)).sum();
    along / across
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_power_of_what_grows_is_found() {
        let sizes = [10.0, 100.0, 1000.0, 10_000.0];
        for (each, power) in [
            ((|_| 3.0) as fn(f64) -> f64, 1.0),
            (|size| size * 0.01, 2.0),
            (|size| 5.0 / size, 0.0),
            (|size: f64| size.sqrt(), 1.5),
        ] {
            let points = sizes.map(|size| (size, each(size)));
            assert!((power_in_all(&points) - power).abs() < 1e-9, "{power}");
        }
    }

    #[test]
    fn every_line_is_one_that_the_load_test_understands() {
        for series in &SERIES {
            for &size in series.sizes {
                let line = format!("loadtest {}", (series.line)(size));
                let typed = options::command().try_get_matches_from(line.split_whitespace());
                assert!(options::plan(&typed.unwrap()).is_ok(), "{line}");
            }
        }
    }
}
