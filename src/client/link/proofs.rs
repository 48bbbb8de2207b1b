//! PURE. By what a user shows who they are: the password that the client was started with, the one
//! that was typed, the token of the last welcome.
//!
//! Knows no server and asks nobody. The rule it keeps: a password is offered only for the name that
//! it was given for, and nothing is offered again that was refused.

use crate::message::{Command, Proof, Secret, UserName};

/// Longest token in bytes that is kept: a login with it has to fit the first frames.
const TOKEN_MAX: usize = 512;

/// Who we are, since the welcome.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) user: UserName,
    pub(super) guest: bool,
    /// Each gets us in again; they are kept no longer than the login.
    token: Option<Secret<'static>>,
    password: Option<Secret<'static>>,
}

/// The password that the client was started with.
#[derive(Debug)]
struct Given {
    password: Secret<'static>,
    /// Whose it is: the first who needs one.
    user: Option<String>,
    /// It is not the one of this user's account.
    wrong: bool,
}

/// All that can be shown.
#[derive(Debug)]
pub(super) struct Proofs {
    pub(super) who: Option<Identity>,
    given: Option<Given>,
    /// The change of the password that is under way.
    new: Option<Secret<'static>>,
}

impl Proofs {
    pub(super) fn new(given: Option<Secret<'static>>) -> Self {
        let given = given.map(|password| Given { password, user: None, wrong: false });
        Self { who: None, given, new: None }
    }

    /// The password is for the first name that needs one, and for no other.
    pub(super) fn given_for(&mut self, user: &str, to_register: bool) -> Option<Secret<'static>> {
        let given = self.given.as_mut()?;
        let owner = given.user.get_or_insert_with(|| user.to_owned());
        let fits = owner.eq_ignore_ascii_case(user) && (to_register || !given.wrong);
        fits.then(|| given.password.clone())
    }

    /// What to log in with on a new connection.
    pub(super) fn to_return(&self) -> Option<(String, Proof<'static>)> {
        let who = self.who.as_ref()?;
        let known = || who.password.clone().map(Proof::Password);
        let proof = who.token.clone().map(Proof::Token).or_else(known).unwrap_or(Proof::None);
        Some((who.user.to_string(), proof))
    }

    /// The guest that we are, and what gets them in.
    pub(super) fn guest(&self) -> Option<(UserName, &str)> {
        let who = self.who.as_ref().filter(|who| who.guest)?;
        who.token.as_ref().map(|Secret(token)| (who.user, &**token))
    }

    /// What to log in with after this was not good enough.
    pub(super) fn after(&mut self, refused: &Proof<'_>, user: &str) -> Option<Proof<'static>> {
        match refused {
            Proof::Token(_) => {
                // One that a chat has left here is as good as none if it is void.
                let Some(who) = &mut self.who else { return Some(Proof::None) };
                who.token = None;
                let guest = who.guest.then_some(Proof::None);
                who.password.clone().map(Proof::Password).or(guest)
            }
            Proof::Password(_) => {
                self.forget_password(user);
                None
            }
            Proof::None => self.given_for(user, false).map(Proof::Password),
        }
    }

    fn forget_password(&mut self, user: &str) {
        if let Some(who) = &mut self.who {
            who.password = None;
        }
        if let Some(given) = &mut self.given {
            given.wrong |= given.user.as_deref().is_some_and(|of| of.eq_ignore_ascii_case(user));
        }
    }

    /// Logged in, by this.
    pub(super) fn handle_welcome(
        &mut self,
        user: UserName,
        guest: bool,
        token: String,
        by: Option<Proof<'static>>,
    ) {
        let password = match by {
            Some(Proof::Password(password)) => Some(password),
            Some(Proof::Token(_)) => self.who.take().and_then(|who| who.password),
            Some(Proof::None) | None => None,
        };
        self.who = Some(Identity { user, guest, token: usable_token(token), password });
    }

    /// Asks for another password of ours.
    pub(super) fn change<'a>(&mut self, old: Secret<'a>, new: Secret<'a>) -> Command<'a> {
        self.new = Some(owned(new.clone()));
        Command::Passwd { old, new }
    }

    /// It is changed. The token of before is void; there may be another.
    pub(super) fn handle_changed(&mut self, token: Option<String>) {
        if let (Some(who), Some(new)) = (&mut self.who, self.new.take()) {
            who.password = Some(new);
            who.token = token.and_then(usable_token);
        }
        self.given = None;
    }

    /// It is not changed, perhaps because the old one is `wrong`.
    pub(super) fn handle_unchanged(&mut self, wrong: bool) {
        self.new = None;
        if wrong {
            self.given = None;
        }
    }
}

pub(super) fn owned(secret: Secret<'_>) -> Secret<'static> {
    Secret(secret.0.into_owned().into())
}

fn usable_token(token: String) -> Option<Secret<'static>> {
    let usable = !token.is_empty() && token.len() <= TOKEN_MAX;
    usable.then(|| Secret(token.into()))
}
