//! Sockets that accept, and what to do when the process has no descriptor left.
//!
//! A name stands for every address that the system knows for it. One of these that this machine
//! does not have (IPv6 is off, for one) is left out if another one can be listened on.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use super::transport::{Peer, Transport};
use crate::address::Address;
use crate::limits::ACCEPT_RETRY;
use crate::os::{self, ByteStream, LocalListener, Trouble};

/// Connections that the kernel completes and keeps until we accept them.
const BACKLOG: i32 = 4096;
/// Broken connections that one attempt to accept passes over. An error that would not end, such as
/// that of a rule that forbids every connection, costs a turn so many calls and not all its time.
const SKIPS_MAX: u32 = 64;
/// What a connection for which there is no place is told.
const FULL: &[u8] =
    b"parlor: the server is full; try again later; the owner can raise the limit with \
                       --connections\r\n";
/// Silence after which the kernel asks whether a peer is still there, and how often it asks.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(10));

/// A socket that accepts.
#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Local(LocalListener),
}

/// All sockets that accept, each with whether a client waits there.
#[derive(Debug)]
pub(super) struct Listeners {
    sockets: Vec<(Listener, bool)>,
    /// Given up when there is no other descriptor, so that one more can be accepted and told so.
    reserve: Option<File>,
    rest_until: Option<Instant>,
    /// The socket that is asked next: a crowd at one does not keep others from another.
    next: usize,
}

/// What came of one attempt to accept.
pub(super) enum Accepted {
    /// A connection.
    One(Transport, Peer),
    /// One was told that there is no place for it.
    TurnedAway(Peer),
    /// The process has no descriptors or memory; accepting rests for a moment.
    Exhausted(io::Error),
    /// Nobody waits.
    Nobody,
}

impl Listeners {
    /// Listens on all `addresses`; a peer that the kernel has not heard of for `dead_after` is
    /// gone, whatever its protocol.
    pub(super) fn bind(
        addresses: &[Address],
        dead_after: Duration,
    ) -> Result<Self, (Address, io::Error)> {
        let mut sockets = Vec::new();
        for address in addresses {
            let bound = match address {
                Address::Net(address) => bind(*address, dead_after).map(|socket| vec![socket]),
                Address::Host(name) => bind_name(name, dead_after),
                Address::Unix(path) => {
                    LocalListener::bind(path, BACKLOG).map(|socket| vec![Listener::Local(socket)])
                }
            };
            let bound = bound.map_err(|error| (address.clone(), error))?;
            sockets.extend(bound.into_iter().map(|socket| (socket, false)));
        }
        let reserve = os::open_reserve().ok();
        Ok(Self { sockets, reserve, rest_until: None, next: 0 })
    }

    pub(super) fn register(
        &mut self,
        registry: &mio::Registry,
        token: impl Fn(usize) -> mio::Token,
    ) -> io::Result<()> {
        for (index, (socket, _)) in self.sockets.iter_mut().enumerate() {
            match socket {
                Listener::Tcp(socket) => {
                    registry.register(socket, token(index), mio::Interest::READABLE)?;
                }
                Listener::Local(socket) => socket.register(registry, token(index))?,
            }
        }
        Ok(())
    }

    /// Where they are, with the ports that were taken.
    pub(super) fn addresses(&self) -> Vec<Address> {
        self.sockets.iter().filter_map(|(socket, _)| socket.address()).collect()
    }

    /// A client waits at a socket.
    pub(super) fn on_edge(&mut self, index: usize) {
        if let Some((_, ready)) = self.sockets.get_mut(index) {
            *ready = true;
        }
    }

    /// When accepting continues: now, later, or when an edge comes.
    pub(super) fn next_at(&self, now: Instant) -> Option<Instant> {
        let waits = self.sockets.iter().any(|(_, ready)| *ready);
        waits.then(|| self.rest_until.map_or(now, |until| until.max(now)))
    }

