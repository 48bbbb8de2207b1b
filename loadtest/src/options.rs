//! What may be asked of the load test: options as they were typed become a [`Plan`] that is valid
//! by construction. Knows nothing of how a plan is carried out.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::dialect::Dialect;
use crate::ledger::Layout;
use crate::stamp::STAMP_BYTES;

/// The first argument that turns this program into the built-in server.
pub(crate) const BARE_SERVER: &str = "bare-server";

/// return: healthy clients in one room.
const HEALTHY_ROOM: usize = 10;

/// What a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Rooms in which all talk.
    Chat,
    /// One room with one speaker.
    Fanout,
    /// Pairs that whisper.
    Direct,
    /// Joined and silent.
    Idle,
    /// Coming and going.
    Churn,
    /// A busy room with dead readers.
    Slow,
    /// Pairs that hand over files.
    Files,
    /// Wrong passwords while others chat.
    Guess,
    /// The server is killed, and all come back at once.
    Return,
}

/// How fast speakers speak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// So many messages per second in all, whatever the server does.
    Rate(f64),
    /// Each has so many messages unanswered, always.
    Window(u64),
}

/// The server under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A Parlor to be started.
    Binary(PathBuf),
    /// One that runs already; with its process id, what it uses is told too.
    Address {
        /// Where it listens.
        address: SocketAddr,
        /// Its process.
        pid: Option<u32>,
        /// Its language: Parlor's or that of another kind of server.
        dialect: Dialect,
    },
    /// The built-in server.
    Bare,
}

impl Target {
    /// The language it speaks.
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Binary(_) => Dialect::Native,
            Self::Address { dialect, .. } => *dialect,
            Self::Bare => Dialect::Bare,
        }
    }
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) target: Target,
    pub(crate) server_args: Vec<String>,
    pub(crate) clients: usize,
    pub(crate) rooms: usize,
    pub(crate) pace: Pace,
    pub(crate) size: usize,
    pub(crate) seconds: Duration,
    /// After so many messages nobody speaks any more.
    pub(crate) messages: Option<u64>,
    pub(crate) concurrent: usize,
    pub(crate) connect_only: bool,
    pub(crate) dead: usize,
    pub(crate) healthy: usize,
    /// guess: wrong logins per second.
    pub(crate) guesses_per_s: f64,
    /// guess: addresses that they come from; 0: this machine's own.
    pub(crate) sources: usize,
    /// return: clients that have an account.
    pub(crate) accounts: usize,
    pub(crate) json: bool,
    /// Where to draw the run.
    pub(crate) plot: Option<PathBuf>,
    /// The processor for a server that is started here.
    pub(crate) server_cpu: Option<usize>,
    /// The processor for this program.
    pub(crate) own_cpu: Option<usize>,
}

impl Scenario {
    const ALL: [Self; 9] = [
        Self::Chat,
        Self::Fanout,
        Self::Direct,
        Self::Idle,
        Self::Churn,
        Self::Slow,
        Self::Files,
        Self::Guess,
        Self::Return,
    ];

    /// As it is typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Fanout => "fanout",
            Self::Direct => "direct",
            Self::Idle => "idle",
            Self::Churn => "churn",
            Self::Slow => "slow",
            Self::Files => "files",
            Self::Guess => "guess",
            Self::Return => "return",
        }
    }

    fn defaults(self) -> Defaults {
        let (clients, rooms, size) = match self {
            Self::Chat => (1000, 100, 64),
            Self::Fanout => (1000, 1, 64),
            Self::Direct => (1000, 1, 64),
            Self::Idle => (1000, 100, 64),
            Self::Churn => (10_000, 1, 64),
            Self::Slow => (4, 1, 1024),
            Self::Files => (10, 1, 1 << 20),
            Self::Guess => (100, 10, 64),
            Self::Return => (5000, 500, 64),
        };
        let (seconds, concurrent) = match self {
            Self::Guess => (20, 200),
            Self::Return => (10, 100),
            _ => (5, 100),
        };
        Defaults { clients, rooms, size, seconds, concurrent }
    }
}

struct Defaults {
    clients: usize,
    rooms: usize,
    size: usize,
    seconds: u64,
    concurrent: usize,
}

impl Plan {
    /// Connections that there are at once.
    pub(crate) fn at_once(&self) -> usize {
        match self.scenario {
            Scenario::Churn => self.concurrent,
            Scenario::Guess => self.clients + self.concurrent,
            Scenario::Return => self.clients + self.healthy,
            _ => self.clients + self.dead,
        }
    }

