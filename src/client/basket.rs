//! A folder of our own in which a file is collected before it goes to standard output.
//!
//! Knows nothing of what is in it. The rule it keeps: nobody else can read it, and it goes with
//! whoever made it, unless that is killed.

use std::io;
use std::path::{Path, PathBuf};

use crate::os;

/// The folder; dropping it removes it with all that is in it.
#[derive(Debug)]
pub(super) struct Basket {
    path: PathBuf,
}

impl Basket {
    /// A new one where the system keeps temporary files.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn new() -> io::Result<Self> {
        // A name that nobody guesses, so nobody else can have made it.
        let mut random = [0; 8];
        os::random(&mut random)?;
        let name = format!("parlor-{:016x}", u64::from_ne_bytes(random));
        let path = std::env::temp_dir().join(name);
        os::create_private_dir(&path)?;
        Ok(Self { path })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Basket {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_its_own_and_goes_with_all_that_is_in_it() {
        let (one, other) = (Basket::new().unwrap(), Basket::new().unwrap());
        assert_ne!(one.path(), other.path());
        std::fs::write(one.path().join("f"), "x").unwrap();
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists() && other.path().is_dir());
    }
}
