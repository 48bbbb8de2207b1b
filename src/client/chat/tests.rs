//! Conversations with a server made of crafted bytes.

mod account_tests;
mod again_tests;

use super::*;
use crate::front::{Incoming, Protocol, native};
use crate::id::TransferId;
use crate::limits::Limits;
use crate::message::{Ending, FileName, Proof, Text, UserName};
use crate::wire::frame;
use std::fs;

const SEVEN: TransferId = TransferId(7);

/// A conversation and what the other side of it sees.
struct Talk {
    chat: Chat,
    dir: tempfile::TempDir,
    /// Requests as `(id, op)`, and how many bytes of chunks came between.
    asked: Vec<(u64, Op)>,
    said: Vec<String>,
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
            self.chat.fill();
            let Some((message, taken)) =
                Protocol::Native.parse(self.chat.outgoing(), 0, true).unwrap()
            else {
                return;
            };
            match message {
                Incoming::Request { id, command } => {
                    let command = command.unwrap();
                    if let Command::Say { text, .. } = &command {
                        self.said.push(text.to_string());
                    }
                    self.wanted.extend(in_words(&command));
                    self.asked.push((id.unwrap(), command.op()));
                }
                Incoming::Chunk { bytes, .. } => self.chunk_bytes += bytes.len(),
                Incoming::Empty | Incoming::Nothing => panic!("nothing was asked"),
            }
            self.chat.sent(taken);
        }
    }

    fn last(&self) -> Op {
        self.asked.last().unwrap().1
    }

    fn shown(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.chat.poll_line()).collect()
    }

    fn offer(&mut self, size: u64) {
        let name = FileName::parse("report.pdf").unwrap();
        self.event(&Event::Offered { transfer: SEVEN, from: user("alice"), name, size });
    }

    fn announce(&mut self, size: usize) {
        let path = self.dir.path().join("my file");
        fs::write(&path, vec![1; size]).unwrap();
        self.line(&format!("/sendfile {} alice", path.display()));
        self.answer(Op::SendFile, Ok(Reply::Announced { transfer: SEVEN, place: 3 }));
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
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
        Command::Join { room } => format!("join {room}"),
        Command::Got { letter } => format!("got {}", letter.0),
        _ => return None,
    })
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
    assert_eq!(talk.chat.outcome(), Outcome::Refused, "the join was refused");
    assert_eq!(talk.said, ["hi"]);
}

#[test]
fn a_conversation_without_a_refusal_went_well() {
    let mut talk = Talk::logged_in(false);
    talk.end();
    talk.answer(Op::Exit, Ok(Reply::Done));
    talk.chat.handle_end();
    assert_eq!((talk.chat.over(), talk.chat.outcome()), (Some(&Over::Left), Outcome::Fine));
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
    assert!(shown[0].starts_with("! unknown_op: unknown command `broadcats`"), "{shown:?}");
    assert_eq!(shown.len(), 5);
    talk.end();
    talk.event(&bye(CloseReason::Exit));
    assert_eq!(talk.chat.outcome(), Outcome::Refused);
}

#[test]
fn a_name_in_use_can_be_exchanged_on_the_same_connection() {
    let mut talk = Talk::begin(false);
    talk.answer(Op::Login, Err(Refusal::NameInUse(user("bob"))));
    let shown = talk.shown();
    assert!(shown[1].starts_with("! name_in_use: "), "{shown:?}");
    assert!(shown[2].contains("/login NAME"), "{shown:?}");
    talk.line(&"x".repeat(500));
    assert!(talk.shown()[0].starts_with("! login_first: "), "it would not fit a frame");
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
    let hello = chat.outgoing().len();
    chat.handle_line(" alice ");
    let login = std::str::from_utf8(&chat.outgoing()[hello + 5..]).unwrap();
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
    let why = "the server speaks version 7 of the protocol and this client speaks 1".to_owned();
    assert_eq!(talk.chat.over(), Some(&Over::Broken(why)));
    assert_eq!(talk.chat.outcome(), Outcome::Broken);
}

#[test]
fn a_server_that_does_not_tell_how_long_it_may_be_silent_is_given_90_s() {
    let mut talk = Talk::begin(false);
    talk.greet(PROTOCOL_VERSION, Greeting::default());
    assert_eq!(talk.chat.silence_max(), Duration::from_secs(90));
    talk.greet(PROTOCOL_VERSION, Greeting { dead_after_ms: 4000, ..Greeting::default() });
    assert_eq!(talk.chat.silence_max(), Duration::from_secs(4));
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
    talk.event(&Event::Said { room, from: user("eve"), text, me: false, at: 3_661_000 });
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
    assert_eq!(talk.shown(), ["! a\\nb: \\x1b[2J\\n* ok"]);
}

