//! TLS: certificates of both sides, both versions, handshakes that go wrong, and ends that are told. What is said over it is
//! no different from what is said without, so that is tested elsewhere.

use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use rustls::ClientConfig;
use rustls::version::{TLS12, TLS13};

use crate::support::tls::{self, Authority, Certified};
use crate::support::{Client, Daemon, Frame, Meter, Received, TempFile, now};

/// A daemon with a certificate for localhost, and what a client needs to believe it.
fn start(more: &str) -> (Daemon, Authority) {
    let authority = Authority::new();
    let own = authority.certify("localhost");
    (start_with(&own, more), authority)
}

fn start_with(own: &Certified, more: &str) -> Daemon {
    let config = format!("{}{more}", own.settings());
    Daemon::start_with(&config, &[], &["--auth", "none", "--listen", "tls://127.0.0.1:0", "--listen", "127.0.0.1:0"])
}

fn enter(daemon: &Daemon, config: &Arc<ClientConfig>, name: &str) -> Client {
    let mut client = tls::connect(daemon.address(), config);
    assert_eq!(client.upgrade("/ws", &[]).status, 101);
    client.text(name);
    client.expect_text(&format!("hello {name}"));
    client
}

/// Connects and says so little that only the handshake can go wrong; returns what the server made of it.
fn ending(daemon: &Daemon, config: &Arc<ClientConfig>) -> String {
    let mut client = tls::connect(daemon.address(), config);
    let address = client.local_address();
    let _ = client.try_send_raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(!matches!(client.read_frame(), Received::Timeout));
    daemon.await_ending(address)
}

#[test]
fn both_versions_lead_to_the_same_room_and_every_end_is_told() {
    let (daemon, authority) = start("");
    assert!(daemon.stdout().contains(&format!("'wss://{}/ws'", daemon.address())), "{}", daemon.stdout());
    for version in [&TLS12, &TLS13] {
        let config = authority.trust(version, None);
        let mut yuan = enter(&daemon, &config, "yuan");
        let session = yuan.wire().session().unwrap();
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(session.protocol_version(), Some(version.version));
        let plain = daemon.addresses()[1];
        let mut feng = Client::open(plain, "/ws", &[("Origin", &format!("http://{plain}"))]);
        feng.text("feng");
        feng.expect_text("hello feng");
        feng.text(&"x".repeat(16_000));
        yuan.expect_text(&format!("feng: {}", "x".repeat(16_000)));
        yuan.text(&"y".repeat(16_000));
        feng.expect_text(&format!("yuan: {}", "y".repeat(16_000)));
        // Without close_notify behind the close frame, the end would be an error here.
        yuan.close();
        feng.close();
    }
}

#[test]
fn a_page_of_the_host_itself_may_connect() {
    let (daemon, authority) = start("");
    let config = authority.trust(&TLS13, None);
    for (origin, status) in [("https://localhost", 101), ("https://elsewhere.example", 403)] {
        let mut client = tls::connect(daemon.address(), &config);
        assert_eq!(client.upgrade("/ws", &[("Origin", origin)]).status, status, "{origin}");
    }
}

#[test]
fn certificates_of_clients_are_asked_for_as_configured() {
    let (authority, strangers) = (Authority::new(), Authority::new());
    let own = authority.certify("localhost");
    let (member, stranger) = (authority.certify("yuan"), strangers.certify("yuan"));
    let ca = authority.file();
    for version in [&TLS12, &TLS13] {
        for (mode, without, of_stranger) in
            [("none", true, true), ("optional", true, false), ("required", false, false)]
        {
            let daemon = start_with(&own, &format!("client_ca = \"{}\"\nclient_auth = \"{mode}\"\n", ca.name()));
            enter(&daemon, &authority.trust(version, Some(&member)), "yuan").close();
            for (config, good) in [(None, without), (Some(&stranger), of_stranger)] {
                let config = authority.trust(version, config);
                if good {
                    enter(&daemon, &config, "alex").close();
                } else {
                    let line = ending(&daemon, &config);
                    assert!(line.contains("[INFO]") && line.contains("TLS handshake failed: "), "{mode}: {line}");
                }
            }
        }
    }
}

