//! Files without sockets: who may have how much, for how long, and who sees what.

use crate::rng::Rng;
use crate::support::{Frames, frame, size};
use crate::world::{PASSWORD, World, count, guest, login, resume};
use parlor::engine::Input;
use parlor::id::{ConnId, TransferId};
use parlor::limits::{CHUNK_MAX, FILES_A_USER, GUEST_RETURN, Limits};
use parlor::wire::frame::emit_chunk;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const MINUTE_MS: u64 = 60_000;
pub(crate) const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

pub(crate) fn hash_of(content: &[u8]) -> String {
    blake3::hash(content).to_hex().to_string()
}

pub(crate) fn send_to(user: &str, name: &str, content: &[u8]) -> Value {
    let (size, hash) = (content.len(), hash_of(content));
    json!({"op": "send_file", "user": user, "name": name, "size": size, "hash": hash})
}

pub(crate) fn shelve(name: &str, content: &[u8]) -> Value {
    let (size, hash) = (content.len(), hash_of(content));
    json!({"op": "upload", "name": name, "size": size, "hash": hash})
}

pub(crate) fn on(op: &str, transfer: u32) -> Value {
    json!({"op": op, "transfer": transfer})
}

impl World {
    /// Announces; the number.
    pub(crate) fn announce(&mut self, conn: ConnId, message: Value) -> u32 {
        let answer = self.answer(conn, message);
        assert_eq!(answer["ok"], "announced", "{answer}");
        u32::try_from(answer["transfer"].as_u64().unwrap()).unwrap()
    }

    /// Sends bytes of a file as far as one frame takes them; what came back.
    pub(crate) fn chunk(&mut self, conn: ConnId, transfer: u32, bytes: &[u8]) -> Vec<Value> {
        Frames::all(&self.ask(conn, &emit_chunk(TransferId(transfer), bytes)))
    }

    /// Hands over all of a file, which must be stored; the number.
    pub(crate) fn give(&mut self, conn: ConnId, message: Value, content: &[u8]) -> u32 {
        let transfer = self.announce(conn, message);
        for part in content.chunks(CHUNK_MAX) {
            let heard = self.chunk(conn, transfer, part);
            assert!(heard.iter().all(|came| came["how"] != "mismatch"), "{heard:?}");
        }
        assert_eq!(self.engine.hub().uploads().get(TransferId(transfer)), None, "not stored");
        transfer
    }

    /// Takes a file; its bytes.
    pub(crate) fn take(&mut self, conn: ConnId, transfer: u32) -> Vec<u8> {
        self.came(conn);
        let bytes = self.ask(conn, &frame(&on("get", transfer)));
        let mut rest = &bytes[..];
        let mut content = Vec::new();
        while !rest.is_empty() {
            let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
            let (head, body) = (&rest[4..9], &rest[9..4 + length]);
            if head[0] == 2 {
                assert_eq!(head[1..], transfer.to_be_bytes());
                content.extend_from_slice(body);
            } else {
                let text = String::from_utf8_lossy(&rest[5..4 + length]);
                assert!(text.contains("getting"), "{text}");
            }
            rest = &rest[4 + length..];
        }
        content
    }

    /// The numbers of the files that somebody is shown.
    pub(crate) fn listed(&mut self, conn: ConnId) -> Vec<u64> {
        let answer = self.answer(conn, json!({"op": "files"}));
        let files = answer["files"].as_array().unwrap_or_else(|| panic!("{answer}"));
        files.iter().map(|file| file["transfer"].as_u64().unwrap()).collect()
    }

    /// Time passes, a minute at a time, in which everybody here gives signs of life.
    fn pass_minutes(&mut self, minutes: u64, awake: &[ConnId]) {
        for _ in 0..minutes {
            for &conn in awake {
                self.put(conn, &frame(&json!({"op": "ping"})));
            }
            self.now.mono_ms += MINUTE_MS;
            self.now.wall_ms += MINUTE_MS;
            self.settle();
        }
        self.forget_heard();
    }

    pub(crate) fn is_gone(&mut self, conn: ConnId) {
        self.feed(Input::Ended { conn, reset: true });
        self.settle();
    }
}

fn world(limits: Limits) -> World {
    World::new(limits)
}

