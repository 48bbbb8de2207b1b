//! The configuration as people write it, from all four sources, and their mistakes.

use super::*;
use crate::limits::{KIB, MIB};
use crate::message::{CloseReason, Refusal, TextError, UserName};
use std::time::Duration;

/// Options, variables and the text of `parlor.toml`.
#[derive(Default)]
struct Written<'a> {
    options: &'a [(&'a str, &'a str)],
    env: &'a [(&'a str, &'a str)],
    file: Option<&'a str>,
    descriptors: Option<u64>,
}

impl Written<'_> {
    fn resolve(&self) -> Result<Config, Mistake> {
        self.traced().map(|(config, _)| config)
    }

    fn shown(&self) -> String {
        let (config, places) = self.traced().unwrap();
        config.shown(&places)
    }

    fn traced(&self) -> Result<(Config, Origins), Mistake> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let mut options: Vec<(String, String)> = self.options.iter().map(owned).collect();
        if self.file.is_some() {
            options.push(("config".into(), "parlor.toml".into()));
        }
        let read = |path: &Path| match self.file {
            Some(text) if path == Path::new("parlor.toml") => Ok(text.to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        let env = self.env.iter().map(|(key, value)| ((*key).into(), (*value).into()));
        Config::traced(options, env, read, self.descriptors.unwrap_or(1 << 20))
    }

    fn mistake(&self) -> String {
        let text = self.resolve().unwrap_err().to_string();
        assert!(!text.contains('\n'), "{text}");
        text
    }
}

fn option_mistake(key: &str, value: &str) -> String {
    Written { options: &[(key, value)], ..Written::default() }.mistake()
}

fn file_mistake(text: &str) -> String {
    Written { file: Some(text), ..Written::default() }.mistake()
}

fn env_mistake(key: &str, value: &str) -> String {
    Written { env: &[(key, value)], ..Written::default() }.mistake()
}

#[test]
fn with_nothing_written_all_is_default() {
    let config = Written { env: &[("HOME", "/home/a")], ..Written::default() }.resolve().unwrap();
    assert_eq!(config.listen, [Address::parse(ADDRESS).unwrap()]);
    assert_eq!(config.data, Path::new("/home/a/.local/share/parlor"));
    assert_eq!(config.log, Path::new("/home/a/.local/share/parlor/parlor.log"));
    assert_eq!(config.log_level, log::LevelFilter::Info);
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.policy, Policy::default());
}

#[test]
fn who_may_come_in_is_two_words_in_the_file_also_in_a_table() {
    let closed = Policy { guests: false, registration: false };
    for text in [
        "accounts.guests = false\naccounts.registration = \"closed\"",
        "[accounts]\nguests = \"FALSE\"\nregistration = \"closed\"",
        "accounts-guests = false\naccounts_registration = \"closed\"",
    ] {
        let config = Written { file: Some(text), ..Written::default() }.resolve().unwrap();
        assert_eq!(config.policy, closed, "{text}");
    }
    let options = [("accounts-guests", "false"), ("accounts-registration", "closed")];
    let config = Written { options: &options, ..Written::default() }.resolve().unwrap();
    assert_eq!(config.policy, closed);
    let mistake = file_mistake("\naccounts.guests = \"no\"");
    assert!(
        mistake.contains("line 2: accounts-guests: \"no\" is neither true nor false"),
        "{mistake}"
    );
    assert!(file_mistake("[accounts]\nguest = true").contains("accounts-guests"));
    assert!(file_mistake("rooms = true").contains("use a number"));
}

