//! I/O. The audit log: one fact, one line, in a file.
//!
//! ```text
//! [2025-05-31 14:02:42] [FILE-QUEUE] Added: alice12 -> bob23 (test.pdf, 1024 bytes) [1/5]
//! ```
//!
//! ```text
//! note(fact) --------- Audit (the time) -------------------> Queue ==> thread -> file
//! log::info!(..) -> OneLine -> simplelog (the time) -> Intake -^
//!                  `---- the caller's thread, memory only ----'
//! ```
//!
//! Facts, of which there is one for each message, go straight into the queue: simplelog takes as
//! long for a line as the hub for all that the line tells of. Lines of the `log` macros go through
//! it, and look the same.
//!
//! Refuses to know why things happen. The rules it keeps: nobody who logs ever waits for
//! the disk; a fact is exactly one line, whatever is in it; a line that could not be kept is
//! counted, and the count is in the log as soon as the disk can follow again.

mod audit;
mod line;
mod queue;
mod thread;

use crate::facts::Fact;
use crate::limits::{LOG_BYTES_MAX, LOG_CLOSE};
use crate::message::visible;
use audit::Audit;
pub use line::Words;
use queue::Queue;
use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use thread::LogFile;
use time::UtcOffset;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// How a line begins: local time in brackets.
const TIME: &[BorrowedFormatItem<'static>] =
    format_description!("[[[year]-[month]-[day] [hour]:[minute]:[second]]");

/// The process's log; there is one, as there is one `log`.
static AUDIT: OnceLock<Audit> = OnceLock::new();

/// The open log. Dropped, it writes out what waits, for [`LOG_CLOSE`] at most; also when a panic
/// drops it. What is logged afterwards is nowhere.
#[derive(Debug)]
pub struct Log(Arc<Queue>);

impl Log {
    /// Opens the log for appending, starts its thread, and makes it the log of this process.
    ///
    /// Called before other threads start, because only then does the system tell the local time's
    /// offset safely; it is asked once, so the hour stands still when daylight saving begins or
    /// ends, until the next start.
    ///
    /// # Errors
    /// The file cannot be opened, no thread can be started, or the process has a log already.
    pub fn open(path: &Path, level: log::LevelFilter) -> io::Result<Self> {
        let offset = UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC);
        let queue = Arc::new(Queue::new(LOG_BYTES_MAX));
        let file = LogFile::open(path)?;
        thread::start(Arc::clone(&queue), file, offset)?;
        let logger = OneLine::new(level, offset, Arc::clone(&queue));
        log::set_boxed_logger(Box::new(logger)).map_err(io::Error::other)?;
        log::set_max_level(level);
        // A second `open` has failed above, so the place is free.
        AUDIT.get_or_init(|| Audit::new(level, offset, Arc::clone(&queue)));
        Ok(Self(queue))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if !self.0.close(LOG_CLOSE) {
            let _ = writeln!(io::stderr(), "parlor: the end of the log could not be written");
        }
    }
}

/// Puts a fact into the log; never waits for the disk.
pub fn note(fact: &Fact) {
    if let Some(audit) = AUDIT.get() {
        audit.write(fact);
    }
}

/// Asks for the file to be opened anew by its name, after somebody renamed it; returns at once.
pub fn reopen() {
    if let Some(audit) = AUDIT.get() {
        audit.queue().reopen();
    }
}

/// Lines that were dropped since the start, because the disk did not follow or failed.
#[must_use]
pub fn dropped() -> u64 {
    AUDIT.get().map_or(0, |audit| audit.queue().dropped())
}

/// simplelog writes the time, the text and a line feed; this keeps the text to one line, and the
/// other crates out.
struct OneLine(Box<simplelog::WriteLogger<queue::Intake>>);

impl OneLine {
    fn new(level: log::LevelFilter, offset: UtcOffset, queue: Arc<Queue>) -> Self {
        use log::LevelFilter::{Error, Off};
        let config = simplelog::ConfigBuilder::new()
            .set_time_format_custom(TIME)
            .set_time_offset(offset)
            .set_time_level(Error)
            .set_max_level(Off)
            .set_target_level(Off)
            .set_thread_level(Off)
            .set_location_level(Off)
            .build();
        Self(simplelog::WriteLogger::new(level, config, queue::Intake::new(queue)))
    }
}

impl log::Log for OneLine {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        let target = metadata.target();
        let ours = target == "parlor" || target.starts_with("parlor::");
        ours && self.0.enabled(metadata)
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = Visible(record.args());
        let metadata = record.metadata().clone();
        let mut builder = log::Record::builder();
        self.0.log(&builder.metadata(metadata).args(format_args!("{text}")).build());
    }

    fn flush(&self) {}
}

/// Shows what it holds without any control character, so without a line feed.
struct Visible<'a>(&'a fmt::Arguments<'a>);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Filter<'a, 'b>(&'a mut fmt::Formatter<'b>);
        impl fmt::Write for Filter<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                fmt::Write::write_str(self.0, &visible(text))
            }
        }
        fmt::write(&mut Filter(f), *self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Log as _;

    fn logged(level: log::LevelFilter, records: &[(&str, log::Level, &str)]) -> String {
        let queue = Arc::new(Queue::new(4096));
        let logger = OneLine::new(level, UtcOffset::UTC, Arc::clone(&queue));
        for (target, level, text) in records {
            let args = format_args!("{text}");
            logger.log(&log::Record::builder().target(target).level(*level).args(args).build());
        }
        String::from_utf8(queue.take_now()).unwrap()
    }

    /// Whether a line begins as `[2025-05-31 14:02:42] [`.
    fn begins_with_a_time(line: &str) -> bool {
        let shape = b"[0000-00-00 00:00:00] [";
        line.len() >= shape.len()
            && line.bytes().zip(shape).all(|(byte, shape)| match shape {
                b'0' => byte.is_ascii_digit(),
                other => byte == *other,
            })
    }

    #[test]
    fn a_line_has_a_time_a_category_and_a_text_and_nothing_else() {
        let text = "[FILE-QUEUE] Added: alice12 -> bob23 (test.pdf, 1024 bytes) [1/5]";
        for level in [log::Level::Error, log::Level::Info, log::Level::Debug] {
            let line = logged(log::LevelFilter::Debug, &[("parlor", level, text)]);
            assert!(begins_with_a_time(&line), "{line}");
            assert_eq!(line[22..], format!("{text}\n"));
        }
    }

    #[test]
    fn a_record_is_one_line_whatever_is_in_it() {
        let text = "[ROOM] a\n[2025-05-31 14:02:42] [LOGIN] forged\r\x1b[2J\u{202e}";
        let line = logged(log::LevelFilter::Info, &[("parlor", log::Level::Info, text)]);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.ends_with("forged\\r\\x1b[2J\\u{202e}\n"), "{line}");
    }

    #[test]
    fn other_crates_and_lower_levels_stay_out() {
        let records = [
            ("mio::poll", log::Level::Error, "[A] no"),
            ("parlor_loadtest", log::Level::Error, "[A] no"),
            ("parlor", log::Level::Debug, "[A] no"),
            ("parlor::reactor", log::Level::Info, "[A] yes"),
        ];
        let lines = logged(log::LevelFilter::Info, &records);
        assert_eq!(lines.lines().count(), 1);
        assert!(lines.ends_with("[A] yes\n"));
        assert_eq!(logged(log::LevelFilter::Off, &records), "");
    }
}
