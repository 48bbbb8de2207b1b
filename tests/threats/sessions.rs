//! Rows 37, 48, 50 and 51: what a session may not do, what it leaves behind, and what it must not
//! hear any more.

use crate::states::{TABLE, request};
use crate::support::{Frames, frame, size};
use crate::world::{PASSWORD, World, count, guest, login, wait_ms, whisper};
use parlor::engine::{Input, Setup};
use parlor::id::ConnId;
use parlor::limits::Limits;
use parlor::message::Op;
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn row_37_of_one_firehose_each_message_is_accepted_or_refused_and_the_others_hear_the_accepted() {
    let mut world = World::with(Setup::default());
    let hose = world.login("hose");
    let others: Vec<ConnId> = (0..5).map(|n| world.login(&format!("u{n}"))).collect();
    world.join(hose, "lobby");
    others.iter().for_each(|&conn| world.join(conn, "lobby"));
    world.forget_heard();
    // Sixty a millisecond, for as long as it takes.
    let (mut accepted, mut refused, mut sent) = (Vec::new(), 0_u64, 0_u64);
    let mut heard: Vec<Vec<u64>> = vec![Vec::new(); others.len()];
    let all = size(60_000, 1_200_000) as u64;
    while sent < all {
        let burst: Vec<u8> = (sent..sent + 60)
            .flat_map(|n| frame(&json!({"id": n, "op": "say", "text": n.to_string()})))
            .collect();
        sent += 60;
        world.put(hose, &burst);
        world.settle();
        for answer in world.heard(hose) {
            if answer["ok"] == "heard" {
                assert_eq!(answer["count"], others.len());
                accepted.push(answer["re"].as_u64().unwrap());
            } else {
                assert_eq!(answer["error"]["code"], "slow_down", "{answer}");
                assert!((1..=1_000).contains(&wait_ms(&answer)), "{answer}");
                refused += 1;
            }
        }
        for (&conn, heard) in others.iter().zip(&mut heard) {
            let came = world.heard(conn);
            heard.extend(
                came.iter().map(|came| came["text"].as_str().unwrap().parse::<u64>().unwrap()),
            );
        }
        world.now.mono_ms += 1;
    }
    assert_eq!(accepted.len() as u64 + refused, sent, "some got no answer, or two");
    // A second's worth at once, and then a thousand a second.
    assert_eq!(accepted.len() as u64, 1_000 + all / 60 - 1);
    assert!(heard.iter().all(|heard| *heard == accepted), "heard was what was not accepted");
    // Whoever waits as long as he is told is heard; others were never held up.
    let answer = world.answer(hose, json!({"op": "say", "text": "now"}));
    if answer["error"]["code"] == "slow_down" {
        world.now.mono_ms += wait_ms(&answer);
        assert_eq!(world.code(hose, json!({"op": "say", "text": "now"})), "heard");
    }
    assert_eq!(world.code(others[0], json!({"op": "say", "text": "me"})), "heard");
}

#[test]
fn row_37_no_other_way_of_speaking_is_a_way_around() {
    let mut world = World::with(Setup::default());
    let hose = world.login("hose");
    let ear = world.register("ear");
    world.forget_heard();
    let ways = [
        whisper("ear", "x"),
        json!({"op": "broadcast", "text": "x"}),
        json!({"op": "say", "text": "x"}),
        json!({"op": "say", "text": "x", "me": true}),
    ];
    let mut accepted = 0;
    for n in 0..4_000 {
        if n % 500 == 0 {
            // Nor is another name on the same connection.
            world.code(hose, json!({"op": "logout"}));
            assert_eq!(world.code(hose, guest(&format!("hose{n}"))), "welcome");
        }
        if n % 500 == 250 {
            world.join(hose, "lobby");
        }
        let code = world.code(hose, ways[n % ways.len()].clone());
        let expected = ["heard", "kept", "slow_down", "not_in_room"];
        assert!(expected.contains(&&*code), "{code}");
        accepted += usize::from(code == "heard" || code == "kept");
        // A receiver who reads.
        if let Some(letter) = world.heard(ear).iter().rev().find_map(|came| came["letter"].as_u64())
        {
            world.put(ear, &frame(&json!({"op": "got", "letter": letter})));
        }
    }
    assert_eq!(accepted, 1_000);
}

/// The states of somebody who has no name, and what is done to get there.
const STRANGE: [&str; 6] =
    ["new", "failed", "locked out", "logging in", "logged out", "closed in upon"];

