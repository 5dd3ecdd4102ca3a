//! Frames against the rules (RFC 6455 section 5) and their close codes, floods of lawful frames, and the ways in which a
//! TCP connection can end. Case by case the protocol is in `tests/conformance`; here it is the chat that must not care.

use std::time::Duration;

use crate::support::{Client, Daemon, Frame, Meter, Received, close_payload, opcode};

/// A frame header as it is on the wire, with this length in the eight-byte form, and no payload behind it.
fn header_of_length(length: u64) -> Vec<u8> {
    [&[0x81, 0xff], length.to_be_bytes().as_slice(), &[1, 2, 3, 4]].concat()
}

/// Sends each row from a peer of its own and wants it closed with the code; somebody else never notices.
fn expect_closes(config: &str, rows: &[(&str, Vec<u8>, u16)]) {
    let mut daemon = Daemon::without_auth(config);
    let mut bystander = daemon.enter("/ws", "bystander");
    for (what, bytes, code) in rows {
        let mut client = daemon.enter("/ws", "yuan");
        client.send_raw(bytes);
        match client.read_frame() {
            Received::Frame(frame) if frame.opcode == opcode::CLOSE => {
                let closed = close_payload(&frame.payload).expect("a lawful close frame");
                assert!(closed.as_ref().is_some_and(|(given, _)| given == code), "{what}: {closed:?}, wanted {code}");
            }
            other => panic!("{what}: {other:?}, wanted close {code}"),
        }
        client.expect_eof();
        let address = client.local_address();
        drop(client);
        let line = daemon.await_ending(address);
        assert!(line.contains(&code.to_string()), "{what}: {line}");
        // The name is free again, or the next row could not take it; and nothing of this was said to anybody.
        bystander.expect_quiet();
    }
    daemon.assert_healthy();
}

#[test]
fn frames_against_the_rules_are_answered_with_1002() {
    let mut rows = vec![
        ("unmasked", Frame::text("hello").unmasked().encode(), 1002),
        ("a ping in fragments", Frame::ping("a").unfinished().encode(), 1002),
        ("a close in fragments", Frame::close(1000, "").unfinished().encode(), 1002),
        ("a ping of 126 bytes", Frame::ping([b'x'; 126]).encode(), 1002),
        ("a pong of 126 bytes", Frame::pong([b'x'; 126]).encode(), 1002),
        ("a close of 126 bytes", Frame::close(1000, [b'x'; 124]).encode(), 1002),
        ("a continuation of nothing", Frame::continuation("x").encode(), 1002),
        (
            "a message inside a message",
            [Frame::text("a").unfinished().encode(), Frame::text("b").encode()].concat(),
            1002,
        ),
        ("a length of 2^63", header_of_length(1 << 63), 1002),
    ];
    for rsv in 1..=7 {
        rows.push(("reserved bits", Frame::text("hello").with_rsv(rsv).encode(), 1002));
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        rows.push(("a reserved opcode", Frame::new(opcode, "x").encode(), 1002));
    }
    expect_closes("", &rows);
}

#[test]
fn close_frames_against_the_rules_are_answered_with_1002_or_1007() {
    let rows = [
        ("one byte", Frame::new(opcode::CLOSE, [3]).encode(), 1002),
        ("code 0", Frame::close(0, "").encode(), 1002),
        ("code 999", Frame::close(999, "").encode(), 1002),
        ("code 1004", Frame::close(1004, "").encode(), 1002),
        ("code 1005", Frame::close(1005, "").encode(), 1002),
        ("code 1006", Frame::close(1006, "").encode(), 1002),
        ("code 1015", Frame::close(1015, "").encode(), 1002),
        ("a reason that is not UTF-8", Frame::close(1000, b"\xff\xfe").encode(), 1007),
    ];
    expect_closes("", &rows);
}

#[test]
fn text_that_is_not_utf8_is_answered_with_1007() {
    let broken_in_two = |first: &[u8], second: &[u8]| {
        [Frame::text(first).unfinished().encode(), Frame::continuation(second).encode()].concat()
    };
    let rows = [
        ("a stray byte", Frame::text(b"\xff").encode(), 1007),
        ("an overlong slash", Frame::text(b"\xc0\xaf").encode(), 1007),
        ("half a surrogate pair", Frame::text(b"\xed\xa0\x80").encode(), 1007),
        ("half a character at the end", Frame::text(b"gr\xc3").encode(), 1007),
        ("broken between two fragments", broken_in_two(b"gr\xc3", b"x"), 1007),
        ("half a character in the last fragment", broken_in_two(b"gr", b"\xc3"), 1007),
        // Nobody has to wait for the rest of a message that cannot become text any more.
        ("a first fragment without its last", Frame::text(b"\xff").unfinished().encode(), 1007),
    ];
    expect_closes("", &rows);
}

