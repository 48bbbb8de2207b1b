//! Files on their way to the server: the upload queue, told to people.
//!
//! The rules it keeps: what a file may take is looked at when it is announced and reserved from
//! then on; its sender is told that it is handed over from the store's completion and from nothing
//! else; what broke and can go on is kept as half a file.

use super::upload::{Draft, Party, Stage, Upload};
use super::{Effect, Hub, Waiting, count};
use crate::facts::{FileFact, Parcel, Slots};
use crate::id::{AccountId, ConnId, Now, TransferId, millis};
use crate::job::{Half, PartialId, StoreJob, StoreOutcome, StoredFile};
use crate::limits::{FILES_A_USER, FILES_MAX, LIST_MAX};
use crate::message::{
    Announced, Digest, Ending, Event, FileLine, FileName, Refusal, Reply, Target, UploadLine,
    UserName,
};

/// Somebody to whom a file can be handed.
struct Receiver {
    name: UserName,
    account: Option<AccountId>,
    /// A guest's connection.
    guest: Option<ConnId>,
}

impl Hub {
    /// A file is announced for a user, or for the room of its sender.
    pub(super) fn send_file(
        &mut self,
        now: Now,
        conn: ConnId,
        user: Option<&str>,
        file: Announced<'_>,
    ) -> Result<Reply, Refusal> {
        let Some(user) = user else {
            let room = self.room_name_of(conn).ok_or(Refusal::NotInRoom)?;
            return self.announce(now, conn, Target::Room(room), (None, None), file);
        };
        let Receiver { name, account, guest } = self.find_receiver(conn, user)?;
        self.announce(now, conn, Target::User(name), (account, guest), file)
    }

    /// A file is announced for a shelf.
    pub(super) fn upload(
        &mut self,
        now: Now,
        conn: ConnId,
        file: Announced<'_>,
    ) -> Result<Reply, Refusal> {
        let to = self.room_name_of(conn).map_or(Target::Public, Target::Shelf);
        self.announce(now, conn, to, (None, None), file)
    }

    fn find_receiver(&self, conn: ConnId, user: &str) -> Result<Receiver, Refusal> {
        let from = self.name_of(conn)?;
        let wanted = UserName::parse(user).map_err(Refusal::BadUserName)?;
        if self.directory.has_blocked(wanted.key(), from.key()) {
            // Also when the other one is not here: whether he is, is not told.
            return Err(Refusal::BlockedBy(wanted));
        }
        let online = self.users.get(&wanted.key()).copied();
        if online == Some(conn) {
            return Err(Refusal::ToYourself);
        }
        if let Some(account) = self.directory.find(wanted.key()) {
            return Ok(Receiver { name: account.name, account: Some(account.id), guest: None });
        }
        let guest = online.ok_or(Refusal::NoSuchUser(wanted))?;
        Ok(Receiver { name: self.name_of(guest)?, account: None, guest: Some(guest) })
    }

    fn announce(
        &mut self,
        now: Now,
        conn: ConnId,
        to: Target,
        (receiver, guest): (Option<AccountId>, Option<ConnId>),
        file: Announced<'_>,
    ) -> Result<Reply, Refusal> {
        let user = self.user_of(conn)?;
        let from = Party { conn, name: user.name };
        let name = FileName::parse(&file.name).map_err(Refusal::BadFileName)?;
        let Announced { size, hash, again, .. } = file;
        let partial = hash
            .map(|hash| PartialId::new(user.name, &name, size, hash))
            .filter(|id| self.uploads.iter().all(|upload| upload.draft.partial != Some(*id)));
        let owner = user.account;
        let draft = Draft { from, owner, to, receiver, guest, name, size, hash, partial };
        if let Some(reply) = self.announced_before(&draft, again) {
            return Ok(reply);
        }
        let half = partial.and_then(|id| self.files.half(id));
        let half_bytes = half.map_or(0, |half| half.bytes);
        if let Err(refusal) = self.check_room_for(&draft, half) {
            return self.refuse_upload(&draft, refusal);
        }
        let what = parcel(&draft);
        let transfer = match self.uploads.announce(now, draft.clone(), half_bytes.min(size)) {
            Ok(transfer) => transfer,
            Err(refusal) => return self.refuse_upload(&draft, refusal),
        };
        if let Some(half) = half {
            self.files.take_half(half.id);
        }
        self.note(FileFact::Announced { transfer, file: what.clone() });
        self.admit(now);
        let place = self.uploads.place(transfer);
        if place > 0 {
            let (waiting, slots) = (self.uploads.waiting(), self.slots());
            self.note(FileFact::Waiting { transfer, file: what, place, waiting, slots });
        }
        Ok(Reply::Announced { transfer, place: count(place) })
    }

