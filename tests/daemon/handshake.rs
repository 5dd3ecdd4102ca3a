//! The request that becomes a WebSocket (RFC 6455 section 4), and all the ways in which it does not.

use crate::support::{Client, Daemon, Frame, Response};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// A request that keeps every rule; rows of the tables below replace one header of it.
const LINES: [&str; 5] = [
    "Host: chat.example",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// The sound request with the lines of one header (told by its name) replaced by `lines`.
fn head_with(request_line: &str, name: &str, lines: &[&str]) -> String {
    let mut head = format!("{request_line}\r\n");
    for line in LINES.iter().filter(|line| !line.starts_with(&format!("{name}:"))).chain(lines) {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head + "\r\n"
}

fn sound_head() -> String {
    head_with("GET /ws HTTP/1.1", "none", &[])
}

/// A sound request padded with one long header to exactly this many bytes.
fn head_of(bytes: usize) -> String {
    let empty = head_with("GET /ws HTTP/1.1", "none", &["X-Padding: "]);
    head_with("GET /ws HTTP/1.1", "none", &[&format!("X-Padding: {}", "x".repeat(bytes - empty.len()))])
}

fn expect_upgrade(client: &mut Client) -> Response {
    let response = client.read_http_response();
    assert_eq!(response.status, 101, "{response:?}: {}", response.text());
    response.verify_upgrade(KEY);
    response
}

/// It is not only upgraded: it works.
fn expect_greeting(client: &mut Client) {
    client.text("yuan");
    client.expect_text("hello yuan");
}

#[test]
fn a_request_may_come_one_byte_at_a_time() {
    let daemon = Daemon::without_auth("");
    let mut client = daemon.connect();
    client.try_send_chopped(sound_head().as_bytes(), 1).expect("a daemon that reads");
    expect_upgrade(&mut client);
    expect_greeting(&mut client);
}

#[test]
fn the_first_frame_may_ride_with_the_request() {
    let daemon = Daemon::without_auth("");
    let frame = Frame::text("yuan").encode();
    let whole = [sound_head().as_bytes(), &frame].concat();
    // Cut at every place around the border, so that the head and the frame come apart in all ways.
    let border = sound_head().len();
    for cut in [whole.len(), border - 1, border, border + 1, whole.len() - 1] {
        let mut client = daemon.connect();
        client.send_raw(&whole[..cut]);
        client.send_raw(&whole[cut..]);
        expect_upgrade(&mut client);
        client.expect_text("hello yuan");
        client.close();
    }
}

#[test]
fn the_65th_header_is_one_too_many() {
    let daemon = Daemon::without_auth("");
    let padding = |count: usize| vec!["X-Padding: x"; count - LINES.len()];
    let mut client = daemon.connect();
    client.send_raw(head_with("GET /ws HTTP/1.1", "none", &padding(64)).as_bytes());
    expect_upgrade(&mut client);
    let mut client = daemon.connect();
    client.send_raw(head_with("GET /ws HTTP/1.1", "none", &padding(65)).as_bytes());
    let response = client.expect_refusal(431);
    assert!(response.text().contains("64 headers"), "{}", response.text());
}

#[test]
fn a_head_of_8_kib_is_read_and_one_byte_more_is_not() {
    let daemon = Daemon::without_auth("");
    let mut client = daemon.connect();
    client.send_raw(head_of(8192).as_bytes());
    expect_upgrade(&mut client);
    for head in [head_of(8193), format!("GET /{}", "x".repeat(8192))] {
        let mut client = daemon.connect();
        client.send_raw(head.as_bytes());
        let response = client.expect_refusal(431);
        assert!(response.text().contains("8192 bytes"), "{}", response.text());
    }
}

/// Each row breaks one rule; the answer has the status of the row and names what is wrong.
#[test]
fn a_request_against_the_rules_is_told_which_one() {
    let daemon = Daemon::without_auth("");
    let rows: &[(&str, &[&str], u16, &str)] = &[
        ("Host", &[], 400, "Host"),
        ("Host", &["Host: a.example", "Host: b.example"], 400, "Host"),
        ("Host", &["Host: a b"], 400, "Host"),
        ("Host", &["Host:"], 400, "Host"),
        ("Upgrade", &[], 426, "Upgrade: websocket"),
        ("Upgrade", &["Upgrade: h2c"], 426, "Upgrade: websocket"),
        ("Connection", &[], 400, "Connection: Upgrade"),
        ("Connection", &["Connection: keep-alive"], 400, "Connection: Upgrade"),
        ("Sec-WebSocket-Version", &[], 426, "13"),
        ("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 8"], 426, "13"),
        ("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"], 400, "Version"),
        ("Sec-WebSocket-Key", &[], 400, "Sec-WebSocket-Key"),
        ("Sec-WebSocket-Key", &["Sec-WebSocket-Key:"], 400, "16 bytes"),
        ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: c2hvcnQ="], 400, "16 bytes"),
        ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE="], 400, "16 bytes"),
        ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: not base64, no matter how"], 400, "16 bytes"),
        ("Sec-WebSocket-Key", &[LINES[4], LINES[4]], 400, "more than one"),
        ("none", &["Content-Length: 5"], 400, "body"),
        ("none", &["Transfer-Encoding: chunked"], 400, "body"),
        ("none", &["No colon"], 400, "header line"),
        ("none", &["Space : before"], 400, "header line"),
        ("none", &["X-Control: \u{1}"], 400, "control character"),
    ];
    for (name, lines, status, hint) in rows {
        let mut client = daemon.connect();
        client.send_raw(head_with("GET /ws HTTP/1.1", name, lines).as_bytes());
        let response = client.expect_refusal(*status);
        assert!(response.text().contains(hint), "{name} {lines:?}: {}", response.text());
        if *status == 426 {
            assert_eq!(response.header("Upgrade"), Some("websocket"));
            assert_eq!(response.header("Sec-WebSocket-Version"), Some("13"));
        }
    }
}

