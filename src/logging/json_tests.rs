//! Each kind of fact as JSON, against the sources and docs/server.md.

use super::*;
use crate::facts::{
    ConnFact, Counts, FileFact, LoginFact, MemoryCounts, Parcel, RoomFact, ServerFact, Slots,
    TalkFact, TroubleFact, Who,
};
use crate::id::{ConnId, TransferId};
use crate::message::{
    CloseReason, Ending, FileName, LogoutReason, Op, Refusal, RoomName, Target, Text, UserName,
};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

const TIME: &str = "2025-05-31T14:02:42.123+02:00";
const CONN: ConnId = ConnId { slot: 7, generation: 42 };
const TRANSFER: TransferId = TransferId(17);
const COMMON: [&str; 4] = ["time", "level", "category", "event"];

/// An object as it is written: also a key that is there twice is there twice.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        from.deserialize_map(Reader)
    }
}

fn written(what: What) -> String {
    let mut line = Vec::new();
    add(&Noted { at_ms: 0, what }, TIME, &mut line);
    String::from_utf8(line).unwrap()
}

fn pairs(fact: Fact) -> Vec<(String, Value)> {
    let line = written(What::Fact(fact));
    serde_json::from_str::<Pairs>(&line).unwrap_or_else(|error| panic!("{line}: {error}")).0
}

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn room() -> RoomName {
    RoomName::parse("lobby").unwrap()
}

fn parcel() -> Box<Parcel> {
    let (to, name) = (Target::User(user("bob")), FileName::parse("a.txt").unwrap());
    Box::new(Parcel { from: user("alice"), to, name, size: 5 })
}

fn counts() -> Box<Counts> {
    Box::new(Counts { memory: Some(MemoryCounts::default()), ..Counts::default() })
}

/// One of each kind at least, with all that may be in it.
fn samples() -> Vec<Fact> {
    let parts = [of_connections(), of_people(), of_files(), of_troubles(), of_the_server()];
    parts.into_iter().flatten().collect()
}

fn of_connections() -> Vec<Fact> {
    let (conn, alice, bob, reason) = (CONN, user("alice"), user("bob"), CloseReason::PeerClosed);
    vec![
        ConnFact::Connected { conn, peer: "192.0.2.7:51514".into() }.into(),
        ConnFact::UnknownProtocol { conn, first: 0x16 }.into(),
        ConnFact::Refused { who: Who::Conn(conn), op: Op::Say, code: "login_first" }.into(),
        ConnFact::Refused { who: Who::User(alice), op: Op::Say, code: "not_in_room" }.into(),
        ConnFact::BlockSet { who: Who::Conn(conn), user: bob, blocks: false }.into(),
        ConnFact::BlockSet { who: Who::User(alice), user: bob, blocks: true }.into(),
        ConnFact::Disconnected { conn, user: None, reason, missed: 3 }.into(),
        ConnFact::Disconnected { conn, user: Some(alice), reason, missed: 0 }.into(),
    ]
}

fn of_people() -> Vec<Fact> {
    let (conn, alice, bob) = (CONN, user("alice"), user("bob"));
    let text = || Text::parse("hi".into(), 9).unwrap();
    vec![
        LoginFact::LoggedIn { user: alice, conn }.into(),
        LoginFact::NameInUse { conn, user: alice }.into(),
        LoginFact::WrongPassword { conn, user: alice }.into(),
        LoginFact::TakenOver { user: alice, conn, owner: conn }.into(),
        LoginFact::LoggedOut { user: alice, conn, reason: LogoutReason::Idle }.into(),
        LoginFact::NameGivenBack { user: alice, conn }.into(),
        LoginFact::Registered { user: alice, conn }.into(),
        LoginFact::PasswordChanged { user: alice }.into(),
        RoomFact::Joined { user: alice, room: room(), members: 2, most: 15 }.into(),
        RoomFact::Left { user: alice, room: room(), members: 1 }.into(),
        RoomFact::RoomMade { room: room(), user: alice }.into(),
        RoomFact::RoomGone { room: room() }.into(),
        TalkFact::Said { from: alice, room: room(), bytes: 2, heard: 1, others: 1 }.into(),
        TalkFact::SaidText { from: alice, room: room(), text: text() }.into(),
        TalkFact::Broadcast { from: alice, bytes: 2, heard: 1, others: 1 }.into(),
        TalkFact::BroadcastText { from: alice, text: text() }.into(),
        TalkFact::Whispered { from: alice, to: bob, bytes: 2 }.into(),
        TalkFact::WhisperedText { from: alice, to: bob, text: text() }.into(),
    ]
}

