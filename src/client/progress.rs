//! PURE. How far a file is, for lines and for bars.
//!
//! Knows no transfers and no clock: bytes and times come in as values. The rule it keeps: a line is
//! due at each quarter, and never twice within a second.

use std::fmt;
use std::time::Duration;

use crate::id::TransferId;
use crate::limits::{GIB, KIB, MIB};
use crate::message::{FileName, visible};

/// How long a rate is measured before it counts, and the least time between two lines.
const SECOND: Duration = Duration::from_secs(1);

/// Which way a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// From here to the server.
    Up,
    /// From the server to here.
    Down,
}

/// What is being done about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileState {
    /// It waits here: for others of ours, for the connection, or to be asked again.
    Waiting,
    /// It is read here, to know its hash or how much of it is here.
    Hashing,
    /// It waits on the server.
    Queued {
        /// Its place, from 1; 0 when it is not known.
        place: u32,
        /// How long the line is; 0 when it is not known.
        of: u32,
        /// For how long it has waited.
        since: Duration,
    },
    /// Its bytes go or come.
    Moving,
    /// All of it was sent; the server checks it and puts it on its disk.
    Finishing,
    /// A file of its name is here and is compared with it.
    Verifying,
}

/// How far one file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Its number, once it has one.
    pub(super) transfer: Option<TransferId>,
    /// Its name; not made visible yet.
    pub(super) name: String,
    /// Which way it goes.
    pub(super) direction: Direction,
    /// What is being done about it.
    pub(super) state: FileState,
    /// Bytes that are done, those of earlier tries included; while it is hashed, bytes that are
    /// hashed.
    pub(super) done: u64,
    /// Its size in bytes.
    pub(super) total: u64,
    /// Bytes per second; 0 when it is not known.
    pub(super) rate: u64,
    /// How long it will take at that rate.
    pub(super) left: Option<Duration>,
}

impl fmt::Display for Progress {
    /// As it stands behind `* transfer 7: `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", visible(&self.name))?;
        match self.state {
            FileState::Waiting => f.write_str("waits"),
            FileState::Hashing => f.write_str("hashing"),
            FileState::Queued { place: 0, .. } => f.write_str("queued"),
            FileState::Queued { place, of, since } => {
                write!(f, "queued {}", ordinal(place))?;
                if of > 0 {
                    write!(f, " of {of}, {} s", since.as_secs())?;
                }
                Ok(())
            }
            FileState::Moving => {
                write!(f, "{} % of {}", percent(self.done, self.total), size(self.total))?;
                if let Some(left) = self.left {
                    write!(f, ", {}/s, {} s left", size(self.rate), ceil_secs(left))?;
                }
                Ok(())
            }
            FileState::Finishing => f.write_str("is all sent"),
            FileState::Verifying => f.write_str("is compared with the one that is here"),
        }
    }
}

/// How fast a file moves, and when to say so.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    /// Where the present measurement began.
    from: (Duration, u64),
    /// Bytes per second, once a second was measured.
    measured: Option<u64>,
    rate: u64,
    /// Quarters that are passed and were told or need not be.
    quarters: u64,
    told_at: Duration,
}

impl Meter {
    /// It begins to move, with so many bytes done.
    pub(super) fn start(&mut self, now: Duration, done: u64, total: u64) {
        let quarters = quarters(done, total);
        *self = Self { from: (now, done), measured: None, rate: 0, quarters, told_at: now };
    }

    /// So many bytes are done now. Answers whether that is worth a line.
    pub(super) fn moved(&mut self, now: Duration, done: u64, total: u64) -> bool {
        let (since, from) = self.from;
        let time = now.saturating_sub(since);
        let bytes = done.saturating_sub(from);
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let here = bytes.saturating_mul(1000).checked_div(ms).unwrap_or(0);
        if time >= SECOND {
            self.measured = Some(self.measured.map_or(here, |before| before / 2 + here / 2));
            self.from = (now, done);
        }
        self.rate = self.measured.unwrap_or(here);
        let passed = quarters(done, total);
        let due =
            passed > self.quarters && done < total && now.saturating_sub(self.told_at) >= SECOND;
        if due {
            (self.quarters, self.told_at) = (passed, now);
        }
        due
    }

