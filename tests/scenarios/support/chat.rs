//! `parlor chat` behind pipes, in a folder of its own.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Gate, Lines, parlor};

pub(crate) struct Chat {
    child: Child,
    input: Option<ChildStdin>,
    pub(crate) lines: Lines,
    dir: TempDir,
    /// Where the parts of files wait that it sends.
    pub(crate) gate: Option<Gate>,
}

impl Chat {
    /// One that ends with its connection, unless the options say for how long to come back.
    pub(crate) fn start(addr: &str, options: &[&str]) -> Self {
        Self::start_with(addr, options, None)
    }

    /// One that was given a password in its environment.
    pub(crate) fn start_with(addr: &str, options: &[&str], password: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let comes_back = options.contains(&"--reconnect-for");
        let ends = if comes_back { None } else { Some("--no-reconnect") };
        let mut child = parlor()
            .args(["chat", addr])
            .args(options)
            .args(ends)
            .envs(password.map(|password| ("PARLOR_PASSWORD", password)))
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = Box::new(child.stdout.take().unwrap());
        let error = Box::new(child.stderr.take().unwrap());
        let lines = Lines::read(&options.join(" "), vec![out, error]);
        Self { input: child.stdin.take(), child, lines, dir, gate: None }
    }

    /// Its folder: where it stands, and where it saves what is accepted by hand.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("its input is open");
        input.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Nothing more will be typed.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it without a goodbye.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        if let Some(gate) = &self.gate {
            gate.cut();
        }
        self.child.wait().unwrap();
    }

    /// Reads to its end; answers with its exit code.
    pub(crate) fn expect_exit(&mut self) -> Option<i32> {
        self.lines.expect_end();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
