//! I/O. The content of files: one worker thread does the jobs, in their order.
//!
//! Knows nothing of who sends what to whom: a file on its way is the number of its transfer, half a
//! file that can be resumed is its owner and a hash, and what is whole is the hash of its content.
//! No name that a client chose is ever on the disk. The rules it keeps: whoever submits a job never
//! waits; each job has exactly one outcome, under the ticket it came with; and what was told to be
//! whole is on the disk, and outlives a loss of power.
//!
//! ```text
//!   temp/NUMBER.part             on its way; gone at the next start
//!   temp/OWNERHEX-WHATHEX.part   on its way, or half a file that waits for the sender
//!   files/HASH                   whole, under the BLAKE3 of its content
//!   files/.store                 which store they belong to
//!   files/.aside/HASH            whole, and no record names it; for a day
//! ```

mod aside;
mod blobs;
mod disk;
mod mark;
mod names;
mod sweep;
mod upload;
mod worker;

pub(crate) use aside::aside;
pub(crate) use disk::Disk;
pub(crate) use mark::{read_mark, write_mark};
pub(crate) use sweep::{Fate, contents, scan, scan_aside};
pub(crate) use worker::{FileReport, FilesWorker};
