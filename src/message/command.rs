//! What a client may ask for.
//!
//! Refuses to know how it was written down or whether it is allowed. Text in a command is still
//! raw: the hub checks it after it has checked that the session may ask at all.

use std::borrow::Cow;
use std::fmt;

use super::Digest;
use crate::id::{LetterId, TransferId};

/// One request of a client. It borrows from the bytes that it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Who calls, and in which version of the protocol.
    Hello {
        /// Version of the protocol that the client speaks.
        version: u32,
        /// What else the client tells of itself.
        about: ClientTraits<'a>,
    },
    /// Take a name.
    Login {
        /// The name wanted.
        user: Cow<'a, str>,
        /// Why it is ours to take.
        proof: Proof<'a>,
    },
    /// Make an account and log in.
    Register {
        /// The name wanted.
        user: Cow<'a, str>,
        /// Its password from now on.
        password: Secret<'a>,
    },
    /// Give the account another password.
    Passwd {
        /// The one that it has.
        old: Secret<'a>,
        /// The one that it is to have.
        new: Secret<'a>,
    },
    /// Give the name back; the connection stays.
    Logout {
        /// Log out everywhere: all sessions of the user, and all tokens are void.
        all: bool,
    },
    /// List your sessions.
    Sessions,
    /// End another session of yours.
    EndSession {
        /// Which.
        session: u32,
    },
    /// Go to a room, leaving the current one.
    Join {
        /// The room wanted.
        room: Cow<'a, str>,
        /// Stay in the current one too.
        open: bool,
    },
    /// Make a room that the session is in the current one.
    Room {
        /// Which.
        room: Cow<'a, str>,
    },
    /// Leave a room.
    Leave {
        /// Which; `None` means the current one.
        room: Option<Cow<'a, str>>,
    },
    /// Say something to a room.
    Say {
        /// What is said.
        text: Cow<'a, str>,
        /// Whether it is told as an action (`/me waves`).
        me: bool,
        /// Where; `None` means the current room.
        room: Option<Cow<'a, str>>,
    },
    /// Say something to the room, or to everybody online if one is in no room.
    Broadcast {
        /// What is said.
        text: Cow<'a, str>,
    },
    /// Say something to one user.
    Whisper {
        /// To whom.
        user: Cow<'a, str>,
        /// What is said.
        text: Cow<'a, str>,
    },
    /// Say, whisper or broadcast once, however often it is sent under this key.
    Once {
        /// Chosen by the client: 1 to 32 bytes.
        key: Cow<'a, str>,
        /// What is said.
        message: Box<Command<'a>>,
    },
    /// Letters have arrived and need not be kept any longer.
    Got {
        /// The last of them.
        letter: LetterId,
    },
    /// List the rooms.
    Rooms,
    /// List the users of a room, of the current room, or of the server.
    Who {
        /// The room asked about.
        room: Option<Cow<'a, str>>,
    },
    /// List who else is online, or was within some time.
    WhoElse {
        /// Within how many seconds; `None` asks for those who are online now.
        within_s: Option<u64>,
    },
    /// Hear nothing of a user any more.
    Block {
        /// Whom.
        user: Cow<'a, str>,
    },
    /// Hear a user again.
    Unblock {
        /// Whom.
        user: Cow<'a, str>,
    },
    /// List whom one has blocked.
    Blocked,
    /// Show the upload queue.
    Queue,
    /// List the commands.
    Help,
    /// A sign of life, answered with one.
    Ping,
    /// Say goodbye.
    Exit,
    /// Announce a file to hand over.
    SendFile {
        /// The receiver; `None` means a room.
        user: Option<Cow<'a, str>>,
        /// The room, where no user is named; `None` means the current one.
        room: Option<Cow<'a, str>>,
        /// What.
        file: Announced<'a>,
    },
    /// Announce a file for the shelf of the current room, or else for the public one.
    Upload {
        /// The room; `None` means the current one.
        room: Option<Cow<'a, str>>,
        /// What.
        file: Announced<'a>,
    },
    /// List the files that one may take.
    Files {
        /// Only those whose names match: `*` stands for anything, `?` for one character.
        pattern: Option<Cow<'a, str>>,
        /// Only those with a higher number.
        after: Option<TransferId>,
    },
    /// Take a file.
    Get {
        /// Which.
        file: FileRef<'a>,
        /// From which byte on.
        offset: u64,
    },
    /// Refuse a file that was handed over.
    Reject {
        /// Which.
        transfer: TransferId,
    },
    /// Confirm that a file has arrived whole.
    Received {
        /// Which.
        transfer: TransferId,
    },
    /// Withdraw an upload of your own, or take no more of a file.
    Cancel {
        /// Which.
        transfer: TransferId,
    },
    /// Remove a file of your own.
    Remove {
        /// Which.
        transfer: TransferId,
    },
}

/// What a client tells of itself in its `hello`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTraits<'a> {
    /// What the device is called, which only its own user is shown.
    pub device: Option<Cow<'a, str>>,
    /// It wants to hear what its user says in other sessions, and knows of several rooms.
    pub own: bool,
    /// It is an errand: shown nowhere, and told nothing that it has not asked for.
    pub errand: bool,
}

/// A file as the sender announces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced<'a> {
    /// Its name, without a path.
    pub name: Cow<'a, str>,
    /// Its size in bytes.
    pub size: u64,
    /// BLAKE3 of its content: with it an upload that broke can be resumed.
    pub hash: Option<Digest>,
    /// It was announced before and the answer or the end was not heard: it is not wanted twice.
    pub again: bool,
}

