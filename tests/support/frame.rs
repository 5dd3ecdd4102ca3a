//! One WebSocket frame (RFC 6455 section 5.2) as a test writes it down, to and from bytes.

use std::fmt;

/// The opcodes of RFC 6455 section 11.8.
pub(crate) mod opcode {
    pub(crate) const CONTINUATION: u8 = 0;
    pub(crate) const TEXT: u8 = 1;
    pub(crate) const BINARY: u8 = 2;
    pub(crate) const CLOSE: u8 = 8;
    pub(crate) const PING: u8 = 9;
    pub(crate) const PONG: u8 = 10;
}

/// A frame, lawful or not: nothing stops a test from a fragmented ping or a reserved opcode.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    /// The three reserved bits as a number, RSV1 the highest: 0 to 7.
    pub(crate) rsv: u8,
    /// 0 to 15.
    pub(crate) opcode: u8,
    /// Clients must mask, servers must not (section 5.1). The key is drawn when the frame is encoded.
    pub(crate) masked: bool,
    /// The payload in clear, whether or not it travels masked.
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// A whole, masked frame: what a lawful client sends.
    pub(crate) fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { fin: true, rsv: 0, opcode, masked: true, payload: payload.into() }
    }

    pub(crate) fn text(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::TEXT, payload)
    }

    pub(crate) fn binary(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::BINARY, payload)
    }

    pub(crate) fn continuation(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::CONTINUATION, payload)
    }

    pub(crate) fn ping(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::PING, payload)
    }

    pub(crate) fn pong(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::PONG, payload)
    }

    pub(crate) fn close(code: u16, reason: impl AsRef<[u8]>) -> Self {
        Self::new(opcode::CLOSE, [&code.to_be_bytes(), reason.as_ref()].concat())
    }

    /// The same frame with FIN clear: more fragments are to come.
    pub(crate) fn unfinished(mut self) -> Self {
        self.fin = false;
        self
    }

    pub(crate) fn with_rsv(mut self, rsv: u8) -> Self {
        self.rsv = rsv;
        self
    }

    /// The same frame as a server sends it.
    pub(crate) fn unmasked(mut self) -> Self {
        self.masked = false;
        self
    }

    /// A message cut into frames of at most `size` bytes; the first carries the opcode, the last one FIN.
    pub(crate) fn fragments(opcode: u8, payload: &[u8], size: usize) -> Vec<Self> {
        let mut frames: Vec<Self> = payload.chunks(size).map(|chunk| Self::continuation(chunk).unfinished()).collect();
        if frames.is_empty() {
            frames.push(Self::continuation([]));
        }
        if let Some(first) = frames.first_mut() {
            first.opcode = opcode;
        }
        if let Some(last) = frames.last_mut() {
            last.fin = true;
        }
        frames
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.payload.len() + HEADER_BYTES_MAX);
        self.encode_into(&mut bytes);
        bytes
    }

    /// Appends the frame's bytes: many fragments can share one buffer and one write.
    pub(crate) fn encode_into(&self, bytes: &mut Vec<u8>) {
        let mask_bit = if self.masked { 0x80 } else { 0 };
        bytes.push(u8::from(self.fin) << 7 | self.rsv << 4 | self.opcode);
        let length = self.payload.len();
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ ..=125), _) => bytes.push(mask_bit | short),
            (_, Ok(medium)) => {
                bytes.push(mask_bit | 126);
                bytes.extend_from_slice(&medium.to_be_bytes());
            }
            _ => {
                bytes.push(mask_bit | 127);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        if self.masked {
            let key = fastrand::u32(..).to_ne_bytes();
            bytes.extend_from_slice(&key);
            let start = bytes.len();
            bytes.extend_from_slice(&self.payload);
            mask(&mut bytes[start..], key);
        } else {
            bytes.extend_from_slice(&self.payload);
        }
    }

    /// Takes one frame from the front of `bytes`, with the number of bytes it used up; `None` while bytes are missing.
    ///
    /// # Errors
    /// The reason, when no further byte can make this a lawful frame header.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, String> {
        let mut rest = bytes;
        let Some([first, second]) = take::<2>(&mut rest) else {
            return Ok(None);
        };
        let length = match second & 0x7f {
            126 => take::<2>(&mut rest).map(|wide| u64::from(u16::from_be_bytes(wide))),
            127 => take::<8>(&mut rest).map(u64::from_be_bytes),
            short => Some(u64::from(short)),
        };
        let Some(length) = length else {
            return Ok(None);
        };
        // Section 5.2: "the minimal number of bytes MUST be used to encode the length".
        let shortest = match length {
            0..=125 => second & 0x7f <= 125,
            126..=0xffff => second & 0x7f == 126,
            _ => true,
        };
        if !shortest {
            return Err(format!("a length of {length} is not written in its shortest form"));
        }
        let length = usize::try_from(length).map_err(|_| format!("a length of {length} fits no memory"))?;
        let masked = second & 0x80 != 0;
        let key = if masked { take::<4>(&mut rest) } else { Some([0; 4]) };
        let Some((key, payload)) = key.zip(rest.get(..length)) else {
            return Ok(None);
        };
        let mut payload = payload.to_vec();
        if masked {
            mask(&mut payload, key);
        }
        let frame = Self { fin: first & 0x80 != 0, rsv: first >> 4 & 7, opcode: first & 15, masked, payload };
        Ok(Some((frame, bytes.len() - rest.len() + length)))
    }
}

/// A failed test prints frames; sixteen megabytes of payload would hide what they say.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.opcode {
            opcode::CONTINUATION => "continuation",
            opcode::TEXT => "text",
            opcode::BINARY => "binary",
            opcode::CLOSE => "close",
            opcode::PING => "ping",
            opcode::PONG => "pong",
            _ => "reserved",
        };
        let shown = &self.payload[..self.payload.len().min(PAYLOAD_SHOWN_MAX)];
        let dots = if shown.len() < self.payload.len() { "…" } else { "" };
        write!(f, "{name}({}", self.opcode)?;
        write!(f, "{}", if self.fin { "" } else { " unfinished" })?;
        if self.rsv != 0 {
            write!(f, " rsv={}", self.rsv)?;
        }
        write!(f, "{}", if self.masked { " masked" } else { "" })?;
        write!(f, ") {} bytes \"{}{dots}\"", self.payload.len(), shown.escape_ascii())
    }
}

/// Reads the payload of a close frame: no code at all when it is empty, else the code and the reason.
///
/// # Errors
/// What section 5.5.1 forbids: a lone byte, or a reason that is not UTF-8.
pub(crate) fn close_payload(payload: &[u8]) -> Result<Option<(u16, String)>, String> {
    let mut reason = payload;
    match (payload.is_empty(), take::<2>(&mut reason)) {
        (true, _) => Ok(None),
        (_, None) => Err("a close frame with half a code".to_owned()),
        (_, Some(code)) => match std::str::from_utf8(reason) {
            Ok(reason) => Ok(Some((u16::from_be_bytes(code), reason.to_owned()))),
            Err(error) => Err(format!("the close reason is not UTF-8: {error}")),
        },
    }
}

/// Section 5.3. Eight bytes at a time, because unoptimised test builds mask sixteen megabytes too.
fn mask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = payload.chunks_exact_mut(8);
    for word in words.by_ref() {
        if let Ok(bytes) = <[u8; 8]>::try_from(&*word) {
            word.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
        }
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// Moves `N` bytes off the front, or none.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (front, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*front)
}

/// Two bytes, the longest length and the masking key.
const HEADER_BYTES_MAX: usize = 14;
const PAYLOAD_SHOWN_MAX: usize = 48;
