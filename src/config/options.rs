//! The options of `parlor serve`, made from the table of settings.
//!
//! Refuses to know what they mean: clap splits the command line, the values stay texts. The rule
//! it keeps: no option takes a default here, or a variable could never win over it.

use super::settings::{Kind, SETTINGS, Setting};
use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches};

/// The options for clap, under headings.
#[must_use]
pub fn options() -> Vec<Arg> {
    SETTINGS.iter().map(option).collect()
}

/// Those of them that tell where the data is, for the commands that need nothing else.
#[must_use]
pub(crate) fn data_options() -> Vec<Arg> {
    let asked = |setting: &&Setting| matches!(setting.key, "data" | "config");
    SETTINGS.iter().filter(asked).map(option).collect()
}

/// Every key there is, for suggestions.
pub fn keys() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|setting| setting.key)
}

/// The options that were given, as keys and texts.
#[must_use]
pub fn given(matches: &ArgMatches) -> Vec<(String, String)> {
    // Not every command has every option.
    let texts = |key: &'static str| {
        matches.try_get_many::<String>(key).ok().flatten().into_iter().flatten()
    };
    SETTINGS
        .iter()
        .flat_map(|setting| texts(setting.key).map(|text| (setting.key.into(), text.clone())))
        .collect()
}

/// Under which heading the help has an option; the first ones have none.
fn heading(key: &str) -> Option<&'static str> {
    match key.split('-').next().unwrap_or_default() {
        "accounts" | "before" | "block" | "login" | "timeout" => Some("Accounts and logins"),
        "connections" | "room" | "rooms" | "letters" | "presence" | "message" => {
            Some("People, rooms and messages")
        }
        "upload" | "file" | "files" | "shelf" | "partial" => Some("Files"),
        "output" => Some("Clients that read slowly"),
        "first" | "heartbeat" | "dead" | "drain" => Some("Silence and the end"),
        _ => None,
    }
}

fn option(setting: &'static Setting) -> Arg {
    let action = match setting.kind {
        Kind::Addresses(_) => ArgAction::Append,
        Kind::Count(..)
        | Kind::Bytes(..)
        | Kind::Time(..)
        | Kind::Path(_)
        | Kind::Level(_)
        | Kind::Choice(..) => ArgAction::Set,
    };
    Arg::new(setting.key)
        .long(setting.key)
        .value_name(setting.value_name())
        .value_parser(ValueParser::string())
        .action(action)
        .allow_negative_numbers(true)
        .help(format!("{} [default: {}]", setting.help, setting.default_shown()))
        .help_heading(heading(setting.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_is_under_a_heading_but_those_that_everybody_needs() {
        let bare = SETTINGS.iter().filter(|setting| heading(setting.key).is_none());
        let bare: Vec<_> = bare.map(|setting| setting.key).collect();
        assert_eq!(bare, ["listen", "data", "log", "log-level", "log-format", "config"]);
    }
}
