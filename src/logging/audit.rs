//! Records into lines: the time, the category, the text.
//!
//! Refuses to know files and other crates. The rule it keeps: a record is one line, whatever its
//! text holds, and looks as the lines do that simplelog writes.

use super::TIME;
use super::line::Words;
use super::queue::Queue;
use crate::facts::{Fact, Level};
use crate::message::visible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use time::{OffsetDateTime, UtcOffset};

/// Where records go.
#[derive(Debug)]
pub(super) struct Audit {
    level: log::LevelFilter,
    offset: UtcOffset,
    queue: Arc<Queue>,
    stamp: Mutex<Stamp>,
}

/// The time as lines show it, for as long as its second lasts: to write it takes longer than the
/// rest of a line.
#[derive(Debug, Default)]
struct Stamp {
    second: i64,
    shown: String,
}

impl Audit {
    pub(super) fn new(level: log::LevelFilter, offset: UtcOffset, queue: Arc<Queue>) -> Self {
        Self { level, offset, queue, stamp: Mutex::default() }
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Adds a line for a fact, if the log is kept down to its level.
    pub(super) fn write(&self, fact: &Fact) {
        let level = match fact.level() {
            Level::Error => log::Level::Error,
            Level::Info => log::Level::Info,
            Level::Debug => log::Level::Debug,
        };
        if level > self.level {
            return;
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let second = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        self.write_at(second, fact);
    }

    fn write_at(&self, second: i64, fact: &Fact) {
        let text = Words(fact).to_string();
        let text = visible(&text);
        let category = fact.category().as_str();
        let mut stamp = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        stamp.show(second, self.offset);
        let parts = [stamp.shown.as_str(), " [", category, "] ", &text, "\n"];
        self.queue.push(&parts.map(str::as_bytes));
    }
}

impl Stamp {
    fn show(&mut self, second: i64, offset: UtcOffset) {
        if self.second == second && !self.shown.is_empty() {
            return;
        }
        let time = OffsetDateTime::from_unix_timestamp(second)
            .map(|time| time.to_offset(offset).format(TIME).unwrap_or_default());
        *self = Self { second, shown: time.unwrap_or_default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{RoomFact, TalkFact, TroubleFact};
    use crate::message::{RoomName, Text, UserName};

    fn lines(facts: &[(i64, Fact)]) -> String {
        let queue = Arc::new(Queue::new(4096));
        let offset = UtcOffset::from_hms(2, 0, 0).unwrap();
        let audit = Audit::new(log::LevelFilter::Info, offset, Arc::clone(&queue));
        for (second, fact) in facts {
            audit.write_at(*second, fact);
        }
        String::from_utf8(queue.take_now()).unwrap()
    }

    fn trouble(why: &str) -> Fact {
        TroubleFact::WorkerTrouble { why: why.to_owned() }.into()
    }

    #[test]
    fn a_line_has_the_local_time_of_its_second_the_category_and_the_words() {
        let room = RoomName::parse("lobby").unwrap();
        let shown = lines(&[
            (1_748_692_962, RoomFact::RoomGone { room }.into()),
            (1_748_692_962, trouble("the same second")),
            (1_748_735_999, trouble("midnight is near")),
            (1_748_692_962, trouble("the clock was set back")),
        ]);
        let expected = [
            "[2025-05-31 14:02:42] [ROOM] lobby is gone",
            "[2025-05-31 14:02:42] [ERROR] the same second",
            "[2025-06-01 01:59:59] [ERROR] midnight is near",
            "[2025-05-31 14:02:42] [ERROR] the clock was set back",
        ];
        assert_eq!(shown.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_fact_is_one_line_whatever_is_in_it() {
        let text = "a\n[2025-05-31 14:02:42] [LOGIN] forged\r\x1b[2J\u{202e}";
        let shown = lines(&[(0, trouble(text))]);
        assert_eq!(shown.matches('\n').count(), 1);
        assert!(shown.ends_with("forged\\r\\x1b[2J\\u{202e}\n"), "{shown}");
    }

    #[test]
    fn what_the_log_is_not_kept_down_to_stays_out() {
        let queue = Arc::new(Queue::new(4096));
        let audit = Audit::new(log::LevelFilter::Info, UtcOffset::UTC, Arc::clone(&queue));
        let from = UserName::parse("alice").unwrap();
        let text = Text::parse("the body".into(), 100).unwrap();
        audit.write(&TalkFact::BroadcastText { from, text }.into());
        audit.write(&trouble("the disk"));
        let shown = String::from_utf8(queue.take_now()).unwrap();
        assert_eq!((shown.lines().count(), shown.contains("[ERROR] the disk")), (1, true));
    }
}
