//! I/O. What Windows has otherwise than Unix.
//!
//! The rule it keeps: it offers the same names as its twin for Unix. What Windows does not have, or
//! not without `unsafe`, says so and does nothing; what would be unsafe to leave out is an error.

use super::{Arc, ByteStream, Duration, File, OpenOptions, Path, PathBuf, Signal, Trouble, io};
use mio::event::Source;
use mio::{Interest, Registry, Token, Waker};
use socket2::Socket;
use std::os::windows::fs::OpenOptionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use winapi_util::{HandleRef, console};

/// Where a server keeps its data when nobody says, for people.
pub(crate) const DATA_DIR_IN_WORDS: &str = "%LOCALAPPDATA%\\parlor";

/// Descriptors where nobody counts them: more than anybody will need.
const HANDLES: u64 = 1 << 20;

/// The exit code of a program that Ctrl-C ended at once, as it is elsewhere: 128 and SIGINT.
const INTERRUPTED: i32 = 130;

/// What the console asks of this process: Ctrl-C and Ctrl-Break. They come on a thread of their
/// own, which wakes the poller.
///
/// The window's cross, a logout and the system's end come the same way, but Windows lets a process
/// live only until they were told: what was acknowledged is on the disk, nobody hears a goodbye.
#[derive(Debug)]
pub(crate) struct Signals {
    asked: Arc<AtomicUsize>,
}

impl Signals {
    /// Listens to the console, once in a process. The poller is woken by its waker and by nothing
    /// of `Token`.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn new(_: &Registry, _: Token, waker: &Arc<Waker>) -> io::Result<Self> {
        Self::listen(waker, || {})
    }

    /// The same for a program of one person: the first is told, the second ends the process at
    /// once, even while it is blocked.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn ending(_: &Registry, _: Token, waker: &Arc<Waker>) -> io::Result<Self> {
        let mut asked_before = false;
        Self::listen(waker, move || {
            if std::mem::replace(&mut asked_before, true) {
                std::process::exit(INTERRUPTED);
            }
        })
    }

    fn listen(waker: &Arc<Waker>, mut each: impl FnMut() + Send + 'static) -> io::Result<Self> {
        let asked = Arc::new(AtomicUsize::new(0));
        let (count, waker) = (Arc::clone(&asked), Arc::clone(waker));
        let handler = move || {
            each();
            count.fetch_add(1, Ordering::SeqCst);
            // A poller that has ended has nothing left to end.
            let _ = waker.wake();
        };
        ctrlc::set_handler(handler).map_err(io::Error::other)?;
        Ok(Self { asked })
    }

    /// What came since the last call; never waits.
    pub(crate) fn pending(&mut self) -> Vec<Signal> {
        vec![Signal::Stop; self.asked.swap(0, Ordering::SeqCst)]
    }
}

/// There is no limit to raise.
#[must_use]
pub fn raise_descriptor_limit() -> u64 {
    HANDLES
}

/// Not told here.
#[must_use]
pub(crate) fn thread_cpu() -> Option<Duration> {
    None
}

/// Makes a folder and those above it; who may read it is inherited, and a user's own folders are
/// private.
///
/// # Errors
/// Those of the system.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

/// Console modes of consoleapi.h: Ctrl-C is no key but a signal, keys come in lines, are shown.
const PROCESSED_INPUT: u32 = 0x1;
const LINE_INPUT: u32 = 0x2;
const ECHO_INPUT: u32 = 0x4;

/// While it lives, what is typed at the console is not shown; then all is as it was.
#[derive(Debug)]
pub(crate) struct Hidden(u32);

impl Hidden {
    fn without(modes: u32) -> io::Result<Self> {
        let before = console::mode(HandleRef::stdin())?;
        console::set_mode(HandleRef::stdin(), before & !modes)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A console that has ended needs nothing.
        let _ = console::set_mode(HandleRef::stdin(), self.0);
    }
}

/// Shows nothing of what is typed at standard input, which still delivers it line by line.
///
/// # Errors
/// Those of the system: standard input is no console, mostly.
pub(crate) fn hide_input() -> io::Result<Hidden> {
    Hidden::without(ECHO_INPUT)
}

/// The same, and each key is delivered as it is pressed, Ctrl-C as well.
pub(super) fn take_keyboard() -> io::Result<Hidden> {
    Hidden::without(ECHO_INPUT | LINE_INPUT | PROCESSED_INPUT)
}

/// Standard input. What it buffers beyond a line is there for whoever reads it next.
pub(super) fn keyboard() -> impl io::Read {
    io::stdin()
}

/// A folder cannot be synced here: names are in the file system's own journal.
///
/// # Errors
/// None.
pub(crate) fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Brings all of a file to the disk: there is nothing here that only begins with a part of it.
///
/// # Errors
/// Those of the system.
pub(crate) fn begin_write_back(file: &File, _: u64, _: u64) -> io::Result<()> {
    file.sync_data()
}

/// Not told here.
///
/// # Errors
/// None.
pub(crate) fn free_bytes(_: &Path) -> io::Result<Option<u64>> {
    Ok(None)
}

/// Folders are not locked here: [`open_lock`] keeps its file from being removed.
pub(super) fn open_folder(_: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

/// Opens the file of a lock, made if it is new. As long as it is open nobody can remove it or give
/// it another name: others may read and write it, and not delete it.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        return Err(super::not_regular());
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE).open(path)
}

/// Of winnt.h.
const FILE_SHARE_READ: u32 = 0x1;
const FILE_SHARE_WRITE: u32 = 0x2;

