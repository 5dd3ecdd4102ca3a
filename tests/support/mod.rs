//! What the tests of the running programs share: a runner for the daemon and the echo example, and a client that
//! speaks raw WebSocket frames. The client knows the wire format but no good manners: it sends whatever frame a test
//! asks for, legal or not, and hands back exactly what arrived, so that a test can hold the server to every byte.
//!
//! Use it from a test binary with `mod support;` (or `#[path = "../support/mod.rs"] mod support;` one folder down).
//! Nothing here sleeps: every wait has a deadline and ends as soon as what it waits for has happened.
#![allow(dead_code, unused_imports, reason = "each test binary compiles its own copy and uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "support code that cannot go on fails the test that called it"
)]
#![allow(clippy::wildcard_enum_match_arm, reason = "whatever a test did not want fails it, now and later")]

mod cable;
mod client;
mod daemon;
mod echo;
mod example;
mod file;
mod frame;
mod meter;
mod person;
mod process;
mod response;
mod schema;
pub(crate) mod tls;
mod token;
mod wire;

pub(crate) use cable::Cable;
pub(crate) use client::{Client, Received, WriteError};
pub(crate) use daemon::{Daemon, Finished};
pub(crate) use echo::Echo;
pub(crate) use example::example;
pub(crate) use file::TempFile;
pub(crate) use frame::{Frame, close_payload, opcode};
pub(crate) use meter::Meter;
pub(crate) use person::Person;
pub(crate) use process::Process;
pub(crate) use response::Response;
pub(crate) use schema::{Schema, Side};
pub(crate) use token::{Issuer, unix_now};
pub(crate) use wire::Wire;

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

/// How long a wait lasts before the test fails, unless the test says otherwise. It is generous because a test that
/// passes never waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// An address for a program that cannot be asked which port it has chosen. It is free, and stays so: the port is below those
/// that the kernel gives to clients, of which other tests have tens of thousands.
pub(crate) fn free_address(ip: IpAddr) -> SocketAddr {
    std::iter::repeat_with(|| SocketAddr::new(ip, fastrand::u16(10_000..32_000)))
        .find(|&address| TcpListener::bind(address).is_ok())
        .expect("one of so many ports")
}

/// The tests' one look at the clock; deadlines against a real process cannot be had without one.
#[expect(clippy::disallowed_methods, reason = "tests of a running process measure real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
