//! Messages to measure with, and the ways to send them: how many may be on their way at once is what tells one question
//! from another.

use crate::clock::{self, SECOND};
use crate::crowd::Crowd;
use crate::frame;
use crate::ledger::Totals;
use crate::stamp::{STAMP_BYTES, Stamp};

/// A run in which nothing happens for so long is over, and what did not come is missing.
pub(crate) const PATIENCE: u64 = 5 * SECOND;

/// Puts frames together.
#[derive(Debug)]
pub(crate) struct Speaker {
    body: Vec<u8>,
    opcode: u8,
    frames: Vec<u8>,
}

impl Speaker {
    /// Messages of so many bytes, at least a stamp.
    pub(crate) fn new(bytes: usize, opcode: u8) -> Self {
        Self { body: vec![b'.'; bytes.max(STAMP_BYTES)], opcode, frames: Vec::new() }
    }

    pub(crate) fn body_bytes(&self) -> usize {
        self.body.len()
    }

    /// Adds a message to those that go out together.
    pub(crate) fn add(&mut self, sender: usize, sequence: u32) {
        let stamp = Stamp { at: clock::now(), sender: u32::try_from(sender).unwrap_or(u32::MAX), sequence };
        if let Some(front) = self.body.get_mut(..STAMP_BYTES) {
            front.copy_from_slice(&stamp.encode());
        }
        frame::append(&mut self.frames, self.opcode, &self.body);
    }

    /// Sends what was added.
    pub(crate) fn send(&mut self, crowd: &mut Crowd, sender: usize) {
        crowd.send(sender, &self.frames);
        self.frames.clear();
    }
}

/// How messages of one sender follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// So many messages' worth of deliveries may be outstanding.
    pub(crate) window: u64,
    pub(crate) name: &'static str,
}

/// The next when everybody has the last.
pub(crate) const ONE_AT_A_TIME: Pace = Pace { window: 1, name: "one at a time" };
/// As a busy room is.
pub(crate) const WINDOW: Pace = Pace { window: 16, name: "window of 16" };
/// As fast as it goes. The window only keeps the unread bytes of a receiver below what servers close a reader for.
pub(crate) const PIPELINED: Pace = Pace { window: 1024, name: "pipelined" };

/// Bytes that may be on their way to all receivers together, in order not to measure the kernel's memory limits.
const FLIGHT_BYTES: u64 = 192 << 20;

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// After so many messages of each speaker,
    pub(crate) messages: u32,
    /// or after so many nanoseconds; a slow server must not take all day.
    pub(crate) time: u64,
}

impl Limit {
    pub(crate) fn messages(messages: u32) -> Self {
        Self { messages, time: u64::MAX / 2 }
    }

    pub(crate) fn time(time: u64) -> Self {
        Self { messages: u32::MAX, time }
    }
}

/// The client in place 0 speaks to `receivers` others until the limit, and all of it is waited for. The books must be
/// open.
pub(crate) fn recite(crowd: &mut Crowd, speaker: &mut Speaker, pace: Pace, limit: Limit, receivers: u64) {
    let bytes = (speaker.body_bytes() as u64 + 10) * receivers;
    let window = pace.window.min(FLIGHT_BYTES / bytes.max(1)).max(1) * receivers;
    let deadline = clock::now() + limit.time;
    let mut next = 0;
    loop {
        let last = next == limit.messages || clock::now() >= deadline;
        while !last && next < limit.messages && crowd.hearing.ledger.outstanding() + receivers <= window {
            speaker.add(0, next);
            crowd.hearing.ledger.expect(receivers);
            next += 1;
        }
        speaker.send(crowd, 0);
        let enough = if last { 0 } else { window - receivers };
        if !crowd.wait(PATIENCE, |crowd| crowd.hearing.ledger.outstanding() <= enough) || last {
            return;
        }
    }
}

/// The first `talkers` of the crowd say one message each per round, all at once; the next round when everybody has heard
/// everybody.
pub(crate) fn rounds(crowd: &mut Crowd, speaker: &mut Speaker, talkers: usize, limit: Limit) {
    let others = (crowd.ready() as u64).saturating_sub(1);
    let deadline = clock::now() + limit.time;
    for sequence in 0..limit.messages {
        for talker in 0..talkers {
            speaker.add(talker, sequence);
            crowd.hearing.ledger.expect(others);
            speaker.send(crowd, talker);
        }
        let all_there = crowd.wait(PATIENCE, |crowd| crowd.hearing.ledger.outstanding() == 0);
        if !all_there || clock::now() >= deadline {
            return;
        }
    }
}

/// What went wrong, for the notes below the table; nothing if nothing did.
pub(crate) fn faults(totals: Totals) -> Option<String> {
    let Totals { expected, missing, duplicate, out_of_order, stray, .. } = totals;
    (missing + duplicate + out_of_order + stray > 0).then(|| {
        format!("of {expected} deliveries {missing} missing, {duplicate} duplicate, {out_of_order} out of order, {stray} stray")
    })
}
