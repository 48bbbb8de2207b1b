//! What only a file can show: full disks, damage, other processes, versions.

use super::super::tests::{
    add, create, keep, keep_once, letters, numbers, remove, stored, texts, user,
};
use super::*;
use crate::id::{LetterId, StoreId};
use crate::job::{Account, Letter};
use crate::limits::REMOVED_MAX;
use crate::message::Digest;
use crate::store::{Import, Imported};
use std::fs::File;
use tempfile::TempDir;

fn new() -> (TempDir, Sqlite) {
    let data = tempfile::tempdir().unwrap();
    let store = Sqlite::open(data.path()).unwrap();
    (data, store)
}

fn is_failed(outcomes: &[StoreOutcome]) -> bool {
    outcomes.iter().all(|outcome| matches!(outcome, StoreOutcome::Failed(_)))
}

/// Lets the file have as many pages as it has, and `more`.
fn limit_pages(store: &mut Sqlite, more: i64) {
    let limit = |file: &Connection| {
        let pages: i64 = file.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let limit = pages + more;
        Ok(file.pragma_update_and_check(None, "max_page_count", limit, |_| Ok(()))?)
    };
    store.with(limit).unwrap();
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let (data, mut store) = new();
    let block = StoreJob::Block { account: AccountId(1), user: user("Bob") };
    store.commit(&[create("Alice"), block, keep(1, "one"), keep(1, "two\nlines")]);
    store.commit(&[add(1), add(2), remove(2)]);
    let (directory, key) = (store.directory().unwrap(), store.token_key().unwrap());
    drop(store);
    let mut store = Sqlite::open(data.path()).unwrap();
    assert_eq!(store.directory().unwrap(), directory);
    assert_eq!(directory.blocks, [(AccountId(1), user("bob"))]);
    assert_eq!(texts(&mut store, 1), ["one", "two\nlines"]);
    assert_eq!(store.files().unwrap().files, [stored(1)]);
    assert_eq!(numbers(&mut store), (vec![1], 3));
    assert_eq!(store.token_key().unwrap(), key);
}

#[test]
fn the_newest_keys_of_each_account_are_known_after_a_restart_and_few_others() {
    let (data, mut store) = new();
    store.commit(&[create("alice"), create("bob")]);
    let send = |by: u64, key: u64| keep_once(1, "hello", by, &key.to_string(), 7);
    let many: Vec<_> = (0..1000).map(|key| send(2, key)).chain([send(1, 0)]).collect();
    store.commit(&many);
    drop(store);
    let mut store = Sqlite::open(data.path()).unwrap();
    let count = |file: &Connection| {
        let sql = "SELECT count(*) FROM sent WHERE account = 2";
        Ok(file.query_row(sql, [], |row| row.get::<_, i64>(0))?)
    };
    let kept = store.with(count).unwrap();
    assert!((256..256 + 64).contains(&kept), "{kept} keys");
    let newest: Vec<_> = (744..1000).map(|key| send(2, key)).chain([send(1, 0)]).collect();
    let outcomes = store.commit(&newest);
    assert!(outcomes.iter().all(|outcome| *outcome == StoreOutcome::KeptBefore), "{outcomes:?}");
    assert!(matches!(store.commit(&[send(2, 0)])[0], StoreOutcome::Kept(_)), "it is forgotten");
    // With the account its keys are gone.
    store.remove(user("bob")).unwrap();
    assert_eq!(store.with(count).unwrap(), 0);
}

#[test]
fn each_store_has_a_secret_of_its_own() {
    let ((_one, mut one), (_other, mut other)) = (new(), new());
    assert_ne!(one.token_key().unwrap(), other.token_key().unwrap());
}

#[test]
fn when_the_disk_is_full_a_commit_fails_as_a_whole_and_the_next_may_succeed() {
    let (_data, mut store) = new();
    store.commit(&[create("alice"), create("bob"), keep(1, "before")]);
    limit_pages(&mut store, 1);
    let large = "x".repeat(20_000);
    let batch = [keep(1, "first"), add(1), keep(2, "small"), keep(2, &large), letters(1)];
    for _ in 0..3 {
        let outcomes = store.commit(&batch);
        assert!(is_failed(&outcomes), "{outcomes:?}");
        assert_eq!(outcomes[0], StoreOutcome::Failed("database or disk is full".into()));
        // Reading continues, and nothing of the batch is there.
        assert_eq!(texts(&mut store, 1), ["before"]);
        assert_eq!(texts(&mut store, 2), Vec::<String>::new());
        assert_eq!(numbers(&mut store), (vec![], 1));
    }
    limit_pages(&mut store, 1000);
    assert!(!is_failed(&store.commit(&batch)));
    assert_eq!(texts(&mut store, 1), ["before", "first"]);
    assert_eq!(texts(&mut store, 2), ["small", &large]);
}

