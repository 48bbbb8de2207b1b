//! What a typed line means to this client, which has files where a person with netcat has none.
//!
//! Knows `front::slash`, the one parser of slash commands, and takes from it only what is different
//! here. The rule it keeps: what is no command is refused here and never sent, as chat or
//! otherwise.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::front::{Incoming, slash};
use crate::message::{Command, Op, Refusal};

/// What is to be done about a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish<'a> {
    /// Nothing: the line was empty.
    Nothing,
    /// Ask the server.
    Ask(Command<'a>),
    /// Send a local file to a user.
    SendFile {
        /// Where it is.
        path: PathBuf,
        /// The receiver.
        user: &'a str,
    },
    /// Make an account, with a password that is still to be asked for.
    Register {
        /// The name wanted.
        user: &'a str,
    },
    /// Change the password; both are still to be asked for.
    Passwd,
    /// Show [`help`].
    Help,
    /// Say no.
    Refuse(Refusal),
}

/// Reads a line.
pub(super) fn parse(line: &str) -> Wish<'_> {
    let (word, arguments) = slash::split_word(line.strip_prefix('/').unwrap_or_default());
    match slash::find(word).map(|usage| usage.op) {
        Some(Op::SendFile) => send_file(arguments),
        Some(Op::Help) => Wish::Help,
        Some(Op::Register) if !arguments.is_empty() && !arguments.contains([' ', '\t']) => {
            Wish::Register { user: arguments }
        }
        Some(Op::Passwd) if arguments.is_empty() => Wish::Passwd,
        Some(op @ (Op::Chunk | Op::Received | Op::Got)) => by_itself(op),
        // No `_`: a new op should be asked whether it is different here.
        Some(
            Op::Hello
            | Op::Login
            | Op::Register
            | Op::Passwd
            | Op::Logout
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
            | Op::Accept
            | Op::Reject
            | Op::Cancel,
        )
        | None => shared(line),
    }
}

/// The text of `/help`: the server's, with this client's own form of what is different.
pub(super) fn help() -> String {
    let mut text = String::new();
    for usage in slash::COMMANDS {
        if [Op::Chunk, Op::Received, Op::Got].contains(&usage.op) {
            continue;
        }
        // Passwords can be typed behind these, where everybody sees them.
        let (arguments, about) = if usage.op == Op::SendFile {
            (" FILE USER", "send a file of yours to a user")
        } else if usage.op == Op::Login {
            (" NAME", usage.about)
        } else if usage.op == Op::Register {
            (" NAME", "make the name yours, with a password that is asked for")
        } else if usage.op == Op::Passwd {
            ("", "change your password; both are asked for")
        } else {
            (usage.arguments, usage.about)
        };
        let form = format!("/{}{arguments}", usage.words[0]);
        let _ = writeln!(text, "{form:<26} {about}");
    }
    text
}

/// Bytes of what people wrote in it.
pub(super) fn length(command: &Command<'_>) -> usize {
    match command {
        Command::Login { user, .. }
        | Command::Register { user, .. }
        | Command::Block { user }
        | Command::Unblock { user } => user.len(),
        Command::Join { room } => room.len(),
        Command::Say { text, .. } | Command::Broadcast { text } => text.len(),
        Command::Whisper { user, text } => user.len() + text.len(),
        Command::Who { room } => room.as_ref().map_or(0, |room| room.len()),
        Command::SendFile { user, name, .. } => user.len() + name.len(),
        Command::Passwd { old, new } => old.0.len() + new.0.len(),
        Command::Hello { .. }
        | Command::Logout
        | Command::Got { .. }
        | Command::WhoElse { .. }
        | Command::Blocked
        | Command::Leave
        | Command::Rooms
        | Command::Queue
        | Command::Help
        | Command::Ping
        | Command::Exit
        | Command::Accept { .. }
        | Command::Reject { .. }
        | Command::Received { .. }
        | Command::Cancel { .. } => 0,
    }
}

fn shared(line: &str) -> Wish<'_> {
    match slash::parse(line) {
        Incoming::Request { command: Ok(command), .. } => Wish::Ask(command),
        Incoming::Request { command: Err(refusal), .. } => Wish::Refuse(refusal),
        Incoming::Chunk { .. } => by_itself(Op::Chunk),
        Incoming::Empty | Incoming::Nothing => Wish::Nothing,
    }
}

fn send_file(arguments: &str) -> Wish<'_> {
    match slash::split_last_word(arguments) {
        Some((path, user)) => Wish::SendFile { path: path.into(), user },
        None => bad_request("write it as /sendfile FILE USER"),
    }
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
        for line in ["/broadcats hi", "/", "//x", "/ say hi", "/sendfiles a b"] {
            assert_eq!(refused(line), "unknown_op", "{line}");
        }
        let said = Command::Say { text: "sendfile a b".into(), me: false };
        assert_eq!(parse("sendfile a b"), Wish::Ask(said));
        assert_eq!(parse(" "), Wish::Nothing);
    }

    #[test]
    fn a_file_is_named_by_its_path_and_may_have_blanks() {
        let wish = Wish::SendFile { path: "./a b/c d.pdf".into(), user: "bob" };
        assert_eq!(parse("/sendfile  ./a b/c d.pdf bob"), wish);
        assert_eq!(parse("/SendFile a 12"), Wish::SendFile { path: "a".into(), user: "12" });
        for line in ["/sendfile", "/sendfile bob"] {
            assert_eq!(refused(line), "bad_request", "{line}");
        }
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
        assert!(text.contains("/sendfile FILE USER  "), "{text}");
        assert!(text.contains("/whisper USER TEXT"));
        assert!(text.contains("/login NAME  "), "a name that was refused needs it");
        for absent in ["/chunk", "/received", "/got", "SIZE", "PASSWORD"] {
            assert!(!text.contains(absent), "{absent}");
        }
        assert_eq!(parse("/help"), Wish::Help);
    }
}
