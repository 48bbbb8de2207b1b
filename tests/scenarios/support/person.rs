//! Somebody at the server, in one way or the other; what differs between the two is here and
//! nowhere else.

use std::path::PathBuf;

use super::{Chat, Text, number_after};

/// How somebody comes to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// With `parlor chat`.
    Client,
    /// With text lines over a plain socket.
    Lines,
}

pub(crate) enum Person {
    Chat(Chat),
    Text(Text),
}

/// A file that somebody is asked to take.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) transfer: u64,
    pub(crate) from: String,
    pub(crate) name: String,
    pub(crate) size: u64,
}

impl Person {
    pub(crate) fn type_line(&mut self, line: &str) {
        match self {
            Self::Chat(chat) => chat.type_line(line),
            Self::Text(text) => text.type_line(line),
        }
    }

    /// See [`super::Lines::expect`].
    pub(crate) fn expect(&mut self, what: &str) -> String {
        self.expect_any(&[what])
    }

    pub(crate) fn expect_any(&mut self, what: &[&str]) -> String {
        match self {
            Self::Chat(chat) => {
                let words: Vec<String> = what.iter().map(|what| without_code(what)).collect();
                chat.lines.expect_any(&words.iter().map(String::as_str).collect::<Vec<_>>())
            }
            Self::Text(text) => text.lines.expect_any(what),
        }
    }

    /// Says something that so many others hear. Over text lines that is told; a client tells only
    /// that nobody heard it, and never of a whisper.
    pub(crate) fn say(&mut self, line: &str, heard: usize) {
        self.type_line(line);
        match (&self, heard) {
            (_, 0) => drop(self.expect("* heard by nobody")),
            (Self::Text(_), _) => drop(self.expect(&format!("* heard by {heard}"))),
            (Self::Chat(_), _) => assert_eq!(self.count(&format!("* heard by {heard}")), 0),
        }
    }

    /// Types a line and waits for what it brings.
    pub(crate) fn ask(&mut self, line: &str, what: &str) -> String {
        self.type_line(line);
        self.expect(what)
    }

    /// Waits until everything that was sent to this person before now is here.
    pub(crate) fn sync(&mut self) {
        self.ask("/ping", "* pong");
    }

    /// All lines until now that contain `what`.
    pub(crate) fn all(&mut self, what: &str) -> Vec<String> {
        self.sync();
        let lines = match self {
            Self::Chat(chat) => &chat.lines,
            Self::Text(text) => &text.lines,
        };
        lines.all(what).into_iter().map(str::to_owned).collect()
    }

    pub(crate) fn count(&mut self, what: &str) -> usize {
        self.all(what).len()
    }

    /// Joins a room and is in it.
    pub(crate) fn join(&mut self, room: &str) -> String {
        self.ask(&format!("/join {room}"), &format!("* you are in {room}: "))
    }

    /// Announces a file. Answers with the number and the place in line, 0 for a slot.
    pub(crate) fn announce(
        &mut self,
        name: &str,
        content: &[u8],
        to: &str,
    ) -> Result<(u64, u64), String> {
        match self {
            Self::Chat(chat) => {
                let folder = chat.dir().join("out");
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join(name), content).unwrap();
                chat.type_line(&format!("/sendfile out/{name} {to}"));
            }
            Self::Text(text) => {
                text.type_line(&format!("/sendfile {name} {to} {}", content.len()));
            }
        }
        let line = match self {
            Self::Chat(chat) => chat.lines.expect_any(&[
                ": upload begins, waited ",
                &format!("{name} queued "),
                "! ",
            ]),
            Self::Text(text) => text.lines.expect_any(&[": has a slot", ": waits at place ", "! "]),
        };
        if line.starts_with("! ") {
            // The client says which file it was.
            return Err(line.replacen(&format!("{name}: "), "", 1));
        }
        let place = [" queued ", "waits at place "].iter().find(|word| line.contains(**word));
        let place = place.map_or(0, |word| number_after(&line, word));
        Ok((number_after(&line, "* transfer "), place))
    }

    /// Sends what was announced, once it has a slot, until the server has all of it.
    pub(crate) fn upload(&mut self, transfer: u64, content: &[u8]) {
        match self {
            Self::Chat(chat) => {
                if let Some(gate) = &chat.gate {
                    gate.open();
                }
                let line = chat.lines.expect_any(&[" sent", "! "]);
                assert!(line.starts_with(&format!("* transfer {transfer}: ")), "{line}");
                assert!(line.ends_with(" sent"), "{line}");
            }
            Self::Text(text) => {
                text.send_chunks(transfer, content);
                text.lines.expect(&format!("* transfer {transfer}: handed over"));
            }
        }
    }

    /// The next file that this person is asked to take.
    pub(crate) fn offer(&mut self) -> Offer {
        let line = self.expect(" sends you ");
        let (head, tail) = line.split_once(" sends you ").unwrap();
        let (name, _) = tail.rsplit_once(" (").unwrap();
        Offer {
            transfer: number_after(head, "* transfer "),
            from: head.rsplit(' ').next().unwrap().to_owned(),
            name: name.to_owned(),
            size: number_after(&tail[name.len()..], "("),
        }
    }

    /// Takes a file that was offered. Answers with its content and, of a client, where it is; its
    /// sender hears of that.
    pub(crate) fn take(&mut self, offer: &Offer) -> (Vec<u8>, Option<PathBuf>) {
        let transfer = offer.transfer;
        self.type_line(&format!("/get {transfer}"));
        match self {
            Self::Chat(chat) => {
                let saved = format!("* transfer {transfer}: verified, saved as ");
                let line = chat.lines.expect(&saved);
                let path = chat.dir().join(&line[saved.len()..]);
                (std::fs::read(&path).unwrap(), Some(path))
            }
            Self::Text(text) => {
                let content = text.take_chunks(transfer, offer.size);
                text.type_line(&format!("/received {transfer}"));
                text.lines.expect("* done");
                (content, None)
            }
        }
    }

    /// Ends without a goodbye.
    pub(crate) fn kill(&mut self) {
        match self {
            Self::Chat(chat) => chat.kill(),
            Self::Text(text) => text.hang_up(),
        }
    }

    /// Waits for the end of the conversation; the exit code is asked of a client only.
    pub(crate) fn expect_end(&mut self, exit_code: i32) {
        match self {
            Self::Chat(chat) => assert_eq!(chat.expect_exit(), Some(exit_code)),
            Self::Text(text) => text.lines.expect_end(),
        }
    }
}

/// A refusal as the client words it: the code is for programs, and people with netcat.
fn without_code(what: &str) -> String {
    let refusal = what.strip_prefix("! ").and_then(|refusal| refusal.split_once(": "));
    match refusal {
        Some((code, text)) if code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => {
            format!("! {text}")
        }
        _ => what.to_owned(),
    }
}
