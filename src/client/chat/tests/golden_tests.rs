//! Every line that a client shows, as it was the day that it was written down.
//!
//! `tests/golden/client.txt` has for each scene what it asks (`>`), what it shows (`|`), what it
//! brings to standard output (`=`), and how it ends. `GOLDEN_WRITE=1` writes it anew, to be looked
//! at before a commit.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::client::drivers::menu::Menu;
use crate::client::errand::{Errand, ListForm, Place, Whom};
use crate::client::face::product as words;
use crate::client::view::{Product, Unusable};

#[path = "../../../../tests/golden/messages.rs"]
#[allow(dead_code)] // tests/golden.rs uses all of it
mod messages;

/// What is typed: each command, and each way to write it wrongly.
const LINES: &[&str] = &[
    "",
    "hi",
    "/help",
    "/hello",
    "/login",
    "/login carol",
    "/login carol pass",
    "/login a b c",
    "/register",
    "/register carol",
    "/register carol pass",
    "/passwd",
    "/passwd old new",
    "/passwd old",
    "/logout",
    "/logout all",
    "/logout x",
    "/sessions",
    "/sessions x",
    "/end",
    "/end 7",
    "/end x",
    "/broadcast",
    "/broadcast hi",
    "/whoelse",
    "/whoelse 60",
    "/whoelse x",
    "/block",
    "/block eve",
    "/unblock eve",
    "/blocked",
    "/join",
    "/join lobby",
    "/leave",
    "/leave lobby",
    "/open",
    "/open den",
    "/room",
    "/room lobby",
    "/room a b",
    "/say",
    "/say hi",
    "/me",
    "/me waves",
    "/whisper",
    "/whisper eve",
    "/whisper eve hi",
    "/msg eve hi",
    "/rooms",
    "/who",
    "/who lobby",
    "/queue",
    "/ping",
    "/exit",
    "/quit",
    "/files",
    "/files *.pdf",
    "/get",
    "/get 7",
    "/get 7 other",
    "/get 7 ../other",
    "/get a b.pdf",
    "/get nothing",
    "/accept",
    "/accept on",
    "/accept off",
    "/accept maybe",
    "/reject",
    "/reject 7",
    "/reject x",
    "/cancel",
    "/cancel 7",
    "/cancel some name",
    "/remove",
    "/remove 7",
    "/remove x",
    "/sendfile",
    "/sendfile DIR",
    "/sendfile DIR eve",
    "/sendfile DIR/none",
    "/sendfile DIR/none eve",
    "/sendfile DIR/f eve",
    "/sendfile DIR/f",
    "/upload",
    "/upload DIR/none",
    "/upload DIR/f",
    "/chunk 7 YWJj",
    "/received 7",
    "/got 7",
    "/broadcats hi",
    "/ join",
    "//join",
    "a\x07b",
    "tab\there",
    "/HELP me",
];

/// All scenes, as text.
#[derive(Default)]
struct Book(String);

impl Book {
    fn scene(&mut self, name: &str, talk: &mut Talk) {
        let dir = talk.dir.path().display().to_string();
        let mut body = String::new();
        for (_, op) in talk.asked.drain(..) {
            let _ = writeln!(body, "> {}", op.name());
        }
        for wanted in talk.wanted.drain(..) {
            let _ = writeln!(body, "> {wanted}");
        }
        for line in talk.shown() {
            let _ = writeln!(body, "| {line}");
        }
        while let Some(product) = talk.chat.poll_product() {
            if let Product::Content(path) = product {
                let _ = writeln!(body, "= content of {}", path.display());
            } else {
                words(&product).lines().for_each(|line| writeln!(body, "= {line}").unwrap());
            }
        }
        if let Some(over) = talk.chat.over() {
            let over = match over {
                Over::Broken(_) => format!("Broken({:?})", talk.farewell()),
                Over::Left | Over::Goodbye(_) => format!("{over:?}"),
            };
            let _ = writeln!(body, "over: {over}");
        }
        let _ = writeln!(body, "exit {}", talk.chat.outcome().code());
        let _ = write!(self.0, "# {name}\n{}\n", body.replace(&dir, "DIR"));
    }

