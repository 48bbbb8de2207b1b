//! Row 49: who has a name when two want it, one of them perhaps dead.

use crate::rng::Rng;
use crate::support::{frame, size};
use crate::world::{World, code_of, count, guest, login, resume};
use parlor::engine::{Input, Policy, Setup};
use parlor::id::ConnId;
use parlor::limits::Limits;
use serde_json::{Value, json};

fn world() -> World {
    let limits = Limits { message_rate: 0, accounts_sessions: 1, ..Limits::default() };
    let mut world = World::with(Setup { limits, ..Setup::default() });
    world.now.wall_ms = 1_700_000_000_000;
    world
}

/// A room with a witness and bob, who has an account; and bob's token.
fn bob_in_a_room(world: &mut World) -> (ConnId, ConnId, Value) {
    let witness = world.login("witness");
    world.join(witness, "lobby");
    let bob = world.open();
    let register = json!({"op": "register", "user": "Bob", "password": "opensesame"});
    let token = world.answer(bob, register)["token"].clone();
    world.join(bob, "lobby");
    world.forget_heard();
    (witness, bob, token)
}

/// Begins a login that cannot be decided yet.
fn contend(world: &mut World, message: Value) -> ConnId {
    let conn = world.open();
    let mut message = message;
    message["id"] = json!(77);
    let came = world.ask_json(conn, &message);
    assert!(came.iter().all(|came| came.get("re").is_none()), "{came:?}");
    world.engine.check_invariants();
    conn
}

/// What a login that had to wait was answered.
fn decided(world: &mut World, conn: ConnId) -> Value {
    let heard = world.heard(conn);
    let answers: Vec<_> = heard.iter().filter(|came| came["re"] == 77).collect();
    assert_eq!(answers.len(), 1, "{heard:?}");
    answers[0].clone()
}

#[test]
fn row_49_an_owner_who_answers_keeps_the_name() {
    for answer in [frame(&json!({"op": "ping"})), b"\0".to_vec()] {
        let mut world = world();
        let (witness, bob, _) = bob_in_a_room(&mut world);
        let newcomer = contend(&mut world, login("bob"));
        assert_eq!(world.heard(bob), [json!({"ev": "ping"})]);
        world.pass(1_900);
        world.put(bob, &answer);
        world.settle();
        let answer = decided(&mut world, newcomer);
        assert_eq!(code_of(&answer), "name_in_use");
        assert_eq!(world.came(witness), b"", "nobody else is told");
        world.pass(10_000);
        assert_eq!((world.closed.len(), world.engine.stats().users), (0, 2));
        // The refused one may try again on the same connection.
        assert_eq!(world.code(newcomer, guest("carol")), "welcome");
        world.engine.check_invariants();
    }
}

#[test]
fn row_49_an_owner_who_is_silent_gives_way_and_nobody_else_hears_of_it() {
    for by_password in [true, false] {
        let mut world = world();
        let (witness, owner, name) = if by_password {
            let (witness, bob, _) = bob_in_a_room(&mut world);
            (witness, bob, "Bob")
        } else {
            let (witness, _, _) = bob_in_a_room(&mut world);
            let carol = world.login("carol");
            world.join(carol, "lobby");
            (witness, carol, "carol")
        };
        world.forget_heard();
        let message = if by_password { login("bOB") } else { guest("carol") };
        let newcomer = contend(&mut world, message);
        world.pass(1_900);
        assert_eq!(world.came(newcomer), b"", "before the two seconds are over");
        world.pass(200);
        let answer = decided(&mut world, newcomer);
        assert_eq!(answer["ok"], "welcome");
        assert_eq!((&answer["user"], &answer["room"]), (&json!(name), &json!("lobby")));
        let last = world.heard(owner);
        assert_eq!(last.last().unwrap()["reason"], "taken_over", "{last:?}");
        assert_eq!(world.came(witness), b"", "nobody else is told");
        // The newcomer is heard in the room and hears it.
        assert_eq!(world.code(newcomer, json!({"op": "say", "text": "me"})), "heard");
        assert_eq!(world.heard(witness)[0]["from"], name);
        world.code(witness, json!({"op": "say", "text": "you"}));
        assert_eq!(count(&world.heard(newcomer), "said"), 1);
        assert_eq!(world.came(owner), b"", "the old one hears nothing more");
        world.engine.check_invariants();
    }
}

