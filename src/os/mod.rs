//! I/O. All that differs between Linux and other systems: where data lives, how many descriptors
//! there are, which errors of a socket mean what, signals, and files that only their owner reads.
//!
//! Refuses to know what any of it is used for. The rule it keeps: nothing outside this room asks
//! which system it runs on.
//!
//! SIGPIPE has no place here: the standard library ignores it from the start of `main`, so a write
//! to a peer that is gone is an error and not the end of the process.

mod lock;
mod memory;
mod stream;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

pub(crate) use lock::FolderLock;
pub(crate) use memory::MemoryUse;
pub use platform::raise_descriptor_limit;
pub(crate) use platform::{
    DATA_DIR_IN_WORDS, Hidden, LocalListener, Signals, begin_write_back, connect_local,
    create_private_dir, free_bytes, has_other_names, hide_input, is_at, is_private_dir,
    limit_unconfirmed, lower_thread_priority, open_reserve, sync_dir, thread_cpu,
};
pub(crate) use stream::ByteStream;

/// Whether a listening socket asks for an address that closed connections still hold. Elsewhere
/// than on Unix the same option would let another program take the address over.
pub(crate) const REUSE_ADDRESS: bool = cfg!(unix);

/// Whether signals come with the poller's waker, and not as events of their own.
pub(crate) const SIGNALS_BY_WAKER: bool = cfg!(windows);

/// Whether a read that brings less than was asked for has emptied the socket, so that asking again
/// is spared. epoll(7) says so of streams and edges; docs/decisions/0012 has the conditions.
pub(crate) const SHORT_READ_EMPTIES: bool = cfg!(target_os = "linux");

/// What a connection is registered for, besides writing: bytes, and where the poller tells them,
/// urgent ones, at which a read stops short of what stands behind them.
#[cfg(target_os = "linux")]
pub(crate) const READ_INTEREST: mio::Interest =
    mio::Interest::READABLE.add(mio::Interest::PRIORITY);
/// What a connection is registered for, besides writing.
#[cfg(not(target_os = "linux"))]
pub(crate) const READ_INTEREST: mio::Interest = mio::Interest::READABLE;

/// What an error of accept, read or write asks of the one who met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing to do now; an event will come when there is.
    Again,
    /// A signal came in between: make the same call again.
    Retry,
    /// Only this one connection is lost: accept takes the next, a connection is closed.
    Skip,
    /// The process or the system is out of descriptors or memory: rest, then try again.
    Exhausted,
    /// Nothing more will come of this socket.
    Broken,
}

impl Trouble {
    /// Sorts an error by its number or, if the system did not make it, by its kind.
    ///
    /// accept(2) on Linux hands out network errors that are pending on the new connection and asks
    /// for them to be treated "like `EAGAIN` by retrying"; those are `Skip`.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "the kinds are not ours")]
    pub(crate) fn of(error: &io::Error) -> Self {
        platform::trouble(error).unwrap_or_else(|| match error.kind() {
            io::ErrorKind::WouldBlock => Self::Again,
            io::ErrorKind::Interrupted => Self::Retry,
            io::ErrorKind::ConnectionAborted => Self::Skip,
            io::ErrorKind::OutOfMemory => Self::Exhausted,
            _ => Self::Broken,
        })
    }
}

/// What somebody outside asks of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGINT or SIGTERM, Ctrl-C: end in good order; a second one: end at once.
    Stop,
    /// SIGUSR1: write the counts into the log.
    #[cfg_attr(windows, expect(dead_code, reason = "no such signal there"))]
    Report,
    /// SIGHUP: the log was renamed, open it anew.
    #[cfg_attr(windows, expect(dead_code, reason = "no such signal there"))]
    Reopen,
}

/// Where a server keeps its data when nobody says: a folder of the user, or `parlor-data` beside
/// wherever it was started. `variable` reads the environment.
#[must_use]
pub(crate) fn default_data_dir(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let folder = |name: &str| absolute(variable(name));
    platform::data_home(folder).map_or_else(|| "parlor-data".into(), |home| home.join("parlor"))
}

