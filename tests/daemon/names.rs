//! The first text message is a name. One that cannot be had is said so, the connection stays, and nothing is lost.

use crate::support::{Daemon, Frame};

#[test]
fn the_first_message_is_a_name_and_is_greeted() {
    let daemon = Daemon::without_auth("");
    for (sent, name) in [("yuan", "yuan"), ("  feng \t", "feng"), ("李 明", "李 明"), ("a: b", "a: b"), ("🦀", "🦀")]
    {
        let mut client = daemon.open("/ws");
        client.text(sent);
        client.expect_text(&format!("hello {name}"));
    }
}

#[test]
fn a_name_in_use_gets_another_try() {
    let daemon = Daemon::without_auth("");
    let mut first = daemon.enter("/ws", "yuan");
    let mut second = daemon.open("/ws");
    for taken in ["yuan", " yuan "] {
        second.text(taken);
        second.expect_text("error: name \"yuan\" is in use, send another");
    }
    // It hears the room all the while.
    first.text("who is there?");
    second.expect_text("yuan: who is there?");
    second.text("feng");
    second.expect_text("hello feng");
    second.text("me");
    first.expect_text("feng: me");
}

#[test]
fn names_that_cannot_be_had_get_another_try() {
    let daemon = Daemon::without_auth("");
    let mut witness = daemon.enter("/ws", "witness");
    let mut client = daemon.open("/ws");
    let rows = [
        ("", "empty"),
        ("   ", "empty"),
        ("\r\n", "empty"),
        ("a\u{7}b", "control characters"),
        ("a\nb", "control characters"),
        ("a\0", "control characters"),
        ("a\u{9f}b", "control characters"),
    ];
    let long = ["x".repeat(33), "元".repeat(33)];
    let too_long = long.iter().map(|name| (name.as_str(), "yours has 33"));
    for (name, hint) in rows.into_iter().chain(too_long) {
        client.text(name);
        let reply = client.read_text();
        assert!(reply.starts_with("error: ") && reply.contains(hint), "{name:?}: {reply:?}");
        assert!(!reply.contains(char::is_control), "{name:?} is repeated as it is: {reply:?}");
    }
    let longest = "元".repeat(32);
    client.text(&longest);
    client.expect_text(&format!("hello {longest}"));
    witness.expect_quiet();
}

#[test]
fn name_and_message_may_come_in_one_segment() {
    let daemon = Daemon::without_auth("");
    let mut feng = daemon.enter("/ws", "feng");
    let mut yuan = daemon.open("/ws");
    let words: Vec<u8> = ["yuan", "one", "two"].into_iter().flat_map(|text| Frame::text(text).encode()).collect();
    yuan.send_raw(&words);
    yuan.expect_text("hello yuan");
    feng.expect_text("yuan: one");
    feng.expect_text("yuan: two");
    yuan.expect_quiet();
}

#[test]
fn a_name_is_free_again_when_its_bearer_is_gone() {
    let daemon = Daemon::without_auth("");
    for _ in 0..3 {
        // No waiting: with the answer to its close frame the server has forgotten it.
        daemon.enter("/ws", "yuan").close();
    }
}

#[test]
fn names_are_compared_exactly_and_room_by_room() {
    let daemon = Daemon::without_auth("");
    let _clients = ["yuan", "Yuan", "yuan2", "yu an"].map(|name| daemon.enter("/ws", name));
    let _elsewhere = daemon.enter("/ws/dev", "yuan");
}

#[test]
fn a_name_has_to_come_in_time() {
    let daemon = Daemon::without_auth("[chat]\nname_timeout = \"300ms\"");
    let mut named = daemon.enter("/ws", "yuan");
    let mut silent = daemon.open("/ws");
    let mut clumsy = daemon.open("/ws");
    clumsy.text("");
    assert!(clumsy.read_text().starts_with("error: "));
    assert!(silent.expect_close(4408).contains("no name within 300ms"));
    clumsy.expect_close(4408);
    // Whoever has a name has all the time in the world.
    named.expect_quiet();
}
