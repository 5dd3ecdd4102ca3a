//! Behind a proxy: who is taken for the client, by the limits and in the log.

use crate::support::{Client, Daemon, Frame, Received, Response};

fn knock(daemon: &Daemon, headers: &[(&str, &str)]) -> Response {
    daemon.connect().upgrade("/ws", headers)
}

#[test]
fn the_log_shows_the_client_and_limits_count_it() {
    let config = "[proxy]\ntrusted = [\"127.0.0.1\"]\n[limits]\nconnections_per_address = 1";
    let daemon = Daemon::without_auth(config);
    let from = |address| [("X-Forwarded-For", address)];
    let mut client = daemon.connect();
    assert_eq!(client.upgrade("/ws", &from("203.0.113.7")).status, 101);
    client.text("yuan");
    client.expect_text("hello yuan");
    knock(&daemon, &from("203.0.113.7")).verify_refusal(429);
    daemon.await_log("203.0.113.7 answered 429: too many connections from your address");
    assert_eq!(knock(&daemon, &from("203.0.113.8")).status, 101);
    client.send_frame(&Frame::close(1000, ""));
    daemon.await_log("yuan (203.0.113.7) left with 1000");
}

#[test]
fn the_other_header_has_to_be_asked_for() {
    let config = "[proxy]\ntrusted = [\"127.0.0.0/8\", \"::1\"]\nheader = \"forwarded\"";
    let daemon = Daemon::without_auth(config);
    let both = [("Forwarded", "for=\"[2001:db8::7]:4711\";proto=https"), ("X-Forwarded-For", "203.0.113.7")];
    drop(knock(&daemon, &both));
    let mut client = daemon.connect();
    client.upgrade("/ws", &both);
    client.close();
    daemon.await_log("[2001:db8::7]:4711 left with 1000");
    assert!(!daemon.stderr().contains("203.0.113.7"), "{}", daemon.stderr());
}

#[test]
fn without_trust_a_header_says_nothing() {
    let daemon = Daemon::without_auth("");
    let mut client = daemon.connect();
    client.upgrade("/ws", &[("X-Forwarded-For", "203.0.113.7"), ("Forwarded", "for=203.0.113.7")]);
    let own = client.local_address();
    client.close();
    daemon.await_ending(own);
    assert!(!daemon.stderr().contains("203.0.113.7"), "{}", daemon.stderr());
}

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header of version 2 for 203.0.113.9:4711.
fn version_2() -> Vec<u8> {
    [SIGNATURE, &[0x21, 0x11, 0, 12, 203, 0, 113, 9, 127, 0, 0, 1, 0x12, 0x67, 0, 80]].concat()
}

fn with_protocol(more: &str) -> Daemon {
    Daemon::without_auth(&format!("[proxy]\ntrusted = [\"127.0.0.1\"]\nprotocol = true\n{more}"))
}

#[test]
fn a_proxy_header_says_whose_connection_it_is() {
    let daemon = with_protocol("[limits]\nconnections_per_address = 1");
    let headers = [b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 80\r\n".to_vec(), version_2()];
    let mut clients: Vec<Client> = Vec::new();
    for (name, header) in ["yuan", "feng"].iter().zip(&headers) {
        let mut client = daemon.connect();
        client.try_send_chopped(header, 5).unwrap();
        // The client is known, so a header of the request says nothing any more.
        assert_eq!(client.upgrade("/ws", &[("X-Forwarded-For", "203.0.113.77")]).status, 101);
        client.text(name);
        client.expect_text(&format!("hello {name}"));
        clients.push(client);
    }
    clients[0].text("through a proxy");
    clients[1].expect_text("yuan: through a proxy");
    // The second one from the same address is refused before it says anything.
    let mut second = daemon.connect();
    second.send_raw(&headers[0]);
    second.expect_refusal(429);
    daemon.await_log("203.0.113.7:4711 answered 429: too many connections from your address");
    clients.remove(1).close();
    daemon.await_log("feng (203.0.113.9:4711) left with 1000");
}

#[test]
fn a_proxy_that_speaks_for_itself_or_for_another_proxy() {
    let daemon = with_protocol("");
    for header in [&b"PROXY UNKNOWN\r\n"[..], &[SIGNATURE, &[0x20, 0, 0, 0]].concat()] {
        let mut client = daemon.connect();
        let own = client.local_address();
        client.send_raw(header);
        // Nobody has vouched for this: such a proxy hands on what the client says.
        let _ = client.upgrade("/ws", &[("X-Forwarded-For", "203.0.113.8")]);
        client.close();
        daemon.await_ending(own);
    }
    assert!(!daemon.stderr().contains("203.0.113.8"), "{}", daemon.stderr());
    // 127.0.0.1 is trusted itself, so what the request says counts.
    let mut client = daemon.connect();
    client.send_raw(b"PROXY TCP4 127.0.0.1 127.0.0.1 4711 80\r\n");
    let _ = client.upgrade("/ws", &[("X-Forwarded-For", "203.0.113.7")]);
    client.close();
    daemon.await_log("203.0.113.7 left with 1000");
}

#[test]
fn without_a_header_from_a_proxy_the_connection_ends() {
    let daemon = with_protocol("");
    for (bytes, why) in [
        (&b"GET /healthz HTTP/1.1\r\n\r\n"[..], "no PROXY protocol header, although proxy.protocol asks for one"),
        (b"PROXY TCP4 nonsense\r\n", "the PROXY line is malformed"),
    ] {
        let mut client = daemon.connect();
        let own = client.local_address();
        client.send_raw(bytes);
        assert!(matches!(client.read_frame(), Received::Eof | Received::Reset));
        let line = daemon.await_ending(own);
        assert!(line.contains(why), "{line}");
    }
}

/// Who is not trusted is a client, and what it sends is what a client sends.
#[test]
fn others_come_without_a_header() {
    let daemon = with_protocol("");
    let own = "127.0.0.2".parse().unwrap();
    let mut client = Client::connect_from(daemon.address(), own);
    assert_eq!(client.upgrade("/ws", &[]).status, 101);
    let mut liar = Client::connect_from(daemon.address(), own);
    liar.send_raw(b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 80\r\nGET / HTTP/1.1\r\n\r\n");
    liar.expect_refusal(400);
    assert!(!daemon.stderr().contains("203.0.113.7"));
}

#[test]
fn a_proxy_that_says_nothing_is_not_waited_for_longer_than_others() {
    let daemon = with_protocol("[limits]\nadmit_timeout = \"200ms\"");
    let mut silent = daemon.connect();
    silent.send_raw(b"PROXY TCP4 ");
    silent.expect_refusal(408);
}
