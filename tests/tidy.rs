//! The rules of the house that a compiler does not keep, kept by reading the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

mod tidy {
    pub(crate) mod fronts;
    pub(crate) mod lexicon;
    pub(crate) mod links;
    pub(crate) mod rules;
    pub(crate) mod shape;
    pub(crate) mod source;
    pub(crate) mod wording;
}

use tidy::links::{self, Library};
use tidy::source::Source;
use tidy::{fronts, lexicon, rules, shape, wording};

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join(folder), &mut files);
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        Source::new(name, fs::read_to_string(path).unwrap().replace("\r\n", "\n"))
    };
    files.iter().map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

/// Applies one rule to all files of some folders.
#[track_caller]
fn keep(folders: &[&str], rule: fn(&Source) -> Vec<String>) {
    let all: Vec<Source> = folders.iter().flat_map(|folder| sources(folder)).collect();
    assert!(!all.is_empty(), "nothing in {folders:?}");
    let faults: Vec<String> = all.iter().flat_map(rule).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn rooms_use_only_the_rooms_that_they_may() {
    keep(&["src"], rules::imports);
}

#[test]
fn pure_rooms_never_mention_the_world() {
    keep(&["src"], rules::purity);
}

/// Whoever chooses names chooses what a hash table of a known hash collides on. What clients fill
/// is in trees, so crafted names cost what others cost: one comparison for each doubling.
#[test]
fn row_41_what_clients_fill_is_in_no_table_that_hashes() {
    let all: Vec<Source> = ["src/hub", "src/engine", "src/front", "src/wire", "src/reactor"]
        .iter()
        .flat_map(|folder| sources(folder))
        .collect();
    assert!(all.len() > 30, "only {} files", all.len());
    let faults: Vec<String> = all.iter().flat_map(rules::hashes).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn what_differs_between_systems_is_in_one_room() {
    keep(&["src"], rules::systems);
}

#[test]
fn only_faces_of_the_client_word_what_people_read() {
    keep(&["src"], wording::wording);
    let says = |line: &str| wording::wording(&Source::new("src/client/x.rs".into(), line.into()));
    assert_eq!(says("    self.refuse(\"busy\", \"all of it; nothing\");").len(), 1);
    assert_eq!(says("    let command = format!(\"/whisper {user} {line}\");").len(), 0);
    assert_eq!(says("    let (a, b) = (\"one two\", \"three four\"); // he says so").len(), 0);
}

#[test]
fn phrases_that_were_weeded_out_do_not_come_back() {
    let folders = ["src", "tests", "benches", "loadtest/src"];
    let sources = folders.iter().flat_map(|folder| sources(folder));
    let sources = sources.filter(|source| source.name != "tests/tidy/wording.rs");
    let texts = sources.map(|source| (source.name, source.text)).chain(documents());
    let faults: Vec<String> = texts.flat_map(|(name, text)| wording::weeds(&name, &text)).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
    let weeds = wording::weeds(
        "x.md",
        "It continues.\nThe mail of Somebody ELSE is one'S\u{20}own, and its\u{20}sender waits.",
    );
    assert_eq!(weeds.len(), 2, "{weeds:?}");
}

#[test]
fn each_file_says_what_it_is() {
    keep(&["src", "tests", "benches", "loadtest/src"], rules::says_what_it_is);
}

#[test]
fn files_and_functions_fit_a_reader() {
    keep(&["src", "tests", "benches", "loadtest/src"], rules::sizes);
}

/// Applies a rule about all of `src`.
#[track_caller]
fn keep_in_all(rule: fn(&[Source]) -> Vec<String>) {
    let faults = rule(&sources("src"));
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_name_of_a_type_means_one_thing() {
    keep_in_all(shape::doubles);
}

#[test]
fn no_two_files_need_each_other() {
    keep_in_all(shape::circles);
}

#[test]
fn most_files_and_functions_are_short() {
    keep_in_all(shape::lengths);
}

#[test]
fn what_is_public_is_used_by_another_crate() {
    let (binary, library): (Vec<Source>, Vec<Source>) =
        sources("src").into_iter().partition(|source| {
            ["src/main.rs", "src/cli.rs", "src/help.rs"].contains(&source.name.as_str())
        });
    let others = ["tests", "benches", "loadtest/src"].iter().flat_map(|folder| sources(folder));
    let others: Vec<Source> = others.chain(binary).collect();
    let faults = shape::public(&library, &others);
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
    // A name that nobody else writes is seen.
    let text = "pub fn nobody_else_writes_this_name() {}".replace("_else", "");
    let lonely = Source::new("src/lonely.rs".into(), text);
    assert_eq!(shape::public(&[lonely], &others).len(), 1);
}

#[test]
fn a_double_name_a_circle_and_a_house_of_long_files_are_seen() {
    let house = |files: &[(&str, &str)]| -> Vec<Source> {
        files.iter().map(|(name, text)| Source::new((*name).into(), (*text).into())).collect()
    };
    let named = |second: &str| house(&[("src/a.rs", "pub struct Seal;"), ("src/b.rs", second)]);
    assert_eq!(shape::doubles(&named("pub(crate) enum Seal {}")).len(), 1);
    assert_eq!(shape::doubles(&named("struct Seal;")).len(), 0);
    assert_eq!(shape::doubles(&named("pub struct Sealed;")).len(), 0);
    let circle = |there: &str, back: &str| {
        let files = [("src/a/mod.rs", ""), ("src/a/x.rs", there), ("src/a/y.rs", back)];
        shape::circles(&house(&files)).len()
    };
    assert_eq!(circle("use super::y::Y;", "use crate::a::x::X;"), 1);
    assert_eq!(circle("use super::{Room, y};", "fn f() { super::x::g(); }"), 1);
    assert_eq!(circle("use super::y::Y;", "use super::Room;"), 0);
    let long = vec![("src/x.rs", "let x = 1;\n".repeat(411)); 2];
    let long: Vec<_> = long.iter().map(|(name, text)| (*name, text.as_str())).collect();
    assert_eq!(shape::lengths(&house(&long)).len(), 1);
}

/// So that a new front costs one new file and two standing ones.
#[test]
fn protocols_are_named_in_two_files_only() {
    keep_in_all(fronts::places);
    assert_eq!(fronts::standing(&sources("src")), ["src/front/detect.rs", "src/front/mod.rs"]);
}

#[test]
fn a_protocol_that_is_named_elsewhere_is_seen() {
    let front = "pub enum Front {\n    /// Words.\n    Native,\n    Http(Http),\n}\n\n\
                 pub enum Voice {\n    Plain,\n}\n";
    let places = |name: &str, line: &str| {
        let files = [("src/front/mod.rs", front), (name, line)];
        let files = files.map(|(name, text)| Source::new(name.into(), text.into()));
        fronts::places(&files).len()
    };
    for bad in [
        "if front == Front::Native {}",
        "matches!(front, crate::front::Front::Http(_))",
        "let voice = Voice::Plain;",
        "use crate::front::native;",
        "use crate::{id, front::{self, http::Http}};",
        "crate::front::http::answer();",
    ] {
        assert_eq!(places("src/engine/mod.rs", bad), 1, "{bad}");
    }
    let fine = "front::detect(); Front::read(); Voice::COUNT; front::native_speaker();";
    assert_eq!(places("src/engine/mod.rs", fine), 0);
    assert_eq!(places("src/front/detect.rs", "Front::Native"), 0);
    assert_eq!(places("src/front/http.rs", "Front::Http"), 0);
    assert_eq!(places("src/client/session.rs", "use crate::front::native;"), 0);
    assert_eq!(places("src/client/session.rs", "Front::Native"), 1);
}

#[test]
fn nothing_is_left_unfinished() {
    keep(&["src", "tests", "benches", "loadtest/src"], rules::unfinished);
}

#[test]
fn nothing_outside_tests_unwraps() {
    keep(&["src", "loadtest/src"], rules::unwraps);
}

#[test]
fn no_test_sleeps() {
    keep(&["src", "tests"], rules::sleeps);
}

/// Every document, by its path from the root.
fn documents() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("docs"), &mut files);
    let apart = ["README", "ARCHITECTURE", "CONTRIBUTING", "CHANGELOG", "loadtest/README"];
    files.extend(apart.map(|name| root.join(name).with_extension("md")));
    files.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    let name =
        |path: &PathBuf| path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
    files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn documents_name_no_place_of_one_machine() {
    for (name, text) in documents() {
        let faults = rules::places(&text);
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
}

#[test]
fn each_link_and_each_page_that_is_named_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let exists = |path: &str| root.join(path).exists();
    let library = Library { pages: documents(), exists: &exists };
    assert!(library.pages.len() > 30, "only {} documents", library.pages.len());
    let mut faults = links::broken(&library);
    for (name, text) in &library.pages {
        faults.extend(links::missing(name, text, &exists));
    }
    for source in ["src", "tests", "loadtest/src"].iter().flat_map(|folder| sources(folder)) {
        if source.name != "tests/tidy.rs" {
            faults.extend(links::missing(&source.name, &source.text, &exists));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_seen() {
    let exists = |path: &str| matches!(path, "README.md" | "docs/a.md" | "docs/b.md" | "docs/d");
    let faults = |page: &str, text: &str| {
        let b = "# B\n## The `log`, in JSON\n## Twice\n## Twice\n```\n# no heading\n```\n";
        let pages = [(page, text), ("docs/b.md", b)];
        let pages = pages.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        links::broken(&Library { pages, exists: &exists }).len()
    };
    for fine in [
        "[b](docs/b.md)",
        "[b](docs/b.md#the-log-in-json) and [b](docs/b.md#twice-1)",
        "[b](https://example.org/c.md)",
        "```\n[c](docs/c.md)\n```",
        "[d](docs/d/)",
        "# Here\n[here](#here)",
    ] {
        assert_eq!(faults("README.md", fine), 0, "{fine}");
    }
    for bad in ["[c](docs/c.md)", "[b](docs/b.md#log)", "[b](docs/b.md#no-heading)", "[x](#x)"] {
        assert_eq!(faults("README.md", bad), 1, "{bad}");
    }
    assert_eq!(faults("docs/a.md", "[b](b.md), [r](../README.md)"), 0);
    assert_eq!(faults("docs/a.md", "[b](docs/b.md)"), 1);
    let named = |text: &str| links::missing("x", text, &exists).len();
    assert_eq!(named("see docs/b.md. docs/a.md#x, docs/*.md"), 0);
    assert_eq!(named("see docs/c.md."), 1);
}

#[test]
fn a_word_of_the_lexicon_means_one_thing_among_public_types() {
    let faults = lexicon::faults(&documents()["ARCHITECTURE.md"], &sources("src"));
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_word_with_two_meanings_is_seen() {
    let faults = |row: &str, code: &str| {
        let head = "\n## Lexicon\n\n| word | means | types |\n| --- | --- | --- |\n";
        let document = format!("{head}| slot, place | a right | `Slots` |\n{row}\n\n## More\n");
        let code = format!("pub(crate) struct Slots;\n{code}\n");
        lexicon::faults(&document, &[Source::new("src/x.rs".into(), code)])
    };
    let fine = "| entry | a thing | `Entries`, `LogEntry` |";
    assert_eq!(faults(fine, "pub struct LogEntry;\npub enum Entries {}\nstruct Place;").len(), 0);
    assert_eq!(faults("", "pub struct Placed;\npub(super) struct SlotsUsed;").len(), 0);
    assert_eq!(
        faults("", "pub struct Slot;"),
        ["Slot is called by \"slot\", and is not in its row"]
    );
    assert_eq!(faults("", "pub(super) type QueuePlaces = u8;").len(), 1);
    let twice = faults("| seat, slot | an index | `Slots` |", "");
    assert_eq!(twice, ["the lexicon has \"slot\" twice"]);
    assert_eq!(faults("| seat | an index | `Seat` |", "struct Seat;").len(), 1);
}

/// What a rule says of a small file.
fn judge(rule: fn(&Source) -> Vec<String>, name: &str, text: &str) -> usize {
    rule(&Source::new(name.to_owned(), text.to_owned())).len()
}

#[test]
fn an_arrow_to_a_wrong_room_is_seen_however_it_is_written() {
    for bad in [
        "use crate::hub::Hub;",
        "use crate::{id::ConnId, hub::Hub};",
        "use crate::{\n    id::ConnId,\n    hub,\n};",
        "fn f(x: crate::engine::Engine) {}",
        "use super::super::hub::Hub;",
        "pub use crate::files::Disk;",
    ] {
        assert_eq!(judge(rules::imports, "src/wire/frame.rs", bad), 1, "{bad}");
    }
    let good = "use crate::limits::FRAME_MAX;\nuse super::line;\n// crate::hub is not for us\n";
    assert_eq!(judge(rules::imports, "src/wire/frame.rs", good), 0);
    let only_words = "use crate::message::{Digest, UserName};";
    assert_eq!(judge(rules::imports, "src/files/disk.rs", only_words), 0);
    let more = "use crate::message::{Digest, Command};";
    assert_eq!(judge(rules::imports, "src/files/disk.rs", more), 1);
    let in_test = "#[cfg(test)]\nmod tests {\n    use crate::hub::Hub;\n}\n";
    assert_eq!(judge(rules::imports, "src/wire/frame.rs", in_test), 0);
    assert_eq!(judge(rules::imports, "src/attic/mod.rs", "use crate::id::ConnId;"), 1);
}

#[test]
fn a_mention_of_the_world_in_a_pure_room_is_seen() {
    for bad in [
        "use std::net::TcpStream;",
        "use std::{collections::BTreeMap, fs};",
        "let now = Instant::now();",
        "std::thread::spawn(f);",
        "use std::io;",
        "use std::io::Read;",
        "let t: SystemTime;",
        "use std::collections::HashMap;",
        "log::info!(\"x\");",
    ] {
        assert_eq!(judge(rules::purity, "src/engine/mod.rs", bad), 1, "{bad}");
    }
    assert_eq!(judge(rules::purity, "src/engine/outbox.rs", "use std::io::IoSlice;"), 0);
    assert_eq!(judge(rules::purity, "src/engine/mod.rs", "use std::io::IoSlice;"), 1);
    assert_eq!(judge(rules::purity, "src/wire/frame.rs", "use std::collections::HashMap;"), 0);
    assert_eq!(judge(rules::purity, "src/reactor/mod.rs", "use std::net::TcpStream;"), 0);
    assert_eq!(judge(rules::purity, "src/hub/mod.rs", "// std::net is not for us"), 0);
}

#[test]
fn row_41_a_table_that_hashes_is_seen() {
    for bad in [
        "use std::collections::HashMap;",
        "use std::collections::{BTreeMap, HashSet};",
        "let names: HashMap<_, _> = x;",
        "use hashbrown::hash_map::Entry;",
    ] {
        assert_eq!(judge(rules::hashes, "src/reactor/mod.rs", bad), 1, "{bad}");
    }
    assert_eq!(judge(rules::hashes, "src/hub/mod.rs", "use std::collections::BTreeMap;"), 0);
}

#[test]
fn what_is_unfinished_too_long_or_too_bold_is_seen() {
    let text = |body: &str| format!("//! A file.\n{body}\n");
    for bad in ["todo!()", "unimplemented!()", "dbg!(x)", "#[ignore]", "#[ignore = \"slow\"]"] {
        assert_eq!(judge(rules::unfinished, "src/x.rs", &text(bad)), 1, "{bad}");
    }
    assert_eq!(judge(rules::unwraps, "src/x.rs", &text("x.unwrap();")), 1);
    let tested = text("#[cfg(test)]\nmod tests {\n    fn f() { x.unwrap(); }\n}");
    assert_eq!(judge(rules::unwraps, "src/x.rs", &tested), 0);
    assert_eq!(judge(rules::sleeps, "tests/x/y.rs", &text("thread::sleep(d);")), 1);
    assert_eq!(judge(rules::sleeps, "src/x.rs", &text("thread::sleep(d);")), 0);
    assert_eq!(judge(rules::sizes, "src/x.rs", &text(&"x".repeat(101))), 1);
    assert_eq!(judge(rules::sizes, "src/x.rs", &"//! x\n".repeat(601)), 1);
    let long = text(&format!("fn f() {{\n{}}}", "    x();\n".repeat(70)));
    assert_eq!(judge(rules::sizes, "src/x.rs", &long), 1);
    let fits = text(&format!("fn f() {{\n{}}}", "    x();\n".repeat(68)));
    assert_eq!(judge(rules::sizes, "src/x.rs", &fits), 0);
    assert_eq!(judge(rules::says_what_it_is, "src/x.rs", "use std::fmt;\n"), 1);
    assert_eq!(judge(rules::systems, "src/x.rs", &text("#[cfg(unix)]")), 1);
    assert_eq!(judge(rules::systems, "src/x.rs", &text("if cfg!(target_os = \"linux\") {}")), 1);
    assert_eq!(judge(rules::systems, "src/x.rs", &text("#[cfg(all(not(a), windows))]")), 1);
    assert_eq!(judge(rules::systems, "src/client/os.rs", &text("#[cfg(unix)]")), 1);
    assert_eq!(judge(rules::systems, "src/os/mod.rs", &text("#[cfg(unix)]")), 0);
    assert_eq!(judge(rules::systems, "src/x.rs", &text("#[cfg(test)]")), 0);
    let home = ["see /ho", "me/me/x"].concat();
    assert_eq!(rules::places(&home).len(), 1);
    assert_eq!(rules::places("write `/help` or `/join lobby`, see docs/x.md").len(), 0);
}
