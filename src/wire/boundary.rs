//! Where frames and messages begin and end in a received byte stream, seen before tungstenite sees the bytes.
//!
//! tungstenite judges a frame when its last byte is there, and never counts fragments. This scan reads only headers: a
//! broken one is refused the moment it arrives, empty continuation frames are counted, a turn's share of messages can be
//! cut off between two frames, and a connection that stands between two messages can give its context back.

use std::io::Cursor;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::close::Ending;
use super::frame::CONTROL_PAYLOAD_MAX;
use crate::time::Time;

/// The longest client frame header: two bytes, eight of length, four of mask (RFC 6455 section 5.2).
const HEADER_MAX: usize = 14;

/// What a message may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageLimits {
    /// Payload bytes of one message, all its fragments together.
    pub bytes: usize,
    /// Fragments of one message, the first and the last included.
    pub fragments: u32,
}

/// A position in the stream of one peer's bytes.
#[derive(Debug, Clone, Default)]
pub struct Boundary {
    /// The beginning of a header whose rest has not come yet.
    header: [u8; HEADER_MAX],
    header_len: usize,
    /// Payload bytes of the present frame still to come.
    payload_left: u64,
    /// When the present frame is through, is something to be handed out?
    completes: bool,
    closes: bool,
    /// Fragments of the present message so far; zero between two messages.
    fragments: u32,
    message_bytes: u64,
    /// When the first byte came of the message under way, or of a control frame between two messages.
    begun: Time,
}

/// What [`Boundary::scan`] found.
#[derive(Debug, PartialEq, Eq)]
pub struct Scan {
    /// How many of the bytes may go to tungstenite.
    pub consumed: usize,
    /// How many messages and control frames are complete within them: so often tungstenite has something to say.
    pub complete: usize,
    /// Why the scan ended there.
    pub stop: Stop,
}

/// Why a scan ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// All bytes were looked at.
    Drained,
    /// The share of this turn is used up; the other bytes wait for the next one.
    Budget,
    /// A close frame is complete: whatever comes after it is ignored (RFC 6455 section 5.5.1).
    Close,
    /// The next frame breaks a rule.
    Broken(Ending),
}

impl Boundary {
    /// True between two messages: nothing begun, nothing to wait for.
    pub fn is_at_rest(&self) -> bool {
        self.header_len == 0 && self.payload_left == 0 && !self.completes && self.fragments == 0
    }

    /// When the message under way was begun; `None` between two messages. Control frames in its middle do not count.
    pub fn begun(&self) -> Option<Time> {
        (!self.is_at_rest()).then_some(self.begun)
    }

    /// How many payload bytes of the present frame are still to come.
    pub fn payload_left(&self) -> u64 {
        self.payload_left
    }

    /// Looks at `bytes`, which came `now`, up to the `most`th complete message or control frame.
    pub fn scan(&mut self, bytes: &[u8], limits: MessageLimits, most: usize, now: Time) -> Scan {
        let mut consumed = 0;
        let mut complete = 0;
        loop {
            consumed += self.skip_payload(bytes.len() - consumed);
            if self.payload_left > 0 {
                return Scan { consumed, complete, stop: Stop::Drained };
            }
            if std::mem::take(&mut self.completes) {
                complete += 1;
            }
            if std::mem::take(&mut self.closes) {
                return Scan { consumed, complete, stop: Stop::Close };
            }
            let rest = bytes.get(consumed..).unwrap_or(&[]);
            if rest.is_empty() {
                return Scan { consumed, complete, stop: Stop::Drained };
            }
            if complete >= most {
                return Scan { consumed, complete, stop: Stop::Budget };
            }
            if self.header_len == 0 && self.fragments == 0 {
                self.begun = now;
            }
            match self.take_header(rest, limits) {
                Ok(used) => consumed += used,
                Err(ending) => return Scan { consumed, complete, stop: Stop::Broken(ending) },
            }
        }
    }

    fn skip_payload(&mut self, available: usize) -> usize {
        let skipped = available.min(usize::try_from(self.payload_left).unwrap_or(usize::MAX));
        self.payload_left -= skipped as u64;
        skipped
    }