#[test]
fn row_49_a_token_needs_no_wait_and_a_bad_one_is_a_wrong_password() {
    let mut world = world();
    let (witness, bob, token) = bob_in_a_room(&mut world);
    let text = token.as_str().unwrap();
    let (claim, hash) = text.rsplit_once('.').unwrap();
    let fields: Vec<&str> = claim.split('.').collect();
    let turned: String = hash.chars().rev().collect();
    let mut forged = vec![
        format!("{claim}.{turned}"),
        format!("{claim}.{}", "0".repeat(64)),
        format!("{claim}."),
        claim.to_owned(),
        String::new(),
        ".".repeat(500),
        format!(" {text}"),
    ];
    for field in 0..fields.len() {
        let mut fields = fields.clone();
        fields[field] = "9";
        forged.push(format!("{}.{hash}", fields.join(".")));
    }
    let conn = world.open();
    for forged in &forged {
        let came = world.code(conn, resume("bob", &json!(forged)));
        assert_eq!(came, "wrong_password", "{forged}");
    }
    assert_eq!(world.code(conn, resume("witness", &token)), "wrong_password");
    assert_eq!(world.code(conn, resume("nobody", &token)), "wrong_password");
    assert_eq!(world.came(bob), b"", "the owner was troubled");
    // The right one at once, though bob may well be alive.
    let answer = world.answer(conn, resume("bob", &token));
    assert_eq!((&answer["ok"], &answer["room"]), (&json!("welcome"), &json!("lobby")));
    assert_eq!(world.heard(bob)[0]["reason"], "taken_over");
    assert_eq!(world.came(witness), b"");
    assert_eq!(world.passwords.len(), 1, "only the registration was hashed");
    world.engine.check_invariants();
}

#[test]
fn row_49_a_new_epoch_voids_every_token_of_before() {
    let mut world = world();
    let (_, bob, first) = bob_in_a_room(&mut world);
    let passwd = json!({"op": "passwd", "password": "opensesame", "new": "another one"});
    let second = world.answer(bob, passwd)["token"].clone();
    let conn = world.open();
    assert_eq!(world.code(conn, resume("bob", &first)), "wrong_password");
    assert_eq!(world.code(conn, resume("bob", &second)), "welcome");
    assert_eq!(world.code(conn, json!({"op": "logout"})), "logged_out");
    for token in [&first, &second] {
        assert_eq!(world.code(conn, resume("bob", token)), "wrong_password", "after logout");
    }
    // Also for a server that has been started again.
    let third = {
        let login = json!({"op": "login", "user": "bob", "password": "another one"});
        world.answer(conn, login)["token"].clone()
    };
    world.restart();
    let conn = world.open();
    for token in [&first, &second] {
        assert_eq!(world.code(conn, resume("bob", token)), "wrong_password", "after a restart");
    }
    assert_eq!(world.code(conn, resume("bob", &third)), "welcome");
}

#[test]
fn row_49_a_guests_token_is_good_against_its_own_session_only() {
    let mut world = world();
    let old = world.open();
    let token = world.answer(old, guest("gus"))["token"].clone();
    // It is the same guest: no wait.
    let new = world.open();
    assert_eq!(world.code(new, resume("gus", &token)), "welcome");
    assert_eq!(world.heard(old)[0]["reason"], "taken_over");
    world.feed(Input::Ended { conn: new, reset: true });
    // Another guest has the name meanwhile: the token is no better than none.
    let other = world.login("gus");
    let back = contend(&mut world, resume("gus", &token));
    world.put(other, &frame(&json!({"op": "ping"})));
    world.settle();
    let answer = decided(&mut world, back);
    assert_eq!(code_of(&answer), "name_in_use");
    world.feed(Input::Ended { conn: other, reset: true });
    // Somebody registers the name: a guest's token is worth nothing.
    world.register("gus");
    assert_eq!(world.code(back, resume("gus", &token)), "wrong_password");
    // Nor is it where there are no guests.
    let closed = Policy { guests: false, ..Policy::default() };
    let mut world = World::with(Setup { policy: closed, ..Setup::default() });
    let conn = world.open();
    let code = world.code(conn, resume("gus", &token));
    assert!(["wrong_password", "password_needed"].contains(&&*code), "{code}");
    assert_eq!(world.engine.stats().users, 0);
}