#[test]
fn every_goodbye_of_the_server_is_told_apart_from_a_broken_connection() {
    let mut talk = Talk::logged_in(false);
    talk.event(&bye(CloseReason::Shutdown));
    assert_eq!(talk.chat.outcome(), Outcome::Goodbye);
    assert_eq!(talk.shown(), ["* bye: the server shuts down; you may come back"]);

    let mut talk = Talk::logged_in(false);
    talk.chat.handle_end();
    assert_eq!(talk.chat.outcome(), Outcome::Broken);

    let mut talk = Talk::logged_in(false);
    talk.chat.handle_bytes(&[0, 0, 0, 5, 9]);
    assert_eq!(talk.chat.outcome(), Outcome::Broken);

    let mut chat = Chat::new(Start::of(Some("bob")));
    chat.handle_bytes(b"parlor: the server is full");
    chat.handle_end();
    let words = Some("parlor: the server is full".to_owned());
    assert_eq!(chat.over(), Some(&Over::Goodbye(words)));

    let mut chat = Chat::new(Start::of(Some("bob")));
    chat.handle_silence();
    assert_eq!(chat.outcome(), Outcome::Broken);
}

#[test]
fn an_upload_waits_then_goes_as_far_as_granted_and_is_waited_for() {
    let mut talk = Talk::logged_in(false);
    talk.announce(100_000);
    talk.end();
    assert_eq!(talk.chunk_bytes, 0);
    talk.event(&Event::Queued { transfer: SEVEN, place: 1, of: 7 });
    talk.event(&Event::Admitted { transfer: SEVEN, waited_ms: 300, credit: 70_000 });
    assert_eq!(talk.chunk_bytes, 70_000);
    talk.event(&Event::Credit { transfer: SEVEN, bytes: 50_000 });
    assert_eq!(talk.chunk_bytes, 100_000);
    assert_eq!(talk.last(), Op::SendFile, "no goodbye before the end");
    talk.event(&Event::Ended { transfer: SEVEN, how: Ending::Delivered });
    assert_eq!(talk.last(), Op::Exit);
    talk.event(&bye(CloseReason::Exit));
    assert_eq!(talk.chat.outcome(), Outcome::Fine);
    let expected = [
        "* transfer 7: waits at place 3",
        "* transfer 7: waits at place 1 of 7",
        "* transfer 7: go, waited 0.3 s, credit 70000 bytes",
        "* transfer 7: all 100000 bytes are sent",
        "* transfer 7: delivered",
        "* bye: goodbye",
    ];
    assert_eq!(talk.shown(), expected);
}

#[test]
fn an_upload_that_is_not_delivered_did_not_go_well() {
    for how in [Some(Ending::Rejected), None] {
        let mut talk = Talk::logged_in(false);
        talk.announce(10);
        match how {
            Some(how) => talk.event(&Event::Ended { transfer: SEVEN, how }),
            None => talk.line("/exit"),
        }
        talk.event(&bye(CloseReason::Exit));
        assert_eq!(talk.chat.outcome(), Outcome::Refused, "{how:?}");
    }
}

#[test]
fn talk_goes_before_the_next_part_of_a_file() {
    let mut talk = Talk::logged_in(false);
    talk.announce(1_000_000);
    let admitted = Event::Admitted { transfer: SEVEN, waited_ms: 0, credit: 1_000_000 };
    talk.chat.handle_bytes(&native::emit_event(&admitted));
    while talk.chat.fill() {}
    assert!(talk.chat.outgoing().len() <= 100_000, "{}", talk.chat.outgoing().len());
}

#[test]
fn what_cannot_be_sent_is_refused_here() {
    let mut talk = Talk::logged_in(false);
    talk.line(&format!("/sendfile {} alice", talk.dir.path().display()));
    talk.line("/sendfile /no/such/file alice");
    let shown = talk.shown();
    assert!(shown[0].starts_with("! cannot_read: ") && shown[0].contains("folder"), "{shown:?}");
    assert!(shown[1].starts_with("! cannot_read: /no/such/file: "), "{shown:?}");
    assert_eq!(talk.last(), Op::Login);
    assert_eq!(talk.chat.outcome(), Outcome::Refused);
}

#[test]
fn an_accepted_file_is_saved_and_confirmed_and_waited_for() {
    let mut talk = Talk::logged_in(true);
    talk.offer(5);
    assert_eq!(talk.last(), Op::Accept);
    talk.end();
    talk.answer(Op::Accept, Ok(Reply::Done));
    talk.chunk(b"he");
    assert_eq!(talk.last(), Op::Accept);
    talk.chunk(b"llo");
    assert_eq!(talk.last(), Op::Received);
    let path = talk.dir.path().join("report.pdf");
    assert_eq!(fs::read(&path).unwrap(), b"hello");
    talk.answer(Op::Received, Ok(Reply::Done));
    talk.event(&Event::Ended { transfer: SEVEN, how: Ending::Delivered });
    assert_eq!(talk.last(), Op::Exit);
    let shown = talk.shown();
    assert_eq!(shown[2], format!("* transfer 7: saved as {}", path.display()));
    assert_eq!(talk.chat.outcome(), Outcome::Fine);
}

