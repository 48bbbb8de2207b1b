//! Names of users, rooms and files, checked once.
//!
//! Refuses to know who carries a name. The rule it keeps: two names that a person could take for
//! one another are the same name, which for ASCII letters and digits means without case.

use std::fmt;

use crate::limits::{FILE_NAME_MAX, ROOM_NAME_MAX, USER_NAME_MAX};

/// An ASCII name of at most `MAX` bytes, kept inline so that copying it costs no allocation.
#[derive(Clone, Copy)]
pub struct Name<const MAX: usize> {
    bytes: [u8; MAX],
    len: u8,
}

/// 1 to 16 ASCII letters and digits (system A).
pub type UserName = Name<USER_NAME_MAX>;
/// 1 to 32 ASCII letters and digits (system A).
pub type RoomName = Name<ROOM_NAME_MAX>;

/// Why something is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No byte at all.
    #[error("it is empty")]
    Empty,
    /// More bytes than such a name may have.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    /// For users and rooms: anything but an ASCII letter or digit.
    #[error("only the letters a to z, A to Z and the digits 0 to 9 are allowed")]
    NotAlphanumeric,
    /// For files: a path separator, a control or an invisible character, or a name that some
    /// system keeps for itself.
    #[error("{0}")]
    NotAFileName(&'static str),
}

impl<const MAX: usize> Name<MAX> {
    /// Checks a name as it came from a peer.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it; the texts are for people.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let raw = text.as_bytes();
        if raw.is_empty() {
            return Err(NameError::Empty);
        }
        if raw.len() > MAX {
            return Err(NameError::TooLong(MAX));
        }
        if !raw.iter().all(u8::is_ascii_alphanumeric) {
            return Err(NameError::NotAlphanumeric);
        }
        let mut bytes = [0; MAX];
        bytes[..raw.len()].copy_from_slice(raw);
        let len = u8::try_from(raw.len()).expect("MAX fits a byte: checked above");
        Ok(Self { bytes, len })
    }

    /// The name as it was chosen.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len.into()]).expect("parse admits ASCII only")
    }

    /// What the name is compared by: the same without case.
    #[must_use]
    pub fn key(&self) -> Key<MAX> {
        Key(self.bytes.map(|byte| byte.to_ascii_lowercase()))
    }
}

impl<const MAX: usize> PartialEq for Name<MAX> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<const MAX: usize> Eq for Name<MAX> {}

impl<const MAX: usize> fmt::Display for Name<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const MAX: usize> fmt::Debug for Name<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const MAX: usize> serde::Serialize for Name<MAX> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de, const MAX: usize> serde::Deserialize<'de> for Name<MAX> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A name folded for comparison; padded with zero bytes, which no name contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key<const MAX: usize>([u8; MAX]);

impl<const MAX: usize> Key<MAX> {
    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = std::str::from_utf8(&self.0).expect("parse admits ASCII only");
        text.trim_end_matches('\0')
    }
}

/// The name of a file as the sender gave it: never a path, and safe to show.
///
/// It is metadata. The server never uses it on its own disk, and the receiver makes it unique.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FileName(Box<str>);

impl FileName {
    /// Checks a file name as it came from a peer.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it. Refused are: empty, over 255 bytes, `.` and `..`,
    /// separators of any system, controls, invisible and direction-changing characters, names that
    /// Windows keeps (`CON`, `a.txt.`, `x:stream`), and a leading or trailing space.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > FILE_NAME_MAX {
            return Err(NameError::TooLong(FILE_NAME_MAX));
        }
        match file_name_fault(text) {
            Some(fault) => Err(NameError::NotAFileName(fault)),
            None => Ok(Self(text.into())),
        }
    }

    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The `n`th name to try when earlier ones are taken: `report.pdf`, `report (1).pdf`, ….
    #[must_use]
    pub fn numbered(&self, n: u32) -> String {
        if n == 0 {
            return self.0.to_string();
        }
        let suffix = format!(" ({n})");
        let (stem, extension) = match self.0.rfind('.') {
            Some(dot) if dot > 0 => self.0.split_at(dot),
            _ => (&*self.0, ""),
        };
        let room = FILE_NAME_MAX.saturating_sub(suffix.len() + extension.len());
        format!("{}{suffix}{extension}", cut_at_char(stem, room))
    }
}

