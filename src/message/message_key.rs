//! By which a message that was sent twice is known as one.

use crate::limits::MESSAGE_KEY_MAX;

/// What is remembered of the key that a client has chosen for a message: half of its BLAKE3 hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageKey(pub [u8; 16]);

impl MessageKey {
    /// Of what the client sent; nothing if that is empty or longer than 32 bytes.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        if !(1..=MESSAGE_KEY_MAX).contains(&key.len()) {
            return None;
        }
        let mut half = [0; 16];
        half.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
        Some(Self(half))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_1_to_32_bytes() {
        let (short, long) = (MessageKey::parse("a"), MessageKey::parse(&"a".repeat(32)));
        assert!(short.is_some() && long.is_some() && short != long);
        assert_eq!(short, MessageKey::parse("a"));
        assert_eq!((MessageKey::parse(""), MessageKey::parse(&"a".repeat(33))), (None, None));
    }
}
