//! Behind a proxy: who is taken for the client, by the limits and in the log.

use crate::support::{Daemon, Frame, Response};

fn knock(daemon: &Daemon, headers: &[(&str, &str)]) -> Response {
    daemon.connect().upgrade("/ws", headers)
}

#[test]
fn the_log_shows_the_client_and_limits_count_it() {
    let config = "[proxy]\ntrusted = [\"127.0.0.1\"]\n[limits]\nconnections_per_address = 1";
    let daemon = Daemon::without_auth(config);
    let from = |address| [("X-Forwarded-For", address)];
    let mut client = daemon.connect();
    assert_eq!(client.upgrade("/ws", &from("203.0.113.7")).status, 101);
    client.text("yuan");
    client.expect_text("hello yuan");
    knock(&daemon, &from("203.0.113.7")).verify_refusal(429);
    daemon.await_log("203.0.113.7 answered 429: too many connections from your address");
    assert_eq!(knock(&daemon, &from("203.0.113.8")).status, 101);
    client.send_frame(&Frame::close(1000, ""));
    daemon.await_log("yuan (203.0.113.7) left with 1000");
}

#[test]
fn the_other_header_has_to_be_asked_for() {
    let config = "[proxy]\ntrusted = [\"127.0.0.0/8\", \"::1\"]\nheader = \"forwarded\"";
    let daemon = Daemon::without_auth(config);
    let both = [("Forwarded", "for=\"[2001:db8::7]:4711\";proto=https"), ("X-Forwarded-For", "203.0.113.7")];
    drop(knock(&daemon, &both));
    let mut client = daemon.connect();
    client.upgrade("/ws", &both);
    client.close();
    daemon.await_log("[2001:db8::7]:4711 left with 1000");
    assert!(!daemon.stderr().contains("203.0.113.7"), "{}", daemon.stderr());
}

#[test]
fn without_trust_a_header_says_nothing() {
    let daemon = Daemon::without_auth("");
    let mut client = daemon.connect();
    client.upgrade("/ws", &[("X-Forwarded-For", "203.0.113.7"), ("Forwarded", "for=203.0.113.7")]);
    let own = client.local_address();
    client.close();
    daemon.await_ending(own);
    assert!(!daemon.stderr().contains("203.0.113.7"), "{}", daemon.stderr());
}
