//! Files: on their way here, here, and on their way out.
//!
//! Knows no bytes. What each file of the room holds, its name says; the rules are written there.

mod announce;
mod offers;
mod pattern;
mod queue;
mod receiving;
mod removal;
mod sight;
mod slots;
mod stored;
mod sweep;
mod taking;
mod transfer;

pub use queue::{Bounds, UploadQueue};
pub(super) use stored::StoredFiles;
pub use transfer::{Draft, Party, Stage, Upload};

use super::Hub;

impl Hub {
    /// Checks that what is counted agrees with what is there, for tests and the simulation.
    pub(in crate::hub) fn check_files(&self) {
        self.files.check_invariants();
        for (conn, transfer) in &self.downloads {
            assert!(self.user_of(*conn).is_ok(), "a download of somebody gone");
            assert!(self.files.get(*transfer).is_some(), "a download of a file that is gone");
        }
        let draft_halves = self.uploads.iter().filter_map(|upload| upload.draft.partial);
        for id in draft_halves {
            assert!(self.files.halves().all(|half| half.id != id), "half a file is used twice");
        }
    }
}
