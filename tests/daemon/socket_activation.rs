//! Sockets that somebody else has opened. The parent is a shell: it gets the listening sockets of the test as its standard
//! input and output, moves them to where `sd_listen_fds(3)` wants them, and becomes the daemon.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use rustls::version::TLS13;

use crate::support::tls::{self, Authority};
use crate::support::{Client, PATIENCE, Process, TempFile, free_address};

const BECOME: &str = "exec 3<&0 4<&1 </dev/null >&2; LISTEN_PID=${PID:-$$} exec \"$0\" \"$@\"";

/// A daemon that inherits these sockets, and says everything on its standard error.
fn start(sockets: Vec<OwnedFd>, names: &str, env: &[(&str, &str)]) -> Process {
    start_with(sockets, names, env, &[])
}

fn start_with(sockets: Vec<OwnedFd>, names: &str, env: &[(&str, &str)], args: &[&str]) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", BECOME, env!("CARGO_BIN_EXE_hollerd"), "--auth", "none", "--listen", "127.0.0.9:1"]);
    command
        .args(args)
        .env("LISTEN_FDS", sockets.len().to_string())
        .env("LISTEN_FDNAMES", names)
        .envs(env.iter().copied());
    let mut sockets = sockets.into_iter().map(Stdio::from);
    let (first, second) = (sockets.next(), sockets.next());
    Process::spawn_with_streams(&mut command, first.unwrap_or_else(Stdio::null), second)
}

fn await_listening(daemon: &Process, count: usize) {
    let listening = |text: &str| (text.matches(" listening on ").count() == count).then_some(());
    daemon.await_stderr(PATIENCE, listening).unwrap_or_else(|| panic!("it does not listen: {}", daemon.stderr()));
}

fn await_line(daemon: &Process, needle: &str) -> String {
    let line = |text: &str| text.lines().find(|line| line.contains(needle)).map(str::to_owned);
    daemon.await_stderr(PATIENCE, line).unwrap_or_else(|| panic!("no line with {needle:?}: {}", daemon.stderr()))
}

fn listener(address: &str) -> (TcpListener, SocketAddr) {
    let socket = TcpListener::bind(address).expect("a free port");
    let address = socket.local_addr().expect("an address");
    (socket, address)
}

fn enter(address: SocketAddr, name: &str) -> Client {
    let mut client = Client::open(address, "/ws", &[]);
    client.text(name);
    client.expect_text(&format!("hello {name}"));
    client
}

#[test]
fn several_sockets_are_served_instead_of_those_of_the_configuration() {
    let (four, at_four) = listener("127.0.0.1:0");
    let (six, at_six) = listener("[::1]:0");
    let mut daemon = start(vec![four.into(), six.into()], "web:web6", &[]);
    await_listening(&daemon, 2);
    let mut yuan = enter(at_four, "yuan");
    let mut feng = enter(at_six, "feng");
    feng.text("from the other one");
    yuan.expect_text("feng: from the other one");
    assert!(!daemon.stderr().contains("127.0.0.9"), "{}", daemon.stderr());
    daemon.assert_healthy();
}

#[test]
fn a_unix_socket_and_its_file_stay_when_the_daemon_goes() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("in-{:016x}.sock", fastrand::u64(..)));
    let socket = UnixListener::bind(&path).expect("a socket in the target directory");
    let mut daemon = start(vec![socket.into()], "", &[]);
    await_listening(&daemon, 1);
    let mut yuan = Client::connect_unix(&path);
    assert_eq!(yuan.upgrade("/ws", &[]).status, 101);
    daemon.signal(Signal::TERM);
    yuan.expect_close(1012);
    drop(yuan);
    assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
    assert!(path.exists(), "the file is not ours to remove");
    fs::remove_file(path).expect("a file to remove");
}

/// The parent keeps the socket: whoever comes between two processes waits in the kernel's queue.
#[test]
fn nobody_is_refused_during_a_restart() {
    let (socket, address) = listener("127.0.0.1:0");
    let copy = || socket.try_clone().expect("a descriptor").into();
    let mut old = start(vec![copy()], "web", &[]);
    await_listening(&old, 1);
    let mut yuan = enter(address, "yuan");
    // Those who are in the queue when the signal comes are left there.
    old.signal(Signal::STOP);
    let mut between: Vec<Client> = (0..20).map(|_| Client::connect(address)).collect();
    old.signal(Signal::TERM);
    old.signal(Signal::CONT);
    assert_eq!(yuan.expect_close(1012), "server is restarting");
    between.extend((0..20).map(|_| Client::connect(address)));
    drop(yuan);
    assert_eq!(old.wait(PATIENCE).code(), Some(0));
    between.extend((0..20).map(|_| Client::connect(address)));
    let new = start(vec![copy()], "web", &[]);
    await_listening(&new, 1);
    for client in &mut between {
        assert_eq!(client.upgrade("/ws", &[]).status, 101);
    }
}

