//! Parlor's native protocol. What is said seldom goes through Parlor's own code; what is said a
//! million times a second (a message, an answer) is read by a scan that looks no further than it
//! must, so that the load test is not what a run measures.

use parlor::front::native::{self, FromServer};
use parlor::message::{ClientTraits, Command, Event};

use super::{
    EXIT_ID, Garbled, Heard, JOIN_ID, LEAVE_ID, LOGIN_ID, Parsed, Place, Template, room, split,
    user,
};

/// Longest frame in bytes that is believed.
pub(crate) const FRAME_MAX: usize = 1 << 20;

/// Ids of messages have ten digits and begin here.
pub(super) const MESSAGE_ID_BASE: u64 = 1_000_000_000;
/// Digits of every id of a message.
pub(super) const MESSAGE_ID_DIGITS: usize = 10;

const HELLO_ID: u64 = 1;
const PING_ID: u64 = 6;

const KIND_JSON: u8 = 1;
const KIND_CHUNK: u8 = 2;

pub(super) fn enter(out: &mut Vec<u8>, who: usize, place: Place) -> u64 {
    put(out, HELLO_ID, &Command::Hello { version: 1, about: ClientTraits::default() });
    put(out, LOGIN_ID, &Command::guest(user(who)));
    let Place::Room(number) = place else {
        return LOGIN_ID;
    };
    put(out, JOIN_ID, &Command::Join { room: room(number).into(), open: false });
    JOIN_ID
}

pub(super) fn leave(out: &mut Vec<u8>) {
    put(out, LEAVE_ID, &Command::Leave { room: None });
}

pub(super) fn exit(out: &mut Vec<u8>) {
    put(out, EXIT_ID, &Command::Exit);
}

pub(super) fn sign_of_life(out: &mut Vec<u8>) {
    put(out, PING_ID, &Command::Ping);
}

pub(super) fn message(place: Place, text: &[u8]) -> Template {
    let text = String::from_utf8_lossy(text);
    let command = match place {
        Place::Room(_) => Command::Say { text, me: false, room: None },
        Place::Beside(other) => Command::Whisper { user: user(other).into(), text },
    };
    let frame = native::emit_request(MESSAGE_ID_BASE, &command).to_vec();
    let after = |what: &[u8]| memchr::memmem::find(&frame, what).map(|at| at + what.len());
    let id_at = after(br#""id":"#);
    let text_at = after(br#""text":""#).expect("a message has a text");
    Template { frame, text_at, id_at }
}

pub(super) fn parse(bytes: &[u8]) -> Parsed<Heard<'_>> {
    let Some(((kind, body), taken)) = split(bytes)? else {
        return Ok(None);
    };
    let heard = match kind {
        KIND_JSON => parse_json(body, &bytes[..taken]),
        KIND_CHUNK => parse_chunk(body).ok_or(Garbled)?,
        _ => return Err(Garbled),
    };
    Ok(Some((heard, taken)))
}

fn parse_json<'a>(body: &'a [u8], frame: &'a [u8]) -> Heard<'a> {
    if body.starts_with(br#"{"ev":"said""#) || body.starts_with(br#"{"ev":"whispered""#) {
        return text_of(body).map_or(Heard::Other, Heard::Said);
    }
    if let Some(rest) = body.strip_prefix(br#"{"re":"#) {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        let (id, length) = digits.fold((0_u64, 0), |(id, length), digit| {
            (id.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')), length + 1)
        });
        return Heard::Answer { id, ok: rest[length..].starts_with(br#","ok""#), frame };
    }
    if body.starts_with(br#"{"ev":"joined""#) || body.starts_with(br#"{"ev":"left""#) {
        return Heard::Other;
    }
    parse_seldom(frame)
}

/// The text of a message: ours has no escapes, so it ends at the next quote.
fn text_of(body: &[u8]) -> Option<&[u8]> {
    const BEFORE: &[u8; 8] = br#""text":""#;
    let at = body.windows(BEFORE.len()).position(|window| window == BEFORE)? + BEFORE.len();
    let length = memchr::memchr(b'"', &body[at..])?;
    Some(&body[at..at + length])
}

fn parse_seldom(frame: &[u8]) -> Heard<'static> {
    match native::parse_server(frame, FRAME_MAX) {
        Ok(Some((FromServer::Event(Event::Ping), _))) => Heard::Ping(b""),
        Ok(Some((FromServer::Event(Event::Bye { reason, missed, .. }), _))) => {
            let reason = serde_json::to_value(reason).ok();
            let reason = reason.as_ref().and_then(|reason| reason.as_str()).unwrap_or("?");
            Heard::Bye { reason: reason.to_owned(), missed }
        }
        Ok(Some((FromServer::Event(event), _))) => Heard::Event(Box::new(event)),
        _ => Heard::Other,
    }
}

fn parse_chunk(body: &[u8]) -> Option<Heard<'_>> {
    let (transfer, bytes) = body.split_first_chunk::<4>()?;
    Some(Heard::Chunk { transfer: u32::from_be_bytes(*transfer), bytes })
}

