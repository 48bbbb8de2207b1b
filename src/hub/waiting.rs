//! Requests that wait for a worker: what is known when it has finished.
//!
//! Values only: `out.rs` keeps them under their tickets, `completions.rs` continues with them.

use super::post::LetterDraft;
use super::{Request, UserKey};
use crate::id::{AccountId, ConnId, Source, TransferId};
use crate::job::{Account, StoredFile, Voided};
use crate::message::UserName;

/// What continues when a worker has finished.
#[derive(Clone, Debug)]
pub(super) enum Waiting {
    /// A password is compared for a login, with that of `account` as it was then.
    Login { request: Request, account: Option<Account>, name: UserName, from: Source },
    /// The password of a new account is hashed.
    Register { request: Request, name: UserName, from: Source },
    /// A new account is stored.
    Create { request: Request, name: UserName },
    /// The present password is compared before it is changed.
    OldPassword {
        request: Request,
        account: AccountId,
        name: UserName,
        from: Source,
        new: String,
        /// The hash that it is compared with.
        hash: String,
    },
    /// The new password is hashed.
    NewPassword { request: Request, account: AccountId, from: Source },
    /// The new hash is stored.
    SetHash { request: Request, account: AccountId, hash: String },
    /// Tokens are voided for a logout.
    Logout { request: Request, account: AccountId, all: bool },
    /// Tokens of one session are voided, or all of its account, for it ends.
    Void { request: Request, conn: ConnId, of: Voided, all: bool },
    /// A block is stored or removed.
    Block { request: Request, owner: UserKey, user: UserName, blocks: bool },
    /// A letter is kept.
    Keep { request: Request, draft: LetterDraft },
    /// Letters are read.
    Letters { conn: ConnId, serial: u64 },
    /// Letters are forgotten.
    Arrived,
    /// A file is being recorded.
    AddFile { file: Box<StoredFile> },
    /// A file is forgotten, because a user asked for that or because it expired; the sender
    /// is told who has taken or refused it.
    RemoveFile { request: Option<Request>, transfer: TransferId, receipt: Option<Receipt> },
}

/// Who has decided about a file that was handed to them, and whether they took it.
pub(super) type Receipt = (UserName, bool);

impl Waiting {
    /// Whether it is a password that is being hashed.
    pub(super) fn is_for_password(&self) -> bool {
        matches!(
            self,
            Self::Login { .. }
                | Self::Register { .. }
                | Self::OldPassword { .. }
                | Self::NewPassword { .. }
        )
    }

    /// Which request it is that waits.
    pub(super) fn request(&self) -> Option<Request> {
        match self {
            Self::Login { request, .. }
            | Self::Register { request, .. }
            | Self::Create { request, .. }
            | Self::OldPassword { request, .. }
            | Self::NewPassword { request, .. }
            | Self::SetHash { request, .. }
            | Self::Logout { request, .. }
            | Self::Void { request, .. }
            | Self::Block { request, .. }
            | Self::Keep { request, .. } => Some(*request),
            Self::RemoveFile { request, .. } => *request,
            Self::Letters { .. } | Self::Arrived | Self::AddFile { .. } => None,
        }
    }
}