#[test]
fn an_offer_is_only_shown_until_it_is_accepted() {
    let mut talk = Talk::logged_in(false);
    talk.offer(0);
    assert_eq!(talk.last(), Op::Login);
    assert!(talk.shown()[0].contains("alice sends you report.pdf (0 bytes); /accept 7"));
    talk.line("/accept 8");
    assert!(talk.shown()[0].starts_with("! no_such_transfer: "));
    talk.line("/accept 7");
    talk.answer(Op::Accept, Ok(Reply::Done));
    assert_eq!(talk.last(), Op::Received, "a file of no bytes is complete at once");
    assert_eq!(talk.files(), ["report.pdf"]);
}

#[test]
fn a_file_that_does_not_become_whole_leaves_no_trace() {
    for refused in [false, true] {
        let mut talk = Talk::logged_in(true);
        talk.offer(5);
        if refused {
            talk.answer(Op::Accept, Err(Refusal::NoSuchTransfer));
        } else {
            talk.chunk(b"he");
            talk.event(&Event::Ended { transfer: SEVEN, how: Ending::SenderGone });
        }
        assert!(talk.files().is_empty());
        assert_eq!(talk.chat.outcome(), Outcome::Refused);
    }
    let mut talk = Talk::logged_in(true);
    talk.offer(5);
    talk.chunk(b"too much");
    assert_eq!(talk.last(), Op::Reject);
    assert!(talk.files().is_empty());
}

/// `/accept` and what takes it back may come in one batch, before any answer.
#[test]
fn a_file_that_is_being_received_can_be_refused_and_cancelled() {
    for line in ["/reject 7", "/cancel 7"] {
        let mut talk = Talk::logged_in(false);
        talk.offer(5);
        talk.line("/accept 7");
        talk.line(line);
        assert_eq!(talk.last(), Op::Reject, "{line}");
        assert!(talk.files().is_empty(), "{line}: it is given up at once");
        talk.shown();
        talk.answer(Op::Accept, Ok(Reply::Done));
        talk.chunk(b"hello");
        talk.answer(Op::Reject, Ok(Reply::Done));
        talk.event(&Event::Ended { transfer: SEVEN, how: Ending::Rejected });
        let shown = talk.shown();
        assert_eq!(shown[..2], ["* transfer 7: accepted", "* transfer 7: refused"]);
        assert_eq!(talk.chat.outcome(), Outcome::Fine, "nobody else refused anything");
    }
}

#[test]
fn a_file_of_ones_own_is_withdrawn_and_the_line_says_which() {
    let mut talk = Talk::logged_in(false);
    talk.announce(10);
    talk.line("/cancel 7");
    assert_eq!(talk.last(), Op::Cancel);
    talk.shown();
    talk.answer(Op::Cancel, Ok(Reply::Done));
    assert_eq!(talk.shown(), ["* transfer 7: withdrawn"]);
}

#[test]
fn a_second_acceptance_is_refused_behind_the_answer_to_the_first() {
    let mut talk = Talk::logged_in(false);
    talk.offer(5);
    talk.line("/accept 7");
    talk.shown();
    talk.line("/accept 7");
    assert!(talk.shown().is_empty(), "not before the answer to the first");
    talk.asked.pop();
    talk.answer(Op::Accept, Ok(Reply::Done));
    talk.chunk(b"hello");
    assert_eq!(talk.files(), ["report.pdf"]);
}

/// The confirmation and the news that the sender is gone cross on their way.
#[test]
fn a_file_whose_sender_is_gone_before_the_confirmation_is_saved_all_the_same() {
    let mut talk = Talk::logged_in(true);
    talk.offer(5);
    talk.answer(Op::Accept, Ok(Reply::Done));
    talk.chunk(b"hello");
    talk.event(&Event::Ended { transfer: SEVEN, how: Ending::SenderGone });
    talk.shown();
    talk.answer(Op::Received, Err(Refusal::NoSuchTransfer));
    let path = talk.dir.path().join("report.pdf");
    let saved = format!("* transfer 7: saved as {}", path.display());
    assert_eq!(talk.shown(), [format!("{saved}, but the sender was gone before it could be told")]);
    assert_eq!(talk.chat.outcome(), Outcome::Fine);
    assert_eq!(fs::read(path).unwrap(), b"hello");
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
    assert!(talk.chat.outgoing().len() < UNSENT_MAX + 5000);
    talk.take();
    assert!(talk.chat.wants_lines());
    while talk.chat.wants_lines() {
        talk.line("/rooms");
    }
    assert!(talk.chat.session.pending() <= PENDING_MAX);
}

#[test]
fn a_goodbye_does_not_hide_that_answers_are_missing() {
    for (line, outcome) in [(None, Outcome::Fine), (Some("hello?"), Outcome::Broken)] {
        let mut talk = Talk::logged_in(false);
        if let Some(line) = line {
            talk.line(line);
        }
        talk.line("/exit");
        talk.chat.handle_end();
        assert_eq!(talk.chat.outcome(), outcome, "{line:?}");
    }
}