/// A connection that nobody finds dead while days go by.
pub(crate) fn patient() -> Limits {
    let (heartbeat, dead_after) = (Duration::from_secs(1 << 26), Duration::from_secs(1 << 27));
    Limits { heartbeat, dead_after, ..Limits::default() }
}

#[test]
fn row_54_a_thousand_files_of_one_name_are_a_thousand_files() {
    let limits = Limits { connections: 5_000, ..Limits::default() };
    let mut world = world(limits);
    let receiver = world.register("receiver");
    let mut sent = BTreeMap::new();
    for n in 0..1_000_u32 {
        let sender = world.login(&format!("sender{n}"));
        let content = format!("this is what sender {n} has to say").into_bytes();
        let transfer = world.give(sender, send_to("receiver", "report.pdf", &content), &content);
        assert_eq!(sent.insert(transfer, content), None, "a number was given twice");
    }
    assert_eq!(sent.len(), 1_000);
    assert_eq!(world.disk.whole().len(), 1_000);
    for (transfer, content) in sent {
        assert!(world.take(receiver, transfer) == content, "transfer {transfer}");
        assert_eq!(world.code(receiver, on("received", transfer)), "done");
    }
    assert_eq!(world.disk.whole().len(), 0);
    assert_eq!(world.engine.stats().uploads, 0);
    world.engine.check_invariants();
}

#[test]
fn row_54_one_content_under_a_hundred_names_is_kept_until_the_last_is_gone() {
    let mut world = world(Limits::default());
    let (alice, bob) = (world.login("alice"), world.login("bob"));
    let content = b"always the same";
    let mut left: Vec<u32> = (0..100)
        .map(|n| world.give(alice, send_to("bob", &format!("file {n}"), content), content))
        .collect();
    assert_eq!(world.disk.whole().len(), 1);
    let mut dice = Rng::new(54);
    while !left.is_empty() {
        let transfer = left.swap_remove(dice.index(left.len()));
        assert_eq!(world.take(bob, transfer), content);
        let (conn, op) = *dice.pick(&[(bob, "received"), (bob, "reject"), (alice, "remove")]);
        assert_eq!(world.code(conn, on(op, transfer)), "done");
        assert_eq!(world.disk.whole().len(), usize::from(!left.is_empty()), "{op}");
        world.engine.check_invariants();
    }
}

#[test]
fn row_55_any_order_of_lies_leaves_no_slot_no_half_and_no_file_behind() {
    let mut world = world(Limits { upload_slots: 3, ..Limits::default() });
    let conns: Vec<ConnId> = (0..5).map(|n| world.login(&format!("liar{n}"))).collect();
    let mut dice = Rng::new(55);
    let mut last = 0;
    for step in 0..size(20_000, 1_000_000) {
        let conn = *dice.pick(&conns);
        let content = vec![u8::try_from(dice.index(256)).unwrap(); dice.index(40)];
        match dice.index(6) {
            0 => {
                let mut message = shelve("f", &content);
                if dice.index(2) == 0 {
                    message["hash"] = hash_of(b"something else").into();
                }
                message["size"] = (content.len() + dice.index(3)).into();
                let answer = world.answer(conn, message);
                last = answer["transfer"].as_u64().unwrap_or(last);
            }
            1 => {
                world.ask(conn, &frame(&json!({"op": "cancel", "transfer": last})));
            }
            _ => {
                let about = last.saturating_sub(dice.index(4) as u64);
                let transfer = TransferId(u32::try_from(about).unwrap());
                world.ask(conn, &emit_chunk(transfer, &content));
            }
        }
        assert!(world.engine.stats().uploads <= 3);
        if step % 64 == 0 {
            world.engine.check_invariants();
            for &conn in &conns {
                let all = world.answer(conn, json!({"op": "files"}));
                for file in all["files"].as_array().unwrap() {
                    world.ask(conn, &frame(&json!({"op": "remove", "transfer": file["transfer"]})));
                }
            }
            world.forget_heard();
        }
    }
    for transfer in 1..=last {
        for &conn in &conns {
            world.ask(conn, &frame(&json!({"op": "cancel", "transfer": transfer})));
            world.ask(conn, &frame(&json!({"op": "remove", "transfer": transfer})));
        }
    }
    world.engine.check_invariants();
    assert_eq!(world.engine.stats().uploads, 0);
    assert_eq!((world.disk.open().count(), world.disk.whole().len()), (0, 0));
    assert_eq!(world.disk.halves(), []);
}

