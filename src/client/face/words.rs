//! PURE. What this client says of itself, in words.
//!
//! Knows no events and no replies, whose words are those of text lines. The rule it keeps: what
//! somebody else wrote is made visible here.

use std::borrow::Cow;
use std::path::Path;

use super::listing;
use crate::client::errand::ListForm;
use crate::client::outcome::{Fault, Over};
use crate::client::progress::size;
use crate::client::view::{
    BadChoice, Change, Gone, Label, MenuNote, Note, Product, Prompt, Refused, Unasked, Undone,
    Unusable,
};
use crate::front::hint::sentence;
use crate::front::native::Problem;
use crate::front::text::seconds;
use crate::id::millis;
use crate::message::{PROTOCOL_VERSION, Refusal, RoomName, visible};

/// The choices of a menu, in their order.
const CHOICES: [&str; 6] =
    ["upload a file", "download a file", "list files", "send a message", "who is online", "quit"];

/// In one line or several, without the sign that a line of ours begins with.
pub(super) fn words(note: &Note) -> String {
    match note {
        Note::Connected(server) => format!("connected to {}; /help for help", visible(server)),
        Note::WhoAreYou => "who are you? a name of 1 to 16 letters and digits:".to_owned(),
        Note::Nameless => "you have no name yet: /login NAME".to_owned(),
        Note::Asked(prompt) => format!("{}:", question(prompt)),
        Note::NotAnswered => "no password given".to_owned(),
        Note::PasswordChanged => "your password is changed".to_owned(),
        Note::Again { why, wait } => {
            format!("{}; trying again in {}", pause(why), seconds(millis(*wait)))
        }
        Note::FilesWait(1) => "1 transfer resumes when the connection is back".to_owned(),
        Note::FilesWait(count) => format!("{count} transfers resume when the connection is back"),
        Note::LinesWait => "not connected: what you type waits for the connection".to_owned(),
        Note::LeavingWaits => "the lines before it wait; Ctrl-C leaves at once".to_owned(),
        Note::Back { user, room } => {
            let user = user.map_or_else(String::new, |user| user.to_string());
            let place = room.map_or_else(String::new, |room| format!(" in {room}"));
            format!("back as {user}{place}")
        }
        Note::AcceptsAll(true) => "files sent to you from now on are downloaded".to_owned(),
        Note::AcceptsAll(false) => {
            "files sent to you from now on are only announced; /get N downloads one".to_owned()
        }
        Note::Moves(transfer, progress) => format!("transfer {transfer}: {progress}"),
        Note::Stopped(transfer) => format!("transfer {transfer}: stopped"),
        Note::Withdrawn(transfer) => format!("transfer {transfer}: withdrawn"),
        Note::WithdrawnNamed(name) => format!("{}: withdrawn", visible(name)),
        Note::Rejected(transfer) => format!("transfer {transfer}: refused"),
        Note::Removed(transfer) => format!("transfer {transfer}: removed"),
        Note::Ended(session) => format!("session {session}: ended"),
        Note::Rooms(rooms) => places(rooms),
        Note::SaidIn(room) => format!("said in {room}"),
        Note::Menu(note) => menu(note),
        Note::Hashing(file) => format!("{}: hashing", label(file)),
        Note::Begins(file, ms) => {
            format!("{}: upload begins, waited {}", label(file), seconds(*ms))
        }
        Note::GoesOn(file, percent) => format!("{} resumes at {percent} %", label(file)),
        Note::GoesOnAs { was, now, percent } => {
            format!("transfer {was}: resumes as transfer {now} at {percent} %")
        }
        Note::Sent(file, _) => format!("{} sent", label(file)),
        Note::AnnouncedAgain(file, how) => format!("{}: {how}; announced again", label(file)),
        Note::SentAnew(file, when) => {
            format!("{}: {}; it is sent again, as it is now", label(file), changed(*when))
        }
        Note::Comes(file, bytes) => format!("{}: download begins, {}", label(file), size(*bytes)),
        Note::Gone(file, how) => format!("{}: {how}", label(file)),
        Note::Had(transfer, path) => {
            format!("transfer {transfer}: you already have it, as {}", shown(path))
        }
        Note::TakenAnew(file) => {
            format!("{}: its hash is wrong; downloading again", label(file))
        }
        Note::Saved { transfer, path: None, .. } => {
            format!("transfer {transfer}: complete and verified")
        }
        Note::Saved { transfer, path: Some(path), .. } => {
            format!("transfer {transfer}: verified, saved as {}", shown(path))
        }
        Note::Files(files) if files.is_empty() => "there are no files for you".to_owned(),
        Note::Files(files) => listing::table(files, false),
        Note::ErrandStopped { kept: false } => "stopped; nothing was kept".to_owned(),
        Note::ErrandStopped { kept: true } => {
            "stopped; run the same command again to resume".to_owned()
        }
    }
}

