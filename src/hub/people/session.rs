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
//!
//! A session that says in its `hello` that it is an errand gets to `Errand` instead of `Named`, and
//! stays there.

use std::fmt::Write as _;

use crate::id::{AccountId, ConnId, LetterId, RoomId, Source};
use crate::message::{Op, Refusal, RoomName, UserName};

/// One connection, as the hub knows it.
#[derive(Debug)]
pub(in crate::hub) struct Session {
    pub(in crate::hub) conn: ConnId,
    pub(in crate::hub) source: Source,
    pub(in crate::hub) state: State,
    /// Its client answers a ping without being told to.
    pub(in crate::hub) answers_pings: bool,
    /// What few sessions have.
    extra: Option<Box<Extra>>,
}

/// What few sessions have.
#[derive(Debug, Default)]
pub(in crate::hub) struct Extra {
    /// What its client calls the device.
    pub(in crate::hub) device: Box<str>,
    /// It hears what its user says in other sessions, and knows of several rooms.
    pub(in crate::hub) own: bool,
    /// The user who logs in here is an errand.
    pub(in crate::hub) errand: bool,
    /// The rooms that it is in besides the current one; the one that was current last is the last.
    pub(in crate::hub) others: Vec<Seat>,
    /// The room that an errand means when it names none.
    pub(in crate::hub) spot: Option<RoomName>,
}

/// A place in a room's list of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub) struct Seat {
    pub(in crate::hub) room: RoomId,
    pub(in crate::hub) index: u32,
}

impl Session {
    pub(super) const fn new(conn: ConnId, source: Source) -> Self {
        Self { conn, source, state: State::Nameless, answers_pings: false, extra: None }
    }

    pub(in crate::hub) fn extra(&self) -> Option<&Extra> {
        self.extra.as_deref()
    }

    pub(in crate::hub) fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Nobody is logged in here any more.
    pub(super) fn forget_login(&mut self) {
        self.state = State::Nameless;
        if let Some(extra) = &mut self.extra {
            (extra.others, extra.spot) = (Vec::new(), None);
        }
    }

    /// Whether it hears what its user says elsewhere.
    pub(in crate::hub) fn hears_own(&self) -> bool {
        self.extra().is_some_and(|extra| extra.own)
    }

    /// Whether the user who logs in here is an errand.
    pub(in crate::hub) fn is_for_errands(&self) -> bool {
        self.extra().is_some_and(|extra| extra.errand)
    }

    /// The seats besides the one in the current room.
    pub(in crate::hub) fn others(&self) -> &[Seat] {
        self.extra().map_or(&[], |extra| &extra.others)
    }

    /// All seats, that in the current room first, then that in the room that was current last.
    pub(in crate::hub) fn seats(&self) -> impl Iterator<Item = Seat> {
        self.state.seat().into_iter().chain(self.others().iter().rev().copied())
    }

    pub(in crate::hub) fn seat_in(&self, room: RoomId) -> Option<Seat> {
        self.seats().find(|seat| seat.room == room)
    }

    /// Its seat in a room is another one.
    pub(super) fn move_seat(&mut self, room: RoomId, to: u32) {
        if let State::InRoom { seat, .. } = &mut self.state
            && seat.room == room
        {
            seat.index = to;
        } else if let Some(extra) = &mut self.extra {
            extra.others.iter_mut().filter(|s| s.room == room).for_each(|s| s.index = to);
        }
    }

    /// It comes into a room, which is current now.
    pub(super) fn add_seat(&mut self, seat: Seat) {
        let Some(user) = self.state.user() else { return };
        if let Some(before) = self.state.seat() {
            self.extra_mut().others.push(before);
        }
        self.state = State::InRoom { user, seat };
    }

    /// A room that it is in becomes the current one.
    pub(super) fn turn_to(&mut self, seat: Seat) {
        if self.state.seat() == Some(seat) {
            return;
        }
        if let Some(extra) = &mut self.extra {
            extra.others.retain(|other| other.room != seat.room);
        }
        self.add_seat(seat);
    }

