//! Resume tokens: what a client shows to log in again without a password.
//!
//! Knows no sessions. A token says who, in which epoch of the account, by which login, until when,
//! and a keyed BLAKE3 hash of all that under the server's secret; so the server keeps no list, a
//! restart voids nothing, and a new epoch (another password, a logout) voids all that were given
//! before. A guest's token is good against the guest's own session only.

use std::fmt::Write as _;

use crate::hub::people::{Claim, User};
use crate::id::{AccountId, Now};
use crate::limits::TOKEN_LIFE;
use crate::message::UserName;

/// Makes and checks tokens.
#[derive(Clone)]
pub(super) struct Tokens {
    key: [u8; 32],
}

impl std::fmt::Debug for Tokens {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    pub(super) const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    pub(super) fn issue(&self, now: Now, user: &User, epoch: u64) -> String {
        let life_s = TOKEN_LIFE.as_secs();
        let until_s = now.wall_ms / 1000 + life_s;
        let account = user.account.map_or(0, |account| account.0);
        let mut claim = format!("{account}.{epoch}.{}.{until_s}", user.serial);
        if user.origin != user.serial {
            let _ = write!(claim, ".{}", user.origin);
        }
        format!("{claim}.{}", self.hash(user.name, &claim).to_hex())
    }

    /// What a token says about `name`; nothing if it is not ours, not for this name, or too old.
    pub(super) fn check(&self, now: Now, name: UserName, token: &str) -> Option<Claim> {
        let (claim, hash) = token.rsplit_once('.')?;
        // Compared in constant time, as blake3 does for its hashes.
        if blake3::Hash::from_hex(hash).ok()? != self.hash(name, claim) {
            return None;
        }
        let mut numbers = claim.split('.').map(|number| number.parse::<u64>().ok());
        let (account, epoch) = (numbers.next()??, numbers.next()??);
        let (serial, until_s) = (numbers.next()??, numbers.next()??);
        let origin = numbers.next().flatten().unwrap_or(serial);
        let account = (account > 0).then_some(AccountId(account));
        (now.wall_ms / 1000 < until_s).then_some(Claim { account, epoch, serial, origin })
    }

    fn hash(&self, name: UserName, claim: &str) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        // A name has no blanks, so the two cannot run into one another.
        hasher.update(name.as_str().to_ascii_lowercase().as_bytes());
        hasher.update(b" ");
        hasher.update(claim.as_bytes());
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::people::Mailbox;

    const NOW: Now = Now { mono_ms: 0, wall_ms: 1_700_000_000_000 };

    fn user(name: &str, account: Option<AccountId>) -> User {
        let name = UserName::parse(name).unwrap();
        let letters = Mailbox::default();
        User { name, account, serial: 7, origin: 7, since_ms: 0, letters }
    }

    #[test]
    fn a_token_is_good_for_its_name_its_server_and_a_day() {
        let tokens = Tokens::new([1; 32]);
        let bob = user("Bob", Some(AccountId(3)));
        let token = tokens.issue(NOW, &bob, 5);
        let claim = Claim { account: Some(AccountId(3)), epoch: 5, serial: 7, origin: 7 };
        assert_eq!(tokens.check(NOW, bob.name, &token), Some(claim));
        assert_eq!(tokens.check(NOW, user("BOB", None).name, &token), Some(claim));
        assert_eq!(tokens.check(NOW, user("eve", None).name, &token), None);
        assert_eq!(Tokens::new([2; 32]).check(NOW, bob.name, &token), None);
        let late = Now { wall_ms: NOW.wall_ms + 24 * 60 * 60 * 1000, ..NOW };
        assert_eq!(tokens.check(late, bob.name, &token), None);
    }

    #[test]
    fn a_token_says_with_which_login_the_session_began() {
        let tokens = Tokens::new([1; 32]);
        let bob = User { origin: 3, ..user("bob", Some(AccountId(3))) };
        let claim = tokens.check(NOW, bob.name, &tokens.issue(NOW, &bob, 5)).unwrap();
        assert_eq!((claim.serial, claim.origin), (7, 3));
    }

    #[test]
    fn a_token_cannot_be_changed() {
        let tokens = Tokens::new([1; 32]);
        let eve = user("eve", None);
        let token = tokens.issue(NOW, &eve, 0);
        for index in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[index] = if bytes[index] == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(tokens.check(NOW, eve.name, &changed), None, "{changed}");
        }
        for other in ["", ".", "0.0.0.0", "0.0.0.99999999999.", &token[1..]] {
            assert_eq!(tokens.check(NOW, eve.name, other), None, "{other}");
        }
    }
}
