//! Faults that need no sockets: the engine in virtual time.

use crate::rng::Rng;
use crate::support::{Frames, frame, frame_raw, size};
use crate::world::World;
use parlor::engine::Input;
use parlor::engine::timers::{TICK_MS, Timers};
use parlor::id::{ConnId, Now};
use parlor::limits::{
    ANSWER_BYTES_PER_WORK, FILE_JOBS_MAX, FRAME_MAX, Limits, WORK_TURN, WRITE_BATCH,
};
use serde_json::{Value, json};
use std::io::IoSlice;

#[test]
fn row_08_no_mutation_of_a_field_becomes_a_second_command() {
    let pieces = [
        "\r\n",
        "\n",
        "\r",
        "\0",
        "/exit",
        "/leave",
        "/say pwned",
        " ",
        "a",
        "eve",
        "lobby",
        "{\"op\":\"exit\"}",
        "\u{85}",
        "\u{2028}",
        "[lobby] bob: forged",
        "\x1b[2J",
        "\"",
        "\\n",
        "\0\0\0\u{5}",
        "\u{202e}",
        "\t",
    ];
    let mut world = World::new(Limits::default());
    let bob = world.open();
    world.ask(bob, b"/login bob\n/join lobby\n");
    let eve = world.login("eve");
    world.join(eve, "lobby");
    let mallory = world.open();
    world.ask(mallory, b"/login mallory\n/join lobby\n");
    for conn in [bob, eve, mallory] {
        world.settle();
        world.came(conn);
    }
    let mut dice = Rng::new(8);
    let mut heard = 0;
    for _ in 0..size(50_000, 1_000_000) {
        let evil: String = (0..1 + dice.index(6)).map(|_| *dice.pick(&pieces)).collect();
        let message = match dice.index(5) {
            0 => json!({"op": "say", "text": evil}),
            1 => json!({"op": "whisper", "user": "bob", "text": evil}),
            2 => json!({"op": "whisper", "user": evil, "text": "x"}),
            3 => json!({"op": "send_file", "user": "nobody", "name": evil, "size": 1}),
            _ => json!({"op": evil}),
        };
        heard += one_request(&mut world, eve, &frame(&message), bob, "eve");

        // The same in a line: only a line feed ends it.
        let line = evil.replace('\n', "");
        let line = match dice.index(3) {
            0 => format!("/say {line}\n"),
            1 => format!("/whisper bob {line}\r\n"),
            _ => format!("/sendfile {line} nobody 1\n"),
        };
        heard += one_request(&mut world, mallory, line.as_bytes(), bob, "mallory");
    }
    assert!(heard > 1_000, "{heard}");
    world.engine.check_invariants();
}

