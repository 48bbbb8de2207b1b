//! One accepted socket and what the poller has said of it.

use mio::event::Event;

use super::transport::Transport;
use crate::os;

/// A connection in the slab.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) transport: Transport,
    /// Which tenant of the slot this is.
    pub(super) generation: u32,
    /// An edge came and no read has emptied the socket since.
    pub(super) readable: bool,
    /// Whether a read that brings less than was asked for has emptied the socket. Not any more when
    /// something stands behind the bytes: the end of the stream, or bytes out of line (urgent), at
    /// which every read stops short.
    pub(super) short_empties: bool,
    /// An edge came and no write has answered `WouldBlock` since.
    pub(super) writable: bool,
    /// The engine does not want it read.
    pub(super) paused: bool,
    /// In the line of those to be read.
    pub(super) queued: bool,
}

impl Connection {
    /// Before the first edge a new socket is taken for writable, because it is, and for unread,
    /// because the edge tells.
    pub(super) fn new(transport: Transport, generation: u32) -> Self {
        Self {
            transport,
            generation,
            readable: false,
            short_empties: os::SHORT_READ_EMPTIES,
            writable: true,
            paused: false,
            queued: false,
        }
    }

    /// The poller says something of it.
    pub(super) fn on_event(&mut self, event: &Event) {
        let ends = event.is_read_closed() || event.is_error();
        self.readable |= event.is_readable() || ends || event.is_priority();
        self.short_empties &= !ends && !event.is_priority();
    }

    /// A read asked for `wanted` bytes and brought `n`, not none.
    pub(super) fn note_read(&mut self, n: usize, wanted: usize) {
        if n < wanted && self.short_empties && !self.transport.holds_more() {
            self.readable = false;
        }
    }

    pub(super) fn wants_turn(&self) -> bool {
        self.readable && !self.paused && !self.queued
    }
}
