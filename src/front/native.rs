//! The native protocol: JSON messages and chunks in frames. `docs/protocol.md` is its contract.
//!
//! Both sides are here, so that what one writes stands beside what the other reads:
//! [`parse`]/[`emit_request`] for requests, [`emit_answer`], [`emit_event`]/[`parse_server`] for
//! what the server says.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Incoming, hint, json, plain};
use crate::id::{LetterId, TransferId};
use crate::message::{
    Announced, ClientTraits, CloseReason, Command, Digest, Event, FileRef, Op, Proof, Refusal,
    Reply, Secret, Text,
};
use crate::wire::frame::{self, Frame, FrameError};

/// Reads the first message of a client.
///
/// # Errors
/// The reason to close, when the frames cannot be followed any further.
pub fn parse(bytes: &[u8], max: usize) -> Result<Option<(Incoming<'_>, usize)>, CloseReason> {
    let Some((frame, taken)) = frame::parse(bytes, max).map_err(close_reason)? else {
        return Ok(None);
    };
    let incoming = match frame {
        Frame::Json(json) => parse_request(json),
        Frame::Chunk { transfer, bytes } => {
            Incoming::Chunk { transfer, bytes: Cow::Borrowed(bytes) }
        }
        Frame::Empty => Incoming::Empty,
    };
    Ok(Some((incoming, taken)))
}

fn close_reason(error: FrameError) -> CloseReason {
    match error {
        FrameError::TooLong { .. } => CloseReason::FrameTooLong,
        FrameError::UnknownKind(_) | FrameError::ShortChunk(_) => CloseReason::UnknownKind,
    }
}

/// A request as JSON has it. One flat shape for all ops: each takes the fields that it needs, and
/// fields that are not known are ignored. Text is borrowed from the frame unless it has escapes.
#[derive(Deserialize, Serialize, Default)]
struct Request<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    user: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    room: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    text: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    me: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transfer: Option<TransferId>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    password: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    new: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    token: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    within_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    letter: Option<LetterId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hash: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    again: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<TransferId>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pattern: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    device: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    errand: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    all: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<u32>,
}

fn parse_request(json: &[u8]) -> Incoming<'_> {
    match plain::parse(json) {
        Some((id, command)) => Incoming::Request { id: Some(id), command: Ok(command) },
        None => parse_any_request(json),
    }
}

fn parse_any_request(json: &[u8]) -> Incoming<'_> {
    // An array would fill the fields by their order, which is no part of the protocol.
    if json.trim_ascii_start().first() != Some(&b'{') {
        let refusal = Refusal::BadRequest("a message is a JSON object".to_owned());
        return Incoming::Request { id: None, command: Err(refusal) };
    }
    match serde_json::from_slice::<Request<'_>>(json) {
        Ok(request) => {
            let id = request.id;
            Incoming::Request { id, command: to_command(request) }
        }
        Err(error) => {
            // The rest of the message is wrong, but the sender should know which one it was.
            #[derive(Deserialize)]
            struct OnlyId {
                id: Option<u64>,
            }
            let id = serde_json::from_slice::<OnlyId>(json).ok().and_then(|only| only.id);
            let text: String = error.to_string().chars().take(200).collect();
            Incoming::Request { id, command: Err(Refusal::BadRequest(text)) }
        }
    }
}