/// Where we are, and to whom we speak.
fn places(rooms: &[RoomName]) -> String {
    let [current, others @ ..] = rooms else {
        return "you are in no room; /join ROOM".to_owned();
    };
    let others: Vec<_> = others.iter().map(RoomName::as_str).collect();
    match others[..] {
        [] => format!("you are in {current}"),
        _ => format!("you speak in {current} and hear {} too", others.join(", ")),
    }
}

fn question(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Password(user) => format!("Password for {}", visible(user)),
        Prompt::NewFor(user) => format!("New password for {}", visible(user)),
        Prompt::Old => "Your current password".to_owned(),
        Prompt::New => "New password".to_owned(),
        Prompt::Again => "Repeat it".to_owned(),
    }
}

/// A no, as a code for programs and in words.
pub(super) fn refused(refused: &Refused) -> (&str, Cow<'_, str>) {
    match refused {
        Refused::Answer(problem) => (&problem.code, problem.text.as_str().into()),
        Refused::Here(refusal) => (refusal.code(), sentence(refusal).into()),
        Refused::File { about, code, why } => {
            (code, format!("{}: {}", label(about), undone(why)).into())
        }
        Refused::Unsendable(path, code, why) => (code, format!("{}: {why}", path.display()).into()),
        Refused::UnsentFile(path) => ("not_sent", path.to_string_lossy()),
        Refused::OtherRoom(path) => {
            ("not_sent", format!("{}: you are not in that room", path.display()).into())
        }
        Refused::OldServer(form) => {
            ("unknown_op", format!("{form}: this server is too old for that").into())
        }
        Refused::NoUpload => ("no_such_transfer", "no upload of that name is waiting".into()),
        Refused::Taken(transfer) => {
            let text = format!("transfer {transfer}: you are already downloading it");
            ("transfer_not_ready", text.into())
        }
        Refused::TooManyCome(transfer) => {
            let text =
                format!("transfer {transfer}: too many downloads are waiting; /get it later");
            ("too_many_downloads", text.into())
        }
        Refused::UnsentLine(line) => ("not_sent", line.into()),
        Refused::Unanswered(line) => {
            let text = format!("{line}: it is not known whether it was carried out");
            ("not_answered", text.into())
        }
        Refused::NotAsked(why) => ("not_asked", unasked(*why).into()),
        Refused::NoPassword(code) => (code, unasked(Unasked::Given).into()),
        Refused::NotUsed => {
            ("not_used", "the line that you typed for a password is discarded".into())
        }
        Refused::Unusable(why) => {
            ("bad_request", sentence(&Refusal::BadRequest(unusable(*why).to_owned())).into())
        }
        Refused::Different => {
            ("not_the_same", "the two passwords differ; nothing was changed".into())
        }
        Refused::InUse(user) => {
            let text = format!("{} is in use by a chat elsewhere; use an account", visible(user));
            ("name_in_use", text.into())
        }
        Refused::TooLong => ("bad_password", "the name or the password is too long".into()),
        Refused::Choice(bad) => choice(bad),
    }
}

fn undone(why: &Undone) -> String {
    match why {
        Undone::Told(why) => why.clone(),
        Undone::Ended(how) => how.to_string(),
        Undone::Gone(why) => gone(*why).to_owned(),
        Undone::Elsewhere => "you are not in the room any more that it was for".to_owned(),
        Undone::ChangedAgain(when) => format!("{}, again", changed(*when)),
        Undone::ChangedAway(when, error) => format!("{}: {error}", changed(*when)),
        Undone::OtherFile => "the server has another file there now".to_owned(),
        Undone::TooLong => "more bytes came than were announced".to_owned(),
        Undone::OtherContent => {
            "the content is not what was announced: its hash differs, again".to_owned()
        }
        Undone::Exists(path) => {
            format!("{} exists and is another file; it is not overwritten", shown(path))
        }
        Undone::Unwritable(dir, error) if dir.as_os_str().is_empty() => {
            format!("cannot write into the current folder: {}", visible(error))
        }
        Undone::Unwritable(dir, error) => {
            format!("cannot write into {}: {}", shown(dir), visible(error))
        }
    }
}

fn changed(when: Change) -> &'static str {
    match when {
        Change::Waiting => "the file changed meanwhile",
        Change::Moving => "the file changed while it was sent",
    }
}

/// Why no file is sent or taken any more.
fn gone(why: Gone) -> &'static str {
    match why {
        Gone::NotLoggedIn => "you are not logged in",
        Gone::LoggedOut => "you are logged out",
        Gone::ConnectionLost => "the connection was lost",
        Gone::Stopped { kept: false } => "stopped here",
        Gone::Stopped { kept: true } => "stopped here; what has arrived is kept",
    }
}

