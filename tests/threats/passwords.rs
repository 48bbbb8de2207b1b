//! Rows 41 to 47: passwords cost much, so they are bounded, and tell a stranger nothing.

use crate::rng::Rng;
use crate::support::{frame, size};
use crate::world::{PASSWORD, World, code_of, guest, login, resume, wait_ms, whisper};
use parlor::client::backoff::Backoff;
use parlor::engine::{Input, Policy, Setup};
use parlor::id::{ConnId, Source};
use parlor::job::{Outcome, PasswordJob, PasswordOutcome};
use parlor::limits::{Limits, PASSWORD_MAX, PASSWORD_WAITING, PASSWORD_WAITING_SOURCE};
use serde_json::{Value, json};

fn open_house() -> World {
    World::bounded(Limits { before_login: 0, before_login_source: 0, ..Limits::default() })
}

fn wrong(name: &str) -> Value {
    json!({"id": 77, "op": "login", "user": name, "password": "not this one"})
}

#[test]
fn row_43_while_passwords_wait_everybody_else_is_served_and_the_line_is_bounded() {
    let mut world = open_house();
    world.register("bob");
    let (alice, carol) = (world.login("alice"), world.login("carol"));
    world.join(alice, "lobby");
    world.join(carol, "lobby");
    world.forget_heard();
    world.late = Some(Vec::new());
    let attack: Vec<ConnId> = (0..2_000).map(|n| world.open_from(Source(10 + n))).collect();
    let (mut waiting, mut busy) = (0, 0);
    for (n, &conn) in attack.iter().enumerate() {
        let came = world.ask_json(conn, &wrong(if n % 2 == 0 { "bob" } else { "nobody" }));
        match came.iter().find(|came| came["re"] == 77) {
            None => waiting += 1,
            Some(answer) => {
                assert_eq!(code_of(answer), "busy", "{answer}");
                assert_eq!(wait_ms(answer), 1_000, "{answer}");
                busy += 1;
            }
        }
        if n % 50 == 0 {
            assert_eq!(world.code(alice, json!({"op": "say", "text": "hi"})), "heard");
            assert_eq!(world.heard(carol).len(), 1);
        }
    }
    let most = PASSWORD_WAITING;
    assert_eq!((waiting, busy, world.late()), (most, 2_000 - most, most));
    // Each one that is done makes room for one.
    for n in 0..100 {
        world.finish_one();
        let conn = world.open_from(Source(5_000 + n));
        assert!(world.ask_json(conn, &wrong("bob")).iter().all(|came| came.get("re").is_none()));
        assert_eq!(world.late(), most);
    }
    world.engine.check_invariants();
    world.catch_up();
    assert_eq!(world.late(), 0);
    let answered =
        attack.iter().filter(|&&conn| !world.came[conn.slot as usize].is_empty()).count();
    assert_eq!(answered, most, "each that waited was answered once it was decided");
    world.engine.check_invariants();
}

#[test]
fn row_43_one_source_has_its_share_of_the_line_and_no_more() {
    let mut world = open_house();
    world.register("bob");
    world.late = Some(Vec::new());
    let mut under_way = Vec::new();
    for n in 0..100 {
        let conn = world.open_from(Source(3));
        // Also those who make accounts.
        let name = format!("n{n}");
        let register = json!({"id": 77, "op": "register", "user": name, "password": PASSWORD});
        let message = if n % 2 == 0 { wrong(&name) } else { register };
        let came = world.ask_json(conn, &message);
        if came.iter().all(|came| came.get("re").is_none()) {
            under_way.push(conn);
        }
    }
    assert_eq!(under_way.len(), PASSWORD_WAITING_SOURCE as usize);
    // Whoever hangs up has not given back what a thread is at.
    for conn in under_way {
        world.feed(Input::Ended { conn, reset: true });
    }
    let conn = world.open_from(Source(3));
    assert_eq!(world.code(conn, wrong("bob")), "busy");
    // Bob from elsewhere waits for his turn and nothing else.
    let bob = world.open_from(Source(4));
    world.put(bob, &frame(&login("bob")));
    assert_eq!(world.late(), 1 + PASSWORD_WAITING_SOURCE as usize);
    world.catch_up();
    world.pass(2_100);
    assert!(world.heard(bob).iter().any(|came| came["ok"] == "welcome"));
    world.engine.check_invariants();
}

