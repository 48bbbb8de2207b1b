//! What goes wrong, and the exit codes that tell how.

use std::net::TcpListener;
use std::path::Path;

use crate::support::{Server, Way};
use crate::{PASSWORD, Person, Ran, parlor};

/// A command line of its own.
fn run(args: &[&str]) -> Ran {
    Ran::new(&parlor(Path::new("/"), args).output().unwrap())
}

#[test]
fn what_is_refused_is_3() {
    let server = Server::start(&["--file-max", "1KiB"]);
    let alice = Person::member(&server, "alice");
    alice.write("large", &[0; 2000]);
    alice.write("small", b"x");
    for (command, args, why) in [
        ("send", &["--shelf", "large"][..], "large: the file is too large: 1 KiB at most"),
        ("send", &["--to", "nobody", "small"], "small: there is no user nobody"),
        ("send", &["--to", "alice", "small"], "small: that is you"),
        ("send", &["--shelf", "nowhere"], "nowhere: No such file"),
        ("send", &["--shelf", "."], ".: it is a folder"),
        ("get", &["99"], "there is no such file for you; parlor files lists them"),
        ("get", &["nowhere.txt"], "there is no such file for you; parlor files lists them"),
    ] {
        let said = alice.refused(3, command, args);
        assert!(said.contains(&format!("! {why}")), "{args:?}: {said}");
    }
    // What can be done is done, and the code tells that not all of it was.
    let ran = alice.run("send", &["--shelf", "large", "small"]);
    assert_eq!(ran.code, 3);
    assert!(String::from_utf8(ran.out).unwrap().ends_with(" small\n"));
}

#[test]
fn a_login_that_is_refused_is_3() {
    let server = Server::start(&[]);
    let none = Person { password: None, ..Person::member(&server, "alice") };
    let wrong = Person { password: Some("wrong"), ..Person::guest(&server, "alice") };
    assert!(wrong.refused(3, "files", &[]).contains("! wrong name or password"));
    let said = none.refused(3, "files", &[]);
    assert!(said.contains("PARLOR_PASSWORD or --password-file"), "{said}");
    none.write("secret", PASSWORD.as_bytes());
    assert_eq!(none.done("files", &["--json", "--password-file", "secret"]), "[]\n");
}

/// It is in no room: it says which one it means.
#[test]
fn a_room_that_is_full_has_a_shelf_for_commands() {
    let server = Server::start(&["--room-members", "1"]);
    let mut alice = server.person(Way::Client, "alice");
    alice.join("lobby");
    let bob = Person::guest(&server, "bob");
    bob.write("f", b"x");
    bob.sends(&["--shelf", "--room", "lobby", "f"]);
    let carol = Person::guest(&server, "carol");
    assert_eq!(carol.done("files", &["--json"]), "[]\n", "it is on no other shelf");
    assert!(carol.done("files", &["--room", "lobby"]).contains(" f "));
}

#[test]
fn a_connection_that_cannot_be_made_or_breaks_is_1() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    drop(listener);
    for args in [
        &["send", &addr, "--user", "alice", "--shelf", "f"][..],
        &["get", &addr, "--user", "alice", "f"],
        &["files", &addr, "--user", "alice"],
        &["menu", &addr, "--user", "alice"],
    ] {
        let ran = run(args);
        assert_eq!((ran.code, &ran.out[..]), (1, &b""[..]), "{ran:?}");
        assert!(ran.error.contains("cannot connect to 127.0.0.1:"), "{ran:?}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let hangs_up = std::thread::spawn(move || drop(listener.accept()));
    let ran = run(&["files", &addr, "--user", "alice"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    hangs_up.join().unwrap();
}

#[test]
fn a_mistake_on_the_command_line_is_2_and_nobody_is_called() {
    for (args, word) in [
        (&["send", "addr", "f"][..], "--to"),
        (&["send", "addr", "--to", "bob"], "<FILE>"),
        (&["send", "addr", "--to", "bob", "--shelf", "f"], "cannot be used with"),
        (&["send", "addr", "--to", "bob", "--room", "lobby", "f"], "cannot be used with"),
        (&["send", "addr", "--user", "alice", "--to", "no.name", "f"], "--to no.name: "),
        (&["send", "addr", "--user", "no.name", "--to", "bob", "f"], "--user no.name: "),
        (&["send", "addr", "--user", "a", "--room", "no.room", "f"], "--room no.room: "),
        (&["send", "addr", "--shelf", "f"], "--user NAME"),
        (&["send", "addr", "--password", "x", "--shelf", "f"], "PARLOR_PASSWORD"),
        (&["get", "addr"], "<NUMBER|FILENAME>"),
        (&["get", "addr", "a", "b"], "b: not known here"),
        (&["files"], "<ADDR>"),
        (&["files", "addr", "--xml"], "--xml: not known here"),
        (&["menu", "addr", "--user", "a", "--output", "nowhere"], "no such folder"),
    ] {
        let ran = run(args);
        assert_eq!((ran.code, &ran.out[..]), (2, &b""[..]), "{args:?}: {ran:?}");
        assert!(ran.error.contains(word), "{args:?}: {ran:?}");
        assert_eq!(ran.error.matches('\n').count(), 1, "{ran:?}");
    }
}

#[test]
fn each_help_has_an_example() {
    for (command, example) in [
        ("send", "\n  parlor send 10.0.0.7 --user alice --to bob report.pdf\n"),
        ("get", "\n  parlor get 10.0.0.7 --user bob 17\n"),
        ("files", "\n  parlor files 10.0.0.7 --user bob '*.pdf'\n"),
        ("menu", "\n  parlor menu 10.0.0.7 --user alice\n"),
    ] {
        let ran = run(&[command, "--help"]);
        let help = String::from_utf8(ran.out).unwrap();
        assert!(ran.code == 0 && help.contains(example), "{help}");
    }
}
