//! The store in one SQLite file beside its write-ahead log.
//!
//! After a commit that failed, the connection is kept: it knows where the log was good, and the
//! next commit writes over what the failed one left. docs/decisions/0018-sqlite.md has the reasons.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior};

use super::error::StoreError;
use super::mailboxes::Mailboxes;
use super::rows::{self, ACCOUNT, STORED};
use super::{Store, jobs, schema, voided, writes};
use crate::id::AccountId;
use crate::job::{Catalogue, Directory, StoreJob, StoreOutcome};
use crate::limits::STORE_BUSY;
use crate::os;

/// The name of the file in the data folder; SQLite puts `-wal` and `-shm` beside it.
pub const FILE: &str = "parlor.db";

/// Troubles that are kept until somebody asks for them.
const TROUBLES_MAX: usize = 16;

/// All that lasts, in one file.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    /// `None` after a failure that only a new connection can get over.
    connection: Option<Connection>,
    /// Whether nothing that may be committed here stands on a log that an earlier process left.
    is_swept: bool,
    /// SQLite's count of foreign commits when the directory was last read.
    seen: Option<i64>,
    mailboxes: Mailboxes,
    troubles: Vec<String>,
}

/// What a transaction may do.
#[derive(Clone, Copy)]
pub(super) enum Access {
    Read,
    Write,
}

impl Access {
    fn behavior(self) -> TransactionBehavior {
        match self {
            Self::Read => TransactionBehavior::Deferred,
            // To begin as a reader and to write later can fail when somebody else has written.
            Self::Write => TransactionBehavior::Immediate,
        }
    }
}

