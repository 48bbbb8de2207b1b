//! A timer with the clock's full precision: the poller's own timeout counts in milliseconds, and
//! a message that is due in between would be late by up to one, which a run at a fixed rate would
//! blame on the server.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// A timer that makes the poller return.
pub(super) struct Timer(OwnedFd);

impl Timer {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Rings once, that many nanoseconds from now; earlier orders are forgotten. Each ring is an
    /// edge of its own, so nobody has to read it.
    pub(super) fn wake_in(&mut self, ns: u64) {
        const SECOND_NS: u64 = 1_000_000_000;
        // Zero would disarm it.
        let ns = ns.max(1);
        let at = Timespec { tv_sec: (ns / SECOND_NS) as i64, tv_nsec: (ns % SECOND_NS) as i64 };
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let order = Itimerspec { it_interval: never, it_value: at };
        // It cannot fail with a sound time; and if it did, the turn's own timeout wakes the loop.
        let _ = timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &order);
    }
}
