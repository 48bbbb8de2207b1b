//! PURE. The part of the link that is about losing the connection and coming back.
//!
//! Refuses to know what is under way: whether it is worth coming back for is for the owner to say.
//! The rule it keeps: there is one alarm, and when it would be too late it is over.

use std::time::Duration;

use super::login::{Attempt, Login};
use super::once::Back;
use super::{Link, LinkEvent};
use crate::client::backoff::Backoff;
use crate::client::outcome::{Fault, Over};
use crate::client::session::ClientSession;
use crate::client::view::{Note, Refused, Unasked};
use crate::front::native::Problem;
use crate::message::{Reply, RoomName};

/// Whether there is a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Up,
    /// None, and the caller is to make one at this time.
    Away(Duration),
    /// None, and the caller tries.
    Calling,
}

/// What it takes to come back.
#[derive(Debug)]
pub(super) struct Return {
    /// For how long to try; `None`: not at all.
    tries_for: Option<Duration>,
    pub(super) backoff: Backoff,
    /// The server has kept rooms of ours.
    replaced: bool,
    /// Since when we are not in, though we were.
    lost_at: Option<Duration>,
}

impl Return {
    pub(super) fn new(tries_for: Option<Duration>, seed: u64) -> Self {
        Self { tries_for, backoff: Backoff::new(seed), replaced: false, lost_at: None }
    }

    /// Back, or never.
    fn end(&mut self) {
        self.backoff.reset();
        self.lost_at = None;
    }
}

impl Link {
    /// Whether there is no connection, and another may come.
    pub(in crate::client) fn away(&self) -> bool {
        self.line != Line::Up
    }

    /// Whether we were in and are not in yet again.
    pub(in crate::client) fn returning(&self) -> bool {
        self.back.lost_at.is_some()
    }

    /// For how long.
    pub(super) fn lost_for(&self) -> Duration {
        self.back.lost_at.map_or(Duration::ZERO, |at| self.now.saturating_sub(at))
    }

    /// Whether the caller is to make a connection now, and then to tell
    /// [`Link::handle_connected`] or [`Link::handle_unreachable`].
    pub(in crate::client) fn poll_call(&mut self) -> bool {
        let due = matches!(self.line, Line::Away(at) if at <= self.now);
        let wanted = due && self.over.is_none();
        if wanted {
            self.line = Line::Calling;
        }
        wanted
    }

    /// When to be told the time at the latest, as time since the start of the client.
    pub(in crate::client) fn wake_at(&self) -> Option<Duration> {
        let rested = if let Login::Resting(at) = self.login { Some(at) } else { None };
        let alarm = if let Line::Away(at) = self.line { Some(at) } else { rested };
        let alarm = alarm.filter(|_| self.is_open());
        let again = self.unanswered.wake_at(self.now);
        [alarm, self.pace.wait(self.now), again].into_iter().flatten().min()
    }

    /// So much time has passed since the start of the client.
    pub(in crate::client) fn handle_time(&mut self, now: Duration) {
        self.now = now;
        let due = matches!(self.login, Login::Resting(at) if at <= now);
        if due
            && self.is_open()
            && let Some(attempt) = self.attempt.take()
        {
            self.attempt(attempt);
        }
        self.send_again();
    }

    /// There is a connection again.
    pub(in crate::client) fn handle_connected(&mut self) {
        self.line = Line::Up;
        self.session = ClientSession::of(&self.traits);
        (self.keys, self.run) = (0, String::new());
        self.silence_max = super::GREETING_BEFORE;
        self.log_in_again();
    }

    /// There is still no connection, for a reason in the system's words.
    pub(in crate::client) fn handle_unreachable(&mut self, why: String) {
        self.call_later(Fault::Unreachable(why));
    }

    /// The connection is of no use any more. What was asked and not answered is told.
    pub(super) fn on_fault(&mut self, fault: Fault) {
        if self.away() || self.over.is_some() {
            return;
        }
        if let Fault::Garbled(_) = fault {
            return self.finish(Over::Broken(fault));
        }
        self.unanswered.handle_lost(&mut self.asked);
        let registers = self.attempt.as_ref().is_some_and(Attempt::registers);
        let registers = registers.then(|| "/register".to_owned());
        for words in std::mem::take(&mut self.asked).into_values().chain(registers) {
            self.refuse(Refused::Unanswered(words));
        }
        self.tell(LinkEvent::Failed(fault));
    }

