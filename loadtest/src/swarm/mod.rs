//! Thousands of clients on one thread: one poll loop, one buffer to read into, one write a
//! connection a turn.
//!
//! Refuses to know what a run is about: it hands what was heard to a [`Script`] and carries what
//! the script answers. The rule it keeps: it never waits for long, and it tells when nothing
//! happened for too long, so every run ends.

mod conn;
mod timer;

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use conn::{Conn, Read, Sources};
use timer::Timer;

use crate::dialect::{Dialect, Heard};
use crate::failure::Failure;

/// How long nothing may happen before a run is given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The longest wait of a turn: how soon an interruption, a deadline or a stall is seen.
const TURN_WAIT: Duration = Duration::from_millis(50);
const SCRATCH_BYTES: usize = 2 << 20;
const TIMER: Token = Token(usize::MAX - 1);

/// What clients do when something happens to them.
pub(crate) trait Script {
    /// A connection is made.
    fn on_connected(&mut self, _swarm: &mut Swarm, _who: usize) {}
    /// The server said something to `who`.
    fn on_heard(&mut self, swarm: &mut Swarm, who: usize, heard: Heard<'_>);
    /// The connection of `who` is over.
    fn on_closed(&mut self, swarm: &mut Swarm, who: usize);
    /// All that was ready has been heard; what is said now still goes out in this turn.
    fn on_turn(&mut self, _swarm: &mut Swarm) {}
}

/// All clients of a run.
pub(crate) struct Swarm {
    /// The language they speak.
    pub(crate) dialect: Dialect,
    target: SocketAddr,
    poll: Poll,
    events: Option<Events>,
    timer: Timer,
    conns: Vec<Conn>,
    dirty: Vec<usize>,
    scratch: Vec<u8>,
    opened: usize,
    sources: Sources,
    begun: Instant,
    now_ns: u64,
    progress_at_ns: u64,
    stop: Arc<AtomicBool>,
}

impl Swarm {
    /// No clients yet; `clients` is how many there can be at once. `stop` is looked at every turn.
    pub(crate) fn new(
        target: SocketAddr,
        dialect: Dialect,
        clients: usize,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        let poll = Poll::new().map_err(Failure::io("make a poller"))?;
        let timer = Timer::new(poll.registry(), TIMER).map_err(Failure::io("make a timer"))?;
        Ok(Self {
            dialect,
            target,
            poll,
            events: Some(Events::with_capacity(1024)),
            timer,
            conns: (0..clients).map(|_| Conn::default()).collect(),
            dirty: Vec::new(),
            scratch: vec![0; SCRATCH_BYTES],
            opened: 0,
            sources: Sources::default(),
            begun: Instant::now(),
            now_ns: 0,
            progress_at_ns: 0,
            stop,
        })
    }

    /// When the last thing happened, in nanoseconds since the swarm was made.
    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Looks at the clock.
    pub(crate) fn refresh_now(&mut self) -> u64 {
        self.now_ns = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.now_ns
    }

    /// Notes that the run continues.
    pub(crate) fn progress(&mut self) {
        self.progress_at_ns = self.now_ns;
    }

    /// How long nothing has happened.
    pub(crate) fn quiet_for(&self) -> Duration {
        Duration::from_nanos(self.now_ns.saturating_sub(self.progress_at_ns))
    }

    /// Begins a connection for `who`; whatever it had before is over.
    pub(crate) fn open(&mut self, who: usize) -> Result<(), Failure> {
        self.open_from(who, None)
    }

    /// The same from an address that this machine has.
    pub(crate) fn open_from(&mut self, who: usize, from: Option<Ipv4Addr>) -> Result<(), Failure> {
        self.opened += 1;
        let Self { conns, poll, target, opened, sources, .. } = self;
        let stream = match from {
            Some(from) => conn::connect(*target, Some((from, 0).into())),
            None => conn::connect_from_some(*target, sources),
        };
        let from = from.map_or_else(String::new, |from| format!(" from {from}"));
        stream
            .and_then(|stream| conns[who].open(poll.registry(), Token(who), stream, *opened))
            .map_err(Failure::io(format!("connect to {target}{from}")))
    }

    /// Ends the connection of `who` at once.
    pub(crate) fn close(&mut self, who: usize) {
        self.conns[who].close();
    }

    /// Says that `who` will send no more.
    pub(crate) fn shut(&mut self, who: usize) {
        self.conns[who].shut();
    }

    /// From now on `who` does not read, or reads again and hears at once what has waited.
    pub(crate) fn set_deaf(&mut self, who: usize, deaf: bool) {
        self.conns[who].deaf = deaf;
    }

