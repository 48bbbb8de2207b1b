//! Rows 57 and 59: what must last is promised from the store's completion, and refused while the
//! store fails.

use crate::rng::Rng;
use crate::support::{frame, size};
use crate::world::{PASSWORD, World, count, guest, login, whisper};
use parlor::id::ConnId;
use parlor::limits::Limits;
use serde_json::{Value, json};

/// Bob is here with an account, dora has one and is not, alice is a guest.
fn people() -> (World, ConnId, ConnId) {
    let limits = Limits { message_rate: 0, ..Limits::default() };
    let mut world = World::bounded(limits);
    let dora = world.register("dora");
    world.code(dora, json!({"op": "logout"}));
    let bob = world.register("bob");
    let alice = world.login("alice");
    world.join(alice, "lobby");
    world.join(bob, "lobby");
    world.forget_heard();
    (world, bob, alice)
}

/// What is kept for dora: the texts, in the order in which they are told at her next login.
fn letters_of_dora(world: &mut World) -> Vec<String> {
    let dora = world.open();
    let mut texts = Vec::new();
    assert_eq!(world.code_keeping(dora, login("dora"), &mut texts), "welcome");
    loop {
        let before = texts.len();
        let got = json!({"op": "got", "letter": u64::MAX});
        assert_eq!(world.code_keeping(dora, got, &mut texts), "done");
        if texts.len() == before {
            break;
        }
    }
    world.code(dora, json!({"op": "logout"}));
    texts
}

impl World {
    /// Asks, and takes the letters that come beside the answer.
    fn code_keeping(&mut self, conn: ConnId, mut message: Value, to: &mut Vec<String>) -> String {
        message["id"] = json!(77);
        let heard = self.ask_json(conn, &message);
        let letters = heard.iter().filter(|came| came["ev"] == "whispered");
        to.extend(letters.map(|came| came["text"].as_str().unwrap().to_owned()));
        let answer = heard.iter().find(|came| came["re"] == 77).unwrap();
        crate::world::code_of(answer)
    }
}

#[test]
fn row_57_a_store_that_fails_refuses_what_it_cannot_keep_and_changes_nothing() {
    let (mut world, bob, alice) = people();
    let register = json!({"op": "register", "user": "new", "password": PASSWORD});
    let passwd = json!({"op": "passwd", "password": PASSWORD, "new": "another one"});
    for round in 0..20 {
        world.store.fail_next(u32::MAX);
        assert_eq!(world.code(alice, whisper("dora", "lost")), "store_failed");
        assert_eq!(world.code(bob, json!({"op": "block", "user": "alice"})), "store_failed");
        assert_eq!(world.code(bob, passwd.clone()), "store_failed");
        if round < 4 {
            let new = world.open();
            assert_eq!(world.code(new, register.clone()), "store_failed");
            world.now.mono_ms += 60_000;
        }
        // What needs no disk continues.
        assert_eq!(world.code(alice, json!({"op": "say", "text": "chat"})), "heard");
        assert_eq!(world.code(alice, whisper("bob", "psst")), "heard");
        let heard = world.heard(bob);
        assert_eq!((count(&heard, "said"), count(&heard, "whispered")), (1, 1), "{heard:?}");
        assert!(heard.iter().all(|came| came.get("letter").is_none()), "a letter of no number");
        let guest_conn = world.open();
        assert_eq!(world.code(guest_conn, guest(&format!("g{round}"))), "welcome");
        world.code(guest_conn, json!({"op": "exit"}));
        world.forget_heard();
        world.engine.check_invariants();
    }
    // Nothing of it was done: not in the store and not in the hub.
    assert_eq!(world.answer(bob, json!({"op": "blocked"}))["total"], 0);
    world.store.fail_next(0);
    assert_eq!(letters_of_dora(&mut world), [] as [&str; 0]);
    world.restart();
    let bob = world.open();
    assert_eq!(world.code(bob, login("new")), "wrong_password", "an account that was refused");
    assert_eq!(world.code(bob, login("bob")), "welcome", "the password of before");
    assert_eq!(world.answer(bob, json!({"op": "blocked"}))["total"], 0);
}

#[test]
fn row_57_when_the_store_works_again_all_is_as_it_was_without_a_restart() {
    let (mut world, bob, alice) = people();
    let mut kept = Vec::new();
    let mut dice = Rng::new(57);
    for n in 0..size(2_000, 50_000) {
        if dice.index(10) == 0 {
            world.store.fail_next(u32::try_from(dice.index(10)).unwrap());
        }
        if kept.len() < 900 {
            let text = n.to_string();
            match &*world.code(alice, whisper("dora", &text)) {
                "kept" => kept.push(text),
                other => assert_eq!(other, "store_failed"),
            }
        }
        let text = format!("live {n}");
        let code = world.code(alice, whisper("bob", &text));
        assert!(code == "kept" || code == "heard", "{code}");
        world.pass(if dice.index(50) == 0 { 6_000 } else { 0 });
        let heard = world.heard(bob);
        if let Some(letter) = heard.iter().rev().find_map(|came| came["letter"].as_u64()) {
            world.put(bob, &frame(&json!({"op": "got", "letter": letter})));
        }
        for conn in [bob, alice] {
            // They live.
            world.put(conn, &frame(&json!({"op": "ping"})));
        }
    }
    assert!(kept.len() >= 900, "{}", kept.len());
    world.store.fail_next(0);
    world.settle();
    world.forget_heard();
    world.register("new");
    assert_eq!(world.code(bob, json!({"op": "block", "user": "new"})), "done");
    assert_eq!(letters_of_dora(&mut world), kept, "lost, doubled or out of order");
    assert_eq!(letters_of_dora(&mut world), [] as [&str; 0], "told again");
    world.engine.check_invariants();
}