/// The old process has accepted them, and their requests come when it is on its way out.
#[test]
fn nobody_is_refused_who_connected_just_before_a_restart() {
    let (socket, address) = listener("127.0.0.1:0");
    let mut old = start(vec![socket.into()], "web", &[]);
    await_listening(&old, 1);
    let mut between: Vec<Client> = (0..3).map(|_| Client::connect(address)).collect();
    // They are accepted in the order in which they came.
    let mut yuan = enter(address, "yuan");
    old.signal(Signal::TERM);
    assert_eq!(yuan.expect_close(1012), "server is restarting");
    for client in &mut between {
        assert_eq!(client.upgrade("/ws", &[]).status, 101);
        assert_eq!(client.expect_close(1012), "server is restarting");
    }
    drop((yuan, between));
    assert_eq!(old.wait(PATIENCE).code(), Some(0));
}

#[test]
fn what_is_no_listening_stream_socket_is_named() {
    let datagrams: OwnedFd = UdpSocket::bind("127.0.0.1:0").expect("a free port").into();
    let (socket, address) = listener("127.0.0.1:0");
    let connected: OwnedFd = std::net::TcpStream::connect(address).expect("a connection").into();
    let file: OwnedFd = fs::File::open("/dev/null").expect("a file").into();
    let cases = [
        (datagrams, "descriptor 3 (odd) is neither a TCP nor a Unix stream socket"),
        (connected, "descriptor 3 (odd) does not listen"),
        (file, "descriptor 3 (odd) is neither a TCP nor a Unix stream socket"),
    ];
    for (descriptor, why) in cases {
        let mut daemon = start(vec![descriptor], "odd", &[]);
        assert_eq!(daemon.wait(PATIENCE).code(), Some(1), "{why}");
        await_line(&daemon, why);
    }
    drop(socket);
}

