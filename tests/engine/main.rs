//! The engine on pipes in memory: one script per promise that was once broken, with the events in the order that broke it.
//! `tests/simulation` looks for such orders at random; a seed that finds one becomes a script here.

mod limits;
mod world;

use std::time::Duration;

use hollerd::admin::{self, Process, Rules};
use hollerd::engine::ClosedBy;
use hollerd::time::{Now, Time};
use hollerd::wire::close::Ending;
use hollerd::wire::frame::Message;
use hollerd::wire::request::{HeadLimits, Parsed, parse};
use world::{App, World, frame, out, text, upgrade};

#[test]
fn what_is_said_in_overdue_reaches_the_room() {
    let app = App { say_on_overdue: true, deadline: Some(Duration::from_secs(2)), ..App::default() };
    let mut w = World::new(app, |_| {});
    let (_, a) = w.open("/ws/timed");
    w.sleep_until(4000);
    assert!(out(&a).ends_with(b"\x81\x04tick"), "not sent: {:?}", out(&a));
}

#[test]
fn nobody_is_thrown_out_for_what_is_said_while_expiring() {
    // b vanishes (no pong); "bye" is said about it while expiring.
    let app = App { say_on_closed: true, ..App::default() };
    let mut w = World::new(app, |c| c.heartbeat.pong_timeout = Duration::from_secs(3));
    let (pa, a) = w.open("/ws/a");
    let (_b, _wb) = w.open("/ws/a");
    // a answers each ping, b does not.
    for s in 2..70 {
        w.sleep_until(s * 1000);
        let n = out(&a).windows(2).filter(|x| x == b"\x89\x00").count();
        if n > 0 {
            a.0.borrow_mut().out.retain(|_| false);
            w.send(pa, &a, &frame(0x8a, b""));
        }
    }
    let closed = &w.engine.application().closed;
    assert!(closed.iter().all(|(p, _)| *p != pa), "a reader that reads everything was closed: {closed:?}");
}

#[test]
fn what_is_said_while_a_reader_catches_up_is_not_lost_for_the_others() {
    // A blocked reader catches up after something was said in `expire`: the log is released under everybody else.
    let app = App { say_on_overdue: true, deadline: Some(Duration::from_secs(5)), ..App::default() };
    let mut w = World::new(app, |c| c.limits.unread_age = Duration::from_secs(100));
    let (pa, a) = w.open("/ws/timed");
    let (_pb, b) = w.open("/ws/timed");
    let (pc, c) = w.open("/ws/timed");
    b.0.borrow_mut().out.clear();
    a.0.borrow_mut().room = 0;
    w.send(pc, &c, &text("one"));
    w.settle();
    w.sleep_until(8000); // three ticks are said in `expire`
    w.grant(pa, &a, 1 << 20); // a catches up
    w.settle();
    w.send(pc, &c, &text("two"));
    w.settle();
    let got = String::from_utf8_lossy(&out(&b)).into_owned();
    assert_eq!(got.matches("tick").count(), 3, "b has a gap: {got:?}");
}

#[test]
fn bytes_behind_a_leftover_are_read() {
    let mut w = World::new(App { echo: true, ..App::default() }, |c| c.limits.outbox = 1 << 20);
    let (p, a) = w.open("/ws/a");
    let burst: Vec<u8> = (0..40).flat_map(|_| frame(0x82, &[7; 1900])).collect();
    assert!(burst.len() > 65536);
    w.send(p, &a, &burst);
    w.settle();
    assert_eq!(w.engine.application().messages, 40, "{} bytes stay unread", a.0.borrow().inn.len());
}

#[test]
fn the_end_behind_a_leftover_is_seen() {
    let mut w = World::new(App::default(), |_| {});
    let (p, a) = w.open("/ws/a");
    let burst: Vec<u8> = (0..40).flat_map(|_| text("hi")).collect();
    w.send(p, &a, &burst);
    w.eof(p, &a);
    w.settle();
    assert_eq!(w.engine.connections(), 0, "a ghost stays");
}

