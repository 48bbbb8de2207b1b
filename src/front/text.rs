//! Text lines, for people with netcat and for tests: slash commands in, one line an event out.
//!
//! Answers begin with `* ` (yes) or `! ` (no), chunks with `/chunk`. Whatever others wrote is made
//! visible first, so that one event is one line and no text can pass for another event.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::{Incoming, hint, slash};
use crate::id::TransferId;
use crate::message::{
    CloseReason, Event, FileLine, Names, Refusal, Reply, SessionLine, Target, UploadLine, UserName,
    visible,
};
use crate::wire::line;

/// Reads the first line of a client.
///
/// # Errors
/// The reason to close, when the line is longer than it may be.
pub fn parse(
    bytes: &[u8],
    scanned: usize,
    max: usize,
) -> Result<Option<(Incoming<'_>, usize)>, CloseReason> {
    let Some((line, taken)) =
        line::parse(bytes, scanned, max).map_err(|_| CloseReason::FrameTooLong)?
    else {
        return Ok(None);
    };
    let incoming = match std::str::from_utf8(line) {
        Ok(line) => slash::parse(line),
        Err(error) => {
            let refusal = Refusal::BadRequest(format!("the line is not UTF-8: {error}"));
            Incoming::Request { id: None, command: Err(refusal) }
        }
    };
    Ok(Some((incoming, taken)))
}

/// Writes an answer.
#[must_use]
pub fn emit_answer(answer: &Result<Reply, Refusal>) -> Bytes {
    match answer {
        Ok(reply) => lines(&describe_reply(reply)),
        Err(refusal) => lines(&describe_refusal(refusal.code(), &hint::sentence(refusal))),
    }
}

/// Writes an event.
#[must_use]
pub fn emit_event(event: &Event) -> Bytes {
    lines(&describe_event(event))
}

/// Writes a part of a file.
#[must_use]
pub fn emit_chunk(transfer: TransferId, bytes: &[u8]) -> Bytes {
    let mut line = format!("/chunk {transfer} ");
    STANDARD.encode_string(bytes, &mut line);
    line.push_str("\r\n");
    line.into()
}

fn lines(text: &str) -> Bytes {
    let mut out = String::with_capacity(text.len() + 2);
    for line in text.lines() {
        out.push_str(line);
        out.push_str("\r\n");
    }
    out.into()
}

/// A refusal in one line.
#[must_use]
fn describe_refusal(code: &str, text: &str) -> String {
    format!("! {}: {}", visible(code), visible(text))
}

/// A reply in words; `/help` and the like take several lines.
#[must_use]
pub(crate) fn describe_reply(reply: &Reply) -> String {
    match reply {
        Reply::Done | Reply::Able { .. } => "* done".to_owned(),
        Reply::Welcome { user, room: None, .. } => format!("* welcome, {user}"),
        Reply::Welcome { user, room: Some(room), .. } => {
            format!("* welcome back, {user}; you are in {room}")
        }
        Reply::PasswordChanged { .. } => "* your password is changed".to_owned(),
        Reply::LoggedOut => "* you are logged out; /login NAME to come back".to_owned(),
        Reply::Joined { room, members } => format!("* you are in {room}: {}", list(members)),
        Reply::Left { room, current: None } => format!("* you left {room}"),
        Reply::Left { room, current: Some(current) } => {
            format!("* you left {room}; you are in {current}")
        }
        Reply::Current { room } => format!("* you are in {room}"),
        Reply::Sessions { sessions } => describe_sessions(sessions),
        Reply::Heard { count, blocked } => {
            let whom = if *count == 0 { "nobody".to_owned() } else { count.to_string() };
            let not = if *blocked { "; some did not get it because of a block" } else { "" };
            format!("* heard by {whom}{not}")
        }
        Reply::Kept { user, online: true } => format!("* sent to {user}"),
        Reply::Kept { user, online: false } => {
            format!("* {user} is offline; kept until they log in")
        }
        Reply::Rooms { total: 0, .. } => "* there are no rooms".to_owned(),
        Reply::Rooms { rooms, total } => {
            let mut text = format!("* {total} {}:", if *total == 1 { "room" } else { "rooms" });
            for (index, line) in rooms.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                let _ = write!(text, "{comma} {} ({})", line.room, line.members);
            }
            text
        }
        Reply::Who { room: Some(room), members } => {
            format!("* {} in {room}: {}", members.total, list(members))
        }
        Reply::Who { room: None, members } => {
            format!("* {} online: {}", members.total, list(members))
        }
        Reply::WhoElse { within_s: None, members } => counted("others online", members),
        Reply::WhoElse { within_s: Some(seconds), members } => {
            counted(&format!("others online within {seconds} s"), members)
        }
        Reply::Blocked { members } => counted("blocked by you", members),
        Reply::Queue { slots, used, waiting, uploads } => {
            format!(
                "* {used} of {slots} slots in use, {waiting} waiting{}",
                describe_uploads(uploads)
            )
        }
        Reply::Help { text } => text.lines().map(|line| format!("* {}\n", visible(line))).collect(),
        Reply::Pong => "* pong".to_owned(),
        Reply::Announced { transfer, place: 0 } => format!("* transfer {transfer}: has a slot"),
        Reply::Announced { transfer, place } => {
            format!("* transfer {transfer}: waits at place {place}")
        }
        Reply::Files { files, more } => describe_files(files, *more),
        Reply::Getting { file, offset } => {
            let from = if *offset > 0 { format!(" from byte {offset}") } else { String::new() };
            let (what, hash) = (describe_file(file), file.sha256);
            format!("* transfer {}: begins{from}: {what}, SHA-256 {hash}", file.transfer)
        }
    }
}

