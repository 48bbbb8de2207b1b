//! Files that are taken.

use super::*;
use crate::client::transfers::taking::OFFERS_MAX;
use crate::client::view::{Note, Refused};
use crate::message::{FileLine, FileName, FileRef, Target, UserName};

fn get(offset: u64) -> Step {
    let file = FileRef::Number(SEVEN);
    Step::Ask(FileAsk::Begin(FileKey::Down(SEVEN)), Command::Get { file, offset })
}

fn unknown() -> Refused {
    Refused::Here(Refusal::NoSuchFile)
}

fn getting(downloads: &mut Transfers, file: FileLine, offset: u64) {
    let key = FileKey::Down(file.transfer);
    downloads.handle_answer(FileAsk::Begin(key), Ok(Reply::Getting { file, offset }), &HERE);
}

fn line(transfer: TransferId, name: &str, content: &[u8]) -> FileLine {
    FileLine {
        transfer,
        from: UserName::parse("alice").unwrap(),
        to: Target::User(UserName::parse("bob").unwrap()),
        name: FileName::parse(name).unwrap(),
        size: content.len() as u64,
        hash: hash(content),
        sha256: Digest([0; 32]),
        at: 0,
        until: 0,
    }
}

/// A folder, and a client that is offered number 7.
fn offered(content: &[u8]) -> (Transfers, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut downloads = Transfers::new(dir.path().to_owned(), Keeping::AnyName, 1);
    assert!(downloads.handle_offered(&line(SEVEN, "f.txt", content)));
    (downloads, dir)
}

/// The same, and all that can be done without the server is done.
fn accepted(content: &[u8]) -> (Transfers, tempfile::TempDir) {
    let (mut downloads, dir) = offered(content);
    downloads.accept(SEVEN, None, false).unwrap();
    work(&mut downloads);
    (downloads, dir)
}

fn coming(content: &[u8]) -> (Transfers, tempfile::TempDir) {
    let (mut downloads, dir) = accepted(content);
    assert_eq!(steps(&mut downloads), [get(0)]);
    getting(&mut downloads, line(SEVEN, "f.txt", content), 0);
    steps(&mut downloads);
    (downloads, dir)
}