#[test]
fn row_57_letters_that_cannot_be_read_at_the_login_come_when_the_store_works() {
    let (mut world, _, alice) = people();
    for n in 0..100 {
        assert_eq!(world.code(alice, whisper("dora", &n.to_string())), "kept");
    }
    let dora = world.open();
    world.store.fail_next(2);
    assert_eq!(world.code(dora, login("dora")), "welcome", "letters are no part of the login");
    // One that is kept meanwhile does not overtake those before it.
    world.store.fail_next(0);
    assert_eq!(world.code(alice, whisper("dora", "100")), "kept");
    assert_eq!(world.came(dora), b"");
    world.store.fail_next(1);
    let mut texts: Vec<String> = Vec::new();
    for _ in 0..30 {
        world.pass(1_000);
        let heard = world.heard(dora);
        for came in heard.iter().filter(|came| came["ev"] == "whispered") {
            texts.push(came["text"].as_str().unwrap().to_owned());
        }
        if let Some(letter) = heard.iter().rev().find_map(|came| came["letter"].as_u64()) {
            world.put(dora, &frame(&json!({"op": "got", "letter": letter})));
        }
    }
    let all: Vec<String> = (0..=100).map(|n| n.to_string()).collect();
    assert_eq!(texts, all);
    world.engine.check_invariants();
}

#[test]
fn row_59_kept_is_answered_from_the_completion_of_the_store_and_from_nothing_else() {
    let (mut world, bob, alice) = people();
    world.late = Some(Vec::new());
    let sent: u64 = 20;
    for n in 0..sent {
        let to = if n % 2 == 0 { "dora" } else { "bob" };
        let mut message = whisper(to, &n.to_string());
        message["id"] = json!(n);
        world.put(alice, &frame(&message));
    }
    world.settle();
    world.pass(20_000);
    assert_eq!(world.came(alice), b"", "promised before it was kept");
    assert_eq!(world.came(bob), b"", "told before it was kept");
    for n in 0..sent {
        world.finish_one();
        let answers = world.heard(alice);
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!((&answers[0]["re"], &answers[0]["ok"]), (&json!(n), &json!("kept")));
        assert_eq!(answers[0]["online"], n % 2 == 1);
        let heard = world.heard(bob);
        assert_eq!(heard.len() as u64, n % 2, "{heard:?}");
    }
    // The others are answered from theirs as well.
    for message in [
        json!({"id": 1, "op": "block", "user": "alice"}),
        json!({"id": 1, "op": "unblock", "user": "alice"}),
        json!({"id": 1, "op": "logout"}),
    ] {
        world.put(bob, &frame(&message));
        world.pass(5_000);
        assert_eq!(world.came(bob), b"", "{message} was promised");
        world.finish_one();
        assert!(world.heard(bob).iter().any(|came| came["re"] == 1), "{message}");
    }
    let new = world.open();
    let register = json!({"id": 1, "op": "register", "user": "new", "password": PASSWORD});
    world.put(new, &frame(&register));
    world.finish_one();
    world.pass(5_000);
    assert_eq!(world.heard(new).len(), 1, "greeted, and not welcome yet");
    assert_eq!(world.engine.stats().users, 1);
    world.finish_one();
    assert!(world.heard(new).iter().any(|came| came["ok"] == "welcome"));
    world.engine.check_invariants();
}

#[test]
fn row_59_a_letter_is_told_until_it_is_confirmed_and_then_no_more() {
    let (mut world, _, alice) = people();
    let all: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    for text in &all {
        assert_eq!(world.code(alice, whisper("dora", text)), "kept");
    }
    let mut seen: Vec<u64> = Vec::new();
    for cycle in 0.. {
        let dora = world.open();
        let mut first = login("dora");
        first["id"] = json!(1);
        let heard = world.ask_json(dora, &first);
        let letters: Vec<(u64, u64)> = heard
            .iter()
            .filter(|came| came["ev"] == "whispered")
            .map(|came| {
                let text = came["text"].as_str().unwrap().parse().unwrap();
                (came["letter"].as_u64().unwrap(), text)
            })
            .collect();
        if letters.is_empty() {
            break;
        }
        // What was not confirmed comes again, from the first on; the connection breaks often.
        assert_eq!(letters[0].1, seen.len() as u64, "in cycle {cycle}");
        assert!(letters.iter().zip(letters[0].1..).all(|(letter, n)| letter.1 == n));
        let confirmed = (cycle * 7) % (letters.len() + 1);
        if confirmed > 0 {
            let got = json!({"op": "got", "letter": letters[confirmed - 1].0});
            world.put(dora, &frame(&got));
            seen.extend(letters[..confirmed].iter().map(|letter| letter.1));
        }
        if cycle % 3 == 0 {
            world.restart();
        } else {
            world.feed(parlor::engine::Input::Ended { conn: dora, reset: true });
        }
        world.settle();
    }
    assert!(seen.into_iter().eq(0..200));
}
