//! What is in the file, and how a file of an older Parlor becomes one of this.
//!
//! Accounts, letters and files carry a seal over their content: SQLite finds damage to its own
//! structure, but not a bit that flips within a name or a text.

use rusqlite::{Connection, TransactionBehavior};

use super::error::StoreError;
use super::pair;
use crate::os;

/// In the header of the file, by which ours is told from any other: "Parl".
const APPLICATION: i64 = 0x5061_726c;

/// One step for each version of the schema, never changed once it was released.
///
/// `AUTOINCREMENT` is what keeps a number from being used again after the highest was removed.
const STEPS: [&str; 5] = [FIRST, FILES, SENT, REMOVED, VOIDED];

const FIRST: &str = "
    CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE accounts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        name_key TEXT NOT NULL UNIQUE,
        hash TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        seal INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE blocks (
        account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
        name_key TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (account, name_key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE letters (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
        sender TEXT NOT NULL,
        text TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        seal INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX letters_of ON letters (account);
";

/// No file refers to an account: what becomes of the files of one that is removed is not decided
/// here, and a number of an account is never used again.
const FILES: &str = "
    CREATE TABLE files (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        sender TEXT NOT NULL,
        owner INTEGER,
        kind TEXT NOT NULL,
        target TEXT,
        receiver INTEGER,
        name TEXT NOT NULL,
        size INTEGER NOT NULL,
        hash BLOB NOT NULL,
        sha256 BLOB NOT NULL,
        at_ms INTEGER NOT NULL,
        until_ms INTEGER NOT NULL,
        seal INTEGER NOT NULL
    ) STRICT;
";

/// Which letter was kept under which key of its writer. It has no seal: a row that is damaged lets
/// a letter be kept twice, or is taken for one that was kept.
const SENT: &str = "
    CREATE TABLE sent (
        account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
        key BLOB NOT NULL,
        letter INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (account, key)
    ) STRICT, WITHOUT ROWID;
";

/// Contents of files that were removed, the last of them: a server that dies before it has deleted
/// one does so at its next start.
const REMOVED: &str = "
    CREATE TABLE removed (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        hash BLOB NOT NULL
    ) STRICT;
";

/// Sessions whose tokens are void. It has no seal: a row that is damaged lets a token of a session
/// that was logged out be good until it expires.
const VOIDED: &str = "
    CREATE TABLE voided (
        account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
        origin INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (account, origin)
    ) STRICT, WITHOUT ROWID;
";

/// Brings the file to this version, in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    // Each in one transaction: another process may bring the file there at this moment.
    if version(&*connection.transaction()?)? == STEPS.len() {
        return Ok(());
    }
    // Who comes second finds it done.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    for step in &STEPS[found..] {
        transaction.execute_batch(step)?;
    }
    if found == 0 {
        let mut key = [0; 32];
        os::random(&mut key).map_err(StoreError::Random)?;
        transaction.execute("INSERT INTO meta VALUES ('token-key', ?1)", [&key[..]])?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
    }
    if !pair::has_identity(&transaction)? {
        pair::draw_identity(&transaction)?;
    }
    transaction.pragma_update(None, "user_version", STEPS_MAX as i64)?;
    Ok(transaction.commit()?)
}

/// Which version the file has, 0 if it is empty; never more than this Parlor knows. To be asked
/// within a transaction, for it reads more than one thing.
fn version(connection: &Connection) -> Result<usize, StoreError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match usize::try_from(version) {
        Ok(0) if application == 0 && tables == 0 => Ok(0),
        Ok(known @ 1..=STEPS_MAX) if application == APPLICATION => Ok(known),
        Ok(found) if application == APPLICATION => {
            Err(StoreError::Newer { found, known: STEPS.len() })
        }
        Ok(_) | Err(_) => Err(StoreError::Foreign),
    }
}

const STEPS_MAX: usize = STEPS.len();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Digest;
    use crate::store::mailboxes::Mailboxes;
    use crate::store::tests::{add, create, keep, numbers, texts, user};
    use crate::store::{FILE, Sqlite, Store as _, jobs};

    /// Makes the file of a Parlor that knew the first step only, with some content.
    fn first(data: &std::path::Path) {
        let mut file = Connection::open(data.join(FILE)).unwrap();
        file.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
        let transaction = file.transaction().unwrap();
        transaction.execute_batch(FIRST).unwrap();
        transaction.execute("INSERT INTO meta VALUES ('token-key', ?1)", [[7; 32]]).unwrap();
        transaction.pragma_update(None, "application_id", APPLICATION).unwrap();
        transaction.pragma_update(None, "user_version", 1).unwrap();
        for job in [create("Alice"), keep(1, "hello")] {
            let mut mailboxes = Mailboxes::default();
            jobs::run(&transaction, &job, &mut mailboxes, &mut Vec::new()).unwrap();
        }
        transaction.commit().unwrap();
    }

    #[test]
    fn a_store_without_files_becomes_one_that_has_them_and_keeps_all_else() {
        let data = tempfile::tempdir().unwrap();
        first(data.path());
        for next in [1, 2] {
            let mut store = Sqlite::open(data.path()).unwrap();
            let account = store.directory().unwrap().accounts.remove(0);
            assert_eq!((account.name, account.hash.as_str()), (user("alice"), "hash of Alice"));
            assert_eq!(texts(&mut store, 1), ["hello"]);
            assert_eq!(store.token_key(), Ok([7; 32]));
            assert_eq!(numbers(&mut store).1, next);
            store.commit(&[add(next)]);
            assert_eq!(numbers(&mut store).0.len(), next as usize);
            assert_eq!(store.troubles(), Vec::<String>::new());
        }
    }

    #[test]
    fn a_step_that_was_released_is_not_changed() {
        for (step, hash) in [
            (FIRST, "7811fd6fea3d6cc03d9e463b654ab23d919d93f1781afd68ef7aa141e535bf23"),
            (FILES, "a786017dd20e8331fdab28e2a6e41ce90b8115363a3bcc4fd041afb77613218a"),
        ] {
            assert_eq!(Digest(*blake3::hash(step.as_bytes()).as_bytes()).to_string(), hash);
        }
    }
}
