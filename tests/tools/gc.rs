//! `parlor store files gc`: the owner asks what of the files on the disk can go.

use super::*;

fn gc(data: &Path, args: &[&str]) -> Ran {
    let data = data.to_str().unwrap();
    let all = [&["store", "files", "gc", "--data", data][..], args].concat();
    Ran::new(&parlor(Path::new("/"), &all).output().unwrap())
}

#[test]
fn what_can_go_is_named_and_then_goes_and_never_beside_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start_on(&data, &["--shelf-keep", "1s"]);
    let alice = Person::guest(&server, "alice");
    alice.write("old.bin", b"old");
    alice.sends(&["--shelf", "old.bin"]);

    let busy = gc(&data, &[]);
    assert_eq!((busy.code, busy.out.len()), (1, 0), "{busy:?}");
    assert!(busy.error.contains("a server uses "), "{busy:?}");
    let busy = gc(&data, &["--dry-run"]);
    assert_eq!(busy.code, 0, "{busy:?}");
    assert!(String::from_utf8(busy.out).unwrap().contains("* a server uses this folder"));
    server.stop();

    let stray = data.join("files").join("ab".repeat(32));
    let temp = data.join("temp/7.part");
    let mine = data.join("files/notes.txt");
    for path in [&stray, &temp, &mine] {
        std::fs::write(path, "left").unwrap();
    }
    let old = data.join("files").join(blake3::hash(b"old").to_string());
    wait_until(|| {
        let ran = gc(&data, &["--dry-run"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        String::from_utf8(ran.out).unwrap().contains("would remove file 1: old.bin of alice")
    });
    for path in [&stray, &temp, &mine, &old] {
        assert!(path.exists(), "{} is gone after a dry run", path.display());
    }
    let ran = gc(&data, &[]);
    let out = String::from_utf8(ran.out).unwrap();
    assert_eq!(ran.code, 0, "{out}");
    assert!(out.ends_with("* 4 removed, 11 bytes of the disk\n"), "{out}");
    let left: Vec<_> = [&stray, &temp, &mine, &old].map(|path| path.exists()).into();
    assert_eq!(left, [false, false, true, false]);
    let again = gc(&data, &[]);
    assert_eq!(String::from_utf8(again.out).unwrap(), "* 0 removed, 0 bytes of the disk\n");
}

/// Looks again and again, within bounds, until it is so.
fn wait_until(is_so: impl Fn() -> bool) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !is_so() {
        assert!(std::time::Instant::now() < until, "it is not so within 20 s");
    }
}
