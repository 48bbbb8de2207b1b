//! The facts themselves, by what they are about. Where nothing else is said, `conn` is the
//! connection that something happened on, `user` who is named on it, and `from` who speaks or
//! sends.
//!
//! The rules they keep: what is in a fact is what was known when it happened, as values; the names
//! of kinds and fields, as programs read them in the log, are stable, and no fact has one twice.

use super::{Counts, Parcel, Slots, Who};
use crate::id::{ConnId, TransferId};
use crate::message::{
    CloseReason, Ending, FileName, LogoutReason, Op, Refusal, RoomName, Text, UserName,
};
use serde::{Serialize, Serializer};

/// Of connections and what they ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ConnFact {
    /// A connection was made, from an address.
    Connected { conn: ConnId, peer: Box<str> },
    /// What came first on a connection begins no protocol.
    UnknownProtocol { conn: ConnId, first: u8 },
    /// A request was refused; `code` is that of the refusal.
    Refused {
        #[serde(flatten)]
        who: Who,
        #[serde(serialize_with = "name_of")]
        op: Op,
        code: &'static str,
    },
    /// A user blocks another one from now on, or does not.
    BlockSet {
        #[serde(flatten)]
        who: Who,
        #[serde(rename = "other")]
        user: UserName,
        blocks: bool,
    },
    /// A connection ended. It was not told `missed` messages of others.
    Disconnected {
        conn: ConnId,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<UserName>,
        reason: CloseReason,
        missed: u64,
    },
}

/// Of names and who has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum LoginFact {
    /// A connection has a name.
    LoggedIn { user: UserName, conn: ConnId },
    /// A login was refused, for the name has an owner who lives.
    NameInUse { conn: ConnId, user: UserName },
    /// A login was refused, for the password is wrong or must not be tried now.
    WrongPassword { conn: ConnId, user: UserName },
    /// A connection has the name and the room of another one, its `owner`, that is closed.
    TakenOver { user: UserName, conn: ConnId, owner: ConnId },
    /// The server logged a user out.
    LoggedOut { user: UserName, conn: ConnId, reason: LogoutReason },
    /// A user gave the name back.
    NameGivenBack { user: UserName, conn: ConnId },
    /// An account was made.
    Registered { user: UserName, conn: ConnId },
    /// A user changed their password.
    PasswordChanged { user: UserName },
}

/// Of rooms and who is in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RoomFact {
    /// A user is in a room, in which there are `members` now, and may be `most`.
    Joined { user: UserName, room: RoomName, members: usize, most: u64 },
    /// A user is not in a room any more, in which there are `members` now.
    Left { user: UserName, room: RoomName, members: usize },
    /// A room is there.
    RoomMade { room: RoomName, user: UserName },
    /// A room is not there any more.
    RoomGone { room: RoomName },
}

/// Of what is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TalkFact {
    /// So many bytes were said in a room, and so many of the others in it were told.
    Said { from: UserName, room: RoomName, bytes: usize, heard: usize, others: usize },
    /// What was said in a room.
    SaidText { from: UserName, room: RoomName, text: Text },
    /// So many bytes were said to all who are online, and so many of the others were told.
    Broadcast { from: UserName, bytes: usize, heard: usize, others: usize },
    /// What was said to all.
    BroadcastText { from: UserName, text: Text },
    /// So many bytes were said to one user.
    Whispered { from: UserName, to: UserName, bytes: usize },
    /// What was said to one user.
    WhisperedText { from: UserName, to: UserName, text: Text },
}