#[test]
fn row_56_uploaders_that_stall_hold_up_the_honest_ones_for_at_most_35_s() {
    let mut world = world(Limits::default());
    let content: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    let stalled: Vec<ConnId> = (0..5).map(|n| world.login(&format!("stalled{n}"))).collect();
    let stalls: Vec<u32> = stalled
        .iter()
        .map(|&conn| {
            let transfer = world.announce(conn, shelve("half", &content));
            world.chunk(conn, transfer, &content[..10_000]);
            transfer
        })
        .collect();
    let honest: Vec<ConnId> = (0..20).map(|n| world.login(&format!("honest{n}"))).collect();
    let numbers: Vec<u32> =
        honest.iter().map(|&conn| world.announce(conn, shelve("whole", &content))).collect();
    world.forget_heard();
    let (mut waited, mut first_ms, mut ended) = (0, None, 0);
    let mut done = BTreeSet::new();
    while done.len() < honest.len() {
        // A byte a second is no progress.
        for (&conn, &transfer) in stalled.iter().zip(&stalls) {
            ended += count(&world.chunk(conn, transfer, b"."), "ended");
        }
        for (&conn, &transfer) in honest.iter().zip(&numbers) {
            if count(&world.heard(conn), "admitted") == 0 {
                continue;
            }
            first_ms.get_or_insert(waited);
            for part in content.chunks(CHUNK_MAX) {
                world.chunk(conn, transfer, part);
            }
            done.insert(transfer);
        }
        world.pass(1_000);
        waited += 1_000;
        assert!(waited < 60_000, "{} of 20 are through", done.len());
    }
    assert!(first_ms.is_some_and(|ms| ms <= 35_000), "{first_ms:?}");
    // Those who stalled lost the slot and nothing else.
    assert_eq!(ended, 5);
    for &conn in &stalled {
        let came = world.ask_json(conn, &shelve("half", &content));
        let admitted = came.iter().find(|came| came["ev"] == "admitted").unwrap();
        let offset = usize::try_from(admitted["offset"].as_u64().unwrap()).unwrap();
        assert!((10_000..10_060).contains(&offset), "{offset}");
        world.ask(conn, &frame(&json!({"op": "cancel", "transfer": admitted["transfer"]})));
    }
    world.engine.check_invariants();
}

#[test]
fn row_57_a_user_has_so_many_bytes_and_files_and_all_have_so_many() {
    let limits = Limits {
        files_user_bytes: 1_000,
        files_total_bytes: 2_500,
        files_free_bytes: 500,
        ..Limits::default()
    };
    let mut world = world(limits);
    let users: Vec<ConnId> = (0..4).map(|n| world.login(&format!("u{n}"))).collect();
    let content = [7; 1_000];
    let code = |world: &mut World, user: usize, bytes: usize| {
        world.code(users[user], shelve("f", &content[..bytes]))
    };
    assert_eq!(code(&mut world, 0, 1_001 - 1), "announced");
    assert_eq!(code(&mut world, 0, 1), "quota_full", "what is announced counts");
    world.code(users[0], on("cancel", 1));
    assert_eq!(code(&mut world, 0, 999), "announced");
    world.code(users[0], on("cancel", 2));
    let kept = world.give(users[1], shelve("f", &content), &content);
    assert_eq!(code(&mut world, 1, 1), "quota_full", "what is there counts");
    world.give(users[2], shelve("f", &content), &content);
    assert_eq!(code(&mut world, 3, 501), "server_full");
    assert_eq!(code(&mut world, 3, 500), "announced");
    assert_eq!(code(&mut world, 0, 1), "server_full");
    world.code(users[1], on("remove", kept));
    assert_eq!(code(&mut world, 0, 1), "announced");
    // The floor: what all uploads will take is looked at, not what they have taken.
    world.feed(Input::Space(1_600));
    assert_eq!(code(&mut world, 1, 599), "announced");
    assert_eq!(code(&mut world, 1, 1), "server_full");
    world.feed(Input::Space(1_601));
    assert_eq!(code(&mut world, 1, 1), "announced");
    world.engine.check_invariants();
}