impl<'de> serde::Deserialize<'de> for FileName {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn file_name_fault(text: &str) -> Option<&'static str> {
    if matches!(text, "." | "..") {
        return Some("`.` and `..` are folders");
    }
    if text.chars().any(|c| "/\\:*?\"<>|\u{ff0f}\u{ff3c}\u{2044}\u{2215}".contains(c)) {
        return Some("it contains a character that separates paths or that some systems forbid");
    }
    if text.chars().any(super::text::is_unprintable) {
        return Some("it contains a control or an invisible character");
    }
    if text.ends_with(['.', ' ']) || text.starts_with(' ') {
        return Some("it begins with a space or ends in a dot or a space");
    }
    let stem = text.split('.').next().unwrap_or_default().trim_end();
    is_reserved(stem).then_some("some systems keep this name for a device")
}

fn is_reserved(stem: &str) -> bool {
    let upper = stem.to_ascii_uppercase();
    let numbered = |port: &str| {
        upper.strip_prefix(port).is_some_and(|rest| {
            matches!(rest, "\u{b9}" | "\u{b2}" | "\u{b3}")
                || (rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
        })
    };
    matches!(upper.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || numbered("COM")
        || numbered("LPT")
}

fn cut_at_char(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_1_to_16_letters_and_digits() {
        assert_eq!(UserName::parse("Alice12").unwrap().as_str(), "Alice12");
        assert!(UserName::parse("a").is_ok());
        assert!(UserName::parse("abcdefghijklmnop").is_ok());
        assert_eq!(UserName::parse(""), Err(NameError::Empty));
        assert_eq!(UserName::parse("abcdefghijklmnopq"), Err(NameError::TooLong(16)));
        for bad in ["a b", "a\n", "é", "a-b", "a\0", "/a", "\u{202e}a"] {
            assert_eq!(UserName::parse(bad), Err(NameError::NotAlphanumeric), "{bad:?}");
        }
    }

    #[test]
    fn a_room_name_is_1_to_32_letters_and_digits() {
        assert!(RoomName::parse(&"r".repeat(32)).is_ok());
        assert_eq!(RoomName::parse(&"r".repeat(33)), Err(NameError::TooLong(32)));
    }

    #[test]
    fn names_are_compared_without_case_and_shown_as_chosen() {
        let (one, other) = (UserName::parse("Alice").unwrap(), UserName::parse("aLICE").unwrap());
        assert_eq!(one, other);
        assert_eq!(one.key(), other.key());
        assert_eq!(one.to_string(), "Alice");
        assert_ne!(one, UserName::parse("alice1").unwrap());
    }

    #[test]
    fn a_file_name_is_never_a_path_nor_a_device_nor_a_trick() {
        for good in ["report.pdf", "-x", ".profile", "été 2026.txt", "com10.txt", "console"] {
            assert!(FileName::parse(good).is_ok(), "{good:?}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "/etc/passwd",
            "..\\x",
            "a\0b",
            "a\nb",
            "CON",
            "con.txt",
            "nul",
            "COM1",
            "lpt9.log",
            "COM\u{b9}",
            "a.txt.",
            "a ",
            " a",
            "x:ads",
            "\u{202e}txt.exe",
            "a\u{200b}b",
            "a\u{ff0f}b",
            "CON .txt",
        ] {
            assert!(FileName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(FileName::parse(&"x".repeat(256)).is_err());
    }

    #[test]
    fn a_taken_file_name_gets_a_number_before_its_extension() {
        let name = |text: &str| FileName::parse(text).unwrap();
        assert_eq!(name("report.pdf").numbered(0), "report.pdf");
        assert_eq!(name("report.pdf").numbered(1), "report (1).pdf");
        assert_eq!(name("Makefile").numbered(2), "Makefile (2)");
        assert_eq!(name(".profile").numbered(1), ".profile (1)");
        let long = name(&format!("{}.pdf", "é".repeat(125)));
        assert!(long.numbered(10).len() <= FILE_NAME_MAX);
        assert!(long.numbered(10).ends_with(" (10).pdf"));
    }
}
