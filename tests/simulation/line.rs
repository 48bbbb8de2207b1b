//! The upload line, worked out from the log's facts and from what the disk is asked: who waits at
//! which place, who has a slot, and how each upload ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor::facts::{Parcel, Slots};
use parlor::id::{AccountId, TransferId};
use parlor::message::Ending;

use super::oracle::lower;

#[derive(Debug)]
pub(crate) struct Announced {
    pub(crate) from: String,
    pub(crate) file: Parcel,
    /// The connection that it comes from.
    pub(crate) conn: String,
    at_ms: u64,
    pub(crate) owner: Option<AccountId>,
    pub(crate) receiver: Option<AccountId>,
    /// The connection of the guest whom it is for.
    pub(crate) guest: Option<String>,
}

impl Announced {
    pub(crate) fn new(file: &Parcel, conn: &str, at_ms: u64) -> Self {
        Self {
            from: lower(file.from),
            file: file.clone(),
            conn: conn.to_owned(),
            at_ms,
            owner: None,
            receiver: None,
            guest: None,
        }
    }

    /// What half of it is known by: sender, receiver, name and size.
    fn half(&self) -> Half {
        let Parcel { to, name, size, .. } = &self.file;
        (self.from.clone(), to.to_string(), name.as_str().to_owned(), *size)
    }
}

/// Half a file that may be there: the sender, whom it is for, its name, and its size in bytes.
pub(crate) type Half = (String, String, String, u64);

/// A new place: which upload, its place, and how long the line is.
pub(crate) type Place = (u32, u32, u32);

#[derive(Debug, Default)]
pub(crate) struct Line {
    slots: usize,
    pub(crate) all: BTreeMap<u32, Announced>,
    line: Vec<u32>,
    holders: BTreeSet<u32>,
    finishing: BTreeSet<u32>,
    /// The line as its people were told last.
    before: Option<Vec<u32>>,
    /// Announced and not yet given a place.
    fresh: Option<u32>,
    admitted: Option<u32>,
    /// For which upload a job has just ended.
    pub(crate) current: Option<u32>,
    pub(crate) ended: BTreeMap<u32, Ending>,
    /// The place of each upload when it was announced.
    pub(crate) places: BTreeMap<u32, u32>,
    /// New places that a connection must be told, in their order.
    pub(crate) due: BTreeMap<String, VecDeque<Place>>,
    /// Uploads whose file was closed, and whether what is there is kept.
    pub(crate) closed: Vec<(u32, bool)>,
    /// What may be there of uploads that broke.
    pub(crate) halves: BTreeSet<Half>,
    /// Connections that may have come back for an upload that is finishing.
    pub(crate) adopters: BTreeSet<String>,
    /// Most slots in use at once.
    pub(crate) most: usize,
}

impl Line {
    pub(crate) fn new(slots: u64) -> Self {
        Self { slots: usize::try_from(slots).unwrap(), ..Self::default() }
    }

    pub(crate) fn announced(&mut self, transfer: u32, announced: Announced) {
        self.settle();
        let before = self.all.insert(transfer, announced);
        assert!(before.is_none(), "transfer {transfer} exists twice");
        self.line.push(transfer);
        self.fresh = Some(transfer);
    }

    /// An upload has a slot: its file is opened.
    pub(crate) fn opened(&mut self, transfer: u32) {
        self.remember();
        let at = self.line.iter().position(|&waits| waits == transfer);
        let at = at.unwrap_or_else(|| panic!("{transfer} has a slot and was not in line"));
        let conn = |transfer: &u32| &self.all[transfer].conn;
        let coming: BTreeSet<&String> =
            self.holders.difference(&self.finishing).map(conn).collect();
        assert!(!coming.contains(conn(&transfer)), "{transfer}: the sender has two slots");
        for earlier in &self.line[..at] {
            let passed = conn(earlier);
            let has = self.holders.iter().any(|holder| conn(holder) == passed);
            assert!(has || self.adopters.contains(passed), "{earlier} is passed over");
        }
        self.line.remove(at);
        self.holders.insert(transfer);
        self.most = self.most.max(self.holders.len());
        assert!(self.holders.len() <= self.slots, "more uploads than slots");
        self.admitted = Some(transfer);
    }

