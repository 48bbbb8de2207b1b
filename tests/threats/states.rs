//! Row 12 without sockets: every request in every state has an answer of its own.

use crate::support::{Frames, frame, frame_raw};
use crate::world::World;
use parlor::id::ConnId;
use parlor::limits::Limits;
use parlor::message::Op;
use serde_json::json;

/// What a request is answered in each state: nameless, as a guest, with an account, as a guest in a
/// room. A word with `!` is the code of a refusal, any other the kind of the reply. Between two
/// states nothing is answered: that is `row_12_while_a_login_is_undecided_nothing_else_is_handled`.
pub(crate) const TABLE: [(Op, [&str; 4]); 33] = [
    (Op::Hello, ["done", "done", "done", "done"]),
    (Op::Login, ["welcome", "!logged_in", "!logged_in", "!logged_in"]),
    (Op::Register, ["welcome", "!logged_in", "!logged_in", "!logged_in"]),
    (Op::Passwd, ["!login_first", "!no_account", "password_changed", "!no_account"]),
    (Op::Logout, ["!login_first", "logged_out", "logged_out", "logged_out"]),
    (Op::Sessions, ["!login_first", "sessions", "sessions", "sessions"]),
    (Op::EndSession, ["!login_first", "!no_such_session", "!no_such_session", "!no_such_session"]),
    (Op::Join, ["!login_first", "joined", "joined", "joined"]),
    (Op::Room, ["!login_first", "!not_in_room", "!not_in_room", "current"]),
    (Op::Leave, ["!login_first", "!not_in_room", "!not_in_room", "left"]),
    (Op::Say, ["!login_first", "!not_in_room", "!not_in_room", "heard"]),
    (Op::Broadcast, ["!login_first", "heard", "heard", "heard"]),
    (Op::Whisper, ["!login_first", "heard", "heard", "heard"]),
    (Op::Got, ["!login_first", "done", "done", "done"]),
    (Op::Rooms, ["!login_first", "rooms", "rooms", "rooms"]),
    (Op::Who, ["!login_first", "who", "who", "who"]),
    (Op::WhoElse, ["!login_first", "who_else", "who_else", "who_else"]),
    (Op::Block, ["!login_first", "done", "done", "done"]),
    (Op::Unblock, ["!login_first", "!not_blocked", "!not_blocked", "!not_blocked"]),
    (Op::Blocked, ["!login_first", "blocked", "blocked", "blocked"]),
    (Op::Queue, ["!login_first", "queue", "queue", "queue"]),
    (Op::Help, ["help", "help", "help", "help"]),
    (Op::Ping, ["pong", "pong", "pong", "pong"]),
    (Op::Exit, ["done", "done", "done", "done"]),
    (Op::SendFile, ["!login_first", "announced", "announced", "announced"]),
    (Op::Upload, ["!login_first", "announced", "announced", "announced"]),
    (Op::Files, ["!login_first", "files", "files", "files"]),
    (Op::Get, ["!login_first", "!no_such_file", "!no_such_file", "!no_such_file"]),
    (Op::Reject, ["!login_first", "!no_such_file", "!no_such_file", "!no_such_file"]),
    (Op::Received, ["!login_first", "!no_such_file", "!no_such_file", "!no_such_file"]),
    (Op::Cancel, ["!login_first", "!no_such_transfer", "!no_such_transfer", "!no_such_transfer"]),
    (Op::Remove, ["!login_first", "!no_such_file", "!no_such_file", "!no_such_file"]),
    (Op::Chunk, ["!login_first", "!no_such_transfer", "!no_such_transfer", "!no_such_transfer"]),
];

