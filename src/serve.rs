//! I/O. What stands around the reactor: the folder, the lock, the log and the words at the start.
//!
//! Refuses to know connections and chat. The rule it keeps: whatever can be wrong at the start is
//! found before anybody is served, and ends in one line and an exit code.

pub(crate) mod fit;

use self::fit::{Misfit, Survey};
use crate::address::Address;
use crate::config::{Config, Mistake};
use crate::engine::Setup;
use crate::facts::{ServerFact, TroubleFact};
use crate::files::{self, Disk};
use crate::id::millis;
use crate::job::{Catalogue, Half, StoreJob, StoreOutcome, StoredFile};
use crate::limits::DESCRIPTORS_KEPT;
use crate::logging::{self, Log, LogFormat};
use crate::message::{Digest, visible, without_mark};
use crate::os::{self, FolderLock};
use crate::reactor::{self, Reactor};
use crate::store::{self, Sqlite, Store as _};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Longest configuration file that is read; a device or a wrong name shall not fill the memory.
const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// Width of the lines that list the settings.
const WIDTH: usize = 78;

/// Why a server did not start, or stopped. One line each.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An option, a variable or the file is wrong.
    #[error(transparent)]
    Mistake(#[from] Mistake),
    /// The folder for the data cannot be made.
    #[error("cannot make the data folder {}: {error}; choose another with --data", shown(path))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The folder cannot be written to or locked.
    #[error("cannot lock {}: {error}; choose another folder with --data", shown(path))]
    Lock {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another server works in the folder.
    #[error("another server uses {}; stop it, or choose another folder with --data", shown(path))]
    Held {
        /// The folder.
        path: PathBuf,
    },
    /// The log cannot be opened.
    #[error("cannot open the log {}: {error}; choose another with --log", shown(path))]
    Log {
        /// The log file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The store cannot be opened.
    #[error("the store in {}: {}", shown(path), visible(&error.to_string()))]
    Store {
        /// The folder that it is in.
        path: PathBuf,
        /// What is wrong with it.
        error: store::StoreError,
    },
    /// The store and the files do not fit.
    #[error("in {}: {misfit}", shown(path))]
    Misfit {
        /// The folder that they are in.
        path: PathBuf,
        /// How.
        misfit: Misfit,
    },
    /// The store cannot be read.
    #[error("cannot read the store: {}", visible(_0))]
    Read(String),
    /// The reactor cannot start or keep running.
    #[error(transparent)]
    Reactor(#[from] reactor::ReactorError),
}

impl ServeError {
    /// The exit code of the process; 78 is `EX_CONFIG` of sysexits.h.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Mistake(_) => 78,
            Self::Folder { .. }
            | Self::Lock { .. }
            | Self::Held { .. }
            | Self::Log { .. }
            | Self::Store { .. }
            | Self::Misfit { .. }
            | Self::Read(_)
            | Self::Reactor(_) => 1,
        }
    }
}

/// Runs a server until it is told to end; `options` are keys and values of the command line.
///
/// # Errors
/// Why it did not start, or why it stopped.
pub fn run(options: Vec<(String, String)>) -> Result<(), ServeError> {
    let descriptors = os::raise_descriptor_limit();
    let mut config = Config::resolve(options, std::env::vars_os(), read_config, descriptors)?;
    make_absolute(&mut config);
    // Held until the end of the process; the log's drop is what writes out its rest.
    let _lock = lock_folder(&config.data)?;
    let format = if config.log_lines { LogFormat::Line } else { LogFormat::Json };
    let is_watched = is_watched(&config.log);
    let _log = Log::open_and_show(&config.log, config.log_level, format, is_watched)
        .map_err(|error| ServeError::Log { path: config.log.clone(), error })?;
    note_descriptors(config.limits.connections, descriptors);
    react(&config)
}

/// What `parlor config show` prints: every setting in force, and where it comes from.
///
/// # Errors
/// A mistake in one of them.
pub fn show_config(options: Vec<(String, String)>) -> Result<String, Mistake> {
    let descriptors = os::raise_descriptor_limit();
    let (mut config, places) =
        Config::traced(options, std::env::vars_os(), read_config, descriptors)?;
    make_absolute(&mut config);
    Ok(config.shown(&places))
}

/// Whether somebody at a terminal is to see what happens, and does not see it in the log already.
fn is_watched(log: &Path) -> bool {
    let is_log_here = log == Path::new(logging::STANDARD_ERROR) && io::stderr().is_terminal();
    io::stdout().is_terminal() && !is_log_here
}

/// Listens, says so, and serves until told to stop.
fn react(config: &Config) -> Result<(), ServeError> {
    let log_bodies = config.log_level >= log::LevelFilter::Debug;
    let mut store = open_store(&config.data)?;
    let (disk, halves, catalogue) = open_files(config, &mut store)?;
    let setup = Setup {
        server: concat!("parlor ", env!("CARGO_PKG_VERSION")).to_owned(),
        limits: config.limits.clone(),
        policy: config.policy,
        log_bodies,
        directory: store.directory().map_err(ServeError::Read)?,
        token_key: store.token_key().map_err(ServeError::Read)?,
        run: run_number(),
        catalogue,
        halves,
    };
    let reactor = Reactor::bind(&config.listen, setup, disk, Box::new(store))?;
    announce(&reactor.addresses(), config);
    let report = reactor.run()?;
    let shown = ServerFact::Report { report: report.clone() }.into();
    logging::note(ServerFact::Stopped { report }.into());
    let _ = writeln!(io::stdout(), "parlor stopped: {}", logging::Words(&shown));
    Ok(())
}

/// Another one at each start.
fn run_number() -> u64 {
    let mut random = [0; 8];
    match os::random(&mut random) {
        Ok(()) => u64::from_le_bytes(random),
        // The time of the start will do: it is no secret.
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
    }
}

/// Opens the store, or makes one where there never was one.
fn open_store(data: &Path) -> Result<Sqlite, ServeError> {
    let path = || data.to_owned();
    fit::check_missing(data)
        .map_err(|error| ServeError::Folder { path: path(), error })?
        .map_err(|misfit| ServeError::Misfit { path: path(), misfit })?;
    Sqlite::open(data).map_err(|error| ServeError::Store { path: path(), error })
}

/// Sets aside from the folder of files what no record names, unless some records cannot be read,
/// and leaves out of the catalogue what has no content.
fn open_files(
    config: &Config,
    store: &mut Sqlite,
) -> Result<(Disk, Vec<Half>, Catalogue), ServeError> {
    let path = || config.data.clone();
    let trouble = |error| ServeError::Store { path: path(), error };
    let folder = |error| ServeError::Folder { path: path(), error };
    let mut catalogue = store.files().map_err(ServeError::Read)?;
    let survey = Survey::new(&config.data, store, &catalogue).map_err(trouble)?;
    survey.judge().map_err(|misfit| ServeError::Misfit { path: path(), misfit })?;
    let now_ms = wall_ms();
    let fate = |content: &Digest| survey.fate(content);
    let (mut disk, halves) = Disk::open(&config.data, now_ms, fate).map_err(folder)?;
    disk.keep_free(config.limits.files_free_bytes);
    note_aside(&disk);
    let id = store.begin_generation(survey.next_generation()).map_err(trouble)?;
    files::write_mark(&config.data, id).map_err(folder)?;
    leave_out_lost(&mut catalogue, &survey.missing, store, now_ms)?;
    Ok((disk, halves, catalogue))
}

/// Leaves out files whose content is not there: somebody has cleaned up by hand, or it is in
/// another backup. The store forgets them when they expire, should it not come back before.
fn leave_out_lost(
    catalogue: &mut Catalogue,
    missing: &BTreeSet<Digest>,
    store: &mut Sqlite,
    now_ms: u64,
) -> Result<(), ServeError> {
    let is_lost = |file: &mut StoredFile| missing.contains(&file.line.hash);
    let lost: Vec<_> = catalogue.files.extract_if(.., is_lost).collect();
    for StoredFile { line, .. } in &lost {
        let (transfer, name, from) = (line.transfer, line.name.clone(), line.from);
        logging::note(TroubleFact::ContentLost { transfer, name, from }.into());
    }
    let over = lost.iter().filter(|file| file.line.until <= now_ms);
    let job = |file: &StoredFile| StoreJob::RemoveFile { transfer: file.line.transfer };
    let jobs: Vec<_> = over.map(job).collect();
    match store.commit(&jobs).into_iter().find(|outcome| *outcome != StoreOutcome::Done) {
        Some(StoreOutcome::Failed(why)) => Err(ServeError::Read(why)),
        _ => Ok(()),
    }
}

/// Tells of contents that no file needs.
fn note_aside(disk: &Disk) {
    let bytes = disk.aside_bytes();
    if bytes > 0 {
        let why = format!(
            "contents of {bytes} bytes that no file has are set aside in files/.aside for a day"
        );
        logging::note(TroubleFact::WorkerTrouble { why }.into());
    }
}

pub(crate) fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

/// Tells standard output and the log where the server listens; called once it does. A standard
/// output that is closed is no reason to end.
fn announce(bound: &[Address], config: &Config) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(banner(bound, config).as_bytes()).and_then(|()| out.flush());
    let (addresses, version) = (joined(bound), env!("CARGO_PKG_VERSION"));
    logging::note(ServerFact::Listening { addresses, version }.into());
}

