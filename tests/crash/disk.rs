//! Row 57: the disk is full. What cannot be kept is refused in words, what needs no disk continues,
//! what was kept before stays kept, and when there is space again all is as before; without a
//! restart, and after a crash too.
//!
//! A disk is filled in two ways, neither of which needs a privilege: by a limit on the size of the
//! server's files, whose writes then fail with EFBIG, everywhere on Linux; and as a file system of
//! one mebibyte, whose writes fail with ENOSPC, where people may have namespaces of their own.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command as Process, Stdio};

use parlor::message::{Command, Event, Proof, Reply, Secret};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::mail::PASSWORD;
use crate::server::{PARLOR, Server};
use crate::swarm::{Line, Swarm};

/// A server's disk.
pub(crate) trait Disk {
    /// Starts a server on it.
    fn start(&self) -> Server {
        self.start_with(&[])
    }
    /// The same with options.
    fn start_with(&self, options: &[&str]) -> Server;
    /// From now on it takes nothing more.
    fn fill(&self, server: &Server);
    /// There is space again.
    fn free(&self, server: &Server);
}

/// No file may be longer than the log of the store is.
pub(crate) struct Limited(pub(crate) tempfile::TempDir);

impl Disk for Limited {
    fn start_with(&self, options: &[&str]) -> Server {
        // As it comes, the signal ends a process; ignored, the write fails. Who ignores a signal
        // hands that on.
        let mut shell = Process::new("/bin/sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", PARLOR]).env_clear();
        Server::start_by(shell, self.0.path(), options)
    }

    fn fill(&self, server: &Server) {
        let log = self.0.path().join("data/parlor.db-wal").metadata().unwrap().len();
        // Some bytes of the next write still fit: what is written is torn.
        limit_files(server, Some(log + 1000));
    }

    fn free(&self, server: &Server) {
        limit_files(server, None);
    }
}

pub(crate) fn limit_files(server: &Server, bytes: Option<u64>) {
    let pid = Pid::from_raw(server.pid().cast_signed());
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

/// A small file system in namespaces that a process of ours holds open.
pub(crate) struct Small {
    folder: tempfile::TempDir,
    holder: Child,
}

impl Small {
    /// `None` where that is not allowed.
    pub(crate) fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let script = "mount -t tmpfs -o size=1m tmpfs \"$0\" && echo mounted && exec cat";
        let mut holder = Process::new("unshare")
            .args(["--user", "--mount", "--map-root-user", "/bin/sh", "-c", script])
            .arg(&data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = String::new();
        // Nothing but the end of the output comes from one that failed.
        let _ = BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line);
        let small = Self { folder, holder };
        (line == "mounted\n").then_some(small)
    }

    /// A file that takes up space, by its name on our side.
    fn ballast(&self) -> PathBuf {
        let inside = self.folder.path().join("data/ballast");
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(inside.strip_prefix("/").unwrap())
    }
}

impl Disk for Small {
    fn start_with(&self, options: &[&str]) -> Server {
        let mut enter = Process::new("nsenter");
        let target = self.holder.id().to_string();
        enter.args(["--user", "--mount", "--preserve-credentials", "--target", &target, PARLOR]);
        Server::start_by(enter, self.folder.path(), options)
    }

    fn fill(&self, _: &Server) {
        let mut ballast = File::create(self.ballast()).unwrap();
        while ballast.write(&[0; 4096]).is_ok() {}
    }

    fn free(&self, _: &Server) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn row_57_a_server_that_may_not_write_refuses_what_it_cannot_keep_and_recovers() {
    meet_a_full_disk(&Limited(tempfile::tempdir().unwrap()));
}

#[test]
fn row_57_a_server_on_a_full_disk_refuses_what_it_cannot_keep_and_recovers() {
    match Small::new() {
        Some(small) => meet_a_full_disk(&small),
        // Written past the harness, which hides what a test that passes prints.
        None => writeln!(
            std::io::stderr(),
            "row 57: no namespaces for people here, so no small file system; a limit on the size \
             of files, in the test beside this one, had to do"
        )
        .unwrap(),
    }
}

/// Somebody who has just made an account.
fn register(swarm: &mut Swarm, name: &str) -> (Line, Result<Reply, String>) {
    let line = swarm.open();
    let password = Secret(PASSWORD.into());
    let answer = swarm.ask(line, Command::Register { user: name.into(), password });
    (line, answer.map_err(|problem| problem.code))
}

fn log_in(swarm: &mut Swarm, name: &str, proof: Proof<'_>) -> Line {
    let line = swarm.open();
    let answer = swarm.ask(line, Command::Login { user: name.into(), proof });
    assert!(matches!(answer, Ok(Reply::Welcome { .. })), "{name}: {answer:?}");
    line
}

fn whisper(swarm: &mut Swarm, line: Line, to: &str, text: &str) -> Result<Reply, String> {
    let command = Command::Whisper { user: to.into(), text: text.into() };
    swarm.ask(line, command).map_err(|problem| problem.code)
}

/// The guests carl and dora, and anna with an account, who are here; ben has one and is away.
struct People {
    swarm: Swarm,
    anna: Line,
    carl: Line,
    /// What ben was promised.
    kept: Vec<String>,
}

impl People {
    fn new(server: &Server) -> Self {
        let mut swarm = Swarm::new(server.addr);
        let (ben, _) = register(&mut swarm, "ben");
        swarm.close(ben);
        let (anna, welcome) = register(&mut swarm, "anna");
        assert!(welcome.is_ok(), "{welcome:?}");
        let carl = log_in(&mut swarm, "carl", Proof::None);
        log_in(&mut swarm, "dora", Proof::None);
        for line in [carl, anna] {
            swarm.ask(line, Command::Join { room: "lobby".into(), open: false }).unwrap();
        }
        Self { swarm, anna, carl, kept: Vec::new() }
    }

