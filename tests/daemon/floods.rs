//! A flood against each limit on who comes, on the real server: those beyond the limit are told when to come again, not
//! all the same, and somebody who is in is served all the while.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use crate::support::{Client, Daemon, Frame, Response};

/// So many knock on the door, one after the other: enough that not all random pauses are the same.
const FLOOD: usize = 60;

/// The whole of 127.0.0.0/8 is this machine.
fn loopback(host: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, host).into()
}

fn knock(daemon: &Daemon, own: IpAddr, path: &str) -> (Client, Response) {
    let mut client = Client::connect_from(daemon.address(), own);
    let response = client.upgrade(path, &[]);
    (client, response)
}

/// Knocks `FLOOD` times on `path`; everybody must be refused with `status` and `text`, and what the guests say to each
/// other must arrive in between.
fn flood(daemon: &Daemon, guests: &mut [Client; 2], (own, path): (IpAddr, &str), status: u16, text: &str) {
    let mut pauses = BTreeSet::new();
    for n in 0..FLOOD {
        let (_, response) = knock(daemon, own, path);
        response.verify_refusal(status);
        let pause = response.header("Retry-After").expect("a pause").to_owned();
        let expected = format!("{text}, try again in {pause} s\n");
        assert!(response.text().ends_with(&expected), "{:?} and not {expected:?}", response.text());
        pauses.insert(pause);
        serve(guests, n);
    }
    assert!(pauses.len() > 5, "all are to come again after {pauses:?}");
}

fn serve([yuan, feng]: &mut [Client; 2], n: usize) {
    yuan.text(&format!("still here {n}"));
    feng.expect_text(&format!("yuan: still here {n}"));
}

fn guests(daemon: &Daemon) -> [Client; 2] {
    ["yuan", "feng"].map(|name| {
        let (mut client, response) = knock(daemon, loopback(9), "/ws");
        assert_eq!(response.status, 101);
        client.text(name);
        client.expect_text(&format!("hello {name}"));
        client
    })
}

fn with_limits(limits: &str) -> Daemon {
    Daemon::without_auth(&format!("[limits]\nmessages_per_second = 0\n{limits}"))
}

#[test]
fn connections_of_one_address() {
    let daemon = with_limits("connections_per_address = 2");
    let mut guests = guests(&daemon);
    let keep = ["/ws/a", "/ws/b"].map(|path| knock(&daemon, loopback(2), path));
    flood(&daemon, &mut guests, (loopback(2), "/ws"), 429, "too many connections from your address");
    assert_eq!(knock(&daemon, loopback(3), "/ws").1.status, 101, "another address");
    daemon.await_log("limits.connections_per_address is reached");
    daemon.await_log("(limits.connections_per_address = 2)");
    // A place that is free again is taken.
    for (client, _) in keep {
        client.close();
    }
    assert!((0..FLOOD).any(|_| knock(&daemon, loopback(2), "/ws").1.status == 101));
}

#[test]
fn new_connections_of_one_address() {
    let daemon = with_limits("handshakes_per_second_per_address = 1\nhandshake_burst_per_address = 100");
    let mut guests = guests(&daemon);
    let admitted = (0..150).filter(|_| knock(&daemon, loopback(2), "/ws").1.status == 101).count();
    assert!((100..110).contains(&admitted), "{admitted} were let in");
    // At one per second some of them may be let in, but only if the flood takes that long.
    let mut refused = 0;
    for n in 0..FLOOD {
        let (_, response) = knock(&daemon, loopback(2), "/ws");
        if response.status != 101 {
            response.verify_refusal(429);
            assert!(response.text().contains("too many new connections from your address, try again in"));
            refused += 1;
        }
        serve(&mut guests, n);
    }
    assert!(refused > FLOOD / 2, "{refused} were refused");
    assert_eq!(knock(&daemon, loopback(3), "/ws").1.status, 101, "another address");
    daemon.await_log("limits.handshakes_per_second_per_address is reached");
}

#[test]
fn new_connections_in_all() {
    let daemon = with_limits("handshakes_per_second = 1\nhandshake_burst = 50");
    let mut guests = guests(&daemon);
    let mut refused = 0;
    let mut pauses = BTreeSet::new();
    for n in 0..150_u8 {
        let (_, response) = knock(&daemon, loopback(10 + n % 100), "/ws");
        if response.status != 101 {
            response.verify_refusal(503);
            assert!(response.text().contains("too many new connections, try again in"), "{}", response.text());
            pauses.insert(response.header("Retry-After").map(str::to_owned));
            refused += 1;
        }
        serve(&mut guests, n.into());
    }
    assert!((80..=102).contains(&refused) && pauses.len() > 5, "{refused} of 150 were refused, {pauses:?}");
    daemon.await_log("limits.handshakes_per_second is reached");
}

#[test]
fn rooms() {
    let daemon = with_limits("rooms = 2");
    let mut guests = guests(&daemon);
    let (other, response) = knock(&daemon, loopback(2), "/ws/other");
    assert_eq!(response.status, 101);
    flood(&daemon, &mut guests, (loopback(2), "/ws/third"), 503, "too many rooms: 2 are allowed");
    assert_eq!(knock(&daemon, loopback(2), "/ws/other").1.status, 101, "a room that is there is not full");
    daemon.await_log("limits.rooms is reached");
    daemon.await_log("answered 503: too many rooms: 2 are allowed (limits.rooms)");
    other.close();
}

#[test]
fn users_of_a_room() {
    let daemon = with_limits("users_per_room = 2");
    let mut guests = guests(&daemon);
    flood(&daemon, &mut guests, (loopback(2), "/ws"), 503, "the room is full: 2 users are allowed");
    assert_eq!(knock(&daemon, loopback(2), "/ws/other").1.status, 101, "another room");
    daemon.await_log("limits.users_per_room is reached");
}

/// With the token as first message the answer is a close code.
#[test]
fn users_of_a_room_whose_token_comes_late() {
    let daemon = Daemon::start_with("[limits]\nusers_per_room = 1", &[], &[]);
    let token = daemon.token().expect("a printed token");
    let mut clients = [0; 3].map(|_| Client::open(daemon.address(), "/ws", &[]));
    clients.iter_mut().for_each(|client| client.text(&token));
    let [first, others @ ..] = &mut clients;
    first.expect_text("ok");
    for other in others {
        assert_eq!(other.expect_close(1013), "the room is full: 1 users are allowed");
        daemon.await_log("closed with 1013: the room is full");
    }
}

#[test]
fn messages_of_one_connection() {
    let daemon = Daemon::without_auth("[limits]\nmessages_per_second = 20\nmessage_burst = 100");
    let mut guests = guests(&daemon);
    for n in 0..5 {
        let mut talker = daemon.enter("/ws/loud", "talker");
        talker.send_raw(&Frame::text("x").encode().repeat(1000));
        assert_eq!(talker.expect_close(1008), "too many messages: 20 per second are allowed");
        serve(&mut guests, n);
    }
}
