//! What goes well.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::Digest as _;

use crate::support::{Server, Way, content};
use crate::{Person, Ran};

/// The list as scripts read it.
fn list(person: &Person<'_>, args: &[&str]) -> Vec<Value> {
    let text = person.done("files", &[&["--json"], args].concat());
    let Value::Array(files) = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
    files
}

fn blake3(content: &[u8]) -> String {
    blake3::hash(content).to_hex().to_string()
}

fn sha256(content: &[u8]) -> String {
    sha2::Sha256::digest(content).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn a_file_for_somebody_who_is_away_is_taken_by_a_later_run() {
    let server = Server::start(&[]);
    let (alice, bob) = (Person::member(&server, "alice"), Person::member(&server, "bob"));
    let report = content(1, 300_000);
    alice.write("re port.pdf", &report);
    let printed = alice.done("send", &["--to", "bob", "re port.pdf"]);
    let (number, name) = printed.trim_end().split_once(' ').unwrap();
    assert!(number.parse::<u32>().is_ok() && name == "re port.pdf", "{printed}");

    assert_eq!(bob.done("get", &["re port.pdf"]), "re port.pdf\n");
    assert_eq!(blake3(&bob.read("re port.pdf")), blake3(&report));
    let again = bob.refused(3, "get", &[number]);
    assert!(again.contains("! there is no such file"), "{again}");
}

#[test]
fn the_members_of_a_room_take_a_file_of_the_room() {
    let server = Server::start(&[]);
    let (alice, bob) = (Person::member(&server, "alice"), Person::member(&server, "bob"));
    alice.write("f", b"for the room");
    let number = alice.sends(&["--room", "lobby", "f"]);
    assert!(list(&bob, &[]).is_empty());
    let files = list(&bob, &["--room", "lobby"]);
    assert_eq!((&files[0]["kind"], &files[0]["to"]), (&"room".into(), &"lobby".into()));
    let outside = bob.refused(3, "get", &[&number]);
    assert!(outside.contains("! "), "{outside}");
    bob.done("get", &["--room", "lobby", &number]);
    assert_eq!(bob.read("f"), b"for the room");
}

#[test]
fn the_shelf_is_listed_with_hashes_that_are_right() {
    let server = Server::start(&[]);
    let alice = Person::member(&server, "alice");
    let (one, two) = (content(1, 100_000), content(2, 5));
    alice.write("one.bin", &one);
    alice.write("two.txt", &two);
    let printed = alice.done("send", &["--shelf", "one.bin", "two.txt"]);
    assert_eq!(printed.lines().count(), 2, "{printed}");
    alice.sends(&["--shelf", "--room", "lobby", "two.txt"]);

    let bob = Person::guest(&server, "bob");
    let files = list(&bob, &[]);
    assert_eq!(files.len(), 2, "the shelf of a room is for who is in it: {files:?}");
    for (name, content) in [("one.bin", &one), ("two.txt", &two)] {
        let file = files.iter().find(|file| file["name"] == name).unwrap();
        assert_eq!(file["blake3"], blake3(content));
        assert_eq!(file["sha256"], sha256(content));
        assert_eq!((&file["size"], &file["from"]), (&content.len().into(), &"alice".into()));
        assert_eq!((&file["kind"], &file["to"]), (&"public".into(), &Value::Null));
        assert!(file["until_ms"].as_u64() > file["at_ms"].as_u64());
    }
    let lobby = list(&bob, &["--room", "lobby", "two*"]);
    let kinds: Vec<_> = lobby.iter().map(|file| file["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["public", "shelf"]);
    let shown = bob.done("files", &["--hash", "one*"]);
    assert!(shown.contains(&blake3(&one)) && shown.contains(&sha256(&one)), "{shown}");
    assert!(!shown.contains("two.txt"));
    assert_eq!(bob.done("files", &["--json", "three*"]), "[]\n");
}

#[test]
fn many_files_are_sent_and_listed_to_the_last() {
    let server = Server::start(&[]);
    let alice = Person::member(&server, "alice");
    let names: Vec<String> = (0..70).map(|n| format!("file{n}")).collect();
    for name in &names {
        alice.write(name, name.as_bytes());
    }
    let args: Vec<&str> = ["--shelf"].into_iter().chain(names.iter().map(String::as_str)).collect();
    assert_eq!(alice.done("send", &args).lines().count(), 70);
    let listed = list(&alice, &[]);
    let mut listed: Vec<_> = listed.iter().map(|file| file["name"].as_str().unwrap()).collect();
    listed.sort_unstable();
    listed.dedup();
    assert_eq!(listed.len(), 70);
}

#[test]
fn a_file_goes_where_it_is_told_and_never_over_another() {
    let server = Server::start(&[]);
    let alice = Person::member(&server, "alice");
    let text = content(3, 70_000);
    alice.write("f.txt", &text);
    let number = alice.sends(&["--shelf", "f.txt"]);

    let bob = Person::guest(&server, "bob");
    std::fs::create_dir(bob.path("folder")).unwrap();
    assert_eq!(bob.done("get", &["f.txt", "--output", "folder"]), "folder/f.txt\n");
    assert_eq!(bob.done("get", &[&number, "-o", "other.txt"]), "other.txt\n");
    assert_eq!(bob.done("get", &[&number]), "f.txt\n");
    for name in ["folder/f.txt", "other.txt", "f.txt"] {
        assert_eq!(bob.read(name), text, "{name}");
    }
    bob.write("mine.txt", b"mine");
    bob.write("folder/f.txt", &content(4, 70_000));
    assert_eq!(bob.done("get", &["f.txt"]), "f.txt\n", "it is the same and verified");
    for (args, name) in [
        (&[&number[..], "-o", "mine.txt"][..], "mine.txt"),
        (&["f.txt", "-o", "folder"], "folder/f.txt"),
    ] {
        let said = bob.refused(3, "get", args);
        assert!(said.contains(" exists and is another file") && said.contains(name), "{said}");
    }
    assert_eq!(bob.read("mine.txt"), b"mine");
    assert_eq!(std::fs::read_dir(bob.dir.path()).unwrap().count(), 4, "and nothing is left");
}

#[test]
fn a_file_goes_through_a_pipe() {
    let server = Server::start(&[]);
    let alice = Person::member(&server, "alice");
    let text = content(4, 1_000_000);
    alice.write("f.bin", &text);
    alice.write("empty", b"");
    alice.done("send", &["--shelf", "f.bin", "empty"]);
    let bob = Person::guest(&server, "bob");
    for (name, content) in [("f.bin", &text[..]), ("empty", b"")] {
        let Ran { code, out, error } = bob.run("get", &[name, "--output", "-"]);
        assert_eq!(code, 0, "{error}");
        assert_eq!(blake3(&out), blake3(content), "{name}");
        assert_eq!(std::fs::read_dir(bob.dir.path()).unwrap().count(), 0);
    }
}

/// The letters of a person are for when he looks.
#[test]
fn a_command_takes_no_message_away_that_a_person_should_read() {
    let server = Server::start(&[]);
    let (alice, bob) = (Person::member(&server, "alice"), Person::member(&server, "bob"));
    let chat =
        |person: &Person<'_>, lines: &[&str]| crate::with_input(person.command("chat", &[]), lines);
    assert_eq!(chat(&alice, &["/whisper bob read this"]).code, 0);
    alice.write("f", b"x");
    alice.done("send", &["--to", "bob", "f"]);
    let ran = bob.run("get", &["f"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.error.contains("read this"), "{ran:?}");
    bob.done("files", &[]);
    let mut bob = server.member(Way::Lines, "bob", crate::PASSWORD);
    bob.expect("alice whispers: read this");
}

/// As in `while read f; do parlor send … "$f"; done <list`.
#[test]
fn a_command_leaves_standard_input_to_others() {
    let server = Server::start(&[]);
    let alice = Person::member(&server, "alice");
    alice.write("f", b"x");
    alice.write("list", b"one\ntwo\nthree\n");
    let list = std::fs::File::open(alice.path("list")).unwrap();
    let mut send = alice.command("send", &["--shelf", "f"]);
    assert!(send.stdin(list.try_clone().unwrap()).output().unwrap().status.success());
    let left = std::io::read_to_string(list).unwrap();
    assert_eq!(left, "one\ntwo\nthree\n");
}
