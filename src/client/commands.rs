//! What a typed line means to this client, which has files where a person with netcat has none.
//!
//! Knows `front::slash`, the one parser of slash commands, and takes from it only what is different
//! here. The rule it keeps: what is no command is refused here and never sent, as chat or
//! otherwise.

use std::fmt::Write as _;

use crate::front::{Incoming, slash};
use crate::id::TransferId;
use crate::message::{Command, Op, Refusal, visible};

/// Characters of a line that are repeated when it was not answered or not sent.
const REPEATED_MAX: usize = 60;

/// What is to be done about a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish<'a> {
    /// Nothing: the line was empty.
    Nothing,
    /// Ask the server.
    Ask(Command<'a>),
    /// Send a local file.
    SendFile {
        /// Its path, for the current room, if there is such a file.
        whole: &'a str,
        /// Otherwise its path and the receiver.
        parts: Option<(&'a str, &'a str)>,
    },
    /// Put a local file on a shelf.
    Upload {
        /// Its path.
        path: &'a str,
    },
    /// Take a file.
    Get {
        /// Which.
        wanted: Wanted<'a>,
    },
    /// Take all files that arrive from now on, or none without being asked.
    AcceptAll(bool),
    /// Do not send a file that has no number yet.
    CancelNamed(&'a str),
    /// Make an account, with a password that is still to be asked for.
    Register {
        /// The name wanted.
        user: &'a str,
    },
    /// Change the password; both are still to be asked for.
    Passwd,
    /// Show [`help`].
    Help,
    /// Show which rooms we are in.
    Where,
    /// Say no.
    Refuse(Refusal),
}

/// By what a file is meant, and under which name it is to be saved here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted<'a> {
    /// Its number.
    Number {
        /// Which.
        transfer: TransferId,
        /// The local name; without one, the file's own.
        local: Option<&'a str>,
    },
    /// Its name. If nothing is called so, what stands before the last word is the name, and the
    /// last word is the local one.
    Name(&'a str),
}

/// Reads a line.
pub(super) fn parse(line: &str) -> Wish<'_> {
    let (word, arguments) = slash::split_word(line.strip_prefix('/').unwrap_or_default());
    match slash::find(word).map(|usage| usage.op) {
        Some(Op::SendFile) => send_file(arguments),
        Some(Op::Upload) if arguments.is_empty() => bad_request("write it as /upload FILE"),
        Some(Op::Upload) => Wish::Upload { path: arguments },
        Some(Op::Get) => get(word, arguments),
        Some(Op::Cancel) if !arguments.is_empty() && number(arguments).is_none() => {
            Wish::CancelNamed(arguments)
        }
        Some(Op::Help) => Wish::Help,
        Some(Op::Register) if !arguments.is_empty() && !arguments.contains([' ', '\t']) => {
            Wish::Register { user: arguments }
        }
        Some(Op::Passwd) if arguments.is_empty() => Wish::Passwd,
        Some(Op::Room) if arguments.is_empty() => Wish::Where,
        Some(op @ (Op::Chunk | Op::Received | Op::Got)) => by_itself(op),
        // No `_`: a new op should be asked whether it is different here.
        Some(
            Op::Hello
            | Op::Login
            | Op::Register
            | Op::Passwd
            | Op::Logout
            | Op::Sessions
            | Op::EndSession
            | Op::Room
            | Op::Broadcast
            | Op::WhoElse
            | Op::Block
            | Op::Unblock
            | Op::Blocked
            | Op::Join
            | Op::Leave
            | Op::Say
            | Op::Whisper
            | Op::Rooms
            | Op::Who
            | Op::Queue
            | Op::Ping
            | Op::Exit
            | Op::Files
            | Op::Reject
            | Op::Cancel
            | Op::Remove,
        )
        | None => shared(line),
    }
}

/// What only newer servers know, as it is written.
const NEWER: [(Op, &str); 6] = [
    (Op::Join, "/open ROOM"),
    (Op::Room, "/room ROOM"),
    (Op::Leave, "/leave ROOM"),
    (Op::Sessions, "/sessions"),
    (Op::EndSession, "/end N"),
    (Op::Logout, "/logout all"),
];

