//! `return`: thousands are in; the server is killed and started again on the same folder; all of
//! them come back at once, each with its token and after the waits of the real client, while new
//! clients chat.
//!
//! The healthy come first, then those who come back, the first of whom have accounts. A token
//! needs no password: the new server may not hash a single one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hdrhistogram::Histogram;
use parlor::client::backoff::Backoff;
use parlor::front::native::{self, FromServer};
use parlor::message::{Command, Proof, Reply, Secret};

use super::talk::{Talk, latency_histogram, record};
use super::{phases, place};
use crate::dialect::{FRAME_MAX, Heard};
use crate::failure::Failure;
use crate::options::Plan;
use crate::progress::Progress;
use crate::report::{Meter, Report};
use crate::server::{PASSWORD, PASSWORD_THREADS, Server};
use crate::swarm::{Script, Swarm};

const LOGIN_ID: u64 = 2;
const JOIN_ID: u64 = 3;
/// Members of a room of those who come back.
const ROOM: usize = 10;
/// Clients on their way in at once, the first time: fewer than the server's bound on strangers.
const AT_ONCE: usize = 64;
/// The same while they come with passwords: fewer than it hashes for one source at once.
const AT_ONCE_HASHED: usize = 12;
/// No return takes so long.
const LONG: Duration = Duration::from_secs(600);
/// One hash takes more than this, in seconds of a processor.
const HASH_S: f64 = 0.005;

/// Where one of those who come back is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Away,
    Coming,
    In,
}

struct Comer {
    stage: Stage,
    token: Option<String>,
    backoff: Backoff,
    cut_ns: u64,
}

struct Crowd<'a> {
    plan: &'a Plan,
    /// The healthy ones, once they are in and talk.
    talk: Option<Talk>,
    healthy_in: usize,
    healthy_ids: Vec<u64>,
    comers: Vec<Comer>,
    /// How many have been let come for the first time.
    begun: usize,
    inside: usize,
    due: BinaryHeap<Reverse<(u64, usize)>>,
    tries: u64,
    refusals: BTreeMap<String, u64>,
    took: Histogram<u64>,
    last_ns: u64,
    problem: Option<Failure>,
    progress: Progress,
}

/// Runs it, from the first server to the end of the second.
pub(super) fn run(plan: &Plan, stop: Arc<AtomicBool>) -> Result<Report, Failure> {
    let mut server = Server::start(plan)?;
    let mut swarm = Swarm::new(server.address, plan.target.dialect(), plan.at_once(), stop)?;
    let swarm = &mut swarm;
    let mut report = Report::new(plan, server.address);
    let mut crowd = Crowd::new(plan);
    let begun_ns = swarm.refresh_now();
    crowd.turn_until(swarm, "all come in", |crowd, _| crowd.inside == crowd.comers.len())?;
    report.add("first_entered_s", since_s(swarm, begun_ns));
    let quiet = crowd.talk(swarm, plan)?;

    let killed_ns = swarm.refresh_now();
    server.kill()?;
    crowd.begin_return();
    crowd.turn_until(swarm, "all are cut off", |crowd, _| crowd.inside == 0)?;
    let server = server.start_again(plan)?;
    report.add("down_s", since_s(swarm, killed_ns));
    let meter = Meter::start(&server);
    let loud = crowd.talk(swarm, &Plan { seconds: LONG, ..plan.clone() })?;
    let used = meter.stop(&server);

    report.add("returned", crowd.inside as u64);
    report.add("with_accounts", plan.accounts as u64);
    report.add("last_in_after_s", (crowd.last_ns - killed_ns) as f64 / 1e9);
    let at = |quantile| crowd.took.value_at_quantile(quantile) as f64 / 1e9;
    report.add("in_after_p50_s", at(0.5));
    report.add("in_after_p99_s", at(0.99));
    report.add("tries", crowd.tries);
    for (answer, count) in &crowd.refusals {
        report.add(&format!("refused_{answer}"), *count);
    }
    phases::compare(&mut report, &quiet, &loud);
    report.used(&used, 0);
    let hashing_s = server.process.as_ref().map(|of| of.threads_cpu_s(PASSWORD_THREADS));
    report.add_some("server_hashing_cpu_s", hashing_s);
    if hashing_s.is_some_and(|hashing_s| hashing_s > HASH_S) {
        report.fault("the server hashed a password, but all came with tokens".to_owned());
    }
    if let Err(failure) = server.stop() {
        report.fault(failure.to_string());
    }
    Ok(report)
}

