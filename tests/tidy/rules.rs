//! The rules, each a function from a file to the faults in it.

use super::source::{Source, paths};

/// Which rooms a room may use. `message(Digest, UserName)` means those words and no others.
/// Whoever is not in the table (`lib`, `main`, `config`, `cli`) puts the rooms together.
const ARROWS: &[(&str, &[&str])] = &[
    ("address", &[]),
    ("id", &[]),
    ("limits", &[]),
    ("message", &["id", "limits"]),
    ("facts", &["id", "limits", "message"]),
    (
        "job",
        &[
            "id",
            "limits",
            "message(Digest, FileLine, FileName, Key, MessageKey, Target, Text, UserName)",
        ],
    ),
    ("wire", &["id", "limits"]),
    ("front", &["message", "wire", "id", "limits"]),
    ("hub", &["message", "facts", "job", "id", "limits"]),
    ("engine", &["hub", "front", "wire", "message", "facts", "job", "id", "limits"]),
    ("worker", &["id"]),
    ("half", &["limits", "message(Digest)", "os"]),
    ("files", &["half", "id", "job", "limits", "message(Digest, UserName)", "os", "worker"]),
    (
        "store",
        &[
            "id",
            "job",
            "limits",
            "message(Digest, FileLine, FileName, MessageKey, RoomName, Target, Text, UserName)",
            "os",
            "worker",
        ],
    ),
    ("passwords", &["id", "job", "limits", "os", "worker"]),
    (
        "reactor",
        &[
            "address",
            "engine",
            "facts",
            "files",
            "store",
            "passwords",
            "id",
            "job",
            "limits",
            "logging",
            "message(visible)",
            "os",
        ],
    ),
    ("logging", &["facts", "message(is_unprintable, visible)", "limits", "os"]),
    ("os", &["limits"]),
    ("client", &["address", "front", "half", "wire", "message", "id", "limits", "os"]),
];
const COMPOSERS: [&str; 8] = ["lib", "main", "config", "cli", "help", "serve", "options", "admin"];
const PURE: [&str; 9] =
    ["id", "limits", "job", "message", "facts", "wire", "front", "hub", "engine"];

/// Arrows between rooms go only where the table allows.
pub(crate) fn imports(source: &Source) -> Vec<String> {
    let room = source.room();
    if COMPOSERS.contains(&room) {
        return Vec::new();
    }
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
        return vec![source.fault(0, "this room is in no table: add its arrows to tests/tidy")];
    };
    let mut faults = Vec::new();
    for (index, path) in mentions(source) {
        let mut parts = path.split("::");
        let (Some(to), word) = (parts.next(), parts.next().unwrap_or_default()) else { continue };
        if to != room && !allowed.iter().any(|arrow| admits(arrow, to, word)) {
            faults.push(source.fault(index, &format!("{room} must not use {path}")));
        }
    }
    faults
}

fn admits(arrow: &str, to: &str, word: &str) -> bool {
    match arrow.split_once('(') {
        None => arrow == to,
        Some((name, words)) => {
            name == to && words.trim_end_matches(')').split(", ").any(|known| known == word)
        }
    }
}

/// Everything of this crate that a file names, without the leading `crate::`.
fn mentions(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, statement) in source.uses() {
        for path in paths(&statement) {
            // Two steps up from a file in a room is the crate.
            let up = path.strip_prefix("super::super::").map(str::to_owned);
            found
                .extend(path.strip_prefix("crate::").map(str::to_owned).or(up).map(|p| (index, p)));
        }
    }
    for (index, line) in source.code().filter(|(_, line)| !line.contains("use ")) {
        for (at, _) in line.match_indices("crate::") {
            let path = line[at + "crate::".len()..].split(|c: char| !is_path(c)).next();
            found.extend(path.filter(|path| !path.is_empty()).map(|p| (index, p.to_owned())));
        }
    }
    found
}

fn is_path(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':'
}

