//! `docs/protocol.md` is true: each of its examples runs against the real server, every word of the
//! protocol is in it, and its table of states is the one of the code.
//!
//! A block that begins with three backticks and `native-session` or `text-session` is an example;
//! the document itself explains the notation. Each example has a server of its own.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use parlor::message::Op;
use serde_json::Value;
use server::{ANYWHERE, Running};

#[path = "support/server.rs"]
mod server;

const DOCUMENT: &str = include_str!("../docs/protocol.md");
/// How long the server may take for what is expected next.
const DEADLINE: Duration = Duration::from_secs(10);

#[test]
fn every_example_of_the_document_is_what_the_server_does() {
    let examples = examples();
    assert!(examples.len() > 55, "only {} examples were found", examples.len());
    let failures: Vec<String> = examples.iter().filter_map(|e| run(e).err()).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
}

#[test]
fn every_request_event_and_answer_has_an_example() {
    let examples: String = examples().iter().map(Example::text).collect();
    let events = variants(include_str!("../src/message/event.rs"), "Event");
    let replies = variants(include_str!("../src/message/reply.rs"), "Reply");
    assert!(events.len() >= 16 && replies.len() >= 16, "{events:?} {replies:?}");
    let ops = Op::ALL.iter().map(|op| format!("\"op\":\"{}\"", op.name()));
    let events = events.iter().map(|event| format!("\"ev\":\"{event}\""));
    let replies = replies.iter().map(|reply| format!("\"ok\":\"{reply}\""));
    for word in ops.chain(events).chain(replies) {
        assert!(examples.contains(&word), "no example has {word}");
    }
}

#[test]
fn every_code_ending_and_reason_is_in_a_table() {
    let event = include_str!("../src/message/event.rs");
    let mut words = refusal_codes();
    assert!(words.len() >= 39, "{words:?}");
    words.extend(variants(event, "Ending"));
    words.extend(variants(event, "CloseReason"));
    words.extend(variants(event, "LogoutReason"));
    for word in words {
        assert!(DOCUMENT.contains(&format!("| `{word}` |")), "no row of a table is for `{word}`");
    }
}

#[test]
fn the_table_of_states_is_the_one_of_the_code() {
    let (_, rest) = DOCUMENT.split_once("<!-- states -->\n").expect("the table has a beginning");
    let (table, _) = rest.split_once("<!-- end of states -->").expect("the table has an end");
    let made = parlor::hub::table();
    assert!(table == made, "the code says that the table is\n{made}");
}

#[test]
fn every_slash_command_has_an_example() {
    let examples: String =
        examples().iter().filter(|e| e.protocol == Protocol::Text).map(Example::text).collect();
    let sent = |line: &str| line.split_once("> /").map(|(_, command)| command.to_owned());
    let sent: Vec<String> = examples.lines().filter_map(sent).collect();
    for usage in parlor::front::slash::COMMANDS {
        let word = usage.words[0];
        let typed = sent.iter().any(|command| command.split(' ').next() == Some(word));
        assert!(typed, "no example has /{word}");
    }
}

