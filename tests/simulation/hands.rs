//! A client's files: what it sends, what it takes, what it was told about either.

use std::collections::{BTreeMap, BTreeSet};

use parlor::id::TransferId;
use parlor::message::{Digest, FileLine, Op};
use parlor::wire::frame;

use super::asked::{About, Asked};
use super::client::{Bounds, Client};
use super::oracle::Oracle;
use super::store::{byte, digest};
use super::stream::{Heard, Yes};

/// An upload.
#[derive(Debug, Default)]
pub(crate) struct Sending {
    pub(crate) size: u64,
    pub(crate) seed: u32,
    pub(crate) hash: Option<Digest>,
    /// What it is and whom it is for: nobody has two such under way.
    pub(crate) about: String,
    /// Up to which byte it may come.
    pub(crate) granted: u64,
    offset: u64,
    /// What was sent from the offset on.
    sent: Vec<u8>,
    pub(crate) admitted: bool,
    pub(crate) ended: bool,
    pub(crate) stored: bool,
    /// More was sent than was granted.
    overrun: bool,
    /// Something else was sent than was announced.
    lied: bool,
    /// Whether all that was sent has come is not known.
    unsure: bool,
}

impl Sending {
    /// Up to which byte it was sent.
    pub(crate) fn at(&self) -> u64 {
        self.offset + self.sent.len() as u64
    }

    /// Whether nobody could have expected any more of the sender.
    pub(crate) fn is_stuck(&self) -> bool {
        self.admitted && !self.ended && self.at() >= self.granted
    }
}

/// A download.
#[derive(Debug)]
pub(crate) struct Getting {
    pub(crate) size: u64,
    hash: Digest,
    got: u64,
    pub(crate) active: bool,
}

/// What a client sends that it must not, or not then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    Over,
    Wrong,
    Again,
    Ahead,
}

/// All files of a client.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    pub(crate) sending: BTreeMap<u32, Sending>,
    pub(crate) getting: BTreeMap<u32, Getting>,
    /// Files that it was offered, and whether for itself alone.
    pub(crate) offered: BTreeMap<u32, bool>,
    /// Files that it has whole.
    pub(crate) has: BTreeMap<u32, u64>,
    /// Files that it has parted with, or asked to.
    pub(crate) parted: BTreeSet<u32>,
    pub(crate) cancelled: BTreeSet<u32>,
    pub(crate) listed: Vec<u32>,
    pub(crate) lies: u64,
    pub(crate) got_bytes: u64,
}

impl Client {
    /// Sends the next `len` bytes of a file, or something else.
    pub(crate) fn send_chunk(&mut self, transfer: u32, len: u64, lie: Option<Lie>) {
        let Some(sending) = self.hands.sending.get_mut(&transfer) else { return };
        let left = sending.granted.saturating_sub(sending.at());
        let len = if lie == Some(Lie::Over) { left + 1 } else { len.min(left) };
        let from = match lie {
            Some(Lie::Again) => sending.at().saturating_sub(len),
            Some(Lie::Ahead) => sending.at() + len,
            _ => sending.at(),
        };
        let shift = u8::from(lie == Some(Lie::Wrong));
        let seed = sending.seed;
        let bytes: Vec<u8> =
            (from..from + len).map(|offset| byte(seed, offset).wrapping_add(shift)).collect();
        if lie.is_some() && len > 0 {
            sending.lied = true;
            self.hands.lies += 1;
        }
        sending.overrun |= lie == Some(Lie::Over);
        sending.sent.extend(&bytes);
        self.push_chunk(transfer, &bytes);
    }

    /// Sends a part of something that nobody waits for (any more).
    pub(crate) fn send_stray(&mut self, transfer: u32, bytes: &[u8]) {
        if let Some(sending) = self.hands.sending.get_mut(&transfer) {
            sending.overrun |= !sending.ended && !bytes.is_empty();
            sending.lied |= !bytes.is_empty();
            // It may have its slot by then.
            sending.unsure |= !sending.admitted;
        }
        self.hands.lies += 1;
        self.push_chunk(transfer, bytes);
    }

    fn push_chunk(&mut self, transfer: u32, bytes: &[u8]) {
        let transfer = TransferId(transfer);
        let frame = if self.native {
            frame::emit_chunk(transfer, bytes)
        } else {
            parlor::front::text::emit_chunk(transfer, bytes)
        };
        self.push(&frame);
    }

