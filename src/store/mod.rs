//! I/O. What must last: accounts, blocks, letters and the list of files, in one place and behind
//! one trait.
//!
//! Refuses to know who is online, who may do what, and the content of files. The rules it keeps: an
//! outcome other than `Failed` is made after the change is durable and from nothing else; all jobs
//! of one commit share its fate; and what is read damaged is reported and never handed on.

mod error;
mod generation;
mod jobs;
mod mailboxes;
mod memory;
mod owner;
mod pair;
mod rows;
mod schema;
mod sent;
mod sqlite;
mod voided;
mod worker;

pub use error::StoreError;
pub use memory::Memory;
pub use owner::{Import, Imported};
pub use sqlite::{FILE, Sqlite};
pub use worker::{StoreReport, StoreWorker};

use crate::id::TransferId;
use crate::job::{Catalogue, Directory, StoreJob, StoreOutcome};

/// Where all that must last is kept.
pub trait Store: Send {
    /// All accounts and blocks, as they stand.
    ///
    /// # Errors
    /// Why they cannot be read, for the log.
    fn directory(&mut self) -> Result<Directory, String>;

    /// All files, as they stand. A damaged one is left out, and told among the troubles.
    ///
    /// # Errors
    /// Why they cannot be read, for the log.
    fn files(&mut self) -> Result<Catalogue, String>;

    /// The secret that resume tokens are made with, the same for as long as the store lasts.
    ///
    /// # Errors
    /// Why it cannot be read, for the log.
    fn token_key(&mut self) -> Result<[u8; 32], String>;

    /// Does all jobs in one transaction, in their order, and makes them durable with one sync. The
    /// outcomes are in the order of the jobs; either none or each of them is `Failed`, but for a
    /// file whose number is taken, which fails alone.
    fn commit(&mut self, jobs: &[StoreJob]) -> Vec<StoreOutcome>;

    /// Whether somebody else may have changed the accounts since the directory was last read. What
    /// was committed here does not count.
    ///
    /// # Errors
    /// Why that cannot be told, for the log.
    fn is_changed(&mut self) -> Result<bool, String>;

    /// What the owner should know of and has not been told yet; one line each.
    fn troubles(&mut self) -> Vec<String>;
}

/// Whether a job may change something.
const fn writes(job: &StoreJob) -> bool {
    match job {
        StoreJob::Create { .. }
        | StoreJob::SetHash { .. }
        | StoreJob::Revoke { .. }
        | StoreJob::Void(_)
        | StoreJob::Block { .. }
        | StoreJob::Unblock { .. }
        | StoreJob::Keep { .. }
        | StoreJob::AddFile(_)
        | StoreJob::RemoveFile { .. }
        | StoreJob::Arrived { .. } => true,
        StoreJob::Letters { .. } => false,
    }
}

/// There is a file of that number, and not this one.
fn taken(transfer: TransferId) -> StoreOutcome {
    StoreOutcome::Failed(format!("file {transfer} is there already and is not written over"))
}

#[cfg(test)]
mod tests;
