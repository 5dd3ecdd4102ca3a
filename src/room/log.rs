//! The shared log of one room: every broadcast once, as a frame that is ready to send.
//!
//! A position is a count of bytes since the room was made, so it never moves and a reader's whole state is one `u64`.
//! Bytes live in chunks; a frame is always whole within one chunk, and nobody holds a reference between two calls, so
//! appending may move memory and trimming may free it. Per frame there is one entry of 24 bytes: where it ends, who said
//! it, when, and how many messages had been said in the room by then.
//!
//! What everybody has is forgotten, unless it is history: the newest messages, bounded by [`Retention`].

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Time;
use crate::wire::frame::{self, Message};

/// A chunk is filled up to this; a frame that is larger has a chunk of its own.
const CHUNK_BYTES: usize = 64 * 1024;
/// An emptied chunk of up to this size is kept for the next frame; a larger one is given back.
const CHUNK_KEPT_BYTES: usize = 4 * 1024;

/// The frames of a room, from the oldest that somebody may still need to the newest.
#[derive(Debug, Default)]
pub struct Log {
    chunks: VecDeque<Chunk>,
    entries: VecDeque<Entry>,
    start: u64,
    end: u64,
    /// The number of the newest message that is not in here any more, or was said before this log was made.
    forgotten: u64,
}

/// How much of a log is kept although everybody has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// At most so many messages.
    pub messages: u32,
    /// At most so many bytes of memory, those of the entries included.
    pub bytes: u64,
    /// None that is older than this.
    pub age: Duration,
}

impl Retention {
    /// Nothing is kept.
    pub const NONE: Self = Self { messages: 0, bytes: 0, age: Duration::ZERO };
}

#[derive(Debug)]
struct Chunk {
    start: u64,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    end: u64,
    sender: u32,
    /// The lower half of the number of the newest message of the room when this was appended: its own, if it is one.
    number: u32,
    at: Time,
}

/// Nobody in particular: a sender that no reader is.
pub const NO_SENDER: u32 = u32::MAX;

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn low(number: u64) -> u32 {
    number as u32
}

impl Log {
    /// An empty log of a room in which `number` messages were said before.
    pub fn beginning_after(number: u64) -> Self {
        Self { forgotten: number, ..Self::default() }
    }

    /// Where the oldest frame begins.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Where the next frame will begin.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// How many bytes of frames are held.
    pub fn bytes(&self) -> u64 {
        self.end - self.start
    }

    /// How many bytes of memory that takes: very short messages cost more for their entry than for themselves.
    pub fn memory(&self) -> u64 {
        self.bytes() + (self.entries.len() * size_of::<Entry>()) as u64
    }

    /// As [`Log::memory`], of what lies behind `position`.
    pub fn memory_from(&self, position: u64) -> u64 {
        let first = self.entries.partition_point(|entry| entry.end <= position);
        let entries = self.entries.len() - first;
        self.end.saturating_sub(position) + (entries * size_of::<Entry>()) as u64
    }

    /// Adds one message, said by `sender`, and returns the position behind it. `number` is that of the newest message of the
    /// room, this one included if it counts as one.
    pub fn append(&mut self, message: Message<'_>, sender: u32, number: u64, now: Time) -> u64 {
        let need = frame::HEADER_MAX + message.payload().len();
        let fits = self.chunks.back().is_some_and(|chunk| chunk.bytes.len() + need <= CHUNK_BYTES);
        if !fits {
            self.chunks.push_back(Chunk { start: self.end, bytes: Vec::new() });
        }
        if let Some(chunk) = self.chunks.back_mut() {
            frame::append(&mut chunk.bytes, message.opcode(), message.payload());
            self.end = chunk.start + chunk.bytes.len() as u64;
        }
        self.entries.push_back(Entry { end: self.end, sender, number: low(number), at: now });
        self.end
    }

    /// The number of the newest message that is not in here any more.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// The number of the newest message that ends at or before `position`.
    pub fn number_before(&self, position: u64) -> u64 {
        let behind = self.entries.partition_point(|entry| entry.end <= position);
        let last = behind.checked_sub(1).and_then(|last| self.entries.get(last));
        last.map_or(self.forgotten, |entry| self.number_of(entry))
    }

    /// Where the messages begin whose number is above `number`. There are gaps only in front of the oldest one.
    pub fn position_after(&self, number: u64) -> u64 {
        let first = self.entries.partition_point(|entry| self.number_of(entry) <= number);
        self.begin_of(first)
    }

