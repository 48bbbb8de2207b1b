//! Files that are sent: how one is hashed, announced and read, part by part.
//!
//! Knows local files. The rules it keeps: no more bytes go out than were granted, and never another
//! number of bytes than was announced, whatever happens to the file meanwhile.

use std::io::{self, ErrorKind};
use std::time::Duration;

use super::source::{FileSource, Goal, OpenSource, SentFile, unreadable};
use super::stage::{FileKey, FileStage};
use super::step::FileAsk;
use super::transfer::{FileEnd, OwnFile};
use super::{Here, Transfers};
use crate::client::progress::{Direction, percent};
use crate::client::view::{Change, Note, Undone};
use crate::id::TransferId;
use crate::message::Refusal;

impl Transfers {
    /// Sends a file.
    pub(in crate::client) fn add(&mut self, source: FileSource, goal: Goal) {
        self.sent += 1;
        let key = FileKey::Up(self.sent);
        let file = OwnFile::new(key, self.seed, FileEnd::Sent(SentFile::new(source, goal)));
        self.entries.insert(key, file);
    }

    pub(super) fn announce(&mut self, key: FileKey, here: &Here) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let Some(sent) = entry.end.sent() else { return };
        if !sent.goal.is_near(here.rooms) {
            return self.give_up(key, Refusal::NotInRoom.code(), Undone::Elsewhere);
        }
        match sent.source.is_unchanged() {
            Ok(true) => {
                let announcement = sent.announcement(entry.again, here.names_room);
                self.steps.ask(FileAsk::Begin(key), announcement);
                entry.stage = FileStage::Asked;
            }
            Ok(false) => self.on_changed(key, Change::Waiting),
            Err(error) => self.fail(key, unreadable(&error)),
        }
    }

    pub(super) fn on_announced(
        &mut self,
        key: FileKey,
        transfer: TransferId,
        place: u32,
        now: Duration,
    ) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let Some(sent) = entry.end.sent() else { return };
        if sent.cancelled {
            self.entries.remove(&key);
            return self.steps.cancel(transfer);
        }
        sent.was = entry.number.replace(transfer);
        entry.retry.reset();
        // It stands at the end of the line.
        entry.stage = FileStage::Queued { place, of: place, since: now };
        if place > 0 {
            self.steps.note(Note::Moves(transfer, entry.progress(now)));
        }
    }

    /// The line moved.
    pub(in crate::client) fn handle_queued(
        &mut self,
        transfer: TransferId,
        (place, of): (u32, u32),
        now: Duration,
    ) {
        let Some(entry) = self.announced(transfer) else { return };
        if let FileStage::Queued { since, .. } = entry.stage {
            entry.stage = FileStage::Queued { place, of, since };
            let moved = Note::Moves(transfer, entry.progress(now));
            self.steps.note(moved);
        }
    }

    /// It has a slot: it continues behind `offset`, and at first so many bytes of it.
    pub(in crate::client) fn handle_admitted(
        &mut self,
        transfer: TransferId,
        waited_ms: u64,
        credit: u64,
        offset: u64,
        now: Duration,
    ) {
        let Some(key @ FileKey::Up(_)) = self.key(transfer) else { return };
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let Some(sent) = entry.end.sent().filter(|sent| !sent.cancelled) else { return };
        if !matches!(entry.stage, FileStage::Queued { .. }) {
            return;
        }
        if let Err(error) = sent.open_at(offset, credit) {
            self.steps.cancel(transfer);
            return self.fail(key, unreadable(&error));
        }
        let (was, percent) = (sent.was.take(), percent(offset, sent.source.size));
        entry.move_from(offset, now);
        self.steps.note(match was {
            Some(was) if was != transfer => Note::GoesOnAs { was, now: transfer, percent },
            Some(_) | None if offset > 0 => Note::GoesOn(entry.label(), percent),
            Some(_) | None => Note::Begins(entry.label(), waited_ms),
        });
    }

    /// So many bytes more may be sent.
    pub(in crate::client) fn handle_credit(&mut self, transfer: TransferId, bytes: u64) {
        let open = self.announced(transfer).and_then(|entry| entry.end.sent());
        if let Some(SentFile { open: OpenSource::Sending { credit, .. }, .. }) = open {
            *credit = credit.saturating_add(bytes);
        }
    }

    /// The next part that may go.
    pub(in crate::client) fn poll_part(&mut self, now: Duration) -> Option<(TransferId, Vec<u8>)> {
        let next = |entry: &mut OwnFile| {
            let transfer = entry.number?;
            let part = entry.end.sent()?.next_part().transpose()?;
            Some((entry.key, transfer, part.map(|bytes| (bytes, entry.moved(now)))))
        };
        let (key, transfer, part) = self.entries.values_mut().find_map(next)?;
        match part {
            Ok((bytes, far)) => {
                self.steps.moved(transfer, far);
                Some((transfer, bytes))
            }
            Err(error) => {
                self.on_unreadable(key, transfer, &error);
                self.poll_part(now)
            }
        }
    }

    fn on_unreadable(&mut self, key: FileKey, transfer: TransferId, error: &io::Error) {
        self.steps.cancel(transfer);
        if error.kind() == ErrorKind::UnexpectedEof {
            self.on_changed(key, Change::Moving);
        } else {
            self.fail(key, unreadable(error));
        }
    }

    /// The one of this number that the server knows.
    fn announced(&mut self, transfer: TransferId) -> Option<&mut OwnFile> {
        let key = self.key(transfer).filter(|key| key.direction() == Direction::Up)?;
        self.entries.get_mut(&key).filter(|entry| entry.is_asked())
    }

    /// It is not what was announced: once it is begun anew, as another file.
    pub(super) fn on_changed(&mut self, key: FileKey, when: Change) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if entry.anew {
            return self.give_up(key, "file_changed", Undone::ChangedAgain(when));
        }
        let label = entry.label();
        let Some(sent) = entry.end.sent() else { return };
        match sent.source.look_again() {
            Ok(source) => {
                let end = FileEnd::Sent(SentFile::new(source, sent.goal.clone()));
                *entry = OwnFile { anew: true, ..OwnFile::new(key, self.seed, end) };
                self.steps.note(Note::SentAnew(label, when));
            }
            Err(error) => {
                self.give_up(key, error.code(), Undone::ChangedAway(when, error.to_string()))
            }
        }
    }
}
