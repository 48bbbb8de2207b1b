//! A fact in the words of the log.
//!
//! Refuses to know the time and where the words go. The rule it keeps: a fact's words are stable,
//! for people and scripts search for them; the names of files and the bodies of messages are made
//! visible here.

use crate::facts::{
    ConnFact, Counts, Fact, FileFact, LoginFact, MemoryCounts, Parcel, RoomFact, ServerFact, Slots,
    Stats, TalkFact, TroubleFact, TurnCounts, Who,
};
use crate::message::visible;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// Shows a fact in the words of the log, without time and category.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a>(pub &'a Fact);

impl Display for Words<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Fact::Conn(fact) => of_conn(fact, f),
            Fact::Login(fact) => of_login(fact, f),
            Fact::Room(fact) => of_room(fact, f),
            Fact::Talk(fact) => of_talk(fact, f),
            Fact::File(fact) => of_file(fact, f),
            Fact::Trouble(fact) => of_trouble(fact, f),
            Fact::Server(fact) => of_server(fact, f),
        }
    }
}

fn of_conn(fact: &ConnFact, f: &mut Formatter<'_>) -> fmt::Result {
    match fact {
        ConnFact::Connected { conn, peer } => write!(f, "{conn:?} connected from {peer}"),
        ConnFact::UnknownProtocol { conn, first } => {
            write!(f, "{conn:?} speaks no known protocol: first byte {first:#04x}")
        }
        ConnFact::Refused { who, op, code } => {
            write!(f, "{}: {} refused: {code}", Shown(who), op.name())
        }
        ConnFact::BlockSet { who, user, blocks } => {
            write!(f, "{} {} {user}", Shown(who), if *blocks { "blocks" } else { "unblocks" })
        }
        ConnFact::Disconnected { conn, user, reason, missed } => {
            match user {
                Some(user) => write!(f, "{user} ({conn:?}): {reason}"),
                None => write!(f, "{conn:?}: {reason}"),
            }?;
            if *missed > 0 { write!(f, ", missed {missed} messages") } else { Ok(()) }
        }
    }
}

fn of_login(fact: &LoginFact, f: &mut Formatter<'_>) -> fmt::Result {
    match fact {
        LoginFact::LoggedIn { user, conn } => write!(f, "{user} ({conn:?})"),
        LoginFact::NameInUse { conn, user } => write!(f, "{conn:?} refused: {user} is in use"),
        LoginFact::WrongPassword { conn, user } => {
            write!(f, "{conn:?} refused: wrong password for {user}")
        }
        LoginFact::TakenOver { user, conn, owner } => {
            write!(f, "{user} ({conn:?}) takes over from {owner:?}")
        }
        LoginFact::LoggedOut { user, conn: _, reason } => write!(f, "{user} logged out: {reason}"),
        LoginFact::NameGivenBack { user, conn } => write!(f, "{user} logged out ({conn:?})"),
        LoginFact::Registered { user, conn } => write!(f, "{user} registered ({conn:?})"),
        LoginFact::PasswordChanged { user } => write!(f, "{user} changed their password"),
    }
}

fn of_room(fact: &RoomFact, f: &mut Formatter<'_>) -> fmt::Result {
    match fact {
        RoomFact::Joined { user, room, members, most } => {
            write!(f, "User '{user}' joined room '{room}' ({members}/{most} clients)")
        }
        RoomFact::Left { user, room, members } => {
            write!(f, "User '{user}' left room '{room}' ({members} clients remaining)")
        }
        RoomFact::RoomMade { room, user } => write!(f, "User '{user}' made room '{room}'"),
        RoomFact::RoomGone { room } => write!(f, "Room '{room}' is gone (0 clients remaining)"),
    }
}

fn of_talk(fact: &TalkFact, f: &mut Formatter<'_>) -> fmt::Result {
    match fact {
        TalkFact::Said { from, room, bytes, heard, others } => {
            write!(f, "User '{from}' in room '{room}': {bytes} bytes ")?;
            write!(f, "(sent to {heard}/{others} clients)")
        }
        TalkFact::SaidText { from, room, text } => {
            write!(f, "{from} in {room}: {}", visible(text.as_str()))
        }
        TalkFact::Broadcast { from, bytes, heard, others } => {
            write!(f, "User '{from}' to all: {bytes} bytes (sent to {heard}/{others} clients)")
        }
        TalkFact::BroadcastText { from, text } => {
            write!(f, "{from} to all: {}", visible(text.as_str()))
        }
        TalkFact::Whispered { from, to, bytes } => write!(f, "{from} -> {to}: {bytes} bytes"),
        TalkFact::WhisperedText { from, to, text } => {
            write!(f, "{from} -> {to}: {}", visible(text.as_str()))
        }
    }
}

