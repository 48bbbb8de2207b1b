//! I/O. What the owner of a server does to its store on a command line: users, backups, files.
//!
//! Refuses to know whether a server runs: SQLite lets both work on the file, and the server looks
//! once a second. The rules it keeps: a password is never an argument, where every process of the
//! machine would see it; an import is read and checked to its end before any of it is written.

mod adopt;
mod gc;
mod input;
mod stored;

pub use gc::{gc, gc_command};
pub use stored::{backup, store};
use stored::{backup_command, store_command};

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::{self, Config, Mistake};
use crate::job::{PasswordJob, PasswordOutcome, StoreJob, StoreOutcome};
use crate::limits::STORE_BUSY;
use crate::message::{Refusal, UserName, visible};
use crate::os::{self, FolderLock};
use crate::passwords::Hasher;
use crate::serve::{
    self,
    fit::{self, Misfit},
};
use crate::store::{FILE, Import, Imported, Sqlite, Store as _, StoreError};

const USER_AFTER: &str = "\
Examples:
  parlor user add alice
  parlor user list --data /srv/parlor
  parlor user import accounts.txt

At a terminal you are asked for the password; elsewhere it is read from PARLOR_PASSWORD, or from \
the first line of --password-file. Exit codes: docs/server.md";

const IMPORT_AFTER: &str = "\
Each line is an account: its name, a space, and its password to the end of the line. Either all \
accounts are made or none.

Example:
  parlor user import accounts.txt";

/// How often a store that somebody else makes is looked for.
const MAKE_LOOK: Duration = Duration::from_millis(10);

/// Why a command was not done. One line each.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The command line, a variable or the configuration.
    #[error("{0}")]
    Usage(String),
    /// As in a configuration for a server.
    #[error(transparent)]
    Mistake(#[from] Mistake),
    /// Something that is read: a file, standard input, the terminal.
    #[error("cannot read {what}: {error}")]
    Read {
        /// What.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// A line of an import.
    #[error("{file} line {line}: {what}; nothing was imported")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The store cannot be used.
    #[error("the store {}: {error}", shown(path))]
    Store {
        /// Where it is or should be.
        path: PathBuf,
        /// What is wrong.
        error: String,
    },
    /// A server uses the folder.
    #[error(
        "a server uses {} and removes what can go by itself; stop it first, or use --dry-run",
        shown(path)
    )]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A server uses the folder.
    #[error("a server uses {}; stop it first", shown(path))]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// Store and files do not fit.
    #[error("in {}: {misfit}", shown(path))]
    Misfit {
        /// The folder.
        path: PathBuf,
        /// How.
        misfit: Misfit,
    },
    /// A backup cannot be written.
    #[error("cannot back up to {}: {error}", shown(path))]
    Backup {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: StoreError,
    },
    /// The password cannot be hashed.
    #[error("{0}")]
    Hash(String),
    /// There is an account of that name.
    #[error("the name {0} is taken; {1}")]
    Taken(UserName, &'static str),
    /// There is none.
    #[error("there is no user {0}")]
    NoSuchUser(UserName),
}

impl AdminError {
    /// The exit code of the process.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Store { .. }
            | Self::Backup { .. }
            | Self::Busy { .. }
            | Self::InUse { .. }
            | Self::Misfit { .. }
            | Self::Hash(_) => 1,
            Self::Usage(_) | Self::Mistake(_) | Self::Read { .. } | Self::Line { .. } => 2,
            Self::Taken(..) | Self::NoSuchUser(_) => 3,
        }
    }
}

/// `parlor user` and `parlor store`, for clap, and the old name of a command of the latter.
#[must_use]
pub fn commands() -> [Command; 3] {
    let user = Command::new("user")
        .about("Make, change, list and remove accounts, also while the server runs")
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .after_help(USER_AFTER)
        .subcommand(with_password(named("add", "Make an account")))
        .subcommand(with_password(named("passwd", "Change the password of an account")))
        .subcommand(named("remove", "Remove an account, its blocks and the messages kept for it"))
        .subcommand(list_command())
        .subcommand(import_command());
    [user, store_command(), backup_command().hide(true)]
}

fn list_command() -> Command {
    with_data(Command::new("list").about("Print the names, one per line"))
        .after_help("Example:\n  parlor user list --data /srv/parlor")
}

fn import_command() -> Command {
    let file = Arg::new("file").value_name("FILE").required(true).value_parser(path());
    let replace = Arg::new("replace").long("replace").action(ArgAction::SetTrue);
    with_data(Command::new("import").about("Make many accounts at once"))
        .after_help(IMPORT_AFTER)
        .arg(file.help("Lines of names and passwords; - is standard input"))
        .arg(replace.help("Change the passwords of accounts that exist"))
}

