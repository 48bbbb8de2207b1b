//! Scenarios 5 and 8: people go from room to room, leave and come back.

use crate::support::{Server, Way};

#[test]
fn joining_another_room_leaves_the_first_in_the_client() {
    switching(Way::Client);
}

#[test]
fn joining_another_room_leaves_the_first_over_text_lines() {
    switching(Way::Lines);
}

fn switching(way: Way) {
    let server = Server::start(&[]);
    let mut alice = server.person(way, "alice");
    let mut bob = server.person(way, "bob");
    let mut carol = server.person(way, "carol");
    alice.join("red");
    bob.ask("/join RED", "* you are in red: alice, bob");
    carol.join("blue");
    alice.say("in red", 1);
    bob.expect("[red] alice: in red");

    assert!(alice.join("blue").ends_with("* you are in blue: alice, carol"));
    bob.expect("[red] alice left");
    carol.expect("[blue] alice joined");
    alice.say("in blue", 1);
    carol.expect("[blue] alice: in blue");
    bob.say("alone", 0);
    alice.ask("/join blue", "! already_there: you are in that room already");
    assert_eq!(alice.ask("/rooms", "rooms: "), "* 2 rooms: blue (2), red (1)");
    bob.join("blue");
    assert_eq!(alice.ask("/rooms", "room: "), "* 1 room: blue (3)");

    assert_eq!(bob.count("[red] alice left"), 1);
    assert_eq!(bob.count("alice: in blue"), 0, "heard another room");
    assert_eq!(carol.count("[blue] alice joined"), 1);
    assert_eq!(carol.count("[red]"), 0, "heard another room");
    assert_eq!(alice.count("alone"), 0, "heard the room that was left");
    server.stop();
}

#[test]
fn who_leaves_hears_nothing_and_may_come_back_in_the_client() {
    leaving(Way::Client);
}

#[test]
fn who_leaves_hears_nothing_and_may_come_back_over_text_lines() {
    leaving(Way::Lines);
}

fn leaving(way: Way) {
    let server = Server::start(&[]);
    let mut alice = server.person(way, "alice");
    let mut bob = server.person(way, "bob");
    alice.join("lobby");
    bob.join("lobby");
    alice.ask("/leave", "* you left lobby");
    bob.expect("[lobby] alice left");
    alice.ask("hello", "! not_in_room: you are in no room; /join ROOM first");
    alice.ask("/leave", "! not_in_room: you are in no room");
    bob.say("without her", 0);
    assert!(alice.join("lobby").ends_with(": alice, bob"));
    bob.expect("[lobby] alice joined");
    bob.say("with her", 1);
    alice.expect("[lobby] bob: with her");
    alice.say("hello again", 1);
    bob.expect("[lobby] alice: hello again");

    bob.ask("/leave", "* you left lobby");
    alice.ask("/leave", "* you left lobby");
    alice.ask("/rooms", "* there are no rooms");
    assert!(bob.join("lobby").ends_with("* you are in lobby: bob"));
    assert_eq!(alice.count("without her"), 0);
    assert_eq!(bob.count("alice: hello"), 1);
    assert_eq!(bob.count("alice left"), 1);
    server.stop();
}