#[test]
fn before_the_first_job_that_writes_the_log_is_swept_and_for_a_look_it_is_not() {
    let account = AccountId(1);
    let writing = [
        create("alice"),
        StoreJob::SetHash { account, hash: "new".into() },
        StoreJob::Revoke { account },
        StoreJob::Block { account, user: user("bob") },
        StoreJob::Unblock { account, user: user("bob") },
        keep(1, "hello"),
        add(1),
        remove(1),
        StoreJob::Arrived { account, up_to: LetterId(1) },
    ];
    for job in writing {
        let (_data, mut store) = new();
        store.files().unwrap();
        store.commit(&[letters(1)]);
        assert!(!store.is_swept);
        store.commit(std::slice::from_ref(&job));
        assert!(store.is_swept, "{job:?}");
    }
}

#[test]
fn after_a_connection_is_lost_the_next_commit_makes_a_new_one() {
    let (data, mut store) = new();
    store.commit(&[create("alice")]);
    store.directory().unwrap();
    let hidden = data.path().join("hidden");
    std::fs::rename(data.path().join(FILE), &hidden).unwrap();
    store.connection = None;
    assert!(is_failed(&store.commit(&[create("bob")])));
    assert!(store.is_changed().is_err());
    std::fs::rename(hidden, data.path().join(FILE)).unwrap();
    assert!(matches!(store.commit(&[create("bob")])[0], StoreOutcome::Created(_)));
    // Nobody knows what happened in between.
    assert_eq!(store.is_changed(), Ok(true));
    assert_eq!(store.directory().unwrap().accounts.len(), 2);
}

#[test]
fn a_change_by_another_process_is_noticed_until_the_directory_is_read() {
    let (data, mut store) = new();
    let mut other = Sqlite::open(data.path()).unwrap();
    store.directory().unwrap();
    other.commit(&[create("alice")]);
    // A commit of our own in between does not hide it.
    store.commit(&[create("bob")]);
    assert_eq!(store.is_changed(), Ok(true));
    assert_eq!(store.is_changed(), Ok(true));
    assert_eq!(store.directory().unwrap().accounts.len(), 2);
    assert_eq!(store.is_changed(), Ok(false));
    assert!(other.remove(user("ALICE")).unwrap());
    assert_eq!(store.is_changed(), Ok(true));
}

#[test]
fn a_mailbox_is_counted_anew_when_others_have_committed_or_a_commit_has_failed() {
    let (data, mut store) = new();
    store.commit(&[create("alice"), keep(1, "a"), keep(1, "b"), keep(1, "c")]);
    assert_eq!(store.commit(&[keep(1, "d")]), [StoreOutcome::Full]);
    let arrived = |up_to| StoreJob::Arrived { account: AccountId(1), up_to: LetterId(up_to) };
    let mut other = Sqlite::open_existing(data.path()).unwrap();
    other.commit(&[arrived(1)]);
    let outcomes = store.commit(&[keep(1, "e"), keep(1, "f")]);
    assert_eq!(outcomes, [StoreOutcome::Kept(LetterId(4)), StoreOutcome::Full]);
    // What a transaction that is rolled back has forgotten is there still.
    limit_pages(&mut store, 0);
    let large = StoreJob::Create { name: user("zoe"), hash: "x".repeat(100_000) };
    assert!(is_failed(&store.commit(&[arrived(4), large])));
    limit_pages(&mut store, 1_000);
    assert_eq!(store.commit(&[keep(1, "g")]), [StoreOutcome::Full]);
    assert_eq!(texts(&mut store, 1), ["b", "c", "e"]);
}

#[test]
fn who_only_reads_does_not_wait_for_who_writes() {
    let (data, mut store) = new();
    store.commit(&[create("alice"), keep(1, "hello")]);
    let writer = Connection::open(data.path().join(FILE)).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE; DELETE FROM letters;").unwrap();
    store.with(|file| Ok(file.busy_timeout(std::time::Duration::ZERO)?)).unwrap();
    assert_eq!(texts(&mut store, 1), ["hello"]);
    assert!(is_failed(&store.commit(&[keep(1, "again")])));
}

