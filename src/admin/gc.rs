//! `parlor store files gc`: what of the files on the server's disk can go.
//!
//! Removes what a server would at its start and in its sweeps, and no more. The rule it keeps:
//! nothing is removed while a server uses the folder, for what is on its way has no record yet.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{AdminError, Opened, say, shown, with_data};
use crate::config::{self, Config};
use crate::files::{self, Disk, Fate};
use crate::id::after;
use crate::job::{Catalogue, FileJob, Half, StoreJob};
use crate::message::{Digest, visible};
use crate::os::FolderLock;
use crate::serve::fit::{Misfit, Survey};
use crate::serve::{self, wall_ms};
use crate::store::Store as _;

const AFTER: &str = "\
A running server does this by itself; while one uses the folder, only --dry-run works.

Example:
  parlor store files gc --dry-run";

/// `parlor store files gc`, for clap.
#[must_use]
pub fn gc_command() -> Command {
    let dry = Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue);
    with_data(Command::new("gc"))
        .about("Remove expired files and what is left of broken uploads")
        .after_help(AFTER)
        .arg(dry.help("Only list what would be removed"))
}

/// Does `parlor store files gc`.
///
/// # Errors
/// Why it was not done.
pub fn gc(options: &ArgMatches) -> Result<(), AdminError> {
    let dry = options.get_flag("dry-run");
    let env = std::env::vars_os();
    let config = Config::resolve(config::given(options), env, serve::read_config, u64::MAX)?;
    let data = config.data.clone();
    let mut opened = Opened::existing(options)?;
    let lock = FolderLock::take(&data).map_err(|error| trouble(&data, error))?;
    if lock.is_none() && !dry {
        return Err(AdminError::Busy { path: data });
    }
    let catalogue = opened.store.files().map_err(|error| opened.trouble(error))?;
    let survey = Survey::new(&data, &mut opened.store, &catalogue);
    match survey.map_err(|error| opened.trouble(error))?.judge() {
        // What nobody needs is what this is about.
        Ok(()) | Err(Misfit::Unneeded { .. }) => {}
        Err(misfit) => return Err(AdminError::Misfit { path: data, misfit }),
    }
    let now_ms = wall_ms();
    let mut total = Total::default();
    let over: BTreeSet<_> = catalogue
        .files
        .iter()
        .filter(|file| file.line.until <= now_ms)
        .map(|file| file.line.transfer)
        .collect();
    for file in catalogue.files.iter().filter(|file| over.contains(&file.line.transfer)) {
        let line = &file.line;
        let (name, from, to) = (visible(line.name.as_str()), line.from, line.to);
        let what = format!("file {}: {name} of {from} for {to}: it expired", line.transfer);
        // Its bytes are counted with its content, which others may have, too.
        total.note(dry, 0, &what);
        if !dry {
            opened.commit(StoreJob::RemoveFile { transfer: line.transfer })?;
        }
    }
    if lock.is_none() {
        say("* a server uses this folder: what else it would remove at its start is not listed");
    } else {
        let rest = Rest { catalogue: &catalogue, over: &over, now_ms };
        rest.sweep(&data, dry, after_keep(&config, now_ms), &mut total)
            .map_err(|error| trouble(&data, error))?;
    }
    total.say(dry);
    Ok(())
}

/// The moment before which half a file must have been touched last to be too old.
fn after_keep(config: &Config, now_ms: u64) -> impl Fn(&Half) -> bool {
    let keep = config.limits.partial_keep;
    move |half| after(half.since_ms, keep) <= now_ms
}

/// What goes, in all.
#[derive(Default)]
struct Total {
    things: usize,
    bytes: u64,
}

impl Total {
    fn note(&mut self, dry: bool, bytes: u64, what: &str) {
        self.things += 1;
        self.bytes += bytes;
        say(&format!("{} {what}", if dry { "would remove" } else { "removed" }));
    }

    fn say(&self, dry: bool) {
        let Self { things, bytes } = self;
        let verb = if dry { "would be removed" } else { "removed" };
        say(&format!("* {things} {verb}, {bytes} bytes of the disk"));
    }
}

/// What no record names once those that are over are gone.
struct Rest<'a> {
    catalogue: &'a Catalogue,
    over: &'a BTreeSet<crate::id::TransferId>,
    now_ms: u64,
}

impl Rest<'_> {
    fn sweep(
        &self,
        data: &Path,
        dry: bool,
        is_old: impl Fn(&Half) -> bool,
        total: &mut Total,
    ) -> io::Result<()> {
        let stay = |file: &&crate::job::StoredFile| !self.over.contains(&file.line.transfer);
        let named: BTreeSet<Digest> =
            self.catalogue.files.iter().filter(stay).map(|file| file.line.hash).collect();
        let fate = |content: &Digest| match content {
            _ if self.catalogue.is_damaged || named.contains(content) => Fate::Stays,
            _ => Fate::Goes,
        };
        let (mut leftovers, halves) = files::scan(data, fate)?;
        leftovers.extend(files::scan_aside(data, fate)?);
        for leftover in &leftovers {
            let what =
                format!("{} ({} bytes): {}", shown(&leftover.path), leftover.bytes, leftover.why);
            total.note(dry, leftover.bytes, &what);
        }
        let old: Vec<_> = halves.into_iter().filter(is_old).collect();
        for half in &old {
            total.note(dry, half.bytes, &format!("half a file of {} bytes: too old", half.bytes));
        }
        if dry {
            return Ok(());
        }
        // What was found is removed as the start of a server does it.
        let (mut disk, _) = Disk::open(data, self.now_ms, fate)?;
        disk.clear_aside()?;
        for half in old {
            disk.run(FileJob::Discard { partial: half.id });
        }
        Ok(())
    }
}

pub(super) fn trouble(data: &Path, error: io::Error) -> AdminError {
    AdminError::Read { what: shown(&PathBuf::from(data)), error }
}