#[test]
fn method_and_version_of_the_request_line_are_held_to_the_rules() {
    let daemon = Daemon::without_auth("");
    let rows = [
        ("POST /ws HTTP/1.1", 405, "GET"),
        ("PUT /ws HTTP/1.1", 405, "GET"),
        ("get /ws HTTP/1.1", 405, "GET"),
        ("CONNECT chat.example:80 HTTP/1.1", 405, "GET"),
        ("GET /ws HTTP/1.0", 400, "HTTP/1.1"),
        ("GET /ws HTTP/2.0", 400, "HTTP/1.1"),
        ("GET /ws", 400, "HTTP/1.1"),
        ("GET ws HTTP/1.1", 400, "path"),
        ("GET /ws#fragment HTTP/1.1", 400, "fragment"),
    ];
    for (request_line, status, hint) in rows {
        let mut client = daemon.connect();
        client.send_raw(head_with(request_line, "none", &[]).as_bytes());
        let response = client.expect_refusal(status);
        assert!(response.text().contains(hint), "{request_line}: {}", response.text());
        assert_eq!(response.header("Allow").is_some(), status == 405, "{response:?}");
    }
}

#[test]
fn a_connection_header_may_be_doubled_and_may_be_a_list() {
    let daemon = Daemon::without_auth("");
    let rows: [(&str, &[&str]); 5] = [
        ("Connection", &["Connection: keep-alive, Upgrade"]),
        ("Connection", &["Connection: keep-alive", "Connection: upgrade"]),
        ("Connection", &["Connection: Upgrade", "Connection: Upgrade"]),
        ("Upgrade", &["Upgrade: WebSocket"]),
        ("none", &["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"]),
    ];
    for (name, lines) in rows {
        let mut client = daemon.connect();
        client.send_raw(head_with("GET /ws HTTP/1.1", name, lines).as_bytes());
        expect_upgrade(&mut client);
        expect_greeting(&mut client);
        client.close();
    }
}

#[test]
fn the_one_subprotocol_is_selected_and_no_other_is() {
    let daemon = Daemon::without_auth("");
    let rows = [
        ("hollerd.text", Some("hollerd.text")),
        ("chat, hollerd.text", Some("hollerd.text")),
        ("chat, superchat", None),
    ];
    for (offered, selected) in rows {
        let mut client = daemon.connect();
        let response = client.upgrade("/ws", &[("Sec-WebSocket-Protocol", offered)]);
        assert_eq!((response.status, response.header("Sec-WebSocket-Protocol")), (101, selected), "{offered}");
    }
}

#[test]
fn something_else_than_http_is_told_so() {
    let daemon = Daemon::without_auth("");
    // The beginning of a TLS handshake: somebody wrote wss:// or https://.
    for bytes in [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(), b"\0\0\0\0", b"\x81\x85aaaahello"] {
        let mut client = daemon.connect();
        client.send_raw(bytes);
        let response = client.expect_refusal(400);
        assert!(response.text().contains("ws://"), "{}", response.text());
    }
}

#[test]
fn half_a_request_with_nothing_behind_it_is_answered() {
    let daemon = Daemon::without_auth("");
    let mut client = daemon.connect();
    client.send_raw(b"GET /ws HTTP/1.1\r\nHost: chat.ex");
    client.half_close();
    let response = client.expect_refusal(400);
    assert!(response.text().contains("blank line"), "{}", response.text());
}

#[test]
fn a_request_has_to_be_whole_in_time() {
    let daemon = Daemon::without_auth("[limits]\nadmit_timeout = \"200ms\"");
    for beginning in ["", "G", "GET /ws HTTP/1.1\r\nHost: chat.example\r\n"] {
        let mut client = daemon.connect();
        client.send_raw(beginning.as_bytes());
        let response = client.expect_refusal(408);
        assert!(response.text().contains("200ms"), "{}", response.text());
    }
}

/// A byte now and then is no progress: the time runs from the first moment.
#[test]
fn a_request_that_trickles_in_does_not_get_more_time() {
    let daemon = Daemon::without_auth("[limits]\nadmit_timeout = \"200ms\"");
    let mut client = daemon.connect();
    client.send_raw(b"GET /ws HTTP/1.1\r\nHost: chat.example\r\nX-Padding: ");
    // The answer ends this: after it the daemon throws away what comes, and then no longer takes it.
    let mut sent = 0;
    while !client.has_bytes_within(std::time::Duration::from_millis(10)) {
        client.send_raw(b"x");
        sent += 1;
        assert!(sent < 1000, "nothing came in all the time of {sent} pauses");
    }
    client.expect_refusal(408);
    assert!(sent > 2, "the test sent only {sent} bytes and proves nothing");
}

/// A refusal must outlive what the client sent behind its request: unread bytes turn a close into a reset, and a reset
/// eats answers that are on their way.
#[test]
fn a_refusal_survives_a_client_that_goes_on_talking() {
    let daemon = Daemon::without_auth("");
    let head = head_with("POST /ws HTTP/1.1", "none", &["Content-Length: 40000"]);
    let mut client = daemon.connect();
    client.send_raw(&[head.as_bytes(), &[b'x'; 40_000]].concat());
    client.expect_refusal(405);
}
