//! One message becomes one ready-to-send server frame: unmasked, final, never split (RFC 6455 section 5.2).

use std::borrow::Cow;

/// A whole message, as it comes from a peer and goes to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// UTF-8 text (opcode 1).
    Text(&'a str),
    /// Any bytes (opcode 2).
    Binary(&'a [u8]),
}

impl<'a> Message<'a> {
    /// The payload, whatever the kind.
    pub fn payload(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The opcode that its frame carries.
    pub fn opcode(self) -> Opcode {
        match self {
            Self::Text(_) => Opcode::Text,
            Self::Binary(_) => Opcode::Binary,
        }
    }
}

/// The opcodes that a server sends (RFC 6455 section 5.2). There is no continuation: one message is one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// A text message.
    Text = 0x1,
    /// A binary message.
    Binary = 0x2,
    /// The close frame, after which nothing more is sent.
    Close = 0x8,
    /// A heartbeat question.
    Ping = 0x9,
    /// A heartbeat answer.
    Pong = 0xA,
}

/// The most bytes that a control frame may carry (RFC 6455 section 5.5).
pub const CONTROL_PAYLOAD_MAX: usize = 125;
/// The most bytes that a server frame's header takes: there is no mask.
pub const HEADER_MAX: usize = 10;

const FINAL: u8 = 0x80;

/// Appends one frame to `out`.
pub fn append(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    out.reserve(HEADER_MAX + payload.len());
    out.push(FINAL | opcode as u8);
    // RFC 6455 section 5.2: the shortest of the three length forms must be used.
    match payload.len() {
        len @ 0..=125 => out.push(u8::try_from(len).unwrap_or(0)),
        len => match u16::try_from(len) {
            Ok(len) => {
                out.push(126);
                out.extend_from_slice(&len.to_be_bytes());
            }
            Err(_) => {
                out.push(127);
                out.extend_from_slice(&(len as u64).to_be_bytes());
            }
        },
    }
    out.extend_from_slice(payload);
}

/// Appends a close frame with `code` and as much of `reason` as fits (RFC 6455 section 5.5.1). Without a code the frame
/// is empty, which the peer reports as 1005.
pub fn append_close(out: &mut Vec<u8>, code: Option<u16>, reason: &str) {
    let Some(code) = code else {
        append(out, Opcode::Close, &[]);
        return;
    };
    let reason = shorten(reason, CONTROL_PAYLOAD_MAX - 2);
    let mut payload = Vec::with_capacity(CONTROL_PAYLOAD_MAX);
    payload.extend_from_slice(&code.to_be_bytes());
    payload.extend_from_slice(reason.as_bytes());
    append(out, Opcode::Close, &payload);
}

/// The longest beginning of `text` that has at most `max` bytes and ends between two characters.
pub fn shorten(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}

/// `text` fit for a log line or an error text: control characters escaped, at most `max` bytes of it.
pub fn printable(text: &str, max: usize) -> Cow<'_, str> {
    let short = shorten(text, max);
    if short.chars().any(|char| char.is_control() || turns_the_line(char)) {
        return Cow::Owned(short.escape_debug().collect());
    }
    Cow::Borrowed(short)
}

/// Characters that begin a line or change its direction although they are no control characters (Unicode bidirectional
/// formatting, and the two separators): a name with one of them could rearrange what stands beside it.
fn turns_the_line(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_length_form_is_used() {
        let cases: [(usize, &[u8]); 6] = [
            (0, &[0x81, 0]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65535, &[0x81, 126, 0xff, 0xff]),
            (65536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
            (1 << 20, &[0x81, 127, 0, 0, 0, 0, 0, 0x10, 0, 0]),
        ];
        for (len, header) in cases {
            let mut out = Vec::new();
            append(&mut out, Opcode::Text, &vec![b'x'; len]);
            assert_eq!(&out[..header.len()], header, "payload of {len}");
            assert_eq!(out.len(), header.len() + len);
        }
    }

    #[test]
    fn a_close_reason_is_cut_between_characters() {
        let mut out = Vec::new();
        append_close(&mut out, Some(1013), &"é".repeat(100));
        assert_eq!(out[..4], [0x88, 2 + 122, 0x03, 0xf5]);
        assert!(std::str::from_utf8(&out[4..]).is_ok());
        out.clear();
        append_close(&mut out, None, "not sent");
        assert_eq!(out, [0x88, 0]);
    }

    #[test]
    fn control_characters_do_not_reach_a_log_line() {
        assert_eq!(printable("plain", 10), "plain");
        assert_eq!(printable("a\nb\u{1b}", 10), "a\\nb\\u{1b}");
        assert_eq!(printable("長い", 4), "長");
    }
}
