//! The rows of accounts against a real server: strangers who trickle, clients that stand still,
//! passwords that are really hashed.

use crate::support::*;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

const TOO_MANY: &str = "parlor: too many connections have not logged in; try again in a moment; the \
                        owner can raise the limit with --before-login or --before-login-source";

#[test]
fn row_16_strangers_who_trickle_are_gone_at_their_deadline_and_the_rest_is_served() {
    let server = Server::start(&["--login-before", "3s"]);
    let mut friend = Native::login(server.addr, "friend");
    let mut slow: Vec<_> = (0..held(size(200, 1_000)))
        .map(|_| {
            let mut stream = connect_from_many(server.addr);
            stream.write_all(b"/login ").unwrap();
            stream
        })
        .collect();
    server.wait_for_connections(slow.len() as u64 + 1);
    // A byte of each, again and again, until the first of them is told to go.
    wait_for("the first goodbye", || {
        for stream in &mut slow {
            let _ = stream.write_all(b"x");
        }
        assert_eq!(friend.ask(json!({"op": "ping"}))["ok"], "pong");
        Native::login(server.addr, "new").ask(json!({"op": "exit"}));
        (server.report().connections() <= slow.len() as u64).then_some(())
    });
    for stream in &mut slow {
        let said = String::from_utf8(read_rest(stream)).unwrap();
        assert!(said.contains("no login in time"), "{said}");
    }
    server.wait_for_connections(1);
    drop(friend);
    server.assert_empty();
    server.assert_idle();
    server.stop();
}

#[test]
fn row_16_strangers_over_the_bound_are_refused_in_words_and_a_friend_gets_in() {
    let server = Server::start(&["--before-login", "100"]);
    let strangers: Vec<_> = (0..300).map(|_| connect_from_many(server.addr)).collect();
    // Connected is not yet accepted: who is still in the kernel's queue is neither here nor
    // refused.
    let refused = wait_for("those over the bound are refused", || {
        let refused = strangers.iter().filter(|stream| is_refused(stream)).count();
        (refused >= 200).then_some(refused)
    });
    assert!(refused < 300, "{refused} of 300 were refused");
    wait_for("they are gone", || (server.report().connections() <= 100).then_some(()));
    let friend = wait_for("a friend gets in", || {
        let mut friend = Text::connect(server.addr);
        // Who is refused may be so before this arrives.
        let _ = friend.stream().write_all(b"/login friend\r\n");
        match friend.line()? {
            line if line == TOO_MANY => None,
            _ => Some(friend.wait("* welcome, friend")),
        }
    });
    assert_eq!(friend, "* welcome, friend");
    drop(strangers);
    server.assert_empty();
    server.stop();
}

/// Whether somebody who has sent nothing was refused.
fn is_refused(stream: &std::net::TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut said = [0; 200];
    match stream.peek(&mut said) {
        Ok(count) => {
            let said = std::str::from_utf8(&said[..count]).unwrap();
            assert_eq!(said.trim_end(), TOO_MANY);
            true
        }
        Err(_) => false,
    }
}