fn since_s(swarm: &mut Swarm, begun_ns: u64) -> f64 {
    (swarm.refresh_now() - begun_ns) as f64 / 1e9
}

impl<'a> Crowd<'a> {
    fn new(plan: &'a Plan) -> Self {
        let comer = |who: usize| Comer {
            stage: Stage::Away,
            token: None,
            backoff: Backoff::new(who as u64),
            cut_ns: 0,
        };
        Self {
            plan,
            talk: None,
            healthy_in: 0,
            healthy_ids: vec![0; plan.healthy],
            comers: (0..plan.clients).map(comer).collect(),
            begun: 0,
            inside: 0,
            due: BinaryHeap::new(),
            tries: 0,
            refusals: BTreeMap::new(),
            took: latency_histogram(),
            last_ns: 0,
            problem: None,
            progress: Progress::new("return"),
        }
    }

    /// From now on what is counted belongs to the return.
    fn begin_return(&mut self) {
        self.tries = 0;
        self.refusals.clear();
        self.took.reset();
        self.talk = None;
        self.healthy_in = 0;
    }

    /// The healthy come and talk, for as long as the plan says; but not longer than it takes the
    /// others to come back, if they are on their way.
    fn talk(&mut self, swarm: &mut Swarm, plan: &Plan) -> Result<Talk, Failure> {
        let is_returning = self.inside < self.comers.len();
        (0..plan.healthy).try_for_each(|who| swarm.open(who))?;
        self.turn_until(swarm, "the healthy come in", |crowd, _| {
            crowd.healthy_in == crowd.plan.healthy
        })?;
        let mut talk = Talk::new(plan, swarm);
        talk.begin(swarm);
        self.talk = Some(talk);
        self.turn_until(swarm, "clients talk", |crowd, swarm| {
            let all_in = crowd.inside == crowd.comers.len();
            crowd.talk.as_mut().is_none_or(|talk| {
                if is_returning && all_in {
                    talk.end();
                }
                talk.is_over(swarm)
            })
        })?;
        self.talk.take().ok_or(Failure::Interrupted)
    }

    fn turn_until(
        &mut self,
        swarm: &mut Swarm,
        doing: &'static str,
        done: impl Fn(&mut Self, &mut Swarm) -> bool,
    ) -> Result<(), Failure> {
        let over =
            |crowd: &mut Self, swarm: &mut Swarm| crowd.problem.is_some() || done(crowd, swarm);
        let state = |crowd: &Self| format!("{} are in", crowd.inside);
        swarm.run_until(self, doing, over, state)?;
        self.problem.take().map_or(Ok(()), Err)
    }

    fn come(&mut self, swarm: &mut Swarm, at: usize) {
        self.tries += 1;
        self.comers[at].stage = Stage::Coming;
        match swarm.open(self.plan.healthy + at) {
            Ok(()) => {}
            Err(Failure::Io { error, .. }) if error.kind() == ErrorKind::ConnectionRefused => {
                self.refuse(swarm, at, "nobody_listens");
            }
            Err(failure) => self.problem = Some(failure),
        }
    }

    /// Was not let in, and comes again after its next wait.
    fn refuse(&mut self, swarm: &mut Swarm, at: usize, why: &str) {
        *self.refusals.entry(why.to_owned()).or_default() += 1;
        swarm.close(self.plan.healthy + at);
        self.wait(swarm.now_ns(), at);
    }

    fn wait(&mut self, now_ns: u64, at: usize) {
        let comer = &mut self.comers[at];
        comer.stage = Stage::Away;
        let wait = comer.backoff.next_wait();
        self.due.push(Reverse((now_ns + wait.as_nanos() as u64, at)));
    }