/// A request that is right in all but, perhaps, its time; as a frame and as a line.
pub(crate) fn request(op: Op) -> (Vec<u8>, &'static str) {
    let (message, line) = match op {
        Op::Hello => (json!({"op": "hello", "version": 1}), ""),
        Op::Login => (json!({"op": "login", "user": "alice"}), "/login alice"),
        Op::Register => (
            json!({"op": "register", "user": "carol", "password": "opensesame"}),
            "/register carol opensesame",
        ),
        Op::Passwd => (
            json!({"op": "passwd", "password": "opensesame", "new": "another one"}),
            "/passwd opensesame another one",
        ),
        Op::Logout => (json!({"op": "logout"}), "/logout"),
        Op::Broadcast => (json!({"op": "broadcast", "text": "hi"}), "/broadcast hi"),
        Op::Got => (json!({"op": "got", "letter": 1}), "/got 1"),
        Op::WhoElse => (json!({"op": "whoelse"}), "/whoelse"),
        Op::Block => (json!({"op": "block", "user": "bob"}), "/block bob"),
        Op::Unblock => (json!({"op": "unblock", "user": "bob"}), "/unblock bob"),
        Op::Blocked => (json!({"op": "blocked"}), "/blocked"),
        Op::Join => (json!({"op": "join", "room": "other"}), "/join other"),
        Op::Sessions => (json!({"op": "sessions"}), "/sessions"),
        Op::EndSession => (json!({"op": "end_session", "session": 77}), "/end 77"),
        Op::Room => (json!({"op": "room", "room": "lobby"}), "/room lobby"),
        Op::Leave => (json!({"op": "leave"}), "/leave"),
        Op::Say => (json!({"op": "say", "text": "hi"}), "/say hi"),
        Op::Whisper => (json!({"op": "whisper", "user": "bob", "text": "hi"}), "/whisper bob hi"),
        Op::Rooms => (json!({"op": "rooms"}), "/rooms"),
        Op::Who => (json!({"op": "who"}), "/who"),
        Op::Queue => (json!({"op": "queue"}), "/queue"),
        Op::Help => (json!({"op": "help"}), "/help"),
        Op::Ping => (json!({"op": "ping"}), "/ping"),
        Op::Exit => (json!({"op": "exit"}), "/exit"),
        Op::SendFile => {
            (json!({"op": "send_file", "user": "bob", "name": "f", "size": 9}), "/sendfile f bob 9")
        }
        Op::Upload => (json!({"op": "upload", "name": "f", "size": 9}), "/upload f 9"),
        Op::Files => (json!({"op": "files"}), "/files"),
        Op::Get => (json!({"op": "get", "transfer": 77}), "/get 77"),
        Op::Reject => (json!({"op": "reject", "transfer": 77}), "/reject 77"),
        Op::Received => (json!({"op": "received", "transfer": 77}), "/received 77"),
        Op::Cancel => (json!({"op": "cancel", "transfer": 77}), "/cancel 77"),
        Op::Remove => (json!({"op": "remove", "transfer": 77}), "/remove 77"),
        Op::Chunk => {
            let chunk = [0, 0, 0, 7, 2, 0, 0, 0, 77, b'a', b'b'].to_vec();
            return (chunk, "/chunk 77 YWI=");
        }
    };
    (frame(&message), line)
}

const NAMELESS: usize = 0;
const GUEST: usize = 1;
const ACCOUNT: usize = 2;
const IN_ROOM: usize = 3;

/// A room with bob in it, and a connection in one of the states of the table.
fn in_state(state: usize, native: bool) -> (World, ConnId, ConnId) {
    let mut world = World::bounded(Limits::default());
    let bob = world.login("bob");
    world.join(bob, "lobby");
    let conn = world.open();
    let guest = json!({"op": "login", "user": "alice"});
    let account = json!({"op": "register", "user": "alice", "password": "opensesame"});
    let join = json!({"op": "join", "room": "lobby"});
    let steps = match state {
        NAMELESS => vec![(json!({"op": "ping"}), "/ping")],
        GUEST => vec![(guest, "/login alice")],
        ACCOUNT => vec![(account, "/register alice opensesame")],
        _ => vec![(guest, "/login alice"), (join, "/join lobby")],
    };
    for (step, line) in steps {
        let line = format!("{line}\n");
        world.ask(conn, &if native { frame(&step) } else { line.into_bytes() });
    }
    world.came(bob);
    (world, conn, bob)
}

