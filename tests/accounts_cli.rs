//! `parlor user` and `parlor store backup`, the real binary: what they do, say and refuse.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

#[path = "support/server.rs"]
mod server;

/// A data folder and the binary.
struct Owner {
    dir: TempDir,
}

impl Owner {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    fn command(&self, args: &[&str], password: Option<&str>) -> Command {
        let mut command = server::parlor();
        command.args(args).current_dir(self.dir.path());
        command.env("PARLOR_DATA", self.data());
        if let Some(password) = password {
            command.env("PARLOR_PASSWORD", password);
        }
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args, Some("open sesame")).output().unwrap()
    }

    /// What it says on success.
    #[track_caller]
    fn done(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && text.is_empty(), "{args:?}: {text}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The one line of a failure with that exit code, without its beginning.
    #[track_caller]
    fn refused(&self, code: i32, args: &[&str]) -> String {
        refusal(code, &self.run(args))
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.dir.path().join(name), text).unwrap();
    }
}

#[track_caller]
fn refusal(code: i32, output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert_eq!(output.stdout, b"", "{text}");
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    text.trim_end().strip_prefix("parlor: ").unwrap().to_owned()
}

/// The hashes as they stand in a store, by name.
fn hashes(data: &Path) -> Vec<(String, String)> {
    use parlor::store::Store as _;
    let mut store = parlor::store::Sqlite::open_existing(data).unwrap();
    let accounts = store.directory().unwrap().accounts;
    accounts.into_iter().map(|account| (account.name.to_string(), account.hash)).collect()
}

fn is_password(password: &str, hash: &str) -> bool {
    use parlor::job::{PasswordJob, PasswordOutcome};
    let job = PasswordJob::Verify { password: password.into(), hash: Some(hash.into()) };
    parlor::passwords::Hasher::new().run(&job) == PasswordOutcome::Right
}

#[test]
fn an_account_is_made_listed_changed_and_removed() {
    let owner = Owner::new();
    assert_eq!(owner.done(&["user", "add", "bob"]), "added bob\n");
    assert_eq!(owner.done(&["user", "add", "Alice"]), "added Alice\n");
    assert_eq!(owner.done(&["user", "list"]), "Alice\nbob\n");
    let before = hashes(&owner.data());
    assert!(before.iter().all(|(_, hash)| is_password("open sesame", hash)));

    let passwd = owner.command(&["user", "passwd", "ALICE"], Some("another")).output().unwrap();
    assert!(passwd.status.success(), "{passwd:?}");
    let after = hashes(&owner.data());
    assert_eq!(after[0], before[0]);
    assert!(is_password("another", &after[1].1));

    assert_eq!(owner.done(&["user", "remove", "alice"]), "removed alice\n");
    assert_eq!(owner.done(&["user", "list"]), "bob\n");
}

#[test]
fn a_name_that_is_taken_or_unknown_is_refused_with_3() {
    let owner = Owner::new();
    owner.done(&["user", "add", "bob"]);
    let taken = "the name BOB is taken; parlor user passwd changes its password";
    assert_eq!(owner.refused(3, &["user", "add", "BOB"]), taken);
    assert_eq!(owner.refused(3, &["user", "passwd", "eve"]), "there is no user eve");
    assert_eq!(owner.refused(3, &["user", "remove", "eve"]), "there is no user eve");
    assert_eq!(owner.done(&["user", "list"]), "bob\n");
}

#[test]
fn a_password_is_never_an_argument_and_never_repeated() {
    let owner = Owner::new();
    for args in [
        &["user", "add", "bob", "hunter22"][..],
        &["user", "add", "bob", "hunter22", "hunter22"],
        &["user", "add", "bob", "--password", "hunter22"],
        &["user", "add", "bob", "--password=hunter22"],
        &["user", "passwd", "bob", "hunter22"],
    ] {
        let said = owner.refused(2, args);
        assert!(said.contains("can be read by everybody"), "{said}");
        assert!(!said.contains("hunter22"), "{said}");
    }
    assert!(!owner.data().exists());
}

#[test]
fn a_password_comes_from_a_file_or_a_variable_and_is_checked() {
    let owner = Owner::new();
    owner.write("secret", "from the file\nmore\n");
    owner.done(&["user", "add", "bob", "--password-file", "secret"]);
    assert!(is_password("from the file", &hashes(&owner.data())[0].1));

    let bad = "a password needs 6 to 256 bytes, without control characters";
    for password in ["short", "", "with\ttab", &"x".repeat(257)] {
        let output = owner.command(&["user", "add", "eve"], Some(password)).output().unwrap();
        assert_eq!(refusal(2, &output), bad);
    }
    let none = owner.command(&["user", "add", "eve"], None).output().unwrap();
    assert!(refusal(2, &none).contains("set PARLOR_PASSWORD, or use --password-file"));
    let missing = owner.refused(2, &["user", "add", "eve", "--password-file", "nowhere"]);
    assert!(missing.starts_with("cannot read nowhere: "), "{missing}");
    assert_eq!(owner.done(&["user", "list"]), "bob\n");
}

