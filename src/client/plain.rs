//! The client in its plain mode: commands from standard input, one line an event on standard
//! output; for people, for pipes and for tests.
//!
//! Moves bytes and lines between the socket, the two standard streams and the conversation, and
//! decides nothing about it. The rule it keeps: no step of a turn waits for the network or for
//! standard input, and what cannot be written yet is bounded, because then no line is taken.
//! Standard output may block: who stops reading it stops the client, and the server notices.
//!
//! | exit code | meaning |
//! | --- | --- |
//! | 0 | everything that was asked was done |
//! | 1 | the connection could not be made, or it broke |
//! | 2 | the options make no sense |
//! | 3 | something was refused, or a file was not handed over whole |
//! | 4 | the server ended the conversation: it shuts down, is full, or we were too slow |
//!
//! When the connection is lost the client comes back by itself, and a code is that of the end. At
//! the end of standard input the client waits for all answers, for its own uploads and for the
//! downloads that it accepted; then it says goodbye, unless it was told to stay. When standard
//! output is closed it leaves at once, with the code of what happened so far. SIGINT, SIGTERM and
//! SIGHUP, or Ctrl-C, are a goodbye too, with the code of what happened so far; a second one ends
//! the process where it stands, with 128 and its number.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::{Duration, Instant, SystemTime};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use time::UtcOffset;

use super::chat::{Chat, Start};
use super::connect::{ConnectError, connect, why};
pub use super::outcome::Outcome;
use super::outcome::Over;
use super::typed::{self, Typed};
use crate::limits::{READ_TURN_BYTES, USER_NAME_MAX};
use crate::message::{NameError, Secret, UserName, visible};
use crate::os::{self, Signals};

/// Lines taken before the socket has its turn again.
const LINES_STEP: usize = 64;
/// Longest password in bytes that is read from a file: more than any server takes.
const PASSWORD_MAX: u64 = 4096;
/// How long a client without a terminal tries to come back when nobody says.
const RECONNECT_FOR: Duration = Duration::from_secs(600);
const SOCKET: Token = Token(0);
const STDIN: Token = Token(1);
const SIGNALS: Token = Token(2);

/// How the plain client is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the server is: `HOST:PORT`, or `HOST` for the usual port.
    pub addr: String,
    /// The name to log in with; without one, that of the account as far as it is letters and
    /// digits, or else the first line.
    pub user: Option<String>,
    /// The password of the first name that needs one.
    pub password: Option<Secret<'static>>,
    /// Where it is the first line; goes before `password`.
    pub password_file: Option<PathBuf>,
    /// Save every file that is offered in this folder. Without it, files are saved in the current
    /// folder, one by one with `/get`.
    pub accept_files: Option<PathBuf>,
    /// Go on after the end of standard input, until the server or a signal ends it.
    pub stay: bool,
    /// Come back when the connection is lost.
    pub reconnect: bool,
    /// For how long to try that; without it, for ever at a terminal and else for ten minutes.
    pub reconnect_for: Option<Duration>,
}

/// Why there is no conversation, or no end to one.
#[derive(Debug, thiserror::Error)]
enum PlainError {
    #[error("--user {name}: {error}; use 1 to 16 letters and digits")]
    User { name: String, error: NameError },
    #[error("--accept-files {0}: there is no such folder; make it first")]
    NoFolder(String),
    #[error("--password-file {path}: {why}")]
    NoPassword { path: String, why: String },
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("cannot wait for the server: {0}")]
    Poll(#[from] io::Error),
}

impl PlainError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::User { .. } | Self::NoFolder(_) | Self::NoPassword { .. } => Outcome::Usage,
            Self::Connect(_) | Self::Poll(_) => Outcome::Broken,
        }
    }
}

/// Runs the client until the conversation is over; faults go to standard error, one line each.
#[must_use]
pub fn run(options: &Options) -> Outcome {
    let result = Plain::start(options).and_then(|mut plain| plain.run().map_err(Into::into));
    result.unwrap_or_else(|error| {
        complain(&error.to_string());
        error.outcome()
    })
}

/// Nobody is left to tell when standard error is closed too.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "parlor: {}", visible(text));
}

struct Plain {
    chat: Chat,
    addr: String,
    poll: Poll,
    /// None while the conversation is away.
    socket: Option<TcpStream>,
    /// A connection that is being made, by a thread of its own because that can take long.
    call: Option<Receiver<Result<TcpStream, ConnectError>>>,
    readable: bool,
    writable: bool,
    typed: Receiver<Typed>,
    /// Held so that the last wake is not lost with the thread that gave it.
    waker: Arc<Waker>,
    /// None where several conversations share a process, whose signals are not theirs.
    signals: Option<Signals>,
    output: Box<dyn io::Write>,
    /// Nothing that is typed is shown.
    hidden: bool,
    guard: Option<os::Hidden>,
    scratch: Vec<u8>,
    started: Instant,
    /// Since when the server is silent.
    silent_since: Instant,
}