#[test]
fn the_rate_limit_holds_above_1000_per_second() {
    let mut w = World::new(App::default(), |c| {
        c.limits.messages_per_second = 2000;
        c.limits.message_burst = 10;
    });
    let (p, a) = w.open("/ws/a");
    for _ in 0..100 {
        w.send(p, &a, &text("x").repeat(30));
        w.settle(); // the clock stands still
    }
    assert!(w.engine.application().messages <= 10, "{} messages in no time", w.engine.application().messages);
}

#[test]
fn a_ping_does_not_extend_the_time_for_a_message() {
    let mut w = World::new(App::default(), |_| {});
    let (p, a) = w.open("/ws/a");
    w.send(p, &a, &frame(0x01, b"beginning"));
    w.settle();
    for s in 1..30 {
        w.sleep_until(1000 + s * 1000);
        if w.engine.open() == 0 {
            return;
        }
        w.send(p, &a, &frame(0x89, b""));
    }
    panic!("open for 30 s in the middle of one message; the limit is 10 s");
}

#[test]
fn a_piece_does_not_grow_for_ever() {
    let mut w = World::new(App { echo: true, ..App::default() }, |_| {});
    let (p, a) = w.open("/ws/a");
    a.0.borrow_mut().room = 1000;
    w.send(p, &a, &frame(0x82, &[7; 10000]).repeat(3));
    w.settle();
    // a reads as fast as it writes, 10 KB at a time, and is never more than 40 KB behind.
    let mut total = 0;
    for _ in 0..400 {
        w.ms += 50;
        w.grant(p, &a, 10004);
        w.send(p, &a, &frame(0x82, &[7; 10000]));
        w.settle();
        total += 10004;
        let closed = &w.engine.application().closed;
        assert!(closed.is_empty(), "after {total} bytes, {} ms: {closed:?}", w.ms);
    }
}

#[test]
fn without_pings_a_peer_needs_no_deadline() {
    let mut w = World::new(App::default(), |c| c.heartbeat.ping_interval = Duration::ZERO);
    w.open("/ws/a");
    w.sleep_until(20_000);
}

#[test]
fn a_long_time_for_the_answer_does_not_make_pings_rare() {
    let mut w = World::new(App::default(), |c| {
        c.heartbeat.ping_interval = Duration::from_secs(1);
        c.heartbeat.pong_timeout = Duration::from_secs(8);
    });
    let (p, a) = w.open("/ws/a");
    let mut pings = 0;
    for _ in 0..400 {
        w.sleep_until(w.ms + 50);
        let asked = out(&a).windows(2).filter(|bytes| bytes == b"\x89\x00").count();
        if asked > 0 {
            a.0.borrow_mut().out.clear();
            w.send(p, &a, &frame(0x8a, b""));
        }
        pings += asked;
    }
    assert!(pings >= 16, "{pings} pings in 20 s of silence but for the answers");
}

#[test]
fn private_traffic_cannot_stop_broadcasts() {
    let mut w = World::new(App::default(), |c| c.limits.turn_writes = 4);
    let (ps, s) = w.open("/ws/a");
    let (_pr, r) = w.open("/ws/a");
    let flood: Vec<_> = (0..6).map(|_| w.open("/ws/b")).collect();
    w.send(ps, &s, &text("hello"));
    for _ in 0..1000 {
        for (p, f) in &flood {
            w.send(*p, f, &frame(0x89, b"x"));
        }
        w.turn();
        w.ms += 1;
    }
    assert!(!out(&r).is_empty(), "nothing in 1000 turns");
}

