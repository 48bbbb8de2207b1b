//! What an errand brings to standard output.
//!
//! Knows no server. The rule it keeps: what is written is written through before anybody is told
//! that it is here.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

/// What goes to standard output.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Product {
    /// A line or several, without the last end; visible, or JSON.
    Lines(String),
    /// The content of this file.
    Content(PathBuf),
}

impl Product {
    /// Writes all of it, and through.
    ///
    /// # Errors
    /// Those of the reader and of the file.
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Lines(text) => writeln!(to, "{text}")?,
            Self::Content(path) => {
                io::copy(&mut File::open(path)?, to)?;
            }
        }
        to.flush()
    }
}
