//! Text lines: bytes up to a line feed, with or without a carriage return before it.

/// A line is longer than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line of more than {max} bytes")]
pub struct LineTooLong {
    /// The limit in force.
    pub max: usize,
}

/// Reads the first line of `bytes`, without its end; `max` bounds it without its end. The first
/// `scanned` bytes are known to hold no line feed, so that a line that comes byte by byte is not
/// searched again and again.
///
/// # Errors
/// [`LineTooLong`], as soon as one byte more than `max` (and a carriage return) is there.
pub fn parse(
    bytes: &[u8],
    scanned: usize,
    max: usize,
) -> Result<Option<(&[u8], usize)>, LineTooLong> {
    let unseen = bytes.get(scanned..).unwrap_or_default();
    let Some(end) = unseen.iter().position(|&byte| byte == b'\n').map(|at| scanned + at) else {
        return if bytes.len() > max + 1 { Err(LineTooLong { max }) } else { Ok(None) };
    };
    let line = &bytes[..end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > max {
        return Err(LineTooLong { max });
    }
    Ok(Some((line, end + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_a_line_feed_and_perhaps_a_carriage_return_before_it() {
        assert_eq!(parse(b"/who\nrest", 0, 64), Ok(Some((&b"/who"[..], 5))));
        assert_eq!(parse(b"/who\r\nrest", 0, 64), Ok(Some((&b"/who"[..], 6))));
        assert_eq!(parse(b"\n", 0, 64), Ok(Some((&b""[..], 1))));
    }

    #[test]
    fn every_prefix_of_a_line_wants_more_bytes() {
        let line = b"/whisper bob hi\r\n";
        for end in 0..line.len() {
            assert_eq!(parse(&line[..end], 0, 64), Ok(None));
            assert_eq!(parse(&line[..end], end.saturating_sub(1), 64), Ok(None));
        }
    }

    #[test]
    fn a_line_over_the_limit_is_refused_with_or_without_its_end() {
        assert_eq!(parse(b"1234\r\n", 0, 4), Ok(Some((&b"1234"[..], 6))));
        assert_eq!(parse(b"12345\n", 0, 4), Err(LineTooLong { max: 4 }));
        assert_eq!(parse(b"12345", 0, 4), Ok(None));
        assert_eq!(parse(b"123456", 0, 4), Err(LineTooLong { max: 4 }));
    }
}