#[test]
fn strangers_cannot_take_every_place() {
    let mut w = World::new(App::default(), |c| {
        c.limits.pending = 2;
        c.limits.connections = 10;
    });
    let mut keep = vec![];
    for _ in 0..50 {
        let (p, s) = w.accept();
        w.send(p, &s, b"GET /nowhere HTTP/1.0\r\n\r\n");
        w.settle();
        let answer = String::from_utf8(out(&s)).unwrap();
        assert!(answer.starts_with("HTTP/1.1 426") || answer.contains("waiting to be let in"), "{answer}");
        keep.push((p, s));
    }
    // Two have their answer and linger, the other 48 were refused on arrival; none of them holds a place for guests.
    assert!(w.engine.connections() <= 2 + 16, "{} linger", w.engine.connections());
    w.sleep_until(5000);
    w.open("/ws/guest");
}

#[test]
fn an_outside_event_after_a_long_sleep() {
    let mut w = World::new(App::default(), |c| c.heartbeat.ping_interval = Duration::from_secs(3600));
    let (_, a) = w.open("/ws/a");
    w.sleep_until(2000);
    a.0.borrow_mut().room = 0;
    w.ms += 60_000; // asleep
    let now = w.now();
    let (_, mut desk) = w.engine.application_mut(now);
    desk.broadcast_everywhere(Message::Text("news"));
    w.settle();
    w.ms += 128;
    w.settle();
    assert_eq!(w.engine.open(), 1, "{:?}", w.engine.application().closed);
}

#[test]
fn a_single_message_may_be_larger_than_the_outbox() {
    let mut w = World::new(App { say_big_on_open: 70_000, ..App::default() }, |_| {});
    w.open("/ws/a");
    assert_eq!(w.engine.open(), 1, "{:?}", w.engine.application().closed);
}

#[test]
fn an_echo_with_default_limits_survives_a_fast_reader() {
    let mut w = World::new(App { echo: true, ..App::default() }, |_| {});
    let (p, a) = w.open("/ws/a");
    let burst: Vec<u8> = (0..20).flat_map(|_| frame(0x82, &[7; 8192])).collect();
    w.send(p, &a, &burst);
    w.settle();
    assert_eq!(w.engine.application().messages, 20, "{:?}", w.engine.application().closed);
}

#[test]
fn everybody_is_told_before_the_deadline() {
    let mut w = World::new(App::default(), |c| {
        c.shutdown.batch = 1;
        c.shutdown.interval = Duration::from_millis(200);
        c.shutdown.timeout = Duration::from_secs(1);
    });
    let peers: Vec<_> = (0..20).map(|_| w.open("/ws/a")).collect();
    w.engine.begin_shutdown(Ending::Restarting, w.now());
    w.sleep_until(10_000);
    let told = peers.iter().filter(|(_, s)| out(s).starts_with(b"\x88")).count();
    let right = w.gone.iter().filter(|d| d.ending == Ending::Restarting).count();
    assert_eq!((told, right), (20, 20));
}

#[test]
fn a_restart_turns_nobody_away_whose_request_is_on_its_way() {
    let mut w = World::new(App::default(), |c| c.shutdown.timeout = Duration::from_secs(30));
    let (_, inside) = w.open("/ws/a");
    let (late, silent) = (w.accept(), w.accept());
    w.settle();
    let begun = w.ms;
    w.engine.begin_shutdown(Ending::Restarting, w.now());
    w.sleep_until(begun + 900);
    assert!(out(&inside).starts_with(b"\x88"), "whoever is inside is told at once");
    w.send(late.0, &late.1, &upgrade("/ws/a", ""));
    w.settle();
    let said = out(&late.1);
    let close = [&b"\x88\x16\x03\xf4"[..], b"server is restarting"].concat();
    assert!(said.starts_with(b"HTTP/1.1 101") && said.ends_with(&close), "{:?}", String::from_utf8_lossy(&said));
    assert_eq!((w.engine.open(), out(&silent.1).len()), (0, 0));
    w.sleep_until(begun + 1_000);
    assert!(out(&silent.1).starts_with(b"HTTP/1.1 503"), "whoever says nothing is not waited for long");
    w.sleep_until(begun + 29_000);
    assert_eq!((w.engine.connections(), w.engine.counters().cut), (0, 0));
}

