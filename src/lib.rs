//! Parlor: a chat and file server for people on one network, and its terminal client.
pub mod engine;
pub mod front;
pub mod hub;
pub mod id;
pub mod job;
pub mod limits;
pub mod message;
pub mod wire;
