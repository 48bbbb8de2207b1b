//! IRC (RFC 1459 and RFC 2812). A room is a channel; a whisper goes to a nick.
//!
//! ```text
//!  PRIVMSG #r1 :text           ->  :u1!~u@host PRIVMSG #r1 :text     to all but the speaker
//!  PING w                      ->  :server PONG server :w            the answer
//! ```
//!
//! A message itself is answered only when it is refused, so a `PING` follows each. A refused one is
//! therefore not counted as refused but as lost.

use super::{Garbled, Heard, JOIN_ID, LOGIN_ID, MESSAGE_ID, Parsed, Place, Template, room, user};

/// Longest text in bytes that is sure to fit: of the 512 bytes of a line (RFC 1459, 2.3) a nick, a
/// user, a host of 63 bytes, the channel and the words between them take 108 at most.
pub(crate) const TEXT_MAX: usize = 400;

/// Longest line in bytes that is believed: some servers put tags before it.
const LINE_MAX: usize = 8192;

/// A nick and a user; the room is asked for when the server has said welcome.
pub(super) fn enter(out: &mut Vec<u8>, who: usize, place: Place) -> u64 {
    let nick = user(who);
    out.extend_from_slice(format!("NICK {nick}\r\nUSER u 0 * :{nick}\r\n").as_bytes());
    match place {
        Place::Room(_) => JOIN_ID,
        Place::Beside(_) => LOGIN_ID,
    }
}

/// Continues where [`enter`] could not.
pub(super) fn join(out: &mut Vec<u8>, place: Place) {
    if let Place::Room(number) = place {
        out.extend_from_slice(format!("JOIN #{}\r\n", room(number)).as_bytes());
    }
}

pub(super) fn sign_of_life(out: &mut Vec<u8>, token: &[u8]) {
    out.extend_from_slice(b"PONG ");
    out.extend_from_slice(token);
    out.extend_from_slice(b"\r\n");
}

pub(super) fn message(place: Place, text: &[u8]) -> Template {
    let target = match place {
        Place::Room(number) => format!("#{}", room(number)),
        Place::Beside(other) => user(other),
    };
    let mut frame = format!("PRIVMSG {target} :").into_bytes();
    let text_at = frame.len();
    frame.extend_from_slice(text);
    frame.extend_from_slice(b"\r\nPING w\r\n");
    Template { frame, text_at, id_at: None }
}

pub(super) fn parse(bytes: &[u8]) -> Parsed<Heard<'_>> {
    let Some((line, taken)) = super::line(bytes, LINE_MAX)? else { return Ok(None) };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let rest = if line.starts_with(b":") { word(line).1 } else { line };
    let (command, parameters) = word(rest);
    let answer = |id, ok| Heard::Answer { id, ok, frame: line };
    let heard = match command {
        b"PRIVMSG" => Heard::Said(word(parameters).1.strip_prefix(b":").ok_or(Garbled)?),
        b"PONG" => answer(MESSAGE_ID, true),
        b"PING" => Heard::Ping(parameters),
        b"ERROR" => Heard::Bye { reason: String::from_utf8_lossy(line).into_owned(), missed: 0 },
        b"001" => answer(LOGIN_ID, true),
        // The end of the list of members: the client is one of them.
        b"366" => answer(JOIN_ID, true),
        // There is no message of the day.
        b"422" => Heard::Other,
        [b'4' | b'5', b'0'..=b'9', b'0'..=b'9'] => answer(JOIN_ID, false),
        [] => return Err(Garbled),
        _ if command.iter().all(u8::is_ascii_alphanumeric) => Heard::Other,
        _ => return Err(Garbled),
    };
    Ok(Some((heard, taken)))
}

/// The first word, and what follows the space behind it.
fn word(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b' ', line) {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::testing::{malformed, only};

    #[test]
    fn a_client_has_its_place_in_a_room_when_it_has_joined_and_beside_another_at_once() {
        let mut out = Vec::new();
        assert_eq!(enter(&mut out, 7, Place::Room(2)), JOIN_ID);
        join(&mut out, Place::Room(2));
        assert_eq!(out, b"NICK u7\r\nUSER u 0 * :u7\r\nJOIN #r2\r\n");
        out.clear();
        assert_eq!(enter(&mut out, 7, Place::Beside(6)), LOGIN_ID);
        join(&mut out, Place::Beside(6));
        assert_eq!(out, b"NICK u7\r\nUSER u 0 * :u7\r\n");
    }

    #[test]
    fn a_message_is_followed_by_what_makes_the_server_answer() {
        let template = message(Place::Room(3), b"hello");
        assert_eq!(template.frame, b"PRIVMSG #r3 :hello\r\nPING w\r\n");
        assert!(template.frame[template.text_at..].starts_with(b"hello"));
        assert!(message(Place::Beside(6), b"hi").frame.starts_with(b"PRIVMSG u6 :hi\r\n"));
    }

    #[test]
    fn the_longest_text_fits_a_line_whoever_says_it() {
        let (nick, host) = ("u16777215", "h".repeat(63));
        let room = "#r16777215";
        let line =
            format!(":{nick}!~uuuuuuuuu@{host} PRIVMSG {room} :{}\r\n", "x".repeat(TEXT_MAX));
        assert!(line.len() <= 512, "{}", line.len());
    }

    #[test]
    fn what_an_irc_server_says_is_understood_however_it_is_split() {
        let said = b":u1!~u@127.0.0.2 PRIVMSG #r1 :hello :)\r\n";
        assert!(matches!(only(parse, said), Heard::Said(b"hello :)")));
        let pong = only(parse, b":s PONG s :w\r\n");
        assert!(matches!(pong, Heard::Answer { id: MESSAGE_ID, ok: true, .. }));
        assert!(matches!(only(parse, b"PING :s\r\n"), Heard::Ping(b":s")));
        let welcome = only(parse, b":s 001 u1 :Welcome\r\n");
        assert!(matches!(welcome, Heard::Answer { id: LOGIN_ID, ok: true, .. }));
        let joined = only(parse, b":s 366 u1 #r1 :End of NAMES\n");
        assert!(matches!(joined, Heard::Answer { id: JOIN_ID, ok: true, .. }));
        assert!(matches!(only(parse, b":s 422 u1 :No MOTD\r\n"), Heard::Other));
        assert!(matches!(only(parse, b":u1!~u@h JOIN :#r1\r\n"), Heard::Other));
        assert!(matches!(only(parse, b"NOTICE AUTH :hi\r\n"), Heard::Other));
        let taken = only(parse, b":s 433 * u1 :Nickname in use\r\n");
        assert!(matches!(taken, Heard::Answer { ok: false, .. }));
        let bye = only(parse, b"ERROR :Excess Flood\r\n");
        assert!(matches!(bye, Heard::Bye { reason, .. } if reason == "ERROR :Excess Flood"));
    }

    #[test]
    fn a_ping_is_answered_with_its_token() {
        let mut out = Vec::new();
        sign_of_life(&mut out, b":s");
        assert_eq!(out, b"PONG :s\r\n");
    }

    #[test]
    fn what_is_no_irc_is_not_followed() {
        for bytes in [&b"\r\n"[..], b":s\r\n", b":s  x\r\n", b"\x00\x01\r\n", b":u PRIVMSG r x\r\n"]
        {
            malformed(parse, bytes);
        }
        malformed(parse, &[b'x'; LINE_MAX + 1]);
    }
}
