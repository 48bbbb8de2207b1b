//! I/O. All that differs between Linux and other systems: where data lives, how many descriptors
//! there are, which errors of a socket mean what, signals, and files that only their owner reads.
//!
//! Refuses to know what any of it is used for. The rule it keeps: no other file of Parlor asks
//! which system it runs on.
//!
//! SIGPIPE has no place here: the standard library ignores it from the start of `main`, so a write
//! to a peer that is gone is an error and not the end of the process.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use platform::{
    Hidden, Signals, create_private_dir, free_bytes, hide_input, is_at, limit_unconfirmed,
    lower_thread_priority, open_reserve, raise_descriptor_limit, sync_dir, thread_cpu,
};

/// Whether a listening socket asks for an address that closed connections still hold. Elsewhere
/// than on Unix the same option would let another program take the address over.
pub const REUSE_ADDRESS: bool = cfg!(unix);

/// Whether a read that brings less than was asked for has emptied the socket, so that asking again
/// is spared. epoll(7) says so of streams and edges; docs/decisions/0012 has the conditions.
pub const SHORT_READ_EMPTIES: bool = cfg!(target_os = "linux");

/// What a connection is registered for, besides writing: bytes, and where the poller tells them,
/// urgent ones, at which a read stops short of what stands behind them.
#[cfg(target_os = "linux")]
pub const READ_INTEREST: mio::Interest = mio::Interest::READABLE.add(mio::Interest::PRIORITY);
/// What a connection is registered for, besides writing.
#[cfg(not(target_os = "linux"))]
pub const READ_INTEREST: mio::Interest = mio::Interest::READABLE;

/// What an error of accept, read or write asks of the one who met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
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
    pub fn of(error: &io::Error) -> Self {
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
pub enum Signal {
    /// SIGINT or SIGTERM: end in good order; a second one: end at once.
    Stop,
    /// SIGUSR1: write the counts into the log.
    Report,
    /// SIGHUP: the log was renamed, open it anew.
    Reopen,
}

/// Memory of this process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What is resident now.
    pub resident_bytes: u64,
    /// The most that ever was.
    pub peak_bytes: u64,
}

impl Memory {
    /// Of this process, where the system tells it in `/proc`.
    #[must_use]
    pub fn now() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/status").ok()?)
    }

    fn parse(status: &str) -> Option<Self> {
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(kib * 1024)
        };
        Some(Self { resident_bytes: bytes("VmRSS:")?, peak_bytes: bytes("VmHWM:")? })
    }
}

/// Where a server keeps its data when nobody says: a folder of the user, or `parlor-data` beside
/// wherever it was started. `variable` reads the environment.
#[must_use]
pub fn default_data_dir(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let folder = |name: &str| {
        let path = PathBuf::from(variable(name)?);
        // The XDG base directory specification: "all paths must be absolute", others are ignored.
        path.is_absolute().then_some(path)
    };
    platform::data_home(folder).map_or_else(|| "parlor-data".into(), |home| home.join("parlor"))
}

/// Opens a file for appending, made for its owner only if it is new.
///
/// Reading is asked for as well: a named pipe without a reader then opens at once, instead of
/// holding up whoever opens it until somebody reads.
///
/// # Errors
/// Those of the system.
pub fn open_append(path: &Path) -> io::Result<File> {
    platform::owner_only(OpenOptions::new().read(true).append(true).create(true)).open(path)
}

/// Makes a new file for its owner only, to write and to read.
///
/// # Errors
/// Those of the system; `AlreadyExists` if there is such a file.
pub fn create_private_file(path: &Path) -> io::Result<File> {
    platform::owner_only(OpenOptions::new().read(true).write(true).create_new(true)).open(path)
}

