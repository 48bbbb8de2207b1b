//! Rooms and words: join, leave, say, broadcast, and the lists of who is where.
//!
//! The rule it keeps: what a user says does not reach those who have blocked them, in a room
//! neither; that is looked at when something is told, not before.

use std::borrow::Cow;

use super::Spot;
use super::Talk;
use super::seats::Room;
use crate::facts::{RoomFact, TalkFact};
use crate::hub::{Answer, Effect, count};
use crate::id::{ConnId, Now, RoomId};
use crate::limits::{LIST_MAX, OPEN_ROOMS_MAX};
use crate::message::{Event, Names, Refusal, Reply, RoomLine, RoomName, Text, UserName};

impl Talk<'_> {
    /// Joining while in a room moves, unless it is to stay `open`: everything that could refuse is
    /// looked at before the current room is left. Says also whether the room is one more.
    pub(in crate::hub) fn join(
        &mut self,
        now: Now,
        conn: ConnId,
        room: &str,
        open: bool,
    ) -> Result<(Answer, bool), Refusal> {
        let user = self.people.user_of(conn)?;
        let wanted = RoomName::parse(room).map_err(Refusal::BadRoomName)?;
        if self.people.is_errand(conn) {
            return Ok((self.mean_room(conn, wanted), false));
        }
        let leaves = self.people.room_of(conn);
        let found = self.rooms.find(wanted);
        if let Some(id) = found {
            if leaves == Some(id) {
                return Err(Refusal::AlreadyThere);
            }
            if let Some(seat) = self.people.session(conn).and_then(|s| s.seat_in(id)) {
                if let Some(left) = leaves.filter(|_| !open) {
                    self.leave_room(now, conn, left);
                }
                self.people.turn_to(conn, seat);
                return Ok((Answer::Now(self.joined(conn, id)), false));
            }
        }
        if open && self.people.seats(conn).len() >= OPEN_ROOMS_MAX {
            return Err(Refusal::TooManyOpen { limit: OPEN_ROOMS_MAX as u64 });
        }
        let first = found.is_none_or(|id| !self.has_company_in(conn, id));
        match found.and_then(|id| self.rooms.get(id)) {
            Some(room) if first && room.people as u64 >= self.rules.limits.room_members => {
                return Err(Refusal::RoomFull { limit: self.rules.limits.room_members });
            }
            Some(_) => {}
            None => self.check_room_count(leaves.filter(|_| !open))?,
        }
        if let Some(left) = leaves.filter(|_| !open) {
            self.leave_room(now, conn, left);
        }
        let (id, made) = self.rooms.open(wanted);
        let seat = self.rooms.enter(id, conn, first);
        self.people.add_seat(conn, seat);
        self.tell_joined(now, conn, user.name, id, (made, first));
        Ok((Answer::Now(self.joined(conn, id)), true))
    }

    /// Others hear of the first session of a user in a room.
    fn tell_joined(
        &mut self,
        now: Now,
        conn: ConnId,
        user: UserName,
        id: RoomId,
        (made, first): (bool, bool),
    ) {
        let Some(room) = self.rooms.get(id) else { return };
        let (room, members) = (room.name, room.people);
        if made {
            self.out.note(RoomFact::RoomMade { room, user });
        }
        if first {
            let most = self.rules.limits.room_members;
            self.out.note(RoomFact::Joined { user, room, members, most });
            let event = Event::Joined { room, user, at: now.wall_ms };
            let except = self.people.apart_from(user);
            self.out.push(Effect::TellRoom { room: id, by: conn, except, event });
        }
    }

    /// The answer to a user who is in a room now.
    fn joined(&self, conn: ConnId, id: RoomId) -> Reply {
        let room = self.rooms.get(id).map(|room| room.name);
        let members = self.members_shown(conn, id);
        // It is one that a user is in.
        room.map_or(Reply::Done, |room| Reply::Joined { room, members })
    }

    /// An errand has no seat: it only says which room it means.
    fn mean_room(&mut self, conn: ConnId, wanted: RoomName) -> Answer {
        self.people.set_spot(conn, Some(wanted));
        let nobody = Names { users: Vec::new(), total: 0 };
        Answer::Now(match self.rooms.find(wanted) {
            Some(id) => self.joined(conn, id),
            None => Reply::Joined { room: wanted, members: nobody },
        })
    }

    /// Whether another session of the same user is in a room.
    fn has_company_in(&self, conn: ConnId, id: RoomId) -> bool {
        self.people.others_of(conn).iter().any(|&other| self.people.is_in(other, id))
    }

    /// A room more than there may be, unless the mover's own room ends with its leaving.
    fn check_room_count(&self, leaves: Option<RoomId>) -> Result<(), Refusal> {
        let ends = leaves.is_some_and(|id| self.rooms.members(id).len() == 1);
        if (self.rooms.len() - usize::from(ends)) as u64 >= self.rules.limits.rooms {
            return Err(Refusal::TooManyRooms { limit: self.rules.limits.rooms });
        }
        Ok(())
    }

    /// Makes another room of a session the current one.
    pub(in crate::hub) fn turn(&mut self, conn: ConnId, room: &str) -> Result<Answer, Refusal> {
        if self.people.is_errand(conn) {
            let wanted = RoomName::parse(room).map_err(Refusal::BadRoomName)?;
            self.people.set_spot(conn, Some(wanted));
            return Ok(Answer::Now(Reply::Current { room: wanted }));
        }
        let Some(Spot { name, room: Some(id) }) = self.rooms.spot(self.people, conn, Some(room))?
        else {
            return Err(Refusal::NotInRoom);
        };
        let seat = self.people.session(conn).and_then(|session| session.seat_in(id));
        if let Some(seat) = seat {
            self.people.turn_to(conn, seat);
        }
        Ok(Answer::Now(Reply::Current { room: name }))
    }

    pub(in crate::hub) fn leave(
        &mut self,
        now: Now,
        conn: ConnId,
        room: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let Spot { name, room } =
            self.rooms.spot(self.people, conn, room)?.ok_or(Refusal::NotInRoom)?;
        if self.people.is_errand(conn) {
            self.people.set_spot(conn, None);
            return Ok(Answer::Now(Reply::Left { room: name, current: None }));
        }
        self.leave_room(now, conn, room.ok_or(Refusal::NotInRoom)?);
        let current = self.people.room_of(conn).and_then(|id| self.rooms.get(id));
        let current = current.map(|room| room.name);
        Ok(Answer::Now(Reply::Left { room: name, current }))
    }

    /// Takes a session out of all its rooms, the current one last.
    pub(in crate::hub) fn leave_rooms(&mut self, now: Now, conn: ConnId) {
        for seat in self.people.seats(conn) {
            self.leave_room(now, conn, seat.room);
        }
    }

    /// Takes a session out of a room that it is in, and tells those who stay if it was the last one
    /// of its user there.
    fn leave_room(&mut self, now: Now, conn: ConnId, id: RoomId) {
        let Ok(user) = self.people.name_of(conn) else { return };
        let seat = self.people.session(conn).and_then(|session| session.seat_in(id));
        let (Some(seat), Some(room)) = (seat, self.rooms.get(id).map(|room| room.name)) else {
            return;
        };
        let last = !self.has_company_in(conn, id);
        if let Some(moved) = self.rooms.vacate(seat, last) {
            self.people.move_seat(moved, id, seat.index);
        }
        self.people.remove_seat(conn, id);
        if !last {
            return;
        }
        let members = self.rooms.get(id).map_or(0, |room| room.people);
        self.out.note(RoomFact::Left { user, room, members });
        if self.rooms.close_if_empty(id) {
            self.out.note(RoomFact::RoomGone { room });
        } else if !self.rules.stopping {
            let event = Event::Left { room, user, at: now.wall_ms };
            let except = self.people.apart_from(user);
            self.out.push(Effect::TellRoom { room: id, by: conn, except, event });
        }
    }

    pub(in crate::hub) fn say(
        &mut self,
        now: Now,
        conn: ConnId,
        (text, me): (Cow<'_, str>, bool),
        room: Option<&str>,
    ) -> Result<Answer, Refusal> {
        let from = self.people.name_of(conn)?;
        let Spot { name: room, room: id } =
            self.rooms.spot(self.people, conn, room)?.ok_or(Refusal::NotInRoom)?;
        let text = Text::parse(text, self.rules.limits.message_bytes).map_err(Refusal::BadText)?;
        self.pace.take(now, self.people.payer(conn))?;
        let bytes = text.as_str().len();
        let Some((id, people)) = id.and_then(|id| Some((id, self.rooms.get(id)?.people))) else {
            self.out.note(TalkFact::Said { from, room, bytes, heard: 0, others: 0 });
            return Ok(Answer::Now(Reply::heard(0)));
        };
        let mut except = self.people.deaf_to(from);
        except.retain(|&conn| self.people.is_in(conn, id));
        let mut own = self.people.others_of(conn);
        own.retain(|&conn| self.people.is_in(conn, id));
        let is_there = !own.is_empty() || self.people.is_in(conn, id);
        let others = people - usize::from(is_there);
        let (heard, blocked) = (others - self.people.people_among(&except), !except.is_empty());
        self.out.note(TalkFact::Said { from, room, bytes, heard, others });
        self.out.note_body(|| TalkFact::SaidText { from, room, text: text.clone() });
        let at = now.wall_ms;
        let event = Event::Said { room, from, text, me, at, own: false };
        self.tell_own(conn, own, &event, &mut except);
        self.out.push(Effect::TellRoom { room: id, by: conn, except, event });
        Ok(Answer::Now(Reply::Heard { count: count(heard), blocked }))
    }

    /// Tells what a user has said to other sessions of theirs, so that they are not told as others.
    fn tell_own(&mut self, by: ConnId, own: Vec<ConnId>, event: &Event, except: &mut Vec<ConnId>) {
        if own.is_empty() {
            return;
        }
        for &to in &own {
            self.people.tell_own(self.out, by, to, event);
        }
        except.extend(own);
        except.sort_unstable();
    }

    /// To the room, as in system A; outside of one to everybody online, as in system D.
    pub(in crate::hub) fn broadcast(
        &mut self,
        now: Now,
        conn: ConnId,
        text: Cow<'_, str>,
    ) -> Result<Answer, Refusal> {
        if self.rooms.spot(self.people, conn, None)?.is_some() {
            return self.say(now, conn, (text, false), None);
        }
        let from = self.people.name_of(conn)?;
        let text = Text::parse(text, self.rules.limits.message_bytes).map_err(Refusal::BadText)?;
        self.pace.take(now, self.people.payer(conn))?;
        let mut except = self.people.deaf_to(from);
        let others = self.people.count_others(conn);
        let heard = others - self.people.people_among(&except);
        let (blocked, bytes) = (!except.is_empty(), text.as_str().len());
        self.out.note(TalkFact::Broadcast { from, bytes, heard, others });
        self.out.note_body(|| TalkFact::BroadcastText { from, text: text.clone() });
        let event = Event::Broadcast { from, text, at: now.wall_ms, own: false };
        let own = self.people.others_of(conn);
        self.tell_own(conn, own, &event, &mut except);
        self.out.push(Effect::TellAll { by: conn, except, event });
        Ok(Answer::Now(Reply::Heard { count: count(heard), blocked }))
    }

    pub(in crate::hub) fn list_rooms(&self) -> Result<Answer, Refusal> {
        let line = |room: &Room| RoomLine { room: room.name, members: count(room.people) };
        let rooms = self.rooms.iter().take(LIST_MAX).map(line).collect();
        Ok(Answer::Now(Reply::Rooms { rooms, total: count(self.rooms.len()) }))
    }

    /// Who is in the room that was named, else in the current room, else online.
    pub(in crate::hub) fn who(&self, conn: ConnId, room: Option<&str>) -> Result<Answer, Refusal> {
        let id = match room {
            Some(name) => {
                let name = RoomName::parse(name).map_err(Refusal::BadRoomName)?;
                Some(self.rooms.find(name).ok_or(Refusal::NoSuchRoom)?)
            }
            None => self.people.room_of(conn),
        };
        let Some((id, room)) = id.and_then(|id| Some((id, self.rooms.get(id)?))) else {
            let apart = self.people.apart_from(self.people.name_of(conn)?);
            let shown = |conn: &ConnId| apart.binary_search(conn).is_err();
            let total = self.people.count() - self.people.people_among(&apart);
            let members = self.names(self.people.users_online().filter(shown), total);
            return Ok(Answer::Now(Reply::Who { room: None, members }));
        };
        let members = self.members_shown(conn, id);
        Ok(Answer::Now(Reply::Who { room: Some(room.name), members }))
    }

    /// Who is in a room, as far as a user may know.
    fn members_shown(&self, conn: ConnId, id: RoomId) -> Names {
        let name = self.people.name_of(conn);
        let mut apart = name.map_or_else(|_| Vec::new(), |name| self.people.apart_from(name));
        apart.retain(|&conn| self.people.is_in(conn, id));
        let shown = |conn: &ConnId| apart.binary_search(conn).is_err();
        let people = self.rooms.get(id).map_or(0, |room| room.people);
        let total = people - self.people.people_among(&apart);
        self.names(self.rooms.members(id).iter().copied().filter(shown), total)
    }

    /// The names of users, each once.
    fn names(&self, conns: impl Iterator<Item = ConnId>, total: usize) -> Names {
        let most = if self.people.has_company() { usize::MAX } else { LIST_MAX };
        let mut users: Vec<UserName> =
            conns.take(most).filter_map(|conn| self.people.name_of(conn).ok()).collect();
        users.sort_unstable_by_key(UserName::key);
        users.dedup_by_key(|user| user.key());
        users.truncate(LIST_MAX);
        Names { users, total: count(total) }
    }
}
