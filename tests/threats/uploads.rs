//! Rows 53 and 55 over real sockets: what a name and what a liar can do to the disk.

use crate::files::{hash_of, send_to};
use crate::support::{Native, Server, Text, wait_for};
use parlor::id::TransferId;
use parlor::job::PartialId;
use parlor::message::{Digest, FileName, UserName};
use parlor::wire::frame::emit_chunk;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// In each hostile name, so that a file that it made can be found anywhere.
const MARK: &str = "hstl";

/// What has broken some server or other when it stood in a name.
#[rustfmt::skip]
const PARTS: [&str; 67] = [
    "..", ".", "/", "\\", "../", "..\\", "../../", "/etc/", "/tmp/", "C:", "C:\\", "//host/c$/",
    "~", "~root/", "CON", "con.txt", "NUL", "COM1", "lpt9.log", "aux", "PRN.", ":ads", "::$DATA",
    "-rf ", "--help", "\u{ff0f}", "\u{2044}", "\u{2215}", "\u{ff3c}", "\u{202e}", "\u{2066}",
    "\u{200b}", "\u{feff}", "\u{ad}", "\u{e0041}", "\0", "\n", "\r\n/exit\r\n", "\t", "\u{1b}[2J",
    "\u{7f}", "\u{85}", "\u{9b}", "%2e%2e%2f", "%00", "$HOME/", "`id`", "$(id)", ";rm -r *", "|",
    "*", "?", "\"", "<", ">", "temp/", "files/", "parlor.db", "parlor.log", "lock", "1.part",
    "../files/", " ", ".", "a.txt.", "a.txt ", "\u{1f600}",
];

/// Thousands of names of those, alone and one after another, and of some that are too long.
fn hostile_names() -> Vec<String> {
    let long = ["x".repeat(256), "\u{e9}".repeat(128), "x".repeat(300)];
    let parts: Vec<&str> = PARTS.into_iter().chain(long.iter().map(String::as_str)).collect();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for one in &parts {
        names.extend([(*one).to_owned(), format!("{one}{MARK}"), format!("{MARK}{one}")]);
    }
    for one in &parts {
        for two in &parts {
            names.insert(format!("{one}{two}{MARK}"));
            names.insert(format!("{one}{MARK}{two}"));
        }
    }
    assert!(names.len() > 5_000, "{} names", names.len());
    names.into_iter().collect()
}

/// Every path below a folder; links are not followed.
fn tree(folder: &Path) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        all.insert(entry.path());
        if entry.file_type().unwrap().is_dir() {
            all.extend(tree(&entry.path()));
        }
    }
    all
}

/// But for what tells which store a folder belongs to.
fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().all(|entry| entry.unwrap().file_name() == ".store")
}

/// Nothing is on its way any more: the worker has removed what it had to.
fn wait_until_empty(folder: &Path) {
    wait_for(&format!("{} is empty", folder.display()), || is_empty(folder).then_some(()));
}

fn marked(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.to_string_lossy().into_owned()).filter(|n| n.contains(MARK)).collect()
}

#[test]
fn row_53_no_name_of_a_file_makes_a_file_but_in_the_two_folders() {
    let server = Server::start(&[]);
    let root = server.data().parent().unwrap().to_owned();
    let mut native = Native::login(server.addr, "native");
    let before = tree(&root);
    let (mut refused, mut taken) = (0, 0);
    for (n, name) in hostile_names().iter().enumerate() {
        let answer = native.ask(json!({"op": "upload", "name": name, "size": 3}));
        if answer["ok"] != "announced" {
            assert_eq!(answer["error"]["code"], "bad_file_name", "{name:?}: {answer}");
            refused += 1;
            continue;
        }
        taken += 1;
        let transfer = number_of(&answer);
        native.event("admitted");
        native.stream.write_all(&emit_chunk(TransferId(transfer), b"abc")).unwrap();
        // Some of them all the way, for that costs several syncs.
        if n % 40 == 0 {
            assert_eq!(native.event("ended")["how"], "stored", "{name:?}");
            // It comes back as it was given, and is removed again.
            let listed = native.ask(json!({"op": "files"}));
            assert_eq!(listed["files"][0]["name"], name.as_str());
            assert_eq!(native.ask(json!({"op": "remove", "transfer": transfer}))["ok"], "done");
        } else {
            native.ask(json!({"op": "cancel", "transfer": transfer}));
            native.event("ended");
            // It may have been whole before.
            native.ask(json!({"op": "remove", "transfer": transfer}));
        }
    }
    assert!(refused > 3_000 && taken > 300, "{refused} refused, {taken} taken");
    in_lines(&server);
    wait_for("the folders as they were", || (tree(&root) == before).then_some(()));
    for place in [std::env::temp_dir(), std::env::current_dir().unwrap()] {
        assert_eq!(marked(&place), [""; 0], "in {}", place.display());
    }
    drop(native);
    server.assert_empty();
    server.stop();
}