#[test]
fn row_18_clients_that_stand_still_are_gone_and_told_of_once() {
    let server = Server::start(&["--heartbeat", "1s", "--dead-after", "3s", "--presence", "100"]);
    let mut witness = Text::login(server.addr, "witness");
    witness.send("/join lobby");
    witness.wait("* you are in lobby");
    let mut clients = Vec::new();
    for n in 0..6 {
        let mut child = parlor()
            .args(["chat", &server.addr.to_string(), "--no-reconnect"])
            .args(["--user", &format!("c{n}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.as_mut().unwrap().write_all(b"/join lobby\n").unwrap();
        witness.wait(&format!("[lobby] c{n} joined"));
        clients.push(child);
    }
    // Half of them stand still, as does one that never was a program.
    let mut silent = Native::login(server.addr, "silent");
    silent.join("lobby");
    for client in &clients[..3] {
        kill_process(Pid::from_child(client), Signal::STOP).unwrap();
    }
    let mut told = Vec::new();
    while told.len() < 8 {
        let line = witness.line().unwrap();
        let gone = line.contains(" left") || line.contains(" is offline");
        told.extend(gone.then_some(line));
    }
    for name in ["c0", "c1", "c2", "silent"] {
        for line in [format!("[lobby] {name} left"), format!("* {name} is offline")] {
            assert_eq!(told.iter().filter(|told| **told == line).count(), 1, "{told:?}");
        }
    }
    // The others answer for as long as they live.
    assert_eq!(witness.ask("/who"), "* 4 in lobby: c3, c4, c5, witness");
    for mut client in clients {
        kill_process(Pid::from_child(&client), Signal::CONT).unwrap();
        drop(client.stdin.take());
        let lines: Vec<String> =
            BufReader::new(client.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
        let stood = lines.iter().any(|line| line.contains("no sign of life in time"));
        let code = client.wait().unwrap().code();
        assert!((stood && code == Some(4)) || code == Some(0), "{code:?} {lines:?}");
    }
    drop((witness, silent));
    server.assert_empty();
    server.stop();
}

#[test]
fn row_43_while_passwords_are_hashed_others_are_served_and_memory_is_bounded() {
    let server = Server::start(&[]);
    let mut owner = Native::over(connect(server.addr));
    let register = json!({"op": "register", "user": "bob", "password": "open sesame"});
    assert_eq!(owner.ask(register)["ok"], "welcome");
    let mut witness = Native::login(server.addr, "witness");
    witness.ask(json!({"op": "ping"}));
    let attack: Vec<Native> = (0..held(500))
        .map(|n| {
            let mut client = Native::over(connect_from_many(server.addr));
            let user = if n % 2 == 0 { "bob".to_owned() } else { format!("no{n}") };
            client.send(&json!({"id": 1, "op": "login", "user": user, "password": "wrong one"}));
            client
        })
        .collect();
    let (mut hashed, mut count) = (0, 0);
    let all = attack.len();
    for mut client in attack {
        assert_eq!(witness.ask(json!({"op": "ping"}))["ok"], "pong");
        client.event("hello");
        let answer = client.next().unwrap();
        let code = answer["error"]["code"].as_str().unwrap_or_default().to_owned();
        assert!(["wrong_password", "busy", "locked_out"].contains(&&*code), "{answer}");
        hashed += usize::from(code == "wrong_password");
        count += 1;
    }
    assert_eq!(count, all);
    assert!((1..=30).contains(&hashed), "{hashed} of {all} from one address were hashed");
    assert!(server.peak_grown() < 64 * MIB, "{} bytes", server.peak_grown());
    assert_eq!(owner.ask(json!({"op": "ping"}))["ok"], "pong");
    drop((owner, witness));
    server.assert_empty();
    server.stop();
}

#[test]
fn row_50_two_hundred_logouts_and_logins_with_an_account_on_one_connection() {
    let server = Server::start(&[]);
    let mut bob = Native::over(connect(server.addr));
    let password = "open sesame";
    let register = json!({"op": "register", "user": "bob", "password": password});
    assert_eq!(bob.ask(register)["ok"], "welcome");
    for cycle in 0..200 {
        bob.join("lobby");
        assert_eq!(bob.ask(json!({"op": "logout"}))["ok"], "logged_out");
        assert_eq!(bob.ask(json!({"op": "leave"}))["error"]["code"], "login_first");
        let login = json!({"op": "login", "user": "bob", "password": password});
        let answer = bob.ask(login);
        assert_eq!((&answer["ok"], answer.get("room")), (&json!("welcome"), None), "in {cycle}");
    }
    let report = server.report();
    assert_eq!((report.connections(), report.number("users ")), (1, 1));
    // Two threads that hash have 19 MiB each, and keep them.
    assert!(server.grown() < 48 * MIB, "{} bytes", server.grown());
    drop(bob);
    server.assert_empty();
    server.assert_idle();
    server.stop();
}
