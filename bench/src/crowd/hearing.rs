//! What the crowd does with what it hears: the books and the latencies.

use std::collections::BTreeMap;

use super::client::End;
use crate::frame::Frame;
use crate::histogram::Histogram;
use crate::ledger::Ledger;
use crate::stamp::Stamp;

const AT_BITS: u64 = (1 << 48) - 1;

/// The books and the latencies of one run.
#[derive(Debug)]
pub(crate) struct Hearing {
    pub(crate) ledger: Ledger,
    pub(crate) latency: Histogram,
    /// Bytes of a message without the name that the server puts in front.
    pub(crate) body: usize,
    /// Receivers in these places keep no books.
    pub(crate) deaf: std::ops::Range<usize>,
    /// Senders hear themselves at this server, which is not asked for.
    ignores_own: bool,
}

impl Hearing {
    pub(super) fn new(ignores_own: bool) -> Self {
        Self { ledger: Ledger::of_echoes(0), latency: Histogram::new(), body: 0, deaf: 0..0, ignores_own }
    }

    /// Opens new books.
    pub(crate) fn begin(&mut self, ledger: Ledger, body: usize) {
        self.ledger = ledger;
        self.body = body;
        self.latency.clear();
    }

    #[inline]
    pub(super) fn hear(&mut self, receiver: usize, frame: &Frame<'_>, now: u64) {
        let start = frame.length.saturating_sub(self.body);
        let Some(stamp) = frame.payload.get(start..).and_then(Stamp::decode) else { return };
        if self.deaf.contains(&receiver) || (self.ignores_own && stamp.sender as usize == receiver) {
            return;
        }
        self.ledger.deliver(receiver, stamp.sender, stamp.sequence);
        self.latency.record((now & AT_BITS).wrapping_sub(stamp.at) & AT_BITS);
    }
}

/// Endings as text, as in `90 × 1013, 10 open`.
pub(crate) fn describe(endings: &BTreeMap<Option<End>, usize>) -> String {
    let words = endings.iter().map(|(end, count)| {
        let word = match end {
            None => "open".to_owned(),
            Some(End::Closed(code)) => format!("closed with {code}"),
            Some(End::Eof) => "ended without a close frame".to_owned(),
            Some(End::Broken) => "reset".to_owned(),
            Some(End::Refused(status)) => format!("refused with {status}"),
            Some(End::Ours) => "left".to_owned(),
        };
        format!("{count} {word}")
    });
    words.collect::<Vec<_>>().join(", ")
}
