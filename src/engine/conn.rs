//! One connection, as the engine knows it: its protocol, its unread tail, its outbox, its life.

use std::time::Duration;

use super::outbox::Outbox;
use super::states::{Messages, Owed, Standing};
use super::strangers::spread;
use crate::front::{Front, Traits};
use crate::id::{AccountId, ConnId, LetterId, Now, Source, after};
use crate::limits::{AWAITED_MAX, Limits, PACE, PACE_STEPS};

/// A connection from `Opened` to the `Close` that the engine asks for.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) id: ConnId,
    /// `None` until the first bytes have told.
    pub(super) front: Option<Front>,
    pub(super) phase: Phase,
    /// Input that could not be handled yet: the beginning of a message, or whole ones for which
    /// there was no budget. Empty, it owns no memory.
    pub(super) tail: Vec<u8>,
    /// How much of the tail is known to hold no end of a message.
    pub(super) scanned: usize,
    pub(super) outbox: Outbox,
    pub(super) source: Source,
    pub(super) opened_ms: u64,
    /// Since when it has had no name.
    pub(super) nameless_ms: u64,
    /// When it last asked for something other than a sign of life, or took a part of a file.
    pub(super) asked_ms: u64,
    pub(super) heard_ms: u64,
    /// Since when the outbox has been over its soft mark.
    pub(super) over_since_ms: Option<u64>,
    /// How it holds up those who speak to it, if it is behind.
    pub(super) pace: Option<Box<Holdup>>,
    pub(super) empty_frames: u8,
    /// How many transfers are being delivered to it.
    pub(super) pulls: u16,
    pub(super) standing: Standing,
    /// The requests whose answers come later.
    pub(super) owed: Owed,
    /// The last letter that was told to a user who cannot confirm it.
    pub(super) unconfirmed: Option<Box<(AccountId, LetterId)>>,
    /// What is in the tail.
    pub(super) messages: Messages,
    // What follows may be true or false whatever the others are.
    /// Asked for a sign of life after a silence, and none has come.
    pub(super) pinged: bool,
    /// Asked for a sign of life because another one wants its name.
    pub(super) probed: bool,
    /// In the list of those to be written.
    pub(super) dirty: bool,
    /// Not read because a user whom it speaks to is slow.
    pub(super) paced: bool,
    /// Its end of the stream has come, perhaps behind messages in the tail.
    pub(super) ended: bool,
    /// The reactor has been told not to read it.
    pub(super) paused: bool,
    /// It came while the server was stopping: nobody waits for its end.
    pub(super) late: bool,
}

/// How a connection that is behind holds up those who speak to it.
#[derive(Debug)]
pub(super) struct Holdup {
    /// Output above this holds them up once more.
    pub(super) mark: usize,
    /// Until when it holds them up.
    pub(super) until_ms: u64,
    /// What it has taken since it last held them up.
    pub(super) taken: usize,
}

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// In use.
    Open,
    /// Said goodbye to; its last words are being written until the deadline.
    Flushing { deadline_ms: u64 },
    /// Last words written and our end closed; the peer may take its time until the deadline, for a
    /// close while it still sends would destroy what it has not read.
    Lingering { deadline_ms: u64 },
}

