//! One client: what it has asked, what it has been told, and whether the two fit.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor::front::native;
use parlor::id::{ConnId, TransferId};
use parlor::message::{Command, Op, Proof, Secret};
use parlor::wire::frame;

use super::oracle::Oracle;
use super::store::content;
use super::stream::{Heard, Stream, Yes};

/// How a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    Healthy,
    Slow,
    Dead,
}

/// A request that has no answer yet. `op` is `None` for what is no request but is answered.
#[derive(Debug)]
struct Asked {
    id: Option<u64>,
    op: Option<Op>,
    size: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Sending {
    pub(crate) size: u64,
    pub(crate) granted: u64,
    pub(crate) sent: u64,
    place: u32,
    pub(crate) admitted: bool,
    pub(crate) ended: bool,
    overrun: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Receiving {
    pub(crate) size: u64,
    pub(crate) got: u64,
    pub(crate) confirmed: bool,
    pub(crate) ended: bool,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) native: bool,
    pub(crate) habit: Habit,
    pub(crate) name: String,
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
    pub(crate) sending: BTreeMap<u32, Sending>,
    pub(crate) receiving: BTreeMap<u32, Receiving>,
    /// What it has accepted, offered or not.
    pub(crate) accepted: BTreeSet<u32>,
    greeted: bool,
    /// Answers that came, for the counts at the end.
    pub(crate) answers: u64,
    pub(crate) chunk_bytes: u64,
}

impl Client {
    pub(crate) fn new(native: bool, habit: Habit, name: String) -> Self {
        Self {
            native,
            habit,
            name,
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
            sending: BTreeMap::new(),
            receiving: BTreeMap::new(),
            accepted: BTreeSet::new(),
            greeted: false,
            answers: 0,
            chunk_bytes: 0,
        }
    }

    pub(crate) fn may_send(&self) -> bool {
        let silent = self.broken || self.finished || self.asked_exit || self.bye.is_some();
        !silent && self.unsent.len() < 100_000
    }

    pub(crate) fn label(&self) -> String {
        self.conn.map_or_else(String::new, |conn| format!("{conn:?}"))
    }

    /// Answers that are still owed.
    pub(crate) fn owed(&self) -> usize {
        self.asked.len()
    }

    pub(crate) fn has_part(&self) -> bool {
        !self.stream.is_empty()
    }

    pub(crate) fn ask(&mut self, command: &Command<'_>) {
        let size = if let Command::SendFile { size, .. } = command { *size } else { 0 };
        self.has_spoken = true;
        self.asked_exit |= command.op() == Op::Exit;
        match command {
            Command::Accept { transfer } => {
                self.accepted.insert(transfer.0);
            }
            Command::Received { transfer } => {
                if let Some(receiving) = self.receiving.get_mut(&transfer.0) {
                    receiving.confirmed = true;
                }
            }
            _ => {}
        }
        let mut id = None;
        if self.native {
            self.next_id += 1;
            id = Some(self.next_id);
            self.unsent.extend(native::emit_request(self.next_id, command));
        } else {
            self.unsent.extend(to_line(command).as_bytes());
            self.unsent.extend(b"\r\n");
        }
        self.asked.push_back(Asked { id, op: Some(command.op()), size });
    }

    /// Sends bytes that are answered with a refusal and no more.
    pub(crate) fn ask_nonsense(&mut self, bytes: &[u8]) {
        self.push(bytes);
        self.asked.push_back(Asked { id: None, op: None, size: 0 });
    }

    /// Sends bytes that get no answer of their own.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.has_spoken = true;
        self.unsent.extend(bytes);
    }

