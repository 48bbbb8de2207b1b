//! PURE. Questions for passwords, one line an answer.
//!
//! Knows neither terminal nor server. The rule it keeps: an answer is never in a line that is
//! shown, and a new password that is typed unseen is typed twice.

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
    /// The answers are typed, and not seen.
    unseen: bool,
    answers: Vec<Secret<'static>>,
    empty: u8,
}

/// What follows from an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// The next one is to be asked for: see [`Question::prompt`].
    More,
    /// All is known: the passwords, the old one before the new one.
    Complete(Purpose, Vec<Secret<'static>>),
    /// The new password is not the same twice.
    Different,
    /// There were only empty lines.
    Unwanted,
}

impl Question {
    /// `known` is the first answer, if it need not be asked for.
    pub(super) fn new(purpose: Purpose, unseen: bool, known: Option<Secret<'static>>) -> Self {
        Self { purpose, unseen, answers: known.into_iter().collect(), empty: 0 }
    }

    /// The question in one line.
    pub(super) fn prompt(&self) -> String {
        let asked = self.answers.len();
        let what = match &self.purpose {
            Purpose::Login { user, .. } => format!("password for {user}"),
            Purpose::Register { user } if asked == 0 => format!("new password for {user}"),
            Purpose::Passwd if asked == 0 => "your password until now".to_owned(),
            Purpose::Passwd if asked == 1 => "new password".to_owned(),
            Purpose::Register { .. } | Purpose::Passwd => "the same again".to_owned(),
        };
        format!("* {what}{}:", if self.unseen { ", which is not shown" } else { "" })
    }

    /// How many answers it still wants.
    pub(super) fn lines_left(&self) -> usize {
        let wanted = match self.purpose {
            Purpose::Login { .. } | Purpose::Register { .. } => 1,
            Purpose::Passwd => 2,
        };
        (wanted + usize::from(self.is_asked_twice())).saturating_sub(self.answers.len())
    }

    /// A new password that nobody sees is typed twice.
    fn is_asked_twice(&self) -> bool {
        self.unseen && !matches!(self.purpose, Purpose::Login { .. })
    }

    /// Takes an answer. What is empty or has controls in it is asked for again.
    pub(super) fn answer(mut self, line: &str) -> (Option<Self>, Answered) {
        if line.is_empty() || line.chars().any(char::is_control) {
            self.empty += 1;
            let unwanted = self.empty == EMPTY_MAX;
            return if unwanted {
                (None, Answered::Unwanted)
            } else {
                (Some(self), Answered::More)
            };
        }
        self.empty = 0;
        self.answers.push(Secret(line.to_owned().into()));
        if self.lines_left() > 0 {
            return (Some(self), Answered::More);
        }
        let twice = self.is_asked_twice();
        let again = if twice { self.answers.pop() } else { None };
        if again.is_some_and(|again| self.answers.last() != Some(&again)) {
            return (None, Answered::Different);
        }
        (None, Answered::Complete(self.purpose, self.answers))
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
                (Some(next), Answered::More) => question = next,
                (None, answered) => return answered,
                other => panic!("{other:?}"),
            }
        }
        Answered::More
    }

    #[test]
    fn a_new_password_is_asked_for_twice_where_it_is_not_seen() {
        let register = Purpose::Register { user: "bob".to_owned() };
        let ask = |unseen| Question::new(register.clone(), unseen, None);
        let complete = Answered::Complete(register.clone(), vec![secret("sesame")]);
        assert_eq!(answers(ask(false), &["sesame"]), complete);
        assert_eq!(answers(ask(true), &["sesame"]), Answered::More);
        assert_eq!(answers(ask(true), &["sesame", "sesame"]), complete);
        assert_eq!(answers(ask(true), &["sesame", "sesam"]), Answered::Different);
    }

    #[test]
    fn a_change_takes_the_old_one_and_the_new_one() {
        let ask = |known| Question::new(Purpose::Passwd, true, known);
        let complete = Answered::Complete(Purpose::Passwd, vec![secret("old"), secret("new")]);
        assert_eq!(answers(ask(None), &["old", "new", "new"]), complete);
        assert_eq!(answers(ask(Some(secret("old"))), &["new", "new"]), complete);
    }

    #[test]
    fn what_is_empty_is_asked_for_again_and_the_third_time_given_up() {
        let login = Purpose::Login { user: "bob".to_owned(), tries: 1 };
        let ask = || Question::new(login.clone(), true, None);
        let complete = Answered::Complete(login.clone(), vec![secret(" ")]);
        assert_eq!(answers(ask(), &["", "\x07", " "]), complete);
        assert_eq!(answers(ask(), &["", "\x07", ""]), Answered::Unwanted);
    }

    #[test]
    fn no_answer_is_in_a_prompt_or_in_what_is_printed_for_debugging() {
        let question = Question::new(Purpose::Passwd, true, Some(secret("sesame")));
        let shown = format!("{question:?} {}", question.prompt());
        assert!(!shown.contains("sesame"), "{shown}");
    }
}