    pub(crate) fn finishes(&mut self, transfer: u32) {
        assert!(self.holders.contains(&transfer), "{transfer} finishes without a slot");
        self.finishing.insert(transfer);
    }

    /// The log says that an upload has its slot.
    pub(crate) fn note_added(
        &self,
        now_ms: u64,
        transfer: TransferId,
        file: &Parcel,
        waited_ms: u64,
        slots: Slots,
    ) {
        assert_eq!(self.admitted, Some(transfer.0), "another one has been opened");
        let announced = &self.all[&transfer.0];
        assert_eq!((file, slots), (&announced.file, self.in_use()), "{transfer} has its slot");
        assert_eq!(waited_ms, now_ms - announced.at_ms, "{transfer} waited otherwise");
    }

    /// The log says that an upload is over.
    pub(crate) fn note_removed(
        &mut self,
        transfer: TransferId,
        file: &Parcel,
        how: Ending,
        slots: Slots,
    ) {
        self.settle();
        let number = transfer.0;
        assert_eq!(&self.all[&number].file, file, "{transfer} is another file");
        if matches!(how, Ending::Stored | Ending::Mismatch | Ending::StoreFailed) {
            assert_eq!(self.current, Some(number), "no job of {transfer} has ended");
        } else {
            let comes = self.holders.contains(&number) && !self.finishing.contains(&number);
            assert!(comes || self.line.contains(&number), "{transfer} ends and is not under way");
        }
        self.remember();
        self.line.retain(|&waits| waits != number);
        self.holders.remove(&number);
        self.finishing.remove(&number);
        assert_eq!(slots, self.in_use(), "the slots in use after {transfer}");
        if may_go_on(how) {
            self.halves.insert(self.all[&number].half());
        }
        let before = self.ended.insert(number, how);
        assert!(before.is_none(), "{transfer} ended twice");
    }

    fn in_use(&self) -> Slots {
        Slots { used: self.holders.len(), slots: self.slots }
    }

    /// All that comes with a change has been seen: who was waiting is told its new place.
    pub(crate) fn settle(&mut self) {
        if let Some(fresh) = self.fresh.take() {
            self.places.insert(fresh, self.place(fresh));
        }
        let Some(before) = self.before.take() else { return };
        let of = u32::try_from(self.line.len()).unwrap();
        for (index, transfer) in self.line.iter().enumerate() {
            if before.get(index) != Some(transfer) {
                let place = u32::try_from(index + 1).unwrap();
                let due = self.due.entry(self.all[transfer].conn.clone()).or_default();
                due.push_back((*transfer, place, of));
            }
        }
    }

    /// What is kept of an upload may be resumed.
    pub(crate) fn check_closed(&mut self) {
        for (transfer, keep) in std::mem::take(&mut self.closed) {
            let how = self.ended[&transfer];
            assert!(may_go_on(how) || !keep, "{transfer}: {how}, and what is there is kept");
        }
    }

    fn remember(&mut self) {
        if self.before.is_none() {
            self.before = Some(self.line.clone());
        }
    }

    fn place(&self, transfer: u32) -> u32 {
        let at = self.line.iter().position(|&waits| waits == transfer);
        at.map_or(0, |at| u32::try_from(at + 1).unwrap())
    }

    /// Uploads that are not over.
    pub(crate) fn open(&self) -> impl Iterator<Item = (u32, &Announced)> {
        let open = self.line.iter().chain(&self.holders);
        open.map(|transfer| (*transfer, &self.all[transfer]))
    }

    /// The server is another one.
    pub(crate) fn restart(&mut self) {
        let mut halves = std::mem::take(&mut self.halves);
        halves.extend(self.open().map(|(_, upload)| upload.half()));
        let (slots, most) = (self.slots, self.most);
        *self = Self { slots, most, halves, ..Self::default() };
    }
}

/// Whether what is there of an upload that ended so waits for the sender.
fn may_go_on(how: Ending) -> bool {
    matches!(how, Ending::SenderGone | Ending::Stalled)
}