fn to_command<'a>(request: Request<'a>) -> Result<Command<'a>, Refusal> {
    let Request { op, user, room, text, name, me, version, size, transfer, within_s, .. } = request;
    let Request { password, new, token, letter, .. } = request;
    let Request { hash, again, offset, after, pattern, key, .. } = request;
    let Request { device, own, errand, open, all, session, .. } = request;
    let some = |text: Cow<'a, str>| (!text.is_empty()).then_some(text);
    let transfer = || need(transfer, "transfer");
    let Some(op) = Op::from_name(&op) else {
        return Err(Refusal::UnknownOp(op.chars().take(32).collect()));
    };
    let once = |message| match key {
        Some(key) => Command::Once { key, message: Box::new(message) },
        None => message,
    };
    Ok(match op {
        Op::Hello => {
            let (own, errand) = (own == Some(true), errand == Some(true));
            let about = ClientTraits { device, own, errand };
            Command::Hello { version: need(version, "version")?, about }
        }
        Op::Login => Command::Login { user, proof: to_proof(password, token) },
        Op::Register => Command::Register { user, password: Secret(need(password, "password")?) },
        Op::Passwd => {
            let (old, new) = (need(password, "password")?, need(new, "new")?);
            Command::Passwd { old: Secret(old), new: Secret(new) }
        }
        Op::Logout => Command::Logout { all: all == Some(true) },
        Op::Sessions => Command::Sessions,
        Op::EndSession => Command::EndSession { session: need(session, "session")? },
        Op::Join => Command::Join { room, open: open == Some(true) },
        Op::Room => Command::Room { room },
        Op::Leave => Command::Leave { room: some(room) },
        Op::Say => once(Command::Say { text, me: me == Some(true), room: some(room) }),
        Op::Broadcast => once(Command::Broadcast { text }),
        Op::Whisper => once(Command::Whisper { user, text }),
        Op::Got => Command::Got { letter: need(letter, "letter")? },
        Op::Rooms => Command::Rooms,
        Op::Who => Command::Who { room: some(room) },
        Op::WhoElse => Command::WhoElse { within_s },
        Op::Block => Command::Block { user },
        Op::Unblock => Command::Unblock { user },
        Op::Blocked => Command::Blocked,
        Op::Queue => Command::Queue,
        Op::Help => Command::Help,
        Op::Ping => Command::Ping,
        Op::Exit => Command::Exit,
        Op::SendFile | Op::Upload => {
            let (size, again) = (need(size, "size")?, again == Some(true));
            let file = Announced { name, size, hash, again };
            match op == Op::Upload {
                true => Command::Upload { room: some(room), file },
                false => Command::SendFile { user: some(user), room: some(room), file },
            }
        }
        Op::Files => Command::Files { pattern, after },
        Op::Get => {
            let by_name = some(name).map(FileRef::Name);
            let file = by_name.map_or_else(|| transfer().map(FileRef::Number), Ok)?;
            Command::Get { file, offset: offset.unwrap_or(0) }
        }
        Op::Remove => Command::Remove { transfer: transfer()? },
        Op::Reject => Command::Reject { transfer: transfer()? },
        Op::Received => Command::Received { transfer: transfer()? },
        Op::Cancel => Command::Cancel { transfer: transfer()? },
        Op::Chunk => {
            return Err(Refusal::BadRequest("chunks travel in frames of kind 2".to_owned()));
        }
    })
}

fn need<T>(value: Option<T>, field: &str) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::BadRequest(format!("`{field}` is missing")))
}

/// A token says more than a password: it was given for one.
fn to_proof<'a>(password: Option<Cow<'a, str>>, token: Option<Cow<'a, str>>) -> Proof<'a> {
    match (token, password) {
        (Some(token), _) => Proof::Token(Secret(token)),
        (None, Some(password)) => Proof::Password(Secret(password)),
        (None, None) => Proof::None,
    }
}

/// Writes a request, for a client.
#[must_use]
pub fn emit_request(id: u64, command: &Command<'_>) -> Bytes {
    let mut request = Request { id: Some(id), ..Request::default() };
    fill(&mut request, command);
    emit(64 + request.text.len(), &request)
}

