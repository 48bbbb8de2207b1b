//! The disk by its jobs: what each leaves in the folders.

use super::*;
use crate::files::scan;
use crate::files::sweep::{Leftover, Why};
use crate::message::UserName;
use sha2::Digest as _;

const ONE: TransferId = TransferId(1);
const TWO: TransferId = TransferId(2);

/// The wall clock of a start.
const NOW_MS: u64 = 1_000_000_000_000;

/// Only one content is needed, and the others were removed.
fn only(needed: Digest) -> impl Fn(&Digest) -> Fate {
    move |content| if *content == needed { Fate::Stays } else { Fate::Goes }
}

struct Rig {
    data: tempfile::TempDir,
    disk: Disk,
}

impl Rig {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let (disk, halves) = Disk::open(data.path(), NOW_MS, |_| Fate::Goes).unwrap();
        assert_eq!(halves, []);
        Self { data, disk }
    }

    /// Of bob's half are ten bytes there, and four are hashed at a time: the first have been.
    fn with_long_half() -> Self {
        let mut rig = Self::new();
        rig.open(ONE, Some(half("bob")));
        rig.append(ONE, "0123456789");
        rig.close(ONE, true);
        rig.disk.rehash_bytes = 4;
        assert_eq!(rig.open(ONE, Some(half("bob"))), opened(10, 4));
        rig
    }

    /// A server that died, and the next one, which needs everything.
    fn reopen(&mut self) -> Vec<Half> {
        let (disk, halves) = Disk::open(self.data.path(), NOW_MS, |_| Fate::Stays).unwrap();
        self.disk = disk;
        halves
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.data.path().join(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn put(&self, name: &str, content: &str) {
        std::fs::write(self.data.path().join(name), content).unwrap();
    }

    fn open(&mut self, transfer: TransferId, partial: Option<PartialId>) -> FileOutcome {
        self.disk.run(FileJob::Open { transfer, partial, size: 100 })
    }

    fn append(&mut self, transfer: TransferId, bytes: &str) -> FileOutcome {
        self.disk.run(FileJob::Append { transfer, bytes: bytes.into() })
    }

    fn finish(&mut self, transfer: TransferId, hash: Option<Digest>) -> FileOutcome {
        self.disk.run(FileJob::Finish { transfer, hash })
    }

    fn close(&mut self, transfer: TransferId, keep: bool) {
        assert_eq!(self.disk.run(FileJob::Close { transfer, keep }), FileOutcome::Done);
    }

    fn read(&mut self, blob: Digest, offset: u64, len: u32) -> FileOutcome {
        self.disk.run(FileJob::Read { blob, offset, len })
    }

    /// A file from its beginning to its end.
    fn upload(&mut self, transfer: TransferId, content: &str) -> Digest {
        assert_eq!(self.open(transfer, None), opened(0, 0));
        assert_eq!(self.append(transfer, content), FileOutcome::Done);
        assert_eq!(self.finish(transfer, None), finished(content));
        blake3(content)
    }

    #[track_caller]
    fn has(&self, temp: &[&str], files: &[&str]) {
        let files: Vec<String> = files.iter().map(|file| blake3(file).to_string()).collect();
        assert_eq!((self.names("temp"), self.names("files")), (strings(temp), files));
    }
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn half(owner: &str) -> PartialId {
    PartialId { owner: UserName::parse(owner).unwrap().key(), what: 0x1f }
}

/// The file of `half("Bob")`.
const BOBS: &str = "626f62-0000000000000000000000000000001f.part";

fn blake3(content: &str) -> Digest {
    Digest(::blake3::hash(content.as_bytes()).into())
}

fn finished(content: &str) -> FileOutcome {
    let sha256 = Digest(sha2::Sha256::digest(content).into());
    FileOutcome::Finished { hash: blake3(content), sha256 }
}

const fn opened(bytes: u64, hashed: u64) -> FileOutcome {
    FileOutcome::Opened { bytes, hashed }
}

fn bytes(content: &str) -> FileOutcome {
    FileOutcome::Bytes(content.into())
}

#[track_caller]
fn failed(outcome: &FileOutcome) {
    assert!(matches!(outcome, FileOutcome::Failed(_)), "{outcome:?}");
}

#[test]
fn a_file_is_whole_under_its_hash_and_read_as_it_was_written() {
    let mut rig = Rig::new();
    assert_eq!(rig.open(ONE, None), opened(0, 0));
    for part in ["hello ", "world"] {
        assert_eq!(rig.append(ONE, part), FileOutcome::Done);
    }
    rig.has(&["1.part"], &[]);
    let hash = blake3("hello world");
    assert_eq!(rig.finish(ONE, Some(hash)), finished("hello world"));
    rig.has(&[], &["hello world"]);
    assert_eq!(rig.read(hash, 0, 5), bytes("hello"));
    assert_eq!(rig.read(hash, 6, 100), bytes("world"));
    assert_eq!(rig.read(hash, 2, 2), bytes("ll"));
    assert_eq!(rig.read(hash, 11, 1), bytes(""));
    // It is closed, and what is closed takes nothing.
    failed(&rig.append(ONE, "more"));
    failed(&rig.finish(ONE, None));
    failed(&rig.disk.run(FileJob::Rehash { transfer: ONE }));
    rig.close(ONE, true);
    assert_eq!(rig.disk.run(FileJob::Delete { blob: hash }), FileOutcome::Done);
    rig.has(&[], &[]);
    failed(&rig.read(hash, 0, 5));
}

#[test]
fn sha_256_and_blake3_are_those_of_everybody() {
    // Of "abc": FIPS 180-4's example, and the one of the BLAKE3 crate's own documentation.
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let hash = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
    let (hash, sha256) = (Digest::parse(hash).unwrap(), Digest::parse(sha256).unwrap());
    assert_eq!(finished("abc"), FileOutcome::Finished { hash, sha256 });
}

#[test]
fn an_empty_file_is_a_file() {
    let mut rig = Rig::new();
    rig.open(ONE, Some(half("bob")));
    assert_eq!(rig.finish(ONE, Some(blake3(""))), finished(""));
    rig.has(&[], &[""]);
    assert_eq!(rig.read(blake3(""), 0, 10), bytes(""));
}

#[test]
fn what_is_not_as_announced_leaves_nothing() {
    let mut rig = Rig::new();
    for partial in [None, Some(half("bob"))] {
        rig.open(ONE, partial);
        rig.append(ONE, "hello");
        assert_eq!(rig.finish(ONE, Some(blake3("hullo"))), FileOutcome::Mismatch);
        rig.has(&[], &[]);
        failed(&rig.append(ONE, "more"));
    }
}

#[test]
fn a_half_goes_on_in_the_next_server() {
    let mut rig = Rig::new();
    let id = half("Bob");
    assert_eq!(rig.open(ONE, Some(id)), opened(0, 0));
    rig.append(ONE, "hello ");
    rig.close(ONE, true);
    rig.has(&[BOBS], &[]);
    // Once it was closed in good order, once the server died.
    assert_eq!(rig.open(ONE, Some(id)), opened(6, 6));
    rig.append(ONE, "wide ");
    let halves = rig.reopen();
    let since = crate::id::millis(std::time::UNIX_EPOCH.elapsed().unwrap());
    assert!(halves[0].since_ms <= since && halves[0].since_ms > since - 60_000, "{halves:?}");
    assert_eq!(halves, [Half { id, bytes: 11, since_ms: halves[0].since_ms }]);
    assert_eq!(rig.open(TWO, Some(id)), opened(11, 11));
    rig.append(TWO, "world");
    let whole = "hello wide world";
    assert_eq!(rig.finish(TWO, Some(blake3(whole))), finished(whole));
    rig.has(&[], &[whole]);
}

#[test]
fn a_long_half_is_hashed_in_steps_and_added_to_only_then() {
    let mut rig = Rig::with_long_half();
    failed(&rig.append(ONE, "x"));
    let rehash = FileJob::Rehash { transfer: ONE };
    assert_eq!(rig.disk.run(rehash.clone()), opened(10, 8));
    failed(&rig.append(ONE, "x"));
    assert_eq!(rig.disk.run(rehash.clone()), opened(10, 10));
    assert_eq!(rig.disk.run(rehash), opened(10, 10));
    assert_eq!(rig.append(ONE, "abc"), FileOutcome::Done);
    assert_eq!(rig.finish(ONE, Some(blake3("0123456789abc"))), finished("0123456789abc"));
}

#[test]
fn a_half_that_is_too_long_begins_anew() {
    let mut rig = Rig::new();
    rig.put(&format!("temp/{BOBS}"), "0123456789");
    let open = |size| FileJob::Open { transfer: ONE, partial: Some(half("bob")), size };
    assert_eq!(rig.disk.run(open(10)), opened(10, 10));
    rig.close(ONE, true);
    assert_eq!(rig.disk.run(open(9)), opened(0, 0));
    rig.append(ONE, "new");
    assert_eq!(rig.finish(ONE, None), finished("new"));
}

#[test]
fn only_a_half_that_has_bytes_and_an_owner_is_kept() {
    let mut rig = Rig::new();
    for (partial, content, keep) in
        [(None, "hello", true), (Some(half("bob")), "", true), (Some(half("bob")), "hello", false)]
    {
        rig.open(ONE, partial);
        rig.append(ONE, content);
        rig.close(ONE, keep);
        rig.has(&[], &[]);
    }
    // Of what was never open there is nothing to close.
    rig.close(TWO, true);
    rig.close(TWO, false);
}

#[test]
fn no_two_transfers_have_one_file_open() {
    let mut rig = Rig::new();
    rig.open(ONE, Some(half("bob")));
    rig.append(ONE, "hello");
    failed(&rig.open(TWO, Some(half("BOB"))));
    failed(&rig.open(ONE, Some(half("alice"))));
    failed(&rig.open(ONE, None));
    failed(&rig.disk.run(FileJob::Discard { partial: half("bob") }));
    failed(&rig.append(TWO, "x"));
    // Another half of the same user is another file.
    let other = PartialId { what: 7, ..half("bob") };
    assert_eq!(rig.open(TWO, Some(other)), opened(0, 0));
    assert_eq!(rig.finish(ONE, Some(blake3("hello"))), finished("hello"));
    // Nor is a file taken over that an earlier server left.
    rig.put("temp/9.part", "old");
    failed(&rig.open(TransferId(9), None));
}

#[test]
fn a_half_is_discarded() {
    let mut rig = Rig::new();
    rig.open(ONE, Some(half("bob")));
    rig.append(ONE, "hello");
    rig.close(ONE, true);
    let discard = FileJob::Discard { partial: half("bob") };
    assert_eq!(rig.disk.run(discard.clone()), FileOutcome::Done);
    rig.has(&[], &[]);
    failed(&rig.disk.run(discard));
}

#[test]
fn one_content_is_there_once() {
    let mut rig = Rig::new();
    let hash = rig.upload(ONE, "same");
    let before = rig.data.path().join("files").join(hash.to_string());
    let written = || before.metadata().unwrap().modified().unwrap();
    let first = written();
    assert_eq!(rig.upload(TWO, "same"), hash);
    rig.has(&[], &["same"]);
    assert_eq!(written(), first, "the one that was there stays");
    assert_eq!(rig.read(hash, 0, 10), bytes("same"));
    assert_eq!(rig.disk.run(FileJob::Delete { blob: hash }), FileOutcome::Done);
    rig.has(&[], &[]);
    failed(&rig.read(hash, 0, 10));
    rig.upload(TWO, "same");
    assert_eq!(rig.read(hash, 0, 10), bytes("same"));
}

#[test]
fn a_blob_that_is_damaged_is_replaced() {
    let mut rig = Rig::new();
    let hash = rig.upload(ONE, "content");
    rig.put(&format!("files/{hash}"), "cont");
    assert_eq!(rig.read(hash, 0, 10), bytes("cont"));
    rig.upload(TWO, "content");
    assert_eq!(rig.read(hash, 0, 10), bytes("content"));
    rig.has(&[], &["content"]);
}

#[test]
fn what_cannot_come_to_its_place_leaves_nothing_on_its_way() {
    let mut rig = Rig::new();
    std::fs::create_dir(rig.data.path().join("files").join(blake3("hello").to_string())).unwrap();
    rig.open(ONE, Some(half("bob")));
    rig.append(ONE, "hello");
    failed(&rig.finish(ONE, None));
    rig.has(&[], &["hello"]);
}

#[test]
fn more_blobs_are_read_than_stay_open() {
    let mut rig = Rig::new();
    let contents: Vec<String> = (0..40).map(|n| format!("content {n}")).collect();
    for (content, transfer) in contents.iter().zip(1..) {
        rig.upload(TransferId(transfer), content);
    }
    for round in 0..3 {
        for content in &contents {
            assert_eq!(rig.read(blake3(content), 0, 100), bytes(content), "{round}");
        }
        // One that is read all the time stays open.
        assert_eq!(rig.disk.blobs.open_now().len(), 16);
    }
    let kept = blake3(&contents[0]);
    for content in &contents {
        rig.read(kept, 0, 1);
        rig.read(blake3(content), 0, 1);
        assert!(rig.disk.blobs.open_now().contains(&kept));
    }
    rig.disk.run(FileJob::Delete { blob: kept });
    assert!(!rig.disk.blobs.open_now().contains(&kept));
}

#[test]
fn what_nobody_needs_is_swept_and_nothing_else() {
    let mut rig = Rig::new();
    let needed = rig.upload(ONE, "needed");
    let unneeded = rig.upload(TWO, "nobody's");
    let capitals = "AB".repeat(32);
    let empty = "616c696365-00000000000000000000000000000000.part";
    rig.put("temp/7.part", "old");
    rig.put(&format!("temp/{BOBS}"), "half");
    rig.put(&format!("temp/{empty}"), "");
    let mine = [
        "temp/007.part",
        "temp/film.mkv.part",
        "temp/notes.txt",
        "files/notes.txt",
        &format!("files/{capitals}"),
    ];
    mine.iter().for_each(|name| rig.put(name, "mine"));
    std::fs::create_dir(rig.data.path().join("temp/8.part")).unwrap();

    let data = rig.data.path().to_owned();
    let (mut listed, _) = scan(&data, only(needed)).unwrap();
    listed.sort_by_key(|leftover| leftover.path.clone());
    let leftover = |name: &str, bytes, why| Leftover { path: data.join(name), bytes, why };
    let expected = [
        leftover(&format!("files/{unneeded}"), 8, Why::Removed),
        leftover(&format!("temp/{empty}"), 0, Why::Empty),
        leftover("temp/7.part", 3, Why::Broken),
    ];
    assert_eq!(listed, expected);
    assert!(listed.iter().all(|leftover| leftover.path.exists()), "listing removes nothing");

    let (_, halves) = Disk::open(&data, NOW_MS, only(needed)).unwrap();
    assert_eq!(halves.iter().map(|half| half.bytes).collect::<Vec<_>>(), [4]);
    assert_eq!(halves[0].id, half("bob"));
    let temp = ["007.part", BOBS, "8.part", "film.mkv.part", "notes.txt"];
    assert_eq!(rig.names("temp"), strings(&temp));
    let mut files = [needed.to_string(), capitals, "notes.txt".to_owned()];
    files.sort();
    assert_eq!(rig.names("files"), files);
    assert_eq!(scan(&data, only(needed)).unwrap().0, []);
}

#[test]
fn a_folder_that_is_not_there_has_no_leftovers() {
    let data = tempfile::tempdir().unwrap();
    assert_eq!(scan(data.path(), |_| Fate::Goes).unwrap().0, []);
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
}

#[test]
fn a_half_that_cannot_be_hashed_is_not_in_the_way_for_ever() {
    let mut rig = Rig::with_long_half();
    // Somebody has shortened it.
    rig.put(&format!("temp/{BOBS}"), "0123");
    failed(&rig.disk.run(FileJob::Rehash { transfer: ONE }));
    rig.close(ONE, true);
    rig.has(&[], &[]);
}

#[cfg(unix)]
#[test]
fn a_link_with_one_of_our_names_is_not_followed() {
    let mut rig = Rig::new();
    // As long as what the links point to, so that only the link tells them apart.
    let blob = blake3("public");
    rig.put("secret", "secret");
    let (data, id) = (rig.data.path().to_owned(), half("bob"));
    let links = ["temp/7.part".to_owned(), format!("temp/{BOBS}"), format!("files/{blob}")];
    let link = |name: &String| {
        std::os::unix::fs::symlink(data.join("secret"), data.join(name)).unwrap();
    };
    links.iter().for_each(link);
    // Neither written, nor read, nor taken for a blob that is there already.
    failed(&rig.open(TransferId(7), None));
    failed(&rig.open(ONE, Some(id)));
    failed(&rig.read(blob, 0, 10));
    rig.upload(TWO, "public");
    assert_eq!(rig.read(blob, 0, 10), bytes("public"));
    assert!(rig.data.path().join(&links[2]).symlink_metadata().unwrap().is_file());
    rig.disk.run(FileJob::Delete { blob });
    link(&links[2]);

    let (listed, _) = scan(&data, |_| Fate::Goes).unwrap();
    assert_eq!(listed.iter().map(|left| left.why).collect::<Vec<_>>(), [Why::NoFile; 3]);
    let (disk, halves) = Disk::open(&data, NOW_MS, |_| Fate::Goes).unwrap();
    rig.disk = disk;
    assert_eq!(halves, []);
    rig.has(&[], &[]);
    assert_eq!(std::fs::read_to_string(data.join("secret")).unwrap(), "secret");
    // To discard one is to remove the link.
    link(&links[1]);
    assert_eq!(rig.disk.run(FileJob::Discard { partial: id }), FileOutcome::Done);
    rig.has(&[], &[]);
    assert_eq!(std::fs::read_to_string(data.join("secret")).unwrap(), "secret");
}

#[test]
fn a_file_that_is_longer_than_a_write_back_is_whole() {
    let mut rig = Rig::new();
    let content: String = (0..3_u32 << 20).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    rig.open(ONE, None);
    for _ in 0..11 {
        assert_eq!(rig.append(ONE, &content), FileOutcome::Done);
    }
    let whole = content.repeat(11);
    assert_eq!(rig.finish(ONE, Some(blake3(&whole))), finished(&whole));
    let middle = rig.read(blake3(&whole), 16 << 20, 100);
    assert_eq!(middle, bytes(&whole[16 << 20..][..100]));
}

#[test]
fn a_half_whose_sync_fails_is_not_kept_and_a_whole_file_is_not_told_of() {
    let mut rig = Rig::new();
    for keep in [false, true] {
        rig.open(ONE, Some(half("bob")));
        rig.append(ONE, "hello");
        rig.disk.upload(ONE).unwrap().break_for_test();
        if keep {
            rig.close(ONE, true);
        } else {
            failed(&rig.finish(ONE, None));
        }
        rig.has(&[], &[]);
    }
}

#[test]
fn what_is_aside_is_counted_as_free_and_goes_when_room_is_needed() {
    let mut rig = Rig::new();
    let blob = blake3("nobody's");
    rig.put(&format!("files/{blob}"), "nobody's");
    let data = rig.data.path().to_owned();
    (rig.disk, _) = Disk::open(&data, NOW_MS, |_| Fate::Aside).unwrap();
    assert_eq!((rig.disk.aside_bytes(), rig.names("files")), (8, strings(&[".aside"])));
    rig.upload(ONE, "goes on");
    rig.disk.tidy_aside();
    assert_eq!(rig.names("files/.aside"), [blob.to_string()]);
    // More than any disk has.
    rig.disk.keep_free(u64::MAX / 2);
    rig.upload(TWO, "needs it");
    assert_eq!((rig.disk.aside_bytes(), rig.names("files/.aside")), (0, strings(&[])));
}
