//! I/O. Whether the store and the files beside it belong together, at the start of a server and for
//! the commands of its owner.
//!
//! Refuses to know accounts and letters. The rule it keeps: where they do not fit, nothing is
//! removed, moved or written; what then becomes of them is the owner's to say.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::files::{self, Fate};
use crate::id::StoreId;
use crate::job::Catalogue;
use crate::limits::UNNEEDED_FEW;
use crate::message::Digest;
use crate::store::{FILE, Sqlite, StoreError};

/// Why store and files do not fit: what was found, and which command decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// There are files and no store.
    #[error(
        "{FILE} is missing, but files/ holds {contents} contents of a store; put the store back, \
         or begin a new one with: parlor store files adopt"
    )]
    NoStore {
        /// How many contents.
        contents: usize,
    },
    /// The files are another store's.
    #[error(
        "files/ belongs to another store than {FILE}; put the right one in its place, or take \
         these files over with: parlor store files adopt"
    )]
    Foreign,
    /// The files have no mark.
    #[error(
        "files/ is not the folder that {FILE} worked with, and the store names {named} contents; \
         is it not mounted? If it is the right one: parlor store files adopt"
    )]
    Unmarked {
        /// How many contents the store names.
        named: usize,
    },
    /// The store is an older one.
    #[error(
        "{FILE} is older than files/ (it was used {store} times, they {files}); put the newer one \
         in its place, or continue with this one: parlor store files adopt"
    )]
    OldStore {
        /// The generation of the store.
        store: u64,
        /// The generation of the files.
        files: u64,
    },
    /// The files are older ones.
    #[error(
        "files/ is older than {FILE} (it was used {files} times, the store {store}); put the newer \
         one in its place, or continue with this one: parlor store files adopt"
    )]
    OldFiles {
        /// The generation of the store.
        store: u64,
        /// The generation of the files.
        files: u64,
    },
    /// Many files have lost their content.
    #[error(
        "of {named} contents that {FILE} names, {missing} are not in files/; put them back, or \
         forget them with: parlor store files adopt"
    )]
    Missing {
        /// How many are not there.
        missing: usize,
        /// How many the store names.
        named: usize,
    },
    /// Many contents belong to no file.
    #[error(
        "of {here} contents in files/, {FILE} names only {known}; put the right store back, or set \
         the others aside for a day with: parlor store files adopt, or remove them now with: \
         parlor store files gc"
    )]
    Unneeded {
        /// How many are named.
        known: usize,
        /// How many are there.
        here: usize,
    },
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Of the store.
    pub id: StoreId,
    /// Beside the files.
    pub mark: Option<StoreId>,
    /// Contents that records name.
    pub named: BTreeSet<Digest>,
    /// Contents that are there.
    pub here: BTreeSet<Digest>,
    /// Contents whose files were removed by the last server.
    removed: BTreeSet<Digest>,
    /// Contents that records name and that are neither there nor aside.
    pub missing: BTreeSet<Digest>,
    /// Not all records can be read.
    is_damaged: bool,
}

impl Survey {
    /// Looks at both.
    ///
    /// # Errors
    /// Those of the store and of the system.
    pub(crate) fn new(
        data: &Path,
        store: &mut Sqlite,
        catalogue: &Catalogue,
    ) -> Result<Self, StoreError> {
        let named: BTreeSet<_> = catalogue.files.iter().map(|file| file.line.hash).collect();
        let here = files::contents(data).map_err(StoreError::Create)?;
        let aside = files::aside(data).map_err(StoreError::Create)?;
        Ok(Self {
            id: store.id()?,
            mark: files::read_mark(data).map_err(StoreError::Create)?,
            missing: named.difference(&here).filter(|c| !aside.contains(c)).copied().collect(),
            removed: store.removed()?,
            here,
            named,
            is_damaged: catalogue.is_damaged,
        })
    }

    /// What becomes of a content when a server starts.
    pub(crate) fn fate(&self, content: &Digest) -> Fate {
        match content {
            _ if self.is_damaged || self.named.contains(content) => Fate::Stays,
            content if self.removed.contains(content) => Fate::Goes,
            _ => Fate::Aside,
        }
    }

    /// How many contents are there that no record names.
    fn unneeded(&self) -> usize {
        self.here.iter().filter(|content| self.fate(content) == Fate::Aside).count()
    }

