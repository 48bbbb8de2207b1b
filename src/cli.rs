//! The command lines of the client: what may be written, and what it means as a [`plain::Options`].
//!
//! Refuses to know what any of it does. The rule it keeps: what is wrong without a server to ask is
//! said before one is called.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};
use parlor::client::errand::{Errand, ListForm, Place, Whom};
use parlor::client::plain;
use parlor::config;
use parlor::message::Secret;
use std::ops::RangeInclusive;

/// For how long a client may be told to try to come back.
const RECONNECT_FOR: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(365 * 24 * 3600);

const CHAT_AFTER: &str = "\
Examples:
  parlor chat --user alice
  parlor chat 10.0.0.7 --user alice

A drop box, which saves every file that is sent to it:
  parlor chat 10.0.0.7 --user box --accept-files DIR --stay </dev/null

/help lists the commands once it runs. You are asked for your password, or put it in \
PARLOR_PASSWORD or a file. Exit codes: docs/client.md";

const MENU_AFTER: &str = "\
Examples:
  parlor menu 10.0.0.7 --user alice
  printf '1\\nreport.pdf\\n\\n6\\n' | parlor menu 10.0.0.7 --user alice

A script writes choices and answers, one per line; the end of the input is quit. \
Exit codes: docs/client.md";

const SEND_AFTER: &str = "\
Examples:
  parlor send 10.0.0.7 --user alice --to bob report.pdf
  parlor send 10.0.0.7 --user alice --shelf --room lobby *.jpg

It works while you chat. \
Prints the number and the name of each file that the server has stored. Interrupted uploads resume \
when you run the same command again. Exit codes: docs/client.md";

const SAY_AFTER: &str = "\
Examples:
  parlor say 10.0.0.7 --user box --room ops 'the backup is done'
  make 2>&1 | tail -3 | parlor say 10.0.0.7 --user box --to alice

It works while you chat. \
Each line is a message, also one that begins with a slash. A message that is kept for an offline \
user counts as said. Exit codes: docs/client.md";

const GET_AFTER: &str = "\
Examples:
  parlor get 10.0.0.7 --user bob 17
  parlor get 10.0.0.7 --user bob backup.tar --output - | tar x

It works while you chat. \
Prints the path of the file once its hash is verified. An existing file is never overwritten. \
Interrupted downloads resume when you run the same command again. Exit codes: docs/client.md";

const FILES_AFTER: &str = "\
Examples:
  parlor files 10.0.0.7 --user bob '*.pdf'
  parlor files 10.0.0.7 --user bob --json | jq -r '.[].sha256'

It works while you chat. Exit codes: docs/client.md";

/// Headings of the help.
const LOGIN: &str = "Login";
const CONNECTION: &str = "Connection";

/// The commands, for clap.
pub(crate) fn commands() -> [Command; 6] {
    [chat_command(), menu_command(), say_command(), send_command(), get_command(), files_command()]
}

/// Runs one of [`commands`], or tells that it is none.
pub(crate) fn run(name: &str, given: &ArgMatches) -> Option<ExitCode> {
    let options = match name {
        "chat" => chat(given),
        "menu" => menu(given),
        "say" => say(given),
        "send" => send(given),
        "get" => get(given),
        "files" => files(given),
        _ => return None,
    };
    Some(ExitCode::from(plain::run(&options).code()))
}

fn chat_command() -> Command {
    let accept = "Download every file that is sent to you, into this folder";
    let stay = "Stay after the end of the input, until the server or a signal ends it";
    let json = "Print one JSON object per line, for programs (docs/client.md)";
    Command::new("chat")
        .after_help(CHAT_AFTER)
        .about("Talk on a server")
        .arg(addr().default_value(config::ADDRESS))
        .arg(user())
        .arg(path("accept-files", "DIR").help(accept))
        .arg(Arg::new("stay").long("stay").action(ArgAction::SetTrue).help(stay))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help(json))
        .args(login_args())
}

