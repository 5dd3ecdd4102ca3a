//! One line per ending, quiet where nothing is wrong, and no secrets in it at any level.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::{Client, Daemon, Frame, Issuer, PATIENCE};

/// The whole log of a daemon that was told to stop.
fn log_of(daemon: Daemon) -> String {
    daemon.terminate();
    rest_of_log(daemon)
}

fn rest_of_log(mut daemon: Daemon) -> String {
    assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
    daemon.stderr()
}

#[test]
fn every_ending_is_one_line_with_code_and_text() {
    let daemon = Daemon::without_auth("");
    let mut expected = Vec::new();
    let mut end = |name: &str, bytes: &[u8], code: u16, line: &str| {
        let mut client = daemon.enter("/ws", name);
        client.send_raw(bytes);
        client.expect_close(code);
        expected.push((client.local_address(), format!("{name} ({})", client.local_address()), line.to_owned()));
    };
    end("a", &Frame::close(1000, "bye").encode(), 1000, "left with 1000 \"bye\"");
    end("b", &Frame::text("x").unmasked().encode(), 1002, "closed with 1002: protocol error: unmasked frame");
    end("c", &Frame::binary("x").encode(), 1003, "closed with 1003: binary messages are not taken here, send text");
    end("d", &Frame::text(b"\xff").encode(), 1007, "closed with 1007: a text message must be UTF-8");
    end("e", &Frame::text([b'x'; 20_000]).encode(), 1009, "closed with 1009: message too big: 16384 bytes are allowed");
    let mut refused = daemon.connect();
    refused.upgrade("/ws/..", &[]).verify_refusal(400);
    expected.push((refused.local_address(), refused.local_address().to_string(), "answered 400: ".to_owned()));
    drop(refused);
    for (address, who, what) in &expected {
        let line = daemon.await_ending(*address);
        assert!(line.contains(who) && line.contains(what) && line.contains(" bytes in, "), "{line}");
    }
    let log = log_of(daemon);
    for (address, ..) in expected {
        let lines = log.lines().filter(|line| line.contains(&address.to_string())).count();
        assert_eq!(lines, 1, "{address} in:\n{log}");
    }
}

/// Networks break all the time, and health checks come every few seconds: that is nobody's news.
#[test]
fn resets_and_health_checks_are_for_debugging_only() {
    for (level, wanted) in [("info", 0), ("debug", 1)] {
        let daemon = Daemon::start_with("", &[], &["--auth", "none", "--log-level", level]);
        let reset = daemon.enter("/ws", "reset");
        let gone = daemon.enter("/ws", "gone");
        let mut checked = daemon.connect();
        assert_eq!(checked.request("GET", "/healthz", &[]).status, 200);
        let addresses = [&reset, &gone, &checked].map(Client::local_address);
        reset.reset();
        drop((gone, checked));
        // Closed later, so logged later; or at least asked for later.
        let mut last = daemon.enter("/ws", "last");
        last.expect_quiet();
        daemon.terminate();
        last.expect_close(1001);
        drop(last);
        let log = rest_of_log(daemon);
        for address in addresses {
            let lines: Vec<&str> = log.lines().filter(|line| line.contains(&address.to_string())).collect();
            assert_eq!(lines.len(), wanted, "{level}: {lines:?}");
        }
        assert!(log.contains("closed with 1001: server is shutting down"), "{log}");
    }
}

