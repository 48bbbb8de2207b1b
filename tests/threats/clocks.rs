//! Row 81: a wall clock that is wrong for a while, when the server starts and while it runs.

use crate::files::{patient, send_to, shelve};
use crate::world::World;
use parlor::id::ConnId;

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
const START_MS: u64 = 1_700_000_000_000;

/// Where the clock goes, in days; back is no loss, and must be none when it is right again.
const JUMPS: [i64; 5] = [1, -1, 31, 80 * 365, -31];

fn world() -> World {
    let mut world = World::new(patient());
    world.now.wall_ms = START_MS;
    world
}

/// A file for an account and one on the shelf of everybody.
fn give_all(world: &mut World, sender: ConnId) -> usize {
    for (message, content) in
        [(send_to("bob", "f", b"for bob"), &b"for bob"[..]), (shelve("g", b"for all"), b"for all")]
    {
        world.give(sender, message, content);
    }
    world.disk.whole().len()
}

fn jump(world: &mut World, days: i64) {
    world.now.wall_ms = world.now.wall_ms.checked_add_signed(days * DAY_MS as i64).unwrap();
}

fn pass(world: &mut World, minutes: u64) {
    for _ in 0..minutes {
        world.pass(MINUTE_MS);
    }
    world.forget_heard();
}

#[test]
fn row_81_a_clock_that_is_wrong_for_some_minutes_makes_nothing_expire() {
    for at_start in [false, true] {
        let mut world = world();
        world.register("bob");
        let sender = world.register("alice");
        let files = give_all(&mut world, sender);
        assert_eq!(files, 2);
        for days in JUMPS {
            jump(&mut world, days);
            if at_start {
                world.restart();
            }
            pass(&mut world, 5);
            assert_eq!(world.disk.whole().len(), files, "{days} days, at the start: {at_start}");
            jump(&mut world, -days);
            if at_start {
                world.restart();
            }
            pass(&mut world, 5);
            assert_eq!(world.disk.whole().len(), files, "back from {days} days");
        }
    }
}

#[test]
fn row_81_files_expire_when_the_clock_has_stayed_where_it_is() {
    let mut world = world();
    world.register("bob");
    let sender = world.register("alice");
    let files = give_all(&mut world, sender);
    jump(&mut world, 31);
    pass(&mut world, 59);
    assert_eq!(world.disk.whole().len(), files);
    pass(&mut world, 5);
    assert_eq!(world.disk.whole().len(), 0);
}
