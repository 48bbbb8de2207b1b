//! Row 80: a store and files that do not belong together. A server refuses to start, touches
//! nothing, and says which command decides.

use super::*;
use std::collections::BTreeMap;
use std::fs;

/// The contents below a folder, wherever they lie, by name.
fn contents(data: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in ["files", "files/.aside"] {
        for entry in fs::read_dir(data.join(folder)).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_file() && !name.starts_with('.') {
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(done.success(), "cp {} {}", from.display(), to.display());
}

/// The store of one folder beside the files of another.
fn join(dir: &Path, store: &str, files: &str) -> std::path::PathBuf {
    let data = dir.join("joined");
    let _ = fs::remove_dir_all(&data);
    copy(&dir.join(store), &data);
    fs::remove_dir_all(data.join("files")).unwrap();
    copy(&dir.join(files).join("files"), &data.join("files"));
    data
}

/// A server that does not start: its one line.
pub(crate) fn refused(data: &Path) -> String {
    let mut command = parlor(Path::new("/"), &["serve", "--listen", "127.0.0.1:0", "--data"]);
    let mut child = command.arg(data).spawn().unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while child.try_wait().unwrap().is_none() && std::time::Instant::now() < until {
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "it started: {text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

pub(crate) fn owner(data: &Path, args: &[&str]) -> Ran {
    let all = [args, &["--data", data.to_str().unwrap()]].concat();
    Ran::new(&parlor(Path::new("/"), &all).output().unwrap())
}

/// Lets a server run on the folder while somebody puts files on its shelf.
fn use_store(data: &Path, files: &[&str]) {
    let server = Server::start_on(data, &[]);
    let alice = Person::guest(&server, "alice");
    for file in files {
        alice.write(file, file.as_bytes());
        alice.sends(&["--shelf", file]);
    }
    server.stop();
}

/// Two folders with a history: `old` is what `new` was before its last two runs, `other` has
/// nothing to do with them.
fn folders() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let new = dir.path().join("new");
    use_store(&new, &["one", "two"]);
    copy(&new, &dir.path().join("old"));
    use_store(&new, &["three"]);
    use_store(&new, &["four"]);
    use_store(&dir.path().join("other"), &["five"]);
    dir
}

#[test]
fn row_80_what_does_not_fit_is_refused_in_one_line_and_nothing_is_touched() {
    let dir = folders();
    let dir = dir.path();
    let lose = |names: &'static [&'static str]| {
        move |data: &Path| names.iter().for_each(|name| fs::remove_file(data.join(name)).unwrap())
    };
    let no_files = |data: &Path| fs::remove_dir_all(data.join("files")).unwrap();
    let empty_files = |data: &Path| {
        fs::remove_dir_all(data.join("files")).unwrap();
        fs::create_dir(data.join("files")).unwrap();
    };
    let no_contents = |data: &Path| {
        for name in contents(data).keys() {
            fs::remove_file(data.join("files").join(name)).unwrap();
        }
    };
    let as_it_is = |_: &Path| {};
    let made_new = |data: &Path| {
        fs::remove_file(data.join("parlor.db")).unwrap();
        let elsewhere = data.with_file_name("made");
        let add = owner(&elsewhere, &["user", "list"]);
        assert_eq!(add.code, 1, "{add:?}");
        use_store(&elsewhere, &[]);
        fs::rename(elsewhere.join("parlor.db"), data.join("parlor.db")).unwrap();
        fs::remove_dir_all(elsewhere).unwrap();
    };
    type Change<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, &str, Change<'_>, &str); 11] = [
        ("new", "new", &lose(&["parlor.db"]), "parlor.db is missing"),
        ("new", "new", &made_new, "belongs to another store"),
        ("old", "new", &as_it_is, "parlor.db is older than files/"),
        ("new", "old", &as_it_is, "files/ is older than parlor.db"),
        ("other", "new", &as_it_is, "belongs to another store"),
        ("new", "other", &as_it_is, "belongs to another store"),
        ("new", "new", &no_files, "is it not mounted?"),
        ("new", "new", &empty_files, "is it not mounted?"),
        ("new", "new", &lose(&["files/.store"]), "is it not mounted?"),
        ("new", "new", &no_contents, "4 contents that parlor.db names, 4 are not"),
        ("new", "new", &lose(&["parlor.db", "files/.store"]), "parlor.db is missing"),
    ];
    for (store, files, change, expected) in cases {
        let what = format!("{store} beside {files}: {expected}");
        let data = join(dir, store, files);
        change(&data);
        let before = contents(&data);
        for _ in 0..2 {
            let said = refused(&data);
            assert!(said.contains(expected), "{what}: {said}");
            assert!(said.contains("parlor store files adopt"), "{what}: {said}");
        }
        assert_eq!(contents(&data), before, "{what}");
        let gc = owner(&data, &["store", "files", "gc"]);
        assert_eq!(gc.code, 1, "{what}: {gc:?}");
        assert_eq!(contents(&data), before, "{what}: after gc");
        // The owner decides.
        let adopt = owner(&data, &["store", "files", "adopt"]);
        assert_eq!(adopt.code, 0, "{what}: {adopt:?}");
        assert_eq!(contents(&data), before, "{what}: after adopt");
        use_store(&data, &[]);
        assert_eq!(contents(&data), before, "{what}: after a start");
    }
}

#[test]
fn row_80_a_store_of_no_bytes_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    use_store(&data, &["one"]);
    let before = contents(&data);
    fs::write(data.join("parlor.db"), "").unwrap();
    assert!(refused(&data).contains("it is damaged (it is empty); put a backup in its place"));
    for args in [&["user", "list"][..], &["store", "files", "adopt"], &["store", "files", "gc"]] {
        let ran = owner(&data, args);
        assert_eq!(ran.code, 1, "{args:?}: {ran:?}");
    }
    assert_eq!(contents(&data), before);
    assert_eq!(fs::metadata(data.join("parlor.db")).unwrap().len(), 0);
}

#[test]
fn row_80_when_the_right_store_comes_back_so_do_the_contents() {
    let dir = folders();
    let dir = dir.path();
    let all = contents(&dir.join("new"));
    let data = join(dir, "old", "new");
    assert_eq!(owner(&data, &["store", "files", "adopt"]).code, 0);
    use_store(&data, &[]);
    assert_eq!((contents(&data).len(), all.len()), (4, 4));
    assert_eq!(fs::read_dir(data.join("files/.aside")).unwrap().count(), 2);
    // The newer one, and what was set aside on its behalf.
    fs::remove_file(data.join("parlor.db")).unwrap();
    copy(&dir.join("new/parlor.db"), &data.join("parlor.db"));
    let adopt = owner(&data, &["store", "files", "adopt"]);
    assert!(adopt.code == 0 && !String::from_utf8(adopt.out).unwrap().contains("forgot"));
    let server = Server::start_on(&data, &[]);
    let listed = Person::guest(&server, "bob").done("files", &[]);
    assert!(["one", "two", "three", "four"].iter().all(|name| listed.contains(name)), "{listed}");
    server.stop();
    assert_eq!(fs::read_dir(data.join("files/.aside")).unwrap().count(), 0);
}
