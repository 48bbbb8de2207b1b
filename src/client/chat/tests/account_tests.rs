//! Passwords, logging in and out, and letters.

use super::*;
use crate::message::LogoutReason;

fn needed() -> Result<Reply, Refusal> {
    Err(Refusal::PasswordNeeded(user("bob")))
}

fn welcome(name: &str) -> Result<Reply, Refusal> {
    Ok(Reply::Welcome {
        user: user(name),
        guest: false,
        token: "t1".to_owned(),
        room: None,
        rooms: Vec::new(),
    })
}

fn secret(text: &str) -> Option<Secret<'static>> {
    Some(Secret(text.to_owned().into()))
}

/// Connected, with the login as a guest under way; its screen is empty.
fn begin(start: Start) -> Talk {
    let mut talk = Talk::begin_as(start);
    talk.answer(Op::Hello, Ok(Reply::Done));
    talk.shown();
    talk
}

fn at_terminal() -> Talk {
    begin(Start { at_terminal: true, ..Start::of(Some("bob")) })
}

fn in_script() -> Talk {
    begin(Start::of(Some("bob")))
}

/// Logged in to an account, at a terminal.
fn with_account() -> Talk {
    let mut talk = at_terminal();
    talk.answer(Op::Login, welcome("bob"));
    talk.shown();
    talk.wanted.clear();
    talk
}

/// What a client that shows its lines does after each turn.
fn show(talk: &mut Talk) -> Vec<String> {
    let shown = talk.shown();
    talk.chat.link.handle_shown();
    talk.take();
    shown
}

#[test]
fn a_password_is_asked_for_unseen_when_the_name_needs_one() {
    let mut talk = at_terminal();
    assert!(!talk.chat.hides_line());
    talk.answer(Op::Login, needed());
    assert_eq!(talk.shown(), ["* Password for bob:"]);
    assert!(talk.chat.hides_line());
    talk.line("open sesame");
    assert!(!talk.chat.hides_line());
    assert_eq!(talk.wanted, ["login bob", "login bob password open sesame"]);
    talk.answer(Op::Login, welcome("bob"));
    assert_eq!(talk.shown(), ["* welcome, bob"]);
    talk.line("open sesame");
    assert_eq!(talk.said, ["open sesame"], "the next line is a line again");
    talk.answer(Op::Say, Ok(Reply::heard(1)));
    talk.line("/exit");
    talk.event(&bye(CloseReason::Exit));
    assert_eq!(talk.chat.outcome(), ClientOutcome::Fine, "nothing was refused in the end");
}

#[test]
fn a_wrong_password_is_asked_for_three_times_and_no_more() {
    let mut talk = at_terminal();
    talk.answer(Op::Login, needed());
    for password in ["one", "two", "three"] {
        assert!(talk.chat.hides_line(), "{password}");
        talk.line(password);
        talk.answer(Op::Login, Err(Refusal::WrongPassword));
    }
    assert!(!talk.chat.hides_line());
    let shown = talk.shown();
    let wrong = shown.iter().filter(|line| line.starts_with("! wrong name or password")).count();
    assert_eq!((wrong, shown.last().unwrap().as_str()), (3, "* you have no name yet: /login NAME"));
    talk.line("/login rob");
    assert_eq!(talk.wanted.last().unwrap(), "login rob");
}

#[test]
fn what_is_typed_empty_is_asked_for_again_and_then_given_up() {
    let mut talk = at_terminal();
    talk.answer(Op::Login, needed());
    talk.line("");
    assert!(talk.chat.hides_line());
    talk.line("");
    talk.line("");
    assert!(!talk.chat.hides_line());
    assert_eq!(talk.wanted, ["login bob"]);
    assert!(talk.shown().last().unwrap().contains("/login NAME"));
}

#[test]
fn a_script_without_a_password_is_told_what_to_use_and_its_lines_are_commands() {
    let mut talk = in_script();
    talk.answer(Op::Login, needed());
    let no_password = "! no password was given; use PARLOR_PASSWORD or \
                       --password-file";
    assert_eq!(talk.shown(), [no_password, "* you have no name yet: /login NAME"]);
    talk.line("/rooms");
    assert_eq!(talk.last(), Op::Rooms);
    talk.answer(Op::Rooms, Err(Refusal::LoginFirst));
    talk.end();
    assert_eq!((talk.last(), talk.chat.outcome()), (Op::Exit, ClientOutcome::Refused));
}

