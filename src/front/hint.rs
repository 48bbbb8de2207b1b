//! What helps after a refusal: a slash command, which native clients understand as well, or a
//! setting of the server.
//!
//! Knows hints and no refusal by name. The rule it keeps: the words of the refusal come first, then
//! what you can do, then what the owner can.

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
    if let Some(setting) = refusal.setting() {
        for part in ["; the owner can raise it with --", setting] {
            text.push_str(part);
        }
    }
    text
}

fn words(hint: Hint<'_>) -> &'static str {
    match hint {
        Hint::ListCommands => "; /help lists them",
        Hint::LogIn | Hint::LogInAs(_) => ": /login NAME",
        Hint::Register => "; /logout, then /register NAME PASSWORD",
        Hint::JoinRoom => "; /join ROOM first",
        Hint::JoinOther => "; join another (/rooms lists them)",
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
            (
                Refusal::FileTooLarge { size: (3 << 20) + 1, limit: 3 << 20 },
                "the file is too large: 3 MiB at most; the owner can raise it with --file-max",
            ),
            (
                Refusal::QuotaFull { size: 11, used: 1024, limit: 1025 },
                "no space for 11 bytes: your files take 1 KiB of 1025 bytes; /remove some; \
                 the owner can raise it with --files-user",
            ),
        ] {
            assert_eq!(sentence(&refusal), text);
        }
    }
}
