//! PURE. Messages under keys: what was sent and not answered when the connection broke is sent
//! again under the same key, so that it is said once and not lost.
//!
//! Knows no connection; the time and what the server told come in as values. The rule it keeps: a
//! message is sent again only where the server surely still knows its key, in order, and before
//! anything newer; of the others it is told that they were not answered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::front::native::Problem;
use crate::message::{Command, Reply, RoomName, UserName};

/// For how long a key counts as known. Servers know it for a day; what is left of that is for the
/// way there.
const KEY_LIFE: Duration = Duration::from_secs(23 * 60 * 60);
/// Users of whom is remembered that what is whispered to them is kept.
const MAILBOXES_MAX: usize = 1000;
/// How often a message is sent again to a server that is busy.
const TRIES_MAX: u8 = 60;

/// What was sent and not answered, and the keys of what will be sent.
#[derive(Debug)]
pub(super) struct Unanswered {
    seed: u64,
    count: u64,
    /// Asked on this connection, by the number of the request.
    under_way: BTreeMap<u64, Message>,
    /// To be sent again, the oldest first.
    waiting: VecDeque<Message>,
    /// Not before this.
    rests_until: Duration,
    /// Users of whom a server said that it keeps what is whispered to them, in lower case.
    mailboxes: BTreeSet<String>,
}

/// A message, and what decides whether it may be sent again.
#[derive(Debug)]
struct Message {
    number: u64,
    key: String,
    command: Command<'static>,
    asked: Asked,
    /// As it was typed, in short; without that nobody misses it.
    words: Option<String>,
    tries: u8,
}

/// For whom a server remembers a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sender {
    pub(super) user: UserName,
    pub(super) guest: bool,
}

/// When, where and by whom something was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) at: Duration,
    pub(super) by: Option<Sender>,
    /// Which run of the server it was; empty if it did not tell.
    pub(super) run: String,
    /// The current room.
    pub(super) room: Option<RoomName>,
    /// Perhaps it was another one, by something that had no answer yet.
    pub(super) moving: bool,
}

/// How we are back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Back<'a> {
    pub(super) at: Duration,
    pub(super) by: Option<Sender>,
    pub(super) run: &'a str,
    pub(super) room: Option<RoomName>,
    /// How many keys the server remembers for us.
    pub(super) keys: u32,
    /// In rooms that the server has kept. A guest's keys are forgotten with the guest, and so are
    /// the rooms.
    pub(super) replaced: bool,
}

