//! A real server as a child process, what `/proc` tells of it, and blocking clients.
//!
//! Nothing here waits for luck: whatever is awaited has a deadline, and the failure says what did
//! not come.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use socket2::{Domain, SockRef, Socket, Type};
use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) use crate::frames::{Frames, frame, frame_raw};
pub(crate) use crate::rng::Rng;
pub(crate) use crate::running::parlor;
use crate::running::{ANYWHERE, PARLOR, Running};

/// How long anything may take on a busy machine before it counts as never.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const MIB: u64 = 1 << 20;
/// No deadline comes to the help of a server that has lost sight of a connection.
const NO_DEADLINES: [(&str, &str); 7] = [
    // Nor bounds that a row does not ask for.
    ("PARLOR_MESSAGE_RATE", "0"),
    ("PARLOR_BEFORE_LOGIN", "0"),
    ("PARLOR_PRESENCE", "0"),
    ("PARLOR_FIRST_BYTE_BEFORE", "1h"),
    ("PARLOR_LOGIN_BEFORE", "1h"),
    ("PARLOR_HEARTBEAT", "30m"),
    ("PARLOR_DEAD_AFTER", "1h"),
];
/// Last words of a server that has no place.
pub(crate) const FULL: &str = "parlor: the server is full; try again later; the owner can raise \
                               the limit with --connections";

/// The size of a test: `usual`, or `long` when the environment asks for it.
pub(crate) fn size(usual: usize, long: usize) -> usize {
    if std::env::var_os("PARLOR_LONG").is_some() { long } else { usual }
}

/// Connections that one test may hold: other tests of this process run beside it.
pub(crate) fn held(wanted: usize) -> usize {
    let descriptors = parlor::os::raise_descriptor_limit();
    wanted.min(usize::try_from(descriptors / 4).unwrap_or(usize::MAX))
}

/// Waits until `probe` gives something.
pub(crate) fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A server that was started for one test.
pub(crate) struct Server {
    running: Running,
    pub(crate) addr: SocketAddr,
    dir: TempDir,
    base_descriptors: usize,
    base_rss: u64,
}

