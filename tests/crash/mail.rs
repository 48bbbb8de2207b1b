//! The people who write to one another: some send numbered messages without a pause, some are to
//! receive them and are away, come back, break off or confirm late.
//!
//! Each receiver remembers over all crashes what the real client remembers, and nothing else.

use std::collections::BTreeMap;

use parlor::client::letters::Letters;
use parlor::client::session::ClientEvent;
use parlor::front::native::Problem;
use parlor::message::{Command, Event, Op, Proof, Reply, Secret, UserName};

use crate::ledger::{Ledger, Pair};
use crate::rng::Rng;
use crate::swarm::{Happened, Line, Swarm};

/// Who sends; the first two have accounts.
const SENDERS: [&str; 4] = ["anna", "bert", "guest1", "guest2"];
/// Who receives; all of them have accounts. The first is seldom there.
const RECEIVERS: [&str; 6] = ["ruth", "rosa", "ralf", "rita", "rolf", "remy"];
/// Messages of one sender without an answer.
const WINDOW: usize = 8;

pub(crate) const PASSWORD: &str = "open sesame";

/// How somebody behaves in one life of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Confirms what came as soon as all that was there is heard.
    Prompt,
    /// Confirms every so many letters.
    Late(usize),
    /// Reads and never confirms.
    Never,
    /// Breaks off now and then and comes back with the token.
    Restless,
}

struct Person {
    name: &'static str,
    has_account: bool,
    token: Option<String>,
    line: Option<Line>,
    is_in: bool,
    habit: Habit,
    sent: usize,
    /// What was sent and has no answer: by the number of the request.
    asked: BTreeMap<u64, (Pair, usize)>,
    letters: Letters,
    unconfirmed: usize,
}

#[derive(Default)]
pub(crate) struct Mail {
    people: Vec<Person>,
    /// Nobody breaks off any more, and nobody sends more than the first messages.
    is_ending: bool,
    pub(crate) ledger: Ledger,
    /// How often somebody came back while the server lived.
    pub(crate) returns: usize,
    /// How many letters came that had been shown before.
    pub(crate) repeats: usize,
    /// How many messages were refused.
    pub(crate) refused: usize,
}

impl Mail {
    pub(crate) fn new() -> Self {
        let person = |(index, &name): (usize, &&'static str)| Person {
            name,
            has_account: index < 2 || index >= SENDERS.len(),
            token: None,
            line: None,
            is_in: false,
            habit: Habit::Prompt,
            sent: 0,
            asked: BTreeMap::new(),
            letters: Letters::default(),
            unconfirmed: 0,
        };
        let people = SENDERS.iter().chain(&RECEIVERS).enumerate().map(person).collect();
        Self { people, ..Self::default() }
    }

    /// Makes all accounts.
    pub(crate) fn register(&mut self, swarm: &mut Swarm) {
        for person in self.people.iter_mut().filter(|person| person.has_account) {
            let line = swarm.open();
            let password = Secret(PASSWORD.into());
            let register = Command::Register { user: person.name.into(), password };
            match swarm.ask(line, register) {
                Ok(Reply::Welcome { token, .. }) => person.token = Some(token),
                other => panic!("{}: {other:?}", person.name),
            }
            swarm.close(line);
        }
    }

    /// A new life of the server: the senders come, and some of the receivers.
    pub(crate) fn begin(&mut self, swarm: &mut Swarm, rng: &mut Rng) {
        for index in 0..self.people.len() {
            let away = match index {
                0..4 => 0,
                4 => 900,
                _ => 400,
            };
            self.people[index].habit = match rng.below(5) {
                0 | 1 => Habit::Prompt,
                2 => Habit::Late(rng.between(2, 40) as usize),
                3 => Habit::Never,
                _ => Habit::Restless,
            };
            if !rng.chance(away) {
                self.come(swarm, index);
            }
        }
    }

    /// The last life: all receivers come, and confirm all at once.
    pub(crate) fn begin_reading(&mut self, swarm: &mut Swarm) {
        self.is_ending = true;
        for index in SENDERS.len()..self.people.len() {
            self.people[index].habit = Habit::Prompt;
            self.come(swarm, index);
        }
    }

    /// Somebody writes to each of them once more: when that has arrived, nothing is behind it.
    pub(crate) fn begin_last(&mut self, swarm: &mut Swarm) {
        self.come(swarm, 0);
    }

    /// Whether each message has its answer, and at least `kept` in all the one that they are kept.
    pub(crate) fn is_answered(&self, kept: usize) -> bool {
        self.ledger.kept >= kept && self.people.iter().all(|person| person.asked.is_empty())
    }

    /// The server is gone: what was not answered never will be.
    pub(crate) fn cut(&mut self) {
        for person in &mut self.people {
            person.line = None;
            person.is_in = false;
            person.unconfirmed = 0;
            person.asked.clear();
        }
    }