/// The words at the start: where the server listens, where its data and its log are, what is not
/// the default, how to connect. Plain lines for people, journals and scripts alike.
#[must_use]
pub fn banner(bound: &[Address], config: &Config) -> String {
    let mut text = format!("parlor {} listens on {}\n", env!("CARGO_PKG_VERSION"), joined(bound));
    let _ = writeln!(text, "data:     {}", shown(&config.data));
    let is_on_screen = config.log == Path::new(logging::STANDARD_ERROR);
    let log = if is_on_screen { "standard error".to_owned() } else { shown(&config.log) };
    let _ = writeln!(text, "log:      {log}");
    text += &listed("settings: ", settings(config).into_iter());
    for address in bound.iter().filter(|address| is_of_a_network(address)) {
        let _ = writeln!(text, "note:     what is said through {address} is not encrypted");
    }
    if let Some((address, netcat)) = bound.first().and_then(calls) {
        let connect = format!("parlor chat {address} --user NAME");
        let _ = writeln!(text, "connect:  {connect}   or: nc {netcat}, then /login NAME");
    }
    text
}

/// What is not the default, and where the rest is shown.
fn settings(config: &Config) -> Vec<String> {
    let changed = config.changed();
    let rest = if changed.is_empty() { "all by default" } else { "the rest by default" };
    let changed = changed.into_iter().map(|(key, value)| format!("{key} {value}"));
    changed.chain([format!("{rest} (parlor config show)")]).collect()
}

