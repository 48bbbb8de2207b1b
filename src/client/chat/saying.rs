//! The part of the conversation that says what a script wants said, and leaves.
//!
//! Knows lines that are nothing but text: none of them is a command. The rule it keeps: a line goes
//! out when the server takes it, in order, and only once it is known where we are.

use std::collections::VecDeque;

use super::{Chat, Login, Work};
use crate::client::errand::Errand;
use crate::message::Command;

/// What is still to be said.
#[derive(Debug, Default)]
pub(super) struct Saying {
    lines: VecDeque<String>,
    /// More lines will come from standard input.
    open: bool,
}

impl Saying {
    /// Nothing, unless the errand is to say something.
    pub(super) fn of(errand: &Errand) -> Self {
        match errand {
            Errand::Say { text: None, .. } => Self { lines: VecDeque::new(), open: true },
            Errand::Say { text: Some(text), .. } => {
                Self { lines: text.lines().map(str::to_owned).collect(), open: false }
            }
            Errand::Talk
            | Errand::Menu
            | Errand::Send { .. }
            | Errand::Get { .. }
            | Errand::List { .. } => Self::default(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        !self.open && self.lines.is_empty()
    }
}

impl Chat {
    /// The end of standard input: all that is to be said is known.
    pub(in crate::client) fn handle_last_line(&mut self) {
        self.work.saying.open = false;
        self.handle_no_more_lines();
    }

    /// Whether a line may be said now.
    pub(super) fn can_say(&self) -> bool {
        self.work.is_working()
            && self.login == Login::Done
            && !self.returning()
            && self.takes_lines()
    }

    /// Says what was given at the start, as fast as the server takes it.
    pub(super) fn say_given_lines(&mut self) -> bool {
        let before = self.work.saying.lines.len();
        while self.can_say() {
            let Some(line) = self.work.saying.lines.pop_front() else { break };
            self.take_line(&line);
        }
        self.work.saying.lines.len() < before
    }

    /// Says a line, if this client was started for that. Answers whether it was.
    pub(super) fn say_line(&mut self, line: &str) -> bool {
        let Errand::Say { to, .. } = self.work.errand() else { return false };
        let to = to.clone();
        if !line.trim().is_empty() {
            let command = match to {
                Some(user) => Command::Whisper { user: user.into(), text: line.into() },
                None => Command::Say { text: line.into(), me: false },
            };
            self.ask(command, line.len());
        }
        true
    }
}

impl Work {
    /// Whether a line is to be said, and not obeyed.
    pub(super) fn says_lines(&self) -> bool {
        matches!(self.errand(), Errand::Say { .. })
    }
}