/// Pure rooms have no sockets, files, threads, clocks or log calls.
pub(crate) fn purity(source: &Source) -> Vec<String> {
    if !PURE.contains(&source.room()) {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for (index, statement) in source.uses() {
        for path in paths(&statement) {
            let slices = source.name == "src/engine/outbox.rs" && path == "std::io::IoSlice";
            let worldly = ["std::net", "std::fs", "std::thread", "std::io", "std::env", "log"];
            let is = |root: &&str| path == **root || path.starts_with(&format!("{root}::"));
            if !slices && worldly.iter().any(is) {
                faults.push(source.fault(index, &format!("a pure room must not use {path}")));
            }
        }
    }
    let maps = matches!(source.room(), "hub" | "engine");
    for (index, line) in source.code() {
        let in_use = line.trim_start().starts_with("use ");
        let words: &[&str] = &["Instant::now", "SystemTime", "log::", "std::thread", "std::net"];
        let named = words.iter().find(|word| !in_use && has_word(line, word));
        let map = ["HashMap", "HashSet"].iter().find(|word| maps && line.contains(*word));
        faults.extend(named.or(map).map(|word| source.fault(index, &format!("it says {word}"))));
    }
    faults
}

/// What clients fill is in no table whose cost depends on a hash of what they chose.
pub(crate) fn hashes(source: &Source) -> Vec<String> {
    const TABLES: [&str; 4] = ["HashMap", "HashSet", "hash_map::", "hash_set::"];
    let table = |line: &str| TABLES.into_iter().find(|table| line.contains(table));
    let found = source.code().filter_map(|(index, line)| Some((index, table(line)?)));
    found.map(|(index, table)| source.fault(index, &format!("it says {table}"))).collect()
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(|c: char| is_path(c)))
}

/// What differs between systems is in the room `os`.
pub(crate) fn systems(source: &Source) -> Vec<String> {
    if source.room() == "os" {
        return Vec::new();
    }
    let named = |line: &str| {
        let condition = line.split_once("cfg").map_or("", |(_, rest)| rest);
        line.contains("cfg")
            && ["unix", "windows", "target_os", "target_family"]
                .iter()
                .any(|system| has_word(condition, system))
    };
    let lines = source.code().filter(|(_, line)| named(line));
    lines.map(|(index, _)| source.fault(index, "what differs belongs into src/os")).collect()
}

pub(crate) fn says_what_it_is(source: &Source) -> Vec<String> {
    if source.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![source.fault(0, "a file opens with `//! ` and what it is")]
}

/// At most 600 lines per file without its tests, 70 per function, 100 columns per line.
pub(crate) fn sizes(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    let whole = source.name.starts_with("tests/");
    let lines = source.lines().filter(|&(index, _)| whole || !source.is_in_tests(index)).count();
    if lines > 600 {
        faults.push(source.fault(0, &format!("{lines} lines are over 600")));
    }
    for (index, line) in source.text.lines().enumerate() {
        // A test may hold a text that cannot be broken.
        if line.chars().count() > 100 && !source.is_in_tests(index) {
            faults.push(source.fault(index, "over 100 columns"));
        }
    }
    faults.extend(long_functions(source));
    faults
}

fn long_functions(source: &Source) -> Vec<String> {
    let long = source.functions().into_iter().filter(|(_, length)| *length > 70);
    let fault = |length| format!("a function of {length} lines is over 70");
    long.map(|(index, length)| source.fault(index, &fault(length))).collect()
}

pub(crate) fn unfinished(source: &Source) -> Vec<String> {
    // In two parts, so that this file passes its own rule.
    let marks = [["tod", "o!("], ["unimpl", "emented!("], ["db", "g!("], ["#[ig", "nore"]];
    let marks = marks.map(|parts| parts.concat());
    let found = |line: &str| marks.iter().any(|mark| line.contains(mark));
    let lines = source.lines().filter(|(_, line)| found(line));
    let lines = lines.filter(|_| source.name != "tests/tidy.rs");
    lines.map(|(index, _)| source.fault(index, "this is not finished")).collect()
}

pub(crate) fn unwraps(source: &Source) -> Vec<String> {
    let lines = source.code().filter(|(_, line)| line.contains(".unwrap()"));
    lines.map(|(index, _)| source.fault(index, "only tests unwrap")).collect()
}

pub(crate) fn sleeps(source: &Source) -> Vec<String> {
    let mark = ["slee", "p("].concat();
    let lines = source.lines().filter(|&(index, line)| {
        source.is_in_tests(index) && source.name != "tests/tidy.rs" && has_word_call(line, &mark)
    });
    lines.map(|(index, _)| source.fault(index, "wait for an event, with a deadline")).collect()
}

fn has_word_call(line: &str, call: &str) -> bool {
    line.match_indices(call)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Places that exist on one machine only.
pub(crate) fn places(text: &str) -> Vec<String> {
    let roots = ["/home/", "/root/", "/Users/", "C:\\Users"];
    let here = |line: &&str| roots.iter().any(|root| line.contains(root));
    text.lines().filter(here).map(str::to_owned).collect()
}