/// A value other than the default for every key of `Limits`.
const OTHERS: [(&str, &str); 33] = [
    ("accounts-sessions", "2"),
    ("connections", "11"),
    ("room-members", "12"),
    ("rooms", "13"),
    ("before-login", "30"),
    ("before-login-source", "31"),
    ("block-duration", "35s"),
    ("timeout", "36s"),
    ("letters", "33"),
    ("presence", "34"),
    ("message-rate", "32"),
    ("message-max", "14"),
    ("upload-slots", "15"),
    ("upload-waiting", "16"),
    ("file-max", "17"),
    ("upload-credit", "33KiB"),
    ("upload-stall", "19s"),
    ("files-user", "40"),
    ("files-total", "41"),
    ("files-free", "42"),
    ("files-keep", "43s"),
    ("shelf-keep", "44s"),
    ("partial-keep", "20s"),
    ("output-soft", "129KiB"),
    ("output-soft-wait", "22s"),
    ("output-hard", "2MiB"),
    ("output-before-login", "9KiB"),
    ("output-total", "25MiB"),
    ("first-byte-before", "26s"),
    ("login-before", "27s"),
    ("heartbeat", "28s"),
    ("dead-after", "29s"),
    ("drain", "500ms"),
];

/// Takes `Limits` apart without `..`, so that a new field without a key does not compile here.
fn assert_all_others(limits: Limits) {
    let Limits {
        connections,
        accounts_sessions,
        room_members,
        rooms,
        message_bytes,
        before_login,
        before_login_source,
        message_rate,
        letters,
        presence_users,
        block_duration,
        timeout,
        upload_slots,
        upload_waiting,
        file_bytes,
        upload_credit_bytes,
        upload_stall,
        files_user_bytes,
        files_total_bytes,
        files_free_bytes,
        files_keep,
        shelf_keep,
        partial_keep,
        output_soft_bytes,
        output_soft_wait,
        output_hard_bytes,
        output_before_login_bytes,
        output_total_bytes,
        first_byte_before,
        login_before,
        heartbeat,
        dead_after,
        drain,
    } = limits;
    assert_eq!(accounts_sessions, 2);
    assert_eq!([connections, room_members, rooms, message_bytes], [11, 12, 13, 14]);
    assert_eq!([upload_slots, upload_waiting, file_bytes], [15, 16, 17]);
    assert_eq!([before_login, before_login_source, message_rate], [30, 31, 32]);
    assert_eq!([letters, presence_users], [33, 34]);
    assert_eq!([files_user_bytes, files_total_bytes, files_free_bytes], [40, 41, 42]);
    assert_eq!([upload_credit_bytes, output_soft_bytes], [33 * KIB, 129 * KIB]);
    assert_eq!([output_hard_bytes, output_before_login_bytes], [2 * MIB, 9 * KIB]);
    assert_eq!(output_total_bytes, 25 * MIB);
    let seconds = [
        (block_duration, 35),
        (timeout, 36),
        (upload_stall, 19),
        (partial_keep, 20),
        (files_keep, 43),
        (shelf_keep, 44),
        (output_soft_wait, 22),
        (first_byte_before, 26),
        (login_before, 27),
        (heartbeat, 28),
        (dead_after, 29),
    ];
    for (time, expected) in seconds {
        assert_eq!(time, Duration::from_secs(expected));
    }
    assert_eq!(drain, Duration::from_millis(500));
}

#[test]
fn every_limit_can_be_set_by_option_by_variable_and_by_file() {
    let options = Written { options: &OTHERS, ..Written::default() };
    assert_all_others(options.resolve().unwrap().limits);

    let names = OTHERS.map(|(key, _)| settings::find(key).unwrap().variable());
    let mut env = OTHERS;
    for (pair, name) in env.iter_mut().zip(&names) {
        pair.0 = name;
    }
    assert_all_others(Written { env: &env, ..Written::default() }.resolve().unwrap().limits);

    for dash in ["-", "_"] {
        let line = |(key, value): &(&str, &str)| {
            let bare = value.bytes().all(|byte| byte.is_ascii_digit());
            let quote = if bare { "" } else { "\"" };
            format!("{} = {quote}{value}{quote}\n", key.replace('-', dash))
        };
        let text: String = OTHERS.iter().map(line).collect();
        let file = Written { file: Some(&text), ..Written::default() };
        assert_all_others(file.resolve().unwrap().limits);
    }
}

