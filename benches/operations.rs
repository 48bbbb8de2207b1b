//! The operations whose cost is told: by the clock in `costs.rs`, in instructions in
//! `instructions.rs`.
//!
//! Everything here is the pure half: no sockets, no threads. A whole turn of the engine is the sum
//! that the smaller rows explain.

use std::hint::black_box;
use std::io::IoSlice;
use std::time::Duration;

use bytes::Bytes;
use parlor::engine::outbox::Outbox;
use parlor::engine::{Engine, Input, Setup};
use parlor::front::{Front, TRUSTED, Voice, native, slash};
use parlor::hub::files::{Bounds, Draft, Party, UploadQueue};
use parlor::id::{ConnId, Now, Source};
use parlor::limits::{Limits, WRITE_BATCH, WRITE_JOIN_BYTES};
use parlor::message::{Command, Event, FileName, RoomName, Target, Text, UserName};

const NOW: Now = Now { mono_ms: 1, wall_ms: 1_748_700_162_000 };

/// One row of the table.
pub(crate) struct Operation {
    /// Rows that belong together.
    pub(crate) group: &'static str,
    /// What it is.
    pub(crate) name: String,
    /// How many times something is delivered by it; 0 where nothing is.
    pub(crate) deliveries: u32,
    prepare: Box<dyn Fn() -> Action>,
}

/// Carries an operation out once.
pub(crate) type Action = Box<dyn FnMut()>;

impl Operation {
    /// Sets up what it works on.
    pub(crate) fn prepare(&self) -> Action {
        (self.prepare)()
    }
}

/// All of them, in the order of the table.
pub(crate) fn all() -> Vec<Operation> {
    [frames(), turns(), outboxes(), queues()].into_iter().flatten().collect()
}

fn operation(
    group: &'static str,
    name: impl Into<String>,
    deliveries: u32,
    prepare: impl Fn() -> Action + 'static,
) -> Operation {
    Operation { group, name: name.into(), deliveries, prepare: Box::new(prepare) }
}

fn frames() -> Vec<Operation> {
    let mut rows = Vec::new();
    for bytes in [64, 4096] {
        rows.push(operation("frame", format!("parse say of {bytes}"), 0, move || {
            let frame = say(bytes);
            Box::new(move || drop(black_box(Front::Native.read(black_box(&frame), TRUSTED))))
        }));
        for (how, voice) in [("", Voice::Native), (" as text", Voice::Text)] {
            rows.push(operation("frame", format!("emit said of {bytes}{how}"), 0, move || {
                let event = said(bytes);
                Box::new(move || drop(black_box(voice.emit_event(black_box(&event)))))
            }));
        }
    }
    rows.push(operation("frame", "parse /whisper", 0, || {
        let line = "/whisper bob see you at the harbour at six";
        Box::new(move || drop(black_box(slash::parse(black_box(line)))))
    }));
    rows
}

fn turns() -> Vec<Operation> {
    let mut rows = Vec::new();
    for members in [10, 100, 1000] {
        rows.push(operation("engine turn", format!("say to {members}"), members - 1, move || {
            let (mut server, frame) = (room_of(members), say(64));
            Box::new(move || server.turn(&frame))
        }));
    }
    rows.push(operation("engine turn", "whisper", 1, || {
        let mut server = room_of(2);
        let command = Command::Whisper { user: "u1".into(), text: "psst".into() };
        let whisper = native::emit_request(7, &command);
        Box::new(move || server.turn(&whisper))
    }));
    rows.push(operation("engine turn", "connect, login, join, exit", 0, || {
        let mut server = room_of(0);
        let mut generation = 0;
        let requests = [
            Command::guest("alice"),
            Command::Join { room: "lobby".into(), open: false },
            Command::Exit,
        ]
        .map(|command| native::emit_request(1, &command));
        Box::new(move || {
            generation += 1;
            server.come_and_go(ConnId { slot: 0, generation }, &requests);
        })
    }));
    rows
}

fn outboxes() -> Vec<Operation> {
    let rows = [1, 40, 64].map(|frames| {
        operation("outbox", format!("push and write {frames}"), frames, move || {
            let frame = Voice::Native.emit_event(&said(64));
            let (mut outbox, mut buffer) = (Outbox::default(), vec![0; WRITE_JOIN_BYTES]);
            Box::new(move || {
                for _ in 0..frames {
                    outbox.push_talk(frame.clone(), true);
                }
                let written = write(&outbox, &mut buffer);
                outbox.consume(written);
            })
        })
    });
    rows.into()
}

