//! Slow readers, greedy askers and firehoses beside people who only want to talk.

use crate::support::*;
use serde_json::{Value, json};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Reads what a client that did not read has missed: the texts it still got, and its last words.
fn wake_up(mut sleeper: Native) -> (Vec<Value>, Value) {
    let mut heard = Vec::new();
    while let Some(came) = sleeper.next() {
        match came["ev"].as_str() {
            Some("said" | "whispered") => heard.push(came["text"].clone()),
            Some("bye") => {
                assert_eq!(sleeper.next(), None, "something after the last words");
                return (heard, came);
            }
            _ => {}
        }
    }
    panic!("one that was too slow was not told: {} messages", heard.len());
}

fn text(n: usize) -> String {
    format!("{n:08}{}", "x".repeat(1016))
}

#[test]
fn row_33_dead_readers_are_told_why_and_hold_up_nobody() {
    let count = size(20_000, 120_000);
    let server = Server::start(&["--room-members", "60", "--drain", "5m"]);
    let sleepers: Vec<Native> = (0..50)
        .map(|n| {
            let stream = connect_narrow(server.addr);
            let mut sleeper = Native::login_over(stream, &format!("sleeper{n}"));
            sleeper.join("lobby");
            sleeper
        })
        .collect();
    let readers: Vec<Native> = (0..3)
        .map(|n| {
            let mut reader = Native::login(server.addr, &format!("reader{n}"));
            reader.join("lobby");
            reader
        })
        .collect();
    let before = server.peak_grown();
    let mut speaker = Native::login(server.addr, "speaker");
    speaker.join("lobby");
    let mut stream = speaker.stream.try_clone().unwrap();
    let readers: Vec<_> = readers
        .into_iter()
        .map(|mut reader| {
            std::thread::spawn(move || {
                for n in 0..count {
                    assert_eq!(reader.event("said")["text"], text(n));
                }
                reader
            })
        })
        .collect();
    let talk = std::thread::spawn(move || {
        (0..count).for_each(|n| {
            stream.write_all(&frame(&json!({"id": n, "op": "say", "text": text(n)}))).unwrap();
        });
    });
    let mut answers = 0;
    while answers < count {
        let came = speaker.next().unwrap();
        if came["ok"] == "heard" {
            assert_eq!(came["re"], answers);
            answers += 1;
        }
    }
    talk.join().unwrap();
    // Whoever is here still has heard everything.
    let readers: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    let peak = server.peak_grown() - before;
    assert!(peak < 64 * MIB, "{peak} bytes");
    let report = server.report();
    assert_eq!(report.number("too slow "), 50, "{}", report.0);
    for sleeper in sleepers {
        let (heard, bye) = wake_up(sleeper);
        assert_eq!(bye["reason"], "too_slow");
        assert_eq!(bye["back"], true);
        // What it heard is the beginning without a gap; what it missed begins right after.
        assert!(heard.iter().enumerate().all(|(n, said)| *said == *text(n)));
        let missed = bye["missed"].as_u64().unwrap();
        assert!(missed > 0 && heard.len() as u64 + missed <= count as u64, "{missed} missed");
    }
    drop((readers, speaker));
    server.assert_empty();
    server.assert_idle();
    server.stop();
}

#[test]
fn row_34_many_slow_readers_together_stay_below_the_cap() {
    let clients = held(size(500, 10_000));
    let cap = if size(0, 1) == 0 { 16 } else { 256 };
    let server = Server::start(&[
        "--output-total",
        &format!("{cap}MiB"),
        "--message-max",
        "24KiB",
        "--output-soft-wait",
        "5m",
        "--drain",
        "5m",
    ]);
    let sleepers: Vec<Native> = (0..clients)
        .map(|n| Native::login_over(connect_narrow(server.addr), &format!("sleeper{n}")))
        .collect();
    let mut speaker = Native::login(server.addr, "speaker");
    let body = "x".repeat(24 * 1024 - 16);
    let mut rounds = 0;
    // Each is told something else, so that no two of them share a buffer.
    while server.report().number("too slow ") < 100 {
        assert!(rounds < 200, "the cap is never reached: {}", server.report().0);
        let told = size(500, 10_000).min(clients);
        let bytes: Vec<u8> = (0..told)
            .flat_map(|n| {
                let (user, text) = (format!("sleeper{n}"), format!("{rounds:04}{n:06}{body}"));
                frame(&json!({"op": "whisper", "user": user, "text": text}))
            })
            .collect();
        let writer = write_beside(&speaker.stream, bytes, false);
        for _ in 0..told {
            let answer = speaker.next().unwrap();
            let code = &answer["error"]["code"];
            assert!(answer["ok"] == "heard" || code == "no_such_user", "{answer}");
        }
        writer.done();
        rounds += 1;
        let waiting = server.report().number("output waiting ");
        assert!(waiting <= cap * MIB, "{waiting} bytes wait");
    }
    let bound = cap * MIB + clients as u64 * 8 * 1024 + 16 * MIB;
    assert!(server.peak_grown() < bound, "{} bytes of {bound}", server.peak_grown());
    assert_eq!(speaker.ask(json!({"op": "ping"}))["ok"], "pong");
    let cut = server.report().number("too slow ");
    let (mut told_why, mut dropped) = (0, 0);
    for mut sleeper in sleepers {
        let _ = sleeper.stream.write_all(&frame(&json!({"op": "exit"})));
        let last = std::iter::from_fn(|| sleeper.next()).last().unwrap_or_default();
        match last["reason"].as_str() {
            Some("overloaded") => {
                assert!(last["missed"].as_u64().unwrap() > 0, "{last}");
                told_why += 1;
            }
            Some(reason) => assert_eq!(reason, "exit"),
            // Last words that nobody takes are the next to go when memory is still short.
            None => dropped += 1,
        }
    }
    assert!(told_why + dropped == cut, "{told_why} and {dropped} of {cut}");
    drop(speaker);
    server.assert_empty();
    server.assert_idle();
    server.stop();
}