/// By what a file is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileRef<'a> {
    /// Its number.
    Number(TransferId),
    /// Its name; the newest that one may take.
    Name(Cow<'a, str>),
}

/// What a login offers to show that the name is theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof<'a> {
    /// Nothing: as a guest.
    None,
    /// The account's password.
    Password(Secret<'a>),
    /// The resume token of an earlier login.
    Token(Secret<'a>),
}

/// What must not be shown: a password or a token, still raw.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<'a>(pub Cow<'a, str>);

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A command without its content: a row of the table of what may be done in which state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Op {
    Hello,
    Login,
    Register,
    Passwd,
    Logout,
    Sessions,
    EndSession,
    Join,
    Room,
    Leave,
    Say,
    Broadcast,
    Whisper,
    Got,
    Rooms,
    Who,
    WhoElse,
    Block,
    Unblock,
    Blocked,
    Queue,
    Help,
    Ping,
    Exit,
    SendFile,
    Upload,
    Files,
    Get,
    Reject,
    Received,
    Cancel,
    Remove,
    Chunk,
}

impl Op {
    /// Every op, in the order of the documents.
    pub const ALL: [Self; 33] = [
        Self::Hello,
        Self::Login,
        Self::Register,
        Self::Passwd,
        Self::Logout,
        Self::Sessions,
        Self::EndSession,
        Self::Join,
        Self::Room,
        Self::Leave,
        Self::Say,
        Self::Broadcast,
        Self::Whisper,
        Self::Got,
        Self::Rooms,
        Self::Who,
        Self::WhoElse,
        Self::Block,
        Self::Unblock,
        Self::Blocked,
        Self::Queue,
        Self::Help,
        Self::Ping,
        Self::Exit,
        Self::SendFile,
        Self::Upload,
        Self::Files,
        Self::Get,
        Self::Reject,
        Self::Received,
        Self::Cancel,
        Self::Remove,
        Self::Chunk,
    ];

    /// Its name in the native protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Login => "login",
            Self::Register => "register",
            Self::Passwd => "passwd",
            Self::Logout => "logout",
            Self::Sessions => "sessions",
            Self::EndSession => "end_session",
            Self::Join => "join",
            Self::Room => "room",
            Self::Leave => "leave",
            Self::Say => "say",
            Self::Broadcast => "broadcast",
            Self::Whisper => "whisper",
            Self::Got => "got",
            Self::Rooms => "rooms",
            Self::Who => "who",
            Self::WhoElse => "whoelse",
            Self::Block => "block",
            Self::Unblock => "unblock",
            Self::Blocked => "blocked",
            Self::Queue => "queue",
            Self::Help => "help",
            Self::Ping => "ping",
            Self::Exit => "exit",
            Self::SendFile => "send_file",
            Self::Upload => "upload",
            Self::Files => "files",
            Self::Get => "get",
            Self::Reject => "reject",
            Self::Received => "received",
            Self::Cancel => "cancel",
            Self::Remove => "remove",
            Self::Chunk => "chunk",
        }
    }

    /// The op of a name in the native protocol.
    #[must_use]
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.name() == name)
    }
}

impl<'a> Command<'a> {
    /// Take a name as a guest.
    #[must_use]
    pub fn guest(user: impl Into<Cow<'a, str>>) -> Self {
        Self::Login { user: user.into(), proof: Proof::None }
    }

    /// Go to a room, leaving the current one.
    #[must_use]
    pub fn join(room: impl Into<Cow<'a, str>>) -> Self {
        Self::Join { room: room.into(), open: false }
    }

    /// Say something to the current room.
    #[must_use]
    pub fn say(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Say { text: text.into(), me: false, room: None }
    }

    /// Which op this is.
    #[must_use]
    pub fn op(&self) -> Op {
        match self {
            Self::Once { message, .. } => message.op(),
            Self::Hello { .. } => Op::Hello,
            Self::Login { .. } => Op::Login,
            Self::Register { .. } => Op::Register,
            Self::Passwd { .. } => Op::Passwd,
            Self::Logout { .. } => Op::Logout,
            Self::Sessions => Op::Sessions,
            Self::EndSession { .. } => Op::EndSession,
            Self::Join { .. } => Op::Join,
            Self::Room { .. } => Op::Room,
            Self::Leave { .. } => Op::Leave,
            Self::Say { .. } => Op::Say,
            Self::Broadcast { .. } => Op::Broadcast,
            Self::Whisper { .. } => Op::Whisper,
            Self::Got { .. } => Op::Got,
            Self::Rooms => Op::Rooms,
            Self::Who { .. } => Op::Who,
            Self::WhoElse { .. } => Op::WhoElse,
            Self::Block { .. } => Op::Block,
            Self::Unblock { .. } => Op::Unblock,
            Self::Blocked => Op::Blocked,
            Self::Queue => Op::Queue,
            Self::Help => Op::Help,
            Self::Ping => Op::Ping,
            Self::Exit => Op::Exit,
            Self::SendFile { .. } => Op::SendFile,
            Self::Upload { .. } => Op::Upload,
            Self::Files { .. } => Op::Files,
            Self::Get { .. } => Op::Get,
            Self::Reject { .. } => Op::Reject,
            Self::Received { .. } => Op::Received,
            Self::Cancel { .. } => Op::Cancel,
            Self::Remove { .. } => Op::Remove,
        }
    }
}
