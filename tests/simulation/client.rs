//! One client: what it has asked, what it has been told, and whether the two fit.

use std::collections::{BTreeSet, VecDeque};

use parlor::front::native;
use parlor::id::{ConnId, LetterId, Source};
use parlor::message::{Command, Op};

use super::asked::{About, Asked, describe, to_line};
use super::hands::Hands;
use super::oracle::Oracle;
use super::store::Store;
use super::stream::{Heard, Stream, Yes};
use super::vault::{Shown, Vault};

/// How a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    Healthy,
    Slow,
    /// It never reads.
    Dead,
    /// Its cable is cut: it neither sends nor reads, and nobody is told.
    HalfOpen,
}

/// When a client says that letters have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirms {
    AtOnce,
    Late,
    Never,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) native: bool,
    pub(crate) habit: Habit,
    /// The name that it wants.
    pub(crate) name: String,
    /// The name that it has.
    pub(crate) user: String,
    pub(crate) source: Source,
    pub(crate) confirms: Confirms,
    /// It says nothing of its own but pings.
    pub(crate) idle: bool,
    /// It lies about files whenever it can.
    pub(crate) liar: bool,
    /// The last letter on this connection, and the last that was confirmed.
    pub(crate) last_letter: u64,
    pub(crate) last_got: u64,
    /// When the login that it has now was asked for.
    login_at: u64,
    /// Whom it has blocked, as far as it was told; it hears nothing of them.
    deaf_to: BTreeSet<String>,
    /// It was logged out against its will, so that chunks under way are refused.
    forced_out: bool,
    /// Bytes written so far, and up to which there is something other than pings.
    written: u64,
    pub(crate) real_end: u64,
    pub(crate) conn: Option<ConnId>,
    /// Written by the client, not yet taken by its kernel.
    pub(crate) unsent: VecDeque<u8>,
    stream: Stream,
    asked: VecDeque<Asked>,
    next_id: u64,
    pub(crate) said: u64,
    pub(crate) has_spoken: bool,
    pub(crate) logged_in: bool,
    pub(crate) in_room: bool,
    pub(crate) bye: Option<String>,
    /// It has sent what ends a connection; it sends nothing more.
    pub(crate) broken: bool,
    pub(crate) asked_exit: bool,
    pub(crate) finished: bool,
    pub(crate) hands: Hands,
    greeted: bool,
    /// Answers that came, for the counts at the end.
    pub(crate) answers: u64,
}

impl Client {
    pub(crate) fn new(native: bool, habit: Habit, name: String) -> Self {
        Self {
            native,
            habit,
            name,
            user: String::new(),
            source: Source::THIS_MACHINE,
            confirms: Confirms::AtOnce,
            idle: false,
            liar: false,
            last_letter: 0,
            last_got: 0,
            login_at: 0,
            deaf_to: BTreeSet::new(),
            forced_out: false,
            written: 0,
            real_end: 0,
            conn: None,
            unsent: VecDeque::new(),
            stream: Stream::default(),
            asked: VecDeque::new(),
            next_id: 0,
            said: 0,
            has_spoken: false,
            logged_in: false,
            in_room: false,
            bye: None,
            broken: false,
            asked_exit: false,
            finished: false,
            hands: Hands::default(),
            greeted: false,
            answers: 0,
        }
    }

    pub(crate) fn may_send(&self) -> bool {
        let silent = self.habit == Habit::HalfOpen
            || self.broken
            || self.finished
            || self.asked_exit
            || self.bye.is_some();
        !silent && self.unsent.len() < 100_000
    }

    pub(crate) fn label(&self) -> String {
        self.conn.map_or_else(String::new, |conn| format!("{conn:?}"))
    }

    /// Who it is and what it waits for.
    pub(crate) fn describe(&self) -> String {
        let first = self.asked.front();
        let (label, habit, user) = (self.label(), self.habit, &self.user);
        format!("{label} {habit:?} {user} {:?} {first:?}", self.bye)
    }

    /// Answers that are still owed.
    pub(crate) fn owed(&self) -> usize {
        self.asked.iter().filter(|asked| !asked.perhaps).count()
    }

    /// Whether something that is no request, and may have no answer, has none yet.
    pub(crate) fn has_nonsense(&self) -> bool {
        self.asked.iter().any(|asked| asked.op.is_none())
    }

