//! What a peer gets next: the walk through its room's log and its outbox, frame by frame.
//!
//! The order at every moment: the rest of a frame that is half sent; control frames; the next private piece if the reader
//! has come to its position; the log up to the next piece, the reader's own messages stepped over. A walk is a handful of
//! numbers, so a copy of it is sent ahead to collect the slices of one write, and the original follows by what the socket
//! took.

use super::outbox::Outbox;
use crate::room::log::Log;

/// Where a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// Its position in the room's log: everything before it has been sent, or is not for it.
    pub cursor: u64,
    /// Behind the last message in the log that it said itself. Once the cursor is here nothing needs stepping over.
    pub own_until: u64,
    /// Who it is in the log.
    pub reader: u32,
    /// The cursor stands inside a frame.
    pub mid_frame: bool,
    /// Nothing more may be sent.
    pub finished: bool,
    /// What is said in the room is not for it, for now.
    pub deaf: bool,
}

/// Where the next bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// The room's log.
    Log,
    /// The outbox's control frames.
    Control,
    /// The outbox's first piece.
    Piece,
}

/// How far ahead of the outbox's own marks a walk that only collects slices has come.
#[derive(Debug, Clone, Copy, Default)]
struct Ahead {
    control: usize,
    pieces: usize,
    piece_sent: usize,
}

impl Walk {
    /// A reader that has seen everything up to `position`.
    pub fn new(reader: u32, position: u64) -> Self {
        Self { cursor: position, own_until: 0, reader, mid_frame: false, finished: false, deaf: false }
    }

    /// True when there is something to send.
    pub fn has_more(&mut self, outbox: Option<&Outbox>, log: &Log) -> bool {
        if outbox.is_none() && self.cursor >= self.own_until && !self.deaf {
            return self.cursor < log.end() && !self.finished;
        }
        self.next(outbox, log, Ahead::default()).is_some_and(|(_, bytes)| !bytes.is_empty())
            || outbox.is_some_and(|outbox| !self.finished && !outbox.pieces.is_empty())
    }

    /// Hands the next runs of bytes to `take` in the order in which they must be sent, until it says stop. If it never
    /// does, that was everything, and the answer is where the walk stands when all of it is sent and the outbox is empty.
    pub fn look_ahead<'a>(
        self,
        outbox: Option<&'a Outbox>,
        log: &'a Log,
        mut take: impl FnMut(&'a [u8]) -> bool,
    ) -> Option<Self> {
        let mut scout = self;
        let mut ahead = outbox.map(Ahead::of).unwrap_or_default();
        while let Some((lane, bytes)) = scout.next(outbox, log, ahead) {
            if !bytes.is_empty() && !take(bytes) {
                return None;
            }
            match lane {
                Lane::Log => scout.log_went(bytes.len(), log),
                Lane::Control => ahead.control += bytes.len(),
                Lane::Piece => {
                    scout.finished = ahead.piece_is_last(outbox);
                    ahead.pieces += 1;
                    ahead.piece_sent = 0;
                }
            }
        }
        Some(scout)
    }

    /// Follows by `sent` bytes, which the socket took of what [`Walk::look_ahead`] showed.
    pub fn follow(&mut self, mut outbox: Option<&mut Outbox>, log: &Log, sent: usize) {
        let mut left = sent;
        loop {
            let ahead = outbox.as_deref().map(Ahead::of).unwrap_or_default();
            let Some((lane, bytes)) = self.next(outbox.as_deref(), log, ahead) else { return };
            let went = bytes.len().min(left);
            // An empty last piece goes out by itself, but only once everything before it has gone.
            if left == 0 && !bytes.is_empty() {
                return;
            }
            left -= went;
            match (lane, outbox.as_deref_mut()) {
                (Lane::Control, Some(outbox)) => outbox.control_went(went),
                (Lane::Piece, Some(outbox)) => self.finished |= outbox.piece_went(went),
                _ => self.log_went(went, log),
            }
        }
    }

    /// The next run of bytes. Moves the cursor over own messages, and nothing else.
    fn next<'a>(&mut self, outbox: Option<&'a Outbox>, log: &'a Log, ahead: Ahead) -> Option<(Lane, &'a [u8])> {
        if self.finished {
            return None;
        }
        if self.deaf && !self.mid_frame {
            self.cursor = log.end();
        }
        if self.mid_frame {
            let end = log.frame_end(self.cursor).unwrap_or(self.cursor);
            return Some((Lane::Log, self.run_until(log, end)));
        }
        let piece = outbox.and_then(|outbox| outbox.pieces.get(ahead.pieces));
        if let Some(piece) = piece.filter(|_| ahead.piece_sent > 0) {
            return Some((Lane::Piece, piece.bytes.get(ahead.piece_sent..).unwrap_or(&[])));
        }
        let control = outbox.and_then(|outbox| outbox.control.get(ahead.control..)).unwrap_or(&[]);
        if !control.is_empty() {
            return Some((Lane::Control, control));
        }
        let end = piece.map_or(log.end(), |piece| piece.after.min(log.end()));
        if self.cursor < self.own_until {
            self.cursor = log.skip_own(self.cursor, self.reader, end);
        }
        if let Some(piece) = piece.filter(|piece| piece.after <= self.cursor) {
            return Some((Lane::Piece, &piece.bytes));
        }
        if self.cursor >= end {
            return None;
        }
        let end = if self.cursor < self.own_until { log.next_own(self.cursor, self.reader, end) } else { end };
        let run = self.run_until(log, end);
        (!run.is_empty()).then_some((Lane::Log, run))
    }

    fn run_until<'a>(&self, log: &'a Log, end: u64) -> &'a [u8] {
        let run = log.run(self.cursor);
        let most = usize::try_from(end.saturating_sub(self.cursor)).unwrap_or(usize::MAX);
        run.get(..most).unwrap_or(run)
    }

    fn log_went(&mut self, sent: usize, log: &Log) {
        self.cursor += sent as u64;
        self.mid_frame = !log.is_between_frames(self.cursor);
    }
}

