//! The usual message: one frame, whole, among the bytes of one read. It is unmasked where it lies and handed on from
//! there, without a decoder and without a copy. A pong is all that most peers ever say once they are in, so it is taken the
//! same way. Everything else (fragments, frames cut by the network, other control frames, and whatever breaks a rule) is
//! left to [`super::boundary`] and tungstenite.

use std::io::Cursor;
use std::ops::Range;

use tungstenite::protocol::frame::FrameHeader;

use super::close::Ending;
use super::frame::{CONTROL_PAYLOAD_MAX, Message, Opcode};

/// One unmasked message among received bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    is_text: bool,
    payload: Range<usize>,
}

impl Whole {
    /// Looks for a frame at `from` that is a message of its own, of at most `most` bytes of payload, and that ends within
    /// `bytes`; unmasks it. `None`, and untouched bytes, for anything else. The caller stands between two messages.
    pub fn take(bytes: &mut [u8], from: usize, most: usize) -> Option<Self> {
        const FINAL_TEXT: u8 = 0x80 | Opcode::Text as u8;
        const FINAL_BINARY: u8 = 0x80 | Opcode::Binary as u8;
        let first = *bytes.get(from)?;
        if first != FINAL_TEXT && first != FINAL_BINARY {
            return None;
        }
        Some(Self { is_text: first == FINAL_TEXT, payload: take_payload(bytes, from, most)? })
    }

    /// The same for a pong: where its payload lies, unmasked. The next frame begins at its end.
    pub fn take_pong(bytes: &mut [u8], from: usize) -> Option<Range<usize>> {
        const PONG: u8 = 0x80 | Opcode::Pong as u8;
        if *bytes.get(from)? != PONG {
            return None;
        }
        take_payload(bytes, from, CONTROL_PAYLOAD_MAX)
    }

    /// Where the next frame begins.
    pub fn end(&self) -> usize {
        self.payload.end
    }

    /// The message, in the bytes that it was taken from.
    ///
    /// # Errors
    /// [`Ending::NotUtf8`] for a text that is none (RFC 6455 section 8.1).
    pub fn message<'a>(&self, bytes: &'a [u8]) -> Result<Message<'a>, Ending> {
        let payload = bytes.get(self.payload.clone()).unwrap_or(&[]);
        if !self.is_text {
            return Ok(Message::Binary(payload));
        }
        std::str::from_utf8(payload).map(Message::Text).map_err(|_| Ending::NotUtf8)
    }
}

/// Unmasks the payload of the frame at `from`, if all of it is there and it is not too long.
fn take_payload(bytes: &mut [u8], from: usize, most: usize) -> Option<Range<usize>> {
    let mut cursor = Cursor::new(bytes.get(from..)?);
    let (header, length) = FrameHeader::parse(&mut cursor).ok()??;
    let start = from + usize::try_from(cursor.position()).ok()?;
    let length = usize::try_from(length).ok().filter(|&length| length <= most)?;
    let payload = start..start.checked_add(length)?;
    unmask(bytes.get_mut(payload.clone())?, header.mask?);
    Some(payload)
}

/// RFC 6455 section 5.3. Eight bytes at a time, which the compiler makes wider still.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
        let mut bytes = vec![first];
        if payload.len() < 126 {
            bytes.push(0x80 | u8::try_from(payload.len()).unwrap());
        } else {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    #[test]
    fn every_length_comes_out_as_it_went_in() {
        let payload: Vec<u8> = (0..=255).cycle().take(300).collect();
        for length in 0..payload.len() {
            let mut bytes = vec![0xee; 3];
            bytes.extend(masked(0x82, &payload[..length], [1, 0x80, 3, 0xff]));
            let end = bytes.len();
            bytes.extend([0x81, 0x80]);
            let whole = Whole::take(&mut bytes, 3, 300).unwrap();
            assert_eq!(whole.end(), end);
            assert_eq!(whole.message(&bytes), Ok(Message::Binary(&payload[..length])));
            assert_eq!(&bytes[end..], [0x81, 0x80], "what is behind it is left alone");
        }
    }

    #[test]
    fn pongs_come_out_as_they_went_in_and_no_longer_than_they_may_be() {
        for length in [0, 1, 5, 125] {
            let mut bytes = masked(0x8a, &vec![7; length], [1, 0x80, 3, 0xff]);
            let whole = bytes.clone();
            for cut in 0..whole.len() {
                assert_eq!(Whole::take_pong(&mut bytes[..cut], 0), None, "cut at {cut}");
            }
            assert_eq!(bytes, whole);
            assert_eq!(Whole::take(&mut bytes, 0, 125), None);
            let payload = Whole::take_pong(&mut bytes, 0).unwrap();
            assert_eq!((payload.end, &bytes[payload]), (whole.len(), &vec![7; length][..]));
        }
        for (first, length) in [(0x8a, 126), (0x0a, 0), (0xca, 0), (0x89, 0)] {
            assert_eq!(Whole::take_pong(&mut masked(first, &vec![7; length], [1; 4]), 0), None, "{first:x}");
        }
    }

    #[test]
    fn text_is_checked() {
        for (payload, expected) in [("grüße".as_bytes(), Ok(Message::Text("grüße"))), (b"\xff", Err(Ending::NotUtf8))]
        {
            let mut bytes = masked(0x81, payload, [9; 4]);
            let whole = Whole::take(&mut bytes, 0, 100).unwrap();
            assert_eq!(whole.message(&bytes), expected);
        }
    }

    #[test]
    fn everything_else_is_left_untouched() {
        let text = masked(0x81, b"hello", [1, 2, 3, 4]);
        let mut cases: Vec<Vec<u8>> = (0..text.len()).map(|length| text[..length].to_vec()).collect();
        // A fragment, a continuation, reserved bits, a reserved opcode, a ping, a close frame.
        cases.extend([0x01, 0x80, 0xc1, 0x83, 0x89, 0x88].map(|first| masked(first, b"hello", [1, 2, 3, 4])));
        // One byte too long; not masked; a length of which the first bit is set.
        cases.push(masked(0x81, b"sixsix", [1, 2, 3, 4]));
        cases.push(b"\x81\x05hello".to_vec());
        cases.push([&[0x81, 0xff], [0xff; 8].as_slice(), &[1, 2, 3, 4], b"hello"].concat());
        for case in cases {
            let mut bytes = case.clone();
            assert_eq!(Whole::take(&mut bytes, 0, 5), None, "{case:x?}");
            assert_eq!(Whole::take_pong(&mut bytes, 0), None, "{case:x?}");
            assert_eq!(bytes, case);
        }
        assert_eq!(Whole::take(&mut [], 1, 5), None);
    }
}
