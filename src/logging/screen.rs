//! What happens, for somebody who watches the server at a terminal: the lines of the log.
//!
//! Refuses to know the log's file. The rule it keeps: a terminal that is stopped holds up nobody;
//! lines for which it has no room are left out there, and are in the log all the same.

use super::queue::Noted;
use super::render::Renderer;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::Duration;

/// Batches that wait for the terminal; each is what was logged within some 20 ms.
const WAITING_MAX: usize = 64;
/// How long the end of the log waits for the terminal.
const END: Duration = Duration::from_millis(500);

/// The way to a terminal, which a thread of its own writes to.
#[derive(Debug)]
pub(super) struct LogScreen {
    renderer: Renderer,
    /// Taken at the end, which tells the thread.
    lines: Option<SyncSender<Vec<u8>>>,
    ended: Receiver<()>,
}

impl LogScreen {
    /// Starts the thread.
    pub(super) fn start(
        terminal: impl Write + Send + 'static,
        renderer: Renderer,
    ) -> io::Result<Self> {
        let (lines, waiting) = sync_channel::<Vec<u8>>(WAITING_MAX);
        let (end, ended) = channel();
        let mut terminal = terminal;
        std::thread::Builder::new().name("parlor-screen".into()).spawn(move || {
            let mut write =
                |lines: Vec<u8>| terminal.write_all(&lines).and_then(|()| terminal.flush()).is_ok();
            while waiting.recv().is_ok_and(&mut write) {}
            // Nobody may be there any more to hear it.
            let _ = end.send(());
        })?;
        Ok(Self { renderer, lines: Some(lines), ended })
    }

    /// Shows entries, if the terminal has room for them.
    pub(super) fn show(&mut self, entries: &[Noted]) {
        let mut lines = Vec::new();
        entries.iter().for_each(|entry| self.renderer.add(entry, &mut lines));
        if let Some(to) = self.lines.as_ref().filter(|_| !lines.is_empty()) {
            // Full, or nobody looks any more: both are no reason to wait.
            let _ = to.try_send(lines);
        }
    }
}

impl Drop for LogScreen {
    fn drop(&mut self) {
        self.lines = None;
        let _ = self.ended.recv_timeout(END);
    }
}

#[cfg(test)]
mod tests {
    use super::super::queue::What;
    use super::super::render::LogFormat;
    use super::*;
    use std::sync::mpsc::Sender;
    use std::sync::{Arc, Mutex};
    use time::UtcOffset;

    /// A terminal that writes when it is let, or from the beginning of time.
    struct Terminal {
        leave: Receiver<()>,
        shown: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Terminal {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.leave.recv();
            self.shown.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn screen() -> (LogScreen, Sender<()>, Arc<Mutex<Vec<u8>>>) {
        let (let_go, leave) = channel();
        let shown = Arc::default();
        let terminal = Terminal { leave, shown: Arc::clone(&shown) };
        let renderer = Renderer::new(LogFormat::Line, UtcOffset::UTC);
        (LogScreen::start(terminal, renderer).unwrap(), let_go, shown)
    }

    fn entry(text: &str) -> [Noted; 1] {
        [Noted { at_ms: 0, what: What::Text(text.into()) }]
    }

    #[test]
    fn what_is_logged_is_shown_to_its_end() {
        let (mut screen, let_go, shown) = screen();
        drop(let_go);
        screen.show(&entry("one"));
        screen.show(&entry("two"));
        drop(screen);
        let shown = String::from_utf8(shown.lock().unwrap().clone()).unwrap();
        assert_eq!(shown, "[1970-01-01 00:00:00] one\n[1970-01-01 00:00:00] two\n");
    }

    #[test]
    fn a_terminal_that_is_stopped_holds_up_nobody() {
        let (mut screen, let_go, shown) = screen();
        for _ in 0..10 * WAITING_MAX {
            screen.show(&entry("a line"));
        }
        drop(let_go);
        drop(screen);
        let lines = shown.lock().unwrap().iter().filter(|byte| **byte == b'\n').count();
        assert!((WAITING_MAX..=WAITING_MAX + 1).contains(&lines), "{lines}");
    }
}