#[test]
fn messages_over_the_limit_are_answered_with_1009() {
    let most = 16 * 1024;
    let in_fragments: Vec<u8> =
        Frame::fragments(opcode::TEXT, &vec![b'x'; most + 1], 1024).iter().flat_map(Frame::encode).collect();
    let rows = [
        ("one byte more", Frame::text(vec![b'x'; most + 1]).encode(), 1009),
        ("only the header of it", header_of_length(most as u64 + 1), 1009),
        ("in fragments", in_fragments, 1009),
        ("2^31 bytes", header_of_length(1 << 31), 1009),
        ("2^32 bytes", header_of_length(1 << 32), 1009),
        ("2^63 - 1 bytes", header_of_length((1 << 63) - 1), 1009),
    ];
    expect_closes("", &rows);
}

/// A header is a promise that costs its sender nothing, so it must not make us set memory aside.
#[test]
fn announced_lengths_cost_no_memory() {
    let daemon = Daemon::without_auth("[limits]\nmessage = \"64MiB\"\nunread = \"64MiB\"\nroom_log = \"128MiB\"");
    let before = Meter::of(&daemon).resident_kib();
    let clients: Vec<Client> = (0..20)
        .map(|_| {
            let mut client = daemon.open("/ws");
            client.send_raw(&header_of_length(60 << 20));
            client.send_raw(&[b'x'; 100]);
            client
        })
        .collect();
    // Somebody who comes later is served later, so all headers have been read.
    daemon.enter("/ws", "yuan").close();
    let grown = Meter::of(&daemon).resident_kib().saturating_sub(before);
    assert!(grown < 16 * 1024, "{} headers cost {grown} KiB", clients.len());
}

#[test]
fn characters_may_be_split_over_fragments() {
    let daemon = Daemon::without_auth("");
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut feng = daemon.enter("/ws", "feng");
    for frame in Frame::fragments(opcode::TEXT, "grüße, 元! 🦀".as_bytes(), 1) {
        yuan.send_frame(&frame);
    }
    feng.expect_text("yuan: grüße, 元! 🦀");
}

#[test]
fn the_longest_message_that_is_allowed_arrives() {
    let daemon = Daemon::without_auth("");
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut feng = daemon.enter("/ws", "feng");
    let text = "x".repeat(16 * 1024);
    yuan.text(&text);
    feng.expect_text(&format!("yuan: {text}"));
}

#[test]
fn close_frames_are_answered_with_their_own_code() {
    let daemon = Daemon::without_auth("");
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 3000, 3999, 4000, 4999] {
        let mut client = daemon.enter("/ws", "yuan");
        client.send_frame(&Frame::close(code, "bye"));
        client.expect_close(code);
    }
    let mut client = daemon.enter("/ws", "yuan");
    client.send_frame(&Frame::new(opcode::CLOSE, []));
    client.expect_frame(&Frame::new(opcode::CLOSE, []).unmasked());
    client.expect_eof();
}

/// What is said after a close frame is not said any more (section 5.5.1).
#[test]
fn nothing_counts_after_a_close_frame() {
    let daemon = Daemon::without_auth("");
    let mut feng = daemon.enter("/ws", "feng");
    let mut yuan = daemon.enter("/ws", "yuan");
    yuan.send_raw(
        &[Frame::text("last words").encode(), Frame::close(1000, "").encode(), Frame::text("ps").encode()].concat(),
    );
    yuan.expect_close(1000);
    feng.expect_text("yuan: last words");
    feng.expect_quiet();
}

#[test]
fn empty_continuation_frames_are_counted() {
    let daemon = Daemon::without_auth("");
    let mut feng = daemon.enter("/ws", "feng");
    let mut flooder = daemon.enter("/ws", "flooder");
    let flood: Vec<u8> = std::iter::once(Frame::text("").unfinished())
        .chain(std::iter::repeat_n(Frame::continuation("").unfinished(), 20_000))
        .flat_map(|frame| frame.encode())
        .collect();
    // The daemon hangs up in the middle of this.
    let _cut_short = flooder.try_send_raw(&flood);
    let address = flooder.local_address();
    drop(flooder);
    let line = daemon.await_ending(address);
    assert!(line.contains("closed with 1008: too many fragments: 64"), "{line}");
    feng.expect_quiet();
}

#[test]
fn fragments_of_one_byte_are_counted() {
    let daemon = Daemon::without_auth("");
    let mut feng = daemon.enter("/ws", "feng");
    let mut flooder = daemon.enter("/ws", "flooder");
    let fragments = |count: usize| -> Vec<u8> {
        Frame::fragments(opcode::TEXT, &vec![b'x'; count], 1).iter().flat_map(Frame::encode).collect()
    };
    flooder.send_raw(&fragments(64));
    feng.expect_text(&format!("flooder: {}", "x".repeat(64)));
    flooder.send_raw(&fragments(65));
    assert!(flooder.expect_close(1008).contains("64 per message"));
    feng.expect_quiet();
}

