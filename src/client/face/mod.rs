//! PURE. Faces: how a line is made of what is to be shown.
//!
//! Know what there is to show, and nothing of how it came about. The rule they keep: one thing that
//! is shown cannot pass for another one, whoever wrote what is in it.

mod json;
mod listing;
mod plain;
mod words;

use time::UtcOffset;

use super::view::Show;
pub(super) use words::{farewell, misunderstood, product};

/// Who looks at it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Face {
    /// People; times are shown at this distance from UTC.
    Plain(UtcOffset),
    /// The same, at a shell: what they can do about a refusal is a command there.
    Shell(UtcOffset),
    /// Programs.
    Json,
}

impl Face {
    /// The lines for it, each without its end.
    pub(super) fn lines(self, show: &Show) -> Vec<String> {
        match self {
            Self::Plain(offset) => plain::lines(show, offset),
            Self::Shell(offset) => match show {
                Show::Refused(_) => {
                    plain::lines(show, offset).iter().map(|line| plain::in_shell(line)).collect()
                }
                Show::Event(_) | Show::Reply(_) | Show::Note(_) => plain::lines(show, offset),
            },
            Self::Json => json::lines(show),
        }
    }
}