/// The form of what an older server does not know, or would do something else for: of `/open` it
/// knows how to join a room, which leaves the one before.
pub(super) fn newer(wish: &Wish<'_>) -> Option<&'static str> {
    let Wish::Ask(command) = wish else { return None };
    let older = matches!(
        command,
        Command::Join { open: false, .. }
            | Command::Leave { room: None }
            | Command::Logout { all: false }
    );
    NEWER.iter().find(|(op, _)| !older && *op == command.op()).map(|(_, form)| *form)
}

/// What is written otherwise here than by a person with netcat. Behind the words for passwords
/// they could be typed too, where everybody sees them.
const OWN_FORMS: &[(Op, &str, &str)] = &[
    (Op::SendFile, " FILE [USER]", "send a file to a user, or to your room"),
    (Op::Upload, " FILE", "put a file on the shelf of your room, or else the public one"),
    (Op::Get, " N|FILE [AS]", "download a file (and save it as AS)"),
    (Op::Cancel, " N|FILE", "stop the upload or download of a file"),
    (Op::Login, " NAME", "log in: NAME is 1 to 16 letters and digits"),
    (Op::Register, " NAME", "create an account; you are asked for a password"),
    (Op::Passwd, "", "change your password; you are asked for both"),
    (Op::Room, " [ROOM]", "make another of your rooms the current one; without ROOM, list them"),
];

/// The text of `/help`: the server's, with this client's own form of what is different.
pub(super) fn help() -> String {
    let mut text = String::new();
    for usage in slash::COMMANDS {
        if [Op::Chunk, Op::Received, Op::Got].contains(&usage.op) {
            continue;
        }
        let own = OWN_FORMS.iter().find(|(op, ..)| *op == usage.op);
        let (arguments, about) = match own {
            Some((_, arguments, about)) => (*arguments, *about),
            None => (usage.arguments, usage.about),
        };
        if usage.op == Op::Get {
            let _ = writeln!(
                text,
                "{:<26} download all files sent to you at once, or none by itself",
                "/accept on|off"
            );
        }
        let form = format!("/{}{arguments}", usage.words[0]);
        let _ = writeln!(text, "{form:<26} {about}");
    }
    text
}

/// The beginning of a line, visible; of a line with passwords, its command alone.
pub(super) fn shortly(line: &str) -> String {
    let word = line.split([' ', '\t']).next().unwrap_or_default();
    let secret = ["/login", "/register", "/passwd"];
    if secret.iter().any(|known| word.eq_ignore_ascii_case(known)) {
        return visible(word).to_string();
    }
    let mut text: String = line.chars().take(REPEATED_MAX).collect();
    if text.len() < line.len() {
        text.push('…');
    }
    visible(&text).to_string()
}

fn shared(line: &str) -> Wish<'_> {
    match slash::parse(line) {
        Incoming::Request { command: Ok(command), .. } => Wish::Ask(command),
        Incoming::Request { command: Err(refusal), .. } => Wish::Refuse(refusal),
        Incoming::Chunk { .. } => by_itself(Op::Chunk),
        Incoming::Empty | Incoming::Nothing | Incoming::Own(_) => Wish::Nothing,
    }
}

fn send_file(arguments: &str) -> Wish<'_> {
    match arguments {
        "" => bad_request("write it as /sendfile FILE USER, or /sendfile FILE for your room"),
        whole => Wish::SendFile { whole, parts: slash::split_last_word(whole) },
    }
}

fn get<'a>(word: &str, arguments: &'a str) -> Wish<'a> {
    if word.eq_ignore_ascii_case("accept") && matches!(arguments, "on" | "off") {
        return Wish::AcceptAll(arguments == "on");
    }
    let (first, rest) = slash::split_word(arguments);
    match number(first) {
        Some(transfer) => {
            let local = (!rest.is_empty()).then_some(rest);
            Wish::Get { wanted: Wanted::Number { transfer, local } }
        }
        None if arguments.is_empty() => bad_request("write it as /get N [AS] or /get FILE [AS]"),
        None => Wish::Get { wanted: Wanted::Name(arguments) },
    }
}

fn number(word: &str) -> Option<TransferId> {
    word.parse().ok().map(TransferId)
}

