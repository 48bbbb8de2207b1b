//! How many letters are kept for whom, known by heart, so that to keep one costs the same however
//! many wait.
//!
//! Refuses to know what is in them. The rule it keeps: a count is believed only while nobody else
//! has committed and no transaction of ours has failed; otherwise it is counted anew.

use std::collections::BTreeMap;

use rusqlite::{Connection, Result};

use super::rows::signed;
use crate::id::AccountId;

/// The counts that are known. After a transaction that failed, begin with new ones.
#[derive(Debug, Default)]
pub(super) struct Mailboxes {
    /// SQLite's count of foreign commits for which they hold.
    version: Option<i64>,
    counts: BTreeMap<AccountId, u64>,
}

impl Mailboxes {
    /// A transaction begins, for which the count of foreign commits is `version`.
    pub(super) fn begin(&mut self, version: i64) {
        if self.version != Some(version) {
            *self = Self { version: Some(version), counts: BTreeMap::new() };
        }
    }

    /// How many letters are kept for an account.
    pub(super) fn count(&mut self, file: &Connection, account: AccountId) -> Result<u64> {
        if let Some(&count) = self.counts.get(&account) {
            return Ok(count);
        }
        let sql = "SELECT count(*) FROM letters WHERE account = ?1";
        let count: i64 =
            file.prepare_cached(sql)?.query_row([signed(account.0)], |row| row.get(0))?;
        let count = count.unsigned_abs();
        self.counts.insert(account, count);
        Ok(count)
    }

    /// One more is kept.
    pub(super) fn on_kept(&mut self, account: AccountId) {
        if let Some(count) = self.counts.get_mut(&account) {
            *count += 1;
        }
    }

    /// So many are forgotten.
    pub(super) fn on_forgotten(&mut self, account: AccountId, letters: usize) {
        if let Some(count) = self.counts.get_mut(&account) {
            *count = count.saturating_sub(letters as u64);
        }
    }
}
