//! Slash commands, as people type them: into netcat, and into the terminal client, through this
//! one parser. They are also the notation of the tests.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Incoming;
use crate::id::{LetterId, TransferId};
use crate::limits::CHUNK_MAX;
use crate::message::{
    Announced, Command, Digest, FileRef, Op, Proof, Refusal, Secret, is_blank, without_mark,
};

/// How a command is written.
pub struct CommandUsage {
    /// Which op it asks for.
    pub op: Op,
    /// Its words, the usual one first, without the slash.
    pub words: &'static [&'static str],
    /// What follows the word.
    pub arguments: &'static str,
    /// What it does, for `/help`.
    pub about: &'static str,
}

/// Every command, in the order of `/help`.
pub const COMMANDS: &[CommandUsage] = &[
    usage(Op::Login, &["login"], " NAME [PASSWORD]", "log in: NAME is 1 to 16 letters and digits"),
    usage(Op::Register, &["register"], " NAME PASSWORD", "create an account, and log in"),
    usage(Op::Passwd, &["passwd"], " OLD NEW", "change your password"),
    usage(Op::Logout, &["logout"], " [all]", "log out; with all, in all your sessions"),
    usage(Op::Sessions, &["sessions"], "", "list where you are logged in"),
    usage(Op::EndSession, &["end"], " N", "end your session N"),
    usage(Op::Join, &["join"], " ROOM", "join a room; it is created if there is none"),
    usage(Op::Join, &["open"], " ROOM", "join a room, and stay in the others"),
    usage(Op::Room, &["room"], " ROOM", "make another of your rooms the current one"),
    usage(Op::Leave, &["leave"], " [ROOM]", "leave the current room, or another of yours"),
    usage(Op::Broadcast, &["broadcast"], " TEXT", "say TEXT to your room, or else to everybody"),
    usage(Op::Say, &["say"], " TEXT", "say TEXT to your room (a line without `/` too)"),
    usage(Op::Say, &["me"], " TEXT", "say TEXT as something you do"),
    usage(Op::Whisper, &["whisper", "message"], " USER TEXT", "say TEXT to one user only"),
    usage(Op::Got, &["got"], " N", "confirm the messages up to N that were kept for you"),
    usage(Op::Rooms, &["rooms"], "", "list the rooms"),
    usage(Op::Who, &["who"], " [ROOM]", "list who is in a room, or online"),
    usage(Op::WhoElse, &["whoelse"], "", "list who else is online"),
    usage(Op::WhoElse, &["whoelsesince"], " SECONDS", "list who else was online within that time"),
    usage(Op::Block, &["block"], " USER", "stop hearing a user"),
    usage(Op::Unblock, &["unblock"], " USER", "hear a user again"),
    usage(Op::Blocked, &["blocked"], "", "list the users that you have blocked"),
    usage(
        Op::SendFile,
        &["sendfile"],
        " FILE USER SIZE [HASH]",
        "send a file; USER * is your room",
    ),
    usage(
        Op::Upload,
        &["upload"],
        " FILE SIZE [HASH]",
        "put a file on the shelf of your room, or else the public one",
    ),
    usage(Op::Files, &["files"], " [PATTERN]", "list the files that you can download"),
    usage(Op::Get, &["get", "accept", "download"], " N|FILE [OFFSET]", "download a file"),
    usage(Op::Chunk, &["chunk"], " N BASE64", "send the next part of file N"),
    usage(Op::Reject, &["reject"], " N", "refuse file N, which was sent to you"),
    usage(Op::Received, &["received"], " N", "confirm that you have all of file N"),
    usage(Op::Cancel, &["cancel"], " N", "stop the upload or download of file N"),
    usage(Op::Remove, &["remove"], " N", "remove your file N from the server"),
    usage(Op::Queue, &["queue"], "", "show the upload queue"),
    usage(Op::Ping, &["ping"], "", "check the connection"),
    usage(Op::Help, &["help"], "", "show this"),
    usage(Op::Exit, &["exit", "quit"], "", "log out and disconnect"),
];

const fn usage(
    op: Op,
    words: &'static [&'static str],
    arguments: &'static str,
    about: &'static str,
) -> CommandUsage {
    CommandUsage { op, words, arguments, about }
}

/// The text of `/help`: one line a command.
#[must_use]
pub fn help() -> String {
    let mut text = String::new();
    for CommandUsage { words, arguments, about, .. } in COMMANDS {
        let form = format!("/{}{arguments}", words[0]);
        let _ = writeln!(text, "{form:<30} {about}");
    }
    text.truncate(text.trim_end().len());
    text
}

