//! `parlor say`, `send`, `get`, `files` and `menu`, and several chats of one user, the real binary
//! against a real server: what they do, print and refuse, and with which exit code.
//!
//! Each command is run to its end in a folder of its own; what it prints is read afterwards.

#![cfg(unix)]

mod bars;
mod beside;
mod errands;
mod gc;
mod guests;
mod interrupts;
mod json;
mod locks;
mod menu;
mod once;
mod refusals;
mod rooms;
mod say;
mod sessions;
mod stores;

#[path = "../scenarios/support/mod.rs"]
#[allow(dead_code, unused_imports)] // the scenarios use all of it
mod support;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::{Server, Text};
use tempfile::TempDir;

const PASSWORD: &str = "open sesame";

/// Somebody who runs commands, in a folder.
struct Person<'a> {
    server: &'a Server,
    name: &'a str,
    password: Option<&'a str>,
    dir: TempDir,
}

/// How a command went.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: Vec<u8>,
    error: String,
}

impl<'a> Person<'a> {
    /// A guest.
    fn guest(server: &'a Server, name: &'a str) -> Self {
        Self { server, name, password: None, dir: tempfile::tempdir().unwrap() }
    }

    /// One whose account is made.
    fn member(server: &'a Server, name: &'a str) -> Self {
        let mut text = Text::connect(server.addr(), name);
        text.type_line(&format!("/register {name} {PASSWORD}"));
        text.lines.expect("* welcome, ");
        text.type_line("/exit");
        text.lines.expect_end();
        Self { password: Some(PASSWORD), ..Self::guest(server, name) }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// `parlor COMMAND ADDR --user NAME ARGS`.
    fn command(&self, command: &str, args: &[&str]) -> Command {
        let mut parlor = parlor(self.dir.path(), &[command, self.server.addr()]);
        parlor.args(["--user", self.name]).args(args);
        parlor.envs(self.password.map(|password| ("PARLOR_PASSWORD", password)));
        parlor
    }

    fn run(&self, command: &str, args: &[&str]) -> Ran {
        Ran::new(&self.command(command, args).output().unwrap())
    }

    /// What it prints, one that goes well.
    #[track_caller]
    fn done(&self, command: &str, args: &[&str]) -> String {
        let ran = self.run(command, args);
        assert_eq!(ran.code, 0, "{command} {args:?}: {ran:?}");
        String::from_utf8(ran.out).unwrap()
    }

    /// What it says, one that ends with this code and prints nothing.
    #[track_caller]
    fn refused(&self, code: i32, command: &str, args: &[&str]) -> String {
        let ran = self.run(command, args);
        assert_eq!((ran.code, &ran.out[..]), (code, &b""[..]), "{command} {args:?}: {ran:?}");
        ran.error
    }

    /// The number of a file that is sent.
    #[track_caller]
    fn sends(&self, args: &[&str]) -> String {
        let printed = self.done("send", args);
        printed.split_once(' ').unwrap().0.to_owned()
    }
}

impl Ran {
    fn new(output: &Output) -> Self {
        let error = String::from_utf8(output.stderr.clone()).unwrap();
        Self { code: output.status.code().unwrap(), out: output.stdout.clone(), error }
    }
}

/// The binary with nothing on its standard input and an empty environment.
fn parlor(dir: &Path, args: &[&str]) -> Command {
    let mut command = support::parlor();
    command.args(args).current_dir(dir);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command to its end with these lines on its standard input.
fn with_input(mut command: Command, lines: &[&str]) -> Ran {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for line in lines {
        writeln!(input, "{line}").unwrap();
    }
    drop(input);
    Ran::new(&child.wait_with_output().unwrap())
}
