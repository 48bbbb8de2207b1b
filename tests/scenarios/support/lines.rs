//! Lines that somebody is shown, read by threads and waited for with a deadline.
//!
//! The rule it keeps: each line is taken at most once, so that what is expected twice must have
//! come twice; and no line, whoever caused it, holds a character that a terminal would obey.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How long anything may take that a scenario waits for.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Lines {
    whose: String,
    incoming: Receiver<String>,
    seen: Vec<Line>,
}

struct Line {
    text: String,
    taken: bool,
}

impl Lines {
    /// Reads all `sources` at once, each by a thread that ends with it.
    pub(crate) fn read(whose: &str, sources: Vec<Box<dyn Read + Send>>) -> Self {
        let (sender, incoming) = channel();
        for source in sources {
            let sender = sender.clone();
            std::thread::spawn(move || hand_over(source, &sender));
        }
        Self { whose: whose.to_owned(), incoming, seen: Vec::new() }
    }

    /// Takes the first line that contains `what` and was not taken before; waits for it if need be.
    pub(crate) fn expect(&mut self, what: &str) -> String {
        self.expect_any(&[what])
    }

    /// The same with several that would do.
    pub(crate) fn expect_any(&mut self, what: &[&str]) -> String {
        let until = Instant::now() + DEADLINE;
        let fits = |line: &Line| !line.taken && what.iter().any(|what| line.text.contains(what));
        let mut from = 0;
        loop {
            if let Some(line) = self.seen[from..].iter_mut().find(|line| fits(line)) {
                line.taken = true;
                return line.text.clone();
            }
            from = self.seen.len();
            match self.incoming.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(text) => self.keep(text),
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("no line with {what:?}")),
                Err(RecvTimeoutError::Disconnected) => {
                    self.fail(&format!("the end instead of a line with {what:?}"))
                }
            }
        }
    }

    /// Reads to the end.
    pub(crate) fn expect_end(&mut self) {
        let until = Instant::now() + DEADLINE;
        loop {
            match self.incoming.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(text) => self.keep(text),
                Err(RecvTimeoutError::Timeout) => self.fail("no end"),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// All lines so far that contain `what`, taken or not, in their order.
    pub(crate) fn all(&self, what: &str) -> Vec<&str> {
        let texts = self.seen.iter().map(|line| line.text.as_str());
        texts.filter(|text| text.contains(what)).collect()
    }

    fn keep(&mut self, text: String) {
        let obeyed = text.chars().any(|c| c.is_control() || c == '\u{202e}');
        assert!(!obeyed, "{} is shown {text:?}", self.whose);
        self.seen.push(Line { text, taken: false });
    }

    /// With the last lines that were seen; `-` before those that were taken.
    fn fail(&self, why: &str) -> ! {
        let shown = self.seen.iter().rev().take(60).rev();
        let shown =
            shown.map(|line| format!("\n {} {}", if line.taken { '-' } else { '+' }, line.text));
        panic!("{}: {why}; seen:{}", self.whose, shown.collect::<String>())
    }
}

fn hand_over(source: Box<dyn Read + Send>, to: &Sender<String>) {
    let mut source = BufReader::new(source);
    let mut line = Vec::new();
    // A terminal ends with an error when its last process does, and a reset socket as well.
    while source.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        let text = String::from_utf8_lossy(&line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if to.send(text.to_owned()).is_err() {
            return;
        }
        line.clear();
    }
}