impl Ahead {
    fn of(outbox: &Outbox) -> Self {
        Self { control: outbox.control_sent, pieces: 0, piece_sent: outbox.piece_sent }
    }

    fn piece_is_last(self, outbox: Option<&Outbox>) -> bool {
        outbox.and_then(|outbox| outbox.pieces.get(self.pieces)).is_some_and(|piece| piece.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;
    use crate::wire::frame::{Message, Opcode};

    const ME: u32 = 1;
    const OTHER: u32 = 2;
    const NOW: Time = Time::START;

    fn say(log: &mut Log, text: &str, sender: u32) -> u64 {
        log.append(Message::Text(text), sender, 0, NOW)
    }

    /// Everything that the walk gives, when the socket takes `step` bytes at a time.
    fn drain(mut walk: Walk, mut outbox: Outbox, log: &Log, step: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        loop {
            let mut shown = Vec::new();
            let arrival = walk.look_ahead(Some(&outbox), log, |bytes| {
                shown.extend_from_slice(bytes);
                true
            });
            let took = shown.len().min(step);
            sent.extend_from_slice(&shown[..took]);
            walk.follow(Some(&mut outbox), log, took);
            if took == shown.len() {
                assert_eq!(arrival, Some(walk));
                assert!(!walk.has_more(Some(&outbox), log));
                return sent;
            }
            assert!(walk.has_more(Some(&outbox), log));
        }
    }

    fn unframe(mut bytes: &[u8]) -> Vec<String> {
        let mut texts = Vec::new();
        while let [_, len, rest @ ..] = bytes {
            let (payload, after) = rest.split_at(usize::from(*len));
            texts.push(String::from_utf8(payload.to_vec()).unwrap());
            bytes = after;
        }
        texts
    }

    #[test]
    fn private_and_shared_messages_come_in_the_order_in_which_they_were_said() {
        let mut log = Log::default();
        let mut outbox = Outbox::default();
        let mut walk = Walk::new(ME, 0);
        outbox.push(Opcode::Text, b"hello", 0, NOW);
        say(&mut log, "one", OTHER);
        walk.own_until = say(&mut log, "mine", ME);
        outbox.push(Opcode::Text, b"private", log.end(), NOW);
        say(&mut log, "two", OTHER);
        walk.own_until = say(&mut log, "mine again", ME);
        say(&mut log, "three", OTHER);
        outbox.push_last(b"\x88\x00", log.end(), NOW);
        say(&mut log, "too late", OTHER);
        for step in 1..60 {
            let mut copy = Outbox::default();
            copy.push(Opcode::Text, b"hello", 0, NOW);
            copy.push(Opcode::Text, b"private", outbox.pieces[1].after, NOW);
            copy.push_last(b"\x88\x00", outbox.pieces[2].after, NOW);
            let sent = drain(walk, copy, &log, step);
            assert_eq!(unframe(&sent), ["hello", "one", "private", "two", "three", ""], "{step} bytes at a time");
        }
    }

    #[test]
    fn control_frames_go_at_the_next_frame_boundary() {
        let mut log = Log::default();
        say(&mut log, "first", OTHER);
        say(&mut log, "second", OTHER);
        let mut outbox = Outbox::default();
        let mut walk = Walk::new(ME, 0);
        walk.follow(Some(&mut outbox), &log, 3);
        assert!(walk.mid_frame);
        outbox.push_control(b"\x8a\x01p");
        assert_eq!(unframe(&[b"\x81\x05f".to_vec(), drain(walk, outbox, &log, 1)].concat()), ["first", "p", "second"]);
    }

    #[test]
    fn a_reader_with_nothing_but_its_own_messages_has_nothing_to_send() {
        let mut log = Log::default();
        let mut walk = Walk::new(ME, 0);
        walk.own_until = say(&mut log, "mine", ME);
        assert!(!walk.has_more(None, &log));
        assert_eq!(walk.cursor, log.end());
    }

    #[test]
    fn who_is_deaf_gets_only_what_is_for_it_alone() {
        let mut log = Log::default();
        let mut outbox = Outbox::default();
        let mut walk = Walk::new(ME, 0);
        walk.deaf = true;
        say(&mut log, "one", OTHER);
        outbox.push(Opcode::Text, b"hello", log.end(), NOW);
        say(&mut log, "two", OTHER);
        assert_eq!(unframe(&drain(walk, outbox, &log, 1)), ["hello"]);
        assert!(!walk.has_more(None, &log));
        assert_eq!(walk.cursor, log.end());
        walk.deaf = false;
        say(&mut log, "three", OTHER);
        assert_eq!(unframe(&drain(walk, Outbox::default(), &log, 9)), ["three"]);
    }

    #[test]
    fn an_ending_without_bytes_waits_for_what_was_said_before() {
        let mut log = Log::default();
        say(&mut log, "bye", OTHER);
        let mut outbox = Outbox::default();
        outbox.push_last(b"", log.end(), NOW);
        let mut walk = Walk::new(ME, 0);
        assert!(walk.has_more(Some(&outbox), &log));
        walk.follow(Some(&mut outbox), &log, 2);
        assert!(!walk.finished);
        walk.follow(Some(&mut outbox), &log, 3);
        assert!(walk.finished);
    }
}