impl Conn {
    pub(super) fn new(id: ConnId, source: Source, now_ms: u64) -> Self {
        Self {
            id,
            front: None,
            phase: Phase::Open,
            tail: Vec::new(),
            scanned: 0,
            outbox: Outbox::default(),
            source,
            opened_ms: now_ms,
            nameless_ms: now_ms,
            asked_ms: now_ms,
            heard_ms: now_ms,
            over_since_ms: None,
            pace: None,
            empty_frames: 0,
            pulls: 0,
            standing: Standing::Stranger,
            owed: Owed::NOTHING,
            unconfirmed: None,
            messages: Messages::Handled,
            pinged: false,
            probed: false,
            dirty: false,
            paced: false,
            ended: false,
            paused: false,
            late: false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(super) fn is_named(&self) -> bool {
        self.standing == Standing::Named
    }

    /// A user has logged in on it.
    pub(super) fn is_trusted(&self) -> bool {
        self.standing != Standing::Stranger
    }

    /// Counted among those who have not logged in.
    pub(super) fn is_stranger(&self) -> bool {
        self.is_open() && self.standing == Standing::Stranger
    }

    /// Its tail holds messages that wait for their turn.
    pub(super) fn is_stalled(&self) -> bool {
        self.messages != Messages::Handled
    }

    /// Bytes that a cut would free; last words are not cut.
    pub(super) fn droppable_len(&self) -> usize {
        if self.is_open() { self.outbox.droppable_len() } else { 0 }
    }

    /// Output above this: its requests wait until it has read.
    pub(super) fn soft_mark(&self, limits: &Limits) -> usize {
        let mark = if self.is_trusted() {
            limits.output_soft_bytes
        } else {
            limits.output_before_login_bytes / 4
        };
        usize::try_from(mark).unwrap_or(usize::MAX)
    }

    /// Output above this: it is cut.
    pub(super) fn hard_mark(&self, limits: &Limits) -> usize {
        let mark = if self.is_trusted() {
            limits.output_hard_bytes
        } else {
            limits.output_before_login_bytes
        };
        usize::try_from(mark).unwrap_or(usize::MAX)
    }

    /// Notes that it has fallen behind by another step, or has taken one.
    pub(super) fn begin_step(&mut self, now: Now, limits: &Limits) {
        let mark = self.outbox.len() + self.pace_step(limits);
        self.pace = Some(Box::new(Holdup { mark, until_ms: now.after(PACE), taken: 0 }));
    }

    /// Its socket took `n` bytes. It has caught up with its speakers only well below the soft mark,
    /// so that one that stays at the mark does not hold them up again and again.
    pub(super) fn note_taken(&mut self, now: Now, n: usize, limits: &Limits) {
        if self.outbox.len() <= self.soft_mark(limits) {
            self.over_since_ms = None;
        }
        if self.outbox.len() <= self.soft_mark(limits) / 2 {
            self.pace = None;
            return;
        }
        let step = self.pace_step(limits);
        if let Some(pace) = &mut self.pace {
            pace.taken += n;
            if pace.taken >= step {
                self.begin_step(now, limits);
            }
        }
    }

    /// Bytes between two marks at which it holds up those who speak to it.
    pub(super) fn pace_step(&self, limits: &Limits) -> usize {
        self.hard_mark(limits).saturating_sub(self.soft_mark(limits)) / PACE_STEPS
    }

    /// Its stream has ended, and each request in it was answered.
    pub(super) fn has_said_all(&self) -> bool {
        self.is_open() && self.ended && !self.is_stalled() && self.owed.count() == 0
    }

    /// Requests that may be under way at once: without numbers, answers must keep their order.
    fn awaited_max(&self) -> u16 {
        if self.has(|traits| traits.numbers_answers) { AWAITED_MAX } else { 1 }
    }

    /// Whether its requests may be handled now, budgets aside.
    pub(super) fn may_ask(&self, limits: &Limits) -> bool {
        let waits = self.owed.holds_up(self.awaited_max());
        self.is_open() && !self.paced && !waits && self.outbox.len() <= self.soft_mark(limits)
    }

    /// Whether the reactor is to read it. One that is said goodbye to is read, and what it sends
    /// thrown away, so that our end of the stream can be seen by it.
    pub(super) fn wants_reading(&self, limits: &Limits) -> bool {
        !self.ended && (!self.is_open() || (!self.is_stalled() && self.may_ask(limits)))
    }

    /// The next moment at which something may be due, on the monotonic clock.
    pub(super) fn next_deadline_ms(&self, limits: &Limits) -> Option<u64> {
        match self.phase {
            Phase::Flushing { deadline_ms } | Phase::Lingering { deadline_ms } => Some(deadline_ms),
            Phase::Open => {
                let login =
                    (!self.is_named()).then(|| after(self.nameless_ms, limits.login_before));
                let idle = self.has_timeout(limits).then(|| after(self.asked_ms, limits.timeout));
                let first =
                    self.front.is_none().then(|| after(self.opened_ms, limits.first_byte_before));
                let slow = self.over_since_ms.map(|since| after(since, limits.output_soft_wait));
                let silence = if self.pinged { limits.dead_after } else { self.ping_after(limits) };
                let silent = self.has_heartbeat().then(|| after(self.heard_ms, silence));
                [login, idle, first, slow, silent].into_iter().flatten().min()
            }
        }
    }

    /// Silence after which it is asked for a sign of life: up to a quarter before the heartbeat,
    /// by its slot, so that those who came at the same moment are not asked at the same moment.
    pub(super) fn ping_after(&self, limits: &Limits) -> Duration {
        let share = f64::from(spread(self.id.slot)) / f64::from(u32::MAX);
        limits.heartbeat - (limits.heartbeat / 4).mul_f64(share)
    }

    /// Whether it is logged out when it asks for nothing.
    pub(super) fn has_timeout(&self, limits: &Limits) -> bool {
        self.is_named() && !limits.timeout.is_zero()
    }

    /// People with netcat cannot answer a ping; the kernel's keepalive looks after them.
    pub(super) fn has_heartbeat(&self) -> bool {
        self.has(|traits| traits.answers_pings)
    }

    /// Whether its protocol is known and has a trait.
    pub(super) fn has(&self, wanted: fn(Traits) -> bool) -> bool {
        self.front.as_ref().is_some_and(|front| wanted(front.traits()))
    }
}
