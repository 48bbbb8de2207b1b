//! What a message of the load test carries: who sent it, which of theirs it is, and when it was
//! due, in letters that every protocol lets through.
//!
//! ```text
//!  sender  number    due, ns since the run began   filler
//!  6 hex   8 hex     12 hex                        up to the size asked for
//! ```
//!
//! Knows no protocol. The rule it keeps: every field has a fixed width, so a message is made by
//! writing over a finished frame.

/// Bytes of a stamp.
pub(crate) const STAMP_BYTES: usize = SENDER + NUMBER + DUE;

const SENDER: usize = 6;
const NUMBER: usize = 8;
const DUE: usize = 12;

/// The beginning of a message's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Which client sent it.
    pub(crate) sender: usize,
    /// Its number among the messages of that client, from 0.
    pub(crate) number: u64,
    /// When it was to be sent, in nanoseconds since the run began.
    pub(crate) due_ns: u64,
}

impl Stamp {
    /// Writes the stamp over the first [`STAMP_BYTES`] of `text`.
    pub(crate) fn emit(&self, text: &mut [u8]) {
        put_hex(&mut text[..SENDER], self.sender as u64);
        put_hex(&mut text[SENDER..SENDER + NUMBER], self.number);
        put_hex(&mut text[SENDER + NUMBER..STAMP_BYTES], self.due_ns);
    }

    /// Reads the stamp of a text; none if this is no text of ours.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = text.get(..STAMP_BYTES)?;
        Some(Self {
            sender: usize::try_from(hex(&text[..SENDER])?).ok()?,
            number: hex(&text[SENDER..SENDER + NUMBER])?,
            due_ns: hex(&text[SENDER + NUMBER..])?,
        })
    }
}

/// A text of `size` bytes, but never shorter than a stamp.
pub(crate) fn text(size: usize) -> Vec<u8> {
    vec![b'x'; size.max(STAMP_BYTES)]
}

fn put_hex(out: &mut [u8], mut value: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

fn hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let stamp = Stamp { sender: 0xab_cdef, number: 0x1234_5678, due_ns: 0xba98_7654_3210 };
        let mut text = text(32);
        stamp.emit(&mut text);
        assert_eq!(text, b"abcdef12345678ba9876543210xxxxxx");
        assert_eq!(Stamp::parse(&text), Some(stamp));
    }

    #[test]
    fn what_is_no_stamp_is_not_taken_for_one() {
        assert_eq!(Stamp::parse(b"abcdef12345678ba987654321"), None);
        assert_eq!(Stamp::parse(b"Abcdef12345678ba9876543210"), None);
        assert_eq!(Stamp::parse(b"xxxxxxxxxxxxxxxxxxxxxxxxxx"), None);
    }
}
