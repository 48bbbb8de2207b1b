//! Both stores through the same cases; what only the file can show is in `sqlite/tests.rs`.

use std::borrow::Cow;

use proptest::prelude::*;

use super::{Memory, Sqlite, Store};
use crate::id::{AccountId, LetterId, TransferId};
use crate::job::{StoreJob, StoreOutcome, StoredFile, Voided};
use crate::message::{Digest, FileLine, FileName, MessageKey, RoomName, Target, Text, UserName};

pub(super) fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

pub(super) fn create(name: &str) -> StoreJob {
    StoreJob::Create { name: user(name), hash: format!("hash of {name}") }
}

pub(super) fn keep(to: u64, text: &str) -> StoreJob {
    let text = Text::parse(Cow::Borrowed(text), u64::MAX).unwrap();
    StoreJob::Keep { to: AccountId(to), from: user("zoe"), text, at_ms: 7, most: 3, once: None }
}

/// The same, under a key of the account that sends it.
pub(super) fn keep_once(to: u64, text: &str, by: u64, key: &str, at_ms: u64) -> StoreJob {
    let text = Text::parse(Cow::Borrowed(text), u64::MAX).unwrap();
    let once = Some((AccountId(by), MessageKey::parse(key).unwrap()));
    StoreJob::Keep { to: AccountId(to), from: user("zoe"), text, at_ms, most: 10_000, once }
}

pub(super) fn letters(account: u64) -> StoreJob {
    StoreJob::Letters { account: AccountId(account), after: LetterId(0), most: 100 }
}

