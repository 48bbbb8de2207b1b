//! Files: sent and taken, broken off and gone on with.

use super::again_tests::{bob, in_lobby, joined, logged_in, room_name, welcome};
use super::*;

const NINE: TransferId = TransferId(9);

fn admitted(transfer: TransferId, credit: u64, offset: u64) -> Event {
    Event::Admitted { transfer, waited_ms: 300, credit, offset }
}

fn stored(transfer: TransferId) -> Event {
    Event::Ended { transfer, how: Ending::Stored }
}

fn announced(transfer: TransferId, place: u32) -> Result<Reply, Refusal> {
    Ok(Reply::Announced { transfer, place })
}

fn half(content: &[u8]) -> String {
    format!("report.pdf.{}.part", &hash(content).to_string()[..16])
}

fn accepting() -> Talk {
    logged_in(Start { accepts_all: true, ..Start::of(Some("bob")) })
}

impl Talk {
    fn write(&self, name: &str, content: &[u8]) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir.path().join(name)).unwrap()
    }

    /// So many milliseconds after the start.
    fn time(&mut self, ms: u64) {
        self.chat.handle_time(Duration::from_millis(ms));
        self.take();
    }

    /// Loses the connection and makes another, logged in as before.
    fn lose_and_return(&mut self) {
        self.chat.handle_end();
        self.wanted.clear();
        self.reconnect();
        self.answer(Op::Login, welcome("t2", None));
    }
}

fn sent(name: &str, to: &str, content: &[u8], again: &str) -> String {
    let hash = hash(content).to_string();
    format!("send {name} {to}, {} bytes, {}{again}", content.len(), &hash[..8])
}

#[test]
fn an_upload_is_hashed_waits_goes_as_far_as_granted_and_is_waited_for() {
    let mut talk = Talk::logged_in(false);
    talk.announce(100_000);
    talk.end();
    assert_eq!(talk.chunk_bytes, 0);
    assert_eq!(talk.wanted.last().unwrap(), &sent("my file", "to alice", &[1; 100_000], ""));
    talk.event(&Event::Queued { transfer: SEVEN, place: 1, of: 7 });
    talk.event(&admitted(SEVEN, 70_000, 0));
    assert_eq!(talk.chunk_bytes, 70_000);
    talk.event(&Event::Credit { transfer: SEVEN, bytes: 50_000 });
    assert_eq!(talk.chunk_bytes, 100_000);
    assert_eq!(talk.last(), Op::SendFile, "no goodbye before the end");
    talk.event(&stored(SEVEN));
    assert_eq!(talk.last(), Op::Exit);
    talk.event(&bye(CloseReason::Exit));
    assert_eq!(talk.chat.outcome(), ClientOutcome::Fine);
    let expected = [
        "* transfer 7: my file queued 3rd of 3, 0 s".to_owned(),
        "* transfer 7: my file queued 1st of 7, 0 s".to_owned(),
        "* transfer 7: my file: upload begins, waited 0.3 s".to_owned(),
        "* transfer 7: my file sent".to_owned(),
        "* bye: goodbye".to_owned(),
    ];
    assert_eq!(talk.shown(), expected);
}

#[test]
fn an_upload_that_is_not_stored_did_not_go_well() {
    for how in [Some(Ending::StoreFailed), None] {
        let mut talk = Talk::logged_in(false);
        talk.announce(10);
        match how {
            Some(how) => talk.event(&Event::Ended { transfer: SEVEN, how }),
            None => talk.line("/exit"),
        }
        talk.event(&bye(CloseReason::Exit));
        assert_eq!(talk.chat.outcome(), ClientOutcome::Refused, "{how:?}");
    }
}

