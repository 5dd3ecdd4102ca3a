//! Subcommands, exit codes, and what is printed at the start.

use crate::support::{Client, Daemon, Issuer, TempFile, unix_now};

fn secret() -> TempFile {
    TempFile::new("secret", "0123456789abcdef0123456789abcdef0123456789abcdef\n")
}

#[test]
fn the_start_prints_what_can_be_pasted() {
    let daemon = Daemon::start(&[]);
    let printed = daemon.stdout();
    let (address, token) = (daemon.address(), daemon.token().expect("a token of this run"));
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "hollerd {version} listening on {address}\n  open   http://{address}/#token={token}\n  \
         try    websocat 'ws://{address}/ws' -H 'Authorization: Bearer {token}'\n"
    );
    assert_eq!(printed, expected);
    Client::open(address, "/ws", &[("Authorization", &format!("Bearer {token}"))]).close();
}

#[test]
fn with_the_door_open_the_printed_lines_need_no_token() {
    let daemon = Daemon::without_auth("");
    let printed = daemon.stdout();
    assert!(printed.contains(&format!("  open   http://{}/\n", daemon.address())), "{printed}");
    assert!(printed.contains(&format!("  try    websocat 'ws://{}/ws'\n", daemon.address())), "{printed}");
}

#[test]
fn addresses_for_everybody_are_printed_as_one_that_can_be_reached() {
    let daemon = Daemon::start(&["--auth", "none", "--listen", "0.0.0.0:0"]);
    let port = daemon.address().port();
    assert!(daemon.stdout().contains(&format!("'ws://127.0.0.1:{port}/ws'")), "{}", daemon.stdout());
}

#[test]
fn every_run_has_a_secret_of_its_own() {
    let [first, second] = [Daemon::start(&[]), Daemon::start(&[])];
    let token = first.token().expect("a token");
    let mut client = second.connect();
    client.upgrade("/ws", &[("Authorization", &format!("Bearer {token}"))]).verify_refusal(401);
}

#[test]
fn help_and_version_are_good_ends_and_a_wrong_option_is_a_bad_one() {
    let version = Daemon::run("", &[], &["--version"]);
    assert_eq!((version.code, version.stdout), (Some(0), format!("hollerd {}\n", env!("CARGO_PKG_VERSION"))));
    let help = Daemon::run("", &[], &["--help"]);
    assert!(help.code == Some(0) && help.stdout.contains("--listen") && help.stdout.contains("Examples:"), "{help:?}");
    for args in
        [&["--lissen", "127.0.0.1:0"][..], &["--listen", "nowhere"], &["nonsense"], &["token"], &["--auth", "jwd"]]
    {
        let failed = Daemon::run("", &[], args);
        assert_eq!((failed.code, failed.stdout.as_str()), (Some(2), ""), "{args:?}: {failed:?}");
        assert!(!failed.stderr.is_empty(), "{args:?}");
    }
}

/// A token made on the command line is one that the daemon takes.
#[test]
fn token_new_signs_what_the_daemon_lets_in() {
    let secret = secret();
    let made = Daemon::run(
        "",
        &[],
        &["token", "new", "--sub", "yuan", "--rooms", "lobby,team-*", "--ttl", "1h", "--secret-file", secret.name()],
    );
    assert_eq!(made.code, Some(0), "{made:?}");
    let token = made.stdout.trim_end();
    let daemon = Daemon::start_with(&format!("[auth]\njwt_keys = [\"{}\"]\n", secret.name()), &[], &[]);
    let bearer = format!("Bearer {token}");
    let mut client = Client::open(daemon.address(), "/ws/team-a", &[("Authorization", &bearer)]);
    client.text("feng");
    client.expect_text("error: your token is for \"yuan\"");
    client.text("yuan");
    client.expect_text("hello yuan");
    daemon.connect().upgrade("/ws/dev", &[("Authorization", &bearer)]).verify_refusal(403);
}

#[test]
fn token_new_needs_a_secret_that_is_one() {
    let failed = Daemon::run("", &[], &["token", "new"]);
    assert!(failed.code == Some(1) && failed.stderr.contains("--secret-file"), "{failed:?}");
    let short = TempFile::new("secret", "short\n");
    let public = Issuer::ed25519();
    for (file, hint) in [(short.name(), "32"), (public.key_file(), "secret"), ("no/such/file", "no/such/file")] {
        let failed = Daemon::run("", &[], &["token", "new", "--secret-file", file]);
        assert!(failed.code == Some(1) && failed.stdout.is_empty() && failed.stderr.contains(hint), "{failed:?}");
    }
}

#[test]
fn token_check_says_what_the_daemon_would_do() {
    let issuer = Issuer::hmac();
    let now = unix_now();
    let rows = [
        (issuer.sign(r#"{"sub":"yuan","rooms":["dev"]}"#), Some(0), "would be let in as \"yuan\", rooms: dev"),
        (issuer.sign("{}"), Some(0), "would be let in under any name, rooms: every room"),
        (issuer.sign(&format!(r#"{{"exp":{}}}"#, now - 10)), Some(1), "would be refused: token expired"),
        (issuer.sign(&format!(r#"{{"nbf":{}}}"#, now + 600)), Some(1), "would be refused: token is not valid"),
        (Issuer::hmac().sign("{}"), Some(1), "would be refused: token has a signature"),
        (Issuer::unsigned("{}"), Some(1), "would be refused: token has an algorithm"),
        ("garbage".to_owned(), Some(1), "would be refused: token cannot be read"),
    ];
    for (token, code, needle) in rows {
        let by_file = Daemon::run("", &[], &["token", "check", &token, "--secret-file", issuer.key_file()]);
        let by_config = Daemon::run(&issuer.config(), &[], &["token", "check", &token]);
        for checked in [by_file, by_config] {
            let said = format!("{}{}", checked.stdout, checked.stderr);
            assert!(checked.code == code && said.contains(needle), "wanted {needle:?}, got {checked:?}");
        }
    }
    let nothing = Daemon::run("", &[], &["token", "check", "x.y.z"]);
    assert!(nothing.code == Some(1) && nothing.stderr.contains("--secret-file"), "{nothing:?}");
}

#[test]
fn token_key_prints_a_key_once_and_a_line_to_keep() {
    let made = Daemon::run("", &[], &["token", "key", "--sub", "yuan", "--rooms", "dev"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let key = made.stdout.lines().next().expect("a key");
    let line = made.stdout.lines().last().expect("a line");
    assert!(
        key.starts_with("hk_") && line.starts_with("sha256:") && line.ends_with(" name=yuan rooms=dev"),
        "{made:?}"
    );
    let keys = TempFile::new("keys", format!("{line}\n"));
    let config = format!("[auth]\nmode = \"keys\"\nkeys_file = \"{}\"\n", keys.name());
    let checked = Daemon::run(&config, &[], &["token", "check", key]);
    assert!(checked.code == Some(0) && checked.stdout.contains("let in as \"yuan\""), "{checked:?}");
    let again = Daemon::run("", &[], &["token", "key", "--sub", "yuan", "--rooms", "dev"]);
    assert_ne!(again.stdout, made.stdout, "keys repeat");
}
