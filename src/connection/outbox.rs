//! What is only for one peer: answers, private messages, control frames. A connection has an outbox only while something
//! is in it.
//!
//! There are two lanes. Control frames go at the next frame boundary, whatever else waits. Pieces (private messages, and
//! the bytes of an HTTP answer) carry the position in the room's log behind which they were said, so that a peer sees
//! private and shared messages in the order in which they happened. Only [`super::walk`] decides what goes next.

use std::collections::VecDeque;
use std::ops::Range;

use crate::time::Time;
use crate::wire::frame::{self, Opcode};

/// Control frames are at most 127 bytes each. Beyond this many bytes the newest pong takes the place of the one before
/// it, which RFC 6455 section 5.5.3 allows, so that a flood of pings from a peer that does not read costs nothing.
pub const CONTROL_BYTES_MAX: usize = 2048;
const CONTROL_FRAME_MAX: usize = 2 + frame::CONTROL_PAYLOAD_MAX;

/// Bytes for one peer that are not in any log.
#[derive(Debug, Default)]
pub struct Outbox {
    pub(super) control: Vec<u8>,
    /// How much of `control` is on its way already.
    pub(super) control_sent: usize,
    /// Where in `control` the last pong is.
    last_pong: Option<Range<usize>>,
    pub(super) pieces: VecDeque<Piece>,
    /// How much of the first piece is on its way already.
    pub(super) piece_sent: usize,
    /// Bytes of all pieces that are still to go.
    bytes: usize,
    /// Of these, the bytes of pieces that are held against no limit here.
    offered: usize,
}

/// Some whole frames (or a whole HTTP answer) that belong behind one position of the log.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) after: u64,
    pub(super) bytes: Vec<u8>,
    said_at: Time,
    /// A piece that ends the connection: nothing may follow it.
    pub(super) last: bool,
    /// What the peer can do nothing about must not be the end of it: whoever makes this piece sees to its size.
    offered: bool,
}

