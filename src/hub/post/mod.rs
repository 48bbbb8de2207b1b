//! Messages to one user: whispers, and letters to accounts.
//!
//! Knows no rooms and no files.

mod letters;

use std::collections::VecDeque;

pub(super) use letters::LetterDraft;

use super::{Buckets, Out, People, Rules, SentKeys};
use crate::id::ConnId;

/// What the post remembers.
#[derive(Debug, Default)]
pub(super) struct PostState {
    /// Connections whose letters could not be read, and when to try again.
    retries: VecDeque<(u64, ConnId)>,
}

/// The post, with what it borrows of the others.
pub(super) struct Post<'a> {
    pub(super) own: &'a mut PostState,
    pub(super) people: &'a mut People,
    pub(super) pace: &'a mut Buckets,
    pub(super) rules: &'a Rules,
    pub(super) sent: &'a mut SentKeys,
    pub(super) out: &'a mut Out,
}

impl PostState {
    /// When letters are to be asked for again, on the monotonic clock.
    pub(super) fn next_deadline_ms(&self) -> Option<u64> {
        self.retries.front().map(|(due_ms, _)| *due_ms)
    }
}
