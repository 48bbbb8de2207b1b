//! I/O. A stream of bytes between two programs, over TCP or a Unix socket.
//!
//! The rule it keeps: whoever reads and writes it need not know which of the two it is.

use super::io::{self, IoSlice, Read, Write};
use super::platform::LocalStream;
use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::net::Shutdown;

/// One end of a connection; it never blocks.
#[derive(Debug)]
pub(crate) enum ByteStream {
    /// To another machine, or to this one by its address.
    Tcp(TcpStream),
    /// On a Unix socket, between programs of one machine.
    #[cfg_attr(windows, expect(dead_code, reason = "mio has no such sockets there"))]
    Local(LocalStream),
}

impl ByteStream {
    /// Ends one or both directions.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Local(stream) => stream.shutdown(how),
        }
    }
}

impl Read for ByteStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Local(stream) => stream.read(buffer),
        }
    }
}

impl Write for ByteStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Local(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write_vectored(pieces),
            Self::Local(stream) => stream.write_vectored(pieces),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for ByteStream {
    fn register(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.register(to, token, interest),
            Self::Local(stream) => stream.register(to, token, interest),
        }
    }

    fn reregister(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.reregister(to, token, interest),
            Self::Local(stream) => stream.reregister(to, token, interest),
        }
    }

    fn deregister(&mut self, from: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.deregister(from),
            Self::Local(stream) => stream.deregister(from),
        }
    }
}
