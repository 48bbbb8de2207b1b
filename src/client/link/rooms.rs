//! PURE. The rooms that we are in, which of them is current, and how they are entered again on
//! another connection.
//!
//! Knows what was asked and answered, and nobody who is in a room. The rules it keeps: the current
//! room stands first; after a loss the same rooms are entered again, however often that is
//! interrupted, and the same one is current.

use std::collections::BTreeSet;

use crate::front::native::Problem;
use crate::message::{Command, Op, Reply, RoomName};

/// The rooms of one client.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    /// The current one, then the others, the one that was current last first.
    inside: Vec<RoomName>,
    /// What is to be entered again, in the same order, until all of it was tried.
    wanted: Option<Vec<RoomName>>,
    /// Requests to enter a room beside the others.
    opens: BTreeSet<u64>,
    /// Requests of ours to be where we were.
    entering: BTreeSet<u64>,
}

impl Whereabouts {
    /// All that we are in, the current one first.
    pub(super) fn all(&self) -> &[RoomName] {
        &self.inside
    }

    /// The one that is meant where none is named.
    pub(super) fn current(&self) -> Option<RoomName> {
        self.inside.first().copied()
    }

    /// Logged in, and in these rooms: the current one first.
    pub(super) fn handle_login(&mut self, rooms: Vec<RoomName>) {
        *self = Self { inside: rooms, ..Self::default() };
    }

    /// It was asked under this number to enter a room beside the others.
    pub(super) fn begin_to_open(&mut self, id: u64) {
        self.opens.insert(id);
    }

    /// Whether a request is one of ours to be where we were; it is answered now.
    pub(super) fn handle_entered(&mut self, id: u64) -> bool {
        self.entering.remove(&id)
    }

    /// An answer may change where we are.
    pub(super) fn handle_answer(&mut self, id: u64, op: Op, answer: &Result<Reply, Problem>) {
        let opens = self.opens.remove(&id);
        match (op, answer) {
            (Op::Join, Ok(Reply::Joined { room, .. })) => {
                if !opens && !self.inside.is_empty() {
                    self.inside.remove(0);
                }
                self.put_first(*room);
            }
            (Op::Room, Ok(Reply::Current { room })) => self.put_first(*room),
            (Op::Leave, Ok(Reply::Left { room, current })) => {
                self.inside.retain(|inside| inside != room);
                current.iter().for_each(|room| self.put_first(*room));
            }
            (_, Ok(_) | Err(_)) => {}
        }
    }

    /// The connection is lost, and with it what was asked there.
    pub(super) fn handle_lost(&mut self) {
        self.opens.clear();
        self.entering.clear();
    }

