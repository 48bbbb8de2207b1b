//! The line that shows how far a run has come. Only when somebody looks: standard error must be a
//! terminal; otherwise it costs one comparison a turn.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(200);

/// A line that is written over again and again, and wiped when it is dropped.
pub(crate) struct Progress {
    what: &'static str,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// About this.
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, shown: None, terminal: io::stderr().is_terminal() }
    }

    /// Shows the line, unless it was shown a moment ago.
    pub(crate) fn show(&mut self, line: impl FnOnce() -> String) {
        if !self.terminal || self.shown.is_some_and(|shown| shown.elapsed() < EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        // A terminal that has ended must not end the run.
        let _ = write!(io::stderr(), "\r\x1b[K{}  {}", self.what, line());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
