//! A link by itself: events out of crafted bytes, with nobody who shows or decides anything.

use super::*;
use crate::client::errand::{Errand, ListForm};
use crate::front::{Front, Incoming, TRUSTED, native};
use crate::message::{Refusal, Secret};

/// All that follows, one thing after the other.
fn events(link: &mut Link) -> Vec<LinkEvent> {
    let mut all = Vec::new();
    loop {
        all.extend(std::iter::from_fn(|| link.poll_event()));
        if !link.go_on() {
            all.extend(std::iter::from_fn(|| link.poll_event()));
            return all;
        }
    }
}

/// The server answers the request of this number.
fn answered(link: &mut Link, id: u64, answer: Result<Reply, Refusal>) -> Vec<LinkEvent> {
    link.handle_bytes(&native::emit_answer(Some(id), &answer));
    events(link)
}

fn welcome(room: Option<RoomName>) -> Result<Reply, Refusal> {
    let (user, token) = (UserName::parse("bob").unwrap(), "t1".to_owned());
    Ok(Reply::Welcome { user, guest: false, token, room, rooms: Vec::new() })
}

/// The first request of a connection tells this of the client. Answers with its length.
#[track_caller]
fn says_hello(link: &Link, traits: &ClientTraits<'_>) -> usize {
    let (hello, taken) = Front::Native.read(link.outgoing(), TRUSTED).unwrap().unwrap();
    let Incoming::Request { command: Ok(Command::Hello { about, .. }), .. } = hello else {
        panic!("no hello: {hello:?}");
    };
    assert_eq!(about, *traits);
    taken
}

/// Logged in to an account; its connection breaks, and another is wanted.
fn lost() -> Link {
    let returns_for = Some(Duration::from_secs(60));
    let mut link = Link::new(&Start { returns_for, ..Start::of(Some("bob")) });
    let told = answered(&mut link, 2, welcome(None));
    assert!(matches!(told[..], [LinkEvent::Show(_), LinkEvent::In { again: false }]), "{told:?}");
    link.request(Command::Rooms);
    link.name_last(2, "/rooms".to_owned());
    link.handle_fault(Fault::Closed);
    let told = events(&mut link);
    let [LinkEvent::Refused(Refused::Unanswered(words)), LinkEvent::Failed(Fault::Closed)] =
        &told[..]
    else {
        panic!("{told:?}");
    };
    assert!(words == "/rooms" && link.can_return());
    link
}

#[test]
fn a_connection_is_asked_for_as_a_value_and_the_token_is_what_gets_in() {
    let mut link = lost();
    link.come_back(Fault::Closed);
    let told = events(&mut link);
    assert!(matches!(told[..], [LinkEvent::Show(_), LinkEvent::Away]), "{told:?}");
    assert!(link.outgoing().is_empty() && !link.poll_call(), "it waits first");
    let at = link.wake_at().unwrap();
    link.handle_time(at);
    assert!(link.poll_call() && !link.poll_call(), "asked for once");
    link.handle_connected();
    let taken = says_hello(&link, &Start::of(None).traits());
    let (login, _) = Front::Native.read(&link.outgoing()[taken..], TRUSTED).unwrap().unwrap();
    let Incoming::Request { command: Ok(Command::Login { proof, .. }), .. } = login else {
        panic!("no login: {login:?}");
    };
    assert_eq!(proof, Proof::Token(Secret("t1".into())));
    let told = answered(&mut link, 2, welcome(None));
    assert!(matches!(told[..], [LinkEvent::Show(_), LinkEvent::In { again: true }]), "{told:?}");
    assert!(link.is_ready());
}

#[test]
fn whether_it_is_worth_coming_back_is_for_the_owner_to_say() {
    let mut link = lost();
    link.give_up(Fault::Closed);
    assert!(matches!(events(&mut link)[..], [LinkEvent::Over]));
    assert_eq!(link.over(), Some(&Over::Broken(Fault::Closed)));
    assert!(link.wake_at().is_none() && !link.poll_call());
}

#[test]
fn a_name_that_is_refused_leaves_nobody_logged_in() {
    let mut link = Link::new(&Start::of(Some("bob")));
    let taken = Refusal::NameInUse(UserName::parse("bob").unwrap());
    let told = answered(&mut link, 2, Err(taken));
    let [LinkEvent::Refused(_), LinkEvent::Out(Gone::NotLoggedIn), LinkEvent::Show(next)] =
        &told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!(next, &Show::Note(Note::Nameless));
    assert!(link.is_out() && link.me().is_none());
}