    /// Where to put what `who` says; it goes out at the end of the turn.
    pub(crate) fn say(&mut self, who: usize) -> &mut Vec<u8> {
        let conn = &mut self.conns[who];
        if !mem::replace(&mut conn.dirty, true) {
            self.dirty.push(who);
        }
        &mut conn.out
    }

    /// Bytes that `who` has said and the kernel has not taken.
    pub(crate) fn pending(&self, who: usize) -> usize {
        self.conns[who].out.len()
    }

    /// Whether `who` has a connection.
    pub(crate) fn is_open(&self, who: usize) -> bool {
        self.conns[who].is_open()
    }

    /// Makes a turn happen at this time, even when nothing is heard before.
    pub(crate) fn wake_at_ns(&mut self, at_ns: u64) {
        self.timer.wake_in(at_ns.saturating_sub(self.now_ns));
    }

    /// Turns until `done`, or until nothing has happened for [`PATIENCE`].
    pub(crate) fn run_until<S: Script>(
        &mut self,
        script: &mut S,
        doing: &'static str,
        mut done: impl FnMut(&mut S, &mut Self) -> bool,
        state: impl Fn(&S) -> String,
    ) -> Result<(), Failure> {
        self.refresh_now();
        self.progress();
        // The script judges first: it may know a better end than being stalled.
        while !done(script, self) {
            if self.quiet_for() > PATIENCE {
                return Err(Failure::Stalled { doing, state: state(script), patience: PATIENCE });
            }
            self.turn(script)?;
        }
        Ok(())
    }

    /// Waits a little, hears what there is to hear, says what there is to say.
    pub(crate) fn turn(&mut self, script: &mut impl Script) -> Result<(), Failure> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        let mut events = self.events.take().expect("put back below");
        match self.poll.poll(&mut events, Some(TURN_WAIT)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(Failure::io("wait for events")(error));
            }
            Ok(()) | Err(_) => {}
        }
        self.refresh_now();
        for event in &events {
            let who = event.token().0;
            if event.token() == TIMER {
                continue;
            }
            if event.is_writable() {
                self.on_writable(script, who);
            }
            if event.is_readable() || event.is_read_closed() {
                self.read(script, who, event.is_read_closed());
            }
        }
        self.events = Some(events);
        script.on_turn(self);
        self.flush(script);
        Ok(())
    }

    /// Hears all that has come for `who`. A read that did not fill the buffer is the last one,
    /// which saves a system call, unless the end of the stream may stand behind it (`to_end`): that
    /// makes no edge of its own.
    pub(crate) fn read(&mut self, script: &mut impl Script, who: usize, to_end: bool) {
        let mut scratch = mem::take(&mut self.scratch);
        loop {
            let serial = self.conns[who].serial;
            match self.conns[who].read(&mut scratch) {
                Read::Nothing => break,
                Read::Ended => {
                    self.over(script, who);
                    break;
                }
                Read::Bytes { end, more } => {
                    self.refresh_now();
                    self.hear(script, who, serial, &scratch[..end]);
                    if !(more || to_end) || self.conns[who].serial != serial {
                        break;
                    }
                }
            }
        }
        self.scratch = scratch;
    }

    fn hear(&mut self, script: &mut impl Script, who: usize, serial: usize, mut bytes: &[u8]) {
        loop {
            match self.dialect.parse(bytes) {
                Ok(Some((heard, taken))) => {
                    bytes = &bytes[taken..];
                    script.on_heard(self, who, heard);
                    if self.conns[who].serial != serial || !self.conns[who].is_open() {
                        return;
                    }
                }
                Ok(None) => return self.conns[who].keep(bytes),
                Err(_) => return self.over(script, who),
            }
        }
    }

    fn on_writable(&mut self, script: &mut impl Script, who: usize) {
        match self.conns[who].on_writable() {
            Ok(false) => {}
            Ok(true) => script.on_connected(self, who),
            Err(_) => return self.over(script, who),
        }
        let _ = self.say(who);
    }

    fn flush(&mut self, script: &mut impl Script) {
        for who in mem::take(&mut self.dirty) {
            self.conns[who].dirty = false;
            // A connection that cannot be written to may still have last words to be read; its
            // end is seen by the reading.
            if self.conns[who].flush().is_err() {
                self.conns[who].out.clear();
                self.read(script, who, true);
            }
        }
    }

    fn over(&mut self, script: &mut impl Script, who: usize) {
        if self.conns[who].is_open() {
            self.conns[who].close();
            script.on_closed(self, who);
        }
    }
}
