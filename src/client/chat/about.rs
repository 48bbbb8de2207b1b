//! What a request was for, where its answer does not say so.
//!
//! Knows neither how it is asked nor what follows from the answer. The rule it keeps: all that is
//! needed when the answer comes is in it.

use crate::client::transfers::FileAsk;
use crate::client::view::Note;
use crate::message::{FileLine, FileName, FileRef};

/// What a request is about.
#[derive(Debug)]
pub(super) enum About {
    /// What the files on their way want.
    File(FileAsk),
    /// What somebody here wants done; this is shown when it is.
    Wish(Note),
    /// Find a file, to take it.
    Look(Box<Look>),
    /// Go to the room where the work is to be done.
    Enter,
    /// List files.
    List(Box<Listing>),
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
    /// A name means the newest that is called so.
    pub(super) file: FileRef<'static>,
    /// If nothing is called so, the last word of the name is the local one.
    pub(super) splits: bool,
    /// Under which name it is to be saved.
    pub(super) local: Option<FileName>,
    /// The best that was found so far.
    pub(super) found: Option<FileLine>,
}
