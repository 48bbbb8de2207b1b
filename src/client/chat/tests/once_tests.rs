//! Messages without an answer when the connection breaks, and what becomes of them.

use super::again_tests::{in_lobby, joined, logged_in_to, welcome};
use super::*;

/// In the lobby of a server that knows keys; one message is sent and not answered.
fn unanswered() -> Talk {
    say_one(in_lobby(logged_in_to(256, Start::of(Some("bob")))))
}

/// The same of a guest.
fn unanswered_guest() -> Talk {
    let start = Start { returns_for: Some(Duration::MAX), ..Start::of(Some("bob")) };
    let mut talk = Talk::begin_as(start);
    talk.answer(Op::Hello, Ok(Reply::Able { keys: 256, run: "r1".to_owned() }));
    talk.answer(Op::Login, welcome("", None));
    talk.shown();
    say_one(in_lobby(talk))
}

fn say_one(mut talk: Talk) -> Talk {
    talk.line("one");
    assert_eq!(talk.shown(), [""; 0]);
    talk
}

const UNKNOWN: &str = "it is not known whether it was carried out";

#[test]
fn what_was_not_answered_is_sent_again_under_its_key_and_before_what_is_newer() {
    let mut talk = unanswered();
    talk.line("/whisper eve two");
    talk.chat.handle_end();
    talk.chat.handle_line("three");
    talk.chat.handle_no_more_lines();
    assert_eq!(talk.shown().len(), 2, "it is lost, and lines wait; no word of an answer");
    talk.reconnect_to(256);
    talk.answer(Op::Login, welcome("t2", None));
    talk.shown();
    assert_eq!(talk.said, ["one"], "not before we are in the room");
    talk.answer(Op::Join, joined("lobby"));
    assert_eq!(talk.shown(), ["* back as bob in lobby"]);
    assert_eq!(talk.said, ["one", "one", "three"]);
    let [one, two, again, too, three] = &talk.keys[..] else { panic!("{:?}", talk.keys) };
    assert!(one == again && two == too && one != two && three != one && three != two);
    let ops = || talk.asked.iter().map(|&(_, op)| op).filter(|op| *op != Op::Hello);
    let expected = [Op::Login, Op::Join, Op::Say, Op::Whisper, Op::Say];
    assert_eq!(ops().collect::<Vec<_>>(), expected);
    let ids: Vec<_> = talk.asked.iter().rev().take(3).map(|&(id, _)| id).collect();
    for id in ids.into_iter().rev() {
        talk.chat.handle_bytes(&native::emit_answer(Some(id), &Ok(Reply::heard(1))));
    }
    talk.take();
    assert_eq!(talk.last(), Op::Exit);
    talk.event(&Event::Bye { reason: CloseReason::Exit, back: false, missed: 0 });
    assert_eq!(talk.chat.outcome(), ClientOutcome::Fine, "nothing is in doubt");
}

#[test]
fn a_script_that_has_only_to_send_again_comes_back_for_that() {
    let mut talk = unanswered();
    talk.end();
    talk.chat.handle_end();
    assert!(talk.chat.over().is_none() && talk.chat.link.away());
    talk.reconnect_to(256);
    talk.answer(Op::Login, welcome("t2", Some("lobby")));
    talk.answer(Op::Say, Ok(Reply::heard(1)));
    assert_eq!(talk.last(), Op::Exit);
}

#[test]
fn a_server_that_does_not_surely_know_the_key_is_not_sent_it() {
    let mut talk = unanswered();
    talk.chat.handle_end();
    talk.reconnect_to(0);
    talk.shown();
    talk.answer(Op::Login, welcome("t2", Some("lobby")));
    let told = format!("! one: {UNKNOWN}");
    assert_eq!(talk.shown(), ["* back as bob in lobby", &told]);
    assert_eq!(talk.said, ["one"]);
    assert_eq!(talk.chat.outcome(), ClientOutcome::Refused);
}

#[test]
fn who_does_not_come_back_is_told_what_was_not_answered() {
    let mut talk = unanswered();
    talk.chat.handle_end();
    talk.shown();
    talk.chat.handle_stop();
    assert_eq!(talk.shown(), [format!("! one: {UNKNOWN}")]);
}

#[test]
fn a_message_that_the_server_has_not_decided_about_is_sent_once_more() {
    let mut talk = unanswered();
    talk.chat.handle_end();
    talk.reconnect_to(256);
    talk.answer(Op::Login, welcome("t2", Some("lobby")));
    talk.shown();
    talk.answer(Op::Say, Err(Refusal::Busy { wait_ms: 700 }));
    assert!(talk.shown().is_empty() && !talk.chat.wants_lines(), "nothing newer goes before it");
    assert_eq!(talk.said.len(), 2);
    talk.wait();
    assert_eq!(talk.said, ["one", "one", "one"]);
    talk.answer(Op::Say, Ok(Reply::heard(1)));
    assert!(talk.shown().is_empty() && talk.chat.wants_lines());
}

#[test]
fn a_guest_is_sure_only_where_the_server_has_kept_the_rooms() {
    for (room, times) in [(Some("lobby"), 2), (None, 1)] {
        let mut talk = unanswered_guest();
        talk.chat.handle_end();
        talk.reconnect_to(256);
        talk.answer(Op::Login, welcome("", room));
        if room.is_none() {
            talk.answer(Op::Join, joined("lobby"));
        }
        assert_eq!(talk.said.len(), times, "{room:?}");
    }
}
