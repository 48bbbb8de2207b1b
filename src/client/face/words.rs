//! PURE. What this client says of itself, in words.
//!
//! Knows no events and no replies, whose words are those of text lines. The rule it keeps: what
//! somebody else wrote is made visible here.

use std::path::Path;

use crate::client::listing;
use crate::client::progress::size;
use crate::client::question::Prompt;
use crate::client::view::{Label, MenuNote, Note};
use crate::front::text::seconds;
use crate::id::millis;
use crate::message::visible;

/// The choices of a menu, in their order.
const CHOICES: [&str; 6] =
    ["upload a file", "download a file", "list files", "send a message", "who is here", "quit"];

/// In one line or several, without the sign that a line of ours begins with.
pub(super) fn words(note: &Note) -> String {
    match note {
        Note::Connected(server) => format!("connected to {}; /help for help", visible(server)),
        Note::WhoAreYou => "who are you? a name of 1 to 16 letters and digits:".to_owned(),
        Note::Nameless => "you have no name yet: /login NAME".to_owned(),
        Note::Asked(prompt) => format!("{}, which is not shown:", question(prompt)),
        Note::NotAnswered => "no password, then".to_owned(),
        Note::PasswordChanged => "your password is changed".to_owned(),
        Note::Again { why, wait } => format!("{why}; trying again in {}", seconds(millis(*wait))),
        Note::FilesWait(1) => "1 file goes on when the connection is back".to_owned(),
        Note::FilesWait(count) => format!("{count} files go on when the connection is back"),
        Note::LinesWait => "there is no connection: what is typed waits for it".to_owned(),
        Note::LeavingWaits => "the lines before it wait; Ctrl-C leaves at once".to_owned(),
        Note::Back { user, room } => {
            let user = user.map_or_else(String::new, |user| user.to_string());
            let place = room.map_or_else(String::new, |room| format!(" in {room}"));
            format!("back as {user}{place}")
        }
        Note::AcceptsAll(true) => "files that arrive from now on are saved".to_owned(),
        Note::AcceptsAll(false) => {
            "files that arrive from now on are only told of; /get N takes one".to_owned()
        }
        Note::Moves(transfer, progress) => format!("transfer {transfer}: {progress}"),
        Note::Stopped(transfer) => format!("transfer {transfer}: stopped"),
        Note::Withdrawn(transfer) => format!("transfer {transfer}: withdrawn"),
        Note::WithdrawnNamed(name) => format!("{}: withdrawn", visible(name)),
        Note::Rejected(transfer) => format!("transfer {transfer}: refused"),
        Note::Removed(transfer) => format!("transfer {transfer}: removed"),
        Note::Menu(note) => menu(note),
        Note::Hashing(file) => format!("{}: hashing", label(file)),
        Note::Begins(file, ms) => format!("{} begins, waited {}", label(file), seconds(*ms)),
        Note::GoesOn(file, percent) => format!("{} goes on from {percent} %", label(file)),
        Note::GoesOnAs { was, now, percent } => {
            format!("transfer {was}: goes on as transfer {now} from {percent} %")
        }
        Note::Sent(file, hash) => {
            let hash = hash.map_or_else(String::new, |hash| format!(", BLAKE3 {hash}"));
            format!("{} sent{hash}", label(file))
        }
        Note::AnnouncedAgain(file, how) => format!("{}: {how}; announced again", label(file)),
        Note::SentAnew(file, what) => {
            format!("{}: {what}; it is sent anew, as it is now", label(file))
        }
        Note::Comes(file, bytes) => format!("{} comes, {}", label(file), size(*bytes)),
        Note::Gone(file, how) => format!("{}: {how}", label(file)),
        Note::Had(transfer, path) => {
            format!("transfer {transfer}: you have it already, as {}", shown(path))
        }
        Note::TakenAnew(file) => format!("{}: its hash is wrong; it is taken anew", label(file)),
        Note::Saved { transfer, path: None, hash } => {
            format!("transfer {transfer}: is whole, BLAKE3 {hash}")
        }
        Note::Saved { transfer, path: Some(path), hash } => {
            format!("transfer {transfer}: saved as {}, BLAKE3 {hash}", shown(path))
        }
        Note::Files(files) if files.is_empty() => "there are no files for you".to_owned(),
        Note::Files(files) => listing::table(files),
        Note::ErrandStopped { kept: false } => "stopped; nothing of it is kept".to_owned(),
        Note::ErrandStopped { kept: true } => {
            "stopped; the same command again goes on where it stopped".to_owned()
        }
    }
}

fn question(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Password(user) => format!("password for {}", visible(user)),
        Prompt::NewFor(user) => format!("new password for {}", visible(user)),
        Prompt::Old => "your password until now".to_owned(),
        Prompt::New => "new password".to_owned(),
        Prompt::Again => "the same again".to_owned(),
    }
}

/// What is said of a file, after what people know it by.
pub(super) fn refusal(about: Option<&Label>, text: &str) -> String {
    about.map_or_else(|| text.to_owned(), |file| format!("{}: {text}", label(file)))
}

/// `transfer 7: report.pdf`.
fn label(file: &Label) -> String {
    let name = visible(&file.name);
    match file.transfer {
        Some(transfer) => format!("transfer {transfer}: {name}"),
        None => name.to_string(),
    }
}

fn shown(path: &Path) -> String {
    visible(&path.display().to_string()).to_string()
}

fn menu(note: &MenuNote) -> String {
    match note {
        MenuNote::Choices => {
            let choices = (1..).zip(CHOICES).map(|(number, about)| format!("{number}  {about}\n"));
            choices.chain(["your choice, 1 to 6:".to_owned()]).collect()
        }
        MenuNote::UploadPath => "which file of yours? its path:".to_owned(),
        MenuNote::UploadTo => "to whom? USER, room ROOM, or Enter for the shelf:".to_owned(),
        MenuNote::Download => "which file? its number or its name:".to_owned(),
        MenuNote::MessageTo(home) => {
            let place = home.as_ref().map_or_else(String::new, |home| format!(" in {home}"));
            format!("to whom? USER, or Enter for everybody{place}:")
        }
        MenuNote::MessageText => "what do you want to say? one line:".to_owned(),
        MenuNote::NoFile => "no file, then".to_owned(),
        MenuNote::NoMessage => "no message, then".to_owned(),
    }
}
