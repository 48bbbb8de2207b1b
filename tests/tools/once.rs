//! What is said when the connection breaks is heard once: the real client through a wire that loses
//! what a test wants lost.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::support::{Chat, Server, Text};
use crate::{PASSWORD, Person};

/// How long something may take that is to happen.
const DEADLINE: Duration = Duration::from_secs(60);

/// What of a wire is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loses {
    Nothing,
    Requests,
    Answers,
}

struct State {
    /// Where the server is.
    server: String,
    loses: Loses,
    /// Something was lost since.
    lost: bool,
    ends: Vec<TcpStream>,
}

/// A way to the server, for any number of connections.
#[derive(Clone)]
struct Wire(Arc<(Mutex<State>, Condvar)>, String);

impl Wire {
    fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let (server, loses, lost) = (server.to_owned(), Loses::Nothing, false);
        let state = State { server, loses, lost, ends: Vec::new() };
        let wire = Self(Arc::new((Mutex::new(state), Condvar::new())), addr);
        let own = wire.clone();
        std::thread::spawn(move || listener.incoming().flatten().for_each(|end| own.join(end)));
        wire
    }

    /// The server may be away.
    fn join(&self, client: TcpStream) {
        let mut state = self.0.0.lock().unwrap();
        let Ok(server) = TcpStream::connect(&state.server) else { return };
        for (from, to, loses) in
            [(&client, &server, Loses::Requests), (&server, &client, Loses::Answers)]
        {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let own = self.clone();
            std::thread::spawn(move || own.copy(from, to, loses));
        }
        state.ends.extend([client, server]);
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream, loses: Loses) {
        let mut part = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut part) {
            let mut state = self.0.0.lock().unwrap();
            if state.loses == loses {
                state.lost = true;
                self.0.1.notify_all();
            } else if to.write_all(&part[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }

    fn lose(&self, loses: Loses) {
        let mut state = self.0.0.lock().unwrap();
        (state.loses, state.lost) = (loses, false);
    }

    fn wait_until_lost(&self) {
        let state = self.0.0.lock().unwrap();
        let waited = self.0.1.wait_timeout_while(state, DEADLINE, |state| !state.lost).unwrap();
        assert!(waited.0.lost, "nothing was lost");
    }

    /// Cuts all connections.
    fn cut(&self) {
        let mut state = self.0.0.lock().unwrap();
        state.loses = Loses::Nothing;
        for end in state.ends.drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    fn lead_to(&self, server: &str) {
        self.0.0.lock().unwrap().server = server.to_owned();
    }
}

/// Alice, who has an account, behind a wire, in the lobby.
fn alice(wire: &Wire) -> Chat {
    let options = ["--user", "alice", "--reconnect-for", "60s"];
    let mut alice = Chat::start_with(&wire.1, &options, Some(PASSWORD));
    alice.lines.expect("* welcome, alice");
    alice.type_line("/join lobby");
    alice.lines.expect("* you are in lobby");
    alice
}

/// Bob, who has an account, with netcat in the lobby.
fn bob(server: &Server) -> Text {
    let mut bob = Text::connect(server.addr(), "bob");
    bob.type_line(&format!("/login bob {PASSWORD}"));
    bob.lines.expect("* welcome, ");
    bob.type_line("/join lobby");
    bob.lines.expect("* you are in lobby");
    bob
}

fn server() -> Server {
    let server = Server::start(&[]);
    for name in ["alice", "bob"] {
        drop(Person::member(&server, name));
    }
    server
}

#[test]
fn what_is_said_is_heard_once_whether_the_request_or_the_answer_is_lost() {
    let server = server();
    let wire = Wire::to(server.addr());
    let (mut bob, mut alice) = (bob(&server), alice(&wire));
    for (number, loses) in (0..).zip([Loses::Answers, Loses::Requests, Loses::Answers]) {
        wire.lose(loses);
        for line in ["said", "/broadcast told", "/whisper bob psst"] {
            alice.type_line(&format!("{line} {number}"));
        }
        if loses == Loses::Answers {
            bob.lines.expect(&format!("alice whispers: psst {number}"));
        }
        wire.wait_until_lost();
        wire.cut();
        alice.lines.expect("* back as alice in lobby");
        alice.type_line(&format!("and then {number}"));
        bob.lines.expect(&format!("[lobby] alice: and then {number}"));
        // The store keeps letters in their order: what came twice came before this.
        alice.type_line(&format!("/whisper bob end {number}"));
        bob.lines.expect(&format!("alice whispers: end {number}"));
        for said in ["said", "told", "psst"].map(|word| format!("{word} {number}")) {
            assert_eq!(bob.lines.all(&said).len(), 1, "{said}, {loses:?}");
        }
    }
    let lines: Vec<_> = bob.lines.all("alice: ").iter().map(|line| (*line).to_owned()).collect();
    let said = |line: &String| line.contains("said") || line.contains("and then");
    let lines: Vec<_> = lines.iter().filter(|line| said(line)).collect();
    assert!(lines.is_sorted_by_key(|line| line.split(' ').next_back()), "{lines:?}");
    assert!(alice.lines.all("it is not known whether").is_empty());
}

#[test]
fn a_letter_arrives_once_across_a_restart_and_nothing_else_is_said_again() {
    let mut server = server();
    let wire = Wire::to(server.addr());
    let mut alice = alice(&wire);
    alice.type_line("/whisper bob number 0");
    alice.lines.expect("* bob is offline; kept until they log in");
    let mut carol = Text::connect(server.addr(), "carol");
    for line in ["/login carol", "/join lobby"] {
        carol.type_line(line);
    }
    carol.lines.expect("* you are in lobby");
    for (number, loses) in (1..).zip([Loses::Answers, Loses::Requests]) {
        wire.lose(loses);
        alice.type_line(&format!("/whisper bob number {number}"));
        wire.wait_until_lost();
        if loses == Loses::Answers {
            alice.type_line("said");
            carol.lines.expect("[lobby] alice: said");
        }
        server.kill_and_restart(&[]);
        wire.lead_to(server.addr());
        wire.cut();
        alice.lines.expect("* back as alice in lobby");
    }
    alice.lines.expect("! said: it is not known whether it was carried out");
    alice.type_line("/whisper bob number 3");
    let mut bob = bob(&server);
    bob.lines.expect("alice whispers: number 3");
    for number in 0..=3 {
        let times = bob.lines.all(&format!("alice whispers: number {number}")).len();
        assert_eq!(times, 1, "number {number}");
    }
    assert!(bob.lines.all("said").is_empty());
    assert_eq!(alice.lines.all("it is not known whether").len(), 1);
}

#[test]
fn a_command_that_says_something_says_it_once() {
    let server = server();
    let wire = Wire::to(server.addr());
    let mut bob = bob(&server);
    let mut say = crate::parlor(std::path::Path::new("."), &["say", &wire.1]);
    say.args(["--user", "alice", "--room", "lobby", "-"]).env("PARLOR_PASSWORD", PASSWORD);
    let mut child = say.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "number 0").unwrap();
    bob.lines.expect("[lobby] alice: number 0");
    wire.lose(Loses::Answers);
    writeln!(input, "number 1").unwrap();
    bob.lines.expect("[lobby] alice: number 1");
    wire.wait_until_lost();
    wire.cut();
    drop(input);
    let ran = crate::Ran::new(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    bob.type_line("/ping");
    bob.lines.expect("* pong");
    assert_eq!(bob.lines.all("number 1").len(), 1);
}
