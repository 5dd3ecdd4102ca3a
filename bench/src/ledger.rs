//! Keeps the books of deliveries: for every receiver and sender, which message is due next. Whatever is not that one is a
//! duplicate, came out of order, or was lost; a benchmark that loses messages quickly has measured nothing.

use std::collections::{BTreeSet, HashMap};

/// Who may hear whom.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// Everybody hears the first so many of the crowd.
    Everybody { senders: u32 },
    /// Everybody hears only itself.
    Echo,
}

/// The books of one run.
#[derive(Debug)]
pub(crate) struct Ledger {
    shape: Shape,
    /// The sequence number that is due, by pair.
    due: Vec<u32>,
    /// Sequence numbers that were jumped over, by pair; empty as long as all is well.
    holes: HashMap<usize, BTreeSet<u32>>,
    expected: u64,
    received: u64,
    duplicate: u64,
    out_of_order: u64,
    stray: u64,
}

/// What the books say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    /// Deliveries that should happen.
    pub(crate) expected: u64,
    /// Different deliveries that happened.
    pub(crate) received: u64,
    /// Expected less received.
    pub(crate) missing: u64,
    /// Deliveries of what was delivered before.
    pub(crate) duplicate: u64,
    /// Deliveries after a later message of the same sender.
    pub(crate) out_of_order: u64,
    /// Messages that nobody in the crowd sent to this receiver.
    pub(crate) stray: u64,
}

impl Ledger {
    /// For a crowd in which the first `senders` of the `receivers` talk.
    pub(crate) fn of_broadcasts(receivers: usize, senders: u32) -> Self {
        Self::new(Shape::Everybody { senders }, receivers * senders as usize)
    }

    /// For a crowd in which everybody hears itself.
    pub(crate) fn of_echoes(receivers: usize) -> Self {
        Self::new(Shape::Echo, receivers)
    }

    fn new(shape: Shape, pairs: usize) -> Self {
        Self {
            shape,
            due: vec![0; pairs],
            holes: HashMap::new(),
            expected: 0,
            received: 0,
            duplicate: 0,
            out_of_order: 0,
            stray: 0,
        }
    }

    /// A message was sent that so many receivers should get.
    pub(crate) fn expect(&mut self, receivers: u64) {
        self.expected += receivers;
    }

    /// Different deliveries so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Deliveries that are still to come.
    pub(crate) fn outstanding(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }

    /// Whether the pair in this place is due for `sequence` next, having everything before.
    pub(crate) fn has_all(&self, pair: usize, sequence: u32) -> bool {
        self.due.get(pair) == Some(&sequence)
    }

    #[inline]
    pub(crate) fn deliver(&mut self, receiver: usize, sender: u32, sequence: u32) {
        let Some(pair) = self.pair(receiver, sender) else {
            self.stray += 1;
            return;
        };
        match self.due.get_mut(pair) {
            Some(due) if *due == sequence => {
                *due += 1;
                self.received += 1;
            }
            Some(_) => self.deliver_oddly(pair, sequence),
            None => self.stray += 1,
        }
    }

    fn pair(&self, receiver: usize, sender: u32) -> Option<usize> {
        match self.shape {
            Shape::Everybody { senders } => (sender < senders).then(|| receiver * senders as usize + sender as usize),
            Shape::Echo => (sender as usize == receiver).then_some(receiver),
        }
    }

    #[cold]
    fn deliver_oddly(&mut self, pair: usize, sequence: u32) {
        let Some(due) = self.due.get_mut(pair) else { return };
        let holes = self.holes.entry(pair).or_default();
        if sequence > *due {
            holes.extend(*due..sequence);
            *due = sequence + 1;
            self.received += 1;
        } else if holes.remove(&sequence) {
            self.out_of_order += 1;
            self.received += 1;
        } else {
            self.duplicate += 1;
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            expected: self.expected,
            received: self.received,
            missing: self.outstanding(),
            duplicate: self.duplicate,
            out_of_order: self.out_of_order,
            stray: self.stray,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two receivers are to hear four messages of sender 0; `heard` is what each of them hears.
    fn totals(heard: [&[u32]; 2]) -> Totals {
        let mut ledger = Ledger::of_broadcasts(2, 1);
        for _ in 0..4 {
            ledger.expect(2);
        }
        for (receiver, sequences) in heard.into_iter().enumerate() {
            for &sequence in sequences {
                ledger.deliver(receiver, 0, sequence);
            }
        }
        ledger.totals()
    }

    #[test]
    fn all_in_order_is_clean() {
        let clean = Totals { expected: 8, received: 8, ..Totals::default() };
        assert_eq!(totals([&[0, 1, 2, 3], &[0, 1, 2, 3]]), clean);
    }

    #[test]
    fn a_loss_is_noticed_wherever_it_is() {
        for heard in [&[1, 2, 3][..], &[0, 2, 3], &[0, 1, 2]] {
            let lost = Totals { expected: 8, received: 7, missing: 1, ..Totals::default() };
            assert_eq!(totals([&[0, 1, 2, 3], heard]), lost, "{heard:?}");
        }
    }

    #[test]
    fn a_duplicate_does_not_make_up_for_a_loss() {
        let odd = Totals { expected: 8, received: 7, missing: 1, duplicate: 1, ..Totals::default() };
        assert_eq!(totals([&[0, 1, 2, 3], &[0, 1, 1, 3]]), odd);
        assert_eq!(totals([&[0, 1, 2, 3], &[0, 2, 3, 2]]), odd);
    }

    #[test]
    fn a_swap_is_noticed_and_is_no_loss() {
        let swapped = Totals { expected: 8, received: 8, out_of_order: 1, ..Totals::default() };
        assert_eq!(totals([&[0, 1, 2, 3], &[0, 2, 1, 3]]), swapped);
        assert_eq!(totals([&[1, 0, 2, 3], &[0, 1, 2, 3]]), swapped);
    }

    #[test]
    fn what_was_not_for_the_receiver_is_stray() {
        let mut ledger = Ledger::of_broadcasts(2, 1);
        ledger.deliver(0, 1, 0);
        ledger.deliver(2, 0, 0);
        assert_eq!(ledger.totals().stray, 2);
        let mut ledger = Ledger::of_echoes(2);
        ledger.deliver(1, 0, 0);
        assert_eq!(ledger.totals().stray, 1);
        ledger.expect(1);
        ledger.deliver(1, 1, 0);
        assert_eq!((ledger.received(), ledger.outstanding()), (1, 0));
    }
}
