//! The `echo` example: the engine without the chat, which is what the protocol's own rules are tested against.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use super::{Client, PATIENCE, Process};

/// A running echo server; killed when dropped.
pub(crate) struct Echo {
    process: Process,
    address: SocketAddr,
}

impl Echo {
    /// Starts it on a free loopback port and returns when it listens.
    pub(crate) fn start() -> Self {
        let process = Process::spawn(Command::new(binary()).args(["--listen", "127.0.0.1:0"]));
        let address = process.await_stdout(PATIENCE, |text| {
            text.lines().find_map(|line| line.strip_prefix("echo listening on ")?.trim_end().parse().ok())
        });
        match address {
            Some(address) => Self { process, address },
            None => panic!("echo did not start; it logged:\n{}", process.stderr()),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection on which everything said comes back.
    pub(crate) fn open(&self) -> Client {
        Client::open(self.address, Self::PATH, &[])
    }

    /// It still runs and has not panicked.
    pub(crate) fn assert_healthy(&mut self) {
        self.process.assert_healthy();
    }

    /// The path that upgrades.
    pub(crate) const PATH: &str = "/ws";
}

/// `cargo test` builds the examples, `cargo test --test NAME` does not and may leave an old one behind. So one that is
/// missing, or older than the daemon's binary, is built once more; that costs nothing when it was up to date after all.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let test = std::env::current_exe().expect("a test binary has a path");
        // TARGET/PROFILE/deps/test-HASH, and beside deps: TARGET/PROFILE/examples/echo.
        let profile = test.ancestors().nth(2).expect("a test binary lives in a profile's directory");
        let binary = profile.join("examples").join(format!("echo{}", std::env::consts::EXE_SUFFIX));
        let daemon = modified(Path::new(env!("CARGO_BIN_EXE_hollerd")));
        if modified(&binary).is_none_or(|built| Some(built) < daemon) {
            build(profile);
        }
        binary
    })
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

/// Builds the example into the directory that the running test came from.
fn build(profile: &Path) {
    let target = profile.parent().expect("a profile's directory is in the target directory");
    let name = match profile.file_name().and_then(|name| name.to_str()) {
        // The one profile whose directory has another name than itself.
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--example", "echo"]);
    cargo.args(["--profile", name, "--target-dir"]).arg(target);
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "echo was not built:\n{}", String::from_utf8_lossy(&output.stderr));
}
