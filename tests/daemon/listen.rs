//! Where the daemon listens: Unix sockets beside TCP, files that are in the way, several daemons on one port.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::support::{Client, Daemon, Finished, PATIENCE, TempFile};

/// A path for a socket, short enough for the kernel, whatever the target directory is called.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let name = format!("hollerd-{}-{:08x}.sock", std::process::id(), fastrand::u32(..));
        Self(std::env::temp_dir().join(name))
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn listen(&self) -> String {
        format!("unix:{}", self.0.display())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _removed = std::fs::remove_file(&self.0);
    }
}

fn start(config: &str, listen: &[&str]) -> Daemon {
    let listens = listen.iter().flat_map(|listen| ["--listen", listen]);
    Daemon::start_with(config, &[], &["--auth", "none"].into_iter().chain(listens).collect::<Vec<_>>())
}

fn refused(config: &str, listen: &str) -> Finished {
    let failed = Daemon::run(config, &[], &["--auth", "none", "--listen", listen]);
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""), "{failed:?}");
    failed
}

fn enter(mut client: Client, name: &str) -> Client {
    assert_eq!(client.upgrade("/ws", &[]).status, 101);
    client.text(name);
    client.expect_text(&format!("hello {name}"));
    client
}

#[test]
fn a_unix_socket_leads_to_the_same_rooms() {
    let place = Place::new();
    let mut daemon = start("[limits]\npending_per_address = 1\n", &["127.0.0.1:0", &place.listen()]);
    let printed = daemon.stdout();
    assert!(printed.contains(&format!(" listening on {}\n", place.listen())), "{printed}");
    assert!(printed.contains(&format!("'ws-c:{}'", place.listen())), "{printed}");
    let mut yuan = enter(daemon.connect(), "yuan");
    let mut feng = enter(Client::connect_unix(place.path()), "feng");
    yuan.text("hello over there");
    feng.expect_text("yuan: hello over there");
    let page = "http://localhost";
    let origin = Client::connect_unix(place.path()).upgrade("/ws", &[("Host", "localhost"), ("Origin", page)]);
    assert_eq!(origin.status, 101, "a page of the host itself");
    // Whoever comes this way has no address by which it could be counted.
    let mute: Vec<Client> = (0..5).map(|_| Client::connect_unix(place.path())).collect();
    enter(Client::connect_unix(place.path()), "alex").close();
    daemon.await_log("alex (unix) left with 1000");
    drop((yuan, feng, mute));
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
    assert!(!place.path().exists(), "the file is still there");
}

#[test]
fn the_file_of_a_socket_has_the_permissions_that_are_asked_for() {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let place = Place::new();
    let daemon = start("", &[&place.listen()]);
    assert_eq!(mode(place.path()), 0o660);
    drop(daemon);
    let _daemon = start("[sockets]\nunix_mode = \"0600\"\n", &[&place.listen()]);
    assert_eq!(mode(place.path()), 0o600);
}

#[test]
fn a_file_that_a_killed_daemon_left_behind_is_replaced() {
    let place = Place::new();
    let mut first = start("", &[&place.listen()]);
    first.signal(Signal::KILL);
    first.wait(PATIENCE);
    assert!(place.path().exists());
    let _second = start("", &[&place.listen()]);
    enter(Client::connect_unix(place.path()), "yuan").close();
}

#[test]
fn a_path_where_somebody_listens_or_something_else_lies_is_refused() {
    let place = Place::new();
    let _daemon = start("", &[&place.listen()]);
    let second = refused("", &place.listen());
    assert!(second.stderr.contains(&format!("cannot listen on {}: somebody listens", place.listen())), "{second:?}");
    enter(Client::connect_unix(place.path()), "yuan").close();
    let file = TempFile::new("txt", "keep me");
    std::fs::copy(file.path(), place.path().with_extension("txt")).unwrap();
    let other = Place(place.path().with_extension("txt"));
    assert!(refused("", &other.listen()).stderr.contains("it is no socket"));
    assert_eq!(std::fs::read_to_string(other.path()).unwrap(), "keep me");
    assert!(refused("", "unix:/no/such/directory/hollerd.sock").stderr.contains("cannot listen on unix:/no/such"));
}

/// Several daemons share a port only if all of them say so.
#[test]
fn a_port_is_shared_on_purpose_only() {
    let shared = "[sockets]\nreuse_port = true\n";
    let first = start(shared, &["127.0.0.1:0"]);
    let address = first.address();
    let alone = refused("", &address.to_string());
    assert!(alone.stderr.contains("cannot listen on"), "{alone:?}");
    let mut second = start(shared, &[&address.to_string()]);
    assert_eq!(second.address(), address);
    // The kernel deals newcomers out by a hash of both addresses; of so many each daemon gets some.
    let clients: Vec<Client> = (0..64).map(|number| enter(Client::connect(address), &format!("n{number}"))).collect();
    second.terminate();
    drop(clients);
    assert_eq!(second.wait(PATIENCE).code(), Some(0));
    let count = |daemon: &Daemon| daemon.stderr().lines().filter(|line| line.contains("shutting down: ")).count();
    assert_eq!((count(&first), count(&second)), (0, 1));
    enter(Client::connect(address), "yuan").close();
}
