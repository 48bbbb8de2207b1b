//! Text that people write, checked once; and how untrusted text is made visible.
//!
//! Refuses to know where text is shown. The rule it keeps: no character that moves a cursor, ends
//! a line of a log or turns the reading direction ever leaves [`visible`].

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// The body of a message: not empty, bounded, and of controls only line feed and tab.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Text(Box<str>);

/// Why something is not the text of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("there is nothing to say")]
    Empty,
    /// Over the limit, in bytes of UTF-8.
    #[error("it has {len} bytes, {max} at most")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        max: u64,
    },
    /// A control character that is neither line feed nor tab.
    #[error("it contains the control character U+{0:04X}")]
    Control(u32),
}

impl Text {
    /// Checks a text as it came from a peer; `bytes_max` is the limit in force.
    ///
    /// # Errors
    /// [`TextError`] says what is wrong with it.
    pub fn parse(text: Cow<'_, str>, bytes_max: u64) -> Result<Self, TextError> {
        if text.len() as u64 > bytes_max {
            return Err(TextError::TooLong { len: text.len(), max: bytes_max });
        }
        if !is_printable_ascii(&text) {
            let control = |&c: &char| c.is_control() && c != '\n' && c != '\t';
            if let Some(c) = text.chars().find(control) {
                return Err(TextError::Control(c.into()));
            }
        }
        if text.trim_ascii().is_empty() {
            return Err(TextError::Empty);
        }
        Ok(Self(text.into_owned().into_boxed_str()))
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> serde::Deserialize<'de> for Text {
    /// For the client's side: the frame that brought the text has bounded it.
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(from)?;
        Self::parse(text, u64::MAX).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Plain printable ASCII, the usual case. Pieces without a way out in their middle are what the
/// compiler compares sixteen bytes at a time.
fn is_printable_ascii(text: &str) -> bool {
    let printable = |byte: &u8| (0x20..0x7f).contains(byte);
    let mut pieces = text.as_bytes().chunks(64);
    pieces.all(|piece| piece.iter().fold(true, |all, byte| all & printable(byte)))
}

/// Whether a character is a control, invisible, or changes the direction of what follows.
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Whether a character shows nothing: white space, what is unprintable, and the fillers of Hangul
/// and Braille, which are called letters and symbols.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || is_unprintable(c)
        || matches!(c, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}')
}

/// Text without the byte order mark that some editors write at its beginning.
#[must_use]
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Untrusted text made fit for a terminal or a line of a log: whatever a terminal would obey or an
/// eye would miss is written out (`\n`, `\x1b`, `\u{202e}`), and the result is one line.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if is_printable_ascii(text) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("    "),
            c if c.is_ascii_control() => {
                let _ = write!(shown, "\\x{:02x}", u32::from(c));
            }
            c if is_unprintable(c) => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Text, TextError> {
        Text::parse(Cow::Borrowed(text), 8)
    }

    #[test]
    fn a_text_is_bounded_in_bytes_and_says_something() {
        assert_eq!(parse("hi").unwrap().as_str(), "hi");
        assert!(parse("12345678").is_ok());
        assert_eq!(parse("123456789"), Err(TextError::TooLong { len: 9, max: 8 }));
        assert_eq!(parse("ééééé"), Err(TextError::TooLong { len: 10, max: 8 }));
        assert_eq!(parse(""), Err(TextError::Empty));
        assert_eq!(parse(" \n\t"), Err(TextError::Empty));
    }

    #[test]
    fn of_all_controls_only_line_feed_and_tab_may_be_said() {
        for code in (0..0x20).chain(0x7f..0xa0) {
            let c = char::from_u32(code).unwrap();
            let result = parse(&format!("a{c}b"));
            if c == '\n' || c == '\t' {
                assert!(result.is_ok(), "{code:#x}");
            } else {
                assert_eq!(result, Err(TextError::Control(code)));
            }
        }
    }

    #[test]
    fn what_is_made_visible_holds_nothing_that_a_terminal_obeys() {
        for code in (0..0x20).chain(0x7f..0xa0).chain([0x200b, 0x202e, 0x2066, 0xfeff]) {
            let c = char::from_u32(code).unwrap();
            let text = format!("a{c}b");
            assert!(!visible(&text).chars().any(is_unprintable), "{code:#x}");
        }
        assert_eq!(visible("\x1b[2J"), "\\x1b[2J");
        assert_eq!(visible("one\ntwo"), "one\\ntwo");
        assert_eq!(visible("\u{202e}exe"), "\\u{202e}exe");
        assert_eq!(visible("été"), "été");
    }
}
