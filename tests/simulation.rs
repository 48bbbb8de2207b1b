//! The whole engine in virtual time, among clients, kernels and a disk that a seed directs.
//!
//! `SIM_SEED=n` replays one seed and prints what happens; `SIM_SEEDS` and `SIM_STEPS` run more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parlor::engine::Input;

use simulation::actions;
use simulation::world::World;
use support::rng::Rng;

mod simulation {
    pub(crate) mod actions;
    pub(crate) mod client;
    pub(crate) mod oracle;
    pub(crate) mod store;
    pub(crate) mod stream;
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
    hash: u64,
    connections: u64,
    answers: u64,
    said: u64,
    cut: u64,
    file_bytes: u64,
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
        let mut total = Done::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return total;
            }
            total = total.plus(run_twice(seed));
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let total = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().fold(Done::default(), |total, worker| match worker.join() {
            Ok(done) => total.plus(done),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    });
    eprintln!("{seeds} seeds: {total:?}");
    let each = |count: u64| count / seeds;
    assert!(each(total.connections) >= 12 && each(total.answers) >= 600, "{total:?}");
    assert!(each(total.said) >= 200 && each(total.cut) >= 2, "{total:?}");
    assert!(each(total.file_bytes) >= 200, "{total:?}");
}

fn run_twice(seed: u64) -> Done {
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

fn run(seed: u64, tracing: bool) -> Done {
    let mut rng = Rng::new(seed);
    let limits = actions::limits(&mut rng);
    if tracing {
        eprintln!("{limits:?}");
    }
    let mut world = World::new(limits, rng, tracing);
    for _ in 0..number("SIM_STEPS").unwrap_or(STEPS) {
        actions::step(&mut world);
    }
    settle(&mut world);
    drain(&mut world);
    Done {
        hash: world.hash.0,
        connections: world.clients.len() as u64,
        answers: world.clients.iter().map(|client| client.answers).sum(),
        said: world.oracle.said,
        cut: world.engine.stats().cut,
        file_bytes: world.clients.iter().map(|client| client.chunk_bytes).sum(),
    }
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
            && ended_ms.is_some_and(|&ms| Duration::from_millis(link.closed_ms - ms) < DRAINED);
        if link.reset || client.bye.is_some() || (link.closed && !served) {
            continue;
        }
        assert!(!client.broken, "{label} was not sent away");
        assert!(!client.has_part(), "{label} has half a message");
        assert_eq!(client.owed(), 0, "{label} is owed answers");
        assert_eq!(world.oracle.unheard(&label).0, 0, "{label} has not heard all");
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
    assert_eq!(world.store.left(), [], "files are left");
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
    panic!("{complaint}");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

impl Done {
    fn plus(self, other: Self) -> Self {
        Self {
            hash: self.hash ^ other.hash,
            connections: self.connections + other.connections,
            answers: self.answers + other.answers,
            said: self.said + other.said,
            cut: self.cut + other.cut,
            file_bytes: self.file_bytes + other.file_bytes,
        }
    }
}
