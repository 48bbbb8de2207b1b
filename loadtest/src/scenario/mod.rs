//! What is done to a server: one file a scenario, and what they share. Each scenario is a script
//! for the swarm and a function that runs it and writes down what it found.

mod churn;
mod entrance;
mod files;
mod guess;
mod idle;
mod phases;
mod returning;
mod slow;
#[cfg(test)]
mod stand_in_tests;
mod talk;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::dialect::Place;
use crate::failure::Failure;
use crate::options::{Plan, Scenario};
use crate::report::Report;
use crate::server::Server;
use crate::swarm::Swarm;

/// Starts the server, runs the scenario, ends the server. `stop` ends it all early.
pub(crate) fn run(plan: &Plan, stop: Arc<AtomicBool>) -> Result<Report, Failure> {
    if plan.scenario == Scenario::Return {
        // It ends its first server itself.
        return returning::run(plan, stop);
    }
    let server = Server::start(plan)?;
    let mut report = run_against(plan, &server, stop)?;
    // What was found before is worth knowing, above all when the server does not end well.
    if let Err(failure) = server.stop() {
        report.fault(failure.to_string());
    }
    Ok(report)
}

/// Runs the scenario against a server that listens already.
pub(crate) fn run_against(
    plan: &Plan,
    server: &Server,
    stop: Arc<AtomicBool>,
) -> Result<Report, Failure> {
    let mut swarm = Swarm::new(server.address, plan.target.dialect(), plan.at_once(), stop)?;
    let mut report = Report::new(plan, server.address);
    let scenario = match plan.scenario {
        Scenario::Chat | Scenario::Fanout | Scenario::Direct => talk::run,
        Scenario::Idle => idle::run,
        Scenario::Churn => churn::run,
        Scenario::Slow => slow::run,
        Scenario::Files => files::run,
        Scenario::Guess => guess::run,
        Scenario::Return => unreachable!("it is not run against a server that listens already"),
    };
    scenario(Run { plan, server, swarm: &mut swarm, report: &mut report })?;
    Ok(report)
}

/// What a scenario is given: what was asked for, against which server, with whose connections, and
/// where to write down what it finds.
struct Run<'a> {
    plan: &'a Plan,
    server: &'a Server,
    swarm: &'a mut Swarm,
    report: &'a mut Report,
}

/// Where client `who` stands.
fn place(plan: &Plan, who: usize) -> Place {
    match plan.scenario {
        Scenario::Direct | Scenario::Files => Place::Beside(who ^ 1),
        Scenario::Slow => Place::Room(0),
        Scenario::Churn => Place::Room(who % CHURN_ROOMS),
        Scenario::Chat | Scenario::Fanout | Scenario::Idle | Scenario::Guess | Scenario::Return => {
            Place::Room(who / plan.layout().group)
        }
    }
}

/// Those who come and go meet in so many rooms.
const CHURN_ROOMS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bare::Bare;
    use crate::dialect::Dialect;
    use crate::figure::Figure;
    use crate::options;

    /// Runs it against a built-in server in a thread of this process, which ends with it.
    fn report(line: &str) -> Report {
        let mut bare = Bare::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let server = Server::running(bare.address().unwrap(), None);
        std::thread::spawn(move || while bare.turn().unwrap() {});
        report_of(&plan(&format!("{line} --bare")), &server)
    }

    fn plan(line: &str) -> Plan {
        let words = ["loadtest"].into_iter().chain(line.split_whitespace());
        let typed = options::command().try_get_matches_from(words).unwrap();
        options::plan(&typed).unwrap()
    }

    fn report_of(plan: &Plan, server: &Server) -> Report {
        run_against(plan, server, Arc::default()).unwrap()
    }

    #[test]
    fn what_is_said_through_another_server_arrives_whole() {
        for kind in [Dialect::Redis, Dialect::Nats, Dialect::Irc] {
            for (line, delivered) in [
                ("chat --clients 12 --rooms 3 --window 3 --messages 200", 600),
                ("direct --clients 6 --messages 60", 60),
                ("fanout --clients 7 --messages 30 --plot x.svg", 180),
                ("idle --clients 6 --rooms 2 --seconds 0", 0),
            ] {
                let address = stand_in_tests::serve(kind);
                let line = format!("{line} --against {}://{address}", kind.name());
                let report = report_of(&plan(&line), &Server::running(address, None));
                assert!(report.is_sound(), "{line}: {}", report.to_json());
                if delivered > 0 {
                    assert_eq!(count(&report, "delivered"), delivered, "{line}");
                    assert_eq!(count(&report, "accepted"), count(&report, "sent"), "{line}");
                }
                assert_eq!(report.timeline().is_empty(), !line.contains("--plot"));
            }
        }
    }

    fn count(report: &Report, name: &str) -> u64 {
        let figure = Figure::named(name.to_owned());
        report.figure(&figure).as_u64().unwrap_or_else(|| panic!("{name}: {}", report.to_json()))
    }

    #[test]
    fn a_short_chat_arrives_whole() {
        let report = report("chat --clients 20 --rooms 4 --window 2 --messages 500");
        assert!(report.is_sound(), "{}", report.to_json());
        assert_eq!((count(&report, "sent"), count(&report, "accepted")), (500, 500));
        assert_eq!((count(&report, "expected"), count(&report, "delivered")), (2000, 2000));
    }

    #[test]
    fn pairs_and_one_speaker_at_a_rate_arrive_whole() {
        for (line, delivered) in [
            ("direct --clients 10 --messages 100", 100),
            ("fanout --clients 11 --rate 5000 --messages 100 --size 4KiB", 1000),
        ] {
            let report = report(line);
            assert!(report.is_sound(), "{}", report.to_json());
            assert_eq!(count(&report, "delivered"), delivered, "{line}");
        }
    }

    #[test]
    fn those_who_come_and_go_all_get_away() {
        for line in ["churn --clients 300 --concurrent 20", "churn --clients 300 --connect-only"] {
            let report = report(line);
            assert!(report.is_sound(), "{}", report.to_json());
            assert_eq!(count(&report, "broken"), 0);
        }
    }
}
