//! How the plain client is started: what it is given, and what of that makes no sense.
//!
//! Knows options, files and variables, but no server. The rule it keeps: a mistake is one line that
//! names the option and says what to do.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use time::UtcOffset;

use crate::client::connect::{ConnectError, why};
use crate::client::errand::{Errand, Place, Whom};
use crate::client::outcome::ClientOutcome;
use crate::client::start::Start;
use crate::client::typed::LINE_MAX;
use crate::limits::{DEVICE_NAME_MAX, USER_NAME_MAX};
use crate::message::{
    FileName, NameError, RoomName, Secret, UserName, is_unprintable, without_mark,
};
use crate::os;

/// How long a client without a terminal tries to come back when nobody says.
const RECONNECT_FOR: Duration = Duration::from_secs(600);
/// Longest password in bytes that is read from a file: more than any server takes.
const PASSWORD_MAX: u64 = 4096;

/// How the plain client is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// What it is started for.
    pub errand: Errand,
    /// Where the server is: `HOST:PORT`, or `HOST` for the usual port.
    pub addr: String,
    /// What this machine is called, which only its user is shown; without it, its host name. The
    /// empty name tells nothing.
    pub device: Option<String>,
    /// The name to log in with; without one, that of the account as far as it is letters and
    /// digits, or else the first line.
    pub user: Option<String>,
    /// The password of the first name that needs one.
    pub password: Option<Secret<'static>>,
    /// Where it is the first line; goes before `password`.
    pub password_file: Option<PathBuf>,
    /// The room to go to first; not when it is started to talk.
    pub room: Option<String>,
    /// Where a menu saves files; without it, in the current folder.
    pub folder: Option<PathBuf>,
    /// Save every file that is offered in this folder. Without it, files are saved in the current
    /// folder, one by one with `/get`.
    pub accept_files: Option<PathBuf>,
    /// Show JSON, one object a line.
    pub json: bool,
    /// Continue after the end of standard input, until the server or a signal ends it.
    pub stay: bool,
    /// Come back when the connection is lost.
    pub reconnect: bool,
    /// For how long to try that; without it, for ever at a terminal and else for ten minutes.
    pub reconnect_for: Option<Duration>,
}

/// Why there is no conversation, or no end to one.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlainError {
    #[error("--user {0}: {1}; use 1 to 16 letters and digits")]
    User(String, NameError),
    #[error("--device {0}: use at most {DEVICE_NAME_MAX} bytes without control characters")]
    Device(String),
    #[error("no name to log in with; give one with --user NAME")]
    NoUser,
    #[error("--room {0}: {1}; use 1 to 32 letters and digits")]
    Room(String, NameError),
    #[error("--to {0}: {1}; use 1 to 16 letters and digits")]
    To(String, NameError),
    #[error("TEXT: there is nothing to say in it; write a line, or - for standard input")]
    NoText,
    #[error("TEXT: a line of it is longer than 31 KiB")]
    LongText,
    #[error("{option} {path}: there is no such folder; make it first")]
    NoFolder { option: &'static str, path: String },
    #[error("--output {0}: that is no name for a file that is taken; choose another")]
    BadOutput(String),
    #[error("--password-file {path}: {why}")]
    NoPassword { path: String, why: String },
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("cannot wait for the server: {0}")]
    Poll(#[from] io::Error),
}

impl PlainError {
    pub(super) fn outcome(&self) -> ClientOutcome {
        let broken = matches!(self, Self::Connect(_) | Self::Poll(_));
        if broken { ClientOutcome::Broken } else { ClientOutcome::Usage }
    }
}

impl Options {
    /// What the conversation begins with.
    ///
    /// # Errors
    /// [`PlainError`] says what makes no sense.
    pub(super) fn start(
        &self,
        offset: UtcOffset,
        at_terminal: bool,
        bars: bool,
    ) -> Result<Start, PlainError> {
        let tries_for = if at_terminal { Duration::MAX } else { RECONNECT_FOR };
        let terse = self.errand.ends_by_itself();
        let (dir, local) = target(self)?;
        check_receiver(&self.errand)?;
        check_text(&self.errand)?;
        let user = named(user(self)?, terse)?;
        Ok(Start {
            errand: self.errand.clone(),
            room: room(self)?,
            local,
            device: device(self)?,
            user,
            password: password(self)?,
            token: None,
            dir,
            accepts_all: self.accept_files.is_some(),
            offset,
            json: self.json,
            at_terminal,
            // An errand says itself when it is over.
            stays: self.stay || terse,
            returns_for: self.reconnect.then_some(self.reconnect_for.unwrap_or(tries_for)),
            bars,
            seed: seed(),
        })
    }
}

fn check_receiver(errand: &Errand) -> Result<(), PlainError> {
    let (Errand::Send { to: Whom::User(name), .. } | Errand::Say { to: Some(name), .. }) = errand
    else {
        return Ok(());
    };
    UserName::parse(name).map(|_| ()).map_err(|error| PlainError::To(name.clone(), error))
}