    /// It is not in a room any more.
    pub(super) fn remove_seat(&mut self, room: RoomId) {
        let Some(user) = self.state.user() else { return };
        let others = self.extra.as_mut().map(|extra| &mut extra.others);
        if self.state.seat().is_some_and(|seat| seat.room == room) {
            self.state = match others.and_then(Vec::pop) {
                Some(seat) => State::InRoom { user, seat },
                None => State::Named { user },
            };
        } else if let Some(others) = others {
            others.retain(|seat| seat.room != room);
        }
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
    /// In a room, the current one, and perhaps in others.
    InRoom { user: User, seat: Seat },
    /// Logged in to do something that others are not told about.
    Errand { user: User },
}

/// A user who is logged in.
#[derive(Clone, Copy, Debug)]
pub(in crate::hub) struct User {
    pub(in crate::hub) name: UserName,
    /// `None` for a guest.
    pub(in crate::hub) account: Option<AccountId>,
    /// The serial number of this login, unique for the server; errands of a guest have that of the
    /// guest.
    pub(in crate::hub) serial: u64,
    /// That of the first login of which this one is the continuation by tokens.
    pub(in crate::hub) origin: u64,
    /// When they logged in, in milliseconds since 1970.
    pub(in crate::hub) since_ms: u64,
    pub(in crate::hub) letters: Mailbox,
}

/// What a token claims, once its hash was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub) struct Claim {
    /// `None` for a guest.
    pub(in crate::hub) account: Option<AccountId>,
    /// The epoch of the account.
    pub(in crate::hub) epoch: u64,
    /// Which login of the server it was given for.
    pub(in crate::hub) serial: u64,
    /// The first login of which that one is the continuation.
    pub(in crate::hub) origin: u64,
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
            Self::Named { user } | Self::InRoom { user, .. } | Self::Errand { user } => Some(*user),
        }
    }

    /// Its seat in the current room.
    pub(in crate::hub) const fn seat(&self) -> Option<Seat> {
        match self {
            Self::Nameless | Self::Entering { .. } | Self::Named { .. } | Self::Errand { .. } => {
                None
            }
            Self::InRoom { seat, .. } => Some(*seat),
        }
    }

    pub(in crate::hub) const fn is_errand(&self) -> bool {
        matches!(self, Self::Errand { .. })
    }

    pub(in crate::hub) const fn user_mut(&mut self) -> Option<&mut User> {
        match self {
            Self::Nameless | Self::Entering { .. } => None,
            Self::Named { user } | Self::InRoom { user, .. } | Self::Errand { user } => Some(user),
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
                | Op::Sessions
                | Op::EndSession
                | Op::Join
                | Op::Room
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
            Self::Named { .. } if matches!(op, Op::Room | Op::Leave | Op::Say) => {
                Err(Refusal::NotInRoom)
            }
            Self::Named { user } | Self::InRoom { user, .. } | Self::Errand { user } => {
                user_may(*user, op)
            }
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
        | Op::Sessions
        | Op::EndSession
        | Op::Join
        | Op::Room
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
fn columns() -> [(&'static str, State); 6] {
    let name = UserName::parse("somebody").expect("it is a name");
    let user = |account| User {
        name,
        account,
        serial: 0,
        origin: 0,
        since_ms: 0,
        letters: Mailbox::default(),
    };
    let (guest, owner) = (user(None), user(Some(AccountId(1))));
    [
        ("nameless", State::Nameless),
        ("entering", State::Entering { name }),
        ("guest", State::Named { user: guest }),
        ("named", State::Named { user: owner }),
        ("in a room", State::InRoom { user: owner, seat: Seat { room: RoomId(0), index: 0 } }),
        ("errand", State::Errand { user: owner }),
    ]
}

/// The table of states and requests in Markdown: `yes`, or the code of the refusal.
#[must_use]
pub fn table() -> String {
    let columns = columns();
    let heads: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
    let mut text = format!("| request | {} |\n|{}\n", heads.join(" | "), " --- |".repeat(7));
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
