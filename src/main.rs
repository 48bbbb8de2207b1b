//! The binary: the command line to a call of the library, and its outcome to an exit code.
//!
//! Refuses to know what a server or a client does. The rule it keeps: a mistake is one line on
//! standard error that says what to do next, and a standard error that is closed is no mistake.

mod cli;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command};
use parlor::message::visible;
use parlor::{admin, config, serve};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// A mistake in the configuration of a server: `EX_CONFIG` of sysexits.h.
const EXIT_CONFIG: u8 = 78;
/// A mistake on any other command line, as is usual.
const EXIT_USAGE: u8 = 2;

const SERVE_AFTER: &str = "\
SIZE is a whole number with B, KiB, MiB, GiB or TiB; TIME is one with ms, s, m, h or d.
Each option is also a variable (PARLOR_ROOM_MEMBERS) and a key of the file (room-members).
The first of option, variable, file, default decides. All about it: docs/server.md";

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    match command().try_get_matches_from(&args) {
        Ok(matches) => run(&matches),
        Err(error) if !error.use_stderr() => {
            // Help or version; who closes the pipe early has read enough.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        Err(error) => {
            let serving = args.get(1).is_some_and(|arg| arg == "serve");
            complain(&one_line(&error, serving, &help_for(&args)));
            ExitCode::from(if serving { EXIT_CONFIG } else { EXIT_USAGE })
        }
    }
}

fn command() -> Command {
    Command::new("parlor")
        .version(env!("CARGO_PKG_VERSION"))
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .subcommand_required(true)
        .subcommand(serve_command())
        .subcommands(cli::commands())
        // Beside the client's `parlor files ADDR`: what the owner does to his folder.
        .mut_subcommand("files", |files| files.subcommand(admin::gc_command()))
        .subcommands(admin::commands())
        .subcommand(admin::store_command())
}

fn serve_command() -> Command {
    Command::new("serve")
        .about("Run a server; works without any option")
        .after_help(SERVE_AFTER)
        .args(config::options())
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

/// What shows the help of the command that was meant.
fn help_for(args: &[OsString]) -> String {
    let command = command();
    let meant = args.get(1).and_then(|name| command.find_subcommand(name));
    match meant.map(Command::get_name) {
        Some(name) => format!("parlor {name} --help"),
        None => "parlor --help".to_owned(),
    }
}

/// What clap says in a paragraph, in one line, with a suggestion from our own keys.
fn one_line(error: &clap::Error, serving: bool, help: &str) -> String {
    let unknown = match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(option))) => Some(option.as_str()),
        _ => None,
    };
    if unknown == Some("--password") && !serving {
        return "--password: everybody on this machine could read it; use PARLOR_PASSWORD or \
                --password-file FILE"
            .to_owned();
    }
    if let Some(option) = unknown {
        let near = config::nearest(option.trim_start_matches('-'), config::keys());
        return match near.filter(|_| serving && option.starts_with("--")) {
            Some(near) => format!("{}: unknown option; did you mean --{near}?", visible(option)),
            None => format!("{}: not known here; see {help}", visible(option)),
        };
    }
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let said = text.split("\n\n").next().unwrap_or(text);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{}; see {help}", visible(&said))
}