    /// Takes as much of a header as is there and returns how many bytes that was.
    fn take_header(&mut self, bytes: &[u8], limits: MessageLimits) -> Result<usize, Ending> {
        let before = self.header_len;
        let added = bytes.len().min(HEADER_MAX - before);
        if let (Some(room), Some(new)) = (self.header.get_mut(before..before + added), bytes.get(..added)) {
            room.copy_from_slice(new);
        }
        let have = before + added;
        check_first_bytes(self.header.get(..have).unwrap_or(&[]))?;
        let mut cursor = Cursor::new(self.header.get(..have).unwrap_or(&[]));
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| Ending::Protocol("reserved opcode"))?;
        let Some((header, payload)) = parsed else {
            self.header_len = have;
            return Ok(added);
        };
        let header_len = usize::try_from(cursor.position()).unwrap_or(have);
        self.header_len = 0;
        self.enter(&header, payload, limits)?;
        Ok(header_len - before)
    }

    /// Judges a complete header and makes its frame the present one.
    fn enter(&mut self, header: &FrameHeader, payload: u64, limits: MessageLimits) -> Result<(), Ending> {
        // RFC 6455 section 5.2: the most significant bit of a 64-bit length must be 0.
        if payload > i64::MAX as u64 {
            return Err(Ending::Protocol("frame length above 2^63"));
        }
        match header.opcode {
            OpCode::Control(control) => {
                // Section 5.5: control frames are whole and short.
                if !header.is_final {
                    return Err(Ending::Protocol("fragmented control frame"));
                }
                if payload > CONTROL_PAYLOAD_MAX as u64 {
                    return Err(Ending::Protocol("control frame of more than 125 bytes"));
                }
                self.closes = control == Control::Close;
                self.completes = true;
            }
            OpCode::Data(data) => {
                self.count_fragment(data, payload, limits)?;
                self.completes = header.is_final;
                if header.is_final {
                    self.fragments = 0;
                    self.message_bytes = 0;
                }
            }
        }
        self.payload_left = payload;
        Ok(())
    }

    fn count_fragment(&mut self, data: Data, payload: u64, limits: MessageLimits) -> Result<(), Ending> {
        // RFC 6455 section 5.4: fragments of different messages are never interleaved.
        match (data == Data::Continue, self.fragments) {
            (true, 0) => return Err(Ending::Protocol("continuation without a message")),
            (false, 1..) => return Err(Ending::Protocol("new message inside a fragmented one")),
            _ => {}
        }
        self.message_bytes = self.message_bytes.saturating_add(payload);
        if self.message_bytes > limits.bytes as u64 {
            return Err(Ending::TooBig { most: limits.bytes });
        }
        self.fragments += 1;
        if self.fragments > limits.fragments {
            return Err(Ending::TooManyFragments { most: limits.fragments });
        }
        Ok(())
    }
}