    /// Sends the next `len` bytes of a file; `over` sends them whatever was granted.
    pub(crate) fn send_chunk(&mut self, transfer: u32, len: u64, over: bool) {
        let Some(sending) = self.sending.get_mut(&transfer) else { return };
        let left = sending.granted - sending.sent.min(sending.granted);
        let len = if over { left + 1 } else { len.min(left) };
        sending.overrun |= over;
        let offsets = sending.sent..sending.sent + len;
        sending.sent += len;
        let bytes: Vec<u8> = offsets.map(|offset| content(transfer, offset)).collect();
        let transfer = TransferId(transfer);
        let frame = if self.native {
            frame::emit_chunk(transfer, &bytes)
        } else {
            parlor::front::text::emit_chunk(transfer, &bytes)
        };
        self.unsent.extend(frame);
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
            Heard::Answer { id, answer } => self.hear_answer(id, answer, limits),
            Heard::Line(line) => oracle.heard(&self.label(), &line),
            Heard::Ping => self.answer_ping(),
            Heard::Bye { reason, missed } => self.hear_bye(reason, missed, oracle),
            Heard::Queued { transfer, place, of } => {
                assert!(place <= of && u64::from(of) <= limits.waiting);
                let sending = live(&mut self.sending, transfer);
                assert!(place < sending.place, "{transfer} went back in line");
                sending.place = place;
            }
            Heard::Admitted { transfer, credit } => {
                let sending = live(&mut self.sending, transfer);
                assert!(!sending.admitted, "{transfer} has a slot twice");
                assert!(credit <= sending.size.min(limits.credit));
                (sending.admitted, sending.granted) = (true, credit);
            }
            Heard::Credit { transfer, bytes } => {
                let sending = live(&mut self.sending, transfer);
                sending.granted += bytes;
                assert!(sending.granted <= sending.size, "{transfer} has too much credit");
            }
            Heard::Offered { transfer, from, size } => {
                let known = &oracle.transfers[&transfer];
                assert_eq!((&known.from, known.size), (&from, size), "the offer of {transfer}");
                assert!(known.to.eq_ignore_ascii_case(&self.name), "{transfer} is not for them");
                let receiving = Receiving { size, ..Receiving::default() };
                let before = self.receiving.insert(transfer, receiving);
                assert!(before.is_none(), "{transfer} is offered twice");
            }
            Heard::Ended { transfer, how } => self.hear_ended(transfer, &how, limits),
            Heard::Chunk { transfer, bytes } => self.hear_chunk(transfer, &bytes),
        }
    }

    /// Native clients give a sign of life by themselves.
    fn answer_ping(&mut self) {
        assert!(self.native, "a text client is asked for a sign of life");
        if self.may_send() {
            self.ask(&Command::Ping);
        }
    }

    fn hear_answer(&mut self, id: Option<u64>, answer: Result<Yes, String>, limits: &Bounds) {
        let asked = self.asked.pop_front();
        let asked = asked.unwrap_or_else(|| panic!("{} asked nothing: {answer:?}", self.label()));
        if self.native {
            assert_eq!(asked.id, id, "{} hears {answer:?}", self.label());
        }
        self.answers += 1;
        let Ok(yes) = answer else { return };
        self.in_room = (self.in_room || yes == Yes::Joined) && yes != Yes::Left;
        let fits = match (&yes, asked.op.expect("nonsense is refused")) {
            (Yes::Welcome, Op::Login) => {
                self.logged_in = true;
                true
            }
            (Yes::Announced { transfer, place }, Op::SendFile) => {
                assert!(u64::from(*place) <= limits.waiting, "place {place}");
                let place = if *place == 0 { 0 } else { *place };
                let sending = Sending { size: asked.size, place, ..Sending::default() };
                self.sending.insert(*transfer, sending).is_none()
            }
            (Yes::Queue { slots, used, waiting }, Op::Queue) => {
                assert_eq!(*slots, limits.slots);
                used <= slots && *waiting <= limits.waiting
            }
            (Yes::Joined, Op::Join)
            | (Yes::Left, Op::Leave)
            | (Yes::Heard, Op::Say | Op::Whisper)
            | (Yes::Rooms, Op::Rooms)
            | (Yes::Who, Op::Who)
            | (Yes::Help, Op::Help)
            | (Yes::Pong, Op::Ping)
            | (
                Yes::Done,
                Op::Hello | Op::Exit | Op::Accept | Op::Reject | Op::Received | Op::Cancel,
            ) => true,
            _ => false,
        };
        assert!(fits, "{} asked {:?} and hears {yes:?}", self.label(), asked.op);
    }

    fn hear_ended(&mut self, transfer: u32, how: &str, limits: &Bounds) {
        let sent = self.sending.get_mut(&transfer);
        let received = self.receiving.get_mut(&transfer);
        assert!(sent.is_some() || received.is_some(), "{transfer} is none of {}", self.name);
        if let Some(sending) = sent {
            assert!(!std::mem::replace(&mut sending.ended, true), "{transfer} ended twice");
            assert_eq!(
                how.starts_with("more bytes"),
                sending.overrun && how.starts_with("more bytes")
            );
        }
        if let Some(receiving) = received {
            assert!(!std::mem::replace(&mut receiving.ended, true), "{transfer} ended twice");
            assert!(how != "delivered" || receiving.confirmed, "{transfer} was never confirmed");
        }
        let failed = how.contains("could not store");
        assert!(!failed || limits.troubled.contains(&transfer), "{transfer}: no job failed");
    }

    fn hear_chunk(&mut self, transfer: u32, bytes: &[u8]) {
        let receiving = self.receiving.get_mut(&transfer);
        let receiving = receiving.unwrap_or_else(|| panic!("{transfer} was never offered"));
        assert!(self.accepted.contains(&transfer), "{transfer} comes unasked");
        for &byte in bytes {
            assert_eq!(byte, content(transfer, receiving.got), "{transfer} at {}", receiving.got);
            receiving.got += 1;
        }
        self.chunk_bytes += bytes.len() as u64;
        assert!(receiving.got <= receiving.size, "{transfer} is longer than announced");
    }

    fn hear_bye(&mut self, reason: String, missed: u64, oracle: &Oracle) {
        let (lines, messages) = oracle.unheard(&self.label());
        let cut = reason.starts_with("reading too slowly") || reason.starts_with("too much unread");
        if cut {
            assert_eq!(missed, messages, "{} missed another number", self.label());
        } else {
            assert_eq!((lines, missed), (0, 0), "{} lost something: {reason}", self.label());
            assert!(self.broken || self.asked_exit || !reason.starts_with("goodbye"));
        }
        let fault = ["a frame ", "too many empty", "no protocol"];
        if fault.iter().any(|fault| reason.starts_with(fault)) {
            assert!(self.broken, "{} is blamed: {reason}", self.label());
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
    /// Transfers of which a job has failed.
    pub(crate) troubled: &'a BTreeSet<u32>,
}

fn live(sending: &mut BTreeMap<u32, Sending>, transfer: u32) -> &mut Sending {
    let sending = sending.get_mut(&transfer);
    let sending = sending.unwrap_or_else(|| panic!("news of {transfer}, which is not theirs"));
    assert!(!sending.ended, "news of {transfer} after its end");
    sending
}

/// A command as a person types it.
fn to_line(command: &Command<'_>) -> String {
    match command {
        Command::Hello { .. } | Command::Help => "/help".to_owned(),
        Command::Login { user, proof: Proof::Password(Secret(password)) } => {
            format!("/login {user} {password}")
        }
        Command::Login { user, .. } => format!("/login {user}"),
        Command::Register { user, password: Secret(password) } => {
            format!("/register {user} {password}")
        }
        Command::Passwd { old: Secret(old), new: Secret(new) } => format!("/passwd {old} {new}"),
        Command::Logout => "/logout".to_owned(),
        Command::Broadcast { text } => format!("/broadcast {text}"),
        Command::Got { letter } => format!("/got {}", letter.0),
        Command::WhoElse { within_s: None } => "/whoelse".to_owned(),
        Command::WhoElse { within_s: Some(seconds) } => format!("/whoelsesince {seconds}"),
        Command::Block { user } => format!("/block {user}"),
        Command::Unblock { user } => format!("/unblock {user}"),
        Command::Blocked => "/blocked".to_owned(),
        Command::Join { room } => format!("/JOIN {room}"),
        Command::Leave => "/leave".to_owned(),
        Command::Say { text, me: true } => format!("/me {text}"),
        Command::Say { text, me: false } if text.len() % 2 == 0 => text.to_string(),
        Command::Say { text, me: false } => format!("/say {text}"),
        Command::Whisper { user, text } => format!("/whisper {user} {text}"),
        Command::Rooms => "/rooms".to_owned(),
        Command::Who { room: None } => "/who".to_owned(),
        Command::Who { room: Some(room) } => format!("/who {room}"),
        Command::Queue => "/queue".to_owned(),
        Command::Ping => "/ping".to_owned(),
        Command::Exit => "/exit".to_owned(),
        Command::SendFile { user, name, size } => format!("/sendfile {name} {user} {size}"),
        Command::Accept { transfer } => format!("/accept {transfer}"),
        Command::Reject { transfer } => format!("/reject {transfer}"),
        Command::Received { transfer } => format!("/received {transfer}"),
        Command::Cancel { transfer } => format!("/cancel {transfer}"),
    }
}