#[test]
fn files_that_are_no_good_are_named() {
    let authority = Authority::new();
    let (own, other) = (authority.certify("localhost"), authority.certify("localhost"));
    let text = TempFile::new("pem", "no PEM at all\n");
    let table = [
        ("no/such/file", own.key.name(), "no/such/file: "),
        (text.name(), own.key.name(), ": holds no certificate in PEM"),
        (own.certificate.name(), own.certificate.name(), ": holds no private key in PEM"),
        (own.certificate.name(), other.key.name(), ": does not go with "),
    ];
    for (certificate, key, text) in table {
        let config = format!("[tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n");
        for args in [&["check"][..], &["--listen", "tls://127.0.0.1:0"]] {
            let failed = Daemon::run(&config, &[], args);
            assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""), "{failed:?}");
            let named = failed.stderr.contains(certificate) || failed.stderr.contains(key);
            assert!(named && failed.stderr.contains(text) && failed.stderr.lines().count() == 1, "{failed:?}");
        }
    }
    let failed = Daemon::run("listen = [\"tls://127.0.0.1:0\"]\n", &[], &["check"]);
    assert!(failed.stderr.contains("[tls] certificate and key are both needed"), "{failed:?}");
}

/// Each of these is answered in a way that its sender understands, and is one line in the log.
#[test]
fn who_speaks_no_tls_is_told() {
    let (mut daemon, _) = start("");
    let mut client = daemon.connect();
    let response = client.request("GET", "/ws", &[]);
    assert_eq!(response.status, 400);
    assert!(response.text().contains("use https:// or wss://"), "{response:?}");
    client.expect_eof();
    let line = daemon.await_ending(client.local_address());
    assert!(line.contains("plain HTTP on a port for TLS"), "{line}");
    let mut client = daemon.connect();
    client.send_raw(&[0; 300]);
    assert!(client.has_bytes_within(Duration::from_secs(10)), "there was no alert");
    let line = daemon.await_ending(client.local_address());
    assert!(line.contains("TLS handshake failed: this is not TLS"), "{line}");
    daemon.assert_healthy();
}

#[test]
fn a_handshake_has_to_be_done_in_time() {
    let (daemon, _) = start("[limits]\nadmit_timeout = \"300ms\"\n");
    let mute = daemon.connect();
    let mut half = daemon.connect();
    // The beginning of a record that never ends.
    half.send_raw(&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]);
    for client in [mute, half] {
        let line = daemon.await_ending(client.local_address());
        assert!(line.contains("no whole TLS handshake within 300ms"), "{line}");
    }
}

/// A line in between that hands on single bytes, in both directions.
#[test]
fn a_connection_that_trickles_is_still_a_connection() {
    let (daemon, authority) = start("");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (near, server) = (listener.local_addr().unwrap(), daemon.address());
    let outside = TcpStream::connect(near).unwrap();
    let (inside, _) = listener.accept().unwrap();
    let far = TcpStream::connect(server).unwrap();
    far.set_nodelay(true).unwrap();
    inside.set_nodelay(true).unwrap();
    let trickle = |mut from: TcpStream, mut to: TcpStream| {
        std::thread::spawn(move || {
            let mut byte = [0];
            while std::io::Read::read(&mut from, &mut byte).is_ok_and(|read| read > 0) {
                if std::io::Write::write_all(&mut to, &byte).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Write);
        })
    };
    trickle(inside.try_clone().unwrap(), far.try_clone().unwrap());
    trickle(far, inside);
    let mut client = tls::over(outside, &authority.trust(&TLS13, None));
    assert_eq!(client.upgrade("/ws", &[]).status, 101);
    client.text("yuan");
    client.expect_text("hello yuan");
    client.close();
}

/// Somebody over TLS who does not read is closed with 1013 like anybody else, and the others hear everything.
#[test]
fn a_slow_reader_is_closed_and_the_others_are_fine() {
    let (daemon, authority) = start("[limits]\nunread = \"64KiB\"\nsend_buffer = \"4KiB\"\nmessages_per_second = 0\n");
    let config = authority.trust(&TLS13, None);
    let slow = enter(&daemon, &config, "slow");
    let mut reader = enter(&daemon, &config, "reader");
    let mut talker = enter(&daemon, &config, "talker");
    let text = "x".repeat(8000);
    let deadline = now() + Duration::from_secs(20);
    let closed = format!("slow ({}) closed with 1013", slow.local_address());
    let mut said = 0;
    while !daemon.stderr().contains(&closed) {
        assert!(now() < deadline, "{said} messages and nobody is closed");
        talker.text(&text);
        reader.expect_text(&format!("talker: {text}"));
        said += 1;
    }
    talker.expect_quiet();
    talker.close();
    reader.close();
}