#[test]
fn a_terminal_that_is_closed_before_the_password_gives_none() {
    let mut talk = at_terminal();
    talk.answer(Op::Login, needed());
    talk.end();
    let shown = talk.shown();
    assert!(shown.iter().any(|line| line.contains("PARLOR_PASSWORD")), "{shown:?}");
    assert_eq!((talk.last(), talk.chat.outcome()), (Op::Exit, ClientOutcome::Refused));
}

#[test]
fn a_password_that_is_given_at_the_start_is_for_the_first_name_alone() {
    let mut talk = begin(Start { password: secret("sesame"), ..Start::of(Some("bob")) });
    assert_eq!(talk.wanted, ["login bob password sesame"]);
    talk.answer(Op::Login, Err(Refusal::NameInUse(user("bob"))));
    talk.line("/login carol");
    assert_eq!(talk.wanted.last().unwrap(), "login carol");
    talk.answer(Op::Login, Err(Refusal::NameInUse(user("carol"))));
    talk.line("/login BOB");
    assert_eq!(talk.wanted.last().unwrap(), "login BOB password sesame");
    talk.answer(Op::Login, Err(Refusal::WrongPassword));
    talk.line("/login bob");
    assert_eq!(talk.wanted.last().unwrap(), "login bob", "it was wrong");
    talk.answer(Op::Login, Err(Refusal::NameInUse(user("bob"))));
    talk.line("/register bob");
    assert_eq!(talk.wanted.last().unwrap(), "register bob sesame", "but it can become right");
}

#[test]
fn a_busy_server_is_asked_again_when_it_is_time() {
    let mut talk = in_script();
    talk.answer(Op::Login, Err(Refusal::Busy { wait_ms: 4000 }));
    assert!(
        talk.shown()[0]
            .starts_with("* bob cannot log in yet: the server is busy; trying again in ")
    );
    assert!(!talk.chat.wants_lines());
    let at = talk.chat.wake_at().unwrap();
    assert!((4000..=6000).contains(&at.as_millis()), "{at:?}");
    talk.chat.handle_time(at - Duration::from_millis(1));
    talk.take();
    assert_eq!(talk.wanted.len(), 1);
    talk.chat.handle_time(at);
    talk.take();
    assert_eq!(talk.wanted, ["login bob", "login bob"]);
    talk.answer(Op::Login, welcome("bob"));
    assert_eq!((talk.chat.wake_at(), talk.chat.outcome()), (None, ClientOutcome::Fine));
}

#[test]
fn an_account_is_made_with_a_password_that_is_typed_twice() {
    let mut talk = at_terminal();
    talk.answer(Op::Login, Err(Refusal::NameInUse(user("bob"))));
    talk.line("/register rob");
    talk.line("sesame");
    talk.line("sesam");
    assert_eq!(talk.wanted, ["login bob"]);
    assert!(talk.shown().iter().any(|line| line.starts_with("! the two passwords differ")));
    talk.line("/register rob");
    talk.line("sesame");
    talk.line("sesame");
    assert_eq!(talk.wanted.last().unwrap(), "register rob sesame");
    talk.answer(Op::Register, welcome("rob"));
    assert_eq!(talk.shown().last().unwrap(), "* welcome, rob");
    talk.line("/register carol");
    assert!(
        talk.shown()[0].starts_with("! you are already logged in"),
        "before any password is typed"
    );
}

#[test]
fn a_registration_that_is_refused_leaves_us_without_a_name() {
    let mut talk = in_script();
    talk.answer(Op::Login, Err(Refusal::NameInUse(user("bob"))));
    talk.line("/register rob sesame");
    talk.answer(Op::Register, Err(Refusal::NameTaken(user("rob"))));
    let shown = talk.shown();
    assert!(shown[shown.len() - 2].starts_with("! the name "), "{shown:?}");
    assert!(talk.chat.wants_lines());
}

