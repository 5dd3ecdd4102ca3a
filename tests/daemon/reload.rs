//! SIGHUP: everything is read anew, nobody is closed, and a mistake changes nothing.

use rustix::process::Signal;

use crate::support::{Client, Daemon, Issuer, PATIENCE, TempFile};

const KEY: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// A daemon on a configuration file that the test rewrites.
fn start(text: &str) -> (Daemon, TempFile) {
    let file = TempFile::new("toml", text);
    let daemon = Daemon::start(&["-c", file.name()]);
    (daemon, file)
}

/// In one piece, because a daemon may be reading it right now.
fn rewrite(file: &TempFile, text: &str) {
    let new = file.path().with_extension("new");
    std::fs::write(&new, text).expect("a file to write to");
    std::fs::rename(new, file.path()).expect("a file to replace");
}

/// Sends SIGHUP and waits for the line that tells what came of it.
fn reload(daemon: &Daemon, outcome: &str) {
    daemon.signal(Signal::HUP);
    daemon.await_log(outcome);
}

#[test]
fn settings_come_into_force_while_everybody_stays() {
    let (mut daemon, file) = start("[auth]\nmode = \"none\"\n[limits]\nmessage = \"1KiB\"\n");
    let mut yuan = daemon.enter("/ws", "yuan");
    let mut feng = daemon.enter("/ws", "feng");
    rewrite(&file, "[auth]\nmode = \"none\"\n[limits]\nmessage = \"2KiB\"\n[chat]\nbinary = \"relay\"\n");
    reload(&daemon, "these settings have changed: [chat] binary, [limits] message");
    let long = "x".repeat(2000);
    yuan.text(&long);
    feng.expect_text(&format!("yuan: {long}"));
    yuan.text(&"x".repeat(2049));
    yuan.expect_close(1009);
    feng.text("still here");
    feng.expect_quiet();
    daemon.assert_healthy();
}

#[test]
fn a_bad_file_changes_nothing_and_every_mistake_is_told_with_its_line() {
    let good = "[auth]\nmode = \"none\"\n";
    let (mut daemon, file) = start(good);
    let mut yuan = daemon.enter("/ws", "yuan");
    rewrite(&file, "[auth]\nmode = \"none\"\n[limits]\nmesage = 3\nmessage = \"lots\"\n");
    reload(&daemon, "nothing was reloaded");
    for line in [4, 5] {
        let told = daemon.await_log(&format!("{}:{line}: [limits] ", file.name()));
        assert!(told.contains("[ERROR]"), "{told}");
    }
    std::fs::remove_file(file.path()).expect("a file to remove");
    daemon.signal(Signal::HUP);
    daemon.await_log("cannot be read");
    rewrite(&file, good);
    reload(&daemon, "settings are the same");
    yuan.text("still here");
    yuan.expect_quiet();
    daemon.assert_healthy();
}