#[test]
fn row_43_who_hangs_up_before_the_answer_leaves_nothing_behind() {
    let mut world = open_house();
    world.register("bob");
    let before = world.engine.stats();
    for n in 0..200 {
        world.late = Some(Vec::new());
        let conn = world.open_from(Source(10 + n));
        let message = match n % 3 {
            0 => login("bob"),
            1 => wrong("nobody"),
            _ => json!({"op": "register", "user": format!("u{n}"), "password": PASSWORD}),
        };
        world.put(conn, &frame(&message));
        world.feed(Input::Ended { conn, reset: true });
        world.catch_up();
        world.engine.check_invariants();
    }
    assert_eq!(world.engine.stats().users, before.users);
    // A name whose registration was begun is free for the next.
    let conn = world.open_from(Source(9));
    world.register_on(conn, "u2");
}

#[test]
fn row_44_a_huge_password_costs_nobody_anything() {
    let huge = "x".repeat(64 * 1024 - 200);
    let mut world = open_house();
    let bob = world.register("bob");
    let jobs = world.passwords.len();
    // Before login the frame is too long for it; in lines as well.
    for op in ["login", "register"] {
        let conn = world.open();
        let came = world.ask_json(conn, &json!({"op": op, "user": "bob", "password": huge}));
        assert_eq!(came.last().unwrap()["reason"], "frame_too_long", "{came:?}");
        let conn = world.open();
        let came = world.ask(conn, format!("/{op} bob {huge}\n").as_bytes());
        assert!(String::from_utf8(came).unwrap().contains("longer than the limit"));
    }
    // What fits the frame and is too long is told so.
    let conn = world.open();
    let long = "x".repeat(PASSWORD_MAX + 1);
    for (op, code) in [("login", "wrong_password"), ("register", "bad_password")] {
        let message = json!({"op": op, "user": "new", "password": long});
        assert_eq!(world.code(conn, message), code);
    }
    for (old, new, code) in [
        (PASSWORD, &*huge, "bad_password"),
        (&huge, "another one", "wrong_password"),
        (&long, "another one", "wrong_password"),
    ] {
        let message = json!({"op": "passwd", "password": old, "new": new});
        assert_eq!(world.code(bob, message), code);
    }
    assert_eq!(world.passwords.len(), jobs, "a job was made of it");
    // The longest there may be is hashed.
    let longest = "x".repeat(PASSWORD_MAX);
    let message = json!({"op": "register", "user": "new", "password": longest});
    assert_eq!(world.code(conn, message), "welcome");
    assert_eq!(world.passwords.len(), jobs + 1);
}

/// All that comes back for three tries of a name and one more, byte for byte.
fn tries(world: &mut World, name: &str, source: u64) -> Vec<Vec<u8>> {
    let native = world.open_from(Source(source));
    let text = world.open_from(Source(source + 1));
    let mut came = Vec::new();
    for _ in 0..4 {
        came.push(world.ask(native, &frame(&wrong(name))));
        came.push(world.ask(text, format!("/login {name} wrong-one\n").as_bytes()));
    }
    let token = json!({"op": "login", "user": name, "token": "1.0.5.9.00"});
    came.push(world.ask(native, &frame(&token)));
    came.push(world.ask(native, &frame(&json!({"op": "ping"}))));
    came
}

#[test]
fn row_45_a_name_that_is_known_and_one_that_is_not_get_the_same_answers() {
    for guests in [true, false] {
        let policy = Policy { guests, ..Policy::default() };
        let mut world = World::with(Setup { policy, ..Setup::default() });
        world.register("known");
        let jobs = world.passwords.len();
        let known = tries(&mut world, "known", 10);
        let unknown = tries(&mut world, "unkno", 20);
        assert_eq!(known, unknown, "with guests: {guests}");
        let text = String::from_utf8_lossy(&known.concat()).into_owned();
        assert_eq!(text.matches("wrong name or password").count(), 2 * 2 + 1, "{text}");
        assert_eq!(text.matches("locked_out").count(), 2 * 2, "{text}");
        // The same work for those who hash: as many jobs, one with a hash and one without.
        let (of_known, of_unknown) = world.passwords[jobs..].split_at(6);
        assert_eq!(of_unknown.len(), 6);
        for (of_known, of_unknown) in of_known.iter().zip(of_unknown) {
            let (known, unknown) = match (of_known, of_unknown) {
                (
                    PasswordJob::Verify { password: one, hash: Some(_) },
                    PasswordJob::Verify { password: other, hash: None },
                ) => (one, other),
                other => panic!("{other:?}"),
            };
            assert_eq!(known, unknown);
        }
        if !guests {
            // Without a proof nobody learns anything either.
            let conn = world.open();
            for name in ["known", "unknown"] {
                assert_eq!(world.code(conn, guest(name)), "password_needed");
            }
        }
    }
}

