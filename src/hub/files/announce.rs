//! Files are announced: whether there is room for one, and whether it is here already.
//!
//! The rules it keeps: what a file may take is looked at when it is announced and reserved from
//! then on; what has come is not asked for a second time.

use super::Files;
use super::slots::parcel;
use super::transfer::{Draft, Party, Stage, Upload};
use crate::facts::FileFact;
use crate::hub::{Answer, count};
use crate::id::{AccountId, ConnId, Now, TransferId};
use crate::job::{Half, PartialId, StoredFile};
use crate::limits::{FILES_A_USER, FILES_MAX};
use crate::message::{Announced, Ending, Event, FileName, Refusal, Reply, Target, UserName};

/// A user to whom a file can be handed.
struct Receiver {
    name: UserName,
    account: Option<AccountId>,
    /// A guest's connection.
    guest: Option<ConnId>,
}

impl Files<'_> {
    /// A file is announced for a room.
    pub(in crate::hub) fn send_to_room(
        &mut self,
        now: Now,
        conn: ConnId,
        room: Option<&str>,
        file: Announced<'_>,
    ) -> Result<Answer, Refusal> {
        let spot = self.rooms.spot(self.people, conn, room)?.ok_or(Refusal::NotInRoom)?;
        self.announce(now, conn, Target::Room(spot.name), (None, None), file)
    }

    /// A file is announced for a user.
    pub(in crate::hub) fn send_file(
        &mut self,
        now: Now,
        conn: ConnId,
        user: &str,
        file: Announced<'_>,
    ) -> Result<Answer, Refusal> {
        let Receiver { name, account, guest } = self.find_receiver(conn, user)?;
        self.announce(now, conn, Target::User(name), (account, guest), file)
    }

    /// A file is announced for a shelf.
    pub(in crate::hub) fn upload(
        &mut self,
        now: Now,
        conn: ConnId,
        room: Option<&str>,
        file: Announced<'_>,
    ) -> Result<Answer, Refusal> {
        let spot = self.rooms.spot(self.people, conn, room)?;
        let to = spot.map_or(Target::Public, |spot| Target::Shelf(spot.name));
        self.announce(now, conn, to, (None, None), file)
    }

    fn find_receiver(&self, conn: ConnId, user: &str) -> Result<Receiver, Refusal> {
        let from = self.people.name_of(conn)?;
        let wanted = UserName::parse(user).map_err(Refusal::BadUserName)?;
        if self.people.directory.has_blocked(wanted.key(), from.key()) {
            // The same when the receiver is away: the answer must not tell who is online.
            return Err(Refusal::BlockedBy(wanted));
        }
        let online = self.people.session_of(wanted.key());
        if wanted.key() == from.key() {
            return Err(Refusal::ToYourself);
        }
        if let Some(account) = self.people.directory.find(wanted.key()) {
            return Ok(Receiver { name: account.name, account: Some(account.id), guest: None });
        }
        let guest = online.ok_or(Refusal::NoSuchUser(wanted))?;
        Ok(Receiver { name: self.people.name_of(guest)?, account: None, guest: Some(guest) })
    }

    fn announce(
        &mut self,
        now: Now,
        conn: ConnId,
        to: Target,
        (receiver, guest): (Option<AccountId>, Option<ConnId>),
        file: Announced<'_>,
    ) -> Result<Answer, Refusal> {
        let user = self.people.user_of(conn)?;
        let from = Party { conn, name: user.name };
        let name = FileName::parse(&file.name).map_err(Refusal::BadFileName)?;
        let Announced { size, hash, again, .. } = file;
        let partial = hash
            .map(|hash| PartialId::new(user.name, &name, size, hash))
            .filter(|id| self.own.queue.iter().all(|upload| upload.draft.partial != Some(*id)));
        let owner = user.account;
        let draft = Draft { from, owner, to, receiver, guest, name, size, hash, partial };
        if let Some(reply) = self.announced_before(&draft, again) {
            return Ok(Answer::Now(reply));
        }
        let half = partial.and_then(|id| self.own.stored.half(id));
        let half_bytes = half.map_or(0, |half| half.bytes);
        if let Err(refusal) = self.check_room_for(&draft, half) {
            return self.refuse_upload(&draft, refusal);
        }
        let what = parcel(&draft);
        let transfer = match self.own.queue.announce(now, draft.clone(), half_bytes.min(size)) {
            Ok(transfer) => transfer,
            Err(refusal) => return self.refuse_upload(&draft, refusal),
        };
        if let Some(half) = half {
            self.own.stored.take_half(half.id);
        }
        self.out.note(FileFact::Announced { transfer, file: what.clone() });
        self.admit(now);
        let place = self.own.queue.place(transfer);
        if place > 0 {
            let (waiting, slots) = (self.own.queue.waiting(), self.slots());
            self.out.note(FileFact::Waiting { transfer, file: what, place, waiting, slots });
        }
        Ok(Answer::Now(Reply::Announced { transfer, place: count(place) }))
    }

    fn refuse_upload(&mut self, draft: &Draft, refusal: Refusal) -> Result<Answer, Refusal> {
        let file = parcel(draft);
        self.out.note(FileFact::UploadRefused { file, refusal: Box::new(refusal.clone()) });
        Err(refusal)
    }

    /// An announcement of a file that has arrived already, whose sender did not hear how it ended:
    /// the same number, and its end if there is one. With `again` it counts as arrived also when
    /// it was taken meanwhile.
    fn announced_before(&mut self, draft: &Draft, again: bool) -> Option<Reply> {
        let conn = draft.from.conn;
        let is_same = |other: &Draft| {
            (other.from.name, other.owner, other.to) == (draft.from.name, draft.owner, draft.to)
                && (&other.name, other.size, other.hash) == (&draft.name, draft.size, draft.hash)
                // A file for an earlier guest of the name is not for this one.
                && (other.receiver, other.guest) == (draft.receiver, draft.guest)
        };
        let is_finishing = |upload: &&Upload| matches!(upload.stage, Stage::Finishing { .. });
        let finishing = {
            let mut all = self.own.queue.in_slots().filter(is_finishing);
            let is_their_own = |upload: &&Upload| upload.draft.from.conn == conn && !again;
            all.find(|upload| is_same(&upload.draft) && !is_their_own(upload))
                .map(|upload| upload.id)
        };
        if let Some(transfer) = finishing {
            self.own.queue.adopt(transfer, conn);
            return Some(Reply::Announced { transfer, place: 0 });
        }
        let transfer = self.find_sent(draft, again)?;
        self.out.tell(conn, Event::Ended { transfer, how: Ending::Stored });
        Some(Reply::Announced { transfer, place: 0 })
    }

    /// The file that a user announces, if it is here; `again`: or was a while ago.
    fn find_sent(&self, draft: &Draft, again: bool) -> Option<TransferId> {
        let hash = draft.hash?;
        let is_it = |StoredFile { line, owner, receiver }: &StoredFile| {
            (line.from, *owner, line.to) == (draft.from.name, draft.owner, draft.to)
                && (&line.name, line.size, line.hash) == (&draft.name, draft.size, hash)
                && *receiver == draft.receiver
        };
        let guest =
            draft.guest.and_then(|conn| self.people.user_of(conn).ok()).map(|user| user.serial);
        let here =
            self.own.stored.sent(draft.from.name, hash).filter(|entry| {
                (again || !entry.goes) && (guest.is_none() || entry.to_guest == guest)
            });
        let here = here.map(|entry| &entry.file);
        let mut whole = here.chain(self.own.taken.iter().filter(|_| again));
        whole.find(|file| is_it(file)).map(|file| file.line.transfer)
    }

    /// Whether the server has room for a file of which `half` is here already. What is on its way
    /// counts with all that it will be.
    fn check_room_for(&self, draft: &Draft, half: Option<Half>) -> Result<(), Refusal> {
        let Draft { from, size, .. } = *draft;
        let limits = &self.rules.limits;
        if size > limits.file_bytes {
            return Err(Refusal::FileTooLarge { size, limit: limits.file_bytes });
        }
        let (usage, total) = (self.own.stored.usage(from.name), self.own.stored.total());
        let here = half.map_or(0, |half| half.bytes);
        let (mut own, mut all, mut to_come) = (usage, total, size.saturating_sub(here));
        for usage in [&mut own, &mut all] {
            // It was counted as what it is, and is counted as what it will be.
            usage.bytes = usage.bytes.saturating_sub(here);
            usage.files = usage.files.saturating_sub(usize::from(half.is_some()));
        }
        for upload in self.own.queue.iter() {
            let bytes = upload.draft.size;
            if upload.draft.from.name == from.name {
                own.bytes = own.bytes.saturating_add(bytes);
                own.files += 1;
            }
            all.bytes = all.bytes.saturating_add(bytes);
            all.files += 1;
            to_come = to_come.saturating_add(bytes - upload.flow.written());
        }
        if own.files >= FILES_A_USER {
            return Err(Refusal::TooManyFiles { limit: FILES_A_USER as u64 });
        }
        let limit = limits.files_user_bytes;
        if own.bytes.saturating_add(size) > limit {
            return Err(Refusal::QuotaFull { size, used: own.bytes, limit });
        }
        let fits = all.files < FILES_MAX
            && all.bytes.saturating_add(size) <= limits.files_total_bytes
            && to_come.saturating_add(limits.files_free_bytes) <= self.own.free_bytes;
        if fits { Ok(()) } else { Err(Refusal::ServerFull { size }) }
    }
}
