//! Parlor: a chat and file server for people on one network, and its terminal client.
pub mod client;
pub mod front;
pub mod id;
pub mod limits;
pub mod message;
pub mod wire;
