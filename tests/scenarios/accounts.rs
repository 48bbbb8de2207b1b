//! Accounts, letters, blocks and presence: what people do with the commands of system D, once with
//! the client and once with text lines.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Chat, Person, Server, Way};

const PASSWORD: &str = "open-sesame";

/// Somebody who has just made an account.
fn registered(server: &Server, way: Way, name: &str) -> Person {
    let mut person = match way {
        Way::Client => Person::Chat(Chat::start(server.addr(), &[])),
        Way::Lines => Person::Text(crate::support::Text::connect(server.addr(), name)),
    };
    if way == Way::Client {
        person.expect("* who are you?");
    }
    person.ask(&format!("/register {name} {PASSWORD}"), &format!("* welcome, {name}"));
    person
}

/// Makes accounts and leaves again.
fn register(server: &Server, way: Way, names: &[&str]) {
    for name in names {
        let mut person = registered(server, way, name);
        person.ask("/exit", "* bye: goodbye");
        person.expect_end(0);
    }
}

#[test]
fn letters_wait_for_their_receiver_across_a_kill_of_the_server_in_the_client() {
    letters(Way::Client);
}

#[test]
fn letters_wait_for_their_receiver_across_a_kill_of_the_server_over_text_lines() {
    letters(Way::Lines);
}

fn letters(way: Way) {
    let mut server = Server::start(&[]);
    register(&server, way, &["bob"]);
    for round in 0..3 {
        let mut alice = server.person(way, "alice");
        for n in 0..40 {
            alice.type_line(&format!("/message BOB letter {round}.{n}."));
        }
        for _ in 0..40 {
            alice.expect("* bob is offline; kept until they log in");
        }
        server.kill_and_restart(&[]);
    }
    let mut bob = server.member(way, "bob", PASSWORD);
    bob.expect("letter 2.39.");
    let expected: Vec<String> =
        (0..120).map(|n| format!("alice whispers: letter {}.{}.", n / 40, n % 40)).collect();
    let heard = bob.all("letter ");
    assert_eq!(heard.len(), expected.len(), "{heard:?}");
    let same = heard.iter().zip(&expected).all(|(heard, expected)| heard.ends_with(expected));
    assert!(same, "lost, doubled or out of order: {heard:?}");
    // Who is online hears at once.
    let mut alice = server.person(way, "alice");
    alice.type_line("/whisper bob and now live");
    bob.expect("alice whispers: and now live");
    bob.ask("/exit", "* bye: goodbye");
    bob.expect_end(0);
    // Nothing is told twice, neither by this server nor by the next.
    let mut bob = server.member(way, "bob", PASSWORD);
    assert_eq!(bob.count("whispers"), 0);
    server.kill_and_restart(&[]);
    let mut bob = server.member(way, "bob", PASSWORD);
    assert_eq!(bob.count("whispers"), 0);
    server.stop();
}

#[test]
fn three_wrong_passwords_lock_that_name_for_who_gave_them() {
    let server = Server::start(&["--block-duration", "1h"]);
    register(&server, Way::Lines, &["bob"]);
    let mut thief = crate::support::Text::connect(server.addr(), "thief");
    for name in ["bob", "nobody"] {
        for answer in ["! wrong_password: wrong name or password"; 2] {
            thief.type_line(&format!("/login {name} not-this-one"));
            thief.lines.expect(answer);
        }
        thief.type_line(&format!("/login {name} not-this-one"));
        thief
            .lines
            .expect("! locked_out: too many wrong passwords or new accounts; try again in 3600 s");
        // The right one comes too late, and says no more than a wrong one.
        thief.type_line(&format!("/login {name} {PASSWORD}"));
        thief.lines.expect("! locked_out: too many wrong passwords or new accounts; try again in ");
    }
    thief.type_line("/whoelse");
    thief.lines.expect("! login_first: log in first");
    // Another name from the same place is another matter.
    thief.type_line("/login carol");
    thief.lines.expect("* welcome, carol");
    let log = server.stop();
    let refused = log.iter().filter(|line| line.contains("refused: wrong password for bob"));
    assert_eq!(refused.count(), 3, "{log:#?}");
    assert!(!log.iter().any(|line| line.contains(PASSWORD) || line.contains("not-this-one")));
}

