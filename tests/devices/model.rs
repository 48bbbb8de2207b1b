//! The table of docs/sessions.md as code: what each session must hear, worked out from what was
//! asked and from nothing that the server says, but for the names of tokens.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::device::{Device, essence};
use crate::rng::Rng;
use crate::stage::Stage;

/// Those with an account, then guests.
pub(crate) const ACCOUNTS: [&str; 3] = ["ann", "bob", "cyd"];
pub(crate) const GUESTS: [&str; 2] = ["gus", "hal"];

#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) number: u64,
    pub(crate) from: String,
    pub(crate) text: String,
}

/// What was said under a key.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) request: Value,
    /// The first answer.
    pub(crate) answer: Value,
    /// The server has restarted since, so that only the store knows of it.
    pub(crate) before_restart: bool,
}

/// What a token stands for.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) origin: u64,
    pub(crate) is_void: bool,
}

pub(crate) struct Model {
    pub(crate) stage: Stage,
    pub(crate) rng: Rng,
    pub(crate) devices: Vec<Device>,
    /// What each device must hear in this step.
    due: BTreeMap<usize, Vec<String>>,
    pub(crate) sessions_max: usize,
    pub(crate) members_max: usize,
    pub(crate) passwords: BTreeMap<String, String>,
    pub(crate) tokens: BTreeMap<String, Token>,
    pub(crate) origins: u64,
    /// Letters that nobody has confirmed, by receiver.
    pub(crate) letters: BTreeMap<String, Vec<Letter>>,
    pub(crate) last_letter: u64,
    /// By the one who blocks, and whom.
    pub(crate) blocks: BTreeSet<(String, String)>,
    /// What was said under each key of a user.
    pub(crate) keys: BTreeMap<(String, String), Said>,
    pub(crate) texts: u64,
    pub(crate) tracing: bool,
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

impl Model {
    pub(crate) fn new(stage: Stage, rng: Rng, sessions_max: usize, members_max: usize) -> Self {
        Self {
            stage,
            rng,
            devices: Vec::new(),
            due: BTreeMap::new(),
            sessions_max,
            members_max,
            passwords: BTreeMap::new(),
            tokens: BTreeMap::new(),
            origins: 0,
            letters: BTreeMap::new(),
            last_letter: 0,
            blocks: BTreeSet::new(),
            keys: BTreeMap::new(),
            texts: 0,
            tracing: false,
            counts: BTreeMap::new(),
        }
    }

    pub(crate) fn note(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
        if self.tracing {
            eprintln!("  {what}");
        }
    }

    pub(crate) fn expect(&mut self, at: usize, message: &Value) {
        let text = essence(message);
        self.due.entry(at).or_default().push(text);
    }

    pub(crate) fn expect_yes(&mut self, at: usize, re: u64, mut answer: Value) {
        answer["re"] = json!(re);
        self.expect(at, &answer);
    }

    pub(crate) fn expect_no(&mut self, at: usize, re: u64, code: &str) {
        self.due.entry(at).or_default().push(format!("refused {re} {code}"));
    }

    /// Sends a request of a device.
    pub(crate) fn ask(&mut self, at: usize, request: Value) -> u64 {
        if self.tracing {
            let device = &self.devices[at];
            eprintln!(
                "{at} {} {}> {request}",
                device.name.as_deref().unwrap_or("-"),
                device.origin
            );
        }
        self.devices[at].ask(&mut self.stage, request)
    }

    /// Lets all happen, answers pings, and compares what was heard with what was to be heard.
    pub(crate) fn check(&mut self) {
        self.stage.settle();
        for at in 0..self.devices.len() {
            let heard = self.devices[at].hear(&mut self.stage);
            for message in &heard {
                if let Some(token) = message.get("token").and_then(Value::as_str) {
                    self.remember_token(at, token);
                }
            }
            let mut heard: Vec<String> = heard.iter().map(essence).collect();
            heard.retain(|message| !message.contains("\"ev\":\"hello\""));
            let mut due = self.due.remove(&at).unwrap_or_default();
            if self.tracing && !heard.is_empty() {
                eprintln!("{at}< {heard:#?}");
            }
            heard.sort();
            due.sort();
            let device = &self.devices[at];
            assert_eq!(heard, due, "device {at} of {:?} hears (left), not (right)", device.name);
            let is_closed = self.stage.closed.contains(&device.conn);
            assert_eq!(is_closed, device.closed, "device {at} is closed: {is_closed}");
        }
        self.stage.engine.check_invariants();
    }