#[test]
fn row_49_one_who_cannot_answer_a_ping_loses_the_name_to_a_password_only() {
    let mut world = world();
    let netcat = world.open();
    world.ask(netcat, b"/login gus\n");
    let conn = world.open();
    assert_eq!(world.code(conn, guest("gus")), "name_in_use", "a guest with netcat");
    assert_eq!(world.came(netcat), b"");
    let netcat = world.open();
    world.ask(netcat, b"/register bob opensesame\n");
    let newcomer = contend(&mut world, login("bob"));
    world.pass(2_100);
    assert_eq!(decided(&mut world, newcomer)["ok"], "welcome");
    let last = String::from_utf8(world.came(netcat)).unwrap();
    assert!(last.contains("the same user logged in on another connection"), "{last}");
}

#[test]
fn row_49_a_third_one_is_refused_while_the_second_waits() {
    let mut world = world();
    let (_, bob, _) = bob_in_a_room(&mut world);
    let second = contend(&mut world, login("bob"));
    let third = world.open();
    assert_eq!(world.code(third, login("bob")), "name_in_use");
    assert_eq!(count(&world.heard(bob), "ping"), 1, "asked once");
    world.pass(2_100);
    assert_eq!(decided(&mut world, second)["ok"], "welcome");
    assert_eq!(world.engine.stats().users, 2);
    world.engine.check_invariants();
}

#[test]
fn row_49_a_token_that_comes_during_a_contest_ends_it() {
    let mut world = world();
    let (witness, bob, token) = bob_in_a_room(&mut world);
    let second = contend(&mut world, login("bob"));
    world.pass(1_000);
    let third = world.open();
    let answer = world.answer(third, resume("bob", &token));
    assert_eq!((&answer["ok"], &answer["room"]), (&json!("welcome"), &json!("lobby")));
    world.engine.check_invariants();
    world.pass(5_000);
    let answer = decided(&mut world, second);
    assert_eq!(code_of(&answer), "name_in_use");
    assert_eq!(world.heard(bob).last().unwrap()["reason"], "taken_over");
    assert_eq!(world.came(witness), b"");
    assert_eq!(world.engine.stats().users, 2);
    assert_eq!(world.code(third, json!({"op": "say", "text": "me"})), "heard");
    world.engine.check_invariants();
}

#[test]
fn row_49_an_owner_who_leaves_during_a_contest_leaves_the_name() {
    for how in 0..4 {
        let mut world = world();
        let (witness, bob, _) = bob_in_a_room(&mut world);
        let newcomer = contend(&mut world, login("bob"));
        match how {
            // Bytes of the owner keep the name until they have told that he leaves.
            0 => world.put(bob, &frame(&json!({"op": "exit"}))),
            1 => world.put(bob, &frame(&json!({"op": "logout"}))),
            2 => world.feed(Input::Ended { conn: bob, reset: true }),
            _ => world.feed(Input::Ended { conn: bob, reset: false }),
        }
        world.settle();
        let answer = decided(&mut world, newcomer);
        let expected = if how < 2 { "name_in_use" } else { "welcome" };
        assert_eq!(code_of(&answer), expected, "way {how}");
        // Whose connection breaks has not left: the next one stands where he stood.
        let heard = world.heard(witness);
        let told = (count(&heard, "left"), count(&heard, "offline"), heard.len());
        assert_eq!(told, if how < 2 { (1, 1, 2) } else { (0, 0, 0) }, "{heard:?}");
        assert_eq!(answer["room"], if how < 2 { Value::Null } else { json!("lobby") });
        world.pass(5_000);
        assert_eq!(world.engine.stats().users, 1 + usize::from(how >= 2));
        world.engine.check_invariants();
    }
}

#[test]
fn row_49_a_newcomer_who_leaves_during_a_contest_changes_nothing() {
    let mut world = world();
    let (witness, bob, _) = bob_in_a_room(&mut world);
    let newcomer = contend(&mut world, login("bob"));
    world.feed(Input::Ended { conn: newcomer, reset: true });
    world.settle();
    world.engine.check_invariants();
    world.pass(5_000);
    assert_eq!((count(&world.heard(bob), "bye"), world.came(witness)), (0, Vec::new()));
    assert_eq!(world.code(bob, json!({"op": "say", "text": "me"})), "heard");
    // The next one gets a contest of its own; one that has said all is still owed its answer.
    let next = contend(&mut world, login("bob"));
    world.feed(Input::Ended { conn: next, reset: false });
    world.pass(2_100);
    assert_eq!(decided(&mut world, next)["ok"], "welcome");
    world.pass(5_000);
    assert_eq!(world.engine.stats().users, 1);
    world.engine.check_invariants();
}