#[test]
fn row_57_a_user_has_a_thousand_files_at_most() {
    let mut world = world(Limits::default());
    let alice = world.login("alice");
    for n in 0..FILES_A_USER {
        world.give(alice, shelve(&format!("{n}"), b"x"), b"x");
    }
    assert_eq!(world.code(alice, shelve("one more", b"x")), "too_many_files");
    assert_eq!(world.code(alice, on("remove", 500)), "done");
    world.give(alice, shelve("one more", b"x"), b"x");
    let listed = world.listed(alice);
    assert_eq!((listed.len(), listed[0]), (64, 1));
    let rest = world.answer(alice, json!({"op": "files", "after": 980}));
    assert_eq!((rest["files"].as_array().unwrap().len(), &rest["more"]), (21, &Value::Null));
    world.engine.check_invariants();
}

#[test]
fn a_file_goes_after_its_time_and_half_a_file_after_a_day() {
    let mut world = world(patient());
    let alice = world.register("alice");
    world.register("bob");
    let (whole, half) = (vec![1; 50_000], vec![2; 50_000]);
    let handed = world.give(alice, send_to("bob", "f", &whole), &whole);
    let shelved = world.give(alice, shelve("f", &whole), &whole);
    let broken = world.announce(alice, shelve("half", &half));
    world.chunk(alice, broken, &half[..20_000]);
    world.is_gone(alice);
    let alice = world.open();
    assert_eq!(world.code(alice, login("alice")), "welcome");
    assert_eq!(world.disk.halves().len(), 1);
    let awake = [alice];
    world.pass_minutes(DAY_MS / MINUTE_MS - 1, &awake);
    assert_eq!(world.disk.halves().len(), 1, "a day is not over");
    world.pass_minutes(3, &awake);
    assert_eq!(world.disk.halves().len(), 0, "it has had its day");
    world.pass_minutes(6 * DAY_MS / MINUTE_MS - 10, &awake);
    assert_eq!(world.listed(alice), [u64::from(handed), u64::from(shelved)]);
    world.pass_minutes(10, &awake);
    assert_eq!(world.listed(alice), [u64::from(shelved)]);
    assert_eq!(world.disk.whole().len(), 1, "the other one has the content");
    world.pass_minutes(23 * DAY_MS / MINUTE_MS, &awake);
    assert_eq!(world.listed(alice), [0_u64; 0]);
    assert_eq!(world.disk.whole().len(), 0);
    world.engine.check_invariants();
}

#[test]
fn half_a_file_whose_sender_went_while_it_was_written_is_known_and_goes_after_a_day() {
    let mut world = world(patient());
    let witness = world.login("witness");
    let alice = world.login("alice");
    let content = vec![3; 50_000];
    let transfer = world.announce(alice, shelve("half", &content));
    // The disk has the bytes, and has not said so when she is gone.
    world.late = Some(Vec::new());
    world.chunk(alice, transfer, &content[..10_000]);
    world.is_gone(alice);
    world.catch_up();
    let on_disk: u64 = world.disk.halves().iter().map(|half| half.bytes).sum();
    assert!(on_disk == 0 || world.state().contains("Half {"), "nobody knows of {on_disk} bytes");
    world.pass_minutes(DAY_MS / MINUTE_MS + 3, &[witness]);
    assert_eq!(world.disk.halves(), [], "it would stay for ever");
}

