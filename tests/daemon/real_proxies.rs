//! Behind real proxies, with the configurations of `dist/proxy` as they stand there but for ports and paths.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;

use crate::support::{Client, Daemon, Frame, PATIENCE, Process, Received, TempFile, free_address, now, opcode};

/// A file of `dist/proxy`, changed in these places, each of which must be there.
fn configuration(name: &str, changes: &[(&str, &str)]) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("dist/proxy").join(name);
    let text = std::fs::read_to_string(path).expect("the configuration");
    changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{name} has no {from:?}");
        text.replace(from, to)
    })
}

/// Waits until somebody listens there.
fn await_listener(proxy: &Process, address: SocketAddr) {
    let deadline = now() + PATIENCE;
    while Client::try_connect(address).is_err() {
        assert!(now() < deadline, "nobody listens on {address}:\n{}\n{}", proxy.stdout(), proxy.stderr());
        std::thread::yield_now();
    }
}

/// Two chat through the proxy, one of them from an address of its own, which is what the log shows and limits count.
fn try_out(daemon: &Daemon, proxy: SocketAddr) {
    let enter = |own: &str, name: &str| {
        let mut client = Client::connect_from(proxy, own.parse().unwrap());
        assert_eq!(client.upgrade("/ws", &[("X-Forwarded-For", "203.0.113.7")]).status, 101);
        client.text(name);
        client.expect_text(&format!("hello {name}"));
        client
    };
    let mut yuan = enter("127.0.0.5", "yuan");
    let mut feng = enter("127.0.0.6", "feng");
    yuan.text("good morning");
    expect_text(&mut feng, "yuan: good morning");
    // No third one from there, whatever it claims.
    let mut second = Client::connect_from(proxy, "127.0.0.5".parse().unwrap());
    let response = second.upgrade("/ws", &[("X-Forwarded-For", "203.0.113.8")]);
    assert_eq!((response.status, response.text().contains("from your address")), (429, true), "{response:?}");
    // Silent but for the pongs, for longer than the proxy would wait without them: 35 pings in more than 3 s.
    for _ in 0..35 {
        answer_ping(&mut yuan);
        answer_ping(&mut feng);
    }
    yuan.text("still here");
    expect_text(&mut feng, "yuan: still here");
    yuan.send_frame(&Frame::close(1000, ""));
    let line = daemon.await_log("yuan (127.0.0.5");
    assert!(line.contains("left with 1000"), "{line}");
    assert!(!daemon.stderr().contains("203.0.113."), "{}", daemon.stderr());
}

fn answer_ping(client: &mut Client) {
    match client.read_frame() {
        Received::Frame(frame) if frame.opcode == opcode::PING => client.send_frame(&Frame::pong(frame.payload)),
        other => panic!("wanted a ping, got {other:?}"),
    }
}

fn expect_text(client: &mut Client, text: &str) {
    loop {
        match client.read_frame() {
            Received::Frame(frame) if frame.opcode == opcode::PING => client.send_frame(&Frame::pong(frame.payload)),
            Received::Frame(frame) => return assert_eq!(frame, Frame::text(text).unmasked()),
            other => panic!("wanted {text:?}, got {other:?}"),
        }
    }
}

/// hollerd on a free port, or where `listen` says, with a ping every 120 ms or so.
fn daemon(proxy: &str, listen: &str) -> Daemon {
    let common = "[heartbeat]\nping_interval = \"120ms\"\n[limits]\nconnections_per_address = 1\n";
    Daemon::without_auth(&format!("{listen}\n{common}[proxy]\n{proxy}"))
}

const TRUST: &str = "trusted = [\"127.0.0.1\"]";

fn nginx(upstream: (&str, &str), try_with: impl Fn(SocketAddr)) {
    let address = free_address(Ipv4Addr::LOCALHOST.into());
    let listen = format!("listen {address};");
    let server = configuration("nginx.conf", &[("listen 80;", &listen), ("75s", "3s"), upstream]);
    let scratch = env!("CARGO_TARGET_TMPDIR");
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {scratch}/nginx-{kind};\n"))
        .concat();
    let main = format!(
        "daemon off; master_process off; pid {scratch}/nginx-{}.pid; error_log stderr;\n\
         events {{ }}\nhttp {{\naccess_log off;\n{temporary}{server}\n}}\n",
        address.port()
    );
    let file = TempFile::new("nginx.conf", main);
    let proxy = Process::spawn(Command::new("nginx").args(["-e", "stderr", "-c", file.name()]));
    await_listener(&proxy, address);
    try_with(address);
}

#[test]
#[ignore = "needs nginx"]
fn behind_nginx() {
    let daemon = daemon(TRUST, "");
    let server = format!("server {};", daemon.address());
    nginx(("server 127.0.0.1:8080;", &server), |address| try_out(&daemon, address));
}

#[test]
#[ignore = "needs nginx"]
fn behind_nginx_over_a_unix_socket() {
    let path = format!("{}/nginx-{:016x}.sock", env!("CARGO_TARGET_TMPDIR"), fastrand::u64(..));
    let daemon = daemon("trusted = [\"unix\"]", &format!("listen = [\"unix:{path}\"]"));
    let server = format!("server unix:{path};");
    nginx(("server 127.0.0.1:8080;", &server), |address| try_out(&daemon, address));
}

fn haproxy(daemon: &Daemon, server: &str) {
    let address = free_address(Ipv4Addr::LOCALHOST.into());
    let bind = format!("bind {address}");
    let server = server.replace("127.0.0.1:8080", &daemon.address().to_string());
    let config = configuration(
        "haproxy.cfg",
        &[("bind :80", &bind), ("75s", "3s"), ("    server hollerd 127.0.0.1:8080\n", &server)],
    );
    let file = TempFile::new("haproxy.cfg", config);
    let proxy = Process::spawn(Command::new("haproxy").args(["-db", "-f", file.name()]));
    await_listener(&proxy, address);
    try_out(daemon, address);
}

#[test]
#[ignore = "needs haproxy"]
fn behind_haproxy() {
    haproxy(&daemon(TRUST, ""), "    server hollerd 127.0.0.1:8080\n");
}

#[test]
#[ignore = "needs haproxy"]
fn behind_haproxy_by_the_proxy_protocol() {
    let by_protocol = configuration("haproxy.cfg", &[]);
    let line = by_protocol.lines().find_map(|line| line.trim_start().strip_prefix("#server")).expect("the other way");
    haproxy(&daemon(&format!("{TRUST}\nprotocol = true"), ""), &format!("    server{line}\n"));
}

#[test]
#[ignore = "needs caddy"]
fn behind_caddy() {
    let daemon = daemon(TRUST, "");
    let address = free_address(Ipv4Addr::LOCALHOST.into());
    let (site, server) = (format!("http://{address}"), daemon.address().to_string());
    let config =
        configuration("Caddyfile", &[("chat.example.org {", &format!("{site} {{")), ("127.0.0.1:8080", &server)]);
    // Its own administration listens on a fixed port, so it is turned off.
    let file = TempFile::new("Caddyfile", format!("{{\n\tadmin off\n}}\n{config}"));
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config", file.name()]);
    for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        command.env(variable, env!("CARGO_TARGET_TMPDIR"));
    }
    let proxy = Process::spawn(&mut command);
    await_listener(&proxy, address);
    try_out(&daemon, address);
}
