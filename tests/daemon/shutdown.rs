//! The orderly end of the daemon: everybody is told, whoever reads is waited for, nobody is waited for too long.

use std::io::ErrorKind;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use crate::support::{Client, Daemon, Frame, PATIENCE, Received, close_payload, now, opcode};

/// Everybody is in a batch of their own, with enough time in between for a conversation. The whole time is long enough
/// for all of them, or the batches would be made larger.
const ONE_BY_ONE: &str = "[shutdown]\nbatch = 1\ninterval = \"5s\"\ntimeout = \"2m\"";

/// Reads up to the close frame, which must be a 1001, and the orderly end behind it. Messages may come before.
fn expect_goodbye(client: &mut Client) {
    loop {
        match client.read_frame() {
            Received::Frame(frame) if frame.opcode == opcode::TEXT => {}
            Received::Frame(frame) if frame.opcode == opcode::CLOSE => {
                let (code, reason) = close_payload(&frame.payload).expect("a lawful close").expect("a code");
                assert_eq!((code, reason.as_str()), (1001, "server is shutting down"));
                return client.expect_eof();
            }
            other => panic!("wanted a goodbye, got {other:?}"),
        }
    }
}

/// A test with a thousand clients needs as many descriptors itself.
fn raise_own_file_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to the hard limit everybody may");
}

#[test]
fn an_idle_daemon_ends_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = Daemon::start(&[]);
        let began = now();
        daemon.signal(signal);
        assert_eq!(daemon.wait(PATIENCE).code(), Some(0), "{signal:?}");
        assert!(now() - began < Duration::from_secs(5), "{:?}", now() - began);
        assert!(daemon.stderr().contains("shutting down: 0 connections"), "{}", daemon.stderr());
    }
}

#[test]
fn everybody_is_told_by_either_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = Daemon::start(&[]);
        let mut named = daemon.enter("/ws", "yuan");
        let mut nameless = daemon.open("/ws/dev");
        let mut without_token = Client::open(daemon.address(), "/ws", &[]);
        let mut half = daemon.connect();
        half.send_raw(b"GET /ws HTTP/1.1\r\n");
        let mut mute = daemon.connect();
        // Those who come last are accepted last; when this is answered, all of them are in.
        daemon.enter("/ws", "last").close();
        daemon.signal(signal);
        for client in [&mut named, &mut nameless, &mut without_token] {
            expect_goodbye(client);
        }
        for client in [&mut half, &mut mute] {
            assert!(client.expect_refusal(503).text().contains("shutting down"));
        }
        drop((named, nameless, without_token, half, mute));
        assert_eq!(daemon.wait(PATIENCE).code(), Some(0), "{signal:?}");
    }
}

/// What was said before the end is heard before the end.
#[test]
fn the_last_words_come_before_the_goodbye() {
    let mut daemon = Daemon::without_auth("");
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut feng = daemon.enter("/ws", "feng");
    yuan.text("good night");
    yuan.expect_quiet();
    daemon.terminate();
    feng.expect_text("yuan: good night");
    expect_goodbye(&mut feng);
    expect_goodbye(&mut yuan);
    drop((yuan, feng));
    assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
}

#[test]
fn the_listeners_close_at_once() {
    let mut daemon = Daemon::start(&["--auth", "none", "--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"]);
    let mut client = daemon.enter("/ws", "yuan");
    let addresses = daemon.addresses();
    daemon.terminate();
    expect_goodbye(&mut client);
    for address in addresses {
        let refused = Client::try_connect(address).map(|_| ()).map_err(|error| error.kind());
        assert_eq!(refused, Err(ErrorKind::ConnectionRefused), "{address}");
    }
    drop(client);
    assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
    assert_eq!(daemon.stderr().matches("shutting down: ").count(), 1, "{}", daemon.stderr());
}

