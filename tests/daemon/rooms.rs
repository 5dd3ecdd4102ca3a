//! Paths to rooms, and the walls between them.

use crate::support::Daemon;

#[test]
fn rooms_do_not_hear_each_other() {
    let daemon = Daemon::without_auth("");
    let [mut lobby, mut dev, mut ops] =
        [("/ws", "a"), ("/ws/dev", "b"), ("/ws/ops", "c")].map(|(path, name)| daemon.enter(path, name));
    let mut beside = daemon.enter("/ws/dev", "d");
    dev.text("in here");
    beside.expect_text("b: in here");
    lobby.expect_quiet();
    ops.expect_quiet();
    dev.expect_quiet();
}

#[test]
fn no_room_is_the_lobby() {
    let daemon = Daemon::without_auth("");
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut others = [("/ws/lobby", "a"), ("/ws?room=dev", "b"), ("/ws/lobby?x=..", "c")]
        .map(|(path, name)| daemon.enter(path, name));
    yuan.text("hello");
    for other in &mut others {
        other.expect_text("yuan: hello");
    }
}

#[test]
fn the_room_of_those_who_name_none_can_be_configured() {
    let daemon = Daemon::without_auth("[chat]\ndefault_room = \"hall\"");
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut hall = daemon.enter("/ws/hall", "a");
    let mut lobby = daemon.enter("/ws/lobby", "b");
    yuan.text("hello");
    hall.expect_text("yuan: hello");
    lobby.expect_quiet();
}

#[test]
fn room_names_have_an_alphabet_and_a_length() {
    let daemon = Daemon::without_auth("");
    let longest = format!("/ws/{}", "x".repeat(64));
    for path in ["/ws/a", "/ws/A.b_c-9", "/ws/-", "/ws/_", "/ws/a..b", &longest] {
        daemon.enter(path, "yuan").close();
    }
    let too_long = format!("/ws/{}", "x".repeat(65));
    let far_too_long = format!("/ws/{}", "x".repeat(300));
    let bad = [
        "/ws/",
        "/ws/..",
        "/ws/.",
        "/ws/../lobby",
        "/ws/.hidden",
        "/ws/a/b",
        "/ws/a/../b",
        "/ws//",
        "/ws/a%2fb",
        "/ws/%2e%2e",
        "/ws/a%00",
        "/ws/a*",
        "/ws/a,b",
        "/ws/a:b",
        "/ws/a~b",
        &too_long,
        &far_too_long,
    ];
    for path in bad {
        let mut client = daemon.connect();
        client.upgrade(path, &[]).verify_refusal(400);
        client.expect_eof();
        // The same rule without an upgrade.
        let mut client = daemon.connect();
        client.request("GET", path, &[]).verify_refusal(400);
    }
}

#[test]
fn other_paths_lead_nowhere() {
    let daemon = Daemon::without_auth("");
    for path in ["/other", "/wss", "/ws2", "/WS", "/w", "//ws", "/healthz/ws", "/chat.js/x", "/../ws", "/%77s"] {
        let mut client = daemon.connect();
        let response = client.upgrade(path, &[]);
        response.verify_refusal(404);
        client.expect_eof();
        let mut client = daemon.connect();
        client.request("GET", path, &[]).verify_refusal(404);
    }
}
