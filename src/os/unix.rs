//! I/O. What only Unix has, or has otherwise, and what only Linux does beyond that.
//!
//! The rule it keeps: it offers the same names as its twin for Windows, and nothing besides.

mod local;

use super::{Arc, Duration, File, OpenOptions, Path, PathBuf, Signal, Trouble, io};
pub(super) use local::LocalStream;
pub(crate) use local::{LocalListener, connect_local};
use mio::{Interest, Registry, Token, Waker};
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
use std::sync::atomic::AtomicBool;

/// Where a server keeps its data when nobody says, for people.
pub(crate) const DATA_DIR_IN_WORDS: &str = "$XDG_DATA_HOME/parlor or ~/.local/share/parlor";

/// The signals that this process listens to, as a source of events for mio.
///
/// The same signal twice between two calls of `pending` is told once.
pub(crate) struct Signals(signal_hook_mio::v1_0::Signals);

impl Signals {
    /// Takes the signals over from their default, and registers with the poller.
    ///
    /// # Errors
    /// Those of the system: no descriptors, mostly.
    pub(crate) fn new(registry: &Registry, token: Token, _: &Arc<Waker>) -> io::Result<Self> {
        let mut signals = signal_hook_mio::v1_0::Signals::new([SIGINT, SIGTERM, SIGUSR1, SIGHUP])?;
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
    pub(crate) fn ending(registry: &Registry, token: Token, _: &Arc<Waker>) -> io::Result<Self> {
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
    pub(crate) fn pending(&mut self) -> Vec<Signal> {
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
pub(crate) fn thread_cpu() -> Option<Duration> {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).ok()
}

/// Makes a folder and those above it, for their owner only; one that exists stays as it is.
///
/// # Errors
/// Those of the system.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// While it lives, what is typed at the terminal is not shown; then all is as it was.
#[derive(Debug)]
pub(crate) struct Hidden(Termios);

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
        // A terminal that has ended needs nothing.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Shows nothing of what is typed at standard input but the ends of lines, which it still
/// delivers one by one. What was typed before is forgotten.
///
/// # Errors
/// Those of the system: standard input is no terminal, mostly.
pub(crate) fn hide_input() -> io::Result<Hidden> {
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
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Has the system begin to bring a part of a file to the disk, so that a sync at the end is
/// short. Promises nothing: what fails meanwhile is told by the next sync. Linux begins to
/// write, without waiting, what it is advised to forget (`generic_fadvise` in mm/fadvise.c).
///
/// # Errors
/// Those of the system.
pub(crate) fn begin_write_back(file: &File, offset: u64, len: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Advice, fadvise};
        // A file system that takes no advice works all the same.
        let _ = fadvise(file, offset, std::num::NonZeroU64::new(len), Advice::DontNeed);
        Ok(())
    }
    #[cfg(not(target_os = "linux"))]
    file.sync_data().map(|()| _ = (offset, len))
}

/// Bytes that this user may still write to the file system of `path`; `None` where it is not
/// told.
///
/// # Errors
/// Those of the system.
pub(crate) fn free_bytes(path: &Path) -> io::Result<Option<u64>> {
    let system = rustix::fs::statvfs(path)?;
    Ok(Some(system.f_bavail.saturating_mul(system.f_frsize)))
}

/// A folder, to be locked.
pub(super) fn open_folder(folder: &Path) -> io::Result<Option<File>> {
    File::open(folder).map(Some)
}

/// Opens the file of a lock, made for its owner only if it is new; never what a link points to.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    owner_only(options.read(true).write(true).create(true).truncate(false));
    let file = open_no_link(&mut options, path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(super::not_regular()) }
}

/// Whether a file can be reached by another path as well.
pub(crate) fn has_other_names(metadata: &Metadata) -> bool {
    metadata.nlink() > 1
}

pub(super) fn open_no_link(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    // What is no regular file must not keep whoever opens it waiting; of one that is, the
    // second flag changes nothing.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed()).open(path)
}

/// Lets all other threads of the process go before the calling one, where the system tells
/// threads apart: POSIX has `nice` for the whole process, Linux for one thread.
pub(crate) fn lower_thread_priority() {
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
pub(crate) fn limit_unconfirmed(socket: &Socket, time: Duration) -> io::Result<()> {
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
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
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
pub(crate) fn open_reserve() -> io::Result<File> {
    File::open("/dev/null")
}

pub(super) fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

pub(super) fn run_dir(folder: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let state = || folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
    Some(folder("XDG_RUNTIME_DIR").or_else(state)?.join("parlor"))
}

/// Whether this is a folder, itself and not by a link, that is ours and that nobody else may enter.
#[must_use]
pub(crate) fn is_private_dir(path: &Path) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path)
        .is_ok_and(|found| found.is_dir() && found.uid() == ours && found.mode() & 0o077 == 0)
}

pub(super) fn host_name() -> Option<String> {
    Some(rustix::system::uname().nodename().to_string_lossy().into_owned())
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
