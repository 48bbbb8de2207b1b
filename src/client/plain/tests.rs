//! Whole conversations over a socket, with a server of a few lines.

use super::given::{device_from_host, named, password, user_from_account};
use super::*;
use crate::client::errand::Whom;
use crate::client::start::Start;
use crate::front::{Front, Incoming, TRUSTED, native};
use crate::id::LetterId;
use crate::limits::{Limits, USER_NAME_MAX};
use crate::message::{CloseReason, Command, Event, Greeting, Names, Op, Proof, Refusal, Reply};
use crate::message::{RoomName, Secret, Text, UserName};

use std::net::{Shutdown, TcpListener, TcpStream as Peer};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// Reads the requests of a client until it leaves and refuses what is no part of coming and going;
/// answers with what it refused.
fn serve(mut peer: Peer) -> usize {
    let limits = Greeting::new(&Limits::default());
    let hello = Event::Hello { protocol: 1, server: "parlor".to_owned(), limits };
    peer.write_all(&native::emit_event(&hello)).unwrap();
    let (mut bytes, mut scratch, mut refused) = (Vec::new(), [0; 4096], 0);
    loop {
        let count = peer.read(&mut scratch).unwrap();
        assert!(count > 0, "the client says goodbye before it goes");
        bytes.extend_from_slice(&scratch[..count]);
        while let Some((message, taken)) = Front::Native.read(&bytes, TRUSTED).unwrap() {
            let Incoming::Request { id, command: Ok(command) } = message else {
                panic!("not a request: {message:?}");
            };
            let answer = match &command {
                Command::Hello { .. } | Command::Exit => Ok(Reply::Done),
                Command::Login { user, .. } => Ok(Reply::welcome(UserName::parse(user).unwrap())),
                _ => Err(Refusal::NotInRoom),
            };
            refused += usize::from(answer.is_err());
            peer.write_all(&native::emit_answer(id, &answer)).unwrap();
            if command == Command::Exit {
                let bye = Event::Bye { reason: CloseReason::Exit, back: false, missed: 0 };
                peer.write_all(&native::emit_event(&bye)).unwrap();
                return refused;
            }
            bytes.drain(..taken);
        }
    }
}

/// Says one thing and closes, whatever the client says.
fn turn_away(mut peer: Peer, words: &[u8]) -> usize {
    peer.write_all(words).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    // Until the client has left, so that nothing it sends resets the connection.
    let _ = io::copy(&mut peer, &mut io::sink());
    0
}

/// Runs a whole client that types these lines; answers with its outcome, what it showed, and what
/// the server has to tell.
fn converse(
    server: impl FnOnce(Peer) -> usize + Send + 'static,
    lines: &[&str],
) -> (ClientOutcome, Vec<String>, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = connect(&listener.local_addr().unwrap().to_string()).unwrap();
    let server = std::thread::spawn(move || server(listener.accept().unwrap().0));
    let (sender, typed) = mpsc::sync_channel(lines.len() + 1);
    for line in lines {
        sender.send(Typed::Line((*line).to_owned())).unwrap();
    }
    sender.send(Typed::End).unwrap();
    let (shown, screen) = mpsc::channel();
    let chat = Chat::new(Start::of(Some("bob")));
    let mut plain = Plain::new(chat, socket, Box::new(Screen(shown))).unwrap();
    plain.typed = Some(typed);
    let outcome = plain.run().unwrap();
    drop(plain);
    let shown: Vec<u8> = screen.iter().flatten().collect();
    let shown = String::from_utf8(shown).unwrap().lines().map(str::to_owned).collect();
    (outcome, shown, server.join().unwrap())
}

/// Answers as a server does to the request `last`, and then is gone; tells what it was asked.
fn serve_until(peer: &mut Peer, last: Op) -> Vec<String> {
    let limits = Greeting::new(&Limits::default());
    let hello = Event::Hello { protocol: 1, server: "parlor".to_owned(), limits };
    peer.write_all(&native::emit_event(&hello)).unwrap();
    let (mut bytes, mut asked) = (Vec::new(), Vec::new());
    loop {
        while let Some((message, taken)) = Front::Native.read(&bytes, TRUSTED).unwrap() {
            let Incoming::Request { id, command: Ok(command) } = message else {
                panic!("not a request: {message:?}");
            };
            peer.write_all(&native::emit_answer(id, &Ok(reply(&command)))).unwrap();
            asked.push(match &command {
                Command::Login { proof: Proof::Token(Secret(token)), .. } => token.to_string(),
                Command::Join { room, open: false } => room.to_string(),
                Command::Say { text, .. } => text.to_string(),
                other => other.op().name().to_owned(),
            });
            if command.op() == last {
                return asked;
            }
            bytes.drain(..taken);
        }
        let mut scratch = [0; 4096];
        let count = peer.read(&mut scratch).unwrap();
        assert!(count > 0, "the end instead of {last:?}");
        bytes.extend_from_slice(&scratch[..count]);
    }
}

