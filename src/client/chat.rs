//! The plain client without its socket, terminal and clock: lines become deeds, and what happened
//! becomes something to show.
//!
//! Joins the link, the files and a driver. The contract: after each call of the link, call
//! [`Chat::hear`]; then take [`Chat::poll_line`] until there is none, and say so to the link; come
//! again when [`Chat::wake_at`] says. The rule it keeps: nothing typed is lost in silence; it is
//! asked, done or refused, and whether all of it went well is known at the end.

mod about;
mod deeds;
mod lines;
mod taking;
mod transfers;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::commands::{self, Wish, shortly};
use super::drivers::work::Work;
use super::errand::Whom;
use super::face::Face;
use super::link::{Link, LinkEvent};
use super::outcome::{ClientOutcome, Fault, Over};
use super::progress::{Direction, Progress};
use super::screen::Screen;
use super::start::Start;
use super::transfers::{Keeping, Transfers};
use super::view::{Gone, Note, Refused, Show, Unusable};
use crate::front::native::Problem;
use crate::message::{Command, Event, Op, Proof, Refusal, Reply, TextError};
use about::About;
use lines::Lines;
use transfers::Delayed;

/// Requests whose success says nothing that other lines do not say.
const UNSHOWN: [Op; 2] = [Op::Hello, Op::Exit];

/// One conversation.
#[derive(Debug)]
pub(super) struct Chat {
    pub(super) link: Link,
    work: Work,
    transfers: Transfers,
    /// Take every file that is offered.
    accepts_all: bool,
    /// Files for a room that is known when an answer has come.
    delayed: VecDeque<Delayed>,
    /// No lines about how far files are.
    bars: bool,
    /// Files have got on, so there may be more to do about them.
    filled: bool,
    screen: Screen,
    /// What a request is about, where its answer does not say so.
    about: BTreeMap<u64, About>,
    lines: Lines,
    refused: bool,
}

fn face(start: &Start) -> Face {
    match (start.json, start.errand.ends_by_itself()) {
        (true, _) => Face::Json,
        (false, true) => Face::Shell(start.offset),
        (false, false) => Face::Plain(start.offset),
    }
}

impl Chat {
    /// A conversation on a new connection.
    pub(super) fn new(start: Start) -> Self {
        let (link, screen) = (Link::new(&start), Screen::new(face(&start)));
        let work = Work::new(start.errand, start.room, start.local);
        let mut chat = Self {
            link,
            transfers: Transfers::new(start.dir, work.keeping(), start.seed),
            work,
            accepts_all: start.accepts_all,
            delayed: VecDeque::new(),
            bars: start.bars,
            filled: false,
            screen,
            about: BTreeMap::new(),
            lines: Lines::new(start.stays),
            refused: false,
        };
        chat.settle();
        chat
    }

    /// Whether it is over, and why.
    pub(super) fn over(&self) -> Option<&Over> {
        self.link.over()
    }

    /// How it went so far; what is under way counts as not done.
    pub(super) fn outcome(&self) -> ClientOutcome {
        let lost = self.refused || self.has_files();
        match self.over() {
            Some(Over::Broken(_)) => ClientOutcome::Broken,
            Some(Over::Goodbye(_)) => ClientOutcome::Goodbye,
            Some(Over::Left) | None if lost => ClientOutcome::Refused,
            Some(Over::Left) | None => ClientOutcome::Fine,
        }
    }

    /// How far each file is that is sent or taken.
    pub(super) fn progress(&self) -> impl Iterator<Item = Progress> {
        self.transfers.progress(self.link.now())
    }

    /// Whether a line may be handed over now.
    pub(super) fn wants_lines(&self) -> bool {
        if !self.link.is_open() {
            return false;
        }
        if self.link.asks_for_password() {
            return true;
        }
        if self.work.says_lines() {
            return self.can_say();
        }
        let (free, none) = (self.link.is_free(), self.lines.is_empty());
        self.lines.has_room() && (self.link.returning() || free && none)
    }

    /// Whether the next line must not be seen while it is typed.
    pub(super) fn hides_line(&self) -> bool {
        self.link.asks_for_password() && self.over().is_none()
    }

    /// When to be told the time at the latest, as time since the start of the client.
    pub(super) fn wake_at(&self) -> Option<Duration> {
        let now = self.link.now();
        let files = [self.transfers.wake_at(now), self.filled.then_some(now)];
        files.into_iter().chain([self.link.wake_at()]).flatten().min()
    }

    /// The next line to show, without its end.
    pub(super) fn poll_line(&mut self) -> Option<String> {
        self.screen.poll_line()
    }

    /// Takes in what has happened on the link, one thing after the other.
    pub(super) fn hear(&mut self) {
        self.settle();
        while self.link.go_on() {
            self.settle();
        }
        self.take_kept_lines();
        self.leave_if_done();
    }

