//! I/O. What Windows has otherwise than Unix.

use super::{Duration, File, OpenOptions, Path, PathBuf, Signal, Trouble, io};
use mio::{Registry, Token};
use socket2::Socket;

/// Descriptors where nobody counts them: more than anybody will need.
const HANDLES: u64 = 1 << 20;

/// No signals here: Ctrl-C ends the process at once, as the system does by itself.
#[derive(Debug)]
pub struct Signals;

impl Signals {
    /// Registers nothing.
    ///
    /// # Errors
    /// None.
    pub fn new(_: &Registry, _: Token) -> io::Result<Self> {
        Ok(Self)
    }

    /// Registers nothing.
    ///
    /// # Errors
    /// None.
    pub fn ending(_: &Registry, _: Token) -> io::Result<Self> {
        Ok(Self)
    }

    /// Nothing ever comes.
    pub fn pending(&mut self) -> Vec<Signal> {
        Vec::new()
    }
}

/// There is no limit to raise.
#[must_use]
pub fn raise_descriptor_limit() -> u64 {
    HANDLES
}

/// Not told here.
#[must_use]
pub fn thread_cpu() -> Option<Duration> {
    None
}

/// Makes a folder and those above it; the user's own folders are private by inheritance.
///
/// # Errors
/// Those of the system.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

/// There is none here.
#[derive(Debug)]
pub struct Hidden(());

/// Cannot be done without `unsafe`.
///
/// # Errors
/// Always `Unsupported`.
pub fn hide_input() -> io::Result<Hidden> {
    let text = "what is typed cannot be hidden here; set PARLOR_PASSWORD";
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

pub(super) fn take_keyboard() -> io::Result<Hidden> {
    hide_input()
}

pub(super) fn keyboard() -> impl io::Read {
    io::stdin()
}

/// Nothing to wait for: names are on the disk with what they name.
///
/// # Errors
/// None.
pub fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Left to the system's own patience.
///
/// # Errors
/// None.
pub fn limit_unconfirmed(_: &Socket, _: Duration) -> io::Result<()> {
    Ok(())
}

/// Threads cannot be told apart without `unsafe` here.
pub fn lower_thread_priority() {}

/// A handle to give up when there are no others.
///
/// # Errors
/// Those of the system.
pub fn open_reserve() -> io::Result<File> {
    File::open("NUL")
}

pub(super) fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

pub(super) fn data_home(folder: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    folder("LOCALAPPDATA")
}

pub(super) fn trouble(_: &io::Error) -> Option<Trouble> {
    None
}
