//! PURE. All that a conversation can show, as values.
//!
//! Knows no words for any of it. The rule it keeps: what a program may want to know is a value with
//! a name, and a face words it.

use std::path::PathBuf;
use std::time::Duration;

use super::errand::ListForm;
use super::outcome::Fault;
use super::progress::Progress;
use crate::front::native::Problem;
use crate::id::TransferId;
use crate::message::{
    Digest, Ending, Event, FileLine, NameError, Refusal, Reply, RoomName, UserName,
};

/// Something to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// Something happened.
    Event(Event),
    /// What was asked for.
    Reply(Reply),
    /// No, from the server or from this client.
    Refused(Refused),
    /// Something about this client itself.
    Note(Note),
}

/// What an errand brings to standard output.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Product {
    /// The files that there are, for people or as JSON.
    Files { files: Vec<FileLine>, form: ListForm },
    /// An upload is on the server's disk, under its number; the name is untrusted.
    Stored(TransferId, String),
    /// A download is here.
    Saved(PathBuf),
    /// The same, and its content is wanted.
    Content(PathBuf),
}

/// A no. What others wrote in it is untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// By the server.
    Answer(Problem),
    /// By this client, for a reason that servers have as well.
    Here(Refusal),
    /// A file is over, and not as it should be.
    File { about: Label, code: String, why: Undone },
    /// A file of this path cannot be sent: a code, and why.
    Unsendable(PathBuf, &'static str, String),
    /// A file of this path was not sent, because its room was not known any more.
    UnsentFile(PathBuf),
    /// The same, because we are not in its room.
    OtherRoom(PathBuf),
    /// What this asks for is not known to the server, which is older.
    OldServer(&'static str),
    /// No upload of the name that was written waits here.
    NoUpload,
    /// A file is taken already.
    Taken(TransferId),
    /// Too many are to come.
    TooManyCome(TransferId),
    /// A line that was kept until the connection was back, in short.
    UnsentLine(String),
    /// It was asked for, in these words, and the connection broke before the answer.
    Unanswered(String),
    /// Passwords are not asked for.
    NotAsked(Unasked),
    /// A password was needed, as this code says, and there is none.
    NoPassword(&'static str),
    /// A line that may have been meant for a password.
    NotUsed,
    /// A line that nobody can use.
    Unusable(Unusable),
    /// The new password was not the same twice.
    Different,
    /// A command of this guest finds nothing that shows that it is theirs; untrusted.
    InUse(String),
    /// A name or a password that no server takes.
    TooLong,
    /// What was said to a menu.
    Choice(BadChoice),
}

/// Why a file is over, and not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Undone {
    /// In the words of the server or of the system, which are visible.
    Told(String),
    /// By the server.
    Ended(Ending),
    /// With all others.
    Gone(Gone),
    /// We are not any more where it was to go.
    Elsewhere,
    /// It changed for the second time.
    ChangedAgain(Change),
    /// It changed, and cannot be sent as it is now.
    ChangedAway(Change, String),
    /// Its number means another file by now.
    OtherFile,
    /// More came than was announced.
    TooLong,
    /// What came is something else, for the second time.
    OtherContent,
    /// Something of its name is here, and is left alone.
    Exists(PathBuf),
    /// Nothing can be written into this folder.
    Unwritable(PathBuf, String),
}

/// When it was seen that a file of ours is another one now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Waiting,
    Moving,
}

/// Why no file is sent or taken any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    NotLoggedIn,
    LoggedOut,
    ConnectionLost,
    /// Somebody stopped the client; what has come of a file is `kept` or not.
    Stopped {
        kept: bool,
    },
}

/// Why passwords are not asked for, or not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unasked {
    /// Nobody can answer, and they were to be given with the start of the client.
    Given,
    /// The same, and they can be written in the command.
    Typed,
    /// There is no connection.
    Away,
    /// It was lost.
    Lost,
    LoggedOut,
}

/// What is wrong with a line, whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    Long,
    /// Longer than a terminal hands over: the rest of it is lost already.
    LongForTerminal,
    NotText,
}

/// What is wrong with an answer to a menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadChoice {
    /// This is none of the choices.
    Number(String),
    User(NameError),
    Room(NameError),
    /// Neither a user nor a room nor nothing.
    Receiver,
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
    /// Not connected or not logged in; tried again in a while.
    Again {
        why: Fault,
        wait: Duration,
    },
    /// So many files continue when the connection is back.
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
    /// Another session of ours, by its number.
    Ended(u32),
    /// The rooms that we are in, the current one first.
    Rooms(Vec<RoomName>),
    /// Something was said, in this one of several rooms.
    SaidIn(RoomName),
    /// What a menu asks or answers.
    Menu(MenuNote),
    /// It takes long to hash a file that is to be sent.
    Hashing(Label),
    /// An upload has its slot, after so many milliseconds.
    Begins(Label, u64),
    /// A file continues from so many per cent.
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
    SentAnew(Label, Change),
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
    /// An errand was stopped, and continues where it was if what has come is `kept`.
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

/// What is asked for; names are untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    /// The password of this name.
    Password(String),
    /// One for a name that is to be an account.
    NewFor(String),
    /// The one that is to be changed.
    Old,
    New,
    /// The new one, once more.
    Again,
}
