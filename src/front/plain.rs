//! The two requests of which there are most, read without the general parser: `say` and `whisper`
//! in the shape in which a client writes them when it has nothing special to say.
//!
//! ```text
//! {"id":7,"op":"say","text":"hi"}        {"id":7,"op":"whisper","user":"bob","text":"hi"}
//! ```
//!
//! The rule it keeps: it answers only where the general parser would answer the same. Other fields,
//! another order, a space or an escape are left to that one.

use super::json;
use crate::message::Command;

/// Reads a request, if it is one of the two in that shape.
pub(super) fn parse(json: &[u8]) -> Option<(u64, Command<'_>)> {
    let mut rest = Rest(json);
    rest.skip(br#"{"id":"#)?;
    let id = rest.number()?;
    rest.skip(br#","op":""#)?;
    let op = rest.word()?;
    let user = match op {
        "say" => None,
        "whisper" => {
            rest.skip(br#","user":""#)?;
            Some(rest.word()?)
        }
        _ => return None,
    };
    rest.skip(br#","text":""#)?;
    let text = plain(rest.0.strip_suffix(br#""}"#)?)?.into();
    let command = match user {
        None => Command::Say { text, me: false, room: None },
        Some(user) => Command::Whisper { user: user.into(), text },
    };
    Some((id, command))
}

/// What has not been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn skip(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn number(&mut self) -> Option<u64> {
        let end = self.0.iter().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = self.0.split_at(end);
        // JSON knows no leading zeros.
        if digits.len() > 1 && digits[0] == b'0' {
            return None;
        }
        self.0 = rest;
        str::from_utf8(digits).ok()?.parse().ok()
    }

    /// A short string up to its quote, which is taken too.
    fn word(&mut self) -> Option<&'a str> {
        let end = self.0.iter().position(|&byte| byte == b'"')?;
        let word = plain(&self.0[..end])?;
        self.0 = &self.0[end + 1..];
        Some(word)
    }
}

/// The content of a string without escapes.
fn plain(text: &[u8]) -> Option<&str> {
    if json::is_plain(text) { str::from_utf8(text).ok() } else { None }
}
