//! Who sent how much, who received what: the accounting that every run is judged by.
//!
//! Refuses to know bytes, sockets and time. The rule it keeps: each pair of a speaker and a
//! receiver is followed on its own, so a message that one receiver missed cannot be hidden by one
//! that another got twice. A message is *lost* when it never came, *doubled* when it came again,
//! *out of order* when one that was sent after it had come before it, and *foreign* when it was
//! never sent or not to this receiver.

use std::ops::Range;

/// Who hears whom: clients stand in groups of equal size, and the first of each group speak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Clients in all; a multiple of `group`.
    pub(crate) clients: usize,
    /// Clients in one group (a room, or a pair).
    pub(crate) group: usize,
    /// How many of a group speak.
    pub(crate) speakers: usize,
}

impl Layout {
    /// The first client of the group of `who`.
    pub(crate) fn first_of(&self, who: usize) -> usize {
        who - who % self.group
    }

    /// Whether `who` speaks.
    pub(crate) fn speaks(&self, who: usize) -> bool {
        who % self.group < self.speakers
    }

    /// Every client that speaks.
    pub(crate) fn all_speakers(self) -> impl Iterator<Item = usize> {
        (0..self.clients).filter(move |&who| self.speaks(who))
    }
}

/// What a delivery turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The next one, or one after a gap.
    New,
    /// One from a gap: it came after a later one.
    OutOfOrder,
    /// It had come already.
    Doubled,
    /// Never sent, or not to this receiver.
    Foreign,
}

/// The sums of a ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Messages handed to the server.
    pub(crate) sent: u64,
    /// Of these, answered with yes.
    pub(crate) accepted: u64,
    /// Of these, answered with no.
    pub(crate) refused: u64,
    /// Deliveries that must happen: what was not refused, times its receivers.
    pub(crate) expected: u64,
    /// Deliveries that happened, each counted once.
    pub(crate) delivered: u64,
    /// Deliveries that never happened.
    pub(crate) lost: u64,
    /// Deliveries that happened again.
    pub(crate) doubled: u64,
    /// Deliveries after a later one of the same speaker.
    pub(crate) out_of_order: u64,
    /// Deliveries of what was never sent to that receiver.
    pub(crate) foreign: u64,
}

impl Totals {
    /// Those of two runs together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            accepted: self.accepted + other.accepted,
            refused: self.refused + other.refused,
            expected: self.expected + other.expected,
            delivered: self.delivered + other.delivered,
            lost: self.lost + other.lost,
            doubled: self.doubled + other.doubled,
            out_of_order: self.out_of_order + other.out_of_order,
            foreign: self.foreign + other.foreign,
        }
    }

    /// Whether every message came exactly once and in order.
    pub(crate) fn is_sound(&self) -> bool {
        self.lost + self.doubled + self.out_of_order + self.foreign == 0
    }
}

/// The accounting of one run.
#[derive(Debug)]
pub(crate) struct Ledger {
    layout: Layout,
    accounts: Vec<Account>,
    tracks: Vec<Track>,
    sums: Totals,
}

/// What one client has said.
#[derive(Clone, Debug, Default)]
struct Account {
    sent: u64,
    accepted: u64,
    refused: u64,
}

/// What one receiver has of one speaker.
#[derive(Clone, Debug, Default)]
struct Track {
    next: u64,
    gaps: Vec<Range<u64>>,
}

impl Ledger {
    /// An empty ledger for these groups.
    pub(crate) fn new(layout: Layout) -> Self {
        Self {
            layout,
            accounts: vec![Account::default(); layout.clients],
            tracks: vec![Track::default(); layout.clients * layout.speakers],
            sums: Totals::default(),
        }
    }

    /// Notes that `who` sends a message; its number among the messages of `who`.
    pub(crate) fn on_sent(&mut self, who: usize) -> u64 {
        let account = &mut self.accounts[who];
        account.sent += 1;
        self.sums.sent += 1;
        self.sums.expected += self.layout.group as u64 - 1;
        account.sent - 1
    }

    /// Notes that a message of `who` was answered.
    pub(crate) fn on_answer(&mut self, who: usize, accepted: bool) {
        let account = &mut self.accounts[who];
        if accepted {
            account.accepted += 1;
            self.sums.accepted += 1;
        } else {
            account.refused += 1;
            self.sums.refused += 1;
            self.sums.expected -= self.layout.group as u64 - 1;
        }
    }

    /// Notes that message `number` of `sender` came to `receiver`.
    pub(crate) fn on_delivery(&mut self, receiver: usize, sender: usize, number: u64) -> Verdict {
        let verdict = self.judge(receiver, sender, number);
        match verdict {
            Verdict::New => self.sums.delivered += 1,
            Verdict::OutOfOrder => {
                self.sums.delivered += 1;
                self.sums.out_of_order += 1;
            }
            Verdict::Doubled => self.sums.doubled += 1,
            Verdict::Foreign => self.sums.foreign += 1,
        }
        verdict
    }

    /// Notes a delivery that carries no readable stamp.
    pub(crate) fn on_garbage(&mut self) {
        self.sums.foreign += 1;
    }

    fn judge(&mut self, receiver: usize, sender: usize, number: u64) -> Verdict {
        let place = sender.wrapping_sub(self.layout.first_of(receiver));
        let known = self.accounts.get(sender).is_some_and(|account| number < account.sent);
        if sender == receiver || place >= self.layout.speakers || !known {
            return Verdict::Foreign;
        }
        self.tracks[receiver * self.layout.speakers + place].note(number)
    }