fn describe_sessions(sessions: &[SessionLine]) -> String {
    let mut text = String::new();
    for line in sessions {
        let what = if line.errand { "errand" } else { "session" };
        let device = match line.device.is_empty() {
            true => String::new(),
            false => format!(" on {}", visible(&line.device)),
        };
        let this = if line.this { " (this one)" } else { "" };
        let (number, since) = (line.session, days(line.since));
        let from = visible(&line.address);
        let _ = writeln!(text, "* {what} {number}{this}{device}: from {from} since {since}");
    }
    text
}

fn describe_files(files: &[FileLine], more: bool) -> String {
    if files.is_empty() {
        return "* there are no files for you".to_owned();
    }
    let mut text = String::new();
    for file in files {
        let at = days(file.at);
        let until = days(file.until);
        let _ = writeln!(
            text,
            "* file {}: {} from {} to {}, sent {at}, expires {until}",
            file.transfer,
            describe_file(file),
            file.from,
            file.to
        );
    }
    if more {
        text.push_str("* there are more; narrow the list with /files PATTERN\n");
    }
    text
}

/// Name and size.
fn describe_file(file: &FileLine) -> String {
    format!("{} ({} bytes)", visible(file.name.as_str()), file.size)
}

/// Milliseconds since 1970 as a day and a time of UTC, for people.
#[must_use]
pub fn days(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    let Ok(at) = time::OffsetDateTime::from_unix_timestamp(seconds) else {
        return "never".to_owned();
    };
    let (date, hour, minute) = (at.date(), at.hour(), at.minute());
    format!("{date} {hour:02}:{minute:02}Z")
}

fn describe_uploads(uploads: &[UploadLine]) -> String {
    let mut text = String::new();
    for upload in uploads {
        let state = if upload.place == 0 {
            format!("in a slot, waited {}", seconds(upload.waited_ms))
        } else {
            format!("place {}, waiting {}", upload.place, seconds(upload.waited_ms))
        };
        let _ = write!(
            text,
            "\n* transfer {}: {} -> {} ({}, {} bytes) {state}",
            upload.transfer,
            upload.from,
            upload.to,
            visible(upload.name.as_str()),
            upload.size
        );
    }
    text
}

/// An event in one line.
#[must_use]
pub fn describe_event(event: &Event) -> String {
    match event {
        Event::Hello { server, .. } => {
            format!("* {}: /login NAME to begin, /help for help", visible(server))
        }
        Event::Said { room, from, text, me, own, .. } => {
            format!("[{room}] {}", describe_said(from, text.as_str(), *me, *own))
        }
        Event::Whispered { text, to: Some(to), .. } => {
            format!("you whispered to {to}: {}", visible(text.as_str()))
        }
        Event::Whispered { from, text, .. } => {
            format!("{} whispers: {}", speaker(from), visible(text.as_str()))
        }
        Event::Broadcast { text, own: true, .. } => {
            format!("you to everybody: {}", visible(text.as_str()))
        }
        Event::Broadcast { from, text, .. } => {
            format!("{} to everybody: {}", speaker(from), visible(text.as_str()))
        }
        Event::Online { user, .. } => format!("* {user} is online"),
        Event::Offline { user, .. } => format!("* {user} is offline"),
        Event::LoggedOut { reason } => {
            format!("* you are logged out: {reason}; /login NAME to come back")
        }
        Event::Joined { room, user, .. } => format!("[{room}] {user} joined"),
        Event::Left { room, user, .. } => format!("[{room}] {user} left"),
        Event::Queued { transfer, place, of } => {
            format!("* transfer {transfer}: waits at place {place} of {of}")
        }
        Event::Admitted { transfer, waited_ms, credit, offset } => {
            let waited = seconds(*waited_ms);
            let from = if *offset > 0 { format!(", from byte {offset}") } else { String::new() };
            format!("* transfer {transfer}: go{from}, waited {waited}, credit {credit} bytes")
        }
        Event::Credit { transfer, bytes } => {
            format!("* transfer {transfer}: credit {bytes} bytes")
        }
        Event::Offered { file } => describe_offer(file),
        Event::Receipt { transfer, name, by, took } => {
            let what = if *took { "downloaded" } else { "refused" };
            format!("* transfer {transfer}: {by} {what} {}", visible(name.as_str()))
        }
        Event::Ended { transfer, how } => format!("* transfer {transfer}: {how}"),
        Event::Ping => "* ping".to_owned(),
        Event::Bye { reason, back, missed } => describe_bye(*reason, *back, *missed),
    }
}

