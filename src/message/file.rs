//! What is said of a file: its name is in `name`; here are its content's hash, whom it is for, and
//! the line by which people are told about it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{FileName, RoomName, UserName};
use crate::id::TransferId;

/// A hash of 256 bits: BLAKE3, or SHA-256 where the field says so. Written as 64 hexadecimal
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("a hash is 64 hexadecimal digits"))
    }
}

/// Whom a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One user, who takes it or refuses it.
    User(UserName),
    /// The members of a room, also those who come later; they are told about it.
    Room(RoomName),
    /// The shelf of a room: every user in the room may download it.
    Shelf(RoomName),
    /// The public shelf: everybody may take it.
    Public,
}

impl fmt::Display for Target {
    /// As people are shown it: `bob`, `room lobby`, `shelf of lobby`, `public shelf`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "{user}"),
            Self::Room(room) => write!(f, "room {room}"),
            Self::Shelf(room) => write!(f, "shelf of {room}"),
            Self::Public => f.write_str("public shelf"),
        }
    }
}

/// A file that the server has, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLine {
    /// Its number, by which it is taken, refused and removed; never used for another file.
    pub transfer: TransferId,
    /// Who sent it.
    pub from: UserName,
    /// Whom it is for.
    pub to: Target,
    /// Its name, as the sender gave it.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// BLAKE3 of its content.
    pub hash: Digest,
    /// SHA-256 of its content.
    pub sha256: Digest,
    /// When it came, in milliseconds since 1970.
    pub at: u64,
    /// When it goes, in milliseconds since 1970.
    pub until: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = Digest(std::array::from_fn(|n| u8::try_from(n * 8).unwrap()));
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse(&digest.to_string().to_uppercase()), Some(digest));
        for bad in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(Digest::parse(bad), None, "{bad}");
        }
    }
}
