//! Commands of somebody who chats meanwhile.

use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::{Server, Text, Way, content};
use crate::{PASSWORD, Person};

/// Alice, who chats and runs commands: as many as there are take none of her one session.
#[test]
fn what_an_account_sends_gets_lists_and_says_is_done_while_its_user_chats() {
    let server = Server::start(&["--accounts-sessions", "1"]);
    let (alice, bob) = (Person::member(&server, "alice"), Person::member(&server, "bob"));
    let mut chat = server.member(Way::Client, "alice", PASSWORD);
    chat.join("lobby");
    let mut eve = server.person(Way::Lines, "eve");
    eve.join("lobby");

    assert_eq!(alice.done("say", &["--room", "lobby", "from a script"]), "");
    eve.expect("[lobby] alice: from a script");
    assert_eq!(alice.done("say", &["--to", "eve", "psst"]), "");
    eve.expect("alice whispers: psst");
    let (report, photo) = (content(1, 300_000), content(2, 1000));
    alice.write("report.pdf", &report);
    alice.write("photo", &photo);
    let number = alice.sends(&["--to", "bob", "report.pdf"]);
    alice.sends(&["--room", "lobby", "photo"]);
    eve.expect("alice sends photo");
    bob.done("get", &[&number]);
    assert_eq!(bob.read("report.pdf"), report);

    bob.write("plan", b"for alice");
    bob.sends(&["--to", "alice", "plan"]);
    chat.expect("bob sends you plan");
    let files = alice.done("files", &["--room", "lobby", "--json"]);
    let files: Vec<Value> = serde_json::from_str(&files).unwrap();
    let names: Vec<_> = files.iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["photo", "plan"]);
    alice.done("get", &["plan"]);
    assert_eq!(alice.read("plan"), b"for alice");

    // Nobody saw her come or go, and she is where she was.
    chat.say("I am still here", 1);
    eve.expect("[lobby] alice: I am still here");
    assert_eq!(eve.count("alice joined"), 0);
    assert_eq!(eve.count("alice left"), 0);
    assert_eq!(eve.count("alice is"), 0);
    for person in [&mut chat, &mut eve] {
        person.type_line("/exit");
    }
    chat.expect_end(0);
}

/// Alice, who sees her sessions with netcat.
fn watcher(server: &Server) -> Text {
    let mut text = Text::connect(server.addr(), "alice");
    text.type_line(&format!("/login alice {PASSWORD}"));
    text.lines.expect("* welcome, ");
    text
}

/// Waits until so many of her commands are under way; answers with their lines.
fn errands(text: &mut Text, count: usize) -> Vec<String> {
    let mut before = 0;
    loop {
        text.type_line("/sessions");
        text.type_line("/ping");
        text.lines.expect("* pong");
        let all = text.lines.all("* errand ");
        if all.len() - before == count {
            return all[before..].iter().map(|&line| line.to_owned()).collect();
        }
        before = all.len();
    }
}

/// A command that continues until its input ends.
fn lasting(alice: &Person<'_>, args: &[&str]) -> Child {
    let mut say = alice.command("say", &[&["--room", "lobby"], args].concat());
    say.stdin(Stdio::piped()).spawn().unwrap()
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_command_is_in_the_list_of_sessions_as_an_errand_and_with_its_device() {
    let server = Server::start(&[]);
    let alice = Person::member(&server, "alice");
    let mut text = watcher(&server);
    let child = lasting(&alice, &["--device", "the cron of box"]);
    let lines = errands(&mut text, 1);
    assert!(lines[0].contains(" on the cron of box: "), "{lines:?}");
    end(child);
}

#[test]
fn too_many_commands_at_once_are_told_to_wait() {
    let server = Server::start(&[]);
    let alice = Person::member(&server, "alice");
    let mut text = watcher(&server);
    let running: Vec<_> = (0..16).map(|_| lasting(&alice, &[])).collect();
    errands(&mut text, 16);
    let said = alice.refused(3, "files", &[]);
    let told = "! you have 16 errands under way, the limit; wait until one";
    assert!(said.contains(told), "{said}");
    running.into_iter().for_each(end);
    assert_eq!(alice.done("files", &["--json"]), "[]\n");
}
