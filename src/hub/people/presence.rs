//! Who is online and who was (system D's rules).
//!
//! The rule it keeps: of two users of whom one has blocked the other, no list of people
//! tells one that the other is here.

use super::People;
use crate::hub::{Answer, UserKey, count};
use crate::id::{ConnId, Now};
use crate::limits::{LIST_MAX, SEEN_MAX};
use crate::message::{Names, Refusal, Reply, UserName};

impl People {
    pub(in crate::hub) fn who_else(
        &self,
        now: Now,
        conn: ConnId,
        within_s: Option<u64>,
    ) -> Result<Answer, Refusal> {
        let own = self.name_of(conn)?.key();
        let shown = |key: &UserKey| *key != own && !self.directory.is_apart(own, *key);
        let mut users: Vec<UserName> = match within_s {
            None => {
                let names = self.users_online().filter_map(|conn| self.name_of(conn).ok());
                names.filter(|name| shown(&name.key())).collect()
            }
            Some(seconds) => {
                let since_ms = now.mono_ms.saturating_sub(seconds.saturating_mul(1000));
                let recent = |key: &UserKey, at_ms: u64| self.is_online(*key) || at_ms >= since_ms;
                let seen = self.seen.iter().filter(|(key, _)| shown(key));
                seen.filter(|(key, (_, at_ms))| recent(key, *at_ms))
                    .map(|(_, &(name, _))| name)
                    .collect()
            }
        };
        let total = count(users.len());
        users.truncate(LIST_MAX);
        Ok(Answer::Now(Reply::WhoElse { within_s, members: Names { users, total } }))
    }

    /// Notes that a user is or was here now. Of too many the one seen first is forgotten.
    pub(in crate::hub) fn note_seen(&mut self, now: Now, name: UserName) {
        self.seen.insert(name.key(), (name, now.mono_ms));
        if self.seen.len() > SEEN_MAX.max(2 * self.users.len()) {
            // Half of them go at once, so that this is rare.
            let mut times: Vec<u64> = self.seen.values().map(|(_, at_ms)| *at_ms).collect();
            let middle = times.len() / 2;
            let (_, &mut since_ms, _) = times.select_nth_unstable(middle);
            let users = &self.users;
            self.seen.retain(|key, (_, at_ms)| *at_ms > since_ms || users.contains_key(key));
        }
    }
}
