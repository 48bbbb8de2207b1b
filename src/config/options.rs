//! The options of `parlor serve`, made from the table of settings.
//!
//! Refuses to know what they mean: clap splits the command line, the values stay texts. The rule
//! it keeps: no option takes a default here, or a variable could never win over it.

use super::settings::{Kind, SETTINGS, Setting};
use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches};

/// The options for clap, limits under a heading of their own.
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
    let heading = setting.is_limit().then_some("Limits");
    Arg::new(setting.key)
        .long(setting.key)
        .value_name(setting.value_name())
        .value_parser(ValueParser::string())
        .action(action)
        .allow_negative_numbers(true)
        .help(format!("{} [default: {}]", setting.help, setting.default_shown()))
        .help_heading(heading)
}