    fn on_answer(&mut self, swarm: &mut Swarm, at: usize, id: u64, frame: &[u8]) {
        let answer = match native::parse_server(frame, FRAME_MAX) {
            Ok(Some((FromServer::Answer { answer, .. }, _))) => answer,
            _ => return self.refuse(swarm, at, "unknown"),
        };
        match answer {
            Ok(Reply::Welcome { token, .. }) => {
                self.comers[at].token = Some(token);
                let room = format!("back{}", at / ROOM).into();
                let frame = native::emit_request(JOIN_ID, &Command::Join { room });
                swarm.say(self.plan.healthy + at).extend_from_slice(&frame);
            }
            Ok(Reply::Joined { .. }) if id == JOIN_ID => {
                let comer = &mut self.comers[at];
                comer.stage = Stage::In;
                comer.backoff.reset();
                self.inside += 1;
                self.last_ns = swarm.now_ns();
                record(&mut self.took, self.last_ns - comer.cut_ns);
                swarm.progress();
            }
            Ok(_) => {}
            Err(problem) => self.refuse(swarm, at, &problem.code),
        }
    }

    /// Lets some more come for the first time.
    fn begin_some(&mut self, swarm: &mut Swarm) {
        while self.begun < self.comers.len() {
            let hashed = self.begun < self.plan.accounts;
            let at_once = if hashed { AT_ONCE_HASHED } else { AT_ONCE };
            if self.begun - self.inside >= at_once {
                return;
            }
            self.come(swarm, self.begun);
            self.begun += 1;
        }
    }

    fn on_healthy(&mut self, swarm: &mut Swarm, who: usize, heard: Heard<'_>) {
        if let Some(talk) = &mut self.talk {
            return talk.on_heard(swarm, who, heard);
        }
        match heard {
            Heard::Answer { id, ok: true, .. } if id == self.healthy_ids[who] => {
                self.healthy_in += 1;
                swarm.progress();
            }
            Heard::Answer { ok: false, frame, .. } => {
                let why = swarm.dialect.shown(frame);
                self.problem.get_or_insert(Failure::NotPlaced { who, why });
            }
            _ => {}
        }
    }
}

impl Script for Crowd<'_> {
    fn on_connected(&mut self, swarm: &mut Swarm, who: usize) {
        let Some(at) = who.checked_sub(self.plan.healthy) else {
            let dialect = swarm.dialect;
            self.healthy_ids[who] = dialect.enter(swarm.say(who), who, place(self.plan, who));
            return;
        };
        let proof = match &self.comers[at].token {
            Some(token) => Proof::Token(Secret(token.into())),
            None if at < self.plan.accounts => Proof::Password(Secret(PASSWORD.into())),
            None => Proof::None,
        };
        let login = Command::Login { user: format!("u{who}").into(), proof };
        let frame = native::emit_request(LOGIN_ID, &login);
        swarm.say(who).extend_from_slice(&frame);
    }

    fn on_heard(&mut self, swarm: &mut Swarm, who: usize, heard: Heard<'_>) {
        let Some(at) = who.checked_sub(self.plan.healthy) else {
            return self.on_healthy(swarm, who, heard);
        };
        match heard {
            Heard::Answer { id, frame, .. } => self.on_answer(swarm, at, id, frame),
            Heard::Ping(token) => swarm.dialect.sign_of_life(swarm.say(who), token),
            _ => {}
        }
    }

    fn on_closed(&mut self, swarm: &mut Swarm, who: usize) {
        let Some(at) = who.checked_sub(self.plan.healthy) else {
            if let Some(talk) = &mut self.talk {
                talk.on_closed(swarm, who);
            }
            return;
        };
        match self.comers[at].stage {
            Stage::In => {
                self.inside -= 1;
                self.comers[at].cut_ns = swarm.now_ns();
                self.wait(swarm.now_ns(), at);
            }
            // Turned away in words that are no frame, or nobody was there.
            Stage::Coming => self.refuse(swarm, at, "connection"),
            Stage::Away => {}
        }
    }

    fn on_turn(&mut self, swarm: &mut Swarm) {
        self.begin_some(swarm);
        let now_ns = swarm.now_ns();
        while let Some(&Reverse((_, at))) = self.due.peek().filter(|due| due.0.0 <= now_ns) {
            self.due.pop();
            self.come(swarm, at);
        }
        if let Some(talk) = &mut self.talk {
            talk.on_turn(swarm);
        }
        let (inside, all) = (self.inside, self.comers.len());
        self.progress.show(|| format!("{inside} of {all} are in"));
    }
}
