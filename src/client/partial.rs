//! A file that is not whole yet: under a name of our own beside its final place, until all of it
//! is there.
//!
//! Knows no transfers. The rule it keeps: no file that exists is ever overwritten, nothing is
//! written outside the folder, and what does not become whole leaves no trace: who ends in good
//! order removes it, and what a killed client left is swept by the next one. Whoever writes such a
//! file holds its lock, so one that can be locked is nobody's.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use crate::message::FileName;

/// How the name of a file that is not whole begins and ends; two numbers stand between.
const PREFIX: &str = ".parlor-";
const SUFFIX: &str = ".part";
/// Names that are tried before giving up.
const NAMES_MAX: u32 = 10_000;

/// A file under construction; dropping it removes it.
#[derive(Debug)]
pub(super) struct Partial {
    dir: PathBuf,
    path: PathBuf,
    /// `None` once it has its final name.
    file: Option<File>,
}

impl Partial {
    /// Begins a file in `dir`; `hint` keeps the names of several apart, and the number of the
    /// process those of several clients.
    pub(super) fn create(dir: &Path, hint: u32) -> io::Result<Self> {
        sweep(dir);
        let process = std::process::id();
        let mut names =
            (0..NAMES_MAX).map(|n| format!("{PREFIX}{process}-{}{SUFFIX}", hint.wrapping_add(n)));
        loop {
            let (path, file) = create_first_free(dir, &mut names)?;
            // Another client may have taken it for a stale one between the two steps. A system
            // without locks sweeps nothing either.
            let locked = !matches!(file.try_lock(), Err(TryLockError::WouldBlock));
            if locked && path.exists() {
                return Ok(Self { dir: dir.to_owned(), path, file: Some(file) });
            }
        }
    }

    /// Appends a part.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => Err(io::Error::other("the file has been closed")),
        }
    }

    /// All of it is there: puts it on the disk and gives it the first name that is free. The final
    /// name is taken with an empty file of ours, which the rename then replaces; between the two,
    /// nobody else can take it.
    pub(super) fn keep(mut self, name: &FileName) -> io::Result<PathBuf> {
        if let Some(file) = &self.file {
            file.sync_all()?;
        }
        let names = (0..NAMES_MAX).map(|n| local_name(name, n));
        let (reserved, _) = create_first_free(&self.dir, names)?;
        let renamed = fs::rename(&self.path, &reserved);
        // Only now: under its first name and without its lock it could be swept.
        self.file = None;
        if let Err(error) = renamed {
            let _ = fs::remove_file(&reserved);
            let _ = fs::remove_file(&self.path);
            return Err(error);
        }
        // The name should outlive a power cut too; systems that cannot open a folder do without.
        let _ = File::open(openable(&self.dir)).and_then(|dir| dir.sync_all());
        Ok(reserved)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            drop(file);
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes what clients that were killed have left in `dir`. What fails here fails in silence: it
/// is tidying up, and the next download does it again.
fn sweep(dir: &Path) {
    let Ok(entries) = fs::read_dir(openable(dir)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(is_partial);
        if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            remove_stale(&entry.path());
        }
    }
}

fn is_partial(name: &str) -> bool {
    let numbers = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
    numbers.is_some_and(|numbers| numbers.chars().all(|c| c.is_ascii_digit() || c == '-'))
}

fn remove_stale(path: &Path) {
    let Ok(file) = OpenOptions::new().write(true).open(path) else { return };
    if file.try_lock().is_ok() {
        let _ = fs::remove_file(path);
    }
}

/// The current folder has no name of its own here, and nothing without a name can be opened.
fn openable(dir: &Path) -> &Path {
    if dir.as_os_str().is_empty() { Path::new(".") } else { dir }
}

/// The first dot of a hidden name is replaced: nobody should be given a file that he does not see,
/// least of all one that his shell would obey.
fn local_name(name: &FileName, n: u32) -> String {
    let name = name.numbered(n);
    match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => name,
    }
}

fn create_first_free(
    dir: &Path,
    names: impl Iterator<Item = String>,
) -> io::Result<(PathBuf, File)> {
    for name in names {
        let mut parts = Path::new(&name).components();
        let (Some(Component::Normal(only)), None) = (parts.next(), parts.next()) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name is a path"));
        };
        let path = dir.join(only);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "every name that was tried is taken"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn save(dir: &Path, name: &str, content: &[u8]) -> PathBuf {
        let mut partial = Partial::create(dir, 7).unwrap();
        partial.write(content).unwrap();
        partial.keep(&FileName::parse(name).unwrap()).unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_never_takes_the_place_of_another() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("report.pdf"), "mine").unwrap();
        fs::create_dir(dir.path().join("report (1).pdf")).unwrap();
        let saved = save(dir.path(), "report.pdf", b"theirs");
        assert_eq!(saved, dir.path().join("report (2).pdf"));
        assert_eq!(fs::read(dir.path().join("report.pdf")).unwrap(), b"mine");
        assert_eq!(fs::read(saved).unwrap(), b"theirs");
        assert_eq!(names(dir.path()), ["report (1).pdf", "report (2).pdf", "report.pdf"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nowhere_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(dir.path().join("target"), dir.path().join("f")).unwrap();
        assert_eq!(save(dir.path(), "f", b"x"), dir.path().join("f (1)"));
        assert_eq!(names(dir.path()), ["f", "f (1)"]);
    }

    #[test]
    fn what_does_not_become_whole_leaves_no_trace() {
        let dir = tempfile::tempdir().unwrap();
        let mut partial = Partial::create(dir.path(), 7).unwrap();
        partial.write(b"half").unwrap();
        let other = Partial::create(dir.path(), 7).unwrap();
        assert_eq!(names(dir.path()).len(), 2);
        drop((partial, other));
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn what_a_killed_client_left_is_swept_and_what_a_running_one_writes_is_not() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".parlor-1-7.part"), "left").unwrap();
        fs::write(dir.path().join(".parlor-notes.txt"), "mine").unwrap();
        fs::write(dir.path().join("a.part"), "mine").unwrap();
        fs::create_dir(dir.path().join(".parlor-2-7.part")).unwrap();
        let written = File::create(dir.path().join(".parlor-3-7.part")).unwrap();
        written.try_lock().unwrap();
        let first = Partial::create(dir.path(), 7).unwrap();
        let second = Partial::create(dir.path(), 7).unwrap();
        drop((first, second));
        let kept = [".parlor-2-7.part", ".parlor-3-7.part", ".parlor-notes.txt", "a.part"];
        assert_eq!(names(dir.path()), kept);
        drop(written);
        save(dir.path(), "f", b"x");
        assert_eq!(names(dir.path()), [".parlor-2-7.part", ".parlor-notes.txt", "a.part", "f"]);
    }

    #[test]
    fn a_hidden_name_becomes_one_that_can_be_seen() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(save(dir.path(), ".bashrc", b"evil"), dir.path().join("_bashrc"));
    }

    #[test]
    fn a_name_that_is_a_path_is_no_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["../x", "a/b", "/x", "..", "."] {
            let result = create_first_free(dir.path(), std::iter::once(name.to_owned()));
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }
}