#[test]
fn a_removed_account_leaves_nothing_and_its_number_is_not_used_again() {
    let (_data, mut store) = new();
    let block = StoreJob::Block { account: AccountId(1), user: user("bob") };
    store.commit(&[create("alice"), block, keep(1, "hello")]);
    assert!(store.remove(user("Alice")).unwrap());
    assert!(!store.remove(user("alice")).unwrap());
    assert_eq!(store.directory().unwrap(), Directory::default());
    let outcomes = store.commit(&[create("alice"), letters(2)]);
    let Some(StoreOutcome::Created(Account { id, .. })) = outcomes.first() else {
        panic!("{outcomes:?}");
    };
    assert_eq!(*id, AccountId(2));
    assert_eq!(texts(&mut store, 1), Vec::<String>::new());
}

#[test]
fn files_stay_when_the_accounts_they_speak_of_are_removed() {
    let (_data, mut store) = new();
    store.commit(&[create("zoe"), create("alice"), add(1)]);
    assert!(store.remove(user("zoe")).unwrap() && store.remove(user("alice")).unwrap());
    let imported = [(user("zoe"), "imported".to_owned())];
    assert_eq!(store.import(&imported, Import::NewOnly).unwrap(), Imported::All);
    assert_eq!(store.files().unwrap().files, [stored(1)]);
    // Without an account they can be added, too.
    assert_eq!(store.commit(&[add(2)]), [StoreOutcome::Done]);
}

#[test]
fn an_import_is_done_whole_or_not_at_all() {
    let (_data, mut store) = new();
    store.commit(&[create("bob")]);
    let accounts = ["alice", "BOB"].map(|name| (user(name), "imported".to_owned()));
    let taken = store.import(&accounts, Import::NewOnly).unwrap();
    assert_eq!(taken, Imported::Taken(user("bob")));
    assert_eq!(store.directory().unwrap().accounts.len(), 1);
    assert_eq!(store.import(&accounts, Import::Replace).unwrap(), Imported::All);
    let accounts = store.directory().unwrap().accounts;
    let told: Vec<_> =
        accounts.iter().map(|a| (a.name.as_str(), a.hash.as_str(), a.epoch)).collect();
    assert_eq!(told, [("bob", "imported", 1), ("alice", "imported", 0)]);
}

#[test]
fn a_backup_is_the_store_of_one_moment_and_overwrites_nothing() {
    let (data, mut store) = new();
    store.commit(&[create("alice"), keep(1, "hello"), add(1), add(2), remove(2)]);
    let (directory, key) = (store.directory().unwrap(), store.token_key().unwrap());
    let restored = data.path().join("restored");
    std::fs::create_dir(&restored).unwrap();
    store.backup(&restored.join(FILE)).unwrap();
    let again = store.backup(&restored.join(FILE)).unwrap_err();
    assert!(matches!(again, StoreError::Create(_)), "{again}");
    store.commit(&[keep(1, "too late"), remove(1)]);
    let mut copy = Sqlite::open_existing(&restored).unwrap();
    assert_eq!((copy.directory().unwrap(), copy.token_key().unwrap()), (directory, key));
    assert_eq!(texts(&mut copy, 1), ["hello"]);
    // Numbers continue where they were.
    assert_eq!(numbers(&mut copy), (vec![1], 3));
    assert_eq!(copy.commit(&[keep(1, "new")]), [StoreOutcome::Kept(LetterId(2))]);
}

#[test]
fn a_store_that_is_not_there_is_made_only_when_asked() {
    let data = tempfile::tempdir().unwrap();
    assert!(matches!(Sqlite::open_existing(data.path()), Err(StoreError::Missing)));
    assert!(std::fs::read_dir(data.path()).unwrap().next().is_none());
}

