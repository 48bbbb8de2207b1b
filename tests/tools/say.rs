//! `parlor say`: what is heard of it, and its exit codes.

use crate::support::{Server, Text};
use crate::{PASSWORD, Person, with_input};

/// Somebody who listens in the lobby, with netcat.
fn listener(server: &Server) -> Text {
    let mut eve = Text::connect(server.addr(), "eve");
    eve.type_line("/login eve");
    eve.lines.expect("* welcome, ");
    eve.type_line("/join lobby");
    eve.lines.expect("* you are in lobby");
    eve
}

#[test]
fn a_line_is_heard_in_the_room_and_nowhere_else() {
    let server = Server::start(&[]);
    let mut eve = listener(&server);
    let bob = Person::guest(&server, "bob");
    assert_eq!(bob.done("say", &["--room", "lobby", "/exit is no command here"]), "");
    eve.lines.expect("[lobby] bob: /exit is no command here");
    let ran = bob.run("say", &["--room", "nobodys", "hello?"]);
    assert_eq!((ran.code, ran.error.as_str()), (0, "* heard by nobody\n"));
}

#[test]
fn each_line_of_the_input_is_a_message_and_none_is_refused_for_coming_early() {
    let server = Server::start(&["--message-rate", "10"]);
    let mut eve = listener(&server);
    let bob = Person::guest(&server, "bob");
    let lines: Vec<String> = (0..15).map(|number| format!("line {number}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let ran = with_input(bob.command("say", &["--room", "lobby", "-"]), &lines);
    assert_eq!((ran.code, ran.error.as_str()), (0, ""));
    for line in lines {
        eve.lines.expect(&format!("[lobby] bob: {line}"));
    }
    let ran = bob.run("say", &["--to", "eve", "one\n\ntwo"]);
    assert_eq!((ran.code, ran.error.as_str()), (0, ""));
    eve.lines.expect("bob whispers: one");
    eve.lines.expect("bob whispers: two");
}

#[test]
fn what_is_kept_for_somebody_who_is_away_is_said_and_told() {
    let server = Server::start(&[]);
    let (alice, bob) = (Person::member(&server, "alice"), Person::member(&server, "bob"));
    let ran = bob.run("say", &["--to", "alice", "the backup is done"]);
    let told = "* alice is offline; kept until they log in\n";
    assert_eq!((ran.code, ran.error.as_str()), (0, told), "{ran:?}");
    // A command takes nothing away that is kept for a person.
    alice.done("say", &["--room", "lobby", "hi"]);
    let mut text = Text::connect(server.addr(), "alice");
    text.type_line(&format!("/login alice {PASSWORD}"));
    text.lines.expect("bob whispers: the backup is done");
}

#[test]
fn what_is_refused_is_3_and_what_makes_no_sense_is_2() {
    let server = Server::start(&[]);
    let bob = Person::member(&server, "bob");
    for (args, code) in [
        (&["--to", "nobody", "hi"][..], "there is no user nobody"),
        (
            &["--room", "lobby", "a\x07b"],
            "invalid message: it contains the control character U+0007",
        ),
    ] {
        let said = bob.refused(3, "say", args);
        assert!(said.contains(&format!("! {code}")), "{args:?}: {said}");
    }
    let wrong = Person { password: Some("wrong"), ..Person::guest(&server, "bob") };
    assert!(
        wrong.refused(3, "say", &["--room", "lobby", "hi"]).contains("! wrong name or password")
    );
    // Lines of the input are no answers to a question.
    let none = Person { password: None, ..Person::guest(&server, "bob") };
    let ran = with_input(none.command("say", &["--room", "lobby"]), &[PASSWORD]);
    assert_eq!(ran.code, 3);
    assert!(ran.error.contains("PARLOR_PASSWORD or --password-file"), "{ran:?}");
    for args in [&["hi"][..], &["--to", "a b", "hi"], &["--to", "eve", "--room", "lobby", "hi"]] {
        bob.refused(2, "say", args);
    }
    assert!(bob.refused(2, "say", &["--room", "lobby", " "]).contains("TEXT: "));
}
