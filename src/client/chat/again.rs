//! The part of the conversation that is about losing the connection and coming back.
//!
//! Decides when to call the server again and what becomes of what was under way; who makes the
//! connection is the caller's. The rule it keeps: what was asked and not answered is told line by
//! line and never asked again, and what was typed meanwhile waits in order or is told as not sent.

use std::collections::VecDeque;
use std::time::Duration;

use super::login::Attempt;
use super::{Chat, Login};
use crate::client::backoff::Backoff;
use crate::client::commands::{self, Wish, shortly};
use crate::client::outcome::Over;
use crate::client::session::ClientSession;
use crate::client::view::Note;
use crate::front::native::Problem;
use crate::front::text::seconds;
use crate::id::millis;
use crate::message::{Command, Reply, visible};

/// Lines that are kept while there is no connection; the next wait where they come from.
const KEPT_MAX: usize = 64;

/// Whether there is a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Up,
    /// None, and one will be asked for at the alarm.
    Away,
    /// None, and the caller is to make one.
    Wanted,
    /// None, and the caller tries.
    Calling,
}

/// What it takes to come back.
#[derive(Debug)]
pub(super) struct Return {
    /// For how long to try; `None`: not at all.
    tries_for: Option<Duration>,
    pub(super) backoff: Backoff,
    /// Since when we are not in, though we were.
    lost_at: Option<Duration>,
    /// What was typed since then.
    lines: VecDeque<String>,
}

impl Return {
    pub(super) fn new(tries_for: Option<Duration>, seed: u64) -> Self {
        let backoff = Backoff::new(seed);
        Self { tries_for, backoff, lost_at: None, lines: VecDeque::new() }
    }

    pub(super) fn has_room(&self) -> bool {
        self.lines.len() < KEPT_MAX
    }

    /// Whether no line waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl Chat {
    /// Whether there is no connection, and another may come.
    pub(in crate::client) fn away(&self) -> bool {
        self.link != Link::Up
    }

    /// Whether the caller is to make a connection now, and then to tell
    /// [`Chat::handle_connected`] or [`Chat::handle_unreachable`].
    pub(in crate::client) fn poll_call(&mut self) -> bool {
        let wanted = self.link == Link::Wanted && self.over.is_none();
        if wanted {
            self.link = Link::Calling;
        }
        wanted
    }

    /// When to be told the time at the latest, as time since the start of the client.
    pub(in crate::client) fn wake_at(&self) -> Option<Duration> {
        let filled = self.filled.then_some(self.now);
        let files = [self.transfers.wake_at(self.now), filled];
        [self.alarm, self.pace.wait(self.now)].into_iter().chain(files).flatten().min()
    }

    /// So much time has passed since the start of the client.
    pub(in crate::client) fn handle_time(&mut self, now: Duration) {
        self.now = now;
        if self.alarm.is_none_or(|at| now < at) || self.over.is_some() {
            return;
        }
        self.alarm = None;
        if self.link == Link::Away {
            self.link = Link::Wanted;
        } else if self.login == Login::Resting && !self.leaving {
            self.ask_to_log_in_again();
        }
    }

    /// There is a connection again.
    pub(in crate::client) fn handle_connected(&mut self) {
        self.link = Link::Up;
        self.session = ClientSession::new();
        self.silence_max = super::GREETING_BEFORE;
        self.log_in_again();
    }

    /// There is still no connection.
    pub(in crate::client) fn handle_unreachable(&mut self, why: &str) {
        self.call_later(&format!("no connection: {}", visible(why)));
    }

    /// Whether we were in and are not in yet again.
    pub(super) fn returning(&self) -> bool {
        self.back.lost_at.is_some()
    }

    /// For how long.
    pub(super) fn lost_for(&self) -> Duration {
        self.back.lost_at.map_or(Duration::ZERO, |at| self.now.saturating_sub(at))
    }

    /// The connection is of no use any more: come back, or else it is over.
    pub(super) fn lose(&mut self, why: &str, otherwise: Over) {
        if self.link != Link::Up || self.over.is_some() {
            return;
        }
        self.report_unanswered();
        let idle = self.lines_ended && self.back.is_empty() && !self.has_files();
        if self.leaving || idle || self.who.is_none() || self.back.tries_for.is_none() {
            return self.finish(otherwise);
        }
        self.break_off_files();
        self.drop_question("the connection was lost");
        self.session = ClientSession::new();
        self.attempt = None;
        self.new_password = None;
        self.login = Login::Asked;
        let first = self.back.lost_at.replace(self.back.lost_at.unwrap_or(self.now)).is_none();
        self.call_later(&format!("connection lost: {}", visible(why)));
        if first {
            self.say_broken_off();
        }
    }

