//! Running out of file descriptors while the daemon runs, and that many comings and goings leave nothing behind.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::support::{Client, Daemon, Frame, Meter, PATIENCE, Received, now, opcode};

/// Limits the descriptors of a running daemon; those that are open stay open.
fn limit_descriptors(daemon: &Daemon, limit: Option<u64>) {
    let process = Pid::from_raw(i32::try_from(daemon.id()).expect("a process number"));
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = limit.or(maximum);
    prlimit(process, Resource::Nofile, Rlimit { current, maximum }).expect("our own child can be limited");
}

/// The number that the next descriptor would get. With this as the limit there is no next one. (Some above it may be open:
/// whoever started the tests may have left them.)
fn next_descriptor(daemon: &Daemon) -> u64 {
    let open = Meter::of(daemon).descriptors();
    (0..).find(|number| !open.contains(number)).expect("a number that is free")
}

/// Answers this many pings and returns which share of the time the daemon's processor was busy meanwhile.
fn busy_share(daemon: &Daemon, witness: &mut Client, pings: u32) -> f64 {
    let (began, before) = (now(), Meter::of(daemon).processor_time());
    for _ in 0..pings {
        match witness.read_frame() {
            Received::Frame(frame) if frame.opcode == opcode::PING => witness.send_frame(&Frame::pong(frame.payload)),
            other => panic!("wanted a ping, got {other:?}"),
        }
    }
    let busy = Meter::of(daemon).processor_time() - before;
    busy.as_secs_f64() / (now() - began).as_secs_f64()
}

const PINGS: &str = "[heartbeat]\nping_interval = \"100ms\"\npong_timeout = \"2s\"\n";

/// New clients are told so, old ones are served, the processor idles; and when there are descriptors again, it is over.
#[test]
fn without_descriptors_new_clients_get_503_and_old_ones_are_served() {
    let mut daemon = Daemon::without_auth(PINGS);
    let mut witness = daemon.enter("/ws", "witness");
    limit_descriptors(&daemon, Some(next_descriptor(&daemon)));
    for _ in 0..4 {
        let mut client = Client::connect(daemon.address());
        client.send_raw(b"GET /ws HTTP/1.1\r\nHost: chat.example\r\n\r\n");
        let response = client.read_http_response();
        response.verify_refusal(503);
        assert!(response.text().contains("file descriptors"), "{}", response.text());
    }
    daemon.await_log("out of file descriptors");
    // Somebody waits all the time, so that there is a reason to spin.
    let waiting: Vec<Client> = (0..8).map(|_| daemon.connect()).collect();
    let share = busy_share(&daemon, &mut witness, 10);
    assert!(share < 0.25, "the daemon spins: {:.0} % of a processor", 100.0 * share);
    limit_descriptors(&daemon, None);
    daemon.enter("/ws", "yuan").close();
    drop(waiting);
    daemon.assert_healthy();
}

/// The same when not even the descriptor that is kept for the answer can be had.
#[test]
fn without_any_descriptor_new_clients_wait_and_nothing_spins() {
    let mut daemon = Daemon::without_auth(PINGS);
    let mut witness = daemon.enter("/ws", "witness");
    limit_descriptors(&daemon, Some(3));
    let mut waiting = daemon.connect();
    daemon.await_log("out of file descriptors");
    let share = busy_share(&daemon, &mut witness, 10);
    assert!(share < 0.25, "the daemon spins: {:.0} % of a processor", 100.0 * share);
    limit_descriptors(&daemon, None);
    assert_eq!(waiting.upgrade("/ws", &[]).status, 101, "who waited was forgotten");
    daemon.assert_healthy();
}

/// Who leaves makes room for one who waits, at once and not only after a pause.
#[test]
fn a_descriptor_that_is_given_back_is_used() {
    let mut daemon = Daemon::without_auth("");
    let mut leaving: Vec<Client> = (0..3).map(|n| daemon.enter("/ws", &format!("leaving {n}"))).collect();
    limit_descriptors(&daemon, Some(next_descriptor(&daemon)));
    let mut arrived = Vec::new();
    while let Some(client) = leaving.pop() {
        client.close();
        arrived.push(daemon.enter_when_free("/ws", &format!("arrived {}", arrived.len())));
    }
    daemon.assert_healthy();
}

#[test]
fn two_thousand_connections_leave_nothing_behind() {
    come_and_go(2_000, 512);
}

#[test]
#[ignore = "takes about a minute"]
fn a_hundred_thousand_connections_leave_nothing_behind() {
    come_and_go(100_000, 512);
}

/// Half of them warm the daemon up; the other half must not add more than `growth_max_kib` to its memory.
fn come_and_go(count: u32, growth_max_kib: u64) {
    let mut daemon = Daemon::start_with("[log]\nlevel = \"off\"", &[], &["--auth", "none"]);
    let meter = Meter::of(&daemon);
    let idle = meter.descriptors().len();
    for n in 0..count / 2 {
        visit(&daemon, n);
    }
    let plateau = meter.resident_kib();
    for n in count / 2..count {
        visit(&daemon, n);
    }
    let grown = meter.resident_kib().saturating_sub(plateau);
    assert!(grown <= growth_max_kib, "{count} visits: {grown} KiB more than the {plateau} KiB after half of them");
    // The last ones may still be on their way out.
    let deadline = now() + PATIENCE;
    while meter.descriptors().len() > idle {
        assert!(now() < deadline, "{} descriptors instead of {idle}", meter.descriptors().len());
        std::thread::yield_now();
    }
    daemon.assert_healthy();
}

/// One short visit, of one of several kinds. Addresses differ, because each has only so many ports in a minute.
fn visit(daemon: &Daemon, n: u32) {
    let host = u8::try_from(1 + n % 200).expect("a part of an address");
    let mut client = Client::connect_from(daemon.address(), IpAddr::V4(Ipv4Addr::new(127, 0, 1, host)));
    client.set_patience(Duration::from_secs(20));
    if n.is_multiple_of(7) {
        return client.reset();
    }
    if n % 7 == 1 {
        client.request("GET", "/nowhere", &[]).verify_refusal(404);
        return;
    }
    assert_eq!(client.upgrade(&format!("/ws/room-{}", n % 50), &[]).status, 101);
    client.text("yuan");
    match client.read_text().as_str() {
        "hello yuan" => {}
        // The one before has not been missed yet.
        other => assert!(other.contains("in use"), "{other}"),
    }
    match n % 7 {
        2 => client.reset(),
        3 => drop(client),
        4 => client.send_raw(&Frame::text("never finished").encode()[..5]),
        _ => client.close(),
    }
}