#[test]
fn a_lock_is_over_when_its_time_is() {
    let server = Server::start(&["--block-duration", "1s"]);
    register(&server, Way::Lines, &["bob"]);
    let mut bob = crate::support::Text::connect(server.addr(), "bob");
    for _ in 0..3 {
        bob.type_line("/login bob not-this-one");
        bob.lines.expect_any(&[
            "! wrong_password: wrong name or password",
            "! locked_out: too many wrong passwords",
        ]);
    }
    // Asked again and again, which puts nothing off.
    until(|| {
        bob.type_line(&format!("/login bob {PASSWORD}"));
        bob.lines
            .expect_any(&["! locked_out: too many wrong passwords", "* welcome, bob"])
            .contains("welcome")
    });
    server.stop();
}

/// Asks until something is so; waits for nothing but the answers.
fn until(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "it never was so");
    }
}

#[test]
fn an_account_made_while_the_server_runs_is_its_own_and_no_guests() {
    let server = Server::start(&[]);
    let mut bob = server.person(Way::Lines, "bob");
    let mut gus = server.person(Way::Client, "gus");
    let mut carol = server.person(Way::Lines, "carol");
    bob.join("lobby");
    server.user(&["add", "Bob"], PASSWORD);
    bob.expect("* you are logged out: somebody registered the name; /login NAME to come back");
    gus.expect("* bob is offline");
    bob.ask("/login bob", "! password_needed: the name ");
    bob.ask("/say am I here?", "! login_first: log in first");
    bob.ask(&format!("/login bob {PASSWORD}"), "* welcome, Bob");
    gus.expect("* Bob is online");
    // Letters come, and go with the account.
    server.user(&["passwd", "bob"], "another-one");
    server.user(&["add", "dora"], PASSWORD);
    until_known(&mut carol, "/whisper dora hello", "* dora is offline; kept until they log in");
    let mut dora = server.member(Way::Client, "dora", PASSWORD);
    dora.expect("carol whispers: hello");
    // The password of before is worth nothing.
    bob.ask("/logout", "* you are logged out; /login NAME to come back");
    bob.ask(&format!("/login bob {PASSWORD}"), "! wrong_password: wrong name or password");
    bob.ask("/login bob another-one", "* welcome, Bob");
    server.user(&["remove", "dora"], PASSWORD);
    dora.expect("* you are logged out: the account was removed");
    until_known(&mut carol, "/whisper dora hello", "! no_such_user: there is no user dora");
    server.stop();
}

/// Asks until the server has learnt what another process has done, which takes it a second.
fn until_known(person: &mut Person, line: &str, expected: &str) {
    until(|| person.ask(line, "dora").contains(expected));
}

#[test]
fn where_there_are_no_guests_nobody_comes_in_without_a_password() {
    let server = Server::start(&["--accounts-guests", "false"]);
    let mut alice = crate::support::Text::connect(server.addr(), "alice");
    alice.type_line("/login alice");
    alice.lines.expect("! password_needed: the name alice needs a password");
    alice.type_line(&format!("/login alice {PASSWORD}"));
    alice.lines.expect("! wrong_password: wrong name or password");
    alice.type_line(&format!("/register alice {PASSWORD}"));
    alice.lines.expect("* welcome, alice");
    server.stop();
}

#[test]
fn where_registration_is_closed_the_owner_alone_makes_accounts() {
    let server = Server::start(&["--accounts-registration", "closed"]);
    let mut alice = crate::support::Text::connect(server.addr(), "alice");
    alice.type_line(&format!("/register alice {PASSWORD}"));
    alice.lines.expect(
        "! registration_closed: only the owner of this server can add accounts; ask them for one",
    );
    alice.type_line("/login alice");
    alice.lines.expect("* welcome, alice");
    server.user(&["add", "alice"], PASSWORD);
    alice.lines.expect("* you are logged out: somebody registered the name");
    let mut chat = server.member(Way::Client, "alice", PASSWORD);
    chat.sync();
    server.stop();
}

#[test]
fn the_client_takes_a_password_from_its_environment_and_sends_it_for_one_name() {
    let server = Server::start(&[]);
    register(&server, Way::Lines, &["bob", "eve"]);
    let mut bob = server.member(Way::Client, "bob", PASSWORD);
    bob.ask("/logout", "* you are logged out");
    bob.ask("/login eve", "! password_needed: no password was given; use PARLOR_PASSWORD");
    bob.ask("/login eve not-this-one", "! wrong_password: wrong name or password");
    bob.ask("/login bob", "* welcome, bob");
    let mut wrong = server.newcomer_with(Way::Client, "eve", "not-this-one");
    wrong.expect("! wrong_password: wrong name or password");
    wrong.ask("/exit", "* bye: goodbye");
    wrong.expect_end(3);
    server.stop();
}

