//! A bar for each file on its way, at the foot of a terminal.
//!
//! Knows no transfers: it draws the [`Progress`] that it is given. The rule it keeps: what is
//! written above the bars goes through [`Bars::above`], so that no line and no bar is torn.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::progress::Progress;

/// How often bars are drawn at most, a second.
const DRAWN_HZ: u8 = 10;
/// After so long they are drawn anew though nothing came: the time that a file waits continues.
pub(super) const DRAW_AFTER: Duration = Duration::from_millis(250);
/// So often they are shown while there is no rest.
const SHOW_AFTER: Duration = Duration::from_millis(100);
/// Bars that are shown at once; a terminal has few rows.
const BARS_MAX: usize = 12;

/// A row: what is done, and words that end where the terminal does.
const TEMPLATE: &str = "[{bar:20}] {wide_msg}";

/// The bars of one terminal.
#[derive(Debug)]
pub(super) struct Bars {
    screen: MultiProgress,
    /// One a row, from above; which file it shows may change.
    rows: Vec<ProgressBar>,
    shown_at: Option<Instant>,
}

impl Bars {
    /// On standard error, if that is a terminal that can move its cursor.
    pub(super) fn at_terminal() -> Option<Self> {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let shown = std::io::stderr().is_terminal() && !dumb;
        shown.then(|| Self::new(ProgressDrawTarget::stderr_with_hz(DRAWN_HZ)))
    }

    fn new(target: ProgressDrawTarget) -> Self {
        Self { screen: MultiProgress::with_draw_target(target), rows: Vec::new(), shown_at: None }
    }

    /// Whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether it is time to show how far the files are, though more of them is to be done.
    pub(super) fn is_due(&self) -> bool {
        self.shown_at.is_none_or(|at| at.elapsed() >= SHOW_AFTER)
    }

    /// Shows these files and no others.
    pub(super) fn show(&mut self, files: &[Progress]) {
        self.shown_at = Some(Instant::now());
        let count = files.len().min(BARS_MAX);
        for row in self.rows.drain(count.min(self.rows.len())..) {
            row.finish_and_clear();
            self.screen.remove(&row);
        }
        for (row, file) in self.rows.iter().zip(files) {
            row.set_length(length(file));
            row.set_position(position(file));
            row.set_message(file.to_string());
        }
        for file in &files[self.rows.len()..count] {
            let row =
                ProgressBar::new(length(file)).with_style(style()).with_message(file.to_string());
            self.rows.push(self.screen.add(row.with_position(position(file))));
        }
    }

    /// Writes lines above the bars.
    pub(super) fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        if self.rows.is_empty() { write() } else { self.screen.suspend(write) }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.show(&[]);
    }
}

/// A file without content is as full as can be.
fn length(file: &Progress) -> u64 {
    file.total.max(1)
}

fn position(file: &Progress) -> u64 {
    if file.total == 0 { 1 } else { file.done }
}

/// The same for each row at all times: a row whose style changes leaves parts of the former one.
fn style() -> ProgressStyle {
    ProgressStyle::with_template(TEMPLATE)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::progress::{Direction, FileState};

    fn file(name: &str, state: FileState, done: u64) -> Progress {
        let (name, direction) = (name.to_owned(), Direction::Up);
        Progress { transfer: None, name, direction, state, done, total: 200, rate: 0, left: None }
    }

    #[test]
    fn each_file_has_a_row_that_goes_when_it_is_over() {
        let mut bars = Bars::new(ProgressDrawTarget::hidden());
        let queued = FileState::Queued { place: 3, of: 7, since: Duration::from_secs(4) };
        bars.show(&[file("a", FileState::Moving, 50), file("b", queued, 0)]);
        let messages: Vec<String> = bars.rows.iter().map(ProgressBar::message).collect();
        assert_eq!(messages, ["a 25 % of 200 bytes", "b queued 3rd of 7, 4 s"]);
        assert_eq!((bars.rows[0].position(), bars.rows[0].length()), (50, Some(200)));
        bars.show(&[file("b", FileState::Moving, 0)]);
        assert_eq!(bars.rows.len(), 1);
        assert_eq!(bars.rows[0].message(), "b 0 % of 200 bytes");
        bars.show(&[]);
        assert!(bars.is_empty());
    }

    #[test]
    fn there_are_no_more_rows_than_a_terminal_has() {
        let mut bars = Bars::new(ProgressDrawTarget::hidden());
        bars.show(&vec![file("a", FileState::Moving, 50); 100]);
        assert_eq!(bars.rows.len(), BARS_MAX);
    }

    #[test]
    fn the_template_can_be_read() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