/// Opens a file that is there, to read and, if `write`, to write: nothing but a regular file, and
/// never one that a link at this path points to.
///
/// # Errors
/// Those of the system; `InvalidInput`, or what the system says of a link, if it is something else.
pub fn open_regular(path: &Path, write: bool) -> io::Result<File> {
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
pub fn random(bytes: &mut [u8]) -> io::Result<()> {
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
pub fn read_secret(prompt: &str) -> io::Result<String> {
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

#[cfg(unix)]
mod platform {
    use super::{Duration, File, OpenOptions, Path, PathBuf, Signal, Trouble, io};
    use mio::{Interest, Registry, Token};
    use rustix::fs::OFlags;
    use rustix::io::Errno;
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
    };
    use rustix::time::{ClockId, clock_gettime};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    use signal_hook::flag;
    use socket2::Socket;
    use std::fs::{self, Metadata};
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    /// The signals that this process listens to, as a source of events for mio.
    ///
    /// The same signal twice between two calls of `pending` is told once.
    pub struct Signals(signal_hook_mio::v1_0::Signals);

    impl Signals {
        /// Takes the signals over from their default, and registers with the poller.
        ///
        /// # Errors
        /// Those of the system: no descriptors, mostly.
        pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
            let mut signals =
                signal_hook_mio::v1_0::Signals::new([SIGINT, SIGTERM, SIGUSR1, SIGHUP])?;
            registry.register(&mut signals, token, Interest::READABLE)?;
            Ok(Self(signals))
        }

        /// The signals that ask a program of one person to end: SIGINT, SIGTERM and SIGHUP, the
        /// last one unless the process was started to outlive it (`nohup`). The first of them
        /// is told; the second ends the process at once, even while it is blocked, with 128 and
        /// its number.
        ///
        /// # Errors
        /// Those of the system: no descriptors, mostly.
        pub fn ending(registry: &Registry, token: Token) -> io::Result<Self> {
            let mut asked = vec![SIGINT, SIGTERM];
            if !is_ignored(SIGHUP) {
                asked.push(SIGHUP);
            }
            let first = Arc::new(AtomicBool::new(false));
            for &signal in &asked {
                // In this order: what the second line notes must not be seen by the first.
                flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&first))?;
                flag::register(signal, Arc::clone(&first))?;
            }
            let mut signals = signal_hook_mio::v1_0::Signals::new(asked)?;
            registry.register(&mut signals, token, Interest::READABLE)?;
            Ok(Self(signals))
        }

        /// What came since the last call; never waits.
        pub fn pending(&mut self) -> Vec<Signal> {
            self.0.pending().filter_map(meaning).collect()
        }
    }

    /// Whether the process ignores a signal, where the system tells it in `/proc`.
    fn is_ignored(signal: i32) -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.unwrap_or(0) >> (signal - 1) & 1 == 1
    }

    fn meaning(signal: i32) -> Option<Signal> {
        match signal {
            SIGINT | SIGTERM => Some(Signal::Stop),
            SIGUSR1 => Some(Signal::Report),
            SIGHUP => Some(Signal::Reopen),
            _ => None,
        }
    }

    /// Raises the limit of descriptors as far as the system lets this process, and tells how many
    /// it may have now.
    #[must_use]
    pub fn raise_descriptor_limit() -> u64 {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        let current = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.maximum,
            Err(_) => limit.current,
        };
        current.unwrap_or(u64::MAX)
    }

    /// Processor time that the calling thread has used so far.
    #[must_use]
    pub fn thread_cpu() -> Option<Duration> {
        Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).ok()
    }

    /// Makes a folder and those above it, for their owner only; one that exists stays as it is.
    ///
    /// # Errors
    /// Those of the system.
    pub fn create_private_dir(path: &Path) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    /// While it lives, what is typed at the terminal is not shown; then all is as it was.
    #[derive(Debug)]
    pub struct Hidden(Termios);

    impl Hidden {
        fn start(change: impl FnOnce(&mut Termios)) -> io::Result<Self> {
            let before = tcgetattr(io::stdin())?;
            let mut after = before.clone();
            change(&mut after);
            tcsetattr(io::stdin(), OptionalActions::Flush, &after)?;
            Ok(Self(before))
        }
    }

    impl Drop for Hidden {
        fn drop(&mut self) {
            // A terminal that is gone needs nothing.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
        }
    }

    /// Shows nothing of what is typed at standard input but the ends of lines, which it still
    /// delivers one by one. What was typed before is forgotten.
    ///
    /// # Errors
    /// Those of the system: standard input is no terminal, mostly.
    pub fn hide_input() -> io::Result<Hidden> {
        Hidden::start(|terminal| {
            terminal.local_modes.remove(LocalModes::ECHO);
            terminal.local_modes.insert(LocalModes::ECHONL);
        })
    }

    /// The same, and each key is delivered as it is pressed, those that send signals as well.
    pub(super) fn take_keyboard() -> io::Result<Hidden> {
        Hidden::start(|terminal| {
            let modes = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
            terminal.local_modes.remove(modes);
            terminal.special_codes[SpecialCodeIndex::VMIN] = 1;
            terminal.special_codes[SpecialCodeIndex::VTIME] = 0;
        })
    }

    /// Standard input without a buffer, so that nothing is taken beyond the line.
    pub(super) fn keyboard() -> impl io::Read {
        struct Keyboard;
        impl io::Read for Keyboard {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                Ok(rustix::io::read(io::stdin(), buffer)?)
            }
        }
        Keyboard
    }

    /// Waits until the names in a folder are on the disk.
    ///
    /// # Errors
    /// Those of the system.
    pub fn sync_dir(path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    /// Bytes that this user may still write to the file system of `path`; `None` where it is not
    /// told.
    ///
    /// # Errors
    /// Those of the system.
    pub fn free_bytes(path: &Path) -> io::Result<Option<u64>> {
        let system = rustix::fs::statvfs(path)?;
        Ok(Some(system.f_bavail.saturating_mul(system.f_frsize)))
    }

    pub(super) fn open_no_link(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
        // What is no regular file must not keep whoever opens it waiting; of one that is, the
        // second flag changes nothing.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.custom_flags(flags.bits().cast_signed()).open(path)
    }

    /// Lets all other threads of the process go before the calling one, where the system tells
    /// threads apart: POSIX has `nice` for the whole process, Linux for one thread.
    pub fn lower_thread_priority() {
        #[cfg(target_os = "linux")]
        {
            // A tenth of what the others get when there is not enough for all (sched(7)). What
            // cannot be lowered works all the same.
            let _ = rustix::process::setpriority_process(None, 10);
        }
    }

    /// Lets the kernel end connections whose peer has confirmed nothing for so long, a probe or
    /// data, where it can be told so (RFC 5482). Accepted sockets have it from the one that
    /// listens.
    ///
    /// # Errors
    /// Those of the system.
    pub fn limit_unconfirmed(socket: &Socket, time: Duration) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            let ms = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
            rustix::net::sockopt::set_tcp_user_timeout(socket, ms)?;
        }
        let _ = (socket, time);
        Ok(())
    }

    /// Whether a plain file is what has this name, itself and not by a link.
    #[must_use]
    pub fn is_at(file: &File, path: &Path) -> bool {
        let same = |one: &Metadata, other: &Metadata| {
            other.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
        };
        match (file.metadata(), fs::symlink_metadata(path)) {
            (Ok(one), Ok(other)) => same(&one, &other),
            (Err(_), _) | (_, Err(_)) => false,
        }
    }

    /// A descriptor to give up when there are no others, so that a connection can still be
    /// accepted and told so.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open_reserve() -> io::Result<File> {
        File::open("/dev/null")
    }

    pub(super) fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
        options.mode(0o600)
    }

    pub(super) fn data_home(folder: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
        folder("XDG_DATA_HOME").or_else(|| Some(folder("HOME")?.join(".local/share")))
    }

    pub(super) fn trouble(error: &io::Error) -> Option<Trouble> {
        Some(match Errno::from_io_error(error)? {
            Errno::AGAIN => Trouble::Again,
            Errno::INTR => Trouble::Retry,
            Errno::CONNABORTED
            | Errno::PERM
            | Errno::PROTO
            | Errno::NETDOWN
            | Errno::HOSTDOWN
            | Errno::NETUNREACH
            | Errno::OPNOTSUPP
            | Errno::NOPROTOOPT
            | Errno::HOSTUNREACH => Trouble::Skip,
            #[cfg(target_os = "linux")]
            Errno::NONET => Trouble::Skip,
            Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => Trouble::Exhausted,
            _ => Trouble::Broken,
        })
    }
}