#[test]
fn row_36_who_does_not_read_answers_is_not_read_and_loses_none() {
    let server = Server::start(&["--output-soft-wait", "10m"]);
    let clients = size(20, 100);
    let mut greedy: Vec<(Native, bool, usize)> = Vec::new();
    for n in 0..clients {
        let known = n % 2 == 0;
        let stream = connect_narrow(server.addr);
        let mut client = if known {
            Native::login_over(stream, &format!("greedy{n}"))
        } else {
            let mut stranger = Native::over(stream);
            stranger.ask(json!({"op": "hello", "version": 1}));
            stranger
        };
        let sent = taken_unread(&mut client);
        greedy.push((client, known, sent));
    }
    assert!(server.peak_grown() < clients as u64 * MIB, "{} bytes", server.peak_grown());
    let waiting = server.report().number("output waiting ");
    assert!(waiting < clients as u64 * 300 * 1024, "{waiting} bytes wait");
    server.assert_idle();
    // Somebody else notices nothing.
    assert_eq!(Text::connect(server.addr).ask("/ping"), "* pong");
    // Every request that was taken is answered, in order, as soon as its answers are read.
    for (mut client, known, sent) in greedy {
        assert!(sent > 100, "{sent} requests were taken");
        let finished = sent - 1;
        let mut next = 1_000_000;
        while next < 1_000_000 + finished {
            let came = client.next().unwrap_or_else(|| panic!("the end ({known})"));
            if let Some(re) = came["re"].as_u64().filter(|&re| re >= 1_000_000) {
                assert_eq!(re, next as u64);
                next += 1;
            }
        }
    }
    server.assert_empty();
    server.stop();
}

/// How many requests a peer takes while none of its answers is read.
fn taken_unread(client: &mut Native) -> usize {
    client.stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let padding = "x".repeat(900);
    for n in 0..100_000 {
        let id = 1_000_000 + n;
        let bytes = frame(&json!({"id": id, "op": "help", "padding": padding}));
        if client.stream.write_all(&bytes).is_err() {
            return n;
        }
    }
    panic!("the server reads on and on: {} MiB", 100_000 * 950 / MIB);
}

#[test]
fn row_38_firehoses_leave_their_turn_to_everybody_else() {
    let server = Server::start(&[]);
    let mut idle: Vec<Native> =
        (0..size(100, 1_000)).map(|n| Native::login(server.addr, &format!("idle{n}"))).collect();
    let over = AtomicBool::new(false);
    let answered = AtomicU64::new(0);
    let mut per_probe = Vec::new();
    std::thread::scope(|scope| {
        for n in 0..size(4, 10) {
            let (over, answered, addr) = (&over, &answered, server.addr);
            scope.spawn(move || firehose(addr, n, over, answered));
        }
        wait_for("the firehoses", || (answered.load(Ordering::Acquire) > 1_000).then_some(()));
        for _ in 0..3 {
            for client in &mut idle {
                let before = answered.load(Ordering::Acquire);
                assert_eq!(client.ask(json!({"op": "ping"}))["ok"], "pong");
                per_probe.push(answered.load(Ordering::Acquire) - before);
            }
        }
        over.store(true, Ordering::Release);
    });
    per_probe.sort_unstable();
    let median = per_probe[per_probe.len() / 2];
    // What the firehoses have in flight is megabytes, thousands of requests; a probe waits for a
    // turn's share of each and not for all of it.
    assert!(median < 4_000, "an idle client waits for {median} requests of others");
    assert!(per_probe.iter().sum::<u64>() > 0, "there were no firehoses");
    drop(idle);
    server.assert_empty();
    server.assert_idle();
    server.stop();
}

/// Asks as fast as the loopback takes it until told to end; every request is answered.
fn firehose(addr: SocketAddr, n: usize, over: &AtomicBool, answered: &AtomicU64) {
    let mut client = Native::login(addr, &format!("firehose{n}"));
    let mut stream = client.stream.try_clone().unwrap();
    let batch = frame(&json!({"id": 1, "op": "ping"})).repeat(1_000);
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            let mut sent = 0_u64;
            while !over.load(Ordering::Acquire) {
                stream.write_all(&batch).unwrap();
                sent += 1_000;
            }
            stream.write_all(&frame(&json!({"id": 2, "op": "ping"}))).unwrap();
            sent
        });
        let mut heard = 0;
        while client.next().unwrap()["re"] == 1 {
            heard += 1;
            answered.fetch_add(1, Ordering::AcqRel);
        }
        assert_eq!(writer.join().unwrap(), heard);
    });
}
