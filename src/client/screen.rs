//! PURE. The lines that wait to be shown.
//!
//! Knows no terminal and words nothing: that is what a face does. The rule it keeps: lines come out
//! in the order in which things were shown.

use std::collections::VecDeque;

use super::face::Face;
use super::view::Show;

/// Lines that wait to be shown.
#[derive(Debug)]
pub(super) struct Screen {
    face: Face,
    lines: VecDeque<String>,
}

impl Screen {
    /// Nothing shown yet.
    pub(super) fn new(face: Face) -> Self {
        Self { face, lines: VecDeque::new() }
    }

    /// Shows something.
    pub(super) fn show(&mut self, show: &Show) {
        self.lines.extend(self.face.lines(show));
    }

    /// The next line, without its end.
    pub(super) fn poll_line(&mut self) -> Option<String> {
        self.lines.pop_front()
    }
}
