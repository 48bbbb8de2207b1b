//! The rules that look at all files of `src` at once: its shape as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, paths};

/// Nine files of ten are at most so long, without their tests.
const FILE_P90: usize = 350;
/// And nine functions of ten.
const FUNCTION_P90: usize = 22;

/// A public type has a name that no other one has; the halves of `os` are one room twice.
pub(crate) fn doubles(all: &[Source]) -> Vec<String> {
    let mut seen: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for source in all.iter().filter(|source| source.name != "src/os/windows.rs") {
        for (_, line) in source.code() {
            seen.entry(public_type(line).unwrap_or_default()).or_default().push(&source.name);
        }
    }
    let is_double = |(name, files): &(&str, Vec<&str>)| !name.is_empty() && files.len() > 1;
    let doubles = seen.into_iter().filter(is_double);
    doubles.map(|(name, files)| format!("{name} is the name of a type in {files:?}")).collect()
}

pub(crate) fn public_type(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let (visible, rest) = match line.strip_prefix("pub(in ") {
        Some(rest) => ("pub", rest.split_once(") ")?.1),
        None => line.split_once(' ')?,
    };
    let is_type = |kind: &&str| rest.starts_with(*kind);
    let kind = ["struct ", "enum ", "trait ", "type "].into_iter().find(is_type)?;
    let name = rest[kind.len()..].split(|c: char| !c.is_alphanumeric()).next();
    name.filter(|_| visible.starts_with("pub"))
}

/// No file needs another one that needs the first. What is above or below in the same room does
/// not count: a room and its files know each other.
pub(crate) fn circles(all: &[Source]) -> Vec<String> {
    let modules: BTreeSet<String> = all.iter().map(module).collect();
    let arrows: BTreeMap<String, BTreeSet<String>> =
        all.iter().map(|source| (module(source), arrows(source, &modules))).collect();
    let mut faults = Vec::new();
    for (from, all) in &arrows {
        for to in all.iter().filter(|to| *to > from || !arrows[*to].contains(from)) {
            if reaches(&arrows, to, from) {
                faults.push(format!("{from} needs {to}, and {to} needs {from}"));
            }
        }
    }
    faults
}

fn reaches(arrows: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let (mut open, mut seen) = (vec![from], BTreeSet::new());
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(arrows.get(at).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

/// `src/engine/conn.rs` is `engine::conn`, and `src/engine/mod.rs` is `engine`.
fn module(source: &Source) -> String {
    let path = source.name.trim_start_matches("src/").trim_end_matches(".rs");
    path.trim_end_matches("/mod").replace('/', "::")
}

fn arrows(source: &Source, modules: &BTreeSet<String>) -> BTreeSet<String> {
    let own = module(source);
    let used = source.uses().into_iter().flat_map(|(_, statement)| paths(&statement));
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let inline = source.code().filter(|(_, line)| !line.contains("use ")).flat_map(|(_, line)| {
        line.split(move |c: char| !is_path(c)).filter(|word| word.contains("::")).map(str::to_owned)
    });
    let absolute = used.chain(inline).filter_map(|path| absolute(&own, &path));
    let files = absolute.filter_map(|path| file_of(&path, modules));
    let kin = |file: &String| within(file, &own) || within(&own, file);
    files.filter(|file| !kin(file)).collect()
}

/// Whether a module is another one or below it.
fn within(module: &str, of: &str) -> bool {
    module == of || module.strip_prefix(of).is_some_and(|rest| rest.starts_with("::"))
}

fn absolute(own: &str, path: &str) -> Option<String> {
    if let Some(rest) = path.strip_prefix("crate::") {
        return Some(rest.to_owned());
    }
    let (mut at, mut rest) = (own, path.strip_prefix("super::")?);
    loop {
        at = at.rsplit_once("::").map_or("", |(above, _)| above);
        match rest.strip_prefix("super::") {
            Some(more) => rest = more,
            None => return Some(format!("{at}::{rest}").trim_start_matches("::").to_owned()),
        }
    }
}

/// The file that a path leads to: the longest beginning of it that is one.
fn file_of(path: &str, modules: &BTreeSet<String>) -> Option<String> {
    let ends = path.match_indices("::").map(|(at, _)| at).chain([path.len()]);
    ends.filter_map(|end| modules.get(&path[..end])).last().cloned()
}

/// A public function or constant has its name in a source of another crate: in the binary, a test,
/// a bench or the load test (`others`). Of the rest only the room itself knows.
pub(crate) fn public(all: &[Source], others: &[Source]) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let words = |source: &'_ Source| -> BTreeSet<String> {
        source.text.split(|c| !is_word(c)).map(str::to_owned).collect()
    };
    let named: BTreeSet<String> = others.iter().flat_map(words).collect();
    let mut faults = Vec::new();
    for source in all {
        for (index, line) in source.code() {
            if let Some(name) = public_value(line).filter(|name| !named.contains(*name)) {
                faults.push(source.fault(index, &format!("{name} is pub, and only we use it")));
            }
        }
    }
    faults
}

/// The name of a function or constant that is public.
fn public_value(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("pub ")?;
    let kinds = ["const fn ", "fn ", "const ", "static "];
    let rest = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

/// Most files and functions are short.
pub(crate) fn lengths(all: &[Source]) -> Vec<String> {
    let is_code = |source: &&Source| !source.is_in_tests(0);
    let files = all.iter().filter(is_code).map(|source| source.code().count()).collect();
    let functions = all.iter().filter(is_code).flat_map(functions).collect();
    let judge = |what, lengths: Vec<usize>, max| {
        let found = p90(lengths);
        (found > max).then(|| format!("of ten {what} one is over {found} lines; {max} may be"))
    };
    let files = judge("files", files, FILE_P90);
    files.into_iter().chain(judge("functions", functions, FUNCTION_P90)).collect()
}

fn functions(source: &Source) -> Vec<usize> {
    let lengths = source.functions().into_iter();
    lengths.filter(|(at, _)| !source.is_in_tests(*at)).map(|(_, length)| length).collect()
}

fn p90(mut lengths: Vec<usize>) -> usize {
    lengths.sort_unstable();
    lengths.get(lengths.len() * 9 / 10).copied().unwrap_or_default()
}
