//! Scenarios 6 and 9: a file that is too large, and three files of one name.

use crate::support::{Server, Way, content};

const LIMIT: usize = 100 * 1024;

#[test]
fn a_file_over_the_limit_is_refused_before_its_first_byte_in_the_client() {
    over_the_limit(Way::Client);
}

#[test]
fn a_file_over_the_limit_is_refused_before_its_first_byte_over_text_lines() {
    over_the_limit(Way::Lines);
}

fn over_the_limit(way: Way) {
    let server = Server::start(&["--file-max", "100KiB"]);
    let mut alice = server.person(way, "alice");
    let mut bob = server.person(way, "bob");
    let over = content(1, LIMIT + 1);
    let refused = alice.announce("over.bin", &over, "bob").unwrap_err();
    let said = "the file is too large: 100 KiB at most; the owner can raise it with --file-max";
    assert_eq!(refused.trim_start_matches("! ").trim_start_matches("file_too_large: "), said);
    assert_eq!(alice.count("waited"), 0);
    assert!(server.files().is_empty(), "{:?}", server.files());
    if way == Way::Lines {
        // Nor can content be forced upon the server: there is no transfer to which it belongs.
        alice.ask("/chunk 1 YWJj", "! no_such_transfer: you have no such transfer");
    }

    let exact = content(2, LIMIT);
    let (transfer, _) = alice.announce("exact.bin", &exact, "bob").unwrap();
    alice.upload(transfer, &exact);
    let offer = bob.offer();
    assert!(bob.take(&offer).0 == exact, "the content");
    assert_eq!(bob.count("sends you"), 1);
    assert_eq!(bob.count("over.bin"), 0);
    let log = server.stop();
    let over: Vec<_> = log.iter().filter(|line| line.contains("over.bin")).collect();
    assert_eq!(over.len(), 1, "{over:#?}");
    assert!(over[0].contains("] [SENDFILE] Refused: alice -> bob (over.bin, 102401 bytes)"));
}

#[test]
fn three_files_of_one_name_all_arrive_in_the_client() {
    let server = Server::start(&[]);
    let mut receiver = server.person(Way::Client, "receiver");
    let mut saved = Vec::new();
    for n in 1..=3 {
        let (sent, path) = hand_over(&server, Way::Client, &mut receiver, n);
        let path = path.expect("a client saves");
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        saved.push((name, path, sent));
    }
    // Only now, so that one that took the place of another would show.
    for (_, path, sent) in &saved {
        assert!(std::fs::read(path).unwrap() == *sent, "{}", path.display());
    }
    let names: Vec<_> = saved.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["report.pdf", "report (1).pdf", "report (2).pdf"]);
    server.stop();
}

#[test]
fn three_files_of_one_name_all_arrive_over_text_lines() {
    let server = Server::start(&[]);
    let mut receiver = server.person(Way::Lines, "receiver");
    for n in 1..=3 {
        hand_over(&server, Way::Lines, &mut receiver, n);
    }
    server.stop();
}

#[test]
fn three_senders_at_once_and_a_client_that_takes_everything() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let options = ["--user", "receiver", "--accept-files", path];
    let mut receiver = crate::support::Chat::start(server.addr(), &options);
    receiver.lines.expect("* welcome, receiver");
    let mut senders: Vec<_> =
        (1..=3).map(|n| server.person(Way::Client, &format!("sender{n}"))).collect();
    let mut sent: Vec<_> = (1..=3).map(|n| content(n, 50_000)).collect();
    for (sender, content) in senders.iter_mut().zip(&sent) {
        sender.announce("report.pdf", content, "receiver").unwrap();
    }
    for sender in &mut senders {
        sender.expect(": receiver downloaded report.pdf");
    }
    let names = ["report.pdf", "report (1).pdf", "report (2).pdf"];
    let mut arrived = names.map(|name| std::fs::read(folder.path().join(name)).unwrap());
    arrived.sort();
    sent.sort();
    assert!(arrived[..] == sent[..], "all three are there");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    receiver.type_line("/exit");
    assert_eq!(receiver.expect_exit(), Some(0));
    server.stop();
}

#[test]
fn a_drop_box_takes_files_after_the_end_of_its_input() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let options = ["--user", "box", "--accept-files", path, "--stay"];
    let mut chat = crate::support::Chat::start(server.addr(), &options);
    chat.end_input();
    chat.lines.expect("* welcome, box");
    let mut alice = server.person(Way::Client, "alice");
    for n in 1..=2 {
        alice.announce("report.pdf", &content(n, 1000), "box").unwrap();
        alice.expect(": box downloaded report.pdf");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    chat.signal(rustix::process::Signal::TERM);
    assert_eq!(chat.expect_exit(), Some(0));
    server.stop();
}

/// One more sender hands `report.pdf` over; answers with what was sent and where it is.
fn hand_over(
    server: &Server,
    way: Way,
    receiver: &mut crate::support::Person,
    n: u64,
) -> (Vec<u8>, Option<std::path::PathBuf>) {
    let name = format!("sender{n}");
    let mut sender = server.person(way, &name);
    let sent = content(n, 70_000);
    let (transfer, _) = sender.announce("report.pdf", &sent, "receiver").unwrap();
    sender.upload(transfer, &sent);
    let offer = receiver.offer();
    assert_eq!((offer.from.as_str(), offer.name.as_str()), (name.as_str(), "report.pdf"));
    assert_eq!(offer.size, sent.len() as u64);
    let (taken, path) = receiver.take(&offer);
    assert!(taken == sent, "the content of {name}");
    sender.expect(&format!("* transfer {transfer}: receiver downloaded report.pdf"));
    (sent, path)
}