#[test]
fn the_rest_of_the_settings_can_be_set_too() {
    let file = "listen = [\"127.0.0.1:0\", \"[::1]:0\"]\ndata = \"/d\"\nlog = '/l'\nlog_level = \"debug\"\n\
         log-format = \"json\"";
    let config = Written { file: Some(file), ..Written::default() }.resolve().unwrap();
    assert_eq!(config.listen.len(), 2);
    assert_eq!((config.data, config.log), ("/d".into(), "/l".into()));
    assert_eq!((config.log_level, config.log_lines), (log::LevelFilter::Debug, false));
    let options = [("listen", "127.0.0.1:1"), ("listen", "127.0.0.1:2"), ("data", "/x")];
    let config = Written { options: &options, ..Written::default() }.resolve().unwrap();
    let listen: Vec<_> = config.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["127.0.0.1:1", "127.0.0.1:2"]);
    assert_eq!((config.log, config.log_lines), (Path::new("/x/parlor.log").into(), true));
    let config = Written { file: Some("listen = \"0.0.0.0:9\""), ..Written::default() };
    assert_eq!(config.resolve().unwrap().listen, [Address::parse("0.0.0.0:9").unwrap()]);
}

#[test]
fn an_option_wins_over_a_variable_over_the_file_over_the_default() {
    let mut written = Written { file: Some("rooms = 3"), ..Written::default() };
    assert_eq!(written.resolve().unwrap().limits.rooms, 3);
    written.env = &[("PARLOR_ROOMS", "2")];
    assert_eq!(written.resolve().unwrap().limits.rooms, 2);
    written.options = &[("rooms", "1")];
    assert_eq!(written.resolve().unwrap().limits.rooms, 1);
    // What is overruled must be right all the same.
    written.env = &[("PARLOR_ROOMS", "x")];
    assert_eq!(written.mistake(), "PARLOR_ROOMS: \"x\" is not a number; use 1 to 1000000");
}

#[test]
fn the_file_is_named_by_an_option_or_a_variable_and_must_be_readable() {
    let env = [("PARLOR_CONFIG".into(), "/etc/p.toml".into())];
    let read = |path: &Path| {
        assert_eq!(path, Path::new("/etc/p.toml"));
        Ok("drain = 7".to_owned())
    };
    let config = Config::resolve([], env, read, 1000).unwrap();
    assert_eq!(config.limits.drain, Duration::from_secs(7));
    assert_eq!(
        env_mistake("PARLOR_CONFIG", "/nowhere"),
        "PARLOR_CONFIG: cannot read \"/nowhere\": entity not found"
    );
}

#[test]
fn a_mistaken_option_is_one_clear_line() {
    assert_eq!(
        option_mistake("room-members", "many"),
        "--room-members: \"many\" is not a number; use 1 to 10000"
    );
    assert_eq!(
        option_mistake("file-max", "3MB"),
        "--file-max: \"3MB\" is not a size like 3MiB or 256KiB; use 1B to 1TiB"
    );
    assert_eq!(option_mistake("drain", "2h"), "--drain: \"2h\" is out of bounds; use 100ms to 1h");
    assert_eq!(
        option_mistake("listen", "7575"),
        "--listen: \"7575\" is not an address; use an address and a port, as in \
         127.0.0.1:7575, [::1]:7575 or localhost:7575, or a path, as in unix:/run/parlor.sock"
    );
    assert_eq!(
        option_mistake("log-level", "loud"),
        "--log-level: \"loud\" is not a level; use off, error, info or debug"
    );
    assert_eq!(option_mistake("data", ""), "--data: the path is empty");
}