fn of_file(fact: &FileFact, f: &mut Formatter<'_>) -> fmt::Result {
    match fact {
        FileFact::Announced { transfer, file } => {
            write!(f, "Announced: {} as transfer {transfer}", Shown(file))
        }
        FileFact::UploadRefused { file, refusal } => {
            // These words are older than hints, and somebody may search for them.
            let advice = if refusal.asks_to_remove() { "; /remove some" } else { "" };
            write!(f, "Refused: {}: {refusal}{advice}", Shown(file))
        }
        FileFact::Waiting { transfer: _, file, place, waiting, slots } => {
            let file = Shown(file);
            write!(f, "Waiting: {file} place {place} of {waiting} {}", Shown(slots))
        }
        FileFact::Admitted { transfer: _, file, waited_ms, slots } => {
            let (s, ms) = (waited_ms / 1000, waited_ms % 1000);
            write!(f, "Added: {} {} waited {s}.{ms:03} s", Shown(file), Shown(slots))
        }
        FileFact::Received { transfer: _, file } => write!(f, "Received: {}", Shown(file)),
        FileFact::UploadEnded { transfer: _, file, how, slots } => {
            write!(f, "Removed: {} {how} {}", Shown(file), Shown(slots))
        }
        FileFact::Sent { transfer: _, file, user } => write!(f, "Sent: {} to {user}", Shown(file)),
        FileFact::Delivered { transfer: _, file, user } => {
            write!(f, "Delivered: {} by {user}", Shown(file))
        }
        FileFact::Rejected { transfer: _, file, user } => {
            write!(f, "Rejected: {} by {user}", Shown(file))
        }
        FileFact::Withdrawn { transfer, user } => write!(f, "{user} removes transfer {transfer}"),
        FileFact::Orphaned { transfer: _, file, how } => {
            write!(f, "Removed: {}: {how}", Shown(file))
        }
        FileFact::Expired { transfer: _, file } => {
            write!(f, "Removed: {}: it expired", Shown(file))
        }
    }
}

fn of_trouble(fact: &TroubleFact, f: &mut Formatter<'_>) -> fmt::Result {
    match fact {
        TroubleFact::StoreFails { why } => {
            write!(f, "the store fails: {why}; requests that need it are refused")
        }
        TroubleFact::TokensVoid { why } => {
            write!(f, "tokens are void until the next start only: {why}")
        }
        TroubleFact::HashFailed { why } => write!(f, "a password could not be hashed: {why}"),
        TroubleFact::CheckFailed { why } => write!(f, "a password could not be checked: {why}"),
        TroubleFact::TransferFailed { transfer, to: None, why } => {
            write!(f, "transfer {transfer}: {why}")
        }
        TroubleFact::TransferFailed { transfer, to: Some(to), why } => {
            write!(f, "transfer {transfer} to {to:?}: {why}")
        }
        TroubleFact::WorkerTrouble { why } => f.write_str(why),
        TroubleFact::ContentLost { transfer, name, from } => {
            let name = visible(name.as_str());
            write!(f, "file {transfer} ({name}) of {from} has lost its content")
        }
        TroubleFact::ClockAhead { ahead_s, files } => {
            let (days, hours) = (ahead_s / 86_400, ahead_s % 86_400 / 3_600);
            write!(
                f,
                "the clock is {days} days and {hours} h ahead of what was expected: {files} "
            )?;
            f.write_str("files would expire; they wait until it has stayed so for an hour")
        }
        TroubleFact::TurnedAway { why, so_far } => {
            write!(f, "{why} ({so_far} such troubles so far)")
        }
        TroubleFact::LinesDropped { lines } => {
            write!(f, "{lines} log lines were dropped: the disk could not follow")
        }
    }
}