#[test]
fn a_chat_tells_its_device_and_hears_its_own_and_an_errand_says_that_it_is_one() {
    let device = Some("laptop".to_owned());
    let told = |own| ClientTraits { device: Some("laptop".into()), own, errand: !own };
    for (errand, own) in [
        (Errand::Talk, true),
        (Errand::Menu, true),
        (Errand::Say { to: None, text: None }, false),
        (Errand::List { pattern: None, form: ListForm::Table }, false),
    ] {
        let start = Start { device: device.clone(), errand, ..Start::of(Some("bob")) };
        says_hello(&Link::new(&start), &told(own));
    }
}

#[test]
fn what_the_server_is_able_to_do_is_known_for_its_connection_alone() {
    let mut link = lost();
    link.come_back(Fault::Closed);
    events(&mut link);
    for (reply, keys) in [(Reply::Able { keys: 9, run: "r".to_owned() }, 9), (Reply::Done, 0)] {
        answered(&mut link, 1, Ok(reply));
        assert_eq!(link.keys, keys);
        link.handle_connected();
    }
}

/// By what the last login on this connection is tried.
fn last_proof(link: &Link) -> Proof<'_> {
    let (mut at, mut last) = (0, None);
    while let Some((message, taken)) = Front::Native.read(&link.outgoing()[at..], TRUSTED).unwrap()
    {
        at += taken;
        if let Incoming::Request { command: Ok(Command::Login { proof, .. }), .. } = message {
            last = Some(proof);
        }
    }
    last.expect("a login")
}

/// A command of bob, for whom a chat has left this.
fn errand(token: Option<&'static str>) -> Link {
    let errand = Errand::Say { to: None, text: Some("hi".to_owned()) };
    let token = token.map(|token| Secret(token.into()));
    Link::new(&Start { errand, token, ..Start::of(Some("bob")) })
}

#[test]
fn a_command_of_a_guest_shows_what_the_chat_has_left_and_without_it_nothing() {
    let mut link = errand(Some("t1"));
    assert_eq!(last_proof(&link), Proof::Token(Secret("t1".into())));
    answered(&mut link, 2, Err(Refusal::WrongPassword));
    assert_eq!(last_proof(&link), Proof::None, "a void one is as good as none");
    assert_eq!(last_proof(&errand(None)), Proof::None);
}

#[test]
fn a_command_of_a_guest_whose_name_is_in_use_says_so_and_one_with_a_password_does_not() {
    let in_use = || Err(Refusal::NameInUse(UserName::parse("bob").unwrap()));
    let refused = |mut link: Link| {
        link.handle_time(login::SCRIPT_NAME_BEFORE);
        let told = answered(&mut link, 2, in_use());
        let Some(LinkEvent::Refused(refused)) = told.into_iter().next() else { panic!() };
        refused
    };
    for token in [None, Some("t1")] {
        assert_eq!(refused(errand(token)), Refused::InUse("bob".to_owned()));
    }
    assert!(matches!(refused(Link::new(&Start::of(Some("bob")))), Refused::Answer(_)));
    let mut link = errand(None);
    link.log_in("bob", Proof::Password(Secret("sesame".into())));
    link.handle_time(login::SCRIPT_NAME_BEFORE);
    let told = answered(&mut link, 3, in_use());
    assert!(matches!(told[0], LinkEvent::Refused(Refused::Answer(_))), "{told:?}");
}

#[test]
fn what_gets_a_guest_in_is_told_while_they_are_in_and_never_that_of_an_account() {
    let welcome = |guest| {
        let (user, token) = (UserName::parse("bob").unwrap(), "t1".to_owned());
        Ok(Reply::Welcome { user, guest, token, room: None, rooms: Vec::new() })
    };
    let start = || Start { returns_for: Some(Duration::MAX), ..Start::of(Some("bob")) };
    let (mut guest, mut account) = (Link::new(&start()), Link::new(&start()));
    assert_eq!(guest.guest(), None);
    answered(&mut guest, 2, welcome(true));
    answered(&mut account, 2, welcome(false));
    assert_eq!(guest.guest().map(|(_, token)| token), Some("t1"));
    assert_eq!(account.guest(), None);
    guest.come_back(Fault::Closed);
    assert!(guest.guest().is_some(), "it is what they come back with");
    guest.handle_connected();
    answered(&mut guest, 2, Err(Refusal::WrongPassword));
    assert_eq!(guest.guest(), None, "it is void");
}
