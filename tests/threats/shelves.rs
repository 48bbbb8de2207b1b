//! Files without sockets: many of them, halves of them, and others of the same name.

use crate::files::{DAY_MS, hash_of, patient, send_to, shelve};
use crate::world::{World, count};
use parlor::limits::FILES_A_USER;
use serde_json::{Value, json};

#[test]
fn what_was_for_another_guest_of_the_name_is_not_here_already() {
    let mut world = World::new(patient());
    let alice = world.login("alice");
    let first = world.login("bob");
    let one = world.give(alice, send_to("bob", "plan.txt", b"the plan"), b"the plan");
    world.is_gone(first);
    let second = world.login("bob");
    world.forget_heard();
    let two = world.give(alice, send_to("bob", "plan.txt", b"the plan"), b"the plan");
    assert_ne!(one, two);
    let heard = world.heard(second);
    assert_eq!(count(&heard, "offered"), 1, "{heard:?}");
    assert_eq!(world.listed(second), [u64::from(two)]);
    // To him it is not sent twice.
    let same = world.announce(alice, send_to("bob", "plan.txt", b"the plan"));
    assert_eq!(same, two);
    world.engine.check_invariants();
}

#[test]
fn row_57_halves_of_one_byte_count_as_files() {
    let mut world = World::new(patient());
    for n in 0..FILES_A_USER {
        let sender = world.login("sender");
        let transfer = world.announce(sender, send_away(n));
        world.chunk(sender, transfer, b"x");
        world.is_gone(sender);
    }
    let sender = world.login("sender");
    assert_eq!(world.code(sender, send_away(FILES_A_USER)), "too_many_files");
    // One that is here continues.
    world.announce(sender, send_away(0));
    world.engine.check_invariants();
}

fn send_away(n: usize) -> Value {
    json!({"op": "upload", "name": "f", "size": 1 << 20, "hash": hash_of(&n.to_le_bytes())})
}

#[test]
fn a_thousand_files_whose_time_is_over_go_in_parts() {
    let mut world = World::new(patient());
    let sender = world.register("sender");
    for n in 0..1_000_usize {
        let content = n.to_le_bytes();
        world.give(sender, shelve("f", &content), &content);
    }
    world.late = Some(Vec::new());
    world.now.mono_ms += 31 * DAY_MS;
    world.now.wall_ms += 31 * DAY_MS;
    world.settle();
    assert_eq!(world.late(), 256);
    // The store has not answered: others go meanwhile, the same not twice.
    world.pass(1_000);
    assert_eq!(world.late(), 512);
    world.catch_up();
    world.pass(3_000);
    assert_eq!(world.disk.whole().len(), 0);
    assert_eq!(world.listed(sender), Vec::<u64>::new());
    world.engine.check_invariants();
}
