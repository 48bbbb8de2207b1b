//! Where the log goes: a file, or standard error.
//!
//! Refuses to know what is written there.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The name of standard error, for those who want no file.
pub(crate) const STANDARD_ERROR: &str = "-";

/// Where lines go; in tests, whatever can block or fail.
pub(super) trait Sink: Write + Send + 'static {
    /// Opens the same name again.
    fn reopen(&mut self) -> io::Result<()>;
}

/// A file that can be renamed away under us; or standard error, which cannot.
#[derive(Debug)]
pub(super) enum LogFile {
    Named { path: PathBuf, file: File },
    StandardError,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new(STANDARD_ERROR) {
            return Ok(Self::StandardError);
        }
        Ok(Self::Named { path: path.to_owned(), file: crate::os::open_append(path)? })
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Named { file, .. } => file.write(bytes),
            Self::StandardError => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Named { file, .. } => file.flush(),
            Self::StandardError => io::stderr().flush(),
        }
    }
}

impl Sink for LogFile {
    fn reopen(&mut self) -> io::Result<()> {
        match self {
            Self::StandardError => Ok(()),
            Self::Named { path, file } => {
                *file = crate::os::open_append(path).map_err(|error| {
                    let path = path.display();
                    io::Error::other(format!("{path} cannot be opened anew: {error}"))
                })?;
                Ok(())
            }
        }
    }
}
