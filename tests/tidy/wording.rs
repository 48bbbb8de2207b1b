//! Who words what people read in the client: its faces, and the few that stand here. And phrases
//! that were weeded out of every text, and do not come back.

use super::source::Source;

/// Others with sentences, each with its reason.
const WORDED: [(&str, &str); 6] = [
    ("src/client/commands.rs", "how commands are written"),
    ("src/client/plain/given.rs", "mistakes in a command line, before there is a face"),
    ("src/client/connect.rs", "the same of its address"),
    ("src/client/partial.rs", "faults of local files, as the system's are"),
    ("src/client/transfers/source.rs", "the same"),
    ("src/client/progress.rs", "how far a file is, which is a line and a row of bars"),
];

/// What is said in other words: the left one is not to be read anywhere.
const WEEDED: [(&str, &str); 20] = [
    ("its sender", "the sender"),
    ("their sender", "the sender"),
    ("one's own", "your"),
    ("one's room", "your room"),
    ("one's account", "the account"),
    (" goes on ", "continues, resumes"),
    (" go on ", "continue, resume"),
    (" went on ", "continued, resumed"),
    ("take down that", "record that"),
    ("takes down that", "record that"),
    ("had its time", "expired"),
    ("its time is over", "it expired"),
    ("rests from", "stops"),
    ("that is no user name", "invalid user name"),
    ("that is no password", "a password needs 6 to 256 bytes"),
    ("that cannot be said", "invalid message"),
    ("which is not shown", "Password for X:"),
    ("has been here", "has logged in"),
    ("nobody here is called", "there is no user"),
    ("at most are allowed", "3 MiB at most"),
];

/// Lines of a source or a document with phrases that were weeded out.
pub(crate) fn weeds(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.to_lowercase();
        let found = WEEDED.iter().filter(|(weed, _)| line.contains(weed));
        faults.extend(found.map(|(weed, word)| {
            let number = index + 1;
            format!("{name}:{number}: \"{}\": say \"{word}\"", weed.trim())
        }));
    }
    faults
}

/// No other file of the client says three words in a row.
pub(crate) fn wording(source: &Source) -> Vec<String> {
    let is_face = source.name.starts_with("src/client/face/");
    let is_known = WORDED.iter().any(|(name, _)| *name == source.name);
    if !source.name.starts_with("src/client") || is_face || is_known {
        return Vec::new();
    }
    let says =
        |line: &str| !line.contains("reason =") && line.split('"').skip(1).step_by(2).any(speaks);
    let lines = source.code().filter(|(_, line)| says(line));
    lines.map(|(index, _)| source.fault(index, "a face words that: make it a value")).collect()
}

fn speaks(literal: &str) -> bool {
    let words: Vec<&str> = literal.split(' ').collect();
    words.windows(3).any(|words| words.iter().all(|word| is_word(word)))
}

fn is_word(word: &str) -> bool {
    let word = word.trim_end_matches([',', ';', ':', '.']);
    !word.is_empty() && word.chars().all(char::is_alphabetic)
}
