//! PURE. All that a conversation can show, as values.
//!
//! Knows no words for any of it. The rule it keeps: what a program may want to know is a value with
//! a name, and a face words it.

use std::path::PathBuf;
use std::time::Duration;

use super::progress::Progress;
use super::question::Prompt;
use crate::id::TransferId;
use crate::message::{Digest, Ending, Event, FileLine, Reply, RoomName, UserName};

/// Something to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// Something happened.
    Event(Event),
    /// What was asked for.
    Reply(Reply),
    /// No, from the server or from this client.
    Refused {
        /// The file that it is about.
        about: Option<Label>,
        /// For programs.
        code: String,
        /// For people; untrusted.
        text: String,
    },
    /// Something about this client itself.
    Note(Note),
}

/// By what people know a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    /// Its number, once it has one.
    pub(super) transfer: Option<TransferId>,
    /// Untrusted.
    pub(super) name: String,
}

/// What this client has done, waits for, or wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// The server has greeted, under this name; untrusted.
    Connected(String),
    /// The next line is to be a name.
    WhoAreYou,
    /// There is no name, and `/login` is what helps.
    Nameless,
    /// The next line is to be a password.
    Asked(Prompt),
    /// Nobody wanted to answer.
    NotAnswered,
    PasswordChanged,
    /// Not connected or not logged in, for a reason that is visible; tried again in a while.
    Again {
        why: String,
        wait: Duration,
    },
    /// So many files go on when the connection is back.
    FilesWait(usize),
    /// Lines that are typed are kept until the connection is back.
    LinesWait,
    /// So is the wish to leave, behind them.
    LeavingWaits,
    /// In again.
    Back {
        user: Option<UserName>,
        room: Option<RoomName>,
    },
    /// Whether files that arrive are taken.
    AcceptsAll(bool),
    /// How far a file is that has a number.
    Moves(TransferId, Progress),
    /// No more of a download is wanted.
    Stopped(TransferId),
    Withdrawn(TransferId),
    /// An upload that had no number yet; untrusted.
    WithdrawnNamed(String),
    Rejected(TransferId),
    Removed(TransferId),
    /// What a menu asks or answers.
    Menu(MenuNote),
    /// It takes long to hash a file that is to be sent.
    Hashing(Label),
    /// An upload has its slot, after so many milliseconds.
    Begins(Label, u64),
    /// A file goes on from so many per cent.
    GoesOn(Label, u64),
    /// The same of an upload that has another number now.
    GoesOnAs {
        was: TransferId,
        now: TransferId,
        percent: u64,
    },
    Sent(Label, Option<Digest>),
    /// The server ended an upload, which begins again by itself.
    AnnouncedAgain(Label, Ending),
    /// A file that is sent is another one now, because of this.
    SentAnew(Label, &'static str),
    /// A download of so many bytes begins.
    Comes(Label, u64),
    /// What was offered is not offered any more.
    Gone(Label, Ending),
    /// It was here before.
    Had(TransferId, PathBuf),
    /// What has come of a file is not what was announced, and it is asked for once more.
    TakenAnew(Label),
    /// A file was taken, and is here unless it is passed on.
    Saved {
        transfer: TransferId,
        path: Option<PathBuf>,
        hash: Digest,
    },
    /// The files that there are.
    Files(Vec<FileLine>),
    /// An errand was stopped, and goes on where it was if what has come is `kept`.
    ErrandStopped {
        kept: bool,
    },
}

/// What a menu asks or answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MenuNote {
    /// All choices, and which one it is to be.
    Choices,
    UploadPath,
    UploadTo,
    Download,
    /// Everybody is everybody in this room, if there is one.
    MessageTo(Option<String>),
    MessageText,
    /// An empty line where a file was to be named.
    NoFile,
    NoMessage,
}