#[test]
fn what_is_handed_to_one_user_is_seen_by_that_one_and_the_sender_alone() {
    let mut world = world(Limits::default());
    let (alice, bob) = (world.register("alice"), world.register("bob"));
    let eve = world.login("eve");
    for conn in [alice, bob, eve] {
        world.join(conn, "lobby");
    }
    let transfer = world.give(alice, send_to("bob", "secret.txt", b"secret"), b"secret");
    assert_eq!(count(&world.heard(bob), "offered"), 1);
    assert_eq!(count(&world.heard(eve), "offered"), 0);
    let before = world.state();
    for op in ["get", "reject", "received", "remove"] {
        assert_eq!(world.code(eve, on(op, transfer)), "no_such_file", "{op}");
    }
    assert_eq!(world.code(eve, json!({"op": "get", "name": "secret.txt"})), "no_such_file");
    assert_eq!(world.code(eve, on("cancel", transfer)), "no_such_transfer");
    assert_eq!(world.state(), before);
    assert_eq!(world.listed(eve), [0_u64; 0]);
    // The sender may look at it and take it back; he cannot speak for the receiver.
    assert_eq!(world.code(alice, on("reject", transfer)), "no_such_file");
    assert_eq!(world.code(bob, on("remove", transfer)), "not_your_file");
    assert_eq!(world.take(alice, transfer), b"secret");
    assert_eq!(world.code(alice, on("received", transfer)), "done");
    assert_eq!(world.listed(bob), [u64::from(transfer)], "it was not hers to confirm");
    // Somebody who has the sender's name in another way: after the account's removal.
    world.remove_account("alice");
    let other = world.open();
    assert_eq!(world.code(other, guest("alice")), "welcome");
    assert_eq!(world.code(other, on("remove", transfer)), "no_such_file");
    assert_eq!(world.listed(other), [0_u64; 0]);
    world.remove_account("bob");
    let other = world.register("bob");
    assert_eq!(world.listed(other), [0_u64; 0], "another account of the name");
    assert_eq!(world.code(other, on("get", transfer)), "no_such_file");
    world.pass(2 * MINUTE_MS);
    assert_eq!(world.disk.whole().len(), 0, "nobody is left to have it");
    world.engine.check_invariants();
}

#[test]
fn what_is_handed_to_a_guest_is_that_guests_and_no_later_ones() {
    let mut world = world(patient());
    let alice = world.register("alice");
    let bob = world.open();
    let token = world.answer(bob, guest("bob"))["token"].clone();
    let transfer = world.give(alice, send_to("bob", "secret.txt", b"secret"), b"secret");
    world.is_gone(bob);
    let other = world.open();
    assert_eq!(world.code(other, guest("bob")), "welcome");
    assert_eq!(count(&world.heard(other), "offered"), 0);
    for op in ["get", "reject", "received"] {
        assert_eq!(world.code(other, on(op, transfer)), "no_such_file", "{op}");
    }
    assert_eq!(world.listed(other), [0_u64; 0]);
    world.is_gone(other);
    // He himself is known by his token, for ten minutes.
    world.pass(9 * MINUTE_MS);
    let back = world.open();
    let came = world.ask_json(back, &resume("bob", &token));
    let welcome = came.iter().find(|came| came["ok"] == "welcome");
    assert_eq!((welcome.is_some(), count(&came, "offered")), (true, 1), "{came:?}");
    assert_eq!(world.take(back, transfer), b"secret");
    let token = &welcome.unwrap()["token"];
    world.is_gone(back);
    world.forget_heard();
    world.pass(u64::try_from(GUEST_RETURN.as_millis()).unwrap() + 2 * MINUTE_MS);
    let ended = world.heard(alice);
    assert_eq!(count(&ended, "ended"), 1, "{ended:?}");
    let late = world.open();
    let came = world.ask_json(late, &resume("bob", token));
    assert_eq!(count(&came, "offered"), 0, "{came:?}");
    assert_eq!(world.disk.whole().len(), 0);
    world.engine.check_invariants();
}

#[test]
fn row_51_after_a_block_is_answered_nothing_of_the_blocked_ones_files_is_seen() {
    let mut world = world(Limits::default());
    let (bob, eve) = (world.register("bob"), world.login("eve"));
    world.join(bob, "lobby");
    world.join(eve, "lobby");
    let handed = world.give(eve, send_to("bob", "f", b"one"), b"one");
    let to_room = world.give(eve, json!({"op": "send_file", "name": "g", "size": 3}), b"two");
    let on_its_way = world.announce(eve, send_to("bob", "h", b"three"));
    assert_eq!(count(&world.heard(bob), "offered"), 2);
    assert_eq!(world.code(bob, json!({"op": "block", "user": "eve"})), "done");
    world.forget_heard();
    world.chunk(eve, on_its_way, b"three");
    assert_eq!(world.code(eve, send_to("bob", "i", b"x")), "blocked");
    assert_eq!(world.heard(bob), [] as [Value; 0], "it was offered all the same");
    assert_eq!(world.listed(bob), [0_u64; 0]);
    for transfer in [handed, to_room, on_its_way] {
        assert_eq!(world.code(bob, on("get", transfer)), "no_such_file");
    }
    world.is_gone(bob);
    let bob = world.open();
    let came = world.ask_json(bob, &json!({"op": "login", "user": "bob", "password": PASSWORD}));
    assert_eq!(count(&came, "offered"), 0, "{came:?}");
    world.join(bob, "lobby");
    assert_eq!(count(&world.heard(bob), "offered"), 0);
    // Undone, they are there again.
    assert_eq!(world.code(bob, json!({"op": "unblock", "user": "eve"})), "done");
    assert_eq!(world.listed(bob).len(), 3);
    world.engine.check_invariants();
}

