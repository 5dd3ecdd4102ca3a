//! Who hears what, and in which order.

use std::thread;

use crate::support::{Client, Daemon, Frame, opcode};

/// Here everybody may talk as fast as they can.
const FAST: &str = "[limits]\nmessages_per_second = 0\n";

#[test]
fn what_one_says_the_others_hear() {
    let daemon = Daemon::without_auth("");
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut others = ["a", "b", "c"].map(|name| daemon.enter("/ws", name));
    yuan.text("good morning");
    for other in &mut others {
        other.expect_text("yuan: good morning");
        other.expect_quiet();
    }
    // Its own words never come back.
    yuan.expect_quiet();
    others[1].text("");
    yuan.expect_text("b: ");
}

/// One message is one frame: a segment full of messages does not come out glued together.
#[test]
fn messages_stay_apart() {
    let daemon = Daemon::without_auth(FAST);
    let mut feng = daemon.enter("/ws", "feng");
    let mut yuan = daemon.enter("/ws", "yuan");
    let all: Vec<u8> = (0..500).flat_map(|n| Frame::text(format!("message\n{n}")).encode()).collect();
    yuan.send_raw(&all);
    for n in 0..500 {
        feng.expect_text(&format!("yuan: message\n{n}"));
    }
    feng.expect_quiet();
}

#[test]
fn who_comes_later_hears_what_is_said_later() {
    let daemon = Daemon::without_auth("");
    let mut yuan = daemon.enter("/ws", "yuan");
    yuan.text("to nobody");
    yuan.expect_quiet();
    let mut feng = daemon.enter("/ws", "feng");
    feng.expect_quiet();
    yuan.text("to feng");
    feng.expect_text("yuan: to feng");
}

/// Everybody talks at once. Whatever order comes of that, it is the same for all, and each sender's own order is kept.
#[test]
fn there_is_one_order_for_everybody() {
    const EACH: usize = 200;
    let daemon = Daemon::without_auth(FAST);
    let mut listeners = ["x", "y"].map(|name| daemon.enter("/ws", name));
    let senders = ["a", "b", "c", "d"].map(|name| (name, daemon.enter("/ws", name)));
    let threads = senders.map(|(name, mut client)| {
        thread::spawn(move || {
            for n in 0..EACH {
                client.text(&format!("{n}"));
            }
            (name, read_texts(&mut client, 3 * EACH))
        })
    });
    let order = read_texts(&mut listeners[0], 4 * EACH);
    assert_eq!(read_texts(&mut listeners[1], 4 * EACH), order);
    for thread in threads {
        let (name, heard) = thread.join().expect("a sender whose reads succeed");
        let own = format!("{name}: ");
        let (said, by_others): (Vec<String>, Vec<String>) =
            order.iter().cloned().partition(|text| text.starts_with(&own));
        assert_eq!(heard, by_others, "{name} heard another order");
        assert_eq!(said, (0..EACH).map(|n| format!("{own}{n}")).collect::<Vec<_>>(), "{name} was taken out of order");
    }
}

/// Greetings, errors and what others say come in the order in which they happened.
#[test]
fn private_and_shared_messages_keep_their_order() {
    let daemon = Daemon::without_auth(FAST);
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut feng = daemon.open("/ws");
    for round in 0..20 {
        yuan.text(&format!("{round}"));
        yuan.expect_quiet();
        feng.text("yuan");
        feng.expect_text(&format!("yuan: {round}"));
        feng.expect_text("error: name \"yuan\" is in use, send another");
    }
}

#[test]
fn binary_messages_are_refused_in_a_chat() {
    let daemon = Daemon::without_auth("");
    let mut feng = daemon.enter("/ws", "feng");
    let mut named = daemon.enter("/ws", "yuan");
    let mut nameless = daemon.open("/ws");
    for client in [&mut named, &mut nameless] {
        client.send_frame(&Frame::binary(b"\0\xff"));
        assert!(client.expect_close(1003).contains("text"));
    }
    feng.expect_quiet();
}

#[test]
fn binary_messages_are_relayed_unchanged_where_that_is_configured() {
    let daemon = Daemon::without_auth("[chat]\nbinary = \"relay\"");
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut feng = daemon.enter("/ws", "feng");
    let mut elsewhere = daemon.enter("/ws/dev", "a");
    for payload in [b"".as_slice(), b"\0\xff\xfe", &[7; 16 * 1024]] {
        yuan.send_frame(&Frame::binary(payload));
        feng.expect_frame(&Frame::binary(payload).unmasked());
    }
    for frame in Frame::fragments(opcode::BINARY, b"in four pieces!!", 4) {
        yuan.send_frame(&frame);
    }
    feng.expect_frame(&Frame::binary("in four pieces!!").unmasked());
    yuan.expect_quiet();
    elsewhere.expect_quiet();
    let mut nameless = daemon.open("/ws");
    nameless.send_frame(&Frame::binary("too early"));
    nameless.expect_text("error: send your name first, as text");
    feng.expect_quiet();
}

fn read_texts(client: &mut Client, count: usize) -> Vec<String> {
    (0..count).map(|_| client.read_text()).collect()
}
