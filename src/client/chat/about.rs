//! What a request was for, where its answer does not say so.
//!
//! Knows neither how it is asked nor what follows from the answer. The rule it keeps: all that is
//! needed when the answer comes is in it.

use crate::id::TransferId;
use crate::message::{FileLine, FileName};

/// What a request is about.
#[derive(Debug)]
pub(super) enum About {
    /// The announcement of an upload.
    Announcement,
    /// A download.
    Get(TransferId),
    /// That it is saved.
    Confirm(TransferId),
    /// Withdraw an upload, because somebody here said so.
    Withdraw(TransferId),
    /// No more of a download, for the same reason.
    Stop(TransferId),
    /// It is not wanted at all.
    Reject(TransferId),
    /// Remove it from the server.
    Remove(TransferId),
    /// Find a file, to take it.
    Look(Box<Look>),
    /// Go to the room where the work is to be done.
    Enter,
    /// List files.
    List(Box<Listing>),
    /// What the client does by itself: how it is answered is no news.
    Quiet,
}

/// A list that comes in several replies.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) pattern: Option<String>,
    /// What has come of it.
    pub(super) files: Vec<FileLine>,
}

/// A file that is looked for in the server's list.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) sought: Sought,
    /// Under which name it is to be saved.
    pub(super) local: Option<FileName>,
    /// The best that was found so far.
    pub(super) found: Option<FileLine>,
}

/// By what it is looked for.
#[derive(Debug)]
pub(super) enum Sought {
    /// This one.
    Number(TransferId),
    /// The newest of this name; if there is none, by the rest of it and a local name.
    Name { name: String, splits: bool },
}