#[test]
fn a_server_that_goes_for_good_waits_for_no_requests() {
    let mut w = World::new(App::default(), |_| {});
    let (_, silent) = w.accept();
    w.engine.begin_shutdown(Ending::ShuttingDown, w.now());
    w.settle();
    assert!(out(&silent).starts_with(b"HTTP/1.1 503"));
}

#[test]
fn a_slow_one_that_was_given_up_does_not_hold_the_log() {
    let mut w = World::new(App::default(), |c| {
        c.limits.close_timeout = Duration::from_secs(60);
    });
    let (ps, s) = w.open("/ws/a");
    let (_pr, r) = w.open("/ws/a");
    r.0.borrow_mut().room = 10;
    for _ in 0..70 {
        w.send(ps, &s, &frame(0x82, &[1; 16000]));
        w.settle();
    }
    assert_eq!(w.engine.open(), 1);
    // Given up: 7.5 s for its close frame. It will never need the log again.
    for _ in 0..80 {
        w.send(ps, &s, &frame(0x82, &[1; 16000]));
        w.settle();
    }
    assert_eq!(w.engine.counters().cut, 0, "cut before its grace was over");
}

#[test]
fn what_happened_is_counted() {
    let mut w = World::new(App::default(), |_| {});
    let (pa, a) = w.open("/ws/a");
    let (_pb, _b) = w.open("/ws/a");
    let (pc, c) = w.open("/ws/a");
    w.open("/ws/b");
    c.0.borrow_mut().room = 0;
    let sent = [text("one"), text("two")].concat();
    w.send(pa, &a, &sent);
    w.settle();
    let counters = w.engine.counters();
    assert_eq!((counters.messages_in, counters.broadcasts, counters.deliveries), (2, 2, 4));
    let totals = w.engine.totals();
    assert_eq!((totals.open, totals.closing, totals.rooms), (4, 0, 2));
    assert_eq!((totals.slow_readers, totals.log_bytes), (1, 10), "c has read nothing");
    let page = w.engine.rooms_page(None, 1);
    let room = page.items[0];
    assert_eq!((room.name, room.users, room.sequence), ("/ws/a", 3, 2));
    assert_eq!((room.log_bytes, room.slow_readers), (10, 1));
    let other = w.engine.rooms_page(page.next, 10);
    assert_eq!((other.items[0].name, other.items[0].sequence, other.next), ("/ws/b", 0, None));
    w.grant(pc, &c, 1 << 20);
    w.settle();
    let totals = w.engine.totals();
    assert_eq!((totals.slow_readers, totals.log_bytes), (0, 0));
    w.send(pa, &a, &frame(0x88, &[0x03, 0xe8]));
    w.settle();
    a.0.borrow_mut().eof = true;
    w.sleep_until(20_000);
    assert_eq!(w.engine.counters().closes[&(ClosedBy::Peer, 1000)], 1);
    assert_eq!(w.engine.totals().open, 3);
}

#[test]
fn a_page_of_users_is_in_the_order_of_their_places() {
    let mut w = World::new(App::default(), |_| {});
    let names = ["/ws/a", "/ws/b", "/ws/a", "/ws/a", "/ws/b", "/ws/a"];
    for room in names {
        w.open(room);
    }
    let now = w.now();
    let (_, desk) = w.engine.application_mut(now);
    let room = desk.find_room("/ws/a").unwrap();
    let first = w.engine.users_page(room, None, 3);
    assert_eq!((first.items.len(), first.next), (3, Some(3)), "places 0, 2 and 3");
    let second = w.engine.users_page(room, first.next, 3);
    assert_eq!((second.items.len(), second.next), (1, None), "place 5");
}

