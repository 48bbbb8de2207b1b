//! Parlor: a chat and file server for people on one network, and its terminal client.
pub mod client;
pub mod config;
pub mod engine;
pub mod files;
pub mod front;
pub mod hub;
pub mod id;
pub mod job;
pub mod limits;
pub mod logging;
pub mod message;
pub mod os;
pub mod reactor;
pub mod serve;
pub mod wire;