#[test]
fn a_peer_that_ends_tls_and_keeps_the_socket_is_gone() {
    let (daemon, authority) = start("[log]\nlevel = \"debug\"\n");
    for version in [&TLS12, &TLS13] {
        let mut client = enter(&daemon, &authority.trust(version, None), "yuan");
        // The message and the end come in one piece, and nothing comes behind.
        client.text("bye");
        client.half_close();
        let line = daemon.await_ending(client.local_address());
        assert!(line.contains("went away without a close frame"), "{line}");
        client.expect_eof();
    }
}

#[test]
fn whoever_comes_when_the_server_is_full_is_told_over_tls() {
    let (daemon, authority) = start("[limits]\nconnections = 2\n");
    let config = authority.trust(&TLS13, None);
    let members = ["yuan", "feng"].map(|name| enter(&daemon, &config, name));
    let mut late = tls::connect(daemon.address(), &config);
    late.upgrade("/ws", &[]).verify_refusal(503);
    late.expect_eof();
    drop(members);
}

#[test]
fn a_restart_is_told_to_everybody_with_close_frame_and_close_notify() {
    let (daemon, authority) = start("");
    let config = authority.trust(&TLS13, None);
    let mut clients: Vec<Client> = (0..20).map(|number| enter(&daemon, &config, &format!("n{number}"))).collect();
    daemon.terminate();
    for client in &mut clients {
        client.expect_close(1001);
    }
}

/// Garbage behind a good handshake ends one connection, with a line.
#[test]
fn garbage_behind_the_handshake_ends_one_connection() {
    let (mut daemon, authority) = start("");
    let stream = TcpStream::connect(daemon.address()).unwrap();
    let config = authority.trust(&TLS13, None);
    let mut client = tls::over(stream.try_clone().unwrap(), &config);
    assert_eq!(client.upgrade("/ws", &[]).status, 101);
    let mut other = enter(&daemon, &config, "other");
    std::io::Write::write_all(
        &mut &stream,
        &[23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0],
    )
    .unwrap();
    let line = daemon.await_ending(client.local_address());
    assert!(line.contains("TLS failed: "), "{line}");
    other.send_frame(&Frame::ping("alive"));
    other.expect_frame(&Frame::pong("alive").unmasked());
    daemon.assert_healthy();
}

#[test]
#[ignore = "needs curl and openssl"]
fn clients_that_others_wrote_get_in() {
    let (daemon, authority) = start("");
    let (ca, port) = (authority.file(), daemon.address().port());
    for version in ["1.2", "1.3"] {
        let url = format!("https://localhost:{port}/healthz");
        let args = ["-sS", "--cacert", ca.name(), "--tls-max", version, "--tlsv1.2", &url];
        let answer = Command::new("curl").args(args).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&answer.stdout), "ok\n", "{answer:?}");
    }
    let address = format!("127.0.0.1:{port}");
    let args = ["s_client", "-connect", &address, "-CAfile", ca.name(), "-alpn", "http/1.1", "-verify_return_error"];
    let answer = Command::new("openssl").args(args).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&answer.stdout);
    assert!(said.contains("ALPN protocol: http/1.1") && said.contains("TLSv1.3"), "{said}");
}

/// A certificate is replaced while people are connected: whoever comes then sees the new one, whoever is there stays.
#[test]
fn a_new_certificate_is_for_those_who_come() {
    let (before, after) = (Authority::new(), Authority::new());
    let (old, new) = (before.certify("localhost"), after.certify("localhost"));
    let (daemon, config) = (start_with(&old, ""), before.trust(&TLS13, None));
    let mut yuan = enter(&daemon, &config, "yuan");
    std::fs::copy(new.certificate.path(), old.certificate.path()).unwrap();
    // A certificate without its key is half a change: nothing is changed at all.
    daemon.signal(Signal::HUP);
    daemon.await_log("nothing was reloaded");
    assert!(daemon.stderr().contains(&format!("{}: does not go with", old.certificate.name())), "{}", daemon.stderr());
    enter(&daemon, &config, "alex").close();
    std::fs::copy(new.key.path(), old.key.path()).unwrap();
    daemon.signal(Signal::HUP);
    daemon.await_log("] reloaded: ");
    let mut feng = enter(&daemon, &after.trust(&TLS13, None), "feng");
    feng.text("still there?");
    yuan.expect_text("feng: still there?");
    yuan.close();
    feng.close();
    assert!(!matches!(tls::connect(daemon.address(), &config).try_send_raw(b"x"), Ok(())), "the old one is believed");
}

