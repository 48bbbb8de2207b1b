//! What each step of a message costs, as a table: `cargo bench`.
//!
//! Everything here is the pure half: no sockets, no threads. A whole turn of the engine is the sum
//! that the smaller rows explain.

use std::hint::black_box;
use std::io::IoSlice;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use parlor::engine::outbox::Outbox;
use parlor::engine::{Engine, Input, Setup};
use parlor::front::{Protocol, native, slash};
use parlor::hub::upload::{Bounds, Party, UploadQueue};
use parlor::id::{ConnId, Now, Source};
use parlor::limits::{Limits, WRITE_BATCH};
use parlor::message::{Command, Event, FileName, RoomName, Text, UserName};

const NOW: Now = Now { mono_ms: 1, wall_ms: 1_748_700_162_000 };

fn conn(slot: u32) -> ConnId {
    ConnId { slot, generation: 0 }
}

fn say(bytes: usize) -> Bytes {
    let text = "x".repeat(bytes);
    native::emit_request(7, &Command::Say { text: text.into(), me: false })
}

fn said(bytes: usize) -> Event {
    Event::Said {
        room: RoomName::parse("lobby").expect("a room name"),
        from: UserName::parse("alice").expect("a user name"),
        text: Text::parse("x".repeat(bytes).into(), 1 << 20).expect("a text"),
        me: false,
        at: NOW.wall_ms,
    }
}

fn frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame");
    for bytes in [64, 4096] {
        let frame = say(bytes);
        group.bench_with_input(BenchmarkId::new("parse say", bytes), &frame, |b, frame| {
            b.iter(|| Protocol::Native.parse(black_box(frame), 0, true));
        });
        let event = said(bytes);
        group.bench_with_input(BenchmarkId::new("emit said", bytes), &event, |b, event| {
            b.iter(|| Protocol::Native.emit_event(black_box(event)));
        });
        group.bench_with_input(BenchmarkId::new("emit said as text", bytes), &event, |b, event| {
            b.iter(|| Protocol::Text.emit_event(black_box(event)));
        });
    }
    group.bench_function("parse /whisper", |b| {
        b.iter(|| slash::parse(black_box("/whisper bob see you at the harbour at six")));
    });
    group.finish();
}

/// An engine with `members` connections in one room, of which the first will speak.
fn room_of(members: u32) -> Engine {
    // Nobody is told who comes and goes, and nobody is turned away: here a room is filled at once.
    let limits = Limits {
        room_members: u64::MAX,
        before_login: 0,
        message_rate: 0,
        presence_users: 0,
        ..Limits::default()
    };
    let mut engine = Engine::new(Setup { limits, ..Setup::default() });
    for slot in 0..members {
        engine.handle(
            NOW,
            Input::Opened { conn: conn(slot), source: Source::THIS_MACHINE, peer: "127.0.0.1:9" },
        );
        for command in [Command::guest(format!("u{slot}")), Command::Join { room: "lobby".into() }]
        {
            engine.handle(NOW, Input::Turn);
            let bytes = native::emit_request(1, &command);
            engine.handle(NOW, Input::Bytes { conn: conn(slot), bytes: &bytes });
        }
        write_all(&mut engine);
    }
    engine
}

/// Writes everything that waits, as a socket that takes all would.
fn write_all(engine: &mut Engine) {
    while engine.poll_output().is_some() {}
    while let Some(conn) = engine.poll_dirty() {
        let mut slices = [IoSlice::new(&[]); WRITE_BATCH];
        let Some(outbox) = engine.outbox(conn) else { continue };
        let count = outbox.gather(&mut slices);
        let bytes = slices[..count].iter().map(|slice| slice.len()).sum();
        engine.handle_written(NOW, conn, black_box(bytes), true);
    }
}

fn fan_out(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine turn");
    for members in [10, 100, 1000] {
        let mut engine = room_of(members);
        let frame = say(64);
        group.throughput(Throughput::Elements(u64::from(members) - 1));
        group.bench_function(BenchmarkId::new("say to", members), |b| {
            b.iter(|| {
                engine.handle(NOW, Input::Turn);
                engine.handle(NOW, Input::Bytes { conn: conn(0), bytes: &frame });
                write_all(&mut engine);
            });
        });
    }
    group.throughput(Throughput::Elements(1));
    let mut engine = room_of(2);
    let whisper =
        native::emit_request(7, &Command::Whisper { user: "u1".into(), text: "psst".into() });
    group.bench_function("whisper", |b| {
        b.iter(|| {
            engine.handle(NOW, Input::Turn);
            engine.handle(NOW, Input::Bytes { conn: conn(0), bytes: &whisper });
            write_all(&mut engine);
        });
    });
    group.bench_function("connect, login, join, exit", |b| {
        let mut engine = room_of(0);
        let mut generation = 0;
        let requests: Vec<Bytes> =
            [Command::guest("alice"), Command::Join { room: "lobby".into() }, Command::Exit]
                .iter()
                .map(|command| native::emit_request(1, command))
                .collect();
        b.iter(|| {
            generation += 1;
            let conn = ConnId { slot: 0, generation };
            engine.handle(NOW, Input::Turn);
            engine.handle(
                NOW,
                Input::Opened { conn, source: Source::THIS_MACHINE, peer: "127.0.0.1:9" },
            );
            for bytes in &requests {
                engine.handle(NOW, Input::Bytes { conn, bytes });
            }
            write_all(&mut engine);
            engine.handle(NOW, Input::Ended { conn, reset: false });
            write_all(&mut engine);
        });
    });
    group.finish();
}

fn outbox(c: &mut Criterion) {
    let frame = Protocol::Native.emit_event(&said(64));
    c.bench_function("outbox/push and write one", |b| {
        let mut outbox = Outbox::default();
        b.iter(|| {
            outbox.push_talk(frame.clone(), true);
            let mut slices = [IoSlice::new(&[]); WRITE_BATCH];
            black_box(outbox.gather(&mut slices));
            outbox.consume(frame.len());
        });
    });
    c.bench_function("outbox/push and write 64", |b| {
        let mut outbox = Outbox::default();
        b.iter(|| {
            for _ in 0..64 {
                outbox.push_talk(frame.clone(), true);
            }
            let mut slices = [IoSlice::new(&[]); WRITE_BATCH];
            black_box(outbox.gather(&mut slices));
            outbox.consume(64 * frame.len());
        });
    });
}

fn queue(c: &mut Criterion) {
    let bounds = Bounds {
        slots: 5,
        waiting: 64,
        stall: Duration::from_secs(30),
        offer_wait: Duration::from_secs(60),
    };
    let party = |slot: u32| Party {
        conn: conn(slot),
        name: UserName::parse(&format!("u{slot}")).expect("a user name"),
    };
    let name = FileName::parse("report.pdf").expect("a file name");
    c.bench_function("queue/69 uploads through 5 slots", |b| {
        b.iter_batched(
            || UploadQueue::new(bounds),
            |mut queue| {
                for slot in 0..69 {
                    let _ = queue.announce(NOW, party(slot), party(99), name.clone(), 1);
                    while queue.admit(NOW).is_some() {}
                }
                loop {
                    let first = queue.in_slots().next().map(|upload| upload.id);
                    let Some(id) = first else { break };
                    queue.end(id);
                    while queue.admit(NOW).is_some() {}
                }
                queue
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group! {
    name = costs;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = frames, fan_out, outbox, queue
}
criterion_main!(costs);
