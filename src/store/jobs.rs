//! Each job as what it does to the file, within a transaction that somebody else has begun.

use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::mailboxes::Mailboxes;
use super::rows::{self, ACCOUNT, LETTER, STORED, signed};
use super::{pair, sent, taken, voided};
use crate::id::{AccountId, LetterId};
use crate::job::{Account, StoreJob, StoreOutcome, StoredFile};
use crate::message::{Text, UserName};

/// Does one job. Damage that it meets is added to `troubles`.
pub(super) fn run(
    file: &Connection,
    job: &StoreJob,
    mailboxes: &mut Mailboxes,
    troubles: &mut Vec<String>,
) -> Result<StoreOutcome> {
    match job {
        StoreJob::Create { name, hash } => create(file, *name, hash),
        StoreJob::SetHash { account, hash } => set_hash(file, *account, hash),
        StoreJob::Revoke { account } => revoke(file, *account),
        StoreJob::Void(of) => {
            if !exists(file, of.account)? {
                return Ok(StoreOutcome::NoAccount);
            }
            voided::note(file, *of)?;
            Ok(StoreOutcome::Done)
        }
        StoreJob::Block { account, user } => block(file, *account, *user),
        StoreJob::Unblock { account, user } => {
            let sql = "DELETE FROM blocks WHERE account = ?1 AND name_key = ?2";
            file.prepare_cached(sql)?.execute(params![signed(account.0), key(*user)])?;
            Ok(StoreOutcome::Done)
        }
        StoreJob::Keep { to, from, text, at_ms, most, once } => {
            if let Some(once) = once
                && sent::is_known(file, *once, *at_ms)?
            {
                return Ok(StoreOutcome::KeptBefore);
            }
            if mailboxes.count(file, *to)? >= *most && exists(file, *to)? {
                return Ok(StoreOutcome::Full);
            }
            let outcome = keep(file, *to, *from, text, *at_ms)?;
            if let StoreOutcome::Kept(letter) = outcome {
                mailboxes.on_kept(*to);
                once.map_or(Ok(()), |once| sent::note(file, once, letter, *at_ms))?;
            }
            Ok(outcome)
        }
        StoreJob::Letters { account, after, most } => {
            letters(file, *account, *after, *most, troubles)
        }
        StoreJob::AddFile(stored) => add_file(file, stored),
        StoreJob::RemoveFile { transfer } => {
            pair::note_removed(file, *transfer)?;
            file.prepare_cached("DELETE FROM files WHERE number = ?1")?.execute([transfer.0])?;
            Ok(StoreOutcome::Done)
        }
        StoreJob::Arrived { account, up_to } => {
            let sql = "DELETE FROM letters WHERE account = ?1 AND id <= ?2";
            let forgotten = params![signed(account.0), signed(up_to.0)];
            let forgotten = file.prepare_cached(sql)?.execute(forgotten)?;
            mailboxes.on_forgotten(*account, forgotten);
            Ok(StoreOutcome::Done)
        }
    }
}

/// What names are compared by, in the file.
pub(super) fn key(name: UserName) -> String {
    name.as_str().to_ascii_lowercase()
}

fn create(file: &Connection, name: UserName, hash: &str) -> Result<StoreOutcome> {
    // Not `ON CONFLICT`, which would use up a number.
    let sql = "INSERT INTO accounts (name, name_key, hash, epoch, seal) SELECT ?1, ?2, ?3, 0, ?4
               WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE name_key = ?2)";
    let seal = rows::seal_account(name, hash, 0);
    if file.execute(sql, params![name.as_str(), key(name), hash, seal])? == 0 {
        return Ok(StoreOutcome::Exists);
    }
    let id = AccountId(file.last_insert_rowid().unsigned_abs());
    Ok(StoreOutcome::Created(Account { id, name, hash: hash.to_owned(), epoch: 0 }))
}

/// Also repairs an account that was damaged.
pub(super) fn set_hash(file: &Connection, account: AccountId, hash: &str) -> Result<StoreOutcome> {
    let Some((found, epoch)) = find(file, account)? else { return Ok(StoreOutcome::NoAccount) };
    let (name, epoch) = (found.account.name, epoch.saturating_add(1));
    let sql = "UPDATE accounts SET name = ?2, name_key = ?3, hash = ?4, epoch = ?5, seal = ?6
               WHERE id = ?1";
    let seal = rows::seal_account(name, hash, epoch);
    file.execute(sql, params![signed(account.0), name.as_str(), key(name), hash, epoch, seal])?;
    voided::forget(file, account)?;
    Ok(StoreOutcome::Done)
}