#[test]
fn a_placeholder_stands_for_something_and_the_rest_must_be_equal() {
    assert!(fits("parlor <version>", "parlor 0.1.0"));
    assert!(fits("a <x> b <y>.", "a 1 b 2."));
    assert!(!fits("parlor <version>", "parlor "));
    assert!(!fits("a <x> b", "a 1 c"));
    assert!(!fits("same", "other"));
    let json = |text: &str| serde_json::from_str::<Value>(&quoted(text)).unwrap();
    assert!(equals(&json(r#"{"at":<ms>}"#), &json(r#"{"at":5}"#)));
    assert!(!equals(&json(r#"{"at":<ms>}"#), &json(r#"{"at":"5"}"#)));
    assert!(!equals(&json(r#"{"at":<ms>}"#), &json(r#"{"at":5,"new":1}"#)));
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Native,
    Text,
}

/// What has happened before the first line of an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    LoggedIn,
    InRoom,
    /// Logged in with accounts.
    Registered,
}

struct Example {
    protocol: Protocol,
    before: Before,
    options: Vec<String>,
    /// With their numbers in the document.
    lines: Vec<(usize, String)>,
}

impl Example {
    fn text(&self) -> String {
        self.lines.iter().map(|(_, line)| format!("{line}\n")).collect()
    }
}

fn examples() -> Vec<Example> {
    let mut examples = Vec::new();
    let mut open: Option<Example> = None;
    for (index, line) in DOCUMENT.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => examples.extend(open.take()),
            (Some(example), None) => example.lines.push((index + 1, line.to_owned())),
            (None, Some(info)) => open = begin(info),
            (None, None) => {}
        }
    }
    examples
}

fn begin(info: &str) -> Option<Example> {
    let mut words = info.split_whitespace().map(str::to_owned);
    let protocol = match words.next()?.as_str() {
        "native-session" => Protocol::Native,
        "text-session" => Protocol::Text,
        _ => return None,
    };
    let before = match words.next().as_deref() {
        None | Some("new") => Before::Nothing,
        Some("named") => Before::LoggedIn,
        Some("room") => Before::InRoom,
        Some("registered") => Before::Registered,
        Some(other) => panic!("no example begins as {other:?}"),
    };
    Some(Example { protocol, before, options: words.collect(), lines: Vec::new() })
}

fn run(example: &Example) -> Result<(), String> {
    let server = Server::start(&example.options);
    let clients = BTreeMap::new();
    let mut scene = Scene { protocol: example.protocol, server, clients, token: String::new() };
    scene.set_up(example.before).map_err(|error| {
        let line = example.lines.first().map_or(0, |(number, _)| *number);
        format!("before line {line} of docs/protocol.md: {error}")
    })?;
    for (number, line) in &example.lines {
        scene
            .step(line)
            .map_err(|error| format!("line {number} of docs/protocol.md: {line}\n{error}"))?;
    }
    let last = example.lines.last().map_or(0, |(number, _)| *number);
    scene.nothing_is_left().map_err(|error| format!("after line {last}: {error}"))
}

/// A server and those who talk to it.
struct Scene {
    protocol: Protocol,
    server: Server,
    clients: BTreeMap<String, Client>,
    /// The token that was told last.
    token: String,
}

impl Scene {
    fn set_up(&mut self, before: Before) -> Result<(), String> {
        let lines: &[&str] = match (self.protocol, before) {
            (_, Before::Nothing) => &[],
            (Protocol::Native, Before::LoggedIn) => &NATIVE_LOGIN,
            (Protocol::Native, Before::InRoom) => &[&NATIVE_LOGIN[..], &NATIVE_ROOM].concat(),
            (Protocol::Native, Before::Registered) => &NATIVE_REGISTER,
            (Protocol::Text, Before::LoggedIn) => &TEXT_LOGIN,
            (Protocol::Text, Before::InRoom) => &[&TEXT_LOGIN[..], &TEXT_ROOM].concat(),
            (Protocol::Text, Before::Registered) => return Err("not written yet".to_owned()),
        };
        lines.iter().try_for_each(|line| self.step(line).map_err(|e| format!("{line}\n{e}")))
    }

    fn step(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line == "server: SIGTERM" {
            self.server.terminate();
            return Ok(());
        }
        let (name, rest) = line.split_at(line.find(['>', '<']).ok_or("no line of an example")?);
        let (direction, text) = rest.split_at(1);
        let text = text.strip_prefix(' ').unwrap_or(text);
        if direction == ">" {
            let text = text.replace("<token>", &self.token);
            let protocol = self.protocol;
            self.client(name, &text).send(protocol, &text)
        } else {
            let client = self.clients.get_mut(name).ok_or("nobody of that name is connected")?;
            client.expect(self.protocol, text)?;
            if let Some(token) = client.token.take() {
                self.token = token;
            }
            Ok(())
        }
    }

    /// Whoever has that name; connected anew, if a connection is over and more than its end is
    /// to be sent.
    fn client(&mut self, name: &str, text: &str) -> &mut Client {
        let sends = !matches!(text, "(ends)" | "(is gone)");
        if sends && self.clients.get(name).is_some_and(|client| client.over) {
            self.clients.remove(name);
        }
        let address = &self.server.address;
        self.clients.entry(name.to_owned()).or_insert_with(|| Client::connect(address))
    }

    /// Whoever is connected still is, and was told nothing that the example does not show.
    fn nothing_is_left(&mut self) -> Result<(), String> {
        for (name, client) in self.clients.iter_mut().filter(|(_, client)| !client.over) {
            let error = |error: String| format!("{name} has read too little: {error}");
            if client.untouched {
                continue;
            }
            match self.protocol {
                Protocol::Native => {
                    client.send(self.protocol, r#"{"id":4711,"op":"ping"}"#)?;
                    client.expect(self.protocol, r#"{"re":4711,"ok":"pong"}"#).map_err(error)?;
                }
                Protocol::Text => {
                    client.send(self.protocol, "/ping")?;
                    client.expect(self.protocol, "* pong").map_err(error)?;
                }
            }
        }
        Ok(())
    }
}

const NATIVE_LOGIN: [&str; 6] = [
    r#"a> {"op":"login","user":"alice"}"#,
    r#"a< {"ev":"hello","protocol":1,"server":"<server>","limits":<object>}"#,
    r#"a< {"re":null,"ok":"welcome","user":"alice","guest":true,"token":"<token>"}"#,
    r#"b> {"op":"login","user":"bob"}"#,
    r#"b< {"ev":"hello","protocol":1,"server":"<server>","limits":<object>}"#,
    r#"b< {"re":null,"ok":"welcome","user":"bob","guest":true,"token":"<token>"}"#,
];
const NATIVE_REGISTER: [&str; 6] = [
    r#"a> {"op":"register","user":"alice","password":"sesame one"}"#,
    r#"a< {"ev":"hello","protocol":1,"server":"<server>","limits":<object>}"#,
    r#"a< {"re":null,"ok":"welcome","user":"alice","token":"<token>"}"#,
    r#"b> {"op":"register","user":"bob","password":"sesame two"}"#,
    r#"b< {"ev":"hello","protocol":1,"server":"<server>","limits":<object>}"#,
    r#"b< {"re":null,"ok":"welcome","user":"bob","token":"<token>"}"#,
];
const NATIVE_ROOM: [&str; 5] = [
    r#"a> {"op":"join","room":"lobby"}"#,
    r#"a< {"re":null,"ok":"joined","room":"lobby","users":["alice"],"total":1}"#,
    r#"b> {"op":"join","room":"lobby"}"#,
    r#"b< {"re":null,"ok":"joined","room":"lobby","users":["alice","bob"],"total":2}"#,
    r#"a< {"ev":"joined","room":"lobby","user":"bob","at":<ms>}"#,
];
const TEXT_LOGIN: [&str; 6] = [
    "a> /login alice",
    "a< * <server>: /login NAME to begin, /help for help",
    "a< * welcome, alice",
    "b> /login bob",
    "b< * <server>: /login NAME to begin, /help for help",
    "b< * welcome, bob",
];
const TEXT_ROOM: [&str; 5] = [
    "a> /join lobby",
    "a< * you are in lobby: alice",
    "b> /join lobby",
    "b< * you are in lobby: alice, bob",
    "a< [lobby] bob joined",
];

struct Client {
    stream: BufReader<TcpStream>,
    /// Nothing was sent on it, so it speaks no protocol yet.
    untouched: bool,
    /// One of the two sides has ended it.
    over: bool,
    /// A token that it was told.
    token: Option<String>,
}

impl Client {
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), untouched: true, over: false, token: None }
    }

    fn send(&mut self, protocol: Protocol, text: &str) -> Result<(), String> {
        match text {
            "(connects)" => return Ok(()),
            "(ends)" => {
                self.over = true;
                return self.end(Shutdown::Write);
            }
            "(is gone)" => {
                self.over = true;
                return self.end(Shutdown::Both);
            }
            _ => {}
        }
        self.untouched = false;
        let bytes = match protocol {
            Protocol::Native => frame_of(text)?,
            Protocol::Text => format!("{text}\n").into_bytes(),
        };
        self.stream.get_mut().write_all(&bytes).map_err(|error| error.to_string())
    }

    fn end(&mut self, how: Shutdown) -> Result<(), String> {
        self.stream.get_mut().shutdown(how).map_err(|error| error.to_string())
    }

    fn expect(&mut self, protocol: Protocol, text: &str) -> Result<(), String> {
        if text == "(ends)" {
            self.over = true;
            return match self.stream.fill_buf() {
                Ok([]) => Ok(()),
                Ok(bytes) => Err(format!("it says more: {}", String::from_utf8_lossy(bytes))),
                Err(error) => Err(format!("it does not end: {error}")),
            };
        }
        match protocol {
            // What is told before a protocol is known is a line for everybody.
            Protocol::Native if text.starts_with("parlor: ") => self.expect_line(text),
            Protocol::Native => self.expect_frame(text),
            Protocol::Text => self.expect_line(text),
        }
    }

    fn expect_line(&mut self, expected: &str) -> Result<(), String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).map_err(|error| format!("nothing came: {error}"))?;
        let text = line.strip_suffix("\r\n").ok_or_else(|| format!("came: {line:?}"))?;
        if fits(expected, text) { Ok(()) } else { Err(format!("came: {text}")) }
    }

    fn expect_frame(&mut self, expected: &str) -> Result<(), String> {
        let (kind, body) = loop {
            let (kind, body) = self.read_frame()?;
            // A question for a sign of life may come at any time.
            if body != br#"{"ev":"ping"}"# || expected.contains(r#""ev":"ping""#) {
                break (kind, body);
            }
        };
        if expected.starts_with("chunk ") {
            let whole = [&[kind][..], &body].concat();
            let frame = frame_of(expected)?;
            let shown = String::from_utf8_lossy(&body);
            return if frame[4..] == whole { Ok(()) } else { Err(format!("came: {shown}")) };
        }
        let shown = String::from_utf8_lossy(&body).into_owned();
        let wanted: Value =
            serde_json::from_str(&quoted(expected)).map_err(|e| format!("no JSON: {e}"))?;
        let got: Value = serde_json::from_slice(&body).map_err(|e| format!("{e}: {shown}"))?;
        self.token = got.get("token").and_then(Value::as_str).map(str::to_owned);
        let same = kind == 1 && equals(&wanted, &got);
        if same { Ok(()) } else { Err(format!("came: {shown}")) }
    }

    fn read_frame(&mut self) -> Result<(u8, Vec<u8>), String> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).map_err(|error| format!("nothing came: {error}"))?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if !(1..=65536).contains(&length) {
            return Err(format!("a frame of {length} bytes came"));
        }
        let mut body = vec![0; length - 1];
        self.stream.read_exact(&mut body).map_err(|error| format!("half a frame: {error}"))?;
        Ok((head[4], body))
    }
}

