//! Messages to accounts: kept in the store first, then told, forgotten when they have arrived.
//!
//! Knows that the store does its jobs in order. The rules it keeps (invariant 6): the sender is
//! told "kept" from the store's completion and from nothing else; what is kept is told in the order
//! of its numbers, to one connection at a time, and again to the next one until it was confirmed;
//! whoever was blocked in the meantime is not heard.

use std::borrow::Cow;

use super::session::Letters;
use super::{Answer, Effect, Hub, Request, State, Waiting};
use crate::facts::TalkFact;
use crate::id::{AccountId, ConnId, LetterId, Now};
use crate::job::{Letter, StoreJob, StoreOutcome};
use crate::limits::{LETTERS_AT_ONCE, LETTERS_RETRY};
use crate::message::{Event, Refusal, Reply, Text, UserName};

/// A letter on its way into the store.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    from: UserName,
    to: AccountId,
    to_name: UserName,
    text: Text,
    at_ms: u64,
}

impl Hub {
    pub(super) fn whisper(
        &mut self,
        now: Now,
        request: Request,
        user: &str,
        text: Cow<'_, str>,
    ) -> Answer {
        let conn = request.conn;
        let from = self.name_of(conn)?;
        let wanted = UserName::parse(user).map_err(Refusal::BadUserName)?;
        let account = self.directory.find(wanted.key()).map(|account| (account.id, account.name));
        let online = self.users.get(&wanted.key()).copied();
        if online == Some(conn) {
            return Err(Refusal::ToYourself);
        }
        let name = match (account, online) {
            (Some((_, name)), _) => name,
            (None, Some(to)) => self.name_of(to)?,
            (None, None) => return Err(Refusal::NoSuchUser(wanted)),
        };
        if self.directory.has_blocked(name.key(), from.key()) {
            return Err(Refusal::BlockedBy(name));
        }
        let text = Text::parse(text, self.limits.message_bytes).map_err(Refusal::BadText)?;
        self.take_message(now, conn)?;
        let bytes = text.as_str().len();
        self.note(TalkFact::Whispered { from, to: name, bytes });
        self.note_body(|| TalkFact::WhisperedText { from, to: name, text: text.clone() });
        let at_ms = now.wall_ms;
        if let Some((to, to_name)) = account {
            let most = self.limits.letters;
            let job = StoreJob::Keep { to, from, text: text.clone(), at_ms, most };
            let draft = Draft { from, to, to_name, text, at_ms };
            return self.ask_store(Waiting::Keep { request, draft }, job);
        }
        if let Some(to) = online {
            let event = Event::Whispered { from, text, at: at_ms, letter: None };
            self.effects.push_back(Effect::Tell { conn: to, by: Some(conn), event });
        }
        Ok(Some(Reply::heard(1)))
    }

    /// The store has kept a letter, or not.
    pub(super) fn on_kept(&mut self, request: Request, draft: Draft, outcome: &StoreOutcome) {
        let user = draft.to_name;
        let online = self.users.get(&user.key()).copied();
        let answer = match outcome {
            StoreOutcome::Kept(letter) => {
                let online = online.is_some_and(|to| self.tell_kept(request, to, draft, *letter));
                Ok(Reply::Kept { user, online })
            }
            StoreOutcome::Full => Err(Refusal::MailboxFull { user, limit: self.limits.letters }),
            StoreOutcome::NoAccount => Err(Refusal::NoSuchUser(user)),
            outcome => {
                let refusal = self.store_refusal(outcome);
                match online.filter(|_| !self.is_deaf(&draft)) {
                    // It needs no disk to be heard by somebody who is here.
                    Some(to) if self.is_of(to, draft.to) => {
                        let Draft { from, text, at_ms: at, .. } = draft;
                        let event = Event::Whispered { from, text, at, letter: None };
                        let by = Some(request.conn);
                        self.effects.push_back(Effect::Tell { conn: to, by, event });
                        Ok(Reply::heard(1))
                    }
                    _ => Err(refusal),
                }
            }
        };
        self.answer_late(request, answer);
    }

    /// Tells a letter that has just been kept, if its receiver has heard all before it. Says
    /// whether the receiver is here.
    fn tell_kept(&mut self, request: Request, to: ConnId, draft: Draft, letter: LetterId) -> bool {
        let Some(mut letters) = self.letters_of(to).filter(|_| self.is_of(to, draft.to)) else {
            return false;
        };
        if letters.asked || letters.more {
            // The store did this before it will read them: it is among those that come.
            return true;
        }
        letters.read = letter;
        let is_deaf = self.is_deaf(&draft);
        let Draft { from, text, at_ms: at, .. } = draft;
        if !is_deaf {
            letters.told = letter;
            let event = Event::Whispered { from, text, at, letter: Some(letter) };
            self.effects.push_back(Effect::Tell { conn: to, by: Some(request.conn), event });
        }
        self.set_letters(to, letters);
        true
    }