fn menu_command() -> Command {
    Command::new("menu")
        .after_help(MENU_AFTER)
        .about("Messages and files by numbered choices")
        .arg(addr().default_value(config::ADDRESS))
        .arg(user())
        .arg(room("Join this room first, and use its shelf"))
        .arg(path("output", "DIR").help("Save files in this folder [default: the current one]"))
        .args(login_args())
}

fn say_command() -> Command {
    let text = Arg::new("text").value_name("TEXT").default_value("-");
    let to = Arg::new("to").long("to").value_name("USER");
    Command::new("say")
        .after_help(SAY_AFTER)
        .about("Say something to a room or a user, and leave")
        .arg(addr().required(true))
        .arg(text.help("What to say, or - for each line of standard input"))
        .arg(user())
        .arg(to.help("To this user, who may be offline if they have an account"))
        .arg(room("To the members of this room"))
        .group(ArgGroup::new("whom").args(["to", "room"]).required(true))
        .args(login_args())
}

fn send_command() -> Command {
    let files = Arg::new("files").value_name("FILE").num_args(1..).required(true);
    let to = Arg::new("to").long("to").value_name("USER").conflicts_with_all(["room", "shelf"]);
    let shelf = "Put the files on the public shelf, or with --room on that room's shelf";
    Command::new("send")
        .after_help(SEND_AFTER)
        .about("Send files to a user, a room or a shelf, and leave")
        .arg(addr().required(true))
        .arg(files.value_parser(clap::value_parser!(PathBuf)).help("The files"))
        .arg(user())
        .arg(to.help("For this user, who may be offline if they have an account"))
        .arg(room("For the members of this room"))
        .arg(Arg::new("shelf").long("shelf").action(ArgAction::SetTrue).help(shelf))
        .group(ArgGroup::new("whom").args(["to", "room", "shelf"]).multiple(true).required(true))
        .args(login_args())
}

fn get_command() -> Command {
    let file = Arg::new("file").value_name("NUMBER|FILENAME").required(true);
    let output = "A folder, or the file to write, or - for standard output \
                  [default: the current folder]";
    Command::new("get")
        .after_help(GET_AFTER)
        .about("Download a file, verify its hash, and leave")
        .arg(addr().required(true))
        .arg(file.help("Its number, or its name (the newest of that name)"))
        .arg(user())
        .arg(room("Join this room first, for its files and its shelf"))
        .arg(path("output", "PATH").short('o').help(output))
        .args(login_args())
}

fn files_command() -> Command {
    let json = "Print one array of objects with the keys id, name, size, from, kind, to, blake3, \
                sha256, at_ms and until_ms";
    let hash = "Print the BLAKE3 and the SHA-256 of each file too";
    let pattern = Arg::new("pattern").value_name("PATTERN");
    Command::new("files")
        .after_help(FILES_AFTER)
        .about("List the files that you may download, and leave")
        .args_conflicts_with_subcommands(true)
        .subcommand_negates_reqs(true)
        .arg(addr().required(true))
        .arg(pattern.help("Only names that match: * is anything, ? is one character"))
        .arg(user())
        .arg(room("Join this room first, for its files and its shelf"))
        .arg(Arg::new("hash").long("hash").action(ArgAction::SetTrue).help(hash))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help(json))
        .args(login_args())
}

fn addr() -> Arg {
    Arg::new("addr")
        .value_name("ADDR")
        .help("The server: HOST, HOST:PORT or unix:PATH; port 7575 if none is given")
}

fn user() -> Arg {
    let user = "Log in with this name \
                [default: $PARLOR_USER, then the letters and digits of $USER, then asked for]";
    Arg::new("user").long("user").value_name("NAME").help_heading(LOGIN).help(user)
}

fn room(help: &'static str) -> Arg {
    Arg::new("room").long("room").value_name("ROOM").help(help)
}

fn path(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).value_parser(clap::value_parser!(PathBuf))
}