fn named(command: &'static str, about: &'static str) -> Command {
    let name = Arg::new("name").value_name("NAME").required(true);
    with_data(Command::new(command).about(about))
        .after_help(format!("Example:\n  parlor user {command} alice"))
        .arg(name.help("1 to 16 letters and digits"))
}

fn with_data(command: Command) -> Command {
    command.args(config::data_options())
}

/// Besides the file for a password, the places where one does not belong, so that it is neither
/// used nor shown in a complaint.
fn with_password(command: Command) -> Command {
    let file = Arg::new("password-file").long("password-file").value_name("FILE");
    let stray = Arg::new("stray").num_args(0..).hide(true);
    let option = Arg::new("password").long("password").num_args(0..).hide(true);
    command
        .arg(file.value_parser(path()).help("Take the password from the first line of this file"))
        .args([stray, option])
}

fn path() -> clap::builder::ValueParser {
    clap::value_parser!(PathBuf)
}

/// Does `parlor user`.
///
/// # Errors
/// Why it was not done.
pub fn user(matches: &ArgMatches) -> Result<(), AdminError> {
    let (command, options) = matches.subcommand().unwrap_or(("", matches));
    match command {
        "add" => add(options),
        "passwd" => passwd(options),
        "remove" => remove(options),
        "import" => import(options),
        _ => list(options),
    }
}

fn add(options: &ArgMatches) -> Result<(), AdminError> {
    no_argument(options)?;
    let name = name(options)?;
    let taken = || AdminError::Taken(name, "parlor user passwd changes its password");
    // Nobody shall think of a password in vain; and without one no store is made.
    if let Ok(mut opened) = Opened::existing(options)
        && opened.directory()?.accounts.iter().any(|account| account.name == name)
    {
        return Err(taken());
    }
    let hash = hash(&new_password(options)?)?;
    if Opened::new(options)?.commit(StoreJob::Create { name, hash })? == StoreOutcome::Exists {
        return Err(taken());
    }
    say(&format!("added {name}"));
    Ok(())
}

fn passwd(options: &ArgMatches) -> Result<(), AdminError> {
    no_argument(options)?;
    let name = name(options)?;
    let mut opened = Opened::existing(options)?;
    let directory = opened.directory()?;
    let account = directory.accounts.iter().find(|account| account.name == name);
    let account = account.ok_or(AdminError::NoSuchUser(name))?.id;
    let hash = hash(&new_password(options)?)?;
    if opened.commit(StoreJob::SetHash { account, hash })? == StoreOutcome::NoAccount {
        return Err(AdminError::NoSuchUser(name));
    }
    say(&format!("changed the password of {name}"));
    Ok(())
}

fn remove(options: &ArgMatches) -> Result<(), AdminError> {
    let name = name(options)?;
    let mut opened = Opened::existing(options)?;
    let removed = opened.store.remove(name);
    if !removed.map_err(|error| opened.trouble(error))? {
        return Err(AdminError::NoSuchUser(name));
    }
    say(&format!("removed {name}"));
    Ok(())
}

fn list(options: &ArgMatches) -> Result<(), AdminError> {
    let directory = Opened::existing(options)?.directory()?;
    let mut names: Vec<UserName> =
        directory.accounts.into_iter().map(|account| account.name).collect();
    names.sort_by_key(|name| name.as_str().to_ascii_lowercase());
    names.iter().for_each(|name| say(name.as_str()));
    Ok(())
}

fn import(options: &ArgMatches) -> Result<(), AdminError> {
    let read = input::read_accounts(&file(options))?;
    let how = if options.get_flag("replace") { Import::Replace } else { Import::NewOnly };
    let mut opened = Opened::new(options)?;
    if how == Import::NewOnly {
        // Found out before minutes of hashing; what matters is that the import looks again.
        let known = opened.directory()?.accounts;
        let is_known = |name: UserName| known.iter().any(|account| account.name == name);
        if let Some((name, _)) = read.iter().find(|(name, _)| is_known(*name)) {
            return Err(taken(*name));
        }
    }
    let mut hasher = Hasher::new();
    let accounts = read
        .into_iter()
        .map(|(name, password)| Ok((name, hash_with(&mut hasher, password)?)))
        .collect::<Result<Vec<_>, AdminError>>()?;
    let imported = opened.store.import(&accounts, how);
    match imported.map_err(|error| opened.trouble(error))? {
        Imported::Taken(name) => Err(taken(name)),
        Imported::All => {
            let users = if accounts.len() == 1 { "user" } else { "users" };
            say(&format!("imported {} {users}", accounts.len()));
            Ok(())
        }
    }
}

fn taken(name: UserName) -> AdminError {
    AdminError::Taken(name, "nothing was imported; --replace gives such names the new password")
}

/// The store, and where it is.
struct Opened {
    store: Sqlite,
    path: PathBuf,
}