    /// Compares with what was written down.
    fn check(&self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/client.txt");
        if std::env::var_os("GOLDEN_WRITE").is_some() {
            fs::write(&path, &self.0).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
        let mut scene = "";
        for (ours, theirs) in self.0.lines().zip(golden.lines()) {
            scene = if theirs.starts_with('#') { theirs } else { scene };
            assert_eq!(ours, theirs, "in {scene}");
        }
        assert_eq!(self.0.lines().count(), golden.lines().count(), "more or fewer lines");
    }
}

fn typed(talk: &mut Talk, line: &str) {
    let line = line.replace("DIR", &talk.dir.path().display().to_string());
    talk.chat.handle_line(&line);
    talk.take();
}

/// Logged in to an account, in a room, with a file at hand; the screen is empty.
fn in_room(start: Start) -> Talk {
    let mut talk = Talk::begin_as(start);
    fs::write(talk.dir.path().join("f"), "hello").unwrap();
    talk.answer(Op::Hello, Ok(Reply::Able { keys: 256, run: "r1".to_owned() }));
    talk.answer(Op::Login, welcome());
    if talk.asked.iter().all(|(_, op)| *op != Op::Join) {
        typed(&mut talk, "/join lobby");
    }
    talk.answer(Op::Join, joined());
    talk.shown();
    talk.asked.clear();
    talk.wanted.clear();
    talk
}

fn welcome() -> Result<Reply, Refusal> {
    Ok(Reply::Welcome {
        user: user("bob"),
        guest: false,
        token: "t1".to_owned(),
        room: None,
        rooms: Vec::new(),
    })
}

fn joined() -> Result<Reply, Refusal> {
    let members = crate::message::Names { users: vec![user("bob")], total: 1 };
    Ok(Reply::Joined { room: RoomName::parse("lobby").unwrap(), members })
}

fn returning() -> Start {
    Start { returns_for: Some(Duration::MAX), ..Start::of(Some("bob")) }
}

fn terminal() -> Start {
    Start { at_terminal: true, ..returning() }
}

fn errand(errand: Errand) -> Start {
    Start { errand, room: Some("lobby".to_owned()), stays: true, ..returning() }
}

fn list(form: ListForm) -> Errand {
    Errand::List { pattern: None, form }
}

fn get(place: Place) -> Errand {
    Errand::Get { file: "report.pdf".to_owned(), place }
}

fn events(book: &mut Book) {
    for (name, event) in messages::events() {
        for (who, start) in
            [("script", Start::of(Some("bob"))), ("errand", errand(list(ListForm::Json)))]
        {
            let mut talk = in_room(start);
            talk.chat.handle_bytes(&native::emit_event(&event));
            talk.take();
            book.scene(&format!("event to a {who}: {name}"), &mut talk);
        }
        let mut talk = in_room(Start { accepts_all: true, ..terminal() });
        talk.chat.handle_bytes(&native::emit_event(&event));
        talk.take();
        talk.chat.handle_end();
        book.scene(&format!("event to a terminal, and the end: {name}"), &mut talk);
    }
}

fn answers(book: &mut Book) {
    for (name, answer) in messages::answers() {
        for line in ["/rooms", "/say hi", "/whisper eve hi", "/logout", "/passwd a b", "/join den"]
        {
            let mut talk = in_room(Start::of(Some("bob")));
            typed(&mut talk, line);
            let op = talk.last();
            talk.answer(op, answer.clone());
            book.scene(&format!("answer to {line}: {name}"), &mut talk);
        }
        for line in ["/get 7", "/reject 7", "/cancel 7", "/remove 7", "/upload DIR/f"] {
            let mut talk = in_room(Start::of(Some("bob")));
            typed(&mut talk, line);
            let op = talk.last();
            talk.answer(op, answer.clone());
            book.scene(&format!("answer to {line}: {name}"), &mut talk);
        }
        logins(book, &name, &answer);
        let mut talk = in_room(errand(list(ListForm::Json)));
        talk.asked.push((3, Op::Files));
        talk.chat.handle_bytes(&native::emit_answer(Some(4), &answer));
        talk.take();
        book.scene(&format!("answer to a list: {name}"), &mut talk);
    }
}

fn logins(book: &mut Book, name: &str, answer: &Result<Reply, Refusal>) {
    let starts = [
        ("script", Start::of(Some("bob"))),
        ("terminal", terminal()),
        ("terminal of the menu", Start { errand: Errand::Menu, ..terminal() }),
        ("errand", errand(list(ListForm::Json))),
        (
            "errand with a password",
            Start { password: Some(Secret("sesame".into())), ..errand(list(ListForm::Json)) },
        ),
    ];
    for (who, start) in starts {
        let mut talk = Talk::begin_as(start);
        if who.starts_with("errand") {
            talk.end();
        }
        talk.answer(Op::Hello, Ok(Reply::Done));
        talk.answer(Op::Login, answer.clone());
        book.scene(&format!("answer to the login of a {who}: {name}"), &mut talk);
    }
    let mut talk = in_room(returning());
    talk.chat.handle_end();
    talk.reconnect_to(256);
    talk.answer(Op::Login, answer.clone());
    book.scene(&format!("answer to a login that comes back: {name}"), &mut talk);
}

fn lines(book: &mut Book) {
    for line in LINES {
        let mut talk = in_room(terminal());
        typed(&mut talk, line);
        book.scene(&format!("typed: {line:?}"), &mut talk);

        let mut talk = Talk::begin_as(terminal());
        fs::write(talk.dir.path().join("f"), "hello").unwrap();
        talk.answer(Op::Login, Err(Refusal::NameInUse(user("bob"))));
        talk.shown();
        typed(&mut talk, line);
        book.scene(&format!("typed without a name: {line:?}"), &mut talk);

        let mut talk = in_room(terminal());
        talk.chat.handle_end();
        talk.chat.handle_line(line);
        if !talk.chat.link.leaving() {
            talk.reconnect_to(256);
            talk.answer(Op::Login, welcome());
            talk.answer(Op::Join, joined());
        }
        book.scene(&format!("typed while away: {line:?}"), &mut talk);

        let mut talk = in_room(returning());
        typed(&mut talk, line);
        talk.chat.handle_end();
        talk.chat.handle_stop();
        book.scene(&format!("typed, lost, stopped: {line:?}"), &mut talk);
    }
    for lines in [&["sesame", "sesame"][..], &["one", "two"], &["", "", ""]] {
        let mut talk = Talk::begin_as(terminal());
        talk.answer(Op::Login, Err(Refusal::PasswordNeeded(user("bob"))));
        typed(&mut talk, lines[0]);
        book.scene(&format!("password asked for: {lines:?}"), &mut talk);
        for command in ["/register carol", "/passwd"] {
            let mut talk = if command == "/passwd" {
                in_room(terminal())
            } else {
                let mut talk = Talk::begin_as(terminal());
                talk.answer(Op::Login, Err(Refusal::NameInUse(user("bob"))));
                talk
            };
            typed(&mut talk, command);
            lines.iter().for_each(|line| typed(&mut talk, line));
            book.scene(&format!("{command}: {lines:?}"), &mut talk);
        }
    }
    let mut talk = in_room(terminal());
    talk.chat.handle_unusable_line(Unusable::NotText);
    talk.chat.handle_silence();
    talk.wait();
    talk.chat.link.poll_call();
    talk.chat.handle_unreachable("connection refused\x1b");
    talk.chat.handle_stop();
    book.scene("not UTF-8, silence, no connection, stop", &mut talk);
}

/// Every way in which an upload continues or ends.
fn uploads(book: &mut Book) {
    let admitted =
        |offset| Event::Admitted { transfer: SEVEN, waited_ms: 12_345, credit: 9, offset };
    for (name, event) in messages::events() {
        for moving in [false, true] {
            let mut talk = in_room(returning());
            typed(&mut talk, "/sendfile DIR/f eve");
            talk.answer(Op::SendFile, Ok(Reply::Announced { transfer: SEVEN, place: 3 }));
            if moving {
                talk.event(&Event::Queued { transfer: SEVEN, place: 1, of: 4 });
                talk.event(&admitted(2));
            }
            talk.chat.handle_bytes(&native::emit_event(&event));
            talk.take();
            talk.chat.handle_stop();
            talk.take();
            book.scene(&format!("upload, moving {moving}: {name}"), &mut talk);
        }
    }
    for (line, op) in [("/cancel 7", Op::Cancel), ("/cancel f", Op::Cancel)] {
        let mut talk = in_room(returning());
        typed(&mut talk, "/upload DIR/f");
        talk.answer(Op::Upload, Ok(Reply::Announced { transfer: SEVEN, place: 0 }));
        typed(&mut talk, line);
        if talk.last() == op {
            talk.answer(op, Ok(Reply::Done));
        }
        book.scene(&format!("upload, then {line}"), &mut talk);
    }
    let mut talk = in_room(returning());
    typed(&mut talk, "/sendfile DIR/f");
    talk.answer(Op::SendFile, Ok(Reply::Announced { transfer: SEVEN, place: 2 }));
    talk.event(&admitted(0));
    talk.chat.handle_end();
    talk.reconnect_to(256);
    talk.answer(Op::Login, welcome());
    talk.answer(Op::Join, joined());
    talk.answer(Op::SendFile, Ok(Reply::Announced { transfer: TransferId(8), place: 0 }));
    talk.event(&Event::Admitted { transfer: TransferId(8), waited_ms: 1, credit: 9, offset: 0 });
    talk.event(&Event::Ended { transfer: TransferId(8), how: Ending::Mismatch });
    book.scene("an upload when the connection is lost", &mut talk);
}

/// Every way in which a download continues or ends.
fn downloads(book: &mut Book) {
    let content = b"hello, file";
    let begin = || {
        let mut talk = in_room(returning());
        talk.offer(content);
        typed(&mut talk, "/get 7");
        talk
    };
    for (name, answer) in messages::answers() {
        let mut talk = begin();
        talk.answer(Op::Get, answer);
        talk.chat.handle_stop();
        book.scene(&format!("answer to a download: {name}"), &mut talk);
    }
    for (name, event) in messages::events() {
        let mut talk = begin();
        talk.getting(content, 0);
        talk.chunk(b"hello");
        talk.chat.handle_bytes(&native::emit_event(&event));
        talk.take();
        book.scene(&format!("download: {name}"), &mut talk);
    }
    for (name, part) in
        [("whole", &b", file"[..]), ("damaged", b", fill"), ("too long", b", file!")]
    {
        let mut talk = begin();
        talk.getting(content, 0);
        talk.chunk(b"hello");
        talk.chunk(part);
        book.scene(&format!("download, {name}"), &mut talk);
    }
    for then in ["/cancel 7", "/reject 7", "/get 7", "/get 7 as"] {
        let mut talk = begin();
        talk.getting(content, 0);
        talk.chunk(b"hello");
        typed(&mut talk, then);
        if let Op::Cancel | Op::Reject = talk.last() {
            let op = talk.last();
            talk.answer(op, Ok(Reply::Done));
        }
        book.scene(&format!("download, then {then}"), &mut talk);
    }
    let mut talk = begin();
    talk.getting(content, 0);
    talk.chunk(b"hello");
    talk.chat.handle_end();
    talk.reconnect_to(256);
    talk.answer(Op::Login, welcome());
    talk.answer(Op::Join, joined());
    talk.getting(content, 5);
    talk.chunk(b", file");
    talk.offer(content);
    book.scene("a download when the connection is lost", &mut talk);
    let mut talk = in_room(returning());
    fs::write(talk.dir.path().join("report.pdf"), content).unwrap();
    talk.offer(content);
    typed(&mut talk, "/get 7");
    book.scene("a download that is here", &mut talk);
}

fn errands(book: &mut Book) {
    let found = |files: Vec<FileLine>| Ok(Reply::Files { files, more: false });
    for form in [ListForm::Table, ListForm::Hashes, ListForm::Json] {
        for files in [vec![], vec![line(b"hello")]] {
            let mut talk = in_room(errand(list(form)));
            talk.asked.push((4, Op::Files));
            talk.answer(Op::Files, found(files.clone()));
            book.scene(&format!("list, {form:?}, {} files", files.len()), &mut talk);
        }
    }
    let places = [Place::Folder(PathBuf::new()), Place::File("g".into()), Place::Output];
    for place in places {
        for (name, content) in [("whole", &b"hello"[..]), ("damaged", b"hallo")] {
            let mut talk = in_room(errand(get(place.clone())));
            talk.asked.push((4, Op::Files));
            talk.answer(Op::Files, found(vec![line(b"hello")]));
            talk.getting(b"hello", 0);
            talk.chunk(content);
            book.scene(&format!("get, {name}, to {place:?}"), &mut talk);
        }
        let mut talk = in_room(errand(get(place.clone())));
        talk.asked.push((4, Op::Files));
        talk.answer(Op::Files, found(vec![]));
        book.scene(&format!("get, not found, to {place:?}"), &mut talk);
        let mut talk = in_room(errand(get(place.clone())));
        talk.asked.push((4, Op::Files));
        talk.answer(Op::Files, found(vec![line(b"hello")]));
        talk.chat.handle_stop();
        book.scene(&format!("get, stopped, to {place:?}"), &mut talk);
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, "hello").unwrap();
    let send = |to| Errand::Send { files: vec![path.clone()], to };
    let cases = [
        (Whom::User("eve".into()), Op::SendFile),
        (Whom::Room, Op::SendFile),
        (Whom::Shelf, Op::Upload),
    ];
    for (to, op) in cases {
        for how in [Ending::Stored, Ending::StoreFailed] {
            let mut talk = in_room(errand(send(to.clone())));
            talk.asked.push((4, op));
            talk.answer(op, Ok(Reply::Announced { transfer: SEVEN, place: 0 }));
            talk.event(&Event::Admitted { transfer: SEVEN, waited_ms: 0, credit: 5, offset: 0 });
            talk.event(&Event::Ended { transfer: SEVEN, how });
            book.scene(&format!("send to {to:?}: {how:?}"), &mut talk);
        }
    }
}

/// A menu over a server that says yes, and what it shows.
fn menus(book: &mut Book) {
    let inputs: &[&[&str]] = &[
        &["1", "DIR/f", ""],
        &["1", "DIR/f", "eve"],
        &["1", "DIR/f", "room lobby"],
        &["1", "DIR/f", "room den"],
        &["1", "DIR/f", "a b c"],
        &["1", ""],
        &["1", "DIR/none", ""],
        &["1", "DIR/f", "room *"],
        &["2", "7"],
        &["2", ""],
        &["2", "name"],
        &["3"],
        &["4", "", "hi"],
        &["4", "eve", "hi"],
        &["4", "*"],
        &["4", "", ""],
        &["5"],
        &["6"],
        &["9"],
        &["who_is_here"],
        &["nonsense"],
        &[""],
    ];
    for input in inputs {
        let mut talk =
            in_room(Start { errand: Errand::Menu, room: Some("lobby".into()), ..terminal() });
        let mut menu = Menu::new(Some("lobby".to_owned()));
        let mut shown = Vec::new();
        lead(&mut talk, &mut menu, &mut shown);
        for line in *input {
            let line = line.replace("DIR", &talk.dir.path().display().to_string());
            menu.handle_line(&line);
            lead(&mut talk, &mut menu, &mut shown);
        }
        let dir = talk.dir.path().display().to_string();
        for line in shown {
            let _ = writeln!(book.0, "| {}", line.replace(&dir, "DIR"));
        }
        book.scene(&format!("menu: {input:?}"), &mut talk);
    }
}

fn lead(talk: &mut Talk, menu: &mut Menu, shown: &mut Vec<String>) {
    while talk.chat.at_rest() {
        let Some(deed) = menu.poll_deed() else { break };
        talk.chat.handle_deed(deed);
        talk.take();
        match talk.asked.last().map(|(_, op)| *op) {
            Some(Op::Files) => {
                let files = vec![line(b"hello")];
                talk.answer(Op::Files, Ok(Reply::Files { files, more: false }));
            }
            Some(op @ (Op::Whisper | Op::Broadcast)) => talk.answer(op, Ok(Reply::heard(0))),
            Some(Op::Join) => talk.answer(Op::Join, joined()),
            _ => {}
        }
        shown.extend(talk.shown());
    }
    while let Some(note) = menu.poll_note() {
        talk.chat.note(note);
    }
    shown.extend(talk.shown());
}

#[test]
#[cfg(target_os = "linux")] // words of the system and lengths of paths are in it
fn what_the_client_shows_is_what_it_showed() {
    let mut book = Book::default();
    events(&mut book);
    answers(&mut book);
    lines(&mut book);
    uploads(&mut book);
    downloads(&mut book);
    errands(&mut book);
    menus(&mut book);
    book.check();
}
