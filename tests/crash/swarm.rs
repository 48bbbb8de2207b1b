//! Connections to the server, all on one thread, each with the session of the real client.
//!
//! Knows nobody. Whatever is awaited has a deadline.

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use parlor::client::session::{ClientEvent, ClientSession};
use parlor::front::native::Problem;
use parlor::message::{Command, Event, Reply};

/// How long anything may take on a busy machine before it counts as never.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A connection. Numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line(usize);

/// What happened on a connection.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // there are few at a time, and they are taken apart at once
pub(crate) enum Happened {
    /// The server said something.
    Heard(ClientEvent),
    /// The connection is over.
    Gone,
}

pub(crate) struct Swarm {
    /// `None` once the server is gone: who wants to connect then finds nobody.
    server: Option<SocketAddr>,
    poll: Poll,
    lines: BTreeMap<Line, (TcpStream, ClientSession)>,
    next: usize,
    /// The number of the last thing said to somebody who was gone.
    unheard: u64,
    /// What was heard while an answer was awaited.
    aside: VecDeque<(Line, Event)>,
}

impl Swarm {
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self {
            server: Some(server),
            poll: Poll::new().unwrap(),
            lines: BTreeMap::new(),
            next: 0,
            unheard: u64::MAX,
            aside: VecDeque::new(),
        }
    }

    /// The server is gone; what it said before can still be heard.
    pub(crate) fn on_server_gone(&mut self) {
        self.server = None;
    }

    /// A connection that has just been made. On the loopback that does not wait.
    pub(crate) fn open(&mut self) -> Line {
        let line = Line(self.next);
        self.next += 1;
        let Some(server) = self.server else { return line };
        let stream = std::net::TcpStream::connect(server).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut stream = TcpStream::from_std(stream);
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(line.0), both).unwrap();
        self.lines.insert(line, (stream, ClientSession::new()));
        line
    }

    /// Ends a connection without a word; nothing more is heard of it.
    pub(crate) fn close(&mut self, line: Line) {
        self.lines.remove(&line);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Says something at the next turn; the answer has this number.
    pub(crate) fn say(&mut self, line: Line, command: Command<'_>) -> u64 {
        // What is said to who is gone has no answer, and a number of its own all the same.
        self.unheard -= 1;
        self.lines.get_mut(&line).map_or(self.unheard, |(_, session)| session.request(command))
    }

    /// Says all that is to be said, waits, and hears what there is to hear.
    pub(crate) fn turn(&mut self) -> Vec<(Line, Happened)> {
        let mut heard = Vec::new();
        let mut events = Events::with_capacity(256);
        let until = Instant::now() + PATIENCE;
        // A heartbeat is an event of the socket, and nothing to be heard.
        while heard.is_empty() {
            self.flush();
            assert!(Instant::now() < until, "nothing was heard for {PATIENCE:?}");
            match self.poll.poll(&mut events, Some(PATIENCE)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                outcome => outcome.unwrap(),
            }
            for event in &events {
                self.read(Line(event.token().0), &mut heard);
            }
        }
        self.flush();
        heard
    }

    /// Asks for something and waits for its answer; events are laid aside for [`Swarm::event`].
    pub(crate) fn ask(&mut self, line: Line, command: Command<'_>) -> Result<Reply, Problem> {
        let wanted = self.say(line, command);
        let mut answered = None;
        while answered.is_none() {
            // All that was heard at once, also behind the answer.
            for (heard_by, happened) in self.turn() {
                match happened {
                    Happened::Heard(ClientEvent::Answered { id, answer, .. })
                        if heard_by == line && id == wanted =>
                    {
                        answered = Some(answer);
                    }
                    Happened::Heard(ClientEvent::Event(event)) => {
                        self.aside.push_back((heard_by, event));
                    }
                    Happened::Gone if heard_by == line => panic!("cut off before the answer"),
                    Happened::Heard(_) | Happened::Gone => {}
                }
            }
        }
        answered.expect("awaited above")
    }

    /// The next event on a line, heard already or awaited.
    #[cfg(target_os = "linux")]
    pub(crate) fn event(&mut self, line: Line) -> Event {
        loop {
            if let Some(at) = self.aside.iter().position(|(by, _)| *by == line) {
                return self.aside.remove(at).unwrap().1;
            }
            for (by, happened) in self.turn() {
                if let Happened::Heard(ClientEvent::Event(event)) = happened {
                    self.aside.push_back((by, event));
                }
            }
        }
    }

    fn flush(&mut self) {
        for (stream, session) in self.lines.values_mut() {
            while !session.outgoing().is_empty() {
                match stream.write(session.outgoing()) {
                    Ok(count) => session.sent(count),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // Its end is seen by the reading, after all that was said before it.
                    Err(_) => session.sent(usize::MAX),
                }
            }
        }
    }

    fn read(&mut self, line: Line, heard: &mut Vec<(Line, Happened)>) {
        let Some((stream, session)) = self.lines.get_mut(&line) else { return };
        let mut bytes = [0; 16 * 1024];
        let is_over = loop {
            match stream.read(&mut bytes) {
                Ok(0) => break true,
                Ok(count) => session.handle_bytes(&bytes[..count]).unwrap(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break true,
            }
        };
        while let Some(event) = session.poll_event() {
            heard.push((line, Happened::Heard(event)));
        }
        if is_over {
            heard.push((line, Happened::Gone));
            self.lines.remove(&line);
        }
    }
}