/// Reads one line. A line that does not begin with `/` is said to the room; after `//` the rest is
/// said, with one slash. A word after `/` that is no command is refused, never said, and so is a
/// line whose first visible character is a slash: a user meant a command.
#[must_use]
pub fn parse(line: &str) -> Incoming<'_> {
    let line = without_mark(line);
    if line.trim_ascii().is_empty() {
        return Incoming::Nothing;
    }
    let Some(rest) = line.strip_prefix('/') else {
        let hidden = line.trim_start_matches(is_blank).starts_with('/');
        return request(if hidden { Err(late_slash()) } else { Ok(Command::say(line)) });
    };
    if rest.starts_with('/') {
        return request(Ok(Command::say(rest)));
    }
    let (word, arguments) = split_word(rest);
    let Some(usage) = find(word) else {
        return request(Err(Refusal::UnknownOp(word.chars().take(32).collect())));
    };
    if usage.op == Op::Chunk {
        return parse_chunk(arguments).unwrap_or_else(|| request(Err(wrong_form(usage))));
    }
    request(to_command(usage, arguments).ok_or_else(|| wrong_form(usage)))
}

fn late_slash() -> Refusal {
    let what = "a command starts at the first character; //text says a slash";
    Refusal::BadRequest(what.to_owned())
}

fn request(command: Result<Command<'_>, Refusal>) -> Incoming<'_> {
    Incoming::Request { id: None, command }
}

/// The command of a word, whatever its case.
#[must_use]
pub fn find(word: &str) -> Option<&'static CommandUsage> {
    COMMANDS.iter().find(|usage| usage.words.iter().any(|known| known.eq_ignore_ascii_case(word)))
}

fn wrong_form(usage: &CommandUsage) -> Refusal {
    Refusal::BadRequest(format!("write it as /{}{}", usage.words[0], usage.arguments))
}

fn to_command<'a>(usage: &CommandUsage, arguments: &'a str) -> Option<Command<'a>> {
    let one = || single(arguments).map(Cow::Borrowed);
    let transfer = || single(arguments).and_then(parse_transfer);
    let none = |command| arguments.is_empty().then_some(command);
    match usage.op {
        Op::Login => {
            let (user, password) = name_and_secret(arguments)?;
            let proof = password.map_or(Proof::None, Proof::Password);
            Some(Command::Login { user, proof })
        }
        Op::Register => {
            let (user, password) = name_and_secret(arguments)?;
            Some(Command::Register { user, password: password? })
        }
        Op::Passwd => {
            let (old, new) = name_and_secret(arguments)?;
            Some(Command::Passwd { old: Secret(old), new: new? })
        }
        Op::Logout if arguments == "all" => Some(Command::Logout { all: true }),
        Op::Logout => none(Command::Logout { all: false }),
        Op::Sessions => none(Command::Sessions),
        Op::EndSession => Some(Command::EndSession { session: single(arguments)?.parse().ok()? }),
        Op::Join => Some(Command::Join { room: one()?, open: usage.words[0] == "open" }),
        Op::Room => Some(Command::Room { room: one()? }),
        Op::Leave => Some(Command::Leave { room: at_most_one(arguments)? }),
        Op::Say => {
            let (text, me) = (some_text(arguments)?.into(), usage.words[0] == "me");
            Some(Command::Say { text, me, room: None })
        }
        Op::Whisper => {
            let (user, text) = split_word(arguments);
            Some(Command::Whisper { user: user.into(), text: some_text(text)?.into() })
        }
        Op::Broadcast => some_text(arguments).map(|text| Command::Broadcast { text: text.into() }),
        Op::Got => Some(Command::Got { letter: LetterId(single(arguments)?.parse().ok()?) }),
        Op::Rooms => none(Command::Rooms),
        Op::Who => Some(Command::Who { room: at_most_one(arguments)? }),
        Op::WhoElse if usage.words[0] == "whoelse" => none(Command::WhoElse { within_s: None }),
        Op::WhoElse => Some(Command::WhoElse { within_s: Some(single(arguments)?.parse().ok()?) }),
        Op::Block => Some(Command::Block { user: one()? }),
        Op::Unblock => Some(Command::Unblock { user: one()? }),
        Op::Blocked => none(Command::Blocked),
        Op::Queue => none(Command::Queue),
        Op::Help => none(Command::Help),
        Op::Ping => none(Command::Ping),
        Op::Exit => none(Command::Exit),
        Op::SendFile => {
            let (rest, size, hash) = size_and_hash(arguments)?;
            let (name, user) = split_last_word(rest)?;
            let user = (user != "*").then_some(user.into());
            let file = Announced { name: name.into(), size, hash, again: false };
            Some(Command::SendFile { user, room: None, file })
        }
        Op::Upload => {
            let (name, size, hash) = size_and_hash(arguments)?;
            let file = Announced { name: some_text(name)?.into(), size, hash, again: false };
            Some(Command::Upload { room: None, file })
        }
        Op::Files => {
            Some(Command::Files { pattern: some_text(arguments).map(Cow::Borrowed), after: None })
        }
        Op::Get => get(some_text(arguments)?),
        Op::Remove => Some(Command::Remove { transfer: transfer()? }),
        Op::Reject => Some(Command::Reject { transfer: transfer()? }),
        Op::Received => Some(Command::Received { transfer: transfer()? }),
        Op::Cancel => Some(Command::Cancel { transfer: transfer()? }),
        Op::Hello | Op::Chunk => None,
    }
}

