//! What a connection may do: its state, and the one table of (state, request).
//!
//! Each state owns what belongs to it. The rules it keeps: a connection is in exactly one state;
//! the default is no; [`State::may`] is the only place that says yes. `docs/protocol.md` shows the
//! table as [`table`] writes it, and a test compares the two.
//!
//! ```text
//!            login, register                 worker: yes            join
//!   Nameless ───────────────> Entering ─────────────────> Named ──────────> InRoom
//!     ^  ^                       │ worker: no, or the       │ ^    leave        │
//!     │  └───────────────────────┘ owner of the name lives  │ └─────────────────┤
//!     └──────── logout, idle, account removed ──────────────┴───────────────────┘
//! ```

use std::fmt::Write as _;

use crate::id::{AccountId, ConnId, LetterId, RoomId, Source};
use crate::message::{Op, Refusal, UserName};

/// One connection, as the hub knows it.
#[derive(Clone, Copy, Debug)]
pub(in crate::hub) struct Session {
    pub(in crate::hub) conn: ConnId,
    pub(in crate::hub) source: Source,
    pub(in crate::hub) state: State,
    /// Its client answers a ping without being told to.
    pub(in crate::hub) answers_pings: bool,
}

impl Session {
    pub(super) const fn new(conn: ConnId, source: Source) -> Self {
        Self { conn, source, state: State::Nameless, answers_pings: false }
    }
}

/// The state of a session; each owns what belongs to it.
#[derive(Clone, Copy, Debug)]
pub(in crate::hub) enum State {
    /// Connected, not logged in.
    Nameless,
    /// A login or a registration waits for a worker, or for the owner of the name.
    Entering {
        /// The name wanted.
        name: UserName,
    },
    /// Logged in, in no room.
    Named { user: User },
    /// In a room; `seat` is its place in the room's list of members.
    InRoom { user: User, room: RoomId, seat: usize },
}

/// Somebody who is logged in.
#[derive(Clone, Copy, Debug)]
pub(in crate::hub) struct User {
    pub(in crate::hub) name: UserName,
    /// `None` for a guest.
    pub(in crate::hub) account: Option<AccountId>,
    /// The serial number of this login, unique for the server.
    pub(in crate::hub) serial: u64,
    pub(in crate::hub) letters: Mailbox,
}

/// How far the letters that are kept for a user have come on this connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::hub) struct Mailbox {
    /// Everything up to here was looked at.
    pub(in crate::hub) read: LetterId,
    /// The last one that was told.
    pub(in crate::hub) told: LetterId,
    /// The last one that has arrived.
    pub(in crate::hub) arrived: LetterId,
    /// The store has been asked for some.
    pub(in crate::hub) asked: bool,
    /// The store holds some that were not looked at.
    pub(in crate::hub) more: bool,
}

impl State {
    pub(in crate::hub) const fn user(&self) -> Option<User> {
        match self {
            Self::Nameless | Self::Entering { .. } => None,
            Self::Named { user } | Self::InRoom { user, .. } => Some(*user),
        }
    }

    pub(in crate::hub) const fn name(&self) -> Option<UserName> {
        match self.user() {
            Some(user) => Some(user.name),
            None => None,
        }
    }

    /// The table. The default is no: an op is in the lists of what is allowed or it is refused.
    pub(in crate::hub) fn may(&self, op: Op) -> Result<(), Refusal> {
        match self {
            Self::Nameless => match op {
                Op::Hello | Op::Login | Op::Register | Op::Help | Op::Ping | Op::Exit => Ok(()),
                Op::Passwd
                | Op::Logout
                | Op::Join
                | Op::Leave
                | Op::Say
                | Op::Broadcast
                | Op::Whisper
                | Op::Got
                | Op::Rooms
                | Op::Who
                | Op::WhoElse
                | Op::Block
                | Op::Unblock
                | Op::Blocked
                | Op::Queue
                | Op::SendFile
                | Op::Upload
                | Op::Files
                | Op::Get
                | Op::Reject
                | Op::Received
                | Op::Cancel
                | Op::Remove
                | Op::Chunk => Err(Refusal::LoginFirst),
            },
            Self::Entering { .. } => Err(Refusal::LoginUnderWay),
            Self::Named { .. } if matches!(op, Op::Leave | Op::Say) => Err(Refusal::NotInRoom),
            Self::Named { user } | Self::InRoom { user, .. } => user_may(*user, op),
        }
    }
}

fn user_may(user: User, op: Op) -> Result<(), Refusal> {
    match op {
        Op::Login | Op::Register => Err(Refusal::LoggedIn(user.name)),
        Op::Passwd if user.account.is_none() => Err(Refusal::NoAccount),
        Op::Hello
        | Op::Passwd
        | Op::Logout
        | Op::Join
        | Op::Leave
        | Op::Say
        | Op::Broadcast
        | Op::Whisper
        | Op::Got
        | Op::Rooms
        | Op::Who
        | Op::WhoElse
        | Op::Block
        | Op::Unblock
        | Op::Blocked
        | Op::Queue
        | Op::Help
        | Op::Ping
        | Op::Exit
        | Op::SendFile
        | Op::Upload
        | Op::Files
        | Op::Get
        | Op::Reject
        | Op::Received
        | Op::Cancel
        | Op::Remove
        | Op::Chunk => Ok(()),
    }
}

/// The columns of the table: every state, with the word that the documents use for it. A guest may
/// do all that an account may, save to change a password.
fn columns() -> [(&'static str, State); 5] {
    let name = UserName::parse("somebody").expect("it is a name");
    let user = |account| User { name, account, serial: 0, letters: Mailbox::default() };
    let (guest, owner) = (user(None), user(Some(AccountId(1))));
    [
        ("nameless", State::Nameless),
        ("entering", State::Entering { name }),
        ("guest", State::Named { user: guest }),
        ("named", State::Named { user: owner }),
        ("in a room", State::InRoom { user: owner, room: RoomId(0), seat: 0 }),
    ]
}

/// The table of states and requests in Markdown: `yes`, or the code of the refusal.
#[must_use]
pub fn table() -> String {
    let columns = columns();
    let heads: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
    let mut text = format!("| request | {} |\n|{}\n", heads.join(" | "), " --- |".repeat(6));
    for op in Op::ALL {
        let _ = write!(text, "| `{}` |", op.name());
        for (_, state) in &columns {
            let cell = state.may(op).err().map_or("yes", |refusal| refusal.code());
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text
}
