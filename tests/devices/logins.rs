//! Sessions begin, end, and are taken over.

use serde_json::{Value, json};

use super::device::Device;
use super::model::{ACCOUNTS, GUESTS, Model};

/// How long a device that is asked for a sign of life has for it, and some.
const TAKEOVER_MS: u64 = 2_500;

/// With what somebody logs in.
#[derive(Clone, Debug)]
enum Proof {
    Nothing,
    Password(String),
    Token(String),
}

impl Model {
    /// A device connects and tells what it is.
    pub(crate) fn connect(&mut self) -> usize {
        let (own, errand) = (self.rng.chance(600), self.rng.chance(200));
        let conn = self.stage.open();
        self.devices.push(Device::new(conn, own, errand));
        let at = self.devices.len() - 1;
        if own || errand {
            let hello = json!({"op": "hello", "version": 1, "own": own, "errand": errand,
                "device": format!("device {at}")});
            let re = self.ask(at, hello);
            let run = "0".repeat(16);
            self.expect_yes(at, re, json!({"ok": "able", "keys": 256, "run": run}));
        }
        self.check();
        at
    }

    /// A device logs in, mostly as somebody.
    pub(crate) fn login(&mut self, at: usize) {
        let names = [&ACCOUNTS[..], &GUESTS[..]].concat();
        let name = (*self.rng.pick(&names)).to_owned();
        let known: Vec<String> = self
            .tokens
            .iter()
            .filter(|(_, token)| token.name == name)
            .map(|(text, _)| text.clone())
            .collect();
        let proof = if !known.is_empty() && self.rng.chance(450) {
            Proof::Token(self.rng.pick(&known).clone())
        } else if let Some(password) = self.passwords.get(&name) {
            Proof::Password(password.clone())
        } else {
            Proof::Nothing
        };
        let mut request = json!({"op": "login", "user": name});
        match &proof {
            Proof::Nothing => {}
            Proof::Password(password) => request["password"] = json!(password),
            Proof::Token(token) => request["token"] = json!(token),
        }
        let re = self.ask(at, request);
        match self.judge(at, re, &name, &proof) {
            Some(Ok(replaced)) => self.begin(at, re, &name, &proof, replaced),
            Some(Err(code)) => self.expect_no(at, re, code),
            None => return,
        }
        self.check();
    }

