//! Redis pub/sub over RESP3 (<https://redis.io/docs/latest/develop/reference/protocol-spec/>): with
//! its push messages one connection both subscribes and publishes. A room is a channel, and so is a
//! client that is whispered to.
//!
//! ```text
//!  *3 $7 PUBLISH $2 r1 $64 text    ->  :10                     how many hear it: the answer
//!                                      >3 $7 message $2 r1 $64 text    to all, the speaker too
//! ```

use super::{Garbled, Heard, JOIN_ID, MESSAGE_ID, Parsed, Place, Template, room, user};

/// Longest value in bytes that is believed.
const VALUE_MAX: usize = 16 << 20;
/// Longest line in bytes that is believed: errors are the longest.
const LINE_MAX: usize = 4096;
/// How deep lists may lie in each other.
const DEPTH_MAX: usize = 8;

pub(super) fn enter(out: &mut Vec<u8>, who: usize, place: Place) -> u64 {
    command(out, &[b"HELLO", b"3"]);
    let channel = match place {
        Place::Room(number) => room(number),
        Place::Beside(_) => user(who),
    };
    command(out, &[b"SUBSCRIBE", channel.as_bytes()]);
    JOIN_ID
}

pub(super) fn message(place: Place, text: &[u8]) -> Template {
    let channel = match place {
        Place::Room(number) => room(number),
        Place::Beside(other) => user(other),
    };
    let mut frame = Vec::new();
    command(&mut frame, &[b"PUBLISH", channel.as_bytes(), text]);
    let text_at = frame.len() - text.len() - 2;
    Template { frame, text_at, id_at: None }
}

pub(super) fn parse(bytes: &[u8]) -> Parsed<Heard<'_>> {
    let Some((&kind, _)) = bytes.split_first() else {
        return Ok(None);
    };
    match kind {
        b'>' => parse_push(bytes),
        b':' | b'-' => {
            let Some(taken) = value(bytes, 0)? else { return Ok(None) };
            let ok = kind == b':';
            let frame = &bytes[..taken];
            Ok(Some((Heard::Answer { id: MESSAGE_ID, ok, frame }, taken)))
        }
        _ => Ok(value(bytes, 0)?.map(|taken| (Heard::Other, taken))),
    }
}

fn parse_push(bytes: &[u8]) -> Parsed<Heard<'_>> {
    let Some((count, mut at)) = head(bytes)? else { return Ok(None) };
    let Some((what, taken)) = bulk(&bytes[at..])? else { return Ok(None) };
    at += taken;
    let mut last: &[u8] = b"";
    for _ in 1..count.unwrap_or(1) {
        let rest = &bytes[at..];
        let Some(taken) = value(rest, 1)? else { return Ok(None) };
        if rest.starts_with(b"$") {
            last = bulk(rest)?.map_or(b"", |(text, _)| text);
        }
        at += taken;
    }
    let heard = match (what, count) {
        (b"message", Some(3)) => Heard::Said(last),
        (b"subscribe", Some(3)) => Heard::Answer { id: JOIN_ID, ok: true, frame: &bytes[..at] },
        _ => Heard::Other,
    };
    Ok(Some((heard, at)))
}

/// How many bytes the value at the beginning takes, if all of it is there.
fn value(bytes: &[u8], depth: usize) -> Result<Option<usize>, Garbled> {
    let Some(&kind) = bytes.first() else { return Ok(None) };
    match kind {
        b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => Ok(line(bytes)?.map(|(_, taken)| taken)),
        b'$' | b'=' | b'!' => Ok(bulk(bytes)?.map(|(_, taken)| taken)),
        b'*' | b'~' | b'>' => values(bytes, 1, depth),
        b'%' | b'|' => values(bytes, 2, depth),
        _ => Err(Garbled),
    }
}

fn values(bytes: &[u8], each: usize, depth: usize) -> Result<Option<usize>, Garbled> {
    if depth >= DEPTH_MAX {
        return Err(Garbled);
    }
    let Some((count, mut at)) = head(bytes)? else { return Ok(None) };
    for _ in 0..count.unwrap_or(0) * each {
        let Some(taken) = value(&bytes[at..], depth + 1)? else { return Ok(None) };
        at += taken;
    }
    Ok(Some(at))
}