fn number_of(answer: &Value) -> u32 {
    u32::try_from(answer["transfer"].as_u64().unwrap_or_else(|| panic!("{answer}"))).unwrap()
}

/// The same over text lines. What ends a line would be two of them there.
fn in_lines(server: &Server) {
    let mut text = Text::login(server.addr, "lines");
    let (mut refused, mut taken) = (0, 0);
    for name in hostile_names().iter().filter(|name| !name.contains('\n')) {
        text.send(&format!("/upload {name} 3"));
        let answer = text.line().unwrap();
        let Some(rest) = answer.strip_prefix("* transfer ") else {
            let code = answer.starts_with("! bad_file_name: ");
            // Nothing but blanks is no name at all.
            assert!(code || answer.starts_with("! bad_request: "), "{name:?}: {answer}");
            refused += 1;
            continue;
        };
        taken += 1;
        let (transfer, _) = rest.split_once(": has a slot").unwrap();
        text.send(&format!("/cancel {transfer}"));
        text.wait(&format!("* transfer {transfer}: withdrawn"));
    }
    assert!(refused > 3_000 && taken > 300, "{refused} refused, {taken} taken");
}

#[test]
fn row_53_links_in_the_folders_are_not_followed() {
    let server = Server::start(&[]);
    let (temp, files) = (server.data().join("temp"), server.data().join("files"));
    let victim = server.data().parent().unwrap().join("victim");
    fs::write(&victim, b"precious").unwrap();
    let mut alice = Native::login(server.addr, "alice");

    // In the way of an upload without a hash, and of one that would continue.
    let content = b"from alice";
    let name = FileName::parse("f").unwrap();
    let user = UserName::parse("alice").unwrap();
    let hash = Digest::parse(&hash_of(content)).unwrap();
    let partial = PartialId::new(user, &name, content.len() as u64, hash);
    let half = format!("616c696365-{:032x}.part", partial.what);
    symlink(&victim, temp.join("1.part")).unwrap();
    symlink(&victim, temp.join(&half)).unwrap();
    for message in [
        json!({"op": "upload", "name": "f", "size": 8}),
        json!({"op": "upload", "name": "f", "size": content.len(), "hash": hash_of(content)}),
    ] {
        assert_eq!(alice.ask(message)["ok"], "announced");
        assert_eq!(alice.event("ended")["how"], "store_failed");
    }
    fs::remove_file(temp.join("1.part")).unwrap();
    fs::remove_file(temp.join(&half)).unwrap();

    // In the way of a file that is whole, and in its place.
    let blob = files.join(hash_of(content));
    symlink(&victim, &blob).unwrap();
    let upload =
        json!({"op": "upload", "name": "f", "size": content.len(), "hash": hash_of(content)});
    let transfer = number_of(&alice.ask(upload));
    alice.event("admitted");
    alice.stream.write_all(&emit_chunk(TransferId(transfer), content)).unwrap();
    assert_eq!(alice.event("ended")["how"], "stored");
    assert!(blob.symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read(&blob).unwrap(), content);
    fs::remove_file(&blob).unwrap();
    symlink(&victim, &blob).unwrap();
    assert_eq!(alice.ask(json!({"op": "get", "transfer": transfer}))["ok"], "getting");
    assert_eq!(alice.event("ended")["how"], "store_failed");
    assert_eq!(alice.ask(json!({"op": "remove", "transfer": transfer}))["ok"], "done");
    wait_until_empty(&files);
    wait_until_empty(&temp);
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    drop(alice);
    server.assert_empty();
    server.stop();
}

/// A lie about a file: what is said of it, which parts come, and how that ends.
struct Lie {
    size: usize,
    hash: String,
    parts: &'static [&'static [u8]],
    how: &'static str,
}

fn lies() -> Vec<Lie> {
    let right = || hash_of(b"abcdef");
    vec![
        Lie { size: 6, hash: right(), parts: &[b"abcdefg"], how: "overrun" },
        Lie { size: 6, hash: right(), parts: &[b"abc", b"defg"], how: "overrun" },
        Lie { size: 0, hash: right(), parts: &[], how: "mismatch" },
        Lie { size: 6, hash: right(), parts: &[b"abcdeF"], how: "mismatch" },
        Lie { size: 6, hash: right(), parts: &[b"def", b"abc"], how: "mismatch" },
        Lie { size: 6, hash: right(), parts: &[b"abc", b"abc"], how: "mismatch" },
        Lie { size: 7, hash: right(), parts: &[b"abcdef\0"], how: "mismatch" },
        Lie { size: 6, hash: hash_of(b""), parts: &[b"abcdef"], how: "mismatch" },
        Lie { size: 9, hash: right(), parts: &[b"abcdef"], how: "cancelled" },
        Lie { size: 6, hash: right(), parts: &[b"", b"", b"abc"], how: "cancelled" },
    ]
}

