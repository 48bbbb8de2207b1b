//! A listener that has just fallen behind holds up those who speak to it, for a moment and no more.

use parlor::engine::{Engine, Input};
use parlor::id::{ConnId, Now};
use parlor::limits::{Limits, PACE};

const SPEAKER: ConnId = ConnId { slot: 0, generation: 0 };
const LISTENER: ConnId = ConnId { slot: 1, generation: 1 };

#[test]
fn a_speaker_waits_for_a_listener_that_fell_behind_but_only_for_a_moment() {
    let limits = Limits { output_soft_bytes: 2_000, ..Limits::default() };
    let mut engine = Engine::new(limits, "parlor".to_owned(), false);
    let mut now = Now { mono_ms: 0, wall_ms: 0 };
    for (conn, name) in [(SPEAKER, "alice"), (LISTENER, "bob")] {
        engine.handle(now, Input::Opened { conn, peer: "a test" });
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
