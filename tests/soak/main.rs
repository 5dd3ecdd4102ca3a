//! The real daemon under everything at once, for minutes: people who talk and must not miss a word, people who come and
//! go, slow readers, and clients that break every rule, half of them with TLS. Nothing may be lost, nothing may come twice,
//! nothing may grow.
//!
//!     cargo test --profile thorough --test soak -- --ignored --nocapture                      for one minute
//!     SOAK_MINUTES=10 cargo test --profile thorough --test soak -- --ignored --nocapture      for ten
//!
//! | file | what it is |
//! | --- | --- |
//! | `circle.rs` | a room of people who keep up: numbered messages and an exact account |
//! | `rabble.rs` | those who come and go, those who do not read, those who send rubbish |
//! | `operator.rs` | somebody who changes configuration and certificate all the time, sometimes for the worse |
//! | `watch.rs` | memory and descriptors, and when they have grown |
//!
//! `SOAK_SEED` is a number that decides what everybody does; their threads still meet by chance.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what a client did not want to see fails the test")]
#![allow(clippy::wildcard_enum_match_arm, reason = "whatever a client did not want fails the test, now and later")]
#![allow(clippy::print_stdout, reason = "a run of ten minutes shows that it goes on")]

#[path = "../support/mod.rs"]
mod support;

mod circle;
mod operator;
mod rabble;
mod watch;

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use operator::Operator;
use rustls::ClientConfig;
use support::{Client, Daemon, PATIENCE, now, tls};
use watch::Watch;

/// Rooms whose members keep up.
const CIRCLES: u64 = 6;

/// Small limits, so that they are reached. The last section: the operator adds what changes.
const CONFIG: &str = "
[limits]
connections = 2000
pending_per_address = 0
admit_timeout = \"1s\"
message_timeout = \"1s\"
messages_per_second = 10000
message_burst = 10000
unread_age = \"2s\"
room_log = \"1MiB\"
";

#[test]
#[ignore = "needs a minute, or SOAK_MINUTES"]
fn nothing_is_lost_and_nothing_grows() {
    let (minutes, seed) = (number("SOAK_MINUTES", 1), number("SOAK_SEED", 1));
    let mut operator = Operator::new();
    let listen = ["--listen", "127.0.0.1:0", "--listen", "tls://127.0.0.1:0"];
    let mut daemon = Daemon::start(&[&["-c", operator.file()], &listen[..]].concat());
    let world = World {
        address: daemon.addresses()[0],
        tls_address: daemon.addresses()[1],
        trust: operator.trust(),
        token: operator.token(),
        stop: Stop::default(),
        account: Mutex::default(),
    };
    let mut watch = Watch::begin(&daemon);
    thread::scope(|scope| {
        for number in 0..CIRCLES {
            let world = &world;
            scope.spawn(move || world.play(seed + number, |world| circle::talk(world, &format!("circle-{number}"))));
        }
        scope.spawn(|| world.play(seed + 100, rabble::come_and_go));
        scope.spawn(|| world.play(seed + 101, rabble::read_slowly));
        scope.spawn(|| world.play(seed + 102, rabble::send_rubbish));
        let end = now() + Duration::from_secs(60 * minutes);
        while now() < end && !world.stop.within(SAMPLE_INTERVAL) {
            if watch.sample().is_multiple_of(SAMPLES_PER_RELOAD) {
                operator.look_at_certificate(world.tls_address, &world.trust);
                operator.reload(&daemon);
            }
        }
        world.stop.now();
    });
    println!("{}", world.account.lock().unwrap_or_else(PoisonError::into_inner));
    watch.verify_plateau();
    watch.verify_descriptors(&world.stop);
    daemon.assert_healthy();
    daemon.terminate();
    let status = daemon.wait(PATIENCE);
    assert!(status.success(), "{status}");
    operator.verify(&daemon.stderr());
}

/// What everybody knows.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) tls_address: SocketAddr,
    trust: Arc<ClientConfig>,
    pub(crate) token: String,
    pub(crate) stop: Stop,
    account: Mutex<Account>,
}

impl World {
    /// A connection, every second time with TLS.
    pub(crate) fn connect(&self) -> Client {
        if fastrand::bool() { tls::connect(self.tls_address, &self.trust) } else { Client::connect(self.address) }
    }

    /// Runs one of the threads. When it fails, the others need not go on.
    fn play(&self, seed: u64, part: impl FnOnce(&Self) -> Account) {
        struct Alarm<'a>(&'a Stop);
        impl Drop for Alarm<'_> {
            fn drop(&mut self) {
                if thread::panicking() {
                    self.0.now();
                }
            }
        }
        let _alarm = Alarm(&self.stop);
        fastrand::seed(seed);
        let done = part(self);
        self.account.lock().unwrap_or_else(PoisonError::into_inner).add(&done);
    }
}

/// What has been done, to show that something has.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) said: u64,
    pub(crate) heard: u64,
    pub(crate) visits: u64,
    pub(crate) slow: u64,
    pub(crate) rubbish: u64,
}

impl Account {
    fn add(&mut self, other: &Self) {
        self.said += other.said;
        self.heard += other.heard;
        self.visits += other.visits;
        self.slow += other.slow;
        self.rubbish += other.rubbish;
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { said, heard, visits, slow, rubbish } = self;
        write!(f, "{said} messages said, {heard} heard by those who keep up, none lost and none twice; ")?;
        write!(f, "{visits} visits, {slow} slow readers, {rubbish} clients with rubbish")
    }
}

/// The end, for which everybody can wait a while.
#[derive(Default)]
pub(crate) struct Stop(Mutex<bool>, Condvar);

impl Stop {
    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.1.notify_all();
    }

    /// Waits so long, and says whether the end has come.
    pub(crate) fn within(&self, time: Duration) -> bool {
        let stopped = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (stopped, _) =
            self.1.wait_timeout_while(stopped, time, |stopped| !*stopped).unwrap_or_else(PoisonError::into_inner);
        *stopped
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

const SAMPLE_INTERVAL: Duration = Duration::from_millis(500);
const SAMPLES_PER_RELOAD: usize = 5;
