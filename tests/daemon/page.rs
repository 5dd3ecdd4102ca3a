//! The chat page, and a browser's way in.

use crate::support::{Client, Daemon, Issuer, Response, unix_now};

fn get(daemon: &Daemon, path: &str) -> Response {
    let mut client = daemon.connect();
    let response = client.request("GET", path, &[]);
    client.expect_eof();
    response
}

#[test]
fn the_page_is_there_for_everybody() {
    let daemon = Daemon::start(&[]);
    let page = get(&daemon, "/");
    assert_eq!((page.status, page.header("Content-Type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.text().starts_with("<!doctype html>"), "{}", page.text());
    let token = daemon.token().expect("a printed token");
    assert!(!page.text().contains(&token), "the page gives the token away");
    assert_eq!(page.header("Referrer-Policy"), Some("no-referrer"));
    assert_eq!(page.header("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(page.header("Connection"), Some("close"));
}

/// Style and script are in it; `tests/browser` shows that the policy lets them, and only them, work.
#[test]
fn everything_is_in_one_answer() {
    let daemon = Daemon::start(&[]);
    let page = get(&daemon, "/");
    let text = page.text();
    assert!(text.contains("new WebSocket(") && text.contains("prefers-color-scheme"), "{text}");
    assert!(!text.contains(" src=\"") && !text.contains("innerHTML"), "{text}");
    let policy = page.header("Content-Security-Policy").expect("a policy");
    for part in ["default-src 'none';", "script-src 'sha256-", "connect-src 'self';", "frame-ancestors 'none';"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(get(&daemon, "/?room=dev").text(), text, "rooms are for the script to tell apart");
    assert_eq!(get(&daemon, "/chat.js").status, 404);
}

#[test]
fn who_has_the_page_is_not_sent_it_again() {
    let daemon = Daemon::start(&[]);
    let page = get(&daemon, "/");
    assert_eq!(page.header("Cache-Control"), Some("no-cache"));
    let etag = page.header("ETag").expect("a tag").to_owned();
    assert!(etag.starts_with('"'), "a strong one, not {etag}");
    for (known, status) in [(etag.as_str(), 304), ("\"other\"", 200)] {
        let mut client = daemon.connect();
        client.send_raw(format!("GET / HTTP/1.1\r\nHost: h\r\nIf-None-Match: {known}\r\n\r\n").as_bytes());
        let mut answer = client.read_head();
        assert_eq!((answer.status, answer.header("ETag")), (status, Some(etag.as_str())));
        assert_eq!(answer.header("Content-Length").is_some(), status == 200);
        if status == 200 {
            client.read_rest(&mut answer);
        }
        client.expect_eof();
    }
}

/// A script is not told why its WebSocket was refused, so it can ask; the answer is what the upgrade would get.
#[test]
fn a_page_can_ask_what_an_upgrade_would_be_answered() {
    let issuer = Issuer::hmac();
    let daemon = Daemon::start_with(&issuer.config(), &[], &[]);
    let ask = |path: &str, headers: &[(&str, &str)]| {
        let mut client = daemon.connect();
        let response = client.request("OPTIONS", path, headers);
        client.expect_eof();
        (response.status, response.text())
    };
    let now = unix_now();
    let bearer = |claims: &str| format!("Bearer {}", issuer.sign(claims));
    let good = bearer(&format!(r#"{{"exp":{},"rooms":"lobby"}}"#, now + 600));
    let late = bearer(&format!(r#"{{"exp":{}}}"#, now - 600));
    let own = format!("http://{}", daemon.address());
    for (path, headers, status, text) in [
        ("/ws", &[("Authorization", good.as_str())][..], 200, "welcome"),
        ("/ws", &[("Authorization", good.as_str()), ("Origin", own.as_str())], 200, "welcome"),
        ("/ws", &[("Authorization", good.as_str()), ("Origin", "https://evil.example")], 403, "origin"),
        ("/ws/dev", &[("Authorization", good.as_str())], 403, "room"),
        ("/ws", &[("Authorization", late.as_str())], 401, "expired"),
        ("/ws", &[("Authorization", "Bearer nonsense")], 401, "token"),
        ("/ws", &[], 401, "a token is needed"),
        ("/ws/.", &[], 400, "room name"),
        ("/", &[], 405, "GET"),
    ] {
        let (got, why) = ask(path, headers);
        assert!(got == status && why.contains(text), "{path} {headers:?}: {got} {why}");
    }
    let open = Daemon::start(&["--auth", "none"]);
    let mut client = open.connect();
    assert_eq!(client.request("OPTIONS", "/ws/dev", &[]).status, 200);
}

/// The request that a browser makes for the page, header by header.
#[test]
fn a_browser_gets_in_from_the_page() {
    let daemon = Daemon::start(&[]);
    let (address, token) = (daemon.address(), daemon.token().expect("a printed token"));
    let mut client = Client::connect(address);
    let response = client.upgrade(
        "/ws",
        &[
            ("Connection", "keep-alive, Upgrade"),
            ("Pragma", "no-cache"),
            ("Cache-Control", "no-cache"),
            ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            ("Origin", &format!("http://{address}")),
            ("Accept-Encoding", "gzip, deflate"),
            ("Sec-WebSocket-Protocol", &format!("hollerd.text, bearer.{token}")),
            ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
            ("Sec-Fetch-Mode", "websocket"),
            ("Sec-Fetch-Site", "same-origin"),
        ],
    );
    assert_eq!((response.status, response.header("Sec-WebSocket-Protocol")), (101, Some("hollerd.text")));
    client.text("yuan");
    client.expect_text("hello yuan");
}
