//! Standard input, read by a thread of its own: reading it can block for as long as a person
//! thinks.
//!
//! Knows lines, not commands. The rule it keeps: a line is bounded, few of them wait, and the
//! reader stops while nobody takes them; so a file of any size can be piped in.

use std::io::{self, BufRead, Read as _};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};

use mio::Waker;

use super::view::Unusable;

/// Longest line in bytes. A request writes each of its bytes as two at most (controls, which take
/// six, are refused before), so no line makes a frame that is over the limit.
pub(super) const LINE_MAX: usize = 31 * 1024;
const _: () = assert!(2 * LINE_MAX + 1024 < crate::limits::FRAME_MAX);
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
        let mut input = io::stdin().lock();
        let _ = (0..count).all(|_| hand_over(read_line(&mut input), &sender, &waker));
    })?;
    Ok(receiver)
}

/// Answers whether there is more to hand over.
fn hand_over(typed: Typed, to: &SyncSender<Typed>, waker: &Waker) -> bool {
    let more = typed != Typed::End;
    to.send(typed).is_ok() && waker.wake().is_ok() && more
}

fn read_line(input: &mut impl BufRead) -> Typed {
    let mut line = Vec::new();
    // One byte over the limit tells that the line is too long; a fault of the input is its end.
    let read = input.by_ref().take(LINE_MAX as u64 + 1).read_until(b'\n', &mut line);
    if read.unwrap_or(0) == 0 {
        return Typed::End;
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > LINE_MAX {
        skip_line(input);
        return Typed::Unusable(Unusable::Long);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    match String::from_utf8(line) {
        Ok(line) => Typed::Line(line),
        Err(_) => Typed::Unusable(Unusable::NotText),
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

    fn all(mut input: &[u8]) -> Vec<Typed> {
        let mut lines = Vec::new();
        loop {
            lines.push(read_line(&mut input));
            if lines.last() == Some(&Typed::End) {
                return lines;
            }
        }
    }

    fn line(text: &str) -> Typed {
        Typed::Line(text.to_owned())
    }

    #[test]
    fn lines_come_without_their_ends_and_the_last_needs_none() {
        assert_eq!(all(b"a\r\n\nb"), [line("a"), line(""), line("b"), Typed::End]);
        assert_eq!(all(b""), [Typed::End]);
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