fn reply(command: &Command<'_>) -> Reply {
    match command {
        Command::Login { user, .. } => Reply::Welcome {
            user: UserName::parse(user).unwrap(),
            guest: false,
            token: "t1".to_owned(),
            room: None,
            rooms: Vec::new(),
        },
        Command::Join { room, open: false } => Reply::Joined {
            room: RoomName::parse(room).unwrap(),
            members: Names { users: Vec::new(), total: 1 },
        },
        Command::Say { .. } => Reply::heard(1),
        _ => Reply::Done,
    }
}

fn options(user: &str, dir: &str) -> Options {
    Options {
        errand: Errand::Talk,
        room: None,
        folder: None,
        addr: "127.0.0.1:1".to_owned(),
        device: None,
        user: Some(user.to_owned()),
        password: None,
        password_file: None,
        accept_files: Some(dir.into()),
        json: false,
        stay: false,
        reconnect: true,
        reconnect_for: None,
    }
}

struct Screen(mpsc::Sender<Vec<u8>>);

impl io::Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_conversation_comes_and_goes() {
    let (outcome, shown, refused) = converse(serve, &[]);
    let expected = ["* connected to parlor; /help for help", "* welcome, bob", "* bye: goodbye"];
    assert_eq!(shown, expected);
    assert_eq!((outcome, refused), (ClientOutcome::Fine, 0));
}

#[test]
fn all_that_is_piped_in_is_asked_and_answered_before_it_leaves() {
    let lines = vec!["hello to nobody"; 5000];
    let (outcome, shown, refused) = converse(serve, &lines);
    assert_eq!((outcome, refused), (ClientOutcome::Refused, 5000));
    assert_eq!(shown.iter().filter(|line| line.starts_with("! ")).count(), 5000);
}

#[test]
fn lines_that_cause_nothing_do_not_hold_up_those_behind_them() {
    let (outcome, _, _) = converse(serve, &vec![""; 3 * LINES_STEP]);
    assert_eq!(outcome, ClientOutcome::Fine);
}

#[test]
fn the_last_words_of_a_server_are_heard_though_it_has_closed() {
    let (outcome, _, _) = converse(|peer| turn_away(peer, b"parlor: full\r\n"), &["hi"]);
    assert_eq!(outcome, ClientOutcome::Goodbye);
    let (outcome, _, _) = converse(|peer| turn_away(peer, b""), &["hi"]);
    assert_eq!(outcome, ClientOutcome::Broken);
}

#[test]
fn a_server_that_closes_and_comes_back_is_gone_back_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let socket = connect(&addr).unwrap();
    let (sender, typed) = mpsc::sync_channel(4);
    sender.send(Typed::Line("/join lobby".to_owned())).unwrap();
    let server = std::thread::spawn(move || {
        let mut asked = vec![serve_until(&mut listener.accept().unwrap().0, Op::Join)];
        let mut peer = listener.accept().unwrap().0;
        // Typed while the client is out.
        sender.send(Typed::Line("here I am".to_owned())).unwrap();
        sender.send(Typed::End).unwrap();
        asked.push(serve_until(&mut peer, Op::Exit));
        asked
    });
    let (shown, screen) = mpsc::channel();
    let start = Start { returns_for: Some(Duration::MAX), ..Start::of(Some("bob")) };
    let mut plain = Plain::new(Chat::new(start), socket, Box::new(Screen(shown))).unwrap();
    plain.addr = addr;
    plain.typed = Some(typed);
    assert_eq!(plain.run().unwrap(), ClientOutcome::Fine);
    drop(plain);
    let asked = server.join().unwrap();
    assert_eq!(asked[0], ["hello", "login", "lobby"]);
    assert_eq!(asked[1], ["hello", "t1", "lobby", "here I am", "exit"]);
    let shown = String::from_utf8(screen.iter().flatten().collect()).unwrap();
    assert!(shown.contains("* connection lost: "), "{shown}");
    assert!(shown.contains("* back as bob in lobby\n"), "{shown}");
}