impl Plain {
    fn start(options: &Options) -> Result<Self, PlainError> {
        // Only a process of one thread may ask some systems for this, so it is asked first.
        let offset = UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC);
        let at_terminal = io::stdin().is_terminal();
        let tries_for = if at_terminal { Duration::MAX } else { RECONNECT_FOR };
        let start = Start {
            user: user(options)?,
            password: password(options)?,
            dir: folder(options)?,
            accepts_all: options.accept_files.is_some(),
            offset,
            at_terminal,
            stays: options.stay,
            returns_for: options.reconnect.then_some(options.reconnect_for.unwrap_or(tries_for)),
            bars: false,
            seed: seed(),
        };
        let socket = connect(&options.addr)?;
        let mut plain = Self::new(Chat::new(start), socket, typed::spawn, Box::new(io::stdout()))?;
        plain.addr.clone_from(&options.addr);
        plain.signals = Some(Signals::ending(plain.poll.registry(), SIGNALS, &plain.waker)?);
        Ok(plain)
    }

    fn new(
        chat: Chat,
        socket: TcpStream,
        typed: impl FnOnce(Arc<Waker>) -> io::Result<Receiver<Typed>>,
        output: Box<dyn io::Write>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), STDIN)?);
        let mut plain = Self {
            chat,
            addr: String::new(),
            poll,
            socket: None,
            call: None,
            readable: false,
            writable: false,
            typed: typed(Arc::clone(&waker))?,
            waker,
            signals: None,
            output,
            hidden: false,
            guard: None,
            scratch: vec![0; READ_TURN_BYTES],
            started: Instant::now(),
            silent_since: Instant::now(),
        };
        plain.take_socket(socket)?;
        Ok(plain)
    }

    fn take_socket(&mut self, mut socket: TcpStream) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, SOCKET, both)?;
        self.socket = Some(socket);
        (self.readable, self.writable) = (true, true);
        self.silent_since = Instant::now();
        Ok(())
    }

    fn run(&mut self) -> io::Result<Outcome> {
        let mut events = Events::with_capacity(8);
        loop {
            if self.work().is_err() {
                return Ok(self.chat.outcome());
            }
            if let Some(over) = self.chat.over() {
                report(over);
                return Ok(self.chat.outcome());
            }
            self.wait(&mut events)?;
        }
    }

    /// Does what can be done without waiting. An error is one of standard output.
    fn work(&mut self) -> io::Result<()> {
        loop {
            let leaving = self.chat.leaving();
            self.chat.handle_time(self.started.elapsed());
            self.heed_signals();
            let called = self.call()?;
            let read = self.read();
            // Before the next line is taken, which may be a goodbye: what is kept for us until it
            // is confirmed can be confirmed only before that.
            let shown = self.show()?;
            let taken = self.take_lines();
            // If that was something, the conversation wants to be woken at once: a long file is read
            // a little at a time, and between two times the socket is looked at.
            self.chat.fill();
            let written = self.write();
            if self.chat.leaving() && !leaving {
                self.silent_since = Instant::now();
            }
            if self.chat.over().is_some() || !(called || read || shown || taken || written) {
                self.show()?;
                return Ok(());
            }
        }
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let silence = self.chat.silence_max().saturating_sub(self.silent_since.elapsed());
        let silence = self.socket.as_ref().map(|_| silence);
        let alarm = self.chat.wake_at().map(|at| at.saturating_sub(self.started.elapsed()));
        match self.poll.poll(events, silence.into_iter().chain(alarm).min()) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in events.iter().filter(|event| event.token() == SOCKET) {
            self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
            self.writable |= event.is_writable();
        }
        // Asked last: what came while this process was stopped or blocked has been heard.
        if silence.is_some_and(|left| left.is_zero()) && !self.readable {
            self.chat.handle_silence();
        }
        Ok(())
    }

    /// Lets go of a connection that is lost, and makes another when it is time.
    fn call(&mut self) -> io::Result<bool> {
        if self.chat.away() {
            self.socket = None;
        }
        if self.chat.poll_call() {
            self.call = Some(self.dial()?);
        }
        let Some(call) = &self.call else { return Ok(false) };
        match call.try_recv() {
            Ok(Ok(socket)) => {
                self.take_socket(socket)?;
                self.chat.handle_connected();
            }
            Ok(Err(error)) => self.chat.handle_unreachable(&error.why),
            Err(TryRecvError::Empty) => return Ok(false),
            Err(TryRecvError::Disconnected) => self.chat.handle_unreachable("nobody tried"),
        }
        self.call = None;
        Ok(true)
    }

    fn dial(&self) -> io::Result<Receiver<Result<TcpStream, ConnectError>>> {
        let (sender, receiver) = mpsc::channel();
        let (addr, waker) = (self.addr.clone(), Arc::clone(&self.waker));
        std::thread::Builder::new().name("connect".to_owned()).spawn(move || {
            // Who has left meanwhile wants no connection.
            let _ = sender.send(connect(&addr));
            let _ = waker.wake();
        })?;
        Ok(receiver)
    }

    /// Each of them means the end; a second one never comes here.
    fn heed_signals(&mut self) {
        if self.signals.as_mut().is_some_and(|signals| !signals.pending().is_empty()) {
            self.chat.handle_stop();
        }
    }

    fn read(&mut self) -> bool {
        if !self.readable || self.chat.over().is_some() {
            return false;
        }
        let Some(socket) = &mut self.socket else { return false };
        match socket.read(&mut self.scratch) {
            Ok(0) => self.chat.handle_end(),
            Ok(count) => {
                self.silent_since = Instant::now();
                self.chat.handle_bytes(&self.scratch[..count]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
            Err(error) => {
                self.chat.handle_broken(&format!("the connection broke: {}", why(&error)))
            }
        }
        self.readable
    }

    fn take_lines(&mut self) -> bool {
        let mut taken = false;
        for _ in 0..LINES_STEP {
            if !self.chat.wants_lines() {
                break;
            }
            match self.typed.try_recv() {
                Ok(Typed::Line(line)) => self.chat.handle_line(&line),
                Ok(Typed::Unusable(why)) => self.chat.handle_unusable_line(why),
                Ok(Typed::End) => self.chat.handle_no_more_lines(),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
            taken = true;
        }
        taken
    }

    /// A fault of writing is left for reading to find: the server's last words may stand before it.
    fn write(&mut self) -> bool {
        if !self.writable || self.chat.outgoing().is_empty() {
            return false;
        }
        let Some(socket) = &mut self.socket else { return false };
        match socket.write(self.chat.outgoing()) {
            Ok(count) => self.chat.sent(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.writable = false,
        }
        self.writable
    }

    fn show(&mut self) -> io::Result<bool> {
        // Before the question is shown, or who answers fast is seen.
        self.hide(self.chat.hides_line());
        let mut text = String::new();
        while let Some(line) = self.chat.poll_line() {
            text.push_str(&line);
            text.push('\n');
        }
        if !text.is_empty() {
            self.output.write_all(text.as_bytes())?;
            self.output.flush()?;
        }
        self.chat.handle_shown();
        Ok(!text.is_empty())
    }

    /// A terminal that cannot hide it has said so by showing it. It shows again what is typed when
    /// the guard is dropped, at the latest with this.
    fn hide(&mut self, hidden: bool) {
        if hidden != self.hidden {
            self.guard = if hidden { os::hide_input().ok() } else { None };
            self.hidden = hidden;
        }
    }
}

fn report(over: &Over) {
    match over {
        Over::Left | Over::Goodbye(None) => {}
        Over::Broken(why) => complain(why),
        Over::Goodbye(Some(line)) => complain(line.strip_prefix("parlor: ").unwrap_or(line)),
    }
}

fn user(options: &Options) -> Result<Option<String>, PlainError> {
    let Some(name) = &options.user else {
        let account = std::env::var("USER").or_else(|_| std::env::var("USERNAME"));
        return Ok(account.ok().and_then(|name| user_from_account(&name)));
    };
    match UserName::parse(name) {
        Ok(_) => Ok(Some(name.clone())),
        Err(error) => Err(PlainError::User { name: name.clone(), error }),
    }
}

/// The first line of the file, or else what the variable had.
fn password(options: &Options) -> Result<Option<Secret<'static>>, PlainError> {
    let Some(path) = &options.password_file else {
        return Ok(options.password.clone().filter(|Secret(password)| !password.is_empty()));
    };
    match first_line(path) {
        Ok(line) => Ok(Some(Secret(line.into()))),
        Err(error) => {
            Err(PlainError::NoPassword { path: path.display().to_string(), why: why(&error) })
        }
    }
}

fn first_line(path: &Path) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(File::open(path)?.take(PASSWORD_MAX)).read_line(&mut line)?;
    let line = line.trim_end_matches(['\r', '\n']).to_owned();
    if line.is_empty() {
        return Err(io::Error::other("its first line is empty; write the password there"));
    }
    Ok(line)
}

/// Differs from client to client, as far as clocks and processes do.
fn seed() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(since_1970.subsec_nanos()) << 32
        ^ since_1970.as_secs()
        ^ u64::from(std::process::id())
}

fn user_from_account(name: &str) -> Option<String> {
    let name: String =
        name.chars().filter(char::is_ascii_alphanumeric).take(USER_NAME_MAX).collect();
    (!name.is_empty()).then_some(name)
}

fn folder(options: &Options) -> Result<PathBuf, PlainError> {
    match &options.accept_files {
        Some(dir) if !dir.is_dir() => Err(PlainError::NoFolder(dir.display().to_string())),
        Some(dir) => Ok(dir.clone()),
        None => Ok(PathBuf::new()),
    }
}
