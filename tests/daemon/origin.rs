//! Which web pages may connect. Browsers do not ask before they open a WebSocket and they send cookies along, so this
//! check is all that stands between a foreign page and a user's token (RFC 6455 section 10.2).

use crate::support::{Daemon, Issuer, Response};

fn upgrade_from(daemon: &Daemon, host: &str, origin: &str) -> Response {
    let mut client = daemon.connect();
    let response = client.upgrade("/ws", &[("Host", host), ("Origin", origin)]);
    if response.status != 101 {
        response.verify_refusal(403);
        client.expect_eof();
    }
    response
}

#[test]
fn pages_of_the_host_itself_may_connect() {
    let daemon = Daemon::without_auth("");
    let address = daemon.address();
    let rows = [
        (address.to_string(), format!("http://{address}")),
        ("chat.example".to_owned(), "http://chat.example".to_owned()),
        // A proxy in front ends TLS; we cannot know.
        ("chat.example".to_owned(), "https://chat.example".to_owned()),
        ("chat.example:8443".to_owned(), "https://chat.example:8443".to_owned()),
        ("CHAT.example".to_owned(), "https://chat.example".to_owned()),
        ("[::1]:8080".to_owned(), "http://[::1]:8080".to_owned()),
    ];
    for (host, origin) in rows {
        assert_eq!(upgrade_from(&daemon, &host, &origin).status, 101, "{origin} on {host}");
    }
}

/// Every way in which an origin can look like the host without being it.
#[test]
fn pages_from_elsewhere_may_not() {
    let daemon = Daemon::without_auth("");
    let origins = [
        "null",
        "https://evil.example",
        "https://sub.chat.example",
        "https://chat.example.evil.example",
        "https://evilchat.example",
        "https://chat.example:8443",
        "http://chat.example:8080",
        "https://chat.example@evil.example",
        "https://evil.example/chat.example",
        "https://chat.exampl",
        "https://example",
        "ftp://chat.example",
        "file://",
        "chat.example",
        "https://chat.example, https://chat.example",
        "",
    ];
    for origin in origins {
        let response = upgrade_from(&daemon, "chat.example", origin);
        assert_eq!(response.status, 403, "{origin:?} came in");
        assert!(response.text().contains("origin"), "{}", response.text());
    }
}

#[test]
fn two_origins_are_a_contradiction() {
    let daemon = Daemon::without_auth("");
    let mut client = daemon.connect();
    let origins = [("Host", "chat.example"), ("Origin", "https://chat.example"), ("Origin", "https://evil.example")];
    client.upgrade("/ws", &origins).verify_refusal(400);
}

#[test]
fn listed_origins_are_compared_exactly() {
    let daemon = Daemon::without_auth("allowed_origins = [\"https://app.example\", \"http://localhost:3000\"]");
    for origin in ["https://app.example", "http://localhost:3000"] {
        assert_eq!(upgrade_from(&daemon, "chat.example", origin).status, 101, "{origin}");
    }
    let others = [
        "http://app.example",
        "https://app.example:444",
        "https://sub.app.example",
        "https://app.example.evil.example",
        "https://app.exampl",
        "http://localhost",
        "http://localhost:30000",
    ];
    for origin in others {
        assert_eq!(upgrade_from(&daemon, "chat.example", origin).status, 403, "{origin}");
    }
}

/// The log line says who was refused where, and its last part can be pasted into the configuration.
#[test]
fn the_log_shows_the_line_that_lets_an_origin_in() {
    let daemon = Daemon::without_auth("");
    assert_eq!(upgrade_from(&daemon, "chat.example", "https://app.example:8443").status, 403);
    let line = daemon.await_log("allowed_origins");
    assert!(line.contains("\"https://app.example:8443\"") && line.contains("\"chat.example\""), "{line}");
    let start = line.find("allowed_origins").expect("awaited");
    let end = line[start..].find(']').expect("a list");
    let pasted = Daemon::without_auth(&line[start..=start + end]);
    assert_eq!(upgrade_from(&pasted, "chat.example", "https://app.example:8443").status, 101);
}

/// Nobody can be led to allow `null`, and no origin can write a log line of its own.
#[test]
fn the_log_offers_no_line_for_what_must_not_be_allowed() {
    let daemon = Daemon::without_auth("");
    for (origin, needle) in [("null", "cannot be allowed"), ("https://chat.example@evil.example", "@evil.example")] {
        upgrade_from(&daemon, "chat.example", origin);
        let line = daemon.await_log(needle);
        assert!(!line.contains(&format!("allowed_origins = [\"{origin}")), "{line}");
    }
}

/// A page from elsewhere learns nothing about the user's token, not even whether there is one.
#[test]
fn a_foreign_page_is_refused_before_its_token_is_looked_at() {
    let issuer = Issuer::hmac();
    let daemon = Daemon::start_with(&issuer.config(), &[], &[]);
    for token in [issuer.sign("{}"), "garbage".to_owned()] {
        let mut client = daemon.connect();
        let cookie = format!("hollerd_token={token}");
        client.upgrade("/ws", &[("Origin", "https://evil.example"), ("Cookie", &cookie)]).verify_refusal(403);
    }
}
