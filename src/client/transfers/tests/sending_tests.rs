//! Files that are sent.

use super::*;
use crate::client::progress::FileState;
use crate::client::view::{Change, Label, Note, Refused, Undone};
use crate::limits::{CHUNK_MAX, MIB};
use crate::message::Announced;

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// One file that is to be sent to bob.
fn upload(size: usize) -> (Transfers, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a b.bin");
    fs::write(&path, content(size)).unwrap();
    let mut uploads = Transfers::new(dir.path().to_owned(), Keeping::AnyName, 1);
    uploads.add(FileSource::open(&path).unwrap(), Goal::User("bob".to_owned()));
    (uploads, dir)
}

/// Works until something is announced; answers with the announcement.
fn announcement(uploads: &mut Transfers) -> Option<(FileKey, Announced<'static>)> {
    while uploads.work(&HERE) {
        while let Some(step) = uploads.poll_step() {
            if let Step::Ask(FileAsk::Begin(key), Command::SendFile { file, .. }) = step {
                return Some((key, file));
            }
        }
    }
    None
}

fn answer(uploads: &mut Transfers, key: FileKey, transfer: TransferId) {
    uploads.handle_answer(FileAsk::Begin(key), Ok(Reply::Announced { transfer, place: 0 }), &HERE);
}

fn announced(size: usize) -> (Transfers, tempfile::TempDir) {
    let (mut uploads, dir) = upload(size);
    let (key, file) = announcement(&mut uploads).unwrap();
    assert_eq!((file.size, file.hash), (size as u64, Some(hash(&content(size)))));
    assert!(!file.again);
    answer(&mut uploads, key, SEVEN);
    (uploads, dir)
}

fn sent(uploads: &mut Transfers, transfer: TransferId) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some((of, bytes)) = uploads.poll_part(START) {
        assert!(of == transfer && bytes.len() <= CHUNK_MAX);
        all.extend(bytes);
    }
    all
}

/// Whether it was there and is not any more.
fn stored(uploads: &mut Transfers, transfer: TransferId) -> bool {
    let before = uploads.under_way();
    uploads.handle_ended(transfer, Ending::Stored);
    before && !uploads.under_way()
}

#[test]
fn nothing_is_sent_before_there_is_a_slot_and_no_more_than_was_granted() {
    let size = 3 * CHUNK_MAX;
    let (mut uploads, _dir) = announced(size);
    assert!(sent(&mut uploads, SEVEN).is_empty());
    uploads.handle_credit(SEVEN, 1000);
    assert!(sent(&mut uploads, SEVEN).is_empty(), "no slot, no credit");
    uploads.handle_admitted(SEVEN, 0, CHUNK_MAX as u64 + 10, 0, START);
    let mut all = sent(&mut uploads, SEVEN);
    assert_eq!(all.len(), CHUNK_MAX + 10);
    uploads.handle_credit(SEVEN, 5);
    all.extend(sent(&mut uploads, SEVEN));
    assert_eq!(all.len(), CHUNK_MAX + 15);
    uploads.handle_credit(SEVEN, u64::MAX);
    uploads.handle_credit(SEVEN, u64::MAX);
    all.extend(sent(&mut uploads, SEVEN));
    assert_eq!(all, content(size));
    assert!(uploads.under_way(), "it is over when the server says so");
    assert!(stored(&mut uploads, SEVEN));
}

#[test]
fn an_upload_goes_on_behind_what_the_server_has() {
    for (offset, rest) in [(0, 1000), (1, 999), (999, 1), (1000, 0)] {
        let (mut uploads, _dir) = announced(1000);
        uploads.handle_admitted(SEVEN, 0, 5000, offset, START);
        assert_eq!(sent(&mut uploads, SEVEN), content(1000)[1000 - rest..], "from {offset}");
        let state = uploads.progress(START).next().unwrap().state;
        assert_eq!(state, FileState::Finishing);
    }
    let (mut uploads, _dir) = announced(1000);
    uploads.handle_admitted(SEVEN, 0, 5000, 1001, START);
    assert_eq!(steps(&mut uploads)[0], cancel(SEVEN));
    assert!(!uploads.under_way(), "it has no such byte");
}

#[test]
fn a_long_file_is_hashed_in_many_steps() {
    let size = usize::try_from(5 * MIB).unwrap();
    let (mut uploads, _dir) = upload(size);
    let mut done = Vec::new();
    while uploads.work(&HERE) && uploads.poll_step().is_none() {
        done.push(uploads.progress(START).next().unwrap().done);
    }
    assert_eq!(done[..5], [0, MIB, 2 * MIB, 3 * MIB, 4 * MIB]);
}

fn label(transfer: Option<TransferId>) -> Label {
    Label { transfer, name: "a b.bin".to_owned() }
}

#[test]
fn that_a_file_is_hashed_is_said_if_it_takes_long() {
    let (mut uploads, _dir) = upload(usize::try_from(5 * MIB).unwrap());
    for ms in [0, 900, 1000, 1100] {
        uploads.work(&Here { now: Duration::from_millis(ms), ..HERE });
    }
    assert_eq!(steps(&mut uploads), [Step::Note(Note::Hashing(label(None)))]);
}

