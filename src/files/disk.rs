//! Temporary files in one folder, each named by its transfer and by nothing that a client chose.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::id::TransferId;
use crate::job::{FileJob, FileOutcome};
use crate::os;

/// The folder and the files that are open in it.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    open: HashMap<TransferId, File>,
}

impl Disk {
    /// Takes the folder `temp` in `data`, made if need be, and removes what an earlier server left.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(data: &Path) -> io::Result<Self> {
        let folder = data.join("temp");
        os::create_private_dir(&folder)?;
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if is_ours(&path) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(Self { folder, open: HashMap::new() })
    }

    /// Does one job.
    pub fn run(&mut self, job: FileJob) -> FileOutcome {
        let result = match job {
            FileJob::Create { transfer } => self.create(transfer),
            FileJob::Append { transfer, bytes } => self.append(transfer, &bytes),
            FileJob::Read { transfer, offset, len } => self.read(transfer, offset, len),
            FileJob::Remove { transfer } => self.remove(transfer),
        };
        result.unwrap_or_else(|error| FileOutcome::Failed(error.to_string()))
    }

    fn path(&self, transfer: TransferId) -> PathBuf {
        self.folder.join(format!("{transfer}.part"))
    }

    fn create(&mut self, transfer: TransferId) -> io::Result<FileOutcome> {
        let file = os::create_private_file(&self.path(transfer))?;
        self.open.insert(transfer, file);
        Ok(FileOutcome::Done)
    }

    fn append(&mut self, transfer: TransferId, bytes: &[u8]) -> io::Result<FileOutcome> {
        self.file(transfer)?.write_all(bytes)?;
        Ok(FileOutcome::Done)
    }

    fn read(&mut self, transfer: TransferId, offset: u64, len: u32) -> io::Result<FileOutcome> {
        let file = self.file(transfer)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(len as usize);
        file.take(u64::from(len)).read_to_end(&mut bytes)?;
        Ok(FileOutcome::Bytes(bytes))
    }

    fn remove(&mut self, transfer: TransferId) -> io::Result<FileOutcome> {
        if self.open.remove(&transfer).is_some() {
            std::fs::remove_file(self.path(transfer))?;
        }
        Ok(FileOutcome::Done)
    }

    fn file(&mut self, transfer: TransferId) -> io::Result<&mut File> {
        let missing = || io::Error::other(format!("no file of transfer {transfer} is open"));
        self.open.get_mut(&transfer).ok_or_else(missing)
    }
}

/// Whether a file can be one of an earlier server: the number of a transfer, and `part`. The folder
/// may be one that was there before, with somebody's half downloaded film in it.
fn is_ours(path: &Path) -> bool {
    let number = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    path.extension().is_some_and(|extension| extension == "part") && number.parse::<u32>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: TransferId = TransferId(1);

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder.join("temp")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_read_as_it_was_written_and_leaves_nothing() {
        let data = tempfile::tempdir().unwrap();
        let mut disk = Disk::open(data.path()).unwrap();
        assert_eq!(disk.run(FileJob::Create { transfer: ONE }), FileOutcome::Done);
        for part in ["hello ", "world"] {
            let job = FileJob::Append { transfer: ONE, bytes: part.into() };
            assert_eq!(disk.run(job), FileOutcome::Done);
        }
        assert_eq!(names(data.path()), ["1.part"]);
        let read =
            |disk: &mut Disk, offset, len| disk.run(FileJob::Read { transfer: ONE, offset, len });
        assert_eq!(read(&mut disk, 0, 5), FileOutcome::Bytes(b"hello".to_vec()));
        assert_eq!(read(&mut disk, 6, 100), FileOutcome::Bytes(b"world".to_vec()));
        assert_eq!(disk.run(FileJob::Remove { transfer: ONE }), FileOutcome::Done);
        assert!(names(data.path()).is_empty());
        assert!(matches!(read(&mut disk, 0, 5), FileOutcome::Failed(_)));
    }

    #[test]
    fn what_an_earlier_server_left_is_swept_and_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        std::fs::create_dir(data.path().join("temp")).unwrap();
        std::fs::write(data.path().join("temp/7.part"), "old").unwrap();
        for mine in ["film.mkv.part", "notes.txt"] {
            std::fs::write(data.path().join("temp").join(mine), "mine").unwrap();
        }
        Disk::open(data.path()).unwrap();
        let mut left = names(data.path());
        left.sort();
        assert_eq!(left, ["film.mkv.part", "notes.txt"]);
    }
}
