//! What clients do with files, honest and not.

use parlor::id::TransferId;
use parlor::message::{Announced, Command, Digest, FileRef, Op, Target};
use parlor::wire::frame;

use super::actions::{NAMES, somebody};
use super::asked::Sent;
use super::client::Client;
use super::hands::Lie;
use super::store::{content, digest};
use super::world::World;

/// Contents that people have; each has its size and may go under several names.
const CONTENTS: usize = 14;

/// The sizes of all contents: most of them small.
pub(crate) fn sizes(world: &mut World) -> Vec<u64> {
    let limit = world.limits.file_bytes;
    let mut size = |index: usize| match index {
        0 => 0,
        1 => limit,
        2..=4 => 1 + world.rng.below(limit),
        _ => 1 + world.rng.below(400),
    };
    (0..CONTENTS).map(&mut size).collect()
}

pub(crate) fn announce(world: &mut World, index: usize) {
    let client = &world.clients[index];
    if client.awaits(Op::Logout) || (!client.native && !world.limits.timeout.is_zero()) {
        return;
    }
    if client.native && world.rng.chance(150) && announce_again(world, index) {
        return;
    }
    let seed = world.rng.index(CONTENTS);
    let (true_size, seed) = (world.sizes[seed], u32::try_from(seed).unwrap());
    let size = match world.rng.below(60) {
        0 => world.limits.file_bytes + 1,
        1 => u64::MAX,
        2 => true_size + 1,
        3 => true_size.saturating_sub(1),
        _ => true_size,
    };
    let right = world.digest_of(seed, size.min(world.limits.file_bytes));
    let other = u32::try_from(world.rng.index(CONTENTS)).unwrap();
    let hash = match world.rng.below(20) {
        0..=12 => Some(right),
        13 => Some(digest(b"something else")),
        14 => Some(world.digest_of(other, world.sizes[other as usize])),
        _ => None,
    };
    let name = match world.rng.below(30) {
        0 => "../etc".to_owned(),
        1..=5 => "notes.txt".to_owned(),
        _ => format!("f{seed}.dat"),
    };
    let user = match world.rng.below(100) {
        0..=14 => Some(somebody(world)),
        15..=69 => Some(receiver(world)),
        _ => None,
    };
    let shelved = user.is_none() && world.rng.chance(500);
    let client = &world.clients[index];
    let is_account = world.oracle.vault.is_registered(&client.user);
    let again = client.native && is_account && world.rng.chance(250);
    let whom = if shelved { "*shelf".to_owned() } else { user.clone().unwrap_or("*room".into()) };
    let about = format!("{} {name}", whom.to_ascii_lowercase());
    if client.is_at(&about) {
        return;
    }
    let before = match hash {
        Some(hash) if again => {
            world.oracle.same_as(&client.user, &name, size, hash, user.as_deref())
        }
        _ => Vec::new(),
    };
    let lies = size != true_size || hash.is_some_and(|hash| hash != right);
    let sent = Sent { seed, hash, about, lies, before };
    let file = Announced { name: name.into(), size, hash, again };
    let command = if shelved {
        Command::Upload { room: None, file }
    } else {
        Command::SendFile { user: user.map(Into::into), room: None, file }
    };
    world.ask_about(index, &command, sent);
}

/// Announces a file once more that one has sent before, as if one had not heard how it ended.
fn announce_again(world: &mut World, index: usize) -> bool {
    let user = world.clients[index].user.clone();
    let sent = world.oracle.sent_by(&user);
    if sent.is_empty() {
        return false;
    }
    let line = world.rng.pick(&sent).clone();
    let Target::User(to) = line.to else { return false };
    let (name, size, hash) = (line.name.as_str().to_owned(), line.size, line.hash);
    let about = format!("{} {name}", to.as_str().to_ascii_lowercase());
    let seed = (0..14).find(|&seed| world.digest_of(seed, size) == hash);
    let (Some(seed), false) = (seed, world.clients[index].is_at(&about)) else { return false };
    let before = world.oracle.same_as(&user, &name, size, hash, Some(to.as_str()));
    let hash = Some(hash);
    let sent = Sent { seed, hash, about, lies: false, before };
    let file = Announced { name: name.into(), size, hash, again: true };
    let user = Some(to.to_string().into());
    world.ask_about(index, &Command::SendFile { user, room: None, file }, sent);
    true
}

