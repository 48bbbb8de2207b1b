//! One accepted socket and what the poller has said of it.

use mio::net::TcpStream;

/// A connection in the slab.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    /// Which tenant of the slot this is.
    pub(super) generation: u32,
    /// An edge came and no read has answered `WouldBlock` since.
    pub(super) readable: bool,
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
    pub(super) fn new(stream: TcpStream, generation: u32) -> Self {
        let (readable, writable, paused, queued) = (false, true, false, false);
        Self { stream, generation, readable, writable, paused, queued }
    }

    pub(super) fn wants_turn(&self) -> bool {
        self.readable && !self.paused && !self.queued
    }
}
