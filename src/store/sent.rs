//! Keys of letters, so that a letter that is sent twice is kept once.
//!
//! Refuses to know what is in a letter, and whether it has arrived. The rule it keeps: of each
//! account the newest [`MESSAGE_KEYS_A_USER`] keys are there, and few more.

use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::rows::signed;
use crate::id::{AccountId, LetterId};
use crate::limits::{MESSAGE_KEY_LIFE, MESSAGE_KEYS_A_USER};
use crate::message::MessageKey;

/// So many letters are kept before old keys are looked for: each look reads all of an account.
const PRUNE_EVERY: u64 = 64;

/// Whether a letter was kept under this key, not so long before `at_ms` that it counts no more.
pub(super) fn is_known(
    file: &Connection,
    (account, key): (AccountId, MessageKey),
    at_ms: u64,
) -> Result<bool> {
    let sql = "SELECT at_ms FROM sent WHERE account = ?1 AND key = ?2";
    let key = params![signed(account.0), key.0];
    let kept_ms = file.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
    Ok(kept_ms.is_some_and(|kept_ms: i64| is_fresh(kept_ms.unsigned_abs(), at_ms)))
}

/// Records that a letter was kept. The account may have been removed meanwhile.
pub(super) fn note(
    file: &Connection,
    (account, key): (AccountId, MessageKey),
    letter: LetterId,
    at_ms: u64,
) -> Result<()> {
    let account = signed(account.0);
    let sql = "INSERT OR REPLACE INTO sent (account, key, letter, at_ms)
               SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM accounts WHERE id = ?1)";
    let values = params![account, key.0, signed(letter.0), signed(at_ms)];
    file.prepare_cached(sql)?.execute(values)?;
    if letter.0.is_multiple_of(PRUNE_EVERY) {
        let sql = "DELETE FROM sent WHERE account = ?1 AND letter <= (
                       SELECT letter FROM sent WHERE account = ?1
                       ORDER BY letter DESC LIMIT 1 OFFSET ?2)";
        file.prepare_cached(sql)?.execute(params![account, MESSAGE_KEYS_A_USER])?;
    }
    Ok(())
}

/// Whether a key of then still counts. A clock that was put back makes none of them old.
pub(super) fn is_fresh(kept_ms: u64, at_ms: u64) -> bool {
    u128::from(at_ms.saturating_sub(kept_ms)) < MESSAGE_KEY_LIFE.as_millis()
}