    /// Logged in again, and `kept` in these rooms. Answers with what is to be asked to be where we
    /// were, each to be told to [`Whereabouts::begin_to_enter`]. A server that keeps rooms knows
    /// better than we, who may not have heard its last answer; not if we were interrupted before.
    pub(super) fn return_to(
        &mut self,
        kept: Vec<RoomName>,
        several: bool,
    ) -> Vec<Command<'static>> {
        let truth = if kept.is_empty() { self.inside.clone() } else { kept.clone() };
        let mut wanted = self.wanted.take().unwrap_or(truth);
        if !several {
            wanted.truncate(1);
        }
        // Nothing is left by it that was kept, and what was alone needs no second.
        let open = several && (wanted.len() > 1 || !kept.is_empty());
        let missing = wanted.iter().rev().filter(|room| !kept.contains(room));
        let mut steps: Vec<_> = missing
            .map(|room| Command::Join { room: room.as_str().to_owned().into(), open })
            .collect();
        let last = if steps.is_empty() {
            kept.first()
        } else {
            wanted.iter().find(|room| !kept.contains(room))
        };
        if let Some(current) = wanted.first().filter(|current| several && last != Some(*current)) {
            steps.push(Command::Room { room: current.as_str().to_owned().into() });
        }
        self.inside = kept;
        self.wanted = (!steps.is_empty()).then_some(wanted);
        steps
    }

    /// One of the steps was asked under this number.
    pub(super) fn begin_to_enter(&mut self, id: u64) {
        self.entering.insert(id);
    }

    /// Whether all that can be entered again was. If so, we are where we were.
    pub(super) fn are_back(&mut self) -> bool {
        let back = self.entering.is_empty();
        if back {
            self.wanted = None;
        }
        back
    }

    fn put_first(&mut self, room: RoomName) {
        self.inside.retain(|inside| *inside != room);
        self.inside.insert(0, room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Names;

    fn room(name: &str) -> RoomName {
        RoomName::parse(name).unwrap()
    }

    fn rooms(names: &str) -> Vec<RoomName> {
        names.split_whitespace().map(room).collect()
    }

    /// Does as typed lines do, and the server says yes.
    fn play(rooms: &mut Whereabouts, lines: &[&str]) {
        for (id, line) in (100..).zip(lines) {
            let (word, name) = line.split_once(' ').unwrap();
            let members = Names { users: Vec::new(), total: 0 };
            let joined = Ok(Reply::Joined { room: room(name), members });
            let (op, answer) = match word {
                "join" => (Op::Join, joined),
                "open" => {
                    rooms.begin_to_open(id);
                    (Op::Join, joined)
                }
                "room" => (Op::Room, Ok(Reply::Current { room: room(name) })),
                "leave" => {
                    let left = room(name);
                    let current = rooms.all().iter().copied().find(|other| *other != left);
                    (Op::Leave, Ok(Reply::Left { room: left, current }))
                }
                other => panic!("{other}"),
            };
            rooms.handle_answer(id, op, &answer);
        }
    }

    fn after(lines: &[&str]) -> Whereabouts {
        let mut rooms = Whereabouts::default();
        play(&mut rooms, lines);
        rooms
    }

    /// What is asked to come back, as it would be typed.
    fn steps(rooms: &mut Whereabouts, kept: &str, several: bool) -> Vec<String> {
        let kept = kept.split_whitespace().map(room).collect();
        let steps = rooms.return_to(kept, several);
        for id in (1..).take(steps.len()) {
            rooms.begin_to_enter(id);
        }
        let typed = |step: &Command<'_>| match step {
            Command::Join { room, open } => {
                format!("{} {room}", if *open { "open" } else { "join" })
            }
            Command::Room { room } => format!("room {room}"),
            other => panic!("{other:?}"),
        };
        steps.iter().map(typed).collect()
    }

    #[test]
    fn join_moves_open_adds_and_room_turns() {
        assert_eq!(after(&["join a", "join b"]).all(), rooms("b"));
        assert_eq!(after(&["join a", "open b", "open c"]).all(), rooms("c b a"));
        assert_eq!(after(&["join a", "open b", "open c", "room a"]).all(), rooms("a c b"));
        assert_eq!(after(&["join a", "open b", "open c", "join a"]).all(), rooms("a b"));
        assert_eq!(after(&["join a", "open b", "open c", "join d"]).all(), rooms("d b a"));
        assert_eq!(after(&["join a", "open b", "leave b"]).all(), rooms("a"));
        assert_eq!(after(&["join a", "open b", "open c", "leave a"]).all(), rooms("c b"));
        assert_eq!(after(&["join a", "leave a"]).current(), None);
    }

    #[test]
    fn a_request_that_was_refused_or_lost_opens_nothing() {
        let mut rooms = after(&["join a"]);
        rooms.begin_to_open(7);
        rooms.handle_lost();
        let members = Names { users: Vec::new(), total: 0 };
        rooms.handle_answer(7, Op::Join, &Ok(Reply::Joined { room: room("c"), members }));
        assert_eq!(rooms.all(), [room("c")]);
    }

    #[test]
    fn the_same_rooms_are_entered_again_and_the_same_one_is_current() {
        let mut several = after(&["join a", "open b", "open c", "room a"]);
        let again = ["open b", "open c", "open a"];
        assert_eq!(steps(&mut several, "", true), again);
        assert!(several.all().is_empty() && !several.are_back());
        play(&mut several, &again);
        assert!((1..=3).all(|id| several.handle_entered(id)) && !several.handle_entered(4));
        assert!(several.are_back());
        assert_eq!(several.all(), rooms("a c b"));
        assert_eq!(steps(&mut after(&["join a"]), "", true), ["join a"], "as ever");
        assert_eq!(steps(&mut after(&[]), "", true), [""; 0]);
    }

    #[test]
    fn what_the_server_has_kept_is_the_truth() {
        let mut kept = after(&["join a", "open b"]);
        assert_eq!(steps(&mut kept, "c a", true), [""; 0]);
        assert!(kept.are_back());
        assert_eq!(kept.all(), rooms("c a"));
    }

    #[test]
    fn a_return_that_is_interrupted_goes_on() {
        let mut rooms = after(&["join a", "open b", "open c"]);
        assert_eq!(steps(&mut rooms, "", true), ["open a", "open b", "open c"]);
        play(&mut rooms, &["open a"]);
        rooms.handle_lost();
        assert_eq!(steps(&mut rooms, "a", true), ["open b", "open c"]);
        play(&mut rooms, &["open b", "open c"]);
        rooms.handle_lost();
        assert_eq!(steps(&mut rooms, "b c a", true), ["room c"], "another one is current there");
        play(&mut rooms, &["room c"]);
        assert!(rooms.handle_entered(1) && rooms.are_back());
        assert_eq!(steps(&mut rooms, "", true), ["open a", "open b", "open c"]);
    }

    #[test]
    fn what_is_current_is_named_where_it_was_kept_and_others_were_not() {
        let mut rooms = after(&["join a", "open b", "room a"]);
        assert_eq!(steps(&mut rooms, "", true), ["open b", "open a"]);
        rooms.handle_lost();
        assert_eq!(steps(&mut rooms, "a", true), ["open b", "room a"]);
    }

    #[test]
    fn of_a_server_that_knows_one_room_only_the_current_one_is_wanted() {
        let mut rooms = after(&["join a", "open b"]);
        assert_eq!(steps(&mut rooms, "", false), ["join b"]);
    }
}
