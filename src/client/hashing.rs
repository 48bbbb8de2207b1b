//! The BLAKE3 hash of a local file, made in steps that are short enough for a turn.
//!
//! Knows neither why nor of which transfer. The rule it keeps: a step reads at most
//! [`STEP_BYTES`], and never a byte behind the end that the file had when it was opened.

use std::fs::File;
use std::io;

use crate::half::read_parts;
use crate::limits::MIB;
use crate::message::Digest;

/// Bytes that one step reads: about a millisecond, and less than ten from a slow disk.
pub(super) const STEP_BYTES: u64 = MIB;

/// A file that is being hashed.
#[derive(Debug)]
pub(super) struct Hashing {
    file: File,
    hasher: Box<blake3::Hasher>,
    done: u64,
    size: u64,
}

impl Hashing {
    /// The first `size` bytes of a file, from where it stands.
    pub(super) fn new(file: File, size: u64) -> Self {
        Self { file, hasher: Box::default(), done: 0, size }
    }

    /// How many bytes are hashed.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// Hashes some more. Answers with the hash when that was all of it.
    ///
    /// # Errors
    /// Those of the system, and `UnexpectedEof` when the file has become shorter.
    pub(super) fn step(&mut self) -> io::Result<Option<Digest>> {
        let wanted = STEP_BYTES.min(self.size - self.done);
        read_parts(&mut self.file, wanted, |bytes| _ = self.hasher.update(bytes))?;
        self.done += wanted;
        let all = self.done == self.size;
        Ok(all.then(|| Digest(*self.hasher.finalize().as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    fn file(size: usize) -> (tempfile::NamedTempFile, Vec<u8>) {
        let content: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &content).unwrap();
        (file, content)
    }

    #[test]
    fn a_file_is_hashed_in_steps_and_the_hash_is_that_of_the_whole() {
        let step = usize::try_from(STEP_BYTES).unwrap();
        for size in [0, 1, step, 3 * step + 1] {
            let (file, content) = file(size);
            let mut hashing = Hashing::new(file.reopen().unwrap(), size as u64);
            let mut steps = 1;
            let digest = loop {
                let before = hashing.done();
                let digest = hashing.step().unwrap();
                assert!(hashing.done() - before <= STEP_BYTES);
                if let Some(digest) = digest {
                    break digest;
                }
                steps += 1;
            };
            assert_eq!(digest.0, *blake3::hash(&content).as_bytes(), "{size}");
            assert_eq!(steps, size.div_ceil(step).max(1), "{size}");
        }
    }

    #[test]
    fn what_is_appended_meanwhile_is_not_hashed_and_what_is_missing_is_told() {
        let (file, content) = file(100);
        let mut hashing = Hashing::new(file.reopen().unwrap(), 90);
        assert_eq!(hashing.step().unwrap().unwrap().0, *blake3::hash(&content[..90]).as_bytes());
        let mut hashing = Hashing::new(file.reopen().unwrap(), 101);
        assert_eq!(hashing.step().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
