//! PURE. What people are shown: one line an event, as text lines have it, with the local time
//! before what has one.
//!
//! Knows no terminal. The rule it keeps: a line that begins with `*` or `!` is this client's or the
//! server's own; what people say stands behind its time and is made visible, so that none of it can
//! pass for the other.

use time::UtcOffset;

use super::listing;
use super::words::{refused, words};
use crate::client::view::Show;
use crate::front::text::{describe_event, describe_reply};
use crate::message::{Event, Reply, visible};

pub(super) fn lines(show: &Show, offset: UtcOffset) -> Vec<String> {
    match show {
        Show::Event(event) => vec![line(event, offset)],
        Show::Reply(Reply::Sessions { sessions }) => {
            marked(&listing::sessions(sessions, offset)).collect()
        }
        Show::Reply(reply) => split(&describe_reply(reply)),
        Show::Refused(no) => {
            let (_, text) = refused(no);
            split(&format!("! {}", visible(&text)))
        }
        Show::Note(note) => marked(&words(note)).collect(),
    }
}

/// A refusal with the commands of a shell in the place of those of a chat.
pub(super) fn in_shell(line: &str) -> String {
    const WORDS: [(&str, &str); 6] = [
        ("; /files lists them", "; parlor files lists them, with --room ROOM those of a room too"),
        (": /login NAME", ": use --user NAME"),
        ("; /join ROOM first", "; use --room ROOM"),
        ("; join another (/rooms lists them)", "; use another"),
        ("; /rooms lists them", ""),
        ("; /logout, then /register NAME PASSWORD", "; register it in a chat: /register NAME"),
    ];
    let hint = WORDS.iter().find(|(chat, _)| line.contains(chat));
    hint.map_or_else(|| line.to_owned(), |(chat, shell)| line.replace(chat, shell))
}

/// Lines of this client's own.
fn marked(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(|line| format!("* {line}"))
}

fn split(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn line(event: &Event, offset: UtcOffset) -> String {
    let words = describe_event(event);
    match at(event) {
        Some(at_ms) => format!("{} {words}", time_of_day(at_ms, offset)),
        None => words,
    }
}

fn at(event: &Event) -> Option<u64> {
    match event {
        Event::Said { at, .. }
        | Event::Whispered { at, .. }
        | Event::Broadcast { at, .. }
        | Event::Online { at, .. }
        | Event::Offline { at, .. }
        | Event::Joined { at, .. }
        | Event::Left { at, .. } => Some(*at),
        Event::Hello { .. }
        | Event::Queued { .. }
        | Event::Admitted { .. }
        | Event::Credit { .. }
        | Event::Offered { .. }
        | Event::Receipt { .. }
        | Event::Ended { .. }
        | Event::LoggedOut { .. }
        | Event::Ping
        | Event::Bye { .. } => None,
    }
}

/// Reckoned by hand because no moment that a server makes up may be out of range.
fn time_of_day(at_ms: u64, offset: UtcOffset) -> String {
    const DAY: i64 = 24 * 60 * 60;
    let utc = i64::try_from(at_ms / 1000 % DAY.unsigned_abs()).unwrap_or(0);
    let local = (utc + i64::from(offset.whole_seconds())).rem_euclid(DAY);
    format!("{:02}:{:02}:{:02}", local / 3600, local / 60 % 60, local % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{RoomName, Text, UserName};

    #[test]
    fn at_a_shell_a_refusal_names_commands_of_the_shell() {
        let line = "! there is no such file for you; /files lists them";
        assert!(in_shell(line).contains("; parlor files lists them"));
        assert_eq!(in_shell("! log in first: /login NAME"), "! log in first: use --user NAME");
        assert_eq!(
            in_shell("! there is no such room; /rooms lists them"),
            "! there is no such room"
        );
        assert_eq!(in_shell("! that is you"), "! that is you");
    }

    #[test]
    fn a_time_of_day_is_local_and_no_moment_is_out_of_range() {
        let hours = |hours| UtcOffset::from_hms(hours, 0, 0).unwrap();
        assert_eq!(time_of_day(0, hours(0)), "00:00:00");
        assert_eq!(time_of_day(1_700_000_000_999, hours(0)), "22:13:20");
        assert_eq!(time_of_day(1_700_000_000_999, hours(2)), "00:13:20");
        assert_eq!(time_of_day(0, hours(-5)), "19:00:00");
        assert_eq!(time_of_day(u64::MAX, hours(25)).len(), 8);
    }

    #[test]
    fn what_people_say_is_visible_in_one_line_behind_its_time() {
        let said = Event::Said {
            room: RoomName::parse("lobby").unwrap(),
            from: UserName::parse("eve").unwrap(),
            text: Text::parse("hi\n* you won\t\u{202e}".into(), 64).unwrap(),
            me: false,
            at: 1_700_000_000_000,
            own: false,
        };
        let lines = lines(&Show::Event(said), UtcOffset::UTC);
        assert_eq!(lines, ["22:13:20 [lobby] eve: hi\\n* you won    \\u{202e}"]);
    }
}
