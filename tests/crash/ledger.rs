//! Who was promised what: every message of every pair of a sender and a receiver, what the server
//! answered, and what has arrived. It fails at the first message that shows a promise broken.
//!
//! Messages of a pair are numbered from 0. The rules: what was answered `kept` arrives; what was
//! refused never does; what was never answered may; nothing arrives twice, and a higher number
//! never before a lower one. So as soon as a number arrives, all that were kept before it must
//! have.

use std::collections::BTreeMap;

/// A sender and a receiver.
pub(crate) type Pair = (String, String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    /// Sent, and no answer to it is known.
    None,
    Kept,
    Refused,
}

#[derive(Debug, Default)]
struct Track {
    /// By number.
    messages: Vec<(Promise, bool)>,
    /// The number behind the last that arrived.
    next: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    tracks: BTreeMap<Pair, Track>,
    /// How many were answered `kept`.
    pub(crate) kept: usize,
    /// Of these, how many have arrived.
    kept_arrived: usize,
    /// How many have arrived in all.
    pub(crate) arrived: usize,
}

impl Ledger {
    /// The number of the next message of this pair, which is now on its way.
    pub(crate) fn send(&mut self, pair: Pair) -> usize {
        let track = self.tracks.entry(pair).or_default();
        track.messages.push((Promise::None, false));
        track.messages.len() - 1
    }

    /// The server has promised to keep a message.
    pub(crate) fn on_kept(&mut self, pair: &Pair, number: usize) {
        let track = self.tracks.get_mut(pair).unwrap();
        let (promise, arrived) = &mut track.messages[number];
        assert_eq!(*promise, Promise::None, "{pair:?} {number} is answered twice");
        *promise = Promise::Kept;
        let is_lost = number < track.next && !*arrived;
        assert!(!is_lost, "lost: {pair:?} {number}, kept, but later ones have arrived");
        self.kept += 1;
        self.kept_arrived += usize::from(*arrived);
    }

    /// The server has refused a message.
    pub(crate) fn on_refused(&mut self, pair: &Pair, number: usize) {
        let (promise, arrived) = &mut self.tracks.get_mut(pair).unwrap().messages[number];
        assert_eq!(*promise, Promise::None, "{pair:?} {number} is answered twice");
        assert!(!*arrived, "{pair:?} {number} arrived and is refused");
        *promise = Promise::Refused;
    }

    /// The receiver was shown a message.
    pub(crate) fn on_arrival(&mut self, pair: &Pair, number: usize) {
        let track = self.tracks.get_mut(pair).unwrap_or_else(|| panic!("{pair:?}: never sent"));
        let &(promise, arrived) = track.messages.get(number).expect("never sent");
        assert!(!arrived, "doubled: {pair:?} {number}");
        assert!(number >= track.next, "out of order: {pair:?} {number} after {}", track.next - 1);
        assert!(promise != Promise::Refused, "{pair:?} {number} was refused and arrives");
        let passed = &track.messages[track.next..number];
        let lost = passed.iter().position(|&(promise, _)| promise == Promise::Kept);
        assert!(lost.is_none(), "lost: {pair:?}, one of {:?} before {number}", track.next..number);
        track.messages[number].1 = true;
        track.next = number + 1;
        self.arrived += 1;
        self.kept_arrived += usize::from(promise == Promise::Kept);
    }

    /// Whether all that was promised has arrived.
    pub(crate) fn is_settled(&self) -> bool {
        self.kept_arrived == self.kept
    }

    /// Fails if something that was promised has not arrived; to be asked when nothing can come any
    /// more.
    pub(crate) fn assert_settled(&self) {
        for (pair, track) in &self.tracks {
            let missing = |&number: &usize| track.messages[number] == (Promise::Kept, false);
            let lost: Vec<usize> = (0..track.messages.len()).filter(missing).collect();
            assert!(lost.is_empty(), "lost: {pair:?} {lost:?} never came");
        }
    }
}

mod tests {
    use super::*;

    fn pair() -> Pair {
        ("alice".to_owned(), "bob".to_owned())
    }

    /// Four messages: kept, unanswered, kept, refused.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        for number in 0..4 {
            assert_eq!(ledger.send(pair()), number);
        }
        ledger.on_kept(&pair(), 0);
        ledger.on_kept(&pair(), 2);
        ledger.on_refused(&pair(), 3);
        ledger
    }

    #[test]
    fn what_was_never_answered_may_come_or_not() {
        for numbers in [&[0, 2][..], &[0, 1, 2]] {
            let mut ledger = ledger();
            for &number in numbers {
                assert!(!ledger.is_settled());
                ledger.on_arrival(&pair(), number);
            }
            assert!(ledger.is_settled());
            ledger.assert_settled();
        }
    }

    #[test]
    fn the_ledger_sees_each_way_to_break_a_promise() {
        for (numbers, broken) in [
            (&[1][..], "lost: (\"alice\", \"bob\"), one of 0..1 before 1"),
            (&[0, 2, 2], "doubled"),
            (&[0, 2, 1], "out of order"),
            (&[0, 2, 3], "was refused and arrives"),
            (&[4], "never sent"),
            (&[0], "[2] never came"),
        ] {
            let outcome = std::panic::catch_unwind(|| {
                let mut ledger = ledger();
                numbers.iter().for_each(|&number| ledger.on_arrival(&pair(), number));
                ledger.assert_settled();
            });
            let panic = outcome.expect_err("must fail");
            let whole = panic.downcast_ref::<&str>().copied();
            let text = whole.or(panic.downcast_ref::<String>().map(String::as_str)).unwrap();
            assert!(text.contains(broken), "{numbers:?}: {text}");
        }
    }

    #[test]
    fn an_answer_that_comes_after_the_loss_shows_it() {
        let outcome = std::panic::catch_unwind(|| {
            let mut ledger = ledger();
            ledger.on_arrival(&pair(), 0);
            ledger.on_arrival(&pair(), 2);
            ledger.on_kept(&pair(), 1);
        });
        assert!(outcome.is_err());
    }
}
