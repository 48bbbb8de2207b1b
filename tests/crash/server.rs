//! The real server, started again and again on one folder, and killed.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::running::{ANYWHERE, Running};
pub(crate) use crate::running::{PARLOR, parlor};

/// Bounds that are not the subject: who floods is not slowed down, and nobody is turned away.
const NO_BOUNDS: [(&str, &str); 3] =
    [("PARLOR_MESSAGE_RATE", "0"), ("PARLOR_BEFORE_LOGIN", "0"), ("PARLOR_PRESENCE", "0")];

pub(crate) struct Server {
    running: Running,
    stderr: PathBuf,
    pub(crate) addr: SocketAddr,
}

impl Server {
    /// Starts it on `folder`/data.
    pub(crate) fn start(folder: &Path, options: &[&str]) -> Self {
        Self::start_by(parlor(), folder, options)
    }

    /// The same where it is told to listen.
    pub(crate) fn start_at(listen: &str, folder: &Path, options: &[&str]) -> Self {
        Self::launch(parlor(), listen, folder, options)
    }

    /// The same by a command that becomes the server: it is given all arguments.
    pub(crate) fn start_by(command: Command, folder: &Path, options: &[&str]) -> Self {
        Self::launch(command, ANYWHERE, folder, options)
    }

    fn launch(mut command: Command, listen: &str, folder: &Path, options: &[&str]) -> Self {
        let stderr = folder.join("stderr");
        command.envs(NO_BOUNDS);
        let data = folder.join("data");
        let running = Running::start(command, listen, &data, options, Some(&stderr));
        Self { addr: running.addr, running, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Ends it at once, wherever it is: SIGKILL, `kill -9`.
    pub(crate) fn kill(mut self) {
        let child = &mut self.running.child;
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let said = fs::read_to_string(&self.stderr).unwrap();
        assert_eq!(ended, None, "it ended by itself: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}
