//! An entry as one JSON object, for programs.
//!
//! Refuses to know which facts there are: each names its event and its fields itself. The rules it
//! keeps: an object is one line of valid JSON; a character that a terminal would obey or an eye
//! would miss is written as `\u` and its number, so that a program reads it as it was and a person
//! sees that it is there.

use super::queue::{Noted, What};
use crate::facts::{Category, Fact, Level};
use crate::message::is_unprintable;
use serde::Serialize;

/// Adds the object of an entry, whose time is shown already.
pub(super) fn add(entry: &Noted, time: &str, to: &mut Vec<u8>) {
    let object = match &entry.what {
        What::Fact(fact) => {
            let (level, category) = (fact.level(), fact.category());
            text(&Object { time, level, category, what: Told::Fact(fact) })
        }
        What::Text(said) => {
            let (level, category) = (Level::Info, Category::Server);
            text(&Object { time, level, category, what: Told::Said { event: "text", text: said } })
        }
    };
    add_escaped(&object, to);
}

#[derive(Serialize)]
struct Object<'a> {
    time: &'a str,
    level: Level,
    category: Category,
    #[serde(flatten)]
    what: Told<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Fact(&'a Fact),
    /// By the `log` macros.
    Said {
        event: &'static str,
        text: &'a str,
    },
}

/// Numbers, strings and objects of them always can be written.
fn text(object: &Object<'_>) -> String {
    serde_json::to_string(object).unwrap_or_default()
}

/// What is unprintable stands within strings, for the rest is punctuation, names and numbers.
fn add_escaped(object: &str, to: &mut Vec<u8>) {
    let mut from = 0;
    for (at, c) in object.char_indices().filter(|(_, c)| is_unprintable(*c)) {
        to.extend_from_slice(&object.as_bytes()[from..at]);
        for unit in c.encode_utf16(&mut [0; 2]) {
            to.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
        }
        from = at + c.len_utf8();
    }
    to.extend_from_slice(&object.as_bytes()[from..]);
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
