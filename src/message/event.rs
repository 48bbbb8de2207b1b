//! What a client hears without having asked.
//!
//! Refuses to know how it is written down. An event for many is made once and shared.

use serde::{Deserialize, Serialize};

use super::{FileLine, FileName, RoomName, Text, UserName};
use crate::id::{LetterId, TransferId, millis};
use crate::limits::{FRAME_BEFORE_LOGIN_MAX, FRAME_MAX, Limits};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ev", rename_all = "snake_case")]
pub enum Event {
    /// The greeting: the first event on every connection.
    Hello {
        /// Version of the protocol that the server speaks.
        protocol: u32,
        /// The server's name and version.
        server: String,
        /// Every limit that the client will meet.
        limits: Greeting,
    },
    /// Something was said in the room.
    Said {
        /// The room.
        room: RoomName,
        /// Who said it.
        from: UserName,
        /// What.
        text: Text,
        /// Whether it is told as an action.
        #[serde(default, skip_serializing_if = "is_false")]
        me: bool,
        /// When, in milliseconds since 1970.
        at: u64,
        /// This user said it, in another session.
        #[serde(default, skip_serializing_if = "is_false")]
        own: bool,
    },
    /// Something was said to this user alone.
    Whispered {
        /// By whom.
        from: UserName,
        /// What.
        text: Text,
        /// When, in milliseconds since 1970.
        at: u64,
        /// The server keeps it under this number until the client has confirmed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        letter: Option<LetterId>,
        /// To whom, where this user said it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<UserName>,
        /// This user said it, in another session.
        #[serde(default, skip_serializing_if = "is_false")]
        own: bool,
    },
    /// Something was said to everybody online.
    Broadcast {
        /// By whom.
        from: UserName,
        /// What.
        text: Text,
        /// When, in milliseconds since 1970.
        at: u64,
        /// This user said it, in another session.
        #[serde(default, skip_serializing_if = "is_false")]
        own: bool,
    },
    /// A user logged in.
    Online {
        /// Who.
        user: UserName,
        /// When, in milliseconds since 1970.
        at: u64,
    },
    /// A user logged out or is gone.
    Offline {
        /// Who.
        user: UserName,
        /// When, in milliseconds since 1970.
        at: u64,
    },
    /// This user was logged out; the connection stays.
    LoggedOut {
        /// Why.
        reason: LogoutReason,
    },
    /// A user came into the room.
    Joined {
        /// The room.
        room: RoomName,
        /// Who.
        user: UserName,
        /// When, in milliseconds since 1970.
        at: u64,
    },
    /// A user left the room.
    Left {
        /// The room.
        room: RoomName,
        /// Who.
        user: UserName,
        /// When, in milliseconds since 1970.
        at: u64,
    },
    /// The line moved: a waiting upload of this user has a new place.
    Queued {
        /// Which upload.
        transfer: TransferId,
        /// Its place, from 1.
        place: u32,
        /// How long the line is.
        of: u32,
    },
    /// An upload of this user has a slot: send it.
    Admitted {
        /// Which upload.
        transfer: TransferId,
        /// How long it waited in milliseconds.
        waited_ms: u64,
        /// Bytes that may be sent before the next [`Event::Credit`].
        credit: u64,
        /// From which byte on: those before it are here since an earlier try.
        #[serde(default, skip_serializing_if = "is_zero")]
        offset: u64,
    },
    /// More bytes of an upload may be sent.
    Credit {
        /// Which upload.
        transfer: TransferId,
        /// How many more.
        bytes: u64,
    },
    /// A user hands a file over to this user or to this user's room.
    Offered {
        /// Which.
        #[serde(flatten)]
        file: FileLine,
    },
    /// A user whom this one has handed a file has taken it or refused it.
    Receipt {
        /// Which file.
        transfer: TransferId,
        /// Its name.
        name: FileName,
        /// Who.
        by: UserName,
        /// Whether it was taken.
        took: bool,
    },
    /// A transfer is over: an upload however it went, a download if it did not come to its end.
    Ended {
        /// Which transfer.
        transfer: TransferId,
        /// How.
        how: Ending,
    },
    /// The server has not heard from this client for a while: answer with any request.
    Ping,
    /// The last words on a connection.
    Bye {
        /// Why it ends.
        reason: CloseReason,
        /// Whether it is worth coming back.
        back: bool,
        /// How many messages of others this client missed.
        #[serde(default, skip_serializing_if = "is_zero")]
        missed: u64,
    },
}

impl Event {
    /// The same words, as the other sessions of whoever said them hear them.
    #[must_use]
    pub(crate) fn into_own(mut self) -> Self {
        match &mut self {
            Self::Said { own, .. } | Self::Whispered { own, .. } | Self::Broadcast { own, .. } => {
                *own = true;
            }
            Self::Hello { .. }
            | Self::Online { .. }
            | Self::Offline { .. }
            | Self::LoggedOut { .. }
            | Self::Joined { .. }
            | Self::Left { .. }
            | Self::Queued { .. }
            | Self::Admitted { .. }
            | Self::Credit { .. }
            | Self::Offered { .. }
            | Self::Receipt { .. }
            | Self::Ended { .. }
            | Self::Ping
            | Self::Bye { .. } => {}
        }
        self
    }
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The server has all of it, on its disk.
    #[error("handed over")]
    Stored,
    /// It was withdrawn.
    #[error("withdrawn")]
    Cancelled,
    /// The sender has disconnected.
    #[error("the sender disconnected")]
    SenderGone,
    /// The receiver has disconnected, or left the room.
    #[error("the receiver left")]
    ReceiverGone,
    /// No byte of it came for too long.
    #[error("it stalled for too long; send it again to resume")]
    Stalled,
    /// What came is not what was announced.
    #[error("what came is not what was announced: its hash differs")]
    Mismatch,
    /// The file was removed meanwhile.
    #[error("the file was removed")]
    Removed,
    /// More bytes came than were announced or granted.
    #[error("more bytes came than were announced or granted")]
    Overrun,
    /// The server's disk failed or is full.
    #[error("the server could not store it")]
    StoreFailed,
}

