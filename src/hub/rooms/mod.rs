//! Rooms, and what is said in them and to all.
//!
//! Knows no files and no letters.

mod seats;
mod talk;

pub(super) use seats::{Rooms, Spot};

use super::{Buckets, Out, People, Rules};

/// Rooms, with what they borrow of the others.
pub(super) struct Talk<'a> {
    pub(super) rooms: &'a mut Rooms,
    pub(super) people: &'a mut People,
    pub(super) pace: &'a mut Buckets,
    pub(super) rules: &'a Rules,
    pub(super) out: &'a mut Out,
}