fn fill<'a>(request: &mut Request<'a>, command: &'a Command<'_>) {
    request.op = command.op().name().into();
    match command {
        Command::Hello { version, about } => {
            request.version = Some(*version);
            describe(request, about);
        }
        Command::Once { key, message } => {
            fill(request, message);
            request.key = Some((**key).into());
        }
        Command::Logout { all } => request.all = all.then_some(true),
        Command::EndSession { session } => request.session = Some(*session),
        Command::Login { user, proof } => {
            request.user = (**user).into();
            prove(request, proof);
        }
        Command::Register { user, password: Secret(password) } => {
            request.user = (**user).into();
            request.password = Some((**password).into());
        }
        Command::Passwd { old: Secret(old), new: Secret(new) } => {
            request.password = Some((**old).into());
            request.new = Some((**new).into());
        }
        Command::Join { room, open } => {
            request.room = (**room).into();
            request.open = open.then_some(true);
        }
        Command::Room { room } => request.room = (**room).into(),
        Command::Say { text, me, room } => {
            request.text = (**text).into();
            request.me = me.then_some(true);
            request.room = room.as_deref().unwrap_or_default().into();
        }
        Command::Whisper { user, text } => {
            request.user = (**user).into();
            request.text = (**text).into();
        }
        Command::Broadcast { text } => request.text = (**text).into(),
        Command::Got { letter } => request.letter = Some(*letter),
        Command::Leave { room } | Command::Who { room } => {
            request.room = room.as_deref().unwrap_or_default().into()
        }
        Command::WhoElse { within_s } => request.within_s = *within_s,
        Command::Block { user } | Command::Unblock { user } => request.user = (**user).into(),
        Command::SendFile { user, room, file } => {
            request.user = user.as_deref().unwrap_or_default().into();
            announce(request, room.as_deref(), file);
        }
        Command::Upload { room, file } => announce(request, room.as_deref(), file),
        Command::Files { pattern, after } => {
            request.pattern = pattern.as_deref().map(Into::into);
            request.after = *after;
        }
        Command::Get { file, offset } => {
            refer(request, file);
            request.offset = (*offset > 0).then_some(*offset);
        }
        Command::Reject { transfer }
        | Command::Received { transfer }
        | Command::Remove { transfer }
        | Command::Cancel { transfer } => request.transfer = Some(*transfer),
        Command::Sessions | Command::Rooms | Command::Blocked | Command::Queue => {}
        Command::Help | Command::Ping | Command::Exit => {}
    }
}

fn describe<'a>(request: &mut Request<'a>, about: &'a ClientTraits<'_>) {
    request.device = about.device.as_deref().map(Into::into);
    request.own = about.own.then_some(true);
    request.errand = about.errand.then_some(true);
}

fn prove<'a>(request: &mut Request<'a>, proof: &'a Proof<'_>) {
    match proof {
        Proof::None => {}
        Proof::Password(Secret(password)) => request.password = Some((**password).into()),
        Proof::Token(Secret(token)) => request.token = Some((**token).into()),
    }
}

fn refer<'a>(request: &mut Request<'a>, file: &'a FileRef<'_>) {
    match file {
        FileRef::Number(transfer) => request.transfer = Some(*transfer),
        FileRef::Name(name) => request.name = (**name).into(),
    }
}

fn announce<'a>(request: &mut Request<'a>, room: Option<&'a str>, file: &'a Announced<'_>) {
    request.room = room.unwrap_or_default().into();
    request.name = (*file.name).into();
    request.size = Some(file.size);
    request.hash = file.hash;
    request.again = file.again.then_some(true);
}

/// Writes the answer to the request `id`; an answer to what had no id has `"re":null`.
#[must_use]
pub fn emit_answer(id: Option<u64>, answer: &Result<Reply, Refusal>) -> Bytes {
    #[derive(Serialize)]
    struct Positive<'a> {
        re: Option<u64>,
        #[serde(flatten)]
        reply: &'a Reply,
    }
    #[derive(Serialize)]
    struct Negative {
        re: Option<u64>,
        error: Problem,
    }
    match answer {
        Ok(Reply::Heard { count, blocked: false }) => emit_heard(id, *count),
        Ok(reply) => emit(64, &Positive { re: id, reply }),
        Err(refusal) => emit(128, &Negative { re: id, error: refusal.into() }),
    }
}

