//! The part of the conversation that is about lines which wait.
//!
//! Refuses to know why there is no connection. The rule it keeps: what is typed meanwhile waits in
//! order, and goes before what is typed from then on or is told as not sent.

use std::collections::VecDeque;

use super::Chat;
use crate::client::commands::{self, Wish, shortly};
use crate::client::view::{Note, Refused, Unasked};
use crate::message::Command;

/// Lines that are kept while there is no connection; the next wait where they come from.
const KEPT_MAX: usize = 64;

/// What was typed and will be.
#[derive(Debug)]
pub(super) struct Lines {
    kept: VecDeque<String>,
    /// Nothing more will be typed.
    over: bool,
    /// That is no reason to leave.
    stays: bool,
}

impl Lines {
    pub(super) fn new(stays: bool) -> Self {
        Self { kept: VecDeque::new(), over: false, stays }
    }

    pub(super) fn end(&mut self) {
        self.over = true;
    }

    /// Whether nothing more will be typed.
    pub(super) fn are_over(&self) -> bool {
        self.over
    }

    /// Whether that is all there was to do.
    pub(super) fn are_done(&self) -> bool {
        self.over && !self.stays && self.kept.is_empty()
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.kept.len() < KEPT_MAX
    }
}

impl Chat {
    /// A line that was typed while we were not in.
    pub(super) fn keep_line(&mut self, line: &str) {
        let (wish, can_ask) = (commands::parse(line), self.link.can_ask());
        let leaves = wish == Wish::Ask(Command::Exit);
        let asks = matches!(wish, Wish::Register { .. } | Wish::Passwd);
        if wish == Wish::Help {
            self.take_line(line);
        } else if leaves && self.lines.is_empty() {
            self.link.leave();
        } else if asks && can_ask {
            // The passwords would be typed where everybody sees them, and then be said to a room.
            self.refuse(Refused::NotAsked(Unasked::Away));
        } else if wish != Wish::Nothing {
            if self.lines.is_empty() {
                self.note(Note::LinesWait);
            }
            if can_ask && leaves {
                self.note(Note::LeavingWaits);
            }
            self.lines.kept.push_back(line.to_owned());
        }
    }

    /// Lines that were kept go before those that are typed from now on.
    pub(super) fn take_kept_lines(&mut self) {
        while self.link.is_open() && !self.link.returning() {
            // A kept line never answers a question for a password.
            let wanted = !self.link.asks_for_password() && self.link.is_free();
            let Some(line) = wanted.then(|| self.lines.kept.pop_front()).flatten() else { break };
            self.handle_line(&line);
        }
    }

    /// They will not be sent any more.
    pub(super) fn refuse_kept_lines(&mut self) {
        for line in std::mem::take(&mut self.lines.kept) {
            self.refuse(Refused::UnsentLine(shortly(&line)));
        }
    }
}
