//! What clients do, chosen by the seed.

use std::time::Duration;

use parlor::engine::Input;
use parlor::id::Source;
use parlor::limits::Limits;
use parlor::message::{Command, Op};

use super::accounts;
use super::client::{Client, Confirms, Habit};
use super::errands::{announce, transfer};
use super::world::World;
use crate::support::rng::Rng;

pub(crate) const NAMES: [&str; 9] =
    ["alice", "Alice", "bob", "carol", "dave", "eve", "EVE", "frank", "grace"];
pub(crate) const BAD_NAMES: [&str; 4] = ["", "no-such", "seventeenletters1", "\u{e9}"];
const ROOMS: [&str; 8] = ["lobby", "Lobby", "LOBBY", "den", "den", "attic", "cellar", "roof"];
const DAY_S: u64 = 24 * 60 * 60;
const CLIENTS_MAX: usize = 12;
/// A cap on all output that is never reached.
pub(crate) const PLENTY: u64 = 64 << 20;

/// Bounds near which much happens, other ones for each seed.
pub(crate) fn limits(rng: &mut Rng) -> Limits {
    let heartbeat = Duration::from_millis(rng.between(1_000, 10_000));
    let base = Limits {
        heartbeat,
        dead_after: heartbeat * u32::try_from(rng.between(2, 4)).unwrap(),
        login_before: Duration::from_secs(rng.between(4, 30)),
        timeout: Duration::from_secs(*rng.pick(&[0, 0, 0, 0, 2, 6])),
        block_duration: Duration::from_secs(rng.between(1, 20)),
        before_login: *rng.pick(&[0, 0, 0, 30]),
        before_login_source: *rng.pick(&[0, 0, 0, 3]),
        letters: *rng.pick(&[3, 20, 1_000]),
        accounts_sessions: 1,
        room_members: rng.between(2, 4),
        rooms: rng.between(2, 4),
        upload_slots: rng.between(1, 5),
        upload_waiting: rng.between(1, 4),
        upload_stall: Duration::from_secs(rng.between(2, 30)),
        files_user_bytes: *rng.pick(&[1 << 32, 1 << 32, 9_000, 500_000]),
        files_total_bytes: *rng.pick(&[1 << 36, 1 << 36, 1 << 36, 40_000, 900_000]),
        files_free_bytes: *rng.pick(&[0, 10_000]),
        files_keep: Duration::from_secs(*rng.pick(&[60, 3_600, 7 * DAY_S])),
        shelf_keep: Duration::from_secs(*rng.pick(&[90, 3_600, 30 * DAY_S])),
        partial_keep: Duration::from_secs(*rng.pick(&[60, DAY_S])),
        presence_users: *rng.pick(&[0, 3, 6, 1_000]),
        message_rate: *rng.pick(&[0, 0, 0, 0, 0, 5]),
        ..Limits::default()
    };
    if rng.chance(250) {
        return Limits {
            output_soft_bytes: 128 * 1024,
            output_hard_bytes: 128 * 1024 + rng.between(1, 128 * 1024),
            output_total_bytes: rng.between(256, 1024) * 1024,
            file_bytes: 200 * 1024,
            upload_credit_bytes: rng.between(32, 64) * 1024,
            ..base
        };
    }
    let output_soft_bytes = rng.between(1_500, 3_000);
    let output_hard_bytes = output_soft_bytes + rng.between(1, 5_000);
    Limits {
        message_bytes: 300,
        output_soft_bytes,
        output_hard_bytes,
        output_total_bytes: output_hard_bytes + rng.pick(&[0, 3_000, 16_000, PLENTY]),
        output_before_login_bytes: rng.between(3_000, 8_000),
        file_bytes: 3_000,
        upload_credit_bytes: rng.between(100, 1_000),
        ..base
    }
}

