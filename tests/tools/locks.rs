//! Row 83: two servers on one folder, whatever was done to its files.

use super::stores::{owner, refused};
use super::*;
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn row_83_a_second_server_is_refused_by_every_way_to_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let lock = data.join("lock");
    let server = Server::start_on(&data, &[]);
    let alice = Person::guest(&server, "alice");
    let linked = dir.path().join("linked");
    symlink(&data, &linked).unwrap();
    let nothing = || {};
    let removed = || fs::remove_file(&lock).unwrap();
    let replaced = || {
        fs::write(dir.path().join("new"), "").unwrap();
        fs::rename(dir.path().join("new"), &lock).unwrap();
    };
    let a_link = || {
        fs::remove_file(&lock).unwrap();
        symlink(dir.path().join("elsewhere"), &lock).unwrap();
    };
    let changes: [(&str, &dyn Fn()); 4] = [
        ("as it is", &nothing),
        ("lock removed", &removed),
        ("lock replaced", &replaced),
        ("lock a link", &a_link),
    ];
    for (what, change) in changes {
        change();
        for path in [&data, &linked] {
            let said = refused(path);
            assert!(said.contains("another server uses"), "{what}: {said}");
        }
    }
    // The store by another name, in a folder of its own.
    let other = dir.path().join("other");
    for linking in [
        |from: &Path, to: &Path| symlink(from, to),
        |from: &Path, to: &Path| fs::hard_link(from, to),
    ] {
        fs::create_dir(&other).unwrap();
        linking(&data.join("parlor.db"), &other.join("parlor.db")).unwrap();
        let said = refused(&other);
        assert!(said.contains("it is a link, or another file is linked to it"), "{said}");
        fs::remove_dir_all(&other).unwrap();
    }
    // The files by another name.
    alice.write("one", b"one");
    alice.sends(&["--shelf", "one"]);
    fs::create_dir(&other).unwrap();
    symlink(data.join("files"), other.join("files")).unwrap();
    assert!(refused(&other).contains("parlor.db is missing"));
    // What the owner does beside it continues.
    server.user(&["add", "bob"], PASSWORD);
    let backup = owner(&data, &["backup", dir.path().join("copy.db").to_str().unwrap()]);
    assert_eq!(backup.code, 0, "{backup:?}");
    fs::remove_file(&lock).unwrap();
    server.stop();
    Server::start_on(&data, &[]).stop();
}