impl Outbox {
    /// True when there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.control_sent == self.control.len() && self.pieces.is_empty()
    }

    /// Bytes of private data that wait, control frames not counted.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Of [`Outbox::bytes`], those that came by [`Outbox::push_offered`].
    pub fn offered(&self) -> usize {
        self.offered
    }

    /// When the oldest private data that waits was said.
    pub fn oldest(&self) -> Option<Time> {
        self.pieces.front().map(|piece| piece.said_at)
    }

    /// Behind which position of the log the connection's last bytes belong, if they are in here.
    pub fn last_after(&self) -> Option<u64> {
        self.pieces.back().filter(|piece| piece.last).map(|piece| piece.after)
    }

    /// Adds a whole frame, which belongs behind position `after` of the room's log.
    pub fn push(&mut self, opcode: Opcode, payload: &[u8], after: u64, now: Time) {
        self.add(after, now, false, |bytes| frame::append(bytes, opcode, payload));
    }

    /// Adds the whole frames that `write` appends, which do not count as what the peer asked for and did not take.
    pub fn push_offered(&mut self, after: u64, now: Time, write: impl FnOnce(&mut Vec<u8>)) {
        self.add(after, now, true, write);
    }

    /// Adds bytes as they are.
    pub fn push_raw(&mut self, raw: &[u8], after: u64, now: Time) {
        self.add(after, now, false, |bytes| bytes.extend_from_slice(raw));
    }

    /// Adds the bytes after which nothing may be sent: a close frame, or nothing at all.
    pub fn push_last(&mut self, raw: &[u8], after: u64, now: Time) {
        self.bytes += raw.len();
        self.pieces.push_back(Piece { after, bytes: raw.to_vec(), said_at: now, last: true, offered: false });
    }

    /// Adds, to an empty outbox, bytes that may begin inside a frame: nothing goes out before them.
    pub fn push_begun(&mut self, mut raw: Vec<u8>, now: Time) {
        // A first byte that counts as sent makes this a piece that is on its way already.
        raw.insert(0, 0);
        self.bytes = raw.len() - 1;
        self.piece_sent = 1;
        self.pieces.push_back(Piece { after: 0, bytes: raw, said_at: now, last: false, offered: false });
    }

    /// Adds a control frame that is already encoded.
    pub fn push_control(&mut self, raw: &[u8]) {
        let is_pong = raw.first().is_some_and(|first| first & 0x0f == Opcode::Pong as u8);
        if is_pong {
            if self.control.len() + CONTROL_FRAME_MAX > CONTROL_BYTES_MAX {
                // A pong that is on its way already stays; there is room for one more behind it.
                let replaced = self.last_pong.take().filter(|pong| pong.start >= self.control_sent);
                self.control.drain(replaced.unwrap_or(0..0));
            }
            self.last_pong = Some(self.control.len()..self.control.len() + raw.len());
        }
        self.control.extend_from_slice(raw);
    }

    /// Gives up the pieces of which no byte was sent. Control frames stay. `rest` is what is missing of a log frame that is
    /// half sent: it has to go first.
    pub fn give_up(&mut self, rest: &[u8]) {
        let control = self.control.split_off(self.control_sent.min(self.control.len()));
        self.control = [rest, &control].concat();
        self.control_sent = 0;
        self.last_pong = None;
        let begun = usize::from(self.piece_sent > 0);
        self.pieces.truncate(begun);
        self.bytes = self.pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>() - self.piece_sent;
        self.offered = if self.pieces.front().is_some_and(|piece| piece.offered) { self.bytes } else { 0 };
    }

    /// Takes note that `sent` bytes of the control lane went out.
    pub(super) fn control_went(&mut self, sent: usize) {
        self.control_sent += sent;
        if self.control_sent >= self.control.len() {
            self.control.clear();
            self.control_sent = 0;
            self.last_pong = None;
        }
    }

    /// Takes note that `sent` bytes of the first piece went out; true if the connection's last byte was among them.
    pub(super) fn piece_went(&mut self, sent: usize) -> bool {
        self.bytes -= sent;
        self.piece_sent += sent;
        let Some(piece) = self.pieces.front() else { return false };
        if piece.offered {
            self.offered -= sent;
        }
        if self.piece_sent < piece.bytes.len() {
            return false;
        }
        let last = piece.last;
        self.piece_sent = 0;
        self.pieces.pop_front();
        last
    }

    /// Frames for the same position that are said in the same turn share one piece, and so one slice of a write. Later ones
    /// have one of their own, because a piece has one age.
    fn add(&mut self, after: u64, now: Time, offered: bool, write: impl FnOnce(&mut Vec<u8>)) {
        // A piece that is on its way stays as it is: otherwise it would never be through, and never be let go, with a
        // peer that takes as much as it is given.
        let begun = self.piece_sent > 0 && self.pieces.len() == 1;
        let open = self
            .pieces
            .back_mut()
            .filter(|piece| piece.after == after && piece.said_at == now && piece.offered == offered)
            .filter(|piece| !piece.last && !begun);
        let added = if let Some(piece) = open {
            let before = piece.bytes.len();
            write(&mut piece.bytes);
            piece.bytes.len() - before
        } else {
            let mut bytes = Vec::new();
            write(&mut bytes);
            let added = bytes.len();
            self.pieces.push_back(Piece { after, bytes, said_at: now, last: false, offered });
            added
        };
        self.bytes += added;
        self.offered += if offered { added } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::START;

    fn pong(payload: &[u8]) -> Vec<u8> {
        let mut raw = Vec::new();
        frame::append(&mut raw, Opcode::Pong, payload);
        raw
    }

    #[test]
    fn a_flood_of_pongs_stays_within_its_bound_and_keeps_the_newest() {
        let mut outbox = Outbox::default();
        for n in 0..=255 {
            outbox.push_control(&pong(&[n; 125]));
        }
        assert!(outbox.control.len() <= CONTROL_BYTES_MAX);
        assert!(outbox.control.ends_with(&[255; 125]));
        assert!(outbox.control.starts_with(&pong(&[0; 125])), "those that fit are not touched");
    }

    #[test]
    fn a_pong_that_is_on_its_way_is_not_replaced() {
        let mut outbox = Outbox::default();
        while outbox.control.len() + CONTROL_FRAME_MAX <= CONTROL_BYTES_MAX {
            outbox.push_control(&pong(&[1; 125]));
        }
        let begun = outbox.control.len() - 3;
        outbox.control_went(begun);
        let tail = outbox.control[begun..].to_vec();
        outbox.push_control(&pong(&[2; 125]));
        assert!(outbox.control[begun..].starts_with(&tail));
        assert!(outbox.control.ends_with(&[2; 125]));
    }

    #[test]
    fn frames_for_one_position_share_a_piece() {
        let mut outbox = Outbox::default();
        outbox.push(Opcode::Text, b"a", 10, NOW);
        outbox.push(Opcode::Text, b"b", 10, NOW);
        outbox.push(Opcode::Text, b"c", 20, NOW);
        assert_eq!(outbox.pieces.len(), 2);
        assert_eq!(outbox.bytes(), 9);
        assert!(!outbox.piece_went(5));
        assert!(!outbox.piece_went(1));
        outbox.push_last(b"\x88\x00", 20, NOW);
        assert!(!outbox.piece_went(3));
        assert!(outbox.piece_went(2));
        assert!(outbox.is_empty());
    }

    #[test]
    fn giving_up_keeps_what_is_half_sent() {
        let mut outbox = Outbox::default();
        outbox.push(Opcode::Text, b"half", 0, NOW);
        outbox.push(Opcode::Text, b"unsent", 9, NOW);
        outbox.piece_went(3);
        outbox.give_up(b"");
        assert_eq!(outbox.bytes(), 3);
        assert_eq!(outbox.pieces.len(), 1);

        let mut outbox = Outbox::default();
        outbox.push(Opcode::Text, b"unsent", 9, NOW);
        outbox.push_control(&pong(b"p"));
        outbox.give_up(b"rest of a log frame");
        assert!(outbox.control.starts_with(b"rest of a log frame\x8a"));
        assert_eq!(outbox.bytes(), 0);
    }
}
