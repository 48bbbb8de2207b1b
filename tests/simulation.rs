//! The whole engine in virtual time, among clients, kernels and a disk that a seed directs.
//!
//! `SIM_SEED=n` replays one seed and prints what happens; `SIM_SEEDS` and `SIM_STEPS` run more.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parlor::engine::Input;
use parlor::id::{LetterId, Source, TransferId};
use parlor::job::{StoreJob, StoreOutcome};
use parlor::message::{Command, FileRef, Proof, Secret};

use simulation::actions;
use simulation::client::{Client, Habit};
use simulation::errands;
use simulation::trace;
use simulation::world::World;
use support::rng::Rng;

mod simulation {
    pub(crate) mod accounts;
    pub(crate) mod actions;
    pub(crate) mod asked;
    pub(crate) mod client;
    pub(crate) mod errands;
    pub(crate) mod hands;
    pub(crate) mod ledger;
    pub(crate) mod line;
    pub(crate) mod oracle;
    pub(crate) mod post;
    pub(crate) mod shelf;
    pub(crate) mod stock;
    pub(crate) mod store;
    pub(crate) mod stream;
    pub(crate) mod trace;
    pub(crate) mod vault;
    pub(crate) mod watch;
    pub(crate) mod world;
}
mod support;

const SEEDS: u64 = 256;
const STEPS: u64 = 2_000;
/// Sooner than this nobody's time to take the last output is over.
const DRAINED: Duration = Duration::from_secs(9);

/// What a run did, so that a run in which nothing happens is noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Done {
    connections: u64,
    answers: u64,
    said: u64,
    cut: u64,
    file_bytes: u64,
    letters: u64,
    welcomes: u64,
    taken_over: u64,
    power_cuts: u64,
    stored: u64,
    offered: u64,
    parted: u64,
    lies: u64,
}