/// A room with bob in it, eve who can read what is kept for her, and a connection in a state.
fn strange(state: &str) -> (World, ConnId, ConnId) {
    let limits = Limits { timeout: Duration::from_secs(600), ..Limits::default() };
    let mut world = World::bounded(limits);
    let bob = world.login("bob");
    world.join(bob, "lobby");
    let eve = world.register("eve");
    world.code(eve, json!({"op": "logout"}));
    world.feed(Input::Ended { conn: eve, reset: true });
    let conn = world.open();
    let wrong = json!({"op": "login", "user": "eve", "password": "not this one"});
    match state {
        "new" => drop(world.code(conn, json!({"op": "ping"}))),
        "failed" => assert_eq!(world.code(conn, wrong), "wrong_password"),
        "locked out" => {
            let codes: Vec<String> = (0..3).map(|_| world.code(conn, wrong.clone())).collect();
            assert_eq!(codes[2], "locked_out");
            assert_eq!(world.code(conn, login("eve")), "locked_out", "the right one, too late");
        }
        "logging in" => {
            world.late = Some(Vec::new());
            world.put(conn, &frame(&wrong));
        }
        "logged out" => {
            assert_eq!(world.code(conn, login("eve")), "welcome");
            world.join(conn, "lobby");
            assert_eq!(world.code(conn, json!({"op": "logout"})), "logged_out");
        }
        _ => {
            assert_eq!(world.code(conn, guest("carol")), "welcome");
            world.join(conn, "lobby");
            world.put(conn, &frame(&json!({"op": "exit"})));
        }
    }
    world.settle();
    world.forget_heard();
    (world, conn, bob)
}

/// What of the hub may differ without being an effect: tries and hashes are counted.
fn lasting(world: &World) -> (String, String) {
    let state = world.state();
    let (before, rest) = state.split_once("guard: ").unwrap();
    let (_, after) = rest.split_once("tokens: ").unwrap();
    (before.to_owned(), after.to_owned())
}

#[test]
fn row_48_whoever_is_not_logged_in_has_no_effect_whatever_is_sent() {
    let may = [Op::Hello, Op::Login, Op::Register, Op::Help, Op::Ping, Op::Exit];
    for state in STRANGE {
        for (op, _) in TABLE.iter().filter(|(op, _)| !may.contains(op)) {
            for native in [true, false] {
                let (mut world, conn, bob) = strange(state);
                let before = lasting(&world);
                let (bytes, line) = request(*op);
                if native {
                    world.put(conn, &bytes);
                } else if state == "new" {
                    let text = world.open();
                    world.put(text, format!("{line}\n").as_bytes());
                    world.settle();
                    let came = String::from_utf8(world.came(text)).unwrap();
                    assert!(came.contains("! login_first: "), "{line}: {came}");
                    world.feed(Input::Ended { conn: text, reset: true });
                } else {
                    continue;
                }
                world.settle();
                if native && state != "logging in" && state != "closed in upon" {
                    let heard = world.heard(conn);
                    assert_eq!(heard.len(), 1, "{op:?} {state}: {heard:?}");
                    assert_eq!(heard[0]["error"]["code"], "login_first", "{op:?} {state}");
                }
                assert_eq!(world.came(bob), b"", "{op:?} {state} was heard");
                if state != "closed in upon" && native {
                    assert_eq!(lasting(&world), before, "{op:?} {state} had an effect");
                }
                if state == "logging in" {
                    // It is decided, and the answer is no: what waited is refused then.
                    world.catch_up();
                    let heard = world.heard(conn);
                    let codes: Vec<&Value> =
                        heard.iter().map(|came| &came["error"]["code"]).collect();
                    assert_eq!(codes, ["wrong_password", "login_first"], "{op:?}");
                    assert_eq!(world.came(bob), b"", "{op:?} {state} was heard");
                }
                assert_eq!((world.engine.stats().users, world.engine.stats().rooms), (1, 1));
                world.engine.check_invariants();
            }
        }
    }
}

#[test]
fn row_48_everything_behind_a_login_that_fails_is_refused_even_in_one_packet() {
    let (mut world, conn, bob) = strange("new");
    let wrong = json!({"id": 1, "op": "login", "user": "eve", "password": "not this one"});
    let mut bytes = frame(&wrong);
    let ops: Vec<Op> = Op::ALL.into_iter().filter(|&op| op != Op::Exit).collect();
    let may = [Op::Hello, Op::Login, Op::Register, Op::Help, Op::Ping];
    for op in ops.iter().filter(|op| !may.contains(op)) {
        bytes.extend(request(*op).0);
    }
    world.put(conn, &bytes);
    world.settle();
    let heard = world.heard(conn);
    assert_eq!(heard.len(), 1 + ops.len() - may.len());
    assert_eq!(heard[0]["error"]["code"], "wrong_password");
    assert!(heard[1..].iter().all(|came| came["error"]["code"] == "login_first"), "{heard:?}");
    assert_eq!(world.came(bob), b"");
}