/// A counted text.
fn bulk(bytes: &[u8]) -> Parsed<&[u8]> {
    if !matches!(bytes.first(), None | Some(b'$' | b'=' | b'!')) {
        return Err(Garbled);
    }
    let Some((length, at)) = head(bytes)? else { return Ok(None) };
    let Some(length) = length else { return Ok(Some((b"", at))) };
    let end = at + length;
    match bytes.get(end..end + 2) {
        Some(b"\r\n") => Ok(Some((&bytes[at..end], end + 2))),
        Some(_) => Err(Garbled),
        None => Ok(None),
    }
}

/// The number behind the kind; none for `-1`, which is no value at all.
fn head(bytes: &[u8]) -> Parsed<Option<usize>> {
    let Some((digits, taken)) = line(bytes)? else { return Ok(None) };
    if digits == b"-1" {
        return Ok(Some((None, taken)));
    }
    let number = super::decimal(digits).filter(|&number| number <= VALUE_MAX).ok_or(Garbled)?;
    Ok(Some((Some(number), taken)))
}

/// A line without its kind.
fn line(bytes: &[u8]) -> Parsed<&[u8]> {
    let Some((line, taken)) = super::line(bytes, LINE_MAX)? else { return Ok(None) };
    let line = line.strip_suffix(b"\r").ok_or(Garbled)?;
    Ok(Some((line.get(1..).ok_or(Garbled)?, taken)))
}

fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::testing::{malformed, only};

    #[test]
    fn a_client_speaks_resp3_and_subscribes_to_its_room_or_to_itself() {
        let mut out = Vec::new();
        assert_eq!(enter(&mut out, 7, Place::Room(2)), JOIN_ID);
        assert_eq!(out, b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*2\r\n$9\r\nSUBSCRIBE\r\n$2\r\nr2\r\n");
        out.clear();
        enter(&mut out, 7, Place::Beside(6));
        assert!(out.ends_with(b"SUBSCRIBE\r\n$2\r\nu7\r\n"));
    }

    #[test]
    fn a_message_is_published_and_its_text_stands_where_the_template_says() {
        let template = message(Place::Beside(6), b"hello");
        assert_eq!(template.frame, b"*3\r\n$7\r\nPUBLISH\r\n$2\r\nu6\r\n$5\r\nhello\r\n");
        assert!(template.frame[template.text_at..].starts_with(b"hello"));
    }

    #[test]
    fn what_redis_says_is_understood_however_it_is_split() {
        let said = b">3\r\n$7\r\nmessage\r\n$2\r\nr1\r\n$6\r\nhe\r\nlo\r\n";
        assert!(matches!(only(parse, said), Heard::Said(b"he\r\nlo")));
        let subscribed = b">3\r\n$9\r\nsubscribe\r\n$2\r\nr1\r\n:1\r\n";
        assert!(matches!(only(parse, subscribed), Heard::Answer { id: JOIN_ID, ok: true, .. }));
        assert!(matches!(only(parse, b":10\r\n"), Heard::Answer { id: MESSAGE_ID, ok: true, .. }));
        let no = only(parse, b"-ERR unknown command\r\n");
        assert!(matches!(no, Heard::Answer { ok: false, frame: b"-ERR unknown command\r\n", .. }));
        let hello = b"%2\r\n$5\r\nproto\r\n:3\r\n$7\r\nmodules\r\n*1\r\n*2\r\n+a\r\n_\r\n";
        assert!(matches!(only(parse, hello), Heard::Other));
    }

    #[test]
    fn what_is_no_resp_is_not_followed() {
        let deep = b"*1\r\n".repeat(DEPTH_MAX + 2);
        for bytes in [
            &b"hello"[..],
            b":10\n",
            b"$5\r\nhelloxx",
            b"$x\r\n",
            b"$-2\r\n",
            b"$99999999999999999999\r\n",
            b">3\r\n:1\r\n",
            b"%1\r\n+a\r\nb",
            &deep,
        ] {
            malformed(parse, bytes);
        }
        malformed(parse, &[b'+'; LINE_MAX + 1]);
    }
}
