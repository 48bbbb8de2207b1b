//! What the command line says about itself: the overview of all commands, and mistakes in one line.
//!
//! Refuses to know what a command does. The rule it keeps: a mistake names what was meant, if
//! anything is like it, or else where to look.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};
use parlor::config;
use parlor::message::visible;
use std::ffi::OsString;
use std::fmt::Write as _;

/// Columns of help on a wide terminal.
pub(crate) const WIDTH_MAX: usize = 100;

/// Who uses which commands.
const GROUPS: [(&str, &[&str]); 2] = [
    ("Talk and files", &["chat", "menu", "say", "send", "get", "files"]),
    ("For the owner of a server", &["serve", "config", "user", "store"]),
];

const TEMPLATE: &str = "\
parlor {version}: {about}

Usage: parlor COMMAND [ARGUMENTS]{after-help}

Options:
{options}
";

const EXAMPLES: &str = "\
Examples:
  parlor serve                                      a server for this machine
  parlor chat --user alice                          talk on it
  parlor serve --listen 0.0.0.0:7575                a server for your network
  parlor chat 10.0.0.7 --user alice                 talk on it from elsewhere
  parlor send 10.0.0.7 --user alice --to bob FILE   send a file

`parlor COMMAND --help` shows the options and examples of a command.";

/// The command with its overview: the commands by who uses them, with what each is about.
pub(crate) fn with_overview(command: Command) -> Command {
    let mut text = String::new();
    for (heading, names) in GROUPS {
        let _ = writeln!(text, "{heading}:");
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {name:<8}{about}");
        }
        text.push('\n');
    }
    command.help_template(TEMPLATE).after_help(text + EXAMPLES)
}

/// Whether clap ends with help or a version, asked for or by an empty command line.
pub(crate) fn is_wanted(error: &clap::Error) -> bool {
    error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand || !error.use_stderr()
}

/// What clap says in a paragraph, in one line, with what was meant.
pub(crate) fn one_line(error: &clap::Error, command: &Command, args: &[OsString]) -> String {
    let (meant, path) = meant(command, args);
    let named = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let option = named(ContextKind::InvalidArg).unwrap_or_default();
            if option == "--password" {
                return PASSWORD.to_owned();
            }
            let near = option.strip_prefix("--").and_then(|word| nearest_option(word, meant));
            unknown("option", option, near.map(|near| format!("--{near}")), &path)
        }
        ErrorKind::InvalidSubcommand => {
            let word = named(ContextKind::InvalidSubcommand).unwrap_or_default();
            let commands = meant.get_subcommands().filter(|command| !command.is_hide_set());
            let near = config::nearest(word, commands.map(Command::get_name));
            unknown("command", word, near.map(str::to_owned), &path)
        }
        _ => {
            let text = error.render().to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let said = text.split("\n\n").next().unwrap_or(text);
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("{}; see {path} --help", visible(&said))
        }
    }
}

/// Said instead of repeating a password.
const PASSWORD: &str = "--password: everybody on this machine could read it; use PARLOR_PASSWORD \
                        or --password-file FILE";

fn unknown(kind: &str, word: &str, near: Option<String>, path: &str) -> String {
    let word = visible(word);
    match near {
        Some(near) => format!("{word}: unknown {kind}; did you mean {near}?"),
        None => format!("{word}: not known here; see {path} --help"),
    }
}

fn nearest_option<'a>(word: &str, command: &'a Command) -> Option<&'a str> {
    let options = command.get_arguments().filter(|option| !option.is_hide_set());
    config::nearest(word, options.filter_map(Arg::get_long))
}

/// The command that was meant, however deep, and how it is called.
fn meant<'a>(command: &'a Command, args: &[OsString]) -> (&'a Command, String) {
    let (mut meant, mut path) = (command, command.get_name().to_owned());
    for arg in args.iter().skip(1) {
        let Some(next) = meant.find_subcommand(arg) else { break };
        meant = next;
        let _ = write!(path, " {}", meant.get_name());
    }
    (meant, path)
}
