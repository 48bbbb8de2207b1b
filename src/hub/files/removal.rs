//! Files are removed, and contents with the last file that had them.
//!
//! The rules it keeps: what the store has not forgotten is not removed from the disk; a content is
//! deleted when no file has it and none is about to have it.

use super::Files;
use super::stored::Entry;
use super::transfer::Stage;
use crate::facts::{FileFact, Parcel};
use crate::hub::people::User;
use crate::hub::{Answer, Effect, Request, Waiting};
use crate::id::{Now, TransferId};
use crate::job::{FileJob, PartialId, StoreJob, StoreOutcome, StoredFile};
use crate::limits::{LIST_MAX, SWEEP_AT_ONCE};
use crate::message::{Digest, Ending, Event, Refusal, Reply, UserName};

impl Files<'_> {
    /// A guest has left: what was handed to them is for nobody, at once or if they do not come
    /// back.
    pub(in crate::hub) fn end_guest(&mut self, now: Now, user: User, for_good: bool) {
        self.own.stored.note_gone(user.serial, now.mono_ms);
        if for_good {
            let is_theirs = |entry: &&Entry| entry.to_guest == Some(user.serial) && !entry.goes;
            let theirs = self
                .own
                .stored
                .of_guest(user.serial)
                .filter_map(|id| self.own.stored.get_entry(id));
            let theirs = theirs.filter(is_theirs).map(|entry| entry.file.line.transfer);
            // More than that of one guest go later, as if they had lost their connection.
            let theirs = theirs.take(SWEEP_AT_ONCE);
            for transfer in theirs.collect::<Vec<_>>() {
                self.lose_receiver(transfer);
            }
        }
    }

    /// Nobody will ever take a file: the sender is told, if they are here.
    pub(in crate::hub) fn lose_receiver(&mut self, transfer: TransferId) {
        let how = Ending::ReceiverGone;
        for sender in self.senders_of(transfer) {
            self.out.tell(sender, Event::Ended { transfer, how });
        }
        let file = self.own.stored.get(transfer).map(|entry| Parcel::of(&entry.file.line));
        self.out.note(FileFact::Orphaned { transfer, file, how });
        self.remove_file(transfer);
    }

    /// A file leaves the server because the one whom it was for has it, or does not want it.
    pub(super) fn part_with(
        &mut self,
        request: Request,
        transfer: TransferId,
        took: bool,
    ) -> Result<Answer, Refusal> {
        let user = self.people.name_of(request.conn)?;
        let file = self.own.stored.get(transfer).map(|entry| Parcel::of(&entry.file.line));
        self.out.note(if took {
            FileFact::Delivered { transfer, file, user }
        } else {
            FileFact::Rejected { transfer, file, user }
        });
        self.ask_to_remove(Some(request), transfer, Some((user, took)))
    }

    /// A file belongs to nobody any more.
    pub(in crate::hub) fn remove_file(&mut self, transfer: TransferId) {
        // Without a request there is nothing that could be refused.
        let _ = self.ask_to_remove(None, transfer, None);
    }

    /// Has the store forget a file; until it has, it belongs to nobody. The receipt is for the
    /// sender.
    pub(super) fn ask_to_remove(
        &mut self,
        request: Option<Request>,
        transfer: TransferId,
        receipt: Option<(UserName, bool)>,
    ) -> Result<Answer, Refusal> {
        if let Some(entry) = self.own.stored.get_mut(transfer) {
            (entry.goes, entry.asked) = (true, true);
        }
        self.end_downloads_of_file(transfer, Ending::Removed);
        let waiting = Waiting::RemoveFile { request, transfer, receipt };
        let job = StoreJob::RemoveFile { transfer };
        if request.is_none() {
            self.out.submit_store(waiting, job);
            return Ok(Answer::Later);
        }
        self.out.ask_store(waiting, job).inspect_err(|_| {
            if let Some(entry) = self.own.stored.get_mut(transfer) {
                (entry.goes, entry.asked) = (false, false);
            }
        })
    }

    /// The store has forgotten a file, or could not.
    pub(in crate::hub) fn on_file_removed(
        &mut self,
        request: Option<Request>,
        transfer: TransferId,
        receipt: Option<(UserName, bool)>,
        outcome: &StoreOutcome,
    ) {
        if *outcome != StoreOutcome::Done {
            let refusal = self.out.store_refusal(outcome);
            if let Some(entry) = self.own.stored.get_mut(transfer) {
                // What its owner still wants stays; what nobody wants is asked for again.
                (entry.goes, entry.asked) = (request.is_none(), false);
            }
            if let Some(request) = request {
                self.out.answer_late(request, Err(refusal));
            }
            return;
        }
        if let Some(request) = request {
            self.out.answer_late(request, Ok(Reply::Done));
        }
        let senders = self.senders_of(transfer);
        let file = self.own.stored.get_entry(transfer).map(|entry| entry.file.clone());
        if let (Some((by, took)), Some(file)) = (receipt, file) {
            let name = file.line.name.clone();
            for conn in senders {
                let name = name.clone();
                self.out.tell(conn, Event::Receipt { transfer, name, by, took });
            }
            self.remember_taken(file);
        }
        if let Some(content) = self.own.stored.remove(transfer) {
            self.forget_content(content);
        }
    }

    /// The sender may ask again for a while whether it has come.
    fn remember_taken(&mut self, file: StoredFile) {
        if self.own.taken.len() >= LIST_MAX {
            self.own.taken.pop_front();
        }
        self.own.taken.push_back(file);
    }

    /// No file that is here has a content: it goes, at once or when nothing that is finishing can
    /// turn out to be the same.
    pub(in crate::hub) fn forget_content(&mut self, content: Digest) {
        self.own.doomed.insert(content);
        self.forget_doomed();
    }

    pub(in crate::hub) fn forget_doomed(&mut self) {
        if self.own.doomed.is_empty() {
            return;
        }
        let is_finishing = |content: Digest| {
            self.own.queue.in_slots().any(|upload| {
                let may_be = upload.draft.hash.is_none_or(|hash| hash == content);
                matches!(upload.stage, Stage::Finishing { .. }) && may_be
            })
        };
        let over: Vec<_> = self.own.doomed.iter().copied().filter(|&c| !is_finishing(c)).collect();
        for content in over {
            self.own.doomed.remove(&content);
            if !self.own.stored.needs(content) {
                self.out.push(Effect::Files(FileJob::Delete { blob: content }));
            }
        }
    }

    /// Half a file is not wanted any more.
    pub(in crate::hub) fn discard(&mut self, partial: PartialId) {
        self.out.push(Effect::Files(FileJob::Discard { partial }));
    }
}
