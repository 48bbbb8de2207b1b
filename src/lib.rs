//! Parlor: a chat and file server for people on one network, and its terminal client.
pub mod config;
pub mod front;
pub mod id;
pub mod limits;
pub mod logging;
pub mod message;
pub mod os;
pub mod serve;
pub mod wire;