    /// The sums while the run continues: `lost` is not known yet and is 0.
    pub(crate) fn so_far(&self) -> &Totals {
        &self.sums
    }

    /// Whether all answers and all deliveries have come.
    pub(crate) fn is_settled(&self) -> bool {
        let sums = &self.sums;
        sums.delivered >= sums.expected && sums.accepted + sums.refused == sums.sent
    }

    /// The sums at the end of the run.
    pub(crate) fn totals(&self) -> Totals {
        let mut sums = self.sums;
        for receiver in 0..self.layout.clients {
            let first = self.layout.first_of(receiver);
            for place in (0..self.layout.speakers).filter(|place| first + place != receiver) {
                let account = &self.accounts[first + place];
                let expected = account.sent - account.refused;
                let track = &self.tracks[receiver * self.layout.speakers + place];
                sums.lost += expected.saturating_sub(track.received());
                // Refused and delivered all the same.
                sums.foreign += track.received().saturating_sub(expected);
            }
        }
        sums
    }
}

impl Track {
    fn note(&mut self, number: u64) -> Verdict {
        if number == self.next {
            self.next += 1;
            return Verdict::New;
        }
        if number > self.next {
            self.gaps.push(self.next..number);
            self.next = number + 1;
            return Verdict::New;
        }
        let Some(at) = self.gaps.iter().position(|gap| gap.contains(&number)) else {
            return Verdict::Doubled;
        };
        let gap = self.gaps.remove(at);
        let rest = [gap.start..number, number + 1..gap.end];
        self.gaps.extend(rest.into_iter().filter(|gap| !gap.is_empty()));
        Verdict::OutOfOrder
    }

    fn received(&self) -> u64 {
        self.next - self.gaps.iter().map(|gap| gap.end - gap.start).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rooms of three, in which the first two speak.
    fn ledger() -> Ledger {
        Ledger::new(Layout { clients: 6, group: 3, speakers: 2 })
    }

    fn spoken(sender: usize, count: u64) -> Ledger {
        let mut ledger = ledger();
        for number in 0..count {
            assert_eq!(ledger.on_sent(sender), number);
            ledger.on_answer(sender, true);
        }
        ledger
    }

    #[test]
    fn all_that_came_once_and_in_order_is_sound() {
        let mut ledger = spoken(0, 3);
        for number in 0..3 {
            assert!(!ledger.is_settled());
            for receiver in [1, 2] {
                assert_eq!(ledger.on_delivery(receiver, 0, number), Verdict::New);
            }
        }
        assert!(ledger.is_settled());
        let totals = ledger.totals();
        assert!(totals.is_sound(), "{totals:?}");
        assert_eq!((totals.sent, totals.expected, totals.delivered), (3, 6, 6));
    }

    #[test]
    fn what_never_came_is_lost_even_when_another_came_twice() {
        let mut ledger = spoken(3, 4);
        for number in 0..4 {
            ledger.on_delivery(4, 3, number);
        }
        for number in [0, 2, 2] {
            ledger.on_delivery(5, 3, number);
        }
        let totals = ledger.totals();
        assert_eq!((totals.lost, totals.doubled, totals.out_of_order), (2, 1, 0));
        assert!(!totals.is_sound());
        assert!(!ledger.is_settled());
    }

    #[test]
    fn one_that_comes_after_a_later_one_is_out_of_order_and_only_once() {
        let mut ledger = spoken(0, 6);
        let verdicts: Vec<_> = [0, 4, 2, 2, 1, 3, 5, 4]
            .into_iter()
            .map(|number| ledger.on_delivery(1, 0, number))
            .collect();
        use Verdict::{Doubled, New, OutOfOrder};
        let expected = [New, New, OutOfOrder, Doubled, OutOfOrder, OutOfOrder, New, Doubled];
        assert_eq!(verdicts, expected);
        let totals = ledger.totals();
        // The other receiver has had nothing.
        assert_eq!((totals.lost, totals.doubled, totals.out_of_order), (6, 2, 3));
    }

    #[test]
    fn what_was_refused_is_neither_expected_nor_lost() {
        let mut ledger = spoken(0, 1);
        ledger.on_sent(0);
        ledger.on_answer(0, false);
        ledger.on_delivery(1, 0, 0);
        ledger.on_delivery(2, 0, 0);
        let totals = ledger.totals();
        assert_eq!((totals.refused, totals.expected, totals.lost), (1, 2, 0));
        assert!(totals.is_sound() && ledger.is_settled());

        ledger.on_delivery(1, 0, 1);
        assert_eq!(ledger.totals().foreign, 1, "refused and delivered all the same");
    }

    #[test]
    fn what_nobody_sent_to_this_receiver_is_foreign() {
        let mut ledger = spoken(0, 1);
        // Never sent, another room, your own words, a listener, nobody.
        for (receiver, sender, number) in [(1, 0, 1), (4, 0, 0), (0, 0, 0), (1, 2, 0), (1, 99, 0)] {
            assert_eq!(ledger.on_delivery(receiver, sender, number), Verdict::Foreign);
        }
        assert_eq!(ledger.totals().foreign, 5);
    }

    #[test]
    fn what_was_not_answered_is_still_expected() {
        let mut ledger = ledger();
        ledger.on_sent(0);
        ledger.on_delivery(1, 0, 0);
        ledger.on_delivery(2, 0, 0);
        assert!(!ledger.is_settled());
        assert_eq!(ledger.totals().lost, 0);
    }
}