#[test]
fn what_is_lost_is_announced_again_under_the_same_hash_and_only_where_it_was_to_go() {
    let (mut uploads, _dir) = announced(100);
    uploads.handle_admitted(SEVEN, 0, 50, 0, START);
    assert_eq!(sent(&mut uploads, SEVEN).len(), 50);
    uploads.handle_lost();
    assert!(sent(&mut uploads, SEVEN).is_empty(), "there is nobody to send it to");
    uploads.handle_credit(SEVEN, 50);
    assert!(!uploads.work(&Here { can_ask: false, ..HERE }));
    let (key, again) = announcement(&mut uploads).unwrap();
    assert!(again.again);
    assert_eq!(again.hash, Some(hash(&content(100))));
    answer(&mut uploads, key, EIGHT);
    uploads.handle_admitted(EIGHT, 0, 500, 40, START);
    assert_eq!(sent(&mut uploads, EIGHT), content(100)[40..]);

    let room = RoomName::parse("lobby").unwrap();
    for goal in [Goal::Room(room), Goal::Shelf(Some(room))] {
        let (mut uploads, dir) = upload(1);
        uploads.cancel_named("a b.bin");
        uploads.add(FileSource::open(&dir.path().join("a b.bin")).unwrap(), goal);
        assert_eq!(announcement(&mut uploads), None);
        assert!(matches!(&steps(&mut uploads)[..], []) && !uploads.under_way());
    }
}

#[test]
fn a_file_that_is_gone_or_changed_is_not_announced_again_as_it_was() {
    let (mut uploads, dir) = announced(100);
    fs::remove_file(dir.path().join("a b.bin")).unwrap();
    uploads.handle_lost();
    uploads.work(&HERE);
    let (about, why) = (label(Some(SEVEN)), Undone::Told("the file is gone".to_owned()));
    let gone = Step::Refuse(Refused::File { about, code: "cannot_read".to_owned(), why });
    assert_eq!(steps(&mut uploads), [gone]);

    let (mut uploads, dir) = announced(100);
    fs::write(dir.path().join("a b.bin"), [1; 50]).unwrap();
    uploads.handle_lost();
    let (_, anew) = announcement(&mut uploads).unwrap();
    assert_eq!((anew.size, anew.again), (50, false), "it is another file");
}

#[test]
fn a_file_that_grows_is_sent_as_announced_and_one_that_shrinks_is_withdrawn_and_sent_anew() {
    let (mut uploads, dir) = announced(10);
    fs::write(dir.path().join("a b.bin"), [1; 500]).unwrap();
    uploads.handle_admitted(SEVEN, 0, 1000, 0, START);
    assert_eq!(sent(&mut uploads, SEVEN).len(), 10);

    let (mut uploads, dir) = announced(10);
    uploads.handle_admitted(SEVEN, 0, 1000, 0, START);
    steps(&mut uploads);
    fs::write(dir.path().join("a b.bin"), [1; 4]).unwrap();
    assert_eq!(sent(&mut uploads, SEVEN), [1; 4]);
    let steps = steps(&mut uploads);
    assert_eq!(steps[0], cancel(SEVEN));
    assert!(matches!(&steps[1], Step::Note(Note::SentAnew(_, Change::Moving))));
    assert_eq!(announcement(&mut uploads).unwrap().1.size, 4);
    uploads.handle_ended(SEVEN, Ending::Cancelled);
    assert!(uploads.under_way(), "it is another upload by now");
}

#[test]
fn a_refused_announcement_leaves_nothing_behind_unless_it_passes() {
    let (mut uploads, _dir) = upload(1);
    let (key, _) = announcement(&mut uploads).unwrap();
    uploads.handle_answer(FileAsk::Begin(key), refused("busy"), &HERE);
    assert!(uploads.under_way() && uploads.wake_at(START).is_some());
    assert!(!uploads.work(&HERE), "not yet");
    let now = uploads.wake_at(START).unwrap();
    assert!(uploads.work(&Here { now, ..HERE }));
    assert!(matches!(uploads.poll_step(), Some(Step::Ask(FileAsk::Begin(_), _))), "not asked");
    uploads.handle_answer(FileAsk::Begin(key), refused("file_too_large"), &Here { now, ..HERE });
    assert!(!uploads.under_way());
    uploads.handle_ended(EIGHT, Ending::Stored);
    assert_eq!(steps(&mut uploads).len(), 1, "the refusal");
}

#[test]
fn only_a_file_that_can_be_read_can_be_sent() {
    use crate::client::transfers::source::SourceError;
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(FileSource::open(dir.path()), Err(SourceError::NotAFile)));
    let nowhere = FileSource::open(&dir.path().join("nowhere"));
    assert!(matches!(nowhere, Err(SourceError::Unreadable(_))));
}