/// The bytes that a line of a native example stands for.
fn frame_of(text: &str) -> Result<Vec<u8>, String> {
    if let Some(hex) = text.strip_prefix("hex ") {
        let byte = |word| u8::from_str_radix(word, 16).map_err(|error| format!("{word}: {error}"));
        return hex.split_whitespace().map(byte).collect();
    }
    let body = if let Some(chunk) = text.strip_prefix("chunk ") {
        let (transfer, content) = chunk.split_once(' ').ok_or("chunk N CONTENT")?;
        let transfer: u32 = transfer.parse().map_err(|_| "chunk N CONTENT")?;
        [&[2][..], &transfer.to_be_bytes(), &content_of(content)?].concat()
    } else {
        [&[1][..], text.as_bytes()].concat()
    };
    let length = u32::try_from(body.len()).map_err(|error| error.to_string())?;
    Ok([&length.to_be_bytes()[..], &body].concat())
}

/// A text in quotes, or so many zero bytes: `(32768 bytes)`.
fn content_of(text: &str) -> Result<Vec<u8>, String> {
    if let Some(count) = text.strip_prefix('(').and_then(|text| text.strip_suffix(" bytes)")) {
        return Ok(vec![0; count.parse().map_err(|_| "how many bytes?")?]);
    }
    let text: String = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(text.into_bytes())
}

