//! Rooms: made on the first join, gone when the last member leaves.

use std::collections::BTreeMap;

use slab::Slab;

use crate::id::{ConnId, RoomId};
use crate::message::{Key, RoomName};

/// One room and who is in it.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) name: RoomName,
    /// In no particular order: a seat that falls free is taken by the last member.
    pub(super) members: Vec<ConnId>,
}

/// All rooms that exist, found by number and by name.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: Slab<Room>,
    by_name: BTreeMap<Key<{ crate::limits::ROOM_NAME_MAX }>, RoomId>,
}

impl Rooms {
    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    pub(super) fn find(&self, name: RoomName) -> Option<RoomId> {
        self.by_name.get(&name.key()).copied()
    }

    pub(super) fn get(&self, id: RoomId) -> Option<&Room> {
        self.rooms.get(id.0 as usize)
    }

    /// The rooms in the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Room> {
        self.by_name.values().filter_map(|id| self.get(*id))
    }

    /// Finds a room or makes it; also says whether it was made.
    pub(super) fn open(&mut self, name: RoomName) -> (RoomId, bool) {
        if let Some(id) = self.find(name) {
            return (id, false);
        }
        let index = self.rooms.insert(Room { name, members: Vec::new() });
        let id = RoomId(u32::try_from(index).expect("rooms are limited far below 2^32"));
        self.by_name.insert(name.key(), id);
        (id, true)
    }

    /// Gives a connection a seat.
    pub(super) fn enter(&mut self, id: RoomId, conn: ConnId) -> usize {
        let members = &mut self.rooms[id.0 as usize].members;
        members.push(conn);
        members.len() - 1
    }

    /// Gives a seat to another connection.
    pub(super) fn reseat(&mut self, id: RoomId, seat: usize, conn: ConnId) {
        self.rooms[id.0 as usize].members[seat] = conn;
    }

    /// Takes a seat away. Answers with the member that moved into it, if one did.
    pub(super) fn vacate(&mut self, id: RoomId, seat: usize) -> Option<ConnId> {
        let members = &mut self.rooms[id.0 as usize].members;
        members.swap_remove(seat);
        members.get(seat).copied()
    }

    /// Removes a room that nobody is in; says whether it did.
    pub(super) fn close_if_empty(&mut self, id: RoomId) -> bool {
        let Some(room) = self.rooms.get(id.0 as usize) else { return false };
        if !room.members.is_empty() {
            return false;
        }
        self.by_name.remove(&room.name.key());
        self.rooms.remove(id.0 as usize);
        true
    }
}
