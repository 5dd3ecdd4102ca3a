//! File, environment and flags, one over the other; and what is said about mistakes.

use std::net::SocketAddr;

use crate::support::{Client, Daemon, Finished, TempFile};

fn check(config: &str) -> Finished {
    Daemon::run(config, &[], &["check"])
}

/// A start that must fail with exit code 1, nothing printed, and one line for this mistake.
fn expect_refusal(failed: &Finished, needles: &[&str]) {
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""), "{failed:?}");
    let line = |line: &&str| needles.iter().all(|needle| line.contains(needle));
    assert!(failed.stderr.lines().any(|one| line(&one)), "no line with {needles:?} in:\n{}", failed.stderr);
}

#[test]
fn a_good_configuration_is_said_to_be_good() {
    for config in ["", "[limits]\nmessage = \"32KiB\"\n", "listen = [\"127.0.0.1:0\", \"[::1]:0\"]\n"] {
        let checked = check(config);
        assert_eq!(
            (checked.code, checked.stdout.as_str()),
            (Some(0), "configuration is good\n"),
            "{config}: {checked:?}"
        );
    }
}

#[test]
fn mistakes_are_told_by_file_and_line() {
    let rows: &[(&str, &[&str])] = &[
        ("[limits]\n\nmesage = 1\n", &[".toml:3: ", "[limits] mesage is not a key; did you mean \"message\"?"]),
        ("[limts]\nmessage = 1\n", &[".toml:1: ", "[limts] is not a section; did you mean [limits]?"]),
        ("[chat]\nmessage = 1\n", &[".toml:2: ", "it belongs in [limits]"]),
        ("[limits]\nunread_age = 10\n", &[".toml:2: ", "has no unit; write \"10s\""]),
        ("[limits]\nmessage = \"16 elephants\"\n", &[".toml:2: ", "unknown unit"]),
        ("[limits]\nmessage = 0\n", &[".toml:2: ", "must be 1 to"]),
        ("[auth]\nmode = \"jwd\"\n", &[".toml:2: ", "did you mean \"jwt\"?"]),
        ("[auth]\nmode = \"keys\"\n", &[".toml:2: ", "needs keys_file"]),
        ("[log]\nlevel = info\n", &[".toml:2: ", "not TOML", "needs quotes"]),
        ("[log]\nlevel = \"info\"\nlevel = \"warn\"\n", &[".toml:3: ", "twice"]),
        ("allowed_origins = [\"https://a.example/path\"]\n", &[".toml:1: ", "is not an origin"]),
        ("listen = [\"localhost\"]\n", &[".toml:1: ", "listen"]),
        ("[heartbeat]\npong_timeout = \"0s\"\n", &[".toml:2: ", "pong_timeout"]),
        ("[limits]\nunread = \"1KiB\"\n", &[".toml:2: ", "unread", "at least message"]),
    ];
    for (config, needles) in rows {
        expect_refusal(&check(config), needles);
        // It does not start with what it does not like.
        expect_refusal(&Daemon::run(config, &[], &["--log-level", "off"]), needles);
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let failed = check("[limits]\nmesage = 1\nunread_age = 10\n[chat]\nbinary = \"maybe\"\n");
    for needle in [".toml:2: ", ".toml:3: ", ".toml:5: "] {
        expect_refusal(&failed, &[needle]);
    }
    assert_eq!(failed.stderr.lines().count(), 3, "{failed:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let missing = Daemon::run("", &[], &["check", "-c", "no/such/file.toml"]);
    expect_refusal(&missing, &["no/such/file.toml"]);
    expect_refusal(&Daemon::run("", &[], &["-c", "no/such/file.toml"]), &["no/such/file.toml"]);
    let secret = "[auth]\njwt_keys = [\"no/such/secret\"]\n";
    expect_refusal(&check(secret), &["no/such/secret"]);
    let short = TempFile::new("secret", "too short");
    expect_refusal(&check(&format!("[auth]\njwt_keys = [\"{}\"]\n", short.name())), &[short.name()]);
    let keys = TempFile::new("keys", "# one\nhk_this-is-a-key-and-not-its-hash\n");
    let failed = check(&format!("[auth]\nmode = \"keys\"\nkeys_file = \"{}\"\n", keys.name()));
    expect_refusal(&failed, &[&format!("{}:2: ", keys.name())]);
    assert!(!failed.stderr.contains("hk_this"), "a key in the wrong place is still a key: {failed:?}");
}

#[test]
fn unknown_variables_are_mistakes() {
    let failed = Daemon::run("", &[("HOLLERD_LIMITS_MESAGE", "1KiB")], &["check"]);
    expect_refusal(&failed, &["HOLLERD_LIMITS_MESAGE", "did you mean HOLLERD_LIMITS_MESSAGE?"]);
    let failed = Daemon::run("", &[("HOLLERD_NONSENSE", "1")], &["--listen", "127.0.0.1:0"]);
    expect_refusal(&failed, &["HOLLERD_NONSENSE", "not a setting"]);
    let failed = Daemon::run("", &[("HOLLERD_LIMITS_MESSAGE", "lots")], &["check"]);
    expect_refusal(&failed, &["HOLLERD_LIMITS_MESSAGE", "[limits] message"]);
}

/// Each layer listens somewhere else, and the uppermost that is there wins.
#[test]
fn flags_win_over_environment_over_file() {
    let file = "listen = [\"127.0.0.2:0\"]\n[limits]\nmessage = 10\n";
    let env = [("HOLLERD_LISTEN", "127.0.0.3:0"), ("HOLLERD_LIMITS_MESSAGE", "20")];
    let flags = ["--auth", "none", "--listen", "127.0.0.4:0"];
    let host = |daemon: &Daemon| daemon.address().ip().to_string();
    let by_file = Daemon::start_with(file, &[], &["--auth", "none"]);
    assert_eq!((host(&by_file), longest_message(&by_file)), ("127.0.0.2".to_owned(), 10));
    let by_environment = Daemon::start_with(file, &env, &["--auth", "none"]);
    assert_eq!((host(&by_environment), longest_message(&by_environment)), ("127.0.0.3".to_owned(), 20));
    let by_flag = Daemon::start_with(file, &env, &flags);
    assert_eq!((host(&by_flag), longest_message(&by_flag)), ("127.0.0.4".to_owned(), 20));
    let by_default = Daemon::start_with("", &[], &flags);
    assert_eq!(longest_message(&by_default), 16 * 1024);
}

#[test]
fn every_layer_can_open_the_door_and_shut_it() {
    let open =
        |file: &str, env: &[(&str, &str)], flags: &[&str]| Daemon::start_with(file, env, flags).token().is_none();
    assert!(!open("", &[], &[]));
    assert!(open("[auth]\nmode = \"none\"", &[], &[]));
    assert!(!open("[auth]\nmode = \"none\"", &[("HOLLERD_AUTH_MODE", "jwt")], &[]));
    assert!(open("", &[("HOLLERD_AUTH_MODE", "jwt")], &["--auth", "none"]));
    assert!(open("", &[], &["serve", "--auth", "none"]));
}

/// Finds out by asking: a message one byte longer than this is answered with 1009, and the answer names the limit.
fn longest_message(daemon: &Daemon) -> usize {
    let mut client = daemon.open("/ws");
    client.text(&"x".repeat(20_000));
    let reason = client.expect_close(1009);
    reason.split_whitespace().find_map(|word| word.parse().ok()).expect("a number of bytes")
}

#[test]
fn the_sample_is_the_file_that_is_installed() {
    let printed = Daemon::run("", &[], &["config"]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/dist/hollerd.toml");
    assert_eq!(printed.stdout, std::fs::read_to_string(installed).expect("an installed file"));
    // With every key set to its default it says the same as without any.
    let is_key = |line: &str| line.strip_prefix('#').is_some_and(|rest| rest.starts_with(char::is_alphabetic));
    let all_set: String =
        printed.stdout.lines().map(|line| format!("{}\n", if is_key(line) { &line[1..] } else { line })).collect();
    for config in [&printed.stdout, &all_set] {
        let checked = check(config);
        assert_eq!(checked.code, Some(0), "{checked:?}");
    }
}

#[test]
fn every_listener_has_a_real_port_and_serves() {
    let config = "listen = [\"127.0.0.1:0\", \"127.0.0.1:0\", \"127.0.0.2:0\"]";
    let daemons = [
        Daemon::start_with(config, &[], &["--auth", "none"]),
        Daemon::start(&[
            "--auth",
            "none",
            "--listen",
            "127.0.0.1:0",
            "--listen",
            "127.0.0.1:0",
            "--listen=127.0.0.2:0",
        ]),
        Daemon::start_with("", &[("HOLLERD_LISTEN", "127.0.0.1:0,127.0.0.1:0,127.0.0.2:0")], &["--auth", "none"]),
    ];
    for daemon in daemons {
        let addresses = daemon.addresses();
        assert_eq!(addresses.len(), 3, "{}", daemon.stdout());
        assert!(addresses.iter().all(|address| address.port() != 0), "{addresses:?}");
        // They all lead to the same room.
        let mut clients: Vec<Client> = addresses.iter().enumerate().map(|(n, &address)| enter(address, n)).collect();
        clients[0].text("hello");
        clients[1].expect_text("0: hello");
        clients[2].expect_text("0: hello");
    }
}

#[test]
fn nobody_means_to_listen_on_so_many_addresses() {
    let addresses = vec!["\"127.0.0.1:0\""; 257].join(", ");
    expect_refusal(&check(&format!("listen = [{addresses}]")), &["257 addresses", "256 at most"]);
}

fn enter(address: SocketAddr, name: usize) -> Client {
    let mut client = Client::open(address, "/ws", &[]);
    client.text(&name.to_string());
    client.expect_text(&format!("hello {name}"));
    client
}

#[test]
fn an_address_in_use_is_named() {
    let daemon = Daemon::start(&[]);
    let address = daemon.address().to_string();
    let failed = Daemon::run("", &[], &["--listen", &address]);
    expect_refusal(&failed, &["cannot listen on", &address]);
}
