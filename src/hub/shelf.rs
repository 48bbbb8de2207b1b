//! Files that the server has: who may see and take them, who is told of them, when they go.
//!
//! The rules it keeps: a file that was handed to one user is seen by him and its sender alone, and
//! a guest is the login that it was handed to, not whoever has his name next; what the store has
//! not forgotten is not removed from the disk; a content goes when no file has it and none is about
//! to have it.

use super::catalogue::{Entry, Pattern};
use super::session::User;
use super::upload::Stage;
use super::{Answer, Effect, Hub, Request, Waiting, count};
use crate::facts::{FileFact, Parcel};
use crate::id::{ConnId, Now, TransferId, after, millis};
use crate::job::{FileJob, PartialId, StoreJob, StoreOutcome, StoredFile};
use crate::limits::{
    DOWNLOADS_A_USER, FILE_NAME_MAX, FILES_LISTED, FILES_SWEEP, GUEST_RETURN, LIST_MAX,
    OFFERS_AT_ONCE, SWEEP_AT_ONCE, SWEEP_MORE,
};
use crate::message::{
    Digest, Ending, Event, FileLine, FileRef, Refusal, Reply, RoomName, Target, UserName,
};

/// Files that are looked at in the time in which a message is put into an outbox, some 100 ns.
const FILES_PER_WORK: usize = 4;
/// Steps of comparing a name with a pattern in that time.
const STEPS_PER_WORK: usize = 32;

impl Hub {
    /// The files that somebody may take, and those that he has sent.
    pub(super) fn list_files(
        &mut self,
        now: Now,
        conn: ConnId,
        pattern: Option<&str>,
        after: Option<TransferId>,
    ) -> Result<Reply, Refusal> {
        let user = self.user_of(conn)?;
        if pattern.is_some_and(|pattern| pattern.len() > FILE_NAME_MAX) {
            return Err(Refusal::BadRequest(format!(
                "a pattern has at most {FILE_NAME_MAX} bytes"
            )));
        }
        // To look through all of them is work.
        self.take_message(now, conn)?;
        let mut pattern = pattern.map(Pattern::new);
        let room = self.room_name_of(conn);
        let (files, more) = {
            let mut found = self.files.after(after.unwrap_or(TransferId(0))).filter(|entry| {
                self.sees(user, room, entry)
                    && pattern.as_mut().is_none_or(|p| p.matches(entry.file.line.name.as_str()))
            });
            let line = |entry: &Entry| entry.file.line.clone();
            let files: Vec<FileLine> = found.by_ref().take(FILES_LISTED).map(line).collect();
            (files, found.next().is_some())
        };
        self.note_look(pattern.as_ref().map_or(0, Pattern::steps) / STEPS_PER_WORK);
        if pattern.is_some_and(|pattern| pattern.is_spent()) {
            let text = "the pattern fits too much of too many names; begin it with a letter";
            return Err(Refusal::BadRequest(text.to_owned()));
        }
        Ok(Reply::Files { files, more })
    }

    /// Somebody takes a file.
    pub(super) fn get_file(
        &mut self,
        conn: ConnId,
        file: &FileRef<'_>,
        offset: u64,
    ) -> Result<Reply, Refusal> {
        let user = self.user_of(conn)?;
        if matches!(file, FileRef::Name(_)) {
            self.note_look(0);
        }
        let line = self.find_file(conn, user, file)?.file.line.clone();
        if offset > line.size {
            return Err(Refusal::BadRequest(format!("the file has {} bytes", line.size)));
        }
        if self.downloads.contains(&(conn, line.transfer)) {
            return Err(Refusal::TransferNotReady);
        }
        if self.downloads_of(conn).count() >= DOWNLOADS_A_USER {
            return Err(Refusal::TooManyDownloads { limit: DOWNLOADS_A_USER as u64 });
        }
        let (transfer, file) = (line.transfer, Parcel::of(&line));
        self.note(FileFact::Sent { transfer, file, user: user.name });
        if offset < line.size {
            self.downloads.insert((conn, line.transfer));
            let (blob, size) = (line.hash, line.size);
            self.effects.push_back(Effect::Deliver { transfer, to: conn, blob, offset, size });
        }
        Ok(Reply::Getting { file: line, offset })
    }

