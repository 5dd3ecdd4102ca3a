//! What clients put on the wire: masked frames, lawful and unlawful.

use hollerd::time::Time;

/// What a stretch of a client's bytes is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A message for the application: opcode 1 or 2, and the whole payload.
    Message(u8, Vec<u8>),
    /// The first message, which is not for the application.
    Token,
    /// A ping, a pong or a close frame.
    Control,
    /// A message of which the end never comes.
    Unfinished,
    /// It breaks a rule.
    Bad,
}

/// One stretch of a client's bytes, by its positions in all that the client sends.
#[derive(Debug)]
pub(crate) struct Utterance {
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) kind: Kind,
    /// When its first byte arrived.
    pub(crate) begun: Option<Time>,
    /// When the server must have noticed its first byte at the latest.
    pub(crate) noticed: Option<Time>,
}

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const FINAL: u8 = 0x80;

/// Appends one masked frame.
pub(crate) fn frame(random: &mut fastrand::Rng, first: u8, payload: &[u8], out: &mut Vec<u8>) {
    header(first, payload.len(), out);
    let mask = random.u32(..).to_be_bytes();
    out.extend(mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

fn header(first: u8, length: usize, out: &mut Vec<u8>) {
    out.push(first);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..=125), _) => out.push(0x80 | length),
        (_, Ok(length)) => {
            out.push(0x80 | 126);
            out.extend(length.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
}

/// A whole message in one frame.
pub(crate) fn message(random: &mut fastrand::Rng, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame(random, FINAL | opcode, payload, &mut out);
    out
}

/// A message in several frames, perhaps with pings between them.
pub(crate) fn fragments(random: &mut fastrand::Rng, opcode: u8, payload: &[u8], count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let size = payload.len().div_ceil(count).max(1);
    for index in 0..count {
        let part =
            payload.get((index * size).min(payload.len())..((index + 1) * size).min(payload.len())).unwrap_or(&[]);
        let first = if index == 0 { opcode } else { 0 } | if index + 1 == count { FINAL } else { 0 };
        frame(random, first, part, &mut out);
        if index + 1 < count && random.u8(..8) == 0 {
            frame(random, PONG, b"between", &mut out);
        }
    }
    out
}

/// A message whose end never comes, kept alive by pongs: cut inside a frame, or between two.
pub(crate) fn unfinished(random: &mut fastrand::Rng) -> Vec<u8> {
    if random.bool() {
        let mut whole = message(random, TEXT, b"this will not be finished");
        whole.truncate(random.usize(1..whole.len()));
        return whole;
    }
    let mut out = Vec::new();
    frame(random, TEXT, b"once upon a time", &mut out);
    for _ in 0..400 {
        frame(random, PONG, b"wait", &mut out);
    }
    out
}

/// A ping and its payload.
pub(crate) fn ping(random: &mut fastrand::Rng, number: u64) -> (Vec<u8>, Vec<u8>) {
    let mut payload = number.to_be_bytes().to_vec();
    if random.u8(..4) == 0 {
        payload.resize(125, b'p');
    }
    let mut out = Vec::new();
    frame(random, PING, &payload, &mut out);
    (out, payload)
}

pub(crate) fn pong(random: &mut fastrand::Rng, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame(random, PONG, payload, &mut out);
    out
}

pub(crate) fn close(random: &mut fastrand::Rng, code: Option<u16>) -> Vec<u8> {
    let mut payload = code.map(|code| code.to_be_bytes().to_vec()).unwrap_or_default();
    if code.is_some() && random.bool() {
        payload.extend(b"bye");
    }
    let mut out = Vec::new();
    frame(random, CLOSE, &payload, &mut out);
    out
}

/// Something against the protocol. `most` and `fragments_most` are the limits of one message.
pub(crate) fn bad(random: &mut fastrand::Rng, most: usize, fragments_most: u32) -> Vec<u8> {
    let mut out = Vec::new();
    match random.u8(..12) {
        0 => frame(random, FINAL | 0x40 | TEXT, b"reserved bit", &mut out),
        1 => frame(random, FINAL | 3, b"reserved opcode", &mut out),
        2 => out.extend(b"\x81\x08unmasked"),
        3 => frame(random, PING, &[b'p'; 126], &mut out),
        4 => frame(random, 0x09, b"fragmented ping", &mut out),
        5 => frame(random, FINAL, b"continuation of nothing", &mut out),
        6 => {
            frame(random, TEXT, b"one", &mut out);
            frame(random, FINAL | TEXT, b"another inside it", &mut out);
        }
        7 => frame(random, CLOSE, b"\x03", &mut out),
        8 => frame(random, FINAL | TEXT, b"not \xff UTF-8", &mut out),
        9 => header(FINAL | BINARY, most + 1, &mut out),
        10 => out.extend(b"GET / HTTP/1.1\r\n\r\n"),
        _ => {
            frame(random, TEXT, b"", &mut out);
            for _ in 0..fragments_most {
                frame(random, 0, b"", &mut out);
            }
        }
    }
    // A length without its mask would only be waited for.
    out.extend([0; 14]);
    out
}