impl Sqlite {
    /// Opens the store in the folder `data`, makes both if need be, and checks the whole file.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        create(data)?;
        Self::open_existing(data)
    }

    /// The same without making anything.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn open_existing(data: &Path) -> Result<Self, StoreError> {
        let path = data.join(FILE);
        match path.symlink_metadata() {
            // By another name another server would write to it beside another log.
            Ok(found) if !found.is_file() || os::has_other_names(&found) => {
                return Err(StoreError::Link);
            }
            // One of ours is made whole, so this was one that lost its content.
            Ok(found) if found.len() == 0 => {
                return Err(StoreError::Damaged("it is empty".to_owned()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Missing);
            }
            // SQLite says what is wrong.
            Ok(_) | Err(_) => {}
        }
        let is_link = |path: PathBuf| path.symlink_metadata().is_ok_and(|found| !found.is_file());
        if ["-wal", "-shm"].iter().any(|end| is_link(data.join(format!("{FILE}{end}")))) {
            return Err(StoreError::Link);
        }
        let connection = connect(&path)?;
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(StoreError::Damaged(verdict));
        }
        Ok(Self {
            path,
            connection: Some(connection),
            is_swept: false,
            seen: None,
            mailboxes: Mailboxes::default(),
            troubles: Vec::new(),
        })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` in one transaction. If it fails, nothing of it is done.
    pub(super) fn transact<T>(
        &mut self,
        access: Access,
        work: impl FnOnce(&Connection, &mut Vec<String>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.take_connection()?;
        let mut troubles = Vec::new();
        let result = match access {
            Access::Write => self.sweep(&connection),
            Access::Read => Ok(()),
        };
        let result = result.and_then(|()| {
            // Dropped without a commit, it is rolled back.
            let transaction = connection.transaction_with_behavior(access.behavior())?;
            let done = work(&transaction, &mut troubles)?;
            transaction.commit()?;
            Ok(done)
        });
        self.note(troubles);
        let is_lost = matches!(result, Err(StoreError::Damaged(_))) || !connection.is_autocommit();
        if !is_lost {
            self.connection = Some(connection);
        }
        result
    }

    /// Runs `work` on its own, without a transaction.
    pub(super) fn with<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = self.take_connection()?;
        let result = work(&connection);
        self.connection = Some(connection);
        result
    }

    /// The connection, or a new one if it was lost.
    fn take_connection(&mut self) -> Result<Connection, StoreError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        self.is_swept = false;
        self.seen = None;
        self.mailboxes = Mailboxes::default();
        connect(&self.path)
    }

    /// Moves all that is in the log into the file before anything is added to it: an earlier
    /// process may have left there what the disk only pretends to have.
    fn sweep(&mut self, connection: &Connection) -> Result<(), StoreError> {
        if !self.is_swept {
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            let is_busy: bool = connection.query_row(sql, [], |row| row.get(0))?;
            // The log is there by now. SQLite asks for its name to be on the disk, too, but takes a
            // no for a yes.
            self.path.parent().map_or(Ok(()), os::sync_dir).map_err(StoreError::Create)?;
            // Another process uses the file at this moment; the next commit tries again.
            self.is_swept = !is_busy;
        }
        Ok(())
    }

    fn note(&mut self, troubles: Vec<String>) {
        let room = TROUBLES_MAX.saturating_sub(self.troubles.len());
        self.troubles.extend(troubles.into_iter().take(room));
    }
}

impl Store for Sqlite {
    fn directory(&mut self) -> Result<Directory, String> {
        let read = |file: &Connection, troubles: &mut Vec<String>| {
            Ok((data_version(file)?, directory(file, troubles)?))
        };
        let read = self.transact(Access::Read, read);
        let (version, directory) = read.map_err(|error| error.to_string())?;
        self.seen = Some(version);
        Ok(directory)
    }

    fn files(&mut self) -> Result<Catalogue, String> {
        self.transact(Access::Read, files).map_err(|error| error.to_string())
    }

    fn token_key(&mut self) -> Result<[u8; 32], String> {
        let sql = "SELECT value FROM meta WHERE key = 'token-key'";
        self.with(|file| Ok(file.query_row(sql, [], |row| row.get(0))?))
            .map_err(|error| error.to_string())
    }

    fn commit(&mut self, jobs: &[StoreJob]) -> Vec<StoreOutcome> {
        let access = if jobs.iter().any(writes) { Access::Write } else { Access::Read };
        // Given back only after a commit, and to the connection that it was made on.
        let known = self.connection.is_some().then(|| std::mem::take(&mut self.mailboxes));
        let mut mailboxes = known.unwrap_or_default();
        let all = |file: &Connection, troubles: &mut Vec<String>| {
            mailboxes.begin(data_version(file)?);
            let run =
                |job| jobs::run(file, job, &mut mailboxes, troubles).map_err(StoreError::from);
            jobs.iter().map(run).collect::<Result<Vec<_>, _>>()
        };
        let outcomes = self.transact(access, all);
        if outcomes.is_ok() {
            self.mailboxes = mailboxes;
        }
        outcomes.unwrap_or_else(|error| {
            let text = error.to_string();
            jobs.iter().map(|_| StoreOutcome::Failed(text.clone())).collect()
        })
    }

    fn is_changed(&mut self) -> Result<bool, String> {
        let version = self.with(data_version).map_err(|error| error.to_string())?;
        Ok(self.seen != Some(version))
    }

    fn troubles(&mut self) -> Vec<String> {
        std::mem::take(&mut self.troubles)
    }
}

/// Makes the folder and a store without content for their owner only, if there is none; SQLite
/// gives its other files the mode of this one. It gets its name once it is whole: one that is empty
/// has lost what was in it. A file that is there is not even opened: to close it would take
/// SQLite's locks.
fn create(data: &Path) -> Result<(), StoreError> {
    let (path, new) = (data.join(FILE), data.join(format!("{FILE}.{}.new", std::process::id())));
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    if data.join(format!("{FILE}-wal")).symlink_metadata().is_ok() {
        // What is in it would be taken for the new one's.
        return Err(StoreError::Beheaded);
    }
    os::create_private_dir(data).map_err(StoreError::Create)?;
    let made = fill(&new).and_then(|()| {
        std::fs::rename(&new, &path).map_err(StoreError::Create)?;
        os::sync_dir(data).map_err(StoreError::Create)?;
        // The folder may be new as well.
        let above = data.parent().filter(|parent| parent.is_dir());
        above.map_or(Ok(()), os::sync_dir).map_err(StoreError::Create)
    });
    if made.is_err() {
        // Nobody else has it.
        let _ = std::fs::remove_file(&new);
    }
    made
}

/// Makes a file with the tables of a store, on the disk.
fn fill(new: &Path) -> Result<(), StoreError> {
    let _ = std::fs::remove_file(new);
    let file = os::create_private_file(new).map_err(StoreError::Create)?;
    drop(file);
    let mut connection = Connection::open_with_flags(new, OPEN)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    schema::migrate(&mut connection)
}

/// Nothing of SQLite's own makes a file.
const OPEN: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open_with_flags(path, OPEN)?;
    connection.busy_timeout(STORE_BUSY)?;
    // Room for every statement of `jobs`: to prepare one costs more than to run it.
    connection.set_prepared_statement_cache_capacity(32);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // On macOS an fsync does not reach the platters; elsewhere this says nothing.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    schema::migrate(&mut connection)?;
    let mode = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
    if mode == "wal" { Ok(connection) } else { Err(StoreError::NoWal) }
}

/// Changes whenever another connection has committed; within a transaction, what holds for it.
fn data_version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
}

fn directory(file: &Connection, troubles: &mut Vec<String>) -> Result<Directory, StoreError> {
    let mut directory = Directory::default();
    let mut accounts = file.prepare(&format!("SELECT {ACCOUNT} FROM accounts ORDER BY id"))?;
    let mut found = accounts.query([])?;
    while let Some(row) = found.next()? {
        let account = rows::account(row)?;
        if account.as_ref().is_none_or(|account| !account.is_sound) {
            let id: i64 = row.get(0)?;
            let name = account.as_ref().map(|found| found.account.name.to_string());
            let name = name.unwrap_or_else(|| "a name that is lost".into());
            troubles.push(format!(
                "account {id} of {name} is damaged and locked; give it a password anew"
            ));
        }
        directory.accounts.extend(account.map(|found| found.account));
    }
    let mut blocks = file.prepare("SELECT account, name FROM blocks ORDER BY account, name_key")?;
    let mut found = blocks.query([])?;
    while let Some(row) = found.next()? {
        let account: i64 = row.get(0)?;
        match rows::user(row, 1)? {
            Some(user) => directory.blocks.push((AccountId(account.unsigned_abs()), user)),
            None => troubles.push(format!("a block of account {account} is damaged and left out")),
        }
    }
    directory.voided = voided::read(file)?;
    Ok(directory)
}

fn files(file: &Connection, troubles: &mut Vec<String>) -> Result<Catalogue, StoreError> {
    let mut catalogue = Catalogue::default();
    let mut rows = file.prepare(&format!("SELECT {STORED} FROM files ORDER BY number"))?;
    let mut found = rows.query([])?;
    let mut highest = 0;
    while let Some(row) = found.next()? {
        let stored = rows::file(row);
        let number: i64 = row.get(0)?;
        highest = highest.max(number);
        if stored.is_none() {
            troubles.push(format!("file {number} is damaged and left out"));
            catalogue.is_damaged = true;
        }
        catalogue.files.extend(stored);
    }
    // Of damaged ones as well: what they were is not written over.
    let highest = u32::try_from(highest).unwrap_or_default();
    catalogue.next = highest.max(last_file(file, troubles)?).saturating_add(1);
    Ok(catalogue)
}

/// The highest number that a file has had, be it there or not; 0 if there never was one. No seal is
/// over it.
fn last_file(file: &Connection, troubles: &mut Vec<String>) -> Result<u32, StoreError> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'files'";
    let last = file.query_row(sql, [], |row| Ok(rows::number(row, 0))).optional()?;
    Ok(last.unwrap_or(Some(0)).and_then(|last| last.try_into().ok()).unwrap_or_else(|| {
        troubles.push("the last number of a file is damaged; the highest in use counts".into());
        0
    }))
}

#[cfg(test)]
mod tests;
