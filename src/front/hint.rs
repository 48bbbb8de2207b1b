//! What helps after a refusal, in the syntax of slash commands, which native clients show as well.
//!
//! Knows hints and no refusal by name. The rule it keeps: the words of the refusal come first, and
//! end where the hint begins.

use crate::message::{Hint, Refusal};

/// A refusal in words, with what to do about it.
#[must_use]
pub(crate) fn sentence(refusal: &Refusal) -> String {
    let mut text = refusal.to_string();
    match refusal.hint() {
        Some(Hint::LogInAs(user)) => {
            for part in [": /login ", user.as_str(), " PASSWORD"] {
                text.push_str(part);
            }
        }
        Some(hint) => text.push_str(words(hint)),
        None => {}
    }
    text
}

fn words(hint: Hint<'_>) -> &'static str {
    match hint {
        Hint::ListCommands => "; /help lists them",
        Hint::LogIn | Hint::LogInAs(_) => ": /login NAME",
        Hint::Register => "; /logout, then /register NAME PASSWORD",
        Hint::JoinRoom => "; /join ROOM first",
        Hint::JoinOther => "; join one of them (/rooms)",
        Hint::ListRooms => "; /rooms lists them",
        Hint::ListFiles => "; /files lists them",
        Hint::RemoveFiles => "; /remove some",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::UserName;

    #[test]
    fn a_hint_is_worded_in_slash_commands() {
        let bob = UserName::parse("bob").unwrap();
        for (refusal, text) in [
            (Refusal::LoginFirst, "log in first: /login NAME"),
            (Refusal::PasswordNeeded(bob), "the name bob needs a password: /login bob PASSWORD"),
            (Refusal::NotInRoom, "you are in no room; /join ROOM first"),
            (Refusal::ToYourself, "that is you"),
        ] {
            assert_eq!(sentence(&refusal), text);
        }
    }
}