/// Pongs are not kept in store: the newest takes the place of those that were not sent (section 5.5.3).
#[test]
fn a_flood_of_pings_from_a_peer_that_does_not_read_costs_nothing() {
    let mut daemon = Daemon::without_auth("[limits]\nsend_buffer = \"4KiB\"");
    let mut feng = daemon.enter("/ws", "feng");
    let mut flooder = Client::connect_with_receive_buffer(daemon.address(), 2048);
    assert_eq!(flooder.upgrade("/ws", &[]).status, 101);
    let before = Meter::of(&daemon).resident_kib();
    let pings = Frame::ping([b'x'; 125]).encode().repeat(1000);
    for round in 0..20 {
        flooder.send_raw(&pings);
        feng.send_frame(&Frame::ping(format!("round {round}")));
        feng.expect_frame(&Frame::pong(format!("round {round}")).unmasked());
    }
    let grown = Meter::of(&daemon).resident_kib().saturating_sub(before);
    assert!(grown < 1024, "2.6 MB of pings cost {grown} KiB");
    // When it reads at last, it finds whole pongs and, as the last of them, the one that it waits for.
    flooder.send_frame(&Frame::ping("the last"));
    let mut pongs = 0;
    loop {
        match flooder.read_frame() {
            Received::Frame(frame) if frame.opcode == opcode::PONG => {
                pongs += 1;
                if frame.payload == b"the last" {
                    break;
                }
            }
            other => panic!("after {pongs} pongs came {other:?}"),
        }
    }
    assert!(pongs < 20_001, "all {pongs} pongs were kept");
    daemon.assert_healthy();
}

#[test]
fn a_message_has_to_be_finished_in_time() {
    let daemon = Daemon::without_auth("[limits]\nmessage_timeout = \"200ms\"");
    let mut by_frame = daemon.enter("/ws", "yuan");
    let mut by_fragment = daemon.enter("/ws", "feng");
    by_frame.send_raw(&Frame::text("hello").encode()[..8]);
    by_fragment.send_frame(&Frame::text("hel").unfinished());
    // A ping between two fragments is lawful, and does not move the deadline.
    by_fragment.send_frame(&Frame::ping("a"));
    by_fragment.expect_frame(&Frame::pong("a").unmasked());
    for client in [&mut by_frame, &mut by_fragment] {
        assert!(client.expect_close(1008).contains("not finished within 200ms"));
    }
}

/// Whoever ends its half of the connection still gets the answers to what it said before.
#[test]
fn a_half_closed_connection_gets_its_replies() {
    let daemon = Daemon::without_auth("");
    let mut feng = daemon.enter("/ws", "feng");
    let mut yuan = daemon.open("/ws");
    let last_words = ["yuan", "good morning"].map(|text| Frame::text(text).encode());
    yuan.send_raw(&[last_words.concat(), Frame::ping("and?").encode()].concat());
    yuan.half_close();
    let mut received = vec![yuan.read_frame(), yuan.read_frame()];
    // A pong may overtake a greeting; both have to come.
    received.sort_by_key(|received| !matches!(received, Received::Frame(frame) if frame.opcode == opcode::TEXT));
    let expected = [Frame::text("hello yuan"), Frame::pong("and?")].map(|frame| Received::Frame(frame.unmasked()));
    assert_eq!(received, expected);
    yuan.expect_eof();
    feng.expect_text("yuan: good morning");
    feng.expect_quiet();
}

#[test]
fn a_reset_in_the_middle_of_a_frame_concerns_nobody_else() {
    let mut daemon = Daemon::start_with("[log]\nlevel = \"debug\"", &[], &["--auth", "none"]);
    let mut feng = daemon.enter("/ws", "feng");
    for cut in [1, 3, 6, 9] {
        let mut yuan = daemon.enter("/ws", "yuan");
        let address = yuan.local_address();
        yuan.send_raw(&Frame::text("never to be finished").encode()[..cut]);
        yuan.reset();
        let line = daemon.await_ending(address);
        assert!(line.contains("connection reset"), "{line}");
    }
    feng.expect_quiet();
    daemon.assert_healthy();
}

#[test]
fn a_connection_without_any_word_is_no_burden() {
    let mut daemon = Daemon::start_with("[log]\nlevel = \"debug\"", &[], &["--auth", "none"]);
    let client = daemon.connect();
    let address = client.local_address();
    drop(client);
    daemon.await_ending(address);
    let client = daemon.connect();
    let address = client.local_address();
    client.reset();
    daemon.await_ending(address);
    let mut last = daemon.enter("/ws", "yuan");
    last.set_patience(Duration::from_secs(5));
    last.close();
    daemon.assert_healthy();
}
