//! Several rooms: which one is current, what is said and sent where, and coming back to them.

use super::again_tests::{joined, logged_in, logged_in_to, room_name, welcome};
use super::*;

/// In the lobby and, beside it, in the kitchen, which is current; the screen is empty.
fn in_two(start: Start) -> Talk {
    let mut talk = logged_in_to(256, start);
    for (line, room) in [("/join lobby", "lobby"), ("/open kitchen", "kitchen")] {
        talk.line(line);
        talk.answer(Op::Join, joined(room));
    }
    talk.shown();
    talk.wanted.clear();
    talk
}

fn bob() -> Start {
    Start::of(Some("bob"))
}

fn words(room: &str) -> Event {
    let text = Text::parse("hi".to_owned().into(), 64).unwrap();
    Event::Said { room: room_name(room), from: user("eve"), text, me: false, at: 0, own: false }
}

#[test]
fn which_rooms_are_ours_and_which_is_current_is_shown_at_each_change() {
    let mut talk = logged_in_to(256, bob());
    talk.line("/room");
    assert_eq!(talk.shown(), ["* you are in no room; /join ROOM"]);
    talk.line("/join lobby");
    talk.answer(Op::Join, joined("lobby"));
    assert_eq!(talk.shown(), ["* you are in lobby: bob"]);
    talk.line("/open kitchen");
    talk.answer(Op::Join, joined("kitchen"));
    let both = "* you speak in kitchen and hear lobby too";
    assert_eq!(talk.shown(), ["* you are in kitchen: bob", both]);
    talk.line("/room");
    assert_eq!(talk.shown(), [both]);
    talk.line("/rooms");
    talk.answer(Op::Rooms, Ok(Reply::Rooms { rooms: Vec::new(), total: 0 }));
    assert_eq!(talk.shown(), ["* there are no rooms", both]);
    talk.line("/room lobby");
    talk.answer(Op::Room, Ok(Reply::Current { room: room_name("lobby") }));
    let turned = "* you speak in lobby and hear kitchen too";
    assert_eq!(talk.shown(), ["* you are in lobby", turned]);
    talk.line("/leave lobby");
    let current = Some(room_name("kitchen"));
    talk.answer(Op::Leave, Ok(Reply::Left { room: room_name("lobby"), current }));
    assert_eq!(talk.shown(), ["* you left lobby; you are in kitchen"]);
    talk.line("/room");
    assert_eq!(talk.shown(), ["* you are in kitchen"]);
}

#[test]
fn what_is_said_is_shown_with_its_room_and_what_you_say_goes_to_the_current_one() {
    let mut talk = in_two(bob());
    talk.event(&words("lobby"));
    assert_eq!(talk.shown(), ["00:00:00 [lobby] eve: hi"]);
    talk.line("hello");
    talk.answer(Op::Say, Ok(Reply::heard(1)));
    assert_eq!(talk.shown(), ["* said in kitchen"]);
    talk.line("/broadcast hello");
    talk.answer(Op::Broadcast, Ok(Reply::heard(0)));
    assert_eq!(talk.shown(), ["* heard by nobody", "* said in kitchen"]);
    talk.line("/whisper eve psst");
    talk.answer(Op::Whisper, Ok(Reply::heard(1)));
    assert!(talk.shown().is_empty());
}

#[test]
fn files_go_to_the_current_room_by_its_name() {
    let mut talk = in_two(bob());
    let path = talk.dir.path().join("f");
    fs::write(&path, "hello").unwrap();
    talk.line(&format!("/sendfile {}", path.display()));
    talk.line(&format!("/upload {}", path.display()));
    let file = format!("5 bytes, {}", &hash(b"hello").to_string()[..8]);
    assert_eq!(
        talk.wanted,
        [format!("send f to kitchen, {file}"), format!("send f to shelf kitchen, {file}")]
    );
}

#[test]
fn programs_are_told_the_rooms_as_a_list() {
    let mut talk = in_two(Start { json: true, ..bob() });
    talk.line("/room");
    let note = r#""note":"you speak in kitchen and hear lobby too""#;
    assert_eq!(talk.shown(), [format!(r#"{{{note},"rooms":["kitchen","lobby"]}}"#)]);
}

#[test]
fn all_rooms_are_entered_again_and_the_same_one_is_current() {
    let mut talk = in_two(bob());
    talk.chat.handle_end();
    talk.reconnect_to(256);
    talk.shown();
    talk.wanted.clear();
    talk.answer(Op::Login, welcome("t2", None));
    assert_eq!(talk.wanted, ["open lobby", "open kitchen"]);
    let ids: Vec<u64> = talk.asked.iter().filter(|(_, op)| *op == Op::Join).map(|a| a.0).collect();
    for (id, room) in ids.into_iter().zip(["lobby", "kitchen"]) {
        assert!(talk.shown().is_empty(), "it is not back before it is in all of them");
        talk.chat.handle_bytes(&native::emit_answer(Some(id), &joined(room)));
    }
    let both = "* you speak in kitchen and hear lobby too";
    assert_eq!(talk.shown(), ["* back as bob in kitchen", both]);
}

#[test]
fn rooms_that_the_server_has_kept_are_not_entered_again() {
    let mut talk = in_two(bob());
    talk.chat.handle_end();
    talk.reconnect_to(256);
    talk.shown();
    talk.wanted.clear();
    let rooms = vec![room_name("kitchen"), room_name("lobby")];
    let (room, token) = (Some(rooms[0]), "t2".to_owned());
    talk.answer(
        Op::Login,
        Ok(Reply::Welcome { user: user("bob"), guest: false, token, room, rooms }),
    );
    let both = "* you speak in kitchen and hear lobby too";
    assert_eq!(talk.shown(), ["* back as bob in kitchen", both]);
    assert!(talk.wanted.is_empty());
}

#[test]
fn an_old_server_is_not_asked_for_what_it_would_take_for_something_else() {
    let mut talk = logged_in(bob());
    talk.shown();
    let asked = talk.asked.len();
    for (line, form) in [
        ("/open kitchen", "/open ROOM"),
        ("/room kitchen", "/room ROOM"),
        ("/leave kitchen", "/leave ROOM"),
        ("/logout all", "/logout all"),
        ("/sessions", "/sessions"),
        ("/end 3", "/end N"),
    ] {
        talk.line(line);
        let refused = format!("! {form}: this server is too old for that");
        assert_eq!(talk.shown(), [refused]);
    }
    assert_eq!(talk.asked.len(), asked);
    for line in ["/join kitchen", "/leave", "/logout"] {
        talk.line(line);
        assert!(talk.shown().is_empty(), "{line}");
    }
}
