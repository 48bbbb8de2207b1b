//! The one table of everything that can be set: from it come the options, the variables, the keys
//! of the file and the table of docs/server.md.
//!
//! Refuses to know who set what. The rule it keeps: a setting that is not in this table does not
//! exist, and each field of [`Limits`] is in it (a test takes `Limits` apart to prove that).

use super::value;
use crate::address::Address;
use crate::engine::Policy;
use crate::limits::{ACCOUNT_SESSIONS_MAX, GIB, KIB, Limits, MIB, UPLOAD_SLOTS_MAX};
use crate::os;
use log::LevelFilter;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// Most connections that can be asked for: Linux lets a process have 2^20 descriptors by default.
pub(super) const CONNECTIONS_MAX: u64 = 1_000_000;

/// What the layers fill in, one after the other.
#[derive(Clone, Debug)]
pub(super) struct SettingsDraft {
    pub(super) listen: Vec<Address>,
    pub(super) config: Option<PathBuf>,
    pub(super) data: Option<PathBuf>,
    pub(super) log: Option<PathBuf>,
    pub(super) log_level: LevelFilter,
    pub(super) log_lines: bool,
    pub(super) policy: Policy,
    pub(super) limits: Limits,
}

impl Default for SettingsDraft {
    fn default() -> Self {
        Self {
            listen: vec![Address::Net((Ipv4Addr::LOCALHOST, 7575).into())],
            config: None,
            data: None,
            log: None,
            log_level: LevelFilter::Info,
            log_lines: true,
            policy: Policy::default(),
            limits: Limits::default(),
        }
    }
}

/// One line of the table.
#[derive(Debug)]
pub(super) struct Setting {
    /// The option without its dashes, and the key of the file.
    pub(super) key: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    /// The default in words, where the default value alone would not tell it.
    default: Option<&'static str>,
}