impl Server {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_at(ANYWHERE, None, args)
    }

    /// A server that may have only so many descriptors.
    pub(crate) fn start_with_descriptors(descriptors: u32, args: &[&str]) -> Self {
        Self::start_at(ANYWHERE, Some(descriptors), args)
    }

    pub(crate) fn start_at(listen: &str, descriptors: Option<u32>, args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let mut command = match descriptors {
            None => parlor(),
            Some(n) => {
                let mut shell = std::process::Command::new("/bin/sh");
                shell.arg("-c").arg(format!("ulimit -n {n} && exec \"$0\" \"$@\""));
                shell.arg(PARLOR).env_clear();
                shell
            }
        };
        command.envs(NO_DEADLINES);
        let stderr = dir.path().join("stderr");
        let running = Running::start(command, listen, &data, args, Some(&stderr));
        let addr = running.addr;
        let mut server = Self { running, addr, dir, base_descriptors: 0, base_rss: 0 };
        // Whatever is made for the first client only is there from here on.
        drop(Text::login(server.addr, "first"));
        server.wait_for_connections(0);
        server.base_descriptors = server.descriptors();
        server.base_rss = server.rss();
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.addr.port()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.running.child)
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.running.pid()))
    }

    fn status(&self, key: &str) -> u64 {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
    }

    /// Bytes of memory that are resident.
    pub(crate) fn rss(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// What is resident beyond what was at the start.
    pub(crate) fn grown(&self) -> u64 {
        self.rss().saturating_sub(self.base_rss)
    }

    /// The most that was ever resident beyond what was at the start.
    pub(crate) fn peak_grown(&self) -> u64 {
        self.status("VmHWM:").saturating_sub(self.base_rss)
    }

    /// Processor time used so far, in milliseconds.
    pub(crate) fn cpu_ms(&self) -> u64 {
        let stat = fs::read_to_string(self.proc("stat")).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let fields: Vec<&str> = fields.split(' ').collect();
        // utime and stime, in hundredths of a second.
        (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
    }

    /// Where its data is.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd")).unwrap().count()
    }

    pub(crate) fn log_len(&self) -> u64 {
        self.dir.path().join("data/parlor.log").metadata().unwrap().len()
    }

    /// The log from a place on that is the end of a line.
    pub(crate) fn log_from(&self, at: u64) -> String {
        let mut file = fs::File::open(self.dir.path().join("data/parlor.log")).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        text
    }

    /// What the server itself counts.
    pub(crate) fn report(&self) -> Report {
        let before = self.log_len();
        kill_process(self.pid(), Signal::USR1).unwrap();
        let line = wait_for("the report in the log", || {
            let added = self.log_from(before);
            // The last line may still be on its way.
            let whole = &added[..added.rfind('\n')?];
            whole.lines().rev().find(|l| l.contains("output waiting ")).map(str::to_owned)
        });
        Report(line)
    }

    pub(crate) fn wait_for_connections(&self, count: u64) {
        wait_for(&format!("{count} connections"), || {
            (self.report().connections() == count).then_some(())
        });
    }

    /// Everything is as before the first client came: nobody is here, no descriptor is left.
    pub(crate) fn assert_empty(&self) {
        self.wait_for_connections(0);
        let report = self.report();
        for word in ["users ", "rooms ", "uploads ", "output waiting "] {
            assert_eq!(report.number(word), 0, "{word} in {}", report.0);
        }
        // A worker may still be at a file or a folder.
        wait_for("the descriptors of before", || {
            (self.descriptors() == self.base_descriptors).then_some(())
        });
    }

    /// While nothing happens the server does nothing: it waits, and does not spin.
    pub(crate) fn assert_idle(&self) {
        let mut witness = Text::connect(self.addr);
        witness.ask("/ping");
        // Work that was under way may end first; a spin does not end.
        let calm = (0..3).any(|_| {
            let before = self.cpu_ms();
            witness.assert_silent(Duration::from_secs(1));
            self.cpu_ms() - before <= 100
        });
        assert!(calm, "the server spins: {}", self.report().0);
    }

    /// Ends the server, which must end well, and in its time.
    /// Does something while the server's process stands still, so that the server finds all that
    /// was done at once.
    pub(crate) fn while_it_stands(&self, act: impl FnOnce()) {
        let stat = format!("/proc/{}/stat", self.pid().as_raw_nonzero());
        let stands = || std::fs::read_to_string(&stat).unwrap().contains(") T ").then_some(());
        kill_process(self.pid(), Signal::STOP).unwrap();
        wait_for("the server stands still", stands);
        act();
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    pub(crate) fn stop(mut self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
        let status = wait_for("the end of the server", || self.running.child.try_wait().unwrap());
        let stderr = fs::read_to_string(self.dir.path().join("stderr")).unwrap();
        assert_eq!(status.code(), Some(0), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

/// One line of counts.
pub(crate) struct Report(pub(crate) String);

impl Report {
    /// The number after a word.
    pub(crate) fn number(&self, word: &str) -> u64 {
        let (_, rest) = self.0.split_once(word).unwrap_or_else(|| panic!("{word}: {}", self.0));
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    }

    pub(crate) fn connections(&self) -> u64 {
        self.number("connections ")
    }
}

/// A socket that gives up after a while.
pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    prepare(TcpStream::connect(addr).unwrap())
}

fn prepare(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A socket that takes little before its owner reads. With less than a segment of the loopback (64
/// KiB) each read of its owner would wait for a timer of the kernel.
pub(crate) fn connect_narrow(addr: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.set_send_buffer_size(64 * 1024).unwrap();
    socket.connect(&addr.into()).unwrap();
    prepare(socket.into())
}

/// A socket from one of many addresses, so that a test of many connections finds ports.
pub(crate) fn connect_from_many(addr: SocketAddr) -> TcpStream {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let from = Ipv4Addr::new(127, 0, 1, u8::try_from(1 + n % 250).unwrap());
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&addr.into()).unwrap();
    prepare(socket.into())
}

/// Closes a connection in the way that a broken one closes.
pub(crate) fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// All that still comes, whether the connection ends well or breaks.
pub(crate) fn read_rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("no end of the stream: {error} after {} bytes", rest.len()),
    }
    rest
}

/// A client that speaks frames.
pub(crate) struct Native {
    pub(crate) stream: TcpStream,
    frames: Frames,
    events: VecDeque<Value>,
    next_id: u64,
}

impl Native {
    pub(crate) fn over(stream: TcpStream) -> Self {
        Self { stream, frames: Frames::default(), events: VecDeque::new(), next_id: 0 }
    }

    pub(crate) fn login(addr: SocketAddr, name: &str) -> Self {
        Self::login_over(connect(addr), name)
    }

    pub(crate) fn login_over(stream: TcpStream, name: &str) -> Self {
        let mut client = Self::over(stream);
        let answer = client.ask(json!({"op": "login", "user": name}));
        assert_eq!(answer["ok"], "welcome", "{answer}");
        assert_eq!(answer["user"], name);
        client
    }

    pub(crate) fn join(&mut self, room: &str) {
        let answer = self.ask(json!({"op": "join", "room": room}));
        assert_eq!(answer["ok"], "joined", "{answer}");
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.stream.write_all(&frame(message)).unwrap();
    }

    /// The next frame, or `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(message) = self.frames.next() {
                return Some(message);
            }
            let mut bytes = [0; 16 * 1024];
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Ok(n) => self.frames.push(&bytes[..n]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no frame came: {error}"),
            }
        }
    }

    /// Asks and waits for the answer; what is heard meanwhile is kept.
    pub(crate) fn ask(&mut self, mut message: Value) -> Value {
        self.next_id += 1;
        message["id"] = self.next_id.into();
        self.send(&message);
        loop {
            let came = self.next().expect("an answer before the end of the stream");
            if came["re"] == self.next_id {
                return came;
            }
            self.events.push_back(came);
        }
    }

    /// The next event of one kind; those before it are dropped.
    pub(crate) fn event(&mut self, kind: &str) -> Value {
        loop {
            let came = match self.events.pop_front() {
                Some(event) => event,
                None => self.next().unwrap_or_else(|| panic!("the end before `{kind}`")),
            };
            if came["ev"] == kind {
                return came;
            }
        }
    }
}

