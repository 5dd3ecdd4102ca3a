//! The `echo` example: the engine without the chat, which is what the protocol's own rules are tested against.

use std::net::SocketAddr;
use std::process::Command;

use super::{Client, PATIENCE, Process, example};

/// A running echo server; killed when dropped.
pub(crate) struct Echo {
    process: Process,
    address: SocketAddr,
}

impl Echo {
    /// Starts it on a free loopback port and returns when it listens.
    pub(crate) fn start() -> Self {
        let process = Process::spawn(Command::new(example("echo")).args(["--listen", "127.0.0.1:0"]));
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
