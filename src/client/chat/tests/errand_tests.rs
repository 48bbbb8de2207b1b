//! Conversations that do one thing and leave.

use super::again_tests::{joined, logged_in, welcome};
use super::*;
use crate::client::errand::{Errand, ListForm, Place, Whom};
use crate::client::view::Product;
use crate::id::LetterId;

fn start(errand: Errand, room: Option<&str>) -> Start {
    Start { errand, room: room.map(str::to_owned), stays: true, ..Start::of(Some("bob")) }
}

fn list(room: Option<&str>) -> Talk {
    logged_in(start(Errand::List { pattern: None, form: ListForm::Json }, room))
}

fn get(place: Place) -> Errand {
    Errand::Get { file: "f.txt".to_owned(), place }
}

fn files(numbers: &[u32], more: bool) -> Result<Reply, Refusal> {
    let file = |&number| FileLine { transfer: TransferId(number), ..line(b"hello") };
    Ok(Reply::Files { files: numbers.iter().map(file).collect(), more })
}

fn brought(talk: &mut Talk) -> Vec<Product> {
    std::iter::from_fn(|| talk.chat.poll_product()).collect()
}

#[test]
fn a_list_is_asked_for_to_its_end_and_then_it_leaves() {
    let mut talk = list(None);
    assert_eq!(talk.last(), Op::Files);
    talk.answer(Op::Files, files(&[1, 2], true));
    talk.answer(Op::Files, files(&[3], false));
    let [Product::Files { files, form: ListForm::Json }] = &brought(&mut talk)[..] else {
        panic!("one list")
    };
    assert_eq!(files.len(), 3);
    assert_eq!(talk.last(), Op::Exit);
    assert!(talk.shown().is_empty(), "and nothing but that is said");
}

#[test]
fn a_list_that_does_not_ascend_is_not_followed() {
    let mut talk = list(None);
    talk.answer(Op::Files, files(&[5], true));
    talk.answer(Op::Files, files(&[5], true));
    assert_eq!(talk.last(), Op::Exit);
}

#[test]
fn what_was_asked_when_the_connection_broke_is_asked_again() {
    let mut talk = list(Some("lobby"));
    assert_eq!(talk.last(), Op::Join);
    talk.chat.handle_end();
    talk.reconnect();
    talk.answer(Op::Login, welcome("t2", None));
    talk.answer(Op::Join, joined("lobby"));
    assert_eq!(talk.last(), Op::Files);
    talk.answer(Op::Files, files(&[1], true));
    talk.chat.handle_end();
    talk.reconnect();
    talk.answer(Op::Login, welcome("t3", None));
    talk.answer(Op::Join, joined("lobby"));
    assert_eq!(talk.last(), Op::Files, "from the first");
    talk.answer(Op::Files, files(&[1, 2], false));
    assert_eq!(brought(&mut talk).len(), 1);

    let mut talk = logged_in(start(get(Place::Folder("".into())), None));
    talk.chat.handle_end();
    talk.reconnect();
    talk.answer(Op::Login, welcome("t2", None));
    assert_eq!(talk.last(), Op::Files);
}

#[test]
fn nothing_is_handed_over_by_who_is_not_let_into_the_room() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, "x").unwrap();
    let send = Errand::Send { files: vec![path], to: Whom::Shelf };
    let mut talk = logged_in(start(send, Some("lobby")));
    talk.answer(Op::Join, Err(Refusal::RoomFull { limit: 1 }));
    assert!(talk.asked.iter().all(|(_, op)| *op != Op::Upload));
    assert_eq!((talk.last(), talk.chat.outcome()), (Op::Exit, ClientOutcome::Refused));
}

#[test]
fn what_is_kept_for_a_person_is_neither_shown_nor_confirmed() {
    let mut talk = list(None);
    let text = Text::parse("read this".into(), 64).unwrap();
    let letter = Some(LetterId(4));
    talk.event(&Event::Whispered { from: user("eve"), text, at: 0, letter, to: None, own: false });
    talk.offer(b"hello");
    talk.chat.link.handle_shown();
    talk.take();
    assert!(talk.shown().is_empty());
    assert!(talk.asked.iter().all(|(_, op)| *op != Op::Got));
}

