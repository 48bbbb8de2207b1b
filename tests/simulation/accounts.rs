//! What clients do with names: guests and account holders, honest and not.

use parlor::message::{ClientTraits, Command, Op, Proof, Secret};

use super::actions::{BAD_NAMES, NAMES, somebody};
use super::asked::{About, Sent, describe};
use super::client::Confirms;
use super::world::World;

const PASSWORDS: [&str; 3] = ["password1", "password2", "password3"];

impl World {
    pub(crate) fn ask(&mut self, index: usize, command: &Command<'_>) {
        let mut asked = describe(command);
        let client = &self.clients[index];
        let conn = client.label();
        match command {
            Command::Login { proof: Proof::Token(Secret(token)), .. } => {
                self.oracle.shelf.shown.insert(conn, token.to_string());
            }
            Command::Login { .. } | Command::Register { .. } => {
                self.oracle.shelf.shown.remove(&conn);
            }
            Command::Files { .. } | Command::Get { .. } => {
                asked.watch = Some(self.oracle.watch(&conn));
            }
            Command::Received { transfer } => {
                self.oracle.shelf.asked.insert((conn, transfer.0, "received"));
            }
            Command::Reject { transfer } => {
                self.oracle.shelf.asked.insert((conn, transfer.0, "reject"));
            }
            Command::Remove { transfer } => {
                self.oracle.shelf.asked.insert((conn, transfer.0, "remove"));
            }
            _ => {}
        }
        self.clients[index].ask_with(command, asked, &mut self.oracle.vault);
    }

    /// Announces a file.
    pub(crate) fn ask_about(&mut self, index: usize, command: &Command<'_>, sent: Sent) {
        let mut asked = describe(command);
        let client = &mut self.clients[index];
        if sent.hash.is_some() {
            self.oracle.line.adopters.insert(client.label());
        }
        client.hands.lies += u64::from(sent.lies);
        asked.file = About::Upload(sent);
        client.ask_with(command, asked, &mut self.oracle.vault);
    }

    /// The password that is durable now.
    pub(crate) fn password_of(&mut self, name: &str) -> Option<String> {
        let accounts = self.ledger.directory().accounts;
        let own = accounts.iter().find(|account| account.name.as_str().eq_ignore_ascii_case(name));
        own.and_then(|account| account.hash.strip_prefix("hash of ").map(str::to_owned))
    }
}

fn with_password(user: String, password: String) -> Command<'static> {
    Command::Login { user: user.into(), proof: Proof::Password(Secret(password.into())) }
}

fn with_token(user: String, token: String) -> Command<'static> {
    Command::Login { user: user.into(), proof: Proof::Token(Secret(token.into())) }
}

pub(crate) fn login(world: &mut World, index: usize) {
    if world.clients[index].awaits(Op::Login) || world.clients[index].awaits(Op::Register) {
        return;
    }
    if world.rng.chance(50) {
        let user = *world.rng.pick(&BAD_NAMES);
        return world.ask(index, &Command::guest(user));
    }
    if world.rng.chance(100) && world.clients[index].native {
        let version = u32::from(world.rng.chance(900));
        world.ask(index, &Command::Hello { version, about: ClientTraits::default() });
    }
    if world.clients[index].said > 0 && world.rng.chance(200) {
        (*world.rng.pick(&NAMES)).clone_into(&mut world.clients[index].name);
    }
    let user = world.clients[index].name.clone();
    let command = match world.password_of(&user) {
        Some(password) => known(world, index, user, password),
        None => unknown(world, index, user),
    };
    world.ask(index, &command);
}

/// A login to an account.
fn known(world: &mut World, index: usize, user: String, password: String) -> Command<'static> {
    let native = world.clients[index].native;
    match world.rng.below(100) {
        0..=5 => Command::guest(user),
        6..=15 => with_password(user, "wrong".to_owned()),
        16..=22 => {
            let some = (*world.rng.pick(&PASSWORDS)).to_owned();
            with_password(user, some)
        }
        23..=55 if native => match token(world, &user) {
            Some(token) => with_token(user, token),
            None => with_password(user, password),
        },
        _ => with_password(user, password),
    }
}

/// A token: mostly the last one of that name, or an older one, another's, or a forged one.
fn token(world: &mut World, user: &str) -> Option<String> {
    let key = user.to_ascii_lowercase();
    let all = &world.oracle.vault.all_tokens;
    let own: Vec<&String> =
        all.iter().filter(|(name, _)| *name == key).map(|(_, token)| token).collect();
    let last = (*own.last()?).clone();
    Some(match world.rng.below(20) {
        0..=4 => (*world.rng.pick(&own)).clone(),
        5 => world.rng.pick(all).1.clone(),
        6 => {
            let (account, rest) = last.split_once('.').expect("it has an account");
            let (_, rest) = rest.split_once('.').expect("it has an epoch");
            format!("{account}.{}.{rest}", world.rng.below(4))
        }
        _ => last,
    })
}

/// A login to a name that is nobody's.
fn unknown(world: &mut World, index: usize, user: String) -> Command<'static> {
    match world.rng.below(100) {
        0..=34 if !user.starts_with('u') => {
            let password = (*world.rng.pick(&PASSWORDS)).into();
            Command::Register { user: user.into(), password: Secret(password) }
        }
        35..=37 => with_password(user, "password1".to_owned()),
        38..=45 if world.clients[index].native => match token(world, &user) {
            Some(token) => with_token(user, token),
            None => Command::guest(user),
        },
        _ => Command::guest(user),
    }
}

/// Something that only those who are logged in can do, about names and letters.
pub(crate) fn act(world: &mut World, index: usize) {
    let user = somebody(world).into();
    let client = &world.clients[index];
    let is_sending = client.hands.sending.values().any(|sending| !sending.ended);
    let command = match world.rng.below(100) {
        0..=29 if world.clients[index].confirms == Confirms::Late => {
            return world.clients[index].confirm(&mut world.oracle.vault);
        }
        0..=39 => Command::WhoElse { within_s: None },
        40..=44 => Command::WhoElse { within_s: Some(world.rng.below(100)) },
        45..=56 => Command::Block { user },
        57..=70 => Command::Unblock { user },
        71..=76 => Command::Blocked,
        77..=84 => passwd(world, index),
        85..=94
            if !is_sending
                && !world.clients[index].awaits(Op::SendFile)
                && !world.clients[index].awaits(Op::Upload) =>
        {
            Command::Logout { all: false }
        }
        _ => Command::Blocked,
    };
    world.ask(index, &command);
}

fn passwd(world: &mut World, index: usize) -> Command<'static> {
    let user = world.clients[index].user.clone();
    let old = match world.password_of(&user) {
        Some(old) if world.rng.chance(800) => old,
        _ => "password9".to_owned(),
    };
    let new = *world.rng.pick(&PASSWORDS);
    Command::Passwd { old: Secret(old.into()), new: Secret(new.into()) }
}
