//! The real server, started again and again on one folder, and killed.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

pub(crate) const PARLOR: &str = env!("CARGO_BIN_EXE_parlor");

/// Bounds that are not the subject: who floods is not slowed down, and nobody is turned away.
const NO_BOUNDS: [(&str, &str); 3] =
    [("PARLOR_MESSAGE_RATE", "0"), ("PARLOR_BEFORE_LOGIN", "0"), ("PARLOR_PRESENCE", "0")];

pub(crate) struct Server {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    stderr: PathBuf,
    pub(crate) addr: SocketAddr,
}

impl Server {
    /// Starts it on `folder`/data.
    pub(crate) fn start(folder: &Path, options: &[&str]) -> Self {
        let mut command = Command::new(PARLOR);
        command.env_clear();
        Self::start_by(command, folder, options)
    }

    /// The same where it is told to listen: `--listen=ADDRESS`.
    pub(crate) fn start_at(listen: &str, folder: &Path, options: &[&str]) -> Self {
        let mut command = Command::new(PARLOR);
        command.env_clear();
        Self::launch(command, listen, folder, options)
    }

    /// The same by a command that becomes the server: it is given all arguments.
    pub(crate) fn start_by(command: Command, folder: &Path, options: &[&str]) -> Self {
        Self::launch(command, "--listen=127.0.0.1:0", folder, options)
    }

    fn launch(mut command: Command, listen: &str, folder: &Path, options: &[&str]) -> Self {
        let stderr = folder.join("stderr");
        let mut child = command
            .args(["serve", listen, "--data"])
            .arg(folder.join("data"))
            .args(options)
            .envs(NO_BOUNDS)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("connect:") {
            let read = stdout.read_line(&mut banner).unwrap();
            let said = fs::read_to_string(&stderr).unwrap();
            assert!(read > 0, "the server did not start: {banner}{said}");
        }
        let (_, rest) = banner.split_once("listens on ").unwrap();
        let addr = rest.lines().next().unwrap().parse().unwrap();
        Self { child, _stdout: stdout, stderr, addr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, wherever it is: SIGKILL, `kill -9`.
    pub(crate) fn kill(mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None, "it ended by itself: {}", self.said());
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        assert!(!self.said().contains("panicked"), "{}", self.said());
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
