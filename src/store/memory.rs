//! The store without a disk, for tests: the same answers, and failures when they are asked for.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::sent::is_fresh;
use super::{Store, taken, writes};
use crate::id::{AccountId, LetterId, TransferId};
use crate::job::{
    Account, Catalogue, Directory, Letter, StoreJob, StoreOutcome, StoredFile, Voided,
    are_tokens_good,
};
use crate::message::{MessageKey, UserName};

/// All that would last.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    content: Content,
    /// Commits that are to fail before one succeeds again.
    failures: u32,
    is_changed: bool,
}

#[derive(Clone, Debug, Default)]
struct Content {
    accounts: BTreeMap<AccountId, Account>,
    /// By account and lowercase name, as the file sorts them.
    blocks: BTreeMap<(AccountId, String), UserName>,
    letters: BTreeMap<(AccountId, LetterId), Letter>,
    files: BTreeMap<TransferId, StoredFile>,
    /// When a letter was kept under which key of its writer. None is ever forgotten.
    sent: BTreeMap<(AccountId, MessageKey), u64>,
    /// Since when the tokens of which sessions are void.
    voided: BTreeMap<(AccountId, u64), u64>,
    last_account: u64,
    last_letter: u64,
    last_file: u32,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the next `commits` commits fail, also those that only read.
    pub fn fail_next(&mut self, commits: u32) {
        self.failures = commits;
    }

    /// Does jobs as another process would.
    pub fn commit_elsewhere(&mut self, jobs: &[StoreJob]) -> Vec<StoreOutcome> {
        self.is_changed |= jobs.iter().any(writes);
        jobs.iter().map(|job| self.content.run(job)).collect()
    }

    /// Removes an account with its blocks and letters, as another process would; files stay. Tells
    /// whether there was one.
    pub fn remove_elsewhere(&mut self, user: UserName) -> bool {
        let Content { accounts, blocks, letters, sent, voided, .. } = &mut self.content;
        let found = accounts.values().find(|account| account.name == user);
        let Some(id) = found.map(|account| account.id) else { return false };
        accounts.remove(&id);
        blocks.retain(|(account, _), _| *account != id);
        letters.retain(|(account, _), _| *account != id);
        sent.retain(|(account, _), _| *account != id);
        voided.retain(|(account, _), _| *account != id);
        self.is_changed = true;
        true
    }
}

impl Store for Memory {
    fn directory(&mut self) -> Result<Directory, String> {
        self.is_changed = false;
        let accounts = self.content.accounts.values().cloned().collect();
        let blocks = self.content.blocks.iter();
        let blocks = blocks.map(|((account, _), user)| (*account, *user)).collect();
        let voided = self.content.voided.iter();
        let voided =
            voided.map(|(&(account, origin), &at_ms)| Voided { account, origin, at_ms }).collect();
        Ok(Directory { accounts, blocks, voided })
    }

    fn files(&mut self) -> Result<Catalogue, String> {
        let files = self.content.files.values().cloned().collect();
        let next = self.content.last_file.saturating_add(1);
        Ok(Catalogue { files, next, is_damaged: false })
    }

    fn token_key(&mut self) -> Result<[u8; 32], String> {
        Ok([7; 32])
    }

    fn commit(&mut self, jobs: &[StoreJob]) -> Vec<StoreOutcome> {
        if self.failures > 0 {
            self.failures -= 1;
            let failed = StoreOutcome::Failed("asked to fail".to_owned());
            return vec![failed; jobs.len()];
        }
        jobs.iter().map(|job| self.content.run(job)).collect()
    }

    fn is_changed(&mut self) -> Result<bool, String> {
        Ok(self.is_changed)
    }

    fn troubles(&mut self) -> Vec<String> {
        Vec::new()
    }
}

