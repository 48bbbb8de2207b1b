//! One name, and the sessions that it has.
//!
//! Knows nothing of a session but its connection. Almost everybody has one session, so that is what
//! costs nothing more than its number.

use crate::id::ConnId;

/// The sessions of a user.
#[derive(Debug, Default)]
pub(super) struct Person {
    /// The visible session that logged in first.
    first: Option<ConnId>,
    more: Option<Box<More>>,
}

/// Those besides the first, in the order of their logins.
#[derive(Debug, Default)]
struct More {
    visible: Vec<ConnId>,
    errands: Vec<ConnId>,
}

impl Person {
    /// The visible sessions, in the order of their logins.
    pub(super) fn visible(&self) -> impl Iterator<Item = ConnId> {
        let more = self.more.iter().flat_map(|more| &more.visible).copied();
        self.first.into_iter().chain(more)
    }

    pub(super) fn errands(&self) -> impl Iterator<Item = ConnId> {
        self.more.iter().flat_map(|more| &more.errands).copied()
    }

    pub(super) fn first(&self) -> Option<ConnId> {
        self.first
    }

    pub(super) fn is_online(&self) -> bool {
        self.first.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_none()
    }

    pub(super) fn add(&mut self, conn: ConnId) {
        match self.first {
            None => self.first = Some(conn),
            Some(_) => self.more.get_or_insert_default().visible.push(conn),
        }
    }

    pub(super) fn add_errand(&mut self, conn: ConnId) {
        self.more.get_or_insert_default().errands.push(conn);
    }

    /// A session stands where another one stood.
    pub(super) fn replace(&mut self, conn: ConnId, by: ConnId) {
        let more = self.more.iter_mut().flat_map(|more| &mut more.visible);
        self.first.iter_mut().chain(more).filter(|is| **is == conn).for_each(|is| *is = by);
    }

    pub(super) fn remove(&mut self, conn: ConnId) {
        if let Some(more) = &mut self.more {
            more.visible.retain(|&is| is != conn);
            more.errands.retain(|&is| is != conn);
        }
        if self.first == Some(conn) {
            let next = self.more.as_mut().filter(|more| !more.visible.is_empty());
            self.first = next.map(|more| more.visible.remove(0));
        }
        self.more.take_if(|more| more.visible.is_empty() && more.errands.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conn(slot: u32) -> ConnId {
        ConnId { slot, generation: 0 }
    }

    #[test]
    fn sessions_keep_the_order_of_their_logins_and_errands_are_not_among_them() {
        let mut person = Person::default();
        person.add_errand(conn(9));
        assert!(!person.is_online() && !person.is_empty());
        for slot in [1, 2, 3] {
            person.add(conn(slot));
        }
        person.remove(conn(1));
        person.replace(conn(3), conn(4));
        assert_eq!(person.visible().collect::<Vec<_>>(), [conn(2), conn(4)]);
        assert_eq!((person.first(), person.errands().count()), (Some(conn(2)), 1));
        for slot in [4, 9, 2] {
            assert!(!person.is_empty());
            person.remove(conn(slot));
        }
        assert!(person.is_empty());
    }
}
