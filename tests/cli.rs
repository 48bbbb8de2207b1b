//! The real binary, as far as it goes without a server or a client: help, version, mistakes.

use std::path::Path;
use std::process::{Command, Output};

#[path = "support/server.rs"]
mod server;

/// Runs the binary with an environment of nothing but `env`.
fn parlor(args: &[&str], env: &[(&str, &str)]) -> Output {
    server::parlor()
        .args(args)
        .current_dir(std::env::temp_dir())
        .envs(env.iter().copied())
        .output()
        .unwrap()
}

/// The single line of a failure, after checking that it is one.
fn line(output: &Output, code: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert_eq!(output.stdout, b"", "{text}");
    assert!(text.starts_with("parlor: ") && text.ends_with('\n'), "{text}");
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    text.trim_end().to_owned()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success());
    assert_eq!(output.stderr, b"");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn help_and_version_are_on_standard_output() {
    let version = format!("parlor {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(stdout(&parlor(&["--version"], &[])), version);
    let help = stdout(&parlor(&["serve", "--help"], &[]));
    let (options, files) = help.split_once("\nFiles:\n").unwrap();
    assert!(options.contains("--listen <ADDR>") && options.contains("--data <DIR>"), "{help}");
    assert!(options.contains("--room-members <N>"), "{help}");
    assert!(files.contains("[default: 3MiB]") && files.contains("--drain <TIME>"), "{help}");
    assert!(!help.contains('\x1b'));
    let help = stdout(&parlor(&["chat", "--help"], &[]));
    assert!(help.contains("--accept-files <DIR>") && help.contains("127.0.0.1:7575"), "{help}");
    let name = "[default: $PARLOR_USER, then the letters and digits of $USER, then asked for]";
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains(name) && help.contains("--stay </dev/null"), "{help}");
}

#[test]
fn the_overview_has_each_command_once_and_those_of_the_owner_apart() {
    let help = stdout(&parlor(&["--help"], &[]));
    assert_eq!(stdout(&parlor(&[], &[])), help, "no command is a question for it");
    let (talk, owner) = help.split_once("\nFor the owner of a server:\n").unwrap();
    let names = |text: &str| {
        let rows = text.lines().filter(|line| line.starts_with("  ") && !line.starts_with("  -"));
        let names = rows.filter_map(|row| row.split_whitespace().next()).map(str::to_owned);
        names.filter(|name| name != "parlor").collect::<Vec<_>>()
    };
    assert_eq!(names(talk), ["chat", "menu", "say", "send", "get", "files"], "{help}");
    assert_eq!(names(owner), ["serve", "config", "user", "store"], "{help}");
    // What it lists is there, with an example each, and what it is about.
    for command in names(talk).into_iter().chain(names(owner)) {
        let own = stdout(&parlor(&[&command, "--help"], &[]));
        let about = own.lines().next().unwrap();
        assert!(help.contains(&format!("  {command:<8}{about}\n")), "{about}: {help}");
        assert!(own.contains(&format!("\n  parlor {command}")), "{command}: {own}");
        for below in own.lines().skip_while(|line| *line != "Commands:").skip(1) {
            let Some(below) = below.strip_prefix("  ").filter(|row| !row.starts_with(' ')) else {
                break;
            };
            let args = [&command, below.split(' ').next().unwrap(), "--help"];
            assert!(stdout(&parlor(&args, &[])).contains("\n  parlor "), "no example: {args:?}");
        }
        if ["config", "user", "store"].contains(&command.as_str()) {
            assert_eq!(stdout(&parlor(&[&command], &[])), own);
        }
    }
}

#[test]
fn help_is_as_wide_as_the_terminal() {
    let commands = [&["serve"][..], &["chat"], &["send"], &["user", "import"], &["store"]];
    for command in commands {
        let args = [command, &["--help"]].concat();
        for (columns, most) in [("60", 60), ("80", 80), ("200", 100)] {
            let help = stdout(&parlor(&args, &[("COLUMNS", columns)]));
            // Of a usage clap makes one line.
            let lines = help.lines().filter(|line| !line.starts_with("Usage: "));
            let widest = lines.max_by_key(|line| line.chars().count()).unwrap();
            // An example is not broken within a word.
            let is_long = widest.chars().count() > most && !widest.contains("/dev/null");
            assert!(!is_long, "{command:?} at {columns}: {widest}");
        }
    }
}

#[test]
fn what_was_meant_is_named() {
    for (args, code, said) in [
        (&["sreve"][..], 2, "sreve: unknown command; did you mean serve?"),
        (&["user", "lsit"], 2, "lsit: unknown command; did you mean list?"),
        (&["store", "bakup"], 2, "bakup: unknown command; did you mean backup?"),
        (&["send", "a", "f", "--sehlf"], 2, "--sehlf: unknown option; did you mean --shelf?"),
        (&["chat", "--usr", "a"], 2, "--usr: unknown option; did you mean --user?"),
        (&["config", "show", "--romms", "5"], 78, "--romms: unknown option; did you mean --rooms?"),
        (&["dance"], 2, "dance: not known here; see parlor --help"),
        (
            &["user", "add", "a", "--colour"],
            2,
            "--colour: not known here; see parlor user add --help",
        ),
    ] {
        assert_eq!(line(&parlor(args, &[]), code), format!("parlor: {said}"));
    }
}