#[test]
fn a_file_of_a_newer_parlor_or_of_another_program_is_refused_and_left_alone() {
    let (data, store) = new();
    store.connection.as_ref().unwrap().pragma_update(None, "user_version", 9).unwrap();
    drop(store);
    let error = Sqlite::open(data.path()).unwrap_err().to_string();
    assert_eq!(error, "a newer Parlor wrote it (schema 9, this one knows 5); run that one");

    let data = tempfile::tempdir().unwrap();
    let path = data.path().join(FILE);
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE recipes (name)").unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(Sqlite::open(data.path()), Err(StoreError::Foreign)));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_store_gets_its_name_once_it_is_whole_and_never_beside_a_log() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join(FILE);
    let log = data.path().join("parlor.db-wal");
    std::fs::write(&log, "of the one that is gone").unwrap();
    assert!(matches!(Sqlite::open(data.path()), Err(StoreError::Beheaded)));
    assert!(!path.exists() && log.exists());
    std::fs::remove_file(log).unwrap();
    super::create(data.path()).unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() > 0);
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 1);
    // What has lost its content is not made anew.
    std::fs::write(&path, "").unwrap();
    let error = Sqlite::open(data.path()).unwrap_err();
    assert!(error.to_string().starts_with("it is damaged (it is empty)"), "{error}");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
}

#[cfg(unix)]
#[test]
fn a_store_that_has_another_name_is_refused_by_each_of_them() {
    let (data, store) = new();
    let other = tempfile::tempdir().unwrap();
    let (path, link) = (data.path().join(FILE), other.path().join(FILE));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let refused = |folder: &TempDir| matches!(Sqlite::open(folder.path()), Err(StoreError::Link));
    assert!(refused(&other) && !refused(&data));
    std::fs::remove_file(&link).unwrap();
    std::fs::hard_link(&path, &link).unwrap();
    assert!(refused(&other) && refused(&data));
    std::fs::remove_file(&link).unwrap();
    drop(store);
    std::os::unix::fs::symlink(other.path().join("log"), data.path().join("parlor.db-wal"))
        .unwrap();
    assert!(refused(&data));
    assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 0);
}

/// The next number is beyond every row, also one that cannot be read.
#[test]
fn the_number_of_a_damaged_file_is_not_given_again() {
    let (data, mut store) = new();
    store.commit(&[add(4), add(5)]);
    drop(store);
    let other = Connection::open(data.path().join(FILE)).unwrap();
    other.execute("UPDATE files SET seal = 0 WHERE number = 5", []).unwrap();
    other.execute("DELETE FROM sqlite_sequence", []).unwrap();
    drop(other);
    let mut store = Sqlite::open(data.path()).unwrap();
    assert_eq!(numbers(&mut store), (vec![4], 6));
}

#[test]
fn a_store_has_an_identity_of_its_own_and_counts_its_generations() {
    let ((_one, mut store), (_two, mut other)) = (new(), new());
    let id = store.id().unwrap();
    assert_eq!((id.generation, id == store.id().unwrap()), (0, true));
    assert_ne!(id.identity, other.id().unwrap().identity);
    assert_eq!(store.begin_generation(7).unwrap(), StoreId { generation: 7, ..id });
    assert_eq!(store.id().unwrap().generation, 7);
}

#[test]
fn the_contents_that_were_removed_last_are_known_until_the_next_generation() {
    let (data, mut store) = new();
    let content = |number: u32| {
        let mut file = stored(number);
        file.line.hash = Digest([u8::try_from(number % 256).unwrap(); 32]);
        StoreJob::AddFile(Box::new(file))
    };
    store.commit(&[content(1), content(2), content(3)]);
    store.commit(&[remove(1), remove(3), remove(3), remove(9)]);
    let hashes = [1, 3].map(|number| Digest([number; 32]));
    assert_eq!(store.removed().unwrap(), hashes.into());
    drop(store);
    let mut store = Sqlite::open(data.path()).unwrap();
    assert_eq!(store.removed().unwrap(), hashes.into());
    let numbers: Vec<_> = (10..10 + u32::try_from(REMOVED_MAX).unwrap() + 5).collect();
    let all = numbers.iter().flat_map(|&number| [content(number), remove(number)]);
    store.commit(&all.collect::<Vec<_>>());
    let count = "SELECT count(*) FROM removed";
    let kept = store.with(|file| Ok(file.query_row(count, [], |row| row.get::<_, i64>(0))?));
    assert_eq!(kept.unwrap(), REMOVED_MAX);
    store.begin_generation(1).unwrap();
    assert_eq!(store.removed().unwrap(), [].into());
}

