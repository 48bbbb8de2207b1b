//! PURE. What can be done in a conversation, as values.
//!
//! Knows neither who wants it nor how it is done. The rule it keeps: a deed has all that it takes
//! in it, so nobody has to write a line for somebody else to read.

use std::path::PathBuf;

use crate::client::errand::Whom;
use crate::client::view::BadChoice;
use crate::message::{Command, FileName, FileRef};

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client) enum Deed {
    /// Ask the server.
    Ask {
        /// For what.
        command: Command<'static>,
        /// As a person writes it, who is told so when it is not answered.
        written: String,
    },
    /// Hand a file over.
    Send {
        /// Which.
        path: PathBuf,
        /// To whom.
        to: Whom,
        /// Only in this room: who could not get in hands nothing to another one.
        room: Option<String>,
    },
    /// Take a file that is called so, and no other.
    Get {
        /// Which.
        file: FileRef<'static>,
        /// Under which name it is saved, if not under its own.
        local: Option<FileName>,
    },
    /// List the files whose names match, or all.
    List(Option<String>),
    /// Say no to what was chosen.
    Refuse(BadChoice),
    /// Leave.
    Quit,
}
