//! The binary: the command line to a call of the library, and its outcome to an exit code.
//!
//! Refuses to know what a server or a client does. The rule it keeps: a mistake is one line on
//! standard error that says what to do next, and a standard error that is closed is no mistake.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};
use parlor::client::plain;
use parlor::message::{Secret, visible};
use parlor::{admin, config, serve};
use std::ffi::OsString;
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// A mistake in the configuration of a server: `EX_CONFIG` of sysexits.h.
const EXIT_CONFIG: u8 = 78;
/// For how long a client may be told to try to come back.
const RECONNECT_FOR: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(365 * 24 * 3600);
/// A mistake on any other command line, as is usual.
const EXIT_USAGE: u8 = 2;

const SERVE_AFTER: &str = "\
SIZE is a whole number with B, KiB, MiB, GiB or TiB; TIME is one with ms, s, m or h.
Each option is also a variable (PARLOR_ROOM_MEMBERS) and a key of the file (room-members).
The first of option, variable, file, default decides. All about it: docs/operations.md";

const CHAT_AFTER: &str = "\
A drop box: parlor chat --user box --accept-files DIR --stay </dev/null
The password of an account: asked for, or in PARLOR_PASSWORD, or in a file; never an option.
Commands: /help, once it runs. Exit codes: docs/operations.md";

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
            complain(&one_line(&error, serving));
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
        .subcommand(chat_command())
        .subcommands(admin::commands())
}

fn serve_command() -> Command {
    Command::new("serve")
        .about("Run a server; works without any option")
        .after_help(SERVE_AFTER)
        .args(config::options())
}

fn chat_command() -> Command {
    let user = "Log in with this name \
                [default: $PARLOR_USER, then the letters and digits of $USER, then asked for]";
    let accept = "Accept files that people send, and save them in this folder; never overwrites";
    let stay = "Go on after the end of the input, until the server or a signal ends it";
    let folder = clap::value_parser!(PathBuf);
    Command::new("chat")
        .after_help(CHAT_AFTER)
        .about("Talk on a server: commands from standard input, one line an event")
        .arg(Arg::new("addr").value_name("ADDR").default_value(config::ADDRESS).help("The server"))
        .arg(Arg::new("user").long("user").value_name("NAME").help(user))
        .arg(
            Arg::new("accept-files")
                .long("accept-files")
                .value_name("DIR")
                .value_parser(folder)
                .help(accept),
        )
        .arg(Arg::new("stay").long("stay").action(ArgAction::SetTrue).help(stay))
        .args(login_args())
}

/// Options about coming in and coming back.
fn login_args() -> [Arg; 3] {
    let file = "The account's password is the first line of this file [default: $PARLOR_PASSWORD]";
    let never = "End when the connection is lost, instead of coming back";
    let time = "Time to try to come back when the connection is lost \
                [default: for ever at a terminal, or else 10m]";
    let seconds = |text: &str| config::parse_time(text, &RECONNECT_FOR);
    let path = clap::value_parser!(PathBuf);
    [
        Arg::new("password-file")
            .long("password-file")
            .value_name("FILE")
            .value_parser(path)
            .help(file),
        Arg::new("no-reconnect").long("no-reconnect").action(ArgAction::SetTrue).help(never),
        Arg::new("reconnect-for")
            .long("reconnect-for")
            .value_name("TIME")
            .value_parser(seconds)
            .conflicts_with("no-reconnect")
            .help(time),
    ]
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
        Some(("chat", options)) => chat(options),
        Some(("user", command)) => administer(admin::user(command)),
        Some(("backup", options)) => administer(admin::backup(options)),
        _ => unreachable!("clap demands one of the subcommands that are declared above"),
    }
}

fn administer(done: Result<(), admin::Error>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

/// Runs the client; its outcome is the exit code.
fn chat(options: &ArgMatches) -> ExitCode {
    let addr = options.get_one::<String>("addr").cloned();
    let user = options.get_one::<String>("user").cloned();
    let password = std::env::var("PARLOR_PASSWORD").ok();
    let options = plain::Options {
        addr: addr.unwrap_or_else(|| config::ADDRESS.to_owned()),
        user: user.or_else(|| std::env::var("PARLOR_USER").ok()),
        password: password.map(|password| Secret(password.into())),
        password_file: options.get_one::<PathBuf>("password-file").cloned(),
        accept_files: options.get_one::<PathBuf>("accept-files").cloned(),
        stay: options.get_flag("stay"),
        reconnect: !options.get_flag("no-reconnect"),
        reconnect_for: options.get_one::<Duration>("reconnect-for").copied(),
    };
    ExitCode::from(plain::run(&options).code())
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "parlor: {text}");
}

/// What clap says in a paragraph, in one line, with a suggestion from our own keys.
fn one_line(error: &clap::Error, serving: bool) -> String {
    let help = if serving { "parlor serve --help" } else { "parlor --help" };
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
