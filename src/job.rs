//! PURE. What the pure half asks of the workers, and what it is told when that is done.
//!
//! A job is a value with a [`crate::id::Ticket`]; its outcome comes back under the same ticket,
//! late, failed, or after everybody has lost interest. Each worker takes its jobs in the order they
//! were given and answers in that order; between two workers there is no order. A file is known
//! here by its transfer alone, a password by its text and its hash alone.

use crate::id::{AccountId, LetterId, TransferId};
use crate::message::{Text, UserName};

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

/// Work on the content of one transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileJob {
    /// Make an empty file.
    Create {
        /// Which transfer.
        transfer: TransferId,
    },
    /// Add to its end.
    Append {
        /// Which transfer.
        transfer: TransferId,
        /// What to add.
        bytes: Vec<u8>,
    },
    /// Read a part.
    Read {
        /// Which transfer.
        transfer: TransferId,
        /// From which byte.
        offset: u64,
        /// How many bytes at most.
        len: u32,
    },
    /// Forget the file; its outcome is never looked at.
    Remove {
        /// Which transfer.
        transfer: TransferId,
    },
}

impl FileJob {
    /// Which transfer the job works on.
    #[must_use]
    pub const fn transfer(&self) -> TransferId {
        match self {
            Self::Create { transfer }
            | Self::Append { transfer, .. }
            | Self::Read { transfer, .. }
            | Self::Remove { transfer } => *transfer,
        }
    }
}

/// How a [`FileJob`] went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOutcome {
    /// The file is there, the bytes are in it, or it is gone.
    Done,
    /// The part asked for.
    Bytes(Vec<u8>),
    /// The disk refused; the text says why, for the log.
    Failed(String),
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
}

/// A message that is kept for somebody.
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
    /// Take down that `user` is blocked: [`StoreOutcome::Done`], also when it was so before, or
    /// [`StoreOutcome::NoAccount`].
    Block {
        /// Who blocks.
        account: AccountId,
        /// Whom.
        user: UserName,
    },
    /// Take down that `user` is not blocked: [`StoreOutcome::Done`], also when it was so before.
    Unblock {
        /// Who has blocked.
        account: AccountId,
        /// Whom.
        user: UserName,
    },
    /// Keep a letter: [`StoreOutcome::Kept`], [`StoreOutcome::Full`], or
    /// [`StoreOutcome::NoAccount`].
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
            Self::Block { account, user } => write!(f, "{} blocks {user}", account.0),
            Self::Unblock { account, user } => write!(f, "{} unblocks {user}", account.0),
            Self::Keep { to, from, text, .. } => {
                write!(f, "keep {} bytes of {from} for {}", text.as_str().len(), to.0)
            }
            Self::Letters { account, after, most } => {
                write!(f, "{most} letters of {} after {}", account.0, after.0)
            }
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