    /// A line was typed.
    pub(super) fn handle_line(&mut self, line: &str) {
        if self.link.handle_line(line) {
            self.settle();
            self.take_kept_lines();
        } else if self.work.says_lines() {
            self.work.say(line);
            self.work_on();
        } else if self.link.returning() {
            self.keep_line(line);
        } else {
            self.take_line(line);
        }
        self.settle();
    }

    /// Does what a line asks for, and notes it until that is answered.
    fn take_line(&mut self, line: &str) {
        self.take_written(line, |chat| chat.obey(line));
    }

    /// Does what is written so, unless nobody could have written it.
    fn take_written(&mut self, line: &str, act: impl FnOnce(&mut Self)) {
        if let Some(control) = line.chars().find(|&c| c.is_control() && c != '\t') {
            return self.refuse_with(&Refusal::BadText(TextError::Control(control.into())));
        }
        let before = self.link.last_id();
        act(self);
        self.link.name_last(before, shortly(line));
    }

    fn obey(&mut self, line: &str) {
        if self.link.asks_for_name() && !line.starts_with('/') && !line.trim().is_empty() {
            return self.link.log_in(line.trim(), Proof::None);
        }
        let wish = commands::parse(line);
        if let Some(form) = commands::newer(&wish).filter(|_| self.link.is_old()) {
            return self.refuse(Refused::OldServer(form));
        }
        match wish {
            Wish::Nothing => {}
            Wish::Where => self.note(Note::Rooms(self.link.rooms().to_vec())),
            Wish::Help => self.show(&Show::Reply(Reply::Help { text: commands::help() })),
            Wish::Refuse(refusal) => self.refuse_with(&refusal),
            Wish::Register { user } => self.link.ask_to_register(user),
            Wish::Passwd => self.link.ask_for_passwords(),
            Wish::SendFile { whole, parts } => self.send_typed_file(whole, parts),
            Wish::Upload { path } => self.send_file(path.as_ref(), Whom::Shelf),
            Wish::Get { wanted } => self.get(wanted),
            Wish::AcceptAll(all) => self.accept_all(all),
            Wish::CancelNamed(name) => self.cancel_named(name),
            Wish::Ask(Command::Reject { transfer }) => self.reject(transfer),
            Wish::Ask(Command::Cancel { transfer }) => self.cancel(transfer),
            Wish::Ask(Command::Remove { transfer }) => self.remove(transfer),
            Wish::Ask(command @ Command::EndSession { session }) => {
                self.ask_about(About::Wish(Note::Ended(session)), command);
            }
            Wish::Ask(Command::Exit) => self.link.leave(),
            Wish::Ask(command) => self.link.ask(command, line.len()),
        }
    }

    /// A line was typed that cannot be read.
    pub(super) fn handle_unusable_line(&mut self, why: Unusable) {
        self.refuse(Refused::Unusable(why));
    }

    /// Somebody outside asks for the end: no file is received any further, and goodbye.
    pub(super) fn handle_stop(&mut self) {
        self.on_stopped();
        let kept = self.work.keeping() != Keeping::Nothing;
        self.transfers.give_up_all(Direction::Down, Gone::Stopped { kept });
        self.take_steps();
        self.link.leave();
        self.settle();
    }

    /// No more lines will come: finish what is under way, then leave.
    pub(super) fn handle_no_more_lines(&mut self) {
        self.lines.end();
        self.link.handle_no_more_lines();
        self.settle();
        self.leave_if_done();
    }

    /// The end of standard input: all that is to be said is known.
    pub(super) fn handle_last_line(&mut self) {
        self.work.handle_last_line();
        self.handle_no_more_lines();
    }

    /// Nobody who is out comes in again without a line.
    fn leave_if_done(&mut self) {
        let helpless = self.lines.are_over() && self.lines.is_empty() && self.link.is_out();
        let waiting = self.link.pending() > 0 || self.has_files() || self.over().is_some();
        if (self.lines.are_done() || helpless) && !waiting {
            self.link.leave();
            self.settle();
        }
    }

    fn refuse_with(&mut self, refusal: &Refusal) {
        self.refuse(Refused::Here(refusal.clone()));
    }

    fn refuse(&mut self, refused: Refused) {
        self.refused = true;
        self.show(&Show::Refused(refused));
    }

    /// Shows something about this client itself.
    pub(super) fn note(&mut self, note: Note) {
        self.show(&Show::Note(note));
    }

    fn show(&mut self, show: &Show) {
        if !self.work.hides(show) {
            self.screen.show(show);
        }
    }

    /// Does all that follows from what was done.
    fn settle(&mut self) {
        while let Some(event) = self.link.poll_event() {
            self.on_link(event);
            self.take_steps();
        }
        self.take_steps();
    }