    /// What it has taken from its kernel and not understood.
    pub(crate) fn unread(&self) -> Vec<u8> {
        self.stream.bytes.clone()
    }

    pub(crate) fn has_part(&self) -> bool {
        !self.stream.is_empty()
    }

    /// Whether a request of this kind has no answer yet.
    pub(crate) fn awaits(&self, op: Op) -> bool {
        self.asked.iter().any(|asked| asked.op == Some(op))
    }

    /// Whether an undecided login of it shows a token.
    pub(crate) fn shows_token(&self) -> bool {
        let token = |asked: &Asked| matches!(asked.shown, Some((_, Shown::Token(_))));
        self.asked.iter().any(token)
    }

    pub(crate) fn ask(&mut self, command: &Command<'_>, vault: &mut Vault) {
        self.ask_with(command, describe(command), vault);
    }

    /// Asks, with what is to be known when the answer comes.
    pub(super) fn ask_with(&mut self, command: &Command<'_>, asked: Asked, vault: &mut Vault) {
        self.has_spoken = true;
        self.asked_exit |= command.op() == Op::Exit;
        let mut asked = asked;
        asked.at = vault.tick();
        self.note_asked(command, &asked, vault);
        let bytes = if self.native {
            self.next_id += 1;
            asked.id = Some(self.next_id);
            native::emit_request(self.next_id, command).to_vec()
        } else {
            format!("{}\r\n", to_line(command)).into_bytes()
        };
        let real_end = self.real_end;
        self.push(&bytes);
        if command.op() == Op::Ping {
            self.real_end = real_end;
        }
        self.asked.push_back(asked);
        if !self.native && command.op() == Op::Files {
            self.asked.push_back(describe(&Command::Ping));
        }
    }

    /// Whether it has such an upload under way, as far as it knows.
    pub(crate) fn is_at(&self, about: &str) -> bool {
        let asked = |asked: &Asked| matches!(&asked.file, About::Upload(s) if s.about == about);
        self.asked.iter().any(asked)
            || self.hands.sending.values().any(|sending| !sending.ended && sending.about == about)
    }

    /// What must be known before the answer comes.
    fn note_asked(&mut self, command: &Command<'_>, asked: &Asked, vault: &mut Vault) {
        match command {
            Command::Cancel { transfer } => {
                self.hands.cancelled.insert(transfer.0);
            }
            Command::Unblock { user } => {
                self.deaf_to.remove(&user.to_ascii_lowercase());
            }
            Command::Logout { all: false } => self.deaf_to.clear(),
            Command::Passwd { .. } => {
                // It may be answered under a name that is still being asked for.
                vault.note_try(&self.user, self.source);
                for (name, _) in self.asked.iter().filter_map(|asked| asked.shown.as_ref()) {
                    vault.note_try(name, self.source);
                }
            }
            _ => {}
        }
        if let Some((name, Shown::Password(_) | Shown::New)) = &asked.shown {
            vault.note_try(name, self.source);
        }
    }

    /// Sends bytes that are answered with a refusal and no more.
    pub(crate) fn ask_nonsense(&mut self, bytes: &[u8]) {
        self.push(bytes);
        let mut asked = describe(&Command::Ping);
        asked.op = None;
        self.asked.push_back(asked);
    }

    /// Sends bytes that are refused, or come too late to be.
    pub(super) fn ask_perhaps(&mut self, bytes: &[u8]) {
        self.ask_nonsense(bytes);
        if let Some(asked) = self.asked.back_mut() {
            asked.perhaps = true;
        }
    }

