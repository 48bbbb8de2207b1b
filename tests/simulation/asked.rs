//! A request as a client remembers it and as a person types it.

use parlor::message::{Announced, Command, Digest, FileRef, Op, Proof, Secret, visible};

use super::vault::Shown;

/// A file that was announced.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Which content it has.
    pub(crate) seed: u32,
    pub(crate) hash: Option<Digest>,
    /// What and for whom.
    pub(crate) about: String,
    /// Something about it is a lie.
    pub(crate) lies: bool,
    /// Files that it may be, announced once more.
    pub(crate) before: Vec<u32>,
}

/// Which files a request is about.
#[derive(Debug)]
pub(crate) enum About {
    Nothing,
    Upload(Sent),
    List { pattern: Option<String>, after: u32 },
    Get { name: Option<String>, from: u64 },
    File(u32),
}

/// A request that has no answer yet. `op` is `None` for what is no request but is answered.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: Option<u64>,
    pub(crate) op: Option<Op>,
    pub(crate) size: u64,
    /// When it was asked, by the clock of the vault.
    pub(crate) at: u64,
    /// What was shown for which name.
    pub(crate) shown: Option<(String, Shown)>,
    /// Whom it names, or what it says.
    pub(crate) about: String,
    pub(crate) letter: u64,
    pub(crate) file: About,
    /// What it sees meanwhile is watched under this number.
    pub(crate) watch: Option<u64>,
    /// It is answered with a refusal or not at all.
    pub(crate) perhaps: bool,
}

/// What is to be known of a request when its answer comes.
pub(crate) fn describe(command: &Command<'_>) -> Asked {
    let mut asked = Asked {
        id: None,
        op: Some(command.op()),
        size: 0,
        at: 0,
        shown: None,
        about: String::new(),
        letter: 0,
        file: About::Nothing,
        watch: None,
        perhaps: false,
    };
    match command {
        Command::SendFile { file, .. } | Command::Upload { room: None, file } => {
            asked.size = file.size;
            let sent = Sent { hash: file.hash, ..Sent::default() };
            asked.file = About::Upload(sent);
        }
        Command::Files { pattern, after } => {
            // Patterns here are `*part*`.
            let pattern = pattern.as_ref().map(|p| p.trim_matches('*').to_owned());
            asked.file = About::List { pattern, after: after.map_or(0, |after| after.0) };
        }
        Command::Get { file, offset } => {
            let name = match file {
                FileRef::Number(_) => None,
                FileRef::Name(name) => Some(name.to_string()),
            };
            asked.file = About::Get { name, from: *offset };
        }
        Command::Received { transfer }
        | Command::Reject { transfer }
        | Command::Remove { transfer }
        | Command::Cancel { transfer } => asked.file = About::File(transfer.0),
        Command::Got { letter } => asked.letter = letter.0,
        Command::Block { user } => asked.about = user.to_ascii_lowercase(),
        Command::Whisper { text, .. } => asked.about = visible(text).to_string(),
        Command::Register { user, .. } => asked.shown = Some((user.to_string(), Shown::New)),
        Command::Login { user, proof } => {
            let shown = match proof {
                Proof::None => Shown::Nothing,
                Proof::Password(Secret(password)) => Shown::Password(password.to_string()),
                Proof::Token(Secret(token)) => Shown::Token(token.to_string()),
            };
            asked.shown = Some((user.to_string(), shown));
        }
        _ => {}
    }
    asked
}

/// A command as a person types it.
pub(crate) fn to_line(command: &Command<'_>) -> String {
    match command {
        Command::Hello { .. } | Command::Help => "/help".to_owned(),
        Command::Login { user, proof: Proof::Password(Secret(password)) } => {
            format!("/login {user} {password}")
        }
        Command::Login { user, .. } => format!("/login {user}"),
        Command::Register { user, password: Secret(password) } => {
            format!("/register {user} {password}")
        }
        Command::Passwd { old: Secret(old), new: Secret(new) } => format!("/passwd {old} {new}"),
        Command::Logout { all: false } => "/logout".to_owned(),
        Command::Broadcast { text } => format!("/broadcast {text}"),
        Command::Got { letter } => format!("/got {}", letter.0),
        Command::WhoElse { within_s: None } => "/whoelse".to_owned(),
        Command::WhoElse { within_s: Some(seconds) } => format!("/whoelsesince {seconds}"),
        Command::Block { user } => format!("/block {user}"),
        Command::Unblock { user } => format!("/unblock {user}"),
        Command::Blocked => "/blocked".to_owned(),
        Command::Join { room, open: false } => format!("/JOIN {room}"),
        Command::Leave { room: None } => "/leave".to_owned(),
        Command::Say { text, me: true, room: None } => format!("/me {text}"),
        Command::Say { text, me: false, room: None } if text.len() % 2 == 0 => text.to_string(),
        Command::Say { text, me: false, room: None } => format!("/say {text}"),
        Command::Whisper { user, text } => format!("/whisper {user} {text}"),
        Command::Rooms => "/rooms".to_owned(),
        Command::Who { room: None } => "/who".to_owned(),
        Command::Who { room: Some(room) } => format!("/who {room}"),
        Command::Queue => "/queue".to_owned(),
        Command::Ping => "/ping".to_owned(),
        Command::Exit => "/exit".to_owned(),
        Command::SendFile { user, room: None, file } => {
            let user = user.as_deref().unwrap_or("*");
            let Announced { name, size, hash, .. } = file;
            format!("/sendfile {name} {user} {size}{}", hash_word(*hash))
        }
        Command::Upload { room: None, file: Announced { name, size, hash, .. } } => {
            format!("/upload {name} {size}{}", hash_word(*hash))
        }
        // What follows tells where the list ends.
        Command::Files { pattern: None, .. } => "/files\r\n/ping".to_owned(),
        Command::Files { pattern: Some(pattern), .. } => format!("/files {pattern}\r\n/ping"),
        Command::Get { file: FileRef::Number(number), offset: 0 } => format!("/get {number}"),
        Command::Get { file: FileRef::Number(number), offset } => format!("/get {number} {offset}"),
        Command::Get { file: FileRef::Name(name), .. } => format!("/get {name}"),
        Command::Remove { transfer } => format!("/remove {transfer}"),
        Command::Reject { transfer } => format!("/reject {transfer}"),
        Command::Received { transfer } => format!("/received {transfer}"),
        Command::Cancel { transfer } => format!("/cancel {transfer}"),
        other => unreachable!("clients here have one session and one room: {other:?}"),
    }
}

fn hash_word(hash: Option<Digest>) -> String {
    hash.map_or_else(String::new, |hash| format!(" {hash}"))
}
