//! The limits on who comes and where to: what they allow in the long run, what is said to those beyond them, and that
//! those who are in notice nothing.

#![expect(clippy::unwrap_used, reason = "a world that is broken is a test that fails")]

use std::net::IpAddr;

use hollerd::auth::{Auth, Claims, JwtKeys, mint};
use hollerd::engine::Gate;
use hollerd::wire::close::Ending;

use crate::world::{App, Wire, World, frame, out, text, upgrade};

const HERE: [u8; 4] = [192, 0, 2, 200];

fn answer(w: &Wire) -> String {
    String::from_utf8(out(w)).unwrap()
}

/// Comes from `ip` and asks for a WebSocket; the status and the text of the answer.
fn knock(w: &mut World, ip: impl Into<IpAddr>) -> (u16, String) {
    let (peer, wire) = w.accept_from(ip.into());
    w.send(peer, &wire, &upgrade("/ws/a", ""));
    w.settle();
    let answer = answer(&wire);
    w.eof(peer, &wire);
    w.settle();
    (answer[9..12].parse().unwrap(), answer)
}

/// Knocks as often as it is told to in every 10 ms, for 20 s, and says how often it was let in.
fn storm(w: &mut World, each: u32, mut ip: impl FnMut(u32) -> IpAddr, refused: u16) -> u32 {
    let mut admitted = 0;
    let until = w.ms + 20_000;
    while w.ms < until {
        for n in 0..each {
            let (status, text) = knock(w, ip(n));
            assert!(status == 101 || status == refused, "{text}");
            admitted += u32::from(status == 101);
        }
        w.ms += 10;
        w.settle();
    }
    admitted
}

#[test]
fn the_rate_in_all_is_right_in_the_long_run() {
    let mut w = World::new(App::default(), |c| (c.limits.handshakes_per_second, c.limits.handshake_burst) = (30, 5));
    let admitted = storm(&mut w, 2, |n| IpAddr::from([192, 0, 2, if n == 0 { 1 } else { 2 }]), 503);
    assert!((600..=605).contains(&admitted), "{admitted} in 20 s at 30 per second");
    assert_eq!(w.engine.counters().handshakes_over, 4000 - u64::from(admitted));
}

#[test]
fn the_rate_of_an_address_is_right_in_the_long_run_and_no_others() {
    let mut w = World::new(App::default(), |c| {
        c.limits.handshakes_per_second_per_address = 7;
        c.limits.handshake_burst_per_address = 3;
        // What the flood is refused takes nothing of this.
        (c.limits.handshakes_per_second, c.limits.handshake_burst) = (20, 20);
    });
    let admitted = storm(&mut w, 2, |_| HERE.into(), 429);
    assert!((140..=143).contains(&admitted), "{admitted} in 20 s at 7 per second");
    assert_eq!(knock(&mut w, [192, 0, 2, 7]).0, 101, "somebody else is not asked to wait");
    // All of one network of IPv6 is one address.
    let admitted = (0..100_u128).filter(|n| knock(&mut w, (0x2001_0db8_u128 << 96 | n).to_be_bytes()).0 == 101).count();
    assert_eq!(admitted, 3);
}

#[test]
fn connections_of_an_address_are_counted_until_they_are_gone() {
    let mut w = World::new(App::default(), |c| c.limits.connections_per_address = 2);
    let here: Vec<_> = (0..2)
        .map(|_| {
            let (peer, wire) = w.accept_from(HERE.into());
            w.send(peer, &wire, &upgrade("/ws/a", ""));
            w.settle();
            (peer, wire)
        })
        .collect();
    let (status, text) = knock(&mut w, HERE);
    assert!(status == 429 && text.contains("too many connections from your address, try again in"), "{text}");
    assert_eq!(knock(&mut w, [192, 0, 2, 7]).0, 101);
    let (peer, wire) = &here[0];
    w.send(*peer, wire, &frame(0x88, &[]));
    w.eof(*peer, wire);
    w.settle();
    assert_eq!(knock(&mut w, HERE).0, 101);
    let gone = w.gone.iter().find(|departure| matches!(departure.ending, Ending::Answered { .. })).unwrap();
    assert!(gone.ending.reason().contains("limits.connections_per_address = 2"), "{gone:?}");
}