#[test]
fn a_mistake_on_the_command_line_is_2_and_makes_nothing() {
    let owner = Owner::new();
    assert!(owner.done(&["user"]).contains("parlor user add alice"), "that is a question for help");
    assert!(owner.refused(2, &["user", "add"]).contains("<NAME>"));
    assert!(owner.refused(2, &["user", "add", "no.dot"]).starts_with("invalid user name"));
    assert!(owner.refused(2, &["user", "list", "--room"]).contains("--room: not known here"));
    assert!(owner.refused(2, &["backup"]).contains("<FILE>"));
    assert!(!owner.data().exists());
}

#[test]
fn the_folder_comes_from_option_variable_or_file() {
    let owner = Owner::new();
    owner.write("parlor.toml", "data = \"by-file\"\n");
    let mut by_file = owner.command(&["user", "add", "a", "--config", "parlor.toml"], None);
    by_file.env_remove("PARLOR_DATA").env("PARLOR_PASSWORD", "open sesame");
    assert!(by_file.output().unwrap().status.success());
    owner.done(&["user", "add", "b", "--data", "by-option"]);
    owner.done(&["user", "add", "c"]);
    for (folder, name) in [("by-file", "a"), ("by-option", "b"), ("data", "c")] {
        assert_eq!(hashes(&owner.dir.path().join(folder))[0].0, name);
    }
    owner.write("parlor.toml", "date = \"x\"\n");
    let mistake = owner.refused(2, &["user", "list", "--config", "parlor.toml"]);
    assert!(mistake.contains("parlor.toml line 1"), "{mistake}");
}

#[test]
fn a_store_that_is_missing_or_damaged_is_1_and_named() {
    let owner = Owner::new();
    for args in [&["user", "list"][..], &["user", "remove", "a"], &["backup", "b"]] {
        let said = owner.refused(1, args);
        assert!(said.contains("data/parlor.db: it does not exist"), "{said}");
    }
    assert!(!owner.data().exists());
    std::fs::create_dir(owner.data()).unwrap();
    owner.write("data/parlor.db", "something else entirely, and long enough to look".repeat(50));
    assert!(owner.refused(1, &["user", "list"]).contains("parlor.db: it is damaged"));
    assert!(owner.refused(1, &["user", "add", "a"]).contains("parlor.db: it is damaged"));
}

#[test]
fn an_import_makes_all_accounts_or_none() {
    let owner = Owner::new();
    owner.write("credentials.txt", "hans falcon*solo\nyoda wise@!man\n\nvader x\n");
    assert_eq!(owner.done(&["user", "import", "credentials.txt"]), "imported 3 users\n");
    let accounts = hashes(&owner.data());
    assert_eq!(accounts[1].0, "yoda");
    assert!(is_password("wise@!man", &accounts[1].1) && is_password("x", &accounts[2].1));

    owner.write("more.txt", "leia organa\nHans another\n");
    let taken = "the name Hans is taken; nothing was imported; --replace gives such names the new \
                 password";
    assert_eq!(owner.refused(3, &["user", "import", "more.txt"]), taken);
    assert_eq!(hashes(&owner.data()), accounts);

    owner.write("wrong.txt", "leia organa\nchewie\n");
    let line =
        "wrong.txt line 2: it should be a name, a blank and a password; nothing was imported";
    assert_eq!(owner.refused(2, &["user", "import", "wrong.txt"]), line);
    assert!(owner.refused(2, &["user", "import", "/dev/zero"]).contains("longer than 16MiB"));
    assert_eq!(hashes(&owner.data()), accounts);

    owner.done(&["user", "import", "more.txt", "--replace"]);
    let after = hashes(&owner.data());
    assert_eq!(after.len(), 4);
    assert!(is_password("another", &after[0].1));
}

#[test]
fn an_import_reads_standard_input() {
    let owner = Owner::new();
    let mut command = owner.command(&["user", "import", "-"], None);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"hans falcon\n").unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"imported 1 user\n");
    assert_eq!(hashes(&owner.data())[0].0, "hans");
}

