//! Where a server listens, as people write it and as it is shown again.
//!
//! Refuses to know sockets. The rule it keeps: what is shown can be written again.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// How the address of a Unix socket begins.
pub(crate) const UNIX: &str = "unix:";

/// A place to listen on, or to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port: `127.0.0.1:7575`, `[::1]:7575`.
    Net(SocketAddr),
    /// A name and a port, `localhost:7575`: all addresses that the system knows for the name.
    Host(String),
    /// A socket in the file system: `unix:/run/parlor.sock`.
    Unix(PathBuf),
}

impl Address {
    /// An address as somebody wrote it; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix(UNIX) {
            return (!path.is_empty()).then(|| Self::Unix(path.into()));
        }
        if let Ok(address) = text.parse() {
            return Some(Self::Net(address));
        }
        let (name, port) = text.rsplit_once(':')?;
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        // Four numbers that are no IP address are a mistake, and no name.
        let is_known = name.contains(char::is_alphabetic) && name.chars().all(is_name);
        (is_known && port.parse::<u16>().is_ok()).then(|| Self::Host(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(address) => address.fmt(f),
            Self::Host(name) => f.write_str(name),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_by_its_shape_and_shown_as_it_was_written() {
        for (text, is) in [
            ("127.0.0.1:7575", "net"),
            ("[::1]:0", "net"),
            ("localhost:7575", "host"),
            ("chat.example.org:1", "host"),
            ("unix:/run/parlor.sock", "unix"),
            ("unix:parlor.sock", "unix"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.to_string(), text);
            let found = match address {
                Address::Net(_) => "net",
                Address::Host(_) => "host",
                Address::Unix(_) => "unix",
            };
            assert_eq!(found, is, "{text}");
        }
    }

    #[test]
    fn what_has_no_port_or_no_name_is_no_address() {
        for text in [
            "",
            "7575",
            ":7575",
            "localhost",
            "localhost:",
            "localhost:http",
            "host:70000",
            "127.0.0.1:70000",
            "1.2.3.4.5:1",
            "a b:1",
            "::1:7575:x",
            "unix:",
            "[lobby]:1",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