    /// Carl writes to ben; says whether that was kept.
    fn write_to_ben(&mut self, text: &str) -> bool {
        match whisper(&mut self.swarm, self.carl, "ben", text) {
            Ok(Reply::Kept { online: false, .. }) => {
                self.kept.push(text.to_owned());
                true
            }
            Err(code) if code == "store_failed" => false,
            other => panic!("{other:?}"),
        }
    }

    /// What must not be promised, and what continues without a disk.
    fn carry_on(&mut self, round: usize) {
        assert!(!self.write_to_ben(&format!("refused {round}")));
        let block = Command::Block { user: "dora".into() };
        let refused = self.swarm.ask(self.anna, block).unwrap_err();
        assert_eq!(refused.code, "store_failed");

        let text = format!("said {round}");
        let say = Command::Say { text: text.as_str().into(), me: false, room: None };
        assert_eq!(self.swarm.ask(self.carl, say), Ok(Reply::heard(1)));
        let heard = self.swarm.event(self.anna);
        assert!(matches!(&heard, Event::Said { text: said, .. } if said.as_str() == text));
        // She is here, so it needs no disk; and it has no number, for nobody keeps it.
        let answer = whisper(&mut self.swarm, self.carl, "anna", &text);
        assert_eq!(answer, Ok(Reply::heard(1)));
        let heard = self.swarm.event(self.anna);
        let is_it = |heard: &Event| {
            matches!(heard, Event::Whispered { text: said, letter: None, .. }
                if said.as_str() == text)
        };
        assert!(is_it(&heard), "{heard:?}");
        let visitor = log_in(&mut self.swarm, &format!("visitor{round}"), Proof::None);
        self.swarm.close(visitor);
    }
}

fn meet_a_full_disk(disk: &dyn Disk) {
    let server = disk.start();
    let mut people = People::new(&server);
    let all_kept = (0..10).all(|number| people.write_to_ben(&format!("early {number}")));
    assert!(all_kept);

    disk.fill(&server);
    // What is there of the disk may still take some.
    let refused = (0..100).any(|number| !people.write_to_ben(&format!("late {number}")));
    assert!(refused, "the disk was never full");
    for round in 0..10 {
        people.carry_on(round);
    }
    let (line, refused) = register(&mut people.swarm, "newcomer");
    assert_eq!(refused, Err("store_failed".to_owned()));
    people.swarm.close(line);

    disk.free(&server);
    assert!(people.write_to_ben("after"), "there is space, and nobody had to start it again");
    let block = Command::Block { user: "dora".into() };
    assert_eq!(people.swarm.ask(people.anna, block), Ok(Reply::Done));
    let (_, welcome) = register(&mut people.swarm, "newcomer");
    assert!(welcome.is_ok(), "{welcome:?}");
    server.kill();
    hold_to_it(&disk.start(), &people.kept);
}

/// After a crash: all that was promised, and nothing of what was refused.
fn hold_to_it(server: &Server, kept: &[String]) {
    let mut swarm = Swarm::new(server.addr);
    let by_password = || Proof::Password(Secret(PASSWORD.into()));
    log_in(&mut swarm, "newcomer", by_password());
    let anna = log_in(&mut swarm, "anna", by_password());
    match swarm.ask(anna, Command::Blocked) {
        Ok(Reply::Blocked { members }) => assert_eq!(members.total, 1),
        other => panic!("{other:?}"),
    }
    let ben = log_in(&mut swarm, "ben", by_password());
    let carl = log_in(&mut swarm, "carl", Proof::None);
    let last = whisper(&mut swarm, carl, "ben", "last");
    assert!(matches!(last, Ok(Reply::Kept { online: true, .. })), "{last:?}");
    let mut heard = Vec::new();
    while heard.last().is_none_or(|text| text != "last") {
        match swarm.event(ben) {
            Event::Whispered { text, letter: Some(_), .. } => heard.push(text.as_str().to_owned()),
            Event::Online { .. } | Event::Offline { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(heard.split_last().unwrap().1, kept);
}
