//! Rows of the file to values, and what of a damaged row can still be used.
//!
//! An account that is damaged keeps its name, so that nobody else can take it, and loses its
//! password and its tokens, so that nobody can come in with them. A damaged letter is lost.

use std::borrow::Cow;

use rusqlite::Row;
use rusqlite::types::FromSqlError;

use crate::id::{AccountId, LetterId};
use crate::job::{Account, Letter};
use crate::message::{Text, UserName};

/// What an account is made of in the file.
pub(super) const ACCOUNT: &str = "id, name, name_key, hash, epoch, seal";
/// What a letter is made of in the file.
pub(super) const LETTER: &str = "id, sender, text, at_ms, seal";

/// An account as it was found.
pub(super) struct Found {
    pub(super) account: Account,
    /// Whether it is as it was written.
    pub(super) is_sound: bool,
}

/// A number by which damage to an account is seen.
pub(super) fn seal_account(name: UserName, hash: &str, epoch: i64) -> i64 {
    seal(&[name.as_str().as_bytes(), hash.as_bytes(), &epoch.to_le_bytes()])
}

/// A number by which damage to a letter is seen; that it lies with the right receiver as well.
pub(super) fn seal_letter(to: i64, from: UserName, text: &str, at_ms: i64) -> i64 {
    let (to, at_ms) = (to.to_le_bytes(), at_ms.to_le_bytes());
    seal(&[&to, from.as_str().as_bytes(), text.as_bytes(), &at_ms])
}

/// Of a row of [`ACCOUNT`]; `None` if nobody can tell any more whose it is.
pub(super) fn account(row: &Row<'_>) -> rusqlite::Result<Option<Found>> {
    let id = AccountId(unsigned(row.get(0)?));
    let (written, key) = (user(row, 1)?, user(row, 2)?);
    let Some(name) = written.filter(|name| key.is_none_or(|key| key == *name)).or(key) else {
        return Ok(None);
    };
    let (hash, epoch, seal) = (text(row, 3)?, row.get(4)?, row.get::<_, i64>(5)?);
    let hash = hash.filter(|hash| seal_account(name, hash, epoch) == seal);
    Ok(Some(match hash {
        Some(hash) => {
            let epoch = unsigned(epoch);
            Found { account: Account { id, name, hash: hash.to_owned(), epoch }, is_sound: true }
        }
        None => Found {
            account: Account { id, name, hash: String::new(), epoch: u64::MAX },
            is_sound: false,
        },
    }))
}

/// Of a row of [`LETTER`] that was kept for `to`; `None` if it is damaged.
pub(super) fn letter(row: &Row<'_>, to: i64) -> rusqlite::Result<Option<Letter>> {
    let id = LetterId(unsigned(row.get(0)?));
    let (from, said) = (user(row, 1)?, text(row, 2)?);
    let (at_ms, seal) = (row.get(3)?, row.get::<_, i64>(4)?);
    Ok(from.zip(said).and_then(|(from, said)| {
        let is_sound = seal_letter(to, from, said, at_ms) == seal;
        let text = Text::parse(Cow::Borrowed(said), u64::MAX).ok().filter(|_| is_sound)?;
        Some(Letter { id, from, text, at_ms: unsigned(at_ms) })
    }))
}

/// A column that should hold the name of a user.
pub(super) fn user(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<UserName>> {
    Ok(text(row, column)?.and_then(|name| UserName::parse(name).ok()))
}

/// A column that should hold text; `None` if it does not.
fn text<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<Option<&'a str>> {
    let text: Result<&str, FromSqlError> = row.get_ref(column)?.as_str();
    Ok(text.ok())
}

/// The file knows signed numbers only; ours are never negative in it.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// The reverse of [`unsigned`]; what is too large for the file is its largest.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The first 64 bits of BLAKE3 over the parts, each with its length before it.
fn seal(parts: &[&[u8]]) -> i64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    i64::from_le_bytes(first)
}