    /// Where the part begins that `retention` keeps at `now`.
    pub fn kept_from(&self, retention: Retention, now: Time) -> u64 {
        if retention.messages == 0 {
            return self.end;
        }
        let newest = self.entries.back().map_or(self.forgotten, |entry| self.number_of(entry));
        let oldest_number = newest.saturating_sub(u64::from(retention.messages));
        let by_number = self.entries.partition_point(|entry| self.number_of(entry) <= oldest_number);
        let by_age = self.entries.partition_point(|entry| entry.at + retention.age <= now);
        let first = by_number.max(by_age);
        let position = self.begin_of(first);
        if self.memory_from(position) <= retention.bytes {
            return position;
        }
        // The entries count as well, so where the bytes fit is searched for and not worked out.
        let fits = |index: usize| self.memory_from(self.begin_of(index)) <= retention.bytes;
        let (mut too_many, mut few) = (first, self.entries.len());
        while few - too_many > 1 {
            let middle = too_many.midpoint(few);
            if fits(middle) { few = middle } else { too_many = middle }
        }
        self.begin_of(few)
    }

    /// The whole number of an entry. Those of one log are far less than 2^32 apart.
    fn number_of(&self, entry: &Entry) -> u64 {
        self.forgotten + u64::from(entry.number.wrapping_sub(low(self.forgotten)))
    }

    /// Where the frame at `index` begins; the end of the log for one past the last.
    fn begin_of(&self, index: usize) -> u64 {
        index.checked_sub(1).and_then(|before| self.entries.get(before)).map_or(self.start, |entry| entry.end)
    }

    /// The bytes from `position` to the end of their chunk; empty at the end of the log.
    pub fn run(&self, position: u64) -> &[u8] {
        // Most readers are in the newest chunk.
        let newest = self.chunks.back().filter(|chunk| chunk.start <= position);
        let Some(chunk) = newest.or_else(|| self.chunk_at(position)) else { return &[] };
        let offset = usize::try_from(position - chunk.start).unwrap_or(usize::MAX);
        chunk.bytes.get(offset..).unwrap_or(&[])
    }

    /// The end of the frame that holds the byte at `position`, if there is one.
    pub fn frame_end(&self, position: u64) -> Option<u64> {
        self.entry_at(position).map(|entry| entry.end)
    }

    /// When the frame that holds the byte at `position` was said.
    pub fn said_at(&self, position: u64) -> Option<Time> {
        self.entry_at(position).map(|entry| entry.at)
    }

    /// True when `position` lies between two frames.
    pub fn is_between_frames(&self, position: u64) -> bool {
        position == self.end
            || position == self.start
            || self.entries.binary_search_by_key(&position, |entry| entry.end).is_ok()
    }

    /// Steps from `position` over the frames that `reader` said itself, but not beyond `until`.
    pub fn skip_own(&self, position: u64, reader: u32, until: u64) -> u64 {
        let mut position = position;
        for entry in self.entries_from(position) {
            if entry.sender != reader || entry.end > until {
                break;
            }
            position = entry.end;
        }
        position
    }

    /// Where the first frame at or after `position` begins that `reader` said itself, or `until` if that comes first.
    pub fn next_own(&self, position: u64, reader: u32, until: u64) -> u64 {
        let mut position = position;
        for entry in self.entries_from(position) {
            if entry.sender == reader || position >= until {
                break;
            }
            position = entry.end;
        }
        position.min(until)
    }

    /// Forgets the frames that end at or before `position`.
    pub fn trim(&mut self, position: u64) {
        while let Some(&entry) = self.entries.front().filter(|entry| entry.end <= position) {
            self.forgotten = self.number_of(&entry);
            self.start = entry.end;
            self.entries.pop_front();
        }
        while self.chunks.len() > 1 && self.chunks.get(1).is_some_and(|chunk| chunk.start <= self.start) {
            self.chunks.pop_front();
        }
        if self.entries.is_empty() {
            self.release();
        }
    }

    /// The log is empty: keep a little memory for the next frame, give a lot of it back.
    fn release(&mut self) {
        self.chunks.truncate(1);
        if self.chunks.front().is_some_and(|chunk| chunk.bytes.capacity() > CHUNK_KEPT_BYTES) {
            self.chunks.clear();
        }
        if let Some(chunk) = self.chunks.front_mut() {
            chunk.bytes.clear();
            chunk.start = self.end;
        }
        if self.entries.capacity() * size_of::<Entry>() > CHUNK_KEPT_BYTES {
            self.entries = VecDeque::new();
        }
    }

