//! Those whom a file is for are told that it is here.
//!
//! The rule it keeps: a user who has blocked the sender is not told.

use super::Files;
use super::sight::{is_for, is_from};
use super::stored::Entry;
use crate::hub::Effect;
use crate::id::{ConnId, TransferId};
use crate::limits::OFFERS_AT_ONCE;
use crate::message::{Event, Target, UserName};

impl Files<'_> {
    /// Tells those whom a file is for that it is here.
    pub(in crate::hub) fn offer(&mut self, transfer: TransferId) {
        let Some(entry) = self.own.stored.get(transfer) else { return };
        let file = entry.file.line.clone();
        let from = file.from;
        match file.to {
            Target::User(user) => {
                if self.people.directory.has_blocked(user.key(), from.key()) {
                    return;
                }
                let is_theirs = |&conn: &ConnId| {
                    self.people.user_of(conn).is_ok_and(|user| is_for(user, entry))
                };
                let sessions = self.people.sessions_of(user.key()).filter(is_theirs);
                for conn in sessions.collect::<Vec<_>>() {
                    self.out.tell(conn, Event::Offered { file: file.clone() });
                }
            }
            Target::Room(room) => {
                let Some(room) = self.rooms.find(room) else { return };
                let mut except = self.people.deaf_to(from);
                except.retain(|&conn| self.people.is_in(conn, room));
                // The sender may be anywhere by now; they need no offer of their own file.
                let sender = self.people.session_of(from.key());
                except.extend(self.people.sessions_of(from.key()).skip(1));
                except.sort_unstable();
                let by = sender.unwrap_or(ConnId { slot: u32::MAX, generation: u32::MAX });
                let event = Event::Offered { file };
                self.out.push(Effect::TellRoom { room, by, except, event });
            }
            Target::Shelf(_) | Target::Public => {}
        }
    }

    /// Tells a user who has just logged in what was handed to them meanwhile.
    pub(in crate::hub) fn offer_kept(&mut self, conn: ConnId) {
        let Ok(user) = self.people.user_of(conn) else { return };
        self.offer_all(conn, user.name, |entry| is_for(user, entry));
    }

    /// Tells a user who has just come into a room what was handed to the room.
    pub(in crate::hub) fn offer_of_room(&mut self, conn: ConnId) {
        let room = self.people.room_of(conn).and_then(|id| self.rooms.get(id));
        let Some(room) = room.map(|room| room.name) else { return };
        let Ok(user) = self.people.user_of(conn) else { return };
        self.offer_all(conn, user.name, |entry| {
            entry.file.line.to == Target::Room(room) && !is_from(user, entry)
        });
    }

    fn offer_all(&mut self, conn: ConnId, user: UserName, is_meant: impl Fn(&Entry) -> bool) {
        let deaf = |entry: &Entry| {
            self.people.directory.has_blocked(user.key(), entry.file.line.from.key())
        };
        let all = self.own.stored.after(TransferId(0)).rev();
        let newest = all.filter(|entry| is_meant(entry) && !deaf(entry)).take(OFFERS_AT_ONCE);
        let mut files: Vec<_> = newest.map(|entry| entry.file.line.clone()).collect();
        files.reverse();
        self.note_look(0);
        for file in files {
            self.out.tell(conn, Event::Offered { file });
        }
    }
}
