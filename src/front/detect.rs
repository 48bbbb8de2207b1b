//! One port, any client: the first bytes of a connection say what it speaks.
//!
//! | first bytes | protocol |
//! | --- | --- |
//! | `0x00` | native frames, whose lengths stay below 2^24 |
//! | `/`, perhaps behind a byte order mark | text lines: a command, as a person types it |
//! | a method of HTTP and a space | requests of those who watch a server |
//! | any other | none that is spoken here: one clear line, and goodbye |
//!
//! A browser, a TLS client or an ssh client begins with none of the first two rows, so that nothing
//! of theirs is ever taken for a command, whatever follows. A protocol may need several bytes to be
//! known; these are at most [`Prefix::MAX`], and come within the time for the first byte.

use super::Front;
use super::http::Http;
use crate::message::CloseReason;

/// What the first bytes say.
#[derive(Debug, PartialEq, Eq)]
pub enum Detected {
    /// A protocol; the bytes are its first.
    Front(Front),
    /// The beginning of what may become one.
    More,
    /// None that is spoken here.
    Unknown,
}

/// The first bytes of a connection, held together from several reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prefix {
    bytes: [u8; Self::MAX],
    len: usize,
}

impl Prefix {
    /// No more bytes than this are looked at.
    pub const MAX: usize = 16;

    /// The beginning of `held` and `read`, one after the other.
    #[must_use]
    pub fn of(held: &[u8], read: &[u8]) -> Self {
        let mut prefix = Self::default();
        for (place, &byte) in prefix.bytes.iter_mut().zip(held.iter().chain(read)) {
            *place = byte;
            prefix.len += 1;
        }
        prefix
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Which protocol the first bytes belong to.
#[must_use]
pub fn detect(prefix: &Prefix) -> Detected {
    among(SPOKEN, prefix)
}

/// What a protocol begins with, and its front before it has read anything.
type Opening = (&'static [u8], fn() -> Front);

/// Every protocol. No opening is the beginning of another one. Of HTTP there are also the methods
/// that are refused, so that whoever uses them is told why.
const SPOKEN: &[Opening] = &[
    (b"\0", || Front::Native),
    (b"/", || Front::Text),
    (b"\xef\xbb\xbf/", || Front::Text),
    (b"GET ", http),
    (b"HEAD ", http),
    (b"POST ", http),
    (b"PUT ", http),
    (b"PATCH ", http),
    (b"DELETE ", http),
    (b"OPTIONS ", http),
    (b"TRACE ", http),
    (b"CONNECT ", http),
];

fn http() -> Front {
    Front::Http(Http::default())
}

fn among(spoken: &[Opening], prefix: &Prefix) -> Detected {
    let bytes = prefix.bytes();
    if let Some((_, front)) = spoken.iter().find(|(opening, _)| bytes.starts_with(opening)) {
        return Detected::Front(front());
    }
    match spoken.iter().any(|(opening, _)| opening.starts_with(bytes)) {
        true => Detected::More,
        false => Detected::Unknown,
    }
}

/// What a peer of no known protocol is told: a line that people can read in any program.
#[must_use]
pub(crate) fn farewell(reason: CloseReason) -> bytes::Bytes {
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
    fn exactly_two_first_bytes_open_a_conversation_at_once() {
        let answer = |byte: u8| detect(&Prefix::of(&[], &[byte]));
        assert_eq!(answer(0), Detected::Front(Front::Native));
        assert_eq!(answer(b'/'), Detected::Front(Front::Text));
        let longer = b"GHPDOTC\xef";
        for byte in (0..=255).filter(|&byte| byte != 0 && byte != b'/') {
            let expected = if longer.contains(&byte) { Detected::More } else { Detected::Unknown };
            assert_eq!(answer(byte), expected, "{byte:#04x}");
        }
    }

    #[test]
    fn a_byte_order_mark_may_come_before_the_slash_and_before_nothing_else() {
        let answer = |bytes: &[u8]| detect(&Prefix::of(&[], bytes));
        assert_eq!(answer(b"\xef\xbb"), Detected::More);
        assert_eq!(answer("\u{feff}/login a".as_bytes()), Detected::Front(Front::Text));
        assert_eq!(answer("\u{feff}GET /".as_bytes()), Detected::Unknown);
    }

    #[test]
    fn a_method_of_http_is_one_with_its_space() {
        let answer = |bytes: &[u8]| detect(&Prefix::of(&[], bytes));
        for method in
            ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"]
        {
            assert_eq!(answer(method.as_bytes()), Detected::More, "{method}");
            assert_eq!(answer(format!("{method} ").as_bytes()), Detected::Front(http()));
            assert_eq!(answer(format!("{method}\r\n").as_bytes()), Detected::Unknown);
        }
        assert_eq!(answer(b"get /"), Detected::Unknown);
    }

    #[test]
    fn a_protocol_that_is_known_by_several_bytes_is_known_however_they_come() {
        const SPOKEN: &[Opening] = &[(b"GET ", || Front::Text), (b"/", || Front::Native)];
        let answer = |held: &[u8], read: &[u8]| among(SPOKEN, &Prefix::of(held, read));
        for split in 0..4 {
            let (held, read) = b"GET /x".split_at(split);
            assert_eq!(answer(&[], held), Detected::More, "{split}");
            assert_eq!(answer(held, read), Detected::Front(Front::Text), "{split}");
        }
        assert_eq!(answer(b"GE", b"x"), Detected::Unknown);
        assert_eq!(answer(&[], b"/GET"), Detected::Front(Front::Native));
    }

    #[test]
    fn no_more_is_looked_at_than_may_be() {
        assert_eq!(Prefix::of(&[1; 10], &[2; 1000]).bytes().len(), Prefix::MAX);
        assert!(SPOKEN.iter().all(|(opening, _)| opening.len() <= Prefix::MAX));
    }
}
