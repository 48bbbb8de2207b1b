//! PURE. Lists: of files as a command prints them, for people or as JSON for scripts, and of the
//! sessions of a user.
//!
//! Knows no server. The rule it keeps: the keys of the JSON never change their meaning; what people
//! are shown is made visible and may change.

use std::fmt::Write as _;

use serde::Serialize;
use time::{OffsetDateTime, UtcOffset};

use crate::front::text::days;
use crate::message::{FileLine, SessionLine, Target, visible};

/// A file in the JSON.
#[derive(Serialize)]
struct Entry<'a> {
    id: u32,
    name: &'a str,
    size: u64,
    from: String,
    /// `user`, `room`, `shelf` or `public`.
    kind: &'static str,
    /// The user or the room; none of the public shelf.
    to: Option<String>,
    blake3: String,
    sha256: String,
    /// Milliseconds since 1970.
    at_ms: u64,
    until_ms: u64,
}

impl<'a> Entry<'a> {
    fn new(file: &'a FileLine) -> Self {
        let (kind, to) = match file.to {
            Target::User(user) => ("user", Some(user.to_string())),
            Target::Room(room) => ("room", Some(room.to_string())),
            Target::Shelf(room) => ("shelf", Some(room.to_string())),
            Target::Public => ("public", None),
        };
        Self {
            id: file.transfer.0,
            name: file.name.as_str(),
            size: file.size,
            from: file.from.to_string(),
            kind,
            to,
            blake3: file.hash.to_string(),
            sha256: file.sha256.to_string(),
            at_ms: file.at,
            until_ms: file.until,
        }
    }
}

/// One array, one object a file, each in a line of its own.
pub(super) fn json(files: &[FileLine]) -> String {
    let mut text = String::from("[");
    for (index, file) in files.iter().enumerate() {
        text.push_str(if index == 0 { "\n  " } else { ",\n  " });
        // Strings and numbers always can be written.
        text.push_str(&serde_json::to_string(&Entry::new(file)).unwrap_or_default());
    }
    text.push_str(if files.is_empty() { "]" } else { "\n]" });
    text
}

/// Two lines per file, and two more for its hashes if they are asked for.
pub(super) fn table(files: &[FileLine], hashes: bool) -> String {
    let mut text = String::new();
    for file in files {
        let name = visible(file.name.as_str());
        let FileLine { transfer, from, to, size, hash, sha256, at, until, .. } = file;
        let (at, until) = (days(*at), days(*until));
        let _ = writeln!(text, "{transfer:>6}  {name}  {size} bytes");
        let _ = writeln!(text, "        from {from} to {to}, received {at}, expires {until}");
        if hashes {
            let _ = writeln!(text, "        BLAKE3   {hash}\n        SHA-256  {sha256}");
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// A heading and a line for each session of ours; `offset` is how far its times are from UTC.
pub(super) fn sessions(sessions: &[SessionLine], offset: UtcOffset) -> String {
    let from: Vec<String> =
        sessions.iter().map(|line| visible(&line.address).to_string()).collect();
    let width = from.iter().map(|from| from.chars().count()).chain([4]).max().unwrap_or(4);
    let mut text = format!("session  {:8}  {:16}  {:width$}  device\n", "", "since", "from");
    for (line, from) in sessions.iter().zip(from) {
        let what = match (line.this, line.errand) {
            (true, _) => "this one",
            (false, true) => "errand",
            (false, false) => "",
        };
        let (since, device) = (minutes(line.since, offset), visible(&line.device));
        let row = format!("{:>7}  {what:8}  {since:16}  {from:width$}  {device}", line.session);
        let _ = writeln!(text, "{}", row.trim_end());
    }
    text
}

/// Milliseconds since 1970 as a day and a time at this distance from UTC.
fn minutes(ms: u64, offset: UtcOffset) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    let local = seconds.saturating_add(i64::from(offset.whole_seconds()));
    let Ok(at) = OffsetDateTime::from_unix_timestamp(local) else {
        return "unknown".to_owned();
    };
    format!("{} {:02}:{:02}", at.date(), at.hour(), at.minute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TransferId;
    use crate::message::{Digest, FileName, RoomName, UserName};

    fn file(number: u32, name: &str, to: Target) -> FileLine {
        FileLine {
            transfer: TransferId(number),
            from: UserName::parse("alice").unwrap(),
            to,
            name: FileName::parse(name).unwrap(),
            size: 12,
            hash: Digest([0xab; 32]),
            sha256: Digest([0xcd; 32]),
            at: 1000,
            until: 2000,
        }
    }

    #[test]
    fn the_keys_of_the_json_are_these_and_nothing_breaks_it() {
        let lobby = RoomName::parse("lobby").unwrap();
        let files = [file(7, "a 'b'.txt", Target::Shelf(lobby)), file(8, "c", Target::Public)];
        let read: serde_json::Value = serde_json::from_str(&json(&files)).unwrap();
        let expected = serde_json::json!([
            {"id": 7, "name": "a 'b'.txt", "size": 12, "from": "alice", "kind": "shelf",
             "to": "lobby", "blake3": "ab".repeat(32), "sha256": "cd".repeat(32), "at_ms": 1000,
             "until_ms": 2000},
            {"id": 8, "name": "c", "size": 12, "from": "alice", "kind": "public", "to": null,
             "blake3": "ab".repeat(32), "sha256": "cd".repeat(32), "at_ms": 1000,
             "until_ms": 2000},
        ]);
        assert_eq!(read, expected);
        assert_eq!(json(&[]), "[]");
    }

    #[test]
    fn a_session_is_told_with_what_it_is_and_nothing_in_it_is_obeyed() {
        let line = |session, device: &str, address: &str| SessionLine {
            session,
            device: device.to_owned(),
            since: 1_700_000_000_000,
            address: address.to_owned(),
            errand: false,
            this: false,
        };
        let lines = [
            SessionLine { this: true, ..line(0, "laptop", "this machine") },
            line(12, "", "10.0.0.7"),
            SessionLine { errand: true, ..line(7, "a\x1b\nb", "x\x07") },
            SessionLine { since: u64::MAX, ..line(u32::MAX, "", "x") },
        ];
        let shown = sessions(&lines, UtcOffset::from_hms(2, 0, 0).unwrap());
        assert_eq!(
            shown.lines().collect::<Vec<_>>(),
            [
                "session            since             from          device",
                "      0  this one  2023-11-15 00:13  this machine  laptop",
                "     12            2023-11-15 00:13  10.0.0.7",
                "      7  errand    2023-11-15 00:13  x\\x07         a\\x1b\\nb",
                "4294967295            unknown           x",
            ]
        );
    }

    #[test]
    fn people_are_shown_hashes_when_they_ask_for_them() {
        let files = [file(7, "a b.txt", Target::Public)];
        assert!(!table(&files, false).contains(&"ab".repeat(32)));
        let shown = table(&files, true);
        assert!(shown.starts_with("     7  a b.txt  12 bytes\n"), "{shown}");
        assert!(
            shown.contains("from alice to public shelf, received 1970-01-01 00:00Z"),
            "{shown}"
        );
        assert!(shown.contains(&"ab".repeat(32)) && shown.contains(&"cd".repeat(32)));
        assert_eq!(table(&[], true), "");
    }
}
