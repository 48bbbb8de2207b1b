//! `guess`: strangers try wrong passwords while healthy clients chat. Two phases of equal length:
//! one in which only the healthy talk, and one in which thousands of logins per second are due,
//! whatever the server does. The healthy must not be heard later, nobody may be heard less, and the
//! server must not grow.
//!
//! The healthy come first, then the connections of those who guess. Each makes some tries and comes
//! again: with its default settings the server lets only so many strangers in.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use parlor::front::native::{self, FromServer};
use parlor::message::{Command, Proof, Secret};

use super::talk::Talk;
use super::{Run, entrance, phases};
use crate::dialect::{FRAME_MAX, Heard};
use crate::failure::Failure;
use crate::figure::{
    Figure, GUESS_CONNECTIONS, GUESSES, GUESSES_ASKED_PER_S, GUESSES_HELD_TURNS, GUESSES_PER_S,
    SERVER_HASHING_CPU_S, SERVER_PEAK_OVER_QUIET_BYTES,
};
use crate::options::Plan;
use crate::progress::Progress;
use crate::report::Meter;
use crate::server::PASSWORD_THREADS;
use crate::swarm::{Script, Swarm};

/// Tries on one connection.
const TRIES: usize = 10;
/// Names that are tried.
const NAMES: u64 = 1000;
/// The first of the addresses that tries come from, if not from the loopback.
const FIRST_SOURCE: u32 = 0x0a00_0001;
/// What the server may grow by while others guess, in bytes.
const GROWTH_MAX_BYTES: u64 = 64 << 20;

struct Guess {
    talk: Talk,
    first: usize,
    /// Connections that wait for nothing.
    idle: Vec<usize>,
    guessers: Vec<Guesser>,
    sources: u32,
    rate: f64,
    begun_ns: u64,
    opened: u64,
    due: u64,
    sent: u64,
    /// Turns in which a try was due and no connection was free for it.
    held: u64,
    answers: BTreeMap<String, u64>,
    problem: Option<Failure>,
    progress: Progress,
}

/// One connection of those who guess.
#[derive(Clone, Copy, Debug, Default)]
struct Guesser {
    tries: usize,
    answered: usize,
    /// Whether the server has said anything on this connection.
    is_greeted: bool,
}

/// Runs it.
pub(super) fn run(run: Run<'_>) -> Result<(), Failure> {
    let Run { plan, server, swarm, report } = run;
    entrance::enter(plan, swarm, plan.clients)?;
    let mut quiet = Talk::new(plan, swarm);
    quiet.begin(swarm);
    swarm.run_until(&mut quiet, "clients talk", Talk::is_over, |_| String::new())?;

    let meter = Meter::start(server);
    let hashing_s = || server.process.as_ref().map(|of| of.threads_cpu_s(PASSWORD_THREADS));
    let hashed_before_s = hashing_s();
    let mut guess = Guess::new(plan, swarm);
    guess.talk.begin(swarm);
    swarm.run_until(&mut guess, "others guess", Guess::is_over, |_| String::new())?;
    let used = meter.stop(server);
    let hashed_s = hashing_s().zip(hashed_before_s).map(|(after, before)| after - before);

    if let Some(problem) = guess.problem {
        return Err(problem);
    }
    report.pace(plan);
    phases::compare(report, &quiet, &guess.talk);
    report.add(GUESSES_ASKED_PER_S, plan.guesses_per_s);
    report.add(GUESSES, guess.sent);
    report.add(GUESSES_PER_S, guess.sent as f64 / plan.seconds.as_secs_f64());
    report.add(GUESS_CONNECTIONS, guess.opened);
    report.add(GUESSES_HELD_TURNS, guess.held);
    for (answer, count) in &guess.answers {
        report.add(Figure::named(format!("answer_{answer}")), *count);
    }
    report.add_some(SERVER_HASHING_CPU_S, hashed_s);
    report.used(&used, 0);
    let grown = used.peak_over_start_bytes();
    report.add_some(SERVER_PEAK_OVER_QUIET_BYTES, grown);
    if let Some(grown) = grown.filter(|&grown| grown > GROWTH_MAX_BYTES) {
        report.fault(format!("the server grew by {grown} bytes while others guessed"));
    }
    Ok(())
}