#[test]
fn row_46_a_hundred_thousand_tries_from_one_source_are_at_most_a_hundred_hashes() {
    for names in [1, 7, 100_000] {
        let mut world = open_house();
        world.register("bob");
        world.passwords.clear();
        let all = 100_000;
        // As fast as 1,000 a second, on one connection after the other and on many at once.
        let mut conns: Vec<ConnId> = Vec::new();
        for n in 0..all {
            if n % 10_000 == 0 {
                conns.iter().for_each(|&conn| world.feed(Input::Ended { conn, reset: true }));
                world.came.iter_mut().for_each(|came| *came = Vec::new());
                conns = (0..20).map(|_| world.open_from(Source(6))).collect();
            }
            let name = if names == 1 { "bob".to_owned() } else { format!("bob{}", n % names) };
            world.put(conns[n % 20], &frame(&wrong(&name)));
            if n % 20 == 19 {
                world.now.mono_ms += 20;
                world.settle();
            }
        }
        let hashes = world.passwords.len();
        assert!((3..=100).contains(&hashes), "{hashes} hashes for {names} names");
        // Elsewhere the right one works at once.
        let bob = world.open_from(Source(7));
        world.put(bob, &frame(&login("bob")));
        assert_eq!(world.passwords.len(), hashes + 1);
    }
}

#[test]
fn row_46_neither_registering_nor_changing_passwords_is_a_way_around() {
    let mut world = open_house();
    let conn = world.open_from(Source(6));
    world.register_on(conn, "eve");
    world.passwords.clear();
    for n in 0..20_000 {
        let wrong = json!({"op": "passwd", "password": "wrong one", "new": "another one"});
        world.put(conn, &frame(&wrong));
        if n % 10 == 0 {
            let conn = world.open_from(Source(6));
            let name = format!("e{n}");
            let register = json!({"op": "register", "user": name, "password": PASSWORD});
            world.put(conn, &frame(&register));
            world.feed(Input::Ended { conn, reset: true });
        }
        world.now.mono_ms += 1;
        world.settle();
        world.came.iter_mut().for_each(|came| *came = Vec::new());
    }
    // Three of each name, and an account for each second of what is forgiven and of the time.
    assert!(world.passwords.len() <= 100, "{} hashes in 20 s", world.passwords.len());
}

#[test]
fn row_47_whoever_attacks_a_name_from_everywhere_does_not_lock_its_owner_out() {
    let mut world = open_house();
    let home = Source(1);
    let conn = world.open_from(home);
    world.register_on(conn, "bob");
    world.feed(Input::Ended { conn, reset: true });
    world.settle();
    let mut dice = Rng::new(47);
    let mut failed = 0;
    for minute in 0..100 {
        // A thousand tries in each minute.
        for _ in 0..1_000 {
            let conn = world.open_from(Source(100 + dice.index(500) as u64));
            let code = world.code(conn, wrong("bob"));
            assert!(["wrong_password", "locked_out"].contains(&&*code), "{code}");
            failed += usize::from(code == "wrong_password");
            world.feed(Input::Ended { conn, reset: true });
            world.now.mono_ms += 60;
        }
        let conn = world.open_from(home);
        let jobs = world.passwords.len();
        let answer = world.answer(conn, login("bob"));
        assert_eq!(answer["ok"], "welcome", "in minute {minute}: {answer}");
        assert_eq!(world.passwords.len(), jobs + 1);
        let back = world.open_from(Source(100 + dice.index(500) as u64));
        // His token is good even from where the attack comes.
        let token = &answer["token"];
        assert_eq!(world.code(back, resume("bob", token)), "welcome", "in minute {minute}");
        assert_eq!(world.passwords.len(), jobs + 1, "a token was hashed");
        world.feed(Input::Ended { conn: back, reset: true });
    }
    assert!(failed > 1_000, "{failed} tries were hashed: this tests nothing");
    world.engine.check_invariants();
}

