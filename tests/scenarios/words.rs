//! Help, mistyped commands, and characters that no terminal may get.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::support::{Chat, Person, Server, Text, Way, frame};

#[test]
fn help_is_there_before_the_login_and_everywhere_after_it() {
    let server = Server::start(&[]);
    let mut chat = Chat::start(server.addr(), &[]);
    chat.lines.expect("* who are you? a name of 1 to 16 letters and digits:");
    has_help(Person::Chat(chat), "* /sendfile FILE [USER]  ", "alice");
    let text = Text::connect(server.addr(), "text");
    has_help(Person::Text(text), "* /sendfile FILE USER SIZE ", "/login bob");
    server.stop();
}

fn has_help(mut person: Person, sendfile: &str, login: &str) {
    let expect_help = |person: &mut Person| {
        person.type_line("/help");
        for command in ["join ROOM", "leave", "broadcast TEXT", "whisper USER TEXT", "exit"] {
            person.expect(&format!("* /{command} "));
        }
        person.expect(sendfile);
        person.sync();
    };
    expect_help(&mut person);
    person.ask(login, "* welcome, ");
    expect_help(&mut person);
    person.join("lobby");
    expect_help(&mut person);
    person.ask("/exit", "* bye: goodbye");
    person.expect_end(0);
}

#[test]
fn a_mistyped_command_is_never_said_in_the_client() {
    mistyped(Way::Client);
}

#[test]
fn a_mistyped_command_is_never_said_over_text_lines() {
    mistyped(Way::Lines);
}

fn mistyped(way: Way) {
    let server = Server::start(&[]);
    let mut alice = server.person(way, "alice");
    let mut bob = server.person(way, "bob");
    alice.join("lobby");
    bob.join("lobby");
    for (line, word) in [
        ("/wisper bob secret", "wisper"),
        ("/whisperbob secret", "whisperbob"),
        ("/ whisper bob secret", ""),
    ] {
        alice.ask(line, &format!("! unknown_op: unknown command `{word}`; /help lists them"));
    }
    for blank in [" ", "\t", "\u{a0}", "\u{200b}", "\u{3164}"] {
        let line = format!("{blank}/whisper bob secret");
        alice.ask(&line, "! bad_request: not a request: a command starts at the first character");
    }
    alice.ask("\u{feff}/wisper bob secret", "! unknown_op: unknown command `wisper`");
    alice.say("//whisper says a slash", 1);
    bob.expect("[lobby] alice: /whisper says a slash");
    alice.ask("/whisper", "! bad_request: not a request: write it as /whisper USER TEXT");
    alice.ask("/whisper secret", "! bad_request: ");
    alice.ask("/leave secret", "! not_there: you are not in that room");
    alice.ask("/leave the secret", "! bad_request: ");
    alice.say("no secret", 1);
    bob.expect("[lobby] alice: no secret");
    assert_eq!(bob.count("secret"), 1);
    server.stop();
}

/// What a hostile client may try, as it comes to others and to the log.
#[test]
fn nothing_of_a_hostile_client_reaches_a_terminal_or_the_log_as_it_is() {
    let server = Server::start(&["--log-level", "debug"]);
    let mut people = [server.person(Way::Client, "alice"), server.person(Way::Lines, "bob")];
    for person in &mut people {
        person.join("lobby");
    }
    let mut eve = Text::connect(server.addr(), "eve");
    eve.type_line("/login \x1b[2Jeve");
    eve.lines.expect("! bad_user_name: invalid user name");
    eve.type_line("/login eve");
    for line in
        ["/join \x1b[2J", "/\x1b[2J", "/whisper alice \x1b]0;owned\x07", "/whisper bob a\rb"]
    {
        eve.type_line(line);
        eve.lines.expect("! ");
    }
    eve.type_line("/join lobby");
    eve.lines.expect("* you are in lobby: ");
    eve.type_line("\x1b[31mred\x1b[0m");
    eve.lines.expect("! bad_text: invalid message: it contains the control character U+001B");
    eve.type_line("right\u{202e}tfel");
    eve.type_line("/sendfile a\x1b[2J.txt alice 3");
    eve.lines.expect("! bad_file_name: invalid file name");
    // A line feed can be said by those who have a program for it.
    let mut mallory = TcpStream::connect(server.addr()).unwrap();
    for json in [
        r#"{"id":1,"op":"login","user":"mallory"}"#,
        r#"{"id":2,"op":"join","room":"lobby"}"#,
        r#"{"id":3,"op":"say","text":"hi\n[lobby] alice: forged\n[2025-01-01 00:00:00] [ERROR] x"}"#,
    ] {
        mallory.write_all(&frame(json)).unwrap();
    }
    for person in &mut people {
        person.expect("[lobby] eve: right\\u{202e}tfel");
        person.expect("[lobby] mallory: hi\\n[lobby] alice: forged\\n[2025-01-01");
        assert_eq!(person.count("\\x1b"), 0, "what is refused is told to the sender alone");
        assert!(person.all("forged").iter().all(|line| line.contains("mallory: ")));
    }
    let log = server.stop();
    for line in &log {
        let clean = !line.chars().any(|c| c.is_control() || c == '\u{202e}');
        assert!(clean && line.starts_with("[20"), "{line:?}");
    }
    let has = |what: &str| log.iter().any(|line| line.contains(what));
    assert!(has("[BROADCAST] eve in lobby: right\\u{202e}tfel"));
    assert!(has("[BROADCAST] mallory in lobby: hi\\n[lobby] alice: forged\\n[2025-01-01"));
}

/// A server may be hostile too.
#[test]
fn nothing_of_a_hostile_server_reaches_a_terminal_as_it_is() {
    let limits = r#"{"user_name":16,"room_name":32,"frame":65536,"frame_before_login":1024,
        "message":4096,"chunk":32768,"file":1,"room_members":15,"upload_slots":5,
        "upload_waiting":64,"login_before_ms":30000,"heartbeat_ms":30000,"dead_after_ms":90000}"#;
    let greeting =
        format!(r#"{{"ev":"hello","protocol":1,"server":"evil\u001b[2J","limits":{limits}}}"#);
    let refused = r#"{"re":null,"error":{"code":"x\u001b[2J","text":"y\u0007"}}"#;
    let said = r#"{"ev":"said","room":"a","from":"b","text":"c\u001b[2J","at":1}"#;
    let last = r#"{"ev":"said","room":"a","from":"b","text":"last\u202e","at":1}"#;
    let frames = [greeting.as_str(), refused, said, last].map(frame).concat();
    let mut chat = answered_by(&frames);
    chat.lines.expect("* connected to evil\\x1b[2J; ");
    chat.lines.expect("[a] b: last\\u{202e}");
    assert!(chat.lines.all("b: c").is_empty());

    let mut chat = answered_by(b"go \x1b[2Jaway\r\n");
    chat.lines.expect("parlor: go \\x1b[2Jaway");
    assert_eq!(chat.expect_exit(), Some(4));
}

/// A client of a server that says this and waits.
fn answered_by(bytes: &[u8]) -> Chat {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let chat = Chat::start(&listener.local_addr().unwrap().to_string(), &["--user", "alice"]);
    let (mut socket, _) = listener.accept().unwrap();
    socket.write_all(bytes).unwrap();
    std::thread::spawn(move || socket.read_to_end(&mut Vec::new()));
    chat
}