/// The answer of a server that speaks otherwise.
pub(in crate::client) fn misunderstood() -> Problem {
    let text = "the server gave an unexpected answer".to_owned();
    Problem { code: "bad_request".to_owned(), text, wait_ms: None }
}

/// Why a login that is tried again is not granted yet, by the code of the refusal.
fn not_yet(code: &str) -> Cow<'_, str> {
    let why = match code {
        "busy" => "the server is busy",
        "name_in_use" => "the name is in use",
        "locked_out" => "there were too many wrong passwords",
        "login_under_way" => "another login is under way",
        "store_failed" => "the server cannot reach its store",
        "slow_down" => "there were too many requests",
        "shutting_down" => "the server is shutting down",
        other => return visible(other),
    };
    why.into()
}

fn unusable(why: Unusable) -> &'static str {
    match why {
        Unusable::Long => "the line is longer than 31 KiB",
        Unusable::LongForTerminal => {
            "the line is longer than this terminal can hand over, nothing of it was sent; write \
             shorter lines, or use `parlor say` with a file as its input"
        }
        Unusable::NotText => "the line is not UTF-8",
    }
}

fn unasked(why: Unasked) -> &'static str {
    match why {
        Unasked::Given => "no password was given; use PARLOR_PASSWORD or --password-file",
        Unasked::Typed => "there is no terminal to ask at; write it as /passwd OLD NEW",
        Unasked::Away => "not connected; ask again when the connection is back",
        Unasked::Lost => "the connection was lost before the password was known",
        Unasked::LoggedOut => "you were logged out before the password was known",
    }
}

fn choice(bad: &BadChoice) -> (&str, Cow<'_, str>) {
    match bad {
        BadChoice::Number(line) => {
            ("no_such_choice", format!("{line:?}: choose a number, 1 to 6").into())
        }
        BadChoice::User(error) => ("bad_user_name", error.to_string().into()),
        BadChoice::Room(error) => ("bad_room_name", error.to_string().into()),
        BadChoice::Receiver => ("bad_request", "write USER, or room ROOM, or nothing".into()),
    }
}

/// What an errand brings, without the end of the last line.
pub(in crate::client) fn product(product: &Product) -> String {
    match product {
        Product::Files { files, form: ListForm::Json } => listing::json(files),
        Product::Files { files, form } => listing::table(files, *form == ListForm::Hashes),
        Product::Stored(transfer, name) => format!("{transfer} {}", visible(name)),
        Product::Saved(path) | Product::Content(path) => shown(path),
    }
}

/// Why it is over, if that is not on the screen yet.
pub(in crate::client) fn farewell(over: &Over) -> Option<String> {
    match over {
        Over::Left | Over::Goodbye(None) => None,
        Over::Broken(why) => Some(fault(why)),
        Over::Goodbye(Some(line)) => Some(unmarked(line).to_owned()),
    }
}

/// A line of the server's, without what marks it as one.
fn unmarked(line: &str) -> &str {
    line.strip_prefix("parlor: ").unwrap_or(line)
}

/// Why there is no conversation.
fn fault(why: &Fault) -> String {
    match why {
        Fault::Closed => "the server closed the connection".to_owned(),
        Fault::Broke(why) => format!("the connection broke: {why}"),
        Fault::Silent(time) => {
            format!("no answer from the server for {} s", time.as_secs())
        }
        Fault::Garbled(error) => format!("the server does not speak Parlor: {error}"),
        Fault::Version(theirs) => format!(
            "the server speaks version {theirs} of the protocol and this client speaks \
             {PROTOCOL_VERSION}"
        ),
        Fault::TurnedAway(line) => unmarked(line).to_owned(),
        Fault::Bye(reason) => reason.to_string(),
        Fault::Unreachable(why) => format!("no connection: {}", visible(why)),
        Fault::NotYet { user, code } => {
            format!("{} cannot log in yet: {}", visible(user), not_yet(code))
        }
        Fault::NotLetIn { user, why } => {
            format!("cannot come back as {}: {}", visible(user), visible(why))
        }
        Fault::GivenUp(why, tried) => {
            format!("{}; given up after {}", pause(why), seconds(millis(*tried)))
        }
        Fault::LeftAway => "left before the connection was back".to_owned(),
    }
}

/// Why there is none for a while.
fn pause(why: &Fault) -> String {
    let words = fault(why);
    let alone = matches!(why, Fault::Unreachable(_) | Fault::NotYet { .. });
    if alone { words } else { format!("connection lost: {}", visible(&words)) }
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
        MenuNote::NoFile => "no file chosen".to_owned(),
        MenuNote::NoMessage => "no message written".to_owned(),
    }
}