/// Sends one message; checks that it is one request with one answer, and at most one line for the
/// listener, whose words are the sender's own. Says how many lines the listener heard.
fn one_request(world: &mut World, from: ConnId, bytes: &[u8], to: ConnId, name: &str) -> usize {
    let before = world.engine.stats().requests;
    let answer = world.ask(from, bytes);
    assert_eq!(world.engine.stats().requests, before + 1, "{}", bytes.escape_ascii());
    if bytes[0] == 0 {
        assert_eq!(Frames::all(&answer).len(), 1, "{}", bytes.escape_ascii());
    } else {
        assert_eq!(answer.iter().filter(|&&byte| byte == b'\n').count(), 1);
    }
    let heard = String::from_utf8(world.came(to)).unwrap();
    let lines: Vec<&str> = heard.split_terminator("\r\n").collect();
    assert!(lines.len() <= 1, "{lines:?}");
    for line in &lines {
        let begins = [format!("[lobby] {name}: "), format!("{name} whispers: ")];
        assert!(begins.iter().any(|begin| line.starts_with(begin)), "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    world.came.iter_mut().for_each(Vec::clear);
    lines.len()
}

/// Numbers at which something of 8, 16, 24, 32 or 64 bits ends, and what is no such number.
fn edges() -> Vec<String> {
    let mut edges: Vec<String> = [8_u32, 15, 16, 24, 31, 32, 53, 63, 64]
        .iter()
        .flat_map(|&bits| {
            let power = 1_u128 << bits;
            [power - 2, power - 1, power, power + 1].map(|n| n.to_string())
        })
        .collect();
    let odd = [
        "0",
        "1",
        "-0",
        "-1",
        "-9223372036854775808",
        "1.0",
        "0.5",
        "1e3",
        "1e308",
        "1e400",
        "-1e400",
        "\"1\"",
        "null",
        "true",
        "[1]",
        "{}",
        "NaN",
        "0x10",
        "00",
        "+1",
        "340282366920938463463374607431768211456",
    ];
    edges.extend(odd.iter().map(|&odd| odd.to_owned()));
    edges
}

#[test]
fn row_13_every_number_at_every_edge_is_answered_and_overflows_nothing() {
    let all = u64::MAX;
    let limits = Limits {
        file_bytes: all,
        files_user_bytes: all,
        files_total_bytes: all,
        ..Limits::default()
    };
    let mut world = World::new(limits);
    let bob = world.login("bob");
    let alice = world.login("alice");
    for edge in edges() {
        for json in [
            format!(r#"{{"id":{edge},"op":"ping"}}"#),
            format!(r#"{{"op":"hello","version":{edge}}}"#),
            format!(r#"{{"op":"send_file","user":"bob","name":"f","size":{edge}}}"#),
            format!(r#"{{"op":"upload","name":"f","size":{edge}}}"#),
            format!(r#"{{"op":"get","transfer":{edge}}}"#),
            format!(r#"{{"op":"get","name":"f","offset":{edge}}}"#),
            format!(r#"{{"op":"files","after":{edge}}}"#),
            format!(r#"{{"op":"remove","transfer":{edge}}}"#),
            format!(r#"{{"op":"reject","transfer":{edge}}}"#),
            format!(r#"{{"op":"received","transfer":{edge}}}"#),
            format!(r#"{{"op":"cancel","transfer":{edge}}}"#),
        ] {
            let came = Frames::all(&world.ask(alice, &frame_raw(json.as_bytes())));
            let answers: Vec<_> = came.iter().filter(|came| came.get("re").is_some()).collect();
            assert_eq!(answers.len(), 1, "{json}: {came:?}");
            let whole = edge.parse::<u64>().ok().filter(|_| edge != "00" && edge != "+1");
            if json.ends_with(r#""op":"ping"}"#) {
                // An id comes back exactly, or not at all.
                match whole {
                    Some(id) => assert_eq!(*answers[0], json!({"re": id, "ok": "pong"})),
                    None => assert_eq!(answers[0]["re"], Value::Null, "{json}"),
                }
            }
            if answers[0]["ok"] != "announced" {
                continue;
            }
            if let (Some(size), Some(transfer)) = (whole, answers[0]["transfer"].as_u64()) {
                announce_holds(&mut world, alice, transfer, size);
            }
            world.engine.check_invariants();
        }
        // The same numbers in lines.
        let mallory = world.open();
        world.ask(mallory, b"/login mallory\n");
        for line in [
            "/get ",
            "/get 1 ",
            "/remove ",
            "/upload f ",
            "/cancel ",
            "/chunk ",
            "/sendfile f bob ",
            "/received ",
        ] {
            let end = if line == "/chunk " { " YWI=" } else { "" };
            let line = format!("{line}{edge}{end}\n");
            let came = world.ask(mallory, line.as_bytes());
            // A part of a file gets no answer of its own, and may be late for its transfer.
            let silent = !end.is_empty() && came.is_empty();
            assert!(silent || came.starts_with(b"! ") || came.starts_with(b"* "), "{line}");
            world.engine.check_invariants();
        }
        world.ask(mallory, b"/exit\n");
        world.came(bob);
    }
}

#[test]
fn row_13_every_length_and_every_number_of_a_transfer_is_answered() {
    let mut world = World::new(Limits::default());
    world.login("alice");
    // Lengths of frames and transfers of chunks are whole words of four bytes.
    for bits in 0..=32_u32 {
        for length in [(1_u64 << bits) - 1, 1 << bits, (1 << bits) + 1] {
            let Ok(word) = u32::try_from(length) else { continue };
            let conn = world.login(&format!("c{bits}"));
            let came = world.ask(conn, &word.to_be_bytes());
            let refused = Frames::all(&came).iter().any(|came| came["ev"] == "bye");
            assert_eq!(refused, word > 65_536, "{word}");
            world.feed(Input::Ended { conn, reset: true });

            let conn = world.login(&format!("c{bits}"));
            let chunk = [&[0, 0, 0, 6, 2][..], &word.to_be_bytes(), b"x"].concat();
            let came = Frames::all(&world.ask(conn, &chunk));
            assert!(
                came.iter().all(|came| came["error"]["code"] == "no_such_transfer"),
                "{came:?}"
            );
            world.feed(Input::Ended { conn, reset: true });
            world.engine.check_invariants();
        }
    }
}

/// An announced file of any size holds its slot, takes the bytes it was granted, and goes.
fn announce_holds(world: &mut World, alice: ConnId, transfer: u64, size: u64) {
    let word = u32::try_from(transfer).unwrap().to_be_bytes();
    let chunk = [&[0, 0, 0, 6, 2][..], &word, b"x"].concat();
    let came = Frames::all(&world.ask(alice, &chunk));
    let endings: Vec<_> = came.iter().filter(|came| came["ev"] == "ended").collect();
    // One of no bytes was whole when it was announced.
    assert_eq!(endings.len(), usize::from(size == 1), "{size}: {came:?}");
    assert!(endings.iter().all(|ended| ended["how"] == "stored"), "{size}: {came:?}");
    world.engine.check_invariants();
    let last = if size <= 1 { "remove" } else { "cancel" };
    assert_eq!(world.code(alice, json!({"op": last, "transfer": transfer})), "done", "{size}");
    assert_eq!(world.engine.stats().uploads, 0);
}

#[test]
fn row_13_counters_and_clocks_near_their_ends_go_on() {
    // The first connection has the last generation there is: the second has generation zero.
    let mut world = World::new(Limits::default());
    let alice = world.login("alice");
    let bob = world.login("bob");
    assert_eq!((alice.generation, bob.generation), (u32::MAX, 0));
    for bits in [31, 32, 33, 40, 48, 53] {
        for ms in [(1_u64 << bits) - 65, (1 << bits) - 1, 1 << bits, (1 << bits) + 64] {
            world.now = Now { mono_ms: ms, wall_ms: u64::MAX - 1 };
            for conn in [alice, bob] {
                world.put(conn, &frame(&json!({"id": ms, "op": "ping"})));
            }
            world.settle();
            for conn in [alice, bob] {
                let came = Frames::all(&world.came(conn));
                assert_eq!(came.last().unwrap()["re"], ms);
            }
            world.engine.check_invariants();
            assert!(world.engine.next_deadline_ms().is_none_or(|next| next > ms));
        }
    }
}

#[test]
fn row_24_connections_that_break_at_random_leave_the_others_alone() {
    let mut world = World::new(Limits { room_members: 100, ..Limits::default() });
    let witness = world.login("witness");
    world.join(witness, "lobby");
    let mut dice = Rng::new(24);
    let mut alive: Vec<ConnId> = Vec::new();
    for n in 0..size(3_000, 100_000) {
        let conn = world.open();
        let bytes: Vec<u8> = [
            frame(&json!({"op": "login", "user": format!("u{n}")})),
            frame(&json!({"op": "join", "room": "lobby"})),
            frame(&json!({"op": "say", "text": "hi"})),
            frame(&json!({"op": "send_file", "user": "witness", "name": "f", "size": 99})),
        ]
        .concat();
        world.put(conn, &bytes[..dice.index(bytes.len() + 1)]);
        alive.push(conn);
        if dice.index(3) > 0 {
            world.turn();
        }
        while alive.len() > dice.index(40) {
            let conn = alive.swap_remove(dice.index(alive.len()));
            world.feed(Input::Ended { conn, reset: dice.index(4) > 0 });
            world.feed(Input::Ended { conn, reset: true });
        }
        world.engine.check_invariants();
    }
    for conn in alive {
        world.feed(Input::Ended { conn, reset: true });
    }
    world.settle();
    let stats = world.engine.stats();
    assert_eq!((stats.connections, stats.users, stats.rooms, stats.uploads), (1, 1, 1, 0));
    let heard = Frames::all(&world.came(witness));
    let count = |kind: &str| heard.iter().filter(|event| event["ev"] == kind).count();
    assert!(count("joined") > 500);
    assert_eq!(count("joined"), count("left"));
}

/// All pings of `conns` clients that answer each of them, by the millisecond, over two minutes.
fn pings(conns: u32, opened_over_ms: u64) -> Vec<u64> {
    let mut world = World::new(Limits::default());
    let mut at = Vec::new();
    let pong = frame(&json!({"op": "ping"}));
    let mut opened: u64 = 0;
    for step in 0..120_000 / 20 {
        world.now.mono_ms = step * 20;
        while opened < u64::from(conns)
            && opened * opened_over_ms <= u64::from(conns) * world.now.mono_ms
        {
            let conn = world.open();
            world.put(conn, &frame(&json!({"op": "login", "user": format!("u{opened}")})));
            opened += 1;
        }
        world.turn();
        for slot in 0..world.came.len() {
            let came = std::mem::take(&mut world.came[slot]);
            if came.windows(4).any(|window| window == b"ping") {
                at.push(world.now.mono_ms);
                let slot = u32::try_from(slot).unwrap();
                let conn = ConnId { slot, generation: u32::MAX.wrapping_add(slot) };
                world.put(conn, &pong);
            }
        }
        while world.engine.has_work(world.now) {
            world.feed(Input::Turn);
            world.feed(Input::Deadlines);
        }
    }
    assert_eq!(world.closed.len(), 0, "somebody was taken for dead");
    at
}

#[test]
fn row_29_heartbeats_of_many_are_spread_over_time() {
    let conns = u32::try_from(size(20_000, 100_000)).unwrap();
    for opened_over_ms in [30_000, 0] {
        let at = pings(conns, opened_over_ms);
        // Whoever answers is asked again after the next heartbeat, and the next.
        let each = if opened_over_ms == 0 { 3 } else { 2 };
        assert!(at.len() >= each * conns as usize, "{} pings", at.len());
        let mut worst = 0;
        let mut first = 0;
        for (last, &ms) in at.iter().enumerate() {
            while at[first] + 100 <= ms {
                first += 1;
            }
            worst = worst.max(last + 1 - first);
        }
        let bound = conns as usize / 50;
        assert!(worst <= bound, "{worst} of {conns} pings in 100 ms, opened over {opened_over_ms}");
        assert!(at[0] > 20_000, "a ping after {} ms", at[0]);
    }
}

#[test]
fn row_29_a_tick_of_the_wheel_looks_only_at_those_that_are_due() {
    let mut timers = Timers::default();
    let conns = 100_000;
    for slot in 0..conns {
        timers.arm(slot, 10_000 + u64::from(slot) / 4);
    }
    let mut seen = 0;
    for now_ms in (0..60_000).step_by(20) {
        let due = timers.turn(now_ms);
        // Four a millisecond, and a tick has so many milliseconds.
        assert!(due.len() as u64 <= 4 * (TICK_MS + 1), "{} at {now_ms}", due.len());
        seen += due.len();
    }
    assert_eq!(seen, conns as usize);
}

/// A room of so many, nobody of whom has anything left to read.
fn room_of(members: usize) -> (World, Vec<ConnId>) {
    let limits =
        Limits { room_members: members as u64, message_bytes: 24 * 1024, ..Limits::default() };
    let mut world = World::new(limits);
    let conns: Vec<ConnId> = (0..members)
        .map(|n| {
            let conn = world.login(&format!("u{n}"));
            world.join(conn, "lobby");
            world.came.iter_mut().for_each(Vec::clear);
            conn
        })
        .collect();
    (world, conns)
}

#[test]
fn row_35_all_members_of_a_room_share_the_bytes_of_a_message() {
    let (mut world, conns) = room_of(size(1_000, 10_000));
    let text = "x".repeat(8 * 1024);
    world.put(conns[0], &frame(&json!({"op": "say", "text": text})));
    let shared: Vec<*const u8> = conns[1..]
        .iter()
        .map(|&conn| {
            let mut slices = [IoSlice::new(&[]); WRITE_BATCH];
            assert_eq!(world.engine.outbox(conn).unwrap().gather(&mut slices), 1);
            assert!(slices[0].len() > text.len());
            slices[0].as_ptr()
        })
        .collect();
    assert!(shared.iter().all(|&bytes| bytes == shared[0]), "a copy for each of {}", shared.len());
}

#[test]
fn row_39_a_burst_in_a_large_room_is_spread_over_turns_and_keeps_its_order() {
    let members = size(2_000, 10_000);
    let (mut world, conns) = room_of(members);
    let count = 100;
    let burst: Vec<u8> = (0..count)
        .flat_map(|n| frame(&json!({"id": n, "op": "say", "text": format!("{n}")})))
        .collect();
    let mut last = world.engine.stats().deliveries;
    world.put(conns[0], &burst);
    while {
        let made = world.engine.stats().deliveries - last;
        // A message that was begun is finished, whatever the budget says.
        assert!(made <= u64::from(WORK_TURN) + members as u64, "{made} deliveries in a turn");
        last = world.engine.stats().deliveries;
        world.turn();
        world.engine.dirty_len() > 0 || world.engine.has_work(world.now)
    } {}
    for &conn in &conns[1..] {
        let heard = Frames::all(&world.came(conn));
        assert_eq!(heard.len(), count);
        assert!(heard.iter().enumerate().all(|(n, said)| said["text"] == *format!("{n}")));
    }
    let answers = Frames::all(&world.came(conns[0]));
    assert!(answers.iter().enumerate().all(|(n, answer)| answer["re"] == n));
    assert_eq!(answers.len(), count);
}

#[test]
fn row_38_long_answers_count_as_the_work_that_they_are() {
    let mut world = World::new(Limits::default());
    let conns: Vec<ConnId> = (0..500).map(|n| world.login(&format!("user{n}"))).collect();
    let burst = frame(&json!({"op": "who"})).repeat(60);
    // The last answer that was begun is finished, whatever the budget says.
    let bound = (WORK_TURN as usize * ANSWER_BYTES_PER_WORK + FRAME_MAX) as u64;
    let mut before = world.engine.stats().output_bytes;
    for turn in 0..10 {
        world.feed(Input::Turn);
        assert!(!world.engine.is_spent(), "nothing is left for those who are read");
        for &conn in conns[..100].iter().filter(|_| turn == 0) {
            world.put(conn, &burst);
        }
        let made = world.engine.stats().output_bytes - before;
        assert!(made <= bound, "{made} bytes of answers in a turn");
        before += made;
    }
    world.settle();
    for &conn in &conns[..100] {
        assert_eq!(Frames::all(&world.came(conn)).iter().filter(|m| m["ok"] == "who").count(), 60);
    }
}

#[test]
fn row_28_who_was_never_asked_is_not_taken_for_dead() {
    let mut world = World::new(Limits::default());
    let conn = world.login("alice");
    // The process was stopped, or the machine slept.
    world.now.mono_ms += 600_000;
    world.settle();
    assert_eq!(Frames::all(&world.came(conn)), [json!({"ev": "ping"})]);
    world.now.mono_ms += 59_000;
    world.settle();
    assert_eq!(world.came(conn), b"", "there is time to answer");
    world.now.mono_ms += 2_000;
    world.settle();
    assert_eq!(Frames::all(&world.came(conn))[0]["reason"], "silent");
}

#[test]
fn a_file_that_found_no_room_behind_talk_goes_when_the_talk_has_gone() {
    let limits = Limits {
        output_soft_bytes: 128 * 1024,
        output_hard_bytes: 130 * 1024,
        ..Limits::default()
    };
    let mut world = World::new(limits);
    let (alice, bob) = (world.login("alice"), world.login("bob"));
    let offer = json!({"op": "send_file", "user": "bob", "name": "f", "size": 5});
    world.ask_json(alice, &offer);
    world.ask(alice, b"\0\0\0\x0a\x02\0\0\0\x01hello");
    world.came(bob);
    let text = "x".repeat(4000);
    for _ in 0..25 {
        world.put(alice, &frame(&json!({"op": "whisper", "user": "bob", "text": text})));
    }
    world.put(bob, &frame(&json!({"id": 7, "op": "get", "transfer": 1})));
    world.settle();
    let came = world.came(bob);
    assert!(came.ends_with(b"\x02\0\0\0\x01hello"), "the file does not come");
}

#[test]
fn uploads_wait_for_a_disk_that_others_keep_busy() {
    let mut world = World::new(Limits::default());
    let (mallory, alice) = (world.login("mallory"), world.login("alice"));
    let _bob = world.login("bob");
    world.late = Some(Vec::new());
    let offer = frame(&json!({"op": "send_file", "user": "bob", "name": "f", "size": 5}));
    for transfer in 1..5_000 {
        let cancel = frame(&json!({"op": "cancel", "transfer": transfer}));
        world.ask(mallory, &[offer.clone(), cancel].concat());
    }
    let jobs = world.late.as_ref().unwrap().len();
    assert!(jobs <= FILE_JOBS_MAX / 2 + 1, "{jobs} jobs wait for the disk");
    let came = Frames::all(&world.ask(alice, &offer));
    assert_eq!((&came[0]["place"], came.len()), (&json!(1), 1), "{came:?}");
    for (ticket, outcome) in world.late.take().unwrap() {
        world.feed(Input::Done { ticket, outcome });
    }
    world.settle();
    let came = Frames::all(&world.came(alice));
    assert_eq!((&came[0]["ev"], came.len()), (&json!("admitted"), 1), "{came:?}");
}