#[test]
fn a_client_that_comes_back_needs_no_password_and_has_its_letters_once() {
    let mut server = Server::start(&[]);
    register(&server, Way::Lines, &["bob"]);
    let options = ["--user", "bob", "--reconnect-for", "1h"];
    let mut bob = Chat::start_with(server.addr(), &options, Some(PASSWORD));
    bob.type_line("/join lobby");
    bob.lines.expect("* you are in lobby: bob");
    let listen = server.addr().to_owned();
    server.signal(Signal::KILL);
    bob.lines.expect("* connection lost: the server ");
    server.kill_and_restart(&["--listen", &listen]);
    bob.lines.expect("* back as bob in lobby");
    let mut alice = server.person(Way::Lines, "alice");
    alice.ask("/message bob hello", "* sent to bob");
    bob.lines.expect("alice whispers: hello");
    let log = server.stop();
    assert!(log.iter().any(|line| line.contains("bob")));
}

#[test]
fn blocks_and_presence_in_the_client() {
    blocks_and_presence(Way::Client);
}

#[test]
fn blocks_and_presence_over_text_lines() {
    blocks_and_presence(Way::Lines);
}

fn blocks_and_presence(way: Way) {
    let mut server = Server::start(&[]);
    let mut alice = registered(&server, way, "alice");
    let mut bob = registered(&server, way, "bob");
    alice.expect("* bob is online");
    let mut carol = server.person(way, "carol");
    alice.ask("/whoelse", "* others online, 2: bob, carol");

    // To everybody, in no room.
    alice.type_line("/broadcast to all of you");
    bob.expect("alice to everybody: to all of you");
    carol.expect("alice to everybody: to all of you");

    bob.ask("/block ALICE", "* done");
    bob.ask("/block alice", "! already_blocked: you have already blocked alice");
    bob.ask("/block bob", "! to_yourself: that is you");
    bob.ask("/block nobody", "! no_such_user: there is no user");
    bob.ask("/blocked", "* blocked by you, 1: alice");
    let note = "* heard by 1; some did not get it because of a block";
    alice.ask("/broadcast some of you", note);
    carol.expect("alice to everybody: some of you");
    alice.ask("/message bob psst", "! blocked: bob has blocked you");
    for person in [&mut alice, &mut bob, &mut carol] {
        person.join("lobby");
    }
    alice.ask("in the room", note);
    carol.expect("[lobby] alice: in the room");
    // Neither sees the other; who blocks is heard all the same.
    alice.ask("/whoelse", "* others online, 1: carol");
    bob.ask("/whoelse", "* others online, 1: carol");
    bob.type_line("I am talking");
    alice.expect("[lobby] bob: I am talking");
    for quiet in ["some of you", "psst", "in the room", "alice joined"] {
        assert_eq!(bob.count(quiet), 0, "{quiet}");
    }

    // A block lasts, also over a restart.
    server.kill_and_restart(&[]);
    let mut alice = server.member(way, "alice", PASSWORD);
    let mut bob = server.member(way, "bob", PASSWORD);
    alice.ask("/message bob psst", "! blocked: bob has blocked you");
    assert_eq!(alice.count("* bob is online"), 0);
    bob.ask("/unblock alice", "* done");
    bob.ask("/unblock alice", "! not_blocked: you have not blocked alice");
    bob.ask("/blocked", "* blocked by you, 0");
    alice.type_line("/message bob psst again");
    bob.expect("alice whispers: psst again");

    // Who was here within a time, and who is gone.
    let mut dora = server.person(way, "dora");
    alice.expect("* dora is online");
    dora.ask("/exit", "* bye: goodbye");
    alice.expect("* dora is offline");
    alice.ask("/whoelse", "* others online, 1: bob");
    alice.ask("/whoelsesince 1000", "* others online within 1000 s, 2: bob, dora");
    server.stop();
}

#[test]
fn who_asks_for_nothing_is_logged_out_and_the_others_are_told() {
    for way in [Way::Client, Way::Lines] {
        let server = Server::start(&["--timeout", "2s"]);
        let mut idle = server.person(way, "idle");
        idle.join("lobby");
        let mut busy = server.person(Way::Lines, "busy");
        busy.join("lobby");
        // Busy asks for something until the other one is gone; a sign of life is no command.
        until(|| {
            busy.type_line("/who");
            busy.expect_any(&[" in lobby: ", "[lobby] idle left"]).contains("left")
        });
        busy.expect("* idle is offline");
        idle.expect("* you are logged out: you have sent no command for too long");
        idle.ask("/login idle", "* welcome, idle");
        busy.expect("* idle is online");
        server.stop();
    }
}
