//! The client protocol of NATS
//! (<https://docs.nats.io/reference/reference-protocols/nats-protocol>). A room is a
//! subject, and so is a client that is whispered to.
//!
//! ```text
//!  PUB r1 64 | text    ->  +OK                    verbose: each is answered
//!                          MSG r1 1 64 | text     to all but the speaker (echo: false)
//! ```
//!
//! Every `+OK` looks the same, so a client has its place when the `PING` after its subscription is
//! answered.

use super::{Garbled, Heard, JOIN_ID, MESSAGE_ID, Parsed, Place, Template, room, user};

/// Longest message in bytes; the server's own default limit.
pub(crate) const TEXT_MAX: usize = 1 << 20;

/// Longest line in bytes that is believed: `INFO` is the longest.
const LINE_MAX: usize = 64 * 1024;

/// The refusals that leave the connection open; all others end it.
const REFUSALS: [&[u8]; 2] = [b"-ERR 'Permissions Violation", b"-ERR 'Invalid"];

pub(super) fn enter(out: &mut Vec<u8>, who: usize, place: Place) -> u64 {
    let subject = match place {
        Place::Room(number) => room(number),
        Place::Beside(_) => user(who),
    };
    out.extend_from_slice(
        br#"CONNECT {"verbose":true,"pedantic":false,"echo":false,"lang":"rust","version":"0"}"#,
    );
    out.extend_from_slice(format!("\r\nSUB {subject} 1\r\nPING\r\n").as_bytes());
    JOIN_ID
}

pub(super) fn sign_of_life(out: &mut Vec<u8>) {
    out.extend_from_slice(b"PONG\r\n");
}

pub(super) fn message(place: Place, text: &[u8]) -> Template {
    let subject = match place {
        Place::Room(number) => room(number),
        Place::Beside(other) => user(other),
    };
    let mut frame = format!("PUB {subject} {}\r\n", text.len()).into_bytes();
    let text_at = frame.len();
    frame.extend_from_slice(text);
    frame.extend_from_slice(b"\r\n");
    Template { frame, text_at, id_at: None }
}

pub(super) fn parse(bytes: &[u8]) -> Parsed<Heard<'_>> {
    let Some((line, taken)) = super::line(bytes, LINE_MAX)? else { return Ok(None) };
    let line = line.strip_suffix(b"\r").ok_or(Garbled)?;
    if let Some(head) = line.strip_prefix(b"MSG ") {
        return parse_said(head, bytes, taken);
    }
    let heard = match line {
        b"+OK" => Heard::Answer { id: MESSAGE_ID, ok: true, frame: line },
        b"PING" => Heard::Ping(b""),
        b"PONG" => Heard::Answer { id: JOIN_ID, ok: true, frame: line },
        _ if REFUSALS.iter().any(|refusal| line.starts_with(refusal)) => {
            Heard::Answer { id: MESSAGE_ID, ok: false, frame: line }
        }
        _ if line.starts_with(b"-ERR") => {
            Heard::Bye { reason: String::from_utf8_lossy(line).into_owned(), missed: 0 }
        }
        _ if line.starts_with(b"INFO ") => Heard::Other,
        _ => return Err(Garbled),
    };
    Ok(Some((heard, taken)))
}

/// `subject sid [reply-to] length`, and behind the line the text.
fn parse_said<'a>(head: &[u8], bytes: &'a [u8], at: usize) -> Parsed<Heard<'a>> {
    let words = head.iter().filter(|&&byte| byte == b' ').count() + 1;
    let length = head.rsplit(|&byte| byte == b' ').next().and_then(super::decimal);
    let length = length.filter(|&length| length <= TEXT_MAX && (3..=4).contains(&words));
    let end = at + length.ok_or(Garbled)?;
    match bytes.get(end..end + 2) {
        Some(b"\r\n") => Ok(Some((Heard::Said(&bytes[at..end]), end + 2))),
        Some(_) => Err(Garbled),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::testing::{malformed, only};

    #[test]
    fn a_client_asks_for_answers_and_no_echo_and_subscribes() {
        let mut out = Vec::new();
        assert_eq!(enter(&mut out, 7, Place::Room(2)), JOIN_ID);
        let text = String::from_utf8(out.clone()).unwrap();
        assert!(text.contains(r#""verbose":true"#) && text.contains(r#""echo":false"#), "{text}");
        assert!(text.ends_with("\r\nSUB r2 1\r\nPING\r\n"), "{text}");
        out.clear();
        enter(&mut out, 7, Place::Beside(6));
        assert!(out.ends_with(b"SUB u7 1\r\nPING\r\n"));
    }

    #[test]
    fn a_message_is_published_and_its_text_stands_where_the_template_says() {
        let template = message(Place::Room(3), b"hello");
        assert_eq!(template.frame, b"PUB r3 5\r\nhello\r\n");
        assert!(template.frame[template.text_at..].starts_with(b"hello"));
    }

    #[test]
    fn what_nats_says_is_understood_however_it_is_split() {
        assert!(matches!(only(parse, b"MSG r1 1 6\r\nhe\r\nlo\r\n"), Heard::Said(b"he\r\nlo")));
        assert!(matches!(only(parse, b"MSG r1 1 back 2\r\nhi\r\n"), Heard::Said(b"hi")));
        let ok = only(parse, b"+OK\r\n");
        assert!(matches!(ok, Heard::Answer { id: MESSAGE_ID, ok: true, .. }));
        let placed = only(parse, b"PONG\r\n");
        assert!(matches!(placed, Heard::Answer { id: JOIN_ID, ok: true, .. }));
        assert!(matches!(only(parse, b"PING\r\n"), Heard::Ping(_)));
        assert!(matches!(only(parse, b"INFO {\"server_id\":\"x\"}\r\n"), Heard::Other));
    }

    #[test]
    fn a_refusal_leaves_the_connection_and_other_errors_end_it() {
        let no = only(parse, b"-ERR 'Permissions Violation for Publish to \"r1\"'\r\n");
        assert!(matches!(no, Heard::Answer { id: MESSAGE_ID, ok: false, .. }));
        let Heard::Bye { reason, .. } = only(parse, b"-ERR 'Slow Consumer'\r\n") else { panic!() };
        assert_eq!(reason, "-ERR 'Slow Consumer'");
    }

    #[test]
    fn what_is_no_nats_is_not_followed() {
        for bytes in [
            &b"HELLO\r\n"[..],
            b"+OK\n",
            b"MSG r1 1 x\r\n",
            b"MSG r1 5\r\nhello\r\n",
            b"MSG r1 1 5\r\nhelloxx",
            b"MSG a b c d 5\r\n",
            b"MSG r1 1 99999999\r\n",
        ] {
            malformed(parse, bytes);
        }
        malformed(parse, &[b'I'; LINE_MAX + 1]);
    }
}
