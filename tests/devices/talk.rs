//! Rooms, and what is said.

use serde_json::{Value, json};

use super::device::Device;
use super::model::{ACCOUNTS, GUESTS, Letter, Model};

const ROOMS: [&str; 3] = ["den", "attic", "roof"];

impl Model {
    /// A session goes to a room, or opens one more.
    pub(crate) fn join(&mut self, at: usize) {
        let Some(name) = self.devices[at].name.clone() else { return };
        let room = *self.rng.pick(&ROOMS);
        let open = self.rng.chance(500);
        let mut request = json!({"op": "join", "room": room});
        if open {
            request["open"] = json!(true);
        }
        let re = self.ask(at, request);
        if self.devices[at].errand {
            self.devices[at].rooms = vec![room.to_owned()];
            self.devices[at].current = Some(room.to_owned());
            self.expect_joined(at, re, &name, room);
            return self.check();
        }
        let device = &self.devices[at];
        let is_current = device.current.as_deref() == Some(room);
        let is_open = device.is_in(room);
        let members = self.members(room);
        let code = if is_current {
            Some("already_there")
        } else if !members.contains(&name) && members.len() >= self.members_max {
            Some("room_full")
        } else {
            None
        };
        if let Some(code) = code {
            self.expect_no(at, re, code);
            return self.check();
        }
        let before = self.devices[at].current.clone();
        if let Some(before) = before.filter(|_| !open) {
            self.leave(at, &before);
        }
        if is_open {
            self.turn_to(at, room);
        } else {
            self.enter(at, room);
        }
        self.note(if open { "a room is opened" } else { "a room is joined" });
        self.expect_joined(at, re, &name, room);
        self.check();
    }

    fn expect_joined(&mut self, at: usize, re: u64, name: &str, room: &str) {
        let members = self.members(room);
        let shown: Vec<&String> =
            members.iter().filter(|other| !self.is_apart(name, other)).collect();
        let answer = json!({"ok": "joined", "room": room, "users": shown, "total": shown.len()});
        self.expect_yes(at, re, answer);
    }

    /// A session leaves a room, or makes another one current.
    pub(crate) fn leave_or_turn(&mut self, at: usize) {
        if self.devices[at].name.is_none() || self.devices[at].errand {
            return;
        }
        let room = (*self.rng.pick(&ROOMS)).to_owned();
        let is_in = self.devices[at].is_in(&room);
        let absent = self.absent(at);
        if self.rng.chance(400) {
            let re = self.ask(at, json!({"op": "room", "room": room}));
            if is_in {
                self.turn_to(at, &room);
                self.expect_yes(at, re, json!({"ok": "current", "room": room}));
                self.note("a room is current again");
            } else {
                self.expect_no(at, re, absent);
            }
            return self.check();
        }
        let named = self.rng.chance(500);
        let which = if named {
            Some(room.clone()).filter(|_| is_in)
        } else {
            self.devices[at].current.clone()
        };
        let request =
            if named { json!({"op": "leave", "room": room}) } else { json!({"op": "leave"}) };
        let re = self.ask(at, request);
        match which {
            Some(room) => {
                self.leave(at, &room);
                let mut answer = json!({"ok": "left", "room": room});
                if let Some(current) = &self.devices[at].current {
                    answer["current"] = json!(current);
                }
                self.expect_yes(at, re, answer);
                self.note("a room is left");
            }
            None => self.expect_no(at, re, absent),
        }
        self.check();
    }

