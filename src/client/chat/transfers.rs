//! The part of the conversation that is about files.
//!
//! Joins requests, uploads and downloads; what each of them may do is theirs to know. The rule it
//! keeps: bulk goes out behind talk, because no part of a file is made ready before it can go soon.

use std::path::Path;

use super::Chat;
use crate::client::downloads::{AcceptError, DownloadStep};
use crate::client::uploads::{Source, UploadStep};
use crate::front::native::Problem;
use crate::id::TransferId;
use crate::limits::CHUNK_MAX;
use crate::message::{Command, Ending, Event, Op, Refusal, Reply, visible};

/// Bytes not yet written above which no part of a file is added.
const AHEAD_MAX: usize = 2 * CHUNK_MAX;

/// What a request is about.
#[derive(Debug)]
pub(super) struct About {
    transfer: TransferId,
    /// Where the file is saved that the request confirms; visible.
    saved: Option<String>,
}

impl Chat {
    /// Makes the next parts of files ready, as far as they were granted. Answers whether something
    /// was done.
    pub(in crate::client) fn fill(&mut self) -> bool {
        let mut done = false;
        while self.over.is_none() && !self.leaving && self.session.outgoing().len() < AHEAD_MAX {
            let Some(step) = self.uploads.poll_step() else { break };
            self.on_upload(step);
            done = true;
        }
        done
    }

    pub(super) fn send_file(&mut self, path: &Path, user: &str) {
        match Source::open(path) {
            Ok(source) => {
                let (name, size) = (source.name().to_owned(), source.size());
                let command = Command::SendFile { user: user.into(), name: name.into(), size };
                let id = self.session.request(command);
                self.uploads.announce(id, source);
            }
            Err(error) => self.refuse(error.code(), &format!("{}: {error}", path.display())),
        }
    }

    pub(super) fn accept(&mut self, transfer: TransferId) {
        match self.downloads.accept(transfer) {
            Ok(()) => self.ask_about(transfer, Command::Accept { transfer }),
            // Refused by the server, behind its answer to the first.
            Err(AcceptError::Accepted) => {
                self.session.request(Command::Accept { transfer });
            }
            Err(error) => {
                self.refuse(error.code(), &error.to_string());
                if let (true, AcceptError::Disk { .. }) = (self.accepts_all, &error) {
                    self.reject(transfer);
                }
            }
        }
    }

    /// Also while its bytes come: what has come of it is removed at once.
    pub(super) fn reject(&mut self, transfer: TransferId) {
        self.downloads.give_up(transfer);
        self.ask_about(transfer, Command::Reject { transfer });
    }

    /// Withdraws a file of one's own. One that somebody else sends can only be refused, and that is
    /// what is meant.
    pub(super) fn cancel(&mut self, transfer: TransferId) {
        if !self.uploads.has(transfer) && self.downloads.has(transfer) {
            return self.reject(transfer);
        }
        self.ask_about(transfer, Command::Cancel { transfer });
    }

    pub(super) fn on_offered(&mut self, event: Event) {
        self.screen.show(&event);
        let Event::Offered { transfer, name, size, .. } = event else { return };
        if !self.downloads.handle_offered(transfer, name, size) {
            self.refuse("too_many_offers", &format!("transfer {transfer} is refused"));
            self.reject(transfer);
        } else if self.accepts_all && !self.leaving {
            self.accept(transfer);
        }
    }

    pub(super) fn on_ended(&mut self, transfer: TransferId, how: Ending) {
        let undelivered = self.uploads.handle_ended(transfer) && how != Ending::Delivered;
        let lost = self.downloads.handle_ended(transfer);
        self.refused |= undelivered || lost;
    }

    pub(super) fn on_download(&mut self, transfer: TransferId, step: Option<DownloadStep>) {
        match step {
            None => {}
            Some(DownloadStep::Saved(path)) => {
                let path = visible(&path.display().to_string()).to_string();
                self.screen.say(&format!("* transfer {transfer}: saved as {path}"));
                let id = self.session.request(Command::Received { transfer });
                self.about.insert(id, About { transfer, saved: Some(path) });
            }
            Some(DownloadStep::Failed(why)) => {
                self.refuse("cannot_write", &format!("transfer {transfer}: {why}"));
                self.reject(transfer);
            }
        }
    }

