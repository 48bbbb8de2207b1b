//! Rooms: made on the first join, gone when the last member leaves.

use std::collections::{BTreeMap, BTreeSet};

use slab::Slab;

use crate::hub::People;
use crate::hub::people::Seat;
use crate::id::{ConnId, RoomId};
use crate::message::{Key, Refusal, RoomName};

/// One room and who is in it.
#[derive(Debug)]
pub(in crate::hub) struct Room {
    pub(in crate::hub) name: RoomName,
    /// In no particular order: a seat that falls free is taken by the last member.
    pub(in crate::hub) members: Vec<ConnId>,
    /// How many users they are.
    pub(in crate::hub) people: usize,
}

/// A room that a request means.
#[derive(Clone, Copy, Debug)]
pub(in crate::hub) struct Spot {
    pub(in crate::hub) name: RoomName,
    /// Nothing, where an errand means a room that nobody is in.
    pub(in crate::hub) room: Option<RoomId>,
}

/// All rooms that exist, found by number and by name.
#[derive(Debug, Default)]
pub(in crate::hub) struct Rooms {
    rooms: Slab<Room>,
    by_name: BTreeMap<Key<{ crate::limits::ROOM_NAME_MAX }>, RoomId>,
}

impl Rooms {
    pub(in crate::hub) fn len(&self) -> usize {
        self.rooms.len()
    }

    pub(in crate::hub) fn find(&self, name: RoomName) -> Option<RoomId> {
        self.by_name.get(&name.key()).copied()
    }

    pub(in crate::hub) fn get(&self, id: RoomId) -> Option<&Room> {
        self.rooms.get(id.0 as usize)
    }

    /// The members of a room that exists.
    pub(in crate::hub) fn members(&self, id: RoomId) -> &[ConnId] {
        self.get(id).map_or(&[], |room| &room.members)
    }

    /// The rooms in the order of their names.
    pub(in crate::hub) fn iter(&self) -> impl Iterator<Item = &Room> {
        self.by_name.values().filter_map(|id| self.get(*id))
    }

    /// The room that a session means by a name, or without one.
    pub(in crate::hub) fn spot(
        &self,
        people: &People,
        conn: ConnId,
        name: Option<&str>,
    ) -> Result<Option<Spot>, Refusal> {
        let session = people.session(conn).ok_or(Refusal::LoginFirst)?;
        let Some(name) = name else {
            let spot = session.extra().and_then(|extra| extra.spot);
            let room =
                session.state.seat().map(|seat| seat.room).or(spot.and_then(|s| self.find(s)));
            let name = room.and_then(|id| Some(self.get(id)?.name)).or(spot);
            return Ok(name.map(|name| Spot { name, room }));
        };
        let wanted = RoomName::parse(name).map_err(Refusal::BadRoomName)?;
        let room = self.find(wanted);
        let name = room.and_then(|id| self.get(id)).map_or(wanted, |room| room.name);
        let is_there = room.is_some_and(|id| session.seat_in(id).is_some());
        if is_there || session.state.is_errand() {
            return Ok(Some(Spot { name, room }));
        }
        Err(if session.state.seat().is_some() { Refusal::NotThere } else { Refusal::NotInRoom })
    }

    /// The names of the rooms that a session is in, or that an errand means.
    pub(in crate::hub) fn names_of(&self, people: &People, conn: ConnId) -> Vec<RoomName> {
        let Some(session) = people.session(conn) else { return Vec::new() };
        let spot = session.extra().and_then(|extra| extra.spot);
        let rooms = session.seats().filter_map(|seat| Some(self.get(seat.room)?.name));
        rooms.chain(spot).collect()
    }

    /// Finds a room or makes it; also says whether it was made.
    pub(in crate::hub) fn open(&mut self, name: RoomName) -> (RoomId, bool) {
        if let Some(id) = self.find(name) {
            return (id, false);
        }
        let index = self.rooms.insert(Room { name, members: Vec::new(), people: 0 });
        let id = RoomId(u32::try_from(index).expect("rooms are limited far below 2^32"));
        self.by_name.insert(name.key(), id);
        (id, true)
    }

    /// Checks that rooms and the states of sessions agree, for tests and the simulation.
    pub(in crate::hub) fn check_invariants(&self, people: &People, members_max: u64) {
        let mut seated = 0;
        for session in people.sessions() {
            let mut rooms = BTreeSet::new();
            for seat in session.seats() {
                seated += 1;
                let member = self.members(seat.room).get(seat.index as usize);
                assert_eq!(member, Some(&session.conn), "a wrong seat");
                assert!(rooms.insert(seat.room), "two seats in one room");
            }
        }
        let members: usize = self.iter().map(|room| room.members.len()).sum();
        assert_eq!(seated, members, "a member without a session");
        for room in self.iter() {
            assert!(!room.members.is_empty(), "an empty room");
            assert_eq!(room.people, people.people_among(&room.members), "people are miscounted");
            assert!(room.people as u64 <= members_max, "a room over its limit");
        }
    }

    /// Gives a connection a seat; `first`: its user has none there yet.
    pub(in crate::hub) fn enter(&mut self, id: RoomId, conn: ConnId, first: bool) -> Seat {
        let room = &mut self.rooms[id.0 as usize];
        room.members.push(conn);
        room.people += usize::from(first);
        let index = room.members.len() - 1;
        Seat { room: id, index: u32::try_from(index).expect("fewer than the connections") }
    }

    /// Gives a seat to another connection.
    pub(in crate::hub) fn reseat(&mut self, seat: Seat, conn: ConnId) {
        self.rooms[seat.room.0 as usize].members[seat.index as usize] = conn;
    }

    /// Takes a seat away; `last`: its user has no other one there. Answers with the member that
    /// moved into it, if one did.
    pub(in crate::hub) fn vacate(&mut self, seat: Seat, last: bool) -> Option<ConnId> {
        let room = &mut self.rooms[seat.room.0 as usize];
        room.members.swap_remove(seat.index as usize);
        room.people -= usize::from(last);
        room.members.get(seat.index as usize).copied()
    }

    /// Removes a room that nobody is in; says whether it did.
    pub(in crate::hub) fn close_if_empty(&mut self, id: RoomId) -> bool {
        let Some(room) = self.rooms.get(id.0 as usize) else { return false };
        if !room.members.is_empty() {
            return false;
        }
        self.by_name.remove(&room.name.key());
        self.rooms.remove(id.0 as usize);
        true
    }
}
