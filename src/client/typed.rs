//! Standard input, read by a thread of its own: reading it can block for as long as a person
//! thinks.
//!
//! Knows lines, not commands. The rule it keeps: a line is bounded, few of them wait, and the
//! reader stops while nobody takes them; so a file of any size can be piped in.

use std::io::{self, BufRead, IsTerminal as _, Read as _};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};

use mio::Waker;

use super::view::Unusable;
use crate::message::without_mark;

/// Longest line in bytes. A request writes each of its bytes as two at most (controls, which take
/// six, are refused before), so no line makes a frame that is over the limit.
pub(super) const LINE_MAX: usize = 31 * 1024;
const _: () = assert!(2 * LINE_MAX + 1024 < crate::limits::FRAME_MAX);
/// Longest line in bytes that a terminal hands over while it edits lines itself; of a longer one
/// the system keeps the beginning without a word. Linux: 4,096 with the end of the line. Others
/// have less, and take no more input instead.
const TERMINAL_LINE_MAX: usize = 4094;
/// Lines that wait for the session.
const LINES_MAX: usize = 16;

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// A line, without its end.
    Line(String),
    /// A line that cannot be used, and why.
    Unusable(Unusable),
    /// There will be no more.
    End,
}

/// Starts the thread, for `count` lines. It wakes the poll after each, and ends with standard input
/// or when the other end of the channel is gone. What is typed behind the last line is left to
/// whoever reads next.
pub(super) fn spawn(waker: Arc<Waker>, count: usize) -> io::Result<Receiver<Typed>> {
    let (sender, receiver) = mpsc::sync_channel(LINES_MAX);
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let input = io::stdin().lock();
        let at_terminal = input.is_terminal();
        let mut lines = Lines { input, at_terminal, begun: false };
        let _ = (0..count).all(|_| hand_over(lines.read(), &sender, &waker));
    })?;
    Ok(receiver)
}

/// Answers whether there is more to hand over.
fn hand_over(typed: Typed, to: &SyncSender<Typed>, waker: &Waker) -> bool {
    let more = typed != Typed::End;
    to.send(typed).is_ok() && waker.wake().is_ok() && more
}

/// Standard input, line by line.
struct Lines<I> {
    input: I,
    at_terminal: bool,
    /// The first line has been read.
    begun: bool,
}

impl<I: BufRead> Lines<I> {
    fn read(&mut self) -> Typed {
        let mut line = Vec::new();
        // One byte over the limit tells that the line is too long; a fault of the input is its end.
        let read = (&mut self.input).take(LINE_MAX as u64 + 1).read_until(b'\n', &mut line);
        if read.unwrap_or(0) == 0 {
            return Typed::End;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() > LINE_MAX {
            skip_line(&mut self.input);
            return Typed::Unusable(Unusable::Long);
        } else if self.at_terminal {
            // The key for the end of input, and what stands before it was never sent with ENTER.
            return Typed::End;
        }
        if self.at_terminal && line.len() > TERMINAL_LINE_MAX {
            return Typed::Unusable(Unusable::LongForTerminal);
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        let is_first = !std::mem::replace(&mut self.begun, true);
        match String::from_utf8(line) {
            // A file may begin with a byte order mark.
            Ok(line) if is_first => Typed::Line(without_mark(&line).to_owned()),
            Ok(line) => Typed::Line(line),
            Err(_) => Typed::Unusable(Unusable::NotText),
        }
    }
}

fn skip_line(input: &mut impl BufRead) {
    while let Ok(buffer) = input.fill_buf() {
        let (length, end) = match buffer.iter().position(|&byte| byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        input.consume(length);
        if end {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8], at_terminal: bool) -> Vec<Typed> {
        let mut from = Lines { input, at_terminal, begun: false };
        let mut lines = Vec::new();
        loop {
            lines.push(from.read());
            if lines.last() == Some(&Typed::End) {
                return lines;
            }
        }
    }

    fn all(input: &[u8]) -> Vec<Typed> {
        read(input, false)
    }

    fn line(text: &str) -> Typed {
        Typed::Line(text.to_owned())
    }

    #[test]
    fn lines_come_without_their_ends_and_the_last_needs_none() {
        assert_eq!(all(b"a\r\n\nb"), [line("a"), line(""), line("b"), Typed::End]);
        assert_eq!(all(b""), [Typed::End]);
        assert_eq!(
            all("\u{feff}/a\n\u{feff}b".as_bytes()),
            [line("/a"), line("\u{feff}b"), Typed::End]
        );
    }

    #[test]
    fn of_a_terminal_no_beginning_of_a_line_is_taken_for_the_line() {
        let typed = |length: usize| read(&[&vec![b'x'; length][..], b"\nnext\n"].concat(), true);
        let long = Typed::Unusable(Unusable::LongForTerminal);
        assert_eq!(typed(TERMINAL_LINE_MAX)[0], line(&"x".repeat(TERMINAL_LINE_MAX)));
        assert_eq!(typed(TERMINAL_LINE_MAX + 1), [long, line("next"), Typed::End]);
        assert_eq!(read(b"a\nnot sent", true), [line("a"), Typed::End]);
        assert_eq!(all(b"a\nsent"), [line("a"), line("sent"), Typed::End]);
    }

    #[test]
    fn a_line_that_is_too_long_or_not_text_is_said_and_the_next_one_is_read() {
        for length in [LINE_MAX + 1, 3 * LINE_MAX] {
            let input = [&vec![b'x'; length][..], b"\nnext\n"].concat();
            let lines = all(&input);
            assert!(matches!(lines[0], Typed::Unusable(_)), "{length}");
            assert_eq!(lines[1..], [line("next"), Typed::End], "{length}");
        }
        assert_eq!(all(&[b'x'; LINE_MAX]).len(), 2);
        assert!(matches!(all(b"\xff\nnext")[..], [Typed::Unusable(_), Typed::Line(_), Typed::End]));
    }
}
