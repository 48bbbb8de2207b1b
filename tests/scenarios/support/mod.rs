//! Who plays in the scenarios: a [`Server`], and people who come to it in one [`Way`] or the other.

use std::io::Read as _;
use std::net::TcpStream;

mod chat;
mod gate;
mod lines;
mod person;
#[path = "../../support/rng.rs"]
mod rng;
#[path = "../../support/server.rs"]
mod running;
mod server;
mod text;

pub(crate) use chat::Chat;
pub(crate) use gate::Gate;
pub(crate) use lines::Lines;
pub(crate) use person::{Person, Way};
pub(crate) use running::{PARLOR, parlor};
pub(crate) use server::Server;
pub(crate) use text::Text;

/// Bytes that are different for each seed.
pub(crate) fn content(seed: u64, size: usize) -> Vec<u8> {
    rng::Rng::new(seed).bytes(size)
}

/// The number that stands after `before`.
pub(crate) fn number_after(line: &str, before: &str) -> u64 {
    let (_, rest) = line.split_once(before).unwrap_or_else(|| panic!("no `{before}` in: {line}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number after `{before}` in: {line}"))
}

/// JSON in a native frame.
pub(crate) fn frame(json: &str) -> Vec<u8> {
    let length = u32::try_from(json.len() + 1).unwrap();
    [&length.to_be_bytes()[..], &[1], json.as_bytes()].concat()
}

/// Reads what a client says to a stand-in for the server, until this was said.
pub(crate) fn read_until(socket: &mut TcpStream, what: &str) {
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains(what) {
        let mut part = [0; 1024];
        let count = socket.read(&mut part).unwrap();
        assert!(count > 0, "the end instead of {what}");
        heard.extend_from_slice(&part[..count]);
    }
}
