//! A source file as the rules see it: its lines without comments, its tests apart.

pub(crate) struct Source {
    /// Path from the root of the repository.
    pub(crate) name: String,
    pub(crate) text: String,
    /// Where its unit tests begin, as an index of a line.
    tests_at: usize,
}

impl Source {
    pub(crate) fn new(name: String, text: String) -> Self {
        let is_tests = |line: &str| line.starts_with("#[cfg(") && line.contains("test");
        let tests_at = text.lines().position(is_tests).unwrap_or(usize::MAX);
        let whole = name.ends_with("_tests.rs") || name.ends_with("/tests.rs");
        let tests_at = if whole || name.starts_with("tests/") { 0 } else { tests_at };
        Self { name, text, tests_at }
    }

    /// The room of the house that it belongs to: `src/engine/conn.rs` is in `engine`.
    pub(crate) fn room(&self) -> &str {
        let path = self.name.strip_prefix("src/").unwrap_or(&self.name);
        path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    pub(crate) fn is_in_tests(&self, index: usize) -> bool {
        index >= self.tests_at
    }

    /// Its lines with their numbers from 0, without line comments.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().map(without_comment).enumerate()
    }

    /// The lines that are not of its unit tests.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().filter(|&(index, _)| !self.is_in_tests(index))
    }

    /// The statements outside its tests that a `use` begins, each in one line, with their numbers.
    pub(crate) fn uses(&self) -> Vec<(usize, String)> {
        let mut found: Vec<(usize, String)> = Vec::new();
        let mut open = false;
        for (index, line) in self.code() {
            let line = line.trim();
            let visible = line.split_once("use ").map_or("?", |(before, _)| before).trim();
            if !open && (visible.is_empty() || visible.starts_with("pub")) {
                found.push((index, String::new()));
                open = true;
            }
            if open && let Some((_, statement)) = found.last_mut() {
                statement.push_str(line);
                statement.push(' ');
                open = !line.ends_with(';');
            }
        }
        found
    }

    /// Its functions of more than a line, each with the line where it begins and its length. It
    /// ends at the brace that closes its own indentation; rustfmt sees to that.
    pub(crate) fn functions(&self) -> Vec<(usize, usize)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let mut found = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            let words = code.split("fn ").next().unwrap_or_default();
            let starts = code.contains("fn ")
                && words.split_whitespace().all(|word| {
                    word.starts_with("pub")
                        || matches!(word, "const" | "unsafe" | "extern" | "async")
                });
            if !starts || code.ends_with('}') || code.ends_with(';') {
                continue;
            }
            let end = format!("{}}}", &line[..line.len() - code.len()]);
            let length = lines[index..].iter().take_while(|line| **line != end).count() + 1;
            found.push((index, length));
        }
        found
    }

    pub(crate) fn fault(&self, index: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.name, index + 1)
    }
}

fn without_comment(line: &str) -> &str {
    let end = line.match_indices("//").map(|(at, _)| at).find(|&at| {
        // An address in a string is no comment.
        at == 0 || line.as_bytes()[at - 1] != b':'
    });
    &line[..end.unwrap_or(line.len())]
}

/// The paths that a `use` names: `a::{b, c::{d, e}}` gives `a::b`, `a::c::d` and `a::c::e`.
pub(crate) fn paths(statement: &str) -> Vec<String> {
    let statement = statement.trim().trim_end_matches(';');
    let tree = statement.split_once("use ").map_or(statement, |(_, tree)| tree);
    let mut found = Vec::new();
    expand("", tree, &mut found);
    found
}

fn expand(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        if !tree.is_empty() {
            let name = tree.split(" as ").next().unwrap_or(tree);
            found.push(format!("{prefix}{name}"));
        }
        return;
    };
    let inner = rest.trim_end().strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut from) = (0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&format!("{prefix}{head}"), &inner[from..at], found);
                from = at + 1;
            }
            _ => {}
        }
    }
    expand(&format!("{prefix}{head}"), &inner[from..], found);
}
