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
    let help = stdout(&parlor(&["--help"], &[]));
    assert!(help.contains("serve") && help.contains("chat"), "{help}");
    let help = stdout(&parlor(&["serve", "--help"], &[]));
    let (options, limits) = help.split_once("\nLimits:\n").unwrap();
    assert!(options.contains("--listen <ADDR>") && options.contains("--data <DIR>"), "{help}");
    assert!(limits.contains("--room-members <N>") && limits.contains("--drain <TIME>"), "{help}");
    assert!(limits.contains("[default: 3MiB]"), "{help}");
    assert!(!help.contains('\x1b'));
    let help = stdout(&parlor(&["chat", "--help"], &[]));
    assert!(help.contains("--accept-files <DIR>") && help.contains("127.0.0.1:7575"), "{help}");
    let name = "[default: $PARLOR_USER, then the letters and digits of $USER, then asked for]";
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains(name) && help.contains("--stay </dev/null"), "{help}");
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
    assert!(line(&parlor(&[], &[]), 2).contains("requires a subcommand"));
    assert!(line(&parlor(&["sreve"], &[]), 2).contains("sreve"));
    let unknown = line(&parlor(&["chat", "--colour"], &[]), 2);
    assert_eq!(unknown, "parlor: --colour: not known here; see parlor chat --help");
    assert!(line(&parlor(&["--colour"], &[]), 2).ends_with("; see parlor --help"));
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
