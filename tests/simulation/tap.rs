//! What the server sends, taken apart as it is sent: an HTTP answer, or the 101 and then frames. Whatever a server must
//! not send fails here.

use std::collections::VecDeque;

/// RFC 6455 section 1.3 has this pair of key and answer as its example.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Something whole that the server has sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// An HTTP answer with this status, or its head if it is a 101.
    Answer(u16),
    /// A text or binary message.
    Message {
        /// 1 or 2.
        opcode: u8,
        /// The message.
        payload: Vec<u8>,
    },
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close frame, after which nothing may come.
    Close(Option<u16>, String),
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Expect {
    #[default]
    Head,
    Body(usize),
    Frames,
    Nothing,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    /// The request was a HEAD: the answer has no body.
    pub(crate) head_only: bool,
    expect: Expect,
    status: u16,
    buffer: Vec<u8>,
    /// Everything up to here is taken apart.
    position: u64,
    /// Each with the position behind it.
    pub(crate) sent: VecDeque<(u64, Sent)>,
    pub(crate) closed: bool,
}

impl Tap {
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        assert!(bytes.is_empty() || self.expect != Expect::Nothing, "bytes after the last: {bytes:x?}");
        self.buffer.extend_from_slice(bytes);
        while self.step() {}
        let trailing = self.expect == Expect::Nothing && !self.buffer.is_empty();
        assert!(!trailing, "bytes after the last: {:x?}", self.buffer);
    }

    /// True when the server is in the middle of something.
    pub(crate) fn is_inside(&self) -> bool {
        !self.buffer.is_empty() || matches!(self.expect, Expect::Body(1..))
    }

    fn step(&mut self) -> bool {
        match self.expect {
            Expect::Head => self.head(),
            Expect::Body(length) => self.body(length),
            Expect::Frames => self.frame(),
            Expect::Nothing => false,
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        self.position += count as u64;
        self.buffer.drain(..count).collect()
    }

    fn push(&mut self, sent: Sent) {
        self.sent.push_back((self.position, sent));
    }

    fn head(&mut self) -> bool {
        let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
        let head = String::from_utf8(self.take(end + 4)).expect("an answer's head is text");
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).map(str::parse);
        self.status = status.expect("a status line").expect("a status");
        let value = |name: &str| {
            head.lines().find_map(|line| line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name)))
        };
        if self.status == 101 {
            assert_eq!(value("Sec-WebSocket-Accept").map(|(_, value)| value), Some(ACCEPT));
            self.expect = Expect::Frames;
            self.push(Sent::Answer(101));
            return true;
        }
        let length = value("Content-Length").and_then(|(_, value)| value.parse().ok()).expect("Content-Length");
        if matches!(self.status, 429 | 503) && !head.contains("shutting") {
            let retry: Option<u32> = value("Retry-After").and_then(|(_, value)| value.parse().ok());
            assert!(retry != Some(0), "Retry-After of nothing");
        }
        self.expect = Expect::Body(if self.head_only && self.status == 200 { 0 } else { length });
        true
    }

    fn body(&mut self, length: usize) -> bool {
        if self.buffer.len() < length {
            return false;
        }
        self.take(length);
        self.expect = Expect::Nothing;
        self.push(Sent::Answer(self.status));
        true
    }

    fn frame(&mut self) -> bool {
        let &[first, second, ..] = &self.buffer[..] else { return false };
        assert_eq!(first & 0xf0, 0x80, "a frame that is not whole, or has reserved bits");
        assert_eq!(second & 0x80, 0, "a masked frame from a server");
        let extra = match second {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(extended) = self.buffer.get(2..2 + extra) else { return false };
        let long = extended.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
        let length = if extra == 0 { usize::from(second) } else { long };
        assert!(extra == 0 || length > 125 && (extra == 2 || length > 0xffff), "a length that is not the shortest");
        let header = 2 + extra;
        if self.buffer.len() < header + length {
            return false;
        }
        let payload = self.take(header + length).split_off(header);
        self.received(first & 0x0f, payload);
        true
    }

    fn received(&mut self, opcode: u8, payload: Vec<u8>) {
        assert!(opcode < 8 || payload.len() <= 125, "a control frame of {} bytes", payload.len());
        let sent = match opcode {
            1 => {
                assert!(std::str::from_utf8(&payload).is_ok(), "a text that is not UTF-8");
                Sent::Message { opcode, payload }
            }
            2 => Sent::Message { opcode, payload },
            8 => {
                self.expect = Expect::Nothing;
                self.closed = true;
                close(&payload)
            }
            9 => Sent::Ping(payload),
            10 => Sent::Pong(payload),
            _ => panic!("a frame with opcode {opcode}"),
        };
        self.push(sent);
    }
}

fn close(payload: &[u8]) -> Sent {
    match payload {
        [] => Sent::Close(None, String::new()),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            assert!(matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999), "close code {code}");
            Sent::Close(Some(code), String::from_utf8(reason.to_vec()).expect("a close reason is text"))
        }
        [_] => panic!("a close frame of one byte"),
    }
}
