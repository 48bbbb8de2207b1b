//! Rows 57 and 58: uploads while the server is killed at random points, and on a disk that is full.
//!
//! Nothing partial is ever listed, all that was told to be stored is there with its content, and
//! what broke continues where it was.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parlor::front::native::{FromServer, Problem, emit_request, parse_server};
use parlor::id::TransferId;
use parlor::limits::FRAME_MAX;
use parlor::message::{Announced, Command, Digest, Ending, Event, FileLine, FileRef, Reply};
use parlor::wire::frame::emit_chunk;

use crate::disk::{Disk, Limited, Small, limit_files};
use crate::rng::Rng;
use crate::server::Server;
use crate::swarm::PATIENCE;

/// The server is gone.
#[derive(Debug)]
struct Gone;

/// What the server says.
#[derive(Debug)]
enum Said {
    Answer(Result<Reply, Problem>),
    Event(Event),
    Chunk(Vec<u8>),
}

/// What has happened in all, for those who watch.
#[derive(Default)]
struct Progress {
    /// Parts that were sent.
    parts: AtomicU64,
    /// Uploads that continued behind their beginning.
    resumed: AtomicU64,
}

/// Somebody who asks one thing at a time and waits for it.
struct Client {
    stream: TcpStream,
    bytes: Vec<u8>,
    /// Heard while an answer was awaited.
    events: Vec<Event>,
}

impl Client {
    fn login(addr: SocketAddr, name: &str) -> Result<Self, Gone> {
        let stream = TcpStream::connect(addr).map_err(|_| Gone)?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self { stream, bytes: Vec::new(), events: Vec::new() };
        let answer = client.ask(&Command::guest(name.to_owned()))?;
        assert!(matches!(answer, Ok(Reply::Welcome { .. })), "{name}: {answer:?}");
        // The greeting.
        client.events.clear();
        Ok(client)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.stream.write_all(bytes).map_err(|_| Gone)
    }

    fn next(&mut self) -> Result<Said, Gone> {
        loop {
            if let Some((said, taken)) = parse_server(&self.bytes, FRAME_MAX).unwrap() {
                let said = match said {
                    FromServer::Answer { answer, .. } => Said::Answer(answer),
                    FromServer::Event(event) => Said::Event(event),
                    FromServer::Chunk { bytes, .. } => Said::Chunk(bytes.to_vec()),
                    FromServer::Unknown => panic!("not a message"),
                };
                self.bytes.drain(..taken);
                return Ok(said);
            }
            let mut buffer = [0; 64 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Gone),
                Ok(n) => self.bytes.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Err(Gone);
                }
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }

    fn ask(&mut self, command: &Command<'_>) -> Result<Result<Reply, Problem>, Gone> {
        self.write(&emit_request(1, command))?;
        loop {
            match self.next()? {
                Said::Answer(answer) => return Ok(answer),
                Said::Event(event) => self.events.push(event),
                Said::Chunk(_) => {}
            }
        }
    }

    fn event(&mut self) -> Result<Event, Gone> {
        if !self.events.is_empty() {
            return Ok(self.events.remove(0));
        }
        loop {
            if let Said::Event(event) = self.next()? {
                return Ok(event);
            }
        }
    }

    /// Announces a file for the public shelf; the code where it is refused.
    fn announce(&mut self, file: &Content, hash: bool) -> Result<Result<TransferId, String>, Gone> {
        let announced = Announced {
            name: file.name.as_str().into(),
            size: file.bytes.len() as u64,
            hash: hash.then_some(file.hash),
            again: hash,
        };
        Ok(match self.ask(&Command::Upload { room: None, file: announced })? {
            Ok(Reply::Announced { transfer, .. }) => Ok(transfer),
            Err(problem) => Err(problem.code),
            Ok(other) => panic!("{other:?}"),
        })
    }