#[test]
fn a_letter_is_confirmed_when_standard_output_has_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = connect(&listener.local_addr().unwrap().to_string()).unwrap();
    let (sender, typed) = mpsc::sync_channel(4);
    let server = std::thread::spawn(move || {
        let mut peer = listener.accept().unwrap().0;
        serve_until(&mut peer, Op::Login);
        let from = UserName::parse("eve").unwrap();
        let text = Text::parse("psst".into(), 64).unwrap();
        let event =
            Event::Whispered { from, text, at: 0, letter: Some(LetterId(7)), to: None, own: false };
        peer.write_all(&native::emit_event(&event)).unwrap();
        let asked = serve_until(&mut peer, Op::Got);
        sender.send(Typed::End).unwrap();
        asked
    });
    let (shown, screen) = mpsc::channel();
    let chat = Chat::new(Start::of(Some("bob")));
    let mut plain = Plain::new(chat, socket, Box::new(Screen(shown))).unwrap();
    plain.typed = Some(typed);
    plain.run().unwrap();
    drop(plain);
    assert_eq!(server.join().unwrap(), ["got"]);
    let shown = String::from_utf8(screen.iter().flatten().collect()).unwrap();
    assert_eq!(shown.matches("eve whispers: psst\n").count(), 1, "{shown}");
}

#[test]
fn a_password_comes_from_the_first_line_of_a_file_or_else_from_the_variable() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    let given = |path: Option<&Path>, variable: Option<&str>| {
        let mut options = options("bob", ".");
        options.password_file = path.map(Path::to_owned);
        options.password = variable.map(|text| Secret(text.to_owned().into()));
        password(&options)
    };
    std::fs::write(&file, "open sesame \r\nsecond\n").unwrap();
    let secret = |text: &str| Some(Secret(text.to_owned().into()));
    assert_eq!(given(Some(&file), Some("other")).unwrap(), secret("open sesame "));
    assert_eq!(given(None, Some("other")).unwrap(), secret("other"));
    assert_eq!(given(None, Some("")).unwrap(), None);
    std::fs::write(&file, "\nsesame\n").unwrap();
    for path in [&file, &dir.path().join("none")] {
        let error = given(Some(path), None).unwrap_err();
        assert_eq!(error.outcome(), ClientOutcome::Usage);
        assert!(error.to_string().starts_with("--password-file "), "{error}");
    }
}

/// A descriptor that is closed takes its event with it: the thread of standard input once ended,
/// and closed the last of its waker, before the poll had seen that there was an end.
#[test]
fn the_last_wake_of_standard_input_outlives_its_thread() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = connect(&listener.local_addr().unwrap().to_string()).unwrap();
    let chat = Chat::new(Start::of(None));
    let mut plain = Plain::new(chat, socket, Box::new(io::sink())).unwrap();
    let of_its_thread = Arc::clone(&plain.waker);
    of_its_thread.wake().unwrap();
    drop(of_its_thread);
    let mut events = Events::with_capacity(8);
    plain.poll.poll(&mut events, Some(std::time::Duration::from_secs(10))).unwrap();
    assert!(events.iter().any(|event| event.token() == STDIN));
}

#[test]
fn a_client_that_was_stopped_for_long_hears_what_came_meanwhile() {
    for speaks in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = connect(&listener.local_addr().unwrap().to_string()).unwrap();
        let mut peer = listener.accept().unwrap().0;
        let chat = Chat::new(Start::of(None));
        let mut plain = Plain::new(chat, socket, Box::new(io::sink())).unwrap();
        plain.work().unwrap();
        plain.silent_since = Instant::now() - plain.chat.link.silence_max();
        if speaks {
            peer.write_all(&native::emit_event(&Event::Ping)).unwrap();
            let Some(ByteStream::Tcp(socket)) = &plain.socket else { panic!("no TCP") };
            while socket.peek(&mut [0]).is_err() {}
        }
        let mut events = Events::with_capacity(8);
        plain.wait(&mut events).unwrap();
        assert_eq!(plain.chat.over().is_none(), speaks);
    }
}

