//! `parlor store files adopt`: the owner says that the files in the folder are those of the store
//! beside them, though a server would not believe it.
//!
//! The rules it keeps: no content is removed, what no record names is set aside for a day; files
//! whose content is not there are forgotten, each with a line.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::gc::trouble;
use super::{AdminError, Opened, say, with_data};
use crate::files::{self, Disk, Fate};
use crate::job::{Catalogue, StoreJob};
use crate::message::{Digest, visible};
use crate::os::FolderLock;
use crate::serve::{fit::Survey, wall_ms};
use crate::store::{Sqlite, Store as _};

const AFTER: &str = "\
For a store or files that were restored, moved or lost: a server refuses to start with them. No \
server may use the folder.

Example:
  parlor store files adopt --dry-run";

/// `parlor store files adopt`, for clap.
pub(super) fn adopt_command() -> Command {
    let dry = Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue);
    with_data(Command::new("adopt"))
        .about("Say that the files in the folder belong to the store beside them")
        .after_help(AFTER)
        .arg(dry.help("Only list what would be done"))
}

/// Does `parlor store files adopt`.
///
/// # Errors
/// Why it was not done.
pub(super) fn adopt(options: &ArgMatches) -> Result<(), AdminError> {
    let dry = options.get_flag("dry-run");
    let data = super::data(options)?;
    let held = FolderLock::take(&data).map_err(|error| trouble(&data, error))?;
    if held.is_none() {
        return Err(AdminError::InUse { path: data });
    }
    // Made where it is lost and the files are not.
    let mut opened = Opened::open(options, Sqlite::open)?;
    let catalogue = opened.store.files().map_err(|error| opened.trouble(error))?;
    let survey = Survey::new(&data, &mut opened.store, &catalogue);
    let survey = survey.map_err(|error| opened.trouble(error))?;
    let fate = |content: &Digest| match survey.fate(content) {
        // Whether the store is the one that removed it is what nobody knows.
        Fate::Goes | Fate::Aside => Fate::Aside,
        Fate::Stays => Fate::Stays,
    };
    forget(&mut opened, &catalogue, &survey, dry)?;
    let unneeded = survey.here.iter().filter(|content| fate(content) == Fate::Aside).count();
    let verb = if dry { "would be set" } else { "set" };
    say(&format!("* {unneeded} contents that no file has {verb} aside for a day"));
    if dry {
        return Ok(());
    }
    Disk::open(&data, wall_ms(), fate).map_err(|error| trouble(&data, error))?;
    let generation = survey.id.generation.max(survey.next_generation());
    let id = opened.store.begin_generation(generation).map_err(|e| opened.trouble(e))?;
    files::write_mark(&data, id).map_err(|error| trouble(&data, error))?;
    say("* the next server starts with this store and these files");
    Ok(())
}

/// Forgets the files that have no content.
fn forget(
    opened: &mut Opened,
    catalogue: &Catalogue,
    survey: &Survey,
    dry: bool,
) -> Result<(), AdminError> {
    let verb = if dry { "would forget" } else { "forgot" };
    let is_lost = |content: &Digest| survey.missing.contains(content);
    for file in catalogue.files.iter().filter(|file| is_lost(&file.line.hash)) {
        let line = &file.line;
        if !dry {
            opened.commit(StoreJob::RemoveFile { transfer: line.transfer })?;
        }
        let (name, from, to) = (visible(line.name.as_str()), line.from, line.to);
        let what = format!("{name} of {from} for {to}: its content is not there");
        say(&format!("{verb} file {}: {what}", line.transfer));
    }
    Ok(())
}
