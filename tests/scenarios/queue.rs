//! Scenarios 3 and 10: the upload queue has five slots and a line, and tells places and times.

use crate::support::{Person, Server, Way, content, number_after};

/// More than is granted at once, so that each sender has to wait for credit.
const SIZE: usize = 400 * 1024;
const SENDERS: usize = 10;

#[test]
fn ten_uploads_share_five_slots_in_the_client() {
    ten_uploads(Way::Client);
}

#[test]
fn ten_uploads_share_five_slots_over_text_lines() {
    ten_uploads(Way::Lines);
}

/// No part of a file comes before it is let, so that whoever has a slot keeps it.
fn ten_uploads(way: Way) {
    let server = Server::start(&[]);
    let mut receiver = server.person(way, "receiver");
    let mut senders = senders(&server, way);
    let mut numbers = Vec::new();
    for (n, sender) in senders.iter_mut().enumerate() {
        let (transfer, place) = sender.announce(&file(n), &bytes(n), "receiver").unwrap();
        assert_eq!(place, (n as u64 + 1).saturating_sub(5), "of {n}");
        numbers.push(transfer);
    }
    receiver.ask("/queue", "* 5 of 5 slots in use, 5 waiting");
    assert_eq!(receiver.count(" place "), 5, "everyone's place is shown");
    assert_eq!(receiver.count("sends you"), 0);

    for (n, sender) in senders.iter_mut().enumerate() {
        sender.upload(numbers[n], &bytes(n));
        let offer = receiver.offer();
        assert_eq!((offer.name.clone(), offer.transfer), (file(n), numbers[n]));
        assert!(receiver.take(&offer).0 == bytes(n), "content of {n}");
        sender.expect(&format!("* transfer {}: receiver downloaded {}", numbers[n], file(n)));
    }
    // The last in line saw every place before it.
    let (last, word) = match way {
        Way::Client => (senders[SENDERS - 1].all(" queued "), " queued "),
        Way::Lines => (senders[SENDERS - 1].all(": waits at place "), "at place "),
    };
    let places: Vec<_> = last.iter().map(|line| number_after(line, word)).collect();
    assert_eq!(places, [5, 4, 3, 2, 1], "{last:?}");
    receiver.ask("/queue", "* 0 of 5 slots in use, 0 waiting");
    assert!(server.contents().is_empty(), "what was taken is gone: {:?}", server.contents());
    let log = server.stop();
    let full = log.iter().filter(|line| line.contains("[FILE-QUEUE] Added: ")).collect::<Vec<_>>();
    assert_eq!(full.len(), SENDERS);
    assert!(full.iter().all(|line| (1..=5).contains(&number_after(line, "bytes) ["))), "{full:#?}");
}

#[test]
fn who_finds_the_line_full_is_refused_in_the_client() {
    full_line(Way::Client);
}

#[test]
fn who_finds_the_line_full_is_refused_over_text_lines() {
    full_line(Way::Lines);
}

fn full_line(way: Way) {
    let server = Server::start(&["--upload-waiting", "2"]);
    let _receiver = server.person(way, "receiver");
    let mut refused = 0;
    for (n, sender) in senders(&server, way).iter_mut().enumerate() {
        match sender.announce(&file(n), &bytes(n), "receiver") {
            Ok((_, place)) => assert_eq!(place, [0, 0, 0, 0, 0, 1, 2][n]),
            Err(line) => {
                assert!(line.contains("upload queue is full (2 waiting)"), "{line}");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 3);
    server.stop();
}

#[test]
fn waiting_time_is_told_in_the_queue_at_admission_and_in_the_log_in_the_client() {
    waiting_time(Way::Client);
}

#[test]
fn waiting_time_is_told_in_the_queue_at_admission_and_in_the_log_over_text_lines() {
    waiting_time(Way::Lines);
}

fn waiting_time(way: Way) {
    let server = Server::start(&["--upload-slots", "1"]);
    let mut receiver = server.person(way, "receiver");
    let mut first = server.holder(way, "first");
    let mut second = server.holder(way, "second");
    for person in [&mut first, &mut second] {
        person.expect("* welcome, ");
    }
    let (holds, _) = first.announce("a.txt", b"a", "receiver").unwrap();
    let (waits, place) = second.announce("b.txt", b"b", "receiver").unwrap();
    assert_eq!(place, 1);
    let shown_ms = wait_until_shown(&mut second, waits);
    first.upload(holds, b"a");
    let offer = receiver.offer();
    receiver.take(&offer);
    let go = match &mut second {
        // What the socket client waits for by itself before it sends.
        Person::Text(text) => text.lines.expect(&format!("* transfer {waits}: go, ")),
        Person::Chat(chat) => {
            chat.lines.expect(&format!("* transfer {waits}: b.txt: upload begins, "))
        }
    };
    let told_ms = tenths_ms(&go, "waited ");
    assert!(told_ms >= shown_ms, "{shown_ms} ms in the queue, then: {go}");

    let log = server.stop();
    let added = log.iter().find(|line| line.contains("Added: second -> receiver")).unwrap();
    let waited = added.split_once(" waited ").unwrap().1.strip_suffix(" s").unwrap();
    let (seconds, milliseconds) = waited.split_once('.').unwrap();
    assert_eq!(milliseconds.len(), 3, "{added}");
    let logged_ms: u64 = format!("{seconds}{milliseconds}").parse().unwrap();
    assert_eq!(logged_ms / 100 * 100, told_ms, "{added}");
    let first = log.iter().find(|line| line.contains("Added: first -> receiver")).unwrap();
    assert!(first.ends_with(" [1/1] waited 0.000 s"), "{first}");
}

/// Asks for the queue until it shows some waiting; answers how much, in milliseconds.
fn wait_until_shown(person: &mut Person, transfer: u64) -> u64 {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        person.type_line("/queue");
        person.expect("* 1 of 1 slots in use, 1 waiting");
        let line = person.expect(&format!(
            "* transfer {transfer}: second -> receiver (b.txt, 1 bytes) place 1, "
        ));
        let shown_ms = tenths_ms(&line, "waiting ");
        if shown_ms >= 300 {
            return shown_ms;
        }
        assert!(std::time::Instant::now() < until, "{line}");
    }
}

/// `0.3 s` after some words, in milliseconds.
fn tenths_ms(line: &str, before: &str) -> u64 {
    let seconds = number_after(line, before);
    seconds * 1000 + number_after(line, &format!("{before}{seconds}.")) * 100
}

fn senders(server: &Server, way: Way) -> Vec<Person> {
    let mut senders: Vec<_> =
        (0..SENDERS).map(|n| server.holder(way, &format!("sender{n}"))).collect();
    for sender in &mut senders {
        sender.expect("* welcome, sender");
    }
    senders
}

fn file(n: usize) -> String {
    format!("file{n}.bin")
}

fn bytes(n: usize) -> Vec<u8> {
    content(n as u64 + 1, SIZE + n)
}