/// A socket without a file has no mode that could keep anybody out, and a reload does not take its keys away.
#[test]
fn an_open_socket_for_administrators_has_keys_for_ever() {
    let name = format!("hollerd-{:016x}", fastrand::u64(..));
    let address = UnixAddr::from_abstract_name(&name).expect("a name");
    let for_admin = UnixListener::bind_addr(&address).expect("a name of its own");
    let both = || vec![listener("127.0.0.1:0").0.into(), for_admin.try_clone().unwrap().into()];
    let mut without = start(both(), "web:admin", &[]);
    await_line(&without, "SocketMode=0600");
    assert_eq!(without.wait(PATIENCE).code(), Some(1));

    let keys = TempFile::new("keys", format!("sha256:{}\n", "0".repeat(64)));
    let config = TempFile::new("toml", format!("[admin]\nkeys_file = \"{}\"\n", keys.name()));
    let daemon = start_with(both(), "web:admin", &[], &["--config", config.name()]);
    await_listening(&daemon, 1);
    let status = || {
        let mut stream = UnixStream::connect_addr(&address).expect("a listener");
        stream.write_all(b"GET /v1/rooms HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer[9..12].to_owned()
    };
    assert_eq!(status(), "401");
    fs::write(config.path(), "").expect("our own file");
    daemon.signal(Signal::HUP);
    await_line(&daemon, "reloaded");
    assert_eq!(status(), "401");
}

/// The environment is handed on to children, the sockets are not meant for them.
#[test]
fn sockets_for_another_process_are_left_alone() {
    let (socket, address) = listener("127.0.0.1:0");
    let env = [("PID", "1"), ("HOLLERD_LIMITS_MESSAGE", "1KiB")];
    let daemon = start(vec![socket.into()], "web", &env);
    await_line(&daemon, "127.0.0.9:1");
    drop(Client::try_connect(address));
}

#[test]
#[ignore = "needs systemd-socket-activate"]
fn systemds_own_tool_hands_over_several_named_sockets() {
    let (at_one, at_two) = (free_address(Ipv4Addr::LOCALHOST.into()), free_address(Ipv6Addr::LOCALHOST.into()));
    let mut command = Command::new("systemd-socket-activate");
    command.args([format!("--listen={at_one}"), format!("--listen={at_two}"), "--fdname=web:web6".to_owned()]);
    command.args([env!("CARGO_BIN_EXE_hollerd"), "--auth", "none"]);
    let mut daemon = Process::spawn(&mut command);
    await_line(&daemon, "Listening on");
    // It starts the daemon when somebody connects.
    let deadline = crate::support::now() + PATIENCE;
    let mut waiting = loop {
        match Client::try_connect(at_one) {
            Ok(client) => break client,
            Err(error) => assert!(crate::support::now() < deadline, "{error}"),
        }
    };
    assert_eq!(waiting.upgrade("/ws", &[]).status, 101);
    enter(at_two, "feng");
    daemon.signal(Signal::TERM);
    waiting.expect_close(1012);
    drop(waiting);
    assert_eq!(daemon.wait(Duration::from_secs(20)).code(), Some(0));
}

#[test]
fn one_of_the_sockets_may_be_for_administrators() {
    let (socket, address) = listener("127.0.0.1:0");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("adm-{:016x}.sock", fastrand::u64(..)));
    let for_admin = UnixListener::bind(&path).expect("a socket in the target directory");
    let both = || vec![socket.try_clone().unwrap().into(), for_admin.try_clone().unwrap().into()];
    // Without keys its file has to be closed to others, which is not what a service manager makes it by default.
    let set_mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("our own file");
    set_mode(0o666);
    let mut open = start(both(), "web:admin", &[]);
    await_line(&open, "SocketMode=0600");
    assert_eq!(open.wait(PATIENCE).code(), Some(1));
    set_mode(0o660);
    let daemon = start(both(), "web:admin", &[]);
    await_listening(&daemon, 1);
    let _yuan = enter(address, "yuan");
    let list = Client::connect_unix(&path).request("GET", "/v1/rooms", &[]);
    assert!(list.status == 200 && list.text().contains("\"name\":\"lobby\""), "{}", list.text());
    assert_eq!(Client::connect(address).request("GET", "/v1/rooms", &[]).status, 404);
    fs::remove_file(path).expect("a file to remove");
    // A port needs keys, and one that other machines can reach is none for administrators.
    for (at, problem) in [("127.0.0.1:0", "keys_file"), ("0.0.0.0:0", "other machines")] {
        let mut daemon = start(vec![listener("127.0.0.1:0").0.into(), listener(at).0.into()], "web:admin", &[]);
        await_line(&daemon, problem);
        assert_eq!(daemon.wait(PATIENCE).code(), Some(1));
    }
    let mut daemon =
        start(vec![listener("127.0.0.1:0").0.into(), listener("127.0.0.1:0").0.into()], "admin-1:admin-2", &[]);
    await_line(&daemon, "only one");
    assert_eq!(daemon.wait(PATIENCE).code(), Some(1));
}

#[test]
fn a_socket_with_a_name_for_tls_speaks_it() {
    let authority = Authority::new();
    let own = authority.certify("localhost");
    let env = [("HOLLERD_TLS_CERTIFICATE", own.certificate.name()), ("HOLLERD_TLS_KEY", own.key.name())];
    let (socket, address) = listener("127.0.0.1:0");
    let daemon = start(vec![socket.into()], "tls-web", &env);
    await_line(&daemon, &format!("listening on tls://{address}"));
    let mut client = tls::connect(address, &authority.trust(&TLS13, None));
    assert_eq!(client.upgrade("/ws", &[]).status, 101);
    // A reload does not take its certificate away.
    let (socket, address) = listener("127.0.0.1:0");
    let config = TempFile::new("toml", own.settings());
    let daemon = start_with(vec![socket.into()], "tls-web", &[], &["--config", config.name()]);
    await_listening(&daemon, 1);
    fs::write(config.path(), "[tls]\ncertificate = \"\"\nkey = \"\"\n").expect("our own file");
    daemon.signal(Signal::HUP);
    await_line(&daemon, "nothing was reloaded");
    await_line(&daemon, "a tls:// listener needs [tls] certificate and key");
    assert!(!daemon.stderr().contains("have changed"), "{}", daemon.stderr());
    assert_eq!(tls::connect(address, &authority.trust(&TLS13, None)).upgrade("/ws", &[]).status, 101);

    let (socket, _) = listener("127.0.0.1:0");
    let mut without = start(vec![socket.into()], "tls", &[]);
    await_line(&without, "a tls:// listener needs [tls] certificate and key");
    assert_eq!(without.wait(PATIENCE).code(), Some(1));
}
