//! Conversations with a server made of crafted bytes.

mod account_tests;
mod again_tests;
mod errand_tests;
mod file_tests;
mod golden_tests;
mod once_tests;
mod room_tests;
mod session_tests;

use super::*;
use crate::client::face::farewell;
use crate::front::{Front, Incoming, TRUSTED, native};
use crate::id::{LetterId, TransferId};
use crate::limits::Limits;
use crate::message::{
    Announced, CloseReason, Digest, Ending, FileLine, FileName, FileRef, Greeting,
    PROTOCOL_VERSION, RoomName, Secret, Target, Text, UserName,
};
use crate::wire::frame;
use std::fs;

const SEVEN: TransferId = TransferId(7);

/// What whoever moves the bytes tells the link, and that there is something to hear.
impl Chat {
    fn handle_bytes(&mut self, bytes: &[u8]) {
        self.link.handle_bytes(bytes);
        self.hear();
    }

    fn handle_end(&mut self) {
        self.link.handle_fault(Fault::Closed);
        self.hear();
    }

    fn handle_broken(&mut self, why: &str) {
        self.link.handle_fault(Fault::Broke(why.to_owned()));
        self.hear();
    }

    fn handle_silence(&mut self) {
        let silence = self.link.silence_max();
        self.link.handle_fault(Fault::Silent(silence));
        self.hear();
    }

    fn handle_time(&mut self, now: Duration) {
        self.link.handle_time(now);
        self.hear();
    }

    fn handle_connected(&mut self) {
        self.link.handle_connected();
        self.hear();
    }

    fn handle_unreachable(&mut self, why: &str) {
        self.link.handle_unreachable(why.to_owned());
        self.hear();
    }
}

/// A conversation and what the other side of it sees.
struct Talk {
    chat: Chat,
    dir: tempfile::TempDir,
    /// Requests as `(id, op)`, and how many bytes of chunks came between.
    asked: Vec<(u64, Op)>,
    said: Vec<String>,
    /// Under which keys.
    keys: Vec<String>,
    /// Logins, passwords, rooms and confirmations, in words.
    wanted: Vec<String>,
    chunk_bytes: usize,
}

impl Talk {
    /// Connected, with a login under way.
    fn begin(accepts_all: bool) -> Self {
        Self::begin_as(Start { accepts_all, ..Start::of(Some("bob")) })
    }

