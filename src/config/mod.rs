//! From what people wrote to a configuration that is valid: raw in, [`Config`] or one [`Mistake`]
//! out.
//!
//! ```text
//! options   --room-members 20     \
//! variables PARLOR_ROOM_MEMBERS=20 >  texts by key  ->  SettingsDraft  ->  checks  ->  Config
//! a file    room-members = 20     /   (settings.rs is the one table of keys)
//! ```
//!
//! Refuses to know the process it runs in: options, environment, file and the number of
//! descriptors come in as values. The rules it keeps: the first of option, variable, file and
//! default decides; a mistake in any of them is told, even where another one decides; what has no
//! meaning is a mistake and never silently ignored.

mod file;
mod mistake;
mod options;
mod settings;
mod show;
mod value;

pub use mistake::{Mistake, nearest};
pub(crate) use options::data_options;
pub use options::{given, keys, options};
pub use value::parse_time;

use crate::address::Address;
use crate::engine::Policy;
use crate::limits::{DESCRIPTORS_KEPT, Limits};
use settings::{SETTINGS, Setting, SettingsDraft};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

/// Where a server listens when nobody says; also where the client calls.
pub const ADDRESS: &str = "127.0.0.1:7575";

/// What all our variables begin with.
const PREFIX: &str = "PARLOR_";
/// Variables of the client; the server leaves them alone.
const RESERVED: [&str; 3] = ["PARLOR_USER", "PARLOR_PASSWORD", "PARLOR_DEVICE"];

/// Everything that a server is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where to listen; at least one. Port 0 takes a free one.
    pub listen: Vec<Address>,
    /// The folder that holds all that lasts.
    pub data: PathBuf,
    /// The audit log.
    pub log: PathBuf,
    /// How much of it is written.
    pub log_level: log::LevelFilter,
    /// Whether it has lines for people, or objects for programs.
    pub log_lines: bool,
    /// Who may do what before he has shown anything.
    pub policy: Policy,
    /// The bounds in force.
    pub limits: Limits,
}

/// One setting as somebody wrote it: texts, not yet understood.
struct Given {
    setting: &'static Setting,
    /// Where it was written, as a message names it.
    place: String,
    texts: Vec<String>,
}

impl Config {
    /// Joins what was given: `options` as keys and values in the order of the command line, the
    /// whole environment, a way to read the file that `config` names, and how many `descriptors`
    /// the process may have.
    ///
    /// `connections` is 10,000 or what the descriptors allow, whichever is less; 0 asks for all
    /// that they allow; any other number stands as it is given.
    ///
    /// # Errors
    /// The first mistake found.
    pub(crate) fn resolve(
        options: impl IntoIterator<Item = (String, String)>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
        read_file: impl Fn(&Path) -> io::Result<String>,
        descriptors: u64,
    ) -> Result<Self, Mistake> {
        Self::traced(options, env, read_file, descriptors).map(|(config, _)| config)
    }

    /// The same, and where each setting was written that somebody gave.
    ///
    /// # Errors
    /// The first mistake found.
    pub(crate) fn traced(
        options: impl IntoIterator<Item = (String, String)>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
        read_file: impl Fn(&Path) -> io::Result<String>,
        descriptors: u64,
    ) -> Result<(Self, Origins), Mistake> {
        let env: BTreeMap<OsString, OsString> = env.into_iter().collect();
        let options = from_options(options)?;
        let variables = from_variables(&env)?;
        let mut draft = SettingsDraft::default();
        let mut places = Origins::new();
        // Only for the name of the file; what it says comes first and is then overruled.
        for given in variables.iter().chain(&options) {
            given.put_into(&mut draft)?;
        }
        let file = match draft.config.take() {
            Some(path) => from_file(&path, &variables, &options, read_file)?,
            None => Vec::new(),
        };
        draft = SettingsDraft::default();
        for given in file.into_iter().chain(variables).chain(options) {
            given.put_into(&mut draft)?;
            places.insert(given.setting.key, given.place);
        }
        check_limits(&draft, &places)?;
        draft.limits.connections = connections(&draft, &places, descriptors);
        Ok((Self::from_draft(draft, |name| env.get(OsStr::new(name)).cloned()), places))
    }

