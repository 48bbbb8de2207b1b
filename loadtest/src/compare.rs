//! `loadtest compare`: the reports of many runs as one table and one picture.
//!
//! Each line of the file is one run, as `peers.sh` writes it:
//! `{"case": "chat", "peer": "redis", "report": {...}}`, the report being that of `--json`.
//!
//! A case that was run in several rounds stands there with its middle round, by deliveries a
//! second.
//! The rule it keeps: a run that failed, or lost something, is never hidden by another round: it
//! stands in the table, says so, and has no bar.

use std::fs;

use serde_json::Value;

use crate::failure::Failure;
use crate::figure::{
    DELIVERIES_PER_S, Figure, LATENCY_P50_US, LATENCY_P99_US, LOST, OWN_BOTTLENECK,
    SERVER_CORE_SHARE, SERVER_CPU_S_PER_MILLION,
};
use crate::picture::{self, Bar, Panel};

/// The first argument that asks for this.
pub(crate) const COMPARE: &str = "compare";

/// One run.
#[derive(Debug)]
struct Run {
    case: String,
    peer: String,
    report: Value,
}

/// `compare RESULTS [PICTURE.svg]`: prints the table and draws the picture.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let (results, picture) = match arguments {
        [results] => (results, None),
        [results, picture] => (results, Some(picture)),
        _ => return Err(Failure::Server("use: loadtest compare RESULTS [PICTURE.svg]".into())),
    };
    let text = fs::read_to_string(results).map_err(Failure::io(format!("read {results}")))?;
    let rounds =
        parse(&text).map_err(|problem| Failure::Server(format!("{results}: {problem}")))?;
    let runs = middle(rounds);
    print!("{}", table(&runs));
    let Some(path) = picture else { return Ok(()) };
    let svg = picture::bars("deliveries per second, server on one core", &panels(&runs));
    let svg = svg.map_err(|undrawn| Failure::Server(format!("draw {path}: {undrawn}")))?;
    fs::write(path, svg).map_err(Failure::io(format!("write {path}")))
}

fn parse(text: &str) -> Result<Vec<Run>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let run = |(at, line): (usize, &str)| {
        let value: Value =
            serde_json::from_str(line).map_err(|error| format!("line {}: {error}", at + 1))?;
        let word = |name: &str| value[name].as_str().map(str::to_owned);
        let known = word("case").zip(word("peer"));
        let (case, peer) = known.ok_or(format!("line {}: no case or no peer", at + 1))?;
        Ok(Run { case, peer, report: value["report"].clone() })
    };
    lines.map(run).collect()
}

/// One run of each case and server: the first that is not sound, or else the middle one.
fn middle(rounds: Vec<Run>) -> Vec<Run> {
    let mut groups: Vec<Vec<Run>> = Vec::new();
    for run in rounds {
        let same = |group: &&mut Vec<Run>| group[0].case == run.case && group[0].peer == run.peer;
        match groups.iter_mut().find(same) {
            Some(group) => group.push(run),
            None => groups.push(vec![run]),
        }
    }
    let one = |mut group: Vec<Run>| {
        let unsound = group.iter().position(|run| !run.is_sound());
        group.sort_by(|a, b| match unsound {
            Some(_) => a.is_sound().cmp(&b.is_sound()),
            None => a.speed().total_cmp(&b.speed()),
        });
        let at = if unsound.is_some() { 0 } else { group.len() / 2 };
        group.swap_remove(at)
    };
    groups.into_iter().map(one).collect()
}

impl Run {
    fn speed(&self) -> f64 {
        self.figure(DELIVERIES_PER_S).unwrap_or(0.0)
    }

    fn figure(&self, figure: Figure) -> Option<f64> {
        self.report[figure.name()].as_f64()
    }

    fn is_sound(&self) -> bool {
        self.report["sound"] == true
    }

    fn bar(&self) -> Option<Bar> {
        let value = self.figure(DELIVERIES_PER_S).filter(|_| self.is_sound())?;
        Some(Bar { name: self.peer.clone(), value })
    }

    fn remark(&self) -> String {
        if let Some(failure) = self.report["failure"].as_str() {
            return failure.to_owned();
        }
        if !self.is_sound() {
            return "NOT SOUND".to_owned();
        }
        if self.report[OWN_BOTTLENECK.name()] == true {
            return "at least: the load test was the bottleneck".to_owned();
        }
        String::new()
    }
}

/// The cases in the order in which they were run, each with its runs.
fn cases(runs: &[Run]) -> Vec<(&str, Vec<&Run>)> {
    let mut cases: Vec<(&str, Vec<&Run>)> = Vec::new();
    for run in runs {
        match cases.iter_mut().find(|(case, _)| *case == run.case) {
            Some((_, of_case)) => of_case.push(run),
            None => cases.push((&run.case, vec![run])),
        }
    }
    cases
}