/// What the first two bytes already tell, before a length or a mask is there.
fn check_first_bytes(header: &[u8]) -> Result<(), Ending> {
    const RESERVED_BITS: u8 = 0x70;
    const MASKED: u8 = 0x80;
    // RFC 6455 section 5.2: reserved bits are 0 unless an extension was negotiated, and we negotiate none.
    if header.first().is_some_and(|first| first & RESERVED_BITS != 0) {
        return Err(Ending::Protocol("reserved bits are set"));
    }
    if header.first().is_some_and(|first| matches!(first & 0x0f, 0x3..=0x7 | 0xb..=0xf)) {
        return Err(Ending::Protocol("reserved opcode"));
    }
    // Section 5.1: a server must close the connection upon a frame that is not masked.
    if header.get(1).is_some_and(|second| second & MASKED == 0) {
        return Err(Ending::Protocol("unmasked frame"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: MessageLimits = MessageLimits { bytes: 1000, fragments: 4 };

    const NOW: Time = Time::from_millis(5);

    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        if payload < 126 {
            bytes.push(0x80 | u8::try_from(payload).unwrap());
        } else {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(payload).unwrap().to_be_bytes());
        }
        bytes.extend([0; 4]);
        bytes.resize(bytes.len() + payload, b'x');
        bytes
    }

    fn scan(bytes: &[u8]) -> Scan {
        Boundary::default().scan(bytes, LIMITS, 32, NOW)
    }

    #[test]
    fn broken_headers_are_refused_as_soon_as_they_can_be() {
        let cases: [(&[u8], Ending); 11] = [
            (&[0xc1], Ending::Protocol("reserved bits are set")),
            (&[0x83], Ending::Protocol("reserved opcode")),
            (&[0x8b], Ending::Protocol("reserved opcode")),
            (&[0x81, 0x05], Ending::Protocol("unmasked frame")),
            (&[0x09, 0x80, 0, 0, 0, 0], Ending::Protocol("fragmented control frame")),
            (&[0x89, 0xfe, 0, 126, 0, 0, 0, 0], Ending::Protocol("control frame of more than 125 bytes")),
            (&[0x80, 0x80, 0, 0, 0, 0], Ending::Protocol("continuation without a message")),
            (&[0x82, 0xfe, 0x03, 0xe9, 0, 0, 0, 0], Ending::TooBig { most: 1000 }),
            (&[0x82, 0xff, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0], Ending::TooBig { most: 1000 }),
            (&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Ending::Protocol("frame length above 2^63")),
            (&[0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0], Ending::TooBig { most: 1000 }),
        ];
        for (bytes, ending) in cases {
            assert_eq!(scan(bytes), Scan { consumed: 0, complete: 0, stop: Stop::Broken(ending) }, "{bytes:x?}");
        }
    }

    #[test]
    fn what_came_before_a_broken_frame_still_counts() {
        let mut bytes = frame(0x81, 3);
        let good = bytes.len();
        bytes.extend([0xf1, 0x80]);
        let found = scan(&bytes);
        assert_eq!((found.consumed, found.complete), (good, 1));
        assert_eq!(found.stop, Stop::Broken(Ending::Protocol("reserved bits are set")));
    }

    #[test]
    fn fragments_are_counted_even_when_they_are_empty() {
        let mut bytes = frame(0x01, 0);
        for _ in 0..3 {
            bytes.extend(frame(0x00, 0));
        }
        let whole = bytes.len();
        bytes.extend(frame(0x00, 0));
        let found = scan(&bytes);
        assert_eq!(found.consumed, whole);
        assert_eq!(found.stop, Stop::Broken(Ending::TooManyFragments { most: 4 }));
    }

    #[test]
    fn fragments_of_one_message_share_its_limit() {
        let mut bytes = frame(0x02, 600);
        bytes.extend(frame(0x89, 0));
        bytes.extend(frame(0x80, 401));
        let found = scan(&bytes);
        assert_eq!(found.complete, 1, "the ping in between is complete");
        assert_eq!(found.stop, Stop::Broken(Ending::TooBig { most: 1000 }));
    }

    #[test]
    fn the_budget_cuts_between_two_frames() {
        let one = frame(0x81, 5);
        let bytes = one.repeat(3);
        let mut boundary = Boundary::default();
        let found = boundary.scan(&bytes, LIMITS, 2, NOW);
        assert_eq!(found, Scan { consumed: 2 * one.len(), complete: 2, stop: Stop::Budget });
        assert!(boundary.is_at_rest());
        let rest = boundary.scan(&bytes[found.consumed..], LIMITS, 2, NOW);
        assert_eq!(rest, Scan { consumed: one.len(), complete: 1, stop: Stop::Drained });
    }

    #[test]
    fn nothing_after_a_close_frame_is_looked_at() {
        let mut bytes = frame(0x88, 2);
        let close = bytes.len();
        bytes.extend([0xff; 20]);
        assert_eq!(scan(&bytes), Scan { consumed: close, complete: 1, stop: Stop::Close });
    }

    #[test]
    fn a_ping_in_the_middle_does_not_make_a_message_younger() {
        let mut boundary = Boundary::default();
        assert_eq!(boundary.begun(), None);
        boundary.scan(&frame(0x01, 3), LIMITS, 32, Time::from_millis(10));
        boundary.scan(&frame(0x89, 0), LIMITS, 32, Time::from_millis(20));
        assert_eq!(boundary.begun(), Some(Time::from_millis(10)));
        boundary.scan(&frame(0x80, 0), LIMITS, 32, Time::from_millis(30));
        assert_eq!(boundary.begun(), None);
        boundary.scan(&frame(0x81, 9)[..7], LIMITS, 32, Time::from_millis(40));
        assert_eq!(boundary.begun(), Some(Time::from_millis(40)));
    }

    /// However the bytes are cut, the same frames are found, and the boundary is at rest only where a message has ended.
    #[test]
    fn every_split_gives_the_same() {
        let mut bytes = frame(0x01, 200);
        bytes.extend(frame(0x89, 7));
        bytes.extend(frame(0x80, 0));
        bytes.extend(frame(0x82, 130));
        for split in 0..=bytes.len() {
            let mut boundary = Boundary::default();
            let first = boundary.scan(&bytes[..split], LIMITS, 32, NOW);
            assert_eq!(first.consumed, split);
            let second = boundary.scan(&bytes[split..], LIMITS, 32, NOW);
            assert_eq!(first.complete + second.complete, 3, "split at {split}");
            assert_eq!((second.consumed, second.stop), (bytes.len() - split, Stop::Drained));
            assert!(boundary.is_at_rest());
        }
        let mut boundary = Boundary::default();
        boundary.scan(&bytes[..1], LIMITS, 32, NOW);
        assert!(!boundary.is_at_rest());
    }
}
