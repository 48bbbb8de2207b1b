//! Who may have which name: passwords and tokens, and from when to when each is good.
//!
//! Times are counts of what happened, so that "before" has one meaning. A client that is welcome
//! must have shown something that was good at some moment between its asking and its reading.

use std::collections::BTreeMap;

use parlor::id::{AccountId, Source};
use parlor::job::{Directory, StoreJob, StoreOutcome};

/// What a client has shown for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Nothing,
    Password(String),
    Token(String),
    /// It wants to make an account.
    New,
}

/// Wrong passwords of one source, of whatever name, after which it may have to wait.
const SOURCE_TRIES: u32 = 12;
/// Wrong passwords for one name from one source after which it may have to wait.
const NAME_TRIES: u32 = 3;

#[derive(Debug)]
struct Token {
    name: String,
    guest: bool,
    void_at: Option<u64>,
    /// It is void after a restart too.
    lasting: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Vault {
    /// What has happened so far.
    pub(crate) clock: u64,
    names: BTreeMap<AccountId, String>,
    since: BTreeMap<String, u64>,
    /// Hashes of an account with the time from which each is good.
    hashes: BTreeMap<String, Vec<(u64, String)>>,
    tokens: BTreeMap<String, Token>,
    /// The same, for those who want one.
    pub(crate) all_tokens: Vec<(String, String)>,
    tries: BTreeMap<(String, Source), u32>,
    source_tries: BTreeMap<Source, u32>,
    pub(crate) welcomes: u64,
}

impl Vault {
    pub(crate) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    pub(crate) fn is_registered(&self, name: &str) -> bool {
        self.since.contains_key(&name.to_ascii_lowercase())
    }

    /// Whether the engine has known an account of that name since before `at`.
    fn was_registered(&self, name: &str, at: u64) -> bool {
        self.since.get(name).is_some_and(|&since| since < at)
    }

    pub(crate) fn name_of(&self, account: AccountId) -> Option<&String> {
        self.names.get(&account)
    }

    pub(crate) fn account_of(&self, name: &str) -> Option<AccountId> {
        let own = self.names.iter().find(|(_, own)| own.eq_ignore_ascii_case(name));
        own.map(|(account, _)| *account)
    }

    /// The engine is about to be told how a job went.
    pub(crate) fn note_job(&mut self, job: &StoreJob, outcome: &StoreOutcome) {
        let at = self.tick();
        match (job, outcome) {
            (_, StoreOutcome::Created(account)) => {
                let name = account.name.as_str().to_ascii_lowercase();
                self.names.insert(account.id, name.clone());
                self.since.insert(name.clone(), at);
                self.hashes.entry(name).or_default().push((at, account.hash.clone()));
            }
            (StoreJob::SetHash { account, hash }, StoreOutcome::Done) => {
                let name = self.names[account].clone();
                self.void(&name, at, true);
                self.hashes.entry(name).or_default().push((at, hash.clone()));
            }
            (StoreJob::Revoke { account }, outcome) => {
                let name = self.names[account].clone();
                self.void(&name, at, *outcome == StoreOutcome::Done);
            }
            _ => {}
        }
    }

    fn void(&mut self, name: &str, at: u64, lasting: bool) {
        for token in self.tokens.values_mut().filter(|token| token.name == name && !token.guest) {
            token.void_at = token.void_at.or(Some(at));
            token.lasting |= lasting;
        }
    }

    /// A server starts from what was durable.
    pub(crate) fn restart(&mut self, directory: &Directory) {
        let at = self.tick();
        self.names.clear();
        self.since.clear();
        for account in &directory.accounts {
            let name = account.name.as_str().to_ascii_lowercase();
            self.names.insert(account.id, name.clone());
            self.since.insert(name.clone(), at);
            self.hashes.entry(name).or_default().push((at, account.hash.clone()));
        }
        for token in self.tokens.values_mut().filter(|token| !token.lasting) {
            token.void_at = None;
        }
    }

    /// A client tries a password; every one may be a wrong one.
    pub(crate) fn note_try(&mut self, name: &str, source: Source) {
        *self.tries.entry((name.to_ascii_lowercase(), source)).or_default() += 1;
        *self.source_tries.entry(source).or_default() += 1;
    }

    pub(crate) fn note_token(&mut self, name: &str, token: &str) {
        if token.is_empty() {
            return;
        }
        let name = name.to_ascii_lowercase();
        let guest = token.starts_with("0.");
        let entry = Token { name: name.clone(), guest, void_at: None, lasting: false };
        self.tokens.entry(token.to_owned()).or_insert(entry);
        self.all_tokens.push((name, token.to_owned()));
    }

    /// Somebody reads that he is welcome.
    pub(crate) fn check_welcome(&mut self, name: &str, shown: &Shown, at: u64) {
        self.welcomes += 1;
        let name = name.to_ascii_lowercase();
        let is_account = self.was_registered(&name, at);
        match shown {
            Shown::Nothing => assert!(!is_account, "{name} needs a password and none was shown"),
            Shown::New => assert!(!is_account, "{name} is registered twice"),
            Shown::Password(password) => {
                let hash = format!("hash of {password}");
                let entries = self.hashes.get(&name).map_or(&[][..], Vec::as_slice);
                let good = entries.iter().enumerate().any(|(index, (_, entry))| {
                    let until = entries.get(index + 1).map_or(u64::MAX, |(next, _)| *next);
                    *entry == hash && until > at
                });
                assert!(good, "{name} has another password than {password}");
            }
            Shown::Token(token) => {
                let token = self.tokens.get(token).expect("nobody was given that token");
                assert_eq!(token.name, name, "a token for another name");
                let void = token.void_at.is_some_and(|void_at| void_at < at);
                assert!(!is_account || !(token.guest || void), "a stale token for {name}");
            }
        }
    }

    /// Somebody reads that he has tried too often.
    pub(crate) fn check_locked(&self, name: &str, source: Source) {
        let tries = self.tries.get(&(name.to_ascii_lowercase(), source));
        let of_source = self.source_tries.get(&source).copied().unwrap_or_default();
        assert!(
            tries.is_some_and(|&tries| tries >= NAME_TRIES) || of_source >= SOURCE_TRIES,
            "{name} is locked for {source:?}, which has not tried that often"
        );
    }
}