fn of_server(fact: &ServerFact, f: &mut Formatter<'_>) -> fmt::Result {
    match fact {
        ServerFact::StoreWorks => f.write_str("the store works again"),
        ServerFact::Listening { addresses, version } => {
            write!(f, "Listening on {addresses}, version {version}")
        }
        ServerFact::FewDescriptors { connections, needed, descriptors } => write!(
            f,
            "{connections} connections need {needed} descriptors and the limit is {descriptors}; \
             when they run out, new connections wait"
        ),
        ServerFact::Report { report } => write!(f, "{}", Shown(&**report)),
        ServerFact::StopAsked => f.write_str("asked to stop; no new connections"),
        ServerFact::Stopping { connections } => {
            write!(f, "saying goodbye to {connections} connections")
        }
        ServerFact::Stopped { report } => write!(f, "Stopped: {}", Shown(&**report)),
    }
}

/// A part of a fact as the log shows it.
struct Shown<'a, T>(&'a T);

impl Display for Shown<'_, Who> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Who::Conn(conn) => write!(f, "{conn:?}"),
            Who::User(user) => write!(f, "{user}"),
        }
    }
}

impl Display for Shown<'_, Box<Parcel>> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Parcel { from, to, name, size } = &**self.0;
        write!(f, "{from} -> {to} ({}, {size} bytes)", visible(name.as_str()))
    }
}

impl Display for Shown<'_, Option<Box<Parcel>>> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |file| Shown(file).fmt(f))
    }
}

impl Display for Shown<'_, Slots> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "[{}/{}]", self.0.used, self.0.slots)
    }
}

impl Display for Shown<'_, Counts> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Counts { engine, log_lines_dropped, turns, memory } = self.0;
        let Stats { connections, users, rooms, uploads, output_bytes, .. } = engine;
        let Stats { requests, deliveries, cut, .. } = engine;
        write!(
            f,
            "connections {connections}, users {users}, rooms {rooms}, uploads {uploads}, output \
             waiting {output_bytes} bytes; requests {requests}, deliveries {deliveries}, \
             too slow {cut}, log lines dropped {log_lines_dropped}; {}",
            Shown(turns)
        )?;
        let Some(MemoryCounts { memory_bytes: now, memory_peak_bytes: peak }) = memory else {
            return Ok(());
        };
        let mib = |bytes: &u64| *bytes as f64 / (1024.0 * 1024.0);
        let (now, peak) = (mib(now), mib(peak));
        write!(f, "; memory {now:.1} MiB, peak {peak:.1} MiB")
    }
}

impl Display for Shown<'_, TurnCounts> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let TurnCounts { turns, turns_over_10ms: over, turns_over_10ms_cpu: over_cpu, .. } = self.0;
        let ms = |ns: u64| Duration::from_nanos(ns).as_secs_f64() * 1000.0;
        let (longest, cpu) = (ms(self.0.longest_turn_ns), ms(self.0.longest_turn_cpu_ns));
        write!(
            f,
            "turns {turns}, longest {longest:.2} ms (processor {cpu:.2} ms), over 10 ms: {over} \
             (processor {over_cpu})"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{RoomName, UserName};

    #[test]
    fn rooms_and_their_talk_are_told_in_words_that_are_searched_for() {
        let user = UserName::parse("alice12").unwrap();
        let room = RoomName::parse("testroom").unwrap();
        let (from, heard, others) = (user, 0, 0);
        let facts: [(Fact, &str); 6] = [
            (RoomFact::RoomMade { room, user }.into(), "User 'alice12' made room 'testroom'"),
            (
                RoomFact::Joined { user, room, members: 1, most: 15 }.into(),
                "User 'alice12' joined room 'testroom' (1/15 clients)",
            ),
            (
                TalkFact::Said { from, room, bytes: 11, heard, others }.into(),
                "User 'alice12' in room 'testroom': 11 bytes (sent to 0/0 clients)",
            ),
            (
                TalkFact::Broadcast { from, bytes: 11, heard, others: 2 }.into(),
                "User 'alice12' to all: 11 bytes (sent to 0/2 clients)",
            ),
            (
                RoomFact::Left { user, room, members: 0 }.into(),
                "User 'alice12' left room 'testroom' (0 clients remaining)",
            ),
            (RoomFact::RoomGone { room }.into(), "Room 'testroom' is gone (0 clients remaining)"),
        ];
        for (fact, words) in facts {
            assert_eq!(Words(&fact).to_string(), words);
        }
    }
}