    /// Whether we may come back, if somebody wants that.
    pub(in crate::client) fn can_return(&self) -> bool {
        !self.leaving && self.proofs.who.is_some() && self.back.tries_for.is_some()
    }

    /// After a fault: it is over.
    pub(in crate::client) fn give_up(&mut self, fault: Fault) {
        // Only the goodbye itself may stay without an answer.
        let left = self.leaving && self.session.pending() <= 1;
        let words = if let Fault::TurnedAway(line) = &fault { Some(line.clone()) } else { None };
        self.finish(if words.is_some() || matches!(fault, Fault::Bye(_)) {
            Over::Goodbye(words)
        } else if left {
            Over::Left
        } else {
            Over::Broken(fault)
        });
    }

    /// After a fault: on another connection it continues.
    pub(in crate::client) fn come_back(&mut self, fault: Fault) {
        self.drop_question(Unasked::Lost);
        self.session = ClientSession::of(&self.traits);
        self.rooms.handle_lost();
        self.attempt = None;
        self.proofs.handle_unchanged(false);
        self.login = Login::Asked;
        let first = !self.returning();
        self.back.lost_at.get_or_insert(self.now);
        self.call_later(fault);
        if first {
            self.tell(LinkEvent::Away);
        }
    }

    fn call_later(&mut self, why: Fault) {
        let wait = self.back.backoff.next_wait();
        self.line = Line::Away(self.now + wait);
        self.wait_to_return(wait, why);
    }

    /// Says so, unless that would be too late to come back.
    pub(super) fn wait_to_return(&mut self, wait: Duration, why: Fault) {
        let lost_for = self.lost_for();
        let tries_for = self.back.tries_for.unwrap_or(Duration::MAX);
        if self.returning() && lost_for.saturating_add(wait) > tries_for {
            self.finish(Over::Broken(Fault::GivenUp(Box::new(why), lost_for)));
        } else {
            self.note(Note::Again { why, wait });
        }
    }

    /// We are in again: go to our rooms, as far as the server has not kept our places there.
    pub(super) fn on_returned(&mut self, kept: Vec<RoomName>) {
        self.back.replaced = !kept.is_empty();
        for step in self.rooms.return_to(kept, !self.is_old()) {
            let id = self.request(step);
            self.rooms.begin_to_enter(id);
        }
        self.on_back();
    }

    /// A step on the way to our rooms is answered.
    pub(super) fn on_reentered(&mut self, answer: Result<Reply, Problem>) {
        if let Err(problem) = answer {
            self.refuse(Refused::Answer(problem));
        }
        self.on_back();
    }

    fn on_back(&mut self) {
        if !self.rooms.are_back() {
            return;
        }
        self.back.end();
        let user = self.proofs.who.as_ref().map(|who| who.user);
        self.note(Note::Back { user, room: self.room() });
        self.sort_messages();
        self.send_again();
        self.tell(LinkEvent::In { again: true });
    }

    /// Of the messages without an answer, tells of those that cannot surely be sent again.
    fn sort_messages(&mut self) {
        let back = Back {
            at: self.now,
            by: self.sender(),
            run: &self.run,
            room: self.rooms.current(),
            keys: self.keys,
            replaced: self.back.replaced,
        };
        for words in self.unanswered.handle_back(&back) {
            self.refuse(Refused::Unanswered(words));
        }
    }

    /// Sends them again, as fast as the server takes them.
    fn send_again(&mut self) {
        while self.is_ready() && self.is_open() && self.pace.wait(self.now).is_none() {
            let Some((once, words)) = self.unanswered.next(self.now) else { return };
            self.pace.send(self.now);
            let id = self.session.request(once);
            self.unanswered.begin_again(id);
            words.into_iter().for_each(|words| drop(self.asked.insert(id, words)));
        }
    }

    /// They will not be sent again.
    pub(super) fn give_up_messages(&mut self) {
        for words in self.unanswered.give_up() {
            self.refuse(Refused::Unanswered(words));
        }
    }

    /// We stay out, on a connection that is good.
    pub(super) fn stay_out(&mut self) {
        self.give_up_messages();
        if self.returning() {
            self.back.end();
            self.tell(LinkEvent::StaysOut);
        }
    }
}
