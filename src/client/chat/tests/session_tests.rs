//! Several sessions of one user: the list of them, and what is said in another one.

use super::again_tests::logged_in_to;
use super::*;
use crate::message::SessionLine;

fn sessions() -> Result<Reply, Refusal> {
    let session = |session, device: &str, this| SessionLine {
        session,
        device: device.to_owned(),
        since: 0,
        address: "this machine".to_owned(),
        errand: false,
        this,
    };
    Ok(Reply::Sessions { sessions: vec![session(0, "laptop", true), session(3, "", false)] })
}

#[test]
fn sessions_are_a_table_for_people_and_the_reply_for_programs() {
    let mut talk = logged_in_to(256, Start::of(Some("bob")));
    talk.line("/sessions");
    talk.answer(Op::Sessions, sessions());
    let table = [
        "* session            since             from          device",
        "*       0  this one  1970-01-01 00:00  this machine  laptop",
        "*       3            1970-01-01 00:00  this machine",
    ];
    assert_eq!(talk.shown(), table);

    let mut talk = logged_in_to(256, Start { json: true, ..Start::of(Some("bob")) });
    talk.line("/sessions");
    talk.answer(Op::Sessions, sessions());
    let shown = talk.shown();
    assert!(shown[0].starts_with(r#"{"ok":"sessions","sessions":[{"session":0,"#), "{shown:?}");
}

#[test]
fn a_session_that_is_ended_is_named_and_one_that_is_not_there_is_refused() {
    let mut talk = logged_in_to(256, Start::of(Some("bob")));
    talk.line("/end 3");
    assert_eq!(talk.last(), Op::EndSession);
    talk.answer(Op::EndSession, Ok(Reply::Done));
    talk.line("/end 4");
    talk.answer(Op::EndSession, Err(Refusal::NoSuchSession));
    let refused = "! you have no other session with that number";
    assert_eq!(talk.shown(), ["* session 3: ended", refused]);
    talk.line("/end");
    assert_eq!(talk.shown(), ["! not a request: write it as /end N"]);
}

#[test]
fn who_logs_out_everywhere_is_out_here_too() {
    let mut talk = logged_in_to(256, Start::of(Some("bob")));
    talk.line("/logout all");
    talk.answer(Op::Logout, Ok(Reply::LoggedOut));
    assert_eq!(talk.shown(), ["* you are logged out; /login NAME to come back"]);
    assert!(talk.chat.link.is_out() && talk.chat.link.me().is_none());
}

#[test]
fn own_words_of_another_session_are_marked_and_never_confirmed() {
    let mut talk = logged_in_to(256, Start::of(Some("bob")));
    let text = || Text::parse("psst".to_owned().into(), 64).unwrap();
    let from = user("bob");
    let room = RoomName::parse("lobby").unwrap();
    let own = |me| Event::Said { room, from, text: text(), me, at: 0, own: true };
    talk.event(&own(false));
    talk.event(&own(true));
    let (to, letter) = (Some(user("eve")), Some(LetterId(9)));
    talk.event(&Event::Whispered { from, text: text(), at: 0, letter, to, own: true });
    talk.event(&Event::Broadcast { from, text: text(), at: 0, own: true });
    let words = [
        "00:00:00 [lobby] you: psst",
        "00:00:00 [lobby] you: * bob psst",
        "00:00:00 you whispered to eve: psst",
        "00:00:00 you to everybody: psst",
    ];
    assert_eq!(talk.shown(), words);
    talk.chat.link.handle_shown();
    talk.event(&letter_of_eve());
    assert_eq!(talk.shown(), ["00:00:00 eve whispers: hi"], "its number is not taken");
    talk.chat.link.handle_shown();
    talk.take();
    assert_eq!(talk.wanted.last().unwrap(), "got 1");
}

fn letter_of_eve() -> Event {
    letter(1, "hi")
}