    /// Sends bytes that get no answer of their own.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.has_spoken = true;
        self.unsent.extend(bytes);
        self.written += bytes.len() as u64;
        self.real_end = self.written;
    }

    /// Takes what was read from the socket and checks it message by message.
    pub(crate) fn read(&mut self, bytes: &[u8], oracle: &mut Oracle, limits: &Bounds) {
        self.stream.push(bytes);
        while let Some(heard) = self.stream.next(self.native) {
            assert!(self.bye.is_none(), "{} hears {} after goodbye", self.label(), heard.brief());
            if !self.greeted && !matches!(heard, Heard::Bye { .. }) {
                assert_eq!(heard, Heard::Hello, "the greeting comes first");
                self.greeted = true;
                continue;
            }
            self.hear(heard, oracle, limits);
        }
    }

    fn hear(&mut self, heard: Heard, oracle: &mut Oracle, limits: &Bounds) {
        match heard {
            Heard::Hello => panic!("greeted twice"),
            Heard::Answer { id, answer } => self.hear_answer(id, answer, oracle, limits),
            Heard::Line(line) => self.hear_line(&line, oracle),
            Heard::Whispered { line, text, number } => {
                self.hear_whisper(&line, &text, number, oracle);
            }
            Heard::LoggedOut => {
                self.end_login();
                self.forced_out = true;
            }
            Heard::Ping => self.answer_ping(&mut oracle.vault),
            Heard::Bye { reason, missed } => self.hear_bye(reason, missed, oracle),
            heard => self.hear_of_files(heard, oracle, limits),
        }
    }

    fn hear_line(&mut self, line: &str, oracle: &mut Oracle) {
        let by = line.trim_start_matches("* ");
        let by = by.split_once("] ").map_or(by, |(_, rest)| rest.trim_start_matches("* "));
        let by = by.split([' ', ':']).next().unwrap_or_default().to_ascii_lowercase();
        assert!(!self.deaf_to.contains(&by), "{} has blocked {by} and hears {line}", self.user);
        oracle.heard(&self.label(), line);
    }

    fn hear_whisper(
        &mut self,
        line: &str,
        text: &str,
        number: Option<Option<u64>>,
        oracle: &mut Oracle,
    ) {
        if !oracle.post.knows(text) {
            return self.hear_line(line, oracle);
        }
        let by = line.split(' ').next().unwrap_or_default().to_ascii_lowercase();
        assert!(!self.deaf_to.contains(&by), "{} has blocked {by} and hears {line}", self.user);
        let last = &mut self.last_letter;
        oracle.post.read(&self.user, text, number, last, self.login_at);
        if self.confirms == Confirms::AtOnce {
            self.confirm(&mut oracle.vault);
        }
    }

    /// Says that all letters so far have arrived.
    pub(crate) fn confirm(&mut self, vault: &mut Vault) {
        if self.native && self.may_send() && self.last_got < self.last_letter {
            self.last_got = self.last_letter;
            self.ask(&Command::Got { letter: LetterId(self.last_letter) }, vault);
        }
    }

    /// Native clients give a sign of life by themselves.
    fn answer_ping(&mut self, vault: &mut Vault) {
        if self.native && self.may_send() {
            self.ask(&Command::Ping, vault);
        }
    }

    fn end_login(&mut self) {
        (self.logged_in, self.in_room) = (false, false);
        (self.last_letter, self.last_got) = (0, 0);
        self.deaf_to.clear();
        self.end_files();
    }

    /// Whether it was told that it hears nothing of somebody any more.
    pub(super) fn is_deaf_to(&self, user: &str) -> bool {
        self.deaf_to.contains(&user.to_ascii_lowercase())
    }

    fn begin_login(&mut self, asked: &Asked, user: String, token: &str, oracle: &mut Oracle) {
        assert!(!self.logged_in, "{} is logged in twice", self.label());
        let (name, shown) = asked.shown.as_ref().expect("a name was asked for");
        assert!(user.eq_ignore_ascii_case(name), "{name} is welcome as {user}");
        oracle.vault.check_welcome(name, shown, asked.at);
        oracle.vault.note_token(&user, token);
        oracle.note_token(&self.label(), token);
        self.end_login();
        (self.logged_in, self.login_at, self.forced_out) = (true, asked.at, false);
        self.user = user;
    }

    /// The request that is answered: the first, or one behind whispers that wait for the store.
    fn take_asked(&mut self, id: Option<u64>, code: Option<&String>) -> Option<Asked> {
        let of_chunk = code.is_some_and(|code| code == "no_such_transfer" || code == "login_first");
        if id.is_none() && !of_chunk {
            self.asked.retain(|asked| !asked.perhaps);
        }
        if let Some(at) = self.asked.iter().position(|asked| id.is_some() && asked.id == id) {
            // What came before it and is not answered yet never is.
            let mut index = 0;
            self.asked.retain(|asked| {
                index += 1;
                index > at || !asked.perhaps
            });
        }
        let waits = |asked: &&Asked| asked.op == Some(Op::Whisper) && asked.id != id;
        let before = if self.native { self.asked.iter().take_while(waits).count() } else { 0 };
        self.asked.remove(before)
    }

    fn hear_answer(
        &mut self,
        id: Option<u64>,
        answer: Result<Yes, String>,
        oracle: &mut Oracle,
        limits: &Bounds,
    ) {
        if self.native && self.forced_out && id.is_none() && answer == Err("login_first".to_owned())
        {
            return;
        }
        let asked = self.take_asked(id, answer.as_ref().err());
        let asked = asked.unwrap_or_else(|| panic!("{} asked nothing: {answer:?}", self.label()));
        if self.native {
            assert_eq!(asked.id, id, "{} hears {answer:?}", self.label());
        }
        self.answers += 1;
        let yes = match answer {
            Ok(yes) => yes,
            Err(code) if code == "locked_out" => {
                let name = asked.shown.as_ref().map_or(&self.user, |(name, _)| name);
                return oracle.vault.check_locked(name, self.source);
            }
            Err(code) => return self.hear_refused(&code, &asked, oracle),
        };
        self.in_room = (self.in_room || yes == Yes::Joined) && yes != Yes::Left;
        let fits = self.hear_of_account(&yes, &asked, oracle)
            || self.hear_files_answer(&yes, &asked, oracle, limits)
            || matches!(
                (&yes, asked.op.expect("nonsense is refused")),
                (Yes::Joined, Op::Join)
                    | (Yes::Left, Op::Leave)
                    | (Yes::Heard, Op::Say | Op::Whisper | Op::Broadcast)
                    | (Yes::WhoElse, Op::WhoElse)
                    | (Yes::Blocked, Op::Blocked)
                    | (Yes::Rooms, Op::Rooms)
                    | (Yes::Who, Op::Who)
                    | (Yes::Help, Op::Help)
                    | (Yes::Pong, Op::Ping)
                    | (Yes::Done, Op::Hello | Op::Exit | Op::Unblock)
            );
        assert!(fits, "{} asked {:?} and hears {yes:?}", self.label(), asked.op);
    }

    /// An answer about names and letters; says whether it is one and fits its request.
    fn hear_of_account(&mut self, yes: &Yes, asked: &Asked, oracle: &mut Oracle) -> bool {
        match (yes, asked.op.expect("nonsense is refused")) {
            (Yes::Welcome { user, token, in_room }, Op::Login | Op::Register) => {
                self.begin_login(asked, user.clone(), token, oracle);
                self.in_room = *in_room;
            }
            (Yes::PasswordChanged { token }, Op::Passwd) => {
                oracle.vault.note_token(&self.user, token);
            }
            (Yes::LoggedOut, Op::Logout) => {
                self.end_login();
            }
            (Yes::Kept, Op::Whisper) => {
                oracle.post.promised(&asked.about);
            }
            (Yes::Done, Op::Block) => {
                if !self.awaits(Op::Unblock) {
                    self.deaf_to.insert(asked.about.clone());
                }
            }
            (Yes::Done, Op::Got) => {
                let now = oracle.vault.tick();
                oracle.post.confirmed(&self.user, asked.letter, asked.at, now);
            }
            _ => return false,
        }
        true
    }

    fn hear_bye(&mut self, reason: String, missed: u64, oracle: &Oracle) {
        let (lines, messages) = oracle.unheard(&self.label());
        let cut = reason.starts_with("reading too slowly") || reason.contains("too much unread");
        if cut {
            let letters = oracle.letters_for(&self.label());
            let range = messages..=messages + letters;
            assert!(range.contains(&missed), "{} missed {missed}, not {range:?}", self.label());
        } else {
            assert_eq!((lines, missed), (0, 0), "{} lost something: {reason}", self.label());
            assert!(self.broken || self.asked_exit || !reason.starts_with("goodbye"));
        }
        let fault = ["a frame ", "too many empty", "no protocol"];
        if fault.iter().any(|fault| reason.starts_with(fault)) {
            // What was under way when it was logged out may be too long for a stranger.
            let forced = self.forced_out && reason.starts_with("a frame or line");
            assert!(self.broken || forced, "{} is blamed: {reason}", self.label());
        }
        assert!(!reason.starts_with("no login in time") || !self.logged_in);
        self.bye = Some(reason);
    }
}

/// What a client may be told at most.
#[derive(Debug)]
pub(crate) struct Bounds<'a> {
    pub(crate) slots: u64,
    pub(crate) waiting: u64,
    pub(crate) credit: u64,
    pub(crate) disk: &'a Store,
}
