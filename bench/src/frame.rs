//! Frames (RFC 6455 section 5.2) as a client sees them. What a server sends is taken apart in place, in the one buffer that
//! everybody reads into; only what is cut short is kept, by the connection it belongs to.

/// Payloads longer than this are not kept while they arrive, only their first bytes are.
const LARGE: usize = 32 * 1024;
/// That many bytes of a large payload are kept.
const PREFIX_BYTES: usize = 64;
/// What our frames are masked with. Any four bytes are allowed; servers have to undo them all the same.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A text message.
pub(crate) const TEXT: u8 = 1;
/// A binary message.
pub(crate) const BINARY: u8 = 2;
/// The end.
pub(crate) const CLOSE: u8 = 8;
/// Are you there?
pub(crate) const PING: u8 = 9;
/// Yes.
pub(crate) const PONG: u8 = 10;

/// A frame that has come in whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'b> {
    pub(crate) opcode: u8,
    /// The payload, or its first 64 bytes if it is a large one.
    pub(crate) payload: &'b [u8],
    /// Bytes of the whole payload.
    pub(crate) length: usize,
}

/// Takes the byte stream of one connection apart.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// What was cut short, to be completed by the next bytes.
    rest: Vec<u8>,
    /// How far the bytes at hand are used up.
    at: usize,
    large: Large,
}

/// A large payload on its way.
#[derive(Debug)]
struct Large {
    opcode: u8,
    length: usize,
    left: usize,
    prefix: [u8; PREFIX_BYTES],
}

impl Default for Large {
    fn default() -> Self {
        Self { opcode: 0, length: 0, left: 0, prefix: [0; PREFIX_BYTES] }
    }
}

/// What a header says.
struct Header {
    opcode: u8,
    bytes: usize,
    length: usize,
}

impl Reader {
    /// Puts what was left over in front of where new bytes are read to, and returns how much that is.
    pub(crate) fn restore(&mut self, buffer: &mut [u8]) -> usize {
        self.at = 0;
        if self.rest.is_empty() {
            return 0;
        }
        let kept = self.rest.len();
        if let Some(front) = buffer.get_mut(..kept) {
            front.copy_from_slice(&self.rest);
        }
        self.rest = Vec::new();
        kept
    }

    /// The next whole frame of `bytes`, which begin with what [`restore`](Self::restore) put there.
    #[inline]
    pub(crate) fn next<'b>(&'b mut self, bytes: &'b [u8]) -> Option<Frame<'b>> {
        if self.large.left > 0 {
            return self.go_on_large(bytes);
        }
        let unused = bytes.get(self.at..)?;
        let header = header(unused)?;
        let end = header.bytes + header.length;
        if header.length > LARGE {
            return self.begin_large(bytes, &header);
        }
        let payload = unused.get(header.bytes..end)?;
        self.at += end;
        Some(Frame { opcode: header.opcode, payload, length: header.length })
    }

    /// Skips bytes that are no frames, such as the head of the handshake.
    pub(crate) fn skip(&mut self, count: usize) {
        self.at += count;
    }

    /// Keeps what is not used up.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        if let Some(unused) = bytes.get(self.at..).filter(|unused| !unused.is_empty()) {
            self.rest = unused.to_vec();
        }
    }

    fn begin_large<'b>(&'b mut self, bytes: &'b [u8], header: &Header) -> Option<Frame<'b>> {
        let start = self.at + header.bytes;
        let prefix = bytes.get(start..start + PREFIX_BYTES)?;
        self.large.prefix.copy_from_slice(prefix);
        self.large.opcode = header.opcode;
        self.large.length = header.length;
        self.large.left = header.length;
        self.at = start;
        self.go_on_large(bytes)
    }

    fn go_on_large<'b>(&'b mut self, bytes: &'b [u8]) -> Option<Frame<'b>> {
        let taken = self.large.left.min(bytes.len().saturating_sub(self.at));
        self.at += taken;
        self.large.left -= taken;
        let Large { opcode, length, left, prefix } = &self.large;
        (*left == 0).then_some(Frame { opcode: *opcode, payload: prefix, length: *length })
    }
}