/// Where programs of one user leave each other what is of use while they run; `None` where the user
/// has no folder for that. `variable` reads the environment.
#[must_use]
pub(crate) fn run_dir(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    platform::run_dir(|name| absolute(variable(name)))
}

/// The XDG base directory specification: "all paths must be absolute", others are ignored.
fn absolute(path: Option<OsString>) -> Option<PathBuf> {
    path.map(PathBuf::from).filter(|path| path.is_absolute())
}

/// What this machine is called, if it says.
#[must_use]
pub(crate) fn host_name() -> Option<String> {
    platform::host_name().filter(|name| !name.is_empty())
}

/// Makes a folder that nobody else may enter, unless it is there and nobody may.
///
/// # Errors
/// Those of the system, and that others may enter the one that is there.
pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
    create_private_dir(path)?;
    let open = "others may look into this folder; chmod 700 it";
    if is_private_dir(path) { Ok(()) } else { Err(io::Error::other(open)) }
}

/// Opens a file for appending, made for its owner only if it is new.
///
/// Reading is asked for as well: a named pipe without a reader then opens at once, instead of
/// holding up whoever opens it until somebody reads.
///
/// # Errors
/// Those of the system.
pub(crate) fn open_append(path: &Path) -> io::Result<File> {
    platform::owner_only(OpenOptions::new().read(true).append(true).create(true)).open(path)
}

/// Makes a new file for its owner only, to write and to read.
///
/// # Errors
/// Those of the system; `AlreadyExists` if there is such a file.
pub(crate) fn create_private_file(path: &Path) -> io::Result<File> {
    platform::owner_only(OpenOptions::new().read(true).write(true).create_new(true)).open(path)
}

/// Opens a file that is there, to read and, if `write`, to write: nothing but a regular file, and
/// never one that a link at this path points to.
///
/// # Errors
/// Those of the system; `InvalidInput`, or what the system says of a link, if it is something else.
pub(crate) fn open_regular(path: &Path, write: bool) -> io::Result<File> {
    let file = platform::open_no_link(OpenOptions::new().read(true).write(write), path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_regular()) }
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")
}

/// Fills `bytes` from the system's source of secrets.
///
/// # Errors
/// Those of the system.
pub(crate) fn random(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|error| io::Error::other(error.to_string()))
}

/// Longest line that is read without echo, in bytes; far beyond any password.
const SECRET_MAX: usize = 4096;

/// Asks on standard error for a line that nobody shall see, and reads it from the terminal that
/// standard input is. Ctrl-C is an error like any other, so that the terminal is left as it was.
///
/// # Errors
/// `Interrupted` for Ctrl-C, `UnexpectedEof` for Ctrl-D, `Unsupported` where input cannot be
/// hidden or is no terminal, and those of the system.
pub(crate) fn read_secret(prompt: &str) -> io::Result<String> {
    if !io::stdin().is_terminal() {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "there is no terminal to ask at"));
    }
    // Hidden before anybody is asked, so that nothing typed in answer is ever seen.
    let hidden = platform::take_keyboard()?;
    let mut screen = io::stderr();
    let _ = write!(screen, "{prompt}").and_then(|()| screen.flush());
    let line = hidden_line(platform::keyboard());
    drop(hidden);
    let _ = writeln!(screen);
    line
}

/// A line from a keyboard whose every key comes as it is pressed.
fn hidden_line(mut keys: impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    let mut key = [0];
    loop {
        match keys.read(&mut key) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        match key[0] {
            b'\r' | b'\n' => break,
            3 => return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted")),
            4 if line.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            // Backspace takes a whole character back.
            8 | 127 => while line.pop().is_some_and(|byte: u8| byte & 0xc0 == 0x80) {},
            // Ctrl-U: all of it.
            21 => line.clear(),
            byte => line.push(byte),
        }
        if line.len() > SECRET_MAX {
            return Err(io::Error::other("that line is too long"));
        }
    }
    String::from_utf8(line).map_err(|_| io::Error::other("that is not UTF-8"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
