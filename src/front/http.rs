//! HTTP, as far as those need it who watch a server: `GET /healthz` and `GET /readyz`.
//!
//! Knows no command of the chat, so no page in a browser can ever say anything here. The rule it
//! keeps: one request with a bounded head, one answer, and the end of the connection.

use bytes::Bytes;

use super::Incoming;
use crate::message::{CloseReason, Event};

/// Longest head of a request in bytes: first line, headers and the empty line.
const HEAD_MAX: usize = 8 * 1024;

/// One connection: its request is answered, or it has not come yet.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Http {
    is_answered: bool,
}

/// What a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ok,
    BadRequest,
    NotFound,
    NotAllowed,
    TooLate,
    TooLong,
    Unavailable,
}

/// Whether the body of an answer is written, or only announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Head,
}

impl Http {
    /// Answers the request in `bytes` when its head is whole, or can be none.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        scanned: usize,
        draining: bool,
    ) -> Option<(Incoming<'static>, usize)> {
        let seen = &bytes[..bytes.len().min(HEAD_MAX)];
        // The end may have begun in what was looked at before.
        let from = scanned.saturating_sub(2).min(seen.len());
        let ends =
            |at: &usize| matches!(&seen[*at..], [b'\n', b'\n', ..] | [b'\n', b'\r', b'\n', ..]);
        let (status, part) = match (from..seen.len()).find(ends) {
            Some(end) => judge(&seen[..=end], draining),
            None if !may_begin(seen) => (Status::BadRequest, Part::Whole),
            None if bytes.len() > HEAD_MAX => (Status::TooLong, Part::Whole),
            None => return None,
        };
        // What comes behind the head is a body, or a request that nobody will answer.
        Some((Incoming::Own(self.answer(status, part)), bytes.len()))
    }

    /// Of all events only the end of the connection is told, to one that waits for its answer.
    pub(super) fn emit_event(&mut self, event: &Event) -> Bytes {
        let Event::Bye { reason, .. } = event else { return Bytes::new() };
        if self.is_answered {
            return Bytes::new();
        }
        let is_late = *reason == CloseReason::LoginLate;
        let status = if is_late { Status::TooLate } else { Status::Unavailable };
        self.answer(status, Part::Whole)
    }

    pub(super) const fn is_over(&self) -> bool {
        self.is_answered
    }

    fn answer(&mut self, status: Status, part: Part) -> Bytes {
        self.is_answered = true;
        let (line, body) = status.words();
        let allow = if status == Status::NotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
        let (length, shown) = (body.len(), if part == Part::Whole { body } else { "" });
        format!(
            "HTTP/1.1 {line}\r\n{allow}Content-Type: text/plain\r\nContent-Length: {length}\r\n\
             Cache-Control: no-store\r\nConnection: close\r\n\r\n{shown}"
        )
        .into()
    }
}

impl Status {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Ok => ("200 OK", "ok\r\n"),
            Self::BadRequest => ("400 Bad Request", "this is no request of HTTP/1\r\n"),
            Self::NotFound => ("404 Not Found", "there are /healthz and /readyz\r\n"),
            Self::NotAllowed => ("405 Method Not Allowed", "use GET or HEAD\r\n"),
            Self::TooLate => ("408 Request Timeout", "the request did not come in time\r\n"),
            Self::TooLong => ("431 Request Header Fields Too Large", "the head is too long\r\n"),
            Self::Unavailable => {
                ("503 Service Unavailable", "the server takes no requests now\r\n")
            }
        }
    }
}

/// The answer to a request.
fn judge(head: &[u8], draining: bool) -> (Status, Part) {
    let Some((method, target)) = request_of(head) else {
        return (Status::BadRequest, Part::Whole);
    };
    let part = if method == "HEAD" { Part::Head } else { Part::Whole };
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let status = match (method, path) {
        ("GET" | "HEAD", "/readyz") if draining => Status::Unavailable,
        ("GET" | "HEAD", "/healthz" | "/readyz") => Status::Ok,
        ("GET" | "HEAD", _) => Status::NotFound,
        (_, _) => Status::NotAllowed,
    };
    (status, part)
}

/// Method and target, if the head is one of HTTP/1: a first line of three words, and headers that
/// have names.
fn request_of(head: &[u8]) -> Option<(&str, &str)> {
    let mut lines = str::from_utf8(head).ok()?.lines();
    let request = words_of(lines.next()?)?;
    lines.all(is_header).then_some(request)
}

fn is_header(line: &str) -> bool {
    let is_token = |c: char| c.is_ascii_graphic() && c != ':';
    line.split_once(':').is_some_and(|(name, _)| !name.is_empty() && name.chars().all(is_token))
}

fn words_of(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let is_known = matches!(version, "HTTP/1.0" | "HTTP/1.1") && words.next().is_none();
    (is_known && !target.is_empty()).then_some((method, target))
}

