//! `/healthz`, `/readyz`, and plain requests to where there is something else or nothing.

use crate::support::{Client, Daemon, Response};

/// Sends a plain request and holds the answer to what every answer has.
fn ask(daemon: &Daemon, method: &str, path: &str) -> Response {
    let mut client = daemon.connect();
    client.send_raw(format!("{method} {path} HTTP/1.1\r\nHost: chat.example\r\n\r\n").as_bytes());
    let mut response = client.read_head();
    if method != "HEAD" {
        client.read_rest(&mut response);
        assert_eq!(response.header("Content-Length"), Some(response.body.len().to_string().as_str()), "{response:?}");
    }
    assert!(response.header("Connection").is_some_and(|value| value.starts_with("close")), "{response:?}");
    assert_eq!(response.header("X-Content-Type-Options"), Some("nosniff"), "{response:?}");
    // Nothing behind it, not even for HEAD, and an orderly end.
    client.expect_eof();
    response
}

#[test]
fn a_healthy_server_says_so() {
    let daemon = Daemon::start(&[]);
    for (path, text) in [("/healthz", "ok\n"), ("/readyz", "ready\n"), ("/healthz?x=1", "ok\n")] {
        let response = ask(&daemon, "GET", path);
        assert_eq!((response.status, response.text().as_str()), (200, text), "{path}");
        assert_eq!(response.header("Cache-Control"), Some("no-store"), "a stale answer is worse than none");
        let head = ask(&daemon, "HEAD", path);
        assert_eq!((head.status, &head.headers), (200, &response.headers), "{path}");
    }
}

/// Some health checks still speak HTTP/1.0, without a host.
#[test]
fn old_health_checks_are_answered() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.connect();
    client.send_raw(b"GET /healthz HTTP/1.0\r\n\r\n");
    assert_eq!(client.read_http_response().text(), "ok\n");
    client.expect_eof();
}

#[test]
fn a_full_server_is_not_ready() {
    let daemon = Daemon::without_auth("[limits]\nconnections = 3");
    let ready = |status: u16| {
        // Those who have just left, the one who asked among them, take their places until they are counted out.
        let tries = std::iter::repeat_with(|| daemon.connect().request("GET", "/readyz", &[])).take(1000);
        tries.into_iter().find(|response| response.status == status).expect("a server that notices who comes and goes")
    };
    let first = daemon.enter("/ws", "yuan");
    assert_eq!(ready(200).text(), "ready\n");
    let _second = daemon.enter_when_free("/ws", "feng");
    // Whoever asks has the last place.
    assert!(ready(503).text().contains("full"));
    let third = daemon.enter_when_free("/ws", "alex");
    ready(503);
    drop((first, third));
    ready(200);
}

#[test]
fn where_a_room_is_a_plain_request_is_told_to_upgrade() {
    let daemon = Daemon::start(&[]);
    for path in ["/ws", "/ws/dev"] {
        for method in ["GET", "HEAD"] {
            let response = ask(&daemon, method, path);
            assert_eq!(response.status, 426);
            assert_eq!(response.header("Upgrade"), Some("websocket"));
            assert_eq!(response.header("Sec-WebSocket-Version"), Some("13"));
            let connection = response.header("Connection").expect("a header");
            assert!(connection.contains("close") && connection.contains("Upgrade"), "{connection}");
        }
    }
}

#[test]
fn where_nothing_is_there_is_a_404_with_a_hint() {
    let daemon = Daemon::start(&[]);
    for path in ["/nothing", "/healthz/", "/readyz/x", "/index.html", "/favicon.ico", "*"] {
        let response = ask(&daemon, "GET", path);
        assert_eq!(response.status, 404, "{path}");
        assert!(response.text().contains("/ws/ROOM"), "{}", response.text());
        assert_eq!(ask(&daemon, "HEAD", path).headers, response.headers);
    }
}

#[test]
fn other_methods_are_told_which_there_are() {
    let daemon = Daemon::start(&[]);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"] {
        // At the address of a room, OPTIONS is a question that is answered.
        for path in
            ["/", "/healthz", "/ws", "/nothing"].into_iter().filter(|path| (method, *path) != ("OPTIONS", "/ws"))
        {
            let response = ask(&daemon, method, path);
            assert_eq!((response.status, response.header("Allow")), (405, Some("GET, HEAD")), "{method} {path}");
        }
    }
}

/// One answer per connection: a second request behind the first is not answered, and does not spoil the first.
#[test]
fn a_second_request_behind_the_first_is_not_answered() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.connect();
    client.send_raw(&b"GET /healthz HTTP/1.1\r\nHost: chat.example\r\n\r\n".repeat(10));
    assert_eq!(client.read_http_response().text(), "ok\n");
    client.expect_eof();
}

/// Every kind of refusal is held to the same form by `expect_refusal`.
#[test]
fn every_refusal_is_whole_and_ends_in_good_order() {
    let daemon = Daemon::start_with("[limits]\npending_per_address = 4", &[], &[]);
    let request = |line: &str, more: &str| format!("{line} HTTP/1.1\r\nHost: chat.example\r\n{more}\r\n");
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let rows = [
        (400, "nonsense\r\n\r\n".to_owned()),
        (401, request("GET /ws", &format!("{upgrade}Authorization: Bearer x\r\n"))),
        (403, request("GET /ws", &format!("{upgrade}Origin: https://evil.example\r\n"))),
        (404, request("GET /nothing", upgrade)),
        (405, request("POST /ws", upgrade)),
        (426, request("GET /ws", "")),
        (431, request("GET /ws", &format!("X: {}\r\n", "x".repeat(9000)))),
    ];
    for (status, bytes) in rows {
        let mut client = daemon.connect();
        client.send_raw(bytes.as_bytes());
        client.expect_refusal(status);
    }
    let waiting: Vec<Client> = (0..4).map(|_| daemon.connect()).collect();
    daemon.connect().expect_refusal(429);
    drop(waiting);
}