    /// Whether a login succeeds, and whom it replaces; nothing when that is settled already.
    fn judge(
        &mut self,
        at: usize,
        re: u64,
        name: &str,
        proof: &Proof,
    ) -> Option<Result<Option<usize>, &'static str>> {
        let is_account = ACCOUNTS.contains(&name);
        let errand = self.devices[at].errand;
        let owner = match proof {
            Proof::Token(token) => {
                let token = self.tokens[token].clone();
                if token.is_void {
                    self.note("a void token");
                    return Some(Err("wrong_password"));
                }
                let of = if errand { self.all_of(name) } else { self.sessions(name) };
                if is_account && self.sessions_max == 1 {
                    // With one session a token is the account's.
                    of.first().copied()
                } else {
                    of.into_iter().find(|&of| self.devices[of].origin == token.origin)
                }
            }
            Proof::Nothing | Proof::Password(_) => None,
        };
        if errand {
            let free = is_account || owner.is_some() || self.all_of(name).is_empty();
            return Some(if free { Ok(None) } else { Err("name_in_use") });
        }
        if let Some(owner) = owner {
            self.note("a token replaces its session");
            return Some(Ok(Some(owner)));
        }
        let (of, most) = (self.sessions(name), if is_account { self.sessions_max } else { 1 });
        if of.len() < most {
            let free = is_account || self.is_of_these(&self.all_of(name), proof);
            return Some(if free { Ok(None) } else { Err("name_in_use") });
        }
        let refusal = if is_account && most > 1 { "too_many_sessions" } else { "name_in_use" };
        Some(self.contest(at, re, &of, refusal))
    }

    /// Whether whoever logs in as a guest is the guest whose errands are here.
    fn is_of_these(&self, errands: &[usize], proof: &Proof) -> bool {
        let shown = match proof {
            Proof::Token(token) => Some(self.tokens[token].origin),
            Proof::Nothing | Proof::Password(_) => None,
        };
        errands.iter().all(|&at| Some(self.devices[at].origin) == shown)
    }

    /// All sessions of a user are asked for a sign of life: who gives none is replaced.
    fn contest(
        &mut self,
        _at: usize,
        _re: u64,
        of: &[usize],
        refusal: &'static str,
    ) -> Result<Option<usize>, &'static str> {
        for &owner in of {
            self.expect(owner, &json!({"ev": "ping"}));
        }
        self.check();
        let silent = of.iter().copied().find(|&owner| !self.devices[owner].lives);
        for &owner in of {
            if self.devices[owner].lives {
                let re = self.ask(owner, json!({"op": "ping"}));
                self.expect_yes(owner, re, json!({"ok": "pong"}));
            }
        }
        match silent {
            Some(owner) => {
                self.check();
                self.stage.pass(TAKEOVER_MS);
                self.note("a silent session is replaced");
                Ok(Some(owner))
            }
            None => {
                self.note("all sessions live");
                Err(refusal)
            }
        }
    }

    /// A session begins, in the place of another one or beside the others.
    fn begin(&mut self, at: usize, re: u64, name: &str, proof: &Proof, replaced: Option<usize>) {
        let is_account = ACCOUNTS.contains(&name);
        let was_here = self.people().contains(name);
        self.origins += 1;
        let logins = self.origins;
        let mut answer = json!({"ok": "welcome", "user": name});
        if !is_account {
            answer["guest"] = json!(true);
        }
        let shown = match proof {
            Proof::Token(token) => Some(self.tokens[token].origin),
            Proof::Nothing | Proof::Password(_) => None,
        };
        if let Some(owner) = replaced.filter(|_| !is_account) {
            self.end_other_guest(name, shown == Some(self.devices[owner].origin));
        }
        let errand = self.devices[at].errand;
        // A session continues the one whose token it showed; a guest, an errand, and all where an
        // account has one session, begin anew.
        let chain = shown.filter(|_| is_account && self.sessions_max > 1 && !errand);
        // An errand of a guest is known as the guest whose token it showed.
        let guest = shown.filter(|_| !is_account && errand);
        let origin = chain.or(guest).unwrap_or(logins);
        if !is_account {
            self.all_of(name).into_iter().for_each(|at| self.devices[at].origin = origin);
        }
        let device = &mut self.devices[at];
        (device.name, device.origin, device.login) = (Some(name.to_owned()), origin, logins);
        if let Some(owner) = replaced {
            self.replace(at, owner);
        }
        let device = &self.devices[at];
        if let Some(current) = &device.current {
            answer["room"] = json!(current);
        }
        if device.own && device.rooms.len() > 1 {
            let rooms: Vec<&String> = device.rooms.iter().rev().collect();
            answer["rooms"] = json!(rooms);
        }
        self.expect_yes(at, re, answer);
        if !errand && !was_here {
            self.tell_presence(name, "online");
        }
        if !errand && is_account {
            self.tell_letters(at);
        }
    }

    /// A session has the rooms and the place of another one, which is over.
    fn replace(&mut self, at: usize, owner: usize) {
        let old = &mut self.devices[owner];
        let (rooms, current, login) = (old.rooms.clone(), old.current.clone(), old.login);
        old.forget_login();
        old.closed = true;
        self.expect(owner, &json!({"ev": "bye", "reason": "taken_over", "back": false}));
        let device = &mut self.devices[at];
        (device.rooms, device.current, device.login) = (rooms, current, login);
    }

    /// A guest's name is taken over: unless it is by the guest, their errands end with them.
    fn end_other_guest(&mut self, name: &str, is_same: bool) {
        if is_same {
            return;
        }
        self.keys.retain(|(user, _), _| user != name);
        let mut errands = self.all_of(name);
        errands.retain(|&at| self.devices[at].errand);
        for errand in errands {
            self.expect(errand, &json!({"ev": "bye", "reason": "taken_over", "back": false}));
            self.devices[errand].forget_login();
            self.devices[errand].closed = true;
        }
    }

    /// A connection ends, one way or another.
    pub(crate) fn disconnect(&mut self, at: usize) {
        self.devices[at].closed = true;
        if self.rng.chance(500) {
            let re = self.ask(at, json!({"op": "exit"}));
            self.expect_yes(at, re, json!({"ok": "done"}));
            self.expect(at, &json!({"ev": "bye", "reason": "exit", "back": false}));
        } else {
            let conn = self.devices[at].conn;
            self.stage.feed(parlor::engine::Input::Ended { conn, reset: true });
            self.stage.closed.push(conn);
        }
        self.end_session(at);
        self.note("a connection ends");
        self.check();
    }

    /// The server goes, and another one begins with what was on the disk.
    pub(crate) fn restart(&mut self) {
        self.stage.restart();
        // Numbers of logins begin with the clock.
        self.stage.pass(1);
        self.devices.clear();
        let of_store = |user: &str| ACCOUNTS.contains(&user);
        self.keys.retain(|(user, _), said| of_store(user) && said.answer["ok"] == "kept");
        self.keys.values_mut().for_each(|said| said.before_restart = true);
        for name in GUESTS {
            self.blocks.retain(|(owner, _)| owner != name);
        }
        self.note("the server restarts");
    }

    /// A session is ended by its user: its token is good no more, or none of the user's.
    pub(crate) fn logout(&mut self, at: usize) {
        let Some(name) = self.devices[at].name.clone() else { return };
        let all = self.rng.chance(250);
        let mut request = json!({"op": "logout"});
        if all {
            request["all"] = json!(true);
        }
        let re = self.ask(at, request);
        self.expect_yes(at, re, json!({"ok": "logged_out"}));
        if all {
            self.void_all(&name);
            self.log_out_others(at, &name, "everywhere");
        } else {
            let origin = self.devices[at].origin;
            let whole = self.sessions_max == 1 && !self.devices[at].errand;
            self.void(&name, origin, whole);
        }
        self.end_session(at);
        self.note(if all { "logout of all" } else { "a logout" });
        self.check();
    }

    /// Another password: all tokens are void, and only the one who gave it stays.
    pub(crate) fn passwd(&mut self, at: usize) {
        let Some(name) = self.devices[at].name.clone() else { return };
        let Some(old) = self.passwords.get(&name).cloned() else { return };
        let new = format!("{old}1");
        let re = self.ask(at, json!({"op": "passwd", "password": old, "new": new}));
        self.expect_yes(at, re, json!({"ok": "password_changed"}));
        self.void_all(&name);
        self.log_out_others(at, &name, "password_changed");
        self.passwords.insert(name, new);
        self.note("another password");
        self.check();
    }

    fn log_out_others(&mut self, at: usize, name: &str, reason: &str) {
        for other in self.all_of(name).into_iter().filter(|&other| other != at) {
            self.expect(other, &json!({"ev": "logged_out", "reason": reason}));
            self.end_session(other);
        }
    }

    /// A session ends another one of its user.
    pub(crate) fn end_other(&mut self, at: usize) {
        let Some(name) = self.devices[at].name.clone() else { return };
        let of = self.all_of(&name);
        let other = *self.rng.pick(&of);
        // Nobody ends sessions of others.
        let strangers: Vec<u32> = self
            .devices
            .iter()
            .filter(|device| !device.is_of(&name))
            .map(|device| device.conn.generation)
            .collect();
        if !strangers.is_empty() {
            let session = *self.rng.pick(&strangers);
            let re = self.ask(at, json!({"op": "end_session", "session": session}));
            self.expect_no(at, re, "no_such_session");
            self.check();
        }
        // The list says by which number it is called, and shows it for its device.
        let re = self.ask(at, json!({"op": "sessions"}));
        self.stage.settle();
        let heard = self.devices[at].hear(&mut self.stage);
        let list = heard.iter().find(|message| message["re"] == json!(re)).expect("an answer");
        let lines = list["sessions"].as_array().expect("a list");
        assert_eq!(lines.len(), of.len(), "{list:?} for {of:?}");
        let is_named = |line: &&Value| line["device"] == json!(format!("device {other}"));
        let Some(line) = lines.iter().find(is_named) else { return };
        let is_this = line.get("this") == Some(&json!(true));
        assert_eq!(is_this, other == at, "{line}");
        if other == at {
            return;
        }
        let re = self.ask(at, json!({"op": "end_session", "session": line["session"]}));
        self.expect_yes(at, re, json!({"ok": "done"}));
        self.expect(other, &json!({"ev": "bye", "reason": "ended_elsewhere", "back": false}));
        let origin = self.devices[other].origin;
        self.void(&name, origin, false);
        self.end_session(other);
        self.devices[other].closed = true;
        self.note("a session is ended by another");
        self.check();
    }

    fn void(&mut self, name: &str, origin: u64, whole: bool) {
        if whole {
            return self.void_all(name);
        }
        for token in self.tokens.values_mut() {
            // A guest's is not void: without its session it says no more than no token.
            token.is_void |=
                token.name == name && token.origin == origin && ACCOUNTS.contains(&name);
        }
    }

    fn void_all(&mut self, name: &str) {
        for token in self.tokens.values_mut() {
            token.is_void |= token.name == name && ACCOUNTS.contains(&name);
        }
    }
}
