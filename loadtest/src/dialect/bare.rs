//! The language of the built-in server: the same frames, and in them as little as will do.
//!
//! ```text
//!  kind  9  control   op: u8 · number: u32    login, join, stand beside, leave, exit
//!  kind 10  message   any bytes               continues as it is
//!  kind 11  answer    id: u32                 fixed, to a control or a message
//! ```

use super::{EXIT_ID, Garbled, Heard, LEAVE_ID, Parsed, Place, Template, split};

/// A frame of control.
pub(crate) const KIND_CONTROL: u8 = 9;
/// A message.
pub(crate) const KIND_MESSAGE: u8 = 10;
/// An answer.
pub(crate) const KIND_ANSWER: u8 = 11;

/// Take a number as a name.
pub(crate) const LOGIN: u8 = super::LOGIN_ID as u8;
/// Go to the room of this number, or stand beside the client of this name.
pub(crate) const JOIN: u8 = super::JOIN_ID as u8;
/// Leave the room.
pub(crate) const LEAVE: u8 = LEAVE_ID as u8;
/// Go away.
pub(crate) const EXIT: u8 = EXIT_ID as u8;
/// Stand beside the client of this name.
pub(crate) const BESIDE: u8 = 6;

/// The id in the answer to every message.
pub(crate) const MESSAGE_ID: u8 = super::MESSAGE_ID as u8;

/// An answer as it is on the wire.
pub(crate) const fn answer(id: u8) -> [u8; 9] {
    [0, 0, 0, 5, KIND_ANSWER, 0, 0, 0, id]
}

/// Appends a control frame.
pub(crate) fn control(out: &mut Vec<u8>, op: u8, number: u32) {
    out.extend_from_slice(&[0, 0, 0, 6, KIND_CONTROL, op]);
    out.extend_from_slice(&number.to_be_bytes());
}

pub(super) fn enter(out: &mut Vec<u8>, who: usize, place: Place) -> u64 {
    control(out, LOGIN, who as u32);
    let (op, number) = match place {
        Place::Room(room) => (JOIN, room),
        Place::Beside(other) => (BESIDE, other),
    };
    control(out, op, number as u32);
    u64::from(op)
}

pub(super) fn message(text: &[u8]) -> Template {
    let mut frame = (text.len() as u32 + 1).to_be_bytes().to_vec();
    frame.push(KIND_MESSAGE);
    frame.extend_from_slice(text);
    Template { frame, text_at: 5, id_at: None }
}

pub(super) fn parse(bytes: &[u8]) -> Parsed<Heard<'_>> {
    let Some(((kind, body), taken)) = split(bytes)? else {
        return Ok(None);
    };
    let heard = match (kind, body) {
        (KIND_MESSAGE, text) => Heard::Said(text),
        (KIND_ANSWER, &[0, 0, 0, id]) => {
            Heard::Answer { id: u64::from(id), ok: true, frame: &bytes[..taken] }
        }
        _ => return Err(Garbled),
    };
    Ok(Some((heard, taken)))
}

/// Reads one frame of a client: its kind and its body.
pub(crate) fn parse_client(bytes: &[u8]) -> Parsed<(u8, &[u8])> {
    split(bytes)
}
