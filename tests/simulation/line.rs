//! The upload line, worked out from the log and from what the disk is asked: who waits at which
//! place, who has a slot, and how each upload ended.
//!
//! A line of the log names an upload by whom it is from and for, its name and size. No client has
//! two such at once of which both wait or come in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor::id::AccountId;

#[derive(Debug)]
pub(crate) struct Announced {
    pub(crate) from: String,
    pub(crate) size: u64,
    /// As the log writes it.
    what: String,
    /// The connection that it comes from.
    pub(crate) conn: String,
    at_ms: u64,
    pub(crate) owner: Option<AccountId>,
    pub(crate) receiver: Option<AccountId>,
    /// The connection of the guest whom it is for.
    pub(crate) guest: Option<String>,
}

impl Announced {
    pub(crate) fn new(what: &str, conn: &str, at_ms: u64) -> Self {
        let (from, rest) = what.split_once(" -> ").expect("it has a sender");
        let (_, size) = rest.rsplit_once(", ").expect("it has a size");
        Self {
            from: from.to_ascii_lowercase(),
            size: size.trim_end_matches(" bytes)").parse().unwrap(),
            what: what.to_owned(),
            conn: conn.to_owned(),
            at_ms,
            owner: None,
            receiver: None,
            guest: None,
        }
    }

    /// Whom it is for, as the log writes it.
    pub(crate) fn to(&self) -> &str {
        let (_, rest) = self.what.split_once(" -> ").expect("it has a sender");
        rest.split_once(" (").expect("it has a receiver").0
    }
}

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
    pub(crate) ended: BTreeMap<u32, String>,
    /// The place of each upload when it was announced.
    pub(crate) places: BTreeMap<u32, u32>,
    /// New places that a connection must be told, in their order.
    pub(crate) due: BTreeMap<String, VecDeque<Place>>,
    /// Uploads whose file was closed, and whether what is there is kept.
    pub(crate) closed: Vec<(u32, bool)>,
    /// By sender and file, what may be there of uploads that broke, in bytes at most.
    pub(crate) halves: BTreeMap<(String, String), u64>,
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
        assert!(!coming.contains(conn(&transfer)), "{transfer}: its sender has two slots");
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
    pub(crate) fn note_added(&self, now_ms: u64, text: &str) {
        let announced = &self.all[&self.admitted.expect("one has been opened")];
        let waited_ms = now_ms - announced.at_ms;
        let (used, slots, what) = (self.holders.len(), self.slots, &announced.what);
        let waited = format!("waited {}.{:03} s", waited_ms / 1000, waited_ms % 1000);
        assert_eq!(text, format!("{what} [{used}/{slots}] {waited}"));
    }

    /// The log says that an upload is over. Answers with which and how.
    pub(crate) fn note_removed(&mut self, text: &str) -> (u32, String) {
        self.settle();
        let (text, counts) = text.rsplit_once(" [").expect("it counts the slots");
        let (what, how) = text.split_once(" bytes) ").expect("it says how");
        let what = format!("{what} bytes)");
        let by_job = ["handed over", "what came", "the server could"];
        let transfer = if by_job.iter().any(|begin| how.starts_with(begin)) {
            let transfer = self.current.expect("a job has ended");
            assert_eq!(self.all[&transfer].what, what, "another one ends");
            transfer
        } else {
            self.find(&what)
        };
        self.remember();
        self.line.retain(|&waits| waits != transfer);
        self.holders.remove(&transfer);
        self.finishing.remove(&transfer);
        let counted = format!("{}/{}]", self.holders.len(), self.slots);
        assert_eq!(counts, counted, "the slots in use after {transfer}");
        let upload = &self.all[&transfer];
        if how == "the sender is gone" || how.starts_with("it stalled") {
            self.halves.insert((upload.from.clone(), what), upload.size);
        }
        let before = self.ended.insert(transfer, how.to_owned());
        assert!(before.is_none(), "{transfer} ended twice");
        (transfer, how.to_owned())
    }

    fn find(&self, what: &str) -> u32 {
        let open = self.line.iter().chain(self.holders.difference(&self.finishing));
        let found: Vec<u32> =
            open.copied().filter(|transfer| self.all[transfer].what == what).collect();
        assert_eq!(found.len(), 1, "{what} ends, and there are {found:?}");
        found[0]
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

    /// What is kept of an upload may go on.
    pub(crate) fn check_closed(&mut self) {
        for (transfer, keep) in std::mem::take(&mut self.closed) {
            let how = &self.ended[&transfer];
            let may = how == "the sender is gone" || how.starts_with("it stalled");
            assert!(may || !keep, "{transfer}: {how}, and what is there is kept");
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
        for (_, upload) in self.open() {
            halves.insert((upload.from.clone(), upload.what.clone()), upload.size);
        }
        let (slots, most) = (self.slots, self.most);
        *self = Self { slots, most, halves, ..Self::default() };
    }
}