    /// A file has arrived whole: it was for this one alone, and is forgotten.
    pub(super) fn received(&mut self, request: Request, transfer: TransferId) -> Answer {
        let user = self.user_of(request.conn)?;
        let room = self.room_name_of(request.conn);
        let entry = self.files.get(transfer).filter(|entry| self.sees(user, room, entry));
        let entry = entry.ok_or(Refusal::NoSuchFile)?;
        if !is_for(user, entry) {
            return Ok(Some(Reply::Done));
        }
        self.part_with(request, transfer, true)
    }

    /// A file is not wanted by the one whom it is for.
    pub(super) fn reject(&mut self, request: Request, transfer: TransferId) -> Answer {
        let user = self.user_of(request.conn)?;
        let entry = self.files.get(transfer).filter(|entry| is_for(user, entry));
        entry.ok_or(Refusal::NoSuchFile)?;
        self.part_with(request, transfer, false)
    }

    /// Its sender removes a file.
    pub(super) fn remove(&mut self, request: Request, transfer: TransferId) -> Answer {
        let user = self.user_of(request.conn)?;
        let room = self.room_name_of(request.conn);
        let entry = self.files.get(transfer).filter(|entry| self.sees(user, room, entry));
        if !is_from(user, entry.ok_or(Refusal::NoSuchFile)?) {
            return Err(Refusal::NotYourFile);
        }
        self.note(FileFact::Withdrawn { transfer, user: user.name });
        self.ask_to_remove(Some(request), transfer, None)
    }

    /// An upload of one's own is withdrawn, or no more is taken of a file.
    pub(super) fn cancel(
        &mut self,
        now: Now,
        conn: ConnId,
        transfer: TransferId,
    ) -> Result<Reply, Refusal> {
        if self.downloads.contains(&(conn, transfer)) {
            self.end_download(conn, transfer, Ending::Cancelled);
            return Ok(Reply::Done);
        }
        let upload = self.uploads.get(transfer).filter(|upload| upload.draft.from.conn == conn);
        if matches!(upload.ok_or(Refusal::NoSuchTransfer)?.stage, Stage::Finishing { .. }) {
            return Err(Refusal::TransferNotReady);
        }
        self.end_upload(now, transfer, Ending::Cancelled);
        Ok(Reply::Done)
    }

    /// All of a file is on its way to a connection.
    pub fn handle_delivered(&mut self, conn: ConnId, transfer: TransferId) {
        self.downloads.remove(&(conn, transfer));
    }

    /// A download does not come to its end.
    pub fn end_download(&mut self, conn: ConnId, transfer: TransferId, how: Ending) {
        if self.downloads.remove(&(conn, transfer)) {
            self.effects.push_back(Effect::StopDelivery { transfer, to: conn });
            self.tell(conn, Event::Ended { transfer, how });
        }
    }

    /// Nothing more is sent to whoever was logged in on a connection.
    pub(super) fn end_downloads_of(&mut self, conn: ConnId) {
        let under_way: Vec<_> = self.downloads_of(conn).collect();
        for transfer in under_way {
            self.downloads.remove(&(conn, transfer));
            self.effects.push_back(Effect::StopDelivery { transfer, to: conn });
        }
    }

    /// What a connection takes at this moment.
    fn downloads_of(&self, conn: ConnId) -> impl Iterator<Item = TransferId> {
        let all = (conn, TransferId(0))..=(conn, TransferId(u32::MAX));
        self.downloads.range(all).map(|&(_, transfer)| transfer)
    }

    /// A guest is gone: what was handed to him is for nobody, at once or if he does not come back.
    pub(super) fn end_guest(&mut self, now: Now, user: User, for_good: bool) {
        if user.account.is_some() {
            return;
        }
        self.files.note_gone(user.serial, now.mono_ms);
        if for_good {
            let is_his = |entry: &&Entry| entry.to_guest == Some(user.serial) && !entry.goes;
            let his = self.files.of_guest(user.serial).filter_map(|id| self.files.get_entry(id));
            let his = his.filter(is_his).map(|entry| entry.file.line.transfer);
            // More than that of one guest go later, as if he had lost his connection.
            let his = his.take(SWEEP_AT_ONCE);
            for transfer in his.collect::<Vec<_>>() {
                self.lose_receiver(transfer);
            }
        }
    }

