//! What is in the file, and how a file of an older Parlor becomes one of this.
//!
//! Letters and accounts carry a seal over their content: SQLite finds damage to its own structure,
//! but not a bit that flips within a name or a text.

use rusqlite::{Connection, TransactionBehavior};

use super::sqlite::Error;
use crate::os;

/// In the header of the file, by which ours is told from any other: "Parl".
const APPLICATION: i64 = 0x5061_726c;

/// One step for each version of the schema, never changed once it was released.
///
/// `AUTOINCREMENT` is what keeps a number from being used again after the highest was removed.
const STEPS: [&str; 1] = ["
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
"];

/// Brings the file to this version, in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Error> {
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
        os::random(&mut key).map_err(Error::Random)?;
        transaction.execute("INSERT INTO meta VALUES ('token-key', ?1)", [&key[..]])?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
    }
    transaction.pragma_update(None, "user_version", STEPS_MAX as i64)?;
    Ok(transaction.commit()?)
}

/// Which version the file has, 0 if it is empty; never more than this Parlor knows. To be asked
/// within a transaction, for it reads more than one thing.
fn version(connection: &Connection) -> Result<usize, Error> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match usize::try_from(version) {
        Ok(0) if application == 0 && tables == 0 => Ok(0),
        Ok(known @ 1..=STEPS_MAX) if application == APPLICATION => Ok(known),
        Ok(found) if application == APPLICATION => Err(Error::Newer { found, known: STEPS.len() }),
        Ok(_) | Err(_) => Err(Error::Foreign),
    }
}

const STEPS_MAX: usize = STEPS.len();