#[test]
fn a_mistaken_file_names_the_line() {
    assert_eq!(
        file_mistake("# rooms\n\nroom_member = 5"),
        "parlor.toml line 3: unknown key \"room_member\"; did you mean \"room-members\"?"
    );
    assert_eq!(
        file_mistake("rooms = 5\nroom-members = 'x'"),
        "parlor.toml line 2: room-members: \"x\" is not a number; use 1 to 10000"
    );
    assert_eq!(
        file_mistake("rooms = true"),
        "parlor.toml line 1: rooms: it is of type boolean; use a number or a string"
    );
    assert_eq!(
        file_mistake("data = 5"),
        "parlor.toml line 1: data: it is of type integer; use a string"
    );
    assert_eq!(
        file_mistake("rooms = [5]"),
        "parlor.toml line 1: rooms: it is of type array; use a number or a string"
    );
    assert_eq!(
        file_mistake("room-members=5\nroom_members=6"),
        "parlor.toml line 2: room-members is set twice"
    );
    assert_eq!(
        file_mistake("config = 'x'"),
        "parlor.toml line 1: a file cannot name another one with config"
    );
    assert!(file_mistake("[server]\nrooms = 5").starts_with("parlor.toml line 2: unknown key"));
    assert!(file_mistake("\nrooms = = 5").starts_with("parlor.toml line 2: "));
    assert!(file_mistake("rooms = 5\nrooms = 6").starts_with("parlor.toml line 2: "));
}

#[test]
fn numbers_of_the_file_may_have_any_base() {
    let config = Written { file: Some("rooms = 0x1_0\nfile-max = 1_000"), ..Written::default() };
    let limits = config.resolve().unwrap().limits;
    assert_eq!((limits.rooms, limits.file_bytes), (16, 1000));
    assert!(file_mistake("rooms = -1").contains("\"-1\" is out of bounds"));
}