/// Whether others than this machine may reach it.
fn is_of_a_network(address: &Address) -> bool {
    matches!(address, Address::Net(address) if !address.ip().is_loopback())
}

/// How a server is called from this machine: by its clients, and by netcat.
fn calls(bound: &Address) -> Option<(String, String)> {
    match bound {
        Address::Net(address) => {
            let address = from_here(address);
            Some((address.to_string(), format!("{} {}", address.ip(), address.port())))
        }
        Address::Unix(path) => Some((shown_address(bound), format!("-U {}", shown(path)))),
        Address::Host(_) => None,
    }
}

fn joined(addresses: &[Address]) -> String {
    addresses.iter().map(shown_address).collect::<Vec<_>>().join(", ")
}

fn shown_address(address: &Address) -> String {
    visible(&address.to_string()).into_owned()
}

/// Items with commas between, in lines of bearable width; the first begins with `title`.
fn listed(title: &str, items: impl Iterator<Item = String>) -> String {
    let mut text = title.to_owned();
    let mut width = title.len();
    let mut items = items.peekable();
    while let Some(item) = items.next() {
        if width > title.len() && width + item.len() >= WIDTH {
            text.truncate(text.trim_end().len());
            let _ = write!(text, "\n{:indent$}", "", indent = title.len());
            width = title.len();
        }
        let end = if items.peek().is_some() { ", " } else { "" };
        width += item.len() + end.len();
        text += &item;
        text += end;
    }
    text + "\n"
}

/// How this machine itself reaches a server that listens there: "any address" is none to call.
fn from_here(bound: &SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, bound.port())
}

fn shown(path: &Path) -> String {
    visible(&path.display().to_string()).into_owned()
}

/// The text of a configuration file.
///
/// # Errors
/// Those of the system, and that it is too long to be one.
pub(crate) fn read_config(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > CONFIG_BYTES_MAX {
        return Err(io::Error::other("it is longer than 1MiB"));
    }
    Ok(without_mark(&text).to_owned())
}

