//! Entries into lines: the time, the category, the words; or an object.
//!
//! Refuses to know files and threads. The rule it keeps: an entry is exactly one line, whatever its
//! text holds.

use super::json;
use super::line::Words;
use super::queue::{Noted, What};
use crate::facts::Fact;
use crate::message::visible;
use std::fmt::Write as _;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// How a line begins: local time in brackets.
const LINE_TIME: &[BorrowedFormatItem<'static>] =
    format_description!("[[[year]-[month]-[day] [hour]:[minute]:[second]]");
/// How the time of an object begins; the milliseconds and the offset follow.
const JSON_TIME: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
const OFFSET: &[BorrowedFormatItem<'static>] =
    format_description!("[offset_hour sign:mandatory]:[offset_minute]");

/// What an entry becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    Line,
    /// A JSON object in a line, for programs.
    Json,
}

/// Makes lines. It keeps what costs most to make: the time, for as long as its second lasts, and
/// the room for the words.
#[derive(Debug)]
pub(super) struct Renderer {
    format: LogFormat,
    offset: UtcOffset,
    /// The offset as an object shows it.
    zone: String,
    second: u64,
    time: String,
    words: String,
}

impl Renderer {
    pub(super) fn new(format: LogFormat, offset: UtcOffset) -> Self {
        let zone = offset.format(OFFSET).unwrap_or_default();
        Self { format, offset, zone, second: 0, time: String::new(), words: String::new() }
    }

    /// Adds the line of an entry.
    pub(super) fn add(&mut self, entry: &Noted, to: &mut Vec<u8>) {
        self.set_time(entry.at_ms / 1000);
        match self.format {
            LogFormat::Line => self.add_line(entry, to),
            LogFormat::Json => self.add_object(entry, to),
        }
        to.push(b'\n');
    }

    fn add_line(&mut self, entry: &Noted, to: &mut Vec<u8>) {
        to.extend_from_slice(self.time.as_bytes());
        to.push(b' ');
        match &entry.what {
            What::Fact(fact) => self.add_fact(fact, to),
            What::Text(text) => to.extend_from_slice(text.as_bytes()),
        }
    }

    fn add_fact(&mut self, fact: &Fact, to: &mut Vec<u8>) {
        for part in ["[", fact.category().as_str(), "] "] {
            to.extend_from_slice(part.as_bytes());
        }
        self.words.clear();
        let _ = write!(self.words, "{}", Words(fact));
        to.extend_from_slice(visible(&self.words).as_bytes());
    }

    fn add_object(&mut self, entry: &Noted, to: &mut Vec<u8>) {
        self.words.clear();
        let _ = write!(self.words, "{}.{:03}{}", self.time, entry.at_ms % 1000, self.zone);
        json::add(entry, &self.words, to);
    }

    fn set_time(&mut self, second: u64) {
        if self.second == second && !self.time.is_empty() {
            return;
        }
        let shape = match self.format {
            LogFormat::Line => LINE_TIME,
            LogFormat::Json => JSON_TIME,
        };
        let stamp = i64::try_from(second).unwrap_or(i64::MAX);
        let time = OffsetDateTime::from_unix_timestamp(stamp)
            .map(|time| time.to_offset(self.offset).format(shape).unwrap_or_default());
        (self.second, self.time) = (second, time.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{RoomFact, TroubleFact};
    use crate::message::RoomName;

    fn lines(entries: Vec<(u64, What)>) -> String {
        rendered(LogFormat::Line, UtcOffset::from_hms(2, 0, 0).unwrap(), entries)
    }

    fn rendered(format: LogFormat, offset: UtcOffset, entries: Vec<(u64, What)>) -> String {
        let mut renderer = Renderer::new(format, offset);
        let mut lines = Vec::new();
        for (at_ms, what) in entries {
            renderer.add(&Noted { at_ms, what }, &mut lines);
        }
        String::from_utf8(lines).unwrap()
    }

    fn trouble(why: &str) -> What {
        What::Fact(TroubleFact::WorkerTrouble { why: why.to_owned() }.into())
    }

    #[test]
    fn a_line_has_the_local_time_of_its_second_the_category_and_the_words() {
        let room = RoomName::parse("lobby").unwrap();
        let shown = lines(vec![
            (1_748_692_962_000, What::Fact(RoomFact::RoomGone { room }.into())),
            (1_748_692_962_999, trouble("the same second")),
            (1_748_735_999_123, trouble("midnight is near")),
            (1_748_692_962_000, What::Text("[ROOM] the clock was set back".into())),
        ]);
        let expected = [
            "[2025-05-31 14:02:42] [ROOM] Room 'lobby' is gone (0 clients remaining)",
            "[2025-05-31 14:02:42] [ERROR] the same second",
            "[2025-06-01 01:59:59] [ERROR] midnight is near",
            "[2025-05-31 14:02:42] [ROOM] the clock was set back",
        ];
        assert_eq!(shown.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_fact_is_one_line_whatever_is_in_it() {
        let text = "a\n[2025-05-31 14:02:42] [LOGIN] forged\r\x1b[2J\u{202e}";
        let shown = lines(vec![(0, trouble(text))]);
        assert_eq!(shown.matches('\n').count(), 1);
        assert!(shown.ends_with("forged\\r\\x1b[2J\\u{202e}\n"), "{shown}");
    }

    #[test]
    fn an_object_has_the_local_time_to_the_millisecond_with_its_offset() {
        let entries = || {
            vec![
                (1_748_692_962_123, What::Text("a".into())),
                (1_748_692_962_007, trouble("the same second")),
            ]
        };
        for (offset, first, second) in [
            ((2, 0), "2025-05-31T14:02:42.123+02:00", "2025-05-31T14:02:42.007+02:00"),
            ((-3, -30), "2025-05-31T08:32:42.123-03:30", "2025-05-31T08:32:42.007-03:30"),
            ((0, 0), "2025-05-31T12:02:42.123+00:00", "2025-05-31T12:02:42.007+00:00"),
        ] {
            let offset = UtcOffset::from_hms(offset.0, offset.1, 0).unwrap();
            let shown = rendered(LogFormat::Json, offset, entries());
            let times: Vec<&str> =
                shown.lines().map(|line| line.split('"').nth(3).unwrap()).collect();
            assert_eq!(times, [first, second]);
        }
    }
}