/// The state of the hub without what only counts up.
fn shape(world: &World) -> String {
    let state = world.state();
    let digits = state.replace(|c: char| c.is_ascii_digit(), "");
    let (before, rest) = digits.split_once("seen: ").unwrap();
    format!("{before}{}", rest.split_once("retries: ").unwrap().1)
}

#[test]
fn row_50_ten_thousand_logouts_and_logins_on_one_connection_leave_nothing_behind() {
    let (heartbeat, dead_after) = (Duration::from_secs(1_800), Duration::from_secs(3_600));
    let limits = Limits { heartbeat, dead_after, accounts_sessions: 1, ..Limits::default() };
    let mut world = World::bounded(limits);
    let bob = world.login("bob");
    world.register("eve");
    let conn = world.open();
    assert_eq!(world.code(conn, json!({"op": "ping"})), "pong");
    let mut shapes = Vec::new();
    for cycle in 0..10_000 {
        let account = cycle % 2 == 1;
        if cycle == 1 {
            world.register_on(conn, "ann");
        } else {
            let message = if account { login("ann") } else { guest("gus") };
            assert_eq!(world.code(conn, message), "welcome", "in cycle {cycle}");
        }
        // Everything that a session can own.
        assert_eq!(world.code(conn, json!({"op": "blocked"})).len(), "blocked".len());
        if !account {
            let none = world.answer(conn, json!({"op": "blocked"}));
            assert_eq!(none["total"], 0, "blocks of a guest outlived the session");
            assert_eq!(world.code(conn, json!({"op": "block", "user": "bob"})), "done");
        }
        world.join(conn, "lobby");
        let offer = json!({"op": "send_file", "user": "eve", "name": "f", "size": 9});
        assert_eq!(world.code(conn, offer), "announced");
        if account {
            assert_eq!(world.code(bob, whisper("ann", "a letter")), "kept");
        }
        assert_eq!(world.code(conn, json!({"op": "say", "text": "x"})), "heard");
        assert_eq!(world.code(conn, json!({"op": "logout"})), "logged_out", "in cycle {cycle}");
        assert_eq!(world.code(conn, json!({"op": "say", "text": "x"})), "login_first");
        if account {
            // The letters come again until they are confirmed; not for ever here.
            assert_eq!(world.code(conn, login("ann")), "welcome");
            let letter = json!({"op": "got", "letter": u64::MAX});
            assert_eq!(world.code(conn, letter), "done");
            assert_eq!(world.code(conn, json!({"op": "logout"})), "logged_out");
        }
        world.forget_heard();
        let stats = world.engine.stats();
        assert_eq!((stats.users, stats.rooms, stats.uploads), (2, 0, 0), "in cycle {cycle}");
        if cycle < 20 || cycle % 1_000 < 2 {
            world.engine.check_invariants();
            shapes.push(shape(&world));
        }
        world.now.mono_ms += 10;
    }
    let (early, last) = (&shapes[2..4], &shapes[shapes.len() - 2..]);
    assert_eq!(early, last, "something is left of a session");
    assert_eq!(world.closed.len(), 0);
}