/// Writes an event.
#[must_use]
pub fn emit_event(event: &Event) -> Bytes {
    match event {
        Event::Said { room, from, text, me, at, own: false } => {
            let head = [r#"{"ev":"said","room":""#, room.as_str(), r#"","from":""#, from.as_str()];
            emit_words(&head, text, *me, *at)
        }
        Event::Whispered { from, text, at, letter: None, to: None, own: false } => {
            emit_words(&[r#"{"ev":"whispered","from":""#, from.as_str()], text, false, *at)
        }
        Event::Bye { reason, .. } => emit_bye(event, *reason),
        event @ (Event::Hello { .. }
        | Event::Said { .. }
        | Event::Whispered { .. }
        | Event::Broadcast { .. }
        | Event::Online { .. }
        | Event::Offline { .. }
        | Event::LoggedOut { .. }
        | Event::Joined { .. }
        | Event::Left { .. }
        | Event::Queued { .. }
        | Event::Admitted { .. }
        | Event::Credit { .. }
        | Event::Offered { .. }
        | Event::Receipt { .. }
        | Event::Ended { .. }
        | Event::Ping) => emit(128, event),
    }
}

// What is written for every message, by hand: two to four times as fast as the general writer. That
// it is the same to the byte is kept by a test.

/// Something that a user said; `head` ends within the name of the speaker.
fn emit_words(head: &[&str], text: &Text, me: bool, at: u64) -> Bytes {
    frame::emit_json(128 + text.as_str().len(), |out| {
        head.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        out.extend_from_slice(br#"","text":"#);
        json::push_string(out, text.as_str());
        if me {
            out.extend_from_slice(br#","me":true"#);
        }
        out.extend_from_slice(br#","at":"#);
        json::push_number(out, at);
        out.push(b'}');
    })
}

fn emit_heard(id: Option<u64>, count: u32) -> Bytes {
    frame::emit_json(64, |out| {
        out.extend_from_slice(br#"{"re":"#);
        match id {
            Some(id) => json::push_number(out, id),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(br#","ok":"heard","count":"#);
        json::push_number(out, count.into());
        out.push(b'}');
    })
}

fn emit_bye(event: &Event, reason: CloseReason) -> Bytes {
    // Last words carry a text for people, so that the plainest client can show why.
    #[derive(Serialize)]
    struct Spoken<'a> {
        #[serde(flatten)]
        event: &'a Event,
        text: String,
    }
    emit(128, &Spoken { event, text: reason.to_string() })
}

fn emit(size_hint: usize, message: &impl Serialize) -> Bytes {
    frame::emit_json(size_hint, |out| {
        serde_json::to_writer(out, message).expect("our messages have string keys and no maps");
    })
}

/// A "no", as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The stable code.
    pub code: String,
    /// The text for people; from the network, so make it visible before showing it.
    pub text: String,
    /// In how many milliseconds to try again, where it is a matter of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let wait_ms = refusal.wait_ms();
        Self { code: refusal.code().into(), text: hint::sentence(refusal), wait_ms }
    }
}

/// What a server sent, as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromServer<'a> {
    /// The answer to a request.
    Answer {
        /// Which request.
        id: Option<u64>,
        /// Its outcome.
        answer: Result<Reply, Problem>,
    },
    /// An event.
    Event(Event),
    /// A part of a file.
    Chunk {
        /// Of which transfer.
        transfer: TransferId,
        /// The part.
        bytes: &'a [u8],
    },
    /// Something that this client does not know: of a newer server, to be ignored.
    Unknown,
}

/// Reads the first message of a server, for a client.
///
/// # Errors
/// [`FrameError`] when the frames cannot be followed any further.
pub fn parse_server(
    bytes: &[u8],
    max: usize,
) -> Result<Option<(FromServer<'_>, usize)>, FrameError> {
    let Some((frame, taken)) = frame::parse(bytes, max)? else {
        return Ok(None);
    };
    let message = match frame {
        Frame::Json(json) => parse_server_json(json),
        Frame::Chunk { transfer, bytes } => FromServer::Chunk { transfer, bytes },
        Frame::Empty => FromServer::Unknown,
    };
    Ok(Some((message, taken)))
}

fn parse_server_json(json: &[u8]) -> FromServer<'static> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(default)]
        re: Option<u64>,
        error: Option<Problem>,
        ev: Option<serde::de::IgnoredAny>,
    }
    let Ok(Envelope { re: id, error, ev }) = serde_json::from_slice(json) else {
        return FromServer::Unknown;
    };
    if ev.is_some() {
        return serde_json::from_slice(json).map_or(FromServer::Unknown, FromServer::Event);
    }
    if let Some(problem) = error {
        return FromServer::Answer { id, answer: Err(problem) };
    }
    // An answer that this client cannot read is still the answer: its request is over.
    let reply = serde_json::from_slice(json).unwrap_or(Reply::Done);
    FromServer::Answer { id, answer: Ok(reply) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{RoomName, UserName};

    fn secret(text: &str) -> Secret<'_> {
        Secret(text.into())
    }

    fn request(json: &str) -> (Option<u64>, Result<Command<'static>, Refusal>) {
        match parse_request(Box::leak(json.to_owned().into_boxed_str()).as_bytes()) {
            Incoming::Request { id, command } => (id, command),
            other => panic!("not a request: {other:?}"),
        }
    }

    #[test]
    fn every_command_is_parsed_as_it_was_emitted() {
        let transfer = TransferId(7);
        let file = |hash| Announced { name: "a b.pdf".into(), size: 1 << 40, hash, again: false };
        let commands = [
            Command::Hello { version: 1, about: ClientTraits::default() },
            Command::Hello {
                version: 1,
                about: ClientTraits { device: Some("phone".into()), own: true, errand: true },
            },
            Command::Login { user: "alice".into(), proof: Proof::None },
            Command::Login { user: "a".into(), proof: Proof::Password(secret("pass word")) },
            Command::Login { user: "a".into(), proof: Proof::Token(secret("t")) },
            Command::Register { user: "a".into(), password: secret("\"") },
            Command::Passwd { old: secret("o"), new: secret("n") },
            Command::Logout { all: false },
            Command::Logout { all: true },
            Command::Sessions,
            Command::EndSession { session: 7 },
            Command::Broadcast { text: "hi".into() },
            Command::Got { letter: LetterId(9) },
            Command::WhoElse { within_s: None },
            Command::WhoElse { within_s: Some(60) },
            Command::Block { user: "bob".into() },
            Command::Unblock { user: "bob".into() },
            Command::Blocked,
            Command::join("lobby"),
            Command::Join { room: "lobby".into(), open: true },
            Command::Room { room: "lobby".into() },
            Command::Leave { room: None },
            Command::Leave { room: Some("lobby".into()) },
            Command::say("hi \"you\"\n\u{1f600}"),
            Command::Say { text: "waves".into(), me: true, room: Some("lobby".into()) },
            Command::Once { key: "k".into(), message: Box::new(Command::say("hi")) },
            Command::Whisper { user: "bob".into(), text: "psst".into() },
            Command::Rooms,
            Command::Who { room: None },
            Command::Who { room: Some("lobby".into()) },
            Command::Queue,
            Command::Help,
            Command::Ping,
            Command::Exit,
            Command::SendFile { user: Some("bob".into()), room: None, file: file(None) },
            Command::SendFile { user: None, room: None, file: file(Some(Digest([7; 32]))) },
            Command::SendFile { user: None, room: Some("lobby".into()), file: file(None) },
            Command::Upload { room: None, file: Announced { again: true, ..file(None) } },
            Command::Upload { room: Some("lobby".into()), file: file(None) },
            Command::Files { pattern: None, after: None },
            Command::Files { pattern: Some("*.pdf".into()), after: Some(transfer) },
            Command::Get { file: FileRef::Number(transfer), offset: 0 },
            Command::Get { file: FileRef::Number(transfer), offset: 1 << 40 },
            Command::Get { file: FileRef::Name("a b.pdf".into()), offset: 0 },
            Command::Remove { transfer },
            Command::Reject { transfer },
            Command::Received { transfer },
            Command::Cancel { transfer },
        ];
        for command in commands {
            let bytes = emit_request(9, &command);
            let (incoming, taken) = parse(&bytes, 4096).unwrap().unwrap();
            assert_eq!(taken, bytes.len());
            assert_eq!(incoming, Incoming::Request { id: Some(9), command: Ok(command) });
        }
    }

    #[test]
    fn what_is_no_request_is_refused_under_its_own_id() {
        for (json, id, code) in [
            (r#"{"id":7,"op":"dance"}"#, Some(7), "unknown_op"),
            (r#"{"id":7,"op":5}"#, Some(7), "bad_request"),
            (r#"{"id":7}"#, Some(7), "bad_request"),
            (r#"[7,"leave"]"#, None, "bad_request"),
            (r#"{"id":7,"op":"send_file","user":"b","name":"f"}"#, Some(7), "bad_request"),
            (r#"{"id":-1,"op":"leave"}"#, None, "bad_request"),
            (r#"{"id":7,"op":"leave""#, None, "bad_request"),
            ("[]", None, "bad_request"),
            ("", None, "bad_request"),
        ] {
            let (got, command) = request(json);
            assert_eq!((got, command.unwrap_err().code()), (id, code), "{json}");
        }
    }

    #[test]
    fn a_request_in_its_usual_shape_or_nearly_is_what_the_general_parser_says() {
        let usual = [
            r#"{"id":7,"op":"say","text":"hi"}"#,
            "{\"id\":18446744073709551615,\"op\":\"whisper\",\"user\":\"bob\",\"text\":\"\u{e9}\"}",
        ];
        for usual in usual {
            assert!(plain::parse(usual.as_bytes()).is_some(), "{usual}");
            for at in 0..=usual.len() {
                let (before, after) = usual.as_bytes().split_at(at);
                let rest = after.get(1..).unwrap_or_default();
                for piece in
                    ["", "0", "9", " ", "\"", "\\", "\\n", "\n", "}", ",", "x", "-", "\u{7f}"]
                {
                    for after in [after, rest] {
                        let json = [before, piece.as_bytes(), after].concat();
                        let shown = String::from_utf8_lossy(&json).into_owned();
                        assert_eq!(parse_request(&json), parse_any_request(&json), "{shown}");
                    }
                }
            }
        }
    }

    #[test]
    fn fields_that_are_not_known_are_ignored() {
        let (_, command) = request(r#"{"op":"leave","since":{"a":[1,2,{"b":null}]}}"#);
        assert_eq!(command, Ok(Command::Leave { room: None }));
    }

    #[test]
    fn what_is_written_by_hand_is_what_the_general_writer_writes() {
        let (room, from) = (RoomName::parse("Lobby1").unwrap(), UserName::parse("Alice").unwrap());
        let long = format!("{}\"", "x".repeat(200));
        for words in ["hi", "\"", "a\\b", "tab\there", "line\nfeed", "é\u{1f600}", &long] {
            let text = || serde_json::from_value::<Text>(words.into()).unwrap();
            let whispered =
                |text, at| Event::Whispered { from, text, at, letter: None, to: None, own: false };
            for (me, at) in [(false, 0), (true, u64::MAX), (false, 1_748_700_162_000)] {
                for event in [
                    Event::Said { room, from, text: text(), me, at, own: false },
                    whispered(text(), at),
                ] {
                    assert_eq!(emit_event(&event), emit(0, &event), "{event:?}");
                }
            }
        }
        for (id, shown) in
            [(None, "null"), (Some(0), "0"), (Some(u64::MAX), "18446744073709551615")]
        {
            let bytes = emit_answer(id, &Ok(Reply::heard(9)));
            let expected = format!(r#"{{"re":{shown},"ok":"heard","count":9}}"#);
            assert_eq!(std::str::from_utf8(&bytes[5..]).unwrap(), expected);
        }
    }

    #[test]
    fn what_the_server_says_is_read_as_it_was_written() {
        let name = |text| UserName::parse(text).unwrap();
        let said = Event::Said {
            room: RoomName::parse("lobby").unwrap(),
            from: name("alice"),
            text: Text::parse("hi\tthere".into(), 64).unwrap(),
            me: false,
            at: 5,
            own: false,
        };
        let bytes = emit_event(&said);
        assert_eq!(
            std::str::from_utf8(&bytes[5..]).unwrap(),
            r#"{"ev":"said","room":"lobby","from":"alice","text":"hi\tthere","at":5}"#
        );
        assert_eq!(parse_server(&bytes, 4096), Ok(Some((FromServer::Event(said), bytes.len()))));

        let bye = Event::Bye { reason: CloseReason::TooSlow, back: true, missed: 3 };
        let bytes = emit_event(&bye);
        assert!(bytes.ends_with(br#","missed":3,"text":"reading too slowly"}"#));
        assert_eq!(parse_server(&bytes, 4096), Ok(Some((FromServer::Event(bye), bytes.len()))));

        let reply = Reply::welcome(name("alice"));
        let bytes = emit_answer(Some(4), &Ok(reply.clone()));
        assert_eq!(&bytes[5..], br#"{"re":4,"ok":"welcome","user":"alice","guest":true}"#);
        let read = FromServer::Answer { id: Some(4), answer: Ok(reply) };
        assert_eq!(parse_server(&bytes, 4096), Ok(Some((read, bytes.len()))));

        let bytes = emit_answer(None, &Err(Refusal::NotInRoom));
        assert!(bytes[5..].starts_with(br#"{"re":null,"error":{"code":"not_in_room","text":"#));
    }

    #[test]
    fn what_a_newer_server_says_is_ignored() {
        for json in [r#"{"ev":"confetti","n":3}"#, "[]", "\u{7f}"] {
            let bytes = frame::emit_json(0, |out| out.extend_from_slice(json.as_bytes()));
            let read = parse_server(&bytes, 4096);
            assert_eq!(read, Ok(Some((FromServer::Unknown, bytes.len()))), "{json}");
        }
    }
}