/// Every way in which a token can come in, good and bad, at the most talkative level.
#[test]
fn no_token_is_ever_logged() {
    let issuer = Issuer::hmac();
    let config = format!("{}query = true\n", issuer.config());
    let daemon = Daemon::start_with(&config, &[], &["--log-level", "trace"]);
    let good = issuer.sign(r#"{"sub":"yuan"}"#);
    let bad = Issuer::hmac().sign(r#"{"sub":"feng"}"#);
    for token in [&good, &bad] {
        let rows = [
            ("/ws".to_owned(), "Authorization", format!("Bearer {token}")),
            ("/ws".to_owned(), "Sec-WebSocket-Protocol", format!("hollerd.text, bearer.{token}")),
            ("/ws".to_owned(), "Cookie", format!("hollerd_token={token}")),
            (format!("/ws?token={token}"), "X-Other", String::new()),
            (format!("/?token={token}"), "X-Other", String::new()),
            (format!("/nowhere?token={token}"), "X-Other", String::new()),
            (format!("/ws/..?token={token}"), "X-Other", String::new()),
            ("/ws".to_owned(), "Origin", format!("https://evil.example/?token={}", &token[..10])),
        ];
        for (path, name, value) in &rows {
            daemon.connect().upgrade(path, &[(name, value)]);
            daemon.connect().request("GET", path, &[(name, value)]);
            daemon.connect().request("POST", path, &[(name, value)]);
        }
        let mut client = Client::open(daemon.address(), "/ws", &[]);
        client.text(token);
        let _ok_or_closed = client.read_frame();
    }
    let printed = daemon.stdout();
    let log = log_of(daemon);
    assert!(log.lines().count() > 30, "hardly anything was logged:\n{log}");
    for token in [good, bad] {
        for part in token.split('.').filter(|part| !part.starts_with("eyJhbGci")) {
            assert!(!log.contains(part), "{part} of {token} is in:\n{log}");
            assert!(!printed.contains(part), "{part} of {token} is in:\n{printed}");
        }
    }
}

/// The token of the run is printed once, for whoever started it, and is in no log.
#[test]
fn the_printed_token_is_not_logged() {
    let daemon = Daemon::start(&["--log-level", "trace"]);
    let token = daemon.token().expect("a printed token");
    daemon.enter("/ws", "yuan").close();
    assert_eq!(daemon.stdout().matches(&token).count(), 2);
    let log = log_of(daemon);
    assert!(!log.contains(&token) && log.contains("yuan"), "{log}");
}

/// Libraries that log what passes through them are not let into our log.
#[test]
fn what_people_say_is_not_logged() {
    let daemon = Daemon::start_with("", &[], &["--auth", "none", "--log-level", "trace"]);
    let mut feng = daemon.enter("/ws", "feng");
    let mut yuan = daemon.enter("/ws", "yuan");
    yuan.text("between the two of us");
    feng.expect_text("yuan: between the two of us");
    yuan.send_frame(&Frame::ping("ping payload"));
    yuan.expect_frame(&Frame::pong("ping payload").unmasked());
    yuan.close();
    feng.close();
    let log = log_of(daemon);
    for word in ["between", "ping payload", "tungstenite", "mio", "Received", "Frame"] {
        assert!(!log.contains(word), "{word:?} is in:\n{log}");
    }
}

/// Peers choose their names and reasons; no choice of theirs makes a second line or moves a terminal's cursor.
#[test]
fn nobody_can_write_a_log_line_of_their_own() {
    let daemon = Daemon::without_auth("");
    let mut client = daemon.enter("/ws", "yuan");
    client.send_frame(&Frame::close(1000, "bye\nroot (127.0.0.1:1) left\r\u{1b}[2J\u{9b}"));
    client.expect_close(1000);
    let address = client.local_address();
    drop(client);
    let line = daemon.await_ending(address);
    assert!(line.contains("bye\\nroot") && !line.contains(char::is_control), "{line:?}");
    let mut client = daemon.enter("/ws", "feng");
    client.send_frame(&Frame::close(1000, "\u{202e}yuan"));
    client.expect_close(1000);
    let address = client.local_address();
    drop(client);
    let line = daemon.await_ending(address);
    assert!(!line.contains('\u{202e}'), "the direction of the line can be turned: {line:?}");
}

/// A line begins with the time, also where somebody else's standard error is the journal; `systemd.rs` has the journal.
#[test]
fn lines_have_a_time_stamp() {
    let journal = [("JOURNAL_STREAM", "8:12345")];
    let rows = [
        ("", false, true),
        ("", true, true),
        ("[log]\ntime = \"always\"", true, true),
        ("[log]\ntime = \"never\"", false, false),
        ("[log]\ntime = \"auto\"", false, true),
    ];
    for (config, in_journal, stamped) in rows {
        let env = if in_journal { &journal[..] } else { &[] };
        let log = log_of(Daemon::start_with(config, env, &[]));
        assert!(!log.is_empty());
        for line in log.lines() {
            // Such as 2026-01-31T12:34:56
            let bytes = line.as_bytes();
            let has_stamp = line.starts_with("20") && bytes.get(4) == Some(&b'-') && bytes.get(10) == Some(&b'T');
            assert_eq!(has_stamp, stamped, "{config} {env:?}: {line}");
            assert!(stamped || !line.starts_with(' '), "{line}");
        }
    }
}

#[test]
fn a_level_of_off_is_silence() {
    let daemon = Daemon::start_with("[log]\nlevel = \"off\"", &[], &["--auth", "none"]);
    daemon.enter("/ws", "yuan").close();
    assert_eq!(log_of(daemon), "");
}

/// Whoever read our output may be gone; a broken pipe is no reason to stop serving.
#[test]
fn nobody_has_to_read_the_log() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hollerd"));
    command.args(["--auth", "none", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut daemon = Unheard(command.spawn().expect("the daemon starts"));
    drop(daemon.0.stderr.take());
    let stdout = BufReader::new(daemon.0.stdout.take().expect("stdout is piped"));
    let first = stdout.lines().next().expect("a line").expect("text");
    let address =
        first.rsplit_once(" listening on ").and_then(|(_, address)| address.parse().ok()).expect("an address");
    for name in ["yuan", "feng", "yuan"] {
        let mut client = Client::open(address, "/ws", &[]);
        client.text(name);
        client.expect_text(&format!("hello {name}"));
        client.close();
    }
    assert_eq!(daemon.0.try_wait().expect("our own child"), None, "it ended");
}

/// A daemon whose outputs lead nowhere; killed when dropped.
struct Unheard(Child);

impl Drop for Unheard {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which the test has noticed.
        let _killed = self.0.kill();
        let _reaped = self.0.wait();
    }
}
