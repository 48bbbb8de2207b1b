//! PURE. A menu of numbered choices over a conversation, for people who do not want commands and
//! for scripts that answer them.
//!
//! Knows neither server nor terminal: answers in, notes and deeds out. The contract: when the
//! conversation is at rest, take [`Menu::poll_deed`] and do it, until there is none; the menu is
//! then shown. The rule it keeps: a choice is asked for only when what was chosen before is over,
//! so the answers of a script and those of a person mean the same.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::deed::Deed;
use crate::client::errand::{Whom, file_ref};
use crate::client::view::{BadChoice, MenuNote, Note};
use crate::message::{Command, RoomName, UserName};

/// The choices, with the words by which the commands of old did the same.
const CHOICES: [(Choice, &str); 6] = [
    (Choice::Upload, "upload_file"),
    (Choice::Download, "download_file"),
    (Choice::List, "list_files"),
    (Choice::Message, "send_message"),
    (Choice::Who, "who_is_here"),
    (Choice::Quit, "quit"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Upload,
    Download,
    List,
    Message,
    Who,
    Quit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Deeds are to be done, and then the menu is to be shown.
    Busy,
    Choice,
    UploadPath,
    UploadTo(PathBuf),
    Download,
    MessageTo,
    MessageText(Option<UserName>),
    Over,
}

/// The menu of one conversation.
#[derive(Debug)]
pub(in crate::client) struct Menu {
    /// Where the client is unless a file is for another room.
    home: Option<String>,
    state: State,
    deeds: VecDeque<Deed>,
    notes: VecDeque<Note>,
}

impl Menu {
    /// One that is shown as soon as the conversation is at rest; in the room `home`, if any.
    pub(in crate::client) fn new(home: Option<String>) -> Self {
        Self { home, state: State::Busy, deeds: VecDeque::new(), notes: VecDeque::new() }
    }

    /// Whether a line would be an answer to it.
    pub(in crate::client) fn wants_line(&self) -> bool {
        !matches!(self.state, State::Busy | State::Over)
    }

    /// The next thing to show.
    pub(in crate::client) fn poll_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    /// The conversation is at rest: the next thing to do. Without one, the menu is shown.
    pub(in crate::client) fn poll_deed(&mut self) -> Option<Deed> {
        let deed = self.deeds.pop_front();
        if deed.is_none() && self.state == State::Busy {
            self.ask(MenuNote::Choices, State::Choice);
        }
        deed
    }

    /// There will be no more lines: that is as good as quit, and no half an answer counts.
    pub(in crate::client) fn handle_end(&mut self) {
        if self.state != State::Over {
            self.state = State::Over;
            self.deeds.push_back(Deed::Quit);
        }
    }

    /// Takes an answer; only when it [wants one](Menu::wants_line).
    pub(in crate::client) fn handle_line(&mut self, line: &str) {
        let line = line.trim();
        match std::mem::replace(&mut self.state, State::Busy) {
            State::Choice => self.on_choice(line),
            State::UploadPath if line.is_empty() => self.note(MenuNote::NoFile),
            State::UploadPath => self.ask(MenuNote::UploadTo, State::UploadTo(line.into())),
            State::UploadTo(path) => self.on_upload(path, line),
            State::Download if line.is_empty() => self.note(MenuNote::NoFile),
            State::Download => {
                self.deeds.push_back(Deed::Get { file: file_ref(line), local: None });
            }
            State::MessageTo if line.is_empty() => {
                self.ask(MenuNote::MessageText, State::MessageText(None));
            }
            State::MessageTo => match UserName::parse(line) {
                Ok(user) => self.ask(MenuNote::MessageText, State::MessageText(Some(user))),
                Err(error) => self.refuse(BadChoice::User(error)),
            },
            State::MessageText(_) if line.is_empty() => self.note(MenuNote::NoMessage),
            State::MessageText(to) => self.message(to, line),
            State::Busy => {}
            State::Over => self.state = State::Over,
        }
    }

    fn on_choice(&mut self, line: &str) {
        let by_number = line.parse().ok().and_then(|number: usize| number.checked_sub(1));
        let by_word = || CHOICES.iter().position(|(_, word)| word.eq_ignore_ascii_case(line));
        let chosen = by_number.or_else(by_word).and_then(|at| CHOICES.get(at));
        match chosen.map(|(choice, ..)| *choice) {
            Some(Choice::Upload) => self.ask(MenuNote::UploadPath, State::UploadPath),
            Some(Choice::Download) => self.ask(MenuNote::Download, State::Download),
            Some(Choice::List) => self.deeds.push_back(Deed::List(None)),
            Some(Choice::Message) => {
                self.ask(MenuNote::MessageTo(self.home.clone()), State::MessageTo);
            }
            Some(Choice::Who) => self.ask_for(Command::Who { room: None }, "/who".to_owned()),
            Some(Choice::Quit) => self.handle_end(),
            None if line.is_empty() => {}
            None => self.refuse(BadChoice::Number(line.to_owned())),
        }
    }

    /// A room is entered for the file and left again, so that the next one goes where it is said.
    fn on_upload(&mut self, path: PathBuf, to: &str) {
        if to.is_empty() {
            let room = self.home.clone();
            return self.deeds.push_back(Deed::Send { path, to: Whom::Shelf, room });
        }
        let words: Vec<&str> = to.split_whitespace().collect();
        match words[..] {
            [word, room] if word.eq_ignore_ascii_case("room") => match RoomName::parse(room) {
                Ok(room) => self.send_to_room(path, room),
                Err(error) => self.refuse(BadChoice::Room(error)),
            },
            [user] => match UserName::parse(user) {
                Ok(user) => {
                    let to = Whom::User(user.to_string());
                    self.deeds.push_back(Deed::Send { path, to, room: None });
                }
                Err(error) => self.refuse(BadChoice::User(error)),
            },
            _ => self.refuse(BadChoice::Receiver),
        }
    }

    fn send_to_room(&mut self, path: PathBuf, room: RoomName) {
        let room = room.to_string();
        let at_home = self.home.as_ref().is_some_and(|home| home.eq_ignore_ascii_case(&room));
        if !at_home {
            self.join(&room);
        }
        self.deeds.push_back(Deed::Send { path, to: Whom::Room, room: Some(room.clone()) });
        match &self.home {
            _ if at_home => {}
            Some(home) => self.join(&home.clone()),
            None => self.ask_for(Command::Leave { room: None }, "/leave".to_owned()),
        }
    }

    fn message(&mut self, to: Option<UserName>, line: &str) {
        let text = line.to_owned().into();
        match to {
            None => self.ask_for(Command::Broadcast { text }, format!("/broadcast {line}")),
            Some(user) => {
                let written = format!("/whisper {user} {line}");
                self.ask_for(Command::Whisper { user: user.to_string().into(), text }, written);
            }
        }
    }

    fn join(&mut self, room: &str) {
        let command = Command::join(room.to_owned());
        self.ask_for(command, format!("/join {room}"));
    }

    /// Asks for an answer that is taken in this state.
    fn ask(&mut self, note: MenuNote, state: State) {
        self.note(note);
        self.state = state;
    }

    fn ask_for(&mut self, command: Command<'static>, written: String) {
        self.deeds.push_back(Deed::Ask { command, written });
    }

    fn refuse(&mut self, bad: BadChoice) {
        self.deeds.push_back(Deed::Refuse(bad));
    }

    fn note(&mut self, note: MenuNote) {
        self.notes.push_back(Note::Menu(note));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::commands::{self, Wish};

    /// What these answers make it do, each given when it wants one.
    fn deeds(menu: &mut Menu, answers: &[&str]) -> Vec<Deed> {
        let mut deeds = Vec::new();
        for answer in answers {
            deeds.extend(std::iter::from_fn(|| menu.poll_deed()));
            assert!(menu.wants_line(), "{answer}");
            menu.handle_line(answer);
        }
        deeds.extend(std::iter::from_fn(|| menu.poll_deed()));
        deeds
    }

    fn shown(menu: &mut Menu) -> Vec<Note> {
        std::iter::from_fn(|| menu.poll_note()).collect()
    }

    /// What a person would write for it, and what that means.
    fn ask(written: &str) -> Deed {
        let Wish::Ask(command) = commands::parse(written) else { panic!("{written}") };
        let command = match command {
            Command::Join { room, open: false } => {
                Command::Join { room: room.into_owned().into(), open: false }
            }
            Command::Broadcast { text } => Command::Broadcast { text: text.into_owned().into() },
            Command::Whisper { user, text } => {
                Command::Whisper { user: user.into_owned().into(), text: text.into_owned().into() }
            }
            Command::Leave { room: None } => Command::Leave { room: None },
            Command::Who { room: None } => Command::Who { room: None },
            other => panic!("{other:?}"),
        };
        Deed::Ask { command, written: written.to_owned() }
    }

    fn get(file: &str) -> Deed {
        Deed::Get { file: file_ref(file), local: None }
    }

    fn send(path: &str, to: Whom, room: Option<&str>) -> Deed {
        Deed::Send { path: path.into(), to, room: room.map(str::to_owned) }
    }

    #[test]
    fn each_choice_does_what_it_says() {
        let mut menu = Menu::new(None);
        assert!(!menu.wants_line() && shown(&mut menu).is_empty());
        assert!(deeds(&mut menu, &[]).is_empty());
        assert_eq!(shown(&mut menu), [Note::Menu(MenuNote::Choices)]);
        assert_eq!(deeds(&mut menu, &["1", " a b.txt ", ""]), [send("a b.txt", Whom::Shelf, None)]);
        let to_bob = send("f", Whom::User("bob".to_owned()), None);
        assert_eq!(deeds(&mut menu, &["1", "f", "bob"]), [to_bob]);
        assert_eq!(deeds(&mut menu, &["2", "17"]), [get("17")]);
        assert_eq!(deeds(&mut menu, &["3"]), [Deed::List(None)]);
        assert_eq!(deeds(&mut menu, &["4", "bob", "hi there"]), [ask("/whisper bob hi there")]);
        assert_eq!(deeds(&mut menu, &["4", "", "hi"]), [ask("/broadcast hi")]);
        assert_eq!(deeds(&mut menu, &["5"]), [ask("/who")]);
        assert_eq!(deeds(&mut menu, &["LIST_FILES"]), [Deed::List(None)]);
        assert_eq!(deeds(&mut menu, &["6"]), [Deed::Quit]);
        assert!(!menu.wants_line());
    }

    #[test]
    fn a_room_is_entered_for_a_file_and_left_again() {
        let upload = &["1", "f", "room kitchen"];
        let to_kitchen = send("f", Whom::Room, Some("kitchen"));
        let mut menu = Menu::new(None);
        assert_eq!(
            deeds(&mut menu, upload),
            [ask("/join kitchen"), to_kitchen.clone(), ask("/leave")]
        );
        let mut menu = Menu::new(Some("lobby".to_owned()));
        assert_eq!(
            deeds(&mut menu, upload),
            [ask("/join kitchen"), to_kitchen.clone(), ask("/join lobby")]
        );
        let mut menu = Menu::new(Some("Kitchen".to_owned()));
        assert_eq!(deeds(&mut menu, upload), [to_kitchen]);
        let shelf = send("f", Whom::Shelf, Some("Kitchen"));
        assert_eq!(deeds(&mut menu, &["1", "f", ""]), [shelf]);
    }

    #[test]
    fn what_is_no_choice_gets_a_word_and_the_menu_again() {
        let number = |line: &str| BadChoice::Number(line.to_owned());
        let name = UserName::parse("no.name").unwrap_err();
        let room = RoomName::parse("no.room").unwrap_err();
        for (answers, bad) in [
            (&["7"][..], number("7")),
            (&["0"], number("0")),
            (&["-1"], number("-1")),
            (&["/who"], number("/who")),
            (&["4", "no.name"], BadChoice::User(name)),
            (&["1", "f", "no.name"], BadChoice::User(name)),
            (&["1", "f", "room no.room"], BadChoice::Room(room)),
            (&["1", "f", "a b c"], BadChoice::Receiver),
        ] {
            let mut menu = Menu::new(None);
            assert_eq!(deeds(&mut menu, answers), [Deed::Refuse(bad)]);
            let choices = |note: &&Note| **note == Note::Menu(MenuNote::Choices);
            assert_eq!(shown(&mut menu).iter().filter(choices).count(), 2);
        }
        let mut menu = Menu::new(None);
        assert!(deeds(&mut menu, &["", "2", "", "1", "", "4", "bob", ""]).is_empty());
        assert!(menu.wants_line());
    }

    #[test]
    fn the_end_of_the_input_is_quit_and_no_half_an_answer_counts() {
        for answers in [&[][..], &["1", "f"], &["4", "bob"], &["2"]] {
            let mut menu = Menu::new(None);
            assert!(deeds(&mut menu, answers).is_empty());
            menu.handle_end();
            menu.handle_end();
            assert_eq!(deeds(&mut menu, &[]), [Deed::Quit], "{answers:?}");
        }
    }
}
