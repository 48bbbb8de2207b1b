//! What a client reads, in one form for both protocols. Every byte must be part of a whole message.

use parlor::front::native::{FromServer, parse_server};
use parlor::front::{slash, text};
use parlor::message::{Event, FileLine, Reply, visible};

/// Longest frame of a server.
const FRAME_MAX: usize = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Hello,
    Answer {
        id: Option<u64>,
        answer: Result<Yes, String>,
    },
    /// Something that others did, in text notation.
    Line(String),
    /// Something was said to this user alone. The number is that of a letter, where the protocol
    /// tells whether it is one.
    Whispered {
        line: String,
        text: String,
        number: Option<Option<u64>>,
    },
    LoggedOut,
    Queued {
        transfer: u32,
        place: u32,
        of: u32,
    },
    Admitted {
        transfer: u32,
        credit: u64,
        offset: u64,
    },
    Credit {
        transfer: u32,
        bytes: u64,
    },
    Offered {
        transfer: u32,
        /// All that is told about it, where the protocol tells all.
        line: Option<FileLine>,
        from: String,
        size: u64,
    },
    Receipt {
        transfer: u32,
        by: String,
        took: bool,
    },
    Ended {
        transfer: u32,
        how: String,
    },
    Ping,
    Bye {
        reason: String,
        missed: u64,
    },
    Chunk {
        transfer: u32,
        bytes: Vec<u8>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Yes {
    Done,
    Welcome { user: String, token: String, in_room: bool },
    PasswordChanged { token: String },
    LoggedOut,
    Kept,
    WhoElse,
    Blocked,
    Joined,
    Left,
    Heard,
    Rooms,
    Who,
    Queue { slots: u64, used: u64, waiting: u64 },
    Help,
    Pong,
    Announced { transfer: u32, place: u32 },
    Files { files: Vec<u32>, more: bool, lines: Vec<FileLine> },
    Getting { transfer: u32, line: Option<FileLine>, offset: u64 },
}

impl Heard {
    /// What it is, short enough for a complaint.
    pub(crate) fn brief(&self) -> String {
        format!("{self:?}").chars().take(80).collect()
    }
}

/// The unread part of a stream.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) bytes: Vec<u8>,
    /// Lines that still belong to the answer before.
    more_lines: u64,
    /// A list of files that may continue, and whether there are more than it tells.
    listing: Option<(Vec<u32>, bool)>,
    /// What came behind it.
    behind: Option<Heard>,
}

impl Stream {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.more_lines == 0 && self.behind.is_none()
    }

    pub(crate) fn next(&mut self, native: bool) -> Option<Heard> {
        if let Some(behind) = self.behind.take() {
            return Some(behind);
        }
        if native && self.bytes.first().is_none_or(|&first| first == 0) {
            return self.next_frame();
        }
        loop {
            let line = self.next_line()?;
            if self.more_lines > 0 {
                assert!(line.starts_with("* "), "an answer breaks off: {line}");
                self.more_lines -= 1;
                continue;
            }
            if self.is_listed(&line) {
                continue;
            }
            let heard = read_line(&line);
            self.more_lines = match &heard {
                Heard::Answer { answer: Ok(Yes::Help), .. } => slash::COMMANDS.len() as u64 - 1,
                Heard::Answer { answer: Ok(Yes::Queue { used, waiting, .. }), .. } => {
                    used + waiting
                }
                _ => 0,
            };
            return Some(match self.listing.take() {
                Some((files, more)) => {
                    self.behind = Some(heard);
                    yes(Yes::Files { files, more, lines: Vec::new() })
                }
                None => heard,
            });
        }
    }

    /// Whether a line is one of a list of files.
    fn is_listed(&mut self, line: &str) -> bool {
        if let Some(rest) = line.strip_prefix("* file ") {
            let number = first_number(rest).try_into().unwrap();
            self.listing.get_or_insert_default().0.push(number);
            true
        } else if line.starts_with("* there are more; ") {
            self.listing.as_mut().expect("some were told").1 = true;
            true
        } else {
            false
        }
    }

    fn next_frame(&mut self) -> Option<Heard> {
        let (message, taken) = parse_server(&self.bytes, FRAME_MAX).expect("a frame")?;
        let heard = match message {
            FromServer::Answer { id, answer } => {
                Heard::Answer { id, answer: answer.map(read_reply).map_err(|no| no.code) }
            }
            FromServer::Event(event) => read_event(&event),
            FromServer::Chunk { transfer, bytes } => {
                Heard::Chunk { transfer: transfer.0, bytes: bytes.to_vec() }
            }
            FromServer::Unknown => panic!("no message: {:?}", &self.bytes[..taken]),
        };
        self.bytes.drain(..taken);
        Some(heard)
    }

    fn next_line(&mut self) -> Option<String> {
        let end = self.bytes.iter().position(|&byte| byte == b'\n')?;
        let line: Vec<u8> = self.bytes.drain(..=end).collect();
        let line = String::from_utf8(line).expect("lines are UTF-8");
        Some(line.strip_suffix("\r\n").expect("lines end with CR LF").to_owned())
    }
}

