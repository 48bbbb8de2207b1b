//! Rooms: made on the first join, gone when the last member leaves.

use std::collections::BTreeMap;

use slab::Slab;

use crate::hub::People;
use crate::hub::people::State;
use crate::id::{ConnId, RoomId};
use crate::message::{Key, RoomName};

/// One room and who is in it.
#[derive(Debug)]
pub(in crate::hub) struct Room {
    pub(in crate::hub) name: RoomName,
    /// In no particular order: a seat that falls free is taken by the last member.
    pub(in crate::hub) members: Vec<ConnId>,
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

    /// Finds a room or makes it; also says whether it was made.
    pub(in crate::hub) fn open(&mut self, name: RoomName) -> (RoomId, bool) {
        if let Some(id) = self.find(name) {
            return (id, false);
        }
        let index = self.rooms.insert(Room { name, members: Vec::new() });
        let id = RoomId(u32::try_from(index).expect("rooms are limited far below 2^32"));
        self.by_name.insert(name.key(), id);
        (id, true)
    }

    /// Checks that rooms and the states of sessions agree, for tests and the simulation.
    pub(in crate::hub) fn check_invariants(&self, people: &People, members_max: u64) {
        let mut seated = 0;
        for session in people.sessions() {
            if let State::InRoom { room, seat, .. } = session.state {
                seated += 1;
                assert_eq!(self.members(room).get(seat), Some(&session.conn), "a wrong seat");
            }
        }
        let members: usize = self.iter().map(|room| room.members.len()).sum();
        assert_eq!(seated, members, "a member without a session");
        for room in self.iter() {
            assert!(!room.members.is_empty(), "an empty room");
            assert!(room.members.len() as u64 <= members_max, "a room over its limit");
        }
    }

    /// Gives a connection a seat.
    pub(in crate::hub) fn enter(&mut self, id: RoomId, conn: ConnId) -> usize {
        let members = &mut self.rooms[id.0 as usize].members;
        members.push(conn);
        members.len() - 1
    }

    /// Gives a seat to another connection.
    pub(in crate::hub) fn reseat(&mut self, id: RoomId, seat: usize, conn: ConnId) {
        self.rooms[id.0 as usize].members[seat] = conn;
    }

    /// Takes a seat away. Answers with the member that moved into it, if one did.
    pub(in crate::hub) fn vacate(&mut self, id: RoomId, seat: usize) -> Option<ConnId> {
        let members = &mut self.rooms[id.0 as usize].members;
        members.swap_remove(seat);
        members.get(seat).copied()
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