#[test]
fn many_at_once_make_one_store_and_lose_nothing() {
    let owner = Owner::new();
    let names: Vec<String> = (0..8).map(|n| format!("user{n}")).collect();
    let start = |name: &String| {
        let mut command = owner.command(&["user", "add", name], Some("open sesame"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = names.iter().map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(owner.done(&["user", "list"]).lines().collect::<Vec<_>>(), names);
}

#[test]
fn one_name_wanted_by_many_at_once_is_given_once() {
    let owner = Owner::new();
    let start = |_| {
        let mut command = owner.command(&["user", "add", "bob"], Some("open sesame"));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let children: Vec<_> = (0..6).map(start).collect();
    let code = |mut child: std::process::Child| child.wait().unwrap().code().unwrap();
    let mut codes: Vec<i32> = children.into_iter().map(code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 3, 3, 3, 3, 3]);
}

#[test]
fn a_backup_holds_what_the_store_holds_and_overwrites_nothing() {
    let owner = Owner::new();
    owner.done(&["user", "add", "bob"]);
    // Somebody has the store open, as a server would.
    let held = parlor::store::Sqlite::open(&owner.data()).unwrap();
    std::fs::create_dir(owner.dir.path().join("copy")).unwrap();
    let said = owner.done(&["store", "backup", "copy/parlor.db"]);
    assert_eq!(said, "backed up to copy/parlor.db\n");
    drop(held);
    assert_eq!(hashes(&owner.dir.path().join("copy")), hashes(&owner.data()));

    let before = std::fs::read(owner.dir.path().join("copy/parlor.db")).unwrap();
    let again = owner.refused(1, &["store", "backup", "copy/parlor.db"]);
    assert!(again.starts_with("cannot back up to copy/parlor.db: "), "{again}");
    assert_eq!(std::fs::read(owner.dir.path().join("copy/parlor.db")).unwrap(), before);
    assert!(owner.refused(1, &["backup", "nowhere/b"]).starts_with("cannot back up to nowhere/b"));
}

#[cfg(unix)]
mod unix {
    use super::*;
    use rustix::fs::OFlags;
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::LocalModes;
    use std::ffi::OsStr;
    use std::fs::{File, OpenOptions};
    use std::io::Read as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

    #[test]
    fn all_that_is_made_is_for_its_owner_only() {
        let owner = Owner::new();
        // Whatever the mask says.
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        owner.done(&["user", "add", "bob"]);
        owner.done(&["backup", "copy.db"]);
        let mut held = parlor::store::Sqlite::open(&owner.data()).unwrap();
        assert!(held.remove(parlor::message::UserName::parse("bob").unwrap()).unwrap());
        assert_eq!(mode(&owner.data()), 0o700);
        for file in ["data/parlor.db", "data/parlor.db-wal", "data/parlor.db-shm", "copy.db"] {
            assert_eq!(mode(&owner.dir.path().join(file)), 0o600, "{file}");
        }
    }

    /// Both ends of a pseudo-terminal.
    fn terminal() -> (File, File) {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let path = ptsname(&controller, Vec::new()).unwrap();
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(OFlags::NOCTTY.bits().cast_signed());
        (File::from(controller), options.open(OsStr::from_bytes(path.to_bytes())).unwrap())
    }

    /// Types an answer to each prompt; all that the screen has shown, and the exit code.
    fn converse(owner: &Owner, args: &[&str], answers: &[(&str, &str)]) -> (String, Option<i32>) {
        let (mut keyboard, line) = terminal();
        let open = || line.try_clone().unwrap();
        let mut command = owner.command(args, Some("not of the variable"));
        let mut child = command.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
        let mut screen = Vec::new();
        let mut seen = 0;
        for (prompt, answer) in answers {
            let mut byte = [0];
            while !String::from_utf8_lossy(&screen[seen..]).contains(prompt) {
                assert_eq!(keyboard.read(&mut byte).unwrap(), 1);
                screen.push(byte[0]);
            }
            seen = screen.len();
            keyboard.write_all(answer.as_bytes()).unwrap();
        }
        let code = child.wait().unwrap().code();
        // The terminal is as it was: it shows what is typed.
        let modes = rustix::termios::tcgetattr(&line).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG));
        drop((command, line));
        // The end of a terminal that nobody else has open is an error on Linux.
        let _ = keyboard.read_to_end(&mut screen);
        (String::from_utf8(screen).unwrap(), code)
    }

    #[test]
    fn a_person_is_asked_twice_and_what_is_typed_is_not_shown() {
        let owner = Owner::new();
        let twice = |one, other| [("new password: ", one), ("repeat it: ", other)];
        let (screen, code) =
            converse(&owner, &["user", "add", "bob"], &twice("hunter\x7fr22\r", "huntr22\r"));
        // What was typed was "hunter", a correction, and "r22".
        assert_eq!(code, Some(2), "{screen}");
        assert!(screen.contains("the two passwords differ"), "{screen}");
        assert!(!screen.contains("hunt") && !screen.contains("22"), "{screen}");
        assert!(!owner.data().exists());

        let (screen, code) =
            converse(&owner, &["user", "add", "bob"], &twice("hunter22\r", "hunter22\r"));
        assert_eq!(code, Some(0), "{screen}");
        assert!(screen.ends_with("added bob\r\n") && !screen.contains("hunter22"), "{screen}");
        assert!(is_password("hunter22", &hashes(&owner.data())[0].1));

        let (screen, code) =
            converse(&owner, &["user", "passwd", "bob"], &[("new password: ", "x\x03")]);
        assert_eq!(code, Some(2), "{screen}");
        assert!(screen.contains("cannot read the password: interrupted"), "{screen}");
        assert!(is_password("hunter22", &hashes(&owner.data())[0].1));
    }
}