#[test]
fn row_51_after_a_block_is_answered_nothing_of_the_blocked_one_arrives() {
    // What is under way when the block is asked for, and how many of its jobs were done before.
    for done_before in 0..4 {
        let mut world = World::bounded(Limits { room_members: 5, ..Limits::default() });
        let bob = world.register("bob");
        let eve = world.login("eve");
        world.join(bob, "lobby");
        world.join(eve, "lobby");
        world.forget_heard();
        world.late = Some(Vec::new());
        for n in 0..2 {
            world.put(eve, &frame(&whisper("bob", &format!("before {n}"))));
            world.put(eve, &frame(&json!({"op": "say", "text": "before"})));
        }
        world.settle();
        world.put(bob, &frame(&json!({"id": 5, "op": "block", "user": "eve"})));
        for n in 0..2 {
            world.put(eve, &frame(&whisper("bob", &format!("after {n}"))));
            world.put(eve, &frame(&json!({"op": "say", "text": "after"})));
            world.put(eve, &frame(&json!({"op": "broadcast", "text": "after"})));
        }
        world.settle();
        for _ in 0..done_before.min(world.late()) {
            world.finish_one();
        }
        world.catch_up();
        world.put(eve, &frame(&whisper("bob", "late")));
        world.put(eve, &frame(&json!({"op": "say", "text": "late"})));
        world.put(eve, &frame(&json!({"op": "leave"})));
        world.put(eve, &frame(&json!({"op": "broadcast", "text": "late"})));
        world.put(eve, &frame(&json!({"op": "join", "room": "lobby"})));
        world.put(eve, &frame(&json!({"op": "exit"})));
        world.settle();
        let heard = world.heard(bob);
        let answered = heard.iter().position(|came| came["re"] == 5).unwrap();
        assert_eq!(heard[answered]["ok"], "done");
        assert!(heard[..answered].len() > 2, "{heard:?}");
        assert_eq!(heard[answered + 1..], [] as [Value; 0], "done before: {done_before}");
        world.engine.check_invariants();
    }
}

#[test]
fn row_51_a_block_holds_also_for_what_the_store_then_cannot_keep() {
    let mut world = World::bounded(Limits::default());
    let bob = world.register("bob");
    let eve = world.login("eve");
    world.forget_heard();
    world.late = Some(Vec::new());
    world.put(bob, &frame(&json!({"id": 5, "op": "block", "user": "eve"})));
    world.store.fail_next(1);
    world.put(eve, &frame(&whisper("bob", "after")));
    world.settle();
    world.catch_up();
    let heard = world.heard(bob);
    assert_eq!((heard.len(), &heard[0]["ok"]), (1, &json!("done")), "{heard:?}");
    let answers = world.heard(eve);
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_ne!(answers[0]["ok"], "heard", "nobody heard it");
}

#[test]
fn row_51_letters_of_one_who_was_blocked_meanwhile_are_not_told() {
    let mut world = World::bounded(Limits::default());
    let bob = world.register("bob");
    world.code(bob, json!({"op": "logout"}));
    let eve = world.register("eve");
    let carol = world.login("carol");
    for n in 0..5 {
        assert_eq!(world.code(eve, whisper("bob", &format!("{n}"))), "kept");
        assert_eq!(world.code(carol, whisper("bob", &format!("{n}"))), "kept");
    }
    // The letters are read, and the block is answered before they are told.
    world.late = Some(Vec::new());
    let mut message = login("bob");
    message["id"] = json!(1);
    world.put(bob, &frame(&message));
    world.finish_one();
    assert_eq!(world.late(), 1, "the letters are asked for");
    let letters = world.late.as_mut().unwrap().pop().unwrap();
    world.put(bob, &frame(&json!({"id": 2, "op": "block", "user": "eve"})));
    world.settle();
    world.finish_one();
    world.late.as_mut().unwrap().push(letters);
    world.catch_up();
    let heard = world.heard(bob);
    let from: Vec<&Value> =
        heard.iter().filter(|came| came["ev"] == "whispered").map(|came| &came["from"]).collect();
    assert_eq!(from, ["carol"; 5]);
    world.engine.check_invariants();
}

#[test]
fn row_51_an_account_that_is_removed_is_logged_out_and_hears_nothing_more() {
    let mut world = World::bounded(Limits::default());
    let bob = world.register("bob");
    let eve = world.login("eve");
    world.join(bob, "lobby");
    world.join(eve, "lobby");
    world.forget_heard();
    // A letter is under way when the account goes.
    world.late = Some(Vec::new());
    world.put(eve, &frame(&whisper("bob", "in flight")));
    world.settle();
    world.remove_account("bob");
    let heard = world.heard(bob);
    assert_eq!(heard, [json!({"ev": "logged_out", "reason": "removed"})]);
    world.catch_up();
    let told = world.heard(eve);
    assert_eq!((count(&told, "left"), count(&told, "offline")), (1, 1), "{told:?}");
    world.code(eve, json!({"op": "say", "text": "x"}));
    world.code(eve, json!({"op": "broadcast", "text": "x"}));
    assert_eq!(world.code(eve, whisper("bob", "x")), "no_such_user");
    assert_eq!(world.came(bob), b"");
    assert_eq!(world.code(bob, json!({"op": "say", "text": "x"})), "login_first");
    assert_eq!(world.code(bob, login("bob")), "wrong_password");
    assert_eq!((world.engine.stats().users, world.closed.len()), (1, 0));
    // The name is a guest's now, and may be registered anew; the old account has no part in it.
    assert_eq!(world.code(bob, guest("bob")), "welcome");
    world.engine.check_invariants();
}