#[cfg(not(unix))]
mod platform {
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

    /// Not told here.
    ///
    /// # Errors
    /// None.
    pub fn free_bytes(_: &Path) -> io::Result<Option<u64>> {
        Ok(None)
    }

    /// Looks first and opens then: whoever swaps the two in between owns the folder anyway.
    pub(super) fn open_no_link(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
        if !path.symlink_metadata()?.is_file() {
            return Err(super::not_regular());
        }
        options.open(path)
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

    /// Whether a plain file has this name; that it is this one is not looked at, because a file
    /// that is open keeps its name here.
    #[must_use]
    pub fn is_at(_: &File, path: &Path) -> bool {
        std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
    }

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
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn errors_are_sorted_by_their_number() {
        // Numbers of asm-generic/errno.h and errno-base.h, written out so that a wrong name shows.
        let sorted: [(Trouble, &[i32]); 5] = [
            (Trouble::Again, &[11]),
            (Trouble::Retry, &[4]),
            (Trouble::Skip, &[103, 1, 71, 100, 112, 64, 101, 95, 92, 113]),
            (Trouble::Exhausted, &[24, 23, 105, 12]),
            (Trouble::Broken, &[104, 32, 110, 9, 5, 22, 111]),
        ];
        for (trouble, numbers) in sorted {
            for number in numbers {
                let error = io::Error::from_raw_os_error(*number);
                assert_eq!(Trouble::of(&error), trouble, "{error}");
            }
        }
    }

    #[test]
    fn errors_that_the_system_did_not_make_are_sorted_by_kind() {
        assert_eq!(Trouble::of(&io::ErrorKind::WouldBlock.into()), Trouble::Again);
        assert_eq!(Trouble::of(&io::ErrorKind::Interrupted.into()), Trouble::Retry);
        assert_eq!(Trouble::of(&io::ErrorKind::WriteZero.into()), Trouble::Broken);
    }

    #[test]
    fn data_lives_with_the_user_or_beside_the_start() {
        let dir = |set: &[(&str, &str)]| {
            default_data_dir(|name| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
            })
        };
        assert_eq!(dir(&[("XDG_DATA_HOME", "/x"), ("HOME", "/h")]), Path::new("/x/parlor"));
        assert_eq!(dir(&[("HOME", "/h")]), Path::new("/h/.local/share/parlor"));
        assert_eq!(dir(&[("XDG_DATA_HOME", ""), ("HOME", "")]), Path::new("parlor-data"));
        assert_eq!(dir(&[("XDG_DATA_HOME", "relative")]), Path::new("parlor-data"));
    }

