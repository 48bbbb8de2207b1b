//! PURE. Bytes to frames and back: where one message ends and the next begins.
//!
//! Knows no meaning: neither JSON nor commands. The rule it keeps: a parser looks at borrowed
//! bytes and answers with what it consumed; `Ok(None)` means "more bytes", and every prefix of a
//! good message gives `Ok(None)`. Nothing is allocated, whatever length is announced.

pub mod frame;
pub mod line;
