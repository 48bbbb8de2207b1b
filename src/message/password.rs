//! What can be a password. It is never shown, so any character that can be typed will do.

use super::Refusal;
use crate::limits::{PASSWORD_MAX, PASSWORD_MIN};

/// Checks a password that a user wants to have.
///
/// # Errors
/// [`Refusal::BadPassword`] if it is too short or too long or has controls in it.
pub fn check_password(password: &str) -> Result<(), Refusal> {
    if password.len() >= PASSWORD_MIN && may_be_password(password) {
        return Ok(());
    }
    Err(Refusal::BadPassword { min: PASSWORD_MIN, max: PASSWORD_MAX })
}

/// Whether some account can have that password: what is not worth hashing is told at once. Short
/// ones may have been imported.
#[must_use]
pub(crate) fn may_be_password(password: &str) -> bool {
    (1..=PASSWORD_MAX).contains(&password.len()) && !password.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_6_to_256_bytes_without_controls() {
        let refused = Err(Refusal::BadPassword { min: 6, max: 256 });
        for good in ["sesame", "open sesame", "pässwo", &"x".repeat(256), "\u{1f511}\u{1f511}"] {
            assert_eq!(check_password(good), Ok(()), "{good:?}");
        }
        for bad in ["", "short", &"x".repeat(257), "with\ttab", "with\u{85}next", "line\nfeed"] {
            assert_eq!(check_password(bad), refused, "{bad:?}");
        }
    }

    #[test]
    fn a_short_password_may_be_somebodys_and_an_empty_one_may_not() {
        assert!(may_be_password("x") && may_be_password(&"x".repeat(256)));
        for bad in ["", "a\0", &"x".repeat(257)] {
            assert!(!may_be_password(bad), "{bad:?}");
        }
    }
}