#[test]
fn round_trips_and_fan_outs_are_measured() {
    let mut w = World::new(App::default(), |c| c.limits.turn_writes = 4);
    let everybody: Vec<_> = (0..10).map(|_| w.open("/ws/a")).collect();
    let fan_outs = w.engine.measures().fan_outs.count();
    let (speaker, wire) = &everybody[0];
    w.send(*speaker, wire, &text("hello"));
    let said = w.now().time;
    let mut turns = 0;
    while w.engine.is_busy() {
        w.turn();
        turns += 1;
        w.engine.end_turn(said + Duration::from_millis(turns));
    }
    let measures = w.engine.measures();
    assert_eq!(measures.fan_outs.count() - fan_outs, 1, "one message, one pass");
    assert!(turns >= 3, "ten members, four writes in a turn");
    assert!(measures.fan_outs.sum_micros() >= 2_000, "it ended with the last member, not the first");
    assert_eq!(measures.turns.count(), turns);

    let pinged = |wire: &world::Wire| out(wire).windows(2).any(|x| x == b"\x89\x00");
    let mut at = w.now().time.as_millis();
    while !pinged(wire) {
        at += 64;
        w.sleep_until(at);
    }
    w.sleep_until(at + 2_000);
    w.send(*speaker, wire, &frame(0x8a, b""));
    w.settle();
    let round_trips = &w.engine.measures().round_trips;
    assert_eq!(round_trips.count(), 1);
    assert!((2_000_000..2_300_000).contains(&round_trips.sum_micros()), "{}", round_trips.sum_micros());
}

#[test]
fn a_lower_limit_of_connections_closes_nobody_and_those_who_come_are_told() {
    let mut w = World::new(App::default(), |_| {});
    let inside: Vec<_> = (0..50).map(|_| w.open("/ws/a")).collect();
    w.reconfigure(|c| c.limits.connections = 10);
    w.settle();
    assert_eq!(w.engine.open(), 50);
    assert!(w.engine.has_room(), "who comes now must get an answer");
    let (_, late) = w.accept();
    w.settle();
    assert!(out(&late).starts_with(b"HTTP/1.1 503 "));
    drop(inside);
}

#[test]
fn a_deadline_that_comes_nearer_is_kept_also_by_those_whom_nobody_waited_for() {
    // Without pings the wheel holds nothing for a quiet connection: it must be armed by the change.
    let mut w = World::new(App::default(), |c| c.heartbeat.ping_interval = Duration::ZERO);
    let (_, a) = w.open("/ws/a");
    w.sleep_until(20_000);
    assert_eq!(w.engine.next_wake(), None);
    w.reconfigure(|c| c.heartbeat.ping_interval = Duration::from_secs(5));
    w.sleep_until(21_000);
    assert!(out(&a).ends_with(b"\x89\x00"), "nobody asked for a sign of life");
}

#[test]
fn a_message_under_way_is_judged_by_the_limits_under_which_it_was_begun() {
    let mut w = World::new(App { echo: true, ..App::default() }, |_| {});
    let (p, a) = w.open("/ws/a");
    let long = frame(0x82, &[7; 1000]);
    w.send(p, &a, &long[..500]);
    w.settle();
    w.reconfigure(|c| c.limits.message = 100);
    // The rest of it, a short one, and again the beginning of a long one: its head is enough to know.
    w.send(p, &a, &[&long[500..], &frame(0x82, &[8; 50]), &long[..20]].concat());
    w.settle();
    assert_eq!(w.engine.application().messages, 2);
    assert_eq!(w.engine.application().closed, [(p, Ending::TooBig { most: 100 })]);
}