    /// News of files.
    pub(super) fn hear_of_files(&mut self, heard: Heard, oracle: &mut Oracle, limits: &Bounds) {
        let conn = self.label();
        match heard {
            Heard::Queued { transfer, place, of } => {
                let due = oracle.line.due.get_mut(&conn).and_then(|due| due.pop_front());
                assert_eq!(due, Some((transfer, place, of)), "{conn} is told a place");
                live(&mut self.hands.sending, transfer);
            }
            Heard::Admitted { transfer, credit, offset } => {
                let sending = live(&mut self.hands.sending, transfer);
                assert!(!sending.admitted, "{transfer} has a slot twice");
                assert_eq!(Some(&offset), limits.disk.opened.get(&transfer), "{transfer} goes on");
                assert!(credit <= (sending.size - offset).min(limits.credit));
                (sending.admitted, sending.offset) = (true, offset);
                sending.granted = offset + credit;
            }
            Heard::Credit { transfer, bytes } => {
                let sending = live(&mut self.hands.sending, transfer);
                sending.granted += bytes;
                assert!(sending.granted <= sending.size, "{transfer} has too much credit");
            }
            Heard::Offered { transfer, line, from, size } => {
                self.hear_offer(transfer, line, (&from, size), oracle);
            }
            Heard::Receipt { transfer, by, took } => {
                let due = oracle.shelf.receipts.get_mut(&conn).and_then(|due| due.pop_front());
                let told = Some((transfer, by.to_ascii_lowercase(), took));
                assert_eq!(due, told, "{conn} hears what became of a file");
            }
            Heard::Ended { transfer, how } => self.hear_ended(transfer, &how, oracle, limits),
            Heard::Chunk { transfer, bytes } => self.hear_chunk(transfer, &bytes, oracle),
            other => panic!("no news of files: {other:?}"),
        }
    }

    fn hear_offer(
        &mut self,
        transfer: u32,
        line: Option<FileLine>,
        (from, size): (&str, u64),
        oracle: &mut Oracle,
    ) {
        let conn = self.label();
        let due = oracle.shelf.offers.get_mut(&conn).and_then(|due| due.pop_front());
        assert_eq!(due, Some(transfer), "{conn} ({}) is offered another file", self.user);
        let known = &oracle.shelf.history[&transfer].line;
        assert!(known.from.as_str() == from && known.size == size, "the offer of {transfer}");
        assert!(line.is_none_or(|line| line == *known), "the offer of {transfer}");
        let alone = matches!(known.to, parlor::message::Target::User(_));
        assert!(!self.is_deaf_to(from), "{} has blocked {from} and is offered a file", self.user);
        self.hands.offered.insert(transfer, alone);
        oracle.shelf.offered += 1;
    }

    fn hear_ended(&mut self, transfer: u32, how: &str, oracle: &mut Oracle, limits: &Bounds) {
        let conn = self.label();
        if let Some(sending) = self.hands.sending.get_mut(&transfer).filter(|s| !s.ended) {
            sending.ended = true;
            let cancelled = self.hands.cancelled.contains(&transfer);
            return check_ending(transfer, sending, how, cancelled, (oracle, limits));
        }
        if how == "the receiver left" {
            let due = oracle.shelf.lost.get_mut(&conn).and_then(|due| due.pop_front());
            assert_eq!(due, Some(transfer), "{conn} hears that a file is for nobody");
            return;
        }
        let getting = self.hands.getting.get_mut(&transfer).filter(|getting| getting.active);
        let getting = getting.unwrap_or_else(|| panic!("{conn}: {transfer} {how}, twice"));
        getting.active = false;
        let is_right = match how {
            "withdrawn" => self.hands.cancelled.contains(&transfer),
            "the file was removed" => {
                !oracle.shelf.records.contains_key(&transfer)
                    || oracle.shelf.was_asked_to_go(transfer)
            }
            _ => how.contains("could not store") && limits.disk.unread.contains(&getting.hash),
        };
        assert!(is_right, "{conn}: {transfer} {how}");
    }

    fn hear_chunk(&mut self, transfer: u32, bytes: &[u8], oracle: &Oracle) {
        let getting = self.hands.getting.get_mut(&transfer).filter(|getting| getting.active);
        let getting = getting.unwrap_or_else(|| panic!("{transfer} comes unasked"));
        let from = usize::try_from(getting.got).unwrap();
        let content = &oracle.shelf.contents[&getting.hash];
        let expected = content.get(from..from + bytes.len());
        assert_eq!(Some(bytes), expected, "{transfer} from {from} of {}", getting.size);
        getting.got += bytes.len() as u64;
        self.hands.got_bytes += bytes.len() as u64;
        if getting.got == getting.size {
            getting.active = false;
            self.hands.has.insert(transfer, getting.size);
        }
    }

