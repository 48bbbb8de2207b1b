//! A configuration as people read it: what is not the default, and all of it with where each
//! setting comes from.
//!
//! Refuses to know who prints it. The rule it keeps: what is shown in full is a file that
//! `--config` reads, and means the same.

use super::settings::{SETTINGS, Setting, SettingsDraft};
use super::{Config, Origins};
use crate::message::visible;
use std::fmt::Write as _;

/// Column at which the places begin, where the values leave room.
const PLACE_AT: usize = 40;

impl Config {
    /// Settings that are not the default, each with its value; where the server listens, and where
    /// its data and its log are, stand elsewhere.
    #[must_use]
    pub(crate) fn changed(&self) -> Vec<(&'static str, String)> {
        let (default, draft) = (SettingsDraft::default(), self.to_draft());
        let elsewhere = ["listen", "data", "log", "config"];
        let settings = SETTINGS.iter().filter(|setting| !elsewhere.contains(&setting.key));
        let values = settings.map(|setting| (setting, setting.value(&draft)));
        let changed = values.filter(|(setting, value)| *value != setting.value(&default));
        changed.map(|(setting, value)| (setting.key, value)).collect()
    }

    /// All settings in force, a line each: `room-members = 40  # PARLOR_ROOM_MEMBERS`.
    #[must_use]
    pub(crate) fn shown(&self, places: &Origins) -> String {
        let draft = self.to_draft();
        let mut text = String::new();
        for setting in SETTINGS.iter().filter(|setting| setting.key != "config") {
            let line = format!("{} = {}", setting.key, setting.toml(&draft));
            let place = places.get(setting.key).map_or("default", String::as_str);
            // What stands in a file names its key already.
            let place = place.strip_suffix(&format!(": {}", setting.key)).unwrap_or(place);
            let _ = writeln!(text, "{line:<PLACE_AT$} # {place}");
        }
        text
    }
}

impl Setting {
    /// The value as the file has it.
    fn toml(&self, draft: &SettingsDraft) -> String {
        match self.value_name() {
            "N" => self.value(draft),
            "ADDR" => {
                let all: Vec<_> = draft.listen.iter().map(|at| quoted(&at.to_string())).collect();
                format!("[{}]", all.join(", "))
            }
            _ => quoted(&self.value(draft)),
        }
    }
}

fn quoted(text: &str) -> String {
    let escaped = visible(text).replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}