fn put(out: &mut Vec<u8>, id: u64, command: &Command<'_>) {
    out.extend_from_slice(&native::emit_request(id, command));
}

#[cfg(test)]
mod tests {
    use parlor::front::Incoming;
    use parlor::id::LetterId;
    use parlor::message::{CloseReason, Refusal, Reply, RoomName, Text, UserName};

    use super::*;
    use crate::stamp::{self, Stamp};

    fn only(bytes: &[u8]) -> Heard<'_> {
        let (heard, taken) = parse(bytes).unwrap().unwrap();
        assert_eq!(taken, bytes.len());
        for end in 0..bytes.len() {
            assert!(matches!(parse(&bytes[..end]), Ok(None)), "{end} bytes");
        }
        heard
    }

    #[test]
    fn a_written_over_message_is_what_parlor_reads() {
        let mut template = message(Place::Room(1), &stamp::text(32));
        template.number(42);
        let at = template.text_at;
        Stamp { sender: 7, number: 42, due_ns: 5 }.emit(&mut template.frame[at..]);
        let (incoming, _) = native::parse(&template.frame, 4096).unwrap().unwrap();
        let text = "0000070000002a000000000005xxxxxx";
        let command = Ok(Command::Say { text: text.into(), me: false, room: None });
        assert_eq!(incoming, Incoming::Request { id: Some(1_000_000_042), command });
    }

    #[test]
    fn the_scan_finds_the_text_that_parlor_wrote() {
        let from = UserName::parse("u1").unwrap();
        let text = Text::parse("000001deadbeef".into(), 64).unwrap();
        let room = RoomName::parse("text").unwrap();
        let said = Event::Said { room, from, text: text.clone(), me: false, at: 5, own: false };
        let whispered = Event::Whispered {
            from,
            text: text.clone(),
            at: 5,
            letter: None,
            to: None,
            own: false,
        };
        let letter =
            Event::Whispered { from, text, at: 5, letter: Some(LetterId(7)), to: None, own: false };
        for event in [said, whispered, letter] {
            let bytes = native::emit_event(&event);
            assert!(matches!(only(&bytes), Heard::Said(b"000001deadbeef")), "{event:?}");
        }
    }

    #[test]
    fn answers_are_told_apart_by_yes_and_no() {
        let yes = native::emit_answer(Some(1_000_000_003), &Ok(Reply::heard(2)));
        assert!(matches!(only(&yes), Heard::Answer { id: 1_000_000_003, ok: true, .. }));
        let no = native::emit_answer(Some(3), &Err(Refusal::NotInRoom));
        assert!(matches!(only(&no), Heard::Answer { id: 3, ok: false, .. }));
    }

    #[test]
    fn last_words_carry_their_reason_and_count() {
        let bye = Event::Bye { reason: CloseReason::TooSlow, back: true, missed: 9 };
        let bytes = native::emit_event(&bye);
        let Heard::Bye { reason, missed } = only(&bytes) else {
            panic!("not understood");
        };
        assert_eq!((reason.as_str(), missed), ("too_slow", 9));
    }
}