#[test]
fn a_password_is_changed_by_the_old_one_and_the_new_one_twice() {
    let mut talk = with_account();
    for line in ["/passwd", "old", "new", "new"] {
        talk.line(line);
    }
    assert_eq!(talk.wanted, ["passwd old new"]);
    talk.answer(Op::Passwd, Ok(Reply::Done));
    assert_eq!(talk.shown().last().unwrap(), "* your password is changed");
    assert_eq!(talk.said.len(), 0);
}

#[test]
fn a_script_is_not_asked_for_passwords_but_may_write_them_behind_the_command() {
    let mut talk = in_script();
    talk.answer(Op::Login, Err(Refusal::NameInUse(user("bob"))));
    talk.shown();
    talk.line("/register rob");
    assert!(talk.shown()[0].starts_with("! no password was given; use "));
    talk.line("/register rob sesame");
    talk.answer(Op::Register, welcome("rob"));
    talk.shown();
    talk.line("/passwd");
    assert!(talk.shown()[0].ends_with("write it as /passwd OLD NEW"));
    talk.line("/passwd sesame other");
    assert_eq!(talk.wanted.last().unwrap(), "passwd sesame other");
}

#[test]
fn no_password_is_ever_shown() {
    let mut talk = with_account();
    let mut shown = Vec::new();
    for line in ["/passwd", "sesame1", "sesame2", "sesame2", "/passwd sesame3 sesame4"] {
        talk.line(line);
        shown.extend(talk.shown());
    }
    shown.push(format!("{:?}", talk.chat));
    talk.chat.handle_end();
    shown.extend(talk.shown());
    let shown = shown.join("\n");
    assert_eq!(shown.matches("! /passwd: ").count(), 2, "{shown}");
    assert!(!shown.contains("sesame"), "{shown}");
}

#[test]
fn a_password_that_no_frame_holds_is_refused_here() {
    let mut talk = at_terminal();
    talk.answer(Op::Login, needed());
    talk.shown();
    talk.line(&"x".repeat(500));
    assert!(talk.shown()[0].starts_with("! the name or the password is too long"));
    assert_eq!(talk.wanted, ["login bob"]);
    talk.line(&format!("/passwd {} b", "x".repeat(500)));
    assert!(talk.shown().last().unwrap().starts_with("! log in first"));
}

#[test]
fn who_logs_out_can_log_in_on_the_same_connection() {
    let mut talk = with_account();
    for name in ["carol", "bob", "carol"] {
        talk.line("/logout");
        assert!(!talk.chat.wants_lines(), "what a line means is not known yet");
        talk.answer(Op::Logout, Ok(Reply::LoggedOut));
        talk.line(&format!("/login {name}"));
        assert_eq!(talk.wanted.last().unwrap(), &format!("login {name}"));
        talk.answer(Op::Login, welcome(name));
        assert_eq!(talk.shown().last().unwrap(), &format!("* welcome, {name}"));
    }
}

#[test]
fn who_is_logged_out_by_the_server_can_log_in_again() {
    let mut talk = with_account();
    talk.event(&Event::LoggedOut { reason: LogoutReason::Idle });
    assert!(talk.shown()[0].starts_with("* you are logged out: you have sent no command"));
    talk.line("/passwd");
    assert!(talk.shown()[0].starts_with("! log in first"), "it knows that it is out");
    talk.line("/login bob");
    assert!(!talk.chat.wants_lines(), "the login is waited for");
    talk.answer(Op::Login, needed());
    talk.line("sesame");
    assert_eq!(talk.wanted.last().unwrap(), "login bob password sesame");
}

#[test]
fn a_question_ends_when_its_name_does() {
    let mut talk = with_account();
    talk.line("/passwd");
    talk.event(&Event::LoggedOut { reason: LogoutReason::Removed });
    assert!(!talk.chat.hides_line());
    // It may have been under the fingers already.
    let asked = talk.wanted.len();
    talk.line("/sesame");
    assert_eq!(talk.wanted.len(), asked);
    assert!(!talk.shown().concat().contains("sesame"));
    talk.line("/rooms");
    assert_eq!(talk.last(), Op::Rooms);
}

