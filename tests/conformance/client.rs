//! The client and the cases, tested against servers that misbehave. A suite that passes everything passes here too
//! unless somebody looks.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::catch_unwind;
use std::thread;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use sha1::{Digest as _, Sha1};
use socket2::SockRef;

use crate::case::Case;
use crate::support::{Client, Frame, Received};

/// How a server's end of a connection is let go.
#[derive(Clone, Copy)]
enum End {
    Fin,
    Reset,
    Never,
}

/// A server for one connection: upgrades it, sends `bytes`, ends it as told.
fn server(bytes: Vec<u8>, end: End) -> SocketAddr {
    answering(move |head| [upgrade_answer(head).as_bytes(), &bytes].concat(), end)
}

fn answering(answer: impl FnOnce(&str) -> Vec<u8> + Send + 'static, end: End) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("a bound port");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let head = read_head(&mut stream);
        stream.write_all(&answer(&head)).expect("a client that reads");
        match end {
            End::Fin => stream.shutdown(Shutdown::Write).expect("an open connection"),
            // Closing with this option set sends an RST in any case, whatever is left unread.
            End::Reset => {
                return SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
            }
            End::Never => {}
        }
        let _until_the_client_goes = stream.read_to_end(&mut Vec::new());
    });
    address
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
        head.extend(byte);
    }
    String::from_utf8(head).expect("our own request")
}

fn upgrade_answer(head: &str) -> String {
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
    let accept = BASE64.encode(Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

fn bytes(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::encode).collect()
}

/// A server must get everything right to pass a case; each row gets one thing wrong.
#[test]
fn a_case_notices_what_is_wrong() {
    let case = Case::new("0", "").sends([Frame::ping("a")]).receives(Frame::pong("a")).refused(1002);
    let pong = || Frame::pong("a").unmasked();
    let close = |code| Frame::close(code, "why").unmasked();
    let rows: [(Vec<Frame>, &str); 10] = [
        (vec![pong(), close(1002)], ""),
        (vec![Frame::pong("b").unmasked(), close(1002)], "step 2"),
        (vec![Frame::pong("a"), close(1002)], "the server masked"),
        (vec![pong().unfinished(), close(1002)], "step 2"),
        (vec![pong().with_rsv(1), close(1002)], "step 2"),
        (vec![pong(), pong(), close(1002)], "wanted a whole close frame"),
        (vec![pong(), close(1000)], "wanted close"),
        (vec![pong(), close(1002).unfinished()], "wanted a whole close frame"),
        (vec![pong()], "got Eof"),
        (vec![pong(), close(1002), pong()], "the stream must end"),
    ];
    for (frames, wanted) in rows {
        let played = case.play(server(bytes(&frames), End::Fin), PATIENCE);
        match played {
            Ok(()) => assert!(wanted.is_empty(), "{frames:?} passed"),
            Err(why) => assert!(!wanted.is_empty() && why.contains(wanted), "{frames:?} failed with {why:?}"),
        }
    }
}

/// An RST can eat the close frame on its way, so it is no substitute for a FIN.
#[test]
fn a_case_tells_a_reset_and_a_hang_from_an_end() {
    let close = bytes(&[Frame::close(1000, "").unmasked()]);
    let play = |end, patience| Case::new("0", "").play(server(close.clone(), end), patience);
    assert_eq!(play(End::Fin, PATIENCE), Ok(()));
    assert!(play(End::Reset, PATIENCE).is_err());
    let hung = play(End::Never, Duration::from_millis(50)).expect_err("no end in sight");
    assert!(hung.contains("Timeout"), "{hung}");
}

#[test]
fn the_client_tells_malformed_bytes_from_an_end() {
    let rows: [(&[u8], &str); 4] = [
        (b"", ""),
        (b"\x81\x05hel", "5 bytes into a frame"),
        (b"\x81\x7e\x00\x02hi", "shortest form"),
        (b"\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", "shortest form"),
    ];
    for (sent, wanted) in rows {
        let mut client = Client::open(server(sent.to_vec(), End::Fin), "/", &[]);
        match client.read_frame() {
            Received::Eof => assert!(wanted.is_empty(), "{sent:?} passed for an end"),
            Received::Malformed(why) => assert!(!wanted.is_empty() && why.contains(wanted), "{sent:?}: {why}"),
            other => panic!("{sent:?}: {other:?}"),
        }
    }
}

/// Frames cross both ways unharmed at every length encoding, and not before their last byte.
#[test]
fn frames_survive_the_wire_format() {
    for length in [0, 1, 7, 8, 9, 125, 126, 127, 65_535, 65_536] {
        let payload: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        for frame in [Frame::binary(payload.as_slice()), Frame::text(payload.as_slice()).unmasked().with_rsv(5)] {
            let bytes = frame.encode();
            assert_eq!(Frame::decode(&bytes), Ok(Some((frame.clone(), bytes.len()))));
            assert_eq!(Frame::decode(&bytes[..bytes.len() - 1]), Ok(None), "{length} bytes, one missing");
            let hidden = length > 64 && frame.masked && bytes.ends_with(&payload);
            assert!(!hidden, "{length} bytes were not masked");
        }
    }
}

#[test]
fn the_client_verifies_the_accept_key() {
    let server = server(Vec::new(), End::Fin);
    let upgraded = catch_unwind(|| {
        let mut client = Client::connect(server);
        // The server answers the first key it sees; the client believes that it asked with the second.
        client.send_raw(b"GET / HTTP/1.1\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
        client.upgrade("/", &[]);
    });
    assert!(upgraded.is_err(), "a wrong accept key passed");
}

/// With a length the body ends there and the connection may go on, without one it ends with the connection.
#[test]
fn the_client_reads_refusals_whole() {
    let rows = [
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nno.\r\n", End::Never, "no.\r\n"),
        ("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\nno, no.", End::Fin, "no, no."),
    ];
    for (answer, end, body) in rows {
        let mut client = Client::connect(answering(|_| answer.as_bytes().to_vec(), end));
        let response = client.upgrade("/", &[("Sec-WebSocket-Version", "8")]);
        assert_eq!((response.status, response.reason.as_str()), (403, "Forbidden"));
        assert_eq!(response.text(), body);
    }
}

const PATIENCE: Duration = Duration::from_secs(5);