fn table(runs: &[Run]) -> String {
    let mut table = format!(
        "{:<12}{:<8}{:>14}{:>8}{:>10}{:>10}{:>14}{:>7}{:>8}\n",
        "case",
        "server",
        "deliveries/s",
        "of bare",
        "p50 us",
        "p99 us",
        "CPU s/million",
        "cores",
        "lost"
    );
    for (case, of_case) in cases(runs) {
        let speed = |run: &Run| run.figure(DELIVERIES_PER_S);
        let bare = of_case.iter().find(|run| run.peer == "bare").and_then(|run| speed(run));
        for run in of_case {
            let figure = |figure, digits| shown(run.figure(figure), digits);
            let of_bare = speed(run).zip(bare).map(|(speed, bare)| speed / bare);
            let line = format!(
                "{case:<12}{:<8}{:>14}{:>8}{:>10}{:>10}{:>14}{:>7}{:>8}  {}",
                run.peer,
                figure(DELIVERIES_PER_S, 0),
                shown(of_bare, 2),
                figure(LATENCY_P50_US, 0),
                figure(LATENCY_P99_US, 0),
                figure(SERVER_CPU_S_PER_MILLION, 3),
                figure(SERVER_CORE_SHARE, 2),
                figure(LOST, 0),
                run.remark(),
            );
            table.push_str(line.trim_end());
            table.push('\n');
        }
    }
    table
}

fn panels(runs: &[Run]) -> Vec<Panel> {
    let panel = |(case, runs): (&str, Vec<&Run>)| Panel {
        title: case.to_owned(),
        bars: runs.into_iter().filter_map(Run::bar).collect(),
    };
    cases(runs).into_iter().map(panel).collect()
}

fn shown(figure: Option<f64>, digits: usize) -> String {
    figure.map_or("-".to_owned(), |figure| format!("{figure:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULTS: &str = concat!(
        r#"{"case":"chat","peer":"parlor","report":{"deliveries_per_s":600.0,"lost":0,"sound":true}}"#,
        "\n",
        r#"{"case":"chat","peer":"bare","report":{"deliveries_per_s":1000.0,"lost":0,"sound":true}}"#,
        "\n\n",
        r#"{"case":"direct","peer":"irc","report":{"failure":"no progress","sound":false}}"#,
        "\n",
        r#"{"case":"chat","peer":"nats","report":{"deliveries_per_s":9.0,"lost":3,"sound":false}}"#,
    );

    #[test]
    fn the_table_has_a_line_a_run_and_what_failed_says_so() {
        let table = table(&parse(RESULTS).unwrap());
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 5, "{table}");
        assert!(lines[1].contains("parlor") && lines[1].contains("0.60"), "{table}");
        assert!(lines[3].contains("nats") && lines[3].ends_with("3  NOT SOUND"), "{table}");
        assert!(lines[4].starts_with("direct") && lines[4].ends_with("no progress"), "{table}");
    }

    #[test]
    fn only_what_came_whole_has_a_bar() {
        let panels = panels(&parse(RESULTS).unwrap());
        let names = |panel: &Panel| panel.bars.iter().map(|bar| bar.name.clone()).collect();
        let names: Vec<Vec<String>> = panels.iter().map(names).collect();
        assert_eq!(names, [vec!["parlor", "bare"], vec![]]);
    }

    #[test]
    fn of_many_rounds_the_middle_one_stands_unless_one_was_not_sound() {
        let round = |peer: &str, per_s: f64, sound: bool| Run {
            case: "chat".into(),
            peer: peer.into(),
            report: serde_json::json!({ "deliveries_per_s": per_s, "sound": sound }),
        };
        let rounds = [("a", 9.0), ("b", 1.0), ("a", 1.0), ("b", 7.0), ("a", 5.0), ("b", 3.0)];
        let rounds = rounds.map(|(peer, per_s)| round(peer, per_s, (peer, per_s) != ("b", 7.0)));
        let runs = middle(rounds.into());
        let found: Vec<_> = runs.iter().map(|run| (run.peer.as_str(), run.speed())).collect();
        assert_eq!(found, [("a", 5.0), ("b", 7.0)]);
    }

    #[test]
    fn a_line_that_is_no_run_is_named() {
        for (text, problem) in [("{", "line 1"), ("\n{\"case\":\"chat\"}", "line 2: no case")] {
            assert!(parse(text).unwrap_err().contains(problem), "{text}");
        }
    }
}
