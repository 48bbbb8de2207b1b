//! What the network and people do to a server, a test for each fault.
//!
//! The number in a test's name is the row of the list of faults that it belongs to. The tests of
//! `clocks`, `files`, `pure`, `shelves`, `states`, `strangers`, `takeovers`, `passwords`,
//! `sessions` and `stored` drive the engine in virtual time; all others a real server over the
//! loopback. With `PARLOR_LONG=1` in the environment the same tests run at full size
//! (docs/testing.md).

mod clocks;
mod fairness;
mod files;
#[path = "../support/frames.rs"]
mod frames;
mod framing;
mod lateness;
mod lifecycle;
mod listening;
mod live;
mod passwords;
mod pure;
#[path = "../support/rng.rs"]
mod rng;
#[path = "../support/server.rs"]
mod running;
mod sessions;
mod shelves;
#[path = "../support/stage.rs"]
mod stage;
mod startup;
mod states;
mod stored;
mod strangers;
mod support;
mod takeovers;
mod uploads;
#[path = "../support/workers.rs"]
mod workers;
mod world;