#[test]
fn all_of_the_line_is_the_path_if_there_is_such_a_file_and_else_the_last_word_is_the_user() {
    let mut talk = in_lobby(bob());
    let path = talk.write("a b", b"x");
    talk.line(&format!("/sendfile {path}"));
    assert_eq!(talk.wanted.last().unwrap(), &sent("a b", "to *", b"x", ""));
    talk.line(&format!("/sendfile {path} eve"));
    assert_eq!(talk.wanted.last().unwrap(), &sent("a b", "to eve", b"x", ""));
    talk.line(&format!("/upload {path}"));
    assert_eq!(talk.wanted.last().unwrap(), &sent("a b", "to shelf", b"x", ""));
    talk.line("/sendfile nothing eve");
    assert!(talk.shown().last().unwrap().starts_with("! "));
    let mut talk = bob();
    let path = talk.write("f", b"x");
    talk.line(&format!("/sendfile {path}"));
    assert!(talk.shown()[0].starts_with("! you are in no room"));
}

/// In a script, the answer to `/join` is not here yet when the next line is read.
#[test]
fn a_file_for_the_room_waits_until_it_is_known_which_that_is() {
    let mut talk = bob();
    let path = talk.write("f", b"x");
    talk.line("/join lobby");
    talk.line(&format!("/sendfile {path}"));
    talk.end();
    assert_eq!(talk.last(), Op::Join);
    talk.answer(Op::Join, joined("lobby"));
    assert_eq!(talk.wanted.last().unwrap(), &sent("f", "to *", b"x", ""));
    talk.answer(Op::SendFile, announced(SEVEN, 0));
    talk.event(&admitted(SEVEN, 100, 0));
    talk.event(&stored(SEVEN));
    assert_eq!((talk.chunk_bytes, talk.last()), (1, Op::Exit));
}

#[test]
fn an_upload_that_breaks_off_is_announced_again_and_goes_on_where_it_stopped() {
    let mut talk = in_lobby(bob());
    let content: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
    let path = talk.write("f", &content);
    talk.line(&format!("/sendfile {path}"));
    talk.answer(Op::SendFile, announced(SEVEN, 0));
    talk.event(&admitted(SEVEN, 100_000, 0));
    assert_eq!(talk.chunk_bytes, 100_000);
    talk.end();
    talk.shown();
    talk.chat.handle_end();
    assert!(talk.chat.over().is_none(), "it comes back for the file though there are no lines");
    assert_eq!(talk.shown()[1], "* 1 transfer resumes when the connection is back");
    talk.wanted.clear();
    talk.reconnect();
    talk.answer(Op::Login, welcome("t2", None));
    assert_eq!(talk.wanted.last().unwrap(), "join lobby", "the file is for the room");
    talk.answer(Op::Join, joined("lobby"));
    assert_eq!(talk.wanted.last().unwrap(), &sent("f", "to *", &content, " again"));
    talk.answer(Op::SendFile, announced(NINE, 0));
    talk.shown();
    talk.chunk_bytes = 0;
    talk.event(&admitted(NINE, 500_000, 84_000));
    assert_eq!(talk.chunk_bytes, 116_000, "the rest and nothing else");
    assert_eq!(talk.shown(), ["* transfer 7: resumes as transfer 9 at 42 %"]);
    talk.event(&stored(NINE));
    assert_eq!(talk.last(), Op::Exit);
    talk.event(&bye(CloseReason::Exit));
    assert_eq!(talk.chat.outcome(), ClientOutcome::Fine);
}

#[test]
fn an_upload_whose_end_was_not_heard_is_not_sent_twice() {
    let mut talk = bob();
    talk.announce(10);
    talk.event(&admitted(SEVEN, 10, 0));
    assert_eq!(talk.chunk_bytes, 10);
    talk.lose_and_return();
    assert!(talk.wanted.last().unwrap().ends_with(" again"));
    talk.answer(Op::SendFile, announced(SEVEN, 0));
    talk.event(&stored(SEVEN));
    assert_eq!(talk.chunk_bytes, 10);
    assert!(talk.shown().last().unwrap().starts_with("* transfer 7: my file sent"));
    talk.end();
    assert_eq!(talk.last(), Op::Exit);
}