    /// Takes what happened on a line if it is of one of these people; says whether it was an
    /// answer.
    pub(crate) fn handle(
        &mut self,
        (swarm, rng): (&mut Swarm, &mut Rng),
        line: Line,
        happened: Happened,
    ) -> bool {
        let owner = self.people.iter().position(|person| person.line == Some(line));
        let Some(index) = owner else { return false };
        match happened {
            Happened::Heard(ClientEvent::Answered { id, op, answer }) => {
                self.on_answer(swarm, index, (id, op, answer));
                if !self.is_ending && rng.chance(4) {
                    self.break_off(swarm, index, rng.chance(500));
                }
                true
            }
            Happened::Heard(ClientEvent::Event(Event::Whispered {
                from, text, letter, ..
            })) => {
                let letter = letter.expect("whoever has an account gets letters");
                let pair = (from.to_string(), self.people[index].name.to_owned());
                let number = text.as_str().parse().unwrap();
                let person = &mut self.people[index];
                person.unconfirmed += 1;
                if person.letters.handle_letter(letter) {
                    self.ledger.on_arrival(&pair, number);
                } else {
                    self.repeats += 1;
                }
                if person.habit == Habit::Restless && rng.chance(30) {
                    self.break_off(swarm, index, rng.chance(500));
                }
                false
            }
            Happened::Heard(_) => false,
            Happened::Gone => {
                self.people[index].line = None;
                false
            }
        }
    }

    /// All that there was to hear has been heard: it is shown, and can be confirmed. Now and then
    /// somebody who was away comes.
    pub(crate) fn on_turn(&mut self, swarm: &mut Swarm, rng: &mut Rng) {
        for index in SENDERS.len()..self.people.len() {
            let person = &mut self.people[index];
            let Some(line) = person.line else {
                if rng.chance(5) {
                    self.come(swarm, index);
                }
                continue;
            };
            let is_due = match person.habit {
                Habit::Prompt | Habit::Restless => person.unconfirmed > 0,
                Habit::Late(count) => person.unconfirmed >= count,
                Habit::Never => false,
            };
            if is_due {
                person.unconfirmed = 0;
                if let Some(letter) = person.letters.poll_confirmation() {
                    swarm.say(line, Command::Got { letter });
                }
            }
        }
    }

    /// Connects and logs in: with the token of the last time, or as a guest.
    fn come(&mut self, swarm: &mut Swarm, index: usize) {
        let person = &mut self.people[index];
        let line = swarm.open();
        let proof = match &person.token {
            Some(token) => Proof::Token(Secret(token.clone().into())),
            None => Proof::None,
        };
        swarm.say(line, Command::Login { user: person.name.into(), proof });
        person.line = Some(line);
        person.is_in = false;
        person.unconfirmed = 0;
        person.asked.clear();
        person.letters.handle_login(UserName::parse(person.name).unwrap());
    }

    /// Somebody is on another connection from now on; the one before is closed, or simply left.
    fn break_off(&mut self, swarm: &mut Swarm, index: usize, closes: bool) {
        let person = &mut self.people[index];
        let Some(line) = person.line.filter(|_| person.is_in) else { return };
        if closes {
            swarm.close(line);
        }
        self.returns += 1;
        self.come(swarm, index);
    }

    fn on_answer(
        &mut self,
        swarm: &mut Swarm,
        index: usize,
        (id, op, answer): (u64, Op, Result<Reply, Problem>),
    ) {
        let person = &mut self.people[index];
        match (op, answer) {
            (Op::Hello, Ok(Reply::Done)) | (Op::Got, Ok(Reply::Done)) => {}
            (Op::Login, Ok(Reply::Welcome { token, .. })) => {
                person.token = Some(token);
                person.is_in = true;
                let window = if index < SENDERS.len() { WINDOW } else { 0 };
                (0..window).for_each(|_| self.send(swarm, index));
            }
            (Op::Whisper, answer) => {
                let (pair, number) = person.asked.remove(&id).expect("asked");
                match answer {
                    Ok(Reply::Kept { .. }) => self.ledger.on_kept(&pair, number),
                    Err(problem) if problem.code == "mailbox_full" => {
                        self.refused += 1;
                        self.ledger.on_refused(&pair, number);
                    }
                    other => panic!("{pair:?} {number}: {other:?}"),
                }
                if !self.is_ending {
                    self.send(swarm, index);
                }
            }
            (op, answer) => panic!("{}: {op:?}: {answer:?}", person.name),
        }
    }

    /// The next message, to each receiver in turn.
    fn send(&mut self, swarm: &mut Swarm, index: usize) {
        let person = &mut self.people[index];
        let Some(line) = person.line else { return };
        let to = RECEIVERS[(person.sent + index) % RECEIVERS.len()];
        person.sent += 1;
        let pair = (person.name.to_owned(), to.to_owned());
        let number = self.ledger.send(pair.clone());
        let text = number.to_string().into();
        let id = swarm.say(line, Command::Whisper { user: to.into(), text });
        person.asked.insert(id, (pair, number));
    }
}