    /// Accepts one connection. The flag of a socket falls only when nobody waits there any more:
    /// another edge would never come for those who came before.
    pub(super) fn accept(&mut self, now: Instant) -> Accepted {
        if self.rest_until.is_some_and(|until| now < until) {
            return Accepted::Nobody;
        }
        self.rest_until = None;
        for _ in 0..SKIPS_MAX {
            let Some((socket, ready)) = self.next_ready() else { return Accepted::Nobody };
            let error = match socket.accept() {
                Ok((transport, peer)) => return Accepted::One(transport, peer),
                Err(error) => error,
            };
            match Trouble::of(&error) {
                Trouble::Again => *ready = false,
                Trouble::Retry | Trouble::Skip => {}
                Trouble::Exhausted | Trouble::Broken => return self.on_exhausted(now, error),
            }
        }
        // One trouble after the other: the others' turn comes first.
        Accepted::Nobody
    }

    /// The next socket at which a client waits, each in its turn.
    fn next_ready(&mut self) -> Option<&mut (Listener, bool)> {
        let count = self.sockets.len();
        let ready = |index: &usize| self.sockets[*index].1;
        let index = (0..count).map(|step| (self.next + step) % count).find(ready)?;
        self.next = (index + 1) % count;
        self.sockets.get_mut(index)
    }

    /// Nothing can be opened any more. One connection is accepted with the reserve and told; then
    /// accepting rests, so that the loop does not spin on a socket that stays ready.
    fn on_exhausted(&mut self, now: Instant, error: io::Error) -> Accepted {
        let reserve = self.reserve.take();
        let had_reserve = reserve.is_some();
        drop(reserve);
        let accepted = self
            .next_ready()
            .and_then(|(socket, _)| had_reserve.then(|| socket.accept().ok()).flatten());
        let turned_away = accepted.map(|(transport, peer)| {
            turn_away(transport);
            peer
        });
        self.reserve = os::open_reserve().ok();
        if let Some(peer) = turned_away.filter(|_| self.reserve.is_some()) {
            return Accepted::TurnedAway(peer);
        }
        self.rest_until = Some(now + ACCEPT_RETRY);
        Accepted::Exhausted(error)
    }
}

impl Listener {
    fn accept(&self) -> io::Result<(Transport, Peer)> {
        Ok(match self {
            Self::Tcp(socket) => {
                let (stream, peer) = socket.accept()?;
                (Transport::Plain(ByteStream::Tcp(stream)), Peer::Net(peer))
            }
            Self::Local(socket) => {
                let (stream, user) = socket.accept()?;
                (Transport::Plain(stream), Peer::Local(user))
            }
        })
    }

    fn address(&self) -> Option<Address> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok().map(Address::Net),
            Self::Local(socket) => Some(Address::Unix(socket.path().to_owned())),
        }
    }
}

/// Tells a connection that there is no place for it, and closes it.
pub(super) fn turn_away(mut transport: Transport) {
    // A new socket takes a line at once or is broken; either way nothing more can be done.
    let _ = transport.write(FULL);
    transport.end();
}

/// Listens on the addresses of a name.
fn bind_name(name: &str, dead_after: Duration) -> io::Result<Vec<Listener>> {
    let mut bound = Vec::new();
    let mut fault = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let addresses: BTreeSet<SocketAddr> = name.to_socket_addrs()?.collect();
    for address in addresses {
        match bind(address, dead_after) {
            Ok(socket) => bound.push(socket),
            Err(error) if is_not_here(&error) => fault = error,
            Err(error) => return Err(error),
        }
    }
    if bound.is_empty() { Err(fault) } else { Ok(bound) }
}

/// Whether this machine does not have an address, or nothing of its kind.
fn is_not_here(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, Unsupported};
    matches!(error.kind(), AddrNotAvailable | Unsupported)
}

fn bind(address: SocketAddr, dead_after: Duration) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // So that a restart does not wait for the last connections of the server before.
    socket.set_reuse_address(os::REUSE_ADDRESS)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Accepted sockets inherit these on Linux, which saves five system calls per connection.
    let (idle, every) = KEEPALIVE;
    let keepalive = TcpKeepalive::new().with_time(idle).with_interval(every);
    socket.set_tcp_keepalive(&keepalive)?;
    os::limit_unconfirmed(&socket, dead_after)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(Listener::Tcp(TcpListener::from_std(socket.into())))
}
