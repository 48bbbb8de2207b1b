//! One name, and the sessions that it has.
//!
//! Knows nothing of a session but its connection. Almost everybody has one session, so that is what
//! costs nothing more than its number.

use crate::id::ConnId;

/// The sessions of a user.
#[derive(Debug, Default)]
pub(super) enum Person {
    #[default]
    Nobody,
    /// One visible session.
    One(ConnId),
    Many(Box<Many>),
}

/// Sessions in the order of their logins.
#[derive(Debug, Default)]
pub(super) struct Many {
    visible: Vec<ConnId>,
    errands: Vec<ConnId>,
}

impl Person {
    /// The visible sessions, in the order of their logins.
    pub(super) fn visible(&self) -> impl Iterator<Item = ConnId> {
        let sessions = match self {
            Self::Nobody => &[],
            Self::One(conn) => std::slice::from_ref(conn),
            Self::Many(many) => many.visible.as_slice(),
        };
        sessions.iter().copied()
    }

    pub(super) fn errands(&self) -> impl Iterator<Item = ConnId> {
        let errands = match self {
            Self::Nobody | Self::One(_) => &[],
            Self::Many(many) => many.errands.as_slice(),
        };
        errands.iter().copied()
    }

    /// The visible session that logged in first.
    pub(super) fn first(&self) -> Option<ConnId> {
        self.visible().next()
    }

    pub(super) fn is_online(&self) -> bool {
        self.first().is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Nobody)
    }

    pub(super) fn add(&mut self, conn: ConnId) {
        if self.is_empty() {
            *self = Self::One(conn);
        } else {
            self.change(|many| many.visible.push(conn));
        }
    }

    pub(super) fn add_errand(&mut self, conn: ConnId) {
        self.change(|many| many.errands.push(conn));
    }

    /// A session stands where another one stood.
    pub(super) fn replace(&mut self, conn: ConnId, by: ConnId) {
        let sessions = match self {
            Self::Nobody => &mut [],
            Self::One(conn) => std::slice::from_mut(conn),
            Self::Many(many) => many.visible.as_mut_slice(),
        };
        sessions.iter_mut().filter(|is| **is == conn).for_each(|is| *is = by);
    }

    pub(super) fn remove(&mut self, conn: ConnId) {
        self.change(|many| {
            many.visible.retain(|&is| is != conn);
            many.errands.retain(|&is| is != conn);
        });
    }

    /// Changes the lists, and keeps them only where one number does not say it all.
    fn change(&mut self, change: impl FnOnce(&mut Many)) {
        let mut many = match std::mem::take(self) {
            Self::Nobody => Box::default(),
            Self::One(conn) => Box::new(Many { visible: vec![conn], errands: Vec::new() }),
            Self::Many(many) => many,
        };
        change(&mut many);
        *self = match (many.visible.as_slice(), many.errands.as_slice()) {
            ([], []) => Self::Nobody,
            ([conn], []) => Self::One(*conn),
            _ => Self::Many(many),
        };
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
