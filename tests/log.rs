//! The log of a whole process: there is one, so this file has one test.

use parlor::facts::{ConnFact, RoomFact, TalkFact, TroubleFact};
use parlor::id::ConnId;
use parlor::logging::{self, Log};
use parlor::message::{RoomName, Text, UserName};
use std::path::Path;

/// The lines of a file without their times, each of which must be one.
fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    text.lines()
        .map(|line| {
            let (time, rest) = line.split_at("[2025-05-31 14:02:42] ".len());
            let shape: String =
                time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            assert_eq!(shape, "[0000-00-00 00:00:00] ");
            rest.to_owned()
        })
        .collect()
}

#[test]
fn records_become_lines_survive_a_rotation_and_are_all_there_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (path, rotated) = (dir.path().join("parlor.log"), dir.path().join("parlor.log.1"));
    let log = Log::open(&path, log::LevelFilter::Info).unwrap();
    assert!(Log::open(&path, log::LevelFilter::Info).is_err());

    std::fs::rename(&path, &rotated).unwrap();
    logging::reopen();
    let alice = UserName::parse("alice").unwrap();
    let room = RoomName::parse("lobby").unwrap();
    let text = Text::parse("a secret".into(), 100).unwrap();
    logging::note(RoomFact::Left { user: alice, room }.into());
    logging::note(TalkFact::BroadcastText { from: alice, text }.into());
    logging::note(TroubleFact::WorkerTrouble { why: "two\nlines".to_owned() }.into());
    log::error!(target: "mio", "not ours");
    for number in 0..1000 {
        let conn = ConnId { slot: number, generation: 0 };
        logging::note(ConnFact::Connected { conn, peer: "here".into() }.into());
    }
    drop(log);
    logging::note(RoomFact::RoomGone { room }.into());

    let mut expected = vec!["[LEAVE] alice <- lobby".to_owned(), "[ERROR] two\\nlines".to_owned()];
    expected.extend((0..1000).map(|number| format!("[CLIENT] c{number}.0 connected from here")));
    // What was logged about the time of the rotation may be on either side of it, but only once.
    let mut all = if rotated.metadata().unwrap().len() > 0 { lines(&rotated) } else { Vec::new() };
    all.extend(lines(&path));
    assert_eq!(all, expected);
    assert_eq!(logging::dropped(), 0);
}
