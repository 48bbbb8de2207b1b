//! `parlor chat --json`: what a program reads.

use serde_json::{Value, json};

use crate::support::{Server, Text};
use crate::{Person, with_input};

#[test]
fn each_line_is_an_object_whose_first_key_tells_what_it_is() {
    let server = Server::start(&[]);
    let mut eve = Text::connect(server.addr(), "eve");
    eve.type_line("/login eve");
    eve.lines.expect("* welcome, ");
    let bob = Person::guest(&server, "bob");
    let lines = ["/join lobby", "/whisper nobody hi", "/nonsense", "/who", "/exit"];
    let ran = with_input(bob.command("chat", &["--json"]), &lines);
    assert_eq!(ran.code, 3, "{ran:?}");
    let out = String::from_utf8(ran.out).unwrap();
    let shown: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds = ["note", "ok", "error", "ev"];
    assert!(
        out.lines().all(|line| kinds.iter().any(|kind| line.starts_with(&format!("{{\"{kind}\""))))
    );
    assert!(
        shown.contains(&json!({"ok": "joined", "room": "lobby", "users": ["bob"], "total": 1})),
        "{out}"
    );
    let codes: Vec<&Value> = shown.iter().map(|line| &line["error"]["code"]).collect();
    assert!(codes.contains(&&json!("no_such_user")) && codes.contains(&&json!("unknown_op")));
    assert!(shown.iter().any(|line| line["ok"] == "who"), "{out}");
    assert_eq!(shown.last().unwrap()["ev"], "bye", "{out}");
    assert!(shown.iter().all(|line| line.get("token").is_none()), "{out}");
}
