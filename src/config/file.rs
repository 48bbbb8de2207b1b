//! The configuration file: TOML with the keys of the table of settings; a table stands for the
//! beginning of its keys, so that `accounts.guests` is `accounts-guests`.
//!
//! Refuses to know the file system; the text comes in. The rule it keeps: each mistake names the
//! file and the line, and nothing in the file is passed over.

use super::settings::{self, Kind};
use super::{Given, Mistake, keys, mistake, nearest};
use crate::message::visible;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// The settings in a file, in the order of their lines.
pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<Given>, Mistake> {
    let place = |offset: usize| {
        let line = text[..offset].matches('\n').count() + 1;
        format!("{} line {line}", visible(&path.display().to_string()))
    };
    let table = DeTable::parse(text).map_err(|error| {
        let what = error.message().replace('\n', ", ");
        Mistake::new(place(error.span().map_or(0, |span| span.start)), what)
    })?;
    let mut entries = Vec::new();
    flatten("", table.get_ref(), &mut entries);
    entries.sort_by_key(|(start, _, _)| *start);
    let mut all: Vec<Given> = Vec::new();
    for (start, key, value) in entries {
        let place = place(start);
        let given = entry(place.clone(), &key, value)?;
        if all.iter().any(|earlier| earlier.setting.key == given.setting.key) {
            return Err(Mistake::new(place, format!("{} is set twice", given.setting.key)));
        }
        all.push(given);
    }
    Ok(all)
}

/// The values of a table and of the tables in it, each with where it starts and its whole key.
fn flatten<'a>(
    before: &str,
    table: &'a DeTable<'a>,
    into: &mut Vec<(usize, String, &'a DeValue<'a>)>,
) {
    for (key, value) in table {
        let name = format!("{before}{}", key.get_ref());
        // One table deep, as far as our keys go; below it nothing can be meant.
        if let (DeValue::Table(inner), true) = (value.get_ref(), before.is_empty()) {
            flatten(&format!("{name}-"), inner, into);
        } else {
            into.push((key.span().start, name, value.get_ref()));
        }
    }
}

fn entry(place: String, key: &str, value: &DeValue<'_>) -> Result<Given, Mistake> {
    let Some(setting) = settings::find(&key.replace('_', "-")) else {
        let kind = format!("unknown key {}", mistake::quoted(key));
        return Err(Mistake::new(place, mistake::unknown(&kind, nearest(key, keys()))));
    };
    if setting.key == "config" {
        return Err(Mistake::new(place, "a file cannot name another one with config".into()));
    }
    let place = format!("{place}: {}", setting.key);
    let texts = match (value, &setting.kind) {
        (DeValue::Array(items), Kind::Addresses(_)) => {
            items.iter().map(|item| scalar(item.get_ref(), &setting.kind)).collect()
        }
        (value, kind) => scalar(value, kind).map(|text| vec![text]),
    };
    match texts {
        Ok(texts) => Ok(Given { setting, place, texts }),
        Err(what) => Err(Mistake::new(place, what)),
    }
}

/// A number or a string as the text that an option would have.
#[expect(clippy::wildcard_enum_match_arm, reason = "the values are those of TOML")]
fn scalar(value: &DeValue<'_>, kind: &Kind) -> Result<String, String> {
    let takes_number = match kind {
        Kind::Count(..) | Kind::Bytes(..) | Kind::Time(..) => true,
        Kind::Addresses(_) | Kind::Path(_) | Kind::Level(_) | Kind::Choice(..) => false,
    };
    match value {
        DeValue::Boolean(yes) if matches!(kind, Kind::Choice(..)) => Ok(yes.to_string()),
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) if takes_number => {
            let value = i128::from_str_radix(number.as_str(), number.radix());
            Ok(value.map_or_else(|_| number.to_string(), |value| value.to_string()))
        }
        other if takes_number => {
            Err(format!("it is of type {}; use a number or a string", other.type_str()))
        }
        other => Err(format!("it is of type {}; use a string", other.type_str())),
    }
}
