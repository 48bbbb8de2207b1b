//! What an earlier server left: listed here for whoever only wants to know, and for [`Disk::open`],
//! which removes it or sets it aside, so that both agree.
//!
//! Refuses to know what is needed: it asks. The rule it keeps: only what has one of our names is
//! touched, no link is followed, and folders are left alone.
//!
//! [`Disk::open`]: super::Disk::open

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::names::{self, ASIDE, FILES, Part, TEMP};
use crate::id::millis;
use crate::job::Half;
use crate::message::Digest;

/// A file that nobody will ever ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leftover {
    /// Where it is.
    pub path: PathBuf,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// Why it can go.
    pub why: Why,
}

/// Why a file can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It was on its way to an earlier server and cannot be resumed.
    Broken,
    /// It is half a file without a byte.
    Empty,
    /// It has one of our names and is no file: a link, a pipe.
    NoFile,
    /// It is whole, and no record names it: the store may be the wrong one.
    Unneeded,
    /// It is whole, and its file was removed.
    Removed,
}

/// What is to become of a content that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A record names it, or may do so.
    Stays,
    /// No record names it.
    Aside,
    /// Its file was removed.
    Goes,
}

impl std::fmt::Display for Why {
    /// As people are told.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Broken => "an upload that cannot go on",
            Self::Empty => "an upload without a byte",
            Self::NoFile => "not a file",
            Self::Unneeded => "nobody has it",
            Self::Removed => "its file was removed",
        })
    }
}

/// Lists what the start of a server would remove from its data folder, and the halves that can go
/// on; removes nothing. Only while no server runs: what is on its way just now is a leftover, too.
///
/// # Errors
/// Those of the system; folders that are not there are no error.
pub(crate) fn scan(
    data: &Path,
    fate: impl Fn(&Digest) -> Fate,
) -> io::Result<(Vec<Leftover>, Vec<Half>)> {
    let (mut leftovers, mut halves) = (Vec::new(), Vec::new());
    let of_temp = |name: &str, metadata: &Metadata| match Part::parse(name)? {
        _ if !metadata.is_file() => Some(Why::NoFile),
        Part::Transfer(_) => Some(Why::Broken),
        Part::Partial(_) if metadata.len() == 0 => Some(Why::Empty),
        Part::Partial(id) => {
            halves.push(Half { id, bytes: metadata.len(), since_ms: since_ms(metadata) });
            None
        }
    };
    look(&data.join(TEMP), of_temp, &mut leftovers)?;
    let of_files = |name: &str, metadata: &Metadata| match (fate(&names::blob(name)?), metadata) {
        (Fate::Stays, _) => None,
        (Fate::Aside | Fate::Goes, metadata) if !metadata.is_file() => Some(Why::NoFile),
        (Fate::Aside, _) => Some(Why::Unneeded),
        (Fate::Goes, _) => Some(Why::Removed),
    };
    look(&data.join(FILES), of_files, &mut leftovers)?;
    Ok((leftovers, halves))
}

/// Lists what is aside that does not belong back where it was.
///
/// # Errors
/// Those of the system; folders that are not there are no error.
pub(crate) fn scan_aside(data: &Path, fate: impl Fn(&Digest) -> Fate) -> io::Result<Vec<Leftover>> {
    let mut leftovers = Vec::new();
    let why = |name: &str, _: &Metadata| {
        names::blob(name).filter(|blob| fate(blob) != Fate::Stays).map(|_| Why::Unneeded)
    };
    look(&data.join(FILES).join(ASIDE), why, &mut leftovers)?;
    Ok(leftovers)
}

/// Which contents are there, whole.
///
/// # Errors
/// Those of the system; a folder that is not there is no error.
pub(crate) fn contents(data: &Path) -> io::Result<BTreeSet<Digest>> {
    let mut found = BTreeSet::new();
    let note = |name: &str, metadata: &Metadata| {
        found.extend(names::blob(name).filter(|_| metadata.is_file()));
        None
    };
    look(&data.join(FILES), note, &mut Vec::new())?;
    Ok(found)
}

/// The content that a path in `files` is named by.
pub(super) fn content(path: &Path) -> Option<Digest> {
    path.file_name().and_then(|name| name.to_str()).and_then(names::blob)
}

/// Asks of everything in a folder but folders why it can go, if it can.
fn look(
    folder: &Path,
    mut why: impl FnMut(&str, &Metadata) -> Option<Why>,
    leftovers: &mut Vec<Leftover>,
) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let metadata = path.symlink_metadata()?;
        if !metadata.is_dir()
            && let Some(why) = why(name, &metadata)
        {
            leftovers.push(Leftover { bytes: metadata.len(), why, path });
        }
    }
    Ok(())
}

/// When a file was written last; one whose time is not known is as old as can be.
pub(super) fn since_ms(metadata: &Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, millis)
}
