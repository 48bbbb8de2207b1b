//! The upload queue, told to people: who is given a slot, who waits at which place, how an upload
//! ends.
//!
//! The rules it keeps: the sender of a file is told that it is handed over from the store's
//! completion and from nothing else; whatever ends an upload gives its slot to the next one; what
//! broke and can be resumed is kept as half a file.

use super::Files;
use super::transfer::{Draft, Stage, Upload};
use crate::facts::{FileFact, Parcel, Slots};
use crate::hub::{Answer, Effect, Waiting, count};
use crate::id::{ConnId, Now, TransferId, millis};
use crate::job::{Half, StoreJob, StoreOutcome, StoredFile};
use crate::limits::LIST_MAX;
use crate::message::{Digest, Ending, Event, FileLine, Refusal, Reply, Target, UploadLine};

impl Files<'_> {
    pub(in crate::hub) fn show_queue(&self, now: Now) -> Result<Answer, Refusal> {
        let entry = |upload: &Upload| UploadLine {
            transfer: upload.id,
            from: upload.draft.from.name,
            to: upload.draft.to,
            name: upload.draft.name.clone(),
            size: upload.draft.size,
            place: count(self.own.queue.place(upload.id)),
            waited_ms: upload
                .stage
                .waited_ms()
                .unwrap_or(now.mono_ms.saturating_sub(upload.announced_ms)),
        };
        let all = self.own.queue.in_slots().chain(self.own.queue.line());
        Ok(Answer::Now(Reply::Queue {
            slots: count(self.own.queue.slots()),
            used: count(self.own.queue.used()),
            waiting: count(self.own.queue.waiting()),
            uploads: all.take(LIST_MAX / 4).map(entry).collect(),
        }))
    }

    /// An upload lies where it lasts, under the hash of its content.
    pub(crate) fn handle_finished(
        &mut self,
        now: Now,
        transfer: TransferId,
        hash: Digest,
        sha256: Digest,
    ) {
        let Some(upload) = self.own.queue.get(transfer) else { return };
        let Draft { from, owner, to, receiver, name, size, .. } = upload.draft.clone();
        let keep = match to {
            Target::User(_) | Target::Room(_) => self.rules.limits.files_keep,
            Target::Shelf(_) | Target::Public => self.rules.limits.shelf_keep,
        };
        let (at, from) = (now.wall_ms, from.name);
        let until = at.saturating_add(millis(keep));
        let line = FileLine { transfer, from, to, name, size, hash, sha256, at, until };
        let file = Box::new(StoredFile { line, owner, receiver });
        self.out.submit_store(Waiting::AddFile { file: file.clone() }, StoreJob::AddFile(file));
    }

    /// The store has recorded that a file is stored, or could not.
    pub(in crate::hub) fn on_file_added(
        &mut self,
        now: Now,
        file: StoredFile,
        outcome: &StoreOutcome,
    ) {
        let (transfer, hash) = (file.line.transfer, file.line.hash);
        let Some(upload) = self.own.queue.get(transfer).cloned() else { return };
        if *outcome != StoreOutcome::Done {
            self.out.store_refusal(outcome);
            // It goes with the end of the upload, and once, also when several failed together.
            self.own.doomed.insert(hash);
            return self.end_upload(now, transfer, Ending::StoreFailed);
        }
        let serial =
            |conn| self.people.user_of(conn).ok().filter(|u| u.account.is_none()).map(|u| u.serial);
        let from_guest = serial(upload.draft.from.conn);
        let to_guest = upload.draft.guest.and_then(serial);
        self.out.note(FileFact::Received { transfer, file: parcel(&upload.draft) });
        self.own.stored.add(file, from_guest, to_guest);
        self.wake_sweep(now);
        self.end_upload(now, transfer, Ending::Stored);
        self.offer(transfer);
        if upload.draft.guest.is_some() && to_guest.is_none() {
            // The guest left while it was put down.
            self.lose_receiver(transfer);
        }
    }

    /// Ends an upload: the sender is told how, its slot goes to the next in line.
    pub(crate) fn end_upload(&mut self, now: Now, transfer: TransferId, how: Ending) {
        let line_before = self.line_ids();
        let Some(upload) = self.own.queue.end(transfer) else { return };
        // What nobody counts is not kept: it would lie there until the next start.
        let keep = matches!(how, Ending::SenderGone | Ending::Stalled) && upload.flow.written() > 0;
        if upload.stage.waited_ms().is_some() {
            self.out.push(Effect::Forget { transfer, keep });
        }
        self.settle_half(now, &upload, keep, how);
        let (file, slots) = (parcel(&upload.draft), self.slots());
        self.out.note(FileFact::UploadEnded { transfer, file, how, slots });
        self.out.tell(upload.draft.from.conn, Event::Ended { transfer, how });
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
            self.own.stored.add_half(Half { id, bytes, since_ms: now.wall_ms });
            self.wake_sweep(now);
        } else if waited || how == Ending::StoreFailed {
            // One that could not even be opened still lies there.
            self.discard(id);
        }
    }

    /// The disk has more to do than it can follow: who is in line waits until it has caught up.
    pub(crate) fn rest_admission(&mut self) {
        self.own.queue.rest(true);
    }

    /// The disk has caught up.
    pub(crate) fn resume_admission(&mut self, now: Now) {
        let line_before = self.line_ids();
        self.own.queue.rest(false);
        self.admit(now);
        self.tell_places(&line_before);
    }

    /// Ends what a connection sends or what is for the guest on it; first what waits, so that
    /// nothing of it is given a slot on its way out.
    pub(in crate::hub) fn end_uploads_of(&mut self, now: Now, conn: ConnId) {
        let mut concerned = self.own.queue.of(conn);
        concerned.sort_by_key(|&transfer| self.own.queue.place(transfer) == 0);
        for transfer in concerned {
            let Some(upload) = self.own.queue.get(transfer) else { continue };
            let sends = upload.draft.from.conn == conn;
            let how = if sends { Ending::SenderGone } else { Ending::ReceiverGone };
            self.end_upload(now, transfer, how);
        }
    }

    /// Gives free slots to those who wait.
    pub(super) fn admit(&mut self, now: Now) {
        while let Some(transfer) = self.own.queue.admit(now) {
            let Some(upload) = self.own.queue.get(transfer).cloned() else { continue };
            let waited_ms = upload.stage.waited_ms().unwrap_or_default();
            let Draft { size, partial, .. } = upload.draft;
            self.out.push(Effect::Receive { transfer, size, partial });
            let (file, slots) = (parcel(&upload.draft), self.slots());
            self.out.note(FileFact::Admitted { transfer, file, waited_ms, slots });
        }
    }

    pub(super) fn slots(&self) -> Slots {
        Slots { used: self.own.queue.used(), slots: self.own.queue.slots() }
    }

    fn line_ids(&self) -> Vec<TransferId> {
        self.own.queue.line().map(|upload| upload.id).collect()
    }

    /// Tells each waiting sender whose place is not what it was in the line `before`.
    fn tell_places(&mut self, before: &[TransferId]) {
        let of = count(self.own.queue.waiting());
        for (index, transfer) in self.line_ids().into_iter().enumerate() {
            let Some(upload) = self.own.queue.get(transfer) else { continue };
            let conn = upload.draft.from.conn;
            if before.get(index) != Some(&transfer) {
                self.out.tell(conn, Event::Queued { transfer, place: count(index + 1), of });
            }
        }
    }
}

pub(super) fn parcel(draft: &Draft) -> Box<Parcel> {
    let Draft { from, to, name, size, .. } = draft;
    Box::new(Parcel { from: from.name, to: *to, name: name.clone(), size: *size })
}