    /// Nobody will ever take a file: its sender is told, if he is here.
    pub(super) fn lose_receiver(&mut self, transfer: TransferId) {
        let how = Ending::ReceiverGone;
        if let Some(sender) = self.sender_of(transfer) {
            self.tell(sender, Event::Ended { transfer, how });
        }
        let file = self.files.get(transfer).map(|entry| Parcel::of(&entry.file.line));
        self.note(FileFact::Orphaned { transfer, file, how });
        self.remove_file(transfer);
    }

    /// Tells those whom a file is for that it is here.
    pub(super) fn offer(&mut self, transfer: TransferId) {
        let Some(entry) = self.files.get(transfer) else { return };
        let file = entry.file.line.clone();
        let from = file.from;
        match file.to {
            Target::User(user) => {
                let Some(&conn) = self.users.get(&user.key()) else { return };
                let is_his = self.user_of(conn).is_ok_and(|user| is_for(user, entry));
                if is_his && !self.directory.has_blocked(user.key(), from.key()) {
                    self.tell(conn, Event::Offered { file });
                }
            }
            Target::Room(room) => {
                let Some(room) = self.rooms.find(room) else { return };
                let mut except = self.deaf_to(from);
                except.retain(|&conn| self.room_of(conn) == Some(room));
                // The sender may be anywhere by now; he needs no offer of his own file.
                let sender = self.users.get(&from.key()).copied();
                let by = sender.unwrap_or(ConnId { slot: u32::MAX, generation: u32::MAX });
                let event = Event::Offered { file };
                self.effects.push_back(Effect::TellRoom { room, by, except, event });
            }
            Target::Shelf(_) | Target::Public => {}
        }
    }

    /// Tells somebody who has just logged in what was handed to him meanwhile.
    pub(super) fn offer_kept(&mut self, conn: ConnId) {
        let Ok(user) = self.user_of(conn) else { return };
        self.offer_all(conn, user.name, |entry| is_for(user, entry));
    }

    /// Tells somebody who has just come into a room what was handed to the room.
    pub(super) fn offer_of_room(&mut self, conn: ConnId, room: RoomName) {
        let Ok(user) = self.user_of(conn) else { return };
        self.offer_all(conn, user.name, |entry| {
            entry.file.line.to == Target::Room(room) && !is_from(user, entry)
        });
    }

    fn offer_all(&mut self, conn: ConnId, user: UserName, is_meant: impl Fn(&Entry) -> bool) {
        let deaf =
            |entry: &Entry| self.directory.has_blocked(user.key(), entry.file.line.from.key());
        let all = self.files.after(TransferId(0)).rev();
        let newest = all.filter(|entry| is_meant(entry) && !deaf(entry)).take(OFFERS_AT_ONCE);
        let mut files: Vec<_> = newest.map(|entry| entry.file.line.clone()).collect();
        files.reverse();
        self.note_look(0);
        for file in files {
            self.tell(conn, Event::Offered { file });
        }
    }

    /// All files were looked through, and more was done.
    fn note_look(&mut self, more: usize) {
        let units = count(self.files.len() / FILES_PER_WORK + more);
        self.effects.push_back(Effect::Work { units });
    }

    /// Whether somebody may see and take a file.
    fn sees(&self, user: User, room: Option<RoomName>, entry: &Entry) -> bool {
        let line = &entry.file.line;
        let hears = !self.directory.has_blocked(user.name.key(), line.from.key());
        is_from(user, entry)
            || match line.to {
                Target::User(_) => is_for(user, entry) && hears,
                Target::Room(of) => room == Some(of) && hears,
                Target::Shelf(of) => room == Some(of),
                Target::Public => true,
            }
    }

    fn find_file(&self, conn: ConnId, user: User, file: &FileRef<'_>) -> Result<&Entry, Refusal> {
        let room = self.room_name_of(conn);
        let found = match file {
            FileRef::Number(transfer) => self.files.get(*transfer),
            FileRef::Name(name) => self.files.after(TransferId(0)).rev().find(|entry| {
                entry.file.line.name.as_str() == *name && self.sees(user, room, entry)
            }),
        };
        found.filter(|entry| self.sees(user, room, entry)).ok_or(Refusal::NoSuchFile)
    }

    pub(super) fn room_name_of(&self, conn: ConnId) -> Option<RoomName> {
        Some(self.rooms.get(self.room_of(conn)?)?.name)
    }

