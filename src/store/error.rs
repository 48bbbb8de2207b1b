//! Why a store cannot be used, in words for its owner.
//!
//! Refuses to know which file it is: who tells of it names that. The rule it keeps: a text says
//! what to do next where there is something to do.

use std::io;

use rusqlite::ErrorCode;

/// Why the store cannot be used; the texts do not name the file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or the file cannot be made, or not so that it lasts.
    #[error("cannot make it: {0}")]
    Create(io::Error),
    /// There is none.
    #[error("it does not exist; check --data, or make an account")]
    Missing,
    /// There is none, but its log is there.
    #[error("it is missing, but its log parlor.db-wal is there; put both back, or move that away")]
    Beheaded,
    /// It is a link, or no file, or has another name.
    #[error("it is a link, or another file is linked to it; put a copy in its place")]
    Link,
    /// A newer Parlor has written it.
    #[error("a newer Parlor wrote it (schema {found}, this one knows {known}); run that one")]
    Newer {
        /// The version of its schema.
        found: usize,
        /// The newest that this Parlor knows.
        known: usize,
    },
    /// Some other program's file.
    #[error("it is no store of Parlor; move it away, or choose another folder with --data")]
    Foreign,
    /// Its content makes no sense.
    #[error("it is damaged ({0}); put a backup in its place, see docs/server.md")]
    Damaged(String),
    /// The file system cannot hold it.
    #[error(
        "its file system cannot share memory between processes; choose a local one with --data"
    )]
    NoWal,
    /// No random numbers from the system.
    #[error("the system gives no random numbers: {0}")]
    Random(io::Error),
    /// What SQLite or the disk said.
    #[error("{0}")]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Sqlite(error),
        }
    }
}
