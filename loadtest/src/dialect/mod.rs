//! The languages that a load can be spoken in: how a client takes its place, how a message is
//! made, and what the bytes that come back are.
//!
//! Refuses to know sockets and accounting. The rule it keeps: whatever the dialect, a run does the
//! same work around it, so that two servers differ by what they do and not by how they are asked.
//! Another server's protocol is one more file and one more variant.

pub(crate) mod bare;
pub(crate) mod irc;
mod native;
pub(crate) mod nats;
mod redis;

use parlor::message::Event;

pub(crate) use native::FRAME_MAX;

/// The language of the server under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Parlor's own.
    Native,
    /// That of the built-in server.
    Bare,
    /// Redis pub/sub.
    Redis,
    /// NATS.
    Nats,
    /// IRC.
    Irc,
}

/// Where a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a room.
    Room(usize),
    /// Beside one other client, to which all its messages go.
    Beside(usize),
}

/// Something that a server said.
#[derive(Debug)]
pub(crate) enum Heard<'a> {
    /// The text of a message of another client.
    Said(&'a [u8]),
    /// The answer to a request.
    Answer {
        /// Which request.
        id: u64,
        /// Yes or no.
        ok: bool,
        /// The whole frame, for those who want to know more.
        frame: &'a [u8],
    },
    /// A part of a file.
    Chunk {
        /// Of which transfer.
        transfer: u32,
        /// The part.
        bytes: &'a [u8],
    },
    /// The server asks for a sign of life, in some dialects with a word that it wants back.
    Ping(&'a [u8]),
    /// The last words on a connection.
    Bye {
        /// Why it ends.
        reason: String,
        /// How many messages of others this client missed.
        missed: u64,
    },
    /// An event that some scenario may care for.
    Event(Box<Event>),
    /// Anything else.
    Other,
}

/// The bytes cannot be followed any further.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Garbled;

/// Taking a name is answered with this id.
const LOGIN_ID: u64 = 2;
/// Going to a room is answered with this id.
const JOIN_ID: u64 = 3;
/// Answers to messages that have no number of their own have this id.
const MESSAGE_ID: u64 = 10;

/// Requests up to this id take and leave a place; messages have larger ones.
pub(crate) const PLACING_ID_MAX: u64 = 9;

/// Leaving the room is always asked with this id.
pub(crate) const LEAVE_ID: u64 = 4;
/// Going away is always asked with this id.
pub(crate) const EXIT_ID: u64 = 5;

/// A finished message, of which only the stamp (and in some dialects the id) changes.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// The frame.
    pub(crate) frame: Vec<u8>,
    /// Where the text begins.
    pub(crate) text_at: usize,
    /// Where ten decimal digits of an id stand, if any.
    id_at: Option<usize>,
}

impl Template {
    /// Numbers the message; its answer will carry an id that is larger than [`PLACING_ID_MAX`].
    pub(crate) fn number(&mut self, number: u64) {
        let Some(at) = self.id_at else { return };
        let mut id = native::MESSAGE_ID_BASE + number % native::MESSAGE_ID_BASE;
        for digit in self.frame[at..at + native::MESSAGE_ID_DIGITS].iter_mut().rev() {
            *digit = b'0' + (id % 10) as u8;
            id /= 10;
        }
    }
}

impl Dialect {
    /// Appends what client `who` says to take its place; the answer with the returned id says
    /// that it has it.
    pub(crate) fn enter(self, out: &mut Vec<u8>, who: usize, place: Place) -> u64 {
        match self {
            Self::Native => native::enter(out, who, place),
            Self::Bare => bare::enter(out, who, place),
            Self::Redis => redis::enter(out, who, place),
            Self::Nats => nats::enter(out, who, place),
            Self::Irc => irc::enter(out, who, place),
        }
    }

    /// Continues after the yes to request `id`, which was not the last one, where not all could be
    /// said at once.
    pub(crate) fn enter_further(self, out: &mut Vec<u8>, id: u64, place: Place) {
        match self {
            Self::Irc if id == LOGIN_ID => irc::join(out, place),
            Self::Native | Self::Bare | Self::Redis | Self::Nats | Self::Irc => {}
        }
    }

    /// Appends the request to leave the room ([`LEAVE_ID`]); nothing where nobody comes and goes.
    pub(crate) fn leave(self, out: &mut Vec<u8>) {
        match self {
            Self::Native => native::leave(out),
            Self::Bare => bare::control(out, bare::LEAVE, 0),
            Self::Redis | Self::Nats | Self::Irc => {}
        }
    }

    /// Appends the request to go away ([`EXIT_ID`]); nothing where nobody comes and goes.
    pub(crate) fn exit(self, out: &mut Vec<u8>) {
        match self {
            Self::Native => native::exit(out),
            Self::Bare => bare::control(out, bare::EXIT, 0),
            Self::Redis | Self::Nats | Self::Irc => {}
        }
    }

