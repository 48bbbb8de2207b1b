//! Connections that do not log in, peers that fall silent, and clocks that jump: in virtual time.

use crate::support::{Frames, frame, size};
use crate::world::{World, code_of, count, guest, login, resume};
use parlor::engine::Input;
use parlor::id::{ConnId, Source};
use parlor::limits::Limits;
use parlor::message::CloseReason;
use serde_json::{Value, json};
use std::time::Duration;

const FULL: &[u8] = b"parlor: too many connections have not logged in; try again in a moment; the \
                      owner can raise the limit with --before-login or --before-login-source\r\n";

/// Bytes of a login that never ends, in both protocols: what a trickle is made of.
fn trickle(n: usize) -> &'static [u8] {
    if n.is_multiple_of(2) { b"\0\0\x03\xff\x01{\"op\":\"login\",\"user\":\"" } else { b"/login " }
}

#[test]
fn row_16_trickled_bytes_do_not_put_off_the_end_of_who_does_not_log_in() {
    let conns = size(200, 1_000);
    let mut world = World::new(Limits::default());
    let friend = world.login("friend");
    let slow: Vec<ConnId> = (0..conns).map(|_| world.open()).collect();
    for second in 0..30 {
        for (n, &conn) in slow.iter().enumerate() {
            let byte = trickle(n).get(second).copied().unwrap_or(b'x');
            world.put(conn, &[byte]);
        }
        world.pass(900);
        let came = world.answer(friend, json!({"op": "ping"}));
        assert_eq!(came["ok"], "pong", "in second {second}");
        if second % 10 == 9 {
            // A newcomer gets in all the time, and goes again.
            let new = world.open();
            assert_eq!(world.code(new, guest("new")), "welcome");
            world.feed(Input::Ended { conn: new, reset: true });
        }
        world.pass(100);
        let here = world.engine.stats().connections;
        let expected = if second < 29 { conns + 1 } else { 1 };
        if second < 29 {
            assert_eq!(here, expected, "after {} s", second + 1);
        }
    }
    world.pass(1_000);
    let stats = world.engine.stats();
    assert_eq!((stats.connections, stats.users), (1, 1), "a second after their time");
    for conn in slow {
        let last = String::from_utf8_lossy(&world.came(conn)).into_owned();
        assert!(last.contains("no login in time") || last.contains("login_late"), "{last}");
    }
    world.engine.check_invariants();
}

#[test]
fn row_16_a_login_that_fails_and_a_name_given_back_begin_no_new_life() {
    let (heartbeat, dead_after) = (Duration::from_secs(1_800), Duration::from_secs(3_600));
    let mut world = World::new(Limits { heartbeat, dead_after, ..Limits::default() });
    world.register("bob");
    let conn = world.open();
    // Failed logins are no login.
    for second in 0..29 {
        let wrong = json!({"op": "login", "user": format!("no{second}"), "password": "wrong one"});
        world.code(conn, wrong);
        world.pass(1_000);
    }
    assert_eq!(world.closed.len(), 0);
    world.pass(2_000);
    assert_eq!(world.closed.len(), 1, "failed logins put off the deadline");
    // Whoever has logged out has as long as a newcomer.
    let conn = world.login("alice");
    world.pass(29_000);
    assert_eq!(world.code(conn, json!({"op": "logout"})), "logged_out");
    world.pass(29_000);
    assert_eq!(world.code(conn, json!({"op": "ping"})), "pong");
    world.pass(2_000);
    assert_eq!(world.closed.len(), 2);
}

#[test]
fn row_16_one_source_has_its_share_of_strangers_and_is_told_when_it_is_used_up() {
    let mut world = World::with(parlor::engine::Setup::default());
    let greedy = Source(7);
    let conns: Vec<ConnId> = (0..50).map(|_| world.open_from(greedy)).collect();
    world.settle();
    let refused = conns.iter().filter(|&&conn| world.came(conn) == FULL).count();
    assert_eq!(refused, 50 - 16, "of 50 from one source");
    // Others come in as before, as does this machine.
    for n in 0..40 {
        let source = if n % 2 == 0 { Source(100 + n) } else { Source::THIS_MACHINE };
        let conn = world.open_from(source);
        assert_eq!(world.code(conn, guest(&format!("u{n}"))), "welcome");
    }
    // Who has logged in or is gone makes room for another one of the source.
    assert_eq!(world.code(conns[0], guest("greedy")), "welcome");
    world.feed(Input::Ended { conn: conns[1], reset: true });
    for expected in [true, true, false] {
        let conn = world.open_from(greedy);
        assert_eq!(world.code_or_full(conn), expected);
    }
    world.engine.check_invariants();
}

