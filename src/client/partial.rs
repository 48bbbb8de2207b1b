//! A file that is not whole yet: beside its final place, under its name and the beginning of its
//! hash, until all of it is there.
//!
//! Knows no transfers. The rules it keeps: no file that exists is ever overwritten, nothing is
//! written outside the folder and nothing through a link. Half a file stays where it is when the
//! client goes, and is known again by the hash in its name; whoever writes it holds its lock, so
//! one that can be locked is nobody's. What has no byte leaves no trace.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use crate::half::HalfFile;
use crate::limits::{FILE_NAME_MAX, MIB};
use crate::message::{Digest, FileName};
use crate::os;

/// How the name of a file that is not whole ends.
const SUFFIX: &str = ".part";
/// Digits of the hash that stand before it.
const HASH_DIGITS: usize = 16;
/// Names that are tried before giving up.
const NAMES_MAX: u32 = 10_000;
/// The same for a file that is not whole: only several downloads of one content need several.
const PARTS_MAX: u32 = 64;

/// Bytes that are hashed at once: about a millisecond, and less than ten from a slow disk.
const STEP_BYTES: u64 = MIB;

/// A file under construction. Dropping it keeps what is there for another time.
#[derive(Debug)]
pub(super) struct Partial {
    dir: PathBuf,
    /// `None` once it has its final name or is gone.
    half: Option<HalfFile>,
}

impl Partial {
    /// Continues with the half of a file that lies in `dir`, or begins one. Only what is named
    /// after the hash and is not longer than `size` is taken for a half of it.
    pub(super) fn open(dir: &Path, name: &FileName, hash: Digest, size: u64) -> io::Result<Self> {
        for n in 0..PARTS_MAX {
            let path = place(dir, &part_name(name, hash, n))?;
            if let Some(file) = take(&path)?
                && let half = HalfFile::new(file, path)?
                && half.bytes() <= size
            {
                return Ok(Self { dir: dir.to_owned(), half: Some(half) });
            }
        }
        Err(all_taken())
    }

    /// How many bytes of it are here.
    pub(super) fn len(&self) -> u64 {
        self.half.as_ref().map_or(0, HalfFile::bytes)
    }

    /// How many of them are hashed.
    pub(super) fn hashed(&self) -> u64 {
        self.half.as_ref().map_or(0, HalfFile::hashed)
    }

    /// Hashes some of what was here before. Answers with the hash when that is all.
    pub(super) fn hash_step(&mut self) -> io::Result<Option<Digest>> {
        hash_step(self.half()?)
    }

    /// Appends a part; all that is here must have been hashed.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.half()?.append(bytes)
    }

    /// Forgets all bytes.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.half()?.restart()
    }

    /// The hash of what is here.
    pub(super) fn digest(&mut self) -> io::Result<Digest> {
        self.half()?.hash()
    }

    /// Removes it.
    pub(super) fn discard(mut self) {
        self.remove();
    }

    /// All of it is there: puts it on the disk and gives it the first name that is free. The final
    /// name is taken with an empty file of ours, which the rename then replaces; between the two,
    /// nobody else can take it. What cannot be renamed stays.
    pub(super) fn keep(mut self, name: &FileName) -> io::Result<PathBuf> {
        let half = self.half()?;
        half.finish()?;
        let from = half.path().to_owned();
        let reserved = reserve(&self.dir, name)?;
        if let Err(error) = fs::rename(from, &reserved) {
            let _ = fs::remove_file(&reserved);
            return Err(error);
        }
        // Only now: without its lock somebody else could continue with it.
        self.half = None;
        // The name should outlive a power cut too; what cannot be done here was done as far as
        // this system can.
        let _ = os::sync_dir(openable(&self.dir));
        Ok(reserved)
    }

    fn half(&mut self) -> io::Result<&mut HalfFile> {
        self.half.as_mut().ok_or_else(closed)
    }

    fn remove(&mut self) {
        if let Some(half) = self.half.take() {
            let _ = half.discard();
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.len() == 0 {
            self.remove();
        }
    }
}

/// Hashes some of what is in a file, at most [`STEP_BYTES`] and nothing behind the end that it had
/// when it was opened. Answers with the hash when that is all.
///
/// # Errors
/// Those of the system, and `UnexpectedEof` when it has become shorter.
pub(super) fn hash_step(file: &mut HalfFile) -> io::Result<Option<Digest>> {
    let is_all = file.rehash(STEP_BYTES, |_| {}).map_err(|error| {
        let is_short = error.kind() == ErrorKind::UnexpectedEof;
        if is_short { ErrorKind::UnexpectedEof.into() } else { error }
    })?;
    is_all.then(|| file.hash()).transpose()
}

