//! PURE. What happened, as values: one variant for each thing that the owner of a server may read
//! of.
//!
//! Knows the vocabulary and no words for people: the log makes those, and only for a level that it
//! keeps. The rules it keeps: to make a fact costs no formatting; what a client chose is in it as
//! the client wrote it, and whoever shows it makes it visible; the body of a message is in facts of
//! [`Level::Debug`] only.

mod category;
mod counts;
mod kinds;
mod weight;

pub use category::{Category, Level};
pub use counts::{Counts, MemoryCounts, Stats, TurnCounts};
pub use kinds::{ConnFact, FileFact, LoginFact, RoomFact, ServerFact, TalkFact, TroubleFact};

use crate::id::ConnId;
use crate::message::{FileLine, FileName, Refusal, Target, UserName};
use serde::Serialize;

/// A client: by name, or before that by the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Who has no name.
    Conn(ConnId),
    /// Who has one.
    User(UserName),
}

impl Who {
    /// The user, if there is one on the connection.
    #[must_use]
    pub fn new(conn: ConnId, user: Option<UserName>) -> Self {
        user.map_or(Self::Conn(conn), Self::User)
    }
}

/// A file as facts name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parcel {
    /// Who sends it.
    pub from: UserName,
    /// Whom it is for.
    pub to: Target,
    /// Its name, as the sender gave it.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
}

impl Parcel {
    /// The file of a line.
    #[must_use]
    pub fn of(line: &FileLine) -> Box<Self> {
        let FileLine { from, to, name, size, .. } = line;
        Box::new(Self { from: *from, to: *to, name: name.clone(), size: *size })
    }
}

/// How many upload slots are in use, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Slots {
    /// In use.
    pub used: usize,
    /// In all.
    pub slots: usize,
}

/// One thing that happened. Serialized, it is an object whose `event` names the kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Fact {
    Conn(ConnFact),
    Login(LoginFact),
    Room(RoomFact),
    Talk(TalkFact),
    File(FileFact),
    Trouble(TroubleFact),
    Server(ServerFact),
}

impl Fact {
    /// What kind of activity it tells of.
    #[must_use]
    pub fn category(&self) -> Category {
        match self {
            Self::Conn(ConnFact::Disconnected { .. }) => Category::Disconnect,
            Self::Conn(_) => Category::Client,
            Self::Login(_) => Category::Login,
            Self::Room(fact) => of_room(fact),
            Self::Talk(fact) => of_talk(fact),
            Self::File(fact) => of_file(fact),
            Self::Trouble(_) => Category::Error,
            Self::Server(fact) => of_server(fact),
        }
    }

    /// How much it matters.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Self::Talk(
                TalkFact::SaidText { .. }
                | TalkFact::BroadcastText { .. }
                | TalkFact::WhisperedText { .. },
            ) => Level::Debug,
            Self::Trouble(_) => Level::Error,
            Self::Conn(_)
            | Self::Login(_)
            | Self::Room(_)
            | Self::Talk(_)
            | Self::File(_)
            | Self::Server(_) => Level::Info,
        }
    }
}

fn of_room(fact: &RoomFact) -> Category {
    match fact {
        RoomFact::Joined { .. } => Category::Join,
        RoomFact::Left { .. } => Category::Leave,
        RoomFact::RoomMade { .. } | RoomFact::RoomGone { .. } => Category::Room,
    }
}

fn of_talk(fact: &TalkFact) -> Category {
    match fact {
        TalkFact::Whispered { .. } | TalkFact::WhisperedText { .. } => Category::Whisper,
        TalkFact::Said { .. }
        | TalkFact::SaidText { .. }
        | TalkFact::Broadcast { .. }
        | TalkFact::BroadcastText { .. } => Category::Broadcast,
    }
}

fn of_file(fact: &FileFact) -> Category {
    match fact {
        FileFact::UploadRefused { refusal, .. } => of_refused(refusal),
        FileFact::Waiting { .. } | FileFact::Admitted { .. } | FileFact::UploadEnded { .. } => {
            Category::FileQueue
        }
        FileFact::Announced { .. }
        | FileFact::Received { .. }
        | FileFact::Sent { .. }
        | FileFact::Delivered { .. }
        | FileFact::Rejected { .. }
        | FileFact::Withdrawn { .. }
        | FileFact::Orphaned { .. }
        | FileFact::Expired { .. } => Category::SendFile,
    }
}

/// Whether it is the line of uploads that has no room, or something else.
fn of_refused(refusal: &Refusal) -> Category {
    let is_full = matches!(refusal, Refusal::QueueFull { .. } | Refusal::TooManyUploads { .. });
    if is_full { Category::FileQueue } else { Category::SendFile }
}

fn of_server(fact: &ServerFact) -> Category {
    match fact {
        ServerFact::StopAsked | ServerFact::Stopping { .. } | ServerFact::Stopped { .. } => {
            Category::Shutdown
        }
        ServerFact::StoreWorks
        | ServerFact::Listening { .. }
        | ServerFact::FewDescriptors { .. }
        | ServerFact::Report { .. } => Category::Server,
    }
}

impl From<ConnFact> for Fact {
    fn from(fact: ConnFact) -> Self {
        Self::Conn(fact)
    }
}

impl From<LoginFact> for Fact {
    fn from(fact: LoginFact) -> Self {
        Self::Login(fact)
    }
}

impl From<RoomFact> for Fact {
    fn from(fact: RoomFact) -> Self {
        Self::Room(fact)
    }
}

impl From<TalkFact> for Fact {
    fn from(fact: TalkFact) -> Self {
        Self::Talk(fact)
    }
}

impl From<FileFact> for Fact {
    fn from(fact: FileFact) -> Self {
        Self::File(fact)
    }
}

impl From<TroubleFact> for Fact {
    fn from(fact: TroubleFact) -> Self {
        Self::Trouble(fact)
    }
}

impl From<ServerFact> for Fact {
    fn from(fact: ServerFact) -> Self {
        Self::Server(fact)
    }
}