#[test]
fn rooms_and_their_users_are_counted() {
    let mut w = World::new(App::default(), |c| (c.limits.rooms, c.limits.users_per_room) = (2, 2));
    let first = w.open("/ws/a");
    w.open("/ws/b");
    let refusal = |w: &mut World, path: &str| {
        let (peer, wire) = w.accept();
        w.send(peer, &wire, &upgrade(path, ""));
        w.settle();
        answer(&wire)
    };
    let said = refusal(&mut w, "/ws/c");
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("too many rooms: 2 are allowed, try again in"), "{said}");
    w.open("/ws/a");
    let said = refusal(&mut w, "/ws/a");
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("the room is full: 2 users are allowed, try"), "{said}");
    assert_eq!((w.engine.counters().rooms_full, w.engine.counters().users_per_room_full), (1, 1));
    // Those who are in are served, and a place that is free again is taken.
    w.send(first.0, &first.1, &text("hello"));
    w.send(first.0, &first.1, &frame(0x88, &[]));
    w.eof(first.0, &first.1);
    w.settle();
    w.open("/ws/a");
}

/// Everybody may ask for the room while it is empty, and not everybody is in when the tokens have come.
#[test]
fn a_room_can_fill_up_before_the_token_comes() {
    let secret = b"a secret of at least thirty-two bytes";
    let mut keys = JwtKeys::default();
    keys.add_secret("test", secret).unwrap();
    let gate = Gate { auth: Auth::Jwt(keys), first_message: true, ..Gate::open() };
    let mut w = World::with_gate(App::default(), gate, |c| (c.limits.rooms, c.limits.users_per_room) = (1, 1));
    let guests: Vec<_> = ["/ws/a", "/ws/a", "/ws/b"].map(|path| w.open(path)).into();
    let token = mint::jwt(secret, &Claims::default()).unwrap();
    for (peer, wire) in &guests {
        w.send(*peer, wire, &text(&token));
        w.settle();
    }
    assert_eq!(out(&guests[0].1), b"\x81\x02ok");
    let reasons = guests.iter().skip(1).map(|(_, wire)| String::from_utf8_lossy(&out(wire)).into_owned());
    let reasons: Vec<String> = reasons.collect();
    // A close frame with 1013.
    assert!(guests.iter().skip(1).all(|(_, wire)| out(wire)[2..4] == 1013_u16.to_be_bytes()), "{reasons:?}");
    assert!(reasons[0].ends_with("the room is full: 1 users are allowed"), "{reasons:?}");
    assert!(reasons[1].ends_with("too many rooms: 1 are allowed"), "{reasons:?}");
    assert_eq!(w.engine.open(), 1);
}

/// A move that is not allowed leaves everything as it is.
#[test]
fn nobody_is_moved_into_a_full_room() {
    let mut w = World::new(App::default(), |c| (c.limits.rooms, c.limits.users_per_room) = (2, 2));
    let (a, _) = w.open("/ws/a");
    let (b, _) = w.open("/ws/b");
    w.open("/ws/b");
    let now = w.now();
    let (_, mut desk) = w.engine.application_mut(now);
    assert_eq!(desk.move_to(a, "/ws/b"), None, "two are in it");
    assert_eq!(desk.move_to(b, "/ws/c"), None, "two rooms are all");
    assert!(desk.move_to(b, "/ws/b").is_some(), "it is there already");
    // Its own room goes, so there is place for the new one.
    let room = desk.move_to(a, "/ws/c").unwrap();
    assert_eq!((desk.room(a), desk.room_name(room)), (Some(room), Some("/ws/c")));
    w.settle();
}

