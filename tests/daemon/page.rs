//! The chat page, and a browser's way in.

use crate::support::{Client, Daemon, Response};

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

/// What the page loads is there, and nothing of it comes from elsewhere.
#[test]
fn everything_on_the_page_is_served_here() {
    let daemon = Daemon::start(&[]);
    let page = get(&daemon, "/").text();
    let sources: Vec<&str> = page.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(!sources.is_empty(), "a page without a script cannot chat");
    for source in sources {
        assert!(source.starts_with('/') && !source.starts_with("//"), "{source} is somewhere else");
        let script = get(&daemon, source);
        assert_eq!((script.status, script.header("Content-Type")), (200, Some("text/javascript; charset=utf-8")));
        assert!(script.text().contains("new WebSocket("), "{source}");
        assert!(!script.text().contains("innerHTML"), "what others say must not become markup");
    }
    assert!(!page.contains(" onclick=") && !page.contains("<script>"), "the policy forbids what is inline");
}

#[test]
fn the_policy_lets_the_page_do_what_it_does_and_nothing_else() {
    let daemon = Daemon::start(&[]);
    for path in ["/", "/chat.js"] {
        let response = get(&daemon, path);
        let policy = response.header("Content-Security-Policy").expect("a policy");
        for part in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("script-src 'self' 'unsafe-inline'"), "{policy}");
    }
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
