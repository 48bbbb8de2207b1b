//! Ctrl-C in the middle, and the same command again.

use std::io::Read;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Person;
use crate::support::{Lines, Server, content};

/// A command that runs, and what it says on standard error.
struct Running {
    child: Child,
    lines: Lines,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let error: Box<dyn Read + Send> = Box::new(child.stderr.take().unwrap());
        Self { child, lines: Lines::read("the command", vec![error]) }
    }

    /// Interrupts it while its file is on its way: the server holds still meanwhile, so that the
    /// file cannot be over.
    fn interrupt(&mut self, server: &Server, at: &str, begun: impl Fn() -> bool) {
        self.lines.expect(at);
        let until = Instant::now() + Duration::from_secs(10);
        while !begun() {
            assert!(Instant::now() < until, "nothing moves");
        }
        server.signal(Signal::STOP);
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.lines.expect("run the same command again to resume");
        server.signal(Signal::CONT);
        self.lines.expect_end();
        assert_eq!(self.child.wait().unwrap().code(), Some(3));
    }
}

#[test]
fn a_file_that_was_interrupted_goes_on_when_it_is_sent_again() {
    let server = Server::start(&["--file-max", "200MiB"]);
    let alice = Person::member(&server, "alice");
    let text = content(8, 150_000_000);
    alice.write("f.bin", &text);
    let mut send = Running::start(alice.command("send", &["--shelf", "f.bin"]));
    send.interrupt(&server, "f.bin: upload begins", || true);
    assert_eq!(alice.done("files", &["--json"]), "[]\n");
    let ran = alice.run("send", &["--shelf", "f.bin"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.error.contains("f.bin resumes at "), "{ran:?}");

    let bob = Person::guest(&server, "bob");
    let mut get = Running::start(bob.command("get", &["f.bin"]));
    let halves = || std::fs::read_dir(bob.dir.path()).unwrap().flatten();
    let begun = || halves().any(|half| half.metadata().is_ok_and(|half| half.len() > 0));
    get.interrupt(&server, "f.bin: download begins", begun);
    let names: Vec<_> = halves().map(|half| half.file_name().into_string().unwrap()).collect();
    let [name] = &names[..] else { panic!("{names:?}") };
    assert!(name.ends_with(".part"), "{name}");
    let ran = bob.run("get", &["f.bin"]);
    assert_eq!((ran.code, &ran.out[..]), (0, &b"f.bin\n"[..]), "{ran:?}");
    assert!(ran.error.contains("f.bin resumes at "), "{ran:?}");
    assert!(!bob.path(name).exists(), "it has become the whole");
    assert_eq!(blake3::hash(&bob.read("f.bin")), blake3::hash(&text));
}