/// Of a damaged account no token is good anyhow.
fn revoke(file: &Connection, account: AccountId) -> Result<StoreOutcome> {
    let Some((found, epoch)) = find(file, account)? else { return Ok(StoreOutcome::NoAccount) };
    if found.is_sound {
        let epoch = epoch.saturating_add(1);
        let seal = rows::seal_account(found.account.name, &found.account.hash, epoch);
        let sql = "UPDATE accounts SET epoch = ?2, seal = ?3 WHERE id = ?1";
        file.execute(sql, params![signed(account.0), epoch, seal])?;
    }
    voided::forget(file, account)?;
    Ok(StoreOutcome::Done)
}

/// An account and its epoch as it stands in the file.
fn find(file: &Connection, account: AccountId) -> Result<Option<(rows::Found, i64)>> {
    let sql = format!("SELECT {ACCOUNT} FROM accounts WHERE id = ?1");
    let found = |row: &rusqlite::Row<'_>| Ok(rows::account(row)?.zip(Some(row.get(4)?)));
    Ok(file.query_row(&sql, [signed(account.0)], found).optional()?.flatten())
}

fn exists(file: &Connection, account: AccountId) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM accounts WHERE id = ?1)";
    file.prepare_cached(sql)?.query_row([signed(account.0)], |row| row.get(0))
}

fn block(file: &Connection, account: AccountId, user: UserName) -> Result<StoreOutcome> {
    if !exists(file, account)? {
        return Ok(StoreOutcome::NoAccount);
    }
    let sql = "INSERT INTO blocks (account, name_key, name) VALUES (?1, ?2, ?3)
               ON CONFLICT DO NOTHING";
    file.execute(sql, params![signed(account.0), key(user), user.as_str()])?;
    Ok(StoreOutcome::Done)
}

fn keep(
    file: &Connection,
    to: AccountId,
    from: UserName,
    text: &Text,
    at_ms: u64,
) -> Result<StoreOutcome> {
    if !exists(file, to)? {
        return Ok(StoreOutcome::NoAccount);
    }
    let (to, at_ms, text) = (signed(to.0), signed(at_ms), text.as_str());
    let sql = "INSERT INTO letters (account, sender, text, at_ms, seal)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let seal = rows::seal_letter(to, from, text, at_ms);
    file.prepare_cached(sql)?.execute(params![to, from.as_str(), text, at_ms, seal])?;
    Ok(StoreOutcome::Kept(LetterId(file.last_insert_rowid().unsigned_abs())))
}

/// A damaged letter is passed over and does not count; it goes when those behind it have arrived.
fn letters(
    file: &Connection,
    account: AccountId,
    after: LetterId,
    most: u32,
    troubles: &mut Vec<String>,
) -> Result<StoreOutcome> {
    let sql = format!("SELECT {LETTER} FROM letters WHERE account = ?1 AND id > ?2 ORDER BY id");
    let mut statement = file.prepare_cached(&sql)?;
    let mut found = statement.query(params![signed(account.0), signed(after.0)])?;
    let mut letters = Vec::new();
    while let Some(row) = found.next()? {
        match rows::letter(row, signed(account.0))? {
            Some(_) if letters.len() >= most as usize => {
                return Ok(StoreOutcome::Letters { letters, more: true });
            }
            Some(letter) => letters.push(letter),
            None => {
                let (id, whose) = (row.get::<_, i64>(0)?, account.0);
                troubles.push(format!("letter {id} of account {whose} is damaged and left out"));
            }
        }
    }
    Ok(StoreOutcome::Letters { letters, more: false })
}

/// What is there under its number stays: two servers on one store would take a file from each
/// other. The same file again is done.
fn add_file(file: &Connection, stored: &StoredFile) -> Result<StoreOutcome> {
    let line = &stored.line;
    let (kind, to) = rows::target(&line.to);
    let values = params![
        line.transfer.0,
        line.from.as_str(),
        stored.owner.map(|account| signed(account.0)),
        kind,
        to,
        stored.receiver.map(|account| signed(account.0)),
        line.name.as_str(),
        signed(line.size),
        line.hash.0,
        line.sha256.0,
        signed(line.at),
        signed(line.until),
        rows::seal_file(stored),
    ];
    let sql = format!(
        "INSERT INTO files ({STORED})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING"
    );
    if file.prepare_cached(&sql)?.execute(values)? > 0 {
        return Ok(StoreOutcome::Done);
    }
    let sql = format!("SELECT {STORED} FROM files WHERE number = ?1");
    let there = file.query_row(&sql, [line.transfer.0], |row| Ok(rows::file(row))).optional()?;
    let is_same = there.flatten().as_ref() == Some(stored);
    Ok(if is_same { StoreOutcome::Done } else { taken(line.transfer) })
}