#[test]
fn row_55_lies_about_a_file_end_it_and_leave_nothing_on_the_disk() {
    let server = Server::start(&[]);
    let (temp, files) = (server.data().join("temp"), server.data().join("files"));
    let mut liar = Native::login(server.addr, "liar");
    let mut bob = Native::login(server.addr, "bob");
    for _ in 0..20 {
        for Lie { size, hash, parts, how } in lies() {
            let said =
                json!({"op": "send_file", "user": "bob", "name": "f", "size": size, "hash": hash});
            let transfer = number_of(&liar.ask(said));
            liar.event("admitted");
            for part in parts {
                liar.stream.write_all(&emit_chunk(TransferId(transfer), part)).unwrap();
            }
            if how == "cancelled" {
                let answer = liar.ask(json!({"op": "cancel", "transfer": transfer}));
                assert_eq!(answer["ok"], "done");
            }
            assert_eq!(liar.event("ended")["how"], how, "{parts:?} of {size}");
            // After the end: nobody's fault, and nothing comes of it.
            liar.stream.write_all(&emit_chunk(TransferId(transfer), b"late")).unwrap();
            for op in ["get", "received", "remove"] {
                let answer = liar.ask(json!({"op": op, "transfer": transfer}));
                assert_eq!(answer["error"]["code"], "no_such_file");
            }
        }
    }
    assert_eq!(server.report().number("uploads "), 0);
    wait_until_empty(&temp);
    assert!(is_empty(&files));
    // An honest one, with parts after its end, is what was announced.
    let transfer = number_of(&liar.ask(send_to("bob", "f", b"abcdef")));
    liar.event("admitted");
    for part in [b"abc", b"def"] {
        liar.stream.write_all(&emit_chunk(TransferId(transfer), part)).unwrap();
    }
    assert_eq!(liar.event("ended")["how"], "stored");
    liar.stream.write_all(&emit_chunk(TransferId(transfer), b"def")).unwrap();
    let offered = bob.event("offered");
    assert_eq!(
        (&offered["transfer"], &offered["hash"]),
        (&json!(transfer), &json!(hash_of(b"abcdef")))
    );
    assert_eq!(fs::read(files.join(hash_of(b"abcdef"))).unwrap(), b"abcdef");
    assert_eq!(bob.ask(json!({"op": "received", "transfer": transfer}))["ok"], "done");
    assert_eq!(liar.event("receipt")["took"], true);
    wait_until_empty(&files);
    drop((liar, bob));
    server.assert_empty();
    server.stop();
}

#[test]
fn row_55_a_hundred_who_go_in_the_middle_leave_halves_of_just_what_came() {
    let server = Server::start(&["--upload-slots", "100"]);
    let temp = server.data().join("temp");
    let content: Vec<u8> = (0..60_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let upload = |n: usize| {
        let hash = hash_of(&content);
        json!({"op": "upload", "name": format!("f{n}"), "size": content.len(), "hash": hash})
    };
    for n in 0..100 {
        let mut liar = Native::login(server.addr, &format!("liar{n}"));
        let transfer = number_of(&liar.ask(upload(n)));
        liar.event("admitted");
        liar.stream.write_all(&emit_chunk(TransferId(transfer), &content[..n * 300])).unwrap();
        liar.ask(json!({"op": "ping"}));
        if n % 2 == 0 {
            crate::support::reset(liar.stream);
        }
    }
    server.wait_for_connections(0);
    assert_eq!(server.report().number("uploads "), 0);
    for n in [1, 2, 50, 99] {
        let mut back = Native::login(server.addr, &format!("LIAR{n}"));
        let transfer = number_of(&back.ask(upload(n)));
        let offset = back.event("admitted")["offset"].as_u64().unwrap_or(0);
        assert_eq!(offset, n as u64 * 300);
        let rest = &content[usize::try_from(offset).unwrap()..];
        for part in rest.chunks(30_000) {
            back.stream.write_all(&emit_chunk(TransferId(transfer), part)).unwrap();
        }
        assert_eq!(back.event("ended")["how"], "stored");
    }
    // All but those four, and the one that had not begun.
    assert_eq!(fs::read_dir(&temp).unwrap().count(), 95);
    server.assert_empty();
    server.stop();
}