    /// Asks for the next letters of somebody who has an account.
    pub(super) fn ask_letters(&mut self, conn: ConnId) {
        let Ok(user) = self.user_of(conn) else { return };
        let Some(account) = user.account else { return };
        // As many as fit well below the mark from which its requests would wait.
        let letter_bytes = 2 * self.limits.message_bytes + 256;
        let most = (self.limits.output_soft_bytes / 2 / letter_bytes).clamp(1, LETTERS_AT_ONCE);
        let after = user.letters.read;
        self.set_letters(conn, Letters { asked: true, more: false, ..user.letters });
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let waiting = Waiting::Letters { conn, serial: user.serial };
        self.submit_store(waiting, StoreJob::Letters { account, after, most });
    }

    /// The store has read some letters, or could not. They are for the session that asked, and the
    /// connection may have begun another one since.
    pub(super) fn on_letters(
        &mut self,
        now: Now,
        (conn, serial): (ConnId, u64),
        outcome: StoreOutcome,
    ) {
        let Ok(user) = self.user_of(conn) else { return };
        if user.serial != serial {
            return;
        }
        let mut state = Letters { asked: false, ..user.letters };
        let StoreOutcome::Letters { letters, more } = outcome else {
            self.store_refusal(&outcome);
            self.set_letters(conn, Letters { more: true, ..state });
            self.retries.push_back((now.after(LETTERS_RETRY), conn));
            return;
        };
        state.more = more;
        for Letter { id, from, text, at_ms: at } in letters {
            state.read = id;
            if self.directory.has_blocked(user.name.key(), from.key()) {
                continue;
            }
            state.told = id;
            let event = Event::Whispered { from, text, at, letter: Some(id) };
            self.tell(conn, event);
        }
        self.set_letters(conn, state);
        if state.told <= state.arrived {
            // All of them were of people who are blocked.
            self.confirm_letters(conn, state.told);
        }
    }

    /// A client has all letters up to this one, and need not be told them again.
    pub(super) fn got(&mut self, conn: ConnId, letter: LetterId) -> Answer {
        self.confirm_letters(conn, letter);
        Ok(Some(Reply::Done))
    }

    /// A connection that cannot confirm letters has been sent all up to this one; its session may
    /// be over by then.
    pub fn letters_arrived(&mut self, conn: ConnId, account: AccountId, letter: LetterId) {
        // A later login on the connection has not been told it.
        let told = self.letters_of(conn).is_some_and(|letters| letter <= letters.told);
        if told && self.is_of(conn, account) {
            return self.confirm_letters(conn, letter);
        }
        self.submit_store(Waiting::Arrived, StoreJob::Arrived { account, up_to: letter });
    }

    /// Whose letters a connection is told.
    #[must_use]
    pub fn account_of(&self, conn: ConnId) -> Option<AccountId> {
        self.user_of(conn).ok()?.account
    }

    /// A connection has all letters up to this one: they are forgotten, and more are asked for.
    fn confirm_letters(&mut self, conn: ConnId, letter: LetterId) {
        let Ok(user) = self.user_of(conn) else { return };
        let Some(account) = user.account else { return };
        let mut letters = user.letters;
        let letter = letter.min(letters.told);
        // Behind the last one told there may be some that were passed over.
        let all = letter == letters.told;
        let up_to = if all { letters.read } else { letter };
        if up_to > letters.arrived {
            letters.arrived = up_to;
            self.set_letters(conn, letters);
            self.submit_store(Waiting::Arrived, StoreJob::Arrived { account, up_to });
        }
        if all && letters.more && !letters.asked {
            self.ask_letters(conn);
        }
    }

    /// Asks again for letters that the store could not read.
    pub(super) fn retry_letters(&mut self, now: Now) {
        while let Some(&(due_ms, conn)) = self.retries.front() {
            if due_ms > now.mono_ms {
                break;
            }
            self.retries.pop_front();
            if self.letters_of(conn).is_some_and(|letters| letters.more && !letters.asked) {
                self.ask_letters(conn);
            }
        }
    }

    /// Whether the receiver of a letter has blocked its writer in the meantime.
    fn is_deaf(&self, draft: &Draft) -> bool {
        self.directory.has_blocked(draft.to_name.key(), draft.from.key())
    }

    /// Whether a connection belongs to an account.
    fn is_of(&self, conn: ConnId, account: AccountId) -> bool {
        self.user_of(conn).is_ok_and(|user| user.account == Some(account))
    }

    fn letters_of(&self, conn: ConnId) -> Option<Letters> {
        self.user_of(conn).ok().map(|user| user.letters)
    }

    fn set_letters(&mut self, conn: ConnId, letters: Letters) {
        let state = self.session_mut(conn).map(|session| &mut session.state);
        if let Some(State::Named { user } | State::InRoom { user, .. }) = state {
            user.letters = letters;
        }
    }
}
