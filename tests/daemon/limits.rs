//! Numbers of connections, messages and bytes: what happens at each limit, and that it is over when it is over.

use std::net::{IpAddr, Ipv4Addr};

use crate::support::{Client, Daemon, Frame};

#[test]
fn a_full_server_answers_with_503() {
    let daemon = Daemon::without_auth("[limits]\nconnections = 2");
    let first = daemon.enter("/ws", "yuan");
    let mut second = daemon.enter("/ws", "feng");
    let mut pauses = Vec::new();
    for _ in 0..20 {
        let mut client = daemon.connect();
        client.send_raw(b"GET /ws HTTP/1.1\r\nHost: chat.example\r\n\r\n");
        let response = client.expect_refusal(503);
        assert!(response.text().contains("full"), "{}", response.text());
        pauses.push(response.header("Retry-After").expect("a 503 has one").to_owned());
    }
    // They are not all told the same, or they would all come back in the same second.
    assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
    let line = daemon.await_log("limits.connections is reached");
    assert!(line.contains("503"), "{line}");
    second.expect_quiet();
    first.close();
    daemon.enter_when_free("/ws", "yuan").close();
}

#[test]
fn those_who_wait_to_be_let_in_are_counted() {
    let daemon = Daemon::without_auth("[limits]\npending = 2\npending_per_address = 0");
    let mut waiting = [daemon.connect(), daemon.connect()];
    let mut third = daemon.connect();
    assert!(third.expect_refusal(503).text().contains("waiting to be let in"));
    daemon.await_log("limits.pending = 2");
    // Whoever is let in does not wait any more.
    for client in &mut waiting {
        assert_eq!(client.upgrade("/ws", &[]).status, 101);
    }
    let mut third = daemon.connect();
    assert_eq!(third.upgrade("/ws", &[]).status, 101);
}

#[test]
fn one_address_cannot_take_all_places() {
    let daemon = Daemon::without_auth("[limits]\npending_per_address = 2");
    let mut waiting = vec![daemon.connect(), daemon.connect()];
    let mut third = daemon.connect();
    assert!(third.expect_refusal(429).text().contains("your address"));
    daemon.await_log("limits.pending_per_address = 2");
    let mut elsewhere = Client::connect_from(daemon.address(), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)));
    assert_eq!(elsewhere.upgrade("/ws", &[]).status, 101);
    for client in &mut waiting {
        assert_eq!(client.upgrade("/ws", &[]).status, 101);
    }
    // Those who are in do not count, however many people share an address.
    waiting.extend([daemon.open("/ws"), daemon.open("/ws"), daemon.open("/ws")]);
}

/// Waiting for a token is waiting to be let in.
#[test]
fn those_who_owe_a_token_are_counted_too() {
    let daemon = Daemon::start_with("[limits]\npending = 2\npending_per_address = 0", &[], &[]);
    let mut waiting = [0; 2].map(|_| Client::open(daemon.address(), "/ws", &[]));
    let mut third = daemon.connect();
    third.expect_refusal(503);
    waiting[0].text(&daemon.token().expect("a printed token"));
    waiting[0].expect_text("ok");
    Client::open(daemon.address(), "/ws", &[]);
}

/// All of it in one segment, so that no time passes in which more would be allowed.
#[test]
fn messages_have_a_rate_and_a_burst() {
    let daemon = Daemon::without_auth("[limits]\nmessages_per_second = 1\nmessage_burst = 5");
    let mut feng = daemon.enter("/ws", "feng");
    let mut yuan = daemon.open("/ws");
    let words = ["yuan", "1", "2", "3", "4", "5", "6"];
    yuan.send_raw(&words.iter().flat_map(|text| Frame::text(*text).encode()).collect::<Vec<_>>());
    yuan.expect_text("hello yuan");
    let reason = yuan.expect_close(1008);
    assert!(reason.contains("1 per second"), "{reason}");
    for n in 1..=4 {
        feng.expect_text(&format!("yuan: {n}"));
    }
    feng.expect_quiet();
}

#[test]
fn a_rate_of_zero_is_no_limit() {
    let daemon = Daemon::without_auth("[limits]\nmessages_per_second = 0");
    let mut feng = daemon.enter("/ws", "feng");
    let mut yuan = daemon.enter("/ws", "yuan");
    yuan.send_raw(&Frame::text("x").encode().repeat(2000));
    for _ in 0..2000 {
        feng.expect_text("yuan: x");
    }
}

#[test]
fn the_length_of_messages_and_heads_can_be_configured() {
    let daemon = Daemon::without_auth("[limits]\nmessage = 10\nrequest_head = 512\nrequest_headers = 8");
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut feng = daemon.enter("/ws", "feng");
    yuan.text("0123456789");
    feng.expect_text("yuan: 0123456789");
    yuan.text("0123456789a");
    assert!(yuan.expect_close(1009).contains("10 bytes"));
    let mut client = daemon.connect();
    client.upgrade("/ws", &[("X-Padding", &"x".repeat(512))]).verify_refusal(431);
    let mut client = daemon.connect();
    client.upgrade("/ws", &[("X-A", "x"); 4]).verify_refusal(431);
}

#[test]
fn a_limit_that_cannot_be_met_is_said_at_the_start() {
    let failed = Daemon::run("[limits]\nconnections = 16000000", &[], &["--listen", "127.0.0.1:0"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(
        failed.stderr.contains("limits.connections = 16000000") && failed.stderr.contains("LimitNOFILE"),
        "{failed:?}"
    );
    assert!(!failed.stdout.contains("listening"), "{failed:?}");
}

/// A talker with a full turn's worth of messages does not keep others waiting until it is through.
#[test]
fn one_busy_talker_leaves_turns_to_others() {
    let daemon = Daemon::without_auth("[limits]\nmessages_per_second = 0\nturn_messages = 4");
    let mut busy = daemon.enter("/ws/busy", "busy");
    let mut patient = daemon.enter("/ws", "patient");
    let flood = Frame::text("x").encode().repeat(20_000);
    let talker = std::thread::spawn(move || {
        busy.send_raw(&flood);
        busy.send_frame(&Frame::ping("through"));
        busy.expect_frame(&Frame::pong("through").unmasked());
    });
    let mut rounds = 0;
    while !talker.is_finished() {
        patient.expect_quiet();
        rounds += 1;
    }
    talker.join().expect("a talker that was heard");
    assert!(rounds > 10, "only {rounds} rounds were served beside 5,000 turns of another");
}