/// Of files, on their way here and after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum FileFact {
    /// A file is to come, and has a number.
    Announced {
        transfer: TransferId,
        #[serde(flatten)]
        file: Box<Parcel>,
    },
    /// A file that was announced may not come.
    UploadRefused {
        #[serde(flatten)]
        file: Box<Parcel>,
        #[serde(rename = "code", serialize_with = "code_of")]
        refusal: Box<Refusal>,
    },
    /// An upload has no slot yet: its place in the line, and how many wait.
    Waiting {
        transfer: TransferId,
        #[serde(flatten)]
        file: Box<Parcel>,
        place: usize,
        waiting: usize,
        #[serde(flatten)]
        slots: Slots,
    },
    /// An upload has its slot, after so long.
    Admitted {
        transfer: TransferId,
        #[serde(flatten)]
        file: Box<Parcel>,
        waited_ms: u64,
        #[serde(flatten)]
        slots: Slots,
    },
    /// A file is stored.
    Received {
        transfer: TransferId,
        #[serde(flatten)]
        file: Box<Parcel>,
    },
    /// An upload is over, well or not.
    UploadEnded {
        transfer: TransferId,
        #[serde(flatten)]
        file: Box<Parcel>,
        how: Ending,
        #[serde(flatten)]
        slots: Slots,
    },
    /// A user takes a file.
    Sent {
        transfer: TransferId,
        #[serde(flatten)]
        file: Box<Parcel>,
        user: UserName,
    },
    /// The one whom a file was for has it.
    Delivered {
        transfer: TransferId,
        #[serde(flatten)]
        file: Option<Box<Parcel>>,
        user: UserName,
    },
    /// The one whom a file was for does not want it.
    Rejected {
        transfer: TransferId,
        #[serde(flatten)]
        file: Option<Box<Parcel>>,
        user: UserName,
    },
    /// The sender of a file takes it back.
    Withdrawn { transfer: TransferId, user: UserName },
    /// Nobody will ever take a file.
    Orphaned {
        transfer: TransferId,
        #[serde(flatten)]
        file: Option<Box<Parcel>>,
        how: Ending,
    },
    /// A file has lain here for as long as it may.
    Expired {
        transfer: TransferId,
        #[serde(flatten)]
        file: Box<Parcel>,
    },
}

/// Of what failed and the owner of the server should know of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TroubleFact {
    /// The store failed; what needs it is refused.
    StoreFails { why: String },
    /// A new secret for tokens could not be kept: they are void until the next start only.
    TokensVoid { why: String },
    /// A password could not be hashed.
    HashFailed { why: String },
    /// A password could not be compared with its hash.
    CheckFailed { why: String },
    /// The disk failed an upload, or a download `to` a connection.
    TransferFailed {
        transfer: TransferId,
        #[serde(rename = "conn", skip_serializing_if = "Option::is_none")]
        to: Option<ConnId>,
        why: String,
    },
    /// A worker has trouble that no request waits for.
    WorkerTrouble { why: String },
    /// The content of a stored file is gone; so is the file.
    ContentLost { transfer: TransferId, name: FileName, from: UserName },
    /// The wall clock is suddenly so far ahead, and so many files would expire by it: they wait.
    ClockAhead { ahead_s: u64, files: usize },
    /// A client could not be let in; nor were so many before, each time for some reason.
    TurnedAway { why: String, so_far: u64 },
    /// So many lines are missing in the log here.
    LinesDropped { lines: u64 },
}

/// Of the server itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ServerFact {
    /// The store works again.
    StoreWorks,
    /// The server listens.
    Listening { addresses: String, version: &'static str },
    /// There may be more connections than descriptors for them.
    FewDescriptors { connections: u64, needed: u64, descriptors: u64 },
    /// The numbers of a running server.
    Report {
        #[serde(flatten)]
        report: Box<Counts>,
    },
    /// The server was asked to stop.
    StopAsked,
    /// So many connections are told that the server stops.
    Stopping { connections: usize },
    /// The server has stopped; its last numbers.
    Stopped {
        #[serde(flatten)]
        report: Box<Counts>,
    },
}

fn name_of<S: Serializer>(op: &Op, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(op.name())
}

fn code_of<S: Serializer>(refusal: &Refusal, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(refusal.code())
}