#[test]
fn an_upload_is_tried_again_a_few_times_when_the_server_has_no_place_yet() {
    let mut talk = bob();
    talk.announce(10);
    talk.lose_and_return();
    let mut tries = 0;
    while talk.chat.outcome() == ClientOutcome::Refused && talk.chat.progress().count() == 1 {
        talk.answer(Op::SendFile, Err(Refusal::QueueFull { waiting: 64 }));
        tries += 1;
        if talk.chat.wake_at().is_some() {
            talk.wait();
        }
    }
    assert_eq!(tries, 8);
    let shown = talk.shown();
    assert!(shown.last().unwrap().starts_with("! transfer 7: my file: "), "{shown:?}");
    let mut talk = bob();
    let path = talk.write("f", b"x");
    talk.line(&format!("/sendfile {path} eve"));
    talk.answer(Op::SendFile, Err(Refusal::QueueFull { waiting: 64 }));
    assert!(talk.shown()[0].starts_with("! "), "the first time it is the answer");
}

#[test]
fn a_client_that_cannot_come_back_says_which_files_are_lost() {
    let mut talk = logged_in(Start {
        accepts_all: true,
        returns_for: Some(Duration::from_secs(2)),
        ..Start::of(Some("bob"))
    });
    talk.announce(10);
    talk.offer(b"hello");
    talk.getting(b"hello", 0);
    talk.chunk(b"he");
    talk.shown();
    talk.chat.handle_end();
    while talk.chat.over().is_none() {
        talk.wait();
        assert!(talk.chat.link.poll_call());
        talk.chat.handle_unreachable("refused");
    }
    let shown = talk.shown();
    let lost = "the connection was lost";
    assert!(shown.contains(&format!("! transfer 7: my file: {lost}")), "{shown:?}");
    assert!(shown.contains(&format!("! transfer 7: report.pdf: {lost}")), "{shown:?}");
    assert_eq!(talk.files(), ["my file".to_owned(), half(b"hello")], "what came is kept");
    assert_eq!(talk.chat.outcome(), ClientOutcome::Broken);
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_sent_anew_once() {
    let mut talk = bob();
    talk.announce(10);
    let path = talk.dir.path().join("my file");
    fs::write(&path, [2; 12]).unwrap();
    let mismatch = |transfer| Event::Ended { transfer, how: Ending::Mismatch };
    talk.event(&admitted(SEVEN, 100, 0));
    talk.shown();
    talk.event(&mismatch(SEVEN));
    assert!(
        talk.shown()[0].contains("my file: the file changed while it was sent; it is sent again")
    );
    assert_eq!(talk.wanted.last().unwrap(), &sent("my file", "to alice", &[2; 12], ""));
    talk.answer(Op::SendFile, announced(NINE, 0));
    talk.event(&mismatch(NINE));
    let shown = talk.shown();
    let again = "! transfer 9: my file: the file changed while it was sent, again";
    assert_eq!(shown.last().unwrap(), again);
    assert_eq!(talk.chat.progress().count(), 0);
}

#[test]
fn a_file_that_stalls_is_announced_again_once() {
    let mut talk = bob();
    talk.announce(10);
    let stalled = |transfer| Event::Ended { transfer, how: Ending::Stalled };
    talk.event(&stalled(SEVEN));
    assert_eq!(talk.wanted.last().unwrap(), &sent("my file", "to alice", &[1; 10], " again"));
    talk.answer(Op::SendFile, announced(NINE, 0));
    talk.shown();
    talk.event(&stalled(NINE));
    assert!(talk.shown()[0].starts_with("! transfer 9: my file: it stalled"));
    assert_eq!(talk.chat.outcome(), ClientOutcome::Refused);
}

#[test]
fn a_file_of_ones_own_is_withdrawn_wherever_it_is() {
    let mut talk = bob();
    talk.announce(10);
    talk.shown();
    talk.line("/cancel 7");
    assert_eq!(talk.wanted.last().unwrap(), "cancel 7");
    talk.event(&Event::Ended { transfer: SEVEN, how: Ending::Cancelled });
    talk.answer(Op::Cancel, Ok(Reply::Done));
    assert_eq!(talk.shown(), ["* transfer 7: withdrawn"]);
    // Its number is not known yet.
    let path = talk.write("f", b"x");
    talk.line(&format!("/sendfile {path} eve"));
    talk.line("/cancel f");
    assert_eq!(talk.shown(), ["* f: withdrawn"]);
    talk.answer(Op::SendFile, announced(NINE, 1));
    assert_eq!(talk.wanted.last().unwrap(), "cancel 9");
    talk.line("/cancel f");
    assert!(talk.shown()[0].starts_with("! no upload of that name"));
    talk.answer(Op::Cancel, Ok(Reply::Done));
    talk.end();
    assert_eq!(talk.last(), Op::Exit);
}

#[test]
fn how_far_a_file_is_is_said_at_its_quarters_or_shown_as_bars() {
    for bars in [false, true] {
        let mut talk = logged_in(Start { bars, ..Start::of(Some("bob")) });
        talk.announce(4 * 1024 * 1024);
        talk.event(&admitted(SEVEN, 0, 0));
        talk.shown();
        for (ms, bytes) in [(500, 1_100_000), (2000, 1_100_000), (2100, 1_100_000)] {
            talk.time(ms);
            talk.event(&Event::Credit { transfer: SEVEN, bytes });
        }
        let progress: Vec<_> = talk.chat.progress().collect();
        assert_eq!((progress.len(), progress[0].done), (1, 3_300_000));
        let shown = talk.shown();
        if bars {
            assert!(shown.is_empty(), "{shown:?}");
        } else {
            assert_eq!(shown.len(), 1, "{shown:?}");
            assert!(shown[0].starts_with("* transfer 7: my file 27 % of 4.0 MiB, "), "{shown:?}");
        }
    }
}

#[test]
fn more_than_16_uploads_wait_here() {
    let mut talk = bob();
    let path = talk.write("f", b"x");
    for _ in 0..20 {
        talk.line(&format!("/sendfile {path} eve"));
    }
    let sent = |talk: &Talk| talk.asked.iter().filter(|(_, op)| *op == Op::SendFile).count();
    assert_eq!((sent(&talk), talk.chat.progress().count()), (16, 20));
    talk.answer(Op::SendFile, Err(Refusal::NoSuchUser(user("eve"))));
    assert_eq!((sent(&talk), talk.chat.progress().count()), (17, 19));
}

#[test]
fn an_offer_is_only_shown_until_it_is_taken() {
    let mut talk = bob();
    talk.offer(b"");
    assert_eq!(talk.last(), Op::Login);
    assert!(talk.shown()[0].contains("alice sends you report.pdf (0 bytes); /get 7"));
    talk.line("/accept 7");
    assert_eq!(talk.wanted, ["get 7 from 0"]);
    talk.getting(b"", 0);
    assert_eq!(talk.last(), Op::Received, "a file of no bytes is complete at once");
    assert_eq!(talk.files(), ["report.pdf"]);
}

#[test]
fn an_accepted_file_is_saved_and_confirmed_and_waited_for() {
    let mut talk = accepting();
    talk.offer(b"hello");
    talk.end();
    talk.getting(b"hello", 0);
    talk.chunk(b"he");
    assert_eq!(talk.files(), [half(b"hello")]);
    assert_eq!(talk.last(), Op::Get);
    talk.chunk(b"llo");
    assert_eq!((talk.last(), talk.read("report.pdf")), (Op::Received, b"hello".to_vec()));
    // That it is not known any more is no failure.
    talk.answer(Op::Received, Err(Refusal::NoSuchFile));
    assert_eq!(talk.last(), Op::Exit);
    let path = talk.dir.path().join("report.pdf");
    let saved = format!("* transfer 7: verified, saved as {}", path.display());
    assert_eq!(
        talk.shown()[1..],
        ["* transfer 7: report.pdf: download begins, 5 bytes".to_owned(), saved]
    );
    talk.event(&bye(CloseReason::Exit));
    assert_eq!(talk.chat.outcome(), ClientOutcome::Fine);
}

#[test]
fn all_or_none_is_accepted_as_was_said_last() {
    let mut talk = bob();
    talk.line("/accept on");
    talk.offer(b"hello");
    assert_eq!(talk.wanted, ["get 7 from 0"]);
    talk.line("/accept off");
    let other = FileLine { transfer: NINE, ..line(b"other") };
    talk.event(&Event::Offered { file: other });
    assert_eq!(talk.wanted.len(), 1);
    let shown = talk.shown();
    assert_eq!(shown.iter().filter(|line| line.starts_with("* files sent to you")).count(), 2);
}

#[test]
fn a_download_that_breaks_off_is_asked_for_again_from_where_it_stopped() {
    let mut talk = accepting();
    talk.offer(b"hello world");
    talk.getting(b"hello world", 0);
    talk.chunk(b"hello ");
    talk.end();
    talk.lose_and_return();
    assert_eq!(talk.wanted.last().unwrap(), "get 7 from 6");
    talk.offer(b"hello world");
    talk.chunk(b"stale");
    talk.getting(b"hello world", 6);
    talk.chunk(b"world");
    assert_eq!(talk.read("report.pdf"), b"hello world");
    assert_eq!(talk.files(), ["report.pdf"]);
    let shown = talk.shown();
    assert!(shown.contains(&"* transfer 7: report.pdf resumes at 54 %".to_owned()), "{shown:?}");
    // The confirmation is lost too: it is sent again, and nothing is saved twice.
    assert_eq!(talk.wanted.iter().filter(|it| *it == "received 7").count(), 1);
}

#[test]
fn a_confirmation_that_was_lost_is_sent_again_and_the_file_is_not_taken_again() {
    let mut talk = accepting();
    talk.offer(b"hello");
    talk.getting(b"hello", 0);
    talk.chunk(b"hello");
    talk.lose_and_return();
    talk.offer(b"hello");
    assert_eq!(talk.wanted[1..], ["received 7", "received 7"]);
    assert_eq!(talk.files(), ["report.pdf"]);
    // A server that begins to count anew has another file under the number.
    talk.offer(b"other");
    assert_eq!(talk.wanted.last().unwrap(), "get 7 from 0");
}

#[test]
fn a_file_for_the_room_that_is_here_already_is_not_taken_again() {
    let mut talk = in_lobby(accepting());
    let for_room =
        |content: &[u8]| FileLine { to: Target::Room(room_name("lobby")), ..line(content) };
    let path = talk.write("report.pdf", b"hello");
    talk.event(&Event::Offered { file: for_room(b"hello") });
    assert!(talk.wanted.is_empty());
    assert_eq!(talk.shown()[1], format!("* transfer 7: you already have it, as {path}"));
    talk.event(&Event::Offered { file: FileLine { transfer: NINE, ..for_room(b"olleh") } });
    assert_eq!(talk.wanted, ["get 9 from 0"], "as long and another content");
    talk.wanted.clear();
    let mine = FileLine { from: user("bob"), transfer: TransferId(10), ..for_room(b"mine") };
    talk.event(&Event::Offered { file: mine });
    assert!(talk.wanted.is_empty(), "your own file is not downloaded by itself");
    let alone = FileLine { transfer: TransferId(11), ..line(b"hello") };
    talk.event(&Event::Offered { file: alone });
    assert_eq!(talk.wanted, ["get 11 from 0"], "what is for one is taken always");
}

#[test]
fn at_most_as_many_downloads_come_at_once_as_the_server_lets() {
    let mut talk = accepting();
    talk.greet(PROTOCOL_VERSION, Greeting { downloads: 2, ..Greeting::default() });
    let numbered = |n: u32| FileLine { transfer: TransferId(n), ..line(b"x") };
    for n in 11..=14 {
        talk.event(&Event::Offered { file: numbered(n) });
    }
    assert_eq!(talk.wanted, ["get 11 from 0", "get 12 from 0"]);
    talk.line("/cancel 13");
    talk.end();
    talk.answer(Op::Get, Ok(Reply::Getting { file: numbered(12), offset: 0 }));
    talk.chat.handle_bytes(&frame::emit_chunk(TransferId(12), b"x"));
    talk.take();
    assert_eq!(talk.wanted.last().unwrap(), "get 14 from 0");
    assert!(talk.shown().contains(&"* transfer 13: stopped".to_owned()));
    assert_eq!(talk.last(), Op::Get, "it waits for those that wait here too");
}

#[test]
fn a_file_that_is_stopped_or_refused_or_removed_leaves_no_trace() {
    for (line, asked) in [("/reject 7", "reject 7"), ("/cancel 7", "cancel 7")] {
        let mut talk = accepting();
        talk.offer(b"hello");
        talk.getting(b"hello", 0);
        talk.chunk(b"he");
        talk.line(line);
        assert_eq!(talk.wanted.last().unwrap(), asked);
        assert!(talk.files().is_empty(), "{line}: it is given up at once");
        talk.chunk(b"llo");
        talk.answer(talk.last(), Ok(Reply::Done));
        assert_eq!(talk.chat.outcome(), ClientOutcome::Fine, "nobody else refused anything");
    }
    let mut talk = accepting();
    talk.offer(b"hello");
    talk.getting(b"hello", 0);
    talk.chunk(b"he");
    talk.event(&Event::Ended { transfer: SEVEN, how: Ending::Removed });
    assert!(talk.files().is_empty());
    assert_eq!(talk.chat.outcome(), ClientOutcome::Refused);
}

#[test]
fn a_file_is_looked_up_before_it_is_taken_by_a_number_or_a_name() {
    let files = |files: &[FileLine], more| Ok(Reply::Files { files: files.to_vec(), more });
    let mut talk = bob();
    talk.line("/get 7 mine.pdf");
    assert_eq!(talk.wanted, ["files * after Some(TransferId(6))"]);
    talk.answer(
        Op::Files,
        files(&[line(b"hello"), FileLine { transfer: NINE, ..line(b"x") }], true),
    );
    assert_eq!(talk.wanted.last().unwrap(), "get 7 from 0");
    talk.getting(b"hello", 0);
    talk.chunk(b"hello");
    assert_eq!(talk.files(), ["mine.pdf"]);

    let mut talk = bob();
    talk.line("/download report.pdf mine.pdf");
    assert_eq!(talk.wanted, ["files report.pdf mine.pdf after None"]);
    talk.answer(Op::Files, files(&[], false));
    assert_eq!(talk.wanted.last().unwrap(), "files report.pdf after None");
    talk.answer(Op::Files, files(&[line(b"old")], true));
    assert_eq!(talk.wanted.last().unwrap(), "files report.pdf after Some(TransferId(7))");
    let newer = FileLine { transfer: NINE, ..line(b"new") };
    let not_mine =
        FileLine { transfer: TransferId(10), to: Target::User(user("eve")), ..line(b"n") };
    talk.answer(Op::Files, files(&[newer, not_mine], false));
    assert_eq!(talk.wanted.last().unwrap(), "get 9 from 0", "the newest that is for bob");

    for (wish, answer) in [("/get 8", line(b"x")), ("/get nothing", line(b"x"))] {
        let mut talk = bob();
        talk.line(wish);
        talk.answer(Op::Files, files(&[answer], false));
        assert!(talk.shown()[0].starts_with("! there is no such file"), "{wish}");
    }
    for wish in ["/get 7 ../x", "/get 7 /etc/passwd", "/get 7 CON"] {
        let mut talk = bob();
        talk.line(wish);
        assert!(talk.wanted.is_empty() && talk.shown()[0].starts_with("! invalid file name"));
    }
}

#[test]
fn whoever_is_told_that_a_file_was_taken_is_shown_it() {
    let mut talk = bob();
    let name = FileName::parse("report.pdf").unwrap();
    talk.event(&Event::Receipt { transfer: SEVEN, name, by: user("eve"), took: true });
    assert_eq!(talk.shown(), ["* transfer 7: eve downloaded report.pdf"]);
}

#[test]
fn whoever_is_logged_out_sends_and_takes_nothing_any_more() {
    let mut talk = accepting();
    talk.announce(10);
    talk.offer(b"hello");
    talk.getting(b"hello", 0);
    talk.shown();
    talk.line("/logout");
    talk.answer(Op::Logout, Ok(Reply::LoggedOut));
    let shown = talk.shown();
    assert!(shown[0].starts_with("! transfer 7: my file: you are logged out"));
    assert!(shown[1].starts_with("! transfer 7: report.pdf: you are logged out"));
    talk.line(&format!("/sendfile {} eve", talk.dir.path().join("my file").display()));
    assert!(talk.shown()[0].starts_with("! log in first"));
}