/// A name to which a file can mostly be handed.
fn receiver(world: &mut World) -> String {
    let here: Vec<&String> =
        world.clients.iter().filter(|c| c.logged_in && c.may_send()).map(|c| &c.user).collect();
    if !here.is_empty() && world.rng.chance(600) {
        return (*world.rng.pick(&here)).clone();
    }
    (*world.rng.pick(&NAMES)).to_owned()
}

pub(crate) fn transfer(world: &mut World, index: usize) {
    let wild = wild(world);
    if world.clients[index].liar {
        lie(world, index);
    }
    match world.rng.below(400) {
        0..=4 => return claim(world, index, wild),
        5 if world.limits.timeout.is_zero() => return bogus_chunk(&mut world.clients[index]),
        6 | 7 => return stray(world, index, wild),
        8..=15 => return list(world, index),
        16..=20 => return get_by_name(world, index),
        21..=70 => return announce(world, index),
        _ => {}
    }
    send(world, index);
    take(world, index);
    if world.rng.chance(500) {
        world.send(index, true);
    }
}

/// A number that is mostly somebody's.
fn wild(world: &mut World) -> u32 {
    let recent = world.oracle.line.all.keys().next_back().copied().unwrap_or(9);
    u32::try_from(world.rng.below(u64::from(recent) + 5)).unwrap()
}

/// Lies once, or a few times in one breath.
fn lie(world: &mut World, index: usize) {
    for _ in 0..world.rng.below(16) {
        let wild = wild(world);
        if !world.clients[index].may_send() {
            return;
        }
        match world.rng.below(10) {
            0..=2 => claim(world, index, wild),
            3..=5 => foreign_chunk(world, index, wild),
            _ => stray(world, index, wild),
        }
    }
}

/// Asks for something about a file that is perhaps another one's, or nobody's.
fn claim(world: &mut World, index: usize, number: u32) {
    let transfer = TransferId(number);
    let file = FileRef::Number(transfer);
    world.clients[index].hands.lies += 1;
    let command = match world.rng.below(5) {
        0 => Command::Get { file, offset: 0 },
        1 => Command::Reject { transfer },
        2 => Command::Received { transfer },
        3 => Command::Cancel { transfer },
        _ => Command::Remove { transfer },
    };
    world.ask(index, &command);
}

/// A part of a file that is another one's.
fn foreign_chunk(world: &mut World, index: usize, number: u32) {
    let client = &mut world.clients[index];
    let own = client.hands.sending.contains_key(&number);
    let foreign =
        !own && client.logged_in && number > 0 && client.native && world.limits.timeout.is_zero();
    let asks = client.awaits(Op::SendFile) || client.awaits(Op::Upload);
    if !foreign || asks || client.has_nonsense() {
        return;
    }
    client.hands.lies += 1;
    client.ask_perhaps(&frame::emit_chunk(TransferId(number), b"foreign"));
}

/// Continues with all uploads.
fn send(world: &mut World, index: usize) {
    let (rng, client) = (&mut world.rng, &mut world.clients[index]);
    let sending = &client.hands.sending;
    let open: Vec<u32> =
        sending.iter().filter(|(_, sending)| !sending.ended).map(|(&id, _)| id).collect();
    let mut cancels = Vec::new();
    for id in open {
        let sending = &client.hands.sending[&id];
        if rng.chance(4) {
            cancels.push(id);
        } else if sending.admitted {
            let small = sending.granted.saturating_sub(sending.at()) < 9_000;
            let most = *rng.pick(&[60, 400, 9_000]);
            let most = 1 + rng.below(most);
            let lie = match rng.below(250) {
                0 if small => Some(Lie::Over),
                1 | 2 => Some(Lie::Wrong),
                3 | 4 => Some(Lie::Again),
                5 | 6 => Some(Lie::Ahead),
                7..=20 => continue,
                _ => None,
            };
            client.send_chunk(id, most, lie);
        }
    }
    for id in cancels {
        world.ask(index, &Command::Cancel { transfer: TransferId(id) });
    }
}