    fn call_later(&mut self, why: &str) {
        self.link = Link::Away;
        let wait = self.back.backoff.next_wait();
        self.wait_to_return(wait, why);
    }

    /// Sets the alarm unless that would be too late to come back. `why` is visible.
    pub(super) fn wait_to_return(&mut self, wait: Duration, why: &str) {
        let tries_for = self.back.tries_for.unwrap_or(Duration::MAX);
        if self.returning() && self.lost_for().saturating_add(wait) > tries_for {
            let tried = seconds(millis(self.lost_for()));
            return self.finish(Over::Broken(format!("{why}; given up after {tried}")));
        }
        self.alarm = Some(self.now + wait);
        self.note(Note::Again { why: why.to_owned(), wait });
    }

    fn report_unanswered(&mut self) {
        let registers = self.attempt.as_ref().is_some_and(Attempt::registers);
        let unanswered = std::mem::take(&mut self.asked).into_values();
        for line in unanswered.chain(registers.then(|| shortly("/register"))) {
            self.refused = true;
            let text = format!("{line}: it is not known whether it was carried out");
            self.show_refusal("not_answered", &text);
        }
    }

    /// A line that was typed while we were not in.
    pub(super) fn keep_line(&mut self, line: &str) {
        match commands::parse(line) {
            Wish::Nothing => {}
            Wish::Help => self.take_line(line),
            Wish::Ask(Command::Exit) if self.back.is_empty() => self.leave(),
            // The passwords would be typed where everybody sees them, and then be said to a room.
            Wish::Register { .. } | Wish::Passwd if self.at_terminal => {
                self.refuse("not_asked", "there is no connection; ask again when it is back");
            }
            Wish::Ask(_)
            | Wish::SendFile { .. }
            | Wish::Upload { .. }
            | Wish::Get { .. }
            | Wish::AcceptAll(_)
            | Wish::CancelNamed(_)
            | Wish::Register { .. }
            | Wish::Passwd
            | Wish::Refuse(_) => {
                if self.back.is_empty() {
                    self.note(Note::LinesWait);
                }
                if self.at_terminal && commands::parse(line) == Wish::Ask(Command::Exit) {
                    self.note(Note::LeavingWaits);
                }
                self.back.lines.push_back(line.to_owned());
            }
        }
    }

    /// Lines that were kept go before those that are typed from now on.
    pub(super) fn take_kept_lines(&mut self) {
        while self.over.is_none() && !self.leaving && !self.returning() {
            // A kept line never answers a question for a password.
            let wanted = self.question.is_none() && self.takes_lines();
            let Some(line) = wanted.then(|| self.back.lines.pop_front()).flatten() else { break };
            self.handle_line(&line);
        }
    }

    /// They will not be sent any more.
    pub(super) fn refuse_kept_lines(&mut self) {
        for line in std::mem::take(&mut self.back.lines) {
            self.refuse("not_sent", &shortly(&line));
        }
    }

    /// We are in again: go to the room, unless the server has kept the place there.
    pub(super) fn on_returned(&mut self, kept: bool) {
        match self.room {
            Some(room) if !kept => {
                let room = room.as_str().to_owned();
                self.session.request(Command::Join { room: room.into() });
            }
            Some(_) | None => self.come_back(),
        }
    }

    pub(super) fn on_rejoined(&mut self, answer: Result<Reply, Problem>) {
        match answer {
            Ok(Reply::Joined { room, .. }) => self.room = Some(room),
            Ok(_) => {}
            Err(problem) => {
                self.room = None;
                self.refuse(&problem.code, &problem.text);
            }
        }
        self.come_back();
    }

    fn come_back(&mut self) {
        self.back.lost_at = None;
        self.back.backoff.reset();
        let user = self.who.as_ref().map(|who| who.user);
        self.note(Note::Back { user, room: self.room });
        self.enter();
        self.confirm_again();
        self.take_kept_lines();
    }

    /// We stay out, on a connection that is good: what was kept has nobody to say it any more.
    pub(super) fn stay_out(&mut self) {
        self.back.lost_at = None;
        self.back.backoff.reset();
        self.refuse_kept_lines();
    }
}
