//! From an address as people write it to a socket that never blocks.
//!
//! Knows nothing of what is said on it. The rule it keeps: a fault is one line in plain words that
//! says what to do next.

use std::io::{self, ErrorKind};
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::time::Duration;

use mio::net::TcpStream;

use crate::address::UNIX;
use crate::os::{self, ByteStream};

/// The port of an address that names none.
const PORT_DEFAULT: u16 = 7575;
/// How long one address may take to answer.
const CONNECT_BEFORE: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to {addr}: {why}{hint}")]
pub(super) struct ConnectError {
    addr: String,
    /// The fault by itself.
    pub(super) why: String,
    hint: &'static str,
}

/// Connects to `HOST:PORT`, to `HOST` at the usual port, or to `unix:PATH`.
pub(super) fn connect(addr: &str) -> Result<ByteStream, ConnectError> {
    let addr = with_port(addr);
    connect_any(&addr).map_err(|error| {
        let refused = error.kind() == ErrorKind::ConnectionRefused;
        let hint = if refused { "; is the server running? (parlor serve)" } else { "" };
        ConnectError { addr, why: why(&error), hint }
    })
}

/// The usual faults in plain words, without the system's number.
#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds are not ours")]
pub(super) fn why(error: &io::Error) -> String {
    match error.kind() {
        kind @ (ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::TimedOut
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable) => kind.to_string(),
        _ => error.to_string(),
    }
}

/// Tries each address of a name in turn; the last fault is told.
fn connect_any(addr: &str) -> io::Result<ByteStream> {
    if let Some(path) = addr.strip_prefix(UNIX) {
        return os::connect_local(Path::new(path));
    }
    let mut fault = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for addr in addr.to_socket_addrs()? {
        match connect_one(&addr) {
            Ok(socket) => return Ok(socket),
            Err(error) => fault = error,
        }
    }
    Err(fault)
}

fn connect_one(addr: &SocketAddr) -> io::Result<ByteStream> {
    let socket = std::net::TcpStream::connect_timeout(addr, CONNECT_BEFORE)?;
    socket.set_nodelay(true)?;
    socket.set_nonblocking(true)?;
    Ok(ByteStream::Tcp(TcpStream::from_std(socket)))
}

/// An address in full.
pub(super) fn with_port(addr: &str) -> String {
    if addr.starts_with(UNIX) {
        addr.to_owned()
    } else if addr.parse::<Ipv6Addr>().is_ok() {
        format!("[{addr}]:{PORT_DEFAULT}")
    } else if addr.ends_with(']') || !addr.contains(':') {
        format!("{addr}:{PORT_DEFAULT}")
    } else {
        addr.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_port_gets_the_usual_one() {
        for (addr, full) in [
            ("localhost", "localhost:7575"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("::1", "[::1]:7575"),
            ("[::1]", "[::1]:7575"),
            ("[::1]:80", "[::1]:80"),
            ("unix:/run/parlor.sock", "unix:/run/parlor.sock"),
        ] {
            assert_eq!(with_port(addr), full);
        }
    }

    #[test]
    fn a_server_that_is_not_there_is_said_in_one_line() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = free.local_addr().unwrap().to_string();
        drop(free);
        let expected = format!(
            "cannot connect to {addr}: connection refused; is the server running? (parlor serve)"
        );
        assert_eq!(connect(&addr).unwrap_err().to_string(), expected);
    }
}
