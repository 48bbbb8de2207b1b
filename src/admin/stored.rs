//! `parlor store`: a copy of what a server stores, and decisions about the files on its disk.
//!
//! Refuses to know how a file is judged (`adopt.rs`, `gc.rs`).

use clap::{Arg, ArgMatches, Command};

use super::adopt::{adopt, adopt_command};
use super::gc::{gc, gc_command};
use super::{AdminError, Opened, file, path, say, shown, with_data};

const STORE_AFTER: &str = "\
Examples:
  parlor store backup /backup/parlor.db
  parlor store files gc --dry-run

Exit codes: docs/server.md";

const FILES_AFTER: &str = "\
Examples:
  parlor store files gc --dry-run
  parlor store files adopt --dry-run

Exit codes: docs/server.md";

const BACKUP_AFTER: &str = "\
The content of files is not in the copy: copy DATA/files/ as well.

Example:
  parlor store backup /backup/parlor.db";

/// `parlor store`, for clap.
pub(super) fn store_command() -> Command {
    let files = Command::new("files")
        .about("Decide about the files on the server's disk")
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .after_help(FILES_AFTER)
        .subcommand(adopt_command())
        .subcommand(gc_command());
    Command::new("store")
        .about("Back up what the server stores, and clean it up")
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .after_help(STORE_AFTER)
        .subcommand(backup_command())
        .subcommand(files)
}

/// `parlor store backup`, for clap.
pub(super) fn backup_command() -> Command {
    let to = Arg::new("file").value_name("FILE").required(true).value_parser(path());
    let backup = Command::new("backup")
        .about("Copy the store to a new file, also while the server runs")
        .after_help(BACKUP_AFTER)
        .arg(to.help("The copy; an existing file is never overwritten"));
    with_data(backup)
}

/// Does `parlor store`.
///
/// # Errors
/// Why it was not done.
pub fn store(matches: &ArgMatches) -> Result<(), AdminError> {
    let Some((name, options)) = matches.subcommand() else { return Ok(()) };
    match options.subcommand() {
        None if name == "backup" => backup(options),
        Some(("adopt", options)) => adopt(options),
        Some((_, options)) => gc(options),
        None => Ok(()),
    }
}

/// Does `parlor store backup`.
///
/// # Errors
/// Why it was not done.
pub fn backup(options: &ArgMatches) -> Result<(), AdminError> {
    let to = file(options);
    let mut opened = Opened::existing(options)?;
    opened.store.backup(&to).map_err(|error| AdminError::Backup { path: to.clone(), error })?;
    say(&format!("backed up to {}", shown(&to)));
    Ok(())
}