/// Whether a head may begin so: nobody waits for the rest of what is none.
fn may_begin(bytes: &[u8]) -> bool {
    match bytes.iter().position(|&byte| byte == b'\n') {
        Some(end) => request_of(&bytes[..=end]).is_some(),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer to a request, all at once.
    fn answer(request: &str, draining: bool) -> String {
        let mut http = Http::default();
        let read = http.read(request.as_bytes(), 0, draining);
        let Some((Incoming::Own(bytes), taken)) = read else { panic!("no answer to {request:?}") };
        assert_eq!(taken, request.len());
        assert!(http.is_over());
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn status(request: &str) -> String {
        answer(request, false)["HTTP/1.1 ".len()..][..3].to_owned()
    }

    #[test]
    fn who_asks_is_told_and_the_body_of_a_head_is_only_counted() {
        let get = answer("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", false);
        let expected = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\
                        Cache-Control: no-store\r\nConnection: close\r\n\r\nok\r\n";
        assert_eq!(get, expected);
        let head = answer("HEAD /healthz HTTP/1.0\r\n\r\n", false);
        assert_eq!(format!("{head}ok\r\n"), expected);
    }

    #[test]
    fn a_server_that_stops_lives_and_is_not_ready() {
        for (path, line) in [("healthz", "200 OK"), ("readyz", "503 Service Unavailable")] {
            let came = answer(&format!("GET /{path} HTTP/1.1\r\n\r\n"), true);
            assert!(came.starts_with(&format!("HTTP/1.1 {line}\r\n")), "{came}");
        }
    }

    #[test]
    fn what_is_not_there_not_allowed_or_no_request_is_told_apart() {
        for (request, expected) in [
            ("GET /readyz?probe=1 HTTP/1.1\r\n\r\n", "200"),
            ("GET /readyz HTTP/1.1\nHost: a\n\n", "200"),
            ("GET / HTTP/1.1\r\n\r\n", "404"),
            ("HEAD /login HTTP/1.1\r\n\r\n", "404"),
            ("POST /healthz HTTP/1.1\r\nContent-Length: 6\r\n\r\n/exit\n", "405"),
            ("OPTIONS * HTTP/1.1\r\n\r\n", "405"),
            ("GET /healthz\r\n", "400"),
            ("GET /healthz HTTP/2.0\r\n", "400"),
            ("GET /health z HTTP/1.1\r\n", "400"),
            ("GET  HTTP/1.1\r\n", "400"),
            ("GET /healthz HTTP/1.1\r\n/login eve\r\n\r\n", "400"),
            ("GET /healthz HTTP/1.1\r\n: x\r\n\r\n", "400"),
        ] {
            assert_eq!(status(request), expected, "{request:?}");
        }
        let allowed = answer("PUT /readyz HTTP/1.1\r\n\r\n", false);
        assert!(allowed.contains("\r\nAllow: GET, HEAD\r\n"), "{allowed}");
    }

    #[test]
    fn a_request_may_come_in_any_pieces() {
        for request in ["GET /healthz HTTP/1.1\r\nA: b\r\n\r\n", "GET /healthz HTTP/1.1\n\n"] {
            let mut http = Http::default();
            for (scanned, end) in (1..request.len()).enumerate() {
                let read = http.read(&request.as_bytes()[..end], scanned, false);
                assert!(read.is_none(), "{:?}", &request[..end]);
            }
            assert!(http.read(request.as_bytes(), request.len() - 1, false).is_some());
        }
    }

    #[test]
    fn a_head_has_its_bound() {
        let head = |len: usize| {
            let start = "GET /healthz HTTP/1.1\r\nA: ";
            format!("{start}{}\r\n\r\n", "x".repeat(len - start.len() - 4))
        };
        assert_eq!(status(&head(HEAD_MAX)), "200");
        assert_eq!(status(&head(HEAD_MAX + 3)), "431");
        let mut http = Http::default();
        assert!(http.read(&head(2 * HEAD_MAX).as_bytes()[..HEAD_MAX], 0, false).is_none());
    }

    #[test]
    fn only_a_request_without_an_answer_is_told_of_the_end() {
        let bye = |reason| Event::Bye { reason, back: true, missed: 0 };
        for (reason, line) in [(CloseReason::LoginLate, "408 "), (CloseReason::Shutdown, "503 ")] {
            let mut http = Http::default();
            let told = http.emit_event(&bye(reason));
            assert!(told.starts_with(format!("HTTP/1.1 {line}").as_bytes()), "{told:?}");
            assert_eq!(http.emit_event(&bye(reason)), Bytes::new());
        }
        assert_eq!(Http::default().emit_event(&Event::Ping), Bytes::new());
    }
}