#[test]
fn a_file_is_brought_before_the_server_is_told_that_it_is_here() {
    for place in [Place::Folder("".into()), Place::Output] {
        let mut talk = logged_in(start(get(place.clone()), None));
        let file = FileLine { name: FileName::parse("f.txt").unwrap(), ..line(b"hello") };
        talk.answer(Op::Files, Ok(Reply::Files { files: vec![file.clone()], more: false }));
        talk.answer(Op::Get, Ok(Reply::Getting { file, offset: 0 }));
        // As it comes, before anything of what follows is written.
        talk.chat.handle_bytes(&frame::emit_chunk(SEVEN, b"hello"));
        let path = talk.dir.path().join("f.txt");
        let expected = match place {
            Place::Output => Product::Content(path),
            Place::Folder(_) | Place::File(_) => Product::Saved(path),
        };
        assert_eq!(brought(&mut talk), [expected]);
        talk.take();
        talk.answer(Op::Received, Ok(Reply::Done));
        assert_eq!((talk.last(), talk.chat.outcome()), (Op::Exit, ClientOutcome::Fine));
    }
}

#[test]
fn a_file_that_is_here_and_another_one_is_not_written_over() {
    for (content, code) in
        [(&b"hello"[..], ClientOutcome::Fine), (b"world", ClientOutcome::Refused)]
    {
        let mut talk = logged_in(start(get(Place::Folder("".into())), None));
        fs::write(talk.dir.path().join("f.txt"), content).unwrap();
        let file = FileLine { name: FileName::parse("f.txt").unwrap(), ..line(b"hello") };
        talk.answer(Op::Files, Ok(Reply::Files { files: vec![file], more: false }));
        if code == ClientOutcome::Fine {
            talk.answer(Op::Received, Ok(Reply::Done));
        }
        assert_eq!((talk.last(), talk.chat.outcome()), (Op::Exit, code));
        assert!(talk.asked.iter().all(|(_, op)| *op != Op::Get));
        assert_eq!(fs::read(talk.dir.path().join("f.txt")).unwrap(), content);
        assert_eq!(talk.files(), ["f.txt"]);
    }
}

#[test]
fn who_is_logged_out_or_not_let_in_leaves_with_a_refusal() {
    let mut talk = list(None);
    talk.event(&Event::LoggedOut { reason: crate::message::LogoutReason::Idle });
    assert_eq!((talk.last(), talk.chat.outcome()), (Op::Exit, ClientOutcome::Refused));
    let mut talk =
        Talk::begin_as(start(Errand::List { pattern: None, form: ListForm::Json }, None));
    talk.answer(Op::Hello, Ok(Reply::Done));
    talk.answer(Op::Login, Err(Refusal::LoginFirst));
    assert_eq!((talk.last(), talk.chat.outcome()), (Op::Exit, ClientOutcome::Refused));
}

#[test]
fn who_is_stopped_before_it_is_done_has_not_done_it() {
    let mut talk = list(None);
    talk.chat.handle_stop();
    assert_eq!(talk.chat.outcome(), ClientOutcome::Refused);
    let mut talk = list(None);
    talk.answer(Op::Files, files(&[1], false));
    talk.chat.handle_stop();
    assert_eq!(talk.chat.outcome(), ClientOutcome::Fine);
}

#[test]
fn who_is_stopped_is_told_whether_it_goes_on_another_time() {
    for (place, kept) in [(Place::Folder("".into()), true), (Place::Output, false)] {
        let mut talk = logged_in(start(get(place), None));
        let file = FileLine { name: FileName::parse("f.txt").unwrap(), ..line(b"hello") };
        talk.answer(Op::Files, Ok(Reply::Files { files: vec![file.clone()], more: false }));
        talk.answer(Op::Get, Ok(Reply::Getting { file, offset: 0 }));
        talk.shown();
        talk.chat.handle_stop();
        let shown = talk.shown();
        assert_eq!(shown[0].contains("run the same command again to resume"), kept, "{shown:?}");
        assert_eq!(shown[1].ends_with("what has arrived is kept"), kept, "{shown:?}");
        assert_eq!(talk.chat.outcome(), ClientOutcome::Refused);
    }
}
