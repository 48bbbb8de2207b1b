//! A plain socket that speaks text lines, as a person with netcat does.

use std::io::{self, Read, Write as _};
use std::net::{Shutdown, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Lines, number_after};

/// Bytes of a file in one line.
const CHUNK: usize = 12 * 1024;

pub(crate) struct Text {
    socket: TcpStream,
    pub(crate) lines: Lines,
}

impl Text {
    pub(crate) fn connect(addr: &str, name: &str) -> Self {
        let socket = TcpStream::connect(addr).unwrap();
        let closing = Closing(socket.try_clone().unwrap());
        let lines = Lines::read(name, vec![Box::new(closing)]);
        Self { socket, lines }
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        self.type_bytes(format!("{line}\n").as_bytes());
    }

    pub(crate) fn type_bytes(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// Sends a file that has a slot, never more of it than was granted.
    pub(crate) fn send_chunks(&mut self, transfer: u64, content: &[u8]) {
        let go = self.lines.expect(&format!("* transfer {transfer}: go, "));
        let mut credit = number_after(&go, "credit ");
        let mut left = content;
        while !left.is_empty() {
            if credit == 0 {
                let more = self.lines.expect(&format!("* transfer {transfer}: credit "));
                credit = number_after(&more, "credit ");
            }
            let size = left.len().min(CHUNK).min(usize::try_from(credit).unwrap());
            let (chunk, rest) = left.split_at(size);
            self.type_line(&format!("/chunk {transfer} {}", STANDARD.encode(chunk)));
            credit -= size as u64;
            left = rest;
        }
    }

    /// Takes a file that was accepted.
    pub(crate) fn take_chunks(&mut self, transfer: u64, size: u64) -> Vec<u8> {
        let before = format!("/chunk {transfer} ");
        let mut content = Vec::new();
        while (content.len() as u64) < size {
            let line = self.lines.expect(&before);
            content.extend(STANDARD.decode(line.strip_prefix(&before).unwrap()).unwrap());
        }
        content
    }

    pub(crate) fn hang_up(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// Closes when the other side does, as netcat.
struct Closing(TcpStream);

impl Read for Closing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}
