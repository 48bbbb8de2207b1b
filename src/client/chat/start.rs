//! How a conversation begins and what it may do.
//!
//! Knows nothing else. The rule it keeps: what differs from one client to the next is told here,
//! once.

use std::path::PathBuf;
use std::time::Duration;

use time::UtcOffset;

use crate::client::errand::Errand;
use crate::message::{FileName, Secret};

/// All that is decided before the first word.
#[derive(Debug)]
pub(in crate::client) struct Start {
    /// What it is for.
    pub(in crate::client) errand: Errand,
    /// The room to go to first, for an errand or a menu.
    pub(in crate::client) room: Option<String>,
    /// Under which name a file is saved that an errand brings, if not under its own.
    pub(in crate::client) local: Option<FileName>,
    /// Who it is; without it, the first line says so.
    pub(in crate::client) user: Option<String>,
    /// The password of the first name that needs one.
    pub(in crate::client) password: Option<Secret<'static>>,
    /// Files are saved here, those that are accepted one by one if not all are.
    pub(in crate::client) dir: PathBuf,
    /// Take every file that is offered.
    pub(in crate::client) accepts_all: bool,
    /// How far the times that are shown are from UTC.
    pub(in crate::client) offset: UtcOffset,
    /// A program reads what is shown.
    pub(in crate::client) json: bool,
    /// Somebody sits there who sees what is shown, and can be asked.
    pub(in crate::client) at_terminal: bool,
    /// Go on after the last line.
    pub(in crate::client) stays: bool,
    /// For how long to try to come back when the connection is lost; `None`: not at all.
    pub(in crate::client) returns_for: Option<Duration>,
    /// Somebody else shows how far files are, with [`super::Chat::progress`]: no lines for that.
    pub(in crate::client) bars: bool,
    /// Makes the waits of this client others than those of the next.
    pub(in crate::client) seed: u64,
}

#[cfg(test)]
impl Start {
    /// Of a script that does not come back.
    pub(in crate::client) fn of(user: Option<&str>) -> Self {
        Self {
            errand: Errand::Talk,
            room: None,
            local: None,
            user: user.map(str::to_owned),
            password: None,
            dir: PathBuf::new(),
            accepts_all: false,
            offset: UtcOffset::UTC,
            json: false,
            at_terminal: false,
            stays: false,
            returns_for: None,
            bars: false,
            seed: 1,
        }
    }
}
