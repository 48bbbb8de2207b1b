//! What a connection may do: its state, and the one table of (state, request).
//!
//! | request | nameless | named | in a room |
//! | --- | --- | --- | --- |
//! | hello, help, ping, exit | yes | yes | yes |
//! | login | yes | no: logged in | no: logged in |
//! | leave, say | no: log in first | no: not in a room | yes |
//! | everything else | no: log in first | yes | yes |

use crate::id::{ConnId, RoomId};
use crate::message::{Op, Refusal, UserName};

/// One connection, as the hub knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) conn: ConnId,
    pub(super) state: State,
}

/// The state of a session; each owns what belongs to it.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// Connected, not logged in.
    Nameless,
    /// Logged in, in no room.
    Named { name: UserName },
    /// In a room; `seat` is its place in the room's list of members.
    InRoom { name: UserName, room: RoomId, seat: usize },
}

impl State {
    pub(super) const fn name(&self) -> Option<UserName> {
        match self {
            Self::Nameless => None,
            Self::Named { name } | Self::InRoom { name, .. } => Some(*name),
        }
    }

    /// The table. The default is no: an op is in the lists of what is allowed or it is refused.
    pub(super) fn may(&self, op: Op) -> Result<(), Refusal> {
        match self {
            Self::Nameless => match op {
                Op::Hello | Op::Login | Op::Register | Op::Help | Op::Ping | Op::Exit => Ok(()),
                Op::Passwd
                | Op::Logout
                | Op::Broadcast
                | Op::Got
                | Op::WhoElse
                | Op::Block
                | Op::Unblock
                | Op::Blocked
                | Op::Join
                | Op::Leave
                | Op::Say
                | Op::Whisper
                | Op::Rooms
                | Op::Who
                | Op::Queue
                | Op::SendFile
                | Op::Accept
                | Op::Reject
                | Op::Received
                | Op::Cancel
                | Op::Chunk => Err(Refusal::LoginFirst),
            },
            Self::Named { .. } if matches!(op, Op::Leave | Op::Say) => Err(Refusal::NotInRoom),
            Self::Named { name } => named_may(*name, op),
            Self::InRoom { name, .. } => named_may(*name, op),
        }
    }
}

fn named_may(name: UserName, op: Op) -> Result<(), Refusal> {
    match op {
        Op::Login | Op::Register => Err(Refusal::LoggedIn(name)),
        Op::Hello
        | Op::Passwd
        | Op::Logout
        | Op::Broadcast
        | Op::Got
        | Op::WhoElse
        | Op::Block
        | Op::Unblock
        | Op::Blocked
        | Op::Join
        | Op::Leave
        | Op::Say
        | Op::Whisper
        | Op::Rooms
        | Op::Who
        | Op::Queue
        | Op::Help
        | Op::Ping
        | Op::Exit
        | Op::SendFile
        | Op::Accept
        | Op::Reject
        | Op::Received
        | Op::Cancel
        | Op::Chunk => Ok(()),
    }
}
