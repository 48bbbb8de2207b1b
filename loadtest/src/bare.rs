//! The built-in server: nothing but epoll, a length prefix, and one coalesced write a connection
//! a turn. What Parlor costs above this is the price of its meaning.
//!
//! It refuses whatever a real server must do: names may clash, nobody is too slow, nothing is
//! checked or bounded, so it is for a loopback and a run of the load test only. The rule it keeps:
//! a message continues as the bytes it came in, with one copy for each who hears it.

use std::io::{self, Read, Write};
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use mio::net::{TcpListener, TcpStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::dialect::bare::{
    BESIDE, EXIT, JOIN, KIND_CONTROL, KIND_MESSAGE, LEAVE, LOGIN, MESSAGE_ID, answer, parse_client,
};

const LISTENER: Token = Token(usize::MAX - 1);
const STDIN: Token = Token(usize::MAX - 2);
const READ_BYTES: usize = 256 * 1024;

/// Listens on loopback, prints where, and serves until its standard input ends: when whoever
/// started it is gone, it goes too.
pub(crate) fn run() -> io::Result<()> {
    let mut server = Bare::bind(([127, 0, 0, 1], 0).into())?;
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    server.poll.registry().register(
        &mut SourceFd(&stdin.as_raw_fd()),
        STDIN,
        Interest::READABLE,
    )?;
    println!("listening on {}", server.address()?);
    io::stdout().flush()?;
    while server.turn()? {}
    Ok(())
}

/// The server.
pub(crate) struct Bare {
    poll: Poll,
    events: Option<Events>,
    listener: TcpListener,
    conns: Vec<Option<Conn>>,
    free: Vec<usize>,
    names: Vec<Option<usize>>,
    rooms: Vec<Vec<usize>>,
    dirty: Vec<usize>,
    scratch: Vec<u8>,
}

struct Conn {
    stream: TcpStream,
    tail: Vec<u8>,
    out: Vec<u8>,
    written: usize,
    dirty: bool,
    ending: bool,
    name: usize,
    place: Standing,
}

#[derive(Clone, Copy)]
enum Standing {
    Nowhere,
    Room(usize),
    Beside(usize),
}

impl Bare {
    /// Listens.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(4096)?;
        let mut listener = TcpListener::from_std(socket.into());
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Some(Events::with_capacity(1024)),
            listener,
            conns: Vec::new(),
            free: Vec::new(),
            names: Vec::new(),
            rooms: Vec::new(),
            dirty: Vec::new(),
            scratch: vec![0; READ_BYTES],
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Waits, reads all that is ready, writes once to all who are to hear something. False when
    /// standard input has ended.
    pub(crate) fn turn(&mut self) -> io::Result<bool> {
        let mut events = self.events.take().expect("put back at the end of each turn");
        if let Err(error) = self.poll.poll(&mut events, None)
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error);
        }
        let mut goes_on = true;
        for event in &events {
            match event.token() {
                LISTENER => self.accept()?,
                STDIN => goes_on = false,
                Token(at) => {
                    if event.is_writable() {
                        self.mark(at);
                    }
                    if event.is_readable() || event.is_read_closed() {
                        self.read(at, event.is_read_closed());
                    }
                }
            }
        }
        self.flush();
        self.events = Some(events);
        Ok(goes_on)
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let at = self.free.pop().unwrap_or_else(|| {
                self.conns.push(None);
                self.conns.len() - 1
            });
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(at), interest)?;
            self.conns[at] = Some(Conn {
                stream,
                tail: Vec::new(),
                out: Vec::new(),
                written: 0,
                dirty: false,
                ending: false,
                name: usize::MAX,
                place: Standing::Nowhere,
            });
        }
    }

    /// One read, unless it filled the buffer or the end of the stream stands behind it.
    fn read(&mut self, at: usize, to_end: bool) {
        let mut scratch = mem::take(&mut self.scratch);
        while let Some(conn) = self.conns[at].as_mut() {
            let kept = conn.tail.len();
            scratch[..kept].copy_from_slice(&conn.tail);
            let read = match conn.stream.read(&mut scratch[kept..]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Ok(0) | Err(_) => {
                    self.close(at);
                    break;
                }
                Ok(read) => read,
            };
            conn.tail.clear();
            self.handle(at, &scratch[..kept + read]);
            if kept + read < scratch.len() && !to_end {
                break;
            }
        }
        self.scratch = scratch;
    }

    fn handle(&mut self, at: usize, mut bytes: &[u8]) {
        loop {
            match parse_client(bytes) {
                Ok(Some(((kind, body), taken))) => {
                    match kind {
                        KIND_MESSAGE => self.on_message(at, &bytes[..taken]),
                        KIND_CONTROL => self.on_control(at, body),
                        _ => return self.close(at),
                    }
                    bytes = &bytes[taken..];
                }
                Ok(None) => break,
                Err(_) => return self.close(at),
            }
        }
        if let Some(conn) = self.conns[at].as_mut() {
            conn.tail.extend_from_slice(bytes);
        }
    }

    fn on_message(&mut self, at: usize, frame: &[u8]) {
        match self.conns[at].as_ref().map_or(Standing::Nowhere, |conn| conn.place) {
            Standing::Nowhere => {}
            Standing::Room(room) => {
                let members = mem::take(&mut self.rooms[room]);
                for &member in members.iter().filter(|&&member| member != at) {
                    self.send(member, frame);
                }
                self.rooms[room] = members;
            }
            Standing::Beside(name) => {
                if let Some(other) = self.names.get(name).copied().flatten() {
                    self.send(other, frame);
                }
            }
        }
        self.send(at, &answer(MESSAGE_ID));
    }

    fn on_control(&mut self, at: usize, body: &[u8]) {
        let &[op, a, b, c, d] = body else { return self.close(at) };
        let number = u32::from_be_bytes([a, b, c, d]) as usize;
        match op {
            LOGIN => {
                grow(&mut self.names, number, None);
                self.names[number] = Some(at);
                self.place(at, |conn| conn.name = number);
            }
            JOIN => {
                grow(&mut self.rooms, number, Vec::new());
                self.rooms[number].push(at);
                self.place(at, |conn| conn.place = Standing::Room(number));
            }
            BESIDE => self.place(at, |conn| conn.place = Standing::Beside(number)),
            LEAVE => self.leave(at),
            EXIT => self.place(at, |conn| conn.ending = true),
            _ => return self.close(at),
        }
        self.send(at, &answer(op));
    }

    fn place(&mut self, at: usize, change: impl FnOnce(&mut Conn)) {
        if let Some(conn) = self.conns[at].as_mut() {
            change(conn);
        }
    }

    fn leave(&mut self, at: usize) {
        let Some(conn) = self.conns[at].as_mut() else { return };
        if let Standing::Room(room) = mem::replace(&mut conn.place, Standing::Nowhere) {
            self.rooms[room].retain(|&member| member != at);
        }
    }

    fn send(&mut self, at: usize, frame: &[u8]) {
        let Some(conn) = self.conns[at].as_mut() else { return };
        conn.out.extend_from_slice(frame);
        self.mark(at);
    }

    fn mark(&mut self, at: usize) {
        let Some(conn) = self.conns[at].as_mut() else { return };
        if !mem::replace(&mut conn.dirty, true) {
            self.dirty.push(at);
        }
    }

    fn flush(&mut self) {
        for at in mem::take(&mut self.dirty) {
            let Some(conn) = self.conns[at].as_mut() else { continue };
            conn.dirty = false;
            if conn.flush().is_err() || conn.ending && conn.out.is_empty() {
                self.close(at);
            }
        }
    }

    fn close(&mut self, at: usize) {
        self.leave(at);
        let Some(conn) = self.conns[at].take() else { return };
        if let Some(owner) = self.names.get_mut(conn.name).filter(|owner| **owner == Some(at)) {
            *owner = None;
        }
        self.free.push(at);
    }
}

impl Conn {
    fn flush(&mut self) -> io::Result<()> {
        if self.written == self.out.len() {
            return Ok(());
        }
        match self.stream.write(&self.out[self.written..]) {
            Ok(written) => self.written += written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
        }
        Ok(())
    }
}

fn grow<T: Clone>(list: &mut Vec<T>, at: usize, empty: T) {
    if list.len() <= at {
        list.resize(at + 1, empty);
    }
}
