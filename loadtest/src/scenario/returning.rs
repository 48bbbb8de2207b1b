//! `return`: thousands are in; the server is killed and started again on the same folder; all of
//! them come back at once, each with its token and after the waits of the real client, while new
//! clients chat.
//!
//! The healthy are on a thread of their own, so that what they notice is the server's doing and not
//! that of thousands of others in the same loop. The first of those who come back have accounts. A
//! token needs no password: the new server may not hash a single one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;
use parlor::client::backoff::Backoff;
use parlor::front::native::{self, FromServer};
use parlor::message::{Command, Proof, Reply, Secret};

use super::talk::{Talk, latency_histogram, record};
use super::{entrance, phases};
use crate::dialect::{FRAME_MAX, Heard};
use crate::failure::Failure;
use crate::figure::{
    DOWN_S, FIRST_ENTERED_S, Figure, IN_AFTER_P50_S, IN_AFTER_P99_S, LAST_IN_AFTER_S, RETURNED,
    SERVER_HASHING_CPU_S, TRIES, WITH_ACCOUNTS,
};
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
    let dialect = plan.target.dialect();
    let swarm = &mut Swarm::new(server.address, dialect, plan.clients, Arc::clone(&stop))?;
    let mut report = Report::new(plan, server.address);
    let mut crowd = Crowd::new(plan);
    let begun_ns = swarm.refresh_now();
    crowd.turn_until(swarm, "all come in", |crowd, _| crowd.inside == crowd.comers.len())?;
    report.add(FIRST_ENTERED_S, since_s(swarm, begun_ns));
    let quiet = crowd.beside_talk(swarm, plan, server.address, &stop)?;

    let killed_ns = swarm.refresh_now();
    server.kill()?;
    crowd.begin_return();
    crowd.turn_until(swarm, "all are cut off", |crowd, _| crowd.inside == 0)?;
    let server = server.start_again(plan)?;
    report.add(DOWN_S, since_s(swarm, killed_ns));
    let meter = Meter::start(&server);
    let long = Plan { seconds: LONG, ..plan.clone() };
    let loud = crowd.beside_talk(swarm, &long, server.address, &stop)?;
    let used = meter.stop(&server);

    report.add(RETURNED, crowd.inside as u64);
    report.add(WITH_ACCOUNTS, plan.accounts as u64);
    report.add(LAST_IN_AFTER_S, (crowd.last_ns - killed_ns) as f64 / 1e9);
    let at = |quantile| crowd.took.value_at_quantile(quantile) as f64 / 1e9;
    report.add(IN_AFTER_P50_S, at(0.5));
    report.add(IN_AFTER_P99_S, at(0.99));
    report.add(TRIES, crowd.tries);
    for (answer, count) in &crowd.refusals {
        report.add(Figure::named(format!("refused_{answer}")), *count);
    }
    phases::compare(&mut report, &quiet, &loud);
    report.used(&used, 0);
    let hashing_s = server.process.as_ref().map(|of| of.threads_cpu_s(PASSWORD_THREADS));
    report.add_some(SERVER_HASHING_CPU_S, hashing_s);
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
    }

    /// Continues while new healthy clients talk: for as long as the plan says, or, if the others
    /// are on their way back, until the last of these is in.
    fn beside_talk(
        &mut self,
        swarm: &mut Swarm,
        plan: &Plan,
        address: SocketAddr,
        stop: &Arc<AtomicBool>,
    ) -> Result<Talk, Failure> {
        let is_return = self.inside < self.comers.len();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let (tell, are_in) = sync_channel(1);
            let thread = scope.spawn(|| talk(plan, address, Arc::clone(stop), &is_over, tell));
            // Nobody tells if they could not come in; then the thread says why.
            let _ = are_in.recv();
            let turned = self.turn_until(swarm, "others talk", |crowd, swarm| {
                if !is_return {
                    swarm.progress();
                }
                thread.is_finished() || is_return && crowd.inside == crowd.comers.len()
            });
            is_over.store(is_return || turned.is_err(), Ordering::Relaxed);
            let talked = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            turned.and(talked)
        })
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
        match swarm.open(at) {
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
        swarm.close(at);
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
                let frame = native::emit_request(JOIN_ID, &Command::Join { room, open: false });
                swarm.say(at).extend_from_slice(&frame);
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
}

impl Script for Crowd<'_> {
    fn on_connected(&mut self, swarm: &mut Swarm, at: usize) {
        let proof = match &self.comers[at].token {
            Some(token) => Proof::Token(Secret(token.into())),
            None if at < self.plan.accounts => Proof::Password(Secret(PASSWORD.into())),
            None => Proof::None,
        };
        // The names before are those of the healthy.
        let user = format!("u{}", self.plan.healthy + at).into();
        let frame = native::emit_request(LOGIN_ID, &Command::Login { user, proof });
        swarm.say(at).extend_from_slice(&frame);
    }

    fn on_heard(&mut self, swarm: &mut Swarm, at: usize, heard: Heard<'_>) {
        match heard {
            Heard::Answer { id, frame, .. } => self.on_answer(swarm, at, id, frame),
            Heard::Ping(token) => swarm.dialect.sign_of_life(swarm.say(at), token),
            _ => {}
        }
    }

    fn on_closed(&mut self, swarm: &mut Swarm, at: usize) {
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
        while let Some(&Reverse((due_ns, at))) = self.due.peek() {
            if due_ns > swarm.now_ns() {
                swarm.wake_at_ns(due_ns);
                break;
            }
            self.due.pop();
            self.come(swarm, at);
        }
        let (inside, all) = (self.inside, self.comers.len());
        self.progress.show(|| format!("{inside} of {all} are in"));
    }
}

/// The healthy come, say so, and talk until it is over.
fn talk(
    plan: &Plan,
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    is_over: &AtomicBool,
    tell: SyncSender<()>,
) -> Result<Talk, Failure> {
    let swarm = &mut Swarm::new(address, plan.target.dialect(), plan.healthy, stop)?;
    entrance::enter(plan, swarm, plan.healthy)?;
    // Whoever listened is gone only when the run has failed already.
    let _ = tell.send(());
    let mut talk = Talk::new(plan, swarm);
    talk.begin(swarm);
    let done = |talk: &mut Talk, swarm: &mut Swarm| {
        if is_over.load(Ordering::Relaxed) {
            talk.end();
        }
        talk.is_over(swarm)
    };
    swarm.run_until(&mut talk, "clients talk", done, |_| String::new())?;
    Ok(talk)
}
