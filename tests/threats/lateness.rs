//! Deadlines while the server is busy: what had come in time is heard before anybody is judged.

use parlor::engine::Input;
use parlor::id::{ConnId, TransferId, millis};
use parlor::limits::{CHUNK_MAX, Limits, TAKEOVER_WAIT};
use parlor::wire::frame::emit_chunk;
use serde_json::json;

use crate::files::{patient, send_to};
use crate::support::frame;
use crate::world::{PASSWORD, World};

/// Uses up the work of a turn with the requests of others.
fn keep_busy(world: &mut World, crowd: &[ConnId]) {
    let pings: Vec<u8> = (0..256).flat_map(|_| frame(&json!({"op": "ping"}))).collect();
    for &conn in crowd {
        world.put(conn, &pings);
    }
    assert!(world.engine.is_spent(), "there is work left in this turn");
}

fn busy_world() -> (World, Vec<ConnId>) {
    let mut world = World::new(patient());
    let crowd = (0..16).map(|n| world.login(&format!("busy{n}"))).collect();
    (world, crowd)
}

#[test]
fn a_login_that_came_in_time_is_none_that_is_late() {
    let (mut world, crowd) = busy_world();
    let conn = world.open();
    world.put(conn, &frame(&json!({"op": "ping"})));
    world.settle();
    let due_ms = world.now.mono_ms + millis(patient().login_before);
    world.now.mono_ms = due_ms - 1;
    world.feed(Input::Turn);
    keep_busy(&mut world, &crowd);
    world.put(conn, &frame(&json!({"op": "login", "user": "bob"})));
    world.now.mono_ms = due_ms + 200;
    world.feed(Input::Deadlines);
    world.settle();
    let came = world.heard(conn);
    assert!(came.iter().any(|came| came["ok"] == "welcome"), "{came:?}");
}

#[test]
fn a_login_whose_password_is_being_looked_at_is_none_that_is_late() {
    let mut world = World::new(patient());
    world.add_account("bob");
    let conn = world.open();
    world.late = Some(Vec::new());
    let login = json!({"op": "login", "user": "bob", "password": PASSWORD});
    world.put(conn, &frame(&login));
    world.pass(millis(patient().login_before) + 1_000);
    world.catch_up();
    let came = world.heard(conn);
    assert!(came.iter().any(|came| came["ok"] == "welcome"), "{came:?}");
}

#[test]
fn a_part_of_a_file_that_came_in_time_has_not_stalled() {
    let (mut world, crowd) = busy_world();
    let (alice, _bob) = (world.login("alice"), world.login("bob"));
    let content = vec![7; 4 * CHUNK_MAX];
    let transfer = world.announce(alice, send_to("bob", "big", &content));
    let due_ms = world.now.mono_ms + millis(patient().upload_stall);
    world.now.mono_ms = due_ms - 1;
    world.feed(Input::Turn);
    keep_busy(&mut world, &crowd);
    world.put(alice, &emit_chunk(TransferId(transfer), &content[..CHUNK_MAX]));
    world.now.mono_ms = due_ms;
    world.feed(Input::Deadlines);
    world.settle();
    let came = world.heard(alice);
    assert!(came.iter().all(|came| came["ev"] != "ended"), "{came:?}");
}

#[test]
fn whoever_is_judged_by_what_they_have_not_sent_is_read_first() {
    let mut world = World::new(Limits::default());
    let (owner, thief, silent) = (world.login("alice"), world.open(), world.open());
    let late = world.engine.late_senders(world.now);
    assert_eq!(late, []);
    world.put(thief, &frame(&json!({"op": "login", "user": "alice"})));
    world.now.mono_ms += millis(TAKEOVER_WAIT);
    assert_eq!(world.engine.late_senders(world.now), [owner]);
    world.put(owner, &frame(&json!({"op": "ping"})));
    world.settle();
    let came = world.heard(thief);
    assert!(came.iter().any(|came| came["error"]["code"] == "name_in_use"), "{came:?}");
    world.now.mono_ms += millis(Limits::default().first_byte_before);
    assert_eq!(world.engine.late_senders(world.now), [silent]);
}