#[test]
fn row_49_uploads_of_the_old_one_end_with_it_and_what_was_handed_to_it_is_the_new_ones() {
    let mut world = world();
    let (witness, bob, token) = bob_in_a_room(&mut world);
    let offer = json!({"op": "send_file", "user": "witness", "name": "f", "size": 1_000});
    assert_eq!(world.code(bob, offer.clone()), "announced");
    let back = json!({"op": "send_file", "user": "bob", "name": "g", "size": 5});
    assert_eq!(world.code(witness, back.clone()), "announced");
    world.ask(witness, b"\0\0\0\x0a\x02\0\0\0\x02hello");
    assert_eq!(count(&world.heard(bob), "offered"), 1);
    assert_eq!(world.code(bob, json!({"op": "get", "transfer": 2})), "getting");
    let new = world.open();
    assert_eq!(world.code(new, resume("bob", &token)), "welcome");
    assert_eq!(world.engine.stats().uploads, 0);
    assert_eq!(world.code(new, json!({"op": "get", "transfer": 2})), "getting");
    assert_eq!(world.code(new, json!({"op": "received", "transfer": 2})), "done");
    assert_eq!(count(&world.heard(witness), "receipt"), 1);
    assert_eq!(world.code(new, offer), "announced", "and the newcomer may begin its own");
    world.engine.check_invariants();
}

#[test]
fn row_49_at_random_points_a_name_has_one_owner_and_no_kept_letter_is_lost_or_doubled() {
    let mut world = world();
    let mut dice = Rng::new(49);
    let writer = world.login("writer");
    let mut owner = world.register("bob");
    let (mut heard, mut kept) = (Vec::new(), 0_u64);
    for step in 0..size(3_000, 100_000) {
        if dice.index(2) == 0 {
            let text = kept.to_string();
            let answer =
                world.answer(writer, json!({"op": "whisper", "user": "bob", "text": text}));
            assert_eq!(answer["ok"], "kept", "{answer}");
            kept += 1;
        }
        if dice.index(3) == 0 {
            read_letters(&mut world, owner, &mut heard);
        }
        match dice.index(4) {
            0 => world.feed(Input::Ended { conn: owner, reset: dice.index(2) == 0 }),
            1 => world.pass(dice.index(3_000) as u64),
            _ => {}
        }
        let newcomer = world.open();
        let mut message = login("bob");
        message["id"] = json!(77);
        world.put(newcomer, &frame(&message));
        world.settle();
        if dice.index(3) == 0 {
            world.put(owner, &frame(&json!({"op": "ping"})));
        }
        world.pass(2_100);
        if step < 3_000 || step % 64 == 0 {
            // It looks at every slot there ever was.
            world.engine.check_invariants();
        }
        let users = world.engine.stats().users;
        assert_eq!(users, 2, "in step {step}");
        let all = world.came[newcomer.slot as usize].clone();
        if all.windows(9).any(|part| part == b"\"welcome\"") {
            owner = newcomer;
        } else {
            world.feed(Input::Ended { conn: newcomer, reset: true });
            world.came(newcomer);
        }
        let writer = &mut world.came[writer.slot as usize];
        writer.clear();
    }
    for _ in 0..kept / 32 + 2 {
        read_letters(&mut world, owner, &mut heard);
        world.pass(100);
    }
    assert!(kept > 1_000, "{kept}");
    assert!(heard.into_iter().eq(0..kept), "a letter was lost, doubled or out of order");
}

/// A client that takes its letters: what it has seen before it does not show again.
fn read_letters(world: &mut World, conn: ConnId, heard: &mut Vec<u64>) {
    let came = world.heard(conn);
    let mut last = None;
    for letter in came.iter().filter(|came| came["ev"] == "whispered") {
        let text: u64 = letter["text"].as_str().unwrap().parse().unwrap();
        if heard.last().is_none_or(|&seen| text > seen) {
            heard.push(text);
        }
        last = letter["letter"].as_u64().or(last);
    }
    if let Some(letter) = last {
        world.put(conn, &frame(&json!({"op": "got", "letter": letter})));
        world.settle();
    }
}
