//! What the peers in memory say: a real request with a real signed token, a name each, messages and pongs. Everything is
//! made before it is needed and the same in every run, so that counts can be compared.

use hollerd::auth::{Auth, Claims, JwtKeys, mint};
use hollerd::engine::Gate;

use crate::frame;

/// The time of day at the start of the virtual clock, in seconds since 1970.
pub(super) const UNIX_START: u64 = 1_800_000_000;
/// How long the token is good, in seconds: a long day, as the one that hollerd prints.
const TOKEN_LIFE: u64 = 24 * 3600;
const SECRET: &[u8; 32] = b"known to everybody, for benches.";

/// Every name is as long as every other: a letter and seven digits.
const NAME_BYTES: usize = 8;
/// Two bytes of header, four of mask.
const NAME_FRAME_BYTES: usize = 2 + 4 + NAME_BYTES;
/// The last bytes of a message say which one it is.
pub(super) const STAMP_BYTES: usize = 4;

/// All that is ever said.
#[derive(Debug)]
pub(crate) struct Lines {
    head: Vec<u8>,
    /// Frames of equal length, by the number of the peer.
    names: Vec<u8>,
    pong: Vec<u8>,
    texts: Vec<Vec<u8>>,
}

impl Lines {
    /// For so many peers. `texts` are the frames that they can say once they are in, see [`message`].
    pub(crate) fn new(peers: usize, texts: Vec<Vec<u8>>) -> Result<Self, String> {
        let claims = Claims { exp: Some(UNIX_START + TOKEN_LIFE), ..Claims::default() };
        let token = mint::jwt(SECRET, &claims).map_err(|error| error.to_string())?;
        let mut names = Vec::with_capacity(peers * NAME_FRAME_BYTES);
        for number in 0..peers {
            frame::append(&mut names, frame::TEXT, format!("p{number:07}").as_bytes());
        }
        let mut pong = Vec::new();
        frame::append(&mut pong, frame::PONG, &[]);
        Ok(Self { head: head(&token).into_bytes(), names, pong, texts })
    }

    /// The request to be let in.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The first message of a peer.
    pub(super) fn name(&self, number: usize) -> &[u8] {
        let start = number * NAME_FRAME_BYTES;
        self.names.get(start..start + NAME_FRAME_BYTES).unwrap_or_default()
    }

    /// Frames that somebody can say.
    pub(super) fn text(&self, at: usize) -> &[u8] {
        self.texts.get(at).map_or(&[], Vec::as_slice)
    }

    /// The answer to a ping.
    pub(super) fn pong(&self) -> &[u8] {
        &self.pong
    }
}

/// What a browser behind a proxy sends, roughly.
fn head(token: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: hollerd-bench\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    )
}

/// The door, as the daemon keeps it by default, with the secret that the token is signed with.
pub(super) fn gate() -> Result<Gate, String> {
    let mut keys = JwtKeys::default();
    keys.add_secret("the secret of the bench", SECRET).map_err(|error| error.to_string())?;
    Ok(Gate { auth: Auth::Jwt(keys), ..Gate::open() })
}

/// A message of so many bytes as a frame. Its last four characters are its number, 24 bits of it.
pub(crate) fn message(number: u32, bytes: usize) -> Vec<u8> {
    let mut payload = vec![b'.'; bytes.saturating_sub(STAMP_BYTES)];
    payload.extend_from_slice(&stamp(number).to_le_bytes());
    let mut message = Vec::new();
    frame::append(&mut message, frame::TEXT, &payload);
    message
}

/// The last four characters of a message as a number.
pub(super) fn stamp(number: u32) -> u32 {
    let digit = |place: u32| ((number >> (6 * place) & 0x3f) + u32::from(b'0')) << (8 * place);
    digit(0) | digit(1) | digit(2) | digit(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_has_a_name_of_its_own() {
        let lines = Lines::new(1_001, vec![message(0, 56)]).unwrap();
        let names: std::collections::BTreeSet<&[u8]> = (0..1_001).map(|number| lines.name(number)).collect();
        assert_eq!(names.len(), 1_001);
        assert!(names.iter().all(|name| name.len() == NAME_FRAME_BYTES));
        assert!(lines.name(1_001).is_empty());
        assert!(!lines.text(0).is_empty() && lines.text(1).is_empty());
    }

    #[test]
    fn messages_end_with_their_number_as_text() {
        let (one, other) = (stamp(0), stamp(0x00ab_cdef));
        assert_ne!(one, other);
        assert!(other.to_le_bytes().iter().all(u8::is_ascii_graphic));
        assert_eq!(message(7, 56).len(), 2 + 4 + 56);
        assert_eq!(message(7, 16 << 10).len(), 4 + 4 + (16 << 10));
    }
}
