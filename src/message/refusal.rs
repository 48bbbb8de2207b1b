//! "No": the request is not carried out, changes nothing, and the session lives.
//!
//! Codes are for programs and never change; texts are for people. What to do about it, where that
//! is a command, is a [`Hint`]: each front words it in its own syntax.

use super::{NameError, TextError, UserName, exact};

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not a request of this protocol.
    #[error("not a request: {0}")]
    BadRequest(String),
    /// There is no such request (in this version).
    #[error("unknown command `{0}`")]
    UnknownOp(String),
    /// Only those who have a name may.
    #[error("log in first")]
    LoginFirst,
    /// A connection has one name.
    #[error("you are already logged in as {0}")]
    LoggedIn(UserName),
    /// Such a user name cannot be.
    #[error("invalid user name: {0}; use 1 to 16 letters and digits")]
    BadUserName(NameError),
    /// Such a room name cannot be.
    #[error("invalid room name: {0}; use 1 to 32 letters and digits")]
    BadRoomName(NameError),
    /// Such a file name cannot be.
    #[error("invalid file name: {0}")]
    BadFileName(NameError),
    /// Such a message cannot be.
    #[error("invalid message: {0}")]
    BadText(TextError),
    /// Such a key cannot be.
    #[error("the key of a message needs 1 to {max} bytes")]
    BadMessageKey {
        /// Longest in bytes.
        max: usize,
    },
    /// A user has the name.
    #[error("the name {0} is in use; choose another")]
    NameInUse(UserName),
    /// As many sessions as one user may have, and all of them live.
    #[error("you are logged in {limit} times, the limit; log out somewhere first")]
    TooManySessions {
        /// The limit.
        limit: u64,
    },
    /// As many errands as one user may have.
    #[error("you have {limit} errands under way, the limit; wait until one has ended")]
    TooManyErrands {
        /// The limit.
        limit: u64,
    },
    /// No other session of this user has that number.
    #[error("you have no other session with that number")]
    NoSuchSession,
    /// The name has a password, or guests may not come in.
    #[error("the name {0} needs a password")]
    PasswordNeeded(UserName),
    /// The password or the token does not belong to the name, or there is no such account.
    #[error("wrong name or password")]
    WrongPassword,
    /// Too many wrong passwords from here.
    #[error("too many wrong passwords or new accounts; try again in {} s", seconds(*wait_ms))]
    LockedOut {
        /// For how many milliseconds more.
        wait_ms: u64,
    },
    /// All that can be hashed or stored is under way already.
    #[error("the server is busy; try again in {} s", seconds(*wait_ms))]
    Busy {
        /// In how many milliseconds to try again.
        wait_ms: u64,
    },
    /// Such a password cannot be.
    #[error("a password needs {min} to {max} bytes, without control characters")]
    BadPassword {
        /// Shortest in bytes.
        min: usize,
        /// Longest in bytes.
        max: usize,
    },
    /// There is an account of that name.
    #[error("the name {0} is registered; choose another")]
    NameTaken(UserName),
    /// Nobody may make an account.
    #[error("only the owner of this server can add accounts; ask them for one")]
    RegistrationClosed,
    /// It is for accounts.
    #[error("guests have no account")]
    NoAccount,
    /// The login before is not decided yet.
    #[error("your login is still being checked; wait for its answer")]
    LoginUnderWay,
    /// The other one does not want to hear it.
    #[error("{0} has blocked you")]
    BlockedBy(UserName),
    /// Once is enough.
    #[error("you have already blocked {0}")]
    AlreadyBlocked(UserName),
    /// There is nothing to undo.
    #[error("you have not blocked {0}")]
    NotBlocked(UserName),
    /// As many blocks as may be.
    #[error("you have blocked {limit} users, the limit; unblock one first")]
    TooManyBlocks {
        /// The limit.
        limit: u64,
    },
    /// As many letters are kept for a user as may be.
    #[error(
        "{limit} messages already wait for {user}, the limit; try again when they have logged in"
    )]
    MailboxFull {
        /// The receiver.
        user: UserName,
        /// The limit.
        limit: u64,
    },
    /// The disk does not take it.
    #[error("the server cannot store it now; nothing was changed; try again later")]
    StoreFailed,
    /// More messages than one user may send.
    #[error("slow down; try again in {} s", seconds(*wait_ms))]
    SlowDown {
        /// In how many milliseconds to try again.
        wait_ms: u64,
    },
    /// A client of another version.
    #[error("this server speaks version {ours} of the protocol, not {theirs}")]
    WrongVersion {
        /// What the client speaks.
        theirs: u32,
        /// What the server speaks.
        ours: u32,
    },
    /// It needs a room.
    #[error("you are in no room")]
    NotInRoom,
    /// In rooms, but not in that one.
    #[error("you are not in that room")]
    NotThere,
    /// As many rooms as one session may be in.
    #[error("you are in {limit} rooms, the limit; leave one first")]
    TooManyOpen {
        /// The limit.
        limit: u64,
    },
    /// One is there.
    #[error("you are in that room already")]
    AlreadyThere,
    /// As many members as may be.
    #[error("room is full ({limit} members)")]
    RoomFull {
        /// The limit.
        limit: u64,
    },
    /// As many rooms as may be.
    #[error("there are {limit} rooms, the limit")]
    TooManyRooms {
        /// The limit.
        limit: u64,
    },
    /// Nobody online has that name.
    #[error("there is no user {0}")]
    NoSuchUser(UserName),
    /// No room has that name.
    #[error("there is no such room")]
    NoSuchRoom,
    /// Talking to oneself.
    #[error("that is you")]
    ToYourself,
    /// Over the limit, before a byte of it was taken.
    #[error("the file is too large: {} at most", exact(*limit))]
    FileTooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Every slot and every place in line is taken.
    #[error("upload queue is full ({waiting} waiting); try again in a while")]
    QueueFull {
        /// How long the line is.
        waiting: u64,
    },
    /// One user may not fill the line.
    #[error("you have {limit} uploads under way, the limit; wait until one has ended")]
    TooManyUploads {
        /// The limit.
        limit: u64,
    },
    /// No such transfer, or none of this user's.
    #[error("you have no such transfer")]
    NoSuchTransfer,
    /// The transfer is not at the point where this can be asked.
    #[error("that transfer is not waiting for this")]
    TransferNotReady,
    /// There is no file of that number or name, or it is not for this user.
    #[error("there is no such file for you")]
    NoSuchFile,
    /// Only the sender may.
    #[error("that file is not yours")]
    NotYourFile,
    /// More than one user may have on the server.
    #[error("no space for {}: your files take {} of {}", exact(*size), exact(*used), exact(*limit))]
    QuotaFull {
        /// The size of the file in bytes.
        size: u64,
        /// What the user's files take in bytes, with those on their way.
        used: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// More files than one user may have on the server.
    #[error("you have {limit} files on the server, the limit")]
    TooManyFiles {
        /// The limit.
        limit: u64,
    },
    /// More than all may have, or than the disk holds.
    #[error("the server has no space for {}; try again when other files have expired; \
         the owner decides with --files-total and --files-free", exact(*size))]
    ServerFull {
        /// The size of the file in bytes.
        size: u64,
    },
    /// More downloads at once than one user may have.
    #[error("you have {limit} downloads under way, the limit; wait until one has ended")]
    TooManyDownloads {
        /// The limit.
        limit: u64,
    },
    /// The server stops.
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl Refusal {
    /// In how many milliseconds to try again, where it is a matter of time.
    #[must_use]
    pub const fn wait_ms(&self) -> Option<u64> {
        match self {
            Self::LockedOut { wait_ms } | Self::Busy { wait_ms } | Self::SlowDown { wait_ms } => {
                Some(*wait_ms)
            }
            Self::BadRequest(_)
            | Self::UnknownOp(_)
            | Self::LoginFirst
            | Self::LoggedIn(_)
            | Self::BadUserName(_)
            | Self::BadRoomName(_)
            | Self::BadFileName(_)
            | Self::BadText(_)
            | Self::BadMessageKey { .. }
            | Self::NameInUse(_)
            | Self::TooManySessions { .. }
            | Self::TooManyErrands { .. }
            | Self::NoSuchSession
            | Self::NotThere
            | Self::TooManyOpen { .. }
            | Self::PasswordNeeded(_)
            | Self::WrongPassword
            | Self::BadPassword { .. }
            | Self::NameTaken(_)
            | Self::RegistrationClosed
            | Self::NoAccount
            | Self::LoginUnderWay
            | Self::BlockedBy(_)
            | Self::AlreadyBlocked(_)
            | Self::NotBlocked(_)
            | Self::TooManyBlocks { .. }
            | Self::MailboxFull { .. }
            | Self::StoreFailed
            | Self::WrongVersion { .. }
            | Self::NotInRoom
            | Self::AlreadyThere
            | Self::RoomFull { .. }
            | Self::TooManyRooms { .. }
            | Self::NoSuchUser(_)
            | Self::NoSuchRoom
            | Self::ToYourself
            | Self::FileTooLarge { .. }
            | Self::QueueFull { .. }
            | Self::TooManyUploads { .. }
            | Self::NoSuchTransfer
            | Self::TransferNotReady
            | Self::NoSuchFile
            | Self::NotYourFile
            | Self::QuotaFull { .. }
            | Self::TooManyFiles { .. }
            | Self::ServerFull { .. }
            | Self::TooManyDownloads { .. }
            | Self::ShuttingDown => None,
        }
    }

    /// Which command helps, where one does.
    #[must_use]
    pub const fn hint(&self) -> Option<Hint<'_>> {
        Some(match self {
            Self::UnknownOp(_) => Hint::ListCommands,
            Self::LoginFirst => Hint::LogIn,
            Self::PasswordNeeded(user) => Hint::LogInAs(user),
            Self::NoAccount => Hint::Register,
            Self::NotInRoom => Hint::JoinRoom,
            Self::TooManyRooms { .. } | Self::RoomFull { .. } => Hint::JoinOther,
            Self::NoSuchRoom => Hint::ListRooms,
            Self::NoSuchFile => Hint::ListFiles,
            Self::QuotaFull { .. } | Self::TooManyFiles { .. } => Hint::RemoveFiles,
            Self::BadRequest(_)
            | Self::LoggedIn(_)
            | Self::BadUserName(_)
            | Self::BadRoomName(_)
            | Self::BadFileName(_)
            | Self::BadText(_)
            | Self::BadMessageKey { .. }
            | Self::NameInUse(_)
            | Self::TooManySessions { .. }
            | Self::TooManyErrands { .. }
            | Self::NoSuchSession
            | Self::NotThere
            | Self::TooManyOpen { .. }
            | Self::WrongPassword
            | Self::LockedOut { .. }
            | Self::Busy { .. }
            | Self::BadPassword { .. }
            | Self::NameTaken(_)
            | Self::RegistrationClosed
            | Self::LoginUnderWay
            | Self::BlockedBy(_)
            | Self::AlreadyBlocked(_)
            | Self::NotBlocked(_)
            | Self::TooManyBlocks { .. }
            | Self::MailboxFull { .. }
            | Self::StoreFailed
            | Self::SlowDown { .. }
            | Self::WrongVersion { .. }
            | Self::AlreadyThere
            | Self::NoSuchUser(_)
            | Self::ToYourself
            | Self::FileTooLarge { .. }
            | Self::QueueFull { .. }
            | Self::TooManyUploads { .. }
            | Self::NoSuchTransfer
            | Self::TransferNotReady
            | Self::NotYourFile
            | Self::ServerFull { .. }
            | Self::TooManyDownloads { .. }
            | Self::ShuttingDown => return None,
        })
    }

    /// Which setting decides it, where the owner can raise a bound of number or size.
    #[must_use]
    pub(crate) const fn setting(&self) -> Option<&'static str> {
        Some(match self {
            Self::BadText(TextError::TooLong { .. }) => "message-max",
            Self::TooManySessions { .. } => "accounts-sessions",
            Self::MailboxFull { .. } => "letters",
            Self::SlowDown { .. } => "message-rate",
            Self::RoomFull { .. } => "room-members",
            Self::TooManyRooms { .. } => "rooms",
            Self::FileTooLarge { .. } => "file-max",
            Self::QueueFull { .. } => "upload-waiting",
            Self::QuotaFull { .. } => "files-user",
            Self::BadRequest(_)
            | Self::UnknownOp(_)
            | Self::LoginFirst
            | Self::LoggedIn(_)
            | Self::BadUserName(_)
            | Self::BadRoomName(_)
            | Self::BadFileName(_)
            | Self::BadText(TextError::Empty | TextError::Control(_))
            | Self::BadMessageKey { .. }
            | Self::NameInUse(_)
            | Self::TooManyErrands { .. }
            | Self::NoSuchSession
            | Self::NotThere
            | Self::TooManyOpen { .. }
            | Self::PasswordNeeded(_)
            | Self::WrongPassword
            | Self::LockedOut { .. }
            | Self::Busy { .. }
            | Self::BadPassword { .. }
            | Self::NameTaken(_)
            | Self::RegistrationClosed
            | Self::NoAccount
            | Self::LoginUnderWay
            | Self::BlockedBy(_)
            | Self::AlreadyBlocked(_)
            | Self::NotBlocked(_)
            | Self::TooManyBlocks { .. }
            | Self::StoreFailed
            | Self::WrongVersion { .. }
            | Self::NotInRoom
            | Self::AlreadyThere
            | Self::NoSuchUser(_)
            | Self::NoSuchRoom
            | Self::ToYourself
            | Self::TooManyUploads { .. }
            | Self::NoSuchTransfer
            | Self::TransferNotReady
            | Self::NoSuchFile
            | Self::NotYourFile
            | Self::TooManyFiles { .. }
            | Self::ServerFull { .. }
            | Self::TooManyDownloads { .. }
            | Self::ShuttingDown => return None,
        })
    }

    /// Whether there would be room if the user removed something.
    #[must_use]
    pub(crate) fn asks_to_remove(&self) -> bool {
        self.hint() == Some(Hint::RemoveFiles)
    }

    /// The stable code of the refusal in the native and text protocols.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad_request",
            Self::UnknownOp(_) => "unknown_op",
            Self::LoginFirst => "login_first",
            Self::LoggedIn(_) => "logged_in",
            Self::BadUserName(_) => "bad_user_name",
            Self::BadRoomName(_) => "bad_room_name",
            Self::BadFileName(_) => "bad_file_name",
            Self::BadText(_) => "bad_text",
            Self::BadMessageKey { .. } => "bad_key",
            Self::NameInUse(_) => "name_in_use",
            Self::TooManySessions { .. } => "too_many_sessions",
            Self::TooManyErrands { .. } => "too_many_errands",
            Self::NoSuchSession => "no_such_session",
            Self::NotThere => "not_there",
            Self::TooManyOpen { .. } => "too_many_open",
            Self::PasswordNeeded(_) => "password_needed",
            Self::WrongPassword => "wrong_password",
            Self::LockedOut { .. } => "locked_out",
            Self::Busy { .. } => "busy",
            Self::BadPassword { .. } => "bad_password",
            Self::NameTaken(_) => "name_taken",
            Self::RegistrationClosed => "registration_closed",
            Self::NoAccount => "no_account",
            Self::LoginUnderWay => "login_under_way",
            Self::BlockedBy(_) => "blocked",
            Self::AlreadyBlocked(_) => "already_blocked",
            Self::NotBlocked(_) => "not_blocked",
            Self::TooManyBlocks { .. } => "too_many_blocks",
            Self::MailboxFull { .. } => "mailbox_full",
            Self::StoreFailed => "store_failed",
            Self::SlowDown { .. } => "slow_down",
            Self::WrongVersion { .. } => "wrong_version",
            Self::NotInRoom => "not_in_room",
            Self::AlreadyThere => "already_there",
            Self::RoomFull { .. } => "room_full",
            Self::TooManyRooms { .. } => "too_many_rooms",
            Self::NoSuchUser(_) => "no_such_user",
            Self::NoSuchRoom => "no_such_room",
            Self::ToYourself => "to_yourself",
            Self::FileTooLarge { .. } => "file_too_large",
            Self::QueueFull { .. } => "queue_full",
            Self::TooManyUploads { .. } => "too_many_uploads",
            Self::NoSuchTransfer => "no_such_transfer",
            Self::TransferNotReady => "transfer_not_ready",
            Self::NoSuchFile => "no_such_file",
            Self::NotYourFile => "not_your_file",
            Self::QuotaFull { .. } => "quota_full",
            Self::TooManyFiles { .. } => "too_many_files",
            Self::ServerFull { .. } => "server_full",
            Self::TooManyDownloads { .. } => "too_many_downloads",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

/// A command that helps after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint<'a> {
    /// Ask which commands there are.
    ListCommands,
    /// Log in.
    LogIn,
    /// Log in under this name with its password.
    LogInAs(&'a UserName),
    /// Log out and register a name.
    Register,
    /// Join a room before that.
    JoinRoom,
    /// Join a room that there is.
    JoinOther,
    /// Ask which rooms there are.
    ListRooms,
    /// Ask which files there are.
    ListFiles,
    /// Remove some of your files.
    RemoveFiles,
}

/// Milliseconds as whole seconds, never too few.
fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}
