//! One client's connection: its socket, the unfinished end of what it read, and what it still has
//! to say. Knows no protocol.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

/// Where connections on loopback come from: many addresses, each with its own ports, so that
/// those that are closing (a minute, TIME_WAIT) do not use them up. Each comes again only after
/// 800,000 others.
#[derive(Default)]
pub(super) struct Sources(usize);

impl Sources {
    const ADDRESSES: usize = 20;
    const PORTS: std::ops::Range<usize> = 20_000..60_000;
    /// A prime, so that many leaps do not come back to where they began.
    const LEAP_PORTS: usize = 997;

    fn next(&mut self) -> SocketAddr {
        let (address, port) = (self.0 % Self::ADDRESSES, self.0 / Self::ADDRESSES);
        self.0 += 1;
        // From 127.0.0.2: the first address is where others have their ports.
        let address = Ipv4Addr::new(127, 0, 0, 2 + address as u8);
        (address, (Self::PORTS.start + port % Self::PORTS.len()) as u16).into()
    }

    /// The last one was taken, and so are most likely its neighbours: a run before this one left
    /// them closing.
    fn leap(&mut self) {
        self.0 += Self::ADDRESSES * Self::LEAP_PORTS;
    }
}

/// Sources that may be taken before connecting is given up.
const SOURCES_TRIED: usize = 100;

/// A connection, or the place for one.
#[derive(Default)]
pub(crate) struct Conn {
    /// Which connection of the run this is: what was meant for an older one is not for this one.
    pub(super) serial: usize,
    /// What is to be said. Only what was not taken yet is in it.
    pub(super) out: Vec<u8>,
    /// Whether it is in the list of those with something to say.
    pub(super) dirty: bool,
    /// Whether it does not read.
    pub(super) deaf: bool,
    stream: Option<TcpStream>,
    connected: bool,
    tail: Vec<u8>,
}

/// What reading brought.
pub(super) enum Read {
    /// The first `end` bytes of the buffer are to be heard; `more` may be there at once.
    Bytes { end: usize, more: bool },
    /// Nothing for now.
    Nothing,
    /// The stream is over.
    Ended,
}

impl Conn {
    pub(super) fn open(
        &mut self,
        registry: &Registry,
        token: Token,
        mut stream: TcpStream,
        serial: usize,
    ) -> io::Result<()> {
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        // `dirty` says whether the list holds this place, which outlives a connection.
        *self = Self { serial, stream: Some(stream), dirty: self.dirty, ..Self::default() };
        Ok(())
    }

    pub(super) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    pub(super) fn close(&mut self) {
        self.stream = None;
        self.connected = false;
        self.out = Vec::new();
        self.tail = Vec::new();
    }

    pub(super) fn shut(&mut self) {
        if let Some(stream) = &self.stream {
            // A connection that is over already will be seen as over by the reading.
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    /// True when this is the moment at which the connection is made.
    pub(super) fn on_writable(&mut self) -> io::Result<bool> {
        let Some(stream) = &self.stream else { return Ok(false) };
        if self.connected {
            return Ok(false);
        }
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        self.connected = true;
        Ok(true)
    }

    /// Reads behind the unfinished end of what was read before.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Read {
        let Some(stream) = self.stream.as_mut().filter(|_| !self.deaf) else {
            return Read::Nothing;
        };
        let kept = self.tail.len();
        buffer[..kept].copy_from_slice(&self.tail);
        match stream.read(&mut buffer[kept..]) {
            Ok(0) => Read::Ended,
            Ok(read) => {
                self.tail.clear();
                // A read that did not fill the buffer has emptied the socket (epoll(7)).
                Read::Bytes { end: kept + read, more: kept + read == buffer.len() }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Read::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                Read::Bytes { end: kept, more: true }
            }
            Err(_) => Read::Ended,
        }
    }

    /// Keeps the unfinished end of what was read.
    pub(super) fn keep(&mut self, tail: &[u8]) {
        self.tail.clear();
        self.tail.extend_from_slice(tail);
    }

    /// Writes once.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = self.stream.as_mut().filter(|_| self.connected) else {
            return Ok(());
        };
        if self.out.is_empty() {
            return Ok(());
        }
        match stream.write(&self.out) {
            Ok(written) if written == self.out.len() => self.out.clear(),
            Ok(written) => drop(self.out.drain(..written)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Begins a connection; on the loopback from one of many addresses.
pub(super) fn connect_from_some(
    target: SocketAddr,
    sources: &mut Sources,
) -> io::Result<TcpStream> {
    if !(target.is_ipv4() && target.ip().is_loopback()) {
        return connect(target, None);
    }
    let mut outcome = connect(target, Some(sources.next()));
    for _ in 1..SOURCES_TRIED {
        let is_taken = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable)
        };
        if !outcome.as_ref().is_err_and(is_taken) {
            break;
        }
        sources.leap();
        outcome = connect(target, Some(sources.next()));
    }
    outcome
}

/// Begins a connection; it is made, or not, when it becomes writable.
pub(super) fn connect(target: SocketAddr, source: Option<SocketAddr>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source {
        socket.set_reuse_address(true)?;
        socket.bind(&source.into())?;
    }
    match socket.connect(&target.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

const IN_PROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();