    /// How far a file of this name is: what is being done, and how much of how many bytes.
    pub(super) fn progress(
        &self,
        transfer: Option<TransferId>,
        name: &FileName,
        direction: Direction,
        (state, done): (FileState, u64),
        total: u64,
    ) -> Progress {
        let moves = state == FileState::Moving;
        let (rate, left) = if moves { self.rate(total.saturating_sub(done)) } else { (0, None) };
        let name = name.as_str().to_owned();
        Progress { transfer, name, direction, state, done, total, rate, left }
    }

    /// Bytes per second, and how long so many more bytes will take.
    fn rate(&self, left: u64) -> (u64, Option<Duration>) {
        let time = left.saturating_mul(1000).checked_div(self.rate).map(Duration::from_millis);
        (self.rate, time)
    }
}

/// How much of it that is, in whole per cent; all of nothing is 100.
pub(super) fn percent(done: u64, total: u64) -> u64 {
    let percent = u128::from(done) * 100 / u128::from(total.max(1));
    if total == 0 { 100 } else { u64::try_from(percent).unwrap_or(100) }
}

/// Bytes for people: `12.0 MiB`.
pub(super) fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..KIB => return format!("{bytes} bytes"),
        KIB..MIB => (KIB, "KiB"),
        MIB..GIB => (MIB, "MiB"),
        GIB.. => (GIB, "GiB"),
    };
    let tenths = u128::from(bytes) * 10 / u128::from(unit);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

fn quarters(done: u64, total: u64) -> u64 {
    percent(done, total) / 25
}

fn ceil_secs(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

fn ordinal(n: u32) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(state: FileState, done: u64, rate: u64) -> String {
        let total = 12 * MIB;
        let left = (rate > 0).then(|| Duration::from_millis((total - done) * 1000 / rate));
        let (name, direction) = ("a\nb.pdf".to_owned(), Direction::Up);
        Progress { transfer: None, name, direction, state, done, total, rate, left }.to_string()
    }

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        let line = at(FileState::Moving, 6 * MIB, 8 * MIB + 100 * KIB);
        assert_eq!(line, "a\\nb.pdf 50 % of 12.0 MiB, 8.0 MiB/s, 1 s left");
        assert_eq!(at(FileState::Moving, 0, 0), "a\\nb.pdf 0 % of 12.0 MiB");
        let queued =
            |place, of| FileState::Queued { place, of, since: Duration::from_millis(4700) };
        assert_eq!(at(queued(3, 7), 0, 0), "a\\nb.pdf queued 3rd of 7, 4 s");
        assert_eq!(at(queued(3, 0), 0, 0), "a\\nb.pdf queued 3rd");
        assert_eq!([1, 2, 11, 12, 22, 101].map(ordinal).join(" "), "1st 2nd 11th 12th 22nd 101st");
    }

    #[test]
    fn sizes_are_short() {
        let told = [0, 1023, 1024, 1536, MIB - 1, 5 * GIB, u64::MAX].map(size);
        let all = "0 bytes|1023 bytes|1.0 KiB|1.5 KiB|1023.9 KiB|5.0 GiB|17179869183.9 GiB";
        assert_eq!(told.join("|"), all);
        assert_eq!((percent(1, 3), percent(0, 0), percent(u64::MAX, u64::MAX)), (33, 100, 100));
    }

    #[test]
    fn a_line_is_due_at_each_quarter_and_not_twice_within_a_second() {
        let mut meter = Meter::default();
        meter.start(Duration::ZERO, 10, 100);
        let mut due = Vec::new();
        for (ms, done) in [
            (500, 30),
            (1000, 31),
            (1500, 55),
            (2100, 56),
            (2200, 76),
            (3200, 77),
            (9000, 99),
            (9900, 100),
        ] {
            if meter.moved(Duration::from_millis(ms), done, 100) {
                due.push(done);
            }
        }
        assert_eq!(due, [31, 56, 77]);
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds_and_the_bytes_of_before_do_not_count() {
        let mut meter = Meter::default();
        meter.start(Duration::from_secs(5), 1000, 10_000);
        assert_eq!(meter.rate(9000), (0, None));
        meter.moved(Duration::from_millis(5500), 2000, 10_000);
        assert_eq!(meter.rate(8000), (2000, Some(Duration::from_secs(4))));
        meter.moved(Duration::from_secs(6), 2000, 10_000);
        assert_eq!(meter.rate(8000).0, 1000);
        meter.moved(Duration::from_secs(7), 5000, 10_000);
        assert_eq!(meter.rate(5000).0, 2000, "the mean of before and now");
    }
}