#[test]
fn keys_are_exchanged_and_whoever_is_in_stays_in() {
    let (old, new) = (Issuer::hmac(), Issuer::ed25519());
    let (daemon, file) = start(&old.config());
    let bearer = |issuer: &Issuer| format!("Bearer {}", issuer.sign(r#"{"sub":"yuan"}"#));
    let mut yuan = Client::open(daemon.address(), "/ws", &[("Authorization", &bearer(&old))]);
    yuan.text("yuan");
    yuan.expect_text("hello yuan");
    rewrite(&file, &new.config());
    reload(&daemon, "these settings have changed: [auth] jwt_keys");
    daemon.connect().upgrade("/ws", &[("Authorization", &bearer(&old))]).verify_refusal(401);
    assert_eq!(daemon.connect().upgrade("/ws/dev", &[("Authorization", &bearer(&new))]).status, 101);
    yuan.text("I am still in");
    yuan.expect_quiet();
}

#[test]
fn a_bad_key_changes_nothing_and_is_named_with_its_line() {
    let keys = TempFile::new("keys", KEY);
    let (daemon, _file) = start(&format!("[auth]\nmode = \"keys\"\nkeys_file = \"{}\"\n", keys.name()));
    rewrite(&keys, &format!("{KEY}\nnonsense\n"));
    reload(&daemon, "nothing was reloaded");
    daemon.await_log(&format!("{}:2: ", keys.name()));
    assert_eq!(
        daemon.connect().upgrade("/ws", &[("Authorization", "Bearer abc")]).status,
        101,
        "the old keys are in force"
    );
    rewrite(&keys, "# nobody\n");
    reload(&daemon, "settings are the same");
    daemon.connect().upgrade("/ws", &[("Authorization", "Bearer abc")]).verify_refusal(401);
}

/// The secret of a run outlives reloads, or the token that was printed at the start would be worth nothing.
#[test]
fn the_printed_token_stays_good() {
    let (daemon, file) = start("");
    rewrite(&file, "[chat]\ndefault_room = \"hall\"\n");
    reload(&daemon, "[chat] default_room");
    daemon.enter("/ws", "yuan");
}

#[test]
fn what_needs_a_restart_is_named_each_time() {
    let (daemon, file) = start("[auth]\nmode = \"none\"\n");
    for room in ["hall", "foyer"] {
        let chat = format!("[chat]\ndefault_room = \"{room}\"");
        rewrite(
            &file,
            &format!("[auth]\nmode = \"none\"\n{chat}\n[log]\ntime = \"never\"\n[sockets]\nreuse_port = true\n"),
        );
        reload(&daemon, "[chat] default_room");
        daemon.enter("/ws", "yuan").close();
        daemon.enter(&format!("/ws/{room}"), "yuan").close();
    }
    let warned = daemon.stderr().matches("need a restart: [sockets] reuse_port, [log] time").count();
    assert_eq!(warned, 2, "{}", daemon.stderr());
}

#[test]
fn the_log_level_is_a_setting_like_any_other() {
    let (daemon, file) = start("[log]\nlevel = \"info\"\n");
    rewrite(&file, "[log]\nlevel = \"debug\"\n");
    reload(&daemon, "[log] level");
    daemon.connect().request("GET", "/healthz", &[]);
    daemon.await_log("/healthz");
}

#[test]
fn flags_and_environment_stay_on_top() {
    let file = TempFile::new("toml", "[limits]\nmessage = \"1KiB\"\n");
    let env = [("HOLLERD_LIMITS_MESSAGE", "3KiB")];
    let daemon = Daemon::start_with("", &env, &["--auth", "none", "-c", file.name()]);
    let mut yuan = daemon.enter("/ws", "yuan");
    rewrite(&file, "[limits]\nmessage = \"2KiB\"\n[auth]\nmode = \"jwt\"\n");
    reload(&daemon, "settings are the same");
    yuan.text(&"x".repeat(3000));
    yuan.expect_quiet();
}

/// Signals of one kind that come together are one, but the last is never lost: what was written before it is read.
#[test]
fn many_signals_in_a_row_are_at_least_one_reload() {
    let (mut daemon, file) = start("[auth]\nmode = \"none\"\n");
    let mut yuan = daemon.enter("/ws", "yuan");
    for size in 1..=200 {
        rewrite(&file, &format!("[auth]\nmode = \"none\"\n[limits]\nmessage = {}\n", 1000 + size));
        daemon.signal(Signal::HUP);
    }
    rewrite(&file, "[auth]\nmode = \"none\"\n[limits]\nmessage = 7\n");
    daemon.signal(Signal::HUP);
    // A connection that is made after the signal is served after it.
    let mut feng = daemon.enter("/ws", "feng");
    feng.text("12345678");
    feng.expect_close(1009);
    yuan.text("short");
    yuan.expect_quiet();
    daemon.assert_healthy();
}

#[test]
fn a_reload_during_the_shutdown_changes_nothing() {
    let (mut daemon, _file) = start("[auth]\nmode = \"none\"\n[limits]\nclose_timeout = \"1s\"\n");
    let mut yuan = daemon.enter("/ws", "yuan");
    daemon.terminate();
    daemon.await_log("shutting down");
    daemon.signal(Signal::HUP);
    yuan.expect_close(1001);
    drop(yuan);
    assert_eq!(daemon.wait(PATIENCE).code(), Some(0));
    assert!(!daemon.stderr().contains("reloaded:"), "{}", daemon.stderr());
}