/// JSON with its bare placeholders made strings, marked so that they stand for values of any kind
/// but a string.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            '<' if !in_string => out.push_str("\"\\u0001"),
            '>' if !in_string => out.push('"'),
            c => out.push(c),
        }
        in_string ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    out
}

fn equals(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::String(text), actual) if text == "\u{1}object" => actual.is_object(),
        (Value::String(text), actual) if text.starts_with('\u{1}') => actual.is_u64(),
        (Value::String(text), Value::String(actual)) => fits(text, actual),
        (Value::Array(some), Value::Array(others)) => {
            some.len() == others.len() && some.iter().zip(others).all(|(a, b)| equals(a, b))
        }
        (Value::Object(some), Value::Object(others)) => {
            let same = |(key, value)| others.get(key).is_some_and(|other| equals(value, other));
            some.len() == others.len() && some.iter().all(same)
        }
        (expected, actual) => expected == actual,
    }
}

/// Whether a text is as expected; `<word>` in what is expected stands for at least one character.
fn fits(expected: &str, text: &str) -> bool {
    let Some((before, placeholder)) = expected.split_once('<') else { return expected == text };
    let Some((_, after)) = placeholder.split_once('>') else { return expected == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8());
    ends.into_iter().any(|end| fits(after, &rest[end..]))
}

/// The variants of an enum as the protocol writes them, read from its source.
fn variants(source: &str, name: &str) -> Vec<String> {
    let start = source.find(&format!("pub enum {name} {{")).expect("the enum is in this file");
    let body = source[start..].split("\n}").next().expect("there is always a first part");
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    names.map(|line| snake_case(line.split([' ', ',', '(']).next().unwrap_or(line))).collect()
}

fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn refusal_codes() -> Vec<String> {
    let source = include_str!("../src/message/refusal.rs");
    let (_, source) = source.split_once("fn code(").expect("refusals have codes");
    let codes = source.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next());
    codes.map(str::to_owned).collect()
}

/// The real server, with a folder of its own.
struct Server {
    running: Running,
    address: String,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(options: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = server::parlor();
        // Who comes and goes is told where an example asks for it.
        command.env("PARLOR_PRESENCE", "0");
        let (data, stderr) = (folder.path().join("data"), folder.path().join("stderr"));
        let running = Running::start(command, ANYWHERE, &data, options, Some(&stderr));
        Self { address: running.addr.to_string(), running, _folder: folder }
    }

    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.running.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
}