    fn remember_token(&mut self, at: usize, token: &str) {
        let device = &mut self.devices[at];
        token.clone_into(&mut device.token);
        let name = device.name.clone().expect("a token is somebody's");
        let token = Token { name, origin: device.origin, is_void: false };
        self.tokens.insert(device.token.clone(), token);
    }

    /// Sessions of a user that are no errands, in the order of their logins.
    pub(crate) fn sessions(&self, name: &str) -> Vec<usize> {
        let mut of: Vec<usize> = self.all_of(name);
        of.retain(|&at| !self.devices[at].errand);
        of
    }

    pub(crate) fn all_of(&self, name: &str) -> Vec<usize> {
        let mut of: Vec<usize> =
            (0..self.devices.len()).filter(|&at| self.devices[at].is_of(name)).collect();
        of.sort_by_key(|&at| self.devices[at].login);
        of
    }

    /// Everybody who is online, sorted.
    pub(crate) fn people(&self) -> BTreeSet<String> {
        let visible = self.devices.iter().filter(|device| !device.errand);
        visible.filter_map(|device| device.name.clone()).collect()
    }

    pub(crate) fn members(&self, room: &str) -> BTreeSet<String> {
        let inside = self.devices.iter().filter(|device| device.is_in(room));
        inside.filter_map(|device| device.name.clone()).collect()
    }

    pub(crate) fn has_blocked(&self, owner: &str, user: &str) -> bool {
        self.blocks.contains(&(owner.to_owned(), user.to_owned()))
    }

    pub(crate) fn is_apart(&self, one: &str, other: &str) -> bool {
        self.has_blocked(one, other) || self.has_blocked(other, one)
    }

    /// Each visible session of others hears of a user, unless a block stands.
    pub(crate) fn tell_presence(&mut self, name: &str, event: &str) {
        for other in self.people().into_iter().filter(|other| other != name) {
            if !self.is_apart(&other, name) {
                for at in self.sessions(&other) {
                    self.expect(at, &json!({"ev": event, "user": name}));
                }
            }
        }
    }

    /// Each session of others in a room hears that somebody came or left.
    pub(crate) fn tell_move(&mut self, name: &str, room: &str, event: &str) {
        for other in self.members(room).into_iter().filter(|other| other != name) {
            if !self.is_apart(&other, name) {
                for at in self.inside(&other, room) {
                    self.expect(at, &json!({"ev": event, "room": room, "user": name}));
                }
            }
        }
    }

    /// The sessions of a user in a room.
    pub(crate) fn inside(&self, name: &str, room: &str) -> Vec<usize> {
        let mut of = self.sessions(name);
        of.retain(|&at| self.devices[at].is_in(room));
        of
    }

    /// A session is over: what the others hear of that. Its device is as it was.
    pub(crate) fn end_session(&mut self, at: usize) {
        let Some(name) = self.devices[at].name.clone() else { return };
        let rooms = self.devices[at].rooms.clone();
        let errand = self.devices[at].errand;
        for room in rooms.iter().filter(|_| !errand) {
            self.leave(at, room);
        }
        self.devices[at].forget_login();
        if !errand && self.sessions(&name).is_empty() {
            self.tell_presence(&name, "offline");
        }
        if GUESTS.contains(&&*name) && self.all_of(&name).is_empty() {
            self.blocks.retain(|(owner, _)| *owner != name);
            self.keys.retain(|(user, _), _| *user != name);
        }
    }

