//! What gets a guest in, in a file where commands of the same user of this machine find it.
//!
//! Knows folders and bytes and no server. The rules it keeps: nobody else can read it, it is whole
//! or not there, it is never written through a link, and what another chat has left in its place is
//! left alone. One that a killed chat has left is in nobody's way: the next chat replaces it.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::connect::with_port;
use crate::address::UNIX;
use crate::message::{Secret, UserName};
use crate::os;

/// More than any token has, in bytes.
const FILE_MAX: u64 = 1024;
/// Digits of the hash of an address in the name of a file.
const HASH_DIGITS: usize = 32;

/// The files of one server.
#[derive(Debug)]
pub(super) struct TokenFile {
    folder: PathBuf,
    /// What tells its files from those of other servers.
    server: String,
    kept: Option<Kept>,
}

/// What we have written, or have tried to.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    token: Secret<'static>,
}

impl TokenFile {
    /// In this folder, if there is one, for the server of this address as people write it.
    pub(super) fn at(folder: Option<PathBuf>, addr: &str) -> Option<Self> {
        let hash = blake3::hash(same_for_all(addr).as_bytes()).to_hex();
        let server = hash[..HASH_DIGITS].to_owned();
        folder.map(|folder| Self { folder, server, kept: None })
    }

    /// What a chat of this name has left.
    pub(super) fn read(&self, user: &str) -> Option<Secret<'static>> {
        let path = self.path(user);
        let token = os::is_private_dir(&self.folder).then(|| content(&path).ok())??;
        (!token.is_empty()).then(|| Secret(token.into()))
    }

    /// From now on this guest is in by this token, or none is.
    ///
    /// # Errors
    /// The file that could not be written, and those of the system; it is not tried again.
    pub(super) fn keep(
        &mut self,
        guest: Option<(UserName, &str)>,
    ) -> Result<(), (PathBuf, io::Error)> {
        let wanted = guest.map(|(user, token)| (self.path(user.as_str()), token));
        let kept = self.kept.as_ref().map(|kept| (&kept.path, &*kept.token.0));
        if wanted.as_ref().map(|(path, token)| (path, *token)) == kept {
            return Ok(());
        }
        if kept.map(|(path, _)| path) != wanted.as_ref().map(|(path, _)| path) {
            self.remove();
        }
        let Some((path, token)) = wanted else { return Ok(()) };
        let written = write(&self.folder, &path, token);
        let token = Secret(token.to_owned().into());
        let kept = self.kept.insert(Kept { path, token });
        written.map_err(|error| (kept.path.clone(), error))
    }

    /// Unless it is not ours any more.
    fn remove(&mut self) {
        let Some(Kept { path, token }) = self.kept.take() else { return };
        if content(&path).is_ok_and(|found| *found == *token.0) {
            // What cannot be removed is void as soon as another guest has the name.
            let _ = fs::remove_file(&path);
        }
    }

    fn path(&self, user: &str) -> PathBuf {
        self.folder.join(format!("{}-{}", user.to_ascii_lowercase(), self.server))
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// However it is written, and wherever the program was started.
fn same_for_all(addr: &str) -> String {
    let addr = with_port(addr);
    let Some(path) = addr.strip_prefix(UNIX) else { return addr.to_ascii_lowercase() };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
    format!("{UNIX}{}", path.display())
}

fn content(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    os::open_regular(path, false)?.take(FILE_MAX).read_to_string(&mut text)?;
    Ok(text.trim_end().to_owned())
}

/// Beside its place first: what stands there, a link too, is replaced by the whole file.
fn write(folder: &Path, path: &Path, token: &str) -> io::Result<()> {
    os::make_private_dir(folder)?;
    let beside = path.with_extension(std::process::id().to_string());
    // Of a process that was killed and had the same number.
    let _ = fs::remove_file(&beside);
    let mut file = os::create_private_file(&beside)?;
    let written = writeln!(file, "{token}").and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of a server, in a folder that is not made yet.
    fn tokens(temp: &tempfile::TempDir, addr: &str) -> TokenFile {
        TokenFile::at(Some(temp.path().join("run")), addr).unwrap()
    }

    fn guest<'a>(name: &str, token: &'a str) -> Option<(UserName, &'a str)> {
        Some((UserName::parse(name).unwrap(), token))
    }

    fn secret(token: &str) -> Option<Secret<'static>> {
        Some(Secret(token.to_owned().into()))
    }

    fn names(temp: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(temp.path().join("run")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_token_is_there_while_a_guest_is_in_and_follows_them() {
        let temp = tempfile::tempdir().unwrap();
        let mut file = tokens(&temp, "10.0.0.7");
        file.keep(None).unwrap();
        assert!(!temp.path().join("run").exists(), "nothing is made for nobody");
        file.keep(guest("Bob", "t1")).unwrap();
        assert_eq!(tokens(&temp, "10.0.0.7:7575").read("bOB"), secret("t1"));
        file.keep(guest("Bob", "t2")).unwrap();
        assert_eq!(file.read("bob"), secret("t2"));
        assert_eq!(names(&temp).len(), 1);
        file.keep(guest("carol", "t3")).unwrap();
        assert_eq!((file.read("bob"), file.read("carol")), (None, secret("t3")));
        file.keep(None).unwrap();
        assert!(names(&temp).is_empty());
        file.keep(guest("bob", "t4")).unwrap();
        drop(file);
        assert!(names(&temp).is_empty());
    }

    #[test]
    fn servers_and_names_have_files_of_their_own() {
        let temp = tempfile::tempdir().unwrap();
        let addrs = ["10.0.0.7", "10.0.0.7:1", "[::1]:7575", "unix:/a/b", "unix:/a:b", "unix:a/b"];
        let mut files: Vec<_> = addrs.iter().map(|addr| tokens(&temp, addr)).collect();
        for (file, token) in files.iter_mut().zip(addrs) {
            file.keep(guest("bob", token)).unwrap();
        }
        for addr in addrs {
            assert_eq!(tokens(&temp, addr).read("bob"), secret(addr));
            assert_eq!(tokens(&temp, addr).read("bo"), None);
        }
        let safe = |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        assert!(names(&temp).iter().all(safe), "{:?}", names(&temp));
    }

    #[test]
    fn what_another_chat_has_left_in_its_place_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let (mut before, mut after) = (tokens(&temp, "a"), tokens(&temp, "a"));
        before.keep(guest("bob", "t1")).unwrap();
        after.keep(guest("bob", "t2")).unwrap();
        drop(before);
        assert_eq!(after.read("bob"), secret("t2"));
        // As a chat that was killed leaves it.
        std::mem::forget(after);
        let mut next = tokens(&temp, "a");
        next.keep(guest("bob", "t3")).unwrap();
        assert_eq!(next.read("bob"), secret("t3"));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_it_and_no_link_is_followed() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let temp = tempfile::tempdir().unwrap();
        let mut file = tokens(&temp, "a");
        let (folder, target) = (temp.path().join("run"), temp.path().join("target"));
        fs::write(&target, "theirs").unwrap();
        os::create_private_dir(&folder).unwrap();
        symlink(&target, file.path("bob")).unwrap();
        assert_eq!(file.read("bob"), None);
        file.keep(guest("bob", "t1")).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
        let found = fs::symlink_metadata(file.path("bob")).unwrap();
        assert!(found.is_file() && found.permissions().mode() & 0o777 == 0o600, "{found:?}");

        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(file.read("bob"), None, "anybody may have put it there");
        let (path, _) = file.keep(guest("carol", "t2")).unwrap_err();
        assert!(!path.exists() && names(&temp).is_empty());
        file.keep(guest("carol", "t2")).expect("it is told once");
    }
}