#[test]
fn an_upload_holds_in_memory_what_it_was_granted_and_a_download_what_the_outbox_may_hold() {
    let limits = Limits { file_bytes: 64 << 20, ..Limits::default() };
    let mut world = world(limits.clone());
    let (alice, bob) = (world.login("alice"), world.login("bob"));
    let content = vec![9; 16 << 20];
    // A disk that does not answer: the credit is all that can come.
    let transfer = world.announce(alice, send_to("bob", "big", &content));
    world.late = Some(Vec::new());
    let mut taken = 0;
    let heard = loop {
        let heard = world.chunk(alice, transfer, &content[taken..taken + CHUNK_MAX]);
        if !heard.is_empty() {
            break heard;
        }
        taken += CHUNK_MAX;
    };
    assert_eq!(taken as u64, limits.upload_credit_bytes);
    assert_eq!(heard[0]["how"], "overrun", "{heard:?}");
    world.catch_up();
    let transfer = world.give(alice, send_to("bob", "big", &content), &content);
    // A receiver that does not read: its outbox is all that is read for it, however many it takes.
    world.put(bob, &frame(&on("get", transfer)));
    for n in 0..20 {
        world.feed(Input::Turn);
        world.feed(Input::Deadlines);
        let waiting = world.engine.outbox(bob).unwrap().len() as u64;
        assert!(waiting <= limits.output_soft_bytes, "{waiting} bytes wait after {n} turns");
    }
    assert_eq!(world.engine.stats().cut, 0);
    world.settle();
    let came = world.came(bob);
    assert!(came.len() > content.len(), "{} bytes came", came.len());
    world.engine.check_invariants();
}

#[test]
fn what_is_announced_again_is_not_stored_twice_at_whatever_point_it_broke() {
    let content = vec![4; 100_000];
    for step in 0..60 {
        let mut world = world(Limits::default());
        let mut alice = world.register("alice");
        world.register("bob");
        world.late = Some(Vec::new());
        let mut announced = send_to("bob", "f", &content);
        world.put(alice, &frame(&announced));
        let mut jobs = step;
        // The connection breaks after so many steps of the disk and the store.
        let mut sent = false;
        while jobs > 0 && world.late() > 0 {
            world.finish_one();
            jobs -= 1;
            if !sent && count(&world.heard(alice), "admitted") > 0 {
                sent = true;
                for part in content.chunks(CHUNK_MAX) {
                    world.put(alice, &emit_chunk(TransferId(1), part));
                }
            }
        }
        let is_over = jobs > 0;
        world.is_gone(alice);
        world.catch_up();
        alice = world.open();
        assert_eq!(world.code(alice, login("alice")), "welcome");
        announced["again"] = true.into();
        let came = world.ask_json(alice, &announced);
        let transfer = came[0]["transfer"].as_u64().unwrap();
        if let Some(admitted) = came.iter().find(|came| came["ev"] == "admitted") {
            let offset = usize::try_from(admitted["offset"].as_u64().unwrap_or(0)).unwrap();
            let transfer = u32::try_from(transfer).unwrap();
            for part in content[offset..].chunks(CHUNK_MAX) {
                world.chunk(alice, transfer, part);
            }
        } else {
            let ended = came.iter().find(|came| came["ev"] == "ended").expect("its end");
            assert_eq!((&ended["how"], &ended["transfer"]), (&json!("stored"), &json!(transfer)));
        }
        assert_eq!(world.listed(alice), [transfer], "after {step} steps");
        assert_eq!((world.disk.whole().len(), world.disk.open().count()), (1, 0));
        world.engine.check_invariants();
        if is_over {
            return;
        }
    }
    panic!("it was never whole");
}
