//! Messages to accounts: kept in the store first, then told, forgotten when they have arrived.
//!
//! Knows that the store does its jobs in order. The rules it keeps (invariant 6): the sender is
//! told "kept" from the store's completion and from nothing else; what is kept is told in the order
//! of its numbers, to each session of its receiver, and again to the next one until one of them has
//! confirmed it; a user who was blocked in the meantime is not heard.

use std::borrow::Cow;

use super::Post;
use crate::facts::TalkFact;
use crate::hub::once::Once;
use crate::hub::people::Mailbox;
use crate::hub::{Answer, Effect, Request, Waiting};
use crate::id::{AccountId, ConnId, LetterId, Now};
use crate::job::{Letter, StoreJob, StoreOutcome};
use crate::limits::{LETTERS_AT_ONCE, LETTERS_RETRY};
use crate::message::{Event, Refusal, Reply, Text, UserName};

/// A letter on its way into the store.
#[derive(Clone, Debug)]
pub(in crate::hub) struct LetterDraft {
    from: UserName,
    to: AccountId,
    to_name: UserName,
    text: Text,
    at_ms: u64,
    once: Option<Once>,
}

impl Post<'_> {
    pub(in crate::hub) fn whisper(
        &mut self,
        now: Now,
        request: Request,
        (user, text): (&str, Cow<'_, str>),
        once: Option<Once>,
    ) -> Result<Answer, Refusal> {
        let conn = request.conn;
        let from = self.people.name_of(conn)?;
        let wanted = UserName::parse(user).map_err(Refusal::BadUserName)?;
        let account =
            self.people.directory.find(wanted.key()).map(|account| (account.id, account.name));
        let online = self.people.session_of(wanted.key());
        if wanted.key() == from.key() {
            return Err(Refusal::ToYourself);
        }
        let name = match (account, online) {
            (Some((_, name)), _) => name,
            (None, Some(to)) => self.people.name_of(to)?,
            (None, None) => return Err(Refusal::NoSuchUser(wanted)),
        };
        if self.people.directory.has_blocked(name.key(), from.key()) {
            return Err(Refusal::BlockedBy(name));
        }
        let text = Text::parse(text, self.rules.limits.message_bytes).map_err(Refusal::BadText)?;
        self.pace.take(now, self.people.payer(conn))?;
        let bytes = text.as_str().len();
        self.out.note(TalkFact::Whispered { from, to: name, bytes });
        self.out.note_body(|| TalkFact::WhisperedText { from, to: name, text: text.clone() });
        let at_ms = now.wall_ms;
        if let Some((to, to_name)) = account {
            let most = self.rules.limits.letters;
            let writer = self.people.user_of(conn)?.account;
            let key = once.and_then(|(_, key)| Some((writer?, key)));
            let job = StoreJob::Keep { to, from, text: text.clone(), at_ms, most, once: key };
            let draft = LetterDraft { from, to, to_name, text, at_ms, once };
            return self.out.ask_store(Waiting::Keep { request, draft }, job);
        }
        self.tell_own(conn, (from, name), &text, at_ms);
        self.tell_unkept(conn, (from, name), &text, at_ms);
        Ok(Answer::Now(Reply::heard(1)))
    }

    /// The store has kept a letter, or not.
    pub(in crate::hub) fn on_kept(
        &mut self,
        request: Request,
        draft: LetterDraft,
        outcome: &StoreOutcome,
    ) {
        let (user, once) = (draft.to_name, draft.once);
        let is_here = self.sessions_of(&draft).next().is_some();
        let answer = match outcome {
            StoreOutcome::Kept(letter) => {
                self.tell_own(request.conn, (draft.from, user), &draft.text, draft.at_ms);
                for to in self.sessions_of(&draft).collect::<Vec<_>>() {
                    self.tell_kept(request, to, &draft, *letter);
                }
                Ok(Reply::Kept { user, online: is_here })
            }
            // The user who is to have it was told then, or will be told with the others.
            StoreOutcome::KeptBefore => Ok(Reply::Kept { user, online: is_here }),
            StoreOutcome::Full => {
                Err(Refusal::MailboxFull { user, limit: self.rules.limits.letters })
            }
            StoreOutcome::NoAccount => Err(Refusal::NoSuchUser(user)),
            outcome @ (StoreOutcome::Done
            | StoreOutcome::Created(_)
            | StoreOutcome::Exists
            | StoreOutcome::Letters { .. }
            | StoreOutcome::Failed(_)) => {
                let refusal = self.out.store_refusal(outcome);
                if is_here && !self.is_deaf(&draft) {
                    // It needs no disk to be heard by a user who is online.
                    let names = (draft.from, user);
                    self.tell_own(request.conn, names, &draft.text, draft.at_ms);
                    self.tell_unkept(request.conn, names, &draft.text, draft.at_ms);
                    Ok(Reply::heard(1))
                } else {
                    Err(refusal)
                }
            }
        };
        if let Some(once) = once {
            self.sent.end(once, answer.as_ref().ok());
        }
        self.out.answer_late(request, answer);
    }

    /// Tells a session a letter that has just been kept, if it was told all before it.
    fn tell_kept(&mut self, request: Request, to: ConnId, draft: &LetterDraft, letter: LetterId) {
        let Some(mut letters) = self.letters_of(to) else { return };
        if letters.asked || letters.more {
            // The store did this before it will read them: it is among those that come.
            return;
        }
        letters.read = letter;
        if !self.is_deaf(draft) {
            letters.told = letter;
            let event = heard((draft.from, None), &draft.text, draft.at_ms, Some(letter));
            self.out.push(Effect::Tell { conn: to, by: Some(request.conn), event });
        }
        self.set_letters(to, letters);
    }

    /// Tells all sessions of the receiver what is not kept.
    fn tell_unkept(
        &mut self,
        by: ConnId,
        (from, to): (UserName, UserName),
        text: &Text,
        at_ms: u64,
    ) {
        for conn in self.people.sessions_of(to.key()) {
            let event = heard((from, None), text, at_ms, None);
            self.out.push(Effect::Tell { conn, by: Some(by), event });
        }
    }

    /// Tells the other sessions of the writer.
    fn tell_own(&mut self, by: ConnId, (from, to): (UserName, UserName), text: &Text, at_ms: u64) {
        for own in self.people.others_of(by) {
            let event = heard((from, Some(to)), text, at_ms, None);
            self.people.tell_own(self.out, by, own, &event);
        }
    }

    /// Asks for the next letters of a user who has an account.
    pub(in crate::hub) fn ask_letters(&mut self, conn: ConnId) {
        let Ok(user) = self.people.user_of(conn) else { return };
        let Some(account) = user.account else { return };
        // As many as fit well below the mark from which its requests would wait.
        let letter_bytes = 2 * self.rules.limits.message_bytes + 256;
        let most =
            (self.rules.limits.output_soft_bytes / 2 / letter_bytes).clamp(1, LETTERS_AT_ONCE);
        let after = user.letters.read;
        self.set_letters(conn, Mailbox { asked: true, more: false, ..user.letters });
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let waiting = Waiting::Letters { conn, serial: user.serial };
        self.out.submit_store(waiting, StoreJob::Letters { account, after, most });
    }

    /// The store has read some letters, or could not. They are for the session that asked, and the
    /// connection may have begun another one since.
    pub(in crate::hub) fn on_letters(
        &mut self,
        now: Now,
        (conn, serial): (ConnId, u64),
        outcome: StoreOutcome,
    ) {
        let Ok(user) = self.people.user_of(conn) else { return };
        if user.serial != serial {
            return;
        }
        let mut state = Mailbox { asked: false, ..user.letters };
        let StoreOutcome::Letters { letters, more } = outcome else {
            self.out.store_refusal(&outcome);
            self.set_letters(conn, Mailbox { more: true, ..state });
            self.own.retries.push_back((now.after(LETTERS_RETRY), conn));
            return;
        };
        state.more = more;
        for Letter { id, from, text, at_ms: at } in letters {
            state.read = id;
            if self.people.directory.has_blocked(user.name.key(), from.key()) {
                continue;
            }
            state.told = id;
            let event = heard((from, None), &text, at, Some(id));
            self.out.tell(conn, event);
        }
        self.set_letters(conn, state);
        if state.told <= state.arrived {
            // All of them were of people who are blocked.
            self.confirm_letters(conn, state.told);
        }
    }

    /// A client has all letters up to this one, and need not be told them again.
    pub(in crate::hub) fn got(
        &mut self,
        conn: ConnId,
        letter: LetterId,
    ) -> Result<Answer, Refusal> {
        self.confirm_letters(conn, letter);
        Ok(Answer::Now(Reply::Done))
    }

    /// A connection that cannot confirm letters has been sent all up to this one; its session may
    /// be over by then.
    pub(in crate::hub) fn letters_arrived(
        &mut self,
        conn: ConnId,
        account: AccountId,
        letter: LetterId,
    ) {
        // A later login on the connection has not been told it.
        let told = self.letters_of(conn).is_some_and(|letters| letter <= letters.told);
        if told && self.is_of(conn, account) {
            return self.confirm_letters(conn, letter);
        }
        self.out.submit_store(Waiting::Arrived, StoreJob::Arrived { account, up_to: letter });
    }

    /// A connection has all letters up to this one: they are forgotten, and more are asked for.
    fn confirm_letters(&mut self, conn: ConnId, letter: LetterId) {
        let Ok(user) = self.people.user_of(conn) else { return };
        let Some(account) = user.account else { return };
        let mut letters = user.letters;
        let letter = letter.min(letters.told);
        // Behind the last one told there may be some that were passed over.
        let all = letter == letters.told;
        let up_to = if all { letters.read } else { letter };
        if up_to > letters.arrived {
            letters.arrived = up_to;
            self.set_letters(conn, letters);
            self.out.submit_store(Waiting::Arrived, StoreJob::Arrived { account, up_to });
        }
        if all && letters.more && !letters.asked {
            self.ask_letters(conn);
        }
    }

    /// Asks again for letters that the store could not read.
    pub(in crate::hub) fn retry_letters(&mut self, now: Now) {
        while let Some(&(due_ms, conn)) = self.own.retries.front() {
            if due_ms > now.mono_ms {
                break;
            }
            self.own.retries.pop_front();
            if self.letters_of(conn).is_some_and(|letters| letters.more && !letters.asked) {
                self.ask_letters(conn);
            }
        }
    }

    /// Whether the receiver of a letter has blocked its writer in the meantime.
    fn is_deaf(&self, draft: &LetterDraft) -> bool {
        self.people.directory.has_blocked(draft.to_name.key(), draft.from.key())
    }

    /// The sessions of the receiver of a letter.
    fn sessions_of(&self, draft: &LetterDraft) -> impl Iterator<Item = ConnId> {
        let of = self.people.sessions_of(draft.to_name.key());
        of.filter(|&conn| self.is_of(conn, draft.to))
    }

    /// Whether a connection belongs to an account.
    fn is_of(&self, conn: ConnId, account: AccountId) -> bool {
        self.people.user_of(conn).is_ok_and(|user| user.account == Some(account))
    }

    fn letters_of(&self, conn: ConnId) -> Option<Mailbox> {
        self.people.user_of(conn).ok().map(|user| user.letters)
    }

    fn set_letters(&mut self, conn: ConnId, letters: Mailbox) {
        let user = self.people.session_mut(conn).and_then(|session| session.state.user_mut());
        if let Some(user) = user {
            user.letters = letters;
        }
    }
}

/// A message to one user, as the receiver hears it, or with `to` the writer.
fn heard(
    (from, to): (UserName, Option<UserName>),
    text: &Text,
    at: u64,
    letter: Option<LetterId>,
) -> Event {
    Event::Whispered { from, text: text.clone(), at, letter, to, own: false }
}