    #[test]
    fn folders_and_files_are_for_their_owner_only() {
        let temp = tempfile::tempdir().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let dir = temp.path().join("a/b");
        create_private_dir(&dir).unwrap();
        create_private_dir(&dir).unwrap();
        assert_eq!((mode(&dir), mode(&temp.path().join("a"))), (0o700, 0o700));
        open_append(&dir.join("log")).unwrap();
        create_private_file(&dir.join("file")).unwrap();
        assert_eq!((mode(&dir.join("log")), mode(&dir.join("file"))), (0o600, 0o600));
        assert!(create_private_file(&dir.join("file")).is_err());
    }

    #[test]
    fn only_a_regular_file_is_opened_and_no_link_is_followed() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        std::fs::write(path("file"), "old").unwrap();
        open_regular(&path("file"), true).unwrap().write_all(b"new").unwrap();
        assert_eq!(std::fs::read(path("file")).unwrap(), b"new");
        assert!(open_regular(&path("file"), false).unwrap().write_all(b"x").is_err());
        std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), kind, mode, 0).unwrap();
        for bad in ["link", "pipe", "", "missing"] {
            assert!(open_regular(&path(bad), false).is_err(), "{bad}");
        }
    }

    #[test]
    fn free_bytes_are_those_of_a_file_system() {
        let free = free_bytes(Path::new("/")).unwrap().unwrap();
        assert!(free > 0 && free < 1 << 60, "{free}");
        assert_eq!(free_bytes(Path::new("/proc")).unwrap(), Some(0));
        assert!(free_bytes(Path::new("/nowhere")).is_err());
    }

    #[test]
    fn a_hidden_line_is_what_was_typed_after_all_corrections() {
        let line = |keys: &str| hidden_line(keys.as_bytes()).map_err(|error| error.kind());
        assert_eq!(line("open sesame\rmore"), Ok("open sesame".into()));
        assert_eq!(line("opem\u{7f}n \u{8}\n"), Ok("open".into()));
        assert_eq!(line("\u{7f}sésam\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}x\n"), Ok("x".into()));
        assert_eq!(line("wrong\u{15}right\n"), Ok("right".into()));
        assert_eq!(line("half\u{3}\n"), Err(io::ErrorKind::Interrupted));
        assert_eq!(line("\u{4}"), Err(io::ErrorKind::UnexpectedEof));
        assert_eq!(line("no end"), Err(io::ErrorKind::UnexpectedEof));
        assert_eq!(line(&"x".repeat(5000)), Err(io::ErrorKind::Other));
        let raw = hidden_line(&b"\xff\n"[..]).map_err(|error| error.kind());
        assert_eq!(raw, Err(io::ErrorKind::Other));
    }

    #[test]
    fn the_system_gives_other_random_numbers_each_time() {
        let mut bytes = [[0; 32]; 2];
        bytes.iter_mut().for_each(|bytes| random(bytes).unwrap());
        assert_ne!(bytes[0], bytes[1]);
        assert_ne!(bytes[0], [0; 32]);
    }

    #[test]
    fn a_thread_steps_back_and_the_others_do_not() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        let lowered = std::thread::spawn(move || {
            lower_thread_priority();
            nice()
        });
        assert_eq!((lowered.join().unwrap(), nice()), (10, before));
    }

    #[test]
    fn memory_and_processor_time_are_told() {
        let status = "VmPeak:\t  900 kB\nVmHWM:\t     120 kB\nVmRSS:\t     100 kB\n";
        let memory = Memory { resident_bytes: 102_400, peak_bytes: 122_880 };
        assert_eq!(Memory::parse(status), Some(memory));
        assert_eq!(Memory::parse("VmRSS: many kB"), None);
        assert!(Memory::now().unwrap().resident_bytes > 100_000);
        let before = thread_cpu().unwrap();
        assert!((0..).any(|_| thread_cpu().unwrap() > before));
    }

    #[test]
    fn the_descriptor_limit_is_raised_once_and_for_all() {
        let limit = raise_descriptor_limit();
        assert!(limit >= 64);
        assert_eq!(raise_descriptor_limit(), limit);
        open_reserve().unwrap();
    }

    #[test]
    fn signals_arrive_as_events_with_their_meaning() {
        let mut poll = mio::Poll::new().unwrap();
        let mut signals = Signals::new(poll.registry(), mio::Token(7)).unwrap();
        assert_eq!(signals.pending(), []);
        signal_hook::low_level::raise(signal_hook::consts::SIGUSR1).unwrap();
        let mut events = mio::Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::from_secs(10))).or_else(ignore_interrupt).unwrap();
        assert_eq!(signals.pending(), [Signal::Report]);
        signal_hook::low_level::raise(signal_hook::consts::SIGHUP).unwrap();
        assert_eq!(signals.pending(), [Signal::Reopen]);
        signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
        assert_eq!(signals.pending(), [Signal::Stop]);
    }

    fn ignore_interrupt(error: io::Error) -> io::Result<()> {
        if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
    }

    #[test]
    fn an_accepted_socket_has_the_patience_of_the_one_that_listens() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let time = Duration::from_secs(90);
        limit_unconfirmed(&listener.try_clone().unwrap().into(), time).unwrap();
        let _peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert_eq!(rustix::net::sockopt::tcp_user_timeout(&accepted).unwrap(), 90_000);
    }
}
