//! Marks of output: a listener that has just fallen behind holds up those who speak to it, for a
//! moment and no more; one that is cut in the middle of a turn disturbs nobody else's.

use parlor::engine::{Engine, Input, Setup};
use parlor::id::{ConnId, Now, Source};
use parlor::limits::{Limits, PACE};

const SPEAKER: ConnId = ConnId { slot: 0, generation: 0 };
const LISTENER: ConnId = ConnId { slot: 1, generation: 1 };

#[test]
fn a_speaker_waits_for_a_listener_that_fell_behind_but_only_for_a_moment() {
    let limits = Limits { output_soft_bytes: 2_000, presence_users: 0, ..Limits::default() };
    let mut engine = Engine::new(Setup { limits, ..Setup::default() });
    let mut now = Now { mono_ms: 0, wall_ms: 0 };
    for (conn, name) in [(SPEAKER, "alice"), (LISTENER, "bob")] {
        engine.handle(now, Input::Opened { conn, source: Source::THIS_MACHINE, peer: "a test" });
        let words = format!("/login {name}\n/join lobby\n");
        engine.handle(now, Input::Bytes { conn, bytes: words.as_bytes() });
    }
    // The listener does not read; the speaker says more in one breath than it may fall behind.
    let words = format!("{}\n", "x".repeat(500)).repeat(10);
    engine.handle(now, Input::Bytes { conn: SPEAKER, bytes: words.as_bytes() });
    let waiting = |engine: &Engine| engine.outbox(LISTENER).unwrap().len();
    assert!((2_000..3_000).contains(&waiting(&engine)), "{} bytes wait", waiting(&engine));
    engine.handle(now, Input::Turn);
    assert!(waiting(&engine) < 3_000, "the speaker was not held up");
    now.mono_ms = now.after(PACE);
    engine.handle(now, Input::Turn);
    assert!(waiting(&engine) > 5_000, "the speaker is held up for too long");
    engine.check_invariants();
}

#[test]
fn a_refusal_that_cuts_its_asker_is_over_before_the_next_one_is_served() {
    let limits = Limits {
        output_soft_bytes: 2_000,
        output_hard_bytes: 2_001,
        presence_users: 0,
        ..Limits::default()
    };
    let mut engine = Engine::new(Setup { limits, ..Setup::default() });
    let now = Now { mono_ms: 0, wall_ms: 0 };
    // More lines than one turn handles, so that both are served in one later turn.
    let rest = "\n".repeat(300);
    for (conn, name, last) in
        [(SPEAKER, "alice", "/x\n".repeat(100)), (LISTENER, "bob", "/ping\n".into())]
    {
        engine.handle(now, Input::Opened { conn, source: Source::THIS_MACHINE, peer: "a test" });
        let words = format!("/login {name}\n{rest}{last}");
        engine.handle(now, Input::Bytes { conn, bytes: words.as_bytes() });
    }
    engine.handle(now, Input::Turn);
    engine.check_invariants();
    assert_eq!((engine.stats().cut, engine.stats().users), (1, 1));
}