#[test]
fn row_51_whoever_waits_for_a_name_does_not_get_in_with_an_account_that_is_gone() {
    // A contest for a name with an account, which is removed before it is decided.
    let mut world = World::bounded(Limits { accounts_sessions: 1, ..Limits::default() });
    let owner = world.register("bob");
    let newcomer = world.open();
    world.put(newcomer, &frame(&login("bob")));
    world.settle();
    world.remove_account("bob");
    world.pass(3_000);
    assert_eq!(count(&world.heard(owner), "logged_out"), 1);
    let heard = world.heard(newcomer);
    assert!(heard.iter().all(|came| came["ok"] != "welcome"), "{heard:?}");
    assert_eq!(world.engine.stats().users, 0);
    assert_eq!(world.code(newcomer, json!({"op": "ping"})), "pong", "it was answered");
    world.engine.check_invariants();
    // Guests who want a name that is made somebody's meanwhile.
    let owner = world.login("gus");
    let newcomer = world.open();
    world.put(newcomer, &frame(&guest("gus")));
    world.settle();
    world.add_account("gus");
    world.pass(3_000);
    assert_eq!(count(&world.heard(owner), "logged_out"), 1);
    assert_eq!(world.engine.stats().users, 0, "a guest has a registered name");
    assert_eq!(world.code(newcomer, guest("gus")), "password_needed");
    world.engine.check_invariants();
    // A password that is looked at while the account goes.
    world.late = Some(Vec::new());
    world.put(
        newcomer,
        &frame(&json!({"id": 9, "op": "login", "user": "gus", "password": PASSWORD})),
    );
    world.settle();
    world.remove_account("gus");
    world.catch_up();
    let heard = world.heard(newcomer);
    assert_eq!(heard[0]["error"]["code"], "wrong_password", "{heard:?}");
}

#[test]
fn row_51_a_password_that_was_changed_while_it_was_looked_at_lets_nobody_in() {
    let mut world = World::bounded(Limits::default());
    let bob = world.register("bob");
    let thief = world.open();
    world.late = Some(Vec::new());
    let passwd = json!({"id": 1, "op": "passwd", "password": PASSWORD, "new": "another one"});
    world.put(bob, &frame(&passwd));
    world.put(thief, &frame(&login("bob")));
    world.settle();
    let stolen = world.late.as_mut().unwrap().pop().unwrap();
    world.catch_up();
    assert!(world.heard(bob).iter().any(|came| came["ok"] == "password_changed"));
    let (ticket, outcome) = stolen;
    world.feed(Input::Done { ticket, outcome });
    world.pass(3_000);
    let heard = world.heard(thief);
    assert!(heard.iter().all(|came| came["ok"] != "welcome"), "{heard:?}");
    assert_eq!(world.code(bob, json!({"op": "ping"})), "pong", "bob is still here");
    world.engine.check_invariants();
}

#[test]
fn row_50_whoever_is_logged_out_while_a_request_waits_is_answered_all_the_same() {
    let limits = Limits { timeout: Duration::from_secs(5), ..Limits::default() };
    for removed in [false, true] {
        for (message, expected) in [
            (json!({"op": "passwd", "password": PASSWORD, "new": "another one"}), 1),
            (json!({"op": "block", "user": "eve"}), 1),
            (json!({"op": "logout"}), 1),
            (whisper("eve", "x"), 1),
        ] {
            let mut world = World::bounded(limits.clone());
            let bob = world.register("bob");
            let _eve = world.register("eve");
            world.forget_heard();
            world.late = Some(Vec::new());
            let mut bytes = message.clone();
            bytes["id"] = json!(5);
            world.put(bob, &frame(&bytes));
            world.settle();
            if removed {
                world.remove_account("bob");
            } else {
                world.pass(6_000);
            }
            assert_eq!(count(&world.heard(bob), "logged_out"), 1, "{message}");
            world.catch_up();
            let heard = Frames::all(&world.came(bob));
            let answers = heard.iter().filter(|came| came["re"] == 5).count();
            assert_eq!(answers, expected, "{message}: {heard:?}");
            assert_eq!(world.code(bob, json!({"op": "ping"})), "pong", "{message}");
            assert_eq!(world.code(bob, guest("other")), "welcome", "{message}");
            world.engine.check_invariants();
        }
    }
}
