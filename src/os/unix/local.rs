//! I/O. Unix sockets: how programs of one machine reach each other by a name in the file system.
//!
//! The rule it keeps: nothing is removed but a socket that nobody listens on, and our own.

use super::{Path, PathBuf, fs, io};
use crate::os::ByteStream;
use mio::event::Source;
use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use socket2::{Domain, SockAddr, Socket, Type};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};

/// Longest path of a socket: `sun_path` of unix(7), without its end.
const PATH_MAX: usize = 107;
/// Owner and group may call.
const MODE: u32 = 0o660;

/// One end of a connection over a Unix socket.
pub(in crate::os) type LocalStream = UnixStream;

/// A Unix socket that accepts. Dropped, it removes its name, if that is still its own.
#[derive(Debug)]
pub(crate) struct LocalListener {
    socket: UnixListener,
    path: PathBuf,
    /// Device and number of the socket in the file system.
    own: Option<(u64, u64)>,
}

impl LocalListener {
    /// Listens on a socket with a name in the file system, for its owner and group (mode 0660).
    ///
    /// # Errors
    /// Somebody listens there, or the name is that of something else; and those of the system.
    pub(crate) fn bind(path: &Path, backlog: i32) -> io::Result<Self> {
        if path.as_os_str().len() > PATH_MAX {
            let text = format!("the path is longer than {PATH_MAX} bytes, which the system allows");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        remove_stale(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::unix(path)?).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                return io::Error::new(error.kind(), "the folder does not exist");
            }
            error
        })?;
        // Nobody can call before it listens, so nobody does who may not.
        fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
        socket.listen(backlog)?;
        let std = std::os::unix::net::UnixListener::from(std::os::fd::OwnedFd::from(socket));
        Ok(Self { socket: UnixListener::from_std(std), path: path.to_owned(), own: number(path) })
    }

    /// Accepts one connection; with it the user that calls, where the system tells.
    ///
    /// # Errors
    /// Those of the system, `WouldBlock` when nobody waits.
    pub(crate) fn accept(&self) -> io::Result<(ByteStream, Option<u32>)> {
        let (stream, _) = self.socket.accept()?;
        let user = user_of(&stream);
        Ok((ByteStream::Local(stream), user))
    }

    /// The name in the file system.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Has the poller tell when somebody waits.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.socket.register(registry, token, Interest::READABLE)
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        if self.own.is_some() && number(&self.path) == self.own {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Connects to a socket by its name.
///
/// # Errors
/// Those of the system.
pub(crate) fn connect_local(path: &Path) -> io::Result<ByteStream> {
    UnixStream::connect(path).map(ByteStream::Local)
}

/// A server that was killed leaves its socket behind; one that lives keeps it.
fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        let text = "something else has that name; remove it, or take another path";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    match connect_local(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        // The queue is full, so somebody listens.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::ErrorKind::AddrInUse.into())
        }
        Err(error) => Err(error),
    }
}

fn number(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

fn user_of(stream: &LocalStream) -> Option<u32> {
    #[cfg(target_os = "linux")]
    {
        rustix::net::sockopt::socket_peercred(stream).ok().map(|peer| peer.uid.as_raw())
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = stream;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_socket_is_replaced_a_living_one_is_not_and_our_own_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "what was killed leaves it");
        let living = LocalListener::bind(&path, 1).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        let error = LocalListener::bind(&path, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        // One whose queue is full lives as well.
        let _callers: Vec<_> = std::iter::from_fn(|| connect_local(&path).ok()).take(9).collect();
        let error = LocalListener::bind(&path, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(living);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_socket_or_not_our_own_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        fs::write(&path, "precious").unwrap();
        let error = LocalListener::bind(&path, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        fs::remove_file(&path).unwrap();
        let ours = LocalListener::bind(&path, 1).unwrap();
        fs::rename(&path, dir.path().join("elsewhere")).unwrap();
        fs::write(&path, "of another one").unwrap();
        drop(ours);
        assert!(path.exists());
    }
}