/// Whoever has heard and said a lot and is silent now costs a session and no buffers.
#[test]
fn an_idle_connection_keeps_no_buffers() {
    let (daemon, authority) = start("[limits]\nmessages_per_second = 0\npending_per_address = 0\n");
    let config = authority.trust(&TLS13, None);
    let settle = |clients: &mut Vec<Client>| {
        let (talker, others) = clients.split_last_mut().expect("somebody");
        for _ in 0..4 {
            talker.text(&"x".repeat(16_000));
            for client in &mut *others {
                client.read_text();
            }
        }
        clients.iter_mut().for_each(Client::expect_quiet);
        Meter::of(&daemon).private_kib()
    };
    let mut clients: Vec<Client> = (0..50).map(|number| enter(&daemon, &config, &format!("n{number}"))).collect();
    let before = settle(&mut clients);
    clients.extend((50..350).map(|number| enter(&daemon, &config, &format!("n{number}"))));
    let each = (settle(&mut clients) - before) * 1024 / 300;
    // It is about 4 KiB; one buffer for a record would be 16.
    assert!(each < 6 * 1024, "{each} bytes for an idle connection");
}

/// The header of a proxy comes before TLS, also where nobody is let in.
#[test]
fn a_proxy_that_passes_tls_on_names_the_client_first() {
    let (daemon, authority) =
        start("[proxy]\ntrusted = [\"127.0.0.1\"]\nprotocol = true\n[limits]\nconnections_per_address = 1\n");
    let config = authority.trust(&TLS13, None);
    let from = |client: &str| {
        let mut stream = TcpStream::connect(daemon.address()).unwrap();
        std::io::Write::write_all(&mut stream, format!("PROXY TCP4 {client} 10.0.0.1 4711 443\r\n").as_bytes())
            .unwrap();
        tls::over(stream, &config)
    };
    let mut yuan = from("192.0.2.7");
    assert_eq!(yuan.upgrade("/ws", &[]).status, 101);
    yuan.text("yuan");
    yuan.expect_text("hello yuan");
    let mut second = from("192.0.2.7");
    second.upgrade("/ws", &[]).verify_refusal(429);
    second.expect_eof();
    yuan.close();
    daemon.await_log("yuan (192.0.2.7:4711) left with 1000");
}

#[test]
#[ignore = "needs websocat"]
fn websocat_speaks_wss() {
    let (daemon, authority) = start("");
    let ca = authority.file();
    let url = format!("wss://localhost:{}/ws", daemon.address().port());
    let mut websocat = Command::new("websocat")
        .args(["-t", "-1", "-n", &url])
        .env("SSL_CERT_FILE", ca.name())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(websocat.stdin.as_mut().unwrap(), b"yuan\n").unwrap();
    let answer = websocat.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&answer.stdout).trim_end(), "hello yuan", "{answer:?}");
}

/// The listener that goes at the next start serves on with what it has, and the log does not say otherwise.
#[test]
fn a_certificate_goes_with_its_listener_at_the_next_start() {
    let authority = Authority::new();
    let own = authority.certify("localhost");
    let file = TempFile::new("toml", format!("listen = [\"tls://127.0.0.1:0\"]\n{}", own.settings()));
    let daemon = Daemon::start(&["--auth", "none", "-c", file.name()]);
    std::fs::write(file.path(), "listen = [\"127.0.0.1:0\"]\n").expect("our own file");
    daemon.signal(Signal::HUP);
    daemon.await_log("need a restart: listen, [tls] certificate, [tls] key");
    assert!(!daemon.stderr().contains("these settings have changed: "), "{}", daemon.stderr());
    enter(&daemon, &authority.trust(&TLS13, None), "yuan").close();
}
