//! The newtypes that let two rooms speak of one thing without knowing each other.
//!
//! Refuses to know what any of them points to. The rule it keeps: an identifier is never reused
//! while an older holder could still present it, so a stale one can be told from a live one.

use std::fmt;
use std::time::Duration;

/// One connection: a slot in the reactor's slab and the generation of its present tenant.
///
/// A slot is used again, a generation is not (it wraps after 2^32 accepts of the whole server), so
/// an event for an older tenant of the slot names a connection that does not exist any more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId {
    /// Index in the slab.
    pub slot: u32,
    /// Which tenant of the slot this is.
    pub generation: u32,
}

impl ConnId {
    /// Packs both halves into the 64 bits that epoll carries for us.
    #[must_use]
    pub const fn to_token(self) -> u64 {
        ((self.generation as u64) << 32) | self.slot as u64
    }

    /// The reverse of [`ConnId::to_token`].
    #[must_use]
    pub(crate) const fn from_token(token: u64) -> Self {
        Self { slot: (token & 0xffff_ffff) as u32, generation: (token >> 32) as u32 }
    }
}

/// As the log shows it: `c7.42`.
impl serde::Serialize for ConnId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{self:?}"))
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}.{}", self.slot, self.generation)
    }
}

/// One room that exists now; the slot is reused when the last member has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId(pub u32);

/// One file, from its announcement to its removal; what moves it goes by this number, too. Never
/// another file's: what was stored keeps its number for good, what never was may give it to a later
/// one after a restart of the server.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct TransferId(pub u32);

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An account in the store. Never used again after the account's removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub u64);

/// A letter that the store keeps for somebody: from 1, ascending, never used again.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct LetterId(pub u64);

/// Where connections come from, as far as limits tell sources apart: one IPv4 address, or one /64
/// of IPv6, which is what one customer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source(pub u64);

impl Source {
    /// Connections of this machine to itself.
    pub const THIS_MACHINE: Self = Self(0);

    /// An address of IPv4.
    pub(crate) const fn of_v4(bits: u32) -> Self {
        Self(1 << 32 | bits as u64)
    }

    /// The first half of an address of IPv6. None that is in use is as small as those of IPv4 are
    /// here.
    pub(crate) const fn of_v6(half: u64) -> Self {
        Self(half)
    }
}

/// An address as people write it.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::THIS_MACHINE {
            return f.write_str("this machine");
        }
        if self.0 >> 33 == 0 {
            let [.., a, b, c, d] = self.0.to_be_bytes();
            return write!(f, "{a}.{b}.{c}.{d}");
        }
        for shift in [48, 32, 16, 0] {
            write!(f, "{:x}:", (self.0 >> shift) & 0xffff)?;
        }
        f.write_str(":/64")
    }
}

/// A job that a worker has been asked to do, by which its completion is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// The time of one turn, read once by the I/O half and handed to the pure half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of the monotonic clock since the server started: what every deadline uses.
    pub mono_ms: u64,
    /// Milliseconds since 1970 of the wall clock: what people are shown, and what
    /// tells how old a token is; no deadline of a connection follows it.
    pub wall_ms: u64,
}

impl Now {
    /// The moment `wait` after this one, on the monotonic clock.
    #[must_use]
    pub fn after(self, wait: Duration) -> u64 {
        after(self.mono_ms, wait)
    }
}

/// A time in whole milliseconds, the unit of [`Now`].
#[must_use]
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The moment `wait` after the moment `from_ms`; one too far to be told is the last.
#[must_use]
pub fn after(from_ms: u64, wait: Duration) -> u64 {
    from_ms.saturating_add(millis(wait))
}

/// Which store, and how often a server has begun on it. The store and the folder of its files both
/// carry it, so that one that does not fit the other is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoreId {
    /// Drawn when the store was made.
    pub identity: [u8; 16],
    /// 0 until a server has begun on it; each that begins adds one.
    pub generation: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_written_as_an_address() {
        assert_eq!(Source::THIS_MACHINE.to_string(), "this machine");
        assert_eq!(Source::of_v4(0xc000_0207).to_string(), "192.0.2.7");
        assert_eq!(Source::of_v6(0x2001_0db8_0000_00ff).to_string(), "2001:db8:0:ff::/64");
    }

    #[test]
    fn a_token_carries_both_halves_there_and_back() {
        for (slot, generation) in [(0, 0), (1, 0), (0, 1), (u32::MAX, 7), (7, u32::MAX)] {
            let id = ConnId { slot, generation };
            assert_eq!(ConnId::from_token(id.to_token()), id);
        }
    }
}