/// Not told here.
pub(crate) const fn has_other_names(_: &std::fs::Metadata) -> bool {
    false
}

/// Looks first and opens then: whoever swaps the two in between owns the folder anyway.
pub(super) fn open_no_link(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    if !path.symlink_metadata()?.is_file() {
        return Err(super::not_regular());
    }
    options.open(path)
}

/// Whether a plain file is what has this name, itself and not by a link.
#[must_use]
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    let identity = |file: &File| {
        let found = winapi_util::file::information(file)?;
        Ok::<_, io::Error>((found.volume_serial_number(), found.file_index()))
    };
    let named = super::open_regular(path, false).and_then(|named| identity(&named));
    matches!((identity(file), named), (Ok(one), Ok(other)) if one == other)
}

/// Left to the system's own patience.
///
/// # Errors
/// None.
pub(crate) fn limit_unconfirmed(_: &Socket, _: Duration) -> io::Result<()> {
    Ok(())
}

/// Threads stay alike here.
pub(crate) fn lower_thread_priority() {}

/// A handle to give up when there are no others.
///
/// # Errors
/// Those of the system.
pub(crate) fn open_reserve() -> io::Result<File> {
    File::open("NUL")
}

pub(super) fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Not where [`data_home`] is: that folder belongs to a server.
pub(super) fn run_dir(folder: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    Some(folder("LOCALAPPDATA")?.join("parlor-run"))
}

/// Whether this is a folder, itself and not by a link; who may read it is inherited, see
/// [`create_private_dir`].
#[must_use]
pub(crate) fn is_private_dir(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

pub(super) fn host_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

pub(super) fn data_home(folder: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    folder("LOCALAPPDATA")
}

/// Errors of Winsock (winerror.h) whose kind the standard library does not know, or that mean
/// something else to accept: there WSAECONNRESET is reported for a peer that left before it was let
/// in.
pub(super) fn trouble(error: &io::Error) -> Option<Trouble> {
    const WSAEINTR: i32 = 10004;
    const WSAEMFILE: i32 = 10024;
    const WSAENETDOWN: i32 = 10050;
    const WSAECONNRESET: i32 = 10054;
    const WSAENOBUFS: i32 = 10055;
    match error.raw_os_error()? {
        WSAEINTR => Some(Trouble::Retry),
        WSAENETDOWN | WSAECONNRESET => Some(Trouble::Skip),
        WSAEMFILE | WSAENOBUFS => Some(Trouble::Exhausted),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::default_data_dir;
    use super::*;

    #[test]
    fn errors_of_winsock_are_sorted_by_their_number() {
        let sorted: [(Trouble, &[i32]); 5] = [
            (Trouble::Again, &[10035]),
            (Trouble::Retry, &[10004]),
            (Trouble::Skip, &[10050, 10053, 10054]),
            (Trouble::Exhausted, &[10024, 10055, 8, 14]),
            (Trouble::Broken, &[10022, 10057, 10058, 10060]),
        ];
        for (trouble, numbers) in sorted {
            for number in numbers {
                let error = io::Error::from_raw_os_error(*number);
                assert_eq!(Trouble::of(&error), trouble, "{number}: {error}");
            }
        }
    }

    #[test]
    fn data_lives_with_the_user_or_beside_the_start() {
        let dir = |set: Option<&str>| {
            default_data_dir(|name| set.filter(|_| name == "LOCALAPPDATA").map(Into::into))
        };
        assert_eq!(dir(Some("C:\\u\\Local")), Path::new("C:\\u\\Local\\parlor"));
        assert_eq!(dir(Some("Local")), Path::new("parlor-data"));
        assert_eq!(dir(None), Path::new("parlor-data"));
    }

    #[test]
    fn ctrl_c_has_one_listener_a_process_and_nothing_is_pending_at_first() {
        let poll = mio::Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let mut signals = Signals::new(poll.registry(), Token(1), &waker).unwrap();
        assert_eq!(signals.pending(), []);
        assert!(Signals::ending(poll.registry(), Token(1), &waker).is_err());
    }
}

/// Unix sockets: there are none for programs that are written for every Windows of today.
#[derive(Debug)]
pub(crate) enum LocalListener {}

/// One end of a connection over a Unix socket: there is none.
#[derive(Debug)]
pub(crate) enum LocalStream {}

impl LocalListener {
    /// There is nothing to listen on.
    ///
    /// # Errors
    /// Always.
    pub(crate) fn bind(_: &Path, _: i32) -> io::Result<Self> {
        Err(no_local())
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub(crate) fn accept(&self) -> io::Result<(ByteStream, Option<u32>)> {
        match *self {}
    }

    /// Never called.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub(crate) fn register(&mut self, _: &Registry, _: Token) -> io::Result<()> {
        match *self {}
    }
}

/// There is nothing to connect to.
///
/// # Errors
/// Always.
pub(crate) fn connect_local(_: &Path) -> io::Result<ByteStream> {
    Err(no_local())
}

fn no_local() -> io::Error {
    let text = "Unix sockets are not available on Windows; use an address and a port";
    io::Error::new(io::ErrorKind::Unsupported, text)
}

impl LocalStream {
    /// Never called.
    ///
    /// # Errors
    /// None.
    pub(crate) fn shutdown(&self, _: std::net::Shutdown) -> io::Result<()> {
        match *self {}
    }
}

impl io::Read for LocalStream {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl io::Write for LocalStream {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}

impl Source for LocalStream {
    fn register(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        match *self {}
    }

    fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
        match *self {}
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        match *self {}
    }
}
