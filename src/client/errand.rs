//! What a client is started for: to talk, to be led by a menu, or to do one thing and leave.
//!
//! Knows nothing of how it is done. The rule it keeps: all that a command line says about it is
//! here, checked as far as that goes without a server.

use std::path::{Path, PathBuf};

use crate::id::TransferId;
use crate::message::FileRef;

/// What the client does once it is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Lines are commands or talk.
    Talk,
    /// Lines are choices of a menu and answers to its questions.
    Menu,
    /// Hand files over, and leave.
    Send {
        /// Which, in this order.
        files: Vec<PathBuf>,
        /// To whom.
        to: Whom,
    },
    /// Take a file, and leave.
    Get {
        /// Its number, or its name.
        file: String,
        /// Where it goes.
        place: Place,
    },
    /// Say something, and leave.
    Say {
        /// To this user alone; without one, in the room.
        to: Option<String>,
        /// What, a message a line; without it, each line of standard input.
        text: Option<String>,
    },
    /// Print what files there are, and leave.
    List {
        /// Only those whose names match.
        pattern: Option<String>,
        /// How.
        form: ListForm,
    },
}

/// How files are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// For people.
    Table,
    /// For people, with the hashes.
    Hashes,
    /// As JSON.
    Json,
}

/// Whom a file is for, as the sender says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// One user.
    User(String),
    /// The members of the room that the client is in.
    Room,
    /// The shelf of that room, or else the public one.
    Shelf,
}

/// Where a file that is taken goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Into this folder, under its own name. The empty path is the current folder.
    Folder(PathBuf),
    /// There.
    File(PathBuf),
    /// To standard output.
    Output,
}

impl Place {
    /// What `--output` means by a path: `-` is standard output, a folder is a folder.
    #[must_use]
    pub fn of(path: Option<&Path>) -> Self {
        match path {
            None => Self::Folder(PathBuf::new()),
            Some(path) if path == Path::new("-") => Self::Output,
            Some(path) if path.is_dir() => Self::Folder(path.to_owned()),
            Some(path) => Self::File(path.to_owned()),
        }
    }
}

impl Errand {
    /// Whether it reads what it is to do from standard input.
    #[must_use]
    pub(super) fn reads_lines(&self) -> bool {
        match self {
            Self::Talk | Self::Menu | Self::Say { text: None, .. } => true,
            Self::Send { .. } | Self::Get { .. } | Self::Say { .. } | Self::List { .. } => false,
        }
    }

    /// Whether it ends by itself, and standard output is for what it brings.
    #[must_use]
    pub(super) fn ends_by_itself(&self) -> bool {
        match self {
            Self::Talk | Self::Menu => false,
            Self::Send { .. } | Self::Get { .. } | Self::Say { .. } | Self::List { .. } => true,
        }
    }
}

/// What people mean by a number or a name.
pub(super) fn file_ref(text: &str) -> FileRef<'static> {
    match text.parse() {
        Ok(number) => FileRef::Number(TransferId(number)),
        Err(_) => FileRef::Name(text.to_owned().into()),
    }
}
