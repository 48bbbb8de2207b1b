//! Who names a protocol: a new front is a file of its own and a line here and there in two others.

use std::collections::BTreeSet;

use super::source::{Source, paths};

/// The two files that name every front. No third one does.
const STANDING: [&str; 2] = ["src/front/detect.rs", "src/front/mod.rs"];
/// The other end of the native protocol, which also borrows words from the text lines.
const CLIENT: &str = "src/client";

/// Places outside of [`STANDING`] that name a protocol, by a variant or by its file. The server
/// names none at all; the client names no variant.
pub(crate) fn places(all: &[Source]) -> Vec<String> {
    let fronts = variants(all, "enum Front {");
    let voices = variants(all, "enum Voice {");
    let files: BTreeSet<String> =
        fronts.iter().map(|front| format!("front::{}", front.to_lowercase())).collect();
    let mut faults = Vec::new();
    for source in all.iter().filter(|source| is_elsewhere(source, &files)) {
        let in_client = source.name.starts_with(CLIENT);
        for (index, line) in source.code() {
            let is_file = |file: &String| !in_client && has_path(line, file);
            let is_named = names_one(line, "Front::", &fronts)
                || names_one(line, "Voice::", &voices)
                || !line.contains("use ") && files.iter().any(is_file);
            faults.extend(is_named.then(|| source.fault(index, "it names a protocol")));
        }
        for (index, statement) in source.uses().into_iter().filter(|_| !in_client) {
            let named = paths(&statement);
            let is_file = |file: &String| named.iter().any(|path| has_path(path, file));
            let is_named = files.iter().any(is_file);
            faults.extend(is_named.then(|| source.fault(index, "it uses a protocol's file")));
        }
    }
    faults
}

/// Those of [`STANDING`] that name one.
pub(crate) fn standing(all: &[Source]) -> Vec<String> {
    let fronts = variants(all, "enum Front {");
    let names = |source: &&Source| {
        source.code().any(|(_, line)| {
            names_one(line, "Front::", &fronts) || names_one(line, "Self::", &fronts)
        })
    };
    let standing = all.iter().filter(|source| STANDING.contains(&source.name.as_str()));
    standing.filter(names).map(|source| source.name.clone()).collect()
}

/// The variants of an enum of `src/front/mod.rs`.
fn variants(all: &[Source], opening: &str) -> Vec<String> {
    let Some(front) = all.iter().find(|source| source.name == STANDING[1]) else {
        return Vec::new();
    };
    let lines = front.code().map(|(_, line)| line);
    let body = lines.skip_while(|line| !line.contains(opening)).skip(1);
    let names = body.take_while(|line| *line != "}").filter_map(|line| {
        let name = line.strip_prefix("    ")?.split(|c: char| !c.is_alphanumeric()).next()?;
        name.starts_with(char::is_uppercase).then(|| name.to_owned())
    });
    names.collect()
}

/// A protocol's own file may name itself.
fn is_elsewhere(source: &Source, files: &BTreeSet<String>) -> bool {
    let own = format!("front::{}", source.name.rsplit('/').next().unwrap_or_default());
    let own = own.trim_end_matches(".rs");
    let is_own = source.name.starts_with("src/front/") && files.contains(own);
    !is_own && !STANDING.contains(&source.name.as_str())
}

fn names_one(line: &str, kind: &str, variants: &[String]) -> bool {
    variants.iter().any(|variant| has_path(line, &format!("{kind}{variant}")))
}

/// Whether a path stands in a line, whole.
fn has_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        !line[..at].ends_with(is_name) && !line[at + path.len()..].starts_with(is_name)
    })
}
