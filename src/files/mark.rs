//! The mark in the folder of whole files: which store they belong to, and its generation.
//!
//! Refuses to know what does not fit. The rule it keeps: a mark is written whole or not at all.

use std::io::{self, Read as _, Write as _};
use std::path::Path;

use super::names::{FILES, MARK};
use crate::id::StoreId;
use crate::os;

/// Longest mark in bytes, twice over.
const MARK_BYTES_MAX: u64 = 256;

/// Reads the mark; what is not written as we write it is none.
///
/// # Errors
/// Those of the system; a folder or mark that is not there is no error.
pub(crate) fn read_mark(data: &Path) -> io::Result<Option<StoreId>> {
    let mut text = String::new();
    let file = match os::open_regular(&data.join(FILES).join(MARK), false) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    match file.take(MARK_BYTES_MAX).read_to_string(&mut text) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        read => read.map(|_| parse(&text)),
    }
}

/// Writes the mark, on the disk.
///
/// # Errors
/// Those of the system.
pub(crate) fn write_mark(data: &Path, id: StoreId) -> io::Result<()> {
    let folder = data.join(FILES);
    let (path, new) = (folder.join(MARK), folder.join(format!("{MARK}.new")));
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = os::create_private_file(&new)?;
    file.write_all(emit(id).as_bytes())?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&new, &path)?;
    os::sync_dir(&folder)
}

fn emit(id: StoreId) -> String {
    format!("parlor store {:032x} generation {}\n", u128::from_be_bytes(id.identity), id.generation)
}

fn parse(text: &str) -> Option<StoreId> {
    let (identity, generation) = text.strip_prefix("parlor store ")?.split_once(" generation ")?;
    let identity = u128::from_str_radix(identity, 16).ok()?.to_be_bytes();
    let id = StoreId { identity, generation: generation.trim_end().parse().ok()? };
    (emit(id) == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_anything_else_is_none() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(read_mark(data.path()).unwrap(), None);
        std::fs::create_dir(data.path().join(FILES)).unwrap();
        let path = data.path().join(FILES).join(MARK);
        for generation in [0, 7, u64::MAX] {
            let id = StoreId { identity: [0xab; 16], generation };
            write_mark(data.path(), id).unwrap();
            assert_eq!(read_mark(data.path()).unwrap(), Some(id));
        }
        let whole = std::fs::read(&path).unwrap();
        for end in 0..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            assert_eq!(read_mark(data.path()).unwrap(), None, "{end} bytes");
        }
        std::fs::write(&path, [0xff; 1000]).unwrap();
        assert_eq!(read_mark(data.path()).unwrap(), None);
    }
}