    fn refuse_upload(&mut self, draft: &Draft, refusal: Refusal) -> Result<Reply, Refusal> {
        let file = parcel(draft);
        self.note(FileFact::UploadRefused { file, refusal: Box::new(refusal.clone()) });
        Err(refusal)
    }

    /// What somebody announces that has come already, because he has not heard how it ended: the
    /// same number, and its end if there is one. Who says that he does so `again` does not want it
    /// to come twice either when it was taken meanwhile.
    fn announced_before(&mut self, draft: &Draft, again: bool) -> Option<Reply> {
        let conn = draft.from.conn;
        let is_same = |other: &Draft| {
            (other.from.name, other.owner, other.to) == (draft.from.name, draft.owner, draft.to)
                && (&other.name, other.size, other.hash) == (&draft.name, draft.size, draft.hash)
                // What was for another one of his name is not for him.
                && (other.receiver, other.guest) == (draft.receiver, draft.guest)
        };
        let is_finishing = |upload: &&Upload| matches!(upload.stage, Stage::Finishing { .. });
        let finishing = {
            let mut all = self.uploads.in_slots().filter(is_finishing);
            let is_his_own = |upload: &&Upload| upload.draft.from.conn == conn && !again;
            all.find(|upload| is_same(&upload.draft) && !is_his_own(upload)).map(|upload| upload.id)
        };
        if let Some(transfer) = finishing {
            self.uploads.adopt(transfer, conn);
            return Some(Reply::Announced { transfer, place: 0 });
        }
        let transfer = self.find_sent(draft, again)?;
        self.tell(conn, Event::Ended { transfer, how: Ending::Stored });
        Some(Reply::Announced { transfer, place: 0 })
    }

    /// The file that somebody announces, if it is here; `again`: or was a while ago.
    fn find_sent(&self, draft: &Draft, again: bool) -> Option<TransferId> {
        let hash = draft.hash?;
        let is_it = |StoredFile { line, owner, receiver }: &StoredFile| {
            (line.from, *owner, line.to) == (draft.from.name, draft.owner, draft.to)
                && (&line.name, line.size, line.hash) == (&draft.name, draft.size, hash)
                && *receiver == draft.receiver
        };
        let guest = draft.guest.and_then(|conn| self.user_of(conn).ok()).map(|user| user.serial);
        let here = self
            .files
            .sent(draft.from.name, hash)
            .filter(|entry| (again || !entry.goes) && (guest.is_none() || entry.to_guest == guest));
        let here = here.map(|entry| &entry.file);
        let mut whole = here.chain(self.taken.iter().filter(|_| again));
        whole.find(|file| is_it(file)).map(|file| file.line.transfer)
    }

