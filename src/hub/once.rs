//! Messages that came with a key: what they were answered, so that one that is sent again because
//! its answer was lost is not said again.
//!
//! Knows no texts and no receivers. The rules it keeps: the same key of the same user gets the
//! first answer for [`MESSAGE_KEY_LIFE`]; a refusal leaves the key unused; of one user no more than
//! [`MESSAGE_KEYS_A_USER`] are remembered, and of all no more than [`MESSAGE_KEYS_MAX`].

use std::collections::{BTreeMap, VecDeque};

use super::UserKey;
use crate::id::{Now, millis};
use crate::limits::{MESSAGE_KEY_LIFE, MESSAGE_KEYS_A_USER, MESSAGE_KEYS_MAX};
use crate::message::{MessageKey, Refusal, Reply};

/// A message that is to be said once, and of whom.
pub(super) type Once = (UserKey, MessageKey);

/// Answers by user and key.
#[derive(Debug, Default)]
pub(super) struct SentKeys {
    /// Each user's own, the oldest first.
    users: BTreeMap<UserKey, VecDeque<Sent>>,
    /// All, the oldest first; also of some that are forgotten.
    order: VecDeque<(UserKey, u64)>,
    last: u64,
}

#[derive(Debug)]
struct Sent {
    key: MessageKey,
    number: u64,
    at_ms: u64,
    /// `None` while the store has not answered.
    reply: Option<Reply>,
}

impl SentKeys {
    /// What a message was answered that was said before.
    pub(super) fn known(&self, now: Now, (user, key): Once) -> Option<Result<Reply, Refusal>> {
        let known = self.users.get(&user)?.iter().find(|sent| sent.key == key)?;
        if now.mono_ms.saturating_sub(known.at_ms) >= millis(MESSAGE_KEY_LIFE) {
            return None;
        }
        Some(known.reply.clone().ok_or(Refusal::Busy { wait_ms: 1000 }))
    }

    /// A message is about to be said.
    pub(super) fn begin(&mut self, now: Now, (user, key): Once) {
        let sent = self.users.entry(user).or_default();
        sent.retain(|sent| sent.key != key);
        if sent.len() >= MESSAGE_KEYS_A_USER as usize {
            sent.pop_front();
        }
        self.last += 1;
        sent.push_back(Sent { key, number: self.last, at_ms: now.mono_ms, reply: None });
        self.order.push_back((user, self.last));
        if self.order.len() > MESSAGE_KEYS_MAX {
            self.forget_oldest();
        }
    }

    /// It was answered so; without a reply it was refused, and its key is as if never used.
    pub(super) fn end(&mut self, (user, key): Once, reply: Option<&Reply>) {
        let Some(sent) = self.users.get_mut(&user) else { return };
        let Some(at) = sent.iter().position(|sent| sent.key == key) else { return };
        if let Some(reply) = reply {
            sent[at].reply = Some(reply.clone());
            return;
        }
        let refused = sent.remove(at).map(|sent| (user, sent.number));
        if sent.is_empty() {
            self.users.remove(&user);
        }
        // What is refused at once is the last one, and pushes nobody else's out.
        if self.order.back() == refused.as_ref() {
            self.order.pop_back();
        }
    }

    /// The name belongs to another user now, or to nobody.
    pub(super) fn forget(&mut self, user: UserKey) {
        self.users.remove(&user);
    }

    fn forget_oldest(&mut self) {
        let Some((user, number)) = self.order.pop_front() else { return };
        let Some(sent) = self.users.get_mut(&user) else { return };
        if sent.front().is_some_and(|sent| sent.number == number) {
            sent.pop_front();
        }
        if sent.is_empty() {
            self.users.remove(&user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::UserName;

    const NOW: Now = Now { mono_ms: 5, wall_ms: 5 };

    fn once(user: &str, key: &str) -> Once {
        (UserName::parse(user).unwrap().key(), MessageKey::parse(key).unwrap())
    }

    fn say(keys: &mut SentKeys, now: Now, once: Once) -> Option<Result<Reply, Refusal>> {
        let before = keys.known(now, once);
        if before.is_none() {
            keys.begin(now, once);
        }
        before
    }

    #[test]
    fn the_same_key_of_the_same_user_gets_the_first_answer_for_a_day() {
        let mut keys = SentKeys::default();
        let hello = once("bob", "k");
        assert_eq!(say(&mut keys, NOW, hello), None);
        assert_eq!(say(&mut keys, NOW, hello), Some(Err(Refusal::Busy { wait_ms: 1000 })));
        keys.end(hello, Some(&Reply::heard(3)));
        let late = |ms: u64| Now { mono_ms: 5 + ms, wall_ms: 0 };
        let day_ms = 24 * 60 * 60 * 1000;
        assert_eq!(say(&mut keys, late(day_ms - 1), hello), Some(Ok(Reply::heard(3))));
        assert_eq!(say(&mut keys, NOW, once("bob", "l")), None);
        assert_eq!(say(&mut keys, NOW, once("eve", "k")), None);
        assert_eq!(say(&mut keys, late(day_ms), hello), None, "it is another day");
        keys.end(hello, Some(&Reply::heard(4)));
        keys.forget(hello.0);
        assert_eq!(say(&mut keys, NOW, hello), None, "it is another bob");
    }

    #[test]
    fn a_refusal_leaves_the_key_unused() {
        let mut keys = SentKeys::default();
        let hello = once("bob", "k");
        assert_eq!(say(&mut keys, NOW, hello), None);
        keys.end(hello, None);
        assert_eq!(say(&mut keys, NOW, hello), None);
    }

    #[test]
    fn what_is_refused_pushes_nothing_out() {
        let mut keys = SentKeys::default();
        let hello = once("bob", "k");
        say(&mut keys, NOW, hello);
        keys.end(hello, Some(&Reply::heard(1)));
        for key in 0..=MESSAGE_KEYS_MAX {
            let refused = once("eve", &key.to_string());
            say(&mut keys, NOW, refused);
            keys.end(refused, None);
        }
        assert!(!keys.users.contains_key(&once("eve", "k").0), "an empty list is left");
        assert_eq!(say(&mut keys, NOW, hello), Some(Ok(Reply::heard(1))));
    }

    #[test]
    fn of_each_user_and_of_all_the_newest_are_remembered() {
        let mut keys = SentKeys::default();
        let mut is_known = |user: &str, key: usize| {
            let once = once(user, &key.to_string());
            let before = say(&mut keys, NOW, once);
            keys.end(once, Some(&Reply::heard(1)));
            before.is_some()
        };
        let of_user = MESSAGE_KEYS_A_USER as usize;
        assert!((0..=of_user).all(|key| !is_known("bob", key)));
        assert!((1..=of_user).all(|key| is_known("bob", key)), "the newest are known");
        assert!(!is_known("bob", 0), "the oldest is not");
        for user in 0..=MESSAGE_KEYS_MAX / of_user {
            assert!((0..of_user).all(|key| !is_known(&format!("u{user}"), key)));
        }
        assert!(!is_known("bob", of_user), "so many others came after it");
        assert!(keys.order.len() <= MESSAGE_KEYS_MAX);
        let all: usize = keys.users.values().map(VecDeque::len).sum();
        assert!(all <= MESSAGE_KEYS_MAX, "{all} are remembered");
    }
}