/// Options about coming in and coming back.
fn login_args() -> [Arg; 4] {
    let device = "What this machine is called in your /sessions, which only you see \
                  [default: $PARLOR_DEVICE, then its host name]";
    let file = "The password is the first line of this file [default: $PARLOR_PASSWORD]";
    let never = "End when the connection is lost, instead of reconnecting";
    let time = "How long to try to reconnect when the connection is lost, like 30s, 10m or 24h \
                [default: without limit at a terminal, elsewhere 10m]";
    let seconds = |text: &str| config::parse_time(text, &RECONNECT_FOR);
    [
        path("password-file", "FILE").help_heading(LOGIN).help(file),
        Arg::new("device").long("device").value_name("NAME").help_heading(LOGIN).help(device),
        Arg::new("no-reconnect")
            .long("no-reconnect")
            .action(ArgAction::SetTrue)
            .help_heading(CONNECTION)
            .help(never),
        Arg::new("reconnect-for")
            .long("reconnect-for")
            .value_name("TIME")
            .value_parser(seconds)
            .conflicts_with("no-reconnect")
            .help_heading(CONNECTION)
            .help(time),
    ]
}

fn chat(given: &ArgMatches) -> plain::Options {
    plain::Options {
        accept_files: given.get_one::<PathBuf>("accept-files").cloned(),
        json: given.get_flag("json"),
        stay: given.get_flag("stay"),
        ..shared(given, Errand::Talk)
    }
}

fn menu(given: &ArgMatches) -> plain::Options {
    let folder = given.get_one::<PathBuf>("output").cloned();
    plain::Options { room: text(given, "room"), folder, ..shared(given, Errand::Menu) }
}

fn say(given: &ArgMatches) -> plain::Options {
    let text = text(given, "text").filter(|text| text != "-");
    let errand = Errand::Say { to: self::text(given, "to"), text };
    plain::Options { room: self::text(given, "room"), ..shared(given, errand) }
}

fn send(given: &ArgMatches) -> plain::Options {
    let files = given.get_many::<PathBuf>("files").unwrap_or_default().cloned().collect();
    let to = match text(given, "to") {
        Some(user) => Whom::User(user),
        None if given.get_flag("shelf") => Whom::Shelf,
        None => Whom::Room,
    };
    let errand = Errand::Send { files, to };
    plain::Options { room: text(given, "room"), ..shared(given, errand) }
}

fn get(given: &ArgMatches) -> plain::Options {
    let place = Place::of(given.get_one::<PathBuf>("output").map(PathBuf::as_path));
    let errand = Errand::Get { file: text(given, "file").unwrap_or_default(), place };
    plain::Options { room: text(given, "room"), ..shared(given, errand) }
}

fn files(given: &ArgMatches) -> plain::Options {
    let form = match (given.get_flag("json"), given.get_flag("hash")) {
        (true, _) => ListForm::Json,
        (false, true) => ListForm::Hashes,
        (false, false) => ListForm::Table,
    };
    let errand = Errand::List { pattern: text(given, "pattern"), form };
    plain::Options { room: text(given, "room"), ..shared(given, errand) }
}

fn shared(given: &ArgMatches, errand: Errand) -> plain::Options {
    let password = std::env::var("PARLOR_PASSWORD").ok();
    plain::Options {
        errand,
        addr: text(given, "addr").unwrap_or_else(|| config::ADDRESS.to_owned()),
        device: text(given, "device").or_else(|| std::env::var("PARLOR_DEVICE").ok()),
        user: text(given, "user").or_else(|| std::env::var("PARLOR_USER").ok()),
        password: password.map(|password| Secret(password.into())),
        password_file: given.get_one::<PathBuf>("password-file").cloned(),
        room: None,
        accept_files: None,
        folder: None,
        json: false,
        stay: false,
        reconnect: !given.get_flag("no-reconnect"),
        reconnect_for: given.get_one::<Duration>("reconnect-for").copied(),
    }
}

fn text(given: &ArgMatches, name: &str) -> Option<String> {
    given.get_one::<String>(name).cloned()
}
