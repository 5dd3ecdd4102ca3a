//! The real `hollerd` binary on a port of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::Signal;

use super::{Client, PATIENCE, Process};

/// A running daemon; killed, and its configuration file removed, when dropped.
pub(crate) struct Daemon {
    process: Process,
    config_file: Option<PathBuf>,
}

impl Daemon {
    /// Starts with these arguments, on a free loopback port unless they name a `--listen`, and returns when the
    /// daemon says that it listens.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_with("", &[], args)
    }

    /// As [`Daemon::start`], with a configuration file of this text (none when it is empty) and these environment
    /// variables.
    pub(crate) fn start_with(config: &str, env: &[(&str, &str)], args: &[&str]) -> Self {
        let mut args = args.to_vec();
        let listens = args.iter().filter(|arg| arg.starts_with("--listen")).count();
        let elsewhere = config.lines().any(|line| line.trim_start().starts_with("listen"))
            || env.iter().any(|(name, _)| *name == "HOLLERD_LISTEN");
        if listens == 0 && !elsewhere {
            args.extend(["--listen", "127.0.0.1:0"]);
        }
        let daemon = Self::spawn_with(config, env, &args);
        let ready = daemon.process.await_stdout(PATIENCE, |text| {
            let invited = text.lines().any(|line| line.trim_start().starts_with("try "));
            (invited && addresses(text).len() >= listens.max(1)).then_some(())
        });
        if ready.is_none() {
            panic!("the daemon did not start; it printed:\n{}\nand logged:\n{}", daemon.stdout(), daemon.stderr());
        }
        daemon
    }

    /// Starts it with exactly these arguments and waits for nothing: for refused configurations and subcommands.
    pub(crate) fn spawn_with(config: &str, env: &[(&str, &str)], args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hollerd"));
        command.args(args);
        // A developer's own settings, or a supervisor's sockets, must not reach the daemon under test.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("HOLLERD_") || name.starts_with("LISTEN_") || name == "NOTIFY_SOCKET" {
                command.env_remove(&*name);
            }
        }
        command.envs(env.iter().copied());
        let config_file = (!config.is_empty()).then(|| write_config(config));
        if let Some(path) = &config_file {
            command.arg("-c").arg(path);
        }
        Self { process: Process::spawn(&mut command), config_file }
    }

    /// Where it listens, in the order printed.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        addresses(&self.stdout())
    }

    /// Where it listens first.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses().into_iter().next().expect("a daemon that listens")
    }

    /// The token it printed for pasting; none with `--auth none`.
    pub(crate) fn token(&self) -> Option<String> {
        let printed = self.stdout();
        let invitation = printed.lines().find(|line| line.trim_start().starts_with("try "))?;
        let (_, token) = invitation.split_once("Authorization: Bearer ")?;
        token.split('\'').next().map(str::to_owned)
    }

    /// A TCP connection on which nothing has been said yet.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// An upgraded connection to `path`, let in by the printed token.
    pub(crate) fn open(&self, path: &str) -> Client {
        match self.token() {
            Some(token) => Client::open(self.address(), path, &[("Authorization", &format!("Bearer {token}"))]),
            None => Client::open(self.address(), path, &[]),
        }
    }

    pub(crate) fn stdout(&self) -> String {
        self.process.stdout()
    }

    pub(crate) fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// Waits for a log line that contains `needle` and returns it.
    pub(crate) fn await_log(&self, needle: &str) -> String {
        let line = |text: &str| text.lines().find(|line| line.contains(needle)).map(str::to_owned);
        match self.process.await_stderr(PATIENCE, line) {
            Some(line) => line,
            None => panic!("no log line with {needle:?} in:\n{}", self.stderr()),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks for an orderly shutdown.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for the end; fails the test when it takes longer than `patience`.
    pub(crate) fn wait(&mut self, patience: Duration) -> ExitStatus {
        self.process.wait(patience)
    }

    /// It still runs and has not panicked.
    pub(crate) fn assert_healthy(&mut self) {
        self.process.assert_healthy();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(path) = &self.config_file {
            // A file that is gone already is as good as removed.
            let _removed = std::fs::remove_file(path);
        }
    }
}

/// The address of every line `hollerd VERSION listening on ADDRESS`.
fn addresses(printed: &str) -> Vec<SocketAddr> {
    let prefix = concat!("hollerd ", env!("CARGO_PKG_VERSION"), " listening on ");
    printed.lines().filter_map(|line| line.strip_prefix(prefix)?.trim_end().parse().ok()).collect()
}

/// Tests run side by side, so each configuration gets a name of its own.
fn write_config(text: &str) -> PathBuf {
    let name = format!("hollerd-{}-{:016x}.toml", std::process::id(), fastrand::u64(..));
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("a configuration file in the target directory");
    path
}