/// A client that stays and has no lines could never come in again.
#[test]
fn who_is_out_and_has_nobody_to_type_leaves() {
    let mut talk = begin(Start { stays: true, ..Start::of(Some("box")) });
    talk.answer(Op::Login, welcome("box"));
    talk.end();
    assert_eq!(talk.last(), Op::Login, "it stays");
    talk.event(&Event::LoggedOut { reason: LogoutReason::Idle });
    assert_eq!((talk.last(), talk.chat.outcome()), (Op::Exit, ClientOutcome::Refused));
}

#[test]
fn letters_are_confirmed_with_the_last_when_they_were_shown() {
    let mut talk = with_account();
    talk.event(&letter(3, "one"));
    talk.event(&letter(4, "two"));
    assert_eq!(talk.wanted.len(), 0, "they are not shown yet");
    assert_eq!(show(&mut talk), ["00:00:00 eve whispers: one", "00:00:00 eve whispers: two"]);
    assert_eq!(talk.wanted, ["got 4"]);
    show(&mut talk);
    assert_eq!(talk.wanted.len(), 1, "once");
    talk.answer(Op::Got, Ok(Reply::Done));
    assert_eq!((talk.shown().len(), talk.chat.outcome()), (0, ClientOutcome::Fine));
}

#[test]
fn a_letter_that_comes_again_is_confirmed_and_not_shown() {
    let mut talk = with_account();
    talk.event(&letter(3, "one"));
    show(&mut talk);
    talk.event(&letter(3, "one"));
    talk.event(&letter(5, "two"));
    assert_eq!(show(&mut talk), ["00:00:00 eve whispers: two"]);
    talk.event(&letter(5, "two"));
    assert_eq!(show(&mut talk).len(), 0);
    assert_eq!(talk.wanted, ["got 3", "got 5", "got 5"]);
}

#[test]
fn a_letter_that_comes_behind_our_goodbye_is_left_for_the_next_time() {
    let mut talk = with_account();
    talk.line("/exit");
    talk.event(&letter(3, "one"));
    assert_eq!(show(&mut talk).len(), 0, "it could not be confirmed");
    assert_eq!(talk.wanted.len(), 0);
}

#[test]
fn that_a_message_is_kept_is_news_only_if_nobody_has_read_it() {
    let mut talk = with_account();
    for (online, expected) in
        [(true, None), (false, Some("* eve is offline; kept until they log in"))]
    {
        talk.line("/whisper eve hi");
        talk.answer(Op::Whisper, Ok(Reply::Kept { user: user("eve"), online }));
        assert_eq!(talk.shown().first().map(String::as_str), expected);
    }
    talk.line("/broadcast hi");
    talk.answer(Op::Broadcast, Ok(Reply::heard(2)));
    assert_eq!(talk.shown().len(), 0);
    talk.line("/broadcast hi");
    talk.answer(Op::Broadcast, Ok(Reply::Heard { count: 2, blocked: true }));
    let expected = "* heard by 2; some did not get it because of a block";
    assert_eq!(talk.shown(), [expected]);
}

#[test]
fn who_comes_and_goes_is_shown_with_the_time() {
    let mut talk = with_account();
    talk.event(&Event::Online { user: user("eve"), at: 3_661_000 });
    talk.event(&Event::Offline { user: user("eve"), at: 3_662_000 });
    let text = Text::parse("hi all".into(), 64).unwrap();
    talk.event(&Event::Broadcast { from: user("eve"), text, at: 3_663_000, own: false });
    let expected = [
        "01:01:01 * eve is online",
        "01:01:02 * eve is offline",
        "01:01:03 eve to everybody: hi all",
    ];
    assert_eq!(talk.shown(), expected);
}

#[test]
fn a_line_that_may_be_a_password_is_thrown_away_before_a_menu_sees_it() {
    let mut talk = with_account();
    talk.line("/passwd");
    talk.event(&Event::LoggedOut { reason: LogoutReason::Idle });
    assert!(talk.chat.asks(), "the menu is not asked");
    talk.shown();
    talk.line("sesame");
    assert_eq!(talk.shown(), ["! the line that you typed for a password is discarded"]);
    assert!(!talk.chat.asks(), "and what is typed next is for the menu");
}
