//! Rooms and words: join, leave, say, whisper, and the lists of who is where.

use std::borrow::Cow;

use super::{Answer, Effect, Hub, State, count};
use crate::facts::{RoomFact, TalkFact};
use crate::id::{ConnId, Now, RoomId};
use crate::limits::LIST_MAX;
use crate::message::{Event, Names, Refusal, Reply, RoomLine, RoomName, Text, UserName};

impl Hub {
    /// Joining while in a room moves: everything that could refuse is looked at before the old
    /// room is left.
    pub(super) fn join(&mut self, now: Now, conn: ConnId, room: &str) -> Result<Reply, Refusal> {
        let user = self.user_of(conn)?;
        let wanted = RoomName::parse(room).map_err(Refusal::BadRoomName)?;
        let leaves = self.room_of(conn);
        match self.rooms.find(wanted) {
            Some(id) if leaves == Some(id) => return Err(Refusal::AlreadyThere),
            Some(id) if self.members(id).len() as u64 >= self.limits.room_members => {
                return Err(Refusal::RoomFull { limit: self.limits.room_members });
            }
            Some(_) => {}
            None => self.check_room_count(leaves)?,
        }
        self.leave_room(now, conn);
        let (id, made) = self.rooms.open(wanted);
        let seat = self.rooms.enter(id, conn);
        self.set_state(conn, State::InRoom { user, room: id, seat });
        let user = user.name;
        let room = self.rooms.get(id).map_or(wanted, |room| room.name);
        if made {
            self.note(RoomFact::RoomMade { room, user });
        }
        let count = self.members(id).len();
        self.note(RoomFact::Joined { user, room, members: count });
        let event = Event::Joined { room, user, at: now.wall_ms };
        let except = self.apart_from(user);
        let hidden = except.iter().filter(|&&conn| self.room_of(conn) == Some(id)).count();
        let shown = |conn: &ConnId| except.binary_search(conn).is_err();
        let shown = self.members(id).iter().copied().filter(shown);
        let members = self.names(shown, count - hidden);
        self.effects.push_back(Effect::TellRoom { room: id, by: conn, except, event });
        self.offer_of_room(conn, room);
        Ok(Reply::Joined { room, members })
    }

    /// A room more than there may be, unless the mover's own room ends with its leaving.
    fn check_room_count(&self, leaves: Option<RoomId>) -> Result<(), Refusal> {
        let ends = leaves.is_some_and(|id| self.members(id).len() == 1);
        if (self.rooms.len() - usize::from(ends)) as u64 >= self.limits.rooms {
            return Err(Refusal::TooManyRooms { limit: self.limits.rooms });
        }
        Ok(())
    }

    pub(super) fn leave(&mut self, now: Now, conn: ConnId) -> Result<Reply, Refusal> {
        self.leave_room(now, conn).map(|room| Reply::Left { room }).ok_or(Refusal::NotInRoom)
    }

    /// Takes a connection out of its room, if it is in one, and tells those who stay.
    pub(super) fn leave_room(&mut self, now: Now, conn: ConnId) -> Option<RoomName> {
        let State::InRoom { user, room: id, seat } = self.session(conn)?.state else {
            return None;
        };
        let name = user.name;
        let room = self.rooms.get(id)?.name;
        if let Some(moved) = self.rooms.vacate(id, seat) {
            self.reseat(moved, seat);
        }
        self.set_state(conn, State::Named { user });
        self.note(RoomFact::Left { user: name, room });
        if self.rooms.close_if_empty(id) {
            self.note(RoomFact::RoomGone { room });
        } else if !self.stopping {
            let event = Event::Left { room, user: name, at: now.wall_ms };
            let except = self.apart_from(name);
            self.effects.push_back(Effect::TellRoom { room: id, by: conn, except, event });
        }
        Some(room)
    }

    fn reseat(&mut self, conn: ConnId, new_seat: usize) {
        if let Some(State::InRoom { seat, .. }) = self.session_mut(conn).map(|s| &mut s.state) {
            *seat = new_seat;
        }
    }

    pub(super) fn say(&mut self, now: Now, conn: ConnId, text: Cow<'_, str>, me: bool) -> Answer {
        let from = self.name_of(conn)?;
        let id = self.room_of(conn).ok_or(Refusal::NotInRoom)?;
        let text = Text::parse(text, self.limits.message_bytes).map_err(Refusal::BadText)?;
        self.take_message(now, conn)?;
        let room = self.rooms.get(id).ok_or(Refusal::NotInRoom)?;
        let (room, others) = (room.name, room.members.len() - 1);
        let mut except = self.deaf_to(from);
        except.retain(|&conn| self.room_of(conn) == Some(id));
        let (others, blocked) = (others - except.len(), !except.is_empty());
        let bytes = text.as_str().len();
        self.note(TalkFact::Said { from, room, bytes, heard: others });
        self.note_body(|| TalkFact::SaidText { from, room, text: text.clone() });
        let event = Event::Said { room, from, text, me, at: now.wall_ms };
        self.effects.push_back(Effect::TellRoom { room: id, by: conn, except, event });
        Ok(Some(Reply::Heard { count: count(others), blocked }))
    }

    pub(super) fn list_rooms(&self) -> Reply {
        let line = |room: &super::room::Room| RoomLine {
            room: room.name,
            members: count(room.members.len()),
        };
        let rooms = self.rooms.iter().take(LIST_MAX).map(line).collect();
        Reply::Rooms { rooms, total: count(self.rooms.len()) }
    }

    /// Who is in the room that was named, else in one's own room, else online.
    pub(super) fn who(&self, conn: ConnId, room: Option<&str>) -> Result<Reply, Refusal> {
        let id = match room {
            Some(name) => {
                let name = RoomName::parse(name).map_err(Refusal::BadRoomName)?;
                Some(self.rooms.find(name).ok_or(Refusal::NoSuchRoom)?)
            }
            None => self.room_of(conn),
        };
        let apart = self.apart_from(self.name_of(conn)?);
        let shown = |conn: &ConnId| apart.binary_search(conn).is_err();
        let Some((id, room)) = id.and_then(|id| Some((id, self.rooms.get(id)?))) else {
            let total = self.users.len() - apart.len();
            let members = self.names(self.users.values().copied().filter(shown), total);
            return Ok(Reply::Who { room: None, members });
        };
        let hidden = apart.iter().filter(|&&conn| self.room_of(conn) == Some(id)).count();
        let total = room.members.len() - hidden;
        let members = self.names(room.members.iter().copied().filter(shown), total);
        Ok(Reply::Who { room: Some(room.name), members })
    }

    pub(super) fn room_of(&self, conn: ConnId) -> Option<RoomId> {
        match self.session(conn)?.state {
            State::InRoom { room, .. } => Some(room),
            State::Nameless | State::Entering { .. } | State::Named { .. } => None,
        }
    }

    fn names(&self, conns: impl Iterator<Item = ConnId>, total: usize) -> Names {
        let mut users: Vec<UserName> =
            conns.take(LIST_MAX).filter_map(|conn| self.name_of(conn).ok()).collect();
        users.sort_unstable_by_key(UserName::key);
        Names { users, total: count(total) }
    }
}
