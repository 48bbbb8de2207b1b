//! Files and `kill -9`: the client or the server is killed at random points of an upload or a
//! download, again and again, until the file is through.
//!
//! Held to at each kill: nobody sees a file that is not whole, under its name or in a list. At the
//! end: what arrived is what was sent, and no half is left anywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::number;
use crate::rng::Rng;
use crate::server::{Server, parlor};

/// More than passes between two looks at a folder.
const SIZE: usize = 24 * 1024 * 1024;
/// Points of one file at which it is interrupted.
const KILLS_A_FILE: u64 = 10;
const OPTIONS: [&str; 2] = ["--file-max=2GiB", "--before-login-source=0"];
const WAIT: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Killed {
    Client,
    Server,
}

#[test]
fn row_58_uploads_go_on_after_any_number_of_killed_clients() {
    Play::new("upload", 1).run(Killed::Client, Play::upload);
}

#[test]
fn row_58_uploads_go_on_after_any_number_of_killed_servers() {
    Play::new("upload", 2).run(Killed::Server, Play::upload);
}

#[test]
fn row_58_downloads_go_on_after_any_number_of_killed_clients() {
    Play::new("download", 3).run(Killed::Client, Play::download);
}

#[test]
fn row_58_downloads_go_on_after_any_number_of_killed_servers() {
    Play::new("download", 4).run(Killed::Server, Play::download);
}

/// 2 GiB with `PARLOR_LONG`: a server that kept a part of the file that grows with it would show
/// with less, too.
#[cfg(target_os = "linux")]
#[test]
fn a_large_file_passes_through_little_memory() {
    let mut play = Play::new("memory", 5);
    let size: u64 = if std::env::var_os("PARLOR_LONG").is_some() { 2 << 30 } else { 96 << 20 };
    // Mostly a hole, so that only one disk is needed for what it becomes; its end is not.
    let source = fs::File::create(play.source(0)).unwrap();
    source.set_len(size - 8).unwrap();
    let end = play.rng.below(u64::MAX).to_le_bytes();
    std::os::unix::fs::FileExt::write_all_at(&source, &end, size - 8).unwrap();
    let before = play.memory("VmRSS:");
    let client = play.send(0);
    play.finish(client);
    let client = play.get(0);
    play.finish(client);
    let grown = play.memory("VmHWM:") - before;
    println!("{size} bytes in and out: {grown} bytes of memory more");
    assert!(grown < 8 << 20, "{grown} bytes");
    let hash = |path: &Path| {
        let (mut file, mut hasher) = (fs::File::open(path).unwrap(), blake3::Hasher::new());
        let mut part = vec![0; 1 << 20];
        loop {
            match std::io::Read::read(&mut file, &mut part).unwrap() {
                0 => return hasher.finalize(),
                count => _ = hasher.update(&part[..count]),
            }
        }
    };
    assert_eq!(hash(&play.saved(0)), hash(&play.source(0)));
}

struct Play {
    what: &'static str,
    folder: tempfile::TempDir,
    rng: Rng,
    server: Option<Server>,
    listen: String,
    kills: u64,
    resumed: u64,
}

impl Play {
    fn new(what: &'static str, seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("saved")).unwrap();
        let seed = number("CRASH_SEED").unwrap_or(58) + seed;
        let mut play = Self {
            what,
            folder,
            rng: Rng::new(seed),
            server: None,
            listen: "127.0.0.1:0".to_owned(),
            kills: 0,
            resumed: 0,
        };
        play.start_server();
        play
    }

    fn run(mut self, killed: Killed, one: fn(&mut Self, Killed, u64)) {
        let long = std::env::var_os("PARLOR_LONG").is_some();
        let kills = number("CRASH_CYCLES").unwrap_or(if long { 200 } else { 10 });
        let mut file = 0;
        while self.kills < kills {
            one(&mut self, killed, file);
            file += 1;
        }
        println!(
            "{}: {} kills of the {killed:?}, {file} files, {} resumed",
            self.what, self.kills, self.resumed
        );
        assert!(self.resumed > 0, "nothing resumed");
        assert_eq!(self.names("data/temp"), [""; 0], "halves are left");
    }

    /// A line of the server's status, in bytes.
    #[cfg(target_os = "linux")]
    fn memory(&self, line: &str) -> u64 {
        let pid = self.server.as_ref().unwrap().pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|status| status.strip_prefix(line)).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// On the port that it had before.
    fn start_server(&mut self) {
        let server = Server::start_at(&self.listen, self.folder.path(), &OPTIONS);
        self.listen = server.addr.to_string();
        self.server = Some(server);
    }

    fn source(&self, file: u64) -> PathBuf {
        self.folder.path().join(format!("f{file}.bin"))
    }

    fn make(&mut self, file: u64) {
        let mut content = Vec::with_capacity(SIZE);
        while content.len() < SIZE {
            content.extend(self.rng.below(u64::MAX).to_le_bytes());
        }
        fs::write(self.source(file), content).unwrap();
    }

