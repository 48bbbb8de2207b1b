//! Native frames.
//!
//! ```text
//!  0        1        2        3        4        5
//! +--------+--------+--------+--------+--------+-------------- - -
//! |      length: u32, big-endian      |  kind  |  body
//! +--------+--------+--------+--------+--------+-------------- - -
//!   length counts kind and body           1 JSON · 2 chunk of a file
//! ```
//!
//! A chunk's body is `transfer: u32 big-endian`, then the bytes. The four length bytes in network
//! byte order are system A's; no length reaches 2^24, so the first byte of a frame is always zero.

use bytes::Bytes;

use crate::id::TransferId;
use crate::limits::FRAME_LENGTH_CEILING;

/// Bytes before the kind.
pub(crate) const LENGTH_BYTES: usize = 4;
const CHUNK_HEADER_BYTES: usize = 4;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A message in JSON.
    Json(&'a [u8]),
    /// A part of a file.
    Chunk {
        /// Of which transfer.
        transfer: TransferId,
        /// The part.
        bytes: &'a [u8],
    },
    /// A frame of length zero: malformed, but it is clear where the next one begins.
    Empty,
}

/// Why a stream of frames cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The announced length is over the limit.
    #[error("a frame of {announced} bytes was announced and at most {max} are allowed")]
    TooLong {
        /// What the four bytes say.
        announced: u32,
        /// The limit in force.
        max: usize,
    },
    /// The kind is neither 1 nor 2.
    #[error("frames of kind {0} do not exist")]
    UnknownKind(u8),
    /// A chunk without room for its transfer.
    #[error("a chunk of {0} bytes is too short to name its transfer")]
    ShortChunk(usize),
}

/// Reads the first frame of `bytes`; `max` bounds kind and body together.
///
/// # Errors
/// [`FrameError`], as soon as the bytes that prove it are there: a length on the fourth byte.
pub fn parse(bytes: &[u8], max: usize) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let announced = u32::from_be_bytes(*length);
    let length = announced as usize;
    if length > max {
        return Err(FrameError::TooLong { announced, max });
    }
    if length == 0 {
        return Ok(Some((Frame::Empty, LENGTH_BYTES)));
    }
    let Some((&kind, _)) = rest.split_first() else {
        return Ok(None);
    };
    if !matches!(kind, KIND_JSON | KIND_CHUNK) {
        return Err(FrameError::UnknownKind(kind));
    }
    let Some(body) = rest.get(1..length) else {
        return Ok(None);
    };
    let frame = if kind == KIND_JSON { Frame::Json(body) } else { parse_chunk(body)? };
    Ok(Some((frame, LENGTH_BYTES + length)))
}

fn parse_chunk(body: &[u8]) -> Result<Frame<'_>, FrameError> {
    let Some((transfer, bytes)) = body.split_first_chunk::<CHUNK_HEADER_BYTES>() else {
        return Err(FrameError::ShortChunk(body.len()));
    };
    Ok(Frame::Chunk { transfer: TransferId(u32::from_be_bytes(*transfer)), bytes })
}

const KIND_JSON: u8 = 1;
const KIND_CHUNK: u8 = 2;

/// Builds a JSON frame: `write` appends the JSON, the length is filled in afterwards, so that the
/// message is written once and never copied.
#[must_use]
pub(crate) fn emit_json(size_hint: usize, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut frame = Vec::with_capacity(LENGTH_BYTES + 1 + size_hint);
    frame.extend_from_slice(&[0, 0, 0, 0, KIND_JSON]);
    write(&mut frame);
    seal(frame)
}

/// Builds the frame of a chunk.
#[must_use]
pub fn emit_chunk(transfer: TransferId, bytes: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(LENGTH_BYTES + 1 + CHUNK_HEADER_BYTES + bytes.len());
    frame.extend_from_slice(&[0, 0, 0, 0, KIND_CHUNK]);
    frame.extend_from_slice(&transfer.0.to_be_bytes());
    frame.extend_from_slice(bytes);
    seal(frame)
}

fn seal(mut frame: Vec<u8>) -> Bytes {
    let length = u32::try_from(frame.len() - LENGTH_BYTES).unwrap_or(u32::MAX);
    assert!(length < FRAME_LENGTH_CEILING, "we never write a frame of {length} bytes");
    frame[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    Bytes::from(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_parsed_as_it_was_emitted() {
        let bytes = emit_json(2, |out| out.extend_from_slice(b"{}"));
        assert_eq!(&bytes[..], [0, 0, 0, 3, 1, b'{', b'}']);
        assert_eq!(parse(&bytes, 64), Ok(Some((Frame::Json(b"{}"), 7))));

        let bytes = emit_chunk(TransferId(0x0102_0304), b"abc");
        assert_eq!(&bytes[..], [0, 0, 0, 8, 2, 1, 2, 3, 4, b'a', b'b', b'c']);
        let chunk = Frame::Chunk { transfer: TransferId(0x0102_0304), bytes: b"abc" };
        assert_eq!(parse(&bytes, 64), Ok(Some((chunk, 12))));
    }

    #[test]
    fn every_prefix_of_a_frame_wants_more_bytes() {
        for bytes in [emit_json(2, |o| o.extend_from_slice(b"{}")), emit_chunk(TransferId(9), b"x")]
        {
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes[..end], 64), Ok(None), "{end} bytes");
            }
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_on_its_fourth_byte() {
        for announced in [65, 0x00ff_ffff, 0x7fff_ffff, u32::MAX] {
            let bytes = announced.to_be_bytes();
            assert_eq!(parse(&bytes[..3], 64), Ok(None));
            assert_eq!(parse(&bytes, 64), Err(FrameError::TooLong { announced, max: 64 }));
        }
        assert_eq!(parse(&[0, 0, 0, 64], 64), Ok(None));
    }

    #[test]
    fn what_is_no_frame_is_said_as_soon_as_it_is_known() {
        assert_eq!(parse(&[0, 0, 0, 0], 64), Ok(Some((Frame::Empty, 4))));
        assert_eq!(parse(&[0, 0, 0, 9, 3], 64), Err(FrameError::UnknownKind(3)));
        assert_eq!(parse(&[0, 0, 0, 4, 2, 0, 0, 0], 64), Err(FrameError::ShortChunk(3)));
    }
}
