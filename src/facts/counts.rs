//! The numbers of a running server, as a report tells them.

use serde::Serialize;

/// How many there are of everything now, and of some things since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// What the engine counts.
    #[serde(flatten)]
    pub engine: Stats,
    /// Lines that the log lacks, since the start.
    pub log_lines_dropped: u64,
    /// How long the turns of the loop were.
    #[serde(flatten)]
    pub turns: TurnCounts,
    /// Memory that is resident now, and the most that ever was, where the system tells it.
    #[serde(flatten)]
    pub memory: Option<MemoryCounts>,
}

/// Of a running engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Connections held now.
    pub connections: usize,
    /// Users logged in now.
    pub users: usize,
    /// Rooms now.
    pub rooms: usize,
    /// Upload slots in use now.
    pub uploads: usize,
    /// Bytes that wait for connections to take them.
    pub output_bytes: u64,
    /// Requests handled since the start.
    pub requests: u64,
    /// Events put into outboxes since the start.
    pub deliveries: u64,
    /// Connections cut because they read too slowly, since the start.
    pub cut: u64,
}

/// Of the turns of the loop. Processor time is what the machine's other work cannot lengthen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TurnCounts {
    /// Turns since the start.
    pub turns: u64,
    /// The longest, in nanoseconds.
    pub longest_turn_ns: u64,
    /// Processor time of the longest in that, in nanoseconds.
    pub longest_turn_cpu_ns: u64,
    /// Turns of more than 10 ms.
    pub turns_over_10ms: u64,
    /// Turns of more than 10 ms of processor time.
    pub turns_over_10ms_cpu: u64,
}

/// Of the process's memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemoryCounts {
    /// What is resident now.
    pub memory_bytes: u64,
    /// The most that ever was.
    pub memory_peak_bytes: u64,
}
