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

mod given;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal as _, Read as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::Instant;

use mio::{Events, Interest, Poll, Token, Waker};
use time::UtcOffset;

use super::bars::{Bars, DRAW_AFTER};
use super::basket::Basket;
use super::chat::Chat;
use super::connect::{ConnectError, connect, why};
use super::drivers::menu::Menu;
use super::errand::{Errand, Place};
use super::face::{farewell, product as words};
pub use super::outcome::ClientOutcome;
use super::outcome::Fault;
use super::token_file::TokenFile;
use super::typed::{self, Typed};
use super::view::Product;
use crate::limits::READ_TURN_BYTES;
use crate::message::visible;
use crate::os::{self, ByteStream, Signals};
pub use given::Options;
use given::PlainError;

/// Lines taken before the socket has its turn again.
const LINES_STEP: usize = 64;
const SOCKET: Token = Token(0);
const STDIN: Token = Token(1);
const SIGNALS: Token = Token(2);

/// Runs the client until the conversation is over; faults go to standard error, one line each.
#[must_use]
pub fn run(options: &Options) -> ClientOutcome {
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
    socket: Option<ByteStream>,
    /// A connection that is being made, by a thread of its own because that can take long.
    call: Option<Receiver<Result<ByteStream, ConnectError>>>,
    readable: bool,
    writable: bool,
    /// Lines that are typed; none until a password is asked for, where they are nothing else.
    typed: Option<Receiver<Typed>>,
    menu: Option<Menu>,
    bars: Option<Bars>,
    /// Where commands of a guest who talks find what gets them in.
    token: Option<TokenFile>,
    /// Where a file is collected that goes to standard output.
    basket: Option<Basket>,
    /// Held so that the last wake is not lost with the thread that gave it.
    waker: Arc<Waker>,
    /// None where several conversations share a process, whose signals are not theirs.
    signals: Option<Signals>,
    /// Where lines are shown.
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
        let bars = if options.errand == Errand::Talk { None } else { Bars::at_terminal() };
        let mut start = options.start(offset, at_terminal, bars.is_some())?;
        let socket = connect(&options.addr)?;
        let to_output = matches!(options.errand, Errand::Get { place: Place::Output, .. });
        let basket = if to_output { Some(Basket::new()?) } else { None };
        if let Some(basket) = &basket {
            basket.path().clone_into(&mut start.dir);
        }
        let terse = options.errand.ends_by_itself();
        let tokens = TokenFile::at(os::run_dir(|name| std::env::var_os(name)), &options.addr);
        if terse && start.password.is_none() {
            start.token = tokens.as_ref().zip(start.user.as_ref()).and_then(|(t, u)| t.read(u));
        }
        let output: Box<dyn io::Write> =
            if terse { Box::new(io::stderr()) } else { Box::new(io::stdout()) };
        // Of an errand, standard input may be somebody else's list of files.
        let mut plain = Self::new(Chat::new(start), socket, output)?;
        if options.errand.reads_lines() {
            plain.typed = Some(typed::spawn(Arc::clone(&plain.waker), usize::MAX)?);
        }
        if terse && !at_terminal {
            plain.chat.handle_no_more_lines();
        }
        if options.errand == Errand::Menu {
            plain.menu = Some(Menu::new(options.room.clone()));
        }
        (plain.bars, plain.basket) = (bars, basket);
        plain.token = tokens.filter(|_| !terse);
        plain.addr.clone_from(&options.addr);
        plain.signals = Some(Signals::ending(plain.poll.registry(), SIGNALS, &plain.waker)?);
        Ok(plain)
    }

    fn new(chat: Chat, socket: ByteStream, output: Box<dyn io::Write>) -> io::Result<Self> {
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
            typed: None,
            menu: None,
            bars: None,
            token: None,
            basket: None,
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

    fn take_socket(&mut self, mut socket: ByteStream) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, SOCKET, both)?;
        self.socket = Some(socket);
        (self.readable, self.writable) = (true, true);
        self.silent_since = Instant::now();
        Ok(())
    }

    fn run(&mut self) -> io::Result<ClientOutcome> {
        let mut events = Events::with_capacity(8);
        loop {
            if self.work().is_err() {
                return Ok(self.chat.outcome());
            }
            if let Some(over) = self.chat.over() {
                farewell(over).iter().for_each(|words| complain(words));
                return Ok(self.chat.outcome());
            }
            self.wait(&mut events)?;
        }
    }

    /// Does what can be done without waiting. An error is one of standard output.
    fn work(&mut self) -> io::Result<()> {
        loop {
            let leaving = self.chat.link.leaving();
            self.chat.link.handle_time(self.started.elapsed());
            self.heed_signals();
            let called = self.call()?;
            let read = self.read();
            self.chat.hear();
            self.keep_token();
            // Before the next line is taken, which may be a goodbye: what is kept for us until it
            // is confirmed can be confirmed only before that.
            let shown = self.show()?;
            let taken = self.lead() | self.listen()? | self.take_lines();
            // If that was something, the conversation wants to be woken at once: a long file is
            // read a little at a time, and between two times the socket is looked at.
            self.chat.fill();
            // Before the server is told that it is here.
            self.deliver()?;
            let written = self.write();
            if self.chat.link.leaving() && !leaving {
                self.silent_since = Instant::now();
            }
            if self.bars.as_ref().is_some_and(Bars::is_due) {
                self.draw();
            }
            if self.chat.over().is_some() || !(called || read || shown || taken || written) {
                self.show()?;
                self.draw();
                return Ok(());
            }
        }
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let silence = self.chat.link.silence_max().saturating_sub(self.silent_since.elapsed());
        let silence = self.socket.as_ref().map(|_| silence);
        let alarm = self.chat.wake_at().map(|at| at.saturating_sub(self.started.elapsed()));
        let drawn = self.bars.as_ref().filter(|bars| !bars.is_empty()).map(|_| DRAW_AFTER);
        match self.poll.poll(events, [silence, alarm, drawn].into_iter().flatten().min()) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in events.iter().filter(|event| event.token() == SOCKET) {
            self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
            self.writable |= event.is_writable();
        }
        // Asked last: what came while this process was stopped or blocked has been heard.
        if silence.is_some_and(|left| left.is_zero()) && !self.readable {
            let silence = self.chat.link.silence_max();
            self.chat.link.handle_fault(Fault::Silent(silence));
            self.chat.hear();
        }
        Ok(())
    }

    /// Lets go of a connection that is lost, and makes another when it is time.
    fn call(&mut self) -> io::Result<bool> {
        if self.chat.link.away() {
            self.socket = None;
        }
        if self.chat.link.poll_call() {
            self.call = Some(self.dial()?);
        }
        let Some(call) = &self.call else { return Ok(false) };
        match call.try_recv() {
            Ok(Ok(socket)) => {
                self.take_socket(socket)?;
                self.chat.link.handle_connected();
            }
            Ok(Err(error)) => self.chat.link.handle_unreachable(error.why),
            Err(TryRecvError::Empty) => return Ok(false),
            Err(TryRecvError::Disconnected) => {
                self.chat.link.handle_unreachable("nobody tried".to_owned())
            }
        }
        self.call = None;
        Ok(true)
    }

    fn dial(&self) -> io::Result<Receiver<Result<ByteStream, ConnectError>>> {
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
            Ok(0) => self.chat.link.handle_fault(Fault::Closed),
            Ok(count) => {
                self.silent_since = Instant::now();
                self.chat.link.handle_bytes(&self.scratch[..count]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
            Err(error) => self.chat.link.handle_fault(Fault::Broke(why(&error))),
        }
        self.readable
    }

    fn take_lines(&mut self) -> bool {
        let mut taken = false;
        for _ in 0..LINES_STEP {
            let menu = self.menu.as_mut().filter(|_| !self.chat.asks());
            let wanted = match &menu {
                Some(menu) => menu.wants_line() && self.chat.over().is_none(),
                None => self.chat.wants_lines(),
            };
            let Some(typed) = self.typed.as_ref().filter(|_| wanted) else { break };
            match (typed.try_recv(), menu) {
                (Ok(Typed::Line(line)), Some(menu)) => menu.handle_line(&line),
                (Ok(Typed::End), Some(menu)) => menu.handle_end(),
                (Ok(Typed::Line(line)), None) => self.chat.handle_line(&line),
                (Ok(Typed::End), None) => self.chat.handle_last_line(),
                (Ok(Typed::Unusable(why)), _) => self.chat.handle_unusable_line(why),
                (Err(TryRecvError::Empty), _) => break,
                (Err(TryRecvError::Disconnected), _) => {
                    self.typed = None;
                    break;
                }
            }
            taken = true;
        }
        taken
    }

    /// Has a password read, where nothing else is read from standard input.
    fn listen(&mut self) -> io::Result<bool> {
        let asked = self.typed.is_none() && self.chat.hides_line();
        if asked {
            self.typed = Some(typed::spawn(Arc::clone(&self.waker), 1)?);
        }
        Ok(asked)
    }

    /// Does what was chosen from the menu.
    fn lead(&mut self) -> bool {
        let Some(menu) = self.menu.as_mut().filter(|_| self.chat.at_rest()) else { return false };
        let deed = menu.poll_deed();
        let chosen = deed.is_some();
        deed.into_iter().for_each(|deed| self.chat.handle_deed(deed));
        chosen
    }

    /// A fault of writing is left for reading to find: the server's last words may stand before it.
    fn write(&mut self) -> bool {
        if !self.writable || self.chat.link.outgoing().is_empty() {
            return false;
        }
        let Some(socket) = &mut self.socket else { return false };
        match socket.write(self.chat.link.outgoing()) {
            Ok(count) => self.chat.link.sent(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.writable = false,
        }
        self.writable
    }

    fn show(&mut self) -> io::Result<bool> {
        // Before the question is shown, or who answers fast is seen.
        self.hide(self.chat.hides_line());
        while let Some(note) = self.menu.as_mut().and_then(Menu::poll_note) {
            self.chat.note(note);
        }
        let lines = std::iter::from_fn(|| self.chat.poll_line());
        let text: String = lines.flat_map(|line| [line, "\n".to_owned()]).collect();
        if !text.is_empty() {
            // No line stands above the bar of a file that is over with it.
            self.draw();
        }
        let output = &mut self.output;
        let write = || output.write_all(text.as_bytes()).and_then(|()| output.flush());
        if !text.is_empty() {
            above(self.bars.as_ref(), write)?;
        }
        self.deliver()?;
        self.chat.link.handle_shown();
        Ok(!text.is_empty())
    }

    /// Brings what an errand was for to standard output.
    fn deliver(&mut self) -> io::Result<()> {
        while let Some(product) = self.chat.poll_product() {
            let write = || bring(&product);
            if let Err(error) = above(self.bars.as_ref(), write) {
                complain(&format!("cannot write to standard output: {}", why(&error)));
                self.chat.handle_undelivered();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Before anybody is shown that they are in, and for as long as they are.
    fn keep_token(&mut self) {
        let Some(file) = &mut self.token else { return };
        if let Err((path, error)) = file.keep(self.chat.link.guest()) {
            let why = why(&error);
            let next = "commands of this guest cannot log in beside this chat";
            complain(&format!("{}: {why}; {next}", path.display()));
        }
    }

    fn draw(&mut self) {
        if let Some(bars) = &mut self.bars {
            bars.show(&self.chat.progress().collect::<Vec<_>>());
        }
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

/// Does it where no bars are.
fn above<T>(bars: Option<&Bars>, write: impl FnOnce() -> T) -> T {
    match bars {
        Some(bars) => bars.above(write),
        None => write(),
    }
}

/// To standard output, and through.
fn bring(product: &Product) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match product {
        Product::Content(path) => _ = io::copy(&mut File::open(path)?, &mut output)?,
        Product::Files { .. } | Product::Stored(..) | Product::Saved(_) => {
            writeln!(output, "{}", words(product))?;
        }
    }
    output.flush()
}
