//! Peers that do not read. Each is closed with 1013, by bytes or by age, and nobody else notices.

use crate::support::{Client, Daemon, Frame, Meter, Received, close_payload, opcode};

/// Small buffers show a backlog early. The close handshake is long, so that a reader that wakes up finds its close frame.
const SMALL: &str = "[limits]\nmessages_per_second = 0\nsend_buffer = \"4KiB\"\nclose_timeout = \"60s\"\n";

/// A peer that has a name and then reads no more.
fn stalled(daemon: &Daemon, name: &str) -> Client {
    let mut client = Client::connect_with_receive_buffer(daemon.address(), 2048);
    assert_eq!(client.upgrade("/ws", &[]).status, 101);
    client.text(name);
    client.expect_text(&format!("hello {name}"));
    client
}

fn message(n: usize) -> String {
    format!("{n} {}", "x".repeat(4000))
}

/// Says some messages one by one, each when the listener has the one before: nobody is held up.
fn talk(yuan: &mut Client, listener: &mut Client, count: usize) {
    for n in 0..count {
        yuan.text(&message(n));
        listener.expect_text(&format!("yuan: {}", message(n)));
    }
}

/// Reads what a stalled peer can still have: messages without a gap from the first one, then the close frame. Returns how
/// many messages there were, and the reason.
fn read_to_the_close(stalled: &mut Client, code: u16) -> (usize, String) {
    let mut count = 0;
    loop {
        match stalled.read_frame() {
            Received::Frame(frame) if frame.opcode == opcode::TEXT => {
                assert_eq!(frame, Frame::text(format!("yuan: {}", message(count))).unmasked(), "a gap");
                count += 1;
            }
            Received::Frame(frame) if frame.opcode == opcode::CLOSE => {
                let (given, reason) = close_payload(&frame.payload).expect("a lawful close").expect("a code");
                assert_eq!(given, code, "{reason}");
                return (count, reason);
            }
            other => panic!("after {count} messages came {other:?}"),
        }
    }
}

#[test]
fn too_many_unread_bytes_are_closed_with_1013() {
    let daemon = Daemon::without_auth(&format!("{SMALL}unread = \"32KiB\"\nroom_log = \"64KiB\"\nunread_age = \"1h\""));
    let mut listener = daemon.enter("/ws", "listener");
    let mut stalled = stalled(&daemon, "stalled");
    let mut yuan = daemon.enter("/ws", "yuan");
    talk(&mut yuan, &mut listener, 100);
    let (count, reason) = read_to_the_close(&mut stalled, 1013);
    assert!(count < 100, "all were sent, the test proves nothing");
    assert!(reason.contains("more than 32768 bytes unread"), "{reason}");
    stalled.expect_eof();
    let line = daemon.await_ending(stalled.local_address());
    assert!(line.contains("stalled") && line.contains("closed with 1013"), "{line}");
}

#[test]
fn unread_messages_that_are_too_old_are_closed_with_1013() {
    let daemon = Daemon::without_auth(&format!("{SMALL}unread_age = \"300ms\""));
    let mut listener = daemon.enter("/ws", "listener");
    let mut stalled = stalled(&daemon, "stalled");
    let mut yuan = daemon.enter("/ws", "yuan");
    // Far below the limit of bytes, and then not a word more.
    talk(&mut yuan, &mut listener, 25);
    // The name is given back at once, although the last bytes are not sent.
    let mut heir = daemon.open("/ws");
    loop {
        heir.text("stalled");
        match heir.read_text().as_str() {
            "hello stalled" => break,
            other => assert!(other.contains("in use"), "{other}"),
        }
    }
    let (_, reason) = read_to_the_close(&mut stalled, 1013);
    assert!(reason.contains("unread for more than 300ms"), "{reason}");
    stalled.expect_eof();
    listener.expect_quiet();
}

/// A window of zero for good: it is not waited for longer than its grace, and what it held is given back.
#[test]
fn a_peer_that_never_reads_again_is_cut_off() {
    let config =
        "[limits]\nmessages_per_second = 0\nsend_buffer = \"4KiB\"\nunread_age = \"200ms\"\nclose_timeout = \"800ms\"";
    let mut daemon = Daemon::without_auth(config);
    let mut listener = daemon.enter("/ws", "listener");
    let stalled = stalled(&daemon, "stalled");
    let mut yuan = daemon.enter("/ws", "yuan");
    talk(&mut yuan, &mut listener, 50);
    let line = daemon.await_ending(stalled.local_address());
    assert!(line.contains("stalled") && line.contains("closed with 1013: too slow"), "{line}");
    listener.expect_quiet();
    daemon.assert_healthy();
}

