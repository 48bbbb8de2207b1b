//! Native frames, for tests that look at what a client sends and reads.

use serde_json::{Value, json};

/// A native frame around JSON.
pub(crate) fn frame(message: &Value) -> Vec<u8> {
    frame_raw(message.to_string().as_bytes())
}

pub(crate) fn frame_raw(json: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(json.len() + 1).unwrap().to_be_bytes().to_vec();
    bytes.push(1);
    bytes.extend_from_slice(json);
    bytes
}

/// Frames taken from a stream of bytes; a chunk is shown as `{"chunk":transfer,"len":bytes}`.
#[derive(Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    at: usize,
}

impl Frames {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.at == self.bytes.len() {
            self.bytes.clear();
            self.at = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn next(&mut self) -> Option<Value> {
        let rest = &self.bytes[self.at..];
        let length = u32::from_be_bytes(rest.get(..4)?.try_into().unwrap()) as usize;
        let body = rest.get(4..4 + length)?;
        self.at += 4 + length;
        Some(match body[0] {
            1 => serde_json::from_slice(&body[1..]).unwrap(),
            2 => {
                let transfer = u32::from_be_bytes(body[1..5].try_into().unwrap());
                json!({"chunk": transfer, "len": body.len() - 5})
            }
            kind => panic!("a frame of kind {kind}"),
        })
    }

    pub(crate) fn all(bytes: &[u8]) -> Vec<Value> {
        let mut frames = Self::default();
        frames.push(bytes);
        let all: Vec<Value> = std::iter::from_fn(|| frames.next()).collect();
        assert_eq!(frames.at, bytes.len(), "half a frame at the end");
        all
    }
}