fn check_text(errand: &Errand) -> Result<(), PlainError> {
    let Errand::Say { text: Some(text), .. } = errand else { return Ok(()) };
    if text.trim().is_empty() {
        return Err(PlainError::NoText);
    }
    if text.lines().any(|line| line.len() > LINE_MAX) {
        return Err(PlainError::LongText);
    }
    Ok(())
}

fn user(options: &Options) -> Result<Option<String>, PlainError> {
    let Some(name) = &options.user else {
        let account = std::env::var("USER").or_else(|_| std::env::var("USERNAME"));
        return Ok(account.ok().and_then(|name| user_from_account(&name)));
    };
    let known = UserName::parse(name).map(|_| Some(name.clone()));
    known.map_err(|error| PlainError::User(name.clone(), error))
}

fn device(options: &Options) -> Result<Option<String>, PlainError> {
    let Some(name) = &options.device else {
        return Ok(os::host_name().and_then(|name| device_from_host(&name)));
    };
    if name.len() > DEVICE_NAME_MAX || name.chars().any(is_unprintable) {
        return Err(PlainError::Device(name.clone()));
    }
    Ok(Some(name.clone()).filter(|name| !name.is_empty()))
}

/// As much of a host's name as a server takes.
pub(super) fn device_from_host(host: &str) -> Option<String> {
    let mut name: String = host.trim().chars().filter(|&c| !is_unprintable(c)).collect();
    while name.len() > DEVICE_NAME_MAX {
        name.pop();
    }
    (!name.is_empty()).then_some(name)
}

/// Whom an errand is for is known at its start: nobody types a name, at a terminal neither.
pub(super) fn named(user: Option<String>, terse: bool) -> Result<Option<String>, PlainError> {
    if user.is_none() && terse { Err(PlainError::NoUser) } else { Ok(user) }
}

/// The first line of the file, or else what the variable had.
pub(super) fn password(options: &Options) -> Result<Option<Secret<'static>>, PlainError> {
    let Some(path) = &options.password_file else {
        return Ok(options.password.clone().filter(|Secret(password)| !password.is_empty()));
    };
    match first_line(path) {
        Ok(line) => Ok(Some(Secret(line.into()))),
        Err(error) => {
            Err(PlainError::NoPassword { path: path.display().to_string(), why: why(&error) })
        }
    }
}

fn first_line(path: &Path) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(File::open(path)?.take(PASSWORD_MAX)).read_line(&mut line)?;
    let line = without_mark(&line).trim_end_matches(['\r', '\n']).to_owned();
    if line.is_empty() {
        return Err(io::Error::other("its first line is empty; write the password there"));
    }
    Ok(line)
}

/// Differs from client to client: what one sends under keys that it counts from here is never taken
/// for what another sends.
fn seed() -> u64 {
    let mut random = [0; 8];
    if os::random(&mut random).is_ok() {
        return u64::from_le_bytes(random);
    }
    // As far as clocks and processes do.
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(since_1970.subsec_nanos()) << 32
        ^ since_1970.as_secs()
        ^ u64::from(std::process::id())
}

pub(super) fn user_from_account(name: &str) -> Option<String> {
    let name: String =
        name.chars().filter(char::is_ascii_alphanumeric).take(USER_NAME_MAX).collect();
    (!name.is_empty()).then_some(name)
}

fn room(options: &Options) -> Result<Option<String>, PlainError> {
    let Some(name) = &options.room else { return Ok(None) };
    let room = RoomName::parse(name).map(|room| Some(room.to_string()));
    room.map_err(|error| PlainError::Room(name.clone(), error))
}

/// Where files are saved, and under which name if that is not their own.
fn target(options: &Options) -> Result<(PathBuf, Option<FileName>), PlainError> {
    let (option, dir, name) = match (&options.errand, &options.accept_files) {
        (Errand::Get { place: Place::Folder(dir), .. }, _) => ("--output", Some(dir.clone()), None),
        (Errand::Get { place: Place::File(path), .. }, _) => {
            let dir = path.parent().map(Path::to_owned);
            ("--output", dir, Some(file_name(path)?))
        }
        // Known when there is a connection, so that nothing is made for a server that is not there.
        (Errand::Get { place: Place::Output, .. }, _) => return Ok((PathBuf::new(), None)),
        (_, Some(dir)) => ("--accept-files", Some(dir.clone()), None),
        (_, None) => ("--output", options.folder.clone(), None),
    };
    match dir {
        Some(dir) if !(dir.as_os_str().is_empty() || dir.is_dir()) => {
            Err(PlainError::NoFolder { option, path: dir.display().to_string() })
        }
        dir => Ok((dir.unwrap_or_default(), name)),
    }
}

fn file_name(path: &Path) -> Result<FileName, PlainError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hidden = name.starts_with('.');
    match FileName::parse(&name) {
        Ok(name) if !hidden => Ok(name),
        Ok(_) | Err(_) => Err(PlainError::BadOutput(path.display().to_string())),
    }
}
