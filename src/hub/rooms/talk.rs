//! Rooms and words: join, leave, say, broadcast, and the lists of who is where.
//!
//! The rule it keeps: what a user says does not reach those who have blocked them, in a room
//! neither; that is looked at when something is told, not before.

use std::borrow::Cow;

use super::Talk;
use super::seats::Room;
use crate::facts::{RoomFact, TalkFact};
use crate::hub::people::State;
use crate::hub::{Answer, Effect, count};
use crate::id::{ConnId, Now, RoomId};
use crate::limits::LIST_MAX;
use crate::message::{Event, Names, Refusal, Reply, RoomLine, RoomName, Text, UserName};

impl Talk<'_> {
    /// Joining while in a room moves: everything that could refuse is looked at before the old
    /// room is left.
    pub(in crate::hub) fn join(
        &mut self,
        now: Now,
        conn: ConnId,
        room: &str,
    ) -> Result<Answer, Refusal> {
        let user = self.people.user_of(conn)?;
        let wanted = RoomName::parse(room).map_err(Refusal::BadRoomName)?;
        let leaves = self.people.room_of(conn);
        match self.rooms.find(wanted) {
            Some(id) if leaves == Some(id) => return Err(Refusal::AlreadyThere),
            Some(id) if self.rooms.members(id).len() as u64 >= self.rules.limits.room_members => {
                return Err(Refusal::RoomFull { limit: self.rules.limits.room_members });
            }
            Some(_) => {}
            None => self.check_room_count(leaves)?,
        }
        self.leave_room(now, conn);
        let (id, made) = self.rooms.open(wanted);
        let seat = self.rooms.enter(id, conn);
        self.people.set_state(conn, State::InRoom { user, room: id, seat });
        let user = user.name;
        let room = self.rooms.get(id).map_or(wanted, |room| room.name);
        if made {
            self.out.note(RoomFact::RoomMade { room, user });
        }
        let count = self.rooms.members(id).len();
        let most = self.rules.limits.room_members;
        self.out.note(RoomFact::Joined { user, room, members: count, most });
        let event = Event::Joined { room, user, at: now.wall_ms };
        let except = self.people.apart_from(user);
        let hidden = except.iter().filter(|&&conn| self.people.room_of(conn) == Some(id)).count();
        let shown = |conn: &ConnId| except.binary_search(conn).is_err();
        let shown = self.rooms.members(id).iter().copied().filter(shown);
        let members = self.names(shown, count - hidden);
        self.out.push(Effect::TellRoom { room: id, by: conn, except, event });
        Ok(Answer::Now(Reply::Joined { room, members }))
    }

    /// A room more than there may be, unless the mover's own room ends with its leaving.
    fn check_room_count(&self, leaves: Option<RoomId>) -> Result<(), Refusal> {
        let ends = leaves.is_some_and(|id| self.rooms.members(id).len() == 1);
        if (self.rooms.len() - usize::from(ends)) as u64 >= self.rules.limits.rooms {
            return Err(Refusal::TooManyRooms { limit: self.rules.limits.rooms });
        }
        Ok(())
    }

    pub(in crate::hub) fn leave(&mut self, now: Now, conn: ConnId) -> Result<Answer, Refusal> {
        let room = self.leave_room(now, conn).ok_or(Refusal::NotInRoom)?;
        Ok(Answer::Now(Reply::Left { room }))
    }

    /// Takes a connection out of its room, if it is in one, and tells those who stay.
    pub(in crate::hub) fn leave_room(&mut self, now: Now, conn: ConnId) -> Option<RoomName> {
        let State::InRoom { user, room: id, seat } = self.people.session(conn)?.state else {
            return None;
        };
        let name = user.name;
        let room = self.rooms.get(id)?.name;
        if let Some(moved) = self.rooms.vacate(id, seat) {
            self.reseat(moved, seat);
        }
        self.people.set_state(conn, State::Named { user });
        let members = self.rooms.members(id).len();
        self.out.note(RoomFact::Left { user: name, room, members });
        if self.rooms.close_if_empty(id) {
            self.out.note(RoomFact::RoomGone { room });
        } else if !self.rules.stopping {
            let event = Event::Left { room, user: name, at: now.wall_ms };
            let except = self.people.apart_from(name);
            self.out.push(Effect::TellRoom { room: id, by: conn, except, event });
        }
        Some(room)
    }

    fn reseat(&mut self, conn: ConnId, new_seat: usize) {
        if let Some(State::InRoom { seat, .. }) =
            self.people.session_mut(conn).map(|s| &mut s.state)
        {
            *seat = new_seat;
        }
    }

    pub(in crate::hub) fn say(
        &mut self,
        now: Now,
        conn: ConnId,
        text: Cow<'_, str>,
        me: bool,
    ) -> Result<Answer, Refusal> {
        let from = self.people.name_of(conn)?;
        let id = self.people.room_of(conn).ok_or(Refusal::NotInRoom)?;
        let text = Text::parse(text, self.rules.limits.message_bytes).map_err(Refusal::BadText)?;
        self.pace.take(now, conn)?;
        let room = self.rooms.get(id).ok_or(Refusal::NotInRoom)?;
        let (room, others) = (room.name, room.members.len() - 1);
        let mut except = self.people.deaf_to(from);
        except.retain(|&conn| self.people.room_of(conn) == Some(id));
        let (heard, blocked) = (others - except.len(), !except.is_empty());
        let bytes = text.as_str().len();
        self.out.note(TalkFact::Said { from, room, bytes, heard, others });
        self.out.note_body(|| TalkFact::SaidText { from, room, text: text.clone() });
        let event = Event::Said { room, from, text, me, at: now.wall_ms };
        self.out.push(Effect::TellRoom { room: id, by: conn, except, event });
        Ok(Answer::Now(Reply::Heard { count: count(heard), blocked }))
    }

    /// To the room, as in system A; outside of one to everybody online, as in system D.
    pub(in crate::hub) fn broadcast(
        &mut self,
        now: Now,
        conn: ConnId,
        text: Cow<'_, str>,
    ) -> Result<Answer, Refusal> {
        if self.people.room_of(conn).is_some() {
            return self.say(now, conn, text, false);
        }
        let from = self.people.name_of(conn)?;
        let text = Text::parse(text, self.rules.limits.message_bytes).map_err(Refusal::BadText)?;
        self.pace.take(now, conn)?;
        let deaf = self.people.deaf_to(from);
        let others = self.people.count() - 1;
        let (heard, bytes) = (others - deaf.len(), text.as_str().len());
        self.out.note(TalkFact::Broadcast { from, bytes, heard, others });
        self.out.note_body(|| TalkFact::BroadcastText { from, text: text.clone() });
        let blocked = !deaf.is_empty();
        let event = Event::Broadcast { from, text, at: now.wall_ms };
        self.out.push(Effect::TellAll { by: conn, except: deaf, event });
        Ok(Answer::Now(Reply::Heard { count: count(heard), blocked }))
    }

    pub(in crate::hub) fn list_rooms(&self) -> Result<Answer, Refusal> {
        let line = |room: &Room| RoomLine { room: room.name, members: count(room.members.len()) };
        let rooms = self.rooms.iter().take(LIST_MAX).map(line).collect();
        Ok(Answer::Now(Reply::Rooms { rooms, total: count(self.rooms.len()) }))
    }

    /// Who is in the room that was named, else in one's own room, else online.
    pub(in crate::hub) fn who(&self, conn: ConnId, room: Option<&str>) -> Result<Answer, Refusal> {
        let id = match room {
            Some(name) => {
                let name = RoomName::parse(name).map_err(Refusal::BadRoomName)?;
                Some(self.rooms.find(name).ok_or(Refusal::NoSuchRoom)?)
            }
            None => self.people.room_of(conn),
        };
        let apart = self.people.apart_from(self.people.name_of(conn)?);
        let shown = |conn: &ConnId| apart.binary_search(conn).is_err();
        let Some((id, room)) = id.and_then(|id| Some((id, self.rooms.get(id)?))) else {
            let total = self.people.count() - apart.len();
            let members = self.names(self.people.online().filter(shown), total);
            return Ok(Answer::Now(Reply::Who { room: None, members }));
        };
        let hidden = apart.iter().filter(|&&conn| self.people.room_of(conn) == Some(id)).count();
        let total = room.members.len() - hidden;
        let members = self.names(room.members.iter().copied().filter(shown), total);
        Ok(Answer::Now(Reply::Who { room: Some(room.name), members }))
    }

    fn names(&self, conns: impl Iterator<Item = ConnId>, total: usize) -> Names {
        let mut users: Vec<UserName> =
            conns.take(LIST_MAX).filter_map(|conn| self.people.name_of(conn).ok()).collect();
        users.sort_unstable_by_key(UserName::key);
        Names { users, total: count(total) }
    }
}