impl Opened {
    /// Made if need be.
    fn new(options: &ArgMatches) -> Result<Self, AdminError> {
        let path = data(options)?;
        match fit::check_missing(&path) {
            Ok(Ok(())) if !path.join(FILE).exists() => {
                let _lock = lock_to_make(&path)?;
                Self::open(options, Sqlite::open)
            }
            Ok(Ok(())) => Self::open(options, Sqlite::open),
            Ok(Err(misfit)) => Err(AdminError::Misfit { path, misfit }),
            Err(error) => Err(read_error(&path, error)),
        }
    }

    fn existing(options: &ArgMatches) -> Result<Self, AdminError> {
        Self::open(options, Sqlite::open_existing)
    }

    fn open(
        options: &ArgMatches,
        open: fn(&Path) -> Result<Sqlite, StoreError>,
    ) -> Result<Self, AdminError> {
        let data = data(options)?;
        let path = data.join(FILE);
        match open(&data) {
            Ok(store) => Ok(Self { store, path }),
            Err(error) => Err(AdminError::Store { path, error: error.to_string() }),
        }
    }

    fn trouble(&self, error: impl ToString) -> AdminError {
        AdminError::Store { path: self.path.clone(), error: error.to_string() }
    }

    fn directory(&mut self) -> Result<crate::job::Directory, AdminError> {
        let directory = self.store.directory().map_err(|error| self.trouble(error))?;
        for text in self.store.troubles() {
            let _ = writeln!(io::stderr(), "parlor: note: {text}");
        }
        Ok(directory)
    }

    fn commit(&mut self, job: StoreJob) -> Result<StoreOutcome, AdminError> {
        match self.store.commit(&[job]).pop() {
            Some(StoreOutcome::Failed(error)) => Err(self.trouble(error)),
            Some(outcome) => Ok(outcome),
            None => Err(self.trouble("it did not answer")),
        }
    }
}

/// Keeps others from making a store at the same moment; whoever finds it made needs no lock. They
/// are waited for.
fn lock_to_make(data: &Path) -> Result<Option<FolderLock>, AdminError> {
    os::create_private_dir(data).map_err(|error| read_error(data, error))?;
    let until = Instant::now() + STORE_BUSY;
    loop {
        let lock = FolderLock::take(data).map_err(|error| read_error(data, error))?;
        if lock.is_some() || data.join(FILE).exists() {
            return Ok(lock);
        }
        if Instant::now() >= until {
            return Err(AdminError::InUse { path: data.to_owned() });
        }
        std::thread::sleep(MAKE_LOOK);
    }
}

fn read_error(path: &Path, error: io::Error) -> AdminError {
    AdminError::Read { what: shown(path), error }
}

/// The folder that a command is about.
fn data(options: &ArgMatches) -> Result<PathBuf, AdminError> {
    let (given, env) = (config::given(options), std::env::vars_os());
    Ok(Config::resolve(given, env, serve::read_config, u64::MAX)?.data)
}

fn name(options: &ArgMatches) -> Result<UserName, AdminError> {
    let given = options.get_one::<String>("name").map(String::as_str).unwrap_or_default();
    UserName::parse(given)
        .map_err(|error| AdminError::Usage(Refusal::BadUserName(error).to_string()))
}

fn file(options: &ArgMatches) -> PathBuf {
    options.get_one::<PathBuf>("file").cloned().unwrap_or_default()
}

/// Refuses a password where it does not belong.
fn no_argument(options: &ArgMatches) -> Result<(), AdminError> {
    if ["stray", "password"].iter().any(|id| options.contains_id(id)) {
        let why = "a password on a command line can be read by everybody on this machine; \
                   leave it out and be asked, or set PARLOR_PASSWORD, or give --password-file";
        return Err(AdminError::Usage(why.to_owned()));
    }
    Ok(())
}

/// The password that a command is to set.
fn new_password(options: &ArgMatches) -> Result<String, AdminError> {
    input::new_password(options.get_one::<PathBuf>("password-file").map(PathBuf::as_path))
}

fn hash(password: &str) -> Result<String, AdminError> {
    hash_with(&mut Hasher::new(), password.to_owned())
}

fn hash_with(hasher: &mut Hasher, password: String) -> Result<String, AdminError> {
    match hasher.run(&PasswordJob::Hash { password }) {
        PasswordOutcome::Hash(hash) => Ok(hash),
        PasswordOutcome::Failed(text) => Err(AdminError::Hash(text)),
        PasswordOutcome::Right | PasswordOutcome::Wrong => {
            Err(AdminError::Hash("no hash came of it".to_owned()))
        }
    }
}

/// A line on standard output; one that is closed is no mistake.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn shown(path: &Path) -> String {
    visible(&path.display().to_string()).into_owned()
}