impl Unanswered {
    /// Nothing sent yet; the keys of two clients with two seeds are different.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            count: 0,
            under_way: BTreeMap::new(),
            waiting: VecDeque::new(),
            rests_until: Duration::ZERO,
            mailboxes: BTreeSet::new(),
        }
    }

    /// A message as it is to be asked, under a key; anything else is nothing. It is to be told to
    /// [`Unanswered::begin`].
    pub(super) fn wrap(&mut self, command: &Command<'_>) -> Option<Command<'static>> {
        let message = Box::new(owned(command)?);
        self.count += 1;
        Some(Command::Once { key: format!("{:016x}{:x}", self.seed, self.count).into(), message })
    }

    /// What [`Unanswered::wrap`] answered was asked under this number.
    pub(super) fn begin(&mut self, id: u64, once: Command<'static>, asked: Asked) {
        let Command::Once { key, message } = once else { return };
        let (number, key, command) = (self.count, key.into_owned(), *message);
        let message = Message { number, key, command, asked, words: None, tries: 0 };
        self.under_way.insert(id, message);
    }

    /// It is answered; whether that was all. If not, it will be sent once more.
    pub(super) fn handle_answer(
        &mut self,
        id: u64,
        answer: &Result<Reply, Problem>,
        words: Option<String>,
        now: Duration,
    ) -> bool {
        let Some(mut message) = self.under_way.remove(&id) else { return true };
        match answer {
            Ok(Reply::Kept { user, .. }) if self.mailboxes.len() < MAILBOXES_MAX => {
                self.mailboxes.insert(user.as_str().to_ascii_lowercase());
            }
            Err(problem) if message.is_to_rest(&problem.code) => {
                message.words = words;
                self.rests_until = now + Duration::from_millis(problem.wait_ms.unwrap_or(1000));
                self.wait(message);
                return false;
            }
            Ok(_) | Err(_) => {}
        }
        true
    }

    /// The connection is lost, with all that was asked and not answered there: `asked`, from which
    /// our words are taken.
    pub(super) fn handle_lost(&mut self, asked: &mut BTreeMap<u64, String>) {
        for (id, mut message) in std::mem::take(&mut self.under_way) {
            message.words = asked.remove(&id);
            self.wait(message);
        }
    }

    /// We are back. What may not be sent again is answered, in its words.
    pub(super) fn handle_back(&mut self, back: &Back<'_>) -> Vec<String> {
        self.rests_until = Duration::ZERO;
        let all = std::mem::take(&mut self.waiting);
        let is_sure = |message: &Message| self.is_sure(message, back);
        let (sure, unsure): (Vec<_>, Vec<_>) = all.into_iter().partition(is_sure);
        self.waiting = sure.into();
        unsure.into_iter().filter_map(|message| message.words).collect()
    }

    /// What waited will not be sent. Answers with its words.
    pub(super) fn give_up(&mut self) -> Vec<String> {
        self.waiting.drain(..).filter_map(|message| message.words).collect()
    }

    /// How many wait to be sent again.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When the next one may be sent, if not now.
    pub(super) fn wake_at(&self, now: Duration) -> Option<Duration> {
        let rests = !self.waiting.is_empty() && self.rests_until > now;
        rests.then_some(self.rests_until)
    }

    /// The next one that may be sent again: what to ask, and its words. Its number is to be told
    /// to [`Unanswered::begin_again`] before the next one.
    pub(super) fn next(&self, now: Duration) -> Option<(Command<'static>, Option<String>)> {
        let message = self.waiting.front().filter(|_| self.rests_until <= now)?;
        let (key, words) = (message.key.clone().into(), message.words.clone());
        Some((Command::Once { key, message: Box::new(message.in_its_room()) }, words))
    }

    /// The oldest one that waited is under way again, under this number.
    pub(super) fn begin_again(&mut self, id: u64) {
        if let Some(mut message) = self.waiting.pop_front() {
            message.tries += 1;
            self.under_way.insert(id, message);
        }
    }

    fn wait(&mut self, message: Message) {
        let at = self.waiting.partition_point(|other| other.number < message.number);
        self.waiting.insert(at, message);
    }

    /// Whether the server surely knows the key if it has heard the message.
    fn is_sure(&self, message: &Message, back: &Back<'_>) -> bool {
        let Message { asked, command, number, .. } = message;
        let Some(by) = back.by.filter(|by| asked.by == Some(*by)) else { return false };
        let young = back.at.saturating_sub(asked.at) < KEY_LIFE;
        let same_run = !back.run.is_empty() && asked.run == back.run;
        // Also of letters no more are known. A server that knows no keys knows none of these.
        let newest = number + u64::from(back.keys) > self.count;
        let here = if let Command::Broadcast { .. } = command {
            !asked.moving && asked.room == back.room
        } else if let Command::Say { room: None, .. } = command {
            !asked.moving && asked.room.is_some()
        } else {
            true
        };
        let kept = if let Command::Whisper { user, .. } = command {
            self.mailboxes.contains(&user.to_ascii_lowercase())
        } else {
            false
        };
        let told = same_run && here && (!by.guest || back.replaced);
        young && newest && (told || kept && !by.guest)
    }
}

impl Message {
    /// Whether a message that was sent again is to be sent once more: the server has not decided
    /// about the first one, or does not take so many at once.
    fn is_to_rest(&self, code: &str) -> bool {
        (1..TRIES_MAX).contains(&self.tries) && matches!(code, "busy" | "slow_down")
    }

    /// The same, and said nowhere else than the first time.
    fn in_its_room(&self) -> Command<'static> {
        let mut command = self.command.clone();
        if let Command::Say { room: room @ None, .. } = &mut command {
            *room = self.asked.room.map(|room| room.as_str().to_owned().into());
        }
        command
    }
}

