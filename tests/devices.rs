//! Users with several devices, rooms and errands, against a model of docs/sessions.md: after each
//! step every device has heard what the table says, and nothing else.
//!
//! `SIM_SEED=n` replays one seed and prints what happens; `SIM_SEEDS` and `SIM_STEPS` run more.

use std::collections::BTreeMap;

use devices::model::{ACCOUNTS, Model};
use parlor::engine::Setup;
use parlor::job::StoreJob;
use parlor::limits::Limits;
use parlor::message::UserName;
use parlor::store::Store as _;
use rng::Rng;
use stage::Stage;

mod devices {
    pub(crate) mod device;
    pub(crate) mod logins;
    pub(crate) mod model;
    pub(crate) mod talk;
}
#[allow(dead_code)] // each test needs other parts of the frames
#[path = "support/frames.rs"]
mod frames;
#[path = "support/rng.rs"]
mod rng;
#[allow(dead_code)] // of the stage
#[path = "support/stage.rs"]
mod stage;
#[allow(dead_code)] // and looks at other parts of the workers
#[path = "support/workers.rs"]
mod workers;

const SEEDS: u64 = 192;
const STEPS: u64 = 400;

#[test]
fn every_device_hears_what_the_table_says_and_nothing_else() {
    if let Some(seed) = number("SIM_SEED") {
        eprintln!("{:#?}", run(seed, true));
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(SEEDS);
    let mut total: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..seeds {
        let counts = std::panic::catch_unwind(|| run(seed, false)).unwrap_or_else(|panic| {
            eprintln!("replay it with SIM_SEED={seed} cargo test --test devices -- --nocapture");
            std::panic::resume_unwind(panic)
        });
        for (what, count) in counts {
            *total.entry(what).or_default() += count;
        }
    }
    eprintln!("{seeds} seeds: {total:#?}");
    // A run in which something never happens would show nothing of it.
    for what in HAPPENS {
        assert!(total.get(what).is_some_and(|&count| count >= seeds / 8), "{what}: {total:?}");
    }
}

const HAPPENS: [&str; 18] = [
    "a connection ends",
    "a letter to several sessions",
    "a logout",
    "a room is joined",
    "a room is left",
    "a room is opened",
    "a session is ended by another",
    "a silent session is replaced",
    "a message is sent again",
    "a message is sent again after a restart",
    "a message of an errand",
    "a token replaces its session",
    "a void token",
    "all sessions live",
    "another password",
    "own words from elsewhere",
    "a room is current again",
    "logout of all",
];

fn run(seed: u64, tracing: bool) -> BTreeMap<&'static str, u64> {
    let mut rng = Rng::new(seed);
    let sessions_max = *rng.pick(&[1, 2, 3, 8]);
    let members_max = *rng.pick(&[2, 3, 15]);
    let limits = Limits {
        accounts_sessions: sessions_max,
        room_members: members_max,
        message_rate: 0,
        before_login: 0,
        timeout: std::time::Duration::ZERO,
        ..Limits::default()
    };
    let mut model = Model::new(
        Stage::with(Setup { limits, ..Setup::default() }),
        rng,
        usize::try_from(sessions_max).unwrap(),
        usize::try_from(members_max).unwrap(),
    );
    model.tracing = tracing;
    model.stage.now.wall_ms = 1_700_000_000_000;
    for name in ACCOUNTS {
        let name = UserName::parse(name).unwrap();
        let hash = format!("hash of secret of {name}");
        model.stage.store.commit(&[StoreJob::Create { name, hash }]);
        model.passwords.insert(name.to_string(), format!("secret of {name}"));
    }
    model.stage.read_directory();
    for _ in 0..number("SIM_STEPS").unwrap_or(STEPS) {
        step(&mut model);
    }
    model.counts
}

fn step(model: &mut Model) {
    let open: Vec<usize> =
        (0..model.devices.len()).filter(|&at| !model.devices[at].closed).collect();
    if open.is_empty() || (open.len() < 14 && model.rng.chance(120)) {
        let at = model.connect();
        return model.login(at);
    }
    let at = *model.rng.pick(&open);
    if !model.devices[at].lives {
        // It is half open: nothing comes from it any more.
        return;
    }
    if model.devices[at].name.is_none() {
        return model.login(at);
    }
    match model.rng.below(100) {
        0..=3 => model.disconnect(at),
        4..=5 => model.devices[at].lives = false,
        99 if model.rng.chance(100) => model.restart(),
        6..=8 => model.logout(at),
        9 => model.passwd(at),
        10..=12 => model.end_other(at),
        13..=27 => model.join(at),
        28..=35 => model.leave_or_turn(at),
        36..=62 => model.say(at),
        63..=80 => model.whisper(at),
        81..=86 => model.confirm(at),
        87..=89 => model.block(at),
        _ => model.list(at),
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
