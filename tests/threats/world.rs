//! What the rows in virtual time say to a stage and hear from it: JSON messages, and the people who
//! are in most of them.

use crate::support::{Frames, frame};
use parlor::id::ConnId;
use parlor::job::StoreJob;
use parlor::message::UserName;
use serde_json::{Value, json};

pub(crate) use crate::stage::Stage as World;

impl World {
    pub(crate) fn ask_json(&mut self, conn: ConnId, message: &Value) -> Vec<Value> {
        Frames::all(&self.ask(conn, &frame(message)))
    }

    pub(crate) fn login(&mut self, name: &str) -> ConnId {
        let conn = self.open();
        let came = self.ask_json(conn, &json!({"op": "login", "user": name}));
        assert_eq!(came[1]["ok"], "welcome");
        conn
    }

    pub(crate) fn join(&mut self, conn: ConnId, room: &str) {
        let answer = self.answer(conn, json!({"op": "join", "room": room}));
        assert_eq!(answer["ok"], "joined", "{answer}");
    }

    /// Registers and is logged in.
    pub(crate) fn register(&mut self, name: &str) -> ConnId {
        let conn = self.open();
        self.register_on(conn, name);
        conn
    }

    pub(crate) fn register_on(&mut self, conn: ConnId, name: &str) {
        let register = json!({"id": 1, "op": "register", "user": name, "password": PASSWORD});
        let came = self.ask_json(conn, &register);
        assert!(came.iter().any(|came| came["ok"] == "welcome"), "{came:?}");
    }

    /// Asks something; what was answered, without what was heard beside it.
    pub(crate) fn answer(&mut self, conn: ConnId, mut message: Value) -> Value {
        message["id"] = json!(77);
        let came = self.ask_json(conn, &message);
        let answers: Vec<_> = came.iter().filter(|came| came["re"] == 77).collect();
        assert_eq!(answers.len(), 1, "{message}: {came:?}");
        answers[0].clone()
    }

    /// The code of the refusal that something is answered with, or the kind of the reply.
    pub(crate) fn code(&mut self, conn: ConnId, message: Value) -> String {
        code_of(&self.answer(conn, message))
    }

    /// All that somebody has heard and was not looked at.
    pub(crate) fn heard(&mut self, conn: ConnId) -> Vec<Value> {
        Frames::all(&self.came(conn))
    }

    /// Nobody has heard anything yet.
    pub(crate) fn forget_heard(&mut self) {
        self.came.iter_mut().for_each(Vec::clear);
    }

    /// An account is made as `parlor user add` does.
    pub(crate) fn add_account(&mut self, name: &str) {
        let hash = format!("hash of {PASSWORD}");
        let name = UserName::parse(name).unwrap();
        self.store.commit_elsewhere(&[StoreJob::Create { name, hash }]);
        self.read_directory();
    }

    /// An account is removed as `parlor user remove` does.
    pub(crate) fn remove_account(&mut self, name: &str) {
        assert!(self.store.remove_elsewhere(UserName::parse(name).unwrap()));
        self.read_directory();
    }

    /// All that the server knows, in words.
    pub(crate) fn state(&self) -> String {
        format!("{:?}", self.engine.hub())
    }
}

/// The password of everybody who registers here.
pub(crate) const PASSWORD: &str = "opensesame";

/// The code of a refusal, or the kind of a reply.
pub(crate) fn code_of(answer: &Value) -> String {
    let code = answer["error"]["code"].as_str().or(answer["ok"].as_str());
    code.unwrap_or_else(|| panic!("no answer: {answer}")).to_owned()
}

/// The milliseconds that a refusal tells to wait; its text tells the same in seconds.
pub(crate) fn wait_ms(answer: &Value) -> u64 {
    let wait_ms = answer["error"]["wait_ms"].as_u64().unwrap();
    let text = format!("try again in {} s", wait_ms.div_ceil(1_000));
    assert!(answer["error"]["text"].as_str().unwrap().contains(&text), "{answer}");
    wait_ms
}

/// A login with the password that everybody has.
pub(crate) fn login(name: &str) -> Value {
    json!({"op": "login", "user": name, "password": PASSWORD})
}

pub(crate) fn guest(name: &str) -> Value {
    json!({"op": "login", "user": name})
}

pub(crate) fn whisper(to: &str, text: &str) -> Value {
    json!({"op": "whisper", "user": to, "text": text})
}

pub(crate) fn resume(name: &str, token: &Value) -> Value {
    json!({"op": "login", "user": name, "token": token})
}

/// How many messages are of a kind.
pub(crate) fn count(heard: &[Value], kind: &str) -> usize {
    heard.iter().filter(|event| event["ev"] == kind).count()
}