/// The file that has the name which one of this name and size would be saved under, if it is of
/// that size: it may be the same.
pub(super) fn namesake(dir: &Path, name: &FileName, size: u64) -> Option<HalfFile> {
    let path = dir.join(local_name(name, 0));
    // Never through a link: what is looked at is in the folder.
    let alike = fs::symlink_metadata(&path).is_ok_and(|it| it.is_file() && it.len() == size);
    let file = alike.then(|| File::open(&path).ok()).flatten()?;
    HalfFile::new(file, path).ok()
}

/// What has the name already under which a file of this name would be saved.
pub(super) fn taken(dir: &Path, name: &FileName) -> Option<PathBuf> {
    let path = dir.join(local_name(name, 0));
    fs::symlink_metadata(&path).is_ok().then_some(path)
}

/// Opens what has this name, or makes it; `None` when it is not ours to write: another client has
/// its lock, or it is no plain file.
fn take(path: &Path) -> io::Result<Option<File>> {
    let file = match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => OpenOptions::new().read(true).write(true).open(path)?,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            match OpenOptions::new().read(true).write(true).create_new(true).open(path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
                opened => opened?,
            }
        }
        Err(error) => return Err(error),
    };
    // Whoever had the lock until now may have given it its final name, or a link its place. A
    // system without locks does without.
    let locked = !matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    Ok((locked && os::is_at(&file, path)).then_some(file))
}