    /// An answer about files; says whether it is one and fits its request.
    pub(super) fn hear_files_answer(
        &mut self,
        yes: &Yes,
        asked: &Asked,
        oracle: &mut Oracle,
        limits: &Bounds,
    ) -> bool {
        match (yes, asked.op.expect("nonsense is refused"), &asked.file) {
            (
                Yes::Announced { transfer, place },
                Op::SendFile | Op::Upload,
                About::Upload(sent),
            ) => {
                assert!(u64::from(*place) <= limits.waiting, "place {place}");
                self.hear_announced(*transfer, *place, asked, sent, oracle);
            }
            (Yes::Queue { slots, used, waiting }, Op::Queue, _) => {
                assert_eq!(*slots, limits.slots);
                assert!(used <= slots && *waiting <= limits.waiting);
            }
            (Yes::Files { files, more, lines }, Op::Files, About::List { pattern, after }) => {
                for line in lines {
                    assert_eq!(*line, oracle.shelf.history[&line.transfer.0].line);
                }
                let watch = asked.watch.and_then(|id| oracle.shelf.unwatch(id));
                let watch = watch.expect("a list is watched");
                let fits = |number: u32| {
                    let name = &oracle.shelf.history[&number].line.name;
                    number > *after && pattern.as_ref().is_none_or(|p| name.as_str().contains(p))
                };
                check_list(files, *more, &watch.must, &watch.may, fits);
                self.hands.listed.clone_from(files);
            }
            (Yes::Getting { transfer, line, offset }, Op::Get, About::Get { name, from }) => {
                assert_eq!(offset, from, "{transfer} comes from another byte");
                let watch = asked.watch.and_then(|id| oracle.shelf.unwatch(id));
                let watch = watch.expect("a request for a file is watched");
                assert!(watch.may.contains(transfer), "{} is given {transfer}", self.user);
                let known = &oracle.shelf.history[transfer].line;
                assert!(line.as_ref().is_none_or(|line| line == known));
                if let Some(name) = name {
                    assert_eq!(known.name.as_str(), name);
                    let newer = watch.must.range(transfer + 1..);
                    let mut newer =
                        newer.filter(|n| oracle.shelf.history[n].line.name.as_str() == name);
                    assert_eq!(newer.next(), None, "a newer {name} than {transfer}");
                }
                self.begin_getting(*transfer, known, *offset);
            }
            (Yes::Done, Op::Received | Op::Reject | Op::Remove, About::File(transfer)) => {
                let alone = self.hands.offered.get(transfer) == Some(&true);
                let gone = !oracle.shelf.records.contains_key(transfer);
                let parts = alone || asked.op == Some(Op::Remove);
                if let Some(id) = asked.watch {
                    oracle.shelf.unwatch(id);
                }
                assert!(gone || !parts, "{transfer} is parted with and still here");
            }
            (Yes::Done, Op::Cancel, About::File(_)) => {}
            _ => return false,
        }
        true
    }

    fn hear_announced(
        &mut self,
        transfer: u32,
        place: u32,
        asked: &Asked,
        sent: &super::asked::Sent,
        oracle: &Oracle,
    ) {
        let fresh = oracle.line.places.get(&transfer);
        let conn = self.label();
        let from_here = oracle.line.all.get(&transfer).is_some_and(|known| known.conn == conn);
        let is_known = sent.hash.is_some()
            && (!from_here || self.hands.sending.contains_key(&transfer))
            && oracle.is_from_user(transfer, &self.user);
        if !is_known {
            assert_eq!(fresh, Some(&place), "the place of {transfer}");
            assert!(from_here, "{transfer} is somebody else's");
            let still = sent.before.iter().find(|number| oracle.shelf.records.contains_key(number));
            let alone = !sent.about.starts_with('*');
            assert!(!(alone && still.is_some()), "{still:?} comes again as {transfer}");
        }
        let sending = Sending {
            size: asked.size,
            seed: sent.seed,
            hash: sent.hash,
            about: sent.about.clone(),
            // What it was before is not known to this connection.
            lied: is_known || sent.lies,
            unsure: is_known,
            ..Sending::default()
        };
        let before = self.hands.sending.insert(transfer, sending);
        assert!(before.is_none() || sent.hash.is_some(), "{transfer} is announced twice");
    }

