//! The audit log: a line for each activity, in the form that the system before had.

use crate::support::{Server, Way};

#[test]
fn each_activity_is_a_line_with_its_time_and_its_category() {
    let server = Server::start(&[]);
    let mut alice = server.person(Way::Client, "alice12");
    let mut bob = server.person(Way::Lines, "bob23");
    server.newcomer(Way::Lines, "BOB23").expect("! name_in_use: the name ");
    alice.join("lobby");
    bob.join("lobby");
    alice.say("a secret to all", 1);
    alice.say("/whisper bob23 a secret to one", 1);
    let content = [7; 1024];
    let (transfer, _) = alice.announce("test.pdf", &content, "bob23").unwrap();
    alice.upload(transfer, &content);
    let offer = bob.offer();
    bob.take(&offer);
    alice.expect(": bob23 downloaded test.pdf");
    bob.ask("/leave", "* you left lobby");
    alice.ask("/exit", "* bye: goodbye");
    alice.expect_end(0);
    let log = server.stop();

    let mut rest = log.iter();
    let file = "alice12 -> bob23 (test.pdf, 1024 bytes)";
    for (category, text) in [
        ("SERVER", "Listening on 127.0.0.1:".to_owned()),
        ("CLIENT", "connected from 127.0.0.1:".to_owned()),
        ("LOGIN", "alice12 (".to_owned()),
        ("LOGIN", "bob23 (".to_owned()),
        ("LOGIN", "refused: BOB23 is in use".to_owned()),
        ("ROOM", "User 'alice12' made room 'lobby'".to_owned()),
        ("JOIN", "User 'alice12' joined room 'lobby' (1/15 clients)".to_owned()),
        ("JOIN", "User 'bob23' joined room 'lobby' (2/15 clients)".to_owned()),
        ("BROADCAST", "User 'alice12' in room 'lobby': 15 bytes (sent to 1/1 clients)".to_owned()),
        ("WHISPER", "alice12 -> bob23: 15 bytes".to_owned()),
        ("SENDFILE", format!("Announced: {file}")),
        ("FILE-QUEUE", format!("Added: {file} [1/5] waited 0.000 s")),
        ("SENDFILE", format!("Received: {file}")),
        ("FILE-QUEUE", format!("Removed: {file} handed over [0/5]")),
        ("SENDFILE", format!("Sent: {file} to bob23")),
        ("SENDFILE", format!("Delivered: {file} by bob23")),
        ("LEAVE", "User 'bob23' left room 'lobby' (1 clients remaining)".to_owned()),
        ("LEAVE", "User 'alice12' left room 'lobby' (0 clients remaining)".to_owned()),
        ("ROOM", "Room 'lobby' is gone (0 clients remaining)".to_owned()),
        ("DISCONNECT", "alice12 (".to_owned()),
        ("SHUTDOWN", "saying goodbye to ".to_owned()),
        ("DISCONNECT", "bob23 (".to_owned()),
        ("SHUTDOWN", "Stopped: ".to_owned()),
    ] {
        let tag = format!("] [{category}] ");
        let found = rest.any(|line| line.contains(&tag) && line.contains(&text));
        assert!(found, "no [{category}] {text} at its place in\n{}", log.join("\n"));
    }
    for line in &log {
        assert_eq!(shape(line), "[0000-00-00 00:00:00] [", "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
}

/// How a line begins, with a zero for each digit.
fn shape(line: &str) -> String {
    let begin = line.chars().take("[2025-05-31 14:02:42] [".len());
    begin.map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}