/// However many there are: a room's messages are there once, and those who do not read share them.
#[test]
fn many_stalled_readers_cost_one_log() {
    let config = format!("{SMALL}unread = \"1MiB\"\nroom_log = \"2MiB\"\nunread_age = \"1h\"");
    let daemon = Daemon::without_auth(&config);
    let mut listener = daemon.enter("/ws", "listener");
    let mut yuan = daemon.enter("/ws", "yuan");
    let stalled: Vec<Client> = (0..40).map(|n| stalled(&daemon, &format!("stalled {n}"))).collect();
    talk(&mut yuan, &mut listener, 10);
    let before = Meter::of(&daemon).resident_kib();
    talk(&mut yuan, &mut listener, 200);
    let grown = Meter::of(&daemon).resident_kib().saturating_sub(before);
    // 800 KB were said; 40 queues of that would be 32 MB.
    assert!(grown < 4096, "{} stalled readers cost {grown} KiB", stalled.len());
}

/// Hears so many messages without a gap, or fewer and then that it was too slow.
fn hear(listener: &mut Client, count: usize) {
    for n in 0..count {
        match listener.read_frame() {
            Received::Frame(frame) if frame.opcode == opcode::CLOSE => {
                let (code, reason) = close_payload(&frame.payload).expect("a lawful close").expect("a code");
                assert_eq!(code, 1013, "{reason}");
                return listener.expect_eof();
            }
            frame => assert_eq!(frame, Received::Frame(Frame::text(format!("yuan: {}", message(n))).unmasked())),
        }
    }
}

/// A burst far beyond all limits. Whoever keeps up hears all of it, whoever does not hears a beginning without a gap and
/// is told why that is all; and the talker is read only as fast as there is room.
#[test]
fn a_burst_beyond_all_limits_leaves_no_gap_and_no_mountain() {
    const BURST: usize = 2000;
    let daemon = Daemon::without_auth("[limits]\nmessages_per_second = 0\nunread = \"256KiB\"\nroom_log = \"512KiB\"");
    let _stalled = stalled(&daemon, "stalled");
    let listeners = ["a", "b", "c"].map(|name| daemon.enter("/ws", name));
    let mut yuan = daemon.enter("/ws", "yuan");
    let before = Meter::of(&daemon).resident_kib();
    let threads = listeners.map(|mut listener| std::thread::spawn(move || hear(&mut listener, BURST)));
    for n in 0..BURST {
        yuan.text(&message(n));
    }
    yuan.expect_quiet();
    let grown = Meter::of(&daemon).resident_kib().saturating_sub(before);
    for thread in threads {
        thread.join().expect("a listener that heard no gap");
    }
    assert!(grown < 4096, "8 MB in a burst left {grown} KiB behind");
}

/// Wrong names, each of which is answered with an error of its own size; the room hears none of it.
fn wrong_names(count: usize) -> Vec<u8> {
    Frame::text("x".repeat(33)).encode().repeat(count)
}

/// What is only for one peer is bounded in another way: who does not take its answers is not heard until it does. When it
/// reads at last, not one answer is missing.
#[test]
fn who_does_not_take_its_answers_is_not_heard_meanwhile() {
    const COUNT: usize = 20_000;
    let daemon = Daemon::without_auth(&format!("{SMALL}outbox = \"16KiB\"\nunread_age = \"1h\""));
    let mut bystander = daemon.enter("/ws", "bystander");
    let mut clumsy = Client::connect_with_receive_buffer(daemon.address(), 2048);
    assert_eq!(clumsy.upgrade("/ws", &[]).status, 101);
    let before = Meter::of(&daemon).resident_kib();
    for _ in 0..COUNT / 1000 {
        clumsy.send_raw(&wrong_names(1000));
        bystander.expect_quiet();
    }
    let grown = Meter::of(&daemon).resident_kib().saturating_sub(before);
    assert!(grown < 1024, "{COUNT} unread answers cost {grown} KiB");
    for _ in 0..COUNT {
        assert!(clumsy.read_text().starts_with("error: a name has at most 32 characters"));
    }
    clumsy.expect_quiet();
    bystander.expect_quiet();
}

#[test]
fn answers_that_wait_too_long_are_closed_with_1013() {
    let config = format!("{SMALL}unread_age = \"300ms\"\n[heartbeat]\nping_interval = \"600ms\"");
    let daemon = Daemon::without_auth(&config);
    let mut bystander = daemon.enter("/ws", "bystander");
    let mut clumsy = Client::connect_with_receive_buffer(daemon.address(), 2048);
    assert_eq!(clumsy.upgrade("/ws", &[]).status, 101);
    clumsy.send_raw(&wrong_names(5000));
    bystander.expect_quiet();
    // The bystander's ping says that the time is over; then the clumsy one finds what it can still have.
    assert!(matches!(bystander.read_frame(), Received::Frame(frame) if frame.opcode == opcode::PING));
    let mut errors = 0;
    let (code, reason) = loop {
        match clumsy.read_frame() {
            Received::Frame(frame) if frame.opcode == opcode::TEXT => errors += 1,
            Received::Frame(frame) if frame.opcode == opcode::CLOSE => {
                break close_payload(&frame.payload).expect("a lawful close").expect("a code");
            }
            other => panic!("after {errors} errors came {other:?}"),
        }
    };
    assert_eq!(code, 1013, "{reason}");
    assert!(reason.contains("unread for more than 300ms"), "{reason}");
}