    fn from_draft(draft: SettingsDraft, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let data = draft.data.unwrap_or_else(|| crate::os::default_data_dir(variable));
        let log = draft.log.unwrap_or_else(|| data.join("parlor.log"));
        let SettingsDraft { listen, log_level, log_lines, policy, limits, .. } = draft;
        Self { listen, data, log, log_level, log_lines, policy, limits }
    }

    /// What it would be made of.
    fn to_draft(&self) -> SettingsDraft {
        SettingsDraft {
            listen: self.listen.clone(),
            config: None,
            data: Some(self.data.clone()),
            log: Some(self.log.clone()),
            log_level: self.log_level,
            log_lines: self.log_lines,
            policy: self.policy,
            limits: self.limits.clone(),
        }
    }
}

/// Where each setting that somebody gave was written last.
pub(crate) type Origins = BTreeMap<&'static str, String>;

impl Given {
    fn put_into(&self, draft: &mut SettingsDraft) -> Result<(), Mistake> {
        self.setting.set(draft, &self.texts).map_err(|what| Mistake::new(self.place.clone(), what))
    }
}

fn from_options(
    options: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Given>, Mistake> {
    let mut all: Vec<Given> = Vec::new();
    for (key, text) in options {
        let setting = settings::find(&key)
            .ok_or_else(|| Mistake::new(format!("--{key}"), "unknown option".into()))?;
        match all.iter_mut().find(|given| given.setting.key == setting.key) {
            Some(given) => given.texts.push(text),
            None => all.push(Given { setting, place: format!("--{key}"), texts: vec![text] }),
        }
    }
    Ok(all)
}

fn from_variables(env: &BTreeMap<OsString, OsString>) -> Result<Vec<Given>, Mistake> {
    let ours = |name: &OsStr| name.to_string_lossy().starts_with(PREFIX);
    let mut all = Vec::new();
    for (name, value) in env.iter().filter(|(name, _)| ours(name)) {
        let name = name.to_string_lossy();
        if RESERVED.contains(&&*name) {
            continue;
        }
        let place = crate::message::visible(&name).into_owned();
        let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == name) else {
            let meant = nearest(&name[PREFIX.len()..], keys())
                .and_then(settings::find)
                .map(Setting::variable);
            let what = mistake::unknown("unknown variable", meant.as_deref());
            return Err(Mistake::new(place, what));
        };
        let Some(text) = value.to_str() else {
            return Err(Mistake::new(place, "its value is not UTF-8".into()));
        };
        all.push(Given { setting, place, texts: vec![text.to_owned()] });
    }
    Ok(all)
}

fn from_file(
    path: &Path,
    variables: &[Given],
    options: &[Given],
    read_file: impl Fn(&Path) -> io::Result<String>,
) -> Result<Vec<Given>, Mistake> {
    let text = read_file(path).map_err(|error| {
        let named = options.iter().chain(variables).find(|given| given.setting.key == "config");
        let place = named.map_or_else(String::new, |given| given.place.clone());
        let path = mistake::quoted(&path.display().to_string());
        Mistake::new(place, format!("cannot read {path}: {error}"))
    })?;
    file::parse(path, &text)
}

/// Whether the limits fit each other; if not, names where those that do not were written.
fn check_limits(draft: &SettingsDraft, places: &Origins) -> Result<(), Mistake> {
    let Err(text) = draft.limits.check() else { return Ok(()) };
    let named: Vec<&Setting> =
        text.split([' ', ',']).filter_map(|word| SETTINGS.iter().find(|s| s.key == word)).collect();
    let given: Vec<&str> =
        named.iter().filter_map(|s| places.get(s.key)).map(String::as_str).collect();
    let place = if given.is_empty() { "limits".to_owned() } else { given.join(" and ") };
    let values: Vec<String> =
        named.iter().map(|s| format!("{} is {}", s.key, s.value(draft))).collect();
    Err(Mistake::new(place, format!("{text}; here {}", values.join(" and "))))
}

/// Never 0: a server without descriptors for one connection says so when it starts to listen.
fn connections(draft: &SettingsDraft, places: &Origins, descriptors: u64) -> u64 {
    let possible = descriptors.saturating_sub(DESCRIPTORS_KEPT).clamp(1, settings::CONNECTIONS_MAX);
    match (places.contains_key("connections"), draft.limits.connections) {
        (false, default) => default.min(possible),
        (true, 0) => possible,
        (true, number) => number,
    }
}

#[cfg(test)]
mod tests;