/// People shall find what the banner names, wherever they stand.
fn make_absolute(config: &mut Config) {
    let sockets = config.listen.iter_mut().filter_map(|address| match address {
        Address::Unix(path) => Some(path),
        Address::Net(_) | Address::Host(_) => None,
    });
    let log = Some(&mut config.log).filter(|log| *log != Path::new(logging::STANDARD_ERROR));
    for path in std::iter::once(&mut config.data).chain(log).chain(sockets) {
        if let Ok(absolute) = std::path::absolute(&*path) {
            *path = absolute;
        }
    }
}

/// Makes the folder if need be and locks it. The lock ends with the process, however it ends.
fn lock_folder(folder: &Path) -> Result<FolderLock, ServeError> {
    let path = || folder.to_owned();
    os::create_private_dir(folder).map_err(|error| ServeError::Folder { path: path(), error })?;
    let lock = FolderLock::take(folder);
    let lock = lock.map_err(|error| ServeError::Lock { path: path(), error })?;
    let lock = lock.ok_or_else(|| ServeError::Held { path: path() })?;
    lock.note_process();
    Ok(lock)
}

/// More connections than descriptors is no mistake, for nobody may ever come; but worth a word.
fn note_descriptors(connections: u64, descriptors: u64) {
    let needed = connections.saturating_add(DESCRIPTORS_KEPT);
    if needed > descriptors {
        let fact = ServerFact::FewDescriptors { connections, needed, descriptors }.into();
        let _ = writeln!(io::stderr(), "parlor: note: {}", logging::Words(&fact));
        logging::note(fact);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TransferId;
    use crate::message::{FileLine, FileName, Target, UserName};

    fn config(data: &str) -> Config {
        let options = [("data".to_owned(), data.to_owned())];
        Config::resolve(options, [], |_| Ok(String::new()), 1 << 20).unwrap()
    }

    fn listened(addresses: &[&str]) -> Vec<Address> {
        addresses.iter().map(|text| Address::parse(text).unwrap()).collect()
    }

    #[test]
    fn the_banner_is_five_lines_where_what_and_how() {
        let text = banner(&listened(&["127.0.0.1:4711", "[::1]:4712"]), &config("/srv/a\x1b[2Jb"));
        let expected = format!(
            "parlor {} listens on 127.0.0.1:4711, [::1]:4712
data:     /srv/a\\x1b[2Jb
log:      /srv/a\\x1b[2Jb{}parlor.log
settings: all by default (parlor config show)
connect:  parlor chat 127.0.0.1:4711 --user NAME   or: nc 127.0.0.1 4711, then /login NAME
",
            env!("CARGO_PKG_VERSION"),
            std::path::MAIN_SEPARATOR
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn the_banner_names_what_is_not_the_default() {
        let options = [("room-members", "40"), ("accounts-guests", "false"), ("log", "-")];
        let options = options.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let config = Config::resolve(options, [], |_| Ok(String::new()), 1 << 20).unwrap();
        let text = banner(&listened(&["127.0.0.1:1"]), &config);
        let expected = "log:      standard error\n\
                        settings: accounts-guests false, room-members 40, the rest by default\n";
        let text = text.replace(" (parlor config show)", "").replace("\n          ", " ");
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn who_listens_everywhere_is_called_at_home_and_warned() {
        let text = banner(&listened(&["0.0.0.0:1", "[::]:2"]), &config("/d"));
        assert!(text.contains("connect:  parlor chat 127.0.0.1:1 --user NAME "), "{text}");
        assert!(text.contains("through 0.0.0.0:1 is not encrypted\n"), "{text}");
        assert!(text.contains("through [::]:2 is not encrypted\n"), "{text}");
        let text = banner(&listened(&["[::]:2"]), &config("/d"));
        assert!(text.contains("or: nc ::1 2, then /login NAME\n"), "{text}");
    }

    #[test]
    fn a_socket_in_the_file_system_is_called_by_its_path_and_needs_no_warning() {
        let text = banner(&listened(&["unix:/run/parlor.sock"]), &config("/d"));
        let connect = "connect:  parlor chat unix:/run/parlor.sock --user NAME ";
        assert!(text.contains(connect), "{text}");
        assert!(text.contains("or: nc -U /run/parlor.sock, then"), "{text}");
        assert!(!text.contains("not encrypted"), "{text}");
    }

    #[test]
    fn a_folder_has_one_server_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("new/data");
        let lock = lock_folder(&folder).unwrap();
        let second = lock_folder(&folder).unwrap_err();
        assert!(matches!(second, ServeError::Held { .. }), "{second}");
        drop(lock);
        assert!(lock_folder(&folder).is_ok());
    }

    /// A data folder with a store of files `(number, content, until)`.
    fn with_files(dir: &Path, files: &[(u32, u8, u64)]) -> Sqlite {
        let mut store = Sqlite::open(dir).unwrap();
        let stored = |&(number, content, until): &(u32, u8, u64)| {
            let line = FileLine {
                transfer: TransferId(number),
                from: UserName::parse("alice").unwrap(),
                to: Target::Public,
                name: FileName::parse("f").unwrap(),
                size: 1,
                hash: Digest([content; 32]),
                sha256: Digest([content; 32]),
                at: 0,
                until,
            };
            StoreJob::AddFile(Box::new(StoredFile { line, owner: None, receiver: None }))
        };
        store.commit(&files.iter().map(stored).collect::<Vec<_>>());
        store
    }

    fn numbers(catalogue: &Catalogue) -> Vec<u32> {
        catalogue.files.iter().map(|file| file.line.transfer.0).collect()
    }

    fn put(dir: &Path, content: u8) {
        std::fs::create_dir_all(dir.join("files")).unwrap();
        std::fs::write(dir.join("files").join(Digest([content; 32]).to_string()), "x").unwrap();
    }

    #[test]
    fn a_file_without_content_is_left_out_and_forgotten_when_it_expires() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path().to_str().unwrap());
        let later = u64::MAX / 4;
        let files = [(1, 1, later), (2, 2, later), (3, 3, later), (4, 4, 1), (5, 5, later)];
        let mut store = with_files(dir.path(), &files);
        [2, 3, 5].into_iter().for_each(|content| put(dir.path(), content));
        let (_, _, catalogue) = open_files(&config, &mut store).unwrap();
        assert_eq!(numbers(&catalogue), [2, 3, 5]);
        assert_eq!(numbers(&store.files().unwrap()), [1, 2, 3, 5]);
        // It is back.
        put(dir.path(), 1);
        let (_, _, catalogue) = open_files(&config, &mut store).unwrap();
        assert_eq!(numbers(&catalogue), [1, 2, 3, 5]);
    }

    #[test]
    fn what_was_removed_goes_and_what_no_record_names_is_set_aside_until_one_does() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path().to_str().unwrap());
        let later = u64::MAX / 4;
        let mut store = with_files(dir.path(), &[(1, 1, later), (2, 2, later)]);
        [1, 2].into_iter().for_each(|content| put(dir.path(), content));
        // The first start has nothing to say about a content that is not named.
        drop(open_files(&config, &mut store).unwrap());
        put(dir.path(), 3);
        // The server dies before it has deleted the content.
        store.commit(&[StoreJob::RemoveFile { transfer: TransferId(2) }]);
        let (disk, _, _) = open_files(&config, &mut store).unwrap();
        let names = |folder: &str| {
            let entries = std::fs::read_dir(dir.path().join(folder)).unwrap();
            let mut names: Vec<_> =
                entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let name = |content| Digest([content; 32]).to_string();
        assert_eq!(names("files"), [".aside".to_owned(), ".store".to_owned(), name(1)]);
        assert_eq!(names("files/.aside"), [name(3)]);
        assert_eq!(disk.aside_bytes(), 1);
        drop(store);
        let mut store = with_files(dir.path(), &[(3, 3, later)]);
        let (disk, _, catalogue) = open_files(&config, &mut store).unwrap();
        assert_eq!(numbers(&catalogue), [1, 3]);
        assert_eq!(names("files"), [".aside".to_owned(), ".store".to_owned(), name(1), name(3)]);
        assert!(names("files/.aside").is_empty() && disk.aside_bytes() == 0);
    }

    #[test]
    fn an_endless_configuration_file_is_refused() {
        let error = read_config(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), "it is longer than 1MiB");
    }
}
