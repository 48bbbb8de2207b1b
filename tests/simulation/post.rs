//! Letters: what was promised, what is durable, what has been read, and what may be missing.
//!
//! A letter is known by its text, which nobody writes twice. The rules: "kept" is said of what is
//! durable; a number belongs to one letter and is read in its order; what was confirmed does not
//! come again; in the end all that was promised has been read, unless its writer was blocked or it
//! was in the hands of a kernel for somebody who cannot confirm.

use std::collections::{BTreeMap, BTreeSet};

use parlor::job::{StoreJob, StoreOutcome};
use parlor::message::visible;

#[derive(Debug)]
struct Letter {
    from: String,
    to: String,
    number: Option<u64>,
    /// Its writer was told that it is kept.
    promised: bool,
    /// The store would not have it.
    failed: bool,
    seen: bool,
    excused: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Post {
    letters: BTreeMap<String, Letter>,
    last_number: u64,
    /// By user: up to where letters were confirmed, and when that was asked and answered.
    confirmed: BTreeMap<String, (u64, u64, u64)>,
    /// When the store failed or was cut off last.
    trouble_at: u64,
    pub(crate) delivered: u64,
}

impl Post {
    /// A whisper to an account was accepted.
    pub(crate) fn sent(&mut self, from: &str, to: &str, text: &str) {
        let letter = Letter {
            from: from.to_ascii_lowercase(),
            to: to.to_ascii_lowercase(),
            number: None,
            promised: false,
            failed: false,
            seen: false,
            excused: false,
        };
        let before = self.letters.insert(text.to_owned(), letter);
        assert!(before.is_none(), "{text} is written twice");
    }

    pub(crate) fn knows(&self, text: &str) -> bool {
        self.letters.contains_key(text)
    }

    /// Letters for a user that may have been told.
    pub(crate) fn count(&self, to: &str) -> u64 {
        let to = to.to_ascii_lowercase();
        let told = |letter: &&Letter| letter.to == to && (letter.number.is_some() || letter.failed);
        self.letters.values().filter(told).count() as u64
    }

    /// A job is done, durably or not at all.
    pub(crate) fn synced(&mut self, at: u64, job: &StoreJob, outcome: &StoreOutcome) {
        if matches!(outcome, StoreOutcome::Failed(_)) {
            self.trouble_at = at;
        }
        let StoreJob::Keep { from, text, .. } = job else { return };
        let text = visible(text.as_str()).to_string();
        let letter = self.letters.get_mut(&text).expect("what is stored was accepted");
        match outcome {
            StoreOutcome::Kept(number) => {
                assert_eq!(letter.from, from.as_str().to_ascii_lowercase());
                assert!(number.0 > self.last_number, "numbers ascend");
                self.last_number = number.0;
                letter.number = Some(number.0);
            }
            _ => letter.failed = true,
        }
    }

    pub(crate) fn note_cut(&mut self, at: u64) {
        self.trouble_at = at;
    }

    /// Its writer reads that it is kept.
    pub(crate) fn promised(&mut self, text: &str) {
        let letter = self.letters.get_mut(text).unwrap_or_else(|| panic!("{text} is kept?"));
        assert!(letter.number.is_some(), "{text} is kept, and not durable");
        letter.promised = true;
    }

    /// A user reads it. `number` is what the client was told, where the protocol tells it;
    /// `last` is the last one on this connection; `since` is when its login was asked for.
    pub(crate) fn read(
        &mut self,
        user: &str,
        text: &str,
        number: Option<Option<u64>>,
        last: &mut u64,
        since: u64,
    ) {
        let letter = self.letters.get_mut(text).expect("it is a letter");
        let user = user.to_ascii_lowercase();
        assert_eq!(letter.to, user, "{text} is for somebody else");
        let is_kept = number.map_or(letter.number.is_some(), |number| number.is_some());
        if !is_kept {
            assert!(letter.failed && !letter.seen, "{text} comes unkept");
            letter.seen = true;
            return;
        }
        let own = letter.number.unwrap_or_else(|| panic!("{text} comes before it is durable"));
        assert!(number.is_none_or(|number| number == Some(own)), "{text} has another number");
        assert!(own > *last, "{text}, number {own}, comes after {last}");
        *last = own;
        if let Some(&(up_to, asked_at, answered_at)) = self.confirmed.get(&user) {
            let again = own <= up_to && answered_at < since && self.trouble_at < asked_at;
            assert!(!again, "{text} comes again, and was confirmed");
        }
        self.delivered += u64::from(!letter.seen);
        letter.seen = true;
    }

    /// A confirmation of a user was answered.
    pub(crate) fn confirmed(&mut self, user: &str, up_to: u64, asked_at: u64, now: u64) {
        let entry = self.confirmed.entry(user.to_ascii_lowercase()).or_default();
        if up_to >= entry.0 {
            *entry = (up_to, asked_at, now);
        }
    }

    /// From now on letters of `user` that `owner` has not read may be passed over.
    pub(crate) fn blocked(&mut self, owner: &str, user: &str) {
        for letter in self.letters.values_mut() {
            letter.excused |= letter.to == owner && letter.from == user;
        }
    }

    /// Bytes are gone that a kernel had taken for somebody who cannot confirm what he reads.
    pub(crate) fn lost(&mut self, bytes: &[u8]) {
        let lost = String::from_utf8_lossy(bytes);
        for (text, letter) in &mut self.letters {
            letter.excused |= !letter.seen && lost.contains(text.as_str());
        }
    }

    /// Everybody has come once more and read what there is.
    pub(crate) fn check_all_read(&self) {
        let missing: BTreeSet<&String> = self
            .letters
            .iter()
            .filter(|(_, letter)| letter.promised && !letter.seen && !letter.excused)
            .map(|(text, _)| text)
            .collect();
        assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
    }
}