/// `None` while it is cut short.
#[inline]
fn header(bytes: &[u8]) -> Option<Header> {
    let &[first, second, ..] = bytes else { return None };
    let opcode = first & 0x0f;
    match second & 0x7f {
        126 => {
            let length = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
            Some(Header { opcode, bytes: 4, length: usize::from(length) })
        }
        127 => {
            let length = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            Some(Header { opcode, bytes: 10, length: usize::try_from(length).unwrap_or(usize::MAX / 2) })
        }
        length => Some(Header { opcode, bytes: 2, length: usize::from(length) }),
    }
}

/// Appends a masked frame to what is to be sent.
pub(crate) fn append(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => out.push(0x80 | length),
        (_, Ok(length)) => {
            out.push(0x80 | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend_from_slice(payload);
    for (byte, mask) in out.iter_mut().skip(start).zip(MASK.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An unmasked frame, as servers send it.
    fn served(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut masked = Vec::new();
        append(&mut masked, opcode, payload);
        let header = masked.len() - payload.len() - 4;
        let mut frame = masked[..header].to_vec();
        frame[1] &= 0x7f;
        frame.extend_from_slice(payload);
        frame
    }

    /// Reads `stream` in the given pieces through one buffer, as the crowd does.
    fn read<'s>(pieces: impl IntoIterator<Item = &'s [u8]>) -> Vec<(u8, Vec<u8>, usize)> {
        let mut reader = Reader::default();
        let mut buffer = vec![0; 1 << 20];
        let mut frames = Vec::new();
        for piece in pieces {
            let kept = reader.restore(&mut buffer);
            buffer[kept..kept + piece.len()].copy_from_slice(piece);
            let bytes = &buffer[..kept + piece.len()];
            while let Some(frame) = reader.next(bytes) {
                frames.push((frame.opcode, frame.payload.to_vec(), frame.length));
            }
            reader.keep(bytes);
        }
        frames
    }

    fn expected(messages: &[(u8, Vec<u8>)]) -> Vec<(u8, Vec<u8>, usize)> {
        let shown = |payload: &[u8]| {
            let kept = if payload.len() > LARGE { PREFIX_BYTES } else { payload.len() };
            payload[..kept].to_vec()
        };
        messages.iter().map(|(opcode, payload)| (*opcode, shown(payload), payload.len())).collect()
    }

    fn text(length: usize) -> (u8, Vec<u8>) {
        (TEXT, (0..length).map(|index| b'a' + u8::try_from(index % 26).unwrap()).collect())
    }

    #[test]
    fn small_frames_are_found_at_every_split() {
        let messages = [text(5), (PING, Vec::new()), text(125), text(126), (CLOSE, b"\x03\xe8bye".to_vec()), text(300)];
        let stream: Vec<u8> = messages.iter().flat_map(|(opcode, payload)| served(*opcode, payload)).collect();
        let expected = expected(&messages);
        assert_eq!(read([&stream[..]]), expected);
        assert_eq!(read(stream.chunks(1)), expected);
        for first in 0..=stream.len() {
            for second in (first..=stream.len()).step_by(7) {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(read(pieces), expected, "split at {first} and {second}");
            }
        }
    }

    #[test]
    fn large_frames_are_found_wherever_they_are_cut() {
        let messages = [text(3), text(LARGE), text(LARGE + 1), text(70_000), text(4)];
        let stream: Vec<u8> = messages.iter().flat_map(|(opcode, payload)| served(*opcode, payload)).collect();
        let expected = expected(&messages);
        for size in [1, 2, 63, 1_000, 40_000, stream.len()] {
            assert_eq!(read(stream.chunks(size)), expected, "in pieces of {size}");
        }
        let edges = [5, 5 + 4 + LARGE, stream.len() - 6 - 70_000 - 10, stream.len() - 6];
        for split in edges.into_iter().flat_map(|edge| edge - 4..edge + 90).filter(|&split| split <= stream.len()) {
            assert_eq!(read([&stream[..split], &stream[split..]]), expected, "split at {split}");
        }
    }

    #[test]
    fn sent_frames_are_masked() {
        let mut out = Vec::new();
        append(&mut out, TEXT, b"hello");
        assert_eq!(out[..2], [0x81, 0x85]);
        assert_eq!(out[2..6], MASK);
        let unmasked: Vec<u8> = out[6..].iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!(unmasked, b"hello");
    }
}
