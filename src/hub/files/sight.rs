//! Who may see a file, whose it is, and for whom.
//!
//! The rule it keeps: a file that was handed to one user is seen by that user and the sender alone,
//! and a guest is the login that it was handed to, not the user who has the name next.

use super::Files;
use super::stored::Entry;
use crate::hub::people::User;
use crate::id::{ConnId, TransferId};
use crate::message::{FileRef, Refusal, RoomName, Target};

impl Files<'_> {
    /// Whether a user may see and take a file.
    pub(super) fn sees(&self, user: User, rooms: &[RoomName], entry: &Entry) -> bool {
        let line = &entry.file.line;
        let hears = !self.people.directory.has_blocked(user.name.key(), line.from.key());
        is_from(user, entry)
            || match line.to {
                Target::User(_) => is_for(user, entry) && hears,
                Target::Room(of) => rooms.contains(&of) && hears,
                Target::Shelf(of) => rooms.contains(&of),
                Target::Public => true,
            }
    }

    pub(super) fn find_file(
        &self,
        conn: ConnId,
        user: User,
        file: &FileRef<'_>,
    ) -> Result<&Entry, Refusal> {
        let rooms = self.rooms.names_of(self.people, conn);
        let found = match file {
            FileRef::Number(transfer) => self.own.stored.get(*transfer),
            FileRef::Name(name) => self.own.stored.after(TransferId(0)).rev().find(|entry| {
                entry.file.line.name.as_str() == *name && self.sees(user, &rooms, entry)
            }),
        };
        found.filter(|entry| self.sees(user, &rooms, entry)).ok_or(Refusal::NoSuchFile)
    }

    /// The sessions of the sender of a file.
    pub(super) fn senders_of(&self, transfer: TransferId) -> Vec<ConnId> {
        let Some(entry) = self.own.stored.get_entry(transfer) else { return Vec::new() };
        let is_sender =
            |&conn: &ConnId| self.people.user_of(conn).is_ok_and(|user| is_from(user, entry));
        self.people.sessions_of(entry.file.line.from.key()).filter(is_sender).collect()
    }
}

/// Whether a file was handed to this one alone.
pub(super) fn is_for(user: User, entry: &Entry) -> bool {
    entry.file.to_user() == Some(user.name)
        && match user.account {
            Some(account) => entry.file.receiver == Some(account),
            None => entry.file.receiver.is_none() && entry.to_guest == Some(user.serial),
        }
}

/// Whether this one has sent a file. On a shelf a guest is known by their name.
pub(super) fn is_from(user: User, entry: &Entry) -> bool {
    let is_shelved = matches!(entry.file.line.to, Target::Shelf(_) | Target::Public);
    entry.file.line.from == user.name
        && match user.account {
            Some(account) => entry.file.owner == Some(account),
            None => {
                let same = entry.from_guest == Some(user.serial);
                entry.file.owner.is_none() && (is_shelved || same)
            }
        }
}