fn by_itself(op: Op) -> Wish<'static> {
    bad_request(&format!("this client does /{} by itself; see /help", op.name()))
}

fn bad_request(text: &str) -> Wish<'static> {
    Wish::Refuse(Refusal::BadRequest(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> &'static str {
        match parse(line) {
            Wish::Refuse(refusal) => refusal.code(),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_mistyped_command_is_refused_and_never_said() {
        for line in ["/broadcats hi", "/", "/ say hi", "/sendfiles a b"] {
            assert_eq!(refused(line), "unknown_op", "{line}");
        }
        let said = Command::Say { text: "sendfile a b".into(), me: false, room: None };
        assert_eq!(parse("sendfile a b"), Wish::Ask(said));
        assert_eq!(parse(" "), Wish::Nothing);
    }

    #[test]
    fn a_file_is_named_by_its_path_and_may_have_blanks() {
        let (whole, parts) = ("./a b/c d.pdf bob", Some(("./a b/c d.pdf", "bob")));
        assert_eq!(parse("/sendfile  ./a b/c d.pdf bob"), Wish::SendFile { whole, parts });
        assert_eq!(parse("/SendFile a"), Wish::SendFile { whole: "a", parts: None });
        assert_eq!(parse("/upload a b"), Wish::Upload { path: "a b" });
        for line in ["/sendfile", "/upload", "/upload "] {
            assert_eq!(refused(line), "bad_request", "{line}");
        }
    }

    #[test]
    fn a_file_is_taken_by_its_number_or_its_name_and_saved_under_another() {
        let number =
            |local| Wish::Get { wanted: Wanted::Number { transfer: TransferId(7), local } };
        for word in ["get", "accept", "download", "GET"] {
            assert_eq!(parse(&format!("/{word} 7")), number(None), "{word}");
        }
        assert_eq!(parse("/get 7 a b.pdf"), number(Some("a b.pdf")));
        assert_eq!(parse("/download a b"), Wish::Get { wanted: Wanted::Name("a b") });
        assert_eq!(parse("/accept on"), Wish::AcceptAll(true));
        assert_eq!(parse("/accept off"), Wish::AcceptAll(false));
        assert_eq!(parse("/get on"), Wish::Get { wanted: Wanted::Name("on") });
        assert_eq!(refused("/get"), "bad_request");
        assert_eq!(parse("/cancel a b.pdf"), Wish::CancelNamed("a b.pdf"));
        assert!(matches!(parse("/cancel 7"), Wish::Ask(Command::Cancel { .. })));
        assert_eq!(refused("/cancel"), "bad_request");
    }

    #[test]
    fn passwords_that_are_left_out_are_asked_for() {
        assert_eq!(parse("/register bob"), Wish::Register { user: "bob" });
        assert_eq!(parse("/PASSWD "), Wish::Passwd);
        assert!(matches!(parse("/register bob open sesame"), Wish::Ask(Command::Register { .. })));
        assert!(matches!(parse("/passwd old new"), Wish::Ask(Command::Passwd { .. })));
        for line in ["/register", "/passwd old"] {
            assert_eq!(refused(line), "bad_request", "{line}");
        }
    }

    #[test]
    fn what_this_client_does_by_itself_cannot_be_typed() {
        for line in ["/chunk 7 YWJj", "/chunk", "/received 7", "/RECEIVED x", "/got 1"] {
            assert_eq!(refused(line), "bad_request", "{line}");
        }
    }

    #[test]
    fn help_shows_what_can_be_typed_here() {
        let text = help();
        for form in ["/sendfile FILE [USER]  ", "/upload FILE  ", "/get N|FILE [AS]  "] {
            assert!(text.contains(form), "{form}: {text}");
        }
        assert!(text.contains("/accept on|off ") && text.contains("/files [PATTERN] "));
        assert!(text.contains("/whisper USER TEXT"));
        assert!(text.contains("/login NAME  "), "a name that was refused needs it");
        for absent in ["/chunk", "/received", "/got", "SIZE", "HASH", "PASSWORD"] {
            assert!(!text.contains(absent), "{absent}");
        }
        assert_eq!(parse("/help"), Wish::Help);
        assert!(text.contains("/room [ROOM] ") && parse("/room ") == Wish::Where);
    }
}