/// Continues with all that is to be taken.
fn take(world: &mut World, index: usize) {
    let hands = &world.clients[index].hands;
    let offered: Vec<(u32, bool)> =
        hands.offered.iter().map(|(&number, &alone)| (number, alone)).collect();
    for (number, alone) in offered {
        let transfer = TransferId(number);
        let hands = &mut world.clients[index].hands;
        if hands.parted.contains(&number) {
            continue;
        }
        if hands.has.contains_key(&number) {
            if alone && world.rng.chance(500) {
                hands.parted.insert(number);
                world.ask(index, &Command::Received { transfer });
            }
            continue;
        }
        let busy = hands.getting.get(&number).is_some_and(|getting| getting.active);
        match world.rng.below(100) {
            0 if alone => {
                hands.parted.insert(number);
                world.ask(index, &Command::Reject { transfer });
            }
            1 if busy => world.ask(index, &Command::Cancel { transfer }),
            2..=29 if !busy => get(world, index, number),
            _ => {}
        }
    }
    let listed = world.clients[index].hands.listed.clone();
    if !listed.is_empty() && world.rng.chance(60) {
        let number = *world.rng.pick(&listed);
        if world.rng.chance(150) {
            return world.ask(index, &Command::Remove { transfer: TransferId(number) });
        }
        get(world, index, number);
    }
}

fn get(world: &mut World, index: usize, number: u32) {
    let size = world.oracle.shelf.history[&number].line.size;
    let offset = match world.rng.below(20) {
        0 => size,
        1 => size + 1,
        2..=5 => world.rng.below(size + 1),
        _ => 0,
    };
    let file = FileRef::Number(TransferId(number));
    world.ask(index, &Command::Get { file, offset });
}

fn get_by_name(world: &mut World, index: usize) {
    let name = match world.rng.below(8) {
        0 => "nothing.txt".to_owned(),
        1 | 2 => "notes.txt".to_owned(),
        _ => format!("f{}.dat", world.rng.index(CONTENTS)),
    };
    world.ask(index, &Command::Get { file: FileRef::Name(name.into()), offset: 0 });
}

fn list(world: &mut World, index: usize) {
    let pattern = match world.rng.below(4) {
        0 => Some("*f1*".into()),
        1 => Some("*notes*".into()),
        _ => None,
    };
    let last = world.clients[index].hands.listed.last().copied();
    let native = world.clients[index].native;
    let after = last.filter(|_| native && world.rng.chance(300)).map(TransferId);
    world.ask(index, &Command::Files { pattern, after });
}

/// A chunk of a transfer that was never announced.
fn bogus_chunk(client: &mut Client) {
    if client.has_nonsense() {
        return;
    }
    client.hands.lies += 1;
    if client.native {
        client.ask_nonsense(&frame::emit_chunk(TransferId(u32::MAX), b"bogus"));
    } else {
        client.ask_nonsense(b"/chunk 4294967295 Ym9ndXM=\n");
    }
}

/// A chunk of a file of your own that waits, is whole, or is over.
fn stray(world: &mut World, index: usize, wild: u32) {
    let client = &mut world.clients[index];
    if !client.logged_in {
        return;
    }
    let own: Vec<u32> = client
        .hands
        .sending
        .iter()
        .filter(|(_, sending)| !sending.admitted || sending.ended || sending.at() >= sending.size)
        .map(|(&number, _)| number)
        .collect();
    if own.is_empty() {
        return;
    }
    let number = own[wild as usize % own.len()];
    let bytes: &[u8] = if wild.is_multiple_of(3) { b"" } else { b"stray" };
    client.send_stray(number, bytes);
}

impl World {
    /// The hash of the first bytes of a content.
    fn digest_of(&mut self, seed: u32, size: u64) -> Digest {
        *self.digests.entry((seed, size)).or_insert_with(|| digest(&content(seed, size)))
    }
}
