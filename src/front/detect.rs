//! One port, any client: the first byte of a connection says what it speaks.
//!
//! | first byte | protocol |
//! | --- | --- |
//! | `0x00` | native frames, whose lengths stay below 2^24 |
//! | `/` | text lines: a command, as a person types it |
//! | any other | none that is spoken here: one clear line, and goodbye |
//!
//! A browser, a TLS client or an ssh client never begins with either, so that nothing of theirs is
//! ever taken for a command, whatever follows.

use super::Protocol;
use crate::message::CloseReason;

/// Which protocol the first byte belongs to.
///
/// # Errors
/// [`CloseReason::UnknownProtocol`] when it belongs to none.
pub fn detect(first: u8) -> Result<Protocol, CloseReason> {
    match first {
        0x00 => Ok(Protocol::Native),
        b'/' => Ok(Protocol::Text),
        _ => Err(CloseReason::UnknownProtocol),
    }
}

/// What a peer of no known protocol is told: a line that people can read in any program.
#[must_use]
pub fn farewell(reason: CloseReason) -> bytes::Bytes {
    let what_to_do = if reason == CloseReason::UnknownProtocol {
        "; Parlor takes native frames, or text lines that begin with `/` (try /help)"
    } else {
        ""
    };
    format!("parlor: {reason}{what_to_do}\r\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_two_first_bytes_open_a_conversation() {
        let known: Vec<u8> = (0..=255).filter(|&byte| detect(byte).is_ok()).collect();
        assert_eq!(known, [0x00, b'/']);
    }
}
