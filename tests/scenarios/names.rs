//! Scenarios 2 and 4: a name has one owner, and is free again when its owner has left.

use crate::support::{Server, Way};

#[test]
fn a_name_in_use_is_refused_and_another_one_works_in_the_client() {
    duplicate_name(Way::Client);
}

#[test]
fn a_name_in_use_is_refused_and_another_one_works_over_text_lines() {
    duplicate_name(Way::Lines);
}

fn duplicate_name(way: Way) {
    let server = Server::start(&[]);
    let mut alice = server.person(way, "Alice");
    let mut other = server.newcomer(way, "Alice");
    other.expect("! name_in_use: the name Alice is in use; choose another");
    other.ask("/login aLICE", "! name_in_use: the name ");
    other.ask("/join lobby", "! login_first: log in first: /login NAME");
    other.ask("/whisper Alice hello", "! login_first: log in first");
    for (name, why) in [("a_b", "only the letters"), ("abcdefghijklmnopq", "longer than 16")] {
        let line = other.ask(&format!("/login {name}"), "! bad_user_name: invalid user name");
        assert!(line.contains(why), "{line}");
    }
    other.ask("/login bob", "* welcome, bob");
    other.say("/whisper ALICE it is me", 1);
    alice.expect("bob whispers: it is me");
    assert_eq!(alice.count("whispers"), 1);
    let who = alice.ask("/who", " online: ");
    assert_eq!(who, "* 2 online: Alice, bob");
    server.stop();
}

#[test]
fn who_is_killed_leaves_once_and_frees_the_name_in_the_client() {
    killed(Way::Client);
}

#[test]
fn who_is_killed_leaves_once_and_frees_the_name_over_text_lines() {
    killed(Way::Lines);
}

fn killed(way: Way) {
    let server = Server::start(&["--upload-slots", "1"]);
    let mut alice = server.holder(way, "alice");
    let mut bob = server.person(way, "bob");
    let mut carol = server.person(way, "carol");
    alice.expect("* welcome, alice");
    for person in [&mut alice, &mut bob, &mut carol] {
        person.join("lobby");
    }
    // What the killed one holds is free as well: her slot goes to the next in line.
    alice.announce("hers.txt", b"hers", "bob").unwrap();
    let (theirs, place) = carol.announce("theirs.txt", b"theirs", "bob").unwrap();
    assert_eq!(place, 1);

    alice.kill();

    bob.expect("[lobby] alice left");
    carol.expect("[lobby] alice left");
    carol.upload(theirs, b"theirs");
    let offer = bob.offer();
    assert_eq!(bob.take(&offer).0, b"theirs");
    bob.say("still here", 1);
    carol.expect("bob: still here");
    let mut again = server.person(way, "alice");
    again.join("lobby");
    again.say("back", 2);
    bob.expect("alice: back");
    for person in [&mut bob, &mut carol] {
        assert_eq!(person.count("alice left"), 1);
    }
    let log = server.stop();
    let left =
        log.iter().filter(|line| line.contains("[LEAVE] User 'alice' left room 'lobby'")).count();
    assert_eq!(left, 2, "once when she was killed, once at the end");
}
