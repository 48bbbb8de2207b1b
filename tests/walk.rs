//! `tests/walk.sh`, the ten scenarios to watch: that it plays them all, and that it can fail.
//!
//! Refuses to know the scenarios; the script says what they are, `tests/scenarios/` what holds.

#![cfg(target_os = "linux")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

const PARLOR: &str = env!("CARGO_BIN_EXE_parlor");

/// Plays scenarios with a binary, without waiting for anybody.
fn walk(parlor: &Path, patience: &str, args: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut bash = Command::new("bash");
    bash.arg(root.join("tests/walk.sh")).arg("--go").args(args);
    bash.env("PARLOR", parlor).env("PATIENCE", patience).output().unwrap()
}

/// The scenarios of the summary, with how they ended.
fn summary(output: &Output) -> Vec<(usize, bool)> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let (_, lines) = text.split_once("\nSummary\n").expect(&text);
    let line = |line: &str| {
        let (number, rest) = line.trim_start().split_once(". ")?;
        Some((number.parse().ok()?, rest.contains(" seen ")))
    };
    lines.lines().filter_map(line).collect()
}

#[test]
fn the_ten_scenarios_can_be_watched() {
    let output = walk(Path::new(PARLOR), "60", &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(summary(&output), (1..=10).map(|n| (n, true)).collect::<Vec<_>>(), "{text}");
}

/// A server with other settings: four slots spoil scenario 3, rooms of one spoil scenario 8.
#[test]
fn a_scenario_that_goes_wrong_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = dir.path().join("parlor");
    let spoilt = format!(
        "#!/bin/sh\nexport PARLOR_ROOM_MEMBERS=1 PARLOR_UPLOAD_SLOTS=4\n\
         exec {PARLOR} \"$@\"\n"
    );
    fs::write(&wrong, spoilt).unwrap();
    fs::set_permissions(&wrong, Permissions::from_mode(0o755)).unwrap();
    let output = walk(&wrong, "5", &["3", "8"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(summary(&output), [(3, false), (8, false)]);
}
