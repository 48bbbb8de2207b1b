//! PURE. What the pure half asks of the workers, and what it is told when that is done.
//!
//! A job is a value with a [`crate::id::Ticket`]; its outcome comes back under the same ticket,
//! late, failed, or after everybody has lost interest. Each worker takes its jobs in the order they
//! were given and answers in that order; between two workers there is no order. A password is known
//! here by its text and its hash alone.

use crate::id::{AccountId, LetterId, TransferId, millis};
use crate::limits::{TOKEN_LIFE, USER_NAME_MAX};
use crate::message::{Digest, FileLine, FileName, Key, MessageKey, Target, Text, UserName};

/// Work for one of the workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// For the worker of files.
    File(FileJob),
    /// For the worker of the store.
    Store(StoreJob),
    /// For the workers that hash passwords.
    Password(PasswordJob),
}

/// How a job went; of the same kind as the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Of a [`FileJob`].
    File(FileOutcome),
    /// Of a [`StoreJob`].
    Store(StoreOutcome),
    /// Of a [`PasswordJob`].
    Password(PasswordOutcome),
}

/// Half a file that can be resumed: of one user, of one name, size and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartialId {
    /// Whose, folded: the lower case of a user's name.
    pub owner: Key<USER_NAME_MAX>,
    /// The first half of BLAKE3 over name, size and hash.
    pub what: u128,
}

impl PartialId {
    /// Of a file that a user sends.
    #[must_use]
    pub fn new(owner: UserName, name: &FileName, size: u64, hash: Digest) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&size.to_le_bytes()).update(&hash.0).update(name.as_str().as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self { owner: owner.key(), what: u128::from_le_bytes(half) }
    }
}

/// Half a file as it lies on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Half {
    /// Of what.
    pub id: PartialId,
    /// How many bytes of it are there.
    pub bytes: u64,
    /// Since when it lies there, in milliseconds since 1970.
    pub since_ms: u64,
}

/// Work on the content of files. What is under way is known by its transfer, what is whole by the
/// BLAKE3 hash of its content, half a file by its [`PartialId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileJob {
    /// Make an empty file, or open the half that is there: [`FileOutcome::Opened`].
    Open {
        /// For which transfer.
        transfer: TransferId,
        /// By which it is found again if it breaks; without one it begins anew.
        partial: Option<PartialId>,
        /// How many bytes it is to have: one that has more begins anew.
        size: u64,
    },
    /// Hash more of what was there: [`FileOutcome::Opened`] again.
    Rehash {
        /// Of which transfer.
        transfer: TransferId,
    },
    /// Add to its end: [`FileOutcome::Done`].
    Append {
        /// Of which transfer.
        transfer: TransferId,
        /// What to add.
        bytes: Vec<u8>,
    },
    /// All of it is there: compare it with `hash`, put it on the disk under its hash, once however
    /// many have it: [`FileOutcome::Finished`] or [`FileOutcome::Mismatch`], and it is closed.
    Finish {
        /// Which transfer.
        transfer: TransferId,
        /// What BLAKE3 must say, if that was announced.
        hash: Option<Digest>,
    },
    /// Close it; its outcome is never looked at.
    Close {
        /// Which transfer.
        transfer: TransferId,
        /// Whether it is kept, so that it can be resumed later; without a [`PartialId`] it is not.
        keep: bool,
    },
    /// Read a part of what is whole: [`FileOutcome::Bytes`].
    Read {
        /// Of which content.
        blob: Digest,
        /// From which byte.
        offset: u64,
        /// How many bytes at most.
        len: u32,
    },
    /// Forget what is whole; its outcome is never looked at.
    Delete {
        /// Which content.
        blob: Digest,
    },
    /// Forget half a file; its outcome is never looked at.
    Discard {
        /// Which.
        partial: PartialId,
    },
}

/// How a [`FileJob`] went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOutcome {
    /// It is so.
    Done,
    /// The file is open.
    Opened {
        /// How many bytes are there since an earlier try.
        bytes: u64,
        /// How many of them are hashed; the rest takes [`FileJob::Rehash`].
        hashed: u64,
    },
    /// It is whole, on the disk, and outlives a loss of power.
    Finished {
        /// BLAKE3 of its content.
        hash: Digest,
        /// SHA-256 of its content.
        sha256: Digest,
    },
    /// It is not what was announced, and gone.
    Mismatch,
    /// The part asked for.
    Bytes(Vec<u8>),
    /// The disk refused; the text says why, for the log.
    Failed(String),
}

