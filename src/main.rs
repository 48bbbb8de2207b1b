//! The binary: the command line to a call of the library, and its outcome to an exit code.
//!
//! Refuses to know what a server or a client does. The rule it keeps: a mistake is one line on
//! standard error that says what to do next, and a standard error that is closed is no mistake.

mod cli;
mod help;

use clap::{ArgMatches, Command};
use parlor::{admin, config, serve};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// A mistake in the configuration of a server: `EX_CONFIG` of sysexits.h.
const EXIT_CONFIG: u8 = 78;
/// A mistake on any other command line, as is usual.
const EXIT_USAGE: u8 = 2;

const SERVE_AFTER: &str = "\
Examples:
  parlor serve
  parlor serve --listen 0.0.0.0:7575 --data /srv/parlor --file-max 20MiB
  parlor serve --config /etc/parlor.toml

SIZE is a whole number with B, KiB, MiB, GiB or TiB; TIME is one with ms, s, m, h or d. Without \
a unit they are bytes and seconds.

Each option is also a variable (PARLOR_ROOM_MEMBERS) and a key of the configuration file \
(room-members). The option wins over the variable, the variable over the file. `parlor config \
show` prints the settings in force. All about it: docs/server.md";

const CONFIG_AFTER: &str = "\
Examples:
  parlor config show
  parlor config show --config /etc/parlor.toml --room-members 40

It takes the options of `parlor serve`. What it prints is a file for --config.";

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    match command().try_get_matches_from(&args) {
        Ok(matches) => run(&matches),
        Err(error) if help::is_wanted(&error) => {
            print(&error.render().to_string());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let serving = args.get(1).is_some_and(|arg| arg == "serve" || arg == "config");
            complain(&help::one_line(&error, &command(), &args));
            ExitCode::from(if serving { EXIT_CONFIG } else { EXIT_USAGE })
        }
    }
}

fn command() -> Command {
    let command = Command::new("parlor")
        .version(env!("CARGO_PKG_VERSION"))
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .max_term_width(help::WIDTH_MAX)
        .arg_required_else_help(true)
        .subcommand(serve_command())
        .subcommand(config_command())
        .subcommands(cli::commands())
        // The old name of `parlor store files gc`.
        .mut_subcommand("files", |files| files.subcommand(admin::gc_command().hide(true)))
        .subcommands(admin::commands());
    help::with_overview(command)
}

fn serve_command() -> Command {
    Command::new("serve")
        .about("Run a server; works without any option")
        .after_help(SERVE_AFTER)
        .args(config::options())
}

fn config_command() -> Command {
    let show = Command::new("show")
        .about("Print all settings in force, and where each comes from")
        .after_help(CONFIG_AFTER)
        .args(config::options());
    Command::new("config")
        .about("Show the settings of a server")
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .after_help(CONFIG_AFTER)
        .subcommand(show)
}

fn run(matches: &ArgMatches) -> ExitCode {
    match matches.subcommand() {
        Some(("serve", options)) => match serve::run(config::given(options)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&error.to_string());
                ExitCode::from(error.exit_code())
            }
        },
        Some(("config", command)) => match serve::show_config(shown_options(command)) {
            Ok(text) => {
                print(&text);
                ExitCode::SUCCESS
            }
            Err(mistake) => {
                complain(&mistake.to_string());
                ExitCode::from(EXIT_CONFIG)
            }
        },
        Some(("user", command)) => administer(admin::user(command)),
        Some(("store", command)) => administer(admin::store(command)),
        Some(("backup", options)) => administer(admin::backup(options)),
        Some(("files", options)) if options.subcommand().is_some() => {
            administer(options.subcommand().map_or(Ok(()), |(_, options)| admin::gc(options)))
        }
        Some((name, options)) => cli::run(name, options)
            .unwrap_or_else(|| unreachable!("clap knows the commands that are declared above")),
        None => unreachable!("clap demands one of the subcommands that are declared above"),
    }
}

fn administer(done: Result<(), admin::AdminError>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "parlor: {text}");
}

/// Standard output; whoever closes the pipe early has read enough.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn shown_options(command: &ArgMatches) -> Vec<(String, String)> {
    command.subcommand().map_or_else(Vec::new, |(_, options)| config::given(options))
}
