//! One of each message. A new one is added here and to the files beside.

use parlor::id::{LetterId, TransferId};
use parlor::limits::Limits;
use parlor::message::{
    Announced, ClientTraits, CloseReason, Command, Digest, Ending, Event, FileLine, FileName,
    FileRef, Greeting, LogoutReason, NameError, Names, Proof, Refusal, Reply, RoomLine, RoomName,
    Secret, SessionLine, Target, Text, TextError, UploadLine, UserName,
};

const TRANSFER: TransferId = TransferId(7);
const AT: u64 = 1_700_000_000_123;
const HASH: Digest = Digest([0xb3; 32]);

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
    let mut all = commands_of_talk();
    all.extend(commands_of_files());
    all.extend(commands_of_sessions());
    all
}

fn commands_of_talk() -> Vec<(&'static str, Command<'static>)> {
    vec![
        ("hello", Command::Hello { version: 1, about: ClientTraits::default() }),
        ("login", Command::guest("alice")),
        ("login with a password", login(Proof::Password(secret("open \"sesame\"")))),
        ("login with a token", login(Proof::Token(secret("1.2.3.4.abc")))),
        ("register", Command::Register { user: "alice".into(), password: secret("open sesame") }),
        ("passwd", Command::Passwd { old: secret("one"), new: secret("another") }),
        ("logout", Command::Logout { all: false }),
        ("broadcast", Command::Broadcast { text: "hi all".into() }),
        ("got", Command::Got { letter: LetterId(u64::MAX) }),
        ("whoelse", Command::WhoElse { within_s: None }),
        ("whoelse within", Command::WhoElse { within_s: Some(60) }),
        ("block", Command::Block { user: "bob".into() }),
        ("unblock", Command::Unblock { user: "bob".into() }),
        ("blocked", Command::Blocked),
        ("join", Command::Join { room: "lobby".into(), open: false }),
        ("leave", Command::Leave { room: None }),
        ("say", Command::Say { text: "hi \"you\"\n\u{1f600}".into(), me: false, room: None }),
        ("me", Command::Say { text: "waves".into(), me: true, room: None }),
        ("whisper", Command::Whisper { user: "bob".into(), text: "psst".into() }),
        ("rooms", Command::Rooms),
        ("who", Command::Who { room: None }),
        ("who in a room", Command::Who { room: Some("lobby".into()) }),
        ("queue", Command::Queue),
        ("help", Command::Help),
        ("ping", Command::Ping),
        ("exit", Command::Exit),
    ]
}

fn commands_of_files() -> Vec<(&'static str, Command<'static>)> {
    let transfer = TRANSFER;
    let announced = |hash, again| Announced { name: "a b.pdf".into(), size: 1 << 40, hash, again };
    let new = |hash| announced(hash, false);
    let bob = || Some("bob".into());
    let after = Some(transfer);
    vec![
        ("send_file", Command::SendFile { user: bob(), room: None, file: new(None) }),
        (
            "send_file with a hash",
            Command::SendFile { user: bob(), room: None, file: new(Some(HASH)) },
        ),
        (
            "send_file again",
            Command::SendFile { user: bob(), room: None, file: announced(Some(HASH), true) },
        ),
        (
            "send_file to a room",
            Command::SendFile { user: None, room: None, file: new(Some(HASH)) },
        ),
        ("upload", Command::Upload { room: None, file: new(None) }),
        ("upload again", Command::Upload { room: None, file: announced(Some(HASH), true) }),
        ("files", Command::Files { pattern: None, after: None }),
        ("files of a pattern", Command::Files { pattern: Some("*.pdf".into()), after }),
        ("get", Command::Get { file: FileRef::Number(transfer), offset: 0 }),
        ("get the rest", Command::Get { file: FileRef::Number(transfer), offset: 1 << 40 }),
        ("get by name", Command::Get { file: FileRef::Name("a b.pdf".into()), offset: 0 }),
        ("reject", Command::Reject { transfer }),
        ("received", Command::Received { transfer }),
        ("cancel", Command::Cancel { transfer: TransferId(u32::MAX) }),
        ("remove", Command::Remove { transfer }),
    ]
}