/// A thousand clients, some of whom do not read, some in the middle of a request, in several batches.
#[test]
fn a_thousand_clients_are_told_and_the_stuck_ones_do_not_delay_the_end() {
    raise_own_file_limit();
    let config = "[limits]\npending_per_address = 0\nmessages_per_second = 0\nsend_buffer = \"4KiB\"\n\
                  [shutdown]\nbatch = 200\ninterval = \"50ms\"\ntimeout = \"8s\"";
    let mut daemon = Daemon::without_auth(config);
    let mut readers: Vec<Client> = (0..900).map(|_| daemon.open("/ws")).collect();
    let mut halves: Vec<Client> = (0..50).map(|_| daemon.connect()).collect();
    for half in &mut halves {
        half.send_raw(b"GET /ws HTTP/1.1\r\n");
    }
    let mut talker = daemon.enter("/ws/stuck", "talker");
    let mut listener = daemon.enter("/ws/stuck", "listener");
    let stuck: Vec<Client> = (0..48)
        .map(|_| {
            let mut client = Client::connect_with_receive_buffer(daemon.address(), 2048);
            assert_eq!(client.upgrade("/ws/stuck", &[]).status, 101);
            client
        })
        .collect();
    let text = "x".repeat(4000);
    for _ in 0..30 {
        talker.text(&text);
        listener.expect_text(&format!("talker: {text}"));
    }
    let began = now();
    daemon.terminate();
    for client in readers.iter_mut().chain([&mut talker, &mut listener]) {
        expect_goodbye(client);
    }
    for half in &mut halves {
        half.expect_refusal(503);
    }
    assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
    assert!(now() - began < Duration::from_secs(8), "after {:?}", now() - began);
    let log = daemon.stderr();
    assert!(log.contains("shutting down: 1000 connections"), "{log}");
    let told = log.lines().filter(|line| line.contains("closed with 1001: server is shutting down")).count();
    assert_eq!(told, 900 + 2 + stuck.len(), "one line for each");
}

/// The time for all of it is an upper bound, whatever the times for a single connection are.
#[test]
fn the_deadline_holds_against_peers_that_do_not_go() {
    let config = "[limits]\nclose_timeout = \"1h\"\ndiscard_timeout = \"1h\"\n[shutdown]\ntimeout = \"500ms\"";
    let mut daemon = Daemon::without_auth(config);
    let mut staying = daemon.enter("/ws", "yuan");
    daemon.terminate();
    expect_goodbye(&mut staying);
    // It has been told, and keeps its end of the connection open all the same.
    assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
    drop(staying);
}

#[test]
fn a_second_signal_ends_at_once() {
    for second in [Signal::TERM, Signal::INT] {
        let config = "[limits]\nclose_timeout = \"1h\"\ndiscard_timeout = \"1h\"\n[shutdown]\ntimeout = \"1h\"";
        let mut daemon = Daemon::without_auth(config);
        let mut staying = daemon.enter("/ws", "yuan");
        daemon.terminate();
        // Two signals of a kind would be one if the first had not been taken yet.
        expect_goodbye(&mut staying);
        daemon.signal(second);
        let status = daemon.wait(PATIENCE);
        assert!(status.code().is_some(), "the signal itself ended it: {status:?}");
        daemon.await_log("second signal");
        drop(staying);
    }
}

/// A load balancer that keeps a connection for its checks learns it there.
#[test]
fn readiness_is_503_while_draining() {
    for (path, status) in [("/readyz", 503), ("/healthz", 200), ("/", 200)] {
        let mut daemon = Daemon::without_auth(ONE_BY_ONE);
        let mut first = daemon.enter("/ws", "yuan");
        let mut check = daemon.connect();
        // When this one is in and gone again, the one before it has been accepted.
        daemon.enter("/ws", "last").close();
        daemon.terminate();
        expect_goodbye(&mut first);
        let response = check.request("GET", path, &[]);
        assert_eq!(response.status, status, "{path}: {}", response.text());
        if status == 503 {
            assert_eq!(response.text(), "shutting down\n", "this is its goodbye, not an answer");
        }
        drop((first, check));
        assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
    }
}

#[test]
fn who_asks_to_come_in_while_draining_gets_503() {
    let mut daemon = Daemon::without_auth(ONE_BY_ONE);
    let mut first = daemon.enter("/ws", "yuan");
    let mut late = daemon.connect();
    daemon.enter("/ws", "last").close();
    daemon.terminate();
    expect_goodbye(&mut first);
    let response = late.upgrade("/ws", &[]);
    response.verify_refusal(503);
    assert!(response.text().contains("shutting down"), "{}", response.text());
    drop((first, late));
    assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
}

/// Those who are waited for are served: only its own goodbye ends a conversation.
#[test]
fn a_conversation_goes_on_until_its_goodbye() {
    let mut daemon = Daemon::without_auth(ONE_BY_ONE);
    let mut first = daemon.enter("/ws", "first");
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut feng = daemon.enter("/ws", "feng");
    daemon.terminate();
    expect_goodbye(&mut first);
    yuan.send_frame(&Frame::text("still here?"));
    feng.expect_text("yuan: still here?");
    drop((first, yuan, feng));
    assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
}