/// Takes the first free name with an empty file.
fn reserve(dir: &Path, name: &FileName) -> io::Result<PathBuf> {
    for n in 0..NAMES_MAX {
        let path = place(dir, &local_name(name, n))?;
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(all_taken())
}

/// A name in the folder and nowhere else.
fn place(dir: &Path, name: &str) -> io::Result<PathBuf> {
    let mut parts = Path::new(name).components();
    let (Some(Component::Normal(only)), None) = (parts.next(), parts.next()) else {
        return Err(io::Error::new(ErrorKind::InvalidInput, "the name is a path"));
    };
    Ok(dir.join(only))
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

/// `report.pdf.3f9a52c1d07be846.part`, and with a number behind the hash for another of the same.
fn part_name(name: &FileName, hash: Digest, n: u32) -> String {
    let hash = &hash.to_string()[..HASH_DIGITS];
    let number = if n == 0 { String::new() } else { format!(".{n}") };
    let ending = format!(".{hash}{number}{SUFFIX}");
    let mut name = local_name(name, 0);
    while name.len() + ending.len() > FILE_NAME_MAX {
        name.pop();
    }
    name + &ending
}

fn closed() -> io::Error {
    io::Error::other("the file has been closed")
}

fn all_taken() -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, "every name that was tried is taken")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FileName {
        FileName::parse(text).unwrap()
    }

    fn hash(content: &[u8]) -> Digest {
        Digest(*blake3::hash(content).as_bytes())
    }

    fn open(dir: &Path, text: &str, content: &[u8]) -> Partial {
        let size = content.len() as u64;
        let mut partial = Partial::open(dir, &name(text), hash(content), size).unwrap();
        while partial.hash_step().unwrap().is_none() {}
        partial
    }

    fn save(dir: &Path, text: &str, content: &[u8]) -> PathBuf {
        let mut partial = open(dir, text, content);
        partial.write(content).unwrap();
        partial.keep(&name(text)).unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn part(text: &str, content: &[u8], n: u32) -> String {
        part_name(&name(text), hash(content), n)
    }

    #[test]
    fn a_file_is_hashed_in_steps_and_what_is_appended_meanwhile_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let step = usize::try_from(STEP_BYTES).unwrap();
        for size in [0, 1, step, 3 * step + 1] {
            let content: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
            fs::write(&path, &content).unwrap();
            let mut file = HalfFile::new(File::open(&path).unwrap(), path.clone()).unwrap();
            fs::write(&path, [&content[..], b"more"].concat()).unwrap();
            let mut steps = 1;
            let digest = loop {
                if let Some(digest) = hash_step(&mut file).unwrap() {
                    break digest;
                }
                assert_eq!(file.hashed(), steps * STEP_BYTES);
                steps += 1;
            };
            assert_eq!(digest, hash(&content), "{size}");
            assert_eq!(steps, size.div_ceil(step).max(1) as u64, "{size}");
        }
        let mut file = HalfFile::new(File::open(&path).unwrap(), path.clone()).unwrap();
        fs::write(&path, "shorter").unwrap();
        assert_eq!(hash_step(&mut file).unwrap_err().kind(), ErrorKind::UnexpectedEof);
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
    fn a_link_is_never_followed_neither_for_the_half_nor_for_the_whole() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        symlink(dir.path().join("nowhere"), dir.path().join("f")).unwrap();
        fs::write(&target, "t").unwrap();
        symlink(&target, dir.path().join(part("f", b"theirs", 0))).unwrap();
        symlink(dir.path().join("nowhere"), dir.path().join(part("f", b"theirs", 1))).unwrap();
        assert_eq!(save(dir.path(), "f", b"theirs"), dir.path().join("f (1)"));
        assert_eq!(fs::read(target).unwrap(), b"t");
        assert!(!dir.path().join("nowhere").exists());
        assert!(namesake(dir.path(), &name("f"), 6).is_none());
    }

    #[test]
    fn half_a_file_stays_and_is_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let content = b"hello world";
        let mut partial = open(dir.path(), "f.txt", content);
        partial.write(b"hello ").unwrap();
        drop(partial);
        let half = part("f.txt", content, 0);
        assert_eq!(names(dir.path()), [half.as_str()]);
        assert!(half.starts_with("f.txt.") && half.ends_with(".part"), "{half}");
        let mut partial = open(dir.path(), "f.txt", content);
        assert_eq!((partial.len(), partial.hashed()), (6, 6));
        partial.write(b"world").unwrap();
        assert_eq!(partial.digest().unwrap(), hash(content));
        let saved = partial.keep(&name("f.txt")).unwrap();
        assert_eq!(fs::read(saved).unwrap(), content);
        assert_eq!(names(dir.path()), ["f.txt"]);
    }

    #[test]
    fn what_another_client_writes_and_what_is_too_long_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let content = b"hello";
        let mut first = open(dir.path(), "f", content);
        first.write(b"he").unwrap();
        let mut second = open(dir.path(), "f", content);
        assert_eq!(second.len(), 0);
        second.write(b"h").unwrap();
        assert_eq!(names(dir.path()), [part("f", content, 1), part("f", content, 0)]);
        drop((first, second));
        fs::write(dir.path().join(part("f", content, 0)), "longer than it").unwrap();
        assert_eq!(open(dir.path(), "f", content).len(), 1, "the second half");
        assert_eq!(names(dir.path()).len(), 2);
    }

    /// Between the opening and the lock, the one who had it may have finished.
    #[test]
    fn a_half_that_got_its_final_name_meanwhile_is_not_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.part");
        let file = File::create(&path).unwrap();
        assert!(os::is_at(&file, &path));
        fs::rename(&path, dir.path().join("f")).unwrap();
        assert!(!os::is_at(&file, &path));
        File::create(&path).unwrap();
        assert!(!os::is_at(&file, &path));
    }

    #[test]
    fn what_has_no_byte_or_is_not_wanted_leaves_no_trace() {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path(), "f", b"x"));
        assert!(names(dir.path()).is_empty());
        let mut partial = open(dir.path(), "f", b"hello");
        partial.write(b"he").unwrap();
        partial.discard();
        assert!(names(dir.path()).is_empty());
        let mut partial = open(dir.path(), "f", b"hello");
        partial.write(b"no").unwrap();
        partial.restart().unwrap();
        partial.write(b"hello").unwrap();
        assert_eq!(partial.digest().unwrap(), hash(b"hello"));
        assert_eq!(fs::read(partial.keep(&name("f")).unwrap()).unwrap(), b"hello");
    }

    #[test]
    fn hostile_names_stay_in_the_folder_and_can_be_seen() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(save(dir.path(), ".bashrc", b"evil"), dir.path().join("_bashrc"));
        assert_eq!(save(dir.path(), "-rf", b"x"), dir.path().join("-rf"));
        let long = "é".repeat(127);
        assert_eq!(save(dir.path(), &long, b"x"), dir.path().join(&long));
        assert!(part(&long, b"x", 7).len() <= FILE_NAME_MAX);
        for text in ["../x", "a/b", "/x", "..", "."] {
            assert!(FileName::parse(text).is_err(), "{text}");
            let result = place(dir.path(), text);
            assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidInput, "{text}");
        }
    }
}