#[test]
fn whatever_clients_kernels_and_disks_do_the_engine_keeps_its_rules() {
    if let Some(seed) = number("SIM_SEED") {
        eprintln!("{:?}", run(seed, true));
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let worker = || {
        let (mut total, mut traces) = (Done::default(), BTreeMap::new());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return (total, traces);
            }
            let (done, trace) = run_twice(seed);
            total = total.plus(done);
            traces.insert(seed, trace);
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let (mut total, mut traces) = (Done::default(), BTreeMap::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            match worker.join() {
                Ok((done, more)) => {
                    total = total.plus(done);
                    traces.extend(more);
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    eprintln!("{seeds} seeds: {total:?}");
    let each = |count: u64| count / seeds;
    assert!(each(total.connections) >= 12 && each(total.answers) >= 500, "{total:?}");
    assert!(each(total.said) >= 100 && each(total.file_bytes) >= 60, "{total:?}");
    assert!(each(total.letters) >= 5 && each(total.welcomes) >= 15, "{total:?}");
    let rare = total.cut.min(total.taken_over).min(total.power_cuts);
    assert!(3 * rare >= seeds, "{total:?}");
    if number("SIM_STEPS").is_none_or(|steps| steps == STEPS) {
        trace::compare(&traces);
    }
}

fn run_twice(seed: u64) -> (Done, String) {
    let both = catch_unwind(AssertUnwindSafe(|| (run(seed, false), run(seed, false))));
    match both {
        Ok((first, second)) if first == second => first,
        Ok((first, second)) => panic!("seed {seed} gives {first:?} and {second:?}; {}", how(seed)),
        Err(panic) => {
            eprintln!("seed {seed} fails; {}", how(seed));
            std::panic::resume_unwind(panic)
        }
    }
}

fn how(seed: u64) -> String {
    format!("replay it with SIM_SEED={seed} cargo test --test simulation -- --nocapture")
}

fn run(seed: u64, tracing: bool) -> (Done, String) {
    let mut rng = Rng::new(seed);
    let limits = actions::limits(&mut rng);
    if tracing {
        eprintln!("{limits:?}");
    }
    let cut_chance = *rng.pick(&[0, 0, 100, 300]);
    let mut world = World::new(limits, rng, tracing);
    world.cut_chance = cut_chance;
    world.sizes = errands::sizes(&mut world);
    for _ in 0..number("SIM_STEPS").unwrap_or(STEPS) {
        actions::step(&mut world);
    }
    settle(&mut world);
    drain(&mut world);
    collect(&mut world);
    expire(&mut world);
    let done = Done {
        connections: world.clients.len() as u64,
        answers: world.clients.iter().map(|client| client.answers).sum(),
        said: world.oracle.said,
        cut: world.engine.stats().cut,
        file_bytes: world.clients.iter().map(|client| client.hands.got_bytes).sum(),
        letters: world.oracle.post.delivered,
        welcomes: world.oracle.vault.welcomes,
        taken_over: world.oracle.taken_over,
        power_cuts: world.cuts,
        stored: world.oracle.shelf.stored,
        offered: world.oracle.shelf.offered,
        parted: world.oracle.shelf.parted,
        lies: world.clients.iter().map(|client| client.hands.lies).sum(),
    };
    (done, world.trace.line())
}

/// Everybody reads, nobody says anything new: all that was asked is answered, all that was said is
/// heard, and the loop comes to rest.
fn settle(world: &mut World) {
    world.heal();
    turns_until(world, "the loop does not come to rest", |world| {
        let still = |index: usize| {
            let (client, link) = (&world.clients[index], &world.links[index]);
            let sent = client.unsent.is_empty() && link.up.is_empty();
            let told = client.owed() == 0 || client.bye.is_some() || link.closed || client.broken;
            link.reset || (link.down.is_empty() && told && (sent || link.closed || link.up_ended))
        };
        world.is_quiet() && (0..world.clients.len()).all(still)
    });
    for (client, link) in world.clients.iter().zip(&world.links) {
        let label = client.label();
        // One that had said all and was closed before the time to flush was over has been told all,
        // unless it was closed because too much was waiting for everybody.
        let ended_ms = world.oracle.ended_ms.get(&label);
        let served = world.limits.output_total_bytes > actions::PLENTY
            && ended_ms.is_some_and(|&ms| {
                Duration::from_millis(link.closed_ms.saturating_sub(ms)) < DRAINED
            });
        if link.reset || client.bye.is_some() || (link.closed && !served) {
            continue;
        }
        assert!(!client.broken, "{label} was not sent away");
        assert!(!client.has_part(), "{label} has half a message");
        assert_eq!(client.owed(), 0, "{label} is owed answers: {}", client.describe());
        assert_eq!(world.oracle.unheard(&label).0, 0, "{label} has not heard all");
        for (number, sending) in &client.hands.sending {
            assert!(link.up_ended || !sending.is_stuck(), "{label}: upload {number} is stuck");
        }
        if client.logged_in && !link.up_ended {
            let owed = world.oracle.owed_files(&label);
            assert!(owed.is_empty(), "{label} has not heard of files: {owed}");
        }
        for (number, getting) in &client.hands.getting {
            // Whoever has said all is told what it asked, and no file.
            let goes_on = getting.active && !link.up_ended;
            assert!(!goes_on, "{label}: download {number} is stuck");
        }
    }
}

/// All clients leave, one way or another, or the server stops: nothing is left of them.
fn drain(world: &mut World) {
    if world.rng.chance(500) {
        world.oracle.stopping = true;
        world.feed(Input::Shutdown);
    } else {
        for index in 0..world.clients.len() {
            if world.rng.chance(500) {
                world.reset(index);
            } else {
                world.finish(index);
            }
        }
    }
    turns_until(world, "connections are left", |world| {
        world.sockets_left() == 0 && world.is_quiet()
    });
    let stats = world.engine.stats();
    assert_eq!((stats.connections, stats.users, stats.rooms), (0, 0, 0), "{stats:?}");
    assert_eq!((stats.uploads, stats.output_bytes), (0, 0), "{stats:?}");
    assert_eq!(world.engine.hub().uploads().waiting(), 0);
    assert!(!world.oracle.stopping || world.engine.is_drained());
    assert_eq!(world.store.left_open(), [], "files are left open");
}

/// Every account comes once more, with its password and on a connection of its own, and takes what
/// is kept for it: nothing that was acknowledged is missing, and nothing is left.
fn collect(world: &mut World) {
    if world.oracle.stopping {
        world.restart();
    }
    let mut all_stayed = true;
    for (index, account) in world.ledger.directory().accounts.into_iter().enumerate() {
        let name = account.name.to_string();
        let password = world.password_of(&name).expect("it has one");
        let mut client = Client::new(true, Habit::Healthy, name.clone());
        client.source = Source(1_000 + index as u64);
        let at = world.clients.len();
        world.connect(client);
        let proof = Proof::Password(Secret(password.into()));
        world.ask(at, &Command::Login { user: name.into(), proof });
        turns_until(world, "letters are not delivered", |world| {
            let (client, link) = (&world.clients[at], &world.links[at]);
            let told = client.owed() == 0 && link.down.is_empty() && client.unsent.is_empty();
            link.closed || (client.logged_in && told && link.up.is_empty() && world.is_quiet())
        });
        if !world.clients[at].logged_in && !world.limits.timeout.is_zero() {
            // Who only takes what is kept asks for nothing, and is logged out for that in time.
            all_stayed = false;
            continue;
        }
        assert!(world.clients[at].logged_in, "{} cannot log in any more", account.name);
        let job = StoreJob::Letters { account: account.id, after: LetterId(0), most: 1 };
        let none = StoreOutcome::Letters { letters: Vec::new(), more: false };
        assert_eq!(world.ledger.look(job), none, "letters of {} are left", account.name);
        take_files(world, at);
        world.finish(at);
    }
    turns_until(world, "connections are left", |world| {
        world.sockets_left() == 0 && world.is_quiet()
    });
    if all_stayed {
        world.oracle.post.check_all_read();
    }
}

/// Somebody takes what was handed to him, whole, and the server forgets it.
fn take_files(world: &mut World, at: usize) {
    let offered = world.clients[at].hands.offered.clone();
    for number in offered.into_iter().filter(|(_, alone)| *alone).map(|(number, _)| number) {
        let transfer = TransferId(number);
        let is_over = |world: &World| world.links[at].closed || !world.clients[at].logged_in;
        if is_over(world) || !world.oracle.shelf.records.contains_key(&number) {
            continue;
        }
        world.ask(at, &Command::Get { file: FileRef::Number(transfer), offset: 0 });
        turns_until(world, "a file does not come", |world| {
            let is_here = world.clients[at].hands.has.contains_key(&number);
            is_over(world) || is_here || !world.oracle.shelf.records.contains_key(&number)
        });
        if is_over(world) {
            return;
        }
        world.ask(at, &Command::Received { transfer });
        turns_until(world, "a file stays though it was taken", |world| {
            is_over(world) || !world.oracle.shelf.records.contains_key(&number)
        });
    }
}

/// The time of all files is over: nothing is left of any, neither on the disk nor in the store.
fn expire(world: &mut World) {
    // A clock that jumps so far is not believed before it has stayed there for an hour.
    world.now.wall_ms += 120 * 24 * 60 * 60 * 1_000;
    for _ in 0..64 {
        world.pass(61_000);
        world.turn();
        turns_until(world, "files are left and nobody goes on", World::is_quiet);
    }
    assert_eq!(world.oracle.shelf.records.len(), 0, "files outlive their time");
    assert_eq!(world.ledger.files().files, [], "records are left");
    assert_eq!(world.store.whole.keys().count(), 0, "contents are left without a record");
    assert_eq!(world.store.halves(), [], "half files are left");
    assert_eq!(world.store.left_open(), [], "files are left open");
}

fn turns_until(world: &mut World, complaint: &str, is_so: impl Fn(&World) -> bool) {
    for _ in 0..20_000 {
        if is_so(world) {
            return;
        }
        for index in 0..world.clients.len() {
            if !world.is_over(index) {
                world.send(index, true);
                world.receive(index, usize::MAX);
            }
        }
        world.turn();
        world.pass(5);
    }
    let left = (0..world.clients.len()).filter(|&index| !world.is_over(index));
    let describe = |index: usize| {
        let (client, link) = (&world.clients[index], &world.links[index]);
        let (up, down, unsent) = (link.up.len(), link.down.len(), client.unsent.len());
        format!("{}: {up} up, {down} down, {unsent} unsent", client.describe())
    };
    let left: Vec<String> = left.map(describe).collect();
    panic!("{complaint}; quiet: {}, left: {left:#?}", world.is_quiet());
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

impl Done {
    fn plus(self, other: Self) -> Self {
        Self {
            connections: self.connections + other.connections,
            answers: self.answers + other.answers,
            said: self.said + other.said,
            cut: self.cut + other.cut,
            file_bytes: self.file_bytes + other.file_bytes,
            letters: self.letters + other.letters,
            welcomes: self.welcomes + other.welcomes,
            taken_over: self.taken_over + other.taken_over,
            power_cuts: self.power_cuts + other.power_cuts,
            stored: self.stored + other.stored,
            offered: self.offered + other.offered,
            parted: self.parted + other.parted,
            lies: self.lies + other.lies,
        }
    }
}
