//! Losing the connection and coming back.

use super::*;

/// Somebody who comes back, logged in to an old server; the screen is empty.
pub(super) fn logged_in(start: Start) -> Talk {
    logged_in_to(0, start)
}

/// The same with a server that remembers so many keys.
pub(super) fn logged_in_to(keys: u32, start: Start) -> Talk {
    let returns_for = start.returns_for.or(Some(Duration::MAX));
    let mut talk = Talk::begin_as(Start { returns_for, ..start });
    talk.answer(Op::Hello, Ok(able(keys)));
    talk.answer(Op::Login, welcome("t1", None));
    talk.shown();
    talk.wanted.clear();
    talk
}

/// The answer to `hello`, always of the same run.
fn able(keys: u32) -> Reply {
    if keys == 0 { Reply::Done } else { Reply::Able { keys, run: "r1".to_owned() } }
}

pub(super) fn bob() -> Talk {
    logged_in(Start::of(Some("bob")))
}

pub(super) fn welcome(token: &str, room: Option<&str>) -> Result<Reply, Refusal> {
    let room = room.map(room_name);
    Ok(Reply::Welcome {
        user: user("bob"),
        guest: token.is_empty(),
        token: token.into(),
        room,
        rooms: Vec::new(),
    })
}

pub(super) fn room_name(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

pub(super) fn joined(name: &str) -> Result<Reply, Refusal> {
    let members = crate::message::Names { users: vec![user("bob")], total: 1 };
    Ok(Reply::Joined { room: room_name(name), members })
}

pub(super) fn in_lobby(mut talk: Talk) -> Talk {
    talk.line("/join lobby");
    talk.answer(Op::Join, joined("lobby"));
    talk.shown();
    talk.wanted.clear();
    talk
}

impl Talk {
    /// Waits as long as it was told to and makes a connection, on which the server greets.
    pub(super) fn reconnect(&mut self) {
        self.reconnect_to(0);
    }

    /// The same with a server that remembers so many keys; one that remembers none is an old one.
    pub(super) fn reconnect_to(&mut self, keys: u32) {
        self.wait();
        assert!(self.chat.link.poll_call(), "a connection is asked for");
        assert!(!self.chat.link.poll_call(), "once");
        self.chat.handle_connected();
        self.asked.clear();
        self.greet(PROTOCOL_VERSION, Greeting::new(&Limits::default()));
        self.answer(Op::Hello, Ok(able(keys)));
    }

    pub(super) fn wait(&mut self) {
        let at = self.chat.wake_at().expect("it waits");
        self.chat.handle_time(at);
        self.take();
    }

    /// Types a line while there is no connection.
    fn line_away(&mut self, line: &str) {
        assert!(self.chat.wants_lines() && self.chat.link.away());
        self.chat.handle_line(line);
    }
}

#[test]
fn a_lost_connection_is_made_again_and_the_token_and_the_room_are_used() {
    let mut talk = in_lobby(bob());
    talk.chat.handle_end();
    let shown = talk.shown();
    assert_eq!(shown.len(), 1);
    let lost = "* connection lost: the server closed the connection; trying again in 0.";
    assert!(shown[0].starts_with(lost), "{shown:?}");
    assert!(
        talk.chat.link.away() && talk.chat.over().is_none() && talk.chat.link.outgoing().is_empty()
    );
    assert!(!talk.chat.link.poll_call(), "not yet");
    talk.reconnect();
    assert_eq!(talk.wanted, ["login bob token t1"]);
    talk.answer(Op::Login, welcome("t2", None));
    assert_eq!(talk.wanted.last().unwrap(), "join lobby");
    assert!(talk.shown().is_empty(), "it is not back before it is in its room");
    talk.answer(Op::Join, joined("lobby"));
    assert_eq!(talk.shown(), ["* back as bob in lobby"]);
    talk.end();
    talk.event(&bye(CloseReason::Exit));
    assert_eq!(talk.chat.outcome(), ClientOutcome::Fine);
}

#[test]
fn the_newest_token_is_the_one_that_is_used() {
    let mut talk = bob();
    for token in ["t1", "t2", "t3"] {
        talk.chat.handle_end();
        talk.reconnect();
        assert_eq!(talk.wanted.last().unwrap(), &format!("login bob token {token}"));
        let next = ["t1", "t2", "t3", "t4"].iter().skip_while(|&&known| known != token).nth(1);
        talk.answer(Op::Login, welcome(next.unwrap(), None));
    }
}

#[test]
fn a_place_that_the_server_has_kept_is_not_joined_again() {
    let mut talk = in_lobby(bob());
    talk.chat.handle_broken("connection reset");
    talk.reconnect();
    talk.shown();
    talk.answer(Op::Login, welcome("t2", Some("lobby")));
    assert_eq!(talk.shown(), ["* back as bob in lobby"]);
    assert_eq!(talk.wanted, ["login bob token t1"]);
}

#[test]
fn a_room_that_was_left_is_not_joined_and_one_that_is_full_is_told() {
    let mut talk = in_lobby(bob());
    talk.line("/leave");
    talk.answer(Op::Leave, Ok(Reply::Left { room: room_name("lobby"), current: None }));
    talk.chat.handle_end();
    talk.reconnect();
    talk.shown();
    talk.answer(Op::Login, welcome("t2", None));
    assert_eq!(talk.shown(), ["* back as bob"]);

    let mut talk = in_lobby(bob());
    talk.chat.handle_end();
    talk.reconnect();
    talk.answer(Op::Login, welcome("t2", None));
    talk.shown();
    talk.answer(Op::Join, Err(Refusal::RoomFull { limit: 2 }));
    let full = "! room is full (2 members); join another (/rooms lists them); the owner \
                can raise it with --room-members";
    assert_eq!(talk.shown(), [full, "* back as bob"]);
    assert_eq!(talk.chat.outcome(), ClientOutcome::Refused);
}

#[test]
fn what_was_asked_and_not_answered_is_told_and_not_asked_again() {
    let mut talk = in_lobby(bob());
    talk.line("a word\tor two");
    talk.line("/whisper eve psst");
    talk.line("/rooms");
    talk.answer(Op::Rooms, Ok(Reply::Rooms { rooms: Vec::new(), total: 0 }));
    talk.line(&"x".repeat(5000));
    talk.shown();
    let before = talk.said.len();
    talk.chat.handle_end();
    let unknown = "it is not known whether it was carried out";
    let shown = talk.shown();
    assert_eq!(shown[0], format!("! a word    or two: {unknown}"));
    assert_eq!(shown[1], format!("! /whisper eve psst: {unknown}"));
    assert_eq!(shown[2], format!("! {}…: {unknown}", "x".repeat(60)));
    assert_eq!(shown.len(), 4);
    talk.reconnect();
    talk.answer(Op::Login, welcome("t2", Some("lobby")));
    let asked: Vec<_> = talk.asked.iter().map(|&(_, op)| op).collect();
    assert_eq!((asked, talk.said.len()), (vec![Op::Hello, Op::Login], before));
    talk.end();
    talk.event(&bye(CloseReason::Exit));
    assert_eq!(talk.chat.outcome(), ClientOutcome::Refused, "not all went well");
}

#[test]
fn lines_that_are_typed_meanwhile_wait_and_go_in_their_order() {
    let mut talk = in_lobby(bob());
    talk.chat.handle_end();
    for line in ["one", "/me two", "/exit"] {
        talk.line_away(line);
    }
    assert!(talk.shown()[1].contains("what you type waits"));
    talk.reconnect();
    talk.chat.handle_line("never");
    talk.answer(Op::Login, welcome("t2", None));
    assert_eq!(talk.said.len(), 0, "not before we are in the room");
    talk.answer(Op::Join, joined("lobby"));
    assert_eq!(talk.said, ["one", "two"]);
    assert_eq!(talk.last(), Op::Exit);
}

#[test]
fn lines_that_wait_are_bounded_and_a_script_ends_behind_them() {
    let mut talk = bob();
    talk.chat.handle_end();
    let mut lines = 0;
    while talk.chat.wants_lines() {
        talk.line_away("/rooms");
        lines += 1;
        assert!(lines < 1000);
    }
    talk.chat.handle_no_more_lines();
    assert!(talk.chat.over().is_none(), "there is something to be done");
    talk.reconnect();
    talk.answer(Op::Login, welcome("t2", None));
    assert_eq!(talk.asked.iter().filter(|(_, op)| *op == Op::Rooms).count(), lines);
    let ids: Vec<u64> = talk.asked.iter().filter(|(_, op)| *op == Op::Rooms).map(|a| a.0).collect();
    for id in ids {
        let none = Ok(Reply::Rooms { rooms: Vec::new(), total: 0 });
        talk.chat.handle_bytes(&native::emit_answer(Some(id), &none));
    }
    talk.take();
    assert_eq!(talk.last(), Op::Exit);
}

#[test]
fn waits_grow_and_the_first_good_one_makes_them_short_again() {
    let mut talk = bob();
    let mut waits = Vec::new();
    talk.chat.handle_end();
    for _ in 0..8 {
        waits.push(talk.chat.wake_at().unwrap() - talk.chat.link.now());
        talk.wait();
        assert!(talk.chat.link.poll_call());
        talk.chat.handle_unreachable("connection refused");
    }
    assert!(waits[0] <= Duration::from_millis(500) && waits[7] >= Duration::from_secs(15));
    assert!(waits.iter().all(|&wait| wait <= Duration::from_secs(30)), "{waits:?}");
    assert!(talk.shown()[3].starts_with("* no connection: connection refused; trying again in "));
    talk.reconnect();
    talk.answer(Op::Login, welcome("t2", None));
    talk.chat.handle_end();
    assert!(talk.chat.wake_at().unwrap() - talk.chat.link.now() <= Duration::from_millis(500));
}

#[test]
fn after_its_time_it_gives_up() {
    let returns_for = Some(Duration::from_secs(60));
    let mut talk = logged_in(Start { returns_for, ..Start::of(Some("bob")) });
    talk.chat.handle_end();
    talk.line_away("hello?");
    let mut tries = 0;
    while talk.chat.over().is_none() {
        talk.wait();
        assert!(talk.chat.link.poll_call());
        talk.chat.handle_unreachable("connection refused");
        tries += 1;
    }
    assert!((5..20).contains(&tries), "{tries}");
    let why = talk.farewell();
    assert!(why.starts_with("no connection: connection refused; given up after "), "{why}");
    assert_eq!(talk.shown().last().unwrap(), "! hello?");
    assert!(talk.chat.link.now() <= Duration::from_secs(60));
}

#[test]
fn a_goodbye_is_a_loss_or_the_end_as_the_server_says() {
    for reason in [CloseReason::Shutdown, CloseReason::TooSlow, CloseReason::Silent] {
        let mut talk = bob();
        talk.event(&bye(reason));
        assert!(talk.chat.link.away() && talk.chat.over().is_none(), "{reason:?}");
        let shown = talk.shown();
        assert!(shown[0].starts_with("* bye: "), "{shown:?}");
        assert!(shown[1].starts_with(&format!("* connection lost: {reason}; ")), "{shown:?}");
    }
    for reason in [CloseReason::TakenOver, CloseReason::FrameTooLong] {
        let mut talk = bob();
        talk.event(&bye(reason));
        assert_eq!(talk.chat.over(), Some(&Over::Goodbye(None)), "{reason:?}");
    }
    let mut talk = bob();
    talk.chat.handle_silence();
    assert!(talk.chat.link.away());
    talk.wait();
    assert!(talk.chat.link.poll_call());
    talk.chat.handle_connected();
    talk.chat.handle_bytes(b"parlor: the server is full; try again later\r\n");
    assert!(talk.chat.over().is_none(), "it was in, so it may wait");
    assert!(
        talk.shown()[1].starts_with("* connection lost: the server is full; try again later; ")
    );
}

#[test]
fn who_cannot_or_need_not_come_back_does_not() {
    let never = Talk::logged_in(false);
    let out = || {
        let mut talk = bob();
        talk.line("/logout");
        talk.answer(Op::Logout, Ok(Reply::LoggedOut));
        talk
    };
    let leaving = || {
        let mut talk = bob();
        talk.line("/rooms");
        talk.line("/exit");
        talk
    };
    let done = || {
        let mut talk = bob();
        talk.line("/rooms");
        talk.end();
        talk
    };
    for mut talk in [never, out(), leaving(), done()] {
        talk.chat.handle_end();
        assert_eq!(talk.chat.outcome(), ClientOutcome::Broken);
        assert!(talk.chat.over().is_some());
    }
    let mut talk = bob();
    talk.chat.handle_end();
    talk.chat.handle_no_more_lines();
    assert_eq!(talk.chat.outcome(), ClientOutcome::Broken, "nothing is to be done any more");
    let mut talk = Talk::begin_as(Start { returns_for: Some(Duration::MAX), ..Start::of(None) });
    talk.chat.handle_end();
    assert_eq!(talk.chat.outcome(), ClientOutcome::Broken, "it has never been in");
}

#[test]
fn a_goodbye_while_there_is_no_connection_is_the_end() {
    for by_signal in [true, false] {
        let mut talk = bob();
        talk.chat.handle_end();
        if by_signal {
            talk.line_away("hello?");
            talk.chat.handle_stop();
            assert_eq!(talk.shown().last().unwrap(), "! hello?");
        } else {
            talk.line_away("/exit");
        }
        assert_eq!(talk.farewell(), "left before the connection was back");
        assert!(!talk.chat.link.poll_call());
    }
}

#[test]
fn a_token_that_is_refused_gives_way_to_the_password_and_that_to_the_question() {
    let start = Start { at_terminal: true, ..Start::of(Some("bob")) };
    let password = Some(Secret("sesame".into()));
    let mut talk = logged_in(Start { password, ..start });
    talk.chat.handle_end();
    talk.reconnect();
    talk.answer(Op::Login, Err(Refusal::WrongPassword));
    assert_eq!(talk.wanted, ["login bob token t1", "login bob password sesame"]);
    talk.answer(Op::Login, Err(Refusal::WrongPassword));
    assert!(talk.chat.hides_line(), "it was changed meanwhile, and somebody may know it");
    talk.line("sesame2");
    assert_eq!(talk.wanted.last().unwrap(), "login bob password sesame2");
    talk.answer(Op::Login, welcome("t2", None));
    assert_eq!(talk.shown().last().unwrap(), "* back as bob");
    assert_eq!(talk.chat.outcome(), ClientOutcome::Fine);
}

#[test]
fn a_script_that_is_not_let_in_again_ends_and_eats_no_line() {
    let mut talk = bob();
    talk.chat.handle_end();
    talk.line_away("a secret for eve");
    talk.reconnect();
    talk.answer(Op::Login, Err(Refusal::WrongPassword));
    assert_eq!(talk.wanted.len(), 1);
    assert_eq!(talk.farewell(), "cannot come back as bob: wrong name or password");
    assert_eq!(talk.shown().last().unwrap(), "! a secret for eve");
}

#[test]
fn a_guest_whose_token_is_refused_comes_back_as_a_guest() {
    let mut talk =
        Talk::begin_as(Start { returns_for: Some(Duration::MAX), ..Start::of(Some("bob")) });
    let guest = |token: &str| {
        let token = token.to_owned();
        Ok(Reply::Welcome { user: user("bob"), guest: true, token, room: None, rooms: Vec::new() })
    };
    talk.answer(Op::Login, guest("g1"));
    talk.chat.handle_end();
    talk.reconnect();
    talk.answer(Op::Login, Err(Refusal::WrongPassword));
    assert_eq!(talk.wanted, ["login bob", "login bob token g1", "login bob"]);
    talk.answer(Op::Login, guest(""));
    assert_eq!(talk.shown().last().unwrap(), "* back as bob");
}

#[test]
fn a_name_that_our_own_lost_connection_holds_is_waited_for() {
    let mut talk =
        Talk::begin_as(Start { returns_for: Some(Duration::MAX), ..Start::of(Some("bob")) });
    talk.answer(Op::Login, Ok(Reply::welcome(user("bob"))));
    talk.chat.handle_end();
    talk.reconnect();
    let mut tries = 0;
    while talk.chat.over().is_none() {
        talk.answer(Op::Login, Err(Refusal::NameInUse(user("bob"))));
        tries += 1;
        if talk.chat.over().is_none() {
            assert!(talk.shown().last().unwrap().contains("cannot log in yet: the name is in use"));
            talk.wait();
        }
    }
    assert!(tries > 5, "{tries}");
    assert_eq!(talk.chat.outcome(), ClientOutcome::Broken, "then it is somebody else's");
    assert!(talk.chat.link.now() >= Duration::from_secs(120));
}

#[test]
fn at_a_terminal_who_is_not_let_in_again_may_take_another_name() {
    let mut talk = logged_in(Start { at_terminal: true, ..Start::of(Some("bob")) });
    talk.chat.handle_end();
    talk.line_away("hello?");
    talk.line_away("/register bob");
    let refused = "! not connected; ask again when the connection is back";
    assert_eq!(talk.shown().last().unwrap(), refused);
    talk.reconnect();
    talk.answer(Op::Login, Err(Refusal::NameTaken(user("bob"))));
    let shown = talk.shown();
    assert!(shown.contains(&"! hello?".to_owned()), "{shown:?}");
    talk.line("/login rob");
    assert_eq!(talk.wanted.last().unwrap(), "login rob");
    assert!(talk.chat.over().is_none());
}

#[test]
fn letters_are_shown_once_over_a_lost_connection() {
    let letter = |number| letter(number, &format!("letter {number}"));
    let mut talk = bob();
    talk.event(&letter(1));
    talk.event(&letter(2));
    assert_eq!(talk.shown().len(), 2);
    talk.chat.handle_end();
    talk.chat.link.handle_shown();
    talk.shown();
    talk.reconnect();
    talk.answer(Op::Login, welcome("t2", None));
    talk.shown();
    for number in 1..=3 {
        talk.event(&letter(number));
    }
    assert_eq!(talk.shown(), ["00:00:00 eve whispers: letter 3"]);
    talk.chat.link.handle_shown();
    talk.take();
    assert_eq!(talk.wanted, ["login bob token t1", "got 3"]);
}

#[test]
fn a_server_of_another_kind_is_not_come_back_to() {
    let mut talk = bob();
    talk.chat.handle_bytes(&[0, 0, 0, 5, 9]);
    assert_eq!(talk.chat.outcome(), ClientOutcome::Broken);
    assert!(!talk.chat.link.away());
}

#[test]
fn a_password_under_the_fingers_when_the_connection_is_lost_is_said_to_nobody() {
    let mut talk = logged_in(Start { at_terminal: true, ..Start::of(Some("bob")) });
    talk.line("/passwd");
    talk.chat.handle_end();
    talk.line_away("sesame");
    talk.line_away("hello");
    talk.reconnect();
    talk.answer(Op::Login, welcome("t2", None));
    assert_eq!(talk.said, ["hello"]);
    assert!(!talk.shown().concat().contains("sesame"));
}