    /// Whether they fit.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn judge(&self) -> Result<(), Misfit> {
        let (named, missing) = (self.named.len(), self.missing.len());
        let (here, unneeded) = (self.here.len(), self.unneeded());
        if named == 0 && here == 0 {
            // Nothing is at stake.
            return Ok(());
        }
        let (store, files) = (self.id.generation, self.mark.map_or(0, |mark| mark.generation));
        match self.mark {
            Some(mark) if mark.identity != self.id.identity => return Err(Misfit::Foreign),
            Some(_) if store < files => return Err(Misfit::OldStore { store, files }),
            // A server that dies between the two leaves one step.
            Some(_) if store > files + 1 => return Err(Misfit::OldFiles { store, files }),
            None if store > 0 => return Err(Misfit::Unmarked { named }),
            Some(_) | None => {}
        }
        if missing * 2 > named {
            return Err(Misfit::Missing { missing, named });
        }
        // A store that has never seen these files has no reason to know so little of them.
        let few = if self.mark.is_some() { UNNEEDED_FEW } else { 0 };
        if unneeded > few && unneeded * 2 > here {
            return Err(Misfit::Unneeded { known: here - unneeded, here });
        }
        Ok(())
    }

    /// The generation that begins now.
    pub(crate) fn next_generation(&self) -> u64 {
        // Of both the same again after a start that got no further than the store.
        self.mark.map_or(self.id.generation, |mark| mark.generation).saturating_add(1)
    }
}

/// Whether a folder without a store never had one.
///
/// # Errors
/// That it had; also when it cannot be looked at.
pub(crate) fn check_missing(data: &Path) -> io::Result<Result<(), Misfit>> {
    if data.join(FILE).symlink_metadata().is_ok() {
        return Ok(Ok(()));
    }
    let contents = files::contents(data)?.len() + files::aside(data)?.len();
    let is_new = contents == 0 && files::read_mark(data)?.is_none();
    Ok(if is_new { Ok(()) } else { Err(Misfit::NoStore { contents }) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A survey of so many contents: named, of those missing, and others.
    fn survey(mark: Option<StoreId>, named: u8, missing: u8, unneeded: usize) -> Survey {
        let digests = |from: u8, to: u8| (from..to).map(|n| Digest([n; 32])).collect();
        let mut here: BTreeSet<Digest> = digests(missing, named);
        here.extend(digests(100, 100 + u8::try_from(unneeded).unwrap()));
        let (named, missing) = (digests(0, named), digests(0, missing));
        let (id, removed, is_damaged) = (OURS, BTreeSet::new(), false);
        Survey { id, mark, named, here, removed, missing, is_damaged }
    }

    const OURS: StoreId = StoreId { identity: [1; 16], generation: 5 };

    fn mark(generation: u64) -> Option<StoreId> {
        Some(StoreId { generation, ..OURS })
    }

    #[test]
    fn row_80_whatever_does_not_fit_is_told_apart() {
        let foreign = Some(StoreId { identity: [2; 16], ..OURS });
        let few = UNNEEDED_FEW;
        for (survey, expected) in [
            (survey(mark(5), 9, 0, 0), None),
            (survey(mark(4), 9, 0, 0), None),
            (survey(mark(6), 9, 0, 0), Some(Misfit::OldStore { store: 5, files: 6 })),
            (survey(mark(3), 9, 0, 0), Some(Misfit::OldFiles { store: 5, files: 3 })),
            (survey(foreign, 9, 0, 0), Some(Misfit::Foreign)),
            (survey(foreign, 0, 0, 1), Some(Misfit::Foreign)),
            (survey(None, 9, 9, 0), Some(Misfit::Unmarked { named: 9 })),
            (survey(None, 9, 0, 0), Some(Misfit::Unmarked { named: 9 })),
            (survey(mark(5), 9, 4, 0), None),
            (survey(mark(5), 9, 5, 0), Some(Misfit::Missing { missing: 5, named: 9 })),
            (survey(mark(5), 1, 1, 0), Some(Misfit::Missing { missing: 1, named: 1 })),
            (survey(mark(5), 9, 0, few), None),
            (survey(mark(5), 9, 0, few + 1), Some(Misfit::Unneeded { known: 9, here: few + 10 })),
            // Nothing is at stake.
            (survey(foreign, 0, 0, 0), None),
            (survey(None, 0, 0, 0), None),
        ] {
            assert_eq!(survey.judge().err(), expected, "{survey:?}");
        }
        let new = StoreId { generation: 0, ..OURS };
        let before_marks = |named, unneeded| Survey { id: new, ..survey(None, named, 0, unneeded) };
        assert_eq!(before_marks(9, 1).judge(), Ok(()), "from a Parlor that had no marks");
        assert_eq!(before_marks(0, 1).judge(), Err(Misfit::Unneeded { known: 0, here: 1 }));
        let damaged = Survey { is_damaged: true, ..survey(mark(5), 1, 0, 100) };
        assert_eq!(damaged.judge(), Ok(()), "nobody knows what it named");
    }
}
