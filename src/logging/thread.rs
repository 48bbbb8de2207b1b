//! The thread that owns the log file: it may wait for the disk, so that nobody else does.
//!
//! Refuses to know what the lines say. The rule it keeps: a line that did not reach the file is
//! counted, and the count is written before the next line that does. It writes all that waits with
//! one call, and holds nothing back: what is idle is flushed.

use super::TIME;
use super::queue::{Batch, Queue};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use time::{OffsetDateTime, UtcOffset};

/// Room that the buffer keeps while the log is idle.
const IDLE_KEPT: usize = 64 * 1024;

/// Where lines go; a file, and in tests whatever can block or fail.
pub(super) trait Sink: Write + Send + 'static {
    /// Opens the same name again.
    fn reopen(&mut self) -> io::Result<()>;
}

/// A file that can be renamed away under us.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: crate::os::open_append(path)? })
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Sink for LogFile {
    fn reopen(&mut self) -> io::Result<()> {
        self.file = crate::os::open_append(&self.path).map_err(|error| {
            io::Error::other(format!("{} cannot be opened anew: {error}", self.path.display()))
        })?;
        Ok(())
    }
}

/// Starts the thread; it ends when the queue is closed and empty.
pub(super) fn start(queue: Arc<Queue>, sink: impl Sink, offset: UtcOffset) -> io::Result<()> {
    let mut writer = Writer { sink, offset, lost: 0, torn: false, failing: false };
    std::thread::Builder::new().name("parlor-log".into()).spawn(move || {
        let mut used = Vec::new();
        while let Some(batch) = queue.take(used) {
            let lost = writer.write_batch(&batch);
            if lost > 0 {
                queue.lost(lost);
            }
            used = batch.lines;
            used.clear();
            used.shrink_to(IDLE_KEPT);
        }
        queue.end();
    })?;
    Ok(())
}

struct Writer<S> {
    sink: S,
    offset: UtcOffset,
    /// Lines that are missing in the file and not yet reported there.
    lost: u64,
    /// The file ends within a line.
    torn: bool,
    /// The last write failed, and standard error was told.
    failing: bool,
}

impl<S: Sink> Writer<S> {
    /// Writes what it can; returns how many of the batch's lines were lost.
    fn write_batch(&mut self, batch: &Batch) -> u64 {
        if batch.reopen {
            let reopened = self.sink.reopen();
            self.torn &= reopened.is_err();
            self.note(reopened);
        }
        self.write_notice();
        let lost = self.write_lines(&batch.lines);
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
        let time = OffsetDateTime::now_utc().to_offset(self.offset);
        let time = time.format(TIME).unwrap_or_default();
        let lost = self.lost;
        let line =
            format!("{time} [ERROR] {lost} log lines were dropped: the disk could not follow\n");
        if self.write_lines(line.as_bytes()) == 0 {
            self.lost = 0;
        }
    }

    /// Writes whole lines; returns how many did not get into the file whole.
    fn write_lines(&mut self, lines: &[u8]) -> u64 {
        if lines.is_empty() {
            return 0;
        }
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