fn names(dir: &tempfile::TempDir) -> Vec<String> {
    let entries = fs::read_dir(dir.path()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn half(name: &str, content: &[u8]) -> String {
    format!("{name}.{}.part", &hash(content).to_string()[..16])
}

fn code(step: &Step) -> &str {
    match step {
        Step::Refuse(Refused::File { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_has_its_name_when_all_of_it_is_here_and_the_hash_is_right() {
    let (mut downloads, dir) = coming(b"hello");
    downloads.handle_chunk(SEVEN, b"hel", START);
    assert_eq!(names(&dir), [half("f.txt", b"hello")]);
    downloads.handle_chunk(SEVEN, b"lo", START);
    assert_eq!(fs::read(dir.path().join("f.txt")).unwrap(), b"hello");
    assert_eq!(names(&dir), ["f.txt"]);
    let steps = steps(&mut downloads);
    assert_eq!(steps[1], Step::Saved(dir.path().join("f.txt")));
    assert_eq!(
        steps[2],
        Step::Ask(FileAsk::Confirm(SEVEN), Command::Received { transfer: SEVEN }),
        "what it brings goes first"
    );
    assert!(!downloads.under_way() && !downloads.handle_offered(&line(SEVEN, "f.txt", b"hello")));
}

#[test]
fn half_a_file_of_an_earlier_run_is_hashed_and_gone_on_with() {
    for kept in [1, 4, 5] {
        let (mut downloads, dir) = offered(b"hello");
        fs::write(dir.path().join(half("f.txt", b"hello")), &b"hello"[..kept]).unwrap();
        downloads.accept(SEVEN, None, false).unwrap();
        work(&mut downloads);
        if kept < 5 {
            assert_eq!(steps(&mut downloads), [get(kept as u64)]);
            getting(&mut downloads, line(SEVEN, "f.txt", b"hello"), kept as u64);
            downloads.handle_chunk(SEVEN, &b"hello"[kept..], START);
        }
        assert_eq!(fs::read(dir.path().join("f.txt")).unwrap(), b"hello", "{kept}");
        assert_eq!(names(&dir), ["f.txt"]);
    }
}

#[test]
fn a_half_that_is_wrong_is_thrown_away_and_the_file_is_taken_anew_once() {
    let (mut downloads, dir) = offered(b"hello");
    fs::write(dir.path().join(half("f.txt", b"hello")), b"hex").unwrap();
    downloads.accept(SEVEN, None, false).unwrap();
    work(&mut downloads);
    assert_eq!(steps(&mut downloads), [get(3)]);
    getting(&mut downloads, line(SEVEN, "f.txt", b"hello"), 3);
    downloads.handle_chunk(SEVEN, b"lo", START);
    assert!(!dir.path().join("f.txt").exists());
    work(&mut downloads);
    let all = steps(&mut downloads);
    assert!(matches!(&all[1], Step::Note(Note::TakenAnew(_))));
    assert_eq!(all[2], get(0));
    getting(&mut downloads, line(SEVEN, "f.txt", b"hello"), 0);
    downloads.handle_chunk(SEVEN, b"hexlo", START);
    assert_eq!(code(steps(&mut downloads).last().unwrap()), "wrong_content");
    assert!(names(&dir).is_empty() && !downloads.under_way());
}

#[test]
fn a_file_never_takes_the_place_of_another_and_its_local_name_can_be_chosen() {
    let (mut downloads, dir) = offered(b"hello");
    fs::write(dir.path().join("g.txt"), "mine").unwrap();
    let local = FileName::parse("g.txt").unwrap();
    downloads.accept(SEVEN, Some(local), false).unwrap();
    work(&mut downloads);
    getting(&mut downloads, line(SEVEN, "f.txt", b"hello"), 0);
    downloads.handle_chunk(SEVEN, b"hello", START);
    assert_eq!(names(&dir), ["g (1).txt", "g.txt"]);
    assert_eq!(fs::read(dir.path().join("g.txt")).unwrap(), b"mine");
}

#[test]
fn bytes_that_nobody_asked_for_reach_no_disk() {
    let (mut downloads, dir) = offered(b"hello");
    downloads.handle_chunk(SEVEN, b"hello", START);
    downloads.handle_chunk(TransferId(8), b"hello", START);
    assert!(names(&dir).is_empty());
    let (mut downloads, dir) = accepted(b"hello");
    downloads.handle_chunk(SEVEN, b"hello", START);
    downloads.handle_lost();
    work(&mut downloads);
    assert_eq!(steps(&mut downloads).last(), Some(&get(0)));
    drop(downloads);
    assert!(names(&dir).is_empty());
}

#[test]
fn more_bytes_than_announced_and_another_file_are_not_taken() {
    let (mut downloads, dir) = coming(b"hello");
    downloads.handle_chunk(SEVEN, b"hello!", START);
    let all = steps(&mut downloads);
    assert_eq!((&all[0], code(&all[1])), (&cancel(SEVEN), "wrong_content"));
    assert!(names(&dir).is_empty());
    for (other, offset) in [(&b"olleh"[..], 0), (b"hell", 0), (b"hello", 1)] {
        let (mut downloads, dir) = accepted(b"hello");
        getting(&mut downloads, line(SEVEN, "f.txt", other), offset);
        assert_eq!(steps(&mut downloads)[1], cancel(SEVEN));
        assert!(!downloads.under_way() && names(&dir).is_empty());
    }
}

#[test]
fn half_a_file_is_removed_with_its_file_and_kept_otherwise() {
    let removed = [Ending::Cancelled, Ending::Removed];
    for how in [Ending::Cancelled, Ending::Removed, Ending::StoreFailed] {
        let (mut downloads, dir) = coming(b"hello");
        downloads.handle_chunk(SEVEN, b"he", START);
        downloads.handle_ended(SEVEN, how);
        assert_eq!(code(&steps(&mut downloads)[0]), "not_saved");
        assert_eq!(names(&dir).is_empty(), removed.contains(&how), "{how:?}");
    }
    let bob = UserName::parse("bob").ok();
    for (code, near, kept) in
        [("no_such_file", true, false), ("no_such_file", false, true), ("blocked", true, true)]
    {
        let (mut downloads, dir) = coming(b"hello");
        downloads.handle_chunk(SEVEN, b"he", START);
        downloads.handle_lost();
        work(&mut downloads);
        let here = Here { user: bob.filter(|_| near), ..HERE };
        downloads.handle_answer(FileAsk::Begin(FileKey::Down(SEVEN)), refused(code), &here);
        assert_eq!(names(&dir).len(), usize::from(kept), "{code} {near}");
        assert!(!downloads.under_way());
    }
}

#[test]
fn a_download_that_is_refused_for_now_is_asked_for_again() {
    let (mut downloads, _dir) = accepted(b"hello");
    steps(&mut downloads);
    downloads.handle_answer(
        FileAsk::Begin(FileKey::Down(SEVEN)),
        refused("too_many_downloads"),
        &HERE,
    );
    work(&mut downloads);
    assert!(steps(&mut downloads).is_empty(), "not at once");
    let now = downloads.wake_at(START).unwrap();
    downloads.work(&Here { now, ..HERE });
    assert_eq!(steps(&mut downloads), [get(0)]);
}

#[test]
fn a_file_is_accepted_once_and_only_if_it_is_known() {
    let (mut downloads, _dir) = offered(b"hello");
    assert_eq!(downloads.accept(TransferId(8), None, false).unwrap_err(), unknown());
    downloads.accept(SEVEN, None, false).unwrap();
    assert_eq!(downloads.accept(SEVEN, None, false).unwrap_err(), Refused::Taken(SEVEN));
    assert!(!downloads.handle_offered(&line(SEVEN, "g", b"x")), "a number keeps its meaning");
}

#[test]
fn a_folder_that_is_gone_is_said_and_the_file_can_be_asked_for_again() {
    let (mut downloads, dir) = offered(b"hello");
    let path = dir.path().to_owned();
    drop(dir);
    downloads.accept(SEVEN, None, false).unwrap();
    work(&mut downloads);
    assert_eq!(code(&steps(&mut downloads)[0]), "cannot_write");
    assert!(!downloads.under_way());
    fs::create_dir(path).unwrap();
    downloads.accept(SEVEN, None, false).unwrap();
    work(&mut downloads);
    assert_eq!(steps(&mut downloads), [get(0)]);
}

#[test]
fn offers_are_bounded_and_the_oldest_is_forgotten() {
    let (mut downloads, _dir) = offered(b"hello");
    for n in 0..OFFERS_MAX as u32 {
        assert!(downloads.handle_offered(&line(TransferId(100 + n), "g", b"x")));
    }
    assert_eq!(downloads.entries.len(), OFFERS_MAX);
    assert_eq!(downloads.accept(SEVEN, None, false).unwrap_err(), unknown());
    assert_eq!(downloads.accept(TransferId(100), None, false), Ok(()));
}

#[test]
fn hostile_names_are_no_names_and_hidden_ones_are_made_visible() {
    for name in ["../x", "/etc/passwd", "a\\b", "CON", "x\u{202e}gpj.exe", ""] {
        assert!(FileName::parse(name).is_err(), "{name:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let mut downloads = Transfers::new(dir.path().to_owned(), Keeping::AnyName, 1);
    let file = line(SEVEN, ".bashrc", b"evil");
    downloads.handle_offered(&file);
    downloads.accept(SEVEN, None, false).unwrap();
    work(&mut downloads);
    getting(&mut downloads, file, 0);
    downloads.handle_chunk(SEVEN, b"ev", START);
    assert_eq!(names(&dir), [half("_bashrc", b"evil")]);
    downloads.handle_chunk(SEVEN, b"il", START);
    assert_eq!(names(&dir), ["_bashrc"]);
}