fn of_files() -> Vec<Fact> {
    let (transfer, slots) = (TRANSFER, Slots { used: 1, slots: 5 });
    let mut all = Vec::new();
    for file in [parcel(), Box::new(Parcel { to: Target::Public, ..*parcel() })] {
        let refusal = Box::new(Refusal::FileTooLarge { size: 5, limit: 4 });
        let how = Ending::Stored;
        let user = user("bob");
        let (place, waiting, waited_ms) = (1, 2, 1500);
        let some = || Some(file.clone());
        let file = || file.clone();
        all.extend([
            FileFact::Announced { transfer, file: file() }.into(),
            FileFact::UploadRefused { file: file(), refusal }.into(),
            FileFact::Waiting { transfer, file: file(), place, waiting, slots }.into(),
            FileFact::Admitted { transfer, file: file(), waited_ms, slots }.into(),
            FileFact::Received { transfer, file: file() }.into(),
            FileFact::UploadEnded { transfer, file: file(), how, slots }.into(),
            FileFact::Sent { transfer, file: file(), user }.into(),
            FileFact::Delivered { transfer, file: some(), user }.into(),
            FileFact::Rejected { transfer, file: some(), user }.into(),
            FileFact::Withdrawn { transfer, user }.into(),
            FileFact::Orphaned { transfer, file: some(), how }.into(),
            FileFact::Orphaned { transfer, file: None, how }.into(),
            FileFact::Expired { transfer, file: file() }.into(),
        ]);
    }
    all
}

fn of_troubles() -> Vec<Fact> {
    let (conn, transfer, from) = (CONN, TRANSFER, user("alice"));
    let why = || "why".to_owned();
    let name = FileName::parse("a.txt").unwrap();
    vec![
        TroubleFact::StoreFails { why: why() }.into(),
        TroubleFact::TokensVoid { why: why() }.into(),
        TroubleFact::HashFailed { why: why() }.into(),
        TroubleFact::CheckFailed { why: why() }.into(),
        TroubleFact::TransferFailed { transfer, to: Some(conn), why: why() }.into(),
        TroubleFact::TransferFailed { transfer, to: None, why: why() }.into(),
        TroubleFact::WorkerTrouble { why: why() }.into(),
        TroubleFact::ContentLost { transfer, name, from }.into(),
        TroubleFact::ClockAhead { ahead_s: 2_678_400, files: 3 }.into(),
        TroubleFact::TurnedAway { why: why(), so_far: 3 }.into(),
        TroubleFact::LinesDropped { lines: 90 }.into(),
    ]
}

fn of_the_server() -> Vec<Fact> {
    vec![
        ServerFact::StoreWorks.into(),
        ServerFact::Listening { addresses: "127.0.0.1:7575".into(), version: "0.1.0" }.into(),
        ServerFact::FewDescriptors { connections: 9, needed: 8, descriptors: 7 }.into(),
        ServerFact::Report { report: counts() }.into(),
        ServerFact::StopAsked.into(),
        ServerFact::Stopping { connections: 1 }.into(),
        ServerFact::Stopped { report: counts() }.into(),
    ]
}

/// For each event its category and the fields that it may have.
fn events() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut events: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    for fact in samples() {
        let category = fact.category().as_str().to_owned();
        let pairs = pairs(fact);
        let event = pairs[3].1.as_str().unwrap().to_owned();
        let entry = events.entry(event).or_insert((category, BTreeSet::new()));
        entry.1.extend(pairs.into_iter().skip(COMMON.len()).map(|(key, _)| key));
    }
    events
}