/// What a user said or did in a room, or this user in another session.
fn describe_said(from: &UserName, text: &str, me: bool, own: bool) -> String {
    let text = visible(text);
    match (me, own) {
        (false, false) => format!("{}: {text}", speaker(from)),
        (true, false) => format!("* {} {text}", speaker(from)),
        (false, true) => format!("you: {text}"),
        (true, true) => format!("you: * {from} {text}"),
    }
}

/// Who speaks. A user may be called so; only this user is `you`.
fn speaker(from: &UserName) -> String {
    let is_you = from.as_str().eq_ignore_ascii_case("you");
    if is_you { format!("user {from}") } else { from.to_string() }
}

fn describe_offer(file: &FileLine) -> String {
    let FileLine { transfer, from, .. } = file;
    let what = describe_file(file);
    match file.to {
        Target::User(_) => format!(
            "* transfer {transfer}: {from} sends you {what}; /get {transfer} or /reject {transfer}"
        ),
        to @ (Target::Room(_) | Target::Shelf(_) | Target::Public) => {
            format!("* transfer {transfer}: {from} sends {what} to {to}; /get {transfer}")
        }
    }
}

fn describe_bye(reason: CloseReason, back: bool, missed: u64) -> String {
    let mut text = format!("* bye: {reason}");
    if missed > 0 {
        let _ = write!(text, "; you missed {missed} messages");
    }
    if back && reason != CloseReason::Exit {
        text.push_str("; you may come back");
    }
    text
}

/// Milliseconds as seconds with one decimal, for people.
#[must_use]
pub fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// Names under a heading with their number, which may be none.
fn counted(heading: &str, members: &Names) -> String {
    match members.total {
        0 => format!("* {heading}, 0"),
        total => format!("* {heading}, {total}: {}", list(members)),
    }
}

fn list(members: &Names) -> String {
    let mut text = String::new();
    for (index, user) in members.users.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{user}");
    }
    match (members.total as usize).checked_sub(members.users.len()) {
        Some(more) if more > 0 => {
            let _ = write!(text, " and {more} more");
        }
        _ => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{RoomName, Text};

    #[test]
    fn no_text_can_pass_for_another_event() {
        let event = Event::Said {
            room: RoomName::parse("lobby").unwrap(),
            from: UserName::parse("eve").unwrap(),
            text: Text::parse("hi\n[lobby] bob: forged".into(), 64).unwrap(),
            me: false,
            at: 0,
            own: false,
        };
        assert_eq!(&emit_event(&event)[..], b"[lobby] eve: hi\\n[lobby] bob: forged\r\n");
    }

    #[test]
    fn nobody_passes_for_another_session_of_ours() {
        let room = RoomName::parse("lobby").unwrap();
        let said = |from: &str, me, own| {
            let (from, text) = (UserName::parse(from).unwrap(), "waves".to_owned());
            let text = Text::parse(text.into(), 64).unwrap();
            describe_event(&Event::Said { room, from, text, me, at: 0, own })
        };
        assert_eq!(said("alice", false, true), "[lobby] you: waves");
        assert_eq!(said("alice", true, true), "[lobby] you: * alice waves");
        assert_eq!(said("alice", true, false), "[lobby] * alice waves");
        assert_eq!(said("You", false, false), "[lobby] user You: waves");
        assert_eq!(said("you", true, false), "[lobby] * user you waves");
    }

    #[test]
    fn a_time_is_told_in_utc() {
        assert_eq!(days(0), "1970-01-01 00:00Z");
        assert_eq!(days(951_782_400_000), "2000-02-29 00:00Z");
        assert_eq!(days(1_798_761_599_999), "2026-12-31 23:59Z");
        assert_eq!(days(4_107_542_400_000), "2100-03-01 00:00Z");
    }

    #[test]
    fn a_chunk_is_read_as_it_was_written() {
        let line = emit_chunk(TransferId(7), &[0, 1, 255]);
        let (incoming, taken) = parse(&line, 0, 64).unwrap().unwrap();
        assert_eq!(taken, line.len());
        let bytes = vec![0, 1, 255].into();
        assert_eq!(incoming, Incoming::Chunk { transfer: TransferId(7), bytes });
    }
}