fn read_reply(reply: Reply) -> Yes {
    match reply {
        Reply::Done => Yes::Done,
        other @ (Reply::Able { .. } | Reply::Current { .. } | Reply::Sessions { .. }) => {
            panic!("not asked here: {other:?}")
        }
        Reply::Welcome { user, token, room, .. } => {
            Yes::Welcome { user: user.to_string(), token, in_room: room.is_some() }
        }
        Reply::PasswordChanged { token } => Yes::PasswordChanged { token },
        Reply::LoggedOut => Yes::LoggedOut,
        Reply::Kept { .. } => Yes::Kept,
        Reply::WhoElse { .. } => Yes::WhoElse,
        Reply::Blocked { .. } => Yes::Blocked,
        Reply::Joined { .. } => Yes::Joined,
        Reply::Left { .. } => Yes::Left,
        Reply::Heard { .. } => Yes::Heard,
        Reply::Rooms { .. } => Yes::Rooms,
        Reply::Who { .. } => Yes::Who,
        Reply::Help { .. } => Yes::Help,
        Reply::Pong => Yes::Pong,
        Reply::Announced { transfer, place } => Yes::Announced { transfer: transfer.0, place },
        Reply::Files { files, more } => {
            let numbers = files.iter().map(|line| line.transfer.0).collect();
            Yes::Files { files: numbers, more, lines: files }
        }
        Reply::Getting { file, offset } => {
            Yes::Getting { transfer: file.transfer.0, line: Some(file), offset }
        }
        Reply::Queue { slots, used, waiting, uploads } => {
            let places: Vec<u32> = uploads.iter().map(|u| u.place).filter(|&p| p > 0).collect();
            let expected: Vec<u32> = (1..=u32::try_from(places.len()).unwrap()).collect();
            assert_eq!(places, expected, "the places of the line");
            let in_slots = uploads.len() - places.len();
            assert_eq!(in_slots, used as usize, "slots in use");
            assert_eq!(places.len(), waiting as usize, "length of the line");
            Yes::Queue { slots: slots.into(), used: used.into(), waiting: places.len() as u64 }
        }
    }
}

fn read_event(event: &Event) -> Heard {
    match event {
        Event::Hello { .. } => Heard::Hello,
        Event::Whispered { text, letter, .. } => Heard::Whispered {
            line: text::describe_event(event),
            text: visible(text.as_str()).to_string(),
            number: Some(letter.map(|letter| letter.0)),
        },
        Event::LoggedOut { .. } => Heard::LoggedOut,
        Event::Said { .. }
        | Event::Broadcast { .. }
        | Event::Online { .. }
        | Event::Offline { .. }
        | Event::Joined { .. }
        | Event::Left { .. } => Heard::Line(text::describe_event(event)),
        Event::Queued { transfer, place, of } => {
            Heard::Queued { transfer: transfer.0, place: *place, of: *of }
        }
        Event::Admitted { transfer, credit, offset, .. } => {
            Heard::Admitted { transfer: transfer.0, credit: *credit, offset: *offset }
        }
        Event::Credit { transfer, bytes } => Heard::Credit { transfer: transfer.0, bytes: *bytes },
        Event::Offered { file } => Heard::Offered {
            transfer: file.transfer.0,
            line: Some(file.clone()),
            from: file.from.to_string(),
            size: file.size,
        },
        Event::Receipt { transfer, by, took, .. } => {
            Heard::Receipt { transfer: transfer.0, by: by.to_string(), took: *took }
        }
        Event::Ended { transfer, how } => {
            Heard::Ended { transfer: transfer.0, how: how.to_string() }
        }
        Event::Ping => Heard::Ping,
        Event::Bye { reason, missed, .. } => {
            Heard::Bye { reason: reason.to_string(), missed: *missed }
        }
    }
}

fn yes(yes: Yes) -> Heard {
    Heard::Answer { id: None, answer: Ok(yes) }
}

