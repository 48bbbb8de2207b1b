//! "No": the request is not carried out, changes nothing, and the session lives.
//!
//! Codes are for programs and never change; texts are for people and say what to do.

use super::{NameError, TextError, UserName};

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not a request of this protocol.
    #[error("not a request: {0}")]
    BadRequest(String),
    /// There is no such request (in this version).
    #[error("unknown command `{0}`; /help lists them")]
    UnknownOp(String),
    /// Only those who have a name may.
    #[error("log in first: /login NAME")]
    LoginFirst,
    /// One name a connection.
    #[error("you are logged in already, as {0}")]
    LoggedIn(UserName),
    /// Such a user name cannot be.
    #[error("that is no user name: {0}; use 1 to 16 letters and digits")]
    BadUserName(NameError),
    /// Such a room name cannot be.
    #[error("that is no room name: {0}; use 1 to 32 letters and digits")]
    BadRoomName(NameError),
    /// Such a file name cannot be.
    #[error("that is no file name: {0}")]
    BadFileName(NameError),
    /// Such a message cannot be.
    #[error("that cannot be said: {0}")]
    BadText(TextError),
    /// Somebody has the name.
    #[error("the name {0} is in use; choose another")]
    NameInUse(UserName),
    /// A client of another version.
    #[error("this server speaks version {ours} of the protocol, not {theirs}")]
    WrongVersion {
        /// What the client speaks.
        theirs: u32,
        /// What the server speaks.
        ours: u32,
    },
    /// It needs a room.
    #[error("you are in no room; /join ROOM first")]
    NotInRoom,
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
    #[error("there are {limit} rooms and no more may be made; join one of them (/rooms)")]
    TooManyRooms {
        /// The limit.
        limit: u64,
    },
    /// Nobody online has that name.
    #[error("nobody here is called {0}")]
    NoSuchUser(UserName),
    /// No room has that name.
    #[error("there is no such room; /rooms lists them")]
    NoSuchRoom,
    /// Talking to oneself.
    #[error("that is you")]
    ToYourself,
    /// Over the limit, before a byte of it was taken.
    #[error("the file is too large: {size} bytes, at most {limit} are allowed")]
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
    #[error("you have {limit} files on their way; wait until one is handed over")]
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
    /// The server stops.
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl Refusal {
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
            Self::NameInUse(_) => "name_in_use",
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
            Self::ShuttingDown => "shutting_down",
        }
    }
}
