//! What documents point at: each relative link leads to a file, and to a heading of it if it names
//! one; each page of `docs/` that is named anywhere exists.

use std::collections::BTreeMap;

/// The documents by their path from the root, and whether a path is there.
pub(crate) struct Library<'a> {
    pub(crate) pages: BTreeMap<String, String>,
    pub(crate) exists: &'a dyn Fn(&str) -> bool,
}

/// Links that lead nowhere.
pub(crate) fn broken(library: &Library<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, text) in &library.pages {
        let links = prose(text).into_iter().flat_map(|line| links(&line));
        for link in links.filter(|link| !link.contains("://")) {
            let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
            let path = if path.is_empty() { name.clone() } else { from(name, path) };
            if !(library.exists)(&path) {
                faults.push(format!("{name}: {link} is no file"));
            } else if !heading.is_empty() && !has_heading(library, &path, heading) {
                faults.push(format!("{name}: {link} is no heading"));
            }
        }
    }
    faults
}

/// Pages below `docs/` that a text names and that are not there.
pub(crate) fn missing(name: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let is_path = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    let words = text.split(|c| !is_path(c)).filter(|word| word.starts_with("docs/"));
    let pages = words.filter_map(|word| word.find(".md").map(|at| &word[..at + 3]));
    let missing = pages.filter(|page| !exists(page));
    missing.map(|page| format!("{name}: there is no {page}")).collect()
}

fn has_heading(library: &Library<'_>, path: &str, heading: &str) -> bool {
    let Some(text) = library.pages.get(path) else { return false };
    let lines = prose(text).into_iter().filter(|line| line.starts_with('#'));
    anchors(lines.map(|line| line.trim_start_matches('#').trim().to_owned())).contains(heading)
}

/// Headings as links name them: small, with hyphens for blanks; a second one of a name has a `-1`.
fn anchors(headings: impl Iterator<Item = String>) -> std::collections::BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let anchor = |heading: String| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let plain = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let count = seen.entry(plain.clone()).or_default();
        *count += 1;
        if *count == 1 { plain } else { format!("{plain}-{}", *count - 1) }
    };
    headings.map(anchor).collect()
}

/// The lines outside of blocks of code.
fn prose(text: &str) -> Vec<String> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        if !in_code && !is_fence {
            lines.push(line.to_owned());
        }
    }
    lines
}

fn links(line: &str) -> Vec<String> {
    let targets = line.match_indices("](").map(|(at, _)| &line[at + 2..]);
    targets.filter_map(|rest| rest.split_once(')')).map(|(link, _)| link.to_owned()).collect()
}

/// A path as one page writes it, from the root.
fn from(page: &str, path: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}
