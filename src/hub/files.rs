//! Files from one user to another who is online: the upload queue, told to people.

use super::upload::{Party, Stage, Upload};
use super::{Effect, Hub, count};
use crate::id::{ConnId, Now, TransferId};
use crate::limits::LIST_MAX;
use crate::message::{
    Category, Ending, Event, FileName, Refusal, Reply, UploadLine, UserName, visible,
};

impl Hub {
    pub(super) fn send_file(
        &mut self,
        now: Now,
        conn: ConnId,
        user: &str,
        name: &str,
        size: u64,
    ) -> Result<Reply, Refusal> {
        let from = Party { conn, name: self.name_of(conn)? };
        let wanted = UserName::parse(user).map_err(Refusal::BadUserName)?;
        if self.directory.has_blocked(wanted.key(), from.name.key()) {
            // Also when the other one is not here: whether he is, is not told.
            return Err(Refusal::BlockedBy(wanted));
        }
        let (to, to_name) = self.find_user(user)?;
        if to == conn {
            return Err(Refusal::ToYourself);
        }
        let name = FileName::parse(name).map_err(Refusal::BadFileName)?;
        let limit = self.limits.file_bytes;
        let what = describe(from, to_name, &name, size);
        if size > limit {
            self.audit(Category::SendFile, || format!("Refused: {what} over {limit} bytes"));
            return Err(Refusal::FileTooLarge { size, limit });
        }
        let to = Party { conn: to, name: to_name };
        let transfer = self.uploads.announce(now, from, to, name, size).inspect_err(|refusal| {
            let text = format!("Refused: {what}: {refusal}");
            let record = crate::message::Record::info(Category::FileQueue, text);
            self.effects.push_back(Effect::Audit(record));
        })?;
        self.audit(Category::SendFile, || format!("Announced: {what} as transfer {transfer}"));
        self.admit(now);
        let place = self.uploads.place(transfer);
        if place > 0 {
            let (waiting, used, slots) =
                (self.uploads.waiting(), self.uploads.used(), self.uploads.slots());
            self.audit(Category::FileQueue, || {
                format!("Waiting: {what} place {place} of {waiting} [{used}/{slots}]")
            });
        }
        Ok(Reply::Announced { transfer, place: count(place) })
    }

    pub(super) fn accept(
        &mut self,
        now: Now,
        conn: ConnId,
        transfer: TransferId,
    ) -> Result<Reply, Refusal> {
        self.to_receive(conn, transfer)?;
        let upload = self.uploads.accept(now, transfer)?.clone();
        self.effects.push_back(Effect::Deliver { transfer, to: conn });
        self.audit(Category::SendFile, || format!("Accepted: {}", line(&upload)));
        Ok(Reply::Done)
    }

    pub(super) fn reject(
        &mut self,
        now: Now,
        conn: ConnId,
        transfer: TransferId,
    ) -> Result<Reply, Refusal> {
        self.to_receive(conn, transfer)?;
        self.end_upload(now, transfer, Ending::Rejected);
        Ok(Reply::Done)
    }

    pub(super) fn received(
        &mut self,
        now: Now,
        conn: ConnId,
        transfer: TransferId,
    ) -> Result<Reply, Refusal> {
        let upload = self.to_receive(conn, transfer)?;
        if !matches!(upload.stage, Stage::Delivering { all_sent: true, .. }) {
            return Err(Refusal::TransferNotReady);
        }
        self.end_upload(now, transfer, Ending::Delivered);
        Ok(Reply::Done)
    }

    pub(super) fn cancel(
        &mut self,
        now: Now,
        conn: ConnId,
        transfer: TransferId,
    ) -> Result<Reply, Refusal> {
        let upload = self.uploads.get(transfer).ok_or(Refusal::NoSuchTransfer)?;
        if upload.from.conn != conn {
            return Err(Refusal::NoSuchTransfer);
        }
        self.end_upload(now, transfer, Ending::Cancelled);
        Ok(Reply::Done)
    }