#[test]
fn an_administrator_cannot_fill_a_room_beyond_its_limit() {
    let mut w = World::new(App::default(), |c| {
        (c.limits.message, c.limits.unread, c.limits.room_log) = (1024, 1024, 2048);
    });
    let (peer, wire) = w.open("/elsewhere");
    let now = w.now();
    w.engine.application_mut(now).1.move_to(peer, "room");
    let head = b"POST /v1/rooms/room/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n";
    let say = |w: &mut World| {
        let Ok(Parsed::Complete { request, .. }) = parse(head, HeadLimits { bytes: 1024, headers: 8 }) else {
            panic!("not a request");
        };
        let task = admin::judge(&request, &Rules { keys: None, tcp: true }, 1024, 0).unwrap();
        let now = w.now();
        admin::perform(&task, b"hello", &mut w.engine, &Process::default(), now).status().code()
    };
    // All of it in one turn, before anybody can read.
    let said = (0..1000).take_while(|_| say(&mut w) == 200).count();
    assert!((2048 / 40..2048 / 20).contains(&said), "{said} messages of 7 bytes and 24 bytes of bookkeeping");
    w.settle();
    assert_eq!(say(&mut w), 200, "what everybody has makes room");
    w.settle();
    assert_eq!(out(&wire).len(), 7 * (said + 1));
}

/// The fractions of a second of the two clocks that tell the time of day and the uptime have nothing to do with each other.
#[test]
fn the_start_time_is_the_same_whenever_it_is_asked_for() {
    let mut w = World::new(App::default(), |_| {});
    let head = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let Ok(Parsed::Complete { request, .. }) = parse(head, HeadLimits { bytes: 1024, headers: 8 }) else {
        panic!("not a request");
    };
    let task = admin::judge(&request, &Rules { keys: None, tcp: true }, 1024, 0).unwrap();
    let process = Process { started: 1_700_000_000, ..Process::default() };
    for ms in [5300, 5600, 5900] {
        let now = Now { time: Time::from_millis(ms), unix_ms: 1_700_000_000_300 + ms };
        let response = admin::perform(&task, b"", &mut w.engine, &process, now).render();
        let text = String::from_utf8_lossy(&response);
        assert!(text.contains("\nhollerd_start_time_seconds 1700000000\n"), "{ms}: {text}");
    }
}

#[test]
fn what_reads_cost_beyond_their_bytes_ends_a_turn_and_everybody_is_served_in_the_end() {
    let mut w = World::new(App::default(), |_| {});
    let peers: Vec<_> = (0..40).map(|_| w.accept()).collect();
    for (p, wire) in &peers {
        wire.0.borrow_mut().cost = 1 << 20;
        // Nothing comes of half of them, as with a handshake.
        let request = if p.index % 2 == 0 { upgrade("/ws/a", "") } else { Vec::new() };
        w.send(*p, wire, &request);
    }
    let reads = || peers.iter().map(|(_, wire)| wire.0.borrow().reads).collect::<Vec<_>>();
    for turn in 1..=10 {
        assert!(turn == 1 || w.engine.is_busy(), "somebody was forgotten");
        w.turn();
        assert_eq!(reads().iter().sum::<usize>(), 4 * turn, "in turn {turn}: {:?}", reads());
    }
    assert!(!w.engine.is_busy(), "somebody is asked for ever");
    assert_eq!(reads(), [1; 40]);
    assert_eq!(peers.iter().filter(|(_, wire)| out(wire).starts_with(b"HTTP/1.1 101")).count(), 20);
}

#[test]
fn who_has_much_to_say_is_not_the_first_in_every_turn() {
    let mut w = World::new(App::default(), |_| {});
    let peers: Vec<_> = (0..12).map(|_| w.open("/ws/a")).collect();
    for (p, wire) in &peers {
        wire.0.borrow_mut().reads = 0;
        wire.0.borrow_mut().cost = 1 << 20;
        let burst: Vec<u8> = (0..200).flat_map(|_| frame(0x82, &[7; 1900])).collect();
        w.send(*p, wire, &burst);
    }
    for _ in 0..3 {
        w.turn();
    }
    assert!(peers.iter().all(|(_, wire)| wire.0.borrow().reads == 1), "some are heard and others are not");
}
