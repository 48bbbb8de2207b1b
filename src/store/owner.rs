//! What only the owner of a server asks of its store, on a command line: removal, import, backup.

use std::fs::File;
use std::io;
use std::path::Path;

use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::jobs;
use super::mailboxes::Mailboxes;
use super::sqlite::{Access, Sqlite};
use crate::id::AccountId;
use crate::job::StoreJob;
use crate::message::UserName;
use crate::os;

/// What an import does with a name that has an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Import {
    /// Nothing at all is imported.
    NewOnly,
    /// It gets the new hash, as if its password was changed.
    Replace,
}

/// How an import went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// All of it is in the store.
    All,
    /// Nothing is, because there is an account of this name.
    Taken(UserName),
}

impl Sqlite {
    /// Removes an account, with its blocks and letters. Tells whether there was one.
    ///
    /// # Errors
    /// Why the store cannot do it.
    pub fn remove(&mut self, user: UserName) -> Result<bool, StoreError> {
        self.transact(Access::Write, |file, _| {
            let sql = "DELETE FROM accounts WHERE name_key = ?1";
            Ok(file.execute(sql, params![jobs::key(user)])? > 0)
        })
    }

    /// Makes all accounts or none.
    ///
    /// # Errors
    /// Why the store cannot do it.
    pub fn import(
        &mut self,
        accounts: &[(UserName, String)],
        import: Import,
    ) -> Result<Imported, StoreError> {
        self.transact(Access::Write, |file, troubles| {
            let find = "SELECT id FROM accounts WHERE name_key = ?1";
            let id = |name: UserName| {
                file.query_row(find, [jobs::key(name)], |row| row.get::<_, i64>(0)).optional()
            };
            if import == Import::NewOnly {
                for (name, _) in accounts {
                    if id(*name)?.is_some() {
                        return Ok(Imported::Taken(*name));
                    }
                }
            }
            for (name, hash) in accounts {
                match id(*name)? {
                    Some(id) => jobs::set_hash(file, AccountId(id.unsigned_abs()), hash)?,
                    None => {
                        let job = StoreJob::Create { name: *name, hash: hash.clone() };
                        jobs::run(file, &job, &mut Mailboxes::default(), troubles)?
                    }
                };
            }
            Ok(Imported::All)
        })
    }

    /// Writes a copy of the store, as it is at one moment, to a new file for its owner only; others
    /// may keep writing to the store. What is left of a backup that fails is removed.
    ///
    /// # Errors
    /// Why it cannot be done; [`StoreError::Create`] if the file cannot be made.
    pub fn backup(&mut self, to: &Path) -> Result<(), StoreError> {
        // SQLite takes a file that exists if it is empty, and leaves its mode as it is.
        os::create_private_file(to).map_err(StoreError::Create)?;
        let done = self.copy(to).and_then(|()| settle(to).map_err(StoreError::Create));
        if done.is_err() {
            // It was made above, so it is ours to remove.
            let _ = std::fs::remove_file(to);
        }
        done
    }

    fn copy(&mut self, to: &Path) -> Result<(), StoreError> {
        let path = to.to_str().ok_or_else(|| {
            StoreError::Create(io::Error::new(io::ErrorKind::InvalidInput, "its name is not UTF-8"))
        })?;
        self.with(|file| {
            file.execute("VACUUM INTO ?1", [path])?;
            Ok(())
        })
    }
}

/// Waits until a file and its name are on the disk.
fn settle(path: &Path) -> io::Result<()> {
    File::options().write(true).open(path)?.sync_all()?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => os::sync_dir(folder),
        _ => os::sync_dir(Path::new(".")),
    }
}
