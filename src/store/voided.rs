//! Sessions of accounts whose tokens are void, until these would have expired.
//!
//! The rule it keeps: one more of an account takes out those whose tokens have expired, so that
//! what is kept is what the hub knows.

use rusqlite::{Connection, Result, params};

use super::rows::signed;
use crate::id::AccountId;
use crate::job::Voided;
use crate::limits::TOKEN_LIFE;

/// Records one more.
pub(super) fn note(file: &Connection, of: Voided) -> Result<()> {
    let Voided { account, origin, at_ms } = of;
    let (account, at_ms) = (signed(account.0), signed(at_ms));
    let life_ms = i64::try_from(TOKEN_LIFE.as_millis()).unwrap_or(i64::MAX);
    let sql = "DELETE FROM voided WHERE account = ?1 AND at_ms <= ?2";
    file.prepare_cached(sql)?.execute(params![account, at_ms.saturating_sub(life_ms)])?;
    let sql = "INSERT OR REPLACE INTO voided (account, origin, at_ms) VALUES (?1, ?2, ?3)";
    file.prepare_cached(sql)?.execute(params![account, signed(origin), at_ms])?;
    Ok(())
}

/// All tokens of an account are void by its epoch.
pub(super) fn forget(file: &Connection, account: AccountId) -> Result<()> {
    let sql = "DELETE FROM voided WHERE account = ?1";
    file.prepare_cached(sql)?.execute([signed(account.0)])?;
    Ok(())
}

/// All of them.
pub(super) fn read(file: &Connection) -> Result<Vec<Voided>> {
    let sql = "SELECT account, origin, at_ms FROM voided ORDER BY account, origin";
    let mut all = file.prepare(sql)?;
    let voided = all.query_map([], |row| {
        let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
        Ok(Voided { account: AccountId(number(0)?), origin: number(1)?, at_ms: number(2)? })
    })?;
    voided.collect()
}