    fn chunk_at(&self, position: u64) -> Option<&Chunk> {
        let index = self.chunks.partition_point(|chunk| chunk.start <= position);
        self.chunks.get(index.checked_sub(1)?)
    }

    fn entry_at(&self, position: u64) -> Option<Entry> {
        self.entries_from(position).next()
    }

    /// The frames that end behind `position`. Most readers are at the newest frames, so the newest are tried first.
    fn entries_from(&self, position: u64) -> impl Iterator<Item = Entry> {
        let first = self.entries.partition_point(|entry| entry.end <= position);
        self.entries.range(first..).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(log: &mut Log, text: &str, sender: u32) -> u64 {
        log.append(Message::Text(text), sender, 0, Time::from_millis(log.end()))
    }

    fn read_all(log: &Log, from: u64) -> Vec<u8> {
        let mut position = from;
        let mut bytes = Vec::new();
        while position < log.end() {
            let run = log.run(position);
            assert!(!run.is_empty());
            bytes.extend_from_slice(run);
            position += run.len() as u64;
        }
        bytes
    }

    #[test]
    fn a_frame_is_stored_once_and_read_from_any_position() {
        let mut log = Log::default();
        assert_eq!(text(&mut log, "hi", 1), 4);
        assert_eq!(text(&mut log, "you", 2), 9);
        assert_eq!(read_all(&log, 0), b"\x81\x02hi\x81\x03you");
        assert_eq!(log.run(6), b"you");
        assert_eq!(log.run(9), b"");
        assert_eq!(log.frame_end(4), Some(9));
        assert_eq!(log.frame_end(9), None);
        assert_eq!(log.said_at(5), Some(Time::from_millis(4)));
        assert!(log.is_between_frames(4) && log.is_between_frames(0) && log.is_between_frames(9));
        assert!(!log.is_between_frames(5));
    }

    #[test]
    fn own_frames_are_found_and_stepped_over() {
        let mut log = Log::default();
        let a = text(&mut log, "a", 1);
        let b = text(&mut log, "b", 1);
        let c = text(&mut log, "c", 2);
        let end = text(&mut log, "d", 1);
        assert_eq!(log.skip_own(0, 1, end), b);
        assert_eq!(log.skip_own(0, 1, a), a, "not beyond the limit");
        assert_eq!(log.skip_own(0, 2, end), 0);
        assert_eq!(log.next_own(0, 2, end), b);
        assert_eq!(log.next_own(b, 1, end), c);
        assert_eq!(log.next_own(0, 3, end), end);
        assert_eq!(log.next_own(0, 3, c), c);
    }

    #[test]
    fn what_is_kept_does_not_depend_on_what_a_slow_reader_holds() {
        let mut log = Log::beginning_after(3);
        for number in 4..10 {
            log.append(Message::Text("hi"), 1, number, Time::START);
        }
        let retention = Retention { messages: 2, bytes: 1000, age: Duration::from_secs(9) };
        assert_eq!(log.number_before(log.kept_from(retention, Time::START)), 7);
        assert_eq!((log.number_before(0), log.number_before(log.end())), (3, 9));
    }

    #[test]
    fn trimming_forgets_whole_frames_only() {
        let mut log = Log::default();
        let first = text(&mut log, "first", 1);
        let second = text(&mut log, "second", 1);
        log.trim(second - 1);
        assert_eq!((log.start(), log.bytes()), (first, second - first));
        assert_eq!(read_all(&log, first), b"\x81\x06second");
        log.trim(second);
        assert_eq!(log.bytes(), 0);
        let third = text(&mut log, "third", 1);
        assert_eq!(read_all(&log, second), b"\x81\x05third");
        assert_eq!(third, second + 7);
    }

    #[test]
    fn frames_never_straddle_chunks_and_memory_is_given_back() {
        let mut log = Log::default();
        let long = "x".repeat(10_000);
        for sender in 0..40 {
            text(&mut log, &long, sender);
        }
        assert!(log.chunks.len() > 5);
        for chunk in &log.chunks {
            assert!(log.is_between_frames(chunk.start));
        }
        let middle = log.entries[19].end;
        log.trim(middle);
        assert_eq!(log.start(), middle);
        assert_eq!(read_all(&log, middle).len() as u64, log.bytes());
        log.trim(log.end());
        assert!(log.chunks.is_empty(), "a large empty chunk is not kept");
    }
}
