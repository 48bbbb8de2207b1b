//! The lexicon of ARCHITECTURE.md against the types of `src`: a word is there once, and each public
//! type that is called by a word stands in its row.
//!
//! Refuses to know what a word means. What it does: whoever takes a word of the lexicon for a new
//! type meets the row, and either means the same or finds another word.

use std::collections::{BTreeMap, BTreeSet};

use super::shape::public_type;
use super::source::Source;

/// What does not fit.
pub(crate) fn faults(document: &str, all: &[Source]) -> Vec<String> {
    let rows = rows(document);
    let types: BTreeSet<&str> = all
        .iter()
        .flat_map(Source::code)
        .filter_map(|(_, line)| public_type(line))
        .filter(|name| !name.is_empty())
        .collect();
    let mut faults = Vec::new();
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        for word in &row.words {
            if owners.insert(word, index).is_some() {
                faults.push(format!("the lexicon has \"{word}\" twice"));
            }
        }
        let gone = row.types.iter().filter(|name| !types.contains(**name));
        faults
            .extend(gone.map(|name| format!("the lexicon names {name}, which is no public type")));
    }
    for name in types {
        let Some(row) = owners.iter().find(|(word, _)| is_called_by(name, word)) else { continue };
        if !rows[*row.1].types.contains(&name) {
            faults.push(format!("{name} is called by \"{}\", and is not in its row", row.0));
        }
    }
    faults
}

/// A row: what words it explains, and the types that are called by them.
struct Row<'a> {
    words: Vec<&'a str>,
    types: Vec<&'a str>,
}

fn rows(document: &str) -> Vec<Row<'_>> {
    let (_, lexicon) = document.split_once("\n## Lexicon\n").unwrap_or_default();
    let lexicon = lexicon.split("\n## ").next().unwrap_or_default();
    let rows = lexicon.lines().filter(|line| line.starts_with("| ")).skip(2);
    rows.filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let [words, _, types] = cells[..] else { return None };
        let words = words.split(',').map(str::trim).collect();
        Some(Row { words, types: types.split('`').skip(1).step_by(2).collect() })
    })
    .collect()
}

/// Whether the last words of a type's name are this one, or many of it: `KnownAccounts` is called
/// by "account".
fn is_called_by(name: &str, word: &str) -> bool {
    let mut spaced = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            spaced.push(' ');
        }
        spaced.extend(c.to_lowercase());
    }
    let many = [format!(" {word}s"), format!(" {}ies", word.trim_end_matches('y'))];
    spaced.ends_with(&format!(" {word}")) || many.iter().any(|many| spaced.ends_with(many))
}