/// One step: mostly turns of the loop, and between them what clients, kernels and time do.
pub(crate) fn step(world: &mut World) {
    match world.rng.below(100) {
        0..=29 => world.turn(),
        30..=34 => arrive(world),
        35..=37 => world.stale(),
        38 => {
            let long = world.rng.chance(100);
            let ms = if long { 200 + world.rng.below(20_000) } else { world.rng.below(400) };
            world.pass(ms);
        }
        39 if world.rng.chance(world.cut_chance) => world.cut_power(),
        39 if world.rng.chance(40) => night(world),
        39 if world.rng.chance(80) => {
            let free = *world.rng.pick(&[0, 10_000, 500_000]);
            space(world, free);
        }
        39 if world.rng.chance(300) => space(world, 1 << 40),
        39..=40 => with_client(world, |world, index| {
            if let Some(conn) = world.clients[index].conn {
                world.spurious(conn);
            }
        }),
        41..=65 => {
            for _ in 0..1 + world.rng.below(8) {
                with_client(world, carry);
            }
        }
        _ => with_client(world, |world, index| {
            act(world, index);
            let all = world.rng.chance(500);
            world.send(index, all);
        }),
    }
    let ms = u64::from(world.rng.chance(300));
    world.pass(ms);
}

/// A client reads, and continues with its files.
fn carry(world: &mut World, index: usize) {
    world.send(index, false);
    read_some(world, index);
    let client = &world.clients[index];
    if client.may_send() && client.logged_in && !client.awaits(Op::Logout) {
        transfer(world, index);
    }
}

/// The disk has more room, or less.
fn space(world: &mut World, free_bytes: u64) {
    world.oracle.shelf.free_bytes = Some(free_bytes);
    world.feed(Input::Space(free_bytes));
}

/// Much time passes, in which nobody does anything.
fn night(world: &mut World) {
    let ms = *world.rng.pick(&[61_000, 61_000, 601_000]);
    world.pass(ms);
    world.now.wall_ms += 1_000 * *world.rng.pick(&[0, 3_600, DAY_S, 8 * DAY_S]);
    world.turn();
}

fn with_client(world: &mut World, act: impl FnOnce(&mut World, usize)) {
    let live = live(world);
    if !live.is_empty() {
        let index = *world.rng.pick(&live);
        act(world, index);
    }
}

fn live(world: &World) -> Vec<usize> {
    (0..world.clients.len()).filter(|&index| !world.is_over(index)).collect()
}

fn arrive(world: &mut World) {
    if live(world).len() >= CLIENTS_MAX {
        return;
    }
    let native = world.rng.chance(600);
    let habit = match world.rng.below(100) {
        0..=74 => Habit::Healthy,
        75..=89 => Habit::Slow,
        _ => Habit::Dead,
    };
    let confirms = *world.rng.pick(&[Confirms::AtOnce, Confirms::Late, Confirms::Never]);
    let source = Source(*world.rng.pick(&[0, 0, 1, 2, 3, 4, 5, 6]));
    let idle = world.rng.chance(60);
    let name = if world.rng.chance(400) {
        format!("u{}", world.clients.len())
    } else {
        (*world.rng.pick(&NAMES)).to_owned()
    };
    let mut client = Client::new(native, habit, name);
    (client.confirms, client.source, client.idle) = (confirms, source, idle);
    client.liar = world.rng.chance(250);
    world.connect(client);
}

/// A client reads as is its habit.
pub(crate) fn read_some(world: &mut World, index: usize) {
    let most = match world.clients[index].habit {
        Habit::Healthy => usize::MAX,
        Habit::Slow => world.rng.index(60),
        Habit::Dead | Habit::HalfOpen => 0,
    };
    world.receive(index, most);
}

fn act(world: &mut World, index: usize) {
    if !world.clients[index].may_send() || world.clients[index].conn.is_none() {
        return;
    }
    match world.rng.below(1000) {
        0..=1 => return world.reset(index),
        2..=3 if world.clients[index].unsent.is_empty() => return world.finish(index),
        4..=7 => return nonsense(world, index),
        8..=9 => {
            world.clients[index].habit = Habit::HalfOpen;
            return;
        }
        // What is said first tells the protocol: a line of text begins with a command.
        _ if !world.clients[index].has_spoken => return accounts::login(world, index),
        _ => {}
    }
    if world.clients[index].idle && world.rng.chance(950) {
        return world.ask(index, &Command::Ping);
    }
    if !world.clients[index].logged_in && world.rng.chance(850) {
        return accounts::login(world, index);
    }
    for _ in 0..1 + world.rng.below(6) {
        match world.rng.below(100) {
            0..=39 => talk(world, index),
            40..=47 => accounts::act(world, index),
            48..=54 => ask(world, index),
            55..=64 => announce(world, index),
            _ if world.clients[index].awaits(Op::Logout) => {}
            _ => transfer(world, index),
        }
    }
}