fn commands_of_sessions() -> Vec<(&'static str, Command<'static>)> {
    let device = Some("my \"phone\"".into());
    let about = ClientTraits { device, own: true, errand: false };
    let errand = ClientTraits { errand: true, ..ClientTraits::default() };
    let attic = || Some("attic".into());
    let shelved = Announced { name: "a b.pdf".into(), size: 9, hash: None, again: false };
    let once = |message| Command::Once { key: "k 1".into(), message: Box::new(message) };
    vec![
        ("hello of a device", Command::Hello { version: 1, about }),
        ("hello of an errand", Command::Hello { version: 1, about: errand }),
        ("logout everywhere", Command::Logout { all: true }),
        ("sessions", Command::Sessions),
        ("end_session", Command::EndSession { session: u32::MAX }),
        ("join, and stay", Command::Join { room: "attic".into(), open: true }),
        ("room", Command::Room { room: "attic".into() }),
        ("leave a room", Command::Leave { room: attic() }),
        ("say to a room", Command::Say { text: "hi".into(), me: false, room: attic() }),
        ("say once", once(Command::say("hi"))),
        ("whisper once", once(Command::Whisper { user: "bob".into(), text: "psst".into() })),
        ("broadcast once", once(Command::Broadcast { text: "hi all".into() })),
        (
            "send_file to a room",
            Command::SendFile { user: None, room: attic(), file: shelved.clone() },
        ),
        ("upload to a room", Command::Upload { room: attic(), file: shelved }),
    ]
}

fn replies_of_sessions() -> [(&'static str, Reply); 5] {
    let attic = RoomName::parse("attic").unwrap();
    let plain = SessionLine {
        session: 1,
        device: String::new(),
        since: AT,
        address: "192.0.2.7".to_owned(),
        errand: false,
        this: false,
    };
    let errand = SessionLine { device: "my \"phone\"".to_owned(), errand: true, ..plain.clone() };
    let this = SessionLine { this: true, ..plain.clone() };
    let Reply::Welcome { user, guest, token, room: current, .. } = welcome_back() else {
        unreachable!("it is a welcome")
    };
    let rooms = vec![room(), attic];
    [
        ("able", Reply::Able { keys: 256, run: "00c0ffee00c0ffee".to_owned() }),
        ("welcome in rooms", Reply::Welcome { user, guest, token, room: current, rooms }),
        ("left for another room", Reply::Left { room: room(), current: Some(attic) }),
        ("current", Reply::Current { room: attic }),
        ("sessions", Reply::Sessions { sessions: vec![plain, this, errand] }),
    ]
}

fn refusals_of_sessions() -> [Refusal; 6] {
    [
        Refusal::BadMessageKey { max: 32 },
        Refusal::TooManySessions { limit: 8 },
        Refusal::TooManyErrands { limit: 16 },
        Refusal::NoSuchSession,
        Refusal::NotThere,
        Refusal::TooManyOpen { limit: 64 },
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
        ("left", Reply::Left { room: room(), current: None }),
        ("heard", Reply::heard(2)),
        ("rooms", Reply::Rooms { rooms: vec![RoomLine { room: room(), members: 2 }], total: 9 }),
        ("who", Reply::Who { room: None, members: names() }),
        ("who in a room", Reply::Who { room: Some(room()), members: names() }),
        ("queue", Reply::Queue { slots: 5, used: 1, waiting: 1, uploads: uploads() }),
        ("help", Reply::Help { text: "/one  first\n/two  second".to_owned() }),
        ("pong", Reply::Pong),
        ("announced", Reply::Announced { transfer: TRANSFER, place: 2 }),
        ("announced with a slot", Reply::Announced { transfer: TRANSFER, place: 0 }),
        ("no files", Reply::Files { files: Vec::new(), more: false }),
        ("files", Reply::Files { files: targets().map(line).to_vec(), more: true }),
        ("getting", Reply::Getting { file: line(Target::Public), offset: 0 }),
        ("getting the rest", Reply::Getting { file: line(Target::Public), offset: 2_999_999 }),
    ];
    let replies = replies.into_iter().chain(replies_of_sessions());
    let refusals = refusals().into_iter().chain(refusals_of_sessions());
    let yes = replies.map(|(name, reply)| (format!("answer {name}"), Ok(reply)));
    let no = refusals.map(|refusal| (format!("error {}", refusal.code()), Err(refusal)));
    yes.chain(no).collect()
}

fn welcome_back() -> Reply {
    let token = "1.2.3.4.abc".to_owned();
    Reply::Welcome {
        user: user("Alice"),
        guest: false,
        token,
        room: Some(room()),
        rooms: Vec::new(),
    }
}

fn uploads() -> Vec<UploadLine> {
    let (transfer, from, size) = (TRANSFER, user("Alice"), 3_000_000);
    let in_slot = UploadLine {
        transfer,
        from,
        to: Target::User(user("bob")),
        name: file(),
        size,
        place: 0,
        waited_ms: 1_250,
    };
    let waiting = UploadLine { to: Target::Room(room()), place: 1, ..in_slot.clone() };
    vec![in_slot, waiting]
}

fn targets() -> [Target; 4] {
    let room = room();
    [Target::User(user("bob")), Target::Room(room), Target::Shelf(room), Target::Public]
}

fn line(to: Target) -> FileLine {
    let (transfer, from, name, size) = (TRANSFER, user("Alice"), file(), 3_000_000);
    let (sha256, until) = (Digest([0x5a; 32]), AT + 604_800_000);
    FileLine { transfer, from, to, name, size, hash: HASH, sha256, at: AT, until }
}

fn refusals() -> [Refusal; 45] {
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
        Refusal::NoSuchFile,
        Refusal::NotYourFile,
        Refusal::QuotaFull { size: 3_000_000, used: 4_294_000_000, limit: 4_294_967_296 },
        Refusal::TooManyFiles { limit: 1000 },
        Refusal::ServerFull { size: 3_000_000 },
        Refusal::TooManyDownloads { limit: 8 },
        Refusal::ShuttingDown,
    ]
}