/// Reads a line of the text protocol. The notation is regular enough for its first words to tell.
fn read_line(line: &str) -> Heard {
    if let Some(reason) = line.strip_prefix("parlor: ") {
        let reason = reason.split("; ").next().unwrap_or_default();
        return Heard::Bye { reason: reason.to_owned(), missed: 0 };
    }
    if let Some(no) = line.strip_prefix("! ") {
        let code = no.split_once(": ").expect("a refusal has a code").0;
        return Heard::Answer { id: None, answer: Err(code.to_owned()) };
    }
    if let Some(chunk) = line.strip_prefix("/chunk ") {
        let (transfer, base64) = chunk.split_once(' ').expect("a chunk has bytes");
        let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, base64).unwrap();
        return Heard::Chunk { transfer: transfer.parse().unwrap(), bytes };
    }
    let Some(rest) = line.strip_prefix("* ") else { return read_talk(line) };
    if let Some(bye) = rest.strip_prefix("bye: ") {
        let reason = bye.split("; ").next().unwrap_or_default().to_owned();
        let missed = bye.split_once("you missed ").map_or(0, |(_, rest)| first_number(rest));
        return Heard::Bye { reason, missed };
    }
    if let Some(rest) = rest.strip_prefix("transfer ") {
        return read_transfer(rest);
    }
    if rest.starts_with("sim: ") {
        return Heard::Hello;
    }
    if rest.ends_with(" is online") || rest.ends_with(" is offline") {
        return Heard::Line(line.to_owned());
    }
    if rest.starts_with("you are logged out: ") {
        return Heard::LoggedOut;
    }
    read_answer(rest)
}

fn read_talk(line: &str) -> Heard {
    match line.split_once(" whispers: ") {
        Some((from, text)) if !from.contains(' ') => {
            Heard::Whispered { line: line.to_owned(), text: text.to_owned(), number: None }
        }
        _ => Heard::Line(line.to_owned()),
    }
}

fn read_answer(rest: &str) -> Heard {
    let words: Vec<&str> = rest.split([' ', ',', ';']).collect();
    match words[0] {
        "done" => yes(Yes::Done),
        "ping" => Heard::Ping,
        "welcome" => {
            let in_room = words[1] == "back";
            let user = if in_room { words[3] } else { words[2] };
            yes(Yes::Welcome { user: user.to_owned(), token: String::new(), in_room })
        }
        "your" => yes(Yes::PasswordChanged { token: String::new() }),
        "sent" => yes(Yes::Kept),
        _ if rest.ends_with("is offline; kept until they log in") => yes(Yes::Kept),
        "you" if rest.starts_with("you are logged out;") => yes(Yes::LoggedOut),
        "others" => yes(Yes::WhoElse),
        "blocked" => yes(Yes::Blocked),
        "pong" => yes(Yes::Pong),
        "heard" => yes(Yes::Heard),
        "/login" => yes(Yes::Help),
        "there" if rest.ends_with("no files for you") => {
            yes(Yes::Files { files: Vec::new(), more: false, lines: Vec::new() })
        }
        "there" => yes(Yes::Rooms),
        "you" if rest.starts_with("you left") => yes(Yes::Left),
        "you" => yes(Yes::Joined),
        _ => read_count(rest),
    }
}

fn read_count(rest: &str) -> Heard {
    let words: Vec<&str> = rest.split(' ').collect();
    match words[1] {
        "of" => {
            let number = |index: usize| first_number(words[index]);
            yes(Yes::Queue { slots: number(2), used: number(0), waiting: number(6) })
        }
        "room:" | "rooms:" => yes(Yes::Rooms),
        "in" | "online:" => yes(Yes::Who),
        _ => panic!("a line that means nothing: {rest}"),
    }
}

fn read_transfer(rest: &str) -> Heard {
    let (number, rest) = rest.split_once(": ").expect("a transfer has news");
    let transfer: u32 = number.parse().unwrap();
    let words: Vec<&str> = rest.split(' ').collect();
    match words[0] {
        "begins" | "begins:" => {
            let offset = rest.split_once("from byte ").map_or(0, |(_, rest)| first_number(rest));
            yes(Yes::Getting { transfer, line: None, offset })
        }
        by if words.get(1) == Some(&"downloaded") => {
            Heard::Receipt { transfer, by: by.to_owned(), took: true }
        }
        by if words.get(1) == Some(&"refused") => {
            Heard::Receipt { transfer, by: by.to_owned(), took: false }
        }
        "has" => yes(Yes::Announced { transfer, place: 0 }),
        "waits" if words.len() == 4 => {
            yes(Yes::Announced { transfer, place: words[3].parse().unwrap() })
        }
        "waits" => {
            let (place, of) = (words[3].parse().unwrap(), words[5].parse().unwrap());
            Heard::Queued { transfer, place, of }
        }
        "go," => {
            let credit = rest.split_once("credit ").map(|(_, credit)| first_number(credit));
            let offset = rest.split_once("from byte ").map_or(0, |(_, rest)| first_number(rest));
            Heard::Admitted { transfer, credit: credit.unwrap(), offset }
        }
        "credit" => Heard::Credit { transfer, bytes: first_number(words[1]) },
        from if words.get(1) == Some(&"sends") => {
            let size = rest.split_once('(').map(|(_, size)| first_number(size)).unwrap();
            Heard::Offered { transfer, line: None, from: from.to_owned(), size }
        }
        _ => Heard::Ended { transfer, how: rest.to_owned() },
    }
}

fn first_number(text: &str) -> u64 {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().unwrap()
}