#[test]
fn row_42_five_thousand_come_back_with_tokens_and_not_one_password_is_hashed() {
    let all = 5_000_usize;
    let mut world = World::with(Setup::default());
    world.now.wall_ms = 1_700_000_000_000;
    let mut tokens = Vec::new();
    for n in 0..all {
        let conn = world.open_from(Source(1 + n as u64));
        let name = format!("u{n}");
        let register = json!({"op": "register", "user": name, "password": PASSWORD});
        tokens.push(world.answer(conn, register)["token"].clone());
        world.forget_heard();
        world.feed(Input::Ended { conn, reset: true });
    }
    world.restart();
    world.passwords.clear();
    let began_ms = world.now.mono_ms;
    let mut clients: Vec<Comer> = (0..all).map(|n| Comer::new(n, began_ms)).collect();
    let mut last_ms = began_ms;
    while world.engine.stats().users < all {
        world.now.mono_ms += 20;
        let now_ms = world.now.mono_ms;
        assert!(now_ms < began_ms + 30_000, "only {} in 30 s", world.engine.stats().users);
        for (n, client) in clients.iter_mut().enumerate() {
            if client.step(&mut world, n, &tokens[n]) {
                last_ms = now_ms;
            }
        }
        world.turn();
        world.engine.check_invariants();
    }
    println!("all are in after {} ms", last_ms - began_ms);
    assert_eq!(world.passwords.len(), 0);
    assert_eq!(world.engine.stats().connections, all);
}

/// One that comes back as our client does: it waits, knocks, and says its token a moment later.
struct Comer {
    backoff: Backoff,
    due_ms: u64,
    conn: Option<ConnId>,
    is_in: bool,
}

impl Comer {
    fn new(seed: usize, now_ms: u64) -> Self {
        let mut backoff = Backoff::new(seed as u64);
        let wait = u64::try_from(backoff.next_wait().as_millis()).unwrap();
        Self { backoff, due_ms: now_ms + wait, conn: None, is_in: false }
    }

    /// Says whether it has just got in.
    fn step(&mut self, world: &mut World, n: usize, token: &Value) -> bool {
        if self.is_in || world.now.mono_ms < self.due_ms {
            return false;
        }
        let Some(conn) = self.conn else {
            let conn = world.open_from(Source(1 + n as u64));
            self.conn = Some(conn);
            // Its first bytes take a way there.
            self.due_ms += 40;
            return false;
        };
        let came = std::mem::take(&mut world.came[conn.slot as usize]);
        if came.windows(12).any(|part| part == b"\"ok\":\"welcom") {
            self.is_in = true;
        } else if came.starts_with(b"parlor: ") {
            self.conn = None;
            self.due_ms += u64::try_from(self.backoff.next_wait().as_millis()).unwrap();
        } else if came.is_empty() {
            world.put(conn, &frame(&resume(&format!("u{n}"), token)));
            self.due_ms += 40;
        }
        self.is_in
    }
}

#[test]
fn row_41_crafted_names_are_names_like_any_others() {
    // Which maps there are is kept by `row_41` of the tidy test. Here: names that differ in the
    // middle alone are all held, found and let go, as many as there are of others.
    let all = size(20_000, 200_000);
    let mut dice = Rng::new(41);
    for crafted in [true, false] {
        let mut world = World::new(Limits::default());
        let watcher = world.login("watcher");
        let mut conns = Vec::new();
        for n in 0..all {
            let name = match crafted {
                true => format!("aaaa{n:07}aaaaa"),
                false => format!("{:08x}{n:08x}", dice.index(1 << 30)),
            };
            let conn = world.open_from(Source(n as u64));
            assert_eq!(world.code(conn, guest(&name)), "welcome");
            conns.push((conn, name));
        }
        assert_eq!(world.engine.stats().users, all + 1);
        for _ in 0..1_000 {
            let (_, name) = &conns[dice.index(all)];
            assert_eq!(world.code(watcher, whisper(name, "x")), "heard", "{name}");
        }
        for (conn, _) in conns {
            world.feed(Input::Ended { conn, reset: true });
        }
        assert_eq!(world.engine.stats().users, 1);
    }
}

#[test]
fn row_43_a_worker_that_fails_is_no_wrong_password() {
    let mut world = open_house();
    world.register("bob");
    let mut late = Vec::new();
    for _ in 0..10 {
        world.late = Some(late);
        let conn = world.open_from(Source(8));
        world.put(conn, &frame(&wrong("bob")));
        late = world.late.take().unwrap();
        let (ticket, _) = late.pop().expect("not refused for what was no wrong password");
        let outcome = Outcome::Password(PasswordOutcome::Failed("no memory".to_owned()));
        world.feed(Input::Done { ticket, outcome });
        world.settle();
        let came = world.heard(conn);
        assert_eq!(code_of(came.last().unwrap()), "busy", "{came:?}");
        world.engine.check_invariants();
    }
}
