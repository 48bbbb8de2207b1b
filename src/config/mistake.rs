//! What was wrong with the configuration, in one line.
//!
//! Refuses to know who prints it. The rule it keeps: it names the place and the key, and says what
//! would be right; whatever somebody wrote is quoted visibly and cut to a bearable length.

use crate::message::visible;

/// Longest quotation of a mistaken text, in characters.
const QUOTED_MAX: usize = 60;

/// A mistake in an option, a variable or the file; printed, it is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Mistake {
    place: String,
    what: String,
}

impl Mistake {
    pub(super) fn new(place: String, what: String) -> Self {
        Self { place, what }
    }
}

/// A text as it was written, in quotation marks.
pub(super) fn quoted(text: &str) -> String {
    let shown = visible(text);
    match shown.char_indices().nth(QUOTED_MAX) {
        Some((end, _)) => format!("\"{}...\"", &shown[..end]),
        None => format!("\"{shown}\""),
    }
}

/// Says that a word is not known, and which one was probably meant.
pub(super) fn unknown(kind: &str, meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("{kind}; did you mean {}?", quoted(meant)),
        None => format!("{kind}; see parlor serve --help"),
    }
}

/// The known word that is most like `word`, if any is like it: at most a third of its letters are
/// missing, added or wrong.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // No key is as long; and the work below is the product of both lengths.
    if word.len() > 64 {
        return None;
    }
    let word = word.to_ascii_lowercase().replace('_', "-");
    let distance = |known: &str| edits(&word, &known.to_ascii_lowercase().replace('_', "-"));
    known
        .into_iter()
        .map(|known| (distance(known), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .map(|(_, known)| known)
}

/// Levenshtein's distance, where two neighbours that are swapped are one mistake.
fn edits(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(a != b);
            let mut least = replaced.min(row[j] + 1).min(rows[i][j + 1] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_between_words_is_counted_in_letters() {
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("room", "room"), 0);
        assert_eq!(edits("sreve", "serve"), 1);
        assert_eq!(edits("ab", "ba"), 1);
    }

    #[test]
    fn only_a_similar_word_is_suggested() {
        let known = ["room-members", "rooms", "drain"];
        assert_eq!(nearest("room_member", known), Some("room-members"));
        assert_eq!(nearest("ROOMS", known), Some("rooms"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest(&"x".repeat(1000), known), None);
    }

    #[test]
    fn quotations_are_visible_and_short() {
        assert_eq!(quoted("a\n\x1b"), "\"a\\n\\x1b\"");
        assert_eq!(quoted(&"é".repeat(100)).chars().count(), 65);
    }
}