    /// Where the sender of a file is, if he is here.
    fn sender_of(&self, transfer: TransferId) -> Option<ConnId> {
        let entry = self.files.get_entry(transfer)?;
        let conn = *self.users.get(&entry.file.line.from.key())?;
        let user = self.user_of(conn).ok()?;
        is_from(user, entry).then_some(conn)
    }

    /// A file leaves the server because the one whom it was for has it, or does not want it.
    fn part_with(&mut self, request: Request, transfer: TransferId, took: bool) -> Answer {
        let user = self.name_of(request.conn)?;
        let file = self.files.get(transfer).map(|entry| Parcel::of(&entry.file.line));
        self.note(if took {
            FileFact::Delivered { transfer, file, user }
        } else {
            FileFact::Rejected { transfer, file, user }
        });
        self.ask_to_remove(Some(request), transfer, Some((user, took)))
    }

    /// A file is nobody's any more.
    pub(super) fn remove_file(&mut self, transfer: TransferId) {
        // Without a request there is nothing that could be refused.
        let _ = self.ask_to_remove(None, transfer, None);
    }

    /// Has the store forget a file; until it has, it is nobody's. The receipt is for its sender.
    fn ask_to_remove(
        &mut self,
        request: Option<Request>,
        transfer: TransferId,
        receipt: Option<(UserName, bool)>,
    ) -> Answer {
        if let Some(entry) = self.files.get_mut(transfer) {
            (entry.goes, entry.asked) = (true, true);
        }
        self.end_downloads_of_file(transfer, Ending::Removed);
        let waiting = Waiting::RemoveFile { request, transfer, receipt };
        let job = StoreJob::RemoveFile { transfer };
        if request.is_none() {
            self.submit_store(waiting, job);
            return Ok(None);
        }
        self.ask_store(waiting, job).inspect_err(|_| {
            if let Some(entry) = self.files.get_mut(transfer) {
                (entry.goes, entry.asked) = (false, false);
            }
        })
    }

    fn end_downloads_of_file(&mut self, transfer: TransferId, how: Ending) {
        let takers: Vec<_> = self
            .downloads
            .iter()
            .filter(|(_, of)| *of == transfer)
            .map(|&(conn, _)| conn)
            .collect();
        for conn in takers {
            self.end_download(conn, transfer, how);
        }
    }

    /// The store has forgotten a file, or could not.
    pub(super) fn on_file_removed(
        &mut self,
        request: Option<Request>,
        transfer: TransferId,
        receipt: Option<(UserName, bool)>,
        outcome: &StoreOutcome,
    ) {
        if *outcome != StoreOutcome::Done {
            let refusal = self.store_refusal(outcome);
            if let Some(entry) = self.files.get_mut(transfer) {
                // What its owner still wants stays; what nobody wants is asked for again.
                (entry.goes, entry.asked) = (request.is_none(), false);
            }
            if let Some(request) = request {
                self.answer_late(request, Err(refusal));
            }
            return;
        }
        if let Some(request) = request {
            self.answer_late(request, Ok(Reply::Done));
        }
        let sender = self.sender_of(transfer);
        let file = self.files.get_entry(transfer).map(|entry| entry.file.clone());
        if let (Some((by, took)), Some(file)) = (receipt, file) {
            let name = file.line.name.clone();
            if let Some(conn) = sender {
                self.tell(conn, Event::Receipt { transfer, name, by, took });
            }
            self.remember_taken(file);
        }
        if let Some(content) = self.files.remove(transfer) {
            self.forget_content(content);
        }
    }

    /// Its sender may ask again for a while whether it has come.
    fn remember_taken(&mut self, file: StoredFile) {
        if self.taken.len() >= LIST_MAX {
            self.taken.pop_front();
        }
        self.taken.push_back(file);
    }

    /// No file that is here has a content: it goes, at once or when nothing that is finishing can
    /// turn out to be the same.
    pub(super) fn forget_content(&mut self, content: Digest) {
        self.doomed.insert(content);
        self.forget_doomed();
    }

    pub(super) fn forget_doomed(&mut self) {
        if self.doomed.is_empty() {
            return;
        }
        let is_finishing = |content: Digest| {
            self.uploads.in_slots().any(|upload| {
                let may_be = upload.draft.hash.is_none_or(|hash| hash == content);
                matches!(upload.stage, Stage::Finishing { .. }) && may_be
            })
        };
        let over: Vec<_> = self.doomed.iter().copied().filter(|&c| !is_finishing(c)).collect();
        for content in over {
            self.doomed.remove(&content);
            if !self.files.needs(content) {
                self.effects.push_back(Effect::Files(FileJob::Delete { blob: content }));
            }
        }
    }