    /// Connected, and as far as it goes by itself.
    fn begin_as(start: Start) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let chat = Chat::new(Start { dir: dir.path().to_owned(), ..start });
        let mut talk = Self {
            chat,
            dir,
            asked: Vec::new(),
            said: Vec::new(),
            keys: Vec::new(),
            wanted: Vec::new(),
            chunk_bytes: 0,
        };
        let limits = Greeting::new(&Limits::default());
        let server = "parlor \x1b[2J".to_owned();
        talk.event(&Event::Hello { protocol: PROTOCOL_VERSION, server, limits });
        talk
    }

    /// Connected and logged in; what was shown until then is forgotten.
    fn logged_in(accepts_all: bool) -> Self {
        let mut talk = Self::begin(accepts_all);
        talk.answer(Op::Hello, Ok(Reply::Done));
        talk.answer(Op::Login, Ok(Reply::welcome(user("bob"))));
        talk.shown();
        talk
    }

    fn greet(&mut self, protocol: u32, limits: Greeting) {
        self.event(&Event::Hello { protocol, server: "parlor".to_owned(), limits });
    }

    fn event(&mut self, event: &Event) {
        self.chat.handle_bytes(&native::emit_event(event));
        self.take();
    }

    /// Answers the latest request of this op.
    fn answer(&mut self, op: Op, answer: Result<Reply, Refusal>) {
        let id = self.asked.iter().rev().find(|(_, asked)| *asked == op).unwrap().0;
        self.chat.handle_bytes(&native::emit_answer(Some(id), &answer));
        self.take();
    }

    fn line(&mut self, line: &str) {
        assert!(self.chat.wants_lines(), "{line}");
        self.chat.handle_line(line);
        self.take();
    }

    fn end(&mut self) {
        self.chat.handle_no_more_lines();
        self.take();
    }

    fn chunk(&mut self, bytes: &[u8]) {
        self.chat.handle_bytes(&frame::emit_chunk(SEVEN, bytes));
        self.take();
    }

    /// Reads what the conversation sends, as a server does.
    fn take(&mut self) {
        loop {
            while self.chat.fill() {}
            let Some((message, taken)) =
                Front::Native.read(self.chat.link.outgoing(), TRUSTED).unwrap()
            else {
                return;
            };
            match message {
                Incoming::Request { id, command } => {
                    let command = command.unwrap();
                    let command = match command {
                        Command::Once { key, message } => {
                            self.keys.push(key.into_owned());
                            *message
                        }
                        command => command,
                    };
                    if let Command::Say { text, .. } = &command {
                        self.said.push(text.to_string());
                    }
                    self.wanted.extend(in_words(&command));
                    self.asked.push((id.unwrap(), command.op()));
                }
                Incoming::Chunk { bytes, .. } => self.chunk_bytes += bytes.len(),
                Incoming::Empty | Incoming::Nothing | Incoming::Own(_) => {
                    panic!("nothing was asked")
                }
            }
            self.chat.link.sent(taken);
        }
    }

    fn last(&self) -> Op {
        self.asked.last().unwrap().1
    }

    fn shown(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.chat.poll_line()).collect()
    }

    /// What is said of its end beside the screen.
    fn farewell(&self) -> String {
        self.chat.over().and_then(farewell).unwrap()
    }

    /// Alice hands this over to bob, as number 7.
    fn offer(&mut self, content: &[u8]) {
        self.event(&Event::Offered { file: line(content) });
    }

    /// The server begins to send number 7.
    fn getting(&mut self, content: &[u8], offset: u64) {
        self.answer(Op::Get, Ok(Reply::Getting { file: line(content), offset }));
    }

    fn announce(&mut self, size: usize) {
        let path = self.dir.path().join("my file");
        fs::write(&path, vec![1; size]).unwrap();
        self.line(&format!("/sendfile {} alice", path.display()));
        self.answer(Op::SendFile, Ok(Reply::Announced { transfer: SEVEN, place: 3 }));
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

fn in_words(command: &Command<'_>) -> Option<String> {
    Some(match command {
        Command::Login { user, proof: Proof::None } => format!("login {user}"),
        Command::Login { user, proof: Proof::Password(Secret(password)) } => {
            format!("login {user} password {password}")
        }
        Command::Login { user, proof: Proof::Token(Secret(token)) } => {
            format!("login {user} token {token}")
        }
        Command::Register { user, password: Secret(password) } => {
            format!("register {user} {password}")
        }
        Command::Passwd { old: Secret(old), new: Secret(new) } => format!("passwd {old} {new}"),
        Command::Join { room, open: false } => format!("join {room}"),
        Command::Join { room, open: true } => format!("open {room}"),
        Command::Room { room } => format!("room {room}"),
        Command::Got { letter } => format!("got {}", letter.0),
        Command::SendFile { user, room, file } => {
            let to = user.as_deref().or(room.as_deref()).unwrap_or("*");
            announced(&format!("to {to}"), file)
        }
        Command::Upload { room: None, file } => announced("to shelf", file),
        Command::Upload { room: Some(room), file } => announced(&format!("to shelf {room}"), file),
        Command::Get { file: FileRef::Number(transfer), offset } => {
            format!("get {transfer} from {offset}")
        }
        Command::Files { pattern, after } => {
            format!("files {} after {after:?}", pattern.as_deref().unwrap_or("*"))
        }
        Command::Cancel { transfer } => format!("cancel {transfer}"),
        Command::Reject { transfer } => format!("reject {transfer}"),
        Command::Remove { transfer } => format!("remove {transfer}"),
        Command::Received { transfer } => format!("received {transfer}"),
        _ => return None,
    })
}

fn announced(to: &str, file: &Announced<'_>) -> String {
    let Announced { name, size, hash, again } = file;
    let again = if *again { " again" } else { "" };
    let hash = hash.unwrap().to_string();
    format!("send {name} {to}, {size} bytes, {}{again}", &hash[..8])
}

fn hash(content: &[u8]) -> Digest {
    Digest(*blake3::hash(content).as_bytes())
}

/// A message from eve that the server keeps.
fn letter(number: u64, text: &str) -> Event {
    let text = Text::parse(text.to_owned().into(), 64).unwrap();
    Event::Whispered {
        from: user("eve"),
        text,
        at: 0,
        letter: Some(LetterId(number)),
        to: None,
        own: false,
    }
}

/// Number 7: from alice to bob.
fn line(content: &[u8]) -> FileLine {
    FileLine {
        transfer: SEVEN,
        from: user("alice"),
        to: Target::User(user("bob")),
        name: FileName::parse("report.pdf").unwrap(),
        size: content.len() as u64,
        hash: hash(content),
        sha256: Digest([7; 32]),
        at: 0,
        until: 0,
    }
}

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn bye(reason: CloseReason) -> Event {
    Event::Bye { reason, back: reason.worth_coming_back(), missed: 0 }
}

#[test]
fn it_greets_and_logs_in_and_leaves_when_all_is_answered() {
    let mut talk = Talk::begin(false);
    assert_eq!(talk.asked, [(1, Op::Hello), (2, Op::Login)]);
    assert!(!talk.chat.wants_lines(), "lines wait for the login");
    assert_eq!(talk.shown(), ["* connected to parlor \\x1b[2J; /help for help"]);
    talk.answer(Op::Hello, Ok(Reply::Done));
    talk.answer(Op::Login, Ok(Reply::welcome(user("bob"))));
    talk.line("/join lobby");
    talk.line("hi");
    talk.end();
    assert_eq!(talk.last(), Op::Say, "it waits for the answers");
    talk.answer(Op::Join, Err(Refusal::NotInRoom));
    talk.answer(Op::Say, Ok(Reply::heard(2)));
    assert_eq!(talk.last(), Op::Exit);
    talk.event(&bye(CloseReason::Exit));
    assert_eq!(talk.chat.over(), Some(&Over::Left));
    assert_eq!(talk.chat.outcome(), ClientOutcome::Refused, "the join was refused");
    assert_eq!(talk.said, ["hi"]);
}

#[test]
fn a_conversation_without_a_refusal_went_well() {
    let mut talk = Talk::logged_in(false);
    talk.end();
    talk.answer(Op::Exit, Ok(Reply::Done));
    talk.chat.handle_end();
    assert_eq!((talk.chat.over(), talk.chat.outcome()), (Some(&Over::Left), ClientOutcome::Fine));
}

#[test]
fn a_mistyped_command_is_never_sent_and_counts_as_refused() {
    let mut talk = Talk::logged_in(false);
    let before = talk.asked.len();
    for line in ["/broadcats the secret", "/ join", "/chunk 7 YWJj", "/received 7", "a\x07b"] {
        talk.line(line);
    }
    assert_eq!(talk.asked.len(), before);
    let shown = talk.shown();
    assert!(shown[0].starts_with("! unknown command `broadcats`"), "{shown:?}");
    assert_eq!(shown.len(), 5);
    talk.end();
    talk.event(&bye(CloseReason::Exit));
    assert_eq!(talk.chat.outcome(), ClientOutcome::Refused);
}

#[test]
fn a_name_in_use_can_be_exchanged_on_the_same_connection() {
    let mut talk = Talk::begin(false);
    talk.answer(Op::Login, Err(Refusal::NameInUse(user("bob"))));
    let shown = talk.shown();
    assert!(shown[1].starts_with("! the name "), "{shown:?}");
    assert!(shown[2].contains("/login NAME"), "{shown:?}");
    talk.line(&"x".repeat(500));
    assert!(talk.shown()[0].starts_with("! log in first"), "it would not fit a frame");
    talk.line("/login rob");
    assert!(!talk.chat.wants_lines());
    talk.answer(Op::Login, Ok(Reply::welcome(user("rob"))));
    assert_eq!(talk.shown(), ["* welcome, rob"]);
    talk.line(&"x".repeat(500));
    assert_eq!(talk.last(), Op::Say);
}

#[test]
fn without_a_name_the_first_line_is_the_name() {
    let mut chat = Chat::new(Start::of(None));
    let (server, limits) = ("parlor".to_owned(), Greeting::new(&Limits::default()));
    let greeting = Event::Hello { protocol: PROTOCOL_VERSION, server, limits };
    chat.handle_bytes(&native::emit_event(&greeting));
    assert!(chat.poll_line().unwrap().contains("connected to parlor"));
    assert!(chat.poll_line().unwrap().contains("who are you"), "asked last, to be seen");
    let hello = chat.link.outgoing().len();
    chat.handle_line(" alice ");
    let login = std::str::from_utf8(&chat.link.outgoing()[hello + 5..]).unwrap();
    assert_eq!(login, r#"{"id":2,"op":"login","user":"alice"}"#);
}

#[test]
fn a_first_answer_that_is_refused_is_asked_for_again_and_never_said() {
    let mut talk = Talk::begin(false);
    talk.chat = Chat::new(Start::of(None));
    talk.asked.clear();
    talk.greet(PROTOCOL_VERSION, Greeting::new(&Limits::default()));
    talk.line("al ice");
    talk.answer(Op::Login, Err(Refusal::NameInUse(user("alice"))));
    assert!(talk.shown().last().unwrap().contains("who are you"), "asked again");
    talk.line("carol");
    assert_eq!((talk.last(), talk.said.len()), (Op::Login, 0));
    talk.answer(Op::Login, Ok(Reply::welcome(user("carol"))));
    talk.line("carol");
    assert_eq!(talk.said, ["carol"]);
}

#[test]
fn a_server_of_another_version_is_left_with_its_version_in_words() {
    let mut talk = Talk::begin(false);
    talk.greet(7, Greeting::default());
    assert_eq!(
        talk.farewell(),
        "the server speaks version 7 of the protocol and this client speaks 1"
    );
    assert_eq!(talk.chat.outcome(), ClientOutcome::Broken);
}

#[test]
fn a_server_that_does_not_tell_how_long_it_may_be_silent_is_given_90_s() {
    let mut talk = Talk::begin(false);
    talk.greet(PROTOCOL_VERSION, Greeting::default());
    assert_eq!(talk.chat.link.silence_max(), Duration::from_secs(90));
    talk.greet(PROTOCOL_VERSION, Greeting { dead_after_ms: 4000, ..Greeting::default() });
    assert_eq!(talk.chat.link.silence_max(), Duration::from_secs(4));
}

#[test]
fn that_somebody_heard_it_is_no_news_and_that_nobody_did_is() {
    let mut talk = Talk::logged_in(false);
    talk.line("hi");
    talk.answer(Op::Say, Ok(Reply::heard(3)));
    talk.line("/whisper alice hi");
    talk.answer(Op::Whisper, Ok(Reply::heard(1)));
    assert!(talk.shown().is_empty());
    talk.line("hi");
    talk.answer(Op::Say, Ok(Reply::heard(0)));
    assert_eq!(talk.shown(), ["* heard by nobody"]);
}

#[test]
fn what_others_say_stands_behind_its_time_and_is_visible() {
    let mut talk = Talk::logged_in(false);
    let room = RoomName::parse("lobby").unwrap();
    let text = Text::parse("hi\n! bye".into(), 64).unwrap();
    talk.event(&Event::Said {
        room,
        from: user("eve"),
        text,
        me: false,
        at: 3_661_000,
        own: false,
    });
    assert_eq!(talk.shown(), ["01:01:01 [lobby] eve: hi\\n! bye"]);
}

#[test]
fn a_refusal_of_a_hostile_server_is_visible() {
    let mut talk = Talk::logged_in(false);
    talk.line("/rooms");
    let id = talk.asked.last().unwrap().0;
    let json = format!(r#"{{"re":{id},"error":{{"code":"a\nb","text":"\u001b[2J\n* ok"}}}}"#);
    let bytes = frame::emit_json(0, |out| out.extend_from_slice(json.as_bytes()));
    talk.chat.handle_bytes(&bytes);
    assert_eq!(talk.shown(), ["! \\x1b[2J\\n* ok"]);
}

#[test]
fn every_goodbye_of_the_server_is_told_apart_from_a_broken_connection() {
    let mut talk = Talk::logged_in(false);
    talk.event(&bye(CloseReason::Shutdown));
    assert_eq!(talk.chat.outcome(), ClientOutcome::Goodbye);
    assert_eq!(talk.shown(), ["* bye: the server shuts down; you may come back"]);

    let mut talk = Talk::logged_in(false);
    talk.chat.handle_end();
    assert_eq!(talk.chat.outcome(), ClientOutcome::Broken);

    let mut talk = Talk::logged_in(false);
    talk.chat.handle_bytes(&[0, 0, 0, 5, 9]);
    assert_eq!(talk.chat.outcome(), ClientOutcome::Broken);

    let mut chat = Chat::new(Start::of(Some("bob")));
    chat.handle_bytes(b"parlor: the server is full");
    chat.handle_end();
    let words = Some("parlor: the server is full".to_owned());
    assert_eq!(chat.over(), Some(&Over::Goodbye(words)));

    let mut chat = Chat::new(Start::of(Some("bob")));
    chat.handle_silence();
    assert_eq!(chat.outcome(), ClientOutcome::Broken);
}

#[test]
fn talk_goes_before_the_next_part_of_a_file() {
    let mut talk = Talk::logged_in(false);
    talk.announce(1_000_000);
    let admitted = Event::Admitted { transfer: SEVEN, waited_ms: 0, credit: 1_000_000, offset: 0 };
    talk.chat.handle_bytes(&native::emit_event(&admitted));
    while talk.chat.fill() {}
    assert!(talk.chat.link.outgoing().len() <= 100_000, "{}", talk.chat.link.outgoing().len());
}

#[test]
fn what_cannot_be_sent_is_refused_here() {
    let mut talk = Talk::logged_in(false);
    talk.line(&format!("/sendfile {} alice", talk.dir.path().display()));
    talk.line("/sendfile /no/such/file alice");
    let shown = talk.shown();
    assert!(shown[0].starts_with("! ") && shown[0].contains("folder"), "{shown:?}");
    assert!(shown[1].starts_with("! /no/such/file: "), "{shown:?}");
    assert_eq!(talk.last(), Op::Login);
    assert_eq!(talk.chat.outcome(), ClientOutcome::Refused);
}

#[test]
fn no_line_is_taken_while_too_much_is_unsent_or_unanswered() {
    let mut talk = Talk::logged_in(false);
    let line = "x".repeat(4000);
    let mut lines = 0;
    while talk.chat.wants_lines() {
        talk.chat.handle_line(&line);
        lines += 1;
        assert!(lines < 1000);
    }
    assert!(talk.chat.link.outgoing().len() < 256 * 1024 + 5000);
    talk.take();
    assert!(talk.chat.wants_lines());
    while talk.chat.wants_lines() {
        talk.line("/rooms");
    }
    assert!(talk.chat.link.pending() <= 256);
}

#[test]
fn a_goodbye_does_not_hide_that_answers_are_missing() {
    for (line, outcome) in [(None, ClientOutcome::Fine), (Some("hello?"), ClientOutcome::Broken)] {
        let mut talk = Talk::logged_in(false);
        if let Some(line) = line {
            talk.line(line);
        }
        talk.line("/exit");
        talk.chat.handle_end();
        assert_eq!(talk.chat.outcome(), outcome, "{line:?}");
    }
}
