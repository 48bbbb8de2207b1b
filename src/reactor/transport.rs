//! What carries the bytes of one connection: the only place of the reactor that touches its socket.
//!
//! Knows how each kind of stream is read, written, ended and watched, and nothing of what goes over
//! it. The rule it keeps: the reactor never learns which kind it has. So a transport that holds
//! bytes of its own says so ([`Transport::holds_more`]): no edge will tell of those.

use std::fmt;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr};

use mio::{Interest, Registry, Token};

use crate::id::Source;
use crate::os::{self, ByteStream};

/// One accepted stream of bytes.
#[derive(Debug)]
pub(super) enum Transport {
    /// Bytes as they are.
    Plain(ByteStream),
}

impl Transport {
    /// Reads what there is; `Ok(0)` is the end of the peer's stream.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
        }
    }

    /// Writes several pieces as one.
    pub(super) fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write_vectored(pieces),
        }
    }

    /// Ends our half of the stream; the peer may still send.
    pub(super) fn end(&mut self) {
        // A socket that cannot be shut down is broken, and its reading end says so.
        let _ = match self {
            Self::Plain(stream) => stream.shutdown(Shutdown::Write),
        };
    }

    /// Has the poller watch both directions.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = os::READ_INTEREST | Interest::WRITABLE;
        match self {
            Self::Plain(stream) => registry.register(stream, token, interest),
        }
    }

    /// Whether it has bytes to read that it has taken from the kernel already. They make no edge,
    /// so that a short read does not mean that there are none.
    pub(super) fn holds_more(&self) -> bool {
        match self {
            Self::Plain(_) => false,
        }
    }
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer {
    /// A client at an address of the network.
    Net(SocketAddr),
    /// A program of this machine, on a Unix socket: of this user, where the system tells.
    Local(Option<u32>),
}

impl Peer {
    /// Whose limits it counts against.
    pub(super) fn source(self) -> Source {
        let Self::Net(address) = self else { return Source::THIS_MACHINE };
        match address.ip().to_canonical() {
            ip if ip.is_loopback() => Source::THIS_MACHINE,
            IpAddr::V4(ip) => Source::of_v4(ip.to_bits()),
            IpAddr::V6(ip) => Source::of_v6((ip.to_bits() >> 64) as u64),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(address) => address.fmt(f),
            Self::Local(Some(user)) => write!(f, "this machine (user {user})"),
            Self::Local(None) => f.write_str("this machine"),
        }
    }
}
