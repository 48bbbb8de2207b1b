//! The names of files on the disk, and the names read back: which of them are ours.
//!
//! Refuses to know what is in a file. The rule it keeps: a name is ours only if we would write it
//! just so. A folder may have been there before, with somebody's half downloaded film in it.

use crate::id::TransferId;
use crate::job::PartialId;
use crate::message::{Digest, UserName};

/// Where files on their way are, in the data folder.
pub(super) const TEMP: &str = "temp";
/// Where files are that are whole, in the data folder.
pub(super) const FILES: &str = "files";

/// What tells which store the whole files belong to, among them.
pub(super) const MARK: &str = ".store";
/// Where contents are that no record names, among the whole files, so that to move one is to give
/// it another name.
pub(super) const ASIDE: &str = ".aside";

/// What the name of a file on its way says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The number of its transfer.
    Transfer(TransferId),
    /// What it is found by when it continues later.
    Partial(PartialId),
}

impl Part {
    /// Its name in `temp`.
    pub(super) fn name(self) -> String {
        match self {
            Self::Transfer(transfer) => format!("{transfer}.part"),
            Self::Partial(PartialId { owner, what }) => {
                let owner: String =
                    owner.as_str().bytes().map(|byte| format!("{byte:02x}")).collect();
                format!("{owner}-{what:032x}.part")
            }
        }
    }

    /// Reads a name in `temp`.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(".part")?;
        let part = match stem.split_once('-') {
            None => Self::Transfer(TransferId(stem.parse().ok()?)),
            Some((owner, what)) => {
                let owner = UserName::parse(&unhex(owner)?).ok()?.key();
                Self::Partial(PartialId { owner, what: u128::from_str_radix(what, 16).ok()? })
            }
        };
        // What can be read but is written otherwise (`+7`, `007`, capitals) is not ours.
        (part.name() == name).then_some(part)
    }
}

/// Reads a name in `files`.
pub(super) fn blob(name: &str) -> Option<Digest> {
    Digest::parse(name).filter(|digest| digest.to_string() == name)
}

fn unhex(text: &str) -> Option<String> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).ok();
    String::from_utf8((0..text.len()).step_by(2).map(byte).collect::<Option<_>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(owner: &str, what: u128) -> Part {
        Part::Partial(PartialId { owner: UserName::parse(owner).unwrap().key(), what })
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let part = Part::Transfer(TransferId(7));
        assert_eq!(part.name(), "7.part");
        assert_eq!(Part::parse("7.part"), Some(part));
        assert_eq!(half("Bob", 0x1f).name(), format!("626f62-{:030}1f.part", 0));
        for owner in ["a", "0", "z9", "Bob", "0000000000000000", "zzzzzzzzzzzzzzzz", "az09"] {
            for what in [0, 1, u128::MAX] {
                let part = half(owner, what);
                assert_eq!(Part::parse(&part.name()), Some(part), "{owner}");
            }
        }
        let digest = Digest([0xab; 32]);
        assert_eq!(blob(&digest.to_string()), Some(digest));
    }

    #[test]
    fn what_we_would_write_otherwise_is_not_ours() {
        let what = "0".repeat(32);
        for bad in [
            "",
            ".part",
            "-.part",
            "7",
            "7.PART",
            "+7.part",
            "-7.part",
            "007.part",
            "film.mkv.part",
            "4294967296.part",
            "7.part.part",
            " 7.part",
        ] {
            assert_eq!(Part::parse(bad), None, "{bad}");
        }
        // An upper-case owner, no owner, half a byte, no name, too long, and a wrong second half.
        let owners =
            ["426f62", "", "626f6", "626f6z", "2e2e", "2f", "c3a9", "+6", "é", &"61".repeat(17)];
        for owner in owners {
            assert_eq!(Part::parse(&format!("{owner}-{what}.part")), None, "{owner}");
        }
        for what in ["", "0", "A".repeat(32).as_str(), &"0".repeat(33), &"g".repeat(32)] {
            assert_eq!(Part::parse(&format!("626f62-{what}.part")), None, "{what}");
        }
        for bad in [String::new(), "AB".repeat(32), "ab".repeat(31), "zz".repeat(32)] {
            assert_eq!(blob(&bad), None, "{bad}");
        }
    }
}