    fn upload(&mut self, killed: Killed, file: u64) {
        self.make(file);
        let points = self.points();
        let mut client = self.send(file);
        for point in points {
            if !self.wait_for("data/temp", point, &mut client) {
                break;
            }
            if !self.shown().is_empty() {
                // It has come to its end meanwhile; what is listed is looked at below.
                assert_eq!(self.names("data/temp"), [""; 0], "what is not whole is listed");
                break;
            }
            self.kill(killed, &mut client, |play| play.send(file));
            assert!(self.names("data/temp").len() <= 1, "{:?}", self.names("data/temp"));
        }
        self.finish(client);
        let sent = fs::read(self.source(file)).unwrap();
        let hash = blake3::hash(&sent).to_string();
        assert_eq!(self.names("data/files"), [hash.as_str()], "what is there is what was sent");
        assert!(fs::read(self.folder.path().join("data/files").join(hash)).unwrap() == sent);
        let shown = self.shown();
        let names: Vec<_> = shown.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [format!("f{file}.bin")], "it is there once");
        self.remove(file);
    }

    fn download(&mut self, killed: Killed, file: u64) {
        self.make(file);
        let client = self.send(file);
        self.finish(client);
        let points = self.points();
        let mut client = self.get(file);
        for point in points {
            if !self.wait_for("saved", point, &mut client) {
                break;
            }
            if let Ok(saved) = fs::read(self.saved(file)) {
                // It has come to its end meanwhile.
                assert_eq!(saved.len(), SIZE, "what is not whole has its name");
                break;
            }
            self.kill(killed, &mut client, |play| play.get(file));
        }
        self.finish(client);
        let sent = fs::read(self.source(file)).unwrap();
        assert!(fs::read(self.saved(file)).unwrap() == sent, "what is saved is what was sent");
        assert_eq!(self.names("saved"), [format!("f{file}.bin")]);
        fs::remove_file(self.saved(file)).unwrap();
        self.remove(file);
    }

    /// Random points of a file, in their order.
    fn points(&mut self) -> Vec<u64> {
        let most = SIZE as u64 * 9 / 10;
        let mut points: Vec<_> = (0..KILLS_A_FILE).map(|_| self.rng.below(most)).collect();
        points.sort_unstable();
        points
    }

    fn kill(&mut self, killed: Killed, client: &mut Child, again: impl Fn(&Self) -> Child) {
        self.kills += 1;
        match killed {
            Killed::Client => {
                client.kill().unwrap();
                client.wait().unwrap();
                *client = again(self);
            }
            Killed::Server => {
                self.server.take().unwrap().kill();
                self.start_server();
            }
        }
    }

    /// Waits until what lies in a folder is so long; false if the client has ended by then.
    fn wait_for(&mut self, folder: &str, bytes: u64, client: &mut Child) -> bool {
        let folder = self.folder.path().join(folder);
        let until = Instant::now() + WAIT;
        let first = longest(&folder);
        loop {
            if longest(&folder) >= bytes.max(1) {
                self.resumed += u64::from(first > 0);
                return true;
            }
            if client.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < until, "{bytes} bytes have not come: {}", self.said());
        }
    }

    fn finish(&self, mut client: Child) {
        let until = Instant::now() + WAIT;
        loop {
            if let Some(status) = client.try_wait().unwrap() {
                assert!(status.success(), "{status}: {}", self.said());
                return;
            }
            assert!(Instant::now() < until, "the client does not end: {}", self.said());
            std::thread::yield_now();
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("client.log")).unwrap_or_default()
    }

    fn saved(&self, file: u64) -> PathBuf {
        self.folder.path().join("saved").join(format!("f{file}.bin"))
    }

    fn send(&self, file: u64) -> Child {
        let source = self.source(file);
        self.client(&["send", &self.listen, "--user=alice", "--shelf", source.to_str().unwrap()])
    }

    fn get(&self, file: u64) -> Child {
        let (name, to) = (format!("f{file}.bin"), self.folder.path().join("saved"));
        let output = format!("--output={}", to.display());
        self.client(&["get", &self.listen, "--user=bob", &name, &output])
    }

    fn client(&self, arguments: &[&str]) -> Child {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("client.log"))
            .unwrap();
        parlor().args(arguments).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    /// The names and numbers of the files that somebody else is shown.
    fn shown(&self) -> Vec<(String, u64)> {
        let arguments = ["files", &self.listen, "--user=carol", "--json"];
        let output = parlor().args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let files: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
        let name = |file: &serde_json::Value| file["name"].as_str().unwrap().to_owned();
        files.iter().map(|file| (name(file), file["id"].as_u64().unwrap())).collect()
    }

    fn remove(&self, file: u64) {
        let input = self.folder.path().join("input");
        let (_, number) = self.shown().pop().unwrap();
        fs::write(&input, format!("/remove {number}\n")).unwrap();
        let status = parlor()
            .args(["chat", &self.listen, "--user=alice"])
            .stdin(fs::File::open(&input).unwrap())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        fs::remove_file(self.source(file)).unwrap();
        let until = Instant::now() + WAIT;
        while !self.names("data/files").is_empty() {
            assert!(Instant::now() < until, "its content stays");
        }
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != ".store").collect()
    }
}

/// The length of the longest file in a folder that may not be there.
fn longest(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.metadata().ok()?.len())).max().unwrap_or(0)
}