#[test]
fn config_show_is_a_file_that_says_whence_each_setting_comes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("parlor.toml");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "file-max = \"20MiB\"\n").unwrap();
    let env = [("PARLOR_CONFIG", path), ("PARLOR_DRAIN", "3s"), ("HOME", "/nobody")];
    let shown = stdout(&parlor(&["config", "show", "--room-members", "40"], &env));
    let row = |key: &str| {
        let row = shown.lines().find(|line| line.starts_with(&format!("{key} = ")));
        row.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("room-members"), "room-members = 40 # --room-members");
    assert_eq!(row("drain"), "drain = \"3s\" # PARLOR_DRAIN");
    assert_eq!(row("file-max"), format!("file-max = \"20MiB\" # {path} line 1"));
    assert_eq!(row("rooms"), "rooms = 10000 # default");
    std::fs::write(&file, &shown).unwrap();
    let again = stdout(&parlor(&["config", "show"], &[("PARLOR_CONFIG", path)]));
    let settings = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split_once(" # ").unwrap().0.trim().to_owned()).collect()
    };
    assert_eq!(settings(&again), settings(&shown));
    let wrong = line(&parlor(&["config", "show"], &[("PARLOR_DRAIN", "soon")]), 78);
    assert!(wrong.starts_with("parlor: PARLOR_DRAIN: "), "{wrong}");
}

#[test]
fn a_mistake_in_any_source_is_one_line_and_exit_code_78() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("parlor.toml");
    std::fs::write(&file, "rooms = 5\nroom_member = 5\n").unwrap();
    let path = file.to_str().unwrap();
    let serve =
        |args: &[&str], env: &[(&str, &str)]| line(&parlor(&[&["serve"], args].concat(), env), 78);
    assert_eq!(
        serve(&["--room-members", "many"], &[]),
        "parlor: --room-members: \"many\" is not a number; use 1 to 10000"
    );
    assert_eq!(
        serve(&["--room-members=-5"], &[]),
        "parlor: --room-members: \"-5\" is out of bounds; use 1 to 10000"
    );
    assert_eq!(
        serve(&["--room-member", "5"], &[]),
        "parlor: --room-member: unknown option; did you mean --room-members?"
    );
    assert_eq!(
        serve(&["--config", path], &[]),
        format!(
            "parlor: {path} line 2: unknown key \"room_member\"; did you mean \"room-members\"?"
        )
    );
    assert_eq!(
        serve(&[], &[("PARLOR_DRAIN", "soon")]),
        "parlor: PARLOR_DRAIN: \"soon\" is not a duration like 30s, 500ms or 2m; use 100ms to 1h"
    );
    assert!(serve(&["--config", "/nowhere"], &[]).contains("--config: cannot read \"/nowhere\""));
    assert!(serve(&["--data"], &[]).contains("a value is required for '--data <DIR>'"));
    assert!(serve(&["--data", "a", "--data", "b"], &[]).contains("cannot be used multiple times"));
    assert!(serve(&["now\x1b[2J"], &[]).contains("now\\x1b[2J: not known here"));
}

#[test]
fn a_mistake_on_any_other_command_line_is_one_line_and_exit_code_2() {
    let unknown = line(&parlor(&["chat", "--colour"], &[]), 2);
    assert_eq!(unknown, "parlor: --colour: not known here; see parlor chat --help");
    assert!(line(&parlor(&["--colour"], &[]), 2).ends_with("; see parlor --help"));
    assert!(line(&parlor(&["send", "a", "f"], &[]), 2).ends_with("; see parlor send --help"));
    assert!(line(&parlor(&["chat", "a", "b"], &[]), 2).contains("b: not known here"));
    let soon = line(&parlor(&["chat", "--reconnect-for", "soon"], &[]), 2);
    assert!(soon.contains("\"soon\" is not a duration like 30s"), "{soon}");
    assert!(line(&parlor(&["chat", "--password-file", "/nowhere"], &[]), 2).contains("/nowhere: "));
}

#[test]
fn a_password_on_the_command_line_is_refused_and_not_repeated() {
    for args in [&["chat", "--password", "sesame"][..], &["chat", "--password=sesame"]] {
        let said = line(&parlor(args, &[]), 2);
        assert!(said.contains("PARLOR_PASSWORD") && said.contains("--password-file"), "{said}");
        assert!(!said.contains("sesame"), "{said}");
    }
}

#[test]
fn what_keeps_a_server_from_starting_is_one_line_and_exit_code_1() {
    let dir = tempfile::tempdir().unwrap();
    let serve = |data: &Path, log: &str| {
        let args = ["serve", "--data", data.to_str().unwrap(), "--log", log];
        line(&parlor(&args, &[]), 1)
    };
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let ours = serve(&file.join("below"), "/dev/null");
    assert!(ours.contains("cannot make the data folder"), "{ours}");
    assert!(ours.ends_with("choose another with --data"), "{ours}");
    let data = dir.path().join("data");
    let log = serve(&data, "/nowhere/log");
    assert!(log.contains("cannot open the log /nowhere/log"), "{log}");

    let lock = std::fs::File::open(data.join("lock")).unwrap();
    lock.lock().unwrap();
    let held = serve(&data, "/dev/null");
    assert!(held.contains("another server uses"), "{held}");
}

#[cfg(unix)]
#[test]
fn a_reader_that_closes_the_pipe_early_is_no_mistake() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut parlor = Command::new(server::PARLOR);
    let output = parlor.args(["serve", "--help"]).stdout(writer).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