    /// What an answer means for the files. Answers whether all is said about it with that.
    pub(super) fn on_transfer_answer(
        &mut self,
        id: u64,
        op: Op,
        answer: &Result<Reply, Problem>,
    ) -> bool {
        if op == Op::SendFile {
            self.uploads.handle_announced(id, announced(answer));
            return false;
        }
        let Some(About { transfer, saved }) = self.about.remove(&id) else { return false };
        match (answer, saved) {
            (Ok(_), _) => self.on_transfer_done(transfer, op),
            (Err(problem), Some(path)) if problem.code == Refusal::NoSuchTransfer.code() => {
                self.downloads.handle_ended(transfer);
                self.screen.say(&format!(
                    "* transfer {transfer}: saved as {path}, but the sender was gone before it \
                     could be told"
                ));
            }
            (Err(_), _) => {
                if op != Op::Cancel {
                    self.downloads.handle_ended(transfer);
                }
                return false;
            }
        }
        true
    }

    fn on_transfer_done(&mut self, transfer: TransferId, op: Op) {
        if op == Op::Accept {
            self.screen.say(&format!("* transfer {transfer}: accepted"));
            let step = self.downloads.handle_accepted(transfer);
            self.on_download(transfer, step);
        } else if op == Op::Reject {
            self.screen.say(&format!("* transfer {transfer}: refused"));
            self.downloads.handle_ended(transfer);
        } else if op == Op::Cancel {
            self.screen.say(&format!("* transfer {transfer}: withdrawn"));
        }
    }

    /// The connection is lost, and with it all that was under way on it.
    pub(super) fn give_up_files(&mut self) {
        for transfer in self.uploads.handle_all_ended() {
            self.refuse("not_delivered", &format!("transfer {transfer}: the connection was lost"));
        }
        let saved: Vec<_> = std::mem::take(&mut self.about).into_values().collect();
        for (transfer, lost) in self.downloads.handle_all_ended() {
            if lost {
                self.refuse("not_saved", &format!("transfer {transfer}: the connection was lost"));
            } else if let Some(path) = saved_as(&saved, transfer) {
                self.screen.say(&format!(
                    "* transfer {transfer}: saved as {path}, but it is not known whether the \
                     sender was told"
                ));
            } else {
                self.screen.say(&format!("* transfer {transfer}: is not offered any more"));
            }
        }
    }

    fn on_upload(&mut self, step: UploadStep) {
        match step {
            UploadStep::Send(transfer, bytes) => self.session.send_chunk(transfer, &bytes),
            UploadStep::AllSent(transfer, size) => {
                self.screen.say(&format!("* transfer {transfer}: all {size} bytes are sent"));
            }
            UploadStep::Withdraw(transfer, why) => {
                self.refuse("cannot_read", &format!("transfer {transfer}: {why}"));
                self.ask_about(transfer, Command::Cancel { transfer });
            }
        }
    }

    fn ask_about(&mut self, transfer: TransferId, command: Command<'_>) {
        let id = self.session.request(command);
        self.about.insert(id, About { transfer, saved: None });
    }
}

/// Where a file is saved whose confirmation is under way; visible.
fn saved_as(about: &[About], transfer: TransferId) -> Option<&str> {
    about.iter().find(|about| about.transfer == transfer)?.saved.as_deref()
}

fn announced(answer: &Result<Reply, Problem>) -> Option<TransferId> {
    match answer {
        Ok(Reply::Announced { transfer, .. }) => Some(*transfer),
        Ok(
            Reply::Done
            | Reply::Welcome { .. }
            | Reply::Joined { .. }
            | Reply::Left { .. }
            | Reply::PasswordChanged { .. }
            | Reply::LoggedOut
            | Reply::Heard { .. }
            | Reply::Kept { .. }
            | Reply::WhoElse { .. }
            | Reply::Blocked { .. }
            | Reply::Rooms { .. }
            | Reply::Who { .. }
            | Reply::Queue { .. }
            | Reply::Help { .. }
            | Reply::Pong,
        )
        | Err(_) => None,
    }
}
