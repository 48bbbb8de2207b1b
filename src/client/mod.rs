//! The client's side: a session without a socket, the files that it sends and saves, and the plain
//! client that is built on them.
//!
//! Knows the words and how they are written (`message`, `front`), but nothing of how a server
//! decides. The rule it keeps: whatever a server sends is untrusted; it is bounded before it is
//! kept, made visible before it is shown, and never overwrites a file.

pub mod backoff;
pub mod errand;
pub mod letters;
pub mod plain;
pub mod session;

mod bars;
mod basket;
mod chat;
mod commands;
mod connect;
mod drivers;
mod face;
mod link;
mod outcome;
mod partial;
mod progress;
mod retry;
mod screen;
mod start;
mod token_file;
mod transfers;
mod typed;
mod view;