    /// How what needs a room where a session is not is refused.
    fn absent(&self, at: usize) -> &'static str {
        if self.devices[at].current.is_some() { "not_there" } else { "not_in_room" }
    }

    /// A room that a session is in becomes the current one.
    fn turn_to(&mut self, at: usize, room: &str) {
        let device = &mut self.devices[at];
        device.rooms.retain(|is| is != room);
        device.rooms.push(room.to_owned());
        device.current = Some(room.to_owned());
    }

    /// Something is said in a room, or to all.
    pub(crate) fn say(&mut self, at: usize) {
        let Some(name) = self.devices[at].name.clone() else { return };
        let text = self.text();
        let all = self.rng.chance(150);
        let mut request = json!({"op": if all { "broadcast" } else { "say" }, "text": text});
        let named = !all && self.rng.chance(400);
        let room = if named {
            Some((*self.rng.pick(&ROOMS)).to_owned())
        } else {
            self.devices[at].current.clone()
        };
        if let Some(room) = room.as_ref().filter(|_| named) {
            request["room"] = json!(room);
        }
        let Some(key) = self.key_of(at, &mut request) else { return self.check() };
        let absent = self.absent(at);
        let re = self.ask(at, request.clone());
        let may = |room: &String| self.devices[at].errand || self.devices[at].is_in(room);
        let answer = match room.filter(may) {
            Some(room) => self.tell_room(at, &name, &room, &text),
            None if all => self.tell_everybody(at, &name, &text),
            None => {
                self.expect_no(at, re, absent);
                return self.check();
            }
        };
        if self.devices[at].errand {
            self.note("a message of an errand");
        }
        self.said_under(at, key, &request, &answer);
        self.expect_yes(at, re, answer);
        self.check();
    }

    fn tell_room(&mut self, at: usize, name: &str, room: &str, text: &str) -> Value {
        let (mut heard, mut blocked) = (0, false);
        for other in self.members(room).into_iter().filter(|other| other != name) {
            if self.has_blocked(&other, name) {
                blocked = true;
                continue;
            }
            heard += 1;
            for to in self.inside(&other, room) {
                self.expect(to, &json!({"ev": "said", "room": room, "from": name, "text": text}));
            }
        }
        for own in self.inside(name, room) {
            if own != at && self.devices[own].own {
                let event =
                    json!({"ev": "said", "room": room, "from": name, "text": text, "own": true});
                self.expect(own, &event);
                self.note("own words from elsewhere");
            }
        }
        answer_heard(heard, blocked)
    }

    fn tell_everybody(&mut self, at: usize, name: &str, text: &str) -> Value {
        let (mut heard, mut blocked) = (0, false);
        for other in self.people().into_iter().filter(|other| other != name) {
            if self.has_blocked(&other, name) {
                blocked = true;
                continue;
            }
            heard += 1;
            for to in self.sessions(&other) {
                self.expect(to, &json!({"ev": "broadcast", "from": name, "text": text}));
            }
        }
        self.tell_own(at, &json!({"ev": "broadcast", "from": name, "text": text, "own": true}));
        answer_heard(heard, blocked)
    }

    /// The other sessions of a device's user that want to know.
    fn tell_own(&mut self, at: usize, event: &Value) {
        let name = self.devices[at].name.clone().expect("it is logged in");
        for own in self.sessions(&name) {
            if own != at && self.devices[own].own {
                self.expect(own, event);
            }
        }
    }

    /// A whisper: to an account it is a letter.
    pub(crate) fn whisper(&mut self, at: usize) {
        let Some(name) = self.devices[at].name.clone() else { return };
        let names = [&ACCOUNTS[..], &GUESTS[..]].concat();
        let to = (*self.rng.pick(&names)).to_owned();
        let text = self.text();
        let mut request = json!({"op": "whisper", "user": to, "text": text});
        let Some(key) = self.key_of(at, &mut request) else { return self.check() };
        let re = self.ask(at, request.clone());
        let is_here = self.people().contains(&to);
        let is_account = ACCOUNTS.contains(&&*to);
        if to == name {
            self.expect_no(at, re, "to_yourself");
        } else if !is_account && !is_here {
            self.expect_no(at, re, "no_such_user");
        } else if self.has_blocked(&to, &name) {
            self.expect_no(at, re, "blocked");
        } else {
            self.tell_own(
                at,
                &json!({"ev": "whispered", "from": name, "to": to, "text": text, "own": true}),
            );
            let answer = if is_account {
                self.keep(&name, &to, &text)
            } else {
                for session in self.sessions(&to) {
                    self.expect(session, &json!({"ev": "whispered", "from": name, "text": text}));
                }
                json!({"ok": "heard", "count": 1})
            };
            self.said_under(at, key, &request, &answer);
            self.expect_yes(at, re, answer);
        }
        self.check();
    }

    fn keep(&mut self, from: &str, to: &str, text: &str) -> Value {
        self.last_letter += 1;
        let (from, text) = (from.to_owned(), text.to_owned());
        let letter = Letter { number: self.last_letter, from, text };
        let sessions = self.sessions(to);
        for &session in &sessions {
            self.tell_letter(session, &letter);
        }
        if sessions.len() > 1 {
            self.note("a letter to several sessions");
        }
        self.letters.entry(to.to_owned()).or_default().push(letter);
        json!({"ok": "kept", "user": to, "online": !sessions.is_empty()})
    }

    /// A session confirms what it was told: it is gone for all of its user.
    pub(crate) fn confirm(&mut self, at: usize) {
        let Some(name) = self.devices[at].name.clone() else { return };
        let Device { told, read, .. } = self.devices[at];
        if told == 0 {
            return;
        }
        let re = self.ask(at, json!({"op": "got", "letter": told}));
        self.expect_yes(at, re, json!({"ok": "done"}));
        self.letters.entry(name).or_default().retain(|letter| letter.number > read);
        self.note("letters are confirmed");
        self.check();
    }

    /// Somebody wants to hear nothing of somebody, or to hear them again.
    pub(crate) fn block(&mut self, at: usize) {
        let Some(name) = self.devices[at].name.clone() else { return };
        let other = (*self.rng.pick(&ACCOUNTS)).to_owned();
        if other == name {
            return;
        }
        let pair = (name, other.clone());
        let stands = self.blocks.contains(&pair);
        let op = if stands { "unblock" } else { "block" };
        let re = self.ask(at, json!({"op": op, "user": other}));
        self.expect_yes(at, re, json!({"ok": "done"}));
        if stands {
            self.blocks.remove(&pair);
        } else {
            self.blocks.insert(pair);
        }
        self.check();
    }

    /// What lists say: people, each once, and not those behind a block.
    pub(crate) fn list(&mut self, at: usize) {
        let Some(name) = self.devices[at].name.clone() else { return };
        let room = *self.rng.pick(&ROOMS);
        if self.rng.chance(500) {
            let re = self.ask(at, json!({"op": "whoelse"}));
            let mut users = self.people();
            users.retain(|other| *other != name && !self.is_apart(&name, other));
            self.expect_yes(
                at,
                re,
                json!({"ok": "who_else", "users": users, "total": users.len()}),
            );
        } else {
            let re = self.ask(at, json!({"op": "who", "room": room}));
            let mut users = self.members(room);
            if users.is_empty() {
                self.expect_no(at, re, "no_such_room");
            } else {
                users.retain(|other| !self.is_apart(&name, other));
                let answer =
                    json!({"ok": "who", "room": room, "users": users, "total": users.len()});
                self.expect_yes(at, re, answer);
            }
        }
        self.check();
    }
}

fn answer_heard(heard: u64, blocked: bool) -> Value {
    let mut answer = json!({"ok": "heard", "count": heard});
    if blocked {
        answer["blocked"] = json!(true);
    }
    answer
}
