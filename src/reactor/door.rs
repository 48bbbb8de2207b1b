//! Who comes in: sockets that accept, places that run out, and complaints about both.
//!
//! Knows nothing of connections once they are in. The rule it keeps: troubles that come in crowds
//! are logged at most once a second, with their number.

use std::time::{Duration, Instant};

use super::listener::{Accepted, Listeners, turn_away};
use super::transport::{Peer, Transport};
use crate::address::Address;
use crate::facts::TroubleFact;
use crate::logging;

/// Troubles are logged once in this time.
const COMPLAIN_EVERY: Duration = Duration::from_secs(1);

/// The way in, until it is closed for good.
#[derive(Debug)]
pub(super) struct Door {
    /// `None` when nobody is accepted any more.
    listeners: Option<Listeners>,
    complained_at: Option<Instant>,
    /// Troubles since the start.
    troubles: u64,
}

impl Door {
    pub(super) fn new(listeners: Listeners) -> Self {
        Self { listeners: Some(listeners), complained_at: None, troubles: 0 }
    }

    pub(super) fn addresses(&self) -> Vec<Address> {
        self.listeners.as_ref().map(Listeners::addresses).unwrap_or_default()
    }

    /// Accepts no more.
    pub(super) fn shut(&mut self) {
        self.listeners = None;
    }

    /// A client waits at a socket.
    pub(super) fn on_edge(&mut self, index: usize) {
        if let Some(listeners) = &mut self.listeners {
            listeners.on_edge(index);
        }
    }

    /// When accepting continues: now, later, or when an edge comes.
    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        self.listeners.as_ref().and_then(|listeners| listeners.next_at(now))
    }

    /// What came of one attempt to let a client in; what only the log need know is logged.
    pub(super) fn accept(&mut self, at: Instant) -> Came {
        let Some(listeners) = &mut self.listeners else { return Came::Nobody };
        match listeners.accept(at) {
            Accepted::One(transport, peer) => Came::One(transport, peer),
            Accepted::TurnedAway(peer) => {
                self.complain(at, &format!("{peer} turned away"));
                Came::Refused
            }
            Accepted::Exhausted(error) => {
                self.complain(at, &format!("accepting rests: {error}"));
                Came::Nobody
            }
            Accepted::Nobody => Came::Nobody,
        }
    }

    /// There is no place for one who came.
    pub(super) fn refuse(&mut self, transport: Transport, peer: Peer) {
        turn_away(transport);
        self.complain(Instant::now(), &format!("{peer} turned away: server is full"));
    }

    /// Logs a trouble at the door, at most once a second, with how many there were.
    pub(super) fn complain(&mut self, at: Instant, text: &str) {
        self.troubles += 1;
        if self.complained_at.is_none_or(|last| at.duration_since(last) >= COMPLAIN_EVERY) {
            self.complained_at = Some(at);
            let (why, so_far) = (text.to_owned(), self.troubles);
            logging::note(TroubleFact::TurnedAway { why, so_far }.into());
        }
    }
}

/// What came of one attempt to let a client in.
pub(super) enum Came {
    /// A connection.
    One(Transport, Peer),
    /// One that was told that there is no place for it.
    Refused,
    /// Nobody else for now.
    Nobody,
}