/// A client that speaks lines, as people do with netcat.
pub(crate) struct Text {
    reader: BufReader<TcpStream>,
}

impl Text {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        Self::over(connect(addr))
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        Self { reader: BufReader::new(stream) }
    }

    pub(crate) fn login(addr: SocketAddr, name: &str) -> Self {
        let mut client = Self::connect(addr);
        client.send(&format!("/login {name}"));
        client.wait(&format!("* welcome, {name}"));
        client
    }

    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        self.reader.get_mut()
    }

    pub(crate) fn send(&mut self, line: &str) {
        self.stream().write_all(format!("{line}\r\n").as_bytes()).unwrap();
    }

    /// The next line, or `None` at the end of the stream.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end_matches("\r\n").to_owned()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no line came: {error}"),
        }
    }

    /// Reads up to a line that begins so.
    pub(crate) fn wait(&mut self, begin: &str) -> String {
        loop {
            let line = self.line().unwrap_or_else(|| panic!("the end before `{begin}`"));
            if line.starts_with(begin) {
                return line;
            }
        }
    }

    /// Asks something whose answer is one line.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.send(line);
        loop {
            let line = self.line().expect("an answer before the end of the stream");
            if !line.contains(": /login NAME to begin") {
                return line;
            }
        }
    }

    pub(crate) fn assert_silent(&mut self, time: Duration) {
        self.stream().set_read_timeout(Some(time)).unwrap();
        let mut line = String::new();
        let error = self.reader.read_line(&mut line).expect_err("something came");
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        self.stream().set_read_timeout(Some(PATIENCE)).unwrap();
    }
}

/// Writes from a thread of its own, while the caller reads; then ends the stream of bytes if asked.
pub(crate) fn write_beside(stream: &TcpStream, bytes: Vec<u8>, end: bool) -> Writer {
    let mut stream = stream.try_clone().unwrap();
    Writer(std::thread::spawn(move || {
        let written = stream.write_all(&bytes);
        if end {
            let _ = stream.shutdown(Shutdown::Write);
        }
        written
    }))
}

pub(crate) struct Writer(std::thread::JoinHandle<std::io::Result<()>>);

impl Writer {
    /// Reads meanwhile, then waits for the rest of the writing.
    pub(crate) fn done_after(self, read: impl FnOnce()) {
        read();
        self.done();
    }

    pub(crate) fn done(self) {
        self.0.join().unwrap().unwrap();
    }
}
