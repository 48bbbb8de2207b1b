//! A server process of its own, with a folder and a port of its own.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::running::{ANYWHERE, Running, parlor};
use super::{Chat, Gate, Lines, Person, Text, Way};

pub(crate) struct Server {
    running: Running,
    lines: Lines,
    addr: String,
    data: PathBuf,
    /// Where the data is, unless the test has a folder of its own for it.
    folder: Option<TempDir>,
}

impl Server {
    /// Starts one that listens on a free port.
    pub(crate) fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self::start_on(folder.path(), options);
        server.folder = Some(folder);
        server
    }

    /// The same in a folder that outlives it.
    pub(crate) fn start_on(data: &Path, options: &[&str]) -> Self {
        let (running, lines, addr) = launch(data, options);
        Self { running, lines, addr, data: data.to_owned(), folder: None }
    }

    /// Kills it as a power cut would, and starts another one on the same data.
    pub(crate) fn kill_and_restart(&mut self, options: &[&str]) {
        self.running.child.kill().unwrap();
        self.running.child.wait().unwrap();
        (self.running, self.lines, self.addr) = launch(&self.data, options);
    }

    /// Does what its owner does with `parlor user`, while it runs.
    pub(crate) fn user(&self, args: &[&str], password: &str) {
        let mut command = parlor();
        command.arg("user").args(args);
        command.env("PARLOR_DATA", &self.data).env("PARLOR_PASSWORD", password);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
    }

    /// Somebody who has just asked for a name with a password.
    pub(crate) fn newcomer_with(&self, way: Way, name: &str, password: &str) -> Person {
        match way {
            Way::Client => {
                let options = ["--user", name];
                Person::Chat(Chat::start_with(&self.addr, &options, Some(password)))
            }
            Way::Lines => {
                let mut text = Text::connect(&self.addr, name);
                text.type_line(&format!("/login {name} {password}"));
                Person::Text(text)
            }
        }
    }

    /// Somebody who has just logged in with a password.
    pub(crate) fn member(&self, way: Way, name: &str, password: &str) -> Person {
        let mut person = self.newcomer_with(way, name, password);
        person.expect(&format!("* welcome, {name}"));
        person
    }

    pub(crate) fn addr(&self) -> &str {
        &self.addr
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Somebody who has just logged in.
    pub(crate) fn person(&self, way: Way, name: &str) -> Person {
        let mut person = self.newcomer(way, name);
        person.expect(&format!("* welcome, {name}"));
        person
    }

    /// Somebody who has just asked for a name, and of whose files no part comes before
    /// [`Person::upload`].
    pub(crate) fn holder(&self, way: Way, name: &str) -> Person {
        match way {
            Way::Lines => self.newcomer(way, name),
            Way::Client => {
                let gate = Gate::to(&self.addr);
                let mut chat = Chat::start(gate.addr(), &["--user", name]);
                chat.gate = Some(gate);
                Person::Chat(chat)
            }
        }
    }

    /// Somebody who has just asked for a name.
    pub(crate) fn newcomer(&self, way: Way, name: &str) -> Person {
        match way {
            Way::Client => Person::Chat(Chat::start(&self.addr, &["--user", name])),
            Way::Lines => {
                let mut text = Text::connect(&self.addr, name);
                text.type_line(&format!("/login {name}"));
                Person::Text(text)
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.running.child), signal).unwrap();
    }

    /// Asks it to stop and reads the whole log.
    pub(crate) fn stop(self) -> Vec<String> {
        self.signal(Signal::INT);
        self.stopped()
    }

    /// Waits for a server that was asked to stop, and reads the whole log. No file that was on its
    /// way and cannot be resumed may be left.
    pub(crate) fn stopped(mut self) -> Vec<String> {
        self.lines.expect("parlor stopped: ");
        self.lines.expect_end();
        assert_eq!(self.running.child.wait().unwrap().code(), Some(0));
        let left = self.files();
        let cannot_go_on = |path: &PathBuf| !path.to_string_lossy().contains('-');
        let left: Vec<_> = left.iter().filter(|path| cannot_go_on(path)).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        let log = std::fs::read_to_string(self.data.join("parlor.log")).unwrap();
        log.lines().map(str::to_owned).collect()
    }

    /// The most memory that it ever had, in bytes.
    pub(crate) fn memory_peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let peak = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        let kib: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }

    /// The files on their way.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.below("temp")
    }

    /// The contents that the server has, each once.
    pub(crate) fn contents(&self) -> Vec<PathBuf> {
        let mut contents = self.below("files");
        // Which store they belong to.
        contents.retain(|path| !path.ends_with(".store"));
        contents
    }

    fn below(&self, folder: &str) -> Vec<PathBuf> {
        let mut folders = vec![self.data.join(folder)];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files.push(path),
                }
            }
        }
        files
    }
}

/// A process on a free port: itself, what it says, and where it listens.
fn launch(data: &Path, options: &[&str]) -> (Running, Lines, String) {
    let mut running = Running::start(parlor(), ANYWHERE, data, options, None);
    let out = Box::new(running.out.take().unwrap());
    let complaints = Box::new(running.child.stderr.take().unwrap());
    let lines = Lines::read("the server", vec![out, complaints]);
    let addr = running.addr.to_string();
    (running, lines, addr)
}
