//! Stand-ins for other servers, in a thread a connection: just enough of each protocol to say what
//! a real one says to a client that speaks it well. They read lines, which our texts allow.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::dialect::Dialect;

/// Who hears what is said where: the place, which connection, and its socket.
type Members = Arc<Mutex<Vec<(String, usize, TcpStream)>>>;

/// Serves for as long as this process lives.
pub(super) fn serve(dialect: Dialect) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let members = Members::default();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            stream.set_nodelay(true).unwrap();
            let client = Client { number, stream, members: Arc::clone(&members) };
            thread::spawn(move || client.serve(dialect));
        }
    });
    address
}

struct Client {
    number: usize,
    stream: TcpStream,
    members: Members,
}

impl Client {
    fn serve(mut self, dialect: Dialect) {
        let mut lines = BufReader::new(self.stream.try_clone().unwrap()).lines();
        if dialect == Dialect::Nats {
            self.answer("INFO {}");
        }
        while let Some(Ok(line)) = lines.next() {
            match dialect {
                Dialect::Redis => self.on_redis(&line, &mut lines),
                Dialect::Nats => self.on_nats(&line, &mut lines),
                Dialect::Irc => self.on_irc(&line),
                Dialect::Native | Dialect::Bare => unreachable!("these are tested for real"),
            }
        }
    }

    fn on_redis(&mut self, line: &str, lines: &mut Lines<BufReader<TcpStream>>) {
        let count: usize = line.strip_prefix('*').unwrap().parse().unwrap();
        // Each word has its length on a line before it.
        let words: Vec<_> = lines.skip(1).step_by(2).map_while(Result::ok).take(count).collect();
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["HELLO", "3"] => self.answer("%1\r\n+proto\r\n:3"),
            ["SUBSCRIBE", place] => {
                self.join(place);
                self.answer(&format!(">3\r\n$9\r\nsubscribe\r\n+{place}\r\n:1"));
            }
            ["PUBLISH", place, text] => {
                let (length, size) = (place.len(), text.len());
                let push =
                    format!(">3\r\n$7\r\nmessage\r\n${length}\r\n{place}\r\n${size}\r\n{text}");
                self.relay(place, &push, true);
                self.answer(":2");
            }
            _ => self.answer("-ERR unknown command"),
        }
    }

    fn on_nats(&mut self, line: &str, lines: &mut Lines<BufReader<TcpStream>>) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["PING"] => self.answer("PONG"),
            ["SUB", place, _] => {
                self.join(place);
                self.answer("+OK");
            }
            ["PUB", place, length] => {
                let text = lines.next().unwrap().unwrap();
                self.relay(place, &format!("MSG {place} 1 {length}\r\n{text}"), false);
                self.answer("+OK");
            }
            _ => self.answer("+OK"),
        }
    }

    fn on_irc(&mut self, line: &str) {
        match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
            ["NICK", nick] => self.join(nick),
            ["USER", ..] => self.answer("PING :x\r\n:s 001 u :Welcome\r\n:s 422 u :No MOTD"),
            ["JOIN", place] => {
                self.join(place);
                self.answer(&format!(":s 366 u {place} :End"));
            }
            ["PRIVMSG", place, text] => {
                self.relay(place, &format!(":u!~u@h PRIVMSG {place} {text}"), false);
            }
            ["PING", token] => self.answer(&format!(":s PONG s :{token}")),
            ["PONG", ":x"] => {}
            _ => self.answer(&format!(":s 421 u {line} :Unknown command")),
        }
    }

    fn join(&self, place: &str) {
        let stream = self.stream.try_clone().unwrap();
        self.members.lock().unwrap().push((place.to_owned(), self.number, stream));
    }

    fn relay(&self, place: &str, line: &str, to_self: bool) {
        for (at, number, stream) in self.members.lock().unwrap().iter_mut() {
            if at == place && (to_self || *number != self.number) {
                // One that is gone hears nothing.
                let _ = write!(stream, "{line}\r\n");
            }
        }
    }

    /// Under the lock: others write to this socket too.
    fn answer(&mut self, line: &str) {
        let _members = self.members.lock().unwrap();
        let _ = write!(self.stream, "{line}\r\n");
    }
}