pub(crate) fn events() -> Vec<(String, Event)> {
    let (transfer, at, from) = (TRANSFER, AT, user("Alice"));
    let limits = Greeting::new(&Limits::default());
    let server = "parlor 1".to_owned();
    let said =
        |me, words| Event::Said { room: room(), from, text: text(words), me, at, own: false };
    let plain = [
        ("hello", Event::Hello { protocol: 1, server, limits }),
        ("said", said(false, "hi \"you\"\n\u{1f600}\u{202e}")),
        ("said me", said(true, "waves")),
        (
            "whispered",
            Event::Whispered { from, text: text("psst"), at, letter: None, to: None, own: false },
        ),
        (
            "letter",
            Event::Whispered {
                from,
                text: text("psst"),
                at,
                letter: Some(LetterId(7)),
                to: None,
                own: false,
            },
        ),
        ("broadcast", Event::Broadcast { from, text: text("hi all"), at, own: false }),
        ("online", Event::Online { user: user("bob"), at }),
        ("offline", Event::Offline { user: user("bob"), at }),
        ("logged out idle", Event::LoggedOut { reason: LogoutReason::Idle }),
        ("logged out registered", Event::LoggedOut { reason: LogoutReason::Registered }),
        ("logged out removed", Event::LoggedOut { reason: LogoutReason::Removed }),
        ("joined", Event::Joined { room: room(), user: user("bob"), at }),
        ("left", Event::Left { room: room(), user: user("bob"), at }),
        ("queued", Event::Queued { transfer, place: 2, of: 3 }),
        ("admitted", Event::Admitted { transfer, waited_ms: 1_250, credit: 262_144, offset: 0 }),
        ("admitted to go on", Event::Admitted { transfer, waited_ms: 0, credit: 5, offset: 7 }),
        ("credit", Event::Credit { transfer, bytes: 32_768 }),
        ("receipt took", Event::Receipt { transfer, name: file(), by: user("bob"), took: true }),
        ("receipt not", Event::Receipt { transfer, name: file(), by: user("bob"), took: false }),
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
    let offered =
        targets().map(|to| (format!("event offered {to}"), Event::Offered { file: line(to) }));
    let all = plain.into_iter().chain(offered).chain(ended).chain(bye);
    all.chain(events_of_sessions()).collect()
}

fn events_of_sessions() -> Vec<(String, Event)> {
    let (from, at, to) = (user("Alice"), AT, Some(user("bob")));
    let (letter, own, me) = (None, true, false);
    let bye = Event::Bye { reason: CloseReason::EndedElsewhere, back: false, missed: 0 };
    let events = [
        ("own said", Event::Said { room: room(), from, text: text("hi"), me, at, own }),
        ("own whispered", Event::Whispered { from, text: text("psst"), at, letter, to, own }),
        ("own broadcast", Event::Broadcast { from, text: text("hi all"), at, own }),
        ("logged out by passwd", Event::LoggedOut { reason: LogoutReason::PasswordChanged }),
        ("logged out everywhere", Event::LoggedOut { reason: LogoutReason::Everywhere }),
        ("bye EndedElsewhere", bye),
    ];
    events.map(|(name, event)| (format!("event {name}"), event)).into()
}

fn endings() -> [Ending; 9] {
    [
        Ending::Stored,
        Ending::Cancelled,
        Ending::SenderGone,
        Ending::ReceiverGone,
        Ending::Stalled,
        Ending::Mismatch,
        Ending::Removed,
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
