//! What the `log` macros say, on its way into the queue.
//!
//! ```text
//! log::info!(..) -> OneLine -> simplelog -> Intake -> Queue
//! ```
//!
//! Refuses to know the time and where lines go. The rules it keeps: a record is one line, whatever
//! is in it; what other crates say stays out.

use super::queue::{Queue, What};
use crate::message::visible;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Most that a line's buffer keeps between lines.
const LINE_KEPT: usize = 64 * 1024;

/// simplelog writes the text and a line feed; this keeps the text to one line, and the other crates
/// out.
pub(super) struct OneLine(Box<simplelog::WriteLogger<Intake>>);

impl OneLine {
    pub(super) fn new(level: log::LevelFilter, queue: Arc<Queue>) -> Self {
        use log::LevelFilter::Off;
        let config = simplelog::ConfigBuilder::new()
            .set_time_level(Off)
            .set_max_level(Off)
            .set_target_level(Off)
            .set_thread_level(Off)
            .set_location_level(Off)
            .build();
        Self(simplelog::WriteLogger::new(level, config, Intake::new(queue)))
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

/// Collects the pieces that simplelog writes; its line feed, the only one, ends the line.
#[derive(Debug)]
pub(super) struct Intake {
    queue: Arc<Queue>,
    line: Vec<u8>,
}

impl Intake {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self { queue, line: Vec::new() }
    }
}

impl io::Write for Intake {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(piece);
        if self.line.ends_with(b"\n") {
            self.line.pop();
            self.queue.push(What::Text(String::from_utf8_lossy(&self.line).into()));
            self.line.clear();
            self.line.shrink_to(LINE_KEPT);
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Log as _;

    fn logged(level: log::LevelFilter, records: &[(&str, log::Level, &str)]) -> Vec<String> {
        let queue = Arc::new(Queue::new(4096));
        let logger = OneLine::new(level, Arc::clone(&queue));
        for (target, level, text) in records {
            let args = format_args!("{text}");
            logger.log(&log::Record::builder().target(target).level(*level).args(args).build());
        }
        queue.texts_now()
    }

    #[test]
    fn a_record_is_its_text_and_nothing_else() {
        let text = "[FILE-QUEUE] Added: alice12 -> bob23 (test.pdf, 1024 bytes) [1/5]";
        for level in [log::Level::Error, log::Level::Info, log::Level::Debug] {
            assert_eq!(logged(log::LevelFilter::Debug, &[("parlor", level, text)]), [text]);
        }
    }

    #[test]
    fn a_record_is_one_line_whatever_is_in_it() {
        let text = "[ROOM] a\n[2025-05-31 14:02:42] [LOGIN] forged\r\x1b[2J\u{202e}";
        let lines = logged(log::LevelFilter::Info, &[("parlor", log::Level::Info, text)]);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with("forged\\r\\x1b[2J\\u{202e}"), "{lines:?}");
        assert!(!lines[0].contains('\n'));
    }

    #[test]
    fn other_crates_and_lower_levels_stay_out() {
        let records = [
            ("mio::poll", log::Level::Error, "[A] no"),
            ("parlor_loadtest", log::Level::Error, "[A] no"),
            ("parlor", log::Level::Debug, "[A] no"),
            ("parlor::reactor", log::Level::Info, "[A] yes"),
        ];
        assert_eq!(logged(log::LevelFilter::Info, &records), ["[A] yes"]);
        assert!(logged(log::LevelFilter::Off, &records).is_empty());
    }
}