    /// Half a file is not wanted any more.
    pub(super) fn discard(&mut self, partial: PartialId) {
        self.effects.push_back(Effect::Files(FileJob::Discard { partial }));
    }

    /// The disk has room for so many bytes.
    pub fn handle_space(&mut self, free_bytes: u64) {
        self.free_bytes = free_bytes;
    }

    /// There is something whose time will be over.
    pub(super) fn wake_sweep(&mut self, now: Now) {
        self.sweep_ms.get_or_insert(now.after(FILES_SWEEP));
    }

    /// Removes what has had its time, and what is for nobody any more.
    pub(super) fn sweep_files(&mut self, now: Now) {
        if self.sweep_ms.is_none_or(|at| now.mono_ms < at) {
            return;
        }
        self.sweep_ms = None;
        let (mut over, mut orphans) = (Vec::new(), Vec::new());
        for entry in self.files.all().filter(|entry| !entry.asked) {
            let line = &entry.file.line;
            if over.len() + orphans.len() >= SWEEP_AT_ONCE {
                break;
            }
            if entry.goes || line.until <= now.wall_ms {
                over.push((line.transfer, Parcel::of(line)));
            } else if self.is_orphan(now, entry) {
                orphans.push(line.transfer);
            }
        }
        let is_more = over.len() + orphans.len() >= SWEEP_AT_ONCE && !self.store_trouble;
        for (transfer, file) in over {
            self.note(FileFact::Expired { transfer, file });
            self.remove_file(transfer);
        }
        for transfer in orphans {
            self.lose_receiver(transfer);
        }
        let keep_ms = millis(self.limits.partial_keep);
        let is_old = |since_ms: u64| since_ms.saturating_add(keep_ms) <= now.wall_ms;
        let old = self.files.halves().filter(|half| is_old(half.since_ms)).take(SWEEP_AT_ONCE);
        for id in old.map(|half| half.id).collect::<Vec<_>>() {
            self.files.take_half(id);
            self.discard(id);
        }
        if is_more {
            self.sweep_ms = Some(now.after(SWEEP_MORE));
        } else if !self.files.is_empty() {
            self.wake_sweep(now);
        }
    }

    /// Whether the only one who could take a file will not come any more.
    fn is_orphan(&self, now: Now, entry: &Entry) -> bool {
        match (entry.file.line.to, entry.file.receiver) {
            (Target::User(_), Some(account)) => self.directory.get(account).is_none(),
            // Guests of an earlier run of the server are not known any more.
            (Target::User(_), None) if entry.to_guest.is_none() => true,
            (Target::User(_), None) => entry
                .guest_gone_ms
                .is_some_and(|gone_ms| after(gone_ms, GUEST_RETURN) <= now.mono_ms),
            (Target::Room(_) | Target::Shelf(_) | Target::Public, _) => false,
        }
    }

    /// Checks that what is counted agrees with what is there, for tests and the simulation.
    pub(super) fn check_files(&self) {
        self.files.check_invariants();
        for (conn, transfer) in &self.downloads {
            assert!(self.user_of(*conn).is_ok(), "a download of somebody gone");
            assert!(self.files.get(*transfer).is_some(), "a download of a file that is gone");
        }
        let draft_halves = self.uploads.iter().filter_map(|upload| upload.draft.partial);
        for id in draft_halves {
            assert!(self.files.halves().all(|half| half.id != id), "half a file is used twice");
        }
    }
}

/// Whether a file was handed to this one alone.
fn is_for(user: User, entry: &Entry) -> bool {
    entry.file.to_user() == Some(user.name)
        && match user.account {
            Some(account) => entry.file.receiver == Some(account),
            None => entry.file.receiver.is_none() && entry.to_guest == Some(user.serial),
        }
}

/// Whether this one has sent a file. On a shelf a guest is known by his name.
fn is_from(user: User, entry: &Entry) -> bool {
    let is_shelved = matches!(entry.file.line.to, Target::Shelf(_) | Target::Public);
    entry.file.line.from == user.name
        && match user.account {
            Some(account) => entry.file.owner == Some(account),
            None => {
                let same = entry.from_guest == Some(user.serial);
                entry.file.owner.is_none() && (is_shelved || same)
            }
        }
}
