//! A client that somebody else wrote, used as the README and the printed lines say.

use std::process::Command;

use crate::support::{Daemon, Frame, PATIENCE, Process, Received};

/// Starts what the daemon printed for pasting, exactly as it stands there.
fn paste(daemon: &Daemon) -> Process {
    let printed = daemon.stdout();
    let line = printed.lines().find_map(|line| line.trim_start().strip_prefix("try ")).expect("a line to paste");
    Process::spawn_with_input(Command::new("sh").args(["-c", &format!("exec {}", line.trim())]))
}

fn expect_line(process: &Process, line: &str) {
    let found = process.await_stdout(PATIENCE, |text| text.lines().any(|one| one == line).then_some(()));
    assert!(found.is_some(), "wanted {line:?}, got:\n{}\n{}", process.stdout(), process.stderr());
}

#[test]
#[ignore = "needs websocat"]
fn two_people_chat_with_websocat() {
    for daemon in [Daemon::start(&[]), Daemon::without_auth("")] {
        let [mut yuan, mut feng] = [paste(&daemon), paste(&daemon)];
        yuan.type_line("yuan");
        expect_line(&yuan, "hello yuan");
        feng.type_line("yuan");
        expect_line(&feng, "error: name \"yuan\" is in use, send another");
        feng.type_line("feng");
        expect_line(&feng, "hello feng");
        yuan.type_line("good morning");
        expect_line(&feng, "yuan: good morning");
        feng.type_line("good morning to you");
        expect_line(&yuan, "feng: good morning to you");
        assert_eq!(yuan.stdout(), "hello yuan\nfeng: good morning to you\n", "own words came back");
    }
}

/// Without a token in the request the token is simply the first line.
#[test]
#[ignore = "needs websocat"]
fn a_token_can_be_typed_into_websocat() {
    let daemon = Daemon::start(&[]);
    let mut client = Process::spawn_with_input(Command::new("websocat").arg(format!("ws://{}/ws", daemon.address())));
    client.type_line(&daemon.token().expect("a printed token"));
    expect_line(&client, "ok");
    client.type_line("yuan");
    expect_line(&client, "hello yuan");
}

/// It answers pings by itself, so it stays; and it answers the goodbye, so nobody waits for it.
#[test]
#[ignore = "needs websocat"]
fn websocat_stays_through_pings_and_lets_the_server_go() {
    let mut daemon = Daemon::without_auth("[heartbeat]\nping_interval = \"50ms\"\npong_timeout = \"200ms\"");
    let mut feng = daemon.enter("/ws", "feng");
    let mut yuan = paste(&daemon);
    yuan.type_line("yuan");
    expect_line(&yuan, "hello yuan");
    // Far longer than a peer lasts that does not answer.
    for _ in 0..20 {
        match feng.read_frame() {
            Received::Frame(frame) => feng.send_frame(&Frame::pong(frame.payload)),
            other => panic!("{other:?}"),
        }
    }
    feng.text("still there?");
    expect_line(&yuan, "feng: still there?");
    daemon.terminate();
    drop(feng);
    assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
}
