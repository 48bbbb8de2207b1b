//! I/O. The content of files: one worker thread does the jobs, in their order.
//!
//! Knows nothing of who sends what to whom: a file is the number of its transfer. The rule it
//! keeps: whoever submits a job never waits, and each job has exactly one outcome, under the
//! ticket it came with.

mod disk;
mod worker;

pub use disk::Disk;
pub use worker::Worker;
