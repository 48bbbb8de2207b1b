//! One device: a connection, what its client knows, and what it heard and nobody has looked at.

use parlor::id::ConnId;
use serde_json::{Value, json};

use crate::frames::{Frames, frame};
use crate::stage::Stage;

/// Fields whose values a model cannot know, or need not.
const UNKNOWN: [&str; 4] = ["at", "text", "missed", "wait_ms"];

#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) conn: ConnId,
    /// It hears what its user says elsewhere, and of several rooms.
    pub(crate) own: bool,
    pub(crate) errand: bool,
    /// Its client answers pings.
    pub(crate) lives: bool,
    pub(crate) closed: bool,
    pub(crate) name: Option<String>,
    /// The model's number of the session, kept by whatever replaces it.
    pub(crate) origin: u64,
    /// When it logged in, against other logins.
    pub(crate) login: u64,
    pub(crate) token: String,
    /// Where it is, the room entered last at the end.
    pub(crate) rooms: Vec<String>,
    pub(crate) current: Option<String>,
    /// The last letter that it was told.
    pub(crate) told: u64,
    /// The last one that was looked at for it; some are of people who are blocked.
    pub(crate) read: u64,
    requests: u64,
}

impl Device {
    pub(crate) fn new(conn: ConnId, own: bool, errand: bool) -> Self {
        Self {
            conn,
            own,
            errand,
            lives: true,
            closed: false,
            name: None,
            origin: 0,
            login: 0,
            token: String::new(),
            rooms: Vec::new(),
            current: None,
            told: 0,
            read: 0,
            requests: 0,
        }
    }

    pub(crate) fn is_of(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }

    pub(crate) fn is_in(&self, room: &str) -> bool {
        !self.errand && self.rooms.iter().any(|is| is == room)
    }

    /// Its login is over.
    pub(crate) fn forget_login(&mut self) {
        (self.name, self.current, self.told, self.read) = (None, None, 0, 0);
        self.rooms.clear();
    }

    /// Sends a request, and says under which number.
    pub(crate) fn ask(&mut self, stage: &mut Stage, mut request: Value) -> u64 {
        self.requests += 1;
        request["id"] = json!(self.requests);
        stage.put(self.conn, &frame(&request));
        self.requests
    }

    /// The messages that came since this was asked last.
    pub(crate) fn hear(&mut self, stage: &mut Stage) -> Vec<Value> {
        Frames::all(&stage.came(self.conn))
    }
}

/// What of a message a model can know: text of people counts, text of the server does not.
pub(crate) fn essence(message: &Value) -> String {
    if let Some(error) = message.get("error") {
        return format!("refused {} {}", message["re"], error["code"].as_str().unwrap());
    }
    let mut message = message.as_object().expect("an object").clone();
    let is_said = message.contains_key("from") && message.contains_key("ev");
    for field in UNKNOWN {
        if field != "text" || !is_said {
            message.remove(field);
        }
    }
    message.remove("token");
    Value::Object(message).to_string()
}
