//! The heartbeat: who is silent is pinged, who does not answer is gone.

use std::time::Duration;

use crate::support::{Client, Daemon, Frame, Received, now, opcode};

const SHORT: &str = "[heartbeat]\nping_interval = \"100ms\"\npong_timeout = \"300ms\"\n";

/// The next frame is a ping; returns its payload.
fn expect_ping(client: &mut Client) -> Vec<u8> {
    match client.read_frame() {
        Received::Frame(frame) if frame.opcode == opcode::PING && frame.fin => frame.payload,
        other => panic!("wanted a ping, got {other:?}"),
    }
}

#[test]
fn who_answers_pings_stays() {
    let daemon = Daemon::without_auth(SHORT);
    let mut client = daemon.enter("/ws", "yuan");
    let began = now();
    for _ in 0..6 {
        let payload = expect_ping(&mut client);
        client.send_frame(&Frame::pong(payload));
    }
    // Six intervals, each up to a tenth shorter; and longer than it takes to be given up.
    assert!(now() - began >= Duration::from_millis(6 * 90 - 10));
    client.send_frame(&Frame::close(1000, ""));
}

/// The interval is that of the configuration, also where an answer may take much longer than it.
#[test]
fn the_time_for_an_answer_does_not_stretch_the_interval() {
    let daemon = Daemon::without_auth("[heartbeat]\nping_interval = \"100ms\"\npong_timeout = \"1h\"");
    let mut client = daemon.enter("/ws", "yuan");
    for _ in 0..4 {
        let payload = expect_ping(&mut client);
        client.send_frame(&Frame::pong(payload));
    }
}

/// The kernel counts its own heartbeat in whole seconds and up to nine hours; ours has other bounds.
#[test]
fn every_heartbeat_that_can_be_configured_can_be_started() {
    for (interval, timeout) in [("10ms", "1ms"), ("0s", "0s"), ("24h", "24h")] {
        let config = format!("[heartbeat]\nping_interval = \"{interval}\"\npong_timeout = \"{timeout}\"");
        Daemon::without_auth(&config);
    }
}

#[test]
fn who_does_not_answer_is_gone() {
    let daemon = Daemon::without_auth(SHORT);
    let mut feng = daemon.enter("/ws/other", "feng");
    let mut client = daemon.enter("/ws", "yuan");
    let mut nameless = daemon.open("/ws");
    for client in [&mut client, &mut nameless] {
        expect_ping(client);
        let reason = client.expect_close(1008);
        assert!(reason.contains("no answer to a ping within 300ms"), "{reason}");
    }
    let line = daemon.await_ending(client.local_address());
    assert!(line.contains("yuan") && line.contains("closed with 1008"), "{line}");
    let payload = expect_ping(&mut feng);
    feng.send_frame(&Frame::pong(payload));
}

/// A client library may be too busy to answer pings while it sends; what it sends is proof enough.
#[test]
fn any_frame_counts_as_life() {
    let daemon = Daemon::without_auth(&format!("{SHORT}[limits]\nmessages_per_second = 0"));
    let mut listener = daemon.enter("/ws/other", "listener");
    let mut client = daemon.enter("/ws", "yuan");
    let frames = [
        Frame::text("still here"),
        Frame::pong("unasked"),
        Frame::pong(""),
        Frame::text("in two").unfinished(),
        Frame::continuation(" pieces"),
        Frame::text(""),
    ];
    for frame in frames {
        expect_ping(&mut client);
        client.send_frame(&frame);
    }
    expect_ping(&mut client);
    drop(client);
    expect_ping(&mut listener);
}

/// Who talks is not pinged: an interval begins anew with each sign of life.
#[test]
fn who_talks_is_not_pinged() {
    let daemon = Daemon::without_auth("[heartbeat]\nping_interval = \"400ms\"\n[limits]\nmessages_per_second = 0");
    let mut talker = daemon.enter("/ws/talk", "talker");
    let mut silent = daemon.enter("/ws", "silent");
    silent.set_patience(Duration::from_millis(20));
    let mut words = 0;
    loop {
        talker.text("word");
        talker.expect_quiet();
        words += 1;
        match silent.read_frame() {
            Received::Timeout => {}
            Received::Frame(frame) if frame.opcode == opcode::PING => break,
            other => panic!("{other:?}"),
        }
        assert!(words < 500, "the silent one was never pinged");
    }
}

#[test]
fn pings_can_be_switched_off() {
    let daemon = Daemon::without_auth("[heartbeat]\nping_interval = \"0s\"\npong_timeout = \"10ms\"");
    let mut client = daemon.enter("/ws", "yuan");
    client.set_patience(Duration::from_millis(300));
    assert_eq!(client.read_frame(), Received::Timeout);
    client.expect_quiet();
}

#[test]
fn pings_of_the_client_are_answered_with_their_payload() {
    let daemon = Daemon::without_auth("");
    let mut client = daemon.enter("/ws", "yuan");
    for payload in [b"".as_slice(), b"\0\xff", &[b'x'; 125]] {
        client.send_frame(&Frame::ping(payload));
        client.expect_frame(&Frame::pong(payload).unmasked());
    }
    // Between the fragments of a message too.
    client.send_frame(&Frame::text("a").unfinished());
    client.send_frame(&Frame::ping("now"));
    client.expect_frame(&Frame::pong("now").unmasked());
}