    /// Who hears whom.
    pub(crate) fn layout(&self) -> Layout {
        let Self { clients, rooms, .. } = *self;
        match self.scenario {
            Scenario::Chat | Scenario::Idle | Scenario::Guess => {
                Layout { clients, group: clients / rooms, speakers: clients / rooms }
            }
            Scenario::Fanout => Layout { clients, group: clients / rooms, speakers: 1 },
            Scenario::Direct => Layout { clients, group: 2, speakers: 2 },
            Scenario::Files => Layout { clients, group: 2, speakers: 1 },
            Scenario::Slow => Layout { clients, group: clients, speakers: 1 },
            // Those who come back are silent; the healthy talk, in rooms of ten.
            Scenario::Return => {
                let group = self.healthy.clamp(1, HEALTHY_ROOM);
                Layout { clients: self.healthy, group, speakers: group }
            }
            // Nobody says anything.
            Scenario::Churn => Layout { clients, group: 1, speakers: 1 },
        }
    }
}

/// The options.
pub(crate) fn command() -> Command {
    let number = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("N").help(help).value_parser(value_parser!(u64))
    };
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
    };
    let scenarios = Scenario::ALL.map(Scenario::name);
    Command::new("loadtest")
        .about("Stresses a Parlor server and counts what was lost, doubled or out of order")
        .arg(Arg::new("scenario").required(true).value_name("SCENARIO").value_parser(scenarios))
        .arg(number("clients", "Clients in all; for churn, comings and goings in all"))
        .arg(number("rooms", "Rooms that the clients are spread over"))
        .arg(
            number("rate", "Messages a second of all speakers together; guess: logins (2000)")
                .conflicts_with("window"),
        )
        .arg(number("window", "Unanswered messages of each speaker (4; direct: 1)"))
        .arg(text("size", "BYTES", "Length of a text, or of a file (64, 4KiB, 3MiB)"))
        .arg(number("seconds", "How long to speak, or to sit still (5; guess: 20; return: 10)"))
        .arg(number("messages", "Stop speaking after so many messages in all"))
        .arg(number("concurrent", "churn, guess: strangers at once (100; guess: 200)"))
        .arg(flag("connect-only", "churn: connect and close, without a word"))
        .arg(number("dead", "slow: members that never read").default_value("50"))
        .arg(number("healthy", "slow: members that read (3); return: clients that talk (100)"))
        .arg(number("sources", "guess: addresses from 10.0.0.1 on (0: those of the loopback)"))
        .arg(number("accounts", "return: clients that have an account (200)"))
        .arg(text("addr", "HOST:PORT", "A server that runs already"))
        .arg(text(
            "against",
            "URL",
            "Another server that runs: redis://, nats:// or irc://HOST:PORT",
        ))
        .arg(number("pid", "Its process, to tell what it uses").requires("running"))
        .arg(text("server", "PATH", "The parlor to start (default: the one beside this program)"))
        .arg(flag("bare", "The built-in server: epoll, a length prefix and nothing else"))
        .group(clap::ArgGroup::new("target").args(["addr", "against", "server", "bare"]))
        .group(clap::ArgGroup::new("running").args(["addr", "against"]))
        .arg(number("server-cpu", "The processor for a server that is started here"))
        .arg(number("own-cpu", "The processor for the load test itself"))
        .arg(
            text("server-args", "ARGS", "More options for the server, divided by spaces")
                .allow_hyphen_values(true),
        )
        .arg(flag("json", "Report as one JSON object"))
        .arg(text("plot", "FILE.svg", "Draw latency and deliveries over time"))
        .after_help(
            "Exit code: 0 all came once and in order, 1 something did not or the run failed, \
             2 wrong usage",
        )
}