#[test]
fn a_file_that_is_no_database_or_a_damaged_one_is_one_clear_error() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join(FILE);
    std::fs::write(&path, "not a database, but longer than nothing".repeat(100)).unwrap();
    let error = Sqlite::open(data.path()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");

    let (data, mut store) = new();
    store.commit(&[create("alice"), keep(1, &"x".repeat(50_000))]);
    drop(store);
    let path = data.path().join(FILE);
    let length = std::fs::metadata(&path).unwrap().len();
    File::options().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
    let error = Sqlite::open(data.path()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
}

/// Changes one byte of each `from` in the closed file.
fn damage(data: &TempDir, from: &str, at: usize) {
    let path = data.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    let found: Vec<usize> =
        (0..bytes.len()).filter(|i| bytes[*i..].starts_with(from.as_bytes())).collect();
    assert!(!found.is_empty(), "{from} is not in the file");
    for place in found {
        bytes[place + at] ^= 1;
    }
    std::fs::write(&path, bytes).unwrap();
}

#[test]
fn a_damaged_letter_is_left_out_and_reported_and_those_around_it_arrive() {
    let (data, mut store) = new();
    store.commit(&[create("alice"), keep(1, "first"), keep(1, "second"), keep(1, "third")]);
    drop(store);
    damage(&data, "second", 3);
    let mut store = Sqlite::open(data.path()).unwrap();
    assert_eq!(texts(&mut store, 1), ["first", "third"]);
    assert_eq!(store.troubles(), ["letter 2 of account 1 is damaged and left out"]);
    assert_eq!(store.troubles(), Vec::<String>::new());
    // It does not count, or somebody who reads one at a time would never get past it.
    let read = StoreJob::Letters { account: AccountId(1), after: LetterId(1), most: 1 };
    let StoreOutcome::Letters { letters, more } = store.commit(&[read]).remove(0) else { panic!() };
    assert_eq!((letters.len(), more), (1, false));
    store.commit(&[StoreJob::Arrived { account: AccountId(1), up_to: LetterId(3) }]);
    assert_eq!(texts(&mut store, 1), Vec::<String>::new());
}

#[test]
fn a_damaged_file_is_left_out_and_reported_until_it_is_removed() {
    for part in ["Zoe", "Alice", "(1).tar", "hhhhhhhh", "ssssssss"] {
        let (data, mut store) = new();
        store.commit(&[add(5)]);
        drop(store);
        damage(&data, part, 1);
        let mut store = Sqlite::open(data.path()).unwrap();
        store.commit(&[add(4), add(6)]);
        assert_eq!(numbers(&mut store), (vec![4, 6], 7), "{part}");
        assert_eq!(store.troubles(), ["file 5 is damaged and left out"]);
        assert!(store.files().unwrap().is_damaged);
        // It is not written over.
        assert!(is_failed(&store.commit(&[add(5)])));
        assert!(store.files().unwrap().is_damaged);
        store.commit(&[remove(5), add(5)]);
        assert_eq!(store.files().unwrap().files, [4, 5, 6].map(stored));
        assert!(!store.files().unwrap().is_damaged);
    }
}

#[test]
fn whatever_changes_in_a_row_of_a_file_is_seen() {
    let changes = [
        "number = 3",
        "number = -1",
        "number = 4294967297",
        "sender = 'zoe'",
        "sender = ''",
        "owner = 2",
        "owner = NULL",
        "owner = -1",
        "kind = 'room'",
        "kind = 'shelf'",
        "kind = 'public'",
        "kind = 'public', target = NULL",
        "kind = ''",
        "target = 'alice'",
        "target = NULL",
        "receiver = 1",
        "receiver = NULL",
        "owner = NULL, receiver = 1",
        "name = '../x'",
        "name = name || 'x'",
        "size = size + 1",
        "size = -size",
        "hash = sha256",
        "hash = x'00'",
        "sha256 = hash",
        "sha256 = x''",
        "at_ms = at_ms + 1",
        "until_ms = at_ms",
        "seal = seal + 1",
    ];
    let (data, mut store) = new();
    for change in changes {
        store.commit(&[add(1), add(2)]);
        let other = Connection::open(data.path().join(FILE)).unwrap();
        other.execute(&format!("UPDATE files SET {change} WHERE number = 2"), []).unwrap();
        let found = store.files().unwrap();
        assert_eq!((found.files, found.is_damaged), (vec![stored(1)], true), "{change}");
        assert_eq!(store.troubles().len(), 1, "{change}");
        other.execute("DELETE FROM files", []).unwrap();
    }
    store.commit(&[add(2)]);
    let other = Connection::open(data.path().join(FILE)).unwrap();
    other.execute("UPDATE files SET size = 0", []).unwrap();
    store.commit(&[remove(2)]);
    assert!(!store.files().unwrap().is_damaged);
}

#[test]
fn when_the_last_number_of_a_file_is_damaged_the_highest_in_use_counts() {
    let (data, mut store) = new();
    store.commit(&[add(4)]);
    for damaged in ["'x'", "NULL", "-1", "4294967296"] {
        let other = Connection::open(data.path().join(FILE)).unwrap();
        other.execute(&format!("UPDATE sqlite_sequence SET seq = {damaged}"), []).unwrap();
        assert_eq!(numbers(&mut store), (vec![4], 5), "{damaged}");
        let told = ["the last number of a file is damaged; the highest in use counts"];
        assert_eq!(store.troubles(), told, "{damaged}");
    }
    // Too low, or not there at all.
    for damage in ["UPDATE sqlite_sequence SET seq = 2", "DELETE FROM sqlite_sequence"] {
        Connection::open(data.path().join(FILE)).unwrap().execute(damage, []).unwrap();
        assert_eq!(numbers(&mut store), (vec![4], 5), "{damage}");
    }
}

#[test]
fn a_damaged_account_keeps_its_name_and_lets_nobody_in() {
    for part in ["hash of Alice", "Alice"] {
        let (data, mut store) = new();
        store.commit(&[create("Alice")]);
        drop(store);
        damage(&data, part, 1);
        let mut store = Sqlite::open(data.path()).unwrap();
        let account = store.directory().unwrap().accounts.remove(0);
        assert_eq!((account.name, account.hash.as_str()), (user("alice"), ""), "{part}");
        assert_eq!(account.epoch, u64::MAX, "{part}");
        let said = store.troubles().remove(0).to_lowercase();
        assert_eq!(said, "account 1 of alice is damaged and locked; give it a password anew");
        // A revocation does not make it sound, a new password does.
        store.commit(&[StoreJob::Revoke { account: AccountId(1) }]);
        assert_eq!(store.directory().unwrap().accounts[0].hash, "");
        store.commit(&[StoreJob::SetHash { account: AccountId(1), hash: "new".into() }]);
        let account = store.directory().unwrap().accounts.remove(0);
        assert_eq!((account.name, account.hash.as_str()), (user("alice"), "new"));
        assert!(account.epoch < u64::MAX);
    }
}

#[test]
fn whatever_bit_flips_nobody_reads_what_nobody_wrote() {
    let (data, mut store) = new();
    store.commit(&[create("alice"), create("bob")]);
    let written = ["first", "the second letter", "third"];
    store.commit(&written.map(|text| keep(1, text)));
    store.commit(&[add(1), add(2)]);
    let wrote = |letter: &Letter| written.contains(&letter.text.as_str());
    drop(store);
    let path = data.path().join(FILE);
    let whole = std::fs::read(&path).unwrap();
    // Most of a small file is empty; what nobody wrote is flipped in vain.
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..400 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let bit = (seed >> 33) as usize % (used.len() * 8);
        let bit = used[bit / 8] * 8 + bit % 8;
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &flipped).unwrap();
        let Ok(mut store) = Sqlite::open(data.path()) else { continue };
        let known = store.directory().map(|directory| directory.accounts).unwrap_or_default();
        let ours = |account: &Account| {
            account.hash.is_empty() || account.hash == format!("hash of {}", account.name)
        };
        assert!(known.iter().all(ours), "bit {bit}: {known:?}");
        if let Ok(found) = store.files() {
            let ours = found.files.iter().all(|file| *file == stored(file.line.transfer.0));
            assert!(ours, "bit {bit}: {found:?}");
            // Or the content of a file would be thought to belong to no file.
            assert!(found.files.len() == 2 || found.is_damaged, "bit {bit}: {found:?}");
        }
        for account in 1..=2 {
            match store.commit(&[letters(account)]).remove(0) {
                StoreOutcome::Letters { letters, .. } => {
                    let right = letters.iter().all(wrote) && (account == 1 || letters.is_empty());
                    assert!(right, "bit {bit}: {letters:?}");
                }
                StoreOutcome::Failed(_) => {}
                other => panic!("bit {bit}: {other:?}"),
            }
        }
    }
}
