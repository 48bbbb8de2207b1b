//! Several sessions of one account, each a `parlor chat`: the list, and one that another one ends.

use crate::PASSWORD;
use crate::support::{Chat, Server, Text};

/// A chat of somebody with an account, in the lobby.
fn chat(server: &Server, options: &[&str]) -> Chat {
    let options = [&["--user", "alice"], options].concat();
    let mut chat = Chat::start_with(server.addr(), &options, Some(PASSWORD));
    chat.lines.expect("welcome");
    chat
}

fn server() -> Server {
    let server = Server::start(&[]);
    let mut text = Text::connect(server.addr(), "alice");
    text.type_line(&format!("/register alice {PASSWORD}"));
    text.lines.expect("* welcome, ");
    text.type_line("/exit");
    text.lines.expect_end();
    server
}

/// The number of the session that asks, of a table.
fn this_one(chat: &mut Chat) -> String {
    chat.type_line("/sessions");
    let line = chat.lines.expect("this one");
    line.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn a_user_sees_their_sessions_and_ends_one() {
    let server = server();
    let (mut laptop, mut phone) = (chat(&server, &[]), chat(&server, &["--json"]));
    let number = this_one(&mut laptop);
    laptop.type_line("/ping");
    laptop.lines.expect("* pong");
    assert_eq!(laptop.lines.all("session  ").len(), 1);
    assert_eq!(laptop.lines.all("this machine").len(), 2, "two sessions, in two lines");
    phone.type_line("/sessions");
    let line = phone.lines.expect(r#""ok":"sessions""#);
    assert!(line.contains(&format!(r#"{{"session":{number},"#)), "{line}");
    assert!(line.contains(r#""this":true"#), "{line}");
    laptop.type_line(&format!("/end {number}"));
    laptop.lines.expect("! you have no other session with that number");
    phone.type_line(&format!("/end {number}"));
    phone.lines.expect(&format!("session {number}: ended"));
    assert_eq!(laptop.expect_exit(), Some(4));
}

#[test]
fn who_logs_out_everywhere_is_out_in_each_session() {
    let server = server();
    let (mut laptop, mut phone) = (chat(&server, &["--stay"]), chat(&server, &["--stay"]));
    phone.type_line("/logout all");
    phone.lines.expect("* you are logged out; /login NAME to come back");
    laptop.lines.expect("* you are logged out: ");
    laptop.type_line("/whoelse");
    laptop.lines.expect("! log in first");
}

#[test]
fn each_session_hears_what_is_whispered_and_marks_what_the_other_one_said() {
    let server = server();
    let (mut laptop, mut phone) = (chat(&server, &[]), chat(&server, &[]));
    let mut bob = Text::connect(server.addr(), "bob");
    bob.type_line("/login bob");
    bob.lines.expect("* welcome, ");
    for chat in [&mut laptop, &mut phone] {
        chat.type_line("/join lobby");
        chat.lines.expect("* you are in lobby");
    }
    for number in 0..5 {
        bob.type_line(&format!("/whisper alice number {number}"));
        bob.lines.expect("* sent to alice");
        laptop.lines.expect(&format!(" bob whispers: number {number}"));
        phone.lines.expect(&format!(" bob whispers: number {number}"));
    }
    for line in ["hello", "/me waves", "/whisper bob psst", "/leave", "/broadcast tea?"] {
        laptop.type_line(line);
    }
    for marked in [
        " [lobby] you: hello",
        " [lobby] you: * alice waves",
        " you whispered to bob: psst",
        " you to everybody: tea?",
    ] {
        phone.lines.expect(marked);
    }
    laptop.type_line("/ping");
    laptop.lines.expect("* pong");
    let own = |chat: &Chat| chat.lines.all(" you").len() - chat.lines.all("* you").len();
    assert_eq!((own(&laptop), own(&phone)), (0, 4), "not where it was said, and once");
    assert_eq!(phone.lines.all("bob whispers").len(), 5);
}

#[test]
fn a_session_that_is_killed_misses_nothing_and_gets_nothing_twice() {
    let server = server();
    let mut laptop = chat(&server, &[]);
    let mut bob = Text::connect(server.addr(), "bob");
    bob.type_line(&format!("/register bob {PASSWORD}"));
    bob.lines.expect("* welcome, ");
    bob.type_line("/whisper alice number 0");
    laptop.lines.expect("number 0");
    laptop.type_line("/ping");
    laptop.lines.expect("* pong");
    laptop.kill();
    for number in 1..4 {
        bob.type_line(&format!("/whisper alice number {number}"));
        bob.lines.expect_any(&["* sent to alice", "* alice is offline; kept"]);
    }
    let mut again = chat(&server, &[]);
    for number in 1..4 {
        again.lines.expect(&format!("bob whispers: number {number}"));
    }
    again.type_line("/ping");
    again.lines.expect("* pong");
    assert_eq!(
        again.lines.all("bob whispers").len(),
        3,
        "what was shown before is not shown again"
    );
}
