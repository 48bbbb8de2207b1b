//! The ten scenarios of the system that Parlor grew from, and what goes with them, against the
//! real binary: a server process, clients as processes behind pipes, and plain sockets that speak
//! text lines as a person with netcat does.
//!
//! Each scenario is written once and told twice, one way and the other. Nothing sleeps: whoever
//! waits, waits for a line, with a deadline.

#![cfg(unix)]

mod accounts;
mod again;
mod audit;
mod ending;
mod files;
mod names;
mod queue;
mod rooms;
mod support;
mod talk;
mod terminal;
mod words;
