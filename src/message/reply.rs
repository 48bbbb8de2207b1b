//! What a client is answered when its request was carried out.
//!
//! Refuses to know which request it answers: the engine pairs the two. Exactly one reply or
//! refusal goes out for each request.

use serde::{Deserialize, Serialize};

use super::{FileLine, FileName, RoomName, Target, UserName};
use crate::id::TransferId;

/// A positive answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ok", rename_all = "snake_case")]
pub enum Reply {
    /// Done, and there is nothing more to say.
    Done,
    /// To a `hello` that tells of the client: what the server can do for it.
    Able {
        /// Keys of messages that are remembered for one user.
        keys: u32,
        /// Which run of the server it is: after a restart it is another one.
        #[serde(default)]
        run: String,
    },
    /// Logged in.
    Welcome {
        /// The name, as it will be shown.
        user: UserName,
        /// Whether it is a guest's: a name without a password.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        guest: bool,
        /// Logs in again without a password, within a day: see `docs/protocol.md`.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        token: String,
        /// The room that one is in, if the session was taken over from a dead connection.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<RoomName>,
        /// All rooms that one is in, the current one first; where they are several, and only to a
        /// client that knows of several.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rooms: Vec<RoomName>,
    },
    /// The account has another password, and all tokens of before are void.
    PasswordChanged {
        /// The new token.
        token: String,
    },
    /// Logged out; the connection stays.
    LoggedOut,
    /// Now in a room.
    Joined {
        /// The room, as it was first written.
        room: RoomName,
        /// Who is in it, oneself included.
        #[serde(flatten)]
        members: Names,
    },
    /// No longer in a room.
    Left {
        /// The room that was left.
        room: RoomName,
        /// The room that is current now, where there is another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        current: Option<RoomName>,
    },
    /// Another room is current.
    Current {
        /// Which.
        room: RoomName,
    },
    /// The sessions of the user.
    Sessions {
        /// Each of them, in the order of their logins.
        sessions: Vec<SessionLine>,
    },
    /// A message was handed on.
    Heard {
        /// To how many.
        count: u32,
        /// Whether some did not get it because a block stands.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        blocked: bool,
    },
    /// A message is kept until it has arrived.
    Kept {
        /// For whom.
        user: UserName,
        /// Whether that user is online and has been sent it.
        online: bool,
    },
    /// The rooms that exist.
    Rooms {
        /// The first of them by name.
        rooms: Vec<RoomLine>,
        /// How many there are in all.
        total: u32,
    },
    /// Users of a room or of the server.
    Who {
        /// The room, if one was asked about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<RoomName>,
        /// Who they are.
        #[serde(flatten)]
        members: Names,
    },
    /// Who else is online, or was.
    WhoElse {
        /// Within how many seconds, if that was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within_s: Option<u64>,
        /// Who they are.
        #[serde(flatten)]
        members: Names,
    },
    /// Whom one has blocked.
    Blocked {
        /// Who they are.
        #[serde(flatten)]
        members: Names,
    },
    /// The upload queue.
    Queue {
        /// Slots in all.
        slots: u32,
        /// Slots in use.
        used: u32,
        /// Uploads in line.
        waiting: u32,
        /// The first of the uploads, those in slots before the line in its order.
        uploads: Vec<UploadLine>,
    },
    /// The commands.
    Help {
        /// One line a command.
        text: String,
    },
    /// The sign of life asked for.
    Pong,
    /// A file was announced and will be called for.
    Announced {
        /// By which number it goes from now on.
        transfer: TransferId,
        /// Place in the line; 0 when it has a slot.
        place: u32,
    },
    /// The files that one may take, in the order of their numbers.
    Files {
        /// The first of them.
        files: Vec<FileLine>,
        /// Whether there are more: ask again for those after the last one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        more: bool,
    },
    /// A file comes, in chunks under its number.
    Getting {
        /// Which.
        #[serde(flatten)]
        file: FileLine,
        /// From which byte on.
        #[serde(default, skip_serializing_if = "is_zero")]
        offset: u64,
    },
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde asks for
fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Reply {
    /// A guest is welcome.
    #[must_use]
    pub const fn welcome(user: UserName) -> Self {
        Self::Welcome { user, guest: true, token: String::new(), room: None, rooms: Vec::new() }
    }

    /// So many heard it, and nobody was kept from it.
    #[must_use]
    pub const fn heard(count: u32) -> Self {
        Self::Heard { count, blocked: false }
    }
}

/// Some names and how many there are in all: a reply is bounded, the truth is not hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Up to `LIST_MAX` of them, sorted.
    pub users: Vec<UserName>,
    /// How many there are in all.
    pub total: u32,
}

/// A line of the list that a user gets of their sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLine {
    /// Its number, by which it can be ended.
    pub session: u32,
    /// What its client calls the device; empty if it did not tell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub device: String,
    /// Since when it is logged in, in milliseconds since 1970.
    pub since: u64,
    /// From which address; of IPv6 the first 64 bits.
    pub address: String,
    /// It is an errand.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub errand: bool,
    /// It is the one that asks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub this: bool,
}

/// A room in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomLine {
    /// Its name.
    pub room: RoomName,
    /// How many are in it.
    pub members: u32,
}

/// An upload in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadLine {
    /// Its number.
    pub transfer: TransferId,
    /// Who sends.
    pub from: UserName,
    /// Whom it is for.
    pub to: Target,
    /// The file's name.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// Place in the line; 0 when it has a slot.
    pub place: u32,
    /// How long it waited, or has been waiting, in milliseconds.
    pub waited_ms: u64,
}
