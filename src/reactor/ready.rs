//! Who is to be read next: users and strangers in lines of their own.
//!
//! Knows no sockets. The rule it keeps: in each line first come, first served, and of four who are
//! read one is a stranger as long as there are any; so a crowd at the door does not keep users
//! waiting, nor a crowd of users those at the door.

use std::collections::VecDeque;

use crate::id::ConnId;

/// Users read for each stranger while both wait.
const USERS_A_STRANGER: u8 = 3;

/// Connections to be read, each at most once.
#[derive(Debug, Default)]
pub(super) struct Ready {
    users: VecDeque<ConnId>,
    strangers: VecDeque<ConnId>,
    /// Users read since the last stranger.
    streak: u8,
}

impl Ready {
    pub(super) fn len(&self) -> usize {
        self.users.len() + self.strangers.len()
    }

    pub(super) fn push(&mut self, id: ConnId, is_user: bool) {
        let line = if is_user { &mut self.users } else { &mut self.strangers };
        line.push_back(id);
    }

    pub(super) fn pop(&mut self) -> Option<ConnId> {
        let strangers_turn = self.users.is_empty() || self.streak >= USERS_A_STRANGER;
        if strangers_turn && let Some(id) = self.strangers.pop_front() {
            self.streak = 0;
            return Some(id);
        }
        self.streak = self.streak.saturating_add(1);
        self.users.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conn(slot: u32) -> ConnId {
        ConnId { slot, generation: 0 }
    }

    #[test]
    fn of_four_who_are_read_one_is_a_stranger_while_there_are_any() {
        let mut ready = Ready::default();
        for slot in 0..8 {
            ready.push(conn(slot), true);
            ready.push(conn(100 + slot), false);
        }
        let order: Vec<u32> = std::iter::from_fn(|| ready.pop()).map(|id| id.slot).collect();
        assert_eq!(order[..9], [0, 1, 2, 100, 3, 4, 5, 101, 6]);
        assert_eq!(order[9..], [7, 102, 103, 104, 105, 106, 107]);
        assert_eq!(ready.len(), 0);
    }

    #[test]
    fn a_line_alone_is_served_without_a_gap() {
        let mut ready = Ready::default();
        for slot in 0..5 {
            ready.push(conn(slot), slot > 9);
        }
        assert_eq!(std::iter::from_fn(|| ready.pop()).count(), 5);
        ready.push(conn(1), true);
        assert_eq!(ready.pop(), Some(conn(1)));
        assert_eq!(ready.pop(), None);
    }
}
