//! The real `hollerd` binary on a port of its own.

use std::net::SocketAddr;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::Signal;

use super::{Client, PATIENCE, Process, TempFile, now};

/// A running daemon; killed, and its configuration file removed, when dropped.
pub(crate) struct Daemon {
    process: Process,
    _config_file: Option<TempFile>,
}

/// What is left of a daemon, or of one of its subcommands, that has come to its end.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
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
        let own = args.iter().skip_while(|arg| **arg != "-c").nth(1).map(std::fs::read_to_string);
        let own = own.and_then(Result::ok).unwrap_or_default();
        let elsewhere = config.lines().chain(own.lines()).any(|line| line.trim_start().starts_with("listen"))
            || env.iter().any(|(name, _)| *name == "HOLLERD_LISTEN");
        if listens == 0 && !elsewhere {
            args.extend(["--listen", "127.0.0.1:0"]);
        }
        let daemon = Self::spawn_with(config, env, &args);
        let ready = daemon.process.await_stdout(PATIENCE, |text| {
            let invitations = text.lines().filter(|line| line.trim_start().starts_with("try "));
            (invitations.count() >= listens.max(1)).then_some(())
        });
        if ready.is_none() {
            panic!("the daemon did not start; it printed:\n{}\nand logged:\n{}", daemon.stdout(), daemon.stderr());
        }
        daemon
    }

    /// Starts it with the door open and a configuration file of this text (none when it is empty).
    pub(crate) fn without_auth(config: &str) -> Self {
        Self::start_with(config, &[], &["--auth", "none"])
    }

    /// Runs a subcommand, or a start that must fail, to its end.
    pub(crate) fn run(config: &str, env: &[(&str, &str)], args: &[&str]) -> Finished {
        let mut daemon = Self::spawn_with(config, env, args);
        let status = daemon.wait(PATIENCE);
        Finished { code: status.code(), stdout: daemon.stdout(), stderr: daemon.stderr() }
    }

    /// Starts it with exactly these arguments and waits for nothing: for refused configurations and subcommands.
    pub(crate) fn spawn_with(config: &str, env: &[(&str, &str)], args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hollerd"));
        command.args(args);
        // A developer's own settings, or a supervisor's sockets, must not reach the daemon under test.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let of_supervisor = name.starts_with("LISTEN_") || name == "NOTIFY_SOCKET" || name == "JOURNAL_STREAM";
            if name.starts_with("HOLLERD_") || of_supervisor {
                command.env_remove(&*name);
            }
        }
        command.envs(env.iter().copied());
        let config_file = (!config.is_empty()).then(|| TempFile::new("toml", config));
        if let Some(file) = &config_file {
            command.arg("-c").arg(file.path());
        }
        Self { process: Process::spawn(&mut command), _config_file: config_file }
    }

    /// Where it listens over TCP, in the order printed.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        addresses(&self.stdout())
    }

    /// Where it listens first.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses().into_iter().next().expect("a daemon that listens")
    }

    /// The token it printed for pasting; none with `--auth none`, or where only somebody else can make tokens.
    pub(crate) fn token(&self) -> Option<String> {
        let printed = self.stdout();
        let invitation = printed.lines().find(|line| line.trim_start().starts_with("try "))?;
        let (_, token) = invitation.split_once("Authorization: Bearer ")?;
        token.split('\'').next().filter(|token| *token != "YOUR-TOKEN").map(str::to_owned)
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

    /// As [`Daemon::open`], and greeted under this name: from here on it hears everything that is said in its room.
    pub(crate) fn enter(&self, path: &str, name: &str) -> Client {
        let mut client = self.open(path);
        client.text(name);
        client.expect_text(&format!("hello {name}"));
        client
    }

    /// As [`Daemon::enter`] on a server that is full, where somebody has left but may not have been counted out yet.
    pub(crate) fn enter_when_free(&self, path: &str, name: &str) -> Client {
        let deadline = now() + PATIENCE;
        loop {
            let mut client = self.connect();
            let response = client.upgrade(path, &[]);
            if response.status == 101 {
                client.text(name);
                client.expect_text(&format!("hello {name}"));
                return client;
            }
            response.verify_refusal(503);
            assert!(now() < deadline, "nobody was let in after somebody left");
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

    /// Waits for a whole printed line that contains `needle` and returns it.
    pub(crate) fn await_printed(&self, needle: &str) -> String {
        let line = |text: &str| {
            text.split_inclusive('\n').find(|line| line.contains(needle) && line.ends_with('\n')).map(str::to_owned)
        };
        match self.process.await_stdout(PATIENCE, line) {
            Some(line) => line.trim_end().to_owned(),
            None => panic!("no line with {needle:?} in:\n{}", self.stdout()),
        }
    }

    /// Waits for the one log line about the end of this connection and returns it.
    pub(crate) fn await_ending(&self, client: SocketAddr) -> String {
        // With the character behind it, because the address of another client may begin with this one.
        let (named, nameless) = (format!("({client})"), format!("{client} "));
        let about =
            |text: &str| text.lines().find(|line| line.contains(&named) || line.contains(&nameless)).map(str::to_owned);
        match self.process.await_stderr(PATIENCE, about) {
            Some(line) => line,
            None => panic!("no log line about {client} in:\n{}", self.stderr()),
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

/// What stands at the end of every line `hollerd VERSION listening on ...`.
fn listeners(printed: &str) -> impl Iterator<Item = &str> {
    let prefix = concat!("hollerd ", env!("CARGO_PKG_VERSION"), " listening on ");
    printed.lines().filter_map(move |line| line.strip_prefix(prefix))
}

fn addresses(printed: &str) -> Vec<SocketAddr> {
    listeners(printed).filter_map(|listener| listener.trim_start_matches("tls://").trim_end().parse().ok()).collect()
}
