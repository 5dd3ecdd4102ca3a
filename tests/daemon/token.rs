//! Which tokens are good, and the five ways in which a token may travel.

use crate::support::{Client, Daemon, Frame, Issuer, Response, unix_now};

/// The issuer and the lines behind its keys in section `[auth]`.
fn daemon_for(issuer: &Issuer, more: &str) -> Daemon {
    Daemon::start_with(&format!("{}{more}", issuer.config()), &[], &[])
}

/// Tokens that must not let anybody in, with a word of the reason.
fn bad_tokens(issuer: &Issuer) -> Vec<(String, &'static str)> {
    let now = unix_now();
    let good = issuer.sign("{}");
    let (signed, _) = good.rsplit_once('.').expect("three parts");
    let (_, foreign_signature) = good.rsplit_once('.').expect("three parts");
    vec![
        (issuer.sign(&format!(r#"{{"exp":{}}}"#, now - 5)), "expired"),
        (issuer.sign(r#"{"exp":0}"#), "expired"),
        (issuer.sign(&format!(r#"{{"nbf":{}}}"#, now + 600)), "not valid for another"),
        (Issuer::hmac().sign("{}"), "signature"),
        (format!("{signed}."), "signature"),
        (format!("{}.{foreign_signature}", Issuer::unsigned(r#"{"sub":"root"}"#).trim_end_matches('.')), "alg"),
        (Issuer::unsigned("{}"), "alg"),
        (issuer.sign_with_header(r#"{"alg":"NONE"}"#, "{}"), "alg"),
        (issuer.sign_with_header(r#"{"alg":"HS512"}"#, "{}"), "alg"),
        (Issuer::ed25519().sign("{}"), "alg"),
        (issuer.sign(r#"{"exp":"tomorrow"}"#), "exp"),
        (issuer.sign(r#"{"rooms":null}"#), "rooms"),
        (issuer.sign(r#"{"sub":""}"#), "sub"),
        (issuer.sign(&format!(r#"{{"padding":"{}"}}"#, "x".repeat(4096))), "longer than 4096 bytes"),
        ("garbage".to_owned(), "three parts"),
    ]
}

fn expect_401(mut client: Client, response: &Response, reason: &str) {
    response.verify_refusal(401);
    assert_eq!(response.header("WWW-Authenticate"), Some("Bearer"));
    assert!(response.text().contains(reason), "wanted {reason:?}, got {}", response.text());
    client.expect_eof();
}

#[test]
fn the_printed_token_lets_in() {
    let daemon = Daemon::start(&[]);
    assert!(daemon.token().is_some(), "{}", daemon.stdout());
    daemon.enter("/ws", "yuan").close();
}

#[test]
fn a_good_token_may_travel_in_four_places_of_a_request() {
    let issuer = Issuer::hmac();
    let daemon = daemon_for(&issuer, "query = true\nfirst_message = false");
    let token = issuer.sign(&format!(r#"{{"exp":{}}}"#, unix_now() + 60));
    let rows = [
        ("/ws".to_owned(), "Authorization", format!("Bearer {token}")),
        ("/ws".to_owned(), "Authorization", format!("bearer {token}")),
        ("/ws".to_owned(), "Sec-WebSocket-Protocol", format!("hollerd.text, bearer.{token}")),
        ("/ws".to_owned(), "Cookie", format!("theme=dark; hollerd_token={token}; other=1")),
        (format!("/ws?token={token}"), "X-Other", String::new()),
        (format!("/ws?a=b&token={token}"), "X-Other", String::new()),
    ];
    for (path, name, value) in rows {
        let mut client = Client::open(daemon.address(), &path, &[(name, &value)]);
        client.text("yuan");
        client.expect_text("hello yuan");
        client.close();
    }
}

#[test]
fn bad_tokens_in_a_request_are_answered_with_401() {
    let issuer = Issuer::hmac();
    let daemon = daemon_for(&issuer, "query = true");
    for (token, reason) in bad_tokens(&issuer) {
        let rows = [
            ("/ws".to_owned(), "Authorization", format!("Bearer {token}")),
            ("/ws".to_owned(), "Sec-WebSocket-Protocol", format!("hollerd.text, bearer.{token}")),
            ("/ws".to_owned(), "Cookie", format!("hollerd_token={token}")),
            (format!("/ws?token={token}"), "X-Other", String::new()),
        ];
        for (path, name, value) in rows {
            let mut client = daemon.connect();
            let response = client.upgrade(&path, &[(name, &value)]);
            expect_401(client, &response, reason);
        }
    }
}

#[test]
fn bad_tokens_in_the_first_message_end_with_4401() {
    let issuer = Issuer::hmac();
    let daemon = daemon_for(&issuer, "");
    let empty = [(String::new(), "missing"), ("  ".to_owned(), "missing")];
    for (token, reason) in bad_tokens(&issuer).into_iter().chain(empty) {
        let mut client = Client::open(daemon.address(), "/ws", &[]);
        client.text(&token);
        let text = client.expect_close(4401);
        assert!(text.contains(reason), "wanted {reason:?}, got {text}");
    }
}

/// In a request an empty token is the same as none: the client may still send one, unless that is switched off.
#[test]
fn an_empty_token_is_none() {
    let issuer = Issuer::hmac();
    let (patient, strict) = (daemon_for(&issuer, ""), daemon_for(&issuer, "first_message = false"));
    let rows = [
        ("Authorization", "Bearer "),
        ("Authorization", "Bearer"),
        ("Sec-WebSocket-Protocol", "hollerd.text, bearer."),
        ("Cookie", "hollerd_token="),
        ("X-Other", ""),
    ];
    for (name, value) in rows {
        let mut client = strict.connect();
        let response = client.upgrade("/ws", &[(name, value)]);
        expect_401(client, &response, "token");
        let mut client = Client::open(patient.address(), "/ws", &[(name, value)]);
        client.text("yuan");
        client.expect_close(4401);
    }
}

#[test]
fn a_token_can_be_the_first_message() {
    let issuer = Issuer::hmac();
    let daemon = daemon_for(&issuer, "");
    let token = issuer.sign("{}");
    let mut client = Client::open(daemon.address(), "/ws", &[]);
    client.text(&token);
    client.expect_text("ok");
    client.text("yuan");
    client.expect_text("hello yuan");
    // Both in one segment, with a line end behind the token as terminals send it.
    let mut hasty = Client::open(daemon.address(), "/ws", &[]);
    hasty.send_raw(&[Frame::text(format!("{token}\n")).encode(), Frame::text("feng").encode()].concat());
    hasty.expect_text("ok");
    hasty.expect_text("hello feng");
}

#[test]
fn before_its_token_nobody_is_heard_or_hears() {
    let issuer = Issuer::hmac();
    let daemon = daemon_for(&issuer, "");
    let token = issuer.sign("{}");
    let bearer = format!("Bearer {token}");
    let mut inside = Client::open(daemon.address(), "/ws", &[("Authorization", &bearer)]);
    inside.text("yuan");
    inside.expect_text("hello yuan");
    let mut outside = Client::open(daemon.address(), "/ws", &[]);
    outside.expect_quiet();
    inside.text("among ourselves");
    inside.expect_quiet();
    outside.expect_quiet();
    let mut binary = Client::open(daemon.address(), "/ws", &[]);
    binary.send_frame(&Frame::binary(token.as_str()));
    assert!(binary.expect_close(4401).contains("text message"));
    inside.expect_quiet();
}

/// One deadline for request and token together; neither pings nor the beginning of a frame move it.
#[test]
fn a_token_has_to_come_in_time() {
    let issuer = Issuer::hmac();
    let daemon = Daemon::start_with(&format!("{}[limits]\nadmit_timeout = \"300ms\"", issuer.config()), &[], &[]);
    let mut silent = Client::open(daemon.address(), "/ws", &[]);
    let mut trickling = Client::open(daemon.address(), "/ws", &[]);
    trickling.send_frame(&Frame::ping("still here"));
    trickling.expect_frame(&Frame::pong("still here").unmasked());
    trickling.send_raw(&Frame::text(issuer.sign("{}")).encode()[..20]);
    assert!(silent.expect_close(4408).contains("no token within 300ms"));
    trickling.expect_close(4408);
}

#[test]
fn the_first_protocol_is_echoed_and_the_token_never() {
    let issuer = Issuer::hmac();
    let daemon = daemon_for(&issuer, "");
    let token = issuer.sign("{}");
    let rows = [
        (format!("hollerd.text, bearer.{token}"), Some("hollerd.text")),
        (format!("bearer.{token}, hollerd.text"), Some("hollerd.text")),
        (format!("bearer.{token}"), None),
    ];
    for (offered, selected) in rows {
        let mut client = daemon.connect();
        let response = client.upgrade("/ws", &[("Sec-WebSocket-Protocol", &offered)]);
        assert_eq!((response.status, response.header("Sec-WebSocket-Protocol")), (101, selected), "{response:?}");
        assert!(!format!("{response:?}").contains(&token));
    }
}

#[test]
fn a_token_in_the_address_counts_only_where_that_is_wanted() {
    let issuer = Issuer::hmac();
    let daemon = daemon_for(&issuer, "first_message = false");
    let mut client = daemon.connect();
    let response = client.upgrade(&format!("/ws?token={}", issuer.sign("{}")), &[]);
    expect_401(client, &response, "Authorization");
}

#[test]
fn the_cookie_has_the_name_that_is_configured_or_is_not_read() {
    let issuer = Issuer::hmac();
    let token = issuer.sign("{}");
    let rows = [
        ("cookie = \"session\"", "session", 101),
        ("cookie = \"session\"", "hollerd_token", 401),
        ("cookie = \"\"", "hollerd_token", 401),
    ];
    for (line, name, status) in rows {
        let daemon = daemon_for(&issuer, &format!("{line}\nfirst_message = false"));
        let response = daemon.connect().upgrade("/ws", &[("Cookie", &format!("{name}={token}"))]);
        assert_eq!(response.status, status, "{line}, {name}");
    }
}

/// Otherwise a thief with a bad token could borrow the browser's good one.
#[test]
fn a_good_token_does_not_make_up_for_a_bad_one() {
    let issuer = Issuer::hmac();
    let daemon = daemon_for(&issuer, "");
    let mut client = daemon.connect();
    let cookie = format!("hollerd_token={}", issuer.sign("{}"));
    let response = client.upgrade("/ws", &[("Authorization", "Bearer garbage"), ("Cookie", &cookie)]);
    expect_401(client, &response, "three parts");
}

/// What a change of keys needs: old and new at the same time, of different kinds if need be.
#[test]
fn several_keys_are_good_at_once() {
    let issuers = [Issuer::hmac(), Issuer::hmac(), Issuer::ed25519()];
    let files: Vec<String> = issuers.iter().map(|issuer| format!("\"{}\"", issuer.key_file())).collect();
    let daemon = Daemon::start_with(&format!("[auth]\njwt_keys = [{}]", files.join(", ")), &[], &[]);
    assert_eq!(daemon.token(), None, "with keys of somebody else's there is no token to print");
    for issuer in &issuers {
        Client::open(daemon.address(), "/ws", &[("Authorization", &format!("Bearer {}", issuer.sign("{}")))]);
    }
    for stranger in [Issuer::hmac(), Issuer::ed25519()] {
        let mut client = daemon.connect();
        let response = client.upgrade("/ws", &[("Authorization", &format!("Bearer {}", stranger.sign("{}")))]);
        expect_401(client, &response, "signature");
    }
}

/// The old trick: a public key is no secret, so a token that is signed with it as if it were one proves nothing.
#[test]
fn a_public_key_is_not_taken_for_a_secret() {
    let issuer = Issuer::ed25519();
    let daemon = daemon_for(&issuer, "");
    let header = r#"{"alg":"HS256"}"#;
    let mut client = daemon.connect();
    let token = issuer.sign_with_header(header, "{}");
    let response = client.upgrade("/ws", &[("Authorization", &format!("Bearer {token}"))]);
    expect_401(client, &response, "alg");
}

#[test]
fn with_the_door_open_no_token_is_looked_at() {
    let daemon = Daemon::without_auth("");
    assert_eq!(daemon.token(), None);
    let expired = Issuer::hmac().sign(r#"{"exp":0,"sub":"feng","rooms":[]}"#);
    for bearer in ["Bearer garbage".to_owned(), format!("Bearer {expired}")] {
        let mut client = Client::open(daemon.address(), "/ws", &[("Authorization", &bearer)]);
        client.text("yuan");
        client.expect_text("hello yuan");
        client.close();
    }
}
