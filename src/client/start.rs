//! How a conversation begins and what it may do.
//!
//! Knows nothing else. The rule it keeps: what differs from one client to the next is told here,
//! once.

use std::path::PathBuf;
use std::time::Duration;

use time::UtcOffset;

use crate::client::errand::Errand;
use crate::message::{ClientTraits, FileName, Secret};

/// All that is decided before the first word.
#[derive(Debug)]
pub(super) struct Start {
    /// What it is for.
    pub(super) errand: Errand,
    /// The room to go to first, for an errand or a menu.
    pub(super) room: Option<String>,
    /// Under which name a file is saved that an errand brings, if not under its own.
    pub(super) local: Option<FileName>,
    /// What this machine is called.
    pub(super) device: Option<String>,
    /// Who it is; without it, the first line says so.
    pub(super) user: Option<String>,
    /// The password of the first name that needs one.
    pub(super) password: Option<Secret<'static>>,
    /// What gets that name in beside a chat of ours, if there is one.
    pub(super) token: Option<Secret<'static>>,
    /// Files are saved here, those that are accepted one by one if not all are.
    pub(super) dir: PathBuf,
    /// Take every file that is offered.
    pub(super) accepts_all: bool,
    /// How far the times that are shown are from UTC.
    pub(super) offset: UtcOffset,
    /// A program reads what is shown.
    pub(super) json: bool,
    /// Somebody sits there who sees what is shown, and can be asked.
    pub(super) at_terminal: bool,
    /// Continue after the last line.
    pub(super) stays: bool,
    /// For how long to try to come back when the connection is lost; `None`: not at all.
    pub(super) returns_for: Option<Duration>,
    /// Somebody else shows how far files are, so there are no lines for that.
    pub(super) bars: bool,
    /// Makes the waits of this client others than those of the next.
    pub(super) seed: u64,
}

impl Start {
    /// Whether it is asked who it is, again and again.
    pub(super) fn asks_name(&self) -> bool {
        self.user.is_none() || self.at_terminal && self.errand == Errand::Menu
    }

    /// What a server is told about it: an errand logs in beside the chats of its user, and is told
    /// nothing of what they hear.
    pub(super) fn traits(&self) -> ClientTraits<'static> {
        let errand = self.errand.ends_by_itself();
        ClientTraits { device: self.device.clone().map(Into::into), own: !errand, errand }
    }
}

#[cfg(test)]
impl Start {
    /// Of a script that does not come back.
    pub(super) fn of(user: Option<&str>) -> Self {
        Self {
            errand: Errand::Talk,
            room: None,
            local: None,
            device: None,
            user: user.map(str::to_owned),
            password: None,
            token: None,
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
