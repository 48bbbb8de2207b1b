//! Parlor: a chat and file server for people on one network, and its terminal client.
//!
//! ```text
//!             plain data in                                     plain data out
//!   +--------------------------------------------------------------------------------+
//!   | PURE  engine   one protocol and one outbox a connection, deadlines, marks      |
//!   |       front    frames and lines <-> meaning                                    |
//!   |       wire     bytes <-> frames and lines                                      |
//!   |       hub      who may do what, who hears what                                 |
//!   |       message, facts, job, id, limits    the words that all of them speak      |
//!   +--------------------------------------------------------------------------------+
//!         ^ Input: Opened, Bytes, Ended, Done, Turn, Deadlines, Shutdown
//!         v Output: Close, HalfClose, Pause, Resume, Job, Note; and bytes in outboxes
//!   +--------------------------------------------------------------------------------+
//!   | I/O   reactor  poll, sockets, signals: one thread that never waits for a disk  |
//!   |       files    the worker that touches the disk       logging  the audit log   |
//!   |       store    what lasts, in one SQLite file         passwords  Argon2id      |
//!   |       serve    what stands around the reactor         os       what differs    |
//!   |       config   options, variables, file -> Config     client   the other side  |
//!   +--------------------------------------------------------------------------------+
//! ```
//!
//! The pure half has no sockets, files, threads, clocks or random numbers, so one test runs the
//! whole server in virtual time (`tests/simulation.rs`). The I/O half decides nothing about chat.
//! `ARCHITECTURE.md` has the map, the life of a message and the lexicon; `docs/protocol.md` the
//! wire.

#![warn(clippy::wildcard_enum_match_arm)]
#![cfg_attr(test, allow(clippy::wildcard_enum_match_arm))]

// The samples of tests/golden name this library as tests do.
#[cfg(test)]
extern crate self as parlor;

mod address;
pub mod admin;
pub mod client;
pub mod config;
pub mod engine;
pub mod facts;
mod files;
pub mod front;
mod half;
pub mod hub;
pub mod id;
pub mod job;
pub mod limits;
pub mod logging;
pub mod message;
pub mod os;
pub mod passwords;
mod reactor;
pub mod serve;
pub mod store;
pub mod wire;
mod worker;
