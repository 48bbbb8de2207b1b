//! Workers of the simplest kind: a store in memory that does its jobs at once, and hashes that cost
//! nothing.

use parlor::job::{PasswordJob, PasswordOutcome, StoreJob, StoreOutcome};
use parlor::store::Store;

/// Does one job of the store.
pub(crate) fn commit_one(store: &mut impl Store, job: StoreJob) -> StoreOutcome {
    store.commit(&[job]).pop().expect("one job has one outcome")
}

/// Hashes a password, or compares it with what this function made of one.
pub(crate) fn hash(job: &PasswordJob) -> PasswordOutcome {
    match job {
        PasswordJob::Hash { password } => PasswordOutcome::Hash(format!("hash of {password}")),
        PasswordJob::Verify { password, hash }
            if hash.as_deref() == Some(&format!("hash of {password}")) =>
        {
            PasswordOutcome::Right
        }
        PasswordJob::Verify { .. } => PasswordOutcome::Wrong,
    }
}
