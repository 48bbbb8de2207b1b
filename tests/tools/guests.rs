//! Commands of guests, who have no password to show: their chat leaves them what gets them in.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{Lines, Server, Way};
use crate::{PASSWORD, Person, Ran};

/// Exactly what a command says that is not let in beside a chat.
const IN_USE: &str = "! bob is in use by a chat elsewhere; use an account\n";

/// `$XDG_RUNTIME_DIR` of one user of a machine.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn command(&self, person: &Person<'_>, command: &str, args: &[&str]) -> Command {
        let mut command = person.command(command, args);
        command.env("XDG_RUNTIME_DIR", self.0.path());
        command
    }

    #[track_caller]
    fn done(&self, person: &Person<'_>, command: &str, args: &[&str]) -> String {
        let ran = Ran::new(&self.command(person, command, args).output().unwrap());
        assert_eq!(ran.code, 0, "{command} {args:?}: {ran:?}");
        String::from_utf8(ran.out).unwrap()
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("parlor")
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder()).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The only file that there is.
    #[track_caller]
    fn file(&self) -> PathBuf {
        let files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files.into_iter().next().unwrap()
    }
}

/// A chat that is in.
struct Chat {
    child: Child,
    lines: Lines,
}

impl Chat {
    fn start(home: &Home, person: &Person<'_>) -> Self {
        let mut child = home.command(person, "chat", &[]).stdin(Stdio::piped()).spawn().unwrap();
        let out = Box::new(child.stdout.take().unwrap());
        let mut lines = Lines::read(person.name, vec![out]);
        lines.expect("* welcome, ");
        Self { child, lines }
    }

    fn ask(&mut self, line: &str, what: &str) {
        use std::io::Write as _;
        writeln!(self.child.stdin.as_ref().unwrap(), "{line}").unwrap();
        self.lines.expect(what);
    }

    fn exit(mut self) {
        self.ask("/exit", "* bye: goodbye");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn the_commands_of_a_guest_are_done_beside_their_chat() {
    let (server, home) = (Server::start(&[]), Home::new());
    let bob = Person::guest(&server, "bob");
    let mut eve = server.person(Way::Lines, "eve");
    eve.join("lobby");
    let mut chat = Chat::start(&home, &bob);
    assert_eq!((mode(&home.folder()), mode(&home.file())), (0o700, 0o600));

    home.done(&bob, "say", &["--room", "lobby", "from a script"]);
    eve.expect("[lobby] bob: from a script");
    bob.write("plan", b"the plan");
    home.done(&bob, "send", &["--to", "eve", "plan"]);
    eve.expect("bob sends you plan");
    home.done(&bob, "send", &["--shelf", "plan"]);
    assert!(home.done(&bob, "files", &[]).contains(" plan "));
    std::fs::remove_file(bob.path("plan")).unwrap();
    home.done(&bob, "get", &["plan"]);
    assert_eq!(bob.read("plan"), b"the plan");

    chat.ask("/join lobby", "* you are in lobby");
    eve.expect("[lobby] bob joined");
    assert_eq!(eve.count("bob is offline"), 0);
    chat.ask("/logout", "* you are logged out");
    chat.ask("/ping", "* pong");
    assert!(home.files().is_empty(), "nobody is in");
    chat.ask("/login bob", "* welcome, bob");
    home.file();
    chat.exit();
    assert!(home.files().is_empty());
}

#[test]
fn a_command_without_what_the_chat_has_left_or_with_a_void_one_is_not_let_in() {
    let (server, home, elsewhere) = (Server::start(&[]), Home::new(), Home::new());
    let bob = Person::guest(&server, "bob");
    let _chat = Chat::start(&home, &bob);
    let name = home.file();
    std::fs::write(&name, "void\n").unwrap();
    let say = |home: &Home| home.command(&bob, "say", &["--room", "lobby", "hi"]).spawn().unwrap();
    for child in [say(&home), say(&elsewhere)] {
        let ran = Ran::new(&child.wait_with_output().unwrap());
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.error.contains(IN_USE), "{ran:?}");
    }
}

#[test]
fn a_chat_that_was_killed_leaves_a_file_that_the_next_one_replaces() {
    let (server, home) = (Server::start(&[]), Home::new());
    let bob = Person::guest(&server, "bob");
    let mut chat = Chat::start(&home, &bob);
    let before = std::fs::read(home.file()).unwrap();
    chat.child.kill().unwrap();
    chat.child.wait().unwrap();
    assert_eq!(std::fs::read(home.file()).unwrap(), before);
    home.done(&bob, "files", &[]);

    let chat = Chat::start(&home, &bob);
    let after = std::fs::read(home.file()).unwrap();
    assert_ne!(after, before);
    home.done(&bob, "files", &[]);
    chat.exit();
    assert!(home.files().is_empty());
}

#[test]
fn chats_on_two_servers_have_two_files_and_an_account_has_none() {
    let (one, two, home) = (Server::start(&[]), Server::start(&[]), Home::new());
    let (here, there) = (Person::guest(&one, "bob"), Person::guest(&two, "bob"));
    let first = Chat::start(&home, &here);
    let second = Chat::start(&home, &there);
    assert_eq!(home.files().len(), 2);
    home.done(&here, "files", &[]);
    home.done(&there, "files", &[]);
    first.exit();
    home.file();
    home.done(&there, "files", &[]);
    second.exit();

    let alice = Person::member(&one, "alice");
    let chat = Chat::start(&home, &alice);
    home.done(&alice, "files", &[]);
    assert!(home.files().is_empty());
    chat.exit();
    assert_eq!(alice.password, Some(PASSWORD));
}

/// Anybody could have put a file there.
#[test]
fn a_folder_that_others_may_enter_is_not_used_and_the_chat_says_so() {
    let (server, home) = (Server::start(&[]), Home::new());
    std::fs::create_dir(home.folder()).unwrap();
    std::fs::set_permissions(home.folder(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let bob = Person::guest(&server, "bob");
    let ran = Ran::new(&home.command(&bob, "chat", &[]).output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.error.contains("others may look into this folder; chmod 700 it"), "{ran:?}");
    assert!(ran.error.contains("cannot log in beside this chat"), "{ran:?}");
    assert!(home.files().is_empty());
}