/// Why the server logged a user out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum LogoutReason {
    /// No command for too long.
    #[error("you have sent no command for too long")]
    Idle,
    /// A guest's name was made a user's account.
    #[error("somebody registered the name")]
    Registered,
    /// The account was removed.
    #[error("the account was removed")]
    Removed,
    /// The password was changed in another session.
    #[error("the password was changed in another session")]
    PasswordChanged,
    /// Another session logged out everywhere.
    #[error("you logged out everywhere")]
    Everywhere,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// The client asked.
    #[error("goodbye")]
    Exit,
    /// The server stops.
    #[error("the server shuts down")]
    Shutdown,
    /// The client reads more slowly than others speak to it.
    #[error("reading too slowly")]
    TooSlow,
    /// All clients together read too slowly, and this one had the most waiting.
    #[error("the server had too much unread output, and this connection the most")]
    Overloaded,
    /// No first byte in time.
    #[error("nothing was sent in time")]
    FirstByteLate,
    /// No login in time.
    #[error("no login in time")]
    LoginLate,
    /// No sign of life in time.
    #[error("no sign of life in time")]
    Silent,
    /// The same user logged in on another connection, with a token or while this one gave no sign
    /// of life.
    #[error("the same user logged in on another connection")]
    TakenOver,
    /// The same user ended it from another session.
    #[error("you ended this session from another one")]
    EndedElsewhere,
    /// Too many connections wait for their login.
    #[error(
        "too many connections have not logged in; try again in a moment; the owner can \
         raise the limit with --before-login or --before-login-source"
    )]
    TooManyWaiting,
    /// A frame or line over the limit.
    #[error(
        "a frame or line is longer than the limit: {FRAME_MAX} bytes, {FRAME_BEFORE_LOGIN_MAX} \
         before login"
    )]
    FrameTooLong,
    /// Frames without content.
    #[error("too many empty frames")]
    EmptyFrames,
    /// A frame of a kind that does not exist.
    #[error("a frame of an unknown kind")]
    UnknownKind,
    /// The first bytes are of no protocol that is spoken here.
    #[error("unknown protocol")]
    UnknownProtocol,
    /// The client ended its side of the connection.
    #[error("the peer closed the connection")]
    PeerClosed,
    /// The connection broke.
    #[error("the connection broke")]
    PeerReset,
}

impl CloseReason {
    /// Whether a client that ended so may expect better luck with a new connection.
    #[must_use]
    pub const fn worth_coming_back(self) -> bool {
        match self {
            Self::Shutdown
            | Self::TooSlow
            | Self::Overloaded
            | Self::FirstByteLate
            | Self::LoginLate
            | Self::Silent
            | Self::TooManyWaiting
            | Self::PeerClosed
            | Self::PeerReset => true,
            Self::Exit
            | Self::TakenOver
            | Self::EndedElsewhere
            | Self::FrameTooLong
            | Self::EmptyFrames
            | Self::UnknownKind
            | Self::UnknownProtocol => false,
        }
    }
}

/// The limits that a client will meet, told in the greeting. Sizes in bytes, times in milliseconds.
/// A client reads what another version of the server leaves out as 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Greeting {
    pub user_name: u64,
    pub room_name: u64,
    pub file_name: u64,
    pub frame: u64,
    pub frame_before_login: u64,
    pub message: u64,
    pub message_rate: u64,
    pub password_min: u64,
    pub password_max: u64,
    pub chunk: u64,
    pub file: u64,
    pub room_members: u64,
    pub upload_slots: u64,
    pub upload_waiting: u64,
    pub upload_credit: u64,
    pub upload_stall_ms: u64,
    pub downloads: u64,
    pub login_before_ms: u64,
    pub heartbeat_ms: u64,
    pub dead_after_ms: u64,
    pub timeout_ms: u64,
}

impl Greeting {
    /// What a server with these limits tells.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        use crate::limits as bound;
        Self {
            user_name: bound::USER_NAME_MAX as u64,
            room_name: bound::ROOM_NAME_MAX as u64,
            file_name: bound::FILE_NAME_MAX as u64,
            frame: bound::FRAME_MAX as u64,
            frame_before_login: bound::FRAME_BEFORE_LOGIN_MAX as u64,
            message: limits.message_bytes,
            message_rate: limits.message_rate,
            password_min: bound::PASSWORD_MIN as u64,
            password_max: bound::PASSWORD_MAX as u64,
            chunk: bound::CHUNK_MAX as u64,
            file: limits.file_bytes,
            room_members: limits.room_members,
            upload_slots: limits.upload_slots,
            upload_waiting: limits.upload_waiting,
            upload_credit: limits.upload_credit_bytes,
            upload_stall_ms: millis(limits.upload_stall),
            downloads: bound::DOWNLOADS_A_USER as u64,
            login_before_ms: millis(limits.login_before),
            heartbeat_ms: millis(limits.heartbeat),
            dead_after_ms: millis(limits.dead_after),
            timeout_ms: millis(limits.timeout),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde asks for
fn is_false(value: &bool) -> bool {
    !*value
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde asks for
fn is_zero(value: &u64) -> bool {
    *value == 0
}
