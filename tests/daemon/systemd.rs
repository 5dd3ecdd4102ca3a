//! What a service manager and its journal are told, by a manager made for the test: a datagram socket that the daemon is pointed to.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use crate::support::{Daemon, PATIENCE, Process, TempFile};

/// A service manager.
struct Manager {
    socket: UnixDatagram,
    address: String,
    file: Option<PathBuf>,
}

impl Manager {
    fn new() -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("notify-{:016x}", fastrand::u64(..)));
        let socket = UnixDatagram::bind(&path).expect("a socket in the target directory");
        Self { socket, address: path.to_str().expect("a plain name").to_owned(), file: Some(path) }
    }

    fn without_file() -> Self {
        let name = format!("hollerd-test-{:016x}", fastrand::u64(..));
        let address = SocketAddr::from_abstract_name(&name).expect("a short name");
        let socket = UnixDatagram::bind_addr(&address).expect("a name that nobody has");
        Self { socket, address: format!("@{name}"), file: None }
    }

    fn start(&self, config: &str, env: &[(&str, &str)]) -> Daemon {
        let mut env = env.to_vec();
        env.push(("NOTIFY_SOCKET", &self.address));
        Daemon::start_with(config, &env, &["--auth", "none"])
    }

    fn next(&self) -> String {
        self.socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut buffer = [0; 1024];
        let length = self.socket.recv(&mut buffer).expect("a message from the daemon");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    fn expect(&self, message: &str) {
        assert_eq!(self.next(), message);
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.file.as_ref().map(std::fs::remove_file);
    }
}

#[test]
fn a_life_is_told_from_ready_to_stopping() {
    for manager in [Manager::new(), Manager::without_file()] {
        let mut daemon = manager.start("[shutdown]\ntimeout = \"7s\"\n", &[]);
        manager.expect("READY=1\nSTATUS=0 connections\n");
        daemon.terminate();
        manager.expect("STOPPING=1\nEXTEND_TIMEOUT_USEC=12000000\n");
        assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
    }
}

#[test]
fn a_reload_is_told_with_the_time_at_which_it_began() {
    let manager = Manager::new();
    let file = TempFile::new("toml", "");
    let env = [("NOTIFY_SOCKET", manager.address.as_str())];
    let daemon = Daemon::start_with("", &env, &["--auth", "none", "-c", file.name()]);
    manager.expect("READY=1\nSTATUS=0 connections\n");
    for (text, status) in
        [("", "0 connections"), ("nonsense", "0 connections; the last reload failed, the log says why")]
    {
        std::fs::write(file.path(), text).expect("a file to write to");
        daemon.signal(Signal::HUP);
        let reloading = manager.next();
        let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|rest| rest.strip_suffix('\n'));
        assert!(micros.is_some_and(|micros| micros.parse::<u64>().is_ok_and(|micros| micros > 0)), "{reloading}");
        manager.expect(&format!("READY=1\nSTATUS={status}\n"));
    }
}

#[test]
fn the_number_of_connections_is_told() {
    let manager = Manager::new();
    let daemon = manager.start("", &[]);
    manager.expect("READY=1\nSTATUS=0 connections\n");
    let _yuan = daemon.enter("/ws", "yuan");
    manager.expect("STATUS=1 connections\n");
}

#[test]
fn the_watchdog_is_fed_if_it_is_ours() {
    let manager = Manager::new();
    let _daemon = manager.start("", &[("WATCHDOG_USEC", "100000")]);
    manager.expect("READY=1\nSTATUS=0 connections\n");
    for _ in 0..3 {
        manager.expect("WATCHDOG=1\n");
    }
    let stranger = Manager::new();
    let mut daemon = stranger.start("", &[("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")]);
    stranger.expect("READY=1\nSTATUS=0 connections\n");
    daemon.enter("/ws", "yuan").close();
    daemon.terminate();
    assert!(!stranger.next().contains("WATCHDOG"));
    assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
}

#[test]
fn a_manager_that_is_not_there_is_no_reason_not_to_serve() {
    for address in ["/nowhere/notify", "@nobody-has-this-name", "relative", "vsock:2:1"] {
        let daemon = Daemon::start_with("", &[("NOTIFY_SOCKET", address)], &["--auth", "none"]);
        daemon.enter("/ws", "yuan");
        daemon.await_log(&format!("NOTIFY_SOCKET={address} cannot be used"));
    }
}

/// A daemon whose standard error is what `JOURNAL_STREAM` says it is.
fn start_in_journal(args: &[&str]) -> Process {
    let mut command = Command::new("sh");
    let script = "JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) exec \"$0\" \"$@\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_hollerd"), "--listen", "127.0.0.1:0"]).args(args);
    Process::spawn(&mut command)
}

#[test]
fn the_journal_gets_priorities_and_no_time() {
    let mut daemon = start_in_journal(&["--auth", "none"]);
    daemon.await_stdout(PATIENCE, |text| text.contains(" listening on ").then_some(())).expect("it listens");
    daemon.signal(Signal::HUP);
    daemon.await_stderr(PATIENCE, |text| text.contains("<6>reloaded: ").then_some(())).expect("a line at info");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
    for line in daemon.stderr().lines() {
        assert!(line.starts_with("<6>") && !line.contains("[INFO]"), "{line}");
    }
    let mut failed = start_in_journal(&["-c", "no/such/file.toml"]);
    assert_eq!(failed.wait(PATIENCE).code(), Some(1));
    assert!(failed.stderr().starts_with("<3>hollerd: no/such/file.toml: "), "{}", failed.stderr());
    let mut plain =
        start_in_journal(&["--auth", "none", "-c", TempFile::new("toml", "[log]\ntime = \"always\"\n").name()]);
    plain.signal(Signal::TERM);
    plain.wait(PATIENCE);
    assert!(!plain.stderr().contains("<6>"), "who wants the time gets the time: {}", plain.stderr());
}

#[test]
fn keys_can_be_credentials() {
    let secret = TempFile::new("secret", "a secret that is long enough for HS256, at least 32 bytes");
    let (directory, name) = secret.name().rsplit_once('/').expect("a path with a folder");
    let config = format!("[auth]\njwt_keys = [\"credential:{name}\"]\n");
    let daemon = Daemon::start_with(&config, &[("CREDENTIALS_DIRECTORY", directory)], &[]);
    daemon.signal(Signal::HUP);
    daemon.await_log(&format!("credential:{name} is as it was handed over at the start; restart to change it"));
    let failed = Daemon::run(&config, &[], &["check"]);
    assert_eq!(failed.code, Some(1));
    assert!(failed.stderr.contains(&format!("LoadCredential={name}:FILE")), "{failed:?}");
}

#[test]
#[ignore = "needs systemd-analyze"]
fn the_unit_is_as_locked_in_as_it_says() {
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/dist/systemd/hollerd.service");
    // The threshold is ten times the exposure.
    let judged = Command::new("systemd-analyze")
        .args(["security", "--no-pager", "--offline=true", "--threshold=15", unit])
        .output()
        .expect("systemd-analyze");
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
}
