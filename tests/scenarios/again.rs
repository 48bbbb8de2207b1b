//! The client when its server goes and comes back.

use rustix::process::Signal;

use crate::support::{Chat, Server, Way};

#[test]
fn a_client_goes_back_to_a_server_that_was_restarted() {
    for signal in [Signal::INT, Signal::KILL] {
        let server = Server::start(&[]);
        let addr = server.addr().to_owned();
        let mut alice = Chat::start(&addr, &["--user", "alice", "--reconnect-for", "1h"]);
        alice.type_line("/join lobby");
        alice.lines.expect("* you are in lobby: alice");
        server.signal(signal);
        alice.lines.expect("* connection lost: the server ");
        drop(server);
        alice.type_line("/whisper bob I am here again");
        alice.lines.expect("* not connected: what you type waits for the connection");

        let server = Server::start(&["--listen", &addr]);
        alice.lines.expect("* back as alice in lobby");
        // What was typed meanwhile, and what is typed now.
        alice.lines.expect("! there is no user");
        let mut bob = server.person(Way::Lines, "bob");
        bob.join("lobby");
        alice.type_line("hello again");
        bob.expect("[lobby] alice: hello again");
        alice.type_line("/exit");
        assert_eq!(alice.expect_exit(), Some(3), "nobody was there to hear the whisper");
        server.stop();
    }
}

#[test]
fn a_client_gives_up_when_its_time_is_over() {
    let server = Server::start(&[]);
    let mut alice = Chat::start(server.addr(), &["--user", "alice", "--reconnect-for", "1s"]);
    alice.lines.expect("* welcome, alice");
    server.signal(Signal::KILL);
    alice.lines.expect("parlor: no connection: connection refused; given up after ");
    assert_eq!(alice.expect_exit(), Some(1));
}