impl Guess {
    fn new(plan: &Plan, swarm: &mut Swarm) -> Self {
        Self {
            talk: Talk::new(plan, swarm),
            first: plan.clients,
            idle: Vec::new(),
            guessers: vec![Guesser::default(); plan.concurrent],
            sources: plan.sources as u32,
            rate: plan.guesses_per_s,
            begun_ns: swarm.refresh_now(),
            opened: 0,
            due: 0,
            sent: 0,
            held: 0,
            answers: BTreeMap::new(),
            problem: None,
            progress: Progress::new("guess"),
        }
    }

    fn is_over(&mut self, swarm: &mut Swarm) -> bool {
        self.talk.is_over(swarm) || self.problem.is_some()
    }

    /// Those that are closed come again, twice as many as are needed for the tries that are due;
    /// from the next address, if there are some.
    fn open_what_is_due(&mut self, swarm: &mut Swarm) {
        let due = self.guessers.len() as u64 + self.tries_due(swarm) * 2 / TRIES as u64;
        for at in 0..self.guessers.len() {
            if self.opened >= due || self.problem.is_some() {
                return;
            }
            if swarm.is_open(self.first + at) {
                continue;
            }
            let from = (self.opened as u32).checked_rem(self.sources);
            let from = from.map(|at| Ipv4Addr::from(FIRST_SOURCE + at));
            self.opened += 1;
            self.guessers[at] = Guesser::default();
            self.problem = swarm.open_from(self.first + at, from).err();
        }
    }

    fn tries_due(&self, swarm: &Swarm) -> u64 {
        let passed_s = swarm.now_ns().saturating_sub(self.begun_ns) as f64 / 1e9;
        (passed_s * self.rate) as u64
    }

    fn guess_what_is_due(&mut self, swarm: &mut Swarm) {
        let due = self.tries_due(swarm);
        while self.due < due {
            let Some(at) = self.idle.pop() else {
                self.held += 1;
                return;
            };
            self.due += 1;
            if swarm.is_open(self.first + at) {
                self.guess(swarm, at);
            }
        }
    }

    fn guess(&mut self, swarm: &mut Swarm, at: usize) {
        let user = format!("w{}", self.sent % NAMES);
        let proof = Proof::Password(Secret(format!("wrong {}", self.sent).into()));
        let login = Command::Login { user: user.into(), proof };
        let frame = native::emit_request(self.sent, &login);
        swarm.say(self.first + at).extend_from_slice(&frame);
        self.guessers[at].tries += 1;
        self.sent += 1;
    }

    fn count(&mut self, answer: &str) {
        *self.answers.entry(answer.to_owned()).or_default() += 1;
    }

    fn on_answer(&mut self, swarm: &mut Swarm, at: usize, frame: &[u8]) {
        let code = match native::parse_server(frame, FRAME_MAX) {
            Ok(Some((FromServer::Answer { answer: Err(problem), .. }, _))) => problem.code,
            _ => "welcome".to_owned(),
        };
        self.count(&code);
        self.guessers[at].answered += 1;
        if self.guessers[at].tries < TRIES {
            self.idle.push(at);
        } else {
            swarm.close(self.first + at);
        }
    }
}

impl Script for Guess {
    fn on_connected(&mut self, _: &mut Swarm, who: usize) {
        if let Some(at) = who.checked_sub(self.first) {
            self.idle.push(at);
        }
    }

    fn on_heard(&mut self, swarm: &mut Swarm, who: usize, heard: Heard<'_>) {
        let Some(at) = who.checked_sub(self.first) else {
            return self.talk.on_heard(swarm, who, heard);
        };
        self.guessers[at].is_greeted = true;
        match heard {
            Heard::Answer { frame, .. } => self.on_answer(swarm, at, frame),
            Heard::Bye { reason, .. } => self.count(&format!("bye_{reason}")),
            _ => {}
        }
    }

    fn on_closed(&mut self, swarm: &mut Swarm, who: usize) {
        let Some(at) = who.checked_sub(self.first) else {
            return self.talk.on_closed(swarm, who);
        };
        self.idle.retain(|&idle| idle != at);
        let Guesser { tries, answered, is_greeted } = self.guessers[at];
        if !is_greeted {
            // Turned away in words that are no frame.
            self.count("refused_connection");
        } else if tries > answered {
            self.count("none_before_the_end");
        }
    }

    fn on_turn(&mut self, swarm: &mut Swarm) {
        self.talk.on_turn(swarm);
        if self.talk.is_speaking() {
            self.open_what_is_due(swarm);
            self.guess_what_is_due(swarm);
        }
        let sent = self.sent;
        self.progress.show(|| format!("{sent} wrong passwords"));
    }
}