/// A word, or nothing; more is neither.
fn at_most_one(arguments: &str) -> Option<Option<Cow<'_, str>>> {
    if arguments.is_empty() { Some(None) } else { single(arguments).map(|one| Some(one.into())) }
}

/// A word and what follows it; a password may have blanks in it.
fn name_and_secret(arguments: &str) -> Option<(Cow<'_, str>, Option<Secret<'_>>)> {
    let (word, rest) = split_word(some_text(arguments)?);
    Some((word.into(), some_text(rest).map(|rest| Secret(rest.into()))))
}

/// What stands before the size of a file, the size, and the hash behind it if there is one.
fn size_and_hash(arguments: &str) -> Option<(&str, u64, Option<Digest>)> {
    let (rest, last) = split_last_word(arguments)?;
    let (rest, size, hash) = match Digest::parse(last) {
        Some(hash) => {
            let (rest, size) = split_last_word(rest)?;
            (rest, size, Some(hash))
        }
        None => (rest, last, None),
    };
    Some((rest, size.parse().ok()?, hash))
}

/// A number, with or without an offset behind it, or else a name.
fn get(arguments: &str) -> Option<Command<'_>> {
    let (first, rest) = split_word(arguments);
    let file = match parse_transfer(first) {
        Some(transfer) if rest.is_empty() || rest.parse::<u64>().is_ok() => {
            let offset = rest.parse().unwrap_or(0);
            return Some(Command::Get { file: FileRef::Number(transfer), offset });
        }
        _ => FileRef::Name(arguments.into()),
    };
    Some(Command::Get { file, offset: 0 })
}

fn parse_chunk(arguments: &str) -> Option<Incoming<'_>> {
    let (transfer, base64) = split_word(arguments);
    let bytes = STANDARD.decode(base64).ok().filter(|bytes| bytes.len() <= CHUNK_MAX)?;
    Some(Incoming::Chunk { transfer: parse_transfer(transfer)?, bytes: bytes.into() })
}

fn parse_transfer(text: &str) -> Option<TransferId> {
    text.parse().ok().map(TransferId)
}

/// The first word and what follows the blanks after it.
#[must_use]
pub(crate) fn split_word(text: &str) -> (&str, &str) {
    match text.split_once([' ', '\t']) {
        Some((word, rest)) => (word, rest.trim_ascii()),
        None => (text, ""),
    }
}

/// What precedes the last word, and the last word: a file's name may have blanks in it.
#[must_use]
pub(crate) fn split_last_word(text: &str) -> Option<(&str, &str)> {
    let (rest, word) = text.trim_ascii().rsplit_once([' ', '\t'])?;
    Some((rest.trim_ascii(), word))
}

fn single(arguments: &str) -> Option<&str> {
    (!arguments.is_empty() && !arguments.contains([' ', '\t'])).then_some(arguments)
}