/// A name that is mostly somebody's.
pub(crate) fn somebody(world: &mut World) -> String {
    let index = world.rng.index(world.clients.len());
    let recent = world.clients.len().saturating_sub(index % (2 * CLIENTS_MAX) + 1);
    if world.rng.chance(900) {
        return world.clients[recent].name.clone();
    }
    (*world.rng.pick(&NAMES)).to_owned()
}

fn talk(world: &mut World, index: usize) {
    let user = somebody(world).into();
    let rng = &mut world.rng;
    let room = (*rng.pick(&ROOMS)).into();
    let padding = *rng.pick(&[0, 0, 10, 120, 280, 290]);
    let (kind, client) = (rng.below(20), &mut world.clients[index]);
    client.said += 1;
    let text = |first: char| {
        let text = format!("{first}{index}.{}{}", client.said, "x".repeat(padding));
        if padding == 10 && client.native { format!("{text}\n\u{1f600}\u{202e}") } else { text }
    };
    let command = match kind {
        0 => Command::Join { room, open: false },
        1 if !client.in_room => Command::Join { room, open: false },
        1 if padding == 0 => Command::Leave { room: None },
        2 | 3 => Command::Say { text: text('m').into(), me: true, room: None },
        4..=6 => Command::Whisper { user, text: text('w').into() },
        7 => Command::Broadcast { text: text('b').into() },
        _ => Command::Say { text: text('s').into(), me: false, room: None },
    };
    world.ask(index, &command);
}

fn ask(world: &mut World, index: usize) {
    let room = world.rng.chance(500).then(|| (*world.rng.pick(&ROOMS)).into());
    let command = match world.rng.below(40) {
        0..=5 => Command::Rooms,
        6..=12 => Command::Who { room },
        13..=20 => Command::Queue,
        21..=24 => Command::Help,
        25 => Command::Exit,
        _ => Command::Ping,
    };
    world.ask(index, &command);
}

/// Bytes that mean nothing: some are refused, some end the connection.
fn nonsense(world: &mut World, index: usize) {
    let (kind, client) = (world.rng.below(9), &mut world.clients[index]);
    match (kind, client.native) {
        (0, true) => client.ask_nonsense(b"\0\0\0\x04\x01{]}"),
        (1, true) => client.ask_nonsense(b"\0\0\0\x03\x01[]"),
        (2, true) => {
            for _ in 0..3 {
                client.ask_nonsense(b"\0\0\0\0");
            }
            client.broken = true;
        }
        (3, true) => breaking(client, b"\0\xff\xff\xff\x01{}"),
        (4, true) => breaking(client, b"\0\0\0\x05\x07haha"),
        (5, true) => breaking(client, b"\0\0\0\x03\x02\0\0"),
        (0, false) => client.ask_nonsense(b"/\xff\xfe\r\n"),
        (1, false) => client.ask_nonsense(b"/broadcats hi\n"),
        (2, false) => client.ask_nonsense(b"/join\n"),
        (3, false) => client.push(b"/\x00"),
        (4, false) => breaking(client, &[b'/'; 70_000]),
        (5, false) if client.has_spoken => client.push(b"\r\n   \n"),
        (_, false) if client.has_spoken => breaking(client, &[b'/'; 70_000]),
        _ => breaking(client, b"\x16\x03\x01GET / HTTP/1.1\r\n\r\n\xff\xff\xff"),
    }
    if (kind, client.native) == (3, false) {
        // The rest of a line that is no command.
        client.ask_nonsense(b"nothing\n");
    }
}

fn breaking(client: &mut Client, bytes: &[u8]) {
    client.push(bytes);
    client.broken = true;
}
