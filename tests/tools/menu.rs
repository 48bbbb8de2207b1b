//! The menu, through a pipe as a script uses it.

use crate::support::{Lines, Server, Way, content};
use crate::{Person, Ran, with_input};

fn menu(person: &Person<'_>, options: &[&str], lines: &[&str]) -> (i32, String) {
    let Ran { code, out, error } = with_input(person.command("menu", options), lines);
    (code, String::from_utf8(out).unwrap() + &error)
}

#[test]
fn all_six_choices_do_what_they_say() {
    let server = Server::start(&[]);
    let (alice, bob) = (Person::member(&server, "alice"), Person::member(&server, "bob"));
    let report = content(5, 100_000);
    alice.write("re port.pdf", &report);
    alice.write("note.txt", b"for bob");
    let answers = [
        "1",
        "re port.pdf",
        "", // on the shelf
        "1",
        "note.txt",
        "bob", // to a user
        "3",
        "4",
        "bob",
        "look at the shelf",
        "5",
        "6",
    ];
    let (code, shown) = menu(&alice, &[], &answers);
    assert_eq!(code, 0, "{shown}");
    assert_eq!(shown.matches("* your choice, 1 to 6:").count(), 6, "{shown}");
    assert!(shown.contains("re port.pdf  100000 bytes"), "{shown}");
    assert!(shown.contains("* 1 online: alice"), "{shown}");

    let answers = ["2", "re port.pdf", "download_file", "note.txt", "quit", "5"];
    std::fs::create_dir(bob.path("in")).unwrap();
    let (code, shown) = menu(&bob, &["--output", "in"], &answers);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("alice whispers: look at the shelf"), "{shown}");
    assert!(!shown.contains("online: bob"), "behind quit nothing is read: {shown}");
    assert_eq!(bob.read("in/re port.pdf"), report);
    assert_eq!(bob.read("in/note.txt"), b"for bob");
}

#[test]
fn the_answer_to_a_choice_comes_before_the_menu_is_shown_again() {
    let server = Server::start(&[]);
    let alice = Person::guest(&server, "alice");
    let (code, shown) = menu(&alice, &[], &["5", "5", "6"]);
    assert_eq!(code, 0, "{shown}");
    let kinds: Vec<&str> = shown
        .lines()
        .filter_map(|line| {
            let kinds = [("your choice", "menu"), ("online: alice", "who")];
            kinds.iter().find(|(part, _)| line.contains(part)).map(|(_, kind)| *kind)
        })
        .collect();
    assert_eq!(kinds, ["menu", "who", "menu", "who", "menu"], "{shown}");
}

#[test]
fn what_is_no_choice_or_is_refused_gets_a_word_and_the_menu_and_the_code_3() {
    let server = Server::start(&[]);
    let alice = Person::guest(&server, "alice");
    let (code, shown) = menu(&alice, &[], &["9", "2", "nowhere", "1", "nowhere", ""]);
    assert_eq!(code, 3, "{shown}");
    for word in ["! \"", "! there is no such file", "No such file or directory"] {
        assert!(shown.contains(word), "{word} in {shown}");
    }
    assert_eq!(shown.matches("* your choice, 1 to 6:").count(), 4, "{shown}");
    assert_eq!(menu(&alice, &[], &[]).0, 0, "the end of the input is quit");
}

#[test]
fn a_file_goes_to_a_room_and_to_the_shelf_of_the_room_one_is_in() {
    let server = Server::start(&[]);
    let alice = Person::member(&server, "alice");
    alice.write("f", b"x");
    let answers = ["1", "f", "room kitchen", "1", "f", "", "6"];
    let (code, shown) = menu(&alice, &["--room", "lobby"], &answers);
    assert_eq!(code, 0, "{shown}");
    let bob = Person::guest(&server, "bob");
    let listed = |room: &str| {
        let files = bob.done("files", &["--json", "--room", room]);
        let files: serde_json::Value = serde_json::from_str(&files).unwrap();
        let files = files.as_array().unwrap().clone();
        files.into_iter().map(|file| file["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((listed("kitchen"), listed("lobby")), (vec!["room".into()], vec!["shelf".into()]));
}

#[test]
fn what_others_do_is_shown_between_the_choices() {
    let server = Server::start(&[]);
    let mut bob = server.person(Way::Lines, "bob");
    let alice = Person::guest(&server, "alice");
    let mut child = alice.command("menu", &[]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let out = Box::new(child.stdout.take().unwrap());
    let mut lines = Lines::read("the menu", vec![out]);
    lines.expect("* your choice, 1 to 6:");
    bob.say("/whisper alice hello", 1);
    lines.expect("bob whispers: hello");
    drop(child.stdin.take());
    lines.expect_end();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