/// How a setting is written, what it may be, and where in the draft it goes.
#[derive(Debug)]
pub(super) enum Kind {
    Count(RangeInclusive<u64>, fn(&mut SettingsDraft) -> &mut u64),
    Bytes(RangeInclusive<u64>, fn(&mut SettingsDraft) -> &mut u64),
    Time(RangeInclusive<Duration>, fn(&mut SettingsDraft) -> &mut Duration),
    Addresses(fn(&mut SettingsDraft) -> &mut Vec<Address>),
    Path(fn(&mut SettingsDraft) -> &mut Option<PathBuf>),
    Level(fn(&mut SettingsDraft) -> &mut LevelFilter),
    /// The word for yes and the word for no.
    Choice([&'static str; 2], fn(&mut SettingsDraft) -> &mut bool),
}

/// What most durations may be. The least is for tests and tight local networks.
const SPAN: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long files may be kept.
const KEEP: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(3650 * 24 * 60 * 60);
const TIB: u64 = 1024 * GIB;
/// A text doubles at most when quoted, and still fits the longest frame beside its names.
const MESSAGE_MAX: u64 = 24 * KIB;

/// Every setting, in the order of the help.
#[rustfmt::skip]
pub(super) static SETTINGS: [Setting; 41] = [
    setting("listen", Kind::Addresses(|d| &mut d.listen),
        "Address to listen on; may be given several times, port 0 takes a free one"),
    in_words("data", Kind::Path(|d| &mut d.data),
        "Folder for everything that lasts", os::DATA_DIR_IN_WORDS),
    in_words("log", Kind::Path(|d| &mut d.log),
        "The log file; - is standard error", "parlor.log in the data folder"),
    setting("log-level", Kind::Level(|d| &mut d.log_level),
        "How much is logged: off, error, info, or debug, which includes what people say"),
    setting("log-format", Kind::Choice(["line", "json"], |d| &mut d.log_lines),
        "Lines for people, or one JSON object per line for programs"),
    in_words("config", Kind::Path(|d| &mut d.config),
        "TOML file with the same keys as these options", "none"),
    setting("accounts-guests", Kind::Choice(["true", "false"], |d| &mut d.policy.guests),
        "Whether guests can log in, with a name that has no account"),
    setting("accounts-registration",
        Kind::Choice(["open", "closed"], |d| &mut d.policy.registration),
        "Who makes accounts: everybody (open), or only you (closed; parlor user add)"),
    setting("accounts-sessions",
        Kind::Count(1..=ACCOUNT_SESSIONS_MAX, |d| &mut d.limits.accounts_sessions),
        "Sessions that one account can have at once"),

    in_words("connections", Kind::Count(0..=CONNECTIONS_MAX, |d| &mut d.limits.connections),
        "Connections at once; 0: as many as the descriptors allow",
        "10000, or fewer if there are fewer descriptors"),
    setting("room-members", Kind::Count(1..=10_000, |d| &mut d.limits.room_members),
        "Members of a room"),
    setting("rooms", Kind::Count(1..=1_000_000, |d| &mut d.limits.rooms),
        "Rooms at once"),
    setting("before-login", Kind::Count(0..=CONNECTIONS_MAX, |d| &mut d.limits.before_login),
        "Connections open without a login; above a tenth of it some are refused; 0: no limit"),
    setting("before-login-source",
        Kind::Count(0..=CONNECTIONS_MAX, |d| &mut d.limits.before_login_source),
        "The same from one address (IPv6: one /64), except this machine's; 0: no limit"),
    setting("block-duration", Kind::Time(SPAN, |d| &mut d.limits.block_duration),
        "How long three wrong passwords in a row keep an address from trying that name again"),
    setting("timeout", Kind::Time(Duration::ZERO..=DAY, |d| &mut d.limits.timeout),
        "Time without a command after which a user is logged out; 0s: never"),
    setting("letters", Kind::Count(1..=1_000_000, |d| &mut d.limits.letters),
        "Messages kept for one offline user"),
    setting("presence", Kind::Count(0..=CONNECTIONS_MAX, |d| &mut d.limits.presence_users),
        "With more users online than this, logins and logouts are not announced"),
    setting("message-rate", Kind::Count(0..=1_000_000, |d| &mut d.limits.message_rate),
        "Messages per second of one user, and as many in one burst; 0: no limit"),
    setting("message-max", Kind::Bytes(1..=MESSAGE_MAX, |d| &mut d.limits.message_bytes),
        "Longest text of a message"),
    setting("upload-slots", Kind::Count(1..=UPLOAD_SLOTS_MAX, |d| &mut d.limits.upload_slots),
        "Uploads under way at once"),
    setting("upload-waiting", Kind::Count(0..=100_000, |d| &mut d.limits.upload_waiting),
        "Uploads that may wait for a slot"),
    setting("file-max", Kind::Bytes(1..=TIB, |d| &mut d.limits.file_bytes),
        "Largest file"),
    setting("upload-credit",
        Kind::Bytes(32 * KIB..=64 * MIB, |d| &mut d.limits.upload_credit_bytes),
        "Bytes of one upload that may be on their way to the disk"),
    setting("upload-stall", Kind::Time(SPAN, |d| &mut d.limits.upload_stall),
        "Time in which an upload must move 16KiB, or it loses its slot"),
    setting("files-user", Kind::Bytes(0..=TIB, |d| &mut d.limits.files_user_bytes),
        "Bytes of all files of one user, uploads under way included"),
    setting("files-total", Kind::Bytes(0..=1024 * TIB, |d| &mut d.limits.files_total_bytes),
        "Bytes of all files together"),
    setting("files-free", Kind::Bytes(0..=TIB, |d| &mut d.limits.files_free_bytes),
        "Bytes of the disk that stay free"),
    setting("files-keep", Kind::Time(KEEP, |d| &mut d.limits.files_keep),
        "Time until a file for a user or a room expires"),
    setting("shelf-keep", Kind::Time(KEEP, |d| &mut d.limits.shelf_keep),
        "Time until a file on a shelf expires"),
    setting("partial-keep", Kind::Time(KEEP, |d| &mut d.limits.partial_keep),
        "Time in which an interrupted upload can be resumed"),
    setting("output-soft", Kind::Bytes(128 * KIB..=GIB, |d| &mut d.limits.output_soft_bytes),
        "Waiting output above which a client is paused and must catch up"),
    setting("output-soft-wait", Kind::Time(SPAN, |d| &mut d.limits.output_soft_wait),
        "Time that it has to catch up before it is disconnected"),
    setting("output-hard", Kind::Bytes(128 * KIB..=4 * GIB, |d| &mut d.limits.output_hard_bytes),
        "Waiting output above which a client is disconnected at once"),
    setting("output-before-login",
        Kind::Bytes(4 * KIB..=MIB, |d| &mut d.limits.output_before_login_bytes),
        "The same for a client that has not logged in"),
    setting("output-total", Kind::Bytes(MIB..=TIB, |d| &mut d.limits.output_total_bytes),
        "Waiting output of all clients; above it, the one with the most is disconnected"),
    setting("first-byte-before", Kind::Time(SPAN, |d| &mut d.limits.first_byte_before),
        "Time from the connection to the first byte"),
    setting("login-before", Kind::Time(SPAN, |d| &mut d.limits.login_before),
        "Time from the connection to the login"),
    setting("heartbeat", Kind::Time(SPAN, |d| &mut d.limits.heartbeat),
        "Silence after which the server pings a client"),
    setting("dead-after", Kind::Time(SPAN, |d| &mut d.limits.dead_after),
        "Silence after which a client is disconnected"),
    setting("drain", Kind::Time(SPAN, |d| &mut d.limits.drain),
        "Time for clients to read their last output when the server stops"),
];

const fn setting(key: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting { key, kind, help, default: None }
}

const fn in_words(
    key: &'static str,
    kind: Kind,
    help: &'static str,
    default: &'static str,
) -> Setting {
    Setting { key, kind, help, default: Some(default) }
}

/// The setting with exactly this key.
pub(super) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

impl Setting {
    /// Understands what was written and puts it into the draft; else says what is wrong with it.
    pub(super) fn set(&self, draft: &mut SettingsDraft, texts: &[String]) -> Result<(), String> {
        let last = texts.last().map_or("", String::as_str);
        match &self.kind {
            Kind::Count(range, field) => *field(draft) = value::parse_count(last, range)?,
            Kind::Bytes(range, field) => *field(draft) = value::parse_bytes(last, range)?,
            Kind::Time(range, field) => *field(draft) = value::parse_time(last, range)?,
            Kind::Addresses(field) => *field(draft) = value::parse_addresses(texts)?,
            Kind::Path(_) if last.is_empty() => return Err("the path is empty".into()),
            Kind::Path(field) => *field(draft) = Some(last.into()),
            Kind::Level(field) => *field(draft) = value::parse_level(last)?,
            Kind::Choice(words, field) => *field(draft) = value::parse_choice(last, words)?,
        }
        Ok(())
    }

    /// The value in a draft, as people write it.
    pub(super) fn value(&self, draft: &SettingsDraft) -> String {
        let mut draft = draft.clone();
        match &self.kind {
            Kind::Count(_, field) => field(&mut draft).to_string(),
            Kind::Bytes(_, field) => value::format_bytes(*field(&mut draft)),
            Kind::Time(_, field) => value::format_time(*field(&mut draft)),
            Kind::Addresses(field) => {
                let all: Vec<String> = field(&mut draft).iter().map(ToString::to_string).collect();
                all.join(",")
            }
            Kind::Path(field) => {
                field(&mut draft).as_ref().map_or_else(String::new, |p| p.display().to_string())
            }
            Kind::Level(field) => value::format_level(*field(&mut draft)),
            Kind::Choice([yes, no], field) => {
                (if *field(&mut draft) { *yes } else { *no }).to_owned()
            }
        }
    }

    /// The default, in words where it is not a value.
    pub(super) fn default_shown(&self) -> String {
        self.default.map_or_else(|| self.value(&SettingsDraft::default()), str::to_owned)
    }

    /// The variable of the same meaning: `PARLOR_ROOM_MEMBERS`.
    pub(super) fn variable(&self) -> String {
        super::PREFIX.to_owned() + &self.key.to_ascii_uppercase().replace('-', "_")
    }

    /// What stands for the value in the help.
    pub(super) fn value_name(&self) -> &'static str {
        match self.kind {
            Kind::Count(..) => "N",
            Kind::Bytes(..) => "SIZE",
            Kind::Time(..) => "TIME",
            Kind::Addresses(_) => "ADDR",
            Kind::Path(_) if self.key == "data" => "DIR",
            Kind::Path(_) => "FILE",
            Kind::Level(_) => "LEVEL",
            Kind::Choice(..) => "WORD",
        }
    }

    /// What may be written, for the documentation.
    #[cfg(test)]
    pub(super) fn range_shown(&self) -> String {
        match &self.kind {
            Kind::Count(range, _) => format!("{} to {}", range.start(), range.end()),
            Kind::Bytes(range, _) => {
                let shown = value::format_bytes;
                format!("{} to {}", shown(*range.start()), shown(*range.end()))
            }
            Kind::Time(range, _) => {
                let shown = value::format_time;
                format!("{} to {}", shown(*range.start()), shown(*range.end()))
            }
            Kind::Addresses(_) => "HOST:PORT, unix:PATH".into(),
            Kind::Path(_) => "path".into(),
            Kind::Level(_) => "off, error, info, debug".into(),
            Kind::Choice(words, _) => words.join(", "),
        }
    }
}