/// The same message, kept longer than its line; nothing of what is none.
fn owned(command: &Command<'_>) -> Option<Command<'static>> {
    let text = |text: &str| text.to_owned().into();
    if let Command::Say { text: said, me, room } = command {
        let room = room.as_deref().map(text);
        Some(Command::Say { text: text(said), me: *me, room })
    } else if let Command::Broadcast { text: said } = command {
        Some(Command::Broadcast { text: text(said) })
    } else if let Command::Whisper { user, text: said } = command {
        Some(Command::Whisper { user: text(user), text: text(said) })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MESSAGE_KEY_MAX;

    const HOUR: Duration = Duration::from_secs(3600);

    fn sender(user: &str) -> Option<Sender> {
        UserName::parse(user).ok().map(|user| Sender { user, guest: false })
    }

    fn asked(room: Option<&str>) -> Asked {
        let room = room.map(|room| RoomName::parse(room).unwrap());
        Asked { at: HOUR, by: sender("alice"), run: "r1".to_owned(), room, moving: false }
    }

    fn back(run: &str) -> Back<'_> {
        let room = RoomName::parse("lobby").ok();
        Back { at: 2 * HOUR, by: sender("alice"), run, room, keys: 256, replaced: false }
    }

    fn whisper(user: &str) -> Command<'_> {
        Command::Whisper { user: user.into(), text: "psst".into() }
    }

    /// Sends, loses the connection, and is back. Answers with how many wait and what is given up.
    fn lost(
        unanswered: &mut Unanswered,
        commands: &[(Command<'_>, Asked)],
        back: &Back<'_>,
    ) -> (usize, Vec<String>) {
        let mut words = BTreeMap::new();
        for (id, (command, asked)) in (1..).zip(commands) {
            let once = unanswered.wrap(command).unwrap();
            unanswered.begin(id, once, asked.clone());
            words.insert(id, id.to_string());
        }
        unanswered.handle_lost(&mut words);
        assert!(words.is_empty());
        let unsure = unanswered.handle_back(back);
        (unanswered.waiting(), unsure)
    }

    fn one(command: Command<'_>, asked: Asked, back: &Back<'_>) -> bool {
        lost(&mut Unanswered::new(7), &[(command, asked)], back).0 == 1
    }

    #[test]
    fn keys_differ_from_message_to_message_and_fit_the_protocol() {
        let mut unanswered = Unanswered { count: u64::MAX - 2, ..Unanswered::new(u64::MAX) };
        let mut keys = BTreeSet::new();
        for _ in 0..2 {
            let Some(Command::Once { key, .. }) = unanswered.wrap(&Command::say("hi")) else {
                panic!("no key");
            };
            assert!(key.len() <= MESSAGE_KEY_MAX, "{key}");
            keys.insert(key.into_owned());
        }
        assert_eq!(keys.len(), 2);
        assert_eq!(unanswered.wrap(&Command::Rooms), None);
    }

    #[test]
    fn what_was_not_answered_goes_again_in_order_under_its_keys_and_in_its_room() {
        let mut unanswered = Unanswered::new(7);
        let commands = [
            (Command::say("one"), asked(Some("lobby"))),
            (whisper("eve"), asked(Some("lobby"))),
            (Command::Broadcast { text: "three".into() }, asked(Some("lobby"))),
        ];
        assert_eq!(lost(&mut unanswered, &commands, &back("r1")), (3, Vec::new()));
        let mut again = Vec::new();
        for id in 1.. {
            let Some((Command::Once { key, message }, words)) = unanswered.next(HOUR) else {
                break;
            };
            assert_eq!(words, Some(id.to_string()));
            unanswered.begin_again(id);
            again.push((key, *message));
        }
        let room = Some("lobby".into());
        let said = Command::Say { text: "one".into(), me: false, room };
        let keys = ["00000000000000071", "00000000000000072", "00000000000000073"];
        let told = keys.map(std::borrow::Cow::from);
        let (again, messages): (Vec<_>, Vec<_>) = again.into_iter().unzip();
        assert_eq!(again, told);
        assert_eq!(messages[0], said);
        assert_eq!(messages[1..], [whisper("eve"), commands[2].0.clone()]);
    }

    #[test]
    fn only_what_the_server_surely_remembers_goes_again() {
        let say = || Command::say("hi");
        let lobby = || asked(Some("lobby"));
        assert!(one(say(), lobby(), &back("r1")));
        assert!(!one(say(), lobby(), &back("r2")), "another run");
        assert!(!one(say(), lobby(), &back("")), "nobody knows which run");
        assert!(!one(say(), lobby(), &Back { at: 24 * HOUR, ..back("r1") }), "nearly a day later");
        assert!(one(say(), lobby(), &Back { at: 24 * HOUR - HOUR / 60, ..back("r1") }));
        assert!(!one(say(), lobby(), &Back { by: sender("bob"), ..back("r1") }), "another user");
        let by = sender("alice").map(|by| Sender { guest: true, ..by });
        assert!(!one(say(), lobby(), &Back { by, ..back("r1") }), "a guest of that name");
        let guest = || Asked { by, ..lobby() };
        assert!(!one(say(), guest(), &Back { by, ..back("r1") }), "a guest who was gone");
        assert!(one(say(), guest(), &Back { by, replaced: true, ..back("r1") }));
        assert!(!one(say(), Asked { moving: true, ..lobby() }, &back("r1")), "in which room?");
        let all = || Command::Broadcast { text: "hi".into() };
        assert!(one(all(), lobby(), &back("r1")));
        assert!(!one(all(), asked(None), &back("r1")), "it was for everybody");
        let mut unanswered = Unanswered::new(7);
        let many: Vec<_> = (0..3).map(|_| (say(), lobby())).collect();
        let two = Back { keys: 2, ..back("r1") };
        assert_eq!(lost(&mut unanswered, &many, &two), (2, vec!["1".to_owned()]));
    }

    /// Eve's is known to be kept.
    fn with_mailbox() -> Unanswered {
        let mut unanswered = Unanswered::new(7);
        let once = unanswered.wrap(&whisper("eve")).unwrap();
        unanswered.begin(9, once, asked(None));
        let user = UserName::parse("Eve").unwrap();
        let kept = Ok(Reply::Kept { user, online: true });
        assert!(unanswered.handle_answer(9, &kept, None, HOUR));
        unanswered
    }

    #[test]
    fn across_a_restart_a_letter_goes_again_and_nothing_else() {
        let mut unanswered = with_mailbox();
        let sent = [
            (whisper("EVE"), asked(None)),
            (whisper("carol"), asked(None)),
            (Command::say("hi"), asked(Some("lobby"))),
        ];
        let told = ["2", "3"].map(str::to_owned).to_vec();
        assert_eq!(lost(&mut unanswered, &sent, &back("r2")), (1, told));
        let letter = |asked, back: &Back<'_>| {
            lost(&mut with_mailbox(), &[(whisper("eve"), asked)], back).0 == 1
        };
        assert!(letter(asked(None), &back("")), "which run it is does not matter");
        let by = sender("alice").map(|by| Sender { guest: true, ..by });
        let guest = Asked { by, ..asked(None) };
        assert!(!letter(guest, &Back { by, ..back("r2") }), "the store knows no guest's keys");
        assert!(!letter(asked(None), &Back { keys: 0, ..back("") }), "it would say it twice");
        let many = [whisper("eve"), whisper("eve")].map(|letter| (letter, asked(None)));
        let one = Back { keys: 1, ..back("r2") };
        assert_eq!(lost(&mut with_mailbox(), &many, &one).1, ["1"], "it knows only the last");
    }

    #[test]
    fn a_server_that_has_not_decided_is_asked_once_more_before_what_is_newer() {
        let mut unanswered = Unanswered::new(7);
        let sent = [(whisper("eve"), asked(None)), (whisper("carol"), asked(None))];
        lost(&mut unanswered, &sent, &back("r1"));
        unanswered.begin_again(1);
        let (code, text) = ("busy".to_owned(), String::new());
        let busy = Err(Problem { code, text, wait_ms: Some(500) });
        let words = Some("1".to_owned());
        assert!(!unanswered.handle_answer(1, &busy, words.clone(), HOUR));
        let at = HOUR + Duration::from_millis(500);
        assert_eq!((unanswered.next(HOUR), unanswered.wake_at(HOUR)), (None, Some(at)));
        assert_eq!(unanswered.next(at).unwrap().1, words, "the older one first");
        assert_eq!(unanswered.give_up(), ["1", "2"]);
    }
}
