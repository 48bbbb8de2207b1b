//! Scenario 1: thirty clients at once join rooms and talk; and a room takes no sixteenth.

use crate::support::{Person, Server, Way};

const PEOPLE: usize = 30;
const MESSAGES: usize = 40;
/// What the system before needed at its peak.
const MEMORY_MAX_BYTES: u64 = 25_000_000;

#[test]
fn thirty_clients_in_two_rooms_all_hear_everything_once_and_in_order() {
    thirty_talk(Way::Client);
}

#[test]
fn thirty_people_with_text_lines_all_hear_everything_once_and_in_order() {
    thirty_talk(Way::Lines);
}

fn thirty_talk(way: Way) {
    let server = Server::start(&[]);
    let mut people: Vec<_> = (0..PEOPLE).map(|n| server.newcomer(way, &name(n))).collect();
    for (n, person) in people.iter_mut().enumerate() {
        person.expect(&format!("* welcome, {}", name(n)));
    }
    for (n, person) in people.iter_mut().enumerate() {
        person.type_line(&format!("/join {}", room(n)));
    }
    for (n, person) in people.iter_mut().enumerate() {
        person.expect(&format!("* you are in {}: ", room(n)));
    }
    for message in 0..MESSAGES {
        for (n, person) in people.iter_mut().enumerate() {
            person.type_line(&said(n, message));
        }
    }
    let heard: usize = people.iter_mut().enumerate().map(|(n, person)| heard(person, n)).sum();
    let expected = PEOPLE * (PEOPLE / 2 - 1) * MESSAGES;
    assert_eq!(heard, expected);
    let peak = server.memory_peak_bytes();
    println!("{way:?}: {heard} of {expected} messages, server at most {peak} bytes");
    assert!(peak < MEMORY_MAX_BYTES, "the server had {peak} bytes at its peak");
    server.stop();
}

/// Checks what one of them heard, and counts it.
fn heard(person: &mut Person, me: usize) -> usize {
    let others: Vec<_> = (0..PEOPLE).filter(|&n| n != me && room(n) == room(me)).collect();
    for &other in &others {
        person.expect(&format!("{}: {}", name(other), said(other, MESSAGES - 1)));
    }
    let mut count = 0;
    for &other in &others {
        let from = format!("[{}] {}: ", room(me), name(other));
        let lines = person.all(&from);
        let words = lines.iter().map(|line| line.split_once(&from).unwrap().1);
        let all: Vec<_> = (0..MESSAGES).map(|message| said(other, message)).collect();
        assert_eq!(words.collect::<Vec<_>>(), all, "{} of {}", name(me), name(other));
        count += lines.len();
    }
    assert_eq!(person.count(&format!("[{}] {}: ", room(me), name(me))), 0, "heard oneself");
    let elsewhere = format!("[{}]", room(me + 1));
    assert_eq!(person.count(&elsewhere), 0, "heard the other room");
    count
}

fn name(n: usize) -> String {
    format!("user{n:02}")
}

fn room(n: usize) -> String {
    format!("room{}", n % 2)
}

fn said(n: usize, message: usize) -> String {
    format!("message {message} of {n}.")
}

#[test]
fn a_room_is_full_at_the_sixteenth_client() {
    room_is_full(Way::Client);
}

#[test]
fn a_room_is_full_at_the_sixteenth_person_with_text_lines() {
    room_is_full(Way::Lines);
}

fn room_is_full(way: Way) {
    let server = Server::start(&[]);
    let mut people: Vec<_> = (0..15).map(|n| server.person(way, &name(n))).collect();
    for person in &mut people {
        person.join("lobby");
    }
    let mut late = server.person(way, "late");
    late.ask("/join lobby", "! room_full: room is full (15 members); join another (/rooms lists them); the owner can raise it with --room-members");
    assert_eq!(people[0].count("late joined"), 0);
    people[7].ask("/leave", "* you left lobby");
    late.join("lobby");
    people[0].expect("[lobby] late joined");
    server.stop();
}