/// A turn ends between two steps of hashing, or nothing would be read of what the server says.
#[test]
fn a_long_file_is_hashed_a_little_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long");
    File::create(&path).unwrap().set_len(64 << 20).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = connect(&listener.local_addr().unwrap().to_string()).unwrap();
    let mut chat = Chat::new(Start::of(Some("bob")));
    let limits = Greeting::new(&Limits::default());
    let hello = Event::Hello { protocol: 1, server: "parlor".to_owned(), limits };
    chat.link.handle_bytes(&native::emit_event(&hello));
    let welcome = Reply::welcome(UserName::parse("bob").unwrap());
    chat.link.handle_bytes(&native::emit_answer(Some(2), &Ok(welcome)));
    chat.hear();
    chat.handle_line(&format!("/sendfile {} alice", path.display()));
    let mut plain = Plain::new(chat, socket, Box::new(io::sink())).unwrap();
    let mut turns = 0;
    while plain.chat.progress().any(|file| file.total == 64 << 20) && turns < 63 {
        plain.work().unwrap();
        assert!(plain.chat.wake_at().is_some(), "it wants to continue at once");
        turns += 1;
    }
    assert_eq!(turns, 63);
    let hashed = plain.chat.progress().next().unwrap().done;
    assert!(0 < hashed && hashed < 64 << 20, "{hashed}");
}

#[test]
fn a_closed_standard_output_ends_it_quietly() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = connect(&listener.local_addr().unwrap().to_string()).unwrap();
    let limits = Greeting::new(&Limits::default());
    let hello = Event::Hello { protocol: 1, server: "parlor".to_owned(), limits };
    let mut peer = listener.accept().unwrap().0;
    peer.write_all(&native::emit_event(&hello)).unwrap();
    let (shown, _) = mpsc::channel();
    let chat = Chat::new(Start::of(None));
    let mut plain = Plain::new(chat, socket, Box::new(Screen(shown))).unwrap();
    assert_eq!(plain.run().unwrap(), ClientOutcome::Fine);
}

#[test]
fn a_name_of_an_account_becomes_a_name_or_none() {
    assert_eq!(user_from_account("anna.b-2").as_deref(), Some("annab2"));
    assert_eq!(user_from_account("averyveryverylongname").unwrap().len(), USER_NAME_MAX);
    assert_eq!(user_from_account("-._"), None);
}

#[test]
fn a_machine_is_called_by_its_host_as_far_as_servers_take_that() {
    assert_eq!(device_from_host(" lap top\n\x1b\u{202e}").as_deref(), Some("lap top"));
    assert_eq!(device_from_host(&"é".repeat(40)), Some("é".repeat(32)));
    assert_eq!(device_from_host("\t "), None);
    let device = |device: &str| {
        let options = Options { device: Some(device.to_owned()), ..options("a", ".") };
        options.start(UtcOffset::UTC, false, false).unwrap().device
    };
    assert_eq!(device("my phone").as_deref(), Some("my phone"));
    assert_eq!(device(""), None);
}

#[test]
fn an_errand_without_a_name_says_what_to_do() {
    let error = named(None, true).unwrap_err();
    assert!(error.to_string().contains("--user NAME"), "{error}");
    assert_eq!(error.outcome(), ClientOutcome::Usage);
    // The others ask for it.
    assert_eq!(named(None, false).unwrap(), None);
}

#[test]
fn options_that_make_no_sense_are_told_apart_from_a_broken_connection() {
    let send = |to: &str| Errand::Send { files: Vec::new(), to: Whom::User(to.to_owned()) };
    let get =
        |path: &str| Errand::Get { file: "f".to_owned(), place: Place::of(Some(path.as_ref())) };
    let bad_room = Some("no room".to_owned());
    for options in [
        options("a b", "."),
        options("a", "./no/such"),
        Options { errand: send("a b"), ..options("a", ".") },
        Options { errand: get("./no/such/f"), ..options("a", ".") },
        Options { errand: get(".hidden"), ..options("a", ".") },
        Options { device: Some("a\nb".to_owned()), ..options("a", ".") },
        Options { device: Some("a".repeat(65)), ..options("a", ".") },
        Options { room: bad_room, ..options("a", ".") },
    ] {
        let error = options.start(UtcOffset::UTC, false, false).unwrap_err();
        assert_eq!(error.outcome(), ClientOutcome::Usage, "{error}");
    }
    assert!(options("a", ".").start(UtcOffset::UTC, false, false).is_ok());
}
