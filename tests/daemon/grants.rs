//! What a token lets its bearer do: be called something, be in rooms, and stay until it expires. And the other kind of
//! token, the access key.

use std::net::SocketAddr;

use crate::support::{Client, Daemon, Issuer, PATIENCE, Response, TempFile, now, unix_now};

fn open_with(server: SocketAddr, path: &str, token: &str) -> Client {
    Client::open(server, path, &[("Authorization", &format!("Bearer {token}"))])
}

fn refused_with(server: SocketAddr, path: &str, token: &str, status: u16) -> Response {
    let mut client = Client::connect(server);
    let response = client.upgrade(path, &[("Authorization", &format!("Bearer {token}"))]);
    response.verify_refusal(status);
    client.expect_eof();
    response
}

#[test]
fn a_token_pins_the_name_of_its_bearer() {
    let issuer = Issuer::hmac();
    let daemon = Daemon::start_with(&issuer.config(), &[], &[]);
    let mut client = open_with(daemon.address(), "/ws", &issuer.sign(r#"{"sub":"yuan"}"#));
    for other in ["feng", "Yuan", "yuan2", "", "root"] {
        client.text(other);
        client.expect_text("error: your token is for \"yuan\"");
    }
    client.text(" yuan ");
    client.expect_text("hello yuan");
    // By first message the same holds.
    let mut late = Client::open(daemon.address(), "/ws", &[]);
    late.text(&issuer.sign(r#"{"sub":"feng"}"#));
    late.expect_text("ok");
    late.text("yuan2");
    late.expect_text("error: your token is for \"feng\"");
    late.text("feng");
    late.expect_text("hello feng");
}

#[test]
fn a_pinned_name_can_be_in_use_as_well() {
    let issuer = Issuer::hmac();
    let daemon = Daemon::start_with(&issuer.config(), &[], &[]);
    let token = issuer.sign(r#"{"sub":"yuan"}"#);
    let mut first = open_with(daemon.address(), "/ws", &token);
    first.text("yuan");
    first.expect_text("hello yuan");
    let mut second = open_with(daemon.address(), "/ws", &token);
    second.text("yuan");
    second.expect_text("error: name \"yuan\" is in use, send another");
    first.close();
    second.text("yuan");
    second.expect_text("hello yuan");
}

/// A room that the token does not open is 403 for a request, and 4403 when the connection is upgraded already.
#[test]
fn a_token_opens_the_rooms_that_it_names() {
    let issuer = Issuer::hmac();
    let daemon = Daemon::start_with(&issuer.config(), &[], &[]);
    let rows: [(&str, &[&str], &[&str]); 4] = [
        (
            r#"{"rooms":["dev","team-*"]}"#,
            &["/ws/dev", "/ws/team-a", "/ws/team-"],
            &["/ws", "/ws/dev2", "/ws/Dev", "/ws/team"],
        ),
        (r#"{"rooms":"lobby"}"#, &["/ws", "/ws/lobby"], &["/ws/dev"]),
        (r#"{"rooms":["*"]}"#, &["/ws", "/ws/dev"], &[]),
        (r#"{"rooms":[]}"#, &[], &["/ws", "/ws/dev"]),
    ];
    for (claims, open, shut) in rows {
        let token = issuer.sign(claims);
        for path in open {
            open_with(daemon.address(), path, &token).close();
        }
        for path in shut {
            let response = refused_with(daemon.address(), path, &token, 403);
            assert!(response.text().contains("does not open this room"), "{}", response.text());
            let mut client = Client::open(daemon.address(), path, &[]);
            client.text(&token);
            assert!(client.expect_close(4403).contains("does not open this room"));
        }
    }
}

#[test]
fn a_connection_ends_when_its_token_expires() {
    let issuer = Issuer::hmac();
    let daemon = Daemon::start_with(&issuer.config(), &[], &[]);
    let began = now();
    let token = issuer.sign(&format!(r#"{{"exp":{}}}"#, unix_now() + 2));
    let mut named = open_with(daemon.address(), "/ws", &token);
    named.text("yuan");
    named.expect_text("hello yuan");
    let mut nameless = open_with(daemon.address(), "/ws", &token);
    let mut late = Client::open(daemon.address(), "/ws", &[]);
    late.text(&token);
    late.expect_text("ok");
    for client in [&mut named, &mut nameless, &mut late] {
        assert!(client.expect_close(4401).contains("expired"));
    }
    // Not at once: two seconds by a clock whose present second may be nearly over.
    let lasted = now() - began;
    assert!(lasted.as_millis() > 900 && lasted < PATIENCE, "after {lasted:?}");
    refused_with(daemon.address(), "/ws", &token, 401);
    let line = daemon.await_ending(named.local_address());
    assert!(line.contains("closed with 4401"), "{line}");
}

/// Whatever `hollerd token key` prints can be pasted into the keys file, and then does what it was asked for.
#[test]
fn access_keys_are_listed_in_a_file_that_holds_no_secret() {
    let (anybody, anybody_line) = new_key(&[]);
    let (yuan, yuan_line) = new_key(&["--sub", "yuan", "--rooms", "team-*,dev", "--ttl", "1h"]);
    let (stranger, _) = new_key(&[]);
    let keys = TempFile::new("keys", format!("# people\n\n{anybody_line}\n{yuan_line} # since spring\n"));
    assert!(!anybody_line.contains(&anybody));
    let config = format!("[auth]\nmode = \"keys\"\nkeys_file = \"{}\"", keys.name());
    let daemon = Daemon::start_with(&config, &[], &[]);
    let mut client = open_with(daemon.address(), "/ws", &anybody);
    client.text("anybody");
    client.expect_text("hello anybody");
    let mut client = open_with(daemon.address(), "/ws/team-a", &yuan);
    client.text("feng");
    client.expect_text("error: your token is for \"yuan\"");
    client.text("yuan");
    client.expect_text("hello yuan");
    refused_with(daemon.address(), "/ws", &yuan, 403);
    for bad in [stranger.as_str(), "hk_", &anybody[..anybody.len() - 1], &anybody_line] {
        let response = refused_with(daemon.address(), "/ws", bad, 401);
        assert!(response.text().contains("not known"), "{}", response.text());
    }
    let mut late = Client::open(daemon.address(), "/ws/dev", &[]);
    late.text(&yuan);
    late.expect_text("ok");
}

#[test]
fn access_keys_expire() {
    let (key, line) = new_key(&["--ttl", "1h"]);
    let (line, expires) = line.split_once("expires=").expect("a time");
    let expires: u64 = expires.parse().expect("seconds");
    assert!(expires.abs_diff(unix_now() + 3600) < 60, "{expires}");
    let keys = TempFile::new("keys", format!("{line}expires={}\n", unix_now() - 1));
    let config = format!("[auth]\nmode = \"keys\"\nkeys_file = \"{}\"", keys.name());
    let daemon = Daemon::start_with(&config, &[], &[]);
    assert!(refused_with(daemon.address(), "/ws", &key, 401).text().contains("expired"));
}

#[test]
fn an_empty_keys_file_lets_nobody_in_and_says_so() {
    let keys = TempFile::new("keys", "# nobody yet\n");
    let config = format!("[auth]\nmode = \"keys\"\nkeys_file = \"{}\"", keys.name());
    let daemon = Daemon::start_with(&config, &[], &[]);
    daemon.await_log("nobody can come in");
    refused_with(daemon.address(), "/ws", "hk_x", 401);
}

/// A key and its line for the keys file, as printed.
fn new_key(options: &[&str]) -> (String, String) {
    let made = Daemon::run("", &[], &[&["token", "key"], options].concat());
    assert_eq!(made.code, Some(0), "{made:?}");
    let find = |prefix: &str| made.stdout.lines().find(|line| line.starts_with(prefix)).map(str::to_owned);
    (find("hk_").expect("a key"), find("sha256:").expect("a line"))
}
