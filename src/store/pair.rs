//! What ties the store to the folder of its files: its identity, its generation, and which contents
//! were removed last.
//!
//! Refuses to know that folder. The rule it keeps: a content counts as removed only for the server
//! that removed it and the next one; after a restore nobody can say so any more.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::StoreError;
use crate::id::{StoreId, TransferId};
use crate::limits::REMOVED_MAX;
use crate::message::Digest;
use crate::os;

const IDENTITY: &str = "identity";
const GENERATION: &str = "generation";

/// A file is about to be forgotten; its content goes soon after, unless the server dies.
pub(super) fn note_removed(file: &Connection, transfer: TransferId) -> rusqlite::Result<()> {
    let sql = "INSERT INTO removed (hash) SELECT hash FROM files WHERE number = ?1";
    if file.prepare_cached(sql)?.execute([transfer.0])? > 0 {
        let last = file.last_insert_rowid();
        let sql = "DELETE FROM removed WHERE number <= ?1";
        file.prepare_cached(sql)?.execute([last.saturating_sub(REMOVED_MAX)])?;
    }
    Ok(())
}

/// Whether the store has an identity.
pub(super) fn has_identity(file: &Connection) -> Result<bool, StoreError> {
    Ok(get::<16>(file, IDENTITY)?.is_some())
}

/// Gives the store an identity.
pub(super) fn draw_identity(file: &Connection) -> Result<(), StoreError> {
    let mut identity = [0; 16];
    os::random(&mut identity).map_err(StoreError::Random)?;
    put(file, IDENTITY, &identity)
}

/// Which store this is.
pub(super) fn id(file: &Connection) -> Result<StoreId, StoreError> {
    let damaged = || StoreError::Damaged("it has no identity".to_owned());
    let identity = get(file, IDENTITY)?.ok_or_else(damaged)?;
    let generation = get(file, GENERATION)?.map_or(0, u64::from_be_bytes);
    Ok(StoreId { identity, generation })
}

/// Another generation begins; what was removed in those before it is done with.
pub(super) fn begin(file: &Connection, generation: u64) -> Result<StoreId, StoreError> {
    put(file, GENERATION, &generation.to_be_bytes())?;
    file.execute("DELETE FROM removed", [])?;
    id(file)
}

/// Contents that were removed and may be there still.
pub(super) fn removed(file: &Connection) -> Result<BTreeSet<Digest>, StoreError> {
    let mut rows = file.prepare("SELECT hash FROM removed")?;
    let hashes = rows.query_map([], |row| row.get(0).map(Digest))?;
    Ok(hashes.collect::<rusqlite::Result<_>>()?)
}

fn get<const N: usize>(file: &Connection, key: &str) -> Result<Option<[u8; N]>, StoreError> {
    let sql = "SELECT value FROM meta WHERE key = ?1";
    Ok(file.query_row(sql, [key], |row| row.get(0)).optional()?)
}

fn put(file: &Connection, key: &str, value: &[u8]) -> Result<(), StoreError> {
    let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
    file.execute(sql, params![key, value])?;
    Ok(())
}