/// A file that the server has, as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// What people are told about it.
    pub line: FileLine,
    /// The account of the sender; `None` for a guest.
    pub owner: Option<AccountId>,
    /// The account of the user whom it is for; `None` for a guest, and where it is for many.
    pub receiver: Option<AccountId>,
}

impl StoredFile {
    /// The receiver's name, where it is for one user.
    #[must_use]
    pub(crate) const fn to_user(&self) -> Option<UserName> {
        match self.line.to {
            Target::User(user) => Some(user),
            Target::Room(_) | Target::Shelf(_) | Target::Public => None,
        }
    }
}

/// All files that the store knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// In the order of their numbers.
    pub files: Vec<StoredFile>,
    /// The lowest number that no file has had.
    pub next: u32,
    /// Some rows were damaged, so it is not known which contents are still needed.
    pub is_damaged: bool,
}

/// A user with a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Never used again after the account's removal.
    pub id: AccountId,
    /// The name, as it was first written.
    pub name: UserName,
    /// The password's hash, a PHC string.
    pub hash: String,
    /// How often its resume tokens were revoked: a token of an older epoch is void.
    pub epoch: u64,
}

impl std::fmt::Debug for Account {
    /// Without the hash.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "account {} of {} in epoch {}", self.id.0, self.name, self.epoch)
    }
}

/// What the server knows of its users by heart, as it stands in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Every account.
    pub accounts: Vec<Account>,
    /// Who has blocked whom; the blocked name may have no account.
    pub blocks: Vec<(AccountId, UserName)>,
    /// Sessions whose tokens are void.
    pub voided: Vec<Voided>,
}

/// A session of an account whose tokens are void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voided {
    /// Whose.
    pub account: AccountId,
    /// The login with which it began.
    pub origin: u64,
    /// Since when, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Whether tokens of a session that ended then could still be good.
pub(crate) fn are_tokens_good(ended_ms: u64, at_ms: u64) -> bool {
    at_ms.saturating_sub(ended_ms) < millis(TOKEN_LIFE)
}

/// A message that is kept for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Ascends with the order in which letters of one receiver were kept; never used again.
    pub id: LetterId,
    /// Who wrote it.
    pub from: UserName,
    /// What.
    pub text: Text,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Work on what must last. Jobs that wait together are committed together, in their order; an
/// outcome other than [`StoreOutcome::Failed`] means that the change is durable.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreJob {
    /// Make an account: [`StoreOutcome::Created`], or [`StoreOutcome::Exists`].
    Create {
        /// Its name.
        name: UserName,
        /// The hash of its password.
        hash: String,
    },
    /// Give an account another password, which also begins a new epoch: [`StoreOutcome::Done`], or
    /// [`StoreOutcome::NoAccount`].
    SetHash {
        /// Whose.
        account: AccountId,
        /// The hash of the new password.
        hash: String,
    },
    /// Begin a new epoch, so that all tokens of an account are void: [`StoreOutcome::Done`], or
    /// [`StoreOutcome::NoAccount`].
    Revoke {
        /// Whose.
        account: AccountId,
    },
    /// Void the tokens of one session of an account until they expire: [`StoreOutcome::Done`], or
    /// [`StoreOutcome::NoAccount`].
    Void(Voided),
    /// Record that `user` is blocked: [`StoreOutcome::Done`], also when it was so before, or
    /// [`StoreOutcome::NoAccount`].
    Block {
        /// Who blocks.
        account: AccountId,
        /// Whom.
        user: UserName,
    },
    /// Record that `user` is not blocked: [`StoreOutcome::Done`], also when it was so before.
    Unblock {
        /// Who has blocked.
        account: AccountId,
        /// Whom.
        user: UserName,
    },
    /// Keep a letter: [`StoreOutcome::Kept`], [`StoreOutcome::KeptBefore`], [`StoreOutcome::Full`],
    /// or [`StoreOutcome::NoAccount`].
    Keep {
        /// The receiver.
        to: AccountId,
        /// Who wrote it.
        from: UserName,
        /// What.
        text: Text,
        /// When, in milliseconds since 1970.
        at_ms: u64,
        /// Letters that may be kept for the receiver, this one included.
        most: u64,
        /// The account that sends it, and the key that it chose for it: within a day only one
        /// letter is kept under both.
        once: Option<(AccountId, MessageKey)>,
    },
    /// Read the letters of an account in their order: [`StoreOutcome::Letters`].
    Letters {
        /// Whose.
        account: AccountId,
        /// Only those after this one; 0 comes before all.
        after: LetterId,
        /// How many at most.
        most: u32,
    },
    /// Record that a file is stored: [`StoreOutcome::Done`].
    AddFile(Box<StoredFile>),
    /// Forget a file: [`StoreOutcome::Done`], also when it was not there.
    RemoveFile {
        /// Which.
        transfer: TransferId,
    },
    /// Letters have arrived: forget all of an account up to this one. [`StoreOutcome::Done`].
    Arrived {
        /// Whose.
        account: AccountId,
        /// The last of them.
        up_to: LetterId,
    },
}