/// The texts of an account's letters.
pub(super) fn texts(store: &mut dyn Store, account: u64) -> Vec<String> {
    match store.commit(&[letters(account)]).remove(0) {
        StoreOutcome::Letters { letters, more: false } => {
            letters.iter().map(|letter| letter.text.to_string()).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// A file of the first account for the second.
pub(super) fn stored(number: u32) -> StoredFile {
    StoredFile {
        line: FileLine {
            transfer: TransferId(number),
            from: user("Zoe"),
            to: Target::User(user("Alice")),
            name: FileName::parse("été (1).tar.gz").unwrap(),
            size: 1 << 40,
            hash: Digest([b'h'; 32]),
            sha256: Digest([b's'; 32]),
            at: 1_000_000_000_000,
            until: 1_000_000_000_001,
        },
        owner: Some(AccountId(1)),
        receiver: Some(AccountId(2)),
    }
}

pub(super) fn add(number: u32) -> StoreJob {
    StoreJob::AddFile(Box::new(stored(number)))
}

/// A session that was ended on a day.
fn void(account: AccountId, origin: u64, days: u64) -> Voided {
    Voided { account, origin, at_ms: days * 24 * 60 * 60 * 1000 }
}

pub(super) fn remove(number: u32) -> StoreJob {
    StoreJob::RemoveFile { transfer: TransferId(number) }
}

/// The numbers of all files, and the next one.
pub(super) fn numbers(store: &mut dyn Store) -> (Vec<u32>, u32) {
    let catalogue = store.files().unwrap();
    let numbers = catalogue.files.iter().map(|file| file.line.transfer.0).collect();
    (numbers, catalogue.next)
}

fn account_id() -> impl Strategy<Value = AccountId> {
    (1_u64..5).prop_map(AccountId)
}

fn name() -> impl Strategy<Value = UserName> {
    prop::sample::select(vec!["alice", "ALICE", "bob", "Carol", "dave"]).prop_map(user)
}

fn target() -> impl Strategy<Value = Target> {
    let room = || "[A-Za-z0-9]{1,32}".prop_map(|room| RoomName::parse(&room).unwrap());
    prop_oneof![
        name().prop_map(Target::User),
        room().prop_map(Target::Room),
        room().prop_map(Target::Shelf),
        Just(Target::Public),
    ]
}

fn file() -> impl Strategy<Value = StoredFile> {
    let words = (1_u32..7, name(), target(), "[a-zé.]{0,40}x");
    let numbers = (any::<u64>(), any::<[u8; 32]>(), any::<[u8; 32]>(), any::<u64>(), any::<u64>());
    let accounts = (prop::option::of(account_id()), prop::option::of(account_id()));
    (words, numbers, accounts).prop_map(|(words, numbers, (owner, receiver))| {
        let (number, from, to, name) = words;
        let (size, hash, sha256, at, until) = numbers;
        let line = FileLine {
            transfer: TransferId(number),
            from,
            to,
            name: FileName::parse(&name).unwrap(),
            size: size >> 1,
            hash: Digest(hash),
            sha256: Digest(sha256),
            at: at >> 1,
            until: until >> 1,
        };
        StoredFile { line, owner, receiver }
    })
}

fn job() -> impl Strategy<Value = StoreJob> {
    let once = prop::option::of((account_id(), "[ab]"));
    let letter = (account_id(), name(), "[ -~]{0,9}x", any::<u64>(), 0_u64..4, once);
    let letters = (account_id(), 0_u64..9, 0_u32..4);
    let session = (account_id(), 0_u64..4, 0_u64..4);
    prop_oneof![
        1 => (name(), "[a-z]{3}").prop_map(|(name, hash)| StoreJob::Create { name, hash }),
        1 => (account_id(), "[a-z]{3}").prop_map(|(account, hash)| StoreJob::SetHash { account, hash }),
        1 => account_id().prop_map(|account| StoreJob::Revoke { account }),
        2 => session.prop_map(|(account, origin, days)| StoreJob::Void(void(account, origin, days))),
        1 => (account_id(), name()).prop_map(|(account, user)| StoreJob::Block { account, user }),
        1 => (account_id(), name()).prop_map(|(account, user)| StoreJob::Unblock { account, user }),
        4 => letter.prop_map(|(to, from, text, at_ms, most, once)| {
            let text = Text::parse(Cow::Owned(text), u64::MAX).unwrap();
            let once = once.map(|(by, key)| (by, MessageKey::parse(&key).unwrap()));
            StoreJob::Keep { to, from, text, at_ms: at_ms >> 1, most, once }
        }),
        2 => letters.prop_map(|(account, after, most)| {
            StoreJob::Letters { account, after: LetterId(after), most }
        }),
        1 => (account_id(), 0_u64..9)
            .prop_map(|(account, up_to)| StoreJob::Arrived { account, up_to: LetterId(up_to) }),
        2 => file().prop_map(|file| StoreJob::AddFile(Box::new(file))),
        2 => (1_u32..9).prop_map(remove),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<StoreJob>),
    Elsewhere(Vec<StoreJob>),
    Remove(UserName),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(job(), 1..8).prop_map(Step::Commit),
        1 => prop::collection::vec(job(), 1..3).prop_map(Step::Elsewhere),
        1 => name().prop_map(Step::Remove),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_file_and_the_memory_answer_alike(steps in prop::collection::vec(step(), 1..20)) {
        let data = tempfile::tempdir().unwrap();
        let mut file = Sqlite::open(data.path()).unwrap();
        let mut elsewhere = Sqlite::open(data.path()).unwrap();
        let mut memory = Memory::new();
        prop_assert_eq!(file.directory(), memory.directory());
        for step in steps {
            let before = memory.directory();
            let is_elsewhere = matches!(step, Step::Elsewhere(_) | Step::Remove(_));
            match step {
                Step::Commit(jobs) => prop_assert_eq!(file.commit(&jobs), memory.commit(&jobs)),
                Step::Elsewhere(jobs) => {
                    prop_assert_eq!(elsewhere.commit(&jobs), memory.commit_elsewhere(&jobs));
                }
                Step::Remove(user) => {
                    prop_assert_eq!(elsewhere.remove(user).unwrap(), memory.remove_elsewhere(user));
                }
                Step::Restart => file = Sqlite::open(data.path()).unwrap(),
            }
            // The file may suspect a change where none was; it must never miss one.
            let is_changed = is_elsewhere && memory.directory() != before;
            prop_assert!(file.is_changed().unwrap() || !is_changed);
            prop_assert_eq!(file.directory(), memory.directory());
            prop_assert!(!file.is_changed().unwrap());
            prop_assert_eq!(file.files(), memory.files());
        }
        prop_assert_eq!(file.troubles(), Vec::<String>::new());
    }
}

fn both(case: impl Fn(&mut dyn Store)) {
    case(&mut Memory::new());
    let data = tempfile::tempdir().unwrap();
    case(&mut Sqlite::open(data.path()).unwrap());
}

#[test]
fn a_letter_is_read_by_a_later_job_of_the_same_commit() {
    both(|store| {
        let outcomes = store.commit(&[create("alice"), keep(1, "one"), letters(1)]);
        let StoreOutcome::Letters { letters, more: false } = &outcomes[2] else {
            panic!("{outcomes:?}");
        };
        assert_eq!(outcomes[1], StoreOutcome::Kept(letters[0].id));
        assert_eq!((letters[0].from, letters[0].at_ms), (user("zoe"), 7));
    });
}

#[test]
fn a_mailbox_takes_as_many_letters_as_it_may_and_more_when_some_have_arrived() {
    both(|store| {
        store.commit(&[create("alice")]);
        let kept = [1, 2, 3].map(|id| StoreOutcome::Kept(LetterId(id)));
        let jobs = ["a", "b", "c", "d"].map(|text| keep(1, text));
        assert_eq!(store.commit(&jobs), [&kept[..], &[StoreOutcome::Full]].concat());
        store.commit(&[StoreJob::Arrived { account: AccountId(1), up_to: LetterId(3) }]);
        // Not the first number again, although no letter is left.
        assert_eq!(store.commit(&[keep(1, "e")]), [StoreOutcome::Kept(LetterId(4))]);
        assert_eq!(texts(store, 1), ["e"]);
    });
}

#[test]
fn a_session_that_was_ended_is_remembered_while_its_tokens_would_be_good() {
    both(|store| {
        let [alice, bob] = [AccountId(1), AccountId(2)];
        store.commit(&[create("alice"), create("bob")]);
        let [first, second] = [void(alice, 7, 3), void(bob, 7, 3)];
        let done = [StoreOutcome::Done, StoreOutcome::Done, StoreOutcome::NoAccount];
        let jobs = [first, second, void(AccountId(3), 7, 3)].map(StoreJob::Void);
        assert_eq!(store.commit(&jobs), done);
        assert_eq!(store.directory().unwrap().voided, [first, second]);
        // A day later that token has expired; bob's is looked at when bob ends a session.
        let third = void(alice, 8, 4);
        store.commit(&[StoreJob::Void(third)]);
        assert_eq!(store.directory().unwrap().voided, [third, second]);
        // With a new epoch all tokens are void anyway.
        store.commit(&[StoreJob::Revoke { account: alice }]);
        let hash = "another".to_owned();
        store.commit(&[StoreJob::SetHash { account: bob, hash }]);
        assert_eq!(store.directory().unwrap().voided, []);
    });
}

#[test]
fn a_letter_that_comes_twice_under_one_key_is_kept_once() {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    let kept = |id| StoreOutcome::Kept(LetterId(id));
    both(|store| {
        let first = keep_once(1, "hello", 2, "k", DAY_MS);
        let jobs = [create("alice"), create("bob"), first.clone(), first.clone()];
        assert_eq!(store.commit(&jobs)[2..], [kept(1), StoreOutcome::KeptBefore]);
        // Also when it has arrived, and when the clock was put back.
        store.commit(&[StoreJob::Arrived { account: AccountId(1), up_to: LetterId(1) }]);
        let early = keep_once(1, "hello", 2, "k", 7);
        assert_eq!(
            store.commit(&[first, early]),
            [StoreOutcome::KeptBefore, StoreOutcome::KeptBefore]
        );
        assert_eq!(texts(store, 1), Vec::<String>::new());
        // Another key, the same key of somebody else, and one of the day before are others.
        let others = [("l", 2, DAY_MS), ("k", 1, DAY_MS), ("k", 2, 2 * DAY_MS)];
        let others = others.map(|(key, by, at_ms)| keep_once(1, "hello", by, key, at_ms));
        assert_eq!(store.commit(&others), [kept(2), kept(3), kept(4)]);
        // A letter that was not kept has used up no key, and an account that was removed has none.
        let nobody = keep_once(9, "hello", 2, "m", DAY_MS);
        let somebody = keep_once(1, "hello", 2, "m", DAY_MS);
        assert_eq!(store.commit(&[nobody, somebody]), [StoreOutcome::NoAccount, kept(5)]);
        let gone = keep_once(1, "hello", 9, "k", DAY_MS);
        assert_eq!(store.commit(&[gone.clone(), gone]), [kept(6), kept(7)]);
    });
}

#[test]
fn one_name_is_one_account_however_it_is_written() {
    both(|store| {
        let outcomes = store.commit(&[create("Alice"), create("aLICE")]);
        assert_eq!(outcomes[1], StoreOutcome::Exists);
        let accounts = store.directory().unwrap().accounts;
        assert_eq!(accounts.len(), 1);
        assert_eq!(accounts[0].name.as_str(), "Alice");
    });
}

#[test]
fn a_new_password_begins_a_new_epoch_and_so_does_a_revocation() {
    both(|store| {
        let set = StoreJob::SetHash { account: AccountId(1), hash: "new".into() };
        store.commit(&[create("alice"), set]);
        store.commit(&[StoreJob::Revoke { account: AccountId(1) }]);
        let account = store.directory().unwrap().accounts.remove(0);
        assert_eq!((account.hash.as_str(), account.epoch), ("new", 2));
    });
}

#[test]
fn what_is_asked_of_no_account_is_said_to_be_so() {
    both(|store| {
        let account = AccountId(9);
        let jobs = [
            StoreJob::SetHash { account, hash: String::new() },
            StoreJob::Revoke { account },
            StoreJob::Block { account, user: user("bob") },
            keep(9, "hello"),
        ];
        assert!(store.commit(&jobs).iter().all(|outcome| *outcome == StoreOutcome::NoAccount));
        assert_eq!(texts(store, 9), Vec::<String>::new());
    });
}

#[test]
fn files_are_there_in_the_order_of_their_numbers_until_they_are_removed() {
    both(|store| {
        assert_eq!(numbers(store), (vec![], 1));
        // Twice the same is as good as once, and what is not there is removed already.
        for job in [add(3), add(1), add(3), remove(2), add(4), remove(1), remove(1)] {
            assert_eq!(store.commit(std::slice::from_ref(&job)), [StoreOutcome::Done], "{job:?}");
        }
        assert_eq!(numbers(store), (vec![3, 4], 5));
        assert_eq!(store.files().unwrap().files, [stored(3), stored(4)]);
    });
}

#[test]
fn the_number_of_a_removed_file_is_not_free_again() {
    both(|store| {
        store.commit(&[add(1), add(7), remove(7)]);
        assert_eq!(numbers(store), (vec![1], 8));
        store.commit(&[remove(1)]);
        assert_eq!(numbers(store), (vec![], 8));
        // There is none after the last.
        store.commit(&[add(u32::MAX)]);
        assert_eq!(numbers(store), (vec![u32::MAX], u32::MAX));
    });
}

#[test]
fn all_that_is_known_of_a_file_comes_back_as_it_was() {
    let room = RoomName::parse(&"R".repeat(32)).unwrap();
    let targets =
        [Target::User(user("Bob")), Target::Room(room), Target::Shelf(room), Target::Public];
    both(|store| {
        for to in targets {
            let mut guests = StoredFile { owner: None, receiver: None, ..stored(1) };
            guests.line.to = to;
            guests.line.size = 0;
            let mut theirs = StoredFile { line: guests.line.clone(), ..stored(2) };
            theirs.line.transfer = TransferId(2);
            theirs.line.name = FileName::parse(&"é".repeat(127)).unwrap();
            theirs.line.until = i64::MAX.unsigned_abs();
            let both = [guests, theirs];
            store.commit(&both.clone().map(|file| StoreJob::AddFile(Box::new(file))));
            let found = store.files().unwrap();
            store.commit(&[remove(1), remove(2)]);
            assert_eq!((&found.files[..], found.is_damaged), (&both[..], false));
            // Names are equal without case.
            assert_eq!(format!("{:?}", found.files), format!("{both:?}"));
        }
        assert_eq!(store.troubles(), Vec::<String>::new());
    });
}

#[test]
fn what_is_committed_here_is_no_change_from_elsewhere() {
    both(|store| {
        store.directory().unwrap();
        store.commit(&[create("alice"), keep(1, "hello"), add(1)]);
        assert_eq!(store.is_changed(), Ok(false));
    });
}

#[test]
fn the_memory_fails_as_often_as_it_is_asked_to_and_changes_nothing() {
    let mut store = Memory::new();
    store.fail_next(2);
    for _ in 0..2 {
        let outcomes = store.commit(&[create("alice"), letters(1), add(1), remove(1)]);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, StoreOutcome::Failed(_))));
    }
    assert_eq!(store.directory().unwrap().accounts, []);
    assert_eq!(numbers(&mut store), (vec![], 1));
    assert!(matches!(store.commit(&[create("alice")])[0], StoreOutcome::Created(_)));
}

#[test]
fn a_file_is_never_written_over_by_another_of_its_number() {
    both(|store| {
        let mut other = stored(1);
        other.line.size = 7;
        let other = StoreJob::AddFile(Box::new(other));
        assert_eq!(store.commit(&[add(1)]), [StoreOutcome::Done]);
        // The same again, and what stands beside one that fails, are done.
        let outcomes = store.commit(&[add(1), other, add(2)]);
        let [StoreOutcome::Done, StoreOutcome::Failed(why), StoreOutcome::Done] = &outcomes[..]
        else {
            panic!("{outcomes:?}")
        };
        assert_eq!(why, "file 1 is there already and is not written over");
        assert_eq!(store.files().unwrap().files, [stored(1), stored(2)]);
    });
}