    fn begin_getting(&mut self, transfer: u32, line: &FileLine, offset: u64) {
        let active = offset < line.size;
        let getting = Getting { size: line.size, hash: line.hash, got: offset, active };
        let before = self.hands.getting.insert(transfer, getting);
        assert!(before.is_none_or(|before| !before.active), "{transfer} comes twice");
        if !active {
            self.hands.has.insert(transfer, line.size);
        }
    }

    /// A request was refused: what was to be seen all the time is no file that is not there.
    pub(super) fn hear_refused(&mut self, code: &str, asked: &Asked, oracle: &mut Oracle) {
        let Some(watch) = asked.watch.and_then(|id| oracle.shelf.unwatch(id)) else { return };
        let name_of = |number: u32| oracle.shelf.history[&number].line.name.as_str();
        let is_there = match &asked.file {
            About::File(number) => watch.must.contains(number),
            About::Get { name: Some(name), .. } => {
                watch.must.iter().any(|&number| name_of(number) == name)
            }
            About::Nothing | About::Get { .. } | About::Upload(_) | About::List { .. } => false,
        };
        assert!(code != "no_such_file" || !is_there, "{} is refused {:?}", self.user, asked.file);
    }

    /// Nothing of anybody's files is to come any more.
    pub(super) fn end_files(&mut self) {
        for getting in self.hands.getting.values_mut() {
            getting.active = false;
        }
        self.hands.offered.clear();
        self.hands.parted.clear();
        self.hands.listed.clear();
    }
}

fn check_ending(
    transfer: u32,
    sending: &mut Sending,
    how: &str,
    cancelled: bool,
    (oracle, limits): (&Oracle, &Bounds),
) {
    let known = oracle.line.ended.get(&transfer).map(ToString::to_string);
    // What is more than all of it has come when it was whole, or has ended it.
    let size = usize::try_from(sending.size).unwrap_or(usize::MAX);
    let content = || digest(&sending.sent[..sending.sent.len().min(size)]);
    let is_right = match how {
        "handed over" => {
            assert!(oracle.shelf.was_durable(transfer), "{transfer} is stored before its record");
            let stored = oracle.shelf.history[&transfer].line.hash;
            let expected = sending.hash.unwrap_or_else(content);
            assert!(stored == expected || sending.unsure, "{transfer} has become another");
            sending.stored = true;
            true
        }
        "withdrawn" => cancelled,
        "the sender disconnected" | "the receiver left" => true,
        _ if how.starts_with("it stalled") => true,
        _ if how.starts_with("what came") => {
            let resumed = sending.offset > 0;
            let same = sending.hash == Some(content());
            limits.disk.mismatched.contains(&transfer) && (sending.lied || resumed || !same)
        }
        _ if how.starts_with("more bytes") => sending.overrun,
        _ => how.contains("could not store"),
    };
    assert!(is_right, "{transfer}: {how}");
    assert!(
        known.as_deref().is_none_or(|known| known == how),
        "{transfer}: {how}, and the log says {known:?}"
    );
}

/// What was listed was to be seen at some moment, and what was to be seen all the time is there.
fn check_list(
    files: &[u32],
    more: bool,
    must: &BTreeSet<u32>,
    may: &BTreeSet<u32>,
    fits: impl Fn(u32) -> bool,
) {
    assert!(files.is_sorted_by(|a, b| a < b), "a list out of order: {files:?}");
    for &number in files {
        assert!(may.contains(&number) && fits(number), "{number} is listed");
    }
    let last = if more { *files.last().expect("there are more than none") } else { u32::MAX };
    for &number in must.iter().filter(|number| **number <= last && fits(**number)) {
        assert!(files.contains(&number), "{number} is not listed among {files:?}");
    }
    assert!(!more || may.iter().any(|&number| number > last && fits(number)), "no more to list");
}

fn live(sending: &mut BTreeMap<u32, Sending>, transfer: u32) -> &mut Sending {
    let sending = sending.get_mut(&transfer);
    let sending = sending.unwrap_or_else(|| panic!("news of {transfer}, which is not theirs"));
    assert!(!sending.ended, "news of {transfer} after its end");
    sending
}