impl Content {
    fn run(&mut self, job: &StoreJob) -> StoreOutcome {
        match job {
            StoreJob::Create { name, hash } => self.create(*name, hash),
            StoreJob::SetHash { account, hash } => self.change(*account, Some(hash)),
            StoreJob::Revoke { account } => self.change(*account, None),
            StoreJob::Void(of) => self.void(*of),
            StoreJob::Block { account, user } => {
                if !self.accounts.contains_key(account) {
                    return StoreOutcome::NoAccount;
                }
                self.blocks.entry((*account, key(*user))).or_insert(*user);
                StoreOutcome::Done
            }
            StoreJob::Unblock { account, user } => {
                self.blocks.remove(&(*account, key(*user)));
                StoreOutcome::Done
            }
            StoreJob::Keep { to, from, text, at_ms, most, once } => {
                let letter =
                    Letter { id: LetterId(0), from: *from, text: text.clone(), at_ms: *at_ms };
                self.keep_once(*to, letter, *most, *once)
            }
            StoreJob::Letters { account, after, most } => self.letters(*account, *after, *most),
            StoreJob::AddFile(file) => {
                self.last_file = self.last_file.max(file.line.transfer.0);
                match self.files.entry(file.line.transfer) {
                    Entry::Vacant(place) => _ = place.insert(StoredFile::clone(file)),
                    Entry::Occupied(there) if there.get() == &**file => {}
                    Entry::Occupied(_) => return taken(file.line.transfer),
                }
                StoreOutcome::Done
            }
            StoreJob::RemoveFile { transfer } => {
                self.files.remove(transfer);
                StoreOutcome::Done
            }
            StoreJob::Arrived { account, up_to } => {
                self.letters.retain(|(whose, id), _| whose != account || id > up_to);
                StoreOutcome::Done
            }
        }
    }

    fn create(&mut self, name: UserName, hash: &str) -> StoreOutcome {
        if self.accounts.values().any(|account| account.name == name) {
            return StoreOutcome::Exists;
        }
        self.last_account += 1;
        let id = AccountId(self.last_account);
        let account = Account { id, name, hash: hash.to_owned(), epoch: 0 };
        self.accounts.insert(id, account.clone());
        StoreOutcome::Created(account)
    }

    fn void(&mut self, Voided { account, origin, at_ms }: Voided) -> StoreOutcome {
        if !self.accounts.contains_key(&account) {
            return StoreOutcome::NoAccount;
        }
        self.voided.retain(|(of, _), since_ms| *of != account || are_tokens_good(*since_ms, at_ms));
        self.voided.insert((account, origin), at_ms);
        StoreOutcome::Done
    }

    /// A new epoch, and a new hash if there is one.
    fn change(&mut self, account: AccountId, hash: Option<&String>) -> StoreOutcome {
        self.voided.retain(|(of, _), _| *of != account);
        let Some(account) = self.accounts.get_mut(&account) else {
            return StoreOutcome::NoAccount;
        };
        account.epoch += 1;
        account.hash = hash.unwrap_or(&account.hash).clone();
        StoreOutcome::Done
    }

    fn keep_once(
        &mut self,
        to: AccountId,
        letter: Letter,
        most: u64,
        once: Option<(AccountId, MessageKey)>,
    ) -> StoreOutcome {
        let at_ms = letter.at_ms;
        let kept_ms = once.and_then(|once| self.sent.get(&once));
        if kept_ms.is_some_and(|&kept_ms| is_fresh(kept_ms, at_ms)) {
            return StoreOutcome::KeptBefore;
        }
        let outcome = self.keep(to, letter, most);
        if let (StoreOutcome::Kept(_), Some(once)) = (&outcome, once)
            && self.accounts.contains_key(&once.0)
        {
            self.sent.insert(once, at_ms);
        }
        outcome
    }

    fn keep(&mut self, to: AccountId, letter: Letter, most: u64) -> StoreOutcome {
        if !self.accounts.contains_key(&to) {
            return StoreOutcome::NoAccount;
        }
        if self.of(to, LetterId(0)).count() as u64 >= most {
            return StoreOutcome::Full;
        }
        self.last_letter += 1;
        let id = LetterId(self.last_letter);
        self.letters.insert((to, id), Letter { id, ..letter });
        StoreOutcome::Kept(id)
    }

    fn letters(&self, account: AccountId, after: LetterId, most: u32) -> StoreOutcome {
        let mut rest = self.of(account, LetterId(after.0.saturating_add(1)));
        let letters = rest.by_ref().take(most as usize).cloned().collect();
        StoreOutcome::Letters { letters, more: rest.next().is_some() }
    }

    fn of(&self, account: AccountId, from: LetterId) -> impl Iterator<Item = &Letter> {
        let all = (account, from)..=(account, LetterId(u64::MAX));
        self.letters.range(all).map(|(_, letter)| letter)
    }
}

fn key(name: UserName) -> String {
    name.as_str().to_ascii_lowercase()
}
