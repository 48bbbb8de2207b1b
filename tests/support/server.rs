//! One start of the real server: the binary as a child process that has said where it listens.
//!
//! Knows no protocol and no test: who starts it says with which environment, on which folder and
//! with which options. The rule it keeps: a start waits for the whole banner, a server that does
//! not come up fails the test with what it said, and no server outlives the value.
#![allow(dead_code)] // each test uses some of it

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// The binary under test.
pub(crate) const PARLOR: &str = env!("CARGO_BIN_EXE_parlor");
/// Any free port.
pub(crate) const ANYWHERE: &str = "127.0.0.1:0";

/// The binary, with nothing of our own environment, and with nothing to read.
pub(crate) fn parlor() -> Command {
    let mut command = Command::new(PARLOR);
    command.env_clear().stdin(Stdio::null());
    command
}

/// A server that listens. It is killed when it is dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) addr: SocketAddr,
    /// What it says after the banner. Kept open: it writes its last report there.
    pub(crate) out: Option<BufReader<ChildStdout>>,
}

impl Running {
    /// Starts one by a command that is, or becomes, the binary; its complaints go to a file, or
    /// into a pipe.
    pub(crate) fn start(
        mut command: Command,
        listen: &str,
        data: &Path,
        options: &[impl AsRef<str>],
        complaints: Option<&Path>,
    ) -> Self {
        let stderr = complaints.map_or(Stdio::piped(), |path| File::create(path).unwrap().into());
        let listen = format!("--listen={listen}");
        command.args(["serve", &listen, "--data"]).arg(data);
        command.args(options.iter().map(AsRef::as_ref));
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("connect:") {
            if out.read_line(&mut banner).unwrap() == 0 {
                let said = said(&mut child, complaints);
                panic!("the server did not start: {banner}{said}");
            }
        }
        let (_, rest) = banner.split_once("listens on ").unwrap();
        // Of several places the last one with a port: an option of the test stands behind ours.
        let places = rest.lines().next().unwrap();
        let addr = places.rsplit(", ").find_map(|place| place.parse().ok()).unwrap();
        Self { child, addr, out: Some(out) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The complaints of one that has closed its output.
fn said(child: &mut Child, complaints: Option<&Path>) -> String {
    let mut text = String::new();
    match (complaints, &mut child.stderr) {
        (Some(path), _) => text = fs::read_to_string(path).unwrap_or_default(),
        (None, Some(pipe)) => drop(pipe.read_to_string(&mut text)),
        (None, None) => {}
    }
    text
}