impl World {
    /// Whether a connection is served, or else was told why not.
    fn code_or_full(&mut self, conn: ConnId) -> bool {
        self.settle();
        let came = self.came(conn);
        assert!(came.is_empty() || came == FULL, "{}", came.escape_ascii());
        came.is_empty()
    }
}

#[test]
fn row_16_a_flood_of_strangers_from_everywhere_leaves_a_friend_a_way_in() {
    let mut world = World::with(parlor::engine::Setup::default());
    let friend = world.login("friend");
    let mut served = 0;
    for n in 0..3_000 {
        let conn = world.open_from(Source(1_000 + n));
        served += usize::from(world.code_or_full(conn));
    }
    // From a tenth on they are turned away one by one, and never all places are theirs.
    assert!((100..1_000).contains(&served), "{served} strangers were let in");
    assert_eq!(world.engine.stats().connections, served + 1);
    assert_eq!(world.code(friend, json!({"op": "ping"})), "pong");
    let tries = (0..200).find(|_| {
        let conn = world.open_from(Source(5));
        world.code_or_full(conn) && world.code(conn, guest("late")) == "welcome"
    });
    assert!(tries.is_some(), "a friend never got in");
    // All who did not log in are gone in time, and nobody is turned away any more.
    world.pass(6_000);
    assert_eq!(world.engine.stats().connections, 2);
    let conns: Vec<ConnId> = (0..100).map(|n| world.open_from(Source(n + 10))).collect();
    assert!(conns.into_iter().all(|conn| world.code_or_full(conn)));
    world.engine.check_invariants();
}

/// So many clients in one room; nobody has anything left to read.
fn hall(clients: usize, limits: Limits) -> (World, Vec<ConnId>) {
    let many = clients as u64 + 1;
    let mut world = World::bounded(Limits { room_members: many, presence_users: many, ..limits });
    let conns = (0..clients).map(|n| {
        let conn = world.login(&format!("u{n}"));
        world.join(conn, "hall");
        world.forget_heard();
        conn
    });
    let conns = conns.collect();
    (world, conns)
}

#[test]
fn row_18_of_half_open_peers_all_are_gone_in_time_and_told_of_once_each() {
    let clients = size(200, 1_000);
    let (mut world, conns) = hall(clients, Limits::default());
    let (dead, healthy) = conns.split_at(clients / 2);
    let pong = frame(&json!({"op": "ping"}));
    let mut heard: Vec<Vec<Value>> = vec![Vec::new(); healthy.len()];
    for tick in 1..=95 {
        world.pass(1_000);
        for (&conn, heard) in healthy.iter().zip(&mut heard) {
            let came = world.heard(conn);
            if count(&came, "ping") > 0 {
                world.put(conn, &pong);
            }
            heard.extend(came.into_iter().filter(|came| came["ev"] != "ping"));
        }
        if tick < 90 {
            assert_eq!(world.closed.len(), 0, "somebody was given up after {tick} s");
        }
    }
    let stats = world.engine.stats();
    assert_eq!((stats.users, stats.connections), (healthy.len(), healthy.len()));
    assert_eq!(world.closed.len(), dead.len());
    for heard in heard {
        let gone = |kind| {
            let mut names: Vec<&str> = heard
                .iter()
                .filter(|came| came["ev"] == kind)
                .map(|came| came["user"].as_str().unwrap())
                .collect();
            names.sort_unstable();
            names
        };
        let mut expected: Vec<String> = (0..dead.len()).map(|n| format!("u{n}")).collect();
        expected.sort_unstable();
        assert_eq!(gone("left"), expected);
        assert_eq!(gone("offline"), expected);
    }
    // They can be told why, should they come back to life before their sockets are closed.
    let last = world.heard(dead[0]);
    assert_eq!(last.last().unwrap()["reason"], "silent", "{last:?}");
    world.engine.check_invariants();
}

#[test]
fn row_18_a_byte_of_anything_is_a_sign_of_life_and_a_heartbeat_is_in_no_message() {
    let (mut world, conns) = hall(3, Limits::default());
    for round in 0..60 {
        world.pass(5_000);
        // One talks, one sends one byte of a long frame at a time, one answers pings.
        world.put(conns[0], &frame(&json!({"op": "say", "text": "still here"})));
        world.put(conns[1], if round == 0 { b"\0\0\x03\xff\x01" } else { b" " });
        if count(&world.heard(conns[2]), "ping") > 0 {
            world.put(conns[2], &frame(&json!({"op": "ping"})));
        }
        world.settle();
        let said = Frames::all(&world.came(conns[1]));
        assert!(said.iter().all(|came| came["ev"] == "said"), "{said:?}");
        assert_eq!(said.len(), 1);
    }
    assert_eq!((world.closed.len(), world.engine.stats().users), (0, 3));
}

