//! PURE. The letters that a server keeps until they have arrived: which are new, and which is to
//! be confirmed.
//!
//! Knows neither connection nor screen; it outlives the first and is told about the second. The
//! rule it keeps: a letter is shown once for each user, however often a server sends it, and is
//! confirmed only after it was shown.
//!
//! A server numbers the letters of a user upwards, sends them in that order, and after a new
//! login sends those again that were not confirmed, under the same numbers. So the highest number
//! that was shown is all that must be remembered.

use crate::id::LetterId;
use crate::message::UserName;

/// The letters of one user.
#[derive(Debug, Default)]
pub struct Letters {
    user: Option<UserName>,
    /// The highest number that was new.
    seen: Option<LetterId>,
    /// The highest number that came since the last confirmation.
    unconfirmed: Option<LetterId>,
}

impl Letters {
    /// Somebody is logged in. Another user's letters have numbers of their own.
    pub fn handle_login(&mut self, user: UserName) {
        if self.user != Some(user) {
            *self = Self { user: Some(user), seen: None, unconfirmed: None };
        }
    }

    /// A letter has come. Answers whether it is new, and so to be shown.
    pub fn handle_letter(&mut self, letter: LetterId) -> bool {
        let is_new = self.seen < Some(letter);
        self.seen = self.seen.max(Some(letter));
        // One that was shown before is sent again because its confirmation was lost.
        self.unconfirmed = self.unconfirmed.max(Some(letter));
        is_new
    }

    /// All letters that came were shown: which one to confirm, and with it those before.
    pub fn poll_confirmation(&mut self) -> Option<LetterId> {
        self.unconfirmed.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(user: &str) -> Letters {
        let mut letters = Letters::default();
        letters.handle_login(UserName::parse(user).unwrap());
        letters
    }

    fn come(letters: &mut Letters, numbers: &[u64]) -> Vec<bool> {
        numbers.iter().map(|&number| letters.handle_letter(LetterId(number))).collect()
    }

    #[test]
    fn several_letters_are_confirmed_with_the_last() {
        let mut letters = of("alice");
        assert_eq!(letters.poll_confirmation(), None);
        assert_eq!(come(&mut letters, &[3, 4, 9]), [true, true, true]);
        assert_eq!(letters.poll_confirmation(), Some(LetterId(9)));
        assert_eq!(letters.poll_confirmation(), None);
    }

    #[test]
    fn a_letter_that_comes_again_is_confirmed_again_and_not_shown() {
        let mut letters = of("alice");
        come(&mut letters, &[3, 4]);
        letters.poll_confirmation();
        letters.handle_login(UserName::parse("ALICE").unwrap());
        assert_eq!(come(&mut letters, &[4, 5]), [false, true]);
        assert_eq!(letters.poll_confirmation(), Some(LetterId(5)));
        assert_eq!(come(&mut letters, &[4]), [false]);
        assert_eq!(letters.poll_confirmation(), Some(LetterId(4)));
    }

    #[test]
    fn the_letters_of_another_user_have_numbers_of_their_own() {
        let mut letters = of("alice");
        come(&mut letters, &[7]);
        letters.handle_login(UserName::parse("bob").unwrap());
        assert_eq!(letters.poll_confirmation(), None, "it is not bob's to confirm");
        assert_eq!(come(&mut letters, &[0, 1]), [true, true]);
    }
}