fn some_text(arguments: &str) -> Option<&str> {
    (!arguments.is_empty()).then_some(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> Result<Command<'_>, Refusal> {
        match parse(line) {
            Incoming::Request { id: None, command } => command,
            other => panic!("not a request: {other:?}"),
        }
    }

    #[test]
    fn a_line_is_a_command_or_is_said_and_never_both() {
        assert_eq!(command("hi /there"), Ok(Command::say("hi /there")));
        let waves = Command::Say { text: "waves".into(), me: true, room: None };
        assert_eq!(command("/me waves"), Ok(waves));
        assert_eq!(command("/broadcats hi").unwrap_err().code(), "unknown_op");
        assert_eq!(command("/").unwrap_err().code(), "unknown_op");
        assert_eq!(command("//x y"), Ok(Command::say("/x y")));
        assert_eq!(command("///"), Ok(Command::say("//")));
        assert_eq!(parse("  "), Incoming::Nothing);
    }

    #[test]
    fn a_slash_after_what_nobody_sees_is_neither_said_nor_run() {
        for before in [" ", "\t", "  ", "\u{a0}", "\u{3000}", "\u{200b}", "\u{3164}", " \u{feff}"] {
            let line = format!("{before}/whisper bob the code is 4711");
            let refusal = command(&line).unwrap_err();
            let said = refusal.to_string();
            assert_eq!(refusal.code(), "bad_request", "{before:?}");
            assert!(said.contains("a command starts at the first character"), "{said}");
        }
        assert_eq!(command(" a/b"), Ok(Command::say(" a/b")));
    }

    #[test]
    fn a_byte_order_mark_at_the_beginning_of_a_line_is_not_there() {
        assert_eq!(command("\u{feff}/rooms"), Ok(Command::Rooms));
        assert_eq!(command("\u{feff}hi"), Ok(Command::say("hi")));
        assert_eq!(parse("\u{feff}"), Incoming::Nothing);
    }

    #[test]
    fn each_command_says_its_form_when_it_is_written_wrong() {
        for line in [
            "/login",
            "/register",
            "/register a",
            "/passwd a",
            "/logout now",
            "/whoelse 5",
            "/whoelsesince",
            "/whoelsesince -1",
            "/block",
            "/block a b",
            "/got x",
            "/join",
            "/broadcast",
            "/whisper bob",
            "/leave a b",
            "/end",
            "/end x",
            "/sessions now",
            "/open",
            "/room",
            "/sendfile f bob",
            "/sendfile f bob many",
            "/get",
            "/upload",
            "/upload f",
            "/upload f many",
            "/remove x",
            "/chunk 1 ***",
            "/who a b",
        ] {
            let refusal = command(line).unwrap_err();
            assert_eq!(refusal.code(), "bad_request", "{line}");
            assert!(refusal.to_string().contains("write it as /"), "{line}");
        }
    }

    #[test]
    fn a_password_may_have_blanks() {
        let proof = Proof::Password(Secret("open sesame".into()));
        assert_eq!(command("/login a open sesame"), Ok(Command::Login { user: "a".into(), proof }));
        let user = "a".into();
        assert_eq!(command("/login a"), Ok(Command::Login { user, proof: Proof::None }));
    }

    #[test]
    fn a_file_name_may_have_blanks() {
        let file = |hash| Announced { name: "a b.pdf".into(), size: 12, hash, again: false };
        let user = Some("bob".into());
        assert_eq!(
            command("/sendfile a b.pdf bob 12"),
            Ok(Command::SendFile { user: user.clone(), room: None, file: file(None) })
        );
        let hash = "0f".repeat(32);
        let line = format!("/sendfile a b.pdf bob 12 {hash}");
        let hash = Digest::parse(&hash);
        assert_eq!(command(&line), Ok(Command::SendFile { user, room: None, file: file(hash) }));
        let to_room = Command::SendFile { user: None, room: None, file: file(None) };
        assert_eq!(command("/sendfile a b.pdf * 12"), Ok(to_room));
        let shelved = Command::Upload { room: None, file: file(None) };
        assert_eq!(command("/upload a b.pdf 12"), Ok(shelved));
    }

    #[test]
    fn a_file_is_taken_by_its_number_or_by_its_name() {
        let get = |file, offset| Ok(Command::Get { file, offset });
        let seven = || FileRef::Number(TransferId(7));
        assert_eq!(command("/get 7"), get(seven(), 0));
        assert_eq!(command("/accept 7 100"), get(seven(), 100));
        assert_eq!(command("/download a b.pdf"), get(FileRef::Name("a b.pdf".into()), 0));
        assert_eq!(command("/get 7 things.txt"), get(FileRef::Name("7 things.txt".into()), 0));
    }

    #[test]
    fn a_chunk_travels_in_base64() {
        let chunk = Incoming::Chunk { transfer: TransferId(7), bytes: b"abc".to_vec().into() };
        assert_eq!(parse("/chunk 7 YWJj"), chunk);
    }

    #[test]
    fn help_shows_every_op_that_can_be_typed() {
        for op in Op::ALL.into_iter().filter(|&op| op != Op::Hello) {
            assert!(COMMANDS.iter().any(|usage| usage.op == op), "{op:?}");
        }
        assert!(help().contains("/sendfile FILE USER SIZE [HASH]"));
    }
}