#[test]
fn row_28_the_wall_clock_may_jump_and_only_what_is_shown_follows_it() {
    const DAY_MS: u64 = 86_400_000;
    let limits = Limits { timeout: Duration::from_secs(600), ..Limits::default() };
    let mut world = World::bounded(limits);
    world.now.wall_ms = 20_000 * DAY_MS;
    let bob = world.register("bob");
    let alice = world.login("alice");
    world.join(alice, "lobby");
    world.join(bob, "lobby");
    world.forget_heard();
    for jump in 0..48 {
        // A day forth, then two back, and so on.
        world.now.wall_ms = if jump % 2 == 0 { 20_001 * DAY_MS } else { 19_999 * DAY_MS } + jump;
        let said = world.code(alice, json!({"op": "say", "text": "hi"}));
        assert_eq!(said, "heard");
        let heard: Vec<Value> = world.heard(bob);
        let said = heard.iter().find(|came| came["ev"] == "said").unwrap();
        assert_eq!(said["at"], world.now.wall_ms, "what is shown follows the wall clock");
        world.pass(10_000);
        for conn in [alice, bob] {
            world.put(conn, &frame(&json!({"op": "queue"})));
        }
    }
    let stats = world.engine.stats();
    assert_eq!((world.closed.len(), stats.users), (0, 2), "somebody was dropped");
    // Locks follow the monotonic clock: a day is not a minute.
    let conn = world.open();
    let wrong = json!({"op": "login", "user": "bob", "password": "wrong one"});
    let codes: Vec<String> = (0..3).map(|_| world.code(conn, wrong.clone())).collect();
    assert_eq!(codes, ["wrong_password", "wrong_password", "locked_out"]);
    world.now.wall_ms += 10 * DAY_MS;
    assert_eq!(world.code(conn, login("bob")), "locked_out");
    let late = world.open();
    world.now.wall_ms += 10 * DAY_MS;
    assert_eq!(world.code(late, json!({"op": "ping"})), "pong", "its time is not over");
    world.engine.check_invariants();
}

#[test]
fn row_28_a_token_is_over_when_the_wall_clock_says_so_and_not_before() {
    const DAY_MS: u64 = 86_400_000;
    let mut world = World::bounded(Limits::default());
    world.now.wall_ms = 20_000 * DAY_MS;
    let bob = world.open();
    let register = json!({"op": "register", "user": "bob", "password": "opensesame"});
    let token = world.answer(bob, register)["token"].clone();
    for (wall_ms, expected) in [
        (20_001 * DAY_MS - 1_000, "welcome"),
        (20_001 * DAY_MS + 1_000, "wrong_password"),
        // Clocks that were wrong and are right again harm nobody.
        (20_000 * DAY_MS, "welcome"),
        (19_000 * DAY_MS, "welcome"),
    ] {
        world.now.wall_ms = wall_ms;
        let conn = world.open();
        assert_eq!(code_of(&world.answer(conn, resume("bob", &token))), expected, "at {wall_ms}");
    }
    assert_eq!(world.passwords.len(), 1, "only the first was hashed");
}

#[test]
fn row_28_who_was_asked_before_the_process_stood_still_is_asked_once_more() {
    for gap_ms in [6_000, 600_000, 86_400_000] {
        let mut world = World::new(Limits::default());
        let conns = [world.login("alice"), world.login("bob")];
        while world.heard(conns[0]).is_empty() || world.came[conns[1].slot as usize].is_empty() {
            world.pass(1_000);
        }
        // Both are late when the process continues: their answers may be on their way.
        world.pass(55_000);
        world.forget_heard();
        world.now.mono_ms += gap_ms.max(6_000) + 10_000;
        world.settle();
        for conn in conns {
            assert_eq!(world.heard(conn), [json!({"ev": "ping"})], "after {gap_ms} ms");
        }
        world.pass(30_000);
        world.put(conns[0], &frame(&json!({"op": "ping"})));
        world.pass(20_000);
        assert_eq!(world.closed.len(), 0, "there is time to answer");
        world.pass(15_000);
        let last = world.heard(conns[1]);
        assert_eq!(last.last().unwrap()["reason"], json!(CloseReason::Silent));
        assert_eq!((world.closed.len(), world.engine.stats().users), (1, 1));
        // Nor do gaps keep anybody for ever who is only late in the ordinary way.
        assert_eq!(count(&last, "ping"), 0, "{last:?}");
    }
}
