//! What is known of users by heart: accounts, and who has blocked whom.
//!
//! Knows no connections. It follows the store: what is here of an account is durable already. The
//! blocks of guests are here too, and end with their sessions.

use std::collections::{BTreeMap, BTreeSet};

use super::session::Claim;
use crate::hub::UserKey;
use crate::id::AccountId;
use crate::job::{self, Account, are_tokens_good};
use crate::message::UserName;

/// Accounts and blocks.
#[derive(Debug, Default)]
pub(in crate::hub) struct KnownAccounts {
    accounts: BTreeMap<UserKey, Account>,
    names: BTreeMap<AccountId, UserName>,
    /// Login and epoch of an account up to which its tokens are void, whatever the store says.
    void: BTreeMap<AccountId, (u64, u64)>,
    /// Sessions of accounts, by the login with which they began, whose tokens are void, and since
    /// when, in milliseconds since 1970.
    voided: BTreeMap<(AccountId, u64), u64>,
    /// By the one who blocks.
    blocks: BTreeMap<UserKey, BTreeMap<UserKey, UserName>>,
    /// The same, by the one who is blocked.
    blocked_by: BTreeMap<UserKey, BTreeSet<UserKey>>,
}

impl KnownAccounts {
    pub(in crate::hub) fn new(stored: job::Directory) -> Self {
        let mut directory = Self::default();
        directory.replace(stored);
        directory
    }

    /// Another process has changed the accounts.
    pub(in crate::hub) fn follow(&mut self, stored: job::Directory) {
        for account in &stored.accounts {
            if self.find(account.name.key()).is_none() {
                // Those of a guest of that name end here, before they are taken for the account's.
                self.forget_blocks(account.name.key());
            }
        }
        self.replace(stored);
    }

    /// Takes over what the store says; the blocks of guests stay as they are.
    fn replace(&mut self, stored: job::Directory) {
        let known = std::mem::take(&mut self.accounts);
        for owner in known.keys() {
            self.forget_blocks(*owner);
        }
        self.names.clear();
        for account in stored.accounts {
            self.add(account);
        }
        let names = &self.names;
        self.void.retain(|id, _| names.contains_key(id));
        self.voided.retain(|(id, _), _| names.contains_key(id));
        let voided = stored.voided.into_iter().filter(|of| names.contains_key(&of.account));
        self.voided.extend(voided.map(|of| ((of.account, of.origin), of.at_ms)));
        for (owner, user) in stored.blocks {
            if let Some(name) = self.names.get(&owner) {
                self.block(name.key(), user);
            }
        }
    }

    pub(in crate::hub) fn add(&mut self, account: Account) {
        self.names.insert(account.id, account.name);
        self.accounts.insert(account.name.key(), account);
    }

    pub(in crate::hub) fn find(&self, name: UserKey) -> Option<&Account> {
        self.accounts.get(&name)
    }

    pub(in crate::hub) fn get(&self, id: AccountId) -> Option<&Account> {
        self.find(self.names.get(&id)?.key())
    }

    /// Voids all tokens of an account, and gives it another hash if there is one.
    pub(in crate::hub) fn begin_epoch(&mut self, id: AccountId, hash: Option<String>) {
        let Some(name) = self.names.get(&id) else { return };
        if let Some(account) = self.accounts.get_mut(&name.key()) {
            // A damaged account has the last epoch there is.
            account.epoch = account.epoch.saturating_add(1);
            if let Some(hash) = hash {
                account.hash = hash;
            }
            // All tokens are void.
            self.voided.retain(|(of, _), _| *of != id);
        }
    }

    /// Voids the tokens of all logins of an account so far, until the server ends.
    pub(in crate::hub) fn void_tokens(&mut self, id: AccountId, up_to: u64) {
        let epoch = self.get(id).map_or(0, |account| account.epoch);
        self.void.insert(id, (up_to, epoch));
    }

    /// Voids the tokens of one session.
    pub(in crate::hub) fn void_session(&mut self, id: AccountId, origin: u64, at_ms: u64) {
        self.voided.retain(|(of, _), since_ms| *of != id || are_tokens_good(*since_ms, at_ms));
        self.voided.insert((id, origin), at_ms);
    }

    /// Sessions of an account whose tokens are void.
    pub(in crate::hub) fn voided_of(&self, id: AccountId) -> usize {
        self.voided.range((id, 0)..=(id, u64::MAX)).count()
    }

    /// Whether a token is void, of a login of an account that began with `origin`.
    pub(in crate::hub) fn is_void(&self, id: AccountId, token: &Claim) -> bool {
        let all = self.void.get(&id);
        let by_login =
            all.is_some_and(|&(up_to, epoch)| token.serial <= up_to && token.epoch <= epoch);
        by_login || self.voided.contains_key(&(id, token.origin))
    }

    pub(in crate::hub) fn block(&mut self, owner: UserKey, user: UserName) {
        self.blocks.entry(owner).or_default().insert(user.key(), user);
        self.blocked_by.entry(user.key()).or_default().insert(owner);
    }

    pub(in crate::hub) fn unblock(&mut self, owner: UserKey, user: UserKey) {
        remove(&mut self.blocks, owner, |users| {
            users.remove(&user);
            users.is_empty()
        });
        remove(&mut self.blocked_by, user, |owners| {
            owners.remove(&owner);
            owners.is_empty()
        });
    }

