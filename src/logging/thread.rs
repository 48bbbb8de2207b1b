//! The thread that owns the log file: it may wait for the disk, so that nobody else does.
//!
//! Refuses to know what the lines say. The rule it keeps: a line that did not reach the file is
//! counted, and the count is written before the next line that does. It writes what waits with as
//! few calls as it can, and holds nothing back: what is idle is flushed.

use super::queue::{Batch, Noted, Queue, What};
use super::render::Renderer;
use super::screen::LogScreen;
use super::sink::Sink;
use crate::facts::TroubleFact;
use std::io::{self, Write};
use std::sync::Arc;

/// Bytes of lines that are written at once.
const WRITE: usize = 64 * 1024;
/// Entries for which there is room while the log is idle.
const IDLE_KEPT: usize = 512;

/// Starts the thread; it ends when the queue is closed and empty.
pub(super) fn start(
    queue: Arc<Queue>,
    sink: impl Sink,
    renderer: Renderer,
    screen: Option<LogScreen>,
) -> io::Result<()> {
    let lines = Vec::new();
    let mut writer = Writer { sink, renderer, screen, lines, lost: 0, torn: false, failing: false };
    std::thread::Builder::new().name("parlor-log".into()).spawn(move || {
        let mut used = Vec::new();
        while let Some(mut batch) = queue.take(used) {
            let lost = writer.write_batch(&mut batch);
            if lost > 0 {
                queue.lost(lost);
            }
            used = batch.entries;
            used.shrink_to(IDLE_KEPT);
        }
        drop(writer);
        queue.end();
    })?;
    Ok(())
}

struct Writer<S> {
    sink: S,
    renderer: Renderer,
    /// Where somebody watches, if anybody does.
    screen: Option<LogScreen>,
    /// What is being written.
    lines: Vec<u8>,
    /// Lines that are missing in the file and not yet reported there.
    lost: u64,
    /// The file ends within a line.
    torn: bool,
    /// The last write failed, and standard error was told.
    failing: bool,
}

impl<S: Sink> Writer<S> {
    /// Writes what it can, and empties the batch; returns how many of its lines were lost.
    fn write_batch(&mut self, batch: &mut Batch) -> u64 {
        if batch.reopen {
            let reopened = self.sink.reopen();
            self.torn &= reopened.is_err();
            self.note(reopened);
        }
        self.write_notice();
        let lost = self.write_entries(&mut batch.entries);
        self.lost += lost + batch.gap;
        if lost == 0 {
            self.write_notice();
        }
        lost
    }

    /// Tells the file how many lines it lacks, if any; tried again later if that fails, too.
    fn write_notice(&mut self) {
        if self.lost == 0 {
            return;
        }
        let fact = TroubleFact::LinesDropped { lines: self.lost };
        self.renderer.add(&Noted::now(What::Fact(fact.into())), &mut self.lines);
        if self.flush() == 0 {
            self.lost = 0;
        }
    }

    /// Writes the lines of entries; once a write has failed, what is left is lost without being
    /// made into lines. Returns how many lines were.
    fn write_entries(&mut self, entries: &mut Vec<Noted>) -> u64 {
        if let Some(screen) = &mut self.screen {
            screen.show(entries);
        }
        let mut entries = entries.drain(..);
        while let Some(entry) = entries.next() {
            self.renderer.add(&entry, &mut self.lines);
            if self.lines.len() >= WRITE || entries.len() == 0 {
                let lost = self.flush();
                if lost > 0 {
                    return lost + entries.len() as u64;
                }
            }
        }
        0
    }

    /// Writes the lines that are ready; returns how many did not get into the file whole.
    fn flush(&mut self) -> u64 {
        let mut lines = std::mem::take(&mut self.lines);
        let lost = self.write_lines(&lines);
        lines.clear();
        lines.shrink_to(2 * WRITE);
        self.lines = lines;
        lost
    }

    fn write_lines(&mut self, lines: &[u8]) -> u64 {
        let mut written = 0;
        let result = self.end_torn_line().and_then(|()| {
            while written < lines.len() {
                match self.sink.write(&lines[written..]) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => written += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            self.sink.flush()
        });
        if written > 0 {
            self.torn = lines[written - 1] != b'\n';
        }
        self.note(result);
        lines[written..].iter().filter(|byte| **byte == b'\n').count() as u64
    }

    fn end_torn_line(&mut self) -> io::Result<()> {
        if self.torn {
            self.sink.write_all(b"\n")?;
            self.torn = false;
        }
        Ok(())
    }

    /// Tells standard error of a failure once, until something succeeds.
    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = &result
            && !self.failing
        {
            let _ = writeln!(io::stderr(), "parlor: the log cannot be written: {error}");
        }
        self.failing = result.is_err();
    }
}

#[cfg(test)]
#[path = "thread_tests.rs"]
mod tests;