fn queues() -> Vec<Operation> {
    let bounds = Bounds { slots: 5, waiting: 64, stall: Duration::from_secs(30) };
    let party = |slot: u32| Party {
        conn: conn(slot),
        name: UserName::parse(&format!("u{slot}")).expect("a user name"),
    };
    let row = operation("queue", "69 uploads through 5 slots", 0, move || {
        let name = FileName::parse("report.pdf").expect("a file name");
        let parties: Vec<Party> = (0..100).map(party).collect();
        Box::new(move || {
            let mut queue = UploadQueue::new(bounds, 1);
            for from in &parties[..69] {
                let draft = Draft {
                    from: *from,
                    owner: None,
                    to: Target::User(parties[99].name),
                    receiver: None,
                    guest: Some(parties[99].conn),
                    name: name.clone(),
                    size: 1,
                    hash: None,
                    partial: None,
                };
                let _ = queue.announce(NOW, draft, 0);
                while queue.admit(NOW).is_some() {}
            }
            loop {
                let first = queue.in_slots().next().map(|upload| upload.id);
                let Some(id) = first else { break };
                queue.end(id);
                while queue.admit(NOW).is_some() {}
            }
            black_box(&queue);
        })
    });
    vec![row]
}

fn conn(slot: u32) -> ConnId {
    ConnId { slot, generation: 0 }
}

fn say(bytes: usize) -> Bytes {
    let text = "x".repeat(bytes);
    native::emit_request(7, &Command::Say { text: text.into(), me: false, room: None })
}

fn said(bytes: usize) -> Event {
    Event::Said {
        room: RoomName::parse("lobby").expect("a room name"),
        from: UserName::parse("alice").expect("a user name"),
        text: Text::parse("x".repeat(bytes).into(), 1 << 20).expect("a text"),
        me: false,
        at: NOW.wall_ms,
        own: false,
    }
}

/// An engine, and what a reactor would have beside it.
struct Server {
    engine: Engine,
    buffer: Vec<u8>,
}

fn opened(conn: ConnId) -> Input<'static> {
    Input::Opened { conn, source: Source::THIS_MACHINE, peer: "127.0.0.1:9" }
}

/// A server with `members` connections in one room, of which the first will speak.
fn room_of(members: u32) -> Server {
    // Nobody is told who comes and goes, and nobody is turned away: here a room is filled at once.
    let limits = Limits {
        room_members: u64::MAX,
        before_login: 0,
        message_rate: 0,
        presence_users: 0,
        ..Limits::default()
    };
    let engine = Engine::new(Setup { limits, ..Setup::default() });
    let mut server = Server { engine, buffer: vec![0; WRITE_JOIN_BYTES] };
    for slot in 0..members {
        server.engine.handle(NOW, opened(conn(slot)));
        for command in [
            Command::guest(format!("u{slot}")),
            Command::Join { room: "lobby".into(), open: false },
        ] {
            server.engine.handle(NOW, Input::Turn);
            server.read(conn(slot), &native::emit_request(1, &command));
        }
        server.write_all();
    }
    server
}

impl Server {
    /// A turn in which the first connection says something.
    fn turn(&mut self, request: &[u8]) {
        self.engine.handle(NOW, Input::Turn);
        self.read(conn(0), request);
        self.write_all();
    }

    fn come_and_go(&mut self, conn: ConnId, requests: &[Bytes]) {
        self.engine.handle(NOW, Input::Turn);
        self.engine.handle(NOW, opened(conn));
        requests.iter().for_each(|bytes| self.read(conn, bytes));
        self.write_all();
        self.engine.handle(NOW, Input::Ended { conn, reset: false });
        self.write_all();
    }

    fn read(&mut self, conn: ConnId, bytes: &[u8]) {
        self.engine.handle(NOW, Input::Bytes { conn, bytes });
    }

    /// Writes everything that waits, as a socket that takes all would.
    fn write_all(&mut self) {
        while self.engine.poll_output().is_some() {}
        while let Some(conn) = self.engine.poll_dirty() {
            let Some(outbox) = self.engine.outbox(conn) else { continue };
            let written = write(outbox, &mut self.buffer);
            self.engine.handle_written(NOW, conn, written, true);
        }
    }
}

/// What the reactor does, but for the system call.
fn write(outbox: &Outbox, buffer: &mut [u8]) -> usize {
    if let Some(joined) = outbox.join(buffer) {
        return black_box(&buffer[..joined]).len();
    }
    let mut slices = [IoSlice::new(&[]); WRITE_BATCH];
    let count = outbox.gather(&mut slices);
    black_box(&slices[..count]).iter().map(|slice| slice.len()).sum()
}
