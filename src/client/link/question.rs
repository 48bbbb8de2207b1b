//! PURE. Questions for passwords, one line an answer.
//!
//! Knows neither terminal nor server. The rule it keeps: an answer is never in a line that is
//! shown, and a new password, which nobody sees, is typed twice.

use crate::client::view::Prompt;
use crate::message::Secret;

/// Empty lines in a row after which nobody wants to answer.
const EMPTY_MAX: u8 = 3;

/// What the passwords are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To log in; `tries` counts from 1.
    Login { user: String, tries: u8 },
    /// To make an account.
    Register { user: String },
    /// To change the password.
    Passwd,
}

/// A question that waits for its next answer.
#[derive(Debug)]
pub(super) struct Question {
    purpose: Purpose,
    answers: Vec<Secret<'static>>,
    empty: u8,
}

/// Who is asked, and what.
#[derive(Debug)]
pub(super) struct Questions {
    /// Somebody can answer unseen.
    pub(super) can_ask: bool,
    /// The next line answers it.
    pub(super) open: Option<Question>,
    /// The next line may have been meant for the answer to a question that is not asked any more.
    pub(super) spoilt: bool,
}

impl Questions {
    pub(super) fn new(can_ask: bool) -> Self {
        Self { can_ask, open: None, spoilt: false }
    }
}

/// What follows from an answer.
#[derive(Debug)]
pub(super) enum Answered {
    /// The next one is to be asked for: see [`Question::prompt`].
    More(Question),
    /// All is known: the passwords, the old one before the new one.
    Complete(Purpose, Vec<Secret<'static>>),
    /// The new password is not the same twice.
    Different,
    /// There were only empty lines.
    Unwanted,
}

impl Question {
    pub(super) fn new(purpose: Purpose) -> Self {
        Self { purpose, answers: Vec::new(), empty: 0 }
    }

    /// What is asked for next.
    pub(super) fn prompt(&self) -> Prompt {
        match (&self.purpose, self.answers.len()) {
            (Purpose::Login { user, .. }, _) => Prompt::Password(user.clone()),
            (Purpose::Register { user }, 0) => Prompt::NewFor(user.clone()),
            (Purpose::Passwd, 0) => Prompt::Old,
            (Purpose::Passwd, 1) => Prompt::New,
            (Purpose::Register { .. } | Purpose::Passwd, _) => Prompt::Again,
        }
    }

    /// How many answers there are in the end; the last two of several are the same.
    fn wanted(&self) -> usize {
        match self.purpose {
            Purpose::Login { .. } => 1,
            Purpose::Register { .. } => 2,
            Purpose::Passwd => 3,
        }
    }

    /// Takes an answer. What is empty or has controls in it is asked for again.
    pub(super) fn answer(mut self, line: &str) -> Answered {
        if line.is_empty() || line.chars().any(char::is_control) {
            self.empty += 1;
            let unwanted = self.empty == EMPTY_MAX;
            return if unwanted { Answered::Unwanted } else { Answered::More(self) };
        }
        self.empty = 0;
        self.answers.push(Secret(line.to_owned().into()));
        if self.answers.len() < self.wanted() {
            return Answered::More(self);
        }
        let again = if self.answers.len() > 1 { self.answers.pop() } else { None };
        if again.is_some_and(|again| self.answers.last() != Some(&again)) {
            return Answered::Different;
        }
        Answered::Complete(self.purpose, self.answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret<'static> {
        Secret(text.to_owned().into())
    }

    /// What follows from the last of these lines; before it there is always more to ask.
    fn answers(mut question: Question, lines: &[&str]) -> Answered {
        for line in lines {
            match question.answer(line) {
                Answered::More(next) => question = next,
                answered => return answered,
            }
        }
        Answered::More(question)
    }

    fn completes(question: Question, lines: &[&str], passwords: &[&str]) -> bool {
        let passwords: Vec<_> = passwords.iter().map(|text| secret(text)).collect();
        matches!(answers(question, lines), Answered::Complete(_, known) if known == passwords)
    }

    #[test]
    fn a_new_password_is_asked_for_twice() {
        let ask = || Question::new(Purpose::Register { user: "bob".to_owned() });
        assert!(matches!(answers(ask(), &["sesame"]), Answered::More(_)));
        assert!(completes(ask(), &["sesame", "sesame"], &["sesame"]));
        assert!(matches!(answers(ask(), &["sesame", "sesam"]), Answered::Different));
    }

    #[test]
    fn a_change_takes_the_old_one_and_the_new_one() {
        assert!(completes(Question::new(Purpose::Passwd), &["old", "new", "new"], &["old", "new"]));
    }

    #[test]
    fn what_is_empty_is_asked_for_again_and_the_third_time_given_up() {
        let ask = || Question::new(Purpose::Login { user: "bob".to_owned(), tries: 1 });
        assert!(completes(ask(), &["", "\x07", " "], &[" "]));
        assert!(matches!(answers(ask(), &["", "\x07", ""]), Answered::Unwanted));
    }

    #[test]
    fn no_answer_is_in_a_prompt_or_in_what_is_printed_for_debugging() {
        let question = answers(Question::new(Purpose::Passwd), &["sesame"]);
        let Answered::More(question) = question else { panic!("{question:?}") };
        let shown = format!("{question:?} {:?}", question.prompt());
        assert!(!shown.contains("sesame"), "{shown}");
    }
}
