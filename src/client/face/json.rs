//! PURE. What a program is shown: one JSON object a line.
//!
//! Events and replies are those of the protocol, key by key; docs/protocol.md has them all. The
//! rule it keeps: the first key tells the kind, and a line is one object, whatever is in it.

use serde::Serialize;

use super::words::{refused, words};
use crate::client::view::{Note, Show};
use crate::message::RoomName;

/// A refusal, as the protocol has it.
#[derive(Serialize)]
struct InError<'a> {
    error: Why<'a>,
}

#[derive(Serialize)]
struct Why<'a> {
    code: &'a str,
    text: &'a str,
}

/// Words for people; about rooms, with what a program would look for in them.
#[derive(Serialize)]
struct InWords<'a> {
    note: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rooms: Option<&'a [RoomName]>,
}

pub(super) fn lines(show: &Show) -> Vec<String> {
    match show {
        Show::Event(event) => vec![object(event)],
        Show::Reply(reply) => vec![object(reply)],
        Show::Refused(no) => {
            let (code, text) = refused(no);
            vec![object(&InError { error: Why { code, text: &text } })]
        }
        Show::Note(about) => {
            let rooms = if let Note::Rooms(rooms) = about { Some(&rooms[..]) } else { None };
            let object = |note| object(&InWords { note, rooms });
            words(about).lines().map(object).collect()
        }
    }
}

/// Numbers, strings and lists of them always can be written.
fn object(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::view::{MenuNote, Refused};
    use crate::front::native::Problem;
    use crate::message::{Event, Reply, Text, UserName};

    #[test]
    fn each_kind_is_told_by_its_first_key_and_stays_in_its_line() {
        let from = UserName::parse("eve").unwrap();
        let text = Text::parse("hi\n{\"ok\":1}".into(), 64).unwrap();
        let (code, said) = ("a\nb".to_owned(), "no \"way\"".to_owned());
        let no = Refused::Answer(Problem { code, text: said, wait_ms: None });
        for (show, expected) in [
            (
                Show::Event(Event::Broadcast { from, text, at: 7, own: false }),
                r#"{"ev":"broadcast","from":"eve","text":"hi\n{\"ok\":1}","at":7}"#,
            ),
            (Show::Reply(Reply::Pong), r#"{"ok":"pong"}"#),
            (Show::Refused(no), r#"{"error":{"code":"a\nb","text":"no \"way\""}}"#),
            (Show::Note(Note::NotAnswered), r#"{"note":"no password given"}"#),
            (
                Show::Note(Note::Rooms(vec![RoomName::parse("den").unwrap()])),
                r#"{"note":"you are in den","rooms":["den"]}"#,
            ),
        ] {
            assert_eq!(lines(&show), [expected]);
        }
        assert_eq!(lines(&Show::Note(Note::Menu(MenuNote::Choices))).len(), 7);
    }
}
