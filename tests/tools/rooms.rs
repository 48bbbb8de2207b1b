//! `parlor chat` in several rooms: what is heard where, where words and files go, and coming back
//! to all of them.

use crate::support::{Chat, Server, Text};
use crate::{PASSWORD, Person};

const BACK: [&str; 2] = ["--reconnect-for", "60s"];

/// Somebody with netcat in a room.
fn listener(server: &Server, name: &str, room: &str) -> Text {
    let mut text = Text::connect(server.addr(), name);
    text.type_line(&format!("/login {name}"));
    text.lines.expect("* welcome, ");
    text.type_line(&format!("/join {room}"));
    text.lines.expect(&format!("* you are in {room}"));
    text
}

/// Alice, in the lobby and, beside it, in the kitchen, which is current.
fn alice(server: &Server, addr: &str, password: Option<&str>) -> Chat {
    let _ = server;
    let options = [&["--user", "alice"][..], &BACK[..]].concat();
    let mut alice = Chat::start_with(addr, &options, password);
    alice.lines.expect("* welcome, alice");
    alice.type_line("/join lobby");
    alice.lines.expect("* you are in lobby: ");
    alice.type_line("/open kitchen");
    alice.lines.expect("* you speak in kitchen and hear lobby too");
    alice
}

#[test]
fn all_rooms_are_heard_and_what_is_said_goes_to_the_current_one() {
    let server = Server::start(&[]);
    let (mut eve, mut bob) =
        (listener(&server, "eve", "lobby"), listener(&server, "bob", "kitchen"));
    let mut alice = alice(&server, server.addr(), None);
    for (text, room) in [(&mut eve, "lobby"), (&mut bob, "kitchen")] {
        text.type_line("hi");
        alice
            .lines
            .expect(&format!("[{room}] {}: hi", if room == "lobby" { "eve" } else { "bob" }));
    }
    alice.type_line("one");
    alice.lines.expect("* said in kitchen");
    bob.lines.expect("[kitchen] alice: one");
    alice.type_line("/room lobby");
    alice.lines.expect("* you speak in lobby and hear kitchen too");
    std::fs::write(alice.dir().join("f"), "hello").unwrap();
    alice.type_line("/upload f");
    alice.type_line("two");
    alice.lines.expect("* said in lobby");
    eve.lines.expect("[lobby] alice: two");
    alice.lines.expect(": f sent");
    eve.type_line("/files");
    eve.lines.expect(" to shelf of lobby");
    alice.type_line("/leave kitchen");
    alice.lines.expect("* you left kitchen");
    bob.lines.expect("[kitchen] alice left");
    assert!(bob.lines.all("two").is_empty() && eve.lines.all("alice: one").is_empty());
}

#[test]
fn after_a_break_and_after_a_restart_alice_is_in_both_and_speaks_in_the_same_one() {
    // A restarted server listens where it did.
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("sock");
    let listen = format!("--listen=unix:{}", place.display());
    let mut server = Server::start(&[&listen]);
    drop(Person::member(&server, "alice"));
    let addr = format!("unix:{}", place.display());
    let mut alice = alice(&server, &addr, Some(PASSWORD));
    alice.type_line("/open attic");
    alice.lines.expect("* you speak in attic and hear kitchen, lobby too");
    alice.type_line("/room kitchen");
    alice.lines.expect("* you speak in kitchen and hear attic, lobby too");
    server.kill_and_restart(&[&listen]);
    alice.lines.expect("* back as alice in kitchen");
    alice.lines.expect("* you speak in kitchen and hear attic, lobby too");
    let (mut eve, mut bob) =
        (listener(&server, "eve", "lobby"), listener(&server, "bob", "kitchen"));
    alice.lines.expect("[lobby] eve joined");
    alice.type_line("here again");
    bob.lines.expect("[kitchen] alice: here again");
    eve.type_line("/who attic");
    eve.lines.expect("* 1 in attic: alice");
}