impl std::fmt::Debug for StoreJob {
    /// Without hashes and texts.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Create { name, .. } => write!(f, "create {name}"),
            Self::SetHash { account, .. } => write!(f, "set the hash of {}", account.0),
            Self::Revoke { account } => write!(f, "revoke the tokens of {}", account.0),
            Self::Void(Voided { account, origin, .. }) => {
                write!(f, "void the tokens of session {origin} of {}", account.0)
            }
            Self::Block { account, user } => write!(f, "{} blocks {user}", account.0),
            Self::Unblock { account, user } => write!(f, "{} unblocks {user}", account.0),
            Self::Keep { to, from, text, once, .. } => {
                let once = if once.is_some() { " once" } else { "" };
                write!(f, "keep {} bytes of {from} for {}{once}", text.as_str().len(), to.0)
            }
            Self::Letters { account, after, most } => {
                write!(f, "{most} letters of {} after {}", account.0, after.0)
            }
            Self::AddFile(file) => write!(f, "add file {}", file.line.transfer),
            Self::RemoveFile { transfer } => write!(f, "remove file {transfer}"),
            Self::Arrived { account, up_to } => {
                write!(f, "letters of {} arrived up to {}", account.0, up_to.0)
            }
        }
    }
}

/// How a [`StoreJob`] went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreOutcome {
    /// It is so.
    Done,
    /// The account that was made.
    Created(Account),
    /// There is an account of that name.
    Exists,
    /// There is no such account (any more).
    NoAccount,
    /// The letter is kept, under this number.
    Kept(LetterId),
    /// A letter of the same key was kept before; it may have arrived since.
    KeptBefore,
    /// As many letters are kept as may be.
    Full,
    /// Some letters, and whether there are more behind them.
    Letters {
        /// In their order.
        letters: Vec<Letter>,
        /// Whether there are more.
        more: bool,
    },
    /// Nothing was changed, as far as anybody may rely on it; the text says why, for the log.
    Failed(String),
}

/// Work with passwords, which takes long on purpose.
#[derive(Clone, PartialEq, Eq)]
pub enum PasswordJob {
    /// Hash a new password: [`PasswordOutcome::Hash`].
    Hash {
        /// The password.
        password: String,
    },
    /// Compare a password with a hash: [`PasswordOutcome::Right`] or [`PasswordOutcome::Wrong`].
    Verify {
        /// The password.
        password: String,
        /// The PHC string; `None` costs the same time and is always wrong.
        hash: Option<String>,
    },
}

impl std::fmt::Debug for PasswordJob {
    /// Without passwords and hashes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Hash { .. } => "hash a password",
            Self::Verify { .. } => "verify a password",
        })
    }
}

/// How a [`PasswordJob`] went.
#[derive(Clone, PartialEq, Eq)]
pub enum PasswordOutcome {
    /// The new hash, a PHC string.
    Hash(String),
    /// The password belongs to the hash.
    Right,
    /// It does not, or there is no such hash.
    Wrong,
    /// The worker could not do it; the text says why, for the log.
    Failed(String),
}

impl std::fmt::Debug for PasswordOutcome {
    /// Without the hash.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hash(_) => f.write_str("hashed"),
            Self::Right => f.write_str("right"),
            Self::Wrong => f.write_str("wrong"),
            Self::Failed(text) => write!(f, "failed: {text}"),
        }
    }
}