/// Makes a plan of what was typed.
///
/// # Errors
/// One line that says what does not fit.
pub(crate) fn plan(typed: &ArgMatches) -> Result<Plan, String> {
    let scenario = typed.get_one::<String>("scenario").map_or("", String::as_str);
    let scenario = Scenario::ALL.into_iter().find(|known| known.name() == scenario);
    let scenario = scenario.ok_or("no such scenario")?;
    let defaults = scenario.defaults();
    let number = |name: &str| typed.get_one::<u64>(name).copied();
    let count = |name: &str, default: usize| number(name).map_or(default, |n| n as usize);
    let (dead, healthy) = match scenario {
        Scenario::Slow => (count("dead", 0), count("healthy", 3)),
        Scenario::Return => (0, count("healthy", 100)),
        _ => (0, 0),
    };
    let clients = match scenario {
        Scenario::Slow => 1 + healthy,
        _ => count("clients", defaults.clients),
    };
    let window = if scenario == Scenario::Direct { 1 } else { 4 };
    let plan = Plan {
        scenario,
        target: target(typed)?,
        server_args: words(typed, "server-args"),
        clients,
        rooms: count("rooms", defaults.rooms.min(clients)),
        pace: match (scenario, number("rate")) {
            // The healthy ones say a message a second each.
            (Scenario::Guess, _) => Pace::Rate(clients as f64),
            (Scenario::Return, _) => Pace::Rate(healthy as f64),
            (_, Some(rate)) => Pace::Rate(rate as f64),
            (_, None) => Pace::Window(number("window").unwrap_or(window)),
        },
        size: match typed.get_one::<String>("size") {
            Some(size) => bytes(size).ok_or(format!("--size {size}: use 64, 4KiB or 3MiB"))?,
            None => defaults.size,
        },
        seconds: Duration::from_secs(number("seconds").unwrap_or(defaults.seconds)),
        messages: number("messages").or((scenario == Scenario::Slow).then_some(120_000)),
        concurrent: match scenario {
            Scenario::Churn => count("concurrent", defaults.concurrent).min(clients),
            _ => count("concurrent", defaults.concurrent),
        },
        connect_only: typed.get_flag("connect-only"),
        dead,
        healthy,
        guesses_per_s: number("rate").unwrap_or(2000) as f64,
        sources: count("sources", 0),
        accounts: match scenario {
            Scenario::Return => count("accounts", 200).min(clients),
            _ => 0,
        },
        json: typed.get_flag("json"),
        plot: typed.get_one::<String>("plot").map(PathBuf::from),
        server_cpu: number("server-cpu").map(|cpu| cpu as usize),
        own_cpu: number("own-cpu").map(|cpu| cpu as usize),
    };
    check(plan)
}

fn check(plan: Plan) -> Result<Plan, String> {
    let text = !matches!(plan.scenario, Scenario::Files);
    let passwords = matches!(plan.scenario, Scenario::Guess | Scenario::Return);
    let no_bare = passwords || matches!(plan.scenario, Scenario::Slow | Scenario::Files);
    let started = matches!(plan.target, Target::Binary(_));
    let talks = matches!(plan.scenario, Scenario::Chat | Scenario::Fanout | Scenario::Direct);
    let dialect = plan.target.dialect();
    let other = !matches!(dialect, Dialect::Native | Dialect::Bare);
    let too_long = dialect.text_bytes_max().filter(|&max| plan.size > max);
    if let Some(max) = too_long {
        return Err(format!("--size must be at most {max} with {}", dialect.name()));
    }
    let none = plan.rooms == 0 || plan.clients == 0 || plan.concurrent == 0;
    let complaints = [
        (none, "clients, rooms and concurrent must be at least 1"),
        (plan.pace == Pace::Window(0), "--window must be at least 1"),
        (
            plan.pace == Pace::Rate(0.0) || plan.guesses_per_s == 0.0,
            "--rate and --healthy must be at least 1",
        ),
        (
            plan.scenario == Scenario::Return && !started,
            "return kills the server: it must be one that is started here",
        ),
        (
            plan.scenario == Scenario::Return && !plan.healthy.is_multiple_of(plan.layout().group),
            "--healthy must be a multiple of 10, or less",
        ),
        (
            !none && !plan.clients.is_multiple_of(plan.rooms),
            "--clients must be a multiple of --rooms",
        ),
        (
            !none && !plan.clients.is_multiple_of(plan.layout().group),
            "--clients must be even: pairs",
        ),
        (text && plan.size < STAMP_BYTES, "--size must be at least 26, the length of a stamp"),
        (plan.target == Target::Bare && no_bare, "the built-in server holds no such thing"),
        (
            other && !talks && plan.scenario != Scenario::Idle,
            "--against is for chat, fanout, direct and idle",
        ),
        (plan.plot.is_some() && !talks, "--plot is for chat, fanout and direct"),
        (plan.clients >= 1 << 24, "--clients must be below 2^24"),
        (plan.scenario == Scenario::Slow && plan.healthy == 0, "--healthy must be at least 1"),
    ];
    match complaints.iter().find(|(wrong, _)| *wrong) {
        Some((_, text)) => Err((*text).to_owned()),
        None => Ok(plan),
    }
}

