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
//! At the end of standard input the client waits for all answers, for its own uploads and for the
//! downloads that it accepted; then it says goodbye, unless it was told to stay. When standard
//! output is closed it leaves at once, with the code of what happened so far. SIGINT, SIGTERM and
//! SIGHUP are a goodbye too, with the code of what happened so far; a second one ends the process
//! where it stands, with 128 and its number.

#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use time::UtcOffset;

use super::chat::Chat;
use super::connect::{ConnectError, connect, why};
pub use super::outcome::Outcome;
use super::outcome::Over;
use super::typed::{self, Typed};
use crate::limits::{READ_TURN_BYTES, USER_NAME_MAX};
use crate::message::{NameError, UserName, visible};
use crate::os::Signals;

/// Lines taken before the socket has its turn again.
const LINES_STEP: usize = 64;
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
    /// Save every file that is offered in this folder. Without it, files are saved in the current
    /// folder, one by one with `/accept`.
    pub accept_files: Option<PathBuf>,
    /// Go on after the end of standard input, until the server or a signal ends it.
    pub stay: bool,
}

/// Why there is no conversation, or no end to one.
#[derive(Debug, thiserror::Error)]
enum PlainError {
    #[error("--user {name}: {error}; use 1 to 16 letters and digits")]
    User { name: String, error: NameError },
    #[error("--accept-files {0}: there is no such folder; make it first")]
    NoFolder(String),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("cannot wait for the server: {0}")]
    Poll(#[from] io::Error),
}

impl PlainError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::User { .. } | Self::NoFolder(_) => Outcome::Usage,
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
    poll: Poll,
    socket: TcpStream,
    readable: bool,
    writable: bool,
    typed: Receiver<Typed>,
    /// Held so that the last wake is not lost with the thread that gave it.
    _waker: Arc<Waker>,
    /// After the end of standard input, go on.
    stay: bool,
    /// None where several conversations share a process, whose signals are not theirs.
    signals: Option<Signals>,
    output: Box<dyn io::Write>,
    scratch: Vec<u8>,
    /// Since when the server is silent.
    silent_since: Instant,
}

impl Plain {
    fn start(options: &Options) -> Result<Self, PlainError> {
        // Only a process of one thread may ask some systems for this, so it is asked first.
        let offset = UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC);
        let user = user(options)?;
        let dir = folder(options)?;
        let socket = connect(&options.addr)?;
        let chat = Chat::new(user.as_deref(), dir, options.accept_files.is_some(), offset);
        let mut plain = Self::new(chat, socket, typed::spawn, Box::new(io::stdout()))?;
        plain.stay = options.stay;
        plain.signals = Some(Signals::ending(plain.poll.registry(), SIGNALS)?);
        Ok(plain)
    }

    fn new(
        chat: Chat,
        mut socket: TcpStream,
        typed: impl FnOnce(Arc<Waker>) -> io::Result<Receiver<Typed>>,
        output: Box<dyn io::Write>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut socket, SOCKET, Interest::READABLE | Interest::WRITABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), STDIN)?);
        Ok(Self {
            chat,
            poll,
            socket,
            readable: true,
            writable: true,
            typed: typed(Arc::clone(&waker))?,
            _waker: waker,
            stay: false,
            signals: None,
            output,
            scratch: vec![0; READ_TURN_BYTES],
            silent_since: Instant::now(),
        })
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
            self.heed_signals();
            let read = self.read();
            let taken = self.take_lines();
            let filled = self.chat.fill();
            let written = self.write();
            let shown = self.show()?;
            if self.chat.leaving() && !leaving {
                self.silent_since = Instant::now();
            }
            let worked = read || taken || filled || written || shown;
            if !worked || self.chat.over().is_some() {
                return Ok(());
            }
        }
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let left = self.chat.silence_max().saturating_sub(self.silent_since.elapsed());
        match self.poll.poll(events, Some(left)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in events.iter().filter(|event| event.token() == SOCKET) {
            self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
            self.writable |= event.is_writable();
        }
        // Asked last: what came while this process was stopped or blocked has been heard.
        if left.is_zero() && !self.readable {
            self.chat.handle_silence();
        }
        Ok(())
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
        match self.socket.read(&mut self.scratch) {
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
                Ok(Typed::End) if self.stay => {}
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
        match self.socket.write(self.chat.outgoing()) {
            Ok(count) => self.chat.sent(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.writable = false,
        }
        self.writable
    }

    fn show(&mut self) -> io::Result<bool> {
        let mut text = String::new();
        while let Some(line) = self.chat.poll_line() {
            text.push_str(&line);
            text.push('\n');
        }
        if text.is_empty() {
            return Ok(false);
        }
        self.output.write_all(text.as_bytes())?;
        self.output.flush()?;
        Ok(true)
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
