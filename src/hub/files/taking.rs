//! Files are listed, taken, confirmed and withdrawn by those who may.
//!
//! The rules it keeps: one connection takes a file once at a time; whatever looks through all files
//! counts as work.

use super::Files;
use super::pattern::Pattern;
use super::sight::{is_for, is_from};
use super::stored::Entry;
use super::transfer::Stage;
use crate::facts::{FileFact, Parcel};
use crate::hub::{Answer, Effect, Request, count};
use crate::id::{ConnId, Now, TransferId};
use crate::limits::{DOWNLOADS_A_USER, FILE_NAME_MAX, FILES_LISTED};
use crate::message::{Ending, Event, FileLine, FileRef, Refusal, Reply};

/// Files that are looked at in the time in which a message is put into an outbox, some 100 ns.
const FILES_PER_WORK: usize = 4;
/// Steps of comparing a name with a pattern in that time.
const STEPS_PER_WORK: usize = 32;

impl Files<'_> {
    /// The files that a user may take, and those that they have sent.
    pub(in crate::hub) fn list_files(
        &mut self,
        now: Now,
        conn: ConnId,
        pattern: Option<&str>,
        after: Option<TransferId>,
    ) -> Result<Answer, Refusal> {
        let user = self.people.user_of(conn)?;
        if pattern.is_some_and(|pattern| pattern.len() > FILE_NAME_MAX) {
            return Err(Refusal::BadRequest(format!(
                "a pattern has at most {FILE_NAME_MAX} bytes"
            )));
        }
        // To look through all of them is work.
        self.pace.take(now, self.people.payer(conn))?;
        let mut pattern = pattern.map(Pattern::new);
        let rooms = self.rooms.names_of(self.people, conn);
        let (files, more) = {
            let mut found = self.own.stored.after(after.unwrap_or(TransferId(0))).filter(|entry| {
                self.sees(user, &rooms, entry)
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
        Ok(Answer::Now(Reply::Files { files, more }))
    }

    /// A user takes a file.
    pub(in crate::hub) fn get_file(
        &mut self,
        conn: ConnId,
        file: &FileRef<'_>,
        offset: u64,
    ) -> Result<Answer, Refusal> {
        let user = self.people.user_of(conn)?;
        if matches!(file, FileRef::Name(_)) {
            self.note_look(0);
        }
        let line = self.find_file(conn, user, file)?.file.line.clone();
        if offset > line.size {
            return Err(Refusal::BadRequest(format!("the file has {} bytes", line.size)));
        }
        if self.own.downloads.contains(&(conn, line.transfer)) {
            return Err(Refusal::TransferNotReady);
        }
        let of_user = self.people.all_of(user.name.key());
        let under_way: usize = of_user.map(|conn| self.downloads_of(conn).count()).sum();
        if under_way >= DOWNLOADS_A_USER {
            return Err(Refusal::TooManyDownloads { limit: DOWNLOADS_A_USER as u64 });
        }
        let (transfer, file) = (line.transfer, Parcel::of(&line));
        self.out.note(FileFact::Sent { transfer, file, user: user.name });
        if offset < line.size {
            self.own.downloads.insert((conn, line.transfer));
            let (blob, size) = (line.hash, line.size);
            self.out.push(Effect::Deliver { transfer, to: conn, blob, offset, size });
        }
        Ok(Answer::Now(Reply::Getting { file: line, offset }))
    }

    /// A file has arrived whole: it was for this one alone, and is forgotten.
    pub(in crate::hub) fn received(
        &mut self,
        request: Request,
        transfer: TransferId,
    ) -> Result<Answer, Refusal> {
        let user = self.people.user_of(request.conn)?;
        let rooms = self.rooms.names_of(self.people, request.conn);
        let entry = self.own.stored.get(transfer).filter(|entry| self.sees(user, &rooms, entry));
        let entry = entry.ok_or(Refusal::NoSuchFile)?;
        if !is_for(user, entry) {
            return Ok(Answer::Now(Reply::Done));
        }
        self.part_with(request, transfer, true)
    }

    /// A file is not wanted by the one whom it is for.
    pub(in crate::hub) fn reject(
        &mut self,
        request: Request,
        transfer: TransferId,
    ) -> Result<Answer, Refusal> {
        let user = self.people.user_of(request.conn)?;
        let entry = self.own.stored.get(transfer).filter(|entry| is_for(user, entry));
        entry.ok_or(Refusal::NoSuchFile)?;
        self.part_with(request, transfer, false)
    }

    /// The sender removes a file.
    pub(in crate::hub) fn remove(
        &mut self,
        request: Request,
        transfer: TransferId,
    ) -> Result<Answer, Refusal> {
        let user = self.people.user_of(request.conn)?;
        let rooms = self.rooms.names_of(self.people, request.conn);
        let entry = self.own.stored.get(transfer).filter(|entry| self.sees(user, &rooms, entry));
        if !is_from(user, entry.ok_or(Refusal::NoSuchFile)?) {
            return Err(Refusal::NotYourFile);
        }
        self.out.note(FileFact::Withdrawn { transfer, user: user.name });
        self.ask_to_remove(Some(request), transfer, None)
    }

    /// An upload of your own is withdrawn, or no more is taken of a file.
    pub(in crate::hub) fn cancel(
        &mut self,
        now: Now,
        conn: ConnId,
        transfer: TransferId,
    ) -> Result<Answer, Refusal> {
        if self.own.downloads.contains(&(conn, transfer)) {
            self.end_download(conn, transfer, Ending::Cancelled);
            return Ok(Answer::Now(Reply::Done));
        }
        let upload = self.own.queue.get(transfer).filter(|upload| upload.draft.from.conn == conn);
        if matches!(upload.ok_or(Refusal::NoSuchTransfer)?.stage, Stage::Finishing { .. }) {
            return Err(Refusal::TransferNotReady);
        }
        self.end_upload(now, transfer, Ending::Cancelled);
        Ok(Answer::Now(Reply::Done))
    }

    /// All of a file is on its way to a connection.
    pub(crate) fn handle_delivered(&mut self, conn: ConnId, transfer: TransferId) {
        self.own.downloads.remove(&(conn, transfer));
    }

    /// A download does not come to its end.
    pub(crate) fn end_download(&mut self, conn: ConnId, transfer: TransferId, how: Ending) {
        if self.own.downloads.remove(&(conn, transfer)) {
            self.out.push(Effect::StopDelivery { transfer, to: conn });
            self.out.tell(conn, Event::Ended { transfer, how });
        }
    }

    /// Nothing more is sent to the user who was logged in on a connection.
    pub(in crate::hub) fn end_downloads_of(&mut self, conn: ConnId) {
        let under_way: Vec<_> = self.downloads_of(conn).collect();
        for transfer in under_way {
            self.own.downloads.remove(&(conn, transfer));
            self.out.push(Effect::StopDelivery { transfer, to: conn });
        }
    }

    /// What a connection takes at this moment.
    fn downloads_of(&self, conn: ConnId) -> impl Iterator<Item = TransferId> {
        let all = (conn, TransferId(0))..=(conn, TransferId(u32::MAX));
        self.own.downloads.range(all).map(|&(_, transfer)| transfer)
    }

    pub(super) fn end_downloads_of_file(&mut self, transfer: TransferId, how: Ending) {
        let takers: Vec<_> = self
            .own
            .downloads
            .iter()
            .filter(|(_, of)| *of == transfer)
            .map(|&(conn, _)| conn)
            .collect();
        for conn in takers {
            self.end_download(conn, transfer, how);
        }
    }

    /// All files were looked through, and more was done.
    pub(super) fn note_look(&mut self, more: usize) {
        let units = count(self.own.stored.len() / FILES_PER_WORK + more);
        self.out.push(Effect::Work { units });
    }
}
