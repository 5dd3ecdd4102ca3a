//! Those who make it hard: they come and go in every way, do not read, or send what nobody should.

use std::time::Duration;

use crate::circle::Member;
use crate::support::{Client, Frame, Received, opcode};
use crate::{Account, World};

/// Between two visitors of a kind, so that the load has a bound.
const PAUSE: Duration = Duration::from_millis(10);
/// How long somebody waits who has sent rubbish; longer than the daemon's own patience.
const PATIENCE: Duration = Duration::from_secs(4);
/// What is said before a slow reader, in messages of so many bytes.
const FLOOD: (usize, usize) = (150, 8 * 1024);

/// Enters, says a little, and leaves by a close frame, by half or whole end of the stream, or with a reset.
pub(crate) fn come_and_go(world: &World) -> Account {
    let mut account = Account::default();
    while !world.stop.within(PAUSE) {
        account.visits += 1;
        let mut visitor = Member::enter(world, "hall", &format!("v{}", account.visits));
        for number in 0..fastrand::u8(..4) {
            visitor.say(&format!("{number} here I am"));
        }
        match fastrand::u8(..4) {
            0 => visitor.client.send_frame(&Frame::close(1000, "bye")),
            1 => visitor.client.half_close(),
            2 => {
                visitor.client.reset();
                continue;
            }
            _ => continue,
        }
        ends(visitor.client);
    }
    account
}

/// One stops reading while another floods the room, until the daemon has had enough of it.
pub(crate) fn read_slowly(world: &World) -> Account {
    let mut account = Account::default();
    let bearer = format!("Bearer {}", world.token);
    while !world.stop.within(10 * PAUSE) {
        account.slow += 1;
        let mut sleeper = Client::connect_with_receive_buffer(world.address, 4096);
        let response = sleeper.upgrade("/ws/marsh", &[("Authorization", &bearer)]);
        assert_eq!(response.status, 101, "{response:?}");
        sleeper.text(&format!("s{}", account.slow));
        let mut talker = Member::enter(world, "marsh", &format!("t{}", account.slow));
        let (count, length) = FLOOD;
        for _ in 0..count {
            talker.client.text(&"y".repeat(length));
        }
        talker.settle();
        // More than limits.unread: it gets what is under way, then the reason.
        sleeper.set_patience(3 * PATIENCE);
        let code = last_code(&mut sleeper);
        assert!(matches!(code, Some(1013) | None), "a slow reader was closed with {code:?}");
        drop(talker);
    }
    account
}

/// Says what no client should, and waits for the end of it, or does not.
pub(crate) fn send_rubbish(world: &World) -> Account {
    let mut account = Account::default();
    let bearer = format!("Bearer {}", world.token);
    while !world.stop.within(PAUSE) {
        account.rubbish += 1;
        let early = fastrand::bool();
        // Rubbish, the beginning of a handshake or plain HTTP is also said to whoever speaks TLS.
        let address = if early && fastrand::bool() { world.tls_address } else { world.address };
        let mut client = Client::connect(address);
        client.set_patience(PATIENCE);
        let bytes = if early {
            before_the_upgrade()
        } else {
            let response = client.upgrade("/ws/dump", &[("Authorization", &bearer)]);
            assert_eq!(response.status, 101, "{response:?}");
            after_the_upgrade()
        };
        // It may hang up before it has read everything.
        let _taken = client.try_send_raw(&bytes);
        match fastrand::u8(..8) {
            // Most of them wait for nothing; those who wait see an end, whatever they sent.
            0 => ends(client),
            1..4 => client.reset(),
            _ => {}
        }
    }
    account
}

fn before_the_upgrade() -> Vec<u8> {
    let head = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    match fastrand::u8(..7) {
        0 => (0..fastrand::usize(1..2000)).map(|_| fastrand::u8(..)).collect(),
        1 => head[..fastrand::usize(1..head.len())].to_vec(),
        2 => [head.as_slice(), &b"X-Long: ".repeat(2000)].concat(),
        3 => [head.as_slice(), &b"A: b\r\n".repeat(200), b"\r\n"].concat(),
        4 => [head.as_slice(), b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer no\r\n\r\n"].concat(),
        // The first bytes of a TLS handshake.
        5 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        _ => b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
    }
}

fn after_the_upgrade() -> Vec<u8> {
    match fastrand::u8(..8) {
        0 => Frame::text("no mask").unmasked().encode(),
        1 => Frame::new(3, "reserved").encode(),
        2 => Frame::text([0xff, 0xfe]).encode(),
        3 => Frame::ping("in two").unfinished().encode(),
        4 => Frame::text("never finished").unfinished().encode(),
        // The header of a message of 4 GiB.
        5 => b"\x81\xff\x00\x00\x00\x01\x00\x00\x00\x00\x01\x02\x03\x04".to_vec(),
        6 => Frame::fragments(opcode::TEXT, &[b'z'; 400], 1).iter().flat_map(Frame::encode).collect(),
        _ => (0..fastrand::usize(1..2000)).map(|_| fastrand::u8(..)).collect(),
    }
}

/// Reads until the stream ends, whatever comes.
fn ends(mut client: Client) {
    client.set_patience(PATIENCE);
    let _code = last_code(&mut client);
}

/// The code of the close frame, if there was one. The stream must end in time; what comes before an upgrade is no frame.
fn last_code(client: &mut Client) -> Option<u16> {
    let mut code = None;
    loop {
        match client.read_frame() {
            Received::Frame(frame) if frame.opcode == opcode::CLOSE => {
                code = frame.payload.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
            }
            Received::Frame(_) => {}
            Received::Eof | Received::Reset | Received::Malformed(_) => return code,
            Received::Timeout => panic!("the stream did not end"),
        }
    }
}