#[test]
fn row_12_every_request_in_every_state_has_its_answer_and_a_refused_one_changes_nothing() {
    let ops: Vec<Op> = TABLE.iter().map(|(op, _)| *op).collect();
    assert_eq!(ops, Op::ALL, "a cell is missing");
    for (op, answers) in TABLE {
        for (state, expected) in answers.into_iter().enumerate() {
            let (mut world, conn, bob) = in_state(state, true);
            let (bytes, line) = request(op);
            let before = world.state();
            let came = Frames::all(&world.ask(conn, &bytes));
            let answers: Vec<_> = came.iter().filter(|came| came.get("re").is_some()).collect();
            assert_eq!(answers.len(), 1, "{op:?} in {state}: {came:?}");
            match expected.strip_prefix('!') {
                Some(code) => {
                    assert_eq!(answers[0]["error"]["code"], code, "{op:?} in {state}");
                    assert_eq!(world.state(), before, "{op:?} in {state} was refused");
                    assert_eq!(world.came(bob), b"", "{op:?} in {state} was heard");
                }
                None => assert_eq!(answers[0]["ok"], expected, "{op:?} in {state}"),
            }
            world.engine.check_invariants();

            let (mut world, conn, bob) = in_state(state, false);
            if line.is_empty() {
                continue;
            }
            let before = world.state();
            let came = String::from_utf8(world.ask(conn, format!("{line}\n").as_bytes())).unwrap();
            match expected.strip_prefix('!') {
                Some(code) => {
                    assert!(came.starts_with(&format!("! {code}: ")), "{line} in {state}: {came}");
                    assert_eq!(world.state(), before, "{line} in {state} was refused");
                    assert_eq!(world.came(bob), b"", "{line} in {state} was heard");
                }
                None => assert!(came.starts_with("* "), "{line} in {state}: {came}"),
            }
        }
    }
}

#[test]
fn row_12_after_goodbye_no_request_has_any_effect() {
    for (op, _) in TABLE {
        let (mut world, conn, bob) = in_state(IN_ROOM, true);
        let goodbye = frame(&json!({"id": 1, "op": "exit"}));
        world.put(conn, &[goodbye, request(op).0].concat());
        world.put(conn, &request(op).0);
        world.settle();
        let came = Frames::all(&world.came(conn));
        assert_eq!(came.len(), 2, "{op:?}: {came:?}");
        assert_eq!(came[0]["ok"], "done");
        assert_eq!(came[1]["ev"], "bye");
        let heard = Frames::all(&world.came(bob));
        assert_eq!(heard.len(), 2, "{op:?}: {heard:?}");
        assert_eq!((&heard[0]["ev"], &heard[1]["ev"]), (&json!("left"), &json!("offline")));
        assert_eq!(world.closed.len(), 1);
    }
}

#[test]
fn row_12_what_is_no_request_is_answered_and_changes_nothing() {
    for state in NAMELESS..=IN_ROOM {
        let (mut world, conn, bob) = in_state(state, true);
        let before = world.state();
        // Words of the server in the mouth of a client, ops of another case, shapes of no message.
        let strange = [
            r#"{"ev":"said","room":"lobby","from":"bob","text":"x","at":0}"#,
            r#"{"re":1,"ok":"welcome","user":"bob"}"#,
            r#"{"op":"Login","user":"x"}"#,
            r#"{"op":"shutdown"}"#,
            r#"{"op":""}"#,
            r#"{"op":null}"#,
            r#"{"op":["say"],"text":"x"}"#,
            r#"["say","x"]"#,
            r#""say""#,
            "17",
            "",
            "{",
            r#"{"op":"say","op":"say","text":"x"}"#,
            r#"{"op":"say","text":7}"#,
        ];
        for json in strange {
            let came = Frames::all(&world.ask(conn, &frame_raw(json.as_bytes())));
            assert_eq!(came.len(), 1, "{json}");
            assert!(came[0]["error"]["code"].is_string(), "{json}: {came:?}");
            assert_eq!(world.state(), before, "{json}");
        }
        assert_eq!(world.came(bob), b"");
    }
}

#[test]
fn row_12_while_a_login_is_undecided_nothing_else_is_handled() {
    for (op, answers) in TABLE {
        let (mut world, conn, bob) = in_state(NAMELESS, true);
        world.late = Some(Vec::new());
        let register = json!({"op": "register", "user": "alice", "password": "opensesame"});
        world.put(conn, &frame(&register));
        let before = world.state();
        assert_eq!(world.ask(conn, &request(op).0), b"", "{op:?} was answered");
        assert_eq!(world.state(), before, "{op:?} had an effect");
        assert_eq!(world.came(bob), b"", "{op:?} was heard");
        world.catch_up();
        let came = Frames::all(&world.came(conn));
        let answers_came: Vec<_> = came.iter().filter(|came| came.get("re").is_some()).collect();
        assert_eq!(answers_came.len(), 2, "{op:?}: {came:?}");
        assert_eq!(answers_came[0]["ok"], "welcome");
        match answers[ACCOUNT].strip_prefix('!') {
            Some(code) => assert_eq!(answers_came[1]["error"]["code"], code, "{op:?}"),
            None => assert_eq!(answers_came[1]["ok"], answers[ACCOUNT], "{op:?}"),
        }
    }
}