#[test]
fn an_object_begins_with_time_level_category_and_event_and_has_no_key_twice() {
    for fact in samples() {
        let shown = format!("{fact:?}");
        let pairs = pairs(fact);
        let keys: Vec<&str> = pairs.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys[..4], COMMON, "{shown}");
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{shown}: {keys:?}");
        assert!(pairs[..4].iter().all(|(_, value)| value.is_string()), "{shown}");
    }
}

#[test]
fn there_is_a_sample_of_each_kind_in_the_sources_and_no_two_kinds_have_one_name() {
    let (_, kinds) = include_str!("../facts/kinds.rs").split_once("pub enum").unwrap();
    let kinds = kinds.lines().filter_map(|line| {
        let kind = line.strip_prefix("    ")?;
        kind.starts_with(char::is_uppercase).then(|| kind.split([' ', ',']).next().unwrap())
    });
    let snake = |kind: &str| {
        let words = kind.chars().flat_map(|c| {
            let gap = c.is_uppercase().then_some('_');
            gap.into_iter().chain([c.to_ascii_lowercase()])
        });
        words.skip(1).collect::<String>()
    };
    let kinds: Vec<String> = kinds.map(snake).collect();
    assert!(kinds.len() > 40);
    assert_eq!(kinds.iter().collect::<BTreeSet<_>>().len(), kinds.len(), "{kinds:?}");
    assert_eq!(kinds.into_iter().collect::<BTreeSet<_>>(), events().into_keys().collect());
}

#[test]
fn the_documentation_has_each_event_with_its_category_and_its_fields() {
    let document = include_str!("../../docs/server.md");
    let (_, rest) = document.split_once("<!-- events -->").unwrap();
    let (table, _) = rest.split_once("<!-- end of events -->").unwrap();
    let mut documented = BTreeMap::new();
    for row in table.trim().lines().skip(2) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let code = |cell: &str| {
            let words = cell.split('`').skip(1).step_by(2);
            words.map(str::to_owned).collect::<Vec<String>>()
        };
        let (event, category) = (code(cells[1]).remove(0), code(cells[2]).join(", "));
        documented.insert(event, (category, code(cells[3]).into_iter().collect()));
    }
    let mut events = events();
    // The one kind whose category depends on what is in it.
    events.get_mut("upload_refused").unwrap().0 = "SENDFILE, FILE-QUEUE".to_owned();
    assert_eq!(documented, events);
}

#[test]
fn what_a_terminal_would_obey_is_escaped_and_read_again_as_it_was() {
    let said = "a\n\"b\"\\ \x1b[2J\u{9b}\u{202e}é\u{e0001}\u{7f}";
    for what in [
        What::Fact(TroubleFact::WorkerTrouble { why: said.to_owned() }.into()),
        What::Text(said.into()),
    ] {
        let line = written(what);
        assert!(!line.chars().any(is_unprintable), "{line}");
        assert!(line.contains("\\u202e\u{e9}\\udb40\\udc01\\u007f"), "{line}");
        let object: Value = serde_json::from_str(&line).unwrap();
        let read = object.get("why").or(object.get("text")).unwrap();
        assert_eq!(read, said);
    }
}

#[test]
fn values_are_numbers_and_the_words_of_the_protocol() {
    let (transfer, how) = (TRANSFER, Ending::SenderGone);
    let slots = Slots { used: 1, slots: 5 };
    let line =
        written(What::Fact(FileFact::UploadEnded { transfer, file: parcel(), how, slots }.into()));
    let expected = r#"{"time":"2025-05-31T14:02:42.123+02:00","level":"info","category":"FILE-QUEUE","event":"upload_ended","transfer":17,"from":"alice","to":{"user":"bob"},"name":"a.txt","size":5,"how":"sender_gone","used":1,"slots":5}"#;
    assert_eq!(line, expected);
}
