//! One of each message. A new one is added here and to the files beside.

use parlor::id::{LetterId, TransferId};
use parlor::limits::Limits;
use parlor::message::{
    CloseReason, Command, Ending, Event, FileName, Greeting, LogoutReason, NameError, Names, Proof,
    Refusal, Reply, RoomLine, RoomName, Secret, Text, TextError, UploadLine, UserName,
};

const TRANSFER: TransferId = TransferId(7);
const AT: u64 = 1_700_000_000_123;

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn room() -> RoomName {
    RoomName::parse("lobby").unwrap()
}

fn text(text: &str) -> Text {
    Text::parse(text.into(), 1000).unwrap()
}

fn file() -> FileName {
    FileName::parse("a b.pdf").unwrap()
}

fn secret(text: &str) -> Secret<'_> {
    Secret(text.into())
}

fn login(proof: Proof<'static>) -> Command<'static> {
    Command::Login { user: "alice".into(), proof }
}

pub(crate) fn commands() -> Vec<(&'static str, Command<'static>)> {
    vec![
        ("hello", Command::Hello { version: 1 }),
        ("login", Command::guest("alice")),
        ("login with a password", login(Proof::Password(secret("open \"sesame\"")))),
        ("login with a token", login(Proof::Token(secret("1.2.3.4.abc")))),
        ("register", Command::Register { user: "alice".into(), password: secret("open sesame") }),
        ("passwd", Command::Passwd { old: secret("one"), new: secret("another") }),
        ("logout", Command::Logout),
        ("broadcast", Command::Broadcast { text: "hi all".into() }),
        ("got", Command::Got { letter: LetterId(u64::MAX) }),
        ("whoelse", Command::WhoElse { within_s: None }),
        ("whoelse within", Command::WhoElse { within_s: Some(60) }),
        ("block", Command::Block { user: "bob".into() }),
        ("unblock", Command::Unblock { user: "bob".into() }),
        ("blocked", Command::Blocked),
        ("join", Command::Join { room: "lobby".into() }),
        ("leave", Command::Leave),
        ("say", Command::Say { text: "hi \"you\"\n\u{1f600}".into(), me: false }),
        ("me", Command::Say { text: "waves".into(), me: true }),
        ("whisper", Command::Whisper { user: "bob".into(), text: "psst".into() }),
        ("rooms", Command::Rooms),
        ("who", Command::Who { room: None }),
        ("who in a room", Command::Who { room: Some("lobby".into()) }),
        ("queue", Command::Queue),
        ("help", Command::Help),
        ("ping", Command::Ping),
        ("exit", Command::Exit),
        (
            "send_file",
            Command::SendFile { user: "bob".into(), name: "a b.pdf".into(), size: 1 << 40 },
        ),
        ("accept", Command::Accept { transfer: TRANSFER }),
        ("reject", Command::Reject { transfer: TRANSFER }),
        ("received", Command::Received { transfer: TRANSFER }),
        ("cancel", Command::Cancel { transfer: TransferId(u32::MAX) }),
    ]
}

pub(crate) fn answers() -> Vec<(String, Result<Reply, Refusal>)> {
    let names = || Names { users: vec![user("Alice"), user("bob")], total: 3 };
    let replies = [
        ("done", Reply::Done),
        ("welcome", Reply::welcome(user("Alice"))),
        ("welcome back", welcome_back()),
        ("password changed", Reply::PasswordChanged { token: "1.2.3.4.abc".to_owned() }),
        ("logged out", Reply::LoggedOut),
        ("heard, but not by all", Reply::Heard { count: 2, blocked: true }),
        ("kept", Reply::Kept { user: user("bob"), online: false }),
        ("kept and sent", Reply::Kept { user: user("bob"), online: true }),
        ("whoelse", Reply::WhoElse { within_s: None, members: names() }),
        ("whoelse within", Reply::WhoElse { within_s: Some(60), members: names() }),
        ("blocked", Reply::Blocked { members: names() }),
        ("joined", Reply::Joined { room: room(), members: names() }),
        ("left", Reply::Left { room: room() }),
        ("heard", Reply::heard(2)),
        ("rooms", Reply::Rooms { rooms: vec![RoomLine { room: room(), members: 2 }], total: 9 }),
        ("who", Reply::Who { room: None, members: names() }),
        ("who in a room", Reply::Who { room: Some(room()), members: names() }),
        ("queue", Reply::Queue { slots: 5, used: 1, waiting: 0, uploads: vec![upload()] }),
        ("help", Reply::Help { text: "/one  first\n/two  second".to_owned() }),
        ("pong", Reply::Pong),
        ("announced", Reply::Announced { transfer: TRANSFER, place: 2 }),
    ];
    let yes = replies.map(|(name, reply)| (format!("answer {name}"), Ok(reply)));
    let no = refusals().map(|refusal| (format!("error {}", refusal.code()), Err(refusal)));
    yes.into_iter().chain(no).collect()
}

fn welcome_back() -> Reply {
    let token = "1.2.3.4.abc".to_owned();
    Reply::Welcome { user: user("Alice"), guest: false, token, room: Some(room()) }
}

fn upload() -> UploadLine {
    UploadLine {
        transfer: TRANSFER,
        from: user("Alice"),
        to: user("bob"),
        name: file(),
        size: 3_000_000,
        place: 0,
        waited_ms: 1_250,
    }
}

fn refusals() -> [Refusal; 39] {
    [
        Refusal::BadRequest("`op` is missing".to_owned()),
        Refusal::UnknownOp("dance".to_owned()),
        Refusal::LoginFirst,
        Refusal::LoggedIn(user("Alice")),
        Refusal::BadUserName(NameError::TooLong(16)),
        Refusal::BadRoomName(NameError::NotAlphanumeric),
        Refusal::BadFileName(NameError::NotAFileName("`.` and `..` are folders")),
        Refusal::BadText(TextError::Control(27)),
        Refusal::NameInUse(user("Alice")),
        Refusal::PasswordNeeded(user("Alice")),
        Refusal::WrongPassword,
        Refusal::LockedOut { wait_ms: 59_001 },
        Refusal::Busy { wait_ms: 1000 },
        Refusal::BadPassword { min: 6, max: 256 },
        Refusal::NameTaken(user("Alice")),
        Refusal::RegistrationClosed,
        Refusal::NoAccount,
        Refusal::LoginUnderWay,
        Refusal::BlockedBy(user("bob")),
        Refusal::AlreadyBlocked(user("bob")),
        Refusal::NotBlocked(user("bob")),
        Refusal::TooManyBlocks { limit: 1000 },
        Refusal::MailboxFull { user: user("bob"), limit: 1000 },
        Refusal::StoreFailed,
        Refusal::SlowDown { wait_ms: 1 },
        Refusal::WrongVersion { theirs: 2, ours: 1 },
        Refusal::NotInRoom,
        Refusal::AlreadyThere,
        Refusal::RoomFull { limit: 15 },
        Refusal::TooManyRooms { limit: 10_000 },
        Refusal::NoSuchUser(user("carol")),
        Refusal::NoSuchRoom,
        Refusal::ToYourself,
        Refusal::FileTooLarge { size: 4_000_000, limit: 3_145_728 },
        Refusal::QueueFull { waiting: 64 },
        Refusal::TooManyUploads { limit: 16 },
        Refusal::NoSuchTransfer,
        Refusal::TransferNotReady,
        Refusal::ShuttingDown,
    ]
}

pub(crate) fn events() -> Vec<(String, Event)> {
    let (transfer, at, from) = (TRANSFER, AT, user("Alice"));
    let limits = Greeting::new(&Limits::default());
    let server = "parlor 1".to_owned();
    let said = |me, words| Event::Said { room: room(), from, text: text(words), me, at };
    let plain = [
        ("hello", Event::Hello { protocol: 1, server, limits }),
        ("said", said(false, "hi \"you\"\n\u{1f600}\u{202e}")),
        ("said me", said(true, "waves")),
        ("whispered", Event::Whispered { from, text: text("psst"), at, letter: None }),
        ("letter", Event::Whispered { from, text: text("psst"), at, letter: Some(LetterId(7)) }),
        ("broadcast", Event::Broadcast { from, text: text("hi all"), at }),
        ("online", Event::Online { user: user("bob"), at }),
        ("offline", Event::Offline { user: user("bob"), at }),
        ("logged out idle", Event::LoggedOut { reason: LogoutReason::Idle }),
        ("logged out registered", Event::LoggedOut { reason: LogoutReason::Registered }),
        ("logged out removed", Event::LoggedOut { reason: LogoutReason::Removed }),
        ("joined", Event::Joined { room: room(), user: user("bob"), at }),
        ("left", Event::Left { room: room(), user: user("bob"), at }),
        ("queued", Event::Queued { transfer, place: 2, of: 3 }),
        ("admitted", Event::Admitted { transfer, waited_ms: 1_250, credit: 262_144 }),
        ("credit", Event::Credit { transfer, bytes: 32_768 }),
        ("offered", Event::Offered { transfer, from, name: file(), size: 3_000_000 }),
        ("ping", Event::Ping),
    ];
    let ended =
        endings().map(|how| (format!("event ended {how:?}"), Event::Ended { transfer, how }));
    let bye = reasons().map(|reason| {
        let missed = if reason == CloseReason::TooSlow { 3 } else { 0 };
        let back = reason.worth_coming_back();
        (format!("event bye {reason:?}"), Event::Bye { reason, back, missed })
    });
    let plain = plain.map(|(name, event)| (format!("event {name}"), event));
    plain.into_iter().chain(ended).chain(bye).collect()
}

fn endings() -> [Ending; 9] {
    [
        Ending::Delivered,
        Ending::Rejected,
        Ending::Cancelled,
        Ending::SenderGone,
        Ending::ReceiverGone,
        Ending::Stalled,
        Ending::Unanswered,
        Ending::Overrun,
        Ending::StoreFailed,
    ]
}

fn reasons() -> [CloseReason; 13] {
    [
        CloseReason::Exit,
        CloseReason::Shutdown,
        CloseReason::TooSlow,
        CloseReason::Overloaded,
        CloseReason::FirstByteLate,
        CloseReason::LoginLate,
        CloseReason::Silent,
        CloseReason::TakenOver,
        CloseReason::TooManyWaiting,
        CloseReason::FrameTooLong,
        CloseReason::EmptyFrames,
        CloseReason::UnknownKind,
        CloseReason::UnknownProtocol,
    ]
}