    /// Sends what is granted of a file until it is over.
    fn send(
        &mut self,
        transfer: TransferId,
        file: &Content,
        part: usize,
        progress: &Progress,
    ) -> Result<Ending, Gone> {
        let (mut at, mut until) = (0, 0);
        loop {
            match self.event()? {
                Event::Admitted { transfer: of, credit, offset, .. } if of == transfer => {
                    at = usize::try_from(offset).unwrap();
                    until = at + usize::try_from(credit).unwrap();
                    progress.resumed.fetch_add(u64::from(at > 0), Ordering::Relaxed);
                }
                Event::Credit { transfer: of, bytes } if of == transfer => {
                    until += usize::try_from(bytes).unwrap();
                }
                Event::Ended { transfer: of, how } if of == transfer => return Ok(how),
                _ => {}
            }
            while at < until {
                let end = until.min(at + part);
                self.write(&emit_chunk(transfer, &file.bytes[at..end]))?;
                at = end;
                progress.parts.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// All files that are listed.
    fn files(&mut self) -> Result<Vec<FileLine>, Gone> {
        let mut all: Vec<FileLine> = Vec::new();
        loop {
            let after = all.last().map(|file| file.transfer);
            let answer = self.ask(&Command::Files { pattern: None, after })?;
            let Ok(Reply::Files { files, more }) = answer else { panic!("{answer:?}") };
            all.extend(files);
            if !more {
                return Ok(all);
            }
        }
    }

    /// Takes a file; its bytes.
    fn take(&mut self, file: &FileLine) -> Vec<u8> {
        let get = Command::Get { file: FileRef::Number(file.transfer), offset: 0 };
        let answer = self.ask(&get).unwrap();
        assert!(matches!(answer, Ok(Reply::Getting { .. })), "{answer:?}");
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < file.size {
            match self.next().unwrap() {
                Said::Chunk(chunk) => bytes.extend(chunk),
                Said::Event(Event::Ended { how, .. }) => panic!("it ended: {how}"),
                _ => {}
            }
        }
        bytes
    }
}

/// What somebody sends.
struct Content {
    name: String,
    bytes: Vec<u8>,
    hash: Digest,
}

impl Content {
    fn new(name: String, len: usize, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let bytes: Vec<u8> = (0..len).map(|_| u8::try_from(rng.below(256)).unwrap()).collect();
        let hash = Digest(*blake3::hash(&bytes).as_bytes());
        Self { name, bytes, hash }
    }
}

/// One who sends file after file, life after life of the server.
struct Sender {
    name: String,
    /// Tells the hash, so that what breaks continues.
    hashes: bool,
    rng: Rng,
    count: u64,
    /// What is not stored yet.
    now: Option<Content>,
    /// What was told to be stored, by name.
    stored: BTreeMap<String, Digest>,
}

impl Sender {
    fn new(number: u64, seed: u64) -> Self {
        let (name, rng) = (format!("sender{number}"), Rng::new(seed + number));
        let (now, stored) = (None, BTreeMap::new());
        Self { name, hashes: number < 3, rng, count: 0, now, stored }
    }

    /// Until the server is gone, or until `last` file is stored.
    fn live(&mut self, addr: SocketAddr, progress: &Progress, last: bool) -> Result<(), Gone> {
        let mut client = Client::login(addr, &self.name)?;
        self.make_room(&mut client)?;
        loop {
            let (name, count) = (&self.name, &mut self.count);
            if self.now.is_none() || !self.hashes {
                *count += 1;
                let len = usize::try_from(self.rng.between(1, 200_000)).unwrap();
                let seed = self.rng.below(u64::MAX);
                self.now = Some(Content::new(format!("{name} {count}"), len, seed));
            }
            let Some(file) = &self.now else { continue };
            let transfer = client.announce(file, self.hashes)?.expect("there is room");
            let part = usize::try_from(self.rng.between(500, 20_000)).unwrap();
            let how = client.send(transfer, file, part, progress)?;
            assert_eq!(how, Ending::Stored, "{}", file.name);
            self.stored.insert(file.name.clone(), file.hash);
            self.now = None;
            if last {
                return Ok(());
            }
        }
    }

    /// Removes most of what is stored, now and then.
    fn make_room(&mut self, client: &mut Client) -> Result<(), Gone> {
        if self.stored.len() < 30 {
            return Ok(());
        }
        for file in client.files()? {
            if self.stored.len() > 5 && self.stored.remove(file.name.as_str()).is_some() {
                let answer = client.ask(&Command::Remove { transfer: file.transfer })?;
                assert_eq!(answer, Ok(Reply::Done));
            }
        }
        Ok(())
    }
}

/// What is in `files` is whole: its content has the hash by which it is called.
fn check_disk(data: &Path) {
    for entry in fs::read_dir(data.join("files")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().is_some_and(|name| name.to_str().unwrap().starts_with('.')) {
            // What tells the store, and what a death left without a record.
            continue;
        }
        let found = blake3::hash(&fs::read(&path).unwrap()).to_hex().to_string();
        assert_eq!(path.file_name().unwrap().to_str(), Some(found.as_str()));
    }
}

/// All that was told to be stored is listed, and whatever is listed is whole.
fn check_server(server: &Server, data: &Path, senders: &[Sender], rng: &mut Rng) {
    let mut client = Client::login(server.addr, "checker").unwrap();
    let listed = client.files().unwrap();
    for file in &listed {
        let bytes = fs::metadata(data.join("files").join(file.hash.to_string())).unwrap().len();
        assert_eq!(bytes, file.size, "{file:?}");
    }
    for (name, hash) in senders.iter().flat_map(|sender| &sender.stored) {
        let here: Vec<_> = listed.iter().filter(|file| file.name.as_str() == name).collect();
        assert_eq!(here.len(), 1, "{name} is listed {} times", here.len());
        assert_eq!(here[0].hash, *hash, "{name}");
    }
    if !listed.is_empty() {
        let file = &listed[usize::try_from(rng.below(listed.len() as u64)).unwrap()];
        let taken = client.take(file);
        assert_eq!(Digest(*blake3::hash(&taken).as_bytes()), file.hash, "{file:?}");
    }
    // What cannot be resumed was swept.
    let names = fs::read_dir(data.join("temp")).unwrap().map(|entry| entry.unwrap().file_name());
    let halves: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(halves.iter().all(|name| name.contains('-')), "{halves:?}");
}

#[test]
fn row_58_uploads_outlive_any_number_of_kills_and_nothing_partial_is_listed() {
    let cycles = if std::env::var_os("PARLOR_LONG").is_some() { 1000 } else { 40 };
    let cycles = crate::number("CRASH_CYCLES").unwrap_or(cycles);
    let seed = crate::number("CRASH_SEED").unwrap_or(58);
    println!("seed {seed}, {cycles} cycles");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut rng = Rng::new(seed);
    let mut senders: Vec<Sender> = (0..4).map(|number| Sender::new(number, seed)).collect();
    let progress = Progress::default();
    for _ in 0..cycles {
        let server = Server::start(folder.path(), &[]);
        check_server(&server, &data, &senders, &mut rng);
        let before = progress.parts.load(Ordering::Relaxed);
        let (addr, after) = (server.addr, rng.between(1, 200));
        std::thread::scope(|scope| {
            for sender in &mut senders {
                // It ends when the server does.
                scope.spawn(|| sender.live(addr, &progress, false));
            }
            let sent = || progress.parts.load(Ordering::Relaxed) - before;
            wait_for("parts of files", || (sent() >= after).then_some(()));
            server.kill();
        });
        check_disk(&data);
    }
    let server = Server::start(folder.path(), &[]);
    for sender in &mut senders {
        sender.live(server.addr, &progress, true).unwrap();
    }
    check_server(&server, &data, &senders, &mut rng);
    assert_eq!(fs::read_dir(data.join("temp")).unwrap().count(), 0);
    server.kill();
    check_disk(&data);
    let server = Server::start(folder.path(), &[]);
    check_server(&server, &data, &senders, &mut rng);
    let resumed = progress.resumed.into_inner();
    let files: u64 = senders.iter().map(|sender| sender.count).sum();
    println!("{files} files, {resumed} resumed where they had broken off");
    // A run in which nothing happens proves nothing.
    assert!(resumed >= cycles / 4 && files > cycles, "{resumed} of {files} went on");
}

fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// But for what tells which store a folder belongs to.
fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().all(|entry| entry.unwrap().file_name() == ".store")
}

/// Chat continues: somebody says something, somebody else hears it.
fn talk(one: &mut Client, other: &mut Client, round: usize) {
    let text = format!("round {round}");
    let say = Command::Broadcast { text: text.as_str().into() };
    assert_eq!(one.ask(&say).unwrap(), Ok(Reply::heard(1)));
    let heard = other.event().unwrap();
    assert!(matches!(&heard, Event::Broadcast { text: t, .. } if t.as_str() == text), "{heard:?}");
}

#[test]
fn row_57_an_upload_that_the_disk_does_not_take_ends_and_the_next_one_is_taken() {
    let disk = Limited(tempfile::tempdir().unwrap());
    let server = disk.start();
    let data = disk.0.path().join("data");
    let mut alice = Client::login(server.addr, "alice").unwrap();
    let mut bob = Client::login(server.addr, "bob").unwrap();
    let file = Content::new("big".to_owned(), 1_000_000, 57);
    for round in 0..5 {
        let log = data.join("parlor.db-wal").metadata().map_or(0, |log| log.len());
        limit_files(&server, Some(log + 200_000));
        let transfer = alice.announce(&file, true).unwrap().unwrap();
        let how = alice.send(transfer, &file, 20_000, &Progress::default()).unwrap();
        assert_eq!(how, Ending::StoreFailed);
        talk(&mut alice, &mut bob, round);
        wait_for("nothing is left", || is_empty(&data.join("temp")).then_some(()));
        assert!(is_empty(&data.join("files")) && alice.files().unwrap().is_empty());
        limit_files(&server, None);
        let transfer = alice.announce(&file, true).unwrap().unwrap();
        assert_eq!(
            alice.send(transfer, &file, 20_000, &Progress::default()).unwrap(),
            Ending::Stored
        );
        let listed = bob.files().unwrap();
        assert!(bob.take(&listed[0]) == file.bytes);
        alice.ask(&Command::Remove { transfer }).unwrap().unwrap();
        wait_for("it is removed", || is_empty(&data.join("files")).then_some(()));
    }
}

#[test]
fn row_57_uploads_are_refused_on_a_full_disk_and_taken_when_there_is_room() {
    let Some(small) = Small::new() else {
        // Written past the harness, which hides what a test that passes prints.
        let said = "row 57: no namespaces for people here, so no small file system for files\n";
        return std::io::stderr().write_all(said.as_bytes()).unwrap();
    };
    refuse_below_the_floor(&small.start());
    // Without the lines about those who ask again and again, which would fill this disk as well.
    let server = small.start_with(&["--files-free=0", "--log-level=error"]);
    let mut alice = Client::login(server.addr, "alice").unwrap();
    let mut bob = Client::login(server.addr, "bob").unwrap();
    let file = Content::new("f".to_owned(), 200_000, 57);
    for round in 0..3 {
        // There was room when it was announced, and there is none when it comes.
        let transfer = announce_when_there_is_room(&mut alice, &file);
        small.fill(&server);
        let how = alice.send(transfer, &file, 20_000, &Progress::default()).unwrap();
        assert_eq!(how, Ending::StoreFailed);
        talk(&mut alice, &mut bob, round);
        // The server looks once a second; until then the next one ends like the first.
        wait_for("a refusal", || match alice.announce(&file, true).unwrap() {
            Ok(transfer) => {
                assert_eq!(
                    alice.send(transfer, &file, 20_000, &Progress::default()).unwrap(),
                    Ending::StoreFailed
                );
                None
            }
            Err(code) => {
                assert_eq!(code, "server_full");
                Some(())
            }
        });
        small.free(&server);
        let transfer = announce_when_there_is_room(&mut alice, &file);
        assert_eq!(
            alice.send(transfer, &file, 20_000, &Progress::default()).unwrap(),
            Ending::Stored
        );
        let listed = bob.files().unwrap();
        assert_eq!(listed.len(), 1);
        assert!(bob.take(&listed[0]) == file.bytes);
        alice.ask(&Command::Remove { transfer }).unwrap().unwrap();
    }
}

/// With the usual floor a disk of one mebibyte takes no file at all.
fn refuse_below_the_floor(server: &Server) {
    let mut alice = Client::login(server.addr, "carol").unwrap();
    let mut bob = Client::login(server.addr, "dave").unwrap();
    let file = Content::new("f".to_owned(), 10, 57);
    // Until the server has looked at its disk for the first time it takes it for an empty one.
    wait_for("a refusal", || match alice.announce(&file, true).unwrap() {
        Ok(transfer) => {
            alice.ask(&Command::Cancel { transfer }).unwrap().unwrap();
            None
        }
        Err(code) => {
            assert_eq!(code, "server_full");
            Some(())
        }
    });
    talk(&mut alice, &mut bob, 0);
}

fn announce_when_there_is_room(client: &mut Client, file: &Content) -> TransferId {
    wait_for("room for a file", || match client.announce(file, true).unwrap() {
        Ok(transfer) => Some(transfer),
        Err(code) => {
            assert_eq!(code, "server_full");
            None
        }
    })
}