fn target(typed: &ArgMatches) -> Result<Target, String> {
    if typed.get_flag("bare") {
        return Ok(Target::Bare);
    }
    let pid = || typed.get_one::<u64>("pid").and_then(|pid| u32::try_from(*pid).ok());
    if let Some(address) = typed.get_one::<String>("addr") {
        let address = address.parse().map_err(|_| format!("--addr {address}: use IP:PORT"))?;
        return Ok(Target::Address { address, pid: pid(), dialect: Dialect::Native });
    }
    if let Some(url) = typed.get_one::<String>("against") {
        let (dialect, address) = against(url).ok_or_else(|| {
            format!("--against {url}: use redis://HOST:PORT, nats://HOST:PORT or irc://HOST:PORT")
        })?;
        return Ok(Target::Address { address, pid: pid(), dialect });
    }
    if let Some(path) = typed.get_one::<String>("server") {
        return Ok(Target::Binary(path.into()));
    }
    let own = std::env::current_exe().map_err(|error| format!("find this program: {error}"))?;
    Ok(Target::Binary(own.with_file_name("parlor")))
}

/// A kind of server and where it listens.
fn against(url: &str) -> Option<(Dialect, SocketAddr)> {
    let (kind, place) = url.split_once("://")?;
    let kinds = [Dialect::Redis, Dialect::Nats, Dialect::Irc];
    let dialect = kinds.into_iter().find(|dialect| dialect.name() == kind)?;
    Some((dialect, place.trim_end_matches('/').to_socket_addrs().ok()?.next()?))
}

fn words(typed: &ArgMatches, name: &str) -> Vec<String> {
    let words = typed.get_one::<String>(name).map_or("", String::as_str);
    words.split_whitespace().map(str::to_owned).collect()
}

fn bytes(text: &str) -> Option<usize> {
    let (digits, factor) = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)]
        .into_iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))
        .unwrap_or((text, 1));
    digits.parse::<usize>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Result<Plan, String> {
        let matches = command().try_get_matches_from(line.split_whitespace());
        plan(&matches.map_err(|error| error.to_string())?)
    }

    #[test]
    fn the_defaults_of_every_scenario_are_a_plan() {
        for scenario in Scenario::ALL {
            let plan = typed(&format!("loadtest {}", scenario.name())).unwrap();
            assert_eq!(plan.scenario, scenario);
        }
        command().debug_assert();
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_reason() {
        for (line, reason) in [
            ("loadtest chat --clients 10 --rooms 3", "multiple"),
            ("loadtest direct --clients 3", "even"),
            ("loadtest chat --size 10", "stamp"),
            ("loadtest chat --size 10KB", "KiB"),
            ("loadtest chat --window 0", "window"),
            ("loadtest slow --bare", "built-in"),
            ("loadtest guess --bare", "built-in"),
            ("loadtest guess --rate 0", "at least 1"),
            ("loadtest return --addr 127.0.0.1:1", "started here"),
            ("loadtest return --healthy 15", "multiple of 10"),
            ("loadtest chat --rate 5 --window 4", "cannot be used with"),
            ("loadtest dance", "invalid value"),
            ("loadtest churn --against redis://127.0.0.1:1", "--against is for"),
            ("loadtest chat --against http://127.0.0.1:1", "redis://"),
            ("loadtest chat --against redis://127.0.0.1", "redis://"),
            ("loadtest chat --against irc://127.0.0.1:1 --size 401", "at most 400 with irc"),
            ("loadtest chat --against nats://127.0.0.1:1 --size 2MiB", "at most 1048576 with nats"),
            ("loadtest chat --against nats://127.0.0.1:1 --bare", "cannot be used with"),
            ("loadtest chat --pid 5", "required"),
            ("loadtest idle --plot x.svg", "--plot is for"),
        ] {
            let problem = typed(line).unwrap_err();
            assert!(problem.contains(reason), "{line}: {problem}");
        }
    }
    #[test]
    fn another_server_is_named_by_its_url() {
        for (url, dialect) in [
            ("redis://127.0.0.1:6379", Dialect::Redis),
            ("nats://127.0.0.1:4222/", Dialect::Nats),
            ("irc://127.0.0.1:6667", Dialect::Irc),
        ] {
            let plan = typed(&format!("loadtest chat --against {url} --pid 7")).unwrap();
            assert_eq!(plan.target.dialect(), dialect);
            assert!(matches!(plan.target, Target::Address { pid: Some(7), .. }), "{url}");
        }
    }
}