    pub(super) fn show_queue(&self, now: Now) -> Reply {
        let entry = |upload: &Upload| UploadLine {
            transfer: upload.id,
            from: upload.from.name,
            to: upload.to.name,
            name: upload.name.clone(),
            size: upload.size,
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

    /// All bytes of an upload are in its file: the receiver is asked.
    pub fn handle_upload_complete(&mut self, now: Now, transfer: TransferId) {
        let Ok(upload) = self.uploads.complete(now, transfer).cloned() else { return };
        self.audit(Category::SendFile, || format!("Received: {}", line(&upload)));
        let Upload { from, to, name, size, .. } = upload;
        self.tell(to.conn, Event::Offered { transfer, from: from.name, name, size });
    }

    /// Bytes of an upload came in or went out.
    pub fn handle_upload_progress(&mut self, now: Now, transfer: TransferId, bytes: u64) {
        self.uploads.progress(now, transfer, bytes);
    }

    /// All bytes of a file are on their way to its receiver.
    pub fn handle_delivery_sent(&mut self, transfer: TransferId) {
        self.uploads.all_sent(transfer);
    }

    /// Ends a transfer: both sides are told how, its slot goes to the next in line.
    pub fn end_upload(&mut self, now: Now, transfer: TransferId, how: Ending) {
        let line_before = self.line_ids();
        let Some(upload) = self.uploads.end(transfer) else { return };
        if upload.stage.waited_ms().is_some() {
            self.effects.push_back(Effect::Forget { transfer });
        }
        let (used, slots) = (self.uploads.used(), self.uploads.slots());
        self.audit(Category::FileQueue, || {
            format!("Removed: {} {how} [{used}/{slots}]", line(&upload))
        });
        self.tell(upload.from.conn, Event::Ended { transfer, how });
        // A receiver who has not been asked yet has nothing to be told.
        if matches!(upload.stage, Stage::Offered { .. } | Stage::Delivering { .. }) {
            self.tell(upload.to.conn, Event::Ended { transfer, how });
        }
        self.admit(now);
        self.tell_places(&line_before);
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

    /// Ends what a connection sends or was to receive; first what waits, so that nothing of it is
    /// given a slot on its way out.
    pub(super) fn end_uploads_of(&mut self, now: Now, conn: ConnId) {
        let mut concerned = self.uploads.of(conn);
        concerned.sort_by_key(|&transfer| self.uploads.place(transfer) == 0);
        for transfer in concerned {
            let Some(upload) = self.uploads.get(transfer) else { continue };
            let sends = upload.from.conn == conn;
            let how = if sends { Ending::SenderGone } else { Ending::ReceiverGone };
            self.end_upload(now, transfer, how);
        }
    }

    /// Gives free slots to those who wait.
    fn admit(&mut self, now: Now) {
        while let Some(transfer) = self.uploads.admit(now) {
            let Some(upload) = self.uploads.get(transfer).cloned() else { continue };
            let waited_ms = upload.stage.waited_ms().unwrap_or_default();
            let (from, size) = (upload.from.conn, upload.size);
            self.effects.push_back(Effect::Receive { transfer, from, size, waited_ms });
            let (used, slots) = (self.uploads.used(), self.uploads.slots());
            self.audit(Category::FileQueue, || {
                let waited = format!("waited {}.{:03} s", waited_ms / 1000, waited_ms % 1000);
                format!("Added: {} [{used}/{slots}] {waited}", line(&upload))
            });
        }
    }

    fn line_ids(&self) -> Vec<TransferId> {
        self.uploads.line().map(|upload| upload.id).collect()
    }

    /// Tells each waiting sender whose place is not what it was in the line `before`.
    fn tell_places(&mut self, before: &[TransferId]) {
        let of = count(self.uploads.waiting());
        for (index, transfer) in self.line_ids().into_iter().enumerate() {
            let Some(upload) = self.uploads.get(transfer) else { continue };
            let conn = upload.from.conn;
            if before.get(index) != Some(&transfer) {
                self.tell(conn, Event::Queued { transfer, place: count(index + 1), of });
            }
        }
    }

    /// The upload, if this connection is its receiver and has been asked.
    fn to_receive(&self, conn: ConnId, transfer: TransferId) -> Result<&Upload, Refusal> {
        let upload = self.uploads.get(transfer).ok_or(Refusal::NoSuchTransfer)?;
        let asked = matches!(upload.stage, Stage::Offered { .. } | Stage::Delivering { .. });
        if upload.to.conn != conn || !asked {
            return Err(Refusal::NoSuchTransfer);
        }
        Ok(upload)
    }
}

fn line(upload: &Upload) -> String {
    describe(upload.from, upload.to.name, &upload.name, upload.size)
}

fn describe(from: Party, to: crate::message::UserName, name: &FileName, size: u64) -> String {
    format!("{} -> {to} ({}, {size} bytes)", from.name, visible(name.as_str()))
}