    /// Whether the server has room for a file of which `half` is here already. What is on its way
    /// counts with all that it will be.
    fn check_room_for(&self, draft: &Draft, half: Option<Half>) -> Result<(), Refusal> {
        let Draft { from, size, .. } = *draft;
        let limits = &self.limits;
        if size > limits.file_bytes {
            return Err(Refusal::FileTooLarge { size, limit: limits.file_bytes });
        }
        let (usage, total) = (self.files.usage(from.name), self.files.total());
        let here = half.map_or(0, |half| half.bytes);
        let (mut own, mut all, mut to_come) = (usage, total, size.saturating_sub(here));
        for usage in [&mut own, &mut all] {
            // It was counted as what it is, and is counted as what it will be.
            usage.bytes = usage.bytes.saturating_sub(here);
            usage.files = usage.files.saturating_sub(usize::from(half.is_some()));
        }
        for upload in self.uploads.iter() {
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
            && to_come.saturating_add(limits.files_free_bytes) <= self.free_bytes;
        if fits { Ok(()) } else { Err(Refusal::ServerFull { size }) }
    }

    pub(super) fn show_queue(&self, now: Now) -> Reply {
        let entry = |upload: &Upload| UploadLine {
            transfer: upload.id,
            from: upload.draft.from.name,
            to: upload.draft.to,
            name: upload.draft.name.clone(),
            size: upload.draft.size,
            place: count(self.uploads.place(upload.id)),
            waited_ms: upload
                .stage
                .waited_ms()
                .unwrap_or(now.mono_ms.saturating_sub(upload.announced_ms)),
        };
        let all = self.uploads.in_slots().chain(self.uploads.line());
        Reply::Queue {
            slots: count(self.uploads.slots()),
            used: count(self.uploads.used()),
            waiting: count(self.uploads.waiting()),
            uploads: all.take(LIST_MAX / 4).map(entry).collect(),
        }
    }

    /// An upload lies where it lasts, under the hash of its content.
    pub fn handle_finished(
        &mut self,
        now: Now,
        transfer: TransferId,
        hash: Digest,
        sha256: Digest,
    ) {
        let Some(upload) = self.uploads.get(transfer) else { return };
        let Draft { from, owner, to, receiver, name, size, .. } = upload.draft.clone();
        let keep = match to {
            Target::User(_) | Target::Room(_) => self.limits.files_keep,
            Target::Shelf(_) | Target::Public => self.limits.shelf_keep,
        };
        let (at, from) = (now.wall_ms, from.name);
        let until = at.saturating_add(millis(keep));
        let line = FileLine { transfer, from, to, name, size, hash, sha256, at, until };
        let file = Box::new(StoredFile { line, owner, receiver });
        self.submit_store(Waiting::AddFile { file: file.clone() }, StoreJob::AddFile(file));
    }

    /// The store has taken down that a file is here, or could not.
    pub(super) fn on_file_added(&mut self, now: Now, file: StoredFile, outcome: &StoreOutcome) {
        let (transfer, hash) = (file.line.transfer, file.line.hash);
        let Some(upload) = self.uploads.get(transfer).cloned() else { return };
        if *outcome != StoreOutcome::Done {
            self.store_refusal(outcome);
            // It goes with the end of the upload, and once, also when several failed together.
            self.doomed.insert(hash);
            return self.end_upload(now, transfer, Ending::StoreFailed);
        }
        let serial =
            |conn| self.user_of(conn).ok().filter(|u| u.account.is_none()).map(|u| u.serial);
        let from_guest = serial(upload.draft.from.conn);
        let to_guest = upload.draft.guest.and_then(serial);
        self.note(FileFact::Received { transfer, file: parcel(&upload.draft) });
        self.files.add(file, from_guest, to_guest);
        self.wake_sweep(now);
        self.end_upload(now, transfer, Ending::Stored);
        self.offer(transfer);
        if upload.draft.guest.is_some() && to_guest.is_none() {
            // The guest left while it was put down.
            self.lose_receiver(transfer);
        }
    }

    /// Ends an upload: its sender is told how, its slot goes to the next in line.
    pub fn end_upload(&mut self, now: Now, transfer: TransferId, how: Ending) {
        let line_before = self.line_ids();
        let Some(upload) = self.uploads.end(transfer) else { return };
        // What nobody counts is not kept: it would lie there until the next start.
        let keep = matches!(how, Ending::SenderGone | Ending::Stalled) && upload.flow.written() > 0;
        if upload.stage.waited_ms().is_some() {
            self.effects.push_back(Effect::Forget { transfer, keep });
        }
        self.settle_half(now, &upload, keep, how);
        let (file, slots) = (parcel(&upload.draft), self.slots());
        self.note(FileFact::UploadEnded { transfer, file, how, slots });
        self.tell(upload.draft.from.conn, Event::Ended { transfer, how });
        self.admit(now);
        self.tell_places(&line_before);
        self.forget_doomed();
    }

    /// What of an upload that is over lies on the disk is half a file from now on, or is forgotten.
    fn settle_half(&mut self, now: Now, upload: &Upload, keep: bool, how: Ending) {
        let Some(id) = upload.draft.partial else { return };
        if upload.flow.written() == 0 {
            return;
        }
        // Nobody has touched what is there of one that still waited.
        let waited = upload.stage == Stage::Waiting;
        if keep || (waited && how != Ending::Cancelled) {
            let bytes = upload.flow.written();
            self.files.add_half(Half { id, bytes, since_ms: now.wall_ms });
            self.wake_sweep(now);
        } else if waited || how == Ending::StoreFailed {
            // One that could not even be opened still lies there.
            self.discard(id);
        }
    }

    /// The disk has more to do than it can follow: who is in line waits until it has caught up.
    pub fn rest_admission(&mut self) {
        self.uploads.rest(true);
    }

    /// The disk has caught up.
    pub fn resume_admission(&mut self, now: Now) {
        let line_before = self.line_ids();
        self.uploads.rest(false);
        self.admit(now);
        self.tell_places(&line_before);
    }

    /// Ends what a connection sends or what is for the guest on it; first what waits, so that
    /// nothing of it is given a slot on its way out.
    pub(super) fn end_uploads_of(&mut self, now: Now, conn: ConnId) {
        let mut concerned = self.uploads.of(conn);
        concerned.sort_by_key(|&transfer| self.uploads.place(transfer) == 0);
        for transfer in concerned {
            let Some(upload) = self.uploads.get(transfer) else { continue };
            let sends = upload.draft.from.conn == conn;
            let how = if sends { Ending::SenderGone } else { Ending::ReceiverGone };
            self.end_upload(now, transfer, how);
        }
    }

    /// Gives free slots to those who wait.
    fn admit(&mut self, now: Now) {
        while let Some(transfer) = self.uploads.admit(now) {
            let Some(upload) = self.uploads.get(transfer).cloned() else { continue };
            let waited_ms = upload.stage.waited_ms().unwrap_or_default();
            let Draft { size, partial, .. } = upload.draft;
            self.effects.push_back(Effect::Receive { transfer, size, partial });
            let (file, slots) = (parcel(&upload.draft), self.slots());
            self.note(FileFact::Admitted { transfer, file, waited_ms, slots });
        }
    }

    fn slots(&self) -> Slots {
        Slots { used: self.uploads.used(), slots: self.uploads.slots() }
    }

    fn line_ids(&self) -> Vec<TransferId> {
        self.uploads.line().map(|upload| upload.id).collect()
    }

    /// Tells each waiting sender whose place is not what it was in the line `before`.
    fn tell_places(&mut self, before: &[TransferId]) {
        let of = count(self.uploads.waiting());
        for (index, transfer) in self.line_ids().into_iter().enumerate() {
            let Some(upload) = self.uploads.get(transfer) else { continue };
            let conn = upload.draft.from.conn;
            if before.get(index) != Some(&transfer) {
                self.tell(conn, Event::Queued { transfer, place: count(index + 1), of });
            }
        }
    }
}

fn parcel(draft: &Draft) -> Box<Parcel> {
    let Draft { from, to, name, size, .. } = draft;
    Box::new(Parcel { from: from.name, to: *to, name: name.clone(), size: *size })
}