#[test]
fn a_mistaken_variable_is_one_clear_line_and_an_unknown_one_is_a_mistake() {
    assert_eq!(
        env_mistake("PARLOR_ROOM_MEMBERS", ""),
        "PARLOR_ROOM_MEMBERS: \"\" is not a number; use 1 to 10000"
    );
    assert_eq!(
        env_mistake("PARLOR_ROOM_MEMBER", "5"),
        "PARLOR_ROOM_MEMBER: unknown variable; did you mean \"PARLOR_ROOM_MEMBERS\"?"
    );
    assert!(env_mistake("PARLOR_\nX", "5").starts_with("PARLOR_\\nX: unknown variable; see"));
    let own = [("PARLOR_USER", "a"), ("PARLOR_PASSWORD", "b"), ("PARLOR_DEVICE", "c")];
    let others = [own[0], own[1], own[2], ("ROOMS", "x"), ("parlor_x", "")];
    assert!(Written { env: &others, ..Written::default() }.resolve().is_ok());
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_a_mistake() {
    use std::os::unix::ffi::OsStringExt;
    let env = [("PARLOR_DATA".into(), OsString::from_vec(vec![b'/', 0xff]))];
    let mistake = Config::resolve([], env, |_| Ok(String::new()), 1000).unwrap_err();
    assert_eq!(mistake.to_string(), "PARLOR_DATA: its value is not UTF-8");
}

#[test]
fn limits_that_contradict_each_other_are_named_with_their_places() {
    let written = Written {
        options: &[("heartbeat", "2m")],
        env: &[("PARLOR_OUTPUT_SOFT", "4MiB")],
        ..Written::default()
    };
    assert_eq!(
        written.mistake(),
        "PARLOR_OUTPUT_SOFT: output-soft must be below output-hard; \
         here output-soft is 4MiB and output-hard is 1MiB"
    );
    let written = Written { file: Some("dead-after = 20"), ..Written::default() };
    assert_eq!(
        written.mistake(),
        "parlor.toml line 1: dead-after: heartbeat must be below dead-after; \
         here heartbeat is 30s and dead-after is 20s"
    );
}

#[test]
fn connections_follow_the_descriptors_unless_they_are_given() {
    let connections = |options: &[(&str, &str)], descriptors| {
        let written = Written { options, descriptors: Some(descriptors), ..Written::default() };
        written.resolve().unwrap().limits.connections
    };
    assert_eq!(connections(&[], 1024), 960);
    assert_eq!(connections(&[], 1 << 20), 10_000);
    assert_eq!(connections(&[], 10), 1);
    assert_eq!(connections(&[("connections", "0")], 50_064), 50_000);
    assert_eq!(connections(&[("connections", "0")], u64::MAX), 1_000_000);
    assert_eq!(connections(&[("connections", "5000")], 1024), 5000);
}

#[test]
fn what_is_not_the_default_is_named() {
    let config = Written { options: &OTHERS, ..Written::default() }.resolve().unwrap();
    let expected = OTHERS.map(|(key, text)| match key {
        "message-max" | "file-max" | "files-user" | "files-total" | "files-free" => {
            (key, format!("{text}B"))
        }
        _ => (key, text.to_owned()),
    });
    assert_eq!(config.changed(), expected);
    let config = Written { file: Some("listen = '[::1]:1'\ndata = '/d'"), ..Written::default() };
    assert_eq!(config.resolve().unwrap().changed(), []);
}

#[test]
fn what_is_shown_says_whence_and_is_a_file_that_means_the_same() {
    let written = Written {
        options: &[("room-members", "40"), ("data", "/a \"b\\c")],
        env: &[("PARLOR_DRAIN", "3s"), ("HOME", "/home/a")],
        file: Some("[accounts]\nguests = false\n"),
        ..Written::default()
    };
    let shown = written.shown();
    let rows: Vec<_> =
        shown.lines().map(|row| row.split_whitespace().collect::<Vec<_>>()).collect();
    let rows: Vec<_> = rows.iter().map(|words| words.join(" ")).collect();
    for row in [
        "listen = [\"127.0.0.1:7575\"] # default",
        "data = \"/a \\\"b\\\\c\" # --data",
        "accounts-guests = \"false\" # parlor.toml line 2",
        "room-members = 40 # --room-members",
        "drain = \"3s\" # PARLOR_DRAIN",
    ] {
        assert!(rows.iter().any(|shown| shown == row), "{row}\n{shown}");
    }
    let again = Written { file: Some(&shown), ..Written::default() };
    assert_eq!(again.resolve().unwrap(), written.resolve().unwrap());
}

/// What a refusal or a goodbye tells the owner to change.
#[test]
fn a_refusal_names_a_setting_that_exists() {
    let user = UserName::parse("bob").unwrap();
    let limit = 1;
    let refusals = [
        Refusal::BadText(TextError::TooLong { len: 2, max: 1 }),
        Refusal::TooManySessions { limit },
        Refusal::MailboxFull { user, limit },
        Refusal::SlowDown { wait_ms: 1 },
        Refusal::RoomFull { limit },
        Refusal::TooManyRooms { limit },
        Refusal::FileTooLarge { size: 2, limit },
        Refusal::QueueFull { waiting: 1 },
        Refusal::QuotaFull { size: 2, used: 0, limit },
        Refusal::ServerFull { size: 2 },
    ];
    let refusals = refusals.iter().map(crate::front::hint::sentence);
    for text in refusals.chain([CloseReason::TooManyWaiting.to_string()]) {
        let words = text.split_ascii_whitespace();
        let keys: Vec<&str> = words.filter_map(|word| word.strip_prefix("--")).collect();
        assert!(!keys.is_empty(), "{text}");
        assert!(keys.iter().all(|key| settings::find(key).is_some()), "{text}");
    }
}

/// The table between the marks in docs/server.md.
#[test]
fn the_documentation_has_the_table_of_all_settings() {
    let mut table = String::from(
        "| option and key | variable | default | values | meaning |\n| --- | --- | --- | --- | --- |\n",
    );
    for setting in &SETTINGS {
        let (key, variable) = (setting.key, setting.variable());
        let (default, range) = (setting.default_shown(), setting.range_shown());
        let help = setting.help;
        table += &format!("| `--{key}` | `{variable}` | {default} | {range} | {help} |\n");
    }
    let document = include_str!("../../docs/server.md");
    let shown = document.split_once("<!-- settings -->\n").unwrap().1;
    let shown = shown.split_once("<!-- end of settings -->").unwrap().0;
    assert_eq!(shown.trim(), table.trim(), "put this into docs/server.md:\n{table}");
}

#[test]
fn the_documentation_has_every_category_of_the_log() {
    let document = include_str!("../../docs/server.md");
    for category in crate::facts::Category::ALL {
        assert!(document.contains(&format!("\n| `{category}` |")), "{category}");
    }
}