    /// A session leaves a room: what the others hear of that.
    pub(crate) fn leave(&mut self, at: usize, room: &str) {
        let name = self.devices[at].name.clone().expect("it is logged in");
        let device = &mut self.devices[at];
        device.rooms.retain(|is| is != room);
        if device.current.as_deref() == Some(room) {
            device.current = device.rooms.last().cloned();
        }
        if !device.errand && self.inside(&name, room).is_empty() {
            self.tell_move(&name, room, "left");
        }
    }

    /// A session enters a room: what the others hear of that.
    pub(crate) fn enter(&mut self, at: usize, room: &str) {
        let name = self.devices[at].name.clone().expect("it is logged in");
        let is_first = self.inside(&name, room).is_empty();
        let device = &mut self.devices[at];
        device.rooms.push(room.to_owned());
        device.current = Some(room.to_owned());
        if is_first && !device.errand {
            self.tell_move(&name, room, "joined");
        }
    }

    /// What waits for a user is told to a session that has just begun.
    pub(crate) fn tell_letters(&mut self, at: usize) {
        let name = self.devices[at].name.clone().expect("it is logged in");
        for letter in self.letters.get(&name).cloned().unwrap_or_default() {
            self.devices[at].read = letter.number;
            if !self.has_blocked(&name, &letter.from) {
                self.tell_letter(at, &letter);
            }
        }
        // Where all of them are of people who are blocked, nobody will confirm them.
        let Device { told, read, .. } = self.devices[at];
        if told == 0 {
            self.letters.entry(name).or_default().retain(|letter| letter.number > read);
        }
    }

    pub(crate) fn tell_letter(&mut self, at: usize, letter: &Letter) {
        let Letter { number, from, text } = letter;
        (self.devices[at].told, self.devices[at].read) = (*number, *number);
        let event = json!({"ev": "whispered", "from": from, "text": text, "letter": number});
        self.expect(at, &event);
    }

    /// Under which key something is to be said, if under any; nothing, if that was said before:
    /// then it is answered as it was, and nobody hears it again.
    pub(crate) fn key_of(&mut self, at: usize, request: &mut Value) -> Option<Option<String>> {
        let name = self.devices[at].name.clone().expect("it is logged in");
        let used: Vec<String> = self
            .keys
            .keys()
            .filter(|(user, _)| *user == name)
            .map(|(_, key)| key.clone())
            .collect();
        if !used.is_empty() && self.rng.chance(150) {
            let key = self.rng.pick(&used).clone();
            self.say_again(at, &name, &key);
            return None;
        }
        if !self.rng.chance(300) {
            return Some(None);
        }
        let key = format!("k{}", self.texts);
        request["key"] = json!(key);
        Some(Some(key))
    }

    fn say_again(&mut self, at: usize, name: &str, key: &str) {
        let said = self.keys[&(name.to_owned(), key.to_owned())].clone();
        let mut answer = said.answer;
        self.note("a message is sent again");
        if said.before_restart {
            self.note("a message is sent again after a restart");
            // The store knows that it kept it, and not who was online; a block is looked at first.
            let to = answer["user"].as_str().expect("a letter is to somebody").to_owned();
            if self.has_blocked(&to, name) {
                let re = self.ask(at, said.request);
                return self.expect_no(at, re, "blocked");
            }
            answer["online"] = json!(self.people().contains(&to));
            // From here on the server knows that answer.
            let request = said.request.clone();
            let said = Said { request, answer: answer.clone(), before_restart: false };
            self.keys.insert((name.to_owned(), key.to_owned()), said);
        }
        let re = self.ask(at, said.request);
        self.expect_yes(at, re, answer);
    }

    /// What was said under a key got this answer.
    pub(crate) fn said_under(&mut self, at: usize, key: Option<String>, said: &Value, ok: &Value) {
        let Some(key) = key else { return };
        let name = self.devices[at].name.clone().expect("it is logged in");
        let said = Said { request: said.clone(), answer: ok.clone(), before_restart: false };
        self.keys.insert((name, key), said);
    }

    /// A text that was never said before.
    pub(crate) fn text(&mut self) -> String {
        self.texts += 1;
        format!("text {}", self.texts)
    }
}
