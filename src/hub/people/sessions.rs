//! `hello`, where a client says what it is, and the list of a user's sessions.
//!
//! The rule it keeps: what a client tells of its device is shown to its own user alone.

use super::People;
use crate::hub::{Answer, Effect, Out};
use crate::id::ConnId;
use crate::limits::{DEVICE_NAME_MAX, MESSAGE_KEYS_A_USER};
use crate::message::is_unprintable;
use crate::message::{ClientTraits, Event, PROTOCOL_VERSION, Refusal, Reply, SessionLine};

impl People {
    /// A client says what it speaks, and what it is.
    pub(in crate::hub) fn hello(
        &mut self,
        conn: ConnId,
        version: u32,
        about: ClientTraits<'_>,
    ) -> Result<Answer, Refusal> {
        if version != PROTOCOL_VERSION {
            return Err(Refusal::WrongVersion { theirs: version, ours: PROTOCOL_VERSION });
        }
        if about == ClientTraits::default() {
            return Ok(Answer::Now(Reply::Done));
        }
        let bad = |text: &str| Refusal::BadRequest(text.to_owned());
        let device = about.device.unwrap_or_default();
        if device.len() > DEVICE_NAME_MAX || device.chars().any(is_unprintable) {
            return Err(bad("the name of a device has at most 64 bytes and no control characters"));
        }
        let session = self.session_mut(conn).ok_or(Refusal::LoginFirst)?;
        if about.errand != session.is_for_errands() && session.state.name().is_some() {
            return Err(bad("say that you are an errand before you log in"));
        }
        let extra = session.extra_mut();
        (extra.device, extra.own, extra.errand) = (device.into(), about.own, about.errand);
        let run = format!("{:016x}", self.run);
        Ok(Answer::Now(Reply::Able { keys: MESSAGE_KEYS_A_USER, run }))
    }

    /// The sessions of the user who asks.
    pub(in crate::hub) fn list_sessions(&self, conn: ConnId) -> Result<Answer, Refusal> {
        let user = self.name_of(conn)?;
        let line = |of: ConnId| {
            let session = self.session(of)?;
            Some(SessionLine {
                session: of.generation,
                device: session.extra().map_or("", |extra| &extra.device).to_owned(),
                since: session.state.user()?.since_ms,
                address: session.source.to_string(),
                errand: session.state.is_errand(),
                this: of == conn,
            })
        };
        let sessions = self.all_of(user.key()).filter_map(line).collect();
        Ok(Answer::Now(Reply::Sessions { sessions }))
    }

    /// Another session of the user who asks.
    pub(in crate::hub) fn find_other(&self, conn: ConnId, session: u32) -> Result<ConnId, Refusal> {
        let user = self.name_of(conn)?;
        let mut others = self.all_of(user.key()).filter(|&other| other != conn);
        others.find(|other| other.generation == session).ok_or(Refusal::NoSuchSession)
    }

    /// Tells a session what its user has said in another one, if it wants to know.
    pub(in crate::hub) fn tell_own(&self, out: &mut Out, by: ConnId, to: ConnId, event: &Event) {
        if self.session(to).is_some_and(|session| session.hears_own()) {
            let event = event.clone().into_own();
            out.push(Effect::Tell { conn: to, by: Some(by), event });
        }
    }
}
