//! Rows of the file to values, and what of a damaged row can still be used.
//!
//! An account that is damaged keeps its name, so that nobody else can take it, and loses its
//! password and its tokens, so that nobody can come in with them. A damaged letter is lost, and
//! so is what is known of a file.

use std::borrow::Cow;

use rusqlite::Row;
use rusqlite::types::FromSqlError;

use crate::id::{AccountId, LetterId, TransferId};
use crate::job::{Account, Letter, StoredFile};
use crate::message::{Digest, FileLine, FileName, RoomName, Target, Text, UserName};

/// What an account is made of in the file.
pub(super) const ACCOUNT: &str = "id, name, name_key, hash, epoch, seal";
/// What a letter is made of in the file.
pub(super) const LETTER: &str = "id, sender, text, at_ms, seal";
/// What is known of somebody's file in the file.
pub(super) const STORED: &str = "number, sender, owner, kind, target, receiver, name, size, hash, \
                                 sha256, at_ms, until_ms, seal";

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

/// A number by which damage to what is known of a file is seen.
pub(super) fn seal_file(file: &StoredFile) -> i64 {
    let StoredFile { line, owner, receiver } = file;
    let (kind, to) = target(&line.to);
    let bytes = |number| signed(number).to_le_bytes();
    // None has no bytes, any account has eight.
    let account = |account: &Option<AccountId>| account.map(|account| bytes(account.0));
    let (owner, receiver) = (account(owner), account(receiver));
    seal(&[
        &line.transfer.0.to_le_bytes(),
        line.from.as_str().as_bytes(),
        owner.as_ref().map_or(&[], |bytes| &bytes[..]),
        kind.as_bytes(),
        to.unwrap_or_default().as_bytes(),
        receiver.as_ref().map_or(&[], |bytes| &bytes[..]),
        line.name.as_str().as_bytes(),
        &bytes(line.size),
        &line.hash.0,
        &line.sha256.0,
        &bytes(line.at),
        &bytes(line.until),
    ])
}

/// Whom a file is for, as its kind and a name of that kind. The reverse of [`read_target`].
pub(super) fn target(to: &Target) -> (&'static str, Option<&str>) {
    match to {
        Target::User(user) => ("user", Some(user.as_str())),
        Target::Room(room) => ("room", Some(room.as_str())),
        Target::Shelf(room) => ("shelf", Some(room.as_str())),
        Target::Public => ("public", None),
    }
}

/// Of a row of [`ACCOUNT`]; `None` if nobody can tell any more whose it is.
pub(super) fn account(row: &Row<'_>) -> rusqlite::Result<Option<Found>> {
    let id = account_id(row.get(0)?);
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

/// Of a row of [`STORED`]; `None` if it is damaged.
pub(super) fn file(row: &Row<'_>) -> Option<StoredFile> {
    let file = StoredFile {
        line: FileLine {
            transfer: TransferId(number(row, 0)?.try_into().ok()?),
            from: user(row, 1).ok()??,
            to: read_target(text(row, 3).ok()??, text(row, 4).ok()?)?,
            name: FileName::parse(text(row, 6).ok()??).ok()?,
            size: number(row, 7)?,
            hash: Digest(row.get(8).ok()?),
            sha256: Digest(row.get(9).ok()?),
            at: number(row, 10)?,
            until: number(row, 11)?,
        },
        owner: row.get::<_, Option<_>>(2).ok()?.map(account_id),
        receiver: row.get::<_, Option<_>>(5).ok()?.map(account_id),
    };
    (seal_file(&file) == row.get::<_, i64>(12).ok()?).then_some(file)
}

fn read_target(kind: &str, name: Option<&str>) -> Option<Target> {
    let room = || name.and_then(|name| RoomName::parse(name).ok());
    match (kind, name) {
        ("user", Some(name)) => UserName::parse(name).ok().map(Target::User),
        ("room", _) => room().map(Target::Room),
        ("shelf", _) => room().map(Target::Shelf),
        ("public", None) => Some(Target::Public),
        _ => None,
    }
}

/// A column that should hold a number; `None` if it does not.
pub(super) fn number(row: &Row<'_>, column: usize) -> Option<u64> {
    u64::try_from(row.get::<_, i64>(column).ok()?).ok()
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

fn account_id(number: i64) -> AccountId {
    AccountId(unsigned(number))
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