    /// Forgets whom a user has blocked.
    pub(in crate::hub) fn forget_blocks(&mut self, owner: UserKey) {
        let users: Vec<UserKey> = self.blocked(owner).map(UserName::key).collect();
        for user in users {
            self.unblock(owner, user);
        }
    }

    pub(in crate::hub) fn has_blocked(&self, owner: UserKey, user: UserKey) -> bool {
        self.blocks.get(&owner).is_some_and(|users| users.contains_key(&user))
    }

    /// Whom a user has blocked, in the order of the names.
    pub(in crate::hub) fn blocked(&self, owner: UserKey) -> impl Iterator<Item = &UserName> {
        self.blocks.get(&owner).into_iter().flat_map(BTreeMap::values)
    }

    /// Who has blocked a user.
    pub(in crate::hub) fn blockers(&self, user: UserKey) -> impl Iterator<Item = UserKey> {
        self.blocked_by.get(&user).into_iter().flatten().copied()
    }

    /// Whether either of two users has blocked the other.
    pub(in crate::hub) fn is_apart(&self, one: UserKey, other: UserKey) -> bool {
        self.has_blocked(one, other) || self.has_blocked(other, one)
    }
}

/// Changes an entry of a map, and removes it when it says that it is empty.
fn remove<V>(map: &mut BTreeMap<UserKey, V>, key: UserKey, change: impl FnOnce(&mut V) -> bool) {
    if map.get_mut(&key).is_some_and(change) {
        map.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::millis;
    use crate::limits::TOKEN_LIFE;

    fn name(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn account(id: u64, of: &str) -> Account {
        Account { id: AccountId(id), name: name(of), hash: String::new(), epoch: 0 }
    }

    #[test]
    fn blocks_are_found_from_both_ends() {
        let accounts = vec![account(1, "Bob"), account(2, "eve")];
        let blocks = vec![(AccountId(1), name("eve")), (AccountId(9), name("bob"))];
        let stored = job::Directory { accounts, blocks, ..job::Directory::default() };
        let mut directory = KnownAccounts::new(stored);
        let (bob, eve) = (name("bob").key(), name("EVE").key());
        assert!(directory.has_blocked(bob, eve) && !directory.has_blocked(eve, bob));
        assert!(directory.is_apart(eve, bob) && directory.is_apart(bob, eve));
        assert_eq!(directory.blockers(eve).collect::<Vec<_>>(), [bob]);
        directory.unblock(bob, eve);
        assert!(!directory.is_apart(eve, bob));
        assert_eq!(directory.blockers(eve).count(), 0);
    }

    #[test]
    fn tokens_that_were_voided_stay_so_whatever_the_store_says() {
        let id = AccountId(1);
        let accounts = || vec![account(1, "bob")];
        let stored = || job::Directory { accounts: accounts(), ..job::Directory::default() };
        let token = |serial, epoch| Claim { account: Some(id), epoch, serial, origin: serial };
        let mut directory = KnownAccounts::new(stored());
        directory.void_tokens(id, 7);
        directory.replace(stored());
        assert!(directory.is_void(id, &token(7, 0)) && !directory.is_void(id, &token(8, 0)));
        assert!(!directory.is_void(id, &token(7, 1)), "it was given with another password");
        directory.replace(job::Directory::default());
        assert!(!directory.is_void(id, &token(7, 0)), "nobody has it any more");
    }

    #[test]
    fn the_tokens_of_one_session_are_void_for_as_long_as_any_are_good() {
        let id = AccountId(1);
        let life_ms = millis(TOKEN_LIFE);
        let voided = vec![job::Voided { account: id, origin: 3, at_ms: 10 }];
        let accounts = vec![account(1, "bob")];
        let stored = job::Directory { accounts, voided, ..job::Directory::default() };
        let mut directory = KnownAccounts::new(stored);
        let token = |origin| Claim { account: Some(id), epoch: 0, serial: 9, origin };
        assert!(directory.is_void(id, &token(3)) && !directory.is_void(id, &token(4)));
        directory.void_session(id, 4, life_ms + 9);
        assert!(directory.is_void(id, &token(3)) && directory.is_void(id, &token(4)));
        directory.void_session(id, 5, life_ms + 10);
        assert_eq!(directory.voided_of(id), 2);
        directory.begin_epoch(id, None);
        assert_eq!(directory.voided_of(id), 0, "the epoch says it of all");
    }

    #[test]
    fn what_the_store_says_replaces_all_but_the_blocks_of_guests() {
        let stored =
            |accounts, blocks| job::Directory { accounts, blocks, ..job::Directory::default() };
        let first = stored(vec![account(1, "bob")], vec![(AccountId(1), name("eve"))]);
        let mut directory = KnownAccounts::new(first);
        directory.block(name("guest").key(), name("bob"));
        directory.replace(stored(vec![account(2, "eve")], Vec::new()));
        assert!(directory.find(name("bob").key()).is_none());
        assert_eq!(directory.get(AccountId(2)).map(|account| account.name), Some(name("eve")));
        assert!(!directory.has_blocked(name("bob").key(), name("eve").key()));
        assert!(directory.has_blocked(name("guest").key(), name("bob").key()));
    }
}
