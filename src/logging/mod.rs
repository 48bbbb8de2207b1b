//! I/O. The audit log: one fact, one line, in a file.
//!
//! ```text
//! [2025-05-31 14:02:42] [FILE-QUEUE] Added: alice12 -> bob23 (test.pdf, 1024 bytes) [1/5]
//! ```
//!
//! ```text
//! note(fact) ------------------------------> Queue ==> thread: Renderer -> file, LogScreen
//! log::info!(..) -> OneLine -> simplelog ----^
//!        `- the caller's thread, memory only -'
//! ```
//!
//! Facts, of which there is one for each message, go into the queue as they are: to make a line of
//! one takes as long as the hub takes for all that the line tells of, and the log's thread has the
//! time. Lines of the `log` macros look the same.
//!
//! Refuses to know why things happen. The rules it keeps: nobody who logs ever waits for
//! the disk; a fact is exactly one line, whatever is in it; a line that could not be kept is
//! counted, and the count is in the log as soon as the disk can follow again.

mod json;
mod line;
mod macros;
mod queue;
mod render;
mod screen;
mod sink;
mod thread;

use crate::facts::{Fact, Level};
use crate::limits::{LOG_BYTES_MAX, LOG_CLOSE};
pub use line::Words;
use macros::OneLine;
use queue::{Queue, What};
pub use render::LogFormat;
use render::Renderer;
use screen::LogScreen;
use sink::LogFile;
pub(crate) use sink::STANDARD_ERROR;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use time::UtcOffset;

/// The process's log; there is one, as there is one `log`.
static AUDIT: OnceLock<Audit> = OnceLock::new();

/// The open log. Dropped, it writes out what waits, for `LOG_CLOSE` at most; also when a panic
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
    pub fn open(path: &Path, level: log::LevelFilter, format: LogFormat) -> io::Result<Self> {
        Self::open_and_show(path, level, format, false)
    }

    /// The same, where `-` is standard error; if `is_watched`, its lines go to standard output
    /// as well.
    ///
    /// # Errors
    /// Those of [`Log::open`].
    pub(crate) fn open_and_show(
        path: &Path,
        level: log::LevelFilter,
        format: LogFormat,
        is_watched: bool,
    ) -> io::Result<Self> {
        let offset = UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC);
        let queue = Arc::new(Queue::new(LOG_BYTES_MAX));
        let file = LogFile::open(path)?;
        let lines = Renderer::new(LogFormat::Line, offset);
        let screen = is_watched.then(|| LogScreen::start(io::stdout(), lines)).transpose()?;
        thread::start(Arc::clone(&queue), file, Renderer::new(format, offset), screen)?;
        let logger = OneLine::new(level, Arc::clone(&queue));
        log::set_boxed_logger(Box::new(logger)).map_err(io::Error::other)?;
        log::set_max_level(level);
        // A second `open` has failed above, so the place is free.
        AUDIT.get_or_init(|| Audit { level, queue: Arc::clone(&queue) });
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
pub fn note(fact: Fact) {
    if let Some(audit) = AUDIT.get() {
        audit.note(fact);
    }
}

/// Asks for the file to be opened anew by its name, after somebody renamed it; returns at once.
pub fn reopen() {
    if let Some(audit) = AUDIT.get() {
        audit.queue.reopen();
    }
}

/// Lines that were dropped since the start, because the disk did not follow or failed.
#[must_use]
pub fn dropped() -> u64 {
    AUDIT.get().map_or(0, |audit| audit.queue.dropped())
}

/// Where facts go, and down to which level.
#[derive(Debug)]
struct Audit {
    level: log::LevelFilter,
    queue: Arc<Queue>,
}

impl Audit {
    /// Keeps a fact, if the log is kept down to its level.
    fn note(&self, fact: Fact) {
        let level = match fact.level() {
            Level::Error => log::Level::Error,
            Level::Info => log::Level::Info,
            Level::Debug => log::Level::Debug,
        };
        if level <= self.level {
            self.queue.push(What::Fact(fact));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{TalkFact, TroubleFact};
    use crate::message::{Text, UserName};

    #[test]
    fn what_the_log_is_not_kept_down_to_stays_out() {
        let queue = Arc::new(Queue::new(4096));
        let audit = Audit { level: log::LevelFilter::Info, queue: Arc::clone(&queue) };
        let from = UserName::parse("alice").unwrap();
        let text = Text::parse("the body".into(), 100).unwrap();
        audit.note(TalkFact::BroadcastText { from, text }.into());
        audit.note(TroubleFact::WorkerTrouble { why: "the disk".to_owned() }.into());
        assert_eq!(queue.texts_now(), ["the disk"]);
    }
}