const PROXY: [u8; 4] = [127, 0, 0, 1];

/// Comes through `PROXY`, which adds these header lines; the status.
fn knock_through(w: &mut World, extra: &str) -> u16 {
    let (peer, wire) = w.accept_from(PROXY.into());
    w.send(peer, &wire, &upgrade("/ws/a", extra));
    w.settle();
    answer(&wire)[9..12].parse().unwrap()
}

fn remotes(w: &mut World) -> Vec<String> {
    let now = w.now();
    let (_, desk) = w.engine.application_mut(now);
    desk.peers().filter_map(|peer| desk.remote(peer)).map(|remote| remote.to_string()).collect()
}

#[test]
fn nobody_is_believed_who_is_not_trusted() {
    let mut w = World::new(App::default(), |c| c.limits.connections_per_address = 2);
    let statuses = [1, 2, 3].map(|n| knock_through(&mut w, &format!("X-Forwarded-For: 192.0.2.{n}\r\n")));
    assert_eq!(statuses, [101, 101, 429]);
    assert_eq!(remotes(&mut w), ["127.0.0.1:9"; 2]);
}

#[test]
fn a_trusted_proxy_says_who_is_counted() {
    let mut w = World::new(App::default(), |c| {
        c.proxy.trusted = vec!["127.0.0.1".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        c.limits.connections_per_address = 2;
        // Not for the proxy itself, on whose connections nobody knows yet who it is.
        c.limits.pending_per_address = 1;
    });
    let idle: Vec<_> = (0..5).map(|_| w.accept_from(PROXY.into())).collect();
    let through = |w: &mut World, value: &str| knock_through(w, &format!("X-Forwarded-For: {value}\r\n"));
    assert_eq!(through(&mut w, "192.0.2.1"), 101);
    assert_eq!(through(&mut w, "192.0.2.9, 192.0.2.1:4711, 10.1.2.3"), 101);
    assert_eq!(through(&mut w, "192.0.2.1"), 429);
    assert_eq!(through(&mut w, "2001:db8::1"), 101);
    // A client's own claim is to the left of what the proxy adds.
    assert_eq!(through(&mut w, "192.0.2.77, 192.0.2.1"), 429);
    assert_eq!(knock(&mut w, [192, 0, 2, 1]).0, 429, "who comes without the proxy is the same client");
    assert_eq!(remotes(&mut w), ["192.0.2.1", "192.0.2.1:4711", "2001:db8::1"]);
    // What cannot be understood leaves the proxy's own address, which is not counted.
    for value in ["unknown", "_hidden", "192.0.2.1:x", "\"", "192.0.2.1, [", ""] {
        assert_eq!(through(&mut w, value), 101, "{value}");
    }
    assert_eq!((w.engine.counters().connections_per_address_full, w.engine.connections() >= idle.len()), (3, true));
}

#[test]
fn the_rate_of_an_address_holds_behind_a_proxy() {
    let mut w = World::new(App::default(), |c| {
        c.proxy.trusted = vec!["127.0.0.1".parse().unwrap()];
        c.limits.handshakes_per_second_per_address = 1;
        c.limits.handshake_burst_per_address = 3;
        (c.limits.handshakes_per_second, c.limits.handshake_burst) = (1, 5);
        c.limits.pending = 4;
    });
    let mut statuses = (0..50).map(|_| knock_through(&mut w, "X-Forwarded-For: 192.0.2.1\r\n"));
    assert_eq!(statuses.by_ref().filter(|status| *status == 101).count(), 3);
    // Two are left for others, the flood has taken nothing of them.
    let others = (2..9).map(|n| knock_through(&mut w, &format!("X-Forwarded-For: 192.0.2.{n}\r\n")));
    assert_eq!(others.collect::<Vec<_>>(), [101, 101, 503, 503, 503, 503, 503]);
    // Those who were refused do not keep others out by waiting.
    assert!(w.engine.connections() < 5 + 17, "{}", w.engine.connections());
}
