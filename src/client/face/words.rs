//! PURE. What this client says of itself, in words.
//!
//! Knows no events and no replies, whose words are those of text lines. The rule it keeps: what
//! somebody else wrote is made visible here.

use crate::client::listing;
use crate::client::question::Prompt;
use crate::client::view::Note;
use crate::front::text::seconds;
use crate::id::millis;
use crate::message::visible;

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
