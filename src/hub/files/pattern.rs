//! Patterns that names of files are compared with.
//!
//! Knows no files. The rule it keeps: all names together cost a bounded number of steps.

use crate::limits::PATTERN_STEPS;

/// What names are compared with: `*` stands for anything, `?` for one character; case does not
/// count. All names together cost a bounded number of steps.
#[derive(Debug)]
pub(super) struct Pattern {
    folded: Vec<char>,
    /// The name at hand, folded.
    name: Vec<char>,
    steps_left: usize,
}

impl Pattern {
    pub(super) fn new(pattern: &str) -> Self {
        let (mut folded, name) = (Vec::new(), Vec::new());
        fold(pattern, &mut folded);
        Self { folded, name, steps_left: PATTERN_STEPS }
    }

    /// Steps that were taken.
    pub(super) fn steps(&self) -> usize {
        PATTERN_STEPS - self.steps_left
    }

    /// Whether a name was not looked at because that would have been too much.
    pub(super) fn is_spent(&self) -> bool {
        self.steps_left == 0
    }

    /// Whether a name matches.
    pub(super) fn matches(&mut self, name: &str) -> bool {
        fold(name, &mut self.name);
        self.steps_left = self.steps_left.saturating_sub(name.len());
        let (pattern, name) = (&self.folded, &self.name);
        // Where to continue from after a mismatch: behind the last star, one character later each
        // time. That may take as many steps as the product of both lengths.
        let (mut at, mut in_name, mut retry) = (0, 0, None);
        while in_name < name.len() {
            if self.steps_left == 0 {
                return false;
            }
            self.steps_left -= 1;
            match pattern.get(at) {
                Some('*') => {
                    retry = Some((at + 1, in_name));
                    at += 1;
                }
                Some(&c) if c == '?' || c == name[in_name] => (at, in_name) = (at + 1, in_name + 1),
                _ => {
                    let Some((behind, from)) = retry else { return false };
                    retry = Some((behind, from + 1));
                    (at, in_name) = (behind, from + 1);
                }
            }
        }
        pattern[at..].iter().all(|&c| c == '*')
    }
}

fn fold(text: &str, into: &mut Vec<char>) {
    into.clear();
    if text.is_ascii() {
        into.extend(text.bytes().map(|byte| char::from(byte.to_ascii_lowercase())));
    } else {
        into.extend(text.chars().flat_map(char::to_lowercase));
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_file_names() {
        for (pattern, name) in [
            ("*", ""),
            ("*.pdf", "Report.PDF"),
            ("r?p*t*", "report (1).pdf"),
            ("*a*b*c", "xxaxxbxxbc"),
            ("été*", "ÉTÉ.txt"),
        ] {
            assert!(Pattern::new(pattern).matches(name), "{pattern} {name}");
        }
        for (pattern, name) in [("", "a"), ("?", ""), ("*.pdf", "pdf"), ("a", "ab"), ("a*b", "abc")]
        {
            assert!(!Pattern::new(pattern).matches(name), "{pattern} {name}");
        }
    }

    #[test]
    fn names_that_cost_too_much_are_not_looked_at() {
        let mut pattern = Pattern::new(&format!("*{}b", "a".repeat(128)));
        let name = "a".repeat(255);
        let looked_at = (0..20_000).take_while(|_| {
            assert!(!pattern.matches(&name));
            !pattern.is_spent()
        });
        assert!((1..1_000).contains(&looked_at.count()));
        let mut pattern = Pattern::new("*report*.pdf");
        let name = format!("{} Report (1).pdf", "x".repeat(35));
        assert!((0..20_000).all(|_| pattern.matches(&name)) && !pattern.is_spent());
    }
}