    /// Appends the answer to [`Heard::Ping`].
    pub(crate) fn sign_of_life(self, out: &mut Vec<u8>, token: &[u8]) {
        match self {
            Self::Native => native::sign_of_life(out),
            Self::Nats => nats::sign_of_life(out),
            Self::Irc => irc::sign_of_life(out, token),
            Self::Bare | Self::Redis => {}
        }
    }

    /// Whether who speaks in a room hears it too. Such a delivery is none that was asked for: it is
    /// the server's work, but nobody counts it.
    pub(crate) fn echoes(self) -> bool {
        self == Self::Redis
    }

    /// An answer for people to read.
    pub(crate) fn shown(self, frame: &[u8]) -> String {
        let text = match self {
            // Length and kind stand before it.
            Self::Native | Self::Bare => frame.get(5..).unwrap_or_default(),
            Self::Redis | Self::Nats | Self::Irc => frame,
        };
        String::from_utf8_lossy(text).trim_end().to_owned()
    }

    /// The longest text in bytes, where the protocol sets a bound.
    pub(crate) fn text_bytes_max(self) -> Option<usize> {
        match self {
            Self::Native | Self::Bare | Self::Redis => None,
            Self::Nats => Some(nats::TEXT_MAX),
            Self::Irc => Some(irc::TEXT_MAX),
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "parlor",
            Self::Bare => "bare",
            Self::Redis => "redis",
            Self::Nats => "nats",
            Self::Irc => "irc",
        }
    }

    /// A message with this text from one who stands at `place`.
    pub(crate) fn message(self, place: Place, text: &[u8]) -> Template {
        match self {
            Self::Native => native::message(place, text),
            Self::Bare => bare::message(text),
            Self::Redis => redis::message(place, text),
            Self::Nats => nats::message(place, text),
            Self::Irc => irc::message(place, text),
        }
    }

    /// Reads the first thing that the server said, and how many bytes it took.
    pub(crate) fn parse(self, bytes: &[u8]) -> Parsed<Heard<'_>> {
        match self {
            Self::Native => native::parse(bytes),
            Self::Bare => bare::parse(bytes),
            Self::Redis => redis::parse(bytes),
            Self::Nats => nats::parse(bytes),
            Self::Irc => irc::parse(bytes),
        }
    }
}

/// What parsing comes to: nothing before more bytes have come, or a thing and the bytes it took.
pub(crate) type Parsed<T> = Result<Option<(T, usize)>, Garbled>;

/// Splits a frame off: four bytes of length, the kind, the body.
fn split(bytes: &[u8]) -> Parsed<(u8, &[u8])> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if length == 0 || length > FRAME_MAX {
        return Err(Garbled);
    }
    Ok(rest.get(..length).map(|frame| ((frame[0], &frame[1..]), 4 + length)))
}

/// Splits a line off, without its `\n`.
fn line(bytes: &[u8], bytes_max: usize) -> Parsed<&[u8]> {
    match memchr::memchr(b'\n', bytes) {
        Some(at) if at < bytes_max => Ok(Some((&bytes[..at], at + 1))),
        None if bytes.len() <= bytes_max => Ok(None),
        Some(_) | None => Err(Garbled),
    }
}

/// A number of one to nine digits.
fn decimal(digits: &[u8]) -> Option<usize> {
    if !(1..=9).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + usize::from(digit - b'0'))
    })
}

/// The name of a client.
fn user(who: usize) -> String {
    format!("u{who}")
}

/// The name of a room.
fn room(number: usize) -> String {
    format!("r{number}")
}

#[cfg(test)]
mod testing {
    use super::{Garbled, Heard, Parsed};

    /// What all of `bytes` says; any beginning of it must say nothing yet.
    #[track_caller]
    pub(super) fn only<'a>(
        parse: impl Fn(&'a [u8]) -> Parsed<Heard<'a>>,
        bytes: &'a [u8],
    ) -> Heard<'a> {
        for end in 0..bytes.len() {
            assert!(matches!(parse(&bytes[..end]), Ok(None)), "{end} bytes");
        }
        let (heard, taken) = parse(bytes).unwrap().unwrap();
        assert_eq!(taken, bytes.len());
        heard
    }

    /// These bytes cannot be followed, and no beginning of them is taken for something.
    #[track_caller]
    pub(super) fn malformed(parse: impl Fn(&[u8]) -> Parsed<Heard<'_>>, bytes: &[u8]) {
        for end in 0..bytes.len() {
            assert!(!matches!(parse(&bytes[..end]), Ok(Some(_))), "{end} bytes");
        }
        assert!(matches!(parse(bytes), Err(Garbled)), "{:?}", String::from_utf8_lossy(bytes));
    }
}