    fn on_link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Greeted { downloads } => self.transfers.set_places(downloads),
            LinkEvent::In { again } => self.on_in(again),
            LinkEvent::Out(why) => self.give_up_files(why),
            LinkEvent::StaysOut => self.refuse_kept_lines(),
            LinkEvent::Failed(fault) => self.on_failed(fault),
            LinkEvent::Away => self.say_broken_off(),
            LinkEvent::Answered { id, op, answer } => self.on_answer(id, op, answer),
            LinkEvent::Event(event) => self.on_news(event),
            LinkEvent::Chunk { transfer, bytes } => {
                self.transfers.handle_chunk(transfer, &bytes, self.link.now());
            }
            LinkEvent::Show(show) => self.show(&show),
            LinkEvent::Refused(refused) => {
                self.refuse(refused);
                self.take_delayed();
            }
            LinkEvent::Over => self.on_over(),
        }
    }

    fn on_in(&mut self, again: bool) {
        self.say_rooms();
        self.enter();
        if again {
            self.transfers.confirm_again();
            self.take_steps();
            self.take_kept_lines();
        }
        self.take_delayed();
    }

    /// The connection is of no use any more: for what is left to do, there may be another.
    fn on_failed(&mut self, fault: Fault) {
        let idle = self.lines.are_done() && !self.has_files() && !self.link.owes();
        if idle || !self.link.can_return() {
            return self.link.give_up(fault);
        }
        self.break_off_files();
        self.link.come_back(fault);
    }

    fn on_over(&mut self) {
        self.refuse_kept_lines();
        if self.over() != Some(&Over::Left) {
            self.give_up_files(Gone::ConnectionLost);
        }
    }

    fn on_answer(&mut self, id: u64, op: Op, answer: Result<Reply, Problem>) {
        match self.about.remove(&id) {
            Some(About::Enter) => return self.on_entered(answer),
            Some(About::List(listing)) => return self.on_listed(*listing, answer),
            Some(about) => return self.on_file_answer(about, answer),
            None => {}
        }
        if UNSHOWN.contains(&op) && answer.is_ok() {
            return self.take_delayed();
        }
        self.link.handle_answer(op, &answer);
        self.settle();
        match answer {
            Ok(reply) => self.on_reply(op, reply),
            Err(problem) => {
                self.refuse(Refused::Answer(problem));
                if op == Op::Hello {
                    self.link.leave();
                }
            }
        }
        self.take_delayed();
    }

    /// That it went well is no news; that nobody was there to hear it is.
    fn on_reply(&mut self, op: Op, reply: Reply) {
        let heard = matches!(reply, Reply::Heard { count, blocked: false }
            if count > 0 || op == Op::Whisper);
        let here = matches!(reply, Reply::Kept { online: true, .. });
        let moved = matches!(
            reply,
            Reply::Joined { .. } | Reply::Current { .. } | Reply::Left { .. } | Reply::Rooms { .. }
        );
        if !heard && !here {
            self.show(&Show::Reply(reply));
        }
        if moved {
            self.say_rooms();
        } else if let (Op::Say | Op::Broadcast, [room, _, ..]) = (op, self.link.rooms()) {
            self.note(Note::SaidIn(*room));
        }
    }

    /// Says which rooms we are in and which one is current, if it could be another one.
    fn say_rooms(&mut self) {
        if let rooms @ [_, _, ..] = self.link.rooms() {
            self.note(Note::Rooms(rooms.to_vec()));
        }
    }

    /// What people do is nothing to an errand, which has no eyes for them.
    fn on_news(&mut self, event: Event) {
        let (social, now) = (!self.work.is_terse(), self.link.now());
        let files = &mut self.transfers;
        match event {
            Event::Queued { transfer, place, of } => {
                files.handle_queued(transfer, (place, of), now);
            }
            Event::Admitted { transfer, waited_ms, credit, offset } => {
                files.handle_admitted(transfer, waited_ms, credit, offset, now);
            }
            Event::Credit { transfer, bytes } => files.handle_credit(transfer, bytes),
            Event::Ended { transfer, how } => files.handle_ended(transfer, how),
            Event::Offered { file } => {
                if social {
                    self.on_offered(file);
                }
            }
            Event::LoggedOut { .. } => {
                self.refused |= self.lines.are_over();
                self.show(&Show::Event(event));
            }
            Event::Bye { .. } => self.show(&Show::Event(event)),
            Event::Said { .. }
            | Event::Whispered { .. }
            | Event::Broadcast { .. }
            | Event::Online { .. }
            | Event::Offline { .. }
            | Event::Joined { .. }
            | Event::Left { .. }
            | Event::Receipt { .. } => {
                if social && self.link.is_news(&event) {
                    self.show(&Show::Event(event));
                }
            }
            Event::Hello { .. } | Event::Ping => {}
        }
    }
}
